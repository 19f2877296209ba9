"""From rows of the Engine API table to the lines of an `allow` that select them, as a person would write them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from sockproxy.docker.operations import OPERATIONS, Operation

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")


def section(row: Operation) -> str:
    """The first word of a row's path, which the classic proxies go by: ``containers``."""
    return row.template.split("/")[1]


def selectors(chosen: Collection[str]) -> tuple[str, ...]:
    """Lines that select just the rows of these names, and the HEAD beside a GET, which tells less.

    A section that is wanted whole is one line, ``GET /containers/**``: what the table will know of it tomorrow is
    wanted too. Rows marked explicit are named beside it, since a ``**`` does not take them in.
    """
    return tuple(line for rows in _sections() for line in _lines(rows, chosen))


def _sections() -> Iterable[list[Operation]]:
    sections: dict[str, list[Operation]] = {}
    for row in OPERATIONS:
        sections.setdefault(section(row), []).append(row)
    return sections.values()


def _lines(rows: list[Operation], chosen: Collection[str]) -> Iterator[str]:
    wanted = [row for row in rows if row.name in chosen]
    whole = _whole(rows, chosen)
    if whole:
        ordinary = {row.method for row in rows if _ordinary(row)}
        yield f"{_shown(whole, of=ordinary)} /{section(rows[0])}/**"
    yield from _named([row for row in wanted if not (row.method in whole and _ordinary(row))])


def _ordinary(row: Operation) -> bool:
    """Whether a ``**`` takes the row in."""
    return not (row.explicit or row.never)


def _whole(rows: list[Operation], chosen: Collection[str]) -> frozenset[str]:
    """The methods of which every row that a ``**`` takes in is wanted; none in a section of one path."""
    ordinary = [row for row in rows if _ordinary(row)]
    if len({row.template for row in ordinary}) < 2:
        return frozenset()
    lacking = {row.method for row in ordinary if row.name not in chosen}
    return frozenset(row.method for row in ordinary) - lacking


def _named(rows: list[Operation]) -> Iterator[str]:
    """Rows by their paths: methods of one path on one line, last words after the same methods too."""
    methods: dict[str, set[str]] = {}
    for row in rows:
        methods.setdefault(row.template, set()).add(row.method)
    lines: dict[tuple[str, str], list[str]] = {}
    for template, of in methods.items():
        front, _, last = template.rpartition("/")
        if last.startswith("{") or not front or not last:
            front, last = template, ""
        lines.setdefault((_shown(of), front), []).append(last)
    for (shown, front), words in lines.items():
        if "" in words:
            yield f"{shown} {front}"
        if named := [word for word in words if word]:
            yield f"{shown} {front}/{'|'.join(named)}"


def _shown(methods: Collection[str], *, of: Collection[str] = ()) -> str:
    """``GET|POST``, where GET takes in HEAD; ``ANY`` where they are all that there are."""
    if len(methods) > 1 and set(methods) == set(of):
        return "ANY"
    return "|".join(method for method in _METHODS if method in methods and not (method == "HEAD" and "GET" in methods))
