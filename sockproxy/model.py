"""The nouns, in the order in which a request meets them.

    Request ─ identify ─► Call ─ inspect ─► Inspection (asks, forward) ─ decide ─► Verdict ─► Record

All are frozen: what was judged is what is forwarded. Nothing here does I/O, reads a clock or logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sockproxy.errors import Code

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
JsonObject: TypeAlias = "dict[str, Json]"

Version: TypeAlias = tuple[int, int]
"""An Engine API version: ``(1, 41)``."""

OLDEST_VERSION: Final[Version] = (1, 24)
"""The oldest API version of the table, and the default of a policy's ``api: {min}``."""
NEWEST_VERSION: Final[Version] = (1, 56)
"""The newest API version of the table, and the default of a policy's ``api: {max}``."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection."""

    address: str
    """``172.20.0.4:51234`` for TCP, ``unix`` or ``unix:PID`` for a Unix socket; what the audit line shows."""
    ip: str | None = None
    """The IP address alone; None for a Unix socket."""
    uid: int | None = None
    """The user id that the kernel vouches for (``SO_PEERCRED``); None for TCP."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request in canonical form, without its body."""

    method: str
    """Upper case, one of the methods of the table."""
    path: str
    """Decoded exactly once, without the version prefix: ``/containers/web/json``."""
    version: Version | None
    """The client's prefix; None where the path has none."""
    query: tuple[tuple[str, str], ...]
    """Decoded pairs in the order they came, none dropped."""
    headers: tuple[tuple[str, str], ...] = ()
    """Lower-case names and their values, in the order they came."""

    def header(self, name: str) -> str | None:
        """The value of a header by its lower-case name, None where it was not sent."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing in a call that gives its sender power, or that a policy may hold to something.

    The vocabulary, with what each field means for each kind, is ``docker/asks.py``.
    """

    kind: str
    """A word of ``asks.KINDS``: ``bind``, ``capability``, ``container``, ``limit``, ``require``, …"""
    value: str
    """What patterns are matched against and what a person reads: ``/etc``, ``pid=host``, ``web``."""
    where: str
    """The place in the request: ``HostConfig.Binds[1]``, ``?networkmode``, ``path``."""
    read_only: bool = False
    """A bind or a volume that is used read-only."""
    shared: bool = False
    """A bind whose mounts propagate back to the host."""
    labels: tuple[tuple[str, str], ...] = ()
    """The labels of the container, volume, network or service that is asked for."""
    aliases: tuple[str, ...] = ()
    """Further values that the same thing goes by (the names of an image given by its id): one match is enough."""
    amount: int | None = None
    """Of a ``limit``: bytes, billionths of a CPU or processes; None where none is set."""
    plain: bool = False
    """A capability that every container has: it asks something only under ``require: cap-drop-all``. Or a label that is
    the image's own: it asks something only where a ``deny`` speaks of it."""
    grantable: bool = True
    """False for what no policy can allow, such as touching sockproxy's own container."""
    nonrecursive: bool = False
    """A read-only bind below which mounts stay writable, on an engine that could make them read-only too."""
    known: bool = field(default=False, compare=False)
    """Whether ``labels`` are all that it has: it was looked up, or the call makes it."""

    def __str__(self) -> str:
        """``bind: /etc ro``, as ``explain`` and a denial print it."""
        return f"{self.kind}: {self.shown}"

    @property
    def shown(self) -> str:
        """The value with its suffixes, as tests in policies may write it."""
        return self.value + self.suffixes

    @property
    def suffixes(self) -> str:
        """What stands behind the value of a bind or a volume: `` ro``, `` ro nonrecursive``, `` shared``."""
        read_only = (" ro nonrecursive" if self.nonrecursive else " ro") if self.read_only else ""
        return read_only + (" shared" if self.shared else "")


@dataclass(frozen=True, slots=True)
class Missing:
    """The engine's answer to a look-up of what does not exist: its own status and message."""

    status: int
    message: str


HOST: Final = "host:"
"""Begins the key of a fact about a path of the host: ``host:/srv/ci/x``. A path of the engine begins with a slash."""

