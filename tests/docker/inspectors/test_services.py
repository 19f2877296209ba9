"""Services ask what a container would ask, under their own names, and are held by what only the engine knows."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.docker.fields import services as fields
from sockproxy.docker.inspectors import services
from sockproxy.errors import Malformed
from sockproxy.model import Ask, JsonObject, Missing
from tests.docker.inspecting import Engine, asks, inspected, sent, shown

CREATE = "POST /services/create"
NETWORK = "ab12cd34ef56gh78ij90kl12m"
NO_SWARM = Missing(503, "This node is not a swarm manager.")


def plain(**more: str) -> set[str]:
    """What a plain ``docker service create IMAGE`` asks: what is free, and the limits and hardening it has not."""
    return shown(
        (
            Ask("service", more.get("name", "web"), ""),
            Ask("image", "docker.io/library/x:latest", ""),
            Ask("network", "bridge", ""),
            Ask("restart", "any", ""),
            *(Ask("limit", name, "") for name in ("memory", "cpus", "pids")),
            *(Ask("require", name, "") for name in ("read-only", "no-new-privileges", "cap-drop-all", "non-root")),
        )
    )


def spec(container: JsonObject | None = None, task: JsonObject | None = None, **top: Any) -> JsonObject:
    return {
        "Name": "web",
        "TaskTemplate": {"ContainerSpec": {"Image": "x", **(container or {})}, **(task or {})},
        **top,
    }


def beyond(body: JsonObject, engine: Any = None, **options: Any) -> set[str]:
    return asks(CREATE, body, engine, **options) - plain()


def test_a_plain_service_asks_what_is_free() -> None:
    assert asks(CREATE, spec()) == plain()


def test_every_field_of_a_container_spec_is_read_or_harmless() -> None:
    assert set(fields.CONTAINER_FIELDS) == services.READ_HERE | services.READ_ELSEWHERE | services.ASKS_NOTHING
    assert not services.READ_HERE & services.ASKS_NOTHING
    assert not services.READ_ELSEWHERE & (services.READ_HERE | services.ASKS_NOTHING)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"Mounts": [{"Type": "bind", "Source": "/etc/../etc", "Target": "/h"}]}, {"bind: /etc"}),
        ({"mounts": [{"type": "bind", "source": "/", "target": "/h", "readonly": True}]}, {"bind: / ro"}),
        (
            {"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/h", "BindOptions": {"Propagation": "rshared"}}]},
            {"bind: /a shared"},
        ),
        (
            {
                "Mounts": [
                    {
                        "Type": "volume",
                        "Source": "v",
                        "Target": "/h",
                        "VolumeOptions": {"DriverConfig": {"Options": {"type": "none", "o": "bind", "device": "/etc"}}},
                    }
                ]
            },
            {"volume: v", "bind: /etc"},
        ),
        ({"Mounts": [{"Type": "volume", "Target": "/h"}]}, {"volume: (anonymous)"}),
        (
            {"Mounts": [{"Type": "cluster", "Source": "group:a", "Target": "/h"}]},
            {"volume: group:a", "field: TaskTemplate.ContainerSpec.Mounts.Type=cluster"},
        ),
        (
            {"Mounts": [{"Type": "cluster", "Source": "data", "Target": "/h", "ReadOnly": True}]},
            {"volume: data ro", "field: TaskTemplate.ContainerSpec.Mounts.Type=cluster"},
        ),
        (
            {"Mounts": [{"Type": "npipe", "Source": "a", "Target": "/h"}]},
            {"field: TaskTemplate.ContainerSpec.Mounts.Type=npipe"},
        ),
        ({"Privileges": {"Seccomp": {"Mode": "unconfined"}}}, {"security-opt: seccomp=unconfined"}),
        ({"Privileges": {"Seccomp": {"Mode": "custom", "Profile": "e30="}}}, {"security-opt: seccomp=profile"}),
        ({"Privileges": {"Seccomp": {"Profile": "e30="}}}, {"security-opt: seccomp=profile"}),
        ({"Privileges": {"Seccomp": {"Mode": "default"}, "AppArmor": {"Mode": "default"}}}, set()),
        ({"Privileges": {"AppArmor": {"Mode": "disabled"}}}, {"security-opt: apparmor=unconfined"}),
        ({"Privileges": {"AppArmor": {"Mode": "new"}}}, {"security-opt: apparmor=new"}),
        ({"Privileges": {"SELinuxContext": {"Disable": True}}}, {"security-opt: label=disable"}),
        ({"Privileges": {"SELinuxContext": {"Type": "spc_t"}}}, {"security-opt: label=type:spc_t"}),
        (
            {"Privileges": {"CredentialSpec": {"File": "a"}}},
            {"field: TaskTemplate.ContainerSpec.Privileges.CredentialSpec"},
        ),
        ({"CapabilityAdd": ["cap_sys_admin", "CHOWN"]}, {"capability: SYS_ADMIN", "capability: CHOWN"}),
        ({"Sysctls": {"net.core.somaxconn": "1"}}, {"sysctl: net.core.somaxconn=1"}),
        ({"Groups": ["video"]}, {"group: video"}),
        ({"OomScoreAdj": -5}, {"resource: oom-score=-5"}),
        ({"OomScoreAdj": 5}, set()),
        ({"Isolation": "default"}, set()),
        ({"Isolation": "hyperv"}, {"field: TaskTemplate.ContainerSpec.Isolation=hyperv"}),
        ({"Hosts": ["10.1.2.3 a.example b"]}, {"extra-host: a.example:10.1.2.3", "extra-host: b:10.1.2.3"}),
        ({"Hosts": [""]}, {"extra-host: :"}),
        ({"DNSConfig": {"Nameservers": ["9.9.9.9"], "Search": ["x"], "Options": ["ndots:1"]}}, {"dns: 9.9.9.9"}),
        ({"Labels": {"traefik.enable": "true"}}, {"label: traefik.enable=true"}),
        (
            {
                "Command": ["sh"],
                "Args": ["-c"],
                "Hostname": "{{.Node.Hostname}}",
                "Env": ["A=1"],
                "Dir": "/",
                "TTY": True,
                "OpenStdin": True,
                "Init": True,
                "StopSignal": "INT",
                "StopGracePeriod": 1,
                "Healthcheck": {"Test": ["NONE"]},
                "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 1}],
            },
            set(),
        ),
        ({"BrandNew": 1}, {"field: TaskTemplate.ContainerSpec.BrandNew"}),
    ],
)
def test_what_its_container_is_given(container: JsonObject, expected: set[str]) -> None:
    assert beyond(spec(container), version=(1, 51)) == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"LogDriver": {"Name": "json-file", "Options": {"max-size": "1m"}}}, set()),
        (
            {"LogDriver": {"Name": "syslog", "Options": {"syslog-address": "unix:///x"}}},
            {"log-driver: syslog", "log-driver: syslog syslog-address=unix:///x"},
        ),
        ({"Placement": {"Constraints": ["node.role == manager"], "MaxReplicas": 1}, "ForceUpdate": 3}, set()),
        ({"Runtime": "container"}, set()),
        ({"Runtime": "attachment"}, {"field: TaskTemplate.Runtime=attachment"}),
        ({"NetworkAttachmentSpec": {"ContainerID": "a"}}, {"field: TaskTemplate.NetworkAttachmentSpec"}),
        ({"Runtime": "plugin"}, {"privileged: plugin"}),
        (
            {
                "PluginSpec": {
                    "remote": "vieux/sshfs",
                    "privileges": [
                        {"name": "mount", "value": ["/var/lib/docker/plugins"]},
                        {"name": "network", "value": ["host"]},
                        {"name": "capabilities", "value": ["CAP_SYS_ADMIN"]},
                    ],
                }
            },
            {
                "privileged: plugin",
                "image: docker.io/vieux/sshfs:latest",
                "bind: /var/lib/docker/plugins",
                "namespace: network=host",
                "capability: SYS_ADMIN",
            },
        ),
        ({"Resources": {"Reservations": {"MemoryBytes": 5, "GenericResources": [{}]}}}, set()),
        ({"BrandNew": {"A": 1}}, {"field: TaskTemplate.BrandNew"}),
    ],
)
def test_what_its_tasks_are_given(task: JsonObject, expected: set[str]) -> None:
    assert beyond(spec(task=task)) == expected


@pytest.mark.parametrize("task", [{"Runtime": "attachment"}, {"NetworkAttachmentSpec": {"ContainerID": "a"}}])
def test_an_attachment_cannot_be_granted(task: JsonObject) -> None:
    inspection = inspected(CREATE, spec(task=task))
    assert [ask.grantable for ask in inspection.asks if ask.kind == "field"] == [False]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([{"TargetPort": 80}], {"publish: 0.0.0.0:random/tcp"}),
        ([{"TargetPort": 80, "PublishedPort": 0, "Protocol": "udp"}], {"publish: 0.0.0.0:random/udp"}),
        (
            [{"TargetPort": 80, "PublishedPort": 8080, "PublishMode": "host"}, {"TargetPort": 81}],
            {"publish: 0.0.0.0:8080/tcp", "publish: 0.0.0.0:random/tcp"},
        ),
    ],
)
def test_its_ports_are_open_everywhere(ports: list[JsonObject], expected: set[str]) -> None:
    assert beyond(spec(EndpointSpec={"Mode": "vip", "Ports": ports})) == expected


@pytest.mark.parametrize(
    ("resources", "memory", "cpus", "pids"),
    [
        ({}, None, None, None),
        ({"Limits": {"MemoryBytes": 2**30, "NanoCPUs": 5, "Pids": 7}}, 2**30, 5, 7),
        ({"Limits": {"MemoryBytes": 2**30}, "SwapBytes": -1}, None, None, None),
        ({"Limits": {"MemoryBytes": 2**30}, "SwapBytes": 2**30}, 2**30, None, None),
        ({"Limits": {"MemoryBytes": 2**30}, "SwapBytes": 2**32}, (2**30 + 2**32) // 2, None, None),
        ({"Limits": {"MemoryBytes": -1, "NanoCPUs": -1, "Pids": -1}}, None, None, None),
    ],
)
def test_its_limits(resources: JsonObject, memory: int | None, cpus: int | None, pids: int | None) -> None:
    inspection = inspected(CREATE, spec(task={"Resources": resources}))
    limits = {ask.value: ask.amount for ask in inspection.asks if ask.kind == "limit"}
    assert limits == {"memory": memory, "cpus": cpus, "pids": pids}


def test_its_hardening() -> None:
    hardened = {"ReadOnly": True, "Privileges": {"NoNewPrivileges": True}, "CapabilityDrop": ["all"], "User": "1000"}
    assert not [ask for ask in inspected(CREATE, spec(hardened)).asks if ask.kind == "require"]


@pytest.mark.parametrize(
    ("version", "dropped"),
    [
        ((1, 40), {"require: no-new-privileges", "require: cap-drop-all", "limit: pids"}),
        ((1, 41), {"require: no-new-privileges"}),
        ((1, 43), {"require: no-new-privileges"}),
        ((1, 44), set()),
    ],
)
def test_what_an_old_version_drops_is_not_there(version: tuple[int, int], dropped: set[str]) -> None:
    hardened = {"ReadOnly": True, "Privileges": {"NoNewPrivileges": True}, "CapabilityDrop": ["ALL"], "User": "1000"}
    limits = {"Resources": {"Limits": {"MemoryBytes": 1, "NanoCPUs": 1, "Pids": 1}}}
    inspection = inspected(CREATE, spec(hardened, limits), version=version)
    lacking = {str(ask) for ask in inspection.asks if ask.kind == "require"}
    unlimited = {str(ask) for ask in inspection.asks if ask.kind == "limit" and ask.amount is None}
    assert lacking | unlimited == dropped


def test_a_restart_policy() -> None:
    assert "restart: any" in asks(CREATE, spec())
    assert "restart: on-failure" in asks(CREATE, spec(task={"RestartPolicy": {"Condition": "on-failure"}}))
    assert not [a for a in asks(CREATE, spec(task={"RestartPolicy": {"Condition": "none"}})) if "restart" in a]


@pytest.mark.parametrize("place", ["TaskTemplate", "top"])
def test_its_networks_are_looked_up_in_the_swarm_and_named_by_their_id(place: str) -> None:
    attached: JsonObject = {"Networks": [{"Target": "front", "Aliases": ["www"], "DriverOpts": {"a": "b"}}]}
    body = spec(task=attached) if place == "TaskTemplate" else spec(**attached)
    engine = Engine({"/networks/front?scope=swarm": {"Name": "front", "Id": NETWORK, "Labels": {"team": "ci"}}})
    inspection = inspected(CREATE, body, engine, held=())
    assert Ask("network", "front", "", labels=(("team", "ci"),)) in [
        Ask(ask.kind, ask.value, "", labels=ask.labels) for ask in inspection.asks
    ]
    assert "address: option a=b" in shown(inspection.asks)
    assert "network: bridge" not in shown(inspection.asks)
    forwarded = sent(inspection)
    holder = forwarded["TaskTemplate"] if place == "TaskTemplate" else forwarded
    assert holder["Networks"][0]["Target"] == NETWORK


@pytest.mark.parametrize("fact", [{"Name": "host"}, {"Name": "renamed", "Driver": "host"}])
def test_the_hosts_network_goes_by_an_id_of_the_swarm(fact: JsonObject) -> None:
    engine = {f"/networks/{NETWORK}?scope=swarm": {"Id": NETWORK, **fact}}
    assert "namespace: network=host" in asks(CREATE, spec(task={"Networks": [{"Target": NETWORK}]}), engine, held=())


@pytest.mark.parametrize("target", ["gone", "../x", "", "a b", "a?scope=local"])
def test_a_network_that_is_not_there_cannot_be_granted(target: str) -> None:
    engine = {"/networks/gone?scope=swarm": Missing(404, "network gone not found")}
    inspection = inspected(CREATE, spec(task={"Networks": [{"Target": target}]}), engine)
    assert [ask.grantable for ask in inspection.asks if ask.kind == "network"] == [False]


@pytest.mark.parametrize("noun", ["secret", "config"])
def test_secrets_and_configs_are_known_by_their_id(noun: str) -> None:
    word, key = noun.capitalize(), f"{noun.capitalize()}s"

    def given(identity: str, name: str, engine: Any) -> list[tuple[str, bool]]:
        reference = {f"{word}ID": identity, f"{word}Name": name, "File": {"Name": "a"}}
        inspection = inspected(CREATE, spec({key: [reference]}), engine, held=())
        return [(ask.value, ask.grantable) for ask in inspection.asks if ask.kind == noun]

    engine = {
        f"/{noun}s/mine": {"ID": "id1", "Spec": {"Name": "mine"}},
        f"/{noun}s/id2": {"ID": "id2", "Spec": {"Name": "bank"}},
        f"/{noun}s/gone": Missing(404, "gone"),
    }
    assert given("id1", "mine", engine) == [("mine", True)]
    # The two must be one secret's.
    assert given("id2", "mine", engine) == [("mine", False)]
    assert given("id2", "", engine) == [("bank", True)]
    assert given("gone", "", engine) == [("gone", False)]
    assert given("", "", engine) == [("", False)]
    assert given("id1", "../secrets/mine", engine) == [("../secrets/mine", False)]


def test_an_engine_in_no_swarm_answers_for_itself() -> None:
    engine = {"/networks/front?scope=swarm": NO_SWARM}
    assert inspected(CREATE, spec(task={"Networks": [{"Target": "front"}]}), engine).absent == NO_SWARM


def test_an_update_is_held_as_a_create_is_and_both_names_count() -> None:
    engine = {"/services/web": {"ID": "s1", "Spec": {"Name": "web", "Labels": {"team": "bank"}}}}
    inspection = inspected("POST /services/web/update?version=7", spec(Labels={"team": "ci"}), engine)
    assert [ask.labels for ask in inspection.asks if ask.kind == "service"] == [
        (("team", "bank"),),
        (("team", "ci"),),
    ]
    assert inspection.forward.target.endswith("/services/s1/update?version=7")
    assert sent(inspection) == spec(Labels={"team": "ci"})
    assert beyond(spec({"CapabilityAdd": ["SYS_ADMIN"]})) <= asks(
        "POST /services/web/update?version=7", spec({"CapabilityAdd": ["SYS_ADMIN"]}), engine
    )


def test_a_rollback_asks_for_what_it_goes_back_to() -> None:
    before = spec({"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/h"}]})
    engine = {"/services/web": {"ID": "s1", "Spec": {"Name": "web"}, "PreviousSpec": before}}
    update = "POST /services/web/update?version=7"
    assert "bind: /etc" in asks(f"{update}&rollback=previous", spec(), engine, held=())
    assert "bind: /etc" not in asks(update, spec(), engine, held=())
    for word in ("next", "Previous"):
        with pytest.raises(Malformed):
            inspected(f"{update}&rollback={word}", spec(), engine)


@pytest.mark.parametrize("line", ["GET /services/web", "DELETE /services/web", "GET /services/web/logs"])
def test_a_service_is_asked_for_only_where_one_is_held(line: str) -> None:
    engine = Engine({"/services/web": {"ID": "s1", "Spec": {"Name": "web", "Labels": {"a": "b"}}}})
    assert asks(line, None, engine, held=()) == {"service: web"}
    assert engine.asked == []
    inspection = inspected(line, None, engine, held=["service"])
    assert [ask.labels for ask in inspection.asks] == [(("a", "b"),)]
    assert "/services/s1" in inspection.forward.target


def test_a_service_that_is_not_there_is_answered_for() -> None:
    engine = {"/services/web": Missing(404, "service web not found")}
    assert inspected("DELETE /services/web", None, engine).absent == Missing(404, "service web not found")
    assert inspected("DELETE /services/a%20b", None, engine).absent is not None


@pytest.mark.parametrize("line", ["GET /tasks/t1", "GET /tasks/t1/logs"])
def test_a_task_is_its_services(line: str) -> None:
    engine = {"/tasks/t1": {"ID": "t1", "ServiceID": "s1"}, "/services/s1": {"ID": "s1", "Spec": {"Name": "bank"}}}
    assert asks(line, None, engine, held=()) == set()
    assert asks(line, None, engine, held=["service"]) == {"service: bank"}
    gone = {"/tasks/t1": {"ID": "t1", "ServiceID": "s1"}, "/services/s1": Missing(404, "gone")}
    assert [ask.grantable for ask in inspected(line, None, gone, held=["service"]).asks] == [False]
    none = {"/tasks/t1": {"ID": "t1"}}
    assert [ask.grantable for ask in inspected(line, None, none, held=["service"]).asks] == [False]
    assert inspected(line, None, {"/tasks/t1": Missing(404, "no")}, held=["service"]).absent == Missing(404, "no")


def test_what_is_forwarded_is_what_was_judged() -> None:
    body = spec({"Env": ["A=1"]}, Mode={"replicated": {"replicas": 2}}, UpdateConfig={"MaxFailureRatio": 0.5})
    assert sent(inspected(CREATE, body)) == {
        "Name": "web",
        "TaskTemplate": {"ContainerSpec": {"Image": "x", "Env": ["A=1"]}},
        "Mode": {"Replicated": {"Replicas": 2}},
        "UpdateConfig": {"MaxFailureRatio": 0.5},
    }
    with pytest.raises(Malformed):
        inspected(CREATE, {"Name": "a", "UpdateConfig": {"MaxFailureRatio": "a"}})
