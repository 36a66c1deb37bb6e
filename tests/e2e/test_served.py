# SPDX-License-Identifier: Apache-2.0
"""What the receiver serves in OpenMetrics and in protobuf are the series that it serves as text: to our own strict readers, to the Python
client, and to a real Prometheus, which asks for OpenMetrics first, and with native histograms for protobuf."""
import json
import re
import subprocess

import pytest

from harness.http import get
from harness.stand import BUILD, Prometheus
from harness.wait import eventually
from test_protobuf import PROTOBUF, NativePrometheus, delimited, field, native, ranges

EVENTS = BUILD.parent / "tests" / "gravel-expo-events"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
TEXT = "text/plain;version=0.0.4"
OWN = re.compile(r"^(gravel|process)_")

# All types, exemplars, units, times of creation.
RICH = """\
# TYPE jobs counter
# HELP jobs \\"Done\\" in \\\\ \\n.
jobs_total{queue="a"} 17 # {trace_id="abc"} 1.5 1700000000.123
jobs_created{queue="a"} 1700000000.25
jobs_total{queue="b"} 18
jobs_created{queue="b"} 1700000001
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{le="0.5"} 3 # {trace_id="def"} 0.25
wait_seconds_bucket{le="2.0"} 3
wait_seconds_bucket{le="10"} 3
wait_seconds_bucket{le="+Inf"} 4
wait_seconds_count 4
wait_seconds_sum 25.5
wait_seconds_created 1700000002
# TYPE size summary
size{quantile="0.5"} 1
size_count 3
size_sum 4
# TYPE build info
build_info{version="1.2"} 1
# TYPE mode stateset
mode{mode="fast"} 1
mode{mode="slow"} 0
# TYPE age_seconds gaugehistogram
age_seconds_bucket{le="-1.0"} 1
age_seconds_bucket{le="+Inf"} 4
age_seconds_gcount 4
age_seconds_gsum -2.5
# TYPE temperature gauge
temperature NaN
# EOF
"""

# What is fine in text, and what OpenMetrics has rules against.
POOR = """\
# TYPE requests counter
requests 1
# TYPE falls_total counter
falls_total -1
# TYPE bytes gauge
bytes 1
# TYPE bytes_total counter
bytes_total 2
# TYPE partial histogram
partial_bucket{le="1"} 1
partial_bucket{le="+Inf"} 2
partial_count 2
# TYPE fraction histogram
fraction_bucket{le="1"} 0.5
fraction_bucket{le="+Inf"} 1.5
fraction_sum 1
fraction_count 1.5
# TYPE low summary
low{quantile="1"} -1
low_sum -1
low_count 1
# TYPE orphans_created gauge
orphans_created{a="1"} 5
# TYPE orphans_total counter
orphans_total{a="2"} 5
# TYPE "http.requests" counter
{"http.requests","http.route"="/a"} 5
bare{a="\\"\\\\\\n"} 1
"""


@pytest.fixture
def full(gateway):
    assert gateway.push(RICH, headers={"Content-Type": "application/openmetrics-text"}).code == 200
    gateway.push_ok(POOR)
    return gateway


def events(format_name, body):
    done = subprocess.run([str(EVENTS), "--format", format_name, "-"], input=body, stdout=subprocess.PIPE, check=True)
    found = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    assert found and found[-1]["kind"] == "end", found[-1:]
    return [e for e in found[:-1] if not OWN.match(e["name"])]


def bound(name, value):
    """A bound of protobuf is a number, which each reader writes its own way."""
    return repr(float(value)) if name in ("le", "quantile") else value


def series(found, exact=True):
    """(name, labels) -> value; nothing stands twice."""
    samples = [e for e in found if e["kind"] == "sample" and e["part"] != "native"]
    table = {(e["name"], tuple(sorted((k, v if exact else bound(k, v)) for k, v in e["labels"]))): str(e["value"]) for e in samples}
    assert len(table) == len(samples)
    return table


