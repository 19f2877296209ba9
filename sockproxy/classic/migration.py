"""What a migration comes to: rules that give what the old proxy gave, and an honest list of what they do not.

    Given       a rule: rows, why they are given, whose names it is held to, what it grants
    Withheld    a `deny`: rows that the old proxy refused and sockproxy would otherwise allow
    Stricter    what the old proxy let through and this policy does not, why, and what would allow it
    Migration   all of that, and how `sockproxy run` is started

``policy()`` writes it as YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from sockproxy.classic.rows import selectors
from sockproxy.docker.asks import KINDS
from sockproxy.printable import printable

Sort: TypeAlias = Literal["row", "power", "form"]
"""Of what is stricter: an endpoint, what a request of one asks for, how a request is written."""

Patterns: TypeAlias = Mapping[str, tuple[str, ...]]
"""Kinds of asks, each with its patterns."""


@dataclass(frozen=True, slots=True)
class Given:
    """A rule."""

    id: str
    operations: frozenset[str]
    why: str
    """Where it comes from, in a line: ``CONTAINERS=1, POST=0: reading alone``."""
    only: Patterns = field(default_factory=dict)
    grant: Patterns = field(default_factory=dict)
    powers: tuple[str, ...] = ()
    """Kinds that a request of these rows may ask for, shown as a `grant` that is commented out."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A rule that denies."""

    id: str
    selectors: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Stricter:
    """What the old proxy let through and the policy does not."""

    sort: Sort
    what: str
    why: str
    remedy: str = ""
    """What would allow it, as it stands in a policy; empty where nothing should."""
    operations: frozenset[str] = frozenset()
    """The rows that it is about; empty where it is about any."""

    def __str__(self) -> str:
        """In a line."""
        return f"{self.what}: {self.why}" + (f"; to allow it: {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class Client:
    """Who may connect."""

    name: str
    networks: tuple[str, ...]
    why: str
    rules: tuple[str, ...] = ()
    """The ids of its rules; empty for all of them."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A policy to be, and what to know of it."""

    made_of: str
    """What it was read from, in a line: ``CONTAINERS=1 POST=0``."""
    read_as: str
    """Whose meaning that was given: ``Tecnativa's docker-socket-proxy``."""
    rules: tuple[Given, ...]
    withheld: tuple[Withheld, ...] = ()
    clients: tuple[Client, ...] = ()
    stricter: tuple[Stricter, ...] = ()
    lost: tuple[str, ...] = ()
    """What could not be converted, a line each: exit code 1."""
    notes: tuple[str, ...] = ()
    """What is as before, or needs no converting, and yet is good to know."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of `sockproxy run` that stand for settings of the old proxy: ``--engine`` to its value."""

    @property
    def operations(self) -> frozenset[str]:
        """Every row that some rule gives."""
        return frozenset().union(*(rule.operations for rule in self.rules))

    @property
    def command(self) -> str:
        """How `sockproxy run` is started with the policy in a file."""
        words = "".join(f" {option} {_shell(value)}" for option, value in self.options.items())
        return f"sockproxy run --policy policy.yaml{words}"


def policy(migration: Migration) -> str:
    """The policy as YAML, with what gave each line and what is stricter in comments."""
    return "\n".join([*_head(migration), *_rules(migration), *_clients(migration), *_tail(migration), ""])


def _head(migration: Migration) -> Iterator[str]:
    yield from _comment(f"Made by `sockproxy migrate` of {migration.made_of},")
    yield from _comment(f"with the meaning that these have for {migration.read_as}.")
    for line in migration.lost:
        yield from _comment(f"NOT CONVERTED: {line}")
    for line in migration.notes:
        yield from _comment(f"Note: {line}")
    yield "version: 1"
    yield "name: migrated"
    yield "about: What the proxy before this one gave, and no power over the host beyond it."


def _rules(migration: Migration) -> Iterator[str]:
    if not migration.rules and not migration.withheld:
        yield "rules: []"
        return
    yield "rules:"
    for rule in migration.rules:
        yield from _comment(rule.why, indent="  ")
        yield f"  - id: {rule.id}"
        yield "    allow:"
        yield from (f"      - {_word(line)}" for line in selectors(rule.operations))
        yield from _patterns("grant", rule.grant)
        yield from _patterns("only", rule.only)
        yield from _proposed(rule)
    for denial in migration.withheld:
        yield f"  - id: {denial.id}"
        yield "    deny:"
        yield from (f"      - {_word(line)}" for line in denial.selectors)
        yield f"    because: {_word(denial.because)}"


def _patterns(key: str, kinds: Patterns) -> Iterator[str]:
    if not kinds:
        return
    yield f"    {key}:"
    for kind, patterns in kinds.items():
        yield f"      {kind}:"
        yield from (f"        - {_word(pattern)}" for pattern in patterns)


_SHOWN_POWERS: Final = 3


def _proposed(rule: Given) -> Iterator[str]:
    """The powers that a rule could grant, commented out: each with a pattern as an example."""
    powers = [kind for kind in rule.powers if kind not in rule.grant]
    if not powers:
        return
    if not rule.grant:
        yield "    # grant:                    # refused until granted; the examples are yours to narrow"
    for kind in powers[:_SHOWN_POWERS]:
        yield f"    #   {kind}: {_word(_example(kind, rule))}"
    if rest := powers[_SHOWN_POWERS:]:
        yield from _comment(f"and so on: {', '.join(rest)}", indent="    ")


def _example(kind: str, rule: Given) -> str:
    """A pattern as it may stand there. BuildKit's other tunnel takes two grants, and neither makes sense alone."""
    if "Grpc" in rule.operations and kind in _GRPC:
        return _GRPC[kind]
    return KINDS[kind].example


_GRPC: Final = {"tunnel": "grpc", "namespace": "network=host"}


def _clients(migration: Migration) -> Iterator[str]:
    if not migration.clients:
        return
    yield "clients:"
    for client in migration.clients:
        yield from _comment(client.why, indent="  ")
        yield f"  - name: {client.name}"
        yield "    from:"
        yield from (f"      - {_word(network)}" for network in client.networks)
        yield f"    rules: [{', '.join(client.rules)}]" if client.rules else "    rules: all"


def _tail(migration: Migration) -> Iterator[str]:
    if migration.stricter:
        yield "# Stricter than before:"
    for entry in migration.stricter:
        yield from _comment(f"* {entry}")


_WIDTH: Final = 116


def _comment(text: str, indent: str = "") -> Iterator[str]:
    """The text as lines of comment, whatever a client or a file wrote into it."""
    line = f"{indent}#"
    for word in printable(text, 4096).split(" "):
        if len(line) + 1 + len(word) > _WIDTH and not line.endswith("#"):
            yield line
            line = f"{indent}#  "
        line += f" {word}"
    yield line


_PLAIN: Final = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_.*=+@{}|-]*(?: [A-Za-z0-9/_.*=+@{}|-]+)*")
_YAML_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off"})


def _word(text: str) -> str:
    """A word in a line of its own: quoted where YAML, or a reader, could take it for something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def _shell(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9/_.:=@-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def brief(names: Iterable[str]) -> str:
    """The selectors of rows, in a line."""
    return ", ".join(selectors(frozenset(names)))
