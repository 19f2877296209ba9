"""What the judge is told in a dry run, in place of an engine's answers: the same as in the tests of a policy.

    made in this run ─► as it was made      a real engine's ─► as that says      else ─► `rehearse.stand_in`

But a network, a volume or a builder that the call itself looks at is not there, for the judge as for the client.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Final, Literal
from urllib.parse import unquote

from sockproxy.dryrun.world import DryWorld, inspect_path
from sockproxy.model import HOST, STAT, Context, Json, JsonObject, Missing, Version
from sockproxy.proxy.address import Address
from sockproxy.proxy.edge import EXTENSION, Exchange
from sockproxy.proxy.host_root import HostRoot
from sockproxy.proxy.limits import Limits
from sockproxy.proxy.listen import App
from sockproxy.proxy.lookups import Lookups
from sockproxy.rehearse import knows_host, stand_in
from sockproxy.standin.wire import EngineError
from sockproxy.standin.world import text_map

_LOOKED_AT: Final[ContextVar[str]] = ContextVar("looked_at", default="")
"""The path that the call that is judged looks at; empty where it does more than look."""
_PREFIX: Final = re.compile(r"/v[0-9.]+(?=/)")


def noticing(app: App) -> App:
    """The app, with each call's path noticed before it is judged."""

    async def noticed(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        exchange: Exchange = scope["extensions"][EXTENSION]
        if exchange.head is not None and exchange.head.method == b"GET":
            path = unquote(exchange.head.target.partition(b"?")[0].decode("latin-1"))
            _LOOKED_AT.set(_PREFIX.sub("", path, count=1))
        await app(scope, receive, send)

    return noticed


class DryLookups(Lookups):
    """Answers the judge's questions from the dry run's world. The real engine is asked only where there is one."""

    def __init__(
        self,
        world: DryWorld,
        told: Mapping[str, JsonObject],
        engine: Address | None,
        *,
        host_root: HostRoot | None = None,
    ) -> None:
        super().__init__(engine or Address("/"), Limits(), host_root=host_root)
        self._world = world
        self._real = engine is not None
        self._stand_in = stand_in(told)
        self._sees_host = host_root is not None
        self._tells_host = knows_host(told)

    async def context(self) -> Context:
        """The versions that the dry run's engine speaks. sockproxy's own container is none of its world."""
        spoken = self._world.spoken
        self.known = Context(
            engine_version=_version(spoken.newest),
            engine_minimum=_version(spoken.oldest),
            host_root=self._sees_host or self._tells_host,
        )
        return self.known

    async def facts(self, keys: Iterable[str]) -> dict[str, JsonObject | Missing]:
        """What is answered to each key of `Facts`.

        Raises:
            EngineDown: the real engine cannot be asked.
        """
        return {key: await self._fact(key) for key in keys}

    async def _fact(self, key: str) -> JsonObject | Missing:
        if key.startswith(HOST):
            return (await super().facts([key]))[key] if self._sees_host else self._stand_in(key)
        if key.startswith(STAT):
            return await self._path_in_container(key)
        noun, _, rest = key.removeprefix("/").partition("/")
        try:
            match noun:
                case "containers":
                    return await self._container(rest.removesuffix("/json"))
                case "images":
                    return await self._image(key, rest.removesuffix("/json"))
                case "networks" | "volumes" if "?" not in rest:
                    return await self._network_or_volume(key, noun, rest)
                case "exec" if (exec_ := self._world.execs.get(rest.removesuffix("/json"))) is not None:
                    return exec_.inspected()
                case "services" | "secrets" | "configs":
                    kept = self._world.swarm.kept.get(noun.removesuffix("s"), {})
                    return kept.get(rest) or await self._elsewhere(key)
        except EngineError as error:
            return Missing(error.status, error.message)
        return await self._elsewhere(key)

    async def _elsewhere(self, key: str) -> JsonObject | Missing:
        return (await super().facts([key]))[key] if self._real else self._stand_in(key)

    async def _container(self, reference: str) -> JsonObject | Missing:
        await self._world.look("containers", reference)
        if inspect_path("containers", reference) == _LOOKED_AT.get() and not self._world.is_there(
            "containers", reference
        ):
            return Missing(404, f"no such container: {reference}")
        container = self._world.container(reference)
        if self._world.is_made(container):
            return self._world.inspected(container)
        told = self._world.told("containers", container.name) or self._world.told("containers", reference)
        assumed = self._stand_in(inspect_path("containers", container.name))
        assert not isinstance(assumed, Missing)
        return {**assumed, **(told or {}), "Id": container.id}

    async def _path_in_container(self, key: str) -> JsonObject | Missing:
        reference, _, path = key.removeprefix(STAT).partition(":")
        told = self._stand_in(key)
        return told or await self._world.stat(reference, path) or told

    async def _image(self, key: str, reference: str) -> JsonObject | Missing:
        await self._world.look("images", reference)
        identity = self._world.image(reference)
        names: list[Json] = [name for name, each in self._world.images.items() if each == identity]
        told = self._world.told("images", reference)
        if told is not None:
            return {**told, **({"RepoTags": names} if names else {})}
        return {"Id": identity, "RepoTags": names} if names else self._stand_in(key)

    async def _network_or_volume(self, key: str, noun: str, reference: str) -> JsonObject | Missing:
        kind: Literal["networks", "volumes"] = "networks" if noun == "networks" else "volumes"
        await self._world.look(kind, reference)
        if self._world.is_gone(kind, reference) or self._world.is_there(kind, reference):
            found = self._world.network(reference) if kind == "networks" else self._world.volume(reference)
            return {**found, "Labels": dict(text_map(found.get("Labels")))}
        if key == _LOOKED_AT.get():
            return Missing(404, f"no such {kind.removesuffix('s')}: {reference}")
        return self._stand_in(key)


def _version(text: str) -> Version:
    major, _, minor = text.partition(".")
    return int(major), int(minor)
