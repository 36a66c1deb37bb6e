# SPDX-License-Identifier: Apache-2.0
"""Our parser, as gravel-expo-events shows it."""
import collections
import json
import math
import os
import pathlib
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GRAVEL_BIN") or ROOT / "build" / "bin").resolve().parent
PROGRAM = BUILD / "tests" / "gravel-expo-events"

# What a parser made of a body. error is None where it took all of it; meta: {family: {"type", "help", "unit"}} of what was said.
Verdict = collections.namedtuple("Verdict", "error samples meta")
# labels: sorted pairs; time: milliseconds or None; exemplar: (labels, value, time) or None; family: its name or None if nobody says.
Sample = collections.namedtuple("Sample", "name labels value time exemplar family")


def number(value):
    """A value as a float; all NaN alike, and equal to each other."""
    value = float(value)
    return "NaN" if math.isnan(value) else value


def exemplar_of(e):
    return e and (tuple(sorted(map(tuple, e["labels"]))), number(e["value"]), e.get("timestamp_ms"))


def sample_of(e):
    return Sample(e["name"], tuple(sorted(map(tuple, e["labels"]))), number(e["value"]), e.get("timestamp_ms"),
                  exemplar_of(e.get("exemplar")), e["family"])


def verdict_of(events):
    """The Verdict of a body's events, the last of which is its end or an error."""
    samples, meta = [], {}
    for e in events[:-1]:
        if e["kind"] == "sample":
            samples.append(sample_of(e))
        else:
            meta.setdefault(e["name"], {})[e["kind"]] = e["type" if e["kind"] == "type" else "text"]
    last = events[-1]
    error = "%d:%d: %s" % (last["line"], last["column"], last["error"]) if "error" in last else None
    return Verdict(error, samples, meta)


class Parser:
    """One process for any number of bodies."""

    def __init__(self, *options):
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:exitcode=99", UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
        self.process = subprocess.Popen([str(PROGRAM), *map(str, options), "--batch"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=env)

    def _write(self, bodies):
        try:
            for body in bodies:
                self.process.stdin.write(b"%d\n" % len(body) + body)
            self.process.stdin.flush()
        except BaseException:
            # Else the reader would wait for an answer for ever.
            self.process.stdin.close()
            raise

    def _read(self):
        events = []
        while not events or events[-1].get("kind", "end") != "end":
            line = self.process.stdout.readline()
            assert line, "gravel-expo-events ended with status %s" % self.process.wait(10)
            events.append(json.loads(line))
        return events

    def events(self, *bodies):
        """A list of events for each body. The writer is a thread, because a pipe holds less than many bodies and their answers."""
        writer = threading.Thread(target=self._write, args=(bodies,))
        writer.start()
        found = [self._read() for _ in bodies]
        writer.join()
        return found

    def verdicts(self, *bodies):
        return [verdict_of(events) for events in self.events(*bodies)]

    def verdict(self, body):
        return self.verdicts(body)[0]

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0, "gravel-expo-events ended with %d" % self.process.returncode
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if kind is None:
            self.close()
        else:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
