"""Which rows of the Engine API table a regular expression on paths takes in.

Law: what cannot be said in a policy is told, and not guessed at. Theory: a row stands for very many paths, so it is
tried with samples, with and without a version prefix. Any container can be named by its id, so an expression that takes
in ids takes in the row, whatever it thinks of names. Where it does not, a piece of it may stand for names:

    /v1\\..{1,2}/containers/(web|db-.*)/restart
                            ^^^^^^^^^^^         put another name in its place, and the row is taken in for that

If that piece is a plain alternation of words, with nothing but a `.*` around them, it is `only: {container: [web,
db-*]}`. If it is anything else, the row is taken in for some names and nobody can say which: that is told. So is a
branch of the expression that takes in no row at all.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from sockproxy.classic.repetition import Token, endless, tokens
from sockproxy.classic.rows import section
from sockproxy.docker.operations import OPERATIONS, Operation
from sockproxy.model import NEWEST_VERSION, OLDEST_VERSION


@dataclass(frozen=True, slots=True)
class Taken:
    """What an expression takes in."""

    whole: frozenset[str] = frozenset()
    """Rows."""
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Rows, and the globs of the names that they are taken in for."""
    unclear: Mapping[str, str] = field(default_factory=dict)
    """Rows that are taken in for some names, and the piece of the expression that says which."""
    idle: tuple[str, ...] = ()
    """Branches that take in no row, of whatever method."""


class BadExpressionError(ValueError):
    """No regular expression that can be read here."""


def taken(method: str, expression: str) -> Taken:
    """What an expression takes in of a method. It must match the whole of a decoded path.

    Raises:
        BadExpressionError: it cannot be read; the message says why.
    """
    expression = _POSIX_CLASS.sub(lambda match: _POSIX[match[1]], expression)
    if any(_NOT_GO.fullmatch(token.text) for token in tokens(expression)):
        raise BadExpressionError("Go knows neither what looks around nor what refers back")
    compiled = _compiled(expression)
    rows = [row for row in OPERATIONS if row.method == method]
    whole = frozenset(row.name for row in rows if _takes(compiled, row))
    named: dict[str, tuple[str, ...]] = {}
    unclear: dict[str, str] = {}
    pieces = tuple(_pieces(expression))
    for row in rows:
        if row.name in whole or len(row.params) != 1:
            continue
        found = [piece for piece in pieces if _stands_for_names(expression, piece, row)]
        if not found:
            continue
        odd = [piece for piece in found if not _globs(piece.text)]
        globs = tuple(dict.fromkeys(glob for piece in found for glob in _globs(piece.text)))
        if odd:
            unclear[row.name] = odd[0].text
        else:
            named[row.name] = globs
    idle = tuple(_idle(expression)) if not unclear else ()
    return Taken(whole, named, unclear, idle)


_POSIX: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "word": "a-zA-Z0-9_",
    "xdigit": "a-fA-F0-9",
}
_POSIX_CLASS: Final = re.compile(rf"\[:({'|'.join(_POSIX)}):\]")
"""Classes that Go has and Python has not."""


_NOT_GO: Final = re.compile(r"\(\?(?:=|!|<=|<!|>|P=|P>).*|\\[1-9]")


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what is a class to Go may be a doubtful set to Python
            compiled = re.compile(expression, re.ASCII)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError) as error:
        raise BadExpressionError(str(error)) from None
    if (piece := endless(expression)) is not None:
        raise BadExpressionError(f"`{piece}` could take for ever to match: repeat nothing that repeats by itself")
    return compiled


# Rows, by samples ----------------------------------------------------------------------------------------------------

_PREFIXES: Final = ("", *(f"/v1.{minor}" for minor in range(OLDEST_VERSION[1], NEWEST_VERSION[1] + 1)))

_IDS: Final = (("0123456789abcdef" * 4, "fedcba9876543210" * 4), ("0123456789ab", "fedcba987654"))
"""Ids, in full and cut: whatever takes in one form takes in everything that has an id."""
_NAMES: Final = (("app", "team_x-1.2", "0123456789abcdef" * 4),)
_REPOSITORIES: Final = (("app", "team/app", "registry.example.com:5000/team/app"),)

_BY_NAME: Final = frozenset({"volumes"})
_BY_REPOSITORY: Final = frozenset({"ImagePush", "PluginPush", "DistributionInspect"})


def _forms(row: Operation) -> tuple[tuple[str, ...], ...]:
    """What a parameter of the row may be: of one form, every sample must be taken in."""
    if row.name in _BY_REPOSITORY:
        return _REPOSITORIES
    return _NAMES if section(row) in _BY_NAME else _IDS


def _path(row: Operation, value: str) -> str:
    return re.sub(r"\{\w+\}", value, row.template)


def _matches(compiled: re.Pattern[str], path: str) -> bool:
    return any(compiled.fullmatch(prefix + path) for prefix in _PREFIXES)


