"""The engine: what it is, which API versions are left between it and the policy, and whether clients can begin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from sockproxy.decide import unconditional_deny
from sockproxy.docker.operations import BY_NAME
from sockproxy.doctor.asking import Told, dig
from sockproxy.doctor.finding import Finding, ok, problem, warning
from sockproxy.model import NEWEST_VERSION, OLDEST_VERSION, JsonObject, Version
from sockproxy.policy.rules import Policy

_SKEW: Final = 60.0
"""Seconds by which two clocks may differ."""


def check(told: Told, policy: Policy | None, now: datetime) -> Iterator[Finding]:
    """What the engine says of itself, held against the policy; ``now`` is our own clock."""
    yield _kind(told)
    yield _versions(told, policy)
    if policy is not None:
        yield from _beginnings(policy)
    yield from _clock(told.info, now)


def _kind(told: Told) -> Finding:
    components = told.version.get("Components")
    names = [dig(each, "Name") for each in components] if isinstance(components, list) else []
    version = told.version.get("Version")
    if "Podman Engine" in names:
        return warning(
            "engine",
            f"Podman {version}: it speaks Docker's API after its own fashion, and sockproxy knows what Docker reads of"
            " a body; /libpod/… is refused",
            "Docker Engine, where a policy must hold against whoever is hostile",
        )
    options = told.info.get("SecurityOptions")
    rootless = isinstance(options, list) and "name=rootless" in options
    system = f"{told.version.get('Os')}/{told.version.get('Arch')}"
    return ok("engine", f"Docker {version}, {system}{', rootless: its root is the user that it runs as' * rootless}")


# API versions ---------------------------------------------------------------------------------------------------------


def _versions(told: Told, policy: Policy | None) -> Finding:
    oldest, newest = told.context.engine_minimum, told.context.engine_version
    spoken = f"the engine speaks {_shown(oldest)} to {_shown(newest)}"
    known = max(oldest, OLDEST_VERSION), min(newest, NEWEST_VERSION)
    if known[0] > known[1]:
        ours = f"sockproxy knows {_shown(OLDEST_VERSION)} to {_shown(NEWEST_VERSION)}"
        what = "a newer sockproxy" if oldest > NEWEST_VERSION else "Docker Engine 1.12 or newer"
        return problem("api", f"{spoken}, and {ours}", what)
    low, high = (policy.api_min, policy.api_max) if policy is not None else (OLDEST_VERSION, NEWEST_VERSION)
    left = max(oldest, low), min(newest, high)
    if left[0] > left[1]:
        return problem(
            "api",
            f"{spoken}, and the policy lets {_shown(low)} to {_shown(high)} pass: no version is left",
            f'in the policy: api: {{min: "{_shown(known[0])}", max: "{_shown(known[1])}"}}',
        )
    return ok("api", f"clients are told {_shown(left[0])} to {_shown(left[1])} ({spoken})")


def _shown(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


# How a client begins --------------------------------------------------------------------------------------------------


def _beginnings(policy: Policy) -> Iterator[Finding]:
    """`/_ping` and `/version` are open unless a `deny` takes them in, for everybody."""
    for name in ("SystemPing", "SystemPingHead", "SystemVersion"):
        row = BY_NAME[name]
        denied = unconditional_deny(row, policy)
        if denied is None:
            continue
        rule = next(each for each in policy.deny_rules if each.id == denied.rule)
        yield problem(
            "ping",
            f"the engine answers, and rule `{rule.id}` denies {row.method} {row.template}, by which clients negotiate",
            f"{rule.place}: take {row.template} out of `deny`",
        )
        return
    yield ok("ping", "clients can negotiate: nothing denies /_ping and /version")


# The clock ------------------------------------------------------------------------------------------------------------


def _clock(info: JsonObject, now: datetime) -> Iterator[Finding]:
    try:
        theirs = datetime.fromisoformat(str(info.get("SystemTime")))
    except ValueError:
        return
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    skew = (theirs - now).total_seconds()
    if abs(skew) > _SKEW:
        which = "ahead of" if skew > 0 else "behind"
        what = f"the engine's clock is {abs(skew):.0f} s {which} ours: the audit log and its events will not fit"
        yield warning("clock", what, "timedatectl set-ntp true, on both machines")
