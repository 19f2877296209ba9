"""`sockproxy explain`: one request's verdict, ask by ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, Final

import click

from sockproxy.cli.options import Lines, host_root_option, policy_option
from sockproxy.cli.screen import table
from sockproxy.docker.asks import KINDS
from sockproxy.errors import ConfigurationError, EngineDown, Refusal
from sockproxy.model import HOST, Absent, Allow, Ask, Context, Deny, JsonObject, Missing, Verdict
from sockproxy.printable import printable

if TYPE_CHECKING:
    from sockproxy.docker.operations import Operation
    from sockproxy.policy.load import Client, DenyRule, Policy, Rule

    Answer = Callable[[str], JsonObject | Missing]

_COLOURS: Final = {"yes": "green", "NO": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One ask, and what the policy says to it."""

    ask: Ask
    covered: bool
    by: str
    """What covers it, or what is missing."""
    place: str
    """``file:line`` of that, empty where nothing in a file speaks of it."""


@click.command()
@policy_option
@click.option(
    "--request",
    "asked",
    required=True,
    metavar="'METHOD PATH'",
    envvar="SOCKPROXY_REQUEST",
    show_envvar=True,
    help="As a client sends it, query and version prefix included: 'POST /containers/create?name=ci-1'.",
)
@click.option(
    "--body",
    type=click.File("rb"),
    metavar="FILE|-",
    envvar="SOCKPROXY_BODY",
    show_envvar=True,
    help="The JSON body; `-` is standard input.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    type=Lines(),
    metavar="'NAME: VALUE'",
    envvar="SOCKPROXY_HEADER",
    show_envvar=True,
    help="A header that the client sends. Repeatable; in the variable, a line each.",
)
@click.option(
    "--client",
    metavar="NAME",
    envvar="SOCKPROXY_CLIENT",
    show_envvar=True,
    help="Which of the policy's clients asks.",
)
@click.option(
    "--engine",
    metavar="unix://PATH|tcp://HOST:PORT",
    envvar="SOCKPROXY_EXPLAIN_ENGINE",
    show_envvar=True,
    help="Ask this engine what containers and images are. Without it, what is named is there, with nothing special.",
)
@click.option(
    "--engine-facts",
    "facts",
    type=click.File("rb"),
    metavar="FILE",
    envvar="SOCKPROXY_ENGINE_FACTS",
    show_envvar=True,
    help='JSON: what look-ups are answered, as in a policy\'s tests: {"/containers/db/json": {"Name": "/db"}}.',
)
@host_root_option
@click.option("--json", "as_json", is_flag=True, envvar="SOCKPROXY_JSON", show_envvar=True, help="Print JSON.")
def explain(
    policy: str,
    asked: str,
    body: IO[bytes] | None,
    headers: tuple[str, ...],
    client: str | None,
    engine: str | None,
    facts: IO[bytes] | None,
    host_root: str | None,
    as_json: bool,
) -> None:
    """Judge one request, and say why: what it asks, what covers each ask and where, and what is missing.

    Nothing is forwarded. Exit codes: 0 allowed, 1 refused, 2 a mistake.
    """
    from sockproxy.policy.load import load

    method, _, target = asked.strip().partition(" ")
    if not target.startswith("/"):
        raise click.BadParameter("write a method and a path: 'POST /containers/create'", param_hint="--request")
    fields = _fields(headers)
    the_policy = load(policy)
    whose = _client(the_policy, client)
    data = body.read() if body is not None else None
    verdict = _judge(
        *(method, target.strip(), fields, data, the_policy, whose),
        engine=engine,
        facts=_facts(facts),
        host_root=host_root,
    )
    show = _as_json if as_json else _as_text
    show(asked, _operation(method, target.strip()), verdict, the_policy)
    click.get_current_context().exit(0 if isinstance(verdict, Allow) else 1)


def _fields(headers: tuple[str, ...]) -> dict[str, str]:
    """Header names, as `Content-Type` is written, to their values."""
    fields: dict[str, str] = {}
    for header in headers:
        name, colon, value = header.partition(":")
        key = name.strip().title()
        if not colon or not key or key in fields:
            raise click.BadParameter(f"{header!r} is no 'NAME: VALUE', or came twice", param_hint="--header")
        fields[key] = value.strip()
    return fields


