# SPDX-License-Identifier: Apache-2.0
"""What was answered 200 counts exactly once: over kill -9, retries, full disks and damaged snapshots."""
import os
import random
import subprocess
import threading
import time
import uuid

import pytest

from harness.http import request
from harness.stand import run
from harness.wait import SLOW, eventually

KILLS = int(os.environ.get("GRAVEL_KILLS", "6"))  # more of them for longer
COUNTER = '# TYPE n counter\nn{client="%s"} 1\n'


def durable(stand, nats=None, **log):
    return stand.receiver(nats, receiver={"log": dict({"snapshot_interval": "1s"}, **log)})


def served(receiver):
    """All but the program's own metrics, sorted."""
    return sorted(receiver.served())


def snapshots(receiver):
    return sorted(receiver.folder.glob("snapshot-" + "[0-9]" * 20))


class Client(threading.Thread):
    """Pushes 1 to its own counter again and again. With keys it repeats what was not answered 200 until it is."""

    def __init__(self, url, name, keys):
        super().__init__(daemon=True)
        self.url = url + "/metrics"
        self.label = name
        self.keys = keys
        self.end = threading.Event()
        self.acknowledged = 0
        self.unknown = 0
        self.refused = 0

    def push(self, key):
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = request(self.url, "POST", COUNTER % self.label, headers, timeout=10)
        except OSError:
            return None
        return answer.code

    def run(self):
        while not self.end.is_set():
            key = str(uuid.uuid4()) if self.keys else None
            code = self.push(key)
            while self.keys and code != 200:
                time.sleep(0.02)
                code = self.push(key)
            if code == 200:
                self.acknowledged += 1
            elif code is None:
                self.unknown += 1
                time.sleep(0.02)
            else:
                assert code == 503, code
                self.refused += 1
                time.sleep(0.02)


def torture(receiver, clients, kills):
    for client in clients:
        client.start()
    for _ in range(kills):
        before = sum(c.acknowledged for c in clients)
        time.sleep(random.choice((random.uniform(0.02, 0.5), random.uniform(1, 2.5))))
        eventually(lambda: sum(c.acknowledged for c in clients) > before)
        receiver.kill9()
        receiver.start()
    for client in clients:
        client.end.set()
    for client in clients:
        client.join(30)
        assert not client.is_alive()


@pytest.mark.long
def test_kill9_under_pushes(stand):
    receiver = durable(stand)
    clients = [Client(receiver.url, "k%d" % i, True) for i in range(6)] + [Client(receiver.url, "p%d" % i, False) for i in range(2)]
    torture(receiver, clients, KILLS)
    eventually(lambda: len(snapshots(receiver)) >= 1)
    for _ in range(2):
        values = {s.labels["client"]: s.value for s in receiver.metrics().find("n")}
        for c in clients:
            assert c.acknowledged <= values[c.label] <= c.acknowledged + c.unknown, c.label
            assert not c.keys or values[c.label] == c.acknowledged
        receiver.stop()
        receiver.start()


@pytest.mark.long
def test_kill9_of_the_receiver_of_edge_pushes(stand):
    """Here the receiver is killed, and the poller answers: all that it answered is in the stream."""
    nats = stand.nats()
    poller = stand.poller(nats, {})
    receiver = durable(stand, nats)
    eventually(lambda: request(poller.url + "/metrics/no/such", "DELETE").code == 200)
    clients = [Client(poller.url, "k%d" % i, True) for i in range(2)] + [Client(poller.url, "p%d" % i, False) for i in range(2)]
    torture(receiver, clients, KILLS)

    def all_there():
        values = {s.labels["client"]: s.value for s in receiver.metrics().find("n")}
        return values == {c.label: c.acknowledged for c in clients}
    assert sum(c.unknown + c.refused for c in clients) == 0
    eventually(all_there)
    receiver.stop()
    receiver.start()
    assert all_there()
    # The stream is read on behind what is in the state: nothing of it adds anything, for nothing of it comes again.
    assert request(poller.url + "/metrics", "POST", COUNTER % "late").code == 200
    eventually(lambda: receiver.metrics().find("n", client="late"))
    assert {s.labels["client"]: s.value for s in receiver.metrics().find("n")} == dict({c.label: c.acknowledged for c in clients}, late=1)
    assert receiver.own().total("gravel_edge_pushes_dropped_total") == 0
    assert receiver.own().value("gravel_edge_pushes_applied_total") == 1


