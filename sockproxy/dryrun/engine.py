"""How the dry run's engine answers: as the stand-in does, about a world where whatever is named is there."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Final, cast, get_args

from sockproxy.dryrun.world import Brief, DryWorld, Noun
from sockproxy.errors import EngineDown
from sockproxy.model import Json, JsonObject, Missing
from sockproxy.standin import World, archives, routes
from sockproxy.standin.wire import Answer, EngineError, Reply, Request, Stream
from sockproxy.standin.world import Container, part

QUIET: Final = 2.0
"""Seconds without an event, after which a stream of events ends."""

_SUBJECT: Final = re.compile(r"/(containers|images|networks|volumes)/(.+?)(/json)?")
_NO_SUBJECTS: Final = frozenset({"json", "create", "prune", "get", "load", "search"})
_FOLLOWED: Final = re.compile(r"/containers/(.+)/(?:attach|logs)")
_OF_A_SWARM: Final = frozenset({"services", "secrets", "configs", "nodes", "tasks"})
"""Who asks for these has a swarm; `info` says nothing of one unless it is told to."""
_ARCHIVE: Final = re.compile(r"/containers/(.+)/archive")
_LISTS: Final[Mapping[str, tuple[Noun, str]]] = MappingProxyType(
    {
        "/containers/json": ("containers", "Id"),
        "/images/json": ("images", "Id"),
        "/networks": ("networks", "Id"),
        "/volumes": ("volumes", "Name"),
    }
)
"""What is listed, and the key that tells one from the other."""
_AWAITED: Final = re.compile(r"/containers/(.+)/wait")

TUNNELS: Final = frozenset({"/session", "/grpc"})
"""What BuildKit builds behind: a conversation that nobody can act out. It is never answered."""

PATIENCE: Final = 0.5
"""Seconds that somebody waits for a process before it ends: `docker run -d` waits too, and leaves at once."""


async def answer(world: World, request: Request) -> Reply:
    """The reply to one request of the command.

    Raises:
        EngineError: what Docker would answer with an error, or the real engine cannot be asked.
    """
    assert isinstance(world, DryWorld)
    try:
        return await _answer(world, request)
    except EngineDown as error:
        raise EngineError(error.status, error.message) from None


async def _answer(world: DryWorld, request: Request) -> Reply:
    if request.path == "/events":
        await request.drain()
        return Stream(_events(world))
    if request.path in TUNNELS:
        # Told of an error, buildx would try for a builder in a container, which no real engine would make it do.
        await world.over.wait()
    if request.path == "/auth":
        await request.drain()
        # Told of a success, a client would store what it was given.
        raise EngineError(501, "a dry run logs in nowhere: the call was judged, and no password is kept")
    if not world.has_real and request.path.split("/")[1] in _OF_A_SWARM:
        world.swarm.active = True
    subject = _subject(request)
    if subject is not None:
        await world.look(*subject)
    if request.method == "POST" and request.path == "/containers/create":
        request = await _with_image(world, request)
    if (followed := _FOLLOWED.fullmatch(request.path)) is not None:
        _follow(world.container(followed[1]), request)
    if (told := await _shown(world, request, subject)) is not None:
        return told
    reply = await _acted_out(world, request)
    if isinstance(reply, Stream) and (awaited := _AWAITED.fullmatch(request.path)) is not None:
        return replace(reply, chunks=_awaited(world.container(awaited[1]), reply.chunks))
    if subject is not None and request.method == "DELETE":
        world.forget(*subject)
    return _laid_over(reply, world.said(request.path)) if request.method == "GET" else reply


async def _shown(world: DryWorld, request: Request, subject: tuple[Noun, str] | None) -> Reply | None:
    """The reply to who looks at things; None for every other call."""
    if request.method == "GET" and request.path in _LISTS:
        return await _listed(world, request, *_LISTS[request.path])
    if request.method == "HEAD" and (described := _ARCHIVE.fullmatch(request.path)) is not None:
        return await _described(world, request, described[1])
    if subject is not None and request.method == "GET":
        return await _looked_up(world, request, *subject)
    return None


def _laid_over(reply: Reply, told: JsonObject) -> Reply:
    """The reply with what is told in place of what was made up."""
    if not told or not isinstance(reply, Answer) or not isinstance(reply.body, dict):
        return reply
    return replace(reply, body={**reply.body, **told})


def _subject(request: Request) -> tuple[Noun, str] | None:
    """The thing that the path names, where it is looked at or removed."""
    found = _SUBJECT.fullmatch(request.path)
    if found is None or request.method not in {"GET", "DELETE"}:
        return None
    noun, reference = cast("Noun", found[1]), found[2]
    assert noun in get_args(Noun)
    with_json = noun in {"containers", "images"} and request.method == "GET"
    if reference in _NO_SUBJECTS or with_json != bool(found[3]):
        return None
    return noun, reference


async def _looked_up(world: DryWorld, request: Request, noun: Noun, reference: str) -> Reply:
    if noun == "networks" and request.query.get("scope") == "swarm":
        told = await world.network_of_swarm(reference)
        if isinstance(told, Missing):
            raise EngineError(told.status, told.message)
        if told is not None:
            return Answer(body=told)
    if not world.is_there(noun, reference):
        raise EngineError(404, f"no such {noun.removesuffix('s')}: {reference}")
    if noun == "containers":
        return Answer(body=world.inspected(world.container(reference)))
    return _laid_over(await _acted_out(world, request), world.told(noun, reference) or {})


async def _listed(world: DryWorld, request: Request, noun: Noun, key: str) -> Reply:
    """A list: what was made here, behind what the real engine has of it."""
    told = await world.listed(request.path, request.query)
    reply = await _acted_out(world, request)
    assert isinstance(reply, Answer)
    if told is None and noun == "containers" and not _entries(reply.body) and (service := _service(request)):
        world.assume_service(service)
        return await _acted_out(world, request)
    if told is None:
        return reply
    there = [
        each for each in _entries(told) if not any(world.is_gone(noun, str(each.get(of))) for of in ("Id", "Name"))
    ]
    known = {each.get(key) for each in _entries(told)}
    made = [each for each in _entries(reply.body) if each.get(key) not in known and _made(world, noun, each)]
    entries: list[Json] = [*there, *made]
    return replace(reply, body={"Volumes": entries, "Warnings": None} if noun == "volumes" else entries)


def _service(request: Request) -> dict[str, str]:
    """The labels by which docker compose looks for the container of one service; empty where a list is of more."""
    wanted = (label.partition("=") for label in routes.filters(request).get("label", ()))
    labels = {name: value for name, _, value in wanted}
    return labels if labels.get("com.docker.compose.project") and labels.get("com.docker.compose.service") else {}


def _entries(body: Json | bytes) -> list[JsonObject]:
    listed = body.get("Volumes") if isinstance(body, dict) else body
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _made(world: DryWorld, noun: Noun, entry: JsonObject) -> bool:
    """Whether it is of this run. A container that is only named is in the real engine's list, or not to be in it."""
    return noun != "containers" or world.is_made(world.container(str(entry["Id"])))


