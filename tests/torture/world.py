# SPDX-License-Identifier: Apache-2.0
"""What is tortured: receivers with their log, NATS servers, pollers, clients. All on loopback, each process ended by its own id."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [p for p in (str(FOLDER), str(FOLDER.parent / "e2e")) if p not in sys.path]

import client as clients  # noqa: E402
import disk as disks  # noqa: E402
import ledger as ledgers  # noqa: E402
import plants  # noqa: E402
from harness import expo, stand as stands  # noqa: E402
from harness.wait import SLOW  # noqa: E402


# Faults that StreamWorld can have; what each is stands where it is used.
PLANTS = ("message", "snapshot", "window")


class InGroup:
    """Mixed into a child: a process group of its own, so that a disk that ends its program ends its forks as well; and what stands before it."""
    extra_environment = {}
    before = []

    def spawn(self):
        assert not self.alive()
        env = dict(self.environment(), **self.extra_environment)
        env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        with open(self.logfile, "ab") as log:
            self.process = subprocess.Popen(self.before + self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=str(self.stand.path),
                                            env=env, start_new_session=True)
        return self

    def hears_term(self):
        """Wait until the program has the signal blocked, which it does before all else: until then it is just ended by it."""
        deadline = time.monotonic() + 30
        while self.alive() and time.monotonic() < deadline:
            status = quietly(pathlib.Path("/proc/%d/status" % self.process.pid).read_text) or ""
            blocked = re.search(r"^SigBlk:\s*([0-9a-f]+)$", status, re.M)
            if blocked and int(blocked[1], 16) >> (signal.SIGTERM - 1) & 1:
                return
            time.sleep(0.01)

    def kill_group(self):
        """The program and its forks, at the same moment."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(10)

    def forks(self):
        """Process ids of its forks."""
        try:
            found = []
            for task in pathlib.Path("/proc/%d/task" % self.process.pid).iterdir():
                found += [int(p) for p in (task / "children").read_text().split()]
            return found
        except OSError:
            return []


class Receiver(InGroup, stands.Receiver):
    health = "/-/ready"


class Poller(InGroup, stands.Poller):
    health = "/-/ready"


class Cluster:
    """One nats-server, or three that are a cluster, each with its own store."""

    def __init__(self, stand, size):
        try:
            stands.peer("GRAVEL_NATS_SERVER")
        except AssertionError as e:
            raise plants.Impossible("no nats-server: %s" % e) from e
        routes = [stands.free_port() for _ in range(size)]
        ports = [stands.free_port() for _ in range(size)]
        self.urls = ["nats://127.0.0.1:%d" % p for p in ports]
        self.servers = []
        for i in range(size):
            text = 'server_name: n%d\nlisten: "127.0.0.1:%d"\njetstream { store_dir: "%s", max_mem: 64MB, max_file: 1GB }\n' % (
                i, ports[i], stand.path / ("nats-%d" % i))
            if size > 1:
                text += 'cluster { name: c, listen: "127.0.0.1:%d", routes: [%s] }\n' % (
                    routes[i], ", ".join('"nats://127.0.0.1:%d"' % p for p in routes))
            self.servers.append(Nats(stand, ports[i], stand.write("nats-%d.conf" % i, text)))

    def start(self):
        for s in self.servers:
            s.spawn()
        for s in self.servers:
            s.wait_ready(30)
        return self

    @property
    def url(self):
        return ", ".join(self.urls)

    def is_whole(self, *streams):
        """Whether every server is there and has all of these streams."""
        if not all(s.alive() for s in self.servers):
            return False
        for stream in streams:
            with self.servers[0].client() as c:
                info = c.stream(stream)
            group = info.get("cluster", {})
            if len(self.servers) > 1 and not group.get("leader"):
                return False
            if any(r.get("offline") or not r.get("current") for r in group.get("replicas", [])):
                return False
        return True


class Nats(InGroup, stands.Nats):
    def __init__(self, stand, port, config):
        self.port = port
        stands.Child.__init__(self, stand, "nats", [stands.peer("GRAVEL_NATS_SERVER"), "-c", config])


class Client(InGroup, stands.Child):
    def __init__(self, world, number, *more):
        argv = ["/usr/bin/python3", FOLDER / "client.py", "--number", number, "--seed", "%s/%d" % (world.seed, number),
                "--urls", ",".join(world.push_urls()), "--folder", world.ledgers, "--pause", world.options.pause]
        argv += [] if world.has_keys else ["--no-keys"]
        argv += ["--readable", ",".join(s.url for s in world.receivers)]
        super().__init__(world.stand, "client", argv + list(more))


