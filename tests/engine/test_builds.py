"""Builds by BuildKit: through `/session` and `/build` as the command of 20.10 does, through `/grpc` as buildx does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.conversation import held_twice, with_context
from tests.engine.disposable import Engine, discover
from tests.engine.docker_cli import Docker
from tests.engine.proxies import Proxy


def cli_of(version: str) -> Path:
    """The docker command of that version, of whichever engine has it."""
    for engine in discover().engines:
        if engine.version.startswith(version):
            return engine.cli
    pytest.skip(f"needs the docker command of {version}, which comes with an engine of that version")


def by_session(docker: Docker) -> None:
    docker.variables |= {"DOCKER_BUILDKIT": "1"}
    with_context(docker, "build --quiet {labels} --build-arg A=1 -t {n}:built .")
    docker("run --rm --name {n} {n}:built")
    docker("rmi {n}:built")


def by_grpc(docker: Docker) -> None:
    with_context(docker, "buildx build --quiet {labels} --build-arg A=1 -t {n}:built .")
    docker("run --rm --name {n} {n}:built")
    docker("rmi {n}:built")


def test_buildkit_by_session_and_build(
    engine: Engine, docker: Callable[..., Docker], proxy_for: Callable[[Engine, str], Proxy]
) -> None:
    cli = cli_of("20.10")
    held_twice(by_session, lambda address: docker(cli, address), engine, proxy_for(engine, "work"))


def test_buildx_by_grpc(
    engine: Engine, docker: Callable[..., Docker], proxy_for: Callable[[Engine, str], Proxy]
) -> None:
    cli = cli_of("28")
    held_twice(by_grpc, lambda address: docker(cli, address), engine, proxy_for(engine, "buildx"))


def test_buildx_is_refused_without_the_grant(
    engine: Engine, docker: Callable[..., Docker], proxy_for: Callable[[Engine, str], Proxy]
) -> None:
    proxy = proxy_for(engine, "work")
    buildx = docker(cli_of("28"), proxy.address)
    with_context(buildx, "buildx build -t {n}:never .", status=1)
    # buildx itself says nothing of it: refused, it tries for a builder in a container of its own, and is refused that.
    denied = {record["operation"] for record in proxy.records() if record["verdict"] == "deny"}
    assert "Grpc" in denied
    assert not engine.get("/images/json", filters=json.dumps({"reference": [f"{buildx.name}:never"]}))
