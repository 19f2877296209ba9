"""Connections to the daemon: one exchange at a time, kept alive between ordinary ones, fresh for a hijack.

    IDLE ── begin ──► ASKED ── head ──► ANSWERING ── end ──► IDLE
                                            └── 101, or a raw 200 ──► hand_over: a tunnel, and this object is gone

What is asked was built from what was judged. No redirect is followed, no cookie kept, nothing retried that may have
been done: a request goes out a second time only where its connection turned out stale and repeating it is harmless.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import httptools

from sockproxy.errors import EngineDown
from sockproxy.proxy.address import Address, why_unreachable
from sockproxy.proxy.limits import HEAD_BYTES, Limits

_HIGH_WATER: Final = 256 * 1024
"""Bytes of an answer that are held before reading pauses."""
Notice: TypeAlias = Literal["reached", "unreachable", "lost"]
"""A connection was made; none can be; the engine closed one."""

_IDLE_KEPT: Final = 64
"""Connections that are kept for the next requests."""
_KEEP_ALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A peer that has vanished is noticed within two minutes."""


class Lost(EngineDown):
    """The engine closed the connection in the middle of an exchange."""

    def __init__(self, message: str, *, silent: bool) -> None:
        super().__init__(message)
        self.silent = silent
        """Not one byte of an answer had come."""


class Connection(asyncio.Protocol):
    """One connection to the daemon."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self.transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._writing_paused = self._reading_paused = False
        self.closed = False
        """Nothing can be asked of it any more."""
        self.used = False
        """It has served an exchange before this one, so it may have gone stale."""
        self._busy = False
        self._bodiless = False
        self._reset()

    def _reset(self) -> None:
        self._silent = True
        self._head_bytes = 0
        self._headed = False
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        """The answer's head, names as the engine spells them."""
        self._chunks: list[bytes] = []
        self._held = 0
        self.ended = False
        """The answer is whole."""
        self._fault: str | None = None
        self._keep = False
        self._delimited = False
        self._raw = False
        self.spent = False
        """The engine has half-closed: nothing more comes."""

    # asyncio ---------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse the answer; what nobody asked for ends the connection."""
        if not self._busy or self.ended:
            self._break("it spoke without being asked")
            return
        self._silent = False
        if self._raw:
            self._hold(data)
            return
        if not self._headed:
            self._head_bytes += len(data)
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._raw = True
            if behind := data[stop.args[0] :]:
                self._hold(behind)
        except httptools.HttpParserError as error:
            if not self.ended:
                self._break(f"its answer is no HTTP/1.1 ({error})")
        if not self._headed and self._head_bytes > HEAD_BYTES:
            self._break(f"the head of its answer has more than {HEAD_BYTES} bytes")

    def eof_received(self) -> bool:
        """The end of an answer that has no length, or the end of the connection. Raw streams are the relay's."""
        self.spent = True
        if self._raw:
            self._wake()
            return True
        if self._headed and not self.ended and not self._delimited:
            self._finish()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and with it an answer that was not whole."""
        ours, self.closed = self.closed, True
        if self._busy and not self.ended and self._fault is None:
            self._fault = "it closed the connection" if exc is None else f"it closed the connection ({exc})"
        self._engine.lost(self, by_engine=not ours and not (self._busy and self.ended))
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        """The engine does not read as fast as is written."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """It does again, or never will."""
        self._writing_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # httptools -------------------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; trailers, which come later, are dropped."""
        if not self._headed:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: 1xx is not the answer yet, and some answers have no body whatever they say."""
        if self.ended:
            return
        assert self._parser is not None
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self.headers = []
            return
        self.status, self._headed = status, True
        if status == 101:
            self._raw = True
        closing = False
        for name, value in self.headers:
            match name.lower():
                case b"content-length":
                    self._delimited = True
                case b"transfer-encoding":
                    self._delimited = value.lower() == b"chunked"
                case b"connection":
                    closing = b"close" in value.lower()
        kept = self._parser is not None and self._parser.get_http_version() == "1.1" and not closing
        self._keep = kept and (self._delimited or self._bodiless or status in (204, 304))
        if self._bodiless:
            # httptools cannot be told that HEAD has no body: it would wait for the length that is named.
            self._parser = None
            self._finish()
        self._wake()

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        if not self.ended:
            self._hold(data)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._headed and not self.ended:
            assert self._parser is not None
            self._keep = self._keep and self._parser.should_keep_alive()
            self._finish()

    def on_message_begin(self) -> None:
        """A second answer to one request would be the next client's: the connection is not used again."""
        if self.ended:
            self._keep = False

    # The exchange ----------------------------------------------------------------------------------------------------

    def _hold(self, data: bytes) -> None:
        self._chunks.append(data)
        self._held += len(data)
        if self._held > _HIGH_WATER and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()
        self._wake()

    def _finish(self) -> None:
        self.ended = True
        self._wake()

    def _break(self, fault: str) -> None:
        self._fault = fault
        self.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def begin(self, request: bytes, *, bodiless: bool) -> None:
        """Send a request, or its head. ``bodiless`` says that its method is HEAD."""
        if self.used:
            self._reset()
        self._busy, self._bodiless = True, bodiless
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self.transport.write(request)

    async def write(self, data: bytes) -> None:
        """Send a part of the request's body; waits while the engine does not read.

        Raises:
            Lost: it is gone.
        """
        if self.closed or self.transport.is_closing():
            raise self._error()
        self.transport.write(data)
        if self._writing_paused:
            self._drained = self._loop.create_future()
            await self._drained

    async def head(self) -> None:
        """Wait for the answer's head: ``status`` and ``headers`` are there then.

        Raises:
            Lost: it closed the connection before, or what it sent is no answer.
        """
        while not self._headed:
            if self._fault is not None or self.closed:
                raise self._error()
            await self._wait()

    async def read(self) -> bytes:
        """The next part of the answer's body; empty at its end.

        Raises:
            Lost: it closed the connection before the end.
        """
        while not self._chunks:
            if self.ended:
                return b""
            if self._fault is not None or self.closed:
                raise self._error()
            await self._wait()
        return self.taken()

    def taken(self) -> bytes:
        """What of the body has come."""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        if self._reading_paused and not self.closed:
            self._reading_paused = False
            self.transport.resume_reading()
        return data

    @property
    def drained(self) -> bool:
        """The answer is whole, and all of it was read."""
        return self.ended and not self._chunks

    def _error(self) -> Lost:
        what = self._fault or "it closed the connection"
        return Lost(f"the engine at {self._engine.address} went away: {what}", silent=self._silent)

    @property
    def raw(self) -> bool:
        """The engine speaks HTTP no more: it answered 101, or with Docker's raw 200."""
        return self._raw or (self.status == 200 and not self._delimited and self._streams())

    def _streams(self) -> bool:
        media = b"application/vnd.docker."
        return any(name.lower() == b"content-type" and value.startswith(media) for name, value in self.headers)

    def hand_over(self) -> tuple[asyncio.Transport, bytes, bool]:
        """The transport, from now on the caller's, what came behind the head, and whether that was all."""
        self._busy = False
        self._engine.forget(self)
        return self.transport, self.taken(), self.spent or self.closed

    def release(self) -> None:
        """The exchange is over: keep the connection where it can be used again."""
        if self.ended and self._keep and not self.closed and not self._chunks and not self._writing_paused:
            self._busy = False
            self.used = True
            self._engine.keep(self)
        else:
            self.close()

    def close(self) -> None:
        """Close it at once: the engine must see that nobody listens."""
        self.closed = True
        self.transport.abort()

    @property
    def stale(self) -> bool:
        """It was closed, or spoken to, since it was last used: looked up in the kernel, not in what was delivered."""
        if self.closed or self.transport.is_closing():
            return True
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLHUP)
        return bool(poll.poll(0))


