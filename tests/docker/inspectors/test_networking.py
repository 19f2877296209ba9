"""The networks that a container joins."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.model import Ask, JsonObject
from tests.docker.inspecting import MISSING, PLAIN, Engine, asks, inspected, sent

HOST_ID = "fabb" + "0" * 60
FRONT_ID = "f00d" + "1" * 60
ENGINE: dict[str, Any] = {
    "/networks/fabb": {"Name": "host", "Id": HOST_ID, "Driver": "host"},
    f"/networks/{HOST_ID}": {"Name": "host", "Id": HOST_ID, "Driver": "host"},
    "/networks/f00d": {"Name": "front", "Id": FRONT_ID, "Labels": {"a": "b"}},
    f"/networks/{FRONT_ID}": {"Name": "front", "Id": FRONT_ID, "Labels": {"a": "b"}},
    "/networks/front": {"Name": "front", "Id": FRONT_ID, "Labels": {"a": "b"}},
    "/networks/beef": MISSING,
    "/containers/web/json": {"Id": "ab" * 32, "Name": "/web", "Config": {"Labels": {"c": "d"}}},
    "/containers/ghost/json": MISSING,
}


def join(mode: str | None = None, endpoints: JsonObject | None = None, **options: Any) -> set[str]:
    """What is asked of networks, addresses, namespaces and containers joined."""
    body = {"Image": "x", "HostConfig": {"NetworkMode": mode}, "NetworkingConfig": {"EndpointsConfig": endpoints}}
    return asks("POST /containers/create", body, ENGINE, **options) - (PLAIN - {"network: bridge"})


@pytest.mark.parametrize(
    ("mode", "endpoints", "expected"),
    [
        (None, None, {"network: bridge"}),
        ("", {}, {"network: bridge"}),
        ("default", {"default": {}}, {"network: bridge"}),
        ("default", {"default": None}, {"network: bridge"}),
        ("bridge", None, {"network: bridge"}),
        ("none", None, set()),
        ("none", {}, set()),
        ("none", {"front": {}}, {"network: front"}),
        ("host", None, {"namespace: network=host"}),
        ("container:web", None, {"namespace: network=container:web", "container: web"}),
        ("container:/web", None, {"namespace: network=container:web", "container: web"}),
        ("container:ghost", None, {"namespace: network=container:ghost", "container: ghost"}),
        ("container:", None, {"namespace: network=container:", "container: "}),
        ("front", None, {"network: front"}),
        ("front", {"front": {"Aliases": ["a"]}}, {"network: front"}),
        ("front", {"back": {}}, {"network: front", "network: back"}),
        ("default", {"front": {}}, {"network: front"}),
        (None, {"front": {}, "back": None}, {"network: front", "network: back"}),
        ("default", {"default": {}, "front": {}}, {"network: bridge", "network: front"}),
        ("f00d", None, {"network: front"}),
        (FRONT_ID, {FRONT_ID: {}}, {"network: front"}),
        ("fabb", None, {"namespace: network=host"}),
        (HOST_ID, None, {"namespace: network=host"}),
        (None, {"host": {}}, {"namespace: network=host"}),
        (None, {"fabb": {}}, {"namespace: network=host"}),
        ("beef", None, {"network: beef"}),
        ("HOST", None, {"network: HOST"}),
        (None, {"front": {"NetworkID": "host"}}, {"network: front", "namespace: network=host"}),
        (None, {"front": {"NetworkID": HOST_ID}}, {"network: front", "namespace: network=host"}),
        (None, {"front": {"NetworkID": "back"}}, {"network: front", "network: back"}),
        (None, {"front": {"NetworkID": FRONT_ID}}, {"network: front"}),
        (None, {"front": {"NetworkID": "beef"}}, {"network: front"}),
    ],
)
def test_what_is_joined(mode: str | None, endpoints: JsonObject | None, expected: set[str]) -> None:
    assert join(mode, endpoints) == expected


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ({}, set()),
        ({"Aliases": ["db"], "GwPriority": 1}, set()),
        ({"IPAddress": "10.0.0.2", "Gateway": "10.0.0.1", "EndpointID": "a", "DNSNames": ["a"]}, set()),
        ({"IPAMConfig": {"IPv4Address": "10.0.0.9"}}, {"address: ip=10.0.0.9"}),
        ({"IPAMConfig": {"IPv6Address": "fd00::9"}}, {"address: ip=fd00::9"}),
        ({"IPAMConfig": {"LinkLocalIPs": ["169.254.1.1"]}}, {"address: ip=169.254.1.1"}),
        ({"MacAddress": "02:42:ac:11:00:02"}, {"address: mac=02:42:ac:11:00:02"}),
        (
            {"DriverOpts": {"com.docker.network.endpoint.ifname": "eth7"}},
            {"address: option com.docker.network.endpoint.ifname=eth7"},
        ),
        ({"Links": ["web:w"]}, {"link: web", "container: web"}),
        ({"Bandwidth": 1}, {"field: NetworkingConfig.EndpointsConfig.Bandwidth"}),
    ],
)
def test_how_it_is_joined(endpoint: JsonObject, expected: set[str]) -> None:
    assert join("front", {"front": endpoint}) == {"network: front"} | expected


def test_a_mac_address_at_the_top_level() -> None:
    assert "address: mac=02:00:00:00:00:01" in asks(
        "POST /containers/create", {"Image": "x", "MacAddress": "02:00:00:00:00:01"}
    )


def test_docker_pys_own_form_joins_nothing() -> None:
    body = {"Image": "x", "NetworkingConfig": {"front": None}}
    assert asks("POST /containers/create", body, ENGINE) == PLAIN
    assert sent(inspected("POST /containers/create", body, ENGINE))["NetworkingConfig"] == {}
    body = {"Image": "x", "NetworkingConfig": {"front": {"Aliases": ["a"]}}}
    assert "field: NetworkingConfig.front" in asks("POST /containers/create", body, ENGINE)


def test_a_prefix_is_forwarded_as_the_full_id_everywhere() -> None:
    body = {"Image": "x", "HostConfig": {"NetworkMode": "f00d"}, "NetworkingConfig": {"EndpointsConfig": {"f00d": {}}}}
    forwarded = sent(inspected("POST /containers/create", body, ENGINE))
    assert forwarded["HostConfig"]["NetworkMode"] == FRONT_ID
    assert forwarded["NetworkingConfig"]["EndpointsConfig"] == {FRONT_ID: {}}


def test_what_an_inspect_echoes_is_not_forwarded() -> None:
    endpoint = {"NetworkID": FRONT_ID, "EndpointID": "a", "IPAddress": "10.0.0.2", "MacAddress": "", "Aliases": ["a"]}
    body = {"Image": "x", "NetworkingConfig": {"EndpointsConfig": {"front": endpoint}}}
    forwarded = sent(inspected("POST /containers/create", body, ENGINE))
    assert forwarded["NetworkingConfig"]["EndpointsConfig"] == {"front": {"MacAddress": "", "Aliases": ["a"]}}


def test_a_network_carries_its_labels() -> None:
    body = {"Image": "x", "HostConfig": {"NetworkMode": "front"}}
    found = inspected("POST /containers/create", body, ENGINE).asks
    assert [ask for ask in found if ask.kind == "network"] == [
        Ask("network", "front", "HostConfig.NetworkMode", labels=(("a", "b"),))
    ]


def test_a_name_is_looked_up_only_where_a_rule_holds_networks_and_hex_digits_always() -> None:
    for mode, held, asked in (
        ("front", (), []),
        ("front", ("network",), ["/networks/front"]),
        ("f00d", (), ["/networks/f00d"]),
        ("default", ("network",), []),
    ):
        engine = Engine(ENGINE)
        inspected("POST /containers/create", {"Image": "x", "HostConfig": {"NetworkMode": mode}}, engine, held=held)
        assert engine.asked == asked


def test_what_is_not_there_is_an_ask_that_cannot_be_granted_and_no_404() -> None:
    for mode in ("beef", "container:ghost", "container:", "container:a/../b"):
        inspection = inspected("POST /containers/create", {"Image": "x", "HostConfig": {"NetworkMode": mode}}, ENGINE)
        assert inspection.absent is None
        assert [ask.grantable for ask in inspection.asks if not ask.grantable] == [False], mode
