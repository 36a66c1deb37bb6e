# SPDX-License-Identifier: Apache-2.0
"""The command lines of both programs: what they print, what they refuse and with which exit status."""
import os
import re
import socket

import pytest

from harness import http
from harness.stand import ROOT, Poller, Receiver, free_port, run
from harness.wait import eventually

BOTH = pytest.mark.parametrize("program", ["gravel-poller", "gravel-receiver"])

GOOD = """\
identity: dc1
scrape_interval: 15s
max_age: 80
monitor_port: 4279
poller_stream:
  urls: nats://127.0.0.1:4222
  topic: prometheus
receiver_stream:
  urls: nats://127.0.0.1:4222
  topic: prometheus
jobs:
  node:
    targets:
      - url: http://127.0.0.1:9100/metrics
"""

# The sample file of prometheus-streams' README, in the shape of its keys.
ANCESTOR = """\
verbose: true
scrape_interval: 30s
max_age: 80
monitor_port: 10000
logfile: LOGFILE

management:
  brokers:
    - localhost:4222
  identity: dc1
  collective: prometheus

tls:
  identity: foo.example.net
  scheme: puppet

poller_stream:
  client_id: dc1_poller
  cluster_id: prometheus
  urls: nats://127.0.0.1:4222
  topic: prometheus

receiver_stream:
  client_id: dc1_receiver
  cluster_id: prometheus
  urls: nats://127.0.0.1:4222
  topic: prometheus

push_gateway:
  url: http://prometheus.local:9091
  publisher_label: true

jobs:
  choria:
    targets:
      - name: choria1
        url: http://choria1.local/choria/prometheus
      - name: choria2
        url: http://choria2.local/choria/prometheus
"""


@pytest.fixture
def good(tmp_path):
    file = tmp_path / "good.yml"
    file.write_text(GOOD)
    return file


@BOTH
def test_help(program):
    code, out, err = run(program, "--help")
    assert code == 0 and err == ""
    for option in ("--config", "--check-config", "--dump-config", "--version", "--help"):
        assert option in out
    assert max(map(len, out.splitlines())) <= 120
    if program == "gravel-receiver":
        assert re.search(r"^\s*-l\b", out, re.M) and "4278" in out


@BOTH
def test_version(program):
    code, out, err = run(program, "--version")
    assert code == 0 and err == ""
    assert re.match(r"^%s \d+\.\d+\.\d+\n" % program, out), out


@BOTH
@pytest.mark.parametrize("args", [["--nonsense"], ["-Z"], ["stray"], ["--config"]])
def test_wrong_options(program, args):
    code, out, err = run(program, *args)
    assert code != 0 and out == ""
    assert "--help" in err
    assert args == ["--config"] or args[0].lstrip("-") in err


@BOTH
def test_check_config_accepts(program, good):
    code, out, err = run(program, "--config", good, "--check-config")
    assert code == 0, out + err


@BOTH
def test_check_config_lists_all_errors_with_their_places(program, tmp_path):
    file = tmp_path / "bad.yml"
    file.write_text(GOOD.replace("scrape_interval: 15s", "scrape_intervall: 15s")
                    .replace("max_age: 80", "max_age: eighty").replace("topic: prometheus\njobs", "topik: x\njobs")
                    .replace("      - url: http://127.0.0.1:9100/metrics", "      - name: nameless"))
    code, out, err = run(program, "--config", file, "--check-config")
    assert code == 1
    said = out + err
    lines = [line for line in said.splitlines() if str(file) in line]
    places = [re.match(r"^(?:.*?)%s:(\d+):(\d+): (.*)$" % re.escape(str(file)), line) for line in lines]
    assert all(places), said
    by_line = {int(m.group(1)): m for m in places}
    assert {2, 3, 10} <= set(by_line), said
    assert "scrape_intervall" in by_line[2].group(3) and "scrape_interval" in by_line[2].group(3).replace("scrape_intervall", "")
    assert int(by_line[2].group(2)) == 1
    assert "max_age" in by_line[3].group(3)
    assert "topik" in by_line[10].group(3) and "topic" in by_line[10].group(3).replace("topik", "")
    assert int(by_line[10].group(2)) == 3
    assert any(n >= 13 for n in by_line), said


