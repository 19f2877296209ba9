"""`sockproxy test`: run the tests that stand in policies, and in files of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sockproxy.cli import completers
from sockproxy.cli.screen import shortened, width
from sockproxy.errors import ConfigurationError, PolicyError, Problem

if TYPE_CHECKING:
    from sockproxy.cli.junit import Report
    from sockproxy.model import Verdict
    from sockproxy.policy.rules import Client, Policy, PolicyTest, Suite
    from sockproxy.rehearse import Outcome


@click.command()
@click.argument("sources", nargs=-1, metavar="[NAME|FILE|FOLDER]...", shell_complete=completers.policies)
@click.option(
    "-k",
    "word",
    metavar="WORD",
    default="",
    envvar="SOCKPROXY_TEST_WORD",
    show_envvar=True,
    help="Run those tests alone that have this in their name, or in their policy's.",
)
@click.option(
    "--junit-xml",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True),
    envvar="SOCKPROXY_JUNIT_XML",
    show_envvar=True,
    help="Write what was found to a file as well, as JUnit XML.",
)
@click.option(
    "-v", "--verbose", is_flag=True, envvar="SOCKPROXY_VERBOSE", show_envvar=True, help="A line for every test."
)
def test(sources: tuple[str, ...], word: str, junit_xml: str | None, verbose: bool) -> None:
    """Run the tests that stand in policies: of all presets, where none is named.

    A file whose name ends in .policy-test.yaml holds tests of a policy that it names; of a folder, each such file in
    and below it is run. Nothing is sent anywhere. A test with a command line (`run:`) is skipped, and said to be,
    where the command is not installed.

    Exit codes: 0 all passed, 1 one failed, 2 a file has mistakes, or there was nothing to run.
    """
    from sockproxy.policy import presets

    reports = [_run(source, word=word, verbose=verbose) for source in _each(sources or presets.names())]
    code = _close(reports)
    if junit_xml is not None:
        _write(junit_xml, reports)
    if word and not any(report.ran or report.broken for report in reports):
        raise click.UsageError(f"no test has `{word}` in its name")
    click.get_current_context().exit(code)


def _each(sources: tuple[str, ...]) -> Iterator[str]:
    """Each policy and each file of tests, those of folders in their order."""
    from sockproxy.policy import presets
    from sockproxy.policy.testing import SUFFIX

    for source in sources:
        folder = Path(source)
        if presets.path(source) is not None or not folder.is_dir():
            yield source
            continue
        found = sorted(str(file) for file in folder.rglob(f"*{SUFFIX}"))
        if not found:
            raise PolicyError((Problem(source, 0, 0, f"no file of tests in this folder: their names end in {SUFFIX}"),))
        yield from found


def load_suite(source: str) -> Suite:
    """The tests of a file of their own, or those that stand in a policy.

    Raises:
        PolicyError: with every mistake in it.
    """
    from sockproxy.policy.load import load, load_tests
    from sockproxy.policy.rules import Suite
    from sockproxy.policy.testing import SUFFIX

    if source.endswith(SUFFIX):
        return load_tests(source)
    policy = load(source)
    return Suite(policy.name, policy, policy.tests)


def run_command(test: PolicyTest, policy: Policy, client: Client | None) -> Sequence[Verdict]:
    """Run the command line of a test, against an engine that is pretended: the verdict on each call that it makes.

    Raises:
        Unable: the command is not installed here.
        ConfigurationError: it is another engine's, or ended with an error before it asked anything.
    """
    from sockproxy.dryrun import CommandMissing, rehearse
    from sockproxy.rehearse import Unable

    try:
        return rehearse(test.command, policy=policy, client=client, engine=test.engine)
    except CommandMissing:
        raise
    except Unable as error:
        # A command with a mistake in it would be skipped for ever.
        raise ConfigurationError(str(error)) from None


def _run(source: str, *, word: str, verbose: bool) -> Report:
    """Run what a source has, and show it as it goes."""
    from sockproxy.cli.junit import Ran, Report
    from sockproxy.rehearse import run_test

    try:
        suite = load_suite(source)
    except PolicyError as error:
        click.echo(str(error), err=True)
        return Report(source, broken=str(error))
    ran: list[Ran] = []
    for each in suite.tests:
        if word.lower() not in f"{suite.name} {each.name}".lower():
            continue
        started = time.perf_counter()
        outcome = run_test(each, suite.policy, run_command)
        ran.append(Ran(outcome, time.perf_counter() - started))
    report = Report(suite.name, tuple(ran))
    _show(report, verbose=verbose, picked=bool(word))
    return report


def _show(report: Report, *, verbose: bool, picked: bool) -> None:
    """A line of dots, or one line for every test; nothing where -k picked none."""
    outcomes = [ran.outcome for ran in report.ran]
    if not verbose:
        dots = "".join("F" if outcome.problem else "s" if outcome.skipped else "." for outcome in outcomes)
        if dots or not picked:
            click.echo(f"{report.name} {dots or '(no tests)'}")
        return
    for outcome in outcomes:
        word = "FAILED" if outcome.problem else "SKIPPED" if outcome.skipped else "PASSED"
        why = f": {outcome.skipped}" if outcome.skipped else ""
        click.echo(f"{click.style(word, fg=_COLOURS[word])} {_title(report.name, outcome)}{why}")


_COLOURS = {"PASSED": "green", "FAILED": "red", "SKIPPED": "yellow"}


def failure(name: str, outcome: Outcome) -> list[str]:
    """What a failed test says: where it stands, what it asked, what was expected and what came."""
    return [
        f"FAILED {_title(name, outcome)}",
        f"    {shortened(outcome.test.asked, width() - 4)}",
        f"    {outcome.problem}",
    ]


def skip(name: str, outcome: Outcome) -> str:
    """What a skipped test says: where it stands, and why it was not run."""
    return f"SKIPPED {_title(name, outcome)}: {outcome.skipped}"


def _title(name: str, outcome: Outcome) -> str:
    return f"{name}: {outcome.test.name} ({outcome.test.place})"


def _write(file: str, reports: list[Report]) -> None:
    from sockproxy.cli.junit import document

    try:
        Path(file).write_bytes(document(reports))
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from None


def _close(reports: list[Report]) -> int:
    """Print the failures, what was skipped and the closing line; the exit code."""
    named = [(report.name, ran.outcome) for report in reports for ran in report.ran]
    failed = [each for each in named if each[1].problem]
    skipped = [each for each in named if each[1].skipped]
    broken = any(report.broken for report in reports)
    if failed or skipped:
        click.echo()
    for name, outcome in failed:
        title, *rest = failure(name, outcome)
        click.secho(title, fg="red")
        click.echo("\n".join(rest))
    for name, outcome in skipped:
        click.secho(skip(name, outcome), fg="yellow")
    counts = f"{len(named) - len(failed) - len(skipped)} passed, {len(failed)} failed"
    counts += f", {len(skipped)} skipped" if skipped else ""
    click.secho(counts, fg="red" if failed or broken else "green", bold=True)
    return 2 if broken else 1 if failed else 0