def answer_of(receiver, accept):
    answer = receiver.get("/metrics", headers={"Accept": accept})
    assert answer.code == 200 and answer.headers["Content-Type"].replace(" ", "").startswith(accept)
    return answer.body


def test_every_format_has_the_same_series(full):
    text = events("text", answer_of(full, TEXT))
    assert len(series(text)) > 30
    strict = events("openmetrics", answer_of(full, OPENMETRICS))
    assert series(strict) == series(text)
    binary = events("protobuf", answer_of(full, PROTOBUF))
    assert series(binary, False) == series(text, False)
    types = {e["name"]: e["type"] for e in strict if e["kind"] == "type"}
    assert {n: types[n] for n in ("jobs", "wait_seconds", "size", "build", "mode", "age_seconds", "temperature")} == {
        "jobs": "counter", "wait_seconds": "histogram", "size": "summary", "build": "info", "mode": "stateset",
        "age_seconds": "gaugehistogram", "temperature": "gauge"}
    for name in ("requests", "falls_total", "bytes_total", "partial", "fraction", "low", "orphans_total"):
        assert types[name] in ("untyped", "unknown"), name
    assert [(e["name"], e["text"]) for e in strict if e["kind"] == "unit"] == [("wait_seconds", "seconds")]
    exemplars = [e["exemplar"] for e in strict if e.get("exemplar")]
    assert [(x["labels"], x["value"]) for x in exemplars] == [([["trace_id", "abc"]], 1.5), ([["trace_id", "def"]], 0.25)]
    assert exemplars[0]["timestamp_ms"] == 1700000000123


def test_what_real_programs_expose(stand, gateway):
    """node_exporter and Prometheus, pushed as they are: gauges and counters of one name, hundreds of buckets."""
    for job, server in (("node", stand.node_exporter()), ("prometheus", stand.prometheus(gateway.address))):
        gateway.push_ok(get(server.url + "/metrics", headers={"Accept": TEXT}).body, "/job/" + job)
    text = series(events("text", answer_of(gateway, TEXT)))
    assert len(text) > 500
    assert series(events("openmetrics", answer_of(gateway, OPENMETRICS))) == text
    text = series(events("text", answer_of(gateway, TEXT)), False)
    assert series(events("protobuf", answer_of(gateway, PROTOBUF)), False) == text


def test_the_python_client_reads_all_of_it(full):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    families = list(parser.text_string_to_metric_families(answer_of(full, OPENMETRICS).decode("utf-8")))
    theirs = {(s.name, tuple(sorted(s.labels.items()))): float(s.value) for f in families for s in f.samples if not OWN.match(f.name)}
    ours = {k: float(v.replace("Inf", "inf")) for k, v in series(events("text", answer_of(full, TEXT))).items()}
    assert repr(sorted(theirs.items())) == repr(sorted(ours.items()))
    types = {f.name: f.type for f in families}
    assert types["mode"] == "stateset" and types["build"] == "info" and types["age_seconds"] == "gaugehistogram"
    exemplars = [s.exemplar for f in families for s in f.samples if s.exemplar]
    assert [x.labels for x in exemplars] == [{"trace_id": "abc"}, {"trace_id": "def"}]


def stored(prometheus, address, exact=True):
    """What Prometheus has of one target, native histograms apart: labels without the address -> value."""
    found = {}
    query = '{instance="%s",__name__!~"up|scrape_.*|gravel_.*|process_.*"}' % address
    for result in prometheus.api("query", query=query)["result"]:
        if "histogram" in result:
            continue
        labels = {k: v if exact else bound(k, v) for k, v in result["metric"].items() if k != "instance"}
        found[tuple(sorted(labels.items()))] = result["value"][1]
    return found


def healthy(prometheus):
    targets = prometheus.api("targets", state="active")["activeTargets"]
    assert not [t["lastError"] for t in targets if t["lastError"]]
    return all(t["health"] == "up" for t in targets)


