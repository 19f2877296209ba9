"""What a service mounts: volumes, tmpfs, and the secrets and configs that are files.

    short   [SOURCE:]TARGET[:OPTIONS]     a path (`.`, `/`, `~`), else the name of a volume
    long    {type, source, target, …}     bind, volume, tmpfs, image, npipe, cluster

Compose sends a plain bind or a named volume in `Binds`, where the engine makes a missing host path, and the rest in
`Mounts` (compose, ``create.go``; recorded of 2.40). Of two mounts at one place the later one holds; a secret or config
gives way to a volume.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sockproxy.compose.document import Mapping, Node, Scalar, is_nothing
from sockproxy.compose.notes import nearest
from sockproxy.compose.project import Volume
from sockproxy.compose.values import Values
from sockproxy.docker.paths import clean
from sockproxy.model import Json, JsonObject
from sockproxy.policy.document import Place

_PROPAGATION: Final = frozenset({"rprivate", "private", "rshared", "shared", "rslave", "slave"})
_SELINUX: Final = frozenset({"z", "Z"})
_DRIVE: Final = re.compile(r"[A-Za-z]:[/\\]|\\\\")
"""Begins a path of Windows: compose leaves those as they are, on Linux too."""
_TYPES: Final = ("bind", "volume", "tmpfs", "image", "npipe", "cluster")
_RECURSIVE: Final = {
    "disabled": "NonRecursive",
    "writable": "ReadOnlyNonRecursive",
    "readonly": "ReadOnlyForceRecursive",
}


@dataclass(slots=True)
class _Use:
    """One entry of `volumes`."""

    place: Place
    type: str = "volume"
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    propagation: str = ""
    selinux: str = ""
    recursive: str = ""
    create_host_path: bool = True
    options: JsonObject | None = None
    """`VolumeOptions`, `TmpfsOptions` or `ImageOptions`; None where the file says nothing of them."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """The mounts of a service."""

    binds: list[Json] = field(default_factory=list)
    mounts: list[Json] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    """Keys of the top level's volumes that are used."""
    copied: list[bool] = field(default_factory=list)
    """Secrets and configs that are copied into each container, and whether each has an owner of its own."""


