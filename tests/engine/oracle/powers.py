"""What an object on the engine can do, read from the engine's own inspect; and which asks would have said so.

Written from the meaning of Docker's fields and from what a plain container has, never from the inspectors: where the
two agree they do so for two reasons. Every field of an inspect is either read here or said to be harmless; one that is
neither is a finding too.
"""

from __future__ import annotations

import ipaddress
import posixpath
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sockproxy.model import Ask
from tests.engine.oracle.scene import Scene

Fact: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Power:
    """One thing that an object can do."""

    field: str
    """Where an inspect shows it: ``HostConfig.Binds``."""
    kind: str
    shown: str
    covered: Callable[[Ask], bool]
    """Whether an ask of that kind says it, or more."""

    def __str__(self) -> str:
        return f"{self.field}: {self.kind}: {self.shown}"

    def asked(self, asks: Iterable[Ask]) -> bool:
        return any(ask.kind == self.kind and self.covered(ask) for ask in asks)


def exactly(field: str, kind: str, *values: str) -> Power:
    """A power whose ask has one of these values."""
    return Power(field, kind, values[0], lambda ask: ask.value in values)


def by(field: str, kind: str, shown: str, test: Callable[[Ask], bool]) -> Power:
    return Power(field, kind, shown, test)


def _clean(path: str) -> str:
    """A path as the kernel walks it, but for links."""
    return "/" + posixpath.normpath(path).lstrip("/")


def image_power(field: str, scene: Scene, identity: str) -> Power:
    """An image, under any of the names that mean it; none at all has no id."""

    def test(ask: Ask) -> bool:
        if ask.value == "(none)":
            return not identity
        return any(scene.image_id(name) == identity for name in (ask.value, *ask.aliases))

    return Power(field, "image", identity, test)


def as_bind(field: str, path: str, *, writable: bool, shared: bool, below: bool) -> Power:
    """A host path that the engine has not cleaned."""
    return _bind(field, _clean(path) if path.startswith("/") else path, writable=writable, shared=shared, below=below)


def _bind(field: str, path: str, *, writable: bool, shared: bool, below: bool = False) -> Power:
    """``below``: what is mounted below it can be written to, although it is read-only itself."""
    shown = path + ("" if writable else " ro nonrecursive" if below else " ro") + (" shared" if shared else "")

    def test(ask: Ask) -> bool:
        weaker = ask.read_only and (writable or (below and not ask.nonrecursive))
        return ask.value == path and not weaker and (ask.shared or not shared)

    return Power(field, "bind", shown, test)


# Containers

GIVEN = frozenset({"privileged", "bind", "volume-driver", "device", "gpu", "capability", "security-opt", "namespace"})
"""Kinds of what a container was given that whoever enters it has."""

DEFAULT_SHM = 64 << 20
PLAIN_RUNTIMES = ("", "runc", "io.containerd.runc.v2")
DEFAULT_LOGS = ("", "json-file", "local", "journald", "none")
PLAIN_LOG_OPTIONS = frozenset({"max-size", "max-file", "compress", "tag", "labels", "env", "mode", "max-buffer-size"})

MASKED = frozenset(
    f"/proc/{name}"
    for name in ("asound", "acpi", "kcore", "keys", "timer_list", "sched_debug", "scsi", "latency_stats")
) | {"/proc/timer_stats", "/sys/firmware"}
READ_ONLY = frozenset(f"/proc/{name}" for name in ("bus", "fs", "irq", "sys", "sysrq-trigger"))

MOUNTING_WORDS = frozenset({"bind", "rbind", "shared", "rshared", "remount"})
"""Words of a tmpfs that make something else of it."""


def container(fact: Fact, scene: Scene, sent: Sent) -> list[Power]:
    """The powers of a container; ``sent`` says what no inspect can tell of a request."""
    reader = _Container(fact, scene)
    return [*reader.own(), *reader.made(sent), *reader.lacks()]


@dataclass(frozen=True)
class Sent:
    """What an answer depends on beside the object."""

    named: bool
    """Whether the request chose the name."""


