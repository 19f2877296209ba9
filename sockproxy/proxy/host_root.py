"""Where a path of the host leads, when its symbolic links are followed.

    host:/srv/ci/x  ──  walk, one component at a time, inside the host's root  ──►  {"Path": "/etc"}, or why it cannot

The engine follows links when it mounts, and so would hand out what a link points to under the name of the link. So the
host's own root is mounted read-only into sockproxy, and what is judged and forwarded is where the path leads. It is
walked by descriptors that name no more than one component each: a link is never followed by the kernel, whose idea of
`/` is sockproxy's own root, and what is swapped during the walk cannot lead out of the host's.

What does not exist is kept as it is, since the engine makes missing folders. What cannot be known is an error, never
"not there": a circle of links, a folder that may not be searched, a link of /proc that is no path.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sockproxy.errors import ConfigurationError
from sockproxy.model import HOST, JsonObject, Missing

_LINKS: Final = 40
"""How many links one path may lead through: the kernel's own limit (MAXSYMLINKS)."""
_PATH_BYTES: Final = 4095
"""The longest path that the kernel takes (PATH_MAX, without its zero)."""
_STEPS: Final = 20_000
"""How many components one walk may look at, those that it comes by again included."""
_THREADS: Final = 8
"""How many walks at a time: one that hangs, on a dead network file system, holds a thread for as long."""

_FOLDER: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

_EXPECTED: Final = ("etc", "proc", "usr", "var")
"""Folders that every host's root has."""


class UnresolvableError(Exception):
    """A path of which nobody can say where it leads; the message says why."""


class HostRoot:
    """The host's root, where it is mounted."""

    def __init__(self, path: str, *, seconds: float, mountinfo: Path = Path("/proc/self/mountinfo")) -> None:
        """``seconds`` is how long the paths of one call may take together.

        Raises:
            ConfigurationError: it is no folder that can be searched; the message says what to do.
        """
        self.path: Final = path
        self._seconds = seconds
        self._mountinfo = mountinfo
        self._free = asyncio.Semaphore(_THREADS)
        try:
            self._root = os.open(path, _FOLDER & ~os.O_NOFOLLOW | os.O_DIRECTORY)
            os.stat(".", dir_fd=self._root)
        except OSError as error:
            raise ConfigurationError(
                f"the host's root `{path}` cannot be used: {error.strerror};"
                " mount it read-only (`- /:/host:ro,rslave`) and name it with --host-root /host,"
                " or leave the option out: then symbolic links are not seen"
            ) from error

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._root)

    @property
    def lacks(self) -> tuple[str, ...]:
        """What a host's root has and this folder does not."""
        return tuple(name for name in _EXPECTED if not self._is_there(name))

    def _is_there(self, name: str) -> bool:
        with suppress(OSError):
            os.stat(name, dir_fd=self._root, follow_symlinks=False)
            return True
        return False

    async def facts(self, keys: Iterable[str]) -> dict[str, JsonObject | Missing]:
        """Each key of a host's path (``host:/srv``) with where it leads, or why nobody can say.

        They are walked in a thread, since a disk may be slow, and given up after a time, since it may be dead.
        """
        wanted = tuple(keys)
        if not wanted:
            return {}
        end = time.monotonic() + self._seconds
        try:
            async with asyncio.timeout(self._seconds):
                return await self._walk_all(wanted, end)
        except TimeoutError:
            return dict.fromkeys(wanted, _told(f"it took longer than {self._seconds:g} s to look at the host"))

    async def _walk_all(self, keys: tuple[str, ...], end: float) -> dict[str, JsonObject | Missing]:
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[dict[str, JsonObject | Missing]] = loop.create_future()

        def deliver(facts: dict[str, JsonObject | Missing]) -> None:
            self._free.release()
            if not done.done():  # else nobody waits any more
                done.set_result(facts)

        def walk() -> None:
            failed = _told("looking at the host failed; the log of sockproxy says why")
            facts: dict[str, JsonObject | Missing] = dict.fromkeys(keys, failed)
            try:
                facts = {key: self.fact(key, end) for key in keys}
            finally:
                with suppress(RuntimeError):  # the loop is closed: sockproxy has stopped
                    loop.call_soon_threadsafe(deliver, facts)

        # A thread of its own, not of asyncio's pool: one that hangs must not keep sockproxy from stopping.
        threading.Thread(target=walk, name="host-root", daemon=True).start()
        return await done

    def fact(self, key: str, end: float = float("inf")) -> JsonObject | Missing:
        """Where the path in a key leads, or why nobody can say."""
        try:
            return {"Path": self.resolve(key.removeprefix(HOST), end)}
        except UnresolvableError as error:
            return _told(str(error))

    def resolve(self, path: str, end: float = float("inf")) -> str:
        """Where an absolute path of the host leads: absolute, clean, and without a link in it.

        ``end`` is when to give up, on the clock of `time.monotonic`.

        Raises:
            UnresolvableError: nobody can say.
        """
        if not path.startswith("/"):
            raise UnresolvableError("it is no absolute path")
        try:
            # What is no text in UTF-8 cannot be sent to the engine either.
            raw = path.encode()
            resolved = self._walk(raw, end).decode()
        except UnicodeError:
            raise UnresolvableError("it leads to a name that is no UTF-8") from None
        except OSError as error:
            raise UnresolvableError(_why(error)) from None
        return resolved

    def _walk(self, path: bytes, end: float) -> bytes:
        if b"\0" in path or len(path) > _PATH_BYTES:
            raise UnresolvableError("it is no path that a kernel takes")
        ahead = deque(path.split(b"/"))
        links = 0
        walk = _Walk(self._root)
        try:
            for _ in range(_STEPS):
                if not ahead:
                    return b"/" + b"/".join(walk.names)
                if time.monotonic() > end:
                    raise UnresolvableError("it took too long to look at the host")
                name = ahead.popleft()
                if name in (b"", b"."):
                    continue
                if name == b"..":
                    # From the top again, rather than by the folder's own `..`: it may have been moved meanwhile.
                    ahead.extendleft(reversed(walk.names[:-1]))
                    walk.restart()
                    continue
                target = walk.enter(name, self._leads_by_path)
                if target is not None:
                    links += 1
                    if links > _LINKS:
                        raise UnresolvableError("it leads through too many symbolic links")
                    ahead.extendleft(reversed(target.split(b"/")))
                    if target.startswith(b"/"):
                        walk.restart()
            raise UnresolvableError("it is too long a way")
        finally:
            walk.restart()

    def _leads_by_path(self, link: os.stat_result) -> bool:
        """Whether a link says where it leads. Those of a proc file system may lead elsewhere than they say.

        `/proc/1/root` is a door to another root, and `/proc/self` is somebody else to whoever asks.
        """
        device = f"{os.major(link.st_dev)}:{os.minor(link.st_dev)}"
        with self._mountinfo.open(encoding="utf-8", errors="replace") as mounts:
            return not any(" - proc " in line and line.split(" ", 3)[2] == device for line in mounts)


