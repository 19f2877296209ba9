"""`sockproxy presets`: the policies that come along."""

from __future__ import annotations

import click

from sockproxy.cli import completers
from sockproxy.cli.screen import table
from sockproxy.errors import PolicyError, Problem


@click.group(invoke_without_command=True)
@click.pass_context
def presets(ctx: click.Context) -> None:
    """List the policies that come along, a line each; `presets show NAME` prints one."""
    from sockproxy.policy import presets as shipped
    from sockproxy.policy.load import load

    if ctx.invoked_subcommand is not None:
        return
    policies = [(name, load(name)) for name in shipped.names()]
    for line in table((name, policy.about) for name, policy in policies):
        click.echo(line)


@presets.command()
@click.argument("name", shell_complete=completers.presets)
def show(name: str) -> None:
    """Print a preset's file, to read or to start from."""
    from sockproxy.policy import presets as shipped

    path = shipped.path(name)
    if path is None:
        raise PolicyError((Problem(name, 0, 0, "no such preset", shipped.nearest(name)),))
    click.echo(path.read_text(encoding="utf-8"), nl=False)
