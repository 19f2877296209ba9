"""JSON, from bytes to the one value that they are.

What must hold:

* Only `Malformed` and `TooLarge` are raised.
* An independent reader of strict JSON (``strict.py``) takes exactly what is taken, and reads the same value: no key is
  lost, no number rounded, no half of a surrogate pair let through; the limits of depth and number hold.
* What is written of a value is read as that value again, by `parse` and by Python's own reader.
* A body read by a table of fields has the table's spellings and no null, has lost nothing that is not asked for, and is
  its own normal form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from sockproxy.docker import body as json_body
from sockproxy.docker.fields import normalise, normalise_list
from sockproxy.docker.fields.schema import Ignored, List, Map, Misplaced, Schema, Struct, Words
from sockproxy.errors import Malformed, TooLarge
from sockproxy.model import Ask
from tests.fuzz import shapes, strict

LONGEST = 4096
MODULES = ("sockproxy/docker/body.py", "sockproxy/docker/fields/schema.py")

_FEW = (8, 40)
"""Limits that an input of some hundred bytes can meet."""


def one(data: bytes) -> None:
    _check_reading(data, json_body.MAX_DEPTH, json_body.MAX_NODES)
    value = _check_reading(data, *_FEW)
    keys = {json_body.fold(key) for key in value} if isinstance(value, dict) else set()
    for table, known in _TABLES.items():
        if keys & known if isinstance(value, dict) else isinstance(value, list) and not known:
            _check_table(value, table)


_TABLES = {
    table: frozenset(map(json_body.fold, table.fields)) if isinstance(table, Struct) else frozenset()
    for table in shapes.tables().values()
}
"""Each table, and the keys that a body is read by it for; none where it is a list."""


def _check_reading(data: bytes, depth: int, nodes: int) -> Any:
    expected, wrong = _strictly(data, depth, nodes)
    try:
        value = json_body.parse(data, max_depth=depth, max_nodes=nodes)
    except TooLarge:
        # Of what is wrong as well, either may be said.
        assert wrong is not None
        return None
    except Malformed as error:
        assert isinstance(wrong, strict.Wrong | strict.Large), f"strict JSON was refused: {error.message}"
        return None
    assert wrong is None, f"taken, although {wrong}"
    assert strict.same(value, expected)
    written = json_body.serialise(value)
    assert strict.same(json_body.parse(written), value)
    assert strict.same(json.loads(written), value)
    return value


def _strictly(data: bytes, depth: int, nodes: int) -> tuple[Any, Exception | None]:
    try:
        return strict.read(data, depth, nodes), None
    except (strict.Wrong, strict.Large) as error:
        return None, error


def _check_table(value: Any, table: Struct | List) -> None:
    try:
        normal, asked = _normal(value, table)
    except Malformed:
        return
    _check_taken(value, table, normal, {ask.where for ask in asked}, "")
    unknown = [ask for ask in asked if ask.grantable]
    _check_normal(normal, table, {ask.value for ask in unknown}, "")
    again, asked_again = _normal(normal, table)
    assert strict.same(again, normal, ordered=False)  # what is unknown comes last
    assert sorted(map(str, asked_again)) == sorted(map(str, unknown))


def _normal(value: Any, table: Struct | List) -> tuple[Any, tuple[Ask, ...]]:
    if isinstance(table, List):
        return normalise_list(value, table)
    normal = normalise(value, table)
    return normal.value, normal.unknown


def _check_taken(value: Any, schema: Schema, normal: Any, asked: set[str], where: str) -> None:
    """Nothing that came is lost: it is in the normal form, or was asked for, or is nothing to Go."""
    if isinstance(schema, Struct):
        fields = {json_body.fold(name): name for name in schema.fields}
        for key, each in value.items():
            name = fields.get(json_body.fold(key))
            here = f"{where}.{name or key}" if where else name or key
            if name is None or isinstance(schema.fields[name], Misplaced):
                assert here in asked or each in (None, False, 0, "", [], {}), here
            elif each is not None and not isinstance(schema.fields[name], Ignored):
                _check_taken(each, schema.fields[name], normal[name], asked, here)
    elif isinstance(schema, List):
        assert len(value) == len(normal)
        for index, (each, kept) in enumerate(zip(value, normal, strict=True)):
            if each is not None:
                _check_taken(each, schema._item, kept, asked, f"{where}[{index}]")
    elif isinstance(schema, Map):
        assert value.keys() == normal.keys()
        for key, each in value.items():
            if each is not None:
                _check_taken(each, schema._value, normal[key], asked, f"{where}[{key}]")
    elif isinstance(schema, Words):
        assert normal == ([value] if isinstance(value, str) else ["" if each is None else each for each in value])
    else:
        assert strict.same(value, normal)


def _check_normal(value: Any, schema: Schema, unknown: set[str], name: str) -> None:
    """Every key of a struct is the table's, or was asked for; nothing is null."""
    if isinstance(schema, Struct):
        folded = [json_body.fold(key) for key in value]
        assert len(folded) == len(set(folded))
        for key, each in value.items():
            here = f"{name}.{key}" if name else key
            field = schema.fields.get(key)
            if field is None:
                assert here in unknown, here
                continue
            assert not isinstance(field, Ignored | Misplaced)
            assert each is not None
            _check_normal(each, field, unknown, here)
    elif isinstance(schema, List):
        for each in value:
            assert each is not None
            _check_normal(each, schema._item, unknown, name)
    elif isinstance(schema, Map):
        for each in value.values():
            assert each is not None
            _check_normal(each, schema._value, unknown, name)


