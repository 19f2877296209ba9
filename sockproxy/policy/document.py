"""YAML with its places: text as it is meant, and where it stands.

Scalars are read as text, so that `no` stays `no` and `3.10` stays `3.10`. Anchors, aliases, tags and merge keys are
refused: the text read is the text meant. YAML's own complaints are said again in the words of the policy language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
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
    cut: bool = False
    """Whether more stands in it than was read: nobody is told that a key is missing."""

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
        if node is not None and not _says_nothing(node):
            return _node(node, file, problems)
        problems.append(Problem(file, 1, 1, "the file is empty", "a policy begins with `version: 1`"))
    except yaml.YAMLError as error:
        problems.append(_reworded(error, file, text))
    except RecursionError:
        problems.append(Problem(file, 0, 0, "lists in lists without end"))
    except (ValueError, OverflowError):  # from chr() and int() inside PyYAML, which map it to no error of their own
        problems.append(Problem(file, 0, 0, "an escape or a `%` line that is none", "write the character itself"))
    return None


def _says_nothing(node: yaml.Node) -> bool:
    """Whether a document is but its `---`."""
    return isinstance(node, yaml.ScalarNode) and node.value == "" and node.style is None


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
        if isinstance(event, yaml.ScalarEvent) and event.value == "" and problem is not None:
            # `!ci`, where just that was meant: its name goes on as the word.
            event.value, event.style = str(event.anchor or str(event.tag).lstrip("!")), '"'
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


def _node(node: yaml.Node, file: str, problems: list[Problem], *, in_list: bool = False) -> Node:
    place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.ScalarNode):
        return Scalar(place, _whole(node.value, place, problems), node.style is not None)
    if isinstance(node, yaml.SequenceNode):
        items = tuple(_node(item, file, problems, in_list=True) for item in node.value)
        return Sequence(place, items, bool(node.flow_style))
    assert isinstance(node, yaml.MappingNode)
    if _is_template(node):
        problems.append(place.problem("a template (`{{…}}`), which nobody fills in here", "fill it in before"))
        return Scalar(place, "template", quoted=True)
    entries: list[tuple[Scalar, Node]] = []
    seen: dict[str, Scalar] = {}
    cut = False
    for raw_key, raw_value in node.value:
        key = _node(raw_key, file, problems)
        if not isinstance(key, Scalar):
            problems.append(key.place.problem("a key that is no word", "quote it"))
            continue
        if key.text == "<<" and not key.quoted:
            problems[:] = [each for each in problems if not _stands_at(each, raw_value)]  # the alias is a part of it
            problems.append(key.place.problem("a merge key (`<<`)", "write the keys out"))
            cut = True
            continue
        if key.text in seen:
            at = seen[key.text].place.line
            if in_list and seen[key.text] is entries[0][0]:
                # The first key of an item again: the rest is the next item, and its keys are not doubled too.
                hint = f"it stands in line {at} already: put `- ` before it where the next item of the list begins"
                problems.append(key.place.problem(f"`{key.text}` stands twice", hint))
                break
            hint = f"it stands in line {at} already: join the two, or indent this one"
            problems.append(key.place.problem(f"`{key.text}` stands twice", hint))
            continue
        seen[key.text] = key
        entries.append((key, _node(raw_value, file, problems)))
    return Mapping(place, tuple(entries), cut)


def _is_template(node: yaml.MappingNode) -> bool:
    """Whether it is `{{ name }}`, which reads as a mapping whose key is one."""
    return bool(node.flow_style) and len(node.value) == 1 and isinstance(node.value[0][0], yaml.MappingNode)


def _stands_at(problem: Problem, node: yaml.Node) -> bool:
    mark = node.start_mark
    return (problem.line, problem.column) == (mark.line + 1, mark.column + 1)


def _whole(text: str, place: Place, problems: list[Problem]) -> str:
    """A scalar's text; half a surrogate pair, which an escape can write, could be neither printed nor recorded."""
    if _SURROGATE.search(text) is None:
        return text
    problems.append(place.problem("half a surrogate pair", "write the character itself"))
    return _SURROGATE.sub("?", text)


