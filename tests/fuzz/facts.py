"""What an engine may answer to a look-up, by the noun that is looked up: made and changed as bodies are (``shapes.py``)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from sockproxy import rehearse
from sockproxy.docker.fields.containers import CONFIG_FIELDS, HOST_CONFIG, MOUNT
from sockproxy.docker.fields.schema import Bool, List, Map, Str, Struct
from sockproxy.docker.fields.services import SPEC
from sockproxy.docker.paths import clean
from sockproxy.model import HOST, JsonObject, Missing
from tests.fuzz import shapes

_TEXT, _TEXTS, _FLAG, _LABELS = Str(), List(Str()), Bool(), Map(Str())
_PLUGIN_MOUNTS = List(Struct({"Type": _TEXT, "Source": _TEXT, "Options": _TEXTS}))
_PLUGIN_DEVICES = List(Struct({"Path": _TEXT}))

SHAPES: Mapping[str, Struct] = {
    "containers": Struct(
        {
            "Id": _TEXT,
            "Name": _TEXT,
            "Config": Struct({key: CONFIG_FIELDS[key] for key in ("Labels", "User", "Image", "Volumes", "Cmd")}),
            "HostConfig": HOST_CONFIG,
            "Mounts": List(
                Struct({**MOUNT.fields, "Name": _TEXT, "Destination": _TEXT, "RW": _FLAG, "Propagation": _TEXT})
            ),
        }
    ),
    "volumes": Struct({"Name": _TEXT, "Driver": _TEXT, "Options": _LABELS, "Labels": _LABELS}),
    "networks": Struct({"Id": _TEXT, "Name": _TEXT, "Driver": _TEXT, "Scope": _TEXT, "Labels": _LABELS}),
    "images": Struct({"Id": _TEXT, "RepoTags": _TEXTS, "RepoDigests": _TEXTS}),
    "exec": Struct(
        {
            "ID": _TEXT,
            "ContainerID": _TEXT,
            "ProcessConfig": Struct({"entrypoint": _TEXT, "arguments": _TEXTS, "user": _TEXT, "privileged": _FLAG}),
        }
    ),
    "services": Struct({"ID": _TEXT, "Spec": SPEC}),
    "nodes": Struct({"ID": _TEXT, "Spec": Struct({"Name": _TEXT, "Role": _TEXT, "Labels": _LABELS})}),
    "tasks": Struct({"ID": _TEXT, "ServiceID": _TEXT}),
    "secrets": Struct({"ID": _TEXT, "Spec": Struct({"Name": _TEXT, "Labels": _LABELS})}),
    "configs": Struct({"ID": _TEXT, "Spec": Struct({"Name": _TEXT, "Labels": _LABELS})}),
    "plugins": Struct(
        {
            "Id": _TEXT,
            "Name": _TEXT,
            "Enabled": _FLAG,
            "Config": Struct(
                {
                    "Network": Struct({"Type": _TEXT}),
                    "PidHost": _FLAG,
                    "IpcHost": _FLAG,
                    "Linux": Struct({"Capabilities": _TEXTS, "AllowAllDevices": _FLAG, "Devices": _PLUGIN_DEVICES}),
                    "Mounts": _PLUGIN_MOUNTS,
                }
            ),
            "Settings": Struct({"Mounts": _PLUGIN_MOUNTS, "Devices": _PLUGIN_DEVICES, "Env": _TEXTS}),
        }
    ),
    "host": Struct({"Path": _TEXT}),
    "stat": Struct({"linkTarget": _TEXT}),
}

_ALWAYS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "containers": {"Name": ("/web", "/db", "/ci-1"), "Id": (shapes.ID, shapes.OWN, "f" * 64)},
    "volumes": {"Name": ("data", "v"), "Driver": ("local", "local", "nfs", "")},
    "networks": {
        "Name": ("front", "host", "bridge", "ci-net"),
        "Id": (shapes.ID, "f" * 64),
        "Driver": ("bridge", "host"),
    },
    "images": {"Id": (f"sha256:{shapes.ID}",), "RepoTags": (["busybox:latest", "python:3.12"], [])},
    "exec": {"ContainerID": (shapes.ID, shapes.OWN, "web"), "ID": (shapes.ID,)},
    "services": {"ID": ("s" * 25,)},
    "nodes": {"ID": ("n" * 25,), "Spec": ({"Role": "worker"}, {"Role": "manager"})},
    "tasks": {"ServiceID": ("s" * 25, "web")},
    "plugins": {"Name": ("vieux/sshfs:latest", "web:latest")},
    "host": {"Path": shapes.PATHS},
    "stat": {"linkTarget": shapes.PATHS},
}


def noun(path: str) -> str:
    """The noun of a look-up: of ``/containers/web/json``, or of ``host:/srv``."""
    return path.split("/")[1] if path.startswith("/") else path.partition(":")[0]


def made(rng: Random, path: str) -> dict[str, Any] | None:
    """An answer, nothing where the thing is not there."""
    schema = SHAPES.get(noun(path))
    if schema is None or rng.random() < 0.05:
        return None
    chosen = {key: rng.choice(values) for key, values in _ALWAYS.get(noun(path), {}).items()}
    parts = {key: shapes.value(rng, each, key) for key, each in schema.fields.items() if rng.random() < 0.7}
    return {key: value for key, value in (parts | chosen).items() if value is not None}


def changed(rng: Random, path: str, old: Any) -> dict[str, Any] | None:
    """An answer changed in one place."""
    if not isinstance(old, dict) or rng.random() < 0.1:
        return made(rng, path)
    new = shapes.changed(rng, old, SHAPES.get(noun(path)))
    return new if isinstance(new, dict) else None


# The engine that answers ---------------------------------------------------------------------------------------------

_HEX = re.compile("[0-9a-f]{64}")
_IMAGE = re.compile("sha256:[0-9a-f]{64}")
_SWARM = re.compile("[0-9a-z]{25}")
_IDS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    **dict.fromkeys(("containers", "networks", "plugins"), ("Id", _HEX)),
    "images": ("Id", _IMAGE),
    "exec": ("ID", _HEX),
    **dict.fromkeys(("services", "nodes", "tasks", "secrets", "configs"), ("ID", _SWARM)),
}
"""Under which key a noun's answers have their id, and how an engine makes one."""


