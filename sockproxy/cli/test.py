"""`sockproxy test`: run the tests that stand in policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sockproxy.cli.screen import shortened, width
from sockproxy.errors import PolicyError

if TYPE_CHECKING:
    from sockproxy.policy.load import Policy
    from sockproxy.rehearse import Outcome


@click.command()
@click.argument("policies", nargs=-1, metavar="[NAME|FILE]...")
@click.option(
    "-v", "--verbose", is_flag=True, envvar="SOCKPROXY_VERBOSE", show_envvar=True, help="A line for every test."
)
def test(policies: tuple[str, ...], verbose: bool) -> None:
    """Run the tests that stand in policies: of all presets, where none is named.

    Nothing is sent anywhere. Exit codes: 0 all passed, 1 one failed, 2 a policy has mistakes.
    """
    from sockproxy.policy import presets

    failures: list[str] = []
    passed = failed = 0
    broken = False
    for source in policies or presets.names():
        try:
            policy, outcomes = _outcomes(source)
        except PolicyError as error:
            click.echo(str(error), err=True)
            broken = True
            continue
        _show(policy, outcomes, verbose=verbose)
        lacking = [outcome for outcome in outcomes if not outcome.passed]
        failures += [line for outcome in lacking for line in failure(policy, outcome)]
        passed += len(outcomes) - len(lacking)
        failed += len(lacking)
    _close(failures, passed, failed, broken=broken)


def _outcomes(source: str) -> tuple[Policy, tuple[Outcome, ...]]:
    from sockproxy.policy.load import load
    from sockproxy.rehearse import run

    policy = load(source)
    return policy, run(policy)


def _show(policy: Policy, outcomes: tuple[Outcome, ...], *, verbose: bool) -> None:
    """A line of dots, or one line for every test."""
    if not verbose:
        dots = "".join("." if outcome.passed else "F" for outcome in outcomes)
        click.echo(f"{policy.name} {dots or '(no tests)'}")
        return
    for outcome in outcomes:
        word = click.style("PASSED", fg="green") if outcome.passed else click.style("FAILED", fg="red")
        click.echo(f"{word} {policy.name}: {_name(outcome)} ({outcome.test.place})")


def failure(policy: Policy, outcome: Outcome) -> list[str]:
    """What a failed test says: where it stands, what it asked, what was expected and what came."""
    test = outcome.test
    return [
        f"FAILED {policy.name}: {_name(outcome)} ({test.place})",
        f"    {test.method} {shortened(test.target, width() - 12)}",
        f"    {outcome.problem}",
    ]


def _name(outcome: Outcome) -> str:
    return outcome.test.name or f"{outcome.test.method} {outcome.test.target}"


def _close(failures: list[str], passed: int, failed: int, *, broken: bool) -> None:
    """The failures, the closing line and the exit code."""
    if failures:
        click.echo()
        for line in failures:
            click.secho(line, fg="red" if line.startswith("FAILED") else None)
    click.secho(f"{passed} passed, {failed} failed", fg="red" if failed or broken else "green", bold=True)
    click.get_current_context().exit(2 if broken else 1 if failed else 0)
