#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that a push that was acknowledged counts exactly once, whatever dies.

Clients push counters in every dialect and write down in ledgers of their own what they send and what they are told. Meanwhile receivers, NATS servers, pollers and
clients are killed, the disk is slow, full or fails, and the power goes. In the end every series must be exactly what was acknowledged plus at most what never was.

  torture.py --seconds 60 --kills 30             a receiver with a file log
  torture.py --world small                       the same on a file system of some MiB
  torture.py --world stream --nats 3             two receivers on a stream
  torture.py --world edge                        pushes to pollers
  torture.py --world stream --plant snapshot     with a fault that it must find
  torture.py --every-write                       a small store that is killed at each of its writes, one after another

The seed decides what happens in which order; the moments are the machine's. Exit status 0: all is right; 1: not, and then the folder stays.
"""
import argparse
import collections
import contextlib
import errno
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [p for p in (str(FOLDER), str(FOLDER.parent / "e2e")) if p not in sys.path]

import disk as disks  # noqa: E402
import plants  # noqa: E402
import sweep  # noqa: E402
import world as worlds  # noqa: E402
from harness import stand as stands  # noqa: E402
from harness.wait import SLOW, eventually  # noqa: E402

WORLDS = {"file": worlds.World, "small": worlds.SmallWorld, "edge": worlds.EdgeWorld, "stream": worlds.StreamWorld}


class Chaos:
    """What happens to a world, by the dice of its seed."""

    def __init__(self, world, options, rng, say):
        self.world, self.options, self.rng, self.say = world, options, rng, say
        self.counts = collections.Counter()
        self.kills = 0
        self.undo = False

    def dies(self, what, n=1):
        self.counts[what] += n
        self.kills += n

    def pause(self, least, most):
        time.sleep(self.rng.uniform(least, most))

    # What a disk does.

    def disk_slow(self):
        d = self.world.disk
        d.sync_delay_us = self.rng.choice([2000, 20000, 200000])
        d.write_delay_us = self.rng.choice([0, 500, 5000])
        self.counts["slow disk"] += 1

    def disk_full(self):
        self.world.fill()
        self.counts["full disk"] += 1

    def disk_fails(self):
        d = self.world.disk
        d.fail_period = self.rng.choice([1, 2, 7])
        which = self.rng.choice(["sync_errno", "write_errno"])
        setattr(d, which, self.rng.choice([errno.EIO, errno.ENOSPC]))
        self.counts["failing disk"] += 1

    def with_bad_disk(self):
        """Some time of it, in the middle of a life."""
        self.rng.choices([self.disk_slow, self.disk_full, self.disk_fails], [3, 3, 2])[0]()
        self.pause(0.1, 0.8)
        self.end_early()
        self.world.heal()

    def end_early(self):
        """Now and then the disk is still bad when it dies."""
        self.bad_at_death = self.rng.random() < 0.3

    # How a receiver with a file log dies. Each returns when it is dead.

    def by_kill(self, r):
        worlds.quietly(r.kill_group)
        self.dies("kill -9 of the receiver")

    def by_kill_alone(self, r):
        """A fork of it may live on."""
        r.kill9()
        self.dies("kill -9 of the receiver alone")

    def by_write(self, r):
        d = self.world.disk
        d.kill_mode = self.rng.choice([disks.BEFORE, disks.HALF, disks.AFTER])
        d.kill_at = d.ops + self.rng.randrange(1, 120)
        if not self.ended(r, 3):
            r.kill_group()
        self.dies("killed at a write")

    def by_fork_write(self, r):
        """Only the fork that writes a snapshot dies; the receiver some time later."""
        d = self.world.disk
        d.only_forks, d.kill_whom = 1, disks.SELF
        d.kill_mode = self.rng.choice([disks.BEFORE, disks.HALF, disks.AFTER])
        d.kill_at = d.ops + self.rng.randrange(1, 12)
        self.pause(0.5, 2.0)
        d.heal()
        self.counts["snapshot killed at a write"] += 1
        self.by_kill(r)

    def by_fork_kill(self, r):
        self.kill_snapshot(r)
        self.by_kill(r)

    def kill_snapshot(self, r):
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            forks = r.forks()
            if forks:
                worlds.quietly(os.kill, forks[0], signal.SIGKILL)
                self.counts["kill -9 of the snapshot"] += 1
                break

    def by_term(self, r):
        r.hears_term()
        code = r.stop(30)
        assert code == 0, "%s ended with %s on SIGTERM:\n%s" % (r.name, code, r.log[-2000:])
        self.counts["SIGTERM of the receiver"] += 1

    def by_power(self, r):
        worlds.quietly(r.kill_group)
        lost = self.world.disk.power_cut(self.rng if self.rng.random() < 0.6 else None)
        self.counts["operations lost with the power"] += lost
        self.dies("loss of power")

    @staticmethod
    def ended(r, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not r.alive():
                return True
            time.sleep(0.005)
        return False

    # The lives of a receiver with a file log.

    def life(self, r):
        w = self.world
        self.bad_at_death = False
        self.undo = w.has_power_cuts and self.rng.random() < 0.35
        w.heal()
        w.disk.forget()
        w.use_disk(self.undo)
        if self.undo:
            # Most of the time something is on its way to the disk.
            w.disk.sync_delay_us = self.rng.choice([1000, 5000, 30000])
        r.spawn()
        if self.rng.random() < 0.25:
            self.pause(0, 0.25)
            self.counts["died while it started"] += 1
        else:
            w.wait_ready(r)
            self.pause(0.05, self.options.life)
            if self.rng.random() < 0.4:
                self.with_bad_disk()
        self.kill_clients()
        if self.bad_at_death:
            self.disk_full()
        if self.undo:
            self.by_power(r)
        else:
            ways = [(8, self.by_kill), (3, self.by_kill_alone), (5, self.by_write), (2, self.by_fork_write), (2, self.by_fork_kill)]
            # One that cannot write is not asked to end well.
            ways += [] if self.bad_at_death else [(2, self.by_term)]
            self.rng.choices([f for _, f in ways], [x for x, _ in ways])[0](r)

    def kill_clients(self):
        if self.rng.random() < 0.5:
            victims = self.rng.sample(self.world.clients, min(len(self.world.clients), self.rng.choice([1, 1, 2, 4])))
            for c in victims:
                c.kill9()
            for c in victims:
                c.spawn()
            self.dies("kill -9 of a client", len(victims))

    # A world with servers.

    def strike(self):
        w = self.world
        self.pause(0.1, self.options.life)
        self.see_after_servers()
        self.kill_clients()
        struck = self.victims()
        for victim, server in struck:
            self.end(victim, server)
        self.pause(0, 0.6)
        for victim, server in struck:
            if server.alive():
                continue
            if victim == "receiver" and w.machines_are_new and self.rng.random() < 0.25:
                w.new_machine(server)
                self.counts["new machine"] += 1
            server.spawn()
        for _, server in struck:
            if self.rng.random() < 0.6:
                w.wait_ready(server)

    def see_after_servers(self):
        """None of ours ends by itself. nats-server is somebody else's: if it does, it is one more that was killed."""
        for s in self.world.servers():
            assert s.alive() or not s.ours, "%s ended by itself with %s:\n%s" % (s.name, s.process.returncode, s.log[-3000:])
            if not s.alive():
                self.counts["%s ended by itself" % s.name] += 1
                s.spawn()

    def victims(self):
        """One, and now and then several that are hit at the same moment."""
        w = self.world
        found = []
        for _ in range(self.rng.choices([1, 2, 3], [8, 2, 1])[0]):
            victim = self.rng.choices(["receiver", "nats", "poller"], [4, 3, 3 if w.pollers else 0])[0]
            servers = {"receiver": w.receivers, "nats": w.cluster.servers, "poller": w.pollers}[victim]
            server = self.rng.choice(servers)
            # A cluster of three bears the loss of one.
            if (victim, server) in found or (victim == "nats" and any(v == "nats" for v, _ in found)):
                continue
            if victim == "nats" and len(servers) > 1:
                eventually(lambda: w.cluster.is_whole(*w.streams), 60, what="the cluster is whole")
            found.append((victim, server))
        return found

    def end(self, victim, server):
        if victim == "receiver" and self.world.machines_are_new and self.rng.random() < 0.2:
            self.kill_snapshot(server)
        if self.rng.random() < 0.1:
            self.freeze(victim, server)
            return
        if victim != "nats" and self.rng.random() < 0.15:
            server.hears_term()
            assert server.stop(30) == 0, "%s did not end well:\n%s" % (server.name, server.log[-2000:])
            self.counts["SIGTERM of a " + victim] += 1
        else:
            server.kill_group()
            self.dies("kill -9 of %s" % victim)

    def freeze(self, victim, server):
        """It stands still, and goes on as if nothing had happened; others may have given it up."""
        server.signal(signal.SIGSTOP)
        self.pause(0.2, 5)
        server.signal(signal.SIGCONT)
        self.counts["%s stood still" % victim] += 1

    def plant_loss(self):
        """The stream loses what it acknowledged to pollers, while no receiver has it."""
        w = self.world
        for r in w.receivers:
            r.kill_group()
        begin = plants.last_message(w.cluster, w.streams[0])
        eventually(lambda: plants.last_message(w.cluster, w.streams[0]) >= begin + 20, 30, what="pollers took 20 pushes")
        for sequence in range(begin + 1, begin + 11):
            plants.lose_message(w.cluster, w.streams[0], sequence)
        for r in w.receivers:
            r.spawn()
        for r in w.receivers:
            w.wait_ready(r)

    def run(self):
        w = self.world
        deadline = time.monotonic() + self.options.seconds
        while time.monotonic() < deadline or self.kills < self.options.kills:
            if w.cluster:
                self.strike()
            else:
                self.life(w.receivers[0])
        w.make_good()
        if w.cluster:
            self.see_after_servers()
        for s in w.servers():
            if not s.alive():
                s.spawn()
        for s in w.receivers + w.pollers:
            w.wait_ready(s)
        if w.options.plant == "message":
            self.plant_loss()


