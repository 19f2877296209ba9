"""The ASGI app: a request's way from its head to its record. It decides nothing itself.

    recognise ─► early ─► body ─► context ─► call ─► judge ⇄ facts ─► record ─► forward, stream or tunnel ─► record

Refusals come first and cost least: what needs no body is refused before one is read, and what needs no engine before
it is asked. The audit line is written before a byte goes to the engine. An exception on the way is a denial: the only
bare ``except`` of the project is here.

Where the policy only observes, what a rule would refuse takes the same way, under the verdict `would_deny`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from sockproxy import judge
from sockproxy.audit import AuditError, AuditLog, Event, VerdictWord, as_failed, fragment
from sockproxy.docker.operations import Operation
from sockproxy.errors import Code, EngineDown, Internal, Malformed, Refusal, TooLarge
from sockproxy.metrics import Metrics
from sockproxy.model import (
    Absent,
    Allow,
    Ask,
    Context,
    Deny,
    Forward,
    Needs,
    Observed,
    Peer,
    Request,
    Version,
    WouldDeny,
)
from sockproxy.policy.load import Policy
from sockproxy.proxy import answers
from sockproxy.proxy.edge import EXTENSION, Exchange
from sockproxy.proxy.engine import Connection, Engine
from sockproxy.proxy.head import Head
from sockproxy.proxy.limits import Limits
from sockproxy.proxy.live import Live
from sockproxy.proxy.lookups import Lookups
from sockproxy.proxy.relay import Tunnel

Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]

_log = logging.getLogger("sockproxy")

ANYONE: Final = "anyone"
"""The client's name where the policy tells none apart."""
UNKNOWN: Final = "(unknown)"
"""The operation's name where no row was found."""

_REMEMBERED: Final = 4096
_SHORT_TARGET: Final = 1024
"""Verdicts remembered, and the longest target of one."""
_VERSION_BYTES: Final = 1024 * 1024
"""The longest ``/version`` that is read whole to be rewritten."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was judged and may go on: all of it immutable, so that the same request can use it again."""

    client: str
    operation: Operation
    fragment: bytes
    """The audit line's part that is the same for each such request."""
    request: bytes
    """The engine's request: its head, and its body where that is whole."""
    forward: Forward
    bodiless: bool
    repeatable: bool
    event: Event
    oldest: Version
    newest: Version
    verdict: VerdictWord = "allow"
    code: Code | None = None
    refused: tuple[str, ...] = ()
    """The kinds of the asks that would have been refused."""
    message: str = ""
    """What the client would have been told."""


@dataclass(slots=True)
class _Seen:
    """What is known of a request so far; what its record says where it is refused."""

    began: float
    client: str
    request: Request | None = None
    operation: Operation | None = None
    body: bytes | None = None
    engine_version: Version | None = None
    passed: Allow | WouldDeny | None = None
    """The verdict, where it may go on."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A request as it was judged, for who looks on in the same process: whole, its secrets included."""

    client: str
    """The client's name; ``anyone`` where the policy tells none apart."""
    peer: Peer
    request: Request | None
    """None where the head was malformed."""
    operation: Operation | None
    """None where no row was found."""
    body: bytes | None
    """The body, where it was read to be judged."""
    verdict: Observed
    engine_version: Version | None


Witness: TypeAlias = Callable[[Witnessed], None]
"""Is told of each request once it is judged, and before it is forwarded. It must not raise, nor take long."""


