"""Execs: made, started, resized, looked at. No path ties an exec to its container, so the engine is asked for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker.fields import execs as fields
from sockproxy.docker.inspectors import entering
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.host_config import require_non_root
from sockproxy.docker.inspectors.inspector import Inspector
from sockproxy.docker.inspectors.whose import Found, Purpose, container_in_path, part, subject_container, text
from sockproxy.model import Inspection, Json, JsonObject, Missing

_ID: Final = re.compile(r"[0-9a-f]{1,64}")
"""The engine makes 64 hex digits, and takes no prefix of them (tried on 20.10 and 28.5)."""


def _create(found: Findings) -> Inspection:
    body = found.body(fields.CREATE)
    container = container_in_path(found, Purpose.ENTER)
    path = None
    if container is not None:
        path = found.path_of(container.forward)
        _inspect_command(found, container, _words(body.get("Cmd")), text(body, "User"), body.get("Privileged"), "")
    return found.forward(path=path, body=body)


def _start(found: Findings) -> Inspection:
    """Starting an exec asks what making it asked: whoever made it may have been allowed more."""
    body = found.body(fields.START)
    exec_ = _exec_in_path(found)
    if exec_ is not None and (container := _container_of(found, exec_, Purpose.ENTER)) is not None:
        process = part(exec_, "ProcessConfig")
        command = [text(process, "entrypoint"), *_words(process.get("arguments"))]
        where = f"exec {found.call.params['id'][:12]}: "
        _inspect_command(found, container, command, text(process, "user"), process.get("privileged"), where)
    return found.forward(body=body)


def _look(found: Findings) -> Inspection:
    if "container" in found.held and (exec_ := _exec_in_path(found)) is not None:
        _container_of(found, exec_, Purpose.READ)
    return found.forward()


def _resize(found: Findings) -> Inspection:
    needed = "container" in found.held or found.context.own_container is not None
    if needed and (exec_ := _exec_in_path(found)) is not None:
        _container_of(found, exec_, Purpose.CHANGE)
    return found.forward()


def _inspect_command(
    found: Findings, container: Found, command: list[str], user: str, privileged: Json, where: str
) -> None:
    """What running a command in a container asks for. ``where`` is a prefix of the places."""
    entering.inspect_given(found, container)
    found.ask("exec", shlex.join(command), f"{where}Cmd")
    if privileged is True:
        found.ask("privileged", "exec", f"{where}Privileged")
    if user:
        require_non_root(found, user, f"{where}User")
    else:
        own_user = text(part(container.fact, "Config"), "User")
        require_non_root(found, own_user, f"container {container.name}: Config.User")


def _exec_in_path(found: Findings) -> JsonObject | None:
    """The exec that the path names. None while it must be looked up, or where it is absent."""
    reference = found.call.params["id"]
    if not _ID.fullmatch(reference):
        found.absent = Missing(404, f"No such exec instance: {reference}")
        return None
    fact = found.look_up(f"/exec/{reference}/json")
    if isinstance(fact, Missing):
        found.absent = fact
        return None
    return fact


def _container_of(found: Findings, exec_: JsonObject, purpose: Purpose) -> Found | None:
    reference = text(exec_, "ContainerID")
    if not reference:
        # No engine answers so: what it would run in cannot be known.
        found.ask("container", "(unknown)", "path", grantable=False)
        return None
    return subject_container(found, reference, "path", purpose)


def _words(value: Json) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        "ContainerExec": _create,
        "ExecStart": _start,
        "ExecResize": _resize,
        "ExecInspect": _look,
    }
)