def fill(receiver):
    receiver.push_ok('# TYPE c counter\nc 1\n# TYPE g gauge\ng{l="1"} 2\n# HELP h text\n# TYPE h histogram\n'
                     'h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n', "/job/a")
    receiver.push_ok("# TYPE w counter\nw 5\n", "/job/a/clearmode/max1h10m")
    receiver.push_ok("leaves 1\n", "/job/a?ttl=1h")
    for method, body in (("PUT", "a 1\nb 2\n"), ("POST", "b 3\n"), ("PUT", "a 1 5000\n")):
        request(receiver.url + "/pushgateway/metrics/job/x/l/1", method, body)


@pytest.mark.parametrize("kill", [False, True])
def test_restart_keeps_all(stand, kill):
    nats = stand.nats()
    target = stand.target("# TYPE t counter\nt 1\n")
    receiver = stand.receiver(nats, max_age="1h", receiver={"log": {"snapshot_interval": "1s"}})
    poller = stand.poller(nats, {"j": {"targets": [{"name": "i", "url": target.url}]}})
    fill(receiver)
    eventually(lambda: receiver.metrics().value("t", instance="i") == 1)
    poller.stop()
    if kill:
        for _ in range(2):  # the first may have begun before
            begun = receiver.own().value("gravel_snapshots_total")
            receiver.push_ok("tick 1\n")
            eventually(lambda: receiver.own().value("gravel_snapshots_total") > begun)
    before = served(receiver)
    assert len(before) > 10
    receiver.kill9() if kill else receiver.stop()
    nats.stop()
    receiver.start()
    assert served(receiver) == before
    receiver.push_ok("# TYPE c counter\nc 1\n", "/job/a")
    assert receiver.metrics().value("c") == 2
    targets = receiver.get("/api/v1/targets").text
    assert '"i"' in targets


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_damaged_snapshots(stand):
    receiver = durable(stand, snapshot_interval="1h")
    for _ in range(3):
        fill(receiver)
        receiver.stop()
        receiver.start()
    receiver.push_ok("# TYPE c counter\nc 1\n", "/job/a")
    assert receiver.metrics().value("c") == 4
    before = served(receiver)
    receiver.kill9()
    older, newest = snapshots(receiver)
    damage(newest)
    receiver.start()
    assert served(receiver) == before
    assert "is damaged" in receiver.log and newest.name in receiver.log
    assert snapshots(receiver) == [older]
    assert newest.with_name(newest.name + ".damaged").exists()
    receiver.kill9()
    damage(older)
    code, _, err = run("gravel-receiver", "--config", receiver.config)
    assert code == 1
    assert "all snapshots in %s are damaged" % receiver.folder in err


def test_a_log_without_its_snapshots_is_refused(stand):
    receiver = durable(stand, snapshot_interval="1h")
    for _ in range(3):
        fill(receiver)
        receiver.stop()
        receiver.start()
    receiver.push_ok("late 1\n")
    eventually(lambda: receiver.own().value("gravel_journal_position") > 0)
    receiver.kill9()
    for snapshot in snapshots(receiver):
        snapshot.unlink()
    subprocess.run(["/usr/bin/python3", "-c", "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\n"
                    "c.execute('DELETE FROM log WHERE position < 5')\nc.commit()", str(receiver.folder / "push.log")], check=True)
    code, _, err = run("gravel-receiver", "--config", receiver.config)
    assert code == 1
    assert "lacks the entries from 1 to " in err


