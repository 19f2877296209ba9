"""A connection without sockets: a loop whose clock is moved by hand, transports in memory, and a strict small engine."""

from __future__ import annotations

import asyncio
import re
import selectors
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    """A loop that waits for nothing: where nothing is ready its clock moves on to the next timer at once."""

    def __init__(self) -> None:
        self.now = self._until = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now

    def reset(self) -> None:
        """Begin at zero again: a clock of many days has no nanoseconds left. What was cancelled is forgotten."""
        left = [timer for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        assert not left, left
        self._scheduled.clear()  # type: ignore[attr-defined]
        self._timer_cancelled_count = 0
        self.now = self._until = 0.0

    def settle(self, seconds: float = 0.0) -> None:
        """Run until nothing is left to do within so many seconds."""
        self._until = self.now + seconds
        self.run_forever()

    def step(self, timeout: float | None) -> None:
        if timeout is not None and timeout <= 0:
            return
        if timeout is None or self.now + timeout > self._until:
            self.now = self._until
            self.stop()
        else:
            self.now += max(timeout, 1e-6)


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        self._loop.step(timeout)
        return []


class _Handle:
    """What is asked of a socket."""

    def __init__(self, *, unix: bool) -> None:
        self.family = socket.AF_UNIX if unix else socket.AF_INET
        self.reset = False
        self._quiet, self._other = _PAIR

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self.reset = option == socket.SO_LINGER

    def fileno(self) -> int:
        """A descriptor on which nothing ever comes."""
        return self._quiet.fileno()

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        """Who is at the other end of a Unix socket."""
        return struct.pack("3i", 4711, 1000, 1000)

    def getpeername(self) -> tuple[str, int] | str:
        return "" if self.family == socket.AF_UNIX else ("10.0.0.9", 40000)

    def getsockname(self) -> tuple[str, int] | str:
        return "/run/proxy.sock" if self.family == socket.AF_UNIX else ("10.0.0.1", 2375)


_PAIR = socket.socketpair()


class Wire(asyncio.Transport):
    """Our end of a connection. What is written to it is ``told`` to the other end, the end too (None)."""

    def __init__(
        self, loop: Loop, told: Callable[[bytes | None], None], *, slow: bool = False, unix: bool = False
    ) -> None:
        super().__init__()
        self._loop = loop
        self._told = told
        self._slow = slow
        self._stuck = False
        self.handle = _Handle(unix=unix)
        self.protocol: Any = None
        self.waiting: list[bytes | None] = []
        """What came while reading was paused; None is the end."""
        self.paused = self.closing = self.lost = self.ended = False
        self.half_closed = False

    def connect(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.connection_made(self)

    # What the protocol may ask

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": self.handle, "peername": self.handle.getpeername()}.get(name, default)

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return not self.paused and not self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        if self.paused and not self.closing:
            self.paused = False
            self._loop.call_soon(self._deliver)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self.half_closed:
            self.half_closed = True
            self._told(None)

    def get_write_buffer_size(self) -> int:
        return 1 if self._stuck else 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.half_closed:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.lost or self.closing:
            return
        self._told(bytes(data))
        if self._slow and not self._stuck:
            self._stuck = True
            self.protocol.pause_writing()
            self._loop.call_later(0.01, self._go_on)

    def _go_on(self) -> None:
        self._stuck = False
        if not self.lost:
            self.protocol.resume_writing()

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        if not self.closing:
            self.closing = True
            self._loop.call_soon(self._lose, None)

    # What the other end does

    def feed(self, data: bytes | None) -> None:
        """Bytes come, or the end (None)."""
        self.waiting.append(data)
        self._deliver()

    def hang_up(self) -> None:
        """The other end is gone."""
        if not self.closing:
            self.closing = True
            self._loop.call_soon(self._lose, ConnectionResetError("reset"))

    def _deliver(self) -> None:
        while self.waiting and not self.paused and not self.closing:
            data = self.waiting.pop(0)
            if data is not None:
                self.protocol.data_received(data)
            elif not self.ended:
                self.ended = True
                if not self.protocol.eof_received():
                    self.close()

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(error)


# The engine ----------------------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """A request that came to the engine, strictly read."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    whole: bool = False
    tunnel: bytes = b""
    """What came behind it once it was a raw stream."""
    told: bytes = b""
    """What was answered to it, raw stream and all."""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass
class Daemon:
    """Every connection's requests, in the order that they came, and how each is answered."""

    loop: Loop
    rng: Random
    asked: list[Asked] = field(default_factory=list)
    unkind: bool = False
    """It closed, fell silent, or said something that is no answer."""
    silent: bool = False

    def connected(self) -> Line:
        return Line(self)


_HEAD = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+: [\t -~\x80-\xff]*\r\n)*)\r\n")
_STREAM = b"Content-Type: application/vnd.docker.raw-stream\r\n"
_LENGTH = b"Api-Version: 1.51\r\nContent-Type: application/json\r\nContent-Length: 13\r\n"
_BODY = b'{"Id":"made"}'


