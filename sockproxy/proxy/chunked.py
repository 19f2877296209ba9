"""A chunked body, decoded strictly: a byte is body, framing or what came behind, or the body is `Malformed`. Pure.

    chunk = 1*8HEXDIG CRLF data CRLF        last = 1*8"0" CRLF CRLF

No extensions and no trailers: no Docker client sends them, and a trailer would come after judging.
"""

from __future__ import annotations

import re
from typing import Final

from sockproxy.errors import Malformed

_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,8}")
_LONGEST_LINE: Final = 10
"""Eight digits and CRLF."""


class Chunked:
    """The state of one body. `feed` it what arrives until ``done``."""

    __slots__ = ("_held", "_left", "behind", "done")

    def __init__(self) -> None:
        self._held = b""
        """Framing that is not whole yet."""
        self._left: int | None = None
        """Bytes of the current chunk still to come, 0 where its CRLF is awaited; None between chunks."""
        self.done = False
        self.behind = b""
        """What came after the body; empty until ``done``."""

    def feed(self, data: bytes) -> bytes:
        """The body in ``data``.

        Raises:
            Malformed: the framing is wrong.
        """
        if self._held:
            data, self._held = self._held + data, b""
        parts: list[bytes] = []
        at = 0
        while at < len(data) and not self.done:
            if self._left:
                part = data[at : at + self._left]
                self._left -= len(part)
                at += len(part)
                parts.append(part)
            elif (after := self._framing(data, at)) is not None:
                at = after
            else:
                self._held = data[at:]
                break
        if self.done:
            self.behind = data[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _framing(self, data: bytes, at: int) -> int | None:
        """Where the framing that starts at ``at`` ends; None while it is not whole."""
        if self._left == 0:
            return self._chunk_end(data, at)
        end = data.find(b"\r\n", at, at + _LONGEST_LINE)
        if end < 0:
            if len(data) - at >= _LONGEST_LINE:
                raise Malformed("a chunk size that is none")
            return None
        if _SIZE.fullmatch(data, at, end) is None:
            raise Malformed("a chunk size that is none, or a chunk extension")
        size = int(data[at:end], 16)
        if size:
            self._left = size
            return end + 2
        return self._body_end(data, end + 2) if len(data) >= end + 4 else None

    def _chunk_end(self, data: bytes, at: int) -> int | None:
        if len(data) - at < 2:
            return None
        if data[at : at + 2] != b"\r\n":
            raise Malformed("a chunk that is longer than it says")
        self._left = None
        return at + 2

    def _body_end(self, data: bytes, at: int) -> int:
        if data[at : at + 2] != b"\r\n":
            raise Malformed("trailers are not taken: they would come after judging")
        self.done = True
        return at + 2
