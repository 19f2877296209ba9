"""What the reading of a compose file says that a policy says to it, and what `docker compose up` then really gets.

Each project is read and brought up through sockproxy on a real engine, under the shipped `compose-deployer` and under a
policy that gives hardly anything. The reading must be refused where the real thing is, for the same asks. Compose makes
some calls at once and stops at the first that is refused, so of several denials only some are met.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sockproxy.compose import Project, calls, read
from sockproxy.judge import recognise
from sockproxy.model import Context, Deny, JsonObject, Missing, Version
from sockproxy.policy import presets
from sockproxy.policy.load import Policy, load
from sockproxy.rehearse import verdict_on
from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.docker_cli import Docker
from tests.engine.proxies import Proxy, running
from tests.engine.test_builds import cli_of

NAME = f"{PREFIX}-explained"
OTHER = f"{PREFIX}-other"
"""A container, a network and a volume that are there already, and no project's."""

Refused: TypeAlias = frozenset[tuple[str, str, bool]]
Denial: TypeAlias = tuple[str, Refused]
"""An operation, and what was refused of it: kinds, values, and whether read-only."""

NARROW = f"""
version: 1
name: narrow
extends: read-only
rules:
  - id: run
    allow:
      - POST /containers/create
      - POST /containers/*/start
      - POST /networks/create
      - POST /networks/*/connect
      - POST /volumes/create
    only:
      container: label=com.docker.compose.project={NAME}
      network: {NAME}_*
      volume: {NAME}_data
      image: busybox
      restart: none
    limit: {{memory: 64m, pids: 50}}
    require: no-new-privileges
"""


SHARING = """
version: 1
name: sharing
extends: read-only
rules:
  - id: run
    allow: [POST /containers/create, POST /containers/*/start, POST /networks/create]
    grant: {volumes-from: any}
    only: {volume: (anonymous)}
"""


def deployer(folder: Path) -> str:
    """`compose-deployer` for this project, kept in that folder."""
    text = (presets.folder() / "compose-deployer.yaml").read_text(encoding="utf-8")
    return text.replace("/srv/shop", str(folder)).replace("shop", NAME)


@dataclass(frozen=True)
class Scene:
    """A compose file, and under which policies it is refused, by kind of ask."""

    text: str
    """`FOLDER` in it is the project's folder."""
    refused: dict[str, set[str] | None] = field(default_factory=dict)
    """A policy's name to the kinds of the first denial, None where no rule allows the call at all; a policy that is not
    here allows everything."""
    files: dict[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    policies: tuple[str, ...] = ("deployer", "narrow")


LIMITED = "mem_limit: 32m, pids_limit: 20, security_opt: ['no-new-privileges:true']"
SERVICE = f"image: '{IMAGE}', command: [sleep, '60'], stop_grace_period: 0s"
FREE = {"limit", "require"}

SCENES = {
    "hardened": Scene(f"""
services:
  web: {{{SERVICE}, {LIMITED}, read_only: true, cap_drop: [ALL], tmpfs: /run, user: '1000'}}
"""),
    "plain": Scene(f"services: {{web: {{{SERVICE}}}}}", {"narrow": FREE}),
    "bind inside": Scene(
        f"services: {{web: {{{SERVICE}, {LIMITED}, volumes: ['./conf:/conf:ro', 'FOLDER/x/../b:/b']}}}}",
        {"narrow": {"bind"}},
    ),
    "bind outside": Scene(
        f"services: {{web: {{{SERVICE}, {LIMITED}, volumes: ['./conf:/conf', '../elsewhere:/e:ro', '~/h:/h']}}}}",
        {"narrow": {"bind"}, "deployer": {"bind"}},
    ),
    "named volumes": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}, volumes: [data:/data, more:/more:ro, /anonymous]}}
volumes: {{data: , more: }}
""",
        {"narrow": {"volume"}, "deployer": {"volume"}},
    ),
    "a volume that is a bind": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}, volumes: [data:/data]}}
volumes: {{data: {{driver: local, driver_opts: {{type: none, o: bind, device: /etc}}}}}}
""",
        {"narrow": {"bind"}, "deployer": {"bind"}},
    ),
    "an external volume": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}, volumes: [data:/data]}}
