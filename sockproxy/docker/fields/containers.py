"""The bodies of ``/containers/create``, an update, a checkpoint and ``/commit`` (moby: ``api/types``).

The top level of a create is Config, with HostConfig and NetworkingConfig beside it. Engines up to 26 also read every
field of HostConfig there, if no HostConfig object came (moby v26.1, runconfig/config_unix.go): such a field is refused
there, and a HostConfig is always forwarded, so that none is ever read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sockproxy.docker.fields.networks import ENDPOINT
from sockproxy.docker.fields.schema import (
    UINT16,
    UINT32,
    UINT64,
    Bool,
    Ignored,
    Int,
    List,
    Map,
    Misplaced,
    Pointer,
    Schema,
    Str,
    Struct,
    Words,
)

_SET: Final = Map(Struct({}))
"""Go's ``map[string]struct{}``: only the keys say something."""

HEALTHCHECK: Final = Struct(
    {
        "Test": List(Str()),
        "Interval": Int(),
        "Timeout": Int(),
        "StartPeriod": Int(),
        "StartInterval": Int(),
        "Retries": Int(),
    }
)

CONFIG_FIELDS: Final[Mapping[str, Schema]] = {
    "Hostname": Str(),
    "Domainname": Str(),
    "User": Str(),
    "AttachStdin": Bool(),
    "AttachStdout": Bool(),
    "AttachStderr": Bool(),
    "ExposedPorts": _SET,
    "Tty": Bool(),
    "OpenStdin": Bool(),
    "StdinOnce": Bool(),
    "Env": List(Str()),
    "Cmd": Words(),
    "Healthcheck": HEALTHCHECK,
    "ArgsEscaped": Bool(),
    "Image": Str(),
    "Volumes": _SET,
    "WorkingDir": Str(),
    "Entrypoint": Words(),
    "NetworkDisabled": Bool(),
    "MacAddress": Str(),
    "OnBuild": List(Str()),
    "Labels": Map(Str()),
    "StopSignal": Str(),
    "StopTimeout": Int(),
    "Shell": Words(),
}
"""Config: what an image can say too. Also the body of a commit."""

_WEIGHT_DEVICES: Final = List(Pointer({"Path": Str(), "Weight": UINT16}))
_THROTTLE_DEVICES: Final = List(Pointer({"Path": Str(), "Rate": UINT64}))

RESOURCE_FIELDS: Final[Mapping[str, Schema]] = {
    "CpuShares": Int(),
    "Memory": Int(),
    "NanoCpus": Int(),
    "CgroupParent": Str(),
    "BlkioWeight": UINT16,
    "BlkioWeightDevice": _WEIGHT_DEVICES,
    "BlkioDeviceReadBps": _THROTTLE_DEVICES,
    "BlkioDeviceWriteBps": _THROTTLE_DEVICES,
    "BlkioDeviceReadIOps": _THROTTLE_DEVICES,
    "BlkioDeviceWriteIOps": _THROTTLE_DEVICES,
    "CpuPeriod": Int(),
    "CpuQuota": Int(),
    "CpuRealtimePeriod": Int(),
    "CpuRealtimeRuntime": Int(),
    "CpusetCpus": Str(),
    "CpusetMems": Str(),
    "Devices": List(Struct({"PathOnHost": Str(), "PathInContainer": Str(), "CgroupPermissions": Str()})),
    "DeviceCgroupRules": List(Str()),
    "DeviceRequests": List(
        Struct(
            {
                "Driver": Str(),
                "Count": Int(),
                "DeviceIDs": List(Str()),
                "Capabilities": List(List(Str())),
                "Options": Map(Str()),
            }
        )
    ),
    "DiskQuota": Int(),
    "KernelMemory": Int(),
    "KernelMemoryTCP": Int(),
    "MemoryReservation": Int(),
    "MemorySwap": Int(),
    "MemorySwappiness": Int(),
    "OomKillDisable": Bool(),
    "PidsLimit": Int(),
    "Ulimits": List(Pointer({"Name": Str(), "Hard": Int(), "Soft": Int()})),
    "CpuCount": Int(),
    "CpuPercent": Int(),
    "IOMaximumIOps": UINT64,
    "IOMaximumBandwidth": UINT64,
}
"""Resources: what HostConfig and an update share."""

_RESTART_POLICY: Final = Struct({"Name": Str(), "MaximumRetryCount": Int()})

