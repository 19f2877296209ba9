"""Containers: whose they are, what is made of them, what is forwarded."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.errors import Internal, Malformed
from sockproxy.model import Ask, JsonObject, Missing
from tests.docker.inspecting import MISSING, OWN, Engine, asks, create, inspected, sent

ID = "ab" * 32
LABELS = {"ci": "jenkins"}
ENGINE: dict[str, JsonObject | Missing] = {
    "/containers/web/json": {"Id": ID, "Name": "/web", "Config": {"Labels": LABELS}},
    "/containers/abab/json": {"Id": ID, "Name": "/web", "Config": {"Labels": LABELS}},
    "/containers/other/web/json": {"Id": ID, "Name": "/web", "Config": {"Labels": LABELS}},
    "/containers/ghost/json": Missing(404, "No such container: ghost"),
    "/containers/own/json": {"Id": OWN, "Name": "/own"},
}

READS = ["json", "top", "logs", "changes", "stats"]
CHANGES = ["start", "stop", "restart", "kill", "pause", "unpause", "resize"]


@pytest.mark.parametrize("reference", ["web", "abab", "other/web"])
@pytest.mark.parametrize(
    "row", [*(f"GET /containers/{{}}/{verb}" for verb in READS), *(f"POST /containers/{{}}/{verb}" for verb in CHANGES)]
)
def test_a_container_is_judged_by_its_name_and_labels_and_forwarded_by_its_id(row: str, reference: str) -> None:
    inspection = inspected(row.format(reference), None, ENGINE)
    assert inspection.asks == (Ask("container", "web", "path", labels=(("ci", "jenkins"),)),)
    assert inspection.forward.target == "/v1.51" + row.partition(" ")[2].format(ID)


@pytest.mark.parametrize("row", [f"GET /containers/web/{verb}" for verb in [*READS, "export"]])
def test_a_read_is_looked_up_only_where_a_rule_holds_containers(row: str) -> None:
    engine = Engine(ENGINE)
    inspection = inspected(row, None, engine, held={"image"}, own=OWN if "export" not in row else None)
    assert inspection.asks == (Ask("container", "web", "path"),)
    assert engine.asked == []
    assert inspection.forward.target.startswith("/v1.51/containers/web/")


@pytest.mark.parametrize("row", [*(f"POST /containers/web/{verb}" for verb in CHANGES), "DELETE /containers/web"])
def test_a_change_is_looked_up_where_it_could_be_our_own_container(row: str) -> None:
    engine = Engine(ENGINE)
    inspected(row, None, engine, held=())
    assert engine.asked == []
    inspected(row, None, engine, held=(), own=OWN)
    assert engine.asked == ["/containers/web/json"]


@pytest.mark.parametrize(
    ("row", "body"),
    [
        *((f"POST /containers/own/{verb}", None) for verb in CHANGES),
        ("POST /containers/own/rename?name=x", None),
        ("POST /containers/own/update", {"Memory": 1}),
        ("DELETE /containers/own?force=1", None),
        ("GET /containers/own/export", None),
        ("POST /commit?container=own", None),
        ("POST /networks/n/connect", {"Container": "own"}),
        ("POST /networks/n/disconnect", {"Container": "own"}),
        ("POST /containers/own/exec", {"Cmd": ["sh"]}),
    ],
)
def test_the_own_container_is_never_touched(row: str, body: Any) -> None:
    found = inspected(row, body, ENGINE, held=(), own=OWN).asks
    assert [str(ask) for ask in found if not ask.grantable] == ["container: own"]


@pytest.mark.parametrize("verb", ["json", "logs", "stats"])
def test_the_own_container_may_be_looked_at(verb: str) -> None:
    found = inspected(f"GET /containers/own/{verb}", None, ENGINE, own=OWN).asks
    assert all(ask.grantable for ask in found)


def test_a_container_that_is_not_there_is_answered_as_the_engine_does() -> None:
    inspection = inspected("POST /containers/ghost/stop", None, ENGINE)
    assert inspection.absent == Missing(404, "No such container: ghost")


def test_a_rename_asks_for_both_names() -> None:
    inspection = inspected("POST /containers/web/rename?name=/ci-1", None, ENGINE)
    labels = (("ci", "jenkins"),)
    assert inspection.asks == (
        Ask("container", "web", "path", labels=labels),
        Ask("container", "ci-1", "?name", labels=labels),
    )
    assert inspection.forward.target == f"/v1.51/containers/{ID}/rename?name=%2Fci-1"
    with pytest.raises(Malformed):
        inspected("POST /containers/web/rename", None, ENGINE)


def test_a_link_is_removed_by_its_own_name() -> None:
    assert (
        inspected("DELETE /containers/other/web?link=1", None, ENGINE).forward.target
        == "/v1.51/containers/other/web?link=1"
    )
    assert inspected("DELETE /containers/other/web?v=1", None, ENGINE).forward.target == f"/v1.51/containers/{ID}?v=1"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", set()),
        ("?detachKeys=a", set()),
        ("?checkpoint=c1", {"query: checkpoint=c1"}),
        ("?checkpoint=c1&checkpoint-dir=/a/../etc", {"query: checkpoint=c1", "bind: /etc"}),
        ("?brand-new=1", {"query: brand-new"}),
    ],
)
def test_a_start_from_a_checkpoint(query: str, expected: set[str]) -> None:
    assert asks(f"POST /containers/web/start{query}", None, ENGINE) == {"container: web"} | expected


def test_an_archive_needs_a_path_and_asks_for_it_cleaned() -> None:
    assert "archive: /run/secrets" in asks("GET /containers/web/archive?path=run/x/../secrets/.", None, ENGINE)
    for request in ("GET /containers/web/archive", "PUT /containers/web/archive?path="):
        with pytest.raises(Malformed):
            inspected(request, None, ENGINE)


def test_a_created_container_is_named_and_labelled() -> None:
    found = inspected("POST /containers/create?name=/ci-1", {"Image": "x", "Labels": {"a": "b", "c": ""}}).asks
    assert found[0] == Ask("container", "ci-1", "?name", labels=(("a", "b"), ("c", "")))
    assert {str(ask) for ask in found} >= {"label: a=b", "label: c="}
    assert inspected("POST /containers/create", {"Image": "x"}).asks[0].value == "(unnamed)"


LABELLED = {"/images/x/json": {"Id": "sha256:1", "Config": {"Labels": {"a": "its own", "order": "go"}}}}


def test_what_an_image_brings_is_a_label_too_where_a_rule_speaks_of_labels() -> None:
    body = {"Image": "x", "Labels": {"a": "b"}}
    found = inspected("POST /containers/create", body, LABELLED, held={"label"})
    assert [ask for ask in found.asks if ask.kind == "label"] == [
        Ask("label", "a=b", "Labels[a]"),  # the engine takes what is sent before what the image says
        Ask("label", "order=go", "image x: Config.Labels[order]", plain=True),
    ]
    assert sent(found)["Image"] == "x"


@pytest.mark.parametrize("facts", [MISSING, {}, {"Config": None}, {"Config": {"Labels": None}}])
def test_an_image_without_labels_brings_none(facts: Any) -> None:
    found = inspected("POST /containers/create", {"Image": "x"}, {"/images/x/json": facts}, held={"label"})
    assert not [ask for ask in found.asks if ask.kind == "label"]


def test_an_image_is_not_looked_up_for_its_labels_where_no_rule_speaks_of_them() -> None:
    engine = Engine(LABELLED)
    inspected("POST /containers/create", {"Image": "x", "Labels": {"a": "b"}}, engine, held={"image"})
    assert engine.asked == []


@pytest.mark.parametrize(
    ("reference", "value", "forwarded"),
    [
        ("python:3.12", "docker.io/library/python:3.12", "python:3.12"),
        ("4dc916", "sha256:" + "4d" * 32, "sha256:" + "4d" * 32),
        ("sha256:4dc9", "sha256:" + "4d" * 32, "sha256:" + "4d" * 32),
        ("cafe", "docker.io/library/cafe:latest", "sha256:" + "ca" * 32),
        ("beef", "docker.io/library/beef:latest", "beef"),
        ("sha256:beef", "sha256:beef", "sha256:beef"),
    ],
)
def test_the_image_of_a_create(reference: str, value: str, forwarded: str) -> None:
    engine: dict[str, Any] = {
        "/images/4dc916/json": {"Id": "sha256:" + "4d" * 32, "RepoTags": ["python:3.12"], "RepoDigests": []},
        "/images/sha256:4dc9/json": {"Id": "sha256:" + "4d" * 32, "RepoTags": ["python:3.12"]},
        "/images/cafe/json": {"Id": "sha256:" + "ca" * 32, "RepoTags": ["cafe:latest", "other:1"]},
        "/images/beef/json": MISSING,
        "/images/sha256:beef/json": MISSING,
    }
    inspection = inspected("POST /containers/create", {"Image": reference}, engine)
    ask = next(ask for ask in inspection.asks if ask.kind == "image")
    assert ask.value == value
    assert ask.aliases == (("docker.io/library/python:3.12",) if "4d" in value else ())
    assert sent(inspection)["Image"] == forwarded
    assert inspection.absent is None


def test_an_id_is_looked_up_only_where_a_rule_holds_images() -> None:
    engine = Engine()
    assert "image: 4dc916" in asks("POST /containers/create", {"Image": "4dc916"}, engine, held={"container"})
    assert engine.asked == []


def test_no_image_is_an_image_too() -> None:
    assert "image: (none)" in asks("POST /containers/create", {"Cmd": ["x"]})


@pytest.mark.parametrize("reference", ["UPPER", "a b", "http://x/y", "a@sha256:12"])
def test_what_is_no_image_is_refused(reference: str) -> None:
    with pytest.raises(Malformed, match="Image"):
        inspected("POST /containers/create", {"Image": reference})


def test_what_is_free() -> None:
    body: JsonObject = {
        "Hostname": "h",
        "Domainname": "d",
        "Env": ["A=1"],
        "Cmd": ["sh"],
        "Entrypoint": "sh",
        "Healthcheck": {"Test": ["CMD", "x"], "Interval": 1, "StartInterval": 1},
        "ExposedPorts": {"80/tcp": {}},
        "WorkingDir": "/w",
        "StopSignal": "TERM",
        "StopTimeout": 0,
        "Shell": ["sh"],
        "OnBuild": ["RUN x"],
        "Tty": True,
        "OpenStdin": True,
        "NetworkDisabled": True,
        "ArgsEscaped": True,
        "name": "x",
        "platform": "linux/amd64",
        "PortSpecs": ["1"],
        "PublishService": "x",
    }
    assert create(body) == set()
    forwarded = sent(inspected("POST /containers/create", {"Image": "x", **body}))
    assert not {"name", "platform", "PortSpecs", "PublishService"} & set(forwarded)
    assert forwarded["Entrypoint"] == ["sh"]


def test_what_is_granted_though_unknown_is_forwarded_as_sent() -> None:
    body = {"Image": "x", "hostconfig": {"BrandNew": {"a": [1]}, "privileged": False}, "Another": True}
    inspection = inspected("POST /containers/create", body)
    assert {str(ask) for ask in inspection.asks if ask.kind == "field"} == {
        "field: HostConfig.BrandNew",
        "field: Another",
    }
    assert sent(inspection) == {
        "Image": "x",
        "HostConfig": {"Privileged": False, "BrandNew": {"a": [1]}},
        "Another": True,
    }


def test_lists_ask_nothing() -> None:
    assert asks("GET /containers/json?all=1") == set()
    assert inspected("GET /containers/json?all=true").forward.target == "/v1.51/containers/json?all=1"


def test_an_update_that_says_what_only_a_create_can_is_unknown() -> None:
    found = asks("POST /containers/web/update", {"Binds": "x", "Privileged": 1, "PortBindings": []}, ENGINE)
    assert found == {"container: web", "field: Binds", "field: Privileged"}


@pytest.mark.parametrize(
    ("host_config", "expected"),
    [
        ({}, {"volume: (anonymous)"}),
        ({"Binds": ["data:/data"]}, {"volume: data"}),
        ({"Binds": ["data:/data/../data/"]}, {"volume: data"}),
        ({"Binds": ["data:/other"]}, {"volume: data", "volume: (anonymous)"}),
        ({"Mounts": [{"Type": "tmpfs", "Target": "/data"}]}, set()),
    ],
)
def test_volumes_beside_binds_are_the_targets_that_docker_py_repeats(
    host_config: JsonObject, expected: set[str]
) -> None:
    assert create({"Volumes": {"/data": {}}, "HostConfig": host_config}) == expected


@pytest.mark.parametrize(
    ("body", "version", "speaks", "expected"),
    [
        ({}, (1, 51), (1, 51), {}),
        ({"HostConfig": None}, (1, 51), (1, 51), {}),
        ({"Runtime": "runsc"}, (1, 41), (1, 45), {"Runtime": "runsc"}),
        ({"Runtime": "runsc"}, (1, 41), (1, 46), {}),
        ({"Runtime": "runsc", "HostConfig": {}}, (1, 41), (1, 45), {}),
    ],
)
def test_a_host_config_that_did_not_come_is_sent_and_means_what_none_would(
    body: JsonObject, version: tuple[int, int], speaks: tuple[int, int], expected: JsonObject
) -> None:
    inspection = inspected("POST /containers/create", {"Image": "x", **body}, version=version, speaks=speaks)
    assert sent(inspection)["HostConfig"] == expected
    assert ("runtime: runsc" in {str(ask) for ask in inspection.asks}) == ("Runtime" in body)


@pytest.mark.parametrize("identity", ["/", "../images/x", "..", "a/./b", "a%2fb", "a\\b", "a\nb"])
def test_an_id_that_would_be_another_path_is_not_forwarded(identity: str) -> None:
    engine = {"/containers/web/json": {"Id": identity, "Name": "/web"}}
    with pytest.raises(Internal):
        inspected("POST /containers/web/stop", None, engine)
