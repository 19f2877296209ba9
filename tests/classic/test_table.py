"""The derived policies give what HAProxy gives, but for what their own list calls stricter: no more, no less."""

from __future__ import annotations

import json
import re
from typing import cast

import pytest

from sockproxy.classic.migration import Migration, policy
from sockproxy.classic.variables import Dialect, migrate, switches
from sockproxy.model import Allow, Context
from sockproxy.policy.load import loads
from sockproxy.rehearse import verdict_on
from tests.classic import haproxy
from tests.classic.table import CALLS, SETTINGS, Call, name

Setting = tuple[str, dict[str, str]]
every_setting = pytest.mark.parametrize("setting", SETTINGS, ids=name)


def test_the_table_is_a_large_one() -> None:
    assert len(CALLS) >= 60
    assert len(SETTINGS) >= 12
    assert {dialect for dialect, _ in SETTINGS} == {"tecnativa", "tecnativa-edge", "linuxserver"}


def migrated(setting: Setting) -> Migration:
    return migrate(setting[1], cast("Dialect", setting[0]))


def listed(call: Call, migration: Migration) -> bool:
    """Whether the migration says that it is stricter about this call."""
    for entry in migration.stricter:
        match entry.sort:
            case "form":
                found = entry.what == call.form
            case "row":
                found = call.row in entry.operations
            case "power":
                found = call.power and call.row in entry.operations
        if found:
            return True
    return False


@every_setting
def test_the_verdicts_are_haproxys_save_what_is_listed_as_stricter(setting: Setting) -> None:
    migration = migrated(setting)
    judged = loads(policy(migration))
    wrong = []
    for call in CALLS:
        verdict = verdict_on(
            call.method,
            call.target,
            dict(call.headers),
            None if call.body is None else json.dumps(call.body).encode(),
            policy=judged,
            context=Context(engine_version=judged.api_max),
        )
        expected = haproxy.allows(*setting, call.method, call.target) and not listed(call, migration)
        if isinstance(verdict, Allow) is not expected:
            wrong.append(f"{call}: expected {'allowed' if expected else 'refused'}, but {verdict}")
    assert not wrong, "\n".join(wrong)


@every_setting
def test_what_is_stricter_stands_in_the_policy(setting: Setting) -> None:
    migration = migrated(setting)
    unwrapped = re.sub(r"\n# {3}", " ", policy(migration))
    for entry in migration.stricter:
        assert f"# * {entry}\n" in unwrapped


@every_setting
def test_variables_tell_whose_they_are_where_they_can(setting: Setting) -> None:
    told = switches(setting[1]).dialect
    assert told == setting[0] or (setting[0], told) == ("linuxserver", "tecnativa")
