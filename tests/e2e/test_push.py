# SPDX-License-Identifier: Apache-2.0
"""Pushes by HTTP: Gravel Gateway's walk-throughs, path labels, deletion, and what bad input gets."""
import base64
import concurrent.futures
import gzip
import re
import time

import pytest

from harness.expo import Exposition, check_histogram
from harness.http import curl, raw, request
from harness.wait import eventually


def curl_push(gateway, body, *path):
    code, text = curl("--data-binary", "@-", gateway.url + "/metrics" + "".join(path), stdin=body.encode())
    assert (code, text) == (200, "")


def curl_served(gateway):
    code, text = curl(gateway.url + "/metrics")
    assert code == 200
    return Exposition(text).without_own()


def b64(text, pad=False):
    coded = base64.urlsafe_b64encode(text.encode()).decode()
    return coded if pad else coded.rstrip("=")


# --- the three walk-throughs of Gravel Gateway's README, byte for byte but for the order of families ---

def test_walk_through_one_pushing_three_times(gateway):
    for _ in range(3):
        curl_push(gateway, "# TYPE value_total counter\nvalue_total 1\n# TYPE value2 gauge\nvalue2 1\n")
    assert curl_served(gateway) == {
        "# TYPE value_total counter\nvalue_total 3\n",
        "# TYPE value2 gauge\nvalue2 1\n",
    }


def test_walk_through_two_clearmodes(gateway):
    curl_push(gateway, '# TYPE value_total counter\nvalue_total 1\n# TYPE value2 gauge\nvalue2{clearmode="aggregate"} 1\n'
                       '# TYPE version gauge\nversion{version="0.0.1",clearmode="family"} 1\n')
    curl_push(gateway, '# TYPE value_total counter\nvalue_total 3\n# TYPE value2 gauge\nvalue2{clearmode="aggregate"} 1\n'
                       '# TYPE version gauge\nversion{version="0.0.2",clearmode="family"} 1\n')
    assert curl_served(gateway) == {
        '# TYPE version gauge\nversion{version="0.0.2"} 1\n',
        "# TYPE value2 gauge\nvalue2 2\n",
        "# TYPE value_total counter\nvalue_total 4\n",
    }


def test_walk_through_three_replacement(gateway):
    curl_push(gateway, '# TYPE value_total counter\nvalue_total 40\n# TYPE value2 gauge\nvalue2 40\n'
                       '# TYPE version gauge\nversion{version="0.0.1",arch="a"} 1\nversion{version="0.0.1",arch="b"} 1\n')
    # No newline at the end, as the shell's echo without one would send it.
    body = ('# TYPE value_total counter\nvalue_total{clearmode="replace"} 3\n# TYPE value2 gauge\n'
            'value2{clearmode="aggregate"} 1\n# TYPE version gauge\nversion{version="0.0.2",clearmode="family"} 1')
    for pushed in (1, 2):
        curl_push(gateway, body)
        assert curl_served(gateway) == {
            "# TYPE value_total counter\nvalue_total 3\n",
            "# TYPE value2 gauge\nvalue2 %d\n" % (40 + pushed),
            '# TYPE version gauge\nversion{version="0.0.2"} 1\n',
        }


# --- semantics ---

@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_post_and_put_are_alike(gateway, method):
    for _ in range(2):
        gateway.push_ok("# TYPE a counter\na 2\n# TYPE b gauge\nb 2\n", method=method)
    assert gateway.served() == {"# TYPE a counter\na 4\n", "# TYPE b gauge\nb 2\n"}


def test_defaults_by_type(gateway):
    body = ("# TYPE c counter\nc 1\n# TYPE g gauge\ng 1\nu 1\n"
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"
            "# TYPE s summary\ns{quantile=\"0.5\"} 7\ns_sum 3\ns_count 2\n")
    gateway.push_ok(body)
    gateway.push_ok(body)
    served = gateway.metrics()
    assert served.value("c") == 2
    assert served.value("g") == 1
    assert served.value("u") == 2
    assert served.value("h_bucket", le="1") == 2
    assert served.value("h_bucket", le="+Inf") == 4
    assert served.value("h_sum") == 6
    assert served.value("h_count") == 4
    assert served.value("s", quantile="0.5") == 7
    assert served.value("s_sum") == 6
    assert served.value("s_count") == 4


