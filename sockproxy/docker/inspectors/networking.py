"""The networks of a container: `NetworkMode`, `EndpointsConfig`, a fixed address, and the endpoint of a connect.

What an engine joins (tried on 20.10 and 28.5): the keys of `EndpointsConfig`, even beside `NetworkMode: none`; where
there are none, the network of `NetworkMode`. So both are judged, but for a default mode beside endpoints: it adds none.
"""

from __future__ import annotations

from typing import Final

from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.host_config import join_namespace, links
from sockproxy.docker.inspectors.whose import inspect_network_id, joined_network, part, text
from sockproxy.model import JsonObject

_DEFAULT: Final = frozenset({"", "default"})


def inspect_networks(found: Findings, body: JsonObject, host: JsonObject) -> None:
    """The asks of the networks that a create joins. References by id in the body are replaced by the full id."""
    endpoints = part(body, "NetworkingConfig", "EndpointsConfig")
    mode = text(host, "NetworkMode")
    known: dict[str, str] = {}
    if mode.startswith("container:"):
        host["NetworkMode"] = join_namespace(found, "network", mode, "HostConfig.NetworkMode")
    elif mode not in _DEFAULT:
        host["NetworkMode"] = known[mode] = join(found, mode, "HostConfig.NetworkMode")
    elif not endpoints:
        join(found, mode, "HostConfig.NetworkMode")
    if endpoints:
        joined: JsonObject = {}
        for key, endpoint in endpoints.items():
            where = f"NetworkingConfig.EndpointsConfig[{key}]"
            joined[known[key] if key in known else join(found, key, where)] = endpoint
            if isinstance(endpoint, dict) and endpoint:
                inspect_endpoint(found, endpoint, key, where)
        body["NetworkingConfig"] = {**part(body, "NetworkingConfig"), "EndpointsConfig": joined}
    if address := text(body, "MacAddress"):
        found.ask("address", f"mac={address}", "MacAddress")


def join(found: Findings, reference: str, where: str) -> str:
    """The ask of joining one network; gives back what to forward. The engine's default network is `bridge`."""
    if reference in _DEFAULT or reference == "bridge":
        # No look-up: the name is the engine's own, and its network has no labels.
        found.ask("network", "bridge", where)
        return reference
    return joined_network(found, reference, where)


def inspect_endpoint(found: Findings, endpoint: JsonObject, network: str, where: str) -> None:
    """The asks of how a network is joined: fixed addresses, driver options, links. Aliases ask nothing.

    `NetworkID` is taken out of it: the engine is to join the network that is named.
    """
    identity = endpoint.pop("NetworkID", "")
    if isinstance(identity, str) and identity not in ("", network):
        inspect_network_id(found, identity, network, f"{where}.NetworkID")
    ipam = part(endpoint, "IPAMConfig")
    for key in ("IPv4Address", "IPv6Address"):
        if address := text(ipam, key):
            found.ask("address", f"ip={address}", f"{where}.IPAMConfig.{key}")
    local = ipam.get("LinkLocalIPs")
    for each in local if isinstance(local, list) else ():
        found.ask("address", f"ip={each}", f"{where}.IPAMConfig.LinkLocalIPs")
    if address := text(endpoint, "MacAddress"):
        found.ask("address", f"mac={address}", f"{where}.MacAddress")
    for key, value in part(endpoint, "DriverOpts").items():
        found.ask("address", f"option {key}={value}", f"{where}.DriverOpts[{key}]")
    if linked := endpoint.get("Links"):
        links(found, linked, f"{where}.Links")
