# SPDX-License-Identifier: Apache-2.0
"""One regression test for each failure found in Gravel Gateway 1.7.1 and prometheus-streams 1.0.0: it is not ours.

Their failures in authentication and clustering have no tests here, because we have neither yet.
"""
import time

import pytest

from harness.expo import check_histogram
from harness.http import request
from harness.stand import promtool_check
from harness.wait import SLOW, eventually


# --- Gravel Gateway ---

def test_a_failed_push_leaves_nothing_and_its_retry_counts_once(gateway):
    good = "# TYPE a counter\na 1\n# TYPE b counter\nb 1\n"
    assert gateway.push(good + "c{ 1\n").code == 400
    gateway.push_ok(good)
    assert gateway.served() == {"# TYPE a counter\na 1\n", "# TYPE b counter\nb 1\n"}


def test_a_push_that_fails_late_leaves_nothing(gateway):
    """What fails is not the syntax but the state: the last family conflicts with the stored type."""
    gateway.push_ok("# TYPE z gauge\nz 1\n")
    assert gateway.push("# TYPE a counter\na 1\n# TYPE z counter\nz 1\n").code == 400
    assert gateway.served() == {"# TYPE z gauge\nz 1\n"}


@pytest.mark.long
def test_pebbles_expire_under_steady_traffic(gateway):
    body = '# TYPE s counter\ns{clearmode="sum2s"} 1\n'
    end = time.monotonic() + 6
    pushed = 0
    while time.monotonic() < end:
        gateway.push_ok(body)
        pushed += 1
        time.sleep(0.25)
    assert pushed >= 8
    value = gateway.metrics().value("s")
    assert 1 <= value <= 10, "%d of %d pushes are in a window of two seconds" % (value, pushed)


def test_summaries_merge(gateway):
    body = '# TYPE s summary\ns{quantile="0.9"} %d\ns_sum 10\ns_count 2\n'
    gateway.push_ok(body % 4)
    gateway.push_ok(body % 6)
    served = gateway.metrics()
    assert (served.value("s_sum"), served.value("s_count"), served.value("s", quantile="0.9")) == (20, 4, 6)


def test_prometheus_own_metrics_can_be_pushed_twice(stand, gateway):
    prometheus = stand.prometheus(gateway.address)
    body = prometheus.get("/metrics").body
    for _ in range(2):
        answer = gateway.push(body, "/job/prometheus")
        assert answer.code == 200, answer
    once = {s.name: s.value for s in prometheus.metrics().samples if not s.labels}
    served = gateway.metrics()
    assert served.value("go_gc_duration_seconds_count", job="prometheus") % 2 == 0
    assert served.value("prometheus_tsdb_head_max_time", job="prometheus") is not None
    assert served.types["prometheus_http_request_duration_seconds"] == "histogram"
    assert served.value("prometheus_build_info", job="prometheus") == 1
    assert len(once) > 100


def test_histograms_with_different_buckets_stay_cumulative(gateway):
    gateway.push_ok('# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="10"} 4\nh_bucket{le="+Inf"} 5\nh_sum 30\nh_count 5\n')
    gateway.push_ok('# TYPE h histogram\nh_bucket{le="5"} 2\nh_bucket{le="+Inf"} 3\nh_sum 12\nh_count 3\n')
    served = gateway.metrics()
    buckets = check_histogram(served, "h")
    assert buckets == {1: 1, 5: 3, 10: 6, float("inf"): 8}
    assert served.value("h_sum") == 42


def test_exemplars_do_not_break_the_exposition(gateway):
    gateway.push_ok("before 1\n")
    for body in ('# TYPE a counter\na_total 1 # {trace_id="x"} 1 1600000000.123\n',
                 '# TYPE h histogram\nh_bucket{le="1"} 1 # {trace_id="y"} 0.5\nh_bucket{le="+Inf"} 1\nh_sum 0.5\nh_count 1\n'):
        for headers in ({}, {"Content-Type": "application/openmetrics-text; version=1.0.0"}):
            assert gateway.push(body, headers=headers).code in (200, 400)
            text = gateway.get("/metrics").body
            gateway.metrics()
            promtool_check(text)
    assert gateway.metrics().value("before") == 1


