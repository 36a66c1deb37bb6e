# SPDX-License-Identifier: Apache-2.0
"""A push log in JetStream (docs/LOG.md, "Homes"): receivers that are equal, whatever is killed, stopped, cut off or lost."""
import base64
import concurrent.futures
import gzip
import json
import re
import shutil
import signal
import struct
import time
import uuid

import pytest

from harness.expo import OWN
from harness.http import request
from harness.stand import Child, Nats, Receiver, jobs_of, peer, run
from harness.wait import SLOW, eventually

PUSHES, SNAPSHOTS, SCRAPES = "PROMETHEUS_PUSH", "PROMETHEUS_SNAPSHOT", "PROMETHEUS"
COUNTER = "# TYPE c counter\nc %d\n"
ENDS = 8  # seconds that a SIGTERM may take, in whatever state: one request to NATS, and the close of its connection


def streamed(stand, nats, spawned=False, topic="prometheus", stream=None, receiver=None, **log):
    """A receiver on the stream of pushes; spawned: not waited for."""
    options = dict(receiver or {}, log=dict({"kind": "stream", "snapshot_interval": "1s"}, **log))
    made = Receiver(stand, nats, topic=topic, stream=stream, receiver=options)
    return made.spawn() if spawned else made.start()


def pair(stand, **more):
    nats = stand.nats()
    return nats, streamed(stand, nats, **more), streamed(stand, nats, **more)


def position(receiver):
    return receiver.own().value("gravel_journal_position")


def served(receiver):
    """What it serves byte by byte, but for its own metrics."""
    families = receiver.metrics().blocks
    return "".join("\n".join(lines) + "\n" for family, lines in families.items() if not OWN.match(family))


def level(*receivers):
    """What all of them serve, byte for byte, at the same position."""
    seen = []

    def same():
        seen[:] = [(position(r), served(r)) for r in receivers]
        assert len({p for p, _ in seen}) == 1, [p for p, _ in seen]
        assert len({t for _, t in seen}) == 1, seen
        return True
    eventually(same, what="receivers are equal")
    return seen[0][1]


def value(receiver, name="c", **labels):
    return receiver.metrics().value(name, **labels)


def push(receiver, body, path="", method="POST", headers=None, base="/metrics"):
    return request(receiver.url + base + path, method, body, headers)


def snapshots(receiver):
    return sorted(receiver.folder.glob("snapshot-" + "[0-9]" * 20))


def snapshot(receiver):
    """Until there is a snapshot of all that is applied now; its position."""
    now = position(receiver)
    eventually(lambda: receiver.own().value("gravel_snapshot_position") >= now, what="a snapshot of position %d" % now)
    return int(receiver.own().value("gravel_snapshot_position"))


def api(nats, what, **options):
    with nats.client() as c:
        answer = c.request("$JS.API.STREAM." + what, json.dumps(options).encode() if options else b"")
    assert answer.get("success"), answer


def purge(nats, upto, stream=PUSHES):
    """As time does it: the messages up to this one are gone."""
    api(nats, "PURGE." + stream, seq=int(upto) + 1)


def in_shelf(nats, topic="prometheus"):
    """The position of the newest snapshot in NATS."""
    name = topic.replace(".", "_").upper() + "_SNAPSHOT"
    with nats.client() as c:
        # nats-server 2.9 dies of being asked for a message of a stream that is just being made.
        assert c.stream(name)["state"]["messages"] > 0
        head = c.last_message(name, topic + ".snapshot.head")
    return int(re.match(rb"v=1 position=(\d+) ", base64.b64decode(head["data"])).group(1))


def in_nats(nats, *receivers, topic="prometheus"):
    """Until all that is applied now is in a snapshot that stands in NATS, whoever put it there; its position. Something new is pushed now and then, for there is no snapshot else."""
    wanted = max(position(r) for r in receivers)

    def made():
        receivers[0].push_ok("tick 1\n")
        return in_shelf(nats, topic) >= wanted
    eventually(made, 20, every=0.3, what="a snapshot is put into NATS")
    return in_shelf(nats, topic)


def ended(receiver, code=0):
    """SIGTERM, and that it ends soon and well."""
    began = time.monotonic()
    assert receiver.stop() == code
    assert time.monotonic() - began < ENDS * SLOW


def restarted_over(receiver, code=1):
    """Start it once more although it will end by itself: what it says."""
    got, _, err = run("gravel-receiver", "--config", receiver.config, timeout=30)
    assert got == code, err
    return err


# Pushes, in every dialect.