volumes: {{data: {{external: true, name: {OTHER}}}}}
""",
        {"narrow": {"volume"}, "deployer": {"volume"}},
    ),
    "host network": Scene(
        f"services: {{web: {{{SERVICE}, {LIMITED}, network_mode: host}}}}",
        {"narrow": {"namespace"}, "deployer": {"namespace"}},
    ),
    "the host's network by its name": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}, networks: [h]}}
networks: {{h: {{external: true, name: host}}}}
""",
        {"narrow": {"namespace"}, "deployer": {"namespace"}},
    ),
    "privileged sidecar": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}}}
  side: {{{SERVICE}, {LIMITED}, privileged: true, pid: host, depends_on: [web]}}
""",
        {"narrow": {"privileged", "namespace"}, "deployer": {"privileged", "namespace"}},
    ),
    "ports inside": Scene(
        f"services: {{web: {{{SERVICE}, {LIMITED}, ports: ['127.0.0.1:8911-8912:80-81', '127.0.0.1::82']}}}}",
        {"narrow": {"publish"}},
    ),
    "ports outside": Scene(
        f"services: {{web: {{{SERVICE}, {LIMITED}, ports: ['8913:80', {{target: 81, published: '8914', host_ip: '::1'}}]}}}}",
        {"narrow": {"publish"}, "deployer": {"publish"}},
    ),
    "gpus": Scene(
        f"services: {{web: {{{SERVICE}, {LIMITED}, gpus: all}}}}",
        {"narrow": {"gpu"}},
    ),
    "reserved devices": Scene(
        f"""
services:
  web:
    {{{SERVICE}, {LIMITED}, devices: [/dev/null:/dev/n:r], deploy: {{resources: {{reservations: {{devices: [{{capabilities: [gpu], count: 1}}]}}}}}}}}
""",
        {"narrow": {"gpu", "device"}, "deployer": {"device"}},
    ),
    "secrets and configs": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}, secrets: [s], configs: [c]}}
secrets: {{s: {{file: ./secret}}}}
configs: {{c: {{content: hello}}}}
""",
        {"narrow": {"bind"}},
        files={"secret": "none"},
    ),
    "a config that is copied in": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}, configs: [c]}}
configs: {{c: {{content: hello}}}}
""",
        {"narrow": None},
    ),
    "several networks": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}, networks: {{a: {{aliases: [x]}}, b: {{ipv4_address: 10.97.3.3, priority: 9}}}}}}
networks: {{a: {{internal: true}}, b: {{ipam: {{config: [{{subnet: 10.97.3.0/24}}]}}}}}}
""",
        {"narrow": {"address"}, "deployer": {"address"}},
    ),
    "two plain networks": Scene(f"""
services:
  web: {{{SERVICE}, {LIMITED}, networks: [a, b]}}
networks: {{a: {{internal: true}}, b: }}
"""),
    "another's network": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}, networks: [a, n]}}
networks: {{a: , n: {{external: true, name: {OTHER}}}}}
""",
        {"narrow": {"network"}, "deployer": {"network"}},
    ),
    "extends and anchors": Scene(
        f"""
x-hard: &hard {{security_opt: ["no-new-privileges:true"], cap_drop: [ALL]}}
services:
  base: {{<<: *hard, {SERVICE}, mem_limit: 32m, pids_limit: 20}}
  web: {{extends: base, cap_add: [NET_BIND_SERVICE, "${{EXTRA:-NET_ADMIN}}"], container_name: {NAME}-own}}
""",
        {"narrow": {"capability"}, "deployer": {"capability"}},
    ),
    "links and volumes from": Scene(
        f"""
services:
  db: {{{SERVICE}, {LIMITED}, volumes: [data:/data]}}
  web: {{{SERVICE}, {LIMITED}, links: ["db:database"]}}
  backup: {{{SERVICE}, {LIMITED}, volumes_from: ["db:ro"]}}
