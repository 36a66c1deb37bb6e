# SPDX-License-Identifier: Apache-2.0
"""From a target to a real Prometheus, and what each death on the way ends in."""
import signal
import subprocess
import time

import pytest

from harness.expo import Exposition
from harness.stand import free_port, peer
from harness.wait import SLOW, eventually, holds


def jobs(**targets):
    """One job of these targets, by name."""
    return {"j": {"targets": [{"name": n, "url": t.url} for n, t in targets.items()]}}


def up(receiver, **labels):
    return receiver.metrics().value("up", **labels)


def promtool_check(body):
    """promtool exits 3 for lint alone (names, missing help): only what does not parse is 1."""
    done = subprocess.run([peer("GRAVEL_PROMTOOL"), "check", "metrics"], input=body, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    assert done.returncode in (0, 3), done.stderr.decode()
    return done.stderr.decode()


def test_promtool_tells_lint_from_errors():
    """The premise of the other tests that call it."""
    assert promtool_check(b"no_help_Upper_total 1\n")
    with pytest.raises(AssertionError):
        promtool_check(b"a 1\na{ 2\n")


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
    stand.poller(nats, jobs(t=target))
    eventually(lambda: up(receiver, instance="t") == 1)
    served = receiver.metrics()
    assert served.find("a")[0].labels == {"b": "c", "job": "j", "instance": "t", "publisher": "dc1"}
    assert served.helps["a"] == "Help." and served.types["a"] == "gauge"
    assert served.types["up"] == "gauge"
    assert 0 < served.value("scrape_duration_seconds", instance="t") < 1


def test_publisher_label_can_be_off(stand):
    nats = stand.nats()
    target = stand.target()
    receiver = stand.receiver(nats, receiver={"publisher_label": False})
    stand.poller(nats, jobs(t=target))
    eventually(lambda: up(receiver, instance="t") == 1)
    assert receiver.metrics().find("up_and_well")[0].labels == {"job": "j", "instance": "t"}


def test_the_poller_publishes_its_own_metrics_as_the_ancestor_does(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs(t=stand.target()), identity="dc9")
    eventually(lambda: up(receiver, job="prometheus_streams", publisher="dc9") == 1)
    assert receiver.metrics().find("gravel_scrapes_total", job="prometheus_streams", publisher="dc9")


def test_a_new_scrape_replaces_the_group(stand):
    nats = stand.nats()
    target = stand.target(body="old 1\nboth 1\n")
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs(t=target))
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
    job = dict(jobs(t=target)["j"], honor_labels=honor)
    stand.poller(nats, {"j": job})
    eventually(lambda: receiver.metrics().find("a"))
    assert receiver.metrics().find("a")[0].labels == expected


def test_clearmode_rules_of_a_job(stand):
    nats = stand.nats()
    target = stand.target(body="# TYPE events counter\nevents 1\n# TYPE other counter\nother 1\n")
    receiver = stand.receiver(nats)
    job = dict(jobs(t=target)["j"], clearmodes=[{"metric": "eve.*", "clearmode": "aggregate"}])
    stand.poller(nats, {"j": job})
    eventually(lambda: receiver.metrics().value("events", instance="t") >= 3)
    assert receiver.metrics().value("other", instance="t") == 1


def test_up_follows_the_target(stand):
    nats = stand.nats()
    node = stand.node_exporter()
    receiver = stand.receiver(nats)
    prometheus = stand.prometheus(receiver.address)
    poller = stand.poller(nats, {"node": {"targets": [{"name": "n", "url": node.url + "/metrics"}]}})
    eventually(lambda: prometheus.query('up{instance="n"}')[0][1] == 1, 30)
    node.kill9()
    eventually(lambda: prometheus.query('up{instance="n"}')[0][1] == 0)
    eventually(lambda: not prometheus.query('node_memory_MemTotal_bytes{instance="n"}'))
    assert poller.metrics().value("gravel_scrape_failures_total", reason="connect") >= 1
    node.start()
    eventually(lambda: prometheus.query('up{instance="n"}')[0][1] == 1)
    eventually(lambda: prometheus.query('node_memory_MemTotal_bytes{instance="n"}'))


