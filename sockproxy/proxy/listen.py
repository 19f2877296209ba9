"""The addresses that clients connect to, and the sockets bound to them.

sockproxy binds its sockets itself: a Unix socket must never be open to more than its mode and group say, not even for
the moment between two system calls, and a socket that somebody else listens on is not taken away from them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import ipaddress
import math
import os
import re
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import uvicorn

from sockproxy.errors import ConfigurationError

App: TypeAlias = Callable[..., Awaitable[None]]
"""An ASGI application."""

_FORMS: Final = "write tcp://HOST:PORT or unix:///PATH?mode=0660&group=NAME"
_KEEP_ALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A client that has vanished is noticed within two minutes. Accepted sockets inherit this."""


@dataclass(frozen=True, slots=True)
class TcpListener:
    """``tcp://HOST:PORT``. Port 0 lets the kernel choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"

    @property
    def exposed(self) -> bool:
        """It can be reached from beyond this machine (or, in a container, from beyond the container)."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True

    def bind(self) -> socket.socket:
        """A socket bound to the address.

        Raises:
            ConfigurationError: it cannot be; the message says what to do.
        """
        try:
            family, _, _, _, name = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {self}: the host is not known here ({error})") from error
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEP_ALIVE:
                bound.setsockopt(socket.IPPROTO_TCP, option, value)
            bound.bind(name)
        except OSError as error:
            bound.close()
            raise ConfigurationError(f"cannot listen on {self}: {self._reason(error)}") from error
        bound.setblocking(False)
        return bound

    def _reason(self, error: OSError) -> str:
        match error.errno:
            case errno.EADDRINUSE:
                return (
                    f"port {self.port} is in use, by a Docker engine or another sockproxy perhaps; "
                    f"see who it is (`ss -ltnp 'sport = :{self.port}'`), or choose another port with --listen"
                )
            case errno.EADDRNOTAVAIL:
                return "no interface here has that address; 127.0.0.1 is this machine, 0.0.0.0 every interface"
            case errno.EACCES:
                return "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one with --listen"
            case _:
                return error.strerror or str(error)


@dataclass(frozen=True, slots=True)
class UnixListener:
    """``unix:///PATH?mode=0660&group=NAME``."""

    path: str
    mode: int = 0o660
    group: str | None = None

    exposed = False

    def __str__(self) -> str:
        return f"unix://{self.path}"

    def bind(self) -> socket.socket:
        """A socket bound to the path, with its mode and group from the first moment on.

        Raises:
            ConfigurationError: it cannot be; the message says what to do.
        """
        group = self._group()
        self._clear()
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            bound.bind(self.path)
            if group is not None:
                os.chown(self.path, -1, group)
            Path(self.path).chmod(self.mode)
        except OSError as error:
            bound.close()
            raise ConfigurationError(f"cannot listen on {self}: {self._reason(error)}") from error
        finally:
            os.umask(before)
        bound.setblocking(False)
        return bound

    def remove(self, bound: os.stat_result) -> None:
        """Remove the socket's file if it is still the one that was bound."""
        with contextlib.suppress(OSError):
            if os.path.samestat(Path(self.path).stat(), bound):
                Path(self.path).unlink()

    def _group(self) -> int | None:
        if self.group is None:
            return None
        if self.group.isdecimal():
            return int(self.group)
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise ConfigurationError(f"cannot listen on {self}: there is no group `{self.group}` here") from None

    def _clear(self) -> None:
        """Remove a socket that its owner left behind; anything else stays, and is an error."""
        try:
            found = Path(self.path).lstat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {self}: {self._reason(error)}") from error
        if not stat.S_ISSOCK(found.st_mode):
            raise ConfigurationError(f"cannot listen on {self}: the path is there, and is no socket; choose another")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(self.path)
            except ConnectionRefusedError:
                Path(self.path).unlink()
                return
            except OSError as error:
                raise ConfigurationError(f"cannot listen on {self}: it is there, and {error.strerror}") from error
        raise ConfigurationError(f"cannot listen on {self}: somebody listens there already (`ss -lxp src {self.path}`)")

    def _reason(self, error: OSError) -> str:
        folder = Path(self.path).parent
        match error.errno:
            case errno.ENOENT:
                return f"there is no folder {folder}; make it first"
            case errno.EACCES | errno.EPERM:
                return f"permission denied; user {os.geteuid()} must be able to write to {folder}, and be in the group"
            case errno.EROFS:
                return f"{folder} is read-only here; mount a volume there"
            case _:
                return error.strerror or str(error)


Listener: TypeAlias = TcpListener | UnixListener


def parse(text: str) -> Listener:
    """Read the address of a listener.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        url = urlsplit(text)
        if (
            url.scheme == "tcp"
            and url.hostname
            and url.port is not None
            and not (url.path or url.query or url.username)
        ):
            return TcpListener(url.hostname, url.port)
        if url.scheme == "unix" and not url.netloc and url.path.startswith("/") and not url.fragment:
            return _unix(text, url.path, url.query)
    except ValueError:
        pass
    raise ConfigurationError(f"the listener `{text}` is no address: {_FORMS}")


def _unix(text: str, path: str, query: str) -> UnixListener:
    options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    mode, group = options.pop("mode", "0660"), options.pop("group", None)
    if options or group == "" or re.fullmatch("0?[0-7]{3}", mode) is None:
        raise ConfigurationError(f"the listener `{text}` has an option that is none: {_FORMS}")
    return UnixListener(path, int(mode, 8), group)


@contextlib.contextmanager
def bound(listener: Listener) -> Iterator[socket.socket]:
    """A socket bound while the block runs; of a Unix socket the file is removed after it.

    Who connects before connections are accepted waits for that, and is not refused: a script that waits for the file of
    the socket may go on as soon as it is there.

    Raises:
        ConfigurationError: it cannot be bound.
    """
    with listener.bind() as made:
        found = Path(listener.path).stat() if isinstance(listener, UnixListener) else None
        try:
            made.listen()
            yield made
        finally:
            if isinstance(listener, UnixListener) and found is not None:
                listener.remove(found)


def address(listener: Listener, made: socket.socket) -> str:
    """Where clients connect: as configured, with the port that the kernel chose."""
    if isinstance(listener, TcpListener):
        return str(replace(listener, port=made.getsockname()[1]))
    return str(listener)


@contextlib.asynccontextmanager
async def serving(
    app: App,
    sockets: list[socket.socket],
    *,
    http: type[asyncio.Protocol] | Literal["httptools"],
    grace: float,
) -> AsyncIterator[None]:
    """Accept connections while the block runs; then let ordinary answers end, for ``grace`` seconds at most."""
    config = uvicorn.Config(
        app,
        http=http,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # a peer on loopback would forge its address with X-Forwarded-For
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=math.ceil(grace),
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Its own `serve` would take the signals, and wake up ten times a second for a Date header that is not sent.
    await server.startup(sockets=sockets)
    try:
        yield
    finally:
        server.should_exit = True
        await server.shutdown(sockets=sockets)
        if left := tuple(server.server_state.tasks):
            await asyncio.wait(left, timeout=1)  # cancelled by now: they write their last lines
