"""Patterns: what a word in a policy matches. No regular expressions, no surprises.

    any      everything            none     nothing
    *        any run but `/`       **       any run        /dir/**   the folder and all below it
    /**/     any number of folders, none too               nothing else is special

How a word is read depends on the kind of ask that it is for (`docker/asks.py`). Compiled once, when a policy is loaded.

A pattern that gives must take in the whole ask; one that denies must be met by whatever has a part in common with it:
who denies `SYS_ADMIN` denies `ALL`, and who denies port 80 denies 79-81. So the two are compiled apart.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sockproxy.docker.asks import PLAIN_CAPABILITIES, Kind, PatternForm
from sockproxy.docker.inspectors.pruning import PRUNE
from sockproxy.docker.paths import clean
from sockproxy.docker.references import ALL_TAGS, DEFAULT_REGISTRY, UNTAGGED
from sockproxy.model import Ask
from sockproxy.policy import slips
from sockproxy.policy.globs import Matcher, glob, path_glob
from sockproxy.policy.slips import Slip

Test: TypeAlias = Callable[[Ask], bool]
Form: TypeAlias = Callable[[Kind, str], Test]


FORM_WORDS: Final[Mapping[PatternForm, str]] = {
    "any": "`any` or `none`",
    "glob": "a glob",
    "path": (
        "a path glob: `/dir/**` is the folder and all below it; ` ro` behind it: read-only alone;"
        " ` ro nonrecursive`: also where what is mounted below stays writable; ` shared`: too"
    ),
    "name": "a name glob, `label=key` or `label=key=value`",
    "volume": "a name glob, `label=key` or `label=key=value`; ` ro` behind it: read-only alone",
    "image": (
        "`repo` (every tag), `repo:tag`, `repo@sha256:…`, globs in each; names are normalised as Docker does;"
        " `(untagged)`: an image without a name; `(prune)`: a prune"
    ),
    "label": "`key` (any value) or `key=value`, globs in each",
    "word": "a name, or a glob of names, in any case",
    "device": "a path glob with ` rwm` or less after it, or a cgroup rule",
    "gpu": "`all`, a number (at most that many), or a glob",
    "publish": "`[ip:]port[-port][/proto]` or `[ip:]random`; without an ip, any",
}
"""What a pattern of each form may be."""


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
    return Pattern(text, _compile(kind, text, _FORMS), place)


def compile_denial(kind: Kind, text: str, place: str = "") -> Pattern:
    """The pattern that a word is in the `asking` of a `deny`: met by an ask that has anything in common with it.

    Raises:
        BadPattern: the kind takes no such word.
    """
    return Pattern(text, _compile(kind, text, {**_FORMS, **_DENIALS}), place)


def _compile(kind: Kind, text: str, forms: dict[str, Form]) -> Test:
    if text == "":
        raise BadPattern("an empty pattern", "write `none` for nothing")
    if text == "any" or (text == "**" and kind.form != "path"):
        return _anything
    if text == "none":
        return _nothing
    _refuse(slips.takes_out(kind, text))
    return forms[kind.form](kind, text)


def _refuse(slip: Slip | None) -> None:
    """Refuse a word that would match nothing.

    Raises:
        BadPattern: it is a slip.
    """
    if slip is not None:
        raise BadPattern(*slip)


def _anything(ask: Ask) -> bool:  # noqa: ARG001 - the shape of a test
    return True


def _nothing(ask: Ask) -> bool:  # noqa: ARG001 - the shape of a test
    return False


# Forms ---------------------------------------------------------------------------------------------------------------


def _any_form(kind: Kind, text: str) -> Test:
    raise BadPattern(f"`{text}`: `{kind.name}` takes `any` or `none`", f"write `{kind.name}: any`, or leave it out")


def _glob_form(kind: Kind, text: str) -> Test:
    _refuse(slips.expression(text))
    if (slip := _GLOB_SLIPS.get(kind.name)) is not None:
        _refuse(slip(text))
    match = glob(text)
    return lambda ask: match(ask.value)


_GLOB_SLIPS: Final[Mapping[str, Callable[[str], Slip | None]]] = {
    "namespace": slips.namespace,
    "security-opt": slips.security_option,
    "registry": slips.registry,
}


def _path_form(kind: Kind, text: str) -> Test:
    match, suffixes = _path(kind, text)
    read_only, shallow, shared = suffixes.read_only, suffixes.nonrecursive, suffixes.shared

    def test(ask: Ask) -> bool:
        if read_only and (not ask.read_only or (ask.nonrecursive and not shallow)):
            return False
        return (shared or not ask.shared) and match(ask.value)

    return test


def _path_denial(kind: Kind, text: str) -> Test:
    # To share a bind with the host, or to leave writable what is below it, is to ask more, never a way out of a denial.
    match, suffixes = _path(kind, text)
    return lambda ask: (ask.read_only or not suffixes.read_only) and match(ask.value)


def _path(kind: Kind, text: str) -> tuple[Matcher, Suffixes]:
    path, suffixes = cut_suffixes(text)
    if kind.name != "bind" and suffixes != _NO_SUFFIXES:
        raise BadPattern(f"`{text}`: `{kind.name}` takes no ` ro` or ` shared`")
    if suffixes.nonrecursive and not suffixes.read_only:
        raise BadPattern(f"`{text}`: ` nonrecursive` is a way to be read-only", f"did you mean {path} ro nonrecursive?")
    if not path.startswith("/") and not path.startswith("**"):
        raise BadPattern(*slips.relative(kind, text, path))
    if kind.name == "bind":
        _refuse(slips.mount(text, path))
    _refuse(slips.spaces(text, path))
    bare = path.removesuffix("/**") or "/"
    if path.startswith("/") and clean(bare) != bare:
        below = path[len(bare) :] if path.endswith("/**") else ""
        raise BadPattern(f"`{text}` is not a clean path", f"did you mean {clean(bare).rstrip('/') + below or '/'}?")
    return path_glob(path), suffixes


@dataclass(frozen=True, slots=True)
class Suffixes:
    """The words behind a path or the name of a volume."""

    read_only: bool = False
    """`` ro``: taken read-only alone."""
    nonrecursive: bool = False
    """`` nonrecursive``: also where what is mounted below stays writable."""
    shared: bool = False
    """`` shared``: also where mounts propagate to the host."""


_NO_SUFFIXES: Final = Suffixes()


def cut_suffixes(text: str) -> tuple[str, Suffixes]:
    """A pattern without the words behind it, and what they say."""
    words = text.split(" ")
    found = set()
    while len(words) > 1 and words[-1] in ("ro", "nonrecursive", "shared"):
        found.add(words.pop())
    return " ".join(words), Suffixes("ro" in found, "nonrecursive" in found, "shared" in found)


def _name_form(kind: Kind, text: str) -> Test:
    if text.startswith("label="):
        return _labelled(text.removeprefix("label="))
    _refuse(slips.name(text))
    _refuse(_NAME_SLIPS.get(kind.name, slips.expression)(text))
    match = glob(text)
    return lambda ask: match(ask.value) or any(map(match, ask.aliases))


_NAME_SLIPS: Final[Mapping[str, Callable[[str], Slip | None]]] = {
    "container": slips.container,
    "volume": slips.volume,
}


def _labelled(text: str) -> Test:
    key, equals, value = text.partition("=")
    if not key:
        raise BadPattern("`label=` without a key")
    key_match, value_match = glob(key), glob(value)
    if not equals:
        return lambda ask: any(key_match(name) for name, _ in ask.labels)
    return lambda ask: any(key_match(name) and value_match(worth) for name, worth in ask.labels)


def _volume_form(kind: Kind, text: str) -> Test:
    name, suffixes = cut_suffixes(text)
    if suffixes.shared or suffixes.nonrecursive:
        raise BadPattern(f"`{text}`: a volume is not ` {'shared' if suffixes.shared else 'nonrecursive'}`")
    test = _anything if name in ("any", "**") else _name_form(kind, name)
    return (lambda ask: ask.read_only and test(ask)) if suffixes.read_only else test


def _image_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    _refuse_no_image(text)
    test = image_glob(text)
    return lambda ask: test(ask.value) or any(map(test, ask.aliases))


def _refuse_no_image(text: str) -> None:
    """Refuse what no image can be called, so that it would match none.

    Raises:
        BadPattern: it is a slip, or has an upper-case letter in its repository.
    """
    _refuse(slips.image(text))
    repository = image_parts(text)[0]
    path = repository.partition("/")[2]
    if path != path.lower():
        lower = text.replace(path.removeprefix("library/"), path.removeprefix("library/").lower())
        raise BadPattern(f"`{text}`: an image's name is in lower case", f"did you mean {lower}?")


def _image_denial(kind: Kind, text: str) -> Test:
    # Every tag of a repository is also the one that is denied.
    covers = _image_form(kind, text)
    if _ID.fullmatch(text):
        return covers
    repository = image_glob(_untagged(text))
    every = f":{ALL_TAGS}"
    return lambda ask: (
        covers(ask) or any(name.endswith(every) and repository(name) for name in (ask.value, *ask.aliases))
    )


def _untagged(text: str) -> str:
    """The repository of a pattern, without tag and digest."""
    name = text.partition("@")[0]
    slash = name.rfind("/") + 1
    return name[:slash] + name[slash:].partition(":")[0]


_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")


def image_glob(text: str) -> Matcher:
    """``repo`` (every tag and digest), ``repo:tag``, ``repo@digest``; globs in each; normalised as Docker does.

    A whole id, ``sha256:…``, is that image and no other; ``(untagged)`` is one that has no name, ``(prune)`` a prune.
    """
    if text in (UNTAGGED, PRUNE) or _ID.fullmatch(text):
        return text.__eq__
    repository, tag, digest = image_parts(text)
    at, colon = digest is not None, tag is not None
    repository_match = glob(repository)
    digest_match, tag_match = glob(digest or ""), glob(tag or "")

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


def image_parts(text: str) -> tuple[str, str | None, str | None]:
    """The repository of a pattern in normal form, its tag and its digest; None for one that it does not say."""
    name, at, digest = text.partition("@")
    slash = name.rfind("/")
    last, colon, tag = name[slash + 1 :].partition(":")
    return _repository(name[: slash + 1] + last), tag if colon else None, digest if at else None


def _repository(name: str) -> str:
    """The normal form of a repository that may hold wildcards."""
    first, slash, rest = name.partition("/")
    if first.startswith("**"):
        return name
    if slash and ("." in first or ":" in first or first == "localhost"):
        first = DEFAULT_REGISTRY if first == "index.docker.io" else first
        name = f"{first}/{rest}"
        if first == DEFAULT_REGISTRY and "/" not in rest and rest != "**":
            return f"{first}/library/{rest}"
        return name
    return f"{DEFAULT_REGISTRY}/{name}" if slash else f"{DEFAULT_REGISTRY}/library/{name}"


def _label_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    _refuse(slips.label(text))
    key, equals, value = text.partition("=")
    key_match, value_match = glob(key), glob(value)

    def test(ask: Ask) -> bool:
        theirs, _, worth = ask.value.partition("=")
        return key_match(theirs) and (not equals or value_match(worth))

    return test


def _word_form(kind: Kind, text: str) -> Test:
    word = _word(kind, text)
    if kind.name == "capability" and word == "ALL":
        return _anything
    match = glob(word)
    return lambda ask: match(ask.value.upper())


def _word_denial(kind: Kind, text: str) -> Test:
    match = glob(_word(kind, text))
    # Whoever asks `ALL` asks each capability.
    everything = "ALL" if kind.name == "capability" else ""
    return lambda ask: ask.value.upper() == everything or match(ask.value.upper())


# capabilities(7), as of Linux 6.12.
_CAPABILITIES: Final = PLAIN_CAPABILITIES | {
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "PERFMON",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
}
WORDS: Final = {
    "capability": _CAPABILITIES,
    "tunnel": frozenset({"SESSION", "GRPC"}),
    "restart": frozenset({"NO", "ALWAYS", "ON-FAILURE", "UNLESS-STOPPED"}),
}


def _word(kind: Kind, text: str) -> str:
    """The word in upper case. One that is not known is a mistake: it would match nothing, and nobody would notice."""
    word = text.upper()
    if kind.name == "capability":
        word = word.removeprefix("CAP_")
    known = WORDS[kind.name]
    _refuse(slips.several_words(kind, text, known))
    if "*" not in word and word not in known:
        hint = _near(word, known)
        raise BadPattern(f"`{text}` is no {kind.name}", hint if kind.name == "capability" else hint.lower())
    return word


def _near(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"one of {', '.join(names)}" if len(names) < 8 else "for example NET_ADMIN"


DEVICE_RULE: Final = re.compile(r"([abc]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")


def _device_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    if (mine := DEVICE_RULE.fullmatch(text)) is not None:
        return lambda ask: _rule_within(mine, ask.value)
    match, rights = _device(text)

    def test(ask: Ask) -> bool:
        device, _, asked = ask.value.rpartition(" ")
        return device.startswith("/") and match(device) and set(asked) <= rights

    return test


def _device_denial(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    if (mine := DEVICE_RULE.fullmatch(text)) is not None:
        return lambda ask: _rules_meet(mine, ask.value)
    match, rights = _device(text)

    def test(ask: Ask) -> bool:
        device, _, asked = ask.value.rpartition(" ")
        return device.startswith("/") and match(device) and not rights.isdisjoint(asked)

    return test


def _device(text: str) -> tuple[Matcher, frozenset[str]]:
    _refuse(slips.device(text))
    path, _, rights = text.partition(" ")
    if not path.startswith("/") or not set(rights) <= set("rwm"):
        raise BadPattern(f"`{text}` is no device", "write /dev/fuse, /dev/dri/**, /dev/sda r, or c 10:229 rwm")
    bare = path.removesuffix("/**") or "/"
    if clean(bare) != bare:
        raise BadPattern(f"`{text}` is not a clean path", f"did you mean {clean(bare)}?")
    return path_glob(path), frozenset(rights or "rwm")


def _rule_within(mine: re.Match[str], value: str) -> bool:
    """Whether a cgroup rule gives no more than mine: ``a`` is every type, ``*`` every number."""
    theirs = DEVICE_RULE.fullmatch(value)
    if theirs is None or not set(theirs[4]) <= set(mine[4]):
        return False
    return mine[1] in ("a", theirs[1]) and all(mine[at] in ("*", theirs[at]) for at in (2, 3))


def _rules_meet(mine: re.Match[str], value: str) -> bool:
    """Whether two cgroup rules have a device and a right in common."""
    theirs = DEVICE_RULE.fullmatch(value)
    if theirs is None or set(theirs[4]).isdisjoint(mine[4]):
        return False
    same_type = "a" in (mine[1], theirs[1]) or mine[1] == theirs[1]
    return same_type and all("*" in (mine[at], theirs[at]) or mine[at] == theirs[at] for at in (2, 3))


_COUNT: Final = re.compile("[0-9]{1,19}")


def _gpu_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    if text == "all":
        # Every GPU of nvidia's, by count, by index or all. Another driver's name stands before it, a CDI name has `/`.
        return lambda ask: " " not in ask.value and "/" not in ask.value
    if _COUNT.fullmatch(text):
        most = int(text)
        return lambda ask: _COUNT.fullmatch(ask.value) is not None and int(ask.value) <= most
    _refuse(slips.gpu(text))
    match = glob(text)
    return lambda ask: match(ask.value)


def _gpu_denial(kind: Kind, text: str) -> Test:
    covers = _gpu_form(kind, text)
    # Where the engine chooses, by count or all of them, it may choose the one that is denied.
    if text.startswith("device="):
        return lambda ask: covers(ask) or ask.value == "all" or _COUNT.fullmatch(ask.value) is not None
    return covers


PUBLISH: Final = re.compile(
    r"(?:(?P<ip>\*|[0-9.]+|\[[0-9a-fA-F:]+\]):)?(?P<port>random|[0-9]{1,5}(?:-[0-9]{1,5})?)(?:/(?P<proto>tcp|udp|sctp))?"
)


def _publish_form(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    mine = _published(text)
    address, (low, high) = _address(mine["ip"]), _ports(mine["port"])

    def test(ask: Ask) -> bool:
        theirs = PUBLISH.fullmatch(ask.value)
        if theirs is None or not _one_choice(mine, theirs):
            return False
        if address is not None and _address(theirs["ip"]) != address:
            return False
        first, last = _ports(theirs["port"])
        return low <= first and last <= high

    return test


def _publish_denial(kind: Kind, text: str) -> Test:  # noqa: ARG001 - the shape of a form
    mine = _published(text)
    address, (low, high) = _address(mine["ip"]), _ports(mine["port"])

    def test(ask: Ask) -> bool:
        theirs = PUBLISH.fullmatch(ask.value)
        if theirs is None or not _one_choice(mine, theirs):
            return False
        their_address = _address(theirs["ip"])
        everywhere = their_address is None or ipaddress.ip_address(their_address).is_unspecified
        first, last = _ports(theirs["port"])
        return (everywhere or address in (None, their_address)) and first <= high and low <= last

    return test


def _published(text: str) -> re.Match[str]:
    mine = PUBLISH.fullmatch(text)
    if mine is None:
        raise BadPattern(*slips.port(text, PUBLISH))
    if mine["ip"] is not None and mine["ip"].isdigit():
        raise BadPattern(f"`{text}` is what `docker run -p` takes", f"write the host's port alone: {mine['ip']}")
    low, high = _ports(mine["port"])
    if high > slips.HIGHEST_PORT:
        raise BadPattern(f"`{text}` is no port", f"the highest is {slips.HIGHEST_PORT}")
    if low > high:
        raise BadPattern(f"`{text}` is no range of ports", "write the lower one first")
    if low == 0 and mine["port"] != "random":
        raise BadPattern(f"`{text}`: no port is 0", "write `random` where the engine chooses")
    try:
        _address(mine["ip"])
    except ValueError:
        raise BadPattern(f"`{mine['ip']}` is no address") from None
    return mine


def _address(text: str | None) -> str | None:
    """An address in one spelling; None for any.

    Raises:
        ValueError: it is none. The inspectors have seen to it that an ask's is one.
    """
    return None if text is None or text == "*" else str(ipaddress.ip_address(text.strip("[]")))


def _one_choice(mine: re.Match[str], theirs: re.Match[str]) -> bool:
    """Whether both name a port or both leave it to the engine, for one protocol."""
    if mine["proto"] not in (None, theirs["proto"]):
        return False
    return (theirs["port"] == "random") == (mine["port"] == "random")


def _ports(text: str) -> tuple[int, int]:
    if text == "random":
        return 0, 0
    first, _, last = text.partition("-")
    return int(first), int(last or first)


_FORMS: Final[dict[str, Form]] = {
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

_DENIALS: Final[dict[str, Form]] = {
    "path": _path_denial,
    "image": _image_denial,
    "word": _word_denial,
    "device": _device_denial,
    "gpu": _gpu_denial,
    "publish": _publish_denial,
}
"""Forms in which an ask may be met in part: these are denied by what they have in common with a pattern."""
