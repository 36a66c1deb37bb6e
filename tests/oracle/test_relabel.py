# SPDX-License-Identifier: Apache-2.0
"""Relabelling and what becomes of targets, beside a real Prometheus: the same labels before and after, URL, times; or dropped; or refused."""
import json
import os
import random

import pytest

import relabeling

JOBS = int(os.environ.get("GRAVEL_RELABEL_JOBS", "600"))
RULES = 80


def seed():
    found = os.environ.get("GRAVEL_SEED") or str(random.SystemRandom().randrange(10**9))
    print("seed %s" % found)
    return found


def static(rules, **labels):
    return {"job_name": "x", "static_configs": [{"targets": ["127.0.0.1:9"], "labels": labels}], "relabel_configs": rules}


def takes(job):
    return relabeling.ours([job])[0].get("rule", 0) == 0


def without_discovered(answer):
    return answer and {k: v for k, v in answer.items() if k != "discovered"}


def differences(jobs, stand):
    """[(job, ours, theirs)] where they differ, an answer None being a target that is none; and how many there were of each kind.

    What 2.42 shows as labels before relabelling is what its rules, working in place, left of them: they are compared where there are no rules."""
    ours = [None if "error" in answer else answer for answer in relabeling.ours(jobs)]
    theirs = relabeling.theirs(stand, jobs, sum(answer is not None for answer in ours))
    counts = {"kept": 0, "dropped": 0, "refused": 0}
    found = []
    for job, a, b in zip(jobs, ours, theirs):
        if without_discovered(a) != without_discovered(b) or not job["relabel_configs"] and a != b:
            found.append((job, a, b))
        counts["refused" if a is None else "kept" if a["kept"] else "dropped"] += 1
    return found, counts


@pytest.mark.long
def test_random_jobs(stand):
    rng = random.Random(seed())
    jobs = []
    while len(jobs) < JOBS:
        # What is an expression to RE2 and none to PCRE2 is another matter.
        job = relabeling.job(rng, "j%d" % len(jobs))
        if takes(job):
            jobs.append(job)
    found, counts = differences(jobs, stand)
    print(counts)
    for job, ours, theirs in found[:5]:
        print(json.dumps(job, ensure_ascii=False), "\n  ours:  ", json.dumps(ours, ensure_ascii=False, sort_keys=True),
              "\n  theirs:", json.dumps(theirs, ensure_ascii=False, sort_keys=True))
    assert not found, "%d of %d differ" % (len(found), len(jobs))
    assert min(counts.values()) > JOBS / 100, counts


def letters():
    """Every letter that has another case, and some more, as labels of a few hundred characters."""
    every = [chr(c) for c in range(0x80, 0x1f000) if not 0xd800 <= c < 0xe000]
    cased = [c for c in every if c.lower() != c or c.upper() != c or c.title() != c]
    return ["".join(cased[i:i + 300]) for i in range(0, len(cased), 300)]


@pytest.mark.long
def test_letters_of_all_scripts(stand):
    """lowercase and uppercase are those of Go 1.19, which knows Unicode 13."""
    rules = [{"action": action, "source_labels": ["a"], "target_label": action} for action in ("lowercase", "uppercase")]
    jobs = []
    for i, text in enumerate(letters()):
        job = static(rules, a=text)
        job["job_name"] = "j%d" % i
        jobs.append(job)
    found, counts = differences(jobs, stand)
    assert not found, found[0]
    assert counts == {"kept": len(jobs), "dropped": 0, "refused": 0} and len(jobs) >= 9


BAD = [{"action": "replace"}, {"action": "replace", "target_label": "0a"}, {"action": "replace", "target_label": "a-b"}, {"action": "replace", "target_label": "a$"},
       {"action": "replace", "target_label": "$$1a"}, {"action": "replace", "target_label": "${1"}, {"action": "replace", "target_label": "${}"},
       {"action": "replace", "target_label": "$1", "regex": "("}, {"action": "hashmod", "target_label": "a"}, {"action": "hashmod", "modulus": 3},
       {"action": "hashmod", "target_label": "$1", "modulus": 3}, {"action": "labelmap", "regex": "a", "replacement": "0"},
       {"action": "labelmap", "regex": "a", "replacement": ""}, {"action": "labelmap", "regex": "a", "replacement": "$1-"},
       {"action": "keep", "source_labels": ["0a"]}, {"action": "keep", "source_labels": [""]}, {"action": "keep", "source_labels": ["ä"]},
       {"action": "labeldrop", "regex": "a", "source_labels": ["a"]}, {"action": "labeldrop", "regex": "a", "target_label": "a"},
       {"action": "labelkeep", "regex": "a", "modulus": 1}, {"action": "labelkeep", "regex": "a", "separator": "-"}, {"action": "labelkeep", "replacement": "a"},
       {"action": "lowercase"}, {"action": "lowercase", "target_label": "a-"}, {"action": "uppercase", "target_label": "a", "replacement": "$2"},
       {"action": "keepequal"}, {"action": "keepequal", "target_label": "a", "regex": "b"}, {"action": "dropequal", "target_label": "a", "separator": ","},
       {"action": "dropequal", "target_label": "a", "modulus": 2}, {"action": "dropequal", "target_label": "a", "replacement": "x"},
       {"action": "dropequal", "target_label": "1"}, {"action": "hashmod", "target_label": "a", "modulus": 3, "regex": "("}]
GOOD = [{"action": "replace", "target_label": "a"}, {"action": "replace", "target_label": "$1"}, {"action": "replace", "target_label": "a${b}c$1"},
        {"action": "keep"}, {"action": "drop", "regex": ""}, {"action": "lowercase", "target_label": "$1"}, {"action": "keepequal", "target_label": "${x}b"},
        {"action": "labelmap"}, {"action": "labelmap", "replacement": "a"}, {"action": "labeldrop"}, {"action": "hashmod", "target_label": "a", "modulus": 1},
        {"action": "uppercase", "target_label": "a", "regex": "b"}, {"action": "lowercase", "target_label": "a", "separator": "", "modulus": 2},
        {"action": "replace", "target_label": "$1", "replacement": "${"}, {"action": "keep", "target_label": "0-", "replacement": "x", "modulus": 2}]


def mixed(rng):
    """A rule of one action with members of another: many are refused."""
    one, other = relabeling.rule(rng), relabeling.rule(rng)
    return {**one, **{k: v for k, v in other.items() if k != "action" and rng.random() < 0.3}}


@pytest.mark.long
def test_what_is_refused(stand):
    """By promtool and by us alike."""
    rng = random.Random(seed())
    answers = {True: 0, False: 0}
    for i, rule in enumerate(BAD + GOOD + [mixed(rng) for _ in range(RULES)]):
        job = static([rule])
        theirs, why = relabeling.promtool_takes(stand, i, [rule])
        # Prometheus asks whether the member is there: a regex that is the default one, or no source labels, we cannot see.
        if "requires only" in why and takes(job) and (rule.get("regex") == "(.*)" or rule.get("source_labels") == []):
            continue
        assert takes(job) == theirs, (rule, why)
        assert i >= len(BAD + GOOD) or theirs == (i >= len(BAD)), (rule, why)
        answers[theirs] += 1
    assert min(answers.values()) >= 20, answers
