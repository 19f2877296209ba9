"""Calls and settings: the table that the derived policies are held to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

FORM = "paths that are no endpoint of the Engine API"
TWO_WAYS = "requests that can be read in two ways"
OLD = "API versions before 1.24"


@dataclass(frozen=True)
class Call:
    """A request, and what may make sockproxy stricter about it than HAProxy."""

    method: str
    target: str
    row: str = ""
    """The row that it is of: refused where a migration lists that as stricter."""
    form: str = ""
    """How it is written that no policy allows."""
    power: bool = False
    """It asks for a power of that row."""
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.target}" + (f" {json.dumps(self.body)}" if self.body is not None else "")


UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "tcp"))
TUNNEL = (("Connection", "Upgrade"), ("Upgrade", "h2c"))
SOCKET = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "eA=="))
TAR = (("Content-Type", "application/x-tar"),)
PLAIN = {"Image": "busybox"}
HOST = {"Image": "busybox", "HostConfig": {"Binds": ["/:/host"]}}

CALLS = [
    Call("GET", "/_ping", "SystemPing"),
    Call("HEAD", "/_ping", "SystemPingHead"),
    Call("GET", "/v1.41/_ping", "SystemPing"),
    Call("GET", "/version", "SystemVersion"),
    Call("GET", "/v1.41/info", "SystemInfo"),
    Call("GET", "/events", "SystemEvents"),
    Call("GET", "/v1.41/system/df", "SystemDataUsage"),
    Call("POST", "/auth", "SystemAuth", body={"username": "x"}),
    Call("GET", "/containers/json", "ContainerList"),
    Call("GET", "/v1.45/containers/json?all=1", "ContainerList"),
    Call("GET", "/%63ontainers/json", "ContainerList"),
    Call("GET", "/containers%2Fjson", "ContainerList"),
    Call("GET", "/Containers/JSON", form=FORM),
    Call("GET", "/containersx/json", form=FORM),
    Call("HEAD", "/containers/json", form=FORM),
    Call("GET", "/containers/../info", form=FORM),
    Call("GET", "/containers//json", form=FORM),
    Call("GET", "//containers/json", form=FORM),
    Call("GET", "/containers/%2563", form=FORM),
    Call("GET", "/v1.41/v1.41/containers/json", form=FORM),
    Call("GET", "/libpod/containers/json", form=FORM),
    Call("OPTIONS", "/containers/json", form=FORM),
    Call("PATCH", "/containers/web", form=FORM),
    Call("GET", "/v1.12/containers/json", form=OLD),
    Call("GET", "/containers/json?unknown=1", form=TWO_WAYS),
    Call("POST", "/containers/web/start", form=TWO_WAYS, body={"Binds": ["/:/host"]}),
    Call("GET", "/containers/web/json", "ContainerInspect"),
    Call("GET", "/containers/web/logs?stdout=1", "ContainerLogs"),
    Call("GET", "/containers/web/stats", "ContainerStats"),
    Call("GET", "/containers/web/top", "ContainerTop"),
    Call("GET", "/containers/web/export", "ContainerExport"),
    Call("GET", "/containers/web/archive?path=/etc", "ContainerArchive"),
    Call("HEAD", "/containers/web/archive?path=/etc", "ContainerArchiveInfo"),
    Call("GET", "/containers/web/attach/ws?stream=1", "ContainerAttachWebsocket", headers=SOCKET),
    Call("GET", "/containers/web/checkpoints", "CheckpointList"),
    Call("GET", "/containers/web/checkpoints?dir=/etc", "CheckpointList", power=True),
    Call("POST", "/containers/create?name=x", "ContainerCreate", body=PLAIN),
    Call("POST", "/containers/create?name=x", "ContainerCreate", power=True, body=HOST),
    Call("POST", "/v1.41/containers/web/start", "ContainerStart"),
    Call("POST", "/containers/web/stop", "ContainerStop"),
    Call("POST", "/containers/web/restart?t=1", "ContainerRestart"),
    Call("POST", "/containers/web/kill", "ContainerKill"),
    Call("POST", "/v1.41/containers/web/%6Bill", "ContainerKill"),
    Call("POST", "/containers/web/pause", "ContainerPause"),
    Call("POST", "/containers/web/unpause", "ContainerUnpause"),
    Call("POST", "/containers/web/rename?name=y", "ContainerRename"),
    Call("POST", "/containers/web/wait", "ContainerWait"),
    Call("POST", "/containers/web/attach?stream=1", "ContainerAttach", headers=UPGRADE),
    Call("POST", "/containers/web/exec", "ContainerExec", body={"Cmd": ["true"]}),
    Call("POST", "/containers/web/exec", "ContainerExec", power=True, body={"Cmd": ["true"], "Privileged": True}),
    Call("POST", "/containers/web/copy", "ContainerCopy", body={"Resource": "/etc"}),
    Call("PUT", "/containers/web/archive?path=/etc", "PutContainerArchive", headers=TAR),
    Call("POST", "/containers/prune", "ContainerPrune"),
    Call("DELETE", "/containers/web", "ContainerDelete"),
    Call("POST", f"/exec/{'ab' * 32}/start", "ExecStart", body={"Detach": True}),
    Call("GET", f"/exec/{'ab' * 32}/json", "ExecInspect"),
    Call("GET", "/images/json", "ImageList"),
    Call("GET", "/images/library/busybox/json", "ImageInspect"),
    Call("GET", "/images/get?names=busybox", "ImageGetAll"),
    Call("GET", "/images/search?term=x", "ImageSearch"),
    Call("POST", "/images/create?fromImage=busybox&tag=1", "ImageCreate"),
    Call("POST", "/images/load", "ImageLoad", power=True, headers=TAR),
    Call("DELETE", "/images/busybox", "ImageDelete"),
    Call("POST", "/commit?container=web&repo=x", "ImageCommit"),
    Call("GET", "/distribution/busybox/json", "DistributionInspect"),
    Call("POST", "/build?t=x", "ImageBuild", headers=TAR),
    Call("POST", "/build?t=x&networkmode=host", "ImageBuild", power=True, headers=TAR),
    Call("POST", "/session", "Session", power=True, headers=TUNNEL),
    Call("POST", "/grpc", "Grpc", power=True, headers=TUNNEL),
    Call("GET", "/networks", "NetworkList"),
    Call("POST", "/networks/create", "NetworkCreate", body={"Name": "front"}),
    Call("DELETE", "/networks/front", "NetworkDelete"),
    Call("GET", "/volumes", "VolumeList"),
    Call("POST", "/volumes/create", "VolumeCreate", body={"Name": "data"}),
    Call("DELETE", "/volumes/data", "VolumeDelete"),
    Call("GET", "/plugins", "PluginList"),
    Call("POST", "/plugins/x/enable", "PluginEnable"),
    Call("GET", "/swarm", "SwarmInspect"),
    Call("GET", "/swarm/unlockkey", "SwarmUnlockkey"),
    Call("POST", "/swarm/join", "SwarmJoin", body={"ListenAddr": "0.0.0.0:2377", "RemoteAddrs": ["192.0.2.1:2377"]}),
    Call("POST", "/swarm/leave", "SwarmLeave"),
    Call("GET", "/services", "ServiceList"),
    Call("GET", "/nodes", "NodeList"),
    Call("GET", "/tasks", "TaskList"),
    Call("GET", "/secrets", "SecretList"),
    Call("GET", "/configs/x", "ConfigInspect"),
    Call("DELETE", "/secrets/x", "SecretDelete"),
    Call("GET", "/debug/vars", "DebugVars"),
]

SECTIONS = (
    "AUTH BUILD COMMIT CONFIGS CONTAINERS DISTRIBUTION EVENTS EXEC GRPC IMAGES INFO NETWORKS NODES PING PLUGINS"
    " SECRETS SERVICES SESSION SWARM SYSTEM TASKS VERSION VOLUMES"
)
EVERY_SECTION = dict.fromkeys(SECTIONS.split(), "1")

SETTINGS: list[tuple[str, dict[str, str]]] = [
    ("tecnativa", {"POST": "0"}),
    ("tecnativa", {"CONTAINERS": "1"}),
    ("tecnativa", {"CONTAINERS": "1", "IMAGES": "1", "INFO": "1", "POST": "0"}),
    ("tecnativa", {"CONTAINERS": "1", "POST": "1"}),
    ("tecnativa", {"POST": "1", "ALLOW_START": "1"}),
    ("tecnativa", {"POST": "1", "ALLOW_RESTARTS": "1", "EVENTS": "0"}),
    ("tecnativa", {"POST": "0", "ALLOW_STOP": "1", "ALLOW_RESTARTS": "1", "NETWORKS": "1"}),
    ("tecnativa", {**EVERY_SECTION, "POST": "0"}),
    ("tecnativa", {**EVERY_SECTION, "POST": "1"}),
    ("tecnativa", {"PING": "0", "VERSION": "0", "EVENTS": "0", "SYSTEM": "1"}),
    (
        "tecnativa",
        {"CONTAINERS": "true", "IMAGES": "01", "POST": "2", "INFO": "yes", "VOLUMES": "-1", "PING": "", "TASKS": "0"},
    ),
    ("tecnativa", {"BUILD": "1", "IMAGES": "1", "SESSION": "1", "GRPC": "1", "POST": "1", "EXEC": "1"}),
    ("linuxserver", {"POST": "0", "ALLOW_START": "1", "ALLOW_STOP": "1"}),
    ("linuxserver", {"POST": "0", "CONTAINERS": "1", "ALLOW_RESTARTS": "1", "ALLOW_PAUSE": "1"}),
    ("linuxserver", {**EVERY_SECTION, "POST": "1", "ALLOW_UNPAUSE": "1"}),
    ("tecnativa-edge", {"CONTAINERS": "1", "POST": "1", "DELETE": "0", "ALLOW_RESTARTS": "1"}),
    ("tecnativa-edge", {"CONTAINERS": "1", "DELETE": "1", "PUT": "1", "ALLOW_EXEC": "1", "ALLOW_ATTACH": "1"}),
    ("tecnativa-edge", {**EVERY_SECTION, "POST": "1", "ALLOW_KILL": "1", "ALLOW_EXPORT": "1", "ALLOW_LOGS": "1"}),
    ("tecnativa-edge", {"POST": "1", "PUT": "1", "CONTAINERS": "1", "ALLOW_ARCHIVE": "1", "ALLOW_ATTACH": "1"}),
]


def name(setting: tuple[str, dict[str, str]]) -> str:
    dialect, variables = setting
    if variables.items() >= EVERY_SECTION.items():
        variables = {"EVERYTHING": "1", **{key: variables[key] for key in variables.keys() - EVERY_SECTION.keys()}}
    return " ".join([dialect, *(f"{key}={value}" for key, value in variables.items())])
