"""The docker command says the same, and ends the same, through sockproxy as with the bare engine.

Each conversation is held twice at the same time, with the engine and with a proxy in front of it, by the docker
commands of 20.10 and of 28, on every engine.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from signal import SIGINT
from tempfile import TemporaryDirectory

import pytest

from tests.engine.conversation import Conversation, held_twice, with_context
from tests.engine.disposable import IMAGE, Engine
from tests.engine.docker_cli import Docker, Said, next_line
from tests.engine.proxies import Proxy

EVERYWHERE: dict[str, Conversation] = {}
"""Conversations that each CLI holds with each engine."""


def conversation(function: Conversation) -> Conversation:
    EVERYWHERE[function.__name__] = function
    return function


@conversation
def version(docker: Docker) -> None:
    said = docker("version")
    # The oldest version is the policy's, not the engine's, so that clients do not go below it.
    docker.said[-1] = replace(said, out=re.sub(r"minimum version [\d.]+", "minimum version <policy's>", said.out))
    docker("version --format {{.Server.Version}}")


@conversation
def info(docker: Docker) -> None:
    said = docker("info")
    # How many containers there are is other conversations' doing, and the engine lists runtimes in a map's order.
    out = re.sub(r"(Containers|Running|Paused|Stopped|Images): \d+", r"\1: <n>", said.out)
    out = re.sub(r"(?<=Runtimes: ).*", lambda names: " ".join(sorted(names[0].split())), out)
    docker.said[-1] = Said(said.command, said.status, out, said.err)


@conversation
def lists(docker: Docker) -> None:
    docker("ps --filter name={n}")
    docker(f"images {IMAGE}")
    docker("network ls --filter name=bridge")
    docker("volume ls --filter name={n}")
    docker(f"history {IMAGE}")


@conversation
def inspects(docker: Docker) -> None:
    docker(f"inspect --format {{{{.Id}}}} {IMAGE}")
    docker("inspect --format {{.Driver}} bridge")
    docker("inspect {n}-never", status=1)


@conversation
def run_removed(docker: Docker) -> None:
    docker(f"{{run}} --rm {IMAGE} sh -c 'echo out; echo err >&2; exit 7'", status=7)


@conversation
def run_with_settings(docker: Docker) -> None:
    docker(
        f"{{run}} --rm -e A=1 -w /tmp -u 7:7 --hostname h --memory 64m --cpus 1 --read-only --tmpfs /t --cap-drop ALL"
        f" --ulimit nofile=99 --security-opt no-new-privileges {IMAGE} sh -c 'id -u; pwd; echo $A; hostname; ulimit -n'"
    )


@conversation
def run_piped(docker: Docker) -> None:
    docker(f"{{run}} --rm -i {IMAGE} cat", stdin=b"hi\n")
    docker(f"{{run}} --rm -i {IMAGE} wc -c", stdin=bytes(range(256)) * 4096)


@conversation
def run_at_a_terminal(docker: Docker) -> None:
    # The size comes a moment after the start, from the bare engine too.
    size = 'until size=$(stty size 2>/dev/null); [ "$size" ]; do sleep 0.1; done; echo $size'
    script = f"echo ready; read x; {size}; echo got $x; exit 3"
    docker.at_terminal(f"{{run}} --rm -it {IMAGE} sh -c '{script}'", [("ready", "hello\r")], status=3)


@conversation
def run_detached_and_all_that_follows(docker: Docker) -> None:
    docker(f"{{run}} -d -p 127.0.0.1::80 {IMAGE} sh -c 'echo one; sleep 0.2; echo two >&2; sleep 300'")
    _await_log(docker, "two")
    docker("ps --filter name={n} --format '{{.Names}} {{.Image}} {{.Command}} {{.State}}'")
    docker("logs {n}")
    docker("logs --timestamps --tail 1 {n}")
    docker("top {n} -o pid,args")
    docker("exec {n} sh -c 'echo o; echo e >&2; exit 4'", status=4)
    docker("exec -i {n} cat", stdin=b"through exec\n" * 1000)
    docker("exec -e B=2 -w /tmp -u 7 {n} sh -c 'id -u; pwd; echo $B'")
    docker("exec {n} nothing-of-this-name", status=None)
    docker("inspect --format '{{.State.Status}} {{.HostConfig.PidsLimit}}' {n}")
    docker("port {n} 81", status=1)
    docker("stats --no-stream --format {{.Name}} {n}")
    docker("diff {n}")
    docker("pause {n}")
    docker("unpause {n}")
    docker("rename {n} {n}-b")
    docker("restart -t 0 {n}-b")
    docker("stop -t 0 {n}-b")
    docker("wait {n}-b")
    docker("start {n}-b")
    docker("kill {n}-b")
    docker("rm -f {n}-b")
    docker("rm {n}-b", status=1)


@conversation
def exec_at_a_terminal(docker: Docker) -> None:
    docker(f"{{run}} -d {IMAGE} sleep 300")
    docker.at_terminal("exec -it {n} sh -c 'echo ready; read x; echo got $x; exit 5'", [("ready", "a\r")], status=5)
    docker("rm -f {n}")


@conversation
def attach(docker: Docker) -> None:
    docker(f"{{run}} -d -i {IMAGE} sh -c 'while read x; do echo got $x; [ $x != b ] || {{ sleep 0.5; exit 6; }}; done'")
    with docker.started("attach {n}", status=6) as process:
        assert process.stdin is not None
        # Each line is awaited: the engine drops what the container says once the attached input has ended.
        for word in (b"a\n", b"b\n"):
            process.stdin.write(word)
            assert next_line(process) == b"got " + word
    docker("rm -f {n}")


@conversation
def logs_followed(docker: Docker) -> None:
    docker(f"{{run}} -d -i {IMAGE} sh -c 'echo one; sleep 1; echo two; sleep 1; exit 2'")
    with docker.started("logs --follow {n}"):
        pass
    docker("wait {n}")
    docker("rm {n}")


@conversation
def logs_followed_and_left(docker: Docker) -> None:
    docker(f"{{run}} -d {IMAGE} sh -c 'echo one; sleep 300'")
    with docker.started("logs --follow {n}", status=None, signalled=SIGINT) as process:
        assert next_line(process) == b"one\n"
    docker("rm -f {n}")


@conversation
def events(docker: Docker) -> None:
    since = f"{time.time():.3f}"
    docker(f"{{run}} -d {IMAGE} true")
    docker("wait {n}")
    docker("rm {n}")
    until = f"{time.time() + 1:.3f}"
    filters = "--filter container={n} --filter type=container"
    said = docker(
        f"events --since {since} --until {until} {filters} --format '{{{{.Action}}}} {{{{.Actor.Attributes}}}}'"
    )
    # The times are this conversation's own.
    docker.said[-1] = Said("events", said.status, said.out, said.err)


@conversation
def copied(docker: Docker) -> None:
    with TemporaryDirectory(prefix=docker.name) as name:
        here = Path(name)
        (here / "in").write_bytes(bytes(range(256)) * 1000)
        docker(f"create {{labels}} --name {{n}} {IMAGE} sleep 300")
        docker("cp in {n}:/tmp/in", cwd=here)
        docker("cp {n}:/tmp/in out", cwd=here)
        assert (here / "out").read_bytes() == (here / "in").read_bytes()
        said = docker("cp {n}:/never x", status=1, cwd=here)
        docker.said[-1] = replace(said, err=said.err.replace("<id>", "<name>"))  # the call goes on with the full id
        docker("cp {n}:/etc/passwd -")
        docker("rm {n}")


@conversation
def images_named_and_removed(docker: Docker) -> None:
    docker(f"tag {IMAGE} {{n}}:a")
    docker("images {n} --format '{{.Repository}}:{{.Tag}}'")
    docker("rmi {n}:a")
    docker("rmi {n}:a", status=1)


@conversation
def saved_and_loaded(docker: Docker) -> None:
    with TemporaryDirectory(prefix=docker.name) as name:
        docker(f"tag {IMAGE} {{n}}:saved")
        docker("save -o image.tar {n}:saved", cwd=Path(name))
        docker("rmi {n}:saved")
        docker("load -i image.tar", cwd=Path(name))
        docker("rmi {n}:saved")


@conversation
def exported_imported_and_committed(docker: Docker) -> None:
    with TemporaryDirectory(prefix=docker.name) as name:
        here = Path(name)
        docker(f"{{run}} {IMAGE} sh -c 'echo kept by {{n}} > /kept'")
        docker("export -o tree.tar {n}", cwd=here)
        docker('import --change \'CMD ["cat", "/kept"]\' tree.tar {n}:imported', cwd=here)
        docker("run --rm --name {n}-imported {n}:imported")
        docker("commit --change 'LABEL a=b' --message 'what it says' {n} {n}:committed")
        docker("inspect {n}:committed --format '{{json .Config.Labels}} {{.Comment}}'")
        docker("run --rm --name {n}-committed {n}:committed cat /kept")
        docker("diff {n}")
        docker("rm {n}")
        docker("rmi {n}:imported {n}:committed")


@conversation
def networks_and_volumes(docker: Docker) -> None:
    docker("network create {labels} {n}")
    docker("volume create {labels} {n}")
    docker(f"{{run}} -d --network {{n}} -v {{n}}:/data {IMAGE} sh -c 'echo kept > /data/f; sleep 300'")
    reads = "sh -c 'sleep 1; cat /data/f; echo x > /data/g'"
    docker(f"run --rm --network {{n}} -v {{n}}:/data:ro --name {{n}}-b {IMAGE} {reads}", status=1)
    docker("network connect bridge {n}")
    docker("network disconnect bridge {n}")
    docker("network inspect --format '{{.Name}} {{len .Containers}}' {n}")
    docker("network rm {n}", status=1)
    docker("rm -f {n}")
    docker("network rm {n}")
    docker("volume inspect --format {{.Driver}} {n}")
    docker("volume rm {n}")


@conversation
def built_by_the_classic_builder(docker: Docker) -> None:
    docker.variables["DOCKER_BUILDKIT"] = "0"
    with_context(docker, "build {labels} --build-arg A=1 -t {n}:built .")
    docker("run --rm --name {n} {n}:built")
    docker("rmi {n}:built")


def _await_log(docker: Docker, text: str) -> None:
    """Wait for a line of the container's log; what is said meanwhile does not count."""
    before = len(docker.said)
    for _ in range(100):
        said = docker("logs {n}")
        if text in said.out + said.err:
            break
        time.sleep(0.05)
    del docker.said[before:]


@pytest.mark.parametrize("name", EVERYWHERE)
def test_says_and_ends_as_with_the_bare_engine(
    name: str, cli: Path, engine: Engine, docker: Callable[..., Docker], proxy_for: Callable[[Engine, str], Proxy]
) -> None:
    held_twice(EVERYWHERE[name], lambda address: docker(cli, address), engine, proxy_for(engine, "work"))
