# SPDX-License-Identifier: Apache-2.0
"""A target of a million series goes through whole. That the others keep their time meanwhile is measured by tests/bench, not asserted on whatever machine runs this."""
import hashlib

import pytest

from harness.wait import eventually

SERIES = 1000000


def million(generation):
    """About 100 MB; what follows the number makes the lines of the length that they have in the world."""
    head = "# HELP large_total A large family.\n# TYPE large_total counter\n"
    line = 'large_total{series="%d",region="eu-central-1",path="/api/v2/things/%d",code="200",method="GET"} %d\n'
    return (head + "".join(line % (i, i % 1000, i * 7 + generation) for i in range(SERIES))).encode()


@pytest.mark.long
def test_a_million_series(stand):
    nats = stand.nats()
    large = stand.target(body=million(0))
    assert len(large.body) > 95 * 1000 * 1000
    others = [stand.target(body="other %d\n" % i) for i in range(5)]
    receiver = stand.receiver(nats)
    jobs = {"large": {"scrape_interval": "20s", "scrape_timeout": "19s", "targets": [{"name": "large", "url": large.url}]},
            "others": {"targets": [{"name": "o%d" % i, "url": t.url} for i, t in enumerate(others)]}}
    poller = stand.poller(nats, jobs, scrape_body_limit="128MiB", stream={"buffer": "256MiB"})
    samples = lambda: receiver.get("/metrics?name[]=scrape_samples_scraped").text
    eventually(lambda: '{instance="large",job="large",publisher="dc1"} %d\n' % SERIES in samples(), 120)
    served = receiver.get("/metrics?name[]=large_total", timeout=60).body
    lines = [line for line in served.split(b"\n") if line.startswith(b"large_total{")]
    assert len(lines) == SERIES
    # Each value once, whatever the order.
    values = sorted(int(float(line.rsplit(b" ", 1)[1])) for line in lines)
    assert hashlib.sha256(repr(values).encode()).digest() == hashlib.sha256(repr([i * 7 for i in range(SERIES)]).encode()).digest()
    ups = receiver.get("/metrics?name[]=up").text
    for i in range(5):
        assert 'up{instance="o%d",job="others",publisher="dc1"} ' % i in ups
    assert not [s for s in poller.own().find("gravel_publish_dropped_total") if s.value]
