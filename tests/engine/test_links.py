"""Symbolic links that a container plants under a writable bind, where sockproxy can see the engine's root.

The engine follows a link when it mounts, so a link to `/` would be the host. What is bound is where a path leads: that
is judged, and that is forwarded. The proxy's `--host-root` is the folder that the engine takes for its `/`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.docker_cli import Docker
from tests.engine.proxies import POLICIES, Proxy, running

NAME = f"{PREFIX}-links"
FOLDER = f"/srv/ci/{NAME}"
"""What the policy lets containers write in, on the host."""
READ = f"/srv/reference/{NAME}"
LABELS = {"sockproxy.test.run": PREFIX}


@dataclass(frozen=True)
class Scene:
    engine: Engine
    proxy: Proxy

    def ask(self, method: str, target: str, body: Any = None) -> httpx.Response:
        """One request through sockproxy."""
        transport = httpx.HTTPTransport(uds=str(self.proxy.socket))
        with httpx.Client(transport=transport, base_url="http://proxy", timeout=60) as client:
            return client.request(method, target, json=body)

    def path(self, name: str = "") -> Path:
        """A file in the folder, as this machine sees it."""
        return self.engine.root / FOLDER.removeprefix("/") / name

    def run(
        self, command: str, *, version: str = "", client: Callable[..., httpx.Response] | None = None, **host: Any
    ) -> str:
        """What a container of ours prints, made, started and removed through sockproxy."""
        ask = client or self.ask
        name = f"{NAME}-run"
        body = {"Image": IMAGE, "Cmd": ["sh", "-c", command], "Labels": LABELS, "HostConfig": host, "Tty": True}
        made = ask("POST", f"{version}/containers/create?name={name}", body)
        assert made.status_code == 201, made.text
        try:
            started = ask("POST", f"/containers/{name}/start")
            assert started.status_code == 204, started.text
            ask("POST", f"/containers/{name}/wait").raise_for_status()
            with self.engine.client() as bare:
                return bare.get(f"/containers/{name}/logs", params={"stdout": "1", "stderr": "1"}).text
        finally:
            ask("DELETE", f"/containers/{name}?force=1").raise_for_status()


@pytest.fixture(scope="module")
def scene(engine: Engine) -> Iterator[Scene]:
    folders = [engine.root / folder.removeprefix("/") for folder in (FOLDER, READ)]
    try:
        with running(engine.address, POLICIES / "narrow.yaml", "--host-root", str(engine.root)) as proxy:
            scene = Scene(engine, proxy)
            # A container plants them: it is given the folder, and no more than the policy grants.
            said = scene.run(
                "mkdir /w/data /w/job && echo marker >/w/data/file && cd /w"
                " && ln -s / x && ln -s ../../../etc etc && ln -s data good && ln -s loop loop && ls",
                Binds=[f"{FOLDER}:/w"],
            )
            assert said.split() == ["data", "etc", "good", "job", "loop", "x"]
            _make(scene)
            folders[1].mkdir(parents=True, exist_ok=True)
            yield scene
    finally:
        engine.sweep()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _make(scene: Scene) -> None:
    """What is there already and leads out: made past sockproxy, as by somebody before it came."""
    with scene.engine.client() as client:
        client.post("/volumes/create", json={"Name": f"{NAME}-v", "DriverOpts": local("x")}).raise_for_status()
        for name, host in {
            "bound": {"Binds": [f"{FOLDER}/x:/h:ro"]},
            "mounted": {"Mounts": [{"Type": "bind", "Source": f"{FOLDER}/x", "Target": "/h", "ReadOnly": True}]},
            "volume": {"Binds": [f"{NAME}-v:/h:ro"]},
        }.items():
            body = {"Image": IMAGE, "Cmd": ["sleep", "600"], "Labels": LABELS, "HostConfig": host}
            client.post("/containers/create", params={"name": f"{NAME}-{name}"}, json=body).raise_for_status()
            client.post(f"/containers/{NAME}-{name}/start").raise_for_status()


def local(name: str) -> dict[str, str]:
    return {"type": "none", "o": "bind", "device": f"{FOLDER}/{name}"}


def by_mounts(name: str) -> dict[str, Any]:
    return {"Mounts": [{"Type": "bind", "Source": f"{FOLDER}/{name}", "Target": "/h"}]}


def by_new_volume(name: str) -> dict[str, Any]:
    options = {"DriverConfig": {"Name": "local", "Options": local(name)}, "Labels": LABELS}
    return {"Mounts": [{"Type": "volume", "Source": f"{NAME}-n", "Target": "/h", "VolumeOptions": options}]}


def created(host: dict[str, Any]) -> tuple[str, str, Any]:
    return "POST", f"/containers/create?name={NAME}-c", {"Image": IMAGE, "HostConfig": host}


ROADS = {
    "binds": (*created({"Binds": [f"{FOLDER}/x:/h"]}), "/"),
    "binds-ro": (*created({"Binds": [f"{FOLDER}/x:/h:ro"]}), "/ ro"),
    "binds-below": (*created({"Binds": [f"{FOLDER}/x/etc:/h"]}), "/etc"),
    "binds-relative": (*created({"Binds": [f"{FOLDER}/etc:/h"]}), "/etc"),
    "binds-chain": (*created({"Binds": [f"{FOLDER}/x{FOLDER}/x/etc:/h"]}), "/etc"),
    "mounts": (*created(by_mounts("x")), "/"),
    "a-volume-s-device": (*created(by_new_volume("x")), "/"),
    "a-volume-that-is-there": (*created({"Binds": [f"{NAME}-v:/h"]}), "/"),
    "volumes-create": ("POST", "/volumes/create", {"Name": f"{NAME}-n", "DriverOpts": local("x")}, "/"),
    **{
        f"volumes-from-{name}": (*created({"VolumesFrom": [f"{NAME}-{name}"]}), "/ ro")
        for name in ("bound", "mounted", "volume")
    },
    **{
        f"exec-{name}": ("POST", f"/containers/{NAME}-{name}/exec", {"Cmd": ["sh"]}, "/ ro")
        for name in ("bound", "mounted", "volume")
    },
    "attach": ("POST", f"/containers/{NAME}-bound/attach?stream=1", None, "/ ro"),
    "copy-out": ("GET", f"/containers/{NAME}-bound/archive?path=/h/etc/passwd", None, "/ ro"),
    "restart": ("POST", f"/containers/{NAME}-bound/restart", None, "/ ro"),
}


@pytest.mark.parametrize("road", ROADS)
def test_a_planted_link_is_refused_as_where_it_leads(road: str, scene: Scene) -> None:
    method, target, body, leads = ROADS[road]
    before = scene.engine.belongings()
    answer = scene.ask(method, target, body)
    assert answer.status_code == 403, answer.text
    assert f"`bind: {leads}" in answer.json()["message"]
    assert scene.engine.belongings() == before


def test_a_link_in_a_circle_is_refused_and_nothing_is_said_to_help(scene: Scene) -> None:
    answer = scene.ask(*created({"Binds": [f"{FOLDER}/loop:/h"]}))
    assert answer.status_code == 403
    assert "too many symbolic links" in answer.json()["message"]
    assert "no policy can allow it" in answer.json()["message"]


@pytest.mark.parametrize(
    "host",
    [{"Binds": [f"{FOLDER}/good:/h"]}, by_mounts("good"), by_new_volume("good")],
    ids=["binds", "mounts", "volume"],
)
def test_a_harmless_link_is_the_folder_that_it_leads_to(host: dict[str, Any], scene: Scene) -> None:
    name = f"{NAME}-kept"
    body = {"Image": IMAGE, "Cmd": ["cat", "/h/file"], "Labels": LABELS, "Tty": True, "HostConfig": host}
    made = scene.ask("POST", f"/containers/create?name={name}", body)
    assert made.status_code == 201, made.text
    try:
        assert scene.ask("POST", f"/containers/{name}/start").status_code == 204
        scene.ask("POST", f"/containers/{name}/wait").raise_for_status()
        told = scene.engine.get(f"/containers/{name}/json")
        sources = [*(told["HostConfig"]["Binds"] or ()), *(mount["Source"] for mount in told["Mounts"])]
        if any(mount["Type"] == "volume" for mount in told["Mounts"]):
            sources = [scene.engine.get(f"/volumes/{NAME}-n")["Options"]["device"]]
        assert all(source.startswith(f"{FOLDER}/data") for source in sources), sources
        with scene.engine.client() as client:
            assert "marker" in client.get(f"/containers/{name}/logs", params={"stdout": "1"}).text
    finally:
        with scene.engine.client() as client:
            client.delete(f"/containers/{name}", params={"force": "1", "v": "1"})
            client.delete(f"/volumes/{NAME}-n")


@pytest.mark.parametrize("row", ["start", "restart"])
def test_a_folder_that_was_swapped_before_the_start_is_refused(row: str, scene: Scene) -> None:
    name = f"{NAME}-swapped"
    body = {"Image": IMAGE, "Cmd": ["sleep", "600"], "Labels": LABELS, "HostConfig": {"Binds": [f"{FOLDER}/job:/h"]}}
    assert scene.ask("POST", f"/containers/create?name={name}", body).status_code == 201
    try:
        if row == "restart":
            assert scene.ask("POST", f"/containers/{name}/start").status_code == 204
        scene.run("cd /w && mv job kept && ln -s / job", Binds=[f"{FOLDER}:/w"])
        again = f"/containers/{name}/{row}" + ("?t=0" if row == "restart" else "")
        answer = scene.ask("POST", again)
        assert answer.status_code == 403, answer.text
        assert "`bind: /`" in answer.json()["message"]
        scene.run("cd /w && rm job && mv kept job", Binds=[f"{FOLDER}:/w"])
        assert scene.ask("POST", again).status_code == 204
    finally:
        scene.ask("DELETE", f"/containers/{name}?force=1").raise_for_status()


def test_docker_run_prints_which_link_led_where(cli: Path, scene: Scene, docker: Callable[..., Docker]) -> None:
    said = docker(cli, scene.proxy.address)(f"run --rm -v {FOLDER}/x:/h {IMAGE} true", status=125)
    assert f"HostConfig.Binds[0] ({FOLDER}/x leads there) asks `bind: /`" in said.err


# Read-only, and what is mounted below ----------------------------------------------------------------------------------

KINDS = "touch /h/run/{0} 2>/dev/null && rm /h/run/{0} && echo writable || echo read-only"


@pytest.mark.parametrize("version", ["/v1.41", ""])
def test_what_is_mounted_below_a_read_only_bind(version: str, scene: Scene) -> None:
    """What the engine itself does, past sockproxy: /run is a mount of its own there."""
    with scene.engine.client() as client:

        def bare(method: str, target: str, body: Any = None) -> httpx.Response:
            return client.request(method, target, json=body)

        said = scene.run(KINDS.format(NAME), version=version, client=bare, Binds=["/:/h:ro"])
    speaks = tuple(map(int, scene.engine.api.split(".")))
    assert said.split() == ["read-only" if speaks >= (1, 44) and not version else "writable"]


@pytest.mark.parametrize(
    "host",
    [
        {"Binds": [f"{READ}:/h:ro"]},
        {"Mounts": [{"Type": "bind", "Source": READ, "Target": "/h", "ReadOnly": True}]},
    ],
    ids=["binds", "mounts"],
)
def test_an_old_client_of_a_new_engine_asks_for_the_older_kind(host: dict[str, Any], scene: Scene) -> None:
    body = {"Image": IMAGE, "Labels": LABELS, "HostConfig": host}
    old = scene.ask("POST", f"/v1.41/containers/create?name={NAME}-old", body)
    new = scene.ask("POST", f"/containers/create?name={NAME}-new", body)
    for each in ("old", "new"):
        scene.ask("DELETE", f"/containers/{NAME}-{each}?force=1")
    assert new.status_code == 201, new.text
    if tuple(map(int, scene.engine.api.split("."))) < (1, 44):
        assert old.status_code == 201, old.text
        return
    assert old.status_code == 403
    assert f"`bind: {READ} ro nonrecursive`" in old.json()["message"]
