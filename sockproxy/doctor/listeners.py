"""Where clients and operators connect: who can reach it, whether it is free, and whether it leads back to itself."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from sockproxy.doctor.asking import ask, where
from sockproxy.doctor.finding import Finding, ok, problem, warning
from sockproxy.doctor.own import House, is_loopback
from sockproxy.doctor.scene import Scene
from sockproxy.errors import ConfigurationError
from sockproxy.proxy.address import Address
from sockproxy.proxy.listen import Listener, TcpListener, UnixListener


def check(listeners: Sequence[Listener], engine: Address, house: House) -> Iterator[Finding]:
    """Every listener for clients."""
    for listener in listeners:
        if _leads_to(engine, listener):
            yield problem(
                "listen",
                f"the engine is {engine}, which is sockproxy's own listener: every call would come back to it",
                "--engine unix:///var/run/docker.sock, or wherever the engine itself listens",
            )
            continue
        yield _reached_by(listener, "listen", house)
        yield from _taken(listener)


def check_admin(listener: TcpListener | None, house: House) -> Finding:
    """The listener of health, metrics and the live page."""
    if listener is None:
        return ok("admin", "there is no admin listener")
    return _reached_by(listener, "admin", house)


def check_docker_host(listeners: Sequence[Listener], engine: Address, scene: Scene) -> Iterator[Finding]:
    """Where DOCKER_HOST here leads. `sockproxy run` does not read it: it is for clients."""
    named = scene.environ.get("DOCKER_HOST", "")
    try:
        host = Address.parse(named)
    except ConfigurationError:
        return
    if any(_leads_to(host, listener) for listener in listeners):
        yield ok("docker-host", f"DOCKER_HOST={named} leads to sockproxy")
    elif _same(host, engine):
        yield warning(
            "docker-host",
            f"DOCKER_HOST={named} is the engine itself: clients with this environment go around sockproxy",
            f"export DOCKER_HOST={next(map(str, listeners), '')}",
        )


# Who can reach it ----------------------------------------------------------------------------------------------------


def _reached_by(listener: Listener, option: str, house: House) -> Finding:
    if isinstance(listener, UnixListener):
        return _unix(listener)
    what = "has the policy" if option == "listen" else "sees every decision"
    loopback = f"--{option} tcp://127.0.0.1:{listener.port}"
    if not listener.exposed:
        return _loopback(listener, option, house)
    if house.network_mode == "host":
        return problem(
            option, f"{listener} is the host's own (network_mode: host): whoever reaches the host {what}", loopback
        )
    public = [(address, port) for address, port in house.published(listener.port) if not is_loopback(address)]
    if public:
        address, port = public[0]
        return problem(
            option,
            f"{listener} is published to the world, at {address}:{port}, past the host's firewall: everyone {what}",
            f'compose: ports: ["127.0.0.1:{port}:{listener.port}"], or no `ports` and a network of its own',
        )
    if not house.in_container:
        return warning(option, f"{listener} is open beyond this machine: everyone who can connect {what}", loopback)
    return _in_networks(listener, option, house, what)


def _loopback(listener: TcpListener, option: str, house: House) -> Finding:
    shared = house.network_mode.startswith(("host", "container:"))
    if option == "listen" and house.in_container and not shared:
        return warning(
            option,
            f"{listener} is this container's own loopback: no client in another container can connect",
            f"--listen tcp://0.0.0.0:{listener.port}",
        )
    return ok(option, f"{listener}: this {'container' if house.in_container else 'machine'} alone can connect")


def _in_networks(listener: TcpListener, option: str, house: House, what: str) -> Finding:
    if house.inspect is None:
        return ok(option, f"{listener} is open to its container's networks; whether it is published, cannot be seen")
    if "bridge" in house.networks:
        return warning(
            option,
            f"{listener} is open to the network `bridge`, which every container is in that names none: each {what}",
            "compose: networks: [docker-api], and docker-api: {internal: true}",
        )
    published = house.published(listener.port)
    if published:
        return ok(option, f"{listener} is published at {published[0][0]}:{published[0][1]}, for this machine alone")
    return ok(option, f"{listener} is open to the network {' and '.join(f'`{each}`' for each in house.networks)}")


def _unix(listener: UnixListener) -> Finding:
    folder = Path(listener.path).parent
    if listener.group is not None and not listener.group.isdecimal():
        try:
            grp.getgrnam(listener.group)
        except KeyError:
            return problem(
                "listen", f"{listener}: there is no group `{listener.group}` here", f"groupadd {listener.group}"
            )
    if not folder.is_dir():
        return problem("listen", f"{listener}: there is no folder {folder}", f"mkdir -p {folder}")
    if not may_write(folder):
        user = os.geteuid()
        return problem("listen", f"{listener}: user {user} may not write to {folder}", f"chown {user} {folder}")
    if listener.mode & 0o002:
        return warning(
            "listen",
            f"{listener} has mode {listener.mode:04o}: every user of this machine has the policy",
            f"--listen 'unix://{listener.path}?mode=0660&group=NAME'",
        )
    return ok("listen", f"{listener}: its owner and its group can connect")


def may_write(path: Path) -> bool:
    """Whether we may write to a file, or make files in a folder."""
    wanted = os.W_OK | os.X_OK if path.is_dir() else os.W_OK
    return os.access(path, wanted, effective_ids=os.access in os.supports_effective_ids)


# What is there -------------------------------------------------------------------------------------------------------


def _taken(listener: Listener) -> Iterator[Finding]:
    """Whoever listens there already: a sockproxy that runs is well, anybody else is in its way."""
    if isinstance(listener, UnixListener):
        try:
            if not stat.S_ISSOCK(Path(listener.path).lstat().st_mode):
                what = f"{listener}: the path is there, and is no socket"
                yield problem("listen", what, f"--listen unix://{listener.path}.sock, or another path that is free")
                return
        except OSError:
            return  # free, or its folder's finding says why not
    elif listener.port == 0:
        return
    try:
        answer = ask(where(listener), "/_ping")
    except ConnectionRefusedError:
        return  # free
    except OSError as error:
        yield _stranger(listener, f"somebody listens there already ({error.strerror or error})")
        return
    if answer.who == "sockproxy":
        yield ok("listen", f"{listener} is answered by a sockproxy that runs")
    else:
        yield _stranger(listener, "the engine" if answer.who == "engine" else "somebody else listens there already")


def _stranger(listener: Listener, who: str) -> Finding:
    what = (
        f"{listener} is taken: {who}" if who != "the engine" else f"{listener} is taken, by an engine without a policy"
    )
    see = (
        f"ss -ltnp 'sport = :{listener.port}'" if isinstance(listener, TcpListener) else f"ss -lxp src {listener.path}"
    )
    return problem("listen", what, f"{see} says by whom; stop that, or choose another --listen")


# Circles -------------------------------------------------------------------------------------------------------------


def _leads_to(address: Address, listener: Listener) -> bool:
    return _same(address, where(listener))


def _same(one: Address, other: Address) -> bool:
    if one.path is not None and other.path is not None:
        return os.path.realpath(one.path) == os.path.realpath(other.path)
    if one.path is not None or other.path is not None or one.port != other.port:
        return False
    return one.host == other.host or (_local(one.host) and _local(other.host))


def _local(host: str) -> bool:
    return host == "localhost" or is_loopback(host)
