#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the exposition of a real node_exporter into a file: the body that the benches work on."""
import pathlib
import sys
import tempfile

import benchlib


def capture(file):
    """Start a node_exporter on loopback, take its second answer, end it."""
    program = benchlib.find_program("GRAVEL_NODE_EXPORTER", ["prometheus-node-exporter", "node_exporter"],
                                    "prometheus-node-exporter")
    port = benchlib.free_port()
    with tempfile.TemporaryDirectory() as folder:
        child = benchlib.Child("node_exporter", [program, "--web.listen-address=127.0.0.1:%d" % port], folder)
        try:
            url = "http://127.0.0.1:%d/metrics" % port
            benchlib.wait_for("node_exporter", lambda: benchlib.get(url), 20, child)
            pathlib.Path(file).write_text(benchlib.get(url))
        finally:
            child.stop()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: capture.py FILE")
    try:
        capture(sys.argv[1])
    except benchlib.BenchError as e:
        sys.exit("capture.py: %s" % e)
