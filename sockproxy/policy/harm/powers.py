"""Grants that are powers over the host, or over others.

What a pattern gives is seen by what it has in common with the powers below, not by one value of each: a rule that
grants `/dev/nvme0n1` gives a disk as well as one that grants `/dev/sda`. What is in none of them comes to what `_REST`
says of its kind; a kind that is not there either is in `HARMLESS`, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from sockproxy.docker.asks import KINDS
from sockproxy.model import Ask
from sockproxy.policy.harm.facts import Finding, Level, may_ask
from sockproxy.policy.overlap import meet, paths_meet, takes_in
from sockproxy.policy.patterns import DEVICE_RULE, Pattern, compile_pattern
from sockproxy.policy.rules import Rule


@dataclass(frozen=True, slots=True)
class _Power:
    """A grant that is a power over the host, or over others."""

    kind: str
    values: tuple[str, ...]
    """Globs of the asks that are this power: a pattern that has one in common with them gives it."""
    level: Level
    why: str
    road: bool = True
    but: tuple[str, ...] = ()
    """Globs of asks that are not: a pattern that is within one of them does not give it."""


_DISKS: Final = (
    *("/dev/sd*", "/dev/hd*", "/dev/vd*", "/dev/xvd*", "/dev/nvme*", "/dev/mmcblk*", "/dev/dm-*", "/dev/mapper/**"),
    *("/dev/md*", "/dev/md/**", "/dev/disk/**", "/dev/block/**", "/dev/loop*", "/dev/nbd*", "/dev/rbd*", "/dev/rbd/**"),
    *("/dev/drbd*", "/dev/bcache*", "/dev/zd*", "/dev/zvol/**", "/dev/vg*/**", "/dev/pmem*", "/dev/mtd*"),
    *("/dev/raw/**", "/dev/sg*", "/dev/bsg/**"),  # the same disks, asked in SCSI's words
)
_MEMORY: Final = ("/dev/mem", "/dev/kmem", "/dev/port", "/dev/vfio/**")
_BLOCKS_AND_MEMORY: Final = ("b", "c 1:1", "c 1:2", "c 1:4")
"""Cgroup rules of the same: whoever has one makes the node itself, which every container may (MKNOD)."""

_POWERS: Final = (
    _Power("privileged", ("container",), Level.ROOT, "a privileged container is root on the host"),
    _Power(
        "capability",
        ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"),
        Level.ROOT,
        "it leads to root on the host",
    ),
    _Power(
        "device",
        (*_DISKS, *_MEMORY, *_BLOCKS_AND_MEMORY),
        Level.ROOT,
        "the host's disks and memory can be read and written",
    ),
    _Power(
        "volume-driver",
        ("local type=**", "local o=bind", "local device=/**"),
        Level.ROOT,
        "mount(2) is run by the engine as root",
        but=("local type=nfs*", "local type=cifs", "local type=smb3", "local type=tmpfs", "local type=none"),
    ),
    _Power("field", ("HostConfig.Unknown",), Level.ROOT, "fields that nobody has looked at are passed on"),
    _Power("field", ("Role=manager",), Level.ROOT, "a node that is made a manager runs what it likes on every node"),
    _Power("namespace", ("pid=host",), Level.HOST, "the host's processes can be entered"),
    _Power(
        "namespace",
        ("network=host",),
        Level.HOST,
        "services on the host's loopback can be reached, and its abstract sockets",
    ),
    _Power("namespace", ("ipc=host",), Level.HOST, "the host's shared memory can be read and written"),
    _Power(
        "namespace",
        ("userns=host",),
        Level.HOST,
        "root in the container is root on the host where users are remapped",
    ),
    _Power(
        "namespace", ("cgroup=host", "uts=host"), Level.LOOKS, "the host's cgroups, or its name, are seen", road=False
    ),
    _Power(
        "security-opt",
        (
            # A profile that is sent along may allow everything.
            *("seccomp=unconfined", "seccomp=profile", "systempaths=unconfined", "apparmor=unconfined"),
            *("label=disable", "label=type:spc_t", "label=type:unconfined_t", "writable-cgroups"),
        ),
        Level.HOST,
        "a barrier between container and kernel is taken away",
    ),
    _Power("runtime", ("x",), Level.HOST, "another runtime may isolate less"),
    _Power(
        "cgroup-parent",
        ("/", "/system.slice", "system.slice", "/user.slice", "user.slice", "/init.scope", "init.scope"),
        Level.HOST,
        "limits of the host's own services can be left",
    ),
    _Power("tunnel", ("grpc",), Level.HOST, "builds are not judged, and may use the host's network and push"),
    _Power(
        "capability",
        (
            *("SYS_TIME", "SYS_BOOT", "SYSLOG", "SYS_PACCT", "SYS_TTY_CONFIG", "MAC_ADMIN", "MAC_OVERRIDE", "PERFMON"),
            *("AUDIT_CONTROL", "AUDIT_READ", "CHECKPOINT_RESTORE", "IPC_OWNER", "LEASE", "LINUX_IMMUTABLE"),
        ),
        Level.HOST,
        "it is a power over the kernel, which is the host's",
        road=False,
    ),
    _Power(
        "capability",
        ("SYS_RESOURCE", "SYS_NICE", "IPC_LOCK", "WAKE_ALARM", "BLOCK_SUSPEND"),
        Level.EXHAUSTS,
        "it comes before the host's own processes",
        road=False,
    ),
    _Power(
        "annotation",
        # runc sets properties of the container's unit by it, which may stop other units of the host's.
        ("org.systemd.property.**", "run.oci.**", "io.katacontainers.**"),
        Level.HOST,
        "the runtime, which is root on the host, is told what to do",
        road=False,
    ),
    _Power(
        "network-driver",
        ("bridge com.docker.network.bridge.name=**",),
        Level.HOST,
        "a bridge of the host's own is taken, and goes with the network",
        road=False,
    ),
    _Power("import", ("load",), Level.IMAGES, "images that others run can be replaced"),
    _Power("import", ("-",), Level.IMAGES, "images are made of whatever is sent", road=False),
    _Power("import", ("*://**",), Level.NETWORK, "the engine fetches what it is told to", road=False),
    _Power("build", ("remote=**",), Level.NETWORK, "the engine fetches it", road=False),
    _Power("build", ("output=**",), Level.IMAGES, "what is built is pushed to any registry", road=False),
    _Power(
        "volume-driver",
        ("local type=nfs", "local type=nfs4", "local type=cifs", "local type=smb3"),
        Level.NETWORK,
        "the engine mounts another machine's files",
        road=False,
    ),
    _Power(
        "resource",
        ("oom-score=**", "oom-kill-disable", "cpu-realtime"),
        Level.EXHAUSTS,
        "it comes before the host's own processes",
        road=False,
    ),
)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What the patterns of a kind come to that are in no power above. They are told by name."""

    kind: str
    level: Level
    why: str
    road: bool = False
    but: tuple[str, ...] = ()
    """Globs of what comes to nothing."""


