"""What a client may say, and when: conversations on raw sockets with an app of the test's own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from sockproxy.errors import Refusal
from sockproxy.proxy.edge import EXTENSION, Exchange
from tests.proxy.conftest import Connect, Talk, edge, eventually

GET = "GET /x HTTP/1.1\r\nHost: d\r\n\r\n"


class App:
    """Answers with the method, the target and the body; refuses what the edge could not read."""

    def __init__(self) -> None:
        self.seen: list[Exchange] = []
        self.cancelled = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        exchange: Exchange = scope["extensions"][EXTENSION]
        self.seen.append(exchange)
        try:
            await self.answer(exchange, receive, send)
        except Refusal as fault:
            await say(send, fault.status, fault.message.encode())
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
        if exchange.fault is not None:
            raise exchange.fault
        assert exchange.head is not None
        body = await whole(receive) if not exchange.read_whole or exchange.bytes_in else b""
        await say(send, 200, b" ".join((exchange.head.method, exchange.head.target, body)))


async def whole(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message["body"])
        more = message["more_body"]
    return b"".join(parts)


async def say(send: Any, status: int, body: bytes) -> None:
    headers = [(b"Content-Length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Refuses(App):
    async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
        await say(send, 403, b"no")


class Silent(App):
    async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
        exchange.endless = True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()


class Late(App):
    """Waits until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
        await self.go.wait()
        await super().answer(exchange, receive, send)


async def test_one_connection_serves_many_requests(connect: Connect) -> None:
    async with edge(App()) as address:
        talk = await connect(address)
        for _ in range(3):
            await talk.say(GET)
            assert await talk.answer() == (200, {"content-length": "7"}, b"GET /x ")


async def test_a_head_may_come_a_byte_at_a_time(connect: Connect) -> None:
    async with edge(App()) as address:
        talk = await connect(address)
        for byte in GET:
            await talk.say(byte)
            await asyncio.sleep(0)
        assert (await talk.answer())[2] == b"GET /x "


async def test_requests_that_come_together_are_answered_in_turn(connect: Connect) -> None:
    async with edge(App()) as address:
        talk = await connect(address)
        await talk.say(GET + "POST /y HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\nhi" + GET)
        assert [(await talk.answer())[2] for _ in range(3)] == [b"GET /x ", b"POST /y hi", b"GET /x "]


async def test_an_empty_line_before_a_request_is_let_pass(connect: Connect) -> None:
    async with edge(App()) as address:
        talk = await connect(address)
        await talk.say("\r\n" + GET)
        assert (await talk.answer())[0] == 200


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        (("\r", "\n" + GET), 200),
        (("\r\n", GET), 200),
        (("\r\n", "\r\n", GET), 400),
        (("\r\n\r\n" + GET,), 400),
        (("\r\n\r", "\n" + GET), 400),
    ],
)
async def test_one_is_and_two_are_not_however_they_are_cut(
    connect: Connect, pieces: tuple[str, ...], status: int
) -> None:
    async with edge(App()) as address:
        talk = await connect(address)
        for piece in pieces:
            await talk.say(piece)
            await asyncio.sleep(0.02)
        assert (await talk.answer())[0] == status


@pytest.mark.parametrize(
    "body",
    [
        "Content-Length: 11\r\n\r\nhello world",
        "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n",
    ],
)
async def test_a_body_is_read_to_its_end_and_no_further(connect: Connect, body: str) -> None:
    async with edge(App()) as address:
        talk = await connect(address)
        await talk.say("POST /y HTTP/1.1\r\nHost: d\r\n" + body + GET)
        assert (await talk.answer())[2] == b"POST /y hello world"
        assert (await talk.answer())[2] == b"GET /x "


async def test_trailers_are_refused(connect: Connect) -> None:
    async with edge(App()) as address:
        talk = await connect(address)
        await talk.say("POST /y HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: evil\r\n\r\n" + GET)
        status, headers, body = await talk.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert b"trailers" in body
        assert await talk.rest() == b""


@pytest.mark.parametrize(
    "head",
    [
        "GET /x HTTP/1.1\nHost: d\n\n\r\n\r\n",
        "GET /x HTTP/1.1\nHost: d\n\n",
        "GET /x HTTP/1.1\r\nHost: d\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /x HTTP/1.1\r\n\r\n" + GET,
    ],
)
async def test_what_is_no_request_is_answered_and_the_connection_closed(connect: Connect, head: str) -> None:
    app = App()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say(head)
        status, headers, _ = await talk.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert await talk.rest() == b""
    assert len(app.seen) == 1


