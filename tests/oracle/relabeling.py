# SPDX-License-Identifier: Apache-2.0
"""Random scrape jobs of one target each with relabel_configs; what a Prometheus makes of them, and what gravel-relabel does."""
import json
import re
import subprocess

import events
from harness import http
from harness import stand as stands
from harness.wait import SLOW, eventually

PROGRAM = events.BUILD / "tests" / "gravel-relabel"
LABELS = ["a", "b", "c", "team1", "env", "job", "instance", "__meta_dc", "__meta_x_y", "__tmp", "__param_p", "__param_new"]
SPECIAL = ["__address__", "__scheme__", "__metrics_path__", "__scrape_interval__", "__scrape_timeout__"]
VALUES = ["", "a", "b", "x", "ax", "prod", "eu-1", "node-7:9100", "a;b", "Äöü straße", "İŞı ſ", "ǅ ŉ ᾳ ΐ", "two\nlines", "\n", "host.example", "10.0.0.1",
          "42", "0042", "日本", "a b", "%41+&=", "$1", "MiXed", "__", "aaaa", "ab:ab", "x" * 300, "http", "https", "/m", "30s", "1m", "é\u0301"]
ADDRESSES = ["127.0.0.1:9", "127.0.0.1", "localhost", "[::1]", "[::1]:9", "::1", "a:b:c", "h o s t", "u@h:1", "host:", "[::1", "x]:1", "h%41:1", "127.0.0.1:1?q",
             "[a[b]:1", "[]", "[::1]:9:9", "[::1]x:1", "ö:1", "a\"<>:1", "a]b", "[::1]:"]
PATHS = ["/metrics", "/metrics", "/a b?c=d", "metrics", "*", "/*", "/ü/%2F;x", "/a/../b", "/!'()[]", "//x", "/#f", "/a:b@c,d+e=f&g$h"]
PARAMS = [{}, {}, {"p": ["1"]}, {"p": ["1", "2", "1"], "new": ["x y"]}, {"match[]": ['{a="b"}', "up"], "Z": ["1"], "a": ["&="], "ü~": ["*'()"]}]
TIMES = ["100ms", "1s", "15s", "90s", "1m30s", "1h", "1d", "8d", "7d", "1w", "400d", "365d", "1h0m7ms"]
# Only for labels: some of these are no duration.
TIME_VALUES = TIMES + ["0", "0s", "5", "1s1m", "1.5s", "-1s", "1y2w3d", "300y", "1S", " 1s"]
TARGETS = ["$1", "${1}", "x_$1", "x_${1}_y", "$n", "${n}", "${2}", "__param_$1", "$1$2", "_$0", "$01"]
REPLACEMENTS = ["$1", "${1}", "$2", "$1-$2", "${n}", "$n", "const", "", "$$1", "$$", "$", "a$", "${", "${1", "${}", "$1x", "${1}x", "$0", "$01", "${00}", "$ä", "$1ä",
                "$n$1", "pre-${1}-post", "$-", "${1}${2}${3}", "$100", "Ä$1", "${n}:${1}", "$999999999999", "30s", "https", "127.0.0.1:7", "/x"]
MAPPED = ["$1", "${1}", "m_$1", "${1}_m", "${n}", "fixed", "$0", "__param_$1", "a"]
NAMES = ["a", "(.*)", "(.+)", "__meta_(.+)", "__meta_(?P<n>.*)", "(?:a|b|env)", "[a-c]", "(a|b|c)", "team(.)", ".*_.*", "__.*", "(x?)a", "__(meta|param)_(.*)", "inst.*",
         "([a-z])", "(.)", "j(o)b", "nothing", "a|b", "t.+|c", "(t)?.*1", "_?_?[a-z]+", "__param_.+"]


def literal(rng):
    return "".join(rng.choice(["a", "b", "x", "1", "-", ":", r"\.", ";", "0", "eu", "prod", "o", "ä", r"\$"]) for _ in range(rng.randint(1, 2)))


def atom(rng, depth):
    kind = rng.randrange(12)
    if kind < 4 or depth == 0 and kind > 8:
        return literal(rng)
    if kind == 4:
        return rng.choice([".", ".*", ".+", ".?", ".*?", ".{2}", ".{1,3}"])
    if kind == 5:
        return rng.choice(["[a-z]", "[^:]", "[0-9]+", r"\d", r"\w+", "[[:alpha:]]*", r"\pL", r"[^\n]", "[a|b]", "[]x]", r"[\]x]"])
    if kind == 6:
        return rng.choice("ab1x") + rng.choice("?*+")
    if kind == 7:
        return rng.choice(["(.*)", "(.+)", "([^:]+)", "([a-z]*)", r"(\d+)", "(.)", "(.*?)"])
    if kind == 8:
        return rng.choice(["^", "$", r"\b", r"\A", r"\z", "(?i:A)", "(?s:.)", "(?s).", "(?i)A", r"\Qa.b\E", "", "(?U)a*", r"\x61", "(?m:^a$)"])
    return "(" + rng.choice(["", "", "?:", "?P<n%d>" % rng.randrange(1000, 10**6)]) + expression(rng, depth - 1) + ")" + rng.choice(["", "", "", "?"])


