"""Globs against a model that tries everything, and against values made to take long."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from sockproxy.policy.globs import _Automaton, glob, path_glob


def model(pattern: str, value: str) -> bool:
    """The meaning, said as plainly as can be: every way is tried. More than two stars are two."""
    pattern = re.sub(r"\*{3,}", "**", pattern)
    if pattern.startswith("/**/"):
        return value.startswith("/") and any(
            model(pattern[3:], value[cut:]) for cut in range(len(value)) if value[cut] == "/"
        )
    if pattern.startswith("**"):
        return any(model(pattern[2:], value[cut:]) for cut in range(len(value) + 1))
    if pattern.startswith("*"):
        return any(model(pattern[1:], value[cut:]) for cut in range(len(value) + 1) if "/" not in value[:cut])
    if not pattern:
        return not value
    return value[:1] == pattern[0] and model(pattern[1:], value[1:])


patterns = st.lists(st.sampled_from(["a", "b", "/", "*", "**", "/**/", "/**", "-"]), max_size=6).map("".join)
values = st.text("ab/-*", max_size=8)


@given(patterns, values)
@example("/**/**/a", "/a")
@example("**/**", "/")
@example("/**/*", "/a")
@example("/***/a", "/a")
@example("*/**/a*", "b/a")
def test_a_glob_means_what_the_model_means(pattern: str, value: str) -> None:
    assert glob(pattern)(value) == model(pattern, value)


@given(patterns, values)
def test_a_path_glob_adds_the_folder_itself_and_nothing_else(pattern: str, value: str) -> None:
    base = re.sub(r"(/\*{2,})+$", "", pattern)
    folder = base not in ("", pattern) and model(base, value)
    assert path_glob(pattern)(value) == (model(pattern, value) or folder)


@given(st.text("ab/*.", max_size=8), st.text("ab/.", max_size=8))
def test_a_folder_never_takes_in_its_neighbour(folder: str, more: str) -> None:
    literal = "/" + folder.replace("*", "").strip("/")
    if literal != "/" and not more.startswith("/") and more:
        assert not path_glob(f"{literal}/**")(literal + more)


@given(st.text(max_size=12))
def test_a_value_matches_itself(value: str) -> None:
    assert glob(value)(value)


def test_a_value_made_to_take_long_takes_one_step_per_character() -> None:
    """Counted, not timed: the automaton looks at each character once, whatever the pattern."""

    class Counted(str):
        __slots__ = ("steps",)

        def __iter__(self):  # type: ignore[no-untyped-def]
            for character in str.__iter__(self):
                self.steps += 1
                yield character

    for pattern, piece in [("*:10.*", ":10."), ("**a*b**a*b", "a"), ("*x*x*x*y", "x"), ("/**/a/**/a/**/b", "/a")]:
        value = Counted(piece * 20_000 + "/")
        value.steps = 0
        assert isinstance(glob(pattern), _Automaton)
        assert not glob(pattern)(value)
        assert value.steps <= len(value)
