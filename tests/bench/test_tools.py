#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tools of the benches do what the figures rest on. usage: test_tools.py BUILD"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error

import benchlib

BUILD = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else benchlib.ROOT / "build").resolve()
LINES = 200


def made_up_body():
    lines = ["# HELP things_total Things.", "# TYPE things_total counter"]
    lines += ["things_total{n=\"%d\"} %s" % (i, 100 + i if i % 2 else "%d.%02d" % (100 + i, 11 + i % 80)) for i in range(LINES)]
    lines += ["# HELP memory_bytes Memory.", "# TYPE memory_bytes gauge"]
    lines += ["memory_bytes{n=\"%d\"} %de+09" % (i, 1 + i % 9) for i in range(LINES)]
    lines += ["# TYPE took_seconds histogram"]
    lines += ["took_seconds_bucket{le=\"%d\"} %d" % (i, 10 + i) for i in range(LINES)]
    lines += ["up_state 1", "not_a_number NaN", "below_zero -12.5"]
    return "\n".join(lines) + "\n"


def values(text):
    pairs = (line.rpartition(" ")[::2] for line in text.splitlines() if line[0] != "#")
    return {series: float(value) for series, value in pairs}


def made_up(*argv):
    return subprocess.run([BUILD / "bench" / "bench_body", *argv], check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout


class MadeUp(unittest.TestCase):
    def test_as_many_samples_as_asked_for_and_no_series_twice(self):
        for n in (1, 13, 100, 5000):
            text = made_up("--series", str(n))
            self.assertEqual(text.count("\n") - text.count("\n#") - 1, n)
            self.assertEqual(len(values(text)), n)

    def test_it_is_the_same_at_every_run(self):
        self.assertEqual(made_up("--series", "5000", "--steps", "2"), made_up("--series", "5000", "--steps", "2"))

    def test_a_step_changes_a_share_of_the_values_and_nothing_else(self):
        first = made_up("--series", "5000")
        for share, least, most in (("0", 0, 0), ("0.1", 0.05, 0.15), ("0.5", 0.4, 0.6), ("1", 1, 1)):
            second = values(made_up("--series", "5000", "--steps", "1", "--changed", share))
            self.assertEqual(list(values(first)), list(second))
            moved = sum(second[s] != v for s, v in values(first).items())
            self.assertTrue(least * 5000 <= moved <= most * 5000, (share, moved))

    def test_churn_replaces_metrics(self):
        first = values(made_up("--series", "5000"))
        second = values(made_up("--series", "5000", "--steps", "1", "--changed", "0", "--churn", "0.01"))
        self.assertTrue(first.keys() - second.keys() and second.keys() - first.keys())
        self.assertAlmostEqual(len(second), 5000, delta=250)
        self.assertTrue(all(first[s] == v for s, v in second.items() if s in first))

    def test_openmetrics_says_the_same(self):
        text = values(made_up("--series", "5000"))
        lines = made_up("--series", "5000", "--format", "openmetrics").splitlines()
        self.assertEqual(lines[-1], "# EOF")
        plain = [line.partition(" # ")[0] for line in lines]
        self.assertEqual(values("\n".join(plain)), text)
        self.assertTrue(any(" # {trace_id=" in line for line in lines))


class Tools(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "body").write_text(made_up_body())

    def serve(self, *argv):
        child = benchlib.Child("target_server", [BUILD / "bench" / "target_server", "--body", self.folder / "body", *argv],
                               self.folder)
        self.addCleanup(child.stop)
        line = benchlib.wait_for("target_server", lambda: child.log.read_text().partition("\n")[0], 10, child)
        return "http://" + line.split()[-1]

    def test_a_share_of_the_values_moves(self):
        base = self.serve("--targets", 3, "--moving", 0.3)
        first = values(benchlib.get(base + "/t/1/metrics"))
        time.sleep(1.1)
        second = values(benchlib.get(base + "/t/1/metrics"))
        self.assertEqual(first.keys(), second.keys())
        self.assertEqual(first.keys() - values(made_up_body()).keys(), {"bench_served_timestamp_seconds"})
        moved = [s for s in first if first[s] != second[s] and first[s] == first[s]]
        self.assertAlmostEqual(len(moved) / len(first), 0.3, delta=0.05)
        for series in moved:
            if series.startswith("things_total"):
                self.assertGreater(second[series], first[series], series)
            self.assertNotIn("took_seconds", series)
        self.assertTrue(any(s.startswith("things_total") for s in moved))
        self.assertTrue(any(s.startswith("memory_bytes") for s in moved))

    def test_nothing_moves_when_asked(self):
        base = self.serve("--targets", 1, "--moving", 0)
        text = benchlib.get(base + "/t/0/metrics")
        self.assertTrue(text.startswith(made_up_body()))
        self.assertAlmostEqual(values(text)["bench_served_timestamp_seconds"], time.time(), delta=5)

    def test_numbers_print_as_node_exporter_prints_them(self):
        base = self.serve("--targets", 1, "--moving", 1)
        for line in benchlib.get(base + "/t/0/metrics").splitlines():
            if line.startswith("memory_bytes"):
                self.assertRegex(line, r" \d(\.\d*[1-9])?e\+(09|10)$")
            if line.startswith("things_total"):
                self.assertRegex(line, r" (\d{3,6}(\.\d*[1-9])?|\d(\.\d*[1-9])?e\+\d\d)$")

    def test_stats_name_who_was_missed(self):
        base = self.serve("--targets", 2, "--interval-ms", 200)
        for _ in range(3):
            benchlib.get(base + "/t/0/metrics")
        stats = json.loads(benchlib.get(base + "/stats"))
        self.assertEqual((stats["requests"], stats["min_requests"], stats["max_requests"]), (3, 0, 3))
        self.assertEqual((stats["never_scraped"], stats["missed"], stats["samples"]), (1, 0, 3 * LINES + 4))
        benchlib.get(base + "/reset")
        time.sleep(0.7)
        stats = json.loads(benchlib.get(base + "/stats"))
        self.assertEqual(stats["requests"], 0)
        self.assertGreaterEqual(stats["missed"], 2)
        self.assertGreaterEqual(stats["max_gap_ms"], 700)

    def test_unknown_paths_are_refused(self):
        base = self.serve("--targets", 2)
        for path in ("/t/2/metrics", "/t/x/metrics", "/t/1/metricsx", "/"):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                benchlib.get(base + path)
            self.assertEqual(caught.exception.code, 404, path)
            caught.exception.close()
        self.assertEqual(json.loads(benchlib.get(base + "/stats"))["refused"], 4)

    def test_a_target_has_an_address_of_its_own(self):
        base = self.serve("--targets", 2, "--spread")
        second = base.replace("127.0.0.1", "127.1.0.2")
        self.assertIn("bench_served_timestamp_seconds", benchlib.get(second + "/t/1/metrics"))
        self.assertEqual(json.loads(benchlib.get(base + "/stats"))["requests"], 1)
        with self.assertRaises(OSError):
            benchlib.get(base.replace("127.0.0.1", "127.1.0.3") + "/t/1/metrics")

    def test_a_bad_body_is_a_sentence(self):
        for content in (b"", b"# only comments\n"):
            (self.folder / "bad").write_bytes(content)
            done = subprocess.run([BUILD / "bench" / "target_server", "--body", self.folder / "bad"], capture_output=True,
                                  text=True, timeout=20)
            self.assertEqual(done.returncode, 1)
            self.assertIn("bad ", done.stderr)

    def test_the_prober_sees_every_new_value(self):
        base = self.serve("--targets", 1)
        done = subprocess.run([BUILD / "bench" / "prober", "--url", base + "/t/0/metrics", "--duration", "1", "--poll-ms", "20"],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        seen = json.loads(done.stdout)
        self.assertEqual((seen["series"], seen["failures"]), (1, 0))
        self.assertEqual(seen["values"], seen["polls"] - 1)
        self.assertLessEqual(seen["p50_ms"], seen["p99_ms"])
        self.assertLessEqual(seen["p99_ms"], seen["max_ms"])

    def test_the_prober_fails_when_there_is_nothing_new(self):
        base = self.serve("--targets", 1)
        done = subprocess.run([BUILD / "bench" / "prober", "--url", base + "/stats", "--duration", "0.1"], capture_output=True,
                              text=True, timeout=30)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