PUSH_STEPS = [
    # (method, path, body, headers), each with the status and the text that a log in a file gives it, too
    ("POST", "/metrics", COUNTER % 1, {}, 200),
    ("PUT", "/metrics/job/a", COUNTER % 2, {}, 200),
    ("POST", "/metrics/job/a", COUNTER % 3, {}, 200),
    ("POST", "/metrics/job/b/clearmode/replace", '# TYPE g gauge\ng{l="1"} 4\ng{l="2"} 5\n', {}, 200),
    ("POST", "/metrics/job/b/clearmode/max1h", "# TYPE m gauge\nm 6\n", {}, 200),
    ("POST", "/metrics/job/b/clearmode/aggregate", "# TYPE p gauge\np 7\n", {}, 200),
    ("POST", "/metrics/path@base64/L3Zhci90bXA", "# HELP d text\n# TYPE d counter\nd 8\n", {}, 200),
    ("POST", "/metrics/job/h?ttl=1h", '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n', {}, 200),
    ("POST", "/metrics/om", "# TYPE j counter\nj_total 3\n# EOF\n", {"Content-Type": "application/openmetrics-text"}, 400),
    ("POST", "/metrics/om/1", "# TYPE j counter\nj_total 3\n# EOF\n", {"Content-Type": "application/openmetrics-text"}, 200),
    ("POST", "/metrics", gzip.compress(b"zipped 1\n"), {"Content-Encoding": "gzip"}, 200),
    ("POST", "/metrics", "", {}, 200),
    ("POST", "/metrics", "leaves 1\n", {}, 200),
    ("DELETE", "/metrics/job/a", None, {}, 200),
    ("DELETE", "/metrics/no/such", None, {}, 200),
    ("DELETE", "/metrics", None, {}, 400),
    ("POST", "/ingest", "# TYPE i counter\ni 1\n", {}, 200),
    ("POST", "/ingest?ttl=1h", "# TYPE i counter\ni 9\n", {}, 200),
    ("PUT", "/pushgateway/metrics/job/x", "a 1\nb 2\n", {}, 200),
    ("POST", "/pushgateway/metrics/job/x", "b 3\n", {}, 200),
    ("PUT", "/pushgateway/metrics/job/x", "a 1 5000\n", {}, 400),  # its group remembers that
    ("POST", "/pushgateway/metrics/job/y/l/1", "a 1\n", {}, 200),
    ("PUT", "/pushgateway/metrics/job/y", "a 5\n", {}, 200),
    ("DELETE", "/pushgateway/metrics/job/y", None, {}, 202),
    ("DELETE", "/pushgateway/metrics/job/none", None, {}, 202),
    ("PUT", "/pushgateway/metrics/instance/1", "a 1\n", {}, 404),
    ("GET", "/pushgateway/metrics/job/x", None, {}, 405),
    # Refused before they are logged ...
    ("POST", "/metrics", "x{\n", {}, 400),
    ("POST", "/metrics", "x 1\nx 2\n", {}, 400),
    ("POST", "/metrics/job", "x 1\n", {}, 400),
    ("POST", "/metrics/job/%C3%28", "x 1\n", {}, 400),
    ("POST", "/metrics/job/b", 'fine 1\nfine{clearmode="agregate"} 2\n', {}, 400),
    ("POST", "/metrics/job/a?ttl=soon", "x 1\n", {}, 400),
    ("POST", "/metrics", "x 1\n", {"Content-Encoding": "br"}, 415),
    ("POST", "/metrics", "x 1\n", {"Content-Type": "application/vnd.google.protobuf; proto=other; encoding=delimited"}, 415),
    ("POST", "/metrics", "x 1\n", {"Idempotency-Key": "k" * 256}, 400),
    ("POST", "/metrics", "x" * 2000 + " 1\n", {}, 413),
    ("POST", "/metrics", "a1 1\n" * 1 + "".join("x%d 1\n" % i for i in range(60)), {}, 413),
    # ... and by the state behind it.
    ("POST", "/metrics", "# TYPE c gauge\nc 1\n", {}, 400),
    ("POST", "/metrics/job/b", "# TYPE g counter\ng 1\n", {"Idempotency-Key": "once"}, 400),
    ("POST", "/metrics/job/b", "# TYPE n counter\nn 1\n", {"Idempotency-Key": "once"}, 200),
    ("POST", "/metrics/job/b", "# TYPE n counter\nn 1\n", {"Idempotency-Key": "once"}, 200),
    ("PUT", "/pushgateway/metrics/job/z", "# TYPE c gauge\nc 1\n", {}, 400),
    ("POST", "/metrics/job/many", "".join('many{i="%d"} 1\n' % i for i in range(45)), {}, 429),
]


def test_every_dialect_is_answered_as_by_a_log_in_a_file_and_seen_by_all(stand):
    limits = {"limits": {"push_samples": 50, "series": 60}}
    nats, a, b = pair(stand, receiver=limits)
    file = stand.receiver(receiver=limits)
    for i, (method, path, body, headers, code) in enumerate(PUSH_STEPS):
        here, there = (request(r.url + path, method, body, headers) for r in ((a, b)[i % 2], file))
        assert (there.code, there.body) == (here.code, here.body), (method, path)
        assert here.code == code, (method, path, here)
        assert [here.headers.get(h) for h in ("Content-Type", "Retry-After", "Allow")] == [
            there.headers.get(h) for h in ("Content-Type", "Retry-After", "Allow")], (method, path)
    text = level(a, b)

    def untimed(text):
        return [line for line in text.split("\n") if not line.startswith(("push_time_seconds{", "push_failure_time_seconds{"))]
    assert untimed(text) == untimed(served(file))
    assert len(untimed(text)) > 25
    assert a.metrics().value("push_failure_time_seconds", job="x") > 0
    assert a.metrics().value("n", job="b") == 1
    # All that was logged is a message of the stream, which gave it its position.
    with nats.client() as c:
        assert position(a) == c.stream(PUSHES)["state"]["last_seq"]

    def groups(receiver):
        return sorted(json.dumps(g, sort_keys=True) for g in json.loads(receiver.get("/api/v1/metrics").text)["data"])
    assert groups(a) == groups(b) and len(groups(a)) == 3


