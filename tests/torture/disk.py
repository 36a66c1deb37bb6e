# SPDX-License-Identifier: Apache-2.0
"""The bad disk of disk.c: what it is told while a program runs, and what a loss of power leaves of it."""
import errno
import mmap
import os
import pathlib
import random
import shutil
import struct

# struct disk_control and struct disk_undo of disk.h.
FIELDS = ("magic", "main_pid", "ops", "kill_at", "kill_mode", "kill_whom", "only_forks", "sync_delay_us", "write_delay_us",
          "write_delay_us_per_kib", "full", "sync_errno", "write_errno", "fail_period", "failures", "syncs")
LAYOUT = "<IIQQIIIIIIIIIIQQ"
UNDO = struct.Struct("<IIQQQQQQ")
MAGIC = 0x4b534944
BEFORE, HALF, AFTER = 0, 1, 2
GROUP, SELF = 0, 1
WRITE, TRUNCATE, SYNC, CREATE, UNLINK, RENAME, SYNC_FOLDER = range(1, 8)
BLOCK = 4096


def library(build):
    """The preloaded library of a build folder's bin/."""
    file = pathlib.Path(build).parent / "tests" / "libgravel_disk.so"
    assert file.exists(), "%s is not there: build first" % file
    return file


class Disk:
    """The control block. Fields are attributes; one program at a time."""

    def __init__(self, folder, root):
        folder = pathlib.Path(folder)
        object.__setattr__(self, "root", pathlib.Path(root))
        object.__setattr__(self, "file", folder / "disk.control")
        object.__setattr__(self, "undo", folder / "disk.undo")
        object.__setattr__(self, "at", {})
        offset = 0
        for name, kind in zip(FIELDS, LAYOUT[1:]):
            self.at[name] = ("<" + kind, offset)
            offset += struct.calcsize("<" + kind)
        with open(self.file, "wb") as f:
            f.write(b"\0" * 4096)
        with open(self.file, "r+b") as f:
            object.__setattr__(self, "map", mmap.mmap(f.fileno(), 4096))
        self.magic = MAGIC

    def __getattr__(self, name):
        kind, offset = self.at[name]
        return struct.unpack_from(kind, self.map, offset)[0]

    def __setattr__(self, name, value):
        kind, offset = self.at[name]
        struct.pack_into(kind, self.map, offset, value)

    def heal(self):
        for name in ("kill_at", "kill_mode", "kill_whom", "only_forks", "sync_delay_us", "write_delay_us", "write_delay_us_per_kib",
                     "full", "sync_errno", "write_errno", "fail_period"):
            setattr(self, name, 0)

    def environment(self, build, undo=False):
        env = {"LD_PRELOAD": str(library(build)), "GRAVEL_DISK_ROOT": str(self.root), "GRAVEL_DISK_CONTROL": str(self.file)}
        if undo:
            env["GRAVEL_DISK_UNDO"] = str(self.undo)
        return env

    def forget(self):
        """Everything on the disk is safe from here on."""
        self.undo.unlink(missing_ok=True)
        shutil.rmtree(str(self.undo) + ".trash", ignore_errors=True)

    def power_cut(self, rng=None):
        """Take back what was not synced: all of it, or with rng each block of it as the dice fall. No program runs. How many operations
        were taken back."""
        lost = PowerCut(self.root, str(self.undo) + ".trash").run(read_undo(self.undo), rng)
        self.forget()
        return lost


class Record:
    def __init__(self, kind, inode, offset, old_size, paths, old, new, trash):
        self.kind, self.inode, self.offset, self.old_size = kind, inode, offset, old_size
        self.paths, self.old, self.new, self.trash = paths, old, new, trash


def read_undo(file):
    """The records of an undo file; the last one may be cut, and then what it announces was not done."""
    try:
        data = pathlib.Path(file).read_bytes()
    except FileNotFoundError:
        return []
    found, at = [], 0
    while at + UNDO.size <= len(data):
        kind, path_bytes, inode, offset, old_size, old_bytes, new_bytes, trash = UNDO.unpack_from(data, at)
        end = at + UNDO.size + path_bytes + old_bytes + new_bytes
        if end > len(data):
            break
        paths = data[at + UNDO.size:at + UNDO.size + path_bytes].split(b"\0")[:-1]
        middle = at + UNDO.size + path_bytes
        found.append(Record(kind, inode, offset, old_size, [os.fsdecode(p) for p in paths],
                            data[middle:middle + old_bytes], data[middle + old_bytes:end], trash))
        at = end
    return found


