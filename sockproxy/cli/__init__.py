"""The command line: one file per verb.

    run       start the proxy                    check    a policy's mistakes, and what it gives away
    explain   what a policy says, ask by ask     test     the tests that stand in policies
    presets   the policies that come along       health   for HEALTHCHECK
    demo      see it at work                     schema   for editors
    doctor    what is wrong, and how to fix it   completion   for shells
    replay    an audit log under another policy  migrate  from another proxy

Exit codes: 0 fine, 1 refused, not healthy or tests failed, 2 a mistake in the usage, the configuration or a policy.

A verb's file is imported when the verb runs, and imports nothing heavy at its top: so `--help` and `health` are quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import click

from sockproxy import __version__
from sockproxy.cli.screen import say_no_colour
from sockproxy.errors import ComposeError, ConfigurationError, PolicyError

__all__ = ["main", "verb"]

VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "run": "Start the proxy, and serve until SIGTERM or Ctrl-C.",
        "check": "Read policies, and say what they give away: with --host-root, where symbolic links are seen.",
        "explain": (
            "Say what a policy answers, and why: what is asked, what covers each ask and where, and what is missing."
        ),
        "test": "Run the tests that stand in policies: of all presets, where none is named.",
        "learn": "Write the smallest policy that allows what was seen, and prove it.",
        "replay": "Judge the calls of audit files again, under another policy, and sum up what would change.",
        "presets": "List the policies that come along, a line each; `presets show NAME` prints one.",
        "migrate": "Print the policy that another proxy's configuration comes to, and say where it is stricter.",
        "doctor": (
            "Look for what is wrong where sockproxy runs, or is about to:"
            " each problem with the one line that puts it right."
        ),
        "health": "Ask a running sockproxy whether it is well: one line, and exit code 0 or 1.",
        "schema": "Print the JSON Schema of policies, by which editors complete and check them.",
        "completion": "Print the script that lets a shell complete `sockproxy`.",
        "demo": "Show the main job: requests, verdicts, reasons, and where each is recorded.",
    }
)
"""Each verb with the first sentence of its help, in the order of `--help`: so nothing is imported to list them."""


def verb(name: str) -> click.Command:
    """The command of a verb, from the file of that name."""
    command = getattr(importlib.import_module(f"sockproxy.cli.{name}"), name)
    assert isinstance(command, click.Command), name
    return command


class Verbs(click.Group):
    """Lists the verbs in their own order, and prints what an operator must put right without a traceback."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, words in VERBS.items():
            self.add_command(click.Command(name, help=words))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs as they stand in `VERBS`."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that is run or completed: what stands for it in the list only has its name and its help."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, verb(name) if name is not None and listed is not None else None, rest

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
