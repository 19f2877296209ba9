"""Which words of a policy cover the values that were asked of one kind.

The word for one ask is the narrowest there is (``policy/suggest.py``). Several become one pattern only where they show
it: three names that differ in one place, three tags of one repository, three folders of one parent, neighbouring ports.
One alone becomes a pattern where a part of it is plainly random, an id or a temporary name, since the next run of the
same work will have another there. What is left is listed as it is.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from heapq import heappop, heappush
from posixpath import commonprefix
from typing import Final, TypeAlias

from sockproxy.docker.asks import OWNERSHIP_KINDS
from sockproxy.docker.inspectors.whose import UNNAMED
from sockproxy.docker.references import DEFAULT_REGISTRY
from sockproxy.learn.coverage import Coverage
from sockproxy.model import Ask
from sockproxy.policy.suggest import pattern_for

ENOUGH: Final = 3
"""Different values that make a pattern."""

MOST_WORDS: Final = 24
"""Words of a kind that are listed; beyond that a list is no help to its reader, and wider patterns are tried."""


def words_for(
    kind: str, asks: Sequence[Ask], *, engine_named: Set[str] = frozenset(), counted: Set[str] = frozenset()
) -> tuple[str, ...] | None:
    """The patterns that cover these asks of one kind; None where no pattern of the language does.

    For a kind that is free that means that it cannot be held; for a power, that no policy can give it. ``engine_named``
    are names of containers that the engine chose, whoever made them (see `engine_named`), ``counted`` are repositories
    whose tags count (see `counted_images`).
    """
    if kind in OWNERSHIP_KINDS:
        found = _owned(asks, engine_named)
    elif kind in ("image", "tag"):
        found = _images(asks, counted)
    else:
        found = _GENERAL.get(kind, _as_they_are)(asks)
    return None if found is None else tuple(word for word in found if word)


def engine_named(asks: Iterable[Ask]) -> frozenset[str]:
    """The names of containers that the engine chose, among all that was asked: none where no create left it to it."""
    containers = [ask for ask in asks if ask.kind == "container"]
    if not any(ask.value == UNNAMED for ask in containers):
        return frozenset()
    given = {ask.value for ask in containers if ask.where == "?name"}
    return frozenset(ask.value for ask in containers if _ENGINE_CHOSE.fullmatch(ask.value)) - given


def _as_they_are(asks: Sequence[Ask]) -> list[str] | None:
    words = [pattern_for(ask) for ask in asks]
    return None if None in words else list(dict.fromkeys(word for word in words if word is not None))


# Parts of names ------------------------------------------------------------------------------------------------------

_SEPARATORS: Final = re.compile(r"([-_.:/@+=])")
_RANDOM: Final = (
    re.compile(r"[0-9a-f]{12,}"),
    re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{6,}"),
    re.compile(r"[0-9]{5,}"),
    # Letters and digits by turns: `k8s9x2m1`, and not `release2024`.
    re.compile(r"(?=.{8})(?:[a-z]+[0-9]+){2,}[a-z]*|(?=.{8})(?:[0-9]+[a-z]+){2,}[0-9]*", re.IGNORECASE),
    re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.{6})[A-Za-z]*[0-9]+[A-Za-z][A-Za-z0-9]*"),
)
"""What a part of a name looks like that a program made up: ids, times, process numbers, base 36."""
_UUID: Final = re.compile(r"(?<![0-9a-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-z])")
_DATE: Final = re.compile(
    r"(?<![0-9])20[0-9]{2}([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[-_.T]?(?:[01][0-9]|2[0-3])([-_.]?)[0-5][0-9](?:\2[0-5][0-9])?Z?)?(?![0-9A-Za-z])"
)
"""A day, and the time of it."""
_DESCRIBED: Final = re.compile(r"-[0-9]+-g[0-9a-f]{7,40}(?![0-9a-z])")
"""What `git describe` puts behind the last tag: how many commits ago that was, and the commit."""
_TEMPORARY: Final = re.compile(r"(tmp)[a-z0-9_]{8}|(tmp\.)[A-Za-z0-9]{6,}|(te?mp[-_.]?)(?=\w*[0-9])[A-Za-z0-9_]{6,}")
"""A folder that mkdtemp or mktemp made."""


_NUMBER: Final = re.compile(r"(?!(?:19|20)[0-9]{2}\Z)[0-9]{3,}")
"""A whole part of a name that is the number of a build or a job: no version is a whole number so high, and a year is
none."""


def is_random(part: str) -> bool:
    """Whether a part of a name looks made up."""
    return any(shape.fullmatch(part) for shape in (_UUID, _DATE, *_RANDOM))


def _passing(part: str) -> bool:
    """Whether a part of a name is made up, or a number that the next run will not have."""
    return is_random(part) or _NUMBER.fullmatch(part) is not None


def _split(value: str) -> tuple[str, ...]:
    """A name in parts, the separators between them."""
    return tuple(_SEPARATORS.split(value))


def _masked(value: str, *, passing: Callable[[str], bool] = is_random) -> str:
    """A name with `*` in place of each made-up part; itself where all of it is made up, or nothing is."""
    parts = _split(_DESCRIBED.sub("-*", _DATE.sub("*", _UUID.sub("*", value))))
    masked = ["*" if at % 2 == 0 and passing(part) else _counted(part) for at, part in enumerate(parts)]
    if all(part == "*" for part in masked[::2]):
        # `c14641` may be an id, and is a pattern only as a word with a number behind it.
        masked = list(map(_counted, parts))
        if all(part == "*" for part in masked[::2]):
            return value
    # `a-*-*-*` says no more than `a-*`.
    return re.sub(r"\*(?:[-_.]\*)+", "*", "".join(masked))


def _masked_name(value: str) -> str:
    """The same for what gives no power: a number that plainly counts is masked too."""
    return _masked(value, passing=_passing)


_COUNTED: Final = re.compile(r"([A-Za-z]+)(?!(?:19|20)[0-9]{2}\Z)[0-9]{4,}")
"""A word with a number behind it that is no count and no year: a process's, or a time."""


