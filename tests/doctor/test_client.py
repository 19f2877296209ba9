"""From the client's side: what is answered by a sockproxy that runs, by the bare engine, and by somebody else."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sockproxy.doctor import Scene, examine_client
from tests.cli.conftest import Spawn, spawn  # noqa: F401 - a fixture
from tests.doctor.conftest import Engine, listening

Machine = Callable[..., Scene]
Run = Callable[[str], str]


def told(address: str, scene: Scene) -> list[str]:
    return [f"{each.level} {each.check}: {each.what} -> {each.fix}" for each in examine_client(address, scene)]


@pytest.fixture
def run(daemon: Engine, folder: Path, spawn: Spawn) -> Run:  # noqa: F811
    """Start sockproxy with a policy, and say where it listens."""

    def start(policy: str) -> str:
        (folder / "p.yaml").write_text(f"version: 1\nextends: read-only\n{policy}\n", encoding="utf-8")
        address = f"unix://{folder}/proxy.sock"
        process = spawn(
            *("run", "--engine", daemon.address, "--policy", str(folder / "p.yaml"), "--listen", address),
            *("--admin", "none", "--audit", "/dev/null"),
        )
        assert process.stderr is not None
        while "listening on" not in process.stderr.readline():
            assert process.poll() is None
        return address

    return start


def test_a_client_can_begin(run: Run, machine: Machine) -> None:
    address = run('api: {max: "1.45"}')
    assert told(address, machine()) == [
        f"ok connect: {address} can be opened by user {os.geteuid()} -> ",
        "ok ping: sockproxy answers, with API 1.45 -> ",
        "ok version: a client can speak API 1.24 to 1.45, to Docker 28.5.2 -> ",
    ]


@pytest.mark.parametrize(
    ("policy", "what", "fix"),
    [
        (
            "clients: [{name: other, unix-user: 4100, rules: all}]",
            "problem ping: sockproxy knows no such client: sockproxy: ",
            f"in sockproxy's policy: clients: [{{name: NAME, unix-user: {os.geteuid()}, rules: all}}]",
        ),
        (
            "rules: [{id: quiet, deny: GET /_ping}]",
            "problem ping: sockproxy: rule `quiet` denies GET /_ping",
            "take /_ping out of that rule's `deny`",
        ),
        (
            "rules: [{id: quiet, deny: GET /version}]",
            "warning version: sockproxy: rule `quiet` denies GET /version",
            "take /version out of that rule's `deny`",
        ),
    ],
)
def test_a_client_cannot_begin(policy: str, what: str, fix: str, run: Run, machine: Machine) -> None:
    last = told(run(policy), machine())[-1]
    assert last.startswith(what)
    assert last.endswith(f" -> {fix}")


def test_the_engine_is_away(run: Run, daemon: Engine, machine: Machine) -> None:
    address = run("")
    daemon.close()
    daemon.path.unlink()
    last = told(address, machine())[-1]
    assert last.startswith("problem ping: sockproxy: cannot ")
    assert last.endswith("sockproxy doctor, where sockproxy runs, says why")


def test_the_engine_itself_answers(daemon: Engine, machine: Machine) -> None:
    connected, ping = told(daemon.address, machine())
    assert connected.startswith("ok connect: ")
    assert ping.startswith(f"problem ping: the engine itself answers at {daemon.address}, not sockproxy: whoever can")


def test_somebody_else_answers(daemon: Engine, machine: Machine) -> None:
    daemon.headers = {"Server": "nginx"}
    assert told(daemon.address, machine())[-1].startswith(
        f"problem ping: {daemon.address} is answered by neither sockproxy nor an engine (status 200)"
    )


def test_nobody_answers(folder: Path, machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    assert told(address, machine())[0].startswith(f"problem connect: {address}: Connection refused")
    listening(folder / "left.sock").close()
    assert "nobody listens there" in told(f"unix://{folder}/left.sock", machine())[0]
    assert told("tcp://no-such-host.invalid:2375", machine())[0].startswith(
        "problem connect: tcp://no-such-host.invalid"
    )