@pytest.mark.parametrize("word,expected", [
    ("aggregate", 3), ("sum", 3), ("replace", 2), ("family", 2), ("info", 2),
])
def test_clearmode_of_a_sample(gateway, word, expected):
    gateway.push_ok('# TYPE a gauge\na{clearmode="%s"} 1\n' % word)
    gateway.push_ok('# TYPE a gauge\na{clearmode="%s"} 2\n' % word)
    assert gateway.served() == {"# TYPE a gauge\na %d\n" % expected}


def test_clearmode_in_the_path_is_of_the_whole_push(gateway):
    for _ in range(2):
        gateway.push_ok("# TYPE c counter\nc 5\n# TYPE g gauge\ng 5\n", "/clearmode/replace/job/x")
    assert gateway.metrics().value("c", job="x") == 5
    assert "clearmode" not in gateway.get("/metrics").text


def test_family_keeps_what_other_jobs_pushed(gateway):
    gateway.push_ok('# TYPE v gauge\nv{version="1"} 1\n', "/job/a")
    gateway.push_ok('# TYPE v gauge\nv{version="1"} 1\n', "/job/b")
    gateway.push_ok('# TYPE v gauge\nv{version="2",clearmode="family"} 1\n', "/job/a")
    served = {(s.labels["job"], s.labels["version"]) for s in gateway.metrics().find("v")}
    assert served == {("a", "2"), ("b", "1")}
    gateway.push_ok('# TYPE v gauge\nv{version="3",clearmode="family"} 1\n')
    assert [s.labels for s in gateway.metrics().find("v")] == [{"version": "3"}]


def test_path_labels(gateway):
    gateway.push_ok("a 1\n", "/job/x/instance/y")
    assert [s.labels for s in gateway.metrics().find("a")] == [{"job": "x", "instance": "y"}]


def test_path_labels_override_those_of_the_body(gateway):
    gateway.push_ok('a{job="body",other="o"} 1\n', "/job/path")
    assert [s.labels for s in gateway.metrics().find("a")] == [{"job": "path", "other": "o"}]


@pytest.mark.parametrize("segment,value", [
    ("job@base64/" + b64("/var/tmp"), "/var/tmp"),
    ("job@base64/" + b64("a", pad=True), "a"),
    ("job@base64/" + b64("ä?>"), "ä?>"),
    ("job/a%20b%2Fc", "a b/c"),
    ("job/%22%5C", '"\\'),
])
def test_path_label_values(gateway, segment, value):
    gateway.push_ok("a 1\n", "/" + segment)
    assert gateway.metrics().find("a")[0].labels == {"job": value}


def test_empty_base64_is_an_empty_label_which_is_none(gateway):
    gateway.push_ok("a 1\n", "/job/x/instance@base64/=")
    assert gateway.metrics().find("a")[0].labels == {"job": "x"}


@pytest.mark.parametrize("path", ["/job", "/job/x/instance", "/1job/x", "/job@base64/!!!", "/job@base64/_w"])
def test_bad_path_is_400(gateway, path):
    answer = gateway.push("a 1\n", path)
    assert answer.code == 400, answer
    assert answer.text.strip()
    assert gateway.served() == set()


def test_delete(gateway):
    for path in ("/job/x", "/job/x/instance/1", "/job/x/instance/2", "/job/y"):
        gateway.push_ok("a 1\n", path)
    assert gateway.push(None, "/job/x/instance/1", method="DELETE").code in (200, 202)
    left = [s.labels for s in gateway.metrics().find("a")]
    assert {"job": "x", "instance": "1"} not in left
    assert len(left) == 3
    # A part of the key: every group that has it.
    assert gateway.push(None, "/job/x", method="DELETE").code in (200, 202)
    assert [s.labels for s in gateway.metrics().find("a")] == [{"job": "y"}]


