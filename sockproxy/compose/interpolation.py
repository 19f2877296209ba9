"""Variables in a compose file: `$A`, `${A}`, `${A:-default}`, `${A:?complaint}`, `${A:+instead}`; `$$` is a dollar.

    ${A:-b}   b where A is unset or empty        ${A-b}   b where A is unset
    ${A:?b}   a mistake where unset or empty     ${A?b}   a mistake where unset
    ${A:+b}   b where A is set and not empty     ${A+b}   b where A is set

The words behind the sign may hold variables themselves. A dollar that begins no name stays one. Values are
interpolated, keys are not. A variable that is unset is blank: that can change a verdict, so it is noted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from typing import Final

from sockproxy.compose.document import Mapping, Node, Scalar, Sequence
from sockproxy.compose.notes import Notes

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGN: Final = re.compile(r":?[-?+]")


class TemplateError(Exception):
    """What is wrong with a template, in the words of a problem."""


def interpolate(node: Mapping, environment: Map[str, str], notes: Notes) -> Mapping:
    """The node with every variable in its values replaced; what was wrong goes into ``notes``."""
    done = _Interpolation(environment, notes).node(node)
    assert isinstance(done, Mapping)
    return done


class _Interpolation:
    def __init__(self, environment: Map[str, str], notes: Notes) -> None:
        self._environment = environment
        self._notes = notes
        self._done: dict[int, Node] = {}

    def node(self, node: Node) -> Node:
        # Once for each node, however many aliases name it.
        if (done := self._done.get(id(node))) is None:
            done = self._done[id(node)] = self._fresh(node)
        return done

    def _fresh(self, node: Node) -> Node:
        match node:
            case Scalar(text=text) if "$" not in text:
                return node
            case Scalar(place=place, text=text, tag=tag):
                # What a variable holds is text, whatever it looks like: the key that it stands for says its type.
                return Scalar(place, self._replaced(node, text), plain=False, tag=tag)
            case Sequence(place=place, items=items, tag=tag):
                return Sequence(place, tuple(map(self.node, items)), tag)
            case Mapping(place=place, entries=entries, tag=tag):
                return Mapping(place, tuple((key, self.node(value)) for key, value in entries), tag)

    def _replaced(self, node: Scalar, text: str) -> str:
        try:
            value, unset = substitute(text, self._environment)
        except TemplateError as error:
            self._notes.wrong(node, str(error))
            return ""
        for name in unset:
            self._notes.say(node, f"the variable `{name}` is not set: blank is taken for it")
        return value


def substitute(text: str, environment: Map[str, str]) -> tuple[str, tuple[str, ...]]:
    """A template with its variables replaced, and the names of those that are not set and have no default.

    Raises:
        TemplateError: it is no template, or a variable that it requires is missing.
    """
    out: list[str] = []
    unset: dict[str, None] = {}
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        out.append(text[at:dollar])
        at = dollar + 1
        if text.startswith("$", at):
            out.append("$")
            at += 1
        elif text.startswith("{", at):
            end = _closing(text, at)
            value, missing = _braced(text[at + 1 : end], text, environment)
            out.append(value)
            unset |= dict.fromkeys(missing)
            at = end + 1
        elif (named := _NAME.match(text, at)) is not None:
            if named[0] not in environment:
                unset[named[0]] = None
            out.append(environment.get(named[0], ""))
            at = named.end()
        else:
            out.append("$")
    return "".join([*out, text[at:]]), tuple(unset)


def _closing(text: str, opened: int) -> int:
    """Where the brace that opens here is closed; braces count only behind a dollar."""
    depth, at = 1, opened + 1
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
            at += 2
            continue
        if text[at] == "}":
            depth -= 1
            if not depth:
                return at
        at += 1
    raise TemplateError(f"`{text}`: a `${{` that is never closed")


def _braced(inner: str, whole: str, environment: Map[str, str]) -> tuple[str, tuple[str, ...]]:
    named = _NAME.match(inner)
    rest = inner[named.end() :] if named is not None else inner
    sign = _SIGN.match(rest)
    if named is None or (rest and sign is None):
        raise TemplateError(f"`{whole}`: `${{{inner}}}` is no variable; write `$$` for a dollar")
    name = named[0]
    value = environment.get(name)
    if sign is None:
        return (value, ()) if value is not None else ("", (name,))
    words = rest[sign.end() :]
    there = bool(value) if sign[0].startswith(":") else value is not None
    match sign[0][-1]:
        case "-":
            return (value or "", ()) if there else substitute(words, environment)
        case "+":
            return substitute(words, environment) if there else ("", ())
        case _:
            if there:
                return value or "", ()
            complaint = substitute(words, environment)[0]
            raise TemplateError(
                f"the variable `{name}` is required and not set" + (f": {complaint}" if complaint else "")
            )
