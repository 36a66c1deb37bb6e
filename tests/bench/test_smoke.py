#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every bench runs end to end and prints what it promises. No figure is judged. usage: test_smoke.py BUILD"""
import json
import pathlib
import subprocess
import sys

import benchlib

RUN = pathlib.Path(__file__).with_name("run.sh")
KEYS = {"name": str, "value": (int, float), "unit": str, "min": (int, float), "max": (int, float), "runs": int}
WANTED = {"pipeline.cpu_together", "pipeline.scrapes_missed", "pipeline.scrapes_skipped", "pipeline.wire_bytes",
          "pipeline.visible_p99", "pipeline.rss_receiver", "scale.many.cpu", "scale.many.late", "scale.many.delayed", "scale.reload.descriptors",
          "scale.reload.missed", "scale.big.cpu", "scale.ill.largest_gap", "expo.node.parse", "expo.node.samples", "expo.node.repeat.30",
          "expo.series_1k.memcpy", "expo.series_1k.newline_scan", "expo.series_1k.memcmp", "expo.series_1k.parse",
          "expo.series_1k.openmetrics", "expo.series_1k.repeat.10", "expo.series_1k.repeat_openmetrics.10_churn_1", "store.render",
          "store.scrape.read_and_apply", "store.memory", "store.full.push", "store.full.churn",
          "store.memory.gauges", "store.memory.histograms", "store.snapshot.save", "store.snapshot.load", "store.snapshot.bytes",
          "durable.recovery.ready", "durable.recovery.load", "durable.recovery.replay", "durable.push_max", "durable.snapshots.push",
          "durable.snapshots.push_p50", "durable.snapshots.push_p99", "durable.snapshots.push_max", "durable.snapshots.pause",
          "durable.stream.push", "durable.stream.push_p99", "durable.stream.push_nats_cpu", "durable.stream.recovery.ready",
          "durable.snapshots.duration", "durable.snapshots.bytes", "durable.snapshots.rss_before", "durable.snapshots.rss_after",
          "gateway.push.empty", "gateway.push.full",
          "gateway.push.full_p99", "gateway.push.spread_cpu", "gateway.node.samples", "gateway.series.first", "gateway.memory.filled",
          "gateway.render.identity.changed.rate", "gateway.render.gzip.unchanged.cpu", "gateway.mixed.push", "gateway.mixed.render",
          "write.text", "rollup.counter", "number.scan.doubles", "number.print.integers.cost", "relabel.none", "relabel.six", "transform.node.copy",
          "transform.series_100k.relabel.typical"}
SKIP = 77  # as CMakeLists.txt knows it


def check(line):
    """The name of the result in a line; an assertion names what is wrong with it."""
    result = json.loads(line)
    for key, kind in KEYS.items():
        assert isinstance(result.get(key), kind), "%s is missing or no %s in %s" % (key, kind, line)
    assert result["min"] <= result["value"] <= result["max"], line
    assert result["runs"] >= 1, line
    assert ("peer" in result) == ("ratio" in result), line
    return result["name"]


def main():
    build = sys.argv[1]
    try:
        benchlib.find_program("GRAVEL_NATS_SERVER", ["nats-server"], "nats-server")
        benchlib.find_program("GRAVEL_PROMETHEUS", ["prometheus"], "prometheus")
        benchlib.find_program("GRAVEL_PUSHGATEWAY", ["prometheus-pushgateway", "pushgateway"], "prometheus-pushgateway")
        benchlib.find_program("GRAVEL_NODE_EXPORTER", ["prometheus-node-exporter", "node_exporter"], "prometheus-node-exporter")
    except benchlib.BenchError as e:
        print("skipped:", e)
        return SKIP
    done = subprocess.run([RUN, "--smoke", "--build", build], capture_output=True, text=True, timeout=230)
    print(done.stdout, done.stderr, sep="\n")
    assert done.returncode == 0, "run.sh ended with %d" % done.returncode
    names = [check(line) for line in done.stdout.splitlines()]
    assert len(names) == len(set(names)), "a name is there twice"
    assert WANTED <= set(names), "not there: %s" % (WANTED - set(names))
    listed = subprocess.run([RUN, "--list"], capture_output=True, text=True, check=True).stdout
    assert {n.partition(".")[0] for n in names} == {line.split()[0] for line in listed.splitlines()}
    wrong = subprocess.run([RUN, "no-such-bench"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "no-such-bench" in wrong.stderr, wrong
    return 0


if __name__ == "__main__":
    sys.exit(main())
