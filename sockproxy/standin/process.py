"""What a container or an exec "runs".

Nothing is executed. Five programs are acted out, which is enough to see a stream go both ways:

    echo WORDS…     prints its words
    cat             copies its input to its output, if its input is open
    true, false     exit with 0 and 1
    sleep, a shell without arguments, no command at all, or one that a terminal holds open: waits to be stopped
    anything else   says that nothing is really run here, and exits with 0
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal, TypeAlias

Channel: TypeAlias = Literal[1, 2]
"""Standard output and standard error, as Docker's frames number them."""

KEPT: Final = 64 * 1024
"""Bytes of output kept for `logs`, and how far a reader may lag before the writer waits for it."""

_SHELLS: Final = frozenset({"sh", "ash", "bash", "/bin/sh", "/bin/bash"})


class Output:
    """What was printed: bounded, replayed to late readers, and followed by any number of them."""

    def __init__(self) -> None:
        self._kept: deque[tuple[Channel, bytes]] = deque()
        self._size = 0
        self._first = 0
        self._ended = False
        self._changed = asyncio.Condition()
        self._positions: dict[Reader, int] = {}

    async def write(self, channel: Channel, data: bytes) -> None:
        """Add a chunk; waits while a reader would lose what it has not read yet."""
        async with self._changed:
            self._kept.append((channel, data))
            self._size += len(data)
            await self._changed.wait_for(lambda: self._size <= KEPT or not self._oldest_is_wanted())
            while self._size > KEPT and len(self._kept) > 1:
                self._size -= len(self._kept.popleft()[1])
                self._first += 1
            self._changed.notify_all()

    def _oldest_is_wanted(self) -> bool:
        return any(position <= self._first for position in self._positions.values())

    async def end(self) -> None:
        """Let every follower come to its end."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    def reader(self, *, follow: bool, from_start: bool) -> Reader:
        """The chunks that were kept (``from_start``) and, with ``follow``, those to come until the end.

        What is printed after this call is not missed, however late the reading begins.
        """
        return Reader(self, follow=follow, position=self._first if from_start else self._first + len(self._kept))

    async def after(self, reader: Reader) -> list[tuple[Channel, bytes]]:
        """What a reader has not seen yet; waits for it if the reader follows. Empty at the end."""
        async with self._changed:
            while True:
                position = max(reader.position, self._first)
                fresh = list(self._kept)[position - self._first :]
                if fresh or self._ended or not reader.follow:
                    break
                await self._changed.wait()
            self._positions[reader] = reader.position = position + len(fresh)
            self._changed.notify_all()
        return fresh

    def enrol(self, reader: Reader) -> None:
        """Hold the oldest chunk for this reader until it has it."""
        self._positions[reader] = reader.position

    async def dismiss(self, reader: Reader) -> None:
        """Wait for this reader no more."""
        async with self._changed:
            self._positions.pop(reader, None)
            self._changed.notify_all()


class Reader:
    """One reader of an output; leave it with `close`."""

    def __init__(self, output: Output, *, follow: bool, position: int) -> None:
        self.follow = follow
        self.position = position
        self._output = output
        output.enrol(self)

    async def __aiter__(self) -> AsyncIterator[tuple[Channel, bytes]]:
        while fresh := await self._output.after(self):
            for chunk in fresh:
                yield chunk

    async def close(self) -> None:
        """Stop reading."""
        await self._output.dismiss(self)


class Process:
    """One run of a command."""

    def __init__(self, argv: Sequence[str], *, tty: bool, open_stdin: bool) -> None:
        self.argv = tuple(argv)
        self.tty = tty
        self.open_stdin = open_stdin
        self.output = Output()
        self.exit_code: int | None = None
        self.finished = asyncio.Event()
        self._stdin: asyncio.Queue[bytes] = asyncio.Queue(maxsize=16)
        self._stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._task is not None and not self.finished.is_set()

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._live())

    def stop(self, exit_code: int) -> None:
        """End it with this code; nothing where it has ended."""
        if not self._stopped.done():
            self._stopped.set_result(exit_code)

    async def type_in(self, data: bytes) -> None:
        """Give it input; empty is the end of the input. Input that nothing reads is thrown away."""
        if self.finished.is_set() or not self._reads_input():
            return
        waiting = [asyncio.ensure_future(self._stdin.put(data)), asyncio.ensure_future(self.finished.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    async def close(self) -> None:
        """Stop it and wait for its end."""
        self.stop(137)
        if self._task is not None:
            await self._task

    def _reads_input(self) -> bool:
        return self.argv[:1] == ("cat",) and self.open_stdin

    async def _live(self) -> None:
        acting = asyncio.ensure_future(self._act())
        await asyncio.wait([acting, self._stopped], return_when=asyncio.FIRST_COMPLETED)
        if not acting.done():
            acting.cancel()
        self.exit_code = self._stopped.result() if self._stopped.done() else acting.result()
        self.finished.set()
        await self.output.end()

    async def _act(self) -> int:
        match self.argv:
            case ("echo", *words):
                await self.output.write(1, " ".join(words).encode() + b"\n")
                return 0
            case ("cat",) if self.open_stdin:
                return await self._cat()
            case ("true" | "false" as word,):
                return int(word == "false")
            case ("cat",) if not self.tty:
                return 0
        if self.argv[:1] in {(), ("sleep",), ("cat",)} or (len(self.argv) == 1 and self.argv[0] in _SHELLS):
            return await asyncio.shield(self._stopped)
        await self.output.write(2, b"stand-in: nothing is really run here\n")
        return 0

    async def _cat(self) -> int:
        while data := await self._stdin.get():
            await self.output.write(1, data)
        return 0
