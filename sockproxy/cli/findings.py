"""What `explain` shows of one verdict: every ask, what covers it and on which line, or what is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from sockproxy.cli.screen import table
from sockproxy.docker.asks import KINDS
from sockproxy.model import Absent, Allow, Ask, Deny, Verdict
from sockproxy.printable import printable

if TYPE_CHECKING:
    from sockproxy.docker.operations import Operation
    from sockproxy.policy.load import DenyRule, Policy, Rule

_COLOURS: Final = {"yes": "green", "NO": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One ask, and what the policy says to it."""

    ask: Ask
    covered: bool
    by: str
    """What covers it, or what is missing."""
    place: str
    """``file:line`` of that, empty where nothing in a file speaks of it."""


def findings(policy: Policy, verdict: Verdict) -> list[Finding]:
    """Each ask of a verdict, with what covers it or what is missing."""
    rule = rule_of(policy, verdict)
    refused = verdict.refused if isinstance(verdict, Deny) else ()
    return [_finding(ask, rule, refused=ask in refused) for ask in verdict.asks]


def rule_of(policy: Policy, verdict: Verdict) -> Rule | DenyRule | None:
    """The rule that a verdict names: the one that allows, the nearest, or the one that denies."""
    rules: tuple[Rule | DenyRule, ...] = policy.rules
    match verdict:
        case Allow(rule=name):
            pass
        case Deny(code=code, rule=name):
            rules = policy.deny_rules if code == "denied_by_rule" else rules
        case Absent():
            return None
    return next((rule for rule in rules if rule.id == name), None)


def _finding(ask: Ask, rule: Rule | DenyRule | None, *, refused: bool) -> Finding:
    from sockproxy.policy.load import DenyRule

    if rule is None:
        return Finding(ask, covered=False, by="no rule allows this endpoint", place="")
    if isinstance(rule, DenyRule):
        by = f"rule `{rule.id}` denies it" if refused else "is not what is denied"
        return Finding(ask, covered=not refused, by=by, place=str(rule.place))
    if not ask.grantable:
        return Finding(ask, covered=False, by="no policy can allow it", place="")
    return _refused(ask, rule) if refused else _covered(ask, rule)


def _covered(ask: Ask, rule: Rule) -> Finding:
    from sockproxy.policy.match import covering

    if (pattern := covering(rule, ask)) is not None:
        return Finding(ask, covered=True, by=f"{ask.kind}: {pattern.text}", place=pattern.place)
    match KINDS[ask.kind].section:
        case "grant":
            by = "every container has it"
        case "only":
            by = f"free: the rule holds no `{ask.kind}`"
        case "limit" if ask.value in rule.limit:
            by = f"limit: {_limit(rule, ask)}"
        case "limit":
            by = f"free: the rule has no `limit: {ask.value}`"
        case "require":
            by = f"not required: the rule has no `require: {ask.value}`"
    return Finding(ask, covered=True, by=by, place=_place(rule, ask))


def _refused(ask: Ask, rule: Rule) -> Finding:
    match KINDS[ask.kind].section:
        case "grant":
            given = _texts(rule.grant.get(ask.kind, ()))
            by = f"granted is only {given}" if given else f"no `{ask.kind}` is granted"
        case "only":
            by = f"held to {_texts(rule.only.get(ask.kind, ())) or 'none'}"
        case "limit":
            by = f"limit: {_limit(rule, ask)}" + (", and none is set" if ask.amount is None else "")
        case "require":
            by = f"require: {ask.value}"
    return Finding(ask, covered=False, by=by, place=_place(rule, ask))


def _limit(rule: Rule, ask: Ask) -> str:
    from sockproxy.policy.suggest import size

    return f"{ask.value} {size(ask.value, rule.limit[ask.value])}"


def _texts(patterns: Any) -> str:
    return ", ".join(pattern.text for pattern in patterns)


def _place(rule: Rule, ask: Ask) -> str:
    """Where the rule speaks of the kind, the limit or the requirement; empty where it does not."""
    key = ask.value if ask.kind in {"limit", "require"} else ask.kind
    return str(rule.places.get(key, ""))


