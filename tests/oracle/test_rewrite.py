# SPDX-License-Identifier: Apache-2.0
"""What our writer makes of a body that our parser has read says the same, in each format that can say it; and the oracle reads it too."""
import json
import pathlib
import random
import subprocess

import pytest

import cases
import events
import generate
import rewriting

FOLDER = pathlib.Path(__file__).resolve().parent
FILES = sorted(path for path in (FOLDER / "clients").glob("*.txt") if "two_families" not in path.name)
GOOD = cases.read("openmetrics/good.txt")
# The text of these holds a gauge "x_created" beside the counter "x_total", which are one family in OpenMetrics: a matter of the caller.
CLASHES = {"java_simpleclient.text"}
GENERATED = 3000


@pytest.fixture(scope="module")
def rewriters():
    found = {(s, t): rewriting.Rewriter(s, t) for s in ("text", "openmetrics") for t in rewriting.TARGETS}
    yield found
    for rewriter in found.values():
        rewriter.close()


@pytest.mark.parametrize("target", rewriting.TARGETS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:-len(".txt")])
def test_clients(rewriters, path, target):
    name, source = path.name[:-len(".txt")], path.name.split(".")[1]
    if name in CLASHES and target == "openmetrics":
        with pytest.raises(AssertionError, match="clashes"):
            rewriters[source, target].check(path.read_bytes())
    else:
        assert rewriters[source, target].check(path.read_bytes()) == {}


@pytest.mark.parametrize("target", rewriting.TARGETS)
def test_corpus(rewriters, target):
    """All good cases; the writer needs no excuse."""
    assert rewriters["openmetrics", target].check(*(case.body for case in GOOD)) == {}


@pytest.mark.parametrize("target", rewriting.TARGETS)
def test_generated(rewriters, target):
    """Random expositions that are valid by construction."""
    seed = random.SystemRandom().randrange(10**9)
    print("seed %d" % seed)
    found = (generate.exposition(random.Random("%d/%d" % (seed, i))) for i in range(GENERATED))
    bodies = [body for body, valid in found if valid]
    assert len(bodies) > GENERATED / 10
    assert rewriters["openmetrics", target].check(*bodies) == {}


def test_the_oracle_reads_it(rewriters):
    """What is written as OpenMetrics is to the oracle what it is to us."""
    oracle, known = pytest.importorskip("oracle"), pytest.importorskip("known")
    rewriter = rewriters["openmetrics", "openmetrics"]
    written = [text.encode("utf-8") for text in rewriter.rewrite(*(case.body for case in GOOD))]
    with events.Parser("--format", "openmetrics", "--seen") as parser:
        for case, text, ours in zip(GOOD, written, parser.verdicts(*written)):
            theirs = oracle.verdict(text)
            assert ours.error is None, case.where
            assert theirs.error is None and theirs.samples == ours.samples or known.reason(text, theirs, ours), (case.where, theirs.error)


def test_the_program_writes_a_file(tmp_path):
    """Without --batch it is the body itself."""
    path = tmp_path / "body"
    path.write_bytes(b"# TYPE hit counter\nhit_total 1 # {} 1\n# EOF\n")
    for target, want in (("text", b"# TYPE hit_total counter\nhit_total 1\n"), ("openmetrics", b"# TYPE hit counter\nhit_total 1 # {} 1\n# EOF\n")):
        done = subprocess.run([str(events.PROGRAM), "--format", "openmetrics", "--rewrite", target, str(path)], stdout=subprocess.PIPE, check=True)
        assert done.stdout == want
    path.write_bytes(b"hit{\n")
    done = subprocess.run([str(events.PROGRAM), "--rewrite", "text", str(path)], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout)["line"] == 1
