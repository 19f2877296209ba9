"""A pretend engine: enough of Docker's API, on a Unix socket, for the demo and for tests where no engine is.

It runs nothing, pulls nothing and listens to nobody but its socket. What is made in it is kept in memory, within
bounds, and is gone when it stops. It answers as Docker does where clients look: the shapes of lists and inspects,
404 with Docker's words, chunked streams, `101 UPGRADED` for attach and exec, the multiplexed frames, half-close.

    wire.py      HTTP/1.1 over asyncio's streams: requests in, replies out
    process.py   what a container or an exec "runs": echo, cat, true, false, or waiting to be stopped
    world.py     what there is: containers, images, networks, volumes, execs, events
    routes.py    the table of endpoints, and a short function for each
    archives.py  what goes in and out as a tar    swarm.py  what a swarm manager answers

It is no guard: it trusts its client, so nothing but sockproxy or a test should be let near its socket.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

from sockproxy.standin.routes import answer
from sockproxy.standin.wire import Reply, Request, serve_connection
from sockproxy.standin.world import World

__all__ = ["World", "serving"]

Answering: TypeAlias = Callable[[World, Request], Awaitable[Reply]]
"""What answers a request, given what there is."""


@asynccontextmanager
async def serving(path: Path, world: World | None = None, answering: Answering = answer) -> AsyncIterator[World]:
    """Listen on the Unix socket ``path`` (0600, must not exist) while the block runs, and end every exchange with it.

    ``world`` is what there is at the start; a small shop of two containers where it is not given. ``answering`` may
    know more than the table of endpoints.
    """
    there = World.furnished() if world is None else world
    exchanges: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: Python 3.11's streams would log the cancelling of theirs as an error.
        handler = partial(answering, there)
        task = asyncio.create_task(serve_connection(reader, writer, handler, there.spoken))
        exchanges.add(task)
        task.add_done_callback(exchanges.discard)

    listener = _listener(path)
    server = await asyncio.start_unix_server(connected, sock=listener, limit=64 * 1024)
    try:
        yield there
    finally:
        server.close()
        for task in exchanges:
            task.cancel()
        await asyncio.gather(*exchanges, return_exceptions=True)
        await there.close()
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 -- a few microseconds, as `bind` above


def _listener(path: Path) -> socket.socket:
    """A Unix socket that only its owner can connect to, from the first moment on."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener
