# SPDX-License-Identifier: Apache-2.0
"""The ways of docs/DEPLOYING.md: every configuration of config/deploying is started, and the sites are cut off and come back."""
import json
import re
import selectors
import socket
import subprocess
import threading
import time

import pytest

from harness.expo import OWN
from harness.http import request
from harness.stand import ROOT, Child, Nats, Ours, Receiver, free_port, jobs_of, peer, run
from harness.wait import SLOW, eventually

FOLDER = ROOT / "config" / "deploying"
TEXT = (ROOT / "docs" / "DEPLOYING.md").read_text("utf-8")


def configured(name, **changes):
    """A file of config/deploying with other addresses and paths: {old: new}, each of which must stand in it."""
    text = (FOLDER / name).read_text("utf-8")
    for old, new in changes.pop("texts", {}).items():
        assert old in text, "%s does not say %r" % (name, old)
        text = text.replace(old, str(new))
    assert not changes
    return text


class Server(Nats):
    """A nats-server with a file of config/deploying."""

    def __init__(self, stand, file, port, texts=None):
        self.port = port
        texts = dict({"0.0.0.0:4222": "127.0.0.1:%d" % port, "/var/lib/nats": stand.path / ("nats-%d" % port)}, **(texts or {}))
        self.config = stand.write("nats-%d.conf" % port, configured(file, texts=texts))
        Child.__init__(self, stand, "nats", [peer("GRAVEL_NATS_SERVER"), "-c", self.config])

    def make(self, file, **changes):
        """The stream of a JSON file."""
        config = dict(json.loads((FOLDER / file).read_text()), **changes)
        with self.client() as c:
            answer = c.request("$JS.API.STREAM.CREATE." + config["name"], json.dumps(config).encode())
        assert "error" not in answer, answer


class Deployed(Receiver):
    """A receiver with a file of config/deploying, and the folder of its snapshots."""

    def __init__(self, stand, file, url, texts=None):
        port = free_port()
        self.folder = stand.path / ("receiver-%d" % port)
        text = configured(file, texts=dict({'":4278"': '"127.0.0.1:%d"' % port, "/var/lib/gravel-streams": self.folder}, **(texts or {})))
        text, n = re.subn(r"^  urls: .*$", "  urls: " + url, text, flags=re.M)
        assert n == 1
        self.config = stand.write("receiver-%d.yml" % port, text)
        Ours.__init__(self, stand, "receiver", ["--config", self.config], port)

    def own_value(self, name, **labels):
        return self.own().value(name, **labels)


def replicas(stand, file, servers, n=2, texts=None):
    return [Deployed(stand, file, servers.url, texts).start(40) for _ in range(n)]


def equal(*receivers):
    """Until all of them are at one position, and serve the same bytes but for their own metrics, which are returned."""
    seen = []

    def same():
        seen[:] = []
        for r in receivers:
            blocks = r.metrics().blocks
            seen.append((r.own_value("gravel_journal_position"), "".join("\n".join(b) + "\n" for f, b in blocks.items() if not OWN.match(f))))
        assert len({p for p, _ in seen}) == 1, [p for p, _ in seen]
        assert len({t for _, t in seen}) == 1, seen
        return True
    eventually(same, 30, what="receivers are equal")
    return seen[0][1]


