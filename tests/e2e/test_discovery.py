# SPDX-License-Identifier: Apache-2.0
"""Discovery against the real things: files, unbound, an HTTP server, etcd, NATS KV. Driven by gravel-discover, which prints each list that it is told."""
import base64
import http.server
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from harness import http as harness_http
from harness.stand import BUILD, Child, Nats, Server, Unbound, free_port, peer
from harness.wait import eventually, holds

PROGRAM = BUILD.parent / "tests" / "gravel-discover"


class Discover(Child):
    ours = True

    def __init__(self, stand, *args):
        super().__init__(stand, "discover", [PROGRAM, *args])

    def stdin(self):
        return subprocess.PIPE

    def lines(self):
        return [json.loads(line) for line in self.log.split("\n") if line.startswith("{") and line.endswith("}")]

    def lists(self, source=0):
        return [line["targets"] for line in self.lines() if line.get("source") == source]

    def wait(self, *addresses, source=0, **kwargs):
        """Until the last list has exactly these addresses; that list."""
        def there():
            last = self.lists(source)[-1]
            assert sorted(t["__address__"] for t in last) == sorted(addresses), last
            return [last]
        return eventually(there, **kwargs)[0]

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def metrics(self):
        before = len([line for line in self.lines() if "failures" in line])
        self.say("metrics")
        return eventually(lambda: [line for line in self.lines() if "failures" in line][before:])[0]

    def stop(self, timeout=15):
        """The end of its input."""
        if self.alive():
            self.process.stdin.close()
            try:
                return self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill9()
                self.problems.append("discover did not end")
        return self.process.returncode if self.process else 0

    def freed_ms(self):
        self.stop()
        return [line["freed_ms"] for line in self.lines() if "freed_ms" in line][0]

    def wait_log(self, text):
        return eventually(lambda: text in self.log, what="the log has %r" % text)


def discover(stand, *args):
    return Discover(stand, *args).start()


# Files.

def replace(path, text):
    """As a careful writer does it."""
    new = path.parent / (path.name + ".new")
    new.write_text(text)
    new.rename(path)


def group(*targets, **labels):
    return json.dumps([{"targets": list(targets), "labels": labels}])


def test_files_json_yaml_and_patterns(stand):
    d = stand.path / "sd"
    d.mkdir()
    (d / "a.json").write_text(group("a:1", "b:2", env="prod", __meta_filepath="no"))
    (d / "b.yml").write_text("- targets: [c:3]\n  labels:\n    port: 80\n    empty: ''\n")
    (d / "ignored.txt").write_text("not looked at")
    s = discover(stand, "--kind", "file", "--name", d / "*.json", "--name", d / "b.y*l", "--name", d / "a.json")
    assert sorted(s.wait("a:1", "b:2", "c:3"), key=str) == [
        {"__address__": "a:1", "__meta_filepath": str(d / "a.json"), "env": "prod"},
        {"__address__": "b:2", "__meta_filepath": str(d / "a.json"), "env": "prod"},
        {"__address__": "c:3", "__meta_filepath": str(d / "b.yml"), "port": "80"}]
    (d / "more.json").write_text(group("d:4"))
    s.wait("a:1", "b:2", "c:3", "d:4")
    (d / "a.json").unlink()
    s.wait("c:3", "d:4")
    replace(d / "b.yml", "")
    s.wait("d:4")
    assert s.metrics()["failures"] == 0 and s.metrics()["targets"] == 1
    assert s.metrics()["last_success"] > time.time() - 60


def test_file_atomic_replace_and_in_place(stand):
    d = stand.path / "sd"
    d.mkdir()
    f = d / "t.json"
    f.write_text(group("a:0"))
    s = discover(stand, "--kind", "file", "--name", f)
    s.wait("a:0")
    for i in range(1, 6):
        (replace if i % 2 else lambda p, t: p.write_text(t))(f, group("a:%d" % i))
        s.wait("a:%d" % i)
    # The same again is no new list.
    n = len(s.lists())
    f.write_text(group("a:5"))
    replace(f, group("a:5") + "\n")
    os.utime(f)
    holds(lambda: len(s.lists()) == n, 1.5)
    os.rename(f, d / "gone")
    s.wait()
    os.rename(d / "gone", f)
    s.wait("a:5")
    assert s.metrics()["failures"] == 0