class World:
    """One receiver with a log in a file."""
    has_keys = True
    refusals_may_count = False
    has_power_cuts = True
    machines_are_new = False
    streams = ()

    def __init__(self, stand, options, seed):
        self.stand, self.options, self.seed = stand, options, seed
        self.state = stand.path / "state"
        self.ledgers = stand.path / "ledgers"
        self.ledgers.mkdir()
        self.cluster, self.pollers, self.receivers, self.clients = None, [], [], []
        self.slowest_ready = (0.0, "none")
        self.build()

    def build(self):
        self.state.mkdir()
        self.disk = disks.Disk(self.stand.path, self.state)
        self.receivers = [Receiver(self.stand, receiver=self.receiver_options(self.log_options()))]
        self.use_disk(undo=False)

    def log_options(self):
        found = {"kind": "file", "path": str(self.state), "snapshot_interval": self.options.snapshot_interval}
        if self.seed % 2:
            # Full again and again until a snapshot makes room.
            found["max_size"] = "4MiB"
        return found

    def fill(self):
        self.disk.full = 1

    def heal(self):
        self.disk.heal()

    @property
    def seen(self):
        """The folder of the log, for us."""
        return self.state

    @staticmethod
    def receiver_options(log):
        # Several runs of hours: no limit of the store is what is tested here.
        return {"log": log, "limits": {"series_per_family": 1000000, "series_per_group": 1000000}}

    def use_disk(self, undo):
        for r in self.receivers:
            r.extra_environment = self.disk.environment(stands.BUILD, undo)

    def make_good(self):
        self.heal()
        self.disk.forget()
        self.use_disk(False)

    def push_urls(self):
        return [s.url for s in self.pollers or self.receivers]

    def start(self):
        if self.cluster:
            self.cluster.start()
        for s in self.pollers + self.receivers:
            s.start(60)

    def servers(self):
        return (self.cluster.servers if self.cluster else []) + self.receivers + self.pollers

    def start_clients(self):
        self.clients = [Client(self, i) for i in range(self.options.clients)]
        for c in self.clients:
            c.spawn()

    def wait_ready(self, server, timeout=60):
        began = time.monotonic()
        server.wait_ready(timeout)
        self.slowest_ready = max(self.slowest_ready, (time.monotonic() - began, server.name))

    def stop_clients(self):
        """Let all finish what they have begun: with keys, until it was acknowledged."""
        (self.ledgers / "stop").touch()
        for c in self.clients:
            if not c.alive():
                c.spawn()
        self.wait_clients()

    def push_again(self):
        """The last pushes of all once more, wherever."""
        self.clients = [Client(self, i, "--again", "20") for i in range(self.options.clients)]
        for c in self.clients:
            c.spawn()
        self.wait_clients()

    def wait_clients(self):
        for c in self.clients:
            try:
                code = c.process.wait((clients.PATIENCE + 30) * SLOW)
            except subprocess.TimeoutExpired:
                c.kill9()
                code = -9
            assert code == 0, "client %s ended with %s:\n%s" % (c.name, code, c.log[-2000:])

    def expected(self):
        """Of the ledgers as they are now."""
        found = ledgers.Expected(self.refusals_may_count)
        for file in sorted(self.ledgers.glob("*.ledger")):
            data = file.read_text("utf-8")
            found.add_ledger(file.stem, [json.loads(line) for line in data.split("\n")[:-1]])
        return found

    def problems(self):
        expected = self.expected()
        found = []
        for r in self.receivers:
            answer = r.get("/metrics", timeout=60)
            assert answer.code == 200, answer
            found += ["%s: %s" % (r.name, p) for p in expected.problems(clients.read_served(answer.text))]
        return found

    def check(self, when, timeout=15):
        """Every series of every receiver is what it must be; receivers agree in every byte."""
        deadline = time.monotonic() + min(timeout, self.options.patience) * SLOW
        found = ["nothing was looked at"]
        while found:
            found = self.problems() + self.differences()
            if found and time.monotonic() > deadline:
                raise AssertionError("%s: %d problems\n%s" % (when, len(found), "\n".join(found[:40])))
            time.sleep(0.2 if found else 0)

    def differences(self):
        """Where receivers differ, own metrics aside."""
        texts = [without_own(r.get("/metrics", timeout=60).text) for r in self.receivers]
        found = []
        for r, text in zip(self.receivers[1:], texts[1:]):
            if text != texts[0]:
                pairs = zip(texts[0].split("\n"), text.split("\n"))
                found.append("%s and %s differ: %r" % (self.receivers[0].name, r.name, next((p for p in pairs if p[0] != p[1]), "in length")))
        return found

    def close(self):
        (self.ledgers / "stop").touch()
        for c in self.clients:
            if c.alive():
                c.kill9()


