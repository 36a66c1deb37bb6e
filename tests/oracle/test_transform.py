# SPDX-License-Identifier: Apache-2.0
"""The settings of a scrape job that change samples or refuse them, beside a real Prometheus: the same exposition, scraped by jobs that differ in them, gives the same
series with the same values, the same numbers of samples, and where the scrape fails the same words."""
import collections
import http.server
import json
import subprocess
import threading

import events
import relabeling
from harness import expo
from harness import stand as stands
from harness.wait import SLOW, eventually

PROGRAM = events.BUILD / "tests" / "gravel-transform"

BODY = """# HELP h_seconds A histogram.
# TYPE h_seconds histogram
h_seconds_bucket{path="/a",le="0.5"} 1
h_seconds_bucket{path="/a",le="+Inf"} 2
h_seconds_sum{path="/a"} 1.5
h_seconds_count{path="/a"} 2
h_seconds_bucket{path="/b",le="0.5"} 3
h_seconds_bucket{path="/b",le="+Inf"} 4
h_seconds_sum{path="/b"} 2.5
h_seconds_count{path="/b"} 4
# TYPE s summary
s{quantile="0.5"} 1
s{quantile="0.9"} 2
s_sum 10
s_count 5
# TYPE a gauge
a{job="own",instance="",x="1"} 1
a{job="",exported_job="e",x="2"} 2
a{job="own",exported_job="e",x="3"} 3
a{x="",y="4"} 4
# TYPE c_total counter
c_total{code="200",team1="Core"} 5
c_total{code="500",team1="Core"} 6
untyped_thing{b="\\"q\\\\\\n",z="1"} 7
go_threads 8
"""


def replace(source, regex, target, replacement="$1"):
    return {"source_labels": [source], "regex": regex, "target_label": target, "replacement": replacement}


NAME = "__name__"
JOBS = collections.OrderedDict([
    ("plain", {}),
    ("honor", {"honor_labels": True}),
    ("keep", {"metric_relabel_configs": [{"source_labels": [NAME], "regex": "h_.*|a", "action": "keep"}]}),
    ("drop", {"metric_relabel_configs": [{"source_labels": [NAME, "code"], "regex": "go_.*|c_total;5..", "action": "drop"}]}),
    ("export", {"metric_relabel_configs": [replace("never", "x", "never")]}),
    ("export_honored", {"honor_labels": True, "metric_relabel_configs": [replace("never", "x", "never")]}),
    ("rename", {"metric_relabel_configs": [replace(NAME, "(.*)", NAME, "site_$1")]}),
    ("rename_part", {"metric_relabel_configs": [replace(NAME, "h_seconds_sum", NAME, "other")]}),
    ("part_of_another", {"metric_relabel_configs": [replace(NAME, "a", NAME, "h_seconds_sum")]}),
    ("merge", {"metric_relabel_configs": [replace(NAME, "c_total|untyped_thing", NAME, "a")]}),
    ("no_le", {"metric_relabel_configs": [replace("le", "(.+)", "bound"), {"regex": "le", "action": "labeldrop"}]}),
    ("no_target", {"metric_relabel_configs": [{"regex": "job|instance", "action": "labeldrop"}]}),
    ("other_instance", {"metric_relabel_configs": [replace("path", "/(.+)", "instance"), replace("team1", "(C)(.*)", "team", "$2-$1")]}),
    ("map", {"metric_relabel_configs": [{"regex": "(x|y|z)", "replacement": "m_$1", "action": "labelmap"}, {"regex": "x|y|z", "action": "labeldrop"}]}),
    ("hash", {"metric_relabel_configs": [{"source_labels": [NAME, "path"], "target_label": "shard", "modulus": 7, "action": "hashmod"},
                                         {"source_labels": ["team1"], "target_label": "team1", "action": "lowercase"},
                                         {"source_labels": ["shard"], "regex": "[0-4]?", "action": "keep"}]}),
    ("nothing_left", {"metric_relabel_configs": [{"regex": "variant_none", "action": "labelkeep"}]}),
    ("no_name", {"metric_relabel_configs": [{"regex": NAME, "action": "labeldrop"}]}),
    ("bad_name", {"metric_relabel_configs": [replace(NAME, "(c).*", NAME, "$1 x")]}),
    ("bad_label", {"metric_relabel_configs": [{"regex": "team(.)", "replacement": "$1", "action": "labelmap"}]}),
    ("samples_fit", {"sample_limit": 20}),
    ("samples_exceed", {"sample_limit": 19}),
    ("samples_left_fit", {"sample_limit": 8, "metric_relabel_configs": [{"source_labels": [NAME], "regex": "h_.*", "action": "keep"}]}),
    ("samples_left_exceed", {"sample_limit": 7, "metric_relabel_configs": [{"source_labels": [NAME], "regex": "h_.*", "action": "keep"}]}),
    ("labels_fit", {"label_limit": 7}),
    ("labels_exceed", {"label_limit": 6}),
    ("labels_honored_fit", {"label_limit": 6, "honor_labels": True}),
    ("names_fit", {"label_name_length_limit": 21}),
    ("names_exceed", {"label_name_length_limit": 20}),
    ("values_fit", {"label_value_length_limit": 20}),
    ("values_exceed", {"label_value_length_limit": 15}),
])


