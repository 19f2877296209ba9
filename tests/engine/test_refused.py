"""What a policy does not grant is refused, by every command and whoever's it is, and nothing of it reaches the engine.

Between sockproxy and the engine stands a forwarder that notes the requests that go through: while one is refused,
nothing but questions may. At the end the engine has what it had before.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import Line, narrow, spelled
from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.docker_cli import Docker
from tests.engine.forwarder import Forwarder, forwarding
from tests.engine.proxies import POLICIES, Proxy, running
from tests.engine.wire import exchange, request

NAME = f"{PREFIX}-refused"
STRONG, FAR, OTHER, OWN, BOUND = f"{NAME}-strong", f"{NAME}-far", f"other-{NAME}", f"{NAME}-own", f"{NAME}-bound"


@dataclass(frozen=True)
class Scene:
    """A proxy with a narrow policy, a forwarder behind it, and on the engine what the attacks are after."""

    engine: Engine
    proxy: Proxy
    forwarder: Forwarder
    names: dict[str, str]

    @contextmanager
    def nothing_changes(self) -> Iterator[None]:
        before = len(self.forwarder.changes)
        yield
        assert self.forwarder.changes[before:] == []


def _make(engine: Engine, name: str, **host_config: Any) -> None:
    body = {
        "Image": IMAGE,
        "Cmd": ["sleep", "600"],
        "Labels": {"sockproxy.test.run": PREFIX},
        "HostConfig": host_config,
    }
    with engine.client() as client:
        client.post("/containers/create", params={"name": name}, json=body).raise_for_status()
        started = client.post(f"/containers/{name}/start")
    # A machine that is itself held to fewer capabilities cannot start a privileged one; it must be refused anyway.
    assert started.is_success or host_config.get("Privileged"), started.text


@pytest.fixture(scope="module")
def scene(engine: Engine) -> Iterator[Scene]:
    try:
        yield from _played(engine)
    finally:
        engine.sweep()


def _played(engine: Engine) -> Iterator[Scene]:
    bind = {"type": "none", "o": "bind", "device": "/etc"}
    with engine.client() as client:
        client.post("/volumes/create", json={"Name": BOUND, "DriverOpts": bind}).raise_for_status()
    _make(engine, STRONG, Privileged=True, Binds=["/etc:/h"])
    _make(engine, FAR, Binds=["/etc:/h"])
    _make(engine, OTHER)
    _make(engine, OWN)
    names = {"n": NAME, "strong": STRONG, "other": OTHER, "web": OWN, "innocent": BOUND, "image": IMAGE}
    before = engine.belongings()
    with forwarding(engine.socket) as forwarder, running(forwarder.address, POLICIES / "narrow.yaml") as proxy:
        yield Scene(engine, proxy, forwarder, names)
        assert engine.belongings() == before


@pytest.mark.parametrize("line", narrow(), ids=lambda line: line.name)
def test_what_is_not_the_clients_own_is_refused(line: Line, scene: Scene) -> None:
    with scene.nothing_changes():
        answer = exchange(scene.proxy.socket, line.request(scene.names))
    assert answer.status == 403, answer.body
    assert answer.message
    record = scene.proxy.records()[-1]
    if line.code:
        assert record["code"] == line.code
    if line.asks:
        refused = {f"{ask['kind']}: {ask['value']}" for ask in record["refused"]}
        assert refused & set(spelled(list(line.asks), scene.names)), refused


PRIVILEGED = '{"Image": "busybox:test", "HostConfig": {"Privileged": true}}'
DEEP = '{"Image": "busybox:test", "Labels": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}"


@pytest.mark.parametrize(
    ("body", "headers", "statuses"),
    [
        pytest.param(DEEP.encode(), {}, {400, 413}, id="very-deep"),
        pytest.param(PRIVILEGED.encode("utf-16"), {}, {400}, id="UTF-16"),
        pytest.param(PRIVILEGED.encode(), {"content_length": "0"}, {400, 403}, id="behind-a-length-of-none"),
        pytest.param(PRIVILEGED.encode("utf-8-sig"), {}, {400}, id="byte-order-mark"),
    ],
)
def test_bodies_that_no_file_holds_well(body: bytes, headers: dict[str, str], statuses: set[int], scene: Scene) -> None:
    with scene.nothing_changes():
        answer = exchange(scene.proxy.socket, request("POST", f"/containers/create?name={NAME}", body, **headers))
    assert answer.status in statuses, answer.body
    assert answer.message


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(f"POST /containers/{STRONG}/attach?stream=1&stdin=1", 403, id="refused"),
        pytest.param(f"POST /containers/{NAME}-never/attach?stream=1&stdin=1", 404, id="failed"),
        pytest.param("GET /containers/json", 200, id="not-a-hijack"),
    ],
)
def test_second_request_behind_an_upgrade_is_never_read(head: str, status: int, scene: Scene) -> None:
    # The second request is one that the policy allows: alone it would be forwarded.
    method, target = head.split()
    first = request(method, target, connection="Upgrade", upgrade="tcp")
    second = request("POST", "/volumes/create", json.dumps({"Name": f"{NAME}-smuggled"}).encode())
    with scene.nothing_changes():
        answer = exchange(scene.proxy.socket, first + second, linger=1.0)
    assert answer.status == status
    assert b"HTTP/1.1" not in answer.rest


LINES = [
    f"run --name {NAME}-cli {words} {IMAGE} true"
    for words in (
        "--privileged",
        "-v /etc:/h",
        "-v /srv/ci/../../etc:/h",
        "-v /srv/ci-evil:/h",
        "--mount type=bind,source=/etc,target=/h",
        f"--mount type=volume,source={NAME}-v,target=/h,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/etc",
        f"-v {BOUND}:/h",
        "--pid host",
        "--ipc host",
        "--uts host",
        "--userns host",
        "--network host",
        f"--network container:{STRONG}",
        f"--pid container:{STRONG}",
        "--cap-add SYS_ADMIN",
        "--cap-add all",
        "--device /dev/null:/dev/x",
        "--device-cgroup-rule 'b *:* rwm'",
        "--security-opt seccomp=unconfined",
        "--security-opt apparmor=unconfined",
        "--security-opt systempaths=unconfined",
        "--sysctl net.ipv4.ip_forward=1",
        "--runtime io.containerd.kata.v2",
        "--cgroup-parent /",
        f"--volumes-from {STRONG}",
        "--group-add 0",
        "--oom-score-adj -500",
        "--log-driver syslog",
        "-p 8080:80",
        "-P",
    )
]
REFUSED = "Error response from daemon: "


@pytest.mark.parametrize(
    "line",
    LINES,
    ids=lambda line: line.removeprefix(f"run --name {NAME}-cli ").split(f" {IMAGE}")[0].replace(PREFIX, "x"),
)
def test_run_prints_the_denial_and_ends_with_125(
    line: str, cli: Path, scene: Scene, docker: Callable[..., Docker]
) -> None:
    with scene.nothing_changes():
        said = docker(cli, scene.proxy.address)(line, status=125)
    assert REFUSED in said.err
    denial = said.err.split(REFUSED)[1].splitlines()[0]
    assert "narrow" in denial or "run" in denial


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (f"volume create -o type=none -o o=bind -o device=/etc {NAME}-v", 1),
        (f"network create -o com.docker.network.bridge.name=docker0 {NAME}-n", 1),
        (f"network create --driver macvlan -o parent=eth0 {NAME}-n", 1),
        (f"network connect host {OWN}", 1),
        (f"exec --privileged {OWN} true", 1),
        (f"exec {STRONG} true", 1),
        (f"exec {FAR} true", 1),
        (f"exec {OTHER} true", 1),
        (f"cp {STRONG}:/h/passwd -", 1),
        (f"stop {OTHER}", 1),
        (f"rename {OTHER} {NAME}-taken", 1),
        (f"rename {OWN} another", 1),
        (f"rm -f {OTHER}", 1),
        (f"tag {IMAGE} python:3", 1),
        ("swarm init", 1),
        ("system prune -f", 1),
        ("plugin ls", 1),
    ],
    ids=lambda value: value.replace(PREFIX, "x") if isinstance(value, str) else "",
)
def test_command_prints_the_denial(
    line: str, status: int, cli: Path, scene: Scene, docker: Callable[..., Docker]
) -> None:
    with scene.nothing_changes():
        said = docker(cli, scene.proxy.address)(line, status=status)
    assert REFUSED.strip() in said.err


def test_attaching_is_refused_and_fails(cli: Path, scene: Scene, docker: Callable[..., Docker]) -> None:
    # No docker command prints the body of an upgrade that was refused.
    with scene.nothing_changes():
        said = docker(cli, scene.proxy.address)(f"attach {FAR}", status=1)
    assert said.err.strip() == "unable to upgrade to tcp, received 403"
    attached = [record for record in scene.proxy.records() if record["operation"] == "ContainerAttach"]
    assert attached[-1]["verdict"] == "deny"


def test_denial_of_privileged_is_a_line_an_audit_record_and_a_count(
    engine: Engine, scene: Scene, docker: Callable[..., Docker]
) -> None:
    before = scene.proxy.metric("sockproxy_refused_asks_total", kind="privileged")
    said = docker(engine.cli, scene.proxy.address)(f"run --privileged {IMAGE} true", status=125)
    denial = said.err.split(REFUSED)[1].splitlines()[0]
    for word in ("HostConfig.Privileged", "run", "grant", "privileged: any"):
        assert word in denial
    record = scene.proxy.records()[-1]
    assert record["verdict"] == "deny"
    assert record["code"] == "ask_refused"
    assert record["operation"] == "ContainerCreate"
    assert scene.proxy.metric("sockproxy_refused_asks_total", kind="privileged") == before + 1


UPLOADS = 5
"""Times four pairs of engine and command: twenty of each sort of upload."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build's context of 200 MB, which might as well be an image's tar: nobody gets to look into it."""
    path = tmp_path_factory.mktemp("large") / "large.tar"
    with tarfile.open(path, "w") as tar:
        for name, size in (("Dockerfile", 0), ("big", 200 << 20)):
            entry = tarfile.TarInfo(name)
            entry.size = size
            with Path("/dev/zero").open("rb") as zeros:
                tar.addfile(entry, zeros)
    return path


@pytest.mark.parametrize("line", ["load --quiet", "build --tag python:3 -"], ids=["load", "build"])
def test_refused_upload_of_200_mb_prints_the_denial_each_time(
    line: str, cli: Path, scene: Scene, docker: Callable[..., Docker], large: Path
) -> None:
    command = docker(cli, scene.proxy.address)
    command.variables["DOCKER_BUILDKIT"] = "0"
    for _ in range(UPLOADS):
        with large.open("rb") as stdin:
            said = command(line, stdin=stdin, status=1)
        assert REFUSED in said.err
