# SPDX-License-Identifier: Apache-2.0
"""The beginning of a differential fuzz that has run for longer (docs/FORMATS.md), and the proof that the fuzz can find something."""
import random

import pytest

pytest.importorskip("prometheus_client", reason="the oracle")

import diff_fuzz  # noqa: E402
import events  # noqa: E402
import known  # noqa: E402
import oracle  # noqa: E402
from harness.wait import SLOW  # noqa: E402

SECONDS = 20
# Always the same cases, so that what a suite says of one tree it says again.
SEED = "suite"


@pytest.mark.long
def test_no_disagreement_is_new(capsys):
    status = diff_fuzz.main(["--seconds", str(SECONDS), "--seed", SEED])
    out = capsys.readouterr().out
    print(out)
    assert status == 0, out


def test_a_seed_gives_the_same_cases():
    assert [diff_fuzz.case_of("x", i) for i in range(50)] == [diff_fuzz.case_of("x", i) for i in range(50)]
    assert diff_fuzz.case_of("x", 1) != diff_fuzz.case_of("y", 1)


def test_what_is_valid_by_construction_is_good():
    """Both accept it, and say the same, but for what is documented."""
    cases = [body for body, valid in (diff_fuzz.case_of(random.random(), i) for i in range(1000)) if valid]
    assert len(cases) > 100
    with events.Parser(*diff_fuzz.options()) as parser:
        for body, ours in zip(cases, parser.verdicts(*cases)):
            theirs = oracle.verdict(body)
            assert ours.error is None, (body, ours.error)
            assert theirs == theirs._replace(error=None) and theirs.samples == ours.samples or known.reason(body, theirs, ours), body


@pytest.mark.parametrize("broken", ["refuses", "accepts", "loses a sample"])
def test_the_fuzz_finds_what_is_wrong(monkeypatch, capsys, broken):
    """With an oracle that errs where a NaN is, the fuzz ends with status 1, and with a small body."""
    true = oracle.verdict

    def wrong(body):
        verdict = true(body)
        if b" NaN" not in body:
            return verdict
        if broken == "refuses":
            return verdict._replace(error="ValueError: no NaN")
        return verdict._replace(error=None) if broken == "accepts" else verdict._replace(samples=verdict.samples[1:])

    monkeypatch.setattr(oracle, "verdict", wrong)
    assert diff_fuzz.main(["--seconds", str(2 * SLOW), "--seed", "1"]) == 1
    out = capsys.readouterr().out
    bodies = [block for block in out.split("case ")[1:] if "NaN" in block]
    assert bodies, out
    assert min(block.count("\n  | ") for block in bodies) <= 3, out
