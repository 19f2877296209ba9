"""A registry of images in an engine's own network: Debian's docker-registry, at the engine's 127.0.0.1."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.disposable import Engine

ENTER = Path(__file__).with_name("enter-engine")
PROGRAM = shutil.which("docker-registry")


@contextmanager
def registry(engine: Engine, folder: Path, port: int = 15000) -> Iterator[str]:
    """Its name as images spell it, ``127.0.0.1:15000``; an engine takes plain HTTP from loopback alone."""
    if PROGRAM is None:
        pytest.skip("needs docker-registry (apt-get install docker-registry)")
    settings = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "registry.json").write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [ENTER, engine.root, PROGRAM, "serve", folder / "registry.json"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _await(process, engine, port, folder / "registry.log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _await(process: subprocess.Popen[bytes], engine: Engine, port: int, log: Path) -> None:
    for _ in range(100):
        asked = subprocess.run(
            [ENTER, engine.root, "curl", "--fail", "--silent", f"http://127.0.0.1:{port}/v2/"],
            capture_output=True,
            check=False,
        )
        if asked.returncode == 0:
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"docker-registry did not answer:\n{log.read_text()}")
