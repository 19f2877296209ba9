"""Connections to the daemon, against a small real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sockproxy.errors import ConfigurationError, EngineDown
from sockproxy.proxy.address import Address
from sockproxy.proxy.engine import Connection, Engine, Lost, Notice
from sockproxy.proxy.limits import Limits
from tests.proxy.conftest import eventually
from tests.proxy.fake_engine import Asked, FakeEngine

GET = b"GET /x HTTP/1.1\r\nHost: d\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n"
HEAD = b"HEAD /x HTTP/1.1\r\nHost: d\r\n\r\n"


class Pool(Engine):
    """An engine that keeps what it was told of."""

    def __init__(self, path: Path) -> None:
        self.noticed: list[Notice] = []
        super().__init__(Address(str(path)), Limits(), notice=self.noticed.append)


@pytest.fixture
async def pool(daemon: FakeEngine) -> AsyncIterator[Pool]:
    made = Pool(daemon.path)
    yield made
    made.close()
    await asyncio.sleep(0.01)


async def whole(connection: Connection) -> bytes:
    parts = []
    while part := await connection.read():
        parts.append(part)
    return b"".join(parts)


async def get(pool: Engine, request: bytes = GET) -> tuple[int, bytes]:
    method = request.split(b" ")[0]
    connection = await pool.ask(request, bodiless=method == b"HEAD", repeatable=method != b"POST")
    body = await whole(connection)
    connection.release()
    return connection.status, body


def raw(data: bytes, *, close: bool = False) -> Callable[[Asked], object]:
    async def script(asked: Asked) -> None:
        await asked.read_body()
        await asked.write(data)
        if close:
            asked.writer.close()

    return script


async def test_one_connection_serves_many_requests(daemon: FakeEngine, pool: Pool) -> None:
    daemon.says("/x", {"a": 1})
    for _ in range(3):
        assert await get(pool) == (200, b'{"a": 1}')
    assert daemon.connections == 1
    assert pool.noticed == ["reached"]


async def test_requests_at_one_time_have_a_connection_each(daemon: FakeEngine, pool: Pool) -> None:
    daemon.says("/x", {})
    await asyncio.gather(*(get(pool) for _ in range(5)))
    assert daemon.connections == 5


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: y\r\n\r\n",
        b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 102 Wait\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
async def test_an_answer_ends_where_it_says_and_the_connection_is_kept(
    daemon: FakeEngine, pool: Pool, answer: bytes
) -> None:
    daemon.scripts["/x"] = raw(answer)
    for _ in range(2):
        connection = await pool.ask(GET, bodiless=False, repeatable=True)
        assert all(name.lower() not in (b"x-trailer", b"x") for name, _ in connection.headers)
        assert await whole(connection) == b"hello"
        connection.release()
    assert daemon.connections == 1


async def test_an_answer_without_a_length_ends_with_the_connection(daemon: FakeEngine, pool: Pool) -> None:
    daemon.scripts["/x"] = raw(b"HTTP/1.1 409 Conflict\r\nContent-Type: text/plain\r\n\r\nnot running", close=True)
    assert await get(pool) == (409, b"not running")
    assert await get(pool) == (409, b"not running")
    assert daemon.connections == 2


async def test_the_answer_to_head_ends_at_its_head_whatever_length_it_names(daemon: FakeEngine, pool: Pool) -> None:
    daemon.scripts["/x"] = raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 38\r\n\r\n")
    daemon.says("/y", {"a": 1})
    assert await get(pool, HEAD) == (404, b"")
    assert await get(pool, GET.replace(b"/x", b"/y")) == (200, b'{"a": 1}')
    assert await get(pool, HEAD) == (404, b"")
    assert daemon.connections == 1


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_ends_at_its_head(daemon: FakeEngine, pool: Pool, status: int) -> None:
    daemon.scripts["/x"] = raw(b"HTTP/1.1 %d Whatever\r\n\r\n" % status)
    assert await get(pool, POST) == (status, b"")
    assert await get(pool, POST) == (status, b"")
    assert daemon.connections == 1


async def test_a_connection_that_is_to_be_closed_is_not_kept(daemon: FakeEngine, pool: Pool) -> None:
    daemon.scripts["/x"] = raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
    await get(pool)
    await get(pool)
    assert daemon.connections == 2


async def test_a_second_answer_is_nobody_s(daemon: FakeEngine, pool: Pool) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    daemon.scripts["/x"] = raw(answer + b"hi" + answer + b"no")
    assert await get(pool) == (200, b"hi")
    await asyncio.sleep(0.05)
    assert await get(pool) == (200, b"hi")
    assert daemon.connections == 2


async def test_a_redirect_is_an_answer_like_any_other(daemon: FakeEngine, pool: Pool) -> None:
    daemon.scripts["/x"] = raw(b"HTTP/1.1 301 Moved\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n")
    assert await get(pool) == (301, b"")
    assert daemon.targets() == ["GET /x"]


async def test_the_head_is_there_before_the_body(daemon: FakeEngine, pool: Pool) -> None:
    go = asyncio.Event()

    @daemon.script("/x")
    async def wait(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await go.wait()
        await asked.write(b"2\r\n{}\r\n0\r\n\r\n")

    connection = await pool.ask(GET, bodiless=False, repeatable=True)
    assert connection.status == 200
    go.set()
    assert await whole(connection) == b"{}"
    connection.close()


@pytest.mark.parametrize(("version", "connections"), [("1.1", 1), ("1.0", 2)])
@pytest.mark.parametrize("status", [200, 204])
async def test_an_answer_in_an_old_version_is_the_last_on_its_connection(
    daemon: FakeEngine, pool: Pool, version: str, connections: int, status: int
) -> None:
    @daemon.script("/x")
    async def old(asked: Asked) -> None:
        await asked.write(f"HTTP/{version} {status} OK\r\n\r\n".encode())

    for _ in range(2):
        assert await get(pool, HEAD) == (status, b"")
    assert daemon.connections == connections


async def test_a_stale_connection_is_replaced_where_repeating_is_harmless(daemon: FakeEngine, pool: Pool) -> None:
    times = 0

    @daemon.script("/x")
    async def second_time_unlucky(asked: Asked) -> None:
        nonlocal times
        times += 1
        if times == 2:
            asked.writer.close()
        else:
            await asked.answer(200, b"{}")

    assert await get(pool) == (200, b"{}")
    assert await get(pool) == (200, b"{}")
    assert (times, daemon.connections) == (3, 2)


async def test_what_may_have_been_done_is_not_repeated(daemon: FakeEngine, pool: Pool) -> None:
    times = 0

    @daemon.script("/x")
    async def second_time_unlucky(asked: Asked) -> None:
        nonlocal times
        times += 1
        if times == 2:
            asked.writer.close()
        else:
            await asked.answer(200, b"{}")

    await get(pool, POST)
    with pytest.raises(Lost) as caught:
        await get(pool, POST)
    assert (caught.value.status, times) == (502, 2)


async def test_an_idle_connection_that_was_closed_is_not_used_for_what_cannot_be_repeated(
    daemon: FakeEngine, pool: Pool
) -> None:
    daemon.says("/x", {})
    await get(pool, POST)
    await daemon.stop()
    await daemon.start()
    assert await get(pool, POST) == (200, b"{}")
    assert "lost" in pool.noticed


async def test_a_fresh_connection_that_fails_is_not_tried_again(daemon: FakeEngine, pool: Pool) -> None:
    daemon.scripts["/x"] = raw(b"", close=True)
    with pytest.raises(Lost, match="went away"):
        await get(pool)
    assert daemon.connections == 1


async def test_an_engine_that_dies_within_its_answer_is_not_an_end(daemon: FakeEngine, pool: Pool) -> None:
    daemon.scripts["/x"] = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", close=True)
    connection = await pool.ask(GET, bodiless=False, repeatable=True)
    assert await connection.read() == b"half"
    with pytest.raises(Lost):
        await connection.read()
    daemon.scripts["/x"] = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", close=True)
    connection = await pool.ask(GET, bodiless=False, repeatable=True)
    assert await connection.read() == b"half"
    with pytest.raises(Lost):
        await connection.read()


@pytest.mark.parametrize(
    "answer",
    [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, b"HTTP/1.1 200 OK\nContent-Length: x\n\n"],
)
async def test_an_answer_that_is_none_is_an_engine_that_is_down(daemon: FakeEngine, pool: Pool, answer: bytes) -> None:
    daemon.scripts["/x"] = raw(answer)
    with pytest.raises(EngineDown):
        await get(pool)


async def test_a_slow_reader_makes_the_engine_wait(daemon: FakeEngine, pool: Pool) -> None:
    written = 0

    @daemon.script("/x")
    async def flood(asked: Asked) -> None:
        nonlocal written
        await asked.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * 2**20))
        for _ in range(64):
            await asked.write(b"x" * 2**20)
            written += 2**20

    connection = await pool.ask(GET, bodiless=False, repeatable=True)
    await asyncio.sleep(0.2)
    assert written < 8 * 2**20
    assert len(await whole(connection)) == 64 * 2**20
    connection.release()


async def test_a_slow_engine_makes_the_writer_wait(daemon: FakeEngine, pool: Pool) -> None:
    go, written = asyncio.Event(), 0

    @daemon.script("/x")
    async def slow(asked: Asked) -> None:
        await go.wait()
        await asked.read_body()
        await asked.answer(200, b"%d" % len(asked.body))

    connection = await pool.connect(checked=True)
    connection.begin(b"POST /x HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (32 * 2**20), bodiless=False)

    async def upload() -> None:
        nonlocal written
        for _ in range(512):
            await connection.write(b"x" * 2**16)
            written += 2**16

    task = asyncio.create_task(upload())
    await asyncio.sleep(0.2)
    assert written < 8 * 2**20
    go.set()
    await task
    await connection.head()
    assert await whole(connection) == b"%d" % (32 * 2**20)
    connection.close()


@pytest.mark.parametrize(
    ("answer", "early"),
    [
        (b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly", b"early"),
        (b"HTTP/1.1 101 UPGRADED\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nGET / HTTP/1.1\r\n",
            b"GET / HTTP/1.1\r\n",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n", b""),
    ],
)
async def test_a_raw_answer_is_handed_over(daemon: FakeEngine, pool: Pool, answer: bytes, early: bytes) -> None:
    daemon.scripts["/x"] = raw(answer)
    connection = await pool.fresh()
    connection.begin(POST, bodiless=False)
    await connection.head()
    await asyncio.sleep(0.05)
    assert connection.raw
    transport, data, ended = connection.hand_over()
    assert (data, ended) == (early, False)
    transport.abort()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 409 Conflict\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nnot running",
        b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_an_error_on_a_row_that_hijacks_is_no_tunnel(daemon: FakeEngine, pool: Pool, answer: bytes) -> None:
    daemon.scripts["/x"] = raw(answer)
    connection = await pool.fresh()
    connection.begin(POST, bodiless=False)
    await connection.head()
    assert not connection.raw
    connection.close()


async def test_the_end_of_a_raw_answer_that_came_early_is_remembered(daemon: FakeEngine, pool: Pool) -> None:
    daemon.scripts["/x"] = raw(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nall", close=True)
    connection = await pool.fresh()
    connection.begin(POST, bodiless=False)
    await connection.head()
    await asyncio.sleep(0.05)
    assert connection.hand_over()[1:] == (b"all", True)
    connection.close()


async def test_an_engine_that_is_away_is_told_with_what_to_do(daemon: FakeEngine, pool: Pool) -> None:
    await daemon.stop()
    with pytest.raises(EngineDown, match="no such socket; is the engine up") as caught:
        await get(pool)
    assert caught.value.status == 503
    assert pool.noticed == ["unreachable"]
    daemon.path.touch()
    with pytest.raises(EngineDown, match="nobody listens there"):
        await get(pool)
    daemon.path.unlink()
    await daemon.start()
    daemon.says("/x", {})
    assert await get(pool) == (200, b"{}")


async def test_an_engine_on_tcp(daemon: FakeEngine) -> None:
    daemon.says("/x", {})

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked, answered = await asyncio.open_unix_connection(str(daemon.path))
        answered.write(await reader.readuntil(b"\r\n\r\n"))
        writer.write(await asked.read(4096))
        writer.close()
        answered.close()

    server = await asyncio.start_server(pipe, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = Engine(Address.parse(f"tcp://127.0.0.1:{port}"), Limits(), notice=lambda _: None)
    assert await get(pool) == (200, b"{}")
    server.close()
    with pytest.raises(EngineDown, match="does the engine listen there"):
        await get(pool)


async def test_an_abandoned_answer_closes_its_connection(daemon: FakeEngine, pool: Pool) -> None:
    daemon.scripts["/x"] = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection = await pool.ask(GET, bodiless=False, repeatable=True)
    connection.release()
    await eventually(lambda: not daemon.open)


@pytest.mark.parametrize("text", ["unix:///var/run/docker.sock", "tcp://10.0.0.1:2375", "tcp://[::1]:2375"])
def test_addresses_are_written_as_they_are_read(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "/var/run/docker.sock", "unix://docker.sock", "unix:docker.sock", "tcp://host", "tcp://:2375", "http://h:1",
     "tcp://h:99999", "tcp://h:1/path", "unix:///s?mode=1", "tcp://u@h:1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(ConfigurationError, match="or tcp://HOST:PORT"):
        Address.parse(text)
