"""Where a path of the host leads: as the kernel would find it with the host's root for its own, or nowhere at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sockproxy.errors import ConfigurationError
from sockproxy.model import Missing
from sockproxy.proxy import host_root
from sockproxy.proxy.host_root import HostRoot, UnresolvableError


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A host's root, with the folders of a CI agent in it and nothing of this machine's."""
    top = tmp_path / "host"
    for folder in ("etc", "proc", "usr", "var", "srv/ci/a", "srv/ci/deep/er"):
        (top / folder).mkdir(parents=True)
    (top / "srv/ci/file").write_text("x")
    for name, target in {
        "srv/ci/root": "/",
        "srv/ci/etc": "/etc",
        "srv/ci/up": "../../etc",
        "srv/ci/far": "../../../../../../../../etc",
        "srv/ci/here": "a",
        "srv/ci/dot": ".",
        "srv/ci/deep/back": "..",
        "srv/ci/twice": "root/srv/ci/up",
        "srv/ci/self": "self",
        "srv/ci/one": "two",
        "srv/ci/two": "one",
        "srv/ci/gone": "/not/there",
        "srv/ci/slow": "nowhere/../../../etc",
        "srv/ci/door": "deep/er",
        "srv/ci/colon": "/srv/a:b",
        "var/run": "/run",
    }.items():
        (top / name).symlink_to(target)
    return top


@pytest.fixture
def root(top: Path) -> Any:
    root = HostRoot(str(top), seconds=5)
    yield root
    root.close()


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/", "/"),
        ("/srv/ci", "/srv/ci"),
        ("/srv/ci/a", "/srv/ci/a"),
        ("/srv/ci/file", "/srv/ci/file"),
        ("/srv/ci/root", "/"),
        ("/srv/ci/root/etc", "/etc"),
        ("/srv/ci/root/srv/ci/root/srv", "/srv"),
        ("/srv/ci/etc", "/etc"),
        ("/srv/ci/etc/passwd", "/etc/passwd"),
        ("/srv/ci/up", "/etc"),
        ("/srv/ci/far", "/etc"),
        ("/srv/ci/here", "/srv/ci/a"),
        ("/srv/ci/here/..", "/srv/ci"),
        ("/srv/ci/dot/dot/dot", "/srv/ci"),
        ("/srv/ci/deep/back/a", "/srv/ci/a"),
        ("/srv/ci/twice", "/etc"),
        ("/srv/ci/door/..", "/srv/ci/deep"),
        ("/srv/ci/door/../../a", "/srv/ci/a"),
        ("/srv/ci/root/..", "/"),
        ("/../../etc", "/etc"),
        ("//srv/./ci//a/", "/srv/ci/a"),
        ("/var/run/docker.sock", "/run/docker.sock"),
        ("/srv/ci/new", "/srv/ci/new"),
        ("/srv/ci/new/er", "/srv/ci/new/er"),
        ("/srv/ci/new/../a", "/srv/ci/a"),
        ("/srv/ci/new/../root", "/"),
        ("/srv/ci/gone", "/not/there"),
        ("/srv/ci/gone/below", "/not/there/below"),
        ("/srv/ci/slow", "/etc"),
        ("/srv/ci/colon", "/srv/a:b"),
        ("/ä ö", "/ä ö"),
    ],
)
def test_a_path_leads_where_its_links_lead(root: HostRoot, path: str, leads: str) -> None:
    assert root.resolve(path) == leads


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/srv/ci/self", "too many symbolic links"),
        ("/srv/ci/one/x", "too many symbolic links"),
        ("/srv/ci/file/x", "below a file"),
        ("/srv/ci/file/..", None),
        ("srv/ci", "no absolute path"),
        ("", "no absolute path"),
        ("/a\0b", "no path that a kernel takes"),
        ("/" + "a/" * 2048, "no path that a kernel takes"),
        ("/" + "a" * 256, "File name too long"),
        ("/\udc80", "no UTF-8"),
    ],
)
def test_what_nobody_can_follow_is_never_taken_for_missing(root: HostRoot, path: str, why: str | None) -> None:
    if why is None:
        # The kernel refuses it; what is forwarded is what was found, so going up again does no harm.
        assert root.resolve(path) == "/srv/ci"
        return
    with pytest.raises(UnresolvableError, match=why):
        root.resolve(path)


