"""Entering a container: exec, attach, writing files into it, joining its namespaces, taking its volumes.

Whoever enters has what the container was given, so that is asked for too: its host paths by whatever road, its devices,
capabilities and privilege, the host's namespaces and its security options; and for its networks, where a rule holds
networks. The engine's inspect is the source:
`HostConfig` for what it was created with, `Mounts` for what it has, volumes taken from others included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sockproxy.docker.asks import PLAIN_CAPABILITIES
from sockproxy.docker.fields import normalise
from sockproxy.docker.fields.containers import HOST_CONFIG
from sockproxy.docker.inspectors.devices import read_cgroup_rules, read_devices, read_gpus
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.mounts import (
    Use,
    inspect_hidden_binds,
    inspect_memory_volume,
    inspect_moved_volume,
    moved_path,
    parse_bind,
    recorded_path,
)
from sockproxy.docker.inspectors.security import capability, read_paths, security_ask
from sockproxy.docker.inspectors.whose import (
    VOLUME_NAME,
    Found,
    Purpose,
    joined_network,
    labels_of,
    other_container,
    part,
    text,
    volume_fact,
)
from sockproxy.docker.paths import clean, within
from sockproxy.model import STAT, Json, JsonObject, Missing

_NAMESPACES: Final = (
    ("PidMode", "pid"),
    ("IpcMode", "ipc"),
    ("UTSMode", "uts"),
    ("UsernsMode", "userns"),
    ("NetworkMode", "network"),
)
"""`cgroup=host` is not among them: every container has it with cgroup v1."""


def inspect_given(found: Findings, container: Found, *, through: frozenset[str] = frozenset()) -> None:
    """The asks for what a container was itself given. ``through`` are those by whose processes it is reached."""
    if container.fact is None:
        return
    host = normalise(container.fact.get("HostConfig"), HOST_CONFIG).value
    prefix = f"container {container.name}: HostConfig"
    _inspect_mounts(found, container)
    _inspect_namespaces(found, host, prefix, through | {container.forward})
    _inspect_networks(found, container)
    for key, read in (
        ("Devices", read_devices),
        ("DeviceCgroupRules", read_cgroup_rules),
        ("DeviceRequests", read_gpus),
    ):
        if value := host.get(key):
            read(found, value, f"{prefix}.{key}")
    if host.get("Privileged") is True:
        # It shows `label=disable` and no masks, and has every capability: privilege says it all.
        found.ask("privileged", "container", f"{prefix}.Privileged")
        return
    _inspect_capabilities(found, host.get("CapAdd"), f"{prefix}.CapAdd")
    _inspect_security(found, host, prefix)


def _inspect_mounts(found: Findings, container: Found) -> None:
    for mount in mounts_of(container):
        if mount.volume:
            inspect_hidden_binds(found, mount.volume, mount.where, mount.use)
        else:
            recorded_path(found, mount.source, mount.where, mount.use)


def inspect_started(found: Findings, container: Found) -> None:
    """The asks of starting a container again: the engine mounts anew, and a path may lead elsewhere by now.

    What leads to where it says asks nothing: starting a container gives nobody what it was given.
    """
    for mount in mounts_of(container):
        if mount.volume:
            inspect_moved_volume(found, mount.volume, mount.where, mount.use)
        else:
            moved_path(found, mount.source, mount.where, mount.use)


def _inspect_namespaces(found: Findings, host: JsonObject, prefix: str, through: frozenset[str]) -> None:
    for key, word in _NAMESPACES:
        mode, where = text(host, key), f"{prefix}.{key}"
        if mode == "host":
            found.ask("namespace", f"{word}=host", where)
        elif word == "pid" and mode.startswith("container:"):
            # Processes of a third container can be reached through a shared process namespace, not through the others.
            _inspect_processes(found, mode, where, through)
        elif word in ("network", "ipc"):
            _inspect_borrowed(found, key, word, mode, where, through)


def _inspect_processes(found: Findings, mode: str, where: str, through: frozenset[str]) -> None:
    """The asks of sharing a third container's processes: those of a create that does. The engine tells of it by its id.

    Of one that is gone no processes are left.
    """
    if len(through) > _FARTHEST:
        _ask_too_far(found, "pid", mode, where)
        return
    reference = mode.partition(":")[2]
    gone = isinstance(found.look_up(f"/containers/{reference}/json"), Missing)
    third = None if gone else other_container(found, reference, where, Purpose.ENTER)
    if third is None:
        found.ask("namespace", f"pid={mode}", where)
        return
    found.ask("namespace", f"pid=container:{third.name}", where)
    if third.forward not in through:
        inspect_given(found, third, through=through)


_FARTHEST: Final = 2
"""How many other containers a namespace is followed through: each takes a look-up, and a call has a few rounds of them
at most. The engine sets no end to them."""


def _ask_too_far(found: Findings, word: str, mode: str, where: str) -> None:
    """The ask of a namespace behind more containers than are looked at: no grant covers what it may be."""
    found.ask("namespace", f"{word}={mode}", f"{where} (by way of too many containers)", grantable=False)


def _inspect_borrowed(found: Findings, key: str, word: str, mode: str, where: str, through: frozenset[str]) -> None:
    """The asks of a namespace that is a third container's: the host's, if that is whose it is, or networks.

    One that is gone has left it behind, and nobody can say any more whose it was. sockproxy's own is not entered by way
    of another either: what listens on its loopback, the page of the operator first of all, trusts who is there.
    """
    seen: set[str] = set()
    fact: JsonObject = {}
    while mode.startswith("container:"):
        reference = mode.partition(":")[2]
        if reference in seen:
            return
        if len(through) + len(seen) > _FARTHEST:
            _ask_too_far(found, word, mode, where)
            return
        told = found.look_up(f"/containers/{reference}/json")
        if isinstance(told, Missing):
            found.ask("namespace", f"{word}={mode}", where)
        if told is None or isinstance(told, Missing):
            return
        if text(told, "Id") == found.context.own_container:
            found.ask("container", text(told, "Name").removeprefix("/") or reference, where, grantable=False)
            return
        seen.add(reference)
        fact, mode = told, text(part(told, "HostConfig"), key)
    if mode == "host":
        found.ask("namespace", f"{word}=host", where)
    elif fact and word == "network":
        _inspect_networks(found, Found(text(fact, "Name").removeprefix("/"), fact, ""))


def _inspect_networks(found: Findings, container: Found) -> None:
    """The networks that the container is in, where a rule holds networks: who enters it is in them too."""
    if "network" not in found.held:
        return
    for name, endpoint in part(container.fact, "NetworkSettings", "Networks").items():
        if name not in ("none", "host"):  # the host's is a namespace, and asked for as one
            where = f"container {container.name}: NetworkSettings.Networks[{name}]"
            joined_network(found, text(endpoint, "NetworkID") or name, where)


def _inspect_capabilities(found: Findings, added: Json, where: str) -> None:
    for index, each in enumerate(added if isinstance(added, list) else ()):
        name = capability(str(each))
        found.ask("capability", name, f"{where}[{index}]", plain=name in PLAIN_CAPABILITIES)


def _inspect_security(found: Findings, host: JsonObject, prefix: str) -> None:
    for key in ("MaskedPaths", "ReadonlyPaths"):
        if key in host:
            read_paths(found, host[key], f"{prefix}.{key}")
    # The engine itself adds labels to a container that shares processes or IPC (moby, daemon/create.go).
    shares = any(
        text(host, key) == "host" or text(host, key).startswith("container:") for key in ("PidMode", "IpcMode")
    )
    options = host.get("SecurityOpt")
    for index, option in enumerate(options if isinstance(options, list) else ()):
        where = f"{prefix}.SecurityOpt[{index}]"
        ask = security_ask(str(option), where)
        if ask is not None and not (shares and ask.startswith("label=")):
            found.ask("security-opt", ask, where)


def inspect_taken_volumes(found: Findings, container: Found, use: Use) -> None:
    """The volumes that another container takes over from this one, as volumes that it uses."""
    named: set[str] = set()
    for mount in mounts_of(container):
        if not mount.volume or mount.volume in named:
            continue
        named.add(mount.volume)
        fact = volume_fact(found, mount.volume)
        if fact is not None:
            labels = () if isinstance(fact, Missing) else labels_of(fact.get("Labels"))
            read_only = use.read_only or mount.use.read_only
            # Whose a volume is that cannot be looked up, nobody knows.
            known = VOLUME_NAME.fullmatch(mount.volume) is not None
            found.ask("volume", mount.volume, mount.where, read_only=read_only, labels=labels, grantable=known)
            if not isinstance(fact, Missing):
                driver, options = text(fact, "Driver"), part(fact, "Options")
                inspect_memory_volume(found, mount.target, driver, options, f"{mount.where} (volume {mount.volume})")


def inspect_path(found: Findings, container: Found, path: str) -> None:
    """A path that is read out of a container: what it is bound from is asked for, read-only.

    Both ways: a path below a mount's target lies in it, one above it holds it. So for the path as it is written and for
    where it leads by the symbolic links in the container, which the engine follows.
    """
    for mount in mounts_of(container):
        if not (_meet(path, mount.target) or _meets_led(found, container, path, mount.target)):
            continue
        if mount.volume:
            inspect_hidden_binds(found, mount.volume, mount.where, Use(read_only=True))
        else:
            recorded_path(found, mount.source, mount.where, Use(read_only=True))
    if part(container.fact, "HostConfig").get("Privileged") is True:
        found.ask("privileged", "container", f"container {container.name}: HostConfig.Privileged")


def _meet(path: str, target: str) -> bool:
    return within(path, target) or within(target, path)


def _meets_led(found: Findings, container: Found, path: str, target: str) -> bool:
    """Whether they meet where they lead: a mount stands behind a link too, if its target was named by one."""
    led, behind = led_within(found, container, path), led_within(found, container, target)
    return any(_meet(one, other) for one in (path, led) for other in (target, behind) if one and other)


_FOLLOWED: Final = 3
"""How often the way is asked about: anew after each link, and a call is judged a few times at most. A path with more
links than that may lead anywhere."""
_DEEPEST: Final = 64
"""Components of a path that the engine is asked about, one question each."""


def led_within(found: Findings, container: Found, path: str) -> str | None:
    """Where a cleaned path in a container leads; None, with needs noted, while the engine was not asked.

    The engine tells of a path's last component whether it is a link, and where that leads in the end; so each folder on
    the way is asked about. What is not there leads nowhere else; what cannot be followed may lead anywhere: the root.
    """
    for _ in range(_FOLLOWED):
        ends = [*(at for at, char in enumerate(path) if char == "/" and at), len(path)]
        if len(ends) > _DEEPEST:
            return "/"
        told = [found.look_up(f"{STAT}{container.forward}:{path[:end]}") for end in ends]
        facts = [fact for fact in told if fact is not None]
        if len(facts) < len(told):
            return None
        for end, fact in zip(ends, facts, strict=True):
            if isinstance(fact, Missing):
                return path
            if target := text(fact, "linkTarget"):
                path = clean(f"/{target}{path[end:]}")
                break
        else:
            return path
    return "/"


@dataclass(frozen=True, slots=True)
class _Mount:
    """One mount of a container."""

    where: str
    source: str
    """A cleaned host path; empty for a volume."""
    volume: str
    """The name of a volume; empty for a host path."""
    target: str
    use: Use


def mounts_of(container: Found) -> Iterator[_Mount]:
    """Every host path and named volume of a container that its inspect shows, each once."""
    seen: set[tuple[str, str, str, Use]] = set()
    for mount in _all_mounts(container):
        if (key := (mount.source, mount.volume, mount.target, mount.use)) not in seen:
            seen.add(key)
            yield mount


def _all_mounts(container: Found) -> Iterator[_Mount]:
    fact = container.fact
    host = part(fact, "HostConfig")
    prefix = f"container {container.name}: "
    binds = host.get("Binds")
    for index, spec in enumerate(binds if isinstance(binds, list) else ()):
        where = f"{prefix}HostConfig.Binds[{index}]"
        bind = parse_bind(str(spec), where)
        is_path = bind.source.startswith("/")
        if bind.source:
            yield _Mount(
                where, bind.source if is_path else "", "" if is_path else bind.source, _target(bind.target), bind.use
            )
    yield from _listed(host.get("Mounts"), f"{prefix}HostConfig.Mounts", "Target")
    yield from _listed(fact.get("Mounts") if fact else None, f"{prefix}Mounts", "Destination")


def _listed(mounts: Json, where: str, target: str) -> Iterator[_Mount]:
    for index, mount in enumerate(mounts if isinstance(mounts, list) else ()):
        if not isinstance(mount, dict):
            continue
        here = f"{where}[{index}]"
        read_only = mount.get("ReadOnly") is True or mount.get("RW") is False
        propagation = text(mount, "Propagation") or text(part(mount, "BindOptions"), "Propagation")
        use = Use(read_only, propagation in ("shared", "rshared"))
        source = text(mount, "Source")
        match text(mount, "Type"):
            case "bind":
                yield _Mount(
                    here, clean(source) if source.startswith("/") else source, "", _target(text(mount, target)), use
                )
            case "volume" if name := text(mount, "Name") or ("" if source.startswith("/") else source):
                yield _Mount(here, "", name, _target(text(mount, target)), use)


def _target(path: str) -> str:
    """Where a mount stands in the container; the root where that is not plain, which every path is below."""
    return clean(path) if path.startswith("/") else "/"
