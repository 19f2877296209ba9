"""A verb that takes a command of its user's behind `--`: `sockproxy learn -- docker compose up -d`."""

from __future__ import annotations

from typing import Final

import click

_KEY: Final = "sockproxy.cli.trailing"


class Trailing(click.Command):
    """Keeps what stands behind the first `--` apart, which click would take for arguments like those before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before it."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[_KEY] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)


def trailing_command() -> tuple[str, ...] | None:
    """The command behind `--`; None where there is no `--`.

    Raises:
        UsageError: nothing stands behind it.
    """
    command: tuple[str, ...] | None = click.get_current_context().meta.get(_KEY)
    if command == ():
        raise click.UsageError("nothing stands behind `--`: write the command, such as -- docker run alpine")
    return command
