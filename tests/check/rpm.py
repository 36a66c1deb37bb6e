#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The RPM package against the tree it is made of.

- The spec's version is the project's, in the changelog too.
- Every file that the spec takes from the tree exists; every file of a package is put there by something.
- The libraries and programs that it needs to build are those of cmake/GravelDeps.cmake, by their EL names.
- A unit starts a program of its own package, with a configuration of its own package, as the user that is made; its log
  rotation names the unit and its folder. Configuration belongs to root and the group, 0640, and is never replaced. Nothing enables a unit.
- rpmspec parses the spec, rpmlint finds no error in it, systemd-analyze nothing in the units, where these are installed.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import csource

SPEC = "rpm/gravel-streams.spec"
DEPS = "cmake/GravelDeps.cmake"
SYSUSERS = "rpm/gravel-streams.sysusers"
MAIN = "gravel-streams"
CONFIG_DIR = "/etc/gravel-streams"
# What a build needs beside the libraries of ours, and why.
TOOLS = {"cmake", "gcc", "make", "pkgconf-pkg-config", "systemd-rpm-macros", "python3"}
OF_NATSC = {"openssl-devel"}  # the bundled nats.c needs it, no source of ours includes it
SYSTEMD_MIN = 247  # an older one warns of keys that it does not know yet
MACROS = {"_bindir": "/usr/bin", "_sysconfdir": "/etc", "_unitdir": "/usr/lib/systemd/system",
          "_sysusersdir": "/usr/lib/sysusers.d", "_localstatedir": "/var", "buildroot": ""}
SECTION = re.compile(r"%(package|description|prep|build|install|check|pre|post|preun|postun|files|changelog)\b(.*)")


class Spec:
    """What the checks need of a spec: tags, build requirements and the lines of each section. Conditions are read as if all held."""

    def __init__(self, text):
        self.globals = dict(MACROS)
        self.sections = {}
        lines = self.sections.setdefault("preamble", [])
        for raw in re.sub(r"\\\n\s*", " ", text).split("\n"):
            line = raw.strip()
            if not line or line.startswith("#") or re.match(r"%(if|else|endif|bcond)", line):
                continue
            match = SECTION.fullmatch(line)
            if match:
                lines = self.sections.setdefault(f"{match[1]} {self.package(match[2])}", [])
                continue
            lines.append(line)
            tag = re.match(r"(?:%(?:global|define)\s+(\w+)\s+|(Name|Version):\s*)(\S+)", line)
            if tag and lines is self.sections["preamble"]:
                self.globals[tag[1] or tag[2].lower()] = tag[3]

    @staticmethod
    def package(words):
        words = words.split()
        return MAIN if not words else words[1] if words[0] == "-n" else f"{MAIN}-{words[0]}"

    def expand(self, text):
        return re.sub(r"%\{(\w+)\}", lambda m: self.globals.get(m[1], m[0]), text)

    def lines(self, section, package=MAIN):
        return [self.expand(line) for line in self.sections.get(f"{section} {package}", [])]

    def packages(self):
        return [name.split()[1] for name in self.sections if name.startswith("files ")]

    def requires(self):
        """The names behind BuildRequires, without versions."""
        tags = [line for line in self.sections["preamble"] if line.startswith("BuildRequires:")]
        return [line.split()[1] for line in tags]

    def copies(self):
        """(from the tree, to the system) of each file that %install installs."""
        return [(words[-2], words[-1]) for words in map(str.split, self.lines("install"))
                if words[0] == "install" and "-d" not in words]

    def files(self, package):
        """path -> directives of each path in %files; what comes from the build folder (%license, %doc) is left out."""
        found = {}
        for line in self.lines("files", package):
            directives = re.findall(r"%\w+(?:\([^)]*\))?", line)
            if not any(d in ("%license", "%doc") for d in directives):
                found[re.sub(r"%\w+(\([^)]*\))?", "", line).strip()] = directives
        return found

    def papers(self, package):
        """What %license and %doc name."""
        lines = [line.split() for line in self.lines("files", package)]
        return [path for words in lines if words[0] in ("%license", "%doc") for path in words[1:]]


def version_of_project(root):
    match = re.search(r"project\([^)]*?VERSION\s+([\d.]+)", csource.read(root, "CMakeLists.txt"))
    return match[1] if match else None


def check_version(root, spec, problems):
    project, package = version_of_project(root), spec.globals.get("version")
    if project is None or project != package:
        problems.append(f"{SPEC}: Version is {package}, the project's is {project}")
    newest = (spec.lines("changelog") or [""])[0]
    if not newest.split(" - ")[-1].startswith(f"{package}-"):
        problems.append(f"{SPEC}: the newest entry of the changelog is not of {package}: {newest}")


