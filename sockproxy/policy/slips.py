"""Words that are no patterns of their kind, though they look like some: what is wrong with each, and what was meant.

People write what they know from elsewhere: docker's options, compose files, lists with commas, regular expressions.
Such a word would match nothing that anybody asks, and nobody would notice. Each function here says of one form what the
slip is, and None where it knows none.

Law: nothing that an engine could be asked for is a slip, and whoever does what the hint says has put it right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from sockproxy.docker.asks import Kind
from sockproxy.docker.inspectors.pruning import PRUNE
from sockproxy.docker.references import UNTAGGED

Slip: TypeAlias = tuple[str, str]
"""What is wrong, and a hint."""

NO_EXPRESSIONS: Final = "write a glob: * is any run but `/`, ** any run, and nothing else is special"
NAMESPACES: Final = ("cgroup", "ipc", "network", "pid", "userns", "uts")
HIGHEST_PORT: Final = 65535

_TAKES_OUT: Final = re.compile(r"!\s*(?P<rest>\S.*)")


def takes_out(kind: Kind, text: str) -> Slip | None:
    """``!db``: what is excepted elsewhere is denied here. Of other forms an ask may begin so."""
    out = _TAKES_OUT.fullmatch(text)
    if out is None or kind.form not in ("path", "name", "volume", "image", "word", "device", "publish"):
        return None
    hint = f"write a rule with `deny:` and `asking: {{{kind.name}: {out['rest']}}}`"
    return f"`{text}`: nothing is taken out of a list by a word in it", hint


# Globs ---------------------------------------------------------------------------------------------------------------

_NAMESPACE: Final = re.compile(r"(?P<which>[a-z]+?)(?:[-_]?mode|ns)?(?:[=:] ?(?P<whose>\S+))?")
_CALLED: Final[Mapping[str, str]] = MappingProxyType(
    {**{name: name for name in NAMESPACES}, "net": "network", "user": "userns"}
)


def namespace(text: str) -> Slip | None:
    """``pid:host``, ``net=host``, ``PidMode``."""
    which, equals, _ = text.partition("=")
    if "*" in text or (which in NAMESPACES and equals):
        return None
    said = _NAMESPACE.fullmatch(text.lower())
    name = None if said is None else _CALLED.get(said["which"])
    hint = "for example pid=host, network=host or network=container:*"
    if said is not None and name is not None:
        hint = f"did you mean {name}={said['whose'] or 'host'}?"
    return f"`{text}` is no namespace", hint


_OLD_OPTION: Final = re.compile("(seccomp|apparmor|label|systempaths|no-new-privileges):(.+)")


def security_option(text: str) -> Slip | None:
    """``seccomp:unconfined``, which is asked with a `=`; a hardening, which asks nothing."""
    if re.fullmatch("no-new-privileges(?:[:=]true)?", text):
        return f"`{text}` needs no grant", "it can be demanded: `require: no-new-privileges`"
    old = _OLD_OPTION.fullmatch(text)
    return None if old is None else (f"`{text}` is no security option", f"did you mean {old[1]}={old[2]}?")


def registry(text: str) -> Slip | None:
    """A registry's web page."""
    bare = re.sub("^https?://|/.*$", "", text)
    if bare in ("", text) or not text.startswith("http"):
        return None
    return f"`{text}`: a registry is its name alone", f"did you mean {bare}?"


def label(text: str) -> Slip | None:
    """``traefik.enable: true``."""
    colon = re.fullmatch("([^=: ]+): (.+)", text)
    return None if colon is None else (f"`{text}` is no label", f"did you mean {colon[1]}={colon[2]}?")


def gpu(text: str) -> Slip | None:
    """Other words for all of them."""
    return (f"`{text}` is no GPU", "did you mean all?") if text.lower() in ("all", "true", "yes", "-1") else None


def several_words(kind: Kind, text: str, known: frozenset[str]) -> Slip | None:
    """``NET_ADMIN,SYS_TIME``."""
    words = re.split("[, ]+", text.strip())
    if len(words) < 2 or not all(word.upper().removeprefix("CAP_") in known for word in words):
        return None
    return f"`{text}` is more than one {kind.name}", f"write a list: [{', '.join(words)}]"


# Paths ---------------------------------------------------------------------------------------------------------------


def relative(kind: Kind, text: str, path: str) -> Slip:
    """What is no absolute path. ``path`` is without the words behind it."""
    return f"`{text}` is no absolute path", _absolute(kind, text, path)