class Pushes:
    """Pushes that count what they add in base 4, so that one that counts twice and one that is lost cannot make up for each other. What was answered 503 may count or not, so it
    has a key and is repeated until it is answered."""

    def __init__(self):
        self.made = 0
        self.refused = 0

    def push(self, receiver, timeout=40):
        n, self.made = self.made, self.made + 1

        def answered():
            answer = request(receiver.url + "/metrics", "POST", "# TYPE pushed counter\npushed{n=\"%d\"} %d\n" % (n // 20, 4 ** (n % 20)),
                             {"Idempotency-Key": "key-%d" % n})
            if answer.code == 503:
                assert answer.headers["Retry-After"] == "1", answer
                self.refused += 1
            else:
                assert answer.code == 200, answer
            return answer.code == 200
        eventually(answered, timeout, what="a push is answered 200")

    def counted(self, receiver):
        want = {str(i): sum(4 ** k for k in range(min(20, self.made - 20 * i))) for i in range((self.made + 19) // 20)}
        return {s.labels["n"]: s.value for s in receiver.metrics().find("pushed")} == want


class Wire:
    """What lies between a site and the hub: it can be cut. It goes silent at once; whoever connects meanwhile is turned away, or with silent=True waits for an answer that
    does not come."""

    def __init__(self, to):
        self.to, self.port = to, free_port()
        self.cut_off, self.silent, self.ends = False, False, False
        self.pairs = {}
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.listener.settimeout(0.005)
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with selectors.DefaultSelector() as selector:
            while not self.ends:
                self.accept(selector)
                if self.cut_off:
                    time.sleep(0.02)
                    continue
                for key, _ in selector.select(0.005):
                    self.forward(selector, key.fileobj)

    def accept(self, selector):
        try:
            near, _ = self.listener.accept()
        except OSError:
            return
        if self.cut_off and not self.silent:
            near.close()
            return
        far = socket.create_connection(("127.0.0.1", self.to))
        for a, b in ((near, far), (far, near)):
            self.pairs[a] = b
            selector.register(a, selectors.EVENT_READ)

    def forward(self, selector, source):
        with self.lock:
            if source in self.pairs and not self.cut_off:
                self.pass_on(selector, source)

    def pass_on(self, selector, source):
        target = self.pairs[source]
        try:
            data = source.recv(1 << 16)
            target.sendall(data)
        except OSError:
            data = b""
        if not data:
            for s in (source, target):
                selector.unregister(s)
                del self.pairs[s]
                s.close()

    def cut(self, silent=False):
        """Nothing passes from the return of this on."""
        with self.lock:
            self.silent, self.cut_off = silent, True

    def heal(self):
        self.cut_off = False

    def close(self):
        self.ends = True
        self.thread.join()
        for s in list(self.pairs) + [self.listener]:
            s.close()


@pytest.fixture
def wires():
    made = []

    def make(to):
        made.append(Wire(to))
        return made[-1]
    yield make
    for w in made:
        w.close()


# The page and the files.

def test_the_page_names_every_file_and_shows_them_as_they_are():
    named = set(re.findall(r"\.\./config/deploying/([\w.-]+)\)", TEXT))
    assert named == {p.name for p in FOLDER.iterdir()}
    for name, shown in re.findall(r"<!-- file: ([\w.-]+) -->\n```\w*\n(.*?)^```$", TEXT, re.M | re.S):
        whole = (FOLDER / name).read_text("utf-8")
        for part in shown.split("...\n"):
            assert part in whole, "%s does not have\n%s" % (name, part)


def test_links():
    for name in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / "docs" / name).exists(), name


@pytest.mark.parametrize("name", sorted(p.name for p in FOLDER.glob("*.conf")))
def test_nats_server_takes_the_file(tmp_path, name):
    file = tmp_path / name
    file.write_text(configured(name, texts={"/var/lib/nats": tmp_path / "store"}), "utf-8")
    done = subprocess.run([peer("GRAVEL_NATS_SERVER"), "-t", "-c", str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("name", sorted(p.name for p in FOLDER.glob("*.yaml")))
def test_our_programs_take_the_file(stand, name):
    """As it is, but for where it listens and what it connects to."""
    text = (FOLDER / name).read_text("utf-8")
    text = re.sub(r"nats://[\w.-]+:4222", "nats://127.0.0.1:%d" % free_port(), text)
    text = text.replace("/var/lib/gravel-streams", str(stand.path))
    port = free_port()
    if name.startswith("receiver"):
        text = text.replace('":4278"', '"127.0.0.1:%d"' % port)
        program = "gravel-receiver"
    else:
        text = "monitor_port: %d\n" % port + text
        program = "gravel-poller"
    code, _, err = run(program, "--config", stand.write("check-" + name, text), "--check")
    assert code == 0, err


def test_one_nats_server(stand):
    """A receiver and a poller over nats.conf; what was stored is there after kill -9 of the server."""
    nats = Server(stand, "nats.conf", free_port()).start()
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(t=target))
    eventually(lambda: receiver.metrics().value("n", instance="t") == 1)
    nats.kill9()
    target.body = "# TYPE n gauge\nn 2\n"
    nats.start()
    eventually(lambda: receiver.metrics().value("n", instance="t") == 2, 20)


def test_two_receivers_on_one_nats_server(stand):
    """Push to either, lose either, lose the server: what was answered is on both, once."""
    nats = Server(stand, "nats.conf", free_port()).start()
    interval = {"    kind: stream": "    kind: stream\n    snapshot_interval: 1s"}
    a, b = replicas(stand, "receiver-pair.yaml", nats, texts=interval)
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    stand.poller(nats, jobs_of(t=target))
    pushes = Pushes()
    for i in range(10):
        pushes.push((a, b)[i % 2])
        assert pushes.counted((a, b)[i % 2])
    for r in (a, b):
        eventually(lambda: r.metrics().value("n", instance="t") == 1, 20)
        eventually(lambda: pushes.counted(r))
    nats.kill9()
    answer = request(a.url + "/metrics", "POST", "# TYPE lost counter\nlost 1\n", {"Idempotency-Key": "lost"})
    assert answer.code == 503 and answer.headers["Retry-After"] == "1"
    assert pushes.counted(a) and pushes.counted(b)  # served on
    nats.start()
    for i in range(4):
        pushes.push((a, b)[i % 2])
    # One is lost with its machine; another one takes its place.
    a.kill9()
    pushes.push(b)
    assert pushes.counted(b)
    eventually(lambda: b.own_value("gravel_snapshots_published_total") >= 1)
    new, = replicas(stand, "receiver-pair.yaml", nats, 1, interval)
    assert "fetched the snapshot of position" in new.log
    pushes.push(new)
    for r in (b, new):
        eventually(lambda: pushes.counted(r))
        eventually(lambda: r.metrics().value("n", instance="t") == 1, 20)


class ThreeServers:
    """nats-cluster.conf three times."""

    def __init__(self, stand):
        routes = [free_port() for _ in range(3)]
        self.servers = []
        for i in range(3):
            texts = {"server_name: nats1": "server_name: nats%d" % (i + 1), '"0.0.0.0:6222"': '"127.0.0.1:%d"' % routes[i]}
            texts.update({"nats%d.example.net:6222" % (j + 1): "127.0.0.1:%d" % routes[j] for j in range(3)})
            self.servers.append(Server(stand, "nats-cluster.conf", free_port(), texts))
        for s in self.servers:
            s.spawn()
        for s in self.servers:
            s.wait_ready(40)
        self.url = ", ".join(s.url for s in self.servers)


STREAMS = ("PROMETHEUS", "PROMETHEUS_PUSH", "PROMETHEUS_SNAPSHOT")


def in_sync(server, names=STREAMS):
    """What a server says of these streams; None unless each has a leader, and two others that have all of it."""
    with server.client() as c:
        streams = {name: c.stream(name) for name in names}
    infos = [s["cluster"] for s in streams.values()]
    all_well = all(i.get("leader") and len(i["replicas"]) == 2 and all(r["current"] and not r.get("offline") for r in i["replicas"]) for i in infos)
    return streams if all_well else None


@pytest.mark.long
def test_three_nats_servers_bear_the_loss_of_one(stand):
    cluster = ThreeServers(stand)
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    poller = stand.poller(cluster, jobs_of(t=target), stream={"replicas": 3})
    receivers = [stand.receiver(cluster, stream={"replicas": 3}) for _ in range(2)]
    for r in receivers:
        eventually(lambda: r.metrics().value("n", instance="t") == 1, 40)
    streams = eventually(lambda: in_sync(cluster.servers[0], STREAMS[:2]), 40, what="three copies")
    leader = next(s for i, s in enumerate(cluster.servers) if "nats%d" % (i + 1) == streams["PROMETHEUS_PUSH"]["cluster"]["leader"])
    eventually(lambda: push(poller, "c 1\n").code == 200, 20)
    leader.kill9()
    target.body = "# TYPE n gauge\nn 2\n"
    for r in receivers:
        eventually(lambda: r.metrics().value("n", instance="t") == 2, 40)
    eventually(lambda: push(poller, "d 1\n").code == 200, 20)
    for r in receivers:
        eventually(lambda: r.metrics().find("d"), 20)
        assert r.metrics().value("c") == 1


@pytest.mark.long
def test_two_receivers_on_three_nats_servers(stand):
    """A nats-server is lost, then a receiver; what was answered is on both, once, byte for byte."""
    cluster = ThreeServers(stand)
    interval = {"    kind: stream": "    kind: stream\n    snapshot_interval: 1s"}
    a, b = replicas(stand, "receiver-cluster.yaml", cluster, texts=interval)
    pushes = Pushes()
    for i in range(6):
        pushes.push((a, b)[i % 2])
        assert pushes.counted((a, b)[i % 2])
    equal(a, b)
    eventually(lambda: a.own_value("gravel_snapshots_published_total") + b.own_value("gravel_snapshots_published_total") >= 1, 20)
    streams = eventually(lambda: in_sync(cluster.servers[0]), 40, what="three copies")
    leader = next(s for i, s in enumerate(cluster.servers) if "nats%d" % (i + 1) == streams["PROMETHEUS_PUSH"]["cluster"]["leader"])
    leader.kill9()
    began = time.monotonic()
    for i in range(10):
        pushes.push((a, b)[i % 2])
        assert pushes.counted((a, b)[i % 2])
    print("%d answers of 503, %.1f s" % (pushes.refused, time.monotonic() - began))
    equal(a, b)
    # Another machine for one of the receivers, while the server is still away.
    a.kill9()
    pushes.push(b)
    new, = replicas(stand, "receiver-cluster.yaml", cluster, 1, interval)
    assert "fetched the snapshot of position" in new.log
    for i in range(4):
        pushes.push((new, b)[i % 2])
    equal(new, b)
    assert pushes.counted(new) and pushes.counted(b)
    # The server comes back, and another one may be lost.
    leader.start(40)
    other = next(s for s in cluster.servers if s is not leader)
    eventually(lambda: in_sync(leader), 40, what="the server that came back has caught up")
    other.kill9()
    for i in range(6):
        pushes.push((new, b)[i % 2])
    equal(new, b)
    assert pushes.counted(new) and pushes.counted(b)
    # With two away nothing is accepted, and what was stored is served.
    third = next(s for s in cluster.servers if s not in (leader, other))
    text = equal(new, b)
    third.kill9()
    for r in (new, b):
        assert refused(r)
        assert pushes.counted(r)
    third.start(40)
    pushes.push(new)
    pushes.push(b)
    assert equal(new, b) != text
    assert pushes.counted(new)


def refused(receiver):
    answer = request(receiver.url + "/metrics", "POST", "# TYPE nobody counter\nnobody 1\n", {"Idempotency-Key": "nobody"}, timeout=60)
    return answer.code == 503 and answer.headers["Retry-After"] == "1"


def push(poller, body, path="/metrics"):
    return request(poller.url + path, "POST", "# TYPE %s gauge\n%s" % (body.split(" ")[0], body))


# Sites.

class Sites:
    """A hub and two sites, each with a nats-server that is a leaf of the hub's and a poller with two targets; the wire of each can be cut."""
    MAX_AGE = 6

    def __init__(self, stand, wires):
        self.stand = stand
        leafs = free_port()
        self.hub = Server(stand, "nats-hub.conf", free_port(), {"0.0.0.0:7422": "127.0.0.1:%d" % leafs}).start()
        for file in ("hub-scrapes.json", "hub-pushes.json"):
            self.hub.make(file)
        texts = {"max_age: 80s": "max_age: %ds" % self.MAX_AGE}
        self.receiver, self.other = replicas(stand, "receiver-hub.yaml", self.hub, texts=texts)
        self.wires, self.servers, self.pollers, self.targets = {}, {}, {}, {}
        for site in ("site-a", "site-b"):
            wire = self.wires[site] = wires(leafs)
            texts = {"hub.example.net:7422": "127.0.0.1:%d" % wire.port, "site-a": site}
            self.servers[site] = Server(stand, "nats-site.conf", free_port(), texts).start()
            self.targets[site] = [stand.target(body="# TYPE n gauge\nn 1\n") for _ in range(2)]
            names = dict(zip(("t0", "t1"), self.targets[site]))
            self.pollers[site] = stand.poller(self.servers[site], jobs_of(**names), identity=site, scrape_interval="500ms", scrape_timeout="400ms")
        for site in self.pollers:
            for t in ("t0", "t1"):
                eventually(lambda: self.value(site, t) == 1, 40, what="%s of %s is seen" % (t, site))
            eventually(lambda: self.push(site, 0).code == 200, 20, what="%s takes pushes" % site)

    def value(self, site, target="t0"):
        return self.receiver.metrics().value("n", instance=target, publisher=site)

    def push(self, site, n):
        """A push that counts what it adds: once, or it is seen."""
        return request(self.pollers[site].url + "/metrics/site/" + site, "POST", "# TYPE pushed_total counter\npushed_total %d\n" % 4 ** n)

    def pushed(self, site):
        return int(self.receiver.metrics().value("pushed_total", site=site))

    def dropped(self, reason):
        return sum(s.value for s in self.receiver.own().find("gravel_dropped_scrapes_total", reason=reason))


@pytest.mark.long
@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_a_site_is_cut_off_and_comes_back(stand, wires, silent):
    sites = Sites(stand, wires)
    sites.targets["site-a"][0].body = "# TYPE n gauge\nn 2\n"
    eventually(lambda: sites.value("site-a") == 2)
    assert sites.push("site-a", 1).code == 200 and sites.push("site-b", 1).code == 200
    eventually(lambda: sites.pushed("site-a") == sites.pushed("site-b") == 5)
    before = sites.dropped("max_age")

    sites.wires["site-a"].cut(silent)
    # The site goes on: its poller scrapes, and answers pushes, for its own stream has them.
    sites.targets["site-a"][0].body = "# TYPE n gauge\nn 3\n"
    assert sites.push("site-a", 2).code == 200
    # One of its targets leaves this poller for good: its last scrape, behind the cut, will come too late.
    poller, seen = sites.pollers["site-a"], len(sites.targets["site-a"][1].seen)
    eventually(lambda: len(sites.targets["site-a"][1].seen) >= seen + 3)
    poller.stop()
    config = json.loads(poller.config.read_text())
    config["jobs"] = jobs_of(t0=sites.targets["site-a"][0])
    poller.config.write_text(json.dumps(config))
    poller.start()
    eventually(lambda: sites.push("site-a", 3).code == 200, 20)
    # To the hub the site is gone; the other one is not.
    eventually(lambda: not sites.receiver.metrics().find("n", publisher="site-a"), 30)
    sites.targets["site-b"][0].body = "# TYPE n gauge\nn 3\n"
    eventually(lambda: sites.value("site-b") == 3)
    assert sites.push("site-b", 2).code == 200
    eventually(lambda: sites.pushed("site-b") == 21)
    assert sites.pushed("site-a") == 5
    time.sleep(sites.MAX_AGE + 2)
    sites.targets["site-a"][0].body = "# TYPE n gauge\nn 4\n"
    assert sites.push("site-a", 4).code == 200

    began = time.monotonic()
    sites.wires["site-a"].heal()
    eventually(lambda: sites.value("site-a") == 4, 60, every=0.02, what="the newest state of the site")
    seconds = time.monotonic() - began
    print("newest state %.2f s after the wire was whole" % seconds)
    eventually(lambda: sites.pushed("site-a") == sum(4 ** n for n in range(5)), 30)
    print("all pushes %.2f s after" % (time.monotonic() - began))
    eventually(lambda: sites.dropped("max_age") > before, 10, what="the late scrape is counted as dropped")
    # It goes on, each push once, each site by itself.
    for site in ("site-a", "site-b"):
        sites.targets[site][0].body = "# TYPE n gauge\nn 5\n"
        assert sites.push(site, 5).code == 200
        eventually(lambda: sites.value(site) == 5)
    eventually(lambda: sites.pushed("site-a") == sum(4 ** n for n in range(6)))
    eventually(lambda: sites.pushed("site-b") == sum(4 ** n for n in (0, 1, 2, 5)))
    assert not sites.receiver.metrics().find("n", publisher="site-a", instance="t1")
    # Pushes at the center, too, and at both receivers there.
    for n, r in enumerate((sites.receiver, sites.other)):
        r.push_ok("# TYPE pushed_total counter\npushed_total %d\n" % 4 ** n, "/site/hub")
    for r in (sites.receiver, sites.other):
        eventually(lambda: r.metrics().value("pushed_total", site="hub") == 5)
    pushed = [sorted((s.labels["site"], s.value) for s in r.metrics().find("pushed_total")) for r in (sites.receiver, sites.other)]
    assert pushed[0] == pushed[1] and len(pushed[0]) == 3
    assert sites.receiver.own_value("gravel_journal_position") == sites.other.own_value("gravel_journal_position")
    # What was silent may take as long as a ping does to miss its answer.
    assert silent or seconds < 2 * SLOW
