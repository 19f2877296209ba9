"""The variables of the classic proxies: HAProxy in front of docker.sock, a section of the API for each.

Law: a row is given where HAProxy would have let its path and method through. Its rules go from top to bottom, and the
first that matches a request decides; each reads one variable, and the path without its version prefix, decoded once,
in any case, from its beginning (``^(/v[\\d\\.]+)?/containers``: what follows is free). Three sorts of rules:

    a gate      refuses a method, unless its variable is set: GET and HEAD pass, everything else needs POST=1
    a bar       refuses one thing that is done to a container, unless its variable is set
    an opening  lets a section through (CONTAINERS), or one thing that is done to a container (ALLOW_START)

The dialects differ in their order:

    tecnativa       gate, openings            Tecnativa/docker-socket-proxy up to v0.5
    tecnativa-edge  gates, bars, openings     its master branch since: DELETE and PUT have gates of their own
    linuxserver     ALLOW_…, gate, sections   linuxserver/docker-socket-proxy: ALLOW_START works with POST=0

A variable is set where HAProxy reads a number other than 0 at its beginning (tried on 2.6: `1`, `01` and `1x` are,
`true` and `yes` are not).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from sockproxy.classic.migration import Given, Migration, Stricter, Withheld
from sockproxy.classic.rows import section
from sockproxy.classic.stricter import HELD_BACK, WEBSOCKET, powers_of, stricter
from sockproxy.docker.operations import OPERATIONS, Operation
from sockproxy.errors import ConfigurationError
from sockproxy.printable import printable

Dialect: TypeAlias = Literal["tecnativa", "tecnativa-edge", "linuxserver"]
DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)

_WHOSE: Final[Mapping[Dialect, str]] = {
    "tecnativa": "Tecnativa's docker-socket-proxy up to v0.5",
    "tecnativa-edge": "Tecnativa's docker-socket-proxy after v0.5",
    "linuxserver": "linuxserver's docker-socket-proxy",
}

_SECTIONS: Final = (
    "PING AUTH BUILD COMMIT CONFIGS CONTAINERS DISTRIBUTION EVENTS EXEC GRPC IMAGES INFO NETWORKS NODES PLUGINS SECRETS"
    " SERVICES SESSION SWARM SYSTEM TASKS VERSION VOLUMES"
)
SECTIONS: Final[Mapping[str, str]] = {name: "_ping" if name == "PING" else name.lower() for name in _SECTIONS.split()}
"""Variables, and the first word of the paths that they open."""

ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "ALLOW_RESTARTS": ("stop", "restart", "kill"),
    "ALLOW_START": ("start",),
    "ALLOW_STOP": ("stop",),
    "ALLOW_PAUSE": ("pause",),
    "ALLOW_UNPAUSE": ("unpause",),
}
"""Variables, and what may be done to a container: ``/containers/{id}/stop``."""

BARS: Final[Mapping[str, str]] = {
    "ALLOW_ARCHIVE": "archive",
    "ALLOW_ATTACH": "attach",
    "ALLOW_EXEC": "exec",
    "ALLOW_EXPORT": "export",
    "ALLOW_KILL": "kill",
    "ALLOW_LOGS": "logs",
}
"""Variables of the edge, and what is done to a container only where they are set."""

METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
"""Variables that open a method. All but POST are the edge's."""

_EDGE: Final = frozenset({*BARS, *METHODS} - {"POST"})
_SWITCHES: Final = frozenset({*SECTIONS, *ACTIONS, *BARS, *METHODS})
_DEFAULTS: Final = {"EVENTS": "1", "PING": "1", "VERSION": "1"}
_SETTINGS: Final = frozenset({"SOCKET_PATH", "LOG_LEVEL", "BIND_CONFIG", "DISABLE_IPV6"})
_MISNAMED: Final = {"ALLOW_RESUME": "ALLOW_UNPAUSE", "ALLOW_DELETE": "DELETE"}
"""Names that these proxies' own documents have had, and their rules never."""


@dataclass(frozen=True, slots=True)
class Switches:
    """The switches of one proxy."""

    dialect: Dialect
    on: frozenset[str]
    """Those that are set, by default or by the operator."""
    given: Mapping[str, str]
    """What the operator said, as it was written."""

    @property
    def methods(self) -> frozenset[str]:
        """Those that pass the gate; PATCH has no row."""
        if self.dialect == "tecnativa-edge":
            return frozenset({"GET", "HEAD", *METHODS} & ({"GET", "HEAD"} | self.on))
        return frozenset({"GET", "HEAD", *METHODS}) if "POST" in self.on else frozenset({"GET", "HEAD"})

    @property
    def shown(self) -> str:
        """``CONTAINERS=1 POST=0``."""
        return " ".join(f"{name}={printable(value, 40)}" for name, value in sorted(self.given.items()))


