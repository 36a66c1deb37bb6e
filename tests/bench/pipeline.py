#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole way under load: many fake targets -> gravel-poller -> real NATS JetStream -> gravel-receiver.

Prints one JSON line a figure (docs/BENCHMARKS.md says what each means); progress and verdicts go to stderr. CPU is measured
in windows without a reader, the time until a value is visible in windows of its own, because reading costs the receiver CPU.
"""
import argparse
import base64
import json
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import zlib

import benchlib
import capture
from benchlib import BenchError, Child, note, print_result

SERVED = "bench_served_timestamp_seconds"
POLLER_METRICS = ["gravel_scrapes_total", "gravel_scrape_failures_total", "gravel_scrapes_skipped_total",
                  "gravel_scrape_samples_total", "gravel_published_bytes_total", "gravel_publish_errors_total",
                  "gravel_publish_replaced_total", "gravel_publish_dropped_total"]
RECEIVER_METRICS = ["gravel_applied_scrapes_total", "gravel_dropped_scrapes_total", "gravel_lag_seconds"]


def options():
    p = argparse.ArgumentParser(description="bench of the whole way, scrape to visible")
    p.add_argument("--build", type=pathlib.Path, default=benchlib.ROOT / "build", help="build folder (build)")
    p.add_argument("--targets", type=int, default=1000)
    p.add_argument("--interval", type=float, default=15, help="scrape interval in seconds (15)")
    p.add_argument("--windows", type=int, default=5, help="windows, for CPU and again for latency (5)")
    p.add_argument("--window", type=float, help="seconds of a window (one interval)")
    p.add_argument("--poll-ms", type=int, default=20, help="how often the prober looks (20)")
    p.add_argument("--moving", type=float, default=0.3, help="share of samples that change (0.3)")
    p.add_argument("--one-address", action="store_true", help="all targets on 127.0.0.1, so that few connections serve them")
    p.add_argument("--body", type=pathlib.Path, help="exposition to serve (captured from node_exporter)")
    p.add_argument("--prometheus", action="store_true", help="also let a real Prometheus scrape the same targets")
    p.add_argument("--smoke", action="store_true", help="tiny and quick: does it work at all")
    p.add_argument("--keep", type=pathlib.Path, help="keep configs and logs in this folder")
    o = p.parse_args()
    if o.smoke:
        o.targets, o.interval, o.windows, o.window = 20, 1, 2, 2
    o.window = o.window or o.interval
    if o.targets < 1 or o.interval < 0.1 or o.windows < 1 or o.window <= 0:
        p.error("targets, interval, windows and window must be positive")
    return o


def target_host(o, targets_url, i):
    """A target has an address of its own, unless --one-address."""
    host, _, port = targets_url[len("http://"):].partition(":")
    if not o.one_address:
        host = "127.1.%d.%d" % divmod(i + 1, 256)
    return "%s:%s" % (host, port)


def job_yaml(o, targets_url):
    lines = ["jobs:", "  bench:", "    targets:"]
    lines += ["      - {name: t%d, url: \"http://%s/t/%d/metrics\"}" % (i, target_host(o, targets_url, i), i)
              for i in range(o.targets)]
    return lines


class Stage:
    """All processes of one run. Ended in the order they were started, last one first."""

    def __init__(self, o, folder):
        self.o = o
        self.folder = folder
        self.children = []

    def start(self, name, *argv):
        child = Child(name, argv, self.folder)
        self.children.append(child)
        return child

    def stop(self):
        for child in reversed(self.children):
            child.stop()

    def start_nats(self):
        program = benchlib.find_program("GRAVEL_NATS_SERVER", ["nats-server"], "nats-server")
        self.nats = self.start("nats-server", program, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", self.folder / "js",
                               "--ports_file_dir", self.folder)

        def ports():
            files = list(self.folder.glob("*.ports"))
            return files and json.loads(files[0].read_text())["nats"][0]
        self.nats_url = benchlib.wait_for("nats-server", ports, 20, self.nats)

    def start_targets(self):
        self.targets = self.start("target_server", self.o.build / "bench" / "target_server", "--body", self.o.body,
                                  "--targets", self.o.targets, "--moving", self.o.moving, "--interval-ms",
                                  int(self.o.interval * 1000), *([] if self.o.one_address else ["--spread"]))
        line = benchlib.wait_for("target_server", lambda: self.targets.log.read_text().partition("\n")[0], 10, self.targets)
        self.targets_url = "http://" + line.split()[-1]

    def write_config(self, name, lines):
        file = self.folder / (name + ".yaml")
        file.write_text("\n".join(lines) + "\n")
        return file

    def start_receiver(self):
        self.receiver_url = "http://127.0.0.1:%d" % benchlib.free_port()
        config = self.write_config("receiver", [
            "identity: bench",
            "scrape_interval: %dms" % (self.o.interval * 1000),
            "receiver_stream:", "  urls: [\"%s\"]" % self.nats_url, "  topic: bench",
            "receiver:", "  listen: %s" % self.receiver_url[len("http://"):],
            "  log: {path: %s}" % (self.folder / "receiver-log")])
        self.receiver = self.start("gravel-receiver", self.o.build / "bin" / "gravel-receiver", "--config", config)
        benchlib.wait_for("gravel-receiver", lambda: self.receiver_metrics(), 20, self.receiver)

    def start_poller(self):
        port = benchlib.free_port()
        self.poller_url = "http://127.0.0.1:%d" % port
        config = self.write_config("poller", [
            "identity: bench",
            "scrape_interval: %dms" % (self.o.interval * 1000),
            "scrape_timeout: %dms" % (min(10, self.o.interval) * 1000),
            "monitor_port: %d" % port,
            "poller_stream:", "  urls: [\"%s\"]" % self.nats_url, "  topic: bench"] +
            job_yaml(self.o, self.targets_url))
        self.poller = self.start("gravel-poller", self.o.build / "bin" / "gravel-poller", "--config", config)
        benchlib.wait_for("gravel-poller", lambda: self.poller_metrics(), 20, self.poller)

    def poller_metrics(self):
        return benchlib.samples(benchlib.get(benchlib.query(self.poller_url, POLLER_METRICS)))

    def receiver_metrics(self):
        return benchlib.samples(benchlib.get(benchlib.query(self.receiver_url, RECEIVER_METRICS)))

    def stats(self):
        return json.loads(benchlib.get(self.targets_url + "/stats"))

    def visible(self):
        """How many targets can be read at the receiver; a receiver that ignores the filter would spoil every figure."""
        text = benchlib.get(benchlib.query(self.receiver_url, [SERVED]))
        lines = [line for line in text.splitlines() if line and line[0] != "#"]
        if any(not line.startswith(SERVED) for line in lines):
            raise BenchError("gravel-receiver ignores the filter ?name[]=")
        return len(lines)

    def warm_up(self):
        """Until every target was seen once, and then one interval more."""
        seconds = 3 * self.o.interval + 30
        benchlib.wait_for("all targets visible", lambda: self.visible() == self.o.targets, seconds, self.receiver)
        time.sleep(self.o.interval)


class Snapshot:
    def __init__(self, stage):
        self.at = time.monotonic()
        self.cpu = {c.name: c.cpu_seconds() for c in (stage.poller, stage.receiver, stage.nats, stage.targets)}
        self.rss = {c.name: c.rss_mb() for c in (stage.poller, stage.receiver)}
        self.metrics = {**stage.receiver_metrics(), **stage.poller_metrics()}


def delta(before, after, name):
    return after.metrics.get(name, 0.0) - before.metrics.get(name, 0.0)


def deltas(windows, name):
    return [delta(a, b, name) for a, b in windows]


def cpu_percent(windows, *names):
    return [100 * sum(b.cpu[n] - a.cpu[n] for n in names) / (b.at - a.at) for a, b in windows]


def take_windows(stage):
    """Neighbouring windows, so that nothing between them goes unseen."""
    benchlib.get(stage.targets_url + "/reset")
    start = time.monotonic()
    shots = [Snapshot(stage)]
    for i in range(stage.o.windows):
        time.sleep(max(0, start + (i + 1) * stage.o.window - time.monotonic()))
        shots.append(Snapshot(stage))
    return list(zip(shots, shots[1:])), stage.stats()


def ancestor_bytes(stage):
    """Bytes a sample of the same body in prometheus-streams' form: JSON around base64 around gzip."""
    body = benchlib.get(stage.targets_url + "/t/0/metrics").encode()
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    packed = base64.b64encode(packer.compress(body) + packer.flush()).decode()
    message = json.dumps({"job": "bench", "instance": "t0", "time": int(time.time()), "publisher": "bench", "Scrape": packed})
    return len(message) / stage.stats()["samples"]


