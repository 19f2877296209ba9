"""What a policy gives away, said plainly: the sheet that `check` and `run` print.

A road to the host is a grant by which whoever has the policy can become root there, or read and write all of it. The
words "no road to the host" stand only where no rule has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sockproxy.docker.operations import BY_NAME
from sockproxy.model import Ask
from sockproxy.policy.match import matches_any
from sockproxy.policy.patterns import Pattern, cut_suffixes
from sockproxy.policy.rules import Policy, Rule

SOCKETS: Final = ("/var/run/docker.sock", "/run/docker.sock")

_CREATES: Final = frozenset({"ContainerCreate"})
_SERVICES: Final = frozenset({"ServiceCreate", "ServiceUpdate"})
_RESTARTING: Final = _CREATES | _SERVICES | {"ContainerUpdate"}
_MANY: Final = frozenset({"/", "/etc", "/root", "/var", "/usr", "/home/x", "/var/lib/docker", "/proc", "/sys", "/boot"})


@dataclass(frozen=True, slots=True)
class Review:
    """What to know before this policy is used."""

    roads: tuple[str, ...]
    """Each a grant that leads to the host."""
    warnings: tuple[str, ...]
    """What leaves more open than it looks."""
    raced: bool = False
    """Whether one of them leads to the host for whoever is quick enough."""

    @property
    def verdict(self) -> tuple[str, ...]:
        """That there is no road to the host; nothing where that cannot be said."""
        if self.roads or self.raced:
            return ()
        return ("no road to the host: no rule grants a power that leads there",)

    @property
    def lines(self) -> tuple[str, ...]:
        """The sheet, a line each."""
        return (*self.roads, *self.warnings, *self.verdict)


def review(policy: Policy, *, host_root: bool = False) -> Review:
    """Look at every rule. ``host_root``: symbolic links on the host are seen (`sockproxy run --host-root`)."""
    roads = [road for rule in policy.rules for road in _roads(rule, host_root=host_root)]
    races = [race for rule in policy.rules for race in _races(rule)] if host_root else []
    warnings = [*policy.warnings, *races]
    for rule in policy.rules:
        warnings += _free(rule)
    warnings += _alternatives(policy)
    warnings += _joinable(policy)
    return Review(tuple(dict.fromkeys(roads)), tuple(dict.fromkeys(warnings)), raced=bool(races))


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
    ("field", ("Role=manager",), "a node that is made a manager runs what it likes on every node"),
    ("runtime", ("x",), "another runtime may isolate less"),
    ("cgroup-parent", ("/system.slice",), "limits of the host's own services can be left"),
    ("tunnel", ("grpc",), "builds are not judged, and may use the host's network and push"),
    ("import", ("load",), "images that others run can be replaced"),
)


_ROWS: Final[tuple[tuple[str, str], ...]] = (
    ("SwarmJoin", "the host joins a cluster, and its managers run there what they like"),
    ("SwarmInspect", "it tells the join tokens, and whoever joins as a manager runs what it likes on every node"),
    ("SwarmUnlockkey", "it tells the key that the managers' secrets are encrypted with"),
)
"""Rows that are a road by themselves."""


def _roads(rule: Rule, *, host_root: bool) -> Iterator[str]:
    for name, why in _ROWS:
        if name in rule.operations:
            row = BY_NAME[name]
            yield f"{rule.place}: rule `{rule.id}` allows `{row.method} {row.template}`: {why}"
    for kind, values, why in _ROOT:
        given = [value for value in values if _grants(rule, kind, value)]
        if given:
            place = rule.places.get(kind, rule.place)
            yield f"{place}: rule `{rule.id}` grants `{kind}: {given[0]}`: {why}"
    for pattern in rule.grant.get("bind", ()):
        yield from _bind_roads(rule, pattern, host_root=host_root)


def _bind_roads(rule: Rule, pattern: Pattern, *, host_root: bool) -> Iterator[str]:
    def takes(path: str, *, read_only: bool) -> bool:
        return pattern.matches(Ask("bind", path, "", read_only=read_only))

    where = _granted(rule, pattern)
    if pattern.text == "none":
        return
    socket = next((path for path in SOCKETS if any(takes(each, read_only=True) for each in _up(path))), None)
    if socket is not None:
        yield f"{where}, which takes in {socket}: granting that is granting all"
    if any(takes(path, read_only=True) for path in _MANY):
        yield f"{where}: the host's own files"
    if not _writable(pattern):
        return
    if not host_root:
        yield (
            f"{where}, writable: a container that can write there can reach the whole host by a symbolic link"
            " (one plants a link to /, the next binds it; run with --host-root sees where it leads)"
        )
    elif rule.operations & _RESTARTING and "restart" not in rule.only:
        yield (
            f"{where}, writable, and leaves `restart` free: the engine mounts again where it restarts a container by"
            " itself, and nobody sees where a link leads by then; hold it: only: {restart: none}"
        )


def _races(rule: Rule) -> Iterator[str]:
    """What is left where links are seen: sockproxy looks first, and the engine mounts a moment later."""
    for pattern in rule.grant.get("bind", ()):
        if pattern.text != "none" and _writable(pattern):
            yield (
                f"{_granted(rule, pattern)}, writable: a container that swaps a folder for a symbolic link between"
                " sockproxy's look and the engine's mount still reaches the host"
            )


def _granted(rule: Rule, pattern: Pattern) -> str:
    return f"{pattern.place}: rule `{rule.id}` grants `bind: {pattern.text}`"


def _writable(pattern: Pattern) -> bool:
    return not cut_suffixes(pattern.text)[1].read_only


def _up(path: str) -> Iterator[str]:
    """A path and every folder that it is in: to bind one of those is to bind it too."""
    yield path
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


def _free(rule: Rule) -> Iterator[str]:
    for makers, things, kind in ((_CREATES, "containers", "container"), (_SERVICES, "services", "service")):
        free = [each for each in (kind, "volume", "network") if each not in rule.only]
        if rule.operations & makers and free:
            named = " and ".join(f"`{each}`" for each in free)
            yield (
                f"{rule.place}: rule `{rule.id}` makes {things} and leaves {named} free:"
                f" {', '.join(_FREE[each] for each in free)}"
            )


_FREE: Final = {
    "container": "it reaches everyone's containers",
    "service": "it reaches everyone's services",
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
