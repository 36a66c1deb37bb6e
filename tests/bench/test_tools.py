#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tools of the benches do what the figures rest on. usage: test_tools.py BUILD"""
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
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


class Gateway(http.server.BaseHTTPRequestHandler):
    """Remembers pushes and refuses those to a path with "bad" in it; a GET is answered in chunks."""
    protocol_version = "HTTP/1.1"
    CHUNKS = [b"# a comment\none", b" 1\ntwo 2\n", b"three 3\n"]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.pushes.append((self.command, self.path, self.headers["Content-Type"], body))
        answer = b"no such thing" if "bad" in self.path else b""
        self.send_response(400 if answer else 202)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PUT = do_POST

    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in self.CHUNKS:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Load(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.body = pathlib.Path(folder.name) / "body"
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
        self.server.pushes = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def tool(self, name, *argv):
        address = "127.0.0.1:%d" % self.server.server_address[1]
        words = [BUILD / "bench" / name, "--connect", address, *argv]
        return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=60)

    def push(self, body, *argv):
        self.body.write_bytes(body)
        return self.tool("push_load", "--body", self.body, *argv)

    def test_every_push_is_counted_and_goes_to_its_group(self):
        done = self.push(b"a 1\n", "--path", "/metrics/job/j/instance/i{}/x/y", "--groups", 3, "--first", 99997, "--count", 7,
                         "--connections", 2, "--method", "PUT", "--type", "text/x")
        self.assertEqual(done.returncode, 0, done.stderr)
        wanted = ["/metrics/job/j/instance/i%05d/x/y" % (n % 3) for n in range(99997, 100004)]
        self.assertEqual(sorted(self.server.pushes), sorted(("PUT", path, "text/x", b"a 1\n") for path in wanted))
        result = json.loads(done.stdout)
        self.assertEqual((result["pushes"], result["bad"]), (7, 0))
        self.assertTrue(0 < result["p50_ms"] <= result["p99_ms"] <= result["max_ms"], result)

    def test_a_large_body_arrives_whole(self):
        body = bytes(range(256)) * 40000
        done = self.push(body, "--path", "/x", "--count", 3, "--connections", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([push[3] == body for push in self.server.pushes], [True] * 3)

    def test_for_a_time(self):
        done = self.push(b"a 1\n", "--path", "/x", "--duration", 0.2, "--warmup", 0.1, "--connections", 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertTrue(0 < result["pushes"] < len(self.server.pushes), result)
        self.assertAlmostEqual(result["rate"], result["pushes"] / result["seconds"], delta=0.01 * result["rate"])

    def test_a_refused_push_fails_loudly(self):
        done = self.push(b"a 1\n", "--path", "/bad", "--count", 5, "--connections", 2)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout)["bad"], 5)
        self.assertIn("5 of 5 answers were no 200 or 202; the first was 400: no such thing", done.stderr)

    def test_a_server_that_is_not_there(self):
        self.server.server_close()
        done = self.push(b"a 1\n", "--path", "/x", "--count", 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot connect", done.stderr)

    def test_a_scrape_counts_what_came_in_chunks(self):
        done = self.tool("scrape_load", "--lines", "--count", 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        for line in done.stdout.splitlines():
            result = json.loads(line)
            self.assertEqual((result["bytes"], result["samples"]), (sum(map(len, Gateway.CHUNKS)), 3))
            self.assertLessEqual(result["first_ms"], result["ms"])
        self.assertEqual(len(done.stdout.splitlines()), 2)

    def test_a_scrape_that_is_not_zipped_as_asked_fails(self):
        done = self.tool("scrape_load", "--gzip", "--count", 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("200, not zipped", done.stderr)


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

    def test_ill_targets_are_ill_and_the_others_well(self):
        base = self.serve("--targets", 1)
        host, _, port = base[len("http://"):].partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as hangs, \
                socket.create_connection((host, int(port)), timeout=10) as trickles:
            hangs.sendall(b"GET /hang/1 HTTP/1.1\r\n\r\n")
            trickles.sendall(b"GET /trickle/1 HTTP/1.1\r\n\r\n")
            begin, got = time.monotonic(), b""
            while not got.endswith(b"\r\n\r\naaa"):
                got += trickles.recv(100)
            self.assertGreater(time.monotonic() - begin, 1)
            self.assertIn("bench_served_timestamp_seconds", benchlib.get(base + "/t/0/metrics"))
            hangs.settimeout(0.1)
            self.assertRaises(socket.timeout, hangs.recv, 1)
        self.assertIn("bench_served_timestamp_seconds", benchlib.get(base + "/t/0/metrics"))

    def test_a_gap_of_more_than_a_second_above_the_interval_is_late(self):
        base = self.serve("--targets", 2, "--interval-ms", 100)
        for pause in (0, 0.5, 1.2):
            time.sleep(pause)
            benchlib.get(base + "/t/1/metrics")
        self.assertEqual(json.loads(benchlib.get(base + "/stats"))["late"], 1)

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
