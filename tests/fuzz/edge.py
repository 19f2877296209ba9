"""A client's connection, from raw bytes to what the engine is asked and what the client reads.

    input = how the engine behaves (a byte), how the bytes arrive and end (a byte), the bytes

The edge, the gateway and the engine's connections are the real ones; the sockets, the clock and the engine are not
(``wires.py``). What must hold:

* No exception but refusals, no `internal` refusal, no task left, no connection to the engine left but those kept for
  the next request; once the client has ended its side the connection ends, unless the engine is silent in a hijack.
* What is written back is one whole HTTP/1.1 answer for each request, in order, or is broken off with the connection
  where the engine failed; behind a 101 or a raw 200 comes what the engine sent, byte for byte.
* The engine is asked once for each allowed verdict (a stale connection may be tried again), strictly framed, only what
  was recorded before, and never while it is still answering.
* A plain reader of the same bytes (``plain.py``) finds the same requests and bodies in them: none hides in a body, behind
  an upgrade, or in what could be read in two ways.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from sockproxy import rehearse
from sockproxy.audit import AuditLog
from sockproxy.docker.operations import BY_NAME, identify
from sockproxy.docker.request import canonical
from sockproxy.errors import Refusal
from sockproxy.metrics import Metrics
from sockproxy.model import Context, JsonObject, Missing
from sockproxy.policy.load import loads
from sockproxy.proxy import head as heads
from sockproxy.proxy.address import Address
from sockproxy.proxy.edge import Edge
from sockproxy.proxy.engine import Connection, Engine
from sockproxy.proxy.gateway import Gateway
from sockproxy.proxy.limits import Limits
from sockproxy.proxy.live import Live
from sockproxy.redaction import redact_path
from tests.fuzz import plain
from tests.fuzz.plain import Plain
from tests.fuzz.wires import Asked, Daemon, Loop, Wire

LONGEST = 4096
MODULES = (
    "sockproxy/proxy/edge.py",
    "sockproxy/proxy/head.py",
    "sockproxy/proxy/chunked.py",
    "sockproxy/proxy/gateway.py",
    "sockproxy/proxy/engine.py",
    "sockproxy/proxy/relay.py",
    "sockproxy/proxy/answers.py",
)

POLICY = """
version: 1
name: edge
rules:
  - id: work
    allow:
      - GET /containers/json
      - GET /events
      - GET /info
      - GET /containers/{id}/json|logs
      - HEAD /containers/{id}/archive
      - POST /containers/create
      - POST /containers/{id}/start|wait|attach|exec|resize
      - POST /exec/{id}/start
      - PUT /containers/{id}/archive
      - POST /build
      - POST /session
      - GET /containers/{id}/attach/ws
      - DELETE /containers/{id}
    grant: {tunnel: session}
    only: {container: [web, ci-*]}
  - id: never
    deny: [POST /swarm/init]
