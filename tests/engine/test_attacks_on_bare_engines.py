"""Every attack of the corpus works on an engine that nothing stands in front of, and none gets through sockproxy.

Through sockproxy each is refused, and nothing but look-ups reaches the engine. On the bare engine each is answered as its
line says, and where a line says more than a status the engine shows that the power was given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.corpus import POLICY, Line, attacks, nonsense, spell, spelled
from tests.engine.attacks import Stage, answered, contains, staged, unowned
from tests.engine.disposable import Engine
from tests.engine.forwarder import Forwarder, forwarding
from tests.engine.proxies import Proxy, running

LOOK_UP = re.compile(
    r"(GET|HEAD) (/v[\d.]+)?/(_ping|version|info|(containers|exec|images)/[^?]+/json|(networks|volumes)/[^/?]+)"
    r"|HEAD /containers/[0-9a-f]{64}/archive"  # where a path in a container leads; a client's has a version
)
"""What sockproxy may ask an engine about a request that it then refuses."""


@pytest.fixture(scope="module")
def stage(engine: Engine) -> Iterator[Stage]:
    with staged(engine) as stage:
        yield stage


@dataclass(frozen=True)
class Guarded:
    """The engine behind sockproxy under the corpus' policy, with a forwarder between them that sees what gets through."""

    stage: Stage
    proxy: Proxy
    forwarder: Forwarder


@pytest.fixture(scope="module")
def guarded(stage: Stage) -> Iterator[Guarded]:
    stage.ready(Line("", "", "GET", "/$own"))
    with (
        forwarding(stage.engine.socket) as forwarder,
        running(forwarder.address, POLICY, "--own-container", stage.names["own_id"]) as proxy,
    ):
        yield Guarded(stage, proxy, forwarder)


@pytest.mark.parametrize("line", [*attacks(), *nonsense()], ids=lambda line: line.id)
def test_sockproxy_refuses_it(line: Line, guarded: Guarded) -> None:
    stage = guarded.stage
    stage.ready(line, looked_at=True)
    before = len(guarded.forwarder.requests)
    status, body = answered(guarded.proxy.socket, stage.request(line))
    assert 400 <= status < 500, (status, body[:300])
    if line.method != "HEAD":
        assert json.loads(body)["message"].isprintable()
    passed = guarded.forwarder.requests[before:]
    assert all(LOOK_UP.fullmatch(request.partition("?")[0]) for request in passed), passed


@pytest.mark.parametrize("line", [line for line in attacks() if line.bare], ids=lambda line: line.id)
def test_bare_engine_takes_it(line: Line, stage: Stage) -> None:
    bare = line.bare
    assert bare is not None
    if bare.on and bare.on != stage.suite:
        pytest.skip(f"only {bare.on}'s engine takes it")
    if not line.file.startswith("h-"):
        stage.leave_swarm()
    unowned(stage, line)
    stage.ready(line)
    seen = len(stage.fetches())
    body = b""
    try:
        status, body = answered(stage.engine.socket, stage.request(line), spell(bare.says, stage.names))
        assert not bare.status or status == bare.status, (status, body[:600])
        assert spell(bare.says, stage.names).encode() in body, body[:600]
        if bare.shows is not None:
            shown = _inspect(line, body, stage)
            wanted = spelled(bare.shows, stage.names)
            assert contains(shown, wanted), {key: shown.get(key) for key in wanted} | {"message": shown.get("message")}
        if bare.fetches:
            assert bare.fetches in [path.partition("?")[0] for path in stage.fetches()[seen:]], stage.fetches()[seen:]
    finally:
        stage.clear(line, body)
        stage.spoil(bare.spoils)


@pytest.mark.parametrize("line", nonsense(), ids=lambda line: line.id)
def test_bare_engine_does_not_take_it_either(line: Line, stage: Stage) -> None:
    stage.ready(line)
    status, body = answered(stage.engine.socket, stage.request(line))
    stage.clear(line, body)
    assert status >= 300, (status, body[:600])


def _inspect(line: Line, body: bytes, stage: Stage) -> Any:
    """The inspect of what was made."""
    made: dict[str, Any] = {}
    with suppress(ValueError):
        made = json.loads(body)
    path = line.target.partition("?")[0]
    if line.bare is not None and line.bare.at:
        at = spell(line.bare.at, stage.names)
    elif path.endswith("/exec"):
        at = f"/exec/{made['Id']}/json"
    elif path.endswith("/networks/create"):
        at = f"/networks/{made['Id']}"
    elif path.endswith("/volumes/create"):
        at = f"/volumes/{made['Name']}"
    else:
        at = f"/containers/{made['Id']}/json"
    return stage.client.get(at).json()
