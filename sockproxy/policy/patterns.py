"""Patterns: what a word in a policy matches. No regular expressions, no surprises.

    any      everything            none     nothing
    *        any run but `/`       **       any run        /dir/**   the folder and all below it
    /**/     any number of folders, none too               nothing else is special

How a word is read depends on the kind of ask that it is for (`docker/asks.py`). Compiled once, when a policy is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sockproxy.docker.asks import Kind
from sockproxy.docker.paths import clean
from sockproxy.docker.references import DEFAULT_REGISTRY
from sockproxy.model import Ask

Matcher: TypeAlias = Callable[[str], bool]
Test: TypeAlias = Callable[[Ask], bool]


class BadPattern(ValueError):
    """A word that is no pattern of its kind; ``hint`` says what may be meant."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Pattern:
    """One word of a policy, compiled."""

    text: str
    """As it stands in the policy."""
    matches: Test = field(compare=False, repr=False)
    place: str = ""
    """``file:line``."""


def compile_pattern(kind: Kind, text: str, place: str = "") -> Pattern:
    """The pattern that a word is, for asks of this kind.

    Raises:
        BadPattern: the kind takes no such word.
    """
    if text == "":
        raise BadPattern("an empty pattern", "write `none` for nothing")
    if text in ("any", "**"):
        return Pattern(text, _anything, place)
    if text == "none":
        return Pattern(text, _nothing, place)
    return Pattern(text, _FORMS[kind.form](kind, text), place)


def _anything(ask: Ask) -> bool:  # noqa: ARG001 - the shape of a test
    return True


def _nothing(ask: Ask) -> bool:  # noqa: ARG001 - the shape of a test
    return False


# Globs ---------------------------------------------------------------------------------------------------------------

_WILD: Final = re.compile(r"/\*\*/|\*\*|\*")
_REGEX_WILDCARDS: Final = 2
"""With more wildcards than this a regular expression could take long over a value made for it."""


def glob(text: str) -> Matcher:
    """A matcher of whole values."""
    tokens = _tokens(text)
    wildcards = sum(token in _CLASSES for token in tokens)
    if not wildcards:
        return text.__eq__
    if wildcards <= _REGEX_WILDCARDS:
        expression = re.compile("".join(_CLASSES.get(token) or re.escape(token) for token in tokens), re.DOTALL)
        return lambda value: expression.fullmatch(value) is not None
    return lambda value: _simulate(tokens, value)


_CLASSES: Final = {"*": "[^/]*", "**": ".*", "/**/": "/(?:.*/)?"}


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    for match in _WILD.finditer(text):
        if match.start() > at:
            tokens.append(text[at : match.start()])
        tokens.append(match[0])
        at = match.end()
    if at < len(text):
        tokens.append(text[at:])
    return tokens


def _simulate(tokens: list[str], value: str) -> bool:
    """Walk all ways at once: positions reached after each token, so the time is bounded by length times tokens."""
    reached = {0}
    for token in tokens:
        following: set[int] = set()
        match token:
            case "**":
                following.update(range(min(reached), len(value) + 1))
            case "*":
                for start in sorted(reached):
                    if start in following:
                        continue
                    end = value.find("/", start)
                    following.update(range(start, (len(value) if end < 0 else end) + 1))
            case "/**/":
                first = min((start for start in reached if value.startswith("/", start)), default=None)
                if first is not None:
                    following.update(at + 1 for at in range(first, len(value)) if value[at] == "/")
            case _:
                following.update(start + len(token) for start in reached if value.startswith(token, start))
        if not following:
            return False
        reached = following
    return len(value) in reached


def path_glob(text: str) -> Matcher:
    """A glob of cleaned absolute paths: ``/dir/**`` takes in the folder itself."""
    if text.endswith("/**"):
        base = text.removesuffix("/**")
        if base == "":
            return lambda value: value.startswith("/")
        if "*" not in base:
            return lambda value: value == base or value.startswith(base + "/")
        folder, below = glob(base), glob(text)
        return lambda value: folder(value) or below(value)
    return glob(text)


# Forms ---------------------------------------------------------------------------------------------------------------


def _any_form(kind: Kind, text: str) -> Test:
    raise BadPattern(f"`{text}`: `{kind.name}` takes `any` or `none`")


def _glob_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    match = glob(text)
    return lambda ask: match(ask.value)


def _path_form(kind: Kind, text: str) -> Test:
    path, read_only, shared = _cut_suffixes(text)
    if kind.name != "bind" and (read_only or shared):
        raise BadPattern(f"`{text}`: `{kind.name}` takes no ` ro` or ` shared`")
    if not path.startswith("/") and not path.startswith("**"):
        raise BadPattern(f"`{text}` is no absolute path", "a path begins with `/`")
    bare = path.removesuffix("/**") or "/"
    if path.startswith("/") and "*" not in bare and clean(bare) != bare:
        raise BadPattern(f"`{text}` is not a clean path", f"did you mean {clean(bare)}{path[len(bare) :]}?")
    match = path_glob(path)

    def test(ask: Ask) -> bool:
        if (read_only and not ask.read_only) or (ask.shared and not shared):
            return False
        return match(ask.value)

    return test


def _cut_suffixes(text: str) -> tuple[str, bool, bool]:
    words = text.split(" ")
    suffixes = set()
    while len(words) > 1 and words[-1] in ("ro", "shared"):
        suffixes.add(words.pop())
    return " ".join(words), "ro" in suffixes, "shared" in suffixes


def _name_form(kind: Kind, text: str) -> Test:
    if text.startswith("label="):
        return _labelled(text.removeprefix("label="))
    if kind.name == "container" and "/" in text.removeprefix("/"):
        raise BadPattern(f"`{text}` is no container's name", "a name has no slash")
    match = glob(text)
    return lambda ask: match(ask.value) or any(map(match, ask.aliases))


