"""Published and exposed ports.

    short   [IP:][HOST:]CONTAINER[/PROTOCOL], each a port or a range
    long    {target, published, host_ip, protocol}

Two ranges of one length go together port by port; a range for one port of the container lets the engine choose in it
(go-connections, ``nat.ParsePortSpec``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sockproxy.compose.document import Mapping, Node
from sockproxy.compose.values import Values
from sockproxy.model import Json, JsonObject

_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_SHORT: Final = re.compile(
    r"(?:(?:(?:\[(?P<ip6>[^]]*)\]|(?P<ip4>[^:\[\]]*)):)?(?P<host>[0-9]{0,5}(?:-[0-9]{1,5})?):)?"
    r"(?P<container>[0-9]{1,5}(?:-[0-9]{1,5})?)(?:/(?P<protocol>[A-Za-z]+))?"
)
_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_LAST: Final = 65535


@dataclass(frozen=True, slots=True)
class _Port:
    target: int
    protocol: str
    host_ip: str
    published: str

    @property
    def inside(self) -> str:
        """``80/tcp``."""
        return f"{self.target}/{self.protocol}"

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two entries the same: the later one holds."""
        return self.host_ip or "0.0.0.0", self.published, self.inside  # noqa: S104 - what compose compares by


def read_ports(ports: Node | None, expose: Node | None, values: Values) -> tuple[JsonObject, JsonObject]:
    """`ExposedPorts` and `PortBindings` of a create."""
    found: dict[tuple[str, str, str], _Port] = {}
    for entry in values.items(ports):
        for port in _long(entry, values) if isinstance(entry, Mapping) else _short(entry, values):
            found[port.key] = port
    exposed: JsonObject = {word: {} for word in values.words(expose)}
    bindings: dict[str, list[Json]] = {}
    for port in found.values():
        exposed[port.inside] = {}
        bindings.setdefault(port.inside, []).append({"HostIp": port.host_ip, "HostPort": port.published})
    return exposed, dict(bindings)


def _long(entry: Mapping, values: Values) -> list[_Port]:
    target = values.integer(entry.get("target"))
    if not 0 < target <= _LAST:
        values.notes.wrong(entry, "a port without a `target`, the port in the container")
        return []
    published = values.text(entry.get("published"))
    if published and _ends(published) is None:
        values.notes.wrong(entry.get("published") or entry, f"`{published}` is no port and no range of ports")
    protocol = values.text(entry.get("protocol")) or "tcp"
    return [_Port(target, protocol, values.text(entry.get("host_ip")), published)]


def _short(entry: Node, values: Values) -> list[_Port]:
    word = values.text(entry)
    found = _SHORT.fullmatch(word)
    inside = _ends(found["container"]) if found is not None else None
    outside = _ends(found["host"]) if found is not None and found["host"] else None
    if found is None or inside is None or (found["host"] and outside is None):
        values.notes.wrong(entry, f"`{word}` is no port", "write [IP:][HOST:]CONTAINER[/PROTOCOL]")
        return []
    protocol, address = (found["protocol"] or "tcp").lower(), found["ip6"] or found["ip4"] or ""
    if protocol not in _PROTOCOLS:
        values.notes.wrong(entry, f"`{word}`: `{protocol}` is no protocol of a port", "write tcp, udp or sctp")
    targets = range(inside[0], inside[1] + 1)
    if outside is None:
        return [_Port(target, protocol, address, "") for target in targets]
    if len(targets) == 1:
        return [_Port(inside[0], protocol, address, found["host"])]
    if outside[1] - outside[0] != inside[1] - inside[0]:
        values.notes.wrong(entry, f"`{word}`: the ranges differ in length")
        return []
    return [_Port(target, protocol, address, str(outside[0] + index)) for index, target in enumerate(targets)]


def _ends(word: str) -> tuple[int, int] | None:
    """The ends of a port or a range; None where it is neither."""
    found = _RANGE.fullmatch(word)
    if found is None:
        return None
    low, high = int(found[1]), int(found[2] or found[1])
    return (low, high) if low <= high <= _LAST else None
