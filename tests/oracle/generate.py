# SPDX-License-Identifier: Apache-2.0
"""Random expositions of OpenMetrics: valid by construction, then mutated. All choices come from the generator that is given."""
import re

SUFFIXES = {
    "unknown": [""], "gauge": [""], "stateset": [""], "info": ["_info"], "counter": ["_total", "_created"],
    "summary": ["", "_count", "_sum", "_created"], "histogram": ["_count", "_sum", "_bucket", "_created"],
    "gaugehistogram": ["_gcount", "_gsum", "_bucket"],
}
TYPES = list(SUFFIXES)
ALL_SUFFIXES = ["", "_total", "_created", "_count", "_sum", "_bucket", "_gcount", "_gsum", "_info", "_x"]
WORDS = ["a", "b", "ab", "lamp", "hit", "x:y", "_z", "A9", "wait_time", "a_total", "a_count", "b_created", "lamp_info", "HELP", "EOF"]
UNITS = ["seconds", "bytes", "m_per_s", "x"]
LABELS = ["a", "b", "Cc", "d_9", "_e", "le_", "lamp"]
VALUES = ["", "x", "1", "two words", "äöü", "雨", "a\\nb", "\\\"", "\\\\", "\\d", "{", "}", ",", "=", "#", " # ", "# {} 1", "} 1", "x=\\\"y\\\",",
          "\t", "\x7f", "\x01", "\u2028", "\x85", "a" * 70]
HELPS = ["", "x", "some words", " blanks  around ", "a\\nb", "\\\"q\\\"", "\\\\", "\\x", "# EOF", "äöü 雨", "{a=1} 2", "\t"]
BOUNDS = ["-Inf", "-10.0", "-1.5", "-1e-3", "0.0", "1e-05", "0.1", "0.25", ".5", "1", "1.5e0", "2.0", "+3", "10.0", "1E2", "1e+06", "1.1e+23"]
QUANTILES = ["0.0", "0", "0.5", ".5", "5e-1", "0.9", "0.99", "1", "1.0", "+1"]
NUMBERS = ["0", "1", "-1", "+1", "0042", "17", "1.5", "-1.5", ".5", "5.", "-.25", "+.5e1", "1e3", "1E-3", "1e+10", "123456789012345678", "0.1",
           "3.14159265358979323846", "1.7976931348623157e308", "5e-324", "1e-400", "Inf", "+Inf", "-inf", "INFINITY", "-Infinity", "NaN", "nan", "nAn",
           "-0", "0.0", "1700000000.123"]
COUNTS = ["0", "1", "2", "17", "3.0", "1e1", "0042", "1.5e3", "+7", "-0"]
POSITIVE = ["0", "1", "0.5", "17", "1e-3", "+2.5", ".5", "1e300", "+Inf", "inf", "-0.0"]
# What takes the place of a number in a mutation.
ODD = NUMBERS + ["", "-", ".", "1e", "e1", "1e5.5", "0x1f", "0x1p3", "1_0", "1,5", "infin", "+NaN", "-nan", "1.2.3", "--1", "1x", "x", "1e309", "-1e309",
                 "1.5", "2", "-3", "\"1\"", "1.+5", "∞", "١", "nan ", "1e-3", "0.5 ", "100", "200", "99.5"]
# What is put between, or in the place of, other characters.
SYNTAX = [" ", "  ", "\t", "\r", "\"", "\\", "{", "}", ",", "=", "#", " # ", "\n", "\0", "_", ":", ".", "-", "+", "0", "1", "9", "e", "x", "é", "\ufeff", "\\n",
          "\\\"", "{}", " 1", " 5", " # {} 1", " # {a=\"b\"} 0.5", " # {a=\"b\"} 0.5 7.25"]
LINES = ["", " ", "# EOF", "# eof", "#", "# x", "# TYPE a gauge", "# TYPE b counter", "# TYPE lamp histogram", "# HELP a x", "# HELP b ", "# UNIT lamp ",
         "# UNIT a_seconds seconds", "# TYPE hit info", "# TYPE ab stateset", "a 1", "a{a=\"1\"} 1", "hit_total 1", "hit_created 1", "lamp_bucket{le=\"+Inf\"} 1",
         "lamp_count 1", "lamp_sum 1", "lamp_gsum 1", "a_total 1 # {} 1", "a_info 1", "{\"a\"} 1"]


