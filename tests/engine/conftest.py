"""The fixtures of the engine tests: proxies in front of an engine, the docker commands, and clearing up."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sockproxy.policy import presets
from tests.engine.disposable import Engine, discover
from tests.engine.docker_cli import Docker, docker_config
from tests.engine.proxies import POLICIES, Proxy, running


@pytest.fixture(scope="session", autouse=True)
def _swept() -> Iterator[None]:
    """Whatever happens, the engines are left as they were found."""
    # Tests that are run in the background ignore interrupts, and so would the commands that they interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for engine in discover().engines:
        engine.sweep()


@pytest.fixture(scope="session")
def proxy_for() -> Iterator[Callable[[Engine, str], Proxy]]:
    """``proxy_for(engine, "work")``: the running proxy with that policy, started once and shared by the session."""
    with ExitStack() as stack:
        started: dict[tuple[Engine, str], Proxy] = {}

        def proxy(engine: Engine, policy: str) -> Proxy:
            if (engine, policy) not in started:
                started[engine, policy] = stack.enter_context(running(engine.address, POLICIES / f"{policy}.yaml"))
            return started[engine, policy]

        yield proxy


@pytest.fixture
def behind(engine: Engine, proxy_for: Callable[[Engine, str], Proxy]) -> Callable[[str], Proxy]:
    """``behind("dozzle")``: the proxy in front of the engine with that preset, as it is shipped."""
    return lambda preset: proxy_for(engine, str(presets.folder() / preset))


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DOCKER_CONFIG of the session's own, with the plugins of the newest engine's CLI."""
    return docker_config(tmp_path_factory.mktemp("docker"), discover().engines)


@pytest.fixture
def docker(config: Path) -> Callable[..., Docker]:
    """``docker(engine.cli, proxy.address)("ps -a")``: that docker command, talking to that address."""

    def command(cli: Path, address: str, name: str = "") -> Docker:
        return Docker(cli, address, config, name=name)

    return command
