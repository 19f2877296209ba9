"""What is mounted into a container: host paths and volumes, by every road that Docker has.

    Binds      "src:dst:mode"      a host path if it begins with a slash, else the name of a volume
    Mounts     {Type, Source, …}   bind, volume (with driver options), tmpfs, image
    Volumes    {"/path": {}}       anonymous volumes
    volumes    DriverOpts          of the `local` driver: the arguments of mount(2), run by the engine as root

A named volume is always looked up: its options may make it a host path in disguise, and options that are sent along are
ignored where the volume exists (moby, daemon/volume/service/store.go).

The engine follows symbolic links when it mounts. Where sockproxy can see the host's root, a path is asked for, and
forwarded, as where it leads (`host_path`); what is on the engine's record is asked for as both (`recorded_path`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.whose import VOLUME_NAME, Labels, image, labels_of, number, part, text, volume_fact
from sockproxy.docker.paths import check_absolute, clean
from sockproxy.errors import Malformed
from sockproxy.model import Json, JsonObject, Missing

ANONYMOUS: Final = "(anonymous)"
"""The value of a volume's ask where it has no name."""

_SHARED: Final = frozenset({"shared", "rshared"})
_PROPAGATION: Final = frozenset({"private", "rprivate", "slave", "rslave"}) | _SHARED
_MODES: Final = _PROPAGATION | {"rw", "ro", "z", "Z", "nocopy", "consistent", "cached", "delegated"}
"""Every mode word that Linux engines take (moby, daemon/volume/mounts/linux_parser.go)."""


@dataclass(frozen=True, slots=True)
class Use:
    """How a mount is used."""

    read_only: bool
    shared: bool = False
    nonrecursive: bool = False
    """What is mounted below it stays writable, though it is read-only itself."""


# Host paths


def host_path(found: Findings, path: str, where: str, use: Use) -> str | None:
    """The ask of a host path that a call hands to the engine. Gives back what is to be forwarded in its place.

    None while nobody knows where it leads, or where nobody can know: then nothing is forwarded, as an ask is noted
    that no grant covers.
    """
    plain, led = _plain(path), found.resolve(path)
    if led is None:
        # Said all the same, for the denial of a row that no rule allows: nothing is looked up for that.
        _ask_path(found, plain, where, use)
        return None
    return _ask_led(found, plain, led, where, use)


def recorded_path(found: Findings, path: str, where: str, use: Use) -> None:
    """The asks of a host path on the engine's record: as it says, which it may have meant, and as it leads today."""
    led = host_path(found, path, where, use)
    if led is not None and led != _plain(path):
        _ask_path(found, _plain(path), where, use)


def moved_path(found: Findings, path: str, where: str, use: Use) -> None:
    """The ask of a host path on the engine's record that is mounted anew: none where it leads to where it says."""
    plain, led = _plain(path), found.resolve(path)
    if led is not None and led != plain:
        _ask_led(found, plain, led, where, use)


def _ask_led(found: Findings, plain: str, led: str | Missing, where: str, use: Use) -> str | None:
    if isinstance(led, Missing):
        _ask_path(found, plain, f"{where} ({led.message})", use, grantable=False)
        return None
    _ask_path(found, led, where if led == plain else f"{where} ({plain} leads there)", use)
    return led


def _ask_path(found: Findings, path: str, where: str, use: Use, *, grantable: bool = True) -> None:
    found.ask(
        "bind",
        path,
        where,
        read_only=use.read_only,
        shared=use.shared,
        # Engines before 1.44 know no other kind of read-only.
        nonrecursive=use.read_only and use.nonrecursive and found.context.engine_version >= _RECURSIVE_READ_ONLY,
        grantable=grantable,
    )


def _plain(path: str) -> str:
    return clean(path) if path.startswith("/") else path


_RECURSIVE_READ_ONLY: Final = (1, 44)
"""From this version on a read-only bind is one with all that is mounted below it, where the kernel can (5.12)."""
_NON_RECURSIVE: Final = (1, 40)
"""Before this version `BindOptions.NonRecursive` is ignored (moby, container_routes.go)."""


def _from_an_old_client(found: Findings) -> bool:
    """Whether the engine does for this call what it did before 1.44, when read-only was the upper mount alone."""
    return found.call.version < _RECURSIVE_READ_ONLY


# Binds


@dataclass(frozen=True, slots=True)
class BindSpec:
    """One entry of `Binds`, parsed."""

    source: str
    """A cleaned host path, the name of a volume, or empty for an anonymous volume."""
    target: str
    use: Use


