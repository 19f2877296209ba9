"""Every limit of the shell, with its default.

Streams (logs -f, events, attach, build, pull, wait) have no deadline and no idle cut-off, so none is listed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HEAD_BYTES: Final = 64 * 1024
"""The longest head of a request or a response, in bytes. dockerd's own limit is 1 MiB (net/http's default)."""
HEAD_FIELDS: Final = 100
"""The most header fields in one head. BuildKit's ``/session`` sends some forty."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all of them, may take. Times are in seconds, sizes in bytes."""

    connections: int = 1024
    """Open connections, tunnels among them; a request on one more is answered 503."""
    head_seconds: float = 10.0
    """From the first byte of a head to its last."""
    body_bytes: int = 4 * 1024 * 1024
    """The longest body that must be read whole before it is judged (JSON)."""
    body_seconds: float = 30.0
    """For such a body to arrive."""
    idle_seconds: float = 3600.0
    """How long a connection may lie idle between requests; dockerd itself never closes one."""
    drain_seconds: float = 5.0
    """How long a refused body is read on, so that its sender lives to read the answer."""
    drain_bytes: int = 256 * 1024 * 1024
    """How much of it."""
    connect_seconds: float = 10.0
    """For a connection to the engine."""
    lookup_seconds: float = 10.0
    """For one of sockproxy's own questions to the engine."""
