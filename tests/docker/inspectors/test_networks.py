"""Networks: whose they are, how they are made, who joins them."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.errors import Malformed
from sockproxy.model import Ask, JsonObject, Missing
from tests.docker.inspecting import MISSING, Engine, asks, inspected, sent

HOST_ID = "fabb" + "0" * 60
FRONT_ID = "f00d" + "1" * 60
WEB_ID = "ab" * 32
ENGINE: dict[str, Any] = {
    "/networks/front": {"Name": "front", "Id": FRONT_ID, "Labels": {"a": "b"}},
    "/networks/f00d": {"Name": "front", "Id": FRONT_ID, "Labels": {"a": "b"}},
    "/networks/fabb": {"Name": "host", "Id": HOST_ID, "Driver": "host"},
    "/networks/host": {"Name": "host", "Id": HOST_ID, "Driver": "host"},
    "/networks/gone": Missing(404, "network gone not found"),
    "/containers/web/json": {"Id": WEB_ID, "Name": "/web", "Config": {"Labels": {"c": "d"}}},
    "/containers/ghost/json": MISSING,
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, set()),
        (
            {"Driver": "bridge", "Scope": "local", "CheckDuplicate": True, "EnableIPv6": True, "EnableIPv4": False},
            set(),
        ),
        ({"Internal": True, "Attachable": True, "ConfigOnly": True, "Options": {}, "IPAM": None}, set()),
        ({"IPAM": {"Driver": "default", "Options": {}, "Config": [{}]}}, set()),
        (
            {"Driver": "macvlan", "Options": {"parent": "eth0"}},
            {"network-driver: macvlan", "network-driver: macvlan parent=eth0"},
        ),
        ({"Driver": "overlay"}, {"network-driver: overlay"}),
        ({"Driver": "host"}, {"network-driver: host"}),
        (
            {"Options": {"com.docker.network.driver.mtu": "1450"}},
            {"network-driver: bridge com.docker.network.driver.mtu=1450"},
        ),
        (
            {"IPAM": {"Driver": "infoblox", "Options": {"a": "b"}}},
            {"network-driver: ipam=infoblox", "network-driver: ipam=infoblox a=b"},
        ),
        ({"ConfigFrom": {"Network": "base"}}, {"network-driver: config-from=base"}),
        ({"ConfigFrom": {"Network": ""}}, set()),
        ({"Scope": "swarm", "Ingress": True}, {"network-driver: scope=swarm", "network-driver: ingress"}),
        (
            {
                "IPAM": {
                    "Config": [
                        {
                            "Subnet": "10.1.0.0/16",
                            "IPRange": "10.1.2.0/24",
                            "Gateway": "10.1.0.1",
                            "AuxiliaryAddresses": {"r": "10.1.0.2"},
                        }
                    ]
                }
            },
            {
                "address: subnet=10.1.0.0/16",
                "address: subnet=10.1.2.0/24",
                "address: ip=10.1.0.1",
                "address: ip=10.1.0.2",
            },
        ),
        ({"BrandNew": True}, {"field: BrandNew"}),
    ],
)
def test_what_making_one_asks(body: JsonObject, expected: set[str]) -> None:
    assert asks("POST /networks/create", {"Name": "ci-1", **body}) == {"network: ci-1"} | expected


def test_one_is_made_with_its_labels_and_needs_a_name() -> None:
    assert inspected("POST /networks/create", {"Name": "n", "Labels": {"a": "b"}}).asks == (
        Ask("network", "n", "Name", labels=(("a", "b"),)),
    )
    with pytest.raises(Malformed):
        inspected("POST /networks/create", {})


@pytest.mark.parametrize(
    "request_line", ["GET /networks/front", "DELETE /networks/front", "GET /networks/f00d?verbose=1"]
)
def test_one_is_judged_by_name_and_labels_and_forwarded_by_its_id(request_line: str) -> None:
    inspection = inspected(request_line, None, ENGINE)
    assert inspection.asks == (Ask("network", "front", "path", labels=(("a", "b"),)),)
    assert f"/networks/{FRONT_ID}" in inspection.forward.target


def test_a_name_is_looked_up_only_where_a_rule_holds_networks() -> None:
    engine = Engine(ENGINE)
    assert asks("DELETE /networks/front", None, engine, held=()) == {"network: front"}
    assert engine.asked == []


def test_looking_at_the_hosts_network_is_not_joining_it() -> None:
    assert asks("GET /networks/host", None, ENGINE) == {"network: host"}
    assert asks("DELETE /networks/fabb", None, ENGINE) == {"network: host"}


@pytest.mark.parametrize("reference", ["host", "fabb"])
@pytest.mark.parametrize("held", [(), ("network", "container")])
def test_connecting_to_the_hosts_network_is_joining_it(reference: str, held: tuple[str, ...]) -> None:
    assert "namespace: network=host" in asks(
        f"POST /networks/{reference}/connect", {"Container": "web"}, ENGINE, held=held
    )


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (None, set()),
        ({"Aliases": ["w"], "IPAMConfig": {}}, set()),
        ({"IPAMConfig": {"IPv4Address": "10.0.0.9"}}, {"address: ip=10.0.0.9"}),
        ({"MacAddress": "02:00:00:00:00:01"}, {"address: mac=02:00:00:00:00:01"}),
        ({"NetworkID": FRONT_ID}, set()),
        ({"NetworkID": "other"}, {"network: other"}),
        ({"Links": ["web:w"]}, {"link: web"}),
        ({"BrandNew": 1}, {"field: EndpointConfig.BrandNew"}),
    ],
)
def test_what_connecting_asks(endpoint: JsonObject | None, expected: set[str]) -> None:
    engine = {**ENGINE, f"/networks/{FRONT_ID}": ENGINE["/networks/front"]}
    found = asks("POST /networks/front/connect", {"container": "web", "EndpointConfig": endpoint}, engine)
    assert found == {"network: front", "container: web"} | expected


def test_what_is_forwarded() -> None:
    body = {"Container": "web", "EndpointConfig": {"NetworkID": FRONT_ID, "IPAddress": "10.0.0.2", "Aliases": ["a"]}}
    inspection = inspected("POST /networks/front/connect", body, ENGINE | {f"/networks/{FRONT_ID}": MISSING})
    assert inspection.forward.target == f"/v1.51/networks/{FRONT_ID}/connect"
    assert sent(inspection) == {"Container": WEB_ID, "EndpointConfig": {"Aliases": ["a"]}}
    inspection = inspected("POST /networks/front/disconnect", {"Container": "web", "Force": True}, ENGINE)
    assert sent(inspection) == {"Container": WEB_ID, "Force": True}


def test_what_is_not_there() -> None:
    assert inspected("DELETE /networks/gone", None, ENGINE).absent == Missing(404, "network gone not found")
    inspection = inspected("POST /networks/front/connect", {"Container": "ghost"}, ENGINE)
    assert inspection.absent is None
    assert [str(ask) for ask in inspection.asks if not ask.grantable] == ["container: ghost"]
    with pytest.raises(Malformed):
        inspected("POST /networks/front/connect", {}, ENGINE)


def test_the_list_asks_nothing() -> None:
    assert asks("GET /networks") == set()