def test_ten_thousand_series_in_a_family(gateway):
    body = "# TYPE big counter\n" + "".join('big{n="%d"} 1\n' % i for i in range(10000))
    start = time.monotonic()
    for _ in range(3):
        gateway.push_ok(body)
    seconds = time.monotonic() - start
    print("3 pushes of 10,000 series: %.3f s" % seconds)
    assert seconds < 10 * SLOW
    served = gateway.metrics()
    assert len(served.find("big")) == 10000
    assert served.value("big", n="9999") == 3


def test_a_typo_in_clearmode_is_an_error_not_the_default(gateway):
    assert gateway.push('# TYPE a gauge\na{clearmode="agregate"} 1\n').code == 400
    assert gateway.served() == set()


@pytest.mark.parametrize("body,name,labels,value", [
    ("# TYPE a untyped\na 1\n", "a", {}, 1),
    ("# TYPE Upper_Case counter\nUpper_Case 1\n", "Upper_Case", {}, 1),
    ('a{b="1", c="2"} 1\n', "a", {"b": "1", "c": "2"}, 1),
    ('a { b = "1" , c="2" , } 1\n', "a", {"b": "1", "c": "2"}, 1),
    ("a\t{b=\"1\"}\t1\n", "a", {"b": "1"}, 1),
    ("#\tTYPE\ta\tgauge\na\t1\n", "a", {}, 1),
    ("# TYPE a gauge\na Inf\n", "a", {}, float("inf")),
    ("# TYPE a gauge\na +Inf\n", "a", {}, float("inf")),
    ("# TYPE a gauge\na -Inf\n", "a", {}, float("-inf")),
    ("# TYPE a gauge\na 1e3\n", "a", {}, 1000),
    ("a:b:c 1\n", "a:b:c", {}, 1),
    ("# a comment\n\n#\n#another\na 1\n", "a", {}, 1),
    ("a 1", "a", {}, 1),
])
def test_what_prometheus_accepts_is_accepted(gateway, body, name, labels, value):
    gateway.push_ok(body)
    sample, = gateway.metrics().find(name)
    assert sample.labels == labels
    assert sample.value == value


def test_nan_is_accepted(gateway):
    gateway.push_ok("# TYPE a gauge\na NaN\n")
    assert gateway.metrics().find("a")[0].text == "NaN"


# --- prometheus-streams ---

def test_scrapes_are_spread_over_the_interval(stand):
    nats = stand.nats()
    targets = [stand.target() for _ in range(8)]
    stand.poller(nats, {"spread": {"targets": [{"name": "t%d" % i, "url": t.url} for i, t in enumerate(targets)]}},
                 scrape_interval="2s")
    eventually(lambda: all(len(t.seen) >= 2 for t in targets), 15)
    phases = sorted(t.seen[1][0] % 2 for t in targets)
    gaps = [b - a for a, b in zip(phases, phases[1:] + [phases[0] + 2])]
    # Eight points of a circle of two seconds. All at once would leave one gap of two seconds.
    assert max(gaps) < 1.7, phases


def test_the_requests_say_what_they_want(stand):
    target = stand.target()
    stand.poller(stand.nats(), {"j": {"targets": [{"url": target.url}]}}, scrape_timeout="500ms")
    headers = eventually(lambda: target.seen)[0][1]
    assert "text/plain" in headers["Accept"] and "version=0.0.4" in headers["Accept"]
    assert "gzip" in headers["Accept-Encoding"]
    assert float(headers["X-Prometheus-Scrape-Timeout-Seconds"]) == 0.5
    assert "gravel" in headers["User-Agent"].lower()


