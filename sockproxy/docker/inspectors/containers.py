"""Containers: made, changed, looked at, entered, copied from and into, removed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker.fields import containers as fields
from sockproxy.docker.inspectors import checkpoints, entering
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.host_config import (
    DEFAULT_CPU_PERIOD,
    inspect_changed_limits,
    inspect_host_config,
    inspect_limits,
    inspect_requirements,
    leaves_cpu_period,
    runtime,
)
from sockproxy.docker.inspectors.inspector import Inspector, is_true, nothing
from sockproxy.docker.inspectors.mounts import ANONYMOUS, parse_bind
from sockproxy.docker.inspectors.networking import inspect_networks
from sockproxy.docker.inspectors.pruning import inspect_prune
from sockproxy.docker.inspectors.whose import (
    UNNAMED,
    Found,
    Labels,
    Purpose,
    container_in_path,
    image,
    labels_of,
    number,
    part,
    text,
)
from sockproxy.docker.paths import clean
from sockproxy.errors import Malformed
from sockproxy.model import Inspection, JsonObject, Missing

NO_IMAGE: Final = "(none)"
"""The value of an image's ask where a create names none: the engine makes a container with an empty root."""


def _create(found: Findings) -> Inspection:
    body = found.body(fields.CREATE)
    host: JsonObject = part(body, "HostConfig")
    labels = labels_of(body.get("Labels"))
    name = found.query.get("name", "").removeprefix("/")
    found.ask("container", name or UNNAMED, "?name", labels=labels)
    reference = text(body, "Image")
    _inspect_image(found, body)
    runtime(found, top := body.pop("Runtime", None), "Runtime")
    honoured = top and "HostConfig" not in body and found.context.engine_version <= _TOP_LEVEL
    # Forwarded even where it is empty: engines up to 26 read its fields at the top level where there is no such object.
    body["HostConfig"] = host
    inspect_host_config(found, host, "HostConfig.")
    if honoured:
        host["Runtime"] = top
    inspect_networks(found, body, host)
    _inspect_anonymous_volumes(found, body, host)
    for key, value in labels:
        found.ask("label", f"{key}={value}", f"Labels[{key}]")
    _inspect_brought_labels(found, reference, labels)
    inspect_limits(found, host)
    inspect_requirements(found, host, text(body, "User"))
    return found.forward(body=body)


_TOP_LEVEL: Final = (1, 45)
"""The newest version of an engine (26) that reads a HostConfig's fields at the top level, where no such object came."""


def _inspect_anonymous_volumes(found: Findings, body: JsonObject, host: JsonObject) -> None:
    """`Volumes` names places, and the engine makes a volume at each that nothing else is mounted at.

    docker-py names the target of every bind there too, which makes none (moby, daemon/create_unix.go).
    """
    volumes = part(body, "Volumes")
    if not volumes:
        return
    binds, mounts = host.get("Binds"), host.get("Mounts")
    taken: list[str] = []
    if isinstance(binds, list):
        taken += [parse_bind(bind, "HostConfig.Binds").target for bind in binds if isinstance(bind, str)]
    if isinstance(mounts, list):
        taken += [text(mount, "Target") for mount in mounts if isinstance(mount, dict)]
    targets = {clean(f"/{target}") for target in taken}
    for path in volumes:
        if clean(f"/{path}") not in targets:
            found.ask("volume", ANONYMOUS, f"Volumes[{path}]")


def _inspect_image(found: Findings, body: JsonObject) -> None:
    reference = text(body, "Image")
    if not reference:
        found.ask("image", NO_IMAGE, "Image")
        return
    if (known := image(found, reference, "Image")) is not None:
        body["Image"] = known.identity or known.forward


def _inspect_brought_labels(found: Findings, reference: str, sent: Labels) -> None:
    """The labels of the image, which the container has as well, but for those that are sent (moby, daemon/commit.go).

    What a name stands for may change between the look and its use: the name is forwarded, as it is what others know the
    container's image by, and who may not build or tag cannot change it.
    """
    if "label" not in found.held or not reference:
        return
    fact = found.look_up(f"/images/{reference}/json")
    if fact is None or isinstance(fact, Missing):
        return
    taken = {key for key, _ in sent}
    for key, value in labels_of(part(fact, "Config").get("Labels")):
        if key not in taken:
            found.ask("label", f"{key}={value}", f"image {reference}: Config.Labels[{key}]", plain=True)


def _update(found: Findings) -> Inspection:
    body = found.body(fields.UPDATE)
    alone = leaves_cpu_period(body)
    # Looked up as one that is entered, whatever is held, where its record says what the call amounts to.
    container = container_in_path(found, Purpose.ENTER if alone else Purpose.CHANGE)
    if alone and container is not None:
        # Forwarded, so that what was judged is what is set: another update may come in between.
        body["CpuPeriod"] = number(part(container.fact, "HostConfig"), "CpuPeriod") or DEFAULT_CPU_PERIOD
    # A field that an update does not have is unknown here, whatever it means in a create: it was asked for as such.
    known: JsonObject = {key: value for key, value in body.items() if key in fields.UPDATE.fields}
    inspect_host_config(found, known, "")
    inspect_changed_limits(found, known)
    return found.forward(path=_path(found, container), body=body)