STAT: Final = "stat:"
"""Begins the key of a fact about a path in a container: ``stat:<64-hex id>:/tmp/x``."""

SWARM_SCOPE: Final = "?scope=swarm"
"""Ends the key of a fact about a network of the swarm; the only query that is ever asked with."""

Facts: TypeAlias = Mapping[str, "JsonObject | Missing"]
"""What was asked before judging, and what was answered.

Of the engine: an unversioned path (``/containers/web/json``) to its body. Of the host: ``host:/srv/ci/x`` to
``{"Path": "/srv/ci/a"}``, where the path leads, or to a `Missing` that says why nobody knows. Of a container's files:
``stat:<id>:/tmp/x`` to what the engine says of the path, ``{"linkTarget": "/data"}`` where it is a symbolic link.
"""


@dataclass(frozen=True, slots=True)
class Forward:
    """The request that goes to the engine, built anew from what was judged."""

    method: str
    target: str
    """Percent-encoded, with the version prefix that was judged: ``/v1.41/containers/9f…/stop?t=10``."""
    headers: tuple[tuple[str, str], ...] = ()
    """The few headers of the client that the row lets through, such as ``x-registry-auth``."""
    body: bytes | None = None
    """The re-serialised JSON; None for a call without a body and for one whose body is streamed."""
    content_type: str | None = None
    streams_body: bool = False
    """True where the client's body (a tar) is passed on as it comes."""
    upgrade: str | None = None
    """The protocol to ask the engine for (``tcp``, ``h2c``, ``websocket``); None for a plain request."""
    hijacks: bool = False
    """True where the engine may turn the connection into a raw stream (101, or Docker's raw 200)."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a call asks for, and what would be forwarded."""

    asks: tuple[Ask, ...]
    forward: Forward
    needs: tuple[str, ...] = ()
    """Look-ups (keys of `Facts`) whose answers are missing from the facts; judging waits for them."""
    absent: Missing | None = None
    """Set where the thing in the path does not exist: the engine's own answer is given and nothing is forwarded."""


@dataclass(frozen=True, slots=True)
class Allow:
    """Forward it. ``rule`` is the id of the rule that covered every ask (``(always)`` for ping and version)."""

    rule: str
    asks: tuple[Ask, ...]
    forward: Forward


@dataclass(frozen=True, slots=True)
class Deny:
    """Answer it ourselves. A denial has nothing to forward."""

    code: Code
    status: int
    message: str
    """One line: what was refused and where, the rule that came nearest, and the YAML that would allow it."""
    asks: tuple[Ask, ...] = ()
    refused: tuple[Ask, ...] = ()
    rule: str | None = None
    """The nearest rule's id, or the one that denied."""
    fix: str = ""
    """The YAML that would allow it, as a block that can be pasted; empty where none can."""


@dataclass(frozen=True, slots=True)
class Absent:
    """The thing in the path does not exist: the engine's own status and message are answered."""

    missing: Missing
    asks: tuple[Ask, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """Not judged yet: the shell asks the engine and the host for these and judges again with their answers."""

    paths: tuple[str, ...]


Verdict: TypeAlias = Allow | Deny | Absent
"""What judging ends with."""


@dataclass(frozen=True, slots=True)
class WouldDeny:
    """Forward it all the same, and record what would have been refused: the policy only observes."""

    denial: Deny
    forward: Forward

    @property
    def asks(self) -> tuple[Ask, ...]:
        """All that the call asks for."""
        return self.denial.asks


Observed: TypeAlias = Verdict | WouldDeny
"""What judging ends with where the policy only observes."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the pure core must be told about the world, the same for every request until something is swapped."""

    engine_version: Version = NEWEST_VERSION
    """The newest API version that the engine speaks."""
    engine_minimum: Version = OLDEST_VERSION
    """The oldest API version that the engine speaks."""
    own_container: str | None = None
    """The 64-hex id of the container that sockproxy runs in; None where it runs in none."""
    host_root: bool = False
    """Whether the host can be asked where its paths lead; a path is taken for what it says otherwise."""
    facts: Facts = field(default_factory=dict)
