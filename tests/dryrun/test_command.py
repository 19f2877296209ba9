"""The command is held to the dry run: by its environment, by what it may be told, and by its time."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from sockproxy.dryrun import CommandMissing, command
from sockproxy.dryrun.command import KEPT, Ended
from sockproxy.errors import ConfigurationError


def ran(
    script: str, *, stdin: int | None = None, seconds: float = 30, variables: dict[str, str] | None = None
) -> Ended:
    """A Python script that is run as a command is."""

    async def run() -> Ended:
        given = {"PATH": os.environ["PATH"], **(variables or {})}
        words = (sys.executable, "-c", script)
        return await command.run(words, variables=given, stdin=stdin, seconds=seconds, stop=asyncio.Event())

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("docker -H unix:///var/run/docker.sock ps", "`-H` names an engine"),
        ("docker -Hunix:///var/run/docker.sock ps", "`-H` names an engine"),
        ("docker --host=tcp://1.2.3.4:2375 ps", "`--host` names an engine"),
        ("docker -l debug --context prod ps", "`--context` names an engine"),
        ("docker --config /x -c prod run x", "`-c` names an engine"),
        ("/usr/bin/docker-compose -H tcp://1.2.3.4:2375 up", "`-H` names an engine"),
        ("sudo docker run x", "`sudo` does not hand DOCKER_HOST on"),
        ("podman run x", "`podman` does not hand DOCKER_HOST on"),
    ],
)
def test_what_would_reach_another_engine_is_not_run(words: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        command.check(words.split())


@pytest.mark.parametrize("words", ["sh -c true", "env docker -H x", "sh"])
def test_what_it_cannot_see_through_is_run(words: str) -> None:
    assert command.check(words.split()).startswith("/")


def test_an_option_behind_the_verb_is_the_verbs_own() -> None:
    # `docker run -c 512` is CPU shares, `-h` a host name.
    with pytest.raises(CommandMissing):
        command.check(["/no/such/docker", "run", "-c", "512", "-h", "web", "alpine"])


def test_nothing_is_no_command() -> None:
    with pytest.raises(ConfigurationError, match="which command"):
        command.check([])


def test_its_environment_names_no_other_engine_and_keeps_the_users_own(tmp_path: Path) -> None:
    given = {
        "HOME": "/home/u",
        "DOCKER_CONFIG": "/home/u/.docker",
        "DOCKER_API_VERSION": "1.40",
        "DOCKER_HOST": "tcp://prod:2376",
        "DOCKER_CONTEXT": "prod",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/certs",
        "BUILDX_BUILDER": "remote",
    }
    made = command.environment("unix:///dry.sock", tmp_path, given)
    assert made == {
        "HOME": "/home/u",
        "DOCKER_CONFIG": "/home/u/.docker",
        "DOCKER_API_VERSION": "1.40",
        "DOCKER_HOST": "unix:///dry.sock",
        "BUILDX_CONFIG": str(tmp_path / "buildx"),
        "DOCKER_CLI_HINTS": "false",
    }


def test_its_terminal_is_one_at_which_nobody_types() -> None:
    script = "import sys; print(sys.stdin.isatty(), repr(sys.stdin.read()), repr(sys.stdin.read()))"
    assert ran(script).output == "True '' ''\n"


def test_what_is_piped_in_is_read(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("typed")
    with (tmp_path / "in").open() as file:
        assert (
            ran("import sys; print(sys.stdin.isatty(), sys.stdin.read())", stdin=file.fileno()).output
            == "False typed\n"
        )


def test_both_of_its_streams_are_kept_in_their_order() -> None:
    script = "import os; [os.write(1 + i % 2, b'%d\\n' % i) for i in range(4)]"
    assert ran(script).output == "0\n1\n2\n3\n"


def test_of_much_output_the_beginning_is_kept() -> None:
    ended = ran("import sys; [sys.stdout.write('x' * 99 + '\\n') for _ in range(100_000)]")
    assert (len(ended.output), ended.shortened, ended.status) == (KEPT, True, 0)


@pytest.mark.parametrize(
    ("script", "status"), [("", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_its_status_is_told(script: str, status: int) -> None:
    assert ran(script).status == status


STUBBORN = """
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_after_its_time_it_is_ended_with_all_that_it_started() -> None:
    began = time.monotonic()
    ended = ran(STUBBORN, seconds=1)
    assert ended.status is None
    assert time.monotonic() - began < 30
    assert ends(int(ended.output))


def test_what_it_leaves_running_is_ended_with_it() -> None:
    script = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"
    ended = ran(script)
    assert ended.status == 0
    assert ends(int(ended.output))


def ends(process: int) -> bool:
    """Whether it ends at once: what it held open is closed a moment before."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":  # dead, and nobody has waited for it yet
            return True
        time.sleep(0.01)
    return False


def test_what_cannot_be_run_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "tool"
    file.write_text("\x00")
    file.chmod(0o755)

    async def run() -> Ended:
        return await command.run((str(file),), variables={}, stdin=None, seconds=1, stop=asyncio.Event())

    with pytest.raises(ConfigurationError, match="cannot be run"):
        asyncio.run(run())
