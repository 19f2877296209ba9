"""Policies' own tests, the shipped ones' among them; and every policy that the README shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sockproxy.docker.body import serialise
from sockproxy.model import Allow, Context, Deny, JsonObject, Verdict
from sockproxy.policy import presets
from sockproxy.policy.load import load, loads
from sockproxy.rehearse import knows_host, run, stand_in, verdict_on

README = Path(__file__).resolve().parent.parent / "README.md"


@pytest.mark.parametrize("name", presets.names())
def test_a_presets_own_tests_pass(name: str) -> None:
    for outcome in run(load(name)):
        assert outcome.passed, f"{outcome.test.place}: {outcome.test.name}: {outcome.problem}"


def test_every_policy_in_the_readme_loads_and_its_tests_pass() -> None:
    blocks = [
        block for block in re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL) if "version: 1" in block
    ]
    assert blocks
    for block in blocks:
        policy = loads(block, "README.yaml")
        assert policy.tests
        for outcome in run(policy):
            assert outcome.passed, outcome.problem


TEXT = """version: 1
rules:
  - id: a
    allow: [POST /containers/create, POST /containers/*/stop]
    grant: {bind: /srv/**}
    only: {container: ci-*}
tests:
  - {request: "POST /containers/create?name=ci-1", body: {Image: x}, expect: refused}
  - {request: "POST /containers/create?name=db", body: {Image: x}, expect: allowed}
  - {request: "POST /containers/create?name=db", body: {Image: x}, expect: {refused: {bind: /etc}}}
  - {request: "POST /containers/create?name=ci-1", body: {Image: x, HostConfig: {Binds: ["/etc:/h:ro"]}}, expect: {refused: {bind: /etc}}}
  - {request: "POST /containers/abc/stop", expect: {refused: {container: abc}}}
  - {request: "POST /containers/abc/stop", engine: {/containers/abc/json: {Name: /ci-9}}, expect: allowed}
"""


def test_a_test_that_should_fail_fails_and_says_why() -> None:
    outcomes = run(loads(TEXT))
    assert [outcome.passed for outcome in outcomes] == [False, False, False, True, True, True]
    assert outcomes[0].problem == "expected refused, but rule `a` allows it"
    assert outcomes[1].problem.startswith("expected allowed, but sockproxy: ")
    assert outcomes[2].problem == "expected bind: /etc among what is refused, which is: container: db"


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/nothing"), ("BREW", "/info"), ("GET", "/a/../b"), ("GÉT", "/ü")]
)
def test_a_request_that_is_none_is_a_denial(method: str, target: str) -> None:
    verdict = verdict_on(method, target, {}, None, policy=load("read-only"), context=Context())
    assert isinstance(verdict, Deny)


def test_a_request_is_judged_with_its_headers() -> None:
    verdict = verdict_on("GET", "/info", {"User-Agent": "x"}, None, policy=load("read-only"), context=Context())
    assert isinstance(verdict, Allow)
    assert isinstance(
        verdict_on("GET", "/info", {"Origin": "x"}, None, policy=load("read-only"), context=Context()), Deny
    )


def test_a_path_of_the_host_leads_to_where_it_says_but_for_what_is_told() -> None:
    policy = loads("version: 1\nrules:\n  - {id: a, allow: POST /containers/create, grant: {bind: /srv/ci/**}}\n")
    facts: dict[str, JsonObject] = {"host:/srv/ci/x": {"Path": "/"}}
    assert knows_host(facts)
    assert not knows_host({"/containers/x/json": {}})

    def judged(path: str) -> Verdict:
        body = serialise({"Image": "x", "HostConfig": {"Binds": [f"{path}:/h"]}})
        context = Context(host_root=True)
        return verdict_on(
            "POST", "/containers/create", {}, body, policy=policy, context=context, answer=stand_in(facts)
        )

    denied = judged("/srv/ci/x")
    assert isinstance(denied, Deny)
    assert [str(ask) for ask in denied.refused] == ["bind: /"]
    assert isinstance(judged("/srv/ci/y"), Allow)


def test_a_test_may_say_where_paths_lead() -> None:
    policy = loads(
        """
version: 1
rules:
  - id: a
    allow: [POST /containers/create, GET /containers/*/archive]
    grant: {bind: /srv/**}
    only: {archive: /data/**}
tests:
  - request: POST /containers/create
    body: {Image: x, HostConfig: {Binds: ["/srv/x:/x"]}}
    engine: {"host:/srv/x": {Path: /etc}}
    expect: {refused: {bind: /etc}}
  - request: GET /containers/web/archive?path=/data/l/x
    engine: {"stat:web:/data/l": {linkTarget: /etc}}
    expect: {refused: {archive: /etc/x}}
  - request: GET /containers/web/archive?path=/data/l/x
    expect: allowed
"""
    )
    assert [outcome.problem for outcome in run(policy)] == ["", "", ""]
