"""The audit log and the host's root: looked at where they are, full, read-only or not the host's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sockproxy.doctor import Scene, files

Machine = Callable[..., Scene]
CONTAINER = {"/.dockerenv": ""}


def audit(*names: object) -> str:
    return "\n".join(f"{each.level}: {each.what} -> {each.fix}" for each in files.check_audit([str(n) for n in names]))


def test_an_audit_log_that_can_be_written_is_not(tmp_path: Path) -> None:
    assert audit("-").startswith("ok: standard output")
    assert audit(tmp_path / "audit.jsonl").startswith(f"ok: {tmp_path}/audit.jsonl can be written, and ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none/audit.jsonl", "problem: there is no folder {}/none -> mkdir -p {}/none"),
        ("folder", "problem: {}/folder is a folder -> --audit {}/folder/audit.jsonl"),
        ("file/audit.jsonl", "problem: there is no folder {}/file -> mkdir -p {}/file"),
    ],
)
def test_an_audit_log_that_has_no_place(name: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert audit(tmp_path / name) == expected.replace("{}", str(tmp_path))


AS_ANOTHER = """
import os, sys
from sockproxy.doctor import files
os.setgroups([]); os.setgid(4100); os.setuid(4100)
print(*files.check_audit(sys.argv[1:]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_audit_log_of_somebody_elses(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    file = tmp_path / "audit.jsonl"
    file.touch(mode=0o600)
    command = [sys.executable, "-c", AS_ANOTHER, str(file), str(tmp_path / "new")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"user 4100 may not write to {file}', fix='chown 4100 {file}'" in told
    assert f"user 4100 may not write to {tmp_path}', fix='chown 4100 {tmp_path}'" in told


DISKS = """
set -e
mount -t tmpfs -o size=1m none "$1"
head -c 2000000 /dev/zero > "$1/full" 2>/dev/null || true
"$2" -c 'import sys; from sockproxy.doctor import files; print(*files.check_audit(sys.argv[1:]))' "$1/audit.jsonl"
rm "$1/full"
"$2" -c 'import sys; from sockproxy.doctor import files; print(*files.check_audit(sys.argv[1:]))' "$1/audit.jsonl"
mount -o remount,ro "$1"
"$2" -c 'import sys; from sockproxy.doctor import files; print(*files.check_audit(sys.argv[1:]))' "$1/audit.jsonl"
"""


def may_mount() -> bool:
    unshare = shutil.which("unshare")
    return unshare is not None and subprocess.call([unshare, "-m", "true"], stderr=subprocess.DEVNULL) == 0


@pytest.mark.skipif(not may_mount(), reason="no mounts of one's own here")
def test_a_disk_that_is_full_scarce_and_read_only(tmp_path: Path) -> None:
    command = ["unshare", "-m", "sh", "-c", DISKS, "sh", str(tmp_path), sys.executable]
    full, scarce, closed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "level='problem'" in full
    assert f"the disk of {tmp_path} is full: every call would be refused" in full
    assert "level='warning'" in scarce
    assert f"1 MB are left on the disk of {tmp_path}" in scarce
    assert f"{tmp_path} is read-only here" in closed
    assert f'compose: volumes: ["sockproxy-audit:{tmp_path}"]' in closed


# The host's root -----------------------------------------------------------------------------------------------------


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for name in ("etc", "proc", "usr", "var"):
        (tmp_path / "host" / name).mkdir(parents=True)
    return tmp_path / "host"


def root(path: Path | None, scene: Scene) -> str:
    found = files.check_host_root(None if path is None else str(path), scene)
    return "\n".join(f"{each.level}: {each.what}" for each in found)


def mount(path: Path, options: str, follows: str) -> str:
    return f"1 0 8:1 / / rw - ext4 /dev/sda rw\n50 1 8:1 / {path} {options}{follows} - ext4 /dev/sda rw\n"


@pytest.mark.parametrize(
    ("options", "follows", "expected"),
    [
        ("ro,relatime", " master:1", "ok: {}, read-only, where links are seen"),
        ("ro", " shared:1 master:1", "ok: {}, read-only"),
        ("rw,relatime", " master:1", "warning: {} is mounted writable, and need not be"),
        ("ro", "", "warning: {} does not follow what the host mounts later"),
    ],
)
def test_how_the_hosts_root_is_mounted(options: str, follows: str, expected: str, host: Path, machine: Machine) -> None:
    scene = machine({**CONTAINER, "/proc/self/mountinfo": mount(host, options, follows)})
    assert root(host, scene).startswith(expected.replace("{}", str(host)))


def test_a_folder_is_not_the_hosts_root(host: Path, machine: Machine) -> None:
    scene = machine({**CONTAINER, "/proc/self/mountinfo": mount(host / "etc", "ro", "")})
    assert root(host, scene).startswith(f"problem: {host} is no mount: it is this container's own root")
    assert root(host / "etc", scene).startswith(f"problem: {host}/etc has no etc and no proc and no usr and no var")
    assert root(host / "none", scene).startswith(f"problem: the host's root `{host}/none` cannot be used: No such")
    assert root(None, scene) == ""


def test_outside_of_a_container_any_root_will_do(host: Path, machine: Machine) -> None:
    assert root(host, machine()) == f"ok: {host}, where links are seen"
