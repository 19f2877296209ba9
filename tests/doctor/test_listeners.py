"""Where clients and operators connect: who can reach it, whether it is free, and whether it leads back to itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sockproxy.doctor import Scene
from sockproxy.proxy.server import Settings
from tests.cli.conftest import Spawn, spawn  # noqa: F401 - a fixture
from tests.doctor.conftest import Engine, listening, said

Machine = Callable[..., Scene]
CONTAINER = {"/.dockerenv": ""}
ID = "b" * 64


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def at(daemon: Engine, *listen: str, admin: str | None = None, own: str | None = None) -> Settings:
    return Settings(engine=daemon.address, listen=listen, admin=admin, own_container=own)


# Who can reach it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "files", "expected"),
    [
        ("127.0.0.1", {}, "ok: tcp://127.0.0.1:{port}: this machine alone can connect -> "),
        ("localhost", {}, "ok: tcp://localhost:{port}: this machine alone"),
        ("0.0.0.0", {}, "warning: tcp://0.0.0.0:{port} is open beyond this machine: everyone who can connect has the"),
        ("[::]", {}, "warning: tcp://[::]:{port} is open beyond this machine"),
        ("127.0.0.1", CONTAINER, "warning: tcp://127.0.0.1:{port} is this container's own loopback: no client"),
        ("0.0.0.0", CONTAINER, "ok: tcp://0.0.0.0:{port} is open to its container's networks; whether it is published"),
    ],
)
def test_who_can_reach_a_listener(
    host: str, files: dict[str, str], expected: str, daemon: Engine, machine: Machine
) -> None:
    port = free_port()
    told = said("listen", at(daemon, f"tcp://{host}:{port}"), machine(files))
    assert told.startswith(expected.replace("{port}", str(port)))


def inspect(networks: tuple[str, ...], mode: str = "shop", **ports: list[dict[str, str]]) -> dict[str, Any]:
    published = {f"{port.removeprefix('port')}/tcp": bindings for port, bindings in ports.items()}
    return {
        "Id": ID,
        "Name": "/proxy",
        "HostConfig": {"NetworkMode": mode},
        "NetworkSettings": {"Networks": {name: {} for name in networks}, "Ports": published},
    }


EVERYWHERE = [{"HostIp": "0.0.0.0", "HostPort": "2375"}, {"HostIp": "::", "HostPort": "2375"}]
LOOPBACK = [{"HostIp": "127.0.0.1", "HostPort": "4375"}]


@pytest.mark.parametrize(
    ("own", "level", "what", "fix"),
    [
        (inspect(("docker-api",)), "ok", "is open to the network `docker-api`", ""),
        (inspect(("a", "b")), "ok", "is open to the network `a` and `b`", ""),
        (
            inspect(("shop",), port2375=EVERYWHERE),
            "problem",
            "is published to the world, at 0.0.0.0:2375, past the host's firewall: everyone has the policy",
            'compose: ports: ["127.0.0.1:2375:2375"], or no `ports`',
        ),
        (
            inspect(("shop",), port2375=[*LOOPBACK, {"HostIp": "10.0.0.4", "HostPort": "80"}]),
            "problem",
            "at 10.0.0.4:80",
            "127.0.0.1:80:2375",
        ),
        (inspect(("shop",), port2375=[{"HostIp": "", "HostPort": "9"}]), "problem", "at 0.0.0.0:9", "127.0.0.1:9:2375"),
        (inspect(("shop",), port2375=LOOPBACK), "ok", "is published at 127.0.0.1:4375, for this machine alone", ""),
        (inspect(("shop",), port9999=EVERYWHERE), "ok", "is open to the network `shop`", ""),
        (
            inspect(("host",), "host"),
            "problem",
            "is the host's own (network_mode: host)",
            "--listen tcp://127.0.0.1:2375",
        ),
        (
            inspect(("bridge",), "default"),
            "warning",
            "is open to the network `bridge`, which every",
            "{internal: true}",
        ),
    ],
)
def test_a_port_of_the_own_container(
    own: dict[str, Any], level: str, what: str, fix: str, daemon: Engine, machine: Machine
) -> None:
    daemon.answers[f"/containers/{ID}/json"] = daemon.answers["/containers/proxy/json"] = own
    told = said("listen", at(daemon, "tcp://0.0.0.0:2375", own="proxy"), machine(CONTAINER))
    assert told.startswith(f"{level}: tcp://0.0.0.0:2375 is ")
    assert what in told
    assert fix in told.partition(" -> ")[2]


def test_in_a_shared_network_loopback_is_enough(daemon: Engine, machine: Machine) -> None:
    own = inspect((), "container:" + "c" * 64)
    daemon.answers[f"/containers/{ID}/json"] = daemon.answers["/containers/proxy/json"] = own
    told = said("listen", at(daemon, f"tcp://127.0.0.1:{free_port()}", own="proxy"), machine(CONTAINER))
    assert told.startswith("ok: ")


@pytest.mark.parametrize(
    ("admin", "own", "expected"),
    [
        (None, inspect(("shop",)), "ok: there is no admin listener -> "),
        ("tcp://127.0.0.1:9375", inspect(("shop",)), "ok: tcp://127.0.0.1:9375: this container alone can connect -> "),
        ("tcp://0.0.0.0:9375", inspect(("metrics",)), "ok: tcp://0.0.0.0:9375 is open to the network `metrics`"),
        (
            "tcp://0.0.0.0:9375",
            inspect(("metrics",), port9375=EVERYWHERE),
            "problem: tcp://0.0.0.0:9375 is published to the world, at 0.0.0.0:2375, past the host's firewall: everyone sees",
        ),
    ],
)
def test_the_admin_listener(
    admin: str | None, own: dict[str, Any], expected: str, daemon: Engine, machine: Machine
) -> None:
    daemon.answers[f"/containers/{ID}/json"] = daemon.answers["/containers/proxy/json"] = own
    assert said("admin", at(daemon, admin=admin, own="proxy"), machine(CONTAINER)).startswith(expected)


def test_the_admin_listener_of_a_machine(daemon: Engine, machine: Machine) -> None:
    told = said("admin", at(daemon, admin="tcp://0.0.0.0:9375"), machine())
    assert told.startswith(
        "warning: tcp://0.0.0.0:9375 is open beyond this machine: everyone who can connect sees every"
    )
    assert told.endswith("--admin tcp://127.0.0.1:9375")


# Unix sockets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listener", "expected"),
    [
        ("unix://{}/s.sock", "ok: unix://{}/s.sock: its owner and its group can connect -> "),
        ("unix://{}/s.sock?mode=0666", "warning: unix://{}/s.sock has mode 0666: every user of this machine has"),
        ("unix://{}/s.sock?group=no-such-group", "there is no group `no-such-group` here -> groupadd no-such-group"),
        ("unix://{}/none/s.sock", "problem: unix://{}/none/s.sock: there is no folder {}/none -> mkdir -p {}/none"),
        ("unix://{}/file", "problem: unix://{}/file: the path is there, and is no socket"),
    ],
)
def test_a_unix_listener(listener: str, expected: str, daemon: Engine, folder: Path, machine: Machine) -> None:
    (folder / "file").touch()
    told = said("listen", at(daemon, listener.replace("{}", str(folder))), machine())
    assert expected.replace("{}", str(folder)) in told


AS_ANOTHER = """
import os, sys
from sockproxy.doctor import listeners
from sockproxy.doctor.own import House
from sockproxy.proxy.address import Address
from sockproxy.proxy.listen import UnixListener
os.setgroups([]); os.setgid(4100); os.setuid(4100)
print(*listeners.check([UnixListener(sys.argv[1])], Address("/no"), House(False)))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_written(folder: Path) -> None:
    command = [sys.executable, "-c", AS_ANOTHER, f"{folder}/s.sock"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"user 4100 may not write to {folder}', fix='chown 4100 {folder}'" in told


# Taken, or free ------------------------------------------------------------------------------------------------------


@contextmanager
def mute(server: socket.socket) -> Iterator[None]:
    """Take every connection, and close it at once: nobody who speaks HTTP."""

    def close_each() -> None:
        try:
            while True:
                server.accept()[0].close()
        except OSError:
            return

    thread = threading.Thread(target=close_each, daemon=True)
    thread.start()
    yield
    server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_port_that_a_stranger_has(daemon: Engine, machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, mute(server):
        port = server.getsockname()[1]
        told = said("listen", at(daemon, f"tcp://127.0.0.1:{port}"), machine())
    assert f"problem: tcp://127.0.0.1:{port} is taken: somebody listens there already" in told
    assert f"ss -ltnp 'sport = :{port}' says by whom" in told


def test_a_socket_that_an_engine_has(daemon: Engine, folder: Path, machine: Machine) -> None:
    other = Engine(folder / "other.sock")
    told = said("listen", at(daemon, f"unix://{other.path}"), machine())
    other.close()
    assert f"problem: unix://{other.path} is taken, by an engine without a policy" in told


def test_a_socket_that_was_left_behind_is_free(daemon: Engine, folder: Path, machine: Machine) -> None:
    listening(folder / "left.sock").close()
    assert "taken" not in said("listen", at(daemon, f"unix://{folder}/left.sock"), machine())


def test_a_sockproxy_that_runs_is_known(
    daemon: Engine,
    folder: Path,
    machine: Machine,
    spawn: Spawn,  # noqa: F811
) -> None:
    listener = f"unix://{folder}/proxy.sock"
    process = spawn("run", "--engine", daemon.address, "--listen", listener, "--admin", "none", "--audit", "/dev/null")
    assert process.stderr is not None
    while "listening on" not in process.stderr.readline():
        assert process.poll() is None
    assert f"ok: {listener} is answered by a sockproxy that runs" in said("listen", at(daemon, listener), machine())


# Circles -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine_at", "listener"),
    [
        ("tcp://localhost:2375", "tcp://0.0.0.0:2375"),
        ("tcp://127.0.0.1:2375", "tcp://localhost:2375"),
        ("tcp://proxy:2375", "tcp://proxy:2375"),
        ("unix://{}/link.sock", "unix://{}/own.sock"),
    ],
)
def test_an_engine_that_is_sockproxy_itself(engine_at: str, listener: str, folder: Path, machine: Machine) -> None:
    (folder / "link.sock").symlink_to(folder / "own.sock")
    named = engine_at.replace("{}", str(folder))
    told = said("listen", Settings(engine=named, listen=(listener.replace("{}", str(folder)),)), machine())
    assert told.startswith(f"problem: the engine is {named}, which is sockproxy's own listener")


def test_an_engine_beside_it_is_no_circle(machine: Machine) -> None:
    settings = Settings(engine="tcp://127.0.0.1:2376", listen=(f"tcp://127.0.0.1:{free_port()}",))
    assert "own listener" not in said("listen", settings, machine())


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("", ""),
        ("ssh://somewhere", ""),
        ("tcp://10.0.0.1:2375", ""),
        ("tcp://localhost:4375", "ok: DOCKER_HOST=tcp://localhost:4375 leads to sockproxy"),
        ("{engine}", "warning: DOCKER_HOST={engine} is the engine itself: clients"),
    ],
)
def test_where_docker_host_leads(named: str, expected: str, daemon: Engine, machine: Machine) -> None:
    scene = machine(DOCKER_HOST=named.replace("{engine}", daemon.address))
    told = said("docker-host", at(daemon, "tcp://127.0.0.1:4375"), scene)
    assert told.startswith(expected.replace("{engine}", daemon.address))
    assert bool(told) == bool(expected)


def test_an_address_of_the_ipv6_kind_is_asked_on_loopback(daemon: Engine, machine: Machine) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with closing(server), mute(server):
        port = server.getsockname()[1]
        assert "is taken" in said("listen", at(daemon, f"tcp://[::]:{port}"), machine())
