# SPDX-License-Identifier: Apache-2.0
"""The disagreements with the oracle that docs/FORMATS.md documents under these names, told from what both say and from the body: what is
blamed must be there."""
import re

from prometheus_client.openmetrics import parser as theirs_inside


def kind(error):
    """An error without what is peculiar to its case."""
    error = re.sub(r"^\d+:\d+: ", "", error)
    error = re.sub(r'".*"', '""', error, flags=re.S)
    return re.sub(r"(: |')[^:]*$", r"\1", error) if re.match(r"\w+Error: ", error) else error


class Blame:
    """The place that an error of ours names."""

    def __init__(self, body, error):
        line, column, self.error = re.match(r"(\d+):(\d+): (.*)", error, re.S).groups()
        self.lines = body.split(b"\n")
        self.number = int(line) - 1
        self.line = self.lines[self.number] if self.number < len(self.lines) else b""
        self.column = int(column) - 1
        start = self.line.rfind(b" ", 0, self.column) + 1
        self.word = self.line[start:].split(b" ")[0].decode("utf-8", "replace")
        self.rest = self.line[self.column:]

    def says(self, text):
        return text in self.error


def series(line):
    """The name and labels of a sample's line as the oracle reads them; None if it is no sample."""
    if line.startswith(b"#") or not line:
        return None
    try:
        sample = theirs_inside._parse_sample(line.decode("utf-8"))  # pylint: disable=protected-access
    except ValueError:
        return None
    return sample.name, tuple(sorted(sample.labels.items())), sample.timestamp


def stands_before(b):
    mine = series(b.line)
    return mine is not None and any(series(line) == mine for line in b.lines[:b.number])


def label(line, name):
    found = series(line)
    return dict(found[1]).get(name) if found else None


def number_of(text):
    try:
        return float(text)
    except ValueError:
        return None


def out_of_range(text):
    """Too large for a double, of which Python makes an infinity."""
    return number_of(text) in (float("inf"), float("-inf")) and "n" not in text.lower()


