"""A tunnel: two sockets, each end's bytes written to the other, until the engine has nothing more to say.

    client half-closes   passed on to the engine: what is typed has ended, what is printed goes on
    client hangs up      the engine's side is closed at once (a reset; on a Unix socket POLLHUP, as dockerd does it)
    engine half-closes   dockerd's own close is no more than this (moby, httputils.go): all is written to the client,
                         half-closed, then both are closed
    engine breaks off    the client's side is broken off, never ended cleanly

On TCP a hang-up and a half-close are the same FIN: there the tunnel ends with the engine, a reset, or TCP keep-alive.
Where one side does not read, the other is not read from.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

_LINGER_SECONDS: Final = 5.0
"""How long a client may take to notice the end."""


class _End(asyncio.Protocol):
    """One of the two sockets."""

    other: _End

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport) -> None:
        self.tunnel = tunnel
        self.transport = transport
        self.received = 0
        """Bytes that came from here."""
        self.ended = False
        """It has half-closed."""
        self.lost = transport.is_closing()
        self.deaf = self.lost
        """Nothing is written to it any more."""

    def data_received(self, data: bytes) -> None:
        if self.other.deaf:
            return
        self.received += len(data)
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        self.tunnel.half_closed(self)
        return True

    def pause_writing(self) -> None:
        if not self.other.lost:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.lost:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = self.deaf = True
        self.tunnel.broken(self, exc)

    def half_close(self) -> None:
        if self.deaf:
            return
        self.deaf = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()


class Tunnel:
    """The bytes of one hijack. ``connections`` is the server's set: a stopping server asks its members to shut down."""

    def __init__(self, client: asyncio.Transport, engine: asyncio.Transport, connections: set[Any]) -> None:
        self._client = _End(self, client)
        self._engine = _End(self, engine)
        self._client.other, self._engine.other = self._engine, self._client
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._linger: asyncio.TimerHandle | None = None
        self._forget_hang_up: Callable[[], object] | None = None

    @property
    def bytes_in(self) -> int:
        """Bytes that came from the client."""
        return self._client.received

    @property
    def bytes_out(self) -> int:
        """Bytes that came from the engine."""
        return self._engine.received

    async def run(self, *, from_client: bytes, client_ended: bool, from_engine: bytes, engine_ended: bool) -> None:
        """Write what has come early to its end, then relay until the tunnel is over; cancelled, break it off."""
        self._connections.add(self)
        try:
            for end in (self._engine, self._client):
                end.transport.set_protocol(end)
            for end, early, ended in (
                (self._client, from_client, client_ended),
                (self._engine, from_engine, engine_ended),
            ):
                if not end.lost:
                    end.transport.resume_reading()
                if early:
                    end.data_received(early)
                if ended:
                    end.eof_received()
            await self._over
        finally:
            self._connections.discard(self)
            self._close()

    def half_closed(self, end: _End) -> None:
        """One end has nothing more to say."""
        end.other.half_close()
        if end is self._engine or self._linger is not None:
            self._finish()
        elif end.transport.get_extra_info("socket").family == socket.AF_UNIX and not self._over.done():
            self._forget_hang_up = watch_hang_up(self._loop, end.transport, self._client.transport.abort)

    def broken(self, end: _End, error: Exception | None) -> None:
        """One end is gone."""
        if end is self._client:
            self._end()
        elif error is not None and not end.ended:
            self._client.transport.abort()
            self._end()
        elif not end.ended:
            end.ended = True
            end.other.half_close()
            self._finish()

    def shutdown(self) -> None:
        """The server stops: say goodbye to both ends."""
        self._client.half_close()
        self._engine.half_close()
        self._finish()

    def _finish(self) -> None:
        """Nothing more comes from the engine: once the client has read all and hung up, it is over."""
        if self._client.ended or self._client.lost:
            self._client.transport.close()
        if self._linger is None:
            self._linger = self._loop.call_later(_LINGER_SECONDS, self._late)
        self._engine.transport.close()

    def _late(self) -> None:
        """The client has not hung up: wait on only where it has yet to read what was written."""
        if self._client.lost or not self._client.transport.get_write_buffer_size():
            self._end()
        else:
            self._linger = self._loop.call_later(_LINGER_SECONDS, self._late)

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _close(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        if self._forget_hang_up is not None:
            self._forget_hang_up()
        self._engine.transport.abort()
        self._client.transport.close()


class _HangUps:
    """One epoll for all half-closed Unix sockets: the loop stops to watch a socket once it has read its end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    def add(self, fd: int, callback: Callable[[], None]) -> Callable[[], object]:
        watched = os.dup(fd)  # a number of our own: the socket's may be another socket's before we are told
        self._callbacks[watched] = callback
        self._epoll.register(watched, 0)  # EPOLLHUP is always reported
        return lambda: self._forget(watched)

    def _forget(self, watched: int) -> Callable[[], None] | None:
        callback = self._callbacks.pop(watched, None)
        if callback is not None:
            self._epoll.unregister(watched)
            os.close(watched)
        return callback

    def _ready(self) -> None:
        for watched, _ in self._epoll.poll(0):
            if (callback := self._forget(watched)) is not None:
                callback()


_watching: WeakKeyDictionary[asyncio.AbstractEventLoop, _HangUps] = WeakKeyDictionary()


def watch_hang_up(
    loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, callback: Callable[[], None]
) -> Callable[[], object]:
    """Call back once the other side of a Unix socket has closed it whole. Returns how to stop watching."""
    watcher = _watching.get(loop)
    if watcher is None:
        watcher = _watching[loop] = _HangUps(loop)
    return watcher.add(transport.get_extra_info("socket").fileno(), callback)
