"""`sockproxy completion`: what a shell needs to complete verbs, options, policies and clients.

The script is click's own. It asks `sockproxy` itself at every press of the key, so what it offers is never stale:

    _SOCKPROXY_COMPLETE=bash_complete COMP_WORDS='sockproxy check re' COMP_CWORD=2 sockproxy
"""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")
VARIABLE: Final = "_SOCKPROXY_COMPLETE"

_HELP: Final = """Print the script that lets a shell complete `sockproxy`.

\b
bash: eval "$(sockproxy completion bash)"                    in ~/.bashrc
zsh:  eval "$(sockproxy completion zsh)"                     in ~/.zshrc, behind compinit
fish: sockproxy completion fish > ~/.config/fish/completions/sockproxy.fish
"""


@click.command(help=_HELP)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script of one shell."""
    script = get_completion_class(shell)
    assert script is not None, shell
    click.echo(script(ctx.find_root().command, {}, "sockproxy", VARIABLE).source())
