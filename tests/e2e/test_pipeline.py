# SPDX-License-Identifier: Apache-2.0
"""From a target to a real Prometheus: what arrives, and with which labels."""
import hashlib
import time

import pytest

from harness.expo import Exposition
from harness.stand import jobs_of, promtool_check, stored, up
from harness.wait import SLOW, eventually, holds


def test_promtool_tells_lint_from_errors():
    """The premise of the other tests that call it."""
    assert promtool_check(b"no_help_Upper_total 1\n")
    with pytest.raises(AssertionError):
        promtool_check(b"a 1\na{ 2\n")


@pytest.mark.long
def test_a_query_on_prometheus_returns_what_node_exporter_said(stand):
    nats = stand.nats()
    node = stand.node_exporter()
    receiver = stand.receiver(nats)
    stand.poller(nats, {"node": {"targets": [{"url": node.url + "/metrics", "labels": {"rack": "r1"}}]}}, identity="dc7")
    eventually(lambda: up(receiver, job="node") == 1)
    prometheus = stand.prometheus(receiver.address)
    (labels, value), = eventually(lambda: prometheus.query('node_memory_MemTotal_bytes{job="node"}'), 30)
    assert labels == {"__name__": "node_memory_MemTotal_bytes", "job": "node", "instance": node.instance, "publisher": "dc7",
                      "rack": "r1"}
    assert value == Exposition(node.get("/metrics").text).value("node_memory_MemTotal_bytes")
    assert prometheus.query('up{job="node",publisher="dc7"}')[0][1] == 1
    assert prometheus.target() == ("up", "")
    # Every series that the exporter has is there.
    theirs = {s.name for s in node.metrics().samples}
    ours = {s.name for s in receiver.metrics().find_all(job="node")}
    assert theirs <= ours | {n for n in theirs if n.startswith("promhttp_")}
    lint = promtool_check(receiver.get("/metrics").body)
    assert not [line for line in lint.splitlines() if line.startswith("gravel_")], lint


def test_groups_have_job_instance_publisher_and_freshness(stand):
    nats = stand.nats()
    target = stand.target(body="# HELP a Help.\n# TYPE a gauge\na{b=\"c\"} 5\n")
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(t=target))
    eventually(lambda: up(receiver, instance="t") == 1)
    served = receiver.metrics()
    assert served.find("a")[0].labels == {"b": "c", "job": "j", "instance": "t", "publisher": "dc1"}
    assert served.helps["a"] == "Help." and served.types["a"] == "gauge"
    assert served.types["up"] == "gauge"
    assert 0 < served.value("scrape_duration_seconds", instance="t") < 1 * SLOW
    where = {"job": "j", "instance": "t", "publisher": "dc1"}
    assert abs(served.value("gravel_scrape_timestamp_seconds", **where) - time.time()) < 10 * SLOW
    assert 0 <= served.value("gravel_scrape_age_seconds", **where) < 10 * SLOW
    assert abs(served.value("gravel_publisher_last_seen_timestamp_seconds", publisher="dc1") - time.time()) < 10 * SLOW
    assert 0 <= served.value("gravel_publisher_lag_seconds", publisher="dc1") < 5 * SLOW
    assert abs(served.value("gravel_publisher_clock_skew_seconds", publisher="dc1")) < 2 * SLOW
    # The target and the poller's own job.
    eventually(lambda: receiver.own().value("gravel_groups", state="fresh") == 2)


def test_publisher_label_can_be_off(stand):
    nats = stand.nats()
    target = stand.target()
    receiver = stand.receiver(nats, receiver={"publisher_label": False})
    stand.poller(nats, jobs_of(t=target))
    eventually(lambda: up(receiver, instance="t") == 1)
    assert receiver.metrics().find("up_and_well")[0].labels == {"job": "j", "instance": "t"}


def test_the_poller_publishes_its_own_metrics_as_the_ancestor_does(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(t=stand.target()), identity="dc9")
    eventually(lambda: up(receiver, job="prometheus_streams", publisher="dc9") == 1)
    assert receiver.metrics().find("gravel_scrapes_total", job="prometheus_streams", publisher="dc9")


def test_a_new_scrape_replaces_the_group(stand):
    nats = stand.nats()
    target = stand.target(body="old 1\nboth 1\n")
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(t=target))
    eventually(lambda: receiver.metrics().find("old"))
    target.body = "# TYPE both counter\nboth 2\nnew 1\n"
    eventually(lambda: receiver.metrics().find("new"))
    served = receiver.metrics()
    assert served.find("old") == []
    assert served.value("both") == 2  # not 3: a scraped counter replaces


@pytest.mark.parametrize("honor,expected", [
    (False, {"job": "j", "instance": "t", "publisher": "dc1", "exported_job": "own", "exported_instance": "mine"}),
    (True, {"job": "own", "instance": "mine", "publisher": "dc1"}),
])
def test_honor_labels(stand, honor, expected):
    nats = stand.nats()
    target = stand.target(body='a{job="own",instance="mine"} 1\n')
    receiver = stand.receiver(nats)
    job = dict(jobs_of(t=target)["j"], honor_labels=honor)
    stand.poller(nats, {"j": job})
    eventually(lambda: receiver.metrics().find("a"))
    assert receiver.metrics().find("a")[0].labels == expected