def test_keys(gateway):
    def push(key, value=1, path="/metrics", method="POST"):
        return request(gateway.url + path, method, "# TYPE n counter\nn %d\n" % value, {"Idempotency-Key": key}).code
    assert [push("a"), push("a"), push("b"), push("a", 100)] == [200] * 4
    assert gateway.metrics().value("n") == 2
    # What was refused did not count: the same key may come again with what is right.
    assert request(gateway.url + "/metrics", "POST", "# TYPE n gauge\nn 1\n", {"Idempotency-Key": "c"}).code == 400
    assert push("c") == 200
    assert gateway.metrics().value("n") == 3
    group = "/pushgateway/metrics/job/x"
    assert [push("d", 1, group, "PUT"), push("d", 2, group, "PUT"), push("e", 3, group, "PUT")] == [200] * 3
    assert gateway.metrics().value("n", job="x") == 3
    assert [push("f", 0, group, "DELETE"), push("g", 4, group, "PUT"), push("f", 0, group, "DELETE")] == [202, 200, 202]
    assert gateway.metrics().value("n", job="x") == 4
    assert push("h", 1, "/ingest") == 200 and push("h", 5, "/ingest") == 200
    assert gateway.own().value("gravel_duplicate_pushes_total") == 5
    for bad in ("", " ", "x" * 256, "\xe4"):
        assert push(bad) == 400, bad
    assert push("x" * 255) == 200
    gateway.kill9()
    gateway.start()
    before = gateway.served()
    assert [push("a"), push("x" * 255), push("d", 9, group, "PUT")] == [200] * 3
    assert gateway.served() == before
    assert gateway.own().value("gravel_duplicate_pushes_total") >= 3


def test_a_key_at_the_edge(stand):
    nats = stand.nats()
    poller = stand.poller(nats, {})
    receiver = durable(stand, nats)
    key = {"Idempotency-Key": "once"}
    eventually(lambda: request(poller.url + "/metrics/no/such", "DELETE").code == 200)
    for url in (poller.url, poller.url, receiver.url):
        assert request(url + "/metrics", "POST", COUNTER % "a", key).code == 200
        eventually(lambda: receiver.metrics().value("n") == 1)
    assert request(poller.url + "/metrics", "POST", COUNTER % "a", {"Idempotency-Key": "other"}).code == 200
    eventually(lambda: receiver.metrics().value("n") == 2)
    assert request(poller.url + "/metrics", "POST", COUNTER % "a", {"Idempotency-Key": "x" * 256}).code == 400


