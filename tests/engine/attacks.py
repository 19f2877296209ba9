"""The corpus' scene on a real engine, and the attacker's server beside it.

Things are made when the first line names them, and again after a line that spoiled them. All bear the session's name or
label. What `Engine.sweep` does not know of (a plug-in, a swarm and what is in it) is removed here.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.corpus import SUITES, Line, Thing, scene, spell, spelled, tar_of
from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.registry import ENTER

LABELS = {"sockproxy.test.run": PREFIX}
SWARMS = frozenset({"swarm", "services", "secrets", "configs"})

SERVER = """
import http.server, io, sys, tarfile

def tar(**files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return buffer.getvalue()

DOCKERFILE = b"FROM busybox:test\\nLABEL a=b\\n"
FILES = {
    "/v2/": ("application/json", b"{}"),
    "/Dockerfile": ("text/plain", DOCKERFILE),
    "/context.tar": ("application/x-tar", tar(Dockerfile=DOCKERFILE)),
    "/image.tar": ("application/x-tar", tar(x=b"x")),
}

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        print(self.path, flush=True)
        kind, body = FILES.get(self.path, ("application/json", b'{"errors":[]}'))
        self.send_response(200 if self.path in FILES else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = answer

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer((sys.argv[1], 80), Handler)
print("ready", flush=True)
server.serve_forever()
"""
"""Answers as a registry without images does, and serves what an engine may be told to fetch; prints each path."""

PLUGIN = {
    "description": "",
    "documentation": "",
    "entrypoint": ["/x"],
    "interface": {"types": ["docker.dummy/1.0"], "socket": "x.sock"},
    "network": {"type": "host"},
    "linux": {"capabilities": ["CAP_SYS_ADMIN"], "allowAllDevices": True},
    "mounts": [
        {"name": "m", "source": "/", "destination": "/h", "type": "bind", "options": ["rbind"], "settable": ["source"]}
    ],
    "env": [{"name": "A", "value": "secret", "settable": ["value"]}],
    "args": {"name": "", "value": None},
}


@contextmanager
def attackers_server(engine: Engine, folder: Path) -> Iterator[tuple[str, Path]]:
    """Its address, which is a loopback address of the engine's network, and the file of the paths it was asked for."""
    address = ".".join(["127", *(str(1 + secrets.randbelow(254)) for _ in range(3))])
    log = folder / "server"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [ENTER, engine.root, sys.executable, "-c", SERVER, address], stdin=subprocess.DEVNULL, stdout=output
        )
    try:
        for _ in range(200):
            if log.stat().st_size or process.poll() is not None:
                break
            time.sleep(0.05)
        assert log.read_text().startswith("ready"), "the attacker's server did not start"
        yield address, log
    finally:
        process.terminate()
        process.wait(10)


class Stage:
    """The scene on one engine."""

    def __init__(self, engine: Engine, evil: str, fetched: Path) -> None:
        self.engine = engine
        self.suite = next((suite for version, suite in SUITES.items() if engine.version.startswith(version)), "")
        self.fetched = fetched
        self.client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(engine.socket)), base_url="http://engine", timeout=60
        )
        repository = f"{PREFIX}-trusted"
        self.names = {
            "image": IMAGE,
            "n": f"{PREFIX}-n",
            "ci": f"ci-{PREFIX}",
            "evil": evil,
            "net": f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(250)}",
            "trusted": f"{repository}:1",
            "trusted_repo": repository,
            "swarm_version": "0",
        }
        # Docker looks at a mount's source before it cleans its path.
        (engine.root / "srv/ci").mkdir(exist_ok=True)
        self._made: dict[str, None] = {}
        self._ours = False
        """Whether the swarm is one that we made, and may leave."""
        self._later = ThreadPoolExecutor(1)
        """Removes the containers that lines have made, while the next are tried."""
        self._lines = count()
        for word, thing in scene().items():
            self._name(word, f"{PREFIX}-{word}".replace("_", "-"), "0" * 64)
            if thing.noun == "swarm":
                self.names[word] = "0" * 25
            if thing.noun == "execs":
                self.names[word] = "0" * 64

    def _name(self, word: str, name: str, identity: str, version: int = 0) -> None:
        self.names |= {
            word: name,
            f"{word}_id": identity,
            f"{word}_short": identity[:12],
            f"{word}_version": str(version),
        }

    # Making things

    def ready(self, line: Line, *, looked_at: bool = False) -> None:
        """See to it that what a line names is there, or of it what sockproxy looks at before it refuses."""
        self.names["n"] = f"{PREFIX}-n{next(self._lines)}"
        for word in line.things:
            if not looked_at or scene()[word].noun not in {*SWARMS, "plugins"}:
                self._make(word)

    def _make(self, word: str) -> None:
        if word in self._made:
            return
        thing = scene()[word]
        for used in thing.uses:
            self._make(used)
        if thing.noun in SWARMS - {"swarm"}:
            self._make("node")
        self._made[word] = None
        getattr(self, f"_make_{thing.noun}")(word, thing, spelled(dict(thing.body), self.names))

    def _post(self, path: str, body: Any = None, **params: str) -> Any:
        answer = self.client.post(path, json=body, params=params)
        assert answer.is_success, f"POST {path}: {answer.text}"
        return answer.json() if answer.content else None

    def _make_containers(self, word: str, thing: Thing, body: dict[str, Any]) -> None:
        name = spell(thing.name, self.names) if thing.name else self.names[word]
        made = {"Image": IMAGE, "Cmd": ["sleep", "600"], "Labels": LABELS} | body
        self._name(word, name, self._post("/containers/create", made, name=name)["Id"])
        if thing.links:
            files = {path.lstrip("/"): f"-> {led}" for path, led in thing.links.items()}
            put = self.client.put(f"/containers/{name}/archive", params={"path": "/"}, content=tar_of(files))
            assert put.is_success, put.text
        if not thing.stopped:
            started = self.client.post(f"/containers/{self.names[f'{word}_id']}/start")
            # A machine that is itself held to fewer capabilities cannot start a privileged one; it is refused anyway.
            assert started.is_success or made.get("HostConfig", {}).get("Privileged"), started.text

    def _make_volumes(self, word: str, thing: Thing, body: dict[str, Any]) -> None:
        self._post("/volumes/create", {"Name": self.names[word], "Labels": LABELS} | body)

    def _make_networks(self, word: str, thing: Thing, body: dict[str, Any]) -> None:
        name = spell(thing.name, self.names) if thing.name else self.names[word]
        if name != "host":
            self._post("/networks/create", {"Name": name, "Labels": LABELS} | body)
        self._name(word, name, self.client.get(f"/networks/{name}").json()["Id"])

    def _make_execs(self, word: str, thing: Thing, body: dict[str, Any]) -> None:
        made = self._post(f"/containers/{spell(thing.container, self.names)}/exec", body)["Id"]
        self._name(word, made, made)
        if thing.started:
            self._post(f"/exec/{made}/start", {"Detach": True, "Tty": True})

    def _make_plugins(self, word: str, thing: Thing, body: dict[str, Any]) -> None:
        files = {"config.json": json.dumps(PLUGIN), "rootfs/": ""}
        tar = Line("", "", "POST", "/", tar=files).payload({})
        answer = self.client.post("/plugins/create", params={"name": self.names[word]}, content=tar)
        assert answer.is_success, answer.text

    def _make_swarm(self, word: str, thing: Thing, body: dict[str, Any]) -> None:
        if self.client.get("/info").json()["Swarm"]["LocalNodeState"] != "active":
            self._post("/swarm/init", {"ListenAddr": "127.0.0.1:2377", "AdvertiseAddr": "127.0.0.1"})
            self._ours = True
        node = self.client.get("/info").json()["Swarm"]["NodeID"]
        self._name(word, node, node, self.client.get(f"/nodes/{node}").json()["Version"]["Index"])
        self.names["swarm_version"] = str(self.client.get("/swarm").json()["Version"]["Index"])

    def _make_of_swarm(self, word: str, thing: Thing, body: dict[str, Any]) -> None:
        name = self.names[word]
        made = self._post(f"/{thing.noun}/create", {"Name": name, "Labels": LABELS} | body)
        identity = made["ID"] if "ID" in made else made["Id"]
        version = self.client.get(f"/{thing.noun}/{identity}").json()["Version"]["Index"]
        self._name(word, name, identity, version)

    _make_services = _make_secrets = _make_configs = _make_of_swarm

    # Removing them

    def owns_swarm(self, line: Line) -> bool:
        """Whether a line that changes the swarm may: it is ours, or there is none."""
        if "node" not in (*line.things, *(line.bare.spoils if line.bare else ())):
            return True
        return self._ours or self.client.get("/info").json()["Swarm"]["LocalNodeState"] != "active"

    def leave_swarm(self) -> None:
        """Where it is ours, take it all down; in any case forget what was in it, having removed it."""
        for word in [word for word in self._made if scene()[word].noun in SWARMS]:
            del self._made[word]
            thing = scene()[word]
            if thing.noun != "swarm" and not self._ours:
                self.client.delete(f"/{thing.noun}/{self.names[word]}")
        if self._ours:
            self.client.post("/swarm/leave", params={"force": "1"})
            self._ours = False
            self._clear_swarm()

    def _clear_swarm(self) -> None:
        """Remove what an engine that has left its swarm keeps of it."""
        gate = {"Container": "gateway_ingress-sbox", "Force": True}
        self.client.post("/networks/docker_gwbridge/disconnect", json=gate)
        self.client.delete("/networks/docker_gwbridge")

    def spoil(self, words: tuple[str, ...]) -> None:
        """Remove what is not what it was, and all that was made of it; it is made again when it is named again."""
        for word in words:
            if word == "node":
                self._mend_swarm()
            else:
                self._remove(word)

    def _mend_swarm(self) -> None:
        """After a line that changed it, made it or left it."""
        active = self.client.get("/info").json()["Swarm"]["LocalNodeState"] == "active"
        if active and "node" in self._made:
            node = self.client.get(f"/nodes/{self.names['node']}").json()
            version = {"version": str(node["Version"]["Index"])}
            self._post(f"/nodes/{self.names['node']}/update", node["Spec"] | {"Availability": "active"}, **version)
            self._make_swarm("node", scene()["node"], {})
        elif active:
            self._made["node"] = None
            self._ours = True
            self._make_swarm("node", scene()["node"], {})
        else:
            self._ours = False
            self.leave_swarm()
            self._clear_swarm()

    def _remove(self, word: str) -> None:
        if word not in self._made:
            return
        del self._made[word]
        for other in [other for other in self._made if word in scene()[other].uses]:
            self._remove(other)
        thing = scene()[word]
        if thing.noun == "containers":
            self.client.delete(f"/containers/{self.names[f'{word}_id']}", params={"force": "1", "v": "1"})
        elif thing.noun in ("networks", "volumes", "plugins", "services", "secrets", "configs"):
            self.client.delete(f"/{thing.noun}/{self.names[word]}", params={"force": "1"})

    def clear(self, line: Line, answer: bytes) -> None:
        """Remove what a line has made."""
        new, path = self.names["n"], line.target.partition("?")[0]
        noun = path.split("/")[-2]
        if path.endswith("/create") and noun in ("volumes", "plugins", "networks", "services", "secrets", "configs"):
            name = new if noun in ("volumes", "plugins") else _field(answer, "Id") or _field(answer, "ID")
            self.client.delete(f"/{noun}/{name}", params={"force": "1"})
        elif b'"Warnings"' in answer:
            self._later.submit(self._remove_container, _field(answer, "Id"), new if "$n" in str(line.body) else "")
        elif noun == "images" or path.endswith(("/build", "/commit", "/tag", "/load")):
            image, ci, evil = self.names["trusted"], f"{self.names['ci']}-{new}", f"{self.names['evil']}/{new}"
            for name in (image, ci, evil, f"registry.example.com/ci-evil/{new}", f"evil.example/ci-{new}"):
                self.client.delete(f"/images/{name}", params={"force": "1"})

    def _remove_container(self, identity: str, volume: str) -> None:
        self.client.delete(f"/containers/{identity}", params={"force": "1", "v": "1"})
        if volume:
            self.client.delete(f"/volumes/{volume}", params={"force": "1"})

    def close(self) -> None:
        self._later.shutdown()
        for word in [word for word in self._made if scene()[word].noun == "plugins"]:
            self._remove(word)
        self.leave_swarm()
        self.client.close()

    # Sending

    def request(self, line: Line) -> bytes:
        return line.request(self.names)

    def fetches(self) -> list[str]:
        return self.fetched.read_text().splitlines()


