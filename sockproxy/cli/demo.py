"""`sockproxy demo`: the main job, seen once: real requests through a real socket, each with its verdict and its record.

In front of a real engine it only reads, and asks for what will be refused: the image that it names is nowhere, so that
even a create that went through by mistake would make nothing. In front of the stand-in it makes a container, too.

    cli/demo.py      what is sent, and what a reader sees
    cli/exchange.py  sending a request as it is written, and reading the answer
"""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sockproxy.cli.exchange import Reply, exchange, fetch, request_bytes
from sockproxy.cli.options import engine_option
from sockproxy.cli.screen import shortened, table, width
from sockproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from sockproxy.proxy.server import Running

POLICY: Final = """\
version: 1
name: demo
about: What the demo runs with. Change it, and with SERVE=1 send sockproxy a SIGHUP.
extends: read-only
rules:
  - id: run
    allow:
      - POST /containers/create
      - POST /containers/{id}/start|stop|kill|wait|attach|resize|exec
      - POST /exec/{id}/start|resize
      - DELETE /containers/{id}
      - POST /images/create
    grant:
      bind: /srv/ci/** ro
    only:
      container: [ci-*, label=ci]
      network: bridge
      volume: none
      label: ci
    limit: {memory: 2g}
  - id: no-swarm
    deny: [ANY /swarm/**, ANY /secrets/**, ANY /configs/**]
    because: a demo has no business with the swarm.
"""

IMAGE: Final = "sockproxy.invalid/demo:none"
"""An image that no engine has and no registry can give: RFC 2606 keeps `.invalid` from ever resolving."""

_COLOURS: Final = {"approved": "green", "refused": "red"}


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the demo."""

    shown: str
    """As the table has it: the method and path, and in brackets what matters of the body."""
    sent: bytes
    approved: bool
    """What its verdict must be."""


@dataclass(frozen=True, slots=True)
class Row:
    """One exchange, with the line of the audit log that records it."""

    step: Step
    reply: Reply
    record: Mapping[str, Any]
    """The first audit line under the reply's id; empty where there is none."""
    problem: str = field(default="")
    """What is wrong with it: the verdict, or that it is not recorded. Empty where all is well."""


