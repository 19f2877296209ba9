"""Absolute paths, as the engine cleans them before it uses them (Go's ``path.Clean``)."""

from __future__ import annotations

from sockproxy.errors import Malformed


def clean(path: str) -> str:
    """``//srv/./ci/../etc/`` → ``/srv/etc``. The path must begin with a slash; ``..`` never climbs above the root."""
    if "//" not in path and "/." not in path and not path.endswith("/"):
        return path
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def check_absolute(path: str, where: str) -> None:
    """Refuse a path that the engine would read from its own working directory.

    Raises:
        Malformed: it is not absolute.
    """
    if not path.startswith("/"):
        raise Malformed(f"{where}: `{path}` is no absolute path")


def within(path: str, folder: str) -> bool:
    """Whether a cleaned path is a folder or lies below it."""
    return folder in ("/", path) or path.startswith(folder + "/")
