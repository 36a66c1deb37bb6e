# SPDX-License-Identifier: Apache-2.0
"""The settings of a scrape job that change samples or refuse them, beside a real Prometheus: the same exposition, scraped by jobs that differ in them, gives the same
series with the same values, the same numbers of samples, and where the scrape fails the same words."""
import collections
import http.server
import json
import os
import random
import subprocess
import threading

import pytest

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
    ("duplicates", {"metric_relabel_configs": [{"regex": "path|code|exported_job|x|y", "action": "labeldrop"}]}),
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


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024  # all jobs may connect at once


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
        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]

    def run(self):
        self.server.serve_forever()


def ours(address, jobs):
    lines = []
    for name, job in jobs.items():
        for label, value in (("instance", address), ("job", name), ("variant", name)):
            lines.append("label %s %s" % (relabeling.word(label), relabeling.word(value)))
        for option, value in job.items():
            if option != "metric_relabel_configs":
                lines.append("option %s %d" % (option, value))
        for r in job.get("metric_relabel_configs", []):
            lines.append(" ".join(["rule", r.get("action", "replace").lower(), relabeling.word(r.get("separator", ";")), relabeling.word(r.get("regex", "(.*)")),
                                   str(r.get("modulus", 0)), relabeling.word(r.get("target_label", "")), relabeling.word(r.get("replacement", "$1")),
                                   *map(relabeling.word, r.get("source_labels", []))]))
        lines.append("body text %s" % relabeling.word(BODY))
    done = subprocess.run([str(PROGRAM)], input="".join(line + "\n" for line in lines).encode("ascii"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, timeout=60 * SLOW)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    answers = {}
    for name, line in zip(jobs, done.stdout.decode("utf-8").splitlines()):
        answer = json.loads(line)
        series = {frozenset(dict(s.labels, __name__=s.name).items()): s.value for s in expo.Exposition(answer["stored"]).samples}
        answers[name] = {"error": answer["error"], "samples": answer["samples"], "kept": answer["kept"], "series": series}
    assert len(answers) == len(jobs)
    return answers


class Prometheus(stands.Server):
    health = "/-/ready"

    def __init__(self, stand, address, jobs):
        self.port = stands.free_port()
        self.jobs = jobs
        configs = [dict(job, job_name=name, static_configs=[{"targets": [address], "labels": {"variant": name}}]) for name, job in jobs.items()]
        file = stand.write("prometheus.yml", json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": configs}, ensure_ascii=False))
        super().__init__(stand, "prometheus", [stands.peer("GRAVEL_PROMETHEUS"), "--config.file=%s" % file, "--storage.tsdb.path=%s" % (stand.path / "tsdb"),
                                               "--web.listen-address=127.0.0.1:%d" % self.port])

    def api(self, path):
        return json.loads(self.get("/api/v1/" + path).text)["data"]

    def settled(self):
        """Of a busy machine it may have said that a scrape took too long."""
        targets = self.api("targets")["activeTargets"]
        late = [t for t in targets if "i/o timeout" in t["lastError"] or "deadline exceeded" in t["lastError"]]
        return len(targets) == len(self.jobs) and all(t["health"] != "unknown" for t in targets) and not late

    def answers(self):
        answers = {name: {"series": {}} for name in self.jobs}
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


def compare(stand, jobs):
    """That they agree on each; how many failed. Series are compared that still say of which job they are."""
    target = Target()
    target.start()
    prometheus = Prometheus(stand, target.address, jobs).start(40)
    eventually(prometheus.settled, 60, 0.5, what="a scrape of each")
    theirs, found = prometheus.answers(), ours(target.address, jobs)
    prometheus.stop()
    target.server.shutdown()
    for name, job in jobs.items():
        a, b = found[name], theirs[name]
        series = {labels: value for labels, value in a["series"].items() if ("variant", name) in labels}
        # Ours is cut where it is long.
        assert a["error"] == b["error"] or len(a["error"]) > 400 and b["error"].startswith(a["error"]), job
        assert (a["samples"], a["kept"]) == (b["samples"], b["kept"]), job
        assert series == b["series"], (job, shown(series.items() - b["series"].items()), shown(b["series"].items() - series.items()))
    return sum(bool(a["error"]) for a in found.values()), sum(len(a["series"]) for a in theirs.values())


@pytest.mark.long
def test_jobs_beside_prometheus(stand):
    failed, series = compare(stand, JOBS)
    assert failed == 8 and series > 300


# What the rules of relabeling.py are about, as labels of the body.
MAPPED = {"a": "path", "b": "le", "c": "code", "env": NAME, "__meta_dc": "x", "__meta_x_y": "exported_job", "__tmp": "y", "__param_p": "z", "__param_new": "new",
          "__address__": NAME, "__scheme__": "quantile", "__metrics_path__": "bound", "__scrape_interval__": "s", "__scrape_timeout__": "h"}


def random_rule(rng):
    rule = relabeling.rule(rng)
    if "source_labels" in rule:
        rule["source_labels"] = [MAPPED.get(label, label) for label in rule["source_labels"]]
    if "target_label" in rule:
        rule["target_label"] = MAPPED.get(rule["target_label"], rule["target_label"])
    if rule.get("action", "replace").lower() == "labelkeep":
        rule["regex"] += "|variant|__name__"
    return rule


def takes(rules):
    job = {"job_name": "x", "static_configs": [{"targets": ["127.0.0.1:9"], "labels": {}}], "relabel_configs": rules}
    return relabeling.ours([job])[0].get("rule", 0) == 0


@pytest.mark.long
def test_random_rules_beside_prometheus(stand):
    seed = os.environ.get("GRAVEL_SEED") or str(random.SystemRandom().randrange(10**9))
    print("seed %s" % seed)
    rng = random.Random(seed)
    jobs = {}
    while len(jobs) < int(os.environ.get("GRAVEL_RELABEL_JOBS", "150")):
        rules = [random_rule(rng) for _ in range(rng.choice([1, 1, 2, 3]))]
        if takes(rules):
            jobs["j%d" % len(jobs)] = {"honor_labels": rng.random() < 0.3, "metric_relabel_configs": rules}
    failed, series = compare(stand, jobs)
    print(failed, series)
    assert failed < len(jobs) and series > len(jobs)
