# SPDX-License-Identifier: Apache-2.0
"""What both checks need to know about C text and about the tree."""
import os
import re

# In this order: what begins first wins, so a quote in a comment is no string and "/*" in a string no comment.
_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """The text with comments blanked, every line in its place."""
    return _TOKEN.sub(lambda m: _blank(m[0]) if m[0][0] == "/" else m[0], text)


def bare(text):
    """The text with comments, strings and characters blanked, every line in its place."""
    return _TOKEN.sub(lambda m: _blank(m[0]), text)


def comments_of(line):
    """The texts of the comments that stand whole in one line."""
    return [m[0].strip("/* ") for m in _TOKEN.finditer(line) if m[0][0] == "/"]


def files(root, folders, ends):
    """Paths below root, with "/" between parts, of the files in these folders whose names end so; sorted."""
    found = []
    for folder in folders:
        for where, below, names in os.walk(os.path.join(root, folder)):
            below[:] = [d for d in below if not d.startswith(".") and d != "__pycache__"]
            found += [os.path.relpath(os.path.join(where, n), root) for n in names if n.endswith(ends)]
    return sorted(p.replace(os.sep, "/") for p in found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def report(name, problems, notes=()):
    """Print and return the exit status."""
    for line in notes:
        print(line)
    for line in problems:
        print(line)
    print(f"{name}: {len(problems)} problem(s)" if problems else f"{name}: in order")
    return 1 if problems else 0
