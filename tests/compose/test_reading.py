"""What each key of a service comes to in the create, and what the top level comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sockproxy.compose import schema
from sockproxy.compose.reading import cleaned_name
from tests.compose.projects import FOLDER, made, project, web

VOLUMES = "volumes: {data: , named: {name: n}, ext: {external: true}, ext2: {external: true, name: e2}}"

HOST: list[tuple[str, dict[str, Any]]] = [
    ("privileged: true", {"Privileged": True}),
    ("privileged: yes", {"Privileged": True}),
    ("privileged: 'no'", {"Privileged": False}),
    ("privileged: '${PRIVILEGED:-true}'", {"Privileged": True}),
    ("cap_add: [sys_admin, CAP_CHOWN, all], cap_drop: [NET_RAW]", {"CapAdd": ["ALL", "CAP_CHOWN", "CAP_SYS_ADMIN"], "CapDrop": ["CAP_NET_RAW"]}),
    ("pid: host, ipc: host, uts: host, userns_mode: host, cgroup: host", {"PidMode": "host", "IpcMode": "host", "UTSMode": "host", "UsernsMode": "host", "CgroupnsMode": "host"}),
    ("network_mode: host", {"NetworkMode": "host"}),
    ("network_mode: none", {"NetworkMode": "none"}),
    ("network_mode: bridge", {"NetworkMode": "bridge"}),
    ("network_mode: 'container:x'", {"NetworkMode": "container:x"}),
    ("network_mode: 'service:db', pid: 'service:db', ipc: 'service:db'", {"NetworkMode": "container:shop-db-1", "PidMode": "container:shop-db-1", "IpcMode": "container:shop-db-1"}),
    ("{}", {"NetworkMode": "shop_default"}),
    ("security_opt: [seccomp=unconfined, 'apparmor:x', no-new-privileges]", {"SecurityOpt": ["seccomp=unconfined", "apparmor:x", "no-new-privileges"]}),
    ("security_opt: [systempaths=unconfined]", {"SecurityOpt": None, "MaskedPaths": [], "ReadonlyPaths": []}),
    ("sysctls: {a.b: 1}", {"Sysctls": {"a.b": "1"}}),
    ("sysctls: [a.b=1, c]", {"Sysctls": {"a.b": "1", "c": ""}}),
    ("devices: ['/dev/fuse', '/dev/a:/dev/b', '/dev/c:r']", {"Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}, {"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "rwm"}, {"PathOnHost": "/dev/c", "PathInContainer": "/dev/c", "CgroupPermissions": "r"}]}),
    ("cgroup_parent: /x, runtime: kata", {"CgroupParent": "/x", "Runtime": "kata"}),
    ("mem_limit: 1.5g, memswap_limit: -1, shm_size: 64M", {"Memory": 1610612736, "MemorySwap": -1, "ShmSize": 67108864}),
    ("mem_limit: 1000", {"Memory": 1000}),
    ("cpus: '0.5', pids_limit: 7", {"NanoCpus": 500000000, "PidsLimit": 7}),
    ("mem_limit: 1m, deploy: {resources: {limits: {cpus: 2, memory: 1m, pids: 3}}}", {"Memory": 1048576, "NanoCpus": 2000000000, "PidsLimit": 3}),
    ("oom_score_adj: -500, oom_kill_disable: true", {"OomScoreAdj": -500, "OomKillDisable": True}),
    ("restart: always", {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}),
    ("restart: on-failure:3", {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}),
    ("restart: always, deploy: {restart_policy: {condition: none}}", {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}),
    ("group_add: [7, video], init: true, read_only: true", {"GroupAdd": ["7", "video"], "Init": True, "ReadonlyRootfs": True}),
    ("logging: {driver: gelf, options: {gelf-address: 'udp://x', n: 3}}", {"LogConfig": {"Type": "gelf", "Config": {"gelf-address": "udp://x", "n": "3"}}}),
    ("dns: 1.1.1.1, dns_search: [a], dns_opt: [b]", {"Dns": ["1.1.1.1"], "DnsSearch": ["a"], "DnsOptions": ["b"]}),
    ("extra_hosts: ['a:1.2.3.4', 'b=1.2.3.5', 'c=[::1]', 'd:::2']", {"ExtraHosts": ["a:1.2.3.4", "b:1.2.3.5", "c:::1", "d:::2"]}),
    ("tmpfs: /run", {"Tmpfs": {"/run": ""}}),
    ("tmpfs: [/run, '/tmp:size=1m,exec']", {"Tmpfs": {"/run": "", "/tmp": "size=1m,exec"}}),
    ("annotations: [a=b], storage_opt: {size: 1G}", {"Annotations": {"a": "b"}, "StorageOpt": {"size": "1G"}}),
    ("links: [db, 'db:x'], external_links: ['o:p', q]", {"Links": ["shop-db-1:db", "shop-db-1:db-1", "shop-db-1:shop-db-1", "shop-db-1:x", "shop-db-1:db-1", "shop-db-1:shop-db-1", "o:p", "q:q"]}),
    ("volumes_from: [db, 'container:x']", {"VolumesFrom": ["shop-db-1", "x"]}),
    ("gpus: all", {"DeviceRequests": [{"Driver": "", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": None}]}),
    ("ulimits: {nofile: 5, core: {soft: 1, hard: 2}}", {"Ulimits": [{"Name": "nofile", "Hard": 5, "Soft": 5}, {"Name": "core", "Hard": 2, "Soft": 1}]}),
    ("use_api_socket: true", {"Binds": ["/var/run/docker.sock:/var/run/docker.sock:rw"]}),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "said"), HOST)
def test_keys_of_the_host_config(keys: str, said: dict[str, Any]) -> None:
    host = web("" if keys == "{}" else keys)["HostConfig"]
    assert {key: host[key] for key in said} == said


BINDS: list[tuple[str, list[str]]] = [
    ("data:/d", ["shop_data:/d:rw"]),
    ("named:/d:ro", ["n:/d:ro"]),
    ("ext:/d", ["ext:/d:rw"]),
    ("ext2:/d", ["e2:/d:rw"]),
    ("/etc:/e", ["/etc:/e:rw"]),
    ("./x:/x:ro,z", ["/srv/shop/x:/x:ro,z"]),
    (".:/x", ["/srv/shop:/x:rw"]),
    ("../other:/x", ["/srv/other:/x:rw"]),
    ("~:/x", ["/home/user:/x:rw"]),
    ("~/x:/x", ["/home/user/x:/x:rw"]),
    ("/a/../etc:/e", ["/a/../etc:/e:rw"]),
    ("/a:/x/../y//z/", ["/a:/y/z:rw"]),
    ("${DIR-/var}/run:/r", ["/var/run:/r:rw"]),
    ("a::b", ["/srv/shop/a::b:rw"]),  # a drive's letter, to compose on Linux too
]

MOUNTS: list[tuple[str, dict[str, Any]]] = [
    ("/anonymous", {"Type": "volume", "Target": "/anonymous", "VolumeOptions": {}}),
    ("data:/d:nocopy", {"Type": "volume", "Source": "shop_data", "Target": "/d", "VolumeOptions": {"NoCopy": True}}),
    ("/x:/x:rshared", {"Type": "bind", "Source": "/x", "Target": "/x", "BindOptions": {"Propagation": "rshared", "CreateMountpoint": True}}),
    ("{type: bind, source: x, target: /x, bind: {create_host_path: false}, read_only: true}", {"Type": "bind", "Source": "/srv/shop/x", "Target": "/x", "ReadOnly": True, "BindOptions": {}}),
    ("{type: bind, source: /x, target: /x, bind: {propagation: rslave}}", {"Type": "bind", "Source": "/x", "Target": "/x", "BindOptions": {"Propagation": "rslave"}}),
    ("{type: bind, source: /x, target: /x, bind: {recursive: readonly, create_host_path: true}}", {"Type": "bind", "Source": "/x", "Target": "/x", "BindOptions": {"CreateMountpoint": True, "ReadOnlyForceRecursive": True}}),
    ("{type: volume, source: data, target: /d, volume: {subpath: s, labels: {a: b}}}", {"Type": "volume", "Source": "shop_data", "Target": "/d", "VolumeOptions": {"Labels": {"a": "b"}, "Subpath": "s"}}),
    ("{type: volume, target: /d}", {"Type": "volume", "Target": "/d"}),
    ("{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0o755}}", {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1048576, "Mode": 493}}),
    ("{type: tmpfs, target: /t, tmpfs: {mode: '755'}}", {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Mode": 493}}),
    ("{type: image, source: app, target: /i, image: {subpath: s}}", {"Type": "image", "Source": "app", "Target": "/i", "ImageOptions": {"Subpath": "s"}}),
    ("{type: npipe, source: '\\\\.\\pipe\\x', target: /p}", {"Type": "npipe", "Source": "\\\\.\\pipe\\x", "Target": "/p"}),
    ("{type: cluster, source: c, target: /c}", {"Type": "cluster", "Source": "c", "Target": "/c"}),
]  # fmt: skip


def as_item(volume: str) -> str:
    return volume if volume.startswith("{") else json.dumps(volume)


@pytest.mark.parametrize(("volume", "binds"), BINDS)
def test_volumes_that_are_sent_as_binds(volume: str, binds: list[str]) -> None:
    assert web(f"volumes: [{as_item(volume)}]", VOLUMES)["HostConfig"]["Binds"] == binds


@pytest.mark.parametrize(("volume", "mount"), MOUNTS)
def test_volumes_that_are_sent_as_mounts(volume: str, mount: dict[str, Any]) -> None:
    host = web(f"volumes: [{as_item(volume)}]", VOLUMES)["HostConfig"]
    assert host["Mounts"] == [mount]
    assert host["Binds"] is None


def test_of_two_mounts_at_one_place_the_later_one_holds() -> None:
    host = web("volumes: ['/a:/x', '/b:/x:ro'], secrets: [{source: s, target: /x}]", "secrets: {s: {file: f}}")[
        "HostConfig"
    ]
    assert host["Binds"] == ["/b:/x:ro"]
    assert "Mounts" not in host


PORTS: list[tuple[str, dict[str, list[tuple[str, str]]]]] = [
    ("'80'", {"80/tcp": [("", "")]}),
    ("80", {"80/tcp": [("", "")]}),
    ("'8080:80/UDP'", {"80/udp": [("", "8080")]}),
    ("'127.0.0.1::80'", {"80/tcp": [("127.0.0.1", "")]}),
    ("'[::1]:81:80'", {"80/tcp": [("::1", "81")]}),
    ("'8000-8001:80-81'", {"80/tcp": [("", "8000")], "81/tcp": [("", "8001")]}),
    ("'8000-8001:80'", {"80/tcp": [("", "8000-8001")]}),
    ("'80-81'", {"80/tcp": [("", "")], "81/tcp": [("", "")]}),
    ("{target: 80, published: 81, host_ip: 10.0.0.1, protocol: udp, mode: host}", {"80/udp": [("10.0.0.1", "81")]}),
    ("'80:80', '0.0.0.0:80:80', '81:80'", {"80/tcp": [("0.0.0.0", "80"), ("", "81")]}),
]


@pytest.mark.parametrize(("ports", "bindings"), PORTS)
def test_ports(ports: str, bindings: dict[str, list[tuple[str, str]]]) -> None:
    body = web(f"ports: [{ports}], expose: [9]")
    said = {
        port: [(each["HostIp"], each["HostPort"]) for each in list_]
        for port, list_ in body["HostConfig"]["PortBindings"].items()
    }
    assert said == bindings
    assert body["ExposedPorts"] == {port: {} for port in ["9", *bindings]}


SECRETS = "secrets: {s: {file: ./s}, e: {environment: HOME}}\nconfigs: {c: {file: /c}, t: {content: x}}"


def test_files_are_bound_read_only_and_the_rest_is_copied_in() -> None:
    keys = "secrets: [s, e, {source: s, target: two}], configs: [c, {source: t, uid: '7'}]"
    assert web(keys, SECRETS)["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": "/srv/shop/s", "Target": "/run/secrets/s", "ReadOnly": True, "BindOptions": {}},
        {"Type": "bind", "Source": "/srv/shop/s", "Target": "/run/secrets/two", "ReadOnly": True, "BindOptions": {}},
        {"Type": "bind", "Source": "/c", "Target": "/c", "ReadOnly": True},
    ]
    text = f"services: {{web: {{image: app, {keys}}}}}\n{SECRETS}"
    assert [call.target.partition("?")[2] for call in made(text) if call.method == "PUT"] == [
        "noOverwriteDirNonDir=true&path=%2F",
        "copyUIDGID=true&noOverwriteDirNonDir=true&path=%2F",
    ]


NETWORKS = """
networks:
  front: {}
  back: {driver: macvlan, driver_opts: {parent: eth0}, internal: true, ipam: {driver: d, config: [{subnet: 10.0.0.0/24}]}}
  own: {name: other}
  ext: {external: true}
  unused: {}
