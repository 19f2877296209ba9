"""Host paths that may be bound: what is in them, and where a symbolic link in them leads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sockproxy.model import Ask
from sockproxy.policy.globs import plain
from sockproxy.policy.harm.facts import Finding, Given, Level, may_ask
from sockproxy.policy.overlap import paths_meet
from sockproxy.policy.patterns import Pattern, cut_suffixes
from sockproxy.policy.rules import Rule

SOCKETS: Final = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    *("/run/containerd/containerd.sock", "/var/run/containerd/containerd.sock"),
    *("/run/podman/podman.sock", "/var/run/podman/podman.sock", "/run/user/1000/docker.sock"),
    *("/run/crio/crio.sock", "/var/run/crio/crio.sock", "/run/k3s/containerd/containerd.sock"),
    *("/run/buildkit/buildkitd.sock", "/run/libvirt/libvirt-sock", "/var/run/libvirt/libvirt-sock"),
    *("/var/lib/lxd/unix.socket", "/var/snap/lxd/common/lxd/unix.socket", "/var/lib/incus/unix.socket"),
    # root in a container is root to these, who start units for it
    *("/run/systemd/private", "/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket", "/run/snapd.socket"),
)
"""Whoever reaches one of these runs what it likes as root, or as the user whose engine it is. To connect to a socket is
nothing that a read-only bind keeps back."""

_MANY: Final = ("/", "/etc", "/root", "/var", "/usr", "/home/x", "/var/lib/docker", "/proc", "/sys", "/boot")
"""Folders of which the whole is too much to read."""

_TELLING: Final = (
    *("/etc/shadow", "/etc/ssh/**", "/root/**", "/home/*/.ssh/**", "/var/lib/docker/**", "/var/lib/containerd/**"),
    *("/dev/**", "/proc/**"),
)
"""What must not be read: it holds keys, or everything."""

_RULING: Final = (
    *("/etc/**", "/root/**", "/usr/**", "/boot/**", "/bin/**", "/sbin/**", "/lib*/**", "/proc/**", "/sys/**"),
    *("/dev/**", "/home/*", "/home/*/.*/**", "/var/spool/cron/**", "/var/lib/docker/**", "/var/lib/containerd/**"),
    *("/run/systemd/**", "/run/docker/**", "/run/containerd/**", "/run/dbus/**", "/run/udev/**"),
)
"""What must not be written: root runs what stands there, or reads its orders from it."""

_RESTARTING: Final = frozenset({"ContainerCreate", "ServiceCreate", "ServiceUpdate", "ContainerUpdate"})


def of_binds(given: Given) -> Mapping[str, tuple[Finding, ...]]:
    """What the host paths that each rule grants give, by the rule's id."""
    below = _Below(given.binds)
    return {
        rule.id: tuple(
            finding for pattern in rule.grant.get("bind", ()) for finding in _of_bind(rule, pattern, given, below)
        )
        for rule in given.rules
        if may_ask(given.rows(rule), "bind")
    }


def _of_bind(rule: Rule, pattern: Pattern, given: Given, below: _Below) -> Iterator[Finding]:
    """What one pattern of host paths gives."""
    if pattern.text == "none":
        return
    path, writable = _path(pattern), _writable(pattern)

    def finding(level: Level, what: str, why: str, *, road: bool = True) -> Finding:
        return Finding(level, pattern.place, rule.id, f"{_bound(pattern)}{what}", why, road)

    socket = next((each for each in SOCKETS if any(_takes(pattern, up) for up in _up(each))), None)
    if socket is not None:
        yield finding(Level.ROOT, f", which takes in {socket}", "granting that is granting all")
    if any(_takes(pattern, each) for each in _MANY) or any(
        paths_meet(path, each) for each in (_RULING if writable else _TELLING)
    ):
        level = Level.ROOT if writable else Level.READS
        yield finding(level, "", "the host's own files")
    if not writable:
        yield finding(Level.READS, ", read-only", "it reads what is there", road=False)
        return
    yield from _of_links(rule, pattern, given, below)
    yield finding(Level.WRITES, ", writable", "it writes what is there, and connects to it", road=False)