def configmap(d, number, files):
    """As the kubelet writes one: a folder of its own, and the symlink ..data renamed onto it."""
    real = d / ("..2026_%d" % number)
    real.mkdir()
    for name, text in files.items():
        (real / name).write_text(text)
        if not (d / name).is_symlink():
            (d / name).symlink_to("..data/" + name)
    (d / "..data_tmp").symlink_to(real.name)
    (d / "..data_tmp").rename(d / "..data")


def test_file_symlink_swap_of_a_configmap(stand):
    d = stand.path / "sd"
    d.mkdir()
    configmap(d, 1, {"t.json": group("a:1"), "u.yml": "- targets: [u:1]\n"})
    s = discover(stand, "--kind", "file", "--name", d / "*.json", "--name", d / "*.yml")
    s.wait("a:1", "u:1")
    for i in range(2, 5):
        configmap(d, i, {"t.json": group("a:%d" % i), "u.yml": "- targets: [u:1]\n"})
        s.wait("a:%d" % i, "u:1")
    assert s.metrics()["failures"] == 0


def test_a_broken_file_keeps_its_last_good_list_alone(stand):
    d = stand.path / "sd"
    d.mkdir()
    (d / "a.json").write_text(group("a:1"))
    (d / "b.yml").write_text("- targets: [b:1]\n")
    s = discover(stand, "--kind", "file", "--name", d / "*.json", "--name", d / "*.yml")
    s.wait("a:1", "b:1")
    (d / "a.json").write_text('[\n {"targets": ["x:1"]},\n {"targets": ["y:1"],\n  "label": {}}\n]')
    s.wait_log('%s:3:2: unknown field' % (d / "a.json"))
    (d / "b.yml").write_text("- targets: [b:1]\n- targets: [b:2]\n")
    s.wait("a:1", "b:1", "b:2")
    (d / "b.yml").write_text("- targets: [b:3]\n  labels:\n    a-b: c\n")
    s.wait_log("(and 1 more)")
    (d / "a.json").write_text(group("a:2"))
    s.wait("a:2", "b:1", "b:2")
    s.wait_log('%s:3:5:' % (d / "b.yml"))
    assert s.metrics()["failures"] >= 3
    (d / "b.yml").write_text("- targets: [b:3]\n")
    s.wait("a:2", "b:3")
    s.wait_log("discovery works again")


def test_a_folder_that_comes_later_and_is_swapped(stand):
    d = stand.path / "sd"
    s = discover(stand, "--kind", "file", "--name", d / "*.json", "--refresh", 300)
    s.wait()
    (stand.path / "new").mkdir()
    (stand.path / "new" / "a.json").write_text(group("a:1"))
    (stand.path / "new").rename(d)
    s.wait("a:1")
    (stand.path / "new").mkdir()
    (stand.path / "new" / "a.json").write_text(group("a:2"))
    d.rename(stand.path / "old")
    (stand.path / "new").rename(d)
    s.wait("a:2")
    # A pipe must not hold up anything.
    os.mkfifo(d / "p.json")
    s.wait_log("p.json: Invalid argument")
    assert s.freed_ms() < 1000


# DNS.

SRV = "_m._tcp.example. 60 IN SRV 0 0 "