MOUNT: Final = Struct(
    {
        "Type": Str(),
        "Source": Str(),
        "Target": Str(),
        "ReadOnly": Bool(),
        "Consistency": Str(),
        "BindOptions": Struct(
            {
                "Propagation": Str(),
                "NonRecursive": Bool(),
                "CreateMountpoint": Bool(),
                "ReadOnlyNonRecursive": Bool(),
                "ReadOnlyForceRecursive": Bool(),
            }
        ),
        "VolumeOptions": Struct(
            {
                "NoCopy": Bool(),
                "Labels": Map(Str()),
                "Subpath": Str(),
                "DriverConfig": Struct({"Name": Str(), "Options": Map(Str())}),
            }
        ),
        "ImageOptions": Struct({"Subpath": Str()}),
        "TmpfsOptions": Struct({"SizeBytes": Int(), "Mode": UINT32, "Options": List(List(Str()))}),
        "ClusterOptions": Struct({}),
    }
)

HOST_CONFIG_FIELDS: Final[Mapping[str, Schema]] = {
    "Binds": List(Str()),
    # Written by the command line on its own machine; no engine reads it.
    "ContainerIDFile": Ignored(),
    "LogConfig": Struct({"Type": Str(), "Config": Map(Str())}),
    "NetworkMode": Str(),
    "PortBindings": Map(List(Struct({"HostIp": Str(), "HostPort": Str()}))),
    "RestartPolicy": _RESTART_POLICY,
    "AutoRemove": Bool(),
    "VolumeDriver": Str(),
    "VolumesFrom": List(Str()),
    "ConsoleSize": List(UINT64),
    "Annotations": Map(Str()),
    "CapAdd": List(Str()),
    "CapDrop": List(Str()),
    # API 1.40 alone (Engine 19.03): the exact set of capabilities, beside CapAdd. Nothing that is sent today needs it.
    "Capabilities": Misplaced(),
    "CgroupnsMode": Str(),
    "Dns": List(Str()),
    "DnsOptions": List(Str()),
    "DnsSearch": List(Str()),
    "ExtraHosts": List(Str()),
    "GroupAdd": List(Str()),
    "IpcMode": Str(),
    "Cgroup": Str(),
    "Links": List(Str()),
    "OomScoreAdj": Int(),
    "PidMode": Str(),
    "Privileged": Bool(),
    "PublishAllPorts": Bool(),
    "ReadonlyRootfs": Bool(),
    "SecurityOpt": List(Str()),
    "StorageOpt": Map(Str()),
    "Tmpfs": Map(Str()),
    "UTSMode": Str(),
    "UsernsMode": Str(),
    "ShmSize": Int(),
    "Sysctls": Map(Str()),
    "Runtime": Str(),
    "Isolation": Str(),
    **RESOURCE_FIELDS,
    "Mounts": List(MOUNT),
    "MaskedPaths": List(Str()),
    "ReadonlyPaths": List(Str()),
    "Init": Bool(),
}
HOST_CONFIG: Final = Struct(HOST_CONFIG_FIELDS)

CREATE: Final = Struct(
    {
        # Engine 1.12 read CPU sets here; up to 26 the rest of HostConfig was read too.
        **dict.fromkeys((*HOST_CONFIG_FIELDS, "Cpuset"), Misplaced()),
        # docker-py's low-level API echoes it here when `runtime=` is set: judged like HostConfig's, then dropped.
        "Runtime": Str(),
        **CONFIG_FIELDS,
        "HostConfig": HOST_CONFIG,
        "NetworkingConfig": Struct({"EndpointsConfig": Map(ENDPOINT)}),
        # What clients repeat from the query, and what no engine of the table reads any more.
        **dict.fromkeys(("name", "platform", "PortSpecs", "PublishService"), Ignored()),
    }
)

UPDATE: Final = Struct(
    {
        **RESOURCE_FIELDS,
        "RestartPolicy": _RESTART_POLICY,
        # docker-java sends it; the engine has no such field in an update.
        "Init": Ignored(),
    }
)

COMMIT: Final = Struct(
    {
        **CONFIG_FIELDS,
        # dockerode repeats the query, docker-java its own object; the engine reads a Config alone.
        **dict.fromkeys(
            (
                *("container", "repo", "tag", "comment", "author", "pause", "changes"),
                *("containerId", "repository", "message", "DisableNetwork", "Memory", "MemorySwap", "PortSpecs"),
            ),
            Ignored(),
        ),
    }
)

CHECKPOINT: Final = Struct({"CheckpointID": Str(), "CheckpointDir": Str(), "Exit": Bool()})