_REST: Final = (
    _Rest("device", Level.HOST, "a driver of the host's kernel is spoken to"),
    _Rest(
        "volume-driver",
        Level.HOST,
        "what a plug-in mounts is its own business, the host's files too",
        road=True,
        but=("local **",),
    ),
    _Rest(
        "runtime",
        Level.HOST,
        "another runtime may isolate less",
        # These isolate more.
        but=("runsc*", "io.containerd.runsc.*", "kata*", "io.containerd.kata*.*"),
    ),
    _Rest("field", Level.HOST, "fields that nobody has looked at are passed on", road=True),
    _Rest("query", Level.HOST, "parameters that nobody has looked at are passed on", road=True),
    _Rest("publish", Level.NETWORK, "it serves on ports of the host"),
    _Rest("capability", Level.NETWORK, "its containers can do more than others on the networks that they are in"),
    _Rest(
        "network-driver",
        Level.NETWORK,
        "its networks reach further than the engine's own bridges",
        but=("bridge com.docker.network.driver.mtu=**", "bridge com.docker.network.bridge.enable_**"),
    ),
    _Rest("address", Level.NETWORK, "it takes addresses of its choice, those of others too"),
    _Rest(
        "log-driver",
        Level.NETWORK,
        "the engine connects to where its logs go",
        but=("json-file **", "local **", "journald **", "none **"),
    ),
    _Rest("secret", Level.SECRETS, "its services read these"),
    _Rest("config", Level.SECRETS, "its services read these"),
    _Rest("gpu", Level.EXHAUSTS, "the host's GPUs can be held"),
)

