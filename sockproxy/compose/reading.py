"""`read`: from compose files to a `Project`, or every mistake in them at once."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable
from collections.abc import Mapping as Map
from collections.abc import Sequence as Seq
from dataclasses import replace
from pathlib import Path
from typing import Final

from sockproxy.compose import dotenv
from sockproxy.compose.document import Mapping, Scalar
from sockproxy.compose.document import read as read_document
from sockproxy.compose.interpolation import TemplateError, substitute
from sockproxy.compose.load import DEFAULT_NAMES, OVERRIDES, Loader, Source, open_file
from sockproxy.compose.mounts import MountReader
from sockproxy.compose.notes import Notes, nearest
from sockproxy.compose.project import Project, Service
from sockproxy.compose.services import ServiceReader
from sockproxy.compose.toplevel import read_networks, read_volumes
from sockproxy.compose.values import Values
from sockproxy.errors import ComposeError, Problem

_PROJECT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
TEXT: Final = "compose.yaml"
"""What a text that comes from no file is called in places."""


def read(
    source: Path | str,
    *,
    files: Seq[Path] | None = None,
    project_name: str = "",
    environment: Map[str, str] | None = None,
    env_files: Seq[Path] = (),
    profiles: Iterable[str] = (),
    folder: Path | None = None,
) -> Project:
    """Read a project as ``docker compose up`` would, without asking an engine.

    Args:
        source: the compose file, or its text.
        files: further files to put over it. None: what compose takes by itself, a `compose.override.yaml` beside a
            file with a default name.
        project_name: as ``--project-name``; else `COMPOSE_PROJECT_NAME`, the file's `name:`, the folder's name.
        environment: the variables; those of files are added, and do not win.
        env_files: as ``--env-file``, the last of them wins; else `COMPOSE_ENV_FILES`, or the `.env` in the folder.
        profiles: as ``--profile``; `*` is all of them. Else `COMPOSE_PROFILES`.
        folder: the project's folder; else the one that the file stands in.

    Raises:
        ComposeError: with every mistake that was found.
    """
    notes = Notes()
    home = folder if folder is not None else source.parent if isinstance(source, Path) else Path()
    variables = _variables(home, env_files, environment or {}, notes)
    sources, paths = _sources(source, files, home, notes)
    name = _project_name(project_name, variables, sources, home, notes)
    variables = {**variables, "COMPOSE_PROJECT_NAME": name}
    model = Loader(variables, home, notes).load(sources)
    _stop_at(notes)
    values = Values(notes)
    networks, volumes = read_networks(model.root, name, values), read_volumes(model.root, name, values, model.folder_of)
    mounts = MountReader(
        values,
        volumes=volumes,
        secrets=values.mapping(model.root.get("secrets")),
        configs=values.mapping(model.root.get("configs")),
        folder_of=model.folder_of,
        home=variables.get("HOME", "/"),
    )
    reader = ServiceReader(
        values,
        mounts,
        project=name,
        folder=home,
        folder_of=model.folder_of,
        networks=networks,
        environment=variables,
    )
    chosen = set(profiles) or {word for word in variables.get("COMPOSE_PROFILES", "").split(",") if word}
    services, used = _services(model.root, reader, values, chosen)
    _stop_at(notes)
    joined = {endpoint.network.key for service in services for endpoint in service.endpoints}
    return Project(
        name=name,
        folder=home.absolute(),
        files=tuple(paths),
        services=services,
        networks=tuple(networks[key] for key in sorted(joined)),
        volumes=tuple(volumes[key] for key in sorted(used)),
        notes=tuple(notes.notes),
    )


def _stop_at(notes: Notes) -> None:
    if notes.problems:
        raise ComposeError(tuple(notes.problems))


# Files and names


def _variables(home: Path, env_files: Seq[Path], environment: Map[str, str], notes: Notes) -> Map[str, str]:
    found: dict[str, str] = {}
    for path in env_files or _env_files(home, environment):
        if (source := open_file(path, notes)) is not None:
            found |= dotenv.parse(source.text, source.file, {**found, **environment}, notes.problems)
    return {**found, **environment}


def _env_files(home: Path, environment: Map[str, str]) -> list[Path]:
    """The files of variables where none is named (compose-go, ``cli/options.go``, ``WithEnvFiles``)."""
    if named := environment.get("COMPOSE_ENV_FILES"):
        return [Path(name) for name in named.split(",")]
    beside = home / ".env"
    off = environment.get("COMPOSE_DISABLE_ENV_FILE", "").lower() in ("1", "t", "true")
    return [] if off or not beside.is_file() else [beside]


def _sources(source: Path | str, files: Seq[Path] | None, home: Path, notes: Notes) -> tuple[list[Source], list[str]]:
    """The files, and their paths as compose labels its containers with them."""
    paths = list(files or ())
    if files is None and isinstance(source, Path) and source.name in DEFAULT_NAMES:
        beside = next((path for name in OVERRIDES if (path := home / name).is_file()), None)
        if beside is not None:
            notes.notes.append(Problem(str(beside), 0, 0, f"is put over {source.name}, as compose does"))
            paths = [beside]
    if isinstance(source, Path):
        paths.insert(0, source)
    found = [opened for path in paths if (opened := open_file(path, notes)) is not None]
    _stop_at(notes)
    if isinstance(source, str):
        found.insert(0, Source(TEXT, source))
        return found, [os.path.normpath(home.absolute() / TEXT), *(str(path.absolute()) for path in paths)]
    return found, [str(path.absolute()) for path in paths]


def _project_name(given: str, variables: Map[str, str], sources: Seq[Source], home: Path, notes: Notes) -> str:
    """The project's name, by compose's own order of precedence."""
    at = sources[0].file if sources else str(home)
    for name in (given, variables.get("COMPOSE_PROJECT_NAME", "")):
        if name and not _PROJECT_NAME.fullmatch(name):
            clean = cleaned_name(name)
            message = f"`{name}` cannot be a project's name"
            notes.problems.append(Problem(at, 0, 0, message, f"write {clean}" if clean else ""))
        if name:
            return name
    name = cleaned_name(_named(sources, variables)) or cleaned_name(home.absolute().name)
    if not name:
        notes.problems.append(Problem(at, 0, 0, "the folder's name makes no project name", "write `name:`"))
    return name


def _named(sources: Seq[Source], variables: Map[str, str]) -> str:
    """What the files say under `name:`; the last one that says it holds. What is wrong with them is said later."""
    name = ""
    for source in sources:
        for document in read_document(source.text, source.file, []):
            said = document.get("name")
            if isinstance(said, Scalar) and not said.nothing:
                try:
                    name = substitute(said.said, variables)[0]
                except TemplateError:
                    continue
    return name


def cleaned_name(word: str) -> str:
    """A folder's name, or a `name:`, as compose makes a project's of it: in lower case, without odd characters."""
    return re.sub("[^a-z0-9_-]", "", word.lower()).lstrip("_-")


# Services


def _services(
    root: Mapping, reader: ServiceReader, values: Values, chosen: set[str]
) -> tuple[tuple[Service, ...], set[str]]:
    """The services that are started, in their order, and the volumes that they use."""
    section = values.mapping(root.get("services"))
    every: dict[str, Service] = {}
    started: dict[str, Service] = {}
    used: set[str] = set()
    for name, node in section.entries if section is not None else ():
        thing = values.mapping(node) or Mapping(name.place)
        service, volumes = reader.read(name, thing)
        every[name.text] = service
        needed = values.words(thing.get("profiles"))
        if not needed or "*" in chosen or not chosen.isdisjoint(needed):
            started[name.text] = service
            reader.check_env_files(thing)
            used.update(volumes)
    if not every:
        values.notes.wrong(root, "no services", "a compose file lists them under `services:`")
    elif not started:
        values.notes.wrong(root, "no service is started", "each has a profile, and none is chosen")
    _unique_names(started.values(), values.notes)
    _known(started, every, values.notes)
    return _in_order(
        {name: _without_left_out(service, started) for name, service in started.items()}, values.notes
    ), used


def _unique_names(services: Iterable[Service], notes: Notes) -> None:
    seen: dict[str, Service] = {}
    for service in services:
        if not (name := service.container_name):
            continue
        if name in seen:
            notes.wrong(service, f"`{name}` is the container of `{seen[name].name}` already")
        seen[name] = service


def _known(started: Map[str, Service], every: Map[str, Service], notes: Notes) -> None:
    for service in started.values():
        for each in service.depends_on:
            if each.service not in every:
                hint = nearest(each.service, every)
                notes.wrong(service, f"`{service.name}` needs `{each.service}`, which is no service here", hint)
            elif each.service not in started and each.required:
                hint = "choose its profile too"
                notes.wrong(service, f"`{service.name}` needs `{each.service}`, which no chosen profile starts", hint)


def _without_left_out(service: Service, started: Map[str, Service]) -> Service:
    kept = tuple(each for each in service.depends_on if each.service in started)
    return replace(service, depends_on=kept)


def _in_order(services: Map[str, Service], notes: Notes) -> tuple[Service, ...]:
    """Each after those that it depends on; those that may come together by their names."""
    done: dict[str, Service] = {}
    waiting = dict(sorted(services.items()))
    while waiting:
        ready = [
            service
            for service in waiting.values()
            if all(each.service in done or each.service not in services for each in service.depends_on)
        ]
        if not ready:
            first = next(iter(waiting.values()))
            notes.wrong(first, f"{', '.join(f'`{name}`' for name in waiting)} depend on each other")
            break
        for service in ready:
            done[service.name] = waiting.pop(service.name)
    return tuple(done.values())