class Gateway:
    """Judges, forwards and records. One for each server."""

    def __init__(
        self,
        *,
        live: Live,
        engine: Engine,
        lookups: Lookups,
        audit: AuditLog,
        metrics: Metrics,
        limits: Limits,
        observe: bool = False,
        witness: Witness | None = None,
    ) -> None:
        """``observe``: whatever the policy says, what a rule would refuse goes on and is only recorded."""
        self._observe = observe
        self._witness = witness
        self._live = live
        self._engine = engine
        self._lookups = lookups
        self._audit = audit
        self._sinks = audit.kinds
        self._metrics = metrics
        self._limits = limits
        self._known: dict[tuple[str, bytes, bytes], _Known] = {}
        self._names: dict[tuple[str | None, int | None], str | None] = {}
        live.when_swapped(self.forget)

    def forget(self) -> None:
        """Drop the remembered verdicts: the policy or the engine is another one."""
        self._known.clear()
        self._names.clear()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request. What ASGI cannot say, the edge's extension does."""
        exchange: Exchange = scope["extensions"][EXTENSION]
        began = time.perf_counter()
        request_id = self._audit.new_id()
        head = exchange.head
        name = self._name_of(exchange.peer)
        known = None
        if head is not None and head.plain and name is not None:
            known = self._known.get((name, head.method, head.target))
        if known is None:
            seen = _Seen(began, name or UNKNOWN)
            verdict = await self._verdict(exchange, receive, seen)
            self._tell_witness(verdict, exchange, seen)
            if not isinstance(verdict, _Known):
                await self._refuse(verdict, exchange, send, request_id, seen)
                return
            known = verdict
        await self._pass_on(known, exchange, receive, send, request_id, began)

    # Judging ---------------------------------------------------------------------------------------------------------

    async def _verdict(self, exchange: Exchange, receive: Receive, seen: _Seen) -> _Known | Deny | Absent:
        try:
            if exchange.head is None:
                return judge.refusal(exchange.fault or Internal("a request without a head"))
            return await self._judge(exchange.head, exchange, receive, seen)
        except Refusal as error:
            return judge.refusal(error)
        except Exception:  # noqa: BLE001 - law 6: an exception while judging is a denial; the project's only one
            _log.exception("a request was refused, since judging it failed")
            return judge.refusal(Internal("judging failed; the log of sockproxy says why"))

    def _tell_witness(self, verdict: _Known | Deny | Absent, exchange: Exchange, seen: _Seen) -> None:
        if self._witness is None:
            return
        told = verdict if isinstance(verdict, Deny | Absent) else seen.passed
        assert told is not None
        self._witness(
            Witnessed(
                client=seen.client,
                peer=exchange.peer,
                request=seen.request,
                operation=seen.operation,
                body=seen.body,
                verdict=told,
                engine_version=seen.engine_version,
            )
        )

    async def _judge(self, head: Head, exchange: Exchange, receive: Receive, seen: _Seen) -> _Known | Deny | Absent:
        policy = self._live.policy
        client = policy.client_of(exchange.peer)
        request, operation, params = judge.recognise(head.method, head.target, head.headers)
        seen.request, seen.operation = request, operation
        if operation.hijack:
            exchange.hijacking = exchange.last = True
        if client is None and policy.clients:
            return Deny(code="unknown_client", status=403, message=_stranger(exchange.peer, policy.name))
        denied = judge.early(request, operation, policy, self._lookups.known or Context(), client)
        if denied is not None:
            return denied
        seen.body = None if operation.body == "tar" else await self._whole_body(head, receive)
        known = self._lookups.known or Context()
        observing = self._observe or policy.observes(client)
        if observing or judge.may_be_allowed(operation, policy, client):
            known = await self._lookups.context()
        context = known
        seen.engine_version = context.engine_version
        call = judge.call(request, operation, params, seen.body, policy, context)
        for _ in range(judge.ROUNDS):
            verdict = (judge.observe if observing else judge.judge)(call, policy, context, client)
            if not isinstance(verdict, Needs):
                break
            context = replace(context, facts={**context.facts, **await self._lookups.facts(verdict.paths)})
        else:
            raise Internal("judging did not come to an end")
        if not isinstance(verdict, Allow | WouldDeny):
            return verdict
        seen.passed = verdict
        judged = self._prepare(verdict, seen, policy, context, head)
        # Neither the policy nor the engine may have changed meanwhile.
        if head.plain and not context.facts and self._live.policy is policy and self._lookups.known is known:
            self._remember(seen.client, head, judged)
        return judged

    def _name_of(self, peer: Peer) -> str | None:
        """The client's name; None where the policy names clients and this is none of them."""
        key = (peer.ip, peer.uid)
        if key in self._names:
            return self._names[key]
        policy = self._live.policy
        client = policy.client_of(peer)
        name = client.name if client is not None else None if policy.clients else ANYONE
        if len(self._names) >= _REMEMBERED:
            self._names.clear()
        self._names[key] = name
        return name

    async def _whole_body(self, head: Head, receive: Receive) -> bytes | None:
        """The body, where it must be judged; None where none came."""
        limit = self._limits.body_bytes
        too_large = TooLarge(f"a body of more than {limit} bytes, which is the limit where it must be judged")
        if head.length == 0:
            return None
        if head.length is not None and head.length > limit:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                more = True
                while more:
                    message = await receive()
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > limit:
                        raise too_large
        except TimeoutError:
            raise Malformed(f"the body took longer than {self._limits.body_seconds:g} s", status=408) from None
        return bytes(body)

    def _prepare(self, verdict: Allow | WouldDeny, seen: _Seen, policy: Policy, context: Context, head: Head) -> _Known:
        forward, request, operation = verdict.forward, seen.request, seen.operation
        assert request is not None
        assert operation is not None
        denial = verdict.denial if isinstance(verdict, WouldDeny) else None
        word: VerdictWord = "allow" if denial is None else "would_deny"
        code = denial.code if denial is not None else None
        refused = denial.refused if denial is not None else ()
        return _Known(
            client=seen.client,
            operation=operation,
            fragment=fragment(
                client=seen.client,
                operation=operation.name,
                method=request.method,
                path=request.path,
                query=request.query,
                verdict=word,
                code=code,
                rule=verdict.rule if isinstance(verdict, Allow) else verdict.denial.rule,
                asks=verdict.asks,
                refused=refused,
                policy=policy.digest,
                engine_version=context.engine_version,
            ),
            request=_encoded(forward, head),
            forward=forward,
            bodiless=forward.method == "HEAD",
            repeatable=forward.method in ("GET", "HEAD"),
            event="start" if operation.hijack or operation.long_lived else "request",
            oldest=max(policy.api_min, context.engine_minimum),
            newest=min(policy.api_max, context.engine_version),
            verdict=word,
            code=code,
            refused=tuple(ask.kind for ask in refused),
            message=denial.message if denial is not None else "",
        )

    def _remember(self, client: str, head: Head, judged: _Known) -> None:
        forward = judged.forward
        if (
            self._witness is not None
            or not judged.repeatable
            or forward.hijacks
            or forward.headers
            or len(head.target) > _SHORT_TARGET
        ):
            return
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[client, head.method, head.target] = judged

    # Refusing --------------------------------------------------------------------------------------------------------

    async def _refuse(
        self, verdict: Deny | Absent, exchange: Exchange, send: Send, request_id: str, seen: _Seen
    ) -> None:
        """Record a denial, or that a thing does not exist, and answer it."""
        word: VerdictWord = "absent" if isinstance(verdict, Absent) else "deny"
        code: Code | None = None
        rule: str | None = None
        refused: tuple[Ask, ...] = ()
        if isinstance(verdict, Absent):
            status, told = verdict.missing.status, {"message": verdict.missing.message}
        else:
            status, code, rule, refused = verdict.status, verdict.code, verdict.rule, verdict.refused
            told = _told(verdict)
        operation = seen.operation.name if seen.operation is not None else UNKNOWN
        method, path, query = _asked(exchange, seen)
        line = fragment(
            client=seen.client,
            operation=operation,
            method=method,
            path=path,
            query=query,
            verdict=word,
            code=code,
            rule=rule,
            asks=verdict.asks,
            refused=refused,
            policy=self._live.policy.digest,
            engine_version=seen.engine_version,
        )
        seconds = time.perf_counter() - seen.began
        self._metrics.decided(seen.client, operation, word, code, tuple(ask.kind for ask in refused), seconds)
        try:
            self._audit.write(
                line,
                id=request_id,
                event="request",
                peer=exchange.peer.address,
                status=status,
                bytes_in=exchange.bytes_in,
                seconds=seconds,
                message=told["message"],
            )
            self._count_record()
        except AuditError as error:
            status, told = _unrecorded(error)
        await _answer(send, status, told, request_id)

    # Forwarding ------------------------------------------------------------------------------------------------------

    async def _pass_on(
        self, known: _Known, exchange: Exchange, receive: Receive, send: Send, request_id: str, began: float
    ) -> None:
        """Record the call, forward it, and record its end, however that comes."""
        name, peer = known.operation.name, exchange.peer.address
        try:
            self._audit.write(known.fragment, id=request_id, event=known.event, peer=peer, message=known.message)
            self._count_record()
        except AuditError as error:
            await _answer(send, *_unrecorded(error), request_id)
            return
        self._metrics.decided(known.client, name, known.verdict, known.code, known.refused, time.perf_counter() - began)
        if known.event == "start":
            self._metrics.stream_opened(name)
            exchange.endless = known.forward.method == "GET" or name == "ContainerWait"
        ended = known.fragment
        try:
            if known.forward.hijacks:
                await self._hijack(known, exchange, send, request_id)
            else:
                await self._exchange(known, exchange, receive, send, request_id)
        except Refusal as error:
            ended = as_failed(known.fragment, error.code)
            await _fail(error, exchange, send, request_id)
        finally:
            seconds = time.perf_counter() - began
            if known.event == "start":
                self._metrics.stream_closed(name)
            self._metrics.finished(name, seconds, exchange.bytes_in, exchange.bytes_out)
            try:
                self._audit.write(
                    ended,
                    id=request_id,
                    event="end",
                    peer=peer,
                    status=exchange.status,
                    bytes_in=exchange.bytes_in,
                    bytes_out=exchange.bytes_out,
                    seconds=seconds,
                )
                self._count_record()
            except AuditError as error:
                _log.error("the end of %s could not be recorded: %s", request_id, error)

    def _count_record(self) -> None:
        for kind in self._sinks:
            self._metrics.audit_written(kind)

    async def _exchange(self, known: _Known, exchange: Exchange, receive: Receive, send: Send, request_id: str) -> None:
        """An ordinary call: its answer may begin before its body has ended, and never end."""
        if known.forward.streams_body:
            await self._full_duplex(known, exchange, receive, send, request_id)
            return
        connection = await self._engine.ask(known.request, bodiless=known.bodiless, repeatable=known.repeatable)
        try:
            await _relay(connection, known, exchange, send, request_id)
        except BaseException:
            connection.close()
            raise
        connection.release()

    async def _full_duplex(
        self, known: _Known, exchange: Exchange, receive: Receive, send: Send, request_id: str
    ) -> None:
        assert exchange.head is not None
        connection = await self._engine.connect(checked=True)
        connection.begin(known.request, bodiless=False)
        whole = False
        upload = asyncio.create_task(_upload(connection, receive, chunked=exchange.head.length is None))
        try:
            await connection.head()
            await _relay(connection, known, exchange, send, request_id)
            whole = upload.done() and upload.exception() is None
        except EngineDown:
            if upload.done() and isinstance(fault := upload.exception(), Malformed):
                raise fault from None  # the body broke the exchange off, not the engine
            raise
        finally:
            upload.cancel()
            if not whole:
                connection.close()
            await asyncio.wait((upload,))
            if not upload.cancelled():
                upload.exception()  # taken, so that asyncio does not print it
        connection.release()

    async def _hijack(self, known: _Known, exchange: Exchange, send: Send, request_id: str) -> None:
        """A call that may turn the connection into a tunnel. Only the engine's 101, or its raw 200, makes it one."""
        connection = await self._engine.fresh()
        try:
            connection.begin(known.request, bodiless=False)
            await connection.head()
            if not connection.raw:
                await _relay(connection, known, exchange, send, request_id)
                return
            if connection.status == 101 and known.forward.upgrade is None:
                raise EngineDown("the engine changed the protocol unasked")
            await _tunnel(connection, exchange, request_id)
        finally:
            connection.close()


