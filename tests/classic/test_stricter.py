"""The list of what is stricter is whole: nothing is refused for a power that it does not name."""

from __future__ import annotations

import json
import re

import pytest

from sockproxy.classic.migration import policy
from sockproxy.classic.stricter import HELD_BACK, POWERS, ROADS
from sockproxy.classic.variables import migrate
from sockproxy.docker.asks import KINDS
from sockproxy.docker.operations import BY_NAME
from sockproxy.model import Context, Deny
from sockproxy.policy.load import loads
from sockproxy.policy.review import review
from sockproxy.rehearse import verdict_on
from tests.classic.table import EVERY_SECTION, SETTINGS, name
from tests.test_every_row import SAMPLES

EVERYTHING = migrate({**EVERY_SECTION, "POST": "1"})
POLICY = loads(policy(EVERYTHING))
KINDS_OF_ANY = {"field", "query"}
"""What sockproxy does not know may stand in any request: the list says so of all."""


def test_the_table_speaks_of_rows_and_kinds_that_there_are() -> None:
    for rows, kinds, _ in POWERS:
        assert set(rows.split()) <= set(BY_NAME)
        assert all(KINDS[kind].section == "grant" for kind in kinds.split())
    assert set(BY_NAME) >= HELD_BACK


@pytest.mark.parametrize("operation", sorted(SAMPLES))
def test_what_is_refused_is_listed(operation: str) -> None:
    row, sample = BY_NAME[operation], SAMPLES[operation]
    verdict = verdict_on(
        row.method,
        sample.target,
        dict(sample.headers),
        None if sample.body is None else json.dumps(sample.body).encode(),
        policy=POLICY,
        context=Context(engine_version=POLICY.api_max),
    )
    listed = {kind for rows, kinds, _ in POWERS if operation in rows.split() for kind in kinds.split()}
    match verdict:
        case Deny(code="no_rule" | "malformed" | "unknown_operation"):
            assert operation in HELD_BACK
        case Deny(refused=refused):
            assert {ask.kind for ask in refused} <= listed | KINDS_OF_ANY
        case _:
            assert operation not in HELD_BACK


def roads(operations: set[str]) -> tuple[str, ...]:
    """The roads to the host of a policy that allows these rows and grants nothing."""
    rows = "".join(f"      - {BY_NAME[name].method} {BY_NAME[name].template}\n" for name in sorted(operations))
    return review(loads(f"version: 1\nrules:\n  - id: rows\n    allow:\n{rows}")).roads


def test_rows_that_are_a_road_by_themselves_are_held_back() -> None:
    assert roads(set(BY_NAME) - HELD_BACK) == ()
    for operation in ("SwarmInspect", "SwarmJoin"):
        assert roads({operation})
        assert operation in ROADS


@pytest.mark.parametrize("setting", SETTINGS, ids=name)
def test_no_derived_policy_has_a_road_to_the_host(setting: tuple[str, dict[str, str]]) -> None:
    assert review(loads(policy(migrate(setting[1])))).roads == ()


@pytest.mark.parametrize("setting", SETTINGS, ids=name)
def test_what_is_commented_out_loads_once_it_is_taken_in(setting: tuple[str, dict[str, str]]) -> None:
    text = policy(migrate(setting[1]))
    taken_in = re.sub(r"(?m)^    # (?=grant:|  [a-z-]+: )", "    ", text)
    loads(taken_in)
    assert ("    # grant:" in text) == (taken_in != text)