def without_own(text):
    """The exposition in its order, without the program's own families."""
    kept = []
    for line in text.split("\n"):
        name = line.split(" ")[2] if line.startswith("# ") else line
        if not expo.OWN.match(name):
            kept.append(line)
    return "\n".join(kept)


class SmallWorld(World):
    """One receiver on a real file system of a few MiB."""
    MIB = 24
    has_power_cuts = False

    def build(self):
        self.small = disks.SmallFolder(self.stand.path / "small", self.MIB)
        popen = subprocess.Popen
        if not self.small.start(lambda argv: popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)):
            raise plants.Impossible("this system lets nobody mount a file system")
        self.state = self.small.folder / "state"
        self.seen.mkdir()
        self.disk = disks.Disk(self.stand.path, self.state)
        self.receivers = [Receiver(self.stand, receiver=self.receiver_options(self.log_options()))]
        self.receivers[0].before = self.small.enter()
        self.use_disk(undo=False)

    @property
    def seen(self):
        return self.small.seen / "state"

    def fill(self):
        self.small.fill(leave=4096 * (self.seed % 7))

    def heal(self):
        self.disk.heal()
        self.small.empty()

    def close(self):
        super().close()
        for r in self.receivers:
            r.stop()
        self.small.stop()


class EdgeWorld(World):
    """Pushes to two pollers, through NATS, into a receiver."""
    refusals_may_count = True
    streams = ("TORTURE_PUSH",)

    def build(self):
        self.state.mkdir()
        self.disk = disks.Disk(self.stand.path, self.state)
        self.cluster = Cluster(self.stand, self.options.nats)
        stream = {"replicas": min(3, self.options.nats)}
        log = self.log_options() if self.options.home == "file" else {"kind": self.options.home}
        self.receivers = [Receiver(self.stand, self.cluster, "torture", stream, self.receiver_options(log))]
        self.pollers = [Poller(self.stand, self.cluster, {}, "edge%d" % i, "torture", stream) for i in range(2)]
        self.use_disk(undo=False)


class StreamWorld(World):
    """Two receivers whose log is a stream, and two pollers, on one nats-server or three. Pushes go to all four."""
    refusals_may_count = True
    machines_are_new = True
    streams = ("TORTURE_PUSH", "TORTURE_SNAPSHOT")

    def build(self):
        self.cluster = Cluster(self.stand, self.options.nats)
        stream = {"replicas": min(3, self.options.nats)}
        if self.seed % 2:
            # The log forgets its beginning: who has nothing needs a snapshot. Longer than three servers take to agree.
            stream["push_retention"] = "12s" if self.options.nats == 1 else "1m"
        for i in range(2):
            self.receivers.append(Receiver(self.stand, self.cluster, "torture", stream, self.receiver_options(self.stream_log(i))))
            self.receivers[i].state = self.stand.path / ("r%d" % i)
            self.receivers[i].state.mkdir()
            self.pollers.append(Poller(self.stand, self.cluster, {}, "edge%d" % i, "torture", stream))
        if self.options.plant == "snapshot":
            for r in self.receivers:
                r.argv[0] = str(plants.without_keys(stands.BUILD / "gravel-receiver", self.stand.path))

    def stream_log(self, i):
        found = {"kind": "stream", "path": str(self.stand.path / ("r%d" % i)), "snapshot_interval": self.options.snapshot_interval}
        if self.options.plant == "window" and i == 0:
            found["key_window"] = "1s"
        return found

    def push_urls(self):
        return [s.url for s in self.pollers + self.receivers]

    # A receiver's disk has nothing that is not in NATS: it is not bad, it is lost.
    def make_good(self):
        pass

    @staticmethod
    def new_machine(receiver):
        shutil.rmtree(receiver.state)
        receiver.state.mkdir()

    def fetched(self):
        """How many snapshots came out of NATS."""
        return sum(r.log.count("fetched the snapshot of position") for r in self.receivers)

    def differences(self):
        """Those who have read as far serve the same."""
        positions = [r.own().value("gravel_journal_position") for r in self.receivers]
        found = super().differences()
        if positions != [r.own().value("gravel_journal_position") for r in self.receivers]:
            return ["positions were still moving from %r on" % positions]
        if len(set(positions)) != 1:
            found.append("positions are %r" % positions)
        return found


def quietly(call, *args):
    """What happens to a process that has just ended by itself."""
    try:
        return call(*args)
    except OSError:
        return None
