"""What there is on the engine for requests to refer to: containers with and without power, volumes, networks."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote

from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.oracle.bare import Bare
from tests.engine.swarming import swarming

NAME = f"{PREFIX}-oracle"
LABELS = {"sockproxy.test.run": PREFIX}
MADE = f"{NAME}-made"
"""Begins the names of what cases make; all of it is removed again after each."""

BIND = {"type": "none", "o": "bind", "device": "/etc"}


@dataclass(frozen=True)
class Scene:
    """An engine with the things that cases refer to, and a connection to it."""

    engine: Engine
    bare: Bare
    containers: dict[str, str]
    """Names to ids. All of them run, but for ``idle``."""
    networks: dict[str, str]
    image: str
    """The id of the image."""
    subnet: str
    """The first two numbers of the addresses of the network ``net``."""
    volumes: tuple[str, ...]
    swarm: dict[str, str] = field(default_factory=dict)
    """The ids of the swarm's secrets and configs; empty where the engine is in no swarm."""
    _ids: dict[tuple[str, str], Any] = field(default_factory=dict)

    @cached_property
    def api(self) -> tuple[int, int]:
        """The newest API version that the engine speaks."""
        major, _, minor = self.engine.api.partition(".")
        return int(major), int(minor)

    @cached_property
    def oldest(self) -> tuple[int, int]:
        major, _, minor = str(self.bare.get("/version").json["MinAPIVersion"]).partition(".")
        return int(major), int(minor)

    @cached_property
    def root(self) -> str:
        """The engine's own folder, where it keeps what it has."""
        return str(self.bare.get("/info").json["DockerRootDir"])

    def _look(self, noun: str, path: str) -> Any:
        """What the engine says of a thing of the scene, asked for once; None where there is none."""
        if (noun, path) not in self._ids:
            answer = self.bare.get(path)
            self._ids[noun, path] = answer.json if answer.status == 200 else None
        return self._ids[noun, path]

    def container(self, reference: str) -> Any:
        return self._look("container", f"/containers/{reference.removeprefix('/')}/json")

    def network(self, reference: str) -> Any:
        return self._look("network", f"/networks/{reference}")

    def image_id(self, reference: str) -> str | None:
        fact = self._look("image", f"/images/{reference}/json")
        return str(fact["Id"]) if fact else None

    def clear_volumes(self) -> None:
        """Remove what a case left behind that the engine refused in the end: the next would find it there."""
        filters = quote(json.dumps({"name": [MADE]}))
        for each in self.bare.get(f"/volumes?filters={filters}").json["Volumes"] or ():
            self.bare.send("DELETE", f"/volumes/{each['Name']}", headers={})

    def volume(self, name: str) -> Any:
        """Never remembered: cases make and remove volumes."""
        answer = self.bare.get(f"/volumes/{name}")
        return answer.json if answer.status == 200 else None


_CONTAINERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "strong": {"HostConfig": {"Privileged": True, "Binds": ["/etc:/h:ro"]}},
    "bound": {
        "HostConfig": {
            "Binds": ["/srv:/h", f"{NAME}-hidden:/hidden", f"{NAME}-vol:/vol:ro"],
            "CapAdd": ["NET_ADMIN"],
            "SecurityOpt": ["seccomp=unconfined"],
            "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "rw"}],
            "DeviceCgroupRules": ["c 10:229 rwm"],
        }
    },
    "near": {"User": "1000", "HostConfig": {"PidMode": "host", "UTSMode": "host", "NetworkMode": "host"}},
    "idle": {"HostConfig": {"IpcMode": "host", "MaskedPaths": []}},
}
_VOLUMES: dict[str, dict[str, str]] = {
    "vol": {},
    "hidden": BIND,
    "read-only": {"type": "none", "o": "ro,bind", "device": "/srv/../etc/"},
    "tmp": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
}


@contextmanager
def scene(engine: Engine) -> Iterator[Scene]:
    """The engine with all of it there, and left as it was found."""
    with Bare(engine.socket) as bare:
        try:
            yield _made(engine, bare)
        finally:
            engine.sweep()


@contextmanager
def in_a_swarm(stage: Scene) -> Iterator[Scene]:
    """The same scene while its engine is a swarm by itself; what only a swarm has goes with it."""
    with swarming(stage.engine):
        things: dict[str, str] = {}
        overlay = {"Name": f"{NAME}-swarm", "Driver": "overlay", "Labels": LABELS}
        network = stage.bare.make("/networks/create", overlay)["Id"]
        try:
            for noun in ("secret", "config"):
                for name in (noun, f"{noun}-other"):
                    thing = {"Name": f"{NAME}-{name}", "Labels": LABELS, "Data": "eA=="}
                    things[name] = stage.bare.make(f"/{noun}s/create", thing)["ID"]
            yield replace(stage, networks={**stage.networks, f"{NAME}-swarm": network}, swarm=things)
        finally:
            for name, identity in things.items():
                stage.bare.send("DELETE", f"/{name.partition('-')[0]}s/{identity}", headers={})
            stage.bare.send("DELETE", f"/networks/{network}", headers={})


def _made(engine: Engine, bare: Bare) -> Scene:
    for name, options in _VOLUMES.items():
        bare.make(
            "/volumes/create", {"Name": f"{NAME}-{name}", "DriverOpts": options, "Labels": {**LABELS, "tier": name}}
        )
    networks = {}
    subnet = _network(bare)
    for name, body in (("conf", {"ConfigOnly": True, "Options": {"com.docker.network.driver.mtu": "1400"}}),):
        networks[f"{NAME}-{name}"] = bare.make(
            "/networks/create", {"Name": f"{NAME}-{name}", "Labels": LABELS, **body}
        )["Id"]
    for name in (f"{NAME}-net", "bridge", "host", "none"):
        networks[name] = bare.get(f"/networks/{name}").json["Id"]
    containers = {}
    for name, body in _CONTAINERS.items():
        whole = {"Image": IMAGE, "Cmd": ["sleep", "7200"], "Labels": {**LABELS, "role": name}, **body}
        made = bare.make(f"/containers/create?name={NAME}-{name}", whole)
        containers[f"{NAME}-{name}"] = made["Id"]
        # A machine that is itself held to fewer capabilities may not be able to start a privileged one.
        if name != "idle":
            _start(bare, made["Id"], must=name != "strong")
    image = bare.get(f"/images/{IMAGE}/json").json["Id"]
    return Scene(engine, bare, containers, networks, image, subnet, tuple(f"{NAME}-{name}" for name in _VOLUMES))


def _start(bare: Bare, identity: str, *, must: bool) -> None:
    answer = bare.send("POST", f"/containers/{identity}/start", headers={})
    assert answer.status == 204 or not must, answer.message


def _network(bare: Bare) -> str:
    """A network whose addresses can be chosen; its range is this run's own, since ranges may not overlap."""
    for attempt in range(20):
        subnet = f"10.{100 + (zlib.crc32(PREFIX.encode()) + attempt * 7) % 100}"
        pool = {"Subnet": f"{subnet}.0.0/16"}
        body = {"Name": f"{NAME}-net", "Labels": {**LABELS, "tier": "net"}, "IPAM": {"Config": [pool]}}
        try:
            bare.make("/networks/create", body)
        except AssertionError as error:
            if "overlaps" not in str(error):
                raise
            continue
        return subnet
    raise AssertionError("no range is free")