def expression(rng, depth=2):
    return "|".join("".join(atom(rng, depth) for _ in range(rng.randint(1, 3))) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def regex(rng):
    if rng.random() < 0.35:
        return rng.choice(["", "(.*)", "(.+)", ".*", ".+", "(.*);(.*)", "(?P<n>[a-z]+).*", "([^:]+):(.*)", "(a)|(b)", "(.)(.*)", "a|b|prod", "(eu|prod).*", ".*(x|1)",
                           r"(\d+)\.(\d+)\..*", "^(a.*)$", "(?s)(.*)", "(?:(a)|b)*.*", "(.*)\n(.*)", "no"])
    found = expression(rng)
    return found if rng.random() < 0.4 else rng.choice(["%s.*", "(%s)(.*)", ".*(%s).*", "(?P<n>%s).*", "(?:%s)", ".*?(%s)?"]) % found


def label(rng):
    return rng.choice(LABELS if rng.random() < 0.9 else SPECIAL)


def value_of(rng, name):
    if name in ("__scrape_interval__", "__scrape_timeout__"):
        return rng.choice(TIME_VALUES)
    return rng.choice(PATHS if name == "__metrics_path__" else ["http", "https", "", "ftp"] if name == "__scheme__" else ADDRESSES if name == "__address__" else VALUES)


def sources(rng):
    return [label(rng) for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3]))]


def replace(rng):
    rule = {"target_label": label(rng) if rng.random() < 0.8 else rng.choice(TARGETS), "source_labels": sources(rng)}
    if rng.random() < 0.7:
        rule["regex"] = regex(rng)
    if rng.random() < 0.7:
        special = rule["target_label"] in SPECIAL and rng.random() < 0.7
        rule["replacement"] = value_of(rng, rule["target_label"]) if special else rng.choice(REPLACEMENTS)
    return rule


def rule(rng):
    action = rng.choice(["replace"] * 8 + ["labelmap"] * 3 + ["hashmod", "hashmod", "keep", "drop", "keepequal", "dropequal", "labeldrop", "labelkeep", "lowercase", "uppercase"] + ["uppercase"])
    if action == "replace":
        found = replace(rng)
        if rng.random() < 0.5:
            return found
    elif action in ("keep", "drop"):
        found = {"source_labels": sources(rng), "regex": regex(rng)}
        if action == "keep" and rng.random() < 0.6:
            found["regex"] += "|.*"
    elif action in ("keepequal", "dropequal"):
        found = {"source_labels": sources(rng), "target_label": label(rng)}
        if action == "keepequal" and rng.random() < 0.7:
            found["source_labels"] = [found["target_label"]]
    elif action == "hashmod":
        found = {"source_labels": sources(rng), "target_label": label(rng), "modulus": rng.choice([1, 2, 7, 1000, 2**32 + 1, 2**63 - 1, 2**64 - 1])}
    elif action == "labelmap":
        found = {"regex": rng.choice(NAMES), "replacement": rng.choice(MAPPED)}
    elif action in ("labeldrop", "labelkeep"):
        found = {"regex": rng.choice(NAMES) if action == "labeldrop" else rng.choice(["__.*|a|b", "[^_].*|__.*", "__(.*)", ".*a.*|job|__scrape_.*", "a"])}
    else:
        found = {"source_labels": sources(rng), "target_label": label(rng) if rng.random() < 0.95 else "$1"}
    if "source_labels" in found and action not in ("keepequal", "dropequal") and rng.random() < 0.2:
        found["separator"] = rng.choice(["", "-", "::", "\n", "ä"])
    return dict(found, action=action if rng.random() < 0.9 else action.upper())


def milliseconds(text):
    units = {"y": 31536000000, "w": 604800000, "d": 86400000, "h": 3600000, "m": 60000, "s": 1000, "ms": 1}
    return sum(int(n) * units[u] for n, u in re.findall(r"(\d+)(ms|[ywdhms])", text))


