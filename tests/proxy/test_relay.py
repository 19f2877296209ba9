"""A tunnel between two real sockets: who may still speak when the other has ended."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from sockproxy.proxy.relay import Tunnel
from tests.proxy.conftest import Talk


@dataclass
class Ends:
    client: Talk
    engine: Talk
    tunnel: Tunnel
    over: asyncio.Task[None]
    connections: set[Any]


async def _pair(family: int) -> tuple[Talk, asyncio.Transport]:
    """A socket for the test, and a transport for the tunnel."""
    if family == socket.AF_UNIX:
        ours, theirs = socket.socketpair()
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        listener.close()
    loop = asyncio.get_running_loop()
    talk = Talk(*await asyncio.open_connection(sock=ours))
    if family == socket.AF_UNIX:
        transport, _ = await loop.create_unix_connection(asyncio.Protocol, sock=theirs)
    else:
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=theirs)
    return talk, transport


@pytest.fixture(params=[socket.AF_UNIX, socket.AF_INET], ids=["unix", "tcp"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    client, client_side = await _pair(request.param)
    engine, engine_side = await _pair(socket.AF_UNIX)
    connections: set[Any] = set()
    tunnel = Tunnel(client_side, engine_side, connections)
    over = asyncio.create_task(tunnel.run(from_client=b"", client_ended=False, from_engine=b"", engine_ended=False))
    await asyncio.sleep(0)
    yield Ends(client, engine, tunnel, over, connections)
    over.cancel()
    await asyncio.wait((over,))
    for talk in (client, engine):
        talk.writer.transport.abort()
    await asyncio.sleep(0.01)


async def test_bytes_go_both_ways_and_are_counted(ends: Ends) -> None:
    await ends.client.say("ping")
    await ends.engine.hears("ping")
    await ends.engine.say("pong!")
    await ends.client.hears("pong!")
    assert (ends.tunnel.bytes_in, ends.tunnel.bytes_out) == (4, 5)
    assert ends.connections == {ends.tunnel}


async def test_a_half_close_of_the_client_is_the_end_of_its_input_only(ends: Ends) -> None:
    await ends.client.say("input")
    ends.client.half_close()
    assert await ends.engine.rest() == b"input"
    await asyncio.sleep(0.1)
    await ends.engine.say("output")
    await ends.client.hears("output")
    assert not ends.over.done()
    ends.engine.half_close()
    assert await ends.client.rest() == b""
    await asyncio.wait_for(ends.over, 2)
    assert not ends.connections


async def test_the_end_of_the_engine_is_the_end_of_the_tunnel(ends: Ends) -> None:
    await ends.engine.say("last words")
    ends.engine.half_close()
    assert await ends.client.rest() == b"last words"
    assert await ends.engine.rest() == b""
    ends.client.writer.close()
    await asyncio.wait_for(ends.over, 2)


async def test_last_words_reach_a_client_that_still_types(ends: Ends) -> None:
    ends.engine.writer.write(b"x" * 2**20)
    ends.engine.half_close()
    for _ in range(50):
        await ends.client.say(b"y" * 1000)
        await asyncio.sleep(0.001)
    assert len(await ends.client.rest()) == 2**20


@pytest.mark.parametrize("ends", [socket.AF_INET], indirect=True, ids=["tcp"])
async def test_a_reset_of_the_client_closes_the_engine_s_side(ends: Ends) -> None:
    handle = ends.client.writer.get_extra_info("socket")
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends.client.hang_up()
    await asyncio.wait_for(ends.over, 2)
    assert await ends.engine.rest() == b""


async def test_an_engine_that_breaks_off_breaks_the_client_off(ends: Ends) -> None:
    await ends.engine.say("half")
    await ends.client.hears("half")
    ends.engine.hang_up()
    assert await ends.client.rest() == b""
    ends.client.writer.close()
    await asyncio.wait_for(ends.over, 2)


async def test_a_slow_client_makes_the_engine_wait(ends: Ends) -> None:
    ends.client.writer.transport.pause_reading()
    sender = asyncio.create_task(ends.engine.say(b"x" * 64 * 2**20))
    await asyncio.sleep(0.3)
    assert ends.tunnel.bytes_out < 8 * 2**20
    ends.client.writer.transport.resume_reading()
    assert len(await asyncio.wait_for(ends.client.reader.readexactly(64 * 2**20), 20)) == 64 * 2**20
    await sender


async def test_a_slow_engine_makes_the_client_wait(ends: Ends) -> None:
    ends.engine.writer.transport.pause_reading()
    sender = asyncio.create_task(ends.client.say(b"x" * 64 * 2**20))
    await asyncio.sleep(0.3)
    assert ends.tunnel.bytes_in < 8 * 2**20
    ends.engine.writer.transport.resume_reading()
    assert len(await asyncio.wait_for(ends.engine.reader.readexactly(64 * 2**20), 20)) == 64 * 2**20
    await sender


async def test_a_stopping_server_says_goodbye_to_both(ends: Ends) -> None:
    await ends.engine.say("so far")
    await ends.client.hears("so far")
    ends.tunnel.shutdown()
    assert await ends.client.rest() == b""
    assert await ends.engine.rest() == b""
    ends.client.writer.close()
    await asyncio.wait_for(ends.over, 2)


async def test_a_cancelled_tunnel_closes_both(ends: Ends) -> None:
    ends.over.cancel()
    assert await ends.client.rest() == b""
    assert await ends.engine.rest() == b""


@pytest.mark.parametrize("ends", [socket.AF_UNIX], indirect=True, ids=["unix"])
async def test_a_hang_up_on_a_unix_socket_ends_it_at_once(ends: Ends) -> None:
    ends.client.hang_up()
    await asyncio.wait_for(ends.over, 2)
    assert await ends.engine.rest() == b""


@pytest.mark.parametrize("ends", [socket.AF_UNIX], indirect=True, ids=["unix"])
async def test_a_hang_up_after_a_half_close_ends_it_too(ends: Ends) -> None:
    ends.client.half_close()
    assert await ends.engine.rest() == b""
    await asyncio.sleep(0.1)
    assert not ends.over.done()
    ends.client.hang_up()
    await asyncio.wait_for(ends.over, 2)


async def test_what_came_early_is_written_first_and_an_early_end_passed_on() -> None:
    client, client_side = await _pair(socket.AF_INET)
    engine, engine_side = await _pair(socket.AF_UNIX)
    tunnel = Tunnel(client_side, engine_side, set())
    over = asyncio.create_task(
        tunnel.run(from_client=b"typed", client_ended=True, from_engine=b"printed", engine_ended=True)
    )
    assert await client.rest() == b"printed"
    assert await engine.rest() == b"typed"
    await asyncio.wait_for(over, 2)
    assert (tunnel.bytes_in, tunnel.bytes_out) == (5, 7)
    for talk in (client, engine):
        talk.writer.transport.abort()
    await asyncio.sleep(0.01)
