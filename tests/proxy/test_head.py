"""A head is read in one way, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.errors import Malformed
from sockproxy.proxy import head as heads

PLAIN = b"GET /v1.41/containers/json?all=1 HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client/28.2.2\r\n\r\n"


def post(*fields: str, line: str = "POST /x HTTP/1.1") -> bytes:
    return "\r\n".join((line, *fields, "", "")).encode("latin-1")


def test_a_plain_head_says_it_all() -> None:
    head = heads.read(PLAIN)
    assert (head.method, head.target) == (b"GET", b"/v1.41/containers/json?all=1")
    assert head.headers == ((b"host", b"docker"), (b"user-agent", b"Docker-Client/28.2.2"))
    assert (head.length, head.keep_alive, head.upgrade, head.expects, head.old, head.plain) == (
        0, True, False, False, False, True,
    )  # fmt: skip


def test_a_plain_head_is_read_once() -> None:
    assert heads.read(PLAIN) is heads.read(bytes(bytearray(PLAIN)))


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (post("Host: d", "Content-Length: 12"), 12),
        (post("Host: d", "Content-Length:0"), 0),
        (post("Host: d", "Transfer-Encoding: chunked"), None),
        (post("Host: d", "Transfer-Encoding: Chunked"), None),
        (post("Host:"), 0),
        (post("Host: 1.28"), 0),
        (post("Host: ", "Connection: Upgrade", "Upgrade: tcp", "Content-Length: 3"), 3),
    ],
)
def test_what_clients_send_is_read(head: bytes, length: int | None) -> None:
    assert heads.read(head).length == length


def test_an_upgrade_is_seen_without_its_connection_field() -> None:
    assert heads.read(post("Host: d", "Upgrade: tcp")).upgrade


def test_the_target_keeps_what_follows_a_hash() -> None:
    assert heads.read(post("Host: d", line="GET /a#/../b HTTP/1.1")).target == b"/a#/../b"


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (post("Host: d", "Connection: close"), False),
        (post("Host: d", "Connection: keep-alive, Close"), False),
        (post("Host: d", "Connection: keep-alive"), True),
        (post(line="GET /x HTTP/1.0"), False),
        (post("Connection: keep-alive", line="GET /x HTTP/1.0"), False),
    ],
)
def test_who_may_ask_again(head: bytes, keep_alive: bool) -> None:
    assert heads.read(head).keep_alive is keep_alive


@pytest.mark.parametrize(
    "field",
    ["Content-Type: text/plain", "Origin: null", "Sec-Fetch-Site: none", "X-Registry-Auth: e30=", "Cookie: a=b"],
)
def test_a_field_that_a_judgement_might_read_makes_a_head_special(field: str) -> None:
    assert not heads.read(post("Host: d", field)).plain


REFUSED = {
    "bare LF": b"GET /x HTTP/1.1\nHost: d\n\r\n\r\n",
    "bare LF between fields": b"GET /x HTTP/1.1\r\nHost: d\nX: y\r\n\r\n",
    "bare CR": b"GET /x HTTP/1.1\r\nHost: d\rX: y\r\n\r\n",
    "a folded field": post("Host: d", "X: y", " z"),
    "a field folded with a tab": post("Host: d", "X: y", "\tz"),
    "a space before the colon": post("Host : d"),
    "a tab before the colon": post("Host: d", "Transfer-Encoding\t: chunked"),
    "a space before the first field": b"GET /x HTTP/1.1\r\n Host: d\r\n\r\n",
    "a field without a colon": post("Host: d", "nonsense"),
    "a field without a name": post("Host: d", ": x"),
    "a NUL in a value": post("Host: d", "X: a\0b"),
    "a control character in a value": post("Host: d", "X: a\x7fb"),
    "a NUL in a name": post("Host: d", "X\0: a"),
    "a control character in the target": post("Host: d", line="GET /x\x01 HTTP/1.1"),
    "a space in the target": post("Host: d", line="GET /x y HTTP/1.1"),
    "two spaces": post("Host: d", line="GET  /x HTTP/1.1"),
    "a trailing space": post("Host: d", line="GET /x HTTP/1.1 "),
    "a leading space": post("Host: d", line=" GET /x HTTP/1.1"),
    "a tab for a space": post("Host: d", line="GET\t/x HTTP/1.1"),
    "no version": post("Host: d", line="GET /x"),
    "HTTP/0.9": b"GET /x\r\n\r\n",
    "HTTP/2.0": post("Host: d", line="GET /x HTTP/2.0"),
    "HTTP/1.2": post("Host: d", line="GET /x HTTP/1.2"),
    "http/1.1": post("Host: d", line="GET /x http/1.1"),
    "RTSP": post("Host: d", line="GET /x RTSP/1.0"),
    "ICE": post("Host: d", line="SOURCE /x ICE/1.0"),
    "the h2c preface": b"PRI * HTTP/2.0\r\n\r\n",
    "PRI over HTTP/1.1": post("Host: d", line="PRI * HTTP/1.1"),
    "an unknown method": post("Host: d", line="FETCH /x HTTP/1.1"),
    "a lower-case method": post("Host: d", line="get /x HTTP/1.1"),
    "no Host": post(),
    "two Hosts": post("Host: a", "Host: b"),
    "two equal Hosts": post("Host: a", "host: a"),
    "two Content-Lengths": post("Host: d", "Content-Length: 3", "Content-Length: 4"),
    "two equal Content-Lengths": post("Host: d", "Content-Length: 3", "Content-Length: 3"),
    "a list of Content-Lengths": post("Host: d", "Content-Length: 3, 3"),
    "a signed Content-Length": post("Host: d", "Content-Length: +3"),
    "a negative Content-Length": post("Host: d", "Content-Length: -3"),
    "an empty Content-Length": post("Host: d", "Content-Length:"),
    "a hexadecimal Content-Length": post("Host: d", "Content-Length: 0x3"),
    "an endless Content-Length": post("Host: d", f"Content-Length: {'9' * 30}"),
    "Content-Length and Transfer-Encoding": post("Host: d", "Content-Length: 3", "Transfer-Encoding: chunked"),
    "Transfer-Encoding and Content-Length": post("Host: d", "Transfer-Encoding: chunked", "Content-Length: 3"),
    "xchunked": post("Host: d", "Transfer-Encoding: xchunked"),
    "gzip, chunked": post("Host: d", "Transfer-Encoding: gzip, chunked"),
    "chunked, chunked": post("Host: d", "Transfer-Encoding: chunked, chunked"),
    "two Transfer-Encodings": post("Host: d", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "identity": post("Host: d", "Transfer-Encoding: identity"),
    "an empty Transfer-Encoding": post("Host: d", "Transfer-Encoding:"),
    "Transfer-Encoding on HTTP/1.0": post("Host: d", "Transfer-Encoding: chunked", line="POST /x HTTP/1.0"),
    "Transfer-Encoding and Upgrade": post("Host: d", "Transfer-Encoding: chunked", "Upgrade: tcp"),
    "two Upgrades": post("Host: d", "Upgrade: tcp", "Upgrade: h2c"),
    "two Content-Types": post("Host: d", "Content-Type: text/plain", "Content-Type: application/json"),
    "a trailer announced": post("Host: d", "Transfer-Encoding: chunked", "Trailer: X-Y"),
    "another Expect": post("Host: d", "Expect: 200-ok"),
    "too many fields": post("Host: d", *(f"X-{number}: y" for number in range(100))),
}


@pytest.mark.parametrize("head", REFUSED.values(), ids=REFUSED.keys())
def test_what_two_readers_could_read_in_two_ways_is_refused(head: bytes) -> None:
    with pytest.raises(Malformed):
        heads.read(head)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (REFUSED["the h2c preface"], "HTTP/2"),
        (REFUSED["bare LF between fields"], "CRLF"),
        (REFUSED["a folded field"], "folded"),
        (REFUSED["a space before the colon"], "before the colon"),
        (REFUSED["HTTP/0.9"], "request line"),
        (REFUSED["a NUL in a value"], "does not allow"),
    ],
)
def test_a_complaint_says_what_is_wrong(head: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        heads.read(head)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_head_or_malformed(data: bytes) -> None:
    try:
        head = heads.read(data + b"\r\n\r\n")
    except Malformed:
        return
    assert head.target


@given(st.data())
def test_a_head_with_one_byte_changed_is_read_as_it_stands_or_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(PLAIN) - 1))
    changed = PLAIN[:at] + data.draw(st.binary(min_size=1, max_size=1)) + PLAIN[at + 1 :]
    try:
        head = heads.read(changed)
    except Malformed:
        return
    line = changed.partition(b"\r\n")[0].split(b" ")
    assert (head.method, head.target) == (line[0], line[1])
    assert len(head.headers) == changed.count(b"\r\n") - 2
