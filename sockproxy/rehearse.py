"""Running tests of policies: each request is judged as it would be, with look-ups answered from the test.

What a test's `engine:` does not name is there, under that very name, with nothing special. Nothing is sent anywhere.
A test with a command line (`run:`) needs somebody who runs it, and is skipped where there is nobody: never passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from sockproxy.docker.body import serialise
from sockproxy.docker.paths import clean
from sockproxy.errors import ConfigurationError, Internal, Refusal
from sockproxy.judge import ROUNDS, call, early, judge, recognise, refusal
from sockproxy.model import HOST, STAT, Absent, Allow, Ask, Context, Deny, Facts, JsonObject, Missing, Needs, Verdict
from sockproxy.policy.load import Client, Policy, PolicyTest

Answer: TypeAlias = Callable[[str], "JsonObject | Missing"]
"""What answers look-ups: a path to a body."""


class Unable(Exception):
    """A command line that cannot be run here; the message says why."""


Rehearsal: TypeAlias = Callable[[PolicyTest, Policy, "Client | None"], Sequence[Verdict]]
"""Runs a test's command line and gives the verdict on every call that it made, in their order.

Raises `Unable`, and then the test is skipped; or `ConfigurationError`, and then it has failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended."""

    test: PolicyTest
    problem: str = ""
    """What was expected and did not come; empty where it came, or the test was skipped."""
    skipped: str = ""
    """Why it was not run; empty where it was."""

    @property
    def passed(self) -> bool:
        """Whether it was run, and the verdict is the expected one."""
        return not self.problem and not self.skipped


def run(policy: Policy, rehearsal: Rehearsal | None = None) -> tuple[Outcome, ...]:
    """Run every test that stands in a policy."""
    return tuple(run_test(test, policy, rehearsal) for test in policy.tests)


def run_test(test: PolicyTest, policy: Policy, rehearsal: Rehearsal | None = None) -> Outcome:
    """Run one test. ``rehearsal`` runs command lines; without one they are skipped."""
    client = next((each for each in policy.clients if each.name == test.client), None)
    if not test.command:
        return Outcome(test, _problem(test, (_verdict(test, policy, client),)))
    if rehearsal is None:
        return Outcome(test, skipped="it runs a command, which nothing here does")
    try:
        verdicts = rehearsal(test, policy, client)
    except Unable as error:
        return Outcome(test, skipped=str(error))
    except ConfigurationError as error:
        return Outcome(test, str(error))
    if not verdicts:
        return Outcome(test, "the command called no engine: does it honour DOCKER_HOST?")
    return Outcome(test, _problem(test, verdicts))


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
    fields = {"Host": "docker", **headers}
    if body is not None:
        fields.setdefault("Content-Type", "application/json")
        fields["Content-Length"] = str(len(body))
    return verdict_on_head(
        method.encode("utf-8", "replace"),
        target.encode("utf-8", "replace"),
        [(name.encode(), value.encode("utf-8", "replace")) for name, value in fields.items()],
        body,
        policy=policy,
        context=context,
        client=client,
        answer=answer,
    )


def verdict_on_head(
    method: bytes,
    target: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes | None,
    *,
    policy: Policy,
    context: Context,
    client: Client | None = None,
    answer: Answer | None = None,
) -> Verdict:
    """The same for a request whose head was read off the wire, with its fields as they came."""
    reply = answer or stand_in({})
    try:
        request, operation, params = recognise(method, target, headers)
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


def _verdict(test: PolicyTest, policy: Policy, client: Client | None) -> Verdict:
    return verdict_on(
        test.method,
        test.target,
        {},
        serialise(test.body) if test.has_body else None,
        policy=policy,
        context=Context(engine_version=policy.api_max, host_root=knows_host(test.engine)),
        client=client,
        answer=stand_in(test.engine),
    )


def _problem(test: PolicyTest, verdicts: Sequence[Verdict]) -> str:
    """What was expected of one verdict at least, or of all of them, and did not come; empty where it came."""
    denials = [verdict for verdict in verdicts if isinstance(verdict, Deny)]
    if test.allowed and denials:
        return f"expected allowed, but {denials[0].message}"
    absent = next((verdict for verdict in verdicts if isinstance(verdict, Absent)), None)
    if absent is not None and not denials and not test.command:
        word = "allowed" if test.allowed else "refused"
        return f"expected {word}, but the engine would say: {absent.missing.message}"
    if test.allowed:
        return ""
    if not denials:
        rules = dict.fromkeys(verdict.rule for verdict in verdicts if isinstance(verdict, Allow))
        named = " and ".join(f"rule `{rule}`" for rule in rules)
        return f"expected refused, but {named} {'allow' if len(rules) > 1 else 'allows'} it"
    refused = tuple(ask for denial in denials for ask in denial.refused)
    lacking = [f"{kind}: {value}" for kind, value in test.refused if not _among(kind, value, refused)]
    if not lacking:
        return ""
    asked = ", ".join(map(str, refused)) or denials[0].message
    return f"expected {', '.join(lacking)} among what is refused, which is: {asked}"


def _among(kind: str, value: str, refused: tuple[Ask, ...]) -> bool:
    """Whether an ask is among the refused ones, by its value with or without its suffixes."""
    return any(ask.kind == kind and value in (ask.value, ask.shown) for ask in refused)
