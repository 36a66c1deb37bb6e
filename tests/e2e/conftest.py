# SPDX-License-Identifier: Apache-2.0
import pytest

from harness import stand as stands


def pytest_configure():
    for program in ("gravel-poller", "gravel-receiver", "gravelctl"):
        if not (stands.BUILD / program).exists():
            raise pytest.UsageError("%s is not there: build first, or set GRAVEL_BIN" % (stands.BUILD / program))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    stand = item.funcargs.get("stand") if hasattr(item, "funcargs") else None
    if report.failed and stand:
        report.sections += [("log of %s" % name, text) for name, text in stand.logs() if text]


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
