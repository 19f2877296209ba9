"""`sockproxy explain -- COMMAND`: what a command would ask of an engine, and what the policy says to that."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import UnsupportedOperation
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sockproxy.cli.calls import as_fields, policy_fields, remedy_fields, show_calls, show_remedy, verdict_word
from sockproxy.cli.remedy import Judged, Remedy, remedy
from sockproxy.errors import ConfigurationError
from sockproxy.model import Allow, Deny, JsonObject, Verdict, WouldDeny
from sockproxy.printable import printable

if TYPE_CHECKING:
    from sockproxy.dryrun import DryRun, Scene
    from sockproxy.policy.load import Client, Policy
    from sockproxy.proxy.gateway import Witnessed

_VERSION: Final = re.compile(r"([0-9])\.([0-9]{1,2})")
_ID: Final = re.compile(r"[0-9a-f]{64}")

_CUT: Final = {
    "time": "it was ended after {seconds:g} s (--timeout); what it would have asked later is not seen",
    "tunnel": "it was ended at BuildKit's tunnel, which can be judged and not be acted out:"
    " what comes after it, and what is built inside, is not seen",
}


@dataclass(frozen=True, slots=True)
class _Explained:
    """A command that was run dry, and what the policy says to it."""

    words: Sequence[str]
    run: DryRun
    calls: list[Judged]
    behind: list[Judged]
    """What a build would ask behind BuildKit's tunnel."""
    policy: Policy
    client: Client | None

    def remedy(self) -> Remedy:
        """What would allow all of it."""
        return remedy([*self.calls, *self.behind], self.policy, self.client)


def scene_of(told: dict[str, JsonObject], *, engine: str | None, version: str | None, host_root: str | None) -> Scene:
    """What the command finds.

    Raises:
        BadParameter: the version is none, or one that nobody speaks.
    """
    from sockproxy.dryrun import API, Scene
    from sockproxy.model import NEWEST_VERSION, OLDEST_VERSION

    given = _VERSION.fullmatch(version) if version is not None else None
    if version is not None and (
        given is None or not OLDEST_VERSION <= (int(given[1]), int(given[2])) <= NEWEST_VERSION
    ):
        oldest, newest = ("{}.{}".format(*each) for each in (OLDEST_VERSION, NEWEST_VERSION))
        raise click.BadParameter(f"write a version of the API, {oldest} to {newest}", param_hint="--engine-version")
    return Scene(told=told, engine=engine, version=version or API, host_root=host_root)