async def _relay(connection: Connection, known: _Known, exchange: Exchange, send: Send, request_id: str) -> None:
    """Pass the engine's answer on: its head at once, its body as it comes.

    Raises:
        EngineDown: it went away before the end.
    """
    if connection.status == 101:
        raise EngineDown("the engine changed the protocol unasked")
    headers = answers.passed_on(connection.headers, request_id.encode())
    template = known.operation.template
    if template == "/_ping":
        headers = answers.clamped_ping(headers, known.newest)
    elif template == "/version" and connection.status == 200:
        await _tell_version(connection, known, headers, send)
        return
    await send({"type": "http.response.start", "status": connection.status, "headers": headers})
    more = True
    while more and not exchange.gone:
        part = await connection.read()
        more = not connection.drained
        await send({"type": "http.response.body", "body": part, "more_body": more})


async def _tell_version(connection: Connection, known: _Known, headers: answers.Headers, send: Send) -> None:
    body = bytearray()
    while part := await connection.read():
        body += part
        if len(body) > _VERSION_BYTES:
            raise EngineDown("the engine's answer to /version is too long")
    told = answers.clamped_version(bytes(body), known.oldest, known.newest)
    headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    headers.append((b"Content-Length", b"%d" % len(told)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told, "more_body": False})


async def _upload(connection: Connection, receive: Receive, *, chunked: bool) -> None:
    """Pass the client's body on as it comes, no faster than the engine reads."""
    try:
        more = True
        while more:
            message = await receive()
            part, more = message.get("body", b""), message.get("more_body", False)
            if part:
                await connection.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            await connection.write(b"0\r\n\r\n")
    except Malformed:
        connection.close()
        raise


