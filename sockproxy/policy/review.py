"""What a policy gives away, said plainly: the sheet that `check` and `run` print.

A road to the host is a grant by which whoever has the policy can become root there, or read and write all of it. The
words "no road to the host" stand only where no rule has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sockproxy.model import Ask
from sockproxy.policy.match import matches_any
from sockproxy.policy.patterns import Pattern
from sockproxy.policy.rules import Policy, Rule

SOCKETS: Final = ("/var/run/docker.sock", "/run/docker.sock")

_CREATES: Final = frozenset({"ContainerCreate"})
_MANY: Final = frozenset({"/", "/etc", "/root", "/var", "/usr", "/home/x", "/var/lib/docker", "/proc", "/sys", "/boot"})


@dataclass(frozen=True, slots=True)
class Review:
    """What to know before this policy is used."""

    roads: tuple[str, ...]
    """Each a grant that leads to the host."""
    warnings: tuple[str, ...]
    """What leaves more open than it looks."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The sheet, a line each."""
        verdict = () if self.roads else ("no road to the host: no rule grants a power that leads there",)
        return (*self.roads, *self.warnings, *verdict)


def review(policy: Policy) -> Review:
    """Look at every rule."""
    roads = [road for rule in policy.rules for road in _roads(rule)]
    warnings = [*policy.warnings]
    for rule in policy.rules:
        warnings += _free(rule)
    warnings += _alternatives(policy)
    warnings += _joinable(policy)
    return Review(tuple(dict.fromkeys(roads)), tuple(dict.fromkeys(warnings)))


def _grants(rule: Rule, kind: str, value: str) -> bool:
    return matches_any(rule.grant.get(kind, ()), Ask(kind, value, ""))


_ROOT: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("privileged", ("container", "exec", "service", "plugin"), "a privileged container is root on the host"),
    ("namespace", ("pid=host",), "the host's processes can be entered"),
    ("namespace", ("network=host",), "services on the host's loopback can be reached, and its abstract sockets"),
    ("namespace", ("userns=host",), "root in the container is root on the host where users are remapped"),
    (
        "capability",
        ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"),
        "it leads to root on the host",
    ),
    ("device", ("/dev/sda rwm", "/dev/mem rwm", "b *:* rwm"), "the host's disks and memory can be read and written"),
    (
        "security-opt",
        ("seccomp=unconfined", "systempaths=unconfined"),
        "a barrier between container and kernel is taken away",
    ),
    (
        "volume-driver",
        ("local type=ext4", "local o=bind", "local device=/dev/sda", "local device=/"),
        "mount(2) is run by the engine as root",
    ),
    ("field", ("HostConfig.Unknown",), "fields that nobody has looked at are passed on"),
    ("runtime", ("x",), "another runtime may isolate less"),
    ("cgroup-parent", ("/system.slice",), "limits of the host's own services can be left"),
    ("tunnel", ("grpc",), "builds are not judged, and may use the host's network and push"),
    ("import", ("load",), "images that others run can be replaced"),
)


def _roads(rule: Rule) -> Iterator[str]:
    for kind, values, why in _ROOT:
        given = [value for value in values if _grants(rule, kind, value)]
        if given:
            place = rule.places.get(kind, rule.place)
            yield f"{place}: rule `{rule.id}` grants `{kind}: {given[0]}`: {why}"
    for pattern in rule.grant.get("bind", ()):
        yield from _bind_roads(rule, pattern)


def _bind_roads(rule: Rule, pattern: Pattern) -> Iterator[str]:
    def takes(path: str, *, read_only: bool) -> bool:
        return pattern.matches(Ask("bind", path, "", read_only=read_only))

    where = f"{pattern.place}: rule `{rule.id}` grants `bind: {pattern.text}`"
    if pattern.text == "none":
        return
    socket = next((path for path in SOCKETS if any(takes(each, read_only=True) for each in _up(path))), None)
    if socket is not None:
        yield f"{where}, which takes in {socket}: granting that is granting all"
    writable = not pattern.text.removesuffix(" shared").endswith(" ro")
    if any(takes(path, read_only=True) for path in _MANY):
        yield f"{where}: the host's own files"
    if writable:
        yield (
            f"{where}, writable: a container that can write there can reach the whole host by a symbolic link"
            " (one plants a link to /, the next binds it)"
        )


def _up(path: str) -> Iterator[str]:
    """A path and every folder that it is in: to bind one of those is to bind it too."""
    yield path
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


def _free(rule: Rule) -> Iterator[str]:
    if not rule.operations & _CREATES:
        return
    free = [kind for kind in ("container", "volume", "network") if kind not in rule.only]
    if free:
        named = " and ".join(f"`{kind}`" for kind in free)
        yield (
            f"{rule.place}: rule `{rule.id}` makes containers and leaves {named} free:"
            f" {', '.join(_FREE[kind] for kind in free)}"
        )


_FREE: Final = {
    "container": "it reaches everyone's containers",
    "volume": "it mounts everyone's volumes",
    "network": "it joins everyone's networks",
}


def _alternatives(policy: Policy) -> Iterator[str]:
    """Two rules for one endpoint are alternatives: the laxer one wins."""
    seen: set[tuple[str, str]] = set()
    for rule in policy.rules:
        for other in policy.rules:
            both = rule.operations & other.operations
            pair = (rule.id, other.id)
            if rule.id >= other.id or not both or pair in seen or not (_narrows(rule) or _narrows(other)):
                continue
            seen.add(pair)
            yield (
                f"{other.place}: rules `{rule.id}` and `{other.id}` both allow {', '.join(sorted(both)[:3])}:"
                " they are alternatives, and the laxer one wins"
            )


def _narrows(rule: Rule) -> bool:
    return bool(rule.only or rule.limit or rule.require)


def _joinable(policy: Policy) -> Iterator[str]:
    """A client that is known by its address, while containers may join the network where that address is."""
    if not any(client.networks for client in policy.clients):
        return
    for rule in policy.rules:
        if rule.operations & (_CREATES | {"NetworkConnect"}) and "network" not in rule.only:
            yield (
                f"{rule.place}: rule `{rule.id}` lets containers join any network: an address is no identity there,"
                " hold `network` to those where no client is known by `from`"
            )