@BOTH
@pytest.mark.parametrize("text", ["a: [", "- a\n- b\n", "\x00", "a: &x [*x]\n", "jobs: 5\n", "identity: [1]\n", "%YAML 9.9\n---\n"])
def test_check_config_of_what_is_no_config(program, tmp_path, text):
    file = tmp_path / "bad.yml"
    file.write_text(text)
    code, out, err = run(program, "--config", file, "--check-config")
    assert code == 1
    assert "%s:" % file in out + err


def test_check_config_of_rules(tmp_path):
    """What the configuration cannot judge itself has its place all the same."""
    file = tmp_path / "rules.yml"
    file.write_text("""\
poller_stream: {urls: "nats://127.0.0.1:4222"}
jobs:
  a:
    clearmodes:
      "good_.*": sum5m
      "bad_(": sum
      other: agregate
    targets: [{url: "http://127.0.0.1:1/metrics"}]
""")
    code, out, err = run("gravel-poller", "--config", file, "--check-config")
    assert code == 1
    lines = (out + err).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["%s:6:7" % file, "%s:7:14" % file], lines
    assert '"bad_(" is no regular expression' in lines[0] and 'unknown clearmode "agregate"' in lines[1]


@BOTH
def test_a_bad_config_does_not_start(program, tmp_path):
    file = tmp_path / "bad.yml"
    file.write_text("identitty: x\n")
    code, out, err = run(program, "--config", file)
    assert code == 1
    assert "%s:1:1:" % file in err and "identity" in err


@BOTH
def test_dump_config_is_complete_and_loads_again(program, good, tmp_path):
    code, out, err = run(program, "--config", good, "--dump-config")
    assert code == 0, err
    for key in ("identity: dc1", "scrape_interval: 15s", "scrape_timeout: 10s", "max_age:", "retention: 10m", "listen:"):
        assert re.search(r"^\s*%s" % re.escape(key).replace("dc1", "[\"']?dc1[\"']?"), out, re.M), (key, out)
    again = tmp_path / "again.yml"
    again.write_text(out)
    assert run(program, "--config", again, "--dump-config") == (0, out, "")


@BOTH
def test_dump_config_hides_secrets(program, tmp_path):
    file = tmp_path / "secret.yml"
    file.write_text(GOOD.replace("nats://127.0.0.1", "nats://someone:verysecret@127.0.0.1"))
    code, out, err = run(program, "--config", file, "--dump-config")
    assert code == 0
    assert "verysecret" not in out + err


@BOTH
def test_the_sample_file_of_prometheus_streams_works(program, tmp_path):
    file = tmp_path / "ancestor.yml"
    file.write_text(ANCESTOR.replace("LOGFILE", str(tmp_path / "log")))
    code, out, err = run(program, "--config", file, "--check-config")
    assert code == 0, out + err
    for key in ("tls", "management", "cluster_id"):
        assert re.search(r"warning: .*%s" % key, out + err), (key, out + err)


@BOTH
@pytest.mark.parametrize("what", ["missing", "directory"])
def test_unreadable_config(program, tmp_path, what):
    file = tmp_path if what == "directory" else tmp_path / "missing.yml"
    code, out, err = run(program, "--config", file)
    assert code == 1
    assert str(file) in err
    assert len(err.splitlines()) <= 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_config_without_permission(tmp_path):
    file = tmp_path / "locked.yml"
    file.write_text(GOOD)
    file.chmod(0)
    code, out, err = run("gravel-poller", "--config", file)
    assert code == 1 and "ermission" in err


def test_the_poller_needs_a_config():
    code, out, err = run("gravel-poller")
    assert code == 1
    assert "poller_stream.urls" in err


def test_the_poller_needs_a_stream_and_jobs(tmp_path):
    file = tmp_path / "no_stream.yml"
    file.write_text("identity: x\nmonitor_port: %d\n" % free_port())
    code, out, err = run("gravel-poller", "--config", file)
    assert code == 1
    assert "poller_stream" in err