def are_set(environment: Mapping[str, str], *, all_are_meant: bool = False) -> bool:
    """Whether these variables are a classic proxy's: one of its switches is 0 or 1.

    ``all_are_meant`` says that they come from a file for the proxy, where a switch may be anything.
    """
    values = (environment[name] for name in _SWITCHES & environment.keys())
    return any(all_are_meant or value in ("0", "1") for value in values)


def switches(environment: Mapping[str, str], dialect: Dialect | None = None) -> Switches:
    """What the variables say; ``dialect`` is told by the variables themselves where it is None.

    Raises:
        ConfigurationError: an ``ALLOW_…`` that no classic proxy knows is set.
    """
    _refuse_unknown(environment)
    given = {name: value for name, value in environment.items() if name in _SWITCHES}
    told: Dialect = "tecnativa"
    if any(name.startswith("LIBPOD_") for name in environment):
        told = "linuxserver"
    elif any(name in _EDGE and _is_number(value) for name, value in given.items()):
        told = "tecnativa-edge"
    on = frozenset(name for name, value in {**_DEFAULTS, **given}.items() if _is_on(value))
    return Switches(dialect or told, on, given)


_NUMBER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)


def _is_on(value: str) -> bool:
    number = _NUMBER.match(value)
    return number is not None and bool(int(number[0][:20]))


def _is_number(value: str) -> bool:
    return _NUMBER.match(value) is not None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    mistakes = [
        f"`{name}` is no variable of a classic proxy{_did_you_mean(name)}"
        for name, value in sorted(environment.items())
        if name.startswith("ALLOW_") and name not in _SWITCHES and _is_on(value)
    ]
    if mistakes:
        raise ConfigurationError("; ".join(printable(mistake) for mistake in mistakes))


def _did_you_mean(name: str) -> str:
    close = [_MISNAMED[name]] if name in _MISNAMED else difflib.get_close_matches(name, sorted(_SWITCHES), 1, 0.75)
    return f" (did you mean {close[0]}?)" if close else f" (there are {', '.join(sorted({*ACTIONS, *BARS}))})"


# What they let through ------------------------------------------------------------------------------------------------


def reaches(row: Operation, said: Switches) -> bool:
    """Whether HAProxy lets the row's path and method through."""
    past_gate = row.method in said.methods
    acted = any(_does(row, *ACTIONS[name]) for name in said.on & ACTIONS.keys())
    opened = any(SECTIONS[name] == section(row) for name in said.on & SECTIONS.keys())
    match said.dialect:
        case "linuxserver":
            return acted or (past_gate and opened)
        case "tecnativa-edge":
            barred = any(_does(row, word) for name, word in BARS.items() if name not in said.on)
            return past_gate and not barred and (acted or opened)
        case "tecnativa":
            return past_gate and (acted or opened)


def _does(row: Operation, *words: str) -> bool:
    """Whether a row does one of these things to a container: its third segment begins with the word."""
    return any(row.template.startswith(f"/containers/{{id}}/{word}") for word in words)


# The policy ----------------------------------------------------------------------------------------------------------


def migrate(
    environment: Mapping[str, str], dialect: Dialect | None = None, *, all_are_meant: bool = False
) -> Migration:
    """The policy that gives what HAProxy gave with these variables, and no power beyond.

    ``all_are_meant`` says that they come from a file for the proxy, so that every name that is not known is told;
    among a process's variables only those are that look like a mistyped one.

    Raises:
        ConfigurationError: a variable is wrong; all of them are in the message.
    """
    said = switches(environment, dialect)
    reached = frozenset(row.name for row in OPERATIONS if reaches(row, said))
    given = reached - HELD_BACK - (frozenset() if _types_anyway(said) else {WEBSOCKET})
    rules = tuple(_rules(said, given))
    return Migration(
        made_of=said.shown or "no variables",
        read_as=_WHOSE[said.dialect],
        rules=rules,
        withheld=tuple(_withheld(said)),
        stricter=(*stricter(reached, given), *_podman(environment)),
        notes=tuple(_notes(environment, said, all_are_meant=all_are_meant)),
        options=dict(_options(environment)),
    )


def _types_anyway(said: Switches) -> bool:
    """Whether typing into a container was meant to be open: by POST to `attach`, or by the edge's own word for it."""
    return "POST" in said.methods or "ALLOW_ATTACH" in said.on


def _rules(said: Switches, given: frozenset[str]) -> Iterator[Given]:
    left = set(given)
    openings = {name: SECTIONS.get(name, "containers") for name in (*SECTIONS, *ACTIONS) if name in said.on}
    for name, word in openings.items():
        rows = [row for row in OPERATIONS if row.name in left and section(row) == word and not row.always]
        if name in ACTIONS:
            rows = [row for row in rows if _does(row, *ACTIONS[name])]
        if rows:
            yield _rule(name, rows, said)
        left -= {row.name for row in rows}


