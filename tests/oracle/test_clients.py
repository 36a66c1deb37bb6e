# SPDX-License-Identifier: Apache-2.0
"""What programs and client libraries really answer is read as the Python client's parsers read it."""
import pathlib

import pytest

pytest.importorskip("prometheus_client", reason="the oracle")

import prometheus_client  # noqa: E402
from prometheus_client import openmetrics, parser as text_parser  # noqa: E402

import events  # noqa: E402
import known  # noqa: E402
import oracle  # noqa: E402
import rewriting  # noqa: E402
from harness import http, stand as stands  # noqa: E402
from harness.wait import eventually  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
TWO_FAMILIES = "go_client_golang_two_families"
FILES = sorted(path for path in (FOLDER / "clients").glob("*.txt") if not path.name.startswith(TWO_FAMILIES))


def read_text(body):
    """Its samples by the oracle for text, which gives counters the names of OpenMetrics."""
    samples = []
    for family in text_parser.text_string_to_metric_families(body.decode("utf-8")):
        for s in family.samples:
            name = s.name
            if family.type == "counter" and not any(line.startswith((name + " ", name + "{")) for line in body.decode("utf-8").split("\n")):
                name = name[:-len("_total")]
            time = None if s.timestamp is None else round(s.timestamp * 1000)
            samples.append((name, tuple(sorted(s.labels.items())), events.number(s.value), time))
    return sorted(samples, key=repr)


def without_time(sample):
    return sample._replace(exemplar=sample.exemplar and sample.exemplar[:2])


def check(body, form, targets=tuple(rewriting.TARGETS)):
    """Our verdict of a body, after a comparison with the oracle's, and after it has gone through our writer into each of these formats."""
    assert body, "no body"
    with events.Parser("--format", form, "--seen") as parser:
        ours = parser.verdict(body)
    assert ours.error is None, ours.error
    assert ours.samples, "nothing is in it"
    if form == "openmetrics":
        theirs = oracle.verdict(body)
        assert theirs.error is None, theirs.error
        if ours.samples != theirs.samples:
            # Go's client writes the times of exemplars with an exponent and all their digits.
            assert known.reason(body, theirs, ours) == "time-cut-after-nine-digits"
            assert [without_time(s) for s in ours.samples] == [without_time(s) for s in theirs.samples]
    else:
        assert sorted((s[:4] for s in ours.samples), key=repr) == read_text(body)
    for target in targets:
        # client_golang has its two families again.
        rewriter = rewriting.Rewriter(form, target, strict=b"go_memstats_alloc_bytes_total" not in body)
        assert rewriter.check(body) == {}
        rewriter.close()
    return ours


def fetch(url):
    """A body of text."""
    answer = http.get(url, headers={"Accept": "text/plain;version=0.0.4"})
    assert answer.code == 200, answer
    assert answer.headers["Content-Type"].startswith("text/plain"), answer.headers
    return answer.body


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:-len(".txt")])
def test_in_the_style_of(path):
    """(test_rewrite.py writes them.)"""
    check(path.read_bytes(), path.name.split(".")[1], ())


def test_two_families_of_one_name():
    """What client_golang does with its own metrics breaks the specification ("MetricFamily": each name MUST be unique), and Prometheus takes
    it: so do we, unless asked to look for it."""
    body = (FOLDER / "clients" / (TWO_FAMILIES + ".openmetrics.txt")).read_bytes()
    with events.Parser("--format", "openmetrics", "--seen") as parser:
        assert parser.verdict(body).error.startswith("4:8: ")
    assert oracle.verdict(body).error is not None
    with events.Parser("--format", "openmetrics") as parser:
        found = [e for e in parser.events(body)[0] if e["kind"] == "sample"]
    assert [(e["name"], e["family"], e["type"], e["value"]) for e in found] == [
        ("go_memstats_alloc_bytes", "go_memstats_alloc_bytes", "gauge", 4050300),
        ("go_memstats_alloc_bytes_total", "go_memstats_alloc_bytes", "counter", 146800568),
        ("go_threads", "go_threads", "gauge", 12)]


def test_node_exporter(stand):
    """In text: Debian's has no other format but protobuf."""
    ours = check(fetch(stand.node_exporter().url + "/metrics"), "text")
    assert len(ours.samples) > 200
    assert {"node_cpu_seconds_total", "go_info"} <= {s.name for s in ours.samples}


