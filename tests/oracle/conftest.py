# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

import pytest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "e2e")]

import events  # noqa: E402
from harness import stand as stands  # noqa: E402


def pytest_configure():
    if not events.PROGRAM.exists():
        raise pytest.UsageError("%s is not there: build first, or set GRAVEL_BIN" % events.PROGRAM)


@pytest.fixture
def stand(tmp_path):
    s = stands.Stand(tmp_path)
    yield s
    problems = s.close()
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def openmetrics():
    """Our parser as it reads an answer whose content type is OpenMetrics."""
    with events.Parser("--format", "openmetrics", "--seen") as parser:
        yield parser
