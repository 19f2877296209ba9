"""One file over another, and a service over the one that it extends: compose's own rules, key by key.

    mappings       key by key                              words          the later one
    lists          the later one behind the earlier        null           changes nothing
    command, entrypoint, healthcheck.test                  the later one alone
    labels, environment, sysctls, networks, …              in one form first: a list and a mapping can be mixed
    !reset, !override                                      nothing of what was there; itself alone

Of two ports, or two mounts at one place, the later one holds too: who reads them sees to it.

(compose-go, ``override/merge.go`` and ``override/uncity.go``; tried with docker compose 2.40.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sockproxy.compose.document import OVERRIDE, RESET, Mapping, Node, Scalar, Sequence, is_nothing, without_tags
from sockproxy.compose.notes import Notes

_REPLACED: Final = frozenset({"services.*.command", "services.*.entrypoint", "services.*.healthcheck.test"})
"""Paths of what is never put together: the later one holds."""

_PAIRS: Final = frozenset(
    {
        *(
            f"services.*.{key}"
            for key in ("annotations", "environment", "labels", "sysctls", "extra_hosts", "storage_opt")
        ),
        *(f"services.*.build.{key}" for key in ("args", "labels", "additional_contexts", "extra_hosts", "ssh")),
        *("services.*.deploy.labels", "networks.*.labels", "volumes.*.labels", "configs.*.labels", "secrets.*.labels"),
    }
)
"""Paths of `key=value`, as a mapping or a list: put together as a list."""

_NAMED: Final = frozenset({"services.*.networks", "services.*.depends_on", "services.*.models"})
"""Paths of names, as a mapping or a list: put together as a mapping."""

_ONE_OR_MORE: Final = frozenset(
    {f"services.*.{key}" for key in ("dns", "dns_search", "tmpfs", "env_file", "label_file")}
)
"""Paths of a list that may be a word alone."""


def merged(base: Node, over: Node, path: str, notes: Notes) -> Node:
    """What two files come to at a path: `services.*.labels`."""
    if over.tag == OVERRIDE:
        return without_tags(over)
    if is_nothing(over):
        return base
    if is_nothing(base) or path in _REPLACED:
        return over
    if path == "services.*.logging" and _other_driver(base, over):
        return over
    if path == "services.*.build":
        base, over = _build(base), _build(over)
    if path in _PAIRS:
        base, over = _pairs(base), _pairs(over)
    elif path in _NAMED:
        base, over = _named(base, path), _named(over, path)
    elif path in _ONE_OR_MORE:
        base, over = _list(base), _list(over)
    if path.startswith("services.*.ulimits.") and type(base) is not type(over):
        return over
    return _put_together(base, over, path, notes)


def _put_together(base: Node, over: Node, path: str, notes: Notes) -> Node:
    match base, over:
        case Mapping(), Mapping():
            return _mappings(base, over, path, notes)
        case Sequence(), Sequence():
            return replace(base, items=base.items + over.items)
        case Scalar(), Scalar():
            return over
    notes.wrong(
        over,
        f"this cannot be put over what stands in {base.place}",
        "one is a list, a mapping or a word, the other not",
    )
    return over


def _mappings(base: Mapping, over: Mapping, path: str, notes: Notes) -> Mapping:
    entries = {key.text: (key, value) for key, value in base.entries}
    for key, value in over.entries:
        if value.tag == RESET:
            entries.pop(key.text, None)
        elif key.text not in entries or key.text.startswith("x-"):
            entries[key.text] = key, value
        else:
            below = merged(entries[key.text][1], value, below_path(path, key.text), notes)
            entries[key.text] = key, below
    return replace(over, entries=tuple(entries.values()))


_BY_NAME: Final = frozenset({"services", "networks", "volumes", "configs", "secrets", "services.*.ulimits"})


def below_path(path: str, key: str) -> str:
    """The path of a key: names are a star in it."""
    if not path:
        return key
    return f"{path}.*" if path in _BY_NAME else f"{path}.{key}"


def cleaned(node: Node) -> Node:
    """The node without what is reset and without tags, once nothing is to be put over it any more."""
    match node:
        case Scalar():
            return without_tags(node)
        case Sequence(place=place, items=items):
            return Sequence(place, tuple(cleaned(item) for item in items if item.tag != RESET))
        case Mapping(place=place, entries=entries):
            return Mapping(place, tuple((key, cleaned(value)) for key, value in entries if value.tag != RESET))


# Forms


def _other_driver(base: Node, over: Node) -> bool:
    drivers = [node.get("driver") if isinstance(node, Mapping) else None for node in (base, over)]
    words = [driver.text for driver in drivers if isinstance(driver, Scalar)]
    return len(words) == 2 and words[0] != words[1]


def _build(node: Node) -> Node:
    if not isinstance(node, Scalar):
        return node
    return Mapping(node.place, ((Scalar(node.place, "context"), node),))


def _pairs(node: Node) -> Node:
    if not isinstance(node, Mapping):
        return node
    items: list[Node] = []
    for key, value in node.entries:
        match value:
            case Scalar(nothing=True):
                items.append(Scalar(key.place, key.text))
            case Scalar():
                items.append(Scalar(key.place, f"{key.text}={value.said}"))
            case Sequence(items=several):  # several addresses of one host
                items += [Scalar(key.place, f"{key.text}={each.said}") for each in several if isinstance(each, Scalar)]
            case Mapping():
                items.append(value)
    return Sequence(node.place, tuple(items))


def _named(node: Node, path: str) -> Node:
    """Names with what is said of them. A dependency that is merely named is one to be started."""
    if not isinstance(node, Sequence):
        return node
    entries: list[tuple[Scalar, Node]] = []
    for item in node.items:
        if isinstance(item, Scalar):
            value: Node = Scalar(item.place, "", plain=True)
            if path == "services.*.depends_on":
                value = Mapping(item.place, ((Scalar(item.place, "condition"), Scalar(item.place, "service_started")),))
            entries.append((item, value))
    return Mapping(node.place, tuple(entries))


def _list(node: Node) -> Node:
    return Sequence(node.place, (node,)) if isinstance(node, Scalar) else node
