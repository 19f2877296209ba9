"""Every field of HostConfig, and what it asks for."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.docker.fields.containers import HOST_CONFIG_FIELDS
from sockproxy.docker.inspectors.host_config import ASKS_NOTHING, READ_HERE
from sockproxy.errors import Malformed
from sockproxy.model import Ask, JsonObject
from tests.docker.inspecting import OWN, PLAIN, asks, create, host, inspected, named, sent

WEB: dict[str, JsonObject] = {"/containers/web/json": {"Id": "ab" * 32, "Name": "/web", "Config": {}, "HostConfig": {}}}

ASKING: list[tuple[JsonObject, set[str]]] = [
    ({"Privileged": True}, {"privileged: container"}),
    ({"CapAdd": ["NET_ADMIN"]}, {"capability: NET_ADMIN"}),
    ({"CapAdd": ["cap_sys_admin", "All"]}, {"capability: SYS_ADMIN", "capability: ALL"}),
    ({"CapAdd": ["\u017fys_admin"]}, {"capability: SYS_ADMIN"}),
    ({"CapAdd": ["FLY"]}, {"capability: FLY"}),
    ({"PidMode": "host"}, {"namespace: pid=host"}),
    ({"IpcMode": "host"}, {"namespace: ipc=host"}),
    ({"UTSMode": "host"}, {"namespace: uts=host"}),
    ({"UsernsMode": "host"}, {"namespace: userns=host"}),
    ({"UsernsMode": "else"}, {"namespace: userns=else"}),
    ({"CgroupnsMode": "host"}, {"namespace: cgroup=host"}),
    ({"PidMode": "container:web"}, {"namespace: pid=container:web", "container: web"}),
    ({"IpcMode": "container:web"}, {"namespace: ipc=container:web", "container: web"}),
    ({"Cgroup": "container:web"}, {"namespace: cgroup=container:web", "container: web"}),
    ({"Runtime": "runsc"}, {"runtime: runsc"}),
    ({"Runtime": "io.containerd.kata.v2"}, {"runtime: io.containerd.kata.v2"}),
    ({"Isolation": "hyperv"}, {"field: HostConfig.Isolation=hyperv"}),
    ({"Annotations": {"run.oci.x": "1"}}, {"annotation: run.oci.x=1"}),
    ({"CgroupParent": "/ci"}, {"cgroup-parent: /ci"}),
    ({"Sysctls": {"net.core.somaxconn": "1024"}}, {"sysctl: net.core.somaxconn=1024"}),
    ({"StorageOpt": {"size": "10G"}}, {"storage-opt: size=10G"}),
    ({"GroupAdd": ["video", "0"]}, {"group: video", "group: 0"}),
    ({"LogConfig": {"Type": "gelf"}}, {"log-driver: gelf"}),
    (
        {"LogConfig": {"Type": "gelf", "Config": {"gelf-address": "udp://h", "tag": "a"}}},
        {"log-driver: gelf", "log-driver: gelf gelf-address=udp://h"},
    ),
    ({"LogConfig": {"Type": "", "Config": {"syslog-address": "a"}}}, {"log-driver: default syslog-address=a"}),
    ({"LogConfig": {"Type": "JSON-file"}}, {"log-driver: JSON-file"}),
    ({"RestartPolicy": {"Name": "always"}}, {"restart: always"}),
    ({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 1}}, {"restart: on-failure"}),
    ({"ExtraHosts": ["db:host-gateway"]}, {"extra-host: db:host-gateway"}),
    ({"Dns": ["10.0.0.53"]}, {"dns: 10.0.0.53"}),
    ({"OomScoreAdj": -500}, {"resource: oom-score=-500"}),
    ({"OomKillDisable": True}, {"resource: oom-kill-disable"}),
    ({"CpuRealtimePeriod": 1}, {"resource: cpu-realtime"}),
    ({"CpuRealtimeRuntime": 1}, {"resource: cpu-realtime"}),
    ({"BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 1}]}, {"resource: blkio=/dev/sda"}),
    ({"BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 1}]}, {"resource: blkio=/dev/sda"}),
    ({"BlkioDeviceWriteBps": [{"Path": "/dev/sda", "Rate": 1}]}, {"resource: blkio=/dev/sda"}),
    ({"BlkioDeviceReadIOps": [{"Path": "/dev/sda", "Rate": 1}]}, {"resource: blkio=/dev/sda"}),
    ({"BlkioDeviceWriteIOps": [{"Path": "/dev/sda", "Rate": 1}]}, {"resource: blkio=/dev/sda"}),
    ({"VolumeDriver": "rclone"}, {"volume-driver: rclone"}),
    ({"VolumesFrom": ["web:ro"]}, {"volumes-from: web", "container: web"}),
    ({"Links": ["web:db"]}, {"link: web", "container: web"}),
    ({"Links": ["/web:/other/db"]}, {"link: web", "container: web"}),
    ({"Binds": ["/etc:/h"]}, {"bind: /etc"}),
    ({"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/h"}]}, {"bind: /etc"}),
    ({"Tmpfs": {"/t": "size=1m,shared"}}, {"field: HostConfig.Tmpfs=shared"}),
    ({"Devices": [{"PathOnHost": "/dev/fuse"}]}, {"device: /dev/fuse rwm"}),
    ({"DeviceCgroupRules": ["c 10:229 rwm"]}, {"device: c 10:229 rwm"}),
    ({"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}, {"gpu: all"}),
    ({"SecurityOpt": ["seccomp=unconfined"]}, {"security-opt: seccomp=unconfined"}),
    ({"MaskedPaths": []}, {"security-opt: systempaths=unconfined"}),
    ({"ReadonlyPaths": []}, {"security-opt: systempaths=unconfined"}),
    ({"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}, {"publish: 0.0.0.0:80/tcp"}),
    ({"PublishAllPorts": True}, {"publish: 0.0.0.0:random/tcp"}),
    ({"Capabilities": ["CAP_SYS_ADMIN"]}, {"field: HostConfig.Capabilities"}),
    ({"InitPath": "/bin/sh"}, {"field: HostConfig.InitPath"}),
]

HARMLESS: list[JsonObject] = [
    {"CapAdd": [], "CapDrop": ["NET_RAW"]},
    {"IpcMode": "private"},
    {"IpcMode": "shareable"},
    {"IpcMode": "none"},
    {"CgroupnsMode": "private"},
    {"Runtime": "runc"},
    {"Runtime": "io.containerd.runc.v2"},
    {"Isolation": "Default"},
    {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "3", "compress": "true", "tag": "a"}}},
    {"LogConfig": {"Type": "local", "Config": {"labels": "a", "labels-regex": "b", "env": "c", "env-regex": "d"}}},
    {"LogConfig": {"Type": "journald", "Config": {"mode": "non-blocking", "max-buffer-size": "1m"}}},
    {"LogConfig": {"Type": "none"}},
    {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}},
    {"OomScoreAdj": 500},
    {"VolumeDriver": "local"},
    {"Tmpfs": {"/t": "", "/u": "rw,noexec,nosuid,nodev,size=64m,mode=1777,uid=0,private"}},
    {"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}], "Init": True, "AutoRemove": True, "ConsoleSize": [24, 80]},
    {"CpuShares": 512, "CpusetCpus": "0-1", "CpusetMems": "0", "BlkioWeight": 300, "MemoryReservation": 1},
    {"MemorySwappiness": -1, "KernelMemory": 1, "KernelMemoryTCP": 1, "DiskQuota": 1, "ContainerIDFile": "/tmp/x"},
    {
        "CpuCount": 1,
        "CpuPercent": 1,
        "IOMaximumIOps": 1,
        "IOMaximumBandwidth": 1,
        "DnsOptions": ["a"],
        "DnsSearch": ["b"],
    },
    {"SecurityOpt": ["seccomp=builtin", "apparmor=docker-default", "writable-cgroups=false"]},
]


@pytest.mark.parametrize(("fields", "expected"), ASKING, ids=named)
def test_what_a_field_asks(fields: JsonObject, expected: set[str]) -> None:
    assert host(fields, WEB) == expected


@pytest.mark.parametrize("fields", HARMLESS, ids=named)
def test_what_asks_nothing(fields: JsonObject) -> None:
    assert host(fields) == set()


def test_every_reader_is_tried_here() -> None:
    tried = {name for fields, _ in ASKING for name in fields}
    assert tried >= READ_HERE
    assert {name for fields in HARMLESS for name in fields} >= ASKS_NOTHING


@pytest.mark.parametrize("name", sorted(HOST_CONFIG_FIELDS))
def test_a_zero_asks_nothing(name: str) -> None:
    zeros: list[Any] = [None]
    if name not in ("MaskedPaths", "ReadonlyPaths"):
        zeros += [zero for zero in (False, 0, "", [], {}) if _takes(name, zero)]
    for zero in zeros:
        assert host({name: zero}) == set(), zero


def _takes(name: str, value: Any) -> bool:
    try:
        host({name: value})
    except Malformed:
        return False
    return True


@pytest.mark.parametrize("name", sorted(set(HOST_CONFIG_FIELDS) - {"Runtime"}))
def test_a_field_of_host_config_at_the_top_level_cannot_be_granted(name: str) -> None:
    found = inspected("POST /containers/create", {"Image": "x", name.upper(): ["value"]}).asks
    assert [ask for ask in found if ask.kind == "field"] == [Ask("field", name, name, grantable=False)]


def test_a_runtime_at_the_top_level_is_judged_and_dropped() -> None:
    inspection = inspected("POST /containers/create", {"Image": "x", "Runtime": "runsc"})
    assert Ask("runtime", "runsc", "Runtime") in inspection.asks
    assert sent(inspection) == {"Image": "x", "HostConfig": {}}


def test_a_host_config_is_always_forwarded() -> None:
    assert sent(inspected("POST /containers/create", {"Image": "x", "HostConfig": None})) == {
        "Image": "x",
        "HostConfig": {},
    }


def test_a_capability_that_every_container_has_is_plain() -> None:
    found = inspected(
        "POST /containers/create", {"Image": "x", "HostConfig": {"CapAdd": ["NET_RAW", "NET_ADMIN"]}}
    ).asks
    plain = {ask.value: ask.plain for ask in found if ask.kind == "capability"}
    assert plain == {"NET_RAW": True, "NET_ADMIN": False}


def test_a_joined_container_is_forwarded_by_its_full_id() -> None:
    fields = {"PidMode": "container:web", "VolumesFrom": ["web:ro"], "NetworkMode": "container:web", "Links": ["web:w"]}
    forwarded = sent(inspected("POST /containers/create", {"Image": "x", "HostConfig": fields}, WEB))["HostConfig"]
    full = "ab" * 32
    assert forwarded == {
        "PidMode": f"container:{full}",
        "VolumesFrom": [f"{full}:ro"],
        "NetworkMode": f"container:{full}",
        "Links": ["web:w"],
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"PidMode": "container:own"},
        {"NetworkMode": "container:own"},
        {"IpcMode": "container:own"},
        {"VolumesFrom": ["own"]},
    ],
)
def test_the_own_container_is_not_joined(fields: JsonObject) -> None:
    engine: dict[str, JsonObject] = {"/containers/own/json": {"Id": OWN, "Name": "/own"}}
    found = inspected("POST /containers/create", {"Image": "x", "HostConfig": fields}, engine, own=OWN).asks
    assert [ask.value for ask in found if not ask.grantable] == ["own"]


@pytest.mark.parametrize("fields", [{"VolumesFrom": ["web:fast"]}, {"SecurityOpt": ["no-new-privileges=maybe"]}])
def test_what_the_engine_would_refuse_is_refused(fields: JsonObject) -> None:
    with pytest.raises(Malformed):
        host(fields)


# Limits


def limits(fields: JsonObject) -> dict[str, int | None]:
    found = inspected("POST /containers/create", {"Image": "x", "HostConfig": fields}).asks
    return {ask.value: ask.amount for ask in found if ask.kind == "limit"}


NONE: dict[str, int | None] = {"memory": None, "cpus": None, "pids": None}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"Memory": 0, "NanoCpus": 0, "PidsLimit": 0, "ShmSize": 0}, {}),
        ({"Memory": -1, "PidsLimit": -1, "CpuQuota": -1}, {}),
        ({"Memory": 1000}, {"memory": 1000}),
        ({"Memory": 1000, "MemorySwap": -1}, {}),
        ({"Memory": 1000, "MemorySwap": 1000}, {"memory": 1000}),
        ({"Memory": 1000, "MemorySwap": 2000}, {"memory": 1000}),
        ({"Memory": 1000, "MemorySwap": 9000}, {"memory": 4500}),
        ({"NanoCpus": 1_500_000_000}, {"cpus": 1_500_000_000}),
        ({"CpuQuota": 50_000}, {"cpus": 500_000_000}),
        ({"CpuQuota": 50_000, "CpuPeriod": 10_000}, {"cpus": 5_000_000_000}),
        ({"CpuPeriod": 10_000}, {}),
        ({"PidsLimit": 100}, {"pids": 100}),
        ({"ShmSize": 64}, {"shm": 64}),
    ],
)
def test_limits_of_a_create(fields: JsonObject, expected: dict[str, int]) -> None:
    assert limits(fields) == NONE | expected


PERIOD: JsonObject = {"Id": "ab" * 32, "Name": "/web", "HostConfig": {"CpuPeriod": 1000, "CpuQuota": 1000}}


@pytest.mark.parametrize(
    ("given", "sent_", "amount", "forwarded"),
    [
        # The period that is there stays, and what the quota amounts to hangs on it.
        (PERIOD, {"CpuQuota": 100_000}, 100_000_000_000, {"CpuQuota": 100_000, "CpuPeriod": 1000}),
        ({}, {"CpuQuota": 100_000}, 1_000_000_000, {"CpuQuota": 100_000, "CpuPeriod": 100_000}),
        (PERIOD, {"CpuQuota": 50, "CpuPeriod": 100}, 500_000_000, {"CpuQuota": 50, "CpuPeriod": 100}),
        (PERIOD, {"NanoCpus": 5}, 5, {"NanoCpus": 5}),
        (PERIOD, {"CpuQuota": -1}, None, {"CpuQuota": -1}),
    ],
)
@pytest.mark.parametrize("held", [(), ("container",)])
def test_a_quota_is_judged_by_the_period_that_goes_with_it(
    given: JsonObject, sent_: JsonObject, amount: int | None, forwarded: JsonObject, held: tuple[str, ...]
) -> None:
    found = inspected("POST /containers/web/update", sent_, {"/containers/web/json": given}, held=held)
    assert [ask.amount for ask in found.asks if str(ask) == "limit: cpus"] == [amount]
    assert sent(found) == forwarded


def changed(fields: JsonObject) -> dict[str, int | None]:
    found = inspected("POST /containers/web/update", fields).asks
    return {ask.value: ask.amount for ask in found if ask.kind == "limit"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"Memory": 0, "NanoCpus": 0, "PidsLimit": None, "MemorySwap": 0}, {}),
        ({"Memory": 1000}, {"memory": 1000}),
        ({"Memory": 1000, "MemorySwap": -1}, {"memory": None}),
        ({"MemorySwap": -1}, {"memory": None}),
        ({"MemorySwap": 1000}, {"memory": 500}),
        ({"Memory": -1}, {"memory": None}),
        ({"NanoCpus": 1}, {"cpus": 1}),
        ({"CpuQuota": -1}, {"cpus": None}),
        ({"CpuPeriod": 1000}, {"cpus": None}),
        ({"PidsLimit": 0}, {"pids": None}),
        ({"PidsLimit": -1}, {"pids": None}),
        ({"PidsLimit": 5}, {"pids": 5}),
    ],
)
def test_limits_of_an_update(fields: JsonObject, expected: dict[str, int | None]) -> None:
    assert changed(fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"RestartPolicy": {"Name": "always"}}, {"restart: always"}),
        ({"OomKillDisable": True, "CpuRealtimePeriod": 1}, {"resource: oom-kill-disable", "resource: cpu-realtime"}),
        ({"BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 1}]}, {"resource: blkio=/dev/sda"}),
        ({"Devices": [{"PathOnHost": "/dev/sda", "CgroupPermissions": "r"}]}, {"device: /dev/sda r"}),
        ({"CgroupParent": "/x"}, {"cgroup-parent: /x"}),
        ({"Init": True, "Ulimits": [], "CpuShares": 2}, set()),
        ({"Privileged": True}, {"field: Privileged"}),
    ],
)
def test_what_else_an_update_asks(fields: JsonObject, expected: set[str]) -> None:
    assert asks("POST /containers/web/update", fields) == {"container: web"} | expected


# Requirements


@pytest.mark.parametrize(
    ("body", "met"),
    [
        ({"HostConfig": {"ReadonlyRootfs": True}}, {"read-only"}),
        ({"HostConfig": {"SecurityOpt": ["no-new-privileges"]}}, {"no-new-privileges"}),
        ({"HostConfig": {"SecurityOpt": ["no-new-privileges:true"]}}, {"no-new-privileges"}),
        ({"HostConfig": {"SecurityOpt": ["no-new-privileges=1"]}}, {"no-new-privileges"}),
        ({"HostConfig": {"SecurityOpt": ["no-new-privileges", "no-new-privileges=false"]}}, set()),
        ({"HostConfig": {"SecurityOpt": ["no-new-privileges=false", "no-new-privileges=true"]}}, {"no-new-privileges"}),
        ({"HostConfig": {"CapDrop": ["all"]}}, {"cap-drop-all"}),
        ({"HostConfig": {"CapDrop": ["CAP_ALL"]}}, set()),
        ({"HostConfig": {"CapDrop": ["NET_RAW"]}}, set()),
        ({"HostConfig": {"CapDrop": ["ALL"], "Privileged": True}}, set()),
        ({"User": "1000"}, {"non-root"}),
        ({"User": "1000:0"}, {"non-root"}),
        ({"User": "65534:65534"}, {"non-root"}),
        ({"User": ""}, set()),
        ({"User": "0"}, set()),
        ({"User": "00"}, set()),
        ({"User": "0:1000"}, set()),
        ({"User": "+1"}, set()),
        ({"User": "-1"}, set()),
        ({"User": "1000x"}, set()),
        ({"User": "nobody"}, set()),
        ({"User": ":1000"}, set()),
        ({"User": "\u0661"}, set()),
    ],
)
def test_requirements_of_a_create(body: JsonObject, met: set[str]) -> None:
    unmet = {
        ask.value for ask in inspected("POST /containers/create", {"Image": "x", **body}).asks if ask.kind == "require"
    }
    assert {"read-only", "no-new-privileges", "cap-drop-all", "non-root"} - unmet == met


def test_a_plain_run_asks_for_nothing_special() -> None:
    assert asks("POST /containers/create", {"Image": "x"}) == PLAIN
    assert create({}) == set()
