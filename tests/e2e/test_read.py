# SPDX-License-Identifier: Apache-2.0
"""Reading: selectors beside a real Prometheus, encodings beside other people's decoders, many readers, readers that leave."""
import gzip
import http.client
import json
import socket
import subprocess
import threading
import urllib.parse
import zlib

import pytest

from harness import http as web
from harness.expo import Exposition
from harness.wait import eventually

BODY = """# TYPE t_requests_total counter
t_requests_total{job="a",instance="x:1",code="200",method="get"} 1
t_requests_total{job="a",instance="x:1",code="503",method="get"} 2
t_requests_total{job="b",instance="y:1",code="200",method="post"} 3
t_requests_total{job="b",instance="y:1",code="404"} 4
# TYPE t_seconds histogram
t_seconds_bucket{job="a",instance="x:1",le="0.1"} 1
t_seconds_bucket{job="a",instance="x:1",le="+Inf"} 2
t_seconds_sum{job="a",instance="x:1"} 3
t_seconds_count{job="a",instance="x:1"} 2
# TYPE t_quantiles summary
t_quantiles{job="b",instance="y:1",quantile="0.5"} 1
t_quantiles_sum{job="b",instance="y:1"} 3
t_quantiles_count{job="b",instance="y:1"} 2
# TYPE t_odd gauge
t_odd{job="c d",instance="z",path="C:\\\\dir",say="a \\"word\\"",lines="one\\ntwo",umlaut="\u00e4\u00f6"} 7
t_odd{job="c d",instance="z",path="",say="$1.50 (x|y)"} 8
# TYPE t:rule gauge
t:rule{job="a",instance="x:1"} 9
"""

