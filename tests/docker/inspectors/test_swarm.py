"""The swarm itself, nodes, secrets and configs: the row is the power; what goes beyond the plain command is asked."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.errors import Malformed
from sockproxy.model import JsonObject, Missing
from tests.docker.inspecting import asks, inspected, sent

# What `docker swarm init` sends (CLI 28.5): a whole Spec with its zeros.
PLAIN_INIT: dict[str, Any] = {
    "ListenAddr": "0.0.0.0:2377",
    "AdvertiseAddr": "",
    "DataPathAddr": "",
    "DataPathPort": 0,
    "ForceNewCluster": False,
    "Spec": {
        "Labels": None,
        "Orchestration": {},
        "Raft": {"ElectionTick": 0, "HeartbeatTick": 0},
        "Dispatcher": {"HeartbeatPeriod": 5000000000},
        "CAConfig": {"NodeCertExpiry": 7776000000000000},
        "TaskDefaults": {},
        "EncryptionConfig": {"AutoLockManagers": False},
    },
    "AutoLockManagers": False,
    "Availability": "active",
    "DefaultAddrPool": None,
    "SubnetSize": 24,
}


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("POST /swarm/init", PLAIN_INIT),
        ("POST /swarm/join", {"ListenAddr": "0.0.0.0:2377", "RemoteAddrs": ["10.0.0.1:2377"], "JoinToken": "SWMTKN"}),
        ("POST /swarm/unlock", {"UnlockKey": "SWMKEY"}),
        ("POST /swarm/update?version=1&rotateWorkerToken=true", PLAIN_INIT["Spec"]),
        ("POST /swarm/leave?force=1", None),
        ("GET /swarm", None),
        ("GET /swarm/unlockkey", None),
        ("GET /nodes", None),
        ("GET /nodes/abc", None),
        ("DELETE /nodes/abc?force=1", None),
        ("POST /nodes/abc/update?version=3", {"Role": "worker", "Availability": "drain", "Labels": {"a": "b"}}),
        ("POST /secrets/create", {"Name": "a", "Labels": {"b": "c"}, "Data": "eA=="}),
        ("POST /secrets/abc/update?version=1", {"Name": "a", "Labels": {"b": "c"}}),
        ("POST /configs/create", {"Name": "a", "Data": "eA=="}),
        ("POST /configs/abc/update?version=1", {"Name": "a", "Labels": {}}),
        ("GET /secrets", None),
        ("GET /secrets/abc", None),
        ("DELETE /secrets/abc", None),
        ("GET /configs", None),
        ("GET /configs/abc", None),
        ("DELETE /configs/abc", None),
    ],
)
def test_plain_commands_ask_nothing_but_their_row(line: str, body: Any) -> None:
    inspection = inspected(line, body)
    assert inspection.asks == ()
    assert (inspection.forward.body is None) == (body is None)


@pytest.mark.parametrize(
    ("line", "body", "expected"),
    [
        ("POST /swarm/init", {"ForceNewCluster": True}, {"field: ForceNewCluster"}),
        (
            "POST /swarm/init",
            {"DefaultAddrPool": ["10.0.0.0/8", "172.16.0.0/12"]},
            {"address: subnet=10.0.0.0/8", "address: subnet=172.16.0.0/12"},
        ),
        (
            "POST /swarm/init",
            {"Spec": {"CAConfig": {"ExternalCAs": [{"Protocol": "cfssl", "URL": "https://ca.example.com"}]}}},
            {"field: Spec.CAConfig.ExternalCAs"},
        ),
        ("POST /swarm/update", {"caconfig": {"signingcakey": "x"}}, {"field: CAConfig.SigningCAKey"}),
        ("POST /swarm/update", {"CAConfig": {"SigningCACert": "x"}}, {"field: CAConfig.SigningCACert"}),
        (
            "POST /swarm/update",
            {"TaskDefaults": {"LogDriver": {"Name": "gelf", "Options": {"gelf-address": "udp://a"}}}},
            {"log-driver: gelf", "log-driver: gelf gelf-address=udp://a"},
        ),
        ("POST /swarm/update", {"BrandNew": 1}, {"field: BrandNew"}),
        ("POST /swarm/join", {"BrandNew": 1}, {"field: BrandNew"}),
        ("POST /swarm/unlock", {"BrandNew": 1}, {"field: BrandNew"}),
        ("POST /nodes/abc/update", {"BrandNew": 1}, {"field: BrandNew"}),
        ("POST /secrets/create", {"Driver": {"Name": "vault"}}, {"field: Driver=vault"}),
        ("POST /secrets/create", {"Templating": {"Name": "golang"}}, {"field: Templating=golang"}),
        ("POST /configs/create", {"Templating": {"Name": "golang"}}, {"field: Templating=golang"}),
        ("POST /configs/abc/update", {"Templating": {"Options": {"a": "b"}}}, {"field: Templating="}),
        ("POST /configs/create", {"Driver": {"Name": "vault"}}, {"field: Driver"}),
    ],
)
def test_what_goes_beyond_is_asked(line: str, body: JsonObject, expected: set[str]) -> None:
    assert asks(line, body) == expected


def test_only_who_is_no_manager_is_made_one() -> None:
    body: JsonObject = {"role": "Manager", "Availability": "active"}
    line = "POST /nodes/abc/update?version=3"
    worker = {"/nodes/abc": {"ID": "n1", "Spec": {"Role": "worker"}}}
    manager = {"/nodes/abc": {"ID": "n1", "Spec": {"Role": "manager"}}}
    assert asks(line, body, worker) == {"field: Role=manager"}
    assert asks(line, body, manager) == set()
    assert inspected(line, body, manager).forward.target.endswith("/nodes/n1/update?version=3")
    gone = Missing(404, "node abc not found")
    assert inspected(line, body, {"/nodes/abc": gone}).absent == gone


def test_a_body_is_read_strictly_and_forwarded_as_it_was_read() -> None:
    assert sent(inspected("POST /swarm/unlock", {"unlockkey": "k"})) == {"UnlockKey": "k"}
    with pytest.raises(Malformed):
        inspected("POST /swarm/join", {"RemoteAddrs": "10.0.0.1"})
    with pytest.raises(Malformed):
        inspected("POST /swarm/init", b'{"ForceNewCluster":false,"forcenewcluster":true}')
