"""What is said about a compose file: mistakes, after which there is no reading, and notes, which go with one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Protocol

from sockproxy.errors import Problem
from sockproxy.policy.document import Place


class Placed(Protocol):
    """Whatever stands somewhere."""

    @property
    def place(self) -> Place:
        """Where."""


class Notes:
    """Collects both while a file is read, so that one mistake does not hide the others."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []

    def wrong(self, at: Placed, message: str, hint: str = "") -> None:
        """A mistake: compose would refuse the file, or nobody here knows what it would make of it."""
        self._once(self.problems, at.place.problem(message, hint))

    def say(self, at: Placed, message: str, hint: str = "") -> None:
        """Something that compose does, or does not do, and that the calls do not show."""
        self._once(self.notes, at.place.problem(message, hint))

    @staticmethod
    def _once(said: list[Problem], problem: Problem) -> None:
        # A place is read more than once where an alias or `extends` leads to it again.
        if problem not in said:
            said.append(problem)


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint for a word that is none of those that are known; empty where none is near."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"did you mean {close[0]}?" if close else ""
