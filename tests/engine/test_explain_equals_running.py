"""What the dry run says of a command line is what the command gets through a proxy that enforces, on a real engine.

Each line is run three times: against the pretended engine, which knows nothing of the real one; against it again, told
by the real one's inspects what there is; and for real, through `sockproxy run`. The verdict, the calls up to the first
refusal, and what was refused in that must be the same.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sockproxy.dryrun import DryRun, Scene, denial, dry_run
from sockproxy.policy.load import load
from tests.engine.disposable import IMAGE, LABEL, PREFIX, Engine, discover
from tests.engine.proxies import POLICIES, Proxy, running

SECONDS = 20.0

IMAGES = ("registry.example.com/diffusers/sdxl:1", "registry.example.com/ci/app:1", "busybox:latest")
"""Names that the one image of the engines is given for a while, since policies hold images to theirs."""

FOLDERS = (
    "var/lib/jenkins/workspace/a",
    "var/lib/jenkins/workspace",
    "var/lib/jenkins",
    "srv/shop/conf",
    "srv/shop",
    "srv/models",
    "srv/out",
    "srv/reference/a",
    "srv/reference",
    "srv/ci/a",
    "srv/ci",
)
"""What an engine makes on its host where a bind's source is not there, the innermost first."""


@dataclass(frozen=True)
class Case:
    policy: str
    command: str
    """``{c}`` is a container that runs, ``{e}`` one that has ended, ``{x}`` a network, ``{n}`` a name for what is made."""
    refused: bool
    """What is expected, so that the two cannot be wrong in the same way."""
    host: dict[str, Any] = field(default_factory=dict)
    """What ``{c}`` was given."""
    files: dict[str, str] = field(default_factory=dict)
    """What lies in the working folder, beside a Dockerfile."""
    buildkit: bool = False
    """Whether the command builds by BuildKit, whose tunnel a dry run goes no further than."""

    @property
    def id(self) -> str:
        return f"{self.policy}: {self.command}"


def allowed(policy: str, command: str, **host: Any) -> Case:
    return Case(policy, command, refused=False, host=host)


def refused(policy: str, command: str, **host: Any) -> Case:
    return Case(policy, command, refused=True, host=host)


RUN = "docker run --rm --name {n} {labels}"
SHOP = f"{RUN} --label com.docker.compose.project=shop"
JOB = "docker run --rm --name job-{n} {labels}"
SDXL = "registry.example.com/diffusers/sdxl:1"