"""


def test_networks_by_their_priority_then_by_their_names() -> None:
    body = web("networks: {front: {aliases: [x]}, own: , ext: {priority: 1}, back: {ipv4_address: 10.0.0.9}}", NETWORKS)
    endpoints = body["NetworkingConfig"]["EndpointsConfig"]
    assert body["HostConfig"]["NetworkMode"] == "ext"
    assert list(endpoints) == ["ext", "shop_back", "shop_front", "other"]
    assert endpoints["shop_front"]["Aliases"] == ["shop-web-1", "web", "x"]
    assert endpoints["shop_back"]["IPAMConfig"] == {"IPv4Address": "10.0.0.9"}


def test_what_is_unused_or_external_is_not_made() -> None:
    text = f"services: {{web: {{image: app, networks: [back, ext], volumes: ['data:/d', 'ext2:/e']}}}}\n{NETWORKS}{VOLUMES}"
    created = [call.body for call in made(text) if call.target.endswith(("/networks/create", "/volumes/create"))]
    assert [body["Name"] for body in created if body] == ["shop_back", "shop_data"]
    assert created[0] is not None
    assert (created[0]["Driver"], created[0]["Options"], created[0]["Internal"]) == (
        "macvlan",
        {"parent": "eth0"},
        True,
    )
    assert created[0]["IPAM"] == {"Driver": "d", "Options": None, "Config": [{"Subnet": "10.0.0.0/24"}]}


def test_only_one_form_of_a_bind_in_a_volume_has_its_path_resolved() -> None:
    def device(keys: str) -> Any:
        text = f"services: {{web: {{image: a, volumes: ['vol:/v']}}}}\nvolumes: {{vol: {{{keys}}}}}"
        (body,) = [call.body for call in made(text) if call.target.endswith("/volumes/create")]
        assert body is not None
        return body["DriverOpts"]

    assert device("driver: local, driver_opts: {type: none, o: bind, device: ./x}")["device"] == "/srv/shop/x"
    assert device("driver: local, driver_opts: {type: none, o: 'bind,ro', device: ./x}")["device"] == "./x"
    assert device("driver_opts: {type: none, o: bind, device: ./x}")["device"] == "./x"


def test_an_engine_before_1_44_connects_the_other_networks_afterwards() -> None:
    text = f"services: {{web: {{image: app, mac_address: '02:00:00:00:00:01', networks: [front, back]}}}}\n{NETWORKS}"
    old = {call.target.partition("?")[0]: call.body for call in made(text, api_version=(1, 41)) if call.body}
    create = old["/v1.41/containers/create"]
    assert list(create["NetworkingConfig"]["EndpointsConfig"]) == ["shop_back"]  # type: ignore[index, arg-type, call-overload]
    assert create["MacAddress"] == "02:00:00:00:00:01"
    assert old["/v1.41/networks/shop_front/connect"]["Container"] == "shop-web-1"
    new = made(text)
    assert not [call for call in new if call.target.endswith("/connect")]


def test_replicas_have_numbers_and_a_name_of_ones_own_has_none() -> None:
    text = "services: {web: {image: a, scale: 2}, db: {image: b, container_name: own}, off: {image: c, deploy: {replicas: 0}}}"
    names = [call.target.partition("name=")[2] for call in made(text) if "/containers/create" in call.target]
    assert names == ["own", "shop-web-1", "shop-web-2"]


def test_services_come_after_those_that_they_depend_on() -> None:
    text = """
