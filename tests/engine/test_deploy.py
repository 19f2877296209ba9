"""What `deploy/` ships, on a real engine: the image is built, and the container holds the socket for one that does not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.disposable import IMAGE, LABEL, PREFIX, Engine

ROOT = Path(__file__).resolve().parent.parent.parent
LABELS = {"sockproxy.test": "1", "sockproxy.test.run": PREFIX}
NAME = f"{PREFIX}-sidecar"
NETWORK = f"{PREFIX}-docker-api"


@pytest.fixture(scope="session")
def base() -> Path:
    made = subprocess.run(
        [ROOT / "tests/engine/make-base", sys.executable],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no base image: {made.stderr.strip().splitlines()[-1]}")
    return Path(made.stdout.strip().splitlines()[-1])


@dataclass(frozen=True)
class Sidecar:
    engine: Engine
    id: str

    def asks(self, method: str, target: str, body: object = None) -> tuple[int, str]:
        """What a container in the sidecar's network is answered: status and body."""
        data = json.dumps(body) if body is not None else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n"
        if data:
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        logs = self._run(["sh", "-c", f'printf "$REQUEST" | nc {NAME} 2375'], [f"REQUEST={head}\r\n{data}"])
        status, _, rest = logs.partition("\r\n")
        return int(status.split()[1]), rest.partition("\r\n\r\n")[2]

    def _run(self, command: list[str], env: list[str]) -> str:
        body = {
            "Image": IMAGE,
            "Cmd": command,
            "Env": env,
            "Labels": LABELS,
            "Tty": True,
            "HostConfig": {"NetworkMode": NETWORK},
        }
        with self.engine.client() as client:
            made = client.post("/containers/create", json=body).raise_for_status().json()["Id"]
            client.post(f"/containers/{made}/start").raise_for_status()
            client.post(f"/containers/{made}/wait").raise_for_status()
            logs = client.get(f"/containers/{made}/logs", params={"stdout": "1"}).text
            client.delete(f"/containers/{made}").raise_for_status()
        return logs.replace("\r\r\n", "\r\n")


