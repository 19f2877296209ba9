"""What the calls of each row can ask for, whatever they hold: the other side of the inspectors.

A rule that grants a kind which none of its rows can ask grants nothing; `check` says so. Too much here hides such a
warning, too little would make it a wrong one, so a kind that an inspector could reach is here unless it is known that
it cannot: `tests/docker/inspectors/test_asked.py` holds the table to the inspectors' code and to every call of the
corpus, and the oracle holds it to the engines.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker.operations import OPERATIONS

_ENTERED: Final = "container bind volume volume-driver network namespace device gpu privileged capability security-opt"
"""To enter a container is to ask for what it was given."""

_PRIVILEGES: Final = "image tag bind network namespace device capability"
"""What a plug-in may be given."""

_SERVICE: Final = (
    "service container image label config secret bind volume volume-driver network namespace address publish"
    " privileged capability device sysctl group security-opt log-driver resource restart extra-host dns exec"
    " limit require"
)

_TABLE: Final = f"""
SystemAuth                registry
Session                   tunnel
Grpc                      tunnel namespace

ContainerCreate           {_ENTERED} image label volumes-from link address runtime cgroup-parent sysctl group annotation
ContainerCreate           storage-opt log-driver resource publish restart extra-host dns exec limit require
ContainerUpdate           container cgroup-parent device gpu resource restart limit
ContainerInspect          container
ContainerTop              container
ContainerLogs             container
ContainerChanges          container
ContainerStats            container
ContainerWait             container
ContainerExport           container
ContainerResize           container
ContainerStart            container bind volume device
ContainerStop             container
ContainerRestart          container bind volume device
ContainerKill             container
ContainerRename           container
ContainerPause            container
ContainerUnpause          container
ContainerDelete           container link
ContainerPrune            container label
ContainerAttach           {_ENTERED}
ContainerAttachWebsocket  {_ENTERED}
ContainerArchiveInfo      container archive bind volume volume-driver device privileged
ContainerArchive          container archive bind volume volume-driver device privileged
PutContainerArchive       {_ENTERED} archive
ContainerExec             {_ENTERED} exec require
CheckpointList            container bind
CheckpointCreate          container bind
CheckpointDelete          container bind
ExecStart                 {_ENTERED} exec require
ExecResize                container
ExecInspect               container

ImageCreate               image tag import
ImageLoad                 import
ImagePush                 image tag
ImageTag                  image tag
ImageDelete               image
ImagePrune                image
ImageGet                  image
ImageGetAll               image
ImageSearch               registry
DistributionInspect       registry
ImageCommit               container tag
ImageBuild                {_ENTERED} image tag build cgroup-parent extra-host

NetworkInspect            network
NetworkCreate             network network-driver address
NetworkConnect            network container namespace address link
NetworkDisconnect         network container
NetworkDelete             network
NetworkPrune              network label

VolumeInspect             volume
VolumeCreate              volume volume-driver bind device
VolumeUpdate              volume
VolumeDelete              volume
VolumePrune               volume label

ServiceCreate             {_SERVICE}
ServiceUpdate             {_SERVICE}
ServiceInspect            service
ServiceDelete             service
ServiceLogs               service
TaskInspect               service
TaskLogs                  service
SwarmInit                 address log-driver
SwarmUpdate               log-driver

GetPluginPrivileges       registry
PluginPull                {_PRIVILEGES}
PluginUpgrade             {_PRIVILEGES}
PluginEnable              {_PRIVILEGES}
PluginSet                 image bind device
PluginCreate              privileged tag
PluginDisable             image
PluginDelete              image
PluginPush                image
"""

_ALWAYS: Final = frozenset({"field", "query"})
"""What nobody knows can be asked anywhere."""


def _read() -> dict[str, frozenset[str]]:
    table = {operation.name: _ALWAYS for operation in OPERATIONS}
    for line in _TABLE.splitlines():
        name, *kinds = line.split() or ("",)
        if name:
            table[name] |= frozenset(kinds)
    return table


MAY_ASK: Final[Mapping[str, frozenset[str]]] = MappingProxyType(_read())
"""The kinds that a call of each operation can ask for."""