def test_clearmode_rules_of_a_job(stand):
    nats = stand.nats()
    target = stand.target(body="# TYPE events counter\nevents 1\n# TYPE other counter\nother 1\n")
    receiver = stand.receiver(nats)
    job = dict(jobs_of(t=target)["j"], clearmodes={"eve.*": "aggregate"})
    stand.poller(nats, {"j": job})
    eventually(lambda: receiver.metrics().value("events", instance="t") >= 3)
    assert receiver.metrics().value("other", instance="t") == 1


@pytest.mark.long
def test_two_publishers_of_the_same_target_names_never_mix(stand):
    nats = stand.nats()
    east, west = stand.target(body="# TYPE n gauge\nn 1\n"), stand.target(body="# TYPE n gauge\nn 2\n")
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(same=east), identity="east")
    stand.poller(nats, jobs_of(same=west), identity="west")

    def values():
        served = receiver.metrics()
        return {s.labels["publisher"]: s.value for s in served.find("n", instance="same")}
    eventually(lambda: values() == {"east": 1, "west": 2})
    holds(lambda: values() == {"east": 1, "west": 2}, 3)
    west.body = "# TYPE n gauge\nn 3\n"
    eventually(lambda: values() == {"east": 1, "west": 3})


def test_identities_that_are_no_subject_tokens(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats)
    for i, name in enumerate(("a.b", "a b*>", "a_b", "ä")):
        stand.poller(nats, {"job." + name: {"targets": [{"name": name, "url": stand.target(body="n %d\n" % i).url}]}},
                     identity=name)
    eventually(lambda: len(receiver.metrics().find("n")) == 4)
    assert {(s.labels["publisher"], s.labels["instance"], s.labels["job"], s.value)
            for s in receiver.metrics().find("n")} == {
        (name, name, "job." + name, float(i)) for i, name in enumerate(("a.b", "a b*>", "a_b", "ä"))}


@pytest.mark.long
def test_a_body_larger_than_a_message_arrives_whole(stand):
    """About 4 MB that do not compress well enough for one message of 1 MiB."""
    nats = stand.nats()
    lines = ['big{n="%s"} %d\n' % (hashlib.sha256(b"%d" % i).hexdigest(), i) for i in range(40000)]
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(t=stand.target(body="".join(lines)), small=stand.target()), scrape_interval="3s",
                 scrape_timeout="3s")
    eventually(lambda: up(receiver, instance="t") == 1, 30)
    assert len(receiver.metrics().find("big")) == len(lines)
    assert receiver.metrics().value("scrape_samples_scraped", instance="t") == len(lines)
    eventually(lambda: up(receiver, instance="small") == 1, 30)


def test_the_stream_is_made_as_configured(stand):
    nats = stand.nats()
    poller = stand.poller(nats, jobs_of(t=stand.target()), topic="dc1.metrics", stream={"retention": "20m", "storage": "memory"})
    eventually(lambda: poller.own().value("gravel_published_messages_total") >= 1)
    with nats.client() as c:
        config = c.stream("DC1_METRICS")["config"]
    assert config["subjects"] == ["dc1.metrics.scrape.>"]
    assert config["max_age"] == 20 * 60 * 10 ** 9
    assert config["storage"] == "memory"
    assert config["num_replicas"] == 1
    assert config["max_msgs_per_subject"] == 1


def test_what_stands_on_the_wire(stand):
    """The newest scrape of each target alone: our header line, a message id, a body in zstd."""
    nats = stand.nats()
    poller = stand.poller(nats, jobs_of(t=stand.target(body="".join("n%d 1\n" % i for i in range(100)))))
    eventually(lambda: poller.own().value("gravel_published_messages_total") >= 5)
    subject, header, data = stored(nats, ".j.t.")
    assert subject.startswith("prometheus.scrape.dc1.j.t.")
    assert b"\r\nGravel: v=1 k=s t=" in header and b"\r\nNats-Msg-Id:" in header
    assert data.startswith(b"\x28\xb5\x2f\xfd")
    with nats.client() as c:
        assert set(c.stream("PROMETHEUS")["state"]["subjects"].values()) == {1}


def test_two_topics_on_one_server_do_not_meet(stand):
    nats = stand.nats()
    one = stand.receiver(nats, topic="one")
    two = stand.receiver(nats, topic="two")
    stand.poller(nats, jobs_of(a=stand.target()), topic="one")
    stand.poller(nats, jobs_of(b=stand.target()), topic="two")
    eventually(lambda: up(one, job="j") == 1)
    eventually(lambda: up(two, job="j") == 1)
    assert one.metrics().find("up", instance="b") == [] and two.metrics().find("up", instance="a") == []


def test_two_receivers_serve_the_same(stand):
    nats = stand.nats()
    target = stand.target(body="a 1\nb 2\n")
    poller = stand.poller(nats, jobs_of(t=target))
    receivers = [stand.receiver(nats) for _ in range(2)]
    for receiver in receivers:
        eventually(lambda: up(receiver, instance="t") == 1)
        eventually(lambda: up(receiver, job="prometheus_streams") == 1)
    poller.stop()
    eventually(lambda: receivers[0].served() == receivers[1].served())
