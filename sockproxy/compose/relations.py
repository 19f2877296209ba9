"""What a service has to do with others: dependencies, networks, links, and volumes that are taken over."""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import replace
from typing import Final

from sockproxy.compose import schema
from sockproxy.compose.document import Mapping, Node, Scalar, is_nothing
from sockproxy.compose.notes import nearest
from sockproxy.compose.project import Dependency, Endpoint, Link, Network, VolumesFrom
from sockproxy.compose.values import Values
from sockproxy.model import JsonObject

_CONDITIONS: Final = ("service_started", "service_healthy", "service_completed_successfully")
_SERVICE: Final = "service:"


def depends_on(service: Mapping, values: Values) -> tuple[Dependency, ...]:
    """Those that are written down, and those that links, namespaces and volumes come to."""
    found: dict[str, Dependency] = {}
    said = service.get("depends_on")
    if isinstance(said, Mapping):
        for name, entry in said.entries:
            below = values.mapping(entry)
            if below is not None:
                schema.check_keys(below, schema.DEPENDENCY, "depends_on", values.notes)
            found[name.text] = _dependency(name, below, values)
    for item in () if isinstance(said, Mapping) else values.items(said):
        name_text = values.text(item)
        found[name_text] = Dependency(name_text, "service_started", restart=False)
    for name_text, restart in _implied(service, values):
        written = found.get(name_text, Dependency(name_text, "service_started", restart))
        found[name_text] = replace(written, required=True)
    return tuple(found.values())


def _dependency(name: Scalar, below: Mapping | None, values: Values) -> Dependency:
    condition = values.text(below.get("condition")) if below is not None else ""
    if condition not in _CONDITIONS:
        hint = nearest(condition, _CONDITIONS) or f"one of {', '.join(_CONDITIONS)}"
        values.notes.wrong(name, f"`{condition}` is no condition to depend on", hint)
    restart = values.flag(below.get("restart")) if below is not None else False
    required = below.get("required") if below is not None else None
    return Dependency(name.text, condition, restart, is_nothing(required) or values.flag(required))


def _implied(service: Mapping, values: Values) -> list[tuple[str, bool]]:
    given = service.get
    found = [(word.partition(":")[0], True) for word in values.words(given("links"))]
    for key in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        mode = values.text(given(key))
        if mode.startswith(_SERVICE):
            found.append((mode.removeprefix(_SERVICE), True))
    taken = volumes_from(given("volumes_from"), values)
    return found + [(each.target, False) for each in taken if not each.external]


def networking(service: Mapping, networks: Map[str, Network], values: Values) -> tuple[str, tuple[Endpoint, ...]]:
    """The network mode, or else the networks that are joined, the first in priority first.

    Where neither is written down it is the project's default network.
    """
    mode, said = values.text(service.get("network_mode")), service.get("networks")
    if mode:
        if said is not None and not is_nothing(said):
            values.notes.wrong(said, "`networks` beside `network_mode`", "write one of them")
        return mode, ()
    joined: list[tuple[Node, str, Node | None]] = []
    if isinstance(said, Mapping):
        joined = [(key, key.text, value) for key, value in said.entries]
    else:
        joined = [(item, values.text(item), None) for item in values.items(said)]
    joined = joined or [(service, "default", None)]
    ranked: list[tuple[int, str, Endpoint]] = []
    for at, key, told in joined:
        network = networks.get(key)
        if network is None:
            hint = nearest(key, networks) or "list it under `networks:` at the top level"
            values.notes.wrong(at, f"the network `{key}` is not in this file", hint)
            continue
        below = values.mapping(told)
        priority = values.integer(below.get("priority")) if below is not None else 0
        ranked.append((-priority, key, _endpoint(network, below, values)))
    return "", tuple(endpoint for _, _, endpoint in sorted(ranked, key=lambda each: each[:2]))


def _endpoint(network: Network, below: Mapping | None, values: Values) -> Endpoint:
    if below is None:
        return Endpoint(network)
    schema.check_keys(below, schema.ENDPOINT, "a service's network", values.notes)
    given = below.get
    addresses: JsonObject = {
        "IPv4Address": values.text(given("ipv4_address")),
        "IPv6Address": values.text(given("ipv6_address")),
        "LinkLocalIPs": list(values.words(given("link_local_ips"))),
    }
    options: JsonObject = dict(values.texts(given("driver_opts")))
    if interface := values.text(given("interface_name")):
        options["com.docker.network.endpoint.ifname"] = interface
    return Endpoint(
        network,
        aliases=tuple(values.words(given("aliases"))),
        ipam={key: value for key, value in addresses.items() if value},
        mac_address=values.text(given("mac_address")),
        driver_opts=options or None,
        gateway_priority=values.integer(given("gw_priority")),
    )


def links(service: Mapping, values: Values) -> tuple[Link, ...]:
    """Links to services of the project, then to containers that are there already."""
    found: list[Link] = []
    for key in ("links", "external_links"):
        for word in values.words(service.get(key)):
            target, colon, alias = word.partition(":")
            found.append(Link(target, alias if colon else target, key == "external_links"))
    return tuple(found)


def volumes_from(node: Node | None, values: Values) -> tuple[VolumesFrom, ...]:
    """Compose 2 forgets `:ro`: it sends the bare container (compose, ``convergence.go``; recorded of 2.40)."""
    found: list[VolumesFrom] = []
    for word in values.words(node):
        parts = word.split(":")
        if external := parts[0] == "container" and len(parts) > 1:
            parts = parts[1:]
        if "ro" in parts[1:] and node is not None:
            values.notes.say(node, f"`{word}`: compose 2 does not pass `:ro` on, so that the volumes are writable")
        found.append(VolumesFrom(parts[0], external))
    return tuple(found)
