"""Columns, shortening and colour."""

from __future__ import annotations

import pytest

from sockproxy.cli.screen import say_no_colour, shortened, table


def test_a_table_is_aligned_and_has_no_trailing_spaces() -> None:
    assert table([("a", "bb", ""), ("ccc", "d", "e")]) == ["a    bb", "ccc  d   e"]


def test_colour_does_not_move_a_column() -> None:
    painted = table([("NO", "x"), ("yes", "y")], colours={"NO": "red"})
    assert painted == ["\x1b[31mNO \x1b[0m  x", "yes  y"]


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("short", 10, "short"),
        ("exactly ten", 11, "exactly ten"),
        ("one two three", 10, "one two…"),
        ("onewordwithoutaspace", 10, "onewordwi…"),
    ],
)
def test_text_is_cut_at_a_word_where_one_is_near(text: str, columns: int, expected: str) -> None:
    assert shortened(text, columns) == expected


@pytest.mark.parametrize(("value", "none"), [(None, False), ("", False), ("1", True)])
def test_no_color_is_heeded_where_it_says_something(
    value: str | None, none: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    assert say_no_colour() is none
