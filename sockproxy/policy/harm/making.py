"""What containers and services do that a rule lets be made, and what is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.policy.document import Place
from sockproxy.policy.harm.facts import Finding, Level, frees, grants, listed, may_ask, place_of
from sockproxy.policy.overlap import meet
from sockproxy.policy.patterns import cut_suffixes
from sockproxy.policy.rules import Rule

_MADE: Final[Mapping[str, str]] = MappingProxyType(
    {"ContainerCreate": "containers", "ServiceCreate": "services", "ServiceUpdate": "services"}
)


def of_builds(rule: Rule, rows: frozenset[str]) -> Iterator[Finding]:
    """What a Dockerfile runs while it is built."""
    if "ImageBuild" not in rows:
        return
    place = place_of(rule, ["ImageBuild"])
    if _free(rule, "container") and _shares(rule, "network"):
        where = str(rule.places.get("namespace", rule.place))
        why = "what a Dockerfile runs is in the networks of everyone's containers"
        yield Finding(Level.ENTERS, where, rule.id, "builds images", why)
    if networks := _networks(rule):
        where = str(rule.places.get("network", place))
        yield Finding(Level.NETWORK, where, rule.id, "builds images", f"what a Dockerfile runs is in {networks}")
    yield Finding(Level.EXHAUSTS, place, rule.id, "builds images", "what a Dockerfile runs has no limits")


def of_containers(rule: Rule, rows: frozenset[str]) -> Iterator[Finding]:
    """What those do that a rule lets be made."""
    made = [name for name in _MADE if name in rows]
    if not made:
        return

    def finding(level: Level, why: str, kind: str = "") -> Finding:
        place: Place | str = rule.places[kind] if kind in rule.places else place_of(rule, made)
        return Finding(level, str(place), rule.id, f"makes {_MADE[made[0]]}", why)

    volumes = rule.only.get("volume")
    if volumes is None or frees([each for each in volumes if not cut_suffixes(each.text)[1].read_only]):
        yield finding(Level.CHANGES, "with everyone's volumes mounted, to write", "volume")
    elif frees(volumes):
        yield finding(Level.SECRETS, "with everyone's volumes mounted, to read", "volume")
    if networks := _networks(rule):
        what = "in" if _free(rule, "network") else "that run what they like in"
        yield finding(Level.NETWORK, f"{what} {networks}", "network")
    if _free(rule, "container"):
        if any(_shares(rule, each) for each in ("pid", "network", "ipc", "cgroup")):
            yield finding(Level.ENTERS, "in the namespaces of everyone's containers", "namespace")
        if grants(rule, "volumes-from", "x"):
            yield finding(Level.ENTERS, "with the volumes of everyone's containers", "volumes-from")
        if grants(rule, "link", "x") and may_ask(rows, "link"):
            yield finding(Level.SECRETS, "that are told the environment of everyone's, by a link", "link")
    unlimited = [each for each in ("memory", "cpus", "pids") if each not in rule.limit]
    without = (
        f", without a limit of {listed(unlimited, most=3, last='or')}" if unlimited else ", each within its limits"
    )
    yield finding(Level.EXHAUSTS, f"as many as it likes{without}")


def _free(rule: Rule, kind: str) -> bool:
    return rule.only.get(kind) is None or frees(rule.only[kind])


def _shares(rule: Rule, namespace: str) -> bool:
    """Whether a namespace of some other container may be joined."""
    texts = [pattern.text for pattern in rule.grant.get("namespace", ())]
    return any(text in ("any", "**") or meet(text, f"{namespace}=container:**") for text in texts)


def _networks(rule: Rule) -> str:
    """The networks that a rule leads into; empty where there are none."""
    if _free(rule, "network"):
        return "everyone's networks"
    return ", ".join(f"`{pattern.text}`" for pattern in rule.only["network"] if pattern.text != "none")