# Each is asked of both, and must select the same series; None where both refuse it.
SELECTORS = [
    "t_requests_total",
    "t_requests_total{}",
    " t_requests_total { code = \"200\" } ",
    "t:rule",
    "{__name__=\"t:rule\"}",
    "t_requests_total{code=\"200\"}",
    "t_requests_total{code='200'}",
    "t_requests_total{code=`200`}",
    "t_requests_total{code!=\"200\"}",
    "t_requests_total{code=~\"200|404\"}",
    "t_requests_total{code=~\"20\"}",
    "t_requests_total{code=~\"2..\"}",
    "t_requests_total{code=~\"^2..$\"}",
    "t_requests_total{code!~\"2..\"}",
    "t_requests_total{code!~\"2..\",code!~\"5..\"}",
    "t_requests_total{code=~\"\"}",
    "t_requests_total{method=\"\"}",
    "t_requests_total{method!=\"\"}",
    "t_requests_total{method=~\".*\"}",
    "t_requests_total{method=~\".+\"}",
    "t_requests_total{method!~\"get\"}",
    "t_requests_total{method!~\".+\"}",
    "t_requests_total{method=~\"|post\"}",
    "t_requests_total{method=~\"(?i)GET\"}",
    "t_requests_total{method=~\"(?:g|p)[eo]s?t\"}",
    "t_requests_total{method=~\"\\\\w{3}\"}",
    "t_requests_total{method=~`\\w{3}`}",
    "t_requests_total{code=~\"[[:digit:]]+\",job=\"a\"}",
    "t_requests_total{code=~\"\\\\d+\"}",
    "t_requests_total{job=\"a\",}",
    "t_requests_total{job=\"a\",nothere=\"\"}",
    "t_requests_total{job=\"a\",nothere!=\"\"}",
    "t_requests_total{job=\"a\",job=\"b\"}",
    "{__name__=~\"t_.*\"}",
    "{__name__=~\"t_seconds_.*\",job=\"a\"}",
    "{__name__=~\"t_(seconds|quantiles)_(sum|count)\"}",
    "{__name__!~\"t_.*\",job=\"a\",code!=\"\"}",
    "{__name__=~\"t_.*\",__name__!=\"t_odd\",__name__!~\".*_total\"}",
    "{job=\"b\"}",
    "{job=\"b\",le=\"\",quantile=\"\"}",
    "{job!=\"a\",job!=\"\",instance=~\"[yz].*\"}",
    "t_seconds",
    "t_seconds_bucket",
    "t_seconds_bucket{le=\"0.1\"}",
    "t_seconds_bucket{le!=\"+Inf\"}",
    "t_seconds_bucket{le=~\"\\\\+Inf\"}",
    "t_seconds_sum",
    "t_seconds_count{le=\"\"}",
    "t_quantiles",
    "t_quantiles{quantile=\"0.5\"}",
    "t_quantiles_count",
    "{le=~\".+\"}",
    "{quantile!=\"\"}",
    "t_odd{path=\"C:\\\\dir\"}",
    "t_odd{path='C:\\\\dir'}",
    "t_odd{path=`C:\\dir`}",
    "t_odd{say=\"a \\\"word\\\"\"}",
    "t_odd{say='a \"word\"'}",
    "t_odd{say=~\"a .word.\"}",
    "t_odd{say=\"$1.50 (x|y)\"}",
    "t_odd{say=~\"\\\\$1\\\\.50 \\\\(x\\\\|y\\\\)\"}",
    "t_odd{say=~\"\\\\Q$1.50 (x|y)\\\\E\"}",
    "t_odd{lines=\"one\\ntwo\"}",
    "t_odd{lines=\"one\\x0atwo\"}",
    "t_odd{lines=\"one\\012two\"}",
    "t_odd{lines=~\"one\\\\stwo\"}",
    "t_odd{lines=~\"one\"}",
    "t_odd{lines=`one\ntwo`}",
    "t_odd{umlaut=\"\u00e4\u00f6\"}",
    "t_odd{umlaut=\"\\u00e4\\U000000f6\"}",
    "t_odd{umlaut=\"\\xc3\\xa4\\303\\266\"}",
    "t_odd{umlaut=~\"..\"}",
    "t_odd{umlaut=~\"\\\\pL+\"}",
    "t_odd{umlaut=~\"(?i)\u00c4\u00d6\"}",
    "t_odd{path!~\".+\"}",
    "t_odd # which\n{job=\"c d\"}",
    "{job=\"c d\", # the job\n path=\"\"}",
    "t_nothere",
    "{nothere=\"x\"}",
    "t_requests_total{__name__=\"t_requests_total\"}",
    "t_requests_total{__name__=\"t_odd\"}",
    # Refused
    "",
    " ",
    "{}",
    "{job=\"\"}",
    "{job=~\".*\"}",
    "{job!=\"a\"}",
    "{job!~\"a\"}",
    "{job=~\"a*\",code!~\"x\"}",
    "{nothere=~\"\",code=~\"(|200)\"}",
    "t_odd{",
    "t_odd}",
    "t_odd{path}",
    "t_odd{path=}",
    "t_odd{path=C}",
    "t_odd{path==\"C\"}",
    "t_odd{path~\"C\"}",
    "t_odd{path!\"C\"}",
    "t_odd{path=!\"C\"}",
    "t_odd{\"C\"=}",
    "t_odd{path=\"C}",
    "t_odd{path='C\"}",
    "t_odd{path=\"C\nD\"}",
    "t_odd{path=\"\\q\"}",
    "t_odd{path=\"\\'\"}",
    "t_odd{path='\\\"'}",
    "t_odd{path=\"\\x4\"}",
    "t_odd{path=\"\\400\"}",
    "t_odd{path=\"\\ud800\"}",
    "t_odd{path=\"C\" say=\"x\"}",
    "t_odd{path=\"C\",,}",
    "t_odd{,}",
    "t_odd{t:x=\"C\"}",
    "t_odd{path=~\"(\"}",
    "t_odd{path=~\"*\"}",
    "t_odd{path=~\"a{2,1}\"}",
    "t_odd{path=~\"[b-a]\"}",
    "t_odd[5m]",
    "t_odd offset 5m",
    "t_odd + t_odd",
    "sum(t_odd)",
    "t_odd t_odd",
    "1t_odd",
    "5",
    "\"t_odd\"",
]


def series_of(labels):
    return tuple(sorted((k, v) for k, v in labels.items() if v != ""))


def ours(gateway, *selectors):
    """The series that these selectors select here, or None where one is refused."""
    answer = gateway.get("/metrics?" + urllib.parse.urlencode([("match[]", s) for s in selectors]))
    assert answer.code in (200, 400), answer
    if answer.code == 400:
        assert answer.text.startswith("match[] "), answer
        return None
    samples = Exposition(answer.text).samples
    found = [series_of({**s.labels, "__name__": s.name}) for s in samples]
    assert len(found) == len(set(found))
    return {s for s in found if dict(s)["__name__"].startswith("t")}


def theirs(prometheus, *selectors):
    answer = prometheus.get("/api/v1/series?" + urllib.parse.urlencode([("match[]", s) for s in selectors]))
    assert answer.code in (200, 400), answer
    if answer.code == 400:
        return None
    found = [series_of(labels) for labels in json.loads(answer.text)["data"]]
    return {s for s in found if dict(s)["__name__"].startswith("t")}


