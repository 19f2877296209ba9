"""Devices and GPUs: `Devices`, `DeviceCgroupRules`, `DeviceRequests`."""

from __future__ import annotations

from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.whose import part, text
from sockproxy.docker.paths import check_absolute, clean
from sockproxy.model import Json, JsonObject


def read_devices(found: Findings, value: Json, where: str) -> Json:
    """Host devices: ``/dev/fuse rwm``. A folder gives every device below it, and links are followed.

    Raises:
        Malformed: a path that is not absolute; the engine would read it from its own working directory.
    """
    assert isinstance(value, list)
    for index, device in enumerate(value):
        path = text(device, "PathOnHost")
        check_absolute(path, f"{where}[{index}].PathOnHost")
        permissions = text(device, "CgroupPermissions") or "rwm"
        found.ask("device", f"{clean(path)} {permissions}", f"{where}[{index}]")
    return value


def read_cgroup_rules(found: Findings, value: Json, where: str) -> Json:
    """Rules of the device cgroup: ``c 10:229 rwm``, as they are written."""
    assert isinstance(value, list)
    for index, rule in enumerate(value):
        found.ask("device", str(rule), f"{where}[{index}]")
    return value


def read_gpus(found: Findings, value: Json, where: str) -> Json:
    """Device requests: ``all``, a count, ``device=0``, or the name of a CDI device."""
    assert isinstance(value, list)
    for index, request in enumerate(value):
        assert isinstance(request, dict)
        _read_gpu(found, request, f"{where}[{index}]")
    return value


def _read_gpu(found: Findings, request: JsonObject, where: str) -> None:
    driver = _driver(request)
    prefix = "" if driver in ("nvidia", "cdi") else f"{driver} "
    ids = request.get("DeviceIDs")
    for each in ids if isinstance(ids, list) else ():
        # `vendor/class=name` is a CDI device whatever the driver says.
        name = str(each) if driver == "cdi" or "=" in str(each) else f"device={each}"
        found.ask("gpu", prefix + name, f"{where}.DeviceIDs")
    count = request.get("Count")
    if isinstance(count, int) and (count or not ids):
        # Without ids and without a count the image's own environment may choose: that asks for none by number.
        amount = -1 if count < 0 else count
        value = "all" if count < 0 else str(count)
        found.ask("gpu", prefix + value, f"{where}.Count", amount=None if prefix else amount)
    elif not ids:
        found.ask("gpu", f"{prefix}0", where, amount=None if prefix else 0)
    for key in part(request, "Options"):
        found.ask("field", f"{where.partition('[')[0]}.Options.{key}", f"{where}.Options[{key}]")


def _driver(request: JsonObject) -> str:
    """The driver that the engine picks: by name, or by the capabilities asked for (moby, daemon/devices.go)."""
    driver = text(request, "Driver")
    if driver:
        return driver
    listed = request.get("Capabilities")
    words = (
        {str(word) for each in listed if isinstance(each, list) for word in each} if isinstance(listed, list) else set()
    )
    if not words or "gpu" in words:
        return "nvidia"
    return "+".join(sorted(words))
