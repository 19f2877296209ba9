"""What a check says: how it is, and the one thing to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    level: Level
    check: str
    """What was looked at, in a word: ``socket``."""
    what: str
    fix: str = ""
    """What to write or run; empty where nothing need be done."""


def ok(check: str, what: str) -> Finding:
    """It is as it should be."""
    return Finding("ok", check, what)


def warning(check: str, what: str, fix: str) -> Finding:
    """It works, and leaves more open, or says less, than it looks."""
    return Finding("warning", check, what, fix)


def problem(check: str, what: str, fix: str) -> Finding:
    """It does not work, or it gives the policy to everybody."""
    return Finding("problem", check, what, fix)
