"""Records what the real `docker compose up` sends: SOCKPROXY_TEST_ENGINES=… python -m tests.compose.record [SCENE…]

Each scene is a folder of `recorded/` with a compose file; what is written is `api-1.51.json` beside it, a file for each
version of the API that an engine speaks. The folder is copied to where the engine sees it. An error of compose's is no
failure here: a GPU that is not there was asked for all the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.compose.recording import RECORDED, comparable, options, scenes, written
from tests.engine.disposable import Engine, discover
from tests.engine.docker_cli import docker_config

SECONDS = 120


class Recorder:
    """Copies bytes both ways between its own socket and the engine's, and keeps the client's."""

    def __init__(self, engine: Path) -> None:
        self.engine = engine
        self.sent: list[bytearray] = []

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(str(self.engine))
        kept = bytearray()
        self.sent.append(kept)
        up = asyncio.create_task(self._copy(reader, up_writer, kept))
        try:
            await self._copy(up_reader, writer, None)
        except asyncio.CancelledError:  # the recording is over, and this connection was still open
            pass
        finally:
            up.cancel()
            writer.close()
            up_writer.close()

    @staticmethod
    async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: bytearray | None) -> None:
        try:
            while data := await source.read(65536):
                if kept is not None:
                    kept += data
                sink.write(data)
                await sink.drain()
            sink.write_eof()
        except OSError:
            return

    def calls(self) -> Iterator[tuple[str, str, Any]]:
        for sent in self.sent:
            yield from _requests(bytes(sent))


def _requests(data: bytes) -> Iterator[tuple[str, str, Any]]:
    """The requests of one connection, up to an upgrade. Compose sends no JSON in chunks."""
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        method, target, _ = line.split(" ")
        length = int(headers.get("content-length", 0))
        json_sent = headers.get("content-type") == "application/json"
        yield method, target, json.loads(data[:length]) if json_sent and length else None
        data = data[length:]
        if "upgrade" in headers or "transfer-encoding" in headers:
            return


async def _compose(engine: Engine, cli: Path, config: Path, scene: str, folder: Path, *words: str) -> Recorder:
    recorder = Recorder(engine.socket)
    with tempfile.TemporaryDirectory() as name:
        server = await asyncio.start_unix_server(recorder.accept, f"{name}/s")
        said = options(scene)
        profiles = [word for profile in said.get("profiles", ()) for word in ("--profile", profile)]
        variables = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"], "DOCKER_CONFIG": str(config)}
        process = await asyncio.create_subprocess_exec(
            *(str(cli), "compose", "--progress", "quiet", *profiles, *words),
            cwd=folder,
            env=variables | {"DOCKER_HOST": f"unix://{name}/s"} | said.get("environment", {}),
        )
        await asyncio.wait_for(process.wait(), SECONDS)
        server.close()
    return recorder


def _commands(engine: Engine, cli: Path, config: Path, lines: Iterable[str]) -> None:
    """What a scene needs to be there already, and takes away again."""
    for line in lines:
        environment = {"PATH": os.environ["PATH"], "DOCKER_CONFIG": str(config), "DOCKER_HOST": engine.address}
        subprocess.run(
            [cli, *shlex.split(line)], env=environment, check=True, stdout=subprocess.DEVNULL, timeout=SECONDS
        )


def record(engine: Engine, cli: Path, config: Path, scene: str) -> None:
    folder = RECORDED / scene
    seen = engine.root / str(folder).removeprefix("/")
    shutil.copytree(folder, seen, dirs_exist_ok=True)
    try:
        _commands(engine, cli, config, options(scene).get("before", ()))
        recorder = asyncio.run(_compose(engine, cli, config, scene, folder, "up", "--detach"))
        names = {
            container["Id"]: container["Names"][0].removeprefix("/")
            for container in engine.get("/containers/json", all="1")
        }
        calls = comparable(recorder.calls(), folder=folder, names=names)
    finally:
        asyncio.run(_compose(engine, cli, config, scene, folder, "down", "--volumes", "--timeout", "0"))
        _commands(engine, cli, config, options(scene).get("after", ()))
        shutil.rmtree(seen)
        os.removedirs(seen.parent)
    (folder / f"api-{engine.api}.json").write_text(written(calls))
    print(f"{scene}: {len(calls)} calls of API {engine.api}")


def main() -> None:
    engines = discover().engines
    assert engines, discover().reason
    cli = next(engine.cli for engine in engines if engine.version.startswith("28"))
    with tempfile.TemporaryDirectory() as name:
        config = docker_config(Path(name), engines)
        for scene in sys.argv[1:] or scenes():
            for engine in engines:
                record(engine, cli, config, scene)


if __name__ == "__main__":
    main()
