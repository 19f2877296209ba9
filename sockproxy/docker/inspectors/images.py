"""Images: pulled, imported, pushed, tagged, saved, loaded, removed, committed. Looking at one asks nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker import references
from sockproxy.docker.fields import containers as fields
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.inspector import Inspector, nothing
from sockproxy.docker.inspectors.pruning import PRUNE
from sockproxy.docker.inspectors.whose import Purpose, image, inspect_registry, subject_container, tagged
from sockproxy.errors import Malformed
from sockproxy.model import Inspection

_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


def _pull_or_import(found: Findings) -> Inspection:
    """``?fromImage=`` pulls; else ``?fromSrc=`` imports, from the body (``-``) or a URL that the engine fetches."""
    query = found.query
    tag = query.get("tag", "")
    if name := query.get("fromImage"):
        # A trailing colon is ignored; neither tag nor digest is a pull of every tag (moby, image_routes.go).
        value = tagged(name.removesuffix(":"), tag, "?fromImage", untagged=references.ALL_TAGS)
        found.ask("image", value, "?fromImage")
    source = query.get("fromSrc", "")
    if source:
        url = source if source == "-" or _SCHEME.match(source) else f"http://{source}"
        found.ask("import", url, "?fromSrc")
        if repository := query.get("repo"):
            found.ask("tag", tagged(repository, tag, "?repo"), "?repo")
    if not name and not source:
        raise Malformed("an image is made from ?fromImage or ?fromSrc")
    return found.forward()


def _push(found: Findings) -> Inspection:
    value = tagged(found.call.params["name"], found.query.get("tag", ""), "path", untagged=references.ALL_TAGS)
    found.ask("image", value, "path")
    return found.forward()


def _tag(found: Findings) -> Inspection:
    path = _image_in_path(found)
    repository = found.query.get("repo", "")
    if not repository:
        raise Malformed("a tag needs ?repo")
    found.ask("tag", tagged(repository, found.query.get("tag", ""), "?repo"), "?repo")
    return found.forward(path=path)


def _in_path(found: Findings) -> Inspection:
    return found.forward(path=_image_in_path(found))


def _image_in_path(found: Findings) -> str | None:
    """The ask for the image in the path; gives back the path with the full id in it where it was named by one."""
    reference = found.call.params["name"]
    known = image(found, reference, "path")
    if known is None or known.forward == reference:
        return None
    return found.path_of(known.forward)


def _save(found: Findings) -> Inspection:
    names = found.values("names")
    if not names:
        raise Malformed("?names: which images?")
    for name in names:
        # Forwarded by name: the tar says under which names an image was asked for.
        image(found, name, "?names")
    return found.forward()


def _load(found: Findings) -> Inspection:
    found.ask("import", "load", "body")
    return found.forward()


def _prune(found: Findings) -> Inspection:
    found.ask("image", PRUNE, "?filters")
    return found.forward()


def _commit(found: Findings) -> Inspection:
    body = found.body(fields.COMMIT)
    reference = found.query.get("container", "")
    if not reference:
        raise Malformed("a commit needs ?container")
    container = subject_container(found, reference, "?container", Purpose.COPY)
    if repository := found.query.get("repo"):
        found.ask("tag", tagged(repository, found.query.get("tag", ""), "?repo"), "?repo")
    query = found.query_with("container", container.forward) if container is not None else None
    return found.forward(query=query, body=None if found.call.body is None else body)


def _distribution(found: Findings) -> Inspection:
    """The engine asks the registry that the name says."""
    inspect_registry(found, found.call.params["name"], "path")
    return found.forward()


def _search(found: Findings) -> Inspection:
    try:
        registry = references.registry_of_search(found.query.get("term", ""))
    except references.InvalidReferenceError as error:
        raise Malformed(f"?term: {error}") from None
    found.ask("registry", registry, "?term")
    return found.forward()


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        "ImageList": nothing,
        "ImageInspect": nothing,
        "ImageHistory": nothing,
        "ImageAttestations": nothing,
        "ImageCreate": _pull_or_import,
        "ImagePush": _push,
        "ImageTag": _tag,
        "ImageDelete": _in_path,
        "ImageGet": _in_path,
        "ImageGetAll": _save,
        "ImageLoad": _load,
        "ImagePrune": _prune,
        "ImageSearch": _search,
        "ImageCommit": _commit,
        "DistributionInspect": _distribution,
    }
)
