"""The calls that ``docker compose up --detach`` makes of an engine for a project of which nothing is there yet.

    images     GET /images/{name}/json, POST /images/create where it pulls, /grpc and /session where it builds
    networks   GET, and POST /networks/create; an external one is only looked for
    volumes    GET, and POST /volumes/create
    services   POST /containers/create, in the order of `depends_on`; POST /networks/{id}/connect (API below 1.44)
    start      PUT /containers/{id}/archive for what is copied in, POST /containers/{id}/start, execs of `post_start`

Recorded of docker compose 2.40.3 on Docker 20.10 (API 1.41) and 28.5 (1.51). Three things are not as they are sent, as
nobody can know them here: containers are named by their names where compose has their ids; the label of the image's id
and those of the configuration's hashes have zeros; variables from an `env_file` are left out, which ask nothing.

What is looked up to judge a call is answered by ``engine`` of the call: the project's own things, as the calls before
have made them. What else a file names (an external volume, another container) is for the engine to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from urllib.parse import quote, urlencode

from sockproxy.compose.project import Dependency, Endpoint, Network, Project, Service, Volume
from sockproxy.docker import body as json_body
from sockproxy.docker import references
from sockproxy.model import Json, JsonObject, Missing, Version
from sockproxy.policy.document import Place

COMPOSE: Final = "2.40.3"
"""The version of docker compose that this is a reading of."""
NEWEST_VERSION: Final[Version] = (1, 51)
"""The newest API version that it speaks."""

_PREFIX: Final = "com.docker.compose"
_UNKNOWN_HASH: Final = "0" * 64
_ENDPOINTS_AT_ONCE: Final = (1, 44)
"""From this version on a create names all networks; before, the others are connected afterwards."""
_PLATFORM: Final = (1, 41)
"""The first version of which a create takes a platform."""

Answer: TypeAlias = "Callable[[str], JsonObject | Missing]"


@dataclass(frozen=True, slots=True)
class ComposeCall:
    """One call, as compose sends it."""

    service: str
    """The service that it is made for; empty where it is for the whole project."""
    method: str
    target: str
    """With the version prefix: ``/v1.51/containers/create?name=shop-web-1``."""
    headers: tuple[tuple[str, str], ...]
    body: JsonObject | None
    where: Place
    """The service, network or volume that it is made for."""
    engine: Map[str, JsonObject | Missing] = field(default_factory=dict)
    """What the engine answers to look-ups about the project's own things at this time: path to body."""

    @property
    def encoded(self) -> bytes | None:
        """The body as bytes."""
        return None if self.body is None else json_body.serialise(self.body)

    def answer(self, otherwise: Answer) -> Answer:
        """Answers look-ups: of the project's own things by what the calls before have made, else ``otherwise``."""

        def answer(path: str) -> JsonObject | Missing:
            known = self.engine.get(path)
            return otherwise(path) if known is None else known

        return answer


def calls(
    project: Project, *, api_version: Version = NEWEST_VERSION, images_missing: bool = False
) -> tuple[ComposeCall, ...]:
    """The calls of a project, in an order in which compose may make them: what it does at once is one after the other.

    Args:
        api_version: what the engine speaks; compose itself knows none above 1.51.
        images_missing: whether the images are not there yet, and are pulled.
    """
    return tuple(_Up(project, min(api_version, NEWEST_VERSION), images_missing=images_missing).run())


def container_name(project: Project, service: Service, number: int) -> str:
    """``shop-web-1``, or what the service says."""
    return service.container_name or f"{project.name}-{service.name}-{number}"


def _filters(key: str, wanted: JsonObject) -> str:
    return json_body.serialise({key: wanted}).decode()


def _quoted(name: str) -> str:
    return quote(name, safe="/:@")


