"""Globs: `*` is any run of characters but `/`, `**` any run, `/**/` any number of folders, none too.

The values are chosen by clients, so matching is linear whatever they send: nothing here backtracks. A glob with one run
is compared by its ends; any other is walked as an automaton whose set of states is one integer. Two runs are enough to
make a regular expression quadratic, and a value may be as long as a request's body.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

Matcher: TypeAlias = Callable[[str], bool]
"""Says whether a whole value is matched."""

_RUNS: Final = re.compile(r"\*\*+")
_FOLDERS: Final = re.compile(r"(?:/\*\*)+(?=/\*\*)")


def glob(text: str) -> Matcher:
    """A matcher of whole values."""
    text = plain(text)
    if "*" not in text:
        return text.__eq__
    if "/**/" not in text and text.count("**") == 1 and text.count("*") == 2:
        return _OneRun(*text.split("**"), within="")
    if text.count("*") == 1:
        return _OneRun(*text.split("*"), within="/")
    return _Automaton(text)


def path_glob(text: str) -> Matcher:
    """A glob of cleaned absolute paths: ``/dir/**`` takes in the folder itself."""
    text = plain(text)
    base = text.removesuffix("/**")
    if base in ("", text):
        return glob(text)
    if "*" not in base:
        return _Folder(base)
    folder, below = glob(base), glob(text)
    return lambda value: folder(value) or below(value)


def plain(text: str) -> str:
    """One spelling of what means the same: ``***`` is ``**``, ``/**/**`` is ``/**``."""
    return _FOLDERS.sub("", _RUNS.sub("**", text))


class _Folder:
    """``/dir/**``: the folder and all below it, and never ``/dir-evil``."""

    __slots__ = ("_below", "_folder")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._below = folder + "/"

    def __call__(self, value: str) -> bool:
        return value.startswith(self._below) or value == self._folder


class _OneRun:
    """A single run between two ends; ``within`` is the character that the run may not cross, or empty."""

    __slots__ = ("_after", "_before", "_ends", "_within")

    def __init__(self, before: str, after: str, *, within: str) -> None:
        self._before = before
        self._after = after
        self._ends = len(before) + len(after)
        self._within = within

    def __call__(self, value: str) -> bool:
        if len(value) < self._ends or not value.startswith(self._before) or not value.endswith(self._after):
            return False
        return not self._within or value.find(self._within, len(self._before), len(value) - len(self._after)) < 0


class _Automaton:
    """Any glob. State n, a bit of an integer, stands before the n-th token; one step per character, never back.

    A token is a character, a run, or the fork in front of the run of ``/**/``: it leads to that run, and past the slash
    after it.
    """

    __slots__ = ("_accepting", "_characters", "_deep", "_forks", "_runs", "_start")

    def __init__(self, text: str) -> None:
        self._characters: dict[str, int] = {}
        self._runs = self._deep = self._forks = 0
        self._accepting = 1 << self._build(text)
        self._start = self._widen(1)

    def _build(self, text: str) -> int:
        state = index = 0
        while index < len(text):
            bit = 1 << state
            if text.startswith("/**/", index):
                self._character("/", bit)
                self._forks |= bit << 1
                self._deep |= bit << 2
                self._character("/", bit << 3)
                state, index = state + 4, index + 4
                continue
            if text.startswith("**", index):
                self._deep |= bit
                index += 2
            elif text[index] == "*":
                self._runs |= bit
                index += 1
            else:
                self._character(text[index], bit)
                index += 1
            state += 1
        return state

    def _character(self, character: str, bit: int) -> None:
        self._characters[character] = self._characters.get(character, 0) | bit

    def _widen(self, states: int) -> int:
        """Also where one gets without a character: past a fork, and past a run that takes none."""
        forks = states & self._forks
        states |= forks << 1 | forks << 3
        return states | (states & (self._runs | self._deep)) << 1

    def __call__(self, value: str) -> bool:
        states = self._start
        for character in value:
            stay = self._deep if character == "/" else self._deep | self._runs
            states = self._widen((states & self._characters.get(character, 0)) << 1 | (states & stay))
            if not states:
                return False
        return bool(states & self._accepting)
