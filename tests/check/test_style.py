#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""style.py must be able to fail: each rule broken once, in a fake tree that is in order without that."""
import os
import subprocess
import sys
import unittest
from unittest import mock

import style
import tree

C = "/* SPDX-License-Identifier: Apache-2.0 */\n"
HERE = os.path.dirname(os.path.abspath(__file__))


def function(name, lines):
    """A function of so many lines."""
    return f"int {name}(int a) {{\n" + "\ta++;\n" * (lines - 3) + "\treturn a;\n}\n"


class Style(tree.TreeTest):
    GOOD = {
        "CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\nproject(x)\n",
        "lib/base/mem.c": C + "#include <stdlib.h>\n\nvoid gs_free(void *p) {\n\tfree(p);\n}\n",
        "lib/base/a.c": C + "/* free(p), exit(1) */\nconst char *gs_a(void) {\n\treturn \"malloc(1) // \\\" atoi(x)\";\n}\n",
        "cmd/poller/main.c": C + "int main(void) {\n\texit(getenv(\"X\") != 0);\n}\n",
        "tests/unit/a.c": C + "void test(void) {\n\tfree(malloc(1));\n}\n",
        "scripts/run.sh": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
    }

    def setUp(self):
        super().setUp()
        with open(os.path.join(HERE, "../../.clang-format"), encoding="utf-8") as f:
            self.write(".clang-format", f.read())

    def problems(self):
        return style.check(self.root)[0]

    def notes(self):
        return style.check(self.root)[1]

    def body(self, line):
        """Put one statement into a function of lib."""
        self.write("lib/base/b.c", C + "void gs_b(void *p) {\n\t" + line + "\n}\n")

    def test_good_tree(self):
        self.assert_problem()

    def test_length(self):
        self.write("lib/base/b.c", C + function("just", 100))
        self.assert_problem()
        self.write("lib/base/b.c", C + function("just", 100) + "\n" + function("above", 101))
        self.assert_problem("lib/base/b.c:103: above has 101 lines, above 100")

    def test_length_in_tests_and_headers(self):
        self.write("tests/unit/b.c", C + function("above", 101))
        self.write("include/gravel/b.h", C + "static " + function("also", 102))
        self.assert_problem("include/gravel/b.h:2: also has 102 lines", "tests/unit/b.c:2: above has 101 lines")

    def test_what_is_no_function(self):
        table = "static const struct {\n\tint a;\n} table[] = {\n" + "\t{1},\n" * 120 + "};\n"
        self.assertEqual(style.functions(C + "#define OPEN {\n\n" + table + "\n" + function("after", 5)), [("after", 129, 5)])

    def test_forms_of_functions(self):
        text = ("static struct a *one(\n    int b) {\n}\n"
                "__attribute__((format(printf, 1, 2))) void two(const char *f, ...) {\n\tif (x) {\n\t}\n}\n"
                "void three(void (*f)(int), char c) { c = '}'; }\n")
        self.assertEqual(style.functions(text), [("one", 1, 3), ("two", 4, 4), ("three", 8, 1)])

    def test_braces(self):
        self.write("lib/base/b.h", C + "#if A\nint a(void) {\n#else\nint b(void) {\n#endif\n}\n")
        with mock.patch.object(style, "format_tool", return_value=(None, "")):
            self.assert_problem("lib/base/b.h: braces do not balance")

    def test_statistics(self):
        for n in range(1, 10):
            self.write(f"lib/base/f{n}.c", C + function("f", 10 * n))
        self.write("tests/unit/long.c", C + function("f", 99))
        self.assertIn("12 functions outside the tests: median 30, p90 80, max 90 lines", self.notes())

    def test_long_file_is_mentioned(self):
        self.write("lib/base/b.c", C + "\n".join(function(f"f{i}", 60) for i in range(10)))
        self.assertIn("lib/base/b.c has 610 lines", self.notes())
        self.assert_problem()

    def test_nothing_to_measure(self):
        for path in ("lib/base/mem.c", "lib/base/a.c", "cmd/poller/main.c"):
            os.unlink(os.path.join(self.root, path))
        self.assert_problem("nothing was measured")

    def test_each_banned_call(self):
        for name in " ".join((style.UNSAFE, style.PRODUCT, style.ALLOCATING, style.PROCESS)).split():
            with self.subTest(name):
                self.body(f"{name}(p);")
                self.assert_problem(f"lib/base/b.c:3: {name}() is banned here")

    def test_banned_by_folder(self):
        self.write("cmd/poller/main.c", C + "int main(void) {\n\treturn atoi(malloc(1));\n}\n")
        self.write("tests/unit/a.c", C + "void test(void) {\n\tstrcpy(malloc(1), strtod());\n}\n")
        self.assert_problem("main.c:3: atoi() is banned", "main.c:3: malloc() is banned", "a.c:3: strcpy() is banned")

    def test_banned_in_headers(self):
        self.write("include/gravel/b.h", C + "#define GS_FREE(p) free(p)\n")
        self.assert_problem("include/gravel/b.h:2: free() is banned here")

    def test_what_only_looks_banned(self):
        self.body("gs_free(p), my_exit(p), o.free(p), o->exit(p), snprintf(p), strtod_l(p);")
        self.assert_problem()

    def test_excuses(self):
        self.body("free(p); /* theirs */")
        self.assert_problem()
        self.body('getenv("TZ"); /* allow getenv: the zone is the process\'s */')
        self.assert_problem()

    def test_excuses_that_are_none(self):
        self.body("malloc(1); /* theirs */")
        self.assert_problem("malloc() is banned here", "the comment allows free, which needs no excuse here")
        self.body("exit(1); /* allow exit: */")
        self.assert_problem("exit() is banned here")
        self.body('p = "/* theirs */", free(p);')
        self.assert_problem("free() is banned here")
        self.body("p++; /* allow exit: for nothing */")
        self.assert_problem("the comment allows exit, which needs no excuse here")

    def test_spdx(self):
        self.write("lib/base/b.c", "int b;\n" + C)
        self.write("include/gravel/b.h", "// SPDX-License-Identifier: Apache-2.0\n")
        self.write("lib/base/CMakeLists.txt", "gravel_module(base)\n")
        self.write("tests/a.py", "")
        self.write("scripts/run.sh", "#!/bin/sh\nset -e\n")
        self.write("CMakeLists.txt", "# SPDX-License-Identifier: MIT\n")
        self.assert_problem(*[f"{p}: does not begin with" for p in (
            "include/gravel/b.h", "lib/base/CMakeLists.txt", "lib/base/b.c", "scripts/run.sh", "tests/a.py", "CMakeLists.txt")])

    @unittest.skipIf(style.format_tool()[0] is None, "no clang-format of our version")
    def test_format(self):
        self.write("lib/base/b.c", C + "int b;\nint  c;\nint  d;\n")
        self.assert_problem("lib/base/b.c:3: is not as clang-format writes it")

    def test_no_clang_format(self):
        self.write("lib/base/b.c", C + "int  c;\n")
        with mock.patch.object(style.shutil, "which", return_value=None):
            self.assert_problem()
            self.assertIn("clang-format is not installed: format not checked", self.notes())

    def test_exit_status(self):
        script = os.path.join(HERE, "style.py")
        run = subprocess.run([sys.executable, script, self.root], text=True, capture_output=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout)
        self.body("exit(1);")
        run = subprocess.run([sys.executable, script, self.root], text=True, capture_output=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("style: 1 problem(s)", run.stdout)


if __name__ == "__main__":
    unittest.main()