class Engine:
    """Answers look-ups: as it is told, else with a thing of that name. A thing is the same under its id.

    What it says of names and ids is believed by those who ask, so it gives none that no engine would.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = {path: _named(path, fact) for path, fact in told.items()}
        self._things: dict[str, JsonObject | Missing] = {}
        for path, fact in self._told.items():
            self._note(path, fact)

    def answer(self, path: str) -> JsonObject | Missing:
        """What it says to a look-up."""
        if path.startswith("/"):
            path = path.partition("?")[0]  # a query narrows what is looked for
        if path not in self._things:
            self._things[path] = self._made(path)
            self._note(path, self._things[path])
        return self._things[path]

    def consistent(self, seen: Mapping[str, JsonObject | Missing]) -> bool:
        """Whether all that was seen is seen in the same way by its id."""
        for path, fact in seen.items():
            identity = _identity(path, fact)
            if identity is not None and self.answer(_by_id(path, identity)) != fact:
                return False
            led = fact.get("Path") if path.startswith(HOST) and isinstance(fact, dict) else None
            if led is not None and self.answer(f"{HOST}{led}") != fact:
                return False  # where a path leads there is no link on the way
        return True

    def _note(self, path: str, fact: Any) -> None:
        if (identity := _identity(path, fact)) is not None:
            self._things.setdefault(_by_id(path, identity), fact)

    def _made(self, path: str) -> JsonObject | Missing:
        if path in self._told:
            fact = self._told[path]
            return Missing(404, f"no such thing: {path}") if fact is None else fact
        name = path.split("/")[2] if path.startswith("/") else ""
        if re.fullmatch("[0-9a-f]{1,63}", name) and (known := self._by_prefix(path, name)) is not None:
            return known
        if noun(path) == "images":
            return Missing(404, f"no such image: {path}")
        fact = rehearse.stand_in({})(path)
        key, form = _IDS.get(noun(path), ("", _HEX))
        if isinstance(fact, Missing) or form is not _HEX or not key:
            return fact
        return {key: hashlib.sha256(path.encode()).hexdigest(), **fact}

    def _by_prefix(self, path: str, prefix: str) -> JsonObject | None:
        begin = f"/{noun(path)}/{'sha256:' if noun(path) == 'images' else ''}{prefix}"
        found = (fact for known, fact in self._things.items() if known.startswith(begin))
        return next((fact for fact in found if isinstance(fact, dict)), None)


def _identity(path: str, fact: Any) -> str | None:
    key, form = _IDS.get(noun(path), ("", _HEX))
    identity = fact.get(key) if isinstance(fact, dict) else None
    return identity if isinstance(identity, str) and form.fullmatch(identity) else None


def _by_id(path: str, identity: str) -> str:
    return f"/{noun(path)}/{identity}" + ("/json" if path.endswith("/json") else "")


def _named(path: str, fact: Any) -> Any:
    """A fact with a name and an id as engines give them, where it has others."""
    if not isinstance(fact, dict):
        return fact
    told = dict(fact)
    if path.startswith(HOST):
        return {"Path": clean(f"/{told.get('Path', '')}")}
    key, form = _IDS.get(noun(path), ("", _HEX))
    if key in told and _identity(path, told) is None:
        digest = hashlib.sha256(repr(told[key]).encode("utf-8", "replace")).hexdigest()
        told[key] = digest[:25] if form is _SWARM else f"sha256:{digest}" if form is _IMAGE else digest
    holder = told
    if form is _SWARM and noun(path) != "tasks":
        holder = told["Spec"] = {**(told["Spec"] if isinstance(told.get("Spec"), dict) else {})}
    name = holder.get("Name")
    if form is not _IMAGE and key and not (isinstance(name, str) and name.removeprefix("/")):
        holder["Name"] = "/named" if noun(path) == "containers" else "named"
    return told
