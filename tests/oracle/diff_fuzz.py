#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Differential fuzz of the OpenMetrics parser against the Python client's.

    diff_fuzz.py [--seconds N] [--seed TEXT] [--case N]

Generates expositions (generate.py) and compares verdict and samples of both. A disagreement is either one that docs/FORMATS.md knows
(known.py tells which) or is made small and printed, and the exit status is 1. The last line is a summary in JSON. Case N of a seed
is always the same body; --case prints it and what both say.
"""
import argparse
import collections
import json
import random
import sys
import time

import events
import generate
import known
import oracle

BATCH = 256
SHOWN_MAX = 20


def options():
    return ("--format", "openmetrics", "--seen")


def case_of(seed, i):
    return generate.exposition(random.Random("%s/%d" % (seed, i)))


def disagreement(body, theirs, ours, valid=False):
    """None where both agree; else what differs in a few words, equal for disagreements of one kind."""
    if valid and theirs.error is not None and ours.error is not None:
        return "both refuse what is valid by construction: " + known.kind(ours.error)
    if theirs.error is None and ours.error is None:
        return None if theirs.samples == ours.samples else "other samples"
    if theirs.error is not None and ours.error is not None:
        return None
    return "ours refuses: " + known.kind(ours.error) if theirs.error is None else "theirs refuses: " + known.kind(theirs.error)


class Fuzz:
    def __init__(self, seed):
        self.seed = seed
        self.parser = events.Parser(*options())
        self.counts = collections.Counter()
        self.known = collections.Counter()
        self.found = {}

    def judge(self, body):
        theirs, ours = oracle.verdict(body), self.parser.verdict(body)
        what = disagreement(body, theirs, ours)
        return what if what and not known.reason(body, theirs, ours) else None

    def shrink(self, body, what):
        """The smallest body that still shows the same disagreement: without lines, then without bytes."""
        for split in (lambda b: b.splitlines(keepends=True), lambda b: [bytes([c]) for c in b]):
            parts, at = split(body), 0
            while at < len(parts):
                less = parts[:at] + parts[at + 1:]
                if self.judge(b"".join(less)) == what:
                    parts = less
                else:
                    at += 1
            body = b"".join(parts)
        return body

    def look(self, i, body, valid, ours):
        theirs = oracle.verdict(body)
        self.counts["cases"] += 1
        self.counts["accepted" if theirs.error is None and ours.error is None else "refused" if theirs.error and ours.error else "disputed"] += 1
        what = disagreement(body, theirs, ours, valid)
        if what is None:
            return
        reason = known.reason(body, theirs, ours)
        if reason:
            self.known[reason] += 1
            return
        self.counts["disagreements"] += 1
        if what not in self.found and len(self.found) < SHOWN_MAX:
            self.found[what] = i
            small = self.shrink(body, what) if self.judge(body) == what else body
            print("case %d of seed %s: %s\n%s" % (i, self.seed, what, shown(small, oracle.verdict(small), self.parser.verdict(small))), flush=True)

    def run(self, seconds):
        start, i = time.monotonic(), 0
        while time.monotonic() - start < seconds:
            batch = [case_of(self.seed, i + k) for k in range(BATCH)]
            for k, ((body, valid), ours) in enumerate(zip(batch, self.parser.verdicts(*(body for body, _ in batch)))):
                self.look(i + k, body, valid, ours)
            i += BATCH
        took = time.monotonic() - start
        self.parser.close()
        return dict(self.counts, seed=self.seed, seconds=round(took, 1), per_second=round(self.counts["cases"] / took),
                    disagreements=self.counts["disagreements"], known=dict(self.known.most_common()))


def shown(body, theirs, ours):
    lines = ["  | %r" % line.decode("utf-8", "backslashreplace") for line in body.splitlines(keepends=True)]
    lines += ["  oracle: %s" % (theirs.error or theirs.samples), "  ours:   %s" % (ours.error or ours.samples)]
    return "\n".join(lines)


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**9)))
    parser.add_argument("--case", type=int)
    args = parser.parse_args(argv)
    if args.case is not None:
        body, valid = case_of(args.seed, args.case)
        with events.Parser(*options()) as ours:
            print("valid by construction: %s\n%s" % (valid, shown(body, oracle.verdict(body), ours.verdict(body))))
        return 0
    print("seed %s" % args.seed, flush=True)
    summary = Fuzz(args.seed).run(args.seconds)
    print(json.dumps(summary))
    return 1 if summary["disagreements"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
