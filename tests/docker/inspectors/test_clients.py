"""What real clients send, zeros and echoes and all, asks no more than what they mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docker.inspecting import PLAIN, asks, inspected, sent

CLIENTS = Path(__file__).parents[2] / "corpus" / "clients"
EXEC = "c8" * 32
PROCESS = {"entrypoint": "id", "arguments": [], "privileged": False}
ENGINE: dict[str, Any] = {
    "/networks/5144e4": {"Name": "bridge"},
    f"/exec/{EXEC}/json": {"ID": EXEC, "ContainerID": "web", "ProcessConfig": PROCESS},
}


def _bodies() -> Iterator[Any]:
    for path in sorted(CLIENTS.glob("*.json")):
        for row, body in json.loads(path.read_text(encoding="utf-8")).items():
            yield pytest.param(path.stem, row, body, id=f"{path.stem}: {row}")


BODIES = list(_bodies())

TARGETS = {
    "POST /containers/create": "POST /containers/create",
    "POST /containers/{id}/exec": "POST /containers/web/exec",
    "POST /exec/{id}/start": f"POST /exec/{EXEC}/start",
    "POST /containers/{id}/update": "POST /containers/web/update",
    "POST /networks/create": "POST /networks/create",
    "POST /networks/{id}/connect": "POST /networks/front/connect",
    "POST /networks/{id}/disconnect": "POST /networks/front/disconnect",
    "POST /volumes/create": "POST /volumes/create",
    "POST /commit": "POST /commit?container=web",
}
EXPECTED = {
    "POST /containers/{id}/exec": {"container: web", "exec: id", "require: non-root"},
    "POST /exec/{id}/start": {"container: web", "exec: id", "require: non-root"},
    "POST /containers/{id}/update": {"container: web", "limit: memory"},
    "POST /networks/create": {"network: n"},
    "POST /networks/{id}/connect": {"network: front", "container: web"},
    "POST /networks/{id}/disconnect": {"network: front", "container: web"},
    "POST /volumes/create": {"volume: v"},
    "POST /commit": {"container: web"},
}
COMMANDS_OF_THEIR_OWN = {"aiodocker": "exec: sh"}


@pytest.mark.parametrize(("client", "row", "body"), BODIES)
def test_a_clients_body_asks_only_what_it_means(client: str, row: str, body: Any) -> None:
    found = asks(TARGETS[row], body, ENGINE)
    if row == "POST /containers/create":
        network = body.get("HostConfig", {}).get("NetworkMode") or "default"
        expected = PLAIN if network == "default" else PLAIN - {"network: bridge"} | {f"network: {network}"}
    else:
        expected = EXPECTED[row]
        if row == "POST /containers/{id}/exec" and client in COMMANDS_OF_THEIR_OWN:
            expected = expected - {"exec: id"} | {COMMANDS_OF_THEIR_OWN[client]}
    assert found == expected


@pytest.mark.parametrize(("client", "row", "body"), BODIES)
def test_what_is_forwarded_means_the_same(client: str, row: str, body: Any) -> None:
    forwarded = sent(inspected(TARGETS[row], body, ENGINE))
    assert asks(TARGETS[row], forwarded, ENGINE) == asks(TARGETS[row], body, ENGINE)
    assert sent(inspected(TARGETS[row], forwarded, ENGINE)) == forwarded