def restarts(world, say):
    """The state must be the same however it is come by: from the log, from a snapshot, from the one before it."""
    r = world.receivers[0]
    r.kill_group()
    r.spawn()
    world.wait_ready(r)
    world.check("after kill -9")
    assert r.stop(30) == 0, r.log[-2000:]
    r.spawn()
    world.wait_ready(r)
    world.check("after SIGTERM")
    newest = newest_snapshot(world.seen)
    if newest is None:
        assert world.options.snapshots_optional, "no snapshot in %s" % sorted(world.seen.rglob("*"))
        return
    r.kill_group()
    damage(newest)
    r.spawn()
    world.wait_ready(r)
    world.check("with a damaged snapshot")
    say("restarts are right; a damaged %s was set aside" % newest.name)


def restarts_on_stream(world, say):
    """Whatever a receiver begins with, it comes to the same; and what was pushed once stays known."""
    def anew(when, servers, end, begin=lambda s: None):
        for s in servers:
            end(s)
        for s in servers:
            begin(s)
            s.spawn()
        for s in servers:
            world.wait_ready(s)
        world.check(when, 60)

    def kill(s):
        s.kill_group()

    def term(s):
        assert s.stop(30) == 0, s.log[-2000:]

    def spoil(s):
        newest = newest_snapshot(s.state)
        if newest is not None:
            damage(newest)

    receivers = world.receivers
    anew("after kill -9 of the receivers", receivers, kill)
    anew("after SIGTERM of the receivers", receivers, term)
    anew("with a damaged snapshot", receivers[:1], kill, spoil)
    anew("on a new machine", receivers[1:], kill, world.new_machine)
    # Three servers that begin together take their time to agree: not in a short run.
    servers = world.cluster.servers if world.options.nats == 1 or world.options.seconds >= 30 else []
    anew("after kill -9 of all, on new machines", servers + receivers, kill,
         lambda s: world.new_machine(s) if s in receivers else None)
    for s in world.pollers:
        world.wait_ready(s)
    world.push_again()
    world.check("after pushing again", 60)
    say("restarts are right; %d snapshots were fetched from NATS" % world.fetched())
    assert world.fetched() > 0, "no receiver began with a snapshot from NATS"


