#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house's rules that a script can see.

- No function above 100 lines, in lib, include, cmd and tests; median and p90 without the tests are printed, and files above 600 lines.
- No banned call. An exception stands in its line as a comment with its reason: /* allow getenv: the reason */; memory that a foreign
  library allocated is freed with free(p) and the comment /* theirs */. A comment that excuses nothing is a problem too.
- Each source begins with its SPDX line (behind "#!" where there is one).
- clang-format has nothing to say, where the version is installed that the tree is formatted with.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys

import csource

LINES_MAX = 100
FILE_LINES = 600  # above this a file is mentioned
FORMAT_MAJOR = 14  # other versions break lines elsewhere
SPDX = "SPDX-License-Identifier: Apache-2.0"
C_ENDS = (".c", ".h", ".def")
SOURCE_ENDS = C_ENDS + (".py", ".sh", ".cmake", "CMakeLists.txt")
C_FOLDERS = ["lib", "include", "cmd", "tests"]

UNSAFE = "strcpy strcat strncat sprintf vsprintf atoi atol atoll atof strtok sscanf vsscanf gets"
PRODUCT = "strncpy stpcpy stpncpy strtod strtof strtold"
ALLOCATING = "malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf getline getdelim alloca"
PROCESS = "exit _exit _Exit quick_exit getenv secure_getenv setenv unsetenv putenv signal sigaction"
# Which names are banned where: (names, folders, the files that may).
BANS = [
    (UNSAFE.split(), ("lib/", "include/", "cmd/", "tests/"), ()),
    (PRODUCT.split(), ("lib/", "include/", "cmd/"), ()),
    (ALLOCATING.split(), ("lib/", "include/", "cmd/"), ("lib/base/mem.c",)),
    (PROCESS.split(), ("lib/", "include/"), ()),
]
CALL = re.compile(r"(?<![\w.])(?<!->)(" + "|".join(n for names, _, _ in BANS for n in names) + r")\s*\(")
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)")
ALLOW = re.compile(r"allow (\w+): \S")


def code_of(text):
    """Bare text without preprocessor lines, every line in its place."""
    lines, going_on = [], False
    for line in csource.bare(text).split("\n"):
        directive = going_on or line.lstrip().startswith("#")
        going_on = directive and line.rstrip().endswith("\\")
        lines.append("" if directive else line)
    return "\n".join(lines)


def functions(text):
    """(name, first line, number of lines) of each function definition, from its first word to its closing brace; None when the
    braces do not balance."""
    code, found = code_of(text), []
    depth, begin, body = 0, 0, None
    for match in re.finditer(r"[{};]", code):
        at, c = match.start(), match[0]
        if c == "{":
            if depth == 0:
                head = code[begin:at]
                is_function = head.rstrip().endswith(")") and not re.search(r"=", head)
                body = begin + len(head) - len(head.lstrip()) if is_function else None
            depth += 1
        elif c == "}":
            depth -= 1
            if depth < 0:
                return None
            if depth == 0 and body is not None:
                first = code.count("\n", 0, body) + 1
                name = re.search(r"(\w+)\s*\(", ATTRIBUTE.sub("", code[body:at]))
                found.append((name[1] if name else "?", first, code.count("\n", 0, at) + 2 - first))
                body = None
        if depth == 0:
            begin = at + 1
    return found if depth == 0 else None


def check_length(root, problems, notes):
    lengths = []
    for path in csource.files(root, C_FOLDERS, (".c", ".h")):
        text = csource.read(root, path)
        found = functions(text)
        if found is None:
            problems.append(f"{path}: braces do not balance, so its functions cannot be measured")
            continue
        problems += [f"{path}:{line}: {name} has {count} lines, above {LINES_MAX}"
                     for name, line, count in found if count > LINES_MAX]
        if not path.startswith("tests/"):
            lengths += [count for _, _, count in found]
        if text.count("\n") > FILE_LINES:
            notes.append(f"{path} has {text.count(chr(10))} lines")
    if not lengths:
        problems.append("no functions in lib, include and cmd: nothing was measured")
        return
    lengths.sort()
    p90 = lengths[min(len(lengths) - 1, len(lengths) * 9 // 10)]
    notes.append(f"{len(lengths)} functions outside the tests: "
                 f"median {statistics.median_low(lengths)}, p90 {p90}, max {lengths[-1]} lines")


def is_banned(path, name):
    return any(name in names and path.startswith(folders) and path not in may for names, folders, may in BANS)


def excuses(line):
    """The names that the comments of this line allow."""
    names = []
    for comment in csource.comments_of(line):
        if comment == "theirs":
            names.append("free")
        names += ALLOW.findall(comment)
    return names


def check_calls_of(root, path, problems):
    text = csource.read(root, path)
    for number, (line, code) in enumerate(zip(text.split("\n"), csource.bare(text).split("\n")), 1):
        banned = {name for name in CALL.findall(code) if is_banned(path, name)}
        allowed = set(excuses(line))
        for name in sorted(banned - allowed):
            problems.append(f"{path}:{number}: {name}() is banned here")
        for name in sorted(allowed - banned):
            problems.append(f"{path}:{number}: the comment allows {name}, which needs no excuse here")


def check_calls(root, problems):
    for path in csource.files(root, C_FOLDERS, C_ENDS):
        check_calls_of(root, path, problems)


def check_spdx(root, problems):
    for path in csource.files(root, C_FOLDERS + ["cmake", "scripts", "config"], SOURCE_ENDS) + ["CMakeLists.txt"]:
        if not os.path.isfile(os.path.join(root, path)):
            continue
        lines = (csource.read(root, path) + "\n").split("\n")
        first = lines[1] if lines[0].startswith("#!") else lines[0]
        want = f"/* {SPDX} */" if path.endswith(C_ENDS) else f"# {SPDX}"
        if first != want:
            problems.append(f"{path}: does not begin with '{want}'")


def format_tool():
    """(clang-format or None, why not)."""
    tool = shutil.which(f"clang-format-{FORMAT_MAJOR}") or shutil.which("clang-format")
    if tool is None:
        return None, "clang-format is not installed: format not checked"
    version = subprocess.run([tool, "--version"], text=True, capture_output=True, check=False).stdout
    major = re.search(r"version (\d+)", version)
    if major is None or int(major[1]) != FORMAT_MAJOR:
        return None, f"clang-format is not version {FORMAT_MAJOR}: format not checked"
    return tool, None


def check_format(root, problems, notes):
    tool, reason = format_tool()
    if tool is None:
        notes.append(reason)
        return
    paths = csource.files(root, C_FOLDERS, (".c", ".h"))
    run = subprocess.run([tool, "--dry-run", "-Werror", "--style=file"] + paths, cwd=root, text=True, capture_output=True, check=False)
    seen = set()
    for match in re.finditer(r"^(\S+?):(\d+):\d+: error: code should be clang-formatted", run.stderr, re.M):
        if match[1] not in seen:
            problems.append(f"{match[1]}:{match[2]}: is not as clang-format writes it")
        seen.add(match[1])
    if run.returncode != 0 and not seen:
        problems.append(f"clang-format failed: {run.stderr.strip()}")


def check(root):
    problems, notes = [], []
    check_length(root, problems, notes)
    check_calls(root, problems)
    check_spdx(root, problems)
    check_format(root, problems, notes)
    return problems, notes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("root", nargs="?", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    problems, notes = check(parser.parse_args().root)
    return csource.report("style", problems, notes)


if __name__ == "__main__":
    sys.exit(main())
