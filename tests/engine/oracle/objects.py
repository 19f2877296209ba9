"""How each noun is made, found again, looked at, removed, and compared with another of its kind."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.engine.oracle import powers, services
from tests.engine.oracle.bare import Answer
from tests.engine.oracle.powers import Fact, Power, Sent
from tests.engine.oracle.scene import MADE, Scene


@dataclass(frozen=True)
class Noun:
    """One sort of object."""

    path: Callable[[Answer], str]
    """Where an object that was just made is inspected."""
    powers: Callable[[Fact, Scene, Sent], list[Power]]
    view: Callable[[Any, Scene], Any]
    """An inspect without what differs from one object to the next: ids, times, names that the engine chose."""
    remove: Callable[[str, Fact, Scene], None]


def _container_view(fact: Any, scene: Scene) -> Any:
    """A container without its ids; references to others are all by id."""
    identity = fact["Id"]
    text = json.dumps(fact).replace(identity, "<id>").replace(identity[:12], "<short>")
    for mount in fact["Mounts"] or ():
        name = mount.get("Name") or (mount["Source"].split("/")[-2] if mount["Type"] == "volume" else "")
        if mount["Type"] == "volume" and len(name) == 64:
            text = text.replace(name, "<anonymous>")
    view = json.loads(text)
    for key in ("Id", "Created", "GraphDriver", "LogPath", "ResolvConfPath", "HostnamePath", "HostsPath", "State"):
        view.pop(key, None)
    if not fact["Name"].startswith(f"/{MADE}"):
        view.pop("Name")
    # The engine keeps them in no order, and by this container's own name.
    links = sorted(view["HostConfig"]["Links"] or ())
    view["HostConfig"]["Links"] = [link.replace(f":{fact['Name']}/", ":<name>/") for link in links]
    host, config = view["HostConfig"], view["Config"]
    # A client's note to itself, which no engine reads.
    host.pop("ContainerIDFile", None)
    if config["Image"]:
        config["Image"] = view["Image"] = scene.image_id(config["Image"]) or config["Image"]
    for key in ("PidMode", "IpcMode", "UTSMode", "UsernsMode", "Cgroup", "NetworkMode"):
        scheme, colon, reference = str(host.get(key) or "").partition(":")
        if colon and scheme == "container" and (other := scene.container(reference)):
            host[key] = f"container:{other['Id']}"
    host["NetworkMode"] = _network_id(host["NetworkMode"], scene)
    # Engines up to 23 note no runtime where no HostConfig came; sockproxy always sends one.
    host["Runtime"] = host.get("Runtime") or "runc"
    host["Binds"] = [_bind_view(each) for each in host["Binds"] or ()]
    host["VolumesFrom"] = [_taken(each, scene) for each in host["VolumesFrom"] or ()]
    for mount in host.get("Mounts") or ():
        _clean_mount(mount, scene)
    view["Mounts"] = sorted(
        (_mount_view(mount, scene) for mount in view["Mounts"] or ()), key=lambda mount: mount["Destination"]
    )
    networks = view["NetworkSettings"]["Networks"] or {}
    view["NetworkSettings"]["Networks"] = {
        _network_id(name, scene): _endpoint_view(endpoint) for name, endpoint in networks.items()
    }
    # What the default network's endpoint says is shown once more here.
    for key in (*_OVERWRITTEN, "MacAddress"):
        view["NetworkSettings"].pop(key, None)
    # The endpoint's, shown again where the engine finds it: not if the network was named by a part of its id.
    config.pop("MacAddress", None)
    return view


def _path(path: str) -> str:
    """Host paths are forwarded clean, and cleaned by the engine where they are not."""
    return "/" + posixpath.normpath(path).lstrip("/") if path.startswith("/") else path


def _bind_view(spec: str) -> str:
    source, colon, rest = spec.partition(":")
    return _path(source) + colon + rest if colon else spec


def _options_view(options: Any) -> Any:
    return {key: _path(each) if key == "device" else each for key, each in (options or {}).items()}


def _clean_mount(mount: dict[str, Any], scene: Scene) -> None:
    match mount.get("Type"):
        case "image":
            mount["Source"] = scene.image_id(mount["Source"]) or mount["Source"]
        case "bind":
            mount["Source"] = _path(mount.get("Source", ""))
        case "volume":
            config = (mount.get("VolumeOptions") or {}).get("DriverConfig") or {}
            if "Options" in config:
                config["Options"] = _options_view(config["Options"])


def _mount_view(mount: dict[str, Any], scene: Scene) -> dict[str, Any]:
    if mount["Type"] == "image":
        return {**mount, "Name": scene.image_id(mount["Name"]), "Source": "<a layer of its own>"}
    root = str(scene.root)
    if mount["Type"] == "bind" and (root + "/").startswith(mount["Source"].rstrip("/") + "/"):
        # What holds the engine's own folder is made `rslave`; it is found there by its clean path alone.
        return {**mount, "Propagation": mount["Propagation"].replace("rprivate", "rslave")}
    return mount


_OVERWRITTEN = (
    *("NetworkID", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "IPv6Gateway", "GlobalIPv6Address"),
    *("GlobalIPv6PrefixLen", "DNSNames"),
)
"""What the engine writes itself once the container starts; sockproxy does not forward what a client echoes there."""


def _endpoint_view(endpoint: Any) -> Any:
    return {key: each for key, each in (endpoint or {}).items() if key not in _OVERWRITTEN}


def _network_id(reference: str, scene: Scene) -> str:
    if reference == "default" or reference.startswith("container:"):
        return reference
    fact = scene.network(reference)
    return fact["Id"] if fact else reference


def _taken(spec: str, scene: Scene) -> str:
    reference, colon, mode = spec.partition(":")
    other = scene.container(reference)
    return (other["Id"] if other else reference) + colon + mode


def _remove_container(path: str, fact: Fact, scene: Scene) -> None:
    answer = scene.bare.send("DELETE", f"/containers/{fact['Id']}?v=1&force=1", headers={})
    assert answer.status == 204, answer.message
    for mount in fact["Mounts"] or ():
        name = mount.get("Name", "")
        if mount["Type"] == "volume" and len(name) != 64 and name not in scene.volumes:
            scene.bare.send("DELETE", f"/volumes/{name}?force=1", headers={})


def _volume_view(fact: Any, scene: Scene) -> Any:
    view = {key: each for key, each in fact.items() if key not in ("CreatedAt", "Mountpoint")}
    view["Options"] = _options_view(view["Options"])
    return view if len(fact["Name"]) != 64 else {**view, "Name": "<anonymous>"}


def _remove_volume(path: str, fact: Fact, scene: Scene) -> None:
    if fact["Name"] not in scene.volumes:
        scene.bare.send("DELETE", f"{path}?force=1", headers={})


def _network_view(fact: Any, scene: Scene) -> Any:
    view = {key: each for key, each in fact.items() if key not in ("Id", "Created")}
    # Where nobody chose one it is the next free one.
    for pool in view["IPAM"]["Config"] or ():
        if not pool.get("Subnet", "").startswith(("10.", "fd00:")):
            pool.clear()
    return view


def _remove_by_path(path: str, fact: Fact, scene: Scene) -> None:
    answer = scene.bare.send("DELETE", path, headers={})
    assert answer.status == 204, answer.message


def _service_view(fact: Any, scene: Scene) -> Any:
    spec = services.view(fact, scene)
    for mount in spec["TaskTemplate"]["ContainerSpec"].get("Mounts") or ():
        _clean_mount(mount, scene)
    return spec


def _remove_service(path: str, fact: Fact, scene: Scene) -> None:
    answer = scene.bare.send("DELETE", path, headers={})
    assert answer.status == 200, answer.message


def _exec_view(fact: Any, scene: Scene) -> Any:
    return {key: each for key, each in fact.items() if key != "ID"}


NOUNS: Mapping[str, Noun] = {
    "container": Noun(
        lambda answer: f"/containers/{answer.json['Id']}/json", powers.container, _container_view, _remove_container
    ),
    # An exec goes with its container.
    "exec": Noun(lambda answer: f"/exec/{answer.json['Id']}/json", powers.exec_, _exec_view, lambda *_: None),
    "volume": Noun(lambda answer: f"/volumes/{answer.json['Name']}", powers.volume, _volume_view, _remove_volume),
    "service": Noun(lambda answer: f"/services/{answer.json['ID']}", services.powers, _service_view, _remove_service),
    "network": Noun(lambda answer: f"/networks/{answer.json['Id']}", powers.network, _network_view, _remove_by_path),
}


KNOWN = frozenset({("HostConfig.IpcMode", "private", "shareable")})
"""Where a container without a HostConfig may be another with an empty one, which sockproxy always sends to engines up to
26: below API 1.40 others may join its IPC namespace, and are asked for what they join."""


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two inspects differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        found: list[str] = []
        for key in sorted({*one, *other}):
            found += differences(one.get(key), other.get(key), f"{place}.{key}" if place else key)
        return found
    # Nothing, an empty list and an empty object are all one to the engine, but for the two lists that unmask.
    if not one and not other and not (place.endswith("Paths") and (one is None) != (other is None)):
        return []
    if isinstance(one, str) and (place, one, other) in KNOWN:
        return []
    return [] if one == other else [f"{place}: {one!r} as sent, {other!r} as forwarded"]
