"""The pretend engine answers as Docker does where clients look."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import docker
import httpx
import pytest

from sockproxy.standin import World, serving
from sockproxy.standin.process import KEPT, Process
from sockproxy.standin.wire import Spoken
from sockproxy.standin.world import MOST


@dataclass(frozen=True)
class Standin:
    socket: Path
    world: World
    http: httpx.AsyncClient


@pytest.fixture
async def standin(tmp_path: Path) -> AsyncIterator[Standin]:
    socket = tmp_path / "engine.sock"
    async with serving(socket) as world:
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://docker") as http:
            yield Standin(socket, world, http)


async def create(standin: Standin, name: str, *command: str, **more: object) -> str:
    body = {"Image": "busybox", "Cmd": list(command), **more}
    reply = await standin.http.post(f"/containers/create?name={name}", json=body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["Id"])


async def converse(socket: Path, request: str, typed: bytes = b"") -> tuple[str, bytes]:
    """Send a request, then what is typed, then half-close; the head and everything after it."""
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(request.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(typed)
    writer.write_eof()
    rest = await reader.read()
    writer.close()
    return head.decode(), rest


def upgrade(target: str, body: str = "") -> str:
    lines = [f"POST {target} HTTP/1.1", "Host: docker", "Connection: Upgrade", "Upgrade: tcp"]
    return "\r\n".join([*lines, "Content-Type: application/json", f"Content-Length: {len(body)}", "", body])


async def test_its_socket_is_its_owners_alone_and_goes_with_it(tmp_path: Path) -> None:
    socket = tmp_path / "engine.sock"
    async with serving(socket):
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert not socket.exists()


async def test_ping_and_version_say_what_clients_negotiate_with(standin: Standin) -> None:
    ping = await standin.http.get("/_ping")
    assert (ping.text, ping.headers["api-version"], ping.headers["ostype"]) == ("OK", "1.51", "linux")
    assert (await standin.http.head("/_ping")).text == ""
    version = (await standin.http.get("/v1.24/version")).json()
    assert (version["ApiVersion"], version["MinAPIVersion"]) == ("1.51", "1.24")
    assert version["Platform"]["Name"] == "sockproxy's stand-in"


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("/v1.99", "client version 1.99 is too new. Maximum supported API version is 1.51"),
        ("/v1.12", "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your"),
    ],
)
async def test_a_version_out_of_range_is_refused_in_dockers_words(standin: Standin, prefix: str, words: str) -> None:
    reply = await standin.http.get(f"{prefix}/info")
    assert reply.status_code == 400
    assert reply.json()["message"].startswith(words)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nothing", 404, "page not found"),
        ("GET", "/containers/gone/json", 404, "No such container: gone"),
        ("GET", "/images/gone/json", 404, "No such image: gone:latest"),
        ("GET", "/networks/gone", 404, "network gone not found"),
        ("GET", "/volumes/gone", 404, "get gone: no such volume"),
        ("GET", "/exec/gone/json", 404, "No such exec instance: gone"),
        ("DELETE", "/containers/web", 409, "cannot remove container 'web': container is running"),
        ("DELETE", "/networks/host", 403, "host is a pre-defined network"),
        ("GET", "/containers/json?filters=%7B", 400, "bad parameter"),
    ],
)
async def test_what_is_wrong_is_answered_in_dockers_shape(
    standin: Standin, method: str, path: str, status: int, message: str
) -> None:
    reply = await standin.http.request(method, path)
    assert reply.status_code == status
    assert message in reply.json()["message"]


async def test_the_list_holds_what_runs_and_its_filters_narrow_it(standin: Standin) -> None:
    await create(standin, "idle", Labels={"team": "a"})

    async def names(query: str) -> set[str]:
        return {each["Names"][0] for each in (await standin.http.get(f"/containers/json{query}")).json()}

    assert await names("") == {"/web", "/db"}
    assert await names("?all=1") == {"/web", "/db", "/idle"}
    assert await names('?all=1&filters={"label":["team=a"]}') == {"/idle"}
    assert await names('?all=1&filters={"label":{"team":true}}') == {"/idle"}
    assert await names('?filters={"name":["we"]}') == {"/web"}


async def test_a_container_is_found_by_name_id_and_beginning_of_its_id(standin: Standin) -> None:
    identity = await create(standin, "job")
    for reference in ("job", identity, identity[:12]):
        assert (await standin.http.get(f"/containers/{reference}/json")).json()["Id"] == identity


async def test_a_name_is_given_once(standin: Standin) -> None:
    reply = await standin.http.post("/containers/create?name=web", json={"Image": "busybox"})
    assert reply.status_code == 409
    assert 'The container name "/web" is already in use' in reply.json()["message"]


async def test_a_life_from_create_to_removal(standin: Standin) -> None:
    await create(standin, "job", "sleep", "60")
    assert (await standin.http.post("/containers/job/start")).status_code == 204
    assert (await standin.http.post("/containers/job/start")).status_code == 304
    assert (await standin.http.get("/containers/job/json")).json()["State"]["Running"] is True
    assert (await standin.http.post("/containers/job/stop")).status_code == 204
    assert (await standin.http.post("/containers/job/wait")).json() == {"StatusCode": 143}
    assert (await standin.http.delete("/containers/job")).status_code == 204
    assert (await standin.http.get("/containers/job/json")).status_code == 404


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("false", 1)])
async def test_exit_codes_are_the_commands(standin: Standin, command: str, code: int) -> None:
    await create(standin, "job", command)
    await standin.http.post("/containers/job/start")
    assert (await standin.http.post("/containers/job/wait")).json() == {"StatusCode": code}


async def test_wait_sends_its_head_before_the_container_ends(standin: Standin) -> None:
    await create(standin, "job", "sleep", "60")
    async with standin.http.stream("POST", "/containers/job/wait?condition=next-exit") as reply:
        assert reply.status_code == 200
        await standin.http.post("/containers/job/start")
        await standin.http.post("/containers/job/kill")
        assert json.loads(await reply.aread()) == {"StatusCode": 137}


async def test_logs_are_frames_unless_there_is_a_terminal(standin: Standin) -> None:
    for name, tty, expected in (("plain", False, b"\x01\0\0\0\0\0\0\x03hi\n"), ("terminal", True, b"hi\r\n")):
        await create(standin, name, "echo", "hi", Tty=tty)
        await standin.http.post(f"/containers/{name}/start")
        await standin.http.post(f"/containers/{name}/wait")
        assert (await standin.http.get(f"/containers/{name}/logs?stdout=1")).content == expected


async def test_attach_is_a_tunnel_that_knows_half_close(standin: Standin) -> None:
    await create(standin, "job", "cat", OpenStdin=True)

    async def start_when_attached() -> None:
        await asyncio.sleep(0.05)
        await standin.http.post("/containers/job/start")

    starting = asyncio.create_task(start_when_attached())
    target = "/containers/job/attach?stream=1&stdin=1&stdout=1"
    head, rest = await converse(standin.socket, upgrade(target), b"typed\n")
    await starting
    assert head.startswith("HTTP/1.1 101 UPGRADED\r\n")
    assert rest == b"\x01\0\0\0\0\0\0\x06typed\n"


async def test_attach_without_upgrade_is_dockers_raw_200(standin: Standin) -> None:
    await create(standin, "job", "echo", "hi", Tty=True)
    await standin.http.post("/containers/job/start")
    await standin.http.post("/containers/job/wait")
    request = (
        "POST /containers/job/attach?logs=1&stream=1&stdout=1 HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"
    )
    head, rest = await converse(standin.socket, request)
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "Transfer-Encoding" not in head
    assert rest == b"hi\r\n"


async def test_exec_runs_beside_the_container(standin: Standin) -> None:
    made = await standin.http.post("/containers/web/exec", json={"Cmd": ["cat"], "AttachStdin": True})
    identity = made.json()["Id"]
    head, rest = await converse(standin.socket, upgrade(f"/exec/{identity}/start", '{"Tty": false}'), b"x")
    assert head.startswith("HTTP/1.1 101 UPGRADED\r\n")
    assert rest == b"\x01\0\0\0\0\0\0\x01x"
    inspected = (await standin.http.get(f"/exec/{identity}/json")).json()
    assert (inspected["ExitCode"], inspected["ContainerID"]) == (0, standin.world.container("web").id)


async def test_events_are_told_as_they_happen(standin: Standin) -> None:
    async with standin.http.stream("GET", "/events") as reply:
        lines = reply.aiter_lines()
        await create(standin, "job", "true")
        await standin.http.post("/containers/job/start")
        seen = [json.loads(await anext(lines)) for _ in range(3)]
    assert [each["Action"] for each in seen] == ["create", "start", "die"]
    assert {each["Actor"]["Attributes"]["name"] for each in seen} == {"job"}


async def test_events_until_a_moment_end_there(standin: Standin) -> None:
    assert (await standin.http.get("/events?until=1")).content == b""


async def test_who_leaves_a_stream_is_let_go(standin: Standin) -> None:
    async with standin.http.stream("GET", "/events"):
        assert len(standin.world._watchers) == 1
    for _ in range(500):
        if not standin.world._watchers:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the follower is still there after 5 s")


async def test_pull_tag_push_and_removal(standin: Standin) -> None:
    pulled = await standin.http.post("/images/create?fromImage=docker.io/library/alpine&tag=3")
    assert "Downloaded newer image for alpine:3" in pulled.text
    assert (await standin.http.post("/images/alpine:3/tag?repo=shop/base&tag=1")).status_code == 201
    names = (await standin.http.get("/images/shop/base:1/json")).json()["RepoTags"]
    assert names == ["alpine:3", "shop/base:1"]
    assert '"Tag": "1"' in (await standin.http.post("/images/shop/base/push?tag=1")).text
    assert (await standin.http.delete("/images/shop/base:1")).json() == [{"Untagged": "shop/base:1"}]
    assert (await standin.http.get("/images/alpine:3/json")).status_code == 200


async def test_a_build_takes_its_context_and_gives_a_name(standin: Standin) -> None:
    async def context() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    reply = await standin.http.post("/build?t=made:1", content=context())
    assert "took 1000000 bytes of context" in reply.text
    assert (await standin.http.get("/images/made:1/json")).status_code == 200


async def test_networks_and_volumes_are_made_and_removed(standin: Standin) -> None:
    assert (await standin.http.post("/networks/create", json={"Name": "shop"})).status_code == 201
    assert (await standin.http.post("/networks/shop/connect", json={"Container": "web"})).status_code == 200
    assert [each["Name"] for each in (await standin.http.get("/networks/shop")).json()["Containers"].values()] == [
        "web"
    ]
    assert (await standin.http.post("/networks/shop/disconnect", json={"Container": "web"})).status_code == 200
    assert (await standin.http.delete("/networks/shop")).status_code == 204
    assert (await standin.http.post("/volumes/create", json={"Name": "v"})).json()["Name"] == "v"
    assert (await standin.http.delete("/volumes/v")).status_code == 204
    assert {each["Name"] for each in (await standin.http.get("/volumes")).json()["Volumes"]} == {"shop_data"}


async def test_what_is_made_is_bounded(standin: Standin) -> None:
    for number in range(MOST - 2):
        standin.world.make_container(f"job-{number}", {"Image": "busybox"})
    reply = await standin.http.post("/containers/create", json={"Image": "busybox"})
    assert reply.status_code == 507
    assert reply.json()["message"] == f"the stand-in keeps at most {MOST} containers"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b'"' + b"x" * (5 << 20) + b'"', 413)],
    ids=["broken", "list", "large"],
)
async def test_a_body_that_is_no_object_or_too_large_is_refused(standin: Standin, body: bytes, status: int) -> None:
    assert (await standin.http.post("/containers/create", content=body)).status_code == status


async def test_bytes_that_are_no_request_are_answered_and_the_connection_ends(standin: Standin) -> None:
    head, _ = await converse(standin.socket, "hello\r\n\r\n")
    assert head.startswith("HTTP/1.1 400 Bad Request\r\n")


async def test_output_keeps_a_bounded_tail() -> None:
    output = Process(["sleep"], tty=False, open_stdin=False).output
    for number in range(100):
        await output.write(1, bytes([number]) * 10_000)
    kept = [data[0] async for _, data in output.reader(follow=False, from_start=True)]
    assert kept == list(range(94, 100))
    assert len(kept) * 10_000 <= KEPT


async def test_output_waits_for_a_reader_rather_than_lose_what_it_has_not_read() -> None:
    output = Process(["sleep"], tty=False, open_stdin=False).output
    reader = output.reader(follow=True, from_start=True)
    await output.write(1, b"a" * KEPT)
    writing = asyncio.create_task(output.write(1, b"b"))
    await asyncio.sleep(0)
    assert not writing.done()
    assert [len(data) for _, data in await output.after(reader)] == [KEPT, 1]
    await writing
    await reader.close()


async def test_a_real_client_finds_its_way(standin: Standin) -> None:
    def work() -> tuple[bytes, int, list[str]]:
        client = docker.DockerClient(base_url=f"unix://{standin.socket}", version="auto")
        try:
            said = client.containers.run("busybox", ["echo", "hello"], remove=True)
            job = client.containers.run("busybox", ["sleep", "9"], detach=True, name="job")
            job.stop()
            code = job.wait()["StatusCode"]
            job.remove()
            return said, code, sorted(each.name for each in client.containers.list())
        finally:
            client.close()

    assert await asyncio.to_thread(work) == (b"hello\n", 143, ["db", "web"])


async def test_what_goes_in_as_a_tar_is_taken_and_nothing_comes_out(standin: Standin) -> None:
    http = standin.http
    stat = await http.head("/containers/web/archive?path=/tmp")
    told = json.loads(base64.b64decode(stat.headers["x-docker-container-path-stat"]))
    assert (told["name"], told["mode"] >> 31, told["linkTarget"]) == ("tmp", 1, "")
    assert (await http.head("/containers/web/archive?path=/tmp/a.txt")).status_code == 404
    assert (await http.put("/containers/web/archive?path=/tmp", content=b"tar")).status_code == 200
    for path in ("/containers/web/archive?path=/etc", "/containers/web/export", "/images/get", "/images/busybox/get"):
        reply = await http.get(path)
        assert (reply.status_code, reply.json()["message"]) == (501, "the stand-in has no files to give")
    assert "loaded nothing" in (await http.post("/images/load", content=b"tar")).text


async def test_commits_and_imports_give_names(standin: Standin) -> None:
    http = standin.http
    made = (await http.post("/commit?container=web&repo=kept&tag=1", json={})).json()["Id"]
    assert (await http.get("/images/kept:1/json")).json()["Id"] == made
    assert (await http.post("/commit?container=gone", json={})).status_code == 404
    assert (await http.post("/images/create?fromSrc=-&repo=imported", content=b"tar")).status_code == 200
    assert (await http.get("/images/imported/json")).status_code == 200


async def test_a_health_check_is_passed(standin: Standin) -> None:
    await create(standin, "sick", "sleep", "9", Healthcheck={"Test": ["CMD", "true"]})
    state = (await standin.http.get("/containers/sick/json")).json()["State"]
    assert state["Health"]["Status"] == "healthy"
    assert "Health" not in (await standin.http.get("/containers/web/json")).json()["State"]


async def test_lists_of_images_networks_and_volumes_know_filters(standin: Standin) -> None:
    http = standin.http
    await http.post("/networks/create", json={"Name": "front", "Labels": {"team": "a"}})

    async def names(path: str) -> list[str]:
        found = (await http.get(path)).json()
        return [each["Name"] for each in (found["Volumes"] if isinstance(found, dict) else found)]

    assert await names('/networks?filters={"label":["team=a"]}') == ["front"]
    assert await names('/networks?filters={"name":{"fro":true}}') == ["front"]
    assert await names('/networks?filters={"driver":["host"]}') == ["host"]
    assert await names('/volumes?filters={"name":["nothing"]}') == []
    assert await names('/volumes?filters={"name":["shop"]}') == ["shop_data"]
    found = (await http.get('/images/json?filters={"reference":{"nginx:1.27":true}}')).json()
    assert [each["RepoTags"] for each in found] == [["nginx:1.27"]]


async def test_prunes_say_what_they_removed(standin: Standin) -> None:
    made = await create(standin, "idle")
    pruned = (await standin.http.post("/containers/prune")).json()
    assert pruned == {"ContainersDeleted": [made], "SpaceReclaimed": 0}
    for noun, key in (("images", "ImagesDeleted"), ("networks", "NetworksDeleted"), ("volumes", "VolumesDeleted")):
        assert (await standin.http.post(f"/{noun}/prune")).json()[key] is None


async def test_one_sample_of_stats_and_the_stream_ends(standin: Standin) -> None:
    (sample,) = [json.loads(line) for line in (await standin.http.get("/containers/web/stats")).text.splitlines()]
    assert (sample["name"], sample["pids_stats"]["current"]) == ("/web", 1)


async def test_an_update_is_seen_by_the_next_inspect(standin: Standin) -> None:
    assert (await standin.http.post("/containers/web/update", json={"Memory": 1 << 26})).json() == {"Warnings": None}
    assert (await standin.http.get("/containers/web/json")).json()["HostConfig"]["Memory"] == 1 << 26


async def test_a_swarm_is_made_used_and_left(standin: Standin) -> None:
    http = standin.http
    assert (await http.get("/services")).status_code == 503
    assert 'Use "docker swarm init"' in (await http.get("/swarm")).json()["message"]
    node = (await http.post("/swarm/init", json={})).json()
    assert (await http.post("/swarm/init", json={})).status_code == 503
    assert (await http.get("/info")).json()["Swarm"]["LocalNodeState"] == "active"
    assert (await http.get(f"/nodes/{node}")).json()["Spec"]["Role"] == "manager"
    made = await http.post(
        "/services/create", json={"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "nginx"}}}
    )
    service = made.json()["ID"]
    assert (await http.post("/services/create", json={"Name": "web"})).status_code == 409
    assert (await http.get("/services/web")).json()["ID"] == service
    (task,) = (await http.get("/tasks")).json()
    assert (task["ServiceID"], task["Status"]["State"]) == (service, "running")
    assert (await http.post("/secrets/create", json={"Name": "key", "Data": "aHVudGVyMg=="})).status_code == 201
    assert "Data" not in (await http.get("/secrets/key")).json()["Spec"]
    assert (await http.delete("/services/web")).status_code == 200
    assert (await http.get("/services/web")).status_code == 404
    assert (await http.post("/swarm/leave")).status_code == 200
    assert (await http.get("/services")).status_code == 503


async def test_the_versions_that_are_spoken_can_be_others(tmp_path: Path) -> None:
    socket = tmp_path / "engine.sock"
    async with serving(socket, World(Spoken("1.41", "1.12"))):
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://docker") as http:
            assert (await http.get("/_ping")).headers["api-version"] == "1.41"
            assert (await http.get("/v1.12/version")).json()["MinAPIVersion"] == "1.12"
            assert (await http.get("/v1.42/version")).status_code == 400


async def test_buildkits_tunnel_is_refused_in_words(standin: Standin) -> None:
    for path in ("/session", "/grpc"):
        reply = await standin.http.post(path)
        assert (reply.status_code, "cannot act out BuildKit" in reply.json()["message"]) == (501, True)
