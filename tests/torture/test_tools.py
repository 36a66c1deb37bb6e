# SPDX-License-Identifier: Apache-2.0
"""That the torture would see what it looks for: the arithmetic of ledgers, and the bad disk."""
import errno
import json
import os
import random
import signal
import subprocess
import sys

import pytest

import disk as disks
import ledger as ledgers
from harness import stand as stands

DIGITS = 'a_digits_total{job="j"}'


def lines(*texts):
    return [json.loads(t) for t in texts]


def push(n, op, once, *codes):
    """A push with so many tries; None is a try without an answer."""
    found = [{"t": "push", "n": n, "op": op, "once": once}]
    for code in codes:
        found.append({"t": "try", "n": n})
        if code is not None:
            found.append({"t": "got", "n": n, "code": code})
    return found


def expected(*pushes, refusals_may_count=False):
    e = ledgers.Expected(refusals_may_count)
    e.add_ledger("c", [line for p in pushes for line in p])
    return e


def test_once_counts_once_however_often_it_was_sent():
    e = expected(push(0, ["add", {DIGITS: 1}], True, None, 503, 200, 200), push(1, ["add", {DIGITS: 4}], True, 200))
    assert e.problems({DIGITS: 5.0}) == []
    assert e.problems({DIGITS: 6.0}) == [DIGITS + ": push at digit 0 counted 2 times, not 1"]
    assert e.problems({DIGITS: 1.0}) == [DIGITS + ": push at digit 1 counted 0 times, not 1"]
    assert e.problems({DIGITS: 21.0}) == [DIGITS + ": push at digit 2 counted 1 times, not 0"]
    # One lost and another twice is no 0 in sum.
    assert len(e.problems({DIGITS: 2.0})) == 2
    assert len(e.problems({})) == 2


def test_without_a_key_each_answer_counts():
    e = expected(push(0, ["add", {"a": 3}], False, 200), push(1, ["add", {"a": 3}], False, None), push(2, ["add", {"a": 3}], False, 503))
    assert [v for v in (0, 2, 3, 6, 7, 9) if not e.problems({"a": v})] == [3, 6]
    e = expected(push(0, ["add", {"a": 3}], False, 503), refusals_may_count=True)
    assert [v for v in (0, 3, 6) if not e.problems({"a": v})] == [0, 3]
    e = expected(push(0, ["add", {"a": 3}], False, 400), refusals_may_count=True)
    assert [v for v in (0, 3) if not e.problems({"a": v})] == [0]


def test_groups_are_what_the_last_push_made_them():
    a, b = 'a{group="g"}', 'b{group="g"}'
    e = expected(push(0, ["set", "g", {a: 1, b: 1}], True, 200), push(1, ["merge", "g", {b: 2}], True, 200))
    assert e.problems({a: 1, b: 2}) == []
    assert len(e.problems({a: 1, b: 1})) == 1
    assert len(e.problems({b: 2})) == 1
    e = expected(push(0, ["set", "g", {a: 1}], True, 200), push(1, ["drop", "g"], True, None))
    assert e.problems({a: 1}) == []
    assert e.problems({}) == []
    e = expected(push(0, ["set", "g", {a: 1}], True, 200), push(1, ["drop", "g"], True, 202), push(2, ["merge", "g", {b: 2}], True, 200))
    assert e.problems({b: 2}) == []
    assert len(e.problems({a: 1, b: 2})) == 1


def test_what_should_have_left_and_what_nobody_pushed():
    e = expected(push(0, ["forget", ["brief"]], True, 200))
    assert e.problems({}) == []
    assert e.problems({"brief": 1}) == ["brief should have left"]
    assert len(e.problems({"other": 1})) == 1


def test_a_ledger_that_was_cut_goes_on(tmp_path):
    file = tmp_path / "l"
    ledger = ledgers.Ledger(file)
    ledger.write(t="push", n=0, op=["add", {}], once=True)
    os.close(ledger.fd)
    with open(file, "ab") as f:
        f.write(b'{"t":"tr')
    ledger = ledgers.Ledger(file)
    assert ledger.lines == lines('{"t":"push","n":0,"op":["add",{}],"once":true}')
    ledger.write(t="try", n=0)
    assert len(file.read_text().split("\n")) == 3


SCRIPT = """
import os, sys
root = %r
def f(name): return os.path.join(root, name)
"""


@pytest.fixture
def disk(tmp_path):
    (tmp_path / "root").mkdir()
    return disks.Disk(tmp_path, tmp_path / "root")


def run(disk, script, undo=False):
    """A program on that disk: its exit status and what it wrote."""
    env = dict(os.environ, **disk.environment(stands.BUILD, undo))
    done = subprocess.run([sys.executable, "-c", SCRIPT % str(disk.root) + script], env=env, stdout=subprocess.PIPE, start_new_session=True, check=False)
    return done.returncode, done.stdout.decode()


