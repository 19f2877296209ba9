"""From files to one document: variables, `include`, `extends`, merging. What compose does before it looks at a service.

    text ── document ─► interpolation ─► schema ─► include ─► extends ─┐
    text ── document ─► interpolation ─► schema ─► include ─► extends ─┴─ merging ─► the model

Reading the files that it is told, and those that they name, is all the I/O there is. Relative paths stay as they are: a
text belongs to the folder of its file (`Model.folder_of`), so that it can be resolved where its meaning is known.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sockproxy.compose import dotenv, schema
from sockproxy.compose.document import Mapping, Node, Scalar, Sequence, read
from sockproxy.compose.interpolation import interpolate
from sockproxy.compose.merging import cleaned, merged
from sockproxy.compose.notes import Notes, nearest
from sockproxy.errors import Problem
from sockproxy.policy.document import Place

OVERRIDES: Final = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""What is put over a file with a default name, where it stands beside it; the first that is there."""
DEFAULT_NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")

DEEPEST: Final = 32
"""How many files, or services, may lead to each other by `include` and `extends`."""


@dataclass(frozen=True, slots=True)
class Source:
    """One compose file."""

    file: str
    """As it is shown in places."""
    text: str


@dataclass(slots=True)
class Model:
    """The document that all files come to."""

    root: Mapping
    folders: dict[str, Path] = field(default_factory=dict)
    """The folder that relative paths in a file are meant from."""

    def folder_of(self, place: Place) -> Path:
        """The folder that a relative path at a place is meant from."""
        return self.folders[place.file]


