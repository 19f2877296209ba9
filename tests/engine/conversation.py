"""A conversation that is held twice, with the bare engine and through sockproxy, and must go the same way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from tests.engine.disposable import IMAGE, Engine
from tests.engine.docker_cli import Docker, Said
from tests.engine.proxies import Proxy

Conversation: TypeAlias = Callable[[Docker], None]


def held_twice(
    told: Conversation, make: Callable[[str], Docker], engine: Engine, proxy: Proxy, *, at_once: bool = True
) -> None:
    """Hold a conversation with the engine and with the proxy, and compare.

    Both are held at the same time, which takes half as long, where the engine bears it.
    """

    def hold(address: str) -> list[str]:
        docker = make(address)
        told(docker)
        return [str(said) for said in docker.said]

    with ThreadPoolExecutor(max_workers=2 if at_once else 1) as pool:
        bare, proxied = pool.submit(hold, engine.address), pool.submit(hold, proxy.address)
        # As one text each, so that pytest shows the lines that differ.
        assert "\n".join(proxied.result()) == "\n".join(bare.result())


def with_context(docker: Docker, line: str, *, status: int = 0) -> Said:
    """Build in a folder with a Dockerfile that copies a file and runs a command."""
    with TemporaryDirectory(prefix=docker.name) as name:
        folder = Path(name)
        steps = (f"FROM {IMAGE}", "COPY file /file", "ARG A", "RUN echo $A >> /file", 'CMD ["cat", "/file"]')
        (folder / "Dockerfile").write_text("\n".join(steps))
        (folder / "file").write_text(f"from the context of {docker.name}\n")  # so that no build finds another's cache
        return docker(line, cwd=folder, status=status)