class _Walk:
    """How far one walk has come: the names so far, none of them a link, and the last one's descriptor."""

    __slots__ = ("_at", "_root", "names")

    def __init__(self, root: int) -> None:
        self._root = root
        self._at: int | None = root
        """None below what does not exist."""
        self.names: list[bytes] = []

    def restart(self) -> None:
        """Stand at the root again."""
        if self._at is not None and self._at != self._root:
            os.close(self._at)
        self._at = self._root
        self.names.clear()

    def enter(self, name: bytes, leads_by_path: Callable[[os.stat_result], bool]) -> bytes | None:
        """Go down by one name; the target instead where that is a link, which is not entered.

        Raises:
            OSError: it cannot be looked at.
            UnresolvableError: a link that does not say where it leads.
        """
        if self._at is None:
            self.names.append(name)
            return None
        try:
            entered = os.open(name, _FOLDER, dir_fd=self._at)
        except FileNotFoundError:
            self._move(None, name)
            return None
        found = os.fstat(entered)
        if not stat.S_ISLNK(found.st_mode):
            self._move(entered, name)
            return None
        try:
            if not leads_by_path(found):
                raise UnresolvableError("it leads through a link of /proc, which is no path")
            return os.readlink(b"", dir_fd=entered)
        finally:
            os.close(entered)

    def _move(self, to: int | None, name: bytes) -> None:
        if self._at is not None and self._at != self._root:
            os.close(self._at)
        self._at = to
        self.names.append(name)


def _told(why: str) -> Missing:
    return Missing(409, why)


def _why(error: OSError) -> str:
    """An error of the walk, in words for whoever reads the denial."""
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return "sockproxy may not search a folder on the way"
        case errno.ENOTDIR:
            return "it goes on below a file"
        case _:
            return f"the host cannot be looked at: {error.strerror}"