def _absolute(kind: Kind, text: str, path: str) -> str:
    if path in ("*", "all", "true", "True", "yes", "any"):
        return "did you mean any?" if path == text else f"did you mean /** {text.partition(' ')[2]}?"
    if path.startswith(("~", "$", "%")):
        return "write it out: nothing is filled in here"
    if path.startswith("^") or path.endswith("$"):
        return NO_EXPRESSIONS
    if path.lstrip().startswith("/"):
        return f"did you mean {text.strip()}?"
    source = re.search("(?:^|,)(?:source|src)=([^,]+)", path)
    if source is not None:
        return f"write the host's path alone: {source[1]}"
    inside = re.fullmatch("[^/:]+:(/.*)", path)
    if kind.name == "archive" and inside is not None:
        return f"write the path alone: {inside[1]}"
    if kind.name == "bind" and re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]+(?::/[^/].*)?", path):
        return f"a path begins with `/`; a volume is free, or held by `only: {{volume: {path.partition(':')[0]}}}`"
    return "a path begins with `/`"


def spaces(text: str, path: str) -> Slip | None:
    """A space before or behind a path, or two before its mode."""
    return (
        None if path == path.strip() else (f"`{text}` has a space too many", f"did you mean {' '.join(text.split())}?")
    )


_MOUNT: Final = re.compile(r"(?P<host>[^:]+):(?:/[^:]*:?)?(?P<mode>(?:[a-zA-Z]+,?)*)")
"""What `docker run -v` takes: the host's path, the container's, and how."""
_MODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(["ro", "readonly", "read-only", "read_only"], " ro"),
        **dict.fromkeys(["rw", "z", "private", "rprivate", "slave", "rslave", "delegated", "cached", "consistent"], ""),
        **dict.fromkeys(["shared", "rshared"], " shared"),
    }
)
_BEHIND: Final = re.compile(
    r"(?P<path>/.*?)(?:[,;]|[ ,;]+\(?)"
    rf"(?P<mode>(?!(?:ro|shared)$)(?i:{'|'.join(_MODES)})|(?<=[,;(])(?:ro|shared))[,;)]?"
)
"""A bind's mode, written otherwise than here."""


def mount(text: str, path: str) -> Slip | None:
    """What is written as for `docker run -v`: it has the container's path in it, or a mode."""
    taken = _MOUNT.fullmatch(path)
    mode = set(taken["mode"].split(",")) if taken is not None else set[str]()
    if taken is not None and (":/" in path or mode & {"ro", "rw", "z", "Z"}):
        host = taken["host"] + (" ro" if "ro" in mode else "")
        return f"`{text}` is a mount of `docker run -v`", f"write the host's path alone: {host}"
    behind = _BEHIND.fullmatch(text)
    if behind is None:
        return None
    hint = f"did you mean {behind['path'].rstrip()}{_MODES[behind['mode'].lower()]}?"
    if behind["mode"] == "rw":
        return f"`{text}`: a bind may be written unless it says ` ro`", hint
    return f"`{text}`: `{behind['mode']}` is nothing behind a path", hint


_DEVICE: Final = re.compile("(?P<host>/[^:]+):(?:/[^:]*:?)?(?P<rights>[rwm]*)")


def device(text: str) -> Slip | None:
    """What is written as for `docker run --device`."""
    taken = _DEVICE.fullmatch(text)
    if taken is None or (":/" not in text and not taken["rights"]):
        return None
    alone = f"{taken['host']} {taken['rights']}".strip()
    return f"`{text}` is what `docker run --device` takes", f"write the host's alone: {alone}"


# Names ---------------------------------------------------------------------------------------------------------------

_LABEL: Final = re.compile("(?:labels?(?::| (?=[^ ]*=))|labels=|LABEL=) ?(.+)")


def name(text: str) -> Slip | None:
    """A label of another form, or a name with `name=` before it."""
    if (labelled := _LABEL.fullmatch(text)) is not None:
        return f"`{text}` is no label", f"did you mean label={labelled[1]}?"
    if (named := re.fullmatch("name=(.+)", text)) is not None:
        return f"`{text}`: a name stands alone", f"did you mean {named[1]}?"
    return None


def expression(text: str) -> Slip | None:
    """A regular expression."""
    return (f"`{text}` is a regular expression", NO_EXPRESSIONS) if re.fullmatch(r"\^.*\$", text) else None


_NO_CONTAINER: Final = re.compile(r"[^A-Za-z0-9_.*()~ -]")


