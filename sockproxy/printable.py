"""How text that a client chose is shown to a person: on one line, bounded, with nothing that moves a cursor."""

from __future__ import annotations

from typing import Final

CUT: Final = "…"
"""Stands where a value was cut."""

VALUE_LIMIT: Final = 1024
"""How many characters of a value are shown before it is cut."""


def printable(text: str, limit: int = VALUE_LIMIT) -> str:
    """The text with everything unprintable escaped (``\\n``, ``\\x1b``, ``\\u2028``), cut at ``limit`` characters.

    ``str.isprintable`` knows the control, format, surrogate, private and line-separating characters of Unicode,
    bidirectional overrides among them: a terminal or a log reader must never be steered by a request.
    """
    cut = text if len(text) <= limit else text[:limit] + CUT
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else _escape(char) for char in cut)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
