# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus beside us: the same scrape_configs give the same series, whether Prometheus scrapes the targets itself or scrapes a receiver that
has them from a poller through NATS. Every difference is in DIFFERENCES, with its reason."""
import http.server
import json
import os
import subprocess
import threading
import time

import pytest

from harness.stand import ROOT, Child, Poller, Prometheus, Unbound
from harness.wait import eventually


INTERVAL, TIMEOUT = "2s", "2s"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# All differences between the two, and why. The test asserts that there are no others, and that these are there.
DIFFERENCES = {
    "own": "what the receiver and the poller say of themselves (gravel_*, process_*, job prometheus_streams), and up and scrape_* of the receiver's scrape",
    "no job or instance": "a series from which relabelling (or honor_labels with an empty label) took job or instance is sent and served without it; but"
                          " whoever scrapes it again gives it the ones of the receiver, as Prometheus does with all that it scrapes",
    "parts": "h_bucket, h_sum, h_count as metrics of their own (so /federate writes histograms) cannot stand in one exposition beside the histogram h"
             " of another target: whoever comes second is refused and counted. With other names they are there",
    "blanks": "a line that begins with blanks is a sample for us, as the format's description has it, and an error for Prometheus",
}
BLANKS = "begins_with_blanks"
PARTS = {"h_bucket", "h_sum", "h_count", "s", "s_sum", "s_count"}

# Values that two who scrape cannot agree on; the series are compared all the same.
UNSTABLE = {
    "scrape_duration_seconds": "a measurement of each scrape",
    "scrape_series_added": "series that are new in a scrape; how it is counted while scrapes fail is not part of any promise",
}
UNSTABLE_JOBS = {"node": "a machine that lives", "inner_node": "the same, through /federate"}

TYPES = """\
# HELP g A gauge with a "quote", a \\\\ and a\\nbreak.
# TYPE g gauge
g 1
g{a="1",b="2"} 2.5
g{a="UPPER lower",b="ünï €"} -3e10
g{a="quote \\" backslash \\\\ newline \\n",b=""} 4
# TYPE c_total counter
c_total{method="GET",code="200"} 10
c_total{method="POST",code="500"} 3
# TYPE h histogram
h_bucket{le="0.5",x="1"} 1
h_bucket{le="1",x="1"} 2
h_bucket{le="+Inf",x="1"} 3
h_sum{x="1"} 4.25
h_count{x="1"} 3
# TYPE s summary
s{quantile="0.5"} 7
s{quantile="0.99"} 9
s_sum 100
s_count 10
# TYPE u untyped
u{k="same",l="same"} 1
u{k="same",l="other"} 2
no_type{zone="z"} +Inf
no_type{zone="n"} NaN
colon:name:sum 6
"""

CONFLICTS = """\
a{job="of the target",instance="theirs"} 1
a{exported_job="taken",job="x"} 2
a{zone="body"} 3
a{exported_zone="body"} 4
a{job="",instance="i"} 5
up{job="inner",instance="inner"} 1
scrape_samples_scraped{job="inner",instance="inner"} 77
"""

OM = """\
# TYPE om_requests counter
# HELP om_requests How many.
om_requests_total{a="1"} 5 # {trace_id="x"} 1 1.5
om_requests_created{a="1"} 1000
# TYPE om_seconds histogram
# UNIT om_seconds seconds
om_seconds_bucket{le="1.0"} 2
om_seconds_bucket{le="+Inf"} 3 # {trace_id="y"} 9
om_seconds_sum 7
om_seconds_count 3
# TYPE om_build info
om_build_info{version="1"} 1
# TYPE om_state stateset
om_state{om_state="on"} 1
om_state{om_state="off"} 0
# TYPE om_q summary
om_q{quantile="0.5"} 2
om_q_sum 3
om_q_count 4
# TYPE om_u unknown
om_u 8
# TYPE om_gh gaugehistogram
om_gh_bucket{le="1.0"} 2
om_gh_bucket{le="+Inf"} 3
om_gh_gcount 3
om_gh_gsum 5
# EOF
"""


class Bodies:
    """A target for each path. What is not in bodies is answered with what was asked, as a metric."""

    def __init__(self):
        self.bodies = {}  # path: (code, type, body)
        bodies = self.bodies

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def mirror(self):
                path, _, query = self.path.partition("?")
                said = {"path": path, "query": "&".join(sorted(query.split("&"))),
                        "authorization": self.headers.get("Authorization", "")}
                return "mirror{%s} 1\n" % ",".join('%s="%s"' % item for item in said.items())

            def do_GET(self):
                code, kind, body = bodies.get(self.path.partition("?")[0]) or (200, TEXT, self.mirror())
                data = body.encode("utf-8")
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                if code // 100 == 3:
                    self.send_header("Location", body)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def add(self, path, body, kind=TEXT, code=200):
        self.bodies[path] = (code, kind, body)


class Tls(Child):
    """tests/lib/https_server.py; it ends with its standard input."""

    def __init__(self, stand):
        self.folder = stand.path / "tls"
        self.folder.mkdir()
        super().__init__(stand, "https", ["/usr/bin/python3", ROOT / "tests" / "lib" / "https_server.py", self.folder])

    def stdin(self):
        return subprocess.PIPE

    def ready(self):
        return len(self.log.split()) == 4

    @property
    def ports(self):
        return [int(word) for word in self.log.split()]


class Beside(Prometheus):
    """A Prometheus with these scrape_configs, wrapped in prefix."""

    def __init__(self, stand, configs, prefix=()):
        super().__init__(stand, [])
        file = stand.write("beside-%d.yml" % self.port, json.dumps({
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": TIMEOUT}, "scrape_configs": configs}))
        self.argv = list(prefix) + [a if not a.startswith("--config.file=") else "--config.file=%s" % file for a in self.argv]
        self.argv = [a if not a.startswith("--storage.tsdb.path=") else a + "-%d" % self.port for a in self.argv]


def relabel(action, source=None, **keys):
    rule = dict({"action": action}, **keys)
    if source:
        rule["source_labels"] = source.split(",")
    return rule


def groups(*targets, **labels):
    return [{"targets": list(targets), "labels": labels}]


def target_relabelling():
    """Every action on targets, and what relabelling does with the special labels."""
    return [
        relabel("keep", "env", regex="prod|test"), relabel("drop", "drop", regex="yes"),
        relabel("keepequal", "__tmp_a", target_label="same"), relabel("dropequal", "env", target_label="team"),
        relabel("labelmap", regex="__meta_(.+)", replacement="from_${1}"), relabel("labelmap", regex="map_(.*)"),
        relabel("replace", "env,team", separator="/", regex="(.+)/(?P<who>.+)", target_label="both", replacement="$1-${who}-$$"),
        relabel("replace", "env", regex="nothing", target_label="env", replacement="never"),
        relabel("replace", "team", target_label="${1}_dynamic", regex="(b.*)", replacement="x"),
        relabel("hashmod", "__address__,path", modulus=7, target_label="shard"),
        relabel("uppercase", "team", target_label="team_upper"), relabel("lowercase", "LOUD", target_label="quiet"),
        relabel("replace", "path", target_label="__metrics_path__"), relabel("replace", "p", target_label="__param_p"),
        relabel("replace", target_label="__param_more", replacement="added"),
        relabel("replace", "job_is", regex="(.+)", target_label="job"), relabel("replace", "named", regex="(.+)", target_label="instance"),
        relabel("replace", target_label="__scrape_interval__", replacement="1s"),
        relabel("replace", target_label="__scrape_timeout__", replacement="1s"),
        relabel("labeldrop", regex="(map|__tmp)_.*|LOUD|job_is|named"),
    ]


def relabelled_groups(address):
    common = {"__tmp_a": "1", "same": "1", "map_x": "mapped", "__meta_y": "meta", "LOUD": "VERY loud"}

    def one(path, **labels):
        return {"targets": [address], "labels": dict(common, path=path, **labels)}
    return [one("/r/1", env="prod", team="blue", p="q"), one("/r/2", env="test", team="red", job_is="other job"),
            one("/r/3", env="test", team="black", named="a name / with % signs"), one("/r/4", env="dev", team="x"),
            one("/r/5", env="prod", team="x", drop="yes"), dict(one("/r/6", env="prod", team="x"), labels=dict(
                common, path="/r/6", env="prod", team="x", same="2")), one("/r/7", env="prod", team="prod"),
            one("/types", env="prod", team="y", p="")]


# By job: relabelling of metrics. Each action on its own, and all of them one after the other.
METRIC_RELABELLING = {
    "m_replace": [relabel("replace", "method,code", regex="(.*);(.*)", target_label="mc", replacement="${2}_$1"),
                  relabel("replace", "a", regex=".*lower", target_label="a", replacement="")],
    "m_rename": [relabel("replace", "__name__", regex="(c|u)(_total)?", target_label="__name__", replacement="new_$1"),
                 relabel("replace", "__name__", regex="h_(sum|count)", target_label="__name__", replacement="part_of_$1")],
    "m_keep": [relabel("keep", "__name__", regex="g|s.*")],
    "m_drop": [relabel("drop", "__name__,le", regex="h_bucket;(0.5|1)"), relabel("drop", "code", regex="5..")],
    "m_keepequal": [relabel("keepequal", "k", target_label="l")],
    "m_dropequal": [relabel("dropequal", "k", target_label="l")],
    "m_hashmod": [relabel("hashmod", "__name__,a,b", modulus=1000003, target_label="hash")],
    "m_labelmap": [relabel("labelmap", regex="(method|code|le)", replacement="copy_of_$1")],
    "m_labeldrop": [relabel("labeldrop", regex="b|zone|x")],
    "m_labelkeep": [relabel("labelkeep", regex="__name__|job|instance|a|le|quantile|code|zone|k|l|b")],
    "m_case": [relabel("lowercase", "a", target_label="a"), relabel("uppercase", "method,a", separator="-", target_label="shout")],
    "m_target_labels": [relabel("replace", target_label="job", replacement="renamed"), relabel("replace", "instance", target_label="was"),
                        relabel("replace", target_label="instance", replacement=""), relabel("labeldrop", regex="site")],
    "m_all_gone": [relabel("drop", "__name__", regex=".*")],
    "m_many": [relabel("drop", "__name__", regex="no_type"), relabel("labelmap", regex="(.)", replacement="one_$1"),
               relabel("replace", "one_a", target_label="__tmp_x"), relabel("uppercase", "__tmp_x", target_label="upper"),
               relabel("labeldrop", regex="one_b|__tmp_x"), relabel("hashmod", "upper", modulus=3, target_label="shard"),
               relabel("replace", "__name__,shard", regex="g;(.*)", target_label="__name__", replacement="g_in_shard_$1")],
}


def plain(path, address, **keys):
    return dict({"metrics_path": path, "static_configs": groups(address)}, **keys)


def limits(address):
    """Each limit just kept, and just broken. Most labels has h_bucket: name, job, instance, le, x."""
    at = {}
    samples = len([line for line in TYPES.splitlines() if not line.startswith("#")])
    for name, good, bad in [("sample_limit", samples, samples - 1), ("label_limit", 5, 4), ("label_name_length_limit", 8, 7),
                            ("label_value_length_limit", 40, 14)]:
        at[name + "_ok"] = plain("/types", address, **{name: good})
        at[name + "_over"] = plain("/types", address, **{name: bad})
    at["sample_limit_after_relabelling"] = plain("/types", address, sample_limit=8,
                                                 metric_relabel_configs=METRIC_RELABELLING["m_keep"])
    # (At exactly the limit Prometheus fails, though its documentation says "larger than".)
    at["body_size_limit_ok"] = plain("/types", address, body_size_limit="%dB" % (len(TYPES.encode()) + 1))
    at["body_size_limit_over"] = plain("/types", address, body_size_limit="%dB" % (len(TYPES.encode()) - 1))
    many = groups(address, address.replace("127.0.0.1", "localhost"), address.replace("127.0.0.1", "127.0.0.2"))
    at["target_limit_ok"] = {"static_configs": many, "target_limit": 3, "relabel_configs": [relabel("drop", "__address__", regex="127.0.0.2.*")]}
    at["target_limit_over"] = {"static_configs": many, "target_limit": 2}
    return at


def http_settings(bodies, tls, folder):
    """What a request is made of: the targets say in a label what they were asked with."""
    https = {"scheme": "https", "metrics_path": "/who", "static_configs": groups("127.0.0.1:%d" % tls.ports[1]),
             "metric_relabel_configs": [relabel("labeldrop", regex="connection|encoding|proxied|version")]}
    certificate = {"ca_file": "%s/ca.pem" % folder, "cert_file": "%s/alice.pem" % folder, "key_file": "%s/alice.key" % folder,
                   "server_name": "target.test", "min_version": "TLS12"}
    return {
        "params": plain("/mirror", bodies.address, params={"b": ["2", "3"], "a": ["ä &=%"], "match[]": ['{x="y"}']}),
        "basic_auth": plain("/mirror", bodies.address, basic_auth={"username": "me", "password": "it's a secret"}),
        "basic_auth_file": plain("/mirror", bodies.address, basic_auth={"username": "me", "password_file": str(folder / "password")}),
        "authorization": plain("/mirror", bodies.address, authorization={"credentials": "t0ken"}),
        "authorization_type": plain("/mirror", bodies.address, authorization={"type": "Weird", "credentials_file": str(folder / "password")}),
        "redirect": plain("/redirect", bodies.address),
        "no_redirect": plain("/redirect", bodies.address, follow_redirects=False),
        "no_compression": plain("/types", bodies.address),
        "https_certificate": dict(https, tls_config=certificate),
        "https_no_certificate": dict(https, tls_config={"ca_file": certificate["ca_file"], "server_name": "target.test"}),
        "https_wrong_name": dict(https, tls_config=dict(certificate, server_name="other.test")),
        "https_unknown_ca": dict(https, tls_config=dict(certificate, ca_file="%s/other_ca.pem" % folder)),
        "https_insecure": dict(https, tls_config={"insecure_skip_verify": True, "cert_file": "%s/bob.pem" % folder,
                                                  "key_file": "%s/bob.key" % folder}),
    }


def failures(bodies, fault):
    """What does not go well, and how."""
    at = {name: plain("/" + name, fault) for name in ("hang", "500", "404", "close", "reset", "truncated", "html", "half-line",
                                                      "short-gzip", "bad-gzip", "not-http", "redirect-loop", "204", "empty")}
    at["refused"] = plain("/metrics", "127.0.0.1:1")
    for name in ("odd", "odd_1", "odd_2", "odd_3", "odd_4", "odd_5", "odd_6", "odd_7", "odd_8", BLANKS):
        at[name] = plain("/" + name, bodies.address)
    return at


def discovered(stand, bodies):
    """Lists of targets in a file and behind HTTP; the last one leaves during the test."""
    sd = [{"targets": [bodies.address], "labels": {"path": "/sd/1", "__meta_zone": "z"}},
          {"targets": [bodies.address], "labels": {"path": "/sd/2"}}]
    stand.write("sd.json", json.dumps(sd))
    bodies.add("/http_sd", json.dumps(sd), "application/json")
    rules = [relabel("replace", "path", target_label="__metrics_path__"),
             relabel("replace", "__meta_zone", target_label="zone"), relabel("replace", "path", target_label="instance")]
    yaml = stand.write("sd.yml", "- targets: ['%s']\n  labels: {path: /sd/3, number: 1, text: '2'}\n" % bodies.address)
    return {
        "file_sd": {"file_sd_configs": [{"files": [str(stand.path / "sd.json"), str(yaml)], "refresh_interval": "1s"}],
                    "relabel_configs": rules + [relabel("replace", "__meta_filepath", regex=".*/(.*)", target_label="file")]},
        "http_sd": {"http_sd_configs": [{"url": "http://%s/http_sd" % bodies.address, "refresh_interval": "1s"}],
                    "relabel_configs": rules + [relabel("replace", "__meta_url", target_label="url")]},
    }


class Dns:
    """A name server of our own for the programs of this test: their /etc/resolv.conf is another file. Where that is not possible there is none."""

    def __init__(self, stand, port):
        self.prefix, self.jobs = (), {}
        address = "127.77.%d.%d" % (os.getpid() // 250 % 250, os.getpid() % 250 + 1)
        resolv = stand.write("resolv.conf", "nameserver %s\n" % address)
        prefix = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(resolv)]
        if os.geteuid() != 0 or subprocess.run(prefix + ["true"], capture_output=True, check=False).returncode != 0:
            return
        srv = "_m._tcp.example. 60 IN SRV 0 0 %d " % port
        Unbound(stand, [srv + "one.example.", srv + "two.example.", "one.example. IN A 127.0.0.1", "two.example. IN A 127.0.0.1",
                        "three.example. IN A 127.0.0.1"], address).start()
        self.prefix = prefix
        meta = [relabel("labelmap", regex="__meta_dns_(.+)")]
        self.jobs = {
            "dns_srv": {"dns_sd_configs": [{"names": ["_m._tcp.example"], "refresh_interval": "2s"}], "relabel_configs": meta},
            "dns_a": {"dns_sd_configs": [{"names": ["three.example"], "type": "A", "port": port}], "relabel_configs": meta}}


def jobs_of(stand, bodies, tls, fault, dns, node, upstream):
    now_ms = int(time.time() * 1000)
    bodies.add("/types", TYPES)
    bodies.add("/conflicts", CONFLICTS)
    bodies.add("/om", OM, OPENMETRICS)
    bodies.add("/times", "now 1 %d\nago 2 %d\nnone 3\n" % (now_ms, now_ms - 60000))
    bodies.add("/redirect", "/mirror", code=302)
    bodies.add("/odd", 'a 1\na 1\na 2\nb{x="1",y="2"} 1\nb{y="2",x="1"} 5\n')
    bodies.add("/odd_1", "a 1\nb")
    bodies.add("/odd_2", 'a 1\nb{x="1" 2\n')
    bodies.add("/odd_3", "a 1\nb not_a_number\n")
    bodies.add("/odd_4", "a 1")
    bodies.add("/odd_5", '\n#\n# a comment\nb{x="1",} 1\n')
    bodies.add("/odd_6", "b 0x10\n")
    bodies.add("/odd_7", "a   1\nb\t2\n")
    bodies.add("/begins_with_blanks", "  a 1\n")
    bodies.add("/odd_8", "a 1  \n")
    jobs = {
        "plain": plain("/types", bodies.address),
        "labels": {"metrics_path": "/types", "static_configs": [
            {"targets": [bodies.address, bodies.address], "labels": {"site": "a \"b\" \\ cé", "empty": ""}},
            {"targets": [bodies.address], "labels": {"site": "other", "job": "not this job", "instance": "not this"}}]},
        "openmetrics": plain("/om", bodies.address),
        "conflicts": {"metrics_path": "/conflicts", "static_configs": groups(bodies.address, zone="target")},
        "honor_labels": {"metrics_path": "/conflicts", "honor_labels": True, "static_configs": groups(bodies.address, zone="target")},
        "honor_timestamps": plain("/times", bodies.address, honor_timestamps=True),
        "no_timestamps": plain("/times", bodies.address, honor_timestamps=False),
        "relabel": {"static_configs": relabelled_groups(bodies.address), "relabel_configs": target_relabelling()},
        "labelkeep": {"metrics_path": "/types", "static_configs": groups(bodies.address, a="1", b="2"),
                      "relabel_configs": [relabel("labelkeep", regex="__.*|b")]},
        "node": {"static_configs": groups(node.address)},
        "federate": {"metrics_path": "/federate", "honor_labels": True, "static_configs": groups(upstream.address),
                     "params": {"match[]": ['{job="stable"}', '{__name__="up"}']}},
        "federate_not_honored": {"metrics_path": "/federate", "static_configs": groups(upstream.address),
                                 "params": {"match[]": ['{job="stable",__name__=~"f_(g|c.*|h.*)"}']}},
        "federate_parts": {"metrics_path": "/federate", "static_configs": groups(upstream.address),
                           "params": {"match[]": ['{job="parts",__name__=~"g|c.*|h.*|s.*"}']}},
        "federate_node": {"metrics_path": "/federate", "honor_labels": True, "static_configs": groups(upstream.address),
                          "params": {"match[]": ['{job="inner_node",__name__=~"node_cpu.*"}']}},
    }
    for name, rules in METRIC_RELABELLING.items():
        jobs[name] = {"metrics_path": "/types", "static_configs": groups(bodies.address, site="s"), "metric_relabel_configs": rules}
    for more in (limits(bodies.address), http_settings(bodies, tls, tls.folder), failures(bodies, fault.address),
                 discovered(stand, bodies), dns.jobs):
        assert not set(jobs) & set(more)
        jobs.update(more)
    return jobs


def key(labels):
    return tuple(sorted(labels.items()))


def own(labels, receiver):
    """Whether it is of DIFFERENCES, "own"."""
    return (labels.get("job") == "prometheus_streams" or labels["__name__"].startswith(("gravel_", "process_")) and labels["job"] == "gravel" or
            labels["__name__"].startswith("gravel_scrape_") or
            set(labels) == {"__name__", "job", "instance"} and labels["job"] == "gravel" and labels["instance"] == receiver)


def scraped_again(labels, receiver):
    """DIFFERENCES, "no job or instance"."""
    return dict({"job": "gravel", "instance": receiver}, **labels)


def is_part(labels):
    """DIFFERENCES, "parts"."""
    return labels["__name__"] in PARTS and labels.get("job") == "federate_parts"


def stable(labels):
    return labels["__name__"] not in UNSTABLE and (labels.get("job") not in UNSTABLE_JOBS or labels["__name__"] == "up")


def readable(labels):
    d = dict(labels)
    return "%s{%s}" % (d.pop("__name__"), ",".join("%s=%r" % item for item in sorted(d.items())))


def difference(a, b):
    """What is in the one and not in the other, for a reader."""
    return ["direct only: " + readable(k) for k in sorted(set(a) - set(b))] + ["ours only: " + readable(k) for k in sorted(set(b) - set(a))]


def health(targets):
    """(job, URL) of each target: its health and whether there is an error."""
    return {(t["scrapePool"], t["scrapeUrl"], json.dumps(t["labels"], sort_keys=True)): (t["health"], t["lastError"])
            for t in targets["activeTargets"] if t["scrapePool"] != BLANKS}


class Side:
    """The same jobs twice: direct is a Prometheus, ours is one behind poller, NATS and receiver."""

    def __init__(self, stand):
        self.bodies, nats, node = Bodies(), stand.nats(), stand.node_exporter()
        fault, tls = stand.fault_server(), Tls(stand).start()
        stand.path.joinpath("tls", "password").write_text("of the file\n")
        upstream = Beside(stand, [
            {"job_name": "stable", "metrics_path": "/types", "static_configs": groups(self.bodies.address), "metric_relabel_configs": [
                relabel("replace", "__name__", target_label="__name__", replacement="f_$1")]},
            {"job_name": "parts", "metrics_path": "/types", "static_configs": groups(self.bodies.address)},
            {"job_name": "inner_node", "static_configs": groups(node.address)}]).start()
        self.bodies.add("/types", TYPES)
        dns = Dns(stand, int(self.bodies.address.partition(":")[2]))
        self.jobs = jobs_of(stand, self.bodies, tls, fault, dns, node, upstream)
        configs = [dict(job, job_name=name) for name, job in self.jobs.items()]
        receiver = self.stored = stand.receiver(nats, receiver={"publisher_label": False})
        self.receiver = receiver.address
        self.direct = Beside(stand, configs, dns.prefix).start()
        self.poller = Poller(stand, nats, {}, scrape_configs=configs, scrape_interval=INTERVAL, scrape_timeout=TIMEOUT)
        self.poller.argv = list(dns.prefix) + self.poller.argv
        self.poller.start()
        self.ours = stand.prometheus(receiver.address)

    def both(self, ask):
        """What direct and ours have, as they would have it without DIFFERENCES."""
        a = {key(scraped_again(labels, self.receiver)): value for labels, value in ask(self.direct)
             if not is_part(labels) and labels.get("job") != BLANKS}
        b = {key(labels): value for labels, value in ask(self.ours) if not own(labels, self.receiver) and labels.get("job") != BLANKS}
        return a, b

    def same_values(self):
        """All that is there now, with the values that are stable."""
        a, b = self.both(lambda p: [(r["metric"], r["value"][1]) for r in p.api("query", query='{__name__!=""}')["result"] if stable(r["metric"])])
        assert set(a) == set(b), "\n".join(difference(a, b))
        other = {k: (a[k], b[k]) for k in a if a[k] != b[k]}
        assert not other, "\n".join("%s: direct %s, ours %s" % (readable(k), *v) for k, v in sorted(other.items()))
        return a

    def same_series(self):
        """All series that ever had a sample. (/api/v1/series also knows those of a scrape that Prometheus broke off at a bad line.)"""
        a, b = self.both(lambda p: [(r["metric"], None) for r in p.api("query", query='last_over_time({__name__!=""}[1h])')["result"]])
        assert set(a) == set(b), "\n".join(difference(a, b))
        known = self.both(lambda p: [(labels, None) for labels in p.api("series", **{"match[]": '{__name__!=""}'})])
        broken = [k for k in set(known[0]) - set(known[1]) if dict(k)["job"] not in DOWN]
        assert not broken and set(known[1]) <= set(known[0]), difference(*known)
        return a

    def same_health(self):
        a, b = health(self.direct.api("targets")), health(self.poller.targets())
        assert set(a) == set(b), sorted(set(a) ^ set(b))
        other = {k: (a[k], b[k]) for k in a if a[k][0] != b[k][0] or bool(a[k][1]) != bool(b[k][1])}
        assert not other, other
        return a


# All targets that are down are down on both sides; and these say so with the same words.
DOWN = {"204", "404", "500", "bad-gzip", "body_size_limit_over", "close", "half-line", "hang", "html", "https_no_certificate",
        "https_unknown_ca", "https_wrong_name", "label_limit_over", "label_name_length_limit_over", "label_value_length_limit_over",
        "no_redirect", "not-http", "odd_1", "odd_2", "odd_3", "odd_6", "redirect-loop", "refused", "reset", "sample_limit_over",
        "short-gzip", "target_limit_over", "truncated"}
SAME_WORDS = {"label_limit_over", "label_name_length_limit_over", "label_value_length_limit_over", "sample_limit_over", "target_limit_over"}


def actions(jobs, where):
    return {rule["action"] for job in jobs.values() for rule in job.get(where, ())}


def differences_are_there(side):
    """Each of DIFFERENCES is one: if it is none any more, it leaves the list."""
    direct = {key(r["metric"]): r["metric"] for r in side.direct.api("query", query='{__name__!=""}')["result"]}.values()
    ours = {key(r["metric"]): r["metric"] for r in side.ours.api("query", query='{__name__!=""}')["result"]}.values()
    assert [m for m in ours if own(m, side.receiver)] and not [m for m in direct if own(m, side.receiver)]
    assert [m for m in direct if "job" not in m] and [m for m in direct if "instance" not in m]
    assert {m["__name__"] for m in direct if is_part(m)} > {m["__name__"] for m in ours if is_part(m)}
    up = [{r["metric"]["job"]: r["value"][1] for r in p.api("query", query='up{job="%s"}' % BLANKS)["result"]} for p in (side.direct, side.ours)]
    assert up == [{BLANKS: "0"}, {BLANKS: "1"}]
    return True


@pytest.mark.long
def test_same_jobs_give_the_same_series(stand):
    side = Side(stand)
    assert len(side.jobs) >= 20
    every = {"replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"}
    assert actions(side.jobs, "relabel_configs") == actions(side.jobs, "metric_relabel_configs") == every
    found = eventually(side.same_values, 60)
    names = {dict(k)["__name__"] for k in found}
    assert names >= {"up", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "om_requests_total", "f_h_bucket", "who"}
    assert len([k for k in found if dict(k)["__name__"] == "up"]) >= len(side.jobs)
    eventually(side.same_series, 30)
    states = eventually(side.same_health, 30)
    assert {k[0] for k, (state, _) in states.items() if state == "down"} == DOWN
    words = [{k[0]: error for k, (_, error) in health(t).items() if k[0] in SAME_WORDS}
             for t in (side.direct.api("targets"), side.poller.targets())]
    assert set(words[0]) == SAME_WORDS and words[0] == words[1]
    eventually(lambda: differences_are_there(side), 30)

    # Targets leave and come: the same again, and what left is gone on both sides.
    for write in (lambda text: side.bodies.add("/http_sd", text, "application/json"),
                  lambda text: os.replace(stand.write("sd.new", text), stand.path / "sd.json")):
        write(json.dumps([{"targets": [side.bodies.address], "labels": {"path": "/sd/9", "__meta_zone": "new"}}]))

    def left():
        now = side.same_values()
        paths = {dict(k).get("path") for k in now if dict(k)["job"] in ("file_sd", "http_sd")} - {None}
        assert paths == {"/sd/9", "/sd/3"}, paths
        return True
    eventually(left, 60)
