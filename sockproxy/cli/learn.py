"""`sockproxy learn`: the smallest policy that allows what was seen, from an audit log or while clients work."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sockproxy.cli.options import Several, client_option, engine_option, listen_option
from sockproxy.cli.trailing import Trailing, trailing_command
from sockproxy.errors import ConfigurationError, PolicyError

if TYPE_CHECKING:
    from sockproxy.learn import Collected, Learned
    from sockproxy.proxy.gateway import Witnessed
    from sockproxy.proxy.server import Settings

_SHOWN: Final = 10
"""Calls or words that are named where a proof fails."""


@click.command(cls=Trailing)
@click.argument("files", nargs=-1, metavar="[AUDIT-FILE|-]... | [-- COMMAND...]", type=click.Path())
@engine_option("Without files: the engine to stand in front of, observing, while clients work.")
@listen_option
@click.option(
    "--audit",
    multiple=True,
    type=Several(),
    metavar="FILE|-",
    envvar="SOCKPROXY_AUDIT",
    show_envvar=True,
    help="Without files: keep the audit lines, too, to learn from them again.",
)
@client_option("Learn from the calls of this client alone.")
@click.option(
    "--name",
    default="learned",
    envvar="SOCKPROXY_LEARN_NAME",
    show_default=True,
    show_envvar=True,
    help="The policy's name.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SOCKPROXY_LEARN_OUTPUT",
    show_envvar=True,
    help="Where the policy is written; without it, standard output. A file that is there is not overwritten.",
)
@click.option(
    "-f",
    "--force",
    is_flag=True,
    envvar="SOCKPROXY_LEARN_FORCE",
    show_envvar=True,
    help="Overwrite the file of --output.",
)
def learn(
    files: tuple[str, ...],
    engine: str,
    listen: tuple[str, ...],
    audit: tuple[str, ...],
    client: str | None,
    name: str,
    output: Path | None,
    force: bool,
) -> None:
    """Write the smallest policy that allows what was seen, and prove it.

    With audit files: the calls in them. Without: sockproxy stands in front of the engine, refuses nothing that a rule
    could allow, and writes what clients did when it is ended (Ctrl-C, SIGTERM). With `-- COMMAND`: it runs the command
    with DOCKER_HOST set, and writes what that did when it ends.

    Exit codes: 0 fine, 1 the proof failed or the command did (the policy is written all the same), 2 a mistake, or
    nothing was seen.
    """
    from sockproxy.learn import learn as learned_from

    command = trailing_command()
    if files and command is not None:
        raise click.UsageError("audit files and a command: learn from one or the other")
    if output is not None and output.exists() and not force:
        raise ConfigurationError(f"`{output}` is there already: name another file, or overwrite it with --force")
    status = 0
    if files:
        collected = _read(files, client)
    else:
        collected, status = asyncio.run(_watch(_settings(engine, listen, audit), command, client))
    try:
        done = learned_from(collected, name=name)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    except PolicyError as error:
        less = "learn from less: one client (--client), or fewer audit files"
        raise ConfigurationError(f"what was seen makes no policy that can be loaded: {error}; {less}") from None
    _write(done, output)
    click.get_current_context().exit(_report(done, collected) or (1 if status else 0))


@dataclass(slots=True)
class _Reading:
    """What is learned from audit lines, one after the other."""

    collected: Collected
    client: str | None
    lines: int = 0
    calls: int = 0
    bad: int = 0
    first_bad: int = 0
    why: str = ""

    def feed(self, line: bytes) -> None:
        from sockproxy.records import BadRecord, is_end, read

        self.lines += 1
        if is_end(line) or not line.strip():
            return
        try:
            record = read(line)
        except BadRecord as error:
            self.bad += 1
            if self.bad == 1:
                self.first_bad, self.why = self.lines, str(error)
            return
        self.calls += 1
        if self.client in (None, record.client):
            self.collected.record(record)


def _read(files: tuple[str, ...], client: str | None) -> Collected:
    """What audit files hold.

    Raises:
        ConfigurationError: one cannot be read, or holds no audit line.
    """
    from sockproxy.cli.auditfiles import read_lines
    from sockproxy.learn import Collected

    reading = _Reading(Collected(), client)
    places = read_lines(files, reading.feed, label="reading")
    if reading.bad:
        first = f"{places.of(reading.first_bad)}: {reading.why}"
        if not reading.calls:
            raise ConfigurationError(f"no audit line of sockproxy's in {', '.join(files)}: {first}")
        said = "line is no audit line of sockproxy's, and was" if reading.bad == 1 else _ARE_NONE
        click.echo(f"{reading.bad:,} {said} left out; the first: {first}", err=True)
    return reading.collected


_ARE_NONE: Final = "lines are no audit lines of sockproxy's, and were"


def _settings(engine: str, listen: tuple[str, ...], audit: tuple[str, ...]) -> Settings:
    from sockproxy.proxy.server import Settings

    # Whatever the policy, what it would refuse goes on; this one has no `deny`.
    return Settings(policy="read-only", engine=engine, listen=listen, audit=audit, observe=True, grace_seconds=3.0)


async def _watch(settings: Settings, command: Sequence[str] | None, client: str | None) -> tuple[Collected, int]:
    """What clients do until somebody ends it, or what a command does, and the command's exit status."""
    from sockproxy.learn import Collected
    from sockproxy.proxy.server import running

    collected = Collected()

    def witness(witnessed: Witnessed) -> None:
        name = _whose(witnessed)
        if client in (None, name):
            _take_in(collected, witnessed, name)

    async with running(settings, witness=witness) as server:
        address = server.addresses[0]
        click.secho(f"observing on {', '.join(server.addresses)}: nothing is refused that a rule could allow", err=True)
        if command is not None:
            return collected, await _run(command, address)
        click.echo(f"  export DOCKER_HOST={address}      # then work as ever, and end this with Ctrl-C", err=True)
        await _until_ended()
    return collected, 0


