"""The nouns: what a compose project comes to once its files are read. All are frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sockproxy.errors import Problem
from sockproxy.model import JsonObject
from sockproxy.policy.document import Place


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the top level."""

    key: str
    """As the file calls it: ``front``."""
    name: str
    """As the engine calls it: ``shop_front``."""
    place: Place
    external: bool
    """It must be there already, and is not made."""
    body: JsonObject = field(default_factory=dict)
    """What its create says, but for the name and the labels that compose adds."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of the top level."""

    key: str
    name: str
    place: Place
    external: bool
    body: JsonObject = field(default_factory=dict)
    """As a network's."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How a service joins a network."""

    network: Network
    aliases: tuple[str, ...] = ()
    ipam: JsonObject | None = None
    """`IPAMConfig`; None where the service says nothing of the network."""
    mac_address: str = ""
    driver_opts: JsonObject | None = None
    gateway_priority: int = 0


@dataclass(frozen=True, slots=True)
class Dependency:
    """A service that is started first."""

    service: str
    condition: str
    restart: bool
    required: bool = True
    """Whether it must be started too; otherwise it is waited for only where a chosen profile starts it."""


@dataclass(frozen=True, slots=True)
class Link:
    """One of `links` or `external_links`."""

    target: str
    """A service of the project, or a container that is there already."""
    alias: str
    external: bool


@dataclass(frozen=True, slots=True)
class VolumesFrom:
    """One of `volumes_from`."""

    target: str
    external: bool
    """Whether it is a container that is there already."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service, as far as it does not depend on the number of a container or the engine's API version."""

    name: str
    place: Place
    image: str
    """What the file says, or the project's and the service's name where it says none and builds one."""
    image_named: bool
    """Whether the file says it: such an image is looked for in its registry before it is built."""
    builds: bool
    pull_policy: str
    """`missing` where the file says nothing."""
    platform: str
    container_name: str
    """Empty where compose makes it of the project, the service and the number."""
    scale: int
    depends_on: tuple[Dependency, ...]
    network_mode: str
    """Empty where networks are joined."""
    endpoints: tuple[Endpoint, ...]
    """In the order of their priority: the first is the container's `NetworkMode`."""
    mac_address: str
    links: tuple[Link, ...]
    volumes_from: tuple[VolumesFrom, ...]
    copied: tuple[bool, ...]
    """Secrets and configs that are copied into the container before it starts; whether each has an owner of its own."""
    hooks: tuple[JsonObject, ...]
    """Execs that are made once it was started (`post_start`), as their bodies."""
    provided: bool
    """Whether a program of its own provides it (`provider`): compose makes no container of it."""
    config: JsonObject
    """The body of the create but for `HostConfig`, networks and the labels that compose adds."""
    host: JsonObject
    """`HostConfig` but for networks, links, and references to other services, which stand in it as `service:name`."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project, read whole."""

    name: str
    folder: Path
    files: tuple[str, ...]
    """As compose labels its containers with them."""
    services: tuple[Service, ...]
    """Those that are started, each after those that it depends on."""
    networks: tuple[Network, ...]
    """Those that a service joins."""
    volumes: tuple[Volume, ...]
    """Those that a service uses."""
    notes: tuple[Problem, ...] = ()
    """What the calls do not show, each with its place."""

    def service(self, name: str) -> Service:
        """A service by its name.

        Raises:
            KeyError: none that is started has it.
        """
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)
