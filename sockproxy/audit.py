"""The audit log: every decision, one line of JSON, in the kernel's hands before the call is forwarded.

    {"time": "2026-01-31T12:00:00.123Z", "id": "5f0c2a9e00000001", "event": "request", "peer": "172.20.0.4:51234",
     "client": "jenkins", "operation": "ContainerCreate", "method": "POST", "path": "/containers/create",
     "query": {"name": "ci-1"}, "verdict": "deny", "code": "ask_refused", "rule": "run",
     "asks": [{"kind": "bind", "value": "/etc", "where": "HostConfig.Binds[0]"}, …], "refused": […],
     "policy": "9f2c…", "engine_version": "1.51", "status": 403, "bytes_in": null, "bytes_out": null, "seconds": null}

Every line has every key, null where there is nothing to say. `event` is `request` (an ordinary call, or a denial),
`start` (a call that may stay open for days) or `end` (the second line of a forwarded call, under the same id).

An ask has, where they say something, `read_only`, `nonrecursive`, `shared`, `amount` (of a limit), `labels` (of the
container, volume, network or service, where they are known), `aliases` (the names of an image given by its id), `plain`
(a capability that every container has) and `grantable` (false: no policy can allow it). That is all that a policy is
matched against, so that another one can be tried on last week's lines: ``records.py`` reads them.

Secrets are taken out by ``redaction.py``. Values are cut at 1 KB and their control characters escaped, lists at 8 KB;
how many query keys or asks were left out then stands in one more key, `left_out`.

Nothing is buffered: a line that a crash could lose is no record. Nothing is dropped: what cannot be written raises.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final, Literal, NamedTuple, TypeAlias

from sockproxy.errors import Code, ConfigurationError, Internal
from sockproxy.model import Ask, Version
from sockproxy.redaction import redact, redact_ask, redact_label, redact_path, redact_value, shown

Event: TypeAlias = Literal["request", "start", "end"]
VerdictWord: TypeAlias = Literal["allow", "deny", "absent", "would_deny"]
"""`absent`: the thing in the path does not exist, and the engine's own 404 was answered."""
SinkKind: TypeAlias = Literal["stdout", "file"]

LIST_LIMIT: Final = 8192
"""How many bytes a list of one line may take (query, asks, refused) before the rest is counted only."""

_TOO_LONG: Final = '"\\u2026"'
"""Stands for the list of a key that came too often."""

REMEMBERED: Final = 200
"""How many decisions the live page can show."""


class AuditError(Internal):
    """The audit line could not be handed to the kernel: the call must not be forwarded (503)."""

    status = 503


class Recorded(NamedTuple):
    """A decision as the ring remembers it."""

    line: bytes
    """The audit line, a JSON object."""
    message: str
    """What the client was told; empty where it was told nothing. Not part of the audit line."""


def fragment(
    *,
    client: str,
    operation: str,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    verdict: VerdictWord,
    code: Code | None,
    rule: str | None,
    asks: Sequence[Ask],
    refused: Sequence[Ask],
    policy: str,
    engine_version: Version | None,
) -> bytes:
    """The part of a line that is the same for every call judged alike, so that a caller may keep it.

    ``operation`` is a name of the table or ``(unknown)``; ``path`` is decoded and without its version prefix, and of a
    request that was malformed the target as it came; ``policy`` is the digest of the policy that judged.
    """
    pairs = _merged(redact(query))
    told_query, query_left = _within_limit(map(_pair, pairs.items()), len(pairs))
    told_asks, asks_left = _within_limit(map(_ask, asks), len(asks))
    told_refused, refused_left = _within_limit(map(_ask, refused), len(refused))
    left_out = query_left + max(asks_left, refused_left)
    fields = (
        f'"client":{_text(client)}',
        f'"operation":{_text(operation)}',
        f'"method":{_text(method)}',
        f'"path":{_quoted(redact_path(path))}',
        f'"query":{{{told_query}}}',
        f'"verdict":{_text(verdict)}',
        f'"code":{_text(code)}',
        f'"rule":{_text(rule)}',
        f'"asks":[{told_asks}]',
        f'"refused":[{told_refused}]',
        f'"policy":{_text(policy)}',
        f'"engine_version":{_text(None if engine_version is None else f"{engine_version[0]}.{engine_version[1]}")}',
        *((f'"left_out":{left_out}',) if left_out else ()),
    )
    return ",".join(fields).encode("ascii")


