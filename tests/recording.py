"""The corpus, judged purely with what its scene's engine would answer to look-ups, and written as an audit log would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from sockproxy import judge
from sockproxy.audit import VerdictWord, fragment
from sockproxy.docker.call import Call
from sockproxy.docker.operations import Operation
from sockproxy.errors import Refusal
from sockproxy.model import STAT, Absent, Allow, Context, Deny, JsonObject, Missing, Needs, Observed, Request, WouldDeny
from sockproxy.policy.load import Client, Policy
from tests.corpus import Call as LegitimateCall
from tests.corpus import Line, attacks, identity, legitimate, nonsense, pure_facts, pure_names, spell

NAMES = pure_names()
FACTS = pure_facts()

Judging: TypeAlias = Callable[[Call, Policy, Context, Client | None], Observed | Needs]


@dataclass(frozen=True)
class Sent:
    """A request of the corpus, spelled out."""

    name: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    facts: Mapping[str, JsonObject | Missing]


@dataclass(frozen=True)
class Judged:
    """What became of one."""

    verdict: Observed
    line: bytes


def attack(line: Line) -> Sent:
    """A line of the attacks or the nonsense, spelled out."""
    body = line.payload(NAMES)
    facts = dict(FACTS) | {spell(path, NAMES): Missing(404, "no such thing") for path in line.missing}
    return Sent(line.id, line.method, spell(line.target, NAMES), line.sent_headers(body), body, facts)


def call(sent: LegitimateCall) -> Sent:
    """A call of a real client, spelled out."""
    return Sent(sent.id, sent.method, spell(sent.target, NAMES), sent.headers, sent.body, FACTS)


def corpus() -> Iterator[Sent]:
    """Every attack and every legitimate call that is judged purely."""
    yield from (attack(line) for line in (*attacks(), *nonsense()) if not line.edge)
    yield from map(call, legitimate())


def judged(sent: Sent, policy: Policy, judging: Judging = judge.judge) -> Judged:
    """Judge one, and write its line."""
    context = Context(engine_version=(1, 51), own_container=identity("own"))
    raw = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
    request: Request | None = None
    operation: Operation | None = None
    try:
        request, operation, params = judge.recognise(sent.method.encode(), sent.target.encode(), raw)
        verdict = judge.early(request, operation, policy, context, None) or _decided(
            request, operation, params, sent, policy, context, judging
        )
    except Refusal as error:
        verdict = judge.refusal(error)
    return Judged(verdict, written(verdict, request, operation, policy))


def _decided(
    request: Request,
    operation: Operation,
    params: dict[str, str],
    sent: Sent,
    policy: Policy,
    context: Context,
    judging: Judging,
) -> Observed:
    streamed = operation.body in ("tar", "stream") and request.header("content-type") != "application/json"
    the_call = judge.call(request, operation, params, None if streamed else sent.body, policy, context)
    for _ in range(6):
        result = judging(the_call, policy, context, None)
        if not isinstance(result, Needs):
            return result
        known = {path: sent.facts.get(path, _unknown(path)) for path in result.paths}
        context = replace(context, facts={**context.facts, **known})
    raise AssertionError("look-ups without end")


def _unknown(path: str) -> JsonObject | Missing:
    """What the scene has not: a network or volume of that name is there, and a container or an id is not."""
    if path.startswith(STAT):
        return {}  # no link, wherever one looks
    noun, name = path.split("/")[1:3]
    if noun == "networks" and re.fullmatch("[0-9a-f]+", name) is None:
        return {"Name": name, "Id": identity(name)}
    if noun == "volumes":
        return {"Name": name, "Driver": "local"}
    return Missing(404, "no such thing")


WORDS: dict[type, VerdictWord] = {Allow: "allow", Deny: "deny", Absent: "absent", WouldDeny: "would_deny"}


def written(verdict: Observed, request: Request | None, operation: Operation | None, policy: Policy) -> bytes:
    """The line of a verdict, as `AuditLog.write` puts it together."""
    denial = verdict.denial if isinstance(verdict, WouldDeny) else verdict if isinstance(verdict, Deny) else None
    told = fragment(
        client="anyone",
        operation=operation.name if operation is not None else "(unknown)",
        method=request.method if request is not None else "",
        path=request.path if request is not None else "",
        query=request.query if request is not None else (),
        verdict=WORDS[type(verdict)],
        code=denial.code if denial is not None else None,
        rule=verdict.rule if isinstance(verdict, Allow) else denial.rule if denial is not None else None,
        asks=verdict.asks,
        refused=denial.refused if denial is not None else (),
        policy=policy.digest,
        engine_version=(1, 51),
    )
    head = b'{"time":"2026-01-31T12:00:00.123Z","id":"5f0c2a9e00000001","event":"request","peer":"172.20.0.4:51234",'
    return head + told + b',"status":null,"bytes_in":null,"bytes_out":null,"seconds":null}\n'
