"""What the engine gave, sockproxy had asked for; and what is forwarded makes the same object."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import ModuleType

import pytest

from sockproxy.model import JsonObject
from tests.docker.inspecting import inspected, sent
from tests.engine.disposable import Engine
from tests.engine.oracle import powers, services
from tests.engine.oracle.bare import Bare
from tests.engine.oracle.cases import case
from tests.engine.oracle.objects import NOUNS
from tests.engine.oracle.scene import Scene, in_a_swarm, scene
from tests.engine.oracle.silence import HIDDEN
from tests.engine.oracle.trial import EVERYTHING, Tally, Trial
from tests.engine.proxies import running

SEED = int(os.environ.get("SOCKPROXY_ORACLE_SEED") or 1)
"""The same cases in every run, so that a change is what turns one red; another seed, by hand, finds other cases."""
CASES = int(os.environ.get("SOCKPROXY_ORACLE_CASES") or 1500)
SERVICES = CASES // 3
ACCEPTED = 0.6
"""The share of cases that the engine must take: those that it refuses prove nothing."""
THROUGH_A_PROXY = 200


@pytest.fixture(scope="module")
def stage(engine: Engine) -> Iterator[Scene]:
    with scene(engine) as made:
        yield made


def _told(tally: Tally) -> str:
    return f"{tally}\nrun again with SOCKPROXY_ORACLE_SEED={tally.seed}\n\n" + "\n\n".join(tally.failures[:10])


def _check(tally: Tally, stage: Scene, table: ModuleType, *, enough: bool) -> None:
    """No failure, cases that the engine took, and, where there were ``enough``, every power of the table met."""
    print(f"{stage.engine.version}: {tally}")
    assert not tally.failures, _told(tally)
    assert tally.accepted.total() >= ACCEPTED * tally.sent.total(), _told(tally)
    if enough:
        never = table.FIELDS - tally.met
        assert never <= table.unreachable(stage.api), f"never met: {sorted(never)}\n{_told(tally)}"


def test_every_power_was_asked_for_and_forwarding_changes_nothing(stage: Scene) -> None:
    _check(Trial(stage, SEED).run(range(CASES)), stage, powers, enough=CASES >= 1500)


def test_every_power_of_a_service_was_asked_for(stage: Scene) -> None:
    with in_a_swarm(stage) as swarm:
        tally = Trial(swarm, SEED).run(range(SERVICES))
    _check(tally, stage, services, enough=SERVICES >= 500)


def test_running_proxy_makes_the_same_object(stage: Scene) -> None:
    # Other numbers than above: more cases, and the decoding, sending and answering of a real process besides.
    trial = Trial(stage, SEED)
    with running(stage.engine.address, EVERYTHING) as proxy, Bare(proxy.socket) as through:
        for number in range(CASES, CASES + THROUGH_A_PROXY):
            each = case(SEED, number, stage)
            judged = trial.judged(each, held=frozenset())
            straight = trial.made(each, NOUNS[each.noun])
            again = trial.made(each, NOUNS[each.noun], through)
            if judged.forward is None:
                assert again.view is None, each
            elif straight.view is not None:
                trial.tally.compared += 1
                trial.compare(each, straight, again)
    assert not trial.tally.failures, _told(trial.tally)
    assert trial.tally.compared >= THROUGH_A_PROXY // 3


_ROWS: dict[str, tuple[str, JsonObject]] = {
    "container": ("POST /containers/create", {"Image": "x"}),
    "exec": ("POST /containers/web/exec", {"Cmd": ["true"]}),
    "volume": ("POST /volumes/create", {"Name": "v"}),
    "network": ("POST /networks/create", {"Name": "n"}),
    "service": ("POST /services/create", {"Name": "s"}),
}


@pytest.mark.parametrize("field", HIDDEN)
def test_what_no_inspect_shows_is_forwarded(field: str) -> None:
    noun, *path, last = field.split(".")
    row, body = _ROWS[noun]
    value: JsonObject = {last: HIDDEN[field]}
    forwarded = sent(inspected(row, {**body, **({path[0]: value} if path else value)}))
    for each in path:
        forwarded = forwarded[each]
    assert forwarded[last] == HIDDEN[field]