class Model:
    """One exposition, line by line."""

    def __init__(self, rng):
        self.rng = rng
        self.lines = []
        self.taken = set()
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4))):
            self.family()
        self.lines.append("# EOF")

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, percent):
        return self.rng.random() * 100 < percent

    def family(self):
        kind = self.rng.choice(TYPES)
        unit = self.rng.choice(UNITS) if self.chance(20) and kind not in ("info", "stateset") else None
        name = self.rng.choice(WORDS) + ("_" + unit if unit else "")
        # A StateSet's name is the name of a label.
        name = name.replace(":", "_") if kind == "stateset" else name
        names = {name} | {name + s for s in SUFFIXES[kind]}
        if names & self.taken:
            return
        self.taken |= names
        self.metadata(name, kind, unit)
        times = self.times(kind)
        for labels in self.label_sets(name, kind):
            # The oracle takes all samples of an Info for one Metric.
            self.points(name, kind, labels, times if kind == "info" and not self.chance(2) else self.times(kind))

    def metadata(self, name, kind, unit):
        lines = []
        if kind != "unknown" or self.chance(50):
            lines.append("# TYPE %s %s" % (name, kind))
        if unit or self.chance(5):
            lines.append("# UNIT %s %s" % (name, unit or ""))
        if self.chance(40):
            lines.append("# HELP %s %s" % (name, self.rng.choice(HELPS)))
        if self.chance(20):
            self.rng.shuffle(lines)
        self.lines += lines

    def labels(self, without=(), most=3):
        names = [n for n in LABELS if n not in without]
        return ['%s="%s"' % (n, self.rng.choice(VALUES)) for n in self.rng.sample(names, self.pick(0, 0, 1, 1, 2, most))]

    def label_sets(self, name, kind):
        """Sets of labels that differ, whatever their order."""
        without = (name,) if kind == "stateset" else ()
        found = {}
        for _ in range(self.pick(0, 1, 1, 1, 2, 3)):
            labels = self.labels(without)
            found[tuple(sorted(labels))] = labels
        return list(found.values())

    def times(self, kind):
        """Of the points of a metric, as they stand behind the value."""
        if self.chance(15):
            return [" " + self.pick("0", "5", "1700000000", "1700000000.123", "-5", "1.5e9", "1604676851.123456789", "7.")]
        if self.chance(5) and kind in ("unknown", "gauge"):
            start = self.rng.randrange(1000)
            return [" %d" % (start + i) for i in range(3)]
        return [""]

    def points(self, name, kind, labels, times):
        for time in times:
            getattr(self, "point_" + kind)(name, labels, time)

    def sample(self, name, labels, value, time, exemplar=""):
        if self.chance(10):
            labels = self.rng.sample(labels, len(labels))
        braces = "{%s}" % ",".join(labels) if labels or self.chance(5) else ""
        self.lines.append("%s%s %s%s%s" % (name, braces, value, time, exemplar))

    def exemplar(self, bound=None):
        if not self.chance(20):
            return ""
        values = [v for v in NUMBERS if bound is None or float(v) <= bound]
        labels = [v for v in self.labels() if "}" not in v or self.chance(2)]
        if sum(len(v) - 3 for v in labels) > 128 or not values:
            labels = []
        time = self.pick("", "", " 5", " 1700000000.5", " -2.5", " 1e9")
        return " # {%s} %s%s" % (",".join(labels), self.rng.choice(values) if values else bound, time)

    def point_unknown(self, name, labels, time):
        self.sample(name, labels, self.rng.choice(NUMBERS), time)

    point_gauge = point_unknown

    def created(self, name, labels, time, percent=30):
        if self.chance(percent):
            self.sample(name + "_created", labels, self.pick("0", "1700000000", "1700000000.25", "-5", "1e9"), time)

    def point_counter(self, name, labels, time):
        self.sample(name + "_total", labels, self.rng.choice(POSITIVE), time, self.exemplar())
        self.created(name, labels, time)

    def point_stateset(self, name, labels, time):
        for state in self.rng.sample(["a", "b", "", "x y", "\\\"", "ä"], self.pick(1, 2, 3)):
            mine = labels + ['%s="%s"' % (name, state)]
            self.sample(name, self.rng.sample(mine, len(mine)), self.pick("0", "1", "1.0", "0.0", "+1", "1e0"), time)

    def point_info(self, name, labels, time):
        self.sample(name + "_info", labels, self.pick("1", "1.0", "1e0", "+1"), time)

    def point_summary(self, name, labels, time):
        parts = []
        quantiles = {float(q): q for q in self.rng.sample(QUANTILES, self.pick(0, 1, 2, 3))}
        for q in quantiles.values():
            mine = labels + ['quantile="%s"' % q]
            parts.append((name, self.rng.sample(mine, len(mine)), self.pick(*POSITIVE, "NaN")))
        if not parts or self.chance(60):
            parts.append((name + "_count", labels, self.rng.choice(COUNTS)))
        if self.chance(60):
            parts.append((name + "_sum", labels, self.rng.choice(POSITIVE)))
        if self.chance(20):
            self.rng.shuffle(parts)
        for part in parts:
            self.sample(*part, time)
        self.created(name, labels, time)

    def buckets(self, name, labels, time):
        """The buckets of a point: (whether there are negative bounds, the count of the last)."""
        bounds = sorted({float(b): b for b in self.rng.sample(BOUNDS, self.pick(0, 1, 2, 4))}.items())
        count = 0
        for bound, text in bounds + [(float("inf"), "+Inf")]:
            count += self.pick(0, 0, 1, 2, 1000)
            mine = labels + ['le="%s"' % text]
            if self.chance(20):
                mine = self.rng.sample(mine, len(mine))
            value = self.pick("%d", "%d", "%d", "%d.0", "0%d", "+%d") % count
            self.sample(name + "_bucket", mine, value, time, self.exemplar(bound))
        return bool(bounds) and bounds[0][0] < 0, count

    def point_histogram(self, name, labels, time):
        negative, count = self.buckets(name, labels, time)
        if not negative and self.chance(60):
            self.sample(name + "_count", labels, str(count), time)
            self.sample(name + "_sum", labels, self.rng.choice(POSITIVE), time)
        self.created(name, labels, time)

    def point_gaugehistogram(self, name, labels, time):
        negative, count = self.buckets(name, labels, time)
        if self.chance(60):
            self.sample(name + "_gcount", labels, "%d.0" % count, time)
            self.sample(name + "_gsum", labels, self.rng.choice(POSITIVE + (["-5.5"] if negative else [])), time)


