"""What each row of the Engine API does, and to whose things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sockproxy.docker.operations import BY_NAME
from sockproxy.policy.harm.facts import Finding, Given, Level, frees, listed, place_of
from sockproxy.policy.rules import Rule

# name, level, the kind by which a rule can hold it (-: none), and what it does; to whose things follows where one can.

_TABLE: Final = """
SystemPing               nothing   -          tells the version
SystemPingHead           nothing   -          tells the version
SystemVersion            nothing   -          tells the version
SystemInfo               looks     -          reads the engine's settings
SystemEvents             looks     -          follows what happens on the engine
SystemDataUsage          looks     -          lists everything with its size
SystemAuth               network   registry   makes the engine log in to

ContainerList            looks     -          lists containers with their labels and commands
ContainerCreate          nothing   -          makes containers
ContainerPrune           changes   container  removes
ContainerInspect         secrets   container  reads the environment of
ContainerTop             secrets   container  reads the command lines in
ContainerLogs            secrets   container  reads the logs of
ContainerChanges         looks     -          lists changed files in containers
ContainerExport          secrets   container  copies all files out of
ContainerStats           looks     -          measures containers
ContainerResize          looks     -          resizes terminals
ContainerStart           changes   container  starts
ContainerStop            changes   container  stops
ContainerRestart         changes   container  restarts
ContainerKill            changes   container  kills
ContainerUpdate          changes   container  changes the limits of
ContainerRename          changes   container  renames
ContainerPause           changes   container  pauses
ContainerUnpause         changes   container  unpauses
ContainerAttach          enters    container  types into
ContainerAttachWebsocket enters    container  types into
ContainerWait            looks     -          waits for containers
ContainerArchiveInfo     looks     -          looks at files in containers
ContainerArchive         secrets   container  copies files out of
PutContainerArchive      enters    container  writes files into
ContainerCopy            secrets   container  copies files out of
ContainerExec            nothing   container  prepares commands in
CheckpointList           looks     -          lists checkpoints
CheckpointCreate         changes   container  freezes
CheckpointDelete         changes   container  removes the checkpoints of
ContainerDelete          changes   container  removes
ExecStart                enters    container  runs commands in
ExecResize               looks     -          resizes terminals
ExecInspect              looks     -          looks at commands in containers

ImageList                looks     -          lists images
ImageSearch              network   registry   makes the engine search
ImageGetAll              secrets   image      copies out
ImageLoad                nothing   -          loads images
ImageCreate              network   image      makes the engine pull
ImagePrune               changes   image      removes
ImageGet                 secrets   image      copies out
ImageHistory             looks     -          reads how images were made
ImageInspect             looks     -          reads what images are made of
ImageAttestations        looks     -          reads how images were made
ImagePush                images    image      pushes
ImageTag                 images    tag        tags as
ImageDelete              changes   image      removes
ImageCommit              images    tag        commits as
DistributionInspect      network   registry   makes the engine ask
ImageBuild               images    tag        builds as
BuildPrune               changes   -          removes what builds have cached
BuildCancel              changes   -          stops builds
Session                  nothing   -          talks to BuildKit
Grpc                     nothing   -          talks to BuildKit

NetworkList              looks     -          lists networks
NetworkInspect           looks     -          reads addresses in networks
NetworkCreate            exhausts  -          makes networks
NetworkPrune             changes   network    removes
NetworkConnect           network   network    connects containers to
NetworkDisconnect        changes   network    disconnects containers from
NetworkDelete            changes   network    removes
VolumeList               secrets   -          lists volumes with their options, the passwords of shares among them
VolumeInspect            secrets   volume     reads the options of
VolumeCreate             exhausts  -          makes volumes
VolumePrune              changes   volume     removes
VolumeUpdate             changes   volume     changes
VolumeDelete             changes   volume     removes

PluginList               secrets   -          lists plug-ins with their settings
GetPluginPrivileges      network   registry   makes the engine ask
PluginInspect            secrets   -          reads the settings of plug-ins
PluginDelete             changes   image      removes the plug-ins
PluginEnable             changes   image      enables the plug-ins
PluginDisable            changes   image      disables the plug-ins
PluginPull               network   image      makes the engine pull the plug-ins
PluginPush               images    image      pushes the plug-ins
PluginUpgrade            changes   image      upgrades the plug-ins
PluginSet                changes   image      changes the settings of the plug-ins
PluginCreate             images    tag        makes plug-ins as