def test_a_full_log_recovers(stand):
    """Between two snapshots it is full; a snapshot makes room."""
    receiver = durable(stand, max_size="1MB")
    taken, codes = 0, []
    for _ in range(200):  # some large ones fill it before there is a snapshot; behind the first that is refused they are small
        body = COUNTER % "a" + "".join('junk{i="%s"} 1\n' % uuid.uuid4() for _ in range(1 if 503 in codes else 5000))
        answer = receiver.push(body, "?ttl=1s")
        codes.append(answer.code)
        taken += answer.code == 200
        if answer.code == 503:
            assert answer.headers["Retry-After"] == "1"
            assert "receiver.log.max_size" in answer.text and "nothing was applied" in answer.text
            time.sleep(0.05)
    assert set(codes) == {200, 503}
    eventually(lambda: receiver.push("late 1\n").code == 200)
    assert receiver.own().value("gravel_log_failures_total") > 0
    assert receiver.log.count("pushes are answered 503") <= receiver.log.count("takes pushes again") + 1
    assert receiver.own().value("gravel_log_writable") == 1
    receiver.kill9()
    receiver.start()
    # The counter may have left with its ttl; what is there comes from pushes that were taken.
    assert receiver.metrics().total("n") <= taken


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.getuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)], stderr=subprocess.DEVNULL, check=False).returncode == 0
    if not mounted:
        pytest.skip("needs root and the right to mount")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(small_disk, stand):
    nats = stand.nats()
    target = stand.target("# TYPE t counter\nt 1\n")
    receiver = durable(stand, nats, path=str(small_disk / "log"))
    stand.poller(nats, {"j": {"targets": [{"name": "i", "url": target.url}]}})
    filler = small_disk / "filler"
    taken = 0
    for _ in range(3):
        for _ in range(5):
            receiver.push_ok(COUNTER % "a")
            taken += 1
        fd = os.open(str(filler), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            while True:
                os.write(fd, b"x" * 1000)
        except OSError:
            os.close(fd)
        refused = 0
        for _ in range(300):
            answer = receiver.push(COUNTER % "a")
            refused += answer.code == 503
            taken += answer.code == 200
            if answer.code == 503:
                assert answer.headers["Retry-After"] == "1"
        assert refused > 0
        assert receiver.own().value("gravel_log_writable") == 0
        assert receiver.metrics().value("n") == taken
        target.body = "# TYPE t counter\nt %d\n" % (taken + 1)
        eventually(lambda: receiver.metrics().value("t", instance="i") == taken + 1)
        filler.unlink()
        eventually(lambda: receiver.push("room 1\n").code == 200)
        assert receiver.own().value("gravel_log_writable") == 1
    receiver.kill9()
    receiver.start()
    assert receiver.metrics().value("n") == taken
    receiver.stop()


def test_one_receiver_has_one_log(stand):
    receiver = durable(stand)
    receiver.push_ok("a 1\n")
    code, _, err = run("gravel-receiver", "--config", receiver.config, "-l", "127.0.0.1:0")
    assert code == 1
    assert "another process has it open" in err and str(receiver.folder) in err
    receiver.push_ok("a 2\n")


def test_folders(stand, tmp_path):
    config = stand.write("c.yml", "receiver: {listen: '127.0.0.1:0', log: {kind: stream}}\n")
    for more in ([], ["--check-config"]):
        code, _, err = run("gravel-receiver", "--config", config, *more)
        assert code == 1 and "receiver.log.kind: stream needs receiver_stream.urls" in err
    (tmp_path / "file").write_text("")
    config = stand.write("d.yml", "receiver: {listen: '127.0.0.1:0', log: {path: %s/file/log}}\n" % tmp_path)
    code, _, err = run("gravel-receiver", "--config", config)
    assert code == 1 and "cannot make the folder" in err and "receiver.log.path" in err
    # The folder of a receiver without a configuration, for nobody else to read.
    receiver = stand.receiver()
    receiver.push_ok("a 1\n")
    folder = tmp_path / (receiver.name + ".state") / "gravel-streams"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "push.log").exists()
    receiver.kill9()
    receiver.start()
    assert receiver.metrics().value("a") == 1


def test_memory_forgets(stand):
    receiver = stand.receiver(receiver={"log": {"kind": "memory"}})
    receiver.push_ok("a 1\n")
    receiver.stop()
    receiver.start()
    assert not receiver.metrics().find("a")
    assert not receiver.folder.exists()


@pytest.mark.skipif(SLOW > 1, reason="after a fork the allocator of ASan may wait for ever for a lock that another thread had")
def test_a_snapshot_is_no_pause_and_leaves_no_connection_open(stand):
    """A connection that the receiver closes is closed, although a child was made while it was open."""
    receiver = durable(stand)
    receiver.push_ok("a 1\n")
    eventually(lambda: receiver.own().value("gravel_snapshots_total") >= 1)
    assert receiver.own().value("gravel_snapshot_position") == 1
    assert receiver.own().value("gravel_snapshot_bytes") == snapshots(receiver)[-1].stat().st_size
    assert receiver.own().value("gravel_snapshot_pause_seconds") > 0
    assert abs(receiver.own().value("gravel_snapshot_last_success_timestamp_seconds") - time.time()) < 100
    assert receiver.own().value("gravel_snapshot_failures_total") == 0

