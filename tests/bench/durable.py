#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The push log with a full store: gravel-receiver with a log in a file on a real disk, killed and started again, and pushed to while it takes snapshots; and the same with a log in NATS.

Prints one JSON line a figure (docs/BENCHMARKS.md says what each means); progress goes to stderr. Client and server share the cores.
"""
import argparse
import json
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import benchlib
import gateway
from benchlib import BenchError, note, print_result
from gateway import column

PARTS = ["recovery", "snapshots", "stream"]
NEVER = "1d"  # no snapshot while a bench runs
ENTRIES_MAX = 999999  # with one more the receiver takes a snapshot
METRICS = ["gravel_snapshots_total", "gravel_snapshot_failures_total", "gravel_snapshot_pause_seconds", "gravel_snapshot_duration_seconds",
           "gravel_snapshot_bytes", "gravel_log_bytes", "gravel_log_entries_total", "gravel_log_commit_seconds"]
LOOK = 0.1  # seconds between two looks at the metrics: snapshots are a second apart at least
CAUGHT_UP = re.compile(r"caught up with the push log at position \d+: (\d+) messages in (\d+) ms")
BROUGHT_BACK = re.compile(r"brought back the state .* in (\d+) ms, (\d+) entries in (\d+) ms")


def options():
    p = argparse.ArgumentParser(description="bench of the push log: starts after a crash, and pushes beside snapshots")
    p.add_argument("--build", type=pathlib.Path, default=benchlib.ROOT / "build", help="build folder (build)")
    p.add_argument("--groups", type=int, default=10000, help="groups of the store (10000; 5 digits at most)")
    p.add_argument("--lines", type=int, default=109, help="samples of each (109)")
    p.add_argument("--entries", type=int, default=990000, help="pushes of 3 lines behind the snapshot (990000; below a million)")
    p.add_argument("--runs", type=int, default=5, help="of each measurement (5)")
    p.add_argument("--seconds", type=float, default=10, help="of a run of pushes (10)")
    p.add_argument("--interval", type=int, default=2, help="seconds from snapshot to snapshot (2)")
    p.add_argument("--connections", type=int, default=64)
    p.add_argument("--part", choices=PARTS, action="append", help="only this one (may be repeated)")
    p.add_argument("--log-folder", type=pathlib.Path, help="where the log stands: a folder on a real disk (a temporary one)")
    p.add_argument("--smoke", action="store_true", help="tiny and quick: does it work at all")
    p.add_argument("--keep", type=pathlib.Path, help="keep configs and logs in this folder")
    o = p.parse_args()
    if o.smoke:
        o.groups, o.entries, o.runs, o.seconds, o.interval = 20, 500, 1, 3, 1
    o.part = o.part or PARTS
    o.prefix = "/metrics"
    if min(o.groups, o.lines, o.entries, o.runs, o.interval, o.connections) < 1 or o.seconds <= 0:
        p.error("groups, lines, entries, runs, seconds, interval and connections must be positive")
    if o.log_folder is not None and not o.log_folder.is_dir():
        p.error("%s is no folder" % o.log_folder)
    if o.groups > 99999 or o.entries > ENTRIES_MAX:
        p.error("at most 99999 groups and %d entries: then the receiver takes a snapshot" % ENTRIES_MAX)
    return o


class Receiver(gateway.Ours):
    """One whose log stays where it is from start to start."""

    def __init__(self, o, folder, log_folder):
        super().__init__(o, folder)
        self.log_folder = log_folder
        self.path = o.prefix + "/job/bench/instance/i{}"

    def log(self, interval):
        return "receiver:\n  listen: %s\n  log: {kind: file, path: %s, snapshot_interval: %s}\n" % (self.listen(), self.log_folder, interval)

    def start(self, interval):
        """Until it is ready; how many seconds that took."""
        config = self.folder / ("%s.yaml" % self.name)
        config.write_text("identity: bench\n" + self.log(interval))
        begin = time.monotonic()
        self.started(self.o.build / "bin" / "gravel-receiver", "--config", config)
        return time.monotonic() - begin

    def crash(self):
        self.child.process.kill()
        self.child.process.wait()
        self.child = None

    def metrics(self):
        return benchlib.samples(benchlib.get(benchlib.query("http://" + self.address, METRICS)))


class Streamed(Receiver):
    """One whose log is in NATS, on a nats-server of its own with a disk of its own."""
    name = "gravel-receiver-stream"
    nats = None

    def start_nats(self):
        program = benchlib.find_program("GRAVEL_NATS_SERVER", ["nats-server"], "nats-server")
        self.nats = gateway.Child("nats-server", [program, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", str(pathlib.Path(self.log_folder) / "js"),
                                                  "--ports_file_dir", str(self.folder)], self.folder)

        def ports():
            files = list(self.folder.glob("*.ports"))
            return files and json.loads(files[0].read_text())["nats"][0]
        self.nats_url = benchlib.wait_for("nats-server", ports, 20, self.nats)

    def log(self, interval):
        del interval  # a day is longer than push_retention
        return ("receiver:\n  listen: %s\n  log: {kind: stream, path: %s, snapshot_interval: 6h}\nreceiver_stream: {urls: [\"%s\"], topic: bench, push_retention: 24h}\n" %
                (self.listen(), pathlib.Path(self.log_folder) / "snapshots", self.nats_url))

    def push_for(self, body, groups, *more):
        cpu = self.nats.cpu_seconds_fine()
        run = super().push_for(body, groups, *more)
        run["nats_cpu_us"] = 1e6 * (self.nats.cpu_seconds_fine() - cpu) / run["pushes"]
        return run


class Watch(threading.Thread):
    """Sees every snapshot that is finished while it runs: what the receiver says of it."""

    def __init__(self, receiver):
        super().__init__(daemon=True)
        self.receiver = receiver
        self.begin = self.last = receiver.metrics()
        self.snapshots = []
        self.error = None
        self.over = threading.Event()
        self.start()

    def look(self):
        found = self.receiver.metrics()
        if found["gravel_snapshots_total"] != self.last["gravel_snapshots_total"]:
            self.snapshots.append(found)
        self.last = found

    def run(self):
        try:
            while not self.over.wait(LOOK):
                self.look()
        except (OSError, ValueError, KeyError) as e:
            self.error = e

    def end(self):
        self.over.set()
        self.join()
        if self.error is not None:
            raise BenchError("the metrics of the receiver: %s" % self.error)
        if self.last["gravel_snapshot_failures_total"] != 0:
            raise BenchError("a snapshot failed: %s" % self.receiver.child.tail())

    def grown(self, name):
        return self.last[name] - self.begin[name]


class Bench:
    def __init__(self, o, folder, log_folder):
        self.o = o
        self.receiver = Receiver(o, folder, log_folder)
        self.streamed = Streamed(o, folder, log_folder)
        self.group = folder / "group.txt"
        with open(self.group, "wb") as out:  # families of one line are gauges: each line is a series
            subprocess.run([str(w) for w in (o.build / "bench" / "bench_body", "--series", o.lines, "--family", 1)], stdout=out, check=True)
        self.three = folder / "three.txt"
        self.three.write_text(gateway.THREE)

    def fill(self):
        """A full store, and nothing but its snapshot: a clean stop writes one."""
        note("durable: filling %d groups of %d series" % (self.o.groups, self.o.lines))
        self.receiver.start(NEVER)
        self.receiver.fill(self.group, self.o.groups, self.o.lines)
        self.receiver.stop()

    def bench_recovery(self):
        o, receiver = self.o, self.receiver
        note("durable: %d pushes behind the snapshot, then %d crashes" % (o.entries, o.runs))
        receiver.start(NEVER)
        receiver.push(self.three, o.groups, "--count", o.entries, "--timeout", 120)
        if receiver.metrics()["gravel_snapshots_total"] != 0:
            raise BenchError("the receiver took a snapshot, so that the entries are not all behind one")
        ready, cpu, load, replay = [], [], [], []
        for _ in range(o.runs):
            receiver.crash()
            ready.append(receiver.start(NEVER))
            cpu.append(receiver.child.cpu_seconds_fine())
            said = BROUGHT_BACK.search(receiver.child.log.read_text())
            if said is None or int(said[2]) != o.entries:
                raise BenchError("not all of %d entries came back: %s" % (o.entries, receiver.child.tail()))
            load.append(int(said[1]) / 1e3)
            replay.append(int(said[3]) / 1e3)
        log_mb = receiver.metrics()["gravel_log_bytes"] / 1e6
        receiver.stop()
        print_result("durable.recovery.ready", "s", ready)
        print_result("durable.recovery.cpu", "s", cpu)
        print_result("durable.recovery.load", "s", load)
        print_result("durable.recovery.replay", "s", replay)
        print_result("durable.recovery.entries", "count", [float(o.entries)])
        print_result("durable.recovery.log_bytes", "MB", [log_mb])

    def run_of_pushes(self, interval):
        """A fresh process each time: what pushes cost, what it said of its snapshots, its memory before and after."""
        self.receiver.start(interval)
        before = self.receiver.child.rss_mb()
        watch = Watch(self.receiver)
        try:
            run = self.receiver.push_for(self.three, self.o.groups)
            if interval != NEVER:
                benchlib.wait_for("a snapshot", lambda: watch.snapshots or watch.error, 30, self.receiver.child)
        finally:
            watch.end()
        if interval == NEVER and watch.snapshots:
            raise BenchError("the receiver took a snapshot when it should not: fewer --seconds")
        run.update(rss_before=before, rss_after=self.receiver.child.rss_mb(), snapshots=watch.snapshots,
                   commit_ms=1e3 * watch.grown("gravel_log_commit_seconds_sum") / watch.grown("gravel_log_commit_seconds_count"),
                   pushes_a_commit=watch.grown("gravel_log_entries_total") / watch.grown("gravel_log_commit_seconds_count"))
        self.receiver.stop()
        return run

    def bench_snapshots(self):
        o = self.o
        note("durable: %d times %g s of pushes over %d connections without snapshots, and with one every %d s" %
             (o.runs, o.seconds, o.connections, o.interval))
        alone, beside = [], []
        for _ in range(o.runs):  # in turn, so that what disturbs the machine disturbs both
            alone.append(self.run_of_pushes(NEVER))
            beside.append(self.run_of_pushes("%ds" % o.interval))
        for name, unit, key in (("", "pushes/s", "rate"), ("_p50", "ms", "p50_ms"), ("_p99", "ms", "p99_ms"), ("_max", "ms", "max_ms"),
                                ("_cpu", "us/push", "server_cpu_us"), ("_commit", "ms", "commit_ms"),
                                ("_a_commit", "pushes/transaction", "pushes_a_commit")):
            base = statistics.median(column(alone, key))
            print_result("durable.push" + name, unit, column(alone, key))
            print_result("durable.snapshots.push" + name, unit, column(beside, key), peer="without snapshots", peer_value=base,
                         ratio=statistics.median(column(beside, key)) / base)
        snapshots = [snapshot for run in beside for snapshot in run["snapshots"]]
        print_result("durable.snapshots.taken", "snapshots/run", [float(len(run["snapshots"])) for run in beside])
        print_result("durable.snapshots.pause", "ms", [1e3 * s["gravel_snapshot_pause_seconds"] for s in snapshots])
        print_result("durable.snapshots.duration", "s", column(snapshots, "gravel_snapshot_duration_seconds"))
        print_result("durable.snapshots.bytes", "MB", [s["gravel_snapshot_bytes"] / 1e6 for s in snapshots])
        for key in ("rss_before", "rss_after"):
            print_result("durable.snapshots." + key, "MB", column(beside, key), peer="without snapshots",
                         peer_value=statistics.median(column(alone, key)),
                         ratio=statistics.median(column(beside, key)) / statistics.median(column(alone, key)))

    def bench_stream(self):
        """A log in NATS beside one in a file: both with the same full store, which is filled here as there."""
        o, streamed = self.o, self.streamed
        streamed.start_nats()
        streamed.start(NEVER)
        streamed.fill(self.group, o.groups, o.lines)
        streamed.stop()
        note("durable: %d times %g s of pushes over %d connections to a log in NATS and to one in a file" % (o.runs, o.seconds, o.connections))
        runs = {self.receiver: [], streamed: []}
        for _ in range(o.runs):
            for receiver, found in runs.items():
                receiver.start(NEVER)
                before = receiver.child.rss_mb()
                run = receiver.push_for(self.three, o.groups)
                run.update(rss_before=before, rss_after=receiver.child.rss_mb())
                found.append(run)
                receiver.stop()
        files, streams = runs[self.receiver], runs[streamed]
        for name, unit, key in (("", "pushes/s", "rate"), ("_p50", "ms", "p50_ms"), ("_p99", "ms", "p99_ms"), ("_max", "ms", "max_ms"),
                                ("_cpu", "us/push", "server_cpu_us"), ("_rss_before", "MB", "rss_before"), ("_rss_after", "MB", "rss_after")):
            base = statistics.median(column(files, key))
            print_result("durable.stream.push" + name, unit, column(streams, key), peer="a log in a file", peer_value=base,
                         ratio=statistics.median(column(streams, key)) / base)
        print_result("durable.stream.push_nats_cpu", "us/push", column(streams, "nats_cpu_us"))
        self.recover_stream()

    def recover_stream(self):
        o, streamed = self.o, self.streamed
        note("durable: %d pushes behind the snapshot, then %d crashes" % (o.entries, o.runs))
        streamed.start(NEVER)
        streamed.push(self.three, o.groups, "--count", o.entries, "--timeout", 120)
        ready, replay = [], []
        for _ in range(o.runs):
            streamed.crash()
            ready.append(streamed.start(NEVER))
            said = CAUGHT_UP.search(streamed.child.log.read_text())
            if said is None or int(said[1]) != o.entries:
                raise BenchError("not all of %d entries came back: %s" % (o.entries, streamed.child.tail()))
            replay.append(int(said[2]) / 1e3)
        streamed.stop()
        print_result("durable.stream.recovery.ready", "s", ready)
        print_result("durable.stream.recovery.replay", "s", replay)

    def stop(self):
        self.receiver.stop()
        self.streamed.stop()
        if self.streamed.nats is not None:
            self.streamed.nats.stop()

    def run(self):
        self.fill()
        for part in self.o.part:
            getattr(self, "bench_" + part)()


def check_disk(o, folder):
    """A sync to memory costs nothing, and a figure of that would say nothing."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], check=True, capture_output=True, text=True).stdout.strip()
    if kind in ("tmpfs", "ramfs") and not o.smoke:
        raise BenchError("%s is in memory (%s): name a folder on a disk with --log-folder" % (folder, kind))


def main():
    o = options()
    folder = o.keep or pathlib.Path(tempfile.mkdtemp(prefix="gravel-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = None
    log_folder = None
    try:
        log_folder = tempfile.mkdtemp(prefix="gravel-bench-log-", dir=str(o.log_folder or folder))
        check_disk(o, log_folder)
        bench = Bench(o, folder, log_folder)
        bench.run()
    except BenchError as e:
        sys.exit("durable: %s" % e)
    except FileNotFoundError as e:
        sys.exit("durable: %s is not there: build it first" % e.filename)
    except OSError as e:
        sys.exit("durable: a program stopped answering: %s" % e)
    finally:
        if bench is not None:
            bench.stop()
        if log_folder is not None:
            shutil.rmtree(log_folder, ignore_errors=True)
        if o.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