def _of_links(rule: Rule, pattern: Pattern, given: Given, below: _Below) -> Iterator[Finding]:
    """Where a link that is planted in a writable folder leads, once it is bound itself."""
    if not _leads_on(pattern, below):
        return
    if not given.host_root:
        yield Finding(
            Level.ROOT,
            pattern.place,
            rule.id,
            f"{_bound(pattern)}, writable",
            "a container that can write there can reach the whole host by a symbolic link (one plants a link to /, the"
            " next binds it; run with --host-root sees where it leads)",
            road=True,
        )
    elif (loose := _leaves_restart_free(rule, given)) is not None:
        whose = "" if loose is rule else f"rule `{loose.id}` "
        yield Finding(
            Level.ROOT,
            pattern.place,
            rule.id,
            f"{_bound(pattern)}, writable, and {whose}leaves `restart` free",
            "the engine mounts again where it restarts a container by itself, and nobody sees where a link leads by"
            " then; hold it: only: {restart: none}",
            road=True,
        )


def _leaves_restart_free(rule: Rule, given: Given) -> Rule | None:
    """A rule by which a container that binds host paths can be made to be restarted by the engine; this one first."""
    for each in (rule, *given.rules):
        rows = given.rows(each)
        makes = rows & _RESTARTING and each.grant.get("bind", ())
        if (makes or "ContainerUpdate" in rows) and "restart" not in each.only:
            return each
    return None


def _leads_on(pattern: Pattern, below: _Below) -> bool:
    """Whether something below a folder that can be written through this pattern can be bound in its turn.

    A single file or folder that may be bound (`/run/x.sock`) is no road by itself: what stands in it cannot be bound,
    and itself it is a mount, which nobody in a container can replace.
    """
    return _writable(pattern) and below.meets(_path(pattern))


class _Below:
    """All that may be bound, by what its path begins with, so that one of thousands is not held against each other."""

    def __init__(self, binds: Iterable[Pattern]) -> None:
        paths = dict.fromkeys(map(_path, binds))
        self._sorted: Final = sorted((path.removesuffix("/**").partition("*")[0], path) for path in paths)
        self._beginnings: Final[dict[str, list[str]]] = {}
        for beginning, path in self._sorted:
            self._beginnings.setdefault(beginning, []).append(path)

    def meets(self, folder: str) -> bool:
        """Whether a path that can be bound can stand below one that ``folder`` takes in."""
        inside = f"{plain(folder).removesuffix('/**')}/*/**"
        return any(paths_meet(inside, path) for path in self._near(inside.partition("*")[0]))

    def _near(self, beginning: str) -> Iterator[str]:
        """The paths whose beginning is one of this, or begins with it: no other can meet it."""
        for length in range(len(beginning)):
            yield from self._beginnings.get(beginning[:length], ())
        for at in range(bisect_left(self._sorted, (beginning, "")), len(self._sorted)):
            if not self._sorted[at][0].startswith(beginning):
                return
            yield self._sorted[at][1]


def _path(pattern: Pattern) -> str:
    """The glob of host paths that a pattern is."""
    path = cut_suffixes(pattern.text)[0]
    return "/**" if path in ("any", "**") else path


def _bound(pattern: Pattern) -> str:
    return f"grants `bind: {pattern.text}`"


def _takes(pattern: Pattern, path: str) -> bool:
    return pattern.matches(Ask("bind", path, "", read_only=True))


def _writable(pattern: Pattern) -> bool:
    return pattern.text != "none" and not cut_suffixes(pattern.text)[1].read_only


def _up(path: str) -> Iterator[str]:
    """A path and every folder that it is in: to bind one of those is to bind it too."""
    yield path
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


def races(given: Given) -> Iterator[str]:
    """What is left where links are seen: sockproxy looks first, and the engine mounts a moment later."""
    below = _Below(given.binds)
    for rule in given.rules:
        for pattern in rule.grant.get("bind", ()) if may_ask(given.rows(rule), "bind") else ():
            if _leads_on(pattern, below):
                yield (
                    f"{pattern.place}: rule `{rule.id}` {_bound(pattern)}, writable: a container that swaps a folder"
                    " for a symbolic link between sockproxy's look and the engine's mount still reaches the host"
                )


def writes_host_paths(given: Given) -> bool:
    """Whether some host path can be bound so that it can be written: nobody then says that there is no road."""
    return any(_writable(pattern) for pattern in given.binds)