def _facts(file: IO[bytes] | None) -> dict[str, JsonObject]:
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


def _client(policy: Policy, name: str | None) -> Client | None:
    """The client that asks.

    Raises:
        BadParameter: the policy has clients and none of them is named, or knows no such one.
    """
    found = next((each for each in policy.clients if each.name == name), None)
    if found is None and (policy.clients or name is not None):
        known = ", ".join(each.name for each in policy.clients) or "none"
        raise click.BadParameter(f"say which of the policy's clients asks: {known}", param_hint="--client")
    return found


def _judge(
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes | None,
    policy: Policy,
    client: Client | None,
    *,
    engine: str | None,
    facts: dict[str, JsonObject],
    host_root: str | None,
) -> Verdict:
    """The verdict, with look-ups answered by the file, or by the engine and the host where they are there."""
    from sockproxy.rehearse import knows_host, stand_in, verdict_on

    with ExitStack() as stack:
        context, answer = Context(engine_version=policy.api_max, host_root=knows_host(facts)), stand_in(facts)
        if engine is not None:
            context, answer = _asking(engine, stack)
        if host_root is not None:
            context, answer = replace(context, host_root=True), _led(host_root, answer, stack)
        return verdict_on(method, target, headers, body, policy=policy, context=context, client=client, answer=answer)


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


def _operation(method: str, target: str) -> Operation | None:
    """The row of the table; None where the request finds none."""
    from sockproxy.judge import recognise

    try:
        return recognise(method.encode(), target.encode(), [(b"Host", b"docker")])[1]
    except Refusal:
        return None


# What was found, ask by ask


def findings(policy: Policy, verdict: Verdict) -> list[Finding]:
    """Each ask of a verdict, with what covers it or what is missing."""

    rule = _rule(policy, verdict)
    refused = verdict.refused if isinstance(verdict, Deny) else ()
    return [_finding(ask, rule, refused=ask in refused) for ask in verdict.asks]


def _rule(policy: Policy, verdict: Verdict) -> Rule | DenyRule | None:
    """The rule that a verdict names: the one that allows, the nearest, or the one that denies."""
    rules: tuple[Rule | DenyRule, ...] = policy.rules
    match verdict:
        case Allow(rule=name):
            pass
        case Deny(code=code, rule=name):
            rules = policy.deny_rules if code == "denied_by_rule" else rules
        case Absent():
            return None
    return next((rule for rule in rules if rule.id == name), None)


def _finding(ask: Ask, rule: Rule | DenyRule | None, *, refused: bool) -> Finding:
    from sockproxy.policy.load import DenyRule

    if rule is None:
        return Finding(ask, covered=False, by="no rule allows this endpoint", place="")
    if isinstance(rule, DenyRule):
        by = f"rule `{rule.id}` denies it" if refused else "is not what is denied"
        return Finding(ask, covered=not refused, by=by, place=str(rule.place))
    if not ask.grantable:
        return Finding(ask, covered=False, by="no policy can allow it", place="")
    return _refused(ask, rule) if refused else _covered(ask, rule)


def _covered(ask: Ask, rule: Rule) -> Finding:
    from sockproxy.policy.match import covering

    if (pattern := covering(rule, ask)) is not None:
        return Finding(ask, covered=True, by=f"{ask.kind}: {pattern.text}", place=pattern.place)
    match KINDS[ask.kind].section:
        case "grant":
            by = "every container has it"
        case "only":
            by = f"free: the rule holds no `{ask.kind}`"
        case "limit" if ask.value in rule.limit:
            by = f"limit: {_limit(rule, ask)}"
        case "limit":
            by = f"free: the rule has no `limit: {ask.value}`"
        case "require":
            by = f"not required: the rule has no `require: {ask.value}`"
    return Finding(ask, covered=True, by=by, place=_place(rule, ask))