def test_dns_srv_a_aaaa(stand):
    u = Unbound(stand, [SRV + "9100 one.example.", SRV + "9200 two.example.", "one.example. IN A 192.0.2.1",
                        "one.example. IN A 192.0.2.2", "one.example. IN AAAA 2001:db8::1",
                        "_none._tcp.example. IN SRV 0 0 0 ."]).start()
    s = discover(stand, "--dns", u.server, "--kind", "dns", "--name", "_m._tcp.example", "--refresh", 200,
                 "--kind", "dns", "--name", "one.example", "--type", "A", "--port", 80,
                 "--kind", "dns", "--name", "one.example.", "--type", "AAAA", "--port", 81,
                 "--kind", "dns", "--name", "_none._tcp.example", "--kind", "dns", "--name", "no.example", "--type", "A")
    assert sorted(s.wait("one.example:9100", "two.example:9200"), key=str) == [
        {"__address__": "one.example:9100", "__meta_dns_name": "_m._tcp.example",
         "__meta_dns_srv_record_port": "9100", "__meta_dns_srv_record_target": "one.example."},
        {"__address__": "two.example:9200", "__meta_dns_name": "_m._tcp.example",
         "__meta_dns_srv_record_port": "9200", "__meta_dns_srv_record_target": "two.example."}]
    assert {"__address__": "192.0.2.1:80", "__meta_dns_name": "one.example"} in s.wait(
        "192.0.2.1:80", "192.0.2.2:80", source=1)
    assert s.wait("[2001:db8::1]:81", source=2) == [
        {"__address__": "[2001:db8::1]:81", "__meta_dns_name": "one.example."}]
    s.wait(source=3)
    s.wait(source=4)
    # In another order (unbound rotates) it is the same list.
    time.sleep(1)
    assert len(s.lists()) == 1
    u.records = [SRV + "9300 three.example."]
    u.stop()
    u.start()
    s.wait("three.example:9300")
    # A name that is not there any more is an answer.
    u.records = ["other.example. IN A 192.0.2.9"]
    u.stop()
    u.start()
    s.wait()


def test_dns_keeps_the_list_while_the_server_is_away(stand):
    u = Unbound(stand, ["one.example. IN A 192.0.2.1"]).start()
    s = discover(stand, "--dns", u.server, "--kind", "dns", "--name", "one.example", "--type", "A", "--port", 1,
                 "--refresh", 200)
    s.wait("192.0.2.1:1")
    u.stop()
    s.wait_log("one.example: Could not contact DNS servers")
    assert s.metrics()["failures"] > 0
    u.records = ["one.example. IN A 192.0.2.7"]
    u.start()
    s.wait("192.0.2.7:1")
    assert s.lists()[1:] == [[{"__address__": "192.0.2.7:1", "__meta_dns_name": "one.example"}]]
    s.wait_log("works again")


@pytest.mark.parametrize("n", [60, 800])
def test_dns_answers_that_do_not_fit_a_datagram(stand, n):
    u = Unbound(stand, [SRV + "%d a-rather-long-name-of-a-host-%d.example." % (1 + i, i) for i in range(n)]).start()
    s = discover(stand, "--dns", u.server, "--kind", "dns", "--name", "_m._tcp.example")
    s.wait(*["a-rather-long-name-of-a-host-%d.example:%d" % (i, 1 + i) for i in range(n)])


def test_dns_answer_above_64_kib_is_no_empty_list(stand):
    u = Unbound(stand, [SRV + "%d a-rather-long-name-of-a-host-%d.example." % (1 + i, i) for i in range(2000)]).start()
    s = discover(stand, "--dns", u.server, "--kind", "dns", "--name", "_m._tcp.example")
    s.wait_log("more than 64 KiB")
    assert s.lists() == []


# HTTP.

class Service:
    """The user's own program: python's http.server."""

    def __init__(self):
        self.answer = (200, "application/json", b"[]")
        self.requests = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                service.requests.append((self.path, dict(self.headers)))
                if service.answer is None:
                    time.sleep(3600)
                code, kind, body = service.answer
                self.send_response(code)
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def set(self, text, code=200, kind="application/json"):
        self.answer = (code, kind, text.encode())


def test_http(stand):
    service = Service()
    service.set(group("a:1", "b:2", env="x"))
    url = "http://127.0.0.1:%d/sd?secret=1" % service.port
    s = discover(stand, "--kind", "http", "--name", url, "--refresh", 200)
    assert s.wait("a:1", "b:2")[0] == {"__address__": "a:1", "__meta_url": url, "env": "x"}
    path, headers = service.requests[0]
    assert path == "/sd?secret=1"
    assert headers["X-Prometheus-Refresh-Interval-Seconds"] == "0.2" and headers["Accept"] == "application/json"
    assert headers["User-Agent"] == "gravel-discover"
    for text, code, kind, why in [
            (group("c:1"), 500, "application/json", "500"),
            (group("c:1"), 200, "text/html", 'the Content-Type is \\"text/html\\"'),
            (group("c:1"), 200, "application/json; charset=latin1", "charset=latin1"),
            ("[{]", 200, "application/json", "line 1 of the answer: this is no JSON"),
            ('[\n{"targets": ["x"], "labels": {"a": 1}}]', 200, "application/json", "line 2 of the answer: the value of label"),
            ('{"targets": ["x"]}', 200, "application/json", "this is no list of groups")]:
        service.set(text, code, kind)
        s.wait_log(why)
        assert len(s.lists()) == 1
    assert s.metrics()["failures"] >= 6 and s.metrics()["targets"] == 2
    assert "secret" not in "".join(line for line in s.log.split("\n") if "level=" in line)
    service.set(group("c:1"), 200, 'application/json; charset="UTF-8"')
    s.wait("c:1")
    s.wait_log("works again")
    service.set("[]")
    s.wait()


