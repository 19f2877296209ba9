"""What a call asks for. Inspectors only list asks and know no policy; one file per noun, all of them listed here.

containers  checkpoints  execs  images  builds  networks  volumes   one inspector for each row of the Engine API
services  swarm  plugins  system
host_config  mounts  networking  entering  devices  security  ports  what several of them are made of
whose  findings                                                      references and look-ups; what was found so far
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker.call import Call
from sockproxy.docker.inspectors import (
    builds,
    checkpoints,
    containers,
    execs,
    images,
    networks,
    plugins,
    services,
    swarm,
    system,
    volumes,
)
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.inspector import Inspector, nothing, unversioned
from sockproxy.model import Context, Inspection

__all__ = ["ASKS_NOTHING", "INSPECTED", "inspect"]

_INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        **system.INSPECTORS,
        **containers.INSPECTORS,
        **checkpoints.INSPECTORS,
        **execs.INSPECTORS,
        **images.INSPECTORS,
        **builds.INSPECTORS,
        **networks.INSPECTORS,
        **volumes.INSPECTORS,
        **services.INSPECTORS,
        **swarm.INSPECTORS,
        **plugins.INSPECTORS,
    }
)

INSPECTED: Final = frozenset(_INSPECTORS)
"""The names of the operations that can be judged, and so allowed by a policy."""


ASKS_NOTHING: Final = frozenset(name for name, inspector in _INSPECTORS.items() if inspector in (nothing, unversioned))
"""The operations whose calls ask nothing but what an unknown query parameter asks: to allow the row is to allow all."""


def inspect(call: Call, context: Context, held: frozenset[str]) -> Inspection:
    """List what a call asks for, and build what would be forwarded.

    ``held`` are the kinds that some rule for this operation holds to something: a look-up that would only serve another
    kind is not made. While ``needs`` of the answer is not empty its asks are not complete.

    Raises:
        Malformed: a value has the wrong type, is ambiguous, or is one that the engine would refuse.
        KeyError: the operation is not one of `INSPECTED`.
    """
    return _INSPECTORS[call.operation.name](Findings(call, context, held))
