"""A client's bytes, plainly read: the whole stream at once, strictly, with nothing of the edge's.

What is not a request to the letter (RFC 9112), or could be read in two ways, is none, and nothing behind it is read: the
edge may find no request where there is none here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sockproxy.docker.operations import Operation, identify
from sockproxy.docker.request import canonical
from sockproxy.errors import Malformed, UnknownOperation

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
_ONCE = {b"host", b"content-length", b"content-type", b"transfer-encoding", b"expect", b"upgrade", b"origin"}


@dataclass
class Plain:
    """One request."""

    method: str
    target: bytes
    old: bool
    """HTTP/1.0: its answer may end with the connection."""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False
    """The body has come to its end."""
    path: str | None = None
    """In canonical form; None where it has none."""
    operation: Operation | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """As it may be recorded: as it came, or in canonical form."""
        came = self.target.partition(b"?")[0].decode("latin-1")
        return (came,) if self.path is None else (came, self.path)

    @property
    def last(self) -> bool:
        """Nothing that comes behind it is a request."""
        connection = self.headers.get(b"connection", b"").lower().split(b",")
        closing = self.old or b"close" in [word.strip(b" \t") for word in connection]
        hijacks = self.operation is not None and self.operation.hijack
        return closing or hijacks or not self.whole or b"upgrade" in self.headers


def read(data: bytes) -> list[Plain]:
    """The requests one after the other, as far as there can be another."""
    found: list[Plain] = []
    while True:
        while data.startswith(b"\r\n"):
            data = data[2:]  # empty lines before a request are nobody's
        head, end, rest = data.partition(b"\r\n\r\n")
        request = _head(head) if end else None
        if request is None:
            return found
        found.append(request)
        data = _body(request, rest)
        if request.last:
            return found


def _head(head: bytes) -> Plain | None:
    line, *lines = head.split(b"\r\n")
    match = _LINE.fullmatch(line)
    pairs = [_FIELD.fullmatch(each) for each in lines]
    if match is None or len(pairs) > 100 or not all(pairs):
        return None
    headers: dict[bytes, bytes] = {}
    for pair in pairs:
        assert pair is not None
        name = pair[1].lower()
        if name in headers and name in _ONCE:
            return None
        headers[name] = pair[2].strip(b" \t")
    request = Plain(match[1].decode("ascii"), match[2], match[3] == b"0", headers)
    if not _framed(request):
        return None
    try:
        judged = canonical(match[1], match[2], headers.items())
        request.path = judged.path
        request.operation, _ = identify(judged.method, judged.path)
    except (Malformed, UnknownOperation):
        return request
    return request


def _framed(request: Plain) -> bool:
    headers = request.headers
    if not request.old and b"host" not in headers:
        return False
    if b"trailer" in headers or headers.get(b"expect", b"100-continue").lower() != b"100-continue":
        return False
    if re.fullmatch(rb"[0-9]{1,18}", headers.get(b"content-length", b"0")) is None:
        return False
    encoding = headers.get(b"transfer-encoding")
    if encoding is None:
        return True
    return encoding.lower() == b"chunked" and not request.old and not {b"content-length", b"upgrade"} & headers.keys()


def _body(request: Plain, rest: bytes) -> bytes:
    """Read the body; what comes behind it."""
    if b"transfer-encoding" not in request.headers:
        length = int(request.headers.get(b"content-length", b"0"))
        request.body, request.whole = rest[:length], len(rest) >= length
        return rest[length:]
    while True:
        match = re.match(rb"([0-9A-Fa-f]{1,8})\r\n", rest)
        if match is None:
            return b""
        size = int(match[1], 16)
        request.body += rest[match.end() :][:size]
        rest = rest[match.end() + size :]
        if rest[:2] != b"\r\n":
            return b""
        rest = rest[2:]
        if size == 0:
            request.whole = True
            return rest
