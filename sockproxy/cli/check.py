"""`sockproxy check`: a policy's mistakes, and what it gives away."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from sockproxy.cli.options import DEFAULT_POLICY, host_root_option
from sockproxy.errors import PolicyError

if TYPE_CHECKING:
    from sockproxy.policy.load import Policy


@click.command()
@click.argument("policies", nargs=-1, metavar="[NAME|FILE]...")
@click.option(
    "--tests",
    is_flag=True,
    envvar="SOCKPROXY_CHECK_TESTS",
    show_envvar=True,
    help="Run the tests that stand in it, too.",
)
@host_root_option
def check(policies: tuple[str, ...], tests: bool, host_root: str | None) -> None:
    """Read policies, and say what they give away: with --host-root, where symbolic links are seen. It is not read.

    Every mistake is printed as file:line:column. Without a name: the policy of SOCKPROXY_POLICY, or read-only.

    Exit codes: 0 fine, 1 a test failed (--tests), 2 a policy has mistakes.
    """
    worst = 0
    for source in policies or (os.environ.get("SOCKPROXY_POLICY") or DEFAULT_POLICY,):
        worst = max(worst, _check(source, tests=tests, host_root=host_root is not None))
    click.get_current_context().exit(worst)


def _check(source: str, *, tests: bool, host_root: bool) -> int:
    """Check one policy; its exit code."""
    from sockproxy.policy.load import load

    try:
        policy = load(source)
    except PolicyError as error:
        click.echo(str(error), err=True)
        return 2
    click.secho(f"{source}: ok", bold=True)
    for line in sheet(policy, host_root=host_root):
        click.echo(f"  {line}")
    return _run_tests(policy) if tests else 0


def sheet(policy: Policy, *, host_root: bool = False) -> list[str]:
    """What to know of a policy before it is used, a line each: what it is, its roads to the host, its warnings."""
    from sockproxy.policy.review import review

    found = review(policy, host_root=host_root)
    rules = len(policy.rules) + len(policy.deny_rules)
    lines = [f"policy `{policy.name}`, digest {policy.digest[:12]}, {rules} rules, {len(policy.tests)} tests"]
    lines += [f"road to the host: {road}" for road in found.roads]
    lines += [f"warning: {warning}" for warning in found.warnings]
    return [*lines, *found.verdict]


def _run_tests(policy: Policy) -> int:
    from sockproxy.cli.test import failure
    from sockproxy.rehearse import run

    outcomes = run(policy)
    failed = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in failed:
        click.echo("\n".join(f"  {line}" for line in failure(policy, outcome)))
    click.echo(f"  tests: {len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0
