"""YAML with its places: text as it is meant, and where it stands.

Scalars are read as text, so that `no` stays `no` and `3.10` stays `3.10`. Anchors, aliases, tags and merge keys are
refused: the text read is the text meant. YAML's own complaints are said again in the words of the policy language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml

from sockproxy.errors import Problem

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

    def place_of(self, key: str) -> Place:
        """Where a key stands; the mapping's own place where it has no such key."""
        return next((name.place for name, _ in self.entries if name.text == key), self.place)


Node: TypeAlias = Scalar | Sequence | Mapping


def read(text: str, file: str, problems: list[Problem]) -> Node | None:
    """The document that a text is, and in ``problems`` what it uses that the language does not have.

    What is merely unwanted is noted and read on without, so that one mistake does not hide the others; None where the
    text is no YAML at all.
    """
    if len(text) > MAX_BYTES:
        problems.append(Problem(file, 0, 0, f"a policy of more than {MAX_BYTES} characters"))
        return None
    try:
        node = _compose(text, file, problems)
        if node is not None:
            return _node(node, file, problems)
        problems.append(Problem(file, 1, 1, "the file is empty", "a policy begins with `version: 1`"))
    except yaml.YAMLError as error:
        problems.append(_reworded(error, file, text))
    except RecursionError:
        problems.append(Problem(file, 0, 0, "lists in lists without end"))
    except (ValueError, OverflowError):  # from chr() and int() inside PyYAML, which map it to no error of their own
        problems.append(Problem(file, 0, 0, "an escape or a `%` line that is none", "write the character itself"))
    return None


class _Composer(yaml.SafeLoader):
    """Composes without anchors, aliases and tags, and keeps each that it met."""

    def __init__(self, text: str, file: str, problems: list[Problem]) -> None:
        super().__init__(text)
        self._file = file
        self._problems = problems

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if (problem := _unwanted(event, self._file)) is not None:
            self._problems.append(problem)
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]
            return yaml.ScalarNode("", f"*{event.anchor}", event.start_mark, event.end_mark, style='"')  # type: ignore[arg-type]
        if isinstance(event, yaml.NodeEvent):
            event.anchor = None
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            event.tag = "!"
        composed: yaml.Node | None = super().compose_node(parent, index)
        return composed


def _compose(text: str, file: str, problems: list[Problem]) -> yaml.Node | None:
    composer = _Composer(text, file, problems)
    try:
        node: yaml.Node | None = composer.get_single_node()
        return node
    finally:
        composer.dispose()


def _unwanted(event: yaml.Event, file: str) -> Problem | None:
    mark = event.start_mark
    assert mark is not None
    place = Place(file, mark.line + 1, mark.column + 1)
    if isinstance(event, yaml.AliasEvent):
        return place.problem("an alias (`*name`)", f'quote a word that begins with `*`: "*{event.anchor}"')
    if getattr(event, "anchor", None) is not None:
        return place.problem("an anchor (`&name`)", "quote a word that begins with `&`")
    tag = getattr(event, "tag", None)
    if tag is not None:
        return place.problem("a tag (`!name`)", "quote a word that begins with `!`")
    return None


def _node(node: yaml.Node, file: str, problems: list[Problem]) -> Node:
    place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.ScalarNode):
        return Scalar(place, _whole(node.value, place, problems), node.style is not None)
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
        if key.text == "<<" and not key.quoted:
            problems.append(key.place.problem("a merge key (`<<`)", "write the keys out"))
            continue
        if key.text in seen:
            problems.append(
                key.place.problem(
                    f"`{key.text}` stands twice",
                    f"it stands in line {seen[key.text].place.line} already: join the two, or indent this one",
                )
            )
            continue
        seen[key.text] = key
        entries.append((key, _node(raw_value, file, problems)))
    return Mapping(place, tuple(entries))


def _whole(text: str, place: Place, problems: list[Problem]) -> str:
    """A scalar's text; half a surrogate pair, which an escape can write, could be neither printed nor recorded."""
    if _SURROGATE.search(text) is None:
        return text
    problems.append(place.problem("half a surrogate pair", "write the character itself"))
    return _SURROGATE.sub("?", text)


_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_QUOTE: Final = "quote a word that begins with one of * & ! | > % @ ` { [ or holds `: ` or ` #`"


def _reworded(error: yaml.YAMLError, file: str, text: str) -> Problem:
    """What is most likely meant by YAML's complaint."""
    if isinstance(error, yaml.reader.ReaderError):
        return _unprintable(error, file, text)
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
    if re.match("while (?:scanning|parsing) (?:an alias|an anchor|a tag|a block scalar|a directive)", context):
        started = getattr(error, "context_mark", None) or mark
        begins = text[started.index : started.index + 1]
        return Place(file, started.line + 1, started.column + 1).problem(
            f"a word cannot begin with `{begins}`", "quote it"
        )
    if "quoted scalar" in context and "end of stream" in said:
        started = getattr(error, "context_mark", None) or mark
        return Place(file, started.line + 1, started.column + 1).problem("a quote that is never closed")
    if "single document" in context:
        return place.problem("a second document", "a policy is one: take out what follows `---`")
    if "flow sequence" in context or "flow mapping" in context:
        opened = getattr(error, "context_mark", None)
        if text[mark.index :].strip() == "" and opened is not None:
            return Place(file, opened.line + 1, opened.column + 1).problem(
                f"a `{text[opened.index]}` that is never closed"
            )
        return place.problem(
            "inside `[…]` or `{…}` a comma, `[`, `{`, `]` or `}` ends a word",
            "write * for {id} there, or quote the word",
        )
    if "cannot start any token" in said:
        return place.problem(f"a word cannot begin with `{line[mark.column : mark.column + 1]}`", _QUOTE)
    if "mapping values are not allowed" in said:
        return _stray_colon(place, lines, mark)
    if "block mapping" in context or "block sequence" in context or "block collection" in context:
        return place.problem(
            "the indentation does not fit", "items of one list, and keys of one mapping, begin in one column"
        )
    return place.problem(f"not YAML: {said}", _QUOTE)


def _stray_colon(place: Place, lines: list[str], mark: yaml.Mark) -> Problem:
    """A `:` inside a word, or behind a key that begins deeper than the one above it."""
    column = _fits(lines, mark)
    if column is None:
        return place.problem("a `:` where none may stand", "quote a word that holds `: `, or look at the indentation")
    line = lines[mark.line]
    return Place(place.file, place.line, len(line) - len(line.lstrip()) + 1).problem(
        "the indentation does not fit", f"begin it in column {column}, where the key above it begins"
    )


_KEY: Final = re.compile(r"([ -]*)[\w.-]+(?=:(?: |$))")


def _fits(lines: list[str], mark: yaml.Mark) -> int | None:
    """The column of the key above, where a line that is one key's begins deeper; None where that is not the mistake."""
    here = _KEY.match(lines[mark.line]) if mark.line < len(lines) else None
    if here is None or here.end() != mark.column:
        return None
    above = next((line for line in reversed(lines[: mark.line]) if line.strip()), "")
    key = _KEY.match(above)
    return len(key[1]) + 1 if key is not None and len(key[1]) < len(here[1]) else None


# What ends a line to YAML, and so to every other place that is told.
_LINE_END: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def _unprintable(error: yaml.reader.ReaderError, file: str, text: str) -> Problem:
    lines = _LINE_END.split(text[: error.position])
    problem = f"the character U+{ord(text[error.position]):04X}"
    return Problem(file, len(lines), len(lines[-1]) + 1, problem, "write it as an escape")