def print_cpu(windows):
    poller, receiver, nats = "gravel-poller", "gravel-receiver", "nats-server"
    print_result("pipeline.cpu_poller", "percent of one core", cpu_percent(windows, poller))
    print_result("pipeline.cpu_receiver", "percent of one core", cpu_percent(windows, receiver))
    together = cpu_percent(windows, poller, receiver)
    print_result("pipeline.cpu_together", "percent of one core", together)
    print_result("pipeline.cpu_nats_server", "percent of one core", cpu_percent(windows, nats))
    print_result("pipeline.cpu_target_server", "percent of one core", cpu_percent(windows, "target_server"))
    samples = deltas(windows, "gravel_scrape_samples_total")
    if min(samples) <= 0:
        raise BenchError("the poller counted no samples in a window (gravel_scrape_samples_total)")
    print_result("pipeline.samples_rate", "samples/s", [n / (b.at - a.at) for n, (a, b) in zip(samples, windows)])
    print_result("pipeline.cpu_per_sample", "us/sample", [p / 100 * (b.at - a.at) / n * 1e6
                                                          for p, n, (a, b) in zip(together, samples, windows)])
    print_result("pipeline.rss_poller", "MB", [b.rss[poller] for _, b in windows])
    print_result("pipeline.rss_receiver", "MB", [b.rss[receiver] for _, b in windows])


