"""What real clients do is learned while they do it; the policy then lets the same work pass, and nothing else.

Each piece of work is done twice under other names: in front of `sockproxy learn`, and through a proxy that enforces what
was learned. What was never asked for is refused by it.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sockproxy.policy.load import load
from tests.engine import test_builds, test_cli, test_compose
from tests.engine.conversation import with_context
from tests.engine.disposable import IMAGE, LABEL, PREFIX, Engine
from tests.engine.docker_cli import Docker
from tests.engine.proxies import COMMAND, PATIENCE, Proxy, running
from tests.engine.test_clients import CLIENTS, spoken

Work: TypeAlias = Callable[[Docker, Path], None]

LINES = 100
"""Two screens."""


def session(docker: Docker, _folder: Path) -> None:
    """A person's hour with the docker command."""
    for name in (
        *("version", "info", "lists", "inspects", "run_removed", "run_with_settings", "run_piped"),
        *("run_detached_and_all_that_follows", "exec_at_a_terminal", "attach", "logs_followed", "copied"),
        *("images_named_and_removed", "networks_and_volumes"),
    ):
        if name in test_cli.EVERYWHERE:
            test_cli.EVERYWHERE[name](docker)


def compose(docker: Docker, folder: Path) -> None:
    """A project brought up and taken down."""
    (folder / "compose.yaml").write_text(json.dumps(test_compose.PROJECT))
    for line in (
        "up --detach --wait-timeout 30 --wait web",
        "ps --all",
        "exec -T web wget -qO- http://www/page",
        "logs --no-color",
        "restart --timeout 0 web",
        "down --volumes --timeout 0",
    ):
        docker(f"compose --ansi never --project-name {{n}} {line}", cwd=folder)


def library(docker: Docker, _folder: Path) -> None:
    """A program with docker-py."""
    spoken(docker, sys.executable, CLIENTS / "docker_py.py")


def builds(docker: Docker, _folder: Path) -> None:
    """A build by buildx."""
    test_builds.by_grpc(docker)


def jenkins(docker: Docker, _folder: Path) -> None:
    """What Jenkins' Docker Pipeline does: an image inspected and built, a container kept open and worked in."""
    workspace = f"/var/lib/jenkins/workspace/{docker.name}"
    docker(f"inspect -f . {IMAGE}")
    with_context(docker, "build --quiet {labels} --build-arg A=1 -t {n}:7 .")
    docker("tag {n}:7 {n}:latest")
    made = docker(
        f"run {{labels}} -t -d -u 1000:1000 -w {workspace} -v {workspace}:{workspace}:rw,z -e BUILD=7 {IMAGE} cat"
    )
    container = _made(docker, made.out)
    docker(f"top {container} -eo pid,comm", status=None)
    docker(f"exec {container} sh -c 'id -u; pwd'")
    docker(f"exec {container} sh -c 'cp {workspace}@tmp/durable-{_commit()}/script.sh /tmp || true'")
    docker(f"stop --time=1 {container}")
    docker(f"rm -f {container}")
    docker("rmi {n}:7 {n}:latest")


def with_testcontainers(docker: Docker, _folder: Path) -> None:
    """A test with testcontainers: its network has a UUID for a name."""
    spoken(docker, sys.executable, CLIENTS / "testcontainers_py.py")


NUMBERS = itertools.count(417)
"""Builds, one after the other."""


def _commit() -> str:
    """A short commit's id, of digits and letters as nearly all are."""
    return f"{secrets.token_hex(3)}a1"


def job(docker: Docker, _folder: Path) -> None:
    """A script of a CI server's, which names what it makes by the build, the commit and the day."""
    docker.variables |= {"DOCKER_BUILDKIT": "0"}
    build, commit = next(NUMBERS), _commit()
    image, container = f"{{n}}:v1.4-{build}-g{commit}", f"{PREFIX}-unit-{build}"
    docker(f"pull {{n}}:{commit}", status=1)
    with_context(docker, f"build --quiet {{labels}} --build-arg A={commit} -t {image} .")
    docker(f"run {{labels}} --rm {image}")
    docker(f"run {{labels}} --label build={build} -d --name {container} {image} sleep 300")
    docker(f"exec {container} sh -c 'echo {commit}; echo {uuid.uuid4()}'")
    docker(f"cp {container}:/file -")
    docker(f"commit {container} {{n}}:2026-01-{build % 20 + 10}")
    docker(f"rm -f {container}")
    docker(f"rmi {image} {{n}}:2026-01-{build % 20 + 10}")


