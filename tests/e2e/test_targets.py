# SPDX-License-Identifier: Apache-2.0
"""The pages of targets: as Prometheus has them, and for a person."""
import html.parser
import json
import re
import urllib.parse

import pytest

from harness.stand import Prometheus, jobs_of
from harness.wait import eventually


class WithConfigs(Prometheus):
    """A Prometheus with these scrape_configs."""

    def __init__(self, stand, scrape_configs):
        super().__init__(stand, [])
        file = stand.write("scrape-%d.yml" % self.port, json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "900ms"}, "scrape_configs": scrape_configs}))
        self.argv = [a if not a.startswith("--config.file=") else "--config.file=%s" % file for a in self.argv]


def comparable(target):
    """All that two who scrape the same must say alike."""
    t = dict(target)
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", t.pop("lastScrape")), target
    assert isinstance(t.pop("lastScrapeDuration"), (int, float))
    t.pop("samples", None)
    t["lastError"] = bool(t["lastError"])
    return json.dumps(t, sort_keys=True)


def by_url(targets):
    return sorted(comparable(t) for t in targets)


@pytest.mark.long
def test_api_is_that_of_prometheus(stand):
    good, other = stand.target(), stand.target()
    file = stand.write("sd.json", json.dumps([
        {"targets": [other.instance, "dropped.example:1"], "labels": {"zone": "z", "__meta_x": "y"}}]))
    configs = [
        {"job_name": "plain", "static_configs": [{"targets": [good.instance, good.instance], "labels": {"a": "b\"<>&'é"}}]},
        {"job_name": "down", "static_configs": [{"targets": ["127.0.0.1:1"]}], "scrape_interval": "2s"},
        {"job_name": "params", "metrics_path": "/federate", "params": {"match[]": ["{a=\"b\"}", "x"], "p": ["1"]},
         "static_configs": [{"targets": ["localhost:%d" % good.port]}], "scheme": "http"},
        {"job_name": "sd", "file_sd_configs": [{"files": [str(file)]}], "relabel_configs": [
            {"source_labels": ["__address__"], "regex": "dropped.*", "action": "drop"},
            {"source_labels": ["__meta_x"], "target_label": "x"},
            {"target_label": "__scrape_interval__", "replacement": "3s"},
            {"target_label": "instance", "replacement": "named"}]},
    ]
    theirs = WithConfigs(stand, configs).start()
    ours = stand.poller(stand.nats(), {}, scrape_configs=configs)

    def settled(get):
        data = get()
        assert len(data["activeTargets"]) == 4 and all(t["health"] != "unknown" for t in data["activeTargets"])
        return data

    expected = eventually(lambda: settled(lambda: theirs.api("targets")), 30)
    got = eventually(lambda: settled(ours.targets), 30)
    assert by_url(got["activeTargets"]) == by_url(expected["activeTargets"])
    assert sorted(map(str, got["droppedTargets"])) == sorted(map(str, expected["droppedTargets"]))
    assert set(got) == set(expected) and set(got["activeTargets"][0]) == set(expected["activeTargets"][0]) | {"samples"}
    for query in ({"state": "active"}, {"state": "dropped"}, {"state": "any"}, {"state": "ANY"}, {"state": "nonsense"},
                  {"scrapePool": "sd"}, {"scrapePool": "none"}, {"scrapePool": "sd", "state": "active"}):
        a, b = theirs.api("targets", **query), ours.targets(**query)
        assert by_url(a["activeTargets"]) == by_url(b["activeTargets"]), query
        assert sorted(map(str, a["droppedTargets"])) == sorted(map(str, b["droppedTargets"])), query
    assert "refused" in [t for t in got["activeTargets"] if t["scrapePool"] == "down"][0]["lastError"]
    assert {t["samples"] for t in got["activeTargets"] if t["scrapePool"] == "plain"} == {1}


