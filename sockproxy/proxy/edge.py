"""A client's connection: one request per judgement, bounded, and a way for the gateway to take the socket over.

uvicorn's server and its connection keep the sockets; what ASGI lacks is here. The head is split from what follows by
hand, and no byte after it reaches an HTTP parser until the request at hand has been answered: what comes behind it is
held, and is either the tunnel's (the engine answered 101), the next request (an ordinary answer), or nobody's (an
upgrade that was refused). So a request can never hide behind another.

    READING ── head ──► ANSWERING ── answered ──► READING      keep-alive
                            │    └── last one ──► LINGERING    half-closed, what still comes is dropped, then closed
                            └── take_over ──► a tunnel (relay.py), and this object is gone

The application is told of requests that cannot be read, too (`Exchange.fault`), so that one place answers and records
all. When a client leaves, the application's task is cancelled: silent streams end at once.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from sockproxy.errors import Malformed, Refusal, TooLarge
from sockproxy.model import Peer
from sockproxy.proxy import head as heads
from sockproxy.proxy.chunked import Chunked
from sockproxy.proxy.head import Head
from sockproxy.proxy.limits import HEAD_BYTES, Limits

EXTENSION: Final = "sockproxy"
"""The key under ``scope["extensions"]`` where the application finds its `Exchange`."""

_HIGH_WATER: Final = 256 * 1024
"""Bytes of a request's body, or behind it, that are held before reading pauses."""
_LEAVING_SECONDS: Final = 0.5
"""How long an ordinary answer may still take once its client has half-closed: `nc -N` waits for one, a client that left
does not, and the two look alike."""
_BODILESS: Final = frozenset({204, 304})


