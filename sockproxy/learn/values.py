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
from functools import lru_cache
from typing import Final, TypeAlias

from sockproxy.docker.asks import KINDS, OWNERSHIP_KINDS
from sockproxy.docker.inspectors.whose import UNNAMED
from sockproxy.docker.references import DEFAULT_REGISTRY
from sockproxy.model import Ask
from sockproxy.policy.patterns import BadPattern, Pattern, compile_pattern
from sockproxy.policy.suggest import pattern_for

ENOUGH: Final = 3
"""Different values that make a pattern."""

MOST_WORDS: Final = 24
"""Words of a kind that are listed; beyond that a list is no help to its reader, and wider patterns are tried."""


def words_for(kind: str, asks: Sequence[Ask], *, engine_named: Set[str] = frozenset()) -> tuple[str, ...] | None:
    """The patterns that cover these asks of one kind; None where no pattern of the language does.

    For a kind that is free that means that it cannot be held; for a power, that no policy can give it. ``engine_named``
    are names of containers that the engine chose, whoever made them (see `engine_named`).
    """
    found = _owned(asks, engine_named) if kind in OWNERSHIP_KINDS else _GENERAL.get(kind, _as_they_are)(asks)
    return None if found is None else tuple(word for word in found if word)


def engine_named(asks: Iterable[Ask]) -> frozenset[str]:
    """The names of containers that the engine chose, among all that was asked: none where no create left it to it."""
    containers = [ask for ask in asks if ask.kind == "container"]
    if not any(ask.value == UNNAMED for ask in containers):
        return frozenset()
    given = {ask.value for ask in containers if ask.where == "?name"}
    return frozenset(ask.value for ask in containers if _ENGINE_CHOSE.fullmatch(ask.value)) - given


def covers(kind: str, word: str, asks: Iterable[Ask]) -> bool:
    """Whether a word is a pattern of this kind that covers every one of these asks."""
    pattern = _compiled(kind, word)
    return pattern is not None and all(map(pattern.matches, asks))


@lru_cache(maxsize=4096)
def _compiled(kind: str, word: str) -> Pattern | None:
    """The pattern that a word is, None where it is none; kept, as each is tried on every ask of its kind."""
    try:
        return compile_pattern(KINDS[kind], word)
    except BadPattern:
        return None


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
_TEMPORARY: Final = re.compile(r"(tmp)[a-z0-9_]{8}|(tmp\.)[A-Za-z0-9]{6,}|(te?mp[-_.]?)(?=\w*[0-9])[A-Za-z0-9_]{6,}")
"""A folder that mkdtemp or mktemp made."""


def is_random(part: str) -> bool:
    """Whether a part of a name looks made up."""
    return any(shape.fullmatch(part) for shape in _RANDOM)


def _split(value: str) -> tuple[str, ...]:
    """A name in parts, the separators between them."""
    return tuple(_SEPARATORS.split(value))


def _masked(value: str) -> str:
    """A name with `*` in place of each made-up part; itself where all of it is made up, or nothing is."""
    parts = _split(_UUID.sub("*", value))
    masked = ["*" if at % 2 == 0 and is_random(part) else _counted(part) for at, part in enumerate(parts)]
    if all(part == "*" for part in masked[::2]):
        # `c14641` may be an id, and is a pattern only as a word with a number behind it.
        masked = list(map(_counted, parts))
        if all(part == "*" for part in masked[::2]):
            return value
    # `a-*-*-*` says no more than `a-*`.
    return re.sub(r"\*(?:[-_.]\*)+", "*", "".join(masked))


_COUNTED: Final = re.compile(r"([A-Za-z]+)(?!(?:19|20)[0-9]{2}\Z)[0-9]{4,}")
"""A word with a number behind it that is no count and no year: a process's, or a time."""


def _counted(part: str) -> str:
    counted = _COUNTED.fullmatch(part)
    return f"{counted[1]}*" if counted else part


def _merged(values: Iterable[str]) -> list[str]:
    """Names, those that differ in one place in `ENOUGH` ways as one pattern."""
    left = dict.fromkeys(map(_masked, values))
    while (pattern := _pattern_of(list(left))) is not None:
        word, taken = pattern
        left = dict.fromkeys([word, *(value for value in left if value not in taken)])
    return list(left)


def _pattern_of(values: list[str]) -> tuple[str, frozenset[str]] | None:
    """The pattern that the most of these names show, and which those are."""
    shapes: dict[tuple[int, tuple[str, ...]], list[str]] = defaultdict(list)
    for value in values:
        parts = _split(value)
        for at in range(0, len(parts), 2):
            if len(parts) > 1:
                shapes[at, (*parts[:at], "", *parts[at + 1 :])].append(value)
    found = [(shape, taken) for shape, taken in shapes.items() if len(taken) >= ENOUGH and _says_something(shape)]
    if not found:
        return None
    (at, parts), taken = max(found, key=lambda each: (len(each[1]), each[0][0]))
    return "".join((*parts[:at], "*", *parts[at + 1 :])), frozenset(taken)


def _says_something(shape: tuple[int, tuple[str, ...]]) -> bool:
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
"""Labels that say what a thing belongs to, better than its name does."""
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
    words = [word + suffix for suffix, values in suffixes.items() for word in _merged(values)]
    if len(words) > MOST_WORDS:
        return None
    return _checked(asks, words)


def _by_project(asks: Sequence[Ask]) -> tuple[list[str], list[Ask]]:
    """Patterns of the labels that say a project, and the asks that have none."""
    projects: dict[tuple[str, str], list[Ask]] = defaultdict(list)
    left: list[Ask] = []
    for ask in asks:
        project = next((pair for pair in ask.labels if pair[0] in _PROJECT_LABELS), None)
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
    masked = _masked(value)
    return "*" if masked == value and is_random(value) else masked


