"""The body of ``/volumes/create`` (moby: ``api/types/volume``).

``ClusterVolumeSpec``, and the ``Spec`` of an update, are not in the table on purpose: swarm's CSI volumes name plugins,
mount flags and secrets, and are granted as a whole, as the ``field`` that they are.
"""

from __future__ import annotations

from typing import Final

from sockproxy.docker.fields.schema import Map, Str, Struct

CREATE: Final = Struct({"Name": Str(), "Driver": Str(), "DriverOpts": Map(Str()), "Labels": Map(Str())})

UPDATE: Final = Struct({})
