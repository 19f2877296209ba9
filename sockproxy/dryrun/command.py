"""Running somebody's command so that it talks to the dry run, and to no engine.

    its own     HOME, DOCKER_CONFIG (plug-ins, registries' logins), DOCKER_API_VERSION, the working folder
    changed     DOCKER_HOST is the dry run; DOCKER_CONTEXT, TLS and a chosen builder are taken away, as they name others
    its input   what is piped in; else a terminal at which nobody types, so that `docker run -it` runs
    its output  kept, up to `KEPT` bytes, and shown afterwards

It is started in a session of its own and ended with all that it started: when it has ended, when its time is up, or
when the dry run can say nothing more. The environment is all that holds it: a command that is told another engine by an
option, or that drops the environment, is not run at all where that can be seen (`check`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import termios
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sockproxy.errors import ConfigurationError
from sockproxy.rehearse import Unable

KEPT: Final = 64 * 1024
"""Bytes of output that are kept: its beginning."""

_LAST_WORDS: Final = 2.0
"""Seconds that a command has to end after SIGTERM."""
_TYPING: Final = 0.2
"""Seconds between two ends of input at the terminal where nobody types."""

_ELSEWHERE: Final = (
    *("DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
    *("BUILDX_BUILDER", "BUILDKIT_HOST", "CONTAINER_HOST", "CONTAINER_CONNECTION"),
)
"""Variables that name another engine than DOCKER_HOST, or how to talk to it."""

_FORGETFUL: Final = frozenset({"sudo", "doas", "su", "pkexec", "runuser", "ssh", "nerdctl", "podman"})
"""Commands that drop the environment, or never read DOCKER_HOST."""
_VALUED: Final = frozenset({"--config", "-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey"})
"""Options of `docker` that stand before its verb and take a value in the next word."""


class CommandMissing(Unable):
    """The command is not installed here."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int | None
    """Its exit status, minus the signal's number where one ended it; None where it was ended here."""
    output: str
    """What it printed to both of its streams, as far as it was kept."""
    shortened: bool


def check(words: Sequence[str]) -> str:
    """The command's path.

    Raises:
        CommandMissing: there is none.
        ConfigurationError: it would talk to another engine than the dry run's.
    """
    if not words:
        raise ConfigurationError("which command? write it behind `--`: sockproxy explain -- docker run alpine")
    name = Path(words[0]).name
    if name in _FORGETFUL:
        raise ConfigurationError(
            f"`{name}` does not hand DOCKER_HOST on, so the command would reach a real engine: leave it out"
        )
    if name in {"docker", "docker-compose"} and (option := _names_engine(words[1:])):
        raise ConfigurationError(f"`{option}` names an engine, and would go past the dry run: leave it out")
    path = shutil.which(words[0])
    if path is None:
        advice = (
            "a dry run needs the docker command, though no engine: install it (`docker-cli`, `docker-ce-cli`)"
            if name.startswith("docker")
            else "a dry run runs the command itself, against an engine that is pretended"
        )
        raise CommandMissing(f"the command `{words[0]}` is not installed here; {advice}")
    return path


def _names_engine(words: Sequence[str]) -> str:
    """The option before the verb that names an engine; empty where there is none."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return ""
        name = word.partition("=")[0]
        if name in {"--host", "--context"}:
            return name
        if word[:2] in {"-H", "-c"}:
            return word[:2]
        if word in _VALUED:
            next(rest, None)
    return ""


def environment(address: str, folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The command's environment. ``folder`` is where buildx may keep what it knows, and finds no builder of others."""
    kept = {name: value for name, value in given.items() if name not in _ELSEWHERE}
    return {**kept, "DOCKER_HOST": address, "BUILDX_CONFIG": str(folder / "buildx"), "DOCKER_CLI_HINTS": "false"}


async def run(
    words: Sequence[str], *, variables: Mapping[str, str], stdin: int | None, seconds: float, stop: asyncio.Event
) -> Ended:
    """Run it to its end, or until ``stop`` is set or its time is up.

    ``stdin`` is a file descriptor to read from; None for a terminal at which nobody types.

    Raises:
        ConfigurationError: it cannot be started.
    """
    with contextlib.ExitStack() as stack:
        given = stdin if stdin is not None else stack.enter_context(_empty_terminal())
        output = stack.enter_context(_kept_output())
        try:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=given, stdout=output.end, stderr=output.end, env=dict(variables), start_new_session=True
            )
        except OSError as error:
            raise ConfigurationError(f"the command `{words[0]}` cannot be run: {error.strerror}") from None
        finally:
            os.close(output.end)
        try:
            ended = await _end_of(process, seconds, stop)
        finally:
            await _end_all(process, output)
    text = output.kept[:KEPT].decode("utf-8", "replace")
    return Ended(process.returncode if ended else None, text, shortened=len(output.kept) > KEPT)


async def _end_of(process: asyncio.subprocess.Process, seconds: float, stop: asyncio.Event) -> bool:
    """Whether it came to its own end."""
    ending, stopping = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait((ending, stopping), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return ending in done
    finally:
        ending.cancel()
        stopping.cancel()


async def _end_all(process: asyncio.subprocess.Process, output: _Output) -> None:
    """End the command and all that it left running, and read what they said last."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await process.wait()
                await output.whole.wait()
                return


class _Output:
    """What comes through a pipe, up to one byte more than is shown, so that one knows of it.

    A pipe of our own: asyncio's would have a process last for as long as somebody that it left running holds it.
    """

    def __init__(self) -> None:
        self._read, self.end = os.pipe()
        self.kept = bytearray()
        self.whole = asyncio.Event()
        """Nobody holds its other end any more."""
        os.set_blocking(self._read, False)
        asyncio.get_running_loop().add_reader(self._read, self._take)

    def _take(self) -> None:
        data = os.read(self._read, 64 * 1024)
        self.kept += data[: max(0, KEPT + 1 - len(self.kept))]
        if not data:
            asyncio.get_running_loop().remove_reader(self._read)
            self.whole.set()

    def close(self) -> None:
        """Read no more."""
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)


@contextlib.contextmanager
def _kept_output() -> Iterator[_Output]:
    output = _Output()
    try:
        yield output
    finally:
        output.close()


@contextlib.contextmanager
def _empty_terminal() -> Iterator[int]:
    """A terminal at which nobody types: whoever reads from it comes to the end of the input, again and again."""
    leader, follower = os.openpty()
    loop = asyncio.get_running_loop()
    quiet = termios.tcgetattr(follower)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(follower, termios.TCSANOW, quiet)
    os.set_blocking(leader, False)

    def drain() -> None:
        with contextlib.suppress(OSError):
            os.read(leader, 64 * 1024)

    async def type_ends() -> None:
        while True:
            with contextlib.suppress(BlockingIOError):
                os.write(leader, b"\x04")
            await asyncio.sleep(_TYPING)

    loop.add_reader(leader, drain)
    typing = loop.create_task(type_ends())
    try:
        yield follower
    finally:
        typing.cancel()
        loop.remove_reader(leader)
        os.close(leader)
        os.close(follower)
