"""HTTP/1.1 over asyncio's streams, as far as an engine's clients need it.

A handler is given a `Request` and returns a `Reply`: an `Answer` that is whole, a `Stream` of chunks without an end
in sight, or a `Hijack` that takes the connection over for a process. Keep-alive, chunked bodies both ways,
`Expect: 100-continue` and half-close are here; nothing else of HTTP is.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, unquote

from sockproxy.model import Json, JsonObject
from sockproxy.standin.process import Process

BODY_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a JSON body that are read; more is answered 413."""

API: Final = "1.51"
"""The newest API version that is spoken, unless the engine is told otherwise: that of Docker Engine 28.5."""
API_MINIMUM: Final = "1.24"
SERVER: Final = "sockproxy-standin"

_VERSION_PREFIX: Final = re.compile(r"/v(\d+\.\d+)(?=/)")


class EngineError(Exception):
    """An error that is answered in Docker's shape."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Spoken:
    """The API versions that an engine speaks."""

    newest: str = API
    oldest: str = API_MINIMUM

    def check(self, version: str) -> None:
        """Refuse a version out of range, in Docker's words.

        :raises EngineError: 400.
        """
        asked, newest, oldest = (tuple(map(int, each.split("."))) for each in (version, self.newest, self.oldest))
        if asked > newest:
            raise EngineError(
                400, f"client version {version} is too new. Maximum supported API version is {self.newest}"
            )
        if asked < oldest:
            words = f"client version {version} is too old. Minimum supported API version is {self.oldest}"
            raise EngineError(400, f"{words}, please upgrade your client to a newer version")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``body`` yields what comes; `read_json` reads it whole."""

    method: str
    path: str
    """Decoded, without the version prefix."""
    version: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]

    def flag(self, name: str) -> bool:
        """A boolean of the query, as Docker reads one."""
        return self.query.get(name, "").strip().lower() not in {"", "0", "no", "false", "none"}

    async def read_json(self) -> JsonObject:
        """The body as a JSON object, ``{}`` where it is empty.

        :raises EngineError: 400 where it is no object, 413 above `BODY_LIMIT`.
        """
        data = bytearray()
        async for chunk in self.body:
            data += chunk
            if len(data) > BODY_LIMIT:
                raise EngineError(413, "the body is too large")
        try:
            value: Json = json.loads(data or b"{}")
        except ValueError as error:
            raise EngineError(400, f"invalid JSON: {error}") from None
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise EngineError(400, "the body is no JSON object")
        return value

    async def drain(self) -> int:
        """Read the body to its end without keeping it; the number of bytes."""
        size = 0
        async for chunk in self.body:
            size += len(chunk)
        return size


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that is whole. ``body`` is JSON, or text where ``content_type`` says so."""

    status: int = 200
    body: Json | bytes = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The bytes of the body; none for 204 and 304."""
        if self.status in {204, 304}:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Stream:
    """A reply sent as it comes, chunked."""

    chunks: AsyncIterator[bytes]
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Hijack:
    """The connection becomes a process's input and output until the process ends."""

    process: Process
    stdin: bool
    logs: bool
    """Whether what was printed before is sent first."""
    starts: bool = False
    """Whether the process begins now, as an exec's does."""


Reply: TypeAlias = Answer | Stream | Hijack
Handler: TypeAlias = Callable[[Request], Awaitable[Reply]]