_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_ODD: Final = re.compile("[\u00a0\u2007\u202f\u200b\u2060\ufeff\u201c\u201d\u201e\u2018\u2019\u201a]")
"""What looks like a space, like nothing or like a quote, and is none: a text program put it there."""
_DASH: Final = re.compile("[ ]*(?P<dash>[\u2010-\u2015\u2212\u2022])[ \u00a0]")


def odd(word: Scalar) -> Problem | None:
    """The mistake that a word is which holds such a character; in quotes it may be meant."""
    found = None if word.quoted else _ODD.search(word.text)
    return None if found is None else word.place.problem(*_looks_like(found[0]))


def _looks_like(char: str) -> tuple[str, str]:
    code = f"U+{ord(char):04X}"
    if char.isprintable():
        return f"a `{char}` ({code}), which is no quote here", "write \" or '"
    return f"an unseen character ({code}), which is no space here", "write a plain space, or take it out"


_QUOTE: Final = "quote a word that begins with one of * & ! | > % @ ` { [ or holds `: ` or ` #`"


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What YAML complains of."""

    file: str
    text: str
    lines: list[str]
    said: str
    context: str
    mark: yaml.Mark
    began: yaml.Mark
    """Where what could not be read began; the same where that is not known."""

    @property
    def line(self) -> str:
        return self.lines[self.mark.line] if self.mark.line < len(self.lines) else ""

    @property
    def before(self) -> str:
        """The line up to the place, without spaces at its end."""
        return self.line[: self.mark.column].rstrip()

    @property
    def char(self) -> str:
        return self.line[self.mark.column : self.mark.column + 1]

    def here(self, message: str, hint: str = "") -> Problem:
        return Problem(self.file, self.mark.line + 1, self.mark.column + 1, message, hint)

    def there(self, message: str, hint: str = "") -> Problem:
        return Problem(self.file, self.began.line + 1, self.began.column + 1, message, hint)


def _reworded(error: yaml.YAMLError, file: str, text: str) -> Problem:
    """What is most likely meant by YAML's complaint."""
    if isinstance(error, yaml.reader.ReaderError):
        return _unprintable(error, file, text)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = str(getattr(error, "problem", None) or "not YAML")
    if mark is None:
        return Problem(file, 0, 0, f"not YAML: {said}")
    complaint = _Complaint(
        file,
        text,
        _LINE_END.split(text),
        said,
        str(getattr(error, "context", None) or ""),
        mark,
        getattr(error, "context_mark", None) or mark,
    )
    for look in (_tab, _typed_elsewhere, _begins_a_word, _never_closed, _closed_before, _in_flow, _no_colon, _second):
        if (problem := look(complaint)) is not None:
            return problem
    if "mapping values are not allowed" in said:
        return _stray_colon(complaint)
    if re.search("block (?:mapping|sequence|collection)", complaint.context):
        return complaint.here(
            "the indentation does not fit", "items of one list, and keys of one mapping, begin in one column"
        )
    return complaint.here(f"not YAML: {said}", _QUOTE)


def _tab(found: _Complaint) -> Problem | None:
    if "\t" in re.match(r"[ \t-]*", found.line)[0]:  # type: ignore[index]
        return found.here("a tab in the indentation", "indent with spaces")
    if "\\t" in found.said:
        return found.here("a tab between words", "write a space")
    return None


def _typed_elsewhere(found: _Complaint) -> Problem | None:
    """A dash or a space that a text program made of a plain one, in this line, the one above or where it began."""
    for at in dict.fromkeys((found.began.line, found.mark.line - 1, found.mark.line)):
        line = found.lines[at] if 0 <= at < len(found.lines) else ""
        if (dash := _DASH.match(line)) is not None:
            code = f"U+{ord(dash['dash']):04X}"
            where = Problem(found.file, at + 1, dash.start("dash") + 1, "")
            return replace(where, message=f"a `{dash['dash']}` ({code}), which begins no item here", hint="write `-`")
        if (char := _ODD.search(line)) is not None and not re.search("[\"'#]", line[: char.start()]):
            message, hint = _looks_like(char[0])
            return Problem(found.file, at + 1, char.start() + 1, message, hint)
    return None


