"""Limits, devices, GPUs and block I/O of a service: the `Resources` of its HostConfig."""

from __future__ import annotations

import re
from typing import Final

from sockproxy.compose.document import Mapping, Node, Scalar, is_nothing
from sockproxy.compose.values import Values
from sockproxy.model import Json, JsonObject

_NANO: Final = 1_000_000_000
_CDI: Final = re.compile(
    r"[A-Za-z](?:[\w.-]*[A-Za-z0-9])?/[A-Za-z](?:[\w.-]*[A-Za-z0-9])?=[A-Za-z0-9][\w.:-]*", re.ASCII
)
"""A device's name of the Container Device Interface: ``nvidia.com/gpu=all``."""


def read_resources(service: Mapping, values: Values) -> JsonObject:
    """The `Resources` of a create; `deploy.resources` holds where it sets something (compose, ``create.go``)."""
    given = service.get
    deploy = values.mapping(given("deploy"))
    told = values.mapping(deploy.get("resources")) if deploy is not None else None
    limits = values.mapping(told.get("limits")) if told is not None else None
    reservations = values.mapping(told.get("reservations")) if told is not None else None
    swappiness, pids = values.integer(given("mem_swappiness")), values.integer(given("pids_limit"))
    resources: JsonObject = {
        "CpuShares": values.integer(given("cpu_shares")),
        "Memory": values.size(given("mem_limit")),
        "NanoCpus": int(values.number(given("cpus")) * _NANO),
        "CgroupParent": values.text(given("cgroup_parent")),
        "CpuPeriod": values.integer(given("cpu_period")),
        "CpuQuota": values.integer(given("cpu_quota")),
        "CpuRealtimePeriod": values.integer(given("cpu_rt_period")),
        "CpuRealtimeRuntime": values.integer(given("cpu_rt_runtime")),
        "CpusetCpus": values.text(given("cpuset")),
        "DeviceCgroupRules": list(values.words(given("device_cgroup_rules"))) or None,
        "MemoryReservation": values.size(given("mem_reservation")),
        "MemorySwap": values.size(given("memswap_limit")),
        "MemorySwappiness": swappiness or None,
        "OomKillDisable": values.flag(given("oom_kill_disable")),
        "PidsLimit": pids or None,
        "Ulimits": _ulimits(given("ulimits"), values) or None,
        "CpuCount": values.integer(given("cpu_count")),
        "CpuPercent": int(values.number(given("cpu_percent")) * 100),
    }
    _deployed(resources, limits, reservations, values)
    _agree(service, limits, reservations, values)
    _block_io(resources, values.mapping(given("blkio_config")), values)
    devices, requests = _devices(given("devices"), values)
    reserved = reservations.get("devices") if reservations is not None else None
    requests[:0] = [_request(entry, values) for entry in values.items(reserved)]
    requests += _gpus(given("gpus"), values)
    resources["Devices"], resources["DeviceRequests"] = devices or None, requests or None
    return resources


def _deployed(resources: JsonObject, limits: Mapping | None, reservations: Mapping | None, values: Values) -> None:
    if limits is not None:
        if memory := values.size(limits.get("memory")):
            resources["Memory"] = memory
        if cpus := values.number(limits.get("cpus")):
            resources["NanoCpus"] = int(cpus * _NANO)
        if (pids := values.integer(limits.get("pids"))) > 0:
            resources["PidsLimit"] = pids
    if reservations is not None and (memory := values.size(reservations.get("memory"))):
        resources["MemoryReservation"] = memory


def _agree(service: Mapping, limits: Mapping | None, reservations: Mapping | None, values: Values) -> None:
    """What is said twice must be the same (compose-go, ``validate.go``)."""
    for key, part, there in (
        ("mem_limit", limits, "memory"),
        ("cpus", limits, "cpus"),
        ("pids_limit", limits, "pids"),
        ("mem_reservation", reservations, "memory"),
    ):
        own, deployed = service.get(key), part.get(there) if part is not None else None
        if own is None or deployed is None or is_nothing(own) or is_nothing(deployed):
            continue
        read = values.number if key in ("cpus", "pids_limit") else values.size
        if read(own) != read(deployed):
            values.notes.wrong(own, f"`{key}` and the `{there}` under `deploy.resources` differ", "write one of them")


