#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rpm.py must be able to fail: each rule broken once, in a copy of the real package that is in order without that."""
import os
import shutil
import subprocess
import sys
import unittest
from unittest import mock

import csource
import rpm
import tree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
VERSION = rpm.version_of_project(ROOT)
REAL = ["CMakeLists.txt", rpm.DEPS] + csource.files(ROOT, ["rpm"], "")
BUILT = {f"cmd/{name}/CMakeLists.txt": f"install(TARGETS {name} RUNTIME DESTINATION bin)\n"
         for name in ("gravel-poller", "gravel-receiver", "gravelctl")}
POLLER = "rpm/gravel-poller.service"
ROTATE = "rpm/gravel-poller.logrotate"


class Package(tree.TreeTest):
    GOOD = {path: csource.read(ROOT, path) for path in REAL}
    GOOD.update(BUILT)
    GOOD.update({path: "" for path in ("LICENSE", "README.md", "config/poller.yaml", "config/receiver.yaml", "docs/INSTALL.md")})

    def change(self, path, old, new):
        text = csource.read(self.root, path)
        self.assertIn(old, text)
        self.write(path, text.replace(old, new))

    def remove(self, path):
        os.unlink(os.path.join(self.root, path))

    def problems(self):
        return rpm.check_tree(self.root)


