"""Plugins: what a pull grants, what an enabled plugin has, and what a setting would give it."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.errors import Malformed
from sockproxy.model import JsonObject, Missing
from tests.docker.inspecting import asks, inspected, sent

PULL = "POST /plugins/pull?remote=example.com/a:1"
REMOTE = "image: example.com/a:1"


@pytest.mark.parametrize(
    ("privilege", "expected"),
    [
        ({"Name": "network", "Value": ["host"]}, {"namespace: network=host"}),
        ({"Name": "network", "Value": ["bridge"]}, set()),
        ({"Name": "network", "Value": ["none"]}, set()),
        ({"Name": "host pid namespace", "Value": ["true"]}, {"namespace: pid=host"}),
        ({"Name": "host ipc namespace", "Value": ["true"]}, {"namespace: ipc=host"}),
        ({"Name": "mount", "Value": ["/var/lib/docker/plugins/../"]}, {"bind: /var/lib/docker"}),
        ({"Name": "mount", "Value": [""]}, set()),
        ({"Name": "device", "Value": ["/dev/fuse"]}, {"device: /dev/fuse rwm"}),
        ({"Name": "device", "Value": [""]}, set()),
        ({"Name": "allow-all-devices", "Value": ["true"]}, {"device: a *:* rwm"}),
        (
            {"name": "capabilities", "value": ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]},
            {"capability: SYS_ADMIN", "capability: NET_ADMIN"},
        ),
        ({"Name": "brand new", "Value": ["x"]}, {"field: privilege=brand new"}),
        ({"Name": "brand new"}, {"field: privilege=brand new"}),
        ({"Name": "network", "Value": ["none"], "BrandNew": 1}, {"field: BrandNew"}),
    ],
)
def test_each_privilege_that_a_pull_grants_is_asked_for(privilege: JsonObject, expected: set[str]) -> None:
    assert asks(PULL, [privilege]) == {REMOTE, *expected}
    engine = {"/plugins/a/json": {"Id": "f" * 64, "Name": "a:latest"}}
    upgrade = asks("POST /plugins/a/upgrade?remote=example.com/a:1", [privilege], engine)
    assert upgrade == {REMOTE, "image: docker.io/library/a:latest", *expected}


def test_a_pull() -> None:
    assert asks(PULL, []) == {REMOTE}
    assert asks(PULL, None) == {REMOTE}
    assert asks(f"{PULL}&name=mine", []) == {REMOTE, "tag: docker.io/library/mine:latest"}
    body = [{"name": "mount", "description": "", "value": ["/a"]}]
    assert sent(inspected(PULL, body)) == [{"Name": "mount", "Description": "", "Value": ["/a"]}]
    headers = {"X-Registry-Auth": "e30="}
    assert inspected(PULL, [], headers=headers).forward.headers == (("x-registry-auth", "e30="),)


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("POST /plugins/pull", []),
        ("POST /plugins/pull?remote=A", []),
        (PULL, {}),
        (PULL, [None]),
        (PULL, [{"Name": "mount", "Value": "/a"}]),
        (PULL, [{"Name": "mount", "Value": ["etc"]}]),
        (PULL, [{"Name": "device", "Value": ["sda"]}]),
        ("POST /plugins/a/upgrade", []),
        ("POST /plugins/create", None),
        ("GET /plugins/privileges", None),
        ("POST /plugins/a/set", {"a": "b"}),
        ("POST /plugins/a/set", [1]),
    ],
)
def test_what_no_engine_would_take(line: str, body: Any) -> None:
    with pytest.raises(Malformed):
        inspected(line, body)


def test_a_plugin_from_a_tar_is_not_seen_so_all_there_is_is_asked_for() -> None:
    inspection = inspected("POST /plugins/create?name=mine", None)
    assert {str(ask) for ask in inspection.asks} == {"privileged: plugin", "tag: docker.io/library/mine:latest"}
    assert inspection.forward.streams_body


CONFIG: JsonObject = {
    "Network": {"Type": "host"},
    "PidHost": True,
    "IpcHost": True,
    "PropagatedMount": "/data",
    "Linux": {
        "Capabilities": ["CAP_SYS_ADMIN", "CAP_CHOWN"],
        "AllowAllDevices": True,
        "Devices": [{"Name": "d", "Path": "/dev/fuse", "Settable": ["path"]}],
    },
    "Mounts": [
        {"Name": "m", "Source": "/a", "Destination": "/a", "Type": "bind", "Options": ["rbind", "rshared"]},
        {"Name": "r", "Source": "/b", "Destination": "/b", "Type": "bind", "Options": ["ro"]},
        {"Name": "t", "Source": "tmpfs", "Destination": "/t", "Type": "tmpfs"},
        {"Name": "o", "Source": "overlay", "Destination": "/o", "Type": "overlay", "Options": ["lowerdir=/"]},
    ],
}
SETTINGS: JsonObject = {"Devices": [{"Name": "d", "Path": "/dev/sda"}], "Mounts": [{"Source": "/etc", "Type": "bind"}]}
PLUGIN: JsonObject = {"Id": "ab" * 32, "Name": "mine:latest", "Config": CONFIG, "Settings": SETTINGS}
NAME = "image: docker.io/library/mine:latest"


def test_to_enable_a_plugin_is_to_ask_for_what_it_has() -> None:
    inspection = inspected("POST /plugins/mine/enable?timeout=0", None, {"/plugins/mine/json": PLUGIN})
    assert {str(ask) for ask in inspection.asks} == {
        NAME,
        *("namespace: network=host", "namespace: pid=host", "namespace: ipc=host"),
        *("device: a *:* rwm", "device: /dev/fuse rwm", "device: /dev/sda rwm"),
        *("capability: SYS_ADMIN", "capability: CHOWN"),
        *("bind: /a shared", "bind: /b ro", "bind: /etc"),
        "field: plugin.Mounts.Type=overlay",
    }
    assert [ask.value for ask in inspection.asks if ask.plain] == ["CHOWN"]
    assert inspection.forward.target.endswith(f"/plugins/{'ab' * 32}/enable?timeout=0")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["m.source=/root/.ssh"], {"bind: /root/.ssh"}),
        (["m=/root/.ssh"], {"bind: /root/.ssh"}),
        (["d.path=/dev/mem"], {"device: /dev/mem rwm"}),
        (["d=/dev/mem"], {"device: /dev/mem rwm"}),
        (["DEBUG=1", "args=a=b"], set()),
        (["m.options=rshared"], {"field: plugin.Mounts.options"}),
        (["m.source="], set()),
    ],
)
def test_a_setting_asks_for_what_the_plugin_would_have(settings: list[str], expected: set[str]) -> None:
    inspection = inspected("POST /plugins/mine/set", settings, {"/plugins/mine/json": PLUGIN})
    assert {str(ask) for ask in inspection.asks} == {NAME, *expected}
    assert sent(inspection) == settings
    assert inspection.forward.target.endswith(f"/plugins/{'ab' * 32}/set")


@pytest.mark.parametrize("line", ["POST /plugins/mine/disable?force=1", "DELETE /plugins/mine"])
def test_a_plugin_is_changed_by_the_id_that_was_judged(line: str) -> None:
    inspection = inspected(line, None, {"/plugins/mine/json": PLUGIN})
    assert {str(ask) for ask in inspection.asks} == {NAME}
    assert f"/plugins/{'ab' * 32}" in inspection.forward.target


@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_a_plugin_that_is_not_there_is_answered_for(verb: str) -> None:
    gone = Missing(404, 'plugin "mine" not found')
    assert inspected(f"POST /plugins/mine/{verb}", None, {"/plugins/mine/json": gone}).absent == gone
    absent = inspected(f"POST /plugins/A%20B/{verb}", None).absent
    assert absent is not None
    assert absent.status == 404


def test_pushing_and_looking() -> None:
    assert asks("POST /plugins/example.com/a/push") == {"image: example.com/a:latest"}
    assert asks("GET /plugins/privileges?remote=example.com/a") == {"registry: example.com"}
    assert asks("GET /plugins") == set()
    assert asks("GET /plugins/mine/json") == set()


def test_an_upgrade_is_forwarded_by_the_name_that_was_judged() -> None:
    engine = {f"/plugins/{'ab' * 6}/json": PLUGIN}
    granted = [{"Name": "network", "Description": "", "Value": ["none"]}]
    inspection = inspected(f"POST /plugins/{'ab' * 6}/upgrade?remote=mine", granted, engine)
    assert sent(inspection) == granted
    assert inspection.forward.target.endswith("/plugins/mine:latest/upgrade?remote=mine")