@click.command()
@engine_option("The engine to stand in front of. Where none answers: a bundled stand-in.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SOCKPROXY_DEMO_DIR",
    show_envvar=True,
    help="Where policy, audit log and metrics are written; a fresh temporary folder, if not given.",
)
@click.option(
    "--listen",
    metavar="tcp://HOST:PORT|unix://PATH",
    default="tcp://127.0.0.1:0",
    envvar="SOCKPROXY_DEMO_LISTEN",
    show_default=True,
    show_envvar=True,
    help="Where it listens; port 0 is any free one.",
)
@click.option(
    "--serve", is_flag=True, envvar="SOCKPROXY_DEMO_SERVE", show_envvar=True, help="Stay up until Ctrl-C, to be tried."
)
def demo(engine: str, folder: Path | None, listen: str, serve: bool) -> None:
    """Show the main job: requests, verdicts, reasons, and where each is recorded.

    Exit codes: 0 fine, 1 an exchange went otherwise than it should, 2 it cannot start.
    """
    where = folder if folder is not None else Path(tempfile.mkdtemp(prefix="sockproxy-demo-"))
    try:
        where.mkdir(parents=True, exist_ok=True)
        (where / "policy.yaml").write_text(POLICY, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write to {where}: {error.strerror}") from None
    click.get_current_context().exit(asyncio.run(_demo(engine, where, listen, serve=serve)))


async def _demo(engine: str, folder: Path, listen: str, *, serve: bool) -> int:
    import logging

    from sockproxy.proxy.address import Address
    from sockproxy.proxy.server import Settings, running

    logging.getLogger("sockproxy").setLevel(logging.INFO if serve else logging.ERROR)
    audit = folder / "audit.jsonl"
    async with AsyncExitStack() as stack:
        engine, pretended = await _engine(str(Address.parse(engine)), folder, stack)
        settings = Settings(
            policy=str(folder / "policy.yaml"),
            engine=engine,
            listen=(listen,),
            admin="tcp://127.0.0.1:0",
            audit=(str(audit),),
            grace_seconds=1.0,
        )
        server = await stack.enter_async_context(running(settings))
        address = server.addresses[0]
        click.echo(f"sockproxy with the policy {folder / 'policy.yaml'}, listening on {address}\n")
        rows = await asyncio.to_thread(_play, address, audit, pretended=pretended)
        _show(rows)
        metrics = await asyncio.to_thread(fetch, f"{_pages(server)}/metrics")
        (folder / "metrics.txt").write_bytes(metrics)
        _show_where(folder, audit, metrics.decode(), _pages(server))
        if serve:
            await _serve(server, address)
    return 1 if any(row.problem for row in rows) else 0


async def _engine(engine: str, folder: Path, stack: AsyncExitStack) -> tuple[str, bool]:
    """The address of an engine that answers, and whether it is only pretended."""
    reply = await asyncio.to_thread(_ping, engine)
    if reply is not None and reply.status == 200:
        version = reply.headers.get("api-version", "?")
        click.echo(f"in front of the Docker Engine at {engine} (API {version}): it is only read,")
        click.echo("and asked for what will be refused; nothing is made on it")
        return engine, False
    from sockproxy.standin import serving

    socket = folder / "engine.sock"
    socket.unlink(missing_ok=True)
    await stack.enter_async_context(serving(socket))
    click.echo(f"no Docker Engine answers at {engine}: this is a stand-in that comes with sockproxy.")
    click.echo("It answers as Docker does, and runs nothing.")
    return f"unix://{socket}", True


def _ping(engine: str) -> Reply | None:
    try:
        return exchange(engine, request_bytes("GET", "/_ping"))
    except OSError:
        return None


# What is sent


def _create(about: str, host_config: Mapping[str, Any], **more: object) -> Step:
    body = {"Image": IMAGE, "Labels": {"ci": "demo"}, "HostConfig": {"Memory": 1 << 28, **host_config}, **more}
    return Step(
        f"POST /containers/create ({about})",
        request_bytes("POST", "/v1.41/containers/create?name=ci-demo", body),
        approved=False,
    )


def _read(target: str) -> Step:
    return Step(f"GET {target}", request_bytes("GET", target), approved=True)


def steps(container: str | None, *, pretended: bool) -> list[Step]:
    """What the demo sends. ``container`` is one of the engine's that the policy does not let anybody touch."""
    twice = b'{"Image": "%b", "HostConfig": {"Privileged": false}, "HostConfig": {"Privileged": true}}' % IMAGE.encode()
    smuggled = request_bytes("GET", "/_ping", headers=("Connection: Upgrade", "Upgrade: tcp"))
    behind = request_bytes("POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"Privileged": True}})
    return [
        _read("/_ping"),
        _read("/version"),
        _read("/v1.41/info"),
        _read("/v1.41/containers/json?all=1"),
        _read("/v1.41/images/json"),
        *(_work() if pretended else ()),
        _create("--privileged", {"Privileged": True}),
        _create("-v /:/host", {"Binds": ["/:/host"]}),
        _create("a volume that is /etc", {"Mounts": [_BIND_BY_DRIVER]}),
        _create("--network host", {"NetworkMode": "host"}),
        _create("--pid host --cap-add SYS_ADMIN", {"PidMode": "host", "CapAdd": ["SYS_ADMIN"]}),
        _create("no memory limit", {"Memory": 0}),
        *((_foreign(container),) if container is not None else ()),
        Step("POST /commit?container=web", request_bytes("POST", "/v1.41/commit?container=web", {}), approved=False),
        Step("GET /swarm", request_bytes("GET", "/v1.41/swarm"), approved=False),
        Step("GET /no-such-endpoint", request_bytes("GET", "/no-such-endpoint"), approved=False),
        Step("POST /containers/create (a key twice)", _raw_create(twice), approved=False),
        Step("GET /images/%2e%2e/info", request_bytes("GET", "/images/%2e%2e/info"), approved=False),
        Step("GET /v9.99/info", request_bytes("GET", "/v9.99/info"), approved=False),
        Step("GET /info (by a web page)", request_bytes("GET", "/info", headers=("Origin: http://x",)), approved=False),
        Step("GET /_ping (Upgrade: tcp, and a create behind it)", smuggled + behind, approved=True),
    ]


_BIND_BY_DRIVER: Final = {
    "Type": "volume",
    "Target": "/x",
    "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/etc"}}},
}


def _raw_create(body: bytes) -> bytes:
    return request_bytes("POST", "/v1.41/containers/create?name=ci-demo", body)


def _work() -> list[Step]:
    """What the policy lets a client do, on the stand-in alone."""
    body = {
        "Image": "busybox:latest",
        "Cmd": ["echo", "hello"],
        "HostConfig": {"Memory": 1 << 28, "Binds": ["/srv/ci/job:/work:ro"]},
    }
    # Without a version it is the engine's own: to a new engine an old one asks for another kind of read-only.
    create = request_bytes("POST", "/containers/create?name=ci-job", body)
    return [
        Step("POST /containers/create (-v /srv/ci/job:/work:ro)", create, approved=True),
        Step("POST /containers/ci-job/start", request_bytes("POST", "/v1.41/containers/ci-job/start"), approved=True),
        Step("POST /containers/ci-job/wait", request_bytes("POST", "/v1.41/containers/ci-job/wait"), approved=True),
        _read("/v1.41/containers/ci-job/logs?stdout=1"),
        Step("DELETE /containers/ci-job", request_bytes("DELETE", "/v1.41/containers/ci-job"), approved=True),
    ]


