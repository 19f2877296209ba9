"""Options that more than one verb has, and the kinds of values that click does not know."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

import click

from sockproxy.cli import completers

DEFAULT_POLICY: Final = "read-only"
DEFAULT_ENGINE: Final = "unix:///var/run/docker.sock"
DEFAULT_LISTEN: Final = "tcp://127.0.0.1:2375"
DEFAULT_ADMIN: Final = "tcp://127.0.0.1:9375"
DIALECTS: Final = ("tecnativa", "tecnativa-edge", "linuxserver")
"""As in `sockproxy.classic.variables`, which `--help` need not load."""
LEVELS: Final = ("debug", "info", "warning", "error", "critical")


class Several(click.types.StringParamType):
    """A word of an option that can be given more than once; in the variable, spaces or commas stand between them."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """The words of an environment variable."""
        return re.split(r"[\s,]+", rv.strip(" \t\n,"))


class Lines(click.types.StringParamType):
    """The same for words that hold spaces: in the variable, each stands on a line."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """The lines of an environment variable."""
        return [line for line in rv.splitlines() if line.strip()]


class Seconds(click.FloatRange):
    """A time: more than nothing, at most a year."""

    name = "seconds"

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True, max=366 * 24 * 3600)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A number that is one: `nan` compares with nothing, so the range alone would let it pass."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


policy_option = click.option(
    "--policy",
    metavar="NAME|FILE",
    shell_complete=completers.policies,
    default=DEFAULT_POLICY,
    envvar="SOCKPROXY_POLICY",
    show_default=True,
    show_envvar=True,
    help="A preset's name (see `sockproxy presets`) or a file.",
)


def engine_option(words: str) -> Callable[[Any], Any]:
    """The engine, with the help that the verb gives it."""
    return click.option(
        "--engine",
        metavar="unix://PATH|tcp://HOST:PORT",
        default=DEFAULT_ENGINE,
        envvar="SOCKPROXY_ENGINE",
        show_default=True,
        show_envvar=True,
        help=words,
    )


engine_in_front_option = engine_option(
    "Where the Docker Engine listens. DOCKER_HOST is not read: it may well name sockproxy itself."
)


def _absolute(_context: click.Context, _param: click.Parameter, path: str | None) -> str | None:
    """A folder by its whole path: behind `check --host-root`, a policy's name would be taken for one."""
    if path and not path.startswith("/"):
        raise click.BadParameter(f"`{path}` is no absolute path: write where the host's root is mounted, such as /host")
    return path or None


dialect_option = click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    envvar="SOCKPROXY_DIALECT",
    show_envvar=True,
    help="Whose meaning a classic proxy's variables have; told by themselves where it is not given.",
)

host_root_option = click.option(
    "--host-root",
    metavar="FOLDER",
    callback=_absolute,
    envvar="SOCKPROXY_HOST_ROOT",
    show_envvar=True,
    help="Where the host's / is mounted, read-only: a bind is judged, and forwarded, as where its symbolic links lead.",
)

admin_option = click.option(
    "--admin",
    metavar="tcp://HOST:PORT|none",
    default=DEFAULT_ADMIN,
    envvar="SOCKPROXY_ADMIN",
    show_default=True,
    show_envvar=True,
    help="Where health, metrics and the live page are.",
)

listen_option = click.option(
    "--listen",
    multiple=True,
    type=Several(),
    metavar="tcp://HOST:PORT|unix://PATH[?mode=0660&group=NAME]",
    default=(DEFAULT_LISTEN,),
    envvar="SOCKPROXY_LISTEN",
    show_default=True,
    show_envvar=True,
    help="Where clients connect. Repeatable; in the variable, spaces or commas stand between addresses.",
)

audit_option = click.option(
    "--audit",
    multiple=True,
    type=Several(),
    metavar="FILE|-",
    default=("-",),
    envvar="SOCKPROXY_AUDIT",
    show_default=True,
    show_envvar=True,
    help="Where the audit log goes; `-` is standard output. Repeatable, as --listen.",
)


def client_option(words: str) -> Callable[[Any], Any]:
    """One of the policy's clients, with the help that the verb gives it."""
    return click.option(
        "--client",
        metavar="NAME",
        shell_complete=completers.clients,
        envvar="SOCKPROXY_CLIENT",
        show_envvar=True,
        help=words,
    )


own_container_option = click.option(
    "--own-container",
    metavar="NAME|ID",
    envvar="SOCKPROXY_OWN_CONTAINER",
    show_envvar=True,
    help="The container that sockproxy runs in, which nobody may touch; found out where it can be.",
)

observe_option = click.option(
    "--observe",
    is_flag=True,
    envvar="SOCKPROXY_OBSERVE",
    show_envvar=True,
    help="Forward what a rule could allow, and record it as would_deny; as `mode: observe` in a policy says.",
)