def frame(process: Process, channel: int, data: bytes) -> bytes:
    """Docker's frame of eight bytes before the data (stream, three zeros, length); under a terminal the data alone."""
    if process.tty:
        return data.replace(b"\n", b"\r\n")
    return bytes([channel, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


async def serve_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler, spoken: Spoken
) -> None:
    """Answer the requests of one connection until either side ends it."""
    try:
        while await _serve_one(reader, writer, handler, spoken):
            pass
    except (OSError, EOFError, asyncio.LimitOverrunError):
        pass  # the client left in the middle of an exchange: nothing is owed to it
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _serve_one(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler, spoken: Spoken
) -> bool:
    """One exchange; False where the connection ends with it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return False
    try:
        request = _request(head, reader, writer, spoken)
    except EngineError as fault:
        await _send_answer(writer, _fault(fault), spoken, head_only=False, close=True)
        return False
    try:
        reply = await handler(request)
    except EngineError as fault:
        reply = _fault(fault)
    too_large = isinstance(reply, Answer) and reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    close = too_large or request.headers.get("connection", "").lower() == "close"
    match reply:
        case Answer():
            if not too_large:
                await request.drain()
            await _send_answer(writer, reply, spoken, head_only=request.method == "HEAD", close=close)
            return not close
        case Stream():
            await request.drain()
            return await _send_stream(reader, writer, reply, spoken)
        case Hijack():
            await _hijack(reader, writer, request, reply)
            return False


def _fault(fault: EngineError) -> Answer:
    return Answer(fault.status, {"message": fault.message})


def _request(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, spoken: Spoken) -> Request:
    line, *fields = head[:-4].decode("latin-1").split("\r\n")
    try:
        method, target, _ = line.split(" ")
        headers = {name.strip().lower(): value.strip() for name, value in (each.split(":", 1) for each in fields)}
    except ValueError:
        raise EngineError(400, "bad request") from None
    raw_path, _, raw_query = target.partition("?")
    path, version = raw_path, spoken.newest
    if prefix := _VERSION_PREFIX.match(raw_path):
        path, version = raw_path[prefix.end() :], prefix[1]
        spoken.check(version)
    query = dict(parse_qsl(raw_query, keep_blank_values=True))
    return Request(method, unquote(path), version, query, headers, _body(headers, reader, writer))


async def _body(
    headers: Mapping[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> AsyncIterator[bytes]:
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    left = _number(headers.get("content-length", "0"), 10)
    if headers.get("expect", "").lower() == "100-continue" and (chunked or left):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if chunked:
        while size := _number((await reader.readuntil(b"\r\n")).partition(b";")[0].decode("latin-1"), 16):
            async for part in _exactly(reader, size):
                yield part
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return
    async for part in _exactly(reader, left):
        yield part


def _number(text: str, base: int) -> int:
    """A length, or `EOFError`: where the framing is broken the exchange cannot go on."""
    try:
        return int(text, base)
    except ValueError:
        raise EOFError from None


async def _exactly(reader: asyncio.StreamReader, left: int) -> AsyncIterator[bytes]:
    while left:
        part = await reader.read(min(left, 64 * 1024))
        if not part:
            raise EOFError
        left -= len(part)
        yield part


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "", ""])).encode("latin-1")


def _common(content_type: str, spoken: Spoken) -> dict[str, str]:
    return {"Api-Version": spoken.newest, "Ostype": "linux", "Server": SERVER, "Content-Type": content_type}


async def _send_answer(
    writer: asyncio.StreamWriter, reply: Answer, spoken: Spoken, *, head_only: bool, close: bool
) -> None:
    body = reply.encoded()
    headers = {**_common(reply.content_type, spoken), **reply.headers, "Content-Length": str(len(body))}
    if reply.status in {204, 304}:
        del headers["Content-Length"], headers["Content-Type"]
    if close:
        headers["Connection"] = "close"
    writer.write(_head(reply.status, headers) + (b"" if head_only else body))
    await writer.drain()


async def _send_stream(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Stream, spoken: Spoken
) -> bool:
    """Send chunks until they end or the client hangs up; True where the connection can take a next request.

    A byte that comes meanwhile is a request sent too early: it is lost, so the connection ends with the stream.
    """
    writer.write(_head(200, {**_common(reply.content_type, spoken), "Transfer-Encoding": "chunked"}))
    await writer.drain()
    sending = asyncio.ensure_future(_send_chunks(writer, reply.chunks))
    early = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait([sending, early], return_when=asyncio.FIRST_COMPLETED)
        if early.done() and not early.result():
            return False
        await sending
        return not early.done()
    finally:
        sending.cancel()
        early.cancel()
        await asyncio.gather(sending, early, return_exceptions=True)


async def _send_chunks(writer: asyncio.StreamWriter, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _hijack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request, reply: Hijack) -> None:
    """101 to a client that asked to upgrade, Docker's raw 200 to others; then the process's streams."""
    process = reply.process
    await request.drain()
    output = process.output.reader(follow=True, from_start=reply.logs)
    if reply.starts:
        process.start()
    headers = {"Content-Type": f"application/vnd.docker.{'raw' if process.tty else 'multiplexed'}-stream"}
    if "upgrade" in request.headers:
        upgraded = {**headers, "Connection": "Upgrade", "Upgrade": "tcp"}
        writer.write(_head(200, upgraded).replace(b"200 OK", b"101 UPGRADED", 1))
    else:
        writer.write(_head(200, headers))
    await writer.drain()
    typing = asyncio.ensure_future(_type_in(reader, process, kept=reply.stdin))
    try:
        async for channel, data in output:
            writer.write(frame(process, channel, data))
            await writer.drain()
    finally:
        typing.cancel()
        await asyncio.gather(typing, return_exceptions=True)
        await output.close()


async def _type_in(reader: asyncio.StreamReader, process: Process, *, kept: bool) -> None:
    while data := await reader.read(16 * 1024):
        if kept:
            await process.type_in(data)
    if kept:
        await process.type_in(b"")


async def logs(process: Process, *, follow: bool) -> AsyncIterator[bytes]:
    """What a process printed, in frames, and with ``follow`` what it will print until it ends."""
    output = process.output.reader(follow=follow, from_start=True)
    try:
        async for channel, data in output:
            yield frame(process, channel, data)
    finally:
        await output.close()


async def progress(*steps: JsonObject) -> AsyncIterator[bytes]:
    """What pulls, pushes and builds tell, line by line."""
    for step in steps:
        yield json.dumps(step).encode() + b"\r\n"
