"""Small projects for tests: a text to a project, its calls, and the create of its first service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sockproxy.compose import ComposeCall, ComposeError, Project, calls, read
from sockproxy.model import Version

FOLDER = Path("/srv/shop")


def project(text: str, **options: Any) -> Project:
    return read(text, **{"folder": FOLDER, "environment": {"HOME": "/home/user"}, **options})


def made(text: str, *, api_version: Version = (1, 51), **options: Any) -> tuple[ComposeCall, ...]:
    return calls(project(text, **options), api_version=api_version)


def web(keys: str, more: str = "", **options: Any) -> dict[str, Any]:
    """What the create of a service with these keys says."""
    text = f"services: {{web: {{image: app, {keys}}}, db: {{image: db}}}}\n{more}"
    for call in made(text, **options):
        if "name=shop-web-1" in call.target:
            assert call.body is not None
            return call.body
    raise AssertionError("no create")


def problems(text: str, **options: Any) -> list[str]:
    """Everything that is wrong with a text, without the file's name."""
    try:
        project(text, **options)
    except ComposeError as error:
        return [str(problem).removeprefix("compose.yaml:") for problem in error.problems]
    return []