async def test_a_head_beyond_the_limit_is_refused_and_not_held(connect: Connect) -> None:
    app = App()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say("GET /x HTTP/1.1\r\nHost: d\r\n")
        for _ in range(100):
            await talk.say("X-Long: " + "y" * 100_000 + "\r\n")
        assert (await talk.answer())[0] == 431
    assert len(app.seen) == 1


async def test_a_head_that_does_not_come_to_an_end_is_cut_off(connect: Connect) -> None:
    async with edge(App(), head_seconds=0.2) as address:
        talk = await connect(address)
        await talk.say("GET /x HTTP/1.1\r\n")
        await asyncio.sleep(0.1)
        await talk.say("Host: d\r\n")
        assert (await talk.answer())[0] == 408
        assert await talk.rest() == b""


async def test_the_clock_of_a_head_does_not_run_on_after_it(connect: Connect) -> None:
    async with edge(App(), head_seconds=0.1) as address:
        talk = await connect(address)
        await talk.say(GET[:5])
        await talk.say(GET[5:])
        assert (await talk.answer())[0] == 200
        await asyncio.sleep(0.2)
        await talk.say(GET)
        assert (await talk.answer())[0] == 200


async def test_an_idle_connection_is_closed_after_its_time(connect: Connect) -> None:
    async with edge(App(), idle_seconds=0.2) as address:
        talk = await connect(address)
        await talk.say(GET)
        await talk.answer()
        await asyncio.sleep(0.1)
        await talk.say(GET)
        await talk.answer()
        assert await talk.rest() == b""


async def test_a_busy_connection_is_not_idle(connect: Connect) -> None:
    app = Late()
    async with edge(app, idle_seconds=0.05) as address:
        talk = await connect(address)
        await talk.say(GET)
        await asyncio.sleep(0.3)
        app.go.set()
        assert (await talk.answer())[0] == 200


async def test_one_connection_too_many_is_told_so(connect: Connect) -> None:
    async with edge(App(), connections=2) as address:
        first, second, third = [await connect(address) for _ in range(3)]
        for talk in (first, second):
            await talk.say(GET)
            assert (await talk.answer())[0] == 200
        await third.say(GET)
        assert (await third.answer())[0] == 503
        first.hang_up()
        await asyncio.sleep(0.05)
        fourth = await connect(address)
        await eventually(third.reader.at_eof)
        third.hang_up()
        await asyncio.sleep(0.05)
        await fourth.say(GET)
        assert (await fourth.answer())[0] == 200


async def test_the_body_is_asked_for_only_when_it_is_read(connect: Connect) -> None:
    head = "POST /y HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    async with edge(App()) as address:
        talk = await connect(address)
        await talk.say(head)
        await talk.hears("HTTP/1.1 100 Continue\r\n\r\n")
        await talk.say("hi")
        assert (await talk.answer())[2] == b"POST /y hi"
    async with edge(Refuses()) as address:
        talk = await connect(address)
        await talk.say(head)
        status, headers, _ = await talk.answer()
        assert (status, headers["connection"]) == (403, "close")


async def test_a_refused_body_is_read_on_until_the_answer_is_read(connect: Connect) -> None:
    async with edge(Refuses()) as address:
        talk = await connect(address)
        await talk.say(f"POST /y HTTP/1.1\r\nHost: d\r\nContent-Length: {64 * 2**20}\r\n\r\n")
        for _ in range(64):
            await talk.say(b"x" * 2**20)  # and nothing is read meanwhile
        status, headers, body = await talk.answer()
        assert (status, headers["connection"], body) == (403, "close", b"no")
        assert await talk.rest() == b""


async def test_what_is_read_on_has_an_end(connect: Connect) -> None:
    async with edge(Refuses(), drain_bytes=2**20) as address:
        talk = await connect(address)
        await talk.say(f"POST /y HTTP/1.1\r\nHost: d\r\nContent-Length: {2**40}\r\n\r\n")
        with pytest.raises(ConnectionError):
            await flood(talk)


async def flood(talk: Talk) -> None:
    while True:
        talk.writer.write(b"x" * 2**20)
        await talk.writer.drain()


