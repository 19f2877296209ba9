"""Requests over one connection to a Unix socket that stays open, with nothing between the bytes and the engine."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """Docker's ``{"message": …}``, or the body as it is."""
        try:
            return str(json.loads(self.body)["message"])
        except (ValueError, KeyError, TypeError):
            return self.body[:200].decode("utf-8", "replace")


DIED = Answer(0, b"closed without an answer")
"""The engine's handler panicked: Go closes the connection then."""


class _Unix(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=60)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Bare:
    """A connection that is opened when it is needed and kept; the engine closes it after what it could not read."""

    def __init__(self, path: Path) -> None:
        self._connection = _Unix(path)

    def __enter__(self) -> Bare:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def send(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, as it is; once more on a new connection if the old one turns out to be closed."""
        for last in (False, True):
            try:
                self._connection.request(method, target, body, dict(headers if headers is not None else JSON))
                response = self._connection.getresponse()
                return Answer(response.status, response.read())
            except (HTTPException, OSError):
                self._connection.close()
                if last:
                    return DIED
        raise AssertionError

    def get(self, path: str) -> Answer:
        return self.send("GET", path, headers={})

    def make(self, path: str, body: object) -> Any:
        """What the scene is made with: it must succeed."""
        answer = self.send("POST", path, json.dumps(body).encode())
        assert answer.status in (200, 201, 204), f"{path}: {answer.status} {answer.message}"
        return answer.json if answer.body else None
