"""Requests made at random. One seed and one number make one case, so that each can be had again by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

from sockproxy.docker.fields import containers, execs, networks, volumes
from sockproxy.docker.fields import services as service_fields
from sockproxy.docker.fields.schema import Struct
from tests.engine.disposable import IMAGE
from tests.engine.oracle import services, values
from tests.engine.oracle.scene import LABELS, MADE, NAME, Scene
from tests.engine.oracle.spelling import PLAIN, manner, spell


@dataclass(frozen=True)
class Case:
    """One request, as its bytes go to the engine."""

    number: int
    noun: str
    """``container``, ``exec``, ``volume``, ``network`` or ``service``."""
    manner: str
    target: str
    body: bytes
    headers: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        headers = "".join(f"{name}: {value}\n" for name, value in self.headers)
        return f"case {self.number} ({self.manner})\nPOST {self.target}\n{headers}\n{self.body!r}"


Body = dict[str, Any]


@dataclass(frozen=True)
class _Noun:
    """How the requests of one row are made."""

    weight: int
    schema: Struct
    target: Callable[[Random, Scene], str]
    body: Callable[[Random, Scene, str | None], Body]
    """The third is a field that must be in it: ``HostConfig.Binds``."""


def case(seed: int, number: int, scene: Scene, focus: str | None = None) -> Case:
    """The case of that number. ``focus`` is the field that it is about: ``container.HostConfig.Binds``.

    In a swarm they are all about services. Without a focus every third case is about the next of `FOCUSES` all the same, so that a run leaves none out.
    """
    rng = Random(f"{seed}:{number}:{focus}")
    every = services.FOCUSES if scene.swarm else FOCUSES
    about = focus or (every[(seed + number // 3) % len(every)] if number % 3 == 0 else None)
    if scene.swarm and about is None:
        name, field = "service", None
    elif about is None:
        name = rng.choices(list(NOUNS), [noun.weight for noun in NOUNS.values()])[0]
        field = None
    else:
        name, _, field = about.partition(".")
    how = PLAIN if focus else manner(rng)
    noun = NOUNS[name]
    body = noun.body(rng, scene, field)
    target = noun.target(rng, scene)
    if focus is None and rng.random() < 0.25:
        target = _version(rng, scene) + target
    headers = {"Content-Type": "application/json"}
    if focus is None and rng.random() < 0.05:
        headers["Content-Type"] = rng.choice(
            ["Application/JSON; charset=utf-8", "text/plain", "application/json ; x=y"]
        )
    return Case(number, name, how.name, target, spell(body, noun.schema, rng, how), tuple(headers.items()))


def _version(rng: Random, scene: Scene) -> str:
    """A prefix that the engine speaks; now and then one that it does not."""
    if rng.random() < 0.04:
        return rng.choice(["/v1.11", "/v1.99", "/v1.041", "/v1.41.0"])
    oldest, newest = scene.oldest[1], scene.api[1]
    # Engines up to 23 speak versions that sockproxy refuses to.
    return f"/v1.{rng.randint(oldest if rng.random() < 0.1 else 24, newest)}"


# Containers


def _container_target(rng: Random, scene: Scene) -> str:
    name = rng.choice([f"{MADE}-{rng.randint(0, 9)}", f"{MADE}_{rng.randint(0, 9)}.x", f"/{MADE}-1"])
    name = name.replace("-", "%2D", 1) if rng.random() < 0.1 else quote(name, safe="/")
    query = rng.choice(
        [
            f"name={name}",
            f"name={name}",
            f"name={name}",
            f"name={name}&platform=",
            "",
            f"name={name}&Image=x&HostConfig=%7B%7D",
        ]
    )
    return "/containers/create" + (f"?{query}" if query else "")


_NETWORKING = "NetworkingConfig.EndpointsConfig."


def _container(rng: Random, scene: Scene, focus: str | None) -> Body:
    body: Body = {"Image": IMAGE, "Labels": {**LABELS}}
    few = 2 if focus else 5
    host = _picked(values.HOST_CONFIG, rng, scene, rng.randint(0, few), _under(focus, "HostConfig."))
    top = _picked(
        values.CONFIG, rng, scene, rng.randint(0, 1 if focus else 3), focus if focus and "." not in focus else None
    )
    if "Labels" in top:
        top["Labels"] = {**LABELS, **top["Labels"]}
    body |= top
    endpoint = _under(focus, _NETWORKING)
    if endpoint is not None:
        host["NetworkMode"] = f"{NAME}-net"
        body["NetworkingConfig"] = {"EndpointsConfig": {f"{NAME}-net": values.endpoint(rng, scene, endpoint)}}
    elif rng.random() < 0.15:
        body["NetworkingConfig"] = values.networking(rng, scene)
        if rng.random() < 0.7:
            host["NetworkMode"] = rng.choice([*body["NetworkingConfig"]["EndpointsConfig"], "", "default"])
    if focus or rng.random() < 0.85:
        _settle(body, host, focus or "")
    if host.get("VolumeDriver") not in (None, "", "local"):
        # The engine would look 15 seconds for a plugin that it does not know.
        for where, name in ((host, "Binds"), (host, "Mounts"), (body, "Volumes")):
            where.pop(name, None)
    if not focus:
        _odd_places(body, host, rng)
    else:
        body["HostConfig"] = host
    return body


def _under(focus: str | None, prefix: str) -> str | None:
    return focus.removeprefix(prefix) if focus and focus.startswith(prefix) else None


def _picked(makers: Mapping[str, values.Maker], rng: Random, scene: Scene, count: int, focus: str | None) -> Body:
    names = rng.sample(sorted(makers), min(count, len(makers)))
    names = [focus, *(name for name in names if name != focus)] if focus else names
    return {name: makers[name](rng, scene) for name in names}


_EXCLUDES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("NanoCpus", ("CpuQuota", "CpuPeriod")),
    ("AutoRemove", ("RestartPolicy",)),
    ("Memory", ("MemoryReservation",)),
    ("CpuRealtimeRuntime", ("CpuRealtimePeriod",)),
)
"""What the engine will not have together."""


def _settle(body: Body, host: Body, focus: str) -> None:
    """Take out what the engine would refuse beside the rest, so that most cases say something; never the focus."""
    for kept, dropped in _EXCLUDES:
        for name in dropped:
            if kept in host and name in host:
                del host[kept if focus == f"HostConfig.{name}" else name]
    if focus == "HostConfig.CpuPeriod":
        host["CpuQuota"] = 150_000
    if host.get("MemorySwap", 0) > 0:
        host["Memory"] = 64 << 20
    mode = str(host.get("NetworkMode", ""))
    if mode.startswith("container:"):
        for name in ("Links", "PortBindings", "PublishAllPorts", "Dns", "ExtraHosts"):
            host.pop(name, None)
        for name in ("Hostname", "MacAddress", "ExposedPorts"):
            body.pop(name, None)
    if mode in ("host", "none", "default", "bridge", "") or mode.startswith("container:") or focus.endswith("Links"):
        host.pop("Links", None) if focus != "HostConfig.Links" else host.pop("NetworkMode", None)
    if host.get("UTSMode") == "host":
        body.pop("Hostname", None)
        body.pop("Domainname", None)
    targets: set[str] = set()
    for name, at in (("Binds", 1), ("Mounts", None)):
        kept_items = []
        for each in host.get(name, ()):
            target = each["Target"] if at is None else [*each.split(":"), each][1]
            if target not in targets:
                targets.add(target)
                kept_items.append(each)
        if name in host:
            host[name] = kept_items


_TOP_LEVEL = (*values.HOST_CONFIG, "Cpuset", "Capabilities")


def _odd_places(body: Body, host: Body, rng: Random) -> None:
    """Where HostConfig stands: beside the rest, nowhere, or with its fields at the top, as engines up to 26 read them."""
    match rng.randrange(40):
        case 0 | 1:
            body |= {name: each for name, each in host.items() if name not in body}
            return
        case 2:
            names = rng.sample(sorted(host), min(len(host), 1))
            body |= {name: host[name] for name in names if name not in body}
        case 3:
            body[rng.choice(_TOP_LEVEL)] = rng.choice([None, 0, "", [], {}, False])
        case 4:
            body["HostConfig"] = None
            return
        case 5 if not host:
            return
        case 6:
            body[rng.choice(["name", "platform", "PortSpecs", "PublishService"])] = rng.choice(["x", None, ["80"]])
        case 7:
            host[rng.choice(["Capabilities", "LxcConf", "Unheard"])] = rng.choice([None, [], ["NET_ADMIN"], {}])
        case 8:
            # A value of the right type, whatever the field means.
            name = rng.choice(sorted(set(containers.HOST_CONFIG_FIELDS) - {"VolumeDriver", "LogConfig"}))
            host[name] = values.generic(containers.HOST_CONFIG_FIELDS[name], rng)
    body["HostConfig"] = host


# Execs, volumes, networks


def _exec_target(rng: Random, scene: Scene) -> str:
    reference = values.running(rng, scene) if rng.random() < 0.95 else values.container(rng, scene)
    return f"/containers/{quote(reference.removeprefix('/'))}/exec"


def _exec(rng: Random, scene: Scene, focus: str | None) -> Body:
    return {"Cmd": ["true"], **_picked(values.EXEC, rng, scene, rng.randint(0, 4), focus)}


def _volume(rng: Random, scene: Scene, focus: str | None) -> Body:
    makers = {
        name: maker
        for name, maker in values.VOLUME.items()
        if name != "ClusterVolumeSpec" or focus == name or rng.random() < 0.2
    }
    body: Body = {"Name": f"{MADE}-{rng.randint(0, 3)}", **_picked(makers, rng, scene, rng.randint(1, 3), focus)}
    if rng.random() < 0.05 and focus is None:
        del body["Name"]
    body["Labels"] = {**LABELS, **body.get("Labels", {})}
    return body


def _network(rng: Random, scene: Scene, focus: str | None) -> Body:
    """Most are templates (`ConfigOnly`): their inspect shows the same, and a real bridge takes a hundred times as long."""
    body: Body = {"Name": f"{MADE}-{rng.randint(0, 99)}"}
    body |= _picked(values.NETWORK, rng, scene, rng.randint(0, 1 if focus else 3), focus)
    body["Labels"] = {**LABELS, **body.get("Labels", {})}
    if body.get("ConfigFrom", {}).get("Network"):
        for name in ("Options", "IPAM", "EnableIPv6", "Internal", "Attachable", "ConfigOnly", "EnableIPv4"):
            body.pop(name, None)
        body["Driver"] = rng.choice(["bridge", "", "bridge"])
        for name in ("Labels", "Scope", "Ingress"):
            body.pop(name, None)
    elif focus == "Driver" or (focus is None and rng.random() < 0.1):
        body["Driver"] = rng.choice(["macvlan", "ipvlan"])
        body.pop("Options", None)
        body.pop("ConfigOnly", None)
    elif focus in ("Internal", "Attachable"):
        # A template has neither.
        body = {name: each for name, each in body.items() if name in (focus, "Name", "Labels")}
    elif focus != "ConfigOnly" and (focus is not None or rng.random() < 0.97):
        body["ConfigOnly"] = True
        if rng.random() < 0.9:
            for name in ("Driver", "Ingress", "Scope"):
                if name != focus:
                    body.pop(name, None)
    return body


NOUNS: Mapping[str, _Noun] = {
    "container": _Noun(80, containers.CREATE, _container_target, _container),
    "exec": _Noun(10, execs.CREATE, _exec_target, _exec),
    "volume": _Noun(7, volumes.CREATE, lambda rng, scene: "/volumes/create", _volume),
    "network": _Noun(3, networks.CREATE, lambda rng, scene: "/networks/create", _network),
    # Only where there is a swarm, and then alone.
    "service": _Noun(0, service_fields.SPEC, services.target, services.body),
}
"""One more noun is one more line here, one in ``objects.NOUNS``, and a reader in ``powers``."""

FOCUSES = (
    *(f"container.HostConfig.{name}" for name in sorted(values.HOST_CONFIG)),
    *(f"container.{name}" for name in sorted(values.CONFIG)),
    *(f"container.{_NETWORKING}{name}" for name in sorted(values.ENDPOINT)),
    *(f"exec.{name}" for name in sorted(values.EXEC)),
    *(f"volume.{name}" for name in sorted(values.VOLUME)),
    *(f"network.{name}" for name in sorted(values.NETWORK)),
)
"""Every field that a case can be about."""
