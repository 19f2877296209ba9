"""Published ports: `PortBindings`."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final

from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.whose import text
from sockproxy.errors import Malformed
from sockproxy.model import Json

_CONTAINER_PORT: Final = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:/(tcp|udp|sctp)?)?", re.IGNORECASE | re.ASCII)
_HOST_PORT: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


def publish(found: Findings, value: Json, where: str) -> Json:
    """An ask for each binding: ``127.0.0.1:8080/tcp``, ``0.0.0.0:random/tcp`` where the engine chooses.

    A port without bindings is published at one that the engine chooses.

    Raises:
        Malformed: no port, or an address that engines would silently take for every address.
    """
    assert isinstance(value, dict)
    for port, bindings in value.items():
        here = f"{where}[{port}]"
        match = _CONTAINER_PORT.fullmatch(port)
        if match is None:
            raise Malformed(f"{here}: `{port}` is no port")
        protocol = (match[1] or "tcp").lower()
        for binding in (bindings if isinstance(bindings, list) else None) or [{}]:
            address = _address(text(binding, "HostIp"), here)
            found.ask("publish", f"{address}:{_host_port(text(binding, 'HostPort'), here)}/{protocol}", here)
    return value


def _address(text_: str, where: str) -> str:
    """A host address as patterns have it: ``127.0.0.1``, ``[::1]``.

    Engines read what Go's ParseIP does not understand (``127.0.0.01``) as no address at all, which is every address.
    """
    if not text_:
        return "0.0.0.0"  # noqa: S104 - what is asked for, not what is listened at
    address = _normal_address(text_)
    if address is None:
        raise Malformed(f"{where}: `{text_}` is no IP address")
    return address


@lru_cache(maxsize=256)
def _normal_address(text_: str) -> str | None:
    try:
        address = ipaddress.ip_address(text_)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.scope_id is not None:
        # Not every engine understands a zone.
        return None
    return str(address.ipv4_mapped) if address.ipv4_mapped else f"[{address}]"


def _host_port(text_: str, where: str) -> str:
    if not text_:
        return "random"
    match = _HOST_PORT.fullmatch(text_)
    if match is None:
        raise Malformed(f"{where}: `{text_}` is no host port")
    first, last = int(match[1]), int(match[2] or match[1])
    if first == last:
        return str(first) if first else "random"
    return f"{first}-{last}"
