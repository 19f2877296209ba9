"""A small real engine on a Unix socket: each test scripts what it says to one path, and reads what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = {"Version": "28.0", "ApiVersion": "1.51", "MinAPIVersion": "1.24", "Components": [
    {"Name": "Engine", "Details": {"ApiVersion": "1.51", "MinAPIVersion": "1.24", "Os": "linux"}}]}  # fmt: skip


@dataclass
class Asked:
    """One request that came, and the connection that it came on."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connection: int
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    async def read_body(self) -> bytes:
        if self.header("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                self.body += await self.reader.readexactly(size)
                await self.reader.readline()
            await self.reader.readline()
        else:
            self.body = await self.reader.readexactly(int(self.header("content-length") or 0))
        return self.body

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        fields = {
            "Api-Version": "1.51",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        body = b"" if self.method == "HEAD" or status in (204, 304) else body
        await self.write(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body)


Script = Callable[[Asked], Awaitable[None]]


@dataclass
class FakeEngine:
    path: Path
    scripts: dict[str, Script] = field(default_factory=dict)
    """A path without version and query, to what is said to it. A script that returns leaves the connection open."""
    asked: list[Asked] = field(default_factory=list)
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    connections: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=2**20)

    async def stop(self) -> None:
        """As a daemon ends: its socket and every connection at once."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self.open):
            writer.transport.abort()
        self.path.unlink(missing_ok=True)
        await asyncio.sleep(0.05)

    def script(self, path: str) -> Callable[[Script], Script]:
        def keep(script: Script) -> Script:
            self.scripts[path] = script
            return script

        return keep

    def says(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def answer(asked: Asked) -> None:
            await asked.read_body()
            await asked.answer(status, encoded, **headers)

        self.scripts[path] = answer

    def targets(self) -> list[str]:
        return [f"{asked.method} {asked.target}" for asked in self.asked if not asked.target.endswith("/version")]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self.open.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *fields = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
                method, target, _ = line.split(" ")
                headers = [(name, value.strip()) for name, _, value in (each.partition(":") for each in fields)]
                asked = Asked(method, target, headers, reader, writer, number)
                self.asked.append(asked)
                await self._answer(asked)
                if writer.is_closing():
                    break
        self.open.discard(writer)
        writer.close()

    async def _answer(self, asked: Asked) -> None:
        path = asked.target.partition("?")[0]
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        script = self.scripts.get(path)
        if script is not None:
            await script(asked)
        elif path == "/version":
            await asked.answer(200, json.dumps(VERSION).encode())
        else:
            await asked.read_body()
            await asked.answer(404, json.dumps({"message": f"no such thing: {path}"}).encode())
