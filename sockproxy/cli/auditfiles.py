"""Audit files as they lie about: rotated, compressed, cut short by a full disk.

A file is known by what it begins with and not by its name: `audit.jsonl.1` may be compressed, and so may be what comes
through a pipe. What can be read of a damaged file is read, and where that ends is said.
"""

from __future__ import annotations

import gzip
import io
import itertools
import sys
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

import click

from sockproxy.errors import ConfigurationError

STEP: Final = 4096
"""Lines between two moves of the progress bar."""

_GZIP: Final = b"\x1f\x8b"
_OTHERS: Final = ((b"BZh", "bzcat"), (b"\xfd7zXZ", "xzcat"), (b"\x28\xb5\x2f\xfd", "zstdcat"))
"""What files begin with that others compressed, and what reads them."""
_BEGINNING: Final = 6


class Places:
    """Which file a line is in, where the lines of several are counted on."""

    def __init__(self) -> None:
        self._files: Final[list[str]] = []
        self._before: Final[list[int]] = []
        """How many lines came before each."""
        self.lines = 0

    def begins(self, file: str) -> None:
        """What is counted from now on is of this file."""
        self._files.append(file)
        self._before.append(self.lines)

    def of(self, line: int) -> str:
        """``line 17``, and the file where there are several: ``audit.jsonl.1.gz:17``."""
        if len(self._files) < 2:
            return f"line {line:,}"
        at = max(bisect_right(self._before, line - 1) - 1, 0)
        return f"{self._files[at]}:{line - self._before[at]}"


def read_lines(files: tuple[str, ...], feed: Callable[[bytes], None], *, label: str) -> Places:
    """Give each line of these files to ``feed``; a bar on standard error, where that is a terminal, shows how far.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    places = Places()
    damaged: list[str] = []
    # Of standard input, and of a device, nobody knows the length: the bar then only moves.
    total = 0 if "-" in files else sum(map(_size, files))
    endless = None if total else itertools.repeat(None)
    bar: Any  # click's type speaks of the things that are iterated over, and there are none
    with click.progressbar(endless, length=total or None, label=label, file=sys.stderr, width=0) as bar:
        for file in files:
            places.begins(file)
            try:
                _read(file, feed, places, bar)
            except OSError as error:
                raise _unreadable(file, error) from None
            except (EOFError, zlib.error):
                damaged.append(f"{file} is cut short or damaged: read to its {places.of(places.lines)}, and no further")
    for each in damaged:
        click.secho(each, fg="yellow", err=True)
    return places


def _size(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"cannot read {file}: {error.strerror or error}")


def _read(file: str, feed: Callable[[bytes], None], places: Places, bar: Any) -> None:
    with ExitStack() as stack:
        raw: IO[bytes] = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb"))
        at = 0
        try:
            for line in lines_of(file, raw):
                places.lines += 1
                feed(line)
                if places.lines % STEP == 0:
                    at = _move(bar, raw, at)
        except gzip.BadGzipFile as error:
            raise EOFError(str(error)) from None
        _move(bar, raw, at)


def lines_of(file: str, raw: IO[bytes]) -> Iterable[bytes]:
    """The lines of an open file, decompressed where it is compressed. The bar goes by the bytes on the disk.

    Raises:
        ConfigurationError: it is compressed as nobody here can read.
    """
    beginning = _beginning(raw)
    for magic, reader in _OTHERS:
        if beginning.startswith(magic):
            command = f"{reader} {'' if file == '-' else f'{file} '}| sockproxy … -"
            raise ConfigurationError(f"{file} is compressed, and not by gzip: read it by `{command}`")
    return gzip.GzipFile(fileobj=raw) if beginning.startswith(_GZIP) else raw


def is_compressed(raw: IO[bytes]) -> bool:
    """Whether an open file begins as gzip's do; nothing of it is taken."""
    return _beginning(raw).startswith(_GZIP)


def _beginning(raw: IO[bytes]) -> bytes:
    """The first bytes, which are read again; none of what can be read only once and is not buffered."""
    if isinstance(raw, io.BufferedReader):
        return raw.peek(_BEGINNING)
    if not raw.seekable():
        return b""
    at = raw.tell()
    beginning = raw.read(_BEGINNING)
    raw.seek(at)
    return beginning


def _move(bar: Any, raw: IO[bytes], at: int) -> int:
    if not raw.seekable():
        bar.update(STEP)
        return at
    now = raw.tell()
    bar.update(now - at)
    return now