async def _described(world: DryWorld, request: Request, reference: str) -> Reply:
    """What a path in a container is."""
    told = await world.stat(reference, request.query.get("path", "/"))
    if isinstance(told, Missing):
        raise EngineError(told.status, told.message)
    return archives.described(told) if told is not None else await _acted_out(world, request)


async def _acted_out(world: DryWorld, request: Request) -> Reply:
    try:
        return await routes.answer(world, request)
    except EngineError as error:
        if error.message != routes.NOT_FOUND:
            raise
        words = f"the dry run does not act out {request.method} {request.path}: it was judged, and nothing came of it"
        raise EngineError(501, words) from None


async def _with_image(world: DryWorld, request: Request) -> Request:
    """The same create, its image looked for on the real engine, which says whether it would be pulled first."""
    body = await request.read_json()
    if body.get("Entrypoint") == ["/bin/true"] and part(body, "HostConfig").get("DeviceRequests"):
        # How buildx finds out whether there is a GPU, to give its builder one: a dry run has none.
        raise EngineError(500, 'could not select device driver "" with capabilities: [[gpu]]')
    await world.look("images", str(body.get("Image") or ""))

    async def again() -> AsyncIterator[bytes]:
        yield json.dumps(body).encode()

    return replace(request, body=again())


def _follow(container: Container, request: Request) -> None:
    """Let a process come to its end where somebody reads what it prints until then.

    One with a health check goes on for a while: others may be waiting for its health (compose).
    """
    if part(container.config, "Healthcheck").get("Test"):
        return
    if request.path.endswith("/attach") or request.flag("follow"):
        _let_end(container)


def _let_end(container: Container) -> None:
    if isinstance(container.process, Brief):
        container.process.await_end()


async def _awaited(container: Container, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The answer to a wait; the process ends while somebody still waits for it."""
    ending = asyncio.get_running_loop().call_later(PATIENCE, _let_end, container)
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        ending.cancel()


async def _events(world: DryWorld) -> AsyncIterator[bytes]:
    """What happens from now on, until nothing has happened for a while."""
    async with aclosing(world.events()) as events:
        while True:
            try:
                event = await asyncio.wait_for(anext(events), QUIET)
            except TimeoutError:
                return
            yield json.dumps(event).encode() + b"\n"
