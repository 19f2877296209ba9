"""Volumes: whose they are, and what their drivers are told."""

from __future__ import annotations

import pytest

from sockproxy.model import Ask, JsonObject, Missing
from tests.docker.inspecting import Engine, asks, inspected, sent

ENGINE: dict[str, JsonObject | Missing] = {
    "/volumes/data": {"Name": "data", "Driver": "local", "Labels": {"a": "b"}, "Options": None},
    "/volumes/gone": Missing(404, "get gone: no such volume"),
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"volume: (anonymous)"}),
        ({"Name": "v1", "Driver": "local", "DriverOpts": {}, "Labels": {}}, {"volume: v1"}),
        ({"Name": "v1", "Driver": "", "DriverOpts": None}, {"volume: v1"}),
        ({"Name": "v1", "DriverOpts": {"type": "none", "o": "bind", "device": "/etc"}}, {"volume: v1", "bind: /etc"}),
        ({"Name": "v1", "driveropts": {"o": "bind,ro", "device": "/a/../etc"}}, {"volume: v1", "bind: /etc ro"}),
        (
            {"Name": "v1", "Driver": "rclone", "DriverOpts": {"remote": "s3:"}},
            {"volume: v1", "volume-driver: rclone", "volume-driver: rclone remote=s3:"},
        ),
        (
            {"Name": "v1", "Driver": "rclone", "DriverOpts": {"o": "bind", "device": "/etc"}},
            {
                "volume: v1",
                "volume-driver: rclone",
                "volume-driver: rclone o=bind",
                "volume-driver: rclone device=/etc",
            },
        ),
        ({"Name": "v1", "DriverOpts": {"size": "1g"}}, {"volume: v1", "volume-driver: local size=1g"}),
        ({"Name": "v1", "ClusterVolumeSpec": {"Group": "g"}}, {"volume: v1", "field: ClusterVolumeSpec"}),
        ({"Name": "v1", "ClusterVolumeSpec": {}}, {"volume: v1"}),
    ],
)
def test_what_making_one_asks(body: JsonObject, expected: set[str]) -> None:
    assert asks("POST /volumes/create", body) == expected


def test_one_is_made_with_its_labels_without_a_look_up() -> None:
    engine = Engine(ENGINE)
    inspection = inspected("POST /volumes/create", {"Name": "data", "Labels": {"c": "d"}}, engine)
    assert inspection.asks == (Ask("volume", "data", "Name", labels=(("c", "d"),)),)
    assert engine.asked == []
    assert sent(inspection) == {"Name": "data", "Labels": {"c": "d"}}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_one_is_judged_by_its_labels_where_a_rule_holds_volumes(method: str) -> None:
    assert inspected(f"{method} /volumes/data", None, ENGINE).asks == (
        Ask("volume", "data", "path", labels=(("a", "b"),)),
    )
    engine = Engine(ENGINE)
    assert inspected(f"{method} /volumes/data", None, engine, held=()).asks == (Ask("volume", "data", "path"),)
    assert engine.asked == []


def test_one_that_is_not_there_is_answered_as_the_engine_does() -> None:
    assert inspected("DELETE /volumes/gone", None, ENGINE).absent == Missing(404, "get gone: no such volume")
    assert inspected("DELETE /volumes/a/b", None, ENGINE).absent == Missing(404, "get a/b: no such volume")


def test_an_update_is_of_a_cluster_volume() -> None:
    assert asks("PUT /volumes/data?version=1", {"Spec": {"Availability": "drain"}}, ENGINE) == {
        "volume: data",
        "field: Spec",
    }


def test_the_list_asks_nothing() -> None:
    assert asks("GET /volumes") == set()
