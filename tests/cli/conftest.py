"""What the tests of the command line share: a way to run it as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sockproxy.cli import main

Sockproxy = Callable[..., Result]
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def sockproxy(monkeypatch: pytest.MonkeyPatch) -> Sockproxy:
    """Run the command in this process: ``sockproxy("check", "read-only", input=…)``. No SOCKPROXY_… is set."""
    for name in [name for name in os.environ if name.startswith("SOCKPROXY_") or name in {"NO_COLOR", "COLUMNS"}]:
        monkeypatch.delenv(name)

    def run(*words: str, input: bytes | str | None = None, env: dict[str, str] | None = None) -> Result:  # noqa: A002
        return CliRunner().invoke(main, list(words), input=input, env=env, prog_name="sockproxy")

    return run


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start the command as a process of its own; what still runs at the end of the test is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SOCKPROXY_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "sockproxy", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**clean, "PYTHONUNBUFFERED": "1", **(env or {})},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def policy(tmp_path: Path) -> Callable[[str], Path]:
    """Write a policy to a file, and say where it is."""

    def write(text: str, name: str = "policy.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
