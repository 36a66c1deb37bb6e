# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition with a deadline, never for a time."""
import os
import time

# Sanitizers and busy machines: every deadline is multiplied by this.
SLOW = float(os.environ.get("GRAVEL_TEST_SLOW", "1"))


def eventually(check, timeout=15.0, every=0.05, what=None):
    """Call check until it returns something true, and return that. AssertionError, OSError and LookupError are "not yet"."""
    deadline = time.monotonic() + timeout * SLOW
    last = None
    while True:
        try:
            value = check()
            if value:
                return value
            last = "it returned %r" % (value,)
        except (AssertionError, OSError, LookupError, ValueError) as e:
            last = e
        if time.monotonic() >= deadline:
            what = what or getattr(check, "__name__", "condition")
            raise AssertionError("not reached in %.1f s: %s; last: %s" % (timeout * SLOW, what, last))
        time.sleep(every)


def holds(check, seconds, every=0.1):
    """Assert that check returns something true all the time for so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert check(), "it did not stay true for %.1f s" % seconds
        time.sleep(every)
