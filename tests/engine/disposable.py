"""Which engines the tests may work on, and how they are left.

SOCKPROXY_TEST_ENGINES names their Unix sockets, separated by commas. An engine is used only if it says of itself, by
the label ``sockproxy.disposable=true``, that nothing on it matters. Everything that the tests make there has a name
that begins with PREFIX or a label with it, so that two runs on one engine do not clear up each other's.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket as sockets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx

VARIABLE = "SOCKPROXY_TEST_ENGINES"
DISPOSABLE = "sockproxy.disposable=true"
LABEL = "sockproxy.test=1"
PREFIX = f"sockproxy-test-{secrets.token_hex(3)}"
IMAGE = "busybox:test"


@dataclass(frozen=True)
class Engine:
    """A disposable engine, in a root folder of its own as ``start-engine`` lays it out."""

    socket: Path
    version: str
    """Without Debian's suffix: ``28.5.2``."""
    api: str

    @property
    def root(self) -> Path:
        """What the engine takes for ``/``; its socket is ``srv/docker.sock`` there."""
        return self.socket.parent.parent

    @property
    def address(self) -> str:
        return f"unix://{self.socket}"

    @property
    def cli(self) -> Path:
        """The docker command of the engine's own age."""
        return self.root / "usr/bin/docker"

    @property
    def pid(self) -> int:
        """Its dockerd's process id, to find its network by."""
        return int((self.root / "srv/docker.pid").read_text())

    def sees(self, path: str) -> Path:
        """Where a path of the engine's is from here: it has mounts of its own, /run among them."""
        return Path(f"/proc/{self.pid}/root{path}")

    def client(self) -> httpx.Client:
        """Asks the bare engine, past every proxy."""
        return httpx.Client(transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://engine", timeout=30)

    def get(self, path: str, **params: str) -> Any:
        with self.client() as client:
            return client.get(path, params=params).raise_for_status().json()

    def belongings(self) -> frozenset[tuple[str, str]]:
        """Everything on the engine that bears our name: ``("container", id)``, ``("volume", name)``, …"""
        return frozenset(self._belongings())

    def _belongings(self) -> Iterator[tuple[str, str]]:
        for container in self.get("/containers/json", all="1"):
            if _ours(container["Labels"], *(name.lstrip("/") for name in container["Names"])):
                yield "containers", container["Id"]
        for network in self.get("/networks"):
            if _ours(network["Labels"], network["Name"]):
                yield "networks", network["Id"]
        for volume in self.get("/volumes")["Volumes"] or ():
            if _ours(volume["Labels"], volume["Name"]):
                yield "volumes", volume["Name"]
        for plugin in self.get("/plugins"):
            if PREFIX in plugin["Name"]:
                yield "plugins", plugin["Name"]
        for image in self.get("/images/json", all="0"):
            # One by its id alone is gone when its last name goes.
            names = [name for name in image["RepoTags"] or () if PREFIX in name]
            for name in names:
                yield "images", name
            if not image["RepoTags"] and _ours(image["Labels"]):
                yield "images", image["Id"]

    def sweep(self) -> None:
        """Remove all that this run made, containers first: what they use cannot go before them."""
        with self.client() as client:
            for noun, name in sorted(self._belongings()):
                client.delete(
                    f"/{noun}/{name}", params={"force": "1", "v": "1"} if noun == "containers" else {"force": "1"}
                )

    @contextmanager
    def swept(self, *paths: str) -> Iterator[None]:
        """Whatever the block makes is gone at its end, and so is what was made below these paths of the engine's: it makes
        the folder of a bind that is not there, parents included."""
        made = [_missing(self.sees(path)) for path in paths if not self.sees(path).exists()]
        try:
            yield
        finally:
            self.sweep()
            for path in made:
                shutil.rmtree(path, ignore_errors=True)


def _missing(path: Path) -> Path:
    """The first on the way to a path that is not there."""
    return next(each for each in (*reversed(path.parents), path) if not each.exists())


def _ours(labels: Mapping[str, str] | None, *names: str) -> bool:
    return any(name.startswith(PREFIX) for name in names) or (labels or {}).get("sockproxy.test.run") == PREFIX


@dataclass(frozen=True)
class Discovery:
    """What the variable's sockets turned out to be."""

    engines: tuple[Engine, ...]
    unusable: tuple[str, ...]
    """Why each of the others is not used."""

    @property
    def reason(self) -> str:
        """Why no engine test can run."""
        return "; ".join(self.unusable) or f"{VARIABLE} is not set (`make engines` starts two and prints it)"


@cache
def discover() -> Discovery:
    """Ask every socket in the variable what it is; once a session, since parametrising needs it early."""
    engines, unusable = [], []
    for name in filter(None, map(str.strip, os.environ.get(VARIABLE, "").split(","))):
        answer = _examine(Path(name.removeprefix("unix://")))
        (engines if isinstance(answer, Engine) else unusable).append(answer)  # type: ignore[arg-type]
    return Discovery(tuple(engines), tuple(unusable))  # type: ignore[arg-type]


def _examine(socket: Path) -> Engine | str:
    try:
        # Before httpx, which leaves a socket open where it cannot connect.
        with closing(sockets.socket(sockets.AF_UNIX)) as tried:
            tried.connect(str(socket))
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://engine", timeout=10
        ) as client:
            labels = client.get("/info").raise_for_status().json()["Labels"] or []
            version = client.get("/version").raise_for_status().json()
    except (httpx.HTTPError, OSError, ValueError, KeyError) as error:
        return f"{socket} does not answer as an engine ({error})"
    if DISPOSABLE not in labels:
        return f"{socket} does not say that it is disposable (label {DISPOSABLE})"
    return Engine(socket, version["Version"].split("+")[0], version["ApiVersion"])
