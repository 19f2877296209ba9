"""Strict JSON: one reading, or a refusal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.docker.body import fold, parse, serialise
from sockproxy.errors import Malformed, TooLarge
from sockproxy.model import Json

values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(values)
def test_well_formed_json_is_read_as_it_is(value: Json) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(serialise(value)) == value
    assert serialise(parse(serialise(value))) == serialise(value)


@given(st.binary())
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    try:
        value = parse(data)
    except (Malformed, TooLarge):
        return
    assert parse(serialise(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1',
        b'{"a":1}}',
        b'{"a":1}{"b":2}',
        b'{"a":1}]',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":1/**/}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":18446744073709551616}',
        b'{"a":-9223372036854775809}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":[{"a":1,"a":2}]}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'["\\ud800\\u0041"]',
        b'{"a":"\xff"}',
        b'{"a":"\xc0\xaf"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":"\n"}',
        b'{"a":"\x00"}',
        b'{"a":tru}',
    ],
)
def test_what_go_and_python_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_depth_is_bounded_before_anything_is_built(opening: bytes) -> None:
    with pytest.raises(TooLarge):
        parse(opening * 100_000)


def test_the_number_of_values_is_bounded() -> None:
    assert parse(b"[" + b"1," * 50_000 + b"1]")
    with pytest.raises(TooLarge):
        parse(b"[" + b"1," * 200_000 + b"1]")


@pytest.mark.parametrize("end", [b"", b"\\", b'"', b'"}'])
def test_a_text_full_of_quotes_costs_no_more_than_its_length(end: bytes) -> None:
    # Four MiB, the most that is read: hours if each quote in it began the search anew, well under a second else.
    data = b'{"a":"' + b'\\"' * 2_000_000 + b"[" * 70 + end
    if end == b'"}':
        assert parse(data) == {"a": '"' * 2_000_000 + "[" * 70}
        return
    with pytest.raises((Malformed, TooLarge)):
        parse(data)


def test_brackets_inside_text_are_text() -> None:
    assert parse(b'{"a":"' + b"[{" * 500 + b'"}') == {"a": "[{" * 500}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HostConfig", "hostconfig"),
        ("HostConfig", "HO\u017fTCONFIG"),
        ("NetworkMode", "networ\u212aMode"),
        ("ſ", "s"),
        ("K", "k"),
    ],
)
def test_keys_fold_as_go_folds_them(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("é", "e"), ("İ", "i"), ("ß", "ss"), ("Å", "å"), ("a", "b")])
def test_other_letters_do_not_fold(one: str, other: str) -> None:
    assert fold(one) != fold(other)
