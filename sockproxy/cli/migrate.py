"""`sockproxy migrate`: another proxy's configuration as a policy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sockproxy.cli.options import dialect_option
from sockproxy.errors import ConfigurationError
from sockproxy.printable import printable

if TYPE_CHECKING:
    from sockproxy.classic.migration import Migration
    from sockproxy.classic.variables import Dialect


@click.command()
@click.option(
    "--env-file",
    metavar="FILE",
    envvar="SOCKPROXY_MIGRATE_ENV_FILE",
    show_envvar=True,
    help="The proxy's variables, as `docker run --env-file` takes them.",
)
@click.option(
    "--compose",
    metavar="FILE",
    envvar="SOCKPROXY_MIGRATE_COMPOSE",
    show_envvar=True,
    help="A compose file with one service that runs a proxy known here.",
)
@click.option(
    "--cetusguard",
    metavar="FILE",
    envvar="SOCKPROXY_MIGRATE_CETUSGUARD",
    show_envvar=True,
    help="cetusguard's file of rules.",
)
@dialect_option
@click.argument("flags", nargs=-1, type=click.UNPROCESSED, metavar="[-- -allowGET=REGEX...]")
def migrate(
    env_file: str | None,
    compose: str | None,
    cetusguard: str | None,
    dialect: Dialect | None,
    flags: tuple[str, ...],
) -> None:
    """Print the policy that another proxy's configuration comes to, and say where it is stricter.

    Read are the variables of docker-socket-proxy (Tecnativa's, linuxserver's: CONTAINERS=1 POST=0), flags and variables
    of socket-proxy (wollomatic's), and cetusguard's rules; without an option, this process's own variables.

    Exit codes: 0 fine, 1 something could not be converted, 2 a mistake in what was given.
    """
    from sockproxy.classic.migration import policy
    from sockproxy.policy.load import loads

    if sum(file is not None for file in (env_file, compose, cetusguard)) + bool(flags) > 1:
        raise ConfigurationError("give one of --env-file, --compose, --cetusguard and flags behind `--`")
    migration = _migration(env_file, compose, cetusguard, dialect, flags)
    text = policy(migration)
    loads(text)  # nothing is printed that would not load
    click.echo(text, nl=False)
    for line in _said(migration):
        click.echo(f"sockproxy: {line}", err=True)
    click.get_current_context().exit(1 if migration.lost else 0)


def _migration(
    env_file: str | None,
    compose: str | None,
    cetusguard: str | None,
    dialect: Dialect | None,
    flags: tuple[str, ...],
) -> Migration:
    from sockproxy.classic import flags as wollomatic
    from sockproxy.classic import rules_file, sources, variables

    if cetusguard is not None:
        return rules_file.migrate(_read(cetusguard), cetusguard)
    if compose is not None:
        source = sources.compose(_read(compose), compose, os.environ)
        if source.kind == "wollomatic":
            return wollomatic.migrate(source.flags, source.environment, source.labels)
        return variables.migrate(source.environment, dialect or source.dialect, all_are_meant=True)
    if flags:
        return wollomatic.migrate(flags, os.environ)
    if env_file is not None:
        return _of_variables(sources.variables(_read(env_file), env_file, os.environ), dialect, all_are_meant=True)
    return _of_variables(os.environ, dialect, all_are_meant=False)


def _of_variables(environment: Mapping[str, str], dialect: Dialect | None, *, all_are_meant: bool) -> Migration:
    """The policy of variables, whichever proxy's they are.

    Raises:
        ConfigurationError: they are none's.
    """
    from sockproxy.classic import flags as wollomatic
    from sockproxy.classic import variables

    if variables.are_set(environment, all_are_meant=all_are_meant):
        return variables.migrate(environment, dialect, all_are_meant=all_are_meant)
    if wollomatic.are_set(environment):
        return wollomatic.migrate((), environment)
    raise ConfigurationError(
        "there is nothing to migrate: no variable of a proxy that is known here is set (CONTAINERS=1, SP_ALLOW_GET=…);"
        " see `sockproxy migrate --help`"
    )


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{printable(file)} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{printable(file)} is not UTF-8 (byte {error.start})") from None


def _said(migration: Migration) -> list[str]:
    """What is worth knowing beside the policy, a line each."""
    lines = [f"not converted: {line}" for line in migration.lost]
    lines += list(migration.notes)
    lines.append(f"{len(migration.stricter)} things are stricter than before: they stand at the policy's end")
    lines.append(f"save the policy as policy.yaml and run it: {migration.command}")
    return lines
