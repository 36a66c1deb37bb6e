# SPDX-License-Identifier: Apache-2.0
"""A test's stand: the processes it starts, on free loopback ports, with their data and logs in its own folder."""
import base64
import json
import os
import pathlib
import random
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import urllib.parse

from . import expo, http
from .nats import NatsClient
from .wait import SLOW, eventually

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("GRAVEL_BIN") or ROOT / "build" / "bin").resolve()
REPORTS = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed")

_given = set()
_peers = {}


def free_port():
    """A port nobody listens on, below the range of outgoing connections: else one of those may take it while its owner is restarted, or
    a client that tries to reconnect may connect to itself."""
    first = 20000 + 1500 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8)
    for _ in range(1000):
        port = random.randrange(first, first + 1500)
        if port in _given:
            continue
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError("no free port")


def peer(variable):
    """The path of a server of the distribution, as scripts/deps.sh finds it."""
    if os.environ.get(variable):
        return os.environ[variable]
    if variable not in _peers:
        done = subprocess.run([str(ROOT / "scripts" / "deps.sh"), "peers", str(ROOT / "build" / "peers"), variable],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, check=False)
        assert done.returncode == 0, "scripts/deps.sh peers: %s" % done.stderr
        _peers[variable] = shlex.split(done.stdout)[0].partition("=")[2]
    return _peers[variable]


def environment():
    env = dict(os.environ)
    for name in [n for n in env if n.lower().endswith("_proxy")]:
        del env[name]
    env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:exitcode=99"
    env["LSAN_OPTIONS"] = "print_suppressions=0:suppressions=%s" % (ROOT / "tests" / "lib" / "lsan.supp")
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    env["TSAN_OPTIONS"] = "exitcode=99"
    return env


class Child:
    """A process with its output in a log file. Signals go to its own pid only."""
    ours = False

    def __init__(self, stand, name, argv):
        self.stand = stand
        self.name = stand.unique(name)
        self.argv = [str(a) for a in argv]
        self.logfile = stand.path / (self.name + ".log")
        self.process = None
        self.problems = []
        stand.children.append(self)

    def spawn(self):
        assert not self.alive()
        with open(self.logfile, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=self.stdin(), stdout=log, stderr=log,
                                            cwd=str(self.stand.path), env=self.environment())
        return self

    def stdin(self):
        return subprocess.DEVNULL

    def environment(self):
        return dict(environment(), XDG_STATE_HOME=str(self.stand.path / (self.name + ".state")))

    def ready(self):
        """Whether it does its work; overridden."""
        return self.alive()

    def start(self, timeout=20):
        self.spawn()
        return self.wait_ready(timeout)

    def wait_ready(self, timeout=20):
        def is_ready():
            return not self.alive() or self.ready()
        eventually(is_ready, timeout, what="%s answers" % self.name)
        assert self.alive(), "%s ended with %s:\n%s" % (self.name, self.process.returncode, self.log[-3000:])
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def log(self):
        try:
            return self.logfile.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def kill9(self):
        self.process.kill()
        self.process.wait(10)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout=15):
        """SIGTERM, and its exit status."""
        if not self.alive():
            return self.process.returncode if self.process else 0
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.kill9()
            self.problems.append("%s did not end within %.0f s of SIGTERM" % (self.name, timeout * SLOW))
            return -9

    def close(self):
        """At the end of the test: what is wrong with it, as a list of sentences."""
        was_alive = self.alive()
        code = self.stop()
        if self.ours:
            if was_alive and code != 0 and not self.problems:
                self.problems.append("%s exited %d on SIGTERM" % (self.name, code))
            elif not was_alive and code not in (0, -signal.SIGKILL):
                self.problems.append("%s had ended by itself with %d" % (self.name, code))
            if REPORTS.search(self.log):
                self.problems.append("%s: a sanitizer or an assert speaks in its log" % self.name)
        return self.problems


class Server(Child):
    """A child with an HTTP port."""
    port = 0
    health = "/metrics"

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def ready(self):
        return http.get(self.url + self.health, timeout=5).code == 200

    def get(self, path, **kwargs):
        return http.get(self.url + path, **kwargs)

    def metrics(self, path="/metrics"):
        answer = self.get(path)
        assert answer.code == 200, answer
        return expo.Exposition(answer.text)


class Nats(Child):
    def __init__(self, stand):
        self.port = free_port()
        super().__init__(stand, "nats", [peer("GRAVEL_NATS_SERVER"), "-js", "-a", "127.0.0.1", "-p", self.port,
                                         "-sd", stand.path / "nats-store"])

    @property
    def url(self):
        return "nats://127.0.0.1:%d" % self.port

    def client(self):
        return NatsClient(self.port)

    def ready(self):
        with self.client() as c:
            return "error" not in c.request("$JS.API.INFO")