def test_what_was_answered_is_there_at_once(stand):
    nats, a, b = pair(stand)

    def client(n):
        for i in range(1, 31):
            receiver = (a, b)[n % 2]
            receiver.push_ok(COUNTER % 1, "/client/%d" % n)
            assert value(receiver, client=str(n)) == i
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(client, range(6)))
    # Its deletion, too.
    assert push(a, None, "/client/0", "DELETE").code == 200
    assert not a.metrics().find("c", client="0")
    text = level(a, b)
    assert text.count("\nc{") == 5
    assert a.own().value("gravel_forwarded_pushes_total", result="applied") == 30 * 3 + 1
    assert b.own().value("gravel_forwarded_pushes_total", result="applied") == 30 * 3
    assert a.own().value("gravel_forwarding_pushes") == a.own().value("gravel_log_pending_entries") == 0
    eventually(lambda: a.own().value("gravel_log_writable") == 1)  # seen after once a second


def test_a_key_counts_once_wherever_it_comes(stand):
    nats, a, b = pair(stand)
    group = "/job/x"
    key = {"Idempotency-Key": "k1"}
    assert push(a, COUNTER % 1, headers=key).code == 200
    assert push(b, COUNTER % 1, headers=key).code == 200
    assert push(b, COUNTER % 1, headers={"Idempotency-Key": "k2"}).code == 200
    assert push(a, COUNTER % 1, headers={"Idempotency-Key": "k2"}).code == 200
    for receiver, number in ((a, 1), (b, 2), (a, 3)):
        answer = push(receiver, "g %d\n" % number, group, "PUT", {"Idempotency-Key": "k3"}, "/pushgateway/metrics")
        assert answer.code == 200
    # What was refused did not count.
    assert push(a, "# TYPE c gauge\nc 1\n", headers={"Idempotency-Key": "k4"}).code == 400
    assert push(b, COUNTER % 1, headers={"Idempotency-Key": "k4"}).code == 200
    before = level(a, b)
    assert value(a) == 3 and value(a, "g") == 1
    assert a.own().value("gravel_duplicate_pushes_total") == b.own().value("gravel_duplicate_pushes_total") == 4
    # Nor after a loss of all memory, from a snapshot or from the stream.
    snapshot(a)
    for receiver in (a, b):
        receiver.kill9()
    for receiver in (a, b):
        receiver.start()
    for name in ("k1", "k2", "k4"):
        for receiver in (b, a):
            assert push(receiver, COUNTER % 100, headers={"Idempotency-Key": name}).code == 200
    assert push(b, "g 100\n", group, "PUT", {"Idempotency-Key": "k3"}, "/pushgateway/metrics").code == 200
    assert level(a, b) == before


# What is larger than a message.

class SmallNats(Nats):
    """A nats-server whose messages are small."""
    SIZE = 64 * 1024

    def __init__(self, stand):
        super().__init__(stand)
        config = stand.write("small-%d.conf" % self.port, "max_payload: %d\n" % self.SIZE)
        self.argv += ["-c", str(config)]


def large(n, name="big"):
    """A gauge of n series that hardly compresses."""
    return "# TYPE %s gauge\n" % name + "".join('%s{i="%s"} %d\n' % (name, uuid.uuid4().hex, i) for i in range(n))


@pytest.mark.long
def test_large_pushes_and_large_snapshots(stand):
    nats = SmallNats(stand).start()
    a, b = streamed(stand, nats), streamed(stand, nats)
    body = large(6000)
    a.push_ok(body)
    assert a.get("/metrics?name[]=big").text.count("\nbig{") == 6000
    with nats.client() as c:
        assert c.stream(PUSHES)["state"]["messages"] > 3
    key = {"Idempotency-Key": "large"}
    keyed = COUNTER % 1 + large(4000, "keyed")
    for receiver in (a, b, a):
        assert push(receiver, keyed, headers=key).code == 200
    text = level(a, b)
    assert value(a) == 1 and text.count("\nkeyed{") == 4000
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        codes = pool.map(lambda i: push((a, b)[i % 2], COUNTER % 1 + large(2000, "n%d" % i)).code, range(4))
        assert list(codes) == [200] * 4
    text = level(a, b)
    assert value(a) == 5
    # A snapshot takes many messages, too.
    upto = in_nats(nats, a, b)
    with nats.client() as c:
        assert c.stream(SNAPSHOTS)["state"]["messages"] > 4
    purge(nats, upto)
    text = level(a, b)
    new = streamed(stand, nats)
    assert level(new, a) == text
    assert "fetched the snapshot of position" in new.log


def zstd(data):
    """A frame that says how it would be compressed: not at all."""
    assert len(data) < 1 << 17
    return b"\x28\xb5\x2f\xfd" + b"\xa0" + struct.pack("<I", len(data)) + struct.pack("<I", 1 | len(data) << 3)[:3] + data