class Tree(Package):
    def test_good_tree(self):
        self.assert_problem()

    def test_version_of_the_project(self):
        self.change("CMakeLists.txt", f"VERSION {VERSION}", "VERSION 99.1")
        self.assert_problem(f"Version is {VERSION}, the project's is 99.1")

    def test_no_version(self):
        self.change(rpm.SPEC, f"Version:        {VERSION}\n", "")
        self.assert_problem("Version is None", "the newest entry of the changelog is not of None")

    def test_version_of_the_changelog(self):
        self.change(rpm.SPEC, f" - {VERSION}-", f" - {VERSION}.1-")
        self.assert_problem(f"the newest entry of the changelog is not of {VERSION}")

    def test_missing_file(self):
        for path in ("config/poller.yaml", POLLER, ROTATE):
            self.remove(path)
        self.assert_problem(*[f"installs {p}, which does not exist" for p in ("config/poller.yaml", POLLER, ROTATE)])

    def test_missing_papers(self):
        self.remove("LICENSE")
        self.remove("docs/INSTALL.md")
        self.assert_problem("common holds LICENSE", "common holds docs/*.md", "poller holds LICENSE", "receiver holds LICENSE",
                            "gravelctl holds LICENSE")

    def test_file_that_nothing_puts_there(self):
        self.change(rpm.SPEC, "install -D -p -m 0644 rpm/gravel-streams.sysusers", "# ")
        self.assert_problem("common holds /usr/lib/sysusers.d/gravel-streams.conf, which nothing puts there")

    def test_program_that_nothing_builds(self):
        self.write("cmd/gravel-poller/CMakeLists.txt", "add_executable(gravel-poller main.c)\n")
        self.assert_problem("gravel-poller holds /usr/bin/gravel-poller, which nothing puts there")

    def test_program_in_no_package(self):
        self.write("cmd/other/CMakeLists.txt", "install(TARGETS gravel-other RUNTIME DESTINATION bin)\n")
        self.assert_problem("/usr/bin/gravel-other is in 0 packages")

    def test_file_in_two_packages(self):
        self.change(rpm.SPEC, "%{_bindir}/gravel-poller\n", "%{_bindir}/gravel-poller\n%{_unitdir}/gravel-receiver.service\n")
        self.assert_problem("/usr/lib/systemd/system/gravel-receiver.service is in 2 packages",
                            "ExecStart names /usr/bin/gravel-receiver, which gravel-poller does not hold",
                            "ExecStart names /etc/gravel-streams/receiver.yaml, which gravel-poller does not hold",
                            "%post of gravel-poller lacks", "%preun of gravel-poller lacks", "%postun of gravel-poller lacks")

    def test_library_that_the_spec_lacks(self):
        self.change(rpm.DEPS, "gravel_need(ZLIB", "gravel_need(LUA lua5.4 liblua5.4-dev lua-devel)\ngravel_need(ZLIB")
        self.assert_problem("no BuildRequires: lua-devel")

    def test_library_that_only_the_spec_has(self):
        self.change(rpm.SPEC, "BuildRequires:  zlib-devel\n", "BuildRequires:  zlib-devel\nBuildRequires:  lua-devel >= 2\n")
        self.assert_problem("BuildRequires: lua-devel has no pair")

    def test_library_without_a_package(self):
        self.change(rpm.SPEC, "pkgconfig(libnats)", "libnats-devel")
        self.assert_problem("no BuildRequires: pkgconfig(libnats)", "BuildRequires: libnats-devel has no pair")

    def test_no_libraries(self):
        self.write(rpm.DEPS, "# gravel_need(ZLIB zlib zlib1g-dev zlib-devel)\n")
        self.assertIn("no library was found", self.problems()[0])

    def test_config_that_an_upgrade_replaces(self):
        self.change(rpm.SPEC, "%config(noreplace) %attr(0640, root, gravel) %{_sysconfdir}/gravel-streams/poller.yaml",
                    "%config %attr(0640, root, gravel) %{_sysconfdir}/gravel-streams/poller.yaml")
        self.assert_problem("/etc/gravel-streams/poller.yaml is not %config(noreplace)")

    def test_config_that_all_may_read(self):
        self.change(rpm.SPEC, "%attr(0640, root, gravel) %{_sysconfdir}/gravel-streams/receiver.yaml",
                    "%{_sysconfdir}/gravel-streams/receiver.yaml")
        self.assert_problem("/etc/gravel-streams/receiver.yaml is not %attr(0640, root, gravel)")

    def test_folder_that_all_may_read(self):
        self.change(rpm.SPEC, "%dir %attr(0750, root, gravel)", "%dir %attr(0755, root, root)")
        self.assert_problem("/etc/gravel-streams is not %attr(0750, root, gravel)")

    def test_unit_that_is_enabled(self):
        self.change(rpm.SPEC, "%systemd_post gravel-poller.service", "%systemd_post gravel-poller.service\nsystemctl -q enable gravel-poller")
        self.assert_problem("%post gravel-poller enables or starts a unit: systemctl -q enable gravel-poller")

    def test_unit_without_its_scripts(self):
        for macro in ("%systemd_post ", "%systemd_preun ", "%systemd_postun_with_restart "):
            self.change(rpm.SPEC, macro + "gravel-receiver.service\n", "")
        self.assert_problem(*[f"%{s} of gravel-receiver lacks %systemd_{s}" for s in ("post", "preun", "postun")])

    def test_unit_that_starts_another_program(self):
        self.change(POLLER, "ExecStart=/usr/bin/gravel-poller", "ExecStart=/usr/sbin/gravel-poller")
        self.assert_problem("ExecStart names /usr/sbin/gravel-poller, which gravel-poller does not hold")

    def test_unit_with_the_config_of_another(self):
        self.change(POLLER, "poller.yaml", "receiver.yaml")
        self.assert_problem("ExecStart names /etc/gravel-streams/receiver.yaml, which gravel-poller does not hold")

    def test_unit_that_starts_nothing(self):
        self.change(POLLER, "ExecStart=", "# ExecStart=")
        self.assert_problem("ExecStart names (nothing)")

    def test_unit_of_another_user(self):
        self.change(POLLER, "User=gravel", "User=root")
        self.assert_problem(f"{POLLER}: User is ['root'], {rpm.SYSUSERS} makes ['gravel']")

    def test_unit_that_is_open(self):
        for line in ("NoNewPrivileges=yes\n", "Restart=on-failure\n", "StateDirectory=gravel-streams\n", "ExecReload="):
            self.change(POLLER, line, "# ")
        self.change(POLLER, "ProtectSystem=strict", "ProtectSystem=full")
        self.change(POLLER, "SystemCallFilter=@system-service", "SystemCallFilter=@system-service\nSystemCallFilter=@mount")
        self.assert_problem("NoNewPrivileges is None", "ProtectSystem is ['full'], not strict", "SystemCallFilter is [",
                            "Restart is None", "StateDirectory is None", "ExecReload is None")

    def test_no_units(self):
        self.change(rpm.SPEC, ".service", ".unit")
        self.assertIn(f"{rpm.SPEC}: no unit was checked", self.problems())

    def test_user_that_nothing_makes(self):
        self.change(rpm.SPEC, '-c "Gravel Streams" gravel', '-c "Gravel Streams" other')
        self.assert_problem("%pre does not make the user and the group gravel")
        self.change(rpm.SPEC, '-c "Gravel Streams" other', '-c "Gravel Streams" gravel')
        self.change(rpm.SPEC, "groupadd -r gravel", "groupadd gravel")
        self.assert_problem("%pre does not make the user and the group gravel")

    def test_rotation_of_another_unit(self):
        self.change(ROTATE, "reload gravel-poller.service", "reload gravel-receiver.service")
        self.assert_problem(f"{ROTATE}: does not reload gravel-poller.service")

    def test_rotation_of_another_folder(self):
        self.change(ROTATE, "/var/log/gravel-streams/", "/var/log/")
        self.assert_problem(f"{ROTATE}: no log of /var/log/gravel-streams")


