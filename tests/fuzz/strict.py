"""A reader of strict JSON, written from RFC 8259 and from what Go takes, and from nothing of sockproxy's or Python's.

One value in UTF-8, no key twice in one object, whole numbers within int64 or uint64, no half of a surrogate pair. It
walks by hand, with a stack of its own: as slow as it is plain.
"""

from __future__ import annotations

import re
from typing import Any

_SPACE = " \t\n\r"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS = {"true": True, "false": False, "null": None}
_END = object()


class Wrong(Exception):
    """Not strict JSON."""


class Large(Exception):
    """Too deep, or too many values."""


class Reader:
    """Reads one text."""

    def __init__(self, text: str, depth: int, nodes: int) -> None:
        self.text = text
        self.at = 0
        self.depth = depth
        self.nodes = nodes
        self.counted = 0

    def read(self) -> Any:
        """The value; whatever comes behind it but space is wrong."""
        value = self.value()
        self.space()
        if self.at != len(self.text):
            raise Wrong("something behind the value")
        return value

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise Wrong(f"no {wanted}")
        self.at += 1

    def value(self) -> Any:
        """One value, with a stack of the objects and lists that it stands in."""
        stack: list[Any] = []
        keys: list[str] = []
        while True:
            self.space()
            value = self.opened(stack, keys)
            while value is not _END:
                if not stack:
                    return value
                value = self.put(stack, keys, value)

    def opened(self, stack: list[Any], keys: list[str]) -> Any:
        """A value that is whole, or `_END` after an object or a list was begun that is not empty."""
        char = self.peek()
        if char not in ("[", "{") or not char:
            return self.scalar(char)
        self.at += 1
        self.count()
        container: Any = [] if char == "[" else {}
        if len(stack) + 1 > self.depth:
            raise Large("depth")
        self.space()
        if self.peek() == ("]" if char == "[" else "}"):
            self.at += 1
            return container
        stack.append(container)
        keys.append(self.key(container) if char == "{" else "")
        return _END

    def put(self, stack: list[Any], keys: list[str], value: Any) -> Any:
        """Put a value where it stands; the object or list if that has come to its end, else `_END`."""
        container, key = stack[-1], keys[-1]
        closing = "}" if isinstance(container, dict) else "]"
        if isinstance(container, dict):
            container[key] = value
        else:
            container.append(value)
        self.space()
        if self.peek() == ",":
            self.at += 1
            self.count()
            if isinstance(container, dict):
                keys[-1] = self.key(container)
            return _END
        self.take(closing)
        keys.pop()
        return stack.pop()

    def count(self) -> None:
        self.counted += 1
        if self.counted > self.nodes:
            raise Large("nodes")

    def key(self, container: dict[str, Any]) -> str:
        self.space()
        key = self.string()
        if key in container:
            raise Wrong("a key twice")
        container[key] = None  # its place in the order
        self.space()
        self.take(":")
        return key

    def scalar(self, char: str) -> Any:
        if char == '"':
            return self.string()
        for word, value in _LITERALS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            raise Wrong("no value")
        self.at = match.end()
        if match[1] or match[2]:
            number = float(match[0])
            if number in (float("inf"), float("-inf")):
                raise Wrong("out of range")
            return number
        if len(match[0]) > 20 or not -(2**63) <= int(match[0]) < 2**64:
            raise Wrong("out of range")
        return int(match[0])

    def string(self) -> str:
        self.take('"')
        out: list[str] = []
        while True:
            char = self.peek()
            self.at += 1
            if char == '"':
                break
            if not char or char < " ":
                raise Wrong("a control character, or no end")
            out.append(self.escape() if char == "\\" else char)
        # Two halves that stand side by side are one character, however each is written.
        text = "".join(out).encode("utf-16-le", "surrogatepass")
        try:
            return text.decode("utf-16-le")
        except UnicodeDecodeError:
            raise Wrong("half a surrogate pair") from None

    def escape(self) -> str:
        char = self.peek()
        self.at += 1
        if char in _ESCAPES:
            return _ESCAPES[char]
        digits = self.text[self.at : self.at + 4]
        if char != "u" or re.fullmatch("[0-9a-fA-F]{4}", digits) is None:
            raise Wrong("no escape")
        self.at += 4
        return chr(int(digits, 16))


def read(data: bytes, depth: int, nodes: int) -> Any:
    """The one value that the bytes are.

    Raises:
        Wrong: they are not strict JSON.
        Large: too deep, or too many values.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Wrong("not UTF-8") from None
    return Reader(text, depth, nodes).read()


def same(one: Any, other: Any, *, ordered: bool = True) -> bool:
    """Equal in type too: True is not 1, and 1 is not 1.0; -0.0 is not 0.0. The order of keys counts if ``ordered``."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        if list(one) != list(other) if ordered else one.keys() != other.keys():
            return False
        return all(same(one[key], other[key], ordered=ordered) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(*pair, ordered=ordered) for pair in zip(one, other, strict=True))
    if isinstance(one, float):
        return one.hex() == float(other).hex()
    return bool(one == other)
