"""The doctor in front of real engines: nothing to complain of where all is well, and a container's ports as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.proxies import free_port, running

NAME = f"{PREFIX}-doctor"


def doctor(*words: str) -> tuple[int, dict[str, tuple[str, str, str]]]:
    """The exit code, and each check's level, what and fix: the first of that name."""
    clean = {"PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "sockproxy", "doctor", "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=clean, check=False)
    assert done.stderr == ""
    found = reversed(json.loads(done.stdout)["findings"])
    return done.returncode, {each["check"]: (each["level"], each["what"], each["fix"]) for each in found}


def test_a_set_up_that_is_well(engine: Engine, tmp_path: Path) -> None:
    code, found = doctor("--engine", engine.address, "--listen", f"unix://{tmp_path}/proxy.sock", "--admin", "none")
    assert code == 0
    assert not [
        each for check, each in found.items() if each[0] == "problem" or (each[0], check) == ("warning", "clock")
    ]
    assert engine.version in found["engine"][1]
    assert f"to {engine.api} (" in found["api"][1]
    assert found["ping"][0] == "ok"


def test_a_sockproxy_that_runs_and_the_engine_behind_it(engine: Engine) -> None:
    with running(engine.address, "read-only") as proxy:
        code, found = doctor("--client", proxy.address)
        assert (code, found["ping"][1]) == (0, f"sockproxy answers, with API {engine.api}")
        assert f"to {engine.api}, to Docker {engine.version}" in found["version"][1]
        _, found = doctor("--engine", proxy.address, "--listen", "tcp://127.0.0.1:0")
        assert "is another sockproxy" in found["engine"][1]
    code, found = doctor("--client", engine.address)
    assert code == 1
    assert found["ping"][1].startswith("the engine itself answers")


@contextmanager
def container(engine: Engine, port: int, host_config: dict[str, Any]) -> Iterator[str]:
    """A running container that stands for sockproxy's own."""
    body = {
        "Image": IMAGE,
        "Cmd": ["sleep", "600"],
        "Labels": {"sockproxy.test.run": PREFIX},
        "ExposedPorts": {f"{port}/tcp": {}},
        "HostConfig": host_config,
    }
    with engine.client() as client:
        client.post("/containers/create", params={"name": NAME}, json=body).raise_for_status()
        try:
            client.post(f"/containers/{NAME}/start").raise_for_status()
            yield NAME
        finally:
            client.delete(f"/containers/{NAME}", params={"force": "1"})


@pytest.mark.parametrize(
    ("published", "mode", "level", "what"),
    [
        (None, "", "warning", "is open to the network `bridge`"),
        ("0.0.0.0", "", "problem", "is published to the world, at 0.0.0.0:"),
        ("", "", "problem", "is published to the world, at "),
        (None, "host", "problem", "is the host's own (network_mode: host)"),
    ],
    ids=["bridge", "published", "published without an address", "host"],
)
def test_a_port_of_the_own_container(published: str | None, mode: str, level: str, what: str, engine: Engine) -> None:
    port = free_port()
    bindings = {} if published is None else {f"{port}/tcp": [{"HostIp": published, "HostPort": str(free_port())}]}
    with container(engine, port, {"NetworkMode": mode, "PortBindings": bindings}) as name:
        code, found = doctor(
            *("--engine", engine.address, "--own-container", name, "--listen", f"tcp://0.0.0.0:{port}"),
            *("--admin", "none"),
        )
    assert (found["own-container"][0], name in found["own-container"][1]) == ("ok", True)
    assert found["listen"][0] == level
    assert what in found["listen"][1]
    assert code == (1 if level == "problem" else 0)
