#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The poller alone, with as many targets as a datacenter has: fake targets -> gravel-poller -> real NATS JetStream, and a real Prometheus
on the same targets in the same run. Nobody consumes the stream: what a receiver costs is pipeline.py's to say.

Parts: "many" (10,000 targets), "reload" (SIGHUP every second on top of that), "big" (one target of 100,000 series every second), "ill" (targets
that hang, refuse and trickle beside good ones). Prints one JSON line a figure (docs/BENCHMARKS.md); progress and verdicts go to stderr.
"""
import argparse
import copy
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import benchlib
import pipeline
from benchlib import BenchError, note, print_result

PARTS = ("many", "big", "ill")
METRICS = pipeline.POLLER_METRICS + ["gravel_scrape_delay_seconds"]


def options():
    p = argparse.ArgumentParser(description="bench of the poller with many targets, large ones and ill ones")
    p.add_argument("--build", type=pathlib.Path, default=benchlib.ROOT / "build", help="build folder (build)")
    p.add_argument("--body", type=pathlib.Path, help="exposition to serve (captured from node_exporter)")
    p.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated (all)")
    p.add_argument("--targets", type=int, default=10000)
    p.add_argument("--interval", type=float, default=15, help="their scrape interval in seconds (15)")
    p.add_argument("--peer-targets", type=int, default=2500,
                   help="as many of them are Prometheus', which needs 4 GB for a million series (2500)")
    p.add_argument("--series", type=int, default=100000, help="of the one large target (100000)")
    p.add_argument("--ill", type=int, default=1000, help="targets of each kind of ill ones, and good ones (1000)")
    p.add_argument("--windows", type=int, default=2, help="windows of an interval; --long: ten minutes of them (2)")
    p.add_argument("--reload", type=int, default=10, help="seconds of SIGHUP every second; --long: 60 (10)")
    p.add_argument("--moving", type=float, default=0.3, help="share of samples that change (0.3)")
    p.add_argument("--no-peer", action="store_true", help="without Prometheus")
    p.add_argument("--long", action="store_true", help="ten minutes of each part")
    p.add_argument("--smoke", action="store_true", help="tiny and quick: does it work at all")
    p.add_argument("--keep", type=pathlib.Path, help="keep configs and logs in this folder")
    o = p.parse_args()
    if o.smoke:
        o.targets, o.interval, o.peer_targets, o.series, o.ill, o.windows, o.reload = 20, 1, 10, 2000, 10, 2, 2
    o.seconds = 600 if o.long else None
    o.reload = 60 if o.long else o.reload
    o.part = o.part or PARTS
    return o


class Stage(pipeline.Stage):
    """The stage of one part: its own targets, server and poller. A window has as many scrapes as changes say, one without."""

    def __init__(self, o, folder, name, **changes):
        o = copy.copy(o)
        vars(o).update({"scrapes": 1}, **changes)
        o.one_address = o.targets == 1
        o.window = o.scrapes * o.interval
        o.windows = max(o.windows, int(o.seconds / o.window)) if o.seconds else o.windows
        self.name = name
        folder = folder / name
        folder.mkdir()
        super().__init__(o, folder)

    def begin(self, jobs=pipeline.job_yaml):
        self.start_nats()
        self.start_targets()
        self.start_poller(jobs)
        note("scale: %s: %d targets every %g s, %d samples each; warming up" %
             (self.name, self.o.targets, self.o.interval, self.stats()["samples"]))
        benchlib.wait_for("all targets scraped", lambda: self.stats()["never_scraped"] == 0, 2 * self.o.interval + 30, self.poller)
        time.sleep(self.o.interval)

    def poller_metrics(self):
        """The sum of each metric, and how many scrapes began later than a second."""
        text = benchlib.get(benchlib.query(self.poller_url, METRICS))
        found = benchlib.samples(text)
        early = [float(line.split()[-1]) for line in text.splitlines() if line.startswith('gravel_scrape_delay_seconds_bucket{le="1"}')]
        found["delayed"] = found["gravel_scrape_delay_seconds_count"] - early[0]
        return found


class Shot:
    def __init__(self, stage, child=None):
        child = child or stage.poller
        self.at = time.monotonic()
        self.cpu = child.cpu_seconds_fine()
        self.rss = child.rss_mb()
        self.requests = stage.stats()["requests"]
        self.metrics = stage.poller_metrics() if child is stage.poller else {}


def take(stage, child=None):
    """Neighbouring windows, and what the targets saw in all of them."""
    benchlib.get(stage.targets_url + "/reset")
    start, shots = time.monotonic(), [Shot(stage, child)]
    for i in range(stage.o.windows):
        time.sleep(max(0, start + (i + 1) * stage.o.window - time.monotonic()))
        shots.append(Shot(stage, child))
    return list(zip(shots, shots[1:])), stage.stats()


def microseconds(windows, samples):
    """CPU for one sample: a window's CPU, and the scrapes that the targets counted in it."""
    per = [(b.cpu - a.cpu) / ((b.requests - a.requests) * samples) * 1e6 for a, b in windows if b.requests > a.requests]
    if not per:
        raise BenchError("nothing was scraped in a window")
    return per


