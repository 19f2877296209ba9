"""What in a policy can never matter, whatever is asked: most likely a mistake, and never an error.

    a rule that no client has                        a rule that another one gives all of
    an endpoint that a `deny` takes away again       a kind that none of the rule's endpoints can ask
    a pattern beside one that takes it in            a pattern that no call can ask

Said only of what is certain, and only where both halves of it stand in one file: what a policy takes away from a
preset, or adds to it, was meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from sockproxy.docker.asks import KINDS
from sockproxy.docker.inspectors.asked import MAY_ASK
from sockproxy.policy.overlap import can_match, takes_in
from sockproxy.policy.rules import DenyRule, Patterns, Policy, Rule, Selector


def idle(policy: Policy) -> tuple[str, ...]:
    """A line for each, with its place."""
    lines = [*_nobodys(policy), *_given_by_another(policy), *_taken_away(policy)]
    for rule in policy.rules:
        lines += _never_asked(rule)
        for kind, patterns in (*rule.grant.items(), *rule.only.items()):
            lines += _patterns(rule, kind, patterns)
    for denial in policy.deny_rules:
        lines += _never_met(denial)
    return tuple(dict.fromkeys(lines))


# Rules ---------------------------------------------------------------------------------------------------------------


def _nobodys(policy: Policy) -> Iterator[str]:
    """Rules of this file that no client has. What is extended is a choice to choose from."""
    if not policy.clients or any(client.rules is None for client in policy.clients):
        return
    named = {identity for client in policy.clients for identity in client.rules or ()}
    file = policy.clients[0].place.file
    for rule in policy.rules:
        if rule.id not in named and rule.place.file == file:
            yield f"{rule.place}: rule `{rule.id}` is for nobody: no client names it"


def _given_by_another(policy: Policy) -> Iterator[str]:
    """Rules that allow nothing which another does not allow: of two that are alike the second is told."""
    for at, rule in enumerate(policy.rules):
        for other_at, other in enumerate(policy.rules):
            if rule is other or rule.place.file != other.place.file or not _gives_all_of(other, rule):
                continue
            first_of_two_alike = other_at > at and _gives_all_of(rule, other)
            if not first_of_two_alike and _whoever_has(policy, rule, has=other):
                yield f"{rule.place}: rule `{rule.id}` gives nothing that rule `{other.id}` does not give too"
                break


def _whoever_has(policy: Policy, rule: Rule, *, has: Rule) -> bool:
    """Whether every client that has a rule has the other one as well."""
    return all(
        client.rules is None or rule.id not in client.rules or has.id in client.rules for client in policy.clients
    )


def _gives_all_of(wide: Rule, narrow: Rule) -> bool:
    return (
        narrow.operations <= wide.operations
        and all(_all_within(kind, given, wide.grant.get(kind, ())) for kind, given in narrow.grant.items())
        and all(_all_within(kind, narrow.only.get(kind), held) for kind, held in wide.only.items())
        and all(name in narrow.limit and narrow.limit[name] <= most for name, most in wide.limit.items())
        and wide.require <= narrow.require
    )


def _all_within(kind: str, narrow: Patterns | None, wide: Patterns) -> bool:
    """Whether each pattern is taken in by one of the others. ``narrow`` is None where everything is free."""
    if narrow is None:
        return False
    return all(
        pattern.text == "none" or any(takes_in(each, pattern, KINDS[kind]) or each == pattern for each in wide)
        for pattern in narrow
    )


def _taken_away(policy: Policy) -> Iterator[str]:
    """Endpoints of an `allow` that one `deny` refuses to everybody."""
    for rule in policy.rules:
        for selector in rule.selectors:
            denial = next((each for each in policy.deny_rules if _denies_all(each, selector)), None)
            if denial is not None:
                yield f"{selector.place}: `{selector.text}` never passes: rule `{denial.id}` ({denial.place}) denies it"


def _denies_all(denial: DenyRule, selector: Selector) -> bool:
    same_file = denial.place.file == selector.place.file
    return same_file and not denial.asking and selector.operations <= denial.operations


# Kinds and patterns --------------------------------------------------------------------------------------------------


def _never_asked(rule: Rule) -> Iterator[str]:
    """What a rule says of kinds that none of its endpoints can ask."""
    askable = frozenset[str]().union(*(MAY_ASK[name] for name in rule.operations))
    said = {"grant": tuple(rule.grant), "only": tuple(rule.only)}
    for section in ("grant", "only"):
        for kind in said[section]:
            if kind not in askable:
                yield _never(rule, f"{section}: {kind}", rule.places.get(kind, rule.place))
    for section, words in (("limit", rule.limit), ("require", rule.require)):
        if section not in askable:
            for word in sorted(words):
                yield _never(rule, f"{section}: {word}", rule.places.get(word, rule.place))


def _never(rule: Rule, what: str, place: object) -> str:
    return f"{place}: rule `{rule.id}` says `{what}`, which none of its endpoints can ask"


def _never_met(denial: DenyRule) -> Iterator[str]:
    """What a `deny` waits for that none of its endpoints can ask."""
    askable = frozenset[str]().union(*(MAY_ASK[name] for name in denial.operations))
    for kind, patterns in denial.asking.items():
        place = patterns[0].place if patterns else denial.place
        if kind not in askable:
            yield f"{place}: rule `{denial.id}` says `asking: {kind}`, which none of its endpoints can ask"
            continue
        yield from _unmatched(denial.id, kind, patterns)


def _patterns(rule: Rule, kind: str, patterns: Patterns) -> Iterator[str]:
    yield from _unmatched(rule.id, kind, patterns)
    for at, pattern in enumerate(patterns):
        for other_at, other in enumerate(patterns):
            if at == other_at or _file(pattern.place) != _file(other.place):
                continue
            if not takes_in(other, pattern, KINDS[kind]):
                continue
            if takes_in(pattern, other, KINDS[kind]) and other_at > at:
                continue  # of two that mean the same the second is told
            yield f"{pattern.place}: rule `{rule.id}`: `{kind}: {pattern.text}` is within `{other.text}` beside it"
            break


def _unmatched(identity: str, kind: str, patterns: Patterns) -> Iterator[str]:
    for pattern in patterns:
        if not can_match(KINDS[kind], pattern.text):
            yield f"{pattern.place}: rule `{identity}`: no call can ask what `{kind}: {pattern.text}` matches"


def _file(place: str) -> str:
    return place.rpartition(":")[0]
