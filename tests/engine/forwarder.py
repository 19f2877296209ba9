"""A plain forwarder in front of an engine: it sees what reaches the engine, and can be taken away and brought back."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REQUEST_LINE = re.compile(rb"(?:^|\r\n)([A-Z]+ \S+) HTTP/1\.1\r\n")


class Forwarder:
    """Copies bytes both ways between its own Unix socket and the engine's, half-closes included."""

    def __init__(self, engine: Path) -> None:
        self.engine = engine
        self.folder = Path(tempfile.mkdtemp(prefix="sockproxy-"))
        self.socket = self.folder / "engine.sock"
        self.requests: list[str] = []
        """``GET /v1.41/containers/json`` of every request that went to the engine, in order."""
        self._open: set[asyncio.StreamReader] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"unix://{self.socket}"

    @property
    def open(self) -> int:
        """How many connections are open that have not been closed, or half-closed, from the proxy's side.

        When the engine sees such an end, and closes its own, is the engine's affair: 28.5 may take a second for it.
        """
        return len(self._open)

    @property
    def changes(self) -> list[str]:
        """The requests that were not mere questions; to wait for a container is one."""
        return [line for line in self.requests if not (line.startswith(("GET ", "HEAD ")) or line.endswith("/wait"))]

    def start(self) -> None:
        self._thread.start()
        self.come_back()

    def come_back(self) -> None:
        """Accept connections (again)."""
        self._call(self._listen())

    def go_away(self) -> None:
        """As an engine that is stopped: the socket's file is gone, and every connection is cut."""
        self._call(self._hang_up())

    def finish(self) -> None:
        self.go_away()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._accept, self.socket)

    async def _hang_up(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self.socket.unlink(missing_ok=True)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(reader)
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # one side went; both are closed, which is all there is to tell
        finally:
            self._open.discard(reader)
            self._tasks.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(str(self.engine))
        try:
            up = asyncio.create_task(self._copy(reader, up_writer, note=True))
            down = asyncio.create_task(self._copy(up_reader, writer, note=False))
            # The engine's end of file ends the connection; the client's is only half of it, but its reset is all.
            up.add_done_callback(lambda task: task.cancelled() or task.exception() is None or down.cancel())
            try:
                await down
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        finally:
            up_writer.close()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, note: bool) -> None:
        while data := await source.read(65536):
            if note:
                self.requests += [line.decode("latin-1") for line in REQUEST_LINE.findall(data)]
            sink.write(data)
            await sink.drain()
        self._open.discard(source)
        with contextlib.suppress(OSError):
            sink.write_eof()


@contextmanager
def forwarding(engine: Path) -> Iterator[Forwarder]:
    forwarder = Forwarder(engine)
    forwarder.start()
    try:
        yield forwarder
    finally:
        forwarder.finish()