"""
_LIMITS = Limits(drain_bytes=512, body_bytes=1024)


def one(data: bytes) -> None:
    if len(data) < 3:
        return
    talk = Talk(data[0], data[1], data[2:])
    talk.run()
    talk.check()


# The house -----------------------------------------------------------------------------------------------------------


class _Book(AuditLog):
    """Keeps every line."""

    def __init__(self) -> None:
        super().__init__(())
        self.lines: list[dict[str, Any]] = []
        self.asked_then: list[int] = []
        """How many requests the engine had seen when each line was written."""
        self.daemon: Daemon

    def write(self, fragment: bytes, *, id: str, event: Any, peer: str, **rest: Any) -> None:  # noqa: A002
        super().write(fragment, id=id, event=event, peer=peer, **rest)
        line = {**json.loads(b"{" + fragment + b"}"), "id": id, "event": event, "status": rest.get("status")}
        self.lines.append(line)
        self.asked_then.append(len(self.daemon.asked))


class _Engine(Engine):
    """Connections in memory."""

    daemon: Daemon

    async def fresh(self) -> Connection:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        await asyncio.sleep(0)
        connection = Connection(self, loop)
        line = self.daemon.connected()
        line.wire = Wire(loop, line.told)
        line.wire.connect(connection)
        self._open.add(connection)
        return connection


class _Lookups:
    """What the engine is asked before judging, without an engine."""

    def __init__(self) -> None:
        self.known: Context | None = None

    async def context(self) -> Context:
        await asyncio.sleep(0)
        if self.known is None:
            self.known = Context(engine_version=(1, 51), engine_minimum=(1, 24))
        return self.known

    async def facts(self, paths: Any) -> dict[str, JsonObject | Missing]:
        await asyncio.sleep(0)
        return {path: _FACTS.get(path) or rehearse.stand_in({})(path) for path in paths}

    def forget(self) -> None:
        self.known = None


_FACTS: Mapping[str, Missing] = {"/containers/gone/json": Missing(404, "No such container: gone")}


@dataclass
class _House:
    loop: Loop
    config: Config
    gateway: Gateway
    engine: _Engine
    lookups: _Lookups
    book: _Book
    edge: type[Edge]


@cache
def _house() -> _House:
    """Made once: what it remembers from input to input is forgotten before each."""
    loop = Loop()
    atexit.register(loop.close)
    policy = loads(POLICY)
    lookups, book = _Lookups(), _Book()
    engine = _Engine(Address.parse("tcp://10.0.0.2:2375"), _LIMITS, notice=lambda _: None)
    gateway = Gateway(
        live=Live("edge", loader=lambda _: policy),
        engine=engine,
        lookups=lookups,  # type: ignore[arg-type]
        audit=book,
        metrics=Metrics(),
        limits=_LIMITS,
    )
    config = Config(
        gateway,
        http=Edge,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    config.load()
    return _House(loop, config, gateway, engine, lookups, book, Edge.within(_LIMITS))


class _Log(logging.Handler):
    """Any traceback in the log is a finding."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.faults.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


# A conversation ------------------------------------------------------------------------------------------------------

_SECONDS = 60.0
"""More than any time-out of the shell but the idle one."""


