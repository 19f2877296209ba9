"""Cleaning a path, as Go does before the engine uses it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.docker.paths import clean, within


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        *(("/", "/"), ("//", "/"), ("//etc", "/etc"), ("/etc/", "/etc"), ("/./etc/.", "/etc"), ("/a//b", "/a/b")),
        *(
            ("/a/../etc", "/etc"),
            ("/..", "/"),
            ("/../../etc", "/etc"),
            ("/srv/ci/../../etc", "/etc"),
            ("/a/b/..", "/a"),
        ),
        *(("/...", "/..."), ("/a/..b", "/a/..b"), ("/a/.b", "/a/.b"), ("/ ", "/ ")),
    ],
)
def test_a_path_is_cleaned(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


@given(st.text("ab./", max_size=24))
def test_a_cleaned_path_stays_as_it_is(path: str) -> None:
    cleaned = clean("/" + path)
    assert clean(cleaned) == cleaned
    assert cleaned.startswith("/")
    assert not {"..", "."} & set(cleaned.split("/"))


def test_a_folder_takes_in_what_is_below_it() -> None:
    assert within("/a", "/a")
    assert within("/a/b", "/a")
    assert within("/a", "/")
    assert not within("/ab", "/a")
    assert not within("/", "/a")