@pytest.fixture(scope="module")
def sidecar(engine: Engine, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """deploy/Dockerfile, built by the engine's own classic builder without any network, and run as compose.yaml has it."""
    context = tmp_path_factory.mktemp("context")
    for name in ("pyproject.toml", "README.md", "LICENSE", "policies", "sockproxy"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, context / name)
    base_image, image = f"{PREFIX}-base:1", f"{PREFIX}-sockproxy:1"
    with engine.client() as client, base.open("rb") as tar:
        client.post(
            "/images/create",
            params={"fromSrc": "-", "repo": base_image.split(":")[0], "tag": "1"},
            content=tar,
            timeout=120,
        ).raise_for_status()
    built = subprocess.run(
        [
            *(
                engine.cli,
                "build",
                "-t",
                image,
                "-f",
                ROOT / "deploy/Dockerfile",
                "--label",
                LABEL,
                "--label",
                f"sockproxy.test.run={PREFIX}",
            ),
            *("--build-arg", f"BASE={base_image}", "--build-arg", "PIP_ARGS=--no-index --find-links /wheels", context),
        ],
        env={"PATH": "/usr/bin:/bin", "DOCKER_BUILDKIT": "0", "DOCKER_HOST": engine.address, "HOME": str(context)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    body: dict[str, Any] = {
        "Image": image,
        "Cmd": ["run", "--policy", "jenkins-agent"],
        "Env": ["SOCKPROXY_HOST_ROOT=/host"],
        "Labels": LABELS,
        "HostConfig": {
            # Without `rslave`: the engine's root is no shared mount here.
            "Binds": ["/srv/docker.sock:/var/run/docker.sock", "/:/host:ro"],
            "GroupAdd": [str(engine.socket.stat().st_gid)],
            "NetworkMode": NETWORK,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
        },
    }
    with engine.client() as client:
        client.post("/networks/create", json={"Name": NETWORK, "Labels": LABELS}).raise_for_status()
        made = client.post("/containers/create", params={"name": NAME}, json=body).raise_for_status().json()["Id"]
        client.post(f"/containers/{made}/start").raise_for_status()
        try:
            yield Sidecar(engine, made)
        finally:
            client.delete(f"/containers/{made}", params={"force": "1"})
            client.delete(f"/networks/{NETWORK}")


def test_the_container_becomes_healthy(sidecar: Sidecar) -> None:
    for _ in range(60):
        state = sidecar.engine.get(f"/containers/{sidecar.id}/json")["State"]
        assert state["Running"], state
        if state["Health"]["Status"] == "healthy":
            return
        time.sleep(1)
    pytest.fail(f"not healthy: {state['Health']}")


def test_a_container_beside_it_has_the_policy(sidecar: Sidecar) -> None:
    status, body = sidecar.asks("GET", "/containers/json")
    assert status == 200
    assert NAME in body
    status, body = sidecar.asks("POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"Privileged": True}})
    assert status == 403
    assert "privileged: container" in body


def test_it_sees_where_a_link_on_the_host_leads(sidecar: Sidecar) -> None:
    workspace = sidecar.engine.root / "var/lib/jenkins/workspace"
    folder = workspace / NAME
    folder.mkdir(parents=True)
    try:
        (folder / "x").symlink_to("/")
        folder.joinpath("closed").mkdir(mode=0o700)
        for path, says in (("x", "asks `bind: /`"), ("closed/job", "may not search a folder on the way")):
            body = {"Image": IMAGE, "HostConfig": {"Binds": [f"/var/lib/jenkins/workspace/{NAME}/{path}:/w"]}}
            status, answer = sidecar.asks("POST", "/containers/create", body)
            assert (status, says in answer) == (403, True), answer
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("method", "call", "body"),
    [
        ("POST", "/containers/{}/exec", {"Cmd": ["sh"]}),
        ("POST", "/containers/{}/attach?stream=1&stdin=1", None),
        ("POST", "/containers/{}/stop", None),
        ("POST", "/containers/{}/kill", None),
        ("DELETE", "/containers/{}?force=1", None),
        ("POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"VolumesFrom": ["{}"]}}),
    ],
    ids=["exec", "attach", "stop", "kill", "remove", "volumes-from"],
)
def test_it_finds_its_own_container_and_guards_it(sidecar: Sidecar, method: str, call: str, body: Any) -> None:
    for reference in (NAME, sidecar.id, sidecar.id[:9]):
        asked = json.loads(json.dumps(body).replace("{}", reference)) if body else None
        status, answer = sidecar.asks(method, call.replace("{}", reference), asked)
        assert status == 403, answer
        assert "own container" in answer
    assert sidecar.engine.get(f"/containers/{sidecar.id}/json")["State"]["Running"]


def test_the_doctor_inside_it_has_nothing_to_complain_of(sidecar: Sidecar) -> None:
    found = doctor(sidecar.engine, "exec", NAME, "sockproxy", "doctor", "--json", "--policy", "read-only")
    assert not [each for each in found.values() if each["level"] == "problem"]
    assert NAME in found["own-container"]["what"]
    assert found["listen"]["what"] == f"tcp://0.0.0.0:2375 is open to the network `{NETWORK}`"
    assert "does not follow what the host mounts later" in found["host-root"]["what"]


def test_the_doctor_names_the_group_that_is_missing(sidecar: Sidecar) -> None:
    image = f"{PREFIX}-sockproxy:1"
    run = ("run", "--rm", "--label", LABEL, "--label", f"sockproxy.test.run={PREFIX}", "-v")
    found = doctor(sidecar.engine, *run, "/srv/docker.sock:/var/run/docker.sock", image, "doctor", "--json")
    group = sidecar.engine.socket.stat().st_gid
    assert found["socket"]["level"] == "problem"
    assert found["socket"]["fix"].startswith(f'compose: group_add: ["{group}"] · docker run --group-add {group} ')

    folder = f"/srv/{PREFIX}-no-socket"
    found = doctor(sidecar.engine, *run, f"{folder}:/var/run/docker.sock", image, "doctor", "--json")
    (sidecar.engine.root / folder.lstrip("/")).rmdir()
    assert found["socket"]["what"].startswith("/var/run/docker.sock is a folder: compose and `docker run -v` make one")


def doctor(engine: Engine, *words: str) -> dict[str, dict[str, str]]:
    """What a docker command's `sockproxy doctor --json` finds: the first finding of each check."""
    env = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": engine.address, "HOME": "/nonexistent"}
    done = subprocess.run([engine.cli, *words], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout, done.stderr
    return {each["check"]: each for each in reversed(json.loads(done.stdout)["findings"])}