def test_a_killed_poller_ends_in_absence_and_comes_back(stand):
    nats = stand.nats()
    target = stand.target()
    receiver = stand.receiver(nats, max_age="3s")
    prometheus = stand.prometheus(receiver.address)
    poller = stand.poller(nats, jobs(t=target))
    eventually(lambda: prometheus.query('up_and_well{instance="t"}'), 30)
    poller.kill9()
    eventually(lambda: not receiver.metrics().find("up", instance="t"))
    served = receiver.metrics()
    assert served.find("up_and_well") == []
    assert served.value("gravel_groups", state="stale") >= 1
    eventually(lambda: not prometheus.query('up_and_well{instance="t"}'))
    eventually(lambda: not prometheus.query('up{instance="t"}'))
    poller.start()
    eventually(lambda: prometheus.query('up{instance="t"}')[0][1] == 1)
    eventually(lambda: prometheus.query('up_and_well{instance="t"}'))


def test_a_killed_receiver_serves_every_target_within_a_second_of_its_start(stand):
    nats = stand.nats()
    targets = {"t%d" % i: stand.target() for i in range(20)}
    receiver = stand.receiver(nats)
    # A long interval: what it serves after its start can only come from the stream.
    poller = stand.poller(nats, jobs(**targets), scrape_interval="3s", max_age="1m")

    def all_up():
        return len([s for s in receiver.metrics().find("up", job="j") if s.value == 1]) == len(targets)
    eventually(all_up)
    poller.kill9()
    receiver.kill9()
    start = time.monotonic()
    receiver.spawn()
    eventually(all_up, 10, every=0.01)
    seconds = time.monotonic() - start
    print("every target served %.3f s after the start" % seconds)
    assert seconds < 1.0 * SLOW


def test_a_killed_nats_server_comes_back_and_all_recovers(stand):
    nats = stand.nats()
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    receiver = stand.receiver(nats, max_age="3s")
    prometheus = stand.prometheus(receiver.address)
    poller = stand.poller(nats, jobs(t=target))
    eventually(lambda: prometheus.query('n{instance="t"}'), 30)
    nats.kill9()
    eventually(lambda: not receiver.metrics().find("up", instance="t"), what="the group is stale")
    target.body = "# TYPE n gauge\nn 2\n"
    nats.start()
    eventually(lambda: prometheus.query('n{instance="t"}')[0][1] == 2, 20)
    assert prometheus.query('up{instance="t"}')[0][1] == 1
    assert poller.alive() and receiver.alive()
    for program in (poller, receiver):
        assert program.metrics("/telemetry" if program is receiver else "/metrics").value("gravel_nats_connects_total") >= 2


def test_a_lost_stream_is_made_anew(stand):
    """The store of nats-server is lost with it: both begin again on an empty one."""
    nats = stand.nats()
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs(t=target))
    eventually(lambda: receiver.metrics().value("n", instance="t") == 1)
    nats.kill9()
    subprocess.run(["rm", "-rf", str(stand.path / "nats-store")], check=True)
    target.body = "# TYPE n gauge\nn 2\n"
    nats.start()
    eventually(lambda: receiver.metrics().value("n", instance="t") == 2, 20)


def test_all_may_start_before_nats(stand):
    from harness.stand import Nats
    nats = Nats(stand)
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs(t=stand.target()))
    eventually(lambda: poller.metrics().value("gravel_scrapes_total") >= 4)
    for program in (poller, receiver):
        said = [line for line in program.log.splitlines() if "127.0.0.1:%d" % nats.port in line]
        assert 1 <= len(said) <= 3, "the reason once, not once a try:\n" + program.log
    nats.start()
    eventually(lambda: up(receiver, instance="t") == 1, 20)


def test_two_publishers_of_the_same_target_names_never_mix(stand):
    nats = stand.nats()
    east, west = stand.target(body="# TYPE n gauge\nn 1\n"), stand.target(body="# TYPE n gauge\nn 2\n")
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs(same=east), identity="east")
    stand.poller(nats, jobs(same=west), identity="west")

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


