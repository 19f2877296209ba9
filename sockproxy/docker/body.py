"""JSON, read strictly: one reading or none.

Go folds keys, takes the last of two scalars, merges two objects and ignores what comes behind the value; Python takes
UTF-16, NaN and lone surrogates. Whatever the two would read differently is refused here, so that what is judged is what
the engine will read (moby decodes with ``encoding/json``; ``decode.go`` and ``fold.go`` of Go 1.26).
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

from sockproxy.errors import Malformed, TooLarge
from sockproxy.model import Json, JsonObject

MAX_DEPTH: Final = 64
"""How many objects and lists may stand in each other. Docker's deepest body has nine."""
MAX_NODES: Final = 100_000
"""How many values a body may have."""

_INT64_MIN: Final = -(2**63)
_UINT64_MAX: Final = 2**64 - 1
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# The closing quote is optional: a text that never ends is then one token, not a fresh try at each quote within it,
# which took 22 s for 80 KB of `\"`.
_TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]|,', re.DOTALL)

# Go folds ASCII letters, and two characters beyond ASCII fold to one of them: a long s and the Kelvin sign.
_FOLDS: Final = str.maketrans({"\u017f": "s", "\u212a": "k"})


def fold(key: str) -> str:
    """A key as Go compares the keys of a struct, where no field has the exact spelling."""
    if key.isascii():
        return key.lower()
    return "".join(char.lower() if char.isascii() else char for char in key.translate(_FOLDS))


def parse(data: bytes, *, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES) -> Json:
    """The one value that the bytes are.

    Raises:
        Malformed: not strict JSON in UTF-8, a key twice in one object, a number that Go would not take.
        TooLarge: deeper than ``max_depth``, or more than ``max_nodes`` values.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"the JSON is not UTF-8 (byte {error.start})") from None
    _measure(text, max_depth, max_nodes)
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error.msg.lower()} (line {error.lineno}, column {error.colno})") from None
    except (RecursionError, ValueError) as error:
        raise Malformed(f"not JSON: {error}") from None
    if "\\u" in text:  # nothing else makes one, the text having been UTF-8
        _refuse_surrogates(value)
    return value


def _measure(text: str, max_depth: int, max_nodes: int) -> None:
    """Bound the depth and the number of values before anything is built."""
    openings = text.count("[") + text.count("{")
    if openings <= max_depth and openings + text.count(",") <= max_nodes:
        return  # whatever of them stands inside strings: there are too few
    depth = nodes = 0
    for match in _TOKENS.finditer(text):
        token = match[0]
        if token in "[{":
            depth += 1
            nodes += 1
            if depth > max_depth:
                raise TooLarge(f"the JSON is more than {max_depth} levels deep")
        elif token in "]}":
            depth -= 1
        elif token == ",":
            nodes += 1
        if nodes > max_nodes:
            raise TooLarge(f"the JSON has more than {max_nodes} values")


def _object(pairs: list[tuple[str, Json]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Malformed(f"the key `{key}` comes twice in one object")
            seen.add(key)
    return result


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise Malformed(f"the number {digits[:20]}… is out of range")
    value = int(digits)
    if not _INT64_MIN <= value <= _UINT64_MAX:
        raise Malformed(f"the number {digits} is out of range")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise Malformed(f"the number {digits[:20]} is out of range")
    return value


def _constant(name: str) -> NoReturn:
    raise Malformed(f"not JSON: {name}")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant, strict=True
)


def _refuse_surrogates(value: Json) -> None:
    """Half a surrogate pair is U+FFFD to Go, and something else to everybody else."""
    stack: list[Json] = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, str):
            if _SURROGATE.search(each):
                raise Malformed("the JSON holds half a surrogate pair")
        elif isinstance(each, list):
            stack.extend(each)
        elif isinstance(each, dict):
            stack.extend(each)
            stack.extend(each.values())


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def serialise(value: Json) -> bytes:
    """The bytes of a judged value: compact, UTF-8."""
    return _ENCODER.encode(value).encode("utf-8")
