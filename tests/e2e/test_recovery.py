# SPDX-License-Identifier: Apache-2.0
"""What each death on the way ends in, and that all recovers with no restart of the others."""
import random
import signal
import subprocess
import time

import pytest

from harness.stand import Nats, jobs_of, up
from harness.wait import SLOW, eventually


@pytest.mark.long
def test_up_follows_the_target(stand):
    nats = stand.nats()
    node = stand.node_exporter()
    receiver = stand.receiver(nats)
    prometheus = stand.prometheus(receiver.address)
    poller = stand.poller(nats, {"node": {"targets": [{"name": "n", "url": node.url + "/metrics"}]}})
    eventually(lambda: prometheus.query('up{instance="n"}')[0][1] == 1, 30)
    node.kill9()
    eventually(lambda: prometheus.query('up{instance="n"}')[0][1] == 0)
    eventually(lambda: not prometheus.query('node_memory_MemTotal_bytes{instance="n"}'))
    assert poller.own().value("gravel_scrape_failures_total", reason="connect") >= 1
    node.start()
    eventually(lambda: prometheus.query('up{instance="n"}')[0][1] == 1)
    eventually(lambda: prometheus.query('node_memory_MemTotal_bytes{instance="n"}'))


@pytest.mark.long
def test_a_killed_poller_ends_in_absence_and_comes_back(stand):
    nats = stand.nats()
    target = stand.target()
    receiver = stand.receiver(nats, max_age="3s")
    prometheus = stand.prometheus(receiver.address)
    poller = stand.poller(nats, jobs_of(t=target))
    eventually(lambda: prometheus.query('up_and_well{instance="t"}'), 30)
    poller.kill9()
    eventually(lambda: not receiver.metrics().find("up", instance="t"))
    served = receiver.metrics()
    assert served.find("up_and_well") == []
    assert served.value("gravel_groups", state="stale") >= 1
    assert served.value("gravel_scrape_age_seconds", instance="t") >= 3, "its freshness stays to be seen"
    eventually(lambda: not prometheus.query('up_and_well{instance="t"}'))
    eventually(lambda: not prometheus.query('up{instance="t"}'))
    poller.start()
    eventually(lambda: prometheus.query('up{instance="t"}')[0][1] == 1)
    eventually(lambda: prometheus.query('up_and_well{instance="t"}'))


def test_a_killed_receiver_serves_every_target_within_a_second_of_its_start(stand):
    nats = stand.nats()
    targets = {"t%d" % i: stand.target() for i in range(20)}
    receiver = stand.receiver(nats)
    # A long interval: what it serves after its start can only come from the stream.
    poller = stand.poller(nats, jobs_of(**targets), scrape_interval="3s", max_age="1m")

    def all_up():
        return len([s for s in receiver.metrics().find("up", job="j") if s.value == 1]) == len(targets)
    eventually(all_up)
    poller.kill9()
    receiver.kill9()
    start = time.monotonic()
    receiver.spawn()
    eventually(all_up, 10, every=0.01)
    seconds = time.monotonic() - start
    print("every target served %.3f s after the start" % seconds)
    assert seconds < 1.0 * SLOW


@pytest.mark.long
def test_a_killed_nats_server_comes_back_and_all_recovers(stand):
    nats = stand.nats()
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    receiver = stand.receiver(nats, max_age="3s")
    prometheus = stand.prometheus(receiver.address)
    poller = stand.poller(nats, jobs_of(t=target))
    eventually(lambda: prometheus.query('n{instance="t"}'), 30)
    nats.kill9()
    eventually(lambda: not receiver.metrics().find("up", instance="t"), what="the group is stale")
    target.body = "# TYPE n gauge\nn 2\n"
    nats.start()
    eventually(lambda: prometheus.query('n{instance="t"}')[0][1] == 2, 20)
    assert prometheus.query('up{instance="t"}')[0][1] == 1
    assert poller.alive() and receiver.alive()
    for program in (poller, receiver):
        assert program.own().value("gravel_nats_connects_total") >= 2