class _Container:
    def __init__(self, fact: Fact, scene: Scene) -> None:
        self._fact = fact
        self._scene = scene
        self._host: Fact = fact["HostConfig"]
        self._config: Fact = fact["Config"]

    def own(self) -> Iterator[Power]:
        """What it has, by whatever road."""
        for name, value in self._host.items():
            if value in (None, "", 0, False, {}) or (value == [] and name not in ("MaskedPaths", "ReadonlyPaths")):
                continue
            reader = _HOST_CONFIG.get(name)
            if reader is not None:
                yield from reader(self, value)
        yield from self._mounts()
        yield from self._networks()
        if address := self._config.get("MacAddress"):
            yield exactly("MacAddress", "address", f"mac={address}")

    def made(self, sent: Sent) -> Iterator[Power]:
        """What making it says: whose it is to be, out of what, with which labels and limits."""
        labels = set((self._config.get("Labels") or {}).items())
        name = self._fact["Name"].lstrip("/") if sent.named else "(unnamed)"
        yield by("Name", "container", name, lambda ask: ask.value == name and set(ask.labels) == labels)
        for key, value in labels:
            yield exactly("Labels", "label", f"{key}={value}")
        yield image_power("Image", self._scene, self._fact["Image"])
        yield from self._limits()

    def lacks(self) -> Iterator[Power]:
        """A hardening that is not there is power as well."""
        options = [str(each) for each in self._host.get("SecurityOpt") or ()]
        if not self._host.get("ReadonlyRootfs"):
            yield exactly("ReadonlyRootfs", "require", "read-only")
        if not any(_switch(each) == ("no-new-privileges", True) for each in options):
            yield exactly("SecurityOpt", "require", "no-new-privileges")
        if self._host.get("Privileged") or "ALL" not in [str(each).upper() for each in self._host.get("CapDrop") or ()]:
            yield exactly("CapDrop", "require", "cap-drop-all")
        if is_root(str(self._config.get("User") or "")):
            yield exactly("User", "require", "non-root")

    # HostConfig

    def _privileged(self, value: Any) -> Iterator[Power]:
        yield exactly("HostConfig.Privileged", "privileged", "container")

    def _network_mode(self, value: str) -> Iterator[Power]:
        if value == "host":
            yield exactly("HostConfig.NetworkMode", "namespace", "network=host")
        elif value.startswith("container:"):
            yield from self._joined("HostConfig.NetworkMode", "network", value)
        elif value not in ("none", "default", "bridge"):
            yield from self._network("HostConfig.NetworkMode", value)

    def _mode(self, field: str, word: str, plain: tuple[str, ...] = ()) -> Callable[[str], Iterator[Power]]:
        def read(value: str) -> Iterator[Power]:
            if value.startswith("container:"):
                yield from self._joined(field, word, value)
            elif value not in plain:
                yield exactly(field, "namespace", f"{word}={value}")

        return read

    def _joined(self, field: str, word: str, mode: str) -> Iterator[Power]:
        other = self._scene.container(mode.partition(":")[2])
        if other is None:
            yield by(field, "namespace", f"{word}={mode}", lambda ask: ask.value.startswith(f"{word}=container:"))
            return
        name = other["Name"].lstrip("/")
        yield exactly(field, "namespace", f"{word}=container:{name}")
        yield from self._other(field, other)

    def _other(self, field: str, other: Fact) -> Iterator[Power]:
        """Another container that is entered: whose, and what it was given."""
        yield _someone(field, other, self._scene)
        yield from given(other, self._scene, field)

    def _cap_add(self, value: list[str]) -> Iterator[Power]:
        for each in value:
            name = each.upper()
            yield exactly("HostConfig.CapAdd", "capability", name.removeprefix("CAP_"))

    def _devices(self, value: list[Fact]) -> Iterator[Power]:
        for each in value:
            rights = each["CgroupPermissions"] or "rwm"
            yield exactly("HostConfig.Devices", "device", f"{_clean(each['PathOnHost'])} {rights}")

    def _device_requests(self, value: list[Fact]) -> Iterator[Power]:
        for each in value:
            for identity in each["DeviceIDs"] or ():
                yield by("HostConfig.DeviceRequests", "gpu", identity, _ends(identity))
            if each["Count"] < 0:
                yield by("HostConfig.DeviceRequests", "gpu", "all", _ends("all"))
            elif each["Count"] or not each["DeviceIDs"]:
                yield by("HostConfig.DeviceRequests", "gpu", str(each["Count"]), _ends(str(each["Count"])))

    def _security_opt(self, value: list[str]) -> Iterator[Power]:
        # The engine itself takes labels off a container that shares processes or IPC.
        shares = any(
            str(self._host.get(key) or "").partition(":")[0] in ("host", "container") for key in ("PidMode", "IpcMode")
        )
        for each in value:
            key, _, word = each.partition("=" if "=" in each else ":")
            switch = _switch(each)
            if switch is not None:
                if switch == ("no-new-privileges", False):
                    yield exactly("HostConfig.SecurityOpt", "security-opt", "no-new-privileges=false")
                if switch == ("writable-cgroups", True):
                    yield exactly("HostConfig.SecurityOpt", "security-opt", "writable-cgroups")
            elif key == "seccomp" and word not in ("builtin", "unconfined"):
                yield exactly("HostConfig.SecurityOpt", "security-opt", "seccomp=profile")
            elif each == "disable" or (key == "label" and word == "disable"):
                if not (shares or self._host.get("Privileged")):
                    yield exactly("HostConfig.SecurityOpt", "security-opt", "label=disable")
            elif each not in (
                "seccomp=builtin",
                "seccomp:builtin",
                "apparmor=docker-default",
                "apparmor:docker-default",
            ):
                yield exactly("HostConfig.SecurityOpt", "security-opt", f"{key}={word}")

    def _unmasked(self, name: str, plain: frozenset[str]) -> Callable[[list[str]], Iterator[Power]]:
        def read(value: list[str]) -> Iterator[Power]:
            if not (plain <= set(value) or self._host.get("Privileged")):
                yield exactly(f"HostConfig.{name}", "security-opt", "systempaths=unconfined")

        return read

    def _log_config(self, value: Fact) -> Iterator[Power]:
        driver = value["Type"]
        if driver not in DEFAULT_LOGS:
            yield exactly("HostConfig.LogConfig", "log-driver", driver)
        for key, each in (value["Config"] or {}).items():
            if key not in PLAIN_LOG_OPTIONS:
                yield exactly("HostConfig.LogConfig", "log-driver", f"{driver} {key}={each}", f"default {key}={each}")

    def _restart(self, value: Fact) -> Iterator[Power]:
        if value["Name"] not in ("", "no"):
            yield exactly("HostConfig.RestartPolicy", "restart", value["Name"])

    def _ports(self, value: Fact) -> Iterator[Power]:
        for port, bindings in value.items():
            protocol = (port.partition("/")[2] or "tcp").lower()
            for each in bindings or [{}]:
                shown = f"{_host_ip(each.get('HostIp', ''))}:{_host_port(each.get('HostPort', ''))}/{protocol}"
                yield exactly("HostConfig.PortBindings", "publish", shown)

    def _publish_all(self, value: Any) -> Iterator[Power]:
        yield by("HostConfig.PublishAllPorts", "publish", "random", lambda ask: ask.value.startswith("0.0.0.0:random"))

    def _links(self, field: str) -> Callable[[list[str]], Iterator[Power]]:
        def read(value: list[str]) -> Iterator[Power]:
            for each in value:
                reference = each.partition(":")[0].lstrip("/")
                yield by(field, "link", reference, lambda _: True)
                if (other := self._scene.container(reference)) is not None:
                    yield _someone(field, other, self._scene)

        return read

    def _volumes_from(self, value: list[str]) -> Iterator[Power]:
        for each in value:
            other = self._scene.container(each.partition(":")[0])
            yield exactly("HostConfig.VolumesFrom", "volumes-from", other["Name"].lstrip("/"))
            yield from self._other("HostConfig.VolumesFrom", other)

    def _oom_score(self, value: int) -> Iterator[Power]:
        if value < 0:
            yield exactly("HostConfig.OomScoreAdj", "resource", f"oom-score={value}")

    def _block(self, field: str) -> Callable[[list[Fact]], Iterator[Power]]:
        def read(value: list[Fact]) -> Iterator[Power]:
            for each in value:
                yield exactly(field, "resource", f"blkio={each['Path']}")

        return read

    def _realtime(self, field: str) -> Callable[[int], Iterator[Power]]:
        return lambda value: iter([exactly(field, "resource", "cpu-realtime")])

    def _volume_driver(self, value: str) -> Iterator[Power]:
        if value != "local":
            yield exactly("HostConfig.VolumeDriver", "volume-driver", value)

    def _tmpfs(self, value: Fact) -> Iterator[Power]:
        for options in value.values():
            for word in MOUNTING_WORDS & set(options.split(",")):
                yield exactly("HostConfig.Tmpfs", "field", f"HostConfig.Tmpfs={word}")

    # Mounts, networks, limits

    def _mounts(self) -> Iterator[Power]:
        """What is mounted, however it got there: the engine's list of it."""
        nonrecursive = {
            _clean(each["Target"])
            for each in self._host.get("Mounts") or ()
            if (each.get("BindOptions") or {}).get("ReadOnlyNonRecursive")
            and not each["BindOptions"].get("NonRecursive")
        }
        for mount in self._fact["Mounts"] or ():
            writable, shared = mount["RW"], mount["Propagation"] in ("shared", "rshared")
            match mount["Type"]:
                case "bind":
                    below = mount["Destination"] in nonrecursive
                    yield _bind("Mounts.bind", _clean(mount["Source"]), writable=writable, shared=shared, below=below)
                case "volume":
                    yield from self._volume(mount, writable=writable)
                case "image":
                    yield image_power("Mounts.image", self._scene, self._scene.image_id(mount["Name"]) or "")

    def _volume(self, mount: Fact, *, writable: bool) -> Iterator[Power]:
        # Newer engines leave the name of an anonymous volume out; it is in the path all the same.
        name = mount.get("Name") or mount["Source"].split("/")[-2]
        fact = self._scene.volume(name)
        if _is_anonymous(name):
            # One with options asks for them; one of another container is named by its digits.
            yield by("Mounts.volume", "volume", "(anonymous)", lambda ask: ask.value in ("(anonymous)", name))
        else:
            labels = set((fact["Labels"] or {}).items())
            yield by(
                "Mounts.volume",
                "volume",
                name + ("" if writable else " ro"),
                lambda ask: ask.value == name and not (writable and ask.read_only) and set(ask.labels) == labels,
            )
        if fact is not None:
            yield from volume_options("Mounts.volume", fact, writable=writable)

    def _networks(self) -> Iterator[Power]:
        mode = self._host["NetworkMode"]
        for name, endpoint in (self._fact["NetworkSettings"]["Networks"] or {}).items():
            field = "NetworkingConfig.EndpointsConfig"
            if not mode.startswith("container:"):
                yield from self._network(field, name)
            if not endpoint:
                continue
            if (other := endpoint.get("NetworkID")) and self._scene.network(other):
                yield from self._network(f"{field}.NetworkID", other)
            for key in ("IPv4Address", "IPv6Address"):
                if address := (endpoint["IPAMConfig"] or {}).get(key):
                    yield exactly(f"{field}.IPAMConfig", "address", f"ip={address}")
            for address in (endpoint["IPAMConfig"] or {}).get("LinkLocalIPs") or ():
                yield exactly(f"{field}.IPAMConfig", "address", f"ip={address}")
            if address := endpoint["MacAddress"]:
                yield exactly(f"{field}.MacAddress", "address", f"mac={address}")
            for key, value in (endpoint["DriverOpts"] or {}).items():
                yield exactly(f"{field}.DriverOpts", "address", f"option {key}={value}")
            yield from self._links(f"{field}.Links")(endpoint["Links"] or [])

    def _network(self, field: str, reference: str) -> Iterator[Power]:
        if reference == "none":
            return
        name = "bridge" if reference in ("default", "") else reference
        fact = self._scene.network(name)
        if name == "host" or (fact is not None and fact["Driver"] == "host"):
            yield exactly(field, "namespace", "network=host")
            return
        if fact is None:
            yield exactly(field, "network", name)
            return
        labels = set((fact["Labels"] or {}).items())

        def test(ask: Ask) -> bool:
            # Without a rule that holds networks nobody asks the engine whose it is.
            return ask.value == fact["Name"] and set(ask.labels) in (labels, set())

        yield by(field, "network", fact["Name"], test)

    def _limits(self) -> Iterator[Power]:
        host = self._host
        memory, swap = host.get("Memory") or 0, host.get("MemorySwap") or 0
        unlimited = memory <= 0 or swap < 0
        # By itself the engine gives as much swap again, so a limit stands for twice as much in all.
        yield limit("HostConfig.Memory", "memory", None if unlimited else max(memory, swap // 2))
        nano, quota, period = (host.get(key) or 0 for key in ("NanoCpus", "CpuQuota", "CpuPeriod"))
        cpus = nano or (quota * 10**9 // (period or 100_000) if quota > 0 else 0)
        yield limit("HostConfig.NanoCpus", "cpus", cpus or None)
        pids = host.get("PidsLimit") or 0
        yield limit("HostConfig.PidsLimit", "pids", pids if pids > 0 else None)
        if host["ShmSize"] not in (0, DEFAULT_SHM):
            yield limit("HostConfig.ShmSize", "shm", host["ShmSize"])


def limit(field: str, word: str, amount: int | None) -> Power:
    """A limit is asked for with as much as there is, or more; what has none is asked for with no amount."""
    return Power(
        field,
        "limit",
        f"{word} {amount}",
        lambda ask: ask.value == word and (ask.amount is None or (amount is not None and ask.amount >= amount)),
    )


def _someone(field: str, other: Fact, scene: Scene) -> Power:
    """Another container. A policy that holds none has it named as it was, and without its labels."""
    name = other["Name"].lstrip("/")
    labels = set((other["Config"]["Labels"] or {}).items())

    def test(ask: Ask) -> bool:
        if ask.labels:
            return ask.value == name and set(ask.labels) == labels
        meant = scene.container(ask.value)
        return meant is not None and meant["Id"] == other["Id"]

    return Power(field, "container", name, test)


def given(fact: Fact, scene: Scene, field: str) -> Iterator[Power]:
    """What whoever enters this container has by that."""
    kinds = GIVEN - {"capability", "security-opt"} if fact["HostConfig"]["Privileged"] else GIVEN
    for power in _Container(fact, scene).own():
        if power.kind not in kinds or (power.kind == "namespace" and power.shown.startswith("cgroup=")):
            continue
        yield Power(f"entering by {field}", power.kind, power.shown, power.covered)


def _ends(word: str) -> Callable[[Ask], bool]:
    return lambda ask: ask.value == word or ask.value.endswith((f" {word}", f"={word}"))


def _switch(option: str) -> tuple[str, bool] | None:
    key, _, value = option.partition("=" if "=" in option else ":")
    if key not in ("no-new-privileges", "writable-cgroups"):
        return None
    return key, value.lower() in ("", "1", "t", "true")


def is_root(user: str) -> bool:
    """Whether that may be root: a name may be anybody's."""
    uid = user.partition(":")[0]
    return not (uid.isascii() and uid.isdigit() and int(uid) != 0)


def _host_ip(text: str) -> str:
    try:
        address = ipaddress.ip_address(text or "0.0.0.0")
    except ValueError:
        return "0.0.0.0"  # engines take what they cannot read for every address
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped) if address.ipv4_mapped else f"[{address}]"
    return str(address)


def _host_port(text: str) -> str:
    first, _, last = text.partition("-")
    ends = int(first or 0), int(last or first or 0)
    return f"{ends[0]}-{ends[1]}" if ends[0] != ends[1] else str(ends[0] or "random")


def _is_anonymous(name: str) -> bool:
    return len(name) == 64 and all(char in "0123456789abcdef" for char in name)


def _each(field: str, kind: str) -> Callable[[_Container, list[str]], Iterator[Power]]:
    return lambda _, value: iter([exactly(f"HostConfig.{field}", kind, each) for each in value])


def _items(field: str, kind: str) -> Callable[[_Container, Fact], Iterator[Power]]:
    return lambda _, value: iter([exactly(f"HostConfig.{field}", kind, f"{key}={each}") for key, each in value.items()])


_BLOCK = (
    "BlkioWeightDevice",
    "BlkioDeviceReadBps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteIOps",
)

_HOST_CONFIG: Mapping[str, Callable[[_Container, Any], Iterator[Power]]] = {
    "Privileged": _Container._privileged,
    "NetworkMode": _Container._network_mode,
    "PidMode": lambda self, value: self._mode("HostConfig.PidMode", "pid")(value),
    "IpcMode": lambda self, value: self._mode("HostConfig.IpcMode", "ipc", ("private", "shareable", "none"))(value),
    "UTSMode": lambda self, value: self._mode("HostConfig.UTSMode", "uts")(value),
    "UsernsMode": lambda self, value: self._mode("HostConfig.UsernsMode", "userns")(value),
    "Cgroup": lambda self, value: self._mode("HostConfig.Cgroup", "cgroup")(value),
    "CapAdd": _Container._cap_add,
    "Devices": _Container._devices,
    "DeviceCgroupRules": _each("DeviceCgroupRules", "device"),
    "DeviceRequests": _Container._device_requests,
    "SecurityOpt": _Container._security_opt,
    "MaskedPaths": lambda self, value: self._unmasked("MaskedPaths", MASKED)(value),
    "ReadonlyPaths": lambda self, value: self._unmasked("ReadonlyPaths", READ_ONLY)(value),
    "Sysctls": _items("Sysctls", "sysctl"),
    "Annotations": _items("Annotations", "annotation"),
    "StorageOpt": _items("StorageOpt", "storage-opt"),
    "GroupAdd": _each("GroupAdd", "group"),
    "ExtraHosts": _each("ExtraHosts", "extra-host"),
    "Dns": _each("Dns", "dns"),
    "CgroupParent": lambda _, value: iter([exactly("HostConfig.CgroupParent", "cgroup-parent", value)]),
    "Runtime": lambda _, value: iter(
        [] if value in PLAIN_RUNTIMES else [exactly("HostConfig.Runtime", "runtime", value)]
    ),
    "LogConfig": _Container._log_config,
    "RestartPolicy": _Container._restart,
    "PortBindings": _Container._ports,
    "PublishAllPorts": _Container._publish_all,
    "Links": lambda self, value: self._links("HostConfig.Links")(value),
    "VolumesFrom": _Container._volumes_from,
    "VolumeDriver": _Container._volume_driver,
    "Tmpfs": _Container._tmpfs,
    "OomScoreAdj": _Container._oom_score,
    "OomKillDisable": lambda _, value: iter([exactly("HostConfig.OomKillDisable", "resource", "oom-kill-disable")]),
    "CpuRealtimePeriod": lambda self, value: self._realtime("HostConfig.CpuRealtimePeriod")(value),
    "CpuRealtimeRuntime": lambda self, value: self._realtime("HostConfig.CpuRealtimeRuntime")(value),
    **{
        name: (lambda self, value, name=name: self._block(f"HostConfig.{name}")(value))  # type: ignore[misc]
        for name in _BLOCK
    },
}

_HARMLESS = frozenset(
    {
        # Read as a whole elsewhere: what is mounted, limits, hardenings.
        *("Binds", "Mounts", "Memory", "MemorySwap", "NanoCpus", "CpuQuota", "CpuPeriod", "PidsLimit", "ShmSize"),
        *("CapDrop", "ReadonlyRootfs"),
        # With cgroups of version 1 the engine gives the host's to everyone.
        "CgroupnsMode",
        *("ContainerIDFile", "AutoRemove", "ConsoleSize", "Init", "Isolation", "DnsOptions", "DnsSearch", "Ulimits"),
        *("CpuShares", "CpusetCpus", "CpusetMems", "BlkioWeight", "MemoryReservation", "MemorySwappiness"),
        *("KernelMemory", "KernelMemoryTCP", "CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"),
    }
)
_CONFIG = frozenset(
    {
        *("Hostname", "Domainname", "User", "AttachStdin", "AttachStdout", "AttachStderr", "ExposedPorts", "Tty"),
        *("OpenStdin", "StdinOnce", "Env", "Cmd", "Healthcheck", "ArgsEscaped", "Image", "Volumes", "WorkingDir"),
        *("Entrypoint", "NetworkDisabled", "MacAddress", "OnBuild", "Labels", "StopSignal", "StopTimeout", "Shell"),
    }
)


def strangers(fact: Fact) -> list[str]:
    """Fields of a container's inspect that nobody has looked at: neither read here nor harmless."""
    host = set(fact["HostConfig"]) - set(_HOST_CONFIG) - _HARMLESS
    return sorted(f"HostConfig.{name}" for name in host) + sorted(set(fact["Config"]) - _CONFIG)


# Volumes, networks, execs


def volume_options(field: str, fact: Fact, *, writable: bool = True) -> Iterator[Power]:
    """What a volume's driver and its options make of it."""
    driver, options = fact["Driver"], fact["Options"] or {}
    if driver != "local":
        yield exactly(field, "volume-driver", driver)
    flags = options.get("o", "").split(",")
    if driver == "local" and options.get("type", "") in ("", "none", "bind") and _looks_bound(flags):
        return  # mount(2) knows no such file system: it is never mounted
    bound = driver == "local" and bool({"bind", "rbind"} & set(flags))
    if bound:
        # Go reads the flags in their order, and the last word counts.
        access = [flag for flag in flags if flag in ("ro", "rw")]
        read_only = not writable or access[-1:] == ["ro"]
        path = options.get("device", "")
        path = _clean(path) if path.startswith("/") else path
        yield _bind(field, path, writable=not read_only, shared=bool({"shared", "rshared"} & set(flags)))
    for key, value in options.items():
        plain = bound and (key in ("o", "device") or (key == "type" and value in ("", "none", "bind")))
        if not plain:
            yield exactly(field, "volume-driver", f"{driver} {key}={value}")


def _looks_bound(flags: list[str]) -> bool:
    """Whether a flag is not `bind`, but would be if it were trimmed and in lower case."""
    binds = {"bind", "rbind"}
    return binds.isdisjoint(flags) and not binds.isdisjoint(flag.strip().lower() for flag in flags)


def volume(fact: Fact, scene: Scene, sent: Sent) -> list[Power]:
    """The powers of a volume."""
    labels = {(key, value) for key, value in (fact["Labels"] or {}).items() if key != "com.docker.volume.anonymous"}
    name = fact["Name"] if sent.named else "(anonymous)"
    if fact["Name"] in scene.volumes:
        # It was there before and is given back as it was, whatever was sent.
        return [exactly("volume.Name", "volume", name)]
    return [
        by("volume.Name", "volume", name, lambda ask: ask.value == name and set(ask.labels) == labels),
        *volume_options("volume.DriverOpts", fact),
    ]


def network(fact: Fact, scene: Scene, sent: Sent) -> list[Power]:
    """The powers of a network."""
    labels = set((fact["Labels"] or {}).items())
    # A template shows the driver `null` where it has none.
    driver = "bridge" if fact["ConfigOnly"] and fact["Driver"] == "null" else fact["Driver"]
    template = fact["ConfigFrom"]["Network"]

    def test(ask: Ask) -> bool:
        # Made from a template it has the template's labels, whatever was sent.
        return ask.value == fact["Name"] and (bool(template) or set(ask.labels) == labels)

    powers = [by("network.Name", "network", fact["Name"], test)]
    if driver != "bridge":
        powers.append(exactly("network.Driver", "network-driver", driver))
    if template:
        # The rest is the template's.
        return [*powers, exactly("network.ConfigFrom", "network-driver", f"config-from={template}")]
    # Newer engines note these two among the options, from fields of their own.
    for key, value in (fact["Options"] or {}).items():
        if key not in ("com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6"):
            powers.append(exactly("network.Options", "network-driver", f"{driver} {key}={value}"))
    if fact["Scope"] not in ("local", ""):
        powers.append(exactly("network.Scope", "network-driver", f"scope={fact['Scope']}"))
    if fact["Ingress"]:
        powers.append(exactly("network.Ingress", "network-driver", "ingress"))
    return [*powers, *_ipam(fact["IPAM"])]


def _ipam(ipam: Fact) -> Iterator[Power]:
    driver = ipam["Driver"]
    if driver not in ("", "default"):
        yield exactly("network.IPAM", "network-driver", f"ipam={driver}")
    for key, value in (ipam["Options"] or {}).items():
        yield exactly("network.IPAM", "network-driver", f"ipam={driver or 'default'} {key}={value}")
    for pool in ipam["Config"] or ():
        if not pool.get("Subnet", "").startswith(("10.", "fd00:")):
            continue  # out of the engine's own pools: nobody chose it
        yield exactly("network.IPAM", "address", f"subnet={pool['Subnet']}")
        if wanted := pool.get("IPRange"):
            yield exactly("network.IPAM", "address", f"subnet={wanted}")
        # The engine takes the first address for itself where none is given.
        if (wanted := pool.get("Gateway")) and not wanted.endswith((".1", ":1")):
            yield exactly("network.IPAM", "address", f"ip={wanted}")
        for wanted in (pool.get("AuxiliaryAddresses") or {}).values():
            yield exactly("network.IPAM", "address", f"ip={wanted}")


def exec_(fact: Fact, scene: Scene, sent: Sent) -> list[Power]:
    """The powers of an exec, and with them those of the container that it enters."""
    process = fact["ProcessConfig"]
    command = [process["entrypoint"], *process["arguments"]]
    entered = scene.container(fact["ContainerID"])
    powers = [
        by("exec.Cmd", "exec", shlex.join(command), lambda ask: shlex.split(ask.value) == command),
        _someone("exec.ContainerID", entered, scene),
        *given(entered, scene, "exec"),
    ]
    if process["privileged"]:
        powers.append(exactly("exec.Privileged", "privileged", "exec"))
    if is_root(process.get("user") or entered["Config"]["User"]):
        powers.append(exactly("exec.User", "require", "non-root"))
    return powers


FIELDS = frozenset(
    {
        *(f"HostConfig.{name}" for name in _HOST_CONFIG),
        *("HostConfig.Memory", "HostConfig.NanoCpus", "HostConfig.PidsLimit", "HostConfig.ShmSize"),
        *("Mounts.bind", "Mounts.volume", "Mounts.image", "MacAddress", "Name", "Labels", "Image"),
        *("ReadonlyRootfs", "SecurityOpt", "CapDrop", "User"),
        "NetworkingConfig.EndpointsConfig",
        *(
            f"NetworkingConfig.EndpointsConfig.{name}"
            for name in ("NetworkID", "IPAMConfig", "MacAddress", "DriverOpts", "Links")
        ),
        *("volume.Name", "volume.DriverOpts"),
        *("network.Name", "network.Driver", "network.ConfigFrom", "network.Options", "network.IPAM"),
        *("exec.Cmd", "exec.ContainerID", "exec.Privileged", "exec.User"),
        *(
            f"entering by {road}"
            for road in ("exec", "HostConfig.VolumesFrom", "HostConfig.PidMode", "HostConfig.IpcMode")
        ),
        "entering by HostConfig.NetworkMode",
    }
)
"""Every place that a power is read from. A run that does not meet each has not looked at everything."""


def unreachable(api: tuple[int, int]) -> frozenset[str]:
    """Those of `FIELDS` that an engine of that age need not show of anything, so that a run may not meet them."""
    # overlay2 takes storage options on XFS alone; newer kernels have no weights; these drivers want a kernel of their own.
    never = {"HostConfig.StorageOpt", "HostConfig.BlkioWeightDevice", "network.Driver"}
    if api < (1, 43):
        # No annotations, no mounts of images, and no runtime that was not configured.
        never |= {"HostConfig.Annotations", "Mounts.image", "HostConfig.Runtime"}
    return frozenset(never)
