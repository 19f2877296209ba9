"""The YAML of a compose file with its places: anchors followed, merge keys taken in, scalars as compose reads them.

Other than a policy a compose file may use all of YAML. What the composer of PyYAML yields is turned into nodes of our
own: frozen, shared where an alias shares them, each with the place where its text stands. Two tags mean something to
compose: `!reset` takes out what another file said, `!override` puts itself in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, TypeAlias

import yaml

from sockproxy.errors import Problem
from sockproxy.policy.document import Place

MAX_CHARACTERS: Final = 1024 * 1024
"""The longest compose file that is read."""
MAX_NODES: Final = 100_000
"""How many nodes a document may have once its aliases are written out: ten lines of them can mean billions."""

RESET: Final = "!reset"
OVERRIDE: Final = "!override"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A word, a number, true or false, or nothing."""

    place: Place
    text: str
    plain: bool = False
    """Whether it stands without quotation marks, so that YAML may read a number or nothing in it."""
    tag: str = ""

    @property
    def nothing(self) -> bool:
        """Whether it is null: `~`, `null`, or a key without a value."""
        return self.plain and self.text in _NULLS

    @property
    def said(self) -> str:
        """The value as a text, as compose writes a number or a boolean where a text is wanted: `1.50` is `1.5`."""
        if not self.plain:
            return self.text
        if self.text in _BOOLEANS:
            return self.text.lower()
        return _number(self.text)

    @property
    def is_time(self) -> bool:
        """Whether YAML reads a point in time in it, which compose takes nowhere."""
        return self.plain and _TIME.fullmatch(self.text) is not None

    @property
    def is_text(self) -> bool:
        """Whether YAML reads a text in it, no number, boolean or null."""
        return not self.plain or not (
            self.text in _NULLS
            or self.text in _BOOLEANS
            or _INTEGER.fullmatch(self.text)
            or _FLOAT.fullmatch(self.text)
        )


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, in the order they stand."""

    place: Place
    entries: tuple[tuple[Scalar, Node], ...] = ()
    tag: str = ""

    def get(self, key: str) -> Node | None:
        """The value of a key."""
        for name, value in self.entries:
            if name.text == key:
                return value
        return None


Node: TypeAlias = Scalar | Sequence | Mapping

_UNSENDABLE: Final = re.compile("[\0\ud800-\udfff]")
"""What an escape can write, and no path, name or JSON can hold."""
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
# The numbers of yaml.v3 (resolve.go): Go's own forms, an octal one with a mere 0 before it among them.
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0[0-7_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|0[bB][01_]+)")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}[^ ]*)?")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def is_nothing(node: Node | None) -> bool:
    """Whether a key is absent or null, which compose takes alike."""
    return node is None or (isinstance(node, Scalar) and node.nothing)


def read(text: str, file: str, problems: list[Problem]) -> list[Mapping]:
    """The documents of a compose file, each a mapping; what is wrong with them goes into ``problems``."""
    if len(text) > MAX_CHARACTERS:
        problems.append(Problem(file, 0, 0, f"a compose file of more than {MAX_CHARACTERS} characters"))
        return []
    reader = _Reader(file, problems)
    try:
        documents = [reader.node(node) for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
    except yaml.YAMLError as error:
        problems.append(_complaint(error, file))
        return []
    except RecursionError:
        problems.append(Problem(file, 0, 0, "lists in lists without end"))
        return []
    except (ValueError, OverflowError):  # from chr() and int() inside PyYAML, which map it to no error of their own
        problems.append(Problem(file, 0, 0, "an escape or a `%` line that is none", "write the character itself"))
        return []
    if not problems:  # else it may be one of them that leaves no mapping
        problems += [
            document.place.problem("a compose file is a mapping", "it begins with `services:`")
            for document in documents
            if not isinstance(document, Mapping)
        ]
    found = [document for document in documents if isinstance(document, Mapping)]
    if not documents:
        problems.append(Problem(file, 1, 1, "the file is empty", "a compose file begins with `services:`"))
    return found


class _Reader:
    """Turns composed nodes into ours, each once however often an alias names it."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self._file = file
        self._problems = problems
        self._made: dict[int, tuple[Node, int]] = {}
        self._open: set[int] = set()

    def node(self, node: yaml.Node) -> Node:
        return self._node(node)[0]

    def _node(self, node: yaml.Node) -> tuple[Node, int]:
        """A node, and how many nodes it is with all that is in it."""
        if (made := self._made.get(id(node))) is not None:
            return made
        place = self._place(node)
        if id(node) in self._open:
            return self._instead(place, "an alias within what it stands for")
        self._open.add(id(node))
        made = self._fresh(node, place)
        self._open.discard(id(node))
        if made[1] > MAX_NODES:
            made = self._instead(place, f"aliases that come to more than {MAX_NODES} values")
        self._made[id(node)] = made
        return made

    def _instead(self, place: Place, problem: str) -> tuple[Node, int]:
        self._problems.append(place.problem(problem))
        return Scalar(place, "", plain=True), 1

    def _fresh(self, node: yaml.Node, place: Place) -> tuple[Node, int]:
        tag = node.tag if node.tag in (RESET, OVERRIDE) else ""
        if isinstance(node, yaml.ScalarNode):
            if _UNSENDABLE.search(node.value) is not None:
                return self._instead(place, "a NUL, or half a surrogate pair")
            return Scalar(place, node.value, node.style is None, tag), 1
        if isinstance(node, yaml.SequenceNode):
            items = [self._node(item) for item in node.value]
            return Sequence(place, tuple(item for item, _ in items), tag), 1 + sum(size for _, size in items)
        assert isinstance(node, yaml.MappingNode)
        return self._mapping(node, place, tag)

    def _mapping(self, node: yaml.MappingNode, place: Place, tag: str) -> tuple[Node, int]:
        own: dict[str, tuple[Scalar, Node]] = {}
        merged: list[Node] = []
        count = 1
        for raw_key, raw_value in node.value:
            value, size = self._node(raw_value)
            count += size
            key = self._key(raw_key)
            if key is None:
                continue
            if key.text == "<<" and merged:
                self._problems.append(key.place.problem("`<<` stands twice", "give one a list: <<: [*a, *b]"))
            elif key.text == "<<":
                merged += value.items if isinstance(value, Sequence) else [value]
            elif key.text in own:
                line = own[key.text][0].place.line
                self._problems.append(
                    key.place.problem(f"`{key.text}` stands twice", f"it stands in line {line} already")
                )
            else:
                own[key.text] = key, value
        for each in merged:
            self._take_in(each, own)
        return Mapping(place, tuple(own.values()), tag), count

    def _key(self, node: yaml.Node) -> Scalar | None:
        """A key; None, and a problem, where it is no text: compose reads no other."""
        place = self._place(node)
        if isinstance(node, yaml.ScalarNode):
            key = Scalar(place, node.value, node.style is None)
            if key.is_text:
                return key
        self._problems.append(place.problem("a key that is no text", "quote it"))
        return None

    def _take_in(self, node: Node, own: dict[str, tuple[Scalar, Node]]) -> None:
        """What a merge key (`<<`) adds: the keys that are not there yet."""
        if not isinstance(node, Mapping):
            self._problems.append(node.place.problem("a merge key (`<<`) takes a mapping, or a list of them"))
            return
        for key, value in node.entries:
            own.setdefault(key.text, (key, value))

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._file, node.start_mark.line + 1, node.start_mark.column + 1)