class Parts:
    """A push of a stranger, in parts that are published one by one."""

    def __init__(self, nats, id, *parts):
        self.nats, self.parts = nats, [p.encode() for p in parts]
        self.head = "v=1 k=p t=%d o=push w=stranger i=%s" % (time.time() * 1000, id)

    def publish(self, i):
        with self.nats.client() as c:
            c.publish("prometheus.push.0", zstd(self.parts[i]),
                      {"Gravel": "%s b=%d p=%d q=%d" % (self.head, len(self.parts[i]), i, len(self.parts))})


def test_a_restart_between_the_parts_of_a_push(stand):
    nats, a, b = pair(stand)
    parts = [Parts(nats, "k%d" % i, "# TYPE c counter\n", 'c{n="%d"} 1\n' % i) for i in range(4)]
    parts[0].publish(0)
    a.push_ok("# TYPE between counter\nbetween 1\n")
    parts[1].publish(0)
    parts[2].publish(0)
    parts[2].publish(1)
    a.push_ok("# TYPE between counter\nbetween 1\n")
    level(a, b)
    assert value(a, n="2") == 1 and value(a, "between") == 2
    snapshot(a)
    snapshot(b)
    a.kill9()
    ended(b)
    parts[0].publish(1)  # while both are away
    a.start()
    b.start()
    parts[1].publish(1)
    parts[3].publish(0)
    parts[3].publish(1)
    eventually(lambda: value(a, n="3") == 1)
    level(a, b)
    for receiver in (a, b):
        # What stands between the parts was read twice, and counts once.
        assert value(receiver, "between") == 2
        assert [value(receiver, n=str(i)) for i in range(4)] == [1] * 4
    # The same push again is known.
    parts[1].publish(0)
    parts[1].publish(1)
    a.push_ok("# TYPE between counter\nbetween 1\n")
    level(a, b)
    assert [value(b, n=str(i)) for i in range(4)] == [1] * 4 and value(b, "between") == 3
    # From the snapshot in NATS as well.
    before = position(a)
    in_nats(nats, a, b)
    new = streamed(stand, nats)
    text = level(a, b, new)
    assert text.count("c{n=") == 4 and position(new) > before


# Time.

def test_what_expires_leaves_everywhere_at_one_position(stand):
    nats, a, b = pair(stand)
    texts = {}  # position -> what was served there
    for i in range(4):
        (a, b)[i % 2].push_ok("leaves%d 1\n" % i, "?ttl=%dms" % (900 + 300 * i))
    a.push_ok("stays 1\n")

    def observe():
        for r in (a, b):
            before, text, after = position(r), served(r), position(r)
            if before == after:
                assert texts.setdefault(before, text) == text, "two receivers differ at position %d" % before
    eventually(lambda: observe() or "leaves" not in served(a) + served(b), every=0)
    observe()
    assert level(a, b) == "# TYPE stays untyped\nstays 1\n"
    assert len(texts) > 1
    # It took entries, which a receiver that starts reads as well; and what is over logs no more.
    with nats.client() as c:
        messages = c.stream(PUSHES)["state"]["messages"]
    assert messages > 5
    b.kill9()
    b.start()
    assert level(a, b) == "# TYPE stays untyped\nstays 1\n"
    assert position(a) == messages
    assert a.own().value("gravel_expired_series_total") == 4


# Starting.

def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_restart_from_the_folder(stand, kill):
    nats, a, b = pair(stand)
    for i in range(5):
        a.push_ok(COUNTER % 1 + "# TYPE g gauge\ng %d\n" % i)
    snapshot(a)
    a.push_ok(COUNTER % 1)
    text = level(a, b)
    upto = position(a)
    a.kill9() if kill else ended(a)
    b.push_ok(COUNTER % 1)
    a.start()
    assert value(a) == 7
    assert level(a, b) != text
    assert "loaded the snapshot of position" in a.log and "from message 1 on" not in a.log.split("loaded the snapshot of position")[-1]
    assert position(a) == upto + 1
    # Over again, without anything new.
    before = level(a, b)
    for receiver in (a, b):
        receiver.kill9() if kill else ended(receiver)
    a.start()
    b.start()
    assert level(a, b) == before


def test_restart_from_an_older_snapshot(stand):
    nats, a, b = pair(stand)
    for i in range(3):
        a.push_ok(COUNTER % 1)
        snapshot(a)
    before = level(a, b)
    ended(b)
    a.kill9()
    with nats.client() as c:
        c.request("$JS.API.STREAM.DELETE." + SNAPSHOTS)  # or it would be fetched from there
    older, newest = snapshots(a)
    damage(newest)
    a.start()
    assert served(a) == before and position(a) == 3
    assert "is damaged" in a.log and newest.name in a.log
    assert newest.with_name(newest.name + ".damaged").exists()
    a.push_ok(COUNTER % 1)
    b.start()
    level(a, b)
    assert value(b) == 4


def test_all_snapshots_damaged(stand):
    nats, a, b = pair(stand)
    for _ in range(2):
        a.push_ok(COUNTER % 1)
        snapshot(a)
    upto = in_nats(nats, a, b)
    a.kill9()
    for path in snapshots(a):
        damage(path)
    purge(nats, upto)
    # NATS has one.
    a.start()
    level(a, b)
    assert value(a) == 2 and a.log.count("is damaged") == 2
    assert "fetched the snapshot of position" in a.log
    # Where it has none either that is said, once: then they are but files that nobody reads.
    for r in (a, b):
        ended(r)
    with nats.client() as c:
        c.request("$JS.API.STREAM.DELETE." + SNAPSHOTS)
    for path in snapshots(a):
        damage(path)
    assert "all snapshots in %s are damaged" % a.folder in restarted_over(a)
    b.start()