services:
  a: {image: x, depends_on: [b]}
  b: {image: x, links: [d]}
  c: {image: x, volumes_from: [a]}
  d: {image: x, depends_on: {z: {condition: service_started, required: false}}}
  z: {image: x, profiles: [never]}
"""
    assert [service.name for service in project(text).services] == ["d", "b", "a", "c"]


@pytest.mark.parametrize(
    ("chosen", "started"),
    [((), ["web"]), (("debug",), ["debug", "web"]), (("*",), ["debug", "test", "web"]), (("none",), ["web"])],
)
def test_profiles(chosen: tuple[str, ...], started: list[str]) -> None:
    text = "services: {web: {image: a}, debug: {image: b, profiles: [debug]}, test: {image: c, profiles: [x, y]}}"
    assert [service.name for service in project(text, profiles=chosen).services] == started
    environment = {"COMPOSE_PROFILES": ",".join(chosen)}
    assert [service.name for service in project(text, environment=environment).services] == started


@pytest.mark.parametrize(
    ("given", "environment", "text", "name"),
    [
        ("a", {"COMPOSE_PROJECT_NAME": "b"}, "name: c", "a"),
        ("", {"COMPOSE_PROJECT_NAME": "b"}, "name: c", "b"),
        ("", {}, "name: C.d", "cd"),
        ("", {"N": "x"}, "name: ${N}-y", "x-y"),
        ("", {}, "", "shop"),
    ],
)
def test_the_projects_name(given: str, environment: dict[str, str], text: str, name: str) -> None:
    whole = f"{text}\nservices: {{web: {{image: a, labels: {{p: $COMPOSE_PROJECT_NAME}}}}}}"
    read = project(whole, project_name=given, environment=environment)
    assert read.name == name
    assert read.service("web").config["Labels"] == {"p": name}


@pytest.mark.parametrize(("folder", "name"), [("Shop", "shop"), ("my.app 2", "myapp2"), ("_-x_", "x_"), ("Ä", "")])
def test_a_folders_name(folder: str, name: str) -> None:
    assert cleaned_name(folder) == name


# No key is passed over

VALUES = {
    "annotations": "{a: b}", "attach": "false", "build": ".", "blkio_config": "{weight: 5}", "cap_add": "[X]", "cap_drop": "[X]",
    "cgroup": "host", "cgroup_parent": "/x", "command": "x", "configs": "[c]", "container_name": "xy", "cpu_count": "1", "cpu_percent": "1",
    "cpu_shares": "1", "cpu_quota": "1", "cpu_period": "1", "cpu_rt_period": "1", "cpu_rt_runtime": "1", "cpus": "1", "cpuset": "'1'",
    "credential_spec": "{file: x}", "depends_on": "[db]", "deploy": "{replicas: 2}", "develop": "{watch: []}", "device_cgroup_rules": "[c]",
    "devices": "[/dev/x]", "dns": "1.1.1.1", "dns_opt": "[x]", "dns_search": "x", "domainname": "x", "entrypoint": "x", "environment": "[A=b]",
    "env_file": "labels", "expose": "[1]", "extends": "db", "external_links": "[x]", "extra_hosts": "['x:1.1.1.1']", "gpus": "all", "group_add": "[x]",
    "healthcheck": "{test: x}", "hostname": "x", "image": "other", "init": "true", "ipc": "host", "isolation": "x", "labels": "{a: b}",
    "links": "[db]", "logging": "{driver: x}", "mac_address": "'02:00:00:00:00:01'", "mem_limit": "1m", "mem_reservation": "1m",
    "mem_swappiness": "1", "memswap_limit": "1m", "models": "[m]", "network_mode": "host", "networks": "[n]", "oom_kill_disable": "true",
    "oom_score_adj": "1", "pid": "host", "pids_limit": "1", "platform": "linux/amd64", "ports": "[1]", "post_start": "[{command: x}]",
    "pre_stop": "[{command: x}]", "privileged": "true", "profiles": "[some]", "provider": "{type: x}", "pull_policy": "always",
    "pull_refresh_after": "x", "read_only": "true", "restart": "always", "runtime": "x", "scale": "2", "secrets": "[s]", "security_opt": "[a=b]",
    "shm_size": "1m", "stdin_open": "true", "stop_grace_period": "1s", "stop_signal": "X", "storage_opt": "{a: b}", "sysctls": "{a: b}",
    "tmpfs": "/x", "tty": "true", "ulimits": "{a: 1}", "use_api_socket": "true", "user": "x", "userns_mode": "host", "uts": "host",
    "volumes": "[/x]", "volumes_from": "[db]", "working_dir": "/x",
}  # fmt: skip
MORE = "networks: {n: }\nsecrets: {s: {file: x}}\nconfigs: {c: {file: x}}"


@pytest.mark.parametrize("key", sorted(schema.SECTIONS["services"]))
def test_every_key_changes_the_calls_or_is_noted_or_is_known_to_be_silent(key: str, tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("a=b")
    value = VALUES.get(key, "labels")  # of `label_file`

    def said(keys: str) -> tuple[list[tuple[str, Any]], tuple[Any, ...]]:
        text = f"services: {{web: {{{keys}}}, db: {{image: db, user: z}}}}\n{MORE}"
        read = project(text, folder=tmp_path)
        from sockproxy.compose import calls

        return [(call.target, call.body) for call in calls(read)], read.notes

    base = "" if key == "image" else "image: app, "
    with_key, without = said(f"{base}{key}: {value}"), said("image: app")
    assert (with_key != without) == (key not in schema.SILENT)


def test_paths_are_resolved_from_the_folder_that_is_told() -> None:
    assert project("services: {web: {image: a}}").folder == FOLDER
