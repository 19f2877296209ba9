"""Image references, as Docker reads them. Law: the spellings of one image have one normal form.

    reference   = [domain "/"] path-component *("/" path-component) [":" tag] ["@" digest]
    python:3.12 → docker.io/library/python:3.12

The grammar is that of ``github.com/distribution/reference`` (``reference.go``, ``regexp.go``, ``normalize.go``), which
every engine of the table uses. Where a digest is given the engine ignores the tag, and so does the normal form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

DEFAULT_REGISTRY: Final = "docker.io"
"""Where a name without a domain is looked for."""

ALL_TAGS: Final = "*"
"""Stands for the tag where a pull or a push takes every tag of a repository."""

UNTAGGED: Final = "(untagged)"
"""Stands for the name of an image that has none, as one that was just built or committed without."""

_LENGTH_LIMIT: Final = 255

# domain-component ["." …] [":" port], or an IPv6 address in brackets; each ASCII alone, as Go's \w is.
_DOMAIN: Final = re.compile(
    r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?"
    r"|\[[a-fA-F0-9:]+\](?::[0-9]+)?"
)
# alpha-numeric *(separator alpha-numeric), separator = "." / "_" / "__" / 1*"-"
_PATH: Final = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# algorithm ":" hex; sha256 is exactly 64 and sha512 exactly 128 lower-case digits (opencontainers/go-digest)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_FULL_ID: Final = re.compile(r"[0-9a-f]{64}")

# What the engine would look for among image ids when no image has that name: any prefix, with or without the
# algorithm (moby, daemon/images/image.go and daemon/containerd/image.go).
_ID_LIKE: Final = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}")


class InvalidReferenceError(ValueError):
    """Not an image reference; the message names the text and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference. At most one of ``tag`` and ``digest`` is set; both are empty for a bare repository."""

    registry: str
    """``docker.io``, ``registry.example.com:5000``."""
    path: str
    """``library/python``."""
    tag: str = ""
    digest: str = ""
    """``sha256:…``."""

    @property
    def repository(self) -> str:
        """``docker.io/library/python``."""
        return f"{self.registry}/{self.path}"

    def __str__(self) -> str:
        """The normal form, with ``latest`` where neither tag nor digest was given."""
        return self.named("latest")

    def named(self, tag: str) -> str:
        """The normal form, with ``tag`` where neither tag nor digest was given."""
        if self.digest:
            return f"{self.repository}@{self.digest}"
        return f"{self.repository}:{self.tag or tag}"


@lru_cache(maxsize=1024)
def parse(text: str) -> Reference:
    """Read a reference as ``ParseNormalizedNamed`` does.

    Raises:
        InvalidReferenceError: the engine would answer `invalid reference format`.
    """
    name, digest = _cut_digest(text)
    name, tag = _cut_tag(name, text)
    if _FULL_ID.fullmatch(name):
        raise InvalidReferenceError(f"`{text}` is an id, not the name of an image")
    registry, path = _split_domain(name)
    if not _PATH.fullmatch(path) or not _DOMAIN.fullmatch(registry) or len(path) > _LENGTH_LIMIT:
        raise InvalidReferenceError(f"`{text}` is no image reference")
    return Reference(registry, path, "" if digest else tag, digest)


def normalise(text: str) -> str:
    """``python`` → ``docker.io/library/python:latest``.

    Raises:
        InvalidReferenceError: it is no reference.
    """
    return str(parse(text))


def with_tag(repository: str, tag: str) -> Reference:
    """What ``?repo=…&tag=…`` and ``?fromImage=…&tag=…`` mean: a given tag, or digest, replaces the one in the name.

    Raises:
        InvalidReferenceError: one of them is wrong.
    """
    reference = parse(repository)
    if not tag:
        return reference
    if _DIGEST.fullmatch(tag):
        return Reference(reference.registry, reference.path, digest=tag)
    if not _TAG.fullmatch(tag):
        raise InvalidReferenceError(f"`{tag}` is no tag")
    # Under a digest the engine ignores a tag, whichever came first.
    return Reference(reference.registry, reference.path, "" if reference.digest else tag, reference.digest)


def is_id_like(text: str) -> bool:
    """Whether the engine may find an image by its id under this text: ``4dc916``, ``sha256:4dc9…``."""
    return _ID_LIKE.fullmatch(text) is not None


def registry_of(server_address: str) -> str:
    """The registry that a ``serveraddress`` names: ``https://index.docker.io/v1/`` → ``docker.io``.

    Raises:
        InvalidReferenceError: it holds what readers of URLs understand differently (user info, a backslash, …).
    """
    scheme = re.match(r"https?://", server_address, re.IGNORECASE)
    host = server_address[scheme.end() :] if scheme else server_address
    host = host.partition("/")[0]
    if not host and not server_address:
        return DEFAULT_REGISTRY
    if not _DOMAIN.fullmatch(host):
        raise InvalidReferenceError(f"`{server_address}` is no registry")
    return DEFAULT_REGISTRY if host == "index.docker.io" else host


def registry_of_search(term: str) -> str:
    """The registry that a search asks: what stands before the first slash, if it looks like a host.

    Source: moby, ``registry/search.go``.
    """
    host, slash, _ = term.partition("/")
    if not slash or not _is_domain(host):
        return DEFAULT_REGISTRY
    return registry_of(host)


def _cut_digest(text: str) -> tuple[str, str]:
    name, at, digest = text.partition("@")
    if not at:
        return name, ""
    if not _DIGEST.fullmatch(digest):
        raise InvalidReferenceError(f"`{text}` has no valid digest")
    return name, digest


def _cut_tag(name: str, text: str) -> tuple[str, str]:
    """Split at the colon of a tag, which stands after the last slash (one before it belongs to a port)."""
    slash = name.rfind("/")
    head, colon, tag = name[slash + 1 :].partition(":")
    if not colon:
        return name, ""
    if not _TAG.fullmatch(tag):
        raise InvalidReferenceError(f"`{text}` has no valid tag")
    return name[: slash + 1] + head, tag


def _split_domain(name: str) -> tuple[str, str]:
    domain, slash, rest = name.partition("/")
    if not slash or not _is_domain(domain):
        domain, rest = DEFAULT_REGISTRY, name
    if domain == "index.docker.io":
        domain = DEFAULT_REGISTRY
    if domain == DEFAULT_REGISTRY and "/" not in rest:
        rest = f"library/{rest}"
    return domain, rest


def _is_domain(text: str) -> bool:
    """A first component is a host if it has a dot, a port or an upper-case letter, or is ``localhost``."""
    return "." in text or ":" in text or text == "localhost" or text.lower() != text
