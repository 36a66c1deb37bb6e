# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the text format 0.0.4: what it accepts has no duplicate series and no split family."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r"^(%s)(?:\{(.*)\})? (\S+)(?: (-?\d+))?$" % NAME)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
OWN = re.compile(r"^(gravel|process)_")
PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


class Sample:
    def __init__(self, name, labels, value, timestamp):
        self.name = name
        self.labels = labels
        self.text = value
        self.timestamp = timestamp

    @property
    def value(self):
        return float(self.text.replace("Inf", "inf"))

    def __repr__(self):
        return "%s%r %s" % (self.name, self.labels, self.text)


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        assert m, "bad labels: %r" % text
        assert m.group(1) not in labels, "label twice: %r" % text
        labels[m.group(1)] = re.sub(r'\\[\\"n]', lambda e: ESCAPES[e.group(0)], m.group(2))
        at = m.end()
    return labels


class Exposition:
    def __init__(self, text):
        self.text = text
        self.types = {}
        self.helps = {}
        self.samples = []
        self.blocks = {}
        self._series = set()
        self._current = None
        assert text == "" or text.endswith("\n"), "the last line has no end"
        for line in text.split("\n")[:-1]:
            self._line(line)

    def _family_of(self, name):
        kind = self.types.get(self._current)
        for suffix in PARTS.get(kind, ("",)):
            if name == self._current + suffix:
                return self._current
        return name

    def _enter(self, family, line):
        if family != self._current:
            assert family not in self.blocks, "family %s is split" % family
            self.blocks[family] = []
            self._current = family
        self.blocks[family].append(line)

    def _line(self, line):
        words = line.split(" ", 3)
        if words[:2] == ["#", "TYPE"]:
            self._enter(words[2], line)
            assert words[2] not in self.types, "two TYPE lines of %s" % words[2]
            self.types[words[2]] = words[3]
        elif words[:2] == ["#", "HELP"]:
            self._enter(words[2], line)
            assert words[2] not in self.helps, "two HELP lines of %s" % words[2]
            self.helps[words[2]] = words[3] if len(words) > 3 else ""
        else:
            m = SAMPLE.match(line)
            assert m, "not a line of the text format: %r" % line
            labels = parse_labels(m.group(2) or "")
            key = (m.group(1), tuple(sorted(labels.items())))
            assert key not in self._series, "series twice: %r" % line
            self._series.add(key)
            self._enter(self._family_of(m.group(1)) if self._current else m.group(1), line)
            sample = Sample(m.group(1), labels, m.group(3), m.group(4))
            sample.value  # must be a number
            self.samples.append(sample)

    def find(self, name, **labels):
        """All samples of that name which carry these labels."""
        return [s for s in self.samples
                if s.name == name and all(s.labels.get(k) == v for k, v in labels.items())]

    def find_all(self, **labels):
        """All samples of any name which carry these labels."""
        return [s for s in self.samples if all(s.labels.get(k) == v for k, v in labels.items())]

    def value(self, name, **labels):
        """The value of the one sample that fits."""
        found = self.find(name, **labels)
        assert len(found) == 1, "%d samples of %s%r: %r" % (len(found), name, labels, found)
        return found[0].value

    def total(self, name, **labels):
        return sum(s.value for s in self.find(name, **labels))

    def without_own(self):
        """The families that are not the program's own metrics, as a set of texts: equal sets differ only in the order of families."""
        return {"\n".join(lines) + "\n" for family, lines in self.blocks.items() if not OWN.match(family)}

    def names_without_own(self):
        return {s.name for s in self.samples if not OWN.match(s.name)}


def check_histogram(exposition, name, **labels):
    """Cumulative, with +Inf equal to _count."""
    buckets = sorted((float(s.labels["le"].replace("Inf", "inf")), s.value)
                     for s in exposition.find(name + "_bucket", **labels))
    assert buckets, "no buckets of %s%r" % (name, labels)
    values = [v for _, v in buckets]
    assert values == sorted(values), "not cumulative: %r" % buckets
    assert buckets[-1][0] == float("inf"), "no +Inf bucket: %r" % buckets
    assert buckets[-1][1] == exposition.value(name + "_count", **labels)
    return dict(buckets)