def programs(root):
    """What CMake installs into bin: the targets of install(TARGETS ...) in cmd."""
    found = []
    for path in csource.files(root, ["cmd"], ("CMakeLists.txt",)):
        for match in re.finditer(r"install\(TARGETS\s+([\w\s-]+?)\s+RUNTIME", csource.read(root, path)):
            found += match[1].split()
    return found


def check_files(root, spec, problems):
    copied = {to: source for source, to in spec.copies()}
    for to, source in copied.items():
        if not os.path.isfile(os.path.join(root, source)):
            problems.append(f"{SPEC}: installs {source}, which does not exist")
    made = [line.split()[-1] for line in spec.lines("install") if line.startswith(("install -d", "cp "))]
    built = [f"/usr/bin/{name}" for name in programs(root)]
    listed = {}
    for package in spec.packages():
        for path in spec.papers(package):
            if path not in made and not glob.glob(os.path.join(root, path)):
                problems.append(f"{SPEC}: {package} holds {path}, which does not exist")
        for path in spec.files(package):
            listed.setdefault(path, []).append(package)
            if path not in copied and path not in made and path not in built:
                problems.append(f"{SPEC}: {package} holds {path}, which nothing puts there")
    for path in [*copied, *built]:
        if len(listed.get(path, ())) != 1:
            problems.append(f"{SPEC}: {path} is in {len(listed.get(path, ()))} packages")


def check_requires(root, spec, problems):
    text = re.sub(r"(?m)^\s*#.*", "", csource.read(root, DEPS))
    needs = re.findall(r'gravel_need(?:_program)?\((\w+)\s+(\S+)\s+\S+\s+("[^"]*"|[^\s")]+)\)', text)
    # A name in quotes is a sentence: EL has no package of it. What is required then is its pkg-config name, where it is not bundled.
    wanted = {f"pkgconfig({pc})" if el[0] == '"' else el for _, pc, el in needs}
    if not wanted:
        problems.append(f"{DEPS}: no library was found in it")
    has = set(spec.requires())
    for name in sorted(wanted - has):
        problems.append(f"{SPEC}: no BuildRequires: {name}, which {DEPS} names")
    for name in sorted(has - wanted - TOOLS - OF_NATSC):
        problems.append(f"{SPEC}: BuildRequires: {name} has no pair in {DEPS}")


def check_config(spec, problems):
    for package in spec.packages():
        for path, directives in spec.files(package).items():
            if path.startswith("/etc/") and "%dir" not in directives and "%config(noreplace)" not in directives:
                problems.append(f"{SPEC}: {path} is not %config(noreplace)")
            mode = "%attr(0750, root, gravel)" if "%dir" in directives else "%attr(0640, root, gravel)"
            if path.startswith(CONFIG_DIR) and mode not in directives:
                problems.append(f"{SPEC}: {path} is not {mode}")
    for section in spec.sections:
        for line in spec.sections[section] if not section.startswith(("description", "changelog")) else ():
            if re.search(r"systemctl\s.*\b(enable|preset|start)\b|\.preset\b|\.wants\b", line):
                problems.append(f"{SPEC}: %{section} enables or starts a unit: {line}")


def read_unit(root, path):
    """key -> values of a unit, whatever section they stand in."""
    keys = {}
    for line in csource.read(root, path).split("\n"):
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            keys.setdefault(key, []).append(value)
    return keys


