"""The policies that come along: inside the package once it is installed, at the top of the repository before."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """Where the presets are."""
    installed = _PACKAGE / "presets"
    return installed if installed.is_dir() else _PACKAGE.parent / "policies"


def names() -> tuple[str, ...]:
    """The presets' names, in order."""
    # A dot is in the names of other files there: `x.policy-test.yaml`.
    return tuple(sorted(path.stem for path in folder().glob("*.yaml") if "." not in path.stem))


def path(name: str) -> Path | None:
    """The file of a preset; None where there is none of that name."""
    return folder() / f"{name}.yaml" if name in names() else None


def nearest(name: str) -> str:
    """A hint at the preset that may have been meant, or at all of them."""
    close = difflib.get_close_matches(name, names(), n=1)
    return f"did you mean {close[0]}?" if close else f"presets are {', '.join(names())}"
