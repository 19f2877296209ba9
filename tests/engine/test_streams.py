"""Streams stay open as long as the client wants and end when it leaves; the engine may go and come back."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.docker_cli import Docker, next_line
from tests.engine.forwarder import Forwarder, forwarding
from tests.engine.proxies import POLICIES, Proxy, running
from tests.engine.wire import Answer, exchange, request

QUIET = 3.0
"""Seconds of silence after which a stream that is to stay open is looked at again."""
PROMPT = 1.0
"""Seconds within which a client that left must be noticed."""


@pytest.fixture(scope="module")
def pair(engine: Engine) -> Iterator[tuple[Forwarder, Proxy]]:
    """A proxy, and the forwarder behind it that counts its connections to the engine."""
    with forwarding(engine.socket) as forwarder, running(forwarder.address, POLICIES / "work.yaml") as proxy:
        yield forwarder, proxy


def eventually(truth: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if truth():
            return True
        time.sleep(0.02)
    return bool(truth())


@contextmanager
def opened(proxy: Proxy, sent: bytes) -> Iterator[socket.socket]:
    """A connection with a request sent and its head read."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(proxy.socket))
        connection.sendall(sent)
        head = b""
        while b"\r\n\r\n" not in head:
            read = connection.recv(4096)
            assert read, head
            head += read
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 101")), head
        yield connection


@pytest.fixture
def silent(engine: Engine) -> Iterator[str]:
    """A container that runs and says nothing."""
    name = f"{PREFIX}-silent"
    body = {"Image": IMAGE, "Cmd": ["sleep", "600"], "Labels": {"sockproxy.test.run": PREFIX}, "OpenStdin": True}
    with engine.client() as client:
        client.post("/containers/create", params={"name": name}, json=body).raise_for_status()
        client.post(f"/containers/{name}/start").raise_for_status()
        yield name
        client.delete(f"/containers/{name}", params={"force": "1"})


def settled(container: str, pair: tuple[Forwarder, Proxy]) -> int:
    """How many connections to the engine are kept alive, once there is one for calls and one for looking things up."""
    forwarder, proxy = pair
    # A call under a rule that holds `container`: it takes both.
    answer = exchange(proxy.socket, request("GET", f"/containers/{container}/top", connection="close"))
    assert answer.status == 200, answer.body
    return forwarder.open


STREAMS = {
    "events": lambda name: request(
        "GET", f"/events?filters={json.dumps({'label': ['never-' + name]})}".replace('"', "%22").replace(" ", "")
    ),
    "logs": lambda name: request("GET", f"/containers/{name}/logs?follow=1&stdout=1"),
    "attach": lambda name: request(
        "POST", f"/containers/{name}/attach?stream=1&stdin=1&stdout=1", connection="Upgrade", upgrade="tcp"
    ),
    "wait": lambda name: request("POST", f"/containers/{name}/wait"),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_silent_stream_stays_open_until_the_client_leaves(
    stream: str, silent: str, pair: tuple[Forwarder, Proxy]
) -> None:
    forwarder, proxy = pair
    idle = settled(silent, pair)
    with opened(proxy, STREAMS[stream](silent)) as connection:
        connection.settimeout(QUIET)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert forwarder.open >= 1  # the stream's own
    # INVARIANT: the engine's side goes with the client, so that followers do not pile up.
    assert eventually(lambda: forwarder.open <= idle, PROMPT), (idle, forwarder.open)


def test_many_followers_leave_nothing_behind(silent: str, pair: tuple[Forwarder, Proxy]) -> None:
    forwarder, proxy = pair
    before, sockets = settled(silent, pair), proxy.sockets()
    connections = []
    for _ in range(50):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(proxy.socket))
        connection.sendall(STREAMS["logs"](silent))
        connections.append(connection)
    assert eventually(lambda: forwarder.open >= before + 50 - 1, 10)
    for connection in connections:
        connection.close()
    assert eventually(lambda: forwarder.open <= before, PROMPT), (before, forwarder.open)
    assert eventually(lambda: proxy.sockets() <= sockets, PROMPT), (sockets, proxy.sockets())


