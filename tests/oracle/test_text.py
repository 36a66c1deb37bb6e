# SPDX-License-Identifier: Apache-2.0
"""Text 0.0.4 as a real Prometheus of the distribution reads it: the same verdict, series and values, but for what expo.h says."""
import collections
import http.server
import json
import pathlib
import re
import threading
import time

import pytest

import cases
import events
from harness import stand as stands
from harness.wait import eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = cases.read("text.txt")
# What it adds to each scrape.
SYNTHETIC = re.compile(r"^(up|scrape_.*)$")
Seen = collections.namedtuple("Seen", "health error samples")


def bodies(now):
    """The body of each case, with its timestamps filled in."""
    def stamp(m):
        return b"%d" % (now - int(m[1] or 0))
    return {case.name: re.sub(rb"@NOW(?:-(\d+))?@", stamp, case.body) for case in CASES}


def serve(pages):
    """A server of these bodies, each at its own path; close it with shutdown and server_close."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = pages[self.path.strip("/")]
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", stands.free_port()), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


class Prometheus(stands.Prometheus):
    """Each case is a target, told from the others by the label "case"."""

    def __init__(self, stand, port):
        super().__init__(stand, [])
        targets = [{"targets": ["127.0.0.1:%d" % port], "labels": {"case": case.name, "__metrics_path__": "/" + case.name}}
                   for case in CASES]
        stand.write("prometheus-%d.yml" % self.port, json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "text", "honor_labels": True, "static_configs": targets}]}))

    def scrapes(self):
        """{case: (health, error, when)} once every target has been scraped."""
        found = {t["labels"]["case"]: (t["health"], t["lastError"], t["lastScrape"])
                 for t in self.api("targets", state="active")["activeTargets"]}
        assert len(found) == len(CASES) and all(health != "unknown" for health, _, _ in found.values())
        return found

    def later(self, first):
        """The same once every target has been scraped again, so that what the first scrape stored can be read."""
        found = self.scrapes()
        return all(found[case][2] != first[case][2] for case in found) and found

    def samples(self):
        """{case: {(name, labels): (value, milliseconds)}}: the last of each series."""
        found = collections.defaultdict(dict)
        for r in self.api("query", query='{case!=""}[1m]')["result"]:
            labels = {k: v for k, v in r["metric"].items() if k not in ("case", "job", "instance", "__name__")}
            name, (seconds, value) = r["metric"]["__name__"], r["values"][-1]
            if not SYNTHETIC.match(name):
                found[r["metric"]["case"]][name, tuple(sorted(labels.items()))] = (
                    events.number(value.replace("Inf", "inf")), round(seconds * 1000))
        return found


def scrape(stand, pages):
    """{case: Seen}: what Prometheus makes of every body."""
    server = serve(pages)
    try:
        prometheus = Prometheus(stand, server.server_address[1]).start()
        first = eventually(prometheus.scrapes, 20, every=0.2, what="every target is scraped")
        health = eventually(lambda: prometheus.later(first), 20, every=0.2, what="every target is scraped again")
        samples = prometheus.samples()
    finally:
        server.shutdown()
        server.server_close()
    return {name: Seen(*health[name][:2], samples[name]) for name in pages}


def stores(case):
    return case.notes.get("stores") != "nothing" and any(not line.lstrip().startswith(b"#") for line in case.body.split(b"\n") if line.strip())


def ours_as_stored(verdict):
    """Our samples as Prometheus would have them: a label without a value is none."""
    return {(s.name, tuple(pair for pair in s.labels if pair[1] != "")): (s.value, s.time) for s in verdict.samples}


def test_there_are_as_many_as_promised():
    assert len(CASES) >= 80


def difference(case, theirs, ours):
    """In what a case is not as it is written down; None if in nothing."""
    if theirs.health != {"good": "up", "bad": "down"}[case.notes["prometheus"]]:
        return "Prometheus: %s %s" % (theirs.health, theirs.error)
    relation = "same" if (ours.error is None) == (theirs.health == "up") else "stricter" if ours.error else "laxer"
    if relation != case.notes.get("ours", "same"):
        return "we are %s: %s" % (relation, ours.error or theirs.error)
    if relation == "same" and ours.error is None and stores(case):
        # Where a line has no timestamp, that of the scrape is its.
        want = {key: (value, time or theirs.samples.get(key, (0, 0))[1]) for key, (value, time) in ours_as_stored(ours).items()}
        if theirs.samples != want:
            return "Prometheus has %s, we have %s" % (theirs.samples, want)
    return None


@pytest.mark.long
def test_prometheus_and_we_agree(stand):
    """All cases in one test: they share a Prometheus."""
    pages = bodies(int(time.time() * 1000))
    seen = scrape(stand, pages)
    with events.Parser("--format", "text") as text:
        ours = dict(zip(pages, text.verdicts(*pages.values())))
    wrong = ["%s: %s: %s" % (case.where, case.name, difference(case, seen[case.name], ours[case.name]))
             for case in CASES if difference(case, seen[case.name], ours[case.name])]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", [c for c in CASES if "ours" in c.notes], ids=lambda case: case.name)
def test_every_difference_is_documented(case):
    said = re.sub(r"\s*\n \* ?", " ", (ROOT / "include" / "gravel" / "expo" / "expo.h").read_text("utf-8"))
    assert case.notes["because"] in said, case.where
