# SPDX-License-Identifier: Apache-2.0
"""The corpus of OpenMetrics: the specification, the oracle and our parser say the same of every case."""
import re

import pytest

pytest.importorskip("prometheus_client", reason="the oracle")

import cases  # noqa: E402
import events  # noqa: E402
import known  # noqa: E402
import oracle  # noqa: E402

GOOD = cases.read("openmetrics/good.txt")
BAD = cases.read("openmetrics/bad.txt")
DISPUTED = cases.read("openmetrics/disputed.txt")
QUOTED = cases.read("openmetrics/quoted.txt")


def test_there_are_as_many_as_promised():
    assert len(GOOD) >= 100 and len(BAD) >= 200
    for case in GOOD + BAD + DISPUTED + QUOTED:
        assert case.notes.get("spec"), "%s: which paragraph?" % case.where


def test_no_body_stands_twice():
    seen = {}
    for case in GOOD + BAD + DISPUTED + QUOTED:
        assert case.body not in seen, "%s: is %s" % (case.where, seen[case.body])
        seen[case.body] = case.where


def said(verdict):
    """What its metadata says: a type, a text or a unit that is there."""
    nothing = {"type": ("unknown", "untyped"), "help": ("",), "unit": ("",)}
    facts = {(family, kind, text) for family, meta in verdict.meta.items() for kind, text in meta.items()}
    return {(family, kind, text) for family, kind, text in facts if text not in nothing[kind]}


def assert_same(ours, theirs, where):
    assert ours.samples == theirs.samples, where
    assert said(ours) == said(theirs), where


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_good(openmetrics, case):
    theirs, ours = oracle.verdict(case.body), openmetrics.verdict(case.body)
    assert theirs.error is None, case.where
    assert ours.error is None, case.where
    assert_same(ours, theirs, case.where)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_bad(openmetrics, case):
    ours = openmetrics.verdict(case.body)
    assert oracle.verdict(case.body).error is not None, case.where
    assert ours.error is not None, case.where
    assert ours.error.startswith(case.notes["at"] + ": "), (case.where, ours.error)


@pytest.mark.parametrize("case", DISPUTED, ids=lambda case: case.name)
def test_disputed(openmetrics, case):
    """We hold with the specification where we can, the oracle does still not, and the fuzz knows the disagreement by its name."""
    theirs, ours = oracle.verdict(case.body), openmetrics.verdict(case.body)
    good = case.notes["is"] == "good" and case.notes.get("ours") != "refuses"
    assert (ours.error is None) == good, (case.where, ours.error)
    does = "refuses" if theirs.error else "accepts" if ours.error else "other samples" if theirs.samples != ours.samples else "agrees"
    assert does == case.notes["oracle"], case.where
    assert known.reason(case.body, theirs, ours) == case.notes["why"], case.where


def test_every_disagreement_is_documented():
    """docs/FORMATS.md has a row for each name that the corpus or the fuzz uses, and no other."""
    text = (events.ROOT / "docs" / "FORMATS.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| [^|]*\S[^|]* \| [^|]*\S[^|]* \|$", text, re.M)
    assert len(rows) == len(set(rows))
    assert set(rows) == {case.notes["why"] for case in DISPUTED}
    assert set(rows) == known.names()


@pytest.mark.parametrize("case", QUOTED, ids=lambda case: case.name)
def test_quoted(openmetrics, case):
    """Names in quotes: an error, unless the content type has said escaping=allow-utf-8."""
    assert oracle.verdict(case.body).error is not None, case.where
    assert openmetrics.verdict(case.body).error is not None, case.where
    with events.Parser("--format", "openmetrics", "--seen", "--utf8") as utf8:
        ours = utf8.verdict(case.body)
    assert (ours.error is None) == {"good": True, "bad": False}[case.notes["is"]], (case.where, ours.error)
    if ours.error is None:
        assert ["%s %s" % (s.name, dict(s.labels)) for s in ours.samples] == case.notes["samples"].split(" ; "), case.where


@pytest.mark.parametrize("piece", [1, 2, 7])
def test_in_pieces(openmetrics, piece):
    """The events and errors do not depend on how the body comes."""
    bodies = [case.body for case in GOOD + BAD + DISPUTED]
    with events.Parser("--format", "openmetrics", "--seen", "--pieces", piece) as parser:
        for case, whole, pieces in zip(GOOD + BAD + DISPUTED, openmetrics.events(*bodies), parser.events(*bodies)):
            assert pieces == whole, case.where


def test_without_memory(openmetrics):
    """Without a memory of the whole exposition nothing is refused that is good, and it says the same."""
    with events.Parser("--format", "openmetrics") as parser:
        for case in GOOD:
            assert parser.events(case.body) == openmetrics.events(case.body), case.where
