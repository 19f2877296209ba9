"""A command is run for real, and nothing comes of it: what would it ask of an engine, and what would the policy say?

    command ── DOCKER_HOST ──► sockproxy, observing ──► an engine that is pretended
                                     └──► every call, with its verdict

    command.py   running it: its environment, its terminal, its time
    world.py     what there is: whatever is named              engine.py   how that is answered
    facts.py     what the judge is told of it                  __init__.py   the dry run as a whole

sockproxy is the real one, in the mode in which it refuses nothing that a rule could allow: so the command goes on after
a refusal, and all that it would ask is seen. Up to its first refusal it is told what a real engine would tell it, hence
it asks there what it would ask through a proxy that enforces. What the pretended engine cannot act out (BuildKit's
tunnel, a swarm's tasks) is said, never made up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

from sockproxy.audit import AuditLog
from sockproxy.decide import deny_row
from sockproxy.dryrun import command as commands
from sockproxy.dryrun import engine
from sockproxy.dryrun.command import CommandMissing, Ended
from sockproxy.dryrun.facts import DryLookups, noticing
from sockproxy.dryrun.world import DryWorld
from sockproxy.errors import ConfigurationError, EngineDown
from sockproxy.judge import may_be_allowed
from sockproxy.metrics import Metrics
from sockproxy.model import Absent, Deny, Forward, JsonObject, Missing, Observed, Peer, Verdict, WouldDeny
from sockproxy.policy.load import Client, Policy
from sockproxy.proxy import listen
from sockproxy.proxy.address import Address
from sockproxy.proxy.edge import Edge
from sockproxy.proxy.engine import Engine
from sockproxy.proxy.gateway import Gateway, Witness, Witnessed
from sockproxy.proxy.host_root import HostRoot
from sockproxy.proxy.limits import Limits
from sockproxy.proxy.live import Live
from sockproxy.proxy.lookups import Lookups
from sockproxy.rehearse import Unable
from sockproxy.standin import serving
from sockproxy.standin.wire import API, Spoken

__all__ = ["API", "CommandMissing", "DryRun", "Scene", "dry_run", "rehearse"]

SECONDS: Final = 30.0
"""How long a command may take."""

_SETTLING: Final = 0.5
"""Seconds that a command goes on once it has come to what cannot be acted out: it may be asking something beside."""

Cut: TypeAlias = Literal["", "time", "tunnel"]
"""Why a command was ended: its time was up, or it came to BuildKit's tunnel. Empty where it ended itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a command finds."""

    told: Mapping[str, JsonObject] = field(default_factory=dict)
    """What look-ups are answered, path to body, as in the tests of a policy."""
    engine: str | None = None
    """Where a real engine is, whose inspects and lists say what there is, and whose version is spoken; None for
    nowhere."""
    version: str = API
    """The API version that is spoken where there is no real engine: ``1.41``."""
    host_root: str | None = None
    """The folder where the host's root is seen; None where symbolic links on the host are not followed."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What came of it."""

    calls: tuple[Witnessed, ...]
    """Every call, with its verdict, in their order."""
    ended: Ended
    cut: Cut
    version: str
    """The newest API version that the engine spoke."""

    @property
    def refused(self) -> bool:
        """Whether a proxy that enforces would have refused one of the calls."""
        return any(denial(call.verdict) is not None for call in self.calls)


def denial(verdict: Observed) -> Deny | None:
    """What a proxy that enforces would answer; None where it would not refuse."""
    match verdict:
        case WouldDeny(denial=denied):
            return denied
        case Deny():
            return verdict
        case _:
            return None


def _enforced_row(call: Witnessed, policy: Policy, client: Client | None) -> Witnessed:
    """The call, refused where no rule allows its row: who only observes looks first, and says that nothing is there."""
    operation, verdict = call.operation, call.verdict
    if operation is None or not isinstance(verdict, Absent) or may_be_allowed(operation, policy, client):
        return call
    assert call.request is not None
    denied = deny_row(operation, policy, verdict.asks)
    return replace(call, verdict=WouldDeny(denied, Forward(call.request.method, call.request.path)))


def dry_run(
    words: Sequence[str],
    *,
    policy: Policy,
    client: Client | None,
    scene: Scene | None = None,
    seconds: float = SECONDS,
    stdin: int | None = None,
) -> DryRun:
    """Run a command against an engine that is pretended, behind a proxy with this policy.

    ``client`` is the client that it is taken for; None where the policy tells none apart. ``stdin`` is a file
    descriptor that it reads from; None for a terminal at which nobody types.

    Raises:
        CommandMissing: the command is not installed here.
        ConfigurationError: it would talk to another engine, or the scene's engine or host cannot be looked at.
    """
    path = commands.check(words)
    return asyncio.run(
        _run((path, *words[1:]), policy, client, scene or Scene(), seconds=seconds, stdin=stdin),
    )


