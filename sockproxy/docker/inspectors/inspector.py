"""What an inspector is, and those for rows that ask nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sockproxy.docker.inspectors.findings import Findings
from sockproxy.model import Inspection

Inspector: TypeAlias = Callable[[Findings], Inspection]
"""Lists the asks of one row's calls. Raises `Malformed` where a value is wrong or ambiguous."""


def nothing(found: Findings) -> Inspection:
    """A row whose calls ask nothing but what an unknown query parameter asks."""
    return found.forward()


def unversioned(found: Findings) -> Inspection:
    """A row that asks nothing, and that engines up to 26 serve without a version prefix alone."""
    return found.forward(versioned=False)


def is_true(value: str) -> bool:
    """A boolean of the query, as the engine reads it: anything but these is true (moby, ``httputils/form.go``)."""
    return value.strip().lower() not in ("", "0", "no", "false", "none")