def odd_number(text):
    """What float() of Python takes and the grammar does not."""
    return number_of(text) is not None and not re.fullmatch(
        r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?inf(inity)?|nan", text, re.A | re.I)


def odd_time(text):
    """What int() of Python takes on both sides of a point, and the grammar does not."""
    whole, point, fraction = text.partition(".")
    try:
        return bool(point) and int(whole) is not None and int(fraction[:9].ljust(9, "0")) is not None and not re.fullmatch(r"[-+]?\d+\.\d*", text, re.A)
    except ValueError:
        return False


def time_of_exemplar(b):
    m = re.search(rb"# \{.*\} [^ ]+ (.*)$", b.line, re.S)
    return m[1].decode("utf-8", "replace") if m else ""


def odd_bound(text):
    """What float() of Python takes and no le or quantile may be."""
    return odd_number(text) or text.lower() == "nan" or out_of_range(text)


def total_is_missing(b):
    found = series(b.line)
    return found is not None and found[0].endswith("_created") and all(
        series(line) != (found[0][:-8] + "_total",) + found[1:] for line in b.lines)


def exemplar_is_above(b):
    m = re.search(rb"# \{.*\} (\S+)", b.line)
    bound = number_of(label(b.line, "le") or "")
    value = number_of(m[1].decode()) if m else None
    return bound is not None and value is not None and not value <= bound


# name, what our error says, what must be true of the place
OURS_REFUSES = [
    ("series-twice", "stands twice", stands_before),
    ("series-twice", "is not above the one before", stands_before),
    ("bound-not-in-the-grammar", " of the ", lambda b: any(odd_bound(label(b.line, n) or "") for n in ("le", "quantile"))),
    ("blank-after-the-brace", "expected a blank after '}'", lambda b: not b.rest.startswith(b" ")),
    ("time-cut-after-nine-digits", "is not a number", lambda b: re.match(r"[-+]?\d+\.\d{9}", b.word)),
    ("number-not-in-the-grammar", "is not a number", lambda b: odd_number(b.word) or odd_time(b.word)),
    ("time-cut-after-nine-digits", "timestamp, found", lambda b: re.match(r"[-+]?\d+\.\d{9}", b.word)),
    ("number-not-in-the-grammar", "timestamp, found", lambda b: odd_time(b.word)),
    ("number-not-in-the-grammar", "after the exemplar", lambda b: odd_time(time_of_exemplar(b))),
    ("number-out-of-range", "is out of range", lambda b: out_of_range(b.word)),
    ("time-out-of-range", "is out of range", lambda b: abs(number_of(b.word) or 0) > 9.2e15),
    ("counter-without-total", "but no _total", total_is_missing),
    ("label-of-the-name", "is reserved", lambda b: b'__name__="' in b.line),
    ("help-not-escaped", "is not escaped", lambda b: b.line.startswith(b"# HELP ") and b.rest[:1] in (b'"', b"\\")),
    ("help-with-carriage-return", "", lambda b: b.line.startswith(b"# HELP ") and b.line.endswith(b"\r")),
    ("blanks-before-an-exemplar", "expected one blank after", lambda b: re.search(rb"  # \{", b.line)),
    ("word-before-the-keyword", "expected '# HELP '", lambda b: re.match(rb"#[^ ]+ (TYPE|HELP|UNIT) ", b.line)),
    ("quote-not-closed", "missing '\"'", lambda b: re.search(rb'\\"\}', b.line)),
    ("exemplar-above-its-bucket", "not within its bucket", exemplar_is_above),
    ("label-of-a-part", "has a label", lambda b: label(b.line, "quantile") is not None),
    ("created-is-a-time", "the value of", lambda b: b"_created" in b.line and re.search(rb" [-+]?(inf|nan)", b.line, re.I)),
]


def series_at_several_times(body):
    seen = {}
    for s in filter(None, map(series, body.split(b"\n"))):
        seen.setdefault(s[:2], set()).add(str(s[2]))
    return any(len(times) > 1 for times in seen.values())


# name, what the oracle's error says, what must be true of the body
THEIRS_REFUSES = [
    ("times-of-both-renderings", r"'float' object has no attribute|not supported between", lambda body: b"e" in body.lower()),
    ("times-compared-by-parts", r"Timestamps went backwards", lambda body: b"." in body),
    ("points-lost", r"\+Inf bucket missing|_count must be present|_sum/_gsum must be present|does not match \+Inf|_gcount must be present",
     series_at_several_times),
    ("brace-in-an-exemplar", r"Invalid line: .*# \{|Invalid labels|ValueError: ", lambda body: re.search(rb'# \{[^\n]*"[^"\n]*\}[^"\n]*"', body)),
    ("times-of-infos", r"Mix of timestamp presence", lambda body: b"_info" in body),
]

def series_at_one_time(body):
    all_of_them = [s for s in filter(None, map(series, body.split(b"\n"))) if s[2] is not None]
    return len(set(map(str, all_of_them))) < len(all_of_them)


# name, what must be true of the body
OTHER_SAMPLES = [
    ("time-twice", series_at_one_time),
    ("points-lost", series_at_several_times),
    ("time-between-minus-one-and-zero", lambda body: re.search(rb" -0*\.\d", body)),
    ("time-cut-after-nine-digits", lambda body: re.search(rb" [-+]?\d+\.\d{9,}[eE]", body)),
]


def reason(body, theirs, ours):
    """Under which name a disagreement is documented, or None."""
    if ours.error is not None and theirs.error is None:
        b = Blame(body, ours.error)
        return next((name for name, text, check in OURS_REFUSES if b.says(text) and check(b)), None)
    if theirs.error is not None and ours.error is None:
        return next((name for name, pattern, check in THEIRS_REFUSES if re.search(pattern, theirs.error) and check(body)), None)
    return next((name for name, check in OTHER_SAMPLES if check(body)), None)


def names():
    return {entry[0] for table in (OURS_REFUSES, THEIRS_REFUSES, OTHER_SAMPLES) for entry in table}