def test_a_deleted_counter_starts_anew(gateway):
    gateway.push_ok("# TYPE a counter\na 5\n", "/job/x")
    gateway.push(None, "/job/x", method="DELETE")
    gateway.push_ok("# TYPE a counter\na 1\n", "/job/x")
    assert gateway.metrics().value("a", job="x") == 1


def test_help_newest_non_empty_wins(gateway):
    gateway.push_ok("# HELP a first\n# TYPE a gauge\na 1\n")
    gateway.push_ok("# HELP a second\n# TYPE a gauge\na 1\n")
    gateway.push_ok("# TYPE a gauge\na 1\n")
    assert gateway.served() == {"# HELP a second\n# TYPE a gauge\na 1\n"}


def test_gzip_both_ways(gateway):
    body = "".join("series{n=\"%d\"} 1\n" % i for i in range(500))
    gateway.push_ok(gzip.compress(body.encode()), headers={"Content-Encoding": "gzip"})
    answer = gateway.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    text = gzip.decompress(answer.body).decode()
    assert len(Exposition(text).find("series")) == 500
    assert "Content-Encoding" not in gateway.get("/metrics").headers


def test_content_type_of_the_exposition(gateway):
    answer = gateway.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8; escaping=values"
    assert answer.headers.get_all("Vary") == ["Accept, Accept-Encoding"]


PROMETHEUS_3 = ("application/openmetrics-text;version=1.0.0;escaping=%s;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
                "text/plain;version=1.0.0;escaping=%s;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
UTF8_BODY = "# TYPE \"http.requests\" counter\n{\"http.requests\",\"http.route\"=\"/a\"} 5\n"
ESCAPED_BODY = "# TYPE U__http_2e_requests counter\nU__http_2e_requests{U__http_2e_route=\"/a\"} 5\n"


def test_names_in_quotes_are_served_to_who_reads_them(gateway):
    gateway.push_ok(UTF8_BODY)
    for accept, kind, body in (
            ("text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain; version=1.0.0", UTF8_BODY),
            # A counter whose name does not end in _total is none to OpenMetrics.
            (PROMETHEUS_3 % ("allow-utf-8", "allow-utf-8"), "application/openmetrics-text; version=1.0.0",
             UTF8_BODY.replace("counter", "unknown") + "# EOF\n")):
        answer = gateway.get("/metrics?name[]=http.requests", headers={"Accept": accept})
        assert answer.headers["Content-Type"] == kind + "; charset=utf-8; escaping=allow-utf-8"
        assert answer.body.decode() == body


@pytest.mark.parametrize("accept", ["*/*", PROMETHEUS_3 % ("underscores", "underscores"), "text/plain;escaping=dots"])
def test_names_in_quotes_are_escaped_for_all_others(gateway, accept):
    gateway.push_ok(UTF8_BODY)
    answer = gateway.get("/metrics?name[]=http.requests", headers={"Accept": accept})
    strict = accept.startswith("application/openmetrics-text")
    assert answer.headers["Content-Type"] == "%s; charset=utf-8; escaping=values" % (
        "application/openmetrics-text; version=1.0.0" if strict else "text/plain; version=0.0.4")
    assert answer.body.decode() == (ESCAPED_BODY.replace("counter", "unknown") + "# EOF\n" if strict else ESCAPED_BODY)


def test_families_are_asked_for_by_any_of_their_names_and_served_once(gateway):
    gateway.push_ok(UTF8_BODY)
    query = "&".join("name[]=" + name for name in ("http.requests", "U__http_2e_requests", "none", "http.requests"))
    assert gateway.get("/metrics?" + query).body.decode() == ESCAPED_BODY
    assert gateway.get("/metrics?name[]=U__http_2e_requests").body.decode() == ESCAPED_BODY
    assert gateway.get("/metrics?name[]=http_requests").body.decode() == ""


def test_integers_print_without_exponent_up_to_2_53(gateway):
    gateway.push_ok("# TYPE a counter\na 9007199254740991\n# TYPE b gauge\nb 1e6\n# TYPE c gauge\nc 0.1\n")
    gateway.push_ok("# TYPE a counter\na 1\n")
    assert gateway.served() == {"# TYPE a counter\na 9007199254740992\n", "# TYPE b gauge\nb 1000000\n",
                                "# TYPE c gauge\nc 0.1\n"}


def test_timestamps_order_replace_and_are_not_served(gateway):
    now = int(time.time() * 1000)
    gateway.push_ok("# TYPE a gauge\na 1 %d\n" % now)
    gateway.push_ok("# TYPE a gauge\na 2 %d\n" % (now - 60000))
    assert gateway.served() == {"# TYPE a gauge\na 1\n"}
    assert gateway.own().total("gravel_dropped_samples_total") == 1
    gateway.push_ok("# TYPE a gauge\na 3 %d\n" % (now + 1))
    assert gateway.served() == {"# TYPE a gauge\na 3\n"}


def test_empty_push_changes_nothing(gateway):
    gateway.push_ok("")
    gateway.push_ok("# HELP nothing here\n# TYPE nothing gauge\n")
    assert gateway.metrics().find("nothing") == []


def test_pushes_side_by_side_count_each_exactly_once(gateway):
    body = "# TYPE a counter\na 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 0.5\nh_count 1\n"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda i: gateway.push(body, "/job/j%d" % (i % 4)).code, range(400)))
    assert codes == [200] * 400
    served = gateway.metrics()
    assert served.total("a") == 400
    for i in range(4):
        assert served.value("a", job="j%d" % i) == 100
        assert check_histogram(served, "h", job="j%d" % i) == {1: 100, float("inf"): 100}
    assert gateway.own().value("gravel_pushes_total", code="200") == 400