def damage(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x20
    file.write_bytes(data)


def newest_snapshot(folder):
    found = [p for p in folder.rglob("snapshot-*") if p.name.split("-")[1].isdigit()]
    return max(found, key=lambda p: int(p.name.split("-")[1])) if found else None


def one_run(options, seed, say):
    rng = random.Random(seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="torture-", dir=options.folder))
    # What ends by a signal of its own leaves a core in the folder.
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    stand = stands.Stand(folder)
    world = None
    began = time.monotonic()
    try:
        world = WORLDS[options.world](stand, options, seed)
        chaos = Chaos(world, options, rng, say)
        if world.cluster:
            world.start()
        world.start_clients()
        chaos.run()
        say("%d kills in %.0f s; clients finish" % (chaos.kills, time.monotonic() - began))
        world.stop_clients()
        world.check("at the end", 60)
        if not world.cluster:
            restarts(world, say)
        elif world.machines_are_new:
            restarts_on_stream(world, say)
        report(world, chaos, began, say)
    except plants.Impossible:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except BaseException:
        say("FAILED; what is left stands in %s" % folder)
        say("repeat it with: %s" % repeat(options, seed))
        raise
    finally:
        if world is not None:
            world.close()
        problems = stand.close()
    if problems:
        say("\n".join(problems))
        say("repeat it with: %s" % repeat(options, seed))
        raise AssertionError("a program did not end well; see %s" % folder)
    shutil.rmtree(folder, ignore_errors=True)