def test_forty_links_are_followed_and_no_more(top: Path, root: HostRoot) -> None:
    (top / "srv/l0").symlink_to("/etc")
    for number in range(1, 41):
        (top / f"srv/l{number}").symlink_to(f"l{number - 1}")
    assert root.resolve("/srv/l39") == "/etc"
    with pytest.raises(UnresolvableError, match="too many"):
        root.resolve("/srv/l40")


def test_a_link_to_a_name_that_is_no_utf_8_leads_nowhere(top: Path, root: HostRoot) -> None:
    (top / "srv/ci/odd").symlink_to(os.fsdecode(b"/srv/\xff"))
    with pytest.raises(UnresolvableError, match="no UTF-8"):
        root.resolve("/srv/ci/odd")


def test_links_that_are_too_long_a_way_are_given_up(top: Path, root: HostRoot) -> None:
    at = top / "srv/w"
    at.mkdir()
    for _ in range(300):
        at /= "d"
        at.mkdir()
    (top / "srv/w/l").symlink_to("d/" * 300 + "../" * 299)
    with pytest.raises(UnresolvableError, match="too long a way"):
        root.resolve("/srv/w/l")


def test_a_walk_ends_when_its_time_is_up(root: HostRoot) -> None:
    assert root.resolve("/srv/ci/a", time.monotonic() + 5) == "/srv/ci/a"
    with pytest.raises(UnresolvableError, match="took too long"):
        root.resolve("/srv/ci/a", time.monotonic() - 1)


def test_links_of_proc_are_not_what_they_say(root: HostRoot, tmp_path: Path) -> None:
    machine = HostRoot("/", seconds=5)
    try:
        for path in ("/proc/self", "/proc/self/root/etc", f"/proc/{os.getpid()}/cwd", "/proc/mounts"):
            with pytest.raises(UnresolvableError, match="link of /proc"):
                machine.resolve(path)
        link = tmp_path / "p"
        link.symlink_to("/proc/self/root")
        with pytest.raises(UnresolvableError, match="link of /proc"):
            machine.resolve(str(link))
        assert machine.resolve("/proc/sys") == "/proc/sys"
    finally:
        machine.close()


def test_nothing_is_followed_where_nobody_can_say_what_is_proc(top: Path) -> None:
    root = HostRoot(str(top), seconds=5, mountinfo=top / "none")
    with pytest.raises(UnresolvableError, match="cannot be looked at"):
        root.resolve("/srv/ci/here")
    assert root.resolve("/srv/ci/a") == "/srv/ci/a"
    root.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not")
