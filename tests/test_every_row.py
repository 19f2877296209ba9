"""Every row of the Engine API: allowed by a policy that grants it, denied by one that does not, and held to its asks.

A row without a sample here fails. The sample asks for something, unless the row is stated to ask nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from sockproxy.docker.asks import KINDS
from sockproxy.docker.inspectors import ASKS_NOTHING, INSPECTED
from sockproxy.docker.operations import OPERATIONS, Operation
from sockproxy.errors import PolicyError
from sockproxy.model import Allow, Context, Deny, Verdict
from sockproxy.policy.load import Policy, loads
from sockproxy.rehearse import verdict_on


@dataclass(frozen=True)
class Sample:
    """A request of one row, without its method."""

    target: str
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


TAR = (("Content-Type", "application/x-tar"),)
UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "tcp"))
TUNNEL = (("Connection", "Upgrade"), ("Upgrade", "h2c"))
SOCKET = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "eA=="))
NEW = {"BrandNew": 1}

SAMPLES: dict[str, Sample] = {
    "SystemPing": Sample("/_ping"),
    "SystemPingHead": Sample("/_ping"),
    "SystemVersion": Sample("/version"),
    "SystemInfo": Sample("/info"),
    "SystemEvents": Sample("/events?since=1"),
    "SystemDataUsage": Sample("/system/df?type=image&type=volume"),
    "SystemAuth": Sample("/auth", {"serveraddress": "registry.example.com"}),
    "ContainerList": Sample("/containers/json?all=1"),
    "ContainerCreate": Sample("/containers/create?name=web", {"Image": "x", "HostConfig": {"Privileged": True}}),
    "ContainerPrune": Sample("/containers/prune"),
    "ContainerInspect": Sample("/containers/web/json"),
    "ContainerTop": Sample("/containers/web/top?ps_args=aux"),
    "ContainerLogs": Sample("/containers/web/logs?follow=1&stdout=1"),
    "ContainerChanges": Sample("/containers/web/changes"),
    "ContainerExport": Sample("/containers/web/export"),
    "ContainerStats": Sample("/containers/web/stats?stream=0"),
    "ContainerResize": Sample("/containers/web/resize?h=1&w=2"),
    "ContainerStart": Sample("/containers/web/start"),
    "ContainerStop": Sample("/containers/web/stop?t=1"),
    "ContainerRestart": Sample("/containers/web/restart"),
    "ContainerKill": Sample("/containers/web/kill?signal=9"),
    "ContainerUpdate": Sample("/containers/web/update", {"Memory": -1}),
    "ContainerRename": Sample("/containers/web/rename?name=b"),
    "ContainerPause": Sample("/containers/web/pause"),
    "ContainerUnpause": Sample("/containers/web/unpause"),
    "ContainerAttach": Sample("/containers/web/attach?stream=1", None, UPGRADE),
    "ContainerAttachWebsocket": Sample("/containers/web/attach/ws?stream=1", None, SOCKET),
    "ContainerWait": Sample("/containers/web/wait"),
    "ContainerArchiveInfo": Sample("/containers/web/archive?path=/etc"),
    "ContainerArchive": Sample("/containers/web/archive?path=/etc"),
    "PutContainerArchive": Sample("/containers/web/archive?path=/etc", None, TAR),
    "ContainerCopy": Sample("/containers/web/copy", {"Resource": "/etc"}),
    "ContainerExec": Sample("/containers/web/exec", {"Cmd": ["sh"], "Privileged": True}),
    "CheckpointList": Sample("/containers/web/checkpoints?dir=/etc"),
    "CheckpointCreate": Sample("/containers/web/checkpoints", {"CheckpointID": "cp1", "CheckpointDir": "/etc"}),
    "CheckpointDelete": Sample("/containers/web/checkpoints/cp1?dir=/etc"),
    "ContainerDelete": Sample("/containers/web?force=1"),
    "ExecStart": Sample(f"/exec/{'ab' * 32}/start", {"Detach": False}, UPGRADE),
    "ExecResize": Sample(f"/exec/{'ab' * 32}/resize?h=1&w=2"),
    "ExecInspect": Sample(f"/exec/{'ab' * 32}/json"),
    "ImageList": Sample("/images/json"),
    "ImageSearch": Sample("/images/search?term=x"),
    "ImageGetAll": Sample("/images/get?names=x"),
    "ImageLoad": Sample("/images/load", None, TAR),
    "ImageCreate": Sample("/images/create?fromImage=x&tag=1"),
    "ImagePrune": Sample("/images/prune"),
    "ImageGet": Sample("/images/x/get"),
    "ImageHistory": Sample("/images/x/history"),
    "ImageInspect": Sample("/images/x/json"),
    "ImageAttestations": Sample("/images/x/attestations"),
    "ImagePush": Sample("/images/x/push?tag=1"),
    "ImageTag": Sample("/images/x/tag?repo=y"),
    "ImageDelete": Sample("/images/x"),
    "ImageCommit": Sample("/commit?container=web&repo=x"),
    "DistributionInspect": Sample("/distribution/registry.example.com/x/json"),
    "ImageBuild": Sample("/build?t=x&networkmode=host", None, TAR),
    "BuildPrune": Sample("/build/prune"),
    "BuildCancel": Sample("/build/cancel?id=a"),
    "Session": Sample("/session", None, TUNNEL),
    "Grpc": Sample("/grpc", None, TUNNEL),
    "NetworkList": Sample("/networks"),
    "NetworkInspect": Sample("/networks/front"),
    "NetworkCreate": Sample("/networks/create", {"Name": "front", "Driver": "macvlan"}),
    "NetworkPrune": Sample("/networks/prune"),
    "NetworkConnect": Sample("/networks/front/connect", {"Container": "web"}),
    "NetworkDisconnect": Sample("/networks/front/disconnect", {"Container": "web"}),
    "NetworkDelete": Sample("/networks/front"),
    "VolumeList": Sample("/volumes"),
    "VolumeInspect": Sample("/volumes/data"),
    "VolumeCreate": Sample("/volumes/create", {"Name": "data", "Driver": "rclone"}),
    "VolumePrune": Sample("/volumes/prune"),
    "VolumeUpdate": Sample("/volumes/data?version=1", {"Spec": {"Availability": "drain"}}),
    "VolumeDelete": Sample("/volumes/data?force=1"),
    "PluginList": Sample("/plugins"),
    "GetPluginPrivileges": Sample("/plugins/privileges?remote=registry.example.com/x"),
    "PluginInspect": Sample("/plugins/x/json"),
    "PluginDelete": Sample("/plugins/x?force=1"),
    "PluginEnable": Sample("/plugins/x/enable"),
    "PluginDisable": Sample("/plugins/x/disable"),
    "PluginPull": Sample("/plugins/pull?remote=x", [{"Name": "network", "Value": ["host"]}]),
    "PluginPush": Sample("/plugins/x/push"),
    "PluginUpgrade": Sample("/plugins/x/upgrade?remote=x", [{"Name": "mount", "Value": ["/etc"]}]),
    "PluginSet": Sample("/plugins/x/set", ["A=1"]),
    "PluginCreate": Sample("/plugins/create?name=x", None, TAR),
    "SwarmInspect": Sample("/swarm"),
    "SwarmInit": Sample("/swarm/init", {"ListenAddr": "0.0.0.0:2377", "ForceNewCluster": True}),
    "SwarmJoin": Sample("/swarm/join", {"RemoteAddrs": ["10.0.0.1"], **NEW}),
    "SwarmLeave": Sample("/swarm/leave?force=1"),
    "SwarmUpdate": Sample("/swarm/update?version=1", {"CAConfig": {"SigningCACert": "x"}}),
    "SwarmUnlockkey": Sample("/swarm/unlockkey"),
    "SwarmUnlock": Sample("/swarm/unlock", {"UnlockKey": "x", **NEW}),
    "ServiceList": Sample("/services"),
    "ServiceCreate": Sample("/services/create", {"Name": "a", "TaskTemplate": {"ContainerSpec": {"Image": "x"}}}),
    "ServiceInspect": Sample("/services/a"),
    "ServiceDelete": Sample("/services/a"),
    "ServiceUpdate": Sample("/services/a/update?version=1", {"Name": "a"}),
    "ServiceLogs": Sample("/services/a/logs?stdout=1"),
    "NodeList": Sample("/nodes"),
    "NodeInspect": Sample("/nodes/a"),
    "NodeDelete": Sample("/nodes/a"),
    "NodeUpdate": Sample("/nodes/a/update?version=1", {"Role": "manager"}),
    "TaskList": Sample("/tasks"),
    "TaskInspect": Sample("/tasks/a"),
    "TaskLogs": Sample("/tasks/a/logs?stdout=1"),
    "SecretList": Sample("/secrets"),
    "SecretCreate": Sample("/secrets/create", {"Name": "a", "Driver": {"Name": "vault"}}),
    "SecretInspect": Sample("/secrets/a"),
    "SecretDelete": Sample("/secrets/a"),
    "SecretUpdate": Sample("/secrets/a/update?version=1", {"Name": "a", **NEW}),
    "ConfigList": Sample("/configs"),
    "ConfigCreate": Sample("/configs/create", {"Name": "a", "Templating": {"Name": "golang"}}),
    "ConfigInspect": Sample("/configs/a"),
    "ConfigDelete": Sample("/configs/a"),
    "ConfigUpdate": Sample("/configs/a/update?version=1", {"Name": "a", **NEW}),
    "DebugVars": Sample("/debug/vars"),
    "DebugPprof": Sample("/debug/pprof/"),
    "DebugCmdline": Sample("/debug/pprof/cmdline"),
    "DebugProfile": Sample("/debug/pprof/profile?seconds=1"),
    "DebugSymbol": Sample("/debug/pprof/symbol"),
    "DebugTrace": Sample("/debug/pprof/trace?seconds=1"),
    "DebugPprofNamed": Sample("/debug/pprof/heap"),
}

GRANTED = "".join(f"      {name}: any\n" for name, kind in KINDS.items() if kind.section == "grant")
HELD = "".join(f"      {name}: none\n" for name, kind in KINDS.items() if kind.section == "only")


def policy(row: Operation, *lines: str) -> Policy:
    return loads(f'version: 1\nrules:\n  - id: row\n    allow: "{row.method} {row.template}"\n' + "".join(lines))


def verdict(row: Operation, under: Policy) -> Verdict:
    sample = SAMPLES[row.name]
    body = None if sample.body is None else json.dumps(sample.body).encode()
    context = Context(engine_version=(1, 56))
    return verdict_on(row.method, sample.target, dict(sample.headers), body, policy=under, context=context)


rows = pytest.mark.parametrize("row", [row for row in OPERATIONS if not row.never], ids=lambda row: row.name)


def test_every_row_has_a_sample_and_an_inspector_unless_nobody_may_have_it() -> None:
    assert set(SAMPLES) == {row.name for row in OPERATIONS}
    assert {row.name for row in OPERATIONS if row.never} == {"ContainerCopy"}
    assert {row.name for row in OPERATIONS if not row.never} == INSPECTED


@rows
def test_a_policy_may_grant_it(row: Operation) -> None:
    answer = verdict(row, policy(row, "    grant:\n", GRANTED))
    assert isinstance(answer, Allow), answer
    assert answer.rule == "row"
    assert answer.forward.method == row.method


@rows
def test_without_a_rule_it_is_denied(row: Operation) -> None:
    other = next(
        each for each in OPERATIONS if each.name == ("ContainerWait" if row.name == "SystemInfo" else "SystemInfo")
    )
    answer = verdict(row, policy(other))
    if row.always:
        assert isinstance(answer, Allow)
        return
    assert isinstance(answer, Deny)
    assert answer.code == "no_rule"
    assert answer.fix


@rows
def test_a_deny_beats_the_rule_that_allows_it(row: Operation) -> None:
    denial = f'  - id: never\n    deny: "{row.method} {row.template}"\n'
    answer = verdict(row, policy(row, "    grant:\n", GRANTED, denial))
    assert isinstance(answer, Deny)
    assert (answer.code, answer.rule) == ("denied_by_rule", "never")


@rows
def test_a_rule_without_grants_that_holds_everything_lets_nothing_be_asked(row: Operation) -> None:
    answer = verdict(row, policy(row, "    only:\n", HELD))
    if row.name in ASKS_NOTHING:
        assert isinstance(answer, Allow)
        assert answer.asks == ()
    else:
        assert isinstance(answer, Deny), "a row that asks nothing is to be stated in ASKS_NOTHING"
        assert answer.code in ("ask_refused", "not_owner")
        assert answer.refused


@pytest.mark.parametrize("row", [row for row in OPERATIONS if row.never], ids=lambda row: row.name)
def test_what_nobody_may_have(row: Operation) -> None:
    with pytest.raises(PolicyError, match="can never be allowed"):
        policy(row)
    answer = verdict(row, policy(next(iter(OPERATIONS))))
    assert isinstance(answer, Deny)
    assert answer.code == "no_rule"


def test_a_body_on_start_and_a_preface_of_http_2_can_be_granted_by_nothing() -> None:
    start = next(row for row in OPERATIONS if row.name == "ContainerStart")
    granted = policy(start, "    grant:\n", GRANTED)
    body = json.dumps({"Privileged": True}).encode()
    context = Context(engine_version=(1, 41), engine_minimum=(1, 12))
    for target in ("/containers/web/start", "/v1.24/containers/web/start"):
        answer = verdict_on("POST", target, {}, body, policy=granted, context=context)
        assert isinstance(answer, Deny)
        assert answer.code == "malformed"
    old = verdict_on("POST", "/v1.23/containers/web/start", {}, body, policy=granted, context=context)
    assert isinstance(old, Deny)
    assert old.status == 400
    preface = verdict_on("PRI", "*", {}, None, policy=granted, context=context)
    assert isinstance(preface, Deny)
    assert preface.code == "malformed"
