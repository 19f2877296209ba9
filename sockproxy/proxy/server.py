"""Listeners, signals and settings: everything put together.

Started whole or not at all: a policy with a mistake, a port in use or a socket that may not be opened is an error
before anything listens. After that nothing ends sockproxy but a signal: an engine that is away is answered 502 or 503,
a bad new policy leaves the old one in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from sockproxy import __version__, admin
from sockproxy.audit import AuditLog
from sockproxy.errors import ConfigurationError, EngineDown
from sockproxy.metrics import Metrics
from sockproxy.policy.load import Policy, load
from sockproxy.policy.review import review
from sockproxy.policy.rules import Mode
from sockproxy.proxy import listen
from sockproxy.proxy.address import Address, why_unreachable
from sockproxy.proxy.edge import Edge
from sockproxy.proxy.engine import Engine, Notice
from sockproxy.proxy.gateway import Gateway, Witness
from sockproxy.proxy.host_root import HostRoot
from sockproxy.proxy.limits import Limits
from sockproxy.proxy.live import Live
from sockproxy.proxy.lookups import Lookups

_log = logging.getLogger("sockproxy")

DEFAULT_LISTEN: Final = "tcp://127.0.0.1:2375"
DEFAULT_ENGINE: Final = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator sets. Each has an option of `sockproxy run` and an environment variable."""

    policy: str = "read-only"
    """A preset's name or a file."""
    engine: str = DEFAULT_ENGINE
    """``unix:///PATH`` or ``tcp://HOST:PORT``."""
    listen: tuple[str, ...] = (DEFAULT_LISTEN,)
    """``tcp://HOST:PORT`` or ``unix:///PATH?mode=0660&group=NAME``."""
    admin: str | None = None
    """Where health, metrics and the live page are served: ``tcp://HOST:PORT``; None for nowhere."""
    admin_hosts: tuple[str, ...] = ()
    """Host names, beside its own address, that the admin listener answers to."""
    audit: tuple[str, ...] = ("-",)
    """Files that the audit log goes to; ``-`` is stdout."""
    limits: Limits = field(default_factory=Limits)
    grace_seconds: float = 10.0
    """How long a stopping server waits for ordinary answers."""
    own_container: str | None = None
    """The id or name of the container that sockproxy runs in, where it cannot find out itself."""
    host_root: str | None = None
    """The folder where the host's root is mounted; None where symbolic links on the host cannot be seen."""
    wait_for_engine: bool = False
    """Start even where the engine's socket is not there yet."""
    observe: bool = False
    """Whatever the policy says, refuse nothing that a rule could allow: forward it, and record it as `would_deny`."""
    load: Callable[[str | Path], Policy] = load
    """What makes a policy of its name; each time that it is swapped, too."""


