"""What every migration withholds, whatever the old proxy said: the table.

Law: a migration gives reach, never power. The old proxies look at a method and a path; what a body asks for went
through unseen. So the rules made here grant nothing that was not expressly named (`-allowbindmountfrom`), and three
sorts of things that went through do so no longer:

    row     endpoints that are a road to the host by themselves, or do more than their method says
    power   what a request of an endpoint that is given may ask for: each has a `grant` that would allow it
    form    requests that can be read in two ways, and paths that are no endpoint
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from sockproxy.classic.migration import Stricter, brief
from sockproxy.classic.rows import section
from sockproxy.docker.operations import OPERATIONS, Operation

WEBSOCKET: Final = "ContainerAttachWebsocket"

ROADS: Final = {
    "SwarmInspect": "it tells the join tokens, and whoever joins as a manager runs what it likes on every node",
    "SwarmUnlockkey": "it tells the key that the managers' secrets are encrypted with",
    "SwarmJoin": "the host joins a cluster, and its managers run there what they like",
}
"""Rows that are a road to the host by themselves: given only by a rule that somebody writes."""

NEVER: Final = frozenset(row.name for row in OPERATIONS if row.never)

DEBUG: Final = frozenset(row.name for row in OPERATIONS if section(row) == "debug")

HELD_BACK: Final = NEVER | DEBUG | ROADS.keys()
"""Rows that no migration gives."""

_MAKING: Final = (
    "bind publish privileged namespace capability device gpu security-opt volume-driver volumes-from link log-driver"
    " sysctl runtime cgroup-parent group annotation storage-opt resource address"
)

_SERVING: Final = (
    "bind publish secret config namespace capability volume-driver device gpu security-opt sysctl log-driver resource"
    " group"
)

POWERS: Final[tuple[tuple[str, str, str], ...]] = (
    ("ContainerCreate", _MAKING, "a container can be given the host"),
    ("ContainerStart", "bind", "a checkpoint's folder is a path of the host"),
    ("ContainerUpdate", "device resource", "a running container can be given devices"),
    ("ContainerExec", "privileged", "a privileged process can leave its container"),
    ("CheckpointList CheckpointCreate CheckpointDelete", "bind", "a checkpoint's folder is a path of the host"),
    ("ImageCreate", "import", "an image from a tar or a URL can stand in for one that others run"),
    (
        "ImageLoad",
        "import",
        "every call asks for it: a tar's names are not seen, and may be those that others run",
    ),
    ("ImageBuild", "namespace build security-opt cgroup-parent", "a build can use the host's network"),
    ("VolumeCreate", "bind volume-driver", "a volume's options can mount the host"),
    ("NetworkCreate", "network-driver address", "a network can join the host's own, or take its addresses"),
    ("NetworkConnect", "address link namespace", "an address can be another's"),
    (
        "PluginPull PluginUpgrade PluginEnable PluginSet",
        "bind namespace capability device",
        "a plugin runs as root, with what it was granted of the host",
    ),
    ("PluginCreate", "privileged", "every call asks for it: what a plugin made from a tar wants is not seen"),
    (
        "ServiceCreate ServiceUpdate",
        _SERVING,
        "a service's containers can be given any node of the swarm",
    ),
    ("SwarmInit SwarmUpdate", "address log-driver", "the swarm's certificates and addresses can become another's"),
    ("NodeUpdate", "field", "a node that is made a manager (`Role=manager`) runs what it likes on every node"),
    ("SecretCreate ConfigCreate", "volume-driver", "a driver is code of somebody else's"),
    ("Session", "tunnel", "every call asks for it: what goes through BuildKit's connection is not seen"),
    ("Grpc", "tunnel namespace", "every call asks for it: it can build on the host's network, and push"),
)
"""Rows, the kinds of `grant` that their requests may ask for, and what could be done with them."""

ENTERING: Final = frozenset({"ContainerExec", "ExecStart", "ContainerAttach", WEBSOCKET, "PutContainerArchive"})

FORMS: Final = (
    Stricter(
        "form",
        "requests that can be read in two ways",
        "fields, parameters and API features that sockproxy does not know, two spellings of a key, a body or an"
        " `Upgrade` where none belongs, and what a browser sends, are refused and not guessed at",
    ),
    Stricter(
        "form",
        "paths that are no endpoint of the Engine API",
        "other case (`/Containers/json`), words that only begin like a section (`/containersx`), `/libpod/…`, HEAD"
        " where Docker serves GET alone, dot segments and doubled slashes went on to the engine, which knows few",
    ),
    Stricter(
        "form",
        "API versions before 1.24",
        "Docker has given them up",
        'api: {min: "1.22"}',
    ),
    Stricter(
        "form",
        "sockproxy's own container",
        "it is never entered, changed, stopped or removed, whatever a rule says",
    ),
)
"""What holds for every policy of sockproxy."""


def powers_of(operations: Collection[str]) -> tuple[str, ...]:
    """The kinds of `grant` to propose for these rows, each once: what a request that changes something may ask for.

    Not `field`, whose patterns are values that somebody has to look at one by one.
    """
    changing = {row.name for row in OPERATIONS if row.name in operations and row.method != "GET"}
    kinds = [kind for rows, kinds, _ in POWERS if not changing.isdisjoint(rows.split()) for kind in kinds.split()]
    return tuple(kind for kind in dict.fromkeys(kinds) if kind != "field")


def stricter(reached: Collection[str], given: Collection[str]) -> tuple[Stricter, ...]:
    """What is stricter: ``reached`` are the rows that the old proxy let through, ``given`` those that a rule gives."""
    return (*_rows(set(reached) - set(given)), *_powers(given), *FORMS)


def _rows(withheld: Collection[str]) -> Iterator[Stricter]:
    """An entry for each reason, in the order of the table."""
    reasons: dict[str, list[Operation]] = {}
    for row in OPERATIONS:
        if row.name in withheld and not row.always:
            reasons.setdefault(_reason(row.name), []).append(row)
    for why, rows in reasons.items():
        names = frozenset(row.name for row in rows)
        remedy = "" if names & NEVER else f"allow: [{brief(names)}]"
        yield Stricter("row", brief(names) or _paths(names), why, remedy, names)


def _reason(name: str) -> str:
    if name in NEVER:
        return "API 1.24 took it away, and has GET /containers/{id}/archive instead"
    if name in ROADS:
        return ROADS[name]
    if name == WEBSOCKET:
        return "it types into a container, though its method is GET"
    return "it shows the engine's inside: what it does, and what its memory holds"


def _powers(given: Collection[str]) -> Iterator[Stricter]:
    for rows, kinds, why in POWERS:
        names = frozenset(rows.split()) & frozenset(given)
        if names:
            shown = ", ".join(f"`{kind}`" for kind in kinds.split())
            first = kinds.split()[0]
            yield Stricter(
                "power",
                f"{_paths(names)} asking {shown}",
                why,
                f"grant: {{{first}: …}} in its rule",
                operations=names,
            )
    entering = ENTERING & frozenset(given)
    if entering:
        yield Stricter(
            "power",
            f"{_paths(entering)} of a container that has more than could be created",
            "whoever enters a container has what it was given; granting that is granting both",
            operations=entering,
        )


def _paths(names: Collection[str]) -> str:
    return ", ".join(f"{row.method} {row.template}" for row in OPERATIONS if row.name in names)
