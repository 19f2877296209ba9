"""The bodies of the swarm itself, its nodes, secrets and configs (moby: ``api/types/swarm``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sockproxy.docker.fields.schema import Bool, Int, List, Map, Pointer, Schema, Str, Struct
from sockproxy.docker.fields.services import DRIVER

_UINT32: Final = Int(0, 2**32 - 1)
_UINT64: Final = Int(0, 2**64 - 1)

SPEC_FIELDS: Final[Mapping[str, Schema]] = {
    "Name": Str(),
    "Labels": Map(Str()),
    "Orchestration": Struct({"TaskHistoryRetentionLimit": Int()}),
    "Raft": Struct(
        {
            "SnapshotInterval": _UINT64,
            "KeepOldSnapshots": _UINT64,
            "LogEntriesForSlowFollowers": _UINT64,
            "ElectionTick": Int(),
            "HeartbeatTick": Int(),
        }
    ),
    "Dispatcher": Struct({"HeartbeatPeriod": Int()}),
    "CAConfig": Struct(
        {
            "NodeCertExpiry": Int(),
            "ExternalCAs": List(Pointer({"Protocol": Str(), "URL": Str(), "Options": Map(Str()), "CACert": Str()})),
            "SigningCACert": Str(),
            "SigningCAKey": Str(),
            "ForceRotate": _UINT64,
        }
    ),
    "TaskDefaults": Struct({"LogDriver": DRIVER}),
    "EncryptionConfig": Struct({"AutoLockManagers": Bool()}),
}
"""The swarm's own Spec."""

UPDATE: Final = Struct(SPEC_FIELDS)

_LISTENER_FIELDS: Final[Mapping[str, Schema]] = {
    "ListenAddr": Str(),
    "AdvertiseAddr": Str(),
    "DataPathAddr": Str(),
    "Availability": Str(),
}

INIT: Final = Struct(
    {
        **_LISTENER_FIELDS,
        "DataPathPort": _UINT32,
        "ForceNewCluster": Bool(),
        "Spec": UPDATE,
        "AutoLockManagers": Bool(),
        "DefaultAddrPool": List(Str()),
        "SubnetSize": _UINT32,
    }
)

JOIN: Final = Struct({**_LISTENER_FIELDS, "RemoteAddrs": List(Str()), "JoinToken": Str()})

UNLOCK: Final = Struct({"UnlockKey": Str()})

NODE: Final = Struct({"Name": Str(), "Labels": Map(Str()), "Role": Str(), "Availability": Str()})

SECRET: Final = Struct({"Name": Str(), "Labels": Map(Str()), "Data": Str(), "Driver": DRIVER, "Templating": DRIVER})

CONFIG: Final = Struct({"Name": Str(), "Labels": Map(Str()), "Data": Str(), "Templating": DRIVER})
