"""The proof of a learned policy: every call that was seen is allowed, and no word of it can be spared.

The calls are judged again by the loaded policy, as `replay` does. Then each endpoint and each pattern is taken away in
turn: if every call is still allowed it was not needed, and does not stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from sockproxy.decide import rule_on
from sockproxy.docker.operations import BY_NAME
from sockproxy.learn.draft import Draft
from sockproxy.learn.evidence import Collected, Seen
from sockproxy.learn.values import covers
from sockproxy.model import Ask
from sockproxy.policy.match import covers as rule_covers
from sockproxy.policy.patterns import Pattern
from sockproxy.policy.rules import Policy, Rule


@dataclass(frozen=True, slots=True)
class Proof:
    """What was tried, and what came of it."""

    calls: int
    """Calls that were judged again."""
    refused: tuple[Seen, ...]
    """Calls that the policy refuses all the same, as no pattern covers what they ask."""
    words: int
    """Endpoints and patterns, each of which was taken away in turn."""
    spare: tuple[str, ...]
    """Those without which every call is still allowed."""

    @property
    def holds(self) -> bool:
        """Whether every call is allowed and every word is needed."""
        return not self.refused and not self.spare


def prove(policy: Policy, collected: Collected) -> Proof:
    """Judge every call again, then again without each endpoint and pattern."""
    refused = tuple(
        seen for seen in collected.calls if rule_on(seen.operation, seen.asks, policy, None).code is not None
    )
    allowed = collected.calls.keys() - set(refused)
    spare: list[str] = []
    words = 0
    for rule in policy.rules:
        mine = [seen for seen in allowed if seen.operation.name in rule.operations]
        asks = {ask for seen in mine for ask in seen.asks}
        called = {seen.operation.name for seen in mine}
        for endpoint, names in _endpoints(rule).items():
            words += 1
            if not names & called:
                spare.append(f"rule `{rule.id}`: {endpoint}")
        for name, pattern, less in _with_less(rule):
            words += 1
            # What another pattern covers is covered as before: only what this one matches may be refused now.
            if not any(not rule_covers(less, ask) for ask in asks if ask.kind == name.kind and pattern.matches(ask)):
                spare.append(f"rule `{rule.id}`: {name}")
    return Proof(sum(map(_count, collected.calls.values())), refused, words, tuple(spare))


def _count(clients: Mapping[str, int]) -> int:
    return sum(clients.values())


class _Word(NamedTuple):
    """A pattern's place in a rule."""

    section: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.section} {self.kind}: {self.text}"


def _with_less(rule: Rule) -> Iterator[tuple[_Word, Pattern, Rule]]:
    """The rule without each of its patterns in turn. What holds a kind to nothing narrows, and stays."""
    for kind, patterns in rule.grant.items():
        for at, pattern in enumerate(patterns):
            less = {**rule.grant, kind: (*patterns[:at], *patterns[at + 1 :])}
            # `tunnel: grpc` cannot stand without it.
            implied = kind == "namespace" and pattern.text == "network=host" and "tunnel" in rule.grant
            if not implied:
                yield _Word("grant", kind, pattern.text), pattern, replace(rule, grant=less)
    for kind, patterns in rule.only.items():
        for at, pattern in enumerate(patterns):
            if pattern.text != "none":
                less = {**rule.only, kind: (*patterns[:at], *patterns[at + 1 :])}
                yield _Word("only", kind, pattern.text), pattern, replace(rule, only=less)


def _endpoints(rule: Rule) -> dict[str, frozenset[str]]:
    """The rows of a rule as a policy names them: `GET` takes in `HEAD`."""
    found: dict[str, frozenset[str]] = {}
    rows = [BY_NAME[name] for name in rule.operations]
    reads = {row.template for row in rows if row.method == "GET"}
    for row in rows:
        method = "GET" if row.method == "HEAD" and row.template in reads else row.method
        endpoint = f"{method} {row.template}"
        found[endpoint] = found.get(endpoint, frozenset()) | {row.name}
    return found


def pruned(draft: Draft, collected: Collected) -> None:
    """Take out of a draft each pattern that covers nothing which another does not cover too."""
    asks: dict[str, dict[Ask, None]] = {}
    for seen in collected.calls:
        if seen.operation in draft.operations:
            for ask in seen.asks:
                asks.setdefault(ask.kind, {})[ask] = None
    for section in (draft.grant, draft.only):
        for kind, words in section.items():
            section[kind] = _needed(kind, words, tuple(asks.get(kind, ())))


def _needed(kind: str, words: tuple[str, ...], asks: tuple[Ask, ...]) -> tuple[str, ...]:
    """The words without those that can be spared, the narrow ones first."""
    if not asks:
        return words
    kept = list(words)
    for each in sorted(words, key=lambda word: (word.count("*"), -len(word))):
        others = [word for word in kept if word != each]
        if all(any(covers(kind, word, (ask,)) for word in others) for ask in asks if covers(kind, each, (ask,))):
            kept = others
    return tuple(kept)
