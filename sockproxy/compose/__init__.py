"""Compose files: from a file to the calls that ``docker compose up`` makes of an engine, without running it.

Law: what compose 2 would do is what is read here, body for body, so that a policy's verdict on it is the verdict on the
real thing. What is not understood is said, with its place; nothing is passed over that could change a verdict.

    files ─ load ─► one document ─ read ─► Project ─ calls ─► ComposeCall …

    document notes            YAML with its places; what is said about it
    interpolation dotenv      variables, and `.env`
    load merging schema       files over files, `include`, `extends`; every key there is
    values                    how a value is read
    services toplevel         what a create says, key by key, with
    ports mounts resources relations
    calls                     the calls, in their order, and what the engine knows before each

The only I/O is reading the files that are named. Sources: the Compose Specification, compose-go, and recordings of
docker compose 2.40.3 on Docker 20.10 and 28.5 (``tests/compose/recorded``).
"""

from __future__ import annotations

from sockproxy.compose.calls import ComposeCall, calls
from sockproxy.compose.project import Project
from sockproxy.compose.reading import read
from sockproxy.errors import ComposeError

__all__ = ["ComposeCall", "ComposeError", "Project", "calls", "read"]
