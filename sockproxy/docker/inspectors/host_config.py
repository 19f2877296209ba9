"""What a HostConfig asks for. One table: every field either has a reader here or stands in `ASKS_NOTHING`.

    field of HostConfig ── _READERS ──► asks
                        └─ ASKS_NOTHING, or read elsewhere: limits and requirements (below), networks (`networking.py`)

A zero value asks nothing, but for `MaskedPaths: []` and `ReadonlyPaths: []`, which unmask everything.
Some readers give back another value than they were given: a reference to a container becomes the id that was judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from sockproxy.docker.asks import PLAIN_CAPABILITIES
from sockproxy.docker.inspectors import entering
from sockproxy.docker.inspectors.devices import read_cgroup_rules, read_devices, read_gpus
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.mounts import Use, inspect_bind, inspect_mount, inspect_tmpfs
from sockproxy.docker.inspectors.ports import publish
from sockproxy.docker.inspectors.security import capability, no_new_privileges, read_paths, read_security_opts
from sockproxy.docker.inspectors.whose import Purpose, number, other_container, part, text
from sockproxy.errors import Malformed
from sockproxy.model import Ask, Json, JsonObject

Reader: TypeAlias = "Callable[[Findings, Json, str], Json]"


def inspect_host_config(found: Findings, host: JsonObject, prefix: str) -> None:
    """Note the asks of a normalised HostConfig, or of the Resources of an update.

    Values that name a container are replaced in ``host`` by what was judged. ``prefix`` is ``HostConfig.`` or empty.

    Raises:
        Malformed: a value that the engine would refuse, or read as something else than it looks like.
    """
    for key, value in host.items():
        if value or key in _UNMASKING:
            reader = _READERS.get(key)
            if reader is not None:
                host[key] = reader(found, value, f"{prefix}{key}")


_UNMASKING: Final = frozenset({"MaskedPaths", "ReadonlyPaths"})


def _strings(value: Json) -> list[str]:
    assert isinstance(value, list)
    return [each for each in value if isinstance(each, str)]


def _objects(value: Json) -> list[JsonObject]:
    assert isinstance(value, list)
    return [each for each in value if isinstance(each, dict)]


# Readers that are made of a kind


def _value(kind: str) -> Reader:
    """A text that is the ask."""

    def read(found: Findings, value: Json, where: str) -> Json:
        found.ask(kind, str(value), where)
        return value

    return read


def item_asks(kind: str) -> Reader:
    """A list of text: each item is an ask."""

    def read(found: Findings, value: Json, where: str) -> Json:
        for index, each in enumerate(_strings(value)):
            found.ask(kind, each, f"{where}[{index}]")
        return value

    return read


def pair_asks(kind: str) -> Reader:
    """A map: each ``key=value`` is an ask."""

    def read(found: Findings, value: Json, where: str) -> Json:
        assert isinstance(value, dict)
        for key, each in value.items():
            found.ask(kind, f"{key}={each}", f"{where}[{key}]")
        return value

    return read


def _flag(kind: str, ask: str) -> Reader:
    """A value that asks one thing where it is not zero."""

    def read(found: Findings, value: Json, where: str) -> Json:
        found.ask(kind, ask, where)
        return value

    return read


def _namespace(word: str, free: frozenset[str] = frozenset()) -> Reader:
    """A namespace mode: ``host``, ``container:x``, or one of those that are the container's own."""

    def read(found: Findings, value: Json, where: str) -> Json:
        assert isinstance(value, str)
        return value if value in free else join_namespace(found, word, value, where)

    return read


def join_namespace(found: Findings, word: str, mode: str, where: str) -> str:
    """The asks of a namespace that is not the container's own; gives back the mode to forward.

    To join another container's namespace is to enter that container.
    """
    scheme, colon, reference = mode.partition(":")
    if scheme != "container" or not colon:
        found.ask("namespace", f"{word}={mode}", where)
        return mode
    container = other_container(found, reference, where, Purpose.ENTER)
    if container is None:
        found.ask("namespace", f"{word}={mode}", where)
        return mode
    found.ask("namespace", f"{word}=container:{container.name}", where)
    entering.inspect_given(found, container)
    return f"container:{container.forward}"


