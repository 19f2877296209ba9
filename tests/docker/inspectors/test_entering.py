"""To enter a container is to ask for what it was given."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.model import JsonObject, Missing
from tests.docker.inspecting import OWN, Engine, asks, host, inspected, named

ID = "ab" * 32


def web(host_config: JsonObject | None = None, **more: Any) -> dict[str, Any]:
    return {"/containers/web/json": {"Id": ID, "Name": "/web", "Config": {}, "HostConfig": host_config or {}, **more}}


GIVEN: list[tuple[JsonObject, set[str]]] = [
    ({}, set()),
    ({"Binds": ["/etc:/h"]}, {"bind: /etc"}),
    ({"Binds": ["/etc:/h:ro"]}, {"bind: /etc ro"}),
    (
        {"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/h", "BindOptions": {"Propagation": "shared"}}]},
        {"bind: /etc shared"},
    ),
    (
        {"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/h", "ReadOnly": True}]},
        {"bind: /etc ro"},
    ),
    (
        {"Privileged": True, "SecurityOpt": ["label=disable"], "CapAdd": ["SYS_ADMIN"], "MaskedPaths": None},
        {"privileged: container"},
    ),
    (
        {"Privileged": True, "Binds": ["/:/h"], "PidMode": "host"},
        {"privileged: container", "bind: /", "namespace: pid=host"},
    ),
    ({"CapAdd": ["CAP_SYS_ADMIN", "NET_RAW"]}, {"capability: SYS_ADMIN", "capability: NET_RAW"}),
    ({"Devices": [{"PathOnHost": "/dev/kvm", "CgroupPermissions": "rw"}]}, {"device: /dev/kvm rw"}),
    ({"DeviceCgroupRules": ["a *:* rwm"]}, {"device: a *:* rwm"}),
    ({"DeviceRequests": [{"Count": 1, "Capabilities": [["gpu"]]}]}, {"gpu: 1"}),
    ({"PidMode": "host"}, {"namespace: pid=host"}),
    ({"PidMode": "container:db"}, {"namespace: pid=container:db", "container: db"}),
    ({"NetworkMode": "host", "IpcMode": "host"}, {"namespace: network=host", "namespace: ipc=host"}),
    ({"NetworkMode": "container:db", "IpcMode": "container:db"}, set()),
    (
        {"UTSMode": "host", "UsernsMode": "host", "CgroupnsMode": "host"},
        {"namespace: uts=host", "namespace: userns=host"},
    ),
    ({"SecurityOpt": ["seccomp=unconfined", "apparmor=docker-default"]}, {"security-opt: seccomp=unconfined"}),
    ({"PidMode": "host", "SecurityOpt": ["label=disable"]}, {"namespace: pid=host"}),
    ({"MaskedPaths": []}, {"security-opt: systempaths=unconfined"}),
    (
        {"Sysctls": {"net.a": "1"}, "Memory": 0, "PortBindings": {"80/tcp": [{"HostPort": "80"}]}, "Runtime": "runc"},
        set(),
    ),
    ({"BrandNew": True, "NetworkMode": "shop_front"}, set()),
]


@pytest.mark.parametrize(("given", "expected"), GIVEN, ids=named)
def test_entering_asks_for_what_the_container_was_given(given: JsonObject, expected: set[str]) -> None:
    engine = web(given)
    assert asks("POST /containers/web/attach?stream=1", None, engine) == {"container: web"} | expected
    assert asks("PUT /containers/web/archive?path=/w", None, engine) == {"container: web", "archive: /w"} | expected
    command = {"container: web", "exec: ls", "require: non-root"} | expected
    assert asks("POST /containers/web/exec", {"Cmd": ["ls"]}, engine) == command
    assert (
        host({"NetworkMode": "container:web"}, engine)
        == {"container: web", "namespace: network=container:web"} | expected
    )
    assert host({"VolumesFrom": ["web"]}, engine) == {"container: web", "volumes-from: web"} | expected


def test_a_third_container_whose_processes_are_shared_goes_by_its_name_and_counts() -> None:
    third = "cd" * 32
    engine: dict[str, Any] = web({"PidMode": f"container:{third}"})
    given = {"PidMode": f"container:{ID}", "Privileged": True}
    engine[f"/containers/{third}/json"] = {"Id": third, "Name": "/db", "Config": {}, "HostConfig": given}
    engine[f"/containers/{ID}/json"] = engine["/containers/web/json"]
    assert asks("POST /containers/web/attach", None, engine) == {
        *("container: web", "namespace: pid=container:db", "container: db"),
        *("namespace: pid=container:web", "privileged: container"),
    }
    engine[f"/containers/{third}/json"] = Missing(404, "No such container")
    assert asks("POST /containers/web/attach", None, engine) == {
        *("container: web", f"namespace: pid=container:{third}"),
    }


THIRD, FOURTH = "cd" * 32, "ef" * 32


@pytest.mark.parametrize(
    ("given", "third", "fourth", "expected"),
    [
        ({"NetworkMode": f"container:{THIRD}"}, {"NetworkMode": "host"}, {}, {"namespace: network=host"}),
        ({"IpcMode": f"container:{THIRD}"}, {"IpcMode": "host"}, {}, {"namespace: ipc=host"}),
        (
            {"IpcMode": f"container:{THIRD}"},
            {"IpcMode": f"container:{FOURTH}"},
            {"IpcMode": "host"},
            {"namespace: ipc=host"},
        ),
        # One namespace is shared, and nothing else of what the other one has.
        ({"NetworkMode": f"container:{THIRD}"}, {"IpcMode": "host", "Privileged": True}, {}, {"network: bank"}),
        ({"IpcMode": f"container:{THIRD}"}, {"NetworkMode": "host"}, {}, set()),
        ({"IpcMode": f"container:{THIRD}"}, {}, {}, set()),
        ({"NetworkMode": f"container:{THIRD}"}, None, {}, {f"namespace: network=container:{THIRD}"}),
        ({"NetworkMode": f"container:{THIRD}"}, {"NetworkMode": f"container:{THIRD}"}, {}, set()),
    ],
)
def test_a_namespace_that_a_third_container_has_of_the_host_is_the_hosts(
    given: JsonObject, third: JsonObject | None, fourth: JsonObject, expected: set[str]
) -> None:
    networks = {} if "container:" in str(third) or "host" in str(third and third.get("NetworkMode")) else {"bank": {}}
    engine: dict[str, Any] = web(given)
    engine[f"/containers/{THIRD}/json"] = (
        {"Id": THIRD, "Name": "/db", "HostConfig": third, "NetworkSettings": {"Networks": networks}}
        if third is not None
        else Missing(404, "No such container")
    )
    engine[f"/containers/{FOURTH}/json"] = {"Id": FOURTH, "Name": "/x", "HostConfig": fourth}
    assert asks("POST /containers/web/attach", None, engine) == {"container: web"} | expected


@pytest.mark.parametrize("mode", ["NetworkMode", "IpcMode"])
@pytest.mark.parametrize("between", [{}, {FOURTH: OWN}])
def test_a_namespace_of_the_own_container_is_not_entered_by_way_of_another(mode: str, between: dict[str, str]) -> None:
    engine: dict[str, Any] = web({mode: f"container:{next(iter(between), OWN)}"})
    engine |= {f"/containers/{OWN}/json": {"Id": OWN, "Name": "/own"}}
    engine |= {
        f"/containers/{one}/json": {"Id": one, "Name": "/x", "HostConfig": {mode: f"container:{next_}"}}
        for one, next_ in between.items()
    }
    found = inspected("POST /containers/web/attach", None, engine, own=OWN).asks
    assert [str(ask) for ask in found if not ask.grantable] == ["container: own"]


@pytest.mark.parametrize("mode", ["NetworkMode", "IpcMode", "PidMode"])
@pytest.mark.parametrize("length", [4, 1000])
def test_a_namespace_behind_many_others_is_not_followed_to_its_end(mode: str, length: int) -> None:
    engine: dict[str, Any] = {"/exec/ab/json": {"ContainerID": ID}}
    for at in range(length):
        name = ID if at == 0 else f"c{at}"
        given = {mode: "host" if at == length - 1 else f"container:c{at + 1}"}
        engine[f"/containers/{name}/json"] = {"Id": name, "Name": f"/c{at}", "HostConfig": given}
    found = inspected("POST /exec/ab/start", {}, engine).asks
    word = mode.removesuffix("Mode").lower()
    assert [str(ask) for ask in found if not ask.grantable] == [f"namespace: {word}=container:c3"]


def test_websockets_attach_the_same() -> None:
    engine = web({"Binds": ["/etc:/h"]})
    assert asks("GET /containers/web/attach/ws?stream=1", None, engine) == {"container: web", "bind: /etc"}


def test_the_place_says_whose_it_is() -> None:
    found = inspected("POST /containers/web/exec", {"Cmd": ["ls"]}, web({"Binds": ["/etc:/h"], "CapAdd": ["BPF"]})).asks
    assert {ask.where for ask in found} >= {"container web: HostConfig.Binds[0]", "container web: HostConfig.CapAdd[0]"}


def test_mounts_taken_from_others_count_and_each_host_path_is_asked_once() -> None:
    mounts: list[JsonObject] = [
        {"Type": "bind", "Source": "/etc", "Destination": "/h", "RW": True, "Propagation": "rprivate"},
        {"Type": "bind", "Source": "/taken", "Destination": "/t", "RW": False, "Propagation": "rshared"},
        {"Type": "tmpfs", "Source": "", "Destination": "/x"},
    ]
    found = inspected("POST /containers/web/attach", None, web({"Binds": ["/etc:/h"]}, Mounts=mounts)).asks
    assert [str(ask) for ask in found if ask.kind == "bind"] == ["bind: /etc", "bind: /taken ro shared"]


def test_a_host_path_behind_a_volume_counts() -> None:
    volume = {
        "Type": "volume",
        "Name": "v1",
        "Source": "/var/lib/docker/volumes/v1/_data",
        "Destination": "/d",
        "RW": True,
    }
    engine = web({"Binds": ["v1:/d"]}, Mounts=[volume])
    engine["/volumes/v1"] = {"Name": "v1", "Driver": "local", "Options": {"o": "bind", "device": "/etc"}}
    assert asks("POST /containers/web/attach", None, engine) == {"container: web", "bind: /etc"}
    assert host({"VolumesFrom": ["web:ro"]}, engine) == {
        *("container: web", "volumes-from: web", "volume: v1 ro", "bind: /etc"),
    }


def test_a_volume_that_cannot_be_looked_up_is_a_plug_ins() -> None:
    volume = {"Type": "volume", "Name": "s3://x", "Source": "", "Destination": "/d", "RW": True}
    assert asks("POST /containers/web/attach", None, web(Mounts=[volume])) == {
        "container: web",
        "volume-driver: (unknown)",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/h/shadow", {"bind: /etc ro"}),
        ("/h", {"bind: /etc ro"}),
        ("h/../h/x", {"bind: /etc ro"}),
        ("/", {"bind: /etc ro", "bind: /b ro"}),
        ("/mnt", {"bind: /b ro"}),
        ("/mnt/deep/er/x", {"bind: /b ro"}),
        ("/hx", set()),
        ("/data", set()),
    ],
)
def test_reading_a_path_asks_for_the_host_paths_that_it_leads_into(path: str, expected: set[str]) -> None:
    engine = web({"Binds": ["/etc:/h", "/b:/mnt/deep/er"]})
    for method in ("GET", "HEAD"):
        found = {
            ask for ask in asks(f"{method} /containers/web/archive?path={path}", None, engine) if "archive" not in ask
        }
        assert found == {"container: web"} | expected


@pytest.mark.parametrize(
    ("path", "links", "expected"),
    [
        ("/tmp/l/shadow", {"/tmp/l": "/h"}, {"bind: /etc ro"}),
        ("/tmp/l", {"/tmp/l": "/h/shadow"}, {"bind: /etc ro"}),
        ("/tmp/l/l/x", {"/tmp/l": "/data", "/data/l": "/h"}, {"bind: /etc ro"}),
        ("/tmp/l/x", {"/tmp/l": "/data"}, set()),
        ("/run/x", {"/h": "/run"}, {"bind: /etc ro"}),
        ("/tmp/l/x", {"/tmp/l": "/run", "/h": "/run/deep"}, set()),
        ("/tmp/l", {"/tmp/l": "/run", "/h": "/run/deep"}, {"bind: /etc ro"}),
        ("/a/a/a/x", {"/a": "/q", "/q/a": "/c"}, set()),
        ("/a/a/a/x", {"/a": "/q", "/q/a": "/c", "/c/a": "/d"}, {"bind: /etc ro", "bind: /b ro"}),
        ("/a/b", {"/a": "/a"}, {"bind: /etc ro", "bind: /b ro"}),
        ("/h/x", {"/h/x": "/data"}, {"bind: /etc ro"}),
        ("/" + "d/" * 70 + "x", {}, {"bind: /etc ro", "bind: /b ro"}),
    ],
)
def test_reading_a_path_asks_for_where_it_leads_by_links_in_the_container(
    path: str, links: dict[str, str], expected: set[str]
) -> None:
    engine = web({"Binds": ["/etc:/h", "/b:/mnt/deep/er"]})
    engine |= {f"stat:{ID}:{link}": {"linkTarget": led} for link, led in links.items()}
    found = {ask for ask in asks(f"GET /containers/web/archive?path={path}", None, engine) if "archive" not in ask}
    assert found == {"container: web"} | expected


def test_what_is_not_there_leads_nowhere_and_a_container_without_mounts_is_not_asked() -> None:
    facts = web({"Binds": ["/etc:/h"]})
    gone = {**facts, f"stat:{ID}:/tmp": Missing(404, "no"), f"stat:{ID}:/tmp/x": {"linkTarget": "/h"}}
    assert "bind: /etc ro" not in asks("GET /containers/web/archive?path=/tmp/x", None, gone)
    plain = Engine(web({}))
    asks("GET /containers/web/archive?path=/tmp/x", None, plain)
    assert not [key for key in plain.asked if key.startswith("stat:")]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_where_a_rule_holds_paths_a_link_is_asked_for_too(method: str) -> None:
    facts = web({})
    facts[f"stat:{ID}:/data/l"] = {"linkTarget": "/etc"}
    line = f"{method} /containers/web/archive?path=/data/l/passwd"
    held = asks(line, None, facts, held=["archive"])
    assert {"archive: /data/l/passwd", "archive: /etc/passwd"} <= held
    assert "archive: /etc/passwd" not in asks(line, None, facts, held=["container"])


def test_who_enters_is_in_its_networks_where_a_rule_holds_networks() -> None:
    networks = {"bank": {"NetworkID": "ab" * 32}, "ci-a": {}, "host": {}, "none": {}, "bridge": {}}
    engine = web({}, NetworkSettings={"Networks": networks})
    engine[f"/networks/{'ab' * 32}"] = {"Name": "bank", "Id": "ab" * 32, "Labels": {"team": "bank"}}
    for line, body in (("POST /containers/web/attach", None), ("POST /containers/web/exec", {"Cmd": ["sh"]})):
        found = {ask for ask in asks(line, body, engine) if ask.startswith("network")}
        assert found == {"network: bank", "network: ci-a", "network: bridge"}
        assert not [ask for ask in asks(line, body, engine, held=["container"]) if ask.startswith("network")]
    assert "network: bank" in host({"NetworkMode": "container:web"}, engine)


def test_reading_out_of_a_volume_that_is_a_bind_or_of_a_privileged_container() -> None:
    engine = web({"Privileged": True, "Binds": ["v1:/d"]})
    engine["/volumes/v1"] = {"Name": "v1", "Driver": "local", "Options": {"o": "bind", "device": "/etc"}}
    assert asks("GET /containers/web/archive?path=/d/x", None, engine) == {
        *("container: web", "archive: /d/x", "bind: /etc ro", "privileged: container"),
    }


def test_entering_is_always_looked_up() -> None:
    for request, body in (
        ("POST /containers/web/attach", None),
        ("POST /containers/web/exec", {"Cmd": ["ls"]}),
        ("PUT /containers/web/archive?path=/", None),
        ("GET /containers/web/archive?path=/", None),
    ):
        engine = Engine(web())
        assert inspected(request, body, engine, held=()).forward.target.startswith(f"/v1.51/containers/{ID}/")
        assert engine.asked == ["/containers/web/json"]


def test_what_is_not_there_is_answered_as_the_engine_does() -> None:
    missing = Missing(404, "No such container: web")
    inspection = inspected("POST /containers/web/attach", None, {"/containers/web/json": missing})
    assert inspection.absent == missing
    assert inspected("POST /containers/a%20b/attach", None).absent is not None


@pytest.mark.parametrize(
    "request_line",
    ["POST /containers/own/attach", "PUT /containers/own/archive?path=/", "GET /containers/own/archive?path=/"],
)
def test_the_own_container_is_not_entered(request_line: str) -> None:
    found = inspected(request_line, None, {"/containers/own/json": {"Id": OWN, "Name": "/own"}}, own=OWN).asks
    assert [str(ask) for ask in found if not ask.grantable] == ["container: own"]


def test_the_volumes_that_are_taken_over_have_their_labels() -> None:
    engine = web({"Binds": ["v1:/d"]})
    engine["/volumes/v1"] = {"Name": "v1", "Driver": "local", "Labels": {"team": "bank"}}
    inspection = inspected("POST /containers/create", {"Image": "x", "HostConfig": {"VolumesFrom": ["web"]}}, engine)
    assert [ask.labels for ask in inspection.asks if ask.kind == "volume"] == [(("team", "bank"),)]


@pytest.mark.parametrize("name", ["/", "../networks/x", "s3://x"])
def test_a_volume_of_a_name_that_cannot_be_looked_up_is_not_taken_over(name: str) -> None:
    engine = Engine(web(Mounts=[{"Type": "volume", "Name": name, "Destination": "/d", "RW": True}]))
    body = {"Image": "x", "HostConfig": {"VolumesFrom": ["web"]}}
    inspection = inspected("POST /containers/create", body, engine)
    assert [(ask.value, ask.grantable) for ask in inspection.asks if ask.kind == "volume"] == [(name, False)]
    assert not [path for path in engine.asked if path.startswith("/volumes/")]