# What inputs are made of


def words() -> Iterator[str | bytes]:
    """Tokens, literals, escapes, numbers at the edges, and the fields of the tables."""
    yield from (
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        '"',
        '":',
        "true",
        "false",
        "null",
        "NaN",
        "-Infinity",
        "{}}",
        "[[[[[[[[[",
    )
    yield from (
        "\\u",
        "\\ud83d\\ude00",
        "\\ud800",
        "\\udc00",
        "\\u0000",
        "\\u017f",
        "\\u212a",
        "\\\\",
        '\\"',
        "\\/",
        "\\n",
    )
    yield from ("ſ", "K", "ü", "\ufeff", "\u2028", b"\xff", b"\xc0\x80", b"\xed\xa0\x80")
    yield from (
        "-0",
        "0.1",
        "1e3",
        "1E400",
        "1e-400",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
    )
    yield from ("-9223372036854775808", "-9223372036854775809", "00", "01", "1.", ".5", "+1", "0x1", "/**/", "//", "'")
    for key in shapes.names():
        yield f'"{key}":'


def mutate(data: bytes, longest: int, rng: Random) -> bytes | None:
    """A body of some table, or the same one changed in a field; more often the engine's own mutations."""
    if rng.random() < 0.7:
        return None
    table = rng.choice(list(_TABLES))
    try:
        value = shapes.changed(rng, json.loads(data), table)
    except (ValueError, RecursionError):
        value = shapes.value(rng, table)
    made = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return made if len(made) <= longest else None


def seeds() -> Iterator[tuple[str, bytes]]:
    """The bodies of the corpus, and values at the edges."""
    from tests.fuzz import materials

    for case in materials.cases():
        if case.body is not None:
            yield case.name, case.body.encode("utf-8", "surrogatepass")
    for name, text in _EDGES.items():
        yield name, text if isinstance(text, bytes) else text.encode()


_EDGES: dict[str, str | bytes] = {
    "numbers": "[0,-0,-0.0,1.5e-7,1E22,9223372036854775807,-9223372036854775808,18446744073709551615,4.9e-324,1e308]",
    "out of range": "18446744073709551616",
    "a float out of range": "[1e309]",
    "texts": '["\\u00fc\\ud83d\\ude00\\"\\\\\\/\\b\\f\\n\\r\\t","ü😀 \u2028",""]',
    "half a pair": '{"a":["\\udc00"]}',
    "space": ' \t\r\n{ "a" : [ 1 , 2 ] , "b" : { } } \n',
    "a key twice": '{"a":1,"b":{"c":1,"c":2}}',
    "an escaped key twice": '{"a":1,"\\u0061":2}',
    "deep": "[" * 9 + "]" * 9,
    "deep in a text": '["[[[[[[[[[[","{{{{{{{{{{",",,,,,,,,,,,,"]',
    "many": "[" + "0," * 45 + "0]",
    "too deep": '{"a":' * 65 + "1" + "}" * 65,
    "behind the value": "{}}{",
    "not utf-8": b'{"\xff":1}',
    "a surrogate in utf-8": b'"\xed\xa0\x80"',
    "a byte order mark": "\ufeff{}",
    "utf-16": '{"a":1}'.encode("utf-16"),
    "not a number": '{"a":NaN}',
    "empty": "",
    "literals": "[true,false,null]",
}