def explain_command(
    words: Sequence[str],
    policy: Policy,
    client: Client | None,
    scene: Scene,
    *,
    seconds: float,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run it dry and show what came of it; the exit status.

    Raises:
        ConfigurationError: it cannot be run.
    """
    from sockproxy.dryrun import CommandMissing, dry_run

    try:
        run = dry_run(words, policy=policy, client=client, scene=scene, seconds=seconds, stdin=_piped())
    except CommandMissing as error:
        raise ConfigurationError(str(error)) from None
    calls = [_judged(call) for call in run.calls]
    explained = _Explained(words, run, calls, _behind_tunnel(run, policy, client), policy, client)
    if as_json:
        _as_json(explained, quiet=quiet)
    else:
        _as_text(explained, seconds=seconds, quiet=quiet)
    if not calls:
        return 2
    return 1 if run.refused else 0


def _piped() -> int | None:
    """The file descriptor of what is piped in; None where a person sits at it, or nobody."""
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, ValueError, UnsupportedOperation):
        return None
    nobody = os.isatty(descriptor) or os.path.samestat(os.fstat(descriptor), Path(os.devnull).stat())
    return None if nobody else descriptor


def _judged(call: Witnessed) -> Judged:
    verdict = call.verdict.denial if isinstance(call.verdict, WouldDeny) else call.verdict

    def again(policy: Policy, client: Client | None) -> Verdict:
        from sockproxy.decide import decide

        observed = call.verdict
        # Every ask is known, whatever the policy: where it is observed all is looked up that any rule could hold.
        if call.operation is None or not isinstance(observed, Allow | WouldDeny):
            return verdict
        return decide(call.operation, observed.asks, observed.forward, policy, client)

    return Judged(_asked(call), call.operation, verdict, again)


_BUILD: Final = (("POST", "/session"), ("GET", "/info"))
"""What a build of buildx asks once ``/grpc`` is open (recorded of buildx and compose with Docker 28)."""


def _behind_tunnel(run: DryRun, policy: Policy, client: Client | None) -> list[Judged]:
    """What a build is known to ask behind ``/grpc``, at which a dry run ends; nothing where it did not come there."""
    asked = {call.operation.name for call in run.calls if call.operation is not None}
    if run.cut != "tunnel" or "Grpc" not in asked:
        return []
    return [_known(method, path, run.version, policy, client) for method, path in _BUILD]


def _known(method: str, path: str, version: str, policy: Policy, client: Client | None) -> Judged:
    from sockproxy.judge import recognise
    from sockproxy.model import Context
    from sockproxy.rehearse import stand_in, verdict_on

    upgrade = {"Connection": "Upgrade", "Upgrade": "h2c"} if method == "POST" else {}
    major, _, minor = version.partition(".")
    context = Context(engine_version=(int(major), int(minor)))

    def again(policy: Policy, client: Client | None) -> Verdict:
        return verdict_on(
            *(method, path, upgrade, None), policy=policy, context=context, client=client, answer=stand_in({})
        )

    operation = recognise(method.encode(), path.encode(), [(b"Host", b"docker")])[1]
    return Judged(f"{method} {path}", operation, again(policy, client), again)


def _asked(call: Witnessed) -> str:
    """Method and path, ids shortened as the docker command does. Of the query only a name: it may hold secrets."""
    if call.request is None:
        return "(no call of the Engine API)"
    name = next((f"?name={value}" for key, value in call.request.query if key == "name"), "")
    return f"{call.request.method} {_ID.sub(lambda found: found[0][:12], call.request.path)}{name}"


def _as_text(explained: _Explained, *, seconds: float, quiet: bool) -> None:
    run, policy, client = explained.run, explained.policy, explained.client
    whose = f", client `{client.name}`" if client is not None else ""
    command = printable(shlex.join(explained.words), 4096)
    title = f"{command}  (policy `{policy.name}`{whose}, API {run.version}; nothing is made)"
    click.echo(title)
    for line in _headlines(run, explained.calls, seconds):
        click.echo(line)
    if lacking := [f"`{call.asked}`" for call in explained.behind if call.refused]:
        click.echo(
            f"a build asks {' and '.join(lacking)} behind it, which would be refused: the block below has it too"
        )
    show_calls(explained.calls, policy)
    if run.refused or lacking:
        show_remedy(explained.remedy(), policy, client)
    if not quiet and run.ended.output.strip():
        click.secho("\nwhat the command said:\n", bold=True)
        for line in run.ended.output.rstrip().splitlines():
            click.secho(f"    {printable(line, 4096)}", dim=True)
        if run.ended.shortened:
            click.secho("    …", dim=True)


_REGISTRY: Final = frozenset({"ImageCreate", "ImagePush", "SystemAuth"})
"""What docker before 23 asks the engine's `info` for, and goes on without: which registry is the default."""


_BUILDER: Final = "POST /containers/create?name=buildx_buildkit_"


def _goes_on(calls: list[Judged]) -> str:
    """Why the command is known to go on without what is refused, as docker 20.10 and 28 did; empty where it is not."""
    names = [call.operation.name if call.operation is not None else "" for call in calls]
    refused = [call for call in calls if call.refused]
    of = {name for name, call in zip(names, calls, strict=True) if call.refused}
    if of == {"SystemInfo"} and not _REGISTRY.isdisjoint(names[names.index("SystemInfo") :]):
        return "docker before 23 asks `GET /info` for the default registry alone, and goes on where it is refused"
    builds = any(call.asked.startswith(_BUILDER) for call in calls)
    if builds and [call.asked for call in refused] == ["POST /containers/create"]:
        return "buildx makes that container only to see whether there is a GPU, and goes on where it is refused"
    return ""


def _headlines(run: DryRun, calls: list[Judged], seconds: float) -> list[str]:
    number = len(calls)
    refused = sum(isinstance(call.verdict, Deny) for call in calls)
    of = f"{number} call" if number == 1 else f"{number} calls"
    if not calls:
        verdict = click.style("nothing to judge", fg="yellow", bold=True) + ": it called no engine"
        verdict += "" if run.ended.status else ", or one that DOCKER_HOST does not name"
    elif refused:
        verdict = click.style("refused", fg="red", bold=True) + f": {refused} of its {of}"
    else:
        verdict = click.style("allowed", fg="green", bold=True) + f": its {of}"
    lines = [verdict]
    if why := _goes_on(calls):
        lines.append(why)
    if run.cut:
        lines.append(_CUT[run.cut].format(seconds=seconds))
    elif run.ended.status and not refused:
        lines.append(f"the command itself ended with {run.ended.status}, so it may not have asked all that it would")
    return lines


def _as_json(explained: _Explained, *, quiet: bool) -> None:
    run, policy = explained.run, explained.policy
    told = {
        "command": list(explained.words),
        "policy": policy_fields(policy),
        "api_version": run.version,
        "verdict": verdict_word(explained.calls) if explained.calls else None,
        "ended": {"status": run.ended.status, "by": run.cut or None},
        "calls": as_fields(explained.calls, policy),
        "behind_tunnel": as_fields(explained.behind, policy),
        **remedy_fields(explained.remedy()),
        "output": None if quiet else run.ended.output,
    }
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))
