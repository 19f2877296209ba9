"""YAML with its places: text as it is meant, and where it stands.

Scalars are read as text, so that `no` stays `no` and `3.10` stays `3.10`. Anchors, aliases, tags and merge keys are
refused: the text read is the text meant. YAML's own complaints are said again in the words of the policy language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml

from sockproxy.errors import PolicyError, Problem

MAX_BYTES: Final = 1024 * 1024
"""The longest policy file that is read."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def problem(self, message: str, hint: str = "") -> Problem:
        """A mistake at this place."""
        return Problem(self.file, self.line, self.column, message, hint)

    def __str__(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A word."""

    place: Place
    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]
    flow: bool
    """Written as ``[…]``."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, in the order they stand."""

    place: Place
    entries: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        """The value of a key."""
        for name, value in self.entries:
            if name.text == key:
                return value
        return None


Node: TypeAlias = Scalar | Sequence | Mapping


def read(text: str, file: str) -> Node:
    """The document that a text is.

    Raises:
        PolicyError: it is no YAML, or uses what the language does not have.
    """
    if len(text) > MAX_BYTES:
        raise PolicyError((Problem(file, 0, 0, f"a policy of more than {MAX_BYTES} characters"),))
    try:
        problems = [
            problem for event in yaml.parse(text, Loader=yaml.SafeLoader) if (problem := _unwanted(event, file))
        ]
        if problems:
            raise PolicyError(tuple(problems))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise PolicyError((_reworded(error, file, text),)) from None
    except RecursionError:
        raise PolicyError((Problem(file, 0, 0, "lists in lists without end"),)) from None
    if node is None:
        raise PolicyError((Problem(file, 1, 1, "the file is empty", "a policy begins with `version: 1`"),))
    duplicates: list[Problem] = []
    document = _node(node, file, duplicates)
    if duplicates:
        raise PolicyError(tuple(duplicates))
    return document


def _unwanted(event: yaml.Event, file: str) -> Problem | None:
    mark = event.start_mark
    assert mark is not None
    place = Place(file, mark.line + 1, mark.column + 1)
    if isinstance(event, yaml.AliasEvent):
        return place.problem("an alias (`*name`)", "quote a word that begins with `*`")
    if getattr(event, "anchor", None) is not None:
        return place.problem("an anchor (`&name`)", "quote a word that begins with `&`")
    tag = getattr(event, "tag", None)
    if tag is not None:
        return place.problem("a tag (`!name`)", "quote a word that begins with `!`")
    return None


def _node(node: yaml.Node, file: str, problems: list[Problem]) -> Node:
    place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.ScalarNode):
        return Scalar(place, node.value, node.style is not None)
    if isinstance(node, yaml.SequenceNode):
        return Sequence(place, tuple(_node(item, file, problems) for item in node.value), bool(node.flow_style))
    assert isinstance(node, yaml.MappingNode)
    entries: list[tuple[Scalar, Node]] = []
    seen: dict[str, Scalar] = {}
    for raw_key, raw_value in node.value:
        key = _node(raw_key, file, problems)
        if not isinstance(key, Scalar):
            problems.append(key.place.problem("a key that is no word", "quote it"))
            continue
        if key.text in seen:
            problems.append(
                key.place.problem(
                    f"`{key.text}` stands twice", f"it stands in line {seen[key.text].place.line} already"
                )
            )
        seen[key.text] = key
        entries.append((key, _node(raw_value, file, problems)))
    return Mapping(place, tuple(entries))


_QUOTE: Final = "quote a word that begins with one of * & ! | > % @ ` { [ or holds `: ` or ` #`"


def _reworded(error: yaml.YAMLError, file: str, text: str) -> Problem:
    """What is most likely meant by YAML's complaint."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = str(getattr(error, "problem", None) or "not YAML")
    if mark is None:
        return Problem(file, 0, 0, f"not YAML: {said}")
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    place = Place(file, mark.line + 1, mark.column + 1)
    if "\\t" in said or "\t" in line[: mark.column + 1]:
        return place.problem("a tab in the indentation", "indent with spaces")
    context = str(getattr(error, "context", "") or "")
    if "flow sequence" in context or "flow mapping" in context:
        return place.problem(
            "inside `[…]` or `{…}` a comma, `[`, `{`, `]` or `}` ends a word",
            "write * for {id} there, or quote the word",
        )
    if "cannot start any token" in said:
        return place.problem(f"a word cannot begin with `{line[mark.column : mark.column + 1]}`", _QUOTE)
    if "mapping values are not allowed" in said:
        return place.problem("a `:` where none may stand", "quote a word that holds `: `, or look at the indentation")
    if "block mapping" in context or "block sequence" in context or "block collection" in context:
        return place.problem(
            "the indentation does not fit", "items of one list, and keys of one mapping, begin in one column"
        )
    return place.problem(f"not YAML: {said}", _QUOTE)
