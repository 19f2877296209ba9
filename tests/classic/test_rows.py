"""Lines of an `allow` made from rows select those rows, and nothing else but the HEAD beside a GET."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.classic.rows import selectors
from sockproxy.docker.operations import BY_NAME, OPERATIONS
from sockproxy.docker.selecting import select

CHOOSABLE = [row.name for row in OPERATIONS if not row.never]


def selected(lines: tuple[str, ...]) -> set[str]:
    return {row.name for line in lines for row in select(line)}


def heads_beside(names: set[str]) -> set[str]:
    """What `GET` takes in besides: the HEAD of the same path."""
    paths = {BY_NAME[name].template for name in names if BY_NAME[name].method == "GET"}
    return {row.name for row in OPERATIONS if row.method == "HEAD" and row.template in paths}


@given(st.sets(st.sampled_from(CHOOSABLE)))
def test_any_rows_come_back(chosen: set[str]) -> None:
    found = selected(selectors(chosen))
    assert chosen <= found
    assert found <= chosen | heads_beside(chosen)


@given(st.sets(st.sampled_from(sorted({row.template.split("/")[1] for row in OPERATIONS}))), st.booleans())
def test_any_sections_come_back(sections: set[str], reading: bool) -> None:
    chosen = {
        row.name
        for row in OPERATIONS
        if row.template.split("/")[1] in sections and not row.never and (row.method in ("GET", "HEAD") or not reading)
    }
    assert selected(selectors(chosen)) == chosen


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        ([], ()),
        (["SystemInfo"], ("GET /info",)),
        (["SystemPing", "SystemPingHead"], ("GET /_ping",)),
        (["SystemPingHead"], ("HEAD /_ping",)),
        (["NetworkList", "NetworkInspect"], ("GET /networks/**",)),
        ([row.name for row in OPERATIONS if row.template.startswith("/networks")], ("ANY /networks/**",)),
        (["NetworkList"], ("GET /networks",)),
        (["ContainerStart", "ContainerStop"], ("POST /containers/{id}/start|stop",)),
        (["ContainerArchive", "ContainerExport"], ("GET /containers/{id}/export|archive",)),
        (["SecretList", "SecretInspect"], ("GET /secrets", "GET /secrets/{id}")),
    ],
)
def test_lines_are_those_that_a_person_would_write(names: list[str], lines: tuple[str, ...]) -> None:
    assert selectors(names) == lines
