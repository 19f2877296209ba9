"""`sockproxy check`: a policy's mistakes, and what it gives away."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from sockproxy.cli import completers
from sockproxy.cli.options import DEFAULT_POLICY, host_root_option
from sockproxy.errors import PolicyError

if TYPE_CHECKING:
    from sockproxy.policy.load import Policy


@click.command()
@click.argument("policies", nargs=-1, metavar="[NAME|FILE]...", shell_complete=completers.policies)
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

    Every mistake is printed as file:line:column. Of a policy without one: what each client could do with it at worst,
    and all else that it could; what leaves more open than it looks; what can never matter.
    Without a name: the policy of SOCKPROXY_POLICY, or read-only.

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
    """What to know of a policy before it is used, a line each.

    What it is; what each client could do at most, worst first; what leaves more open than it looks, or can never
    matter; and that there is no road to the host, where there is none.
    """
    from sockproxy.policy.idle import idle
    from sockproxy.policy.review import review

    found = review(policy, host_root=host_root)
    rules = len(policy.rules) + len(policy.deny_rules)
    lines = [f"policy `{policy.name}`, digest {policy.digest[:12]}, {rules} rules, {len(policy.tests)} tests"]
    lines += [line for each in found.sheets for line in each.lines]
    lines += [f"warning: {warning}" for warning in (*found.warnings, *idle(policy))]
    return [*lines, *found.verdict]


def _run_tests(policy: Policy) -> int:
    """Run the tests that stand in a policy; the exit code."""
    from sockproxy.cli.test import failure, run_command, skip
    from sockproxy.rehearse import run

    outcomes = run(policy, run_command)
    failed = [outcome for outcome in outcomes if outcome.problem]
    skipped = [outcome for outcome in outcomes if outcome.skipped]
    for outcome in failed:
        click.echo("\n".join(f"  {line}" for line in failure(policy.name, outcome)))
    for outcome in skipped:
        click.echo(f"  {skip(policy.name, outcome)}")
    counts = f"  tests: {len(outcomes) - len(failed) - len(skipped)} passed, {len(failed)} failed"
    click.echo(counts + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failed else 0
