"""In a classic proxy's place, in front of real engines: its variables, and the docker command as it always was."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.disposable import IMAGE, Engine
from tests.engine.docker_cli import Docker
from tests.engine.proxies import COMMAND, PATIENCE


@contextmanager
def in_place(folder: Path, engine: Engine, **variables: str) -> Iterator[str]:
    """`sockproxy run` with a classic proxy's variables alone; its address, as DOCKER_HOST has it."""
    listen = folder / "proxy.sock"
    environment = {
        "PATH": os.environ["PATH"],
        "SOCKET_PATH": str(engine.socket),
        "SOCKPROXY_LISTEN": f"unix://{listen}",
        "SOCKPROXY_ADMIN": "none",
        **variables,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([COMMAND, "run"], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(listen) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _answers(listen), (folder / "log").read_text(encoding="utf-8")
        yield f"unix://{listen}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def _answers(listen: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(listen)) == 0


def test_reading_alone(engine: Engine, docker: Callable[..., Docker], tmp_path: Path) -> None:
    with in_place(tmp_path, engine, CONTAINERS="1", IMAGES="1", POST="0") as address:
        ask = docker(engine.cli, address)
        ask("ps -a")
        assert IMAGE.partition(":")[0] in ask("images").out
        assert "no rule of policy `migrated` allows GET /volumes" in ask("volume ls", status=1).err
        refused = ask("{run} " + IMAGE + " true", status=125).err
        assert "no rule of policy `migrated` allows POST /containers/create" in refused


def test_containers_are_run_but_not_with_the_host_in_them(
    engine: Engine, docker: Callable[..., Docker], tmp_path: Path
) -> None:
    with in_place(tmp_path, engine, CONTAINERS="1", POST="1") as address:
        ask = docker(engine.cli, address)
        assert ask("{run} --rm " + IMAGE + " echo hello").out == "hello\n"
        for power in ("--privileged", "-v /:/host", "--pid host", "--cap-add SYS_ADMIN", "-p 8080:80"):
            refused = ask("{run} " + f"--rm {power} {IMAGE} true", status=125).err
            assert "which rule `containers` does not allow" in refused