def test_a_failed_scrape_is_published_as_up_0(stand):
    nats = stand.nats()
    good, bad = stand.target(), stand.target(code=500)
    receiver = stand.receiver(nats)
    stand.poller(nats, {"j": {"targets": [{"name": "good", "url": good.url}, {"name": "bad", "url": bad.url}]}})
    eventually(lambda: receiver.metrics().value("up", instance="bad") == 0)
    eventually(lambda: receiver.metrics().value("up", instance="good") == 1)
    served = receiver.metrics()
    assert served.find("up_and_well", instance="bad") == []
    for name in ("scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
                 "scrape_series_added"):
        assert served.find(name, instance="bad", job="j", publisher="dc1"), name
        assert served.find(name, instance="good", job="j", publisher="dc1"), name
    assert served.value("scrape_samples_scraped", instance="good") == 1
    assert served.value("scrape_samples_scraped", instance="bad") == 0


def test_the_timeout_is_not_the_interval(stand):
    nats = stand.nats()
    faults = stand.fault_server()
    receiver = stand.receiver(nats)
    stand.poller(nats, {"j": {"scrape_interval": "3s", "scrape_timeout": "300ms",
                              "targets": [{"name": "hang", "url": faults.url + "/hang"}]}})
    eventually(lambda: receiver.metrics().value("up", instance="hang") == 0)
    assert 0.3 <= receiver.metrics().value("scrape_duration_seconds", instance="hang") < 1.5 * SLOW


def test_a_large_body_is_cut_off(stand):
    nats = stand.nats()
    large = stand.target(body="".join('big{n="%d"} 1\n' % i for i in range(5000)))
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, {"j": {"targets": [{"name": "large", "url": large.url}]}}, scrape_body_limit=10000)
    eventually(lambda: receiver.metrics().value("up", instance="large") == 0)
    assert receiver.metrics().find("big") == []
    assert poller.own().value("gravel_scrape_failures_total", reason="body_limit") >= 1


def test_both_survive_the_loss_of_nats(stand):
    nats = stand.nats()
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, {"j": {"targets": [{"name": "t", "url": target.url}]}})
    eventually(lambda: receiver.metrics().value("n", instance="t") == 1)
    nats.kill9()
    eventually(lambda: receiver.own().value("gravel_nats_connected") == 0)
    eventually(lambda: poller.own().value("gravel_nats_connected") == 0)
    scrapes = poller.own().value("gravel_scrapes_total")
    target.body = "# TYPE n gauge\nn 2\n"
    eventually(lambda: poller.own().value("gravel_scrapes_total") >= scrapes + 3)
    assert poller.own().value("gravel_publish_replaced_total") >= 1
    assert receiver.get("/metrics").code == 200
    nats.start()
    eventually(lambda: receiver.metrics().value("n", instance="t") == 2, 20)
    assert poller.alive() and receiver.alive()


@pytest.mark.long
def test_the_wire_is_far_below_25_bytes_a_sample(stand):
    nats = stand.nats()
    node = stand.node_exporter()
    receiver = stand.receiver(nats)
    stand.poller(nats, {"node": {"targets": [{"url": node.url + "/metrics"}]}})
    # Past the self-job, whose first body is small.
    eventually(lambda: receiver.own().value("gravel_applied_samples_total", source="scrape") > 3000, 30)
    served = receiver.metrics()
    ratio = served.value("gravel_received_bytes_total") / served.value("gravel_applied_samples_total", source="scrape")
    print("%.1f bytes a sample" % ratio)
    assert ratio < 25


def test_nothing_is_lost_while_the_receiver_stands_still(stand):
    """The ancestor's receiver acknowledged what it had not delivered."""
    nats = stand.nats()
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    receiver = stand.receiver(nats, max_age="1m")
    poller = stand.poller(nats, {"j": {"targets": [{"name": "t", "url": target.url}]}})
    eventually(lambda: receiver.metrics().value("n", instance="t") == 1)
    receiver.kill9()
    target.body = "# TYPE n gauge\nn 2\n"
    published = poller.own().value("gravel_published_messages_total")
    eventually(lambda: poller.own().value("gravel_published_messages_total") >= published + 4)
    poller.stop()
    receiver.start()
    eventually(lambda: receiver.metrics().value("n", instance="t") == 2)


def test_a_200_is_a_success(gateway):
    assert request(gateway.url + "/metrics/job/x", "PUT", "a 1\n").code == 200
    assert gateway.own().value("gravel_pushes_total", code="200") == 1