# Readers of one field each


def _binds(found: Findings, value: Json, where: str) -> Json:
    return [inspect_bind(found, spec, f"{where}[{index}]") for index, spec in enumerate(_strings(value))]


def _mounts(found: Findings, value: Json, where: str) -> Json:
    return [inspect_mount(found, mount, f"{where}[{index}]") for index, mount in enumerate(_objects(value))]


def _volume_driver(found: Findings, value: Json, where: str) -> Json:
    if value != "local":
        found.ask("volume-driver", str(value), where)
    return value


def _volumes_from(found: Findings, value: Json, where: str) -> Json:
    forward: list[Json] = []
    for index, spec in enumerate(_strings(value)):
        here = f"{where}[{index}]"
        reference, colon, mode = spec.partition(":")
        if mode not in ("", "ro", "rw", "z", "Z"):
            raise Malformed(f"{here}: `{mode}` is no mode of volumes-from")
        container = other_container(found, reference, here, Purpose.ENTER)
        if container is None:
            found.ask("volumes-from", reference, here)
            forward.append(spec)
            continue
        found.ask("volumes-from", container.name, here)
        entering.inspect_given(found, container)
        entering.inspect_taken_volumes(found, container, Use(mode == "ro"))
        forward.append(container.forward + colon + mode)
    return forward


def links(found: Findings, value: Json, where: str) -> Json:
    """Links to other containers, ``name`` or ``name:alias``; an inspect shows them as ``/name:/this/alias``.

    They are forwarded as sent: on networks made by users the engine resolves the *name* at each start.
    """
    for index, spec in enumerate(_strings(value)):
        here = f"{where}[{index}]"
        reference = spec.partition(":")[0].removeprefix("/")
        found.ask("link", reference, here)
        other_container(found, reference, here, Purpose.READ)
    return value


def capabilities(found: Findings, value: Json, where: str) -> Json:
    """Capabilities that are added."""
    for index, each in enumerate(_strings(value)):
        name = capability(each)
        found.ask("capability", name, f"{where}[{index}]", plain=name in PLAIN_CAPABILITIES)
    return value


_LOG_DRIVERS: Final = frozenset({"", "json-file", "local", "journald", "none"})
_LOG_OPTIONS: Final = frozenset(
    ["max-size", "max-file", "compress", "tag", "labels", "labels-regex", "env", "env-regex", "mode", "max-buffer-size"]
)


def _log_config(found: Findings, value: Json, where: str) -> Json:
    log_driver(found, text(value, "Type"), part(value, "Config"), f"{where}.Type", f"{where}.Config")
    return value


def log_driver(found: Findings, driver: str, options: JsonObject, where: str, options_where: str) -> None:
    """A log driver that sends elsewhere than to the engine's own files and journal, and options that reach further."""
    if driver not in _LOG_DRIVERS:
        found.ask("log-driver", driver, where)
    for key, each in options.items():
        if key not in _LOG_OPTIONS:
            found.ask("log-driver", f"{driver or 'default'} {key}={each}", f"{options_where}[{key}]")


def _restart_policy(found: Findings, value: Json, where: str) -> Json:
    if (name := text(value, "Name")) not in ("", "no"):
        found.ask("restart", name, f"{where}.Name")
    return value


_OWN_RUNTIMES: Final = frozenset({"runc", "io.containerd.runc.v2"})


def runtime(found: Findings, value: Json, where: str) -> Json:
    """An OCI runtime other than the engine's own."""
    if value and value not in _OWN_RUNTIMES:
        found.ask("runtime", str(value), where)
    return value


def isolation(found: Findings, value: Json, where: str) -> Json:
    """Windows containers have one; no Linux engine takes another than the default."""
    if str(value).lower() != "default":
        found.ask("field", f"{where}={value}", where)
    return value


def oom_score(found: Findings, value: Json, where: str) -> Json:
    """A score below 0: the kernel spares it, and kills another's process first."""
    if isinstance(value, int) and value < 0:
        found.ask("resource", f"oom-score={value}", where)
    return value


