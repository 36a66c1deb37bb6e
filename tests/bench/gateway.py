#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pushes into gravel-receiver and what they leave there, beside a real Pushgateway that is given the same in the same run.

Prints one JSON line a figure (docs/BENCHMARKS.md says what each means); progress goes to stderr. Client and server share the cores.
"""
import argparse
import json
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

import benchlib
import capture
from benchlib import BenchError, Child, note, print_result

PEER = "pushgateway"
SECTIONS = ["push", "node", "series", "full"]
THREE = """# TYPE bench_jobs_total counter
bench_jobs_total{kind="nightly"} 1
# TYPE bench_last_success_timestamp_seconds gauge
bench_last_success_timestamp_seconds{kind="nightly"} 1.7e+09
# TYPE bench_size_bytes gauge
bench_size_bytes{kind="nightly"} 123456
"""
FAMILY = 14  # samples of a family in a group: a histogram, or as many counters
FEW = 16  # groups of pushes into an empty store
OWN_MAX = 2000  # samples that a server may have of its own


def options():
    p = argparse.ArgumentParser(description="bench of pushes and of rendering what was pushed")
    p.add_argument("--build", type=pathlib.Path, default=benchlib.ROOT / "build", help="build folder (build)")
    p.add_argument("--groups", type=int, default=10000, help="groups of the full store (10000; 5 digits at most)")
    p.add_argument("--peer-groups", type=int, help="groups of the full Pushgateway (as many), where memory is short")
    p.add_argument("--lines", type=int, default=109, help="samples of each (109)")
    p.add_argument("--one-family", action="store_true", help="all series of the full store in one family: the worst there is")
    p.add_argument("--series", type=int, default=100000, help="samples of the one large body (100000)")
    p.add_argument("--runs", type=int, default=5, help="of each measurement (5)")
    p.add_argument("--seconds", type=float, default=2, help="of a run of pushes (2)")
    p.add_argument("--connections", type=int, default=16)
    p.add_argument("--prefix", default="/metrics", help="our dialect: /metrics or /pushgateway/metrics (/metrics)")
    p.add_argument("--log", choices=["memory", "file"], default="memory", help="receiver.log.kind; file syncs to a real disk (memory)")
    p.add_argument("--log-folder", type=pathlib.Path, help="where that log stands (beside the configuration, which may be no real disk)")
    p.add_argument("--only", choices=SECTIONS, action="append", help="measure only this (may be repeated)")
    p.add_argument("--no-peer", action="store_true", help="without the Pushgateway")
    p.add_argument("--body", type=pathlib.Path, help="exposition of a node_exporter (captured from one)")
    p.add_argument("--smoke", action="store_true", help="tiny and quick: does it work at all")
    p.add_argument("--keep", type=pathlib.Path, help="keep configs and logs in this folder")
    o = p.parse_args()
    if o.smoke:
        o.groups, o.series, o.runs, o.seconds = 20, 1000, 2, 0.1
    o.peer_groups = o.peer_groups or o.groups
    o.only = o.only or SECTIONS
    if min(o.groups, o.peer_groups, o.lines, o.series, o.runs) < 1 or o.seconds <= 0 or o.groups > 99999:
        p.error("groups (at most 99999), lines, series, runs and seconds must be positive")
    return o


class Server:
    """One of the two under load. A started one has an address and an empty store."""

    def __init__(self, o, folder):
        self.o = o
        self.folder = folder
        self.child = None

    def listen(self):
        self.address = "127.0.0.1:%d" % benchlib.free_port()
        return self.address

    def started(self, *argv):
        self.child = Child(self.name, argv, self.folder)
        benchlib.wait_for(self.name, lambda: benchlib.get("http://%s%s" % (self.address, self.ready)), 60, self.child)

    def stop(self):
        if self.child is not None:
            self.child.stop()
            self.child = None

    def tool(self, name, *argv):
        """Run a client against it; its JSON lines."""
        words = [str(a) for a in (self.o.build / "bench" / name, "--connect", self.address, *argv)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError("%s against %s: %s%s" % (name, self.name, done.stderr, self.child.tail()))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def push_args(self, body, groups, *more):
        return ["--path", self.path, "--body", body, "--groups", groups, *more]

    def push(self, body, groups, *more):
        return self.tool("push_load", *self.push_args(body, groups, "--connections", self.o.connections, *more))[0]

    def push_for(self, body, groups, *more):
        """A run of pushes, and what CPU one of them cost the server."""
        cpu = self.child.cpu_seconds_fine()
        run = self.push(body, groups, "--warmup", 0, *(more or ("--duration", self.o.seconds)))
        run["server_cpu_us"] = 1e6 * (self.child.cpu_seconds_fine() - cpu) / run["pushes"]
        return run

    def scrape(self, *more):
        """One scrape, and what CPU it cost the server."""
        cpu = self.child.cpu_seconds_fine()
        run = self.tool("scrape_load", "--count", 1, "--timeout", 120, *more)[0]
        run["cpu_s"] = self.child.cpu_seconds_fine() - cpu
        return run

    def fill(self, body, groups, lines):
        """Push the body to each group once, and see that all of it is there."""
        self.push(body, groups, "--count", groups, "--timeout", 120)

        def there():
            found = self.scrape("--lines")["samples"]
            if found > groups * (lines + 2) + OWN_MAX:
                raise BenchError("%s has %d samples, more than were pushed" % (self.name, found))
            return found >= groups * lines
        benchlib.wait_for("%s: all that was pushed" % self.name, there, 60, self.child)


class Ours(Server):
    name = "gravel-receiver"
    ready = "/-/ready"

    def start(self):
        self.path = self.o.prefix + "/job/bench/instance/i{}"
        config = self.folder / "receiver.yaml"
        log = "{kind: memory}"
        if self.o.log == "file":
            self.log_folder = tempfile.mkdtemp(dir=str(self.o.log_folder or self.folder))
            log = "{kind: file, path: %s}" % self.log_folder
        config.write_text("identity: bench\nreceiver:\n  listen: %s\n  log: %s\n" % (self.listen(), log))
        self.started(self.o.build / "bin" / "gravel-receiver", "--config", config)


class Peer(Server):
    name = PEER
    ready = "/-/ready"
    path = "/metrics/job/bench/instance/i{}"

    def start(self, *more):
        program = benchlib.find_program("GRAVEL_PUSHGATEWAY", ["prometheus-pushgateway", "pushgateway"], "prometheus-pushgateway")
        self.started(program, "--web.listen-address=%s" % self.listen(), "--log.level=warn",
                     *(more or ["--persistence.file="]))


def beside(name, unit, ours, peers):
    """Our figures, beside the median of the Pushgateway's where there are any."""
    more = {}
    if peers:
        peer = statistics.median(peers)
        more = {"peer": PEER, "peer_value": peer, "peer_min": min(peers), "peer_max": max(peers)}
        more["ratio"] = statistics.median(ours) / peer if peer else 0.0
    print_result("gateway." + name, unit, [float(v) for v in ours], **more)


