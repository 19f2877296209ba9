"""What the shell's tests stand on: both event loops, a scriptable engine, and raw conversations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sockproxy.proxy import listen
from sockproxy.proxy.edge import Edge
from sockproxy.proxy.limits import Limits
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
