"""What a file that `explain` is given holds, told by its content and not by its name.

audit      its first line is a JSON object with a `verdict`: judged again, as `sockproxy replay` does
request    its first line ends in HTTP/1.1 or HTTP/1.0: a request as it goes over the wire
compose    YAML with `services`, `include` or `name` at the top: what `docker compose up` would ask
"""

from __future__ import annotations

import io
import json
import re
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias

from sockproxy.errors import ConfigurationError, Malformed

Kind: TypeAlias = Literal["audit", "request", "compose"]

LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a request or a compose file that are read; audit files are read line by line elsewhere."""

_BEGINNING: Final = 64 * 1024

_REQUEST_LINE: Final = re.compile(rb"\S+ \S.* HTTP/\d(?:\.\d)?\r?")
_COMPOSE_KEY: Final = re.compile(rb"(?m)^[\"']?(?:services|include|name|networks|volumes|x-[\w.-]+)[\"']?\s*:")


def kind_of(name: str, beginning: bytes) -> Kind:
    """What it is.

    Raises:
        ConfigurationError: none of them; the message says what was looked for.
    """
    if beginning.startswith(b"\x1f\x8b"):
        with suppress(zlib.error):
            beginning = zlib.decompressobj(wbits=31).decompress(beginning)
    first = beginning.lstrip().partition(b"\n")[0]
    if first.startswith(b"{") and _is_record(first):
        return "audit"
    if _REQUEST_LINE.fullmatch(first):
        return "request"
    if _COMPOSE_KEY.search(beginning) or _is_json_project(beginning):
        return "compose"
    raise ConfigurationError(
        f"`{name}` is nothing that can be explained: an audit log begins with a line of JSON that has a `verdict`,"
        " a request with a line such as `GET /info HTTP/1.1`, and a compose file has `services:`"
        " (of a body alone, say --request and --body)"
    )


def _is_record(line: bytes) -> bool:
    with suppress(ValueError):
        told = json.loads(line)
        return isinstance(told, dict) and "verdict" in told
    return False


def _is_json_project(data: bytes) -> bool:
    with suppress(ValueError):
        told = json.loads(data)
        return isinstance(told, dict) and "services" in told
    return False


def beginning_of(name: str) -> bytes:
    """Enough of a file to tell what it is; of standard input it is left to be read again.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        if name != "-":
            with Path(name).open("rb") as file:
                return file.read(_BEGINNING)
        stdin = sys.stdin.buffer
        if isinstance(stdin, io.BufferedReader):
            return stdin.peek(_BEGINNING)
        data = stdin.read()
        stdin.seek(0)
    except OSError as error:
        raise ConfigurationError(f"`{name}` cannot be read: {error.strerror}") from None
    return data


def read(name: str) -> bytes:
    """A whole file; ``-`` is standard input.

    Raises:
        ConfigurationError: it cannot be read, or is longer than `LIMIT`.
    """
    try:
        if name == "-":
            data = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(LIMIT + 1)
    except OSError as error:
        raise ConfigurationError(f"`{name}` cannot be read: {error.strerror}") from None
    if len(data) > LIMIT:
        raise ConfigurationError(f"`{name}` has more than {LIMIT} bytes")
    return data


def split_request(data: bytes) -> tuple[bytes, bytes]:
    """A request's head, its empty line included, and what comes behind it.

    Raises:
        Malformed: the head does not end.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        raise Malformed("no empty line ends the head: each line of it ends in CRLF, and an empty one comes last")
    return head + end, rest


def body_of(rest: bytes, length: int | None) -> bytes | None:
    """The body, by its length or its chunks; None where there is none.

    Raises:
        Malformed: it is cut short, or more than one request is there.
    """
    from sockproxy.proxy.chunked import Chunked

    if length is None:
        chunked = Chunked()
        body, behind, whole = chunked.feed(rest), chunked.behind, chunked.done
    else:
        body, behind, whole = rest[:length], rest[length:], len(rest) >= length
    if not whole:
        raise Malformed(f"the body is cut short: {len(rest)} bytes come where the head says that there are more")
    if behind.strip():
        raise Malformed(f"{len(behind)} bytes come behind the body: a file holds one request")
    return body if length is None or length else None