CASES = (
    # jenkins-agent: what a pipeline does, and what it must not
    allowed("jenkins-agent", f"{RUN} {IMAGE} true"),
    allowed("jenkins-agent", f"{RUN} -u 1000:1000 --read-only --memory 64m --restart no --label a=b {IMAGE} id"),
    allowed("jenkins-agent", f"{RUN} -v /var/lib/jenkins/workspace/a:/w:rw,z -w /w {IMAGE} true"),
    allowed("jenkins-agent", f"{RUN} -v /srv/reference/a:/a:ro {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} -v /srv/reference/a:/a {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} -v /:/h {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} -v /:/h --privileged --pid host --cap-add SYS_ADMIN {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --mount type=bind,src=/etc,dst=/e,readonly {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --mount type=volume,src=data,dst=/d {IMAGE} true"),
    allowed("jenkins-agent", f"{RUN} -v /d {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --privileged {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --pid host {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --network host {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --ipc host --uts host --userns host {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --cap-add SYS_ADMIN {IMAGE} true"),
    allowed("jenkins-agent", f"{RUN} --cap-drop ALL {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --device /dev/fuse {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --security-opt seccomp=unconfined {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --sysctl net.core.somaxconn=1024 {IMAGE} true"),
    allowed("jenkins-agent", f"{RUN} -p 127.0.0.1:8080:80 {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} -p 8080:80 {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --gpus all {IMAGE} true"),
    refused("jenkins-agent", f"{RUN} --label traefik.enable=true {IMAGE} true"),
    allowed("jenkins-agent", f"{RUN} --volumes-from {{c}} {IMAGE} true", Binds=["/var/lib/jenkins/workspace:/w"]),
    refused("jenkins-agent", f"{RUN} --volumes-from {{c}} {IMAGE} true", Binds=["/etc:/e"]),
    refused("jenkins-agent", f"{RUN} --pid container:{{c}} {IMAGE} true"),
    allowed("jenkins-agent", f"docker run -d -i --name {{n}} {{labels}} {IMAGE} cat"),
    allowed("jenkins-agent", f"{RUN} -i {IMAGE} cat"),
    refused("jenkins-agent", f"docker create --name {{n}} {{labels}} --device-cgroup-rule 'c 10:229 rwm' {IMAGE}"),
    allowed("jenkins-agent", "docker exec {c} true"),
    allowed("jenkins-agent", "docker exec -u 0 -w /tmp -e A=1 {c} env"),
    refused("jenkins-agent", "docker exec --privileged {c} id"),
    refused("jenkins-agent", "docker exec {c} ls /h", Binds=["/:/h"]),
    refused("jenkins-agent", "docker exec {c} id", Privileged=True),
    refused("jenkins-agent", "docker cp Dockerfile {c}:/tmp"),
    allowed("jenkins-agent", "docker stop -t 0 {c}"),
    allowed("jenkins-agent", "docker start {e}"),
    allowed("jenkins-agent", "docker kill {c}"),
    allowed("jenkins-agent", "docker rm -f {c}"),
    refused("jenkins-agent", "docker rename {c} {n}"),
    refused("jenkins-agent", "docker pause {c}"),
    refused("jenkins-agent", "docker update --memory 64m {c}"),
    allowed("jenkins-agent", "docker logs -f {e}"),
    allowed("jenkins-agent", "docker top {c}"),
    allowed("jenkins-agent", "docker inspect {c}"),
    allowed("jenkins-agent", "docker ps -a"),
    allowed("jenkins-agent", "docker info"),
    refused("jenkins-agent", "docker system df"),
    allowed("jenkins-agent", "docker build -t {n}:1 ."),
    refused("jenkins-agent", "docker build --network host -t {n}:1 ."),
    allowed("jenkins-agent", f"docker tag {IMAGE} {{n}}:1"),
    refused("jenkins-agent", f"docker save -o {{n}}.tar {IMAGE}"),
    refused("jenkins-agent", "docker load -i Dockerfile"),
    refused("jenkins-agent", "docker commit {c} {n}:1"),
    refused("jenkins-agent", "docker network create {labels} {n}"),
    refused("jenkins-agent", "docker volume create {labels} -o type=none -o o=bind -o device=/ {n}"),
    refused("jenkins-agent", "docker swarm init"),
    refused("jenkins-agent", "docker system prune -f"),
    # read-only: the default
    allowed("read-only", "docker ps"),
    allowed("read-only", "docker images"),
    allowed("read-only", "docker inspect {c}"),
    allowed("read-only", "docker logs {e}"),
    allowed("read-only", "docker diff {c}"),
    allowed("read-only", "docker stats --no-stream {c}"),
    allowed("read-only", "docker system df"),
    allowed("read-only", "docker volume ls"),
    refused("read-only", "docker top {c}"),
    refused("read-only", f"{RUN} {IMAGE} true"),
    refused("read-only", "docker restart -t 0 {c}"),
    refused("read-only", "docker cp {c}:/etc/passwd copied"),
    refused("read-only", "docker pull {n}:1"),
    refused("read-only", "docker push {n}:1"),
    refused("read-only", "docker export -o {n}.tar {c}"),
    refused("read-only", "docker plugin ls"),
    refused("read-only", "docker plugin enable {n}"),
    refused("read-only", "docker node ls"),
    # ai-agent: hardened, one image
    refused("ai-agent", f"docker run --rm --name agent-1 {{labels}} {IMAGE} true"),
    refused(
        "ai-agent",
        f"docker run --rm --name agent-1 {{labels}} -u 1000 --network none --read-only --cap-drop ALL"
        f" --security-opt no-new-privileges --memory 1g --cpus 1 --pids-limit 100 {IMAGE} true",
    ),
    refused("ai-agent", "docker exec {c} true"),
    refused("ai-agent", "docker ps"),
    # gpu-jobs
    allowed("gpu-jobs", f"{JOB} -v /srv/models:/m:ro -v /srv/out:/o --shm-size 1g {SDXL} true"),
    allowed("gpu-jobs", f"{JOB} --gpus all {SDXL} true"),
    refused("gpu-jobs", f"{JOB} --ipc host {SDXL} true"),
    refused("gpu-jobs", f"{JOB} --shm-size 16g {SDXL} true"),
    refused("gpu-jobs", f"{JOB} -v /srv/models:/m {SDXL} true"),
    refused("gpu-jobs", f"{JOB} -v cache:/c {SDXL} true"),
    refused("gpu-jobs", f"{JOB} {IMAGE} true"),
    # compose-deployer: a project of its own
    allowed("compose-deployer", f"{SHOP} -v shop_data:/d -v /srv/shop/conf:/c {IMAGE} true"),
    refused("compose-deployer", f"{RUN} {IMAGE} true"),
    refused("compose-deployer", f"{SHOP} -v bank_data:/d {IMAGE} true"),
    refused("compose-deployer", "docker stop {c}"),
    refused("compose-deployer", "docker network rm {x}"),
    refused("compose-deployer", "docker volume create -o type=none -o o=bind -o device=/ shop_x"),
    refused("compose-deployer", "docker network connect {x} {c}"),
    # narrow: of the tests' own
    allowed("narrow", f"{RUN} -v /srv/ci/a:/a -v {{n}}:/v busybox true"),
    refused("narrow", "docker run --rm --name other-1 {labels} busybox true"),
    refused("narrow", f"{RUN} --network other busybox true"),
    refused("narrow", f"{RUN} registry.example.com/ci/app:1 true"),
    allowed("narrow", "docker rename {c} {n}"),
    refused("narrow", "docker rename {c} other"),
    allowed("narrow", "docker cp Dockerfile {c}:/tmp"),
    refused("narrow", "docker cp Dockerfile {c}:/tmp", Binds=["/etc:/tmp"]),
    refused("narrow", "docker exec {c} ls", Privileged=True),
    allowed("narrow", "docker network create {labels} {n}"),
    refused("narrow", "docker network create {labels} -d macvlan -o parent=eth0 {n}"),
    allowed("narrow", "docker volume create {labels} {n}"),
    refused("narrow", "docker volume create {labels} other"),
    refused("narrow", "docker volume create {labels} -d rclone {n}"),
    refused("narrow", "docker build -t busybox:latest ."),
    refused("narrow", f"docker tag {IMAGE} busybox:3"),
    refused("narrow", "docker load -i Dockerfile"),
)


