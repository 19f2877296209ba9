"""Every preset, in front of a real engine: its client works through it, and gets no more than it says.

What clients send that cannot be had here was recorded (``recordings.py``); ``sessions.yaml`` is what people and programs do
with the docker command; the other clients that can be had are in ``test_preset_clients.py``. Under each preset something is
tried that it refuses, too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from sockproxy.policy import presets
from tests.engine.disposable import IMAGE, Engine
from tests.engine.docker_cli import Docker
from tests.engine.proxies import Proxy
from tests.engine.recordings import Recording, recordings, replay, set_up

Behind: TypeAlias = Callable[[str], Proxy]

SESSIONS: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("sessions.yaml").read_text("utf-8"))
CLIENTS = {"buildx-builder", "compose-deployer", "swarm-viewer"}
"""Presets whose client is in ``test_preset_clients.py`` alone."""


def test_every_preset_is_tried() -> None:
    assert {recording.preset for recording in recordings()} | SESSIONS.keys() | CLIENTS == set(presets.names())


@pytest.mark.parametrize("recording", recordings(), ids=lambda recording: recording.name)
def test_recorded_calls_pass_and_others_do_not(recording: Recording, engine: Engine, behind: Behind) -> None:
    proxy = behind(recording.preset)
    with set_up(recording, engine) as names:
        for step in recording.calls:
            status = replay(step, proxy.socket, names)
            assert (status == step.status) if step.status else (status < 400), (step.call, status, proxy.records()[-2:])
        for step in recording.refused:
            assert replay(step, proxy.socket, names) == 403, step.call
            assert proxy.records()[-1]["verdict"] == "deny"


@pytest.mark.parametrize("preset", SESSIONS)
def test_the_docker_command_works_and_does_no_more(
    preset: str, engine: Engine, behind: Behind, docker: Callable[..., Docker], tmp_path: Path
) -> None:
    session = SESSIONS[preset]
    proxy = behind(_extended(preset, session["extended"], tmp_path) if "extended" in session else preset)
    bare, client = docker(engine.cli, engine.address), docker(engine.cli, proxy.address)
    client.name = bare.name

    def lines(key: str) -> list[str]:
        return [line.replace("{image}", IMAGE) for line in session.get(key, ())]

    with engine.swept(*map(client.spell, lines("folders"))):
        for line in lines("bare"):
            bare(line)
        for line in lines("works"):
            client(line)
        for line in lines("refused"):
            said = client(line, status=None)
            assert said.status, str(said)
            assert "sockproxy: " in said.out + said.err, str(said)
        for line in lines("leaves"):
            client(line)


def _extended(preset: str, extension: str, folder: Path) -> str:
    """A file that extends the preset, without its suffix."""
    (folder / "mine.yaml").write_text(f"version: 1\nname: mine\nextends: {preset}\n{extension}")
    return str(folder / "mine")