HARMLESS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bind": "told by `binds.py`",
        "link": "told by `making.py`, as it hangs on whose containers",
        "volumes-from": "the same",
        "privileged": "a power whatever the pattern",
        "namespace": "another container's: told by `making.py`",
        "security-opt": "a profile that the host has, or a label beside others",
        "cgroup-parent": "a cgroup that is nobody else's",
        "annotation": "the engine's own runtime makes nothing of it",
        "resource": "a limit of a device",
        "sysctl": "engines take those of the container's own namespaces alone",
        "group": "it counts where a path of the host is bound, whose root every container is anyway",
        "storage-opt": "the size of its root file system",
        "import": "every form is a power",
        "build": "every form is a power",
        "tunnel": "`session` alone serves files to a build that is judged",
    }
)
"""Kinds whose patterns come to nothing where they are in no power, and why."""


def of_powers(rule: Rule, rows: frozenset[str]) -> Iterator[Finding]:
    """What a rule grants by name. The worst of its capabilities hides what is less of them."""
    told: set[Pattern] = set()
    capable = False
    for power in _POWERS:
        if not may_ask(rows, power.kind):
            continue
        giving = [pattern for pattern in rule.grant.get(power.kind, ()) if _gives(pattern, power)]
        told.update(giving)
        if not giving or (power.kind == "capability" and capable):
            continue
        capable = capable or power.kind == "capability"
        yield _granted(rule, power.kind, _shown(giving[0], power), power.level, power.why, road=power.road)
    for rest in _REST:
        left = [each for each in rule.grant.get(rest.kind, ()) if each not in told and not _none_of(each, rest)]
        if left and not (rest.kind == "capability" and capable) and may_ask(rows, rest.kind):
            texts = ", ".join(each.text for each in left)
            yield _granted(rule, rest.kind, texts, rest.level, rest.why, road=rest.road)


def _gives(pattern: Pattern, power: _Power) -> bool:
    if pattern.text == "none":
        return False
    if pattern.text in ("any", "**"):
        return True
    return any(_meets(pattern, power.kind, value) for value in power.values) and not _within(
        pattern, power.kind, power.but
    )


def _meets(pattern: Pattern, kind: str, value: str) -> bool:
    """Whether a pattern takes in some ask that a glob of a power does."""
    match KINDS[kind].form:
        case "word":
            word = pattern.text.upper().removeprefix("CAP_" if kind == "capability" else "")
            return meet(word, value.upper())
        case "device":
            return _device_meets(pattern.text, value)
        case _:
            return meet(pattern.text, value)


def _device_meets(text: str, value: str) -> bool:
    """The same of devices, by their paths or by their numbers: ``c 1:1``, or ``b`` for every block device."""
    rule = DEVICE_RULE.fullmatch(text)
    if rule is None:
        return value.startswith("/") and paths_meet(text.partition(" ")[0], value)
    if value.startswith("/"):
        return False
    sort, _, numbers = value.partition(" ")
    major, _, minor = numbers.partition(":")
    return rule[1] in ("a", sort) and (not numbers or (rule[2] in ("*", major) and rule[3] in ("*", minor)))


def _none_of(pattern: Pattern, rest: _Rest) -> bool:
    return pattern.text == "none" or _within(pattern, rest.kind, rest.but)


def _within(pattern: Pattern, kind: str, globs: tuple[str, ...]) -> bool:
    """Whether one of the globs takes in all of a pattern."""
    return any(takes_in(_compiled(kind, each), pattern, KINDS[kind]) for each in globs)


@lru_cache(maxsize=64)
def _compiled(kind: str, text: str) -> Pattern:
    return compile_pattern(KINDS[kind], text)


def _shown(pattern: Pattern, power: _Power) -> str:
    """What of a power is told: the first ask of it that is granted, or else the pattern."""
    plain = (each for each in power.values if "*" not in each and pattern.matches(Ask(power.kind, each, "")))
    return next(plain, pattern.text)


def _granted(rule: Rule, kind: str, what: str, level: Level, why: str, *, road: bool) -> Finding:
    return Finding(level, str(rule.places.get(kind, rule.place)), rule.id, f"grants `{kind}: {what}`", why, road)
