"""`sockproxy run` in a classic proxy's place: its variables are the policy, where none is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from sockproxy.classic.migration import Migration
    from sockproxy.classic.variables import Dialect
    from sockproxy.policy.load import Policy
    from sockproxy.proxy.server import Settings

WRITTEN_TO: Final = "policy.yaml"
"""What denials call the policy: their lines are right once `sockproxy migrate` has written it there."""


def defaulted(name: str) -> bool:
    """Whether nobody gave this parameter of the running command: no option, no variable."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.DEFAULT


def drop_in(dialect: Dialect | None) -> Migration | None:
    """What the variables of a classic proxy come to; None where a policy is named, or none of them is set.

    Raises:
        ConfigurationError: one of them is wrong.
    """
    from sockproxy.classic import variables

    if not defaulted("policy") or not variables.are_set(os.environ):
        return None
    return variables.migrate(os.environ, dialect)


def settings(before: Migration | None, *, engine: str, admin: str, **options: Any) -> Settings:
    """What the options of `run`, or as many of them as a verb has, come to.

    ``before`` is what a classic proxy's variables come to: the policy, and the engine where no option names one.
    """
    from sockproxy.policy.load import load
    from sockproxy.proxy.server import Settings

    if before is not None and defaulted("engine"):
        engine = before.options.get("--engine", engine)
    return Settings(
        load=load if before is None else loader(before),
        engine=engine,
        admin=None if admin == "none" else admin,
        **options,
    )


def loader(migration: Migration) -> Callable[[str | Path], Policy]:
    """Loads the policy that a migration makes, whatever name it is asked for."""
    from sockproxy.classic.migration import policy
    from sockproxy.policy.load import loads

    text = policy(migration)
    return lambda _source: loads(text, WRITTEN_TO)


def shout(migration: Migration, listen: tuple[str, ...]) -> None:
    """Say at start whose place is taken, and what to know of it."""
    whose = f"variables of a classic proxy are set ({migration.made_of})"
    lines = [
        f"no policy is named, and {whose}: they are the policy, as {migration.read_as} reads them",
        f"it gives {len(migration.operations)} endpoints and no power over the host: see `sockproxy migrate`",
        *migration.notes,
    ]
    if defaulted("listen"):
        lines.append(
            f"the classic proxy listens on every interface, and this on {', '.join(listen)} alone: say otherwise with"
            " --listen tcp://0.0.0.0:2375 (SOCKPROXY_LISTEN)"
        )
    for line in lines:
        click.echo(f"sockproxy: {line}", err=True)
