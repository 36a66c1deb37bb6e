# SPDX-License-Identifier: Apache-2.0
"""gravelctl as its users call it: files, pipes and terminals, what it says where, and with which exit status."""
import gzip
import os
import pty
import re
import resource
import signal
import struct
import subprocess

import pytest

from harness import http
from harness.stand import BUILD, REPORTS, NodeExporter, environment, peer, run
from harness.wait import SLOW

PROGRAM = BUILD / "gravelctl"
SANITIZED = b"__asan_init" in PROGRAM.read_bytes() if PROGRAM.exists() else False

GOOD = b"""\
# HELP a_total A.
# TYPE a_total counter
a_total{b="1"} 1
a_total{b="2"} 2
# TYPE c gauge
c 3
"""
BAD = b"""\
a 1
b{ 1

# TYPE c camel
c 1
d x
"""
BAD_ERRORS = ["2:4: expected a label name or '}' in the labels of metric \"b\", found \"1\"",
              '4:10: unknown type "camel" of metric "c"',
              '6:3: the value "x" of metric "d" is not a number']
OPENMETRICS = b"# TYPE a counter\na_total 1\n# EOF\n"


def check(*args, body=None, cwd=None, **kwargs):
    """gravelctl check with that as its standard input: (exit status, stdout, stderr)."""
    done = subprocess.run([str(PROGRAM), "check", *map(str, args)], input=body, stdin=subprocess.DEVNULL if body is None else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * SLOW, env=environment(), check=False,
                          cwd=None if cwd is None else str(cwd), **kwargs)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    assert not REPORTS.search(out + err), out + err
    return done.returncode, out, err