SwarmInspect             root      -          reads the join tokens: whoever joins as a manager has every node
SwarmInit                changes   -          makes the host a swarm of its own
SwarmJoin                root      -          makes the host join a cluster, whose managers run there what they like
SwarmLeave               changes   -          takes the host out of its swarm, and its services away
SwarmUpdate              changes   -          changes the swarm
SwarmUnlockkey           secrets   -          reads the key that the managers' secrets are encrypted with
SwarmUnlock              changes   -          unlocks a manager
ServiceList              secrets   -          reads the environment of everyone's services
ServiceCreate            nothing   -          makes services
ServiceInspect           secrets   service    reads the environment of
ServiceDelete            changes   service    removes
ServiceUpdate            changes   service    changes
ServiceLogs              secrets   service    reads the logs of
NodeList                 looks     -          lists nodes
NodeInspect              looks     -          looks at nodes
NodeDelete               changes   -          removes nodes
NodeUpdate               changes   -          drains and changes nodes
TaskList                 secrets   -          reads the environment of everyone's services
TaskInspect              secrets   service    reads the environment of
TaskLogs                 secrets   service    reads the logs of
SecretList               looks     -          lists secrets, by their names
SecretCreate             changes   -          makes secrets
SecretInspect            looks     -          looks at secrets, not into them
SecretDelete             changes   -          removes secrets
SecretUpdate             changes   -          changes the labels of secrets
ConfigList               secrets   -          reads configs
ConfigCreate             changes   -          makes configs
ConfigInspect            secrets   -          reads configs
ConfigDelete             changes   -          removes configs
ConfigUpdate             changes   -          changes the labels of configs

DebugVars                secrets   -          reads the engine's memory figures and its command line
DebugPprof               looks     -          lists profiles of the engine
DebugCmdline             secrets   -          reads the engine's command line
DebugProfile             exhausts  -          profiles the engine
DebugSymbol              looks     -          reads names of the engine's functions
DebugTrace               exhausts  -          traces the engine
DebugPprofNamed          secrets   -          reads profiles of the engine's memory
"""

_ALSO_TABLE: Final = """
ImageCommit              secrets   container  copies the files of
NetworkConnect           network   container  brings into its networks
"""
"""What some of them do besides, to things of another kind."""

_THINGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "container": ("everyone's containers", "containers"),
        "volume": ("everyone's volumes", "volumes"),
        "network": ("everyone's networks", "networks"),
        "service": ("everyone's services", "services"),
        "image": ("any image", "images"),
        "tag": ("any name, those that others run too", "names such as"),
        "registry": ("any registry", "registries"),
    }
)
"""Whose things, where a rule leaves a kind free and where it holds it."""

_MAKERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "container": frozenset({"ContainerCreate"}),
        "volume": frozenset({"ContainerCreate", "VolumeCreate"}),
        "network": frozenset({"NetworkCreate"}),
        "service": frozenset({"ServiceCreate"}),
    }
)
"""The rows that make a thing of a kind: what one may make is one's own. So are the images that one is held to."""


@dataclass(frozen=True, slots=True)
class _Row:
    level: Level
    kind: str
    does: str


def _read(table: str) -> Mapping[str, _Row]:
    rows: dict[str, _Row] = {}
    for line in filter(None, table.splitlines()):
        name, level, kind, does = line.split(maxsplit=3)
        rows[name] = _Row(Level[level.upper()], kind, does)
    return MappingProxyType(rows)


ROWS: Final = _read(_TABLE)
"""What each row of the Engine API does, by its name."""

_ALSO: Final = _read(_ALSO_TABLE)

_ROADS: Final = frozenset({"SwarmInspect", "SwarmJoin", "SwarmUnlockkey"})
"""Rows that lead to the whole host, or to every node, by themselves."""

_NAMED_ROWS: Final = 3
"""How many rows a finding spells out."""


def of_rows(rule: Rule, rows: frozenset[str], given: Given) -> Iterator[Finding]:
    """What the rows of a rule do, those of one level and one kind in one finding."""
    grouped: dict[tuple[Level, str], dict[str, str]] = {}
    for name, row in (*ROWS.items(), *_ALSO.items()):
        if name in rows and not (name == "ExecStart" and not _makes_execs(given)):
            grouped.setdefault((row.level, row.kind), {})[name] = row.does
    for (level, kind), doing in grouped.items():
        whose = _whose(rule, kind, given)
        if whose is not None:
            names = list(doing)
            does = listed(list(doing.values()), most=_NAMED_ROWS if level is Level.LOOKS else len(names))
            road = not _ROADS.isdisjoint(names)
            yield Finding(level, place_of(rule, names), rule.id, _allows(names), f"it {does}{whose}", road)


def _makes_execs(given: Given) -> bool:
    return any("ContainerExec" in given.rows(rule) for rule in given.rules)


def _whose(rule: Rule, kind: str, given: Given) -> str | None:
    """Whose things a rule reaches, to stand behind what it does; None where it reaches none but its own."""
    if kind == "-":
        return ""
    everyones, things = _THINGS[kind]
    held = rule.only.get(kind)
    if held is None or frees(held):
        return f" {everyones}"
    reached = [pattern.text for pattern in held if pattern.text != "none"]
    if not reached or _makes(kind, set(reached), given):
        return None
    return f" {things} {', '.join(f'`{text}`' for text in reached)}"


def _makes(kind: str, reached: set[str], given: Given) -> bool:
    """Whether some rule lets just these things be made: then they are one's own. Who may make any has not made all."""
    if kind not in _MAKERS:
        return True
    for rule in given.rules:
        if given.rows(rule) & _MAKERS[kind]:
            held = rule.only.get(kind)
            if held is not None and reached <= {pattern.text for pattern in held}:
                return True
    return False


def _allows(names: list[str]) -> str:
    return "allows " + listed(
        [f"`{BY_NAME[name].method} {BY_NAME[name].template}`" for name in names], most=_NAMED_ROWS
    )
