"""The canonical request: refused, or in one form that is its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.docker.request import canonical, encode_target, negotiate, target
from sockproxy.errors import Malformed, VersionRefused
from sockproxy.model import Context, Request

HOST = [(b"Host", b"docker")]


def read(raw: bytes, *headers: tuple[bytes, bytes]) -> Request:
    return canonical(b"GET", raw, [*HOST, *headers])


@pytest.mark.parametrize(
    ("raw", "version", "path", "query"),
    [
        (b"/_ping", None, "/_ping", ()),
        (b"/v1.41/containers/json?all=1", (1, 41), "/containers/json", (("all", "1"),)),
        (b"/v1.22/info", (1, 22), "/info", ()),
        (b"/v2.0/info", (2, 0), "/info", ()),
        (b"/containers%2fjson", None, "/containers/json", ()),
        (b"/%63ontainers/json", None, "/containers/json", ()),
        (b"/v%31.41/info", (1, 41), "/info", ()),
        (b"/images/python%403%3A12/json", None, "/images/python@3:12/json", ()),
        (b"/images/a%2Fb%3A1/json", None, "/images/a/b:1/json", ()),
        (b"http://docker/containers/json", None, "/containers/json", ()),
        (b"http://[::1]:2375/containers/json", None, "/containers/json", ()),
        (b"http://h_x.example:2375/info", None, "/info", ()),
        (
            b"/containers/json?filters=%7B%22a%22%3A%5B%22b+c%22%5D%7D",
            None,
            "/containers/json",
            (("filters", '{"a":["b c"]}'),),
        ),
        (b"/build?t=a&t=b&q", None, "/build", (("t", "a"), ("t", "b"), ("q", ""))),
        (b"/info?", None, "/info", ()),
        (b"/networks/", None, "/networks/", ()),
        ("/containers/json?name=ü".encode(), None, "/containers/json", (("name", "ü"),)),
    ],
)
def test_a_target_has_one_reading(raw: bytes, version: object, path: str, query: object) -> None:
    request = read(raw)
    assert (request.version, request.path, request.query) == (version, path, query)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"*",
        b"containers/json",
        b"docker:2375",
        b"http://\r/info",
        b"http://a b/info",
        b"http://h%zz/info",
        b"http://[::/info",
        b"http://h:port/info",
        b"http://user@h/info",
        b"//containers/json",
        b"/containers//json",
        b"/./containers/json",
        b"/containers/../json",
        b"/containers/%2e%2e/json",
        b"/containers/..%2fjson",
        b"/containers/.",
        b"/containers/%2565",
        b"/containers/%zz",
        b"/containers/%",
        b"/containers/%f",
        b"/containers/%ff",
        b"/containers/%c0%ae",
        b"/containers/%00",
        b"/containers/json%0a",
        b"/containers/json%0d%0aX: y",
        b"/containers\\json",
        b"/containers/%5cjson",
        b"/containers/%e2%80%ae/json",
        b"/containers/json#x",
        b"/containers/json x",
        b"/containers/json?all=1 HTTP/1.1",
        b"/containers/json?all=\x01",
        b"/containers/json?all=\x7f",
        b"/containers/json?all=1;x=2",
        b"/containers/json?all=%zz",
        b"/containers/json?all=%ff",
        b"/containers/json?all=%00",
        b"/v1.41/v1.41/info",
        b"/v1.41/v1.23/containers/x/start",
        b"/v1.41.0/info",
        b"/v1.041/info",
        b"/v01.41/info",
        b"/V1.41/info",
        b"/v1/info",
        b"/v.1.41/info",
        b"/v1.41",
        b"/v1.99999/info",
        b"/containers/json?" + b"&".join(b"a%d=1" % n for n in range(1001)),
    ],
)
def test_an_ambiguous_target_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read(raw)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Host", b"other")],
        [(b"Content-Length", b"1"), (b"Content-Length", b"1")],
        [(b"Content-Type", b"application/json"), (b"content-type", b"text/plain")],
        [(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")],
        [(b"Upgrade", b"tcp"), (b"Upgrade", b"h2c")],
        [(b"Trailer", b"X-Y")],
        [(b"X-Y", b"a\nb")],
        [(b"X-Y", b"a\x00b")],
        [(b"Origin", b"http://evil.example")],
        [(b"Sec-Fetch-Mode", b"cors")],
        [(b"Content-Type", b"application/x-www-form-urlencoded")],
        [(b"Content-Type", b"APPLICATION/X-WWW-FORM-URLENCODED; charset=utf-8")],
        [(b"Content-Type", b"multipart/form-data; boundary=x")],
        [(b"Content-Type", b"multipart/mixed")],
        [(b"Content-Type", b"; application/json")],
        [(b"Content-Type", b"json")],
    ],
)
def test_ambiguous_headers_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Malformed):
        read(b"/info", *headers)


@pytest.mark.parametrize("method", [b"", b"get", b"GET ", b"G\xc9T", b"G" * 30])
def test_a_method_is_a_word_in_capitals(method: bytes) -> None:
    with pytest.raises(Malformed):
        canonical(method, b"/info", HOST)


def test_a_websocket_may_name_its_origin() -> None:
    assert read(b"/containers/web/attach/ws", (b"Origin", b"http://docker")).header("origin") == "http://docker"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (b"DELETE", b"/images/evil/attach/ws"),
        (b"DELETE", b"/containers/web/attach/ws"),
        (b"GET", b"/networks/evil/attach/ws"),
        (b"PUT", b"/volumes/evil/attach/ws"),
        (b"POST", b"/containers/web/attach/ws"),
    ],
)
@pytest.mark.parametrize("header", [(b"Origin", b"http://evil.example"), (b"Sec-Fetch-Mode", b"no-cors")])
def test_a_name_like_a_websockets_path_is_no_way_in_for_a_browser(
    method: bytes, path: bytes, header: tuple[bytes, bytes]
) -> None:
    with pytest.raises(Malformed):
        canonical(method, path, [*HOST, header])


def test_an_empty_host_is_what_some_clients_send() -> None:
    assert canonical(b"GET", b"/info", [(b"Host", b"")]).header("host") == ""


segments = st.text(st.characters(exclude_characters="/%\\", exclude_categories=["C", "Z"]), min_size=1).filter(
    lambda text: text not in (".", "..") and text.isprintable()
)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(
    st.none() | st.tuples(st.just(1), st.integers(0, 99)),
    st.lists(segments, min_size=1, max_size=4),
    st.lists(st.tuples(texts, texts), max_size=5),
)
def test_what_is_canonical_stays_as_it_is(
    version: tuple[int, int] | None, parts: list[str], query: list[tuple[str, str]]
) -> None:
    raw = encode_target(version, "/containers/" + "/".join(parts), query).encode()
    once = canonical(b"GET", raw, HOST)
    assert once.query == tuple(pair for pair in query)
    assert canonical(once.method, target(once).encode(), HOST) == once


@given(st.binary(), st.binary(), st.lists(st.tuples(st.binary(), st.binary()), max_size=4))
def test_any_bytes_are_a_request_or_malformed(method: bytes, raw: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    try:
        once = canonical(method, b"/" + raw, headers)
    except Malformed:
        return
    assert canonical(once.method, target(once).encode(), headers) == once


@pytest.mark.parametrize(
    ("asked", "got"), [(None, (1, 41)), ((1, 24), (1, 24)), ((1, 41), (1, 41)), ((1, 30), (1, 30))]
)
def test_the_version_is_the_clients_or_the_engines(asked: tuple[int, int] | None, got: tuple[int, int]) -> None:
    assert negotiate(asked, (1, 24), (1, 56), Context(engine_version=(1, 41), engine_minimum=(1, 12))) == got


def test_a_version_out_of_range_is_refused_in_dockers_words() -> None:
    context = Context(engine_version=(1, 51), engine_minimum=(1, 24))
    with pytest.raises(VersionRefused) as old:
        negotiate((1, 22), (1, 24), (1, 56), context)
    assert old.value.message == (
        "client version 1.22 is too old. Minimum supported API version is 1.24, "
        "please upgrade your client to a newer version"
    )
    with pytest.raises(VersionRefused) as new:
        negotiate((1, 52), (1, 24), (1, 56), context)
    assert new.value.message == "client version 1.52 is too new. Maximum supported API version is 1.51"