def _counted(part: str) -> str:
    counted = _COUNTED.fullmatch(part)
    return f"{counted[1]}*" if counted else part


def _merged(values: Iterable[str]) -> list[str]:
    """Names, those that differ in one place in `ENOUGH` ways as one pattern; the most of them first."""
    alike = _Alike(map(_masked_name, values))
    while (shape := alike.most()) is not None:
        alike.merge(shape)
    return alike.names


Shape: TypeAlias = tuple[int, tuple[str, ...]]
"""A name without one of its parts, and which that is."""


class _Alike:
    """Names by their shapes, kept while some become one: thousands of them are not compared anew for each pattern."""

    def __init__(self, names: Iterable[str]) -> None:
        self._places: Final = {name: place for place, name in enumerate(dict.fromkeys(names))}
        """Where each stands among the others. A pattern stands first."""
        self._members: Final[dict[Shape, set[str]]] = defaultdict(set)
        self._largest: Final[list[tuple[int, int, int, Shape]]] = []
        """A heap of shapes with how many they had when they were put there."""
        for name in self._places:
            for shape in _shapes(name):
                self._members[shape].add(name)
        for shape in self._members:
            self._rank(shape)

    @property
    def names(self) -> list[str]:
        """What is left, in its order."""
        return sorted(self._places, key=self._places.__getitem__)

    def most(self) -> Shape | None:
        """The shape that the most names have, of several the one that differs last; None where too few have any."""
        while self._largest:
            count, _, place, shape = heappop(self._largest)
            if (-count, place) == (len(self._members[shape]), self._first(shape)):
                return shape
        return None

    def merge(self, shape: Shape) -> None:
        """The names of this shape become a pattern."""
        at, parts = shape
        stem = _stem([_split(name)[at] for name in self._members[shape]])
        pattern = "".join((*parts[:at], f"{stem}*", *parts[at + 1 :]))
        changed: dict[Shape, None] = {}
        for name in tuple(self._members[shape]):
            del self._places[name]
            for each in _shapes(name):
                self._members[each].discard(name)
                changed[each] = None
        self._places[pattern] = min(self._places.values(), default=0) - 1
        for each in _shapes(pattern):
            self._members[each].add(pattern)
            changed[each] = None
        for each in changed:
            self._rank(each)

    def _rank(self, shape: Shape) -> None:
        members = self._members[shape]
        if len(members) >= ENOUGH and _says_something(shape):
            heappush(self._largest, (-len(members), -shape[0], self._first(shape), shape))

    def _first(self, shape: Shape) -> int:
        return min((self._places[name] for name in self._members[shape]), default=0)


