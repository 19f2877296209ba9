"""Run the races and print their tables: ``python -m benchmarks [--seconds N] [--rounds N]``.

Everything runs in one go on loopback, the runners of a race by turns, so that a noisy machine is noisy to all of them;
each figure is the median of the rounds. Ratios mean more than figures. Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import upstream
from benchmarks.processes import (
    Heat,
    MissingProgramError,
    Running,
    answers_at,
    free_port,
    haproxy,
    sockproxy,
    started,
    wrk,
)
from benchmarks.replaying import replaying

HERE = Path(__file__).parent
POLICY = HERE / "policy.yaml"
FOLLOWERS = 1000


@dataclass(frozen=True)
class Runner:
    """One of those that race: where it listens and what it costs."""

    name: str
    port: int
    process: Running


@dataclass(frozen=True)
class Race:
    """One kind of request."""

    name: str
    target: str
    connections: int = 16
    script: Path | None = None
    refused: bool = False
    """Every answer is to be a denial; runners that cannot deny are left out."""


RACES = (
    Race("small GET, 16 connections", "/v1.41/containers/json"),
    Race("small GET, 1 connection", "/v1.41/containers/json", connections=1),
    Race("create of 3 KB, 16 connections", "/v1.41/containers/create?name=c", script=HERE / "create.lua"),
    Race("denied create, 16 connections", "/v1.41/containers/create", script=HERE / "privileged.lua", refused=True),
)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--seconds", type=int, default=4, help="of each heat (default: 4)")
    options.add_argument("--rounds", type=int, default=3, help="of each race (default: 3)")
    given = options.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    try:
        with tempfile.TemporaryDirectory(prefix="sockproxy-bench-") as folder:
            requests(Path(folder), given.seconds, given.rounds)
            streams(Path(folder), given.rounds)
            replaying(Path(folder))
            engines(Path(folder))
    except MissingProgramError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    return 0


def requests(folder: Path, seconds: int, rounds: int) -> None:
    """Requests per second, processor time, latency and memory, against the fixed answers."""
    ports = free_port(), free_port(), free_port()
    socket_path = folder / "engine.sock"
    with contextlib.ExitStack() as stack:
        fixed = upstream.haproxy_upstream(folder, ports[0])
        bare = stack.enter_context(haproxy(fixed, answers_at(("127.0.0.1", ports[0])), folder, "upstream"))
        relay = upstream.haproxy_relay(socket_path, ports[1])
        peer = stack.enter_context(haproxy(relay, answers_at(("127.0.0.1", ports[1])), folder, "haproxy"))
        before = time.monotonic()
        ours = stack.enter_context(sockproxy(socket_path, POLICY, ports[2], folder, "sockproxy"))
        first_answer = time.monotonic() - before
        idle = ours.memory()
        runners = (
            Runner("upstream alone", ports[0], bare),
            Runner("HAProxy", ports[1], peer),
            Runner("sockproxy", ports[2], ours),
        )
        print(f"start to first answer: {first_answer * 1000:.0f} ms; idle RSS: {idle / 1e6:.1f} MB\n")
        for race in RACES:
            print_race(
                race, [runner for runner in runners if not race.refused or runner.name == "sockproxy"], seconds, rounds
            )


def print_race(race: Race, runners: Sequence[Runner], seconds: int, rounds: int) -> None:
    heats: dict[str, list[tuple[Heat, float]]] = {runner.name: [] for runner in runners}
    for _ in range(rounds):
        for runner in runners:
            before = runner.process.cpu()
            heat = wrk(runner.port, race.target, connections=race.connections, seconds=seconds, script=race.script)
            wrong = heat.requests - heat.failed if race.refused else heat.failed
            if wrong:
                print(
                    f"!! {runner.name}: {wrong} of {heat.requests} answers had another status than this race is about"
                )
            heats[runner.name].append((heat, (runner.process.cpu() - before) / max(heat.requests, 1) * 1e6))
    print(f"### {race.name}\n\n| | requests/s | of the first | CPU µs/request | p50 µs | p99 µs | RSS MB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    first = 0.0
    for runner in runners:
        results = heats[runner.name]
        rate = statistics.median(heat.rate for heat, _ in results)
        first = first or rate
        cpu = statistics.median(cost for _, cost in results)
        p50, p99 = (statistics.median(getattr(heat, name) for heat, _ in results) for name in ("p50", "p99"))
        memory = runner.process.memory() / 1e6
        print(
            f"| {runner.name} | {rate:,.0f} | {rate / first:.0%} | {cpu:.0f} | {p50:.0f} | {p99:.0f} | {memory:.0f} |"
        )
    print()


def streams(folder: Path, rounds: int) -> None:
    """1 GiB each way beside HAProxy's relay, and what an idle follower costs."""
    path, ports = folder / "streams.sock", (free_port(), free_port())
    with contextlib.ExitStack() as stack:
        serve = [sys.executable, "-m", "benchmarks.upstream", path]
        stack.enter_context(started(serve, answers_at(str(path)), folder / "streams.log"))
        relay = upstream.haproxy_relay(path, ports[0])
        stack.enter_context(haproxy(relay, answers_at(("127.0.0.1", ports[0])), folder, "relay"))
        ours = stack.enter_context(sockproxy(path, POLICY, ports[1], folder, "streams-sockproxy"))
        print(
            "### 1 GiB\n\n| | HAProxy MB/s | sockproxy MB/s | ratio | sockproxy's RSS MB |\n|---|---:|---:|---:|---:|"
        )
        for name, transfer in (("down (save)", download), ("up (load)", upload)):
            taken: tuple[list[float], list[float]] = ([], [])
            for _ in range(rounds):
                for port, seconds in zip(ports, taken, strict=True):
                    seconds.append(timed(transfer, port))
            theirs, mine = (upstream.GIBIBYTE / statistics.median(seconds) / 1e6 for seconds in taken)
            print(f"| {name} | {theirs:,.0f} | {mine:,.0f} | {mine / theirs:.0%} | {ours.memory() / 1e6:.0f} |")
        before = ours.memory()
        with following(ports[1], FOLLOWERS):
            each = (ours.memory() - before) / FOLLOWERS
        print(f"\n{FOLLOWERS:,} idle followers (`logs -f`): {each / 1000:.1f} KB each\n")


