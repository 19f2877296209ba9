"""The processes of a race: started on loopback, measured through /proc, stopped at the end."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 20.0


class MissingProgramError(Exception):
    """A program that the benchmarks need and the machine has not."""


def program(name: str) -> str:
    """Where a program is; raises MissingProgramError with what to do where it is not."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MissingProgramError(f"{name} is needed: apt-get install {name}")
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Running:
    """A process and how to measure it."""

    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds of processor time that it has used, in user and system mode."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


@contextmanager
def started(command: Sequence[str | Path], ready: Callable[[], bool], log: Path) -> Iterator[Running]:
    """The process, once ``ready``; its output goes to ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}")
            time.sleep(0.002)
        yield Running(process)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers_at(address: tuple[str, int] | str, target: str = "/_ping") -> Callable[[], bool]:
    """Whether something answers 200 there, by a plain request of its own."""

    def ask() -> bool:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        with socket.socket(family) as connection:
            connection.settimeout(5)
            try:
                connection.connect(address)
                connection.sendall(f"GET {target} HTTP/1.1\r\nhost: d\r\nconnection: close\r\n\r\n".encode())
                return connection.recv(4096).startswith(b"HTTP/1.1 200")
            except OSError:
                return False

    return ask


@contextmanager
def haproxy(configuration: str, ready: Callable[[], bool], folder: Path, name: str) -> Iterator[Running]:
    (folder / f"{name}.cfg").write_text(configuration)
    with started([program("haproxy"), "-db", "-f", folder / f"{name}.cfg"], ready, folder / f"{name}.log") as running:
        yield running


@contextmanager
def sockproxy(engine: Path, policy: Path, port: int, folder: Path, name: str) -> Iterator[Running]:
    """As an operator runs it: judging, an audit file, metrics and the admin listener, all on."""
    command = [
        *(Path(sys.executable).with_name("sockproxy"), "run", "--engine", f"unix://{engine}", "--policy", policy),
        *("--listen", f"tcp://127.0.0.1:{port}", "--admin", f"tcp://127.0.0.1:{free_port()}"),
        *("--audit", folder / f"{name}.jsonl"),
    ]
    with started(command, answers_at(("127.0.0.1", port)), folder / f"{name}.log") as running:
        yield running


@dataclass(frozen=True)
class Heat:
    """What wrk measured."""

    requests: int
    seconds: float
    p50: float
    """Microseconds."""
    p99: float
    failed: int
    """Answers that were neither 2xx nor 3xx."""

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


def wrk(port: int, target: str, *, connections: int, seconds: int, script: Path | None = None) -> Heat:
    command = [program("wrk"), "--latency", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["-s", str(script)] if script else []
    done = subprocess.run([*command, f"http://127.0.0.1:{port}{target}"], capture_output=True, text=True, check=True)

    def latency(percent: int) -> float:
        found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", done.stdout)
        assert found is not None, done.stdout
        return float(found[1]) * UNITS[found[2]]

    counted = re.search(r"(\d+) requests in ([\d.]+)(s|m)", done.stdout)
    assert counted is not None, done.stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    return Heat(int(counted[1]), float(counted[2]), latency(50), latency(99), int(failed[1]) if failed else 0)
