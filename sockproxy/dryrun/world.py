"""What there is in a dry run: whatever is named.

    made in this run                 as it was made; gone once it was removed
    told (`engine:` of a test)       as it is told, the rest of it plain
    a real engine's (`--engine`)     as that engine's inspects and lists say, and absent where it says so
    anything else                    there under that very name, with nothing special; a container runs

So a command line about `web` gets an answer without anybody having to make a `web` first. Networks, volumes and the
builders of buildx are an exception: a client that *looks* whether one is there is told that it is not, since compose,
Ansible, Terraform and buildx then go on to make it, and what they ask for in that is what somebody wants to know.
Whatever else is done with one, it is there. A list shows what was made, told or named so far; and the container of a
service that docker compose looks for, as `docker compose exec` does.

A process that is run lasts until somebody waits for its end, and then ends with 0: `docker run IMAGE CMD` comes to its
end at once, `docker run -d` is still there for the `docker exec` behind it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Literal, Protocol, TypeAlias

from sockproxy.model import STAT, SWARM_SCOPE, Json, JsonObject, Missing
from sockproxy.standin import World
from sockproxy.standin.process import Process
from sockproxy.standin.wire import EngineError, Spoken
from sockproxy.standin.world import Container, Exec, digest, normal, now, part

Noun: TypeAlias = Literal["containers", "images", "networks", "volumes"]


class Real(Protocol):
    """A real engine, which is only read."""

    async def ask(self, key: str) -> JsonObject | Missing:
        """What it says to a key of `Facts`, such as ``/containers/web/json``."""
        ...

    async def listed(self, path: str, query: Iterable[tuple[str, str]]) -> Json:
        """What it lists at a path, such as ``/containers/json``; None where it would not."""
        ...


LIFETIME: Final = 5.0
"""Seconds that a process which was made here runs where nobody waits for it: compose looks again and again instead."""

_BUILDER: Final = "buildx_buildkit_"
"""How the containers begin in which buildx has its builders."""
_COMPOSE: Final = "com.docker.compose"
_ID: Final = re.compile(r"[0-9a-f]{64}")
_SHORT_ID: Final = re.compile(r"[0-9a-f]{12,64}")


def inspect_path(noun: Noun, reference: str) -> str:
    """Where an engine tells of a thing: ``/containers/web/json``, ``/volumes/data``."""
    return f"/{noun}/{reference}/json" if noun in {"containers", "images"} else f"/{noun}/{reference}"


def _told_under(noun: Noun, path: str) -> str:
    """The reference in an inspect's path."""
    return path.removeprefix(f"/{noun}/").removesuffix("/json")


class Brief(Process):
    """A process that ends with 0, whatever its command, once somebody waits for its end."""

    def __init__(self, argv: Sequence[str], *, tty: bool, open_stdin: bool, seconds: float | None = LIFETIME) -> None:
        super().__init__(argv, tty=tty, open_stdin=open_stdin)
        self._seconds = seconds
        self._awaited = asyncio.Event()

    def await_end(self) -> None:
        """Somebody waits: let it end, as soon as it has begun."""
        self._awaited.set()

    def _reads_input(self) -> bool:
        return False

    async def _act(self) -> int:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await self._awaited.wait()
        return 0