def timed(work: Callable[[int], None], port: int) -> float:
    before = time.perf_counter()
    work(port)
    return time.perf_counter() - before


def download(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET /v1.41/images/python:3.12/get HTTP/1.1\r\nhost: d\r\n\r\n")
        head = connection.recv(4096)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the download was answered {head!r}")
        buffer, received = bytearray(1 << 20), len(head)
        while received < upstream.GIBIBYTE:
            count = connection.recv_into(buffer)
            if not count:
                raise RuntimeError(f"the download ended after {received} bytes: {bytes(buffer[:300])!r}")
            received += count


def upload(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"POST /v1.41/images/load HTTP/1.1\r\nhost: d\r\ncontent-type: application/x-tar\r\n")
        connection.sendall(b"content-length: %d\r\n\r\n" % upstream.GIBIBYTE)
        block = bytes(1 << 20)
        for _ in range(upstream.GIBIBYTE // len(block)):
            connection.sendall(block)
        answer = connection.recv(4096)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the upload was answered {answer!r}")


@contextlib.contextmanager
def following(port: int, count: int) -> Iterator[None]:
    """That many clients of `logs -f`, each with its head read."""
    connections = []
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port))
            connections.append(connection)
            connection.sendall(b"GET /v1.41/containers/c/logs?follow=1&stdout=1 HTTP/1.1\r\nhost: d\r\n\r\n")
            if b" 200 " not in connection.recv(4096):
                raise RuntimeError("a follower was not let in")
        yield
    finally:
        for connection in connections:
            connection.close()


def engines(folder: Path) -> None:
    """What sockproxy adds to one request of a real engine, for every engine that SOCKPROXY_TEST_ENGINES names."""
    names = [name for name in os.environ.get("SOCKPROXY_TEST_ENGINES", "").split(",") if name]
    if not names:
        print("Real engines: none (set SOCKPROXY_TEST_ENGINES; `make engines` prints it)")
        return
    print("### Real engines: `GET /containers/json` on one connection\n")
    print("| engine | bare p50 µs | sockproxy p50 µs | added µs |\n|---|---:|---:|---:|")
    for number, name in enumerate(names):
        port = free_port()
        with sockproxy(Path(name), POLICY, port, folder, f"engine-{number}"):
            bare, through = [], []
            for _ in range(5):
                bare += latencies(name, 200)
                through += latencies(("127.0.0.1", port), 200)
        first, second = statistics.median(bare) * 1e6, statistics.median(through) * 1e6
        print(f"| {name} | {first:.0f} | {second:.0f} | {second - first:.0f} |")


def latencies(address: tuple[str, int] | str, count: int) -> list[float]:
    """Seconds that each of so many small GETs took, one after another on one connection."""
    taken = []
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as connection:
        connection.settimeout(60)
        connection.connect(address)
        for _ in range(count):
            before = time.perf_counter()
            connection.sendall(b"GET /v1.41/containers/json HTTP/1.1\r\nhost: d\r\n\r\n")
            read_answer(connection)
            taken.append(time.perf_counter() - before)
    return taken


def read_answer(connection: socket.socket) -> None:
    """One whole answer of 200, with a length or in chunks."""
    answer = b""
    while not answered(answer):
        data = connection.recv(1 << 20)
        answer += data
        if not data or not answer.startswith(b"HTTP/1.1 200"[: len(answer)]):
            raise RuntimeError(f"answered {answer[:200]!r}")


def answered(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return bool(end) and (len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n"))


if __name__ == "__main__":
    sys.exit(main())
