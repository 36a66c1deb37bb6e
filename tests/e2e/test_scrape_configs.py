# SPDX-License-Identifier: Apache-2.0
"""A list of jobs from a Prometheus: what its promtool accepts and refuses, we accept and refuse."""
import re
import subprocess
import textwrap

import pytest

from harness.stand import ROOT, peer, run

EXAMPLE = ROOT / "tests" / "unit" / "config" / "data" / "scrape_configs.yaml"

# The keys of one job, in YAML.
ACCEPTED = [
    "scrape_interval: 1h30m",
    "{scrape_interval: 10s, scrape_timeout: 10s}",
    'metrics_path: ""',
    "params: {a: [b, 1, true], c: [], d: }",
    "honor_labels: yes",
    "honor_timestamps: off",
    "{label_limit: 5, label_name_length_limit: 6, label_value_length_limit: 7, target_limit: 8, sample_limit: 99999999999}",
    "body_size_limit: 10MB",
    "body_size_limit: 1.5GiB",
    "body_size_limit: 0",
    "basic_auth: {}",
    'basic_auth: {password: "", password_file: b}',
    "authorization: {}",
    'authorization: {type: "", credentials: x}',
    'bearer_token: ""',
    "bearer_token_file: x",
    "tls_config: {min_version: TLS12, server_name: '', insecure_skip_verify: true}",
    "proxy_url: http://a:1",
    "{follow_redirects: false, enable_http2: false}",
    "relabel_configs: [{action: KEEP, source_labels: [a]}]",
    'relabel_configs: [{regex: "", separator: "", replacement: "", target_label: b}]',
    'relabel_configs: [{separator: "\\n\\t", target_label: "${1}_x"}]',
    "relabel_configs: [{regex: , target_label: b}]",
    "relabel_configs:",
    'static_configs: [{targets: ["a:1", b, "[::1]:1"], labels: {b: 1, c: "", __d: x, job: y}}]',
    "static_configs: [{}, {labels: {a: b}}]",
    "static_configs: []",
    "file_sd_configs: [{files: [a.json, 'a/*b*.yml', 'a/[ab].YAML'], refresh_interval: 1s}]",
    "dns_sd_configs: [{names: [a]}, {names: [a], type: srv}, {names: [a], type: aaaa, port: 80}]",
    "http_sd_configs: [{url: 'http://a/b?c=d', tls_config: {ca_file: x}, authorization: {credentials: y}}]",
]

REFUSED = [
    "no_such_key: 1",
    "scrape_interval: 5 s",
    "{scrape_interval: 5s, scrape_timeout: 6s}",
    "honor_labels: maybe",
    "params: {a: b}",
    "sample_limit: -1",
    "body_size_limit: 10mb",
    "basic_auth: {password: a, password_file: b}",
    "authorization: {type: basic, credentials: x}",
    "authorization: {credentials: a, credentials_file: b}",
    "{bearer_token: a, bearer_token_file: b}",
    "{bearer_token: a, authorization: {credentials: b}}",
    "{basic_auth: {username: a}, authorization: {credentials: b}}",
    "{basic_auth: {username: a}, bearer_token: b}",
    "tls_config: {min_version: TLS9}",
    "tls_config: {min_version: tls12}",
    "tls_config: {insecure_skip_verify: 1}",
    "relabel_configs: [{action: nope, target_label: b}]",
    "relabel_configs: [{source_labels: a, target_label: b}]",
    "relabel_configs: [{source_labels: [a-b], target_label: b}]",
    "relabel_configs: [{modulus: x, target_label: b}]",
    'static_configs: [{targets: ["http://a"]}]',
    'static_configs: [{targets: ["a/b"]}]',
    'static_configs: [{targets: [""]}]',
    'static_configs: [{targets: [a], labels: {"b-c": x}}]',
    "file_sd_configs: [{files: [a.txt]}]",
    "file_sd_configs: [{files: ['*/a.json']}]",
    "file_sd_configs: [{files: []}]",
    "file_sd_configs: [{}]",
    "dns_sd_configs: [{names: []}]",
    "dns_sd_configs: [{names: [a], type: A}]",
    'http_sd_configs: [{url: ""}]',
    "http_sd_configs: [{url: a}]",
    "http_sd_configs: [{url: ftp://a}]",
    "http_sd_configs: [{url: 'http:///x'}]",
]