class MountReader:
    """Reads mounts; it knows the top level, and where relative paths lead."""

    def __init__(
        self,
        values: Values,
        *,
        volumes: Map[str, Volume],
        secrets: Mapping | None,
        configs: Mapping | None,
        folder_of: Callable[[Place], Path],
        home: str,
    ) -> None:
        self._values = values
        self._notes = values.notes
        self._volumes = volumes
        self._things = {"secret": secrets, "config": configs}
        self._folder_of = folder_of
        self._home = home

    def read(self, service: Mapping) -> Mounted:
        """The mounts of one service."""
        uses: dict[str, _Use] = {}
        for entry in self._values.items(service.get("volumes")):
            use = self._long(entry) if isinstance(entry, Mapping) else self._short(entry)
            if use is not None:
                uses[use.target] = use
        mounted = Mounted()
        for use in uses.values():
            self._mount(use, mounted)
        for kind, base in (("secret", "/run/secrets/"), ("config", "/")):
            self._files(service, kind, base, uses, mounted)
        return mounted

    def path(self, word: str, place: Place) -> str:
        """A path of this machine, as compose sends it: absolute, and clean where it was relative."""
        if word == "~" or word.startswith("~/"):
            return os.path.normpath(f"{self._home}/{word[2:]}")
        if word.startswith("/") or _DRIVE.match(word):
            return word
        return os.path.normpath(self._folder_of(place).absolute() / word)

    # Entries

    def _short(self, entry: Node) -> _Use | None:
        word = self._values.text(entry)
        parts = _split(word)
        if not word or len(parts) > 3 or not all(parts):
            self._notes.wrong(entry, f"`{word}` is no volume", "write [SOURCE:]TARGET[:OPTIONS]")
            return None
        if len(parts) == 1:
            return _Use(entry.place, target=_target(parts[0]), options={})
        use = _Use(entry.place, source=parts[0], target=_target(parts[1]))
        if _is_path(parts[0]):
            use.type, use.source = "bind", self.path(parts[0], entry.place)
        else:
            use.options = {}
        for option in parts[2].split(",") if len(parts) == 3 else ():
            self._option(use, option, entry)
        return use

    def _option(self, use: _Use, option: str, entry: Node) -> None:
        if option in ("ro", "rw"):
            use.read_only = option == "ro"
        elif option in _PROPAGATION:
            use.propagation = option
        elif option in _SELINUX:
            use.selinux = option
        elif option == "nocopy":
            use.options = {"NoCopy": True}
        else:
            self._notes.say(entry, f"`{option}` is no option of a volume, and compose passes over it")

    def _long(self, entry: Mapping) -> _Use | None:
        values = self._values
        use = _Use(
            entry.place,
            type=values.text(entry.get("type")),
            source=values.text(entry.get("source")),
            target=_target(values.text(entry.get("target"))),
            read_only=values.flag(entry.get("read_only")),
            consistency=values.text(entry.get("consistency")),
        )
        if use.type not in _TYPES:
            hint = nearest(use.type, _TYPES) or f"one of {', '.join(_TYPES)}"
            self._notes.wrong(entry.get("type") or entry, f"`{use.type}` is no type of a mount", hint)
            return None
        if not use.target:
            self._notes.wrong(entry, "a mount without a `target`, its place in the container")
            return None
        if use.type == "bind":
            if not use.source:
                self._notes.wrong(entry, "a bind without a `source`")
                return None
            use.source = self.path(use.source, (entry.get("source") or entry).place)
            self._bind(use, values.mapping(entry.get("bind")))
        elif (below := values.mapping(entry.get(use.type))) is not None:
            use.options = self._options(use.type, below)
        return use

    def _bind(self, use: _Use, bind: Mapping | None) -> None:
        if bind is None:
            return
        use.propagation = self._values.text(bind.get("propagation"))
        use.selinux = self._values.text(bind.get("selinux"))
        use.recursive = self._values.text(bind.get("recursive"))
        # Where anything is said of a bind, the host path is made only where that is said too (recorded of 2.40).
        use.create_host_path = self._values.flag(bind.get("create_host_path"))

    def _options(self, kind: str, below: Mapping) -> JsonObject:
        values = self._values
        given: JsonObject = {}
        match kind:
            case "volume":
                labels: JsonObject = dict(values.texts(below.get("labels")))
                given = {"NoCopy": values.flag(below.get("nocopy")), "Labels": labels}
                given["Subpath"] = values.text(below.get("subpath"))
            case "tmpfs":
                given = {"SizeBytes": values.size(below.get("size")), "Mode": self._mode(below.get("mode"))}
            case "image":
                given = {"Subpath": values.text(below.get("subpath"))}
        return {key: value for key, value in given.items() if value}

    def _mode(self, node: Node | None) -> int:
        """A file's mode: a number as YAML reads it, a text in octal digits."""
        word = self._values.text(node)
        try:
            return int(word or "0", 10 if isinstance(node, Scalar) and node.plain else 8)
        except ValueError:
            assert node is not None
            self._notes.wrong(node, f"`{word}` is no mode of a file", "write 0o755")
            return 0

    # Mounting

    def _mount(self, use: _Use, mounted: Mounted) -> None:
        source = use.source
        if use.type == "volume" and source:
            volume = self._volumes.get(source)
            if volume is None:
                hint = nearest(source, self._volumes) or "list it under `volumes:` at the top level"
                self._notes.wrong(use, f"the volume `{source}` is not in this file", hint)
                return
            mounted.volumes.append(source)
            source = volume.name
        if source and _fits_binds(use):
            mounted.binds.append(f"{source}:{use.target}:{_mode_words(use)}")
            return
        mounted.mounts.append(_as_mount(use, source))

    def _files(self, service: Mapping, kind: str, base: str, uses: Map[str, _Use], mounted: Mounted) -> None:
        """Secrets or configs: a file is bound, read-only; what comes from elsewhere is copied in at the start."""
        targets: dict[str, Json] = {}
        for entry in self._values.items(service.get(f"{kind}s")):
            below = entry if isinstance(entry, Mapping) else None
            name = self._values.text(below.get("source") if below is not None else entry)
            target = self._values.text(below.get("target")) if below is not None else ""
            target = target if target.startswith("/") else base + (target or name)
            thing = self._thing(kind, name, entry)
            if thing is None:
                continue
            if thing.get("file") is not None and not is_nothing(thing.get("file")):
                file = thing.get("file")
                assert file is not None
                source = self.path(self._values.text(file), file.place)
                bound: JsonObject = {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}
                targets[target] = bound | ({"BindOptions": {}} if kind == "secret" else {})
                continue
            if self._values.flag(service.get("read_only")):
                self._notes.wrong(
                    entry,
                    f"the {kind} `{name}` cannot be copied into a service that is `read_only`",
                    "give it a `file:`",
                )
            owned = below is not None and any(not is_nothing(below.get(key)) for key in ("uid", "gid"))
            mounted.copied.append(owned)
        mounted.mounts.extend(mount for target, mount in targets.items() if target not in uses)

    def _thing(self, kind: str, name: str, at: Node) -> Mapping | None:
        """A secret or config of the top level; None, and a problem, where there is none that compose can give."""
        things = self._things[kind]
        thing = things.get(name) if things is not None else None
        if not isinstance(thing, Mapping):
            known = [key.text for key, _ in things.entries] if things is not None else []
            self._notes.wrong(at, f"the {kind} `{name}` is not in this file", nearest(name, known))
            return None
        if not is_nothing(thing.get("external")) and self._external(thing):
            self._notes.wrong(at, f"the {kind} `{name}` is external: only a swarm has those", "give it a `file:`")
            return None
        for key in ("driver", "template_driver"):
            if not is_nothing(thing.get(key)):
                self._notes.wrong(thing.get(key) or thing, f"compose knows no `{key}` of a {kind}")
                return None
        sources = [key for key in ("file", "environment", "content") if not is_nothing(thing.get(key))]
        if len(sources) != 1:
            said = " and ".join(f"`{key}:`" for key in sources) or "neither `file:` nor `environment:`"
            self._notes.wrong(thing, f"the {kind} `{name}` says {said}", "write one of them")
            return None
        return thing

    def _external(self, thing: Mapping) -> bool:
        said = thing.get("external")
        return isinstance(said, Mapping) or self._values.flag(said)


