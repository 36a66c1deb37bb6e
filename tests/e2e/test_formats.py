# SPDX-License-Identifier: Apache-2.0
"""Every exposition format through both programs: what a target answers, what is pushed, what Prometheus gets."""
import pytest

from harness.expo import Exposition
from harness.http import curl, request
from harness.stand import jobs_of, up
from harness.wait import eventually

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

# As the Python client writes it: everything that text has not.
BODY = """\
# HELP jobs Done.
# TYPE jobs counter
jobs_total{queue="a"} 17.0 # {trace_id="abc"} 1.0 1700000000.123
jobs_created{queue="a"} 1.7000000001e+09
# TYPE build info
build_info{version="1.2"} 1.0
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{le="0.5"} 3.0
wait_seconds_bucket{le="+Inf"} 4.0
wait_seconds_count 4.0
wait_seconds_sum 2.5
# TYPE temperature gauge
temperature 21.5 1700000000.25
# EOF
"""

TEXT = {
    "# HELP jobs_total Done.\n# TYPE jobs_total counter\njobs_total{queue=\"a\"} 17\n",
    "# TYPE jobs_created gauge\njobs_created{queue=\"a\"} 1.7000000001e+09\n",
    "# TYPE build_info gauge\nbuild_info{version=\"1.2\"} 1\n",
    "# TYPE wait_seconds histogram\nwait_seconds_bucket{le=\"0.5\"} 3\nwait_seconds_bucket{le=\"+Inf\"} 4\n"
    "wait_seconds_sum 2.5\nwait_seconds_count 4\n",
    "# TYPE temperature gauge\ntemperature 21.5\n",
}


def test_a_target_that_speaks_only_openmetrics(stand):
    nats = stand.nats()
    target = stand.target(body=BODY, content_type=OPENMETRICS)
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(t=target))
    eventually(lambda: up(receiver, instance="t") == 1)
    served = receiver.metrics()
    assert served.value("jobs_total", instance="t") == 17
    assert served.types["jobs_total"] == "counter" and served.helps["jobs_total"] == "Done."
    assert served.value("jobs_created", instance="t") == 1700000000.1
    assert served.value("build_info", instance="t", version="1.2") == 1
    assert served.value("wait_seconds_bucket", instance="t", le="0.5") == 3
    assert served.value("temperature", instance="t") == 21.5
    assert served.value("scrape_samples_scraped", instance="t") == 8


def test_openmetrics_of_a_target_is_read_strictly(stand):
    nats = stand.nats()
    target = stand.target(body="# TYPE a counter\na 1\n# EOF\n", content_type=OPENMETRICS)
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(t=target))
    eventually(lambda: up(receiver, instance="t") == 0)
    assert receiver.metrics().find("a") == []
    eventually(lambda: "down: parse: 2:1: " in poller.log)


def test_clearmode_rules_in_openmetrics(stand):
    """Only one part of the family gets the label, which no longer is one metric to OpenMetrics."""
    nats = stand.nats()
    target = stand.target(body=BODY, content_type=OPENMETRICS)
    receiver = stand.receiver(nats)
    stand.poller(nats, {"j": dict(jobs_of(t=target)["j"], clearmodes={"jobs_total": "aggregate"})})
    eventually(lambda: receiver.metrics().value("jobs_total", instance="t") >= 34)
    assert receiver.metrics().value("jobs_created", instance="t") == 1700000000.1


def test_a_push_of_openmetrics(gateway):
    gateway.push_ok(BODY, headers={"Content-Type": OPENMETRICS})
    assert gateway.served() == TEXT
    answer = gateway.push(BODY.replace("# EOF\n", ""), headers={"Content-Type": OPENMETRICS})
    assert answer.code == 400 and "# EOF" in answer.text
    # The same bytes as text: a float is no timestamp there.
    answer = gateway.push(BODY)
    assert answer.code == 400 and answer.text.startswith("14:")
    assert gateway.served() == TEXT


def test_openmetrics_by_curl(gateway):
    assert curl("--data-binary", "@-", "-H", "Content-Type: application/openmetrics-text", gateway.url + "/metrics",
                stdin=b"# TYPE n counter\nn_total 3\n# EOF\n") == (200, "")
    assert gateway.served() == {"# TYPE n_total counter\nn_total 3\n"}


def test_a_push_of_what_node_exporter_says_in_protobuf(stand):
    node = stand.node_exporter()
    answer = request(node.url + "/metrics", headers={"Accept": PROTOBUF})
    assert answer.headers["Content-Type"].startswith("application/vnd.google.protobuf")
    receiver = stand.receiver()
    pushed = receiver.push(answer.body, headers={"Content-Type": answer.headers["Content-Type"]})
    assert pushed.code == 200, pushed
    text = Exposition(node.get("/metrics").text)
    served = receiver.metrics()
    for name in text.types:
        if name.startswith("node_"):
            assert served.types[name] == text.types[name], name
    theirs = {(s.name, tuple(sorted(s.labels.items()))) for s in text.samples if s.name.startswith("node_")}
    ours = {(s.name, tuple(sorted(s.labels.items()))) for s in served.samples if s.name.startswith("node_")}
    assert len(ours) > 300
    assert len(theirs ^ ours) < len(theirs) / 20  # disks and interfaces come and go between two scrapes
    assert served.value("node_memory_MemTotal_bytes") == text.value("node_memory_MemTotal_bytes")
    assert served.value("go_gc_duration_seconds", quantile="0.5") is not None


@pytest.mark.parametrize("content_type", [
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text",
    "application/vnd.google.protobuf; proto=some.other.Message; encoding=delimited",
])
def test_protobufs_that_are_not_read(gateway, content_type):
    answer = gateway.push(b"\x00", headers={"Content-Type": content_type})
    assert answer.code == 415 and "protobuf" in answer.text
    assert gateway.push(b"\xff\xff", headers={"Content-Type": PROTOBUF}).code == 400
    assert gateway.served() == set()


@pytest.mark.long
def test_utf8_names_reach_a_prometheus_that_knows_none(stand):
    nats = stand.nats()
    target = stand.target(body='# TYPE "http.requests" counter\n{"http.requests","service.name"="shop"} 5\n',
                          content_type="text/plain; version=1.0.0; escaping=allow-utf-8")
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(t=target))
    eventually(lambda: up(receiver, instance="t") == 1)
    prometheus = stand.prometheus(receiver.address)
    (labels, value), = eventually(lambda: prometheus.query("U__http_2e_requests"), 30)
    assert value == 5 and labels["U__service_2e_name"] == "shop"
    assert prometheus.target() == ("up", "")
    answer = receiver.get("/metrics", headers={"Accept": "text/plain;version=1.0.0;escaping=allow-utf-8"})
    assert "version=1.0.0" in answer.headers["Content-Type"] and "escaping=allow-utf-8" in answer.headers["Content-Type"]
    assert '# TYPE "http.requests" counter\n{"http.requests",' in answer.text
    assert '"service.name"="shop"' in answer.text
    for name in ("http.requests", "U__http_2e_requests"):
        assert "U__http_2e_requests{" in receiver.get("/metrics?name[]=" + name).text
