"""`sockproxy explain compose.yaml`: what `docker compose up` would ask, service by service, without compose."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import click

from sockproxy.cli import files
from sockproxy.cli.calls import as_fields, policy_fields, remedy_fields, show_calls, show_remedy, verdict_word
from sockproxy.cli.findings import near
from sockproxy.cli.remedy import Judged, remedy
from sockproxy.model import Verdict
from sockproxy.printable import printable

if TYPE_CHECKING:
    from sockproxy.cli.judging import Knowledge
    from sockproxy.compose import ComposeCall, Project
    from sockproxy.policy.load import Client, Policy

PROJECT = "(project)"
"""Stands where a service's name would: networks, volumes and lists are the whole project's."""


def read_project(
    names: Sequence[str], *, project_name: str, profiles: Iterable[str], env_files: Iterable[str]
) -> Project:
    """The project that these files are, put over each other in their order; `-` is standard input.

    Raises:
        ComposeError: with every mistake in them.
        ConfigurationError: standard input cannot be read.
    """
    from sockproxy.compose import read

    first, *more = names
    source = files.read(first).decode("utf-8", "replace") if first == "-" else Path(first)
    return read(
        source,
        files=[Path(name) for name in more] or None,
        project_name=project_name,
        environment=os.environ,
        env_files=[Path(name) for name in env_files],
        profiles=profiles,
    )


def explain_project(
    project: Project, policy: Policy, client: Client | None, knowledge: Knowledge, *, as_json: bool
) -> int:
    """Judge every call that it comes to, and show them; the exit status."""
    from sockproxy.compose import calls

    made = calls(project, api_version=knowledge.context.engine_version)
    judged = [_judged(call, policy, client, knowledge) for call in made]
    if as_json:
        _as_json(project, judged, policy, client)
    else:
        _as_text(project, made, judged, policy, client)
    return 1 if any(call.refused for call in judged) else 0


def _judged(call: ComposeCall, policy: Policy, client: Client | None, knowledge: Knowledge) -> Judged:
    from sockproxy.judge import recognise
    from sockproxy.rehearse import verdict_on

    def again(policy: Policy, client: Client | None) -> Verdict:
        return verdict_on(
            call.method,
            call.target,
            dict(call.headers),
            call.encoded,
            policy=policy,
            context=knowledge.context,
            client=client,
            answer=call.answer(knowledge.answer),
        )

    request, operation, _ = recognise(call.method.encode(), call.target.encode(), [(b"Host", b"docker")])
    name = next((f"?name={unquote(value)}" for key, value in request.query if key == "name"), "")
    asked = f"{call.method} {request.path}{name}"
    return Judged(asked, operation, again(policy, client), again, about=call.service or PROJECT)


def _as_text(
    project: Project, made: Sequence[ComposeCall], judged: Sequence[Judged], policy: Policy, client: Client | None
) -> None:
    whose = f", client `{client.name}`" if client is not None else ""
    click.echo(
        f"project `{printable(project.name)}`, as `docker compose up` would ask  (policy `{policy.name}`{whose})"
    )
    for note in project.notes:
        click.secho(f"note: {note}", fg="yellow")
    places = {call.service or PROJECT: call.where for call in reversed(made)}
    # Sorted by what they are for, in the order in which that first comes; within it, in the order of the calls.
    order = list(dict.fromkeys(call.about for call in judged))
    for about, group in groupby(sorted(judged, key=lambda call: order.index(call.about)), lambda call: call.about):
        those = list(group)
        refused = sum(call.refused for call in those)
        of = f"{len(those)} call" if len(those) == 1 else f"{len(those)} calls"
        word = click.style("refused", fg="red", bold=True) if refused else click.style("allowed", fg="green", bold=True)
        place = "" if about == PROJECT else f" ({near(str(places[about]))})"
        click.echo(
            f"\n{click.style(about, bold=True)}{place}: {word}"
            + (f", {refused} of its {of}" if refused else f", its {of}")
        )
        show_calls(those, policy)
    if any(call.refused for call in judged):
        show_remedy(remedy(judged, policy, client), policy, client)


def _as_json(project: Project, judged: Sequence[Judged], policy: Policy, client: Client | None) -> None:
    services = dict.fromkeys(call.about for call in judged)
    told = {
        "project": project.name,
        "policy": policy_fields(policy),
        "verdict": verdict_word(judged),
        "services": {name: verdict_word(call for call in judged if call.about == name) for name in services},
        "calls": as_fields(judged, policy),
        **remedy_fields(remedy(judged, policy, client)),
        "notes": [str(note) for note in project.notes],
    }
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))
