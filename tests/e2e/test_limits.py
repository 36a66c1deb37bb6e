# SPDX-License-Identifier: Apache-2.0
"""Every limit: its answer, its text, its counter, and that nothing of what it refused is there. docs/OPERATING.md, "Limits"."""
import concurrent.futures
import gzip
import http.client
import socket
import struct
import zlib

import pytest

from harness.http import raw
from harness.stand import BUILD, jobs_of, up
from harness.wait import SLOW, eventually

KIB = 1024
MIB = 1024 * KIB


def with_limits(stand, **limits):
    return stand.receiver(receiver={"limits": limits})


def limited(receiver, limit):
    return receiver.own().total("gravel_limited_total", limit=limit)


def all_limited(receiver):
    return {s.labels["limit"]: s.value for s in receiver.own().find("gravel_limited_total")}


def assert_refused(receiver, answer, code, limit, text):
    """The answer, its count, and that what was there before is all that is there."""
    assert (answer.code, answer.text) == (code, "%s (receiver.limits.%s)\n" % (text, limit))
    assert all_limited(receiver) == {limit: 1}
    assert receiver.own().value("gravel_pushes_total", code=str(code)) == 1


# --- what is too large itself: 413 ---

@pytest.mark.parametrize("limit,value,path,good,bad,text", [
    ("push_samples", 2, "", "a 1\nb 1\n", "a 1\nb 1\nc 1\n", "3:1: more than 2 samples"),
    ("labels_per_series", 2, "/job/x", 'a{b="1"} 1\n', 'a{b="1"} 1\na{b="1",c="1"} 1\n', '2:1: "a" has more than 2 labels'),
    ("labels_per_series", 2, "/job/x/instance/y", "a 1\n", 'a 1\na{b="1"} 1\n', '2:1: "a" has more than 2 labels'),
    ("name_length", 4, "", 'abcd{efgh="long value"} 1\n', "a 1\nabcde 1\n",
     '2:1: the name of metric "abcde" is longer than 4 bytes'),
    ("name_length", 4, "", 'abcd{efgh="long value"} 1\n', 'a 1\na{abcde="1"} 1\n',
     '2:1: the name of label "abcde" is longer than 4 bytes'),
    ("value_length", 4, "", 'long_name{b="1234"} 1\n', 'a 1\na{b="12345"} 1\n',
     '2:1: the value of label "b" is longer than 4 bytes'),
])
def test_a_push_that_is_too_large_itself(stand, limit, value, path, good, bad, text):
    receiver = with_limits(stand, **{limit: value})
    receiver.push_ok(good, path)
    before = receiver.served()
    assert_refused(receiver, receiver.push(bad, path), 413, limit, text)
    assert receiver.served() == before


@pytest.mark.parametrize("path,limit,value,text", [
    ("/job/12345", "value_length", 4, 'the value of label "job" is longer than 4 bytes'),
    ("/abcde/1", "name_length", 4, 'the name of label "abcde" is longer than 4 bytes'),
])
def test_a_path_that_is_too_large_itself(stand, path, limit, value, text):
    receiver = with_limits(stand, **{limit: value})
    assert_refused(receiver, receiver.push("a 1\n", path), 413, limit, text)
    assert receiver.served() == set()


def test_more_path_labels_than_there_may_be(gateway):
    path = "".join("/l%d/x" % i for i in range(33))
    answer = gateway.push("a 1\n", path)
    assert (answer.code, answer.text) == (413, "more than 32 path labels\n")
    assert all_limited(gateway) == {"other": 1}


# --- what finds no room: 429 ---

def test_a_full_store(stand):
    receiver = with_limits(stand, series=2)
    receiver.push_ok("a 1\n", "/job/x")
    receiver.push_ok("b 1\n", "/job/y")
    before = receiver.served()
    assert_refused(receiver, receiver.push("a 1\nc 1\n", "/job/x"), 429, "series", "2:1: the store is full: it may hold 2 series")
    assert receiver.served() == before
    # What is there already can be pushed, and what leaves makes room.
    receiver.push_ok("a 1\n", "/job/x")
    assert receiver.push(None, "/job/x", method="DELETE").code == 200
    receiver.push_ok("c 1\n", "/job/x")
    assert receiver.metrics().value("c", job="x") == 1
    assert receiver.metrics().value("b", job="y") == 1


def test_expiry_makes_room(stand):
    receiver = stand.receiver(receiver={"limits": {"series": 1}, "expiration": "1s"})
    receiver.push_ok("a 1\n")
    assert receiver.push("b 1\n").code == 429
    eventually(lambda: receiver.push("b 1\n").code == 200, 10)
    assert receiver.served() == {"# TYPE b untyped\nb 1\n"}