def test_what_is_older_than_max_age_is_dropped_and_counted(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats, max_age="3s")
    poller = stand.poller(nats, jobs(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    receiver.kill9()
    poller.kill9()
    time.sleep(4)
    receiver.start()
    dropped = eventually(lambda: receiver.metrics().find("gravel_dropped_scrapes_total", reason="max_age"))
    assert dropped[0].value >= 1
    assert receiver.metrics().find("up") == []
    assert receiver.metrics().find("up_and_well") == []


def test_a_stopped_poller_is_continued(stand):
    """A poller that stood still (a suspended machine) does not make the receiver serve the past."""
    nats = stand.nats()
    receiver = stand.receiver(nats, max_age="3s")
    poller = stand.poller(nats, jobs(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    poller.signal(signal.SIGSTOP)
    eventually(lambda: not receiver.metrics().find("up", instance="t"))
    poller.signal(signal.SIGCONT)
    eventually(lambda: up(receiver, instance="t") == 1)


def test_a_body_larger_than_a_message_arrives_whole(stand):
    """About 4 MB that do not compress well enough for one message of 1 MiB."""
    import hashlib
    nats = stand.nats()
    lines = ['big{n="%s"} %d\n' % (hashlib.sha256(b"%d" % i).hexdigest(), i) for i in range(40000)]
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs(t=stand.target(body="".join(lines)), small=stand.target()), scrape_interval="3s",
                 scrape_timeout="3s")
    eventually(lambda: up(receiver, instance="t") == 1, 30)
    assert len(receiver.metrics().find("big")) == len(lines)
    assert receiver.metrics().value("scrape_samples_scraped", instance="t") == len(lines)
    assert up(receiver, instance="small") == 1


# --- targets that misbehave ---

def test_refused_and_unknown_hosts(stand):
    nats = stand.nats()
    good = stand.target()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, {"j": {"targets": [
        {"name": "good", "url": good.url},
        {"name": "refused", "url": "http://127.0.0.1:%d/metrics" % free_port()},
        {"name": "unknown", "url": "http://no-such-host.invalid/metrics"},
    ]}})
    for name in ("refused", "unknown"):
        eventually(lambda: up(receiver, instance=name) == 0)
    own = poller.metrics()
    assert own.value("gravel_scrape_failures_total", reason="connect") >= 1
    eventually(lambda: poller.metrics().value("gravel_scrape_failures_total", reason="resolve") >= 1)
    eventually(lambda: up(receiver, instance="good") == 1)


@pytest.mark.parametrize("reason,paths", [
    ("parse", ["html", "half-line"]),
    ("status", ["500", "404", "endless-500"]),
    ("redirects", ["redirect-loop"]),
    ("body_limit", ["endless", "bomb"]),
    ("timeout", ["hang", "trickle", "trickle-headers"]),
    ("empty", ["close"]),
    ("truncated", ["truncated"]),
    ("encoding", ["bad-gzip", "unknown-encoding"]),
])
def test_each_way_to_misbehave_has_its_reason(stand, reason, paths):
    nats = stand.nats()
    faults = stand.fault_server()
    receiver = stand.receiver(nats)
    names = dict({"good": "good"}, **{p: p for p in paths})
    poller = stand.poller(nats, {"j": {"targets": [{"name": n, "url": "%s/%s" % (faults.url, p)} for n, p in names.items()]}},
                          scrape_body_limit=1000000)
    for path in paths:
        eventually(lambda: up(receiver, instance=path) == 0, what="up of " + path)
    eventually(lambda: up(receiver, instance="good") == 1)
    failures = {s.labels["reason"] for s in poller.metrics().find("gravel_scrape_failures_total") if s.value}
    assert failures == {reason}
    served = receiver.metrics()
    assert {s.labels["instance"] for s in served.find("good_total")} == {"good"}
    assert served.find_all(instance=paths[0], job="j"), "the failure itself is served"


def test_all_faults_at_once_leave_the_others_alone(stand):
    nats = stand.nats()
    faults = stand.fault_server()
    receiver = stand.receiver(nats)
    good = ["good", "gzip", "chunked", "http10", "redirect", "big", "slow-good"]
    bad = ["html", "half-line", "500", "204", "endless-500", "redirect-loop", "redirect-file", "endless", "endless-headers", "bomb",
           "claims-4gb", "hang", "close", "reset", "truncated", "trickle", "trickle-headers", "bad-gzip", "short-gzip",
           "unknown-encoding", "not-http"]
    poller = stand.poller(nats, {"j": {"targets": [{"name": p, "url": "%s/%s" % (faults.url, p)} for p in good + bad]}},
                          scrape_body_limit=6000000, scrape_interval="2s", scrape_timeout="1500ms")

    def ups():
        return {s.labels["instance"]: s.value for s in receiver.metrics().find("up", job="j")}
    wanted = dict({p: 1 for p in good}, **{p: 0 for p in bad})
    eventually(lambda: len(ups()) == len(wanted), 30)
    eventually(lambda: ups() == wanted, 30)
    assert poller.metrics().value("process_resident_memory_bytes") < 400e6 * SLOW


@pytest.mark.parametrize("body", [
    "<!DOCTYPE html><html><body>Welcome</body></html>\n", "a 1\nb{c=", "a 1\na 2 3 4\n", "\x00\x01\x02",
])
def test_what_is_no_exposition_is_up_0(stand, body):
    nats = stand.nats()
    bad, good = stand.target(body=body), stand.target()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs(bad=bad, good=good))
    eventually(lambda: up(receiver, instance="bad") == 0)
    eventually(lambda: up(receiver, instance="good") == 1)
    assert poller.metrics().value("gravel_scrape_failures_total", reason="parse") >= 1
    assert receiver.metrics().find("a") == []


def test_a_target_cannot_break_the_exposition(stand):
    """Duplicates inside a body, split families and types that disagree between targets."""
    nats = stand.nats()
    one = stand.target(body="# TYPE a counter\na{x=\"1\"} 1\nb 1\na{x=\"2\"} 1\n")
    two = stand.target(body="# TYPE a gauge\na{x=\"1\"} 1\nup 77\ngravel_groups 5\n")
    receiver = stand.receiver(nats)
    prometheus = stand.prometheus(receiver.address)
    stand.poller(nats, jobs(one=one, two=two))
    eventually(lambda: up(receiver, instance="one") == 1)
    eventually(lambda: receiver.metrics().find("a", instance="two"))
    served = receiver.metrics()
    assert served.types["a"] == "untyped"
    assert served.total("gravel_conflicts_total", kind="type") >= 1
    promtool_check(receiver.get("/metrics").body)
    eventually(lambda: prometheus.target() == ("up", ""))
    eventually(lambda: prometheus.query('a{instance="one"}'))


# --- messages that are not ours ---

JUNK = [
    ("nothing", b"", None),
    ("no header", b"a 1\n", None),
    ("other header", b"a 1\n", {"Other": "v=1"}),
    ("empty header", b"a 1\n", {"Gravel": ""}),
    ("later version", b"a 1\n", {"Gravel": "v=9 k=s t=1 p=0/1"}),
    ("later kind", b"a 1\n", {"Gravel": "v=1 k=zz t=1"}),
    ("broken header", b"a 1\n", {"Gravel": "v=1 k=s t=99999999999999999999999999"}),
    ("junk header", b"a 1\n", {"Gravel": "\u00e4\u00f6\u00fc = ; ' \" \\ %s%n"}),
    ("long header", b"a 1\n", {"Gravel": "v=1 k=s " + "x" * 20000}),
    ("binary", bytes(range(256)) * 40, {"Gravel": "v=1 k=s"}),
]


def stored(nats, subject_part):
    """Header and data of the last stored scrape whose subject holds that."""
    import base64
    with nats.client() as c:
        for subject in c.stream("PROMETHEUS")["state"]["subjects"]:
            if subject_part in subject:
                m = c.last_message("PROMETHEUS", subject)
                return subject, base64.b64decode(m["hdrs"]), base64.b64decode(m["data"])
    raise LookupError(subject_part)


def test_junk_on_the_subject_is_counted_and_skipped(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    dropped = receiver.metrics().total("gravel_dropped_scrapes_total")
    sent = 0
    with nats.client() as c:
        for subject in ("prometheus.scrape.x", "prometheus.scrape.a.b.c.0", "prometheus.scrape.a.b.c.zz",
                        "prometheus.scrape.a.b.c.0.1", "prometheus.scrape.=ZZ.b.c.0"):
            for _, data, headers in JUNK:
                c.publish(subject, data, headers)
                sent += 1
    eventually(lambda: receiver.metrics().total("gravel_dropped_scrapes_total") >= dropped + sent)
    served = receiver.metrics()
    assert served.find("a") == []
    assert all(s.labels["reason"] for s in served.find("gravel_dropped_scrapes_total"))
    scraped = served.value("gravel_applied_scrapes_total")
    eventually(lambda: receiver.metrics().value("gravel_applied_scrapes_total") >= scraped + 2)


def test_damaged_scrapes_are_counted_and_skipped(stand):
    """Our own message, truncated, and with a header that claims 4 GB."""
    import re
    nats = stand.nats()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs(t=stand.target(body="".join("n%d 1\n" % i for i in range(200)))))
    eventually(lambda: up(receiver, instance="t") == 1)
    poller.kill9()
    subject, header, data = stored(nats, ".j.t.")
    # Its Nats-Msg-Id would make JetStream take a copy for a repetition.
    header = re.sub(rb"Nats-Msg-Id:[^\r]*\r\n", b"", header)
    line = re.search(rb"Gravel:\s*([^\r]*)\r\n", header).group(1)
    before = receiver.metrics()
    dropped, memory = before.total("gravel_dropped_scrapes_total"), before.value("process_resident_memory_bytes")
    # Later than what is applied, or they would be dropped for their age.
    def later(by):
        return re.sub(rb"\bt=(\d+)", lambda m: b"t=%d" % (int(m.group(1)) + by), header, count=1)
    assert b"t=" in line
    claims = [re.sub(rb"=%d\b" % size, b"=4294967296", later(10))
              for size in (sum(len("n%d 1\n" % i) for i in range(200)),)]
    assert claims[0] != later(10), "the header does not hold the size of the body: %r" % line
    cases = [(later(1), data[:len(data) // 2]), (later(2), data[:1]), (later(3), b""), (later(4), data + b"x"),
             (later(5), b"\x28\xb5\x2f\xfd" + b"\xff" * 50)] + [(c, data) for c in claims]
    with nats.client() as c:
        for head, body in cases:
            c.publish(subject, body, head)
    eventually(lambda: receiver.metrics().total("gravel_dropped_scrapes_total") >= dropped + len(cases) - 1)
    assert receiver.metrics().value("process_resident_memory_bytes") < memory + 100e6
    assert len([s for s in receiver.metrics().samples if s.name.startswith("n1")]) == 111
    poller.start()
    eventually(lambda: up(receiver, instance="t") == 1)


def test_a_stranger_subject_does_not_break_the_stream(stand):
    """A stream of that name exists already with other settings: a warning names the setting, and all works."""
    import json
    nats = stand.nats()
    with nats.client() as c:
        answer = c.request("$JS.API.STREAM.CREATE.PROMETHEUS", json.dumps({
            "name": "PROMETHEUS", "subjects": ["prometheus.scrape.>"], "retention": "limits", "storage": "memory",
            "max_age": 60 * 10 ** 9, "num_replicas": 1, "max_msgs_per_subject": 5, "discard": "old", "max_consumers": -1,
            "max_msgs": -1, "max_bytes": -1}).encode())
        assert "error" not in answer, answer
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    said = poller.log + receiver.log
    assert "storage" in said, said
    with nats.client() as c:
        assert c.stream("PROMETHEUS")["config"]["storage"] == "memory"


def test_sigterm_of_the_poller_flushes(stand):
    nats = stand.nats()
    poller = stand.poller(nats, jobs(**{"t%d" % i: stand.target() for i in range(5)}))
    eventually(lambda: poller.metrics().value("gravel_published_messages_total") >= 5)
    started = time.monotonic()
    assert poller.stop() == 0
    assert time.monotonic() - started < 10 * SLOW
    with nats.client() as c:
        assert c.stream("PROMETHEUS")["state"]["messages"] >= 5


def test_sigterm_while_nats_is_away(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    nats.kill9()
    eventually(lambda: poller.metrics().value("gravel_nats_connected") == 0)
    assert poller.stop() == 0
    assert receiver.stop() == 0