class ExemplarPrometheus(Prometheus):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.argv.append("--enable-feature=exemplar-storage")


@pytest.mark.long
def test_prometheus_has_the_series_of_text(stand, full):
    """It asks the receiver for OpenMetrics, and gets the same as from a target that has the receiver's text."""
    target = stand.target(answer_of(full, TEXT), TEXT)
    prometheus = ExemplarPrometheus(stand, [full.address, target.instance]).start()
    eventually(lambda: healthy(prometheus) and len(stored(prometheus, target.instance)) > 30 and stored(prometheus, full.address), 30)
    assert stored(prometheus, full.address) == stored(prometheus, target.instance)
    # That it was OpenMetrics nothing shows as well as what text has not.
    exemplars = prometheus.api("query_exemplars", query="jobs_total", start=1600000000, end=1800000000)
    assert exemplars[0]["exemplars"][0]["labels"] == {"trace_id": "abc"}
    kinds = prometheus.api("metadata", metric="mode")
    assert sorted(k["type"] for k in kinds["mode"]) == ["gauge", "stateset"]  # in no order of its own


@pytest.mark.long
def test_prometheus_with_native_histograms(stand, full):
    message = field(1, field(1, b"a") + field(2, b"b")) + field(7, native(12, [(-2, 1), (0, 0), (5, 3)], [3, -1, 2, -4]))
    answer = full.push(delimited("h", 4, message), headers={"Content-Type": PROTOBUF})
    assert answer.code == 200, answer
    target = stand.target(answer_of(full, TEXT), TEXT)
    prometheus = NativePrometheus(stand, [full.address, target.instance]).start()
    eventually(lambda: healthy(prometheus) and len(stored(prometheus, target.instance, False)) > 30 and stored(prometheus, full.address), 30)
    assert prometheus.query('histogram_count(h{instance="%s"})' % full.address)[0][1] == 12
    assert prometheus.query('histogram_sum(h{instance="%s"})' % full.address)[0][1] == 4.5
    result, = prometheus.api("query", query='h{instance="%s"}' % full.address)["result"]
    theirs = sorted((float(low), float(high), float(count)) for _, low, high, count in result["histogram"][1]["buckets"])
    ours = [e["native"] for e in events("protobuf", answer_of(full, PROTOBUF)) if e.get("part") == "native"]
    assert len(ours) == 1 and len(theirs) == 5
    for bucket, other in zip(ranges(ours[0]), theirs):
        assert bucket == pytest.approx(other, rel=1e-12)
    # All others are those of text; the native one stands for its classic parts.
    text = {k: v for k, v in stored(prometheus, target.instance, False).items() if dict(k)["__name__"] not in ("h_bucket", "h_sum", "h_count")}
    assert stored(prometheus, full.address, False) == text
    # Pushed again it is added, like every histogram.
    assert full.push(delimited("h", 4, message), headers={"Content-Type": PROTOBUF}).code == 200
    eventually(lambda: prometheus.query('histogram_count(h{instance="%s"})' % full.address)[0][1] == 24, 20)


def test_parts_of_an_answer_end_as_their_format(full):
    for path, lines in (("/metrics?name[]=jobs_total", ["# TYPE jobs_total unknown"]), ("/metrics?name[]=nothing", [])):
        answer = full.get(path, headers={"Accept": OPENMETRICS})
        assert answer.text.endswith("# EOF\n")
        assert [x for x in answer.text.splitlines() if x.startswith("# TYPE")] == lines
    answer = full.get("/metrics?match[]=wait_seconds_bucket", headers={"Accept": OPENMETRICS})
    events("openmetrics", answer.body)
    assert "# TYPE wait_seconds unknown" in answer.text and answer.text.count("wait_seconds_bucket{") == 4
    answer = full.get("/metrics?match[]=wait_seconds_bucket", headers={"Accept": PROTOBUF})
    assert len(series(events("protobuf", answer.body))) == 4
