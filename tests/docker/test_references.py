"""Image references: one normal form for every spelling, and nothing that Docker would refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.docker.references import (
    InvalidReferenceError,
    is_id_like,
    normalise,
    parse,
    registry_of,
    registry_of_search,
    with_tag,
)

DIGEST = "sha256:" + "4f" * 32


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.12", "docker.io/library/python:3.12"),
        ("library/python:3.12", "docker.io/library/python:3.12"),
        ("docker.io/python:3.12", "docker.io/library/python:3.12"),
        ("index.docker.io/library/python:3.12", "docker.io/library/python:3.12"),
        ("moby/buildkit", "docker.io/moby/buildkit:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1"),
        ("registry.example.com/ci/app", "registry.example.com/ci/app:latest"),
        ("[::1]:5000/x:1", "[::1]:5000/x:1"),
        ("Registry/x", "Registry/x:latest"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
        (f"python:3.12@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
        ("a_b__c---d.e", "docker.io/library/a_b__c---d.e:latest"),
    ],
)
def test_every_spelling_has_one_normal_form(text: str, normal: str) -> None:
    assert normalise(text) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        *("", "UPPER", "a b", "a\n", "-a", "a-", "a..b", "a___b", "/a", "a/", "a//b", "a:", "a:-b", "a:" + "x" * 129),
        *("a@", "a@sha256:1234", f"a@{DIGEST.upper()}", "http://a/b", "a/b:c/d", "4f" * 32, "a@b:c", "ä", "a/../b"),
        *("user:pass@host/x", "host:port/x", "x" * 300),
    ],
)
def test_what_docker_would_refuse_is_refused(text: str) -> None:
    with pytest.raises(InvalidReferenceError):
        parse(text)


@given(st.text(max_size=40) | st.text("ab/:@.-_0", max_size=20))
def test_any_text_is_normal_or_refused(text: str) -> None:
    try:
        normal = normalise(text)
    except InvalidReferenceError:
        return
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("repository", "tag", "untagged", "normal"),
    [
        ("python", "3.12", "latest", "docker.io/library/python:3.12"),
        ("python:3.11", "3.12", "latest", "docker.io/library/python:3.12"),
        ("python:3.11", "", "*", "docker.io/library/python:3.11"),
        ("python", "", "latest", "docker.io/library/python:latest"),
        ("python", "", "*", "docker.io/library/python:*"),
        ("python", DIGEST, "*", f"docker.io/library/python@{DIGEST}"),
        (f"python@{DIGEST}", "3.12", "*", f"docker.io/library/python@{DIGEST}"),
    ],
)
def test_a_tag_beside_a_name(repository: str, tag: str, untagged: str, normal: str) -> None:
    assert with_tag(repository, tag).named(untagged) == normal


@pytest.mark.parametrize("tag", ["a b", "*", "-x", "sha256:12", "a/b"])
def test_a_tag_that_is_none(tag: str) -> None:
    with pytest.raises(InvalidReferenceError):
        with_tag("python", tag)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("4dc916", True), ("a", True), ("cafe", True), ("sha256:4dc916", True), ("4f" * 32, True), (DIGEST, True)),
        *(("python", False), ("cafe:1", False), ("CAFE", False), ("4f" * 32 + "a", False), ("a\n", False), ("", False)),
    ],
)
def test_what_may_be_the_prefix_of_an_id(text: str, expected: bool) -> None:
    assert is_id_like(text) is expected


@pytest.mark.parametrize(
    ("address", "registry"),
    [
        ("", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry.example.com", "registry.example.com"),
        ("HTTPS://registry.example.com/v2/", "registry.example.com"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("127.0.0.1:51281", "127.0.0.1:51281"),
    ],
)
def test_the_registry_of_a_login(address: str, registry: str) -> None:
    assert registry_of(address) == registry


@pytest.mark.parametrize(
    "address", ["https://good.example@evil.example/", "good.example\\@evil", "https://", "a b", "a?x", "a#x"]
)
def test_an_address_that_readers_disagree_about_is_refused(address: str) -> None:
    with pytest.raises(InvalidReferenceError):
        registry_of(address)


def test_the_registry_of_a_search() -> None:
    assert registry_of_search("python") == "docker.io"
    assert registry_of_search("moby/buildkit") == "docker.io"
    assert registry_of_search("registry.example.com/python") == "registry.example.com"
    assert registry_of_search("localhost:5000/x") == "localhost:5000"
