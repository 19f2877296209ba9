"""The container that sockproxy runs in: found, so that nobody may touch it, and seen from outside."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from sockproxy.doctor.asking import Told, dig
from sockproxy.doctor.finding import Finding, ok, problem, warning
from sockproxy.doctor.scene import Scene
from sockproxy.model import JsonObject


@dataclass(frozen=True, slots=True)
class House:
    """What sockproxy runs in, as far as that is known."""

    in_container: bool
    inspect: JsonObject | None = None
    """Its container, as the engine describes it."""

    @property
    def network_mode(self) -> str:
        """`bridge`, `host`, `container:ID` or a network's name; empty where nobody knows."""
        mode = dig(self.inspect, "HostConfig", "NetworkMode")
        return mode if isinstance(mode, str) else ""

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that it is in."""
        networks = dig(self.inspect, "NetworkSettings", "Networks")
        return tuple(sorted(networks)) if isinstance(networks, dict) else ()

    def published(self, port: int) -> tuple[tuple[str, str], ...]:
        """Where a TCP port of it can be reached at the host: addresses and ports."""
        bindings = dig(self.inspect, "NetworkSettings", "Ports", f"{port}/tcp")
        found = (
            [(dig(each, "HostIp"), dig(each, "HostPort")) for each in bindings] if isinstance(bindings, list) else []
        )
        return tuple((str(address or "0.0.0.0"), str(at)) for address, at in found)  # noqa: S104 - read, not bound


def is_loopback(address: str) -> bool:
    """Whether an address of the host can be reached from that alone."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def check(told: Told, named: str | None, scene: Scene) -> Finding:
    """Whether the own container was found. ``named`` is what the operator calls it."""
    found = told.context.own_container
    if found is None and named is not None:
        return problem("own-container", f"the engine knows no container `{named}`", "--own-container NAME, of this one")
    if found is None and scene.in_container:
        return warning(
            "own-container",
            "this is a container, and it cannot tell which: nothing keeps clients from entering or removing it",
            "--own-container NAME, of this one",
        )
    if found is None:
        return ok("own-container", "sockproxy runs in no container here")
    if told.own is None:
        return warning(
            "own-container",
            f"this is container {found[:12]}, which the engine does not know: it is another engine's",
            "--engine unix:///PATH, of the engine that runs this container, unless the other is meant",
        )
    return ok("own-container", f"`{str(told.own.get('Name')).removeprefix('/')}` ({found[:12]}): nobody may touch it")
