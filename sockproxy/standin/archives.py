"""What goes in and out of the pretend engine as a tar. What goes in is read and forgotten; nothing comes out.

A file made up here would end up on a client's disk, over a real one perhaps (`docker cp`, `docker save -o`), so what
would carry files off is answered with an error that says so.
"""

from __future__ import annotations

import base64
import json
import posixpath
from typing import Final

from sockproxy.model import JsonObject
from sockproxy.standin.wire import Answer, EngineError, Reply, Request, Stream, progress
from sockproxy.standin.world import Route, World, digest, now

_FOLDER_MODE: Final = 1 << 31 | 0o755
"""A folder's mode as Go writes it (os.ModeDir and its permissions)."""


async def _describe(world: World, request: Request, name: str) -> Reply:
    """What a path in a container is: a folder, unless its last name has an ending, which nothing here has."""
    world.container(name)
    path = request.query.get("path", "/")
    if posixpath.splitext(path)[1]:
        raise EngineError(404, f"Could not find the file {path} in container {name}")
    told: JsonObject = {"name": posixpath.basename(path), "size": 4096, "mode": _FOLDER_MODE, "mtime": now()}
    return described({**told, "linkTarget": ""})


def described(stat: JsonObject) -> Reply:
    """The reply that says what a path in a container is."""
    said = base64.b64encode(json.dumps(stat).encode()).decode()
    return Answer(200, b"", "application/x-tar", {"X-Docker-Container-Path-Stat": said})


async def _take_in(world: World, request: Request, name: str) -> Reply:
    world.container(name)
    await request.drain()
    return Answer(200, b"", "text/plain")


async def _carry_off(world: World, _request: Request, name: str) -> Reply:
    world.container(name)
    raise EngineError(501, "the stand-in has no files to give")


async def _save(_world: World, _request: Request, _name: str) -> Reply:
    raise EngineError(501, "the stand-in has no files to give")


async def _load(_world: World, request: Request, _name: str) -> Reply:
    size = await request.drain()
    return Stream(progress({"stream": f"stand-in: took {size} bytes, loaded nothing\n"}))


async def _commit(world: World, request: Request, _name: str) -> Reply:
    world.container(request.query.get("container", ""))
    await request.drain()
    identity = f"sha256:{digest(now())}"
    if repository := request.query.get("repo"):
        world.add_image(f"{repository}:{request.query.get('tag') or 'latest'}", identity)
    return Answer(201, {"Id": identity})


def imported(world: World, request: Request) -> Reply:
    """The reply to an import; what it is made from is not looked at."""
    identity = f"sha256:{digest(now())}"
    if repository := request.query.get("repo"):
        world.add_image(f"{repository}:{request.query.get('tag') or 'latest'}", identity)
    return Stream(progress({"status": identity}))


ROUTES: Final[tuple[tuple[str, str, Route], ...]] = (
    ("HEAD", "/containers/{}/archive", _describe),
    ("GET", "/containers/{}/archive", _carry_off),
    ("PUT", "/containers/{}/archive", _take_in),
    ("GET", "/containers/{}/export", _carry_off),
    ("GET", "/images/get", _save),
    ("GET", "/images/{}/get", _save),
    ("POST", "/images/load", _load),
    ("POST", "/commit", _commit),
)
"""As `routes.ROUTES`."""
