"""What there is behind the pretend engine: containers, execs, images, networks, volumes, and what happens to them.

INVARIANT: every collection is bounded by `MOST`; what would go beyond is refused with 507.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self, TypeAlias

from sockproxy.model import Json, JsonObject
from sockproxy.standin.process import Process
from sockproxy.standin.wire import EngineError, Reply, Request, Spoken

MOST: Final = 200
"""Containers, execs, images, networks and volumes that are kept, of each."""

_HOST_CONFIG: Final[JsonObject] = {
    "NetworkMode": "bridge",
    "Binds": None,
    "LogConfig": {"Type": "json-file", "Config": {}},
    "Privileged": False,
    "AutoRemove": False,
}
"""What an inspect shows where the create said nothing."""

_NEVER: Final = "0001-01-01T00:00:00Z"


def now() -> str:
    """The time as Docker writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def words(value: Json) -> list[str]:
    """A command as JSON has it (a list, a word alone, null), as a list of words."""
    if isinstance(value, str):
        return [value]
    return [str(each) for each in value] if isinstance(value, list) else []


def text_map(value: Json) -> dict[str, str]:
    """An object of texts; empty where it is none."""
    return {key: str(each) for key, each in value.items()} if isinstance(value, dict) else {}


def part(value: JsonObject, key: str) -> JsonObject:
    """An object inside an object; empty where there is none."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


@dataclass(slots=True)
class Container:
    """A container: the body it was made from, and its one process."""

    id: str
    name: str
    config: JsonObject
    image_id: str
    process: Process
    created: float = field(default_factory=time.time)
    started_at: str = _NEVER
    finished_at: str = _NEVER
    removed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return text_map(self.config.get("Labels"))

    @property
    def status(self) -> str:
        """``created``, ``running`` or ``exited``."""
        if self.process.running:
            return "running"
        return "created" if self.process.exit_code is None else "exited"

    @property
    def _watched(self) -> bool:
        """Whether it was made with a health check, which it passes."""
        return bool(part(self.config, "Healthcheck").get("Test"))

    def summary(self) -> JsonObject:
        """Its entry in the list."""
        up = "Up 1 second (healthy)" if self._watched else "Up 1 second"
        shown = {"running": up, "created": "Created"}
        return {
            "Id": self.id,
            "Names": [f"/{self.name}"],
            "Image": self.config.get("Image"),
            "ImageID": self.image_id,
            "Command": " ".join(self.process.argv),
            "Created": int(self.created),
            "Ports": [],
            "Labels": dict(self.labels),
            "State": self.status,
            "Status": shown.get(self.status, f"Exited ({self.process.exit_code}) 1 second ago"),
            "HostConfig": {"NetworkMode": part(self.config, "HostConfig").get("NetworkMode") or "bridge"},
            "NetworkSettings": {"Networks": {"bridge": {}}},
            "Mounts": [],
        }

    def inspected(self) -> JsonObject:
        """What an inspect shows."""
        running = self.process.running
        config = {key: value for key, value in self.config.items() if key not in {"HostConfig", "NetworkingConfig"}}
        return {
            "Id": self.id,
            "Created": datetime.fromtimestamp(self.created, UTC).isoformat().replace("+00:00", "Z"),
            "Path": self.process.argv[0] if self.process.argv else "",
            "Args": list(self.process.argv[1:]),
            "State": {
                "Status": self.status,
                "Running": running,
                "Paused": False,
                "Restarting": False,
                "OOMKilled": False,
                "Dead": False,
                "Pid": 4242 if running else 0,
                "ExitCode": self.process.exit_code or 0,
                "Error": "",
                "StartedAt": self.started_at,
                "FinishedAt": self.finished_at,
                **({"Health": {"Status": "healthy", "FailingStreak": 0, "Log": []}} if self._watched else {}),
            },
            "Image": self.image_id,
            "Name": f"/{self.name}",
            "RestartCount": 0,
            "Driver": "overlay2",
            "Platform": "linux",
            "HostConfig": {**_HOST_CONFIG, **part(self.config, "HostConfig")},
            "Mounts": [],
            "Config": {"Env": [], "Labels": {}, **config},
            "NetworkSettings": {"Networks": {"bridge": {"NetworkID": digest("bridge"), "IPAddress": ""}}, "Ports": {}},
            "ExecIDs": None,
        }


@dataclass(slots=True)
class Exec:
    """A command prepared in a container."""

    id: str
    container: Container
    process: Process
    config: JsonObject

    def inspected(self) -> JsonObject:
        """What an inspect shows."""
        command, *arguments = self.process.argv
        described: JsonObject = {
            "entrypoint": command,
            "arguments": list(arguments),
            "user": self.config.get("User") or "",
            "privileged": self.config.get("Privileged") is True,
            "tty": self.config.get("Tty") is True,
        }
        return {
            "ID": self.id,
            "ContainerID": self.container.id,
            "Running": self.process.running,
            "ExitCode": self.process.exit_code,
            "ProcessConfig": described,
            "OpenStdin": self.process.open_stdin,
            "Pid": 4243 if self.process.running else 0,
        }


@dataclass(slots=True)
class Swarm:
    """What a manager of a swarm would know."""

    active: bool = False
    node: str = "standin00000000000000node"
    kept: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    """Services, secrets and configs: the noun to ids to the specs."""


def digest(text: str) -> str:
    """64 hex digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def normal(reference: str) -> str:
    """``docker.io/library/busybox`` without what Docker adds, and with its tag; a digest is left as it is."""
    reference = reference.removeprefix("docker.io/").removeprefix("library/")
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