async def _tunnel(connection: Connection, exchange: Exchange, request_id: str) -> None:
    """Give both sockets to a tunnel, and wait for its end."""
    status = connection.status
    line = b"HTTP/1.1 101 UPGRADED\r\n" if status == 101 else b"HTTP/1.1 200 OK\r\n"
    fields = [b"%b: %b\r\n" % field for field in connection.headers]
    taken = exchange.take_over()
    exchange.status = status
    taken.transport.write(b"".join((line, *fields, b"%b: %b\r\n\r\n" % (answers.ID_HEADER, request_id.encode()))))
    transport, early, ended = connection.hand_over()
    tunnel = Tunnel(taken.transport, transport, taken.connections)
    try:
        await tunnel.run(from_client=taken.early, client_ended=taken.ended, from_engine=early, engine_ended=ended)
    finally:
        exchange.bytes_in += tunnel.bytes_in
        exchange.bytes_out += tunnel.bytes_out


def _encoded(forward: Forward, head: Head) -> bytes:
    """The request for the engine, its body with it where that is whole."""
    fields = [("Host", "docker"), *forward.headers]
    if forward.upgrade is not None:
        fields += [("Connection", "Upgrade"), ("Upgrade", forward.upgrade)]
    if forward.content_type is not None:
        fields.append(("Content-Type", forward.content_type))
    if forward.streams_body and head.length is None:
        fields.append(("Transfer-Encoding", "chunked"))
    elif forward.streams_body:
        fields.append(("Content-Length", str(head.length)))
    elif forward.body is not None or forward.method not in ("GET", "HEAD"):
        fields.append(("Content-Length", str(len(forward.body or b""))))
    text = "".join(f"{name}: {value}\r\n" for name, value in fields)
    line = f"{forward.method} {forward.target} HTTP/1.1\r\n"
    # INVARIANT: what was judged is one request line and whole fields, whatever the text in it was made of.
    if line.count(" ") != 2 or line.count("\n") + text.count("\n") != len(fields) + 1 or not line.isascii():
        raise Internal("the request for the engine could not be built")
    return (line + text + "\r\n").encode("latin-1") + (forward.body or b"")