NUMBER = re.compile(r"(?<=[ \"])[-+.0-9][-+.0-9a-zA-Z]*|(?<=[ \"])[-+]?(?:[Ii][Nn][Ff]\w*|[Nn][Aa][Nn])")


class Mutator:
    """Changes to the lines of an exposition, most of which make it wrong."""

    def __init__(self, rng, lines):
        self.rng = rng
        self.lines = lines
        self.steps = [getattr(self, n) for n in sorted(dir(self)) if n.startswith("do_")]

    def mutate(self, times):
        for _ in range(times):
            self.rng.choice(self.steps)()
        return self.lines

    def place(self):
        return self.rng.randrange(len(self.lines)) if self.lines else 0

    def edit(self, change):
        """Change one line, if there is one, by a function of its text."""
        if self.lines:
            i = self.place()
            self.lines[i] = change(self.lines[i])

    def replace_match(self, pattern, text):
        """Replace one match of a pattern in one line."""
        def change(line):
            found = list(re.finditer(pattern, line))
            if not found:
                return line
            m = self.rng.choice(found)
            return line[:m.start()] + text + line[m.end():]
        self.edit(change)

    def do_drop_line(self):
        if self.lines:
            del self.lines[self.place()]

    def do_duplicate_line(self):
        if self.lines:
            i = self.place()
            self.lines.insert(i + 1 if self.rng.random() < 0.5 else self.place(), self.lines[i])

    def do_swap_lines(self):
        if self.lines:
            i, j = self.place(), self.place()
            self.lines[i], self.lines[j] = self.lines[j], self.lines[i]

    def do_swap_neighbours(self):
        if len(self.lines) > 1:
            i = self.rng.randrange(len(self.lines) - 1)
            self.lines[i], self.lines[i + 1] = self.lines[i + 1], self.lines[i]

    def do_insert_line(self):
        self.lines.insert(self.rng.randrange(len(self.lines) + 1), self.rng.choice(LINES))

    def do_suffix(self):
        self.replace_match(r"(?<=[a-zA-Z0-9])_(?:total|created|count|sum|bucket|gcount|gsum|info)(?=[ {])", self.rng.choice(ALL_SUFFIXES))

    def do_add_suffix(self):
        self.replace_match(r"(?<=\w)(?=\{)|(?<=^\w)(?= )", self.rng.choice(ALL_SUFFIXES))

    def do_type(self):
        self.replace_match(r"(?<= )(?:%s)$" % "|".join(TYPES), self.rng.choice(TYPES + ["untyped", "Gauge", ""]))

    def do_name(self):
        self.replace_match(r"^\w+|(?<=# (?:TYPE|HELP|UNIT) )\w+", self.rng.choice(WORDS))

    def do_keyword(self):
        self.replace_match(r"(?<=# )(?:TYPE|HELP|UNIT|EOF)", self.rng.choice(["TYPE", "HELP", "UNIT", "EOF", "type"]))

    def do_number(self):
        self.replace_match(NUMBER, self.rng.choice(ODD))

    do_number_again = do_number

    def do_last_number(self):
        self.replace_match(r"(?<= )[^ ]+$", self.rng.choice(ODD))

    def do_timestamp(self):
        self.edit(lambda line: line + " " + self.rng.choice(ODD + ["5", "6.5", "100"]))

    def do_drop_word(self):
        self.replace_match(r" [^ ]+", "")

    def do_label_name(self):
        self.replace_match(r"\w+(?==\")", self.rng.choice(LABELS + ["le", "quantile", "a", "b", "9", "", "__name__"]))

    def do_label_value(self):
        self.replace_match(r"(?<==\")[^\"]*(?=\")", self.rng.choice(VALUES + BOUNDS + QUANTILES + ODD + ["+Inf"]))

    def do_bound(self):
        self.replace_match(r"(?<=(?:le|le)=\")[^\"]*(?=\")", self.rng.choice(BOUNDS + ["+Inf", "Inf", "NaN", "nan", " 1", "1_0", "", "+inf", "1e400"]))

    def do_label(self):
        self.replace_match(r"(?<=[{,])\w+=\"[^\"]*\"", self.rng.choice(["", 'a="1"', 'le="1"', 'quantile="0.5"', "a=1", 'a="1",', ',a="1"']))

    def do_unit(self):
        self.replace_match(r"(?<=UNIT )(\S+) \S*", self.rng.choice(["a seconds", "a_seconds seconds", "a ", "lamp_x x"]))

    def do_insert(self):
        def change(line):
            at = self.rng.randrange(len(line) + 1)
            return line[:at] + self.rng.choice(SYNTAX) + line[at:]
        self.edit(change)

    def do_replace(self):
        def change(line):
            at = self.rng.randrange(len(line)) if line else 0
            return line[:at] + self.rng.choice(SYNTAX) + line[at + 1:]
        self.edit(change)

    def do_delete(self):
        def change(line):
            at = self.rng.randrange(len(line)) if line else 0
            return line[:at] + line[at + 1:]
        self.edit(change)

    def do_blank(self):
        self.replace_match(r" ", self.rng.choice(["", "  ", "\t", " \t", "\r"]))

    def do_end(self):
        self.edit(lambda line: line + self.rng.choice([" ", "\r", "\t", "\\", "\"", " # {} 1", " #", " # {a=\"1\"} 1 5", ","]))


def exposition(rng):
    """(body, whether it is valid by construction)."""
    lines = Model(rng).lines
    mutations = rng.choice((0, 0, 1, 1, 1, 1, 2, 2, 3))
    if mutations:
        lines = Mutator(rng, lines).mutate(mutations)
    body = "\n".join(lines).encode("utf-8") + (b"" if rng.random() < 0.03 and lines and lines[-1] == "# EOF" else b"\n")
    if rng.random() < 0.01:
        at = rng.randrange(len(body))
        body = body[:at] + bytes([rng.randrange(256)]) + body[at + 1:]
        mutations = 1
    return body, mutations == 0