SERVICE = """\
services:
  web:
    image: busybox:test
    command: sleep 300
    init: true
    labels: {{sockproxy.test: "1", sockproxy.test.run: {run}}}
    {more}
networks: {{default: {{labels: {{sockproxy.test: "1", sockproxy.test.run: {run}}}}}}}
volumes: {{data: {{labels: {{sockproxy.test: "1", sockproxy.test.run: {run}}}, {options}}}}}
"""
UP = "docker compose --project-name {project} up --detach"


def composed(policy: str, project: str, more: str, *, refused: bool, options: str = "") -> Case:
    """A project of one service, so that its first refused call is the same each time; `more` is a line of the service."""
    text = SERVICE.format(run=PREFIX, more=more, options=options)
    return Case(policy, UP.format(project=project), refused=refused, files={"compose.yaml": text})


COMPOSED = (
    composed("compose-deployer", "shop", "read_only: true", refused=False),
    composed("compose-deployer", "shop", 'volumes: ["data:/data", "/srv/shop/conf:/c:ro"]', refused=False),
    composed("compose-deployer", "shop", 'volumes: ["/etc:/c:ro"]', refused=True),
    composed("compose-deployer", "shop", "privileged: true", refused=True),
    composed("compose-deployer", "shop", "network_mode: host", refused=True),
    composed("compose-deployer", "shop", "container_name: {n}", refused=False),
    composed(
        *("compose-deployer", "shop", 'volumes: ["data:/data"]'),
        refused=True,
        options="driver_opts: {{type: none, o: bind, device: /etc}}".replace("{{", "{").replace("}}", "}"),
    ),
    composed("compose-deployer", "bank", "read_only: true", refused=True),
    composed("narrow", PREFIX, "read_only: true", refused=False),
    composed("narrow", "shop", "read_only: true", refused=True),
    composed("read-only", "shop", "read_only: true", refused=True),
)


def built(policy: str, command: str, *, refused: bool) -> Case:
    return Case(policy, command, refused=refused, buildkit=True)


