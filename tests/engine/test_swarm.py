"""Swarm on one node: services, stacks, secrets and configs say the same through sockproxy as with the bare engine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.engine.conversation import held_twice
from tests.engine.disposable import IMAGE, LABEL, Engine
from tests.engine.docker_cli import Docker
from tests.engine.proxies import Proxy
from tests.engine.swarming import swarming

KEY, VALUE = LABEL.split("=")


@pytest.fixture(scope="module", autouse=True)
def _swarm(engine: Engine) -> Iterator[None]:
    with swarming(engine):
        yield


def runs(docker: Docker, service: str) -> None:
    """Wait until the service has a task that runs; what is asked meanwhile is no part of the conversation."""
    held, deadline = len(docker.said), time.monotonic() + 40
    while (
        "Running" not in docker(f"service ps --no-trunc {service} --format '{{{{.CurrentState}}}} {{{{.Error}}}}'").out
    ):
        assert time.monotonic() < deadline, str(docker.said[-1])
        time.sleep(0.2)
    del docker.said[held:]


def services(docker: Docker) -> None:
    docker("network create --driver overlay {labels} {n}")
    docker("secret create {labels} {n} -", stdin=b"of the swarm")
    docker("config create {labels} {n} -", stdin=b"for the service")
    docker(
        "service create --detach --name {n} {labels} --network {n} --secret {n} --config source={n},target=/etc/app"
        " --mount type=volume,source={n},target=/data --limit-memory 64m --limit-cpu 0.5 --cap-drop ALL --read-only"
        " --env A=1 --restart-condition on-failure --no-resolve-image --container-label a=b --publish 80"
        f" {IMAGE} sh -c 'cat /run/secrets/* /etc/app; exec sleep 600'"
    )
    runs(docker, "{n}")
    docker("service ls --filter name={n} --format '{{.Name}} {{.Mode}} {{.Replicas}} {{.Image}}'")
    docker("service ps {n} --format '{{.Name}} {{.Image}} {{.DesiredState}} {{.Error}}'")
    docker("service inspect {n} --format '{{json .Spec}}'")
    docker("service logs --raw {n}")
    docker("service update --detach --env-add B=2 --stop-grace-period 0s --no-resolve-image {n}")
    docker("service inspect {n} --format '{{len .Spec.TaskTemplate.ContainerSpec.Env}}'")  # their order is a map's
    docker("service rollback --detach {n}")
    docker("service inspect {n} --format '{{len .Spec.TaskTemplate.ContainerSpec.Env}}'")  # their order is a map's
    docker("service scale --detach {n}=2")
    docker("service inspect {n} --format '{{json .Spec.Mode}}'")
    docker("service rm {n}")
    docker("service inspect {n}", status=1)
    docker("secret inspect {n} --format '{{.Spec.Name}}'")
    docker("secret rm {n}")
    docker("config rm {n}")
    docker("node ls --format '{{.Status}} {{.Availability}} {{.ManagerStatus}}'")
    docker("node inspect self --format '{{.Spec.Role}} {{.Spec.Availability}}'")


def test_services(engine: Engine, docker: Callable[..., Docker], proxy_for: Callable[[Engine, str], Proxy]) -> None:
    held_twice(services, lambda address: docker(engine.cli, address), engine, proxy_for(engine, "swarm"))


STACK = {
    "version": "3.8",
    "services": {
        "web": {
            "image": IMAGE,
            "command": ["sleep", "600"],
            "networks": {"front": {"aliases": ["www"]}},
            "volumes": ["data:/data"],
            "configs": ["app"],
            "stop_grace_period": "0s",
            "labels": {KEY: VALUE},
            "deploy": {"replicas": 1, "resources": {"limits": {"memory": "64M"}}},
        }
    },
    "networks": {"front": {"labels": {KEY: VALUE}}},
    "volumes": {"data": {"labels": {KEY: VALUE}}},
    "configs": {"app": {"file": "./app"}},
}


def test_a_stack(
    engine: Engine, docker: Callable[..., Docker], proxy_for: Callable[[Engine, str], Proxy], tmp_path: Path
) -> None:
    (tmp_path / "stack.yaml").write_text(json.dumps(STACK))  # JSON is YAML
    (tmp_path / "app").write_text("of the stack")

    def stack(docker: Docker) -> None:
        docker("stack deploy --compose-file stack.yaml --resolve-image never {n}", cwd=tmp_path, unordered=True)
        docker("stack services {n} --format '{{.Name}} {{.Image}}'")
        docker("stack ps {n} --format '{{.Name}} {{.DesiredState}}'")
        docker("stack rm {n}", unordered=True)

    held_twice(stack, lambda address: docker(engine.cli, address), engine, proxy_for(engine, "swarm"))


@dataclass(frozen=True)
class World:
    """What is there before: a service and a secret that are others', made on the bare engine."""

    bare: Docker
    proxied: Docker
    secret: str
    """The id of another's secret."""