def test_events_arrive_as_they_happen(
    engine: Engine, cli: Path, pair: tuple[Forwarder, Proxy], docker: Callable[..., Docker]
) -> None:
    command = docker(cli, pair[1].address)
    # The volume's creation shows that the stream is live before the last event, and that ends the wait.
    watching = command.words("events --filter type=volume --format {{.Actor.ID}}")
    with subprocess.Popen(watching, env=command.environment, stdout=subprocess.PIPE, bufsize=0) as process:
        stop = threading.Event()

        def make_until_seen() -> None:
            with engine.client() as client:
                while not stop.wait(0.1):
                    client.post("/volumes/create", json={"Name": command.name})
                    client.delete(f"/volumes/{command.name}")

        thread = threading.Thread(target=make_until_seen)
        thread.start()
        try:
            seen = {next_line(process).decode().strip() for _ in range(2)}
        finally:
            stop.set()
            thread.join()
            process.terminate()
    assert command.name in seen


def test_slow_reader_of_a_large_save_costs_no_memory(engine: Engine, pair: tuple[Forwarder, Proxy]) -> None:
    _, proxy = pair
    name = f"{PREFIX}-large"
    _large_image(engine, name, 600 << 20)
    with opened(proxy, request("GET", f"/images/{name}:1/get")) as connection:
        connection.recv(65536)
        time.sleep(QUIET)
        paused = proxy.memory()
        received = 0
        while received < 600 << 20 and (data := connection.recv(1 << 20)):
            received += len(data)
    assert paused < 100 << 20
    assert received >= 600 << 20
    assert proxy.memory() < 100 << 20


def _large_image(engine: Engine, name: str, size: int) -> None:
    """An image whose one layer is a sparse file of that size, made by committing a container."""
    with engine.client() as client:
        body = {"Image": IMAGE, "Cmd": ["truncate", "-s", str(size), "/big"], "Labels": {"sockproxy.test.run": PREFIX}}
        client.post("/containers/create", params={"name": name}, json=body).raise_for_status()
        client.post(f"/containers/{name}/start").raise_for_status()
        client.post(f"/containers/{name}/wait", timeout=60).raise_for_status()
        client.post("/commit", params={"container": name, "repo": name, "tag": "1"}, timeout=120).raise_for_status()
        client.delete(f"/containers/{name}").raise_for_status()


class Load:
    """Four clients that ask without a pause, and what they were answered in each phase."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.phase = "changing"
        self.answers: dict[str, list[Answer]] = {}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def _ask(self) -> None:
        while not self._stop.is_set():
            phase = self.phase
            answer = exchange(self.proxy.socket, request("GET", "/containers/json", connection="close"))
            if phase == self.phase:  # one that a change fell into may have seen either
                self.answers.setdefault(phase, []).append(answer)

    def during(self, phase: str) -> list[Answer]:
        """Let a second of the phase pass."""
        self.phase = phase
        time.sleep(1.0)
        self.phase = "changing"
        return self.answers[phase]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_engine_goes_and_comes_back_under_load(pair: tuple[Forwarder, Proxy]) -> None:
    forwarder, proxy = pair
    with Load(proxy) as load:
        assert {answer.status for answer in load.during("before")} == {200}
        forwarder.go_away()
        away = load.during("away")
        forwarder.come_back()
        assert {answer.status for answer in load.during("back")} == {200}
    assert {answer.status for answer in away} <= {502, 503}
    assert all("engine" in answer.message for answer in away)
    assert [record["code"] for record in proxy.records() if record["verdict"] == "deny"][-1] == "engine_down"


def test_stream_ends_when_the_engine_goes(silent: str, pair: tuple[Forwarder, Proxy]) -> None:
    forwarder, proxy = pair
    with opened(proxy, STREAMS["logs"](silent)) as connection:
        forwarder.go_away()
        try:
            connection.settimeout(PROMPT)
            while connection.recv(4096):
                pass
        except ConnectionResetError:
            pass  # an end all the same
        finally:
            forwarder.come_back()


def test_client_that_never_reads_is_no_burden_to_others(pair: tuple[Forwarder, Proxy]) -> None:
    _, proxy = pair
    with opened(proxy, request("GET", f"/images/{IMAGE}/get")):
        assert exchange(proxy.socket, request("GET", "/_ping")).body == b"OK"
