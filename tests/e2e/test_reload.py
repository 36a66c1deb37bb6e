# SPDX-License-Identifier: Apache-2.0
"""What a new configuration or list changes, and above all what it does not."""
import json
import os
import signal
import time

import pytest

from harness import http
from harness.stand import jobs_of, up
from harness.wait import SLOW, eventually, holds

# How long SIGHUP comes every second; a minute is what the project promises.
STORM = float(os.environ.get("GRAVEL_RELOAD_SECONDS", "20"))


def came(text):
    """(targets, came, left) of the answer to a reload."""
    words = text.strip().splitlines()[-1].replace(",", "").split()
    assert words[0] == "reloaded:", text
    return int(words[1]), int(words[3]), int(words[5])


def static(*targets, **labels):
    return [{"targets": [t.instance for t in targets], "labels": labels}]


@pytest.mark.long
def test_an_unchanged_target_keeps_its_counters_slot_and_connection(stand):
    nats = stand.nats()
    kept, other = stand.target(body="a 1\nb 2\n"), stand.target()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, {"j": {"targets": [{"name": "kept", "url": kept.url}]}})
    eventually(lambda: len(kept.seen) >= 3)
    eventually(lambda: receiver.metrics().value("scrape_series_added", instance="kept") == 0)
    answer = poller.reload_ok(jobs={"j": {"targets": [{"name": "kept", "url": kept.url}, {"name": "new", "url": other.url}]},
                                    "more": {"static_configs": static(other)}})
    assert came(answer) == (4, 2, 0)
    before = len(kept.seen)
    eventually(lambda: len(kept.seen) >= before + 3 and up(receiver, instance="new") == 1)
    assert receiver.metrics().value("scrape_series_added", instance="kept") == 0
    assert len(set(kept.clients)) == 1, "a connection of its own from first to last"
    times = [t for t, _ in kept.seen]
    assert abs(times[-1] - times[0] - (len(times) - 1)) < 1.5, "one scrape in every second, none twice, however late: %s" % times
    assert poller.own().value("gravel_scrapes_skipped_total") == 0


def test_a_reload_of_the_same_changes_nothing(stand):
    nats = stand.nats()
    poller = stand.poller(nats, jobs_of(t=stand.target()))
    for _ in range(3):
        assert came(poller.reload_ok()) == (2, 0, 0)
    poller.signal(signal.SIGHUP)
    eventually(lambda: poller.log.count("2 targets, 0 came, 0 left") == 4)


def test_what_touches_a_scrape_makes_another_target(stand):
    nats = stand.nats()
    target = stand.target()
    url = [{"name": "t", "url": target.url}]
    poller = stand.poller(nats, {"j": {"targets": url}})
    assert came(poller.reload_ok(jobs={"j": {"targets": url, "sample_limit": 5}})) == (2, 1, 1)
    assert came(poller.reload_ok(jobs={"j": {"targets": url, "sample_limit": 5, "scrape_interval": "2s"}})) == (2, 1, 1)
    assert came(poller.reload_ok(jobs={"j": {"targets": [dict(url[0], labels={"a": "b"})], "sample_limit": 5,
                                             "scrape_interval": "2s"}})) == (2, 1, 1)
    # A limit on the number of targets does not.
    assert came(poller.reload_ok(jobs={"j": {"targets": [dict(url[0], labels={"a": "b"})], "sample_limit": 5,
                                             "scrape_interval": "2s", "target_limit": 9}})) == (2, 0, 0)


