"""The reading against recordings of docker compose 2.40.3, call for call (``record.py`` makes them).

A recording ends where compose or the engine failed, as where no GPU is there: so what was sent must be read, and only
where all came up must it be all.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from sockproxy.compose import calls, read
from sockproxy.model import Version
from tests.compose.recording import RECORDED, comparable, options, scenes

ENDED_EARLY = {"everything", "layers", "limits", "namespaces", "newest", "pulling"}
"""Where the engine, or compose itself, refused something on the way, for want of hardware or of privilege."""
CASES = [(scene, path.stem) for scene in scenes() for path in sorted((RECORDED / scene).glob("api-*.json"))]
CASES = [(scene, path.stem) for scene in scenes() for path in sorted((RECORDED / scene).glob("api-*.json"))]
COMPLETE = {
    "building": {"api-1.41", "api-1.51"},
    "copies": {"api-1.41", "api-1.51"},
    "namespaces": {"api-1.51"},
}
"""Where all came up, so that nothing more may be read than what was sent."""


def told(scene: str, version: Version) -> list[dict[str, Any]]:
    folder, said = RECORDED / scene, options(scene)
    project = read(
        folder / "compose.yaml",
        environment={"HOME": str(folder / "home"), **said.get("environment", {})},
        profiles=said.get("profiles", ()),
    )
    found = calls(project, api_version=version)
    return comparable([(call.method, call.target, call.body) for call in found], folder=folder)


@pytest.mark.parametrize(("scene", "file"), CASES)
def test_what_compose_sent_is_what_is_read(scene: str, file: str) -> None:
    recorded = json.loads((RECORDED / scene / f"{file}.json").read_text())
    major, minor = file.removeprefix("api-").split(".")
    read_here = told(scene, (int(major), int(minor)))
    assert [call for call in recorded if call not in read_here] == []
    starts = [call for call in read_here if call["target"].endswith("/start") and "body" not in call]
    if all(call in recorded for call in starts):
        assert [call for call in read_here if call not in recorded] == []
    else:
        assert scene in ENDED_EARLY


def test_the_scenes_are_there() -> None:
    assert {scene for scene, _ in CASES} > ENDED_EARLY
