"""Prunes: the labels that a filter demands stand for whose the things are."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from sockproxy.errors import Malformed
from sockproxy.model import Ask
from tests.docker.inspecting import inspected


def prune(what: str, filters: str | None, version: str = "") -> Ask:
    query = "" if filters is None else f"?filters={quote(filters)}"
    (ask,) = inspected(f"POST {version}/{what}/prune{query}").asks
    return ask


@pytest.mark.parametrize(
    ("what", "kind"), [("containers", "container"), ("networks", "network"), ("volumes", "volume")]
)
@pytest.mark.parametrize(
    ("filters", "labels"),
    [
        (None, ()),
        ("", ()),
        ("{}", ()),
        ("null", ()),
        ('{"label":["a=b"]}', (("a", "b"),)),
        ('{"label":{"a=b":true}}', (("a", "b"),)),
        ('{"label":["a=b=c","d"],"until":["1h"]}', (("a", "b=c"), ("d", "*"))),
        ('{"label!":["a=b"]}', ()),
        ('{"LABEL":["a=b"]}', ()),
    ],
)
def test_the_labels_of_a_prune(what: str, kind: str, filters: str | None, labels: tuple[tuple[str, str], ...]) -> None:
    assert prune(what, filters) == Ask(kind, "(prune)", "?filters", labels=labels)


@pytest.mark.parametrize(
    ("version", "filters", "value"),
    [
        ("/v1.42", None, "(prune)"),
        ("/v1.42", '{"all":["0"]}', "(prune)"),
        ("/v1.42", '{"all":["true"]}', "(prune all)"),
        ("/v1.42", '{"all":{"1":true}}', "(prune all)"),
        ("/v1.41", None, "(prune all)"),
        ("/v1.41", '{"all":["false"]}', "(prune all)"),
    ],
)
def test_named_volumes_go_too_where_all_is_asked_for_and_in_old_versions(
    version: str, filters: str | None, value: str
) -> None:
    assert prune("volumes", filters, version).value == value


@pytest.mark.parametrize("filters", ["[]", '"a"', "{", '{"label":"a"}', '{"label":[1]}', '{"label":["a"],"label":[]}'])
def test_filters_that_are_none_are_refused(filters: str) -> None:
    with pytest.raises(Malformed):
        prune("containers", filters)
