"""Running a policy's own tests: each request is judged as it would be, with look-ups answered from the test.

What a test's `engine:` does not name is there, under that very name, with nothing special. Nothing is sent anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from sockproxy.docker.body import serialise
from sockproxy.docker.paths import clean
from sockproxy.errors import Internal, Refusal
from sockproxy.judge import call, early, judge, recognise, refusal
from sockproxy.model import HOST, STAT, Absent, Allow, Ask, Context, Deny, Facts, JsonObject, Missing, Needs, Verdict
from sockproxy.policy.load import Client, Policy, PolicyTest

Answer: TypeAlias = Callable[[str], "JsonObject | Missing"]
"""What answers look-ups: a path to a body."""

ROUNDS: Final = 6
"""How often a call is judged again with more facts, before that counts as a fault."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended."""

    test: PolicyTest
    verdict: Verdict
    problem: str = ""
    """What was expected and did not come; empty where the test passed."""

    @property
    def passed(self) -> bool:
        """Whether the verdict is the expected one."""
        return not self.problem


def run(policy: Policy) -> tuple[Outcome, ...]:
    """Run every test of a policy."""
    return tuple(_run(test, policy) for test in policy.tests)


def verdict_on(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    policy: Policy,
    context: Context,
    client: Client | None = None,
    answer: Answer | None = None,
) -> Verdict:
    """Judge one request as the proxy would, with look-ups answered by ``answer``."""
    reply = answer or stand_in({})
    fields = {"Host": "docker", **headers}
    if body is not None:
        fields.setdefault("Content-Type", "application/json")
        fields["Content-Length"] = str(len(body))
    raw = [(name.encode(), value.encode("utf-8", "replace")) for name, value in fields.items()]
    try:
        request, operation, params = recognise(
            method.encode("utf-8", "replace"), target.encode("utf-8", "replace"), raw
        )
        denied = early(request, operation, policy, context, client)
        if denied is not None:
            return denied
        the_call = call(request, operation, params, body, policy, context)
        for _ in range(ROUNDS):
            result = judge(the_call, policy, context, client)
            if not isinstance(result, Needs):
                return result
            facts: Facts = {**context.facts, **{path: reply(path) for path in result.paths}}
            context = replace(context, facts=facts)
    except Refusal as error:
        return refusal(error)
    return refusal(Internal("judging did not come to an end"))


def stand_in(engine: Mapping[str, JsonObject]) -> Answer:
    """What a test says that the engine answers; anything else is there under the name that it is asked by.

    A path of the host, and one in a container, leads to where it says, but for those that are told.
    """

    def answer(path: str) -> JsonObject | Missing:
        if path.startswith(HOST):
            said = path.removeprefix(HOST)
            return {"Path": clean(said) if said.startswith("/") else said, **engine.get(path, {})}
        if path.startswith(STAT):
            return engine.get(path, {})
        noun, _, rest = path.removeprefix("/").partition("/")
        rest = rest.partition("?")[0]
        given: JsonObject = dict(engine.get(path, engine.get(f"/{noun}/{rest}", {})))
        name = rest.removesuffix("/json")
        match noun:
            case "containers":
                return {"Name": f"/{name}", **given}
            case "exec":
                return {"ID": name, "ContainerID": name, **given}
            case "volumes":
                return {"Name": name, "Driver": "local", **given}
            case "networks":
                return {"Name": name, "Driver": "bridge", **given}
            case "services" | "secrets" | "configs":
                return {"Spec": {"Name": name}, **given}
            case "tasks":
                return {"ServiceID": name, **given}
            case "plugins":
                return {"Name": name, **given}
            case _:
                return given

    return answer


def knows_host(engine: Mapping[str, JsonObject]) -> bool:
    """Whether paths of the host are among what is told: ``{"host:/srv/ci/x": {"Path": "/"}}`` is a link to the root."""
    return any(key.startswith(HOST) for key in engine)


def _run(test: PolicyTest, policy: Policy) -> Outcome:
    client = next((each for each in policy.clients if each.name == test.client), None)
    verdict = verdict_on(
        test.method,
        test.target,
        {},
        serialise(test.body) if test.has_body else None,
        policy=policy,
        context=Context(engine_version=policy.api_max, host_root=knows_host(test.engine)),
        client=client,
        answer=stand_in(test.engine),
    )
    return Outcome(test, verdict, _problem(test, verdict))


def _problem(test: PolicyTest, verdict: Verdict) -> str:
    match verdict:
        case Allow(rule=rule):
            return "" if test.allowed else f"expected refused, but rule `{rule}` allows it"
        case Absent(missing=missing):
            return f"expected {'allowed' if test.allowed else 'refused'}, but the engine would say: {missing.message}"
        case Deny(message=message, refused=refused):
            if test.allowed:
                return f"expected allowed, but {message}"
            lacking = [f"{kind}: {value}" for kind, value in test.refused if not _among(kind, value, refused)]
            if not lacking:
                return ""
            asked = ", ".join(map(str, refused)) or message
            return f"expected {', '.join(lacking)} among what is refused, which is: {asked}"


def _among(kind: str, value: str, refused: tuple[Ask, ...]) -> bool:
    """Whether an ask is among the refused ones, by its value with or without its suffixes."""
    return any(ask.kind == kind and value in (ask.value, ask.shown) for ask in refused)
