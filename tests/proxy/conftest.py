"""What the shell's tests stand on: both event loops, a scriptable engine, and raw conversations."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sockproxy.proxy import listen
from sockproxy.proxy.edge import Edge
from sockproxy.proxy.limits import Limits
from sockproxy.proxy.server import Running, Settings, running
from tests.proxy.fake_engine import FakeEngine


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Production runs on uvloop; what holds there and not on asyncio's own loop would be luck."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    fake = FakeEngine(tmp_path / "engine.sock")
    await fake.start()
    yield fake
    await fake.stop()


@contextlib.asynccontextmanager
async def edge(app: Any, where: str = "tcp://127.0.0.1:0", **limits: Any) -> AsyncIterator[str]:
    """An edge in front of an app of the test's own; yields its address."""
    listener = listen.parse(where)
    with listen.bound(listener) as made:
        async with listen.serving(app, [made], http=Edge.within(Limits(**limits)), grace=1):
            yield listen.address(listener, made)


class Talk:
    """A conversation on one raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)
        with suppress(ConnectionError):
            await self.writer.drain()

    async def hears(self, data: bytes | str) -> None:
        expected = data.encode() if isinstance(data, str) else data
        async with asyncio.timeout(5):
            assert await self.reader.readexactly(len(expected)) == expected

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode().removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        return int(line.split(" ")[1]), headers

    async def answer(self, *, bodiless: bool = False) -> tuple[int, dict[str, str], bytes]:
        status, headers = await self.head()
        async with asyncio.timeout(5):
            if bodiless or status in (204, 304):
                return status, headers, b""
            if headers.get("transfer-encoding") == "chunked":
                parts = []
                while size := int(await self.reader.readline(), 16):
                    parts.append(await self.reader.readexactly(size))
                    await self.reader.readline()
                await self.reader.readline()
                return status, headers, b"".join(parts)
            return status, headers, await self.reader.readexactly(int(headers["content-length"]))

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(10):
            return await self.reader.read()

    def half_close(self) -> None:
        self.writer.write_eof()

    def hang_up(self) -> None:
        self.writer.transport.abort()


Connect = Callable[[str], Any]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connect to ``tcp://HOST:PORT`` or ``unix:///PATH``."""
    talks: list[Talk] = []

    async def dial(address: str) -> Talk:
        if address.startswith("unix://"):
            streams = await asyncio.open_unix_connection(address.removeprefix("unix://"))
        else:
            host, _, port = address.removeprefix("tcp://").rpartition(":")
            streams = await asyncio.open_connection(host, int(port))
        talks.append(Talk(*streams))
        return talks[-1]

    yield dial
    for talk in talks:
        talk.writer.transport.abort()
    await asyncio.sleep(0.01)


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait, for seconds at most, until something that another task does is done."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - another process's or task's doing has no event
            await asyncio.sleep(0.005)


POLICY = """
version: 1
name: shell
about: What the shell's tests may do.
api: {min: "1.30", max: "1.48"}
rules:
  - id: work
    allow:
      - GET /containers/json
      - GET /events
      - GET /containers/{id}/json|logs
      - POST /containers/create
      - POST /containers/{id}/start|stop|wait|attach|exec
      - POST /exec/{id}/start
      - PUT|GET|HEAD /containers/{id}/archive
      - POST /build
      - POST /images/create
      - GET /containers/{id}/attach/ws
    grant: {query: "*"}
    only: {container: ["**", "label=x"]}
"""

ID = "a" * 64
"""The id of the container that the engine knows as `web`."""


@dataclass
class House:
    """A whole sockproxy in front of the fake engine."""

    server: Running
    daemon: FakeEngine
    dial: Connect
    audit: Path
    policy: Path

    @property
    def address(self) -> str:
        return self.server.addresses[0]

    async def connect(self, which: int = 0) -> Talk:
        talk: Talk = await self.dial(self.server.addresses[which])
        return talk

    async def ask(self, line: str, *fields: str, body: str | bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own."""
        talk = await self.connect()
        await talk.say(request(line, *fields, body=body))
        return await talk.answer(bodiless=line.startswith("HEAD "))

    def lines(self) -> list[dict[str, Any]]:
        """The audit lines."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.server.metrics.registry.get_sample_value(name, labels)


def request(line: str, *fields: str, body: str | bytes = b"") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    if data:
        fields = (*fields, f"Content-Length: {len(data)}")
    return "\r\n".join((f"{line} HTTP/1.1", "Host: d", *fields, "", "")).encode() + data


@contextlib.asynccontextmanager
async def sockproxy(daemon: FakeEngine, dial: Connect, folder: Path, **settings: Any) -> AsyncIterator[House]:
    policy, audit = folder / "policy.yaml", folder / "audit.log"
    if not policy.exists():
        policy.write_text(POLICY)
    chosen = {
        "policy": str(policy),
        "engine": f"unix://{daemon.path}",
        "listen": ("tcp://127.0.0.1:0", f"unix://{folder}/proxy.sock"),
        "audit": (str(audit),),
        "grace_seconds": 1.0,
        **settings,
    }
    async with running(Settings(**chosen)) as server:
        yield House(server, daemon, dial, audit, policy)


@pytest.fixture
async def house(daemon: FakeEngine, connect: Connect, tmp_path: Path) -> AsyncIterator[House]:
    daemon.says(
        "/containers/web/json", {"Id": ID, "Name": "/web", "Config": {"Labels": {}}, "HostConfig": {}, "Mounts": []}
    )
    daemon.scripts[f"/containers/{ID}/json"] = daemon.scripts["/containers/web/json"]
    async with sockproxy(daemon, connect, tmp_path) as made:
        yield made
