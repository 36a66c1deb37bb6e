#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""symbols.py can fail."""
import os
import subprocess
import tempfile
import unittest

import symbols


class Symbols(unittest.TestCase):
    def library(self, code):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        at = lambda name: os.path.join(folder.name, name)
        with open(at("a.c"), "w", encoding="utf-8") as f:
            f.write(code)
        subprocess.run([os.environ.get("CC", "cc"), "-c", at("a.c"), "-o", at("a.o")], check=True)
        subprocess.run(["ar", "rc", at("a.a"), at("a.o")], check=True)
        return at("a.a")

    def test_order(self):
        library = self.library("static int x(void) { return 1; } int gs_a(void) { return x(); } int gs_b = 1;")
        self.assertEqual(symbols.main([library]), 0)

    def test_function_and_data(self):
        library = self.library("int helper(void) { return 1; } int table[2] = {1, 2};")
        self.assertEqual([p.split(" exports ")[1].split(":")[0] for p in symbols.problems(library)], ["helper", "table"])
        self.assertEqual(symbols.main([library]), 1)

    def test_nothing_is_no_success(self):
        self.assertEqual(symbols.main([]), 1)


if __name__ == "__main__":
    unittest.main()
