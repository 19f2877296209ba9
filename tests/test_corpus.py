"""The corpus under a typical CI policy: every attack is refused, for the reason that its line gives; every call of a
real client passes.

Here each is judged purely, with what the scene's engine would answer to look-ups. That the attacks work on an engine
that nothing stands in front of is tried in ``tests/engine/test_attacks_on_bare_engines.py``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sockproxy.errors import Refusal
from sockproxy.judge import call, early, judge, recognise, refusal
from sockproxy.model import STAT, Absent, Allow, Context, Deny, JsonObject, Missing, Needs
from sockproxy.policy.load import Policy, load
from tests.corpus import (
    CLASSES,
    PEERS,
    POLICY,
    Call,
    Line,
    attacks,
    identity,
    legitimate,
    nonsense,
    pure_facts,
    pure_names,
    spell,
    spelled,
)

NAMES = pure_names()
FACTS = pure_facts()
JUDGED = [line for line in (*attacks(), *nonsense()) if not line.edge]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(POLICY)


def facts_of(line: Line) -> dict[str, JsonObject | Missing]:
    facts: dict[str, JsonObject | Missing] = dict(FACTS)
    return facts | {spell(path, NAMES): Missing(404, "no such thing") for path in line.missing}


def verdict(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | None,
    policy: Policy,
    facts: Mapping[str, JsonObject | Missing],
) -> Deny | Allow | Absent:
    context = Context(engine_version=(1, 51), own_container=identity("own"))
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    try:
        request, operation, params = recognise(method.encode(), target.encode(), raw)
        if (denied := early(request, operation, policy, context, None)) is not None:
            return denied
        streamed = operation.body in ("tar", "stream") and request.header("content-type") != "application/json"
        the_call = call(request, operation, params, None if streamed else body, policy, context)
        for _ in range(6):
            result = judge(the_call, policy, context, None)
            if not isinstance(result, Needs):
                return result
            known = {path: facts.get(path, _unknown(path)) for path in result.paths}
            context = replace(context, facts={**context.facts, **known})
    except Refusal as error:
        return refusal(error)
    raise AssertionError("look-ups without end")


def _unknown(path: str) -> JsonObject | Missing:
    """What the scene has not: a network or volume of that name is there, and a container or an id is not."""
    if path.startswith(STAT):
        return {}  # no link, wherever one looks
    noun, name = path.split("/")[1:3]
    if noun == "networks" and re.fullmatch("[0-9a-f]+", name) is None:
        return {"Name": name, "Id": identity(name)}
    if noun == "volumes":
        return {"Name": name, "Driver": "local"}
    return Missing(404, "no such thing")


@pytest.mark.parametrize("line", JUDGED, ids=lambda line: line.id)
def test_every_attack_is_refused(line: Line, policy: Policy) -> None:
    body = line.payload(NAMES)
    result = verdict(line.method, spell(line.target, NAMES), line.sent_headers(body), body, policy, facts_of(line))
    assert isinstance(result, Deny), result
    assert result.message.isprintable()
    if line.code:
        assert result.code == line.code, result.message
    if line.asks:
        refused = {str(ask) for ask in result.refused}
        assert refused & set(spelled(list(line.asks), NAMES)), (refused, result.message)
        assert result.status == 403
    if line.own:
        assert any(not ask.grantable for ask in result.refused), result.message


def test_there_are_attacks_of_every_class_and_every_mistake_of_others() -> None:
    lines = attacks()
    assert len(lines) >= 300
    per_class = Counter(line.kind for line in lines)
    assert per_class.keys() == CLASSES.keys()
    assert all(count >= 3 for count in per_class.values()), per_class
    assert {line.peer for line in lines if line.kind == "peer"} == PEERS.keys()
    for every in (lines, (*lines, *nonsense())):
        names = [line.id for line in every]
        assert len(names) == len(set(names))


def test_nearly_every_attack_can_be_tried_on_a_bare_engine() -> None:
    lines = attacks()
    untried = [line for line in lines if line.bare is None]
    assert len(untried) <= len(lines) // 20
    assert all(line.why for line in untried)
    for line in lines:
        if line.bare is not None:
            # It succeeded, or made the engine ask where the attacker wants it to.
            asked = line.bare.fetches or line.bare.says.startswith("dial tcp ")
            assert 0 < line.bare.status < 300 or asked, line.id


@pytest.mark.parametrize("line", [*attacks(), *nonsense()], ids=lambda line: line.id)
def test_a_line_says_why_it_is_refused(line: Line) -> None:
    assert line.asks or line.code or line.own or line.edge


@pytest.mark.parametrize("sent", legitimate(), ids=lambda sent: sent.id)
def test_every_call_of_a_real_client_passes(sent: Call, policy: Policy) -> None:
    target = spell(sent.target, NAMES)
    result = verdict(sent.method, target, sent.headers, sent.body, policy, FACTS)
    assert isinstance(result, Allow), result


def test_there_are_calls_of_many_clients() -> None:
    calls = legitimate()
    assert len(calls) >= 60
    assert len({sent.client for sent in calls}) >= 8
    names = [sent.id for sent in calls]
    assert len(names) == len(set(names))


def test_the_scene_has_everything_that_lines_name() -> None:
    unknown: dict[str, Any] = {}
    for line in (*attacks(), *nonsense()):
        for text in (line.target, line.body or "", *line.headers.values(), *(line.tar or {}).values(), *line.asks):
            try:
                spell(text, NAMES)
            except (KeyError, ValueError) as error:
                unknown[line.id] = error
    assert not unknown
