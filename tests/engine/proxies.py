"""A `sockproxy run` of its own process, as an operator starts it: listeners, admin, audit file, policy."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

COMMAND = Path(sys.executable).with_name("sockproxy")
POLICIES = Path(__file__).parent / "policies"
PATIENCE = 20.0
"""Seconds that a process may take to be ready, or to stop: a bound on failing tests, not a measure."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Proxy:
    """A running sockproxy and where to find everything about it."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    admin_port: int

    @property
    def tcp(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def socket(self) -> Path:
        return self.folder / "proxy.sock"

    @property
    def address(self) -> str:
        """Its Unix socket, as DOCKER_HOST has it."""
        return f"unix://{self.socket}"

    @property
    def audit(self) -> Path:
        return self.folder / "audit.jsonl"

    def records(self) -> list[dict[str, Any]]:
        """The audit lines so far."""
        return [json.loads(line) for line in self.audit.read_text(encoding="utf-8").splitlines()]

    def log(self) -> str:
        """What it printed."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        total = 0.0
        for line in httpx.get(f"http://127.0.0.1:{self.admin_port}/metrics").text.splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.split("{")[0] == name and all(f'{key}="{wanted}"' in sample for key, wanted in labels.items()):
                total += float(value)
        return total

    def memory(self) -> int:
        """Its resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def sockets(self) -> int:
        """How many sockets it holds open, listeners included."""
        count = 0
        for descriptor in Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                count += str(descriptor.readlink()).startswith("socket:")
            except FileNotFoundError:
                continue
        return count

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextmanager
def running(engine: str, policy: Path | str, *more: str, ready: str = "/readyz") -> Iterator[Proxy]:
    """`sockproxy run` in front of ``engine`` (an address), ready; ``more`` are further options."""
    folder = Path(tempfile.mkdtemp(prefix="sockproxy-"))  # short: a Unix socket's path has at most 107 bytes
    port, admin_port = free_port(), free_port()
    arguments = [
        *("run", "--engine", engine, "--policy", str(policy), "--audit", str(folder / "audit.jsonl")),
        *("--listen", f"tcp://127.0.0.1:{port}", "--listen", f"unix://{folder}/proxy.sock"),
        *("--admin", f"tcp://127.0.0.1:{admin_port}", *more),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOCKPROXY_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
    proxy = Proxy(process, folder, port, admin_port)
    try:
        _await(proxy, f"http://127.0.0.1:{admin_port}{ready}")
        yield proxy
    finally:
        status = proxy.stop()
        log_text = proxy.log()
        shutil.rmtree(folder, ignore_errors=True)
    assert status == 0, f"sockproxy ended with {status}:\n{log_text}"
    assert "Traceback" not in log_text, log_text


def _await(proxy: Proxy, url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    answer: Sequence[object] = ()
    while time.monotonic() < deadline and proxy.process.poll() is None:
        try:
            response = httpx.get(url)
        except httpx.TransportError as error:
            answer = (error,)
        else:
            if response.status_code == 200:
                return
            answer = (response.status_code, response.text)
        time.sleep(0.05)
    raise AssertionError(f"sockproxy run was not ready ({answer}):\n{proxy.log()}")