def runner(docker: Docker, _folder: Path) -> None:
    """What GitHub's runner does for a job in a container (actions/runner, ContainerOperationProvider.cs)."""
    job_id, label = uuid.uuid4().hex, f"{secrets.token_hex(2)}a1"
    network, container = f"github_network_{job_id}", f"{job_id}_busybox_{label}"
    docker(f"ps --all --quiet --no-trunc --filter label={label}")
    docker(f"network prune --force --filter label={label}")
    docker(f"network create {{labels}} --label {label} {network}")
    docker(
        f"create {{labels}} --label {label} --name {container} --workdir /w --network {network} -e CI=true"
        f" --entrypoint tail {IMAGE} -f /dev/null"
    )
    docker(f"start {container}")
    docker(f"exec -i --workdir /w {container} sh -c 'sh -e /w/_temp/{uuid.uuid4()}.sh || true'")
    docker(f"rm --force {container}")
    docker(f"network rm {network}")


def _made(docker: Docker, out: str) -> str:
    """The container that a `run -d` of this conversation made; what it printed is a word in the transcript."""
    said = subprocess.run(
        docker.words(f"ps --quiet --latest --no-trunc --filter label={LABEL} --filter ancestor={IMAGE}"),
        env=docker.environment,
        capture_output=True,
        check=True,
        text=True,
    )
    assert "<id>" in out
    return said.stdout.split()[0]


WORK: dict[str, Work] = {
    "session": session,
    "compose": compose,
    "docker-py": library,
    "buildx": builds,
    "jenkins": jenkins,
    "testcontainers": with_testcontainers,
    "job": job,
    "runner": runner,
}


@contextmanager
def learning(engine: Engine, folder: Path) -> Iterator[tuple[str, Path]]:
    """`sockproxy learn` as an operator starts it: where clients connect, and where the policy will be."""
    clients, policy = folder / "learn.sock", folder / "learned.yaml"
    command = [COMMAND, "learn", "--engine", engine.address, "--listen", f"unix://{clients}", "--output", policy]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOCKPROXY_")}
    with (folder / "learn.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(clients):
            assert time.monotonic() < deadline, (folder / "learn.log").read_text()
            time.sleep(0.05)
        yield f"unix://{clients}", policy
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0, (folder / "learn.log").read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert "proved: all" in (folder / "learn.log").read_text()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="sp-"))  # short: a Unix socket's path has at most 107 bytes
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize("work", WORK)
def test_the_same_work_passes_and_nothing_else(
    work: str, engine: Engine, docker: Callable[..., Docker], folder: Path
) -> None:
    cli = test_builds.cli_of("28") if work in ("compose", "buildx") else engine.cli
    with learning(engine, folder) as (address, policy):
        WORK[work](docker(cli, address, _name()), folder)
    text = policy.read_text()
    assert len(text.splitlines()) <= LINES, text
    assert load(policy).tests == ()
    with running(engine.address, policy) as proxy:
        WORK[work](docker(cli, proxy.address, _name()), folder)
        refused = [record for record in proxy.records() if record["verdict"] == "deny"]
        assert not refused, (refused, text)
        _refuses_what_was_never_asked(docker(cli, proxy.address), proxy, engine)


def _name() -> str:
    """A name that is plainly made up: six digits may happen to be letters alone, and would be taken for a word."""
    return f"{PREFIX}-{secrets.token_hex(6)}"


NEVER = {
    "--privileged": "privileged: container",
    "-v /:/h": "bind: /",
    "--pid host": "namespace: pid=host",
    "--cap-add SYS_ADMIN": "capability: SYS_ADMIN",
    "-v /srv/never:/n": "bind: /srv/never",
}


def _refuses_what_was_never_asked(docker: Docker, proxy: Proxy, engine: Engine) -> None:
    unseen = f"{docker.name}-unseen:1"
    Docker(docker.cli, engine.address, docker.config, name=docker.name)(f"tag {IMAGE} {unseen}")
    try:
        for words, ask in NEVER.items():
            assert ask in _refused_asks(docker, proxy, f"{{run}} --rm {words} {IMAGE} true"), words
        assert f"image: docker.io/library/{unseen}" in _refused_asks(docker, proxy, f"{{run}} --rm {unseen} true")
    finally:
        Docker(docker.cli, engine.address, docker.config, name=docker.name)(f"rmi {unseen}")


def _refused_asks(docker: Docker, proxy: Proxy, line: str) -> set[str]:
    before = len(proxy.records())
    docker(line, status=125)
    denied: list[dict[str, Any]] = [each for each in proxy.records()[before:] if each["verdict"] == "deny"]
    assert denied, line
    refused: Any = denied[0]["refused"]
    if denied[0]["code"] == "no_rule":
        # The work never made a container: no rule allows the row, whatever it asks.
        refused = [ask for ask in denied[0]["asks"] if ask["kind"] in ("image", *(each["kind"] for each in refused))]
    return {f"{ask['kind']}: {ask['value']}" for ask in refused}