def _split(word: str) -> list[str]:
    """The parts of a short volume: a colon behind a single letter is a drive's, as compose has it on Linux too."""
    parts, start, at = [], 0, 0
    while (at := word.find(":", at)) >= 0:
        if not (at - start == 1 and word[start].isalpha()):
            parts.append(word[start:at])
            start = at + 1
        at += 1
    return [*parts, word[start:]]


def _target(word: str) -> str:
    """A place in the container, clean: two spellings of one are one mount."""
    if not word:
        return ""
    return clean(word) if word.startswith("/") else os.path.normpath(word)


def _is_path(word: str) -> bool:
    return word[:1] in (".", "/", "~") or word.startswith("\\\\") or (word[1:2] == ":" and word[:1].isalpha())


def _fits_binds(use: _Use) -> bool:
    """Whether it can be said in `Binds`."""
    if use.type == "bind":
        return use.create_host_path and not use.propagation and not use.recursive
    return use.type == "volume" and not use.options


def _mode_words(use: _Use) -> str:
    words = ["ro" if use.read_only else "rw", use.selinux]
    return ",".join(word for word in words if word)


def _as_mount(use: _Use, source: str) -> JsonObject:
    mount: JsonObject = {"Type": use.type}
    if source:
        mount["Source"] = source
    mount["Target"] = use.target
    if use.read_only:
        mount["ReadOnly"] = True
    if use.consistency:
        mount["Consistency"] = use.consistency
    if use.type == "bind":
        options: JsonObject = {"Propagation": use.propagation} if use.propagation else {}
        if use.create_host_path:
            options["CreateMountpoint"] = True
        if use.recursive in _RECURSIVE:
            options[_RECURSIVE[use.recursive]] = True
        mount["BindOptions"] = options
    elif use.options is not None:
        mount[f"{use.type.capitalize()}Options"] = use.options
    return mount


def read_tmpfs(node: Node | None, values: Values) -> JsonObject:
    """`Tmpfs`: places and their options."""
    found: JsonObject = {}
    for word in values.some_words(node):
        target, _, options = word.partition(":")
        found[target] = options
    return found
