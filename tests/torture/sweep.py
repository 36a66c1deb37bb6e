# SPDX-License-Identifier: Apache-2.0
"""A small store that is killed at its first write, then at its second, and so on: from the file that is not there yet to the snapshot that replaces another. Each
time it must start again, with all that was acknowledged and nothing twice."""
import pathlib
import random
import shutil
import signal
import tempfile
import time

import client as clients
import disk as disks
import ledger as ledgers
import world as worlds
from harness import http, stand as stands
from harness.wait import eventually

LIVES, PUSHES = 3, 3
MODES = {"before": disks.BEFORE, "half": disks.HALF, "after": disks.AFTER}


class Small:
    """A receiver, its disk, and a client that pushes one thing at a time."""

    def __init__(self, folder, interval="1h"):
        self.stand = stands.Stand(folder)
        self.state = self.stand.path / "state"
        self.state.mkdir()
        self.disk = disks.Disk(self.stand.path, self.state)
        self.receiver = worlds.Receiver(self.stand, receiver={
            "log": {"kind": "file", "path": str(self.state), "snapshot_interval": interval}})
        self.pushes = []  # [n, acknowledged, sent]

    def use(self, undo):
        self.receiver.extra_environment = self.disk.environment(stands.BUILD, undo)

    def spawn(self):
        """Whether it became ready, or died before."""
        self.receiver.spawn()
        eventually(lambda: not self.receiver.alive() or self.receiver.ready(), 30, every=0.005, what="it is ready or dead")
        return self.receiver.alive()

    def push(self, entry):
        n = entry[0]
        # The pebble and the group are there so that a snapshot has them as well.
        body = ("# TYPE torture_small_digits_total counter\ntorture_small_digits_total %d\n"
                "# TYPE torture_window_digits_total gauge\ntorture_window_digits_total{clearmode=\"sum2d\"} %d\n" % (4 ** n, 4 ** n))
        entry[2] += 1
        try:
            answer = http.request(self.receiver.url + "/metrics", "POST", body, {"Idempotency-Key": "small-%d" % n}, timeout=20)
        except OSError:
            return False
        assert answer.code == 200, answer
        entry[1] = True
        return True

    def push_new(self):
        self.pushes.append([len(self.pushes), False, 0])
        return self.push(self.pushes[-1])

    def check(self, when):
        text = self.receiver.get("/metrics").text
        served = clients.read_served(text)
        for name in ("torture_small_digits_total{}", "torture_window_digits_total{}"):
            got = ledgers.digits(served.get(name, 0))
            for n, acknowledged, sent in self.pushes:
                may = (1,) if acknowledged else (0, 1) if sent else (0,)
                assert got[n] in may, "%s: push %d of %s counts %d times, not %s" % (when, n, name, got[n], may)
            assert got[len(self.pushes):] == [0] * (len(got) - len(self.pushes)), "%s: pushed by nobody: %r" % (when, got)

    def script(self):
        """Lives that end well, each with pushes and a snapshot. False when it died on the way."""
        for _ in range(LIVES):
            if not self.spawn():
                return False
            for _ in range(PUSHES):
                if not self.push_new():
                    return False
            self.receiver.signal(signal.SIGTERM)
            if self.receiver.process.wait(30) != 0:
                return False
        return True

    def recover(self, when):
        """Start it on what is left, and finish what was begun."""
        assert self.spawn(), "%s: it does not start:\n%s" % (when, self.receiver.log[-3000:])
        self.check(when + ", started")
        for entry in self.pushes:
            assert self.push(entry), "%s: no answer" % when
        self.push_new()
        self.check(when + ", all pushed again")
        self.receiver.kill_group()
        assert self.spawn(), "%s: it does not start again:\n%s" % (when, self.receiver.log[-3000:])
        self.check(when + ", started again")
        leftover = [p.name for p in self.state.rglob("*") if p.name.endswith((".damaged",))]
        assert not leftover, "%s: a death damaged %s" % (when, leftover)
        assert self.receiver.stop(30) == 0, "%s: it does not end well:\n%s" % (when, self.receiver.log[-3000:])


def one(parent, mode, n, power, rng):
    """Whether the n-th operation was there to die at."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sweep-", dir=parent))
    small = Small(folder)
    when = "killed %s operation %d%s" % (mode, n, "" if power is None else ", power " + power)
    try:
        small.use(power is not None)
        small.disk.kill_mode, small.disk.kill_at = MODES[mode], n
        reached = not small.script()
        if reached:
            assert small.receiver.process.wait(10) == -signal.SIGKILL, "%s: it ended by itself:\n%s" % (when, small.receiver.log[-3000:])
            assert small.disk.ops >= n
        small.disk.heal()
        if power is not None:
            small.disk.power_cut(rng if power == "partly lost" else None)
        small.use(False)
        if reached:
            small.recover(when)
    finally:
        problems = small.stand.close()
    assert not problems, problems
    shutil.rmtree(folder)
    return reached


def one_fork(parent, mode, n):
    """The same in the fork that writes a snapshot while the receiver works: the fork dies alone, then the receiver."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sweep-", dir=parent))
    small = Small(folder, "1s")
    disk, when = small.disk, "snapshot killed %s operation %d" % (mode, n)
    try:
        small.use(False)
        disk.only_forks, disk.kill_whom, disk.kill_mode, disk.kill_at = 1, disks.SELF, MODES[mode], n
        assert small.spawn() and small.push_new() and small.push_new()
        last = -1
        deadline = time.monotonic() + 10
        while disk.ops < n and time.monotonic() < deadline:
            time.sleep(0.05)
            whole = disk.ops == last and list(small.state.rglob("snapshot-*"))
            last = disk.ops
            if whole and not small.receiver.forks():
                break
        reached = disk.ops >= n
        assert small.push_new(), "%s: the receiver does not answer:\n%s" % (when, small.receiver.log[-2000:])
        small.check(when)
        small.receiver.kill_group()
        disk.heal()
        if reached:
            small.recover(when)
    finally:
        problems = small.stand.close()
    assert not problems, problems
    shutil.rmtree(folder)
    return reached


def count_operations(parent):
    """How many there are without a death."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sweep-", dir=parent))
    small = Small(folder)
    try:
        small.use(False)
        assert small.script(), small.receiver.log
        return small.disk.ops
    finally:
        small.stand.close()
        shutil.rmtree(folder)


def run(options, seed, say):
    """All of it, or each stride-th operation, beginning where the seed says."""
    rng = random.Random(seed)
    parent = options.folder or tempfile.gettempdir()
    say("%d operations in %d lives" % (count_operations(parent), LIVES))
    total = 0
    deadline = time.monotonic() + options.seconds if options.seconds else None
    plans = [(mode, None) for mode in MODES] + [("before", "lost"), ("before", "partly lost")]
    for mode, power in plans:
        n = rng.randrange(options.stride) + 1
        while (deadline is None or time.monotonic() < deadline) and one(parent, mode, n, power, rng):
            n += options.stride
            total += 1
        say("killed %s operation 1 to %d%s: right" % (mode, n - 1, "" if power is None else ", power " + power))
    for mode in MODES:
        n = rng.randrange(min(options.stride, 4)) + 1
        while (deadline is None or time.monotonic() < deadline) and one_fork(parent, mode, n):
            n += min(options.stride, 4)
            total += 1
        say("snapshot killed %s operation 1 to %d: right" % (mode, n - 1))
    say("%d deaths" % total)
    return total

