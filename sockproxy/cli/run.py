"""`sockproxy run`: start the proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from sockproxy.cli.options import (
    DEFAULT_LISTEN,
    Seconds,
    Several,
    admin_option,
    engine_option,
    host_root_option,
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
@engine_option("Where the Docker Engine listens. DOCKER_HOST is not read: it may well name sockproxy itself.")
@click.option(
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
@click.option(
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
@click.option(
    "--own-container",
    metavar="NAME|ID",
    envvar="SOCKPROXY_OWN_CONTAINER",
    show_envvar=True,
    help="The container that sockproxy runs in, which nobody may touch; found out where it can be.",
)
@host_root_option
@click.option(
    "--observe",
    is_flag=True,
    envvar="SOCKPROXY_OBSERVE",
    show_envvar=True,
    help="Forward what a rule could allow, and record it as would_deny; as `mode: observe` in a policy says.",
)
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
@_limits
def run(
    policy: str,
    engine: str,
    listen: tuple[str, ...],
    admin: str,
    admin_hosts: tuple[str, ...],
    audit: tuple[str, ...],
    own_container: str | None,
    host_root: str | None,
    observe: bool,
    wait_for_engine: bool,
    grace_seconds: float,
    **limits: Any,
) -> None:
    """Start the proxy, and serve until SIGTERM or Ctrl-C.

    SIGHUP loads the policy anew, whole or not at all, and opens the audit files again.
    """
    import logging

    from sockproxy.proxy.server import Settings
    from sockproxy.proxy.server import run as serve

    logging.basicConfig(format="sockproxy: %(message)s", level=logging.WARNING)
    settings = Settings(
        policy=policy,
        engine=engine,
        listen=listen,
        admin=None if admin == "none" else admin,
        admin_hosts=admin_hosts,
        audit=audit,
        own_container=own_container,
        host_root=host_root,
        observe=observe,
        wait_for_engine=wait_for_engine,
        grace_seconds=grace_seconds,
        limits=Limits(**limits),
    )
    click.get_current_context().exit(serve(settings))