@pytest.mark.long
def test_selectors_select_what_prometheus_selects(stand):
    gateway = stand.receiver()
    gateway.push_ok(BODY)
    prometheus = stand.prometheus(gateway.address)
    eventually(lambda: theirs(prometheus, "{__name__=~\"t.*\"}") == ours(gateway, "{__name__=~\"t.*\"}"), 30)
    assert len(ours(gateway, "{__name__=~\"t.*\"}")) == 14
    differences = [(s, ours(gateway, s), theirs(prometheus, s)) for s in SELECTORS
                   if ours(gateway, s) != theirs(prometheus, s)]
    assert not differences, differences
    # Not all of them say the same.
    refused = [s for s in SELECTORS if ours(gateway, s) is None]
    assert 30 < len(refused) < len(SELECTORS) - 60
    for pair in (("t_odd", "t:rule"), ("t_odd", "t_odd{path=\"\"}"), ("t_seconds_sum", "{job=\"a\"}"), ("t_odd", "{}")):
        assert ours(gateway, *pair) == theirs(prometheus, *pair), pair


def test_what_is_wrong_with_a_selector(gateway):
    answer = gateway.get("/metrics?" + urllib.parse.urlencode({"match[]": "up{job=a}"}))
    assert (answer.code, answer.text) == (400, "match[] up{job=a}: 1:8: expected a value in quotes, not a\n")
    # One that does not end soon does not run for long either.
    gateway.push_ok("m{x=\"%sc\"} 1\n" % ("a" * 60))
    answer = gateway.get("/metrics?" + urllib.parse.urlencode({"match[]": "{x=~\"(a+a+)+[bd]\"}"}))
    assert (answer.code, answer.text) == (400, "the regular expressions of match[] take too long\n")


def test_names_and_selectors_together(gateway):
    gateway.push_ok(BODY)
    query = urllib.parse.urlencode([("name[]", "t_odd"), ("name[]", "none"), ("match[]", "t_seconds_bucket{le=\"0.1\"}"),
                                    ("match[]", "{job=\"b\",code=\"404\"}")])
    assert gateway.get("/metrics?" + query).text == (
        "# TYPE t_odd gauge\n"
        "t_odd{instance=\"z\",job=\"c d\",lines=\"one\\ntwo\",path=\"C:\\\\dir\",say=\"a \\\"word\\\"\",umlaut=\"\u00e4\u00f6\"} 7\n"
        "t_odd{instance=\"z\",job=\"c d\",say=\"$1.50 (x|y)\"} 8\n"
        "# TYPE t_requests_total counter\n"
        "t_requests_total{instance=\"y:1\",job=\"b\",code=\"404\"} 4\n"
        "# TYPE t_seconds histogram\n"
        "t_seconds_bucket{instance=\"x:1\",job=\"a\",le=\"0.1\"} 1\n")


def large_body(families=40, series=800):
    return "".join("# TYPE big_%02d gauge\n" % f + "".join(
        "big_%02d{job=\"j\",instance=\"host-%04d.example.org:9100\",note=\"%d\"} %d\n" % (f, s, s * 7919 % 1000, f * s)
        for s in range(series)) for f in range(families))


def big(text):
    return [line for line in text.split("\n") if line.startswith(("big_", "# TYPE big_"))]


def test_every_encoding_holds_the_same(stand, gateway):
    body = large_body()
    gateway.push_ok(body)
    plain = gateway.get("/metrics")
    assert "Content-Encoding" not in plain.headers
    expected = big(plain.text)
    assert len(expected) == 40 * 801
    for _ in range(2):
        zipped = gateway.get("/metrics", headers={"Accept-Encoding": "gzip"})
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert big(gzip.decompress(zipped.body).decode()) == expected
        # One member, and nothing behind it: what reads only one reads all.
        inflater = zlib.decompressobj(31)
        assert big(inflater.decompress(zipped.body).decode()) == expected
        assert inflater.eof and inflater.unused_data == b""
        assert len(zipped.body) < len(plain.body) / 5
        packed = gateway.get("/metrics", headers={"Accept-Encoding": "zstd"})
        assert packed.headers["Content-Encoding"] == "zstd"
        done = subprocess.run(["zstd", "-dc"], input=packed.body, stdout=subprocess.PIPE, check=True)
        assert big(done.stdout.decode()) == expected
    for extra in ([], ["--http1.0"]):
        done = subprocess.run(["curl", "-sSf", "--compressed", *extra, gateway.url + "/metrics"],
                              stdout=subprocess.PIPE, check=True)
        assert big(done.stdout.decode()) == expected


