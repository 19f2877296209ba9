"""`sockproxy run` and `sockproxy health`, as processes of their own in front of the pretend engine."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockproxy.standin import serving
from tests.cli.conftest import Sockproxy, Spawn

Write = Callable[..., Path]


class StandinThread:
    """The pretend engine, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._done = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))

    async def _serve(self) -> None:
        async with serving(self.path):
            self._up.set()
            await self._done.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(10)

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._done.set)
            self._thread.join(10)
            self._loop.close()


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandinThread]:
    standin = StandinThread(tmp_path / "engine.sock")
    standin.start()
    yield standin
    standin.stop()


@pytest.fixture
def engine_socket(standin: StandinThread) -> Path:
    return standin.path


def said(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Read its standard error up to a line that fits; what came before is in the failure."""
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if match := re.search(pattern, line):
            return match
    pytest.fail(f"it never said {pattern!r}, but:\n{''.join(lines)}")


def ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def started(
    spawn: Spawn, engine: Path, *words: str, env: dict[str, str] | None = None
) -> tuple[subprocess.Popen[str], int]:
    process = spawn("run", "--engine", f"unix://{engine}", *words, env=env)
    listening = said(process, r"listening on tcp://127\.0\.0\.1:(\d+)")
    return process, int(listening[1])


ANY = ("--listen", "tcp://127.0.0.1:0")


def test_without_a_policy_it_is_read_only_and_the_audit_log_is_on_stdout(spawn: Spawn, engine_socket: Path) -> None:
    process, port = started(spawn, engine_socket, *ANY, "--admin", "none")
    said(process, "no road to the host")
    assert ask(port, "/v1.41/containers/json")[0] == 200
    assert ask(port, "/containers/web/stop", "POST")[0] == 403
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    assert {(each["operation"], each["verdict"]) for each in records} == {
        ("ContainerList", "allow"),
        ("ContainerStop", "deny"),
    }


def test_variables_stand_for_options(spawn: Spawn, engine_socket: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    env = {
        "SOCKPROXY_POLICY": "traefik",
        "SOCKPROXY_ENGINE": f"unix://{engine_socket}",
        "SOCKPROXY_LISTEN": f"tcp://127.0.0.1:0, unix://{tmp_path}/proxy.sock?mode=0600",
        "SOCKPROXY_AUDIT": f"{one} {two}",
        "SOCKPROXY_ADMIN": "none",
        "DOCKER_HOST": "tcp://192.0.2.1:2375",
    }
    process = spawn("run", env=env)
    match = said(process, rf"policy `traefik`.* listening on tcp://127\.0\.0\.1:(\d+), unix://{tmp_path}/proxy\.sock")
    assert ask(int(match[1]), "/v1.41/images/json")[0] == 403
    assert one.read_text() == two.read_text() != ""


def test_at_start_it_says_what_the_policy_gives_away_and_to_whom(spawn: Spawn, engine_socket: Path) -> None:
    process = spawn(
        *("run", "--engine", f"unix://{engine_socket}", "--policy", "jenkins-agent", "--admin", "none"),
        *("--listen", "tcp://0.0.0.0:0", "--audit", "/dev/null"),
    )
    said(process, "can reach the whole host by a symbolic link")
    said(process, "everyone who can connect to it has the policy")


def test_with_the_host_s_root_it_says_no_more_of_links(spawn: Spawn, engine_socket: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules: [{id: a, allow: POST /containers/create, grant: {bind: /srv/ci/**}}]\n")
    words = (*ANY, "--policy", str(policy), "--admin", "none", "--audit", "/dev/null")
    process = spawn("run", "--engine", f"unix://{engine_socket}", *words, env={"SOCKPROXY_HOST_ROOT": "/"})
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if "between sockproxy's look and the engine's mount" in line:
            break
    shown = "".join(lines)
    assert "leaves `restart` free" in shown
    assert "one plants a link" not in shown


def test_a_host_s_root_that_is_not_there_is_said_with_exit_code_2(spawn: Spawn, engine_socket: Path) -> None:
    process = spawn("run", "--engine", f"unix://{engine_socket}", *ANY, "--host-root", "/no/such/folder")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert "the host's root `/no/such/folder` cannot be used: No such file or directory" in err


def test_a_port_in_use_is_said_with_exit_code_2(spawn: Spawn, engine_socket: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = spawn("run", "--engine", f"unix://{engine_socket}", "--listen", f"tcp://127.0.0.1:{port}")
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert f"cannot listen on tcp://127.0.0.1:{port}" in err
    assert "Traceback" not in err


def test_a_hangup_swaps_the_policy_whole_or_not_at_all(spawn: Spawn, engine_socket: Path, policy: Write) -> None:
    text = "version: 1\nname: swapped\nrules:\n  - id: look\n    allow: GET {}\n"
    path = policy(text.format("/info"))
    process, port = started(
        spawn, engine_socket, *ANY, "--admin", "none", "--policy", str(path), "--audit", "/dev/null"
    )
    assert ask(port, "/info")[0] == 200
    policy(text.format("/nonsense"))
    process.send_signal(signal.SIGHUP)
    said(process, "the new policy is not in force")
    assert ask(port, "/info")[0] == 200
    policy(text.format("/volumes"))
    process.send_signal(signal.SIGHUP)
    said(process, "policy `swapped` is in force")
    assert ask(port, "/info")[0] == 403
    assert ask(port, "/volumes")[0] == 200


def test_a_hangup_right_at_the_start_is_not_lost(spawn: Spawn, engine_socket: Path, policy: Write) -> None:
    path = policy("version: 1\nname: early\nrules:\n  - id: look\n    allow: GET /info\n")
    process, port = started(
        spawn, engine_socket, *ANY, "--admin", "none", "--policy", str(path), "--audit", "/dev/null"
    )
    process.send_signal(signal.SIGHUP)  # the moment that it says where it listens
    said(process, r"policy `early` is in force: .*\(unchanged\)")
    assert ask(port, "/info")[0] == 200


def test_health_is_well_while_the_engine_is_there(spawn: Spawn, sockproxy: Sockproxy, standin: StandinThread) -> None:
    process, _ = started(spawn, standin.path, *ANY, "--admin", "tcp://127.0.0.1:0", "--audit", "/dev/null")
    admin = said(process, r"live page: http://(127\.0\.0\.1:\d+)")[1]
    well = sockproxy("health", "--admin", f"tcp://{admin}")
    assert (well.exit_code, well.output) == (0, "healthy\n")
    assert sockproxy("health", env={"SOCKPROXY_ADMIN": f"tcp://0.0.0.0:{admin.split(':')[1]}"}).exit_code == 0
    standin.stop()
    ill = sockproxy("health", "--admin", f"tcp://{admin}")
    assert ill.exit_code == 1
    assert re.fullmatch(r"not healthy: .*engine.*\n", ill.stderr)
    assert sockproxy("health", "--live", "--admin", f"tcp://{admin}").exit_code == 0


def test_health_of_a_stranger(sockproxy: Sockproxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]

        def greet() -> None:
            with stranger.accept()[0] as connection:
                connection.recv(1024)
                connection.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        result = sockproxy("health", "--admin", f"tcp://127.0.0.1:{port}")
        thread.join()
    assert result.exit_code == 1
    assert result.stderr == f"not healthy: no answer from 127.0.0.1:{port} (it speaks no HTTP)\n"


def test_health_of_nobody(sockproxy: Sockproxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = sockproxy("health", "--admin", f"tcp://127.0.0.1:{port}")
    assert result.exit_code == 1
    assert result.stderr == f"not healthy: no answer from 127.0.0.1:{port} ([Errno 111] Connection refused)\n"
