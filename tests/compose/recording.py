"""What docker compose sent, and what the reading says that it sends, made comparable.

Left out or replaced is what differs by nature: ids, hashes, the folder, and the order of what compose keeps in Go's maps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"

UNORDERED = ("Binds", "Mounts", "Env", "ExtraHosts", "Ulimits", "Links")
"""Lists of a create that compose makes of maps."""
HASHES = ("com.docker.compose.config-hash", "com.docker.compose.image")
UNKNOWN = "0" * 64


def scenes() -> list[str]:
    """The names of the recorded projects."""
    return sorted(path.name for path in RECORDED.iterdir())


def options(scene: str) -> dict[str, Any]:
    """How a project is read: `profiles` and `environment`."""
    path = RECORDED / scene / "options.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def comparable(
    calls: Iterable[tuple[str, str, Any]], *, folder: Path, names: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Calls without what differs by nature, sorted. ``names`` are those of containers, by their ids."""
    text = json.dumps([[method, target, body] for method, target, body in calls])
    for identity, name in (names or {}).items():
        text = text.replace(identity, name)
    text = text.replace(str(folder), "{folder}")
    found = [_call(method, target, body) for method, target, body in json.loads(text)]
    unique = {_sorted(call): call for call in found}
    return [unique[key] for key in sorted(unique)]


def written(calls: list[dict[str, Any]]) -> str:
    """As a recording is kept: a call on each line."""
    return "[\n" + ",\n".join(map(_sorted, calls)) + "\n]\n"


def _call(method: str, target: str, body: Any) -> dict[str, Any]:
    target = re.sub(r"^/v1\.\d+", "", target)
    target = re.sub(r"/exec/[0-9a-f]{64}/", "/exec/{id}/", target)
    target = re.sub(r"/images/sha256:[0-9a-f]{64}/", "/images/{id}/", target)
    call = {"method": method, "target": target}
    return call | ({"body": _body(body)} if isinstance(body, dict) else {})


def _sorted(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _body(body: dict[str, Any]) -> dict[str, Any]:
    endpoints = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    for holder in (body, body.get("HostConfig") or {}, body.get("EndpointConfig") or {}, *endpoints.values()):
        for key in UNORDERED:
            if isinstance(holder.get(key), list):
                holder[key] = sorted(holder[key], key=_sorted)
    for key in HASHES:
        if key in (body.get("Labels") or {}):
            body["Labels"][key] = ("sha256:" if key.endswith("image") else "") + UNKNOWN
    depends = "com.docker.compose.depends_on"
    if depends in (body.get("Labels") or {}):
        body["Labels"][depends] = ",".join(sorted(body["Labels"][depends].split(",")))
    return body
