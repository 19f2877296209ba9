"""wollomatic/socket-proxy: an expression for each method, and the folders that may be bound.

    -allowGET=REGEX          SP_ALLOW_GET, SP_ALLOW_GET_2     the whole of a path; repeatable
    -allowbindmountfrom=/a   SP_ALLOWBINDMOUNTFROM            folders, and what lies below; without it, all
    -allowfrom=172.20.0.0/16 SP_ALLOWFROM                     who may connect: networks, or names; loopback by default

Where a flag and its variable are both there, the flag holds. With -proxycontainername, a container that has labels
`socket-proxy.allow.get=REGEX` has a list of its own instead. Everything else is how the proxy is run.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sockproxy.classic.expressions import Line, Read, read, withheld
from sockproxy.classic.migration import Client, Migration, Stricter
from sockproxy.classic.stricter import stricter
from sockproxy.docker.paths import clean
from sockproxy.errors import ConfigurationError
from sockproxy.printable import printable

_WHOSE: Final = "wollomatic's socket-proxy"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "OPTIONS")
_ALLOW: Final = {f"allow{method}": method for method in _METHODS}
_WORDS: Final = frozenset(
    {
        *("allowbindmountfrom", "allowfrom", "listenip", "loglevel", "proxycontainername", "proxyport"),
        *("proxysocketendpoint", "proxysocketendpointfilemode", "shutdowngracetime", "socketpath", "watchdoginterval"),
    }
)
_YES_OR_NO: Final = frozenset({"allowhealthcheck", "logjson", "stoponwatchdog"})
_NEEDLESS: Final = {
    "allowhealthcheck": "`sockproxy health` asks the admin listener, which is there by default",
    "logjson": "the audit log is JSON",
    "stoponwatchdog": "sockproxy stays up without an engine, and tries again with the next request",
    "watchdoginterval": "sockproxy stays up without an engine, and tries again with the next request",
}
_LEVELS: Final = {"debug": "debug", "info": "info", "warn": "warning", "error": "error"}


@dataclass(slots=True)
class _Settings:
    """Flags, or variables, by the flags' names."""

    expressions: list[tuple[str, str, str]] = field(default_factory=list)
    """How it is shown, the method, the expression."""
    values: dict[str, str] = field(default_factory=dict)


def are_set(environment: Mapping[str, str]) -> bool:
    """Whether some of these variables are this proxy's."""
    return any(name.startswith("SP_ALLOW") for name in environment)


