"""Volumes: made, looked at, changed, removed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker.fields import volumes as fields
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.inspector import Inspector, nothing
from sockproxy.docker.inspectors.mounts import ANONYMOUS, Use, inspect_driver
from sockproxy.docker.inspectors.pruning import inspect_volume_prune
from sockproxy.docker.inspectors.whose import labels_of, part, text, volume_in_path
from sockproxy.model import Inspection


def _create(found: Findings) -> Inspection:
    """One that exists is given back as it is: only what is sent is judged here, and its use where it is used."""
    body = found.body(fields.CREATE)
    found.ask("volume", text(body, "Name") or ANONYMOUS, "Name", labels=labels_of(body.get("Labels")))
    options = part(body, "DriverOpts")
    judged = inspect_driver(found, text(body, "Driver"), options, "DriverOpts", Use(read_only=False))
    if options:
        body["DriverOpts"] = judged
    return found.forward(body=body)


def _update(found: Findings) -> Inspection:
    body = found.body(fields.UPDATE)
    volume_in_path(found)
    return found.forward(body=body)


def _in_path(found: Findings) -> Inspection:
    volume_in_path(found)
    return found.forward()


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        "VolumeList": nothing,
        "VolumeInspect": _in_path,
        "VolumeCreate": _create,
        "VolumeUpdate": _update,
        "VolumeDelete": _in_path,
        "VolumePrune": inspect_volume_prune,
    }
)
