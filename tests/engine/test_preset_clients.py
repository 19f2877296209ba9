"""The clients that presets are for, where they can be had, do their work through sockproxy with that preset as it is.

compose and buildx come with the engines' own docker command; Prometheus, Zabbix agent 2 and Ansible are Debian's, or
whoever's is found; Testcontainers is Python's.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from tests.engine.conversation import with_context
from tests.engine.disposable import IMAGE, LABEL, PREFIX, Engine
from tests.engine.docker_cli import TIMEOUT, Docker
from tests.engine.proxies import Proxy, free_port, running
from tests.engine.swarming import swarming
from tests.engine.test_builds import cli_of

Behind: TypeAlias = Callable[[str], Proxy]

LABELS = {"sockproxy.test": "1", "sockproxy.test.run": PREFIX}


def refused(docker: Docker, *lines: str) -> None:
    for line in lines:
        said = docker(line, status=None)
        assert said.status, str(said)
        assert "sockproxy: " in said.out + said.err, str(said)


@contextmanager
def standing(engine: Engine, name: str, **body: Any) -> Iterator[str]:
    """A container that runs on the engine for as long as the block; its id."""
    body = {"Image": IMAGE, "Cmd": ["sleep", "600"], **body}
    body["Labels"] = {**body.get("Labels", {}), **LABELS}
    with engine.client() as client, engine.swept():
        made: str = client.post("/containers/create", params={"name": name}, json=body).raise_for_status().json()["Id"]
        client.post(f"/containers/{made}/start").raise_for_status()
        yield made


# The docker command's plug-ins ----------------------------------------------------------------------------------------------

KEY, VALUE = LABEL.split("=")
SHOP = {
    "services": {
        "web": {
            "image": IMAGE,
            "command": ["sh", "-c", "cat /conf/motd; exec sleep 600"],
            "volumes": ["data:/data", "/srv/shop/conf:/conf:ro"],
            "networks": ["front"],
            "ports": ["127.0.0.1::80"],
            "cap_drop": ["ALL"],
            "restart": "unless-stopped",
            "stop_signal": "SIGKILL",
            "labels": LABELS,
        },
        "side": {
            "image": IMAGE,
            "command": ["sleep", "600"],
            "network_mode": "service:web",
            "stop_signal": "SIGKILL",
            "labels": LABELS,
        },
    },
    "networks": {"front": {"labels": LABELS}},
    "volumes": {"data": {"labels": LABELS}},
}


def test_compose_deploys_its_project_and_no_other(
    engine: Engine, behind: Behind, docker: Callable[..., Docker], tmp_path: Path
) -> None:
    bare, shop = docker(engine.cli, engine.address), docker(cli_of("28"), behind("compose-deployer").address)
    shop.name = bare.name
    built = {"build": {"context": ".", "labels": LABELS}, "image": f"{shop.name}:built", "profiles": ["built"]}
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo built > /built\n")
    (tmp_path / "compose.yaml").write_text(json.dumps({**SHOP, "services": {**SHOP["services"], "built": built}}))

    def compose(line: str, project: str = "shop", **more: Any) -> Any:
        return shop(f"compose --ansi never --project-name {project} {line}", cwd=tmp_path, unordered=True, **more)

    with engine.swept("/srv/shop"), standing(engine, shop.name):
        conf = engine.sees("/srv/shop/conf")
        conf.mkdir(parents=True, exist_ok=True)
        (conf / "motd").write_text("configured\n")
        bare("volume create {labels} {n}")
        compose("up --detach")
        assert "configured" in compose("logs --no-color web").out
        compose("ps --all")
        compose("exec -T web cat /conf/motd")
        compose("run --rm --no-deps -T web true")
        compose("build --quiet built")
        compose("restart --timeout 0 web")
        compose("stop --timeout 0")
        refused(shop, "exec {n} id", "stop {n}", f"run --rm {IMAGE} id", "volume rm {n}")
        compose("down --volumes --timeout 0")
        said = compose("up --detach", project="bank", status=None)
        assert said.status, str(said)
        assert "sockproxy: " in said.err, str(said)
        mine = {"label": ["com.docker.compose.project=shop"]}
        assert engine.get("/containers/json", all="1", filters=json.dumps(mine)) == []


def test_buildx_builds_by_the_engine_and_makes_its_container(
    engine: Engine, behind: Behind, docker: Callable[..., Docker]
) -> None:
    """BuildKit's image is in no registry here: another under its name is made, started, and has no `buildctl`."""
    proxy = behind("buildx-builder")
    bare, buildx = docker(engine.cli, engine.address), docker(cli_of("28"), proxy.address)
    buildx.name = bare.name
    tag, made = f"moby/buildkit:{bare.name}", f"buildx_buildkit_{bare.name}0"
    with engine.swept(), _without_builder(engine, made):
        with_context(buildx, "buildx build --quiet {labels} -t {n}:built .")
        bare(f"tag {IMAGE} {tag}")
        buildx("buildx create --name {n} --driver docker-container --driver-opt image=" + tag)
        said = buildx("buildx inspect --bootstrap {n}", status=None)
        assert "sockproxy: " not in said.out + said.err, str(said)
        assert engine.get(f"/containers/{made}/json")["HostConfig"]["Privileged"] is True
        verdicts = [(record["operation"], record["verdict"]) for record in proxy.records() if "verdict" in record]
        allowed = {operation for operation, verdict in verdicts if verdict == "allow"}
        assert {"Grpc", "ContainerCreate", "ContainerStart", "PutContainerArchive"} <= allowed
        # It tries whether there are GPUs with a container that it never starts, and does without where that is refused.
        assert {operation for operation, verdict in verdicts if verdict == "deny"} <= {"ContainerCreate"}
        refused(buildx, f"exec {made} sh", f"run --rm --privileged {IMAGE} id", f"run --rm -v /:/h {tag} id")
        buildx("buildx rm --force {n}")