def test_a_bad_file_changes_nothing_and_says_why(stand):
    nats = stand.nats()
    target = stand.target()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(t=target))
    eventually(lambda: up(receiver, instance="t") == 1)
    assert poller.own().value("gravel_config_last_reload_successful") == 1
    first = poller.own().value("gravel_config_last_reload_success_timestamp_seconds")
    assert abs(first - time.time()) < 60 * SLOW
    good = poller.config.read_text("utf-8")
    poller.config.write_text('{"identity": "dc1",\n "scrape_intervall": "1s", "jobs": {"j": 5}}', "utf-8")
    answer = poller.reload()
    assert answer.code == 500
    lines = answer.text.splitlines()
    assert any(line.startswith("%s:2:2: " % poller.config) and "scrape_intervall" in line for line in lines), lines
    assert len(lines) >= 2, "every error is there"
    assert poller.own().value("gravel_config_last_reload_successful") == 0
    assert poller.own().value("gravel_config_last_reload_success_timestamp_seconds") == first
    eventually(lambda: "scrape_intervall" in poller.log and "nothing has changed" in poller.log)
    poller.signal(signal.SIGHUP)
    eventually(lambda: poller.log.count("nothing has changed") == 2)
    seen = len(target.seen)
    eventually(lambda: len(target.seen) >= seen + 2)
    poller.config.unlink()
    answer = poller.reload()
    assert answer.code == 500 and str(poller.config) in answer.text
    poller.config.write_text(good, "utf-8")
    assert came(poller.reload().text) == (2, 0, 0)
    assert poller.own().value("gravel_config_last_reload_successful") == 1
    assert len(set(target.clients)) == 1


@pytest.mark.parametrize("job,what", [
    ({"relabel_configs": [{"source_labels": ["a"], "regex": "(", "target_label": "b"}]}, "("),
    ({"metric_relabel_configs": [{"regex": "[", "action": "labeldrop"}]}, "["),
    ({"clearmodes": {"a": "nonsense"}}, "nonsense"),
    ({"clearmodes": {"(": "sum"}}, "("),
])
def test_what_only_compiling_finds_is_found_before_anything_changes(stand, job, what):
    nats = stand.nats()
    target = stand.target()
    poller = stand.poller(nats, jobs_of(t=target))
    poller.configure(jobs={"j": dict(job, targets=[{"name": "other", "url": target.url}])})
    answer = poller.reload()
    assert answer.code == 500
    first = answer.text.splitlines()[0]
    assert first.startswith(str(poller.config) + ":") and what in first, first
    assert [t["labels"]["instance"] for t in poller.targets()["activeTargets"]] == ["t"]


def test_keys_that_need_a_restart_keep_their_value_and_are_named(stand):
    nats = stand.nats()
    target, new = stand.target(), stand.target()
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(t=target))
    eventually(lambda: up(receiver, instance="t", publisher="dc1") == 1)
    poller.configure(identity="dc2", monitor_port=poller.port + 1, jobs=jobs_of(t=target, new=new))
    poller.options["poller_stream"] = {"urls": ["nats://user:secret@127.0.0.1:1"], "topic": "other"}
    answer = poller.reload_ok()
    for key in ("identity", "monitor_port", "poller_stream.urls", "poller_stream.topic"):
        assert any("warning: %s cannot change" % key in line for line in answer.splitlines()), answer
    assert "buffer" not in answer and "secret" not in answer + poller.log
    assert came(answer) == (3, 1, 0)
    eventually(lambda: up(receiver, instance="new", publisher="dc1") == 1)
    eventually(lambda: up(receiver, job="prometheus_streams", instance="dc1", publisher="dc1") == 1)


def test_a_target_that_leaves_vanishes_at_once(stand):
    nats = stand.nats()
    stays, leaves = stand.target(body="a 1\n"), stand.target(body="b 1\n")
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(stays=stays, leaves=leaves), scrape_interval="1s")
    eventually(lambda: up(receiver, instance="leaves") == 1 and up(receiver, instance="stays") == 1)
    assert came(poller.reload_ok(jobs=jobs_of(stays=stays))) == (2, 0, 1)
    eventually(lambda: not receiver.metrics().find_all(instance="leaves"), 2)
    holds(lambda: not receiver.metrics().find_all(instance="leaves") and up(receiver, instance="stays") == 1, 2)
    seen = len(leaves.seen)
    assert came(poller.reload_ok(jobs=jobs_of(stays=stays, leaves=leaves))) == (3, 1, 0)
    eventually(lambda: len(leaves.seen) > seen and up(receiver, instance="leaves") == 1)


def test_another_url_under_the_same_name_takes_its_place(stand):
    nats = stand.nats()
    old, new = stand.target(body="a 1\n"), stand.target(body="a 2\n")
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, jobs_of(t=old))
    eventually(lambda: receiver.metrics().value("a") == 1)
    assert came(poller.reload_ok(jobs=jobs_of(t=new))) == (2, 1, 1)
    eventually(lambda: receiver.metrics().value("a", instance="t") == 2)
    holds(lambda: receiver.metrics().value("a", instance="t") == 2, 2)


