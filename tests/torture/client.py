#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client that pushes in every dialect, repeats what was not answered, and writes down in its ledger what it does. It may be killed at any
moment and started again on the same ledger. It ends when the file "stop" is there and its last push was answered."""
import argparse
import gzip
import http.client
import os
import random
import re
import signal
import sys
import time
import urllib.parse
import uuid

import ledger as ledgers

LINE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="([^"]*)"')
PATIENCE = float(os.environ.get("GRAVEL_TEST_SLOW", "1")) * 90


def series(name, **labels):
    return "%s{%s}" % (name, ",".join('%s="%s"' % item for item in sorted(labels.items())))


def read_served(text):
    """{series: value} of the names of ours, each series as series() writes it."""
    found = {}
    for line in text.split("\n"):
        m = LINE.match(line)
        if m and m.group(1).startswith("torture_"):
            key = series(m.group(1), **dict(LABEL.findall(m.group(2) or "")))
            assert key not in found, "%s is served twice" % key
            found[key] = float(m.group(3).replace("Inf", "inf"))
    return found


class Request:
    """One push as it goes over the line."""

    def __init__(self, method, path, body=b"", headers=None):
        self.method, self.path, self.body, self.headers = method, path, body, headers or {}


class Client:
    def __init__(self, options):
        self.number, self.folder, self.options = options.number, options.folder, options
        self.name = "c%d" % self.number
        self.urls = options.urls.split(",")
        self.readable = set(options.readable.split(","))
        self.ledger = ledgers.Ledger(os.path.join(self.folder, "client-%02d.ledger" % self.number))
        self.rng = random.Random("%s/%d/%d" % (options.seed, self.number, len(self.ledger.lines)))
        self.connections = {}
        self.recent = []
        self.kinds = [(50, self.add), (10, self.loose), (10, self.window), (6, self.group_put), (6, self.group_post), (2, self.group_drop),
                      (4, self.ingest), (4, self.gauge), (2, self.gauge_drop), (3, self.brief)]

    # What is pushed. Each returns (op, once, request).

    def digit(self, name, n, **labels):
        where = dict(labels, block=str(n // ledgers.DIGITS_EACH), client=self.name)
        return where, {series(name, job="torture", **where): 4 ** (n % ledgers.DIGITS_EACH)}

    def counters(self, n, kind):
        """Body and sums: several families, so that half a push would be seen."""
        where, sums = self.digit("torture_%s_digits_total" % kind, n)
        shard, seconds = str(n % 3), n % 20
        sums[series("torture_%s_total" % kind, client=self.name, job="torture")] = 1
        sums[series("torture_%s_shared_total" % kind, shard=shard, job="torture")] = 1
        text = ["# TYPE torture_%s_digits_total counter" % kind,
                "%s %d" % (series("torture_%s_digits_total" % kind, **where), 4 ** (n % ledgers.DIGITS_EACH)),
                "# TYPE torture_%s_total counter" % kind, 'torture_%s_total{client="%s"} 1' % (kind, self.name),
                "# TYPE torture_%s_shared_total counter" % kind, 'torture_%s_shared_total{shard="%s"} 1' % (kind, shard)]
        if kind == "once":
            text.append("# TYPE torture_seconds histogram")
            for bound in ("1", "10", "+Inf"):
                counts = int(seconds <= float(bound.replace("Inf", "inf")))
                text.append('torture_seconds_bucket{client="%s",le="%s"} %d' % (self.name, bound, counts))
                sums[series("torture_seconds_bucket", client=self.name, job="torture", le=bound)] = counts
            for part, value in (("sum", seconds), ("count", 1)):
                text.append('torture_seconds_%s{client="%s"} %d' % (part, self.name, value))
                sums[series("torture_seconds_%s" % part, client=self.name, job="torture")] = value
        return "\n".join(text) + "\n", sums

    def add(self, n):
        body, sums = self.counters(n, "once")
        headers = {}
        body = body.encode()
        if n % 5 == 0:
            headers, body = {"Content-Encoding": "gzip"}, gzip.compress(body)
        path = "/metrics/job/torture" + ("?ttl=48h" if n % 7 == 0 else "")
        return ["add", sums], True, Request("PUT" if n % 3 == 0 else "POST", path, body, headers)

    def loose(self, n):
        body, sums = self.counters(n, "loose")
        return ["add", sums], False, Request("POST", "/metrics/job/torture", body.encode())

    def window(self, n):
        where, sums = self.digit("torture_window_digits_total", n)
        labels = ",".join('%s="%s"' % item for item in sorted(where.items()))
        body = '# TYPE torture_window_digits_total gauge\ntorture_window_digits_total{%s,clearmode="sum2d"} %d\n' % (
            labels, 4 ** (n % ledgers.DIGITS_EACH))
        return ["add", sums], True, Request("POST", "/metrics/job/torture", body.encode())

    def in_group(self, n, letters, method):
        group = "gateway-" + self.name
        sums = {series("torture_gateway_" + c, group=group, instance="", job="torture"): n for c in letters}
        body = "".join("# TYPE torture_gateway_%s gauge\ntorture_gateway_%s %d\n" % (c, c, n) for c in letters)
        return group, sums, Request(method, "/pushgateway/metrics/job/torture/group/" + group, body.encode())

    def group_put(self, n):
        group, sums, request = self.in_group(n, "ab", "PUT")
        return ["set", group, sums], True, request

    def group_post(self, n):
        group, sums, request = self.in_group(n, "bc", "POST")
        return ["merge", group, sums], True, request

    def group_drop(self, n):
        group, _, request = self.in_group(n, "", "DELETE")
        return ["drop", group], True, request

    def ingest(self, n):
        group = "ingest-" + self.name
        body = '# TYPE torture_ingest gauge\ntorture_ingest{group="%s"} %d\n' % (group, n)
        return (["set", group, {series("torture_ingest", group=group): n}], True,
                Request("POST", "/ingest?ttl=2d", body.encode()))

    def gauge(self, n):
        group, name = "gauge-" + self.name, "torture_gauge_%d" % (n % 3)
        body = "# TYPE %s gauge\n%s %d\n" % (name, name, n)
        return (["merge", group, {series(name, group=group): n}], True,
                Request("POST", "/metrics/group/" + group, body.encode()))

    def gauge_drop(self, _):
        group = "gauge-" + self.name
        return ["drop", group], True, Request("DELETE", "/metrics/group/" + group)

    def brief(self, n):
        """Leaves after a second, and stays away after every restart."""
        body = '# TYPE torture_brief counter\ntorture_brief{client="%s",n="%d"} 1\n' % (self.name, n)
        return (["forget", [series("torture_brief", client=self.name, n=str(n))]], True,
                Request("POST", "/metrics?ttl=1s", body.encode()))

    # How it is sent.

    def connection(self, url, timeout):
        if url not in self.connections:
            self.connections[url] = http.client.HTTPConnection(url.split("//")[1], timeout=timeout)
        connection = self.connections[url]
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection

    def exchange(self, url, request, headers, timeout):
        """(code, body), or None: no answer."""
        connection = self.connection(url, timeout)
        try:
            connection.request(request.method, request.path, body=request.body or None, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.getheader("Connection", "").lower() == "close":
                connection.close()
            return answer.status, body
        except (OSError, http.client.HTTPException):
            connection.close()
            return None

    def attempt(self, n, request, key):
        """Send it once; the code, or 0."""
        self.ledger.write(t="try", n=n)
        url = self.rng.choice(self.urls)
        # Now and then the answer is not waited for, so that the next try comes while this one is under way.
        timeout = 0.02 if self.rng.random() < 0.03 else 10
        headers = dict(request.headers)
        if key:
            headers["Idempotency-Key"] = key
        got = self.exchange(url, request, headers, timeout)
        if got is None:
            return 0
        self.ledger.write(t="got", n=n, code=got[0])
        if got[0] not in (200, 202, 429, 503):
            self.ledger.write(t="wrong", n=n, what="refused", code=got[0], text=got[1].decode("utf-8", "replace")[:300])
        elif got[0] < 300 and url in self.readable and self.rng.random() < 0.1:
            self.read_back(url, n)
        return got[0]

    def read_back(self, url, n):
        """What was acknowledged is in the next answer of the one who did."""
        match = '{__name__=~"torture_(once|loose|window)_digits_total",client="%s",block="%d"}' % (self.name, n // ledgers.DIGITS_EACH)
        got = self.exchange(url, Request("GET", "/metrics?" + urllib.parse.urlencode({"match[]": match})), {}, 10)
        if got is None or got[0] != 200:
            return
        served = read_served(got[1].decode())
        counted = sum(ledgers.digits(v)[n % ledgers.DIGITS_EACH] for v in served.values())
        if counted != (1 if self.has_digit else 0):
            self.ledger.write(t="wrong", n=n, what="read after the answer", counted=counted)

    def key(self, n):
        return "%s-%d-%d" % (self.name, n, self.options.run)

    def push(self, n, kind):
        op, once, request = getattr(self, kind)(n)
        once = once and self.options.keys
        self.has_digit = kind in ("add", "loose", "window")
        key = self.key(n) if once else None
        began = time.monotonic()
        while True:
            code = self.attempt(n, request, key)
            if 200 <= code < 300:
                break
            if not once:
                time.sleep(self.rng.uniform(0.05, 0.3))
                break
            if time.monotonic() - began > PATIENCE:
                self.ledger.write(t="wrong", n=n, what="not acknowledged in %d s" % PATIENCE, code=code)
                sys.exit(1)
            time.sleep(self.rng.uniform(0.005, 0.15))
        if once:
            self.repeat(n, request, key)

    def repeat(self, n, request, key):
        """Push again what was acknowledged: this one, or one of some time ago."""
        self.recent = self.recent[-60:] + [(n, request, key, self.has_digit)]
        dice = self.rng.random()
        if dice < 0.1:
            self.attempt(n, request, key)
        elif dice < 0.2:
            n, request, key, self.has_digit = self.rng.choice(self.recent)
            self.attempt(n, request, key)

    def begin(self, kind, n):
        op, once, _ = getattr(self, kind)(n)
        self.ledger.write(t="push", n=n, op=op, once=once and self.options.keys, kind=kind)

    def unfinished(self):
        """The last push, if it has a key and was not acknowledged, as it was begun before we were killed."""
        pushes = ledgers.pushes_of(self.ledger.lines)
        if not pushes:
            return 0, None
        last = pushes[-1]
        kind = [line["kind"] for line in self.ledger.lines if line["t"] == "push"][-1]
        if last.once and not last.acknowledged:
            return last.n, kind
        return last.n + 1, None

    def again(self, count):
        """What was acknowledged stays known, wherever it is pushed once more."""
        begun = [line for line in self.ledger.lines if line["t"] == "push" and line["once"]][-count:]
        for line in begun:
            request = getattr(self, line["kind"])(line["n"])[2]
            self.has_digit = line["kind"] in ("add", "loose", "window")
            self.attempt(line["n"], request, self.key(line["n"]))

    def stopped(self):
        return os.path.exists(os.path.join(self.folder, "stop"))

    def run(self):
        n, kind = self.unfinished()
        while kind is not None or not self.stopped():
            if kind is None:
                kind = self.rng.choices([k.__name__ for _, k in self.kinds], [w for w, _ in self.kinds])[0]
                self.begin(kind, n)
            self.push(n, kind)
            n, kind = n + 1, None
            if self.options.pushes and n >= self.options.pushes:
                break
            time.sleep(self.rng.expovariate(1 / max(self.options.pause, 1e-6)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--seed", default=str(uuid.uuid4()))
    parser.add_argument("--run", type=int, default=0, help="part of every key")
    parser.add_argument("--urls", required=True, help="where to push, with commas")
    parser.add_argument("--readable", default="", help="of them those where what was acknowledged is served at once")
    parser.add_argument("--folder", required=True, help="of the ledger, and of the file stop")
    parser.add_argument("--pause", type=float, default=0.01, help="seconds between pushes, on average")
    parser.add_argument("--pushes", type=int, default=0, help="end after so many")
    parser.add_argument("--no-keys", dest="keys", action="store_false")
    parser.add_argument("--again", type=int, default=0, help="push nothing but the last so many once more")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    client = Client(parser.parse_args())
    if client.options.again:
        client.again(client.options.again)
    else:
        client.run()


if __name__ == "__main__":
    main()