def test_a_new_machine(stand):
    nats, a, b = pair(stand)
    target = stand.target("# TYPE t counter\nt 1\n")
    poller = stand.poller(nats, jobs_of(i=target))
    eventually(lambda: value(a, "t", instance="i") == 1)
    for i in range(3):
        a.push_ok(COUNTER % 1)
    assert push(b, COUNTER % 1, headers={"Idempotency-Key": "k"}).code == 200
    upto = in_nats(nats, a, b)
    b.push_ok(COUNTER % 1)
    purge(nats, upto)
    poller.stop()
    b.kill9()  # it is lost; another one in its place
    new = streamed(stand, nats)
    level(a, new)
    assert value(new) == 5
    assert "fetched the snapshot of position %d from NATS" % upto in new.log
    assert [p.name for p in snapshots(new)][0] == "snapshot-%020d" % upto
    # Keys came along.
    assert push(new, COUNTER % 1, headers={"Idempotency-Key": "k"}).code == 200
    assert value(new) == 5
    new.push_ok(COUNTER % 1)
    level(a, new)
    assert value(a) == 6
    # A second one of its kind, whose fetched snapshot is from the first.
    a.kill9()
    upto = in_nats(nats, new)
    purge(nats, upto)
    another = streamed(stand, nats)
    level(new, another)
    assert value(another) == 6


def test_scrapes_are_in_a_snapshot_too(stand):
    nats = stand.nats()
    target = stand.target("# TYPE t counter\nt 1\n")
    a, b = (stand.receiver(nats, max_age="1h", receiver={"log": {"kind": "stream", "snapshot_interval": "1s"}}) for _ in range(2))
    poller = stand.poller(nats, jobs_of(i=target), max_age="1h")
    for r in (a, b):
        eventually(lambda: value(r, "t", instance="i") == 1)
    poller.stop()
    level(a, b)
    in_nats(nats, a, b)
    api(nats, "PURGE." + SCRAPES)
    ended(a)
    a.start()
    assert value(a, "t", instance="i") == 1
    new = stand.receiver(nats, max_age="1h", receiver={"log": {"kind": "stream", "snapshot_interval": "1s"}})
    assert value(new, "t", instance="i") == 1 and value(new, "up", instance="i") == 1


def test_pushes_at_a_poller_and_its_scrapes_are_seen_by_all(stand):
    nats, a, b = pair(stand)
    target = stand.target("# TYPE t counter\nt 1\n")
    poller = stand.poller(nats, jobs_of(i=target))
    eventually(lambda: push(poller, None, "/no/such", "DELETE").code == 200)
    for i in range(10):
        assert push(poller, COUNTER % 1, "/from/poller").code == 200
        (a, b)[i % 2].push_ok(COUNTER % 1, "/from/receiver")
    key = {"Idempotency-Key": "k"}
    for where in (poller, a, b, poller):
        assert push(where, COUNTER % 1, "/from/all", headers=key).code == 200
    target.body = "# TYPE t counter\nt 2\n"
    for r in (a, b):
        eventually(lambda: value(r, "t", instance="i") == 2)
        eventually(lambda: value(r, **{"from": "poller"}) == 10)
        eventually(lambda: value(r, **{"from": "all"}) == 1)
        assert value(r, **{"from": "receiver"}) == 10
    poller.stop()
    level(a, b)
    ended(b)
    b.start()
    level(a, b)


# Away for long.

def away(stand):
    """Two receivers, of which the second was stopped and the stream has come past it; the position of the newest snapshot in NATS."""
    nats, a, b = pair(stand)
    for _ in range(3):
        a.push_ok(COUNTER % 1)
    level(a, b)
    ended(b)
    for _ in range(3):
        a.push_ok(COUNTER % 1)
    return nats, a, b


def test_away_for_longer_than_the_stream_holds(stand):
    nats, a, b = away(stand)
    upto = in_nats(nats, a)
    a.push_ok(COUNTER % 1)
    purge(nats, upto)
    b.start()
    level(a, b)
    assert value(b) == 7
    assert "fetched the snapshot of position %d" % upto in b.log


def test_away_for_longer_and_no_snapshot_in_nats(stand):
    nats, a, b = away(stand)
    upto = int(position(a))
    ended(a)
    with nats.client() as c:
        c.request("$JS.API.STREAM.DELETE." + SNAPSHOTS)  # if it was made already
    purge(nats, upto - 1)
    err = restarted_over(b)
    assert "has no messages from 4 to %d any more" % (upto - 1) in err and "needs a newer snapshot" in err
    # The other one brings it: from then on it starts.
    a.start()
    in_nats(nats, a)
    b.start()
    level(a, b)
    assert value(b) == 6