def print_wire(stage, windows):
    values = [delta(a, b, "gravel_published_bytes_total") / delta(a, b, "gravel_scrape_samples_total") for a, b in windows]
    peer = ancestor_bytes(stage)
    print_result("pipeline.wire_bytes", "bytes/sample", values, peer="prometheus-streams' form of the same body",
                 peer_value=peer, ratio=sorted(values)[len(values) // 2] / peer)


def print_losses(stage, windows, stats):
    """What must be zero, and the gap that tells how near it was."""
    losses = {
        "missed": stats["missed"] + stats["never_scraped"],
        "skipped": sum(deltas(windows, "gravel_scrapes_skipped_total")),
        "failed": sum(deltas(windows, "gravel_scrape_failures_total")),
        "publish_errors": sum(deltas(windows, "gravel_publish_errors_total")),
        "dropped": sum(deltas(windows, "gravel_dropped_scrapes_total") + deltas(windows, "gravel_publish_dropped_total") +
                       deltas(windows, "gravel_publish_replaced_total")),
    }
    for name, count in losses.items():
        print_result("pipeline.scrapes_" + name if name != "publish_errors" else "pipeline.publish_errors", "count", [float(count)])
    print_result("pipeline.scrapes", "count", [float(stats["requests"])])
    print_result("pipeline.largest_gap", "intervals", [stats["max_gap_ms"] / 1000 / stage.o.interval])
    bad = {name: int(count) for name, count in losses.items() if count}
    note("pipeline: scrapes lost: %s" % (bad or "none"))


def print_lag(windows):
    """As the receiver itself counts it: from the end of the scrape to the store."""
    counts = deltas(windows, "gravel_lag_seconds_count")
    sums = deltas(windows, "gravel_lag_seconds_sum")
    if min(counts) > 0:
        print_result("pipeline.lag_mean", "ms", [1000 * s / n for s, n in zip(sums, counts)])


def measure_latency(stage):
    runs = []
    for i in range(stage.o.windows):
        prober = stage.start("prober%d" % i, stage.o.build / "bench" / "prober", "--url",
                             benchlib.query(stage.receiver_url, [SERVED]), "--duration", stage.o.window, "--poll-ms",
                             stage.o.poll_ms)
        prober.process.wait(stage.o.window + 60)
        if prober.process.returncode != 0:
            raise BenchError("the prober saw no new value\n" + prober.tail())
        runs.append(json.loads(prober.log.read_text()))
    more = {"resolution_ms": stage.o.poll_ms, "seen": sum(r["values"] for r in runs)}
    for name in ("p50", "p99", "max"):
        print_result("pipeline.visible_" + name, "ms", [r[name + "_ms"] for r in runs], **more)
    print_result("pipeline.prober_request", "ms", [r["poll_ms"] for r in runs])


def prometheus_cpu(stage):
    """A Prometheus that scrapes the same targets itself: what one pays without anything in between."""
    port = benchlib.free_port()
    program = benchlib.find_program("GRAVEL_PROMETHEUS", ["prometheus"], "prometheus")
    ms = int(stage.o.interval * 1000)
    targets = ["      - {targets: [\"%s\"], labels: {instance: t%d, __metrics_path__: /t/%d/metrics}}" %
               (target_host(stage.o, stage.targets_url, i), i, i)
               for i in range(stage.o.targets)]
    config = stage.write_config("prometheus", [
        "global: {scrape_interval: %dms, scrape_timeout: %dms}" % (ms, min(ms, 10000)),
        "scrape_configs:", "  - job_name: bench", "    static_configs:"] + targets)
    child = stage.start("prometheus", program, "--config.file=%s" % config,
                        "--storage.tsdb.path=%s" % (stage.folder / "tsdb"), "--web.listen-address=127.0.0.1:%d" % port)
    benchlib.wait_for("prometheus", lambda: benchlib.get("http://127.0.0.1:%d/-/ready" % port), 60, child)
    time.sleep(3 * stage.o.interval)
    values = []
    for _ in range(stage.o.windows):
        at, cpu = time.monotonic(), child.cpu_seconds()
        time.sleep(stage.o.window)
        values.append(100 * (child.cpu_seconds() - cpu) / (time.monotonic() - at))
    child.stop()
    return values


def run(stage):
    o = stage.o
    stage.start_nats()
    stage.start_targets()
    stage.start_receiver()
    stage.start_poller()
    note("pipeline: %d targets every %g s, %d samples each; warming up" % (o.targets, o.interval, stage.stats()["samples"]))
    stage.warm_up()
    note("pipeline: measuring CPU, %d x %g s" % (o.windows, o.window))
    windows, stats = take_windows(stage)
    print_cpu(windows)
    print_losses(stage, windows, stats)
    print_wire(stage, windows)
    print_lag(windows)
    note("pipeline: measuring latency, %d x %g s" % (o.windows, o.window))
    measure_latency(stage)
    if o.prometheus:
        note("pipeline: measuring Prometheus on the same targets")
        stage.poller.stop()
        stage.receiver.stop()
        print_result("pipeline.cpu_prometheus_direct", "percent of one core", prometheus_cpu(stage))


def ensure_body(o, folder):
    if o.body is None:
        o.body = folder / "body.txt"
        capture.capture(o.body)


def main():
    o = options()
    folder = o.keep or pathlib.Path(tempfile.mkdtemp(prefix="gravel-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(o, folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        ensure_body(o, folder)
        run(stage)
    except BenchError as e:
        sys.exit("pipeline: %s" % e)
    except FileNotFoundError as e:
        sys.exit("pipeline: %s is not there: build it first" % e.filename)
    except OSError as e:
        sys.exit("pipeline: a program stopped answering: %s" % e)
    finally:
        stage.stop()
        if o.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
