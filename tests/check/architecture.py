#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold the tree against the table of docs/ARCHITECTURE.md.

The table has the columns module, may include, foreign headers. Every #include of lib/, include/ and cmd/ must be in it: module edges,
foreign headers only where the row says, none in a public header; the DEPS of each CMake target likewise; the edges form no circle;
every folder has its row; every header compiles alone.
"""
import argparse
import concurrent.futures
import os
import posixpath
import re
import subprocess
import sys

import csource

# libc, POSIX and Linux. Any other header in <> is foreign and needs its place in the table.
SYSTEM = set("""
assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h signal.h stdalign.h
stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h tgmath.h threads.h time.h uchar.h
wchar.h wctype.h
arpa/inet.h dirent.h fcntl.h fnmatch.h getopt.h glob.h grp.h ifaddrs.h langinfo.h libgen.h net/if.h netdb.h netinet/in.h
netinet/tcp.h poll.h pthread.h pwd.h regex.h sched.h semaphore.h strings.h syslog.h termios.h unistd.h utime.h
sys/epoll.h sys/eventfd.h sys/file.h sys/inotify.h sys/ioctl.h sys/mman.h sys/prctl.h sys/random.h sys/resource.h
sys/select.h sys/signalfd.h sys/socket.h sys/stat.h sys/statvfs.h sys/syscall.h sys/time.h sys/timerfd.h sys/types.h
sys/uio.h sys/un.h sys/utsname.h sys/wait.h
endian.h execinfo.h malloc.h
""".split())

TABLE = "docs/ARCHITECTURE.md"
COLUMNS = ("module", "may include", "foreign headers")
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b[ \t]*(.*?)[ \t]*$", re.M)
SOURCES = (".c", ".h", ".def")


class Row:
    def __init__(self, line, may, foreign):
        self.line, self.may, self.foreign = line, may, foreign


def read_table(root, problems):
    """module -> Row; what is wrong with the table itself goes to problems."""
    rows, columns = {}, None
    for number, line in enumerate(csource.read(root, TABLE).split("\n"), 1):
        cells = [c.strip() for c in line.strip().strip("|").split("|")] if line.lstrip().startswith("|") else []
        if not cells:
            columns = None
        elif all(name in cells for name in COLUMNS):
            columns = [cells.index(name) for name in COLUMNS]
        elif columns and not set("".join(cells)) <= set("-: "):
            name, may, foreign = (cells[i] if i < len(cells) else "" for i in columns)
            if name in rows:
                problems.append(f"{TABLE}:{number}: a second row for module {name}")
            rows[name] = Row(number, may.split(), foreign.split())
    if not rows:
        problems.append(f"{TABLE}: no table with the columns {', '.join(COLUMNS)}")
    return rows


def find_circle(rows):
    """The modules of a circle, or None."""
    done = set()

    def walk(name, path):
        if name in path:
            return path[path.index(name):] + [name]
        if name in done or name not in rows:
            return None
        for below in rows[name].may:
            circle = walk(below, path + [name])
            if circle:
                return circle
        done.add(name)
        return None

    for name in rows:
        circle = walk(name, [])
        if circle:
            return circle
    return None


def check_table(rows, problems):
    owner = {}
    for name, row in rows.items():
        for below in row.may:
            if below not in rows:
                problems.append(f"{TABLE}:{row.line}: module {name} may include {below}, which has no row")
        for header in row.foreign:
            if header in SYSTEM:
                problems.append(f"{TABLE}:{row.line}: {header} is the system's, not foreign")
            if header in owner:
                problems.append(f"{TABLE}:{row.line}: foreign header {header} of {name} belongs to {owner[header]} already")
            owner[header] = name
    circle = find_circle(rows)
    if circle:
        problems.append(f"{TABLE}: the modules form a circle: {' -> '.join(circle)}")


def module_of(path):
    """The module that a source belongs to; None for one that stands outside every module folder."""
    parts = path.split("/")
    if parts[0] == "cmd":
        return "cmd"
    at = 2 if parts[:2] == ["include", "gravel"] else 1 if parts[0] == "lib" else None
    return parts[at] if at is not None and len(parts) > at + 1 else None


def check_folders(root, rows, problems):
    for base in ("lib", "include/gravel"):
        full = os.path.join(root, base)
        for name in sorted(os.listdir(full)) if os.path.isdir(full) else ():
            if os.path.isdir(os.path.join(full, name)) and name not in rows:
                problems.append(f"{base}/{name}: a module without a row in {TABLE}")


def check_ours(root, rows, module, path, target):
    """What is wrong with #include "target" in path, or None."""
    if target.startswith("gravel/"):
        if not os.path.isfile(os.path.join(root, "include", target)):
            return f'"{target}" does not exist'
        below = module_of("include/" + target)
        if below != module and below not in rows[module].may:
            return f'module {module} may not include {below} ("{target}")'
        return None
    if path.startswith("include/"):
        return f'a public header includes the private "{target}"'
    at = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if not os.path.isfile(os.path.join(root, at)):
        return f'"{target}" is no header of ours (a foreign one stands in <>)'
    if module_of(at) != module:
        return f'"{target}" reaches into {at}, outside module {module}'
    return None