class Exchange:
    """One request and its answer: what the application is given beyond ASGI, and ASGI's ``receive`` and ``send``."""

    __slots__ = (
        "_body",
        "_chunked",
        "_continue",
        "_edge",
        "_framing",
        "_left",
        "_waiter",
        "answered",
        "bytes_in",
        "bytes_out",
        "endless",
        "fault",
        "gone",
        "head",
        "hijacking",
        "last",
        "peer",
        "started",
        "status",
    )

    def __init__(self, edge: Edge, head: Head | None, fault: Refusal | None) -> None:
        self._edge = edge
        self.head = head
        """The request's head; None where there is a ``fault``."""
        self.fault = fault
        """Why the request cannot be read; None where it can."""
        self.peer = edge.peer
        self.last = head is None or head.upgrade or not head.keep_alive
        """No further request is read from this connection. The application sets it where a hijack may be meant."""
        self.endless = False
        """Set by the application for an answer that may never end: a stopping server does not wait for it."""
        self.hijacking = False
        """Set by the application for a row that hijacks: a half-close is the end of what the client types, no more."""
        self.gone = False
        """The client has left; the application's task is cancelled when this becomes true."""
        self.started = self.answered = False
        self.status: int | None = None
        self.bytes_in = self.bytes_out = 0
        """Bytes of the request's and the answer's body."""
        self._body: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._chunked = Chunked() if head is not None and head.length is None else None
        self._left = head.length or 0 if head is not None else 0
        self._continue = head is not None and head.expects
        self._framing = 0
        """Of the answer: bytes of its Content-Length still to come, or one of the negative marks below."""

    @property
    def read_whole(self) -> bool:
        """Every byte of the request's body has come."""
        return not self._left and (self._chunked is None or self._chunked.done)

    def feed(self, data: bytes) -> bytes:
        """Take what arrived; what came behind the body is returned.

        Raises:
            Malformed: the chunks are wrong.
        """
        if self._chunked is not None:
            part = self._chunked.feed(data)
            behind = self._chunked.behind
        else:
            part, behind = (data, b"") if len(data) <= self._left else (data[: self._left], data[self._left :])
            self._left -= len(part)
        self.bytes_in += len(part)
        if part and not self.answered:
            self._body.append(part)
        self._wake()
        return behind

    def spoil(self, fault: Refusal) -> None:
        """The body cannot be read on: `receive` raises ``fault``."""
        self.fault = fault
        self._wake()

    @property
    def held(self) -> int:
        """Bytes of the body that the application has not taken yet."""
        return sum(map(len, self._body))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ASGI ------------------------------------------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """The next part of the body, as ASGI has it.

        Raises:
            Malformed: the body's chunks are wrong.
        """
        if self._continue and not self.read_whole and not self.started:
            self._edge.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._continue = False
        while not self._body and not self.read_whole and self.fault is None and not self.gone:
            self._edge.flow.resume_reading()
            self._waiter = self._edge.loop.create_future()
            await self._waiter
        if self.fault is not None:
            raise self.fault
        if self.gone:
            return {"type": "http.disconnect"}
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        return {"type": "http.request", "body": body, "more_body": not self.read_whole}

    async def send(self, message: dict[str, Any]) -> None:
        """Write the answer's head at once, or a part of its body; waits while the client does not read.

        An answer without a length comes in chunks, or to an HTTP/1.0 client until the connection closes.
        """
        if self.gone:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
            return
        self._write_body(message.get("body", b""))
        if not message.get("more_body", False):
            self._end()
        elif self._edge.flow.write_paused:
            await self._edge.flow.drain()

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.started, self.status = True, status
        lines = [STATUS_LINE[status]]
        length: bytes | None = None
        for name, value in headers:
            if length is None and name.lower() == b"content-length":
                length = value
            lines += (name, b": ", value, b"\r\n")
        if not self.read_whole:
            self.last = True
        self._framing = self._answer_framing(status, length)
        if self._framing == _CHUNKS:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        if self.last and not self._hides_its_end:
            lines.append(b"Connection: close\r\n")
        lines.append(b"\r\n")
        self._edge.transport.write(b"".join(lines))

    @property
    def _hides_its_end(self) -> bool:
        """Whether the answer does not say that the connection ends with it.

        To a hijack that is refused, as the engine itself does not say so there: the docker command up to 23 takes
        `Connection: close` for the end of its handshake, and prints the answer as if it were the stream (Go's
        `httputil.ClientConn.Do` gives `ErrPersistEOF` beside the response, and the status is not looked at).
        """
        return self.hijacking and self.head is not None and self.head.upgrade

    def _answer_framing(self, status: int, length: bytes | None) -> int:
        if (self.head is not None and self.head.method == b"HEAD") or status in _BODILESS:
            return _NONE
        if length is not None:
            return int(length)
        if self.head is not None and self.head.old:
            self.last = True
            return _TO_THE_END
        return _CHUNKS

    def _write_body(self, body: bytes) -> None:
        if not body or self._framing == _NONE:
            return
        self.bytes_out += len(body)
        write = self._edge.transport.write
        if self._framing == _CHUNKS:
            write(b"%x\r\n" % len(body))
            write(body)
            write(b"\r\n")
            return
        if self._framing != _TO_THE_END:
            if len(body) > self._framing:
                raise RuntimeError("an answer longer than its Content-Length")
            self._framing -= len(body)
        write(body)

    def _end(self) -> None:
        if self._framing > 0:
            raise RuntimeError("an answer shorter than its Content-Length")
        if self._framing == _CHUNKS:
            self._edge.transport.write(b"0\r\n\r\n")
        self.answered = True
        self._body.clear()
        self._edge.answered(self)

    # Beyond ASGI -----------------------------------------------------------------------------------------------------

    def abort(self) -> None:
        """Break the answer off, so that no client takes it for whole."""
        self.answered = True
        self._edge.break_off(hard=self._framing == _TO_THE_END)

    def take_over(self) -> Taken:
        """The socket itself, from now on the caller's."""
        self.answered = True
        return self._edge.hand_over()


_CHUNKS: Final = -1
_TO_THE_END: Final = -2
_NONE: Final = -3


@dataclass(frozen=True, slots=True)
class Taken:
    """A connection that speaks HTTP no more."""

    transport: asyncio.Transport
    early: bytes
    """What the client sent behind its request."""
    ended: bool
    """The client has half-closed already."""
    connections: set[Any]
    """The server's open connections: who takes the socket stays in it until it is closed."""


