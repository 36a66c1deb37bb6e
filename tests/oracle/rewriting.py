# SPDX-License-Identifier: Apache-2.0
"""Bodies through our parser and our writer and back, compared by what they say."""
import events

TARGETS = ["text", "text1", "openmetrics"]
TEXT_TYPES = {"info": "gauge", "stateset": "gauge", "gaugehistogram": "histogram"}


class Rewriter:
    """gravel-expo-events --rewrite, and a parser of what it writes."""

    def __init__(self, source, target, strict=True):
        """strict: what was written as OpenMetrics must have no two families of one name."""
        self.source, self.target = source, target
        options = ["--utf8"] if source == "openmetrics" else []
        self.writer = events.Parser("--format", source, *options, "--rewrite", target, "--utf8-out")
        self.before = events.Parser("--format", source, *options)
        # Text with several points of a series is text, but its memory has no place for the second.
        self.after = events.Parser("--format", target, "--utf8", *(["--seen"] if target == "openmetrics" and strict else []))

    def close(self):
        for parser in (self.writer, self.before, self.after):
            parser.close()

    def rewrite(self, *bodies):
        """Each as it was written, or the error."""
        return [answer[0].get("body", answer[0]) for answer in self.writer.events(*bodies)]

    def check(self, *bodies):
        """Errors by their bodies: what could not be written."""
        errors = {}
        written = self.rewrite(*bodies)
        good = [(body, text.encode("utf-8")) for body, text in zip(bodies, written) if isinstance(text, str)]
        errors.update((body, text["error"]) for body, text in zip(bodies, written) if not isinstance(text, str))
        befores = self.before.events(*(body for body, _ in good))
        afters = self.after.events(*(text for _, text in good))
        for (body, text), before, after in zip(good, befores, afters):
            assert "error" not in after[-1], (body, text, after[-1])
            want, got = meaning(before, self.source, self.target), meaning(after, self.target, self.target)
            assert got == want, (body, text)
        return errors


def number(text):
    try:
        return float(text)
    except ValueError:
        return text


def rounded(e):
    """A time as it survives: OpenMetrics has it as a fraction of seconds, which is read as Prometheus does, times 1000 and cut."""
    ms = e.get("timestamp_ms")
    return ms if ms is None or abs(ms) > 10**12 else round(ms, -1)


def families(found):
    """The events of metadata with the type that each one's family has: of two families of one name each has its own."""
    block = []
    for e in found:
        if block and (e["kind"] in ("sample", "end") or e["name"] != block[0]["name"]):
            kind = next((b["type"] for b in block if b["kind"] == "type"), None)
            yield from ((b, kind) for b in block)
            block = []
        if e["kind"] in ("type", "help", "unit"):
            block.append(e)


def meta_meaning(e, kind, source, target):
    """(name, what, text) in the words of text, or None if the target cannot say it."""
    strict = source == "openmetrics"
    name = e["name"] + ({"counter": "_total", "info": "_info"}.get(kind, "") if strict else "")
    if e["kind"] == "help":
        text = e["text"].rstrip("\r")
        return (name, "help", text) if text else None
    if e["kind"] == "unit":
        return (name, "unit", e["text"]) if e["text"] and target == "openmetrics" else None
    if target != "openmetrics":
        return name, "type", TEXT_TYPES.get(kind, kind)
    # OpenMetrics has no counter of another name.
    return name, "type", "untyped" if kind == "counter" and not name.endswith("_total") else kind


def meaning(found, source, target):
    """What the events of a body say, in the words of text and as far as the target can say it."""
    said = {meta_meaning(e, kind, source, target) for e, kind in families(found)} - {None}
    samples = [sample_meaning(e, target) for e in found
               if e["kind"] == "sample" and (target == "openmetrics" or e["part"] != "created")]
    return said, sorted(samples, key=repr)


def sample_meaning(e, target):
    bounds = {"bucket": "le", "quantile": "quantile"}
    labels = sorted((k, number(v) if bounds.get(e["part"]) == k else v) for k, v in e["labels"])
    exemplar = e.get("exemplar") if target == "openmetrics" else None
    if exemplar:
        exemplar = (sorted(map(tuple, exemplar["labels"])), exemplar["value"], rounded(exemplar))
    return e["name"], labels, e["value"], rounded(e), exemplar
