#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a module's library exports begins with gs_ (house style 3).

usage: symbols.py LIBRARY.a...
"""
import subprocess
import sys


def exported(library):
    """Names that other files can link against: functions and data that are defined and not static."""
    out = subprocess.run(["nm", "-g", "--defined-only", library], check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout
    return {words[2] for words in (line.split() for line in out.splitlines()) if len(words) == 3}


def problems(library):
    # Sanitizers and coverage add names of their own, which begin with an underscore.
    return ["%s exports %s: make it static, or call it gs_..." % (library, name)
            for name in sorted(exported(library)) if not name.startswith(("gs_", "_"))]


def main(libraries):
    found = [p for library in libraries for p in problems(library)]
    print("\n".join(found) if found else "symbols: in order, %d libraries" % len(libraries))
    return 1 if found or not libraries else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
