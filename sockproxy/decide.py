"""The decision: does the policy cover what this call asks for? The whole story on one screen.

    1. A `deny` that takes in the row refuses, whoever asks; one with `asking` only where such a thing is asked.
    2. `/_ping` and `/version` are allowed: clients negotiate with them, and fail oddly without.
    3. Otherwise one rule alone must allow the row and cover every ask. Rules are alternatives, in no order.
    4. What no rule covers is refused, and the denial says which rule came nearest and what it lacks.

Default deny; a deny beats every allow; nothing here reads a clock, a socket or a request's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sockproxy.docker.asks import KINDS, OWNERSHIP_KINDS
from sockproxy.docker.operations import Operation
from sockproxy.errors import Code
from sockproxy.model import Allow, Ask, Deny, Forward
from sockproxy.policy.load import Client, DenyRule, Policy, Rule
from sockproxy.policy.match import covers, matches_any
from sockproxy.policy.suggest import fix
from sockproxy.printable import printable

ALWAYS = "(always)"
"""Stands where a rule's id would: the row is open to everyone who may connect."""

_SHOWN_ASKS = 3
"""How many refused asks a message spells out; the audit line has them all."""


class Ruling(NamedTuple):
    """What the rules say to the asks of one call, before anybody puts it into words."""

    rule: Rule | DenyRule | None
    """The rule that allows or denies, or the nearest; None where none takes in the row."""
    refused: tuple[Ask, ...] = ()
    code: Code | None = None
    """Why it is refused; None where it is allowed."""


def rule_on(operation: Operation, asks: tuple[Ask, ...], policy: Policy, client: Client | None) -> Ruling:
    """Judge the asks of one call. Pure: the same arguments give the same ruling."""
    for denial in policy.denies_for(operation.name):
        denied = _denied_asks(denial, asks)
        if denied or not denial.asking:
            return Ruling(denial, denied, "denied_by_rule")
    nearest: tuple[Rule, tuple[Ask, ...]] | None = None
    for rule in policy.rules_for(operation.name, client):
        refused = tuple(ask for ask in asks if not covers(rule, ask))
        if not refused:
            return Ruling(rule)
        if nearest is None or len(refused) < len(nearest[1]):
            nearest = (rule, refused)
    if nearest is not None:
        owned = all(ask.kind in OWNERSHIP_KINDS for ask in nearest[1])
        return Ruling(*nearest, "not_owner" if owned else "ask_refused")
    if operation.always and not asks:
        return Ruling(None)
    return Ruling(None, _powers(asks), "no_rule")


def decide(
    operation: Operation, asks: tuple[Ask, ...], forward: Forward, policy: Policy, client: Client | None
) -> Allow | Deny:
    """The verdict on one call: the ruling, and where it is refused what the client is told."""
    rule, refused, code = rule_on(operation, asks, policy, client)
    if code is None:
        return Allow(ALWAYS if rule is None else rule.id, asks, forward)
    if rule is None:
        return deny_row(operation, policy, asks)
    if isinstance(rule, DenyRule):
        return _deny_by_rule(operation, rule, asks, refused)
    return _deny_asks(operation, policy, rule, refused, asks, code)


def _powers(asks: tuple[Ask, ...]) -> tuple[Ask, ...]:
    """What a new rule would have to grant besides the row."""
    return tuple(ask for ask in asks if KINDS[ask.kind].section == "grant" and not ask.plain)


def deny_row(operation: Operation, policy: Policy, asks: tuple[Ask, ...] = ()) -> Deny:
    """The denial of a row that no rule allows. Refused is what a new rule would have to grant besides the row."""
    advice = fix(None, asks, operation, policy)
    return Deny(
        code="no_rule",
        status=403,
        message=_sentence(
            f"no rule of policy `{policy.name}` allows {operation.method} {operation.template}", advice.one_line
        ),
        asks=asks,
        refused=_powers(asks),
        fix=advice.block,
    )


def unconditional_deny(operation: Operation, policy: Policy) -> Deny | None:
    """The denial of a row that a `deny` takes in whatever is asked; None where there is none."""
    for denial in policy.denies_for(operation.name):
        if not denial.asking:
            return _deny_by_rule(operation, denial, (), ())
    return None


def _denied_asks(denial: DenyRule, asks: tuple[Ask, ...]) -> tuple[Ask, ...]:
    return tuple(ask for ask in asks if ask.kind in denial.asking and matches_any(denial.asking[ask.kind], ask))


def _deny_by_rule(operation: Operation, denial: DenyRule, asks: tuple[Ask, ...], denied: tuple[Ask, ...]) -> Deny:
    what = f", asking {_listed(denied)}" if denied else ""
    because = f": {printable(denial.because)}" if denial.because else ""
    return Deny(
        code="denied_by_rule",
        status=403,
        message=_sentence(f"rule `{denial.id}` denies {operation.method} {operation.template}{what}{because}", ""),
        asks=asks,
        refused=denied,
        rule=denial.id,
    )


def _deny_asks(
    operation: Operation, policy: Policy, rule: Rule, refused: tuple[Ask, ...], asks: tuple[Ask, ...], code: Code
) -> Deny:
    advice = fix(rule, refused, operation, policy)
    verb = "does not cover" if len(refused) > 1 else "does not allow"
    return Deny(
        code=code,
        status=403,
        message=_sentence(f"{_listed(refused)}, which rule `{rule.id}` {verb}", advice.one_line),
        asks=asks,
        refused=refused,
        rule=rule.id,
        fix=advice.block,
    )


def _listed(asks: Sequence[Ask]) -> str:
    """``HostConfig.Privileged asks `privileged: container` ``, for the first few."""
    shown = "; ".join(f"{printable(ask.where, 120)} asks `{printable(str(ask), 240)}`" for ask in asks[:_SHOWN_ASKS])
    left = len(asks) - _SHOWN_ASKS
    return shown + (f" and {left} more" if left > 0 else "")


def _sentence(problem: str, remedy: str) -> str:
    return f"sockproxy: {problem}" + (f"; {remedy}" if remedy else "")