class _Up:
    """Goes through a project, and remembers what is there after each call."""

    def __init__(self, project: Project, version: Version, *, images_missing: bool) -> None:
        self._project = project
        self._version = version
        self._images_missing = images_missing
        self._engine: dict[str, JsonObject | Missing] = {}
        self._place = Place(project.files[0] if project.files else "", 1, 1)

    def run(self) -> Iterator[ComposeCall]:
        project = self._project
        # What is looked for before it is made is not there.
        for network in project.networks:
            if not network.external:
                self._engine[f"/networks/{network.name}"] = Missing(404, f"network {network.name} not found")
        for volume in project.volumes:
            if not volume.external:
                self._engine[f"/volumes/{volume.name}"] = Missing(404, f"get {volume.name}: no such volume")
        yield self._call("HEAD", "/_ping", versioned=False)
        yield from self._images()
        for network in project.networks:
            yield from self._network(network)
        for volume in project.volumes:
            yield from self._volume(volume)
        yield self._call("GET", self._containers("config-hash", f"project={project.name}"))
        yield self._call("GET", "/version")
        made = [service for service in project.services if not service.provided]
        for service in made:
            yield from self._create(service)
        yield self._call("GET", self._containers("oneoff=False", f"project={project.name}"))
        for service in made:
            yield from self._start(service)

    def _call(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        service: Service | None = None,
        where: Place | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        versioned: bool = True,
    ) -> ComposeCall:
        """A call with what the engine knows before it."""
        prefix = f"/v{self._version[0]}.{self._version[1]}" if versioned else ""
        place = where or (service.place if service is not None else self._place)
        name = service.name if service is not None else ""
        sent = (("User-Agent", f"compose/{COMPOSE}"), *headers)
        return ComposeCall(name, method, prefix + path, sent, body, place, dict(self._engine))

    @staticmethod
    def _containers(*labels: str) -> str:
        wanted: JsonObject = {f"{_PREFIX}.{label}": True for label in labels}
        return f"/containers/json?{urlencode({'all': '1', 'filters': _filters('label', wanted)})}"

    # Images

    def _images(self) -> Iterator[ComposeCall]:
        seen: set[str] = set()
        for service in sorted(self._project.services, key=lambda each: each.name):
            if service.image not in seen:
                seen.add(service.image)
                yield self._call("GET", f"/images/{_quoted(service.image)}/json", service=service)
        pulled: set[tuple[str, str]] = set()
        for service in sorted(self._project.services, key=lambda each: each.name):
            if service.provided:
                continue
            if self._pulls(service) and (service.image, service.platform) not in pulled:
                pulled.add((service.image, service.platform))
                yield self._pull(service)
            if service.builds:
                yield from self._build(service)
            elif service.platform:
                # Whether it is of that platform, by its id.
                yield self._call("GET", f"/images/sha256:{_UNKNOWN_HASH}/json", service=service)

    def _pulls(self, service: Service) -> bool:
        """Whether it is pulled. What is to be built is not there: one with a name is looked for in its registry."""
        missing = service.image_named if service.builds else self._images_missing
        return service.pull_policy == "always" or (missing and service.pull_policy == "missing")

    def _pull(self, service: Service) -> ComposeCall:
        name, tag = _name_and_tag(service.image)
        query = {"fromImage": name, **({"platform": service.platform} if service.platform else {}), "tag": tag}
        # Compose sends what is stored of the registry; nothing is known here, and nothing asked of it.
        return self._call(
            "POST", f"/images/create?{urlencode(query)}", service=service, headers=(("X-Registry-Auth", "e30="),)
        )

    def _build(self, service: Service) -> Iterator[ComposeCall]:
        tunnel = (("Connection", "Upgrade"), ("Upgrade", "h2c"))
        yield self._call("POST", "/grpc", service=service, headers=tunnel, versioned=False)
        yield self._call("GET", "/info", service=service)
        yield self._call("POST", "/session", service=service, headers=tunnel, versioned=False)

    # Networks and volumes

    def _network(self, network: Network) -> Iterator[ComposeCall]:
        filters = urlencode({"filters": _filters("name", {network.name: True})})
        if not network.external:
            yield self._call("GET", f"/networks/{_quoted(network.name)}", where=network.place)
        yield self._call("GET", f"/networks?{filters}", where=network.place)
        if network.external:
            return
        labels = self._labels(network.body, "network", network.key)
        body: JsonObject = {**network.body, "Labels": labels, "Name": network.name}
        if self._version < _ENDPOINTS_AT_ONCE:
            body["CheckDuplicate"] = True
        yield self._call("POST", "/networks/create", body, where=network.place)
        driver = network.body.get("Driver") or "bridge"
        self._engine[f"/networks/{network.name}"] = {"Name": network.name, "Driver": driver, "Labels": labels}

    def _volume(self, volume: Volume) -> Iterator[ComposeCall]:
        yield self._call("GET", f"/volumes/{_quoted(volume.name)}", where=volume.place)
        if volume.external:
            return
        labels = self._labels(volume.body, "volume", volume.key)
        body: JsonObject = {**volume.body, "Labels": labels, "Name": volume.name}
        yield self._call("POST", "/volumes/create", body, where=volume.place)
        self._engine[f"/volumes/{volume.name}"] = {
            "Name": volume.name,
            "Driver": volume.body.get("Driver") or "local",
            "Options": volume.body.get("DriverOpts"),
            "Labels": labels,
        }

    def _labels(self, thing: JsonObject, noun: str, key: str) -> JsonObject:
        own = thing.get("Labels")
        return {
            **(own if isinstance(own, dict) else {}),
            f"{_PREFIX}.config-hash": _UNKNOWN_HASH,
            f"{_PREFIX}.{noun}": key,
            f"{_PREFIX}.project": self._project.name,
            f"{_PREFIX}.version": COMPOSE,
        }

    # Containers

    def _create(self, service: Service) -> Iterator[ComposeCall]:
        # Compose asks for the containers of each service that is linked or whose volumes are taken.
        named = [link.target for link in service.links if not link.external]
        named += [each.target for each in service.volumes_from if not each.external]
        for name in dict.fromkeys(named):
            listed = self._containers("config-hash", "oneoff=False", f"project={self._project.name}", f"service={name}")
            yield self._call("GET", listed, service=service)
        for number in range(1, service.scale + 1):
            name = container_name(self._project, service, number)
            body = self._body(service, number)
            query = {"name": name}
            if service.platform and self._version >= _PLATFORM:
                query["platform"] = service.platform
            yield self._call("POST", f"/containers/create?{urlencode(query)}", body, service=service)
            self._remember(name, body, service)
            yield self._call("GET", f"/containers/{name}/json", service=service)
            if self._version < _ENDPOINTS_AT_ONCE:
                for endpoint in service.endpoints[1:]:
                    path = f"/networks/{_quoted(endpoint.network.name)}/connect"
                    joined: JsonObject = {
                        "Container": name,
                        "EndpointConfig": self._endpoint(service, endpoint, number),
                    }
                    yield self._call("POST", path, joined, service=service)

    def _remember(self, name: str, body: JsonObject, service: Service) -> None:
        """What the engine says of a container once it is made, and of the volumes that it chose names for."""
        host = body["HostConfig"]
        mounts = host.get("Mounts") if isinstance(host, dict) else None
        chosen: list[Json] = []
        for mount in mounts if isinstance(mounts, list) else ():
            if isinstance(mount, dict) and mount["Type"] == "volume" and not mount.get("Source"):
                volume = _digest(name, str(mount["Target"]))
                chosen.append({"Type": "volume", "Name": volume, "Destination": mount["Target"], "RW": True})
                self._engine[f"/volumes/{volume}"] = {"Name": volume, "Driver": "local", "Labels": _ANONYMOUS}
        self._engine[f"/containers/{name}/json"] = _inspected(name, body, service, chosen)

    def _body(self, service: Service, number: int) -> JsonObject:
        labels = service.config.get("Labels")
        own: JsonObject = {
            "config-hash": _UNKNOWN_HASH,
            "container-number": str(number),
            "depends_on": ",".join(map(_dependency, service.depends_on)),
            "image": f"sha256:{_UNKNOWN_HASH}",
            "oneoff": "False",
            "project": self._project.name,
            "project.config_files": ",".join(self._project.files),
            "project.working_dir": str(self._project.folder),
            "service": service.name,
            "version": COMPOSE,
        }
        body: JsonObject = {
            **service.config,
            "Image": service.image,
            "Labels": {
                **(labels if isinstance(labels, dict) else {}),
                **{f"{_PREFIX}.{key}": value for key, value in own.items()},
            },
            "HostConfig": self._host(service, number),
        }
        at_once = self._version >= _ENDPOINTS_AT_ONCE
        if service.mac_address and not (at_once and service.endpoints):
            body["MacAddress"] = service.mac_address
        if service.endpoints:
            endpoints = service.endpoints if at_once else service.endpoints[:1]
            named: JsonObject = {each.network.name: self._endpoint(service, each, number) for each in endpoints}
            body["NetworkingConfig"] = {"EndpointsConfig": named}
        return body

    def _host(self, service: Service, number: int) -> JsonObject:
        host: JsonObject = dict(service.host)
        for key in ("IpcMode", "PidMode"):
            host[key] = self._shared(str(host[key]))
        network = service.endpoints[0].network.name if service.endpoints else self._shared(service.network_mode)
        host["NetworkMode"] = network
        host["Links"] = self._links(service, number)
        taken: list[Json] = [
            each.target if each.external else self._first(each.target) for each in service.volumes_from
        ]
        host["VolumesFrom"] = taken or None
        return host

    def _shared(self, mode: str) -> str:
        """A namespace mode: another service's is that of its first container."""
        scheme, colon, name = mode.partition(":")
        return f"container:{self._first(name)}" if scheme == "service" and colon else mode

    def _first(self, service: str) -> str:
        return container_name(self._project, self._project.service(service), 1)

    def _links(self, service: Service, number: int) -> list[Json] | None:
        """Each linked container under three names, the last two with the number of the container that links to it."""
        found: list[Json] = []
        for link in service.links:
            if link.external:
                found.append(f"{link.target}:{link.alias}")
                continue
            target = self._project.service(link.target)
            for index in range(1, target.scale + 1):
                name = container_name(self._project, target, index)
                found.append(f"{name}:{link.alias}")
                found.append(f"{name}:{target.name}-{number}")
                found.append(f"{name}:{self._project.name}-{target.name}-{number}")
        return found or None

    def _endpoint(self, service: Service, endpoint: Endpoint, number: int) -> JsonObject:
        ipam = endpoint.ipam or {}
        first = endpoint is service.endpoints[0]
        # The service's own address is its first network's.
        mac = endpoint.mac_address or (service.mac_address if first and self._version >= _ENDPOINTS_AT_ONCE else "")
        return {
            "IPAMConfig": endpoint.ipam,
            "Links": self._links(service, number),
            "Aliases": [container_name(self._project, service, number), service.name, *endpoint.aliases],
            "MacAddress": mac,
            "DriverOpts": endpoint.driver_opts,
            "GwPriority": endpoint.gateway_priority,
            **dict.fromkeys(("NetworkID", "EndpointID", "Gateway"), ""),
            "IPAddress": ipam.get("IPv4Address", ""),
            "IPPrefixLen": 0,
            "IPv6Gateway": ipam.get("IPv6Address", ""),
            "GlobalIPv6Address": "",
            "GlobalIPv6PrefixLen": 0,
            "DNSNames": None,
        }

    # Starting

    def _start(self, service: Service) -> Iterator[ComposeCall]:
        for number in range(1, service.scale + 1):
            name = container_name(self._project, service, number)
            for owned in service.copied:
                query = ({"copyUIDGID": "true"} if owned else {}) | {"noOverwriteDirNonDir": "true", "path": "/"}
                path = f"/containers/{name}/archive?{urlencode(query)}"
                yield self._call("PUT", path, service=service, headers=(("Content-Type", "text/plain"),))
            yield self._call("POST", f"/containers/{name}/start", service=service)
            for index, hook in enumerate(service.hooks):
                yield from self._hook(service, name, index, hook)

    def _hook(self, service: Service, container: str, index: int, body: JsonObject) -> Iterator[ComposeCall]:
        yield self._call("POST", f"/containers/{container}/exec", body, service=service)
        exec_id = _digest(container, str(index))
        self._engine[f"/exec/{exec_id}/json"] = _inspected_exec(container, body)
        yield self._call("POST", f"/exec/{exec_id}/start", {"Detach": True, "Tty": False}, service=service)
        yield self._call("GET", f"/exec/{exec_id}/json", service=service)