def options_least(world):
    """So many pushes at least must have been acknowledged for a run to mean something."""
    return 3 * world.options.clients


def report(world, chaos, began, say):
    expected = world.expected()
    assert expected.acknowledged >= options_least(world), "only %d pushes were acknowledged: nothing is shown" % expected.acknowledged
    for what, n in sorted(chaos.counts.items()):
        say("%6d %s" % (n, what))
    say("%d kills, %d pushes, %d acknowledged, %d that may count or not; slowest start %.2f s (%s); %.0f s" % (
        chaos.kills, expected.pushes, expected.acknowledged, expected.unknown, *world.slowest_ready, time.monotonic() - began))


def repeat(options, seed):
    words = ["tests/torture/torture.py", "--world", options.world, "--seed", str(seed), "--seconds", "%g" % options.seconds, "--kills", str(options.kills),
             "--clients", str(options.clients), "--life", "%g" % options.life, "--nats", str(options.nats)]
    words += ["--plant", options.plant] if options.plant else []
    return " ".join(words)


def arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", choices=sorted(WORLDS), default="file")
    parser.add_argument("--seed", type=int, default=None, help="the time, without it")
    parser.add_argument("--seconds", type=float, default=60, help="of dying; what comes after needs some more; with --every-write at most, and 0 is as long as it takes")
    parser.add_argument("--kills", type=int, default=0, help="so many at least, however long that takes")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--pause", type=float, default=0.02, help="of a client between pushes, seconds on average")
    parser.add_argument("--life", type=float, default=1.2, help="the longest of a receiver, in seconds")
    parser.add_argument("--nats", type=int, choices=(1, 3), default=1)
    parser.add_argument("--plant", choices=sorted(worlds.PLANTS), help="a fault in the world stream, which must be found")
    parser.add_argument("--patience", type=float, default=60, help="of seconds, until all must be as it should be")
    parser.add_argument("--home", choices=("file", "stream", "memory"), default="file", help="log of the receiver in the world edge")
    parser.add_argument("--snapshot-interval", default="1s")
    parser.add_argument("--snapshots-optional", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--every-write", action="store_true", help="see above")
    parser.add_argument("--stride", type=int, default=1, help="with --every-write: each so many-th of them")
    parser.add_argument("--folder", default=None, help="where to work; a temporary folder without it")
    return parser.parse_args(words)


def say(text):
    print(text, flush=True)


def main(words=None):
    options = arguments(words)
    seed = int(time.time()) if options.seed is None else options.seed
    say("seed %d" % seed)
    try:
        if options.every_write:
            sweep.run(options, seed, say)
        else:
            one_run(options, seed, say)
    except plants.Impossible as e:
        say("not done: %s" % e)
    except AssertionError:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
