"""Whose a thing is: containers, networks, volumes, images and services, by any reference that Docker takes for them.

    reference ── look-up, where a rule or a power needs it ──► fact ──► ask(kind, name, labels), full id to forward

A look-up costs a question to the engine, so it is made only where something hangs on its answer: where a rule holds the
kind, where what the thing was itself given must be known (entering a container), where a reference may mean something
else than it says (hex digits may be the prefix of an id), and before sockproxy's own container could be touched.

What is not there: in the path it is answered with the engine's own 404, in a body it is an ask that no grant covers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sockproxy.docker import references
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.references import UNTAGGED
from sockproxy.errors import Malformed
from sockproxy.model import SWARM_SCOPE, Json, JsonObject, Missing

Labels = tuple[tuple[str, str], ...]

# Names, and legacy link names such as `web/db` (moby, daemon/names/names.go). Nothing else can be looked up by, and
# nothing else is ever put into the path of a look-up.
_REFERENCE: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*(?:/[a-zA-Z0-9][a-zA-Z0-9_.-]*)*")
_NETWORK_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_HEX: Final = re.compile(r"[0-9a-f]{1,64}")
UNNAMED: Final = "(unnamed)"
"""The value of the ask for a new container or service where the engine is to choose its name."""
VOLUME_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
"""What the local driver takes for a name (moby, daemon/volume/local/local.go; it wants two characters at least)."""


class Purpose(Enum):
    """What a call does with a container."""

    READ = "read"
    """Look at it, wait for it, link to it."""
    CHANGE = "change"
    """Start, stop, rename, remove, connect it."""
    COPY = "copy"
    """Carry its files away."""
    ENTER = "enter"
    """Run or write in it, join its namespaces, take its volumes."""


@dataclass(frozen=True, slots=True)
class Found:
    """A container, network or volume as the engine described it, or as it was named where nobody asked."""

    name: str
    fact: JsonObject | None
    """None where no look-up was needed."""
    forward: str
    """What to forward in the reference's place: the full id where it is known."""


def labels_of(value: Json) -> Labels:
    """The labels of a body or a fact, as asks carry them."""
    if not isinstance(value, dict):
        return ()
    return tuple((key, each if isinstance(each, str) else "") for key, each in value.items())


def part(value: Json, *keys: str) -> JsonObject:
    """An object inside a fact; empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def text(value: Json, key: str) -> str:
    """A text inside an object; empty where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def number(value: Json, key: str) -> int:
    """A number inside an object; 0 where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, int) else 0


def objects(value: Json) -> Iterator[tuple[int, JsonObject]]:
    """The objects of a list, each with its index; none where it is no list."""
    for index, each in enumerate(value if isinstance(value, list) else ()):
        if isinstance(each, dict):
            yield index, each


# Containers


def container_in_path(found: Findings, purpose: Purpose, param: str = "id") -> Found | None:
    """The container that the path names, and the ask for it. None while it must be looked up, or where it is absent."""
    return subject_container(found, found.call.params[param], "path", purpose)


def subject_container(found: Findings, reference: str, where: str, purpose: Purpose) -> Found | None:
    """The container that a call is about: if it does not exist the engine's own answer is given."""
    fact = _container_fact(found, reference, purpose)
    if isinstance(fact, Missing):
        found.absent = fact
        return None
    return _container(found, reference, fact, where, purpose)


def other_container(found: Findings, reference: str, where: str, purpose: Purpose) -> Found | None:
    """A container that a body refers to: if it does not exist that is an ask which no grant covers."""
    fact = _container_fact(found, reference, purpose)
    if isinstance(fact, Missing):
        found.ask("container", reference, where, grantable=False)
        return None
    return _container(found, reference, fact, where, purpose)


def _container(found: Findings, reference: str, fact: JsonObject | None, where: str, purpose: Purpose) -> Found | None:
    if fact is None:
        if _needs_container(found, purpose):
            return None
        found.ask("container", reference.removeprefix("/"), where)
        return Found(reference.removeprefix("/"), None, reference)
    name = text(fact, "Name").removeprefix("/") or reference
    identity = text(fact, "Id")
    own = found.context.own_container
    if own is not None and identity == own and purpose is not Purpose.READ:
        found.ask("container", name, where, grantable=False)
    else:
        found.ask("container", name, where, labels=labels_of(part(fact, "Config").get("Labels")))
    return Found(name, fact, identity or reference)


def _needs_container(found: Findings, purpose: Purpose) -> bool:
    if purpose is Purpose.ENTER or "container" in found.held:
        return True
    return purpose is not Purpose.READ and found.context.own_container is not None


def _container_fact(found: Findings, reference: str, purpose: Purpose) -> JsonObject | Missing | None:
    # The engine looks for the name with a slash before it, and puts one there where none is (daemon/container.go).
    reference = reference.removeprefix("/")
    if not _needs_container(found, purpose):
        return None
    if not _REFERENCE.fullmatch(reference):
        return Missing(404, f"No such container: {reference}")
    return found.look_up(f"/containers/{reference}/json")