@contextmanager
def _without_builder(engine: Engine, made: str) -> Iterator[None]:
    """BuildKit's container and its volume, which bear no label of ours, are gone at the end."""
    try:
        yield
    finally:
        with engine.client() as client:
            client.delete(f"/containers/{made}", params={"force": "1", "v": "1"})
            client.delete(f"/volumes/{made}_state", params={"force": "1"})


def test_the_docker_command_looks_at_a_swarm(engine: Engine, behind: Behind, docker: Callable[..., Docker]) -> None:
    bare, viewer = docker(engine.cli, engine.address), docker(engine.cli, behind("swarm-viewer").address)
    viewer.name = bare.name
    with swarming(engine):
        bare(f"service create --detach --name {{n}} {{labels}} --no-resolve-image --replicas 0 {IMAGE} sleep 600")
        for line in ("service ls", "service ps {n}", "service inspect {n}", "node ls", "node ps self", "stack ls"):
            viewer(line)
        refused(viewer, "swarm join-token worker", "secret ls", "config ls", "service scale {n}=1", "service rm {n}")
        bare("service rm {n}")


# Monitors ------------------------------------------------------------------------------------------------------------------


def program(name: str, package: str) -> str:
    """Where a program is, or a skip that says which package has it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name} (apt-get install {package})")
    return found


def test_prometheus_discovers_containers(engine: Engine, behind: Behind, tmp_path: Path) -> None:
    prometheus, proxy, port = program("prometheus", "prometheus"), behind("prometheus"), free_port()
    discovery = {"host": proxy.address, "refresh_interval": "1s", "filters": [{"name": "name", "values": [PREFIX]}]}
    settings = {"scrape_configs": [{"job_name": "docker", "docker_sd_configs": [discovery]}]}
    (tmp_path / "prometheus.yml").write_text(json.dumps(settings))  # JSON is YAML
    command = [prometheus, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    name, before = f"{PREFIX}-{os.urandom(3).hex()}", len(proxy.records())
    with (
        standing(engine, name, ExposedPorts={"80/tcp": {}}, Labels={"metrics": "yes"}),
        (tmp_path / "log").open("wb") as log,
    ):
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        try:
            found = _eventually(lambda: _discovered(port, name))
        finally:
            process.terminate()
            process.wait(20)
    assert found, (tmp_path / "log").read_text()
    assert {record["verdict"] for record in proxy.records()[before:] if "verdict" in record} == {"allow"}


def _discovered(port: int, name: str) -> bool:
    try:
        told = httpx.get(f"http://127.0.0.1:{port}/api/v1/targets").json()
    except (httpx.TransportError, ValueError):
        return False
    targets = told["data"]["activeTargets"]
    return any(target["discoveredLabels"]["__meta_docker_container_name"] == f"/{name}" for target in targets)


def _eventually(happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not (happened := happens()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return happened


ZABBIX_KEYS = ("docker.ping", "docker.info", "docker.containers", "docker.images", "docker.data_usage")


def test_zabbix_agent_2_measures(engine: Engine, behind: Behind, tmp_path: Path) -> None:
    agent, proxy = program("zabbix_agent2", "zabbix-agent2"), behind("monitoring")
    settings = f"LogType=console\nServer=127.0.0.1\nControlSocket={tmp_path}/agent.sock\nPlugins.Docker.Endpoint={proxy.address}\n"
    (tmp_path / "zabbix.conf").write_text(settings)
    name = f"{PREFIX}-{os.urandom(3).hex()}"
    with standing(engine, name):
        for key in (*ZABBIX_KEYS, f'docker.container_info["{name}"]', f'docker.container_stats["{name}"]'):
            command = [agent, "-c", str(tmp_path / "zabbix.conf"), "-t", key]
            said = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
            assert "ZBX_NOTSUPPORTED" not in said.stdout, said
            assert "[s|" in said.stdout, said


# Ansible -------------------------------------------------------------------------------------------------------------------


def _playbook(name: str) -> list[dict[str, Any]]:
    """What a role does of an application: its network, its volume, itself, a file and a command in it, and all gone."""
    app, labels = f"app-{name}", LABELS
    there = {"name": app, "image": IMAGE, "command": "sleep 600", "labels": labels, "stop_timeout": 1}
    there |= {"networks": [{"name": f"{app}-net"}], "network_mode": f"{app}-net", "volumes": [f"{app}-data:/data"]}
    there |= {"pull": False, "restart_policy": "unless-stopped", "published_ports": ["127.0.0.1:8000-8999:80"]}
    tasks: list[tuple[str, dict[str, Any]]] = [
        ("docker_network", {"name": f"{app}-net", "labels": labels}),
        ("docker_volume", {"volume_name": f"{app}-data", "labels": labels}),
        ("docker_container", there),
        ("docker_container", there),  # again: nothing to do
        ("docker_container_exec", {"container": app, "argv": ["sh", "-c", "echo done > /data/x"]}),
        ("docker_container_info", {"name": app}),
        ("docker_image_info", {"name": IMAGE}),
        ("docker_container", {"name": app, "state": "absent", "force_kill": True}),
        ("docker_volume", {"volume_name": f"{app}-data", "state": "absent"}),
        ("docker_network", {"name": f"{app}-net", "state": "absent"}),
    ]
    return _play(tasks)


def _play(tasks: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    written = [{f"community.docker.{module}": arguments} for module, arguments in tasks]
    return [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": written}]


def _python_of(ansible: str) -> str:
    """The Python that the modules run in: ansible's own, as an old collection wants a requests of its age."""
    first = Path(ansible).read_bytes().partition(b"\n")[0].decode(errors="replace")
    python = first.removeprefix("#!").strip()
    if (
        not first.startswith("#!")
        or subprocess.run([python, "-c", "import requests"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs requests in the Python of ansible (apt-get install python3-requests)")
    return python


def test_ansible_deploys_what_is_named_app(engine: Engine, behind: Behind, tmp_path: Path) -> None:
    ansible = program("ansible-playbook", "ansible")
    python, proxy = _python_of(ansible), behind("ansible-deployer")
    name = f"{PREFIX}-{os.urandom(3).hex()}"

    def play(book: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "book.yaml").write_text(json.dumps(book))  # JSON is YAML
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "DOCKER_HOST": proxy.address,
            "LC_ALL": "C.UTF-8",
        }
        command = [
            ansible,
            "-i",
            "localhost,",
            "-e",
            f"ansible_python_interpreter={python}",
            str(tmp_path / "book.yaml"),
        ]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)

    with engine.swept():
        said = play(_playbook(name))
        assert said.returncode == 0, said.stdout + said.stderr
        for beyond in (
            {"privileged": True},
            {"network_mode": "host"},
            {"volumes": ["/etc:/h:ro"]},
            {"name": f"bank-{name}"},
        ):
            there = {"name": f"app-{name}", "image": IMAGE, "pull": False, "state": "present", **beyond}
            said = play(_play([("docker_container", there)]))
            assert said.returncode, said.stdout
            assert "sockproxy: " in said.stdout, said.stdout


# Testcontainers -------------------------------------------------------------------------------------------------------------

CLIENTS = Path(__file__).parent / "clients"
SOCKET = "/run/sockproxy/testcontainers.sock"
RYUK = "(nc -ll -p 8080 -e cat &) ; echo ' Started!' ; exec sleep 600"
"""Stands for Ryuk, whose image is in no registry here: it listens as Ryuk does, and says that it does."""


def test_ryuk_is_given_the_socket_of_sockproxy(engine: Engine, tmp_path: Path) -> None:
    """Testcontainers makes its reaper with the preset's socket, and who connects there from inside has the preset."""
    name, socket = f"{PREFIX}-{os.urandom(3).hex()}", engine.sees(SOCKET)
    with engine.swept(SOCKET), standing(engine, f"{name}-bank"):
        _with_curl(engine, f"{name}-ryuk")
        socket.parent.mkdir(parents=True, exist_ok=True)
        with running(engine.address, "testcontainers", "--listen", f"unix://{socket}?mode=0666") as proxy:
            # Python connects to the port that Ryuk publishes, which is in the engine's network.
            command = ["nsenter", "--target", str(engine.pid), "--net", sys.executable, CLIENTS / "ryuk_py.py", name]
            variables = {
                "DOCKER_HOST": f"unix://{socket}",
                "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE": SOCKET,
                "RYUK_CONTAINER_IMAGE": f"{name}-ryuk:1",
            }
            said = subprocess.run(
                command, env=os.environ | variables, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
            records = proxy.records()
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.splitlines() == [
        "GET /_ping 200 0",
        "GET /containers/json?all=1 200 0",
        "DELETE /containers/NAME?force=1&v=1 204 0",
        "DELETE /containers/NAME-bank?force=1&v=1 403 0",
        "POST /containers/NAME-bank/restart 403 0",
        "GET /secrets 403 0",
    ]
    assert {ask["value"] for record in records for ask in record.get("asks", ()) if ask["kind"] == "bind"} == {SOCKET}


def _with_curl(engine: Engine, image: str) -> None:
    """An image that is the one that is there, and curl."""
    curl = program("curl", "curl")
    needs = subprocess.run(["ldd", curl], capture_output=True, text=True, check=True).stdout
    files = {curl, *re.findall(r"(/\S+) \(0x", needs)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        for file in sorted(files):
            tar.add(file)
    body = {"Image": IMAGE, "Labels": LABELS}
    with engine.client() as client:
        made = client.post("/containers/create", json=body).raise_for_status().json()["Id"]
        client.put(f"/containers/{made}/archive", params={"path": "/"}, content=buffer.getvalue()).raise_for_status()
        config = {"container": made, "repo": image, "tag": "1"}
        client.post("/commit", params=config, json={"Cmd": ["sh", "-c", RYUK]}).raise_for_status()