def check_unit(root, spec, package, path, users, problems):
    name = os.path.basename(path)
    unit = read_unit(root, path)
    command = (unit.get("ExecStart") or [""])[0].split()
    for part in [word for word in command if word.startswith("/")] or ["(nothing)"]:
        if part not in spec.files(package):
            problems.append(f"{path}: ExecStart names {part}, which {package} does not hold")
    for key in ("User", "Group"):
        if unit.get(key) != users:
            problems.append(f"{path}: {key} is {unit.get(key)}, {SYSUSERS} makes {users}")
    for script, macro in (("post", "%systemd_post"), ("preun", "%systemd_preun"), ("postun", "%systemd_postun_with_restart")):
        if f"{macro} {name}" not in spec.lines(script, package):
            problems.append(f"{SPEC}: %{script} of {package} lacks {macro} {name}")
    for key, value in (("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("SystemCallFilter", "@system-service"),
                       ("Restart", "on-failure"), ("StateDirectory", MAIN), ("ExecReload", "/bin/kill -HUP $MAINPID")):
        if unit.get(key) != [value]:
            problems.append(f"{path}: {key} is {unit.get(key)}, not {value}")


def check_rotation(root, unit, path, problems):
    text = csource.read(root, path)
    logs = read_unit(root, unit).get("LogsDirectory", ["?"])[0]
    if f"systemctl reload {os.path.basename(unit)} " not in text:
        problems.append(f"{path}: does not reload {os.path.basename(unit)}")
    if not re.search(rf"(?m)^/var/log/{re.escape(logs)}/\S+ {{", text):
        problems.append(f"{path}: no log of /var/log/{logs}, the LogsDirectory of {unit}")


def check_packages(root, spec, problems):
    users = re.findall(r"(?m)^u\s+(\S+)", csource.read(root, SYSUSERS))
    units = 0
    for package in spec.packages():
        sources = {to: source for source, to in spec.copies() if to in spec.files(package)}
        unit = [s for to, s in sources.items() if to.endswith(".service") and os.path.isfile(os.path.join(root, s))]
        for path in unit:
            units += 1
            check_unit(root, spec, package, path, users, problems)
        for to, path in sources.items():
            if "/logrotate.d/" in to and unit and os.path.isfile(os.path.join(root, path)):
                check_rotation(root, unit[0], path, problems)
    if not units:
        problems.append(f"{SPEC}: no unit was checked")
    made = [line for package in spec.packages() for line in spec.lines("pre", package)]
    for user in users:
        if not all(any(f"{command} -r " in m and m.endswith(f" {user}") for m in made) for command in ("groupadd", "useradd")):
            problems.append(f"{SPEC}: %pre does not make the user and the group {user} of {SYSUSERS}")


def tool(name, package, notes):
    found = shutil.which(name)
    if found is None:
        notes.append(f"skip: {name} is not installed (package {package})")
    return found


def run(command, cwd):
    env = dict(os.environ, LC_ALL="C", HOME=cwd)
    done = subprocess.run(command, cwd=cwd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.strip()


def check_with_rpm(root, work, problems, notes):
    spec = os.path.join(root, SPEC)
    if tool("rpmspec", "rpm on Debian, rpm-build on EL", notes):
        for options in ([], ["--without", "bundled_natsc"], ["--without", "check"]):
            status, said = run(["rpmspec", "-P", *options, spec], work)
            if status != 0 or re.search(r"(?m)^(error|warning):", said):
                problems.append(f"{SPEC}: rpmspec -P {' '.join(options)}: {said[-500:]}")
    if tool("rpmlint", "rpmlint", notes):
        status, said = run(["rpmlint", spec], work)
        errors = re.findall(r"(?m)^.* E: .*$", said)
        problems += [f"rpmlint: {line}" for line in errors]
        if status != 0 and not errors:
            problems.append(f"rpmlint: {said[-500:]}")


def check_with_systemd(root, work, problems, notes):
    if not tool("systemd-analyze", "systemd", notes):
        return
    version = re.search(r"systemd (\d+)", run(["systemd-analyze", "--version"], work)[1])
    if not version or int(version[1]) < SYSTEMD_MIN:
        notes.append(f"skip: systemd-analyze is older than {SYSTEMD_MIN}")
        return
    for path in csource.files(root, ["rpm"], (".service",)):
        # Its program is not installed here.
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", csource.read(root, path))
        copy = os.path.join(work, os.path.basename(path))
        with open(copy, "w", encoding="utf-8") as f:
            f.write(text)
        status, said = run(["systemd-analyze", "verify", "--man=no", copy], work)
        about = [line for line in said.split("\n") if os.path.basename(path) in line]
        if status != 0 or about:
            problems.append(f"{path}: systemd-analyze verify: " + " | ".join(about or [said[-500:]]))


def check_tree(root):
    """What can be said without the tools of rpm and systemd."""
    problems = []
    spec = Spec(csource.read(root, SPEC))
    check_version(root, spec, problems)
    check_files(root, spec, problems)
    check_requires(root, spec, problems)
    check_config(spec, problems)
    check_packages(root, spec, problems)
    return problems


def check_tools(root):
    problems, notes = [], []
    with tempfile.TemporaryDirectory(prefix="gravel-check-") as work:
        check_with_rpm(os.path.abspath(root), work, problems, notes)
        check_with_systemd(root, work, problems, notes)
    return problems, notes


def check(root):
    problems, notes = check_tools(root)
    return check_tree(root) + problems, notes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("root", nargs="?", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    options = parser.parse_args()
    return csource.report("rpm", *check(options.root))


if __name__ == "__main__":
    sys.exit(main())