class Engine:
    """The daemon: where it is, and the connections that are open to it."""

    def __init__(self, address: Address, limits: Limits, *, notice: Callable[[Notice], None]) -> None:
        self.address = address
        self._limits = limits
        self._notice = notice
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()

    async def ask(self, request: bytes, *, bodiless: bool, repeatable: bool) -> Connection:
        """Send a request that is whole, and wait for the head of its answer.

        ``repeatable`` says that doing it twice is harmless (GET, HEAD): it is sent again on a fresh connection where
        an idle one had gone stale. The caller releases the connection, or closes it, whatever happens after.

        Raises:
            EngineDown: it cannot be reached (503), or went away before it answered (502).
        """
        connection = await self.connect(checked=not repeatable)
        try:
            connection.begin(request, bodiless=bodiless)
            await connection.head()
        except Lost as error:
            if not (repeatable and connection.used and error.silent):
                raise
            connection = await self.fresh()
            try:
                connection.begin(request, bodiless=bodiless)
                await connection.head()
            except BaseException:
                connection.close()
                raise
        except BaseException:
            connection.close()
            raise
        return connection

    async def connect(self, *, checked: bool) -> Connection:
        """An idle connection, or a fresh one. ``checked`` asks the kernel first whether an idle one still lives.

        Raises:
            EngineDown: it cannot be reached.
        """
        while self._idle:
            connection = self._idle.pop()
            if not (connection.closed or (checked and connection.stale)):
                return connection
            connection.close()
        return await self.fresh()

    async def fresh(self) -> Connection:
        """A connection of its own.

        Raises:
            EngineDown: it cannot be reached.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                if self.address.path is not None:
                    _, connection = await loop.create_unix_connection(lambda: Connection(self, loop), self.address.path)
                else:
                    _, connection = await loop.create_connection(
                        lambda: Connection(self, loop), self.address.host, self.address.port
                    )
                    _keep_alive(connection.transport)
        except OSError as error:
            self._notice("unreachable")
            raise EngineDown(why_unreachable(self.address, error), status=503) from error
        self._open.add(connection)
        self._notice("reached")
        return connection

    def keep(self, connection: Connection) -> None:
        """Keep an idle connection for the next request."""
        if len(self._idle) < _IDLE_KEPT:
            self._idle.append(connection)
        else:
            connection.close()

    def lost(self, connection: Connection, *, by_engine: bool) -> None:
        """A connection is gone. Where the engine closed it, it may come back as another version."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if by_engine:
            self._notice("lost")

    def forget(self, connection: Connection) -> None:
        """A connection is a tunnel now."""
        self._open.discard(connection)

    def close(self) -> None:
        """Close every connection."""
        for connection in tuple(self._open):
            connection.close()
        self._idle.clear()


def _keep_alive(transport: asyncio.Transport) -> None:
    handle = transport.get_extra_info("socket")
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE:
        handle.setsockopt(socket.IPPROTO_TCP, option, value)
