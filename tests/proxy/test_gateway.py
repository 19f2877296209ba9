"""A request's way through a whole sockproxy, with a small real engine behind it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from sockproxy.proxy.limits import Limits
from tests.proxy.conftest import ID, Connect, House, eventually, request, sockproxy
from tests.proxy.fake_engine import Asked, FakeEngine

LIST = "GET /v1.41/containers/json"
HIJACK = ("Connection: Upgrade", "Upgrade: tcp")


def told(body: bytes) -> str:
    message: str = json.loads(body)["message"]
    return message


# Forwarding -----------------------------------------------------------------------------------------------------------


async def test_what_a_rule_allows_is_built_anew_and_forwarded(house: House) -> None:
    house.daemon.says("/containers/json", [{"Id": ID}], Server="Docker/28", Connection="keep-alive")
    status, headers, body = await house.ask(f"{LIST}?all=1", "User-Agent: Docker-Client/28", "X-Evil: 1", "Cookie: a=b")
    assert (status, json.loads(body)) == (200, [{"Id": ID}])
    assert (headers["server"], headers["api-version"]) == ("Docker/28", "1.51")
    assert "connection" not in headers
    asked = house.daemon.asked[-1]
    assert (asked.method, asked.target) == ("GET", "/v1.41/containers/json?all=1")
    assert [name.lower() for name, _ in asked.headers] == ["host"]


async def test_the_same_request_again_is_judged_as_before(house: House) -> None:
    house.daemon.says("/containers/json", [])
    talk = await house.connect()
    for _ in range(3):
        await talk.say(request(LIST))
        assert (await talk.answer())[0] == 200
    lines = house.lines()
    assert [line["event"] for line in lines] == ["request", "end"] * 3
    assert len({line["id"] for line in lines}) == 3
    assert (
        house.metric("sockproxy_requests_total", client="anyone", operation="ContainerList", verdict="allow", code="")
        == 3
    )


async def test_a_field_that_a_judgement_reads_is_never_remembered_away(house: House) -> None:
    house.daemon.says("/containers/json", [])
    assert (await house.ask(LIST))[0] == 200
    assert (await house.ask(LIST, "Origin: https://evil.example"))[0] == 400
    assert (await house.ask(LIST, "Sec-Fetch-Site: cross-site"))[0] == 400
    assert (await house.ask(LIST))[0] == 200


async def test_json_is_forwarded_as_it_was_read(house: House) -> None:
    house.daemon.says("/containers/create", {"Id": ID}, 201)
    body = '{ "image" : "busybox", "HostConfig": {"Privileged": false, "Binds": null}, "Unknown": 0 }'
    status, _, _ = await house.ask("POST /v1.41/containers/create", "Content-Type: application/json", body=body)
    assert status == 201
    asked = house.daemon.asked[-1]
    assert json.loads(asked.body)["Image"] == "busybox"
    assert b"Unknown" not in asked.body
    assert b"Privileged" not in asked.body or b'"Privileged":false' in asked.body
    assert asked.header("content-type") == "application/json"


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_json_is_judged_however_it_comes(house: House, framing: str) -> None:
    body = b'{"Image":"busybox","HostConfig":{"Privileged":true}}'
    talk = await house.connect()
    if framing == "chunked":
        head = request("POST /containers/create", "Content-Type: application/json", "Transfer-Encoding: chunked")
        await talk.say(head)
        for byte in body:
            await talk.say(b"1\r\n%c\r\n" % byte)
        await talk.say("0\r\n\r\n")
    else:
        await talk.say(request("POST /containers/create", "Content-Type: application/json", body=body))
    status, _, answer = await talk.answer()
    assert status == 403
    assert "HostConfig.Privileged" in told(answer)
    assert house.daemon.targets() == []


async def test_a_call_without_a_version_is_forwarded_at_the_clamp(house: House) -> None:
    house.daemon.says("/containers/json", [])
    await house.ask("GET /containers/json")
    assert house.daemon.targets() == ["GET /v1.48/containers/json"]


async def test_a_container_is_named_by_the_id_that_it_was_judged_for(house: House) -> None:
    house.daemon.says(f"/containers/{ID}/stop", b"", 204)
    assert (await house.ask("POST /v1.41/containers/web/stop?t=1"))[0] == 204
    assert house.daemon.targets()[-1] == f"POST /v1.41/containers/{ID}/stop?t=1"


async def test_what_does_not_exist_is_answered_in_the_engine_s_words(house: House) -> None:
    status, _, body = await house.ask("POST /v1.41/containers/nope/stop")
    assert (status, told(body)) == (404, "no such thing: /containers/nope/json")
    assert house.lines()[-1]["verdict"] == "absent"


async def test_head_is_answered_without_a_body(house: House) -> None:
    house.daemon.scripts[f"/containers/{ID}/archive"] = lambda asked: asked.write(
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 38\r\n\r\n"
    )
    talk = await house.connect()
    for _ in range(2):
        await talk.say(request("HEAD /v1.41/containers/web/archive?path=/x"))
        status, headers, _ = await talk.answer(bodiless=True)
        assert (status, headers["content-length"]) == (404, "38")


async def test_a_stream_s_head_is_passed_on_at_once_and_its_parts_as_they_come(house: House) -> None:
    parts: asyncio.Queue[bytes] = asyncio.Queue()

    @house.daemon.script("/events")
    async def events(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while part := await parts.get():
            await asked.write(b"%x\r\n%b\r\n" % (len(part), part))
        await asked.write(b"0\r\n\r\n")

    talk = await house.connect()
    await talk.say(request("GET /v1.41/events"))
    assert (await talk.head())[0] == 200
    assert house.metric("sockproxy_open_streams", operation="SystemEvents") == 1
    parts.put_nowait(b'{"a":1}\n')
    await talk.hears('8\r\n{"a":1}\n\r\n')
    parts.put_nowait(b"")
    await talk.hears("0\r\n\r\n")
    await eventually(lambda: house.lines()[-1]["event"] == "end")
    assert [line["event"] for line in house.lines()] == ["start", "end"]
    assert house.metric("sockproxy_open_streams", operation="SystemEvents") == 0


@pytest.mark.parametrize("which", [0, 1], ids=["tcp", "unix"])
async def test_a_client_that_leaves_a_silent_stream_is_seen_and_the_engine_told(house: House, which: int) -> None:
    @house.daemon.script("/events")
    async def events(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert await asked.reader.read() == b""
        asked.writer.close()

    talk = await house.connect(which)
    await talk.say(request("GET /v1.41/events"))
    await talk.head()
    before = len(house.daemon.open)
    talk.writer.close()
    await eventually(lambda: len(house.daemon.open) == before - 1)
    await eventually(lambda: house.lines()[-1]["event"] == "end")


async def test_an_answer_without_a_length_is_passed_on_to_its_end(house: House) -> None:
    @house.daemon.script("/containers/json")
    async def until_closed(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")
        asked.writer.close()

    assert (await house.ask(LIST))[2] == b"all of it"


# Versions -------------------------------------------------------------------------------------------------------------


async def test_the_versions_that_clients_read_are_the_clamp_s(house: House) -> None:
    house.daemon.says("/_ping", b"OK")
    assert (await house.ask("HEAD /_ping"))[1]["api-version"] == "1.48"
    _, headers, body = await house.ask("GET /_ping")
    assert (headers["api-version"], body) == ("1.48", b"OK")
    _, _, body = await house.ask("GET /version")
    version = json.loads(body)
    assert (version["ApiVersion"], version["MinAPIVersion"], version["Version"]) == ("1.48", "1.30", "28.0")
    details = version["Components"][0]["Details"]
    assert (details["ApiVersion"], details["MinAPIVersion"], details["Os"]) == ("1.48", "1.30", "linux")


@pytest.mark.parametrize(
    ("version", "words"),
    [("1.24", "client version 1.24 is too old"), ("1.50", "client version 1.50 is too new"), ("1.99", "is too new")],
)
async def test_a_version_out_of_range_is_refused_in_docker_s_words(house: House, version: str, words: str) -> None:
    house.daemon.says("/containers/json", [])
    await house.ask(LIST)
    status, _, body = await house.ask(f"GET /v{version}/containers/json")
    assert status == 400
    assert told(body).startswith("client version")
    assert words in told(body)


async def test_an_engine_that_came_back_as_another_version_is_noticed(house: House) -> None:
    house.daemon.says("/containers/json", [])
    await house.ask("GET /containers/json")
    await house.daemon.stop()
    house.daemon.says("/version", {"ApiVersion": "1.41", "MinAPIVersion": "1.12"})
    await house.daemon.start()
    await house.ask("GET /containers/json")
    assert house.daemon.targets()[-1] == "GET /v1.41/containers/json"
    assert json.loads((await house.ask("GET /version"))[2])["ApiVersion"] == "1.41"


# Refusing -------------------------------------------------------------------------------------------------------------


async def test_a_denial_has_docker_s_shape_and_is_recorded(house: House) -> None:
    status, headers, body = await house.ask("GET /v1.41/swarm")
    assert (status, headers["content-type"]) == (403, "application/json")
    denial = json.loads(body)
    assert "no rule of policy `shell` allows GET /swarm" in denial["message"]
    assert denial["code"] == "no_rule"
    (line,) = house.lines()
    assert (line["event"], line["verdict"], line["code"], line["status"]) == ("request", "deny", "no_rule", 403)
    assert line["id"] == headers["x-sockproxy-id"]
    counted = house.metric(
        "sockproxy_requests_total", client="anyone", operation="SwarmInspect", verdict="deny", code="no_rule"
    )
    assert counted == 1
    assert house.daemon.asked == []


async def test_refused_asks_are_counted_by_their_kind(house: House) -> None:
    body = '{"Image":"busybox","HostConfig":{"Privileged":true,"Binds":["/etc:/etc"]}}'
    status, _, answer = await house.ask("POST /v1.41/containers/create", "Content-Type: application/json", body=body)
    assert status == 403
    assert json.loads(answer)["code"] == "ask_refused"
    assert json.loads(answer)["fix"]
    for kind in ("privileged", "bind"):
        name = "sockproxy_refused_asks_total"
        assert house.metric(name, client="anyone", operation="ContainerCreate", kind=kind) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET /containers/json HTTP/1.1\nHost: d\n\n\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        request("GET /v1.41/containers/../containers/json"),
        request("GET //containers/json"),
        request("GET /v1.41/containers/json?a=%zz"),
        request("GET /v1.041/containers/json"),
        request("POST /v1.41/containers/web/stop", "Content-Type: application/x-www-form-urlencoded", body="t=1"),
    ],
)
async def test_what_is_malformed_is_answered_in_docker_s_shape_and_recorded(house: House, data: bytes) -> None:
    talk = await house.connect()
    await talk.say(data)
    status, headers, body = await talk.answer()
    assert status == 400
    assert json.loads(body)["code"] == "malformed"
    (line,) = house.lines()
    assert (line["code"], line["status"], line["id"]) == ("malformed", 400, headers["x-sockproxy-id"])
    assert house.daemon.targets() == []


async def test_an_unknown_row_is_refused(house: House) -> None:
    status, _, body = await house.ask("POST /v1.41/containers/web/explode")
    assert (status, json.loads(body)["code"]) == (403, "unknown_operation")
    assert house.lines()[-1]["operation"] == "(unknown)"


async def test_a_body_that_is_too_large_is_refused_by_its_length(house: House) -> None:
    talk = await house.connect()
    head = request("POST /containers/create", "Content-Type: application/json", f"Content-Length: {2**30}")
    await talk.say(head)
    status, headers, body = await talk.answer()
    assert (status, headers["connection"], json.loads(body)["code"]) == (413, "close", "too_large")


async def test_a_body_that_is_too_large_is_refused_as_it_comes(house: House) -> None:
    talk = await house.connect()
    await talk.say(request("POST /containers/create", "Content-Type: application/json", "Transfer-Encoding: chunked"))
    for _ in range(80):
        await talk.say(b"10000\r\n" + b" " * 2**16 + b"\r\n")
    assert (await talk.answer())[0] == 413


async def test_json_that_is_too_deep_is_refused(house: House) -> None:
    body = '{"Labels":' + "[" * 100_000 + "]" * 100_000 + "}"
    status, _, answer = await house.ask("POST /containers/create", "Content-Type: application/json", body=body)
    assert (status, json.loads(answer)["code"]) == (413, "too_large")


async def test_a_body_that_does_not_come_is_not_waited_for(
    daemon: FakeEngine, connect: Connect, tmp_path: Path
) -> None:
    async with sockproxy(daemon, connect, tmp_path, limits=Limits(body_seconds=0.2)) as house:
        talk = await house.connect()
        await talk.say(request("POST /containers/create", "Content-Type: application/json", "Content-Length: 10"))
        assert (await talk.answer())[0] == 408


async def test_what_cannot_be_recorded_is_not_done(daemon: FakeEngine, connect: Connect, tmp_path: Path) -> None:
    daemon.says("/containers/json", [])
    async with sockproxy(daemon, connect, tmp_path, audit=("/dev/full",)) as house:
        for line in (LIST, "GET /v1.41/swarm"):
            status, _, body = await house.ask(line)
            assert (status, json.loads(body)["code"]) == (503, "internal")
        assert daemon.targets() == []


async def test_a_fault_of_ours_is_a_denial(house: House) -> None:
    class Broken:
        clients = ()
        name = digest = "broken"

        def client_of(self, peer: object) -> None:
            return None

    house.daemon.says("/containers/json", [])
    house.server.live.policy = Broken()  # type: ignore[assignment]
    status, _, body = await house.ask(LIST)
    assert (status, json.loads(body)["code"]) == (500, "internal")
    assert house.daemon.targets() == []


async def test_a_stranger_is_refused_where_clients_are_named(
    daemon: FakeEngine, connect: Connect, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "version: 1\nname: two\nabout: x\nrules:\n"
        "  - {id: list, allow: GET /containers/json}\n  - {id: events, allow: GET /events}\n"
        "clients:\n  - {name: near, from: 127.0.0.0/8, rules: [list]}\n"
    )
    daemon.says("/containers/json", [])
    async with sockproxy(daemon, connect, tmp_path) as house:
        assert (await house.ask(LIST))[0] == 200
        assert (await house.ask("GET /events"))[0] == 403
        assert {line["client"] for line in house.lines()} == {"near"}
        talk = await house.connect(1)
        await talk.say(request(LIST))
        status, _, body = await talk.answer()
        assert (status, json.loads(body)["code"]) == (403, "unknown_client")


# The engine's faults --------------------------------------------------------------------------------------------------


async def test_an_engine_that_is_away_is_told_and_needs_no_restart(house: House) -> None:
    house.daemon.says("/containers/json", [])
    assert (await house.ask(LIST))[0] == 200
    await house.daemon.stop()
    status, _, body = await house.ask(LIST)
    assert (status, json.loads(body)["code"]) == (503, "engine_down")
    assert "cannot" in told(body)
    assert house.metric("sockproxy_engine_up") == 0
    await house.daemon.start()
    assert (await house.ask(LIST))[0] == 200
    assert house.metric("sockproxy_engine_up") == 1


async def test_an_engine_that_dies_before_its_answer_is_told(house: House) -> None:
    @house.daemon.script("/containers/json")
    async def dies(asked: Asked) -> None:
        asked.writer.close()

    status, _, body = await house.ask(LIST)
    assert (status, json.loads(body)["code"]) == (502, "engine_down")
    assert (house.lines()[-1]["status"], house.lines()[-1]["code"]) == (502, "engine_down")


async def test_an_engine_that_dies_within_its_answer_leaves_no_clean_end(house: House) -> None:
    @house.daemon.script("/containers/json")
    async def dies(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        asked.writer.close()

    talk = await house.connect()
    await talk.say(request(LIST))
    await talk.head()
    assert await talk.rest() == b"4\r\nhalf\r\n"


async def test_a_redirect_is_passed_on_and_never_followed(house: House) -> None:
    house.daemon.says("/containers/json", b"", 301, Location="/v1.41/swarm")
    assert (await house.ask(LIST))[0] == 301
    assert house.daemon.targets() == ["GET /v1.41/containers/json"]


async def test_an_engine_that_changes_the_protocol_unasked_is_not_followed(house: House) -> None:
    house.daemon.scripts["/containers/json"] = lambda asked: asked.write(
        b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    )
    assert (await house.ask(LIST))[0] == 502


# Bodies that stream ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_tar_is_passed_on_as_it_comes(house: House, chunked: bool) -> None:
    house.daemon.says(f"/containers/{ID}/archive", b"")
    line = "PUT /v1.41/containers/web/archive?path=/tmp"
    if chunked:
        talk = await house.connect()
        await talk.say(
            request(line, "Transfer-Encoding: chunked", "Content-Type: application/json") + b"3\r\ntar\r\n0\r\n\r\n"
        )
        status, _, _ = await talk.answer()
    else:
        status, _, _ = await house.ask(line, "Content-Type: text/plain", body="tar")
    assert status == 200
    assert house.daemon.asked[-1].body == b"tar"
    await eventually(lambda: house.lines()[-1]["bytes_in"] == 3)


async def test_an_answer_may_begin_before_its_request_has_ended(house: House) -> None:
    @house.daemon.script("/build")
    async def build(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstep1\r\n")
        await asked.read_body()
        await asked.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(asked.body), asked.body))

    talk = await house.connect()
    await talk.say(request("POST /v1.41/build", "Transfer-Encoding: chunked"))
    assert (await talk.head())[0] == 200
    await talk.hears("5\r\nstep1\r\n")
    await talk.say("3\r\ntar\r\n0\r\n\r\n")
    await talk.hears("3\r\ntar\r\n0\r\n\r\n")


async def test_an_engine_that_refuses_before_the_body_has_come_is_heard(house: House) -> None:
    @house.daemon.script("/build")
    async def refuse(asked: Asked) -> None:
        await asked.answer(400, b'{"message":"no"}', Connection="close")

    talk = await house.connect()
    await talk.say(request("POST /v1.41/build", f"Content-Length: {2**26}"))
    for _ in range(64):
        await talk.say(b"x" * 2**20)
    status, headers, body = await talk.answer()
    assert (status, headers["connection"], told(body)) == (400, "close", "no")


async def test_a_client_that_leaves_in_its_upload_leaves_no_whole_body_behind(house: House) -> None:
    cut = asyncio.Event()

    @house.daemon.script("/build")
    async def build(asked: Asked) -> None:
        try:
            await asked.read_body()
        except asyncio.IncompleteReadError:
            cut.set()
            raise

    talk = await house.connect()
    await talk.say(request("POST /v1.41/build", "Content-Length: 100") + b"x")
    await eventually(house.daemon.targets)
    talk.writer.close()
    await asyncio.wait_for(cut.wait(), 2)


async def test_chunks_that_are_wrong_break_the_upload_off(house: House) -> None:
    house.daemon.says("/build", {})
    talk = await house.connect()
    await talk.say(request("POST /v1.41/build", "Transfer-Encoding: chunked") + b"3\r\ntar\r\nzz\r\n")
    status, _, body = await talk.answer()
    assert (status, json.loads(body)["code"]) == (400, "malformed")


# Hijacks --------------------------------------------------------------------------------------------------------------


async def echo(asked: Asked) -> None:
    await asked.read_body()
    upgrade = asked.header("upgrade")
    if upgrade is None:
        await asked.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")
    else:
        await asked.write(f"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n".encode())
    while data := await asked.reader.read(2**16):
        await asked.write(data)
    await asked.write(b"bye")
    asked.writer.close()


@pytest.fixture
def exec_house(house: House) -> House:
    house.daemon.says("/exec/e1/json", {"ID": "e" * 64, "ContainerID": ID, "ProcessConfig": {"privileged": False}})
    house.daemon.scripts[f"/exec/{'e' * 64}/json"] = house.daemon.scripts["/exec/e1/json"]
    for name in ("e1", "e" * 64):
        house.daemon.scripts[f"/exec/{name}/start"] = echo
    house.daemon.scripts[f"/containers/{ID}/attach"] = echo
    return house


START = ("Content-Type: application/json",)


async def test_a_hijack_is_a_tunnel_once_the_engine_has_said_so(exec_house: House) -> None:
    talk = await exec_house.connect()
    await talk.say(
        request("POST /v1.41/exec/e1/start", *HIJACK, *START, body='{"Detach":false,"Tty":false}') + b"early "
    )
    status, headers = await talk.head()
    assert (status, headers["upgrade"], headers["connection"]) == (101, "tcp", "Upgrade")
    assert headers["x-sockproxy-id"] == exec_house.lines()[-1]["id"]
    await talk.say("late")
    await talk.hears("early late")
    talk.half_close()
    assert await talk.rest() == b"bye"
    await eventually(lambda: exec_house.lines()[-1]["event"] == "end")
    end = exec_house.lines()[-1]
    assert (end["status"], end["bytes_in"] >= 10, end["bytes_out"]) == (101, True, 13)


async def test_a_plain_200_is_a_hijack_too(exec_house: House) -> None:
    talk = await exec_house.connect()
    await talk.say(request("POST /v1.41/exec/e1/start", *START, body='{"Detach":false}'))
    status, headers = await talk.head()
    assert status == 200
    assert "transfer-encoding" not in headers
    await talk.say(request(LIST))
    await talk.hears(request(LIST))
    talk.half_close()
    assert await talk.rest() == b"bye"
    assert exec_house.daemon.targets().count("GET /v1.41/containers/json") == 0


async def test_a_half_close_with_the_request_is_the_end_of_the_input_only(exec_house: House) -> None:
    talk = await exec_house.connect()
    await talk.say(request("POST /v1.41/containers/web/attach?stream=1&stdout=1", *HIJACK, "Content-Length: 0"))
    talk.half_close()
    assert (await talk.head())[0] == 101
    assert await talk.rest() == b"bye"


async def test_a_body_that_comes_after_its_head_is_no_early_input(exec_house: House) -> None:
    talk = await exec_house.connect()
    await talk.say(request("POST /v1.41/exec/e1/start", *HIJACK, *START, "Content-Length: 16"))
    await asyncio.sleep(0.05)
    await talk.say('{"Detach"')
    await asyncio.sleep(0.05)
    await talk.say(":false}input")
    assert (await talk.head())[0] == 101
    await talk.hears("input")


@pytest.mark.parametrize("upgrade", [HIJACK, ()], ids=["upgrade", "plain"])
async def test_a_request_behind_a_failed_hijack_is_never_read(exec_house: House, upgrade: tuple[str, ...]) -> None:
    for name in ("e1", "e" * 64):
        exec_house.daemon.says(f"/exec/{name}/start", {"message": "container is not running"}, 409)
    exec_house.daemon.says("/containers/json", [])
    talk = await exec_house.connect()
    await talk.say(request("POST /v1.41/exec/e1/start", *upgrade, *START, body='{"Detach":false}') + request(LIST))
    status, headers, body = await talk.answer()
    assert (status, told(body)) == (409, "container is not running")
    # The docker command up to 23 takes `Connection: close` for the hijack itself.
    assert headers.get("connection") == (None if upgrade else "close")
    await talk.say(request(LIST))
    assert await talk.rest() == b""
    assert "GET /v1.41/containers/json" not in exec_house.daemon.targets()


async def test_a_request_behind_a_refused_hijack_is_never_read(house: House) -> None:
    house.daemon.says("/containers/json", [])
    talk = await house.connect()
    await talk.say(request("POST /session", "Connection: Upgrade", "Upgrade: h2c") + request(LIST))
    status, headers, _ = await talk.answer()
    assert (status, headers.get("connection")) == (403, None)
    await talk.say(request(LIST))
    assert await talk.rest() == b""
    assert house.daemon.targets() == []


async def test_an_upgrade_where_none_is_possible_is_dropped(house: House) -> None:
    house.daemon.says("/containers/json", [])
    talk = await house.connect()
    await talk.say(request(LIST, *HIJACK) + request("GET /v1.41/events"))
    status, headers, body = await talk.answer()
    assert (status, headers["connection"], body) == (200, "close", b"[]")
    assert await talk.rest() == b""
    asked = house.daemon.asked[-1]
    assert (asked.target, asked.header("upgrade")) == ("/v1.41/containers/json", None)


async def test_an_error_after_the_engine_s_own_hijack_is_an_ordinary_answer(exec_house: House) -> None:
    @exec_house.daemon.script(f"/containers/{ID}/attach")
    async def refuse(asked: Asked) -> None:
        await asked.write(
            b"HTTP/1.1 409 Conflict\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nnot running"
        )
        asked.writer.close()

    talk = await exec_house.connect()
    await talk.say(request("POST /v1.41/containers/web/attach?stream=1", *HIJACK))
    status, headers, body = await talk.answer()
    assert (status, headers.get("connection"), body) == (409, None, b"not running")
    assert await talk.rest() == b""


async def test_a_tunnel_ends_with_the_engine(exec_house: House) -> None:
    @exec_house.daemon.script(f"/containers/{ID}/attach")
    async def short(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nall there is")
        asked.writer.close()

    talk = await exec_house.connect()
    await talk.say(request("POST /v1.41/containers/web/attach?stream=1", *HIJACK))
    await talk.head()
    assert await talk.rest() == b"all there is"


async def test_a_client_that_hangs_up_on_a_unix_socket_ends_its_tunnel(exec_house: House) -> None:
    talk = await exec_house.connect(1)
    await talk.say(request("POST /v1.41/containers/web/attach?stream=1", *HIJACK))
    await talk.head()
    before = len(exec_house.daemon.open)
    talk.hang_up()
    await eventually(lambda: len(exec_house.daemon.open) < before)
    await eventually(lambda: exec_house.lines()[-1]["event"] == "end")


async def test_a_websocket_is_a_tunnel_with_its_own_fields(exec_house: House) -> None:
    exec_house.daemon.scripts[f"/containers/{ID}/attach/ws"] = echo
    talk = await exec_house.connect()
    fields = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==",
        "Sec-WebSocket-Version: 13",
    )
    await talk.say(request("GET /v1.41/containers/web/attach/ws?stream=1", "Origin: http://d", *fields))
    assert (await talk.head())[0] == 101
    asked = exec_house.daemon.asked[-1]
    assert (asked.header("upgrade"), asked.header("sec-websocket-version")) == ("websocket", "13")


async def test_each_hijack_has_a_connection_of_its_own(exec_house: House) -> None:
    exec_house.daemon.says("/containers/json", [])
    await exec_house.ask(LIST)
    pooled = exec_house.daemon.asked[-1].connection
    talk = await exec_house.connect()
    await talk.say(request("POST /v1.41/containers/web/attach?stream=1", *HIJACK))
    await talk.head()
    assert exec_house.daemon.asked[-1].connection != pooled
