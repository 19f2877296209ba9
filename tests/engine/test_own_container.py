"""sockproxy's own container is never entered, changed, stopped, renamed or removed, whatever a policy says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.proxies import POLICIES, Proxy, running
from tests.engine.wire import exchange, request

NAME = f"{PREFIX}-own-container"


@dataclass(frozen=True)
class Own:
    engine: Engine
    proxy: Proxy
    id: str


@pytest.fixture(scope="module")
def own(engine: Engine) -> Iterator[Own]:
    """A container that sockproxy is told is its own, under a policy that would allow everything asked of it."""
    body = {"Image": IMAGE, "Cmd": ["sleep", "600"], "Labels": {"sockproxy.test.run": PREFIX}}
    with engine.client() as client:
        made = client.post("/containers/create", params={"name": NAME}, json=body).raise_for_status().json()["Id"]
        client.post(f"/containers/{made}/start").raise_for_status()
        with running(engine.address, POLICIES / "work.yaml", "--own-container", made) as proxy:
            yield Own(engine, proxy, made)
        client.delete(f"/containers/{made}", params={"force": "1"})


CALLS = [
    ("POST", "exec", b'{"Cmd": ["sh"]}'),
    ("POST", "attach?stream=1&stdin=1", None),
    ("PUT", "archive?path=/", b"\0" * 1024),
    ("POST", "stop", None),
    ("POST", "restart", None),
    ("POST", "kill", None),
    ("POST", "pause", None),
    ("POST", f"rename?name={NAME}-b", None),
    ("POST", "update", b'{"Memory": 67108864}'),
    ("DELETE", "", None),
]


@pytest.mark.parametrize(("method", "call", "body"), CALLS, ids=lambda value: str(value)[:8])
@pytest.mark.parametrize("reference", ["name", "id", "prefix"])
def test_own_container_is_left_alone(method: str, call: str, body: bytes | None, reference: str, own: Own) -> None:
    container = {"name": NAME, "id": own.id, "prefix": own.id[:12]}[reference]
    target = f"/containers/{container}/{call}" if call else f"/containers/{container}?force=1"
    answer = exchange(own.proxy.socket, request(method, target, body))
    assert answer.status == 403
    assert answer.message
    state = own.engine.get(f"/containers/{own.id}/json")
    assert (state["State"]["Status"], state["Name"]) == ("running", f"/{NAME}")


@pytest.mark.parametrize("namespace", ["PidMode", "NetworkMode", "IpcMode"])
def test_own_container_is_not_joined(namespace: str, own: Own) -> None:
    body = f'{{"Image": "{IMAGE}", "HostConfig": {{"{namespace}": "container:{NAME}"}}}}'.encode()
    assert exchange(own.proxy.socket, request("POST", f"/containers/create?name={NAME}-b", body)).status == 403


def test_own_container_may_be_looked_at(own: Own) -> None:
    assert exchange(own.proxy.socket, request("GET", f"/containers/{NAME}/json")).status == 200