def test_requests_are_counted_by_path_and_code(gateway):
    gateway.push_ok("a 1\n")
    for path in ("/metrics", "/nothing", "/nothing/else"):
        gateway.get(path)
    own = gateway.own()
    assert own.value("gravel_http_requests_total", path="/metrics", code="200") >= 2
    missed = [s for s in own.find("gravel_http_requests_total", code="404")]
    assert sum(s.value for s in missed) == 2 and len(missed) == 1, "paths that clients choose must not become series"


# --- pebbles ---

def test_sum_and_mean_pebbles_expire_without_traffic(gateway):
    for v in (1, 3):
        gateway.push_ok('# TYPE s counter\ns{clearmode="sum3s"} %d\n# TYPE m gauge\nm{clearmode="mean3s"} %d\n' % (v, v))
    served = gateway.metrics()
    assert served.value("s") == 4
    assert served.value("m") == 2

    def empty():
        served = gateway.metrics()
        return not served.find("m") and served.value("s") == 0
    eventually(empty, 10, what="the window is empty")
    gateway.push_ok('# TYPE s counter\ns{clearmode="sum3s"} 5\n')
    assert gateway.metrics().value("s") == 5


def test_a_pebble_stays_one_until_told_otherwise(gateway):
    gateway.push_ok('# TYPE g gauge\ng{clearmode="sum1m"} 1\n')
    gateway.push_ok("# TYPE g gauge\ng 1\n")
    assert gateway.metrics().value("g") == 2
    gateway.push_ok('# TYPE g gauge\ng{clearmode="replace"} 7\n')
    gateway.push_ok("# TYPE g gauge\ng 8\n")
    assert gateway.metrics().value("g") == 8


# --- bad input ---