def _takes(compiled: re.Pattern[str], row: Operation) -> bool:
    if not row.params:
        return _matches(compiled, row.template)
    return any(all(_matches(compiled, _path(row, value)) for value in form) for form in _forms(row))


# Names, by pieces ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of an expression, between slashes, bars or brackets."""

    text: str
    start: int
    end: int


_SOME_NAME: Final = "\ue000"
"""A name that no expression speaks of."""


def _pieces(expression: str) -> Iterator[_Piece]:
    """Every part that begins after, and ends before, a slash, a bar, a bracket or an end.

    The outer come before the inner. What a repetition stands behind is no part by itself.
    """
    parts = list(tokens(expression))
    edges = [at for at in range(len(parts) + 1) if _is_edge(parts, at)]
    for index, first in enumerate(edges):
        for last in edges[index + 1 : index + 1 + _LONGEST_PIECE]:
            part = parts[first:last]
            around = (parts[first - 1].text if first else "(", parts[last].text if last < len(parts) else ")")
            if _balanced(part, whole=around[0].startswith("(") and around[1] == ")"):
                start = part[0].start
                yield _Piece(expression[start : part[-1].end], start, part[-1].end)


def _is_edge(parts: list[Token], at: int) -> bool:
    before = parts[at - 1].text if at else "("
    after = parts[at].text if at < len(parts) else ")"
    return (before in _EDGES or after in _EDGES) and after[0] not in "*+?{"


_EDGES: Final = frozenset({"/", "|", "(", "(?:", ")"})
_LONGEST_PIECE: Final = 60


def _balanced(part: list[Token], *, whole: bool) -> bool:
    """Whether a part stands by itself: brackets closed, no slash, and bars only where it is a ``whole`` alternation."""
    depth = 0
    for token in part:
        depth += token.text.startswith("(") - (token.text == ")")
        if depth < 0 or token.text == "/" or (token.text == "|" and depth == 0 and not whole):
            return False
    return depth == 0


def _stands_for_names(expression: str, piece: _Piece, row: Operation) -> bool:
    """Whether the row is taken in for a name that stands where the piece does."""
    name = _SOME_NAME + (".*" if piece.text.endswith((".*", ".+")) else "")
    try:
        compiled = _compiled(f"{expression[: piece.start]}(?:{name}){expression[piece.end :]}")
    except BadExpressionError:
        return False  # a piece that does not stand by itself, such as one end of a repetition
    return _matches(compiled, _path(row, _SOME_NAME))


_BRACKETS: Final = re.compile(r"\((?:\?:)?(.*)\)")
_WILD: Final = re.compile(r"(?:\.|\[\^/\])\*")
"""What `*` in a glob means. A `.+` is not that: the name without it would be taken in, too."""
_LITERAL: Final = re.compile(r"(?:[A-Za-z0-9_-]|\\[._-])*")


def _globs(piece: str) -> tuple[str, ...]:
    """The globs of names that a plain alternation means; nothing where it is not one."""
    inner = piece
    while (match := _BRACKETS.fullmatch(inner)) is not None and _balanced(list(tokens(match[1])), whole=True):
        inner = match[1]
    globs = tuple(_glob(word) for word in inner.split("|"))
    return globs if all(globs) else ()


def _glob(word: str) -> str:
    """``db-.*`` as ``db-*``; nothing where the word is more than letters with a wild end or beginning."""
    parts = _WILD.split(word)
    if not any(parts) or not all(_LITERAL.fullmatch(part) for part in parts):
        return ""
    return "*".join(part.replace("\\", "") for part in parts)


# Branches that come to nothing ---------------------------------------------------------------------------------------


def _idle(expression: str) -> Iterator[str]:
    """The whole expression where it takes in no row; else each branch that, alone in its place, would take in none."""
    if not _comes_to_something(expression):
        yield expression
        return
    for before, branches, after in _alternations(expression):
        for branch in branches:
            if not _comes_to_something(f"{before}(?:{branch}){after}"):
                yield branch


def _comes_to_something(expression: str) -> bool:
    try:
        compiled = _compiled(expression)
    except BadExpressionError:
        return True  # it cannot be looked at by itself
    if any(_takes(compiled, row) for row in OPERATIONS):
        return True
    pieces = tuple(_pieces(expression))
    return any(_stands_for_names(expression, piece, row) for row in OPERATIONS if row.params for piece in pieces)


def _alternations(expression: str) -> Iterator[tuple[str, list[str], str]]:
    """Each alternation: what stands before it, its branches, what stands after."""
    parts = list(tokens(expression))
    opened: list[tuple[int, list[int]]] = [(0, [])]
    for token in [*parts, Token(")", len(expression))]:
        if token.text.startswith("("):
            opened.append((token.end, []))
        elif token.text == "|":
            opened[-1][1].append(token.start)
        elif token.text == ")" and opened:
            start, bars = opened.pop()
            if bars:
                edges = [start - 1, *bars, token.start]
                branches = [expression[a + 1 : b] for a, b in itertools.pairwise(edges)]
                yield expression[:start], branches, expression[token.start :]
