# SPDX-License-Identifier: Apache-2.0
"""What the benches in Python share: programs to be found, children to be ended, and the JSON line."""
import ctypes
import json
import os
import pathlib
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")
# Loopback only: a proxy in the environment is none of our business.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class BenchError(Exception):
    """A sentence for the one who runs the bench."""


def find_program(variable, names, packages):
    """The path of a foreign server: the environment, scripts/deps.sh, the usual folders."""
    if os.environ.get(variable):
        return os.environ[variable]
    for name in names:
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/bin")
        if found:
            return found
    deps = ROOT / "scripts" / "deps.sh"
    if deps.exists():
        done = subprocess.run([str(deps), "peers", str(ROOT / "build" / "peers"), variable], capture_output=True, text=True)
        words = [word.partition("=")[2] for word in shlex.split(done.stdout) if word.startswith(variable + "=")]
        if done.returncode == 0 and words:
            return words[0]
    raise BenchError("%s is not installed: set %s to its path, or install the package %s" % (names[0], variable, packages))


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, timeout=30):
    with OPENER.open(url, timeout=timeout) as answer:
        return answer.read().decode()


def wait_for(what, check, seconds, child=None):
    """Call check until it gives something true; what is missing is named after the seconds are over."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = check()
            if found:
                return found
            reason = "not there"
        except (OSError, ValueError, KeyError) as e:
            reason = str(e)
        if child is not None and child.process.poll() is not None:
            raise BenchError("%s ended with status %d\n%s" % (child.name, child.process.returncode, child.tail()))
        if time.monotonic() > end:
            raise BenchError("%s: %s after %g s%s" % (what, reason, seconds, "\n" + child.tail() if child else ""))
        time.sleep(0.05)


def _in_child():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A process of ours, its output in a file."""

    def __init__(self, name, argv, folder):
        self.name = name
        self.log = pathlib.Path(folder) / (name + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, preexec_fn=_in_child)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def tail(self):
        text = self.log.read_text(errors="replace")
        return "last lines of %s:\n%s" % (self.name, text[-2000:])

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def cpu_seconds_fine(self):
        """As cpu_seconds, by the nanosecond, of the threads that live: for programs whose threads stay."""
        spent = 0
        for task in pathlib.Path("/proc/%d/task" % self.process.pid).iterdir():
            spent += int((task / "schedstat").read_text().split()[0])
        return spent / 1e9

    def rss_mb(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024 / 1e6
        return 0.0


def samples(text):
    """The sum over all label sets of every metric of an exposition, by name."""
    sums = {}
    for line in text.splitlines():
        if line and line[0] != "#":
            series, _, value = line.rpartition(" ")
            name = series.partition("{")[0]
            sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def print_result(name, unit, values, **more):
    """One line: the median of the values with the smallest and the largest; peer and ratio by name."""
    result = {"name": name, "value": statistics.median(values), "unit": unit, "min": min(values), "max": max(values),
              "runs": len(values)}
    result = {k: float("%.6g" % v) if isinstance(v, float) else v for k, v in {**result, **more}.items()}
    print(json.dumps(result), flush=True)


def note(text):
    print(text, file=sys.stderr, flush=True)


def query(base, names):
    """The URL of an exposition that holds these families alone."""
    return base + "/metrics?" + urllib.parse.urlencode([("name[]", n) for n in names])
