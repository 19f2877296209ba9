"""From evidence to rules: which operations stand together, and what their rule grants, holds, limits and requires.

Operations on one noun stand in one rule, so that what works on containers is held to the same containers; what only
looks stands apart, unless it looks at the very same. BuildKit's tunnel, which sees nothing of what goes through it, has
a rule of its own, as the language wants it.

What leads to the host, such as `--privileged`, has a rule of its own where containers are made without it too: it is
given to the images and names that asked it, and to no others.

Every kind that the rule's operations could ask and that is free otherwise is held: to what was seen, or to `none`.
Where the language has no word for what was seen the kind stays free, and the rule says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from sockproxy.docker.asks import KINDS, LIMITS, REQUIREMENTS
from sockproxy.docker.inspectors.asked import MAY_ASK
from sockproxy.docker.operations import OPERATIONS, Operation
from sockproxy.learn.evidence import Seen
from sockproxy.learn.values import counted_images, engine_named, words_for
from sockproxy.model import Ask
from sockproxy.policy.document import Place
from sockproxy.policy.harm import Given, Level, findings
from sockproxy.policy.match import covers
from sockproxy.policy.patterns import compile_pattern
from sockproxy.policy.rules import Rule
from sockproxy.policy.suggest import pattern_for

Calls = Mapping[Seen, "Counter[str]"]

_NOUN: Final[Mapping[str, str]] = {
    "containers": "containers",
    "exec": "containers",
    "images": "images",
    "build": "images",
    "commit": "images",
    "distribution": "images",
    "auth": "images",
    "networks": "networks",
    "volumes": "volumes",
    "plugins": "plugins",
    "services": "services",
    "tasks": "services",
    "session": "tunnel",
    "grpc": "tunnel",
}
"""The rule that an operation stands in, by the first word of its path; `swarm` for what else belongs to one."""

_LOOKING: Final = "look"
_SWARM: Final = frozenset({"swarm", "nodes", "secrets", "configs"})


@dataclass(slots=True)
class Draft:
    """A rule in the making."""

    id: str
    calls: Calls
    """What it is drafted from."""
    operations: dict[Operation, Counter[str]] = field(default_factory=dict)
    """In the order of the table, each with how often each client called it."""
    grant: dict[str, tuple[str, ...]] = field(default_factory=dict)
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limit: dict[str, int] = field(default_factory=dict)
    require: tuple[str, ...] = ()
    free: Mapping[str, Ask] = field(default_factory=dict)
    """Kinds that stay free, each with an ask that no pattern means."""
    impossible: tuple[Ask, ...] = ()
    """Asks that no pattern of a grant covers: the calls that made them cannot be allowed exactly."""

    @property
    def clients(self) -> Counter[str]:
        """How often each client was seen."""
        return sum(self.operations.values(), Counter())


@dataclass(frozen=True, slots=True)
class _Known:
    """What all that was asked shows of single names."""

    engine_named: Set[str]
    """Names of containers that the engine chose."""
    counted: Set[str]
    """Repositories whose tags count."""


def drafts(calls: Calls, *, apart: bool = True) -> list[Draft]:
    """The rules that allow these calls, in the order in which a reader meets them.

    ``apart``: what leads to the host stands in a rule of its own.
    """
    asks = [ask for seen in calls for ask in seen.asks]
    known = _Known(engine_named(asks), counted_images(asks))
    groups: dict[str, dict[Seen, Counter[str]]] = {}
    for seen, clients in calls.items():
        groups.setdefault(_group(seen.operation), {})[seen] = clients
    if apart:
        _part_from_host(groups, known)
    made = {name: _draft(name, members, known) for name, members in groups.items()}
    _join_looks(made, groups, known)
    return [made[name] for name in _ORDER if name in made]


_TO_HOST: Final = "run-on-host"

_ORDER: Final = (
    _LOOKING,
    "look-at-containers",
    "containers",
    _TO_HOST,
    "images",
    "networks",
    "volumes",
    "services",
    "swarm",
    "plugins",
    "tunnel",
    "other",
)


def _group(operation: Operation) -> str:
    noun = operation.template[1:].partition("/")[0]
    if _only_looks(operation):
        if noun == "containers" and "container" in MAY_ASK[operation.name]:
            return "look-at-containers"
        if not _free_kinds((operation,)):
            return _LOOKING
    if noun in _SWARM:
        return "swarm"
    return _NOUN.get(noun, "other")


def _only_looks(operation: Operation) -> bool:
    """What reads and carries nothing off: not the rows that do more than their method says."""
    return operation.method in ("GET", "HEAD") and not operation.explicit


def _part_from_host(groups: dict[str, dict[Seen, Counter[str]]], known: _Known) -> None:
    """Take what leads to the host out of the work on containers, where others are made without it."""
    work = groups.get("containers", {})
    to_host = {seen: clients for seen, clients in work.items() if any(map(_leads_to_host, seen.asks))}
    if not any(map(_makes, to_host)):
        return
    rule = _as_rule(_draft(_TO_HOST, to_host, known))
    # What that rule allows as well needs no other.
    to_host |= {seen: clients for seen, clients in work.items() if _allows(rule, seen)}
    left = {seen: clients for seen, clients in work.items() if seen not in to_host}
    if any(map(_makes, left)):
        groups["containers"], groups[_TO_HOST] = left, to_host


def _makes(seen: Seen) -> bool:
    return seen.operation.name == "ContainerCreate"


def _as_rule(draft: Draft) -> Rule:
    grant, only = (
        {kind: tuple(compile_pattern(KINDS[kind], word) for word in words) for kind, words in held.items()}
        for held in (draft.grant, draft.only)
    )
    names = frozenset(operation.name for operation in draft.operations)
    return Rule(draft.id, _NOWHERE, names, grant, only, draft.limit, frozenset(draft.require))


_NOWHERE: Final = Place("", 0, 0)
"""Where a rule stands that is not written yet."""


def _allows(rule: Rule, seen: Seen) -> bool:
    return seen.operation.name in rule.operations and all(covers(rule, ask) for ask in seen.asks)


def _leads_to_host(ask: Ask) -> bool:
    """Whether who is given just this gets at the host's files, network, processes or kernel."""
    if KINDS[ask.kind].section != "grant" or ask.plain:
        return False
    word = pattern_for(ask)
    return word is not None and _reaches_host(ask.kind, word)


