# SPDX-License-Identifier: Apache-2.0
"""What real producers answer in protobuf says the same as what they answer in text: client_golang writes both from one source."""
import json
import struct
import subprocess

import pytest

from harness import http
from harness.stand import BUILD, Prometheus, Pushgateway
from harness.wait import eventually

EVENTS = BUILD.parent / "tests" / "gravel-expo-events"
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

# Kept by the pushgateway as it is, so every value can be compared.
PUSHED = """\
# HELP h With \\\\ and \\n in it.
# TYPE h histogram
h_bucket{a="x",le="-0.5"} 1
h_bucket{a="x",le="0.005"} 2
h_bucket{a="x",le="1e+06"} 3
h_bucket{a="x",le="1.048576e+06"} 3
h_bucket{a="x",le="+Inf"} 5
h_sum{a="x"} 1.5e-300
h_count{a="x"} 5
h_bucket{le="1"} 0
h_sum NaN
h_count 0
# TYPE s summary
s{quantile="0.5"} -Inf
s{quantile="0.99"} NaN
s_sum 1e+22
s_count 18014398509481984
# TYPE g gauge
g{a="\u00e4 \\" \\n",b=""} 5e-324
g{a="2"} -1.7976931348623157e+308
# TYPE c_total counter
c_total 0.1
u{a="b"} 1
"""


def events(format_name, body, *options):
    done = subprocess.run([str(EVENTS), "--format", format_name, *options, "-"], input=body, stdout=subprocess.PIPE, check=True)
    found = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    assert found and found[-1]["kind"] == "end", found[-1:]
    return found[:-1]


def key(event):
    """What a sample is, without its value; a comment with all that it says."""
    if event["kind"] != "sample":
        return event["kind"], event["name"], event.get("text"), event.get("type")
    return "sample", event["name"], tuple(sorted(map(tuple, event["labels"])))


def values(found):
    """key -> value and timestamp of each sample, None of each comment; nothing stands twice."""
    table = {key(e): (str(e["value"]), e.get("timestamp_ms")) if e["kind"] == "sample" else None for e in found}
    assert len(table) == len(found)
    return table


def scrape(server, accept):
    answer = http.get(server.url + "/metrics", headers={"Accept": accept})
    assert answer.code == 200
    kind = answer.headers["Content-Type"].replace(" ", "")
    assert kind.startswith(accept), kind
    return answer.body


def compare_once(server):
    """The events in protobuf, with the same names, labels and comments as in text; of which samples the values were compared, because
    they were the same in the texts before and after; and which of those differ."""
    before = values(events("text", scrape(server, "text/plain")))
    body = scrape(server, PROTOBUF)
    after = values(events("text", scrape(server, "text/plain")))
    found = events("protobuf", body)
    assert events("protobuf", body, "--pieces", "4099") == found
    between = values(found)
    # What comes or goes while it is looked at is in one text only.
    assert set(before) & set(after) <= set(between) <= set(before) | set(after)
    same = {k for k in between if before.get(k) is not None and before[k] == after.get(k)}
    return found, same, {k for k in same if between[k] != before[k]}


def compare(server, tries=8):
    """The events in protobuf, and of how many samples the values are those in text. A value may change there and back while it is looked
    at, but not each time."""
    differ = None
    for _ in range(tries):
        found, same, bad = compare_once(server)
        differ = bad if differ is None else differ & bad
        if not differ:
            return found, len(same)
    raise AssertionError("values differ: %s" % differ)


def check_parts(found):
    """Each sample is a part of the family before it, and joined to the sample before it if that is of the same metric."""
    family = metric = None
    for event in found:
        if event["kind"] == "type":
            family, metric = event["name"], None
        if event["kind"] != "sample":
            continue
        own = {"bucket": "le", "quantile": "quantile"}.get(event["part"])
        of = [label for label in event["labels"] if label[0] != own]
        suffix = {"bucket": "_bucket", "sum": "_sum", "count": "_count"}.get(event["part"], "")
        assert event["family"] == family and event["name"] == family + suffix, event
        assert event["joined"] == (of == metric), event
        if own:
            assert event["labels"][-1] == [own, event["labels"][-1][1]]
            assert float(event["labels"][-1][1]) == float(event["bound"])
        metric = of


@pytest.fixture(autouse=True)
def program():
    assert EVENTS.exists(), "%s is not built" % EVENTS