class NodeExporter(Server):
    def __init__(self, stand):
        self.port = free_port()
        super().__init__(stand, "node_exporter",
                         [peer("GRAVEL_NODE_EXPORTER"), "--web.listen-address=127.0.0.1:%d" % self.port])

    @property
    def instance(self):
        return self.address


class Pushgateway(Server):
    def __init__(self, stand):
        self.port = free_port()
        super().__init__(stand, "pushgateway", [peer("GRAVEL_PUSHGATEWAY"), "--web.listen-address=127.0.0.1:%d" % self.port])


class Unbound(Child):
    """A name server of these records, on a free port of 127.0.0.1, or on port 53 of another address of this machine."""

    def __init__(self, stand, records, address=None):
        self.address = address or "127.0.0.1"
        self.port = 53 if address else free_port()
        self.records = records
        super().__init__(stand, "unbound", [peer("GRAVEL_UNBOUND"), "-d", "-c", stand.path / "unbound.conf"])

    def configure(self):
        lines = ["server:", " interface: %s@%d" % (self.address, self.port), " do-daemonize: no", ' username: ""', ' chroot: ""',
                 ' directory: "%s"' % self.stand.path, ' pidfile: ""', " use-syslog: no", " do-ip6: no", " num-threads: 1",
                 ' module-config: "iterator"', " local-zone: example. static", "remote-control:", " control-enable: no", "server:"]
        lines += [" local-data: '%s'" % r for r in self.records]
        self.stand.write("unbound.conf", "\n".join(lines) + "\n")

    def spawn(self):
        self.configure()
        return super().spawn()

    def ready(self):
        with socket.create_connection((self.address, self.port), timeout=1):
            return True

    @property
    def server(self):
        return "%s:%d" % (self.address, self.port)


class FaultServer(Server):
    """tests/lib/fault_server.py: one way to misbehave for each path. It ends with its standard input."""
    health = "/good"

    def __init__(self, stand):
        self.port = free_port()
        super().__init__(stand, "fault_server", ["/usr/bin/python3", ROOT / "tests" / "lib" / "fault_server.py",
                                               "--port", self.port, "--size", 300000])

    def stdin(self):
        return subprocess.PIPE


class Prometheus(Server):
    """Scrapes these addresses as one job, honor_labels on. Its configuration is JSON, which is YAML."""
    health = "/-/ready"

    def __init__(self, stand, targets, interval="1s"):
        self.port = free_port()
        config = {
            "global": {"scrape_interval": interval},
            "scrape_configs": [{"job_name": "gravel", "honor_labels": True,
                                "static_configs": [{"targets": list(targets)}]}],
        }
        file = stand.write("prometheus-%d.yml" % self.port, json.dumps(config))
        super().__init__(stand, "prometheus", [
            peer("GRAVEL_PROMETHEUS"), "--config.file=%s" % file, "--storage.tsdb.path=%s" % (stand.path / "tsdb"),
            "--web.listen-address=127.0.0.1:%d" % self.port])

    def api(self, path, **query):
        answer = self.get("/api/v1/%s?%s" % (path, urllib.parse.urlencode(query)))
        assert answer.code == 200, answer
        return json.loads(answer.text)["data"]

    def query(self, promql):
        """[(labels, value)] of an instant query."""
        return [(r["metric"], float(r["value"][1])) for r in self.api("query", query=promql)["result"]]

    def target(self):
        """Health and last error of the scrape of ours."""
        active = self.api("targets", state="active")["activeTargets"]
        assert len(active) == 1
        return active[0]["health"], active[0]["lastError"]


class Ours(Server):
    ours = True
    program = None
    own_path = "/metrics"

    def own(self):
        """Its own metrics alone. (What a receiver serves at /metrics holds also those that pollers publish of themselves.)"""
        return self.metrics(self.own_path)

    def __init__(self, stand, name, args, port):
        self.port = port
        super().__init__(stand, name, [BUILD / self.program, *args])


