"""The nouns: how bad it is, what lets somebody do it, and all that somebody has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from sockproxy.docker.inspectors.asked import MAY_ASK
from sockproxy.model import Ask
from sockproxy.policy.match import matches_any
from sockproxy.policy.patterns import Pattern, cut_suffixes
from sockproxy.policy.rules import Rule


class Level(IntEnum):
    """How bad it is at worst; the lower, the worse."""

    ROOT = 0
    HOST = 1
    WRITES = 2
    READS = 3
    ENTERS = 4
    CHANGES = 5
    SECRETS = 6
    NETWORK = 7
    IMAGES = 8
    EXHAUSTS = 9
    LOOKS = 10
    NOTHING = 11

    @property
    def words(self) -> str:
        """What is said of whoever can do it: ``becomes root on the host``."""
        return _WORDS[self][0]

    @property
    def title(self) -> str:
        """What stands before a finding: ``root on the host``."""
        return _WORDS[self][1]


_WORDS: Final[Mapping[Level, tuple[str, str]]] = MappingProxyType(
    {
        Level.ROOT: ("becomes root on the host", "root on the host"),
        Level.HOST: ("gets at the host's network, processes or kernel", "the host itself"),
        Level.WRITES: ("writes files of the host", "writes on the host"),
        Level.READS: ("reads files of the host", "reads on the host"),
        Level.ENTERS: ("enters others' containers", "enters"),
        Level.CHANGES: ("changes, stops or removes what is others'", "changes"),
        Level.SECRETS: ("reads others' secrets", "secrets"),
        Level.NETWORK: ("reaches others over the network", "network"),
        Level.IMAGES: ("replaces images that others run", "images"),
        Level.EXHAUSTS: ("uses up what the host has", "exhaustion"),
        Level.LOOKS: ("lists and looks at things, and no more", "looks"),
        Level.NOTHING: ("asks for the version, and no more", "nothing"),
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule lets somebody do."""

    level: Level
    place: str
    """``file:line``."""
    rule: str
    """Its id; empty where it is the policy itself."""
    what: str
    """What of the rule does it: ``grants `privileged: container```."""
    why: str
    road: bool = False
    """Whether it leads to the whole host."""

    @property
    def title(self) -> str:
        """What it comes to, in a word or two."""
        return "road to the host" if self.road else self.level.title

    def __str__(self) -> str:
        """``file:line: rule `run` grants `privileged: container`: a privileged container is root on the host``."""
        rule = f"rule `{self.rule}` " if self.rule else ""
        return f"{self.place}: {rule}{self.what}: {self.why}"


@dataclass(frozen=True, slots=True)
class Given:
    """All that somebody has: rules, without the rows that a `deny` takes from everybody."""

    rules: tuple[Rule, ...]
    denied: frozenset[str]
    host_root: bool
    """Whether symbolic links on the host are seen."""

    def rows(self, rule: Rule) -> frozenset[str]:
        """The rows that a rule really allows."""
        return rule.operations - self.denied

    @property
    def binds(self) -> Iterator[Pattern]:
        """Every pattern of a host path that may be bound by some rule."""
        for rule in self.rules:
            if may_ask(self.rows(rule), "bind"):
                yield from (pattern for pattern in rule.grant.get("bind", ()) if pattern.text != "none")


def may_ask(rows: Iterable[str], kind: str) -> bool:
    """Whether some of these rows can ask for a kind."""
    return any(kind in MAY_ASK[name] for name in rows)


def grants(rule: Rule, kind: str, value: str) -> bool:
    """Whether a rule gives what would be asked so."""
    return matches_any(rule.grant.get(kind, ()), Ask(kind, value, ""))


def frees(patterns: Iterable[Pattern]) -> bool:
    """Whether one of the patterns takes in everything."""
    return any(cut_suffixes(pattern.text)[0] in ("any", "*", "**") for pattern in patterns)


def place_of(rule: Rule, names: list[str]) -> str:
    """Where the first of these rows is allowed."""
    return str(next((each.place for each in rule.selectors if not each.operations.isdisjoint(names)), rule.place))


def listed(words: list[str], *, most: int, last: str = "and") -> str:
    """``a, b and c``, or ``a, b, c and 4 more``."""
    words = list(dict.fromkeys(words))
    more = len(words) - most
    if more > 0:
        words = [*words[:most], f"{more} more"]
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1])))