def test_node_exporter(stand):
    found, same = compare(stand.node_exporter())
    check_parts(found)
    types = {e["name"]: e["type"] for e in found if e["kind"] == "type"}
    assert types["node_boot_time_seconds"] == "gauge" and types["go_gc_duration_seconds"] == "summary"
    assert types["node_cpu_seconds_total"] == "counter"
    assert same > 100


def test_prometheus(stand):
    """Histograms and summaries with and without labels."""
    found, same = compare(stand.prometheus())
    check_parts(found)
    types = {e["type"] for e in found if e["kind"] == "type"}
    assert types >= {"counter", "gauge", "histogram", "summary"}
    assert same > 200


def test_pushgateway(stand):
    gateway = Pushgateway(stand).start()
    answer = http.request(gateway.url + "/metrics/job/j", "PUT", PUSHED)
    assert answer.code == 200, answer
    found, same = compare(gateway)
    check_parts(found)
    table = values(found)
    at = lambda name, **labels: table["sample", name, tuple(sorted({"job": "j", "instance": "", **labels}.items()))][0]
    assert at("h_bucket", a="x", le="1.048576e+06") == "3"
    assert at("h_bucket", le="+Inf") == "0"
    assert at("h_sum") == at("s", quantile="0.99") == "NaN" and at("s", quantile="0.5") == "-Inf"
    assert at("g", a="\u00e4 \" \n", b="") == "5e-324"
    assert table["help", "h", "With \\ and \n in it.", None] is None
    assert table["type", "u", None, "untyped"] is None
    assert same > 20


# Native histograms: no client in Debian sends them, but its Prometheus reads them.

def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def zigzag(n):
    return varint(n << 1 ^ n >> 63)


def field(number, value):
    """A field: of a float, a number or bytes."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def signed(number, value):
    return varint(number << 3) + zigzag(value)


def native(count, spans, buckets):
    """A histogram of schema 1 with a zero bucket of 2 up to 0.001, one bucket of 1 on the negative side, and these on the positive one."""
    message = field(1, count) + field(2, 4.5) + signed(5, 1) + field(6, 0.001) + field(7, 2)
    message += field(9, signed(1, -3) + field(2, 1)) + field(10, zigzag(1))
    message += b"".join(field(12, signed(1, offset) + field(2, length)) for offset, length in spans)
    return message + field(13, b"".join(map(zigzag, buckets)))


def delimited(name, kind, *metrics):
    family = field(1, name.encode()) + field(3, kind) + b"".join(field(4, m) for m in metrics)
    return varint(len(family)) + family


def ranges(histogram):
    """(lower, upper, count) of each bucket with a count, of a native histogram of our events, as Prometheus answers them."""
    base = 2 ** 2 ** -histogram["schema"]
    zero = histogram["zero_threshold"]
    found = [(-zero, zero, histogram["zero_count"])]
    for side, sign in (("positive", 1), ("negative", -1)):
        index = count = 0
        deltas = iter(histogram[side]["deltas"])
        for offset, length in histogram[side]["spans"]:
            index += offset
            for index in range(index, index + length):
                count += next(deltas)
                found.append((*sorted((sign * base ** (index - 1), sign * base ** index)), count))
            index += 1 if length else 0
    return sorted(bucket for bucket in found if bucket[2])


class NativePrometheus(Prometheus):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.argv.append("--enable-feature=native-histograms")


@pytest.mark.long
def test_native_histogram(stand):
    body = delimited("h", 4, field(1, field(1, b"a") + field(2, b"b")) + field(7, native(12, [(-2, 1), (0, 0), (5, 3)], [3, -1, 2, -4])))
    target = stand.target(body, PROTOBUF)
    prometheus = NativePrometheus(stand, [target.instance]).start()

    def stored():
        answers = prometheus.api("query", query='h{a="b"}')["result"]
        return answers[0]["histogram"][1] if answers else None

    theirs = eventually(stored, 20)
    ours = [e for e in events("protobuf", body) if e.get("part") == "native"]
    assert len(ours) == 1 and ours[0]["name"] == "h" and ours[0]["labels"] == [["a", "b"]] and ours[0]["value"] == 12
    histogram = ours[0]["native"]
    assert (float(theirs["count"]), float(theirs["sum"])) == (histogram["count"], histogram["sum"]) == (12, 4.5)
    expected = [(float(low), float(high), float(count)) for _, low, high, count in theirs["buckets"]]
    found = ranges(histogram)
    assert len(found) == len(expected) == 5
    for bucket, other in zip(found, sorted(expected)):
        assert bucket == pytest.approx(other, rel=1e-12)
