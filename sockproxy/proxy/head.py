"""The head of a request, read strictly: parse it, or raise `Malformed`; never repair. Pure.

Two readers must agree before a head is believed. A regular expression holds it to the grammar of RFC 9112, without the
leniencies that parsers grant each other (bare LF, folded lines, space before a colon, HTTP/2.0, control characters);
then llhttp reads it. Whatever says where a body ends must be said once, in one way.

    request-line = method SP request-target SP "HTTP/1." ("0" / "1") CRLF
    field-line   = field-name ":" *( HTAB / SP / VCHAR / obs-text ) CRLF
    head         = request-line *field-line CRLF
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import httptools

from sockproxy.errors import Malformed
from sockproxy.proxy.limits import HEAD_FIELDS

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_HEAD: Final = re.compile(
    _TOKEN + rb" [\x21-\x7e\x80-\xff]++ HTTP/1\.[01]\r\n(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
)
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

_ONCE: Final = frozenset(
    {b"host", b"content-length", b"content-type", b"transfer-encoding", b"expect", b"upgrade", b"origin"}
)
"""Fields that two readers would choose differently between."""

_HARMLESS: Final = frozenset(
    {b"host", b"user-agent", b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"connection"}
)
"""Fields that no judgement reads."""

_REMEMBERED: Final = 4096
_SHORT: Final = 1024


@dataclass(frozen=True, slots=True)
class Head:
    """What a head says."""

    method: bytes
    target: bytes
    """As it came on the request line."""
    headers: tuple[tuple[bytes, bytes], ...]
    """Lower-case names and their values, in the order they came."""
    length: int | None
    """Bytes of the body; 0 where there is none, None where it comes in chunks."""
    keep_alive: bool
    """False where the client asked to close, and for HTTP/1.0."""
    upgrade: bool
    """An ``Upgrade`` field came. dockerd looks for nothing more (moby, container_routes.go)."""
    expects: bool
    """``Expect: 100-continue``."""
    old: bool
    """HTTP/1.0, which knows no chunks."""
    plain: bool
    """No body and no field that a judgement reads: method and target say it all."""


_seen: dict[bytes, Head] = {}


def read(data: bytes) -> Head:
    """Read a head, its final empty line included.

    Clients repeat their heads to the byte, so short plain ones (which hold no secret) are remembered.

    Raises:
        Malformed: it is not a head, or one that could be read in two ways.
    """
    head = _seen.get(data)
    if head is not None:
        return head
    head = _read(data)
    if head.plain and len(data) <= _SHORT:
        if len(_seen) >= _REMEMBERED:
            _seen.clear()
        _seen[data] = head
    return head


class _Fields:
    """What llhttp calls back with."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))


def _read(data: bytes) -> Head:
    if _HEAD.fullmatch(data) is None:
        raise Malformed(_complaint(data))
    if data.count(b"\r\n") > HEAD_FIELDS + 2:
        raise Malformed(f"more than {HEAD_FIELDS} header fields", status=431)
    fields = _Fields()
    parser = httptools.HttpRequestParser(fields)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise Malformed(f"not a request of HTTP/1.1: {error}") from None
    return _framed(parser, fields)


def _framed(parser: httptools.HttpRequestParser, fields: _Fields) -> Head:
    """Decide where the body ends, and refuse a head that says it twice."""
    old = parser.get_http_version() == "1.0"
    values: dict[bytes, bytes] = {}
    for name, value in fields.headers:
        if name in _ONCE and name in values:
            raise Malformed(f"more than one `{name.decode()}` field")
        values[name] = value
    if b"trailer" in values:
        raise Malformed("trailers are not taken: they would come after judging")
    if not old and b"host" not in values:
        raise Malformed("HTTP/1.1 needs a `Host` field")
    upgrade = b"upgrade" in values
    expect = values.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise Malformed("an `Expect` other than 100-continue", status=417)
    length = _length(values, old=old, upgrade=upgrade)
    closing = any(
        token.strip().lower() == b"close"
        for name, value in fields.headers
        if name == b"connection"
        for token in value.split(b",")
    )
    return Head(
        method=parser.get_method(),
        target=fields.target,
        headers=tuple(fields.headers),
        length=length,
        keep_alive=not old and not closing,
        upgrade=upgrade,
        expects=expect is not None and not old,
        old=old,
        plain=length == 0 and _HARMLESS.issuperset(values),
    )


def _length(values: dict[bytes, bytes], *, old: bool, upgrade: bool) -> int | None:
    """The body's length; None for chunks."""
    length, encoding = values.get(b"content-length"), values.get(b"transfer-encoding")
    if encoding is None:
        if length is None:
            return 0
        if _LENGTH.fullmatch(length) is None:
            raise Malformed("a `Content-Length` that is no length")
        return int(length)
    if length is not None:
        raise Malformed("`Content-Length` beside `Transfer-Encoding`")
    if encoding.lower() != b"chunked":
        raise Malformed("a `Transfer-Encoding` other than `chunked`")
    if old:
        raise Malformed("`Transfer-Encoding` on HTTP/1.0")
    if upgrade:
        # llhttp stops at `Upgrade` before such a body, and dockerd after it: two readers, two requests.
        raise Malformed("`Transfer-Encoding` beside `Upgrade`")
    return None


def _complaint(data: bytes) -> str:
    """What is most likely wrong with a head that the grammar refuses."""
    line = data.partition(b"\r\n")[0]
    if line.startswith(b"PRI "):
        return "HTTP/2 is not spoken here"
    if b"\n" in data.replace(b"\r\n", b"") or b"\r" in data.replace(b"\r\n", b""):
        return "a line that does not end in CRLF"
    if re.fullmatch(rb"[^ ]+ [^ ]+ HTTP/1\.[01]", line) is None:
        return "not a request line of HTTP/1.1"
    if b"\r\n " in data or b"\r\n\t" in data:
        return "a folded header field"
    if re.search(rb"\r\n[^:\r]*[ \t]:", data):
        return "a space before the colon of a header field"
    return "a header field that HTTP/1.1 does not allow"