@dataclass(slots=True)
class Running:
    """A server that listens."""

    addresses: tuple[str, ...]
    """Where clients connect: as configured, with the port that the kernel chose."""
    admin: str | None
    """Where the admin listener is, as ``tcp://HOST:PORT``; None where there is none."""
    audit: AuditLog
    metrics: Metrics
    live: Live

    def reload(self) -> bool:
        """SIGHUP: the policy, whole or not at all, and the audit files, for log rotation. False where one failed."""
        swapped = self.live.reload()
        self.metrics.policy_reload("ok" if swapped else "failed")
        try:
            self.audit.reopen()
        except ConfigurationError as error:
            _log.error("%s", error)
            return False
        return swapped


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; a second one does not wait. The exit status.

    Raises:
        ConfigurationError: it cannot start.
        PolicyError: the policy has mistakes.
    """
    _raise_file_limit(settings.limits)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def ask_to_stop() -> None:
        if stop.is_set():
            os._exit(128 + signal.SIGINT)  # asked twice: whoever it is does not want to wait
        stop.set()

    # A SIGHUP that comes before there is anything to reload is kept: unhandled, it would end the process.
    early: list[bool] = []
    loop.add_signal_handler(signal.SIGHUP, early.append, True)
    async with running(settings) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, server.reload)
        if early:
            server.reload()
        # What was loaded lives as long as the process: keep the collector from walking it again and again.
        gc.collect()
        gc.freeze()
        await stop.wait()
        _log.warning("stopping: ordinary answers have %g s to end", settings.grace_seconds)


@contextlib.asynccontextmanager
async def running(settings: Settings, *, witness: Witness | None = None) -> AsyncIterator[Running]:
    """Listen while the block runs; at its end stop gracefully. ``witness`` is told of each request that is judged.

    Raises:
        ConfigurationError: it cannot start.
        PolicyError: the policy has mistakes.
    """
    async with contextlib.AsyncExitStack() as stack:
        live = Live(settings.policy, settings.load)
        address = Address.parse(settings.engine)
        listeners = tuple(map(listen.parse, settings.listen))
        admin_listener = _admin_listener(settings.admin)
        check_engine(address, wait=settings.wait_for_engine)
        host_root = stack.enter_context(_host_root(settings))
        audit = AuditLog(settings.audit)
        stack.callback(audit.close)
        sockets = [stack.enter_context(listen.bound(listener)) for listener in listeners]
        admin_socket = stack.enter_context(listen.bound(admin_listener)) if admin_listener is not None else None

        metrics = Metrics()
        house = _House(settings, address, live, audit, metrics, host_root, witness)
        stack.push_async_callback(house.close)
        server = Running(
            addresses=tuple(map(listen.address, listeners, sockets)),
            admin=listen.address(admin_listener, admin_socket)
            if admin_listener is not None and admin_socket is not None
            else None,
            audit=audit,
            metrics=metrics,
            live=live,
        )
        if admin_socket is not None:
            pages = house.pages(server, settings.admin_hosts)
            await stack.enter_async_context(listen.serving(pages, [admin_socket], http="httptools", grace=1.0))
        edge = Edge.within(settings.limits)
        await stack.enter_async_context(listen.serving(house.gateway, sockets, http=edge, grace=settings.grace_seconds))
        _say_hello(settings, address, listeners, server)
        yield server


class _House:
    """What one server is made of."""

    def __init__(
        self,
        settings: Settings,
        address: Address,
        live: Live,
        audit: AuditLog,
        metrics: Metrics,
        host_root: HostRoot | None,
        witness: Witness | None,
    ) -> None:
        self._observe = settings.observe
        self._live = live
        self._metrics = metrics
        self._address = address
        self.up: bool | None = None
        """Whether the engine answered when it was last asked; None before that."""
        self.lookups = Lookups(
            address,
            settings.limits,
            notice=self._notice,
            own_container=settings.own_container,
            host_root=host_root,
        )
        self.engine = Engine(address, settings.limits, notice=self._notice)
        self.gateway = Gateway(
            live=live,
            engine=self.engine,
            lookups=self.lookups,
            audit=audit,
            metrics=metrics,
            limits=settings.limits,
            observe=settings.observe,
            witness=witness,
        )
        live.when_swapped(self._swapped)
        self._swapped()

    def _swapped(self) -> None:
        policy = self._live.policy
        modes = self._modes()
        self._metrics.policy_loaded(policy.name, policy.digest, modes)
        if "observe" in modes:
            whose = "everybody" if "enforce" not in modes else _observed(policy)
            _log.warning(
                "OBSERVING, NOT ENFORCING, %s: what no rule allows is forwarded to the engine all the same,"
                " and recorded as `would_deny`",
                whose,
            )

    def _modes(self) -> frozenset[Mode]:
        return frozenset(("observe",)) if self._observe else self._live.policy.modes

    def _notice(self, event: Notice) -> None:
        """The engine was reached, or cannot be, or closed a connection: it may come back as another version."""
        if event != "lost":
            self.up = event == "reached"
            self._metrics.engine_up(self.up)
        if event != "reached":
            self.lookups.forget()
            self.gateway.forget()

    def pages(self, server: Running, hosts: tuple[str, ...]) -> listen.App:
        """The admin listener's pages."""
        started = time.time()

        async def readiness() -> admin.Readiness:
            try:
                await self.lookups.ping()
            except EngineDown as error:
                return admin.Readiness(ready=False, reason=error.message)
            return admin.Readiness(ready=True)

        def status() -> admin.Status:
            known, policy = self.lookups.known, self._live.policy
            return {
                "version": __version__,
                "policy": policy.name,
                "policy_digest": policy.digest,
                "mode": " and ".join(sorted(self._modes())),
                "engine": str(self._address),
                "engine_up": self.up,
                "engine_version": "" if known is None else "{}.{}".format(*known.engine_version),
                "listening": server.addresses,
                "started": started,
                "decisions": server.audit.recent(),
            }

        return admin.app(self._metrics.registry, readiness, status, hosts=hosts)

    async def close(self) -> None:
        self.engine.close()
        await self.lookups.close()