class Poller(Ours):
    """A poller of these jobs ({name: {"targets": [...], ...}}); further top-level keys by config."""
    program = "gravel-poller"

    def __init__(self, stand, nats, jobs, identity="dc1", topic="prometheus", stream=None, **config):
        port = config.setdefault("monitor_port", free_port())
        options = {"identity": identity, "scrape_interval": "1s", "scrape_timeout": "900ms", "jobs": jobs,
                   "poller_stream": dict({"urls": [nats.url], "topic": topic}, **(stream or {}))}
        options.update(config)
        self.options = options
        self.config = stand.write("poller-%d.yml" % port, json.dumps(options, indent=1))
        super().__init__(stand, "poller-" + identity, ["--config", self.config], port)

    def configure(self, **options):
        """Write the configuration anew with these keys changed; it is read at the next reload."""
        self.options.update(options)
        self.config.write_text(json.dumps(self.options, indent=1), "utf-8")

    def reload(self):
        return http.request(self.url + "/-/reload", "POST")

    def reload_ok(self, **options):
        """Its answer, after a reload with these keys changed."""
        self.configure(**options)
        answer = self.reload()
        assert answer.code == 200, answer
        return answer.text

    def targets(self, **query):
        """/api/v1/targets without our own job."""
        answer = self.get("/api/v1/targets?" + urllib.parse.urlencode(query))
        assert answer.code == 200, answer
        data = json.loads(answer.text)["data"]
        data["activeTargets"] = [t for t in data["activeTargets"] if t["scrapePool"] != "prometheus_streams"]
        return data


class Receiver(Ours):
    """With nats: reads its stream. Without: a stand-alone push gateway, with a config only if there are options for one."""
    program = "gravel-receiver"
    own_path = "/telemetry"

    def __init__(self, stand, nats=None, topic="prometheus", stream=None, receiver=None, **config):
        port = free_port()
        options = dict(config)
        if nats:
            options["receiver_stream"] = dict({"urls": [nats.url], "topic": topic}, **(stream or {}))
        args = ["-l", "127.0.0.1:%d" % port]
        if options or receiver:
            self.folder = stand.path / ("receiver-%d" % port)
            log = dict({"path": str(self.folder)}, **(receiver or {}).get("log", {}))
            options["receiver"] = dict({"listen": "127.0.0.1:%d" % port}, **dict(receiver or {}, log=log))
            self.config = stand.write("receiver-%d.yml" % port, json.dumps(options, indent=1))
            args = ["--config", self.config]
        super().__init__(stand, "receiver", args, port)

    def push(self, body, path="", method="POST", headers=None):
        return http.request(self.url + "/metrics" + path, method, body, headers)

    def push_ok(self, body, path="", **kwargs):
        answer = self.push(body, path, **kwargs)
        assert answer.code == 200, answer
        return answer

    def served(self):
        """The exposition without our own metrics, as a set of family texts."""
        return self.metrics().without_own()


class Stand:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.children = []
        self.targets = []
        self.names = {}

    def unique(self, name):
        self.names[name] = self.names.get(name, 0) + 1
        return "%s-%d" % (name, self.names[name])

    def write(self, name, text):
        file = self.path / name
        if isinstance(text, bytes):
            file.write_bytes(text)
        else:
            file.write_text(text, "utf-8")
        return file

    def nats(self):
        return Nats(self).start()

    def node_exporter(self):
        return NodeExporter(self).start()

    def fault_server(self):
        return FaultServer(self).start()

    def prometheus(self, *targets, **kwargs):
        return Prometheus(self, targets, **kwargs).start()

    def poller(self, *args, **kwargs):
        return Poller(self, *args, **kwargs).start()

    def receiver(self, *args, **kwargs):
        return Receiver(self, *args, **kwargs).start()

    def target(self, *args, **kwargs):
        target = http.Target(free_port(), *args, **kwargs)
        self.targets.append(target)
        return target

    def logs(self):
        return [(child.name, child.log[-6000:]) for child in self.children]

    def close(self):
        problems = []
        for child in reversed(self.children):
            problems += child.close()
        for target in self.targets:
            target.close()
        return problems


def run(program, *args, timeout=20, env=None):
    """One of our programs to its end: (exit status, stdout, stderr)."""
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run([str(BUILD / program), *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout * SLOW,
                              env=dict(environment(), XDG_STATE_HOME=state, **(env or {})), check=False)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    assert not REPORTS.search(out + err), out + err
    return done.returncode, out, err


def jobs_of(**targets):
    """One job "j" of these targets, by name."""
    return {"j": {"targets": [{"name": n, "url": t.url} for n, t in targets.items()]}}


def up(receiver, **labels):
    return receiver.metrics().value("up", **labels)


def stored(nats, subject_part, stream="PROMETHEUS"):
    """Subject, header block and data of the last stored message whose subject holds that."""
    with nats.client() as c:
        for subject in c.stream(stream)["state"]["subjects"]:
            if subject_part in subject:
                m = c.last_message(stream, subject)
                return subject, base64.b64decode(m["hdrs"]), base64.b64decode(m["data"])
    raise LookupError(subject_part)


def promtool_check(body):
    """promtool exits 3 for lint alone (names, missing help): only what does not parse is 1."""
    done = subprocess.run([peer("GRAVEL_PROMTOOL"), "check", "metrics"], input=body, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    assert done.returncode in (0, 3), done.stderr.decode()
    return done.stderr.decode()