def _begins_a_word(found: _Complaint) -> Problem | None:
    started = "while (?:scanning|parsing) (?:an alias|an anchor|a tag|a block scalar|a directive)"
    if re.match(started, found.context):
        begins = found.text[found.began.index : found.began.index + 1]
        return found.there(f"a word cannot begin with `{begins}`", "quote it")
    if "cannot start any token" in found.said:
        return found.here(f"a word cannot begin with `{found.char}`", _QUOTE)
    if "sequence entries are not allowed here" in found.said:
        return found.here("a list begins in a line of its own", "or write it as [a, b]")
    if "mapping keys are not allowed here" in found.said:
        return found.here(f"a word cannot begin with `{found.char} `", "quote it")
    return None


def _never_closed(found: _Complaint) -> Problem | None:
    if "quoted scalar" in found.context and "end of stream" in found.said:
        return found.there("a quote that is never closed")
    if "flow sequence" not in found.context and "flow mapping" not in found.context:
        return None
    # A key that stands no deeper than the line in which the bracket was opened is not inside it.
    outside = found.mark.line > found.began.line and _KEY.match(found.line) is not None
    depth = len(found.line) - len(found.line.lstrip())
    opened = found.lines[found.began.line]
    if found.text[found.mark.index :].strip() == "" or (outside and depth <= len(opened) - len(opened.lstrip(" -"))):
        return found.there(f"a `{found.text[found.began.index]}` that is never closed")
    return None


def _closed_before(found: _Complaint) -> Problem | None:
    """Text behind a quote or a bracket that closed the word."""
    if "but found" not in found.said and "but got" not in found.said:
        return None
    if found.began.line != found.mark.line and found.before.strip("- ") == "":
        return None
    if found.char in ("]", "}") and "flow" not in found.context:
        return found.here(f"a `{found.char}` that closes nothing", "take it out, or quote the word")
    last = found.before[-1:]
    if last and last in "\"'" and found.char != ":":
        return found.here("text behind the quote that closes a word", "put the quotes around all of it")
    if last and last in "]}" and "flow" not in found.context:
        return found.here(f"text behind the `{last}` that closes it", "put all of it inside, or quote the word")
    return None


def _in_flow(found: _Complaint) -> Problem | None:
    if "flow sequence" not in found.context and "flow mapping" not in found.context:
        return None
    if "but got ':'" in found.said:
        return found.here(
            "a `:` where `,` or the closing bracket is expected",
            "put a comma before a new key, `{…}` around a mapping, quotes around a word with `: `",
        )
    return found.here(
        "inside `[…]` or `{…}` a comma, `[`, `{`, `]` or `}` ends a word", "write * for {id} there, or quote the word"
    )


def _no_colon(found: _Complaint) -> Problem | None:
    if "could not find expected ':'" not in found.said:
        return None
    return found.there("neither a key nor an item of a list", "a key ends with `:`, an item begins with `- `")


def _second(found: _Complaint) -> Problem | None:
    """What stands behind the one mapping that a file is."""
    if "single document" in found.context:
        return found.here("a second document", "a policy is one: take out what follows `---`")
    if "document start" in found.said:
        return found.here("what belongs to nothing above it", "a policy is keys at the margin, as in `version: 1`")
    return None


def _stray_colon(found: _Complaint) -> Problem:
    """A `:` inside a word, behind a key that begins deeper than the one above it, or below a key that has none."""
    column = _fits(found.lines, found.mark)
    if column is not None:
        line = found.line
        place = Place(found.file, found.mark.line + 1, len(line) - len(line.lstrip()) + 1)
        return place.problem(
            "the indentation does not fit", f"begin it in column {column}, where the key above it begins"
        )
    above = found.mark.line - 1
    while above >= 0 and found.lines[above].strip() == "":
        above -= 1
    glued = _GLUED.fullmatch(found.lines[above]) if above >= 0 else None
    if glued is not None and len(glued[1]) == len(found.line) - len(found.line.lstrip()):
        hint = f"write `{glued['key']}: {glued['value']}`"
        return Problem(found.file, above + 1, len(glued[1]) + 1, "a key without its `: `", hint)
    return found.here("a `:` where none may stand", "quote a word that holds `: `, or look at the indentation")


_GLUED: Final = re.compile(r"([ -]*)(?P<key>[A-Za-z][\w-]*)(?::| ?= ?)(?P<value>[^\s:=].*?)\s*")
"""A key and its value with nothing, or with `=`, between them."""
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
