"""Questions to whoever listens at an address: is anybody there, who is it, and what does the engine say of itself?

Only GET of `/_ping`, `/version`, `/info`, `/healthz` and one container's inspect: nothing is changed by being asked.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import httpx

from sockproxy.doctor.scene import Scene
from sockproxy.model import Context, Json, JsonObject, Missing
from sockproxy.proxy.address import Address
from sockproxy.proxy.answers import ID_HEADER
from sockproxy.proxy.limits import Limits
from sockproxy.proxy.listen import Listener, TcpListener
from sockproxy.proxy.lookups import Lookups

SECONDS: Final = 5.0
"""How long one answer may take."""

Who: TypeAlias = Literal["sockproxy", "engine", "stranger"]

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
"""What is bound on every address is asked on loopback."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a GET."""

    status: int
    who: Who
    api: str
    """The `Api-Version` that it told; empty where it told none."""
    told: JsonObject
    """Its body; empty where that is no JSON object."""

    @property
    def message(self) -> str:
        """What a Docker client would print of a refusal."""
        return str(self.told.get("message") or f"status {self.status}")


def reach(address: Address) -> str:
    """Connect, and let go again; our own address there, empty on a Unix socket.

    Raises:
        OSError: nobody listens, or we may not.
    """
    if address.path is None:
        with socket.create_connection((address.host, address.port), timeout=SECONDS) as connection:
            return str(connection.getsockname()[0])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect(address.path)
    return ""


def ask(address: Address, path: str) -> Answer:
    """GET a path.

    Raises:
        OSError: nobody listens, or what comes is no HTTP.
    """
    reach(address)  # before httpx, which leaves a socket open where it cannot connect
    host = "docker" if address.path is not None else str(address).removeprefix("tcp://")
    transport = httpx.HTTPTransport(uds=address.path)
    try:
        with httpx.Client(transport=transport, base_url=f"http://{host}", timeout=SECONDS, trust_env=False) as client:
            reply = client.get(path)
    except httpx.TimeoutException as error:
        raise TimeoutError("no answer in time") from error
    except httpx.HTTPError as error:
        raise ConnectionError(f"no HTTP answer: {error}") from error
    return Answer(reply.status_code, _who(reply), reply.headers.get("api-version", ""), _object(reply))


def _who(reply: httpx.Response) -> Who:
    if ID_HEADER.decode() in reply.headers:
        return "sockproxy"
    return "engine" if "api-version" in reply.headers else "stranger"


def _object(reply: httpx.Response) -> JsonObject:
    try:
        told = reply.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def where(listener: Listener) -> Address:
    """Where a listener is asked."""
    if isinstance(listener, TcpListener):
        return Address(None, _ANYWHERE.get(listener.host, listener.host), listener.port)
    return Address(listener.path)


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine says of itself, and of the container that we run in."""

    context: Context
    version: JsonObject
    info: JsonObject = field(default_factory=dict)
    """Empty where it may not be asked for."""
    own: JsonObject | None = None
    """Our own container's inspect; None where we run in none, or nobody knows in which."""


async def engine(address: Address, own_container: str | None, scene: Scene) -> Told:
    """Ask the engine.

    Raises:
        EngineDown: it cannot be asked.
    """
    limits = Limits(lookup_seconds=SECONDS)
    mountinfo = scene.path("/proc/self/mountinfo")
    lookups = Lookups(address, limits, own_container=own_container, mountinfo=mountinfo)
    try:
        context = await lookups.context()
        inspect = f"/containers/{context.own_container}/json"
        facts = await lookups.facts(("/version", "/info", *((inspect,) if context.own_container else ())))
    finally:
        await lookups.close()
    answers = {path: fact for path, fact in facts.items() if not isinstance(fact, Missing)}
    return Told(context, answers.get("/version", {}), answers.get("/info", {}), answers.get(inspect))


def dig(node: Json, *keys: str) -> Json:
    """What stands under keys in keys; None where one of them is not there."""
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return node
