"""Where the engine is, and why it cannot be reached."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sockproxy.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Address:
    """Where the engine listens."""

    path: str | None
    """Of its Unix socket; None for TCP."""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``unix:///var/run/docker.sock`` or ``tcp://HOST:PORT``.

        Raises:
            ConfigurationError: it is neither.
        """
        url = urlsplit(text)
        try:
            if url.scheme == "unix" and url.path.startswith("/") and not (url.netloc or url.query or url.fragment):
                return cls(url.path)
            if url.scheme == "tcp" and url.hostname and url.port and not (url.path or url.query or url.username):
                return cls(None, url.hostname, url.port)
        except ValueError:
            pass
        raise ConfigurationError(
            f"the engine `{text}` is no address: write unix:///var/run/docker.sock or tcp://HOST:PORT"
        )

    def __str__(self) -> str:
        """As it is written in the configuration."""
        if self.path is not None:
            return f"unix://{self.path}"
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"


def why_unreachable(address: Address, error: OSError) -> str:
    """What went wrong, and what to look at next."""
    return f"cannot reach the engine at {address}: {_reason(address, error)}"


def _reason(address: Address, error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer; is the address right, and is it up?"
    if address.path is None:
        return f"{error.strerror or error}; is the address right, and does the engine listen there?"
    match error.errno:
        case errno.ENOENT:
            return "no such socket; is the engine up, and is its socket mounted here?"
        case errno.EACCES | errno.EPERM:
            return f"permission denied; {_owner(address.path)}"
        case errno.ECONNREFUSED:
            return "nobody listens there; is the engine up? (a restarted engine makes a new socket: mount its folder)"
        case _:
            return error.strerror or str(error)


def _owner(path: str) -> str:
    try:
        status = Path(path).stat()
    except OSError:
        return "sockproxy may not even look at it"
    mode, group = status.st_mode & 0o777, status.st_gid
    return (
        f'its group is {group}, its mode {mode:04o}: put sockproxy into that group (compose: `group_add: ["{group}"]`)'
    )