class Tools(Package):
    def problems(self):
        return rpm.check_tools(self.root)[0]

    def test_good_tree(self):
        self.assert_problem()

    def test_not_installed(self):
        with mock.patch.object(rpm.shutil, "which", return_value=None):
            problems, notes = rpm.check_tools(self.root)
        self.assertEqual(problems, [])
        self.assertEqual([n.split(" is not ")[0] for n in notes], ["skip: rpmspec", "skip: rpmlint", "skip: systemd-analyze"])

    @unittest.skipUnless(shutil.which("rpmspec"), "rpmspec is not installed (package rpm)")
    def test_spec_that_does_not_parse(self):
        self.change(rpm.SPEC, "%if %{with check}\n%check", "%if %{with check}\n%if 1\n%check")
        self.assertIn("rpmspec -P : ", self.problems()[0])

    @unittest.skipUnless(shutil.which("rpmspec"), "rpmspec is not installed (package rpm)")
    def test_spec_that_does_not_parse_without_a_condition(self):
        self.change(rpm.SPEC, "BuildRequires:  pkgconfig(libnats)", "Nonsense: 1")
        self.assertIn("rpmspec -P --without bundled_natsc: ", self.problems()[0])

    @unittest.skipUnless(shutil.which("rpmlint"), "rpmlint is not installed (package rpmlint)")
    def test_rpmlint_error(self):
        self.change(rpm.SPEC, "%{_bindir}/gravel-poller", "/usr/lib/gravel-poller")
        self.assert_problem("E: hardcoded-library-path")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed (package systemd)")
    def test_unit_key_that_does_not_exist(self):
        self.change(POLLER, "RestartSec=5", "RestartSecs=5")
        with mock.patch.object(rpm, "SYSTEMD_MIN", 0):
            self.assert_problem("RestartSecs")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed (package systemd)")
    def test_old_systemd(self):
        with mock.patch.object(rpm, "SYSTEMD_MIN", 1 << 20):
            self.assertIn("skip: systemd-analyze is older", "\n".join(rpm.check_tools(self.root)[1]))

    def test_exit_status(self):
        script = os.path.join(HERE, "rpm.py")
        run = subprocess.run([sys.executable, script, self.root], text=True, capture_output=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("rpm: in order", run.stdout)
        self.change("CMakeLists.txt", f"VERSION {VERSION}", "VERSION 99.1")
        run = subprocess.run([sys.executable, script, self.root], text=True, capture_output=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("rpm: 1 problem(s)", run.stdout)


if __name__ == "__main__":
    unittest.main()