class Line:
    """One connection to the engine: a request, its answer, and then the next one."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.wire: Wire
        self._buffer = b""
        self._asked: Asked | None = None
        self._left: int | None = 0
        self._raw = False
        self._done = False
        """It said that it would close."""
        self._stale = False
        """It says nothing to the next request, and closes."""

    def told(self, data: bytes | None) -> None:
        """What sockproxy wrote; None where it half-closed, which only the end of a raw stream is."""
        if data is None:
            assert self._raw
            self._later(b"", end=True)
            return
        if self._raw:
            assert self._asked is not None
            self._asked.tunnel += data
            return
        assert not self._done, f"asked on a connection that the engine closes: {data!r}"
        self._buffer += data
        while self._buffer and not self._raw:
            if self._asked is None:
                if b"\r\n\r\n" not in self._buffer:
                    return
                self._begin()
            elif self._asked.whole:
                raise AssertionError(f"a request was begun before the one before it was answered: {self._buffer!r}")
            elif not self._read_body():
                return

    def _begin(self) -> None:
        end = self._buffer.index(b"\r\n\r\n") + 4
        head, self._buffer = self._buffer[:end], self._buffer[end:]
        match = _HEAD.fullmatch(head)
        assert match is not None, head
        lines = match[3].decode("latin-1").split("\r\n")[:-1]
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        asked = self._asked = Asked(match[1].decode(), match[2].decode(), headers)
        self.daemon.asked.append(asked)
        names = [name.lower() for name, _ in headers]
        once = [name for name in names if not name.startswith(("x-docker-expose-", "sec-websocket-"))]
        assert len(once) == len(set(once)), names
        assert headers[0] == ("Host", "docker")
        assert not {"content-length", "transfer-encoding"} <= set(names)
        if "transfer-encoding" in names:
            assert asked.header("transfer-encoding") == "chunked"
            self._left = None
        else:
            length = asked.header("content-length") or "0"
            assert re.fullmatch("[0-9]{1,18}", length), length
            self._left = int(length)
        self._read_body()

    def _read_body(self) -> bool:
        """Read on in the body; whether more could be read."""
        asked = self._asked
        assert asked is not None
        if self._left is None:
            chunk = re.match(rb"([0-9a-f]{1,8})\r\n", self._buffer)
            if chunk is None:
                assert re.fullmatch(rb"[0-9a-f]{0,8}\r?", self._buffer), self._buffer
                return False
            size = int(chunk[1], 16)
            if len(self._buffer) < chunk.end() + size + 2:
                return False
            part, end = self._buffer[chunk.end() : chunk.end() + size], self._buffer[chunk.end() + size :][:2]
            assert end == b"\r\n", self._buffer
            self._buffer = self._buffer[chunk.end() + size + 2 :]
            asked.body += part
            if size:
                return True
        else:
            part, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
            asked.body += part
            self._left -= len(part)
            if self._left:
                return False
        asked.whole = True
        self._answer(asked)
        return True

    # Answers

    def _answer(self, asked: Asked) -> None:
        rng = self.daemon.rng
        choice = rng.choice(_KIND) if rng.random() < 0.8 else rng.choice(_UNKIND)
        if asked.header("upgrade") is not None and rng.random() < 0.6:
            choice = "upgrade"
        if self._stale:
            choice = "leave"
        if choice in _UNKIND:
            self.daemon.unkind = True
        bodiless = asked.method == "HEAD"
        match choice:
            case "length" | "stale":
                self._stale = choice == "stale"
                self._say(b"HTTP/1.1 200 OK\r\n" + _LENGTH + b"\r\n" + (b"" if bodiless else _BODY))
            case "chunks":
                body = b"" if bodiless else b'5\r\n{"Id"\r\n8\r\n:"made"}\r\n0\r\n\r\n'
                self._say(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
            case "absent":
                self._say(b"HTTP/1.1 404 Not Found\r\n" + _LENGTH + b"\r\n" + (b"" if bodiless else _BODY))
            case "nothing":
                self._say(b"HTTP/1.1 204 No Content\r\n\r\n")
            case "continue":
                self._say(
                    b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n"
                    + _LENGTH
                    + b"\r\n"
                    + (b"" if bodiless else _BODY)
                )
            case "to the end":
                self._say(b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n" + (b"" if bodiless else _BODY), end=True)
            case "close":
                self._say(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + _LENGTH + b"\r\n" + (b"" if bodiless else _BODY),
                    end=True,
                )
            case "upgrade":
                upgrade = asked.header("upgrade") or "tcp"
                self._stream(
                    b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: " + upgrade.encode() + b"\r\n\r\n"
                )
            case "raw":
                self._stream(b"HTTP/1.1 200 OK\r\n" + _STREAM + b"\r\n")
            case "silent":
                self.daemon.silent = True
            case "leave":
                self._say(b"", end=True)
            case "half":
                self._say(b"HTTP/1.1 200 OK\r\n" + _LENGTH + b'\r\n{"Id', end=True)
            case "twice":
                self._say(
                    b"HTTP/1.1 200 OK\r\n" + _LENGTH + b"\r\n" + _BODY + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                )
            case "garbage":
                self._say(b"hello\r\n\r\n" * 3)

    def _say(self, data: bytes, *, end: bool = False) -> None:
        """Answer in pieces; then the next request may come."""
        asked, self._asked = self._asked, None
        assert asked is not None
        if asked.header("upgrade") is not None:
            self._asked = asked  # nothing may be asked behind it, whatever was answered
        asked.told = data
        # dockerd answers HEAD in no other version: whether such a connection may be used again is not looked at.
        self._done = b"Connection: close" in data or (data.startswith(b"HTTP/1.0") and asked.method != "HEAD")
        self._later(data, end=end)

    def _stream(self, data: bytes) -> None:
        self._raw = True
        assert self._asked is not None
        early, self._buffer = self._buffer, b""
        assert not early
        self._asked.told = data + b"out\x00put"
        self._later(self._asked.told, end=self.daemon.rng.random() < 0.5)

    def _later(self, data: bytes, *, end: bool) -> None:
        rng, call_later = self.daemon.rng, self.daemon.loop.call_later
        at, delay = 0, 0.0
        while at < len(data):
            size = rng.choice((3, 20, 500))
            call_later(delay, self._feed, data[at : at + size])
            at += size
            delay += rng.choice((0.00001, 0.00001, 0.001))  # never at one time: timers of one time have no order
        if end:
            call_later(delay + 0.001, self._feed, None)

    def _feed(self, data: bytes | None) -> None:
        if not self.wire.closing:
            self.wire.feed(data)


_KIND = ("length", "length", "length", "chunks", "absent", "nothing", "continue", "to the end", "close")
_UNKIND = ("silent", "stale", "leave", "half", "twice", "garbage", "raw", "upgrade")