def parse_bind(spec: str, where: str) -> BindSpec:
    """Read ``src:dst[:mode]`` as the engine does (moby, ``linuxParser.ParseMountRaw``).

    Raises:
        Malformed: the engine would refuse it, or take a part of it for something else than it looks like.
    """
    parts = spec.split(":", 3)
    if len(parts) > 3:
        raise Malformed(f"{where}: `{spec}` has more than source, target and mode")
    if len(parts) == 1:
        return BindSpec("", parts[0], Use(read_only=False))
    source, target = parts[0], parts[1]
    if not target.startswith("/"):
        raise Malformed(f"{where}: `{spec}` needs an absolute target")
    use = _parse_mode(parts[2], where) if len(parts) == 3 else Use(read_only=False)
    return BindSpec(_parse_source(source, where), target, use)


def _parse_source(source: str, where: str) -> str:
    if source.startswith("/"):
        return clean(source)
    if not VOLUME_NAME.fullmatch(source):
        raise Malformed(f"{where}: `{source}` is neither an absolute host path nor the name of a volume")
    return source


def _parse_mode(mode: str, where: str) -> Use:
    words = mode.split(",")
    for word in words:
        if word not in _MODES:
            raise Malformed(f"{where}: `{word}` is no mode of a bind")
    if "ro" in words and "rw" in words:
        raise Malformed(f"{where}: `{mode}` is both read-only and writable")
    return Use("ro" in words, not _SHARED.isdisjoint(words))


def inspect_bind(found: Findings, spec: str, where: str) -> str:
    """The asks of one entry of `Binds`. Gives back what is to be forwarded in its place."""
    bind = parse_bind(spec, where)
    use = replace(bind.use, nonrecursive=_from_an_old_client(found))
    if not bind.source.startswith("/"):
        inspect_volume(found, bind.source, where, use, target=bind.target)
        return spec
    path = host_path(found, bind.source, where, use)
    if path is None:
        return spec
    if ":" in path:
        # It would be read as the end of the source. Only a link can lead there: what is sent has been split.
        _ask_path(found, path, f"{where} ({bind.source} leads there: send it as one of Mounts)", use, grantable=False)
        return spec
    return path + spec[spec.index(":") :]


# Mounts


def inspect_mount(found: Findings, mount: JsonObject, where: str) -> JsonObject:
    """The asks of one of `Mounts`. Gives back what is to be forwarded in its place."""
    kind = text(mount, "Type")
    source = text(mount, "Source")
    use = Use(mount.get("ReadOnly") is True, nonrecursive=_from_an_old_client(found))
    # Judged whatever the type: an engine that takes options for a type they do not belong to has not been met yet.
    mount = _inspect_driver_config(found, mount, where, use)
    match kind:
        case "bind":
            path = _inspect_bind_mount(found, mount, source, where, use)
            return mount if path is None else {**mount, "Source": path}
        case "volume":
            labels = labels_of(part(mount, "VolumeOptions", "Labels"))
            inspect_volume(found, source, where, use, target=text(mount, "Target"), new_labels=labels)
        case "image":
            known = image(found, source, f"{where}.Source")
            return {**mount, "Source": known.identity or known.forward} if known else mount
        case "tmpfs":
            options = part(mount, "TmpfsOptions")
            _inspect_tmpfs_options(found, options.get("Options"), where)
            _inspect_shared_memory(
                found, text(mount, "Target"), number(options, "SizeBytes"), f"{where}.TmpfsOptions.SizeBytes"
            )
        case _:
            # `npipe` and `cluster` are refused by a Linux engine; what a newer one adds is unknown here.
            found.ask("field", f"{_name(where)}.Type={kind}", f"{where}.Type", grantable=False)
    return mount


def _inspect_bind_mount(found: Findings, mount: JsonObject, source: str, where: str, use: Use) -> str | None:
    # A backslash counts as absolute in the engine and becomes a *relative* path (moby, linux_parser.go:33).
    check_absolute(source, f"{where}.Source")
    options = part(mount, "BindOptions")
    propagation = text(options, "Propagation")
    if propagation and propagation not in _PROPAGATION:
        found.ask("field", f"{_name(where)}.BindOptions.Propagation={propagation}", f"{where}.BindOptions.Propagation")
    nothing_below = options.get("NonRecursive") is True and found.call.version >= _NON_RECURSIVE
    shallow = not nothing_below and (use.nonrecursive or options.get("ReadOnlyNonRecursive") is True)
    return host_path(found, source, where, Use(use.read_only, propagation in _SHARED, shallow))