class Page(html.parser.HTMLParser):
    """Which elements there are, and the text of the page."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.words = []
        self.links = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"], (tag, attrs)
        self.links += [value for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


def page_of(poller, **query):
    answer = poller.get("/targets?" + urllib.parse.urlencode(query))
    assert answer.code == 200, answer
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    page = Page(answer.text)
    assert not set(page.elements) & {"script", "img", "link", "iframe", "object", "embed", "form", "base"}
    return page


def test_page_escapes_whatever_a_label_holds(stand):
    hostile = "<script>alert(1)</script>\"'&<img src=x onerror=y>\n\x01\u202e--></td>"
    job = "<b>job</b>&\"'/?#%"
    target = stand.target()
    file = stand.write("sd.json", json.dumps([{"targets": [target.instance], "labels": {"evil": hostile}}]))
    poller = stand.poller(stand.nats(), {job: {
        "file_sd_configs": [{"files": [str(file)]}],
        "relabel_configs": [{"source_labels": ["evil"], "regex": "(?s)(.*)", "target_label": "copy"}]}})
    eventually(lambda: poller.targets()["activeTargets"][0]["health"] == "up")
    assert poller.targets()["activeTargets"][0]["labels"]["evil"] == hostile
    page = page_of(poller)
    assert page.text.count("<script>alert(1)</script>\"'&<img src=x onerror=y>\n\ufffd") == 3
    assert job in page.text and "b" not in page.elements and "img" not in page.elements
    link, = [x for x in page.links if x.startswith("?job=") and "prometheus_streams" not in x]
    assert urllib.parse.parse_qs(link[1:])["job"] == [job]
    assert job in page_of(poller, job=job).text
    assert "prometheus_streams" not in page_of(poller, job=job).text


def test_page_says_how_targets_are(stand):
    good, bad = stand.target(body="a 1\nb 2\n"), stand.target(body="a 1\na{ 2\n")
    poller = stand.poller(stand.nats(), jobs_of(good=good, bad=bad))
    eventually(lambda: sorted(t["health"] for t in poller.targets()["activeTargets"]) == ["down", "up"])
    down, = [t for t in poller.targets()["activeTargets"] if t["health"] == "down"]
    assert re.match(r"2:\d+: ", down["lastError"]), "line and column"
    page = page_of(poller)
    assert "j 1/2 up" in page.text and down["lastError"] in page.text and good.url in page.text
    assert "before relabelling" in page.text and "__address__" in page.text
    only = page_of(poller, health="down", job="j")
    assert bad.url in only.text and good.url not in only.text
    assert "1 more" in page_of(poller, limit=1, job="j").text


def test_no_page_shows_a_secret(stand):
    target = stand.target()
    url = target.url.replace("http://", "http://user:s3cret@")
    secret = stand.write("password", "s3cret\n")
    poller = stand.poller(stand.nats(), {
        "a": {"targets": [{"name": "t", "url": url}]},
        "b": {"static_configs": [{"targets": [target.instance]}], "basic_auth": {"username": "user", "password": "s3cret"}},
        "c": {"static_configs": [{"targets": [target.instance]}],
              "authorization": {"credentials_file": str(secret)}}})
    eventually(lambda: [t["health"] for t in poller.targets()["activeTargets"]] == ["up"] * 3)
    everything = poller.get("/api/v1/targets").text + poller.get("/targets").text + poller.get("/metrics").text
    assert "s3cret" not in everything + poller.log
    assert "http://user:xxxxx@" + target.instance in everything


def test_what_cannot_be_scraped_is_shown_with_its_reason(stand):
    file = stand.write("sd.json", json.dumps([{"targets": ["host:1/path"]}]))
    poller = stand.poller(stand.nats(), {"j": {"file_sd_configs": [{"files": [str(file)]}]}})
    eventually(lambda: "1 that cannot be scraped" in page_of(poller).text)
    assert "host:1/path" in page_of(poller).text
    assert poller.targets() == {"activeTargets": [], "droppedTargets": []}
