"""The bodies of swarm's services (moby: ``api/types/swarm/{service,task,container}.go``).

``Networks`` beside ``TaskTemplate`` is the place of API versions below 1.44, and is read there by engines up to 28.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sockproxy.docker.fields.containers import HEALTHCHECK, MOUNT
from sockproxy.docker.fields.plugins import PRIVILEGES
from sockproxy.docker.fields.schema import UINT32, UINT64, Bool, Int, List, Map, Number, Pointer, Schema, Str, Struct

_FILE: Final = Struct({"Name": Str(), "UID": Str(), "GID": Str(), "Mode": UINT32})

_PRIVILEGES: Final = Struct(
    {
        "CredentialSpec": Struct({"Config": Str(), "File": Str(), "Registry": Str()}),
        "SELinuxContext": Struct({"Disable": Bool(), "User": Str(), "Role": Str(), "Type": Str(), "Level": Str()}),
        "Seccomp": Struct({"Mode": Str(), "Profile": Str()}),
        "AppArmor": Struct({"Mode": Str()}),
        "NoNewPrivileges": Bool(),
    }
)

CONTAINER_FIELDS: Final[Mapping[str, Schema]] = {
    "Image": Str(),
    "Labels": Map(Str()),
    "Command": List(Str()),
    "Args": List(Str()),
    "Hostname": Str(),
    "Env": List(Str()),
    "Dir": Str(),
    "User": Str(),
    "Groups": List(Str()),
    "Privileges": _PRIVILEGES,
    "Init": Bool(),
    "StopSignal": Str(),
    "TTY": Bool(),
    "OpenStdin": Bool(),
    "ReadOnly": Bool(),
    "Mounts": List(MOUNT),
    "StopGracePeriod": Int(),
    "Healthcheck": HEALTHCHECK,
    "Hosts": List(Str()),
    "DNSConfig": Struct({"Nameservers": List(Str()), "Search": List(Str()), "Options": List(Str())}),
    "Secrets": List(Pointer({"File": _FILE, "SecretID": Str(), "SecretName": Str()})),
    "Configs": List(Pointer({"File": _FILE, "Runtime": Struct({}), "ConfigID": Str(), "ConfigName": Str()})),
    "Isolation": Str(),
    "Sysctls": Map(Str()),
    "CapabilityAdd": List(Str()),
    "CapabilityDrop": List(Str()),
    "Ulimits": List(Pointer({"Name": Str(), "Hard": Int(), "Soft": Int()})),
    "OomScoreAdj": Int(),
}
"""ContainerSpec: what a service's container is made of."""

_GENERIC: Final = List(
    Struct(
        {
            "NamedResourceSpec": Struct({"Kind": Str(), "Value": Str()}),
            "DiscreteResourceSpec": Struct({"Kind": Str(), "Value": Int()}),
        }
    )
)

RESOURCES: Final = Struct(
    {
        "Limits": Struct({"NanoCPUs": Int(), "MemoryBytes": Int(), "Pids": Int(), "GenericResources": _GENERIC}),
        "Reservations": Struct({"NanoCPUs": Int(), "MemoryBytes": Int(), "GenericResources": _GENERIC}),
        "SwapBytes": Int(),
        "MemorySwappiness": Int(),
    }
)

DRIVER: Final = Struct({"Name": Str(), "Options": Map(Str())})

_ATTACHMENTS: Final = List(Struct({"Target": Str(), "Aliases": List(Str()), "DriverOpts": Map(Str())}))

TASK_FIELDS: Final[Mapping[str, Schema]] = {
    "ContainerSpec": Struct(CONTAINER_FIELDS),
    "PluginSpec": Struct(
        {"name": Str(), "remote": Str(), "privileges": PRIVILEGES, "disabled": Bool(), "env": List(Str())}
    ),
    "NetworkAttachmentSpec": Struct({"ContainerID": Str()}),
    "Resources": RESOURCES,
    "RestartPolicy": Struct({"Condition": Str(), "Delay": Int(), "MaxAttempts": UINT64, "Window": Int()}),
    "Placement": Struct(
        {
            "Constraints": List(Str()),
            "Preferences": List(Struct({"Spread": Struct({"SpreadDescriptor": Str()})})),
            "MaxReplicas": UINT64,
            "Platforms": List(Struct({"Architecture": Str(), "OS": Str()})),
        }
    ),
    "Networks": _ATTACHMENTS,
    "LogDriver": DRIVER,
    "ForceUpdate": UINT64,
    "Runtime": Str(),
}
"""TaskTemplate."""

_ROLLOUT: Final = Struct(
    {
        "Parallelism": UINT64,
        "Delay": Int(),
        "FailureAction": Str(),
        "Monitor": Int(),
        "MaxFailureRatio": Number(),
        "Order": Str(),
    }
)

SPEC: Final = Struct(
    {
        "Name": Str(),
        "Labels": Map(Str()),
        "TaskTemplate": Struct(TASK_FIELDS),
        "Mode": Struct(
            {
                "Replicated": Struct({"Replicas": UINT64}),
                "Global": Struct({}),
                "ReplicatedJob": Struct({"MaxConcurrent": UINT64, "TotalCompletions": UINT64}),
                "GlobalJob": Struct({}),
            }
        ),
        "UpdateConfig": _ROLLOUT,
        "RollbackConfig": _ROLLOUT,
        "Networks": _ATTACHMENTS,
        "EndpointSpec": Struct(
            {
                "Mode": Str(),
                "Ports": List(
                    Struct(
                        {
                            "Name": Str(),
                            "Protocol": Str(),
                            "TargetPort": UINT32,
                            "PublishedPort": UINT32,
                            "PublishMode": Str(),
                        }
                    )
                ),
            }
        ),
    }
)
