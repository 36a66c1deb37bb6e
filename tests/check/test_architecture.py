#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""architecture.py must be able to fail: each rule broken once, in a fake tree that is in order without that."""
import os
import subprocess
import sys
import unittest

import architecture
import tree

TABLE = """# Architecture

| not | this |
|---|---|
| base | ghost |

| module | owns | may include | foreign headers |
|---|---|---|---|
| base | ground | | xxhash.h |
| log | log | base | |
| bus | NATS | base log | nats.h zstd.h |
| cmd | wiring | base log bus | |

Text after it.
"""



class Architecture(tree.TreeTest):
    GOOD = {
        "docs/ARCHITECTURE.md": TABLE,
        "include/gravel/base/str.h": "#include <stddef.h>\nstruct gs_str { const char *p; size_t n; };\n",
        "include/gravel/log/log.h": '#include "gravel/base/str.h"\nvoid gs_log(struct gs_str s);\n',
        "lib/base/str.c": '#include "gravel/base/str.h"\n\n#include <sys/types.h>\n#  include <xxhash.h>\n',
        "lib/log/log.c": '#include "gravel/log/log.h"\n#include "private.h"\n/* #include <nats.h> */\n',
        "lib/log/private.h": "int gs_log_private(void);\n",
        "lib/log/CMakeLists.txt": "gravel_module(log\n    SOURCES log.c\n    DEPS base)\n",
        "lib/bus/bus.c": '#include <nats/nats.h>\n#include <nats.h>\n#include "gravel/log/log.h"\n',
        "cmd/poller/main.c": '#include "gravel/log/log.h"\n#include "../common/common.h"\n',
        "cmd/common/common.h": "int common(void);\n",
    }

    def problems(self):
        return architecture.check(self.root, os.environ.get("CC", "cc"))

    def test_good_tree(self):
        self.assert_problem()

    def test_edge_outside_the_table(self):
        self.write("lib/base/num.c", '\n#include "gravel/log/log.h"\n')
        self.assert_problem('lib/base/num.c:2: module base may not include log ("gravel/log/log.h")')

    def test_edge_of_a_public_header(self):
        self.write("include/gravel/base/num.h", '#include "gravel/log/log.h"\n')
        self.assert_problem("include/gravel/base/num.h:1: module base may not include log")

    def test_an_edge_is_not_inherited(self):
        self.write("docs/ARCHITECTURE.md", TABLE.replace("| base log bus |", "| bus |"))
        self.assert_problem("cmd/poller/main.c:1: module cmd may not include log")

    def test_include_of_what_is_not_there(self):
        self.write("lib/log/b.c", '#include "gravel/base/none.h"\n')
        self.assert_problem('lib/log/b.c:1: "gravel/base/none.h" does not exist')

    def test_foreign_header_of_another(self):
        self.write("lib/log/b.c", "#include <nats.h>\n")
        self.assert_problem("lib/log/b.c:1: module log may not include the foreign <nats.h>")

    def test_foreign_header_beside_the_one_of_the_row(self):
        self.write("lib/bus/b.c", "#include <nats/nats.h>\n#include <nats/status.h>\n#include <nats.h/other.h>\n")
        self.assert_problem("lib/bus/b.c:2: module bus may not", "lib/bus/b.c:3: module bus may not")

    def test_foreign_header_in_no_row(self):
        self.write("cmd/poller/b.c", "#include <curl/curl.h>\n")
        self.assert_problem("cmd/poller/b.c:1: module cmd may not include the foreign <curl/curl.h>")

    def test_foreign_header_in_quotes(self):
        self.write("lib/bus/b.c", '#include "nats.h"\n')
        self.assert_problem('"nats.h" is no header of ours')

    def test_foreign_header_in_public(self):
        self.write("include/gravel/base/hash.h", "#include <errno.h>\n#include <xxhash.h>\n")
        self.assert_problem("include/gravel/base/hash.h:2: a public header includes the foreign <xxhash.h>")

    def test_private_header_in_public(self):
        self.write("include/gravel/log/more.h", '#include "../../../lib/log/private.h"\n')
        self.assert_problem("include/gravel/log/more.h:1: a public header includes the private")

    def test_private_header_of_another(self):
        self.write("cmd/poller/b.c", '#include "../../lib/log/private.h"\n')
        self.assert_problem("cmd/poller/b.c:1: \"../../lib/log/private.h\" reaches into lib/log/private.h, outside module cmd")

    def test_our_header_in_brackets(self):
        self.write("lib/log/b.c", "#include <gravel/base/str.h>\n")
        self.assert_problem("lib/log/b.c:1: <gravel/base/str.h>: our own headers stand in")

    def test_include_of_a_macro(self):
        self.write("lib/log/b.c", "#include WHAT\n")
        self.assert_problem("lib/log/b.c:1: #include WHAT: say which")

    def test_module_without_a_row(self):
        self.write("lib/ghost/a.c", "#include <nats.h>\n")
        self.write("include/gravel/ghost/a.h", "int gs_ghost;\n")
        self.assert_problem("lib/ghost: a module without a row", "include/gravel/ghost: a module without a row")

    def test_source_outside_every_module(self):
        self.write("lib/stray.c", "int gs_stray;\n")
        self.assert_problem("lib/stray.c: stands in no module's folder")

    def test_cmd_without_a_row(self):
        self.write("docs/ARCHITECTURE.md", TABLE.replace("| cmd |", "| dmc |"))
        self.assert_problem("cmd/common/common.h: cmd has no row", "cmd/poller/main.c: cmd has no row")

    def test_circle(self):
        self.write("docs/ARCHITECTURE.md", TABLE.replace("| log | log | base |", "| log | log | base bus |"))
        self.assert_problem("the modules form a circle: log -> bus -> log")

    def test_circle_of_one(self):
        self.write("docs/ARCHITECTURE.md", TABLE.replace("| log | log | base |", "| log | log | base log |"))
        self.assert_problem("the modules form a circle: log -> log")

    def test_row_that_names_no_module(self):
        self.write("docs/ARCHITECTURE.md", TABLE.replace("| log | log | base |", "| log | log | base lgo |"))
        self.assert_problem("ARCHITECTURE.md:10: module log may include lgo, which has no row")

    def test_two_rows(self):
        self.write("docs/ARCHITECTURE.md", TABLE.replace("| cmd |", "| log | again | base | |\n| cmd |"))
        self.assert_problem("ARCHITECTURE.md:12: a second row for module log")

    def test_foreign_header_of_two(self):
        self.write("docs/ARCHITECTURE.md", TABLE.replace("base log bus | |", "base log bus | nats.h |"))
        self.assert_problem("foreign header nats.h of cmd belongs to bus already")

    def test_system_header_as_foreign(self):
        self.write("docs/ARCHITECTURE.md", TABLE.replace("xxhash.h", "xxhash.h stdio.h"))
        self.assert_problem("stdio.h is the system's, not foreign")

    def test_no_table(self):
        self.write("docs/ARCHITECTURE.md", "# Architecture\n")
        self.assert_problem("no table with the columns")

    def test_no_sources(self):
        for path in self.GOOD:
            if not path.startswith("docs/"):
                os.unlink(os.path.join(self.root, path))
        self.assert_problem("nothing was checked")

    def test_target_links_what_the_module_may_not_include(self):
        self.write("lib/log/CMakeLists.txt", "# DEPS bus\ngravel_module(log\n    SOURCES log.c\n    DEPS base bus\n    FOREIGN PkgConfig::X)\n")
        self.assert_problem("lib/log/CMakeLists.txt: module log may not link bus")

    def test_target_in_the_wrong_folder(self):
        self.write("lib/log/CMakeLists.txt", "gravel_module(bus SOURCES log.c)\n")
        self.assert_problem("the target of module bus stands in the folder of log")

    def test_header_that_does_not_compile_alone(self):
        self.write("include/gravel/base/num.h", "size_t gs_num(void);\n")
        self.assert_problem("include/gravel/base/num.h: does not compile alone")

    def test_private_header_that_does_not_compile_alone(self):
        self.write("lib/log/private.h", "void gs_log_private(struct gs_str s);\n")
        self.assert_problem("lib/log/private.h: does not compile alone")

    def test_exit_status(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "architecture.py")
        run = subprocess.run([sys.executable, script, self.root], text=True, capture_output=True, check=False)
        self.assertEqual((run.returncode, run.stdout), (0, "architecture: in order\n"))
        self.write("lib/stray.c", "")
        run = subprocess.run([sys.executable, script, self.root], text=True, capture_output=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("architecture: 1 problem(s)", run.stdout)


if __name__ == "__main__":
    unittest.main()