def _inspect_driver_config(found: Findings, mount: JsonObject, where: str, use: Use) -> JsonObject:
    """The asks of the driver that a mount brings along. Gives back the mount to be forwarded."""
    volume = part(mount, "VolumeOptions")
    config = part(volume, "DriverConfig")
    driver, options = text(config, "Name"), part(config, "Options")
    if not (driver or options):
        return mount
    here = f"{where}.VolumeOptions.DriverConfig"
    judged = inspect_driver(found, driver, options, here, use)
    inspect_memory_volume(found, text(mount, "Target"), driver, options, here)
    if judged == options:
        return mount
    return {**mount, "VolumeOptions": {**volume, "DriverConfig": {**config, "Options": judged}}}


def _inspect_tmpfs_options(found: Findings, options: Json, where: str) -> None:
    for option in options if isinstance(options, list) else ():
        # Engines take `exec` and `noexec` alone (moby, linux_parser.go); another would be new.
        if option not in (["exec"], ["noexec"]):
            shown = "=".join(str(word) for word in option) if isinstance(option, list) else str(option)
            found.ask("field", f"{_name(where)}.TmpfsOptions.Options={shown}", f"{where}.TmpfsOptions.Options")


_TMPFS_WORDS: Final = frozenset(
    {
        *("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "huge"),
        *("ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "defaults"),
        *("sync", "async", "dirsync", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime"),
        *("strictatime", "nostrictatime", "iversion", "noiversion", "mand", "nomand", "loud", "silent"),
        *("private", "rprivate", "slave", "rslave", "unbindable", "runbindable"),
    }
)


def inspect_tmpfs(found: Findings, target: str, options: str, where: str) -> None:
    """The asks of one of `Tmpfs`: none, but for words that make another mount of it (`shared`, `bind`, `remount`)."""
    for option in options.split(","):
        word = option.partition("=")[0]
        if word and word not in _TMPFS_WORDS:
            found.ask("field", f"{_name(where)}={word}", where)
    _inspect_shared_memory(found, target, _tmpfs_size(options), where)


def _tmpfs_size(options: str) -> int:
    """Bytes that the options of a tmpfs come to; 0, which is as much as there is, where they do not say.

    `size` and `nr_blocks` are one setting, and the later counts (Linux, ``mm/shmem.c``; tried on 20.10 and 28.5). How
    long a block is only the engine's own machine knows.
    """
    size = 0
    for option in options.split(","):
        word, _, value = option.partition("=")
        if word in ("size", "nr_blocks"):
            size = _tmpfs_bytes(value) if word == "size" else 0
    return size


_TMPFS_SIZE: Final = re.compile(r"([0-9]{1,19})([kmg]?)", re.ASCII | re.IGNORECASE)


def _tmpfs_bytes(value: str) -> int:
    """Bytes that a `size=` comes to; 0, which is as much as there is, where it says a part of the host's memory."""
    match = _TMPFS_SIZE.fullmatch(value)
    return int(match[1]) << (10 * " kmg".index(match[2].lower() or " ")) if match is not None else 0


_SHARED_MEMORY: Final = frozenset({"/dev/shm", "/dev"})  # noqa: S108 - a container's
"""Where it is, and the folder that it is in: mounted anew, that has none but what is made there."""
_ENDLESS: Final = -1
"""No limit at all, as the engine writes it."""


def _inspect_shared_memory(found: Findings, target: str, size: int, where: str) -> None:
    """The ask of a tmpfs that stands where shared memory does: it takes the place of the one that `ShmSize` limits."""
    if clean(f"/{target}") in _SHARED_MEMORY:
        found.ask("limit", "shm", where, amount=size if size > 0 else _ENDLESS)


_MEMORY_TYPES: Final = frozenset({"tmpfs", "ramfs", "hugetlbfs"})
"""File systems that are memory; the first alone keeps to a size in bytes of its own."""


def inspect_memory_volume(found: Findings, target: str, driver: str, options: JsonObject, where: str) -> None:
    """The ask of a volume that is made of memory where shared memory stands."""
    kind = text(options, "type")
    if driver in ("", "local") and kind in _MEMORY_TYPES:
        size = _tmpfs_size(text(options, "o")) if kind == "tmpfs" else 0
        _inspect_shared_memory(found, target, size, where)


def _name(where: str) -> str:
    """A place without its index."""
    return where.partition("[")[0]


# Volumes


def inspect_volume(found: Findings, name: str, where: str, use: Use, *, target: str, new_labels: Labels = ()) -> None:
    """The asks of using a volume: whose it is, and what its driver's options make of it. ``target`` is where.

    Raises:
        Malformed: no local volume can have that name.
    """
    if not name:
        found.ask("volume", ANONYMOUS, where, read_only=use.read_only, labels=new_labels)
        return
    if not VOLUME_NAME.fullmatch(name):
        raise Malformed(f"{where}: `{name}` is not the name of a volume")
    fact = volume_fact(found, name)
    if fact is None:
        return
    # One that is missing will be made by this call.
    labels = new_labels if isinstance(fact, Missing) else labels_of(fact.get("Labels"))
    found.ask("volume", name, where, read_only=use.read_only, labels=labels)
    if not isinstance(fact, Missing):
        driver, options, here = text(fact, "Driver"), part(fact, "Options"), f"{where} (volume {name})"
        inspect_driver(found, driver, options, here, use, recorded=True)
        inspect_memory_volume(found, target, driver, options, here)


def inspect_hidden_binds(found: Findings, name: str, where: str, use: Use) -> None:
    """What the options of a volume make of it, without asking whose it is."""
    if not VOLUME_NAME.fullmatch(name):
        # Only a plug-in's volume has such a name, and it cannot be looked up.
        found.ask("volume-driver", "(unknown)", where)
        return
    fact = volume_fact(found, name)
    if fact is not None and not isinstance(fact, Missing):
        inspect_driver(
            found, text(fact, "Driver"), part(fact, "Options"), f"{where} (volume {name})", use, recorded=True
        )


_BIND_FLAGS: Final = frozenset({"bind", "rbind"})
_FREE_FLAGS: Final = frozenset(
    {
        *_BIND_FLAGS,
        *_PROPAGATION,
        *("ro", "rw", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "strictatime", "defaults"),
    }
)
"""What a bind's `o` may say without asking more than the bind itself does: access, hardening, times, propagation."""


def inspect_moved_volume(found: Findings, name: str, where: str, use: Use) -> None:
    """The ask of a volume whose options are a bind, where that leads elsewhere than it says."""
    fact = volume_fact(found, name)
    if fact is None or isinstance(fact, Missing):
        return
    options = part(fact, "Options")
    flags = _flags(options)
    if _is_host_path(text(fact, "Driver") or "local", options, flags):
        moved_path(found, text(options, "device"), f"{where} (volume {name})", _device_use(flags, use))


def inspect_driver(
    found: Findings, driver: str, options: JsonObject, where: str, use: Use, *, recorded: bool = False
) -> JsonObject:
    """The asks of a volume's driver and options. Gives back the options to be forwarded.

    ``recorded``: it is there already, and these are what the engine says of it.

    Of the `local` driver, options that amount to a bind mount ask for the host path: `o` says `bind`, or `device` is a
    path of the host. Where they are a plain bind that is all; each option that a plain bind has no use for (another
    file system type, further flags, a quota) is an ask of its own besides.
    """
    driver = driver or "local"
    if driver != "local":
        found.ask("volume-driver", driver, where)
    flags = _flags(options)
    if _is_host_path(driver, options, flags):
        device, whole = text(options, "device"), _device_use(flags, use)
        if recorded:
            recorded_path(found, device, where, whole)
        elif (path := host_path(found, device, where, whole)) is not None and device:
            options = {**options, "device": path}
    # What only looks like `bind` is a bind to nobody else: the rest of such a mount is asked for as what it is.
    bound = driver == "local" and not _BIND_FLAGS.isdisjoint(text(options, "o").split(","))
    for key, value in options.items():
        if not (bound and _plain_bind_option(key, value, flags)):
            found.ask("volume-driver", f"{driver} {key}={value}", where)
    return options


def _flags(options: JsonObject) -> list[str]:
    # The engine splits without trimming; a flag that only looks like `bind` is taken for it here all the same.
    return [flag.strip().lower() for flag in text(options, "o").split(",") if flag.strip()]


def _is_host_path(driver: str, options: JsonObject, flags: list[str]) -> bool:
    bound = not _BIND_FLAGS.isdisjoint(flags)
    return driver == "local" and (bound or text(options, "device").startswith("/"))


def _device_use(flags: list[str], use: Use) -> Use:
    """How a volume's device is used: read-only by the volume's use, or by its own mount."""
    by_itself = "ro" in flags and "rw" not in flags
    # Used read-only, a volume is so with all that is mounted below, whatever the client's version. By its own mount it
    # is the upper one alone, and `rbind` brings the others along.
    nonrecursive = "rbind" in flags and not use.read_only
    return Use(use.read_only or by_itself, use.shared or not _SHARED.isdisjoint(flags), nonrecursive)


def _plain_bind_option(key: str, value: Json, flags: list[str]) -> bool:
    match key:
        case "type":
            return value in ("", "none", "bind")
        case "device":
            return True
        case "o":
            return _FREE_FLAGS.issuperset(flags)
        case _:
            return False
