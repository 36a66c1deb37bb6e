# SPDX-License-Identifier: Apache-2.0
"""Pushes at the edge: to a poller, through NATS, into the receiver."""
import concurrent.futures
import gzip
import time

import pytest

from harness.http import curl, request
from harness.wait import eventually

TIMES = ("push_time_seconds", "push_failure_time_seconds")


class Edge:
    """A poller and a receiver over one NATS."""

    def __init__(self, stand, receiver=None, **config):
        self.stand = stand
        self.nats = stand.nats()
        self.poller = stand.poller(self.nats, {}, **config)
        self.receiver = stand.receiver(self.nats, receiver=receiver)
        self.wait_stream()

    def wait_stream(self):
        """Until the poller takes pushes again. A delete of nothing changes nothing."""
        eventually(lambda: self.push("", "/no/such", method="DELETE").code == 200, what="the poller takes pushes")

    def push(self, body, path="", method="POST", headers=None, base="/metrics"):
        return request(self.poller.url + base + path, method, body, headers)

    def push_ok(self, body, path="", code=200, **kwargs):
        answer = self.push(body, path, **kwargs)
        assert (answer.code, answer.body) == (code, b""), answer

    def served(self):
        return self.receiver.served()

    def wait_served(self, *families):
        eventually(lambda: pushed(self.served()) == set(families), what="%r, but %r" % (families, pushed(self.served())))


def pushed(families):
    """Without what the poller's own scrape and the times of groups bring."""
    def ours(text):
        name = next(line for line in text.split("\n") if not line.startswith("#")).split("{")[0].split(" ")[0]
        return name not in TIMES and 'job="prometheus_streams"' not in text
    return {f for f in families if ours(f)}


@pytest.fixture
def edge(stand):
    return Edge(stand)


def test_curl_at_the_edge(edge):
    for _ in range(2):
        code, text = curl("--data-binary", "@-", edge.poller.url + "/metrics/job/backup",
                          stdin=b"# TYPE files_total counter\nfiles_total 3\n")
        assert (code, text) == (200, "")
    edge.wait_served('# TYPE files_total counter\nfiles_total{job="backup"} 6\n')
    # A direct push of the same counter adds up with them.
    edge.receiver.push_ok("# TYPE files_total counter\nfiles_total 4\n", "/job/backup")
    edge.wait_served('# TYPE files_total counter\nfiles_total{job="backup"} 10\n')
    assert edge.receiver.own().value("gravel_edge_pushes_applied_total") == 3
    assert edge.poller.metrics().value("gravel_forwarded_pushes_total", result="acknowledged") >= 3


def test_dialects(edge):
    edge.push_ok("# TYPE c counter\nc 1\n# TYPE g gauge\ng{clearmode=\"sum\"} 1\n", "/job/a", method="PUT")
    edge.push_ok("# TYPE c counter\nc 1\n# TYPE g gauge\ng{clearmode=\"sum\"} 1\n", "/job/a/clearmode/replace")
    edge.wait_served('# TYPE c counter\nc{job="a"} 1\n', '# TYPE g gauge\ng{job="a"} 2\n')
    edge.push_ok("", "/job/a", method="DELETE")
    edge.wait_served()
    # Formats and encodings, and base64 in the path.
    edge.push_ok("# TYPE jobs counter\njobs_total 3\n# EOF\n", "/path@base64/L3Zhci90bXA",
                 headers={"Content-Type": "application/openmetrics-text"})
    edge.push_ok(gzip.compress(b"zipped 1\n"), headers={"Content-Encoding": "gzip"})
    edge.wait_served('# TYPE jobs_total counter\njobs_total{path="/var/tmp"} 3\n', "# TYPE zipped untyped\nzipped 1\n")


def test_ingest_replaces_and_leaves(edge):
    for value in (1, 2):
        edge.push_ok("# TYPE c counter\nc %d\n" % value, base="/ingest", path="?ttl=3s")
    edge.wait_served("# TYPE c counter\nc 2\n")
    edge.wait_served()