def test_http_credentials(stand):
    service = Service()
    url = "http://127.0.0.1:%d/" % service.port
    secret = stand.write("password", "of-the-file\n")
    basic = discover(stand, "--kind", "http", "--name", url, "--user", "me", "--password-file", secret, "--refresh", 200)
    basic.wait()
    assert service.requests[0][1]["Authorization"] == "Basic " + b64("me:of-the-file")
    secret.write_text("another")
    eventually(lambda: service.requests[-1][1]["Authorization"] == "Basic " + b64("me:another"))
    secret.unlink()
    basic.wait_log("discovery fails")
    assert str(secret) in basic.log
    basic.stop()
    del service.requests[:]
    bearer = discover(stand, "--kind", "http", "--name", url, "--bearer", "topsecret")
    bearer.wait()
    assert service.requests[0][1]["Authorization"] == "Bearer topsecret" and "topsecret" not in bearer.log


@pytest.mark.long
def test_http_that_hangs_and_a_large_list(stand):
    service = Service()
    service.set(json.dumps([{"targets": ["host-%d:9100" % i], "labels": {"n": str(i)}} for i in range(100000)]))
    url = "http://user:topsecret@127.0.0.1:%d/" % service.port
    s = discover(stand, "--kind", "http", "--name", url, "--refresh", 1000)
    assert eventually(lambda: len(s.lists()[0]), timeout=30) == 100000
    assert s.lists()[0][5] == {"__address__": "host-5:9100", "__meta_url": "http://127.0.0.1:%d/" % service.port, "n": "5"}
    service.answer = None
    s.wait_log("discovery fails")
    assert "topsecret" not in s.log
    assert s.freed_ms() < 1000


# etcd.

def b64(text):
    return base64.b64encode(text.encode()).decode()


class Etcd(Server):
    health = "/health"

    def __init__(self, stand):
        self.port = free_port()
        self.peer_port = free_port()
        super().__init__(stand, "etcd", [
            peer("GRAVEL_ETCD"), "--data-dir", stand.path / "etcd", "--listen-client-urls", self.url,
            "--advertise-client-urls", self.url, "--listen-peer-urls", "http://127.0.0.1:%d" % self.peer_port,
            "--initial-advertise-peer-urls", "http://127.0.0.1:%d" % self.peer_port,
            "--initial-cluster", "default=http://127.0.0.1:%d" % self.peer_port, "--unsafe-no-fsync", "--max-txn-ops", "10000"])

    def call(self, path, body, token=None):
        answer = harness_http.request(self.url + "/v3/" + path, "POST", json.dumps(body),
                                      {"Authorization": token} if token else {})
        assert answer.code == 200, answer
        return json.loads(answer.text)

    def put(self, key, value="", **more):
        self.call("kv/put", dict({"key": b64(key), "value": b64(value)}, **more))

    def delete(self, key):
        self.call("kv/deleterange", {"key": b64(key)})