def _text(value: str | None) -> str:
    return "null" if value is None else _quoted(shown(value))


def _merged(query: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in query:
        values.setdefault(name, []).append(value)
    return values


def _pair(item: tuple[str, list[str]]) -> str:
    """``"all":"1"``; the values of a key that came more than once are a list."""
    name, values = item
    text = _quoted(values[0]) if len(values) == 1 else f"[{','.join(map(_quoted, values))}]"
    return f"{_quoted(name)}:{text if len(text) <= LIST_LIMIT else _TOO_LONG}"


_PASSED: Final = re.compile(rb'("verdict":"(?:allow|would_deny)","code":)(?:null|"\w+")')


def as_failed(passed: bytes, code: Code) -> bytes:
    """The fragment of a call that was to go on and then failed while it was forwarded: the same, with the code.

    A quotation mark in a value is escaped, so that these bytes stand where the verdict does and nowhere else.
    """
    return _PASSED.sub(rb'\1"%b"' % code.encode(), passed, count=1)


def _ask(ask: Ask) -> str:
    told = f'"kind":{_quoted(ask.kind)},"value":{_quoted(redact_ask(ask))},"where":{_quoted(shown(ask.where))}'
    if ask.known:
        told += _labels(ask.labels)
    if ask.aliases:
        names, left = _within_limit(map(_text, ask.aliases), len(ask.aliases))
        told += f',"aliases":[{names}]' + (f',"left_out":{left}' if left else "")
    if ask.read_only:
        told += ',"read_only":true'
    if ask.nonrecursive:
        told += ',"nonrecursive":true'
    if ask.shared:
        told += ',"shared":true'
    if ask.amount is not None:
        told += f',"amount":{ask.amount}'
    if ask.plain:
        told += ',"plain":true'
    if not ask.grantable:
        told += ',"grantable":false'
    return f"{{{told}}}"


def _labels(labels: Sequence[tuple[str, str]]) -> str:
    pairs = (f"{_text(redact_value(name))}:{_text(redact_label(name, value))}" for name, value in labels)
    told, left = _within_limit(pairs, len(labels))
    return f',"labels":{{{told}}}' + (f',"left_out":{left}' if left else "")


def _within_limit(items: Iterable[str], count: int) -> tuple[str, int]:
    """The items joined by commas as far as they fit, and how many did not. The first always stands.

    What does not fit is not rendered either: a body of 100,000 binds costs no more than one of a hundred.
    """
    kept: list[str] = []
    size = 0
    for item in items:
        size += len(item)
        if kept and size > LIST_LIMIT:
            break
        kept.append(item)
    return ",".join(kept), count - len(kept)


class AuditLog:
    """Writes audit lines to its sinks, and remembers the last decisions."""

    def __init__(self, sinks: Sequence[str], *, written: Callable[[SinkKind], object] | None = None) -> None:
        """Open the sinks: ``-`` is standard output, anything else a file, appended to and made with mode 0640.

        ``written`` is told of each line that a sink took.

        Raises:
            ConfigurationError: a file cannot be opened; the message says which and why.
        """
        self._sinks = tuple(_Sink(name) for name in sinks)
        self._written = written
        self._recent: deque[Recorded] = deque(maxlen=REMEMBERED)
        self._clock = _Clock()
        self._prefix = secrets.token_hex(4)
        self._counter = itertools.count(1)

    @property
    def kinds(self) -> tuple[SinkKind, ...]:
        """The kind of each sink, as the metric's label has it (a path is no label)."""
        return tuple(sink.kind for sink in self._sinks)

    def new_id(self) -> str:
        """16 hex digits that no other call of this process has, and hardly one of another."""
        return f"{self._prefix}{next(self._counter) & 0xFFFFFFFF:08x}"

    def write(
        self,
        fragment: bytes,
        *,
        id: str,  # noqa: A002 - the field's own name
        event: Event,
        peer: str,
        status: int | None = None,
        bytes_in: int | None = None,
        bytes_out: int | None = None,
        seconds: float | None = None,
        message: str = "",
    ) -> None:
        """Hand one line to the kernel, for each sink. ``message`` is for the live page alone.

        Raises:
            AuditError: a sink took it not or only in part. The others have it all the same.
        """
        head = f'{{"time":"{self._clock.now()}","id":{_quoted(id)},"event":"{event}","peer":{_quoted(shown(peer))},'
        if event == "end" or status is not None:
            tail = (
                f',"status":{_number(status)},"bytes_in":{_number(bytes_in)},"bytes_out":{_number(bytes_out)}'
                f',"seconds":{"null" if seconds is None else f"{seconds:.6f}"}}}\n'
            ).encode("ascii")
        else:
            tail = _NOTHING_YET
        line = head.encode("ascii") + fragment + tail
        failed: AuditError | None = None
        for sink in self._sinks:
            try:
                sink.write(line)
            except OSError as error:
                failed = AuditError(f"the audit record cannot be written: {error.strerror or error}")
            else:
                if self._written is not None:
                    self._written(sink.kind)
        if failed is not None:
            raise failed
        if event != "end":
            self._recent.append(Recorded(line, message))

    def recent(self) -> tuple[Recorded, ...]:
        """The last decisions, oldest first. `end` lines are none."""
        return tuple(self._recent)

    def reopen(self) -> None:
        """Open each file anew, for log rotation. What cannot be opened stays as it was.

        Raises:
            ConfigurationError: a file cannot be opened; the rotated one is still written to.
        """
        failed: ConfigurationError | None = None
        for sink in self._sinks:
            try:
                sink.reopen()
            except ConfigurationError as error:
                failed = error
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Close the files."""
        for sink in self._sinks:
            sink.close()


_NOTHING_YET: Final = b',"status":null,"bytes_in":null,"bytes_out":null,"seconds":null}\n'


def _number(value: int | None) -> int | str:
    return "null" if value is None else value


class _Clock:
    """The time as a line has it, formatted once a millisecond."""

    def __init__(self) -> None:
        self._second = self._milli = -1
        self._date = self._text = ""

    def now(self) -> str:
        milli = time.time_ns() // 1_000_000
        if milli == self._milli:
            return self._text
        second, rest = divmod(milli, 1000)
        if second != self._second:
            self._second, self._date = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        self._milli, self._text = milli, f"{self._date}.{rest:03d}Z"
        return self._text


class _Sink:
    """A file descriptor that takes whole lines."""

    def __init__(self, name: str) -> None:
        self.kind: SinkKind = "stdout" if name == "-" else "file"
        self._name = name
        self._fd = 1 if name == "-" else _open(name)
        self._torn = False

    def write(self, line: bytes) -> None:
        """Hand over the line, however many writes it takes.

        Raises:
            OSError: the kernel took it not, or only in part; the next line then starts on a line of its own.
        """
        if self._torn:
            line = b"\n" + line
        written = os.write(self._fd, line)
        while written < len(line):
            self._torn = True
            written += os.write(self._fd, line[written:])
        self._torn = False

    def reopen(self) -> None:
        if self._name == "-":
            return
        new = _open(self._name)
        self._fd, old = new, self._fd
        self._torn = False
        os.close(old)

    def close(self) -> None:
        if self._name != "-" and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _open(name: str) -> int:
    """A descriptor that appends.

    Not blocking, which a file never does anyway: of a pipe that nobody reads it makes a refusal, where a blocking one
    would hold up every client.

    Raises:
        ConfigurationError: it cannot be opened.
    """
    try:
        return os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
    except OSError as error:
        raise ConfigurationError(
            f"the audit file `{name}` cannot be opened: {error.strerror}; name a file that sockproxy may write, or `-`"
        ) from error
