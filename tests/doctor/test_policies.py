"""The policy: whether it loads, whether it refuses anything, and where it leads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sockproxy.doctor import Scene
from sockproxy.proxy.server import Settings
from tests.doctor.conftest import said

Machine = Callable[..., Scene]
BIND = "rules: [{id: run, allow: POST /containers/create, grant: {bind: /srv/**}}]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extends: read-only", "ok: `p` has no road to the host -> "),
        (BIND, "warning: `p` has a road to the host: {}:2: rule `run` grants `bind: /srv/**`, writable"),
        (BIND.replace("/srv/**", "[/etc, /srv/**]"), "warning: `p` has 2 roads to the host: {}:2: rule `run`"),
        ("rulez: []", "problem: {}:"),
        ("rules: [{id: a, alow: x}]", "problem: {}:"),
    ],
)
def test_what_there_is_to_know_of_a_policy(text: str, expected: str, folder: Path, machine: Machine) -> None:
    (folder / "p.yaml").write_text(f"version: 1\n{text}\n", encoding="utf-8")
    told = said("policy", Settings(engine="unix:///no", policy=f"{folder}/p.yaml"), machine())
    assert told.startswith(expected.replace("{}", f"{folder}/p.yaml"))
    if not expected.startswith("ok"):
        assert f"sockproxy check {folder}/p.yaml" in told.partition(" -> ")[2]


def test_a_policy_that_is_nowhere(machine: Machine) -> None:
    told = said("policy", Settings(engine="unix:///no", policy="raed-only"), machine())
    assert told.startswith("problem: raed-only: no such preset, and no such file (did you mean read-only?)")


@pytest.mark.parametrize(
    ("text", "asked", "observes"),
    [("mode: observe", False, True), ("mode: enforce", False, False), ("mode: enforce", True, True)],
)
def test_a_policy_that_refuses_nothing(text: str, asked: bool, observes: bool, folder: Path, machine: Machine) -> None:
    (folder / "p.yaml").write_text(f"version: 1\nextends: read-only\n{text}\n", encoding="utf-8")
    told = said("mode", Settings(engine="unix:///no", policy=f"{folder}/p.yaml", observe=asked), machine())
    assert bool(told) is observes


def test_links_that_are_seen_are_no_road(folder: Path, machine: Machine) -> None:
    (folder / "p.yaml").write_text(f"version: 1\n{BIND.replace('/srv/**}', '/srv/**}, only: {restart: none}')}\n")
    seen = Settings(engine="unix:///no", policy=f"{folder}/p.yaml", host_root="/")
    assert said("policy", seen, machine()).startswith("ok: ")
