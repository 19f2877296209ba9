"""One block of YAML that makes several calls pass together, proved by judging them again with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sockproxy.model import Deny, Verdict

if TYPE_CHECKING:
    from sockproxy.docker.operations import Operation
    from sockproxy.policy.load import Client, Policy
    from sockproxy.policy.suggest import Joint, Lack

_ROUNDS: Final = 5
"""How often what a first block still lacks is added: a call may say only with one rule what it asks of another."""

_GRANTABLE: Final = frozenset({"no_rule", "ask_refused", "not_owner"})
"""Codes of what another rule, or a grant in one, would allow."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A call and its verdict."""

    asked: str
    """``POST /containers/create?name=web``, for a person."""
    operation: Operation | None
    verdict: Verdict
    again: Callable[[Policy, Client | None], Verdict]
    """Judges it under another policy."""
    about: str = ""
    """What it is made for, where several things are judged: a service of compose."""

    @property
    def refused(self) -> bool:
        """Whether it would not be forwarded."""
        return isinstance(self.verdict, Deny)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do for all of the calls to pass."""

    block: str
    """A policy file that extends the one in use; empty where no policy helps."""
    left: tuple[str, ...]
    """What no policy gives: what must be asked for otherwise. With none of it left, the block was proved."""
    made: tuple[str, ...]
    """The ids of rules that are new in the block."""


def remedy(calls: Sequence[Judged], policy: Policy, client: Client | None) -> Remedy:
    """Collect what the refused calls lack, until they are allowed or nothing can be added."""
    from sockproxy.policy.suggest import Joint, joint

    lacks: list[Lack] = []
    words: list[str] = []
    found = Joint("", (), ())
    patched, whose = policy, client
    for _ in range(_ROUNDS):
        denied = [(call, verdict) for call in calls if isinstance(verdict := call.again(patched, whose), Deny)]
        words = [_plain(verdict) for _, verdict in denied if verdict.code not in _GRANTABLE]
        fresh = [lack for call, verdict in denied for lack in _lacks(call, verdict, policy) if lack not in lacks]
        if not fresh:
            break
        lacks += fresh
        found = joint(lacks, policy)
        patched, whose = _patched(policy, client, found) if found.block else (policy, client)
    else:
        words.append("what more it lacks: use the block, and explain it again with that policy")
    return Remedy(found.block, tuple(dict.fromkeys((*found.left, *words))), found.made)


def _lacks(call: Judged, verdict: Deny, policy: Policy) -> list[Lack]:
    from sockproxy.policy.suggest import Lack

    if call.operation is None or verdict.code not in _GRANTABLE:
        return []
    rule = next((rule for rule in policy.rules if rule.id == verdict.rule), None)
    return [Lack(call.operation, rule, verdict.refused)]


def _plain(verdict: Deny) -> str:
    return verdict.message.removeprefix("sockproxy: ")


def _patched(policy: Policy, client: Client | None, found: Joint) -> tuple[Policy, Client | None]:
    """The policy that the block makes, and the client in it, who is named the new rules too."""
    from sockproxy.policy import presets
    from sockproxy.policy.load import loads

    beside = Path() if presets.path(policy.source) is not None else Path(policy.source).parent
    patched = loads(found.block, str(beside / "explained.yaml"))
    if client is None:
        return patched, None
    rules = None if client.rules is None else client.rules | frozenset(found.made)
    whose = replace(client, rules=rules)
    return patched.with_clients(whose), whose
