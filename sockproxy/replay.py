"""Last week's traffic under another policy: each audit line is judged again by its asks.

    line ─ the part that repeats ─► remembered?  no ─► record ─► ruling ─► told | not to be told
                                         └─ yes ──────────────────────────────┘

What was recorded is what the policy of that day made sockproxy find out. A stricter one may want to know more: whose a
container is that was named by its id, the labels of a volume. Such a call *cannot be told*, which is said and never
guessed. Asks that were cut or hidden in the line are told only where they decide nothing.

Memory does not grow with the file: verdicts and groups are remembered within bounds, lines never.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from sockproxy.decide import decide, rule_on
from sockproxy.docker.asks import OWNERSHIP_KINDS
from sockproxy.docker.inspectors import ASKS_NOTHING, INSPECTED
from sockproxy.errors import Code
from sockproxy.model import Ask, Deny, Forward, Peer, Verdict
from sockproxy.policy.load import Client, DenyRule, Policy, Rule
from sockproxy.records import BadRecord, Record, is_end, read

Now: TypeAlias = Literal["allow", "deny", "unknown"]
"""What the policy says to a recorded call; `unknown` where the line does not hold what that hangs on."""

_FIXED: Final[frozenset[Code]] = frozenset(
    {"malformed", "unknown_operation", "too_large", "rate_limited", "engine_down", "internal"}
)
"""Codes of denials that no policy has a say in."""

_UNASKED: Final[frozenset[Code]] = frozenset({"no_rule", "denied_by_rule", "unknown_client"})
"""Codes of denials that come before anything is looked up: the asks may not be all."""

_ASKED_WHERE_HELD: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "container": frozenset({"ExecStart", "ExecResize", "ExecInspect"}),
        "service": frozenset({"TaskInspect", "TaskLogs"}),
        "network": frozenset({"ContainerAttach", "ContainerAttachWebsocket", "ContainerExec", "PutContainerArchive"}),
    }
)
"""Operations that ask a kind only where some rule holds it (see ``docker/inspectors/``)."""

_ID_LIKE: Final = re.compile(r"(?:sha256:)?[0-9a-f]{6,64}")
"""What may be the id of a thing, or the beginning of one."""

REMEMBERED: Final = 65536
"""Rulings that are remembered, each by 16 bytes; what is over is judged anew."""
GROUPS: Final = 4096
"""Kinds of change that are told apart; what is over is counted as others."""
VALUES: Final = 64
"""Different values of each that are counted one by one."""


Change: TypeAlias = Literal["refused", "allowed", "unknown"]
"""What would be another way than it was, or cannot be told."""


@dataclass(frozen=True, slots=True)
class Again:
    """A recorded call, judged again."""

    record: Record
    now: Now
    code: Code | None = None
    rule: Rule | DenyRule | None = None
    refused: tuple[Ask, ...] = ()
    unknown: str = ""
    """Why it cannot be told."""
    client: Client | None = None
    """The policy's client that it is taken for; None where the policy tells none apart."""

    @property
    def went_on(self) -> bool:
        """Whether it was forwarded when it was recorded, or answered that the thing is not there."""
        return self.record.verdict != "deny"

    @property
    def change(self) -> Change | None:
        """What would be another way than it was; None where nothing would."""
        if self.now == "unknown":
            return "unknown"
        if self.now == "deny":
            return "refused" if self.went_on else None
        return "allowed" if self.record.verdict in ("deny", "would_deny") else None

    @property
    def group(self) -> Group | None:
        """The line of the summary that it belongs to; None where nothing would change."""
        change, operation = self.change, self.record.operation
        if change is None:
            return None
        kinds = tuple(dict.fromkeys(ask.kind for ask in self.refused))
        return Group(
            change=change,
            client=self.record.client,
            operation=operation.name if operation is not None else "(unknown)",
            rule=self.rule.id if self.rule is not None else "",
            kinds=kinds or ((self.code,) if self.code is not None else ()),
        )

    @property
    def value(self) -> str:
        """What is refused, or why it cannot be told, in a line."""
        if self.unknown or self.refused:
            return self.unknown or "; ".join(dict.fromkeys(map(str, self.refused)))
        if self.code == "no_rule" and self.record.operation is not None:
            return f"no rule allows {self.record.operation.method} {self.record.operation.template}"
        return self.code or ""


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that would fare alike: one line of the summary."""

    change: Change
    client: str
    operation: str
    rule: str
    """The rule that would allow it, or comes nearest; empty where there is none."""
    kinds: tuple[str, ...]
    """Of the refused asks; the code where none is refused."""


@dataclass(slots=True)
class Tally:
    """What was counted of one group."""

    first_line: int
    calls: int = 0
    values: Counter[str] = field(default_factory=Counter)
    """The calls by what is refused, or why it cannot be told: the first `VALUES` different ones."""


def judge_again(record: Record, policy: Policy, *, client: str | None = None) -> Again:
    """What a policy says to a recorded call.

    ``client`` is the name of the policy's client that is taken for the sender; None: found by the recorded address, or
    by the recorded name where there is none.
    """
    operation = record.operation
    if operation is None or (record.code in _FIXED and record.verdict == "deny"):
        return Again(record, "deny", record.code or "unknown_operation")
    if operation.name not in INSPECTED:
        return Again(record, "deny", "no_rule")
    whose = _client_of(record, policy, client)
    if whose is None and policy.clients:
        return Again(record, "deny", "unknown_client")
    rule, refused, code = rule_on(operation, record.asks, policy, whose)
    if code is None:
        why = _why_incomplete(record, policy, whose)
        return Again(record, "unknown" if why else "allow", rule=rule, unknown=why, client=whose)
    if isinstance(rule, Rule) and all(_undecided(ask, rule) for ask in refused):
        kinds = ", ".join(dict.fromkeys(ask.kind for ask in refused))
        why = f"whose the {kinds} is was not looked up"
        return Again(record, "unknown", code, rule, refused, unknown=why, client=whose)
    return Again(record, "deny", code, rule, refused, client=whose)


def in_words(again: Again, policy: Policy) -> Verdict:
    """What the proxy would answer, with its message and the YAML that would allow it, as far as the record goes."""
    record = again.record
    if record.operation is None or again.code in _FIXED:
        said = f"sockproxy: it was refused as `{again.code}`, in which no policy has a say"
        return Deny(code=again.code or "unknown_operation", status=403, message=said, asks=record.asks)
    if again.code == "unknown_client":
        said = f"sockproxy: {record.peer} is none of the clients that policy `{policy.name}` names"
        return Deny(code="unknown_client", status=403, message=said, asks=record.asks)
    return decide(record.operation, record.asks, Forward(record.method, record.path), policy, again.client)


def _client_of(record: Record, policy: Policy, name: str | None) -> Client | None:
    wanted = name
    if wanted is None:
        ip = _ip(record.peer)
        if ip is not None:
            return policy.client_of(Peer(record.peer, ip=ip))
        wanted = record.client
    return next((each for each in policy.clients if each.name == wanted), None)


def _ip(peer: str) -> str | None:
    """The address of ``172.20.0.4:51234`` or ``[::1]:51234``; None of a Unix socket's peer."""
    host = peer.rpartition(":")[0].strip("[]")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _why_incomplete(record: Record, policy: Policy, client: Client | None) -> str:
    """Why the recorded asks may not be all that the call asks under this policy; empty where they are."""
    operation = record.operation
    assert operation is not None
    if record.verdict == "allow" and record.policy == policy.digest:
        return ""  # the same policy found out all that it wanted to know
    if not record.whole:
        return "some of what it asks is not in the line"
    if operation.name in ASKS_NOTHING:
        return ""
    if record.verdict == "deny" and record.code in _UNASKED:
        return "it was refused before all that it asks was found out"
    asked = {ask.kind for ask in record.asks}
    for kind in policy.held(operation.name, client) & _ASKED_WHERE_HELD.keys():
        if kind not in asked and operation.name in _ASKED_WHERE_HELD[kind]:
            return f"whose {kind} it is was not looked up"
    return ""


