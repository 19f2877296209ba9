"""Checkpoints of running containers (experimental engines): made, listed, removed.

Their directory may be one of the host's, which the engine writes, lists and removes from as root.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker.fields import containers as fields
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.inspector import Inspector
from sockproxy.docker.inspectors.mounts import Use, host_path
from sockproxy.docker.inspectors.whose import Purpose, container_in_path, text
from sockproxy.docker.paths import check_absolute
from sockproxy.errors import Malformed
from sockproxy.model import Inspection

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
"""What the engine takes for a name when it makes one (moby, daemon/checkpoint.go); it joins any other to a path."""


def directory(found: Findings, path: str, where: str, *, read_only: bool = False) -> str:
    """The ask of a directory for checkpoints, if one is named. Gives back what is to be forwarded in its place.

    Raises:
        Malformed: it is no absolute path.
    """
    if not path:
        return path
    check_absolute(path, where)
    return host_path(found, path, where, Use(read_only)) or path


def checkpoint(name: str, where: str) -> str:
    """The name of a checkpoint.

    Raises:
        Malformed: it is none, and might lead out of the directory.
    """
    if not _NAME.fullmatch(name):
        raise Malformed(f"{where}: `{name}` is no name of a checkpoint")
    return name


def _create(found: Findings) -> Inspection:
    body = found.body(fields.CHECKPOINT)
    checkpoint(text(body, "CheckpointID"), "CheckpointID")
    container = container_in_path(found, Purpose.CHANGE)
    if path := text(body, "CheckpointDir"):
        body["CheckpointDir"] = directory(found, path, "CheckpointDir")
    return found.forward(path=found.path_of(container.forward) if container else None, body=body)


def _list(found: Findings) -> Inspection:
    container = container_in_path(found, Purpose.READ)
    query = _in_query(found, read_only=True)
    return found.forward(path=found.path_of(container.forward) if container else None, query=query)


def _delete(found: Findings) -> Inspection:
    checkpoint(found.call.params["checkpoint"], "path")
    container = container_in_path(found, Purpose.CHANGE)
    query = _in_query(found, read_only=False)
    return found.forward(path=found.path_of(container.forward) if container else None, query=query)


def _in_query(found: Findings, *, read_only: bool) -> tuple[tuple[str, str], ...]:
    return found.query_with("dir", directory(found, found.query.get("dir", ""), "?dir", read_only=read_only))


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        "CheckpointList": _list,
        "CheckpointCreate": _create,
        "CheckpointDelete": _delete,
    }
)
