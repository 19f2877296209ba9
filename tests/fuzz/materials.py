"""What seeds are made of: the corpus's attacks, the bodies that real clients send, the shipped policies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).resolve().parent.parent
CORPUS = TESTS / "corpus"
POLICIES = TESTS.parent / "policies"


@dataclass(frozen=True)
class Case:
    """One request."""

    name: str
    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the engine answers to look-ups; None for what is not there."""
    own: bool = False


def _named(text: str) -> str:
    """`$word` of the corpus stands for the name of a thing; here the word itself is the name."""
    return re.sub(r"\$(\w+)", r"\1", text)


def attacks() -> Iterator[Case]:
    """Every attack, with what its line says that the engine answers."""
    for path in sorted((CORPUS / "attacks").glob("*.yaml")):
        for line in yaml.safe_load(path.read_text(encoding="utf-8")):
            method, _, target = _named(line["request"]).partition(" ")
            facts = dict.fromkeys(line.get("missing", ())) | dict(line.get("engine", {}))
            yield Case(
                name=f"{path.stem} {line['name']}",
                method=method,
                target=target,
                headers={name: value for name, value in line.get("headers", {}).items() if value},
                body=_named(line["body"]) if "body" in line else None,
                facts=json.loads(_named(json.dumps(facts))),
                own=bool(line.get("own")),
            )


def clients() -> Iterator[tuple[str, Any]]:
    """The bodies that real clients send, each under its client's and its own name."""
    for path in sorted((CORPUS / "clients").glob("*.json")):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        for name, body in recorded.items() if isinstance(recorded, dict) else enumerate(recorded):
            yield f"{path.stem} {name}", body


@cache
def cases() -> tuple[Case, ...]:
    """The attacks, and a create, an exec and a connect of each client's bodies."""
    made = [
        Case(name, "POST", f"/v1.41{path}", {}, json.dumps(body))
        for name, body in clients()
        if isinstance(body, dict)
        for path in (_path(body),)
    ]
    return (*attacks(), *made)


def _path(body: Mapping[str, Any]) -> str:
    """The row that a recorded body is most likely of."""
    keys = {key.lower() for key in body}
    if "driver" in keys and "name" in keys:
        return "/volumes/create" if "driveropts" in keys else "/networks/create"
    if "endpointconfig" in keys:
        return "/networks/front/connect"
    if "cmd" in keys and not keys & {"image", "hostconfig"}:
        return "/containers/web/exec"
    return "/containers/create" if "image" in keys or "hostconfig" in keys else "/containers/web/update"


def slug(name: str) -> str:
    """A name as a file may have it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
