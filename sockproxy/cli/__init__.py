"""The command line: one file per verb.

    run       start the proxy                    check    a policy's mistakes, and what it gives away
    explain   what a policy says, ask by ask     test     the tests that stand in policies
    presets   the policies that come along       health   for HEALTHCHECK
    demo      see it at work                     schema   for editors
    doctor    what is wrong, and how to fix it   completion   for shells
    replay    an audit log under another policy  migrate  from another proxy

Exit codes: 0 fine, 1 refused, not healthy or tests failed, 2 a mistake in the usage, the configuration or a policy.

A verb's file imports nothing heavy at its top, so that `--help` and `health` are quick.
"""

from __future__ import annotations

from typing import Any, Final

import click

from sockproxy import __version__
from sockproxy.cli.check import check
from sockproxy.cli.completion import completion
from sockproxy.cli.demo import demo
from sockproxy.cli.doctor import doctor
from sockproxy.cli.explain import explain
from sockproxy.cli.health import health
from sockproxy.cli.learn import learn
from sockproxy.cli.migrate import migrate
from sockproxy.cli.presets import presets
from sockproxy.cli.replay import replay
from sockproxy.cli.run import run
from sockproxy.cli.schema import schema
from sockproxy.cli.screen import say_no_colour
from sockproxy.cli.test import test
from sockproxy.errors import ComposeError, ConfigurationError, PolicyError

__all__ = ["main"]

VERBS: Final = (run, check, explain, test, learn, replay, presets, migrate, doctor, health, schema, completion, demo)
"""In the order of `--help`."""


class Verbs(click.Group):
    """Lists the verbs in their own order, and prints what an operator must put right without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs as they stand in `VERBS`."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; exit code 2 with the reasons, a line each, where it cannot start."""
        try:
            return super().invoke(ctx)
        except (PolicyError, ComposeError) as error:
            click.echo(str(error), err=True)
        except ConfigurationError as error:
            click.echo(f"sockproxy: {error}", err=True)
        return ctx.exit(2)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """A reverse proxy for docker.sock that judges every request against a YAML allow-list.

    Exit codes: 0 fine, 1 refused or tests failed, 2 a mistake in the usage, the configuration or a policy.
    """
    if say_no_colour():
        ctx.color = False


for _verb in VERBS:
    main.add_command(_verb)
