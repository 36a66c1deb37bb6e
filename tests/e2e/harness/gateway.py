# SPDX-License-Identifier: Apache-2.0
"""Requests that a Pushgateway and our dialect of it are asked alike: the table of test_pushgateway.py."""
import base64
import gzip
import struct

PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM = range(5)


# --- the protobuf exposition, as much of it as is pushed here ---

def varint(n):
    out = b""
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """A double, a whole number or bytes."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def metric(value, labels=(), timestamp=None):
    """value: the fields of the value, as (number of it in Metric, bytes)."""
    out = b"".join(field(1, field(1, k) + field(2, v)) for k, v in labels)
    out += field(value[0], value[1])
    return field(4, out + (field(6, timestamp) if timestamp is not None else b""))


def family(name, kind, *metrics, help_=None):
    body = field(1, name) + (field(2, help_) if help_ is not None else b"") + field(3, kind) + b"".join(metrics)
    return varint(len(body)) + body


def gauge(value, labels=(), timestamp=None):
    return metric((2, field(1, float(value))), labels, timestamp)


def counter(value, labels=()):
    return metric((3, field(1, float(value))), labels)


def untyped(value, labels=()):
    return metric((5, field(1, float(value))), labels)


def summary(count, sum_, quantiles, labels=()):
    value = field(1, count) + field(2, float(sum_))
    return metric((4, value + b"".join(field(3, field(1, float(q)) + field(2, float(v))) for q, v in quantiles)), labels)


def histogram(count, sum_, buckets, labels=()):
    value = field(1, count) + field(2, float(sum_))
    return metric((7, value + b"".join(field(3, field(1, c) + field(2, float(le))) for le, c in buckets)), labels)


# --- the table ---

def b64(text):
    data = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Step:
    def __init__(self, method, path, body=None, headers=None):
        self.method = method
        self.path = path
        self.body = body.encode("utf-8") if isinstance(body, str) else body
        self.headers = headers or {}


def put(path, body="a 1\n", **headers):
    return Step("PUT", "/metrics" + path, body, {k.replace("_", "-"): v for k, v in headers.items()})


def post(path, body="a 1\n", **headers):
    return Step("POST", "/metrics" + path, body, {k.replace("_", "-"): v for k, v in headers.items()})


def delete(path):
    return Step("DELETE", "/metrics" + path)


def get(path):
    return Step("GET", path)


H1 = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n'
H2 = '# TYPE h histogram\nh_bucket{le="5"} 7\nh_bucket{le="+Inf"} 9\nh_sum 4\nh_count 9\n'
S1 = '# TYPE s summary\ns{quantile="0.5"} 7\ns{quantile="0.9"} 8\ns_sum 3\ns_count 2\n'

CASES = {
    # methods
    "put": [put("/job/x")],
    "post": [post("/job/x")],
    "delete of nothing": [delete("/job/x")],
    "put, then delete": [put("/job/x"), delete("/job/x")],
    "put, then delete, then put": [put("/job/x"), delete("/job/x"), put("/job/x", "b 2\n")],
    "delete of one group": [put("/job/x"), put("/job/x/instance/y"), delete("/job/x")],
    "delete of another group": [put("/job/x/instance/y"), delete("/job/x")],
    "put replaces the group": [put("/job/x", "a 1\nb 2\n"), put("/job/x", "c 3\n")],
    "put replaces series of a family": [put("/job/x", 'a{l="1"} 1\na{l="2"} 2\n'), put("/job/x", 'a{l="1"} 3\n')],
    "post replaces families of the name": [put("/job/x", "a 1\nb 2\n"), post("/job/x", "b 3\nc 4\n")],
    "post replaces all series of the family": [put("/job/x", 'a{l="1"} 1\na{l="2"} 2\n'), post("/job/x", 'a{l="3"} 3\n')],
    "post does not add": [post("/job/x", "# TYPE a counter\na 1\n")] * 3,
    "put leaves other groups": [put("/job/x"), put("/job/y", "a 2\n"), put("/job/x", "b 3\n")],
    "post leaves other groups": [post("/job/x"), post("/job/y", "a 2\n"), post("/job/x", "a 3\n")],
    "sequence": [put("/job/x", "a 1\n"), post("/job/x", "b 1\n"), put("/job/x", "c 1\n"), post("/job/x", "a 2\n"),
                 delete("/job/y"), post("/job/y", "a 5\n")],
    "get of a group": [put("/job/x"), get("/metrics/job/x")],
    "get of what is no group": [get("/metrics/instance/y")],
    "put on metrics": [Step("PUT", "/metrics", "a 1\n")],
    "post on metrics": [Step("POST", "/metrics", "a 1\n")],
    "delete of metrics": [put("/job/x"), Step("DELETE", "/metrics")],
    "patch": [Step("PATCH", "/metrics/job/x", "a 1\n")],
    "options": [Step("OPTIONS", "/metrics/job/x")],
    "head of metrics": [Step("HEAD", "/metrics")],

    # paths
    "no job": [put("/instance/y"), post("/instance/y"), delete("/instance/y")],
    "job without name": [put("/job"), post("/job"), delete("/job")],
    "job without name, slash": [put("/job/"), post("/job/"), delete("/job/")],
    "empty job in base64": [put("/job@base64/="), post("/job@base64/="), delete("/job@base64/=")],
    "job in base64": [put("/job@base64/" + b64("/var/tmp"))],
    "job in base64 with padding": [put("/job@base64/eA==")],
    "base64 with too many equal signs": [put("/job@base64/eA====")],
    "base64 with letters that it has not": [put("/job@base64/e*")],
    "base64 with blank": [put("/job@base64/e%20A")],
    "base64 of the wrong length": [put("/job@base64/eAAAA")],
    "base64 with bits left over": [put("/job@base64/eB")],
    "base64 of the other alphabet": [put("/job@base64/Pz8+Pg")],
    "base64 of the right alphabet": [put("/job@base64/" + b64("???>~~"))],
    "bad base64 of a label": [put("/job/x/l@base64/e*"), delete("/job/x/l@base64/e*")],
    "base64 name, escaped at": [put("/job%40base64/eA/l%40base64/eQ")],
    "labels": [put("/job/x/instance/y/zone/z")],
    "labels in another order": [put("/job/x/zone/z/instance/y"), post("/job/x/instance/y/zone/z", "b 1\n")],
    "label in base64": [put("/job/x/path@base64/" + b64("/var/tmp"))],
    "label empty in base64": [put("/job/x/instance@base64/=")],
    "label without value": [put("/job/x/l")],
    "label without value, slash": [put("/job/x/instance/")],
    "odd number of segments": [put("/job/x/l/1/m"), post("/job/x/l/1/m"), delete("/job/x/l/1/m")],
    "trailing slash behind job": [put("/job/x/"), post("/job/x", "b 1\n")],
    "trailing slash behind labels": [put("/job/x/l/1/")],
    "label name with dash": [put("/job/x/a-b/1")],
    "label name with digit first": [put("/job/x/1a/1")],
    "label name reserved": [put("/job/x/__a/1"), put("/job/x/__name__/1"), delete("/job/x/__a/1")],
    "label name with one underscore": [put("/job/x/_a/1")],
    "label name of UTF-8": [put("/job/x/%C3%A4/1")],
    "label name that is base64 only": [put("/job/x/@base64/eA")],
    "label twice, last wins": [put("/job/x/l/1/l/2")],
    "label job again": [put("/job/x/job/y")],
    "clearmode is a label like any other": [put("/job/x/clearmode/sum", 'a{clearmode="nonsense"} 1\n'),
                                            post("/job/y", 'a{clearmode="aggregate"} 1\n'),
                                            post("/job/y", 'a{clearmode="aggregate"} 1\n')],
    "percent escapes": [put("/job/a%20b/l/%22%5C%3D%7B%7D")],
    "plus is a plus": [put("/job/a+b")],
    "escaped slash splits": [put("/job/a%2Fl%2F1"), put("/job/a%2Fb")],
    "escaped percent": [put("/job/100%25")],
    "UTF-8 in the path": [put("/job/%C3%BCn%C3%AF/l/%E2%82%AC")],
    "UTF-8 in base64": [put("/job@base64/" + b64("ünï €"))],
    "newline in a value": [put("/job/a%0Ab")],
    "query is ignored": [put("/job/x?a=b")],
    "broken percent escape": [put("/job/%zz", None)],
    "escape that is cut": [put("/job/%4", None)],
    "escaped NUL": [put("/job/a%00b")],
    "value that is no UTF-8": [put("/job/%FF")],
    "value that is no UTF-8, base64": [put("/job/x/l@base64/" + b64(b"\xff"))],
    "two slashes": [put("/job//x")],
    "two slashes behind labels": [put("/job/x/l//m/1")],
    "dot": [put("/job/x/l/.")],
    "dots": [put("/job/x/l/..")],
    "capitals": [put("/JOB/x")],

    "empty instance and none": [put("/job/x"), put("/job/x/instance@base64/=", "b 1\n")],
    "empty label in the key": [put("/job/x/l@base64/=")],
    "empty label in the key and none": [put("/job/x"), put("/job/x/l@base64/=", "b 1\n"), delete("/job/x")],

    # labels of the body
    "path labels override": [put("/job/x/instance/y", 'a{job="body",instance="body",other="o"} 1\n')],
    "instance of the body": [put("/job/x", 'a{instance="body"} 1\n')],
    "instance of the body, empty": [put("/job/x", 'a{instance=""} 1\n')],
    "instances of the body": [put("/job/x", 'a{instance="1"} 1\na{instance="2"} 2\na 3\n')],
    "empty label of the body": [put("/job/x", 'a{l=""} 1\n')],
    "overriding makes duplicates": [put("/job/x", 'a{job="1"} 1\na{job="2"} 2\n')],
    "label twice in the body": [put("/job/x", 'a{l="1",l="2"} 1\n')],
    "label __name__ in the body": [put("/job/x", 'a{__name__="b"} 1\n')],
    "escapes of the body": [put("/job/x", 'a{l="\\\\\\"\\n"} 1\n')],
    "UTF-8 label values": [put("/job/x", 'a{l="ünï €"} 1\n')],
    "label value that is no UTF-8": [put("/job/x", b'a{l="\xff"} 1\n')],
    "UTF-8 metric name": [put("/job/x", '{"ä.b"} 1\n')],
    "UTF-8 label name": [put("/job/x", 'a{"ä.b"="1"} 1\n')],
    "bare UTF-8 name": [put("/job/x", "ä 1\n")],

    # bodies in text
    "empty body": [put("/job/x", "")],
    "no body": [put("/job/x", None)],
    "empty body, put, after a push": [put("/job/x"), put("/job/x", "")],
    "empty body, post, after a push": [put("/job/x"), post("/job/x", "")],
    "comments only": [put("/job/x", "# a comment\n\n")],
    "type only": [put("/job/x", "# TYPE a counter\n# HELP a b\n")],
    "type only does not replace": [put("/job/x"), post("/job/x", "# TYPE a untyped\n")],
    "no newline at the end": [put("/job/x", "a 1")],
    "no newline at the end of two": [put("/job/x", "a 1\nb 2")],
    "carriage returns": [put("/job/x", "a 1\r\n")],
    "blanks and tabs": [put("/job/x", " \ta\t{ l = \"1\" , } \t 1 \n")],
    "types": [put("/job/x", "# TYPE c counter\nc 1\n# TYPE g gauge\ng 2\n# TYPE u untyped\nu 3\nn 4\n")],
    "type in capitals": [put("/job/x", "# TYPE a GAUGE\na 1\n")],
    "unknown type": [put("/job/x", "# TYPE a what\na 1\n")],
    "types of OpenMetrics": [put("/job/x", "# TYPE a info\na 1\n")],
    "type unknown": [put("/job/x", "# TYPE a unknown\na 1\n")],
    "type behind the sample": [put("/job/x", "a 1\n# TYPE a gauge\n")],
    "second type": [put("/job/x", "# TYPE a gauge\n# TYPE a gauge\na 1\n")],
    "second type of another kind": [put("/job/x", "# TYPE a gauge\n# TYPE a counter\na 1\n")],
    "second help": [put("/job/x", "# HELP a one\n# HELP a two\na 1\n")],
    "help": [put("/job/x", "# HELP a some help \\\\ \\n here\n# TYPE a gauge\na 1\n")],
    "help, empty": [put("/job/x", "# HELP a\na 1\n")],
    "help without sample": [put("/job/x", "# HELP a text\n")],
    "help differs in a group": [put("/job/x", "# HELP a one\na 1\n"), put("/job/x", "# HELP a two\na 1\n")],
    "help of one of two groups": [put("/job/x", "# HELP a one\na 1\n"), put("/job/y", "# HELP a one\na 1\n")],
    "help leaves with its push": [put("/job/x", "# HELP a one\na 1\n"), put("/job/x", "a 1\n")],
    "numbers": [put("/job/x", 'a{l="1"} +Inf\na{l="2"} -Inf\na{l="3"} NaN\na{l="4"} 1e300\na{l="5"} -0.0\n'
                              'a{l="6"} 1e-320\na{l="7"} 0x1p-2\na{l="8"} 9007199254740993\na{l="9"} inf\n')],
    "underscore in a number": [put("/job/x", "a 1_0\n")],
    "number out of range": [put("/job/x", "a 1e400\n")],
    "no number": [put("/job/x", "a\n")],
    "not a number": [put("/job/x", "a one\n")],
    "words behind the number": [put("/job/x", "a 1 two\n")],
    "bad name": [put("/job/x", "1a 1\n")],
    "name with dot": [put("/job/x", "a.b 1\n")],
    "name with colon": [put("/job/x", "a:b 1\n")],
    "label name with colon": [put("/job/x", 'a{b:c="1"} 1\n')],
    "open brace": [put("/job/x", 'a{l="1" 1\n')],
    "open quote": [put("/job/x", 'a{l="1} 1\n')],
    "value without quotes": [put("/job/x", "a{l=1} 1\n")],
    "html": [put("/job/x", "<html></html>\n")],
    "one bad line of three": [put("/job/x", "b 1\na{ 1\nc 1\n")],
    "bad push leaves what was there": [put("/job/x"), put("/job/x", "b{ 1\n"), post("/job/x", "b{ 1\n")],
    "OpenMetrics by its media type": [put("/job/x", "# TYPE a counter\na_total 1\n# EOF\n",
                                          Content_Type="application/openmetrics-text; version=1.0.0")],
    "end of OpenMetrics is a comment": [put("/job/x", "a 1\n# EOF\nb 2\n")],
    "exemplar": [put("/job/x", 'a 1 # {l="1"} 2\n')],
    "family that is split": [put("/job/x", 'a{l="1"} 1\nb 1\na{l="2"} 2\n')],

    # content types
    "type of a form": [put("/job/x", Content_Type="application/x-www-form-urlencoded")],
    "type of JSON": [put("/job/x", Content_Type="application/json")],
    "type of text": [put("/job/x", Content_Type="text/plain; version=0.0.4; charset=utf-8")],
    "type that is none": [put("/job/x", Content_Type="nonsense;;;=")],
    "type empty": [put("/job/x", Content_Type="")],

    # timestamps
    "timestamp": [put("/job/x", "a 1 1700000000000\n"), post("/job/x", "a 1 1700000000000\n")],
    "timestamp of one of two": [put("/job/x", "a 1\nb 1 5\n")],
    "timestamp after a good push": [put("/job/x"), put("/job/x", "b 1 5\n"), post("/job/x", "b 1 5\n")],
    "timestamp, then a good push": [put("/job/x", "b 1 5\n"), put("/job/x")],
    "timestamp that is none": [put("/job/x", "a 1 soon\n")],
    "timestamp and bad line": [put("/job/x", "a 1 5\nb{ 1\n")],
    "timestamp, then delete": [put("/job/x", "a 1 5\n"), delete("/job/x")],
    "timestamp of a bucket": [put("/job/x", H1.replace("} 1\n", "} 1 5\n"))],

    # consistency
    "duplicate": [put("/job/x", "a 1\na 2\n")],
    "duplicate with labels": [put("/job/x", 'a{l="1",m="2"} 1\na{m="2",l="1"} 1\n')],
    "duplicate of another group": [put("/job/x/l/1"), put("/job/x", 'a{l="1"} 2\n')],
    "duplicate of another group, post": [put("/job/x/l/1"), post("/job/x", 'a{l="1"} 2\n')],
    "overridden into another group": [put("/job/x"), put("/job/y", 'a{job="x"} 2\n')],
    "type differs from another group": [put("/job/x", "# TYPE a gauge\na 1\n"), put("/job/y", "# TYPE a counter\na 1\n")],
    "untyped differs from a gauge": [put("/job/x", "# TYPE a gauge\na 1\n"), put("/job/y", "a 1\n")],
    "gauge differs from untyped": [put("/job/x", "a 1\n"), post("/job/y", "# TYPE a gauge\na 1\n")],
    "type changes with put": [put("/job/x", "# TYPE a gauge\na 1\n"), put("/job/x", "# TYPE a counter\na 1\n")],
    "type changes with post": [put("/job/x", "# TYPE a gauge\na 1\n"), post("/job/x", "# TYPE a counter\na 1\n")],
    "type changes after delete": [put("/job/x", "# TYPE a gauge\na 1\n"), delete("/job/x"), put("/job/y", "# TYPE a counter\na 1\n")],
    "type changes into histogram": [put("/job/x", "h 1\n"), put("/job/x", H1)],
    "histogram changes into gauge": [put("/job/x", H1), put("/job/x", "# TYPE h gauge\nh 1\n")],
    "histogram differs from a gauge": [put("/job/x", "# TYPE h gauge\nh 1\n"), put("/job/y", H1)],
    "type of a gone family": [put("/job/x", "# TYPE a gauge\na 1\n"), put("/job/x", "b 1\n"), put("/job/y", "# TYPE a counter\na 1\n")],
    "count of a histogram as metric": [put("/job/x", H1), put("/job/y", "h_count 1\n")],
    "count of a histogram as metric, replaced": [put("/job/x", H1), put("/job/x", "h_count 1\n")],
    "metric becomes count of a histogram": [put("/job/x", "h_count 1\n"), put("/job/y", H1)],
    "sum of a summary as metric": [put("/job/x", S1), put("/job/y", "s_sum 1\n")],
    "bucket of a summary is another metric": [put("/job/x", S1), put("/job/y", "s_bucket 1\n")],
    "other labels in other groups": [put("/job/x", 'a{l="1"} 1\n'), put("/job/y", 'a{m="1"} 1\n')],
    "failure, then failure elsewhere": [put("/job/x", "a 1 5\n"), put("/job/y", "a 1 5\n"), put("/job/x", "a 1\n")],
    "push_time_seconds of the client": [put("/job/x", "# TYPE push_time_seconds gauge\npush_time_seconds 5\na 1\n")],
    "push_time_seconds of the client, with post": [put("/job/x"), post("/job/x", "push_time_seconds 5\na 1\n")],
    "push_failure_time_seconds of the client": [put("/job/x", "# TYPE push_failure_time_seconds gauge\npush_failure_time_seconds 5\na 1\n")],
    "push_failure_time_seconds of the client, again": [
        put("/job/x"), post("/job/x", "# TYPE push_failure_time_seconds gauge\npush_failure_time_seconds 5\na 1\n")],

    # histograms and summaries
    "histogram": [put("/job/x", H1)],
    "histogram replaced by put": [put("/job/x", H1), put("/job/x", H2)],
    "histogram replaced by post": [put("/job/x", H1), post("/job/x", H2)],
    "histogram with labels": [put("/job/x", H1.replace("{le", '{l="1",le').replace("_sum", '_sum{l="1"}').replace("_count", '_count{l="1"}') + H2.split("\n", 1)[1])],
    "histogram without +Inf": [put("/job/x", '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 3\nh_count 2\n')],
    "histogram without sum": [put("/job/x", '# TYPE h histogram\nh_bucket{le="+Inf"} 2\nh_count 2\n')],
    "histogram without count": [put("/job/x", '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\n')],
    "histogram without buckets": [put("/job/x", "# TYPE h histogram\nh_sum 3\nh_count 2\n")],
    "histogram not cumulative": [put("/job/x", '# TYPE h histogram\nh_bucket{le="1"} 5\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n')],
    "histogram with another count": [put("/job/x", '# TYPE h histogram\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 3\n')],
    "histogram without le": [put("/job/x", "# TYPE h histogram\nh_bucket 1\nh_sum 3\nh_count 2\n")],
    "histogram with bad le": [put("/job/x", '# TYPE h histogram\nh_bucket{le="x"} 1\nh_sum 3\nh_count 2\n')],
    "histogram as one number": [put("/job/x", "# TYPE h histogram\nh 1\n")],
    "histogram with bucket twice": [put("/job/x", '# TYPE h histogram\nh_bucket{le="+Inf"} 2\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n')],
    "histogram with sum twice": [put("/job/x", '# TYPE h histogram\nh_bucket{le="+Inf"} 2\nh_sum 2\nh_sum 3\nh_count 2\n')],
    "histogram with bounds out of order": [put("/job/x", '# TYPE h histogram\nh_bucket{le="+Inf"} 2\nh_bucket{le="1"} 1\nh_sum 3\nh_count 2\n')],
    "histogram with 1e0 for 1": [put("/job/x", H1.replace('le="1"', 'le="1e0"'))],
    "histogram untyped": [put("/job/x", H1.split("\n", 1)[1])],
    "le of the path": [put("/job/x/le/5", H1)],
    "quantile of the path": [put("/job/x/quantile/5", S1)],
    "summary": [put("/job/x", S1)],
    "summary without quantiles": [put("/job/x", "# TYPE s summary\ns_sum 3\ns_count 2\n")],
    "summary of quantiles only": [put("/job/x", '# TYPE s summary\ns{quantile="0.5"} 1\n')],
    "summary without quantile": [put("/job/x", "# TYPE s summary\ns 1\ns_sum 3\ns_count 2\n")],
    "summary, then another": [put("/job/x", S1), post("/job/x", '# TYPE s summary\ns{quantile="0.1"} 1\ns_sum 1\ns_count 1\n')],
    "created": [put("/job/x", "# TYPE c_total counter\nc_total 1\n# TYPE c_created gauge\nc_created 1.7e+09\n")],

    # protobuf
    "protobuf": [put("/job/x", family("a", GAUGE, gauge(1), gauge(2, [("l", "1")]), help_="help"), Content_Type=PROTOBUF)],
    "protobuf of all types": [put("/job/x", family("c", COUNTER, counter(5)) + family("u", UNTYPED, untyped(1)) +
                                  family("s", SUMMARY, summary(2, 3, [(0.5, 7)])) +
                                  family("h", HISTOGRAM, histogram(2, 3, [(1, 1), (float("inf"), 2)])), Content_Type=PROTOBUF)],
    "protobuf, labels overridden": [put("/job/x", family("a", GAUGE, gauge(1, [("job", "body")])), Content_Type=PROTOBUF)],
    "protobuf with timestamp": [put("/job/x", family("a", GAUGE, gauge(1, timestamp=5)), Content_Type=PROTOBUF)],
    "protobuf with duplicate": [put("/job/x", family("a", GAUGE, gauge(1), gauge(2)), Content_Type=PROTOBUF)],
    "protobuf, empty": [put("/job/x", b"", Content_Type=PROTOBUF)],
    "protobuf that is none": [put("/job/x", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Content_Type=PROTOBUF)],
    "protobuf that is cut": [put("/job/x", family("a", GAUGE, gauge(1))[:-3], Content_Type=PROTOBUF)],
    "text that says protobuf": [put("/job/x", "a 1\n", Content_Type=PROTOBUF)],
    "protobuf that says text": [put("/job/x", family("a", GAUGE, gauge(1)), Content_Type="text/plain")],
    "protobuf without encoding": [put("/job/x", family("a", GAUGE, gauge(1)),
                                      Content_Type="application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily")],
    "text with half the type of protobuf": [put("/job/x", "a 1\n", Content_Type="application/vnd.google.protobuf")],
    "protobuf, written otherwise": [put("/job/x", family("a", GAUGE, gauge(1)), Content_Type=(
        "Application/VND.google.protobuf;ENCODING=delimited;proto=\"io.prometheus.client.MetricFamily\""))],
    "protobuf, histogram without +Inf": [put("/job/x", family("h", HISTOGRAM, histogram(2, 3, [(1, 1)])), Content_Type=PROTOBUF)],
    "protobuf, family without metrics": [put("/job/x", family("a", GAUGE), Content_Type=PROTOBUF)],
    "protobuf, bad name": [put("/job/x", family("a-b", GAUGE, gauge(1)), Content_Type=PROTOBUF)],
    "protobuf, bad label name": [put("/job/x", family("a", GAUGE, gauge(1, [("l-m", "1")])), Content_Type=PROTOBUF)],
    "protobuf, label value that is no UTF-8": [put("/job/x", family("a", GAUGE, gauge(1, [("l", b"\xff")])), Content_Type=PROTOBUF)],
    "protobuf, value of another type": [put("/job/x", family("a", COUNTER, gauge(1)), Content_Type=PROTOBUF)],
    "protobuf, family twice": [put("/job/x", family("a", GAUGE, gauge(1)) + family("a", GAUGE, gauge(2, [("l", "1")])), Content_Type=PROTOBUF)],
    "protobuf, type differs": [put("/job/x"), put("/job/y", family("a", GAUGE, gauge(1)), Content_Type=PROTOBUF)],

    # encodings
    "gzip": [put("/job/x", gzip.compress(b"a 1\n"), Content_Encoding="gzip")],
    "gzip and protobuf": [put("/job/x", gzip.compress(family("a", GAUGE, gauge(1))), Content_Encoding="gzip", Content_Type=PROTOBUF)],
    "gzip that is none": [put("/job/x", b"a 1\n", Content_Encoding="gzip")],
    "gzip that is cut": [put("/job/x", gzip.compress(b"a 1\n" * 100)[:-10], Content_Encoding="gzip")],
    "gzip, empty": [put("/job/x", gzip.compress(b""), Content_Encoding="gzip")],
    "gzip of a bad body": [put("/job/x", gzip.compress(b"a{ 1\n"), Content_Encoding="gzip")],
    "encoding identity": [put("/job/x", "a 1\n", Content_Encoding="identity")],
    "encoding that nobody knows": [put("/job/x", "a 1\n", Content_Encoding="br")],
    "encoding in capitals": [put("/job/x", gzip.compress(b"a 1\n"), Content_Encoding="GZIP")],
    "gzip without a word": [put("/job/x", gzip.compress(b"a 1\n"))],

    # the rest
    "healthy": [get("/-/healthy"), get("/-/ready"), Step("POST", "/-/healthy", "")],
    "api": [get("/api/v1/status"), get("/api/v1/metrics"), get("/api/v1/nothing"), Step("POST", "/api/v1/metrics", "")],
    "quit": [Step("PUT", "/-/quit", "")],
    "wipe": [put("/job/x"), Step("PUT", "/api/v1/admin/wipe", "")],
    "nothing there": [get("/nothing"), put("/jobs/x"), Step("PUT", "/metric/job/x", "a 1\n")],
}


# Cases whose request leaves a Pushgateway that has to be restarted: it holds a lock for ever, or its /metrics fails.
POISON = {
    "base64 with letters that it has not",
    "base64 with blank",
    "base64 of the wrong length",
    "base64 of the other alphabet",
    "value that is no UTF-8",
    "value that is no UTF-8, base64",
}

HELPS = ["help push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.",
         "help push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded."]


def stored(*lines, push="now", failure="never", key="instance='',job='x'"):
    """What one group holds, with its times."""
    return sorted(list(lines) + HELPS + ["gauge push_failure_time_seconds{%s} %s" % (key, failure), "gauge push_time_seconds{%s} %s" % (key, push)])


# Where the two differ: the reason, as the table of docs/PUSHGATEWAY.md names it; what they do; what we do.
DIFFERENCES = {
    "options": ("OPTIONS",
        ([200], []),
        ([405], [])),
    "head of metrics": ("HEAD",
        ([405], []),
        ([200], [])),
    "job without name, slash": ("redirects",
        ([307, 307, 307], []),
        ([404, 404, 404], [])),
    "escaped NUL": ("NUL",
        ([200], stored("untyped a{instance='',job='a\\x00b'} 1.0", key="instance='',job='a\\x00b'")),
        ([400], [])),
    "value that is no UTF-8": ("values that are not UTF-8",
        ([400], ['GET /metrics: 500']),
        ([400], [])),
    "value that is no UTF-8, base64": ("values that are not UTF-8",
        ([400], ['GET /metrics: 500']),
        ([400], [])),
    "two slashes": ("redirects",
        ([301], []),
        ([400], [])),
    "two slashes behind labels": ("redirects",
        ([301], []),
        ([400], [])),
    "dot": ("redirects",
        ([301], []),
        ([200], stored("untyped a{instance='',job='x',l='.'} 1.0", key="instance='',job='x',l='.'"))),
    "dots": ("redirects",
        ([301], []),
        ([200], stored("untyped a{instance='',job='x',l='..'} 1.0", key="instance='',job='x',l='..'"))),
    "capitals": ("redirects",
        ([307], []),
        ([404], [])),
    "empty instance and none": ("empty labels",
        ([200, 400], ['GET /metrics: 500']),
        ([200, 200], stored("untyped b{instance='',job='x'} 1.0"))),
    "empty label in the key": ("empty labels",
        ([200], stored("untyped a{instance='',job='x',l=''} 1.0", key="instance='',job='x',l=''")),
        ([200], stored("untyped a{instance='',job='x'} 1.0"))),
    "empty label in the key and none": ("empty labels",
        ([200, 200, 202], stored("untyped b{instance='',job='x',l=''} 1.0", key="instance='',job='x',l=''")),
        ([200, 200, 202], [])),
    "empty label of the body": ("empty labels",
        ([200], stored("untyped a{instance='',job='x',l=''} 1.0")),
        ([200], stored("untyped a{instance='',job='x'} 1.0"))),
    "UTF-8 metric name": ("names in quotes",
        ([400], []),
        ([200], stored("untyped U___e4__2e_b{instance='',job='x'} 1.0"))),
    "UTF-8 label name": ("names in quotes",
        ([400], []),
        ([200], stored("untyped a{U___e4__2e_b='1',instance='',job='x'} 1.0"))),
    "no newline at the end": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("untyped a{instance='',job='x'} 1.0"))),
    "no newline at the end of two": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("untyped a{instance='',job='x'} 1.0", "untyped b{instance='',job='x'} 2.0"))),
    "carriage returns": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("untyped a{instance='',job='x'} 1.0"))),
    "blanks and tabs": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("untyped a{instance='',job='x',l='1'} 1.0"))),
    "type in capitals": ("types in capitals",
        ([200], stored("gauge a{instance='',job='x'} 1.0")),
        ([400], [])),
    "types of OpenMetrics": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("gauge a{instance='',job='x'} 1.0"))),
    "type unknown": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("untyped a{instance='',job='x'} 1.0"))),
    "type behind the sample": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("gauge a{instance='',job='x'} 1.0"))),
    "second type": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("gauge a{instance='',job='x'} 1.0"))),
    "second help": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("help a two", "untyped a{instance='',job='x'} 1.0"))),
    "help leaves with its push": ("HELP",
        ([200, 200], stored("untyped a{instance='',job='x'} 1.0")),
        ([200, 200], stored("help a one", "untyped a{instance='',job='x'} 1.0"))),
    "exemplar": ("text that Prometheus reads",
        ([400], []),
        ([200], stored("untyped a{instance='',job='x'} 1.0"))),
    "push_failure_time_seconds of the client, again": ("push_failure_time_seconds from a client",
        ([200, 200], ["gauge push_failure_time_seconds{instance='',job='x'} 5.0", "gauge push_time_seconds{instance='',job='x'} now", 'help push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.', "untyped a{instance='',job='x'} 1.0"]),
        ([200, 200], stored("untyped a{instance='',job='x'} 1.0"))),
    "histogram without sum": ("parts that were not pushed",
        ([200], stored("histogram h_bucket{instance='',job='x',le='+Inf'} 2.0", "histogram h_count{instance='',job='x'} 2.0", "histogram h_sum{instance='',job='x'} 0.0")),
        ([200], stored("histogram h_bucket{instance='',job='x',le='+Inf'} 2.0", "histogram h_count{instance='',job='x'} 2.0"))),
    "histogram without count": ("parts that were not pushed",
        ([200], stored("histogram h_bucket{instance='',job='x',le='+Inf'} 2.0", "histogram h_bucket{instance='',job='x',le='1'} 1.0", "histogram h_count{instance='',job='x'} 0.0", "histogram h_sum{instance='',job='x'} 3.0")),
        ([200], stored("histogram h_bucket{instance='',job='x',le='+Inf'} 2.0", "histogram h_bucket{instance='',job='x',le='1'} 1.0", "histogram h_count{instance='',job='x'} 2.0", "histogram h_sum{instance='',job='x'} 3.0"))),
    "histogram not cumulative": ("broken histograms and summaries",
        ([200], stored("histogram h_bucket{instance='',job='x',le='+Inf'} 2.0", "histogram h_bucket{instance='',job='x',le='1'} 5.0", "histogram h_count{instance='',job='x'} 2.0", "histogram h_sum{instance='',job='x'} 3.0")),
        ([400], stored(push="never", failure="now"))),
    "histogram with another count": ("broken histograms and summaries",
        ([200], stored("histogram h_bucket{instance='',job='x',le='+Inf'} 2.0", "histogram h_count{instance='',job='x'} 3.0", "histogram h_sum{instance='',job='x'} 3.0")),
        ([400], stored(push="never", failure="now"))),
    "histogram without le": ("broken histograms and summaries",
        ([200], stored("histogram h_bucket{instance='',job='x',le='+Inf'} 2.0", "histogram h_count{instance='',job='x'} 2.0", "histogram h_sum{instance='',job='x'} 3.0")),
        ([400], stored(push="never", failure="now"))),
    "histogram with bad le": ("time of a failure",
        ([400], []),
        ([400], stored(push="never", failure="now"))),
    "histogram as one number": ("broken histograms and summaries",
        ([200], stored("histogram h_bucket{instance='',job='x',le='+Inf'} 0.0", "histogram h_count{instance='',job='x'} 0.0", "histogram h_sum{instance='',job='x'} 0.0")),
        ([400], stored(push="never", failure="now"))),
    "histogram with bucket twice": ("broken histograms and summaries",
        ([200], ['GET /metrics: nobody can read it']),
        ([400], stored(push="never", failure="now"))),
    "histogram with sum twice": ("broken histograms and summaries",
        ([200], stored("histogram h_bucket{instance='',job='x',le='+Inf'} 2.0", "histogram h_count{instance='',job='x'} 2.0", "histogram h_sum{instance='',job='x'} 3.0")),
        ([400], stored(push="never", failure="now"))),
    "le of the path": ("broken histograms and summaries",
        ([200], ['GET /metrics: nobody can read it']),
        ([400], stored(push="never", failure="now", key="instance='',job='x',le='5'"))),
    "summary of quantiles only": ("parts that were not pushed",
        ([200], stored("summary s_count{instance='',job='x'} 0.0", "summary s_sum{instance='',job='x'} 0.0", "summary s{instance='',job='x',quantile='0.5'} 1.0")),
        ([200], stored("summary s{instance='',job='x',quantile='0.5'} 1.0"))),
    "summary without quantile": ("broken histograms and summaries",
        ([200], stored("summary s_count{instance='',job='x'} 2.0", "summary s_sum{instance='',job='x'} 3.0")),
        ([400], stored(push="never", failure="now"))),
    "protobuf without encoding": ("media type of protobuf",
        ([400], []),
        ([200], stored("gauge a{instance='',job='x'} 1.0"))),
    "text with half the type of protobuf": ("media type of protobuf",
        ([200], stored("untyped a{instance='',job='x'} 1.0")),
        ([400], [])),
    "protobuf, bad name": ("names in quotes",
        ([200], ['GET /metrics: nobody can read it']),
        ([200], stored("gauge U__a_2d_b{instance='',job='x'} 1.0"))),
    "protobuf, bad label name": ("names in quotes",
        ([400], stored(push="never", failure="now")),
        ([200], stored("gauge a{U__l_2d_m='1',instance='',job='x'} 1.0"))),
    "protobuf, label value that is no UTF-8": ("time of a failure",
        ([400], stored(push="never", failure="now")),
        ([400], [])),
    "protobuf, value of another type": ("time of a failure",
        ([400], stored(push="never", failure="now")),
        ([400], [])),
    "protobuf, family twice": ("families that come twice",
        ([200], stored("gauge a{instance='',job='x',l='1'} 2.0")),
        ([200], stored("gauge a{instance='',job='x',l='1'} 2.0", "gauge a{instance='',job='x'} 1.0"))),
    "encoding that nobody knows": ("encodings",
        ([200], stored("untyped a{instance='',job='x'} 1.0")),
        ([415], [])),
    "encoding in capitals": ("encodings",
        ([400], []),
        ([200], stored("untyped a{instance='',job='x'} 1.0"))),
    "quit": ("lifecycle",
        ([403], []),
        ([404], [])),
}