@pytest.mark.parametrize("body,line,column", [
    ("a 1\nb x\n", 2, 3),
    ("a{b=\"c\" 1\n", 1, None),
    ("a{b=\"c\n\"} 1\n", 1, None),
    ("a{b=c} 1\n", 1, 5),
    ("{a=\"b\"} 1\n", 1, None),
    ("1a 1\n", 1, 1),
    ("ok 1\n\n# a comment\na{b=\"1\",b=\"2\"} 1\n", 4, None),
    ("a 1 2 3\n", 1, None),
    ("a\n", 1, None),
    ("# TYPE a counter\n# TYPE a gauge\na 1\n", 2, None),
    ("# TYPE a nothing\na 1\n", 1, None),
    ("<html><body>no</body></html>\n", 1, 1),
])
def test_what_does_not_parse_is_400_with_its_place_and_stores_nothing(gateway, body, line, column):
    gateway.push_ok("before 1\n")
    before = gateway.served()
    answer = gateway.push("first 1\n" + body)
    assert answer.code == 400
    assert answer.headers["Content-Type"].startswith("text/plain")
    m = re.match(r"^(\d+):(\d+): \S.*\n?$", answer.text)
    assert m, answer.text
    assert int(m.group(1)) == line + 1
    if column:
        assert int(m.group(2)) == column
    assert gateway.served() == before
    assert gateway.own().value("gravel_pushes_total", code="400") == 1


@pytest.mark.parametrize("body", [
    "a 1\na 2\n",
    'a{x="1",y="2"} 1\na{y="2",x="1"} 2\n',
    'a{clearmode="sum"} 1\na{clearmode="replace"} 2\n',
])
def test_duplicate_series_in_one_push(gateway, body):
    answer = gateway.push("first 1\n" + body)
    assert answer.code == 400
    assert answer.text.startswith("3:")
    assert gateway.served() == set()


def test_path_labels_can_make_duplicates(gateway):
    assert gateway.push('a{job="1"} 1\na{job="2"} 1\n', "/job/x").code == 400
    assert gateway.served() == set()


def test_type_conflict_with_what_is_stored(gateway):
    gateway.push_ok("# TYPE a counter\na 1\n")
    answer = gateway.push("first 1\n# TYPE a gauge\na 1\n")
    assert answer.code == 400
    assert re.match(r"^\d+:\d+: ", answer.text), answer.text
    assert "counter" in answer.text and "gauge" in answer.text
    assert gateway.served() == {"# TYPE a counter\na 1\n"}


def test_unknown_clearmode_lists_the_valid_ones(gateway):
    answer = gateway.push('first 1\na{clearmode="agregate"} 1\n')
    assert answer.code == 400
    assert re.match(r"^2:[1-9]\d*: ", answer.text), answer.text
    assert 'a{clearmode="agregate"}' in answer.text
    for word in ("aggregate", "sum", "replace", "family", "info", "mean"):
        assert word in answer.text
    assert gateway.served() == set()


@pytest.mark.parametrize("word", ["sum", "sum5", "mean", "mean0s", "sum-5s", "sum5s5", "Sum5s", "", "mean5parsecs"])
def test_pebble_spellings(gateway, word):
    if word == "sum":
        gateway.push_ok('a{clearmode="sum"} 1\n')
    else:
        assert gateway.push('a{clearmode="%s"} 1\n' % word).code == 400


def test_label_that_is_not_utf8(gateway):
    answer = gateway.push(b'first 1\na{b="\xff\xfe"} 1\n')
    assert answer.code == 400
    assert answer.text.startswith("2:")
    assert gateway.served() == set()


def test_path_label_that_is_not_utf8(gateway):
    assert gateway.push("a 1\n", "/job/%ff").code == 400
    assert gateway.served() == set()


def test_utf8_label_is_kept(gateway):
    gateway.push_ok('a{b="grün\\n\\"\\\\"} 1\n')
    assert gateway.metrics().find("a")[0].labels == {"b": 'grün\n"\\'}


def test_nul_bytes_are_refused(gateway):
    assert gateway.push(b'a{b="\x00"} 1\n\x00').code in (200, 400)
    assert gateway.push(b"\x00\x00\x00").code == 400
    gateway.metrics()


