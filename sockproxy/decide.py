"""The decision: does the policy cover what this call asks for? The whole story on one screen.

    1. A `deny` that takes in the row refuses, whoever asks; one with `asking` only where such a thing is asked.
    2. `/_ping` and `/version` are allowed: clients negotiate with them, and fail oddly without.
    3. Otherwise one rule alone must allow the row and cover every ask. Rules are alternatives, in no order.
    4. What no rule covers is refused, and the denial says which rule came nearest and what it lacks.

Default deny; a deny beats every allow; nothing here reads a clock, a socket or a request's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def decide(
    operation: Operation, asks: tuple[Ask, ...], forward: Forward, policy: Policy, client: Client | None
) -> Allow | Deny:
    """Judge the asks of one call. Pure: the same arguments give the same verdict."""
    for denial in policy.denies_for(operation.name):
        if denied := _denied_asks(denial, asks):
            return _deny_by_rule(operation, denial, asks, denied)
        if not denial.asking:
            return _deny_by_rule(operation, denial, asks, ())
    rules = policy.rules_for(operation.name, client)
    nearest: tuple[Rule, tuple[Ask, ...]] | None = None
    for rule in rules:
        refused = tuple(ask for ask in asks if not covers(rule, ask))
        if not refused:
            return Allow(rule.id, asks, forward)
        if nearest is None or len(refused) < len(nearest[1]):
            nearest = (rule, refused)
    if nearest is not None:
        return _deny_asks(operation, policy, *nearest, asks)
    if operation.always and not asks:
        return Allow(ALWAYS, asks, forward)
    return deny_row(operation, policy, asks)


def deny_row(operation: Operation, policy: Policy, asks: tuple[Ask, ...] = ()) -> Deny:
    """The denial of a row that no rule allows. Refused is what a new rule would have to grant besides the row."""
    powers = tuple(ask for ask in asks if KINDS[ask.kind].section == "grant" and not ask.plain)
    advice = fix(None, asks, operation, policy)
    return Deny(
        code="no_rule",
        status=403,
        message=_sentence(
            f"no rule of policy `{policy.name}` allows {operation.method} {operation.template}", advice.one_line
        ),
        asks=asks,
        refused=powers,
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
    operation: Operation, policy: Policy, rule: Rule, refused: tuple[Ask, ...], asks: tuple[Ask, ...]
) -> Deny:
    advice = fix(rule, refused, operation, policy)
    code: Code = "not_owner" if all(ask.kind in OWNERSHIP_KINDS for ask in refused) else "ask_refused"
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