def test_file_sd_is_followed(stand):
    nats = stand.nats()
    one, two = stand.target(), stand.target()
    receiver = stand.receiver(nats)
    file = stand.write("targets.json", json.dumps([{"targets": [one.instance], "labels": {"zone": "a"}}]))
    poller = stand.poller(nats, {}, scrape_configs=[{"job_name": "files", "file_sd_configs": [{"files": [str(file)]}]}])
    eventually(lambda: up(receiver, instance=one.instance, zone="a") == 1)

    def write(*groups):
        new = stand.write("targets.new", json.dumps(groups))
        os.replace(new, file)

    write({"targets": [one.instance], "labels": {"zone": "a"}}, {"targets": [two.instance]})
    eventually(lambda: up(receiver, instance=two.instance) == 1)
    assert came(poller.reload_ok()) == (3, 0, 0)
    assert len(set(one.clients)) == 1
    write({"targets": [two.instance]})
    eventually(lambda: not receiver.metrics().find_all(instance=one.instance), 5)
    # What was found stays while other settings of the job change, and while another source comes.
    answer = poller.reload_ok(scrape_configs=[{"job_name": "files", "file_sd_configs": [{"files": [str(file)]}],
                                               "static_configs": static(one)}])
    assert came(answer) == (3, 1, 0)
    answer = poller.reload_ok(scrape_configs=[{"job_name": "files", "file_sd_configs": [{"files": [str(file)]}],
                                               "relabel_configs": [{"target_label": "x", "replacement": "y"}]}])
    assert came(answer) == (2, 1, 2)
    eventually(lambda: up(receiver, instance=two.instance, x="y") == 1)
    # The job is gone, and so is its discovery.
    assert came(poller.reload_ok(scrape_configs=[])) == (1, 0, 1)
    write({"targets": [one.instance]})
    holds(lambda: not poller.targets()["activeTargets"], 1)


def test_target_limit_fails_all_targets_without_asking_them(stand):
    nats = stand.nats()
    targets = [stand.target() for _ in range(3)]
    receiver = stand.receiver(nats)
    job = {"static_configs": static(*targets), "target_limit": 2}
    poller = stand.poller(nats, {"j": job})
    eventually(lambda: [s.value for s in receiver.metrics().find("up", job="j")] == [0, 0, 0])
    active = poller.targets()["activeTargets"]
    assert {t["lastError"] for t in active} == {"target_limit exceeded (number of targets: 3, limit: 2)"}
    assert {t["health"] for t in active} == {"down"}
    assert [t.seen for t in targets] == [[], [], []]
    assert poller.own().value("gravel_target_limit_exceeded_total") == 1
    assert came(poller.reload_ok(jobs={"j": dict(job, target_limit=3)})) == (4, 0, 0)
    eventually(lambda: [s.value for s in receiver.metrics().find("up", job="j")] == [1, 1, 1])


def test_targets_of_the_same_name_are_groups_of_their_own(stand):
    nats = stand.nats()
    a, b = stand.target(body="m 1\n"), stand.target(body="m 2\n")
    receiver = stand.receiver(nats)
    poller = stand.poller(nats, {"j": {"static_configs": [
        {"targets": [a.instance, a.instance], "labels": {"instance": "same", "zone": "a"}},
        {"targets": [b.instance], "labels": {"instance": "same", "zone": "b"}},
        {"targets": [a.instance], "labels": {"instance": "same", "zone": "a"}}]}})
    eventually(lambda: receiver.metrics().value("m", zone="a") == 1 and receiver.metrics().value("m", zone="b") == 2)
    assert {s.labels["instance"] for s in receiver.metrics().find("m")} == {"same"}
    assert len(poller.targets()["activeTargets"]) == 2, "what is twice in the configuration is one target"
    # The first one leaves: the second one is not touched, and does not vanish for a moment.
    answer = poller.reload_ok(jobs={"j": {"static_configs": [
        {"targets": [b.instance], "labels": {"instance": "same", "zone": "b"}}]}})
    assert came(answer) == (2, 0, 1)
    eventually(lambda: not receiver.metrics().find_all(zone="a"), 2)
    holds(lambda: receiver.metrics().value("m", zone="b") == 2, 2)
    assert len(set(b.clients)) == 1


