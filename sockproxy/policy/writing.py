"""Words and lists of a policy as YAML, so that what is printed can be pasted and is read as it was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

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


def flow(mapping: Mapping[str, str]) -> str:
    """Keys with values that are YAML already, as ``{…}``."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in mapping.items()) + "}"
