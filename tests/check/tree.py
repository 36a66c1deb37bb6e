# SPDX-License-Identifier: Apache-2.0
"""Small fake trees for the tests of the checks."""
import os
import shutil
import tempfile
import unittest


class TreeTest(unittest.TestCase):
    """A test with a tree of its own, which is in order until the test breaks it."""

    GOOD = {}

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="gravel-check-")
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in self.GOOD.items():
            self.write(path, text)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def problems(self):
        raise NotImplementedError

    def assert_problem(self, *wanted):
        """The check finds exactly these, each given by a part of its text."""
        got = self.problems()
        self.assertEqual(len(got), len(wanted), "\n".join(got))
        for want, text in zip(wanted, got):
            self.assertIn(want, text)
