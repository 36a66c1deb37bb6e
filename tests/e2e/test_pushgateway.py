# SPDX-License-Identifier: Apache-2.0
"""The Pushgateway's dialect, side by side with Debian's prometheus-pushgateway: the same requests, then codes and what is stored."""
import json
import re
import subprocess
import time

import pytest

from harness import expo, http
from harness import stand as stands
from harness.gateway import CASES, DIFFERENCES, H1, POISON, S1, b64
from harness.stand import ROOT, Pushgateway
from harness.wait import SLOW, eventually

try:
    import prometheus_client
except ImportError:  # not every distribution has it
    prometheus_client = None

THEIR_OWN = re.compile(r"^(go|process|promhttp|pushgateway)_")
TIMES = ("push_time_seconds", "push_failure_time_seconds")


class Side:
    """One of the two, by the base URL that its clients use."""

    def __init__(self, server, prefix, own):
        self.server = server
        self.base = server.url + prefix
        self.own = own

    def ask(self, step):
        return http.request(self.base + step.path, step.method, step.body, step.headers).code

    def groups(self):
        answer = http.get(self.base + "/api/v1/metrics")
        assert answer.code == 200
        return json.loads(answer.text)["data"]

    def wipe(self):
        for group in self.groups():
            labels = dict(group["labels"])
            path = "/metrics/job@base64/" + b64(labels.pop("job"))
            path += "".join("/%s@base64/%s" % (k, b64(v) or "=") for k, v in sorted(labels.items()))
            assert http.request(self.base + path, "DELETE").code == 202
        eventually(lambda: self.groups() == [])  # theirs is only queued when it is answered

    def stored(self, since):
        """What the groups hold, a line each: type, series, value; and helps. A time of a push is "never", "now" or what it is."""
        answer = http.get(self.base + "/metrics")
        if answer.code != 200:
            return ["GET /metrics: %d" % answer.code]
        try:
            read = expo.Exposition(answer.text)
        except AssertionError:
            return ["GET /metrics: nobody can read it"]
        found = ["help %s %s" % item for item in read.helps.items() if item[0] in read.blocks and not self.own.match(item[0])]
        for name, lines in read.blocks.items():
            if self.own.match(name):
                continue
            for sample in expo.Exposition("\n".join(lines) + "\n").samples:
                value = repr(sample.value)
                if name in TIMES:
                    value = "never" if sample.value == 0 else "now" if since - 1 <= sample.value <= time.time() + 1 else value
                labels = ",".join("%s=%r" % item for item in sorted(sample.labels.items()))
                found.append("%s %s{%s} %s" % (read.types.get(name), sample.name, labels, value))
        return sorted(found)

    def run(self, steps, wanted=None):
        """The codes, and what is stored then; a DELETE that a Pushgateway has answered may still be on its way, so that is asked until it is as wanted."""
        since = time.time()
        codes = [self.ask(step) for step in steps]
        deadline = time.monotonic() + 5 * SLOW
        stored = self.stored(since)
        while wanted is not None and stored != wanted and steps[-1].method == "DELETE" and time.monotonic() < deadline:
            time.sleep(0.01)
            stored = self.stored(since)
        return codes, stored


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    stand = stands.Stand(tmp_path_factory.mktemp("pushgateway"))
    theirs = Pushgateway(stand).start()
    ours = stand.receiver()
    yield Side(theirs, "", THEIR_OWN), Side(ours, "/pushgateway", expo.OWN)
    problems = stand.close()
    assert not problems, "\n".join(problems)


@pytest.fixture
def sides(both, request):
    """Both without a group, before and after."""
    theirs, ours = both
    yield theirs, ours
    ours.wipe()
    if hasattr(request.node, "callspec") and request.node.callspec.params.get("name") in POISON:
        theirs.server.kill9()
        theirs.server.start()
    else:
        theirs.wipe()


@pytest.mark.parametrize("name", sorted(set(CASES) - set(DIFFERENCES)))
def test_same(sides, name):
    theirs, ours = sides
    wanted = ours.run(CASES[name])
    assert theirs.run(CASES[name], wanted[1]) == wanted


@pytest.mark.parametrize("name", sorted(DIFFERENCES))
def test_difference(sides, name):
    theirs, ours = sides
    _, wanted_theirs, wanted_ours = DIFFERENCES[name]
    assert wanted_theirs != wanted_ours
    assert theirs.run(CASES[name], wanted_theirs[1]) == wanted_theirs
    assert ours.run(CASES[name]) == wanted_ours


def test_every_difference_has_its_reason_in_the_docs():
    page = (ROOT / "docs" / "PUSHGATEWAY.md").read_text("utf-8")
    table = re.search(r"^## What differs\n(.*?)(?=^## |\Z)", page, re.M | re.S).group(1)
    assert set(re.findall(r"^\| \*\*(.+?)\*\* \|", table, re.M)) == {reason for reason, _, _ in DIFFERENCES.values()}


# --- the API in JSON ---

EXPOSITION = ('# HELP c_total Some "help" of it.\n# TYPE c_total counter\nc_total{l="a\\\\b\\n"} 1e+06\nc_total 0.5\n'
              "# TYPE g gauge\ng NaN\n# TYPE i gauge\ni +Inf\nu -3\n" + H1 +
              'h_bucket{l="2",le="+Inf"} 0\nh_sum{l="2"} 0\nh_count{l="2"} 0\n' + S1)


