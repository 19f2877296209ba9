"""Prunes: what is removed has no name, so the labels that the filter demands stand for whose it is."""

from __future__ import annotations

from typing import Final

from sockproxy.docker import body as json_body
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.inspector import is_true
from sockproxy.docker.inspectors.whose import Labels
from sockproxy.model import Inspection

PRUNE: Final = "(prune)"
"""The value of a prune's ask."""

PRUNE_ALL: Final = "(prune all)"
"""The value where named volumes go too: `all=true`, and always below API 1.42 (moby, volume_routes.go)."""

ANY_VALUE: Final = "*"
"""The value of a label that a filter names without one: it takes in every value, and no pattern but `*` takes in it."""


def inspect_prune(found: Findings, kind: str) -> Inspection:
    """A prune of containers, networks or volumes."""
    filters = read_filters(found.query.get("filters", ""))
    found.ask(kind, PRUNE, "?filters", labels=_labels(filters))
    return found.forward()


def inspect_volume_prune(found: Findings) -> Inspection:
    """A prune of volumes."""
    filters = read_filters(found.query.get("filters", ""))
    everything = found.call.version < (1, 42) or any(is_true(value) for value in filters.get("all", ()))
    found.ask("volume", PRUNE_ALL if everything else PRUNE, "?filters", labels=_labels(filters))
    return found.forward()


def read_filters(text: str) -> dict[str, list[str]]:
    """The filters of a canonical query, each with its values.

    INVARIANT: `read_query` has put both of the shapes that clients send into one, ``{"label":{"a=b":true}}``.
    """
    parsed = json_body.parse(text.encode()) if text else {}
    assert isinstance(parsed, dict)
    return {key: list(values) for key, values in parsed.items() if isinstance(values, dict)}


def _labels(filters: dict[str, list[str]]) -> Labels:
    """The labels that everything removed must have: filters of one sort are all demanded."""
    labels: list[tuple[str, str]] = []
    for each in filters.get("label", ()):
        key, equals, value = each.partition("=")
        labels.append((key, value if equals else ANY_VALUE))
    return tuple(labels)