def migrate(
    flags: Sequence[str],
    environment: Mapping[str, str],
    labels: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Migration:
    """The policy that flags and variables come to, and the labels of services that have lists of their own.

    Raises:
        ConfigurationError: one is not known, or cannot be read; all of them are in the message.
    """
    said = _settings(flags, environment)
    counts = said.values.get("proxycontainername") and not said.values.get("proxysocketendpoint")
    labelled = labels if counts else {}
    parties = [_everyone(said), *(_service(name, its) for name, its in sorted(labelled.items()))]
    found = [read(party.lines, party.binds) for party in parties]
    reached = frozenset[str]().union(*(each.reached for each in found))
    given = frozenset[str]().union(*(each.given for each in found))
    clients, unknown = _clients(said, parties, found)
    lines = [line for party in parties for line in party.lines]
    return Migration(
        made_of=" ".join(line.shown for line in lines) or "no expression",
        read_as=_WHOSE,
        rules=tuple(rule for each in found for rule in each.rules),
        withheld=withheld(reached),
        clients=clients,
        stricter=(*stricter(reached, given), *_bars(lines)),
        lost=(*(line for each in found for line in each.lost), *unknown, *_lost(said, parties)),
        notes=tuple(_notes(said, [bind for party in parties for bind in party.binds])),
        options=dict(_options(said)),
    )


@dataclass(frozen=True, slots=True)
class _Party:
    """Who has expressions of its own: everyone who may connect, or a service by its labels."""

    name: str
    lines: tuple[Line, ...]
    binds: tuple[str, ...]
    lost: tuple[str, ...]


def _everyone(said: _Settings) -> _Party:
    shown = "-allowbindmountfrom"
    binds, lost = _binds(said.values.get("allowbindmountfrom", ""), shown)
    return _Party("allowed", tuple(_lines(said.expressions)), binds, lost)


def _lines(expressions: Iterable[tuple[str, str, str]], prefix: str = "") -> Iterator[Line]:
    """Method by method, each with a number of its own where there are more."""
    counted: Counter[str] = Counter()
    for shown, method, expression in sorted(expressions, key=lambda each: _METHODS.index(each[1])):
        counted[method] += 1
        number = f"-{counted[method]}" if counted[method] > 1 else ""
        yield Line(f"{prefix}{method}{number}", shown, (method,), expression)


LABEL: Final = "socket-proxy.allow."


def _service(name: str, labels: Mapping[str, str]) -> _Party:
    expressions: list[tuple[str, str, str]] = []
    binds: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    for label, value in labels.items():
        word = label.removeprefix(LABEL).upper()
        shown = f"{name}: {label}={value}"
        if word.partition(".")[0] in _METHODS:
            expressions.append((shown, word.partition(".")[0], value))
        elif word == "BINDMOUNTFROM":
            binds, unbound = _binds(value, f"{name}: {label}")
            lost = (*lost, *unbound)
        else:
            lost = (*lost, f"`{shown}` is no label of {_WHOSE}")
    return _Party(name, tuple(_lines(expressions, f"{name}-")), binds, lost)


# Reading -------------------------------------------------------------------------------------------------------------


def _settings(flags: Sequence[str], environment: Mapping[str, str]) -> _Settings:
    mistakes: list[str] = []
    said = _variables(environment, mistakes)
    given = _flags(flags, mistakes)
    if mistakes:
        raise ConfigurationError("; ".join(printable(mistake) for mistake in mistakes))
    methods = {method for _, method, _ in given.expressions}
    said.expressions = [*given.expressions, *(each for each in said.expressions if each[1] not in methods)]
    said.values |= given.values
    return said


def _variables(environment: Mapping[str, str], mistakes: list[str]) -> _Settings:
    said = _Settings()
    known = {f"SP_{word.upper()}": word for word in (*_WORDS, *_YES_OR_NO)}
    for name, value in sorted(environment.items()):
        if not name.startswith("SP_"):
            continue
        allow = re.fullmatch(r"SP_ALLOW_([A-Z]+)(?:_.*)?", name)
        if allow is not None and allow[1] in _METHODS:
            said.expressions += [(f"{name}={value}", allow[1], value)] if value else []
        elif name in known:
            said.values[known[name]] = value
        else:
            mistakes.append(f"`{name}` is no variable of {_WHOSE}{_close(name, known)}")
    return said


def _flags(flags: Sequence[str], mistakes: list[str]) -> _Settings:
    """As Go reads flags: one or two dashes, the value behind `=` or in the next word."""
    said = _Settings()
    left = list(flags)
    while left:
        word = left.pop(0)
        name, given, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name not in _ALLOW | dict.fromkeys((*_WORDS, *_YES_OR_NO)):
            mistakes.append(f"`{word}` is no flag of {_WHOSE}{_close(name, (*_ALLOW, *_WORDS, *_YES_OR_NO), '-')}")
            continue
        if name in _YES_OR_NO:
            value = value if given else "true"
        elif not given and not left:
            mistakes.append(f"`{word}` lacks its value")
            continue
        elif not given:
            value = left.pop(0)
        if name in _ALLOW:
            said.expressions.append((f"-{name}={value}", _ALLOW[name], value))
        else:
            said.values[name] = value
    return said


def _close(name: str, known: Iterable[str], dash: str = "") -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {dash}{close[0]}?)" if close else ""


# What they come to ---------------------------------------------------------------------------------------------------