async def test_a_refused_body_that_stalls_is_not_waited_for(connect: Connect) -> None:
    async with edge(Refuses(), drain_seconds=0.1) as address:
        talk = await connect(address)
        await talk.say("POST /y HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\nx")
        assert (await talk.answer())[0] == 403
        await eventually(talk.reader.at_eof)


async def test_an_upgrade_that_was_not_taken_ends_the_connection(connect: Connect) -> None:
    app = App()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say("POST /y HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\nhi" + GET)
        status, headers, body = await talk.answer()
        assert (status, headers["connection"], body) == (200, "close", b"POST /y hi")
        await talk.say(GET)
        assert await talk.rest() == b""
    assert len(app.seen) == 1


async def test_a_head_answer_has_no_body(connect: Connect) -> None:
    async with edge(App()) as address:
        talk = await connect(address)
        await talk.say(GET.replace("GET", "HEAD") + GET)
        assert (await talk.answer(bodiless=True))[1]["content-length"] == "8"
        assert (await talk.answer())[2] == b"GET /x "


class Streams(App):
    async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})


async def test_an_answer_without_a_length_comes_in_chunks(connect: Connect) -> None:
    async with edge(Streams()) as address:
        talk = await connect(address)
        await talk.say(GET)
        status, headers, body = await talk.answer()
        assert (status, headers, body) == (200, {"transfer-encoding": "chunked"}, b"onetwo")


async def test_http_1_0_is_answered_without_chunks(connect: Connect) -> None:
    async with edge(Streams()) as address:
        talk = await connect(address)
        await talk.say("GET /x HTTP/1.0\r\n\r\n")
        assert await talk.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nonetwo"


async def test_a_silent_client_that_leaves_is_seen_at_once(connect: Connect) -> None:
    app = Silent()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say(GET)
        await talk.head()
        talk.writer.close()
        await eventually(lambda: app.cancelled)


async def test_a_client_that_leaves_before_the_answer_is_seen(connect: Connect) -> None:
    app = Late()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say(GET)
        await eventually(lambda: app.seen)
        talk.writer.close()
        await eventually(lambda: app.cancelled)


async def test_a_client_that_half_closes_after_its_request_gets_its_answer(connect: Connect) -> None:
    async with edge(App()) as address:
        talk = await connect(address)
        await talk.say(GET)
        talk.half_close()
        assert (await talk.answer())[2] == b"GET /x "
        assert await talk.rest() == b""


async def test_a_client_that_leaves_in_its_body_is_gone(connect: Connect) -> None:
    app = App()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say("POST /y HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\nhi")
        await eventually(lambda: app.seen)
        talk.half_close()
        await eventually(lambda: app.cancelled)


class BreaksOff(App):
    async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        exchange.abort()


async def test_a_broken_answer_has_no_clean_end(connect: Connect) -> None:
    async with edge(BreaksOff()) as address:
        talk = await connect(address)
        await talk.say(GET)
        await talk.head()
        assert await talk.rest() == b"4\r\nhalf\r\n"
        talk = await connect(address)
        await talk.say("GET /x HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await talk.rest()


class Fails(App):
    async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
        raise ZeroDivisionError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_app_that_fails_leaves_no_open_connection(connect: Connect) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    async with edge(Fails()) as address:
        talk = await connect(address)
        await talk.say(GET)
        with pytest.raises(ConnectionResetError):
            await talk.rest()


async def test_a_slow_reader_makes_the_app_wait(connect: Connect) -> None:
    written = 0

    class Floods(App):
        async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
            nonlocal written
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1000):
                await send({"type": "http.response.body", "body": b"x" * 2**16, "more_body": True})
                written += 2**16
            await send({"type": "http.response.body"})

    async with edge(Floods()) as address:
        talk = await connect(address)
        talk.writer.transport.pause_reading()
        await talk.say(GET)
        await asyncio.sleep(0.3)
        assert 0 < written < 16 * 2**20
        talk.writer.transport.resume_reading()
        assert len((await talk.answer())[2]) == 1000 * 2**16


async def test_a_slow_app_makes_the_sender_wait(connect: Connect) -> None:
    app = Late()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say(f"POST /y HTTP/1.1\r\nHost: d\r\nContent-Length: {64 * 2**20}\r\n\r\n")
        sender = asyncio.create_task(talk.say(b"x" * 64 * 2**20))
        await asyncio.sleep(0.3)
        assert app.seen[0].held < 2 * 2**20
        app.go.set()
        await sender
        assert len((await talk.answer())[2]) == 64 * 2**20 + 8


