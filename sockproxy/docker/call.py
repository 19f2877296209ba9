"""A call: a request that has found its row in the table of the Engine API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sockproxy.docker.operations import Operation
from sockproxy.model import Json, Request, Version


@dataclass(frozen=True, slots=True)
class Call:
    """A request, the row it matched, and what the row says of it."""

    request: Request
    operation: Operation
    params: Mapping[str, str]
    """Decoded path parameters: ``{"id": "web"}``."""
    version: Version
    """The API version that it is judged and forwarded at."""
    body: Json = None
    """The strictly parsed JSON of a row that reads one; None where there is none."""