def test_pushgateway_dialect(edge):
    base = "/pushgateway/metrics"
    edge.push_ok("a 1\nb 1\n", "/job/x", method="PUT", base=base)
    edge.push_ok("a 2\n", "/job/x", base=base)
    edge.wait_served('# TYPE a untyped\na{instance="",job="x"} 2\n', '# TYPE b untyped\nb{instance="",job="x"} 1\n')
    # What could be read and is refused is remembered by the group there.
    before = edge.receiver.metrics().value("push_failure_time_seconds", job="x")
    assert before == 0
    answer = edge.push("a 3 1000\n", "/job/x", base=base)
    assert answer.code == 400, answer
    eventually(lambda: edge.receiver.metrics().value("push_failure_time_seconds", job="x") > 0)
    edge.push_ok("c 3\n", "/job/x", method="PUT", base=base)
    edge.wait_served('# TYPE c untyped\nc{instance="",job="x"} 3\n')
    edge.push_ok(None, "/job/x", method="DELETE", base=base, code=202)
    edge.wait_served()
    assert request(edge.poller.url + base + "/job/x").code == 405


@pytest.mark.parametrize("body, path, base, headers", [
    ("fine 1\nfine{clearmode=\"agregate\"} 2\n", "/job/b", "/metrics", None),
    ("x 1\nx 2\n", "", "/metrics", None),
    ("x{a=\"b\n", "", "/metrics", None),
    ("x 1\n", "/job", "/metrics", None),
    ("x 1\n", "/job/%C3%28", "/metrics", None),
    ("x 1\n", "/job/a?ttl=soon", "/metrics", None),
    ("x 1\n", "", "/metrics", {"Content-Encoding": "br"}),
    ("x 1\n", "/instance/a", "/pushgateway/metrics", None),
    ("x 1 1000\n", "/job/a", "/pushgateway/metrics", None),
    ("x" * 2000 + " 1\n", "", "/metrics", None),
    ("x 1\n" * 3, "/job/a", "/ingest", None),
])
def test_refused_as_by_the_receiver(edge, body, path, base, headers):
    here = edge.push(body, path, base=base, headers=headers)
    there = request(edge.receiver.url + base + path, "POST", body, headers)
    assert here.code >= 400
    assert (here.code, here.body) == (there.code, there.body)


def test_samples_are_limited_as_by_the_receiver(stand):
    limits = {"limits": {"push_samples": 2}}
    nats = stand.nats()
    poller = stand.poller(nats, {}, receiver=limits)
    receiver = stand.receiver(nats, receiver=limits)
    eventually(lambda: request(poller.url + "/metrics/no/such", "DELETE").code == 200)
    here = request(poller.url + "/metrics", "POST", "a 1\nb 1\nc 1\n")
    there = request(receiver.url + "/metrics", "POST", "a 1\nb 1\nc 1\n")
    assert here.code == 413 and b"receiver.limits.push_samples" in here.body
    assert (here.code, here.body) == (there.code, there.body)


def test_conflicts_show_at_the_center(edge):
    edge.push_ok("# TYPE t gauge\nt 1\n")
    edge.push_ok("# TYPE t counter\nt 1\n")  # valid by itself
    edge.push_ok("after 1\n")
    edge.wait_served("# TYPE t gauge\nt 1\n", "# TYPE after untyped\nafter 1\n")
    assert edge.receiver.own().value("gravel_edge_pushes_dropped_total", reason="conflict") == 1
    assert 'publisher \\"dc1\\"' in edge.receiver.log or 'publisher "dc1"' in edge.receiver.log


def test_without_nats(edge):
    edge.push_ok("# TYPE c counter\nc 1\n")
    edge.wait_served("# TYPE c counter\nc 1\n")
    edge.nats.kill9()
    def refused():
        answer = edge.push("# TYPE c counter\nc 100\n")
        return answer.code == 503 and "again" in answer.text and answer
    answer = eventually(refused, what="503")
    assert answer.headers["Retry-After"] == "1"
    assert edge.push("x{\n").code == 400  # what is wrong is wrong without NATS as well
    edge.nats.start()
    edge.wait_stream()
    edge.push_ok("# TYPE c counter\nc 2\n")
    edge.wait_served("# TYPE c counter\nc 3\n")


