"""What a client may change by asking for an older API version, judged at the version that is used.

Source of the differences: moby, `daemon/server/router/container/container_routes.go` and its neighbours.
"""

from __future__ import annotations

import pytest

from sockproxy.errors import Malformed, VersionRefused
from sockproxy.judge import call as make_call
from sockproxy.judge import early, recognise
from sockproxy.model import Context
from sockproxy.policy.load import Policy, loads
from tests.docker.inspecting import asks, host, inspected, sent

NEW = Context(engine_version=(1, 51), engine_minimum=(1, 24))


@pytest.mark.parametrize(
    ("version", "expected"), [((1, 43), "bind: /a ro nonrecursive"), ((1, 44), "bind: /a ro"), ((1, 51), "bind: /a ro")]
)
def test_read_only_binds_leave_submounts_writable_below_1_44(version: tuple[int, int], expected: str) -> None:
    assert host({"Binds": ["/a:/b:ro"]}, version=version) == {expected}
    assert host({"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}]}, version=version) == {
        expected
    }


@pytest.mark.parametrize("version", [(1, 24), (1, 39), (1, 40), (1, 51)])
def test_a_shareable_ipc_is_the_default_below_1_40_and_to_join_it_is_asked_for_at_any_version(
    version: tuple[int, int],
) -> None:
    assert host({}, version=version) == host({"IpcMode": "shareable"}, version=version) == set()
    joined = host({"IpcMode": "container:web"}, version=version)
    assert {"namespace: ipc=container:web", "container: web"} <= joined


@pytest.mark.parametrize("version", ["v1.24", "v1.41", "v1.42", "v1.51"])
def test_a_websocket_always_enters_since_below_1_42_it_always_has_stdin(version: str) -> None:
    privileged = {"/containers/web/json": {"Name": "/web", "HostConfig": {"Privileged": True}}}
    line = f"GET /{version}/containers/web/attach/ws?stream=1&stdin=0"
    assert asks(line, None, privileged) == {"container: web", "privileged: container"}


@pytest.mark.parametrize("version", [(1, 24), (1, 47), (1, 51)])
def test_an_address_is_asked_for_at_versions_that_ignore_it_too(version: tuple[int, int]) -> None:
    endpoint = {"NetworkingConfig": {"EndpointsConfig": {"front": {"MacAddress": "02:00:00:00:00:01"}}}}
    body = {"Image": "x", "MacAddress": "02:00:00:00:00:02", **endpoint}
    found = asks("POST /containers/create", body, version=version)
    assert {"address: mac=02:00:00:00:00:01", "address: mac=02:00:00:00:00:02"} <= found


@pytest.mark.parametrize("version", [(1, 30), (1, 43), (1, 44), (1, 51)])
def test_both_places_of_a_services_networks_count_at_any_version(version: tuple[int, int]) -> None:
    body = {"Name": "a", "TaskTemplate": {"Networks": [{"Target": "one"}]}, "Networks": [{"Target": "two"}]}
    engine = {f"/networks/{name}?scope=swarm": {"Name": name} for name in ("one", "two")}
    assert {"network: one", "network: two"} <= asks("POST /services/create", body, engine, version=version)


def test_top_level_fields_are_refused_and_a_host_config_is_sent_at_any_version() -> None:
    for version in ((1, 24), (1, 45), (1, 51)):
        inspection = inspected("POST /containers/create", {"Image": "x", "Privileged": True}, version=version)
        assert [ask.grantable for ask in inspection.asks if ask.kind == "field"] == [False]
        assert sent(inspection)["HostConfig"] == {}


@pytest.fixture(scope="module")
def clamped() -> Policy:
    return loads(
        'version: 1\napi: {min: "1.44", max: "1.47"}\nrules:\n  - id: a\n    allow: POST /containers/{id}/start\n'
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/v1.43/containers/web/start", "client version 1.43 is too old"),
        ("/v1.48/containers/web/start", "client version 1.48 is too new"),
        ("/v1.24/containers/web/start", "too old"),
    ],
)
def test_a_policy_may_clamp_the_versions(clamped: Policy, target: str, words: str) -> None:
    request, operation, _ = recognise(b"POST", target.encode(), [(b"Host", b"docker")])
    with pytest.raises(VersionRefused, match=words):
        early(request, operation, clamped, NEW, None)


@pytest.mark.parametrize(("prefix", "version"), [("", (1, 47)), ("/v1.44", (1, 44)), ("/v1.47", (1, 47))])
def test_what_is_within_the_clamp_is_judged_at_its_version(
    clamped: Policy, prefix: str, version: tuple[int, int]
) -> None:
    request, operation, params = recognise(b"POST", f"{prefix}/containers/web/start".encode(), [(b"Host", b"docker")])
    assert make_call(request, operation, params, None, clamped, NEW).version == version
    with pytest.raises(Malformed):
        make_call(request, operation, params, b'{"Privileged":true}', clamped, NEW)