class PowerCut:
    """A file's sync makes safe what it holds and that it is there; a folder's sync makes safe renames and removals in it."""

    def __init__(self, root, trash):
        self.root, self.trash = pathlib.Path(root), trash

    def inodes(self):
        files = [p for p in self.root.rglob("*") if p.is_file()]
        if os.path.isdir(self.trash):
            files += [p for p in pathlib.Path(self.trash).iterdir() if p.is_file()]
        return {p.stat().st_ino: p for p in files}

    @staticmethod
    def pending(records):
        """Those that no sync has made safe, in order."""
        left = []
        for r in records:
            if r.kind == SYNC:
                left = [p for p in left if not (p.inode == r.inode and p.kind in (WRITE, TRUNCATE, CREATE))]
            elif r.kind == SYNC_FOLDER:
                folder = r.paths[0]
                left = [p for p in left if not (p.kind in (CREATE, UNLINK, RENAME) and os.path.dirname(p.paths[-1]) == folder)]
            else:
                left.append(r)
        return left

    def run(self, records, rng):
        left = self.pending(records)
        names = [r for r in left if r.kind in (CREATE, UNLINK, RENAME)]
        data = [r for r in left if r.kind in (WRITE, TRUNCATE)]
        inodes = self.inodes()
        for r in reversed(data):
            self.undo_data(r, inodes)
        if rng is not None:
            # A disk keeps the order of nothing that was not synced; but a truncation waits for what was before it.
            for r in data:
                self.redo_data(r, inodes, rng)
        # Names are a journal: what is kept is kept from the beginning.
        kept = rng.randrange(len(names) + 1) if rng is not None and names else 0
        for r in reversed(names[kept:]):
            self.undo_name(r)
        return len(data) + len(names) - kept

    @staticmethod
    def undo_data(r, inodes):
        path = inodes.get(r.inode)
        if path is None:
            return
        with open(path, "r+b") as f:
            if r.old:
                f.seek(r.offset)
                f.write(r.old)
            f.truncate(r.old_size)

    @staticmethod
    def redo_data(r, inodes, rng):
        path = inodes.get(r.inode)
        if path is None:
            return
        with open(path, "r+b") as f:
            if r.kind == TRUNCATE:
                if rng.random() < 0.5:
                    f.truncate(r.offset)
                return
            at = r.offset
            while at < r.offset + len(r.new):
                end = min((at // BLOCK + 1) * BLOCK, r.offset + len(r.new))
                if rng.random() < 0.5:
                    f.seek(at)
                    f.write(r.new[at - r.offset:end - r.offset])
                at = end

    def undo_name(self, r):
        kept = os.path.join(self.trash, str(r.trash))
        if r.kind == CREATE:
            pathlib.Path(r.paths[0]).unlink(missing_ok=True)
        elif r.kind == UNLINK:
            if not os.path.exists(r.paths[0]):
                os.link(kept, r.paths[0])
        elif os.path.exists(r.paths[1]):
            os.rename(r.paths[1], r.paths[0])
            if r.trash:
                os.link(kept, r.paths[1])


class SmallFolder:
    """A file system of some MiB of its own, in a mount namespace that a process of ours holds, so it outlives the programs in it."""

    def __init__(self, folder, mib):
        self.folder, self.mib, self.holder = pathlib.Path(folder), mib, None

    def start(self, popen):
        self.folder.mkdir(exist_ok=True)
        script = 'mount -t tmpfs -o size=%dm none "$1" && echo mounted && exec cat' % self.mib
        self.holder = popen(["unshare", "-rm", "sh", "-c", script, "sh", str(self.folder)])
        if self.holder.stdout.readline() != b"mounted\n":
            self.stop()
            return False
        return True

    def enter(self):
        """What stands before the command of a program that is to live in it."""
        return ["nsenter", "-t", str(self.holder.pid), "-U", "-m", "--preserve-credentials"]

    @property
    def seen(self):
        """The folder as it is seen from outside."""
        return pathlib.Path("/proc/%d/root%s" % (self.holder.pid, self.folder))

    def fill(self, leave=0):
        """Take all room but some bytes."""
        # without a buffer: closing would try what is left in it once more, and fail once more
        with open(self.seen / "filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"\0" * 65536)
            except OSError as e:
                assert e.errno == errno.ENOSPC
        if leave:
            size = os.path.getsize(self.seen / "filler")
            os.truncate(self.seen / "filler", max(0, size - leave))

    def empty(self):
        (self.seen / "filler").unlink(missing_ok=True)

    def stop(self):
        if self.holder is not None:
            if self.holder.stdin is not None:
                self.holder.stdin.close()
            self.holder.wait(10)
            self.holder.stdout.close()
            self.holder = None


def dice(seed):
    return random.Random(seed)
