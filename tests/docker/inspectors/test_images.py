"""Images, by every name they have."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.errors import Malformed
from sockproxy.model import Ask
from tests.docker.inspecting import MISSING, OWN, Engine, asks, inspected, sent

DIGEST = "sha256:" + "4f" * 32
ID = "sha256:" + "4d" * 32
ENGINE: dict[str, Any] = {
    "/images/4dc916/json": {
        "Id": ID,
        "RepoTags": ["registry.example.com/ci/x:1", "<none>:<none>"],
        "RepoDigests": [f"python@{DIGEST}"],
    },
    "/images/cafe/json": {"Id": ID, "RepoTags": ["cafe:latest"]},
    "/images/beef/json": MISSING,
    "/containers/web/json": {"Id": "ab" * 32, "Name": "/web", "Config": {"Labels": {"a": "b"}}},
    "/containers/own/json": {"Id": OWN, "Name": "/own"},
}


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("POST /images/create?fromImage=python&tag=3.12", {"image: docker.io/library/python:3.12"}),
        ("POST /images/create?fromImage=python:3.12", {"image: docker.io/library/python:3.12"}),
        ("POST /images/create?fromImage=python:3.11&tag=3.12", {"image: docker.io/library/python:3.12"}),
        ("POST /images/create?fromImage=python", {"image: docker.io/library/python:*"}),
        ("POST /images/create?fromImage=python:", {"image: docker.io/library/python:*"}),
        (f"POST /images/create?fromImage=python&tag={DIGEST}", {f"image: docker.io/library/python@{DIGEST}"}),
        (f"POST /images/create?fromImage=python@{DIGEST}&tag=x", {f"image: docker.io/library/python@{DIGEST}"}),
        (
            "POST /images/create?fromImage=r.example.com:5000/a/b&tag=1&platform=linux",
            {"image: r.example.com:5000/a/b:1"},
        ),
        ("POST /images/create?fromSrc=-", {"import: -"}),
        (
            "POST /images/create?fromSrc=-&repo=ci-x&tag=1&message=m&changes=CMD+x&changes=ENV+a",
            {"import: -", "tag: docker.io/library/ci-x:1"},
        ),
        (
            "POST /images/create?fromSrc=https://e.example/x.tar&repo=x",
            {"import: https://e.example/x.tar", "tag: docker.io/library/x:latest"},
        ),
        ("POST /images/create?fromSrc=e.example/x.tar", {"import: http://e.example/x.tar"}),
        ("POST /images/create?fromImage=a&fromSrc=-", {"image: docker.io/library/a:*", "import: -"}),
        ("POST /images/load?quiet=1", {"import: load"}),
        ("POST /images/registry.example.com/ci/x/push?tag=1", {"image: registry.example.com/ci/x:1"}),
        ("POST /images/registry.example.com/ci/x:1/push", {"image: registry.example.com/ci/x:1"}),
        ("POST /images/x/push", {"image: docker.io/library/x:*"}),
        (
            "POST /images/ci-a/tag?repo=python&tag=3.12",
            {"image: docker.io/library/ci-a:latest", "tag: docker.io/library/python:3.12"},
        ),
        (
            "POST /images/ci-a/tag?repo=python:3.12&force=1",
            {"image: docker.io/library/ci-a:latest", "tag: docker.io/library/python:3.12"},
        ),
        ("DELETE /images/a/b:1?force=1", {"image: docker.io/a/b:1"}),
        ("GET /images/a/get", {"image: docker.io/library/a:latest"}),
        ("GET /images/get?names=a&names=b:2", {"image: docker.io/library/a:latest", "image: docker.io/library/b:2"}),
        ("GET /images/json?all=1", set()),
        ("GET /images/a/json", set()),
        ("GET /images/sha256:4dc9/history", set()),
        ("GET /images/UPPER/json", set()),
        ('POST /images/prune?filters={"dangling":["false"]}', {"image: (prune)"}),
        ("GET /images/search?term=python&limit=5", {"registry: docker.io"}),
        ("GET /images/search?term=r.example.com/python", {"registry: r.example.com"}),
        ("GET /distribution/python:3/json", {"registry: docker.io"}),
        ("GET /distribution/r.example.com/a/b:1/json", {"registry: r.example.com"}),
        ("POST /commit?container=web", {"container: web"}),
        (
            "POST /commit?container=web&repo=ci-x&tag=1&pause=0&comment=c&author=a&changes=CMD+x",
            {"container: web", "tag: docker.io/library/ci-x:1"},
        ),
    ],
)
def test_what_a_call_asks(request_line: str, expected: set[str]) -> None:
    assert asks(request_line, None, ENGINE) == expected


@pytest.mark.parametrize(
    "request_line",
    [
        "POST /images/create",
        "POST /images/create?repo=x",
        "POST /images/create?fromImage=UPPER",
        "POST /images/create?fromImage=a&tag=a/b",
        "POST /images/create?fromSrc=-&repo=a%20b",
        "POST /images/a/tag",
        "POST /images/a/tag?repo=UPPER",
        "POST /images/UPPER/push",
        "DELETE /images/UPPER",
        "GET /images/get",
        "POST /commit",
        "POST /commit?container=web&repo=UPPER",
        "GET /distribution/UPPER/json",
        "GET /images/search?term=a@b.c/x",
    ],
)
def test_what_the_engine_would_refuse_is_refused(request_line: str) -> None:
    with pytest.raises(Malformed):
        inspected(request_line, None, ENGINE)


def test_an_id_stands_for_its_names() -> None:
    inspection = inspected("DELETE /images/4dc916", None, ENGINE)
    names = ("registry.example.com/ci/x:1", f"docker.io/library/python@{DIGEST}")
    assert inspection.asks == (Ask("image", ID, "path", aliases=names),)
    assert inspection.forward.target == f"/v1.51/images/{ID}"


@pytest.mark.parametrize(
    "names", [{}, {"RepoTags": None}, {"RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]}]
)
def test_an_image_without_a_name_is_known_as_that(names: dict[str, Any]) -> None:
    inspection = inspected("DELETE /images/4dc917", None, {"/images/4dc917/json": {"Id": ID, **names}})
    assert inspection.asks == (Ask("image", ID, "path", aliases=("(untagged)",)),)


def test_hex_digits_may_be_a_name() -> None:
    inspection = inspected("DELETE /images/cafe", None, ENGINE)
    assert inspection.asks == (Ask("image", "docker.io/library/cafe:latest", "path"),)
    assert inspection.forward.target == "/v1.51/images/cafe"


def test_an_image_that_is_not_there_is_judged_by_its_name() -> None:
    inspection = inspected("POST /images/beef/tag?repo=x", None, ENGINE)
    assert inspection.asks[0] == Ask("image", "docker.io/library/beef:latest", "path")
    assert inspection.absent is None


def test_an_id_is_looked_up_only_where_a_rule_holds_images() -> None:
    engine = Engine(ENGINE)
    assert asks("DELETE /images/4dc916", None, engine, held=()) == {"image: 4dc916"}
    assert engine.asked == []


def test_a_commit_takes_the_container_by_its_id_and_a_config_as_its_body() -> None:
    body = {"Labels": {"a": "b"}, "Cmd": ["sh"], "repo": "x", "containerId": "web", "Memory": 1, "tag": "t"}
    inspection = inspected("POST /commit?container=web&repo=ci-x", body, ENGINE)
    assert inspection.asks == (
        Ask("container", "web", "?container", labels=(("a", "b"),)),
        Ask("tag", "docker.io/library/ci-x:latest", "?repo"),
    )
    assert inspection.forward.target == f"/v1.51/commit?container={'ab' * 32}&repo=ci-x"
    assert sent(inspection) == {"Labels": {"a": "b"}, "Cmd": ["sh"]}
    assert inspected("POST /commit?container=web", None, ENGINE).forward.body is None
    assert "field: Privileged" in asks("POST /commit?container=web", {"Privileged": True}, ENGINE)


def test_the_own_container_is_not_committed() -> None:
    found = inspected("POST /commit?container=own", None, ENGINE, held=(), own=OWN).asks
    assert [ask.grantable for ask in found] == [False]


def test_credentials_go_along() -> None:
    headers = {"X-Registry-Auth": "e30=", "X-Meta-Evil": "1"}
    forward = inspected("POST /images/create?fromImage=a&tag=1", None, headers=headers).forward
    assert forward.headers == (("x-registry-auth", "e30="),)
    assert forward.streams_body