# Accepted by promtool alone, and why.
WE_REFUSE = {
    "scheme: ftp": "Prometheus says so at each scrape",
    "proxy_url: a:1": "the same",
    "static_configs: [{targets: ['a b']}]": "the same",
    "dns_sd_configs: [{names: [a], type: MX, port: 1}]": "not there",
    "http_sd_configs: [{url: 'http://a', basic_auth: {username: b}, bearer_token: c}]": "Prometheus takes the one",
    "oauth2: {client_id: a, client_secret: b, token_url: 'http://c'}": "not there",
    "scrape_interval: 50ms": "below what we promise to keep",
}

# Accepted by us alone: ours are wider here.
WE_ACCEPT = {
    "scrape_interval: 5": "seconds, as prometheus-streams has them",
    "body_size_limit: 10": "bytes",
    'honor_labels: "true"': "quotes make no difference",
    "etcd_sd_configs: [{urls: ['http://a'], prefix: /x}]": "ours",
    "aggregations: [{sum: a, as: b}]": "ours",
}


def write(tmp_path, keys):
    file = tmp_path / "c.yml"
    if keys.startswith("{"):
        text = "scrape_configs:\n- " + keys.replace("{", "{job_name: a, ", 1) + "\n"
    else:
        text = "scrape_configs:\n- job_name: a\n" + textwrap.indent(keys, "  ") + "\n"
    file.write_text(text)
    return file


def promtool_accepts(file):
    done = subprocess.run([peer("GRAVEL_PROMTOOL"), "check", "config", "--syntax-only", str(file)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, universal_newlines=True)
    assert done.returncode in (0, 1), done.stdout
    return done.returncode == 0, done.stdout


def we_accept(file):
    code, out, err = run("gravel-poller", "--config", file, "--check-config")
    assert code in (0, 1)
    return code == 0, out + err


@pytest.mark.parametrize("keys", ACCEPTED)
def test_accepted_by_both(tmp_path, keys):
    file = write(tmp_path, keys)
    for accepted, said in (promtool_accepts(file), we_accept(file)):
        assert accepted, said


@pytest.mark.parametrize("keys", REFUSED)
def test_refused_by_both(tmp_path, keys):
    file = write(tmp_path, keys)
    assert not promtool_accepts(file)[0]
    accepted, said = we_accept(file)
    assert not accepted
    assert re.match(r"%s:\d+:\d+: (unknown )?(key|discovery) \"scrape_configs\[0\]\." % re.escape(str(file)), said), said


@pytest.mark.parametrize("keys", WE_REFUSE)
def test_refused_by_us_alone(tmp_path, keys):
    file = write(tmp_path, keys)
    accepted, said = promtool_accepts(file)
    assert accepted, said
    assert not we_accept(file)[0]


@pytest.mark.parametrize("keys", WE_ACCEPT)
def test_accepted_by_us_alone(tmp_path, keys):
    file = write(tmp_path, keys)
    assert not promtool_accepts(file)[0]
    accepted, said = we_accept(file)
    assert accepted, said


def test_dump_has_no_secret_and_loads_again(tmp_path):
    code, out, err = run("gravel-poller", "--config", EXAMPLE, "--dump-config")
    assert code == 0, err
    assert "s3cret" in EXAMPLE.read_text() and "s3cret" not in out + err
    assert "proxyuser" not in out
    again = tmp_path / "again.yml"
    again.write_text(out)
    code, second, err = run("gravel-poller", "--config", again, "--dump-config")
    assert code == 0, err
    assert second == out