class Edge(HttpToolsProtocol):
    """One client connection, READING, ANSWERING or LINGERING."""

    limits: ClassVar[Limits] = Limits()

    @classmethod
    def within(cls, limits: Limits) -> type[Edge]:
        """The protocol with these limits; uvicorn takes a class."""
        return type("Edge", (cls,), {"limits": limits})

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Nothing is ever fed to uvicorn's own parser, which it sets to be lenient, nor queued in its pipeline.
        del self.parser, self.pipeline
        self.peer = Peer(address="unknown")
        self._buffer = b""
        """A head in part; or, while answering, what came behind the request."""
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        """The client has half-closed."""
        self._surplus = False
        """It was one connection too many when it came."""
        self._drained: int | None = None
        """Bytes dropped while LINGERING; None in the other states."""
        self._idle_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = None

    # The connection --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to read; beyond twice the limit of connections nobody is even told why not."""
        super().connection_made(transport)
        self.peer = _peer(transport)
        self._idle_since = self.loop.time()
        self._timer = self.loop.call_later(self.limits.idle_seconds, self._idle)
        if len(self.connections) > 2 * self.limits.connections:
            transport.abort()
        elif len(self.connections) > self.limits.connections:
            self._surplus = True
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client has left: its request has nobody to answer."""
        self.connections.discard(self)
        self._forget_timers()
        self.flow.resume_writing()
        exchange, self._exchange = self._exchange, None
        if exchange is not None and not exchange.answered:
            exchange.gone = True
            if self._task is not None:
                self._task.cancel()
        self._task = None

    def eof_received(self) -> bool:  # type: ignore[override]
        """A half-close. It stays open only for a request that came whole: it may be a hijack, or want its answer."""
        self._ended = True
        exchange = self._exchange
        if exchange is None or not exchange.read_whole:
            return False
        if exchange.endless:
            return False
        self._head_timer = self.loop.call_later(_LEAVING_SECONDS, self._leave)
        return True

    def _leave(self) -> None:
        if self._exchange is not None and not self._exchange.hijacking:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """What the client sent: drop it, hold it, or read it."""
        if self._drained is not None:
            self._drained += len(data)
            if self._drained > self.limits.drain_bytes:
                self.transport.close()
        elif self._exchange is not None:
            self._take(self._exchange, data)
        else:
            self._read(data)

    # READING ---------------------------------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        if self._buffer:
            searched, data = max(0, len(self._buffer) - 3), self._buffer + data
        else:
            searched = 0
        # RFC 9112, 2.2: one empty line before a request is let pass, however its bytes came.
        skipped = 2 if data.startswith(b"\r\n") else 0
        end = data.find(b"\r\n\r\n", max(skipped, searched), HEAD_BYTES)
        if end >= 0:
            self._buffer = b""
            self._begin(data[skipped : end + 4], data[end + 4 :])
        elif len(data) >= HEAD_BYTES:
            self._refuse(TooLarge(f"a head of more than {HEAD_BYTES} bytes", status=431))
        elif data.count(b"\n") != data.count(b"\r\n"):
            # Its end would never come: why is said at once, not when the time is up.
            self._refuse(Malformed("a line that does not end in CRLF"))
        else:
            self._buffer = data
            if len(data) > skipped and self._head_timer is None:
                self._await_head()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds, self._head_late)

    def _head_late(self) -> None:
        self._refuse(Malformed(f"the head took longer than {self.limits.head_seconds:g} s", status=408))

    def _begin(self, data: bytes, behind: bytes) -> None:
        if self._surplus and len(self.connections) > self.limits.connections:
            self._refuse(TooLarge(f"{self.limits.connections} connections are open, which is the limit", status=503))
            return
        try:
            head = heads.read(data)
        except Malformed as fault:
            self._refuse(fault)
            return
        exchange = Exchange(self, head, None)
        self._run(exchange)
        if behind:
            self._take(exchange, behind)

    def _refuse(self, fault: Refusal) -> None:
        """Have the application answer, and record, a request that cannot be read."""
        self._buffer = b""
        self._run(Exchange(self, None, fault))

    def _run(self, exchange: Exchange) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        self._exchange = exchange
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "",
            "path": "",
            "headers": (),
            "extensions": {EXTENSION: exchange},
        }
        if (head := exchange.head) is not None:
            scope["method"], scope["headers"] = head.method.decode("ascii"), head.headers
        self._task = self.loop.create_task(self._answer(scope, exchange))
        self.tasks.add(self._task)
        self._task.add_done_callback(self.tasks.discard)

    async def _answer(self, scope: dict[str, Any], exchange: Exchange) -> None:
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            if not exchange.answered and not exchange.gone:
                self.break_off(hard=True)

    # ANSWERING -------------------------------------------------------------------------------------------------------

    def _take(self, exchange: Exchange, data: bytes) -> None:
        if exchange.fault is not None:
            return
        if not exchange.read_whole:
            try:
                data = exchange.feed(data)
            except Malformed as fault:
                exchange.last = True
                exchange.spoil(fault)
                return
            if exchange.held > _HIGH_WATER:
                self.flow.pause_reading()
        if data:
            self._buffer += data
            if len(self._buffer) > _HIGH_WATER:
                self.flow.pause_reading()

    def answered(self, exchange: Exchange) -> None:
        """The answer is written: read the next request, or say goodbye."""
        self.server_state.total_requests += 1
        self._exchange = self._task = None
        if exchange.head is None or exchange.head.upgrade or exchange.hijacking or not exchange.read_whole:
            self._linger()  # more may be on its way, and none of it is a request
            return
        if exchange.last or self._ended:
            self._close()
            return
        self._idle_since = self.loop.time()
        self.flow.resume_reading()
        if self._buffer:
            behind, self._buffer = self._buffer, b""
            self._read(behind)  # here and now: what is read from the socket next comes after it

    def break_off(self, *, hard: bool) -> None:
        """Close without an end that a client could take for the answer's own."""
        self._exchange = self._task = None
        if hard:
            # A reset, not an orderly end: the close is all that an HTTP/1.0 client knows the end by.
            handle = self.transport.get_extra_info("socket")
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self._close()

    def hand_over(self) -> Taken:
        """Give the socket away."""
        self._forget_timers()
        self.connections.discard(self)
        self._exchange = self._task = None
        early, self._buffer = self._buffer, b""
        return Taken(self.transport, early, self._ended, self.connections)

    # LINGERING -------------------------------------------------------------------------------------------------------

    def _linger(self) -> None:
        """Half-close, and drop what still comes for a while.

        Closed with bytes unread, the kernel sends a reset that overtakes the answer, and clients print
        `connection reset` in place of the reason.
        """
        self._buffer = b""
        self._drained = 0
        self._forget_timers()
        if self._ended or self.transport.is_closing() or not self.transport.can_write_eof():
            self._close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(self.limits.drain_seconds, self._late)

    def _close(self) -> None:
        """Close once what is written has been read."""
        self._forget_timers()
        self.transport.close()
        self._timer = self.loop.call_later(self.limits.drain_seconds, self._late)

    def _late(self) -> None:
        """Wait on only for a client that has yet to read what was written for it."""
        if self.transport.get_write_buffer_size():
            self._timer = self.loop.call_later(self.limits.drain_seconds, self._late)
        else:
            self.transport.abort()

    # Clocks and the server -------------------------------------------------------------------------------------------

    def _idle(self) -> None:
        """One timer for the connection's life instead of one for each request."""
        busy = self._exchange is not None
        left = self.limits.idle_seconds - (0 if busy else self.loop.time() - self._idle_since)
        if left > 0:
            self._timer = self.loop.call_later(left, self._idle)
        else:
            self.transport.close()

    def _forget_timers(self) -> None:
        for timer in (self._timer, self._head_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._head_timer = None

    def shutdown(self) -> None:
        """The server stops: finish an ordinary answer, end everything else now."""
        if self._exchange is None or self._exchange.endless:
            self.transport.close()
        else:
            self._exchange.last = True


def _peer(transport: asyncio.Transport) -> Peer:
    """Who is at the other end. A Unix socket's credentials are vouched for by the kernel (``SO_PEERCRED``)."""
    handle = transport.get_extra_info("socket")
    if handle.family == socket.AF_UNIX:
        credentials = handle.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", credentials)
        return Peer(address=f"unix:{pid}", uid=uid)
    name = transport.get_extra_info("peername")
    if not name:
        return Peer(address="unknown")  # it has left already
    host, port = name[:2]
    return Peer(address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}", ip=host)
