"""The numbers of `limit`: how each is written, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_PIDS: Final = re.compile(r"[1-9][0-9]{0,9}")
_CPUS: Final = re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,9}))?")
_SIZE: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?(?:([bkmgtBKMGT])[bB]?|([kmgtKMGT])[iI][bB])?")
_UNITS: Final = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


@dataclass(frozen=True, slots=True)
class AmountForm:
    """How an amount is written."""

    words: str
    """What it takes, in an error and in the schema."""
    form: re.Pattern[str]
    example: str


FORMS: Final[Mapping[str, AmountForm]] = MappingProxyType(
    {
        "memory": AmountForm("a size, such as 512m or 8g", _SIZE, "8g"),
        "cpus": AmountForm("a number of CPUs, such as 2 or 0.5", _CPUS, "0.5"),
        "pids": AmountForm("a whole number", _PIDS, "2000"),
        "shm": AmountForm("a size, such as 512m or 8g", _SIZE, "512m"),
    }
)
"""By the names of `LIMITS`."""


def amount(name: str, text: str) -> int | None:
    """Bytes, billionths of a CPU, or processes; None where the text is none, or nothing."""
    read = FORMS[name].form.fullmatch(text)
    if read is None:
        return None
    match name:
        case "pids":
            return int(text)
        case "cpus":
            return _billionths(read) or None
        case _:
            unit = _UNITS[(read[3] or read[4] or "b").lower()]
            return _billionths(read) * unit // 10**9 or None


def _billionths(number: re.Match[str]) -> int:
    return int(number[1] + (number[2] or "").ljust(9, "0"))