def test_prometheus(stand):
    """Its own metrics, in text: histograms, summaries, hundreds of samples."""
    prometheus = stand.prometheus()
    ours = check(fetch(prometheus.url + "/metrics"), "text")
    assert len(ours.samples) > 200
    kinds = {meta["type"] for meta in ours.meta.values() if "type" in meta}
    assert {"counter", "gauge", "histogram", "summary"} <= kinds


@pytest.mark.long
def test_prometheus_federate(stand):
    """Untyped, with a timestamp on every line."""
    node = stand.node_exporter()
    prometheus = stand.prometheus(node.instance)
    url = prometheus.url + '/federate?match[]={__name__=~"node_.*"}'
    body = eventually(lambda: fetch(url), what="something was scraped")
    ours = check(body, "text")
    assert len(ours.samples) > 200 and all(s.time for s in ours.samples)


class Pushgateway(stands.Server):
    health = "/-/ready"

    def __init__(self, stand):
        self.port = stands.free_port()
        super().__init__(stand, "pushgateway", [stands.peer("GRAVEL_PUSHGATEWAY"), "--web.listen-address=127.0.0.1:%d" % self.port])


def test_pushgateway(stand):
    """Its own metrics, and what was pushed to it, grouped by labels with strange values; in text, whatever is asked for."""
    gateway = Pushgateway(stand).start()
    body = (b"# HELP job_runs_total Runs, \"so\" said.\n# TYPE job_runs_total counter\njob_runs_total{how=\"a\\\"b\\\\c\\nd\"} 3\n# TYPE job_wait histogram\n"
            b"job_wait_bucket{le=\"1\"} 2\njob_wait_bucket{le=\"+Inf\"} 3\njob_wait_sum 4.5\njob_wait_count 3\nno_type 1e-7\n")
    for path in ("/metrics/job/a", "/metrics/job@base64/w6Qvw7Y/x/1"):
        answer = http.request(gateway.url + path, "PUT", body)
        assert answer.code == 200, answer
    names = {s.name for s in check(fetch(gateway.url + "/metrics"), "text").samples}
    assert {"job_runs_total", "job_wait_bucket", "push_time_seconds", "go_info"} <= names


def registry():
    """One of each that the Python client has, with values and labels that want escapes."""
    r = prometheus_client.CollectorRegistry()
    odd = "a\"b\\c\nd\u2028ä"
    counter = prometheus_client.Counter("hits", "Hits of \"it\"\\\nand more.", ["page"], registry=r)
    counter.labels(odd).inc(2.5, exemplar={"trace": odd})
    prometheus_client.Gauge("depth_bytes", "", unit="bytes", registry=r).set(float("-inf"))
    prometheus_client.Gauge("ratio", "NaN", registry=r).set(float("nan"))
    histogram = prometheus_client.Histogram("wait_seconds", "Waits.", ["q"], unit="seconds", registry=r)
    for value in (0.001, 0.3, 4, 1e9):
        histogram.labels("x").observe(value, exemplar={"trace": "%g" % value})
    prometheus_client.Summary("size", "Sizes.", registry=r).observe(17)
    prometheus_client.Info("build", "Build.", registry=r).info({"version": "1.0", "odd": odd})
    prometheus_client.Enum("door", "Door.", states=["open", "shut"], registry=r).state("shut")
    prometheus_client.ProcessCollector(registry=r)
    prometheus_client.PlatformCollector(registry=r)
    return r


def test_python_text():
    # Its text has gauges "x_created" beside counters "x_total", which are one family in OpenMetrics.
    ours = check(prometheus_client.generate_latest(registry()), "text", ("text", "text1"))
    assert {"hits_total", "wait_seconds_bucket", "process_cpu_seconds_total", "build_info"} <= {s.name for s in ours.samples}


def test_python_openmetrics():
    ours = check(openmetrics.exposition.generate_latest(registry()), "openmetrics")
    assert {meta["type"] for meta in ours.meta.values()} == {"counter", "gauge", "histogram", "summary", "info", "stateset"}
    assert sum(s.exemplar is not None for s in ours.samples) == 5
