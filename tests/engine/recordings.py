"""Calls of clients that cannot be had here, replayed: ``recorded/CLIENT.yaml``.

A file says which client it is, where its calls are known from, and the preset that it works under. ``things`` are the
containers that stand on the engine before; ``calls`` come in the order in which the client makes them, and each must be
answered as the engine answers it; each of ``refused`` is what the client, or whoever took it over, must not get. `$word` is
a name: of a thing (its id; `$word_name` its name), of what an answer was kept as, or one of these:

    $n    what everything of this run is called by        $api    the version that the client and the engine agree on

What is made gets the label of this run, so that a sweep finds it; nothing else is added to what a client sends.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.corpus import changed, spell, spelled, tar_of
from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.wire import exchange, request, to_json

FOLDER = Path(__file__).parent / "recorded"
BODIES = Path(__file__).parents[1] / "corpus" / "clients"
LABELS = {"sockproxy.test": "1", "sockproxy.test.run": PREFIX}
MAKES = ("/containers/create", "/networks/create", "/volumes/create")
PATIENCE = 20.0
"""Seconds that a stream may take to say what is expected of it."""


@dataclass(frozen=True)
class Step:
    """One call, and what comes of it."""

    call: str
    """``METHOD target``."""
    body: Any = None
    like: str = ""
    """A client of the corpus whose body of this row this one is like; ``body`` says what differs."""
    again: str = ""
    """The kept inspect of a container that this create makes anew."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What is in the tar that is sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    """What the engine answers; any success where it is 0."""
    upgrade: bool = False
    types: str = ""
    """What the client sends once the stream is its own."""
    reads: str = ""
    """What a stream must say before the client leaves it."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """A name to the key of the answer that it becomes; an empty key keeps the whole."""


@dataclass(frozen=True)
class Recording:
    """What one client does."""

    name: str
    client: str
    source: str
    preset: str
    calls: tuple[Step, ...]
    refused: tuple[Step, ...]
    speaks: str = "1.51"
    """The newest API that the client speaks."""
    things: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    """What the image that is there is called besides."""
    folders: tuple[str, ...] = ()
    """Paths of the host that are there afterwards, and were not before."""


def recordings() -> tuple[Recording, ...]:
    """Every one, by its file's name."""
    return tuple(map(_recording, sorted(FOLDER.glob("*.yaml"))))


def _recording(path: Path) -> Recording:
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = {key: tuple(map(_step, given.pop(key))) for key in ("calls", "refused")}
    lists = {key: tuple(given.pop(key, ())) for key in ("images", "folders")}
    return Recording(name=path.stem, **lists, **steps, **given)


def _step(given: str | dict[str, Any]) -> Step:
    return Step(given) if isinstance(given, str) else Step(**given)


@contextmanager
def set_up(recording: Recording, engine: Engine) -> Iterator[dict[str, Any]]:
    """The recording's things on an engine, and what its names stand for; all is swept away afterwards."""
    run = f"{PREFIX}-{os.urandom(3).hex()}"
    api = min(recording.speaks, engine.api, key=lambda version: tuple(map(int, version.split("."))))
    names: dict[str, Any] = {"n": run, "image": IMAGE, "api": api}
    with engine.swept(*recording.folders):
        with engine.client() as client:
            for image in recording.images:
                repo, _, tag = spell(image, names).rpartition(":")
                client.post(f"/images/{IMAGE}/tag", params={"repo": repo, "tag": tag}).raise_for_status()
            for word, thing in recording.things.items():
                body = changed({"Image": IMAGE, "Cmd": ["sleep", "600"]}, spelled(dict(thing), names))
                made = client.post("/containers/create", params={"name": f"{run}-{word}"}, json=_labelled(body))
                names |= {word: made.raise_for_status().json()["Id"], f"{word}_name": f"{run}-{word}"}
                client.post(f"/containers/{names[word]}/start").raise_for_status()
        yield names


def replay(step: Step, proxy: Path, names: dict[str, Any]) -> int:
    """Send a call through the proxy's socket, keep what it says to keep, and return the status.

    Raises:
        AssertionError: a stream did not say what it should.
    """
    sent = _bytes(step, names)
    if step.reads or step.upgrade:
        return _streamed(proxy, sent, spell(step.types, names).encode(), spell(step.reads, names).encode())
    answer = exchange(proxy, sent)
    for name, key in step.keep.items() if answer.status < 400 else ():
        told = json.loads(answer.body)
        names[name] = told[key] if key else told
    return answer.status


def _bytes(step: Step, names: Mapping[str, Any]) -> bytes:
    method, _, target = spell(step.call, names).partition(" ")
    headers = {name.lower().replace("-", "_"): spell(value, names) for name, value in step.headers.items()}
    if step.upgrade:
        headers |= {"connection": "Upgrade", "upgrade": "tcp"}
    if step.files:
        headers = {"content_type": "application/x-tar"} | headers
        return request(
            method, target, tar_of({spell(path, names): text for path, text in step.files.items()}), **headers
        )
    body = _body(step, names)
    if body is not None:
        makes = target.partition("?")[0].endswith(MAKES)
        return request(method, target, to_json(_labelled(body) if makes else body), **headers)
    return request(method, target, **({"content_length": "0"} if method == "POST" else {}), **headers)


def _body(step: Step, names: Mapping[str, Any]) -> dict[str, Any] | None:
    if step.again:
        return anew(names[step.again])
    if not step.like:
        return spelled(step.body, names) if step.body is not None else None
    method, _, target = step.call.partition(" ")
    row = f"{method} {target.partition('?')[0].removeprefix('/v$api')}"
    recorded = json.loads((BODIES / f"{step.like}.json").read_text(encoding="utf-8"))
    return changed(recorded[row], spelled(step.body or {}, names))


def _labelled(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "Labels": {**(body.get("Labels") or {}), **LABELS}}


def anew(inspect: Mapping[str, Any]) -> dict[str, Any]:
    """The create that Watchtower makes of an inspect: the whole of it, and one of its networks."""
    networks = dict(list(inspect["NetworkSettings"]["Networks"].items())[:1])
    return {
        **inspect["Config"],
        "HostConfig": inspect["HostConfig"],
        "NetworkingConfig": {"EndpointsConfig": networks},
    }


def _streamed(proxy: Path, sent: bytes, types: bytes, reads: bytes) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(proxy))
        connection.sendall(sent)
        came = _until(connection, b"\r\n\r\n")
        status = int(came.split(b" ", 2)[1])
        connection.sendall(types)
        came = _until(connection, reads, came)
    assert reads in came, came
    return status


def _until(connection: socket.socket, reads: bytes, came: bytes = b"") -> bytes:
    """What comes until it holds ``reads``, or ends."""
    while reads not in came and (data := connection.recv(65536)):
        came += data
    return came
