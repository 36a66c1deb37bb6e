# SPDX-License-Identifier: Apache-2.0
"""Faults that are put in on purpose: a torture that does not find them shows nothing."""
import json
import os
import pathlib
import platform
import subprocess

# A function that returns 0.
RETURN_ZERO = {"x86_64": b"\x31\xc0\xc3", "aarch64": b"\x00\x00\x80\xd2\xc0\x03\x5f\xd6"}


class Impossible(Exception):
    """This machine cannot do it."""


def offset_of(program, function):
    """Where the code of a function stands in the file."""
    try:
        symbols = subprocess.run(["nm", str(program)], stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout
        sections = subprocess.run(["readelf", "-SW", str(program)], stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout
    except (OSError, subprocess.CalledProcessError) as e:
        raise Impossible("the program cannot be looked into: %s" % e) from e
    found = [int(line.split()[0], 16) for line in symbols.split("\n") if line.split()[2:] == [function]]
    text = [line.split("]", 1)[1].split() for line in sections.split("\n") if " .text " in line]
    assert len(found) == 1 and len(text) == 1, "%s has no %s: what is it called now?" % (program, function)
    # name, type, address, offset
    return found[0] - int(text[0][2], 16) + int(text[0][3], 16)


def without_keys(program, folder):
    """A copy of the receiver whose snapshots have no keys: it thinks that it holds none when it saves them."""
    code = RETURN_ZERO.get(platform.machine())
    if code is None:
        raise Impossible("nobody has said how a function of this machine returns 0")
    data, at = bytearray(pathlib.Path(program).read_bytes()), offset_of(program, "gs_push_keys_held")
    data[at:at + len(code)] = code
    copy = pathlib.Path(folder) / "gravel-receiver"
    copy.write_bytes(data)
    os.chmod(copy, 0o755)
    return copy


def last_message(cluster, stream):
    """Its sequence."""
    with cluster.servers[0].client() as c:
        return c.stream(stream)["state"]["last_seq"]


def lose_message(cluster, stream, sequence):
    """Take it out of the stream, as if it had never been acknowledged."""
    with cluster.servers[0].client() as c:
        answer = c.request("$JS.API.STREAM.MSG.DELETE." + stream, json.dumps({"seq": sequence, "no_erase": True}).encode())
        assert answer.get("success"), answer
