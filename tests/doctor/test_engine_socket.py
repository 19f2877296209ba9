"""The engine's socket: each way in which it cannot be opened is made for real, and told with the line that helps."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sockproxy.doctor import Scene, engine_socket, selinux
from sockproxy.proxy.address import Address
from sockproxy.proxy.server import Settings
from tests.doctor.conftest import Engine, listening, said

Machine = Callable[..., Scene]
CONTAINER = {"/.dockerenv": ""}
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def at(path: Path) -> Settings:
    return Settings(engine=f"unix://{path}", admin=None)


def test_a_socket_that_can_be_opened_is_well(daemon: Engine, machine: Machine) -> None:
    assert said("socket", at(daemon.path), machine()) == (
        f"ok: unix://{daemon.path} can be opened by user {os.geteuid()} -> "
    )


@pytest.mark.parametrize(
    ("files", "fix"),
    [({}, "systemctl start docker; or say"), (CONTAINER, 'compose: volumes: ["{path}:{path}"]')],
    ids=["machine", "container"],
)
def test_no_socket(files: dict[str, str], fix: str, folder: Path, machine: Machine) -> None:
    path = folder / "docker.sock"
    told = said("socket", at(path), machine(files))
    assert told.startswith(f"problem: there is no socket at {path}")
    assert fix.replace("{path}", str(path)) in told


@pytest.mark.parametrize(
    ("where", "whose"),
    [
        ("/run/me/docker.sock", "rootless Docker"),
        ("/home/me/.docker/run/docker.sock", "rootless Docker"),
        ("/home/me/.docker/desktop/docker.sock", "Docker Desktop"),
        ("/run/podman/podman.sock", "Podman"),
        ("/run/me/podman/podman.sock", "rootless Podman"),
    ],
)
def test_no_socket_but_another_engines(where: str, whose: str, folder: Path, machine: Machine) -> None:
    scene = machine(XDG_RUNTIME_DIR="/run/me", HOME="/home/me")
    with listening(scene.path(where)):
        told = said("socket", at(folder / "docker.sock"), scene)
    assert f"one of {whose} at {where} -> --engine unix://{where}; in a container: volumes: [" in told


def test_the_users_own_runtime_folder_is_looked_in_where_no_variable_names_it(folder: Path, machine: Machine) -> None:
    scene = machine()
    where = f"/run/user/{os.geteuid()}/docker.sock"
    with listening(scene.path(where)):
        assert f"--engine unix://{where}" in said("socket", at(folder / "docker.sock"), scene)


def test_a_folder_that_compose_made(folder: Path, machine: Machine) -> None:
    made = folder / "docker.sock"
    made.mkdir()
    assert said("socket", at(made), machine()) == (
        f"problem: {made} is a folder: compose and `docker run -v` make one where there is no socket to mount -> "
        f"rmdir {made} on the host, start the engine, and make the container anew"
    )


def test_a_file_is_no_socket(folder: Path, machine: Machine) -> None:
    (folder / "file").touch()
    assert "is no socket -> --engine unix:///PATH" in said("socket", at(folder / "file"), machine())
    assert "Not a directory -> --engine" in said("socket", at(folder / "file" / "docker.sock"), machine())


@pytest.mark.parametrize(
    ("files", "fix"),
    [({}, "systemctl restart docker"), (CONTAINER, "restart this container; for good")],
    ids=["machine", "container"],
)
def test_nobody_listens(files: dict[str, str], fix: str, folder: Path, machine: Machine) -> None:
    listening(folder / "left.sock").close()
    told = said("socket", at(folder / "left.sock"), machine(files))
    assert "nobody listens there" in told
    assert fix in told


def test_an_engine_on_tcp(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert engine_socket.check(Address.parse(address), machine()).what == f"{address} can be connected to"
    told = engine_socket.check(Address.parse(address), machine())
    assert (told.level, told.what) == ("problem", f"{address}: Connection refused")


# Permission ----------------------------------------------------------------------------------------------------------

AS_ANOTHER = """
import os, sys
from pathlib import Path
from sockproxy.doctor import Scene, engine_socket
from sockproxy.proxy.address import Address
os.setgroups([]); os.setgid(4100); os.setuid(4100)
print(engine_socket.check(Address(sys.argv[1]), Scene(root=Path(sys.argv[2]))))
"""


def as_another(path: Path, scene: Scene) -> str:
    """What a user finds that is in no group of the socket's."""
    command = [sys.executable, "-c", AS_ANOTHER, str(path), str(scene.root)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@root_only
@pytest.mark.parametrize(
    ("mode", "fix"),
    [
        (0o660, 'compose: group_add: ["4242"] · docker run --group-add 4242 · systemd: SupplementaryGroups=4242'),
        (0o600, 'compose: user: "4300" · docker run --user 4300 · systemd: User=4300'),
        (0o400, "chmod 0660 {path}"),
    ],
)
def test_permission_denied(mode: int, fix: str, folder: Path, machine: Machine) -> None:
    path = folder / "docker.sock"
    with listening(path):
        os.chown(path, 4300, 4242)
        path.chmod(mode)
        told = as_another(path, machine())
    assert "level='problem'" in told
    assert f"its group is 4242, its mode {mode:04o}, and we are user 4100" in told
    assert fix.replace("{path}", str(path)) in told


@root_only
@pytest.mark.parametrize(("files", "named"), [({}, "daemon"), ({"/.dockerenv": ""}, "1")])
def test_a_group_has_its_name_only_where_groups_are_the_hosts(
    files: dict[str, str], named: str, folder: Path, machine: Machine
) -> None:
    path = folder / "docker.sock"
    with listening(path):
        os.chown(path, 4300, 1)
        path.chmod(0o660)
        told = as_another(path, machine(files))
    assert f"--group-add 1 · systemd: SupplementaryGroups={named}" in told


@root_only
def test_a_folder_on_the_way_that_only_its_owner_may_search(folder: Path, machine: Machine) -> None:
    closed = folder / "closed"
    with listening(closed / "docker.sock"):
        os.chown(closed, 4300, 4300)
        closed.chmod(0o700)
        told = as_another(closed / "docker.sock", machine())
    assert f"user 4100 may not search {closed} (mode 0700)" in told
    assert 'compose: user: "4300"' in told


@root_only
def test_in_a_user_namespace_no_group_helps(folder: Path, machine: Machine) -> None:
    scene = machine({**CONTAINER, "/proc/self/uid_map": "         0     100000      65536\n"})
    with listening(folder / "docker.sock"):
        (folder / "docker.sock").chmod(0o660)
        assert 'userns_mode: "host"' in as_another(folder / "docker.sock", scene)


# SELinux and AppArmor refuse what the mode lets: no test can make them, so the denial itself is given.


@pytest.mark.parametrize(
    ("files", "what", "fix"),
    [
        (
            {"/proc/self/attr/current": "system_u:system_r:container_t:s0:c1,c2\0"},
            "SELinux keeps container_t",
            selinux.FIX,
        ),
        (
            {
                "/proc/self/attr/current": "system_u:system_r:container_t:s0",
                "/sys/fs/selinux/enforce": "0",
            },
            "something else is in the way",
            "journalctl -k",
        ),
        ({"/proc/self/attr/current": "docker-default (enforce)\n"}, "something else is in the way", "journalctl -k"),
        ({}, "something else is in the way", "journalctl -k"),
    ],
    ids=["selinux", "permissive", "apparmor", "neither"],
)
def test_denied_though_the_mode_lets(
    files: dict[str, str], what: str, fix: str, folder: Path, machine: Machine
) -> None:
    path = folder / "docker.sock"
    with listening(path):
        told = engine_socket.denied(path, path.stat(), machine(files), "socket")
    assert what in told.what
    assert fix in told.fix


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({}, "not in use here"),
        ({"/proc/self/attr/current": "docker-default (enforce)\n"}, "not in use here"),
        ({"/proc/self/attr/current": "system_u:system_r:spc_t:s0\0"}, "in use, and this process is spc_t"),
        (
            {
                "/proc/self/attr/current": "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0",
                "/sys/fs/selinux/enforce": "1",
            },
            "enforcing, and this process is unconfined_t",
        ),
        ({"/sys/fs/selinux/enforce": "0"}, "permissive, and this process is not labelled"),
    ],
)
def test_what_selinux_is_here(files: dict[str, str], what: str, machine: Machine) -> None:
    assert selinux.check(machine(files)).what == what


@pytest.mark.parametrize(
    ("kind", "enforce", "confined"),
    [("container_t", "", True), ("container_t", "1", True), ("container_t", "0", False), ("spc_t", "1", False)],
)
def test_which_types_selinux_confines(kind: str, enforce: str, confined: bool, machine: Machine) -> None:
    scene = machine({"/proc/self/attr/current": f"a_u:b_r:{kind}:s0", "/sys/fs/selinux/enforce": enforce})
    assert selinux.confines(scene) is confined