_ANONYMOUS: Final[JsonObject] = {"com.docker.volume.anonymous": ""}
"""The label that the engine puts on a volume that it names itself (moby, ``volumes.go``; from API 1.42 on)."""


def _digest(*words: str) -> str:
    """64 hex digits that stand for an id that the engine will choose."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _dependency(each: Dependency) -> str:
    return f"{each.service}:{each.condition}:{'true' if each.restart else 'false'}"


def _name_and_tag(image: str) -> tuple[str, str]:
    """An image's whole name, and its tag or digest."""
    try:
        named = references.parse(image)
    except references.InvalidReferenceError:
        return image, ""
    return named.repository, named.digest or named.tag or "latest"


def _inspected(name: str, body: JsonObject, service: Service, mounts: list[Json]) -> JsonObject:
    """What the engine would say of a container that a create has made."""
    config = {key: value for key, value in body.items() if key not in ("HostConfig", "NetworkingConfig")}
    networks: JsonObject = {endpoint.network.name: {} for endpoint in service.endpoints}
    if service.network_mode in ("bridge", "default"):
        networks = {"bridge": {}}
    return {
        "Name": f"/{name}",
        "Config": config,
        "HostConfig": body["HostConfig"],
        "Mounts": mounts,
        "NetworkSettings": {"Networks": networks},
    }


def _inspected_exec(container: str, body: JsonObject) -> JsonObject:
    command = body.get("Cmd")
    words = command if isinstance(command, list) else []
    return {
        "ContainerID": container,
        "ProcessConfig": {
            "entrypoint": words[0] if words else "",
            "arguments": words[1:],
            "user": body.get("User"),
            "privileged": body.get("Privileged"),
        },
    }
