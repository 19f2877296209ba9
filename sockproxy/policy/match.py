"""Whether a rule covers an ask. The semantics of the four sections, and nothing else.

grant    some pattern must match             only      covered unless the rule holds the kind, then some must match
limit    covered unless the rule has it,     require   covered unless the rule requires it
         then a number must be set, and at most that

A label that an image brings is nothing that `only` holds: most images have some. A `deny` meets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sockproxy.docker.asks import KINDS
from sockproxy.model import Ask
from sockproxy.policy.patterns import Pattern
from sockproxy.policy.rules import Rule

_CAP_DROP_ALL: Final = "cap-drop-all"


def covers(rule: Rule, ask: Ask) -> bool:
    """Whether a rule covers an ask. What cannot be granted is covered by none."""
    if not ask.grantable:
        return False
    match KINDS[ask.kind].section:
        case "grant":
            if ask.plain and _CAP_DROP_ALL not in rule.require:
                return True
            return matches_any(rule.grant.get(ask.kind, ()), ask)
        case "only":
            patterns = rule.only.get(ask.kind)
            return patterns is None or ask.plain or matches_any(patterns, ask)
        case "limit":
            most = rule.limit.get(ask.value)
            return most is None or _within(ask, most)
        case "require":
            return ask.value not in rule.require


def _within(ask: Ask, most: int) -> bool:
    if ask.amount is None:
        return ask.value == "shm"  # which has a small default, while the others have no end
    # To the engine 0 and -1 are no limit at all.
    return 0 < ask.amount <= most


def matches_any(patterns: Iterable[Pattern], ask: Ask) -> bool:
    """Whether some pattern matches an ask."""
    return any(pattern.matches(ask) for pattern in patterns)


def covering(rule: Rule, ask: Ask) -> Pattern | None:
    """The pattern that covers an ask, for `explain`; None where it is covered without one, or not at all."""
    patterns = rule.grant.get(ask.kind, ()) or rule.only.get(ask.kind, ())
    return next((pattern for pattern in patterns if pattern.matches(ask)), None)
