# SPDX-License-Identifier: Apache-2.0
"""What pushes have beside the paths of /metrics: expiry, POST /ingest, groups in one store with all else, limits; and the pages in JSON."""
import gzip
import json
import time

import pytest

from harness.http import request
from harness.stand import jobs_of
from harness.wait import eventually

TYPES = {"Content-Type": "text/plain"}


def page(receiver, name, prefix="/api/v1/"):
    answer = receiver.get(prefix + name)
    assert answer.code == 200, answer
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    data = json.loads(answer.text)
    assert data["status"] == "success"
    return data["data"]


# --- expiry ---

def test_ttl_of_a_push(gateway):
    gateway.push_ok("short 1\n", "/job/x?ttl=1ms")
    gateway.push_ok("long 1\n", "/job/x?ttl=1h")
    gateway.push_ok("stays 1\n", "/job/x")
    eventually(lambda: gateway.metrics().names_without_own() == {"long", "stays"})


def test_the_last_push_decides_the_ttl(gateway):
    gateway.push_ok("a 1\nb 1\n", "/job/x?ttl=1h")
    gateway.push_ok("a 1\n", "/job/x?ttl=1ms")
    eventually(lambda: gateway.metrics().names_without_own() == {"b"})


def test_ttl_goes_before_the_expiration_of_the_receiver(stand):
    receiver = stand.receiver(receiver={"expiration": "1s"})
    receiver.push_ok("long 1\n", "/job/x?ttl=1h")
    receiver.push_ok("short 1\n", "/job/x")
    eventually(lambda: receiver.metrics().names_without_own() == {"long"})


@pytest.mark.parametrize("ttl", ["", "0s", "soon", "-5s", "1m1h", "11y", "5"])
@pytest.mark.parametrize("path", ["/metrics/job/x", "/ingest"])
def test_bad_ttl(gateway, path, ttl):
    answer = request(gateway.url + path + "?ttl=" + ttl, "POST", "a 1\n")
    assert (answer.code, answer.text) == (400, 'ttl "%s": write a duration like 90s or 1h30m, of at most ten years\n' % ttl)
    assert gateway.served() == set()


def test_groups_have_no_ttl(gateway):
    answer = request(gateway.url + "/pushgateway/metrics/job/x?ttl=1h", "PUT", "a 1\n")
    assert answer.code == 400 and "?ttl= is for /metrics" in answer.text
    assert gateway.served() == set()


# --- POST /ingest ---

# What its own example sends, with other names.
INGEST = ('# HELP cpu_used CPU used.\n# TYPE cpu_used gauge\ncpu_used{host=":9091",set="1"} 45\ncpu_used{host=":9091",set="2"} 39\n'
          '# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{path="/api",code="200"} 7\n')


def test_ingest_replaces(gateway):
    for _ in range(3):
        answer = request(gateway.url + "/ingest", "POST", INGEST, TYPES)
        assert (answer.code, answer.body) == (200, b"")
    assert gateway.metrics().value("requests_total", path="/api") == 7
    assert request(gateway.url + "/ingest", "POST", 'requests_total{path="/api",code="200"} 5\n').code == 200
    assert gateway.metrics().value("requests_total", path="/api") == 5
    assert gateway.metrics().value("cpu_used", set="2") == 39
    assert gateway.metrics().types["requests_total"] == "counter"


def test_ingest_expires(stand):
    receiver = stand.receiver(receiver={"expiration": "1s"})
    assert request(receiver.url + "/ingest", "POST", "a 1\n").code == 200
    assert request(receiver.url + "/ingest?ttl=1h", "POST", "b 1\n").code == 200
    eventually(lambda: receiver.metrics().names_without_own() == {"b"})


def test_ingest_takes_post_only(gateway):
    for method in ("GET", "PUT", "DELETE"):
        answer = request(gateway.url + "/ingest", method, "a 1\n")
        assert answer.code == 405 and answer.headers["Allow"] == "POST"
    assert request(gateway.url + "/ingest/job/x", "POST", "a 1\n").code == 404
    assert request(gateway.url + "/ingest", "POST", "a{ 1\n").code == 400
    assert request(gateway.url + "/ingest", "POST", "a 1\na 2\n").code == 400
    assert request(gateway.url + "/ingest", "POST", b"x", {"Content-Type": "application/vnd.google.protobuf; proto=other"}).code == 415
    assert gateway.served() == set()


# --- one store ---

def test_pushes_and_groups_leave_each_other_alone(gateway):
    group = gateway.url + "/pushgateway/metrics/job/x/instance/y"
    assert request(group, "PUT", "a 1\n").code == 200
    gateway.push_ok("b 1\n", "/job/x/instance/y")
    answer = gateway.push("a 2\n", "/job/x/instance/y")
    assert (answer.code, answer.text) == (400, '1:1: a series of "a" with the same labels is in another group\n')
    answer = request(group, "POST", "b 2\n")
    assert (answer.code, answer.text) == (400, '1:1: a series of "b" with the same labels is in another group\n')
    assert gateway.metrics().value("push_failure_time_seconds", job="x", instance="y") > time.time() - 60
    assert gateway.push("push_time_seconds 5\n", "/job/x/instance/y").code == 400
    assert request(gateway.url + "/metrics/job/x", "DELETE").code == 200
    served = gateway.metrics()
    assert served.value("a", job="x", instance="y") == 1 and not served.find("b")
    gateway.push_ok("b 1\n", "/job/x/instance/y")
    assert request(group, "DELETE").code == 202
    assert gateway.metrics().names_without_own() == {"b"}