def _binds(text: str, shown: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The patterns of `bind` that folders come to, and what cannot be one.

    Raises:
        ConfigurationError: one is no absolute path.
    """
    patterns: list[str] = []
    lost: list[str] = []
    for folder in text.split(",") if text else ():
        if not folder.startswith("/"):
            raise ConfigurationError(f"`{shown}={printable(text)}`: `{printable(folder)}` is no whole path")
        path = clean(folder)
        if path == "/":
            lost.append(f"`{shown}=/` is the whole host: who means that writes `grant: {{bind: /**}}`")
        elif any(char in path for char in "*?[") or not path.isprintable() or path.endswith((" ro", " shared")):
            lost.append(f"`{shown}={printable(folder)}`: no pattern means just this folder")
        else:
            patterns.append(f"{path}/**")
    return tuple(patterns), tuple(lost)


_LOOPBACK: Final = ("127.0.0.1/32",)


def _clients(said: _Settings, parties: list[_Party], found: list[Read]) -> tuple[tuple[Client, ...], list[str]]:
    """Who may connect with which rules, and those that nobody can be known by here."""
    if said.values.get("proxysocketendpoint"):
        return (), []  # it asks nobody's address on a Unix socket
    text = said.values.get("allowfrom") or _LOOPBACK[0]
    networks, names = _networks(text)
    lost = [
        f"`-allowfrom={printable(name)}`: clients are known by address, not by name; write its network under `from`"
        for name in names
    ]
    why = f"-allowfrom={text}" if "allowfrom" in said.values else "loopback alone, as there without -allowfrom"
    ids = [tuple(rule.id for rule in each.rules) for each in found]
    services = [
        Client(party.name, (f"192.0.2.{number}/32",), f"{party.name}'s address goes here; this one is nobody's", rules)
        for number, (party, rules) in enumerate(zip(parties[1:], ids[1:], strict=True), start=1)
        if rules
    ]
    lost += [
        f"the labels of `{client.name}`: clients are known by address; write its own under `from` of client"
        f" `{client.name}`"
        for client in services
    ]
    everybody = not names and bool({"0.0.0.0/0", "::/0"} & set(networks))
    if everybody and services:
        lost.append(
            f"`-allowfrom={printable(text)}`: no two clients may overlap; write a client for who else may connect"
        )
    if everybody or (services and not ids[0]):
        return tuple(services), lost
    return (Client("allowed", tuple(networks) or _LOOPBACK, why, ids[0] if services else ()), *services), lost


def _networks(text: str) -> tuple[list[str], list[str]]:
    """The networks among these words, and the words that are none."""
    networks: list[str] = []
    names: list[str] = []
    for word in text.split(","):
        try:
            networks.append(str(ipaddress.ip_network(word, strict=False)))
        except ValueError:
            names.append(word)
    return networks, names


def _bars(lines: Iterable[Line]) -> Iterator[Stricter]:
    for line in lines:
        if _has_bar(line.expression):
            yield Stricter(
                "form",
                f"`{line.shown}`",
                "there it is read as `^` before its first alternative and `$` after its last, so that whatever begins"
                " or ends with one goes through; here each is a whole path",
            )


def _has_bar(expression: str) -> bool:
    """Whether there is a bar outside of brackets."""
    bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "", expression)
    while "(" in bare and (inner := re.sub(r"\([^()]*\)", "", bare)) != bare:
        bare = inner
    return "|" in bare


def _lost(said: _Settings, parties: list[_Party]) -> Iterator[str]:
    for party in parties:
        yield from party.lost
    if said.values.get("proxycontainername") and len(parties) == 1:
        yield (
            f"`-proxycontainername`: the labels `{LABEL}…` of other containers were not seen; give them in a compose"
            " file, or write a client for each"
        )


def _notes(said: _Settings, binds: Sequence[str]) -> Iterator[str]:
    for name, why in _NEEDLESS.items():
        if said.values.get(name, "") not in ("", "0", "false"):
            yield f"`-{name}` is not needed: {why}"
    if binds:
        yield (
            "whoever can write under a folder that may be bound can plant a symbolic link there and bind that: let it"
            f" be read-only (`{binds[0]} ro`), or run with --host-root"
        )
    if "," in said.values.get("allowfrom", "") and "/" in said.values["allowfrom"].split(",")[0]:
        yield "`-allowfrom`: some versions there let only the first network in; here all of them are"


def _options(said: _Settings) -> Iterator[tuple[str, str]]:
    values = said.values
    if endpoint := values.get("proxysocketendpoint"):
        yield "--listen", f"unix://{endpoint}?mode={_mode(values.get('proxysocketendpointfilemode') or '0600')}"
    elif "listenip" in values or "proxyport" in values:
        host = values.get("listenip") or "127.0.0.1"
        yield "--listen", f"tcp://{f'[{host}]' if ':' in host else host}:{values.get('proxyport') or '2375'}"
    if socket := values.get("socketpath"):
        yield "--engine", f"unix://{socket}"
    if level := values.get("loglevel"):
        if level.lower() not in _LEVELS:
            raise ConfigurationError(f"`-loglevel={printable(level)}` is no level: {', '.join(_LEVELS)}")
        yield "--log-level", _LEVELS[level.lower()]
    if grace := values.get("shutdowngracetime"):
        yield "--grace-seconds", grace
    if name := values.get("proxycontainername"):
        yield "--own-container", name


def _mode(text: str) -> str:
    """A file's mode as Go reads a number: octal behind a 0, else decimal."""
    digits = text.removeprefix("0o")
    try:
        mode = int(digits, 8) if text.startswith("0") else int(text)
    except ValueError:
        raise ConfigurationError(f"`-proxysocketendpointfilemode={printable(text)}` is no file mode") from None
    return f"{mode:04o}"