_STEM: Final = 2
"""Characters of a beginning that is more than chance."""


def _stem(words: Sequence[str]) -> str:
    """What several words begin with, up to where a word or a number of theirs ends: `node` of `node1` and `node12`."""
    stem = commonprefix(words).rstrip("0123456789*")
    if any(word[len(stem) : len(stem) + 1].isalpha() for word in words):
        stem = stem[: max((stem.rfind(each) for each in "-_.@+="), default=-1) + 1]
    return stem if len(stem) >= _STEM and stem[0] != "." else ""


def _shapes(name: str) -> list[Shape]:
    """A name's shapes; one that is of one part has none."""
    parts = _split(name)
    return [(at, (*parts[:at], "", *parts[at + 1 :])) for at in range(0, len(parts), 2)] if len(parts) > 1 else []


def _says_something(shape: Shape) -> bool:
    """Whether what is left of a name beside the place that differs is a word of its own."""
    at, parts = shape
    return any(part not in ("", "*") for place, part in enumerate(parts) if place % 2 == 0 and place != at)


# Whose a thing is ----------------------------------------------------------------------------------------------------

_PROJECT_LABELS: Final = (
    "com.docker.compose.project",
    "com.docker.stack.namespace",
    "org.testcontainers.session-id",
    "org.testcontainers.sessionId",
    "com.docker.volume.anonymous",
)
"""Labels that say what a thing belongs to, better than its name does; the better one first."""
_ENGINE_CHOSE: Final = re.compile(r"[a-z]+_[a-z]+[0-9]?")
"""A container's name where its creator gave none (moby, pkg/namesgenerator)."""
_FULL_ID: Final = re.compile(r"[0-9a-f]{64}")


def _owned(asks: Sequence[Ask], chosen: Set[str]) -> list[str] | None:
    """Containers, volumes, networks and services: by the label of their project, by their names, by a common label."""
    words, named = _by_project(asks)
    nameless = [ask for ask in named if ask.value == UNNAMED or ask.value in chosen]
    if nameless:
        made = [UNNAMED] if any(ask.value == UNNAMED for ask in nameless) else []
        used = ["*_*"] if any(ask.value in chosen for ask in nameless) else []
        common = _common_label(nameless)
        words += [common] if common else [*made, *used]
        named = [ask for ask in named if ask.value != UNNAMED and ask.value not in chosen]
    if not named:
        return words
    if (common := _common_label(named)) is not None and len({ask.value for ask in named}) >= ENOUGH:
        return [*words, common]
    plain = _names(named)
    return None if plain is None else [*words, *plain]


def _names(asks: Sequence[Ask]) -> list[str] | None:
    if any(_FULL_ID.fullmatch(ask.value) for ask in asks):
        return None  # named by an id that nobody looked up: the next run has another
    suffixes: dict[str, list[str]] = defaultdict(list)
    for ask in asks:
        suffixes[ask.suffixes].append(ask.value)
    words = [_nameless(word) + suffix for suffix, values in suffixes.items() for word in _merged(values)]
    if len(words) > MOST_WORDS:
        return None
    return _checked(asks, words)


def _nameless(name: str) -> str:
    """A name that is a UUID and no more, as testcontainers gives to networks, by what it looks like."""
    return "*-*-*-*-*" if _UUID.fullmatch(name) else name


def _by_project(asks: Sequence[Ask]) -> tuple[list[str], list[Ask]]:
    """Patterns of the labels that say a project, and the asks that have none."""
    projects: dict[tuple[str, str], list[Ask]] = defaultdict(list)
    left: list[Ask] = []
    for ask in asks:
        labels = dict(ask.labels)
        project = next(((key, labels[key]) for key in _PROJECT_LABELS if key in labels), None)
        if project is None:
            left.append(ask)
        else:
            projects[project[0], _masked_label(project[1])].append(ask)
    keys = Counter(key for key, _ in projects)
    words: dict[str, bool] = {}
    for (key, value), members in projects.items():
        word = f"label={key}={value}" if value and keys[key] < ENOUGH else f"label={key}"
        words[word] = words.get(word, True) and all(ask.suffixes == " ro" for ask in members)
    return [f"{word} ro" if read_only else word for word, read_only in words.items()], left