def _field(answer: bytes, key: str) -> str:
    try:
        value = json.loads(answer)
    except ValueError:
        return ""
    return str(value.get(key, "")) if isinstance(value, dict) else ""


@contextmanager
def staged(engine: Engine) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="sockproxy-") as folder, attackers_server(engine, Path(folder)) as server:
        stage = Stage(engine, *server)
        try:
            yield stage
        finally:
            stage.close()
            engine.sweep()


def answered(path: Path, sent: bytes, says: str = "", patience: float = 30) -> tuple[int, bytes]:
    """Status and body of the answer; a raw stream without a length is read until it says that."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        connection.connect(str(path))
        connection.sendall(sent)
        with HTTPResponse(connection, method=sent.split(b" ", 1)[0].decode()) as response:
            response.begin()
            if response.status == 101:
                return response.status, b""
            if response.length is None and not response.chunked:
                return response.status, _until(response, says.encode())
            return response.status, response.read()


def _until(response: HTTPResponse, says: bytes) -> bytes:
    body = b""
    while says not in body and (data := response.read1(65536)):
        body += data
    return body


def contains(whole: Any, part: Any) -> bool:
    """Whether an inspect has that in it: the keys of an object, the items of a list."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contains(whole[key], each) for key, each in part.items()
        )
    if isinstance(part, list) and part:
        return isinstance(whole, list) and all(any(contains(each, wanted) for each in whole) for wanted in part)
    return bool(whole == part)


def unowned(stage: Stage, line: Line) -> None:
    if not stage.owns_swarm(line):
        pytest.skip("the swarm on the engine is somebody else's")