# Networks


def network_in_path(found: Findings, param: str = "id") -> Found | None:
    """The network that the path names, and the ask for it. None while it must be looked up, or where it is absent."""
    reference = found.call.params[param]
    fact = _network_fact(found, reference)
    if isinstance(fact, Missing):
        found.absent = fact
        return None
    return _network(found, reference, fact, "path")


def asks_host_network(found: Findings, network: Found) -> None:
    """The ask of connecting to the host's network, by whatever reference."""
    if _is_host(network.name, network.fact):
        found.ask("namespace", "network=host", "path")


def _is_host(name: str, fact: JsonObject | None) -> bool:
    return name == "host" or text(fact, "Driver") == "host"


def joined_network(found: Findings, reference: str, where: str) -> str:
    """A network that a container or a build is to join, as what is forwarded in its place.

    The host's network, by whatever reference, is a namespace; a container's own has another place (`container:…`).
    """
    if reference == "none":
        return reference
    if reference == "host":
        found.ask("namespace", "network=host", where)
        return reference
    fact = _network_fact(found, reference)
    if isinstance(fact, Missing):
        # A name may be given to a network later and is still what was judged; the prefix of an id is not.
        found.ask("network", reference, where, grantable=_HEX.fullmatch(reference) is None)
        return reference
    network = _join(found, reference, fact, where)
    if network is None or _HEX.fullmatch(reference) is None:
        return reference
    return network.forward


def inspect_network_id(found: Findings, identity: str, named: str, where: str) -> None:
    """The ask of a network's id beside its name, where the two are not one network.

    Clients echo the id from an inspect. As it is not forwarded, one that is not there any more asks nothing.
    """
    if _HEX.fullmatch(identity) is None:
        joined_network(found, identity, where)
        return
    fact = found.look_up(f"/networks/{identity}")
    if fact is not None and not isinstance(fact, Missing) and text(fact, "Name") != named:
        _join(found, identity, fact, where)


def _join(found: Findings, reference: str, fact: JsonObject | None, where: str) -> Found | None:
    """The ask of joining a network: the host's is a namespace."""
    if fact is not None and _is_host(text(fact, "Name"), fact):
        found.ask("namespace", "network=host", where)
        return Found("host", fact, text(fact, "Id") or reference)
    return _network(found, reference, fact, where)


def _network(found: Findings, reference: str, fact: JsonObject | None, where: str) -> Found | None:
    if fact is None:
        if _needs_network(found, reference):
            return None
        found.ask("network", reference, where)
        return Found(reference, None, reference)
    name = text(fact, "Name") or reference
    found.ask("network", name, where, labels=labels_of(fact.get("Labels")))
    return Found(name, fact, text(fact, "Id") or reference)


def _needs_network(found: Findings, reference: str) -> bool:
    return "network" in found.held or _HEX.fullmatch(reference) is not None


def _network_fact(found: Findings, reference: str) -> JsonObject | Missing | None:
    if not _needs_network(found, reference):
        return None
    if not _NETWORK_NAME.fullmatch(reference):
        return Missing(404, f"network {reference} not found")
    return found.look_up(f"/networks/{reference}")


# Volumes and services


def volume_in_path(found: Findings) -> Found | None:
    """The volume that the path names, and the ask for it. None while it must be looked up, or where it is absent."""
    name = found.call.params["name"]
    fact: JsonObject | Missing | None = None
    if "volume" in found.held:
        fact = volume_fact(found, name)
        if fact is None:
            return None
    if isinstance(fact, Missing):
        found.absent = fact
        return None
    found.ask("volume", name, "path", labels=None if fact is None else labels_of(fact.get("Labels")))
    return Found(name, fact, name)


def volume_fact(found: Findings, name: str) -> JsonObject | Missing | None:
    """A volume by its name. What is no name of a local one, as a plug-in's may be, is not asked for."""
    if not VOLUME_NAME.fullmatch(name):
        return Missing(404, f"get {name}: no such volume")
    return found.look_up(f"/volumes/{name}")


_SWARM_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
"""Names and ids of services, tasks, secrets, configs and networks of a swarm: nothing else is ever looked up."""


def service_in_path(found: Findings, *, always: bool = False) -> Found | None:
    """The swarm service that the path names, and the ask for it. None while it must be looked up, or is absent.

    ``always``: look it up even where no rule holds services.
    """
    reference = found.call.params["id"]
    if not (always or "service" in found.held):
        found.ask("service", reference, "path")
        return Found(reference, None, reference)
    fact = swarm_fact(found, "services", reference)
    if isinstance(fact, Missing):
        found.absent = fact
        return None
    return _service(found, reference, fact) if fact is not None else None