volumes: {{data: }}
""",
        {"narrow": {"volumes-from"}, "deployer": {"volumes-from"}},
    ),
    "an anonymous volume taken over": Scene(
        f"""
services:
  db: {{{SERVICE}, {LIMITED}, volumes: [/data]}}
  web: {{{SERVICE}, {LIMITED}, volumes_from: [db]}}
""",
        {"narrow": {"volume"}, "deployer": {"volume"}, "sharing": {"volume"}},
        policies=("deployer", "narrow", "sharing"),
    ),
    "shared namespaces": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}, volumes: ["./b:/b"]}}
  side: {{{SERVICE}, {LIMITED}, network_mode: "service:web", pid: "service:web"}}
""",
        {"narrow": {"bind"}},
    ),
    "another's namespace": Scene(
        f"services: {{web: {{{SERVICE}, {LIMITED}, network_mode: 'container:{OTHER}'}}}}",
        {"narrow": {"namespace", "container", "network"}, "deployer": {"container"}},
    ),
    "a profile that is not chosen": Scene(f"""
services:
  web: {{{SERVICE}, {LIMITED}}}
  debug: {{{SERVICE}, privileged: true, profiles: [debug]}}
"""),
    "a profile that is chosen": Scene(
        f"""
services:
  web: {{{SERVICE}, {LIMITED}}}
  debug: {{{SERVICE}, {LIMITED}, privileged: true, profiles: [debug]}}
""",
        {"narrow": {"privileged"}, "deployer": {"privileged"}},
        profiles=("debug",),
    ),
    "a command after the start": Scene(
        f"services: {{web: {{{SERVICE}, {LIMITED}, post_start: [{{command: [id], user: root, privileged: true}}]}}}}",
        {"narrow": None, "deployer": {"privileged"}},
    ),
    "resources and labels": Scene(
        f"""
services:
  web:
    {{{SERVICE}, labels: {{traefik.enable: "true"}}, restart: unless-stopped, sysctls: {{net.core.somaxconn: 64}},
      security_opt: ["no-new-privileges:true"], deploy: {{resources: {{limits: {{memory: 128m, pids: 40}}}}}}}}
""",
        {"narrow": {"limit", "restart", "sysctl"}, "deployer": {"sysctl"}},
    ),
    "a build": Scene(
        f"services: {{web: {{build: ., {LIMITED}}}}}",
        {"narrow": None},
        files={"Dockerfile": f"FROM {IMAGE}\nLABEL sockproxy.test.run={PREFIX}\nCMD sleep 60\n"},
    ),
    "a pull": Scene(
        f"services: {{web: {{image: '127.0.0.1:9/{NAME}/nothing', pull_policy: always, {LIMITED}}}}}",
        {"narrow": None},
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder."""
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def surroundings(engine: Engine, folder: Path) -> Iterator[Engine]:
    """An engine with what is there already, and with the folder where it sees it."""
    labels = {"sockproxy.test.run": PREFIX}
    seen = seen_by(engine, folder)
    try:
        seen.mkdir(parents=True)
        with engine.client() as bare:
            body = {"Image": IMAGE, "Cmd": ["sleep", "600"], "Labels": labels}
            bare.post("/containers/create", params={"name": OTHER}, json=body).raise_for_status()
            bare.post(f"/containers/{OTHER}/start").raise_for_status()
            bare.post("/networks/create", json={"Name": OTHER, "Labels": labels}).raise_for_status()
            bare.post("/volumes/create", json={"Name": OTHER, "Labels": labels}).raise_for_status()
        yield engine
    finally:
        engine.sweep()
        shutil.rmtree(seen)


def seen_by(engine: Engine, path: Path) -> Path:
    """A path as the engine sees it."""
    return engine.root / str(path).removeprefix("/")


@pytest.fixture(scope="module")
def proxied(
    tmp_path_factory: pytest.TempPathFactory, folder: Path
) -> Iterator[Callable[[Engine, str], tuple[Policy, Proxy]]]:
    """``proxied(engine, "narrow")``: the policy, and a proxy in front of the engine with it."""
    files = tmp_path_factory.mktemp("policies")
    texts = {"narrow": NARROW, "sharing": SHARING, "deployer": deployer(folder)}
    with ExitStack() as stack:
        started: dict[tuple[Engine, str], Proxy] = {}

        def proxy(engine: Engine, name: str) -> tuple[Policy, Proxy]:
            file = files / f"{name}.yaml"
            if (engine, name) not in started:
                file.write_text(texts[name], encoding="utf-8")
                started[engine, name] = stack.enter_context(running(engine.address, file))
            return load(file), started[engine, name]

        yield proxy


def read_denials(project: Project, policy: Policy, engine: Engine) -> list[Denial]:
    """What the policy refuses of the calls that are read; what is not the project's is asked of the engine."""
    version: Version = (1, int(engine.api.partition(".")[2]))
    found: list[Denial] = []
    for call in calls(project, api_version=version):
        verdict = verdict_on(
            *(call.method, call.target, dict(call.headers), call.encoded),
            policy=policy,
            context=Context(engine_version=version),
            answer=call.answer(lambda path: asked_of(engine, path)),
        )
        if isinstance(verdict, Deny):
            row = recognise(call.method.encode(), call.target.encode(), [])[1]
            asks = frozenset((ask.kind, without_ids(ask.value), ask.read_only) for ask in verdict.refused)
            found.append((row.name, asks))
    return found


def without_ids(value: str) -> str:
    """What the engine chooses a name for has another one in the reading."""
    return re.sub("[0-9a-f]{64}", "<id>", value)


def asked_of(engine: Engine, path: str) -> JsonObject | Missing:
    with engine.client() as client:
        response = client.get(path)
    told: JsonObject = response.json()
    return told if response.is_success else Missing(response.status_code, str(told["message"]))


def met_denials(records: list[dict[str, Any]]) -> list[Denial]:
    """What was refused of the calls that were made, by the audit log."""
    return [
        (
            record["operation"],
            frozenset(
                (ask["kind"], without_ids(ask["value"]), ask.get("read_only", False)) for ask in record["refused"]
            ),
        )
        for record in records
        if record["verdict"] == "deny"
    ]


CASES = [(scene, policy) for scene, given in SCENES.items() for policy in given.policies]


@pytest.mark.parametrize(("scene", "policy_name"), CASES)
def test_the_verdict_that_is_read_is_the_one_that_compose_gets(
    surroundings: Engine,
    folder: Path,
    docker: Callable[..., Docker],
    proxied: Callable[[Engine, str], tuple[Policy, Proxy]],
    scene: str,
    policy_name: str,
) -> None:
    engine, given = surroundings, SCENES[scene]
    file = folder / "compose.yaml"
    for name, text in {"compose.yaml": given.text.replace("FOLDER", str(folder)), **given.files}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (seen_by(engine, folder) / name).write_text(text, encoding="utf-8")
    policy, proxy = proxied(engine, policy_name)
    compose = docker(cli_of("28"), proxy.address, name=NAME)
    project = read(file, project_name=NAME, environment=compose.environment, profiles=given.profiles)
    expected = read_denials(project, policy, engine)
    before = len(proxy.records())
    line = "".join(f"--profile {name} " for name in given.profiles)
    try:
        compose(f"compose --project-name {{n}} {line}up --detach", status=None, cwd=folder)
        met = met_denials(proxy.records()[before:])
    finally:
        bare = docker(cli_of("28"), engine.address, name=NAME)
        bare(f"compose --project-name {{n}} {line}down --volumes --timeout 0 --rmi local", cwd=folder)
    assert bool(met) == bool(expected) == (policy_name in given.refused), json.dumps([*map(str, compose.said)])
    if not expected:
        return
    kinds = given.refused[policy_name]
    assert kinds is None or {kind for kind, _, _ in expected[0][1]} == kinds
    assert met[0] in expected
    assert met[0][0] == expected[0][0]
    if expected[0][0] != "Grpc":  # buildx, refused, tries for a builder in a container of its own
        assert set(met) <= set(expected)
