"""A body as bytes, in any of the ways that Go's ``encoding/json`` reads as the same, and in some that it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from sockproxy.docker.fields.schema import Bool, Int, List, Map, Schema, Str, Struct


@dataclass(frozen=True)
class Manner:
    """How oddly a body is written: the chance of each oddity, at each place where it can be."""

    name: str
    key: float = 0.0
    """A key in another case, or with letters that fold to the right ones."""
    escape: float = 0.0
    r"""``\u0061`` for ``a``, in keys and in values."""
    shuffle: bool = False
    space: float = 0.0
    null: float = 0.0
    """Of an object: one more known field, as null."""
    unknown: float = 0.0
    """Of an object: one more field that nobody knows."""
    twice: float = 0.0
    """Of an object: one of its fields comes again, spelled so or so."""
    wrong: float = 0.0
    """Of a value: a literal of the wrong type in its place."""
    broken: bool = False
    """The bytes are no strict JSON any more."""


PLAIN = Manner("plain")
MANNERS: tuple[tuple[int, Manner], ...] = (
    (34, PLAIN),
    (12, Manner("shuffled", shuffle=True, space=0.1, escape=0.05)),
    (22, Manner("spelled", key=0.5, escape=0.2, shuffle=True)),
    (12, Manner("padded", null=0.7, unknown=0.3, shuffle=True, key=0.1)),
    (6, Manner("twice", twice=0.4, shuffle=True, key=0.2)),
    (4, Manner("wrong", wrong=0.15)),
    (3, Manner("broken", broken=True)),
)


def manner(rng: Random) -> Manner:
    return rng.choices([each for _, each in MANNERS], [weight for weight, _ in MANNERS])[0]


def spell(value: Any, schema: Schema, rng: Random, how: Manner) -> bytes:
    """The bytes of a body of that shape."""
    data = _Speller(rng, how).value(value, schema).encode()
    return _BREAKS[rng.randrange(len(_BREAKS))](data) if how.broken else data


class _Speller:
    def __init__(self, rng: Random, how: Manner) -> None:
        self._rng = rng
        self._how = how

    def value(self, value: Any, schema: Schema | None) -> str:
        if schema is not None and self._may(self._how.wrong) and (literals := _wrong(schema)):
            return self._rng.choice(literals)
        match value:
            case dict():
                return self._struct(value, schema) if isinstance(schema, Struct) else self._map(value, schema)
            case list():
                item = schema._item if isinstance(schema, List) else None
                return "[" + ("," + self._space()).join(self.value(each, item) for each in value) + "]"
            case str():
                return self._text(value)
            case 0 if value is not False and self._may(self._how.space):
                return "-0"
        return json.dumps(value)

    def _map(self, value: dict[str, Any], schema: Schema | None) -> str:
        inner = schema._value if isinstance(schema, Map) else None
        return self._object([(self._text(key), self.value(each, inner)) for key, each in self._order(value)])

    def _struct(self, value: dict[str, Any], schema: Struct) -> str:
        pairs = [(self._key(key), self.value(each, schema.fields.get(key))) for key, each in self._order(value)]
        if schema.fields and self._may(self._how.null):
            key = self._rng.choice(list(schema.fields))
            if key not in value:
                pairs.insert(self._rng.randint(0, len(pairs)), (self._key(key), "null"))
        if self._may(self._how.unknown):
            pairs.insert(self._rng.randint(0, len(pairs)), (self._text(self._rng.choice(_UNKNOWN)), self._unknown()))
        if value and self._may(self._how.twice):
            key = self._rng.choice(list(value))
            again = self._rng.choice([None, value[key], [], {}, "", 0, False])
            pairs.insert(self._rng.randint(0, len(pairs)), (self._key(key), json.dumps(again)))
        return self._object(pairs)

    def _object(self, pairs: list[tuple[str, str]]) -> str:
        return "{" + self._space() + ("," + self._space()).join(f"{key}:{each}" for key, each in pairs) + "}"

    def _order(self, value: dict[str, Any]) -> list[tuple[str, Any]]:
        pairs = list(value.items())
        if self._how.shuffle:
            self._rng.shuffle(pairs)
        return pairs

    def _key(self, key: str) -> str:
        if self._may(self._how.key):
            key = self._rng.choice(_KEYS)(key, self._rng)
        return self._text(key)

    def _text(self, text: str) -> str:
        plain = json.dumps(text, ensure_ascii=False)
        if not self._may(self._how.escape):
            return plain
        every = self._rng.random() < 0.3
        return '"' + "".join(self._escaped(char, every=every) for char in text) + '"'

    def _escaped(self, char: str, *, every: bool) -> str:
        if not every and self._rng.random() < 0.7:
            return json.dumps(char, ensure_ascii=False)[1:-1]
        if char == "/" and self._rng.random() < 0.5:
            return "\\/"
        return "".join(f"\\u{unit:04x}" for unit in _units(char))

    def _unknown(self) -> str:
        return self._rng.choice(["null", "0", '""', "[]", "{}", "false", "null", '"x"', "1", '{"a":1}'])

    def _space(self) -> str:
        return self._rng.choice([" ", "\n", "\t", "\r\n  "]) if self._may(self._how.space) else ""

    def _may(self, chance: float) -> bool:
        return chance > 0 and self._rng.random() < chance


def _units(char: str) -> list[int]:
    data = char.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def _some_case(key: str, rng: Random) -> str:
    return "".join(rng.choice((char.lower(), char.upper())) for char in key)


_FOLDS = {"s": "ſ", "S": "ſ", "k": "\u212a", "K": "\u212a"}
_KEYS: tuple[Callable[[str, Random], str], ...] = (
    lambda key, _: key.lower(),
    lambda key, _: key.upper(),
    lambda key, _: key[:1].lower() + key[1:],
    _some_case,
    lambda key, rng: "".join(_FOLDS.get(char, char) if rng.random() < 0.7 else char for char in key),
)
_UNKNOWN = ("LxcConf", "X", "Nothing", "PrivilegedMode", "host_config", "Privileged ", "Хост", "Bindſ_")


def _wrong(schema: Schema) -> list[str]:
    """Literals that Go takes for no value of that type."""
    match schema:
        case Str():
            return ["1", "true", "[]", "{}", '["x"]']
        case Bool():
            return ["1", "0", '"true"', '""', "[]"]
        case Int():
            return ["1.0", "1e3", "9223372036854775808000", '"1"', "true", '""', "1.5"]
        case List():
            return ['"x"', "{}", "1", "true"]
        case Map() | Struct():
            return ['"x"', "[]", "1", "false"]
    return []


def _spoil_text(data: bytes, by: bytes) -> bytes:
    """Put something into the first text that is a value."""
    at = data.find(b':"')
    return data if at < 0 else data[: at + 2] + by + data[at + 2 :]


_BREAKS: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: data + b"}",
    lambda data: data + b']{"HostConfig":{"Privileged":true}}',
    lambda data: data + b'{"HostConfig":{"Privileged":true}}',
    lambda data: data + b"  \n\t",
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: data[:-1] + b",}",
    lambda data: data[:-1] + b',"X":NaN}',
    lambda data: data[:-1] + b',"X":1e400}',
    lambda data: data[:-1] + b',"X":' + b"9" * 40 + b"}",
    lambda data: data[:-1] + b',"X":"\\ud800"}',
    lambda data: data[:-1] + b',"Domainname":"\\udc00x"}',
    lambda data: data[:-1] + b',"X":"\xff"}',
    lambda data: data[:-1] + b',"Priv\xffileged":true}',
    lambda data: _spoil_text(data, b"\\u0000"),
    lambda data: _spoil_text(data, b"\xc3\x28"),
    lambda data: b"/* */" + data,
    lambda data: data.replace(b'"', b"'"),
    lambda data: data.decode().encode("utf-16"),
    lambda data: b"[" + data + b"]",
    lambda data: b"null",
    lambda data: b"",
    lambda data: data[:-1] + b',"X":' + b"[" * 70 + b"]" * 70 + b"}",
)
