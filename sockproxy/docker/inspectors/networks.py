"""Networks: made, looked at, connected, disconnected, removed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker.fields import networks as fields
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.inspector import Inspector, nothing
from sockproxy.docker.inspectors.networking import inspect_endpoint
from sockproxy.docker.inspectors.pruning import inspect_prune
from sockproxy.docker.inspectors.whose import (
    Found,
    Purpose,
    asks_host_network,
    labels_of,
    network_in_path,
    other_container,
    part,
    text,
)
from sockproxy.errors import Malformed
from sockproxy.model import Inspection, JsonObject


def _create(found: Findings) -> Inspection:
    body = found.body(fields.CREATE)
    name = text(body, "Name")
    if not name:
        raise Malformed("Name: a network needs a name")
    found.ask("network", name, "Name", labels=labels_of(body.get("Labels")))
    _inspect_driver(found, body)
    _inspect_ipam(found, part(body, "IPAM"))
    return found.forward(body=body)


def _inspect_driver(found: Findings, body: JsonObject) -> None:
    driver = text(body, "Driver") or "bridge"
    if driver != "bridge":
        found.ask("network-driver", driver, "Driver")
    for key, value in part(body, "Options").items():
        found.ask("network-driver", f"{driver} {key}={value}", f"Options[{key}]")
    if source := text(part(body, "ConfigFrom"), "Network"):
        found.ask("network-driver", f"config-from={source}", "ConfigFrom.Network")
    # A swarm's: its scope, and the mesh that publishes ports on every node.
    if (scope := text(body, "Scope")) not in ("", "local"):
        found.ask("network-driver", f"scope={scope}", "Scope")
    if body.get("Ingress") is True:
        found.ask("network-driver", "ingress", "Ingress")


def _inspect_ipam(found: Findings, ipam: JsonObject) -> None:
    driver = text(ipam, "Driver") or "default"
    if driver != "default":
        found.ask("network-driver", f"ipam={driver}", "IPAM.Driver")
    for key, value in part(ipam, "Options").items():
        found.ask("network-driver", f"ipam={driver} {key}={value}", f"IPAM.Options[{key}]")
    pools = ipam.get("Config")
    for index, pool in enumerate(pools if isinstance(pools, list) else ()):
        where = f"IPAM.Config[{index}]"
        for key, word in (("Subnet", "subnet"), ("IPRange", "subnet"), ("Gateway", "ip")):
            if address := text(pool, key):
                found.ask("address", f"{word}={address}", f"{where}.{key}")
        for name, each in part(pool, "AuxiliaryAddresses").items():
            found.ask("address", f"ip={each}", f"{where}.AuxiliaryAddresses[{name}]")


def _connect(found: Findings) -> Inspection:
    body = found.body(fields.CONNECT)
    network = network_in_path(found)
    if network is not None:
        asks_host_network(found, network)
    _inspect_container(found, body)
    named = network.name if network is not None else ""
    inspect_endpoint(found, part(body, "EndpointConfig"), named, "EndpointConfig")
    return found.forward(path=_path(found, network), body=body)


def _disconnect(found: Findings) -> Inspection:
    body = found.body(fields.DISCONNECT)
    network = network_in_path(found)
    _inspect_container(found, body)
    return found.forward(path=_path(found, network), body=body)


def _inspect_container(found: Findings, body: JsonObject) -> None:
    reference = text(body, "Container")
    if not reference:
        raise Malformed("Container: which one?")
    container = other_container(found, reference, "Container", Purpose.CHANGE)
    if container is not None:
        body["Container"] = container.forward


def _path(found: Findings, network: Found | None) -> str | None:
    if network is None or network.fact is None:
        return None
    return found.path_of(network.forward)


def _in_path(found: Findings) -> Inspection:
    network = network_in_path(found)
    return found.forward(path=_path(found, network))


def _prune(found: Findings) -> Inspection:
    return inspect_prune(found, "network")


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        "NetworkList": nothing,
        "NetworkInspect": _in_path,
        "NetworkCreate": _create,
        "NetworkConnect": _connect,
        "NetworkDisconnect": _disconnect,
        "NetworkDelete": _in_path,
        "NetworkPrune": _prune,
    }
)
