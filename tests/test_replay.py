"""Replay says what a policy would have said: held to judging the calls themselves under that policy."""

from __future__ import annotations

import json
from functools import cache

import pytest

from sockproxy.judge import judge, observe
from sockproxy.model import Allow, Deny
from sockproxy.policy.load import Policy, load, loads
from sockproxy.records import read
from sockproxy.replay import GROUPS, VALUES, Group, Replay, judge_again
from tests.corpus import POLICY
from tests.recording import Judging, Sent, corpus, judged

POLICIES = ("ci", "read-only", "jenkins-agent", "portainer-manage", "ai-agent", "compose-deployer")
SENT = tuple(corpus())


@cache
def policy(name: str) -> Policy:
    return load(POLICY if name == "ci" else name)


RECORDED: list[tuple[str, Judging]] = [("ci", judge), ("read-only", observe), ("jenkins-agent", judge)]


@pytest.mark.parametrize("under", POLICIES)
@pytest.mark.parametrize(("then", "judging"), RECORDED, ids=["ci", "observed", "jenkins"])
def test_what_is_told_is_what_judging_says(then: str, judging: Judging, under: str) -> None:
    wrong, unknown = [], 0
    for sent in SENT:
        again = judge_again(read(judged(sent, policy(then), judging).line), policy(under))
        now = judged(sent, policy(under)).verdict
        if again.now == "unknown":
            unknown += 1
        elif isinstance(now, Allow | Deny) and (again.now == "allow") != isinstance(now, Allow):
            wrong.append((sent.name, again.now, again.refused, now))
    assert not wrong
    # A record made by observing has all that any policy could hold.
    assert unknown <= (12 if judging is observe else len(SENT) // 2), unknown


def test_the_same_policy_says_the_same() -> None:
    for sent in SENT:
        done = judged(sent, policy("ci"))
        again = judge_again(read(done.line), policy("ci"))
        if isinstance(done.verdict, Allow):
            assert again.now == "allow", sent.name
        if isinstance(done.verdict, Deny):
            assert again.now == "deny" or again.unknown, sent.name


RUN = """
version: 1
name: run
rules:
  - id: run
    allow: [POST /containers/create, POST /containers/*/stop|exec, POST /exec/*/start, DELETE /images/*]
    {more}
"""
OBSERVED = loads("version: 1\nmode: observe\n")


def line(sent: Sent, under: Policy = OBSERVED, judging: Judging = observe) -> bytes:
    return judged(sent, under, judging).line


def stop(reference: str) -> Sent:
    facts = {
        f"/containers/{name}/json": {"Id": "c" * 64, "Name": "/web", "Config": {"Labels": {"ci": "yes"}}}
        for name in ("web", "cccccccccccc")
    }
    return Sent("stop", "POST", f"/v1.41/containers/{reference}/stop", {"Host": "d"}, None, facts)


FREE = loads(RUN.format(more="only: {image: any}"))
NAMED = loads(RUN.format(more="only: {container: ci-*}"))
LABELLED = loads(RUN.format(more="only: {container: label=ci}"))


@pytest.mark.parametrize(
    ("recorded", "reference", "under", "now"),
    [
        ((FREE, judge), "ci-1", NAMED, "allow"),
        ((FREE, judge), "web", NAMED, "deny"),
        ((FREE, judge), "cccccccccccc", NAMED, "deny"),
        ((FREE, judge), "web", LABELLED, "allow"),
        ((OBSERVED, observe), "cccccccccccc", NAMED, "deny"),
        ((OBSERVED, observe), "cccccccccccc", LABELLED, "allow"),
        ((OBSERVED, observe), "web", FREE, "allow"),
    ],
)
def test_what_was_not_looked_up_cannot_be_told(
    recorded: tuple[Policy, Judging], reference: str, under: Policy, now: str
) -> None:
    # sockproxy's own container is known here, so a container that is stopped is looked up in any case.
    again = judge_again(read(line(stop(reference), *recorded)), under)
    assert again.now == now


def test_an_unknown_container_of_a_record_cannot_be_told() -> None:
    told = json.loads(line(stop("web")))
    told["asks"] = [{"kind": "container", "value": "cccccccccccc", "where": "path"}]
    for under in (NAMED, LABELLED):
        again = judge_again(read(json.dumps(told).encode()), under)
        assert (again.now, again.unknown) == ("unknown", "whose the container is was not looked up")
    told["asks"][0]["value"] = "web"
    assert judge_again(read(json.dumps(told).encode()), NAMED).now == "deny"
    assert judge_again(read(json.dumps(told).encode()), LABELLED).now == "unknown"


def test_an_exec_whose_container_was_not_looked_up_cannot_be_told() -> None:
    told = json.loads(line(stop("web")))
    told.update(operation="ExecStart", verdict="allow", code=None, asks=[])
    assert judge_again(read(json.dumps(told).encode()), FREE).now == "allow"
    assert judge_again(read(json.dumps(told).encode()), NAMED).now == "unknown"


def test_a_call_refused_before_it_was_looked_into_cannot_be_told() -> None:
    create = Sent(
        "x", "POST", "/containers/create", {"Host": "d", "Content-Type": "application/json"}, b'{"Image":"x"}', {}
    )
    refused = judged(create, policy("read-only"))
    assert isinstance(refused.verdict, Deny)
    assert judge_again(read(refused.line), FREE).now == "unknown"
    assert judge_again(read(refused.line), policy("traefik")).now == "deny"
    assert judge_again(read(line(create)), FREE).now == "allow"


CLIENTS = """
clients:
  - {name: near, from: 172.20.0.0/16, rules: all}
  - {name: far, from: 10.0.0.0/8, rules: all}
  - {name: local, unix-user: 0, rules: all}
"""


@pytest.mark.parametrize(
    ("peer", "client", "taken_for", "now"),
    [
        ("172.20.0.4:51234", "anyone", None, "allow"),
        ("[::1]:4", "anyone", None, "deny"),
        ("192.168.0.1:4", "anyone", None, "deny"),
        ("192.168.0.1:4", "anyone", "far", "allow"),
        ("unix:17", "local", None, "allow"),
        ("unix:17", "anyone", None, "deny"),
        ("unix", "anyone", "local", "allow"),
    ],
)
def test_the_client_is_found_by_the_recorded_address(peer: str, client: str, taken_for: str | None, now: str) -> None:
    told = {**json.loads(line(stop("web"))), "peer": peer, "client": client}
    under = loads(RUN.format(more="only: {image: any}") + CLIENTS)
    again = judge_again(read(json.dumps(told).encode()), under, client=taken_for)
    assert again.now == now
    assert again.code == (None if now == "allow" else "unknown_client")


# Counting ------------------------------------------------------------------------------------------------------------


def replay(under: Policy, lines: list[bytes]) -> Replay:
    done = Replay(under)
    for each in lines:
        done.feed(each)
    return done


def test_what_changes_is_counted_and_grouped() -> None:
    went_on = line(stop("web"))
    end = went_on.replace(b'"event":"request"', b'"event":"end"')
    refused = judged(stop("web"), NAMED).line
    done = replay(NAMED, [went_on, end, went_on, refused, b"", b"\n", b"rubbish\n", b"{}\n"])
    assert (done.totals.lines, done.totals.calls, done.totals.bad) == (8, 3, 2)
    assert (done.totals.first_bad, done.totals.why_bad) == (7, "no JSON")
    assert dict(done.fates) == {("would_deny", "deny"): 2, ("deny", "deny"): 1}
    ((group, tally),) = done.changes("refused")
    assert group == Group("refused", "anyone", "ContainerStop", "run", ("container",))
    assert (tally.calls, tally.first_line, dict(tally.values)) == (2, 1, {"container: web": 2})
    done = replay(LABELLED, [went_on, refused])
    assert dict(done.fates) == {("would_deny", "allow"): 1, ("deny", "allow"): 1}
    assert [(tally.calls, tally.first_line) for _, tally in done.changes("allowed")] == [(2, 1)]


def test_memory_is_bounded_by_what_is_told_apart() -> None:
    told = json.loads(line(stop("web")))
    lines = []
    for number in range(VALUES + 10):
        told["asks"] = [{"kind": "container", "value": f"web-{number}", "where": "path", "labels": {}}]
        lines.append(json.dumps(told).encode())
    ((_, tally),) = replay(NAMED, lines).changes("refused")
    assert (tally.calls, len(tally.values)) == (VALUES + 10, VALUES)
    lines = [json.dumps({**told, "client": f"c{number}"}).encode() for number in range(GROUPS + 5)]
    done = replay(NAMED, lines)
    assert (len(done.tallies), done.others) == (GROUPS, 5)


def test_two_calls_that_differ_anywhere_are_not_taken_for_one() -> None:
    told = json.loads(line(stop("web")))
    other = {**told, "asks": [{**told["asks"][0], "value": "ci-1"}]}
    done = replay(NAMED, [json.dumps(each).encode() for each in (told, other, told)])
    assert done.fates["would_deny", "deny"] == 2
    assert done.fates["would_deny", "allow"] == 1


def test_where_clients_are_told_apart_the_peer_decides() -> None:
    under = loads(RUN.format(more="only: {image: any}") + CLIENTS)
    near = line(stop("web"))
    done = replay(under, [near, near.replace(b"172.20.0.4", b"192.168.0.1")])
    assert sorted(done.fates) == [("would_deny", "allow"), ("would_deny", "deny")]


def test_the_table_of_what_is_asked_where_it_is_held_names_rows() -> None:
    from sockproxy.docker.operations import BY_NAME
    from sockproxy.replay import _ASKED_WHERE_HELD

    assert all(name in BY_NAME for names in _ASKED_WHERE_HELD.values() for name in names)
