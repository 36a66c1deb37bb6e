# SPDX-License-Identifier: Apache-2.0
"""The scripts themselves, where they can be tried without installing anything."""
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness.http import Target
from harness.stand import ROOT, free_port, peer

DEPS = ROOT / "scripts" / "deps.sh"


def script(*args, env=None, cwd="/", timeout=300):
    base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    return subprocess.run([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, env=dict(base, **(env or {})), cwd=cwd, timeout=timeout, check=False)


@pytest.fixture
def bare(tmp_path):
    """A PATH with nothing but what the script itself needs, and tools that note how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("bash", "env", "grep", "cat", "mktemp", "rm", "mkdir", "mv", "sed"):
        os.symlink(shutil.which(tool), str(folder / tool))

    def fake(name, body):
        file = folder / name
        file.write_text('#!%s\nprintf "%%s %%s\\n" %s "$*" >>%s\n%s\n' % (shutil.which("bash"), name, tmp_path / "calls", body))
        file.chmod(0o755)

    def calls():
        file = tmp_path / "calls"
        return file.read_text() if file.exists() else ""
    fake.calls = calls
    fake.env = {"PATH": str(folder)}
    return fake


def test_deps_asks_apt_only_for_what_is_missing(bare):
    bare("id", "echo 0")
    bare("apt-get", "exit 0")
    bare("dpkg-query", 'case "$*" in *libnats-dev) exit 1 ;; *) printf "install ok installed" ;; esac')
    done = script(DEPS, "build", env=bare.env)
    assert done.returncode == 0, done.stderr
    installs = [line for line in bare.calls().splitlines() if line.startswith("apt-get") and " install " in line]
    assert len(installs) == 1 and installs[0].endswith("--no-install-recommends libnats-dev")


def test_deps_asks_apt_nothing_when_all_is_there(bare):
    bare("id", "echo 1000")
    bare("apt-get", "exit 0")
    bare("dpkg-query", 'printf "install ok installed"')
    assert script(DEPS, "test", env=bare.env).returncode == 0
    assert "apt-get" not in bare.calls()


def test_deps_without_root_or_sudo_says_so(bare):
    bare("id", "echo 1000")
    bare("apt-get", "exit 0")
    bare("dpkg-query", "exit 1")
    done = script(DEPS, "build", env=bare.env)
    assert done.returncode == 1
    assert "root" in done.stderr and "sudo" in done.stderr
    assert "apt-get" not in bare.calls()


def test_deps_uses_sudo(bare):
    bare("id", "echo 1000")
    bare("sudo", 'shift; exec "$@"')
    bare("apt-get", "exit 0")
    bare("dpkg-query", "exit 1")
    assert script(DEPS, "build", env=bare.env).returncode == 0
    assert "sudo -- env DEBIAN_FRONTEND=noninteractive apt-get" in bare.calls()


def test_deps_takes_dnf_where_there_is_no_apt(bare):
    bare("id", "echo 0")
    bare("rpm", "exit 1")
    bare("dnf", 'case "$*" in *repolist*) echo "crb CRB" ;; esac')
    bare("pkg-config", "exit 0")
    done = script(DEPS, "build", env=bare.env)
    assert done.returncode == 0, done.stderr
    install = [line for line in bare.calls().splitlines() if line.startswith("dnf") and " install " in line][0]
    assert "--enablerepo=crb" in install and "libmicrohttpd-devel" in install


def test_deps_says_that_el_has_no_nats_c(bare):
    bare("id", "echo 0")
    bare("rpm", "exit 0")
    bare("dnf", "exit 0")
    bare("pkg-config", "exit 1")
    done = script(DEPS, "build", env=bare.env)
    assert done.returncode == 1 and "nats.c" in done.stderr


def test_deps_where_there_is_no_package_manager(bare):
    done = script(DEPS, "build", env=bare.env)
    assert done.returncode == 1
    assert "libnats-dev" in done.stderr


def test_peers_takes_what_is_named(tmp_path):
    done = script(DEPS, "peers", tmp_path, "GRAVEL_NATS_SERVER", env={"GRAVEL_NATS_SERVER": peer("GRAVEL_NATS_SERVER")})
    assert done.returncode == 0
    assert done.stdout == "GRAVEL_NATS_SERVER=%s\n" % peer("GRAVEL_NATS_SERVER")


@pytest.mark.parametrize("name", ["scripts/deps.sh", "scripts/quickstart.sh", "tests/run.sh"])
def test_help_and_wrong_options(name):
    done = script(ROOT / name, "--help")
    assert done.returncode == 0 and name.split("/")[-1] in done.stdout
    done = script(ROOT / name, "--nonsense")
    assert done.returncode == 2 and "usage" in done.stderr.lower()


@pytest.fixture
def alone():
    """Two quickstarts at once may find the same port free: one after the other, also among workers and suites."""
    with open(os.path.join(tempfile.gettempdir(), "gravel-test-quickstart.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def quickstart(*args, env=None):
    peers = {v: peer(v) for v in ("GRAVEL_NATS_SERVER", "GRAVEL_NODE_EXPORTER")}
    return script(ROOT / "scripts" / "quickstart.sh", *args, env=dict(peers, **(env or {})))


@pytest.mark.skipif("GRAVEL_BIN" in os.environ, reason="it builds and runs build/, whatever is tested here")
def test_quickstart_once(tmp_path, alone):
    done = quickstart("--once", env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("targets up", "samples", "bytes on the wire", "age", "/metrics", "curl"):
        assert word in done.stdout, done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif("GRAVEL_BIN" in os.environ, reason="it builds and runs build/, whatever is tested here")
def test_quickstart_takes_other_ports_when_the_defaults_are_taken(tmp_path, alone):
    taken = []
    try:
        for port in (4222, 9100, 4278, 4279):
            try:
                taken.append(Target(port))
            except OSError:
                pass  # someone else's, which is as good
        done = quickstart("--once", env={"TMPDIR": str(tmp_path)})
        assert done.returncode == 0, done.stdout + done.stderr
        assert "127.0.0.1:4278" not in done.stdout
    finally:
        for target in taken:
            target.close()


@pytest.mark.skipif("GRAVEL_BIN" in os.environ, reason="it builds and runs build/, whatever is tested here")
def test_quickstart_names_the_guilty_log(tmp_path, alone):
    broken = tmp_path / "nats-server"
    broken.write_text("#!/bin/sh\necho the disk is full; exit 3\n")
    broken.chmod(0o755)
    folder = tmp_path / "tmp"
    folder.mkdir()
    done = quickstart("--once", env={"TMPDIR": str(folder), "GRAVEL_NATS_SERVER": str(broken)})
    assert done.returncode == 1
    assert "nats-server" in done.stderr and "the disk is full" in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.skipif("GRAVEL_BIN" in os.environ, reason="it builds and runs build/, whatever is tested here")
def test_quickstart_stops_on_ctrl_c(tmp_path, alone):
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TMPDIR": str(tmp_path),
           "GRAVEL_NATS_SERVER": peer("GRAVEL_NATS_SERVER"), "GRAVEL_NODE_EXPORTER": peer("GRAVEL_NODE_EXPORTER")}
    # Of a suite that runs in the background SIGINT is ignored, and would be by its children; in a terminal it is not.
    def heed_sigint():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([str(ROOT / "scripts" / "quickstart.sh")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               universal_newlines=True, env=env, cwd="/", preexec_fn=heed_sigint)
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        assert "Ctrl-C" in said, said
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=30)[0]
        assert process.returncode == 0, said
        assert list(tmp_path.iterdir()) == []
    finally:
        if process.poll() is None:
            process.terminate()  # which ends its children too; killed, it would leave them
            process.communicate(timeout=30)


def test_free_ports_are_free():
    assert len({free_port() for _ in range(50)}) == 50
