"""What was seen: each operation with its asks, how often, and from whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sockproxy.audit import VerdictWord
from sockproxy.docker.asks import KINDS
from sockproxy.docker.inspectors import INSPECTED
from sockproxy.docker.operations import Operation
from sockproxy.model import Absent, Allow, Ask, Deny, Observed, WouldDeny
from sockproxy.printable import CUT
from sockproxy.records import Record, is_cut, is_hidden

MOST: Final = 100_000
"""Different calls that are kept. What is over is counted, and said."""


_WORDS: Final[Mapping[type, VerdictWord]] = {Allow: "allow", Deny: "deny", Absent: "absent", WouldDeny: "would_deny"}


def word_of(verdict: Observed) -> VerdictWord:
    """The word of a verdict, as the audit log has it."""
    return _WORDS[type(verdict)]


@dataclass(frozen=True, slots=True)
class Seen:
    """A call, as far as a policy can tell it from others."""

    operation: Operation
    asks: tuple[Ask, ...]


def _guessed(ask: Ask) -> Ask | None:
    """A recorded ask as evidence: of what is free otherwise, anything may stand where it was cut or a secret hidden.

    None for a power that is not known to its end, as what would cover it could be more than was asked. The `***` of a
    secret is a pattern as it stands.
    """
    if not is_cut(ask) and not is_hidden(ask):
        return ask
    if KINDS[ask.kind].section != "only" or KINDS[ask.kind].form not in ("glob", "label"):
        return None
    return replace(ask, value=f"{ask.value.removesuffix(CUT)}**") if is_cut(ask) else ask


@dataclass(slots=True)
class Collected:
    """Every call that was seen."""

    calls: dict[Seen, Counter[str]] = field(default_factory=dict)
    """Each with how often each client made it."""
    seen: int = 0
    """Calls that are in ``calls``."""
    refused: int = 0
    """Calls that were refused when they were recorded, and that nothing is learned from."""
    partial: int = 0
    """Calls of which not every ask is known: cut, hidden or left out of the audit line."""
    beyond: int = 0
    """Calls that are in none of these, since there were too many different ones."""
    first: str = ""
    last: str = ""
    """When the first and the last of them was made: ``2026-01-31T12:00:00.123Z``."""

    def record(self, record: Record) -> None:
        """Take in one audit record, that of a call's beginning."""
        if record.verdict == "deny" or record.operation is None:
            self.refused += 1
            return
        asks = tuple(map(_guessed, record.asks))
        if not record.complete or None in asks:
            self.partial += 1
            return
        known = [ask for ask in asks if ask is not None]
        self.add(record.operation, known, client=record.client, verdict=record.verdict, time=record.time)

    def add(
        self, operation: Operation | None, asks: Iterable[Ask], *, client: str, verdict: VerdictWord, time: str
    ) -> None:
        """Take in one call. What was refused is only counted, ping and version need no rule."""
        if verdict == "deny" or operation is None or operation.name not in INSPECTED:
            self.refused += 1
            return
        # Rotated files are read as they are named, the newest first.
        self.first = min(self.first or time, time)
        self.last = max(self.last, time)
        if operation.always:
            return
        # Of what is not there, what was found out before that is no measure of what the call asks; and a label that the
        # image brings matters to a `deny` alone.
        needed = () if verdict == "absent" else asks
        seen = Seen(operation, tuple(ask for ask in needed if not (ask.plain and ask.kind == "label")))
        if seen not in self.calls and len(self.calls) >= MOST:
            self.beyond += 1
            return
        self.calls.setdefault(seen, Counter())[client] += 1
        self.seen += 1

    @property
    def nothing(self) -> str:
        """Why nothing can be learned; empty where something can."""
        if self.calls:
            return ""
        if self.refused:
            return (
                f"nothing can be learned: what needs a rule was refused when it was recorded ({self.refused:,} calls);"
                " record with `sockproxy run --observe`, which lets it go on"
            )
        return "nothing was seen that needs a rule: ping and version are always allowed"

    @property
    def clients(self) -> Counter[str]:
        """How many calls each client made."""
        return sum(self.calls.values(), Counter())