def test_results_of_an_aggregation_come_and_go(stand):
    nats = stand.nats()
    targets = [stand.target(body="# TYPE g gauge\ng{k=\"%d\"} %d\nrest 1\n" % (i, i)) for i in (1, 2, 3)]
    receiver = stand.receiver(nats)
    rule = {"sum": "g", "by": ["job"], "as": "g_all", "inputs": "drop"}
    poller = stand.poller(nats, {"j": {"static_configs": static(*targets), "aggregations": [rule]}})
    eventually(lambda: receiver.metrics().value("g_all", job="j") == 6)
    served = receiver.metrics()
    assert served.find("g") == [] and len(served.find("rest")) == 3
    assert served.find("up", instance="aggregation") == []
    assert len(poller.targets()["activeTargets"]) == 3, "it is no target"
    poller.reload_ok(jobs={"j": {"static_configs": static(*targets[:2]), "aggregations": [rule]}})
    eventually(lambda: receiver.metrics().value("g_all", job="j") == 3)
    poller.reload_ok(jobs={"j": {"static_configs": static(*targets)}})
    eventually(lambda: not receiver.metrics().find("g_all") and len(receiver.metrics().find("g")) == 3)


def descriptors(child):
    """(all but sockets, sockets): how many connections there are depends on how many targets were slow at the same time."""
    links = []
    for fd in os.listdir("/proc/%d/fd" % child.process.pid):
        try:
            links.append(os.readlink("/proc/%d/fd/%s" % (child.process.pid, fd)))
        except FileNotFoundError:
            pass  # closed meanwhile
    sockets = sum(link.startswith("socket:") for link in links)
    return len(links) - sockets, sockets


@pytest.mark.long
def test_sighup_every_second_under_load_loses_no_scrape(stand):
    nats = stand.nats()
    target, coming = stand.target(body="".join("m%d 1\n" % i for i in range(100))), stand.target()
    receiver = stand.receiver(nats)
    paths = ["/%d" % i for i in range(40)]
    load = {"targets": [{"name": p[1:], "url": "http://%s%s" % (target.instance, p)} for p in paths],
            "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": "m1.*", "action": "drop"}]}
    file = stand.write("sd.json", json.dumps(static(coming)))
    jobs = {"load": load, "files": {"file_sd_configs": [{"files": [str(file)]}]}}
    poller = stand.poller(nats, jobs)
    eventually(lambda: len(receiver.metrics().find("up", job="load")) == 40)
    eventually(lambda: all(target.paths.count(p) >= 2 for p in paths))
    open_before = descriptors(poller)
    begin = time.monotonic()
    n = 0
    while time.monotonic() - begin < STORM:
        n += 1
        if n % 2 == 0:  # another job comes and goes meanwhile
            extra = {"extra": {"static_configs": static(coming, n=str(n))}} if n % 4 == 0 else {}
            poller.configure(jobs=dict(jobs, **extra))
        poller.signal(signal.SIGHUP)
        eventually(lambda: poller.log.count("the configuration was read again") >= n, what="reload %d" % n)
        time.sleep(max(0, begin + n - time.monotonic()))
    poller.reload_ok(jobs=jobs)
    end = time.monotonic()
    assert poller.own().value("gravel_scrapes_skipped_total") == 0
    assert poller.own().value("gravel_config_last_reload_successful") == 1
    for p in paths:
        times = [t for (t, _), path in zip(target.seen, target.paths) if path == p and t < end]
        assert len(times) >= int(end - begin), p
    eventually(lambda: descriptors(poller)[0] == open_before[0], what="descriptors are given back")
    assert descriptors(poller)[1] <= len(paths) + 12, "a connection for each target, NATS, HTTP"
    series = [s.value for s in receiver.metrics().find("scrape_series_added", job="load")]
    assert series == [0] * 40, series


def test_reload_by_get_is_refused(stand):
    poller = stand.poller(stand.nats(), {})
    answer = poller.get("/-/reload")
    assert answer.code == 405 and set(answer.headers["Allow"].replace(" ", "").split(",")) >= {"POST", "PUT"}
    assert http.request(poller.url + "/-/reload", "PUT").code == 200