@pytest.fixture(scope="module")
def world(engine: Engine, config: Path, proxy_for: Callable[[Engine, str], Proxy]) -> Iterator[World]:
    bare = Docker(engine.cli, engine.address, config)
    proxied = Docker(engine.cli, proxy_for(engine, "swarm").address, config, name=bare.name)
    bare("secret create {labels} bank-{n} -", stdin=b"the bank's")
    bare("secret create {labels} {n} -", stdin=b"ours")
    quick = "--detach --no-resolve-image --replicas 0"
    bare(f"service create {quick} {{labels}} --name bank-{{n}} {IMAGE}")
    bare(f"service create {quick} {{labels}} --name {{n}} --mount type=bind,source=/etc,target=/h {IMAGE}")
    bare("service update --detach --no-resolve-image --mount-rm /h {n}")
    identity = engine.get(f"/secrets/bank-{bare.name}")["ID"]
    try:
        yield World(bare, proxied, identity)
    finally:
        bare("service rm bank-{n} {n}")
        bare("secret rm bank-{n} {n}")


CREATE = "service create --detach --no-resolve-image --replicas 0 --name {n}-x"


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        (f"{CREATE} --mount type=bind,source=/etc,target=/h {IMAGE}", "bind: /etc"),
        (
            f"{CREATE} --mount type=volume,source={{n}},target=/h,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/etc {IMAGE}",
            "bind: /etc",
        ),
        (f"{CREATE} --mount type=volume,source=bank,target=/h {IMAGE}", "volume: bank"),
        (f"{CREATE} --network host {IMAGE}", "namespace: network=host"),
        (f"{CREATE} --cap-add SYS_ADMIN {IMAGE}", "capability: SYS_ADMIN"),
        (f"{CREATE} --secret bank-{{n}} {IMAGE}", "secret: bank-<name>"),
        (f"{CREATE} --publish 8080:80 {IMAGE}", "publish: 0.0.0.0:8080/tcp"),
        (f"{CREATE} --sysctl net.core.somaxconn=1 {IMAGE}", "sysctl: net.core.somaxconn=1"),
        (f"{CREATE} --log-driver syslog {IMAGE}", "log-driver: syslog"),
        (f"service create --detach --no-resolve-image --name bank-x {IMAGE}", "service: bank-x"),
        ("service update --detach --no-resolve-image --cap-add SYS_ADMIN {n}", "capability: SYS_ADMIN"),
        ("service update --detach --no-resolve-image --env-add A=1 bank-{n}", "service: bank-<name>"),
        ("service rollback --detach {n}", "bind: /etc"),
        ("service rm bank-{n}", "service: bank-<name>"),
    ],
)
def test_what_is_not_granted_is_refused(world: World, engine: Engine, line: str, asked: str) -> None:
    before = engine.get("/services")
    said = world.proxied(line, status=1)
    assert f"`{asked}`" in said.err, str(said)
    assert engine.get("/services") == before


def test_a_secret_s_id_and_name_must_belong_together(world: World, engine: Engine) -> None:
    reference = {"SecretID": world.secret, "SecretName": world.bare.name, "File": {"Name": "a", "UID": "0", "GID": "0"}}
    task = {"ContainerSpec": {"Image": IMAGE, "Secrets": [reference]}}
    body = {"Name": f"{world.bare.name}-y", "TaskTemplate": task, "Mode": {"Replicated": {"Replicas": 0}}}
    transport = httpx.HTTPTransport(uds=world.proxied.address.removeprefix("unix://"))
    with httpx.Client(transport=transport, base_url="http://proxy") as client:
        refused = client.post("/services/create", json=body)
        assert refused.status_code == 403
        assert f"secret: {world.bare.name}" in refused.json()["message"]
        reference["SecretID"] = engine.get(f"/secrets/{world.bare.name}")["ID"]
        made = client.post("/services/create", json=body)
        assert made.status_code == 201, made.text
        assert client.delete(f"/services/{made.json()['ID']}").status_code == 200
