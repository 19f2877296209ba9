"""Patterns held against each other: whether two have a value in common, and whether one takes in all of another.

    meet      some value is matched by both          exact: both are walked at once
    takes_in  every value of the one is the other's  by samples: what stands there for a run is in no pattern, so that
                                                     only a run of the other can match it

Nothing here judges a request; `check` uses it to say which patterns of a policy can never matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import product
from types import MappingProxyType
from typing import Final

from sockproxy.docker.asks import Kind
from sockproxy.model import Ask
from sockproxy.policy.globs import plain
from sockproxy.policy.patterns import (
    DEVICE_RULE,
    PUBLISH,
    WORDS,
    Pattern,
    cut_suffixes,
    image_parts,
)

# Globs ---------------------------------------------------------------------------------------------------------------


_LONGEST: Final = 1_000_000
"""The product of two globs' lengths beyond which they are taken to meet."""


def meet(one: str, other: str) -> bool:
    """Whether some text is matched by both globs (as `globs.glob` reads them). True also where they are endless."""
    here, there = one.partition("*")[0], other.partition("*")[0]
    if not (here.startswith(there) or there.startswith(here)):
        return False
    return len(one) * len(other) > _LONGEST or any(_meet(a, b) for a in _plain(one) for b in _plain(other))


def paths_meet(one: str, other: str) -> bool:
    """The same for globs of paths, of which ``/dir/**`` takes in the folder itself."""
    return any(meet(a, b) for a in _folders(one) for b in _folders(other))


def _folders(text: str) -> tuple[str, ...]:
    text = plain(text)
    folder = text.removesuffix("/**")
    return (text, folder) if folder not in ("", text) else (text,)


_TOKENS: Final = re.compile(r"\*\*+|\*|[^*]", re.DOTALL)
_FORKS: Final = 4
"""How many `/**/` of one glob are read as either; a fifth is read as what it says."""


