"""Whatever stands in a compose file, it is read, or its mistakes are said: never anything else."""

from __future__ import annotations

import copy
import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sockproxy.compose import ComposeError, calls
from tests.compose.projects import project
from tests.compose.recording import RECORDED, scenes
from tests.compose.test_reading import VALUES


class Tagless(yaml.SafeLoader):
    """Reads compose's own tags as if they were not there."""


Tagless.add_multi_constructor("!", lambda loader, suffix, node: None)

FILES = [yaml.load((RECORDED / scene / "compose.yaml").read_text(), Loader=Tagless) for scene in scenes()]

ODD = st.sampled_from(
    [
        *(
            None,
            True,
            -1,
            1.5,
            "",
            "a",
            "$",
            "${A",
            "${A:-b}",
            "~",
            "-x",
            ":",
            "::",
            "a:b:c:d",
            "x=y",
            "/",
            "..",
            "host",
        ),
        *("80", "80-81:1", "[::1]:1:2", "9" * 30, "1e400", "²", "é", "\0", "\ud800", "service:web", "container:"),
        *([], {}, [[]], [{}], {"a": None}, {"a": [1]}, {"a": {"b": "c"}}, ["a", {"b": 1}]),
    ]
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        found += places(value, (*path, key))
    return found


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A recorded file with something odd at a few places, some of them keys that it does not have."""
    document = copy.deepcopy(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document)))
        if path[0] == "services" and len(path) == 2 and draw(st.booleans()):
            path = (*path, draw(st.sampled_from(sorted(VALUES))))
        put(document, path, draw(ODD))
    return document


def put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if isinstance(holder, dict) or (isinstance(holder, list) and isinstance(path[-1], int)):
        holder[path[-1]] = copy.deepcopy(value)


@settings(max_examples=150, deadline=None)
@given(documents())
def test_a_file_is_read_or_its_mistakes_are_said(document: Any) -> None:
    try:
        read = project(json.dumps(document), profiles=["*"])
    except ComposeError as error:
        assert error.problems
        return
    for version in ((1, 41), (1, 51)):
        for call in calls(read, api_version=version):
            assert (call.encoded is None) == (call.body is None)
