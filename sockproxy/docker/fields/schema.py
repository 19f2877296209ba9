"""How a body is read: as Go's ``encoding/json`` reads it into a struct, and no more loosely.

Law: what comes out has the table's spelling of every key, values of the table's types, no null, and nothing that the
table does not know, but for what a policy may grant by name. So every inspector reads one spelling and one shape.

* A key matches exactly, or under Unicode simple folding (``hostconfig``, ``HostConfig`` with a long s). Two keys of a
  struct that fold alike are refused: Go merges objects and lets the last scalar win (go ``encoding/json/decode.go``).
  The keys of a map stay as they are.
* ``null`` is *absent*: for pointers, maps and slices it is nil, for scalars Go leaves the zero value.
* A wrong type is a 400, as in Go: no text for a number, no ``1`` for true, no ``1.0`` for a whole number.
* A key that the table does not know is dropped where its value is zero, since clients send whole structs, and is an ask
  of kind ``field`` where it is not: refused until somebody looked at it, and forwarded as sent once it is granted.
"""

# ruff: noqa: D102, ARG002 - what the three methods do is said once, at Schema

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from sockproxy.docker.body import fold
from sockproxy.errors import Malformed
from sockproxy.model import Ask, Json, JsonObject

_INT64: Final = (-(2**63), 2**63 - 1)


class _Dropped:
    """Marks a value that is not forwarded."""


_DROPPED: Final = _Dropped()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: ``where`` with indexes and map keys for people, ``name`` without them for patterns."""

    where: str
    name: str

    def field(self, key: str) -> Place:
        """The place of a struct's field."""
        if not self.where:
            return Place(key, key)
        return Place(f"{self.where}.{key}", f"{self.name}.{key}" if self.name else key)

    def item(self, key: object) -> Place:
        """The place of a list's item or a map's value."""
        return Place(f"{self.where}[{key}]", self.name)


class Schema(Protocol):
    """The shape of one value."""

    @property
    def plain(self) -> type | None:
        """A type whose every value is right, None where there is more to it."""

    def holds(self, value: Json) -> bool:
        """The quick answer for the common case: True where the value is right just as it is."""

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> Json | _Dropped:
        """The value in its normal form. Asks for unknown fields are added to ``unknown``.

        Raises:
            Malformed: the value has a type that Go would not take.
        """

    def zero(self, place: Place) -> Json:
        """What a null inside a list or a map stands for.

        Raises:
            Malformed: it would be a nil pointer, which no client sends.
        """


def _wrong(place: Place, wanted: str, value: Json) -> Malformed:
    return Malformed(f"{place.where or 'the body'} must be {wanted}, not {_TYPE_NAMES[type(value)]}")


_TYPE_NAMES: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a fraction",
    str: "text",
    list: "a list",
    dict: "an object",
}


class Str:
    """Text."""

    plain: Final = str

    def holds(self, value: Json) -> bool:
        return type(value) is str

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> Json:
        if type(value) is not str:
            raise _wrong(place, "text", value)
        return value

    def zero(self, place: Place) -> Json:
        return ""


class Bool:
    """True or false."""

    plain: Final = bool

    def holds(self, value: Json) -> bool:
        return type(value) is bool

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> Json:
        if type(value) is not bool:
            raise _wrong(place, "true or false", value)
        return value

    def zero(self, place: Place) -> Json:
        return False


class Int:
    """A whole number within Go's type: ``int64`` unless said otherwise."""

    plain: Final = None

    def __init__(self, low: int = _INT64[0], high: int = _INT64[1]) -> None:
        self._low = low
        self._high = high

    def holds(self, value: Json) -> bool:
        # `type() is`, as True is an int to isinstance.
        return type(value) is int and self._low <= value <= self._high

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> Json:
        if type(value) is not int:
            raise _wrong(place, "a whole number", value)
        if not self._low <= value <= self._high:
            raise Malformed(f"{place.where} is out of range")
        return value

    def zero(self, place: Place) -> Json:
        return 0


UINT16: Final = Int(0, 2**16 - 1)
UINT32: Final = Int(0, 2**32 - 1)
UINT64: Final = Int(0, 2**64 - 1)


class Number:
    """A number that may have a fraction: Go's ``float32``."""

    plain: Final = None

    def holds(self, value: Json) -> bool:
        return type(value) in (int, float)

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> Json:
        if type(value) not in (int, float):
            raise _wrong(place, "a number", value)
        return value

    def zero(self, place: Place) -> Json:
        return 0


class List:
    """A list of one kind of item."""

    plain: Final = None

    def __init__(self, item: Schema) -> None:
        self._item = item

    def holds(self, value: Json) -> bool:
        return type(value) is list and (not value or all(map(self._item.holds, value)))

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> Json:
        if type(value) is not list:
            raise _wrong(place, "a list", value)
        item = self._item
        items: list[Json] = []
        for index, each in enumerate(value):
            here = place.item(index)
            read = item.zero(here) if each is None else item.read(each, here, unknown)
            assert not isinstance(read, _Dropped)
            items.append(read)
        return items

    def zero(self, place: Place) -> Json:
        return []


class Words:
    """A command: a list of text, or one text, which engines up to 28 read as a list of one (moby, ``strslice``)."""

    plain: Final = None

    def holds(self, value: Json) -> bool:
        return _TEXTS.holds(value)

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> Json:
        if type(value) is str:
            return [value]
        return _TEXTS.read(value, place, unknown)

    def zero(self, place: Place) -> Json:
        return []


