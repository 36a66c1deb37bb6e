# SPDX-License-Identifier: Apache-2.0
"""Of which family a sample is, what part of its value, and whether it goes on with the value of the sample before: by a second opinion that knows
only the TYPE lines."""
import random

import cases
import events
import generate

GENERATED = 3000
SUFFIXES = {"_total": "value", "_info": "value", "_created": "created", "_bucket": "bucket", "_sum": "sum", "_count": "count",
            "_gsum": "sum", "_gcount": "count"}
BOUNDS = {"bucket": "le", "quantile": "quantile"}
IN_PARTS = ("histogram", "gaugehistogram", "summary")


def part_of(e, types):
    """(family, type, part) of a sample."""
    for suffix, part in SUFFIXES.items():
        family = e["name"][:-len(suffix)]
        if e["name"].endswith(suffix) and suffix in generate.SUFFIXES.get(types.get(family), ()):
            return family, types[family], part
    kind = types.get(e["name"], "untyped")
    return e["name"], kind, "quantile" if kind == "summary" else "value"


def check(found):
    types, before = {}, None
    for e in found[:-1]:
        if e["kind"] == "type":
            types[e["name"]] = {"untyped": "unknown"}.get(e["type"], e["type"])
        if e["kind"] != "sample":
            continue
        family, kind, part = part_of(e, types)
        assert (e["family"], e["part"]) == (family, part), e
        assert {"untyped": "unknown"}.get(e["type"], e["type"]) == {"untyped": "unknown"}.get(kind, kind), e
        bound = BOUNDS.get(part)
        assert ("bound" in e) == (bound is not None), e
        if bound:
            assert float(e["bound"]) == float(dict(map(tuple, e["labels"]))[bound]), e
        metric = family, sorted(pair for pair in map(tuple, e["labels"]) if pair[0] != bound), e.get("timestamp_ms")
        assert e["joined"] == (kind in IN_PARTS and metric == before), e
        before = metric


def test_parts_of_the_corpus():
    with events.Parser("--format", "openmetrics", "--seen") as parser:
        for found in parser.events(*(case.body for case in cases.read("openmetrics/good.txt"))):
            check(found)


def test_parts_of_what_is_generated():
    seed = random.SystemRandom().randrange(10**9)
    print("seed %d" % seed)
    drawn = (generate.exposition(random.Random("%d/%d" % (seed, i))) for i in range(GENERATED))
    bodies = [body for body, valid in drawn if valid]
    with events.Parser("--format", "openmetrics", "--seen") as parser:
        for found in parser.events(*bodies):
            assert "error" not in found[-1], found[-1]
            check(found)
