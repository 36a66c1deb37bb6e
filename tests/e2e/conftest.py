# SPDX-License-Identifier: Apache-2.0
import os
import threading

import pytest

from harness import forks
from harness import stand as stands
from harness.wait import SLOW


def pytest_configure():
    for program in ("gravel-poller", "gravel-receiver", "gravelctl"):
        if not (stands.BUILD / program).exists():
            raise pytest.UsageError("%s is not there: build first, or set GRAVEL_BIN" % (stands.BUILD / program))


def pytest_collection_modifyitems(items):
    """Those that take long begin first, else one of them is still running when nobody has anything left to do. pytest-xdist gives each of its
    workers a chunk from the front, as large as computed here, so each chunk begins with its part of them."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    chunk = max(len(items) // workers // 4, 2)
    long = [i for i in items if i.get_closest_marker("long") or i.nodeid.partition("::")[0].endswith("test_torture.py")]
    first = set(long)
    short = [i for i in items if i not in first]
    if workers == 1 or len(long) > chunk:
        return
    ordered = []
    for worker in range(workers):
        ordered += long[worker::workers]
        ordered += [short.pop(0) for _ in range(chunk * (worker + 1) - len(ordered)) if short]
    items[:] = ordered + short


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    stand = item.funcargs.get("stand") if hasattr(item, "funcargs") else None
    if report.failed and stand:
        report.sections += [("log of %s" % name, text) for name, text in stand.logs() if text]


@pytest.fixture(scope="session", autouse=True)
def stuck_forks():
    """With a sanitizer, ends snapshots that wait for a lock of its allocator."""
    done = threading.Event()

    def watch():
        while not done.wait(1):
            forks.end_stuck(os.getpid())
    thread = threading.Thread(target=watch, daemon=True)
    if SLOW > 1:
        thread.start()
    yield
    done.set()


@pytest.fixture
def stand(tmp_path):
    """Starts and ends what a test needs; fails the test if one of our programs did not end well."""
    s = stands.Stand(tmp_path)
    yield s
    problems = s.close()
    assert not problems, "\n".join(problems)


@pytest.fixture
def gateway(stand):
    """A receiver with no config at all: the stand-alone push gateway."""
    return stand.receiver()