def against(name, unit, with_it, without, label):
    """Figures of ours under some load, beside the same without it."""
    base = statistics.median(without)
    print_result("gateway." + name, unit, with_it, peer=label, peer_value=base, ratio=statistics.median(with_it) / base)


def column(runs, key):
    return [run[key] for run in runs]


def three_lines(text):
    """Of what every group of the full store has, so that a push of them changes a family of all groups."""
    lines = iter(text.splitlines(keepends=True))
    for line in lines:
        if line.startswith("# TYPE") and line.split()[-1] in ("counter", "gauge"):
            return line + "".join(sample for sample, _ in zip(lines, range(3)))
    raise BenchError("no counter or gauge in the body of a group")


class Bench:
    def __init__(self, o, folder):
        self.o = o
        self.folder = folder
        self.ours = Ours(o, folder)
        self.peer = None if o.no_peer else Peer(o, folder)
        self.servers = [s for s in (self.ours, self.peer) if s is not None]
        self.three = self.write("three.txt", THREE)
        self.group_body = self.made_up("group.txt", o.lines, *([] if o.one_family else ["--family", FAMILY]))
        self.spread = self.write("spread.txt", three_lines(self.group_body.read_text()))

    def write(self, name, text):
        file = self.folder / name
        file.write_text(text)
        return file

    def made_up(self, name, series, *more):
        words = [str(w) for w in (self.o.build / "bench" / "bench_body", "--series", series, *more)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        return self.write(name, done.stdout)

    def start(self):
        for server in self.servers:
            server.start()

    def stop(self):
        for server in self.servers:
            server.stop()

    def each(self, measure):
        """Both servers in turn, run after run, so that what disturbs the machine disturbs both. Their runs, none without the peer."""
        runs = {server: [] for server in self.servers}
        for _ in range(self.o.runs):
            for server in self.servers:
                runs[server].append(measure(server))
        return runs[self.ours], runs.get(self.peer, [])

    def push_figures(self, name, ours, peers):
        beside(name, "pushes/s", column(ours, "rate"), column(peers, "rate"))
        for key in ("p50", "p99"):
            beside("%s_%s" % (name, key), "ms", column(ours, key + "_ms"), column(peers, key + "_ms"))
        beside(name + "_cpu", "us/push", column(ours, "server_cpu_us"), column(peers, "server_cpu_us"))

    def bench_push(self):
        note("gateway: pushes of 3 lines into an empty store")
        self.start()
        for server in self.servers:
            server.push(self.three, FEW, "--count", FEW)
        ours, peers = self.each(lambda server: server.push_for(self.three, FEW))
        self.stop()
        self.empty_rate = statistics.median(column(ours, "rate"))
        self.push_figures("push.empty", ours, peers)
        print_result("gateway.push.client_cpu", "us/push", column(ours, "cpu_us"))

    def bench_node(self):
        note("gateway: bodies of a node_exporter")
        samples = sum(line[0] != "#" for line in self.o.body.read_text().splitlines() if line)
        self.start()
        ours, peers = self.each(lambda server: server.push_for(self.o.body, FEW))
        self.stop()
        self.push_figures("node.bodies", ours, peers)
        beside("node.samples", "samples/s", [r * samples for r in column(ours, "rate")],
               [r * samples for r in column(peers, "rate")])

    def bench_series(self):
        note("gateway: one body of %d series" % self.o.series)
        body = self.made_up("series.txt", self.o.series)
        self.start()

        def push(server):
            return server.tool("push_load", *server.push_args(body, 1, "--count", 1, "--connections", 1, "--timeout", 120))[0]
        first = {server: push(server) for server in self.servers}
        ours, peers = self.each(push)
        self.stop()
        beside("series.first", "ms", [first[self.ours]["max_ms"]], [first[self.peer]["max_ms"]] if self.peer else [])
        beside("series.again", "ms", column(ours, "max_ms"), column(peers, "max_ms"))

    def renders(self, server):
        """What scrapes cost after a change of what is rendered, and without one."""
        found = {}
        for zipped in ([], ["--gzip"]):
            changed, same = [], []
            for _ in range(self.o.runs):
                server.push(self.spread, 1, "--count", 1, "--connections", 1, "--timeout", 120)
                changed.append(server.scrape(*zipped))
                same.append(server.scrape(*zipped))
            found["gzip" if zipped else "identity"] = (changed, same)
        return found

    def fill_peer(self):
        """Without its check a push costs it no time for every series stored; the file then carries the state into one that checks."""
        state = self.folder / "pushgateway.state"
        groups = self.o.peer_groups
        self.peer.start("--push.disable-consistency-check", "--persistence.file=%s" % state)
        self.peer.fill(self.group_body, groups, self.o.lines)
        figures = {"rss": self.peer.child.rss_mb(), "renders": self.renders(self.peer)}
        figures["rss_later"] = self.peer.child.rss_mb()
        self.peer.stop()
        self.peer.start("--persistence.file=%s" % state)
        figures["pushes"] = [self.peer.push_for(self.three, 1, "--count", self.o.runs, "--connections", 1, "--timeout", 120)]
        self.peer.stop()
        return figures

    def memory_figures(self, rss, rss_later, peer):
        series = self.o.groups * self.o.lines
        peer_series = self.o.peer_groups * self.o.lines
        for name, ours, theirs in (("filled", rss, peer.get("rss")), ("rendered", rss_later, peer.get("rss_later"))):
            beside("memory.%s.rss" % name, "MB", [ours], [theirs] if theirs else [])
            beside("memory.%s" % name, "bytes/series", [1e6 * ours / series], [1e6 * theirs / peer_series] if theirs else [])

    def render_figures(self, ours, peers):
        for encoding, (changed, same) in ours.items():
            other = peers.get(encoding, ([], []))
            for name, mine, theirs in (("changed", changed, other[0]), ("unchanged", same, other[1])):
                name = "render.%s.%s" % (encoding, name)
                beside(name, "ms", column(mine, "ms"), column(theirs, "ms"))
                beside(name + ".first_byte", "ms", column(mine, "first_ms"), column(theirs, "first_ms"))
                beside(name + ".cpu", "ms", [1000 * v for v in column(mine, "cpu_s")], [1000 * v for v in column(theirs, "cpu_s")])
                if encoding == "identity":
                    beside(name + ".rate", "MB/s", [r["bytes"] / 1e3 / r["ms"] for r in mine],
                           [r["bytes"] / 1e3 / r["ms"] for r in theirs])

    def mixed_figures(self):
        """Pushes without and with a scraper that never stops, and scrapes without and with pushes that never stop."""
        alone, loaded, renders_alone, renders_loaded = [], [], [], []
        server = self.ours
        for _ in range(self.o.runs):
            alone.append(server.push_for(self.spread, self.o.groups))
            renders_alone.append(server.scrape())
            scraper = Child("scraper", [self.o.build / "bench" / "scrape_load", "--connect", server.address, "--duration",
                                        self.o.seconds + 0.3], self.folder)
            try:
                loaded.append(server.push_for(self.spread, self.o.groups))
                if scraper.process.wait(120) != 0:
                    raise BenchError(scraper.tail())
            finally:
                scraper.stop()
            renders_loaded += [json.loads(line) for line in scraper.log.read_text().splitlines()[:-1] or
                               scraper.log.read_text().splitlines()]
        against("mixed.push", "pushes/s", column(loaded, "rate"), column(alone, "rate"), "without a scraper")
        against("mixed.push_p99", "ms", column(loaded, "p99_ms"), column(alone, "p99_ms"), "without a scraper")
        against("mixed.push_max", "ms", column(loaded, "max_ms"), column(alone, "max_ms"), "without a scraper")
        against("mixed.render", "ms", column(renders_loaded, "ms"), column(renders_alone, "ms"), "without pushes")

    def bench_full(self):
        o = self.o
        note("gateway: %d groups of %d series" % (o.groups, o.lines))
        peer = {}
        if self.peer:
            peer = self.fill_peer()
        self.ours.start()
        self.ours.push(self.group_body, o.groups, "--count", o.groups, "--timeout", 120)
        rss = self.ours.child.rss_mb()
        self.ours.fill(self.group_body, o.groups, o.lines)
        self.ours.push(self.three, FEW, "--count", FEW)
        full = [self.ours.push_for(self.three, FEW) for _ in range(o.runs)]
        self.push_figures("push.full", full, peer.get("pushes", []))
        if hasattr(self, "empty_rate"):
            against("push.full_beside_empty", "pushes/s", column(full, "rate"), [self.empty_rate], "push.empty")
        self.push_figures("push.spread", [self.ours.push_for(self.spread, o.groups) for _ in range(o.runs)], [])
        renders = self.renders(self.ours)
        self.memory_figures(rss, self.ours.child.rss_mb(), peer)
        self.render_figures(renders, peer.get("renders", {}))
        self.mixed_figures()
        self.ours.stop()

    def run(self):
        for section in self.o.only:
            getattr(self, "bench_" + section)()


def main():
    o = options()
    folder = o.keep or pathlib.Path(tempfile.mkdtemp(prefix="gravel-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = None
    try:
        if o.body is None:
            o.body = folder / "body.txt"
            capture.capture(o.body)
        bench = Bench(o, folder)
        bench.run()
    except BenchError as e:
        sys.exit("gateway: %s" % e)
    except FileNotFoundError as e:
        sys.exit("gateway: %s is not there: build it first" % e.filename)
    except OSError as e:
        sys.exit("gateway: a program stopped answering: %s" % e)
    finally:
        if bench is not None:
            bench.stop()
        if o.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
