# SPDX-License-Identifier: Apache-2.0
"""A short torture; tests/run.sh --torture has a long one. Every run has another seed, and says how it is repeated when it fails."""
import time

import pytest

import plants
import sweep
import torture
from harness.wait import SLOW


def tortured(capsys, *words):
    seed = int(time.time() * 1000) % 1000000007
    options = torture.arguments(list(words))
    try:
        torture.one_run(options, seed, print)
    except plants.Impossible as e:
        pytest.skip(str(e))
    return capsys.readouterr().out


def test_a_receiver_with_a_log_in_a_file(tmp_path, capsys):
    said = tortured(capsys, "--seconds", "14", "--kills", "8", "--folder", str(tmp_path))
    assert "restarts are right" in said


def test_a_small_file_system(tmp_path, capsys):
    said = tortured(capsys, "--world", "small", "--seconds", "8", "--kills", "4", "--clients", "6", "--folder", str(tmp_path))
    assert "restarts are right" in said


@pytest.mark.parametrize("servers", ["1", "3"])
def test_pushes_at_the_edge(tmp_path, capsys, servers):
    said = tortured(capsys, "--world", "edge", "--nats", servers, "--seconds", "8", "--kills", "6", "--clients", "6", "--folder", str(tmp_path))
    assert "kill -9 of a client" in said or "kill -9 of nats" in said or "kill -9 of poller" in said or "kill -9 of receiver" in said


@pytest.mark.parametrize("servers", ["1", "3"])
def test_receivers_on_a_stream(tmp_path, capsys, servers):
    # Three servers that begin together take a dozen seconds to agree.
    seconds = "8" if servers == "1" else "6"
    said = tortured(capsys, "--world", "stream", "--nats", servers, "--seconds", seconds, "--kills", "4", "--clients", "8", "--folder", str(tmp_path))
    assert "restarts are right" in said


@pytest.mark.parametrize("plant, found", [
    ("snapshot", "counted 2 times, not 1"), ("window", "counted 2 times, not 1"), ("message", "counted 0 times, not 1")])
def test_a_planted_fault_is_found(tmp_path, capsys, plant, found):
    with pytest.raises(AssertionError, match=found):
        tortured(capsys, "--world", "stream", "--plant", plant, "--seconds", "6", "--kills", "6", "--clients", "8", "--patience", "4", "--folder", str(tmp_path))


def test_killed_at_every_write(tmp_path):
    """Each so many-th of them, at most for some seconds."""
    said = []
    options = torture.arguments(["--every-write", "--stride", "14", "--seconds", str(25 * SLOW), "--folder", str(tmp_path)])
    deaths = sweep.run(options, int(time.time()), said.append)
    assert deaths >= 8, said
