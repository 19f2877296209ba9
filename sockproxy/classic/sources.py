"""Where the settings of an old proxy are kept: a file of variables, a compose file.

A compose file is read as it stands, and no further: what would have to be filled in or merged is refused, as a setting
that was not seen could be the one that matters.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import yaml

from sockproxy.classic.flags import LABEL
from sockproxy.classic.variables import Dialect
from sockproxy.errors import ConfigurationError
from sockproxy.printable import printable

Kind: TypeAlias = Literal["classic", "wollomatic"]


@dataclass(frozen=True, slots=True)
class Source:
    """What an old proxy was started with."""

    kind: Kind
    environment: Mapping[str, str]
    flags: tuple[str, ...] = ()
    dialect: Dialect | None = None
    """Whose meaning the variables have, where the image says it."""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Services that have labels for the proxy, and those."""


def variables(text: str, file: str, own: Mapping[str, str]) -> dict[str, str]:
    """A file as `docker run --env-file` reads it: ``NAME=VALUE``, to the end of the line; ``NAME`` alone is ``own``.

    Raises:
        ConfigurationError: a line is neither.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.lstrip()
        if not bare or bare.startswith("#"):
            continue
        name, given, value = bare.partition("=")
        if not name or re.search(r"\s", name):
            raise ConfigurationError(f"{file}:{number}: `{printable(bare)}` is no variable: write NAME=VALUE")
        if given:
            found[name] = value
        elif name in own:
            found[name] = own[name]
    return found


# Compose files -------------------------------------------------------------------------------------------------------

_IMAGES: Final[tuple[tuple[str, Kind, Dialect | None], ...]] = (
    ("tecnativa/docker-socket-proxy", "classic", None),
    ("linuxserver/socket-proxy", "classic", "linuxserver"),
    ("wollomatic/socket-proxy", "wollomatic", None),
)
"""Images by the end of their names, whatever registry they come from."""


def compose(text: str, file: str, own: Mapping[str, str]) -> Source:
    """The service of a compose file that runs a proxy which is known here.

    Raises:
        ConfigurationError: there is none, or more than one, or it cannot be read.
    """
    try:
        # Every scalar is text: `CONTAINERS: 1` is as good as `CONTAINERS: "1"`.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes nothing but text, lists and mappings
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file} is no YAML: {printable(str(error))}") from None
    found = [each for each in _services(document) if _known(each[1].get("image"))]
    if len(found) != 1:
        names = ", ".join(name for name, _ in found) or "none"
        known = ", ".join(image for image, _, _ in _IMAGES)
        raise ConfigurationError(f"{file} needs one service that runs {known}: there is {names}")
    name, service = found[0]
    shown = f"{file}: service `{printable(name)}`"
    _refuse(service, ("environment", "command"), ("env_file", "extends"), shown)
    kind, dialect = _known(service["image"]) or ("classic", None)
    environment = _pairs(service.get("environment"), own)
    return Source(
        kind,
        {variable: _meant(value, shown) for variable, value in environment.items()},
        tuple(_meant(word, shown) for word in _command(service.get("command"))),
        dialect,
        dict(_labelled(document, file)) if kind == "wollomatic" else {},
    )


def _labelled(document: Any, file: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The services that have labels for the Go proxy, and those."""
    for name, service in _services(document):
        shown = f"{file}: service `{printable(name)}`"
        _refuse(service, ("labels",), ("label_file", "extends"), shown)
        labels = _pairs(service.get("labels"), {})
        if its := {label: _meant(value, shown) for label, value in labels.items() if label.startswith(LABEL)}:
            yield name, its


def _refuse(service: dict[str, Any], parts: tuple[str, ...], elsewhere: tuple[str, ...], shown: str) -> None:
    """Refuse a service of which something stands elsewhere: these keys, or what is merged into it or its parts.

    Raises:
        ConfigurationError: it does.
    """
    mappings = [service, *(part for part in map(service.get, parts) if isinstance(part, dict))]
    merged = ["<<"] if any("<<" in mapping for mapping in mappings) else []
    if found := [key for key in elsewhere if key in service] + merged:
        raise ConfigurationError(
            f"{shown} has `{found[0]}`, which is not followed: give what `docker compose config` prints"
        )


def _meant(text: str, shown: str) -> str:
    """The text, with `$$` for a `$`.

    Raises:
        ConfigurationError: something is to be filled in.
    """
    if re.search(r"\$[{A-Za-z_]", text.replace("$$", "")):
        raise ConfigurationError(
            f"{shown} says `{printable(text)}`, which compose fills in: give what `docker compose config` prints"
        )
    return text.replace("$$", "$")


def _services(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    services = document.get("services") if isinstance(document, dict) else None
    for name, service in services.items() if isinstance(services, dict) else ():
        if isinstance(service, dict):
            yield str(name), service


def _known(image: Any) -> tuple[Kind, Dialect | None] | None:
    """What an image is, where it is a proxy that is known here."""
    if not isinstance(image, str):
        return None
    repository = re.sub(r"(:[^/:@]+)?(@.*)?$", "", image)
    for end, kind, dialect in _IMAGES:
        if repository == end or repository.endswith(f"/{end}"):
            return kind, dialect
    return None


def _pairs(node: Any, own: Mapping[str, str]) -> dict[str, str]:
    """``{NAME: VALUE}`` or ``[NAME=VALUE]``; a name alone is the caller's own."""
    pairs: list[tuple[str, str | None]] = []
    if isinstance(node, dict):
        pairs = [(str(name), str(value) if value != "" else None) for name, value in node.items()]
    elif isinstance(node, list):
        split = [str(word).partition("=") for word in node]
        pairs = [(name, value if given else None) for name, given, value in split]
    found = {name: own.get(name) if value is None else value for name, value in pairs}
    return {name: value for name, value in found.items() if value is not None}


def _command(node: Any) -> list[str]:
    if isinstance(node, list):
        return [str(word) for word in node]
    return shlex.split(node) if isinstance(node, str) else []