BUILT = (
    # The command of 28 builds by /grpc, that of 20.10 by /session and /build.
    built("read-only", "docker build -t {n}:1 .", refused=True),
    built("buildx-builder", "docker buildx build -t {n}:1 .", refused=False),
    built("jenkins-agent", "docker buildx build -t {n}:1 .", refused=True),
)


@dataclass(frozen=True)
class Came:
    """What came of a command line."""

    refused: bool
    calls: tuple[str, ...]
    """The operations up to the first that was refused, or all of them."""
    asks: frozenset[tuple[str, str]]
    """Kind and value of what was refused in that."""


def came_of(run: DryRun) -> Came:
    calls: list[str] = []
    for call in run.calls:
        calls.append(call.operation.name if call.operation is not None else "")
        if (denied := denial(call.verdict)) is not None:
            return Came(True, tuple(calls), frozenset((ask.kind, ask.value) for ask in denied.refused))
    return Came(False, tuple(calls), frozenset())


def came_for_real(records: list[dict[str, Any]]) -> Came:
    calls: list[str] = []
    for record in records:
        if record["event"] == "end":
            continue
        calls.append(record["operation"])
        if record["verdict"] == "deny":
            return Came(True, tuple(calls), frozenset((ask["kind"], ask["value"]) for ask in record["refused"]))
    return Came(False, tuple(calls), frozenset())


@pytest.fixture(scope="module")
def proxies() -> Iterator[Callable[[Engine, str], Proxy]]:
    """An enforcing proxy for each engine and policy, started once."""
    with ExitStack() as stack:
        started: dict[tuple[Engine, str], Proxy] = {}

        def proxy(engine: Engine, policy: str) -> Proxy:
            if (engine, policy) not in started:
                started[engine, policy] = stack.enter_context(running(engine.address, source_of(policy)))
            return started[engine, policy]

        yield proxy


def source_of(policy: str) -> str:
    own = POLICIES / f"{policy}.yaml"
    return str(own) if own.exists() else policy


@pytest.fixture(scope="module", autouse=True)
def furnished() -> Iterator[None]:
    """The image under the names that policies hold images to; afterwards everything as it was."""
    engines = discover().engines
    before = {engine: {folder for folder in FOLDERS if (engine.root / folder).exists()} for engine in engines}
    for engine in engines:
        with engine.client() as client:
            for name in IMAGES:
                repository, _, tag = name.rpartition(":")
                client.post(f"/images/{IMAGE}/tag", params={"repo": repository, "tag": tag}).raise_for_status()
    yield
    for engine in engines:
        with engine.client() as client:
            for name in IMAGES:
                client.delete(f"/images/{name}")
        for folder in FOLDERS:
            if folder not in before[engine]:
                with suppress(OSError):  # somebody else has put something there
                    (engine.root / folder).rmdir()