def _path(found: Findings, container: Found | None) -> str | None:
    """The path of the row with the full id in it, where that is known."""
    if container is None or container.fact is None:
        return None
    return found.path_of(container.forward)


def _with(purpose: Purpose) -> Inspector:
    """Rows that do one thing with the container in the path, and say no more in a body."""

    def inspect(found: Findings) -> Inspection:
        container = container_in_path(found, purpose)
        if purpose is Purpose.ENTER and container is not None:
            entering.inspect_given(found, container)
        return found.forward(path=_path(found, container))

    return inspect


def _mounts_again(found: Findings) -> Found | None:
    """The container in the path, which is to be started: what its host paths lead to by now is asked for.

    Only where links can be seen, and only of who may bind host paths by some rule: nobody else can have put a link
    into one, and a container that others made, with `/etc/localtime` bound, can still be started again.
    """
    if not (found.context.host_root and "bind" in found.held):
        return container_in_path(found, Purpose.CHANGE)
    # Looked up as one that is entered, whatever else is held.
    container = container_in_path(found, Purpose.ENTER)
    if container is not None:
        entering.inspect_started(found, container)
    return container


def _start(found: Findings) -> Inspection:
    container = _mounts_again(found)
    query: tuple[tuple[str, str], ...] | None = None
    # An experimental restore from a checkpoint, whose directory is a path of the host (moby, daemon/checkpoint.go).
    if name := found.query.get("checkpoint"):
        found.ask("query", f"checkpoint={checkpoints.checkpoint(name, '?checkpoint')}", "?checkpoint")
    if path := found.query.get("checkpoint-dir"):
        query = found.query_with("checkpoint-dir", checkpoints.directory(found, path, "?checkpoint-dir"))
    return found.forward(path=_path(found, container), query=query)


def _restart(found: Findings) -> Inspection:
    return found.forward(path=_path(found, _mounts_again(found)))


def _rename(found: Findings) -> Inspection:
    container = container_in_path(found, Purpose.CHANGE)
    name = found.query.get("name", "").removeprefix("/")
    if not name:
        raise Malformed("a rename needs ?name")
    fact = container.fact if container is not None else None
    found.ask("container", name, "?name", labels=labels_of(part(fact, "Config").get("Labels")))
    return found.forward(path=_path(found, container))


def _delete(found: Findings) -> Inspection:
    container = container_in_path(found, Purpose.CHANGE)
    # `link=1` removes a link by its own name (`web/db`), never a container: an id in its place would name no link.
    removes_link = is_true(found.query.get("link", ""))
    return found.forward(path=None if removes_link else _path(found, container))


def _archive(found: Findings) -> Inspection:
    """Copying out of a container: whose, which path, and the host's folders that the path leads into."""
    path = _archive_path(found)
    container = container_in_path(found, Purpose.ENTER)
    if container is not None:
        entering.inspect_path(found, container, path)
        _inspect_led(found, container, path)
    return found.forward(path=_path(found, container))


def _put_archive(found: Findings) -> Inspection:
    """Writing files into a container is entering it."""
    path = _archive_path(found)
    container = container_in_path(found, Purpose.ENTER)
    if container is not None:
        entering.inspect_given(found, container)
        _inspect_led(found, container, path)
    return found.forward(path=_path(found, container))


def _archive_path(found: Findings) -> str:
    path = found.query.get("path", "")
    if not path:
        raise Malformed("an archive needs ?path")
    cleaned = clean(f"/{path}")
    found.ask("archive", cleaned, "?path")
    return cleaned


def _inspect_led(found: Findings, container: Found, path: str) -> None:
    """Where the path leads by the links in the container, where a rule holds paths."""
    if "archive" not in found.held:
        return
    led = entering.led_within(found, container, path)
    if led is not None and led != path:
        found.ask("archive", led, f"?path ({path} leads there)")


def _prune(found: Findings) -> Inspection:
    return inspect_prune(found, "container")


_READ: Final = _with(Purpose.READ)
_CHANGE: Final = _with(Purpose.CHANGE)
_ENTER: Final = _with(Purpose.ENTER)

INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        "ContainerList": nothing,
        "ContainerCreate": _create,
        "ContainerInspect": _READ,
        "ContainerTop": _READ,
        "ContainerLogs": _READ,
        "ContainerChanges": _READ,
        "ContainerStats": _READ,
        "ContainerWait": _READ,
        "ContainerExport": _with(Purpose.COPY),
        "ContainerResize": _CHANGE,
        "ContainerStart": _start,
        "ContainerStop": _CHANGE,
        "ContainerRestart": _restart,
        "ContainerKill": _CHANGE,
        "ContainerUpdate": _update,
        "ContainerRename": _rename,
        "ContainerPause": _CHANGE,
        "ContainerUnpause": _CHANGE,
        "ContainerAttach": _ENTER,
        "ContainerAttachWebsocket": _ENTER,
        "ContainerDelete": _delete,
        "ContainerArchiveInfo": _archive,
        "ContainerArchive": _archive,
        "PutContainerArchive": _put_archive,
        "ContainerPrune": _prune,
    }
)
