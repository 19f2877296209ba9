"""A policy in memory: frozen, indexed by operation, so that a call's cost does not grow with rules for other calls."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, TypeVar

from sockproxy.model import Json, JsonObject, Peer, Version
from sockproxy.policy.document import Place
from sockproxy.policy.patterns import Pattern

Patterns: TypeAlias = tuple[Pattern, ...]
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Mode: TypeAlias = Literal["enforce", "observe"]
"""Whether what a rule would refuse is refused, or goes on and is only recorded."""
MODES: Final[tuple[Mode, ...]] = ("enforce", "observe")


@dataclass(frozen=True, slots=True)
class Selector:
    """One ``METHOD /path`` of a rule."""

    text: str
    place: Place
    operations: frozenset[str]
    """The rows that it takes in."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one rule allows, gives, and holds to something."""

    id: str
    place: Place
    operations: frozenset[str]
    grant: Mapping[str, Patterns] = field(default_factory=dict)
    only: Mapping[str, Patterns] = field(default_factory=dict)
    limit: Mapping[str, int] = field(default_factory=dict)
    """Bytes, billionths of a CPU, processes."""
    require: frozenset[str] = frozenset()
    origin: str = ""
    """The preset or file that it first stood in."""
    written: str = ""
    """The file that the operator would edit: the last that wrote of it."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where each kind, limit and requirement stands."""
    selectors: tuple[Selector, ...] = ()
    """What `operations` is made of."""


@dataclass(frozen=True, slots=True)
class DenyRule:
    """What one rule refuses to everybody, whatever other rules allow."""

    id: str
    place: Place
    operations: frozenset[str]
    asking: Mapping[str, Patterns] = field(default_factory=dict)
    """Empty: the row itself is refused. Else only calls that ask one of these."""
    because: str = ""
    selectors: tuple[Selector, ...] = ()
    """What `operations` is made of."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who a rule is for."""

    name: str
    place: Place
    networks: tuple[Network, ...] = ()
    unix_user: int | None = None
    rules: frozenset[str] | None = None
    """Ids; None for all of them."""
    observe: bool | None = None
    """Whether what its rules would refuse goes on and is only recorded; None: as the policy says."""

    def is_(self, peer: Peer) -> bool:
        """Whether this peer is that client: all that is said of it must fit."""
        if self.unix_user is not None and peer.uid != self.unix_user:
            return False
        if not self.networks:
            return self.unix_user is not None
        if peer.ip is None:
            return False
        address = ipaddress.ip_address(peer.ip)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One of a policy's own tests."""

    name: str
    place: Place
    method: str = ""
    target: str = ""
    command: tuple[str, ...] = ()
    """The words of a command line that is run in place of a request; empty for a request."""
    body: Json = None
    has_body: bool = False
    engine: Mapping[str, JsonObject] = field(default_factory=dict)
    client: str | None = None
    allowed: bool = True
    refused: tuple[tuple[str, str], ...] = ()
    """Kind and value of asks that must be among the refused ones."""

    @property
    def asked(self) -> str:
        """The request's method and target, or the command line."""
        return shlex.join(self.command) if self.command else f"{self.method} {self.target}"


