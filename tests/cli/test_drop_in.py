"""`sockproxy run` in a classic proxy's place: its variables, as a process of its own in front of the pretend engine."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Spawn
from tests.cli.test_run import ANY, StandinThread, ask, said


@pytest.fixture
def engine_socket(tmp_path: Path) -> Iterator[Path]:
    standin = StandinThread(tmp_path / "engine.sock")
    standin.start()
    yield standin.path
    standin.stop()


def started(spawn: Spawn, *words: str, **variables: str) -> tuple[subprocess.Popen[str], int, str]:
    """The process, its port, and what it said up to listening."""
    process = spawn("run", *ANY, "--admin", "none", "--audit", "/dev/null", *words, env=variables)
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if match := re.search(r"listening on tcp://127\.0\.0\.1:(\d+)", line):
            return process, int(match[1]), "".join(lines)
    pytest.fail(f"it never listened, but said:\n{''.join(lines)}")


def test_the_variables_are_the_policy_and_the_socket_s_path_the_engine(spawn: Spawn, engine_socket: Path) -> None:
    _, port, log = started(spawn, CONTAINERS="1", POST="0", VERSION="0", SOCKET_PATH=str(engine_socket))
    answers = {
        "GET /v1.41/containers/json": 200,
        "GET /containers/web/json": 200,
        "GET /_ping": 200,
        "GET /version": 403,
        "GET /images/json": 403,
        "POST /containers/web/stop": 403,
        "GET /containers/web/attach/ws": 403,
        "DELETE /containers/web": 403,
    }
    assert {request: ask(port, request.split()[1], request.split()[0])[0] for request in answers} == answers
    assert (
        "no policy is named, and variables of a classic proxy are set (CONTAINERS=1 POST=0 VERSION=0): they are the"
        " policy, as Tecnativa's docker-socket-proxy up to v0.5 reads them" in log
    )
    assert "see `sockproxy migrate`" in log
    assert "policy `migrated`" in log


def test_with_post_containers_are_made_but_not_with_the_host_in_them(spawn: Spawn, engine_socket: Path) -> None:
    _, port, _ = started(spawn, CONTAINERS="1", POST="1", SOCKET_PATH=str(engine_socket))
    assert create(port, {"Image": "busybox"})[0] == 201
    status, body = create(port, {"Image": "busybox", "HostConfig": {"Binds": ["/etc:/etc"]}})
    assert status == 403
    assert b"in rule `containers` (policy.yaml:8) write: grant: {bind: /etc}" in body


def create(port: int, body: dict[str, Any]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/containers/create", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_dialect_is_chosen(spawn: Spawn, engine_socket: Path) -> None:
    variables = {"POST": "0", "ALLOW_STOP": "1", "SOCKET_PATH": str(engine_socket)}
    _, port, log = started(spawn, **variables)
    assert ask(port, "/containers/web/stop", "POST")[0] == 403
    assert "`ALLOW_STOP` gives nothing while POST is 0; linuxserver's gives it all the same" in log
    _, port, log = started(spawn, SOCKPROXY_DIALECT="linuxserver", **variables)
    assert ask(port, "/containers/web/stop", "POST")[0] == 204
    assert "gives nothing" not in log


def test_what_is_said_expressly_comes_first(spawn: Spawn, engine_socket: Path) -> None:
    variables = {"CONTAINERS": "1", "SOCKET_PATH": "/no/such.sock", "SOCKPROXY_ENGINE": f"unix://{engine_socket}"}
    _, port, log = started(spawn, "--policy", "traefik", **variables)
    assert "classic" not in log
    assert ask(port, "/containers/json")[0] == 200
    _, port, log = started(spawn, **variables)
    assert "variables of a classic proxy are set" in log
    assert ask(port, "/containers/json")[0] == 200


def test_a_hangup_leaves_the_policy_of_the_variables(spawn: Spawn, engine_socket: Path) -> None:
    process, port, _ = started(spawn, INFO="1", SOCKET_PATH=str(engine_socket))
    assert ask(port, "/info")[0] == 200
    process.send_signal(signal.SIGHUP)
    said(process, r"policy `migrated` is in force: .*\(unchanged\)")
    assert ask(port, "/info")[0] == 200
    assert ask(port, "/containers/json")[0] == 403


def test_the_level_is_the_classic_one_s_and_the_shout_is_heard_at_any(spawn: Spawn, engine_socket: Path) -> None:
    variables = {"INFO": "1", "LOG_LEVEL": "emerg", "SOCKET_PATH": str(engine_socket)}
    process = spawn("run", *ANY, "--admin", "none", "--audit", "/dev/null", env=variables)
    said(process, "it gives 2 endpoints and no power over the host")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert "listening" not in err


def test_where_it_listens_is_said_where_nobody_chose(spawn: Spawn) -> None:
    process = spawn("run", env={"INFO": "1", "SOCKET_PATH": "/no/such.sock"})
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert (
        "this on tcp://127.0.0.1:2375 alone: say otherwise with --listen tcp://0.0.0.0:2375 (SOCKPROXY_LISTEN)" in err
    )
    assert "cannot reach the engine at unix:///no/such.sock" in err


def test_a_variable_that_is_not_known_is_exit_code_2(spawn: Spawn) -> None:
    process = spawn("run", *ANY, env={"CONTAINERS": "1", "ALLOW_RESUME": "1"})
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert err == "sockproxy: `ALLOW_RESUME` is no variable of a classic proxy (did you mean ALLOW_UNPAUSE?)\n"
