"""Files of ours: the audit log, which must be writable, and the host's root, which must be the host's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from sockproxy.doctor.finding import Finding, ok, problem, warning
from sockproxy.doctor.listeners import may_write
from sockproxy.doctor.scene import Scene
from sockproxy.errors import ConfigurationError
from sockproxy.proxy.host_root import HostRoot

_SCARCE: Final = 64 * 1024 * 1024
"""Bytes that are left: some hundred thousand lines of the audit log."""
_MOUNT: Final = 'compose: volumes: ["/:/host:ro,rslave"], and --host-root /host'


# The audit log --------------------------------------------------------------------------------------------------------


def check_audit(names: Sequence[str]) -> Iterator[Finding]:
    """Each place that the audit log goes to: what cannot be recorded is refused, so a full one stops every call."""
    for name in names:
        yield ok("audit", "standard output") if name == "-" else _audit(Path(name))


def _audit(file: Path) -> Finding:
    folder = file.parent
    try:
        if file.is_dir():
            return problem("audit", f"{file} is a folder", f"--audit {file}/audit.jsonl")
        if not folder.is_dir():
            return problem("audit", f"there is no folder {folder}", f"mkdir -p {folder}")
        space = os.statvfs(folder)
    except OSError as error:
        return problem("audit", f"{file}: {error.strerror}", "--audit FILE, in a folder that can be looked at")
    user = os.geteuid()
    if space.f_flag & os.ST_RDONLY:
        fix = f'compose: volumes: ["sockproxy-audit:{folder}"]'
        return problem("audit", f"{folder} is read-only here", fix)
    target = file if file.exists() else folder
    if not may_write(target):
        return problem("audit", f"user {user} may not write to {target}", f"chown {user} {target}")
    free = space.f_bavail * space.f_frsize
    if free == 0 or (space.f_files and not space.f_favail and not file.exists()):
        return problem(
            "audit", f"the disk of {folder} is full: every call would be refused", f"df -h {folder}; make room"
        )
    if free < _SCARCE:
        what = f"{free // 2**20} MB are left on the disk of {folder}: when it is full, every call is refused"
        return warning("audit", what, f"df -h {folder}; make room, or rotate the log: mv, then SIGHUP")
    return ok("audit", f"{file} can be written, and {free // 2**20} MB are left")


# The host's root ------------------------------------------------------------------------------------------------------


def check_host_root(path: str | None, scene: Scene) -> Iterator[Finding]:
    """Where the host's root is mounted: it must be all of it, read-only, and follow what is mounted later."""
    if path is None:
        return
    try:
        root = HostRoot(path, seconds=1.0)
    except ConfigurationError as error:
        yield problem("host-root", str(error).partition(";")[0], _MOUNT)
        return
    try:
        yield _host_root(root, scene)
    finally:
        root.close()


def _host_root(root: HostRoot, scene: Scene) -> Finding:
    if root.lacks:
        return problem(
            "host-root", f"{root.path} has no {' and no '.join(root.lacks)}: it is not the root of a host", _MOUNT
        )
    if not scene.in_container:
        return ok("host-root", f"{root.path}, where links are seen")
    mounted = _mount(root.path, scene)
    if mounted is None:
        return problem("host-root", f"{root.path} is no mount: it is this container's own root, not the host's", _MOUNT)
    options, propagation = mounted
    if "ro" not in options:
        return warning("host-root", f"{root.path} is mounted writable, and need not be", _MOUNT)
    if not propagation:
        what = f"{root.path} does not follow what the host mounts later: a path on a new disk is taken for a folder"
        return warning("host-root", what, _MOUNT)
    return ok("host-root", f"{root.path}, read-only, where links are seen")


def _mount(path: str, scene: Scene) -> tuple[frozenset[str], str] | None:
    """A mount's options, and how it follows its source's (proc_pid_mountinfo(5)); None where there is none."""
    found = None
    for line in scene.text("/proc/self/mountinfo").splitlines():
        fields, _, _ = line.partition(" - ")
        words = fields.split(" ")
        if len(words) > 5 and words[4] == (path.rstrip("/") or "/"):
            follows = [each for each in words[6:] if each.startswith(("master:", "shared:"))]
            found = frozenset(words[5].split(",")), " ".join(follows)  # the last one lies on top
    return found