def _undecided(ask: Ask, rule: Rule) -> bool:
    """Whether a refused ask might be covered if more were known of it: its labels, or its name in place of an id."""
    if ask.known or not ask.grantable:
        return False
    if ask.kind in OWNERSHIP_KINDS:
        labelled = any(pattern.text.startswith("label=") for pattern in rule.only.get(ask.kind, ()))
        return labelled or _ID_LIKE.fullmatch(ask.value) is not None
    return ask.kind == "image" and not ask.aliases and _ID_LIKE.fullmatch(ask.value) is not None


@dataclass(slots=True)
class Totals:
    """What was counted."""

    lines: int = 0
    """All lines, `end` lines and empty ones too."""
    calls: int = 0
    """Decisions that were judged again."""
    bad: int = 0
    """Lines that are no audit lines."""
    first_bad: int = 0
    """The first of them; 0 where there is none."""
    why_bad: str = ""
    """Why that is none: ``no JSON``."""


class Replay:
    """Judges the lines of audit files again, and counts what would change."""

    def __init__(self, policy: Policy, *, client: str | None = None) -> None:
        self.totals: Final = Totals()
        self.fates: Final[Counter[tuple[str, Now]]] = Counter()
        """Calls by what was said then and what would be said now."""
        self.tallies: Final[dict[Group, Tally]] = {}
        self.others = 0
        """Changed calls beyond the groups that are told apart."""
        self._policy = policy
        self._client = client
        self._remembered: dict[bytes, tuple[str, Now, Group | None, str]] = {}

    def feed(self, line: bytes) -> None:
        """Judge one line. What is no audit line is counted, and told of once."""
        self.totals.lines += 1
        if is_end(line) or not line.strip():
            return
        key = self._key(line)
        fate = self._remembered.get(key)
        if fate is None:
            try:
                again = judge_again(read(line), self._policy, client=self._client)
            except BadRecord as error:
                self.totals.bad += 1
                if not self.totals.first_bad:
                    self.totals.first_bad, self.totals.why_bad = self.totals.lines, str(error)
                return
            fate = again.record.verdict, again.now, again.group, again.value
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = fate
        then, now, group, value = fate
        self.totals.calls += 1
        self.fates[then, now] += 1
        if group is not None:
            self._count(group, value)

    def _key(self, line: bytes) -> bytes:
        """What is the same for every call judged alike: the line from its client to its engine's version.

        Where the policy tells clients apart by their addresses, the peer is part of it.
        """
        start = line.find(b'"peer":' if self._policy.clients else b'"client":')
        return hashlib.blake2b(line[start : line.rfind(b',"status":')], digest_size=16).digest()

    def _count(self, group: Group, value: str) -> None:
        tally = self.tallies.get(group)
        if tally is None:
            if len(self.tallies) >= GROUPS:
                self.others += 1
                return
            tally = self.tallies[group] = Tally(self.totals.lines)
        tally.calls += 1
        if value in tally.values or len(tally.values) < VALUES:
            tally.values[value] += 1

    def fate(self, *then: str, now: Now) -> int:
        """How many calls of these verdicts would be judged so now."""
        return sum(self.fates[word, now] for word in then)

    def changes(self, change: Change) -> list[tuple[Group, Tally]]:
        """The groups of one change, the largest first."""
        found = [(group, tally) for group, tally in self.tallies.items() if group.change == change]
        return sorted(found, key=lambda each: (-each[1].calls, each[1].first_line))
