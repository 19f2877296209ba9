"""From regular expressions on paths, one or more for each method, to rules: what the Go proxies have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sockproxy.classic.migration import Given, Withheld
from sockproxy.classic.regexes import BadExpressionError, taken
from sockproxy.classic.rows import section
from sockproxy.classic.stricter import ENTERING, HELD_BACK, WEBSOCKET, powers_of
from sockproxy.docker.operations import BY_NAME, METHODS
from sockproxy.errors import ConfigurationError
from sockproxy.printable import printable


@dataclass(frozen=True, slots=True)
class Line:
    """One expression, and where it stands."""

    id: str
    """For the rule made of it."""
    shown: str
    """``-allowGET=/info``, ``line 3``."""
    methods: tuple[str, ...]
    expression: str


@dataclass(frozen=True, slots=True)
class Read:
    """What the lines come to."""

    rules: tuple[Given, ...]
    reached: frozenset[str]
    """Every row that they let through, for whatever names."""
    lost: tuple[str, ...]

    @property
    def given(self) -> frozenset[str]:
        """The rows that a rule gives."""
        return frozenset().union(*(rule.operations for rule in self.rules))


_KINDS: Final = {"containers": "container", "networks": "network", "volumes": "volume", "services": "service"}
"""Sections whose names a rule can be held to."""

_MAKING: Final = ENTERING | {"ContainerCreate", "ContainerUpdate", "ServiceCreate", "ServiceUpdate", "VolumeCreate"}


@dataclass(slots=True)
class _Found:
    """What one line takes in, all its methods together."""

    line: Line
    whole: set[str] = field(default_factory=set)
    named: dict[tuple[str, tuple[str, ...]], set[str]] = field(default_factory=dict)
    """A kind of names and the globs that they are held to, and the rows."""
    lost: list[str] = field(default_factory=list)

    @property
    def reached(self) -> frozenset[str]:
        return frozenset(self.whole.union(*self.named.values()))


def read(lines: Iterable[Line], binds: tuple[str, ...] = ()) -> Read:
    """The rules that the lines come to. ``binds`` are granted where containers are made and entered.

    Raises:
        ConfigurationError: an expression cannot be read.
    """
    found = [_find(line) for line in lines]
    reached = frozenset[str]().union(*(each.reached for each in found))
    return Read(
        rules=tuple(_rules(found, reached, binds)),
        reached=reached,
        lost=tuple(dict.fromkeys(line for each in found for line in each.lost)),
    )


def _rules(found: list[_Found], reached: frozenset[str], binds: tuple[str, ...]) -> Iterator[Given]:
    """A rule for each line, and one for each set of names in it; no row is given whole twice."""
    left = set(BY_NAME) - HELD_BACK - {name for name, row in BY_NAME.items() if row.always}
    if not any(_types(each.line) for each in found) and "ContainerAttach" not in reached:
        left.discard(WEBSOCKET)
    for each in found:
        if rows := frozenset(each.whole & left):
            yield _rule(each.line, rows, binds)
        left -= each.whole
    for each in found:
        for number, ((kind, globs), few) in enumerate(each.named.items(), start=1):
            if rows := frozenset(few & left):
                yield _rule(each.line, rows, binds, f"-names-{number}", {kind: globs})


def _find(line: Line) -> _Found:
    found = _Found(line)
    for method in line.methods:
        if method in METHODS:  # no endpoint of the Engine API has another: PATCH, OPTIONS, TRACE, CONNECT
            _add(method, found)
    return found


def _add(method: str, found: _Found) -> None:
    """Add what one method of a line takes in."""
    line = found.line
    try:
        those = taken(method, line.expression)
    except BadExpressionError as error:
        raise ConfigurationError(f"`{printable(line.shown)}` is no expression that can be read: {error}") from None
    found.whole |= those.whole
    unclear: dict[str, list[str]] = {}
    for name, globs in those.named.items():
        kind = _KINDS.get(section(BY_NAME[name]))
        if kind is None:
            unclear.setdefault("|".join(globs), []).append(name)
        else:
            found.named.setdefault((kind, globs), set()).add(name)
    for name, piece in those.unclear.items():
        unclear.setdefault(piece, []).append(name)
    found.lost += _unclear(line, unclear)
    found.lost += [
        f"`{line.shown}`: `{branch}` takes in no endpoint of the Engine API, and gives nothing" for branch in those.idle
    ]


def _unclear(line: Line, pieces: dict[str, list[str]]) -> Iterator[str]:
    for piece, names in pieces.items():
        row = BY_NAME[names[0]]
        kind = _KINDS.get(section(row))
        nearest = (
            f"the nearest is `allow: {row.method} {row.template}` with `only: {{{kind}: …}}`"
            if kind
            else f"the nearest is `allow: {row.method} {row.template}`, for whatever name"
        )
        rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield (
            f"`{line.shown}`: `{piece}` stands for some names alone in {row.method} {row.template}{rest}, which no"
            f" pattern means; {nearest}"
        )


def _types(line: Line) -> bool:
    """Whether a line names the way to type into a container by GET."""
    return "attach/ws" in line.expression.replace("\\", "")


def _rule(
    line: Line,
    rows: frozenset[str],
    binds: tuple[str, ...],
    suffix: str = "",
    only: dict[str, tuple[str, ...]] | None = None,
) -> Given:
    return Given(
        id=re.sub(r"[^a-z0-9-]", "-", line.id.lower()) + suffix,
        operations=rows,
        why=line.shown,
        only=only or {},
        grant={"bind": binds} if binds and rows & _MAKING else {},
        powers=powers_of(rows),
    )


def withheld(reached: Iterable[str]) -> tuple[Withheld, ...]:
    """The denial of what sockproxy allows unless it is denied, and the old proxy did not let through."""
    let = set(reached)
    lines = []
    # GET takes in HEAD: where HEAD alone was let through, GET, which tells no more, stays open beside it.
    if "SystemPingHead" not in let:
        lines.append("HEAD /_ping" if "SystemPing" in let else "GET /_ping")
    if "SystemVersion" not in let:
        lines.append("GET /version")
    if not lines:
        return ()
    because = "No expression took it in; without it clients guess at the API version."
    return (Withheld("not-open-before", tuple(lines), because),)