async def test_the_peer_of_a_unix_socket_is_vouched_for_by_the_kernel(connect: Connect, tmp_path: Path) -> None:
    app = App()
    async with edge(app, f"unix://{tmp_path}/s") as address:
        talk = await connect(address)
        await talk.say(GET)
        await talk.answer()
    assert (app.seen[0].peer.address, app.seen[0].peer.uid) == (f"unix:{os.getpid()}", os.getuid())


async def test_the_peer_of_a_tcp_connection_is_its_address(connect: Connect) -> None:
    app = App()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say("GET /x HTTP/1.1\r\nHost: d\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n")
        await talk.answer()
        host, port = talk.writer.get_extra_info("sockname")
    assert (app.seen[0].peer.address, app.seen[0].peer.ip) == (f"{host}:{port}", "127.0.0.1")


class TakesOver(App):
    """Echoes what comes, after it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.early: list[tuple[bytes, bool]] = []

    async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
        exchange.hijacking = True
        await self.go.wait()
        taken = exchange.take_over()
        self.early.append((taken.early, taken.ended))
        taken.transport.write(b"HTTP/1.1 101 UPGRADED\r\n\r\n" + taken.early)
        taken.transport.close()


async def test_what_came_behind_an_upgrade_is_handed_over_with_the_socket(connect: Connect) -> None:
    app = TakesOver()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say("POST /y HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\nhi" + GET)
        talk.half_close()
        await asyncio.sleep(0.1)
        app.go.set()
        assert await talk.rest() == b"HTTP/1.1 101 UPGRADED\r\n\r\n" + GET.encode()
    assert app.early == [(GET.encode(), True)]


async def test_a_half_close_before_a_hijack_is_not_a_client_that_left(connect: Connect) -> None:
    app = TakesOver()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say("POST /y HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\n\r\n")
        talk.half_close()
        await asyncio.sleep(0.8)
        app.go.set()
        assert await talk.rest() == b"HTTP/1.1 101 UPGRADED\r\n\r\n"
    assert (app.early, app.cancelled) == ([(b"", True)], 0)


async def test_a_stopping_server_lets_an_answer_end_and_no_more(connect: Connect) -> None:
    app = Late()
    async with edge(app) as address:
        busy, idle = await connect(address), await connect(address)
        await idle.say(GET)
        await busy.say(GET)
        await eventually(lambda: len(app.seen) == 2)
        app.go.set()
        await idle.answer()
        await busy.answer()
        app.go.clear()
        await busy.say(GET)
        await eventually(lambda: len(app.seen) == 3)
        asyncio.get_running_loop().call_later(0.3, app.go.set)
    status, headers, _ = await busy.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert await idle.rest() == b""


async def test_a_stopping_server_does_not_wait_for_an_endless_answer(connect: Connect) -> None:
    app = Silent()
    async with edge(app) as address:
        talk = await connect(address)
        await talk.say(GET)
        await talk.head()
    assert app.cancelled == 1
    assert await talk.rest() == b""


async def test_the_last_answer_waits_for_a_slow_reader(connect: Connect) -> None:
    class Large(App):
        async def answer(self, exchange: Exchange, receive: Any, send: Any) -> None:
            await say(send, 200, b"x" * 16 * 2**20)

    async with edge(Large(), drain_seconds=0.1) as address:
        talk = await connect(address)
        talk.writer.transport.pause_reading()
        await talk.say("GET /x HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(0.5)
        talk.writer.transport.resume_reading()
        assert len((await talk.answer())[2]) == 16 * 2**20


async def test_what_comes_while_the_next_request_waits_stays_in_order(connect: Connect) -> None:
    app = Late()
    async with edge(app) as address:
        talk = await connect(address)
        wire = "".join(f"GET /{number} HTTP/1.1\r\nHost: d\r\n\r\n" for number in range(200))
        await talk.say(wire[:1000])
        await eventually(lambda: app.seen)
        app.go.set()
        for start in range(1000, len(wire), 7):
            await talk.say(wire[start : start + 7])
        assert [(await talk.answer())[2] for _ in range(200)] == [b"GET /%d " % number for number in range(200)]