def _ulimits(node: Node | None, values: Values) -> list[Json]:
    found: list[Json] = []
    limits = values.mapping(node)
    for name, limit in limits.entries if limits is not None else ():
        if isinstance(limit, Mapping):
            soft, hard = values.integer(limit.get("soft")), values.integer(limit.get("hard"))
        else:
            soft = hard = values.integer(limit)
        found.append({"Name": name.text, "Hard": hard, "Soft": soft})
    return found


def _block_io(resources: JsonObject, config: Mapping | None, values: Values) -> None:
    resources["BlkioWeight"] = values.integer(config.get("weight")) if config is not None else 0
    for key, field, rate in (
        ("weight_device", "BlkioWeightDevice", "Weight"),
        ("device_read_bps", "BlkioDeviceReadBps", "Rate"),
        ("device_write_bps", "BlkioDeviceWriteBps", "Rate"),
        ("device_read_iops", "BlkioDeviceReadIOps", "Rate"),
        ("device_write_iops", "BlkioDeviceWriteIOps", "Rate"),
    ):
        found: list[Json] = []
        for entry in values.items(config.get(key)) if config is not None else ():
            if (device := values.mapping(entry)) is not None:
                amount = values.size(device.get(rate.lower()))
                found.append({"Path": values.text(device.get("path")), rate: amount})
        resources[field] = found or None


# Devices


def _devices(node: Node | None, values: Values) -> tuple[list[Json], list[Json]]:
    """`Devices`, and the request for those that are named by the Container Device Interface."""
    devices: list[Json] = []
    names: list[Json] = []
    for entry in values.items(node):
        if isinstance(entry, Mapping):
            source, target = values.text(entry.get("source")), values.text(entry.get("target"))
            permissions = values.text(entry.get("permissions"))
        else:
            source, target, permissions = _device_parts(entry, values)
        target, permissions = target or source, permissions or "rwm"
        if source == target and _CDI.fullmatch(source):
            names.append(source)
        elif source:
            devices.append({"PathOnHost": source, "PathInContainer": target, "CgroupPermissions": permissions})
    return devices, [
        {"Driver": "cdi", "Count": 0, "DeviceIDs": names, "Capabilities": None, "Options": None}
    ] if names else []


def _device_parts(entry: Node, values: Values) -> tuple[str, str, str]:
    word = values.text(entry)
    if _CDI.fullmatch(word):
        return word, word, ""
    parts = word.split(":")
    if not word or len(parts) > 3:
        values.notes.wrong(entry, f"`{word}` is no device", "write PATH[:PATH][:PERMISSIONS]")
        return "", "", ""
    if len(parts) == 2 and parts[1] and not parts[1].startswith("/"):
        return parts[0], parts[0], parts[1]
    return parts[0], parts[1] if len(parts) > 1 else "", parts[2] if len(parts) > 2 else ""


def _gpus(node: Node | None, values: Values) -> list[Json]:
    if isinstance(node, Scalar) and not node.nothing:
        if node.text != "all":
            values.notes.wrong(node, f"`{node.text}` are no GPUs", "write `all`, or a list of devices")
        return [_device_request("", -1, [], ["gpu"], {})]
    found: list[Json] = []
    for entry in values.items(node):
        request = _request(entry, values)
        capabilities = request.get("Capabilities")
        assert isinstance(capabilities, list)
        words = capabilities[0]
        request["Capabilities"] = [[*(words if isinstance(words, list) else ()), "gpu"]]
        found.append(request)
    return found


def _request(entry: Node, values: Values) -> JsonObject:
    device = values.mapping(entry)
    if device is None:
        values.notes.wrong(entry, "a device is a mapping", "{capabilities: [gpu], count: 1}")
        return _device_request("", 0, [], [], {})
    ids = values.words(device.get("device_ids"))
    said = device.get("count")
    word = values.text(said)
    if ids and word:
        values.notes.wrong(device, "`count` and `device_ids` exclude each other")
    # Neither of them means all.
    count = -1 if word == "all" or not (word or ids) else values.integer(said)
    options = values.texts(device.get("options"))
    capabilities = values.words(device.get("capabilities"))
    return _device_request(values.text(device.get("driver")), count, ids, capabilities, dict(options))


def _device_request(
    driver: str, count: int, ids: list[str], capabilities: list[str], options: JsonObject
) -> JsonObject:
    return {
        "Driver": driver,
        "Count": count,
        "DeviceIDs": list(ids) or None,
        "Capabilities": [list(capabilities)],
        "Options": options or None,
    }
