# SPDX-License-Identifier: Apache-2.0
"""The Python client's parser of OpenMetrics, which the corpus and the differential fuzz measure ours against."""
from fractions import Fraction

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Timestamp

from events import Sample, Verdict, number


def milliseconds(time):
    """A Timestamp or a float as Prometheus and we count it: the double times 1000, and what is left of a millisecond dropped. (With up
    to nine digits behind the point, which is what a Timestamp holds, the double is that of the text.)"""
    if time is None:
        return None
    if isinstance(time, Timestamp):
        time = float(Fraction(time.sec) + Fraction(time.nsec, 10**9))
    return int(time * 1000)


def exemplar_of(e):
    return e and (tuple(sorted(e.labels.items())), number(e.value), milliseconds(e.timestamp))


def verdict(body):
    """Its Verdict. Whatever it raises is a refusal: it was not made to tell a wrong body from a surprise."""
    samples, meta = [], {}
    try:
        for family in text_string_to_metric_families(body.decode("utf-8")):
            meta[family.name] = {"type": family.type, "help": family.documentation, "unit": family.unit}
            for s in family.samples:
                samples.append(Sample(s.name, tuple(sorted(s.labels.items())), number(s.value), milliseconds(s.timestamp),
                                      exemplar_of(s.exemplar), family.name))
    except Exception as e:  # pylint: disable=broad-except
        return Verdict("%s: %s" % (type(e).__name__, e), samples, meta)
    return Verdict(None, samples, meta)