@pytest.fixture
def things(engine: Engine, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Names for a case: of a container that runs, of one that has ended, and of what is made."""
    name = f"{PREFIX}-{os.urandom(3).hex()}"
    case: Case = request.getfixturevalue("case")
    labels = {"sockproxy.test": "1", "sockproxy.test.run": PREFIX}
    with engine.client() as client:
        for letter, command in (("c", ["sleep", "300"]), ("e", ["true"])):
            if f"{{{letter}}}" in case.command:
                body = {"Image": IMAGE, "Cmd": command, "Labels": labels, "HostConfig": {"Init": True, **case.host}}
                client.post("/containers/create", params={"name": f"{name}-{letter}"}, json=body).raise_for_status()
                started = client.post(f"/containers/{name}-{letter}/start")
                # A nested engine may be too narrow a place for a privileged one: it is what it is all the same.
                assert started.is_success or case.host.get("Privileged"), started.text
                if letter == "e":
                    client.post(f"/containers/{name}-{letter}/wait").raise_for_status()
        if "{x}" in case.command:
            client.post("/networks/create", json={"Name": f"{name}-x", "Labels": labels}).raise_for_status()
    yield {
        "n": f"{name}-n",
        "c": f"{name}-c",
        "e": f"{name}-e",
        "x": f"{name}-x",
        "labels": f"--label {LABEL} --label sockproxy.test.run={PREFIX}",
    }
    engine.sweep()
    with engine.client() as client:
        client.delete("/volumes/shop_data")  # has no label where `docker run -v` made it


def told(case: Case, things: dict[str, str]) -> dict[str, Any]:
    """What the case's things are, for who does not ask the engine."""
    network = {f"/networks/{things['x']}": {"Name": things["x"]}} if "{x}" in case.command else {}
    return {f"/containers/{things['c']}/json": {"Name": f"/{things['c']}", "HostConfig": case.host}, **network}


def cli_for(engine: Engine, case: Case) -> Path:
    """The docker command of the engine's own age; compose and buildx come with that of 28."""
    if case.files or "buildx" in case.command:
        return next((each.cli for each in discover().engines if each.version.startswith("28")), engine.cli)
    return engine.cli


@pytest.mark.engine
@pytest.mark.parametrize("case", [*CASES, *COMPOSED, *BUILT], ids=lambda case: case.id)
def test_the_dry_run_says_what_the_command_gets(
    engine: Engine,
    case: Case,
    things: dict[str, str],
    proxies: Callable[[Engine, str], Proxy],
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nLABEL sockproxy.test.run={PREFIX}\n")
    for name, text in case.files.items():
        (tmp_path / name).write_text(text.replace("{n}", things["n"]))
    monkeypatch.chdir(tmp_path)
    variables = {"HOME": str(config), "DOCKER_CONFIG": str(config), "DOCKER_BUILDKIT": str(int(case.buildkit))}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    words = [str(cli_for(engine, case)), *shlex.split(case.command.format(**things))[1:]]
    policy = load(source_of(case.policy))

    blind = dry_run(
        words, policy=policy, client=None, scene=Scene(told=told(case, things), version=engine.api), seconds=SECONDS
    )
    before = engine.belongings()
    seeing = dry_run(words, policy=policy, client=None, scene=Scene(engine=engine.address), seconds=SECONDS)
    assert engine.belongings() == before, "a dry run makes nothing, and removes nothing"
    proxy = proxies(engine, case.policy)
    seen = len(proxy.records())
    ended = subprocess.run(
        words,
        env={"PATH": os.environ["PATH"], **variables, "DOCKER_HOST": proxy.address},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    real = came_for_real(proxy.records()[seen:])

    assert real.refused is case.refused, f"{real}\n{blind.ended.output}"
    if case.buildkit:
        # What is behind the tunnel is not seen, and docker 20.10 asks for /session and /build at once, in either order.
        assert (blind.cut, seeing.cut) == ("tunnel", "tunnel")
        assert (blind.refused, seeing.refused) == (case.refused, case.refused)
        return
    if case.files and not case.refused:  # compose looks again and again, as long as it takes
        assert (blind.refused, seeing.refused) == (False, False), blind.ended.output
        return
    assert (came_of(blind), came_of(seeing)) == (real, real), blind.ended.output
    assert blind.refused is case.refused
    # So that one refused call is enough to call a command refused: the docker command does not go on without it.
    assert ended.returncode or not case.refused, ended.stdout


PUSHING = """\
version: 1
rules:
  - id: push
    allow: ["POST /images/{name}/push"]
"""


@pytest.mark.engine
def test_the_docker_command_of_20_10_pushes_although_info_is_refused(
    engine: Engine, config: Path, tmp_path: Path
) -> None:
    """The one refusal that a docker command was seen to go on after, so `explain` says so of it."""
    cli = next((each.cli for each in discover().engines if each.version.startswith("20.10")), None)
    if cli is None:
        pytest.skip("needs the docker command of 20.10, which comes with an engine of that version")
    policy = tmp_path / "pushing.yaml"
    policy.write_text(PUSHING)
    # An image that is not there, so that the engine asks no registry.
    words = [str(cli), "push", f"{PREFIX}/never"]
    with running(engine.address, policy) as proxy:
        variables = {"PATH": os.environ["PATH"], "HOME": str(config), "DOCKER_HOST": proxy.address}
        subprocess.run(words, env=variables, capture_output=True, timeout=SECONDS, check=False)
        seen = [(each["operation"], each["verdict"]) for each in proxy.records() if each["event"] != "end"]
    assert seen[1:] == [("SystemInfo", "deny"), ("ImagePush", "allow")]
    run = dry_run(words, policy=load(policy), client=None, scene=Scene(version=engine.api), seconds=SECONDS)
    assert [call.operation.name for call in run.calls if call.operation][1:] == ["SystemInfo", "ImagePush"]
