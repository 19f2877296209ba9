"""Completion: what a shell is offered, asked as click's scripts ask it, and by a real bash where there is one."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sockproxy.cli import VERBS
from tests.cli.conftest import Sockproxy

BIN = Path(sys.executable).parent
PATIENCE = 30.0


def offered(line: str, folder: Path, shell: str = "bash") -> list[str]:
    """What is offered for the last word of a line, typed in a folder."""
    words = line.split(" ")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SOCKPROXY_")}
    asked = {
        "_SOCKPROXY_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": words[-1] if shell == "fish" else str(len(words) - 1),
    }
    done = subprocess.run(
        [BIN / "sockproxy"], env={**clean, **asked}, cwd=folder, capture_output=True, text=True, check=False
    )
    assert not done.stderr
    return done.stdout.splitlines()


def plain(line: str, folder: Path) -> list[str]:
    return [each.removeprefix("plain,") for each in offered(line, folder) if each.startswith("plain,")]


def test_every_verb_is_offered(tmp_path: Path) -> None:
    assert plain("sockproxy ", tmp_path) == list(VERBS)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sockproxy ch", ["check"]),
        ("sockproxy run --host", ["--host-root"]),
        ("sockproxy completion ", ["bash", "zsh", "fish"]),
        ("sockproxy check read-", ["read-only"]),
        ("sockproxy run --policy read-", ["read-only"]),
        ("sockproxy explain --policy=read-", ["read-only"]),
        ("sockproxy test port", ["portainer-manage", "portainer-view"]),
        ("sockproxy presets show gpu", ["gpu-jobs"]),
        ("sockproxy presets sh", ["show"]),
        ("sockproxy check mi", ["mine.yaml", "mine.yml"]),
        ("sockproxy check folder/", ["folder/deep.yaml"]),
        ("sockproxy check folder/.", ["folder/.hidden.yaml"]),
        ("sockproxy check nowhere/", []),
        ("sockproxy explain --policy mine.yaml --client ", ["ci", "cd"]),
        ("sockproxy explain --policy mine.yaml --client cd", ["cd"]),
        ("sockproxy replay --policy mine.yaml --client ci", ["ci"]),
        ("sockproxy explain --policy broken.yaml --client ", []),
        ("sockproxy explain --client ", []),
    ],
)
def test_what_fits_is_offered(line: str, expected: list[str], policy: Callable[..., Path]) -> None:
    clients = "clients: [{name: ci, unix-user: 1, rules: all}, {name: cd, unix-user: 2, rules: all}]"
    folder = policy(f"version: 1\nextends: read-only\n{clients}\n", "mine.yaml").parent
    policy("rules: [", "broken.yaml")
    policy("", "mine.yml")
    policy("", "mine.txt")
    (folder / "folder").mkdir()
    (folder / "folder" / "deep.yaml").touch()
    (folder / "folder" / ".hidden.yaml").touch()
    assert plain(line, folder) == expected


def test_a_folder_is_left_to_the_shell(tmp_path: Path) -> None:
    # It comes first: bash forgets what it was told before it.
    assert offered("sockproxy check read-", tmp_path) == ["dir,read-", "plain,read-only"]


@pytest.mark.parametrize(("shell", "line"), [("zsh", "plain\nread-only\n_"), ("fish", "plain,read-only")])
def test_the_other_shells_are_answered_in_their_own_form(shell: str, line: str, tmp_path: Path) -> None:
    assert line in "\n".join(offered("sockproxy check read-", tmp_path, shell))


@pytest.mark.parametrize(
    ("shell", "says"),
    [("bash", "complete -o nosort -F"), ("zsh", "#compdef sockproxy"), ("fish", "complete --no-files")],
)
def test_each_script_calls_sockproxy_back(sockproxy: Sockproxy, shell: str, says: str) -> None:
    script = sockproxy("completion", shell)
    assert script.exit_code == 0
    assert says in script.stdout
    assert f"_SOCKPROXY_COMPLETE={shell}_complete" in script.stdout


def test_another_shell_is_a_mistake(sockproxy: Sockproxy) -> None:
    assert sockproxy("completion", "tcsh").exit_code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_in_a_real_bash_the_key_completes(tmp_path: Path) -> None:
    start = f'export PATH={BIN}:$PATH; cd {tmp_path}; eval "$(sockproxy completion bash)"; PS1=ready\n'
    with Bash() as bash:
        bash.type(start)
        bash.until("\nready")
        for typed, completed in (("check jenkins-a", "check jenkins-agent "), ("presets sho", "presets show ")):
            bash.type(f"\x15sockproxy {typed}\t")  # Ctrl-U clears the line before
            bash.until(f"sockproxy {completed}")


class Bash:
    """An interactive bash on a terminal of its own."""

    def __enter__(self) -> Bash:
        self._here, there = pty.openpty()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SOCKPROXY_")}
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=there,
            stdout=there,
            stderr=there,
            env={**clean, "TERM": "dumb", "INPUTRC": "/dev/null", "COLUMNS": "200"},
            start_new_session=True,
        )
        os.close(there)
        self._read = ""
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._here)

    def type(self, text: str) -> None:
        self._read = ""
        os.write(self._here, text.encode())

    def until(self, text: str) -> None:
        """Read until a text comes; an error where it does not."""
        end = time.monotonic() + PATIENCE
        while text not in self._read:
            assert time.monotonic() < end, self._read
            if select.select([self._here], [], [], 0.2)[0]:
                self._read += os.read(self._here, 65536).decode(errors="replace")
