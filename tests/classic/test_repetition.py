"""Expressions that could take for ever are refused, with the piece that is at fault; all others are matched."""

from __future__ import annotations

import pytest

from sockproxy.classic.regexes import BadExpressionError, taken
from sockproxy.classic.repetition import endless


@pytest.mark.parametrize(
    ("expression", "piece"),
    [
        (r"/(\w+)+/(\w+)+x", r"(\w+)+"),
        ("/a(/?[a-z_]+)+", "(/?[a-z_]+)+"),
        ("/(i|.)*o", "(i|.)*"),
        ("/.*.*.*.*.*n", ".*.*.*"),
        ("/x((inf|ping)+o?)+", "((inf|ping)+o?)+"),
        ("(?i)(/?[A-Z]{1,20}){1,20}/DF", "(/?[A-Z]{1,20}){1,20}"),
        ("(.?){60}/nowhere", "(.?){60}"),
        ("/(a+/.)+", "(a+/.)+"),
        ("(?i)/(A+a)+", "(A+a)+"),
        ("(?i)/(a|A)*", "(a|A)*"),
    ],
)
def test_what_could_take_for_ever_is_refused(expression: str, piece: str) -> None:
    assert endless(expression) == piece
    with pytest.raises(BadExpressionError, match="could take for ever") as caught:
        taken("GET", expression)
    assert f"`{piece}`" in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "row"),
    [
        (r"/v1\..{1,2}/containers/(web|db-.*)/restart", None),
        ("(?:a{64})+", None),
        ("(a|[b-z])+", None),
        ("/.*/.*", "ContainerList"),
        (r"(/v[0-9]+(\.[0-9]+)*)?/info", "SystemInfo"),
        ("(/[a-z]+)+", "SystemInfo"),
        ("/([a-z]+/)*json", "ContainerList"),
    ],
)
def test_what_ends_soon_is_matched(expression: str, row: str | None) -> None:
    assert endless(expression) is None
    assert row is None or row in taken("GET", expression).whole