def test_receiver_restarted(edge):
    for i in range(20):
        edge.push_ok("# TYPE c counter\nc 1\n# TYPE last gauge\nlast %d\n" % i)
    want = "# TYPE c counter\nc 20\n", "# TYPE last gauge\nlast 19\n"
    edge.wait_served(*want)
    edge.receiver.kill9()
    edge.receiver.start()
    edge.wait_served(*want)
    edge.nats.kill9()
    edge.nats.start()
    edge.wait_stream()
    edge.push_ok("# TYPE c counter\nc 1\n")
    # Nothing is read a second time after a reconnect.
    edge.wait_served("# TYPE c counter\nc 21\n", want[1])
    time.sleep(1)
    edge.wait_served("# TYPE c counter\nc 21\n", want[1])


def test_what_expired_stays_so_after_a_restart(stand):
    edge = Edge(stand, receiver={"expiration": "2s"})
    edge.push_ok("# TYPE c counter\nc 5\n")
    edge.wait_served("# TYPE c counter\nc 5\n")
    edge.wait_served()
    edge.push_ok("# TYPE c counter\nc 3\n", "?ttl=1h")
    edge.wait_served("# TYPE c counter\nc 3\n")
    edge.receiver.kill9()
    edge.receiver.start()
    edge.wait_served("# TYPE c counter\nc 3\n")


def test_poller_killed_after_the_answer(edge):
    for round in range(1, 4):
        edge.push_ok("# TYPE c counter\nc 1\n")
        edge.poller.kill9()
        edge.wait_served("# TYPE c counter\nc %d\n" % round)
        edge.poller.start()
        edge.wait_stream()


def test_concurrent_clients_add_up(edge):
    def client(n):
        for i in range(50):
            edge.push_ok("# TYPE c counter\nc %d\n# TYPE own counter\nown 1\n" % (i + 1), "/client/%d" % n)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(client, range(20)))
    eventually(lambda: edge.receiver.metrics().value("c", client="19") == 1275)
    metrics = edge.receiver.metrics()
    assert [metrics.value("own", client=str(n)) for n in range(20)] == [50] * 20
    assert [metrics.value("c", client=str(n)) for n in range(20)] == [1275] * 20


def test_big_push_in_parts(edge):
    # 6 MB that hardly compress: the values are the digits of a generator.
    state, lines = 1, []
    for i in range(100000):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        lines.append('big{i="%x"} %d' % (state ^ i << 40, state >> 20))
    before = edge.receiver.own().value("gravel_edge_pushes_applied_total")
    edge.push_ok("# TYPE big gauge\n" + "\n".join(lines) + "\n", "/job/big")
    eventually(lambda: edge.receiver.own().value("gravel_edge_pushes_applied_total") == before + 1)
    with edge.nats.client() as c:
        messages = c.stream("PROMETHEUS_PUSH")["state"]["messages"]
    assert messages > 3
    body = edge.receiver.get("/metrics?name[]=big").text.split("\n")
    # The label of the path comes first: it is one of a target.
    want = [line.replace("{", '{job="big",') for line in lines]
    assert sorted(body[1:-1]) == sorted(want)


def test_strangers_in_the_stream(edge):
    edge.push_ok("good 1\n")
    def dropped(reason):
        return edge.receiver.own().value("gravel_edge_pushes_dropped_total", reason=reason)
    with edge.nats.client() as c:
        c.publish("prometheus.push.x", b"junk", {"Gravel": "v=1 k=p"})
        c.publish("prometheus.push.0", b"junk")
        c.publish("prometheus.push.0", b"junk", {"Gravel": "v=7 k=p"})
        c.publish("prometheus.push.0", b"junk", {"Gravel": "v=1 k=p t=1 o=push w=x i=a b=4"})
        c.publish("prometheus.push.0", b"", {"Gravel": "v=1 k=p t=1 o=delete w=x i=b b=0"})
    eventually(lambda: [dropped(r) for r in ("subject", "version", "body")] == [1, 1, 1] and dropped("header") == 2)
    edge.wait_served("# TYPE good untyped\ngood 1\n")