def test_a_push_that_was_never_whole_keeps_nobody_away(stand):
    """All is in the snapshot but the parts of a push that nobody will complete, which are gone by then."""
    nats, a, b = pair(stand)
    a.push_ok(COUNTER % 1)
    Parts(nats, "k", "# TYPE c counter\n", "c 100\n").publish(0)
    for _ in range(3):
        a.push_ok(COUNTER % 1)
    text = level(a, b)
    snapshot(a)
    snapshot(b)
    for r in (a, b):
        ended(r)
    purge(nats, 5)
    with nats.client() as c:
        state = c.stream(PUSHES)["state"]
    assert (state["first_seq"], state["messages"]) == (6, 0)
    a.start()
    b.start()
    assert level(a, b) == text
    a.push_ok(COUNTER % 1)
    level(a, b)
    assert value(b) == 5 and position(a) == 6


@pytest.mark.long
def test_what_one_receiver_did_not_publish_another_does(stand):
    """A snapshot that is not needed, for another receiver was faster, is needed when that one is gone: else the stream comes past what is in it."""
    nats = stand.nats()
    a = streamed(stand, nats, snapshot_interval="6s")
    time.sleep(1.2)  # its snapshots shall be later than those of the other, and soon enough behind them to be none that is needed
    b = streamed(stand, nats, snapshot_interval="6s")
    upto = in_nats(nats, a)
    assert a.own().value("gravel_snapshots_published_total") == 1
    b.push_ok(COUNTER % 1)
    wanted = position(b)
    assert wanted > upto
    a.kill9()
    eventually(lambda: in_shelf(nats) >= wanted, 20, what="the newest snapshot is in NATS though nothing more is pushed")
    a.start()
    level(a, b)


def test_a_gap_that_nobody_can_fill(stand):
    """All receivers are away for longer than the stream holds, and none has what was pushed last: docs/DEPLOYING.md says what then."""
    nats, a, b = pair(stand)
    poller = stand.poller(nats, {})
    eventually(lambda: push(poller, None, "/no/such", "DELETE").code == 200)
    a.push_ok(COUNTER % 1)
    upto = in_nats(nats, a, b)
    for r in (a, b):
        r.kill9()
    assert push(poller, COUNTER % 10).code == 200
    with nats.client() as c:
        lost = c.stream(PUSHES)["state"]["last_seq"]
    purge(nats, lost)
    for r in (a, b):
        assert "needs a newer snapshot" in restarted_over(r)
    # Over a log in a file, behind something new in the stream, one of them goes on; the other one starts from that.
    kind(a, "file")
    a.start()
    assert value(a) == 1
    assert push(poller, "# TYPE c counter\nc 100\n").code == 200
    eventually(lambda: value(a) == 101)
    ended(a)
    kind(a, "stream")
    a.start()
    assert in_nats(nats, a) > upto
    b.start()
    level(a, b)
    assert value(b) == 101


# NATS is away.

def test_nats_goes_and_comes_back(stand):
    nats, a, b = pair(stand)
    a.push_ok(COUNTER % 1)
    text = level(a, b)
    for kill in (True, False):
        nats.kill9() if kill else nats.stop()
        for r in (a, b):
            answer = eventually(lambda: (lambda x: x.code == 503 and x)(push(r, COUNTER % 100)))
            assert answer.headers["Retry-After"] == "1"
            assert answer.text in ("not connected to the stream of pushes in NATS; try again\n",
                                   "NATS has not acknowledged the push in time; it may count all the same\n")  # it was on its way
            assert push(r, "x{\n").code == 400  # what is wrong is wrong without NATS as well
            assert r.get("/-/ready").code == 200
            eventually(lambda: r.own().value("gravel_log_writable") == 0)
        assert served(a) == text
        nats.start()
        for r in (a, b):
            eventually(lambda: push(r, "# TYPE back counter\nback 1\n").code == 200, 20)
        text = level(a, b)
        assert value(a) == 1
    assert value(a, "back") == 4
    assert a.own().value("gravel_forward_refused_total", reason="disconnected") >= 2
    for r in (a, b):
        assert "made anew" not in r.log


def test_started_while_nats_is_away(stand):
    nats, a, b = pair(stand)
    a.push_ok(COUNTER % 1)
    level(a, b)
    ended(b)
    nats.stop()
    b.spawn()
    new = streamed(stand, nats, spawned=True)
    for r in (b, new):
        answer = eventually(lambda: r.get("/-/ready"))
        assert answer.code == 503 and "starting: looking for a snapshot in NATS" in answer.text, answer
        assert answer.headers["Retry-After"] == "1"
        assert r.get("/metrics").code == r.get("/api/v1/metrics").code == 503
        assert r.get("/-/healthy").code == r.get("/telemetry").code == 200
        answer = push(r, COUNTER % 1)
        assert answer.code == 503 and answer.headers["Retry-After"] == "1", answer
    nats.start()
    for r in (b, new):
        r.wait_ready()
        assert r.get("/-/ready").code == 200
    eventually(lambda: push(a, COUNTER % 1).code == 200)
    level(a, b, new)
    assert value(new) == 2


def test_started_before_there_ever_was_a_nats_server(stand):
    nats = Nats(stand)
    a, b = streamed(stand, nats, spawned=True), streamed(stand, nats, spawned=True)
    for r in (a, b):
        eventually(lambda: r.get("/-/ready").code == 503)
    nats.start()
    for r in (a, b):
        r.wait_ready()
    a.push_ok(COUNTER % 1)
    level(a, b)