def open_file(path: Path, notes: Notes, at: Scalar | None = None) -> Source | None:
    """A file's text; None, and a problem, where it cannot be read. ``at`` is what names it."""
    try:
        return Source(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
    if at is None:
        notes.problems.append(Problem(str(path), 0, 0, f"cannot be read: {reason}"))
    else:
        notes.wrong(at, f"`{at.text}` cannot be read: {reason}")
    return None


class Loader:
    """Loads a project; one for each, since it remembers what it has read."""

    def __init__(self, environment: Map[str, str], folder: Path, notes: Notes) -> None:
        self._environment = environment
        self._folder = folder
        self._notes = notes
        self._folders: dict[str, Path] = {}

    def load(self, sources: Seq[Source]) -> Model:
        """Put the files over each other, in their order."""
        root = self._files(sources, self._folder, self._environment, ())
        done = cleaned(root)
        assert isinstance(done, Mapping)
        return Model(done, self._folders)

    # Files

    def _files(
        self, sources: Seq[Source], folder: Path, environment: Map[str, str], chain: tuple[Path, ...]
    ) -> Mapping:
        root = Mapping(Place(sources[0].file if sources else str(folder), 1, 1))
        for source in sources:
            self._folders.setdefault(source.file, folder)
            for document in read(source.text, source.file, self._notes.problems):
                done = self._document(document, folder, environment, chain)
                together = merged(root, done, "", self._notes)
                assert isinstance(together, Mapping)
                root = together
        return root

    def _document(
        self, document: Mapping, folder: Path, environment: Map[str, str], chain: tuple[Path, ...]
    ) -> Mapping:
        plain = interpolate(document, environment, self._notes)
        schema.check(plain, self._notes)
        whole = self._include(plain, folder, environment, chain)
        return self._extend(whole, environment)

    # include

    def _include(self, document: Mapping, folder: Path, environment: Map[str, str], chain: tuple[Path, ...]) -> Mapping:
        entries = document.get("include")
        if entries is None:
            return document
        rest = tuple((key, value) for key, value in document.entries if key.text != "include")
        whole = Mapping(document.place, rest)
        if not isinstance(entries, Sequence):
            self._notes.wrong(entries, "`include` is a list of files")
            return whole
        for entry in entries.items:
            if (included := self._included(entry, folder, environment, chain)) is not None:
                whole = self._imported(included, whole)
        return whole

    def _included(
        self, entry: Node, folder: Path, environment: Map[str, str], chain: tuple[Path, ...]
    ) -> Mapping | None:
        if isinstance(entry, Mapping):
            schema.check_keys(entry, schema.INCLUDE, "include", self._notes)
        names = _words(entry.get("path") if isinstance(entry, Mapping) else entry)
        if not names:
            self._notes.wrong(entry, "an `include` without a path")
            return None
        if any(self._remote(name) for name in names):
            return None
        paths = [folder / name.text for name in names]
        if paths[0].resolve() in chain or len(chain) >= DEEPEST:
            self._notes.wrong(names[0], f"`{names[0].text}` includes itself")
            return None
        sources = [
            source for path, name in zip(paths, names, strict=True) if (source := open_file(path, self._notes, name))
        ]
        if len(sources) < len(paths):
            return None
        home = paths[0].parent
        env_files: list[Scalar] = []
        if isinstance(entry, Mapping):
            env_files = _words(entry.get("env_file"))
            if isinstance(given := entry.get("project_directory"), Scalar) and given.text:
                home = folder / given.text
        variables = self._variables(env_files, folder, home, environment)
        return self._files(sources, home, variables, (*chain, paths[0].resolve()))

    def _variables(self, files: list[Scalar], folder: Path, home: Path, environment: Map[str, str]) -> Map[str, str]:
        found: dict[str, str] = {}
        paths: list[tuple[Path, Scalar | None]] = [(folder / file.text, file) for file in files]
        if not files and (home / ".env").is_file():
            paths = [(home / ".env", None)]
        for path, at in paths:
            if (source := open_file(path, self._notes, at)) is not None:
                found |= dotenv.parse(source.text, source.file, environment, self._notes.problems)
        return {**found, **environment}

    def _imported(self, included: Mapping, document: Mapping) -> Mapping:
        """The document with the things of an included one, none of which may be there already."""
        entries = {key.text: (key, value) for key, value in document.entries}
        for key, things in included.entries:
            if key.text not in schema.SECTIONS or not isinstance(things, Mapping):
                continue
            own = entries.get(key.text, (key, Mapping(things.place)))[1]
            if not isinstance(own, Mapping):
                continue
            for name, thing in things.entries:
                if (there := own.get(name.text)) is not None and _plain(there) != _plain(thing):
                    self._notes.wrong(name, f"`{name.text}` is included, and stands in {there.place} too")
            kept = tuple((name, thing) for name, thing in things.entries if own.get(name.text) is None)
            entries[key.text] = key, Mapping(own.place, own.entries + kept)
        return Mapping(document.place, tuple(entries.values()))

    # extends

    def _extend(self, document: Mapping, environment: Map[str, str]) -> Mapping:
        services = document.get("services")
        if not isinstance(services, Mapping):
            return document
        done = [(name, self._extended(name, services, environment, ())) for name, _ in services.entries]
        extended = Mapping(services.place, tuple((name, service) for name, service in done if service is not None))
        return Mapping(
            document.place,
            tuple((key, extended if key.text == "services" else value) for key, value in document.entries),
        )

    def _extended(
        self, name: Scalar, services: Mapping, environment: Map[str, str], chain: tuple[tuple[str, str], ...]
    ) -> Node | None:
        service = services.get(name.text)
        if not isinstance(service, Mapping) or (said := service.get("extends")) is None:
            return service
        own = Mapping(service.place, tuple(entry for entry in service.entries if entry[0].text != "extends"))
        here = (service.place.file, name.text)
        if here in chain or len(chain) >= DEEPEST:
            self._notes.wrong(said, f"`{name.text}` extends itself")
            return own
        found = self._base(said, services, environment)
        if found is None:
            return own
        base_name, among = found
        base = self._extended(base_name, among, environment, (*chain, here))
        return own if base is None else merged(base, own, "services.*", self._notes)

    def _base(self, said: Node, services: Mapping, environment: Map[str, str]) -> tuple[Scalar, Mapping] | None:
        """The name of the service that is extended, and the services among which it stands."""
        name = said.get("service") if isinstance(said, Mapping) else said
        file = said.get("file") if isinstance(said, Mapping) else None
        if not isinstance(name, Scalar) or not name.text:
            self._notes.wrong(said, "`extends` names a service")
            return None
        if isinstance(file, Scalar):
            if (there := self._services_of(file, environment)) is None:
                return None
            services = there
        if services.get(name.text) is None:
            hint = nearest(name.text, (key.text for key, _ in services.entries))
            self._notes.wrong(name, f"`{name.text}` is extended, and no service there", hint)
            return None
        return name, services

    def _services_of(self, file: Scalar, environment: Map[str, str]) -> Mapping | None:
        if self._remote(file):
            return None
        path = self._folders[file.place.file] / file.text
        if (source := open_file(path, self._notes, file)) is None:
            return None
        self._folders.setdefault(source.file, path.parent)
        documents = read(source.text, source.file, self._notes.problems)
        whole = Mapping(Place(source.file, 1, 1))
        for document in documents:
            plain = interpolate(document, environment, self._notes)
            schema.check(plain, self._notes)
            together = merged(whole, plain, "", self._notes)
            assert isinstance(together, Mapping)
            whole = together
        services = whole.get("services")
        return services if isinstance(services, Mapping) else Mapping(whole.place)

    def _remote(self, name: Scalar) -> bool:
        """Whether a file is to be fetched from elsewhere, which nobody here does: a mistake is noted."""
        remote = "://" in name.text or name.text.startswith(("git@", "github.com/")) or name.text.endswith(".git")
        if remote:
            self._notes.wrong(name, f"`{name.text}` is not on this machine", "fetch it first, and name the file")
        return remote


def _words(node: Node | None) -> list[Scalar]:
    items = node.items if isinstance(node, Sequence) else (node,)
    return [item for item in items if isinstance(item, Scalar) and item.text]


def _plain(node: Node) -> object:
    """What a node says, without its places."""
    match node:
        case Scalar():
            return node.said
        case Sequence(items=items):
            return [_plain(item) for item in items]
        case Mapping(entries=entries):
            return {key.text: _plain(value) for key, value in entries}
