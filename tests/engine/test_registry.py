"""Push and pull with a registry of the engine's own network, by both docker commands on every engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.conversation import held_twice
from tests.engine.disposable import IMAGE, Engine
from tests.engine.docker_cli import Docker
from tests.engine.proxies import Proxy
from tests.engine.registry import registry


@pytest.fixture(scope="module")
def registry_of(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(engine, tmp_path_factory.mktemp("registry")) as name:
        yield name


def test_push_and_pull(
    cli: Path,
    engine: Engine,
    registry_of: str,
    docker: Callable[..., Docker],
    proxy_for: Callable[[Engine, str], Proxy],
) -> None:
    name = f"{registry_of}/{{n}}:1"

    def pushed_and_pulled(docker: Docker) -> None:
        docker(f"tag {IMAGE} {name}")
        docker(f"push {name}")
        docker(f"rmi {name}")
        docker(f"pull {name}")
        docker(f"pull {registry_of}/{{n}}:never", status=1)
        docker(f"{{run}} --rm {name} echo pulled")
        docker(f"rmi {name}")
        # How far each layer is at a moment, and whether the registry has it from another name, is the hour's doing.
        docker.said[:] = [replace(said, out=re.sub(r"(?m)^<id>: .*\n", "", said.out)) for said in docker.said]

    held_twice(pushed_and_pulled, lambda address: docker(cli, address), engine, proxy_for(engine, "work"))
