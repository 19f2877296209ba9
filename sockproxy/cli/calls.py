"""What `explain` shows of several calls: of a command line, of a compose file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sockproxy.cli.findings import Finding, asks_table, fields_of, findings, headline, operation_name
from sockproxy.cli.remedy import Judged, Remedy
from sockproxy.cli.screen import shortened, width
from sockproxy.model import Absent, Allow, Deny
from sockproxy.printable import printable

if TYPE_CHECKING:
    from sockproxy.policy.load import Client, Policy


def show_calls(calls: Sequence[Judged], policy: Policy) -> None:
    """Each call that is refused, or asks what a line of the policy covers; the others summed up in a line."""
    plain = Counter(operation_name(call.operation) for call in calls if _is_plain(call, policy))
    shown = [call for call in calls if not _is_plain(call, policy)]
    times = Counter((call.asked, call.verdict) for call in shown)
    for call in shown:
        if (often := times.pop((call.asked, call.verdict), 0)) > 0:
            click.echo()
            _show_call(call, policy, often)
    if plain:
        listed = ", ".join(name if often == 1 else f"{name} ({often} times)" for name, often in plain.items())
        number = sum(plain.values())
        more = "more " if shown else ""
        ask_nothing = "call that asks nothing" if number == 1 else "calls that ask nothing"
        click.echo(f"\n… and {number} {more}{ask_nothing}: {listed}")


def _is_plain(call: Judged, policy: Policy) -> bool:
    match call.verdict:
        case Deny():
            return False
        case Absent():
            return True
        case Allow():
            return not any(found.place for found in findings(policy, call.verdict))


def _show_call(call: Judged, policy: Policy, times: int) -> None:
    often = f", {times} times" if times > 1 else ""
    asked = shortened(printable(call.asked, 4096), max(width() - 40, 40))
    click.secho(f"{asked}  ({operation_name(call.operation)}{often})", bold=True)
    head, *reasons = headline(call.verdict, policy)
    click.echo(head)
    for line in asks_table(_telling(call, policy)) or reasons:
        click.echo(line)


def _telling(call: Judged, policy: Policy) -> list[Finding]:
    """The asks that are worth a line: what is not covered; where it is allowed, what a line of the policy covers.

    Where no rule allows the row nothing is covered, and what counts is what a new rule would have to grant.
    """
    found = findings(policy, call.verdict)
    if isinstance(call.verdict, Deny):
        return [each for each in found if each.ask in call.verdict.refused]
    return [each for each in found if each.covered and each.place]


def show_remedy(found: Remedy, policy: Policy, client: Client | None) -> None:
    """The block that can be pasted, and what no block gives."""
    from sockproxy.policy import presets

    if found.block:
        whole = "all of it" if not found.left else "what a policy can allow of it"
        name = Path(policy.source).name
        where = f"extends {policy.source}" if presets.path(policy.source) is not None else f"stands beside {name}"
        click.secho(f"\nto allow {whole}, in a file that {where}:\n", bold=True)
        click.echo(found.block)
    if found.block and client is not None:
        named = "".join(f", with `{identity}` among its rules" for identity in found.made if client.rules is not None)
        click.echo(f"# and the client `{client.name}`, which is not inherited{named}")
    if found.left:
        word = (
            "what no policy that extends this one gives" if found.block else "no policy that extends this one allows it"
        )
        click.secho(f"\n{word}:", bold=True)
        for words in found.left:
            click.echo(f"  - {printable(words, 4096)}")


def as_fields(calls: Iterable[Judged], policy: Policy) -> list[dict[str, Any]]:
    """The calls as JSON has them."""
    fields: list[dict[str, Any]] = []
    for call in calls:
        about = {"service": call.about} if call.about else {}
        fields.append({**about, **fields_of(call.asked, call.operation, call.verdict, policy)})
    return fields


def policy_fields(policy: Policy) -> dict[str, str]:
    """The policy as JSON has it."""
    return {"name": policy.name, "digest": policy.digest}


def remedy_fields(found: Remedy) -> dict[str, Any]:
    """The remedy as JSON has it."""
    return {"fix": found.block or None, "left": list(found.left)}


def verdict_word(calls: Iterable[Judged]) -> str:
    """``deny`` where one of them is refused, else ``allow``."""
    return "deny" if any(call.refused for call in calls) else "allow"