class World:
    """Everything there is, and everyone who watches."""

    def __init__(self, spoken: Spoken | None = None) -> None:
        self.spoken = spoken or Spoken()
        self.containers: dict[str, Container] = {}
        self.execs: dict[str, Exec] = {}
        self.images: dict[str, str] = {}
        """A name with its tag to an id (``sha256:…``)."""
        self.networks: dict[str, JsonObject] = {}
        self.volumes: dict[str, JsonObject] = {}
        self.swarm = Swarm()
        self._watchers: set[asyncio.Queue[JsonObject]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        for name, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null")):
            self.make_network({"Name": name, "Driver": driver}, identity=digest(name))

    @classmethod
    def furnished(cls) -> Self:
        """A small shop: a web server and its database, both running."""
        world = cls()
        for image in ("busybox:latest", "nginx:1.27", "postgres:16"):
            world.add_image(image)
        for name, image in (("web", "nginx:1.27"), ("db", "postgres:16")):
            made = world.make_container(name, {"Image": image, "Labels": {"com.example.shop": name}})
            world.start(made)
        world.make_volume({"Name": "shop_data"})
        return world

    async def close(self) -> None:
        """Stop every process."""
        processes = [each.process for each in self.containers.values()] + [each.process for each in self.execs.values()]
        for process in processes:
            await process.close()
        await asyncio.gather(*self._endings)

    def process(self, argv: Sequence[str], *, tty: bool, open_stdin: bool) -> Process:
        """What is to act a command out."""
        return Process(argv, tty=tty, open_stdin=open_stdin)

    # Containers

    def container(self, reference: str) -> Container:
        """By its name, its id or an unambiguous beginning of it.

        :raises EngineError: 404 in Docker's words.
        """
        name = reference.removeprefix("/")
        for each in self.containers.values():
            if name in {each.name, each.id}:
                return each
        found = [each for each in self.containers.values() if name and each.id.startswith(name)]
        if len(found) != 1:
            raise EngineError(404, f"No such container: {reference}")
        return found[0]

    def make_container(self, name: str, config: JsonObject) -> Container:
        """Create one from a create's body.

        :raises EngineError: 404 for an image that is not there, 409 for a name in use, 507 beyond `MOST`.
        """
        image_id = self.image(str(config.get("Image") or ""))
        identity = secrets.token_hex(32)
        name = name.removeprefix("/") or f"idle_{identity[:8]}"
        for each in self.containers.values():
            if each.name == name:
                taken = f'The container name "/{name}" is already in use by container "{each.id}".'
                raise EngineError(
                    409, f"Conflict. {taken} You have to remove (or rename) that container to reuse that name."
                )
        _check_room(self.containers, "containers")
        argv = words(config.get("Entrypoint")) + words(config.get("Cmd"))
        process = self.process(argv, tty=config.get("Tty") is True, open_stdin=config.get("OpenStdin") is True)
        made = self.containers[identity] = Container(identity, name, config, image_id, process)
        self.happened("container", "create", made.id, {"name": name, "image": str(config.get("Image")), **made.labels})
        return made

    def start(self, container: Container) -> bool:
        """Start it; False where it runs already. One that has ended runs its command anew."""
        old = container.process
        if old.running:
            return False
        if old.exit_code is not None:
            container.process = self.process(old.argv, tty=old.tty, open_stdin=old.open_stdin)
        container.process.start()
        container.started_at = now()
        self.happened("container", "start", container.id, {"name": container.name})
        ending = asyncio.create_task(self._see_it_end(container, container.process))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return True

    async def _see_it_end(self, container: Container, process: Process) -> None:
        await process.finished.wait()
        container.finished_at = now()
        attributes = {"name": container.name, "exitCode": str(process.exit_code)}
        self.happened("container", "die", container.id, attributes)
        if part(container.config, "HostConfig").get("AutoRemove") is True:
            await self.remove(container)

    async def remove(self, container: Container) -> None:
        """Stop it, forget it and its execs, and tell who waits for that."""
        if self.containers.pop(container.id, None) is None:
            return
        for key in [key for key, each in self.execs.items() if each.container is container]:
            await self.execs.pop(key).process.close()
        await container.process.close()
        container.removed.set()
        self.happened("container", "destroy", container.id, {"name": container.name})

    def make_exec(self, container: Container, config: JsonObject) -> Exec:
        """Prepare a command in a running container.

        :raises EngineError: 409 where it does not run, 400 without a command, 507 beyond `MOST`.
        """
        if not container.process.running:
            raise EngineError(409, f"container {container.id} is not running")
        argv = words(config.get("Cmd"))
        if not argv:
            raise EngineError(400, "no exec command specified")
        for key in [key for key, each in self.execs.items() if each.process.exit_code is not None]:
            del self.execs[key]
        _check_room(self.execs, "execs")
        process = self.process(argv, tty=config.get("Tty") is True, open_stdin=config.get("AttachStdin") is True)
        made = Exec(secrets.token_hex(32), container, process, config)
        self.execs[made.id] = made
        return made

    def exec(self, identity: str) -> Exec:
        """An exec by its id.

        :raises EngineError: 404 in Docker's words.
        """
        if identity not in self.execs:
            raise EngineError(404, f"No such exec instance: {identity}")
        return self.execs[identity]

    # Images, networks, volumes

    def add_image(self, reference: str, identity: str | None = None) -> str:
        """Have an image of that name; its id."""
        name = normal(reference)
        if name not in self.images:
            _check_room(self.images, "images")
        self.images[name] = identity or f"sha256:{digest(name)}"
        return self.images[name]

    def image(self, reference: str) -> str:
        """The id of an image, given its name, its id or the beginning of its id.

        :raises EngineError: 404 in Docker's words, which make the CLI pull.
        """
        name = normal(reference)
        if name in self.images:
            return self.images[name]
        bare = reference.removeprefix("sha256:")
        for identity in self.images.values():
            if len(bare) >= 4 and identity.removeprefix("sha256:").startswith(bare):
                return identity
        raise EngineError(404, f"No such image: {name}")

    def make_network(self, body: Mapping[str, Json], identity: str | None = None) -> JsonObject:
        """Create a network.

        :raises EngineError: 409 for a name in use, 507 beyond `MOST`.
        """
        name = str(body.get("Name") or "")
        if any(each["Name"] == name for each in self.networks.values()):
            raise EngineError(409, f"network with name {name} already exists")
        _check_room(self.networks, "networks")
        key = identity or secrets.token_hex(32)
        self.networks[key] = {
            "Name": name,
            "Id": key,
            "Created": now(),
            "Scope": "local",
            "Driver": body.get("Driver") or "bridge",
            "EnableIPv6": False,
            "IPAM": {"Driver": "default", "Options": None, "Config": []},
            "Internal": body.get("Internal") is True,
            "Attachable": False,
            "Ingress": False,
            "Containers": {},
            "Options": dict(text_map(body.get("Options"))),
            "Labels": dict(text_map(body.get("Labels"))),
        }
        return self.networks[key]

    def network(self, reference: str) -> JsonObject:
        """By its name or the beginning of its id.

        :raises EngineError: 404 in Docker's words.
        """
        for key, each in self.networks.items():
            if each["Name"] == reference or (len(reference) >= 4 and key.startswith(reference)):
                return each
        raise EngineError(404, f"network {reference} not found")

    def make_volume(self, body: JsonObject) -> JsonObject:
        """Create a volume, or give the one that has its name.

        :raises EngineError: 507 beyond `MOST`.
        """
        name = str(body.get("Name") or secrets.token_hex(32))
        if name not in self.volumes:
            _check_room(self.volumes, "volumes")
            self.volumes[name] = {
                "Name": name,
                "Driver": body.get("Driver") or "local",
                "Mountpoint": f"/var/lib/docker/volumes/{name}/_data",
                "Labels": dict(text_map(body.get("Labels"))),
                "Options": dict(text_map(body.get("DriverOpts"))),
                "Scope": "local",
                "CreatedAt": now(),
            }
        return self.volumes[name]

    def volume(self, name: str) -> JsonObject:
        """By its name.

        :raises EngineError: 404 in Docker's words.
        """
        if name not in self.volumes:
            raise EngineError(404, f"get {name}: no such volume")
        return self.volumes[name]

    # Events

    def happened(self, kind: str, action: str, identity: str, attributes: Mapping[str, str]) -> None:
        """Tell everyone who watches. One who does not read is not waited for: what he missed is missed."""
        seconds = time.time()
        event: JsonObject = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": identity, "Attributes": dict(attributes)},
            "scope": "local",
            "time": int(seconds),
            "timeNano": int(seconds * 1e9),
        }
        if kind == "container":
            event |= {"status": action, "id": identity, "from": attributes.get("image", "")}
        for watcher in self._watchers:
            if not watcher.full():
                watcher.put_nowait(event)

    async def events(self) -> AsyncGenerator[JsonObject, None]:
        """What happens from now on, without an end."""
        watcher: asyncio.Queue[JsonObject] = asyncio.Queue(maxsize=1000)
        self._watchers.add(watcher)
        try:
            while True:
                yield await watcher.get()
        finally:
            self._watchers.discard(watcher)


def _check_room(things: Mapping[str, object], noun: str) -> None:
    if len(things) >= MOST:
        raise EngineError(507, f"the stand-in keeps at most {MOST} {noun}")


Route: TypeAlias = Callable[[World, Request, str], Awaitable[Reply]]
"""Answers an endpoint: given what there is, the request, and the one thing that its path names (empty where none)."""