@contextlib.contextmanager
def _host_root(settings: Settings) -> Iterator[HostRoot | None]:
    """The host's root, where the settings name one.

    Raises:
        ConfigurationError: it cannot be used.
    """
    if settings.host_root is None:
        yield None
        return
    root = HostRoot(settings.host_root, seconds=settings.limits.lookup_seconds)
    if root.lacks:
        _log.warning(
            "the host's root `%s` has no %s: a link is seen only where it is the root that the engine mounts from",
            root.path,
            " and no ".join(root.lacks),
        )
    try:
        yield root
    finally:
        root.close()


def _observed(policy: Policy) -> str:
    """The clients that are only observed, by their names."""
    return ", ".join(f"`{client.name}`" for client in policy.clients if policy.observes(client))


def _admin_listener(text: str | None) -> listen.TcpListener | None:
    if text is None:
        return None
    listener = listen.parse(text)
    if isinstance(listener, listen.UnixListener):
        raise ConfigurationError(f"the admin listener `{text}` must be tcp://HOST:PORT")
    return listener


def check_engine(address: Address, *, wait: bool) -> None:
    """Look at the engine's socket before anything listens. An engine that is merely down is waited for.

    Raises:
        ConfigurationError: there is no socket at the path, or it may not be opened; the message says what to do.
    """
    if address.path is None:
        return
    try:
        if not stat.S_ISSOCK(Path(address.path).stat().st_mode):
            raise ConfigurationError(
                f"the engine's {address} is no socket; a compose file that mounts a socket that is not there"
                " makes a folder of that name: remove it, start the engine, and mount its socket"
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            probe.connect(address.path)
    except FileNotFoundError as error:
        if not wait:
            advice = "say where it is with --engine, or start before it with --wait-for-engine"
            raise ConfigurationError(f"{why_unreachable(address, error)} ({advice})") from error
        _log.warning("%s", why_unreachable(address, error))
    except PermissionError as error:
        raise ConfigurationError(why_unreachable(address, error)) from error
    except OSError as error:
        _log.warning("%s; requests are answered 503 until it is", why_unreachable(address, error))


def _say_hello(settings: Settings, address: Address, listeners: tuple[listen.Listener, ...], server: Running) -> None:
    policy = server.live.policy
    where = ", ".join(server.addresses)
    _log.warning("policy `%s` (%s) in front of %s, listening on %s", policy.name, policy.digest[:12], address, where)
    if server.admin is not None:
        _log.warning("health, metrics and the live page: %s", server.admin.replace("tcp://", "http://", 1))
    sheet = review(policy, host_root=settings.host_root is not None)
    enforced = policy.modes == {"enforce"} and not settings.observe
    for line in sheet.lines if enforced else (*sheet.roads, *sheet.warnings):
        _log.warning("%s", line)
    for listener in listeners:
        if listener.exposed:
            _log.warning("%s is open beyond this machine: everyone who can connect to it has the policy", listener)


def _raise_file_limit(limits: Limits) -> None:
    """Each connection takes one of the engine's beside its own, and the usual limit is 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * limits.connections + 256
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
