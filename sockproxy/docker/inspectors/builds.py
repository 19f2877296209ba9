"""Builds: every query parameter of ``/build``. What the Dockerfile in the body builds from is not seen."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker import body as json_body
from sockproxy.docker.fields import build as fields
from sockproxy.docker.fields.schema import List, Place
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.host_config import join_namespace
from sockproxy.docker.inspectors.inspector import Inspector, nothing
from sockproxy.docker.inspectors.networking import join
from sockproxy.docker.inspectors.security import security_ask
from sockproxy.docker.inspectors.whose import image, part, tagged, text
from sockproxy.errors import Malformed
from sockproxy.model import Ask, Inspection, Json, JsonObject

_OWN_CONTEXTS: Final = frozenset({"", "client-session", "upload-request"})
"""`remote` values that fetch nothing: the body, BuildKit's session, and a body sent by a request of its own."""

_CLIENT_OUTPUTS: Final = frozenset({"", "local", "tar", "cacheonly"})
"""Exporters whose result goes to the client, or nowhere."""

_ENGINE_OUTPUTS: Final = frozenset({"moby", "docker", "image"})
"""Exporters into this engine's images, as long as they are given a name and nothing else (`push=true` would push)."""


def _build(found: Findings) -> Inspection:
    query = found.query
    for name in found.values("t"):
        if name:
            found.ask("tag", tagged(name, "", "?t"), "?t")
    if (remote := query.get("remote", "")) not in _OWN_CONTEXTS:
        found.ask("build", f"remote={remote}", "?remote")
    _inspect_outputs(found, query.get("outputs", ""))
    replaced = _inspect_network(found, query.get("networkmode", ""))
    if parent := query.get("cgroupparent"):
        found.ask("cgroup-parent", parent, "?cgroupparent")
    for option in found.values("securityopt"):
        if option and (ask := security_ask(option, "?securityopt")) is not None:
            found.ask("security-opt", ask, "?securityopt")
    for host in found.values("extrahosts"):
        if host:
            found.ask("extra-host", host, "?extrahosts")
    for source in _read(query.get("cachefrom", ""), fields.CACHE_FROM, "?cachefrom", found):
        if isinstance(source, str) and source:
            image(found, source, "?cachefrom")
    version = query.get("version", "")
    if version not in ("", "1", "2"):
        found.ask("query", f"version={version}", "?version")
    return found.forward(query=found.query_with("networkmode", replaced))


def _inspect_network(found: Findings, mode: str) -> str:
    """The network of RUN; gives back what to forward."""
    if mode == "none":
        return mode
    if mode.startswith("container:"):
        return join_namespace(found, "network", mode, "?networkmode")
    return join(found, mode, "?networkmode")


def _inspect_outputs(found: Findings, outputs: str) -> None:
    for output in _read(outputs, fields.OUTPUTS, "?outputs", found):
        kind = text(output, "Type")
        if kind in _CLIENT_OUTPUTS:
            continue
        attributes = part(output, "Attrs")
        if kind in _ENGINE_OUTPUTS and attributes.keys() <= {"name"}:
            _inspect_output_names(found, attributes)
            continue
        shown = "".join(f" {key}={value}" for key, value in attributes.items())
        found.ask("build", f"output={kind}{shown}", "?outputs")


def _inspect_output_names(found: Findings, attributes: JsonObject) -> None:
    for name in text(attributes, "name").split(","):
        if name:
            found.ask("tag", tagged(name, "", "?outputs"), "?outputs")


def _read(parameter: str, schema: List, where: str, found: Findings) -> list[Json]:
    """A list in JSON; nothing where the parameter is empty or null."""
    if not parameter:
        return []
    parsed = json_body.parse(parameter.encode())
    if parsed is None:
        return []
    unknown: list[Ask] = []
    value = schema.read(parsed, Place(where, where), unknown)
    found.asks.extend(unknown)
    if not isinstance(value, list):
        raise Malformed(f"{where} must be a list")
    return value


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        "ImageBuild": _build,
        "BuildPrune": nothing,
        "BuildCancel": nothing,
    }
)
