"""What a test in a policy is made of, beyond words: a body as YAML or from a file, and a command line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

from sockproxy.docker import body as json_body
from sockproxy.errors import Refusal
from sockproxy.model import Json
from sockproxy.policy.document import Mapping, Node, Sequence

SUFFIX: Final = ".policy-test.yaml"
"""What the name of a file of tests ends in."""

MAX_BYTES: Final = 8 * 1024 * 1024
"""The longest body that is read from a file."""

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_LITERALS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}


class BadBody(Exception):
    """A file that is no body; the message goes on after its name."""


def json_of(node: Node) -> Json:
    """A body as YAML has it: true, false, null and whole numbers are JSON's unless quoted, everything else is text."""
    if isinstance(node, Mapping):
        return {key.text: json_of(value) for key, value in node.entries}
    if isinstance(node, Sequence):
        return [json_of(item) for item in node.items]
    if node.quoted:
        return node.text
    if node.text in _LITERALS:
        return _LITERALS[node.text]
    if node.text == "":
        return None
    return int(node.text) if _INTEGER.fullmatch(node.text) else node.text


def read_body(path: Path) -> Json:
    """The body that a file of JSON holds.

    Raises:
        BadBody: it cannot be read, or the proxy would refuse it unread: no JSON, or ambiguous.
    """
    try:
        # A pipe or a device might never end.
        if not path.is_file():
            raise BadBody("is no file" if path.exists() else "is not there")
        if path.stat().st_size > MAX_BYTES:
            raise BadBody(f"has more than {MAX_BYTES} bytes")
        return json_body.parse(path.read_bytes())
    except OSError as error:
        raise BadBody(f"cannot be read: {error.strerror}") from None
    except Refusal as error:
        raise BadBody(f"is no body: {error.message}") from None


def command_words(text: str) -> tuple[str, ...]:
    """The words of a command line, quoted as a shell would; none where a quote is never closed."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return ()
