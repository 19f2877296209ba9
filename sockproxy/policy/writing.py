"""Words and lists of a policy as YAML, so that what is printed can be pasted and is read as it was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from sockproxy.docker.operations import Operation

_PLAIN: Final = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_.*=+@:-]*(?: [A-Za-z0-9/_.*=+@-]+)*")


_YAML_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off"})
"""What other readers of YAML than ours take for no text."""


def word(text: str) -> str:
    """A word as it may stand inside `[…]`: quoted where YAML, or a reader, could take it for something else."""
    plain = _PLAIN.fullmatch(text) and ": " not in text and not text.endswith(":")
    if plain and text.lower() not in _YAML_WORDS:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """A word in quotation marks, whatever it is."""
    escaped = "".join(_escape(char) for char in text)
    return f'"{escaped}"'


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def listing(words: Iterable[str]) -> str:
    """Words as one value: the word alone, or ``[…]``; none twice."""
    texts = [word(each) for each in dict.fromkeys(words)]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def selectors(operations: Iterable[Operation]) -> dict[str, tuple[Operation, ...]]:
    """What takes in these rows, and each with the rows that it takes in.

    Rows of one thing that differ in their last word alone are one: ``POST /containers/{id}/start|stop``. `GET` takes in
    `HEAD`.
    """
    rows = list(operations)
    read = {row.template for row in rows if row.method == "GET"}
    groups: dict[tuple[str, str], list[Operation]] = {}
    for row in rows:
        method = "GET" if row.method == "HEAD" and row.template in read else row.method
        above, _, last = row.template.rpartition("/")
        groups.setdefault((method, f"{above}/" if "{" in above and "{" not in last else row.template), []).append(row)
    found: dict[str, tuple[Operation, ...]] = {}
    for (method, path), members in groups.items():
        words = dict.fromkeys(row.template.rpartition("/")[2] for row in members)
        found[f"{method} {path}{'|'.join(words) if path.endswith('/') else ''}"] = tuple(members)
    return found


def flow(mapping: Mapping[str, str]) -> str:
    """Keys with values that are YAML already, as ``{…}``."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in mapping.items()) + "}"