def test_what_a_reader_takes(gateway):
    gateway.push_ok(large_body(2, 100))
    cases = {"identity;q=0, gzip;q=0.1": "gzip", "zstd, gzip;q=0.5": "zstd", "br": None, "gzip;q=0": None, "*": "gzip",
             "*;q=0, zstd": "zstd"}
    for accept, encoding in cases.items():
        answer = gateway.get("/metrics", headers={"Accept-Encoding": accept})
        assert (answer.code, answer.headers.get("Content-Encoding")) == (200, encoding), accept
        assert answer.headers.get_all("Vary") == ["Accept, Accept-Encoding"]
    for accept in ("*;q=0", "identity;q=0", "br, identity;q=0"):
        assert gateway.get("/metrics", headers={"Accept-Encoding": accept}).code == 406


@pytest.mark.parametrize("query", ["", "?name[]=big_01", "?match[]=big_01", "?name[]=none", "?match[]=5"])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_head_has_the_headers_of_get(gateway, query, encoding):
    gateway.push_ok(large_body(20))
    both = [web.request(gateway.url + "/metrics" + query, method, headers={"Accept-Encoding": encoding})
            for method in ("GET", "HEAD")]
    assert both[0].code == both[1].code
    assert both[1].body == b""
    names = [sorted(name for name in answer.headers if name != "Date") for answer in both]
    assert names[0] == names[1]
    for name in names[0]:
        # Of own metrics numbers differ, and so lengths.
        if name != "Content-Length" or query:
            assert both[0].headers[name] == both[1].headers[name], name


def test_an_unchanged_store_is_not_rendered_again(gateway):
    gateway.push_ok(large_body())
    accept = {"Accept-Encoding": "gzip"}
    gateway.get("/metrics", headers=accept)
    before = Exposition(gateway.get("/telemetry").text)
    for _ in range(10):
        gateway.get("/metrics", headers=accept)
    after = Exposition(gateway.get("/telemetry").text)
    misses = after.value("gravel_render_misses_total") - before.value("gravel_render_misses_total")
    hits = after.value("gravel_render_hits_total") - before.value("gravel_render_hits_total")
    # Own metrics are new each time: a piece or a few of small families. The others are 40 large ones.
    assert misses <= 10 * 4
    assert hits >= 10 * 38
    assert 0 < after.value("gravel_render_bytes") < 64 * 1024 * 1024


@pytest.mark.long
def test_what_was_pushed_is_in_every_scrape_that_follows(gateway):
    gateway.push_ok(large_body(10))
    failures = []
    done = threading.Event()

    def scrape(encoding):
        while not done.is_set():
            answer = gateway.get("/metrics", headers={"Accept-Encoding": encoding})
            text = gzip.decompress(answer.body) if encoding == "gzip" else answer.body
            try:
                Exposition(text.decode())
            except AssertionError as e:
                failures.append(e)

    threads = [threading.Thread(target=scrape, args=(e,)) for e in ("gzip", "identity", "gzip")]
    for thread in threads:
        thread.start()
    try:
        for i in range(60):
            gateway.push_ok("# TYPE big_05 gauge\nbig_05{job=\"new\"} %d\nmine_%d 1\n" % (i, i % 7))
            text = gzip.decompress(gateway.get("/metrics", headers={"Accept-Encoding": "gzip"}).body).decode()
            assert "\nbig_05{job=\"new\"} %d\n" % i in text
            assert "\nmine_%d " % (i % 7) in text
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_readers_that_leave_and_readers_that_are_slow(gateway):
    gateway.push_ok(large_body(60, 2000))
    request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\n\r\n"
    readers = []
    for encoding in (b"identity", b"gzip", b"zstd") * 8:
        s = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(request % encoding)
        assert s.recv(100)
        readers.append(s)
    # Others are served meanwhile, and pushes are taken.
    assert len(big(gateway.get("/metrics").text)) == 60 * 2001
    gateway.push_ok("big_00{job=\"new\"} 1\n")
    for s in readers[::2]:
        s.close()
    assert "big_00{job=\"new\"} 1\n" in gateway.get("/metrics?name[]=big_00").text
    for s in readers[1::2]:
        s.close()

    def only_what_is_kept_is_left():
        return gateway.own().value("gravel_render_bytes") < 10e6
    eventually(only_what_is_kept_is_left)


def test_a_long_answer_comes_in_chunks_and_a_short_one_with_its_length(gateway):
    gateway.push_ok(large_body())
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    for path, chunked in (("/metrics", True), ("/metrics?name[]=big_01", False), ("/metrics", True)):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.getheader("Transfer-Encoding") == ("chunked" if chunked else None), path
        assert (answer.getheader("Content-Length") is None) == chunked
        assert answer.read().decode().count("\nbig_01{") == 800
    connection.close()