@pytest.mark.long
def test_a_stream_is_deleted_under_them(stand):
    nats, a, b = pair(stand)
    for i in range(5):
        (a, b)[i % 2].push_ok(COUNTER % 1)
    level(a, b)
    for turn in range(2):
        before = position(a)
        api(nats, "DELETE." + PUSHES)
        for r in (a, b):
            eventually(lambda: push(r, "# TYPE anew counter\nanew 1\n").code == 200, 20)
        level(a, b)
        assert value(a) == 5 + turn and position(a) > before
        a.push_ok(COUNTER % 1)
        level(a, b)
        assert value(b) == 6 + turn
    assert value(b, "anew") == 4
    text = level(a, b)
    # Positions go on over it, and so does whoever starts from a snapshot.
    with nats.client() as c:
        assert c.stream(PUSHES)["state"]["last_seq"] < position(a)
    snapshot(b)
    b.kill9()
    b.start()
    assert level(a, b) == text
    upto = in_nats(nats, a, b)
    new = streamed(stand, nats)
    level(a, b, new)
    assert position(new) >= upto
    assert value(new) == 7


def test_jetstream_loses_its_store(stand):
    """As after a lost disk: nats-server comes back with nothing."""
    nats, a, b = pair(stand)
    for i in range(5):
        a.push_ok(COUNTER % 1)
    level(a, b)
    nats.kill9()
    (stand.path / "nats-store").rename(stand.path / "lost-store")
    nats.start()
    for r in (a, b):
        eventually(lambda: push(r, COUNTER % 1).code == 200, 20)
    level(a, b)
    assert value(b) == 7
    ended(b)
    b.start()
    level(a, b)
    in_nats(nats, a, b)
    new = streamed(stand, nats)
    level(a, b, new)
    assert value(new) == 7


def test_the_end_of_the_stream_is_lost(stand):
    """As after a loss of power: what one receiver had applied and the stream has no more, the others never see, until they start from a snapshot of it."""
    nats, a, b = pair(stand)
    a.push_ok(COUNTER % 1)
    level(a, b)
    ended(b)
    nats.stop()
    store, copy = stand.path / "nats-store", stand.path / "nats-copy"
    shutil.copytree(str(store), str(copy))
    nats.start()
    for _ in range(3):
        eventually(lambda: push(a, COUNTER % 10).code == 200, 20)
    nats.kill9()
    shutil.rmtree(str(store))
    copy.rename(store)
    nats.start()
    b.start()
    eventually(lambda: push(a, COUNTER % 100).code == 200, 20)
    assert value(a) == 131
    eventually(lambda: value(b) == 101)
    eventually(lambda: "lost what it had behind message 1:" in a.log)
    assert position(a) == 5 and position(b) == 2
    # Each goes on in its own way, and positions tell. As docs/DEPLOYING.md says: stop the one that has less, wait for a snapshot of the other one, take its own away, start it.
    ended(b)
    in_nats(nats, a)
    shutil.rmtree(str(b.folder))
    b.start()
    level(a, b)
    assert value(b) == 131
    assert "fetched the snapshot of position" in b.log


# Ends.

@pytest.mark.parametrize("state", ["ready", "nats killed", "nats silent", "stream deleted"])
def test_sigterm_when_ready(stand, state):
    nats, a, b = pair(stand)
    a.push_ok(COUNTER % 1)
    level(a, b)
    if state == "nats killed":
        nats.kill9()
    elif state == "nats silent":
        nats.signal(signal.SIGSTOP)
    elif state == "stream deleted":
        api(nats, "DELETE." + PUSHES)
    # A push that waits is answered before the end.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(push, a, COUNTER % 1) for _ in range(2)] if state != "ready" else []
        if state == "nats silent":
            eventually(lambda: a.own().value("gravel_forwarding_pushes") == 2)
        elif waiting:
            eventually(lambda: all(w.done() for w in waiting))
        ended(a)
        assert [w.result().code for w in waiting] == [503] * len(waiting)
    ended(b)
    if state == "nats silent":
        nats.signal(signal.SIGCONT)
    elif state == "nats killed":
        nats.start()
    a.start()
    b.start()
    level(a, b)
    # What was answered 503 may have been logged all the same.
    assert 1 <= value(a) <= 1 + len(waiting)


@pytest.mark.parametrize("state", ["never there", "silent"])
def test_sigterm_while_starting(stand, state):
    nats = Nats(stand)
    if state == "silent":
        nats.start()
        nats.signal(signal.SIGSTOP)
    a = streamed(stand, nats, spawned=True)
    eventually(lambda: a.get("/-/ready").code == 503)
    ended(a)
    if state == "silent":
        nats.signal(signal.SIGCONT)


def test_sigterm_while_catching_up(stand):
    nats, a, b = pair(stand, snapshot_interval="20m")
    a.push_ok(COUNTER % 1)
    level(a, b)
    ended(b)
    # Many large ones: to read them takes a while.
    body = large(20000)
    for _ in range(8):
        a.push_ok(COUNTER % 1 + body)
    before = b.log.count("caught up")
    b.spawn()
    eventually(lambda: "replaying" in b.get("/-/ready").text, every=0.002, what="it says how far it is")
    ended(b)
    assert b.log.count("caught up") == before, "it was ready at once"
    b.start(60)
    level(a, b)
    assert value(b) == 9


# Another kind of log, and configurations.

