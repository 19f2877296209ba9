"""The docker command as a person types it, and what it said, made comparable.

``Docker`` runs one command line after another against one address and keeps a transcript. Two transcripts of the same
conversation, one with the bare engine and one through sockproxy, must be equal once what differs by nature (ids, times,
addresses, the conversation's own names) is replaced by a word.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from tests.engine.disposable import LABEL, PREFIX, Engine

TIMEOUT = 60.0
"""Seconds after which a command counts as hung."""

# What differs from one conversation to the next, in the order in which it is replaced.
NATURE = (
    (re.compile(r"sha256:[0-9a-f]{64}|\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b|\b[0-9a-z]{25}\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?Z|[+-]\d\d:?\d\d| [+-]\d{4} UTC)?"), "<time>"),
    (re.compile(r"\b(About )?(an?|\d+|Less than an?) (second|minute|hour|day|week|month)s?( ago)?"), "<span>"),
    (re.compile(r"\b\d+(\.\d+)?(ms|s)\b"), "<seconds>"),
    (re.compile(r"\b1(72|92)\.\d+\.\d+\.\d+(/\d+)?\b"), "<address>"),
    (re.compile(r"(?m)^\d+(?= {2,})"), "<pid>"),
    (re.compile(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "<mac>"),
)


def docker_config(folder: Path, engines: Sequence[Engine]) -> Path:
    """Fill a folder for DOCKER_CONFIG: the plugins (buildx, compose) of an engine that has them, and no credentials."""
    plugins = folder / "cli-plugins"
    plugins.mkdir()
    for engine in engines:
        for plugin in (engine.root / "usr/libexec/docker/cli-plugins").glob("docker-*"):
            if not (plugins / plugin.name).exists():
                (plugins / plugin.name).symlink_to(plugin)
    return folder


@dataclass(frozen=True)
class Said:
    """What one command line printed and how it ended."""

    command: str
    status: int
    out: str
    err: str = ""

    def __str__(self) -> str:
        return f"$ {self.command}\n{self.out}{self.err}[{self.status}]"


@dataclass
class Docker:
    """One docker command against one address, with a name of its own for what it makes."""

    cli: Path
    address: str
    config: Path
    name: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = self.name or f"{PREFIX}-{os.urandom(3).hex()}"

    def __call__(
        self,
        line: str,
        *,
        status: int | None = 0,
        stdin: bytes | BinaryIO = b"",
        cwd: Path | None = None,
        unordered: bool = False,
    ) -> Said:
        """Run ``docker LINE``; ``{n}`` is this conversation's name, ``{run}`` a labelled run.

        ``status`` is the exit code that is asserted (None: any), so that two equal failures are no success.
        ``unordered`` sorts the lines, for what several goroutines print at once.
        """
        given: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        result = subprocess.run(
            self.words(line), **given, capture_output=True, cwd=cwd, env=self.environment, timeout=TIMEOUT, check=False
        )
        out, err = self.plain(result.stdout), self.plain(result.stderr)
        if unordered:
            out, err = _sorted(out), _sorted(err)
        return self.record(Said(line, result.returncode, out, err), status)

    def words(self, line: str) -> list[str]:
        return [str(self.cli), *shlex.split(self.spell(line))]

    def spell(self, text: str) -> str:
        labels = f"--label {LABEL} --label sockproxy.test.run={PREFIX}"
        return (
            text.replace("{run}", f"run {labels} --name {self.name}")
            .replace("{labels}", labels)
            .replace("{n}", self.name)
        )

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        home = {"HOME": str(self.config), "DOCKER_CONFIG": str(self.config), "DOCKER_HOST": self.address}
        return kept | home | {"DOCKER_CLI_HINTS": "0", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"} | self.variables

    def plain(self, text: bytes) -> str:
        """The text with everything that differs by nature replaced."""
        words = text.decode(errors="replace").replace(self.name, "<name>").replace(self.address, "<host>")
        for pattern, word in NATURE:
            words = pattern.sub(word, words)
        return re.sub(r" {2,}", "  ", words)  # columns are as wide as what stood in them

    def record(self, said: Said, status: int | None = None) -> Said:
        self.said.append(replace(said, command=self.plain(said.command.encode())))
        assert status is None or said.status == status, str(said)
        return said

    @contextmanager
    def started(
        self, line: str, *, status: int | None = 0, signalled: int | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A command that goes on while others run, recorded when it ends; ``signalled`` ends it at the block's end."""
        process = subprocess.Popen(
            self.words(line),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            bufsize=0,
        )
        try:
            yield process
            if signalled is not None:
                process.send_signal(signalled)
            out, err = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                stream and stream.close()
        self.record(Said(line, process.returncode, self.plain(out), self.plain(err)), status)

    def at_terminal(self, line: str, typed: Sequence[tuple[str, str]], *, status: int = 0) -> Said:
        """A command at a terminal of 40 lines and 100 columns; once the first text shows, the second is typed."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        process = subprocess.Popen(
            ["setsid", "--ctty", *self.words(line)],  # makes standard input its terminal, then becomes the command
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=self.environment | {"TERM": "xterm"},
        )
        os.close(follower)
        try:
            shown = _converse(leader, typed)
            process.wait(TIMEOUT)
        finally:
            process.kill()
            process.wait()
            os.close(leader)
        return self.record(Said(line, process.returncode, self.plain(shown)), status)


def next_line(process: subprocess.Popen[bytes]) -> bytes:
    """The next line that a started command prints; a hung command is a failure, not a hung test."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        assert select.select([process.stdout], [], [], TIMEOUT)[0], f"said nothing more after {line!r}"
        byte = os.read(process.stdout.fileno(), 1)
        if not byte:
            break
        line += byte
    return line


def _converse(terminal: int, typed: Sequence[tuple[str, str]]) -> bytes:
    """Everything that the terminal showed until it was hung up."""
    shown, waiting, deadline = b"", list(typed), time.monotonic() + TIMEOUT
    seen = 0
    while time.monotonic() < deadline:
        if waiting and (found := shown.find(waiting[0][0].encode(), seen)) >= 0:
            seen = found + len(waiting[0][0])
            os.write(terminal, waiting.pop(0)[1].encode())
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            read = os.read(terminal, 4096)
        except OSError:  # EIO: the last process closed the terminal
            break
        if not read:
            break
        shown += read
    assert not waiting, f"never showed {waiting[0][0]!r}: {shown!r}"
    return shown


def _sorted(text: str) -> str:
    return "".join(sorted(text.splitlines(keepends=True)))
