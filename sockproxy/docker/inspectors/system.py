"""The engine itself, its debugging pages, logins, and BuildKit's tunnels."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker import references
from sockproxy.docker.fields import system as fields
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.inspector import Inspector, nothing, unversioned
from sockproxy.docker.inspectors.whose import text
from sockproxy.errors import Malformed
from sockproxy.model import Inspection


def _auth(found: Findings) -> Inspection:
    body = found.body(fields.AUTH)
    try:
        registry = references.registry_of(text(body, "serveraddress"))
    except references.InvalidReferenceError as error:
        raise Malformed(f"serveraddress: {error}") from None
    found.ask("registry", registry, "serveraddress")
    return found.forward(body=body)


def _session(found: Findings) -> Inspection:
    found.ask("tunnel", "session", "path")
    return found.forward()


def _grpc(found: Findings) -> Inspection:
    """BuildKit's own API: a client of it builds on the host's network if it likes, so that is asked for too."""
    found.ask("tunnel", "grpc", "path")
    found.ask("namespace", "network=host", "path")
    return found.forward()


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("SystemPing", "SystemPingHead", "SystemVersion", "SystemInfo", "SystemEvents", "SystemDataUsage"), nothing
        ),
        "SystemAuth": _auth,
        "Session": _session,
        "Grpc": _grpc,
        **dict.fromkeys(
            # Pages of the engine's own process: its arguments and memory may hold secrets, so these rows are explicit.
            (
                *("DebugVars", "DebugPprof", "DebugCmdline", "DebugProfile", "DebugSymbol", "DebugTrace"),
                "DebugPprofNamed",
            ),
            unversioned,
        ),
    }
)