def test_a_lost_stream_is_made_anew(stand):
    """The store of nats-server is lost with it: both begin again on an empty one."""
    nats = stand.nats()
    target = stand.target(body="# TYPE n gauge\nn 1\n")
    receiver = stand.receiver(nats)
    stand.poller(nats, jobs_of(t=target))
    eventually(lambda: receiver.metrics().value("n", instance="t") == 1)
    nats.kill9()
    subprocess.run(["rm", "-rf", str(stand.path / "nats-store")], check=True)
    target.body = "# TYPE n gauge\nn 2\n"
    nats.start()
    eventually(lambda: receiver.metrics().value("n", instance="t") == 2, 20)


def test_all_may_start_before_nats(stand):
    nats = Nats(stand)
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(t=stand.target()))
    eventually(lambda: poller.own().value("gravel_scrapes_total") >= 4)
    for program in (poller, receiver):
        said = [line for line in program.log.splitlines() if "127.0.0.1:%d" % nats.port in line]
        assert 1 <= len(said) <= 3, "the reason once, not once a try:\n" + program.log
    nats.start()
    eventually(lambda: up(receiver, instance="t") == 1, 20)


def test_what_is_older_than_max_age_is_dropped_and_counted(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats, max_age="3s")
    poller = stand.poller(nats, jobs_of(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    receiver.kill9()
    poller.kill9()
    time.sleep(4)
    receiver.start()
    dropped = eventually(lambda: receiver.own().find("gravel_dropped_scrapes_total", reason="max_age"))
    assert dropped[0].value >= 1
    assert receiver.metrics().find("up") == []
    assert receiver.metrics().find("up_and_well") == []


def test_a_stopped_poller_is_continued(stand):
    """A poller that stood still (a suspended machine) does not make the receiver serve the past."""
    nats = stand.nats()
    receiver = stand.receiver(nats, max_age="3s")
    poller = stand.poller(nats, jobs_of(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    poller.signal(signal.SIGSTOP)
    eventually(lambda: not receiver.metrics().find("up", instance="t"))
    poller.signal(signal.SIGCONT)
    eventually(lambda: up(receiver, instance="t") == 1)


def test_sigterm_of_the_poller_flushes(stand):
    nats = stand.nats()
    poller = stand.poller(nats, jobs_of(**{"t%d" % i: stand.target() for i in range(5)}))
    eventually(lambda: poller.own().value("gravel_published_messages_total") >= 5)
    started = time.monotonic()
    assert poller.stop() == 0
    assert time.monotonic() - started < 10 * SLOW
    with nats.client() as c:
        assert c.stream("PROMETHEUS")["state"]["messages"] >= 5


def test_sigterm_while_nats_is_away(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(t=stand.target()))
    eventually(lambda: up(receiver, instance="t") == 1)
    nats.kill9()
    eventually(lambda: poller.own().value("gravel_nats_connected") == 0)
    assert poller.stop() == 0
    assert receiver.stop() == 0


@pytest.mark.long
def test_what_is_kept_while_nats_is_away_is_bounded(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats)
    noise = random.Random(1)
    targets = {"t%d" % i: stand.target(body="".join("n%d %d\n" % (k, noise.getrandbits(60)) for k in range(1500))) for i in range(8)}
    poller = stand.poller(nats, jobs_of(**targets), stream={"buffer": "64KiB"})
    eventually(lambda: len([s for s in receiver.metrics().find("up", job="j") if s.value == 1]) == 8)
    nats.kill9()
    eventually(lambda: poller.own().total("gravel_publish_dropped_total") >= 8)
    assert poller.own().value("gravel_publish_pending_bytes") <= 64 * 1024
    nats.start()
    before = time.time()
    eventually(lambda: all(s.value > before for s in receiver.metrics().find("gravel_scrape_timestamp_seconds", job="j")), 20)
    eventually(lambda: poller.own().value("gravel_publish_pending_messages") <= 1)


def test_hup_opens_the_log_again(stand):
    own = stand.path / "own.log"
    receiver = stand.receiver(logfile=str(own))
    own.rename(stand.path / "own.log.1")
    receiver.signal(signal.SIGHUP)
    eventually(own.exists)
    assert receiver.stop() == 0
    assert "stopping" in own.read_text("utf-8")