@lru_cache(maxsize=4096)
def _reaches_host(kind: str, word: str) -> bool:
    grant = {kind: (compile_pattern(KINDS[kind], word),)}
    rule = Rule("", _NOWHERE, frozenset({"ContainerCreate"}), grant, dict.fromkeys(_EVERY_HELD, ()))
    given = Given((rule,), frozenset(), host_root=False)
    return any(finding.road or finding.level <= Level.HOST for finding in findings(given))


def _join_looks(made: dict[str, Draft], groups: dict[str, dict[Seen, Counter[str]]], known: _Known) -> None:
    """Looking at the very containers that are worked on needs no rule of its own."""
    looks, works = made.get("look-at-containers"), made.get("containers")
    if looks is not None and works is not None:
        joined = _draft("containers", {**groups["containers"], **groups["look-at-containers"]}, known)
        if joined.only.get("container") == works.only.get("container"):
            made["containers"] = joined
            del made["look-at-containers"]
    made_containers = made.get("containers")
    if made_containers is not None and any(row.name == "ContainerCreate" for row in made_containers.operations):
        made_containers.id = "run"


def _draft(name: str, calls: Calls, known: _Known) -> Draft:
    operations: dict[Operation, Counter[str]] = {}
    asks: dict[Ask, None] = {}
    for seen, clients in calls.items():
        operations.setdefault(seen.operation, Counter()).update(clients)
        asks |= dict.fromkeys(seen.asks)
    draft = Draft(name, calls, {row: operations[row] for row in OPERATIONS if row in operations})
    draft.limit = _limits(asks)
    draft.require = _requirements(calls)
    by_kind: dict[str, list[Ask]] = {}
    for ask in asks:
        if not ask.plain or "cap-drop-all" in draft.require:
            by_kind.setdefault(ask.kind, []).append(ask)
    _grant(draft, by_kind)
    _hold(draft, by_kind, known)
    return draft


def _grant(draft: Draft, asks: Mapping[str, Sequence[Ask]]) -> None:
    for kind in KINDS.values():
        if kind.section != "grant" or kind.name not in asks:
            continue
        words = words_for(kind.name, asks[kind.name])
        if words is None:
            draft.impossible = (*draft.impossible, *asks[kind.name])
        else:
            draft.grant[kind.name] = words
    if "grpc" in draft.grant.get("tunnel", ()):
        # The tunnel implies the host's network, and is refused by the loader without it.
        held = draft.grant.get("namespace", ())
        draft.grant["namespace"] = held if "network=host" in held else (*held, "network=host")


def _hold(draft: Draft, asks: Mapping[str, Sequence[Ask]], known: _Known) -> None:
    free: dict[str, Ask] = {}
    for kind in _free_kinds(draft.operations):
        if kind not in asks:
            draft.only[kind] = ("none",)
            continue
        words = words_for(kind, asks[kind], engine_named=known.engine_named, counted=known.counted)
        if words is None:
            free[kind] = next((ask for ask in asks[kind] if words_for(kind, [ask]) is None), asks[kind][0])
        else:
            draft.only[kind] = words
    draft.free = free


def _free_kinds(operations: Iterable[Operation]) -> list[str]:
    """The kinds that these operations can ask and that are free unless held."""
    names = {operation.name for operation in operations}
    asked = {kind for name in names for kind in MAY_ASK[name]}
    if names.isdisjoint(_EXECS):
        asked.discard("exec")
    return [kind.name for kind in KINDS.values() if kind.section == "only" and kind.name in asked]


_EVERY_HELD: Final = tuple(kind.name for kind in KINDS.values() if kind.section == "only")

_EXECS: Final = frozenset({"ContainerExec", "ExecStart"})
"""Operations that run a command in a container: elsewhere there is none to be held."""


def _limits(asks: Iterable[Ask]) -> dict[str, int]:
    """The highest amount of each limit that every call set."""
    amounts: dict[str, list[int | None]] = {}
    for ask in asks:
        if ask.kind == "limit":
            amounts.setdefault(ask.value, []).append(ask.amount)
    return {
        name: max(amount for amount in amounts[name] if amount is not None)
        for name in LIMITS
        if name in amounts and all(amount is not None and amount > 0 for amount in amounts[name])
    }


_HARDENED: Final = frozenset({"ContainerCreate", "ServiceCreate", "ServiceUpdate"})
"""Operations whose calls ask a requirement wherever it is not met."""


def _requirements(calls: Calls) -> tuple[str, ...]:
    """What every container that was made had; a call asks for what it lacks."""
    if not any(seen.operation.name in _HARDENED and seen.asks for seen in calls):
        return ()
    lacking = {ask.value for seen in calls for ask in seen.asks if ask.kind == "require"}
    return tuple(word for word in REQUIREMENTS if word not in lacking)
