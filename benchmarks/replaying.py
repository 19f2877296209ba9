"""`sockproxy replay` of a short and a long audit file: seconds and memory, beside merely reading each line's JSON."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sockproxy.audit import AuditLog, fragment
from sockproxy.model import Ask

LINES = (100_000, 1_000_000)
POLICY = "jenkins-agent"

_YARDSTICK = "import json, sys\nfor line in open(sys.argv[1], 'rb'): json.loads(line)"


def replaying(folder: Path) -> None:
    """Print the table."""
    print("### replay of an audit file\n")
    print("| lines | MB | seconds | lines/s | reading the JSON alone | RSS MB |\n|---|---:|---:|---:|---:|---:|")
    for lines in LINES:
        path = folder / f"{lines}.jsonl"
        _write(path, lines)
        bare, _ = _run([sys.executable, "-c", _YARDSTICK, str(path)])
        taken, memory = _run([sys.executable, "-m", "sockproxy", "replay", "--policy", POLICY, str(path)])
        size = path.stat().st_size / 1e6
        print(f"| {lines:,} | {size:,.0f} | {taken:.1f} | {lines / taken:,.0f} | {bare:.1f} s | {memory / 1e6:.0f} |")
        path.unlink()
    print()


def _run(command: Sequence[str]) -> tuple[float, int]:
    """Seconds that a command takes, and the most memory that it held, in bytes."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # it was waited for here
    return time.perf_counter() - before, usage.ru_maxrss * 1024


def _write(path: Path, lines: int) -> None:
    """A file as a busy CI agent leaves one: lists that repeat, creates and stops that never do, two lines for each."""
    log = AuditLog([str(path)])
    for number in range(lines // 2):
        operation, method, target, query, asks = _call(number)
        told = fragment(
            client="anyone",
            operation=operation,
            method=method,
            path=target,
            query=query,
            verdict="allow",
            code=None,
            rule="run",
            asks=asks,
            refused=(),
            policy="9f" * 32,
            engine_version=(1, 51),
        )
        identity = log.new_id()
        log.write(told, id=identity, event="request", peer="172.20.0.4:51234")
        log.write(
            told, id=identity, event="end", peer="172.20.0.4:51234", status=200, bytes_in=0, bytes_out=0, seconds=0.1
        )
    log.close()


def _call(number: int) -> tuple[str, str, str, tuple[tuple[str, str], ...], tuple[Ask, ...]]:
    labels = (("ci", "jenkins"), ("build", str(number)))
    container = Ask("container", f"ci-{number}", "path", labels=labels, known=True)
    match number % 3:
        case 0:
            return "ContainerList", "GET", "/containers/json", (("all", "1"),), ()
        case 1:
            return "ContainerStop", "POST", f"/containers/{number:064x}/stop", (), (container,)
        case _:
            asks = (container, *_create(number))
            return "ContainerCreate", "POST", "/containers/create", (("name", f"ci-{number}"),), asks


def _create(number: int) -> Iterator[Ask]:
    yield Ask("image", "docker.io/library/python:3.12", "Image")
    yield Ask("bind", f"/var/lib/jenkins/workspace/job-{number % 5000}", "HostConfig.Binds[0]")
    yield Ask("network", "bridge", "HostConfig.NetworkMode", known=True)
    yield Ask("limit", "memory", "HostConfig.Memory", amount=2**30)
    for word in ("cpus", "pids"):
        yield Ask("limit", word, f"HostConfig.{word}")
    for word in ("read-only", "no-new-privileges", "cap-drop-all", "non-root"):
        yield Ask("require", word, "HostConfig")
    yield Ask("label", f"build={number}", "Labels[build]")