@pytest.mark.long
def test_etcd(stand):
    e = Etcd(stand).start()
    e.put("/services/web/h1:80")
    e.put("/services/web/h2:80", "anything")
    e.put("/services/web/by-value", "h3:80\n")
    e.put("/services/web/v6", "[2001:db8::1]:80")
    e.put("/services/web/none", "no address")
    e.put("/services/wec", "x:1")
    e.put("/services/wea", "y:1")
    dead = "http://127.0.0.1:%d" % free_port()
    s = discover(stand, "--kind", "etcd", "--name", dead, "--name", e.url + "/", "--prefix", "/services/web/", "--refresh", 200)
    found = s.wait("h1:80", "h2:80", "h3:80", "[2001:db8::1]:80")
    assert {"__address__": "h3:80", "__meta_etcd_key": "/services/web/by-value"} in found
    assert s.metrics()["failures"] == 0
    e.delete("/services/web/h1:80")
    s.wait("h2:80", "h3:80", "[2001:db8::1]:80")
    # As promster registers: a key that lives as long as its lease.
    lease = e.call("lease/grant", {"TTL": "2"})["ID"]
    e.put("/services/web/h4:80", lease=lease)
    s.wait("h2:80", "h3:80", "h4:80", "[2001:db8::1]:80")
    s.wait("h2:80", "h3:80", "[2001:db8::1]:80")
    n = len(s.lists())
    e.stop()
    s.wait_log("discovery fails")
    time.sleep(1)
    assert len(s.lists()) == n and s.metrics()["failures"] > 0
    e.start()
    e.put("/services/web/h5:80")
    s.wait("h2:80", "h3:80", "h5:80", "[2001:db8::1]:80")
    s.wait_log("works again")


def test_etcd_pages(stand):
    e = Etcd(stand).start()
    for first in range(0, 11000, 1000):
        e.call("kv/txn", {"success": [{"requestPut": {"key": b64("/t/host-%05d:9100" % i), "value": ""}}
                                      for i in range(first, first + 1000)]})
    s = discover(stand, "--kind", "etcd", "--name", e.url, "--prefix", "/t/", "--refresh", 300)
    s.wait(*["host-%05d:9100" % i for i in range(11000)])
    e.delete("/t/host-05000:9100")
    s.wait(*["host-%05d:9100" % i for i in range(11000) if i != 5000])


def test_etcd_with_a_login(stand):
    e = Etcd(stand).start()
    e.put("/t/a:1")
    e.call("auth/user/add", {"name": "root", "password": "rootsecret"})
    e.call("auth/role/add", {"name": "root"})
    e.call("auth/user/grant", {"user": "root", "role": "root"})
    e.call("auth/enable", {})
    secret = stand.write("password", "rootsecret\n")
    bad = discover(stand, "--kind", "etcd", "--name", e.url, "--prefix", "/t/", "--refresh", 200, "--user", "root", "--password",
                   "wrongsecret")
    without = discover(stand, "--kind", "etcd", "--name", e.url, "--prefix", "/t/", "--refresh", 200)
    s = discover(stand, "--kind", "etcd", "--name", e.url, "--prefix", "/t/", "--refresh", 200, "--user", "root",
                 "--password-file", secret)
    s.wait("a:1")
    bad.wait_log("login: ")
    without.wait_log("discovery fails")
    assert bad.lists() == [] and without.lists() == []
    # Simple tokens do not outlive the server: the next one is fetched by itself.
    e.stop()
    e.start()
    token = e.call("auth/authenticate", {"name": "root", "password": "rootsecret"})["token"]
    e.call("kv/put", {"key": b64("/t/b:1"), "value": ""}, token)
    s.wait("a:1", "b:1")
    for child in (s, bad, without):
        assert "secret" not in child.log.replace(str(secret), "")


# NATS KV.

class Bucket:
    """A bucket as nats.c and the nats CLI make it (ADR-8)."""

    def __init__(self, nats, name, **config):
        self.nats, self.name, self.config = nats, name, config

    def create(self):
        config = dict({"name": "KV_" + self.name, "subjects": ["$KV.%s.>" % self.name], "max_msgs_per_subject": 1,
                       "discard": "new", "allow_rollup_hdrs": True, "deny_delete": True, "storage": "file",
                       "retention": "limits", "num_replicas": 1}, **self.config)
        with self.nats.client() as c:
            answer = c.request("$JS.API.STREAM.CREATE.KV_" + self.name, json.dumps(config).encode())
            assert "error" not in answer, answer
        return self

    def destroy(self):
        with self.nats.client() as c:
            assert c.request("$JS.API.STREAM.DELETE.KV_" + self.name)["success"]

    def send(self, key, data=b"", headers=None):
        with self.nats.client() as c:
            c.publish("$KV.%s.%s" % (self.name, key), data, headers)

    def put(self, key, text):
        self.send(key, text.encode())

    def delete(self, key):
        self.send(key, headers={"KV-Operation": "DEL"})

    def purge(self, key):
        self.send(key, headers={"KV-Operation": "PURGE", "Nats-Rollup": "sub"})