def check_theirs(rows, module, path, target):
    """What is wrong with #include <target> in path, or None. The table's nats.h stands for <nats/nats.h> too."""
    if target.startswith("gravel/"):
        return f'<{target}>: our own headers stand in ""'
    if target in SYSTEM:
        return None
    if path.startswith("include/"):
        return f"a public header includes the foreign <{target}>"
    if not {target, posixpath.basename(target)} & set(rows[module].foreign):
        return f"module {module} may not include the foreign <{target}>"
    return None


def check_includes(root, rows, path, problems):
    module = module_of(path)
    if module is None:
        problems.append(f"{path}: stands in no module's folder")
        return
    if module not in rows:
        if module == "cmd":
            problems.append(f"{path}: cmd has no row in {TABLE}")
        return  # a folder without a row is reported once
    text = csource.without_comments(csource.read(root, path))
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        target = match[1]
        if re.fullmatch(r'"[^"]+"', target):
            problem = check_ours(root, rows, module, path, target[1:-1])
        elif re.fullmatch(r"<[^>]+>", target):
            problem = check_theirs(rows, module, path, target[1:-1])
        else:
            problem = f"#include {target}: say which"
        if problem:
            problems.append(f"{path}:{line}: {problem}")


def check_targets(root, rows, problems):
    """The DEPS of gravel_module(NAME ... DEPS a b ...) in lib/*/CMakeLists.txt."""
    for path in csource.files(root, ["lib"], ("CMakeLists.txt",)):
        text = re.sub(r"#[^\n]*", "", csource.read(root, path))
        for match in re.finditer(r"\bgravel_module\s*\(\s*(\w+)([^)]*)\)", text):
            name, part = match[1], None
            if name != module_of(path):
                problems.append(f"{path}: the target of module {name} stands in the folder of {module_of(path)}")
            for word in match[2].split():
                if word in ("SOURCES", "DEPS", "FOREIGN"):
                    part = word
                elif part == "DEPS" and name in rows and word not in rows[name].may:
                    problems.append(f"{path}: module {name} may not link {word}")


def compile_alone(root, cc, path):
    """What the compiler says to a source that holds nothing but this header, or None."""
    command = [cc, "-fsyntax-only", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Iinclude", "-x", "c", "-"]
    run = subprocess.run(command, cwd=root, text=True, capture_output=True, input=f'#include "{path}"\n', check=False)
    if run.returncode == 0:
        return None
    first = [line for line in run.stderr.split("\n") if "error" in line] or [run.stderr.strip()]
    return f"{path}: does not compile alone: {first[0]}"


def check_headers_alone(root, cc, paths, problems):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        problems += filter(None, pool.map(lambda p: compile_alone(root, cc, p), paths))


def check(root, cc):
    problems = []
    rows = read_table(root, problems)
    if not rows:
        return problems
    check_table(rows, problems)
    check_folders(root, rows, problems)
    sources = csource.files(root, ["lib", "include", "cmd"], SOURCES)
    if not sources:
        problems.append("no sources in lib, include and cmd: nothing was checked")
    for path in sources:
        check_includes(root, rows, path, problems)
    check_targets(root, rows, problems)
    check_headers_alone(root, cc, [p for p in sources if p.endswith(".h")], problems)
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("root", nargs="?", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    parser.add_argument("--cc", default=os.environ.get("CC", "cc"), help="C compiler (cc)")
    options = parser.parse_args()
    return csource.report("architecture", check(options.root, options.cc))


if __name__ == "__main__":
    sys.exit(main())