def _rule(variable: str, rows: list[Operation], said: Switches) -> Given:
    names = frozenset(row.name for row in rows)
    why = f"{variable}={_written(variable, said)}"
    gates = sorted({"POST" if said.dialect != "tecnativa-edge" else row.method for row in rows} & said.on & {*METHODS})
    if variable in ACTIONS:
        why += f": {', '.join(ACTIONS[variable])}"
    elif {row.method for row in rows} <= {"GET", "HEAD"}:
        why += ": reading alone" if _could_write(variable) else ""
    else:
        why += f", {', '.join(f'{name}={_written(name, said)}' for name in gates)}"
    return Given(id=variable.lower().replace("_", "-"), operations=names, why=why, powers=powers_of(names))


def _could_write(variable: str) -> bool:
    return any(section(row) == SECTIONS[variable] and row.method not in ("GET", "HEAD") for row in OPERATIONS)


def _written(variable: str, said: Switches) -> str:
    return printable(said.given[variable], 40) if variable in said.given else f"{_DEFAULTS[variable]} by default"


_ALWAYS: Final = {"PING": "/_ping", "VERSION": "/version"}
"""What sockproxy allows unless it is denied, since clients negotiate with it."""


def _withheld(said: Switches) -> Iterator[Withheld]:
    for name, path in _ALWAYS.items():
        if name not in said.on:
            yield Withheld(f"no-{name.lower()}", (f"GET {path}",), f"{name} is {printable(said.given[name], 40)}.")


# What to know of it --------------------------------------------------------------------------------------------------


def _podman(environment: Mapping[str, str]) -> Iterator[Stricter]:
    named = sorted(name for name, value in environment.items() if name.startswith("LIBPOD_") and _is_on(value))
    if named:
        yield Stricter("form", ", ".join(named), "Podman's own paths, `/libpod/…`, are not served")


def _notes(environment: Mapping[str, str], said: Switches, *, all_are_meant: bool) -> Iterator[str]:
    for name, value in sorted(said.given.items()):
        if value and not _is_number(value):
            yield f"`{name}={printable(value, 40)}` counts as 0, as it does for HAProxy: write 1 or 0"
    if said.dialect == "tecnativa-edge" and "CONTAINERS" in said.on and (shut := sorted(BARS.keys() - said.on)):
        yield f"what is done to containers stays shut without its own variable, as there: {', '.join(shut)}"
    yield from _idle(said)
    if "BIND_CONFIG" in environment:
        yield "`BIND_CONFIG` is not followed: say where to listen with --listen (SOCKPROXY_LISTEN)"
    known = _SWITCHES | _SETTINGS
    for name in sorted(environment.keys() - known):
        if name.startswith(("SOCKPROXY_", "LIBPOD_")):
            continue
        close = [_MISNAMED[name]] if name in _MISNAMED else difflib.get_close_matches(name, sorted(known), 1, 0.85)
        if close and environment[name] in ("0", "1"):
            yield f"`{printable(name)}` is not understood: did you mean {close[0]}?"
        elif all_are_meant or name.startswith("ALLOW_"):
            yield f"`{printable(name)}` is not understood, and nothing was made of it"


def _idle(said: Switches) -> Iterator[str]:
    """Switches that are set and give nothing."""
    for name in sorted(said.on & said.given.keys() & ACTIONS.keys()):
        if not any(reaches(row, said) for row in OPERATIONS if _does(row, *ACTIONS[name])):
            other = "linuxserver's gives it all the same: --dialect linuxserver" if said.dialect == "tecnativa" else ""
            yield f"`{name}` gives nothing while POST is 0" + (f"; {other}" if other else "")
    for name in sorted(said.on & said.given.keys() & SECTIONS.keys()):
        if not any(reaches(row, said) for row in OPERATIONS if section(row) == SECTIONS[name]):
            yield f"`{name}` gives nothing while POST is 0: there is nothing to read there"


LEVELS: Final[Mapping[str, str]] = {
    "debug": "debug",
    "info": "info",
    "notice": "warning",
    "warning": "warning",
    "err": "error",
    "crit": "critical",
    "alert": "critical",
    "emerg": "critical",
}
"""HAProxy's levels (syslog's), and ours."""


def _options(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Settings of the proxy as options of `sockproxy run`.

    Raises:
        ConfigurationError: one cannot be read.
    """
    if socket := environment.get("SOCKET_PATH"):
        yield "--engine", _engine(socket)
    if level := environment.get("LOG_LEVEL"):
        if level not in LEVELS:
            raise ConfigurationError(f"`LOG_LEVEL={printable(level)}` is no level: {', '.join(LEVELS)}")
        yield "--log-level", LEVELS[level]


def _engine(address: str) -> str:
    """The engine's address as HAProxy's `server` takes it: a path, ``unix@PATH``, ``HOST:PORT``."""
    path = address.removeprefix("unix@")
    if path.startswith("/"):
        return f"unix://{path}"
    if re.fullmatch(r"[^/@:\s]+:[0-9]+", address):
        return f"tcp://{address}"
    raise ConfigurationError(
        f"`SOCKET_PATH={printable(address)}` is no address: write the path of the engine's socket,"
        " such as /var/run/docker.sock"
    )