def container(text: str) -> Slip | None:
    """What no container can be called."""
    if text.startswith("/") and "/" not in text[1:]:
        return f"`{text}`: a name is matched without its slash", f"did you mean {text[1:]}?"
    if "/" in text:
        return f"`{text}` is no container's name", "a name has no slash"
    words = [word.strip() for word in text.split(",")]
    if len(words) > 1 and not any(map(_NO_CONTAINER.search, words)):
        return f"`{text}` is more than one name", f"write a list: [{', '.join(filter(None, words))}]"
    odd = _NO_CONTAINER.search(text)
    return None if odd is None else (f"`{text}` is no container's name: none has a `{odd[0]}`", NO_EXPRESSIONS)


_NO_VOLUME: Final = re.compile(r"[\^$|{}\[\]?\\]")
"""What not even a plugin's volumes are called with."""


def volume(text: str) -> Slip | None:
    """A path, a volume with where it goes, or what no volume can be called."""
    taken = re.fullmatch("([^/:]+):(?:/[^:]*)?:?(ro|rw)?", text)
    if taken is not None:
        alone = taken[1] + (" ro" if taken[2] == "ro" else "")
        return f"`{text}` is a mount of `docker run -v`", f"write the volume's name alone: {alone}"
    if text.startswith(("/", "./", "~")):
        return f"`{text}` is a path, and no volume", "paths of the host are granted: `grant: {bind: …}`"
    odd = _NO_VOLUME.search(text)
    return None if odd is None else (f"`{text}` is no volume's name: none has a `{odd[0]}`", NO_EXPRESSIONS)


# Images --------------------------------------------------------------------------------------------------------------

_NO_IMAGE: Final = re.compile(r"[^A-Za-z0-9_.*/:@+-]")


def image(text: str) -> Slip | None:
    """What no image can be called, its case aside."""
    if text in (UNTAGGED, PRUNE):
        return None
    scheme, found, rest = text.partition("://")
    if found:
        return f"`{text}`: an image's name has no `{scheme}://`", f"did you mean {rest}?"
    words = [word.strip() for word in text.split(",")]
    if len(words) > 1:
        return f"`{text}` is more than one image", f"write a list: [{', '.join(filter(None, words))}]"
    if text != text.strip():
        return f"`{text}` has a space too many", f"did you mean {text.strip()}?"
    if (odd := _NO_IMAGE.search(text)) is not None:
        return f"`{text}` is no image's name: none has a `{odd[0]}`", NO_EXPRESSIONS
    trimmed = re.sub("/+", "/", text).strip("/:@")
    if trimmed == text:
        return None
    below = "/**" if text.endswith("/") and "." in trimmed and not trimmed.endswith("**") else ""
    return f"`{text}` is no image's name", f"did you mean {trimmed}{below}?"


# Ports ---------------------------------------------------------------------------------------------------------------

_RUN_PORT: Final = re.compile(
    r"(?P<host>(?:\*|[0-9.]+|\[[0-9a-fA-F:]+\]|localhost):[0-9-]+|[0-9]+-[0-9]+):[0-9-]+(?:/[a-z]+)?"
)
"""What `docker run -p` takes: the host's address and port, and the container's."""


def port(text: str, form: re.Pattern[str]) -> Slip:
    """What is no port of the host; ``form`` is what one looks like."""
    run = _RUN_PORT.fullmatch(text)
    if run is not None:
        host = run["host"].replace("localhost", "127.0.0.1")
        return f"`{text}` is what `docker run -p` takes", f"write the host's part alone: {host}"
    words = [word for word in re.split("[, ]+", text) if word]
    if len(words) > 1 and all(map(form.fullmatch, words)):
        return f"`{text}` is more than one port", f"write a list: [{', '.join(words)}]"
    if text in ("*", "all", "true"):
        return f"`{text}` is no port of the host", "did you mean any?"
    near = next((each for each in _ports_spelled(text) if each != text and form.fullmatch(each)), "")
    hint = f"did you mean {near}?" if near else "write 8080, 127.0.0.1:8000-8999, 53/udp or 127.0.0.1:random"
    return f"`{text}` is no port of the host", hint


def _ports_spelled(text: str) -> tuple[str, ...]:
    return (
        text.lower(),
        text.replace("localhost", "127.0.0.1"),
        re.sub(r"^(.*:.*):([0-9-]+)$", r"[\1]:\2", text),
        re.sub(r"^\[([0-9.]+)\]", r"\1", text),
        re.sub(r"\.\.+", "-", text),
        text.strip(":"),
        re.sub("^([a-z]+)/([0-9]+)$", r"\2/\1", text),
        re.sub("^([0-9]+):(tcp|udp)$", r"\1/\2", text),
        re.sub(r"^((?:[0-9]+\.){3}[0-9]+):?\*?$", rf"\1:1-{HIGHEST_PORT}", text),
    )