def _refused(ask: Ask, rule: Rule) -> Finding:

    match KINDS[ask.kind].section:
        case "grant":
            given = _texts(rule.grant.get(ask.kind, ()))
            by = f"granted is only {given}" if given else f"no `{ask.kind}` is granted"
        case "only":
            by = f"held to {_texts(rule.only.get(ask.kind, ())) or 'none'}"
        case "limit":
            by = f"limit: {_limit(rule, ask)}" + (", and none is set" if ask.amount is None else "")
        case "require":
            by = f"require: {ask.value}"
    return Finding(ask, covered=False, by=by, place=_place(rule, ask))


def _limit(rule: Rule, ask: Ask) -> str:
    from sockproxy.policy.suggest import size

    return f"{ask.value} {size(ask.value, rule.limit[ask.value])}"


def _texts(patterns: Any) -> str:
    return ", ".join(pattern.text for pattern in patterns)


def _place(rule: Rule, ask: Ask) -> str:
    """Where the rule speaks of the kind, the limit or the requirement; empty where it does not."""
    key = ask.value if ask.kind in {"limit", "require"} else ask.kind
    return str(rule.places.get(key, ""))


# Showing it


def _as_text(asked: str, operation: Operation | None, verdict: Verdict, policy: Policy) -> None:

    name = operation.name if operation is not None else "no endpoint that is known"
    click.echo(f"{printable(asked)}  ({name}, policy `{policy.name}`)")
    for line in _headline(verdict, policy):
        click.echo(line)
    found = sorted(findings(policy, verdict), key=lambda each: each.covered)
    rows = [_cells(each) for each in found]
    if rows:
        click.echo()
        head = ("covered", "ask", "where", "by")
        click.echo("\n".join(table([head, *rows], colours=_COLOURS, indent="  ")))
    if isinstance(verdict, Deny) and verdict.fix:
        click.echo(f"\nto allow it:\n\n{verdict.fix}")


def _cells(found: Finding) -> tuple[str, ...]:
    where = f" ({_near(found.place)})" if found.place else ""
    covered = "yes" if found.covered else "NO"
    return covered, printable(str(found.ask)), printable(found.ask.where), found.by + where


def _near(place: str) -> str:
    """A place in a preset without the folder that presets are in."""
    from sockproxy.policy import presets

    return place.removeprefix(f"{presets.folder()}/")


def _headline(verdict: Verdict, policy: Policy) -> list[str]:

    rule = _rule(policy, verdict)
    place = f" ({_near(str(rule.place))})" if rule is not None else ""
    match verdict:
        case Allow(rule=name):
            return [click.style("allowed", fg="green", bold=True) + f" by rule `{name}`{place}"]
        case Deny():
            word = "denied by" if verdict.code == "denied_by_rule" else "the nearest is"
            nearest = f"; {word} rule `{verdict.rule}`{place}" if verdict.rule else ""
            head = click.style("refused", fg="red", bold=True) + f": {verdict.status} {verdict.code}{nearest}"
            return [head, printable(verdict.message, 4096)]
        case Absent():
            head = click.style("not there", fg="yellow", bold=True) + f": the engine answers {verdict.missing.status}"
            return [head, printable(verdict.missing.message)]


def _as_json(asked: str, operation: Operation | None, verdict: Verdict, policy: Policy) -> None:

    asks = [
        {
            "kind": each.ask.kind,
            "value": each.ask.shown,
            "where": each.ask.where,
            "covered": each.covered,
            "by": each.by,
            "place": each.place or None,
        }
        for each in findings(policy, verdict)
    ]
    told = {
        "request": asked,
        "operation": operation.name if operation is not None else None,
        "policy": {"name": policy.name, "digest": policy.digest},
        **_verdict_fields(verdict),
        "asks": asks,
    }
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _verdict_fields(verdict: Verdict) -> dict[str, str | int | None]:
    """The verdict's own fields, by the names of the audit line; every verdict has all of them."""
    fields: dict[str, str | int | None] = dict.fromkeys(("verdict", "code", "status", "rule", "message", "fix"))
    match verdict:
        case Allow(rule=rule):
            return {**fields, "verdict": "allow", "rule": rule}
        case Deny(code=code, status=status, rule=rule, message=message, fix=fix):
            told = {"code": code, "status": status, "rule": rule, "message": message, "fix": fix or None}
            return {**fields, "verdict": "deny", **told}
        case Absent(missing=missing):
            return {**fields, "verdict": "absent", "status": missing.status, "message": missing.message}
