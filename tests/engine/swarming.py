"""One node that is a swarm by itself, for as long as a test module needs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.engine.disposable import Engine


@contextmanager
def swarming(engine: Engine) -> Iterator[Engine]:
    """The engine as a manager on loopback, unless it is one already; it leaves when the block ends."""
    with engine.client() as client:
        made = client.get("/swarm").status_code != 200
        if made:
            body = {
                "ListenAddr": "127.0.0.1:2377",
                "AdvertiseAddr": "127.0.0.1",
                "DefaultAddrPool": ["10.201.0.0/16"],
                "SubnetSize": 24,
            }
            client.post("/swarm/init", json=body).raise_for_status()
    try:
        yield engine
    finally:
        if made:
            leave(engine)


def leave(engine: Engine) -> None:
    """Leave the swarm, and wait for what its tasks ran in to go: an engine removes it by and by."""
    with engine.client() as client:
        for service in _listed(client.get("/services").json()):
            client.delete(f"/services/{service['ID']}")
        deadline = time.monotonic() + 30
        filters = {"filters": '{"label":{"com.docker.swarm.service.id":true}}', "all": "1"}
        while client.get("/containers/json", params=filters).json() and time.monotonic() < deadline:
            time.sleep(0.1)
        client.post("/swarm/leave", params={"force": "1"})


def _listed(told: object) -> list[dict[str, str]]:
    return told if isinstance(told, list) else []