def test_a_full_family(stand):
    receiver = with_limits(stand, series_per_family=2)
    receiver.push_ok('a{x="1"} 1\na{x="2"} 1\nb 1\n')
    before = receiver.served()
    assert_refused(receiver, receiver.push('b 1\na{x="3"} 1\n'), 429, "series_per_family",
                   '2:1: family "a" is full: it may have 2 series')
    assert receiver.served() == before
    # One family for another of the same size.
    receiver.push_ok('a{x="3",clearmode="family"} 1\na{x="4",clearmode="family"} 1\n')
    assert {s.labels["x"] for s in receiver.metrics().find("a")} == {"3", "4"}


def test_a_full_group(stand):
    receiver = with_limits(stand, series_per_group=2)
    receiver.push_ok("a 1\nb 1\n", "/job/x/instance/1")
    receiver.push_ok("a 1\nb 1\n", "/job/x/instance/2")
    before = receiver.served()
    assert_refused(receiver, receiver.push("a 1\nc 1\n", "/job/x/instance/1"), 429, "series_per_group",
                   '2:1: the group {instance="1",job="x"} is full: it may have 2 series')
    assert receiver.served() == before


def test_own_metrics_are_served_by_a_full_store(stand):
    receiver = with_limits(stand, series=1, series_per_family=1, series_per_group=1, labels_per_series=1, name_length=1, value_length=1)
    receiver.push_ok("a 1\n")
    for body, code in (("b 1\n", 429), ("bb 1\n", 413), ('b{c="11"} 1\n', 413), ("b x\n", 400)):
        assert receiver.push(body).code == code
    served = receiver.metrics()
    assert {s.labels["limit"] for s in served.find("gravel_limited_total")} == {"series", "name_length", "value_length"}
    assert served.total("gravel_pushes_total") == 5
    assert served.value("gravel_store_series") > 10


# --- pushes in flight ---

def test_pushes_in_flight(stand):
    """Each that is taken counts once, each that is not is told so and leaves nothing."""
    receiver = with_limits(stand, pushes_in_flight=1)
    body = "# TYPE n counter\nn 1\n# TYPE filler gauge\n" + "".join('filler{x="%d"} 1\n' % i for i in range(20000))
    body = body.encode()

    def pusher(_):
        answers = []
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=20 * SLOW)
        for _ in range(10):
            connection.request("POST", "/metrics", body)
            answer = connection.getresponse()
            answers.append((answer.status, answer.headers.get("Retry-After"), answer.read().decode()))
        connection.close()
        return answers

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [a for one in pool.map(pusher, range(8)) for a in one]
    taken = answers.count((200, None, ""))
    refused = answers.count((429, "1", "there are 1 pushes in flight; try again (receiver.limits.pushes_in_flight)\n"))
    assert taken + refused == len(answers) == 80, set(answers)
    assert taken > 0 and refused > 0
    assert receiver.metrics().value("n") == taken
    assert all_limited(receiver) == {"pushes_in_flight": refused}


# --- bodies ---

def memory(receiver, what):
    """MiB of the process: VmRSS now, VmHWM at most so far."""
    with open("/proc/%d/status" % receiver.process.pid, encoding="ascii") as f:
        for line in f:
            if line.startswith(what + ":"):
                return int(line.split()[1]) / 1024
    raise LookupError(what)


def is_sanitized():
    with open(BUILD / "gravel-receiver", "rb") as f:
        return b"__asan_init" in f.read() or b"__tsan_init" in f.read()


