"""What the doctor's tests share: a machine laid out in a folder, an engine that says what it is told, and who finds what."""

from __future__ import annotations

import json
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest

from sockproxy.doctor import Finding, Scene, examine
from sockproxy.proxy.server import Settings

VERSION = {
    "Version": "28.5.2",
    "ApiVersion": "1.51",
    "MinAPIVersion": "1.24",
    "Os": "linux",
    "Arch": "amd64",
    "Components": [{"Name": "Engine"}],
}


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class Engine:
    """A small real engine on a Unix socket: answers to GET, path to body. What it has none for is 404."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Any] = {"/version": VERSION, "/info": {}, "/_ping": "OK"}
        self.headers: Mapping[str, str] = {"Api-Version": "1.51", "Server": "Docker/28.5.2 (linux)"}
        self.asked: list[str] = []
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                engine.asked.append(f"{self.command} {self.path}")
                path = re.sub(r"^/v1[.][0-9]+", "", self.path)
                status = 200 if path in engine.answers else 404
                body = json.dumps(engine.answers.get(path, {"message": "page not found"})).encode()
                self.send_response(status)
                for name, value in {**engine.headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *words: object) -> None:
                pass

        self._server = _Server(str(path), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"unix://{self.path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a Unix socket's path has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="doctor-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def daemon(folder: Path) -> Iterator[Engine]:
    made = Engine(folder / "engine.sock")
    yield made
    made.close()


@pytest.fixture
def machine(folder: Path) -> Callable[..., Scene]:
    """Lay out a machine: ``machine({"/.dockerenv": ""}, HOME="/home/me")``."""
    root = folder / "root"
    root.mkdir()

    def lay_out(files: Mapping[str, str] | None = None, **environ: str) -> Scene:
        for name, text in (files or {}).items():
            path = root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Scene(root=root, environ=environ)

    return lay_out


def listening(path: Path) -> socket.socket:
    """A Unix socket that somebody listens on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    made.listen()
    return made


def found(check: str, settings: Settings, scene: Scene) -> list[Finding]:
    """What one check found."""
    return [finding for finding in examine(settings, scene) if finding.check == check]


def said(check: str, settings: Settings, scene: Scene) -> str:
    """What one check found, as one text: ``warning: what -> fix``."""
    return "\n".join(f"{each.level}: {each.what} -> {each.fix}" for each in found(check, settings, scene))
