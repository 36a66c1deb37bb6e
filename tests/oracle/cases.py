# SPDX-License-Identifier: Apache-2.0
"""Case files: bodies as they look, each with its name and the rule that it shows.

    # a comment
    == name-of-the-case
    spec: Section of the specification: what it says
    | a line of the body
    > its last line, without a line feed

Any other "key: value" line is a note that the test reads. <0D> in a body is the byte 0x0D (any two upper-case hexadecimal digits).
"""
import collections
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent
Case = collections.namedtuple("Case", "name body notes where")


def unescape(line):
    return re.sub(rb"<([0-9A-F]{2})>", lambda m: bytes([int(m[1], 16)]), line.encode("utf-8"))


def read(path):
    cases, seen = [], set()
    for number, line in enumerate((FOLDER / path).read_text("utf-8").split("\n"), 1):
        where = "%s:%d" % (path, number)
        if line.startswith("== "):
            cases.append(Case(line[3:], b"", {}, where))
            assert line[3:] not in seen, "%s: two cases of that name" % where
            seen.add(line[3:])
        elif line.startswith(("| ", "> ")) or line in ("|", ">"):
            last = cases[-1]
            assert not last.body or last.body.endswith(b"\n"), "%s: follows a line without an end" % where
            cases[-1] = last._replace(body=last.body + unescape(line[2:]) + (b"\n" if line[0] == "|" else b""))
        elif line and not line.startswith("#"):
            key, colon, value = line.partition(": ")
            assert colon and cases and key not in cases[-1].notes, "%s: what is this?" % where
            cases[-1].notes[key] = value
    return cases
