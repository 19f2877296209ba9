"""How dockerd reads a request's target, written again from Go's and gorilla's source and from nothing of sockproxy's.

net/url      ParseRequestURI, unescape (encodePath, encodeQueryComponent), ParseQuery
gorilla/mux  cleanPath (a path that is not clean is answered 301), routes matched on the decoded path, the first one wins
moby         every route twice, with ``/v{version:[0-9.]+}`` and without; ``{name:.*}`` but for swarm's nouns
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

_HEX = b"0123456789abcdefABCDEF"


class Refused(Exception):
    """Go answers 400, or gorilla 301 or 404."""


def unescape(raw: bytes, *, query: bool) -> bytes:
    """url.unescape: one pass, ``+`` is a space in a query alone."""
    out = bytearray()
    at = 0
    while at < len(raw):
        byte = raw[at]
        if byte == 0x25:
            digits = raw[at + 1 : at + 3]
            if len(digits) != 2 or digits[0] not in _HEX or digits[1] not in _HEX:
                raise Refused("a bad escape")
            out.append(int(digits, 16))
            at += 3
            continue
        out.append(0x20 if query and byte == 0x2B else byte)
        at += 1
    return bytes(out)


def path_and_query(target: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """What ``r.URL.Path`` and ``url.ParseQuery(r.URL.RawQuery)`` are.

    Raises:
        Refused: the request is answered before a handler sees it, or its query is an error.
    """
    if any(byte < 0x20 or byte == 0x7F for byte in target):
        raise Refused("a control character")
    if not target.startswith(b"/"):
        scheme = re.match(rb"[A-Za-z][A-Za-z0-9+.\-]*://", target)
        if scheme is None:
            raise Refused("neither a path nor a URL")
        rest = target[scheme.end() :]
        slash = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
        target = rest[slash:]
    raw_path, mark, raw_query = target.partition(b"?")
    return unescape(raw_path, query=False), _parse_query(raw_query) if mark else []


def _parse_query(raw: bytes) -> list[tuple[bytes, bytes]]:
    pairs = []
    while raw:
        part, _, raw = raw.partition(b"&")
        if b";" in part:
            raise Refused("a semicolon in the query")
        if not part:
            continue
        key, _, value = part.partition(b"=")
        pairs.append((unescape(key, query=True), unescape(value, query=True)))
    return pairs


def clean(path: bytes) -> bytes:
    """mux.cleanPath: path.Clean, with the slash at the end put back."""
    if not path:
        return b"/"
    if path[:1] != b"/":
        path = b"/" + path
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    cleaned = b"/" + b"/".join(parts)
    return cleaned + b"/" if path[-1:] == b"/" and cleaned != b"/" else cleaned


_ONE_SEGMENT = ("services", "nodes", "tasks", "secrets", "configs", "debug")
"""Nouns whose routes have gorilla's plain ``{id}``."""


@cache
def _route(template: str) -> re.Pattern[str]:
    noun = template.split("/")[1]
    one = noun in _ONE_SEGMENT or "{checkpoint}" in template
    pattern = re.sub(r"\{\w+\}", "[^/]+" if one else ".*", template.replace(".", r"\."))
    return re.compile(f"(?:/v(?P<version>[0-9.]+))?{pattern}")


def routed(method: str, path: str, rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows, of those given as method and template, whose route takes in a decoded path, in the order given.

    Raises:
        Refused: the path is not clean.
    """
    raw = path.encode()
    if clean(raw) != raw:
        raise Refused("301")
    # Go's `.` does not match a newline either, and its routes are anchored at both ends.
    return [
        (verb, template) for verb, template in rows if verb == method and _route(template).fullmatch(path) is not None
    ]
