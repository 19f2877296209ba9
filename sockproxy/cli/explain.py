"""`sockproxy explain`: what a policy says to a request, a command, a compose file or last week's traffic, and why."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from sockproxy.cli import completers
from sockproxy.cli.options import Lines, Seconds, host_root_option, policy_option
from sockproxy.cli.trailing import Trailing, trailing_command
from sockproxy.errors import Malformed, Refusal

if TYPE_CHECKING:
    from sockproxy.cli.judging import Knowledge
    from sockproxy.docker.operations import Operation
    from sockproxy.model import Verdict
    from sockproxy.policy.load import Client, Policy
    from sockproxy.records import Record


@click.command(cls=Trailing)
@click.argument("names", nargs=-1, metavar="[FILE|-]... | [-- COMMAND...]", type=click.Path())
@policy_option
@click.option(
    "--request",
    "asked",
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
    shell_complete=completers.clients,
    envvar="SOCKPROXY_CLIENT",
    show_envvar=True,
    help="Which of the policy's clients asks.",
)
@click.option(
    "--engine",
    metavar="unix://PATH|tcp://HOST:PORT",
    envvar="SOCKPROXY_EXPLAIN_ENGINE",
    show_envvar=True,
    help="Ask this engine what there is. Without it, what is named is there, with nothing special.",
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
@click.option(
    "--engine-version",
    "version",
    metavar="VERSION",
    envvar="SOCKPROXY_ENGINE_VERSION",
    show_envvar=True,
    help="Of a command: the API version that the pretended engine speaks, such as 1.41; with --engine, that one's.",
)
@host_root_option
@click.option(
    "-p",
    "--project-name",
    metavar="NAME",
    default="",
    envvar="SOCKPROXY_PROJECT_NAME",
    show_envvar=True,
    help="Of a compose file: the project's name, as docker compose has it.",
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    type=Lines(),
    metavar="NAME",
    envvar="SOCKPROXY_PROFILE",
    show_envvar=True,
    help="Of a compose file: a profile whose services are started too. Repeatable; in the variable, a line each.",
)
@click.option(
    "--env-file",
    "env_files",
    multiple=True,
    type=Lines(),
    metavar="FILE",
    envvar="SOCKPROXY_ENV_FILE",
    show_envvar=True,
    help="Of a compose file: variables, in place of those in `.env`. Repeatable; in the variable, a line each.",
)
@click.option(
    "--timeout",
    "seconds",
    type=Seconds(),
    default=30.0,
    envvar="SOCKPROXY_EXPLAIN_TIMEOUT",
    show_default=True,
    show_envvar=True,
    help="Of a command: seconds after which it is ended.",
)
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    envvar="SOCKPROXY_QUIET",
    show_envvar=True,
    help="Of a command: leave out what it said itself.",
)
@click.option("--json", "as_json", is_flag=True, envvar="SOCKPROXY_JSON", show_envvar=True, help="Print JSON.")
def explain(
    names: tuple[str, ...],
    policy: str,
    asked: str | None,
    body: IO[bytes] | None,
    headers: tuple[str, ...],
    client: str | None,
    engine: str | None,
    facts: IO[bytes] | None,
    version: str | None,
    host_root: str | None,
    project_name: str,
    profiles: tuple[str, ...],
    env_files: tuple[str, ...],
    seconds: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Say what a policy answers, and why: what is asked, what covers each ask and where, and what is missing.

    \b
    --request …     one request
    -- COMMAND      the docker command, compose, whatever honours DOCKER_HOST: it is run, against an engine that is
                    pretended, so that nothing is made; every call that it makes is judged
    FILE…           compose files, a request as it goes over the wire, or an audit log (as `sockproxy replay` reads it)

    Nothing is forwarded. Exit codes: 0 allowed, 1 refused, 2 a mistake.
    """
    from sockproxy.cli.judging import client_of, knowing, read_facts
    from sockproxy.policy.load import load

    command = trailing_command()
    if sum((asked is not None, command is not None, bool(names))) != 1:
        raise click.UsageError("say what is to be explained: --request, a command behind `--`, or files; one of them")
    kind = _kind_of(names)
    if kind == "audit":
        _replay(names, policy, client, as_json=as_json)
        return
    the_policy = load(policy)
    whose = client_of(the_policy, client)
    told = read_facts(facts)
    if command is not None:
        from sockproxy.cli.dry import explain_command, scene_of

        scene = scene_of(told, engine=engine, version=version, host_root=host_root)
        status = explain_command(command, the_policy, whose, scene, seconds=seconds, quiet=quiet, as_json=as_json)
        click.get_current_context().exit(status)
    with knowing(the_policy, engine=engine, facts=told, host_root=host_root) as knowledge:
        if kind == "compose":
            from sockproxy.cli.composing import explain_project, read_project

            project = read_project(names, project_name=project_name, profiles=profiles, env_files=env_files)
            status = explain_project(project, the_policy, whose, knowledge, as_json=as_json)
        elif kind == "request":
            status = _explain_wire(names, the_policy, whose, knowledge, as_json=as_json)
        else:
            assert asked is not None
            data = body.read() if body is not None else None
            status = _explain_request(asked, _fields(headers), data, the_policy, whose, knowledge, as_json=as_json)
    click.get_current_context().exit(status)