@pytest.mark.parametrize("method,path", [("PATCH", "/metrics"), ("OPTIONS", "/metrics"), ("POST", "/telemetry")])
def test_unknown_method_is_405_with_allow(gateway, method, path):
    answer = request(gateway.url + path, method)
    assert answer.code == 405
    allowed = [m.strip() for m in answer.headers["Allow"].split(",")]
    assert "GET" in allowed and method not in allowed
    if path == "/metrics":
        assert {"POST", "PUT"} <= set(allowed)


def test_get_is_not_for_groups(gateway):
    assert request(gateway.url + "/metrics/job/x").code in (404, 405)


def test_unknown_path_is_404(gateway):
    assert request(gateway.url + "/nothing/here").code == 404


def test_body_over_the_limit_is_413(stand):
    receiver = stand.receiver(receiver={"limits": {"push_body": 2000}})
    assert receiver.push("#" + "x" * 1900 + "\na 1\n").code == 200
    answer = receiver.push("#" + "x" * 2100 + "\nb 1\n")
    assert answer.code == 413
    # Small on the wire, large when unpacked.
    bomb = gzip.compress(b"#" + b"x" * 1000000 + b"\nb 1\n")
    assert len(bomb) < 2000
    assert receiver.push(bomb, headers={"Content-Encoding": "gzip"}).code == 413
    # Without a Content-Length.
    chunk = b"7d0\r\n" + b"#" * 2000 + b"\r\n"
    got = raw(receiver.port, b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3 + b"0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 413"), got
    assert receiver.served() == {"# TYPE a untyped\na 1\n"}


@pytest.mark.parametrize("encoding,code", [("gzip", 400), ("br", 415)])
def test_broken_and_unknown_content_encodings(gateway, encoding, code):
    answer = gateway.push("a 1\n", headers={"Content-Encoding": encoding})
    assert answer.code == code
    assert gateway.served() == set()


def test_head_and_keep_alive(gateway):
    assert request(gateway.url + "/metrics", "HEAD").body == b""
    got = raw(gateway.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert got.count(b"HTTP/1.1 200") == 2 and got.count(b"HTTP/1.1 404") == 1


@pytest.mark.parametrize("request_bytes", [
    b"\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 4000, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\na 1\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 8\r\n\r\na 1\nb 1\n",
    b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics/%zz%00 HTTP/1.1\r\nHost: x\r\n\r\n",
], ids=["empty", "no path", "binary", "endless length", "half a body", "two lengths", "long path", "bad escapes"])
def test_broken_requests_leave_the_server_whole(gateway, request_bytes):
    got = raw(gateway.port, request_bytes, timeout=2)
    assert not got.startswith(b"HTTP/1.1 200"), got[:200]
    assert gateway.served() == set()


def test_own_metrics_count_pushes(gateway):
    gateway.push_ok("a 1\n")
    gateway.push("a x\n")
    own = gateway.own()
    assert own.value("gravel_pushes_total", code="200") == 1
    assert own.value("gravel_pushes_total", code="400") == 1
    assert own.value("gravel_applied_samples_total", source="push") == 1
    assert own.names_without_own() == set()
    assert own.value("gravel_store_series") >= 1


def test_pushed_names_cannot_take_those_of_our_own_metrics(gateway):
    answer = gateway.push("# TYPE gravel_pushes_total gauge\ngravel_pushes_total{code=\"200\"} 77\n")
    served = gateway.metrics()  # which fails on a duplicate or a split family
    assert answer.code == 400 or served.value("gravel_pushes_total", code="200") != 77


def test_expiration_removes_what_is_not_renewed(stand):
    receiver = stand.receiver(receiver={"expiration": "2s"})
    receiver.push_ok("gone 1\n", "/job/a")
    receiver.push_ok("kept 1\n", "/job/b")
    def renewed():
        receiver.push_ok("kept 1\n", "/job/b")
        return not receiver.metrics().find("gone")
    eventually(renewed, 10, every=0.3)
    assert receiver.metrics().find("kept")
    assert receiver.own().value("gravel_expired_series_total") == 1
