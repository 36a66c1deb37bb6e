# SPDX-License-Identifier: Apache-2.0
"""What the README shows is what happens. Each fenced block carries a comment before it that says how it is tested:

  <!-- test: script -->      lines that call scripts: the script exists and knows the options
  <!-- test: run -->         shell run against a live receiver, with the programs on PATH; an "output" block after it is what must come
  <!-- test: output -->      see there; the lines in their order, other lines in between
  <!-- test: config -->      a configuration that both programs accept
  <!-- test: prometheus -->  a Prometheus configuration that finds the receiver up
  <!-- test: picture -->     nothing to run
"""
import json
import re
import shlex
import subprocess

import pytest

from harness.stand import BUILD, ROOT, Prometheus, environment, run
from harness.wait import eventually

FENCE = re.compile(r"(?:<!-- test: (\w+) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)
PAGES = ("README.md", "docs/PUSHING.md", "docs/CLEARMODES.md", "docs/PUSHGATEWAY.md", "docs/GRAVELCTL.md", "docs/OPERATING.md", "docs/LESSONS.md")


def blocks_of(page):
    return [(kind, text) for kind, _, text in FENCE.findall((ROOT / page).read_text("utf-8"))]


README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = blocks_of("README.md")


def of(kind):
    return [text for k, text in BLOCKS if k == kind]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_tested(page):
    kinds = [kind for kind, _ in blocks_of(page)]
    assert set(kinds) <= {"script", "run", "output", "config", "prometheus", "picture"}, kinds


@pytest.mark.parametrize("page", PAGES)
def test_links(page):
    for name in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text("utf-8")):
        assert ((ROOT / page).parent / name).exists(), name


@pytest.mark.parametrize("line", [line for text in of("script") for line in text.splitlines() if line.strip()])
def test_scripts(line):
    words = shlex.split(line, comments=True)
    if words[0] == "git":
        assert words[1] == "clone"
        return
    if words[0] == "cd":
        return
    if words[0].startswith("build/bin/"):
        script = BUILD / words[0][len("build/bin/"):]
    else:
        script = ROOT / words[0]
        assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    done = subprocess.run([str(script), "--help"], stdout=subprocess.PIPE, check=True, cwd="/", universal_newlines=True)
    for option in (w for w in words[1:] if w.startswith("-")):
        assert re.search(r"(^|[\s,\[])%s\b" % re.escape(option), done.stdout), (option, done.stdout)


@pytest.mark.parametrize("page", ["README.md", "docs/PUSHING.md", "docs/CLEARMODES.md", "docs/PUSHGATEWAY.md", "docs/GRAVELCTL.md"])
def test_commands(gateway, page, tmp_path):
    """All run blocks one after the other, as a reader would type them."""
    blocks = blocks_of(page)
    assert any(kind == "run" for kind, _ in blocks)
    env = dict(environment(), PATH="%s:%s" % (BUILD, environment()["PATH"]))
    for i, (kind, text) in enumerate(blocks):
        if kind != "run":
            continue
        text = text.replace("localhost:4278", gateway.address).replace("build/bin/", "%s/" % BUILD)
        done = subprocess.run(["bash", "-eu", "-c", text], check=False, cwd=str(tmp_path), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        assert done.returncode == 0, done.stderr
        if i + 1 < len(blocks) and blocks[i + 1][0] == "output":
            lines = iter(done.stdout.splitlines())
            for wanted in blocks[i + 1][1].splitlines():
                assert wanted in lines, "%r is not in its place in:\n%s" % (wanted, done.stdout)


@pytest.mark.parametrize("text", of("config"))
@pytest.mark.parametrize("program", ["gravel-poller", "gravel-receiver"])
def test_configs(program, text, tmp_path):
    file = tmp_path / "readme.yml"
    file.write_text(text, "utf-8")
    code, out, err = run(program, "--config", file, "--check-config")
    assert code == 0 and "warning" not in out + err, out + err


@pytest.mark.long
def test_prometheus_config(stand, gateway):
    text, = of("prometheus")
    gateway.push_ok("pushed 5\n", "/job/backup")
    prometheus = Prometheus(stand, [])
    config = re.search(r"--config.file=(\S+)", " ".join(prometheus.argv)).group(1)
    with open(config, "w", encoding="utf-8") as f:
        f.write("global: %s\n" % json.dumps({"scrape_interval": "1s"}) + text.replace("localhost:4278", gateway.address))
    prometheus.start()
    (labels, value), = eventually(lambda: prometheus.query("pushed"), 30)
    assert value == 5 and labels["job"] == "backup"
