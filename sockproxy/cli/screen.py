"""What a person reads on a terminal: aligned columns, and colour where it is wanted."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import click

PIPED_WIDTH: Final = 160
"""Columns where the output is no terminal, but a log or a file, and COLUMNS says nothing."""


def say_no_colour() -> bool:
    """Whether NO_COLOR asks for none (no-color.org: set, and not empty)."""
    return bool(os.environ.get("NO_COLOR"))


def width() -> int:
    """The columns that there are."""
    known = sys.stdout.isatty() or os.environ.get("COLUMNS")
    return shutil.get_terminal_size().columns if known else PIPED_WIDTH


def shortened(text: str, columns: int) -> str:
    """The text, or as much of its beginning as fits, up to a word's end where there is one near, and `…`."""
    if len(text) <= columns:
        return text
    cut = text[: max(columns - 1, 1)]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > columns * 2 // 3 else cut).rstrip(" ,;:") + "…"


def table(rows: Iterable[Sequence[str]], *, colours: Mapping[str, str] | None = None, indent: str = "") -> list[str]:
    """Rows as aligned lines, two spaces apart. A cell that is a key of ``colours`` is painted, which a pipe undoes."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [indent + _line(row, widths, colours or {}) for row in cells]


def _line(row: Sequence[str], widths: Sequence[int], colours: Mapping[str, str]) -> str:
    last = len(row) - 1
    padded = [cell if at == last else cell.ljust(widths[at]) for at, cell in enumerate(row)]
    painted = [
        click.style(text, fg=colours[cell]) if cell in colours else text for cell, text in zip(row, padded, strict=True)
    ]
    return "  ".join(painted).rstrip()