def _kind_of(names: tuple[str, ...]) -> str:
    """What the files hold; empty where there are none.

    Raises:
        UsageError: they are of several kinds, or several requests.
        ConfigurationError: one cannot be read, or is nothing that can be explained.
    """
    from sockproxy.cli import files

    kinds = dict.fromkeys(files.kind_of(name, files.beginning_of(name)) for name in names)
    if len(kinds) > 1 or (kinds == {"request": None} and len(names) > 1):
        raise click.UsageError(f"explain these one after the other: they are {' and '.join(kinds)} files")
    return next(iter(kinds), "")


def _replay(names: tuple[str, ...], policy: str, client: str | None, *, as_json: bool) -> None:
    """An audit log is what `sockproxy replay` reads; a call alone is explained as a request is."""
    from sockproxy.cli.replay import only_record, replay_and_show

    record, read = only_record(names)
    status = (
        _explain_record(record, policy, client, as_json=as_json)
        if record is not None
        else replay_and_show(names, policy, client, as_json=as_json, read=read)
    )
    click.get_current_context().exit(status)


def _explain_record(record: Record, source: str, client: str | None, *, as_json: bool) -> int:
    """One recorded call; the exit status."""
    from sockproxy.policy.load import load
    from sockproxy.replay import in_words, judge_again

    policy = load(source)
    again = judge_again(record, policy, client=client)
    asked = f"{record.method} {record.path}"
    status = _show(asked, record.operation, in_words(again, policy), policy, as_json=as_json)
    if again.unknown:
        click.echo(f"this cannot be told for sure: {again.unknown}", err=True)
        return 1
    return status


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


def _explain_request(
    asked: str,
    headers: dict[str, str],
    body: bytes | None,
    policy: Policy,
    client: Client | None,
    knowledge: Knowledge,
    *,
    as_json: bool,
) -> int:
    """One request that is given in words; the exit status."""
    from sockproxy.rehearse import verdict_on

    method, _, target = asked.strip().partition(" ")
    target = target.strip()
    if not target.startswith("/"):
        raise click.BadParameter("write a method and a path: 'POST /containers/create'", param_hint="--request")
    context, answer = knowledge.context, knowledge.answer
    verdict = verdict_on(method, target, headers, body, policy=policy, context=context, client=client, answer=answer)
    return _show(asked, _operation(method.encode(), target.encode()), verdict, policy, as_json=as_json)


def _explain_wire(
    names: tuple[str, ...], policy: Policy, client: Client | None, knowledge: Knowledge, *, as_json: bool
) -> int:
    """A request as it goes over the wire, read as strictly as by the proxy; the exit status."""
    from sockproxy.cli import files
    from sockproxy.judge import refusal
    from sockproxy.proxy import head
    from sockproxy.rehearse import verdict_on_head

    data = files.read(names[0])
    line = data.lstrip().partition(b"\n")[0].decode("utf-8", "replace").strip()
    asked = line.rpartition(" ")[0]
    try:
        lines, rest = files.split_request(data)
        read = head.read(lines)
        body = files.body_of(rest, read.length)
    except Malformed as error:
        return _show(asked, None, refusal(error), policy, as_json=as_json)
    context, answer = knowledge.context, knowledge.answer
    verdict = verdict_on_head(
        *(read.method, read.target, read.headers, body), policy=policy, context=context, client=client, answer=answer
    )
    return _show(asked, _operation(read.method, read.target), verdict, policy, as_json=as_json)


def _operation(method: bytes, target: bytes) -> Operation | None:
    """The row of the table; None where the request finds none."""
    from sockproxy.judge import recognise

    try:
        return recognise(method, target, [(b"Host", b"docker")])[1]
    except Refusal:
        return None


def _show(asked: str, operation: Operation | None, verdict: Verdict, policy: Policy, *, as_json: bool) -> int:
    from sockproxy.cli import findings
    from sockproxy.model import Allow

    (findings.as_json if as_json else findings.show)(asked, operation, verdict, policy)
    return 0 if isinstance(verdict, Allow) else 1
