# SPDX-License-Identifier: Apache-2.0
"""Targets that misbehave, and messages on our subjects that are not ours: counted, and without effect on the others."""
import json
import re
import time

import pytest

from harness.stand import free_port, jobs_of, promtool_check, stored, up
from harness.wait import SLOW, eventually


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
    eventually(lambda: poller.own().value("gravel_scrape_failures_total", reason="resolve") >= 1)
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
    failures = {s.labels["reason"] for s in poller.own().find("gravel_scrape_failures_total") if s.value}
    assert failures == {reason}
    served = receiver.metrics()
    assert {s.labels["instance"] for s in served.find("good_total")} == {"good"}
    assert served.find_all(instance=paths[0], job="j"), "the failure itself is served"


@pytest.mark.long
def test_all_faults_at_once_leave_the_others_alone(stand):
    nats = stand.nats()
    faults = stand.fault_server()
    receiver = stand.receiver(nats)
    good = ["good", "gzip", "chunked", "http10", "redirect", "big", "slow-good"]
    bad = ["html", "half-line", "500", "204", "endless-500", "redirect-loop", "redirect-file", "endless", "endless-headers", "bomb",
           "claims-4gb", "hang", "close", "reset", "truncated", "trickle", "trickle-headers", "bad-gzip", "short-gzip",
           "unknown-encoding", "not-http"]
    poller = stand.poller(nats, {"j": {"targets": [{"name": p, "url": "%s/%s" % (faults.url, p)} for p in good + bad]}},
                          scrape_body_limit=1000000, scrape_interval="2s", scrape_timeout="1500ms")

    def ups():
        return {s.labels["instance"]: s.value for s in receiver.metrics().find("up", job="j")}
    wanted = dict({p: 1 for p in good}, **{p: 0 for p in bad})
    eventually(lambda: len(ups()) == len(wanted), 30)
    eventually(lambda: ups() == wanted, 30)
    assert poller.own().value("process_resident_memory_bytes") < 400e6 * SLOW


@pytest.mark.parametrize("body", [
    "<!DOCTYPE html><html><body>Welcome</body></html>\n", "a 1\nb{c=", "a 1\na 2 3 4\n", "\x00\x01\x02",
])
def test_what_is_no_exposition_is_up_0(stand, body):
    nats = stand.nats()
    bad, good = stand.target(body=body), stand.target()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(bad=bad, good=good))
    eventually(lambda: up(receiver, instance="bad") == 0)
    eventually(lambda: up(receiver, instance="good") == 1)
    assert poller.own().value("gravel_scrape_failures_total", reason="parse") >= 1
    assert receiver.metrics().find("a") == []


@pytest.mark.long
def test_a_target_cannot_break_the_exposition(stand):
    """Duplicates inside a body, split families and types that disagree between targets."""
    nats = stand.nats()
    one = stand.target(body="# TYPE a counter\na{x=\"1\"} 1\nb 1\na{x=\"2\"} 1\n")
    two = stand.target(body="# TYPE a gauge\na{x=\"1\"} 1\nup 77\ngravel_groups 5\n")
    receiver = stand.receiver(nats)
    prometheus = stand.prometheus(receiver.address)
    stand.poller(nats, jobs_of(one=one, two=two))
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


def test_junk_on_the_subject_is_counted_and_skipped(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    dropped = receiver.own().total("gravel_dropped_scrapes_total")
    sent = 0
    with nats.client() as c:
        for subject in ("prometheus.scrape.x", "prometheus.scrape.a.b.c.0", "prometheus.scrape.a.b.c.zz",
                        "prometheus.scrape.a.b.c.0.1", "prometheus.scrape.=ZZ.b.c.0"):
            for _, data, headers in JUNK:
                c.publish(subject, data, headers)
                sent += 1
    eventually(lambda: receiver.own().total("gravel_dropped_scrapes_total") >= dropped + sent)
    served = receiver.metrics()
    assert served.find("a") == []
    assert all(s.labels["reason"] for s in served.find("gravel_dropped_scrapes_total"))
    scraped = served.value("gravel_applied_scrapes_total")
    eventually(lambda: receiver.own().value("gravel_applied_scrapes_total") >= scraped + 2)


def test_damaged_scrapes_are_counted_and_skipped(stand):
    """Our own message, truncated, and with a header that claims 4 GB."""
    nats = stand.nats()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(t=stand.target(body="".join("n%d 1\n" % i for i in range(200)))))
    eventually(lambda: up(receiver, instance="t") == 1)
    poller.kill9()
    subject, header, data = stored(nats, ".j.t.")
    # Its Nats-Msg-Id would make JetStream take a copy for a repetition.
    header = re.sub(rb"Nats-Msg-Id:[^\r]*\r\n", b"", header)
    line = re.search(rb"Gravel:\s*([^\r]*)\r\n", header).group(1)
    before = receiver.own()
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
    eventually(lambda: receiver.own().total("gravel_dropped_scrapes_total") >= dropped + len(cases) - 1)
    assert receiver.own().value("process_resident_memory_bytes") < memory + 100e6
    assert len([s for s in receiver.metrics().samples if s.name.startswith("n1")]) == 111
    poller.start()
    eventually(lambda: up(receiver, instance="t") == 1)


def test_repeated_and_older_scrapes_are_dropped(stand):
    """What JetStream's own window does not catch: the same scrape again, and one from before it."""
    nats = stand.nats()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    poller.kill9()
    subject, header, data = stored(nats, ".j.t.")
    header = re.sub(rb"Nats-Msg-Id:[^\r]*\r\n", b"", header)
    older = re.sub(rb"\bt=(\d+)", lambda m: b"t=%d" % (int(m.group(1)) - 500), header, count=1)
    applied = eventually(lambda: receiver.own().value("gravel_applied_scrapes_total"))
    dropped = receiver.own().total("gravel_dropped_scrapes_total")
    time.sleep(0.2)  # what was under way when the poller died
    applied = receiver.own().value("gravel_applied_scrapes_total")
    with nats.client() as c:
        c.publish(subject, data, header)
        c.publish(subject, data, older)
    eventually(lambda: receiver.own().total("gravel_dropped_scrapes_total") == dropped + 2)
    assert receiver.own().value("gravel_applied_scrapes_total") == applied


def test_a_stranger_subject_does_not_break_the_stream(stand):
    """A stream of that name exists already with other settings: a warning names the setting, and all works."""
    nats = stand.nats()
    with nats.client() as c:
        answer = c.request("$JS.API.STREAM.CREATE.PROMETHEUS", json.dumps({
            "name": "PROMETHEUS", "subjects": ["prometheus.scrape.>"], "retention": "limits", "storage": "memory",
            "max_age": 60 * 10 ** 9, "num_replicas": 1, "max_msgs_per_subject": 5, "discard": "old", "max_consumers": -1,
            "max_msgs": -1, "max_bytes": -1}).encode())
        assert "error" not in answer, answer
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    said = poller.log + receiver.log
    assert "storage" in said, said
    with nats.client() as c:
        assert c.stream("PROMETHEUS")["config"]["storage"] == "memory"