def test_a_folder_that_may_not_be_searched_is_not_empty(top: Path) -> None:
    for folder in (top, *top.parents[:3]):
        folder.chmod(0o755)
    (top / "srv/closed").mkdir(mode=0o700)
    (top / "srv/closed/x").symlink_to("/etc")
    code = (
        "import os\nfrom sockproxy.proxy.host_root import *\n"
        f"root = HostRoot({str(top)!r}, seconds=5)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "assert root.resolve('/srv/closed') == '/srv/closed'\n"
        "for path in ('/srv/closed/x', '/srv/closed/none', '/srv/closed/..'):\n"
        "    try: print(root.resolve(path))\n"
        "    except UnresolvableError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == ["sockproxy may not search a folder on the way"] * 2 + ["/srv"], ran.stderr


def test_a_fault_of_the_disk_is_no_missing_file(root: HostRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(host_root.os, "open", broken)
    with pytest.raises(UnresolvableError, match="Input/output error"):
        root.resolve("/srv/ci/a")


def test_a_walk_gives_back_every_descriptor(root: HostRoot) -> None:
    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = held()
    for path in ("/srv/ci/root/etc", "/srv/ci/self", "/srv/ci/file/x", "/srv/ci/slow", "/srv/ci/new/er", "/"):
        try:
            root.resolve(path)
        except UnresolvableError:
            continue
    assert held() == before


names = st.sampled_from(["a", "b", "c", "d"])
steps = st.lists(st.sampled_from(["a", "b", "c", "d", ".", ".."]), min_size=1, max_size=5)
trees = st.lists(
    st.tuples(st.lists(names, min_size=1, max_size=3), st.none() | st.tuples(st.booleans(), steps)), max_size=12
)


def plant(top: Path, tree: list[tuple[list[str], tuple[bool, list[str]] | None]]) -> None:
    """Folders, and links whose absolute targets begin at the top, as a chroot's do: told apart by `in_chroot`."""
    for parts, target in tree:
        at = top
        for part in parts[:-1]:
            at /= part
            if not os.path.lexists(at):
                at.mkdir()
            if at.is_symlink():
                break
        else:
            at /= parts[-1]
            if os.path.lexists(at):
                continue
            if target is None:
                at.mkdir()
            else:
                at.symlink_to(("/" if target[0] else "") + "/".join(target[1]))


REAL = """
import os, sys
os.chroot(sys.argv[1]); os.chdir("/")
for line in sys.stdin:
    path = line.rstrip("\\n")
    try: print(os.path.realpath(path, strict=True))
    except OSError as error: print("-", error.errno)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change its root")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees, paths=st.lists(steps, min_size=5, max_size=20))
def test_what_is_there_is_found_as_by_a_process_in_that_root(
    tree: list[tuple[list[str], tuple[bool, list[str]] | None]],
    paths: list[list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    top = tmp_path_factory.mktemp("chroot")
    plant(top, tree)
    asked = ["/" + "/".join(path) for path in paths]
    # From another process, since a root cannot be changed back.
    ran = subprocess.run(
        [sys.executable, "-S", "-c", REAL, str(top)], input="\n".join(asked), capture_output=True, text=True, check=True
    )
    root = HostRoot(str(top), seconds=5)
    for path, real in zip(asked, ran.stdout.splitlines(), strict=True):
        if not real.startswith("-"):
            assert root.resolve(path) == real, path
            continue
        try:
            led = root.resolve(path)
        except UnresolvableError:
            continue
        # What is kept has no link in it: it is where the engine will make the folder.
        assert real == f"- {errno.ENOENT}", path
        at = top
        for part in led.split("/"):
            at /= part
            assert not at.is_symlink(), (path, led)
    root.close()


# Asked by the server ---------------------------------------------------------------------------------------------------


async def test_a_fact_says_where_it_leads_or_why_nobody_knows(root: HostRoot) -> None:
    assert await root.facts(("host:/srv/ci/root", "host:/srv/ci/a", "host:/srv/ci/self", "host:a")) == {
        "host:/srv/ci/root": {"Path": "/"},
        "host:/srv/ci/a": {"Path": "/srv/ci/a"},
        "host:/srv/ci/self": Missing(409, "it leads through too many symbolic links"),
        "host:a": Missing(409, "it is no absolute path"),
    }
    assert await root.facts(()) == {}


async def test_a_dead_disk_is_not_waited_for(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = HostRoot(str(top), seconds=0.05)
    monkeypatch.setattr(HostRoot, "resolve", lambda *_: time.sleep(0.3))
    began = time.monotonic()
    for _ in range(10):  # more than there are threads
        (told,) = (await root.facts(("host:/srv",))).values()
        assert told == Missing(409, "it took longer than 0.05 s to look at the host")
    monkeypatch.undo()
    assert time.monotonic() - began < 3
    while (await root.facts(("host:/srv",)))["host:/srv"] != {"Path": "/srv"}:
        assert time.monotonic() - began < 10, "the threads did not come back"
    root.close()


async def test_many_paths_have_one_time_together(top: Path) -> None:
    root = HostRoot(str(top), seconds=0.02)
    facts = await root.facts(tuple(f"host:/srv/ci/root/{number}" for number in range(5000)))
    assert len(facts) == 5000
    assert any(isinstance(fact, Missing) for fact in facts.values())
    root.close()


async def test_a_fault_of_ours_is_no_answer(root: HostRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostRoot, "resolve", lambda *_: 1 / 0)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    assert await root.facts(("host:/srv",)) == {
        "host:/srv": Missing(409, "looking at the host failed; the log of sockproxy says why")
    }
    for thread in threading.enumerate():  # it tells of the fault behind the answer
        if thread.name == "host-root":
            thread.join()


# At start --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none", "srv/ci/file", "srv/ci/self"])
def test_a_root_that_is_no_folder_says_what_to_do(top: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"mount it read-only \(`- /:/host:ro,rslave`\)"):
        HostRoot(str(top / name), seconds=5)


def test_what_a_root_lacks_is_known(top: Path, root: HostRoot) -> None:
    assert root.lacks == ()
    (top / "etc").rmdir()
    (top / "proc").rmdir()
    assert root.lacks == ("etc", "proc")
