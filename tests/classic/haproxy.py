"""The classic proxies' HAProxy rules, written down a second time: what the table holds the derived policies against.

A rule is tried from the top; the first whose condition holds decides. Nothing here knows a policy, or the code under
test; `test_haproxy.py` holds it against HAProxy itself where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

VERSION = r"^(/v[\d\.]+)?"
SECTIONS = {
    name: f"{VERSION}/{word}"
    for name, word in {
        "AUTH": "auth",
        "BUILD": "build",
        "COMMIT": "commit",
        "CONFIGS": "configs",
        "CONTAINERS": "containers",
        "DISTRIBUTION": "distribution",
        "EVENTS": "events",
        "EXEC": "exec",
        "GRPC": "grpc",
        "IMAGES": "images",
        "INFO": "info",
        "NETWORKS": "networks",
        "NODES": "nodes",
        "PING": "_ping",
        "PLUGINS": "plugins",
        "SECRETS": "secrets",
        "SERVICES": "services",
        "SESSION": "session",
        "SWARM": "swarm",
        "SYSTEM": "system",
        "TASKS": "tasks",
        "VERSION": "version",
        "VOLUMES": "volumes",
    }.items()
}
CONTAINER = f"{VERSION}/containers/[a-zA-Z0-9_.-]+"
ACTIONS = {
    "ALLOW_RESTARTS": f"{CONTAINER}/((stop)|(restart)|(kill))",
    "ALLOW_START": f"{CONTAINER}/start",
    "ALLOW_STOP": f"{CONTAINER}/stop",
    "ALLOW_PAUSE": f"{CONTAINER}/pause",
    "ALLOW_UNPAUSE": f"{CONTAINER}/unpause",
}
BARS = {
    "ALLOW_EXEC": f"{CONTAINER}/exec",
    "ALLOW_KILL": f"{CONTAINER}/kill",
    "ALLOW_ATTACH": f"{CONTAINER}/attach",
    "ALLOW_ARCHIVE": f"{CONTAINER}/archive",
    "ALLOW_EXPORT": f"{CONTAINER}/export",
    "ALLOW_LOGS": f"{CONTAINER}/logs",
}
READING = ("GET", "HEAD")
DEFAULTS = {"EVENTS": "1", "PING": "1", "VERSION": "1"}


@dataclass(frozen=True)
class Gate:
    """Refuses what is neither read nor of a method whose variable is set."""

    methods: Mapping[str, str]
    """Methods, and their variables; `*` for whatever else."""


@dataclass(frozen=True)
class Bar:
    variable: str
    path: str


@dataclass(frozen=True)
class Opening:
    variable: str
    path: str


Rule = Gate | Bar | Opening


def rules(dialect: str) -> Iterator[Rule]:
    actions = [Opening(*each) for each in ACTIONS.items()]
    sections = [Opening(*each) for each in SECTIONS.items()]
    match dialect:
        case "tecnativa":
            yield Gate({"*": "POST"})
            yield from actions + sections
        case "tecnativa-edge":
            yield Gate({method: method for method in ("POST", "PUT", "PATCH", "DELETE")})
            yield from (Bar(*each) for each in BARS.items())
            yield from actions + sections
        case "linuxserver":
            yield from actions
            yield Gate({"*": "POST"})
            yield from sections


def is_set(value: str | None) -> bool:
    """HAProxy's `-m bool` on a text: the number at its beginning, other than 0."""
    number = re.match(r"[+-]?\d+", value or "", re.ASCII)
    return number is not None and int(number[0]) != 0


def allows(dialect: str, variables: Mapping[str, str], method: str, target: str) -> bool:
    environment = {**DEFAULTS, **variables}
    path = unquote(target.partition("?")[0])
    for rule in rules(dialect):
        match rule:
            case Gate(methods):
                variable = methods.get(method) or methods.get("*")
                if method not in READING and not (variable and is_set(environment.get(variable))):
                    return False
            case Bar(variable, pattern):
                if re.match(pattern, path, re.IGNORECASE | re.ASCII) and not is_set(environment.get(variable)):
                    return False
            case Opening(variable, pattern):
                if re.match(pattern, path, re.IGNORECASE | re.ASCII) and is_set(environment.get(variable)):
                    return True
    return False