def without_tags(node: Node) -> Node:
    """The node as it is where nothing stands below it: `!override` means nothing there."""
    return replace(node, tag="") if node.tag else node


def _complaint(error: yaml.YAMLError, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML")
    if mark is None:
        return Problem(file, 0, 0, f"not YAML: {said}")
    tab = "\\t" in said
    problem = "a tab in the indentation" if tab else f"not YAML: {said}"
    return Problem(file, mark.line + 1, mark.column + 1, problem, "indent with spaces" if tab else "")


def _number(text: str) -> str:
    """A plain scalar as Go prints the number that YAML reads in it; anything else as it stands."""
    if _INTEGER.fullmatch(text):
        digits = text.replace("_", "").lower()
        value = _integer(digits.lstrip("+-")) * (-1 if digits.startswith("-") else 1)
        return str(value) if _LEAST <= value <= _MOST else _float(float(value))
    if _FLOAT.fullmatch(text):
        return _float(float(text))
    return text


_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 64) - 1
"""What Go's integers hold; beyond it YAML reads a floating point number."""


def _integer(digits: str) -> int:
    if len(digits) > 1 and digits.isdigit() and digits.startswith("0"):
        return int(digits, 8)
    return int(digits, 0)


def _float(value: float) -> str:
    """As Go's ``%v``: the shortest that reads the same, without an exponent below 1e21 (strconv, ``ftoa.go``)."""
    if value and not 1e-4 <= abs(value) < 1e21:
        mantissa, _, exponent = repr(value).partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+03d}" if exponent else mantissa
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