def rehearse(
    command: Sequence[str] | str,
    *,
    policy: Policy,
    client: Client | None = None,
    engine: Mapping[str, JsonObject] | None = None,
    seconds: float = SECONDS,
) -> tuple[Verdict, ...]:
    """The verdict on each call that a command line makes, in their order: how a policy's tests run one.

    ``engine`` is what look-ups are answered.

    Raises:
        CommandMissing: the command is not installed here.
        Unable: it ended with an error before it asked anything, so there is nothing to judge.
        ConfigurationError: it would talk to a real engine.
    """
    words = shlex.split(command) if isinstance(command, str) else tuple(command)
    run = dry_run(words, policy=policy, client=client, scene=Scene(told=engine or {}), seconds=seconds)
    asked = [call for call in run.calls if call.operation is None or not call.operation.always]
    if run.ended.status and run.calls and not asked:
        said = run.ended.output.strip().splitlines()
        raise Unable(
            f"it ended with {run.ended.status} before it asked anything: {said[0] if said else 'it said nothing'}"
        )
    return tuple(_enforced(call.verdict) for call in run.calls)


def _enforced(verdict: Observed) -> Verdict:
    return verdict.denial if isinstance(verdict, WouldDeny) else verdict


class _Taken(Client):
    """The client that the command is taken for, whoever connects: nobody but this user can."""

    def is_(self, peer: Peer) -> bool:  # noqa: ARG002 - the client's signature
        """It is."""
        return True


def _for_one(policy: Policy, client: Client | None) -> Policy:
    """The policy, as it is for one client."""
    if client is None:
        return policy
    taken = _Taken(**{each.name: getattr(client, each.name) for each in fields(client)})
    return policy.with_clients(taken)


async def _run(
    words: Sequence[str], policy: Policy, client: Client | None, scene: Scene, *, seconds: float, stdin: int | None
) -> DryRun:
    calls: list[Witnessed] = []
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def witness(call: Witnessed) -> None:
        calls.append(_enforced_row(call, policy, client))
        if call.operation is not None and call.operation.template in engine.TUNNELS:
            loop.call_later(_SETTLING, stop.set)

    with tempfile.TemporaryDirectory(prefix="sockproxy-") as name:
        folder = Path(name)
        async with _proxy(folder, _for_one(policy, client), scene, witness) as (address, version):
            ended = await commands.run(
                words,
                variables=commands.environment(address, folder, os.environ),
                stdin=stdin,
                seconds=seconds,
                stop=stop,
            )
    cut: Cut = "" if ended.status is not None else "tunnel" if stop.is_set() else "time"
    return DryRun(tuple(calls), ended, cut, version)


@contextlib.asynccontextmanager
async def _proxy(folder: Path, policy: Policy, scene: Scene, witness: Witness) -> AsyncIterator[tuple[str, str]]:
    """sockproxy in front of the pretended engine: its address, and the API version that is spoken."""
    limits = Limits()
    async with contextlib.AsyncExitStack() as stack:
        asked, spoken = await _real_engine(scene, limits, stack)
        world = DryWorld(scene.told, spoken, asked)
        await world.furnish()
        await stack.enter_async_context(serving(folder / "engine.sock", world, engine.answer))
        real = Address.parse(scene.engine) if scene.engine is not None else None
        lookups = DryLookups(world, scene.told, real, host_root=_host_root(scene, limits, stack))
        stack.push_async_callback(lookups.close)
        forwarding = Engine(Address(str(folder / "engine.sock")), limits, notice=lambda _: None)
        stack.callback(forwarding.close)
        audit = AuditLog(())
        stack.callback(audit.close)
        gateway = Gateway(
            live=Live(policy.source, lambda _: policy),
            engine=forwarding,
            lookups=lookups,
            audit=audit,
            metrics=Metrics(),
            limits=limits,
            observe=True,
            witness=witness,
        )
        listener = listen.UnixListener(str(folder / "docker.sock"), mode=0o600)
        sockets = [stack.enter_context(listen.bound(listener))]
        await stack.enter_async_context(listen.serving(noticing(gateway), sockets, http=Edge.within(limits), grace=1.0))
        stack.callback(world.over.set)
        yield listen.address(listener, sockets[0]), spoken.newest


class _RealEngine(Lookups):
    """The real engine, as the dry run's world asks it."""

    async def ask(self, key: str) -> JsonObject | Missing:
        """What it says to one key of `Facts`."""
        return (await self.facts([key]))[key]


async def _real_engine(
    scene: Scene, limits: Limits, stack: contextlib.AsyncExitStack
) -> tuple[_RealEngine | None, Spoken]:
    """The real engine that is asked what there is, and the versions that are spoken.

    Raises:
        ConfigurationError: it cannot be reached.
    """
    if scene.engine is None:
        return None, Spoken(scene.version)
    lookups = _RealEngine(Address.parse(scene.engine), limits)
    stack.push_async_callback(lookups.close)
    try:
        context = await lookups.context()
    except EngineDown as error:
        raise ConfigurationError(error.message) from None
    newest, oldest = ("{}.{}".format(*version) for version in (context.engine_version, context.engine_minimum))
    return lookups, Spoken(newest, oldest)


def _host_root(scene: Scene, limits: Limits, stack: contextlib.AsyncExitStack) -> HostRoot | None:
    if scene.host_root is None:
        return None
    root = HostRoot(scene.host_root, seconds=limits.lookup_seconds)
    stack.callback(root.close)
    return root