def number(text):
    return repr(float(text))


def readable(group, since):
    """A group of api/v1/metrics without what must differ: times, and how a number is spelled."""
    found = {"labels": group["labels"], "last_push_successful": group["last_push_successful"]}
    for name, family in group.items():
        if name in found:
            continue
        stamp = re.sub(r"(\.\d{1,6})\d*", r"\1", family["time_stamp"].replace("Z", "+00:00"))
        at = subprocess.run(["date", "-d", stamp, "+%s"], stdout=subprocess.PIPE, check=True).stdout
        assert since - 2 <= int(at) <= time.time() + 2, family["time_stamp"]
        assert set(family) <= {"time_stamp", "type", "help", "metrics"}
        metrics = []
        for metric in family["metrics"]:
            entry = {"labels": metric["labels"]}
            for key, value in metric.items():
                if key in ("buckets", "quantiles"):
                    entry[key] = {number(k): number(v) for k, v in value.items()}
                elif key != "labels":
                    entry[key] = "time" if name in TIMES and float(value) >= since - 2 else number(value)
            metrics.append(entry)
        found[name] = (family["type"], family.get("help"), sorted(metrics, key=repr))
    return found


def test_api_metrics(sides):
    since = time.time()
    found = []
    for side in sides:
        for path, body, code in (("/job/x/instance/y", EXPOSITION, 200), ("/job/z", "only 1\n", 200), ("/job/z", "bad 1 5\n", 400),
                                 ("/job/never", "bad 1 5\n", 400)):
            assert http.request(side.base + "/metrics" + path, "PUT", body).code == code
        answer = http.get(side.base + "/api/v1/metrics")
        assert answer.code == 200 and answer.headers["Content-Type"] == "application/json"
        data = json.loads(answer.text)
        assert set(data) == {"status", "data"} and data["status"] == "success"
        found.append(sorted((readable(group, since) for group in data["data"]), key=lambda g: repr(sorted(g["labels"].items()))))
    theirs, ours = found
    assert ours == theirs
    assert [(g["labels"]["job"], g["last_push_successful"]) for g in ours] == [("x", True), ("never", False), ("z", False)]


def test_api_status_has_what_theirs_has(sides):
    theirs, ours = (json.loads(http.get(side.base + "/api/v1/status").text) for side in sides)
    assert theirs["status"] == ours["status"] == "success"
    assert set(theirs["data"]) <= set(ours["data"])
    assert set(theirs["data"]["build_information"]) == set(ours["data"]["build_information"])
    assert isinstance(ours["data"]["flags"], dict)
    assert re.match(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", ours["data"]["start_time"])


def test_health_says_the_same(sides):
    for path in ("/-/healthy", "/-/ready"):
        theirs, ours = (http.get(side.base + path) for side in sides)
        assert (ours.code, ours.text) == (theirs.code, theirs.text) == (200, "OK")


# --- the official Python client, with only the URL changed ---

def registry():
    r = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("client_gauge", "A gauge.", ["l"], registry=r).labels("v w/x").set(4)
    prometheus_client.Counter("client_jobs", "A counter.", registry=r).inc(3)
    prometheus_client.Histogram("client_seconds", "A histogram.", registry=r).observe(0.3)
    prometheus_client.Summary("client_bytes", "A summary.", registry=r).observe(5)
    prometheus_client.Info("client_build", "An info.", registry=r).info({"version": "1"})
    prometheus_client.Enum("client_state", "An enum.", states=["on", "off"], registry=r).state("off")
    return r


KEYS = [None, {"instance": "a/b"}, {"instance": "a b+c", "zone": "\u00fc"}, {"instance": "", "zone": "z"}, "ip"]


@pytest.mark.skipif(prometheus_client is None, reason="python3-prometheus-client is not there")
@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_python_client(sides, key):
    """Both hold the same after each step; _created is the client's own clock, so both get one registry."""
    theirs, ours = sides
    if key == "ip":
        key = prometheus_client.instance_ip_grouping_key()
        assert set(key) == {"instance"}
    pushed, other = registry(), prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("client_gauge", "A gauge.", ["l"], registry=other).labels("new").set(5)
    prometheus_client.Gauge("client_other", "Another.", registry=other).set(1)
    steps = (
        lambda url: prometheus_client.push_to_gateway(url, "a job", pushed, grouping_key=key),
        lambda url: prometheus_client.pushadd_to_gateway(url, "a job", other, grouping_key=key),
        lambda url: prometheus_client.push_to_gateway(url, "a/job", other, grouping_key=key),
        lambda url: prometheus_client.delete_from_gateway(url, "a job", grouping_key=key),
        lambda url: prometheus_client.push_to_gateway(url, "a/job", pushed, grouping_key=key),
        lambda url: prometheus_client.delete_from_gateway(url, "a/job", grouping_key=key),
    )
    sizes, since = [], time.time()
    for step in steps:
        for side in sides:
            step(side.base)
        wanted = ours.stored(since)
        eventually(lambda: theirs.stored(since) == wanted)
        sizes.append(len(wanted))
    assert sizes[-1] == 0 and sizes[0] > 30 and sizes[1] > sizes[0]