def _masked_label(value: str) -> str:
    masked = _masked_name(value)
    return "*" if masked == value and is_random(value) else masked


def _of_a_run(value: str) -> bool:
    """Whether the next run will have another value of a label: `17` counts, `1` says yes."""
    return _masked_name(value) != value or _passing(value) or re.fullmatch(r"[0-9]{2,}", value) is not None


def _common_label(asks: Sequence[Ask]) -> str | None:
    """A label that all of these have in common, with its value or alone; None where there is none."""
    if not asks or not all(ask.labels for ask in asks):
        return None
    pairs = {
        pair for pair in set(asks[0].labels).intersection(*(ask.labels for ask in asks[1:])) if not _of_a_run(pair[1])
    }
    keys = {key for key, _ in asks[0].labels}.intersection(*({key for key, _ in ask.labels} for ask in asks[1:]))
    if pairs:
        key, value = min(pairs, key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
        return f"label={key}={value}" if value and "*" not in value else f"label={key}"
    return f"label={min(keys, key=lambda key: (len(key), key))}" if keys else None


# Images --------------------------------------------------------------------------------------------------------------


def _images(asks: Sequence[Ask], counted: Set[str]) -> list[str] | None:
    words = _as_they_are(asks)
    if words is None or any(re.fullmatch(r"(?:sha256:)?[0-9a-f]{64}", word) for word in words):
        return None  # an id without a name: the next build has another
    by_repository: dict[str, list[str]] = defaultdict(list)
    for word in words:
        by_repository[_repository(word)].append(word)
    found: list[str] = []
    for repository, names in by_repository.items():
        tags = list(dict.fromkeys(_masked_tag(name, counted) for name in names))
        found += [repository] if len(tags) >= ENOUGH else tags
    if len(found) > _IMAGES:
        found = _merged(found)
    return _checked(asks, found) if len(found) <= MOST_WORDS else None


_IMAGES: Final = 12
"""Images that are listed; of more, those of one namespace are taken together."""


def _repository(name: str) -> str:
    name = name.removeprefix(f"{DEFAULT_REGISTRY}/")
    slash = name.rfind("/") + 1
    return name[:slash] + name[slash:].partition("@")[0].partition(":")[0]


def _masked_tag(name: str, counted: Set[str]) -> str:
    """A name with the made-up parts of its last component and its tag masked; a digest is the image itself."""
    if "@" in name:
        return name
    slash = name.rfind("/") + 1
    last, colon, tag = name[slash:].partition(":")
    counts = tag.isdigit() and _repository(name) in counted
    tag = "*" if counts or _passing(tag) else _masked_name(tag)
    return name[:slash] + _masked_repository(last, alone=not slash) + colon + tag


_WORD: Final = 3
"""Characters that mean one image rather than many."""


def _masked_repository(last: str, *, alone: bool) -> str:
    """The last component of a repository. One that stands alone keeps a word: `*:latest` is every image of Docker's."""
    masked = "*" if is_random(last) else _masked_name(last)
    return last if alone and len(masked.replace("*", "")) < _WORD else masked


def counted_images(asks: Iterable[Ask]) -> frozenset[str]:
    """Repositories whose images a client itself named by one number after the other, such as a build's.

    Two versions of somebody else's image may be neighbours as well: `postgres:15` and `postgres:16` are no count.
    """
    numbers: dict[str, set[int]] = defaultdict(set)
    for ask in asks:
        name = pattern_for(ask) if ask.kind == "tag" else None
        tag = name.rpartition(":")[2] if name is not None else ""
        if name is not None and tag.isdigit():
            numbers[_repository(name)].add(int(tag))
    return frozenset(
        repository
        for repository, found in numbers.items()
        if len(found) > 1 and max(found) - min(found) == len(found) - 1
    )


# Paths, ports, commands, labels --------------------------------------------------------------------------------------


_SYSTEM: Final = re.compile(
    r"/(?:(?:bin|boot|dev|etc|lib\w*|proc|root|run|sbin|sys|usr|var/run|var/lib/docker)(?:/.*)?|[^/]*)\Z"
)
"""Paths that lead to the host, and all that lie at its root: never taken together."""


def _binds(asks: Sequence[Ask]) -> list[str] | None:
    """Host paths: several folders of one parent are that parent's, but for what leads to the host."""
    by_mode: dict[str, list[Ask]] = defaultdict(list)
    for ask in asks:
        by_mode[ask.suffixes].append(ask)
    words: list[str] = []
    for suffixes, group in by_mode.items():
        plain = _as_they_are([ask for ask in group if _is_the_host_s(ask.value)])
        if plain is None:
            return None
        words += plain
        words += [path + suffixes for path in _folders([ask.value for ask in group if not _is_the_host_s(ask.value)])]
    return _checked(asks, words)


def _is_the_host_s(path: str) -> bool:
    return _SYSTEM.match(path) is not None or not path.startswith("/")


def _archives(asks: Sequence[Ask]) -> list[str] | None:
    return _checked(asks, _folders([ask.value for ask in asks], words=1))


_SHALLOW: Final = 2
"""Folders above a path that must stand before its siblings are taken for one another: `/srv/ci/*`, never `/srv/*`."""


_HOME: Final = re.compile(r"/home/[^/]*")
"""A folder in which `*` takes in `.ssh`."""


def _folders(paths: Iterable[str], *, words: int = _SHALLOW) -> list[str]:
    """Paths, each made-up component masked, and `ENOUGH` that differ in one as one; ``words`` begin what is masked.

    What became one is not taken together again: two such steps would be a guess upon a guess.
    """
    left = dict.fromkeys(_masked_path(path, words) for path in paths)
    by_shape: dict[Shape, list[str]] = defaultdict(list)
    for path in left:
        parts = tuple(path.split("/")[1:])
        for at in range(_SHALLOW, len(parts)):
            by_shape[at, (*parts[:at], "", *parts[at + 1 :])].append(path)
    found: list[str] = []
    for (at, parts), members in sorted(by_shape.items(), key=lambda each: (-len(each[1]), -each[0][0])):
        alike = [path for path in members if path in left]
        stem = _stem([path.split("/")[at + 1] for path in alike])
        parent = "/" + "/".join(parts[:at])
        if len(alike) >= ENOUGH and (stem or not _HOME.fullmatch(parent)):
            found.append("/".join((parent, f"{stem}*", *parts[at + 1 :])))
            left = {path: None for path in left if path not in alike}
    return [*found, *left]


def _masked_path(path: str, words: int) -> str:
    """A path with its made-up components masked, unless too little of its beginning is left to mean one place."""
    components = [
        (_masked_component if at < _SHALLOW else _masked_deep)(component)
        for at, component in enumerate(path.split("/")[1:])
    ]
    vague = "*" in components[0] or "*" in components[:words]
    return path if vague else "/" + "/".join(components)


def _masked_deep(component: str) -> str:
    """The same, and the number behind a word: ``build-417``, ``app_PR-123``."""
    masked, numbered = _masked_component(component), _masked_name(component)
    return numbered if masked == component and _stem([numbered]) else masked


def _masked_component(component: str) -> str:
    if temporary := _TEMPORARY.fullmatch(component):
        return f"{next(filter(None, temporary.groups()))}*"
    return "*" if is_random(component) else _masked(component)


_PORT: Final = re.compile(r"(.*:)([0-9]+)(/[a-z]+)")


def _ports(asks: Sequence[Ask]) -> list[str] | None:
    """Host ports: neighbours as a range."""
    singles: dict[tuple[str, str], set[int]] = defaultdict(set)
    others: list[Ask] = []
    for ask in asks:
        port = _PORT.fullmatch(ask.value)
        if port is None:
            others.append(ask)
            continue
        singles[port[1], port[3]].add(int(port[2]))
    words = _as_they_are(others)
    if words is None:
        return None
    for (address, protocol), numbers in singles.items():
        words += [f"{address}{ports}{protocol}" for ports in _ranges(sorted(numbers))]
    return _checked(asks, words)


def _ranges(numbers: Sequence[int]) -> list[str]:
    """``8000-8004`` for `ENOUGH` neighbours, each alone otherwise."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words: list[str] = []
    for run in runs:
        words += [f"{run[0]}-{run[-1]}"] if len(run) >= ENOUGH else [str(number) for number in run]
    return words


_COMMANDS: Final = 8
"""Different commands that are listed whole."""


def _commands(asks: Sequence[Ask]) -> list[str] | None:
    """Commands of an exec: each whole, and where there are many each program with whatever follows."""
    words = _as_they_are(asks)
    if words is None:
        return None
    words = list(dict.fromkeys(map(_masked_command, words)))
    if len(words) > _COMMANDS:
        by_program: dict[str, list[str]] = defaultdict(list)
        for word in words:
            by_program[word.partition(" ")[0]].append(word)
        words = []
        for program, commands in by_program.items():
            bare = [program] if program in commands else []
            words += [*bare, f"{program} **"] if len(commands) >= ENOUGH else commands
    return _checked(asks, words)


_IN_COMMANDS: Final = re.compile(
    rf"{_UUID.pattern}|(?<![0-9A-Za-z])(?:(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{{7,64}}|[0-9]{{8,}}(?:[-.][0-9]+)*"
    rf"|(?<=-)g[0-9a-f]{{7,40}})(?![0-9A-Za-z])"
)
"""What is made up in a command: commits, ids, times. Shorter numbers are ports and seconds more often than not."""


def _masked_command(command: str) -> str:
    return _IN_COMMANDS.sub("*", _DATE.sub("*", command))


_LONG: Final = 60
"""Characters of a label's value beyond which nobody reads it."""


def _labels(asks: Sequence[Ask]) -> list[str] | None:
    """Labels: with the value where it is one and not made up, else the key; several keys of one beginning as that."""
    values: dict[str, set[str]] = defaultdict(set)
    for ask in asks:
        key, _, value = ask.value.partition("=")
        values[key].add(value)
    by_beginning: dict[str, list[str]] = defaultdict(list)
    for key in values:
        by_beginning[".".join(key.split(".")[:3]) if key.count(".") >= _SHALLOW else key].append(key)
    words: list[str] = []
    for beginning, keys in by_beginning.items():
        if len(keys) >= ENOUGH and all(key.startswith(f"{beginning}.") for key in keys):
            words.append(f"{beginning}.*")
            continue
        words += [_label(key, values[key]) for key in keys]
    return _checked(asks, words)


def _label(key: str, values: set[str]) -> str:
    if is_random(key) and values == {""}:
        return "*="  # made up for the run, as GitHub's runner does; no label that means something is empty
    if len(values) > 1:
        return key
    (value,) = values
    passing = _passing(value) or _masked_name(value) != value
    return f"{key}={value}" if not passing and len(value) <= _LONG else key


def _namespaces(asks: Sequence[Ask]) -> list[str] | None:
    """Namespaces: another container's by whatever name, since `container` says whose."""
    words = [
        f"{kind}=container:*"
        if (kind := ask.value.partition("=")[0]) and "=container:" in ask.value
        else pattern_for(ask)
        for ask in asks
    ]
    return None if None in words else _checked(asks, [word for word in words if word is not None])


def _stores(asks: Sequence[Ask]) -> list[str] | None:
    """Secrets and configs of a swarm: they cannot be changed, so a deployment makes each anew under another name."""
    words = _as_they_are(asks)
    return None if words is None else _checked(asks, map(_masked, words))


def _checked(asks: Sequence[Ask], words: Iterable[str]) -> list[str]:
    """The words, and for each ask that none of them covers after all its own."""
    found = list(dict.fromkeys(words))
    if not asks:
        return found
    coverage = Coverage.of(asks[0].kind, found)
    for ask in asks:
        if not coverage.covers(ask) and (own := pattern_for(ask)) is not None:
            found.append(own)
            coverage.add(own)
    return found


General: TypeAlias = Callable[[Sequence[Ask]], "list[str] | None"]

_GENERAL: Final[Mapping[str, General]] = {
    "secret": _stores,
    "config": _stores,
    "bind": _binds,
    "archive": _archives,
    "publish": _ports,
    "exec": _commands,
    "label": _labels,
    "namespace": _namespaces,
}
