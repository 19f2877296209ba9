"""Which words of one kind cover an ask, found without trying each word on each ask.

A word can only match a text that begins with what stands before its first `*`. So words are kept by that beginning, and
of an ask the beginnings are looked up: the few words that are found are tried. Whoever has worked for months has asked
thousands of different things of one kind, and thousands of thousands of trials would take minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from sockproxy.docker.asks import KINDS, PatternForm
from sockproxy.docker.inspectors.pruning import PRUNE
from sockproxy.docker.references import UNTAGGED
from sockproxy.model import Ask
from sockproxy.policy.globs import plain
from sockproxy.policy.patterns import PUBLISH, BadPattern, Pattern, compile_pattern, cut_suffixes, image_parts

_BY_TEXT: Final[frozenset[PatternForm]] = frozenset({"glob", "path", "name", "volume", "image", "label", "publish"})
"""Forms whose patterns match by a text of the ask; of the others there are never many, and each is tried."""


class Coverage:
    """Patterns of one kind."""

    def __init__(self, kind: str, patterns: Iterable[Pattern] = ()) -> None:
        self._kind: Final = KINDS[kind]
        self._by_beginning: Final[dict[str, list[Pattern]]] = {}
        self._lengths: Final[list[int]] = []
        for pattern in patterns:
            self._add(pattern)

    @classmethod
    def of(cls, kind: str, words: Iterable[str]) -> Coverage:
        """These words' patterns; what is no pattern of the kind covers nothing."""
        made = cls(kind)
        for word in words:
            made.add(word)
        return made

    def add(self, word: str) -> None:
        """One word more."""
        with suppress(BadPattern):
            self._add(compile_pattern(self._kind, word))

    def _add(self, pattern: Pattern) -> None:
        beginning = _beginning(self._kind.form, pattern.text)
        self._by_beginning.setdefault(beginning, []).append(pattern)
        if len(beginning) not in self._lengths:
            self._lengths.append(len(beginning))

    def matching(self, ask: Ask) -> list[Pattern]:
        """The patterns that cover an ask."""
        return [pattern for pattern in self._near(ask) if pattern.matches(ask)]

    def covers(self, ask: Ask) -> bool:
        """Whether some pattern covers an ask."""
        return any(pattern.matches(ask) for pattern in self._near(ask))

    def _near(self, ask: Ask) -> Iterator[Pattern]:
        """The patterns that may cover an ask, and few others."""
        texts = _texts(self._kind.form, ask)
        for beginning in dict.fromkeys(text[:length] for text in texts for length in self._lengths):
            yield from self._by_beginning.get(beginning, ())


def _beginning(form: PatternForm, word: str) -> str:
    """What every text begins with that a word of this form can match; empty where nothing is known of it."""
    text = cut_suffixes(word)[0] if form in ("path", "volume") else word
    if form not in _BY_TEXT or text in ("any", "none") or text.startswith("label="):
        return ""
    if form == "publish":
        port = PUBLISH.fullmatch(word)
        return "" if port is None or "-" in port["port"] else _first_port(port["port"])
    if form == "image" and not text.startswith(("sha256:", UNTAGGED, PRUNE)):
        text = image_parts(text)[0]
    text = plain(text)
    # `/dir/**` takes in the folder itself.
    return text.partition("*")[0].rstrip("/") if "*" in text else text


def _texts(form: PatternForm, ask: Ask) -> tuple[str, ...]:
    """The texts of an ask that patterns of this form are matched against; an empty one where there are none."""
    if form == "publish":
        port = PUBLISH.fullmatch(ask.value)
        return ("" if port is None else _first_port(port["port"]),)
    return (ask.value, *ask.aliases) if form in _BY_TEXT else ("",)


def _first_port(port: str) -> str:
    """``8000`` of ``8000-8010``: a pattern of one port covers no other."""
    first = port.partition("-")[0]
    return str(int(first)) if first.isdigit() else first