# Showing it


def show(asked: str, operation: Operation | None, verdict: Verdict, policy: Policy) -> None:
    """One request, for a person."""
    click.echo(f"{printable(asked)}  ({operation_name(operation)}, policy `{policy.name}`)")
    for line in headline(verdict, policy):
        click.echo(line)
    if rows := asks_table(findings(policy, verdict)):
        click.echo("\n" + "\n".join(rows))
    if isinstance(verdict, Deny) and verdict.fix:
        click.echo(f"\nto allow it:\n\n{verdict.fix}")


def operation_name(operation: Operation | None) -> str:
    """The row's name, or that there is none."""
    return operation.name if operation is not None else "no endpoint that is known"


def asks_table(found: Sequence[Finding]) -> list[str]:
    """A line for each ask, those that are not covered first, under a heading; nothing where nothing is asked."""
    rows = [_cells(each) for each in sorted(found, key=lambda each: each.covered)]
    return table([("covered", "ask", "where", "by"), *rows], colours=_COLOURS, indent="  ") if rows else []


def _cells(found: Finding) -> tuple[str, ...]:
    where = f" ({near(found.place)})" if found.place else ""
    covered = "yes" if found.covered else "NO"
    return covered, printable(str(found.ask)), printable(found.ask.where), found.by + where


def near(place: str) -> str:
    """A place in a preset without the folder that presets are in."""
    from sockproxy.policy import presets

    return place.removeprefix(f"{presets.folder()}/")


def headline(verdict: Verdict, policy: Policy) -> list[str]:
    """The verdict in a line or two."""
    rule = rule_of(policy, verdict)
    place = f" ({near(str(rule.place))})" if rule is not None else ""
    match verdict:
        case Allow(rule=name):
            return [click.style("allowed", fg="green", bold=True) + f" by rule `{name}`{place}"]
        case Deny():
            word = "denied by" if verdict.code == "denied_by_rule" else "the nearest is"
            nearest = f"; {word} rule `{verdict.rule}`{place}" if verdict.rule else ""
            head = click.style("refused", fg="red", bold=True) + f": {verdict.status} {verdict.code}{nearest}"
            return [head, printable(verdict.message, 4096)]
        case Absent():
            head = click.style("not there", fg="yellow", bold=True) + f": the engine answers {verdict.missing.status}"
            return [head, printable(verdict.missing.message)]


def as_json(asked: str, operation: Operation | None, verdict: Verdict, policy: Policy) -> None:
    """One request, for a program."""
    told = {"policy": {"name": policy.name, "digest": policy.digest}, **fields_of(asked, operation, verdict, policy)}
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def fields_of(asked: str, operation: Operation | None, verdict: Verdict, policy: Policy) -> dict[str, Any]:
    """A request and its verdict, as JSON has it."""
    asks = [
        {
            "kind": each.ask.kind,
            "value": each.ask.shown,
            "where": each.ask.where,
            "covered": each.covered,
            "by": each.by,
            "place": each.place or None,
        }
        for each in findings(policy, verdict)
    ]
    name = operation.name if operation is not None else None
    return {"request": asked, "operation": name, **_verdict_fields(verdict), "asks": asks}


def _verdict_fields(verdict: Verdict) -> dict[str, str | int | None]:
    """The verdict's own fields, by the names of the audit line; every verdict has all of them."""
    fields: dict[str, str | int | None] = dict.fromkeys(("verdict", "code", "status", "rule", "message", "fix"))
    match verdict:
        case Allow(rule=rule):
            return {**fields, "verdict": "allow", "rule": rule}
        case Deny(code=code, status=status, rule=rule, message=message, fix=fix):
            told = {"code": code, "status": status, "rule": rule, "message": message, "fix": fix or None}
            return {**fields, "verdict": "deny", **told}
        case Absent(missing=missing):
            return {**fields, "verdict": "absent", "status": missing.status, "message": missing.message}
