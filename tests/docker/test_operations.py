"""The table of endpoints: each row is found by its path, and by what a policy writes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.docker.operations import (
    BY_NAME,
    METHODS,
    OPERATIONS,
    Operation,
    identify,
    read_query,
)
from sockproxy.docker.selecting import BadSelector, select
from sockproxy.errors import Malformed, UnknownOperation

rows = pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)


def sample(row: Operation) -> str:
    return re.sub(r"\{\w+\}", "x1", row.template)


@rows
def test_a_row_is_found_by_its_path(row: Operation) -> None:
    found, params = identify(row.method, sample(row))
    assert found is row
    assert params == dict.fromkeys(row.params, "x1")


@rows
def test_a_row_is_selected_by_its_name(row: Operation) -> None:
    assert row in select(f"{row.method} {row.template}")
    assert row in select(f"ANY {row.template}")
    assert row in select(f"{row.method} " + re.sub(r"\{\w+\}", "*", row.template))


@rows
def test_an_explicit_row_is_no_part_of_a_glob_that_allows(row: Operation) -> None:
    noun = row.template.split("/")[1]
    denied = select(f"ANY /{noun}/**", for_deny=True)
    assert row in denied
    if row.explicit or row.never:
        try:
            assert row not in select(f"ANY /{noun}/**")
        except BadSelector:
            pass
        with pytest.raises(BadSelector):
            select(f"{row.method} {row.template}/**")
    else:
        assert row in select(f"ANY /{noun}/**")


def test_names_are_a_closed_set() -> None:
    assert len(BY_NAME) == len(OPERATIONS)
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", name) for name in BY_NAME)


@pytest.mark.parametrize(
    ("method", "path", "name", "params"),
    [
        ("GET", "/containers/a/b/c/json", "ContainerInspect", {"id": "a/b/c"}),
        ("GET", "/images/search/json", "ImageInspect", {"name": "search"}),
        ("POST", "/containers/create/start", "ContainerStart", {"id": "create"}),
        (
            "GET",
            "/images/registry.example.com:5000/a/b:1/history",
            "ImageHistory",
            {"name": "registry.example.com:5000/a/b:1"},
        ),
        ("GET", "/images/get", "ImageGetAll", {}),
        ("GET", "/images/get/get", "ImageGet", {"name": "get"}),
        ("DELETE", "/containers/x/checkpoints/y", "CheckpointDelete", {"id": "x", "checkpoint": "y"}),
        ("DELETE", "/containers/x/y/checkpoints/z", "ContainerDelete", {"id": "x/y/checkpoints/z"}),
        ("GET", "/networks/", "NetworkList", {}),
        ("GET", "/networks/a/b", "NetworkInspect", {"id": "a/b"}),
        ("GET", "/containers/web/attach/ws", "ContainerAttachWebsocket", {"id": "web"}),
        ("GET", "/plugins/privileges", "GetPluginPrivileges", {}),
    ],
)
def test_a_path_is_matched_as_dockerd_matches_it(method: str, path: str, name: str, params: dict[str, str]) -> None:
    row, found = identify(method, path)
    assert (row.name, found) == (name, params)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/containers"),
        ("GET", "/containers/json/"),
        ("GET", "/Containers/json"),
        ("HEAD", "/containers/json"),
        ("HEAD", "/version"),
        ("POST", "/containers/json"),
        ("OPTIONS", "/containers/json"),
        ("PATCH", "/containers/x"),
        ("DELETE", "/containers/"),
        ("GET", "/containers//json"),
        ("GET", "/services/a/b"),
        ("POST", "/containers/x/start/"),
        ("DELETE", "/containers/x/"),
        ("DELETE", "/images/x/"),
        ("GET", "/networks/x/"),
        ("GET", "/volumes/x/"),
        ("GET", "/containers/x/json\n"),
        ("PRI", "*"),
    ],
)
def test_what_is_no_row_is_refused(method: str, path: str) -> None:
    with pytest.raises(UnknownOperation):
        identify(method, path)


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("POST /containers/ci-*/start", "only: container:"),
        ("GET /contaners/json", "GET /containers/json"),
        ("GTE /containers/json", "GET"),
        ("containers/json", ""),
        ("GET containers/json", ""),
        ("GET /containers/{id}/josn", "GET /containers/{id}/json"),
        ("GET /v1.41/containers/json", ""),
        ("ANY //**", ""),
        ("GET /a|b/c|d", "two lines"),
        ("POST /containers/{id}/start|stpo", "POST /containers/{id}/stop"),
    ],
)
def test_a_selector_that_takes_in_nothing_says_what_may_be_meant(selector: str, hint: str) -> None:
    with pytest.raises(BadSelector) as caught:
        select(selector)
    assert hint in caught.value.hint + str(caught.value)


def test_a_word_mistyped_in_a_deny_does_not_let_its_row_through() -> None:
    with pytest.raises(BadSelector) as caught:
        select("ANY /containers/{id}/exec|atach", for_deny=True)
    assert "/containers/{id}/attach" in caught.value.hint


def test_alternatives_and_heads() -> None:
    assert {row.name for row in select("POST|DELETE /containers/{id}/start|stop")} == {
        "ContainerStart",
        "ContainerStop",
    }
    assert {row.name for row in select("GET /_ping")} == {"SystemPing", "SystemPingHead"}
    assert {row.name for row in select("GET /containers/{id}/archive")} == {"ContainerArchive", "ContainerArchiveInfo"}
    assert {row.name for row in select("GET /secrets/**", for_deny=True)} == {"SecretList", "SecretInspect"}


def test_a_selector_has_a_bound() -> None:
    with pytest.raises(BadSelector, match="more than 1000 characters"):
        select("GET /" + "*" * 200_000)


def test_unknown_parameters_are_asked_for_and_echoed_ones_dropped() -> None:
    known, asks = read_query(BY_NAME["ContainerStart"], [("detachKeys", "ctrl-p"), ("new", "1"), ("empty", "")])
    assert known == (("detachKeys", "ctrl-p"), ("new", "1"))
    assert [str(ask) for ask in asks] == ["query: new"]
    assert read_query(BY_NAME["ContainerStop"], [("t", "5"), ("hijack", "true")]) == ((("t", "5"),), ())
    # dockerode sends an array of its options as one key that comes again and again.
    assert read_query(BY_NAME["ContainerCreate"], [("Cmd", "a"), ("Cmd", "b"), ("name", "w")]) == ((("name", "w"),), ())
    assert read_query(BY_NAME["ImagePush"], [("tag", "1"), ("authconfig", "{}")]) == ((("tag", "1"),), ())


@pytest.mark.parametrize(
    ("name", "pair", "read"),
    [
        ("ContainerList", ("all", "True"), "1"),
        ("ContainerList", ("all", "false"), "0"),
        ("ContainerList", ("limit", "-1"), "-1"),
        ("ContainerList", ("filters", '{"label":["a=b","c"]}'), '{"label":{"a=b":true,"c":true}}'),
        ("ContainerList", ("filters", '{"label":{"a=b":true}}'), '{"label":{"a=b":true}}'),
        ("ContainerList", ("filters", "{}"), "{}"),
        ("ImageBuild", ("buildargs", '{"A": null}'), '{"A":null}'),
        ("ImageInspect", ("platform", '{"os": "linux"}'), '{"os":"linux"}'),
        ("BuildPrune", ("min-free-space", "9223372036854775807"), "9223372036854775807"),
        ("SystemEvents", ("stream", "1"), "1"),
        ("ContainerStats", ("stream", ""), ""),
    ],
)
def test_typed_parameters_get_one_spelling(name: str, pair: tuple[str, str], read: str) -> None:
    assert read_query(BY_NAME[name], [pair]) == (((pair[0], read),), ())


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("ContainerList", [("all", "maybe")]),
        ("ContainerList", [("limit", "1x")]),
        ("ContainerList", [("limit", "1"), ("limit", "2")]),
        ("ImageBuild", [("memory", "9223372036854775808")]),
        ("ImageBuild", [("memory", "1e9")]),
        ("ImageInspect", [("platform", '{"os":"linux","os":"windows"}')]),
        ("ContainerList", [("filters", "x")]),
        ("ContainerList", [("filters", "[]")]),
        ("ContainerList", [("filters", '{"label":"a"}')]),
        ("ContainerList", [("filters", '{"label":{"a":false}}')]),
        ("ContainerList", [("filters", '{"label":["a"],"label":["b"]}')]),
        ("ContainerRename", [("name", ""), ("name", "b")]),
        ("ContainerStart", [("new", "1"), ("new", "2")]),
    ],
)
def test_a_parameter_that_two_readers_read_differently_is_refused(name: str, pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(Malformed):
        read_query(BY_NAME[name], pairs)


def test_lists_keep_every_value() -> None:
    known, _ = read_query(BY_NAME["ImageBuild"], [("t", "a"), ("t", "b"), ("t", "")])
    assert known == (("t", "a"), ("t", "b"))


# What real clients were seen to send beside Docker's own parameters: known, so that a policy need not name them.
@pytest.mark.parametrize(
    ("method", "path", "keys"),
    [
        ("GET", "/containers/json", "all filters limit size trunc_cmd"),
        ("GET", "/containers/x/logs", "details follow since stderr stdout tail timestamps until"),
        ("POST", "/containers/x/attach", "detachKeys hijack logs stderr stdin stdout stream"),
        ("POST", "/containers/create", "AttachStdin Cmd HostConfig Image Labels name"),
        ("POST", "/networks/create", "CheckDuplicate Driver Labels Name"),
        ("GET", "/events", "filters since stream until"),
        ("GET", "/images/json", "all filters only_ids"),
        ("POST", "/images/x/tag", "force repo tag"),
        ("POST", "/commit", "author changes comment container m pause repo tag"),
        ("PUT", "/containers/x/archive", "copyUIDGID noOverwriteDirNonDir path"),
        ("GET", "/services/x/logs", "details stderr stdout tail"),
    ],
)
def test_what_clients_send_asks_for_nothing(method: str, path: str, keys: str) -> None:
    row, _ = identify(method, path)
    sent = [(key, "{}" if key in ("filters", "HostConfig") else "1") for key in keys.split()]
    assert read_query(row, sent)[1] == ()


@given(st.sampled_from(sorted(METHODS)), st.text())
def test_any_path_is_a_row_or_unknown(method: str, path: str) -> None:
    try:
        row, _ = identify(method, "/" + path)
    except UnknownOperation:
        return
    assert row.method == method