class Talk:
    """One connection, from its first byte to its end."""

    def __init__(self, behaviour: int, arrival: int, data: bytes) -> None:
        self.data = data
        self.plain = plain.read(data)
        self.arrival = arrival
        self.house = _house()
        self.written = b""
        """What the client reads."""
        self.problems: list[str] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.stayed = False
        """The connection had ended by itself before the client hung up."""
        self.daemon = Daemon(self.house.loop, Random(behaviour))
        self.house.engine.daemon = self.house.book.daemon = self.daemon
        self.wire = Wire(self.house.loop, self._hear, slow=bool(arrival & 8), unix=bool(arrival & 16))

    def _hear(self, data: bytes | None) -> None:
        self.written += data or b""

    def run(self) -> None:
        house, loop = self.house, self.house.loop
        loop.reset()
        house.gateway.forget()
        house.lookups.forget()
        house.book.lines.clear()
        house.book.asked_then.clear()
        heads._seen.clear()
        log, logger = _Log(), logging.getLogger("sockproxy")
        logger.addHandler(log)
        loop.set_exception_handler(self._fault)
        loop.set_task_factory(self._task)
        try:
            self._run(loop)
        finally:
            logger.removeHandler(log)
            loop.set_task_factory(None)
            house.engine.close()
            loop.settle(1)
        self.problems += log.faults

    def _run(self, loop: Loop) -> None:
        state = ServerState()
        protocol = self.house.edge(self.house.config, state, {}, loop)
        asyncio._set_running_loop(loop)
        try:
            self.wire.connect(protocol)
            self._send(loop, Random(self.arrival))
        finally:
            asyncio._set_running_loop(None)
        loop.settle(_SECONDS)
        self.stayed = self.wire.lost
        self.wire.hang_up()
        loop.settle(_SECONDS)
        kept = {id(connection) for connection in self.house.engine._idle}
        if any(id(connection) not in kept for connection in self.house.engine._open):
            self.problems.append("a connection to the engine was left open")
        if left := [task for task in self.tasks if not task.done()]:
            self.problems.append(f"tasks were left: {left}")
            for task in left:
                task.cancel()
        if state.connections:
            self.problems.append("a connection is still counted")
        for task in self.tasks:
            error = task.exception() if task.done() and not task.cancelled() else None
            if isinstance(error, Exception) and not isinstance(error, Refusal):
                self.problems.append(f"a task raised {error!r}")

    def _send(self, loop: Loop, rng: Random) -> None:
        at = 0
        while at < len(self.data) and not self.wire.closing:
            size = len(self.data) if self.arrival & 3 == 0 else rng.choice((1, 2, 7, 40, 300))
            self._with(loop, self.data[at : at + size])
            at += size
            if rng.random() < 0.6:
                self._settle(loop, rng.choice((0.0, 0.0, 0.005)))
        if self.arrival & 64:
            self._settle(loop, 1.0)
        if self.arrival & 128 and self.arrival & 4:
            self.wire.hang_up()
        elif not self.wire.closing:
            self._with(loop, None)

    def _with(self, loop: Loop, data: bytes | None) -> None:
        self.wire.feed(data)

    def _settle(self, loop: Loop, seconds: float) -> None:
        asyncio._set_running_loop(None)
        try:
            loop.settle(seconds)
        finally:
            asyncio._set_running_loop(loop)

    def _fault(self, loop: Any, context: dict[str, Any]) -> None:
        self.problems.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _task(self, loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        self.tasks.append(task)
        return task

    # What must hold

    def check(self) -> None:
        assert not self.problems, self.problems
        records = [line for line in self.house.book.lines if line["event"] != "end"]
        for record in records:
            assert record["code"] != "internal", record
        left = self.arrival & 128 and self.arrival & 4
        if not left and not self.daemon.silent:
            assert self.stayed, f"the connection did not end: {self.written!r}"
        self._check_found(records)
        self._check_engine(records)
        self._check_answers(records, whole=not left and not self.daemon.unkind)

    def _check_found(self, records: list[dict[str, Any]]) -> None:
        """The records are of the requests that are there, in their order; what cannot be read is the last."""
        asked = [record for record in records if record["method"]]
        assert all(record["method"] for record in records[:-1]), records
        assert len(asked) <= len(self.plain), (records, self.plain)
        for record, request in zip(asked, self.plain, strict=False):
            assert record["method"] == request.method, (record, request)
            assert record["path"] in map(redact_path, request.paths), (record, request)

    def _check_engine(self, records: list[dict[str, Any]]) -> None:
        allowed = [number for number, record in enumerate(records) if record["verdict"] == "allow"]
        asked = self.daemon.asked
        for request in asked:
            _check_request(request)
        if self.daemon.unkind:  # then a request may be tried again, and the connection may end at any time
            assert len(asked) <= 2 * len(allowed), (asked, allowed)
            assert {_operation(request) for request in asked} <= {records[number]["operation"] for number in allowed}
            return
        # The last one may have been left by the client before it was sent.
        assert len(allowed) - 1 <= len(asked) <= len(allowed), (asked, allowed)
        for request, number in zip(asked, allowed, strict=False):
            assert _operation(request) == records[number]["operation"], (request, records[number])
            _check_body(request, self.plain[number])
        for line, seen in zip(self.house.book.lines, self.house.book.asked_then, strict=True):
            if line["event"] != "end" and line["verdict"] == "allow":
                assert seen <= allowed.index(records.index(line)), "asked before it was recorded"

    def _check_answers(self, records: list[dict[str, Any]], *, whole: bool) -> None:
        rest = self.written
        for number, record in enumerate(records):
            old = bool(record["method"]) and self.plain[number].old
            answer = Answer.read(rest, record["method"], old=old)
            if answer is None:
                assert not whole or record is records[-1], (record, rest)
                assert number == len(records) - 1 or not rest, (record, rest)
                # Who half-closes before a body has come whole has left, and is told nothing.
                patient = whole and self.arrival & 64
                assert not patient or record["verdict"] == "allow", f"no answer to {record}: {rest!r}"
                return
            if record["status"] is not None:
                assert answer.status == record["status"], (answer, record)
            if answer.tunnel is not None:
                self._check_tunnel(answer)
                assert number == len(records) - 1
                return
            rest = answer.behind
            # Nobody may be left to wait for another answer, nor be answered after a goodbye.
            if answer.last or old:
                assert number == len(records) - 1, records
            elif whole and self.arrival & 64 and number == len(records) - 1:
                assert record["method"], (answer, record)
                assert not any(request.whole for request in self.plain[number + 1 :]), (answer, self.plain)
                assert not self.plain[number].last or not self.plain[number].whole, (answer, self.plain)
        assert not re.sub(rb"(?:HTTP/1\.1 100 Continue\r\n\r\n)*", b"", rest), f"more answers than requests: {rest!r}"

    def _check_tunnel(self, answer: Answer) -> None:
        told = b"".join(request.told for request in self.daemon.asked[-1:])
        assert told.partition(b"\r\n\r\n")[2].startswith(answer.tunnel or b""), (answer, told)
        sent = self.daemon.asked[-1].tunnel
        assert sent in self.data, (sent, self.data)


def _check_request(request: Asked) -> None:
    names = {name.lower() for name, _ in request.headers}
    extra = {header for operation in BY_NAME.values() for header in operation.headers}
    assert names <= {"host", "connection", "upgrade", "content-type", "content-length", "transfer-encoding"} | extra
    if request.whole and request.header("content-type") == "application/json":
        json.loads(request.body)


def _check_body(request: Asked, came: Plain) -> None:
    """A body that is passed on is the client's, byte for byte."""
    if came.operation is not None and came.operation.body == "tar":
        assert came.body.startswith(request.body), (request, came)
        assert not request.whole or (came.whole and request.body == came.body), (request, came)


def _operation(request: Asked) -> str:
    return identify(request.method, canonical("GET", request.target.encode(), ()).path)[0].name


@dataclass
class Answer:
    """One answer as a strict client reads it."""

    status: int
    headers: dict[str, str]
    behind: bytes = b""
    last: bool = False
    tunnel: bytes | None = None

    @classmethod
    def read(cls, data: bytes, method: str, *, old: bool) -> Answer | None:
        """The first answer; None where it is not whole, which only the last one may be."""
        while data.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"):
            data = data[25:]
        if b"\r\n\r\n" not in data:
            assert re.match(rb"(?:HTTP/1\.1 \d\d\d |$)", data), data
            return None
        head, _, rest = data.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        match = re.fullmatch(rb"HTTP/1\.1 ([1-5]\d\d) [ -~]*", line)
        assert match is not None, line
        for each in fields:
            assert re.fullmatch(rb"[A-Za-z0-9-]+: [\t -~\x80-\xff]*", each), each
        pairs = [
            (name.decode().lower(), value.decode("latin-1"))
            for name, _, value in (each.partition(b": ") for each in fields)
        ]
        headers = dict(pairs)
        for name in ("content-length", "transfer-encoding", "connection", "x-sockproxy-id"):
            assert sum(key == name for key, _ in pairs) <= 1, pairs
        assert not {"content-length", "transfer-encoding"} <= set(headers)
        answer = cls(int(match[1]), headers, last=headers.get("connection") == "close")
        return answer if answer._read_body(rest, method, old=old) else None

    def _read_body(self, rest: bytes, method: str, *, old: bool) -> bool:
        if self.status == 101:
            self.tunnel = rest
        elif method == "HEAD" or self.status in (204, 304):
            self.behind = rest
        elif "content-length" in self.headers:
            length = int(self.headers["content-length"])
            self.behind = rest[length:]
            return len(rest) >= length
        elif self.headers.get("transfer-encoding") == "chunked":
            end = _chunks_end(rest)
            self.behind = rest[end or 0 :]
            return end is not None
        elif self.headers.get("content-type", "").startswith("application/vnd.docker."):
            self.tunnel = rest
        else:
            assert old, f"an answer without an end: {self}"
            self.last = True
        return True


def _chunks_end(data: bytes) -> int | None:
    """Where a chunked body ends; None where it does not."""
    at = 0
    while True:
        match = re.compile(rb"([0-9a-f]{1,8})\r\n").match(data, at)
        if match is None:
            assert re.fullmatch(rb"[0-9a-f]{0,8}\r?", data[at:]), data[at:]
            return None
        size = int(match[1], 16)
        end = match.end() + size
        if len(data) < end + 2:
            return None
        assert data[end : end + 2] == b"\r\n", data[at:]
        at = end + 2
        if size == 0:
            return at


# What inputs are made of

_REQUESTS: Mapping[str, bytes] = {
    "list": b"GET /v1.41/containers/json?all=1 HTTP/1.1\r\nHost: d\r\n\r\n",
    "ping": b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n",
    "head ping": b"HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n",
    "version": b"GET /version HTTP/1.1\r\nHost: d\r\n\r\n",
    "refused": b"POST /v1.41/swarm/init HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "unknown": b"GET /nothing HTTP/1.1\r\nHost: d\r\n\r\n",
    "absent": b"GET /containers/gone/json HTTP/1.1\r\nHost: d\r\n\r\n",
    "create": b'POST /v1.41/containers/create?name=ci-1 HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"Image":"x"}',
    "create in chunks": b'POST /containers/create?name=ci-1 HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"Ima\r\n8\r\nge":"x"}\r\n0\r\n\r\n',
    "create expecting": b'POST /containers/create?name=ci-1 HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"Image":"x"}',
    "start": b"POST /containers/web/start HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n",
    "delete": b"DELETE /containers/web?force=1 HTTP/1.1\r\nHost: d\r\n\r\n",
    "wait": b"POST /containers/web/wait HTTP/1.1\r\nHost: d\r\n\r\n",
    "logs": b"GET /containers/web/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n",
    "events": b"GET /events HTTP/1.1\r\nHost: d\r\n\r\n",
    "build": b"POST /build?t=x HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntar!\r\n3\r\nend\r\n0\r\n\r\n",
    "put archive": b"PUT /containers/web/archive?path=/data HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\n\r\ntar!",
    "head archive": b"HEAD /containers/web/archive?path=/data HTTP/1.1\r\nHost: d\r\n\r\n",
    "attach": b"POST /containers/web/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\ntyped",
    "attach plainly": b"POST /containers/web/attach?stream=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\ntyped",
    "exec start": b"POST /exec/0123456789abcdef/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}GET /info HTTP/1.1\r\nHost: d\r\n\r\n",
    "session": b"POST /session HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: x\r\n\r\nPRI * HTTP/2.0\r\n\r\n",
    "websocket": b"GET /containers/web/attach/ws HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nOrigin: http://d\r\n\r\n",
    "last": b"GET /info HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n",
    "old": b"GET /info HTTP/1.0\r\n\r\n",
    "old kept": b"GET /info HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "too large": b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n"
    + b" " * 2000,
    "too large in chunks": b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n"
    + b" " * 2000
    + b"\r\n0\r\n\r\n",
    "short body": b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{}",
    "bad chunk": b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntar!x\r\n0\r\n\r\n",
    "chunk extension": b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\ntar!\r\n0\r\n\r\n",
    "bytes for a line end": b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntar!xx0\r\n\r\n",
    "attach to nothing": b"POST /containers/gone/attach?stream=1 HTTP/1.1\r\nHost: d\r\n\r\nGET /info HTTP/1.1\r\nHost: d\r\n\r\n",
    "exec by a bad body": b"POST /exec/0123456789abcdef/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]GET /info HTTP/1.1\r\nHost: d\r\n\r\n",
    "trailer": b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
    "bad json": b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{]",
    "hidden": b"POST /containers/web/start HTTP/1.1\r\nHost: d\r\nContent-Length: 40\r\n\r\nGET /info HTTP/1.1\r\nHost: d\r\n\r\nGET /info HTTP/1.1\r\nHost: d\r\n\r\n",
}
_FAULTS: Mapping[str, bytes] = {
    "bare line feeds": b"GET /info HTTP/1.1\nHost: d\n\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET /info HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "length and chunks": b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "odd coding": b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks and upgrade": b"POST /exec/a/start HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "bad length": b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: +1\r\n\r\nx",
    "folded": b"GET /info HTTP/1.1\r\nHost: d\r\nX: a\r\n b\r\n\r\n",
    "space before the colon": b"GET /info HTTP/1.1\r\nHost : d\r\n\r\n",
    "not http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an odd expectation": b"GET /info HTTP/1.1\r\nHost: d\r\nExpect: tea\r\n\r\n",
    "a trailer field": b"POST /build HTTP/1.1\r\nHost: d\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "half a head": b"GET /info HTTP/1.1\r\nHost: ",
    "many fields": b"GET /info HTTP/1.1\r\nHost: d\r\n" + b"X: y\r\n" * 101 + b"\r\n",
    "an empty line": b"\r\nGET /info HTTP/1.1\r\nHost: d\r\n\r\n",
}


def words() -> Iterator[str | bytes]:
    """Requests, fields, and framing."""
    yield from _REQUESTS.values()
    yield from (
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        " HTTP/2.0",
        "0\r\n\r\n",
        "5\r\nhello\r\n",
        "ffffffff\r\n",
    )
    yield from (
        "Host: d\r\n",
        "Content-Length: ",
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
    )
    yield from (
        "Connection: Upgrade\r\n",
        "Upgrade: tcp\r\n",
        "Upgrade: h2c\r\n",
        "Expect: 100-continue\r\n",
        "Content-Type: application/json\r\n",
        "Trailer: x\r\n",
    )
    yield from (
        "GET ",
        "POST ",
        "HEAD ",
        "PUT ",
        "DELETE ",
        "OPTIONS ",
        "/v1.41",
        "/containers/json",
        "/_ping",
        "/version",
        "?all=1",
        "{}",
        '{"Image":"x"}',
    )


_PLANS = (b"00", b"1a", b"2b", b"3\x40", b"4\xc5", b"5I", b"6\x09", b"7\x0b", b"8\x80", b"9\xa4")


def seeds() -> Iterator[tuple[str, bytes]]:
    """Each request and each fault, behind each other and in pieces, before engines of several kinds."""
    every = {**_REQUESTS, **_FAULTS}
    for number, (name, data) in enumerate(every.items()):
        for plan in _PLANS:
            yield f"{name} {plan.hex()}", plan + data
        follower = list(_REQUESTS.values())[number % len(_REQUESTS)]
        for plan in _PLANS[number % 3 :: 3]:
            yield f"{name} and another {plan.hex()}", plan + data + follower
            yield f"{name} behind another {plan.hex()}", plan + follower + data
    yield "many", b"0a" + _REQUESTS["list"] * 5 + _REQUESTS["create"] + _REQUESTS["ping"] * 3


def mutate(data: bytes, longest: int, rng: Random) -> bytes | None:
    """Put the framing right, or put requests and fields together; more often the engine's own mutations."""
    if rng.random() < 0.5 or len(data) < 3:
        return None
    plan, wire = bytearray(data[:2]), data[2:]
    choice = rng.randrange(6)
    if choice == 0:
        plan[rng.randrange(2)] = rng.randrange(256)
    elif choice == 1:
        wire += rng.choice(list(_REQUESTS.values()))
    elif choice == 2:
        at = rng.choice([match.end() for match in re.finditer(rb"\r\n", wire)] or [0])
        field_line = rng.choice(
            (
                b"Host: d\r\n",
                b"Content-Length: 4\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Connection: close\r\n",
                b"Upgrade: tcp\r\n",
                b"Expect: 100-continue\r\n",
                b"X: y\r\n",
            )
        )
        wire = wire[:at] + field_line + wire[at:]
    elif choice == 3:
        head, end, rest = wire.partition(b"\r\n\r\n")
        wire = re.sub(rb"(?i)(content-length: *)[0-9]*", lambda match: match[1] + b"%d" % len(rest), head) + end + rest
    elif choice == 4:
        lines = wire.split(b"\r\n")
        del lines[rng.randrange(len(lines))]
        wire = b"\r\n".join(lines)
    else:
        wire = rng.choice(list(_REQUESTS.values())) + wire
    return bytes(plan) + wire if len(wire) + 2 <= longest else None
