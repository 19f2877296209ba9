"""The bodies of the swarm itself, its nodes, secrets and configs (moby: ``api/types/swarm``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sockproxy.docker.fields.schema import UINT32, UINT64, Bool, Int, List, Map, Pointer, Schema, Str, Struct
from sockproxy.docker.fields.services import DRIVER

SPEC_FIELDS: Final[Mapping[str, Schema]] = {
    "Name": Str(),
    "Labels": Map(Str()),
    "Orchestration": Struct({"TaskHistoryRetentionLimit": Int()}),
    "Raft": Struct(
        {
            "SnapshotInterval": UINT64,
            "KeepOldSnapshots": UINT64,
            "LogEntriesForSlowFollowers": UINT64,
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
            "ForceRotate": UINT64,
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
        "DataPathPort": UINT32,
        "ForceNewCluster": Bool(),
        "Spec": UPDATE,
        "AutoLockManagers": Bool(),
        "DefaultAddrPool": List(Str()),
        "SubnetSize": UINT32,
    }
)

JOIN: Final = Struct({**_LISTENER_FIELDS, "RemoteAddrs": List(Str()), "JoinToken": Str()})

UNLOCK: Final = Struct({"UnlockKey": Str()})

NODE: Final = Struct({"Name": Str(), "Labels": Map(Str()), "Role": Str(), "Availability": Str()})

SECRET: Final = Struct({"Name": Str(), "Labels": Map(Str()), "Data": Str(), "Driver": DRIVER, "Templating": DRIVER})

CONFIG: Final = Struct({"Name": Str(), "Labels": Map(Str()), "Data": Str(), "Templating": DRIVER})
