"""What a request is judged with where no proxy runs: what is known of the engine and the host, and who asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

import click

from sockproxy.errors import ConfigurationError, EngineDown
from sockproxy.model import HOST, Context, JsonObject, Missing

if TYPE_CHECKING:
    from sockproxy.policy.load import Client, Policy

    Answer = Callable[[str], JsonObject | Missing]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known before judging, and who answers what must be known more."""

    context: Context
    answer: Answer


@contextmanager
def knowing(
    policy: Policy, *, engine: str | None, facts: dict[str, JsonObject], host_root: str | None
) -> Iterator[Knowledge]:
    """Look-ups are answered by the facts, or by the engine and the host's root where they are there.

    Raises:
        ConfigurationError: one of them cannot be asked.
    """
    from sockproxy.rehearse import knows_host, stand_in

    with ExitStack() as stack:
        context, answer = Context(engine_version=policy.api_max, host_root=knows_host(facts)), stand_in(facts)
        if engine is not None:
            context, answer = _asking(engine, stack)
        if host_root is not None:
            context, answer = replace(context, host_root=True), _led(host_root, answer, stack)
        yield Knowledge(context, answer)


def _asking(engine: str, stack: ExitStack) -> tuple[Context, Answer]:
    """What judging must know of a real engine, and a way to ask it more.

    Raises:
        ConfigurationError: it cannot be reached.
    """
    import asyncio

    from sockproxy.proxy.address import Address
    from sockproxy.proxy.limits import Limits
    from sockproxy.proxy.lookups import Lookups

    runner = stack.enter_context(asyncio.Runner())

    async def open_() -> Lookups:
        return Lookups(Address.parse(engine), Limits())

    lookups = runner.run(open_())
    stack.callback(lambda: runner.run(lookups.close()))

    def answer(path: str) -> JsonObject | Missing:
        return runner.run(lookups.facts([path]))[path]

    try:
        return runner.run(lookups.context()), answer
    except EngineDown as error:
        raise ConfigurationError(error.message) from None


def _led(host_root: str, otherwise: Answer, stack: ExitStack) -> Answer:
    """A way to ask the host where its paths lead, and the engine, or who stands for it, everything else.

    Raises:
        ConfigurationError: the host's root cannot be used.
    """
    from sockproxy.proxy.host_root import HostRoot
    from sockproxy.proxy.limits import Limits

    root = HostRoot(host_root, seconds=Limits().lookup_seconds)
    stack.callback(root.close)
    return lambda key: root.fact(key) if key.startswith(HOST) else otherwise(key)


def read_facts(file: IO[bytes] | None) -> dict[str, JsonObject]:
    """What look-ups are answered, from a file.

    Raises:
        BadParameter: it holds something else.
    """
    if file is None:
        return {}
    try:
        told = json.load(file)
    except ValueError as error:
        raise click.BadParameter(f"no JSON: {error}", param_hint="--engine-facts") from None
    if not isinstance(told, dict) or not all(isinstance(each, dict) for each in told.values()):
        raise click.BadParameter("write an object of paths to objects", param_hint="--engine-facts")
    return told


def client_of(policy: Policy, name: str | None) -> Client | None:
    """The client that asks.

    Raises:
        BadParameter: the policy has clients and none of them is named, or knows no such one.
    """
    found = next((each for each in policy.clients if each.name == name), None)
    if found is None and (policy.clients or name is not None):
        known = ", ".join(each.name for each in policy.clients) or "none"
        raise click.BadParameter(f"say which of the policy's clients asks: {known}", param_hint="--client")
    return found
