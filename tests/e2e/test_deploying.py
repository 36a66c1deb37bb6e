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

from harness.http import request
from harness.stand import ROOT, Child, Nats, free_port, jobs_of, peer, run
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
    if "stream is not there yet" in err:
        pytest.skip("this receiver has no log in a stream")
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


@pytest.mark.long
def test_three_nats_servers_bear_the_loss_of_one(stand):
    cluster = ThreeServers(stand)
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    poller = stand.poller(cluster, jobs_of(t=target), stream={"replicas": 3})
    receivers = [stand.receiver(cluster, stream={"replicas": 3}) for _ in range(2)]
    for r in receivers:
        eventually(lambda: r.metrics().value("n", instance="t") == 1, 40)
    with cluster.servers[0].client() as c:
        streams = {name: c.stream(name) for name in ("PROMETHEUS", "PROMETHEUS_PUSH")}
    assert [len(s["cluster"]["replicas"]) for s in streams.values()] == [2, 2]
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
        self.receiver = stand.receiver(self.hub, max_age="%ds" % self.MAX_AGE)
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
    # What was silent may take as long as a ping does to miss its answer.
    assert silent or seconds < 2 * SLOW