class Target(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(BODY.encode())

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]

    def run(self):
        self.server.serve_forever()


def ours(address):
    lines = []
    for name, job in JOBS.items():
        for label, value in (("instance", address), ("job", name), ("variant", name)):
            lines.append("label %s %s" % (relabeling.word(label), relabeling.word(value)))
        for option, value in job.items():
            if option != "metric_relabel_configs":
                lines.append("option %s %d" % (option, value))
        for r in job.get("metric_relabel_configs", []):
            lines.append(" ".join(["rule", r.get("action", "replace"), relabeling.word(r.get("separator", ";")), relabeling.word(r.get("regex", "(.*)")),
                                   str(r.get("modulus", 0)), relabeling.word(r.get("target_label", "")), relabeling.word(r.get("replacement", "$1")),
                                   *map(relabeling.word, r.get("source_labels", []))]))
        lines.append("body text %s" % relabeling.word(BODY))
    done = subprocess.run([str(PROGRAM)], input="".join(line + "\n" for line in lines).encode("ascii"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, timeout=60 * SLOW)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    answers = {}
    for name, line in zip(JOBS, done.stdout.decode("utf-8").splitlines()):
        answer = json.loads(line)
        series = {frozenset(dict(s.labels, __name__=s.name).items()): s.value for s in expo.Exposition(answer["stored"]).samples}
        answers[name] = {"error": answer["error"], "samples": answer["samples"], "kept": answer["kept"], "series": series}
    assert len(answers) == len(JOBS)
    return answers


class Prometheus(stands.Server):
    health = "/-/ready"

    def __init__(self, stand, address):
        self.port = stands.free_port()
        jobs = [dict(job, job_name=name, static_configs=[{"targets": [address], "labels": {"variant": name}}]) for name, job in JOBS.items()]
        file = stand.write("prometheus.yml", json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
        super().__init__(stand, "prometheus", [stands.peer("GRAVEL_PROMETHEUS"), "--config.file=%s" % file, "--storage.tsdb.path=%s" % (stand.path / "tsdb"),
                                               "--web.listen-address=127.0.0.1:%d" % self.port])

    def api(self, path):
        return json.loads(self.get("/api/v1/" + path).text)["data"]

    def settled(self):
        targets = self.api("targets")["activeTargets"]
        return len(targets) == len(JOBS) and all(t["health"] != "unknown" for t in targets)

    def answers(self):
        answers = {name: {"series": {}} for name in JOBS}
        for target in self.api("targets")["activeTargets"]:
            answers[target["scrapePool"]]["error"] = target["lastError"]
        for result in self.api("query?query=%7Bvariant!%3D%22%22%7D")["result"]:
            labels = dict(result["metric"])
            answer = answers[labels["variant"]]
            numbers = {"scrape_samples_scraped": "samples", "scrape_samples_post_metric_relabeling": "kept"}
            if labels["__name__"] in numbers:
                answer[numbers[labels["__name__"]]] = int(result["value"][1])
            elif labels["__name__"] != "up" and not labels["__name__"].startswith("scrape_"):
                answer["series"][frozenset(labels.items())] = float(result["value"][1])
        return answers


def shown(series):
    return sorted((sorted(labels), value) for labels, value in series)


def test_jobs_beside_prometheus(stand):
    target = Target()
    target.start()
    prometheus = Prometheus(stand, target.address).start(40)
    eventually(prometheus.settled, 60, 0.5, what="a scrape of each")
    theirs, found = prometheus.answers(), ours(target.address)
    prometheus.stop()
    target.server.shutdown()
    for name in JOBS:
        a, b = found[name], theirs[name]
        assert a["error"] == b["error"], name
        assert (a["samples"], a["kept"]) == (b["samples"], b["kept"]), name
        assert a["series"] == b["series"], (name, shown(a["series"].items() - b["series"].items()), shown(b["series"].items() - a["series"].items()))
    assert sum(not a["error"] for a in found.values()) >= 15 and sum(bool(a["error"]) for a in found.values()) >= 8
