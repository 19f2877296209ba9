"""The libraries that programs use see and print the same through sockproxy as with the bare engine.

Each client is a small program in `clients/` that works with an engine and prints what it saw; it is run twice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.conversation import held_twice
from tests.engine.disposable import Engine
from tests.engine.docker_cli import TIMEOUT, Docker, Said
from tests.engine.proxies import Proxy

CLIENTS = Path(__file__).parent / "clients"
NODE_MODULES = "SOCKPROXY_TEST_NODE_MODULES"
"""A folder that has dockerode; without it npm installs it for the session."""

DOCKERODE = "dockerode@4"


def spoken(docker: Docker, *command: str | Path) -> None:
    """Run a client program with this conversation's address and name, and record it as the docker command is."""
    result = subprocess.run(
        [*command, docker.name],
        env=docker.environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT,
        check=False,
    )
    docker.record(
        Said(str(command[-1]), result.returncode, docker.plain(result.stdout), docker.plain(result.stderr)), 0
    )


@pytest.mark.parametrize(
    ("program", "policy"),
    [("docker_py.py", "work"), ("aio_docker.py", "work"), ("testcontainers_py.py", "containers-of-tests")],
)
def test_python_client(
    program: str, policy: str, engine: Engine, docker: Callable[..., Docker], proxy_for: Callable[[Engine, str], Proxy]
) -> None:
    def told(docker: Docker) -> None:
        spoken(docker, sys.executable, CLIENTS / program)

    held_twice(told, lambda address: docker(engine.cli, address), engine, proxy_for(engine, policy))


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dockerode is installed."""
    if given := os.environ.get(NODE_MODULES):
        return Path(given)
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm, to install dockerode")
    folder = tmp_path_factory.mktemp("node")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, DOCKERODE]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=180, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install {DOCKERODE}: {done.stderr.decode(errors='replace')[-300:]}")
    return folder / "node_modules"


def test_dockerode(
    engine: Engine, node_modules: Path, docker: Callable[..., Docker], proxy_for: Callable[[Engine, str], Proxy]
) -> None:
    node = shutil.which("node")
    assert node is not None, "npm is here, so node is"

    def told(docker: Docker) -> None:
        docker.variables["NODE_PATH"] = str(node_modules)
        spoken(docker, node, CLIENTS / "dockerode.js")

    held_twice(told, lambda address: docker(engine.cli, address), engine, proxy_for(engine, "work"))