class DryWorld(World):
    """Everything that is named in a dry run."""

    def __init__(self, told: Mapping[str, JsonObject], spoken: Spoken, real: Real | None = None) -> None:
        """``told`` is what look-ups are answered (paths to bodies); ``real`` is the engine that is asked the rest."""
        super().__init__(spoken)
        self._real = real
        self._made: set[str] = set()
        """Ids of containers that were made here."""
        self._gone: set[tuple[Noun, str]] = set()
        self._told = dict(told)
        self.over = asyncio.Event()
        """The command has ended: what was never answered may be."""

    def process(self, argv: Sequence[str], *, tty: bool, open_stdin: bool) -> Process:
        """One that ends when somebody waits for that."""
        return Brief(argv, tty=tty, open_stdin=open_stdin)

    @property
    def has_real(self) -> bool:
        """Whether there is a real engine that says what there is."""
        return self._real is not None

    # Whether a thing is there

    async def look(self, noun: Noun, reference: str) -> None:
        """Learn from the real engine, if there is one, what a thing is that nobody has spoken of yet."""
        path = inspect_path(noun, reference)
        if self._real is None or self.is_gone(noun, reference) or path in self._told or self._known(noun, reference):
            return
        told = await self._real.ask(path)
        if isinstance(told, Missing):
            self._gone.add((noun, reference))
        else:
            self._told[path] = told

    async def listed(self, path: str, query: Mapping[str, str]) -> Json:
        """What the real engine lists; None where there is none."""
        return await self._real.listed(path, query.items()) if self._real is not None else None

    async def network_of_swarm(self, reference: str) -> JsonObject | Missing | None:
        """What the real engine says of a network that its swarm has; None where there is no real engine."""
        return await self._real.ask(f"/networks/{reference}{SWARM_SCOPE}") if self._real is not None else None

    async def stat(self, reference: str, path: str) -> JsonObject | Missing | None:
        """What the real engine says of a path in a container of its own; None where nobody but the dry run knows it.

        Raises:
            EngineError: there is no such container.
        """
        await self.look("containers", reference)
        container = self.container(reference)
        if self._real is None or self.is_made(container):
            return None
        return await self._real.ask(f"{STAT}{container.id}:{path}")

    def _known(self, noun: Noun, reference: str) -> bool:
        match noun:
            case "containers":
                return self._find(reference) is not None
            case "images":
                return normal(reference) in self.images or reference in self.images.values()
            case "networks":
                return self._find_network(reference) is not None
            case "volumes":
                return reference in self.volumes

    def is_gone(self, noun: Noun, reference: str) -> bool:
        """Whether it was removed here, or the real engine has none such."""
        return (noun, reference) in self._gone

    def forget(self, noun: Noun, *references: str) -> None:
        """It is not there any more, by these names and by those that it was told under."""
        gone = set(references)
        for path, told in list(self._told.items()):
            if path.startswith(f"/{noun}/") and not gone.isdisjoint({told.get("Id"), _told_under(noun, path)}):
                gone.add(_told_under(noun, path))
                del self._told[path]
        self._gone.update((noun, reference) for reference in gone)

    def told(self, noun: Noun, reference: str) -> JsonObject | None:
        """What was told of a thing; None where nothing was."""
        return self._told.get(inspect_path(noun, reference))

    def is_made(self, container: Container) -> bool:
        """Whether it was made here, and not only named."""
        return container.id in self._made

    # Containers

    def _find(self, reference: str) -> Container | None:
        name = reference.removeprefix("/")
        for each in self.containers.values():
            if name in {each.name, each.id}:
                return each
        if _SHORT_ID.fullmatch(name):
            return next((each for each in self.containers.values() if each.id.startswith(name)), None)
        return None

    def container(self, reference: str) -> Container:
        """By its name or id. One that was never heard of is there, and runs.

        Raises:
            EngineError: 404 for one that was removed here, or that the real engine does not have.
        """
        found = self._find(reference)
        if found is not None:
            return found
        if self.is_gone("containers", reference):
            raise EngineError(404, f"No such container: {reference}")
        return self._assumed(reference.removeprefix("/"))

    def _assumed(self, reference: str) -> Container:
        told = self.told("containers", reference) or {}
        name = str(told.get("Name") or reference).removeprefix("/")
        identity = str(told.get("Id") or (reference if _ID.fullmatch(reference) else digest(f"container {reference}")))
        if identity in self.containers:  # told under two of its names
            return self.containers[identity]
        config = {"Image": "assumed", **part(told, "Config"), "HostConfig": part(told, "HostConfig")}
        process = Brief((), tty=config.get("Tty") is True, open_stdin=False, seconds=None)
        made = Container(identity, name, config, f"sha256:{digest(str(config['Image']))}", process)
        made.started_at = now()
        process.start()
        self.containers[identity] = made
        return made

    def assume_service(self, labels: Mapping[str, str]) -> None:
        """Have the container that docker compose looks for by these labels, of a project and a service."""
        name = f"{labels[f'{_COMPOSE}.project']}-{labels[f'{_COMPOSE}.service']}-1"
        told = self.told("containers", name) or {}
        config = part(told, "Config")
        given = {f"{_COMPOSE}.oneoff": "False", f"{_COMPOSE}.container-number": "1", **labels, **part(config, "Labels")}
        self._told[inspect_path("containers", name)] = {
            "Name": f"/{name}",
            **told,
            "Config": {"Image": "assumed", **config, "Labels": given},
        }
        self.container(name)

    def make_container(self, name: str, config: JsonObject) -> Container:
        """Create one from a create's body.

        Raises:
            EngineError: as the world's.
        """
        made = super().make_container(name, config)
        self._made.add(made.id)
        self._gone.discard(("containers", made.name))
        return made

    def make_exec(self, container: Container, config: JsonObject) -> Exec:
        """A command that ends as soon as it has begun.

        Raises:
            EngineError: as the world's.
        """
        made = super().make_exec(container, config)
        assert isinstance(made.process, Brief)
        made.process.await_end()
        return made

    async def remove(self, container: Container) -> None:
        """Forget it."""
        self.forget("containers", container.name, container.id, container.id[:12])
        await super().remove(container)

    def inspected(self, container: Container) -> JsonObject:
        """What a client's inspect shows: of one that is only named, what was told of it over what is plain."""
        shown = container.inspected()
        if self.is_made(container):
            return {**shown, "NetworkSettings": {"Networks": self._joined(container), "Ports": {}}}
        told = self.told("containers", container.name)
        if told is None:
            return shown
        inner = {key: {**part(shown, key), **part(told, key)} for key in ("Config", "HostConfig", "State")}
        return {**shown, **told, **inner, "Id": container.id}

    def _joined(self, container: Container) -> JsonObject:
        """The networks that a container was made in, by their names."""
        mode = str(part(container.config, "HostConfig").get("NetworkMode") or "default")
        endpoints = part(part(container.config, "NetworkingConfig"), "EndpointsConfig")
        named = () if mode.startswith("container:") else (mode, *endpoints)
        names = dict.fromkeys("bridge" if name == "default" else name for name in named)
        return {name: {"NetworkID": self._network_id(name), "IPAddress": ""} for name in names}

    def _network_id(self, name: str) -> str:
        try:
            return str(self.network(name)["Id"])
        except EngineError:
            return digest(f"network {name}")

    # Images, networks, volumes

    def image(self, reference: str) -> str:
        """The id of an image. One that was never heard of is there.

        Raises:
            EngineError: 404 for one that was removed here, or that the real engine does not have.
        """
        with suppress(EngineError):
            return super().image(reference)
        if self.is_gone("images", reference):
            raise EngineError(404, f"No such image: {normal(reference)}")
        told = self.told("images", reference) or {}
        identity = str(told.get("Id") or f"sha256:{digest(normal(reference))}")
        names = told.get("RepoTags")
        if not names and not _SHORT_ID.fullmatch(reference.removeprefix("sha256:")):
            names = [normal(reference)]
        for name in names if isinstance(names, list) else ():
            self.add_image(str(name), identity)
        return identity

    def _find_network(self, reference: str) -> JsonObject | None:
        for key, each in self.networks.items():
            if reference in {each["Name"], key} or (_SHORT_ID.fullmatch(reference) and key.startswith(reference)):
                return each
        return None

    def network(self, reference: str) -> JsonObject:
        """By its name or id. One that was never heard of is there.

        Raises:
            EngineError: 404 for one that was removed here, or that the real engine does not have.
        """
        found = self._find_network(reference)
        if found is not None:
            return found
        if self.is_gone("networks", reference):
            raise EngineError(404, f"network {reference} not found")
        told = self.told("networks", reference) or {}
        identity = str(told.get("Id") or (reference if _ID.fullmatch(reference) else digest(f"network {reference}")))
        name = told.get("Name") or reference
        if identity in self.networks:  # told by its name, and named by its id
            return self.networks[identity]
        made = self.make_network({"Name": name}, identity)
        made.update(told)
        return made

    def volume(self, name: str) -> JsonObject:
        """By its name. One that was never heard of is there.

        Raises:
            EngineError: 404 for one that was removed here, or that the real engine does not have.
        """
        if name not in self.volumes and self.is_gone("volumes", name):
            raise EngineError(404, f"get {name}: no such volume")
        made = self.make_volume({"Name": name})
        made.update(self.told("volumes", name) or {})
        return made

    def is_there(self, noun: Noun, reference: str) -> bool:
        """Whether a client that looks for it finds it: it was made here, or spoken of, or is told, or is assumed."""
        assumed = noun == "images" or (noun == "containers" and not reference.startswith(_BUILDER))
        return assumed or self._known(noun, reference) or self.told(noun, reference) is not None

    async def furnish(self) -> None:
        """Have everything that is told, so that lists show it too, and the real engine's own networks."""
        if self._real is not None:
            for name in ("bridge", "host", "none"):
                told = await self._real.ask(inspect_path("networks", name))
                if not isinstance(told, Missing):
                    self._told[inspect_path("networks", name)] = told
                    self.networks = {key: each for key, each in self.networks.items() if each["Name"] != name}
        for path in list(self._told):
            noun, _, rest = path.removeprefix("/").partition("/")
            match noun:
                case "containers" if path == inspect_path("containers", rest.removesuffix("/json")):
                    self.container(rest.removesuffix("/json"))
                case "images" if path == inspect_path("images", rest.removesuffix("/json")):
                    self.image(rest.removesuffix("/json"))
                case "networks" if "/" not in rest and "?" not in rest:
                    self.network(rest)
                case "volumes" if "/" not in rest:
                    self.volume(rest)

    def said(self, path: str) -> JsonObject:
        """What is told of a path: a test may say what `/info` says. Empty where nothing is."""
        return self._told.get(path, {})