class Policy:
    """Everything that judging reads of what the operator wrote."""

    __slots__ = (
        "_denies",
        "_held",
        "_rules",
        "about",
        "api_max",
        "api_min",
        "clients",
        "deny_rules",
        "digest",
        "name",
        "observe",
        "rules",
        "source",
        "tests",
        "warnings",
    )

    def __init__(
        self,
        *,
        name: str,
        about: str,
        source: str,
        digest: str,
        rules: tuple[Rule, ...],
        deny_rules: tuple[DenyRule, ...],
        clients: tuple[Client, ...],
        api_min: Version,
        api_max: Version,
        tests: tuple[PolicyTest, ...],
        warnings: tuple[str, ...],
        observe: Place | None = None,
    ) -> None:
        self.name: Final = name
        self.about: Final = about
        self.source: Final = source
        """What it was loaded from: a preset's name or a file's path."""
        self.digest: Final = digest
        """SHA-256 of every file that it was made of, in hex."""
        self.rules: Final = rules
        self.deny_rules: Final = deny_rules
        self.clients: Final = clients
        self.api_min: Final = api_min
        self.api_max: Final = api_max
        self.tests: Final = tests
        self.observe: Final = observe
        """Where it says that what a rule would refuse goes on and is only recorded, but for clients that say otherwise;
        None where it says no such thing."""
        self.warnings: Final = warnings
        """What is no mistake, and yet looks like one."""
        self._denies = _by_operation(deny_rules)
        everyone: list[Client | None] = [None, *clients]
        self._rules = {_key(client): _by_operation(self._of(client)) for client in everyone}
        binding = {_key(client) for client in everyone if any(map(_binds, self._of(client)))}
        self._held = {
            key: {name: self._holds(name, chosen, binds=key in binding) for name, chosen in index.items()}
            for key, index in self._rules.items()
        }

    def _of(self, client: Client | None) -> tuple[Rule, ...]:
        if client is None or client.rules is None:
            return self.rules
        return tuple(rule for rule in self.rules if rule.id in client.rules)

    def _holds(self, operation: str, rules: tuple[Rule, ...], *, binds: bool) -> frozenset[str]:
        kinds = {kind for rule in rules for kind in rule.only}
        kinds.update(kind for denial in self._denies.get(operation, ()) for kind in denial.asking)
        if binds:
            kinds.add("bind")
        if any(rule.require for rule in rules):
            kinds.add("require")
        return frozenset(kinds)

    def rules_for(self, operation: str, client: Client | None = None) -> tuple[Rule, ...]:
        """The rules that allow an operation to a client. Each alone must cover all that a call asks."""
        return self._rules[_key(client)].get(operation, ())

    def denies_for(self, operation: str) -> tuple[DenyRule, ...]:
        """The rules that may deny an operation, to whomever."""
        return self._denies.get(operation, ())

    def held(self, operation: str, client: Client | None = None) -> frozenset[str]:
        """The kinds of asks that some rule for this operation holds to something.

        `bind` is among them where any rule of the client's grants host paths, for whatever operation: what it may have
        put into one matters wherever that is mounted again.
        """
        return self._held[_key(client)].get(operation, frozenset())

    def observes(self, client: Client | None) -> bool:
        """Whether what a rule would refuse to this client goes on and is only recorded."""
        return self.observe is not None if client is None or client.observe is None else client.observe

    @property
    def modes(self) -> frozenset[Mode]:
        """The modes that somebody is judged in."""
        everyone: tuple[Client | None, ...] = self.clients or (None,)
        return frozenset("observe" if self.observes(client) else "enforce" for client in everyone)

    def with_clients(self, *clients: Client) -> Policy:
        """The same for these clients, in place of its own."""
        return Policy(
            name=self.name,
            about=self.about,
            source=self.source,
            digest=self.digest,
            rules=self.rules,
            deny_rules=self.deny_rules,
            clients=clients,
            api_min=self.api_min,
            api_max=self.api_max,
            tests=self.tests,
            warnings=self.warnings,
            observe=self.observe,
        )

    def client_of(self, peer: Peer) -> Client | None:
        """The client that a peer is; None where no client fits."""
        for client in self.clients:
            if client.is_(peer):
                return client
        return None


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests, and the policy that they are about."""

    name: str
    """The policy's, or the file's where they stand in one of their own."""
    policy: Policy
    tests: tuple[PolicyTest, ...]


AnyRule = TypeVar("AnyRule", Rule, DenyRule)


def _binds(rule: Rule) -> bool:
    return any(pattern.text != "none" for pattern in rule.grant.get("bind", ()))


def _key(client: Client | None) -> str | None:
    return None if client is None else client.name


def _by_operation(rules: tuple[AnyRule, ...]) -> dict[str, tuple[AnyRule, ...]]:
    index: dict[str, list[AnyRule]] = {}
    for rule in rules:
        for operation in rule.operations:
            index.setdefault(operation, []).append(rule)
    return {operation: tuple(chosen) for operation, chosen in index.items()}
