"""What containers and services do that a rule lets be made, and what is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.policy.document import Place
from sockproxy.policy.harm.facts import Finding, Level, frees, grants, listed, place_of
from sockproxy.policy.patterns import cut_suffixes
from sockproxy.policy.rules import Rule

_MADE: Final[Mapping[str, str]] = MappingProxyType(
    {"ContainerCreate": "containers", "ServiceCreate": "services", "ServiceUpdate": "services"}
)


def of_builds(rule: Rule, rows: frozenset[str]) -> Iterator[Finding]:
    """What a Dockerfile runs while it is built."""
    if "ImageBuild" in rows:
        place = place_of(rule, ["ImageBuild"])
        yield Finding(Level.EXHAUSTS, place, rule.id, "builds images", "what a Dockerfile runs has no limits")


def of_containers(rule: Rule, rows: frozenset[str]) -> Iterator[Finding]:
    """What those do that a rule lets be made."""
    made = [name for name in _MADE if name in rows]
    if not made:
        return

    def finding(level: Level, why: str, kind: str = "") -> Finding:
        place: Place | str = rule.places[kind] if kind in rule.places else place_of(rule, made)
        return Finding(level, str(place), rule.id, f"makes {_MADE[made[0]]}", why)

    volumes, networks = rule.only.get("volume"), rule.only.get("network")
    if volumes is None or frees([each for each in volumes if not cut_suffixes(each.text)[1].read_only]):
        yield finding(Level.CHANGES, "with everyone's volumes mounted, to write", "volume")
    elif frees(volumes):
        yield finding(Level.SECRETS, "with everyone's volumes mounted, to read", "volume")
    if networks is None or frees(networks):
        yield finding(Level.NETWORK, "in everyone's networks", "network")
    elif texts := [pattern.text for pattern in networks if pattern.text != "none"]:
        yield finding(
            Level.NETWORK, f"that run what they like in {', '.join(f'`{each}`' for each in texts)}", "network"
        )
    if rule.only.get("container") is None or frees(rule.only["container"]):
        if grants(rule, "namespace", "pid=container:x") or grants(rule, "namespace", "network=container:x"):
            yield finding(Level.ENTERS, "in the namespaces of everyone's containers", "namespace")
        if grants(rule, "volumes-from", "x"):
            yield finding(Level.ENTERS, "with the volumes of everyone's containers", "volumes-from")
    unlimited = [each for each in ("memory", "cpus", "pids") if each not in rule.limit]
    without = (
        f", without a limit of {listed(unlimited, most=3, last='or')}" if unlimited else ", each within its limits"
    )
    yield finding(Level.EXHAUSTS, f"as many as it likes{without}")
