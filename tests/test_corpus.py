"""The corpus under a typical CI policy: every attack is refused, for the reason that its line gives; every call of a
real client passes.

Here each is judged purely, with what the scene's engine would answer to look-ups. That the attacks work on an engine
that nothing stands in front of is tried in ``tests/engine/test_attacks_on_bare_engines.py``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sockproxy.model import Allow, Deny
from sockproxy.policy.load import Policy, load
from tests.corpus import (
    CLASSES,
    PEERS,
    POLICY,
    Call,
    Line,
    attacks,
    legitimate,
    nonsense,
    pure_names,
    spell,
    spelled,
)
from tests.recording import attack, call, judged

NAMES = pure_names()
JUDGED = [line for line in (*attacks(), *nonsense()) if not line.edge]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(POLICY)


@pytest.mark.parametrize("line", JUDGED, ids=lambda line: line.id)
def test_every_attack_is_refused(line: Line, policy: Policy) -> None:
    result = judged(attack(line), policy).verdict
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
    result = judged(call(sent), policy).verdict
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
