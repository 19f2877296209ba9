"""The tree of errors. Foreign errors are mapped to these at one border each (see the module that raises them).

SockproxyError
├── Refusal                 answered to a client; each knows its code and HTTP status
│   ├── Malformed           400  malformed          the bytes, the target or the JSON are ambiguous or wrong
│   ├── VersionRefused      400  malformed          an API version out of range, in Docker's own words
│   ├── UnknownOperation    403  unknown_operation  no row of the Engine API table
│   ├── TooLarge            413  too_large          a limit of ours was met
│   ├── EngineDown          502  engine_down        the engine is away, or went away
│   └── Internal            500  internal           a fault of ours, or the audit log cannot be written
├── PolicyError             a policy that cannot be loaded; carries every problem, each with its place
├── ComposeError            a compose file that cannot be read; likewise
└── ConfigurationError      what an operator must put right before `run` can start (exit code 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from sockproxy.printable import printable

Code: TypeAlias = Literal[
    "malformed",
    "unknown_operation",
    "unknown_client",
    "no_rule",
    "denied_by_rule",
    "ask_refused",
    "not_owner",
    "too_large",
    "rate_limited",
    "engine_down",
    "internal",
]
"""Why a request was not forwarded: one closed set, the same word in the body, the audit line, the metric and docs."""


class SockproxyError(Exception):
    """Root of every error that sockproxy raises on purpose."""


class Refusal(SockproxyError):
    """A request that is answered by sockproxy itself.

    ``message`` is what the client reads in Docker's ``{"message": ...}``; ``code`` is the word of the closed set
    that stands in the body, the audit line and the metric; ``status`` is the HTTP status.
    """

    code: ClassVar[Code]
    status: int = 403

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status


class Malformed(Refusal):
    """The request is ambiguous or wrong: it is never guessed at."""

    code = "malformed"
    status = 400


class VersionRefused(Malformed):
    """The API version in the path is out of range; the message is Docker's, since clients read it."""


class UnknownOperation(Refusal):
    """The method and path select no row of the Engine API table."""

    code = "unknown_operation"
    status = 403


class TooLarge(Refusal):
    """A limit on size, count or depth was met."""

    code = "too_large"
    status = 413


class EngineDown(Refusal):
    """The engine cannot be reached (503), or went away in the middle of an exchange (502)."""

    code = "engine_down"
    status = 502


class Internal(Refusal):
    """A fault of ours; the call was not forwarded."""

    code = "internal"
    status = 500


_LONGEST: Final = 4096
"""Characters of a problem that are shown: it holds what stands in the file, which may be anything."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a policy file.

    ``line`` and ``column`` count from 1; both are 0 where the whole file is meant. ``hint`` is help apart from the
    problem ("did you mean …"), empty where there is none.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """``file:line:column: problem (hint)``, the form that editors jump to."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        told = f"{self.message} ({self.hint})" if self.hint else self.message
        return f"{place}: {printable(told, _LONGEST)}"


class PolicyError(SockproxyError):
    """A policy that cannot be loaded. ``problems`` holds every mistake found, in the order of the files."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class ComposeError(SockproxyError):
    """A compose file that cannot be read. ``problems`` holds every mistake found, in the order of the files."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class ConfigurationError(SockproxyError):
    """A missing socket, a port in use, a bad address: the message says what to do about it."""
