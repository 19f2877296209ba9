"""What a policy gives away, said plainly: the sheet that `check` prints, and the roads that `run` names at its start.

A road to the host is a grant by which whoever has the policy can become root there, or read and write all of it. The
words "no road to the host" stand only where no rule has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sockproxy.policy.harm import Finding, Given, Level, findings, races, writes_host_paths
from sockproxy.policy.rules import Client, Policy, Rule

_CREATES: Final = frozenset({"ContainerCreate"})
_SERVICES: Final = frozenset({"ServiceCreate", "ServiceUpdate"})


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one client could do at most."""

    who: str
    """``client `ci` ``, or ``everyone who can connect`` where a policy knows no clients."""
    findings: tuple[Finding, ...]
    """The roads to the host, then worst first."""

    @property
    def worst(self) -> Level:
        """The worst that it could do."""
        return min((finding.level for finding in self.findings), default=Level.NOTHING)

    @property
    def headline(self) -> str:
        """``at worst, client `ci` becomes root on the host``."""
        return f"at worst, {self.who} {self.worst.words}"

    @property
    def lines(self) -> tuple[str, ...]:
        """The headline, and a line for each finding, worst first."""
        return (self.headline, *(f"  {finding.title}: {finding}" for finding in self.findings))


@dataclass(frozen=True, slots=True)
class Review:
    """What to know before this policy is used."""

    sheets: tuple[Sheet, ...]
    """One for each client, in the order of the policy."""
    warnings: tuple[str, ...]
    """What leaves more open than it looks."""
    guarded: bool
    """Whether the host's own files are out of everybody's reach, as far as a policy can see to it."""

    @property
    def roads(self) -> tuple[str, ...]:
        """Each a grant that leads to the host."""
        found = (finding for sheet in self.sheets for finding in sheet.findings if finding.road)
        return tuple(dict.fromkeys(map(str, found)))

    @property
    def verdict(self) -> tuple[str, ...]:
        """That there is no road to the host; nothing where that cannot be said."""
        if self.roads or not self.guarded:
            return ()
        return ("no road to the host: no rule grants a power that leads there",)

    @property
    def lines(self) -> tuple[str, ...]:
        """What `run` says at its start, a line each."""
        return (*self.roads, *self.warnings, *self.verdict)


def review(policy: Policy, *, host_root: bool = False) -> Review:
    """Look at every rule. ``host_root``: symbolic links on the host are seen (`sockproxy run --host-root`)."""
    everyone: tuple[Client | None, ...] = policy.clients or (None,)
    given = {client: _given(policy, client, host_root=host_root) for client in everyone}
    warnings = list(policy.warnings)
    if host_root:
        warnings += [race for each in given.values() for race in races(each)]
    for rule in policy.rules:
        warnings += _free(rule)
    warnings += _alternatives(policy)
    warnings += _joinable(policy)
    return Review(
        sheets=tuple(_sheet(policy, client, each) for client, each in given.items()),
        warnings=tuple(dict.fromkeys(warnings)),
        guarded=not any(map(writes_host_paths, given.values())),
    )


def _given(policy: Policy, client: Client | None, *, host_root: bool) -> Given:
    """All that a client has."""
    ids = client.rules if client is not None else None
    return Given(
        rules=tuple(rule for rule in policy.rules if ids is None or rule.id in ids),
        denied=frozenset(name for denial in policy.deny_rules if not denial.asking for name in denial.operations),
        host_root=host_root,
    )


def _sheet(policy: Policy, client: Client | None, given: Given) -> Sheet:
    who = "everyone who can connect" if client is None else f"client `{client.name}`"
    found = tuple(each for each in findings(given) if each.level is not Level.NOTHING)
    if not policy.observes(client):
        return Sheet(who, found)
    place = str(policy.observe if client is None or client.observe is None else client.place)
    why = "what no rule allows goes on too, and is only recorded"
    return Sheet(who, (Finding(Level.ROOT, place, "", "`mode: observe`", why, road=True), *found))


def _free(rule: Rule) -> Iterator[str]:
    for makers, things, kind in ((_CREATES, "containers", "container"), (_SERVICES, "services", "service")):
        free = [each for each in (kind, "volume", "network") if each not in rule.only]
        if rule.operations & makers and free:
            named = " and ".join(f"`{each}`" for each in free)
            yield (
                f"{rule.place}: rule `{rule.id}` makes {things} and leaves {named} free:"
                f" {', '.join(_FREE[each] for each in free)}"
            )


_FREE: Final = {
    "container": "it reaches everyone's containers",
    "service": "it reaches everyone's services",
    "volume": "it mounts everyone's volumes",
    "network": "it joins everyone's networks",
}


def _alternatives(policy: Policy) -> Iterator[str]:
    """Two rules for one endpoint are alternatives: the laxer one wins."""
    seen: set[tuple[str, str]] = set()
    for rule in policy.rules:
        for other in policy.rules:
            both = rule.operations & other.operations
            pair = (rule.id, other.id)
            if rule.id >= other.id or not both or pair in seen or not (_narrows(rule) or _narrows(other)):
                continue
            seen.add(pair)
            yield (
                f"{other.place}: rules `{rule.id}` and `{other.id}` both allow {', '.join(sorted(both)[:3])}:"
                " they are alternatives, and the laxer one wins"
            )


def _narrows(rule: Rule) -> bool:
    return bool(rule.only or rule.limit or rule.require)


def _joinable(policy: Policy) -> Iterator[str]:
    """A client that is known by its address, while containers may join the network where that address is."""
    if not any(client.networks for client in policy.clients):
        return
    for rule in policy.rules:
        if rule.operations & (_CREATES | {"NetworkConnect"}) and "network" not in rule.only:
            yield (
                f"{rule.place}: rule `{rule.id}` lets containers join any network: an address is no identity there,"
                " hold `network` to those where no client is known by `from`"
            )
