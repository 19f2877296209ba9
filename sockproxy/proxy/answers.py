"""What of an engine's answer a client is told: its fields but those of the one connection, and versions as clamped.

Clients read the API version from ``/_ping``'s header and from ``/version``'s body before anything else, and nobody
renegotiates on a 400: so these two say what the policy lets pass, not what the engine could do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from sockproxy.errors import EngineDown
from sockproxy.model import Json, Version

Headers = list[tuple[bytes, bytes]]

ID_HEADER: Final = b"X-Sockproxy-Id"

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110, 7.6.1: fields that belong to one connection."""


def passed_on(headers: Iterable[tuple[bytes, bytes]], request_id: bytes) -> Headers:
    """The engine's fields without those of its own connection, and the id under which the call is recorded."""
    kept = [(ID_HEADER, request_id)]
    named: frozenset[bytes] = frozenset()
    for name, value in headers:
        lower = name.lower()
        if lower not in _HOP_BY_HOP:
            kept.append((name, value))
        elif lower == b"connection":
            named |= {token.strip().lower() for token in value.split(b",")}
    if named - _HOP_BY_HOP - {b"close", b""}:
        return [(name, value) for name, value in kept if name.lower() not in named]
    return kept


def clamped_ping(headers: Headers, newest: Version) -> Headers:
    """``/_ping``'s fields, its version lowered to ``newest`` where it is higher."""
    return [(name, _lower(value, newest) if name.lower() == b"api-version" else value) for name, value in headers]


def _lower(value: bytes, newest: Version) -> bytes:
    spoken = _version(value.decode("latin-1"))
    return _written(newest).encode() if spoken is None or spoken > newest else value


def clamped_version(body: bytes, oldest: Version, newest: Version) -> bytes:
    """``/version``'s body, its range narrowed to ``oldest`` … ``newest``, at the top and in each component's details.

    Raises:
        EngineDown: the engine's answer is no JSON object.
    """
    try:
        told: Json = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise EngineDown("the engine's answer to /version is no JSON object")
    _clamp(told, oldest, newest)
    components = told.get("Components")
    for component in components if isinstance(components, list) else ():
        details = component.get("Details") if isinstance(component, dict) else None
        if isinstance(details, dict):
            _clamp(details, oldest, newest)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _clamp(told: dict[str, Json], oldest: Version, newest: Version) -> None:
    for key, limit, choose in (("ApiVersion", newest, min), ("MinAPIVersion", oldest, max)):
        value = told.get(key)
        if isinstance(value, str):
            spoken = _version(value)
            told[key] = _written(limit if spoken is None else choose(spoken, limit))


def _version(text: str) -> Version | None:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None


def _written(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
