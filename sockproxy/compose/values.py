"""How a value of a compose file is read: each reader gives what compose makes of a node, or says what is wrong with it.

Sizes are bytes, by powers of 1024 (`64m`); durations are nanoseconds (`1m30s`). After a mistake a reader gives the zero
of its kind, so that the others are found too.
"""

from __future__ import annotations

import re
from typing import Final

from sockproxy.compose.document import Mapping, Node, Scalar, Sequence, is_nothing
from sockproxy.compose.notes import Notes

_TRUE: Final = frozenset({"true", "y", "yes", "on"})
_FALSE: Final = frozenset({"false", "n", "no", "off"})
# As many digits as a value of Go's has; more of them are no number to compose either.
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]{1,19}(?:\.[0-9]{0,19})?|\.[0-9]{1,19})")
_SIZE: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,19})?) ?(?:([kmgtp])i?)?b?", re.IGNORECASE)
_DURATION: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{0,19})?|\.[0-9]{1,19})(ns|us|µs|μs|ms|s|m|h|d|w)")

_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SECONDS: Final = 1_000_000_000
_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": _SECONDS,
    "m": 60 * _SECONDS,
    "h": 3600 * _SECONDS,
    "d": 86_400 * _SECONDS,
    "w": 604_800 * _SECONDS,
}


class Values:
    """The readers, which say into one collection what is wrong."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def text(self, node: Node | None) -> str:
        """A word; empty where there is none. A number is taken as it is printed."""
        if node is None or is_nothing(node):
            return ""
        if isinstance(node, Scalar):
            if node.is_time:
                self.notes.wrong(node, f"`{node.text}` is a time to YAML", "quote it")
            return node.said
        self.notes.wrong(node, "this is to be a word")
        return ""

    def flag(self, node: Node | None) -> bool:
        """True or false."""
        word = self.text(node).lower()
        if node is not None and word and word not in _TRUE | _FALSE:
            self.notes.wrong(node, f"`{word}` is neither `true` nor `false`")
        return word in _TRUE

    def integer(self, node: Node | None) -> int:
        """A whole number; 0 where there is none."""
        word = self.text(node)
        found = _INTEGER.fullmatch(word or "0")
        if found is None:
            assert node is not None
            self.notes.wrong(node, f"`{word}` is no whole number")
            return 0
        return int(found[0])

    def number(self, node: Node | None) -> float:
        """A number; 0 where there is none."""
        word = self.text(node)
        found = _NUMBER.fullmatch(word or "0")
        if found is None:
            assert node is not None
            self.notes.wrong(node, f"`{word}` is no number")
            return 0.0
        return float(found[0])

    def size(self, node: Node | None) -> int:
        """Bytes (go-units, ``RAMInBytes``); -1 is none at all."""
        word = self.text(node)
        if not word or word == "-1":
            return -1 if word else 0
        found = _SIZE.fullmatch(word)
        if found is None:
            assert node is not None
            self.notes.wrong(node, f"`{word}` is no size", "write 64m, or 1.5g")
            return 0
        return int(float(found[1]) * _UNITS[(found[2] or "").lower()])

    def duration(self, node: Node | None) -> int:
        """Nanoseconds."""
        word = self.text(node)
        if not word or word == "0":
            return 0
        if _DURATION.sub("", word):
            assert node is not None
            self.notes.wrong(node, f"`{word}` is no time", "write 10s, or 1m30s")
            return 0
        return sum(int(float(amount) * _NANOSECONDS[unit]) for amount, unit in _DURATION.findall(word))

    def items(self, node: Node | None) -> tuple[Node, ...]:
        """The items of a list."""
        if node is None or is_nothing(node) or isinstance(node, Sequence):
            return node.items if isinstance(node, Sequence) else ()
        self.notes.wrong(node, "this is to be a list")
        return ()

    def some(self, node: Node | None) -> tuple[Node, ...]:
        """The items of a list, or the one word that stands for it."""
        if isinstance(node, Scalar) and not node.nothing:
            return (node,)
        return self.items(node)

    def words(self, node: Node | None) -> list[str]:
        """A list of words, each once."""
        return list(dict.fromkeys(self.text(item) for item in self.items(node)))

    def some_words(self, node: Node | None) -> list[str]:
        """A list of words, each once; a word alone is one."""
        return list(dict.fromkeys(self.text(item) for item in self.some(node)))

    def mapping(self, node: Node | None) -> Mapping | None:
        """Keys and values; None where there are none."""
        if node is None or is_nothing(node) or isinstance(node, Mapping):
            return node if isinstance(node, Mapping) else None
        self.notes.wrong(node, "this is to be a mapping")
        return None

    def pairs(self, node: Node | None) -> list[tuple[Scalar, str, str | None]]:
        """`key: value` or `key=value`, in their order: the place, the key and the value, None where it has none."""
        found: list[tuple[Scalar, str, str | None]] = []
        if isinstance(node, Mapping):
            for key, value in node.entries:
                found.append((key, key.text, None if is_nothing(value) else self.text(value)))
            return found
        for item in self.items(node):
            name, sign, said = self.text(item).partition("=")
            if isinstance(item, Scalar):
                found.append((item, name, said if sign else None))
        return found

    def texts(self, node: Node | None) -> dict[str, str]:
        """`key: value` or `key=value`; one without a value has an empty one."""
        return {key: value or "" for _, key, value in self.pairs(node)}
