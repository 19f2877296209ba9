"""Plugins: made, pushed, installed, set, upgraded and removed through sockproxy as with the bare engine."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.conversation import held_twice
from tests.engine.disposable import Engine
from tests.engine.docker_cli import Docker
from tests.engine.proxies import Proxy
from tests.engine.registry import registry

CONFIG = {
    "Description": "of a test of sockproxy",
    "Entrypoint": ["/never"],
    "Interface": {"Types": ["docker.volumedriver/1.0"], "Socket": "test.sock"},
    "Network": {"Type": "host"},
    "Linux": {"Capabilities": ["CAP_NET_ADMIN"]},
    "Mounts": [
        {
            "Name": "state",
            "Source": "/srv/sockproxy-test/state",
            "Destination": "/state",
            "Type": "bind",
            "Options": ["rbind"],
            "Settable": ["source"],
        }
    ],
    "Env": [{"Name": "DEBUG", "Value": "0", "Settable": ["value"]}],
}


@pytest.fixture(scope="module")
def registry_of(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(engine, tmp_path_factory.mktemp("registry"), port=15001) as name:
        yield name


def folder(path: Path) -> Path:
    """What a plugin is made of; no two are alike, since two at once with one content confuse an engine."""
    (path / "rootfs").mkdir(parents=True)
    (path / "rootfs" / "file").write_text(path.name)
    (path / "config.json").write_text(json.dumps(CONFIG))
    return path


def test_from_a_folder_to_a_registry_and_back(
    engine: Engine,
    registry_of: str,
    docker: Callable[..., Docker],
    proxy_for: Callable[[Engine, str], Proxy],
    tmp_path: Path,
) -> None:
    name = f"{registry_of}/{{n}}:1"

    def conversation(docker: Docker) -> None:
        docker(f"plugin create {name} .", cwd=folder(tmp_path / docker.name))
        docker("plugin ls --format '{{.Name}} {{.Enabled}}' --filter enabled=false --no-trunc")
        docker(f"plugin inspect {name} --format '{{{{json .Config.Mounts}}}} {{{{.Enabled}}}}'")
        docker(f"plugin push {name}")
        docker(f"plugin rm {name}")
        docker(f"plugin install --disable --grant-all-permissions {name} DEBUG=1")
        docker(f"plugin set {name} state.source=/srv/sockproxy-test/other DEBUG=2")
        docker(f"plugin inspect {name} --format '{{{{json .Settings.Mounts}}}} {{{{json .Settings.Env}}}}'")
        docker(f"plugin upgrade --grant-all-permissions {name} {name}")
        docker(f"plugin enable {name}", status=1)  # there is nothing in it to run
        docker(f"plugin rm --force {name}")
        docker(f"plugin inspect {name}", status=1)
        docker.said[:] = [replace(said, out=_settled(said.out), err=_settled(said.err)) for said in docker.said]

    try:
        # One after the other: an engine that removes a plugin also throws away the manifest of another that is just
        # being pushed (PluginManager.GC of moby keeps layers and configurations, no manifests).
        held_twice(
            conversation,
            lambda address: docker(engine.cli, address),
            engine,
            proxy_for(engine, "plugins"),
            at_once=False,
        )
    finally:
        shutil.rmtree(engine.root / "srv/sockproxy-test", ignore_errors=True)


def _settled(text: str) -> str:
    """Without how far each layer was at a moment, and without the other conversation's plugins."""
    lines = re.sub(r"(?m)^(<id>|[0-9a-f]+): .*\n", "", text).splitlines(keepends=True)
    return "".join(line for line in lines if "sockproxy-test-" not in line)


@pytest.mark.parametrize(
    ("setting", "status"), [("state.source=/etc", 403), ("state.source=/srv/sockproxy-test/ok", 204), ("DEBUG=1", 204)]
)
def test_a_setting_is_held_to_what_is_granted(
    engine: Engine,
    docker: Callable[..., Docker],
    proxy_for: Callable[[Engine, str], Proxy],
    tmp_path: Path,
    setting: str,
    status: int,
) -> None:
    bare, proxied = (docker(engine.cli, address) for address in (engine.address, proxy_for(engine, "plugins").address))
    name = f"127.0.0.1:15001/{bare.name}:1"
    bare(f"plugin create {name} .", cwd=folder(tmp_path / bare.name))
    try:
        said = proxied(f"plugin set {name} {setting}", status=0 if status == 204 else 1)
        assert ("bind: /etc" in said.err) == (status == 403)
    finally:
        bare(f"plugin rm --force {name}")