def job(rng, name):
    """A member of scrape_configs."""
    labels = {n: value_of(rng, n) for n in rng.sample(LABELS, rng.randint(0, 8))}
    if rng.random() < 0.15:
        n = rng.choice(SPECIAL[1:])
        labels[n] = value_of(rng, n)
    times = sorted((rng.choice(TIMES), rng.choice(TIMES)), key=milliseconds)
    return {"job_name": name, "scheme": rng.choice(["http", "https"]), "metrics_path": rng.choice(PATHS), "params": rng.choice(PARAMS),
            "scrape_interval": times[1], "scrape_timeout": times[0],
            "static_configs": [{"targets": [rng.choice(ADDRESSES)], "labels": labels}],
            "relabel_configs": [rule(rng) for _ in range(rng.choice([0, 1, 1, 2, 3, 4, 6]))]}


# --- ours ---

def word(text):
    return "=" + "".join(chr(c) if chr(c).isalnum() and c < 0x80 else "%%%02X" % c for c in text.encode("utf-8"))


def lines_of(job):
    static = job["static_configs"][0]
    yield " ".join(["job", word(job["job_name"]), word(job.get("scheme", "http")), word(job.get("metrics_path", "/metrics")),
                    str(milliseconds(job.get("scrape_interval", "1m"))), str(milliseconds(job.get("scrape_timeout", "10s")))])
    for name, values in job.get("params", {}).items():
        yield from (" ".join(["param", word(name), word(value)]) for value in values)
    for name, value in dict(static["labels"], __address__=static["targets"][0]).items():
        yield " ".join(["label", word(name), word(value)])
    for r in job["relabel_configs"]:
        yield " ".join(["rule", r.get("action", "replace").lower(), word(r.get("separator", ";")), word(r.get("regex", "(.*)")), str(r.get("modulus", 0)),
                        word(r.get("target_label", "")), word(r.get("replacement", "$1")), *map(word, r.get("source_labels", []))])
    yield "end"


def ours(jobs):
    """What our code makes of each."""
    text = "".join(line + "\n" for job in jobs for line in lines_of(job))
    done = subprocess.run([str(PROGRAM)], input=text.encode("ascii"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60 * SLOW)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    answers = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    assert len(answers) == len(jobs)
    return answers


# --- theirs ---

class Prometheus(stands.Server):
    health = "/-/ready"

    def __init__(self, stand, jobs):
        self.port = stands.free_port()
        file = stand.write("prometheus.yml", json.dumps({"global": {"scrape_interval": "1m"}, "scrape_configs": jobs}, ensure_ascii=False))
        super().__init__(stand, "prometheus", [stands.peer("GRAVEL_PROMETHEUS"), "--config.file=%s" % file, "--storage.tsdb.path=%s" % (stand.path / "tsdb"),
                                               "--web.listen-address=127.0.0.1:%d" % self.port])

    def targets(self, pool=None):
        return json.loads(http.get(self.url + "/api/v1/targets" + ("?scrapePool=" + pool if pool else "")).text)["data"]

    def answer(self, pool):
        """As gravel-relabel answers; None of a target that is an error."""
        data = self.targets(pool)
        assert len(data["activeTargets"]) + len(data["droppedTargets"]) < 2
        for t in data["activeTargets"]:
            return {"kept": True, "discovered": t["discoveredLabels"], "labels": t["labels"], "url": t["scrapeUrl"],
                    "interval": milliseconds(t["scrapeInterval"]), "timeout": milliseconds(t["scrapeTimeout"])}
        for t in data["droppedTargets"]:
            return {"kept": False, "discovered": t["discoveredLabels"]}
        return None


def theirs(stand, jobs, expected):
    """What a Prometheus makes of each: as soon as it has ${expected} targets, or what it has in the end."""
    prometheus = Prometheus(stand, jobs).start(40)
    counts = []

    def settled():
        data = prometheus.targets()
        counts.append(len(data["activeTargets"]) + len(data["droppedTargets"]))
        return counts[-1] >= expected or len(counts) > 20 and counts[-1] == counts[-15]
    eventually(settled, 60, 0.5, what="all targets")
    answers = [prometheus.answer(job["job_name"]) for job in jobs]
    prometheus.stop()
    return answers


def promtool_takes(stand, number, rules):
    """Whether it takes them, and what it says."""
    jobs = [{"job_name": "x", "relabel_configs": rules}]
    file = stand.write("check-%d.yml" % number, json.dumps({"scrape_configs": jobs}, ensure_ascii=False))
    done = subprocess.run([stands.peer("GRAVEL_PROMTOOL"), "check", "config", str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")
