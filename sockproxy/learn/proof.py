"""The proof of a learned policy: every call that was seen is allowed, and no word of it can be spared.

The calls are judged again by the loaded policy, as `replay` does. Then each endpoint and each pattern is taken away in
turn: if every call is still allowed it was not needed, and does not stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from sockproxy.docker.operations import BY_NAME
from sockproxy.learn.coverage import Coverage
from sockproxy.learn.draft import Draft
from sockproxy.learn.evidence import Collected, Seen
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
    """Judge every call again, then again without each endpoint and pattern. A learned policy has no `deny`."""
    judges = [_Judge(rule) for rule in policy.rules]
    refused: list[Seen] = []
    alone: dict[str, list[Seen]] = {rule.id: [] for rule in policy.rules}
    for seen in collected.calls:
        allowing = [judge.rule.id for judge in judges if judge.allows(seen)]
        if not allowing:
            refused.append(seen)
        elif len(allowing) == 1:
            alone[allowing[0]].append(seen)
    spare: list[str] = []
    words = 0
    for judge in judges:
        rule, mine = judge.rule, alone[judge.rule.id]
        called = {seen.operation.name for seen in mine}
        for endpoint, names in _endpoints(rule).items():
            words += 1
            if not names & called:
                spare.append(f"rule `{rule.id}`: {endpoint}")
        needed = judge.needed({ask for seen in mine for ask in seen.asks})
        for word, pattern in _words(rule):
            words += 1
            if id(pattern) not in needed:
                spare.append(f"rule `{rule.id}`: {word}")
    return Proof(sum(map(_count, collected.calls.values())), tuple(refused), words, tuple(spare))


class _Judge:
    """A rule, and its patterns by what they may cover: it says what `policy.match.covers` says of the rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule: Final = rule
        held = {**rule.grant, **rule.only}
        self._coverage: Final = {kind: Coverage(kind, patterns) for kind, patterns in held.items()}
        nothing: dict[str, tuple[Pattern, ...]] = dict.fromkeys(held, ())
        self._bare: Final = replace(
            rule, grant={kind: nothing[kind] for kind in rule.grant}, only={kind: nothing[kind] for kind in rule.only}
        )
        """The rule without its patterns: a plain capability it covers all the same."""

    def allows(self, seen: Seen) -> bool:
        """Whether the rule alone allows a call."""
        return seen.operation.name in self.rule.operations and all(map(self.covers, seen.asks))

    def covers(self, ask: Ask) -> bool:
        """Whether the rule covers an ask."""
        if rule_covers(self._bare, ask):
            return True
        return ask.grantable and ask.kind in self._coverage and self._coverage[ask.kind].covers(ask)

    def needed(self, asks: Set[Ask]) -> frozenset[int]:
        """The ids of the patterns without each of which one of these asks would not be covered."""
        found: set[int] = set()
        for ask in asks:
            if ask.kind in self._coverage and not rule_covers(self._bare, ask):
                covering = self._coverage[ask.kind].matching(ask)
                found |= {id(pattern) for pattern in covering if len(covering) == 1}
        return frozenset(found)


def _count(clients: Mapping[str, int]) -> int:
    return sum(clients.values())


class _Word(NamedTuple):
    """A pattern's place in a rule."""

    section: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.section} {self.kind}: {self.text}"


def _words(rule: Rule) -> Iterator[tuple[_Word, Pattern]]:
    """The patterns of a rule that can be taken away. What holds a kind to nothing narrows, and stays."""
    for kind, patterns in rule.grant.items():
        for pattern in patterns:
            # `tunnel: grpc` cannot stand without it.
            if not (kind == "namespace" and pattern.text == "network=host" and "tunnel" in rule.grant):
                yield _Word("grant", kind, pattern.text), pattern
    for kind, patterns in rule.only.items():
        for pattern in patterns:
            if pattern.text != "none":
                yield _Word("only", kind, pattern.text), pattern


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


def pruned(draft: Draft) -> None:
    """Take out of a draft each pattern that covers nothing which another does not cover too."""
    asks: dict[str, dict[Ask, None]] = {}
    for seen in draft.calls:
        for ask in seen.asks:
            asks.setdefault(ask.kind, {})[ask] = None
    for section in (draft.grant, draft.only):
        for kind, words in section.items():
            section[kind] = _needed(kind, words, tuple(asks.get(kind, ())))


def _needed(kind: str, words: tuple[str, ...], asks: tuple[Ask, ...]) -> tuple[str, ...]:
    """The words without those that can be spared, the narrow ones first."""
    if not asks:
        return words
    coverage = Coverage.of(kind, dict.fromkeys(words))
    covered = {ask: [pattern.text for pattern in coverage.matching(ask)] for ask in asks}
    left = {ask: len(covering) for ask, covering in covered.items()}
    by_word: dict[str, list[Ask]] = {word: [] for word in words}
    for ask, covering in covered.items():
        for word in covering:
            by_word[word].append(ask)
    for each in sorted(by_word, key=lambda word: (word.count("*"), -len(word))):
        if all(left[ask] > 1 for ask in by_word[each]):
            for ask in by_word.pop(each):
                left[ask] -= 1
    return tuple(word for word in words if word in by_word)
