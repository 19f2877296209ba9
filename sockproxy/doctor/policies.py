"""The policy: does it load, does it refuse anything, and does it lead to the host?"""

from __future__ import annotations

from collections.abc import Iterator

from sockproxy.doctor.finding import Finding, ok, problem, warning
from sockproxy.errors import PolicyError
from sockproxy.policy.review import review
from sockproxy.policy.rules import Policy
from sockproxy.proxy.server import Settings


def read(settings: Settings) -> Policy | Finding:
    """The policy, or why there is none."""
    source = settings.policy
    try:
        return settings.load(source)
    except PolicyError as error:
        more = len(error.problems) - 1
        what = f"{error.problems[0]}{f' - and {more} more' if more else ''}"
        return problem("policy", what, f"sockproxy check {source}")


def check(policy: Policy, *, host_root: bool, observe: bool) -> Iterator[Finding]:
    """What to know of a policy that loads."""
    roads = review(policy, host_root=host_root).roads
    if roads:
        count = f"{len(roads)} roads" if len(roads) > 1 else "a road"
        yield warning(
            "policy",
            f"`{policy.name}` has {count} to the host: {roads[0]}",
            f"sockproxy check {policy.source}{' --host-root /host' if host_root else ''}, and grant less",
        )
    else:
        yield ok("policy", f"`{policy.name}` has no road to the host")
    if observe or "observe" in policy.modes:
        yield warning(
            "mode", "what a rule could allow is forwarded, and only recorded", "mode: enforce, when it is learnt"
        )
