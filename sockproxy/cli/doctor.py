"""`sockproxy doctor`: what is wrong with this set-up, and the line that puts it right."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from sockproxy.cli.drop_in import drop_in, settings
from sockproxy.cli.options import (
    admin_option,
    audit_option,
    dialect_option,
    engine_in_front_option,
    host_root_option,
    listen_option,
    observe_option,
    own_container_option,
    policy_option,
)

if TYPE_CHECKING:
    from sockproxy.classic.variables import Dialect
    from sockproxy.doctor import Finding, Level

_MARKS: Final[dict[Level, tuple[str, str]]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "problem": ("✗", "red"),
}
_SILENT: Final = logging.NullHandler()
"""Takes the warnings that `run` would log: each is a finding here."""


@click.command()
@policy_option
@engine_in_front_option
@listen_option
@admin_option
@audit_option
@own_container_option
@host_root_option
@observe_option
@dialect_option
@click.option(
    "--client",
    metavar="tcp://HOST:PORT|unix://PATH",
    envvar="SOCKPROXY_DOCTOR_CLIENT",
    show_envvar=True,
    help="Look from a client's side instead: who answers there, and can a client begin?",
)
@click.option("--json", "as_json", is_flag=True, envvar="SOCKPROXY_JSON", show_envvar=True, help="Print JSON.")
def doctor(dialect: Dialect | None, client: str | None, as_json: bool, **options: Any) -> None:
    """Look for what is wrong where sockproxy runs, or is about to: each problem with the one line that puts it right.

    Give it the options and the environment of `sockproxy run`, and let the same user run it. It writes and changes
    nothing.

    Exit codes: 0 fine (warnings too), 1 there is a problem, 2 a mistake in the usage.
    """
    from sockproxy.doctor import examine, examine_client

    logging.getLogger("sockproxy").addHandler(_SILENT)
    findings = examine(settings(drop_in(dialect), **options)) if client is None else examine_client(client)
    (_print_json if as_json else _print)(findings)
    click.get_current_context().exit(1 if _count(findings, "problem") else 0)


def _count(findings: Sequence[Finding], level: Level) -> int:
    return sum(finding.level == level for finding in findings)


def _print(findings: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        mark, colour = _MARKS[finding.level]
        click.echo(f"{click.style(mark, fg=colour)} {finding.check:<{width}}  {finding.what}")
        if finding.fix:
            click.echo(f"{'fix: ':>{width + 4}}{click.style(finding.fix, bold=True)}")
    problems, warnings = _count(findings, "problem"), _count(findings, "warning")
    colour = "red" if problems else "yellow" if warnings else "green"
    click.secho(f"{_several(problems, 'problem')}, {_several(warnings, 'warning')}", fg=colour, bold=True)


def _several(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def _print_json(findings: Sequence[Finding]) -> None:
    import dataclasses
    import json

    told = {
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "problems": _count(findings, "problem"),
        "warnings": _count(findings, "warning"),
    }
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))
