"""The machine that is looked at. Tests lay out one of their own; nothing here is ever written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_WHOLE_MAP: Final = re.compile(r"\s*0\s+0\s+4294967295\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where files of the machine are, and what the environment says."""

    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def path(self, name: str) -> Path:
        """A file of the machine by its absolute name."""
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str:
        """What a file of the machine holds; empty where it cannot be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    @property
    def in_container(self) -> bool:
        """Whether this is a container, as Docker and Podman mark them."""
        return self.path("/.dockerenv").exists() or self.path("/run/.containerenv").exists()

    @property
    def remapped(self) -> bool:
        """Whether users here are not the host's: `userns-remap`, or a rootless engine's container."""
        users = self.text("/proc/self/uid_map")
        return bool(users) and _WHOLE_MAP.fullmatch(users) is None
