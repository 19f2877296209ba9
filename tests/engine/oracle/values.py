"""What stands in each field: mostly what the engine takes, in every spelling that it takes; now and then what it won't."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeAlias

from sockproxy.docker.fields.schema import Bool, Int, List, Map, Schema, Str, Struct, Words
from tests.engine.disposable import IMAGE
from tests.engine.oracle.scene import MADE, NAME, Scene

Maker: TypeAlias = Callable[[Random, Scene], Any]


def one(*values: Any) -> Maker:
    return lambda rng, scene: rng.choice(values)


def some(maker: Maker, most: int = 3) -> Maker:
    return lambda rng, scene: [maker(rng, scene) for _ in range(rng.randint(1, most))]


def _mapped(keys: Maker, values: Maker, most: int = 3) -> Maker:
    return lambda rng, scene: {keys(rng, scene): values(rng, scene) for _ in range(rng.randint(1, most))}


def pairs(*pairs: tuple[str, str], most: int = 3) -> Maker:
    return lambda rng, scene: dict(rng.sample(pairs, rng.randint(1, min(most, len(pairs)))))


def parts(fields: Mapping[str, Maker], always: tuple[str, ...] = (), chance: float = 0.5) -> Maker:
    """An object with some of these fields."""

    def make(rng: Random, scene: Scene) -> dict[str, Any]:
        return {name: maker(rng, scene) for name, maker in fields.items() if name in always or rng.random() < chance}

    return make


# References


def container(rng: Random, scene: Scene) -> str:
    """A container of the scene, by one of the references that Docker takes."""
    name, identity = rng.choice(sorted(scene.containers.items()))
    if rng.random() < 0.03:
        return f"{name}-none"
    return rng.choice([name, name, f"/{name}", identity, identity[:12], identity[:20]])


def running(rng: Random, scene: Scene) -> str:
    name = rng.choice(["plain", "bound", "near", "strong"])
    identity = scene.containers[f"{NAME}-{name}"]
    return rng.choice([f"{NAME}-{name}", identity, identity[:12], identity[:9]])


def network(rng: Random, scene: Scene) -> str:
    """A network, by name or by id; or one that is not there."""
    name = rng.choice([f"{NAME}-net", f"{NAME}-net", "bridge", "host", "none", f"{NAME}-conf"])
    identity = scene.networks[name]
    # By id the engine finds none of its own but `bridge`, and says so only when the container starts.
    return rng.choice([name, name, identity, identity[:12], identity[:5], f"{NAME}-absent"])


def _network_mode(rng: Random, scene: Scene) -> str:
    if rng.random() < 0.2:
        return f"container:{container(rng, scene)}"
    return rng.choice(["host", "none", "bridge", "default", "", network(rng, scene), network(rng, scene)])


def image(rng: Random, scene: Scene) -> str:
    digits = scene.image.removeprefix("sha256:")
    names = [
        IMAGE,
        f"docker.io/library/{IMAGE}",
        f"library/{IMAGE}",
        f"index.docker.io/library/{IMAGE}",
        f"docker.io/{IMAGE}",
    ]
    return rng.choice([*names, scene.image, digits, digits[:12], digits[:7]])


def volume(rng: Random, scene: Scene) -> str:
    """A volume of the scene, or a new one."""
    return rng.choice([*scene.volumes, f"{MADE}-{rng.randint(0, 3)}", f"{MADE}.new"])


_PATHS = (
    *("/etc", "/srv", "/", "//etc", "/a/../etc", "/etc/", "/./srv/.", "/srv//x/../", "/var/run/../spool", "/../etc"),
    *("/srv/ ", "/SRV", "/srv/ſ", "/proc/1/root", "/dev", "/etc/."),
)


def _path(rng: Random, scene: Scene) -> str:
    return rng.choice(_PATHS)


def _target(rng: Random, scene: Scene) -> str:
    return (
        rng.choice(["/h", "/t", "/m", "/data"])
        + str(rng.randint(0, 99))
        + rng.choice(["", "", "", "/", "/../x", "//y"])
    )


_MODE_WORDS = (
    ["ro", "rw"],
    ["z", "Z"],
    ["shared", "rshared", "private", "rprivate", "slave", "rslave"],
    ["consistent", "cached", "delegated"],
)


def _mode(rng: Random, classes: int) -> str:
    words = [
        rng.choice(each)
        for each in rng.sample(_MODE_WORDS[:classes] if classes < 4 else _MODE_WORDS, rng.randint(1, 2))
    ]
    rng.shuffle(words)
    return ",".join(words)


def bind(rng: Random, scene: Scene) -> str:
    """One of `Binds`."""
    target = _target(rng, scene)
    match rng.randrange(20):
        case 0:
            return target
        case 1:
            return rng.choice(
                [
                    f"relative/dir:{target}",
                    f"./etc:{target}",
                    f"~:{target}",
                    f"/etc:{target}:ro:x",
                    f":{target}",
                    "/etc:",
                    f"/etc:{target}:RO",
                    f"\\etc:{target}",
                    f"/etc:{target}:ro,rw",
                ]
            )
        case 2 | 3 | 4 | 5 | 6:
            mode = rng.choice(["", "", ":ro", ":rw", ":nocopy", ":z", ":ro,Z", ":ro,nocopy"])
            return f"{volume(rng, scene)}:{target}{mode}"
    return f"{_path(rng, scene)}:{target}" + (f":{_mode(rng, 4)}" if rng.random() < 0.6 else "")


_LOCAL_OPTIONS: tuple[dict[str, str], ...] = (
    {},
    {"type": "none", "o": "bind", "device": "/etc"},
    {"type": "", "o": "ro,rbind", "device": "/a/../etc"},
    {"o": "bind", "device": "//srv"},
    {"type": "bind", "o": "bind,rshared", "device": "/srv/"},
    {"type": "none", "o": "bind,ro,nosuid", "device": "/srv/x"},
    {"type": "none", "o": "bind,rw,ro", "device": "/srv/x"},
    {"type": "ext4", "device": "/dev/sda1"},
    {"type": "ext4", "o": "bind", "device": "/srv"},
    {"type": "none", "o": "bind,remount", "device": "/srv"},
    {"type": "none", "o": "rw", "device": "/srv"},
    {"type": "tmpfs", "device": "tmpfs", "o": "size=10m,uid=1000"},
    {"type": "nfs", "device": ":/export", "o": "addr=10.0.0.1,rw"},
    {"type": "nfs", "device": ":/export", "o": "addr=10.0.0.1, bind"},
    {"type": "overlay", "device": "overlay", "o": "lowerdir=/,upperdir=/srv/u,workdir=/srv/w"},
    {"type": "proc", "device": "proc"},
    {"type": "none", "device": "/etc", "o": "BIND"},
    {"type": "none", "device": "/etc", "o": " bind"},
    {"type": "none", "device": "etc", "o": "bind"},
    {"Type": "none", "O": "bind", "Device": "/etc"},
    {"nothing": "x"},
)


def driver_options(rng: Random, scene: Scene) -> dict[str, str]:
    """Options of the `local` volume driver."""
    return dict(rng.choice(_LOCAL_OPTIONS))


def _labels(rng: Random, scene: Scene) -> dict[str, str]:
    return {
        rng.choice(["tier", "app", "a.b", "Tier", ""]) or "x": rng.choice(["", "web", "ſ", "a=b"])
        for _ in range(rng.randint(1, 3))
    }


_VOLUME_OPTIONS = parts(
    {
        "NoCopy": one(True, False),
        "Labels": _labels,
        "Subpath": one("", "sub", "../x"),
        "DriverConfig": parts({"Name": one("local", "", "local"), "Options": driver_options}, ("Options",)),
    },
    chance=0.4,
)
_BIND_OPTIONS = parts(
    {
        "Propagation": one("", "private", "rprivate", "shared", "rshared", "slave", "rslave", "rshared"),
        "NonRecursive": one(True, False),
        "CreateMountpoint": one(True, False),
        "ReadOnlyNonRecursive": one(True, False),
    }
)
_TMPFS_OPTIONS = parts(
    {
        "SizeBytes": one(1 << 20, 0),
        "Mode": one(0o700, 0o1777),
        "Options": one([["exec"]], [["noexec"]], [], [["suid"]]),
    },
    chance=0.4,
)


def mount(rng: Random, scene: Scene) -> dict[str, Any]:
    """One of `Mounts`."""
    images = 3 if scene.api >= (1, 48) else 0.3
    odd = rng.choice(["", "npipe", "cluster", "Bind"])
    kind = rng.choices(["bind", "volume", "tmpfs", "image", odd], [8, 9, 2, images, 0.4])[0]
    made: dict[str, Any] = {"Type": kind, "Target": _target(rng, scene)}
    if rng.random() < 0.5:
        made["ReadOnly"] = rng.choice([True, True, False])
    if rng.random() < 0.1:
        made["Consistency"] = rng.choice(["default", "cached", "delegated"])
    match kind:
        case "bind":
            # Here the path must be there already; a backslash makes it relative, which the engine does not mind.
            there = ["/etc", "/srv", "//etc", "/etc/../srv", "/srv/.", "/", "/dev/null", "/var/spool/", "/../etc"]
            made["Source"] = rng.choice(
                [*there, *there, rng.choice(["\\x/../../../../etc", "etc", "/none/at/all", ""])]
            )
            if rng.random() < 0.5:
                made["BindOptions"] = _BIND_OPTIONS(rng, scene)
        case "volume":
            made["Source"] = rng.choice([volume(rng, scene), volume(rng, scene), volume(rng, scene), ""])
            if rng.random() < 0.6:
                made["VolumeOptions"] = _VOLUME_OPTIONS(rng, scene)
        case "tmpfs":
            if rng.random() < 0.6:
                made["TmpfsOptions"] = _TMPFS_OPTIONS(rng, scene)
        case "image":
            made["Source"] = image(rng, scene)
            if rng.random() < 0.2:
                made["ImageOptions"] = {"Subpath": rng.choice(["", "bin", "../x"])}
    if rng.random() < 0.05:
        made[rng.choice(["VolumeOptions", "BindOptions", "TmpfsOptions"])] = {}
    return made


# HostConfig


def _volumes_from(rng: Random, scene: Scene) -> str:
    return container(rng, scene) + rng.choice(["", "", ":ro", ":rw", ":z"])


def _namespace(*more: str) -> Maker:
    def make(rng: Random, scene: Scene) -> str:
        return rng.choice(["host", "host", f"container:{container(rng, scene)}", *more])

    return make


_CAPABILITIES = ("NET_ADMIN", "SYS_ADMIN", "ALL", "CHOWN", "SYS_PTRACE", "NET_RAW", "SYS_MODULE", "KILL", "BPF")


def _capability(rng: Random, scene: Scene) -> str:
    name = rng.choice(_CAPABILITIES[: 8 if scene.api < (1, 42) else 9])
    spelled = name if name == "ALL" or rng.random() < 0.5 else f"CAP_{name}"
    return rng.choice(
        [
            spelled,
            spelled.lower(),
            spelled.title(),
            spelled.replace("S", "ſ", 1).lower() if rng.random() < 0.3 else spelled,
        ]
    )


_SECURITY = (
    *("seccomp=unconfined", "seccomp:unconfined", "seccomp=builtin", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'),
    *("apparmor=unconfined", "apparmor:unconfined", "apparmor=docker-default", "apparmor=mine"),
    *("label=disable", "label:disable", "disable", "label=type:spc_t", "label:user:USER", "label=level:s0:c100,c200"),
    *(
        "no-new-privileges",
        "no-new-privileges=true",
        "no-new-privileges:false",
        "no-new-privileges=0",
        "no-new-privileges=T",
    ),
)
_NEW_SECURITY = ("writable-cgroups", "writable-cgroups=true", "writable-cgroups=false", "writable-cgroups=1")
_WRONG_SECURITY: tuple[str, ...] = (
    "systempaths=unconfined",
    "seccomp",
    "no-new-privileges=yes",
    "NO-NEW-PRIVILEGES",
    "foo=bar",
    "",
)


def _security_opt(rng: Random, scene: Scene) -> str:
    if rng.random() < 0.04:
        return rng.choice(_WRONG_SECURITY)
    options: list[str] = [*_SECURITY, *(_NEW_SECURITY if scene.api >= (1, 49) else ())]
    return rng.choice(options)


_MASKED = (
    *("/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
    *("/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def _paths(every: tuple[str, ...]) -> Maker:
    return lambda rng, scene: rng.choice([[], [], list(every), list(every[1:]), [*every, "/proc/more"], [every[0]]])


def _device(rng: Random, scene: Scene) -> dict[str, str]:
    made = {"PathOnHost": rng.choice(["/dev/null", "/dev/../dev/zero", "//dev/full", "/dev", "/dev/fuse", "/dev/"])}
    if rng.random() < 0.03:
        made["PathOnHost"] = rng.choice(["", "dev/null", "\\dev"])
    if rng.random() < 0.7:
        made["PathInContainer"] = rng.choice(["/dev/x", "/dev/y", ""])
    if rng.random() < 0.7:
        made["CgroupPermissions"] = rng.choice(["rwm", "r", "rw", "m", ""])
    return made


def _device_request(rng: Random, scene: Scene) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if rng.random() < 0.5:
        made["Driver"] = rng.choice(["nvidia", "cdi", "amd", "", "other"])
    if rng.random() < 0.5:
        made["Count"] = rng.choice([-1, 0, 1, 4, -5])
    if rng.random() < 0.4:
        made["DeviceIDs"] = rng.sample(
            ["0", "1", "GPU-aaaa", "vendor.com/gpu=all", "vendor.com/net=0"], rng.randint(1, 2)
        )
    if rng.random() < 0.6:
        made["Capabilities"] = rng.choice([[["gpu"]], [["gpu", "utility"]], [], [["tpu"]], [["gpu"], ["compute"]]])
    if rng.random() < 0.1:
        made["Options"] = {"visible": "all"}
    return made


_PORTS = ("80/tcp", "80", "081/tcp", "53/udp", "80/TCP", "9/sctp", "443/tcp", "8000/Udp", "5000/")
_ADDRESSES = (
    "",
    "0.0.0.0",
    "127.0.0.1",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "0:0::1",
    "10.0.0.1",
    "127.0.0.01",
    "localhost",
)


def port_binding(rng: Random, scene: Scene) -> Any:
    made: dict[str, str] = {}
    if rng.random() < 0.7:
        made["HostIp"] = rng.choice(_ADDRESSES[: rng.choice([8, 8, 8, 10])])
    if rng.random() < 0.8:
        made["HostPort"] = rng.choice(
            ["8080", "", "0", "08", "8000-8010", "80-80", "65535", "1", rng.choice(["x", "70000", "8080"])]
        )
    return made


def _port_bindings(rng: Random, scene: Scene) -> dict[str, Any]:
    return {
        rng.choice(_PORTS): rng.choice([None, [], [{}], some(port_binding)(rng, scene), some(port_binding)(rng, scene)])
        for _ in range(rng.randint(1, 3))
    }


def _log_config(rng: Random, scene: Scene) -> dict[str, Any]:
    driver, options = rng.choice(
        [
            ("json-file", {"max-size": "1m", "max-file": "2"}),
            ("", {"max-size": "1m"}),
            (
                "json-file",
                {"tag": "x", "labels": "a", "env": "B", "compress": "true", "max-size": "1m", "max-file": "3"},
            ),
            ("local", {"max-size": "1m"}),
            ("none", {}),
            ("journald", {"tag": "x"}),
            ("fluentd", {}),
            ("fluentd", {"fluentd-address": "unix:///srv/sock"}),
            ("gelf", {"gelf-address": "udp://10.0.0.1:12201"}),
            ("syslog", {"syslog-address": "tcp://10.0.0.1:514"}),
            ("syslog", {"syslog-address": "unix:///srv/docker.sock"}),
            ("syslog", {"syslog-address": "tcp+tls://10.0.0.1:514", "syslog-tls-skip-verify": "true"}),
            ("awslogs", {"awslogs-group": "g"}),
            ("splunk", {"splunk-url": "http://10.0.0.1", "splunk-token": "t"}),
        ]
    )
    made: dict[str, Any] = {"Type": driver}
    if options or rng.random() < 0.5:
        made["Config"] = {**options}
    if rng.random() < 0.15:
        made.setdefault("Config", {})[rng.choice(["mode", "max-buffer-size"])] = rng.choice(["non-blocking", "1m"])
    return made


def _weight(rng: Random, scene: Scene) -> dict[str, Any]:
    return {"Path": rng.choice(["/dev/null", "/dev/zero", "//dev/null"]), "Weight": rng.choice([10, 500, 1000])}


def _throttle(rng: Random, scene: Scene) -> dict[str, Any]:
    return {"Path": rng.choice(["/dev/null", "/dev/zero", "/srv"]), "Rate": rng.choice([1, 1 << 20, 1 << 62])}


_TMPFS_WORDS = (
    "ro",
    "rw",
    "noexec",
    "exec",
    "suid",
    "dev",
    "size=1m",
    "mode=1777",
    "uid=0",
    "shared",
    "rshared",
    "bind",
    "remount",
    "rbind",
    "noatime",
)

HOST_CONFIG: Mapping[str, Maker] = {
    "Binds": some(bind),
    "ContainerIDFile": one("/srv/id"),
    "LogConfig": _log_config,
    "NetworkMode": _network_mode,
    "PortBindings": _port_bindings,
    "RestartPolicy": lambda rng, scene: rng.choice(
        [
            {"Name": "always"},
            {"Name": "unless-stopped", "MaximumRetryCount": 0},
            {"Name": "on-failure", "MaximumRetryCount": rng.randint(0, 5)},
            {"Name": "no"},
            {"Name": ""},
            {"Name": "Always"} if rng.random() < 0.2 else {"Name": "always"},
        ]
    ),
    "AutoRemove": one(True, True, False),
    "VolumeDriver": one("local", "other", ""),
    "VolumesFrom": some(_volumes_from, 2),
    "ConsoleSize": one([24, 80], [0, 0], [1, 2, 3], [5]),
    "Annotations": pairs(
        ("com.example.a", "b"), ("org.criu.config", "/srv/x"), ("run.oci.keep_original_groups", "1"), ("x", "")
    ),
    "CapAdd": some(_capability),
    "CapDrop": lambda rng, scene: rng.choice([["ALL"], ["all"], ["NET_RAW"], ["cap_chown", "KILL"], ["All"]]),
    "CgroupnsMode": one("host", "private", "", "private"),
    "Dns": one(["10.0.0.53"], ["1.1.1.1", "2001:db8::1"], ["127.0.0.1"]),
    "DnsOptions": one(["timeout:3"], ["ndots:1", "rotate"]),
    "DnsSearch": one(["example.com"], ["."], ["a.example", "b.example"]),
    "ExtraHosts": one(
        ["web:10.0.0.1"], ["host.docker.internal:host-gateway"], ["a:::1", "b:10.0.0.2"], ["a=10.0.0.1"], ["x:[::1]"]
    ),
    "GroupAdd": one(["0"], ["video", "999"], ["docker"]),
    "IpcMode": _namespace("private", "shareable", "none", ""),
    "Cgroup": _namespace("", "private"),
    "Links": lambda rng, scene: [
        container(rng, scene) + rng.choice(["", ":db", ":web"]) for _ in range(rng.randint(1, 2))
    ],
    "OomScoreAdj": one(-1000, -500, -1, 1, 500, 1000),
    "PidMode": _namespace("", "host"),
    "Privileged": one(True, True, True, False),
    "PublishAllPorts": one(True, True, False),
    "ReadonlyRootfs": one(True, True, False),
    "SecurityOpt": some(_security_opt),
    "StorageOpt": one({}, {"size": "10G"}, {}),
    "Tmpfs": _mapped(_target, lambda rng, scene: ",".join(rng.sample(_TMPFS_WORDS, rng.randint(0, 2))), 2),
    "UTSMode": one("host", "host", ""),
    "UsernsMode": one("host", "host", "", "private", "keep-id"),
    "ShmSize": one(1 << 20, 64 << 20, 1 << 30, 0, 8 << 30),
    "Sysctls": pairs(
        ("net.core.somaxconn", "1024"),
        ("net.ipv4.ip_forward", "1"),
        ("kernel.shmmax", "1"),
        ("kernel.core_pattern", "|/x"),
        ("fs.mqueue.msg_max", "5"),
        ("net.ipv6.conf.all.disable_ipv6", "0"),
        ("vm.swappiness", ""),
    ),
    "Runtime": one("runc", "io.containerd.runc.v2", "io.containerd.kata.v2", "", "io.containerd.runsc.v1", "runsc"),
    "Isolation": one("default", "Default", ""),
    "CpuShares": one(0, 2, 512, 1024),
    "Memory": one(0, 64 << 20, 1 << 30, 8 << 30, -1),
    "NanoCpus": one(0, 500_000_000, 1_000_000_000, 2_000_000_000),
    "CgroupParent": one("/ci", "ci.slice", "/", "/../..", "ci/x"),
    "BlkioWeight": one(0, 10, 500),
    "BlkioWeightDevice": some(_weight, 2),
    "BlkioDeviceReadBps": some(_throttle, 2),
    "BlkioDeviceWriteBps": some(_throttle, 2),
    "BlkioDeviceReadIOps": some(_throttle, 2),
    "BlkioDeviceWriteIOps": some(_throttle, 2),
    "CpuPeriod": one(0, 50_000, 100_000, 1_000_000),
    "CpuQuota": one(0, 50_000, 150_000, -1),
    "CpuRealtimePeriod": one(0, 1_000_000, 500_000),
    "CpuRealtimeRuntime": one(0, 950_000, 10_000),
    "CpusetCpus": one("0", "0-1", "", "0,1"),
    "CpusetMems": one("0", ""),
    "Devices": some(_device, 2),
    "DeviceCgroupRules": one(["c 10:229 rwm"], ["a *:* rwm"], ["b 8:* r", "c 1:3 rw"], ["c *:* m"]),
    "DeviceRequests": some(_device_request, 2),
    "DiskQuota": one(0, 1 << 20),
    "KernelMemory": one(0, 64 << 20),
    "KernelMemoryTCP": one(0, 64 << 20),
    "MemoryReservation": one(0, 32 << 20),
    "MemorySwap": one(0, -1, 128 << 20, 16 << 30),
    "MemorySwappiness": one(0, 60, 100, -1),
    "OomKillDisable": one(True, True, False),
    "PidsLimit": one(0, 100, -1, 1000),
    "Ulimits": lambda rng, scene: rng.choice(
        [
            [{"Name": "nofile", "Soft": 1024, "Hard": 2048}],
            [{"Name": "core", "Hard": 0, "Soft": 0}, {"Name": "nproc", "Soft": 10, "Hard": -1}],
            [{"Name": "memlock", "Soft": -1, "Hard": -1}],
        ]
    ),
    "CpuCount": one(0, 2),
    "CpuPercent": one(0, 50),
    "IOMaximumIOps": one(0, 100),
    "IOMaximumBandwidth": one(0, 1 << 20),
    "Mounts": some(mount, 2),
    "MaskedPaths": _paths(_MASKED),
    "ReadonlyPaths": _paths(_READ_ONLY),
    "Init": one(True, False),
}

# Config

_WORDS: tuple[Any, ...] = (["true"], ["sh", "-c", "exit 0"], ["a", "b c", ""], "single", [])

CONFIG: Mapping[str, Maker] = {
    "Hostname": one("web", "web-1", "a.b", ""),
    "Domainname": one("example.com", ""),
    "User": one("", "0", "1000", "1000:1000", "root", "00", "0:5", "nobody", "+1", "١", "65534"),
    "AttachStdin": one(True, False),
    "AttachStdout": one(True, False),
    "AttachStderr": one(True, False),
    "ExposedPorts": lambda rng, scene: {rng.choice(_PORTS[:8]): {} for _ in range(rng.randint(1, 2))},
    "Tty": one(True, False),
    "OpenStdin": one(True, False),
    "StdinOnce": one(True, False),
    "Env": one(["A=b"], ["A", "B=c", "C="], ["ſ=ſ"], [], ["PATH=/x"]),
    "Cmd": one(*_WORDS),
    "Healthcheck": lambda rng, scene: rng.choice(
        [
            {"Test": ["NONE"]},
            {"Test": ["CMD", "true"], "Interval": 10**9, "Timeout": 10**9, "Retries": 2},
            {"Test": ["CMD-SHELL", "exit 0"], "StartPeriod": 10**9},
            {"Test": []},
            {"Interval": 5 * 10**9},
        ]
    ),
    "ArgsEscaped": one(True, False),
    "Image": image,
    "Volumes": lambda rng, scene: {_target(rng, scene): {} for _ in range(rng.randint(1, 2))},
    "WorkingDir": one("/", "/srv", "/a/../b", ""),
    "Entrypoint": one(["sh"], ["/bin/sh", "-c"], [], "sh", [""]),
    "NetworkDisabled": one(True, False),
    "MacAddress": one("02:42:ac:11:00:09", "02-42-AC-11-00-09", ""),
    "OnBuild": one(["RUN true"], []),
    "Labels": _labels,
    "StopSignal": one("SIGTERM", "9", "kill", "SIGRTMIN+3"),
    "StopTimeout": one(0, 1, 30),
    "Shell": one(["sh", "-c"], []),
}


# Endpoints


def _address(rng: Random, scene: Scene) -> str:
    return f"{scene.subnet}.0.{rng.randint(2, 250)}"


ENDPOINT: Mapping[str, Maker] = {
    "IPAMConfig": lambda rng, scene: rng.choice(
        [
            {"IPv4Address": _address(rng, scene)},
            {"IPv4Address": _address(rng, scene), "LinkLocalIPs": ["169.254.8.8"]},
            {"LinkLocalIPs": ["169.254.8.9"]},
            {"IPv4Address": ""},
            {"IPv6Address": "2001:db8::8"},
            {},
        ]
    ),
    "Links": lambda rng, scene: [container(rng, scene) + rng.choice(["", ":db"])],
    "Aliases": one(["db"], ["a", "b"], []),
    "MacAddress": one("02:42:ac:11:00:07", "", "02-42-ac-11-00-08"),
    "DriverOpts": pairs(
        ("com.docker.network.endpoint.sysctls", "net.ipv4.conf.IFNAME.log_martians=1"),
        ("a", "b"),
        ("com.docker.network.endpoint.ifname", "eth7"),
    ),
    "GwPriority": one(0, 1, -1),
    "NetworkID": network,
    "EndpointID": one("e" * 64, ""),
    "Gateway": one("10.0.0.1", ""),
    "IPAddress": one("10.0.0.2", ""),
    "IPPrefixLen": one(0, 16),
    "IPv6Gateway": one(""),
    "GlobalIPv6Address": one("", "2001:db8::9"),
    "GlobalIPv6PrefixLen": one(0, 64),
    "DNSNames": one(["x"], []),
}


def networking(rng: Random, scene: Scene) -> dict[str, Any]:
    """A NetworkingConfig, with most of its endpoints on the network whose addresses can be chosen."""
    most = 1 if scene.api < (1, 44) or rng.random() < 0.8 else 2
    keys = [rng.choice([f"{NAME}-net", f"{NAME}-net", network(rng, scene)]) for _ in range(most)]
    return {"EndpointsConfig": {key: endpoint(rng, scene) for key in keys}}


def endpoint(rng: Random, scene: Scene, focus: str | None = None) -> Any:
    names = rng.sample(sorted(ENDPOINT), rng.randint(0, 4))
    if not focus and rng.random() < 0.1:
        return None
    return {name: ENDPOINT[name](rng, scene) for name in dict.fromkeys([*names, *([focus] if focus else [])])}


# Execs, volumes, networks

EXEC: Mapping[str, Maker] = {
    "User": one("", "0", "1000", "nobody", "00", "1000:0"),
    "Privileged": one(True, True, False),
    "Tty": one(True, False),
    "ConsoleSize": one([24, 80], [1, 2, 3]),
    "AttachStdin": one(True, False),
    "AttachStderr": one(True, False),
    "AttachStdout": one(True, False),
    "Detach": one(True, False),
    "DetachKeys": one("ctrl-a", "ctrl-p,ctrl-q", "", "a,b"),
    "Env": one(["A=b"], ["LD_PRELOAD=/x"], []),
    "WorkingDir": one("/", "/srv", "/proc/self/fd/7", ""),
    "Cmd": one(["true"], ["sh", "-c", "exit 0"], ["a b", "", "'"], ["ſ"], []),
}

VOLUME: Mapping[str, Maker] = {
    "Name": lambda rng, scene: rng.choice([f"{MADE}-{rng.randint(0, 3)}", *scene.volumes, f"{MADE}.x"]),
    # The engine looks 15 seconds for a plugin that it does not know.
    "Driver": one("local", "", "local"),
    "DriverOpts": driver_options,
    "Labels": _labels,
    "ClusterVolumeSpec": one({}, {"Group": "g"}, {"AccessMode": {"Scope": "single"}}),
}


def _pool(rng: Random, scene: Scene) -> dict[str, Any]:
    number = rng.randint(200, 250)
    made: dict[str, Any] = {"Subnet": rng.choice([f"10.{number}.0.0/16", f"10.{number}.3.0/24"])}
    base = made["Subnet"].rsplit(".", 1)[0]
    if rng.random() < 0.4:
        made["Gateway"] = f"{base}.{rng.randint(9, 90)}"
    if rng.random() < 0.4:
        made["IPRange"] = f"{base}.128/25"
    if rng.random() < 0.3:
        made["AuxiliaryAddresses"] = {"host1": f"{base}.130"}
    return made


NETWORK: Mapping[str, Maker] = {
    "Name": lambda rng, scene: f"{MADE}-{rng.randint(0, 99)}",
    "CheckDuplicate": one(True, False),
    "Driver": one("bridge", "", "macvlan", "ipvlan", "overlay"),
    "Scope": one("local", "", "swarm"),
    "EnableIPv4": one(True, True, True, False),
    "EnableIPv6": one(False, False, True),
    "IPAM": lambda rng, scene: rng.choice(
        [
            {"Config": [_pool(rng, scene)]},
            {"Driver": "default", "Config": [_pool(rng, scene)]},
            {"Driver": "default"},
            {"Driver": "null"},
            {"Options": {"a": "b"}, "Config": [_pool(rng, scene)]},
            {"Driver": "default", "Options": {}, "Config": []},
            {"Config": [{"Subnet": f"fd00:{rng.randint(1, 999)}::/64"}]},
        ]
    ),
    "Internal": one(True, False),
    "Attachable": one(True, False),
    "Ingress": one(False, False, True),
    "ConfigOnly": one(True, True, False),
    "ConfigFrom": lambda rng, scene: {"Network": rng.choice([f"{NAME}-conf", ""])},
    "Options": pairs(
        ("com.docker.network.driver.mtu", "1400"),
        ("com.docker.network.bridge.enable_icc", "false"),
        ("com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"),
        ("com.docker.network.bridge.name", "orc0"),
        ("com.docker.network.bridge.enable_ip_masquerade", "false"),
    ),
    "Labels": _labels,
}


def generic(schema: Schema, rng: Random) -> Any:
    """Any value of a type, whatever its field means."""
    match schema:
        case Str():
            return rng.choice(["", "x", "host", "/etc", "ſ", "a:b", "0", "\u0000", " "])
        case Bool():
            return rng.random() < 0.5
        case Int():
            return rng.choice([0, 1, 7, 65535])
        case Words():
            return rng.choice(["", "x", ["x"], []])
        case List():
            return [generic(schema._item, rng) for _ in range(rng.randint(0, 2))]
        case Map():
            return {rng.choice(["a", "80/tcp", "x"]): generic(schema._value, rng) for _ in range(rng.randint(0, 2))}
        case Struct():
            names = rng.sample(sorted(schema.fields), min(len(schema.fields), rng.randint(0, 2)))
            return {name: generic(schema.fields[name], rng) for name in names}
    return json.loads(rng.choice(["null", '""', "0", "[]", '"x"', "1"]))
