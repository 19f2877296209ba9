"""From evidence to rules: which operations stand together, and what their rule grants, holds, limits and requires.

Operations on one noun stand in one rule, so that what works on containers is held to the same containers; what only
looks stands apart, unless it looks at the very same. BuildKit's tunnel, which sees nothing of what goes through it, has
a rule of its own, as the language wants it.

Every kind that the rule's operations could ask and that is free otherwise is held: to what was seen, or to `none`.
Where the language has no word for what was seen the kind stays free, and the rule says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from sockproxy.docker.asks import KINDS, LIMITS, REQUIREMENTS
from sockproxy.docker.inspectors.asked import MAY_ASK
from sockproxy.docker.operations import OPERATIONS, Operation
from sockproxy.learn.evidence import Seen
from sockproxy.learn.values import engine_named, words_for
from sockproxy.model import Ask

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
    operations: dict[Operation, Counter[str]] = field(default_factory=dict)
    """In the order of the table, each with how often each client called it."""
    grant: dict[str, tuple[str, ...]] = field(default_factory=dict)
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limit: dict[str, int] = field(default_factory=dict)
    require: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    """Kinds that stay free, since no pattern means just what was seen of them."""
    impossible: tuple[Ask, ...] = ()
    """Asks that no pattern of a grant covers: the calls that made them cannot be allowed exactly."""

    @property
    def clients(self) -> Counter[str]:
        """How often each client was seen."""
        return sum(self.operations.values(), Counter())


def drafts(calls: Calls) -> list[Draft]:
    """The rules that allow these calls, in the order in which a reader meets them."""
    chosen = engine_named(ask for seen in calls for ask in seen.asks)
    groups: dict[str, dict[Seen, Counter[str]]] = {}
    for seen, clients in calls.items():
        groups.setdefault(_group(seen.operation), {})[seen] = clients
    made = {name: _draft(name, members, chosen) for name, members in groups.items()}
    _join_looks(made, groups, chosen)
    return [made[name] for name in _ORDER if name in made]


_ORDER: Final = (
    _LOOKING,
    "look-at-containers",
    "containers",
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


def _join_looks(made: dict[str, Draft], groups: dict[str, dict[Seen, Counter[str]]], chosen: Set[str]) -> None:
    """Looking at the very containers that are worked on needs no rule of its own."""
    looks, works = made.get("look-at-containers"), made.get("containers")
    if looks is not None and works is not None:
        joined = _draft("containers", {**groups["containers"], **groups["look-at-containers"]}, chosen)
        if joined.only.get("container") == works.only.get("container"):
            made["containers"] = joined
            del made["look-at-containers"]
    made_containers = made.get("containers")
    if made_containers is not None and any(row.name == "ContainerCreate" for row in made_containers.operations):
        made_containers.id = "run"


def _draft(name: str, calls: Calls, chosen: Set[str]) -> Draft:
    operations: dict[Operation, Counter[str]] = {}
    asks: dict[Ask, None] = {}
    for seen, clients in calls.items():
        operations.setdefault(seen.operation, Counter()).update(clients)
        asks |= dict.fromkeys(seen.asks)
    draft = Draft(name, {row: operations[row] for row in OPERATIONS if row in operations})
    draft.limit = _limits(asks)
    draft.require = _requirements(calls)
    by_kind: dict[str, list[Ask]] = {}
    for ask in asks:
        if not ask.plain or "cap-drop-all" in draft.require:
            by_kind.setdefault(ask.kind, []).append(ask)
    _grant(draft, by_kind)
    _hold(draft, by_kind, chosen)
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


def _hold(draft: Draft, asks: Mapping[str, Sequence[Ask]], chosen: Set[str]) -> None:
    for kind in _free_kinds(draft.operations):
        if kind not in asks:
            draft.only[kind] = ("none",)
            continue
        words = words_for(kind, asks[kind], engine_named=chosen)
        if words is None:
            draft.free = (*draft.free, kind)
        else:
            draft.only[kind] = words


def _free_kinds(operations: Iterable[Operation]) -> list[str]:
    """The kinds that these operations can ask and that are free unless held."""
    names = {operation.name for operation in operations}
    asked = {kind for name in names for kind in MAY_ASK[name]}
    if names.isdisjoint(_EXECS):
        asked.discard("exec")
    return [kind.name for kind in KINDS.values() if kind.section == "only" and kind.name in asked]


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