def task_in_path(found: Findings) -> None:
    """The ask for the service of the task that the path names, where a rule holds services."""
    if "service" not in found.held:
        return
    task = swarm_fact(found, "tasks", found.call.params["id"])
    if isinstance(task, Missing):
        found.absent = task
    if task is None or isinstance(task, Missing):
        return
    reference = text(task, "ServiceID")
    service = swarm_fact(found, "services", reference)
    if isinstance(service, Missing):
        found.ask("service", reference or "(none)", "path", grantable=False)
    elif service is not None:
        _service(found, reference, service)


def _service(found: Findings, reference: str, fact: JsonObject) -> Found:
    spec = part(fact, "Spec")
    name = text(spec, "Name") or reference
    found.ask("service", name, "path", labels=labels_of(spec.get("Labels")))
    return Found(name, fact, text(fact, "ID") or reference)


def swarm_network(found: Findings, reference: str, where: str) -> str:
    """A network that a service is to join, as what is forwarded in its place: its id in the swarm.

    It is always looked up, among the swarm's networks as the engine does: the host's own network has an id there that
    is no hex, and a network of this node may have the same name as one of the swarm.
    """
    fact = swarm_fact(found, "networks", reference, SWARM_SCOPE)
    if isinstance(fact, Missing):
        found.ask("network", reference, where, grantable=False)
        return reference
    if fact is None:
        return reference
    joined = _join(found, reference, fact, where)
    return joined.forward if joined is not None else reference


def swarm_fact(found: Findings, noun: str, reference: str, query: str = "") -> JsonObject | Missing | None:
    """A thing of the swarm by its name or id. An engine in no swarm says so, and its answer is the call's (503)."""
    if not _SWARM_NAME.fullmatch(reference):
        return Missing(404, f"no such thing among the swarm's {noun}: {reference}")
    fact = found.look_up(f"/{noun}/{reference}{query}")
    if isinstance(fact, Missing) and fact.status == 503:
        found.absent = fact
    return fact


# Images


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image as a call names it."""

    value: str
    """Its name in normal form, or its full id."""
    forward: str
    """What to forward: the full id where it was named by one."""
    identity: str = ""
    """The full id, where it was looked up."""


def image(found: Findings, reference: str, where: str) -> FoundImage | None:
    """The image that is meant, and the ask for it. None while it must be looked up.

    Hex digits may be a name or the prefix of an id: where a rule holds images the engine is asked which, and an id
    stands for its names. A missing image is judged by its name, never answered with a 404: a client would pull it.

    Raises:
        Malformed: it is neither a reference nor an id.
    """
    if not references.is_id_like(reference):
        name = normal_name(reference, where)
        found.ask("image", name, where)
        return FoundImage(name, reference)
    fact = found.look_up(f"/images/{reference}/json") if "image" in found.held else None
    if fact is None:
        if "image" in found.held:
            return None
        found.ask("image", reference, where)
        return FoundImage(reference, reference)
    name = "" if reference.startswith("sha256:") or len(reference) == 64 else normal_name(reference, where)
    if isinstance(fact, Missing):
        found.ask("image", name or reference, where)
        return FoundImage(name or reference, reference)
    identity = text(fact, "Id") or reference
    names = _names(fact)
    if name in names:
        found.ask("image", name, where)
        return FoundImage(name, reference, identity)
    found.ask("image", identity, where, aliases=names or (UNTAGGED,))
    return FoundImage(identity, identity, identity)


def normal_name(reference: str, where: str) -> str:
    """The normal form of an image's name.

    Raises:
        Malformed: it is no reference; the engine would answer 400 too.
    """
    try:
        return references.normalise(reference)
    except references.InvalidReferenceError as error:
        raise Malformed(f"{where}: {error}") from None


def inspect_registry(found: Findings, reference: str, where: str) -> None:
    """The ask for the registry that an image's or a plugin's name says: the engine asks it.

    Raises:
        Malformed: it is no reference.
    """
    try:
        found.ask("registry", references.parse(reference).registry, where)
    except references.InvalidReferenceError as error:
        raise Malformed(f"{where}: {error}") from None


def tagged(repository: str, tag: str, where: str, *, untagged: str = "latest") -> str:
    """The normal form of what a repository and a tag mean together; ``untagged`` is the tag where neither gives one.

    Raises:
        Malformed: one of them is wrong.
    """
    try:
        return references.with_tag(repository, tag).named(untagged)
    except references.InvalidReferenceError as error:
        raise Malformed(f"{where}: {error}") from None


def _names(fact: JsonObject) -> tuple[str, ...]:
    """The normal names of an inspected image."""
    names: list[str] = []
    for key in ("RepoTags", "RepoDigests"):
        listed = fact.get(key)
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, str) and not each.startswith("<none>"):
                try:
                    names.append(references.normalise(each))
                except references.InvalidReferenceError:
                    # An old image may carry a name that today's grammar refuses; it then stands for nothing.
                    continue
    return tuple(names)