def _block_devices(found: Findings, value: Json, where: str) -> Json:
    for index, each in enumerate(_objects(value)):
        found.ask("resource", f"blkio={text(each, 'Path')}", f"{where}[{index}]")
    return value


def _tmpfs(found: Findings, value: Json, where: str) -> Json:
    assert isinstance(value, dict)
    for path, options in value.items():
        inspect_tmpfs(found, path, str(options), f"{where}[{path}]")
    return value


_READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "Privileged": _flag("privileged", "container"),
        "Binds": _binds,
        "Mounts": _mounts,
        "VolumeDriver": _volume_driver,
        "VolumesFrom": _volumes_from,
        "Tmpfs": _tmpfs,
        "CapAdd": capabilities,
        "Devices": read_devices,
        "DeviceCgroupRules": read_cgroup_rules,
        "DeviceRequests": read_gpus,
        "SecurityOpt": read_security_opts,
        "MaskedPaths": read_paths,
        "ReadonlyPaths": read_paths,
        "PidMode": _namespace("pid"),
        "IpcMode": _namespace("ipc", frozenset({"private", "shareable", "none"})),
        "UTSMode": _namespace("uts"),
        "UsernsMode": _namespace("userns"),
        "CgroupnsMode": _namespace("cgroup", frozenset({"private"})),
        "Cgroup": _namespace("cgroup"),
        "Runtime": runtime,
        "Isolation": isolation,
        "Annotations": pair_asks("annotation"),
        "CgroupParent": _value("cgroup-parent"),
        "Sysctls": pair_asks("sysctl"),
        "StorageOpt": pair_asks("storage-opt"),
        "GroupAdd": item_asks("group"),
        "LogConfig": _log_config,
        "RestartPolicy": _restart_policy,
        "PortBindings": publish,
        "PublishAllPorts": _flag("publish", "0.0.0.0:random/tcp"),
        "Links": links,
        "ExtraHosts": item_asks("extra-host"),
        "Dns": item_asks("dns"),
        "OomScoreAdj": oom_score,
        "OomKillDisable": _flag("resource", "oom-kill-disable"),
        "CpuRealtimePeriod": _flag("resource", "cpu-realtime"),
        "CpuRealtimeRuntime": _flag("resource", "cpu-realtime"),
        "BlkioWeightDevice": _block_devices,
        "BlkioDeviceReadBps": _block_devices,
        "BlkioDeviceWriteBps": _block_devices,
        "BlkioDeviceReadIOps": _block_devices,
        "BlkioDeviceWriteIOps": _block_devices,
    }
)


READ_ELSEWHERE: Final = frozenset(
    {
        *("NetworkMode",),
        *("Memory", "MemorySwap", "NanoCpus", "CpuQuota", "CpuPeriod", "PidsLimit", "ShmSize"),
        *("ReadonlyRootfs", "CapDrop"),
        # Never in a normalised body: an ask that cannot be granted is all that becomes of it.
        "Capabilities",
    }
)
"""Fields that networks, limits and requirements are made of."""

ASKS_NOTHING: Final = frozenset(
    {
        *("ContainerIDFile", "AutoRemove", "ConsoleSize", "Init"),
        *("DnsOptions", "DnsSearch", "Ulimits"),
        # Shares and sets divide what there is, and a reservation is soft; the rest are obsolete or of Windows.
        *("CpuShares", "CpusetCpus", "CpusetMems", "BlkioWeight", "MemoryReservation", "MemorySwappiness"),
        *("KernelMemory", "KernelMemoryTCP", "DiskQuota"),
        *("CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"),
    }
)
"""Fields whose every value is harmless."""

READ_HERE: Final = frozenset(_READERS)


# Limits


DEFAULT_CPU_PERIOD: Final = 100_000
"""Microseconds (the kernel's default, which the engine leaves where none is given)."""


# Made once: nearly every create has them.
_NO_MEMORY: Final = Ask("limit", "memory", "HostConfig.Memory")
_NO_CPUS: Final = Ask("limit", "cpus", "HostConfig.NanoCpus")
_NO_PIDS: Final = Ask("limit", "pids", "HostConfig.PidsLimit")