def test_port_in_use_is_a_sentence(stand, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        code, out, err = run("gravel-receiver", "-l", "127.0.0.1:%d" % port)
        assert code == 1
        assert str(port) in err and "in use" in err
        file = tmp_path / "p.yml"
        file.write_text(GOOD.replace("monitor_port: 4279", "monitor_port: %d" % port))
        code, out, err = run("gravel-poller", "--config", file)
        assert code == 1
        assert str(port) in err and "in use" in err


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:99999", "127.0.0.1:x", "[::1", "no-such-host.invalid:4278"])
def test_bad_listen_addresses(address):
    code, out, err = run("gravel-receiver", "-l", address)
    assert code == 1
    assert err.strip()
    assert not address or address in err


def test_unwritable_logfile(tmp_path, good):
    file = tmp_path / "l.yml"
    file.write_text(GOOD + "logfile: %s/no/such/folder/log\n" % tmp_path)
    code, out, err = run("gravel-poller", "--config", file)
    assert code == 1
    assert "no/such/folder/log" in err


def test_logfile_is_written(stand):
    receiver = Receiver(stand, logfile=str(stand.path / "own.log"))
    receiver.start()
    assert receiver.stop() == 0
    assert (stand.path / "own.log").read_text().strip()


def test_receiver_without_config_is_a_push_gateway(gateway):
    gateway.push_ok("a 1\n")
    assert gateway.metrics().value("a") == 1
    assert gateway.stop() == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "", "[::1]"])
def test_listen_forms(stand, host):
    if host == "[::1]":
        try:
            with socket.socket(socket.AF_INET6) as s:
                s.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    receiver = Receiver(stand)
    receiver.argv = receiver.argv[:1] + ["-l", "%s:%d" % (host, receiver.port)]
    name = "[::1]" if host == "[::1]" else "127.0.0.1"
    receiver.ready = lambda: http.get("http://%s:%d/metrics" % (name, receiver.port)).code == 200
    receiver.start()


def test_l_overrides_the_config(stand):
    receiver = Receiver(stand, receiver={"expiration": "1h"})
    receiver.port = free_port()
    receiver.argv += ["-l", "127.0.0.1:%d" % receiver.port]
    receiver.start()
    assert receiver.get("/metrics").code == 200


@pytest.mark.parametrize("number", [2, 15])
def test_sigint_and_sigterm_exit_0(stand, number):
    nats = stand.nats()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, {"j": {"targets": [{"url": stand.target().url}]}})
    for program in (poller, receiver):
        program.signal(number)
        assert program.process.wait(15) == 0, program.log


def test_sigterm_at_once(stand):
    """A signal that comes while it is still starting."""
    for _ in range(10):
        receiver = Receiver(stand)
        receiver.spawn()
        receiver.signal(15)
        assert receiver.process.wait(15) in (0, -15)
        receiver.process = None


def test_monitor_of_the_poller(stand):
    poller = Poller(stand, stand.nats(), {"j": {"targets": [{"name": "t", "url": stand.target().url}]}})
    poller.start()
    eventually(lambda: poller.own().value("gravel_scrapes_total") >= 1)
    own = poller.metrics()
    assert own.value("gravel_build_info", program="gravel-poller") == 1
    assert own.value("gravel_targets") >= 1
    assert own.value("process_open_fds") > 0
    for name in ("gravel_published_bytes_total", "gravel_publish_pending_messages", "gravel_publish_replaced_total",
                 "gravel_scrape_bytes_total"):
        assert own.find(name), name
    assert own.helps["gravel_scrapes_total"]
    assert poller.get("/nothing").code == 404


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.y*ml")), ids=lambda f: f.name)
@BOTH
def test_the_examples_are_valid(program, file):
    code, out, err = run(program, "--config", file, "--check-config")
    assert code == 0, out + err


def test_there_are_examples():
    names = " ".join(f.name for f in (ROOT / "config").glob("*.y*ml"))
    assert "poller" in names and "receiver" in names
