"""The engine's socket: is it there, is it one, may it be opened, does somebody listen?

To connect to a Unix socket is to write to it (unix(7)), and to search every folder on the way.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from sockproxy.doctor import selinux
from sockproxy.doctor.asking import reach
from sockproxy.doctor.finding import Finding, ok, problem
from sockproxy.doctor.scene import Scene
from sockproxy.proxy.address import Address, why_unreachable

_NAME: Final = "socket"


def check(address: Address, scene: Scene, name: str = _NAME) -> Finding:
    """Whether whoever listens at an address can be connected to; the fix of a problem is for this very socket."""
    if address.path is None:
        return _tcp(address, name)
    path = Path(address.path)
    try:
        status = path.stat()
    except FileNotFoundError:
        return _missing(address, scene, name)
    except PermissionError:
        return _unsearchable(path, name)
    except OSError as error:
        return problem(name, f"{address}: {error.strerror}", "--engine unix:///PATH, of the engine's socket")
    if stat.S_ISDIR(status.st_mode):
        return problem(
            name,
            f"{path} is a folder: compose and `docker run -v` make one where there is no socket to mount",
            f"rmdir {path} on the host, start the engine, and make the container anew",
        )
    if not stat.S_ISSOCK(status.st_mode):
        return problem(name, f"{path} is no socket", "--engine unix:///PATH, of the engine's socket")
    try:
        reach(address)
    except PermissionError:
        return denied(path, status, scene, name)
    except OSError as error:
        return _silent(address, error, scene, name)
    return ok(name, f"{address} can be opened by user {os.geteuid()}")


def _tcp(address: Address, name: str) -> Finding:
    try:
        reach(address)
    except OSError as error:
        why = error.strerror or str(error)
        return problem(name, f"{address}: {why}", "--engine unix:///PATH or tcp://HOST:PORT, of an engine that is up")
    return ok(name, f"{address} can be connected to")


# It is not there -----------------------------------------------------------------------------------------------------


def _missing(address: Address, scene: Scene, name: str) -> Finding:
    what = f"there is no socket at {address.path}"
    found = next(iter(_elsewhere(scene)), None)
    if found is not None:
        whose, path = found
        return problem(name, f"{what}, but one of {whose} at {path}", f"--engine unix://{path}{_mounted(path, scene)}")
    if scene.in_container:
        return problem(name, f"{what} in this container", f'compose: volumes: ["{address.path}:{address.path}"]')
    return problem(name, what, "systemctl start docker; or say where the engine listens: --engine unix:///PATH")


def _elsewhere(scene: Scene) -> Iterator[tuple[str, str]]:
    """Sockets of other engines: whose they are, and where."""
    runtime = scene.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    home = scene.environ.get("HOME") or "/"
    for whose, path in (
        ("rootless Docker", f"{runtime}/docker.sock"),
        ("rootless Docker", f"{home}/.docker/run/docker.sock"),
        ("Docker Desktop", f"{home}/.docker/desktop/docker.sock"),
        ("Podman", "/run/podman/podman.sock"),
        ("rootless Podman", f"{runtime}/podman/podman.sock"),
    ):
        if scene.path(path).is_socket():
            yield whose, path


def _mounted(path: str, scene: Scene) -> str:
    return "" if scene.in_container else f'; in a container: volumes: ["{path}:{path}"] and user: "{os.geteuid()}"'


# It may not be opened ------------------------------------------------------------------------------------------------


def _unsearchable(path: Path, name: str) -> Finding:
    for folder in reversed(path.parents):
        try:
            status = folder.stat()
        except PermissionError:
            break
        closed = folder, status
    folder, status = closed
    return problem(
        name,
        f"permission denied: user {os.geteuid()} may not search {folder} (mode {status.st_mode & 0o777:04o})",
        _as_user(status.st_uid),
    )


def denied(path: Path, status: os.stat_result, scene: Scene, name: str) -> Finding:
    """Why we may not write to the socket: of owner, group and the rest, the first that we are counts."""
    mode, group = status.st_mode & 0o777, status.st_gid
    ours = group in {os.getegid(), *os.getgroups()}
    what = f"permission denied at {path}: its group is {group}, its mode {mode:04o}, and we are user {os.geteuid()}"
    if _mode_lets(status):
        if selinux.confines(scene):
            return problem(name, f"SELinux keeps {selinux.context(scene)} from {path}", selinux.FIX)
        return problem(
            name,
            f"{what}, whom its mode lets: something else is in the way, AppArmor or a capability that was dropped",
            "journalctl -k --grep 'DENIED|denied' says what; look there first",
        )
    if scene.remapped:
        return problem(
            name, f"{what}, in a user namespace, where the host's groups do not count", 'userns_mode: "host"'
        )
    if mode & 0o020 and not ours:
        return problem(name, what, _in_group(group, scene))
    if mode & 0o200:
        return problem(name, what, _as_user(status.st_uid))
    return problem(name, what, f"chmod 0660 {path}")


def _mode_lets(status: os.stat_result) -> bool:
    if os.geteuid() == status.st_uid:
        return bool(status.st_mode & 0o200)
    if status.st_gid in {os.getegid(), *os.getgroups()}:
        return bool(status.st_mode & 0o020)
    return bool(status.st_mode & 0o002)


def _in_group(group: int, scene: Scene) -> str:
    name = str(group)
    if not scene.in_container:  # where groups have the image's names, which systemd does not know
        with suppress(KeyError):
            name = grp.getgrgid(group).gr_name
    return f'compose: group_add: ["{group}"] · docker run --group-add {group} · systemd: SupplementaryGroups={name}'


def _as_user(user: int) -> str:
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    return f'compose: user: "{user}" · docker run --user {user} · systemd: User={name}'


def _silent(address: Address, error: OSError, scene: Scene, name: str) -> Finding:
    what = why_unreachable(address, error).partition("; ")[0]
    if error.errno != errno.ECONNREFUSED:
        return problem(name, what, "systemctl status docker says how the engine is")
    if scene.in_container:
        what += ": an engine that was restarted has made a new socket, and this container has the old one"
        return problem(name, what, "restart this container; for good, let systemd keep the socket: docker.socket")
    return problem(name, what, "systemctl restart docker")
