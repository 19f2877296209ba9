"""`sockproxy run`: start the proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from sockproxy.cli.drop_in import defaulted, drop_in, settings, shout
from sockproxy.cli.options import (
    LEVELS,
    Seconds,
    Several,
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
from sockproxy.proxy.limits import Limits

LIMITS: Final = (
    ("connections", "Open connections, tunnels among them; one more is answered 503."),
    ("head_seconds", "From the first byte of a request's head to its last."),
    ("body_bytes", "The longest JSON body that is read."),
    ("body_seconds", "For such a body to arrive."),
    ("idle_seconds", "How long a connection may lie idle between requests. Streams have no such limit."),
    ("drain_seconds", "How long a refused body is read on, so that its sender can read why."),
    ("drain_bytes", "How much of it."),
    ("connect_seconds", "For a connection to the engine."),
    ("lookup_seconds", "For one of sockproxy's own questions to the engine."),
)
"""Each field of `Limits`, with the help of its option."""

Decorated = Callable[..., Any]

if TYPE_CHECKING:
    from sockproxy.classic.variables import Dialect


def _limits(command: Decorated) -> Decorated:
    """An option and an environment variable for each limit."""
    defaults = Limits()
    for name, words in reversed(LIMITS):
        kind = Seconds() if name.endswith("_seconds") else click.IntRange(min=1)
        command = click.option(
            f"--{name.replace('_', '-')}",
            name,
            type=kind,
            default=getattr(defaults, name),
            envvar=f"SOCKPROXY_{name.upper()}",
            show_default=True,
            show_envvar=True,
            help=words,
        )(command)
    return command


@click.command()
@policy_option
@engine_in_front_option
@listen_option
@admin_option
@click.option(
    "--admin-host",
    "admin_hosts",
    multiple=True,
    type=Several(),
    metavar="NAME",
    envvar="SOCKPROXY_ADMIN_HOST",
    show_envvar=True,
    help="A host name, beside its own address, that the admin listener answers to. Repeatable, as --listen.",
)
@audit_option
@own_container_option
@host_root_option
@observe_option
@click.option(
    "--wait-for-engine",
    is_flag=True,
    envvar="SOCKPROXY_WAIT_FOR_ENGINE",
    show_envvar=True,
    help="Start even where the engine's socket is not there yet.",
)
@click.option(
    "--grace-seconds",
    type=Seconds(),
    default=10.0,
    envvar="SOCKPROXY_GRACE_SECONDS",
    show_default=True,
    show_envvar=True,
    help="How long ordinary answers have to end when it stops.",
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS, case_sensitive=False),
    default="warning",
    envvar="SOCKPROXY_LOG_LEVEL",
    show_default=True,
    show_envvar=True,
    help="The least that is said on standard error. Decisions are in the audit log.",
)
@dialect_option
@_limits
def run(log_level: str, dialect: Dialect | None, **options: Any) -> None:
    """Start the proxy, and serve until SIGTERM or Ctrl-C.

    SIGHUP loads the policy anew, whole or not at all, and opens the audit files again.

    Where no policy is named and variables of docker-socket-proxy are set (CONTAINERS=1 POST=0), those are the policy,
    SOCKET_PATH is the engine and LOG_LEVEL the level: see `sockproxy migrate`.
    """
    import logging

    from sockproxy.proxy.server import run as serve

    before = drop_in(dialect)
    if before is not None:
        shout(before, options["listen"])
        log_level = before.options.get("--log-level", log_level) if defaulted("log_level") else log_level
    logging.basicConfig(format="sockproxy: %(message)s", level=logging.WARNING)
    logging.getLogger("sockproxy").setLevel(log_level.upper())
    limits = Limits(**{name: options.pop(name) for name, _ in LIMITS})
    click.get_current_context().exit(serve(settings(before, limits=limits, **options)))
