"""Grants that are powers over the host, or over others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sockproxy.policy.harm.facts import Finding, Level, grants, may_ask
from sockproxy.policy.rules import Rule


@dataclass(frozen=True, slots=True)
class _Power:
    """A grant that is a power over the host, or over others."""

    kind: str
    values: tuple[str, ...]
    """Asks that it is known by: the first that a rule grants is told."""
    level: Level
    why: str
    road: bool = True


_POWERS: Final = (
    _Power(
        "privileged",
        ("container", "exec", "service", "plugin"),
        Level.ROOT,
        "a privileged container is root on the host",
    ),
    _Power(
        "capability",
        ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"),
        Level.ROOT,
        "it leads to root on the host",
    ),
    _Power(
        "device",
        ("/dev/sda rwm", "/dev/mem rwm", "b *:* rwm"),
        Level.ROOT,
        "the host's disks and memory can be read and written",
    ),
    _Power(
        "volume-driver",
        ("local type=ext4", "local o=bind", "local device=/dev/sda", "local device=/"),
        Level.ROOT,
        "mount(2) is run by the engine as root",
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
        "security-opt",
        ("seccomp=unconfined", "systempaths=unconfined"),
        Level.HOST,
        "a barrier between container and kernel is taken away",
    ),
    _Power("runtime", ("x",), Level.HOST, "another runtime may isolate less"),
    _Power("cgroup-parent", ("/system.slice",), Level.HOST, "limits of the host's own services can be left"),
    _Power("tunnel", ("grpc",), Level.HOST, "builds are not judged, and may use the host's network and push"),
    _Power(
        "capability",
        ("SYS_TIME", "SYS_BOOT", "SYSLOG", "MAC_ADMIN", "PERFMON"),
        Level.HOST,
        "it is a power over the kernel, which is the host's",
        road=False,
    ),
    _Power("import", ("load",), Level.IMAGES, "images that others run can be replaced"),
    _Power("import", ("-",), Level.IMAGES, "images are made of whatever is sent", road=False),
    _Power(
        "import", ("https://example.com/x.tar",), Level.NETWORK, "the engine fetches what it is told to", road=False
    ),
    _Power("build", ("remote=https://example.com/x.git",), Level.NETWORK, "the engine fetches it", road=False),
    _Power("build", ("output=registry",), Level.IMAGES, "what is built is pushed to any registry", road=False),
    _Power(
        "volume-driver", ("local type=nfs",), Level.NETWORK, "the engine mounts another machine's files", road=False
    ),
    _Power(
        "log-driver",
        ("gelf", "syslog", "fluentd", "awslogs", "splunk"),
        Level.NETWORK,
        "the engine connects to where its logs go",
        road=False,
    ),
    _Power("gpu", ("1", "all"), Level.EXHAUSTS, "the host's GPUs can be held", road=False),
    _Power(
        "resource",
        ("oom-score=-500", "oom-kill-disable", "cpu-realtime"),
        Level.EXHAUSTS,
        "it comes before the host's own processes",
        road=False,
    ),
)


_NAMED: Final = (
    ("device", Level.HOST, "a driver of the host's kernel is spoken to"),
    ("publish", Level.NETWORK, "it serves on ports of the host"),
    ("capability", Level.NETWORK, "its containers can do more than others on the networks that they are in"),
)
"""What is told by its patterns, where it is no power of the table above."""


def of_powers(rule: Rule, rows: frozenset[str]) -> Iterator[Finding]:
    """What a rule grants by name. The worst of a kind hides what is less of it."""
    told: set[str] = set()
    for power in _POWERS:
        given = next((value for value in power.values if grants(rule, power.kind, value)), None)
        if given is None or not may_ask(rows, power.kind) or (power.kind == "capability" and power.kind in told):
            continue
        told.add(power.kind)
        yield _granted(rule, power.kind, f"`{power.kind}: {given}`", power.level, power.why, road=power.road)
    for kind, level, why in _NAMED:
        texts = [pattern.text for pattern in rule.grant.get(kind, ()) if pattern.text != "none"]
        if texts and kind not in told and may_ask(rows, kind):
            yield _granted(rule, kind, f"`{kind}: {', '.join(texts)}`", level, why)


def _granted(rule: Rule, kind: str, what: str, level: Level, why: str, *, road: bool = False) -> Finding:
    return Finding(level, str(rule.places.get(kind, rule.place)), rule.id, f"grants {what}", why, road)
