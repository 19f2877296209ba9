"""`sockproxy doctor`: what is wrong with this set-up, and the one line that puts it right.

Law: it looks, and leaves no trace. No file is made, no socket bound, nothing asked of an engine but by GET.

    scene ─► policy ─► socket ─► engine (api, ping, clock) ─► own container ─► listeners ─► files

Each check is a small function that returns findings and knows nothing of the others' but what it is given. What a
later check would need of an earlier one that failed is not looked at: one cause has one finding.

    finding.py        what a check says            asking.py      questions to whoever listens
    scene.py          the machine                  policies.py    the policy
    engine_socket.py  the engine's socket          selinux.py     SELinux
    engine.py         versions, ping, clock        own.py         the own container
    listeners.py      --listen, --admin            files.py       --audit, --host-root
    client.py         the client's side
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Generator, Iterator
from datetime import UTC, datetime

from sockproxy import __version__
from sockproxy.doctor import asking, client, engine, engine_socket, files, listeners, own, policies, selinux
from sockproxy.doctor.finding import Finding, Level, ok, problem, warning
from sockproxy.doctor.own import House
from sockproxy.doctor.scene import Scene
from sockproxy.errors import ConfigurationError, EngineDown
from sockproxy.policy.rules import Policy
from sockproxy.proxy import listen
from sockproxy.proxy.address import Address
from sockproxy.proxy.server import Settings

__all__ = ["Finding", "Level", "Scene", "examine", "examine_client"]


def examine(settings: Settings, scene: Scene | None = None) -> tuple[Finding, ...]:
    """Everything that can be wrong where sockproxy runs, or is about to.

    Raises:
        ConfigurationError: an address in the settings is none.
    """
    here = scene or Scene()
    address = Address.parse(settings.engine)
    clients = tuple(map(listen.parse, settings.listen))
    admin = _admin(settings.admin)
    return tuple(_examine(settings, address, clients, admin, here))


def examine_client(address: str, scene: Scene | None = None) -> tuple[Finding, ...]:
    """What a client meets at an address, ``tcp://HOST:PORT`` or ``unix:///PATH``.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        where = Address.parse(address)
    except ConfigurationError:
        raise ConfigurationError(f"`{address}` is no address: write tcp://HOST:PORT or unix:///PATH") from None
    return tuple(client.check(where, scene or Scene()))


def _admin(text: str | None) -> listen.TcpListener | None:
    listener = None if text is None else listen.parse(text)
    if isinstance(listener, listen.UnixListener):
        raise ConfigurationError(f"the admin listener `{text}` must be tcp://HOST:PORT")
    return listener


def _examine(
    settings: Settings,
    address: Address,
    clients: tuple[listen.Listener, ...],
    admin: listen.TcpListener | None,
    scene: Scene,
) -> Iterator[Finding]:
    where = "a container" if scene.in_container else "no container"
    yield ok("sockproxy", f"{__version__}, Python {platform.python_version()}, user {os.geteuid()}, in {where}")
    policy = policies.read(settings)
    if isinstance(policy, Finding):
        yield policy
    else:
        yield from policies.check(policy, host_root=settings.host_root is not None, observe=settings.observe)
    connected = engine_socket.check(address, scene)
    yield connected
    yield selinux.check(scene)
    house = House(scene.in_container)
    if connected.level != "problem":
        known = policy if isinstance(policy, Policy) else None
        house = yield from _engine(address, settings.own_container, known, scene)
    yield from listeners.check(clients, address, house)
    yield listeners.check_admin(admin, house)
    yield from listeners.check_docker_host(clients, address, scene)
    yield from files.check_audit(settings.audit)
    yield from files.check_host_root(settings.host_root, scene)


def _engine(
    address: Address, own_container: str | None, policy: Policy | None, scene: Scene
) -> Generator[Finding, None, House]:
    """The engine's findings, and what it knows of our own container."""
    house = House(scene.in_container)
    try:
        ping = asking.ask(address, "/_ping")
        told = asyncio.run(asking.engine(address, own_container, scene))
    except (OSError, EngineDown) as error:
        yield problem("engine", f"{address} is open, and no engine answers: {error}", "systemctl restart docker")
        return house
    if ping.who == "sockproxy":
        yield warning(
            "engine",
            f"{address} is another sockproxy: a call must pass both policies, and the own container cannot be seen",
            "--engine unix:///var/run/docker.sock, unless both are meant",
        )
    yield from engine.check(told, policy, datetime.now(UTC))
    yield own.check(told, own_container, scene)
    return House(scene.in_container, told.own)