def _plain(text: str) -> list[tuple[str, ...]]:
    """The tokens of a glob, once for each way in which its `/**/` may be none or some folders."""
    first, *rest = plain(text).split("/**/")
    spellings = [first]
    for at, part in enumerate(rest):
        joints = ("/", "/**/") if at < _FORKS else ("/**/",)
        spellings = [spelling + joint + part for spelling in spellings for joint in joints]
    return [tuple(_TOKENS.findall(spelling)) for spelling in spellings]


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Walk two lists of tokens at once. A state is how far each was read; none is looked at twice."""
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        here, there = waiting.pop()
        if (here, there) == (len(one), len(other)):
            return True
        for step in _steps(one, other, here, there):
            if step not in seen:
                seen.add(step)
                waiting.append(step)
    return False


def _steps(one: tuple[str, ...], other: tuple[str, ...], here: int, there: int) -> Iterator[tuple[int, int]]:
    mine = one[here] if here < len(one) else ""
    its = other[there] if there < len(other) else ""
    if mine.startswith("*"):
        yield here + 1, there
        if its and not its.startswith("*") and (mine == "**" or its != "/"):
            yield here, there + 1
    if its.startswith("*"):
        yield here, there + 1
        if mine and not mine.startswith("*") and (its == "**" or mine != "/"):
            yield here + 1, there
    if mine and mine == its and not mine.startswith("*"):
        yield here + 1, there + 1


# What can be asked ---------------------------------------------------------------------------------------------------

SHAPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "address": ("ip=**", "mac=**", "subnet=**", "option **=**"),
        "namespace": (
            *("pid=host", "pid=container:**", "ipc=host", "ipc=container:**", "network=host", "network=container:**"),
            *("uts=host", "userns=host", "cgroup=host", "cgroup=container:**"),
        ),
        "security-opt": ("**=**", "writable-cgroups"),
        "sysctl": ("**=**",),
        "annotation": ("**=**",),
        "storage-opt": ("**=**",),
        "resource": ("oom-score=**", "oom-kill-disable", "cpu-realtime", "blkio=**"),
        "build": ("remote=**", "output=**"),
        "import": ("load", "-", "*://**"),
    }
)
"""What every ask of some kinds looks like that an engine takes, as globs. A kind that is not here may ask anything."""

FREE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "log-driver": frozenset({"json-file", "local", "journald", "none"}),
        "runtime": frozenset({"runc", "io.containerd.runc.v2"}),
        "network-driver": frozenset({"bridge"}),
        "volume-driver": frozenset({"local"}),
    }
)
"""What asks nothing, so that a pattern which is just that matches nothing."""


def can_match(kind: Kind, text: str) -> bool:
    """Whether some call could ask what this word of a policy matches."""
    if text in ("any", "none"):  # one says itself that it matches nothing
        return True
    if kind.form == "word":
        word = text.upper().removeprefix("CAP_" if kind.name == "capability" else "")
        return any(meet(word, known) for known in WORDS[kind.name])
    if kind.form != "glob":
        return True
    if text in FREE.get(kind.name, ()):
        return False
    return any(meet(text, shape) for shape in SHAPES.get(kind.name, ("**",)))


# Samples -------------------------------------------------------------------------------------------------------------

_RUNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"*": ("", "\x01", "\x01\x02"), "**": ("", "\x01", "\x01/\x02", "/", "\x01/", "/\x01", "\x01/\x02/\x03")}
)
"""What stands for a run: characters that no policy holds, so that only a run of another pattern can match them."""
_MOST_RUNS: Final = 3
"""A glob with more has too many samples; then nothing is said of it."""


def takes_in(wide: Pattern, narrow: Pattern, kind: Kind) -> bool:
    """Whether the one pattern matches all that the other matches. False where that is not certain."""
    samples = _matched(kind, narrow)
    return bool(samples) and all(map(wide.matches, samples))


@lru_cache(maxsize=256)
def _matched(kind: Kind, pattern: Pattern) -> tuple[Ask, ...]:
    """Samples of what a pattern matches. Kept, as it is held against each of its neighbours."""
    return tuple(filter(pattern.matches, _samples(kind, pattern.text)))


def _samples(kind: Kind, text: str) -> Iterable[Ask]:
    if text == "none":
        return ()
    if text in ("any", "**"):
        return (Ask(kind.name, each, "", shared=True) for each in _RUNS["**"])
    match kind.form:
        case "path":
            return _uses(kind, _spelled(cut_suffixes(text)[0], folders=True))
        case "name" | "volume":
            return _named(kind, cut_suffixes(text)[0] if kind.form == "volume" else text)
        case "image":
            values = _images(text)
        case "label":
            key, equals, value = text.partition("=")
            values = _pairs(key, value) if equals else _pairs(key, "**")
        case "word":
            values = _spelled(text.upper().removeprefix("CAP_" if kind.name == "capability" else ""))
        case "device":
            values = _devices(text)
        case "publish":
            values = _ports(text)
        case "gpu" if "*" in text:
            return ()  # `all` reads spaces and slashes, which no run here stands for
        case _:
            values = _spelled(text)
    return (Ask(kind.name, value, "") for value in values)


def _spelled(text: str, *, folders: bool = False) -> Iterator[str]:
    """A glob with something in the place of each of its runs; nothing where it has too many."""
    tokens = _TOKENS.findall(re.sub(r"\*\*+", "**", text))
    if sum(token in _RUNS for token in tokens) > _MOST_RUNS:
        return
    for parts in product(*(_RUNS.get(token, (token,)) for token in tokens)):
        yield "".join(parts)
    if folders and text.endswith("/**"):
        yield from _spelled(text.removesuffix("/**") or "/")
    if "/**/" in text:
        yield from _spelled(text.replace("/**/", "/"))


def _uses(kind: Kind, paths: Iterable[str]) -> Iterator[Ask]:
    """A path in each way in which it may be bound."""
    ways = [(False, False), (True, False), (True, True)]
    for path, (read_only, nonrecursive), shared in product(paths, ways, (False, True)):
        yield Ask(kind.name, path, "", read_only=read_only, nonrecursive=nonrecursive, shared=shared)


def _named(kind: Kind, text: str) -> Iterator[Ask]:
    """A thing by its name, or by a label of it."""
    label = text.removeprefix("label=")
    for read_only in (False, True):
        if label == text:
            for name in _spelled(text) if text not in ("any", "**") else _RUNS["**"]:
                yield Ask(kind.name, name, "", read_only=read_only)
            continue
        key, equals, value = label.partition("=")
        for pair in _pairs(key, value) if equals else _pairs(key, "**"):
            name, _, worth = pair.partition("=")
            yield Ask(kind.name, "\x04", "", read_only=read_only, labels=((name, worth),))


def _pairs(key: str, value: str) -> Iterator[str]:
    yield from (f"{one}={other}" for one, other in product(list(_spelled(key)), list(_spelled(value))))


def _images(text: str) -> Iterator[str]:
    if text.startswith("sha256:"):
        yield text
        return
    repository, tag, digest = image_parts(text)
    for name in _spelled(repository):
        if digest is None:
            yield from (f"{name}:{each}" for each in _spelled("*" if tag is None else tag))
        if tag is None or digest is not None:
            yield from (f"{name}@{each}" for each in _spelled("*" if digest is None else digest))


_RIGHTS: Final = ("r", "w", "m", "rw", "rm", "wm", "rwm")


def _devices(text: str) -> Iterator[str]:
    if DEVICE_RULE.fullmatch(text) is not None:
        yield text  # a rule is the widest of those that it takes in
        return
    yield from (f"{path} {each}" for path in _spelled(text.partition(" ")[0], folders=True) for each in _RIGHTS)


_ADDRESSES: Final = ("0.0.0.0", "127.0.0.1", "198.51.100.7", "[::]", "[2001:db8::7]")  # noqa: S104 - a port's, shown
_PROTOCOLS: Final = ("tcp", "udp", "sctp")


def _ports(text: str) -> Iterator[str]:
    found = PUBLISH.fullmatch(text)
    if found is None:
        return
    low, _, high = found["port"].partition("-")
    addresses = _ADDRESSES if found["ip"] in (None, "*") else (found["ip"],)
    protocols = _PROTOCOLS if found["proto"] is None else (found["proto"],)
    for address, port, protocol in product(addresses, (low, high or low), protocols):
        yield f"{address}:{port}/{protocol}"