WRITES = """
fd = os.open(f("a"), os.O_RDWR | os.O_CREAT)
os.write(fd, b"one,")
os.fsync(fd)
os.write(fd, b"two,")
os.pwrite(fd, b"ONE,", 0)
os.rename(f("a"), f("b"))
"""


@pytest.mark.parametrize("at, mode, left", [
    (1, disks.BEFORE, {}), (1, disks.AFTER, {"a": b""}), (2, disks.BEFORE, {"a": b""}), (2, disks.HALF, {"a": b"on"}), (2, disks.AFTER, {"a": b"one,"}),
    (4, disks.HALF, {"a": b"one,tw"}), (5, disks.AFTER, {"a": b"ONE,two,"}), (6, disks.BEFORE, {"a": b"ONE,two,"}), (6, disks.AFTER, {"b": b"ONE,two,"}),
])
def test_it_dies_at_the_operation(disk, at, mode, left):
    disk.kill_at, disk.kill_mode = at, mode
    assert run(disk, WRITES)[0] == -signal.SIGKILL
    assert {p.name: p.read_bytes() for p in disk.root.iterdir()} == left


def test_operations_elsewhere_are_not_counted(disk, tmp_path):
    code, _ = run(disk, "open(%r, 'w').write('x')\n" % str(tmp_path / "elsewhere") + WRITES)
    assert (code, disk.ops, disk.syncs) == (0, 6, 1)


def test_a_full_disk(disk):
    disk.full = 1
    code, out = run(disk, """
fd = os.open(f("a"), os.O_RDWR | os.O_CREAT)
try: os.write(fd, b"x")
except OSError as e: print(e.errno)
""")
    assert (code, out, disk.failures) == (0, "%d\n" % errno.ENOSPC, 1)
    (disk.root / "a").write_bytes(b"0123456789")
    assert run(disk, "print(os.pwrite(os.open(f('a'), os.O_RDWR), b'abcdef', 7))")[1] == "3\n"
    assert (disk.root / "a").read_bytes() == b"0123456abc"


def test_a_failing_sync(disk):
    disk.sync_errno, disk.fail_period = errno.EIO, 2
    out = run(disk, """
fd = os.open(f("a"), os.O_RDWR | os.O_CREAT)
for i in range(4):
    try: os.fsync(fd); print("good")
    except OSError as e: print(e.errno)
""")[1]
    assert out.split() == ["good", "5", "good", "5"]


def test_only_forks(disk):
    disk.only_forks, disk.kill_at, disk.kill_whom, disk.kill_mode = 1, 1, disks.SELF, disks.AFTER
    code, out = run(disk, """
fd = os.open(f("a"), os.O_RDWR | os.O_CREAT)
os.write(fd, b"parent")
pid = os.fork()
if pid == 0: os.write(fd, b"child")
print(os.waitpid(pid, 0)[1])
""")
    assert (code, out) == (0, "9\n")
    assert (disk.root / "a").read_bytes() == b"parentchild"


def left_of(disk, rng=None):
    disk.power_cut(rng)
    return {p.name: p.read_bytes() for p in disk.root.iterdir()}


def test_power_takes_what_was_not_synced(disk):
    assert run(disk, WRITES, undo=True)[0] == 0
    assert (disk.root / "b").read_bytes() == b"ONE,two,"
    assert left_of(disk) == {"a": b"one,"}


def test_power_leaves_what_was_synced(disk):
    assert run(disk, WRITES + "os.fsync(fd); os.fsync(os.open(root, os.O_RDONLY))", undo=True)[0] == 0
    assert left_of(disk) == {"b": b"ONE,two,"}


def test_power_undoes_names(disk):
    (disk.root / "old").write_bytes(b"old")
    (disk.root / "gone").write_bytes(b"gone")
    assert run(disk, """
fd = os.open(f("new"), os.O_WRONLY | os.O_CREAT)
os.write(fd, b"new"); os.fsync(fd)
os.rename(f("new"), f("old"))
os.unlink(f("gone"))
open(f("made"), "w").write("x")
fd = os.open(f("cut"), os.O_RDWR | os.O_CREAT)
os.write(fd, b"0123456789"); os.fsync(fd)
os.ftruncate(fd, 4)
""", undo=True)[0] == 0
    assert left_of(disk) == {"new": b"new", "old": b"old", "gone": b"gone", "cut": b"0123456789"}


def test_power_may_take_a_part(disk):
    """Of ten blocks that were not synced each may be there or not; the seed says which."""
    seen = set()
    for seed in range(8):
        assert run(disk, """
fd = os.open(f("a"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.write(fd, b"0" * 40960); os.fsync(fd)
os.pwrite(fd, b"1" * 40960, 0)
""", undo=True)[0] == 0
        data = left_of(disk, random.Random(seed))["a"]
        assert len(data) == 40960
        blocks = [data[i:i + 4096] for i in range(0, 40960, 4096)]
        assert all(b in (b"0" * 4096, b"1" * 4096) for b in blocks)
        seen.add(tuple(b[:1] for b in blocks))
    assert len(seen) > 4