class Map:
    """An object whose keys are data: labels, options, ports."""

    plain: Final = None

    def __init__(self, value: Schema) -> None:
        self._value = value

    def holds(self, value: Json) -> bool:
        return type(value) is dict and (not value or all(map(self._value.holds, value.values())))

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> Json:
        if type(value) is not dict:
            raise _wrong(place, "an object", value)
        schema = self._value
        result: JsonObject = {}
        for key, each in value.items():
            here = place.item(key)
            read = schema.zero(here) if each is None else schema.read(each, here, unknown)
            assert not isinstance(read, _Dropped)
            result[key] = read
        return result

    def zero(self, place: Place) -> Json:
        return {}


class Struct:
    """An object whose keys are the fields of a Go struct."""

    plain: Final = None

    def __init__(self, fields: Mapping[str, Schema]) -> None:
        self.fields: Final = dict(fields)
        self._folded: Final = {fold(name): name for name in fields}
        # Most of a real body is scalars: their types are compared here, which is quicker than to ask each schema.
        self._ignored: Final = frozenset(name for name, schema in fields.items() if type(schema) is Ignored)
        self._plain: Final[dict[str, type]] = {name: schema.plain for name, schema in fields.items() if schema.plain}
        assert len(self._folded) == len(self.fields), "two fields fold alike"

    def holds(self, value: Json) -> bool:
        return type(value) is dict and not value

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> Json:
        if type(value) is not dict:
            raise _wrong(place, "an object", value)
        fields, plain = self.fields, self._plain
        result: JsonObject = {}
        odd: list[str] = []
        for key, each in value.items():
            if plain.get(key) is type(each):
                result[key] = each
                continue
            schema = fields.get(key)
            if schema is None:
                odd.append(key)
            elif each is None or key in self._ignored:
                continue
            elif schema.holds(each):
                result[key] = each
            else:
                _keep(result, key, schema.read(each, place.field(key), unknown))
        if odd:
            self._read_odd(odd, value, result, place, unknown)
        return result

    def _read_odd(
        self, odd: list[str], value: JsonObject, result: JsonObject, place: Place, unknown: list[Ask]
    ) -> None:
        """Keys that are not in the table as they are spelled: other spellings of its own, and unknown ones."""
        seen = {fold(key): key for key in value if key in self.fields}
        for key in odd:
            folded = fold(key)
            if folded in seen:
                raise Malformed(
                    f"{place.field(key).where} comes twice: `{seen[folded]}` and `{key}` are one key to Docker"
                )
            seen[folded] = key
            name = self._folded.get(folded)
            each = value[key]
            if name is None:
                if not is_zero(each):
                    result[key] = each
                    here = place.field(key)
                    unknown.append(Ask("field", here.name, here.where))
            elif each is not None:
                _keep(result, name, self.fields[name].read(each, place.field(name), unknown))

    def zero(self, place: Place) -> Json:
        return {}


class Pointer(Struct):
    """A struct that Go holds by pointer inside a list: a null there is a nil that engines trip over."""

    def zero(self, place: Place) -> Json:
        raise Malformed(f"{place.where} must be an object, not null")


class Ignored:
    """A field that no engine of the table reads, or that it overwrites: dropped, whatever it holds."""

    plain: Final = None

    def holds(self, value: Json) -> bool:
        return False

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> _Dropped:
        return _DROPPED

    def zero(self, place: Place) -> Json:
        return None


class Misplaced(Ignored):
    """A field that some engines honour where it must not stand: a value in it cannot be granted, a zero is dropped."""

    def read(self, value: Json, place: Place, unknown: list[Ask]) -> _Dropped:
        if not is_zero(value):
            unknown.append(Ask("field", place.name, place.where, grantable=False))
        return _DROPPED


_TEXTS: Final = List(Str())


def is_zero(value: Json) -> bool:
    """Whether Go would leave a field at its zero value for this: null, false, 0, empty text, list or object."""
    return value is None or value == 0 or value in ("", [], {})


def _keep(result: JsonObject, key: str, value: Json | _Dropped) -> None:
    if not isinstance(value, _Dropped):
        result[key] = value


@dataclass(frozen=True, slots=True)
class Normal:
    """A body in its normal form."""

    value: JsonObject
    unknown: tuple[Ask, ...]
    """An ask of kind ``field`` for every non-zero field that the table does not know."""


def normalise_list(value: Json, schema: List) -> tuple[list[Json], tuple[Ask, ...]]:
    """Read a body that is a list, and the asks for what the table does not know in it. ``null`` is the empty list.

    Raises:
        Malformed: a wrong type, or two spellings of one key.
    """
    unknown: list[Ask] = []
    if value is None:
        return [], ()
    read = schema.read(value, Place("", ""), unknown)
    assert isinstance(read, list)
    return read, tuple(unknown)


def normalise(value: Json, schema: Struct, where: str = "") -> Normal:
    """Read a body by the table. ``null`` and no body at all are the empty object, as they are to the engine.

    Raises:
        Malformed: a wrong type, or two spellings of one key.
    """
    unknown: list[Ask] = []
    if value is None:
        return Normal({}, ())
    read = schema.read(value, Place(where, re.sub(r"\[[^\]]*\]", "", where)), unknown)
    assert isinstance(read, dict)
    return Normal(read, tuple(unknown))