def _whose(witnessed: Witnessed) -> str:
    """Who sent it: its address, or the user of a Unix socket."""
    peer = witnessed.peer
    if peer.ip is not None:
        return peer.ip
    return witnessed.client if peer.uid is None else f"uid {peer.uid}"


def _take_in(collected: Collected, witnessed: Witnessed, client: str) -> None:
    from sockproxy.learn.evidence import word_of

    now = datetime.now(UTC).isoformat()
    verdict = witnessed.verdict
    collected.add(witnessed.operation, verdict.asks, client=client, verdict=word_of(verdict), time=now)


async def _run(command: Sequence[str], address: str) -> int:
    """Run a command to its end, with this as its engine; its exit status.

    Raises:
        ConfigurationError: there is no such command.
    """
    variables = {**os.environ, "DOCKER_HOST": address}
    variables.pop("DOCKER_CONTEXT", None)  # it would win over DOCKER_HOST
    try:
        process = await asyncio.create_subprocess_exec(*command, env=variables)
    except OSError as error:
        raise ConfigurationError(f"cannot run `{command[0]}`: {error.strerror}") from None
    # Ctrl-C reaches the command too, which ends by it or not as it likes.
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_signal_handler(signal.SIGTERM, process.terminate)
    return await process.wait()


async def _until_ended() -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()


def _write(done: Learned, output: Path | None) -> None:
    if output is None:
        click.echo(done.text, nl=False)
        return
    try:
        output.write_text(done.text, encoding="utf-8")
    except OSError as error:
        # What was learned may have taken days: it is printed rather than lost.
        click.echo(done.text, nl=False)
        raise ConfigurationError(f"cannot write `{output}`: {error.strerror}; the policy is printed instead") from None


def _report(done: Learned, collected: Collected) -> int:
    """What the proof came to, on standard error; the exit code."""
    proof = done.proof
    for count, words in (
        (collected.refused, "were refused when they were recorded"),
        (collected.partial, "are not whole in the audit log"),
        (collected.beyond, "were too many different ones"),
    ):
        if count:
            click.echo(f"not learned from: {count:,} calls that {words}", err=True)
    if proof.holds:
        click.secho(
            f"proved: all {proof.calls:,} calls are allowed, and each of {proof.words} endpoints and patterns is needed"
            " by some of them",
            fg="green",
            err=True,
        )
        return 0
    for seen in proof.refused[:_SHOWN]:
        asks = ", ".join(map(str, seen.asks))
        click.secho(
            f"not allowed: {seen.operation.method} {seen.operation.template}, asking {asks}", fg="red", err=True
        )
    for word in proof.spare[:_SHOWN]:
        click.secho(f"not needed: {word}", fg="yellow", err=True)
    return 1 if proof.refused else 0
