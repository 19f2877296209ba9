"""cetusguard: a file of rules, a line each.

    ! a comment
    GET,HEAD %API_PREFIX_CONTAINERS%/%CONTAINER_ID_OR_NAME%/json

Methods, then an expression for the whole of a path, in which words between `%` stand for expressions. Beside the
file it has rules of its own: /_ping, /version and /info may be read.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from sockproxy.classic.expressions import Line, read, withheld
from sockproxy.classic.migration import Migration
from sockproxy.classic.stricter import stricter
from sockproxy.classic.variables import SECTIONS
from sockproxy.errors import PolicyError, Problem
from sockproxy.printable import printable

_PREFIX: Final = r"(?:/v[0-9]+(?:\.[0-9]+)*)?"
_NAME: Final = r"(?:[a-zA-Z0-9][a-zA-Z0-9_.-]*)"
_ID: Final = r"(?:[a-fA-F0-9]+)"
_REPOSITORY: Final = r"(?:[a-zA-Z0-9][a-zA-Z0-9_.:@/-]*)"
_WORDS: Final = {
    "API_PREFIX": _PREFIX,
    **{f"API_PREFIX_{name}": f"{_PREFIX}/{section}" for name, section in SECTIONS.items()},
    **{f"{noun}_ID": _ID for noun in ("CONTAINER", "IMAGE", "NETWORK", "PLUGIN", "VOLUME")},
    **{f"{noun}_NAME": _NAME for noun in ("CONTAINER", "VOLUME")},
    **{f"{noun}_ID_OR_NAME": _NAME for noun in ("CONTAINER", "VOLUME")},
    "NETWORK_NAME": "(?:[^/]+)",
    "NETWORK_ID_OR_NAME": "(?:[^/]+)",
    **{f"{noun}_NAME": _REPOSITORY for noun in ("IMAGE", "PLUGIN")},
    **{f"{noun}_ID_OR_NAME": _REPOSITORY for noun in ("IMAGE", "PLUGIN")},
}
"""Words that may stand between `%`, and what they mean as far as rows of the table go."""

_OWN: Final = (
    Line("builtin", "its own rule for /_ping", ("GET", "HEAD"), f"{_PREFIX}/_ping"),
    Line("builtin-version", "its own rule for /version", ("GET",), f"{_PREFIX}/version"),
    Line("builtin-info", "its own rule for /info", ("GET",), f"{_PREFIX}/info"),
)
_RULE: Final = re.compile(r"([A-Z]+(?:,[A-Z]+)*)[\t ]+(.+)")


def migrate(text: str, file: str) -> Migration:
    """The policy that a file of rules comes to.

    Raises:
        PolicyError: a line is no rule; all of them are in the error.
        ConfigurationError: an expression cannot be read.
    """
    problems: list[Problem] = []
    lines = [*_OWN, *_lines(text, file, problems)]
    if problems:
        raise PolicyError(tuple(problems))
    found = read(lines)
    return Migration(
        made_of=f"{printable(file)} ({len(lines) - len(_OWN)} rules)",
        read_as="cetusguard, with its own rules",
        rules=tuple(found.rules),
        withheld=withheld(found.reached),
        stricter=stricter(found.reached, found.given),
        lost=tuple(found.lost),
    )


def _lines(text: str, file: str, problems: list[Problem]) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip("\t ")
        if not bare or bare.startswith("!"):
            continue
        match = _RULE.fullmatch(bare)
        if match is None:
            problems.append(Problem(file, number, 1, f"`{printable(bare)}` is no rule", "write `GET,HEAD /path`"))
            continue
        expression = _spelled_out(match[2], file, number, problems)
        yield Line(f"line-{number}", f"{file}:{number}: {bare}", tuple(match[1].split(",")), expression)


def _spelled_out(expression: str, file: str, number: int, problems: list[Problem]) -> str:
    """The expression with what its words stand for."""

    def meaning(match: re.Match[str]) -> str:
        word = match[1]
        if word not in _WORDS:
            close = difflib.get_close_matches(word, _WORDS, n=1)
            hint = f"did you mean %{close[0]}%?" if close else ""
            problems.append(Problem(file, number, 1, f"`%{word}%` stands for nothing that is known here", hint))
        return _WORDS.get(word, "")

    return re.sub(r"%([A-Z0-9_]+)%", meaning, expression)