def kind(receiver, name):
    options = json.loads(receiver.config.read_text())
    options["receiver"]["log"]["kind"] = name
    receiver.config.write_text(json.dumps(options))


def counters(receiver):
    """The counters c by where they come from."""
    return {s.labels.get("from", ""): s.value for s in receiver.metrics().find("c")}


def test_from_a_file_to_the_stream_and_back(stand):
    nats = stand.nats()
    poller = stand.poller(nats, {})
    a = stand.receiver(nats, receiver={"log": {"snapshot_interval": "1s"}})
    eventually(lambda: push(poller, None, "/no/such", "DELETE").code == 200)
    for _ in range(3):
        assert push(poller, COUNTER % 1, "/from/poller").code == 200
        assert push(a, COUNTER % 1, headers={"Idempotency-Key": "k"}).code == 200
        a.push_ok(COUNTER % 1, "/from/receiver")
    eventually(lambda: value(a, **{"from": "poller"}) == 3)
    before = counters(a)
    assert before == {"": 1, "poller": 3, "receiver": 3}
    ended(a)
    assert push(poller, COUNTER % 1, "/from/poller").code == 200  # while it is away
    kind(a, "stream")
    a.start()
    assert push(a, COUNTER % 1, headers={"Idempotency-Key": "k"}).code == 200
    assert counters(a) == dict(before, poller=4)
    # The other receivers have it from there.
    in_nats(nats, a)
    b = streamed(stand, nats)
    a.push_ok(COUNTER % 1, "/from/receiver")
    b.push_ok(COUNTER % 1, "/from/receiver")
    before = dict(before, poller=4, receiver=5)
    eventually(lambda: counters(a) == counters(b) == before)
    # And back: the other one is away for good.
    ended(b)
    ended(a)
    kind(a, "file")
    a.start()
    assert push(a, COUNTER % 1, headers={"Idempotency-Key": "k"}).code == 200
    assert counters(a) == before
    a.push_ok(COUNTER % 1, "/from/receiver")
    assert push(poller, COUNTER % 1, "/from/poller").code == 200
    eventually(lambda: counters(a) == dict(before, poller=5, receiver=6))
    a.kill9()
    a.start()
    eventually(lambda: counters(a) == dict(before, poller=5, receiver=6))


def test_from_a_file_that_was_not_closed(stand):
    nats = stand.nats()
    a = stand.receiver(nats, receiver={"log": {"snapshot_interval": "20m"}})
    a.push_ok(COUNTER % 1)
    a.kill9()
    kind(a, "stream")
    err = restarted_over(a)
    assert "has entries that no snapshot has: start once with receiver.log.kind: file and stop in order" in err
    kind(a, "file")
    a.start()
    ended(a)
    kind(a, "stream")
    a.start()
    assert value(a) == 1
    a.push_ok(COUNTER % 1)
    assert value(a) == 2


def test_configurations_that_are_refused(stand):
    def check(text, *more):
        file = stand.write("c.yml", "receiver: {listen: '127.0.0.1:0', log: {kind: stream, path: %s%s}}\n" % (stand.path / "log", text))
        for args in (more, ("--check-config", *more)):
            code, _, err = run("gravel-receiver", "--config", file, *args)
            assert code == 1, err
        return err
    assert "receiver.log.kind: stream needs receiver_stream.urls" in check("")
    for interval, retention in (("31m", ""), ("1d", ", push_retention: 3d"), ("16s", ", push_retention: 1m")):
        err = check(", snapshot_interval: %s}}\nreceiver_stream: {urls: 'nats://127.0.0.1:1'%s}\n#" % (interval, retention))
        assert "receiver.log.snapshot_interval of at most a quarter of receiver_stream.push_retention" in err
    for interval, retention in (("30m", ""), ("15s", ", push_retention: 1m"), ("10m", "")):
        file = stand.write("d.yml", "receiver: {log: {kind: stream, snapshot_interval: %s}}\n"
                           "receiver_stream: {urls: 'nats://127.0.0.1:1'%s}\n" % (interval, retention))
        code, _, err = run("gravel-receiver", "--check-config", "--config", file)
        assert code == 0, err


def test_streams_are_made_as_configured(stand):
    nats = stand.nats()
    a = streamed(stand, nats, topic="eu.metrics", stream={"push_retention": "1h"})
    a.push_ok(COUNTER % 1)
    snapshot(a)
    in_nats(nats, a, topic="eu.metrics")
    with nats.client() as c:
        config = c.stream("EU_METRICS_PUSH")["config"]
        assert config["subjects"] == ["eu.metrics.push.>"] and config["max_age"] == 3600 * 10 ** 9
        assert config["storage"] == "file"
        shelf = c.stream("EU_METRICS_SNAPSHOT")
        assert shelf["config"]["subjects"] == ["eu.metrics.snapshot.>"]
    # Two snapshots are kept there and here, however many there were.
    for _ in range(3):
        in_nats(nats, a, topic="eu.metrics")
    with nats.client() as c:
        assert c.stream("EU_METRICS_SNAPSHOT")["state"]["messages"] <= 2 * shelf["state"]["messages"] + 2
    assert len(snapshots(a)) == 2
    assert a.own().value("gravel_snapshots_published_total") >= 4
    assert a.own().value("gravel_snapshot_publish_failures_total") == 0
