"""Inspect a call as the shell does: ask for look-ups, answer them, ask again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sockproxy.docker import body as json_body
from sockproxy.docker.call import Call
from sockproxy.docker.inspectors import inspect
from sockproxy.docker.operations import identify
from sockproxy.docker.request import canonical
from sockproxy.model import HOST, NEWEST_VERSION, STAT, Ask, Context, Inspection, JsonObject, Missing

OWN = "0e" * 32
"""The id of sockproxy's own container in these tests."""

MISSING = Missing(404, "no such thing")
EVERY_KIND = frozenset({"container", "volume", "network", "service", "image"})


@dataclass
class Engine:
    """What the engine answers to look-ups. What is not given is there, under its own name, with nothing special."""

    facts: Mapping[str, JsonObject | Missing] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> JsonObject | Missing:
        self.asked.append(path)
        if path in self.facts:
            return self.facts[path]
        if path.startswith(STAT):
            return {}
        noun, name = path.split("/")[1:3]
        match noun:
            case "containers":
                return {"Name": f"/{name}", "Config": {}, "HostConfig": {}}
            case "networks":
                return {"Name": name}
            case "volumes":
                return {"Name": name, "Driver": "local", "Options": None, "Labels": None}
            case _:
                return MISSING


def inspected(
    request: str,
    body: Any = None,
    engine: Engine | Mapping[str, JsonObject | Missing] | None = None,
    *,
    held: Iterable[str] = EVERY_KIND,
    own: str | None = None,
    headers: Mapping[str, str] | None = None,
    version: tuple[int, int] = (1, 51),
    speaks: tuple[int, int] = NEWEST_VERSION,
    links: Mapping[str, str | None] | None = None,
) -> Inspection:
    """The inspection of a request such as ``POST /containers/create?name=a``, with every look-up answered.

    ``speaks`` is the engine's version. ``links`` are the host's, where sockproxy can see its root: a path to where it
    leads, or None where nobody knows; any other leads to where it says.
    """
    engine = engine if isinstance(engine, Engine) else Engine(engine or {})
    method, _, target = request.partition(" ")
    sent = [(name.encode(), value.encode()) for name, value in {"Host": "docker", **(headers or {})}.items()]
    canonical_request = canonical(method.encode(), target.encode(), sent)
    operation, params = identify(canonical_request.method, canonical_request.path)
    parsed = (
        json_body.parse(body if isinstance(body, bytes) else json.dumps(body).encode()) if body is not None else None
    )
    call = Call(canonical_request, operation, params, canonical_request.version or version, parsed)
    context = Context(engine_version=speaks, own_container=own, host_root=links is not None)

    def answer(key: str) -> JsonObject | Missing:
        if not key.startswith(HOST):
            return engine.answer(key)
        path = key.removeprefix(HOST)
        led = (links or {}).get(path, path)
        return Missing(409, "nobody knows") if led is None else {"Path": led}

    for _ in range(7):
        inspection = inspect(call, context, frozenset(held))
        if not inspection.needs:
            return inspection
        context = replace(context, facts={**context.facts, **{key: answer(key) for key in inspection.needs}})
    raise AssertionError("look-ups without end")


def shown(asks: Iterable[Ask]) -> set[str]:
    """Asks as a policy's tests write them."""
    return {str(ask) for ask in asks}


def named(value: Any) -> str:
    """The name of a parameter that is fields or asks, the same in every run: sets have no order of their own."""
    return ", ".join(sorted(value) if isinstance(value, set) else map(str, value))[:60] or "nothing"


def asks(request: str, body: Any = None, engine: Any = None, **options: Any) -> set[str]:
    """What a request asks for."""
    return shown(inspected(request, body, engine, **options).asks)


PLAIN = shown(
    (
        Ask("container", "(unnamed)", ""),
        Ask("image", "docker.io/library/x:latest", ""),
        Ask("network", "bridge", ""),
        Ask("limit", "memory", ""),
        Ask("limit", "cpus", ""),
        Ask("limit", "pids", ""),
        Ask("require", "read-only", ""),
        Ask("require", "no-new-privileges", ""),
        Ask("require", "cap-drop-all", ""),
        Ask("require", "non-root", ""),
    )
)
"""What a plain ``docker run x`` asks: nothing but what is free, and the limits and hardening that it does not have."""


def create(body: Mapping[str, Any], engine: Any = None, **options: Any) -> set[str]:
    """What a create asks beyond a plain ``docker run x``, and without what that asks."""
    return asks("POST /containers/create", {"Image": "x", **body}, engine, **options) - PLAIN


def host(fields: Mapping[str, Any], engine: Any = None, **options: Any) -> set[str]:
    """What a HostConfig asks beyond a plain one."""
    return create({"HostConfig": fields}, engine, **options)


def sent(inspection: Inspection) -> Any:
    """The body that is forwarded, parsed."""
    assert inspection.forward.body is not None
    return json.loads(inspection.forward.body)