def inspect_limits(found: Findings, host: JsonObject) -> None:
    """What a create sets of each limit, or that it sets none. `shm` has a small default: asked only where it is set."""
    memory, cpus, pids = memory_amount(host), _cpus(host), number(host, "PidsLimit")
    found.note(_NO_MEMORY if memory is None else Ask("limit", "memory", "HostConfig.Memory", amount=memory))
    found.note(_NO_CPUS if cpus is None else Ask("limit", "cpus", "HostConfig.NanoCpus", amount=cpus))
    found.note(_NO_PIDS if pids <= 0 else Ask("limit", "pids", "HostConfig.PidsLimit", amount=pids))
    if (shm := number(host, "ShmSize")) > 0:
        found.ask("limit", "shm", "HostConfig.ShmSize", amount=shm)


def inspect_changed_limits(found: Findings, resources: JsonObject) -> None:
    """What an update sets of each limit; what it does not name stays as it was (moby, ``container_unix.go``)."""
    if number(resources, "Memory") or number(resources, "MemorySwap"):
        found.ask("limit", "memory", "Memory", amount=memory_amount(resources))
    if number(resources, "NanoCpus") or number(resources, "CpuQuota") or number(resources, "CpuPeriod"):
        # A period alone changes what the quota that is there amounts to, which nobody knows here: no amount.
        found.ask("limit", "cpus", "NanoCpus", amount=_cpus(resources))
    if "PidsLimit" in resources:
        pids = number(resources, "PidsLimit")
        found.ask("limit", "pids", "PidsLimit", amount=pids if pids > 0 else None)


def leaves_cpu_period(resources: JsonObject) -> bool:
    """Whether an update sets a quota alone: the period that is there stays (tried on 20.10 and 28.5)."""
    return number(resources, "CpuQuota") > 0 and not number(resources, "CpuPeriod")


def memory_amount(values: JsonObject) -> int | None:
    """Bytes that `Memory` and `MemorySwap` come to.

    Swap counts where there is more of it than the engine gives by itself, which is as much as memory.

    `MemorySwap` is memory and swap together; -1 is no limit.
    """
    memory, both = number(values, "Memory"), number(values, "MemorySwap")
    if memory < 0 or both < 0 or not (memory or both):
        return None
    return max(memory, both // 2) or None


def _cpus(values: JsonObject) -> int | None:
    """Billionths of a CPU."""
    if (nano := number(values, "NanoCpus")) > 0:
        return nano
    if (quota := number(values, "CpuQuota")) > 0:
        period = number(values, "CpuPeriod")
        return quota * 1_000_000_000 // (period if period > 0 else DEFAULT_CPU_PERIOD)
    return None


# Requirements


_NOT_READ_ONLY: Final = Ask("require", "read-only", "HostConfig.ReadonlyRootfs")
_NEW_PRIVILEGES: Final = Ask("require", "no-new-privileges", "HostConfig.SecurityOpt")
_KEEPS_CAPABILITIES: Final = Ask("require", "cap-drop-all", "HostConfig.CapDrop")


def inspect_requirements(found: Findings, host: JsonObject, user: str) -> None:
    """An ask for each hardening that a create does not have."""
    if host.get("ReadonlyRootfs") is not True:
        found.note(_NOT_READ_ONLY)
    if not no_new_privileges(host.get("SecurityOpt")):
        found.note(_NEW_PRIVILEGES)
    if host.get("Privileged") is True or not drops_all(host.get("CapDrop")):
        found.note(_KEEPS_CAPABILITIES)
    require_non_root(found, user, "User")


def drops_all(drop: Json) -> bool:
    """Whether every capability is dropped."""
    return isinstance(drop, list) and any(isinstance(each, str) and each.upper() == "ALL" for each in drop)


_UID: Final = re.compile(r"([0-9]+)(?::.*)?", re.DOTALL)


def require_non_root(found: Findings, user: str, where: str) -> None:
    """An ask where the user is not a number other than 0: a name proves nothing, and `00` is root to Go's Atoi."""
    match = _UID.fullmatch(user)
    if match is None or int(match[1][:20]) == 0:
        found.ask("require", "non-root", where)
