"""What the tests of the dry run share: a client that starts quickly, and a way to run it dry."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sockproxy.dryrun import DryRun, Scene, dry_run
from sockproxy.model import JsonObject
from sockproxy.policy.load import loads

CLIENT = (sys.executable, str(Path(__file__).with_name("client.py")))
"""Its arguments are calls; see there."""

EVERYTHING = """\
version: 1
mode: observe
"""
"""A policy that has no rule: every call but a ping is refused."""

NARROW = """\
version: 1
name: narrow
rules:
  - id: run
    allow:
      - POST /containers/create
      - POST /containers/{id}/start|stop|wait|exec
      - POST /exec/{id}/start
      - GET /containers/{id}/json
      - DELETE /containers/{id}
    grant: {bind: /srv/**}
    only: {container: [ci-*, label=team=a]}
  - id: never
    deny: [ANY /swarm/**]
"""

Calls = Callable[..., DryRun]


@pytest.fixture
def calls() -> Calls:
    """``calls("GET /info", policy=…, told=…)``: run a client that makes these calls, dry."""

    def run(*asked: str, policy: str = NARROW, told: dict[str, JsonObject] | None = None, **more: Any) -> DryRun:
        scene = Scene(
            told=told or {}, **{key: more.pop(key) for key in ("version", "engine", "host_root") if key in more}
        )
        return dry_run((*CLIENT, *asked), policy=loads(policy), client=None, scene=scene, **more)

    return run


def answers(run: DryRun) -> list[tuple[int, str]]:
    """Each answer's status and body."""
    lines = [line.split(" ", 2) for line in run.ended.output.splitlines()]
    return [(int(line[0]), line[2] if len(line) > 2 else "") for line in lines]


def refused(run: DryRun) -> list[list[str]]:
    """What was refused of each call."""
    from sockproxy.dryrun import denial

    found = [denial(call.verdict) for call in run.calls]
    return [[str(ask) for ask in denied.refused] if denied is not None else [] for denied in found]
