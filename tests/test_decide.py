"""The decision: default deny, deny beats allow, order means nothing, one rule alone covers every ask."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.decide import ALWAYS, decide
from sockproxy.docker.operations import BY_NAME
from sockproxy.model import Allow, Ask, Deny, Forward
from sockproxy.policy.load import Policy, loads

CREATE = BY_NAME["ContainerCreate"]
FORWARD = Forward("POST", "/v1.41/containers/create")
BIND = Ask("bind", "/srv/ci/a", "HostConfig.Binds[0]")
ROOT = Ask("bind", "/", "HostConfig.Binds[1]")
PRIVILEGED = Ask("privileged", "container", "HostConfig.Privileged")
MEMORY = Ask("limit", "memory", "HostConfig.Memory", amount=2**30)


def policy(*rules: str) -> Policy:
    return loads("version: 1\nname: p\nrules:\n" + "\n".join(f"  - {rule}" for rule in rules))


def verdict(a_policy: Policy, *asks: Ask) -> Allow | Deny:
    return decide(CREATE, asks, FORWARD, a_policy, None)


RUN = "{id: run, allow: POST /containers/create, grant: {bind: /srv/ci/**}}"
ROOTED = "{id: rooted, allow: POST /containers/create, grant: {privileged: any}}"
NEVER = "{id: never, deny: POST /containers/create, because: not here}"
NO_ROOT = "{id: no-root, deny: POST /containers/create, asking: {bind: /}}"


def test_nothing_is_allowed_that_no_rule_allows() -> None:
    denied = verdict(policy("{id: a, allow: GET /info}"))
    assert isinstance(denied, Deny)
    assert (denied.code, denied.status) == ("no_rule", 403)
    assert "POST /containers/create" in denied.fix


def test_what_no_rule_allows_lacks_only_powers() -> None:
    free = (Ask("image", "docker.io/library/x:latest", "Image"), Ask("limit", "memory", "HostConfig.Memory"))
    plain = Ask("capability", "CHOWN", "HostConfig.CapAdd[0]", plain=True)
    denied = verdict(policy("{id: a, allow: GET /info}"), *free, plain, PRIVILEGED)
    assert isinstance(denied, Deny)
    assert denied.refused == (PRIVILEGED,)


def test_a_rule_covers_what_it_grants_and_no_more() -> None:
    assert isinstance(verdict(policy(RUN), BIND), Allow)
    denied = verdict(policy(RUN), BIND, ROOT)
    assert isinstance(denied, Deny)
    assert denied.refused == (ROOT,)
    assert (denied.code, denied.rule) == ("ask_refused", "run")


def test_one_rule_alone_must_cover_every_ask() -> None:
    assert isinstance(verdict(policy(RUN, ROOTED), BIND), Allow)
    assert isinstance(verdict(policy(RUN, ROOTED), PRIVILEGED), Allow)
    assert isinstance(verdict(policy(RUN, ROOTED), BIND, PRIVILEGED), Deny)


def test_a_deny_beats_every_allow() -> None:
    denied = verdict(policy(RUN, ROOTED, NEVER), BIND)
    assert isinstance(denied, Deny)
    assert (denied.code, denied.rule) == ("denied_by_rule", "never")
    assert "not here" in denied.message


def test_a_deny_that_is_asking_refuses_only_what_it_asks() -> None:
    all_binds = "{id: all, allow: POST /containers/create, grant: {bind: /**}}"
    assert isinstance(verdict(policy(all_binds, NO_ROOT), BIND), Allow)
    denied = verdict(policy(all_binds, NO_ROOT), BIND, ROOT)
    assert isinstance(denied, Deny)
    assert denied.refused == (ROOT,)


def test_ping_and_version_are_allowed_unless_denied() -> None:
    ping = BY_NAME["SystemPing"]
    forward = Forward("GET", "/_ping")
    allowed = decide(ping, (), forward, policy(RUN), None)
    assert isinstance(allowed, Allow)
    assert allowed.rule == ALWAYS
    assert isinstance(decide(ping, (), forward, policy("{id: n, deny: GET /_ping}"), None), Deny)
    assert isinstance(decide(ping, (Ask("query", "x", "?x"),), forward, policy(RUN), None), Deny)


def test_what_cannot_be_granted_is_not() -> None:
    everything = "{id: all, allow: POST /containers/create, grant: {field: any}, only: {container: any}}"
    own = Ask("container", "sockproxy", "path", grantable=False)
    denied = verdict(policy(everything), own)
    assert isinstance(denied, Deny)
    assert denied.fix == ""
    assert "no policy can allow it" in denied.message


def test_a_denial_for_whose_a_thing_is_says_so() -> None:
    denied = verdict(
        policy("{id: a, allow: POST /containers/create, only: {container: ci-*}}"), Ask("container", "db", "path")
    )
    assert isinstance(denied, Deny)
    assert denied.code == "not_owner"


def test_a_message_is_one_line_whatever_was_asked() -> None:
    evil = Ask("bind", "/srv\n\x1b[2J\u202e/x", "HostConfig.Binds[0]")
    denied = verdict(policy(RUN), evil)
    assert isinstance(denied, Deny)
    assert denied.message.isprintable()


rules = st.lists(st.sampled_from([RUN, ROOTED, NO_ROOT, NEVER]), unique=True, min_size=1)
asks = st.lists(st.sampled_from([BIND, ROOT, PRIVILEGED, MEMORY]), unique=True)


@given(rules, asks)
def test_the_order_of_rules_and_asks_means_nothing(chosen: list[str], asked: list[Ask]) -> None:
    verdicts = {type(verdict(policy(*order), *asked)) for order in itertools.permutations(chosen)} | {
        type(verdict(policy(*chosen), *order)) for order in itertools.permutations(asked)
    }
    assert len(verdicts) == 1


@given(rules, asks)
def test_asking_for_more_never_helps(chosen: list[str], asked: list[Ask]) -> None:
    a_policy = policy(*chosen)
    if isinstance(verdict(a_policy, *asked), Deny):
        for more in (BIND, ROOT, PRIVILEGED, MEMORY):
            assert isinstance(verdict(a_policy, *asked, more), Deny)


@pytest.mark.parametrize("denial", [NEVER, NO_ROOT])
@given(rules, asks)
def test_a_deny_only_ever_takes_away(denial: str, chosen: list[str], asked: list[Ask]) -> None:
    if denial in chosen:
        return
    if isinstance(verdict(policy(*chosen), *asked), Deny):
        assert isinstance(verdict(policy(*chosen, denial), *asked), Deny)
