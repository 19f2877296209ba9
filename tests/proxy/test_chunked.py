"""A chunked body ends where it says, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.errors import Malformed
from sockproxy.proxy.chunked import Chunked


def fed(*parts: bytes) -> tuple[bytes, bytes, bool]:
    chunked = Chunked()
    body = b"".join(chunked.feed(part) for part in parts)
    return body, chunked.behind, chunked.done


def test_what_comes_behind_the_body_is_kept_apart() -> None:
    assert fed(b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\nGET /") == (b"hello world", b"GET /", True)


def test_an_empty_body_ends_at_once() -> None:
    assert fed(b"0\r\n\r\n") == (b"", b"", True)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.binary(max_size=10), st.data())
def test_the_same_body_however_it_is_cut(parts: list[bytes], behind: bytes, data: st.DataObject) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    pieces[-1] += behind
    assert fed(*filter(None, pieces)) == (b"".join(parts), behind, True)


@pytest.mark.parametrize(
    "wire",
    [
        b"5;name=value\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\r\nhello!\r\n",
        b"5\r\nhello\n\n",
        b"000000005\r\nhello\r\n",
        b"fffffffff\r\n",
        b"0\r\nX-Trailer: y\r\n\r\n",
        b"0\r\n\nX",
        b"-1\r\n",
        b"1_0\r\n",
    ],
)
def test_framing_that_could_be_read_in_two_ways_is_refused(wire: bytes) -> None:
    with pytest.raises(Malformed):
        fed(wire)
    with pytest.raises(Malformed):
        fed(*(wire[at : at + 1] for at in range(len(wire))))
