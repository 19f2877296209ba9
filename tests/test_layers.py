"""Who may import whom. The middle stays pure because a test says so, not because everybody remembers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sockproxy"

# A module may import from its own layer and from those before it.
LAYERS: list[set[str]] = [
    {"errors", "printable"},
    {"model", "redaction"},
    {"docker"},
    {"policy"},
    {"classic", "compose"},
    {"decide"},
    {"judge"},
    {"audit", "metrics", "rehearse", "standin"},
    {"records"},
    {"learn", "replay"},
    {"proxy", "admin"},
    {"dryrun"},
    {"doctor"},
    {"cli", "__main__", "pytest_plugin"},
]
PURE = {
    *("errors", "printable", "model", "redaction", "docker", "policy", "classic", "compose", "decide", "judge"),
    *("records", "learn", "replay"),
}
IMPURE_MODULES = {
    "asyncio",
    "logging",
    "time",
    "socket",
    "random",
    "datetime",
    "threading",
    "httpx",
    "uvicorn",
    "starlette",
    "click",
}


def rooms() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield parts[0], path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            yield node.module or ""
            if node.module == "sockproxy":
                yield from (f"sockproxy.{alias.name}" for alias in node.names)


def layer(room: str) -> int:
    for depth, names in enumerate(LAYERS):
        if room in names:
            return depth
    pytest.fail(f"`{room}` stands in no layer: say in tests/test_layers.py who may import it")


@pytest.mark.parametrize(
    ("room", "path"), list(rooms()), ids=lambda value: str(value) if isinstance(value, str) else value.name
)
def test_imports_point_one_way(room: str, path: Path) -> None:
    for name in imports(path):
        if name.startswith("sockproxy."):
            other = name.split(".")[1]
            if other == "__version__":
                continue
            assert layer(other) <= layer(room), f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize(
    ("room", "path"), list(rooms()), ids=lambda value: str(value) if isinstance(value, str) else value.name
)
def test_docker_knows_no_policy(room: str, path: Path) -> None:
    if room == "docker":
        assert not [name for name in imports(path) if name.startswith("sockproxy.policy")]


@pytest.mark.parametrize(
    ("room", "path"), list(rooms()), ids=lambda value: str(value) if isinstance(value, str) else value.name
)
def test_the_middle_reads_no_clock_and_no_socket(room: str, path: Path) -> None:
    if room in PURE:
        assert not {name.split(".")[0] for name in imports(path)} & IMPURE_MODULES


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes in everything and keeps it: one that only tidies up and raises again does not."""
    takes_all = handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in {"Exception", "BaseException"}
    )
    raises = isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None
    return takes_all and not raises


def test_one_bare_except_and_it_denies() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for _, path in rooms()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and swallows(node)
    ]
    assert len(bare) == 1, bare
    assert bare[0].startswith("sockproxy/proxy/gateway.py")
