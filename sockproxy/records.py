"""Audit lines read back: what was asked, by whom, and what was said to it.

    {"time": …, "operation": "ContainerCreate", "asks": [{"kind": "bind", "value": "/etc", …}], …}  ─►  Record

A line holds all that a policy is matched against, but for what could not be written down: a secret stands as `***`, a
long value is cut, and of a very long list the rest is only counted. A record says so, since whoever judges it again
must know what it does not know. `end` lines are the second of a call and hold nothing new.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from sockproxy.audit import VerdictWord
from sockproxy.docker.asks import KINDS
from sockproxy.docker.operations import BY_NAME, Operation
from sockproxy.errors import Code
from sockproxy.model import Ask, Version
from sockproxy.printable import CUT
from sockproxy.redaction import HIDDEN

_END: Final = b'"event":"end"'
_HEAD_BYTES: Final = 160
"""Bytes within which a line says its event: time, id and event come first."""

_WORDS: Final = frozenset(get_args(VerdictWord))
_CODES: Final = frozenset(get_args(Code))


class BadRecord(ValueError):
    """A line that is no audit line; the message says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One decision, as the audit log has it."""

    time: str
    client: str
    peer: str
    operation: Operation | None
    """None where the request found no row of the table."""
    method: str
    path: str
    verdict: VerdictWord
    code: Code | None
    rule: str | None
    asks: tuple[Ask, ...]
    policy: str
    """The digest of the policy that judged."""
    engine_version: Version | None
    complete: bool
    """Whether every ask is here, with all its labels and aliases."""

    @property
    def whole(self) -> bool:
        """Whether every ask is here, and none is cut short or has something hidden."""
        return self.complete and not any(is_cut(ask) or is_hidden(ask) for ask in self.asks)


def is_cut(ask: Ask) -> bool:
    """Whether the end of a recorded ask's value is missing."""
    return ask.value.endswith(CUT)


def is_hidden(ask: Ask) -> bool:
    """Whether something in a recorded ask's value was a secret: `***` stands there."""
    return HIDDEN in ask.value


def is_end(line: bytes) -> bool:
    """Whether a line is the second of its call; told without parsing it."""
    return _END in line[:_HEAD_BYTES]


def read(line: bytes) -> Record:
    """The record that a line holds, be it the first of its call or the second.

    Raises:
        BadRecord: it is no audit line.
    """
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRecord("no JSON") from None
    if not isinstance(told, dict):
        raise BadRecord("no JSON object")
    try:
        return _record(told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRecord(f"no audit line of sockproxy's: {_missing(error)}") from None


def _missing(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _record(told: Mapping[str, Any]) -> Record:
    verdict, code = told["verdict"], told["code"]
    if verdict not in _WORDS or not (code is None or code in _CODES):
        raise ValueError(f"`{verdict}` with `{code}` is no verdict")
    asks = tuple(_ask(each) for each in told["asks"])
    return Record(
        time=str(told["time"]),
        client=str(told["client"]),
        peer=str(told["peer"]),
        operation=BY_NAME.get(told["operation"]),
        method=str(told["method"]),
        path=str(told["path"]),
        verdict=verdict,
        code=code,
        rule=told["rule"],
        asks=asks,
        policy=str(told["policy"]),
        engine_version=_version(told["engine_version"]),
        complete=not told.get("left_out") and not any("left_out" in each for each in told["asks"]),
    )


def _ask(told: Mapping[str, Any]) -> Ask:
    kind = told["kind"]
    if kind not in KINDS:
        raise ValueError(f"`{kind}` is no kind of ask")
    labels = told.get("labels")
    amount = told.get("amount")
    return Ask(
        kind,
        str(told["value"]),
        str(told["where"]),
        told.get("read_only") is True,
        told.get("shared") is True,
        tuple((str(name), str(value)) for name, value in labels.items()) if labels else (),
        tuple(map(str, told.get("aliases", ()))),
        amount if isinstance(amount, int) else None,
        told.get("plain") is True,
        told.get("grantable") is not False,
        told.get("nonrecursive") is True,
        labels is not None,
    )


def _version(text: str | None) -> Version | None:
    if text is None:
        return None
    major, _, minor = text.partition(".")
    return int(major), int(minor)
