"""Sending a request exactly as it is written, and reading the answer: what no well-behaved client would do for us."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

SECONDS: Final = 20.0
"""How long an answer may take."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes
    more: bool = False
    """Whether bytes came behind it, before the connection ended."""

    @property
    def message(self) -> str:
        """What Docker's clients print of an error; empty where there is none."""
        try:
            told = json.loads(self.body)
        except ValueError:
            return ""
        return str(told.get("message", "")) if isinstance(told, dict) else ""


def request_bytes(
    method: str, target: str, body: object = None, *, headers: tuple[str, ...] = (), host: str = "docker"
) -> bytes:
    """A request as a client writes it: ``body`` is JSON, or the bytes themselves.

    The connection ends with the answer, unless ``headers`` speak of Connection.
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]
    if not any(header.lower().startswith("connection:") for header in headers):
        lines.append("Connection: close")
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    if content:
        lines.append("Content-Type: application/json")
    if content or method != "GET":
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def exchange(address: str, sent: bytes) -> Reply:
    """Send bytes to ``unix://PATH`` or ``tcp://HOST:PORT``, and read one answer and whatever comes behind it.

    Raises:
        OSError: nobody listens there, no answer came in time, or it is no HTTP.
    """
    with connect(address) as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection, method=sent.partition(b" ")[0].decode())
        try:
            answer.begin()
            body = answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"no HTTP answer: {error}") from error
        headers = {name.lower(): value for name, value in answer.getheaders()}
        more = headers.get("connection", "").lower() == "close" and bool(connection.recv(1))
        return Reply(answer.status, headers, body, more)


def connect(address: str) -> socket.socket:
    """A connection to ``unix://PATH`` or ``tcp://HOST:PORT``.

    Raises:
        OSError: nobody listens there, or it is no address.
    """
    url = urlsplit(address)
    if url.scheme == "tcp":
        return socket.create_connection((url.hostname or "", url.port or 0), timeout=SECONDS)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(SECONDS)
    try:
        connection.connect(url.path)
    except OSError:
        connection.close()
        raise
    return connection


def fetch(url: str) -> bytes:
    """The body of a page on the admin listener.

    Raises:
        OSError: it is not there.
    """
    where = urlsplit(url)
    return exchange(f"tcp://{where.netloc}", request_bytes("GET", where.path, host=where.netloc)).body