def test_delete_by_part_of_the_key(gateway):
    for path in ("/job/x/zone/1", "/job/x/zone/2", "/job/y/zone/1"):
        gateway.push_ok("a 1\n", path)
    assert request(gateway.url + "/metrics/job/x", "DELETE").code == 200
    assert [s.labels for s in gateway.metrics().find("a")] == [{"job": "y", "zone": "1"}]
    assert request(gateway.url + "/metrics", "DELETE").code == 400
    assert request(gateway.url + "/metrics/zone/1", "DELETE").code == 200
    assert gateway.served() == set()


# --- limits ---

def test_limits_hold_for_groups(stand):
    receiver = stand.receiver(receiver={"limits": {"push_body": "64KiB", "push_samples": 10, "series": 500, "groups": 2}})
    gateway = receiver.url + "/pushgateway/metrics/job/"
    many = "".join("a%d 1\n" % i for i in range(11))
    assert request(gateway + "x", "PUT", "a 1\n" + "# %s\n" % ("x" * 70000)).code == 413
    assert request(gateway + "x", "PUT", gzip.compress(b"# x\n" * 100000), {"Content-Encoding": "gzip"}).code == 413
    answer = request(gateway + "x", "PUT", many)
    assert (answer.code, answer.text) == (413, "11:1: more than 10 samples (receiver.limits.push_samples)\n")
    assert request(gateway + "x/" + "/".join("l%d/1" % i for i in range(40)), "PUT", "a 1\n").code == 413
    assert receiver.served() == set()
    for job in "xy":
        assert request(gateway + job, "PUT", "a 1\n").code == 200
    answer = request(gateway + "z", "PUT", "a 1\n")
    assert (answer.code, answer.text) == (429, "the store is full: it may hold 2 groups (receiver.limits.groups)\n")
    assert request(gateway + "x", "PUT", "b 1\n").code == 200
    assert request(gateway + "y", "DELETE").code == 202
    assert request(gateway + "z", "PUT", "a 1\n").code == 200


def test_a_full_store_refuses_and_remembers(stand):
    receiver = stand.receiver(receiver={"limits": {"series": 150}})
    gateway = receiver.url + "/pushgateway/metrics/job/x"
    answer = request(gateway, "PUT", "".join("a%d 1\n" % i for i in range(150)))
    assert answer.code == 429 and "the store is full" in answer.text
    served = receiver.metrics()
    assert served.names_without_own() == {"push_time_seconds", "push_failure_time_seconds"}
    assert served.value("push_time_seconds") == 0 and served.value("push_failure_time_seconds") > 0


# --- answers of routes ---

@pytest.mark.parametrize("path,allow", [
    ("/pushgateway/metrics/job/x", "POST, PUT, DELETE"),
    ("/pushgateway/metrics", "GET, HEAD"),
    ("/pushgateway/-/healthy", "GET, HEAD"),
    ("/api/v1/status", "GET, HEAD"),
    ("/api/v1/groups", "GET, HEAD"),
])
def test_other_methods(gateway, path, allow):
    method = "GET" if "GET" not in allow else "DELETE"
    answer = request(gateway.url + path, method)
    assert answer.code == 405 and answer.headers["Allow"] == allow


@pytest.mark.parametrize("path", ["/pushgateway/nothing", "/pushgatewayx", "/api/v1/nothing", "/api/v1", "/pushgateway/metrics/instance/x"])
def test_nothing_there(gateway, path):
    assert request(gateway.url + path).code == 404


def test_answers_are_counted(gateway):
    url = gateway.url + "/pushgateway/metrics/job/x"
    for method, body in (("PUT", "a 1\n"), ("PUT", "a 1 5\n"), ("PUT", "a{\n"), ("DELETE", None)):
        request(url, method, body)
    own = gateway.metrics()
    assert {s.labels["code"]: s.value for s in own.find("gravel_pushes_total")} == {"200": 1, "400": 2, "202": 1}


# --- pages ---

def test_pages_of_an_empty_receiver(gateway):
    for name in ("metrics", "groups", "targets", "publishers"):
        assert page(gateway, name) == []
    status = page(gateway, "status")
    assert status["groups"] == {"fresh": 0, "stale": 0, "gateway": 0}
    assert status["build_information"]["version"] and status["series"] > 0


def test_pages_of_pollers(stand):
    nats = stand.nats()
    good, bad = stand.target("x 1\ny 2\n"), stand.target(code=500)
    stand.poller(nats, jobs_of(good=good, bad=bad), identity="dc7")
    receiver = stand.receiver(nats)
    assert request(receiver.url + "/pushgateway/metrics/job/push", "PUT", "z 1\n").code == 200
    eventually(lambda: len(page(receiver, "targets")) == 3)  # the third is the poller itself
    targets = {t["instance"]: t for t in page(receiver, "targets")}
    assert {t["publisher"] for t in targets.values()} == {"dc7"}
    target = targets["good"]
    assert (target["job"], target["state"], target["interval_seconds"]) == ("j", "fresh", 1)
    assert target["series"] == 7 and 0 <= target["age_seconds"] < 60
    assert targets["bad"]["series"] == 5
    publisher, = page(receiver, "publishers")
    assert publisher["publisher"] == "dc7" and abs(publisher["lag_seconds"]) < 60 and abs(publisher["clock_skew_seconds"]) < 60
    groups = page(receiver, "groups")
    assert sorted(g["kind"] for g in groups) == ["gateway", "scrape", "scrape", "scrape"]
    pushed, = (g for g in groups if g["kind"] == "gateway")
    assert pushed["labels"] == {"job": "push"} and pushed["series"] == 3 and pushed["last_failure"] is None
    assert page(receiver, "status")["groups"] == {"fresh": 3, "stale": 0, "gateway": 1}
    assert page(receiver, "metrics") == page(receiver, "metrics", "/pushgateway/api/v1/")