def _asked(exchange: Exchange, seen: _Seen) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Method, path and query for the record: canonical where that was reached, else as they came, without the query."""
    if seen.request is not None:
        return seen.request.method, seen.request.path, seen.request.query
    if exchange.head is None:
        return "", "", ()
    return exchange.head.method.decode("latin-1"), exchange.head.target.partition(b"?")[0].decode("latin-1"), ()


def _stranger(peer: Peer, policy: str) -> str:
    return f"sockproxy: {peer.address} is none of the clients that policy `{policy}` names"


def _unrecorded(error: AuditError) -> tuple[int, dict[str, str]]:
    """Law 7: what cannot be recorded is not done."""
    _log.error("a request was refused, since it could not be recorded: %s", error)
    return 503, {"message": "sockproxy: the audit log cannot be written, so nothing is forwarded", "code": "internal"}


async def _fail(error: Refusal, exchange: Exchange, send: Send, request_id: str) -> None:
    """The engine went away: say so, or break off what has begun, so that nobody takes it for whole."""
    if exchange.started:
        exchange.abort()
        return
    denial = judge.refusal(error)
    await _answer(send, denial.status, _told(denial), request_id)


def _told(denial: Deny) -> dict[str, str]:
    """Docker's shape, which every client prints, and beside it the code and the YAML for those who look."""
    told = {"message": denial.message, "code": denial.code}
    return {**told, "fix": denial.fix} if denial.fix else told


async def _answer(send: Send, status: int, told: dict[str, str], request_id: str) -> None:
    body = json.dumps(told, ensure_ascii=False).encode() + b"\n"
    headers = (
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(body)),
        (answers.ID_HEADER, request_id.encode()),
    )
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
