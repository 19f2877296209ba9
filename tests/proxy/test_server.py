"""A whole sockproxy: what keeps it from starting, what it says, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sockproxy.errors import ConfigurationError, PolicyError
from sockproxy.proxy.server import Settings, running
from tests.proxy.conftest import POLICY, Connect, House, Talk, eventually, request, sockproxy
from tests.proxy.fake_engine import Asked, FakeEngine

LIST = "GET /v1.41/containers/json"


async def start(**settings: Any) -> None:
    async with running(Settings(audit=(), listen=("tcp://127.0.0.1:0",), **settings)):
        pass


async def test_a_missing_engine_socket_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such socket; is the engine up, and is its socket mounted"):
        await start(engine=f"unix://{tmp_path}/none.sock")


async def test_a_folder_in_its_place_says_where_it_came_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="makes a folder of that name"):
        await start(engine=f"unix://{tmp_path}")


async def test_an_engine_that_is_merely_down_is_waited_for(
    daemon: FakeEngine, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with caplog.at_level(logging.WARNING, logger="sockproxy"):
        await start(engine=f"unix://{tmp_path}/dead.sock")
        await start(engine=f"unix://{tmp_path}/none.sock", wait_for_engine=True)
    assert "nobody listens there" in caplog.text
    assert "no such socket" in caplog.text


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not")
def test_a_socket_without_permission_says_which_group_may(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o711)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o660)
        other.listen()
        code = (
            "import os\nfrom sockproxy.proxy.address import Address\nfrom sockproxy.proxy.server import check_engine\n"
            "os.setgid(65534); os.setuid(65534)\n"
            f"check_engine(Address({str(tmp_path / 's')!r}), wait=False)"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "permission denied" in ran.stderr
    assert 'group_add: ["0"]' in ran.stderr


async def test_a_policy_with_mistakes_does_not_start(daemon: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\nname: x\nrules: 7\n")
    with pytest.raises(PolicyError):
        await start(engine=f"unix://{daemon.path}", policy=str(tmp_path / "p.yaml"))


async def test_a_port_in_use_does_not_start_and_leaves_nothing_open(daemon: FakeEngine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        listen = (f"unix://{tmp_path}/s", f"tcp://127.0.0.1:{port}")
        with pytest.raises(ConfigurationError, match="in use"):
            async with running(Settings(engine=f"unix://{daemon.path}", listen=listen, audit=())):
                pass
    assert not (tmp_path / "s").exists()


async def test_a_listener_beyond_loopback_is_warned_of(
    daemon: FakeEngine, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="sockproxy"):
        async with sockproxy(daemon, connect, tmp_path, listen=("tcp://0.0.0.0:0",)):
            pass
    assert "everyone who can connect to it has the policy" in caplog.text


BINDING = """
version: 1
name: shell
rules:
  - id: work
    allow: [POST /containers/create, "POST /containers/{id}/start|restart"]
    grant: {bind: /srv/ci/**}
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A host's root, where somebody has planted a link."""
    top = tmp_path / "host"
    for name in ("etc", "proc", "usr", "var", "srv/ci/a"):
        (top / name).mkdir(parents=True)
    (top / "srv/ci/x").symlink_to("/")
    (top / "srv/ci/here").symlink_to("a")
    (tmp_path / "policy.yaml").write_text(BINDING)
    return top


def binding(source: str) -> str:
    return json.dumps({"Image": "x", "HostConfig": {"Binds": [f"{source}:/h"]}})


JSON = "Content-Type: application/json"
CREATE = "POST /v1.41/containers/create"


async def test_a_link_on_the_host_is_judged_and_forwarded_as_where_it_leads(
    daemon: FakeEngine, connect: Connect, tmp_path: Path, top: Path
) -> None:
    daemon.says("/containers/create", {"Id": "1"}, 201)
    async with sockproxy(daemon, connect, tmp_path, host_root=str(top)) as house:
        status, _, body = await house.ask(CREATE, JSON, body=binding("/srv/ci/x"))
        assert status == 403
        assert "HostConfig.Binds[0] (/srv/ci/x leads there) asks `bind: /`" in json.loads(body)["message"]
        assert all(asked.method == "GET" for asked in daemon.asked)
        assert (await house.ask(CREATE, JSON, body=binding("/srv/ci/here")))[0] == 201
        assert json.loads(daemon.asked[-1].body)["HostConfig"]["Binds"] == ["/srv/ci/a:/h"]


async def test_without_the_host_s_root_it_is_what_it_says(
    daemon: FakeEngine, connect: Connect, tmp_path: Path, top: Path
) -> None:
    daemon.says("/containers/create", {"Id": "1"}, 201)
    async with sockproxy(daemon, connect, tmp_path) as house:
        assert (await house.ask(CREATE, JSON, body=binding("/srv/ci/x")))[0] == 201
        assert json.loads(daemon.asked[-1].body)["HostConfig"]["Binds"] == ["/srv/ci/x:/h"]


@pytest.mark.parametrize("row", ["start", "restart"])
async def test_what_was_swapped_since_is_not_started(
    daemon: FakeEngine, connect: Connect, tmp_path: Path, top: Path, row: str
) -> None:
    """The rule that may start may also bind, so that whoever starts may have planted the link."""
    web = {"Id": "a" * 64, "Name": "/web", "Config": {}, "HostConfig": {"Binds": ["/srv/ci/a/job:/h"]}, "Mounts": []}
    daemon.says("/containers/web/json", web)
    daemon.says(f"/containers/{'a' * 64}/{row}", b"", 204)
    async with sockproxy(daemon, connect, tmp_path, host_root=str(top)) as house:
        assert (await house.ask(f"POST /v1.41/containers/web/{row}"))[0] == 204
        (top / "srv/ci/a/job").symlink_to("/")
        status, _, body = await house.ask(f"POST /v1.41/containers/web/{row}")
        assert (status, "asks `bind: /`" in json.loads(body)["message"]) == (403, True)


async def test_a_host_s_root_that_is_none_does_not_start(daemon: FakeEngine, top: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used: No such file or directory; mount it read-only"):
        await start(engine=f"unix://{daemon.path}", host_root=str(top / "none"))


async def test_one_that_does_not_look_like_it_is_warned_of(
    daemon: FakeEngine, connect: Connect, tmp_path: Path, top: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="sockproxy"):
        async with sockproxy(daemon, connect, tmp_path, host_root=str(top)):
            pass
        assert "the host's root" not in caplog.text
        assert "one plants a link" not in caplog.text
        async with sockproxy(daemon, connect, tmp_path, host_root=str(top / "srv")):
            pass
    assert f"the host's root `{top}/srv` has no etc and no proc and no usr and no var" in caplog.text


async def test_a_new_policy_judges_the_next_request(house: House) -> None:
    house.daemon.says("/containers/json", [])
    assert (await house.ask(LIST))[0] == 200
    house.policy.write_text(POLICY.replace("GET /containers/json", "GET /info"))
    assert house.server.reload()
    assert (await house.ask(LIST))[0] == 403
    assert house.metric("sockproxy_policy_reloads_total", result="ok") == 1


async def test_a_bad_new_policy_changes_nothing(house: House) -> None:
    house.daemon.says("/containers/json", [])
    house.policy.write_text("version: 7")
    assert not house.server.reload()
    assert (await house.ask(LIST))[0] == 200
    assert house.metric("sockproxy_policy_reloads_total", result="failed") == 1


async def test_the_audit_file_is_opened_anew_after_its_rotation(house: House) -> None:
    house.daemon.says("/containers/json", [])
    house.audit.rename(house.audit.with_suffix(".1"))
    await house.ask(LIST)
    house.server.reload()
    assert house.lines() == []
    await house.ask(LIST)
    assert len(house.lines()) == 2


async def test_the_admin_listener_tells_of_engine_and_policy(
    daemon: FakeEngine, connect: Connect, tmp_path: Path
) -> None:
    async with sockproxy(daemon, connect, tmp_path, admin="tcp://127.0.0.1:0") as house:
        assert house.server.admin is not None
        await house.ask("GET /v1.41/swarm")
        async with httpx.AsyncClient(base_url=house.server.admin.replace("tcp:", "http:"), trust_env=False) as admin:
            assert (await admin.get("/healthz")).status_code == 200
            assert (await admin.get("/readyz")).status_code == 200
            assert 'sockproxy_policy_info{digest="' in (await admin.get("/metrics")).text
            page = (await admin.get("/")).text
            assert "shell" in page
            assert "SwarmInspect" in page
            await daemon.stop()
            assert (await admin.get("/readyz")).status_code == 503


# A process of its own -------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def process(
    daemon: FakeEngine, folder: Path, **settings: Any
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    (folder / "policy.yaml").write_text(POLICY)
    chosen = {"policy": f"{folder}/policy.yaml", "engine": f"unix://{daemon.path}", "listen": (f"unix://{folder}/s",),
              "audit": (f"{folder}/audit.log",), **settings}  # fmt: skip
    code = f"from sockproxy.proxy.server import *\nraise SystemExit(run(Settings(**{chosen!r})))"
    made = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE)
    assert made.stderr is not None
    while b"listening on" not in (line := await made.stderr.readline()):
        assert line, "it ended before it listened"
    try:
        yield made, f"unix://{folder}/s"
    finally:
        if made.returncode is None:
            made.kill()
        await made.communicate()


@pytest.fixture
def streaming(daemon: FakeEngine) -> FakeEngine:
    @daemon.script("/events")
    async def events(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asked.reader.read()

    @daemon.script("/containers/json")
    async def slow(asked: Asked) -> None:
        await asyncio.sleep(0.5)
        await asked.answer(200, b"[]")

    return daemon


async def test_a_signal_lets_ordinary_answers_end_and_no_stream_wait(
    streaming: FakeEngine, connect: Connect, tmp_path: Path
) -> None:
    async with process(streaming, tmp_path) as (made, address):
        follower: Talk = await connect(address)
        await follower.say(request("GET /v1.41/events"))
        await follower.head()
        busy: Talk = await connect(address)
        await busy.say(request(LIST))
        await eventually(lambda: any("containers" in target for target in streaming.targets()))
        made.send_signal(signal.SIGTERM)
        assert await follower.rest() == b""
        assert (await busy.answer())[0] == 200
        assert await asyncio.wait_for(made.wait(), 5) == 0
    ends = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines() if '"event":"end"' in line]
    assert {(line["operation"], line["status"]) for line in ends} == {("SystemEvents", 200), ("ContainerList", 200)}
    assert not (tmp_path / "s").exists()


async def test_what_takes_too_long_is_not_waited_for(daemon: FakeEngine, connect: Connect, tmp_path: Path) -> None:
    @daemon.script("/containers/json")
    async def never(asked: Asked) -> None:
        await asked.reader.read()

    async with process(daemon, tmp_path, grace_seconds=1.0) as (made, address):
        talk: Talk = await connect(address)
        await talk.say(request(LIST))
        await eventually(daemon.targets)
        made.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(made.wait(), 5) == 0
    assert '"event":"end"' in (tmp_path / "audit.log").read_text()


async def test_a_second_signal_does_not_wait(daemon: FakeEngine, connect: Connect, tmp_path: Path) -> None:
    @daemon.script("/containers/json")
    async def never(asked: Asked) -> None:
        await asked.reader.read()

    async with process(daemon, tmp_path, grace_seconds=60.0) as (made, address):
        talk: Talk = await connect(address)
        await talk.say(request(LIST))
        await eventually(daemon.targets)
        made.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        made.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(made.wait(), 3) == 130


async def test_sighup_swaps_the_policy_of_a_running_process(
    streaming: FakeEngine, connect: Connect, tmp_path: Path
) -> None:
    async with process(streaming, tmp_path) as (made, address):
        talk: Talk = await connect(address)
        await talk.say(request(LIST))
        assert (await talk.answer())[0] == 200
        (tmp_path / "policy.yaml").write_text(POLICY.replace("GET /containers/json", "GET /info"))
        made.send_signal(signal.SIGHUP)
        await asyncio.sleep(0.3)
        await talk.say(request(LIST))
        assert (await talk.answer())[0] == 403
