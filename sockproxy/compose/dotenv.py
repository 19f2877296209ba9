"""Files of variables: `.env` beside a compose file, and a service's `label_file`.

[export] NAME=value     # or NAME: value; a comment begins behind a space
NAME="a $VARIABLE\\n"   double quotes: variables and escapes        NAME='as it is'
NAME                    taken from the environment, nothing where it is not there
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sockproxy.compose.interpolation import TemplateError, substitute
from sockproxy.errors import Problem

_NAME: Final = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.\[\]/-]*)[ \t]*(?:([=:])[ \t]*)?")
_BLANK: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|$)")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "$": "$$"}


def parse(text: str, file: str, environment: Mapping[str, str], problems: list[Problem]) -> dict[str, str]:
    """The variables that a file sets. Its values may name those of ``environment``, which win, and those before."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if (blank := _BLANK.match(text, at)) is not None:
            at = blank.end()
            continue
        line = text.count("\n", 0, at) + 1
        named = _NAME.match(text, at)
        rest = _BLANK.match(text, named.end()) if named is not None else None
        if named is None or (named[2] is None and rest is None):
            shown = text[at:].splitlines()[0]
            problems.append(Problem(file, line, 1, f"`{shown}` sets no variable", "write NAME=value"))
            return found
        if named[2] is None:
            assert rest is not None
            at = rest.end()
            if named[1] in environment:
                found[named[1]] = environment[named[1]]
            continue
        try:
            raw, at = _value(text, named.end())
            found[named[1]] = substitute(raw, {**found, **environment})[0]
        except TemplateError as error:
            problems.append(Problem(file, line, 1, str(error)))
            return found
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    """The template that a value is, and where the next line begins.

    Raises:
        TemplateError: a quotation mark that is never closed, or something behind one that is.
    """
    quote = text[at : at + 1]
    if quote not in ("'", '"'):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        return re.split(r"[ \t]#", text[at:end], maxsplit=1)[0].rstrip(), end + 1
    end = at + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise TemplateError(f"a {quote} that is never closed")
    inner = text[at + 1 : end]
    rest = _BLANK.match(text, end + 1)
    if rest is None:
        raise TemplateError(f"something stands behind the closing {quote}")
    after = rest.end()
    if quote == "'":
        return inner.replace("$", "$$"), after
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), inner), after
