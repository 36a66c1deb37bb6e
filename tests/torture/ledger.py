# SPDX-License-Identifier: Apache-2.0
"""What a client said it does and what it was told, and what must be served then. This file knows nothing of how a push is kept.

A ledger is a file of lines in JSON, each synced before the next step is taken:

    {"t": "push", "n": 7, "op": [...], "once": true}     what is about to be pushed; once: with a key, however often it is sent
    {"t": "try", "n": 7}                                 it is sent now
    {"t": "got", "n": 7, "code": 200}                    and was answered
    {"t": "wrong", ...}                                  the client itself saw what must not be

Operations: ["add", {series: value}], ["set", group, {series: value}] (the whole group is that), ["merge", group, {series: value}], ["drop", group],
["forget", [series...]] (those leave by themselves). A series is its text as /metrics writes it. Of pushes of one client each is begun after the one before it was answered.
"""
import json
import os

# In a series whose name ends so, each push has a digit of its own of base 4: which push counted how often can be read in the value.
DIGITS = "_digits_total"
DIGITS_EACH = 25  # 4^25 < 2^53


class Ledger:
    def __init__(self, path):
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        data = b""
        while True:
            more = os.read(self.fd, 1 << 20)
            if not more:
                break
            data += more
        whole = data.rfind(b"\n") + 1
        os.ftruncate(self.fd, whole)
        os.lseek(self.fd, whole, os.SEEK_SET)
        self.lines = [json.loads(line) for line in data[:whole].split(b"\n")[:-1]]

    def write(self, **line):
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        while data:
            data = data[os.write(self.fd, data):]
        os.fdatasync(self.fd)


class Push:
    def __init__(self, line):
        self.n, self.op, self.once = line["n"], line["op"], line["once"]
        self.tries, self.codes = 0, []

    @property
    def acknowledged(self):
        return sum(200 <= c < 300 for c in self.codes)

    def least(self):
        return min(1, self.acknowledged) if self.once else self.acknowledged

    def most(self, refusals_may_count):
        if self.once:
            return 1 if self.acknowledged or self.tries > self.refused(refusals_may_count) else 0
        return self.tries - self.refused(refusals_may_count)

    def refused(self, may_count):
        """Tries whose answer says that they do not count."""
        return sum(c in (400, 413, 429) or (c == 503 and not may_count) for c in self.codes)


def pushes_of(lines):
    found = {}
    for line in lines:
        if line["t"] == "push":
            found[line["n"]] = Push(line)
        elif line["t"] == "try":
            found[line["n"]].tries += 1
        elif line["t"] == "got":
            found[line["n"]].codes.append(line["code"])
    return [found[n] for n in sorted(found)]


class Expected:
    """Of each series the least and the most that may be served, from all ledgers."""

    def __init__(self, refusals_may_count=False):
        self.refusals_may_count = refusals_may_count
        self.least, self.most = {}, {}
        self.groups = {}  # name: list of possible contents
        self.absent = set()
        self.wrong = []
        self.pushes = self.acknowledged = self.unknown = 0

    def add_ledger(self, name, lines):
        for line in lines:
            if line["t"] == "wrong":
                self.wrong.append("%s: %s" % (name, json.dumps(line)))
        for push in pushes_of(lines):
            self.pushes += 1
            self.acknowledged += push.acknowledged > 0
            least, most = push.least(), push.most(self.refusals_may_count)
            self.unknown += most > least
            self.apply(push.op, least, most)

    def apply(self, op, least, most):
        kind = op[0]
        if kind == "add":
            for series, value in op[1].items():
                self.least[series] = self.least.get(series, 0) + least * value
                self.most[series] = self.most.get(series, 0) + most * value
        elif kind == "forget":
            self.absent.update(op[1])
        else:
            before = self.groups.get(op[1], [{}])
            after = {"set": lambda g: dict(op[2]), "merge": lambda g: dict(g, **op[2]), "drop": lambda g: {}}[kind]
            possible = [after(g) for g in before] if most > 0 else []
            if least == 0:
                possible += before
            self.groups[op[1]] = [g for i, g in enumerate(possible) if g not in possible[:i]]

    def problems(self, served):
        """served: {series: value} of the names that the clients use. A list of sentences."""
        found = list(self.wrong)
        for series in sorted(self.most):
            found += self.check_sum(series, served.get(series, 0))
        known = set(self.most)
        for name, possible in sorted(self.groups.items()):
            known.update(*[g.keys() for g in possible])
            mine = {s: v for s, v in served.items() if 'group="%s"' % name in s}
            if mine not in possible:
                found.append("group %s is %r, but may be %r" % (name, mine, possible))
            known.update(mine)
        found += ["%s should have left" % s for s in sorted(self.absent) if s in served]
        found += ["%s = %r was pushed by nobody" % (s, v) for s, v in sorted(served.items()) if s not in known | self.absent]
        return found

    def check_sum(self, series, value):
        least, most = self.least[series], self.most[series]
        if DIGITS in series:
            low, high, got = digits(least), digits(most), digits(value)
            bad = [i for i in range(DIGITS_EACH + 1) if not low[i] <= got[i] <= high[i]]
            return ["%s: push at digit %d counted %d times, not %s" % (series, i, got[i], span(low[i], high[i])) for i in bad]
        if least <= value <= most:
            return []
        return ["%s = %r, not %s" % (series, value, span(least, most))]


def span(least, most):
    return str(least) if least == most else "%s to %s" % (least, most)


def digits(value):
    """Base 4, the lowest first; what is beyond is in the last."""
    value, found = int(value), []
    for _ in range(DIGITS_EACH):
        found.append(value % 4)
        value //= 4
    return found + [value]
