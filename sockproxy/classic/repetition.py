r"""What a regular expression is made of, and those that could take for ever to match.

Go matches in a time that grows with the path alone. Python goes back and tries again, and where a repetition stands in
another one, `(a+)+`, there are more ways to try than anybody can wait for; likewise where a repeated alternation can
read one text by two branches, `(a|.)*`, or where one wild repetition follows another, `.*.*.*x`. Those are refused. A
repetition in another one is fine where it is plain what begins or ends each time: `(\.[0-9]+)*`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:P?<\w+>|<[=!]|[a-zA-Z-]*[:=!>]?)|\{[0-9,]*\}|.", re.DOTALL
)
_REPETITION: Final = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}|\{,[0-9]+\}")
_MANY: Final = 10
"""From so many times on, what is repeated counts as repeated without end."""
_MOST_IN_A_ROW: Final = 2
"""Repetitions that may follow each other with nothing certain between them: the tries grow as this power of a path."""


@dataclass(frozen=True, slots=True)
class Token:
    """A character of an expression, a class, an escape, a bracket or a repetition."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the next one starts."""
        return self.start + len(self.text)


def tokens(expression: str) -> Iterator[Token]:
    """What an expression is made of."""
    for match in _TOKEN.finditer(expression):
        yield Token(match[0], match.start())


@dataclass(slots=True)
class _Group:
    """What is between two brackets, so far."""

    start: int = 0
    varies: bool = False
    """Whether something in it may be there more or less often."""
    firsts: list[str] = field(default_factory=lambda: [""])
    """What each branch begins with; empty until it is known."""
    ones: list[tuple[str, bool]] = field(default_factory=list)
    """Each character and class in it, and whether it is there once, in every branch: in no bracket and repeated by
    nothing."""

    def parted(self) -> bool:
        """Whether a character stands in it once that nothing else in it reads: so it is plain where each time ends."""
        for at, (text, once) in enumerate(self.ones):
            if once and len(self.firsts) == 1 and _certain(text):
                others = (other for index, (other, _) in enumerate(self.ones) if index != at)
                if not any(_characters(other) & _characters(text) or not _characters(other) for other in others):
                    return True
        return False


def endless(expression: str) -> str | None:
    """The piece of an expression by which it could take for ever where it is tried in every way; None for none."""
    parts = list(repeated(expression))
    return _nested(expression, parts) or _in_a_row(expression, parts)


def _nested(expression: str, parts: Iterable[tuple[Token, str]]) -> str | None:
    """A repeated group that repeats, or can read one text in two ways."""
    groups = [_Group()]
    for token, repetition in parts:
        if token.text.startswith("("):
            groups.append(_Group(token.start))
            continue
        if token.text == "|":
            groups[-1].firsts.append("")
            continue
        low, high = bounds(repetition)
        if token.text == ")" and len(groups) > 1:
            closed = groups.pop()
            groups[-1].varies |= closed.varies
            groups[-1].ones += [(text, False) for text, _ in closed.ones]
            if many(repetition) and ((closed.varies and not closed.parted()) or _ambiguous(closed.firsts)):
                return expression[closed.start : token.end] + repetition
        else:
            groups[-1].ones.append((token.text, repetition == ""))
        groups[-1].varies |= low != high
        groups[-1].firsts[-1] = groups[-1].firsts[-1] or token.text
    return None


def _in_a_row(expression: str, parts: Iterable[tuple[Token, str]]) -> str | None:
    """Too many repetitions without a certain character between them."""
    row = start = 0
    for token, repetition in parts:
        if token.text == "|" or (repetition == "" and _certain(token.text)):
            row = 0
        elif many(repetition) and token.text != ")":
            start = start if row else token.start
            row += 1
            if row > _MOST_IN_A_ROW:
                return expression[start : token.end] + repetition
    return None


def many(repetition: str) -> bool:
    """Whether a repetition goes on for long."""
    high = bounds(repetition)[1]
    return high is None or high >= _MANY


def bounds(repetition: str) -> tuple[int, int | None]:
    """How often at least and at most; None for without end."""
    if repetition.startswith("{"):
        low, comma, high = repetition[1:-1].partition(",")
        return int(low or 0), int(high) if high else None if comma else int(low or 1)
    return {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(repetition, (1, 1))


def repeated(expression: str) -> Iterator[tuple[Token, str]]:
    """Each token that is no repetition, with the one that stands behind it."""
    held: Token | None = None
    repetition = ""
    for token in tokens(expression):
        if held is not None and _REPETITION.fullmatch(token.text):
            repetition = repetition or token.text  # a second one, `*?`, only says in which order to try
            continue
        if held is not None:
            yield held, repetition
        held, repetition = token, ""
    if held is not None:
        yield held, repetition


def _certain(text: str) -> bool:
    """Whether a token stands for one character."""
    return (len(text) == 1 and text not in ".)") or (text[0] == "\\" and not text[1].isalnum())


def _ambiguous(firsts: list[str]) -> bool:
    """Whether two branches of an alternation can begin with one character."""
    if len(firsts) == 1:
        return False
    seen: set[str] = set()
    for first in firsts:
        mine = _characters(first)
        if not mine or seen & mine:
            return True
        seen |= mine
    return False


def _characters(first: str) -> set[str]:
    """The characters that a branch can begin with, in either case; none where that cannot be told."""
    try:
        compiled = re.compile(first, re.ASCII | re.IGNORECASE)  # a flag may stand anywhere before
    except re.error:
        return set()
    return {char for char in string.printable if compiled.fullmatch(char)}
