"""What a shell is offered for a value: presets, policy files, a policy's clients. `completion.py` has the scripts."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem


def presets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Presets by name."""
    from sockproxy.policy import presets as shipped

    return [CompletionItem(name) for name in shipped.names() if name.startswith(incomplete)]


def policies(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Presets by name, files of YAML, and the folders that more may lie in."""
    # bash forgets what came before a `dir`, and completes folders itself where nothing else fits: so that is first.
    return [CompletionItem(incomplete, type="dir"), *presets(ctx, param, incomplete), *_files(incomplete)]


def _files(incomplete: str) -> list[CompletionItem[str]]:
    folder, slash, name = incomplete.rpartition("/")
    try:
        found = sorted(path.name for path in Path(f"{folder}{slash}" or ".").iterdir())
    except OSError:
        return []
    hidden = name.startswith(".")
    return [
        CompletionItem(f"{folder}{slash}{each}")
        for each in found
        if each.startswith(name) and each.endswith((".yaml", ".yml")) and (hidden or not each.startswith("."))
    ]


def clients(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The clients of the policy that the command line names; none where that has mistakes."""
    from sockproxy.errors import PolicyError
    from sockproxy.policy.load import load

    try:
        policy = load(str(ctx.params["policy"]))
    except (PolicyError, KeyError):
        return []
    return [CompletionItem(each.name) for each in policy.clients if each.name.startswith(incomplete)]