def _common_label(asks: Sequence[Ask]) -> str | None:
    """A label that all of these have in common, with its value or alone; None where there is none."""
    if not asks or not all(ask.labels for ask in asks):
        return None
    pairs = set(asks[0].labels).intersection(*(ask.labels for ask in asks[1:]))
    keys = {key for key, _ in asks[0].labels}.intersection(*({key for key, _ in ask.labels} for ask in asks[1:]))
    if pairs:
        key, value = min(pairs, key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
        return f"label={key}={value}" if value and "*" not in value else f"label={key}"
    return f"label={min(keys, key=lambda key: (len(key), key))}" if keys else None


# Images --------------------------------------------------------------------------------------------------------------


def _images(asks: Sequence[Ask]) -> list[str] | None:
    words = _as_they_are(asks)
    if words is None or any(re.fullmatch(r"(?:sha256:)?[0-9a-f]{64}", word) for word in words):
        return None  # an id without a name: the next build has another
    by_repository: dict[str, list[str]] = defaultdict(list)
    for word in words:
        by_repository[_repository(word)].append(word)
    found: list[str] = []
    for repository, names in by_repository.items():
        tags = list(dict.fromkeys(_masked_tag(name) for name in names))
        found += [repository] if len(tags) >= ENOUGH else tags
    if len(found) > MOST_WORDS or sum("/" in word for word in found) >= ENOUGH + 2:
        found = _merged(found)
    return _checked(asks, found) if len(found) <= MOST_WORDS else None


def _repository(name: str) -> str:
    name = name.removeprefix(f"{DEFAULT_REGISTRY}/")
    slash = name.rfind("/") + 1
    return name[:slash] + name[slash:].partition("@")[0].partition(":")[0]


def _masked_tag(name: str) -> str:
    """A name with the made-up parts of its last component and its tag masked; a digest is the image itself."""
    if "@" in name:
        return name
    slash = name.rfind("/") + 1
    last, colon, tag = name[slash:].partition(":")
    if _BUILD.fullmatch(tag):
        return f"{name[:slash]}{_masked(last)}:*"
    return name[:slash] + _masked(last + colon + tag)


_BUILD: Final = re.compile(r"(?!(?:19|20)[0-9]{2}\Z)[0-9]{3,}")
"""A tag that is the number of a build: no version is a whole number so high, and a year is none."""


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
    return _checked(asks, _folders([ask.value for ask in asks]))


_SHALLOW: Final = 2
"""Folders above a path that must stand before its siblings are taken for one another: `/srv/ci/*`, never `/srv/*`."""


def _folders(paths: Iterable[str]) -> list[str]:
    """Paths, each made-up component masked, and `ENOUGH` of one parent as that parent's."""
    masked = list(dict.fromkeys(_masked_path(path) for path in paths))
    by_parent: dict[str, list[str]] = defaultdict(list)
    for path in masked:
        by_parent[path.rpartition("/")[0]].append(path)
    found: list[str] = []
    for parent, children in by_parent.items():
        deep = parent.count("/") >= _SHALLOW
        found += [f"{parent}/*"] if len(children) >= ENOUGH and deep else children
    return list(dict.fromkeys(found))


def _masked_path(path: str) -> str:
    """A path with its made-up components masked, unless too little of its beginning is left to mean one place."""
    components = [_masked_component(component) for component in path.split("/")[1:]]
    vague = "*" in components[0] or "*" in components[:_SHALLOW]
    return path if vague else "/" + "/".join(components)


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
    words = list(dict.fromkeys(" ".join(_command_word(part) for part in word.split(" ")) for word in words))
    if len(words) > _COMMANDS:
        by_program: dict[str, list[str]] = defaultdict(list)
        for word in words:
            by_program[word.partition(" ")[0]].append(word)
        words = []
        for program, commands in by_program.items():
            bare = [program] if program in commands else []
            words += [*bare, f"{program} **"] if len(commands) >= ENOUGH else commands
    return _checked(asks, words)


def _command_word(part: str) -> str:
    return "*" if re.fullmatch(r"[0-9a-f]{12,64}", part) else part


_LABELS: Final = 6
"""Labels of one beginning that are listed one by one."""


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
    if len(values) > 1:
        return key
    (value,) = values
    masked = _masked(value) if value else ""
    return f"{key}={masked}" if masked == value and not is_random(value) and len(value) <= 60 else key


def _namespaces(asks: Sequence[Ask]) -> list[str] | None:
    """Namespaces: another container's by whatever name, since `container` says whose."""
    words = [
        f"{kind}=container:*"
        if (kind := ask.value.partition("=")[0]) and "=container:" in ask.value
        else pattern_for(ask)
        for ask in asks
    ]
    return None if None in words else _checked(asks, [word for word in words if word is not None])


def _checked(asks: Sequence[Ask], words: Iterable[str]) -> list[str]:
    """The words, and for each ask that none of them covers after all its own."""
    found = list(dict.fromkeys(words))
    for ask in asks:
        if not any(covers(ask.kind, word, (ask,)) for word in found) and (own := pattern_for(ask)) is not None:
            found.append(own)
    return found


General: TypeAlias = Callable[[Sequence[Ask]], "list[str] | None"]

_GENERAL: Final[Mapping[str, General]] = {
    "image": _images,
    "tag": _images,
    "bind": _binds,
    "archive": _archives,
    "publish": _ports,
    "exec": _commands,
    "label": _labels,
    "namespace": _namespaces,
}