def total(windows, name):
    return windows[-1][1].metrics.get(name, 0.0) - windows[0][0].metrics.get(name, 0.0)


def print_times(name, stage, windows, stats):
    """Whether scrapes came when they should: the targets' own clock, and what the poller says."""
    found = {"missed": stats["missed"] + stats["never_scraped"], "late": stats["late"], "delayed": total(windows, "delayed"),
             "skipped": total(windows, "gravel_scrapes_skipped_total")}
    print_result("scale.%s.scrapes" % name, "count", [float(stats["requests"])])
    for what, count in found.items():
        print_result("scale.%s.%s" % (name, what), "count", [float(count)])
    print_result("scale.%s.largest_gap" % name, "intervals", [stats["max_gap_ms"] / 1000 / stage.o.interval])
    return found


def print_losses(name, windows):
    lost = {"failed": total(windows, "gravel_scrape_failures_total"),
            "dropped": sum(total(windows, "gravel_publish_%s_total" % what) for what in ("errors", "replaced", "dropped"))}
    for what, count in lost.items():
        print_result("scale.%s.%s" % (name, what), "count", [float(count)])
    return lost


def verdict(name, found):
    bad = {k: int(v) for k, v in found.items() if v}
    note("scale: %s: lost or late: %s" % (name, bad or "none"))