def test_a_body_that_says_it_is_too_large_is_not_read(stand):
    receiver = with_limits(stand, push_body=2000)
    text = b"the body is larger than the limit of 2000 bytes (receiver.limits.push_body)\n"
    for n, extra in enumerate((b"", b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n"), 1):
        got = raw(receiver.port, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 2001\r\n" + extra + b"\r\n", timeout=5 * SLOW)
        assert got.startswith(b"HTTP/1.1 413"), got
        assert got.endswith(b"\r\n\r\n" + text), got
        assert b"100 Continue" not in got
        assert all_limited(receiver) == {"push_body": n}
    body = b"a 1\n" + b"#" * 1995 + b"\n"
    assert len(body) == 2000
    receiver.push_ok(body)


def chunked(pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def test_chunked_bodies(stand):
    receiver = with_limits(stand, push_body=2000)
    head = b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    got = raw(receiver.port, head + chunked([b"a 1\n", b"#" * 1995 + b"\n"]))
    assert got.startswith(b"HTTP/1.1 200"), got
    got = raw(receiver.port, head + chunked([b"b 1\n", b"#" * 1995 + b"\n", b"\n"]))
    assert got.startswith(b"HTTP/1.1 413"), got
    assert all_limited(receiver) == {"push_body": 1}
    assert receiver.served() == {"# TYPE a untyped\na 1\n"}


def gzip_bomb(claim):
    """A gzip of some 10 MB that holds 10 GiB of zeros, and says at its end that it holds ${claim} bytes."""
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    z.compress(bytes(16 * MIB))
    z.flush(zlib.Z_FULL_FLUSH)
    piece = z.compress(bytes(16 * MIB)) + z.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\3" + 640 * piece + z.flush() + struct.pack("<II", 0, claim % 2**32)


def zstd_bomb(claim):
    """A frame of 10 GiB of zeros, as blocks of 128 KiB that say "this byte, so often"; with its size, or without."""
    head = b"\x28\xb5\x2f\xfd" + (b"\x00\x38" if claim is None else b"\xc0\x38" + struct.pack("<Q", claim))
    block = struct.pack("<I", (128 * KIB) << 3 | 1 << 1)[:3] + b"\0"
    return head + block * 80 * KIB + b"\1\0\0"


@pytest.mark.parametrize("encoding,bomb", [
    ("gzip", lambda: gzip_bomb(10 * KIB * MIB)),
    ("gzip", lambda: gzip_bomb(5)),
    ("zstd", lambda: zstd_bomb(10 * KIB * MIB)),
    ("zstd", lambda: zstd_bomb(None)),
], ids=["gzip", "gzip that lies", "zstd", "zstd that does not say"])
def test_bombs(stand, encoding, bomb):
    """10 GiB as sent in a few MB, at the default limit of 64 MiB."""
    receiver = stand.receiver()
    receiver.push_ok("a 1\n")
    body = bomb()
    assert len(body) < 12 * MIB
    rss = memory(receiver, "VmRSS")
    for n in range(1, 6):
        answer = receiver.push(body, headers={"Content-Encoding": encoding})
        assert answer.code == 413
        assert answer.text == "the body is larger than the limit of 67108864 bytes (receiver.limits.push_body)\n"
        assert limited(receiver, "push_body") == n
    assert receiver.served() == {"# TYPE a untyped\na 1\n"}
    if not is_sanitized():
        assert memory(receiver, "VmHWM") < rss + 2 * 64  # the limit, half of it while it grows, and the body
        assert memory(receiver, "VmRSS") < rss + 48


def test_a_bomb_that_admits_it_takes_no_memory(stand):
    receiver = stand.receiver()
    rss = memory(receiver, "VmRSS")
    for body, encoding in ((gzip_bomb(10 * KIB * MIB), "gzip"), (zstd_bomb(10 * KIB * MIB), "zstd")):
        assert receiver.push(body, headers={"Content-Encoding": encoding}).code == 413
    if not is_sanitized():
        assert memory(receiver, "VmHWM") < rss + 32


@pytest.mark.parametrize("encoding,compress", [("gzip", gzip.compress)])
def test_a_compressed_body_of_just_the_limit(stand, encoding, compress):
    receiver = with_limits(stand, push_body=2000)
    receiver.push_ok(compress(b"a 1\n" + b"#" * 1995 + b"\n"), headers={"Content-Encoding": encoding})
    assert receiver.push(compress(b"b 1\n" + b"#" * 1996 + b"\n"), headers={"Content-Encoding": encoding}).code == 413
    assert receiver.served() == {"# TYPE a untyped\na 1\n"}


def test_many_connections_that_claim_large_bodies(stand):
    """Four bodies' worth of memory for all of them; then 429, and afterwards there is room again."""
    receiver = with_limits(stand, push_body=2 * MIB)
    rss = memory(receiver, "VmRSS")
    sockets = []
    try:
        for _ in range(40):
            s = socket.create_connection(("127.0.0.1", receiver.port), timeout=20 * SLOW)
            sockets.append(s)
            s.sendall(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (2 * MIB))
            s.sendall(b"#\n" * (MIB - 5))
        # Now all but ten bytes of 80 MiB were sent. A refusal comes when the body has come.
        eventually(lambda: limited(receiver, "bodies") >= 36, 10)
        if not is_sanitized():
            assert memory(receiver, "VmHWM") < rss + 4 * 2 + 24
        codes = []
        for s in sockets:
            s.sendall(b"#\n" * 5)
            codes.append(s.recv(65536).split(b"\r\n")[0])
        assert codes.count(b"HTTP/1.1 200 OK") == 40 - codes.count(b"HTTP/1.1 429 Too Many Requests") >= 1
        assert limited(receiver, "bodies") == codes.count(b"HTTP/1.1 429 Too Many Requests")
    finally:
        for s in sockets:
            s.close()
    eventually(lambda: receiver.push(b"a 1\n" + b"#\n" * (MIB - 2)).code == 200, 10)


# --- scrapes: one that is beyond a limit is one that failed, as in Prometheus ---

@pytest.mark.parametrize("limits,limit,good,bad", [
    ({"labels_per_series": 6}, "labels_per_series", 'x{a="1"} 1\n', 'x{a="1",b="1",c="1",d="1"} 1\n'),
    ({"value_length": 40}, "value_length", "x 1\n", 'x{a="%s"} 1\n' % ("v" * 41)),
    ({"name_length": 60}, "name_length", "x 1\n", "x%s 1\n" % ("x" * 60)),
    ({"series_per_group": 500}, "series_per_group", "x 1\n", "".join('y{i="%d"} 1\n' % i for i in range(501))),
    ({"series_per_family": 300}, "series_per_family", "x 1\n", "".join('x{i="%d"} 1\n' % i for i in range(301))),
], ids=lambda p: p if isinstance(p, str) and p.isidentifier() else "")
def test_a_scrape_beyond_a_limit_failed(stand, limits, limit, good, bad):
    nats = stand.nats()
    target, other = stand.target(body=good), stand.target(body="z 1\n")
    receiver = stand.receiver(nats, receiver={"limits": limits})
    stand.poller(nats, jobs_of(t=target, other=other))
    eventually(lambda: receiver.metrics().find("x", instance="t"))
    assert up(receiver, instance="t") == 1
    target.body = bad
    eventually(lambda: up(receiver, instance="t") == 0)
    served = receiver.metrics()
    assert served.find("x", instance="t") == served.find("y", instance="t") == []
    assert served.value("scrape_samples_scraped", instance="t") == bad.count("\n")
    assert limited(receiver, limit) >= 1
    assert set(all_limited(receiver)) == {limit}
    assert receiver.own().value("gravel_dropped_scrapes_total", reason="limit") >= 1
    # The others do not notice, and it is back as soon as it is within the limit.
    assert up(receiver, instance="other") == 1
    assert served.value("z", instance="other") == 1
    target.body = good
    eventually(lambda: up(receiver, instance="t") == 1)
    assert receiver.metrics().find("x", instance="t")


def test_scrapes_and_a_full_store(stand):
    nats = stand.nats()
    target, other = stand.target(body=""), stand.target(body="z 1\n")
    receiver = stand.receiver(nats, receiver={"limits": {"series": 1000}})
    stand.poller(nats, jobs_of(t=target, other=other))
    eventually(lambda: up(receiver, instance="t") == up(receiver, instance="other") == up(receiver, job="prometheus_streams") == 1)
    for n in (100, 10):
        i = 0
        while receiver.push("".join('fill{n="%d",i="%d"} 1\n' % (n, k) for k in range(i, i + n)), "/job/fill").code == 200:
            i += n
    before = limited(receiver, "series")
    target.body = "".join('x{i="%d"} 1\n' % k for k in range(50))
    eventually(lambda: up(receiver, instance="t") == 0)
    assert receiver.metrics().find("x") == []
    assert limited(receiver, "series") > before
    assert up(receiver, instance="other") == 1
    seen = receiver.metrics().value("gravel_scrape_timestamp_seconds", instance="other")
    eventually(lambda: receiver.metrics().value("gravel_scrape_timestamp_seconds", instance="other") > seen)
    assert receiver.push(None, "/job/fill", method="DELETE").code == 200
    eventually(lambda: up(receiver, instance="t") == 1)
    assert len(receiver.metrics().find("x", instance="t")) == 50


def test_more_targets_than_there_may_be(stand):
    nats = stand.nats()
    receiver = stand.receiver(nats, receiver={"limits": {"groups": 1}})
    stand.poller(nats, jobs_of(a=stand.target(body="x 1\n"), b=stand.target(body="x 1\n")))
    eventually(lambda: limited(receiver, "groups") >= 2)
    own = receiver.own()
    assert own.value("gravel_groups", state="fresh") == 1
    assert own.value("gravel_dropped_scrapes_total", reason="limit") >= 2
    assert len(receiver.metrics().find("up")) == 1


def test_hostile_neighbours_do_not_stop_others(stand):
    """Pushes that are refused again and again, beside one that is not."""
    receiver = with_limits(stand, series=2000, series_per_family=1000)
    bodies = ["".join('many{i="%d"} 1\n' % i for i in range(1001)), "a{" + ",".join('l%d=""' % i for i in range(129)) + "} 1\n",
              "x" * 1025 + " 1\n", 'a{b="%s"} 1\n' % ("v" * 65537)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        refused = [pool.submit(lambda b: [receiver.push(b).code for _ in range(25)], b) for b in bodies]
        for _ in range(100):
            receiver.push_ok("# TYPE n counter\nn 1\n")
        assert [set(r.result()) for r in refused] == [{429}, {413}, {413}, {413}]
    assert receiver.served() == {"# TYPE n counter\nn 100\n"}
    assert all_limited(receiver) == {"series_per_family": 25, "labels_per_series": 25, "name_length": 25, "value_length": 25}