@pytest.fixture
def files(tmp_path):
    for name, body in (("good.prom", GOOD), ("bad.prom", BAD), ("good.txt", GOOD), ("om.txt", OPENMETRICS), ("empty.txt", b"")):
        (tmp_path / name).write_bytes(body)
    return tmp_path


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """A field of io.prometheus.client: bytes and messages, whole numbers, doubles."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 1) + struct.pack("<d", value)


def gauge(name, value, **labels):
    """A delimited MetricFamily with one gauge."""
    metric = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in labels.items()) + field(2, field(1, float(value)))
    family = field(1, name if isinstance(name, bytes) else name.encode()) + field(2, b"Help.") + field(3, 1) + field(4, metric)
    return varint(len(family)) + family


# Usage


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["check", "--help"], ["check", "-h"]])
def test_help(args):
    code, out, err = run("gravelctl", *args)
    assert code == 0 and err == ""
    assert out.startswith("Usage: gravelctl") and "check" in out and "Exit status: 0" in out
    assert max(map(len, out.splitlines())) <= 100
    if args[0] == "check":
        for option in ("--format", "--utf8-names", "--lint", "--stats", "--max-errors", "--help"):
            assert re.search(r"^ .*%s\b" % option, out, re.M), option


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(option):
    code, out, err = run("gravelctl", option)
    assert code == 0 and err == ""
    assert re.fullmatch(r"gravelctl \d+\.\d+\.\d+\n", out), out


@pytest.mark.parametrize("args,said", [
    ([], "a command is missing"),
    (["--nonsense"], "--nonsense"),
    (["-Z"], "Z"),
    (["chek"], "unknown command 'chek'"),
    (["check", "--nonsense", "good.prom"], "--nonsense"),
    (["check", "--format"], "--format"),
    (["check", "--format", "json", "good.prom"], "'json'"),
    (["check", "--max-errors", "-1", "good.prom"], "'-1'"),
    (["check", "--max-errors", "many", "good.prom"], "'many'"),
    (["check", "good.prom", "--max-errors", ""], "''"),
])
def test_wrong_usage(args, said):
    code, out, err = run("gravelctl", *args)
    assert code == 2 and out == ""
    assert said in err
    assert re.search(r"^Try 'gravelctl( check)? --help'\.$", err, re.M)
    assert ("gravelctl check --help" in err) == (args[:1] == ["check"])


def test_wrong_usage_reads_nothing(files):
    code, out, err = check(files / "bad.prom", "--nonsense")
    assert code == 2 and out == "" and "bad.prom" not in err


def test_terminal_without_files():
    try:
        master, slave = pty.openpty()
    except OSError as e:
        pytest.skip("no terminals here: %s" % e)
    try:
        done = subprocess.run([str(PROGRAM), "check"], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20 * SLOW,
                              check=False, env=environment())
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 2 and done.stdout == b""
    assert b"pipe" in done.stderr and b"Try 'gravelctl check --help'." in done.stderr


# Files


def test_valid_file(files):
    assert check("good.prom", cwd=files) == (0, "good.prom: valid, text, 2 families, 3 series, 3 samples, %d bytes\n" % len(GOOD), "")


def test_every_error_has_its_place(files):
    code, out, err = check("bad.prom", cwd=files)
    assert code == 1
    assert err.splitlines() == ["bad.prom:" + e for e in BAD_ERRORS]
    assert out == "bad.prom: 3 errors, text, 2 families, 2 series, 2 samples, %d bytes\n" % len(BAD)


@pytest.mark.parametrize("args", [[], ["-"]])
def test_standard_input(args):
    assert check(*args, body=b"a 1\n") == (0, "<stdin>: valid, text, 1 family, 1 series, 1 sample, 4 bytes\n", "")
    code, out, err = check(*args, body=BAD)
    assert code == 1 and out.startswith("<stdin>: 3 errors, ")
    assert err.splitlines() == ["<stdin>:" + e for e in BAD_ERRORS]


def test_standard_input_from_a_file(files):
    with open(files / "om.txt", "rb") as f:
        done = subprocess.run([str(PROGRAM), "check"], stdin=f, stdout=subprocess.PIPE, check=False, env=environment(), timeout=20 * SLOW)
    assert (done.returncode, done.stdout) == (0, b"<stdin>: valid, openmetrics, 1 family, 1 series, 1 sample, %d bytes\n" % len(OPENMETRICS))


def test_closed_standard_input():
    done = subprocess.run(["bash", "-c", '"$0" check <&-', str(PROGRAM)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env=environment(), timeout=20 * SLOW)
    assert done.returncode == 1 and done.stdout == b""
    assert done.stderr == b"gravelctl: <stdin>: Bad file descriptor\n"


def test_empty_input(files):
    assert check("empty.txt", cwd=files) == (0, "empty.txt: valid, text, 0 families, 0 series, 0 samples, 0 bytes\n", "")


def test_several_files_and_all_together(files):
    code, out, err = check("good.prom", "bad.prom", "-", cwd=files, body=b"x 1\n")
    assert code == 1
    assert [line.split(":")[0] for line in err.splitlines()] == ["bad.prom"] * 3
    assert out.splitlines() == [
        "good.prom: valid, text, 2 families, 3 series, 3 samples, %d bytes" % len(GOOD),
        "bad.prom: 3 errors, text, 2 families, 2 series, 2 samples, %d bytes" % len(BAD),
        "<stdin>: valid, text, 1 family, 1 series, 1 sample, 4 bytes",
        "all 3 files: 2 valid, 3 errors, 5 families, 6 series, 6 samples, %d bytes" % (len(GOOD) + len(BAD) + 4)]


def test_one_file_does_not_know_another(files):
    code, out, err = check("good.prom", "good.prom", "good.txt", cwd=files)
    assert code == 0 and err == ""
    assert out.splitlines()[-1] == "all 3 files: 3 valid, 0 errors, 6 families, 9 series, 9 samples, %d bytes" % (3 * len(GOOD))


@pytest.mark.parametrize("what,reason", [("missing.prom", "No such file or directory"), (".", "Is a directory")])
def test_unreadable_files_are_named_and_the_others_checked(files, what, reason):
    code, out, err = check(what, "good.prom", cwd=files)
    assert code == 1
    assert err == "gravelctl: %s: %s\n" % (what, reason)
    assert out.splitlines()[0].startswith("good.prom: valid, ")
    assert out.splitlines()[1].startswith("all 2 files: 1 valid, 0 errors, 1 unreadable, 2 families, ")
    assert check(what, cwd=files) == (1, "", err)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_without_permission(files):
    (files / "good.prom").chmod(0)
    code, out, err = check("good.prom", cwd=files)
    assert code == 1 and out == "" and err == "gravelctl: good.prom: Permission denied\n"


def test_file_name_like_an_option(files):
    (files / "--stats").write_bytes(b"a 1\n")
    code, out, err = check("--", "--stats", cwd=files)
    assert code == 0 and out.startswith("--stats: valid, "), err


def test_fifo(files):
    os.mkfifo(files / "fifo")
    with subprocess.Popen([str(PROGRAM), "check", "fifo"], cwd=str(files), stdout=subprocess.PIPE, env=environment()) as process:
        with open(files / "fifo", "wb") as f:
            f.write(OPENMETRICS[:20])
            f.flush()
            f.write(OPENMETRICS[20:])
        out = process.communicate(timeout=20 * SLOW)[0]
    assert process.returncode == 0
    assert out.startswith(b"fifo: valid, openmetrics, 1 family, ")


# Options


def test_max_errors(files):
    for option in (["--max-errors", "2"], ["--max-errors=2"]):
        code, out, err = check("bad.prom", "bad.prom", *option, cwd=files)
        assert code == 1
        assert err.splitlines() == 2 * (["bad.prom:" + e for e in BAD_ERRORS[:2]] + ["bad.prom: and 1 more error"])
        assert out.splitlines()[0].startswith("bad.prom: 3 errors, ") and "6 errors" in out.splitlines()[2]
    for n in ("0", "3"):
        assert len(check("bad.prom", "--max-errors", n, cwd=files)[2].splitlines()) == 3


def test_a_hundred_thousand_errors():
    code, out, err = check(body=b"a x\nb 1\n" * 100000)
    assert code == 1
    errors = err.splitlines()
    places = [int(e.split(":")[1]) for e in errors if "is not a number" in e]
    assert places == list(range(1, 200000, 2))
    assert out.startswith("<stdin>: %d errors, " % len(errors))


def test_stats(files):
    body = b"".join(b"# TYPE f%d gauge\n" % n + b"".join(b'f%d{i="%d"} 1\n' % (n, i) for i in range(n)) for n in range(1, 13))
    (files / "many.prom").write_bytes(body + b"up 1\n")
    code, out, err = check("--stats", "many.prom", cwd=files)
    assert code == 0 and err == ""
    lines = out.splitlines()
    assert lines[0].startswith("many.prom: valid, text, 13 families, 79 series, 79 samples, ")
    assert lines[1].split() == ["series", "share", "bytes", "type", "family"]
    assert [line.split()[0] for line in lines[2:]] == [str(n) for n in range(12, 2, -1)]
    assert lines[2].split() == ["12", "15.1", "%", str(17 + 10 * 13 + 2 * 14), "gauge", "f12"], lines[2]
    code, out, err = check("--stats", "good.prom", "empty.txt", cwd=files)
    assert [line.split() for line in out.splitlines()[2:4]] == [["2", "66.6", "%", "75", "counter", "a_total"],
                                                               ["1", "33.3", "%", "19", "gauge", "c"]]
    assert out.splitlines()[4].startswith("empty.txt: valid, ") and out.splitlines()[5].startswith("all 2 files")


def test_stats_of_untyped(files):
    (files / "u.prom").write_bytes(b"up 1\n")
    assert check("--stats", "u.prom", cwd=files)[1].splitlines()[2].split() == ["1", "100.0", "%", "5", "up"]


def test_lint_is_no_error(files):
    (files / "l.prom").write_bytes(b"# TYPE cpuSeconds counter\ncpuSeconds 1\n")
    code, out, err = check("--lint", "l.prom", cwd=files)
    assert code == 0
    assert err.splitlines() == ['l.prom:1: warning: counter "cpuSeconds" has no HELP',
                                'l.prom:1: warning: counter "cpuSeconds" does not end in "_total"',
                                'l.prom:1: warning: counter "cpuSeconds" is camelCase, not snake_case']
    assert out == "l.prom: valid, text, 1 family, 1 series, 1 sample, 39 bytes, 3 warnings\n"
    assert check("l.prom", cwd=files)[2] == ""


# Formats


@pytest.mark.parametrize("name,body,wanted", [
    ("a.txt", GOOD, "text"),
    ("a.txt", OPENMETRICS, "openmetrics"),
    ("a.prom", OPENMETRICS, "text"),
    ("a.om", OPENMETRICS, "openmetrics"),
    ("a", gauge("a", 1, b="c"), "protobuf"),
    ("a.pb", b"", "protobuf"),
    ("a.txt", b"x" * 4 * 1024 * 1024, "text"),
], ids=str.split("text openmetrics .prom .om protobuf .pb noise"))
def test_auto_format(tmp_path, name, body, wanted):
    (tmp_path / name).write_bytes(body)
    out = check(name, cwd=tmp_path)[1]
    assert re.search(r": (valid|\d+ errors?), %s, " % wanted, out), out


def test_end_of_a_large_file_and_of_a_large_pipe(tmp_path):
    """The end of a file can be read before all else; that of a pipe cannot, and its beginning decides."""
    lines = b"".join(b'a{i="%d"} 1\n' % i for i in range(150000))
    assert len(lines) > 2 * 1024 * 1024
    (tmp_path / "large").write_bytes(b"# TYPE a gauge\n" + lines + b"# EOF\n")
    code, out, err = check("large", cwd=tmp_path)
    assert code == 0 and out.startswith("large: valid, openmetrics, 1 family, 150000 series, "), out + err
    assert ": valid, text, 1 family, 150000 series, " in check(body=b"# TYPE a gauge\n" + lines + b"# EOF\n")[1]
    assert ": valid, openmetrics, 1 family, 150000 series, " in check(body=b"# TYPE a unknown\n" + lines + b"# EOF\n")[1]
    assert ": valid, openmetrics, " in check("--format", "openmetrics", body=b"# TYPE a gauge\n" + lines + b"# EOF\n")[1]


@pytest.mark.parametrize("fmt", ["text", "auto"])
def test_format_says_more_than_the_contents(fmt, files):
    out = check("--format", fmt, "om.txt", cwd=files)[1]
    assert ("openmetrics" in out) == (fmt == "auto")


def test_openmetrics_is_read_strictly():
    for body, place in ((b"a 1\n", "2:1"), (b"# TYPE a counter\na 1\n# EOF\n", "2:1"), (b"a 1\n# EOF\nb 1\n", "3:1")):
        code, out, err = check("--format", "openmetrics", body=body)
        assert code == 1 and re.match(r"<stdin>:%s: \S" % place, err), (body, err)
        assert check("--format", "text", body=body)[0] == 0


def test_names_in_quotes_in_openmetrics():
    body = b'# TYPE "a.b" gauge\n{"a.b"} 1\n# EOF\n'
    assert check(body=body)[0] == 1
    assert check("--utf8-names", body=body)[0] == 0


def test_protobuf(tmp_path):
    body = gauge("a", 1, x="y") + gauge("b", 2.5)
    (tmp_path / "a.bin").write_bytes(body)
    assert check("a.bin", cwd=tmp_path) == (0, "a.bin: valid, protobuf, 2 families, 2 series, 2 samples, %d bytes\n" % len(body), "")
    assert check("--format", "protobuf", body=body)[0] == 0


def test_protobuf_errors(tmp_path):
    """A message that is wrong is one error; one whose end is lost is the last."""
    wrong = gauge(b"bad\xff", 1)
    (tmp_path / "a.pb").write_bytes(gauge("a", 1) + wrong + gauge("c", 1))
    code, out, err = check("a.pb", cwd=tmp_path)
    assert code == 1
    assert re.match(r"a\.pb:2(:\d+)?: \S", err) and len(err.splitlines()) == 1, err
    assert out.startswith("a.pb: 1 error, protobuf, 2 families, 2 series, "), out
    (tmp_path / "b.pb").write_bytes(gauge("a", 1) + b"\xff" * 30 + gauge("c", 1))
    code, out, err = check("b.pb", cwd=tmp_path)
    assert code == 1 and re.match(r"b\.pb:2(:\d+)?: \S", err) and len(err.splitlines()) == 1, err
    assert out.startswith("b.pb: 1 error, protobuf, not read further, 1 family, 1 series, "), out


def test_twice_in_one_body():
    code, out, err = check(body=b'a{b="c"} 1\na{b="d"} 1\na{b="c"} 2\n# TYPE e gauge\ne 1\n# TYPE e counter\n')
    assert code == 1
    assert [e.split(":")[1] for e in err.splitlines()] == ["3", "6"], err
    assert ", 2 families, 3 series, " in out


# Compression


def compressors():
    return {"gzip": lambda b: gzip.compress(b, 6),
            "zstd": lambda b: subprocess.run(["zstd", "-q"], input=b, stdout=subprocess.PIPE, check=True).stdout}


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed(tmp_path, kind):
    try:
        pack = compressors()[kind]
        packed = {name: pack(body) for name, body in (("good", GOOD), ("bad", BAD), ("om", OPENMETRICS))}
    except FileNotFoundError:
        pytest.skip("no %s here" % kind)
    for name, body in packed.items():
        (tmp_path / name).write_bytes(body)
    assert check("good", cwd=tmp_path) == (0, "good: valid, text in %s, 2 families, 3 series, 3 samples, %d bytes\n" % (kind, len(GOOD)), "")
    code, out, err = check("bad", cwd=tmp_path)
    assert code == 1 and err.splitlines() == ["bad:" + e for e in BAD_ERRORS]
    assert out.startswith("bad: 3 errors, text in %s, " % kind)
    assert check(body=packed["om"])[1].startswith("<stdin>: valid, openmetrics in %s, 1 family, " % kind)
    (tmp_path / "cut").write_bytes(packed["good"][:-5])
    (tmp_path / "junk").write_bytes(packed["good"] + b"junk")
    for name in ("cut", "junk"):
        code, out, err = check(name, cwd=tmp_path)
        assert code == 1 and out == "" and err == "gravelctl: %s: the compressed file is damaged or cut off\n" % name


def test_compressed_file_that_is_too_large(tmp_path):
    line = b"# " + b"x" * 1021 + b"\n"
    for lines, code in ((65536, 0), (65537, 1)):
        (tmp_path / "a.gz").write_bytes(gzip.compress(line * lines, 1))
        got, out, err = check("a.gz", cwd=tmp_path)
        assert got == code
        assert ("zcat FILE | gravelctl check" in err) == (code == 1)
    assert check(body=line * 65537)[0] == 0


# Size


def test_a_large_pipe_in_little_memory():
    """200 MB through a pipe: memory grows with the series, of which there are few, as their labels are long."""
    lines = 20000 if SANITIZED else 200000
    pad = b"x" * 970
    limit = 64 * 1024 * 1024

    def little_memory():
        if not SANITIZED:  # a sanitizer takes all the addresses that there are
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    with subprocess.Popen([str(PROGRAM), "check", "--stats"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          preexec_fn=little_memory, env=environment()) as process:
        total = 0
        for first in range(0, lines, 1000):
            piece = b"".join(b'requests_total{n="%d",pad="%s"} %d\n' % (i, pad, i) for i in range(first, first + 1000))
            process.stdin.write(piece)
            total += len(piece)
        out, err = (text.decode() for text in process.communicate(timeout=60 * SLOW))
    assert total > lines * 1000 and (SANITIZED or total > 200e6)
    assert process.returncode == 0, err
    assert out.splitlines()[0] == "<stdin>: valid, text, 1 family, %d series, %d samples, %d bytes" % (lines, lines, total)


# Ends of pipes


def closed_pipe():
    read, write = os.pipe()
    os.close(read)
    return write


def end_with(stdout, stderr, files, **kwargs):
    with subprocess.Popen([str(PROGRAM), "check", "bad.prom"], cwd=str(files), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                          env=environment(), **kwargs) as process:
        err = process.communicate(timeout=20 * SLOW)[1]
    return process.returncode, (err or b"").decode()


def test_reader_that_went_away(files):
    pipe = closed_pipe()
    assert end_with(pipe, subprocess.PIPE, files)[0] == -signal.SIGPIPE
    assert end_with(subprocess.DEVNULL, pipe, files)[0] == -signal.SIGPIPE
    # Where the signal is ignored, as below some build servers.
    code, err = end_with(pipe, subprocess.PIPE, files, restore_signals=False)
    assert code == 1 and err.splitlines()[-1] == "gravelctl: cannot write the summary: Broken pipe"
    os.close(pipe)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_disk(files):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(PROGRAM), "check", "good.prom"], cwd=str(files), stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, env=environment(), check=False, timeout=20 * SLOW)
    assert done.returncode == 1
    assert done.stderr == b"gravelctl: cannot write the summary: No space left on device\n"


# Real bodies, and promtool


def test_node_exporter(stand, tmp_path):
    exporter = NodeExporter(stand)
    exporter.start()
    for accept, wanted in (("text/plain", "text"),
                           ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "protobuf")):
        answer = http.get("http://%s/metrics" % exporter.address, headers={"Accept": accept})
        assert answer.code == 200 and answer.headers["Content-Type"].startswith(accept[:20])
        (tmp_path / "body").write_bytes(answer.body)
        code, out, err = check("--stats", "body", cwd=tmp_path)
        assert code == 0 and err == "", err
        summary = re.match(r"body: valid, %s, (\d+) families, (\d+) series, (\d+) samples, %d bytes\n" % (wanted, len(answer.body)), out)
        assert summary, out
        if wanted == "text":
            samples = [line for line in answer.body.splitlines() if line and not line.startswith(b"#")]
            assert int(summary[2]) == int(summary[3]) == len(samples)
            assert int(summary[1]) == answer.body.count(b"\n# TYPE ") + answer.body.startswith(b"# TYPE ")
        assert len(out.splitlines()) == 12
        shares = [int(line.split()[0]) for line in out.splitlines()[2:]]
        assert shares == sorted(shares, reverse=True) and sum(shares) <= int(summary[2])


AGREED = [
    # (body, whether it is valid)
    (b"", True),
    (b"a 1\n", True),
    (b"a 1.5e3 1700000000000\n", True),
    (b"a +Inf\nb -Inf\nc NaN\n", True),
    (b"  a   1\n", True),
    (b"a{} 1\n", True),
    (b'a{b="c",} 1\n', True),
    (b'a{b="\\\\ \\" \\n"} 1\n', True),
    (b"# just a comment\n#\n\na 1\n", True),
    (b"# HELP a Something \\\\ with \\n escapes.\n# TYPE a gauge\na 1\n", True),
    (b"# TYPE a untyped\na 1\n", True),
    (b"# TYPE a counter\na 1\n", True),
    (b"# TYPE a summary\na{quantile=\"0.5\"} 1\na_sum 2\na_count 3\n", True),
    (b"# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n", True),
    (b'a{b="\xc3\xa4"} 1\n', True),
    (GOOD, True),
    (b"a\n", False),
    (b"a b\n", False),
    (b"a 1 2 3\n", False),
    (b"a 1 1.5\n", False),
    (b"1a 1\n", False),
    (b"a{ 1\n", False),
    (b'a{b} 1\n', False),
    (b'a{b=c} 1\n', False),
    (b'a{b="c} 1\n', False),
    (b'a{b="c"\n', False),
    (b'a{b="c" "d"} 1\n', False),
    (b'a{1b="c"} 1\n', False),
    (b'a{b="c",b="d"} 1\n', False),
    (b"a 0x\n", False),
    (b"a 1_000\n", False),
    (b"# TYPE a camel\na 1\n", False),
    (b"# TYPE a gauge\n# TYPE a counter\na 1\n", False),
    (b"a 1\n# TYPE a gauge\n", False),
    (b"# HELP a A.\n# HELP a B.\na 1\n", False),
    (b'a{b="\xff"} 1\n', False),
    (BAD, False),
    (b"<html><body>404</body></html>\n", False),
    (b'{"status":"success"}\n', False),
]


def promtool(body):
    try:
        tool = peer("GRAVEL_PROMTOOL")
    except AssertionError:
        pytest.skip("no promtool here")
    done = subprocess.run([tool, "check", "metrics"], input=body, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode in (0, 1, 3), done.stderr
    return done.returncode != 1


@pytest.mark.parametrize("body,valid", AGREED, ids=["%d" % i for i in range(len(AGREED))])
def test_agrees_with_promtool(body, valid):
    code, _, err = check("--format", "text", body=body)
    assert (code == 0) == valid, err
    assert promtool(body) == valid