def test_nats_kv(stand):
    nats = stand.nats()
    bucket = Bucket(nats, "targets").create()
    bucket.put("web.one", group("a:1", "b:1", env="x"))
    bucket.put("web.two", '{"targets": ["c:1"]}')
    bucket.put("db", group("d:1"))
    s = discover(stand, "--nats", nats.url, "--kind", "nats_kv", "--name", "targets",
                 "--kind", "nats_kv", "--name", "targets", "--prefix", "web.t")
    found = s.wait("a:1", "b:1", "c:1", "d:1")
    assert {"__address__": "a:1", "__meta_nats_kv_key": "web.one", "env": "x"} in found
    s.wait("c:1", source=1)
    bucket.put("web.three", group("e:1"))
    s.wait("a:1", "b:1", "c:1", "d:1", "e:1")
    s.wait("c:1", "e:1", source=1)
    bucket.delete("web.one")
    s.wait("c:1", "d:1", "e:1")
    bucket.purge("web.two")
    s.wait("d:1", "e:1")
    bucket.put("db", '[{"targets": ["x:1"]')
    s.wait_log("key db: line 1: this is no JSON")
    bucket.put("web.three", group("f:1"))
    s.wait("d:1", "f:1")
    bucket.put("db", group("g:1"))
    s.wait("f:1", "g:1")
    s.wait_log("works again")
    assert s.metrics()["targets"] == 3
    assert s.freed_ms() < 1000


@pytest.mark.long
def test_nats_kv_over_restarts_of_server_and_bucket(stand):
    nats = Nats(stand)
    s = discover(stand, "--nats", nats.url, "--kind", "nats_kv", "--name", "targets", "--refresh", 60000)
    s.wait_log('reason=\\"not connected to NATS\\"')
    nats.start()
    s.wait_log("no such bucket")
    assert s.lists() == []
    bucket = Bucket(nats, "targets").create()
    s.wait()
    bucket.put("a", group("a:1"))
    bucket.put("b", group("b:1"))
    s.wait("a:1", "b:1")
    nats.kill9()
    nats.start()
    bucket.delete("a")
    s.wait("b:1", timeout=30)
    n = len(s.lists())
    bucket.destroy()
    s.wait_log("no such bucket")
    time.sleep(0.5)
    assert len(s.lists()) == n
    bucket.create()
    bucket.put("c", group("c:1"))
    s.wait("c:1", timeout=30)
    # Frozen servers hold up nobody.
    nats.signal(signal.SIGSTOP)
    time.sleep(0.2)
    s.process.stdin.close()
    eventually(lambda: [line for line in s.lines() if "freed_ms" in line])
    nats.signal(signal.SIGCONT)
    s.process.wait(20)
    assert [line["freed_ms"] for line in s.lines() if "freed_ms" in line][0] < 1000


def test_nats_kv_finds_what_left_without_a_word(stand):
    nats = stand.nats()
    bucket = Bucket(nats, "targets", max_age=1500 * 1000 * 1000, duplicate_window=1000 * 1000 * 1000).create()
    bucket.put("a", group("a:1"))
    s = discover(stand, "--nats", nats.url, "--kind", "nats_kv", "--name", "targets", "--refresh", 500)
    s.wait("a:1")
    s.wait()
    assert s.metrics()["failures"] == 0


def test_end_while_everything_hangs(stand):
    """A second, whatever is under way: an HTTP server, an etcd and a DNS server that never answer."""
    import socket
    service = Service()
    service.answer = None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(5)
        s = discover(stand, "--dns", "127.0.0.1:%d" % udp.getsockname()[1],
                     "--kind", "dns", "--name", "x.example", "--name", "y.example",
                     "--kind", "http", "--name", "http://127.0.0.1:%d/" % service.port,
                     "--kind", "etcd", "--name", "http://127.0.0.1:%d" % tcp.getsockname()[1],
                     "--kind", "http", "--name", "http://no-such-host.invalid/")
        assert udp.recv(1000)
        eventually(lambda: service.requests)
        assert s.freed_ms() < 1000
        assert s.lists() == [] and s.lists(1) == []
