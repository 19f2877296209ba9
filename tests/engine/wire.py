"""Requests as bytes, for what no well-behaved client would send."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """The first response of a connection, and what the server did after it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    rest: bytes = b""
    """Whatever came after the response until the server closed, or fell silent for as long as was waited."""
    closed: bool = False

    @property
    def message(self) -> str:
        """Docker's ``{"message": ...}``."""
        message = json.loads(self.body)["message"]
        assert isinstance(message, str)
        return message


def request(method: str, target: str, body: bytes | None = None, **headers: str) -> bytes:
    """A request with these headers (``content_type="text/plain"``); Content-Length and Host are filled in."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and "transfer-encoding" not in fields:
        fields = {"content-length": str(len(body)), "content-type": "application/json"} | fields
    head = "".join(f"{name}: {value}\r\n" for name, value in ({"host": "docker"} | fields).items() if value != "")
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + (body or b"")


def chunked(body: bytes, size: int = 7) -> bytes:
    """The body in chunks of that many bytes."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def exchange(path: Path, sent: bytes, *, linger: float = 0.0) -> Answer:
    """Send the bytes over a Unix socket and read one response, then whatever comes within ``linger`` seconds."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(sent)
        method = sent.split(b" ", 1)[0].decode()
        with HTTPResponse(connection, method=method) as response:
            response.begin()
            body = response.read()
            rest, closed = _remainder(connection, response, linger)
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, body, rest, closed)


def _remainder(connection: socket.socket, response: HTTPResponse, linger: float) -> tuple[bytes, bool]:
    if not linger:
        return b"", False
    connection.settimeout(linger)
    rest = b""
    try:
        while data := connection.recv(65536):
            rest += data
    except TimeoutError:
        return rest, False
    except ConnectionResetError:
        return rest, True
    return rest, True


def to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
