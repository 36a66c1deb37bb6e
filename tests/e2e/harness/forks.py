# SPDX-License-Identifier: Apache-2.0
"""A receiver writes its snapshots in a fork. The allocators of sanitizers of today's compilers are not made for that: in a child of a process with threads they may wait for ever for a lock that
another thread had. Such a child is killed; for the receiver that is a snapshot that failed, and it makes another one. Without a sanitizer there is nothing of this kind to end."""
import os
import pathlib
import signal

STUCK = 6  # seconds; what is small is written in a fraction of one
TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """Name, parent and start (seconds since boot) of a process; LookupError, OSError when it has gone."""
    text = (pathlib.Path("/proc") / str(pid) / "stat").read_text("utf-8", "replace")
    name, fields = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    return name, int(fields[1]), int(fields[19]) / TICKS


def end_stuck(root):
    """End the children of receivers that this process started, if they are as old as that."""
    now = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            _, parent, began = _stat(entry)
            if now - began < STUCK or parent == root or _stat(parent)[1] != root:
                continue
            if os.path.basename(os.readlink("/proc/%d/exe" % parent)) == "gravel-receiver":
                os.kill(int(entry), signal.SIGKILL)
        except (OSError, LookupError, ValueError):
            continue