def _foreign(container: str) -> Step:
    """A shell prepared in somebody else's container. Were it let through by mistake, it would not be started."""
    path = f"/containers/{container}/exec"
    return Step(f"POST {path} (sh)", request_bytes("POST", f"/v1.41{path}", {"Cmd": ["sh"]}), approved=False)


# Playing it


def _play(address: str, audit: Path, *, pretended: bool) -> list[Row]:
    """Send everything, then look each exchange up in the audit log."""
    replies = [(step, exchange(address, step.sent)) for step in steps(_foreigner(address), pretended=pretended)]
    records = _records(audit)
    return [_row(step, reply, records) for step, reply in replies]


def _foreigner(address: str) -> str | None:
    """The name of some container that the demo's policy does not take in; None where there is none."""
    told = json.loads(exchange(address, request_bytes("GET", "/v1.41/containers/json")).body or b"[]")
    for each in told if isinstance(told, list) else ():
        name = str(each["Names"][0]).removeprefix("/")
        if not name.startswith("ci-") and "ci" not in (each.get("Labels") or {}):
            return name
    return None


def _records(audit: Path) -> dict[str, Mapping[str, Any]]:
    """The audit log's decisions by their ids."""
    records: dict[str, Mapping[str, Any]] = {}
    for line in audit.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        records.setdefault(record["id"], record)
    return records


def _row(step: Step, reply: Reply, records: Mapping[str, Mapping[str, Any]]) -> Row:
    record = records.get(reply.headers.get("x-sockproxy-id", ""), {})
    problem = ""
    if not record:
        problem = "its id stands not in the audit log"
    elif (record["verdict"] == "allow") != step.approved:
        problem = f"should have been {'approved' if step.approved else 'refused'}"
    elif step.approved and reply.status >= 400:
        problem = f"the engine answered {reply.status}: {reply.message}"
    elif reply.more:
        problem = "a second request was answered behind it"
    return Row(step, reply, record, problem)


# Showing it


def _show(rows: Sequence[Row]) -> None:
    head = ("request", "verdict", "HTTP", "code", "audit id", "reason")
    cells = [head, *(_cells(row) for row in rows)]
    taken = sum(max(map(len, column)) + 2 for column in zip(*(row[:-1] for row in cells), strict=True))
    room = max(width() - taken, 40)
    for line in table(((*row[:-1], shortened(row[-1], room)) for row in cells), colours=_COLOURS):
        click.echo(line)
    refused = sum(row.record.get("verdict") == "deny" for row in rows)
    click.echo(f"\n{len(rows)} requests: {len(rows) - refused} approved, {refused} refused")
    for row in rows:
        if row.problem:
            click.secho(f"wrong: {row.step.shown}: {row.problem}", fg="red", err=True)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.step.shown,
        "approved" if row.record.get("verdict") == "allow" else "refused",
        str(row.reply.status),
        str(row.record.get("code") or "-"),
        str(row.record.get("id") or "-"),
        _reason(row),
    )


def _reason(row: Row) -> str:
    """The reason in a few words; the client's own message says where in the request, too, and what would allow it."""
    rule = f"rule `{row.record.get('rule')}`"
    if row.record.get("verdict") == "allow":
        return rule
    if asks := row.record.get("refused"):
        return ", ".join(f"{ask['kind']}: {ask['value']}" for ask in asks) + f" (not by {rule})"
    return row.reply.message.removeprefix("sockproxy: ").partition("; to allow it")[0]


def _pages(server: Running) -> str:
    """Where the admin listener is, for a browser."""
    return str(server.admin).replace("tcp://", "http://", 1)


def _show_where(folder: Path, audit: Path, metrics: str, pages: str) -> None:
    """Where the record is, and what the metrics count."""
    click.echo(f"\naudit log  {audit}  (one JSON line for each decision, and one for each end)")
    click.echo(f"metrics    {folder / 'metrics.txt'}  (while it runs: {pages}/metrics)")
    counted = [line for line in metrics.splitlines() if line.startswith("sockproxy_refused_asks_total{")]
    for line in counted[:3]:
        click.echo(f"           {line}")
    click.echo(f"policy     {folder / 'policy.yaml'}")


async def _serve(server: Running, address: str) -> None:
    """Stay up until Ctrl-C; SIGHUP loads the policy anew."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, server.reload)
    click.echo(f"\nit stays up until Ctrl-C. In another terminal:\n\n  export DOCKER_HOST={address}")
    click.echo("  docker ps\n  docker run --rm --privileged --name ci-x busybox id")
    click.echo(f"\nand in a browser: {_pages(server)}")
    await stop.wait()