def _labelled(text: str) -> Test:
    key, equals, value = text.partition("=")
    if not key:
        raise BadPattern("`label=` without a key")
    key_match, value_match = glob(key), glob(value)
    if not equals:
        return lambda ask: any(key_match(name) for name, _ in ask.labels)
    return lambda ask: any(key_match(name) and value_match(worth) for name, worth in ask.labels)


def _volume_form(kind: Kind, text: str) -> Test:
    name, read_only, shared = _cut_suffixes(text)
    if shared:
        raise BadPattern(f"`{text}`: a volume is not ` shared`")
    test = _anything if name in ("any", "**") else _name_form(kind, name)
    return (lambda ask: ask.read_only and test(ask)) if read_only else test


def _image_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    test = image_glob(text)
    return lambda ask: test(ask.value) or any(map(test, ask.aliases))


def image_glob(text: str) -> Matcher:
    """``repo`` (every tag and digest), ``repo:tag``, ``repo@digest``; globs in each; normalised as Docker does."""
    name, at, digest = text.partition("@")
    slash = name.rfind("/")
    last, colon, tag = name[slash + 1 :].partition(":")
    repository = _repository(name[: slash + 1] + last)
    repository_match = glob(repository)
    digest_match, tag_match = glob(digest), glob(tag)

    def test(value: str) -> bool:
        theirs, has_digest, their_digest = value.partition("@")
        if has_digest:
            if not repository_match(theirs):
                return False
            return digest_match(their_digest) if at else not colon
        cut = theirs.rfind(":")
        if cut <= theirs.rfind("/") or not repository_match(theirs[:cut]):
            return False
        return not at and (not colon or tag_match(theirs[cut + 1 :]))

    return test


def _repository(name: str) -> str:
    """The normal form of a repository that may hold wildcards."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or "*" in first):
        if first == DEFAULT_REGISTRY and "/" not in rest and rest != "**":
            return f"{first}/library/{rest}"
        return name
    return f"{DEFAULT_REGISTRY}/{name}" if slash else f"{DEFAULT_REGISTRY}/library/{name}"


def _label_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    key, equals, value = text.partition("=")
    key_match, value_match = glob(key), glob(value)

    def test(ask: Ask) -> bool:
        theirs, _, worth = ask.value.partition("=")
        return key_match(theirs) and (not equals or value_match(worth))

    return test


def _word_form(kind: Kind, text: str) -> Test:
    word = text.upper()
    if kind.name == "capability":
        word = word.removeprefix("CAP_")
        if not re.fullmatch(r"[A-Z_]+|\*", word):
            raise BadPattern(f"`{text}` is no capability", "for example NET_ADMIN")
    match = glob(word)
    return lambda ask: match(ask.value.upper())


_RULE: Final = re.compile(r"[abc] (?:[0-9]+|\*):(?:[0-9]+|\*) [rwm]{1,3}")


def _device_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    if _RULE.fullmatch(text):
        return lambda ask: ask.value == text
    path, _, rights = text.partition(" ")
    if not path.startswith("/") or not set(rights) <= set("rwm"):
        raise BadPattern(f"`{text}` is no device", "write /dev/fuse, /dev/dri/**, /dev/sda r, or c 10:229 rwm")
    match = path_glob(path)

    def test(ask: Ask) -> bool:
        if not ask.value.startswith("/"):
            return False
        device, _, asked = ask.value.rpartition(" ")
        return match(device) and (not rights or set(asked) <= set(rights))

    return test


def _gpu_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    if text == "all":
        # Every GPU of nvidia's, by count, by index or all. Another driver's name stands before it, a CDI name has `/`.
        return lambda ask: " " not in ask.value and "/" not in ask.value
    if text.isdecimal():
        most = int(text)
        return lambda ask: ask.value.isdecimal() and int(ask.value) <= most
    match = glob(text)
    return lambda ask: match(ask.value)


_PUBLISH: Final = re.compile(
    r"(?:(?P<ip>\*|[0-9.]+|\[[0-9a-fA-F:]+\]):)?(?P<port>random|[0-9]{1,5}(?:-[0-9]{1,5})?)(?:/(?P<proto>tcp|udp|sctp))?"
)


def _publish_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    mine = _PUBLISH.fullmatch(text)
    if mine is None:
        raise BadPattern(f"`{text}` is no port", "write 8080, 127.0.0.1:8000-8999, 53/udp or 127.0.0.1:random")
    low, high = _ports(mine["port"])
    if low > high or high > 65535:
        raise BadPattern(f"`{text}` is no range of ports")

    def test(ask: Ask) -> bool:
        theirs = _PUBLISH.fullmatch(ask.value)
        if theirs is None or (mine["ip"] not in (None, "*") and theirs["ip"] != mine["ip"]):
            return False
        if mine["proto"] is not None and theirs["proto"] != mine["proto"]:
            return False
        if (theirs["port"] == "random") != (mine["port"] == "random"):
            return False
        first, last = _ports(theirs["port"])
        return low <= first and last <= high

    return test


def _ports(text: str) -> tuple[int, int]:
    if text == "random":
        return 0, 0
    first, _, last = text.partition("-")
    return int(first), int(last or first)


_FORMS: Final[dict[str, Callable[[Kind, str], Test]]] = {
    "any": _any_form,
    "glob": _glob_form,
    "path": _path_form,
    "name": _name_form,
    "volume": _volume_form,
    "image": _image_form,
    "label": _label_form,
    "word": _word_form,
    "device": _device_form,
    "gpu": _gpu_form,
    "publish": _publish_form,
}