def print_cpu(name, stage, windows, peer):
    """CPU of the poller for a sample, and of Prometheus on (some of) the same targets."""
    ours = microseconds(windows, stage.stats()["samples"])
    more = {}
    if peer:
        theirs = sorted(peer[0])[len(peer[0]) // 2]
        more = {"peer": "Prometheus on %d of the targets" % peer[2], "peer_value": theirs,
                "ratio": sorted(ours)[len(ours) // 2] / theirs}
        print_result("scale.%s.rss_prometheus" % name, "MB", [peer[1]], targets=peer[2])
    print_result("scale.%s.cpu" % name, "us/sample", ours, **more)
    print_result("scale.%s.cpu_percent" % name, "percent of one core", [100 * (b.cpu - a.cpu) / (b.at - a.at) for a, b in windows])
    print_result("scale.%s.rss" % name, "MB", [b.rss for _, b in windows])


def head_series(stage):
    return benchlib.samples(benchlib.get(stage.prometheus_url + "/metrics"))["prometheus_tsdb_head_series"]


def prometheus(stage, targets):
    """CPU for a sample and memory of a Prometheus on the first so many targets, when it has had all series for two intervals; and how many."""
    if stage.o.no_peer:
        return None
    targets = min(targets, stage.o.targets)
    note("scale: %s: Prometheus on %d targets" % (stage.name, targets))
    child = stage.start_prometheus(targets)
    series = targets * stage.stats()["samples"]
    benchlib.wait_for("all series in Prometheus", lambda: head_series(stage) >= series, 20 * stage.o.interval + 60, child)
    time.sleep(max(2 * stage.o.interval, 5))
    windows, stats = take(stage, child)
    found = microseconds(windows, stats["samples"]), windows[-1][1].rss, targets
    child.stop()
    return found


def descriptors(child):
    return len(os.listdir("/proc/%d/fd" % child.process.pid))


def reload(stage):
    """SIGHUP every second; at every second one a job has come or gone."""
    file = stage.folder / "poller.yaml"
    text = file.read_text()
    other = text + "  more:\n    targets:\n      - {name: more, url: \"%s/t/0/metrics\"}\n" % stage.targets_url
    before = descriptors(stage.poller)
    benchlib.get(stage.targets_url + "/reset")
    first, begin = Shot(stage), time.monotonic()
    for i in range(stage.o.reload):
        file.write_text(other if i % 2 == 0 else text)
        stage.poller.process.send_signal(signal.SIGHUP)
        time.sleep(max(0, begin + i + 1 - time.monotonic()))
    file.write_text(text)
    stage.poller.process.send_signal(signal.SIGHUP)
    # As long as it takes until each target shows whether it was scraped in time.
    time.sleep(stage.o.interval + 1)
    last, stats = Shot(stage), stage.stats()
    reloads = stage.poller.log.read_text().count("the configuration was read again")
    print_result("scale.reload.reloads", "count", [float(reloads)])
    print_result("scale.reload.cpu_percent", "percent of one core", [100 * (last.cpu - first.cpu) / (last.at - first.at)])
    found = print_times("reload", stage, [(first, last)], stats)
    found.update(print_losses("reload", [(first, last)]))
    found["descriptors"] = descriptors(stage.poller) - before
    print_result("scale.reload.descriptors", "count", [float(found["descriptors"])])
    print_result("scale.reload.rss", "MB", [last.rss])
    verdict("reload", found)


def many(o, folder):
    stage = Stage(o, folder, "many")
    try:
        stage.begin()
        windows, stats = take(stage)
        found = print_times("many", stage, windows, stats)
        found.update(print_losses("many", windows))
        verdict("many", found)
        print_result("scale.many.descriptors", "count", [float(descriptors(stage.poller))])
        reload(stage)
        stage.poller.stop()
        print_cpu("many", stage, windows, prometheus(stage, o.peer_targets))
    finally:
        stage.stop()


def big(o, folder):
    body = folder / "series.txt"
    with open(body, "wb") as out:
        subprocess.run([str(o.build / "bench" / "bench_body"), "--series", str(o.series)], stdout=out, check=True)
    stage = Stage(o, folder, "big", targets=1, interval=1, body=body, scrapes=1 if o.smoke else 5)
    try:
        stage.begin()
        windows, stats = take(stage)
        found = print_times("big", stage, windows, stats)
        found.update(print_losses("big", windows))
        verdict("big", found)
        stage.poller.stop()
        print_cpu("big", stage, windows, prometheus(stage, 1))
    finally:
        stage.stop()


def ill_yaml(o, targets_url):
    """The good ones, and as many of each kind of ill ones, in jobs of their own."""
    port = targets_url.rpartition(":")[2]
    lines = pipeline.job_yaml(o, targets_url)
    for number, (name, at) in enumerate((("hang", port), ("trickle", port), ("refuse", "1"))):
        lines += ["  %s:" % name, "    targets:"]
        lines += ["      - {name: %s%d, url: \"http://127.%d.%d.%d:%s/%s/%d\"}" % (name, i, 2 + number, *divmod(i + 1, 256), at, name, i)
                  for i in range(o.ill)]
    return lines


def ill(o, folder):
    stage = Stage(o, folder, "ill", targets=o.ill)
    try:
        stage.begin(ill_yaml)
        windows, stats = take(stage)
        found = print_times("ill", stage, windows, stats)
        print_result("scale.ill.failed", "count", [total(windows, "gravel_scrape_failures_total")])
        print_result("scale.ill.cpu_percent", "percent of one core", [100 * (b.cpu - a.cpu) / (b.at - a.at) for a, b in windows])
        print_result("scale.ill.rss", "MB", [b.rss for _, b in windows])
        verdict("ill", found)
    finally:
        stage.stop()


def main():
    o = options()
    folder = o.keep or pathlib.Path(tempfile.mkdtemp(prefix="gravel-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        pipeline.ensure_body(o, folder)
        for part in o.part:
            {"many": many, "big": big, "ill": ill}[part](o, folder)
    except BenchError as e:
        sys.exit("scale: %s" % e)
    except FileNotFoundError as e:
        sys.exit("scale: %s is not there: build it first" % e.filename)
    except OSError as e:
        sys.exit("scale: a program stopped answering: %s" % e)
    finally:
        if o.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
