"""`sockproxy learn`: from audit files, from a command, and while clients work."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sockproxy.judge import judge, observe
from sockproxy.policy.load import load, loads
from sockproxy.standin import serving
from tests.cli.conftest import Sockproxy
from tests.recording import Sent, judged

OBSERVED = loads("version: 1\nmode: observe\n")
LIST = Sent("l", "GET", "/containers/json", {"Host": "d"}, None, {})
INFO = Sent("i", "GET", "/info", {"Host": "d"}, None, {})


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(judged(LIST, OBSERVED, observe).line * 3 + judged(INFO, OBSERVED, observe).line)
    return path


def test_a_policy_is_learned_from_audit_files(sockproxy: Sockproxy, audit: Path, tmp_path: Path) -> None:
    rotated = tmp_path / "audit.1.gz"
    rotated.write_bytes(gzip.compress(audit.read_bytes()))
    told = sockproxy("learn", "--name", "shop", str(audit), str(rotated))
    assert told.exit_code == 0
    policy = loads(told.stdout)
    assert policy.name == "shop"
    assert policy.rules[0].operations == {"ContainerList", "SystemInfo"}
    assert "# 6 calls" in told.stdout
    assert "proved: all 8 calls are allowed, and each of 2 endpoints and patterns is needed" in told.stderr


def test_a_file_that_is_there_is_not_overwritten(sockproxy: Sockproxy, audit: Path, tmp_path: Path) -> None:
    output = tmp_path / "policy.yaml"
    output.write_text("mine")
    told = sockproxy("learn", "--output", str(output), str(audit))
    assert told.exit_code == 2
    assert "is there already: name another file, or overwrite it with --force" in told.stderr
    assert output.read_text() == "mine"
    assert sockproxy("learn", "--output", str(output), "--force", str(audit)).exit_code == 0
    assert load(output).name == "learned"


def test_what_cannot_be_written_is_printed(sockproxy: Sockproxy, audit: Path, tmp_path: Path) -> None:
    told = sockproxy("learn", "--output", str(tmp_path / "no" / "policy.yaml"), str(audit))
    assert told.exit_code == 2
    assert "No such file or directory; the policy is printed instead" in told.stderr
    assert loads(told.stdout).rules


def test_one_client_s_calls_are_learned_alone(sockproxy: Sockproxy, audit: Path) -> None:
    audit.write_bytes(audit.read_bytes() + judged(INFO, OBSERVED, observe).line.replace(b'"anyone"', b'"cron"'))
    told = sockproxy("learn", "--client", "cron", str(audit))
    assert loads(told.stdout).rules[0].operations == {"SystemInfo"}
    assert "Learned from 1 call: cron 1." in told.stdout


def test_refused_calls_are_counted(sockproxy: Sockproxy, audit: Path) -> None:
    audit.write_bytes(audit.read_bytes() + judged(INFO, load("traefik"), judge).line + b"rubbish\n")
    told = sockproxy("learn", str(audit))
    assert "not learned from: 1 calls that were refused when they were recorded" in told.stderr
    assert "1 line is no audit line of sockproxy's, and was left out; the first: line 6: no JSON" in told.stderr


def test_where_all_was_refused_it_says_how_to_record(sockproxy: Sockproxy, audit: Path) -> None:
    audit.write_bytes(judged(INFO, load("traefik"), judge).line)
    told = sockproxy("learn", str(audit))
    assert told.exit_code == 2
    assert "record with `sockproxy run --observe`, which lets it go on" in told.stderr


def test_a_file_of_something_else_is_said_to_be(sockproxy: Sockproxy, audit: Path) -> None:
    audit.write_bytes(b'{"log": "x"}\n')
    told = sockproxy("learn", str(audit))
    assert told.exit_code == 2
    assert f"no audit line of sockproxy's in {audit}: line 1: no audit line of sockproxy's: it has no" in told.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["learn", "/no/such/file"], "No such file or directory"),
        (["learn", "--", ], "nothing stands behind `--`"),
        (["learn", "audit.jsonl", "--", "docker", "ps"], "learn from one or the other"),
        (["learn", "/dev/null"], "nothing was seen that needs a rule"),
    ],
)  # fmt: skip
def test_a_mistake_is_told(sockproxy: Sockproxy, words: list[str], said: str) -> None:
    told = sockproxy(*words)
    assert told.exit_code == 2
    assert said in told.stderr


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "engine.sock"
    async with serving(path):
        yield path


CLIENT = """
import http.client, os, socket, sys
path = os.environ["DOCKER_HOST"].removeprefix("unix://")
assert "DOCKER_CONTEXT" not in os.environ
for target in sys.argv[2:]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(f"GET {target} HTTP/1.1\\r\\nHost: d\\r\\nConnection: close\\r\\n\\r\\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        print(answer.status, len(answer.read()) > 0)
sys.exit(int(sys.argv[1]))
"""


async def _learn(*words: str | Path) -> subprocess.CompletedProcess[str]:
    import asyncio

    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOCKPROXY_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sockproxy", "learn", *map(str, words)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment | {"DOCKER_CONTEXT": "elsewhere"},
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return subprocess.CompletedProcess(words, process.returncode, out.decode(), err.decode())


async def test_a_command_is_watched_to_its_end(daemon: Path, tmp_path: Path) -> None:
    clients, output, audit = (tmp_path / name for name in ("p.sock", "policy.yaml", "audit.jsonl"))
    options = ("--engine", f"unix://{daemon}", "--listen", f"unix://{clients}", "-o", output, "--audit", audit)
    done = await _learn(*options, "--", sys.executable, "-c", CLIENT, "0", "/info", "/containers/web/json", "/nowhere")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["200", "True", "200", "True", "403", "True"]
    policy = load(output)
    assert {name for rule in policy.rules for name in rule.operations} == {"SystemInfo", "ContainerInspect"}
    (looked,) = [rule for rule in policy.rules if "ContainerInspect" in rule.operations]
    assert [pattern.text for pattern in looked.only["container"]] == ["web"]
    # What it did is in the audit log, too, and the same is learned from that.
    again = await _learn(audit)
    assert {name for rule in loads(again.stdout).rules for name in rule.operations} == {
        "SystemInfo",
        "ContainerInspect",
    }


async def test_a_command_that_fails_is_said_and_what_it_did_is_learned(daemon: Path, tmp_path: Path) -> None:
    clients = tmp_path / "p.sock"
    options = ("--engine", f"unix://{daemon}", "--listen", f"unix://{clients}")
    done = await _learn(*options, "--", sys.executable, "-c", CLIENT, "3", "/info")
    assert done.returncode == 1
    assert "GET /info" in done.stdout
    missing = await _learn(*options, "--", "/no/such/command")
    assert missing.returncode == 2
    assert "cannot run `/no/such/command`: No such file or directory" in missing.stderr


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
async def test_clients_are_watched_until_it_is_ended(daemon: Path, tmp_path: Path, ended_by: signal.Signals) -> None:
    import asyncio

    clients, output = tmp_path / "p.sock", tmp_path / "policy.yaml"
    command = [
        sys.executable,
        "-m",
        "sockproxy",
        "learn",
        "--engine",
        f"unix://{daemon}",
        "--listen",
        f"unix://{clients}",
    ]
    process = subprocess.Popen(  # noqa: ASYNC220 - it is waited for in a thread
        [*command, "-o", str(output)], stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while not _answers(clients):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CLIENT, "0", "/info"),
            env={"DOCKER_HOST": f"unix://{clients}", "PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL,
        )
        assert await client.wait() == 0
        process.send_signal(ended_by)
        _, told = await asyncio.to_thread(process.communicate, timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, told
    assert "OBSERVING, NOT ENFORCING" in told or "observing on" in told
    assert "proved: all 1 calls" in told
    assert load(output).rules[0].operations == {"SystemInfo"}


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0
