"""Policies' own tests, the shipped ones' among them; and every policy that the README shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sockproxy.model import Allow, Context, Deny
from sockproxy.policy import presets
from sockproxy.policy.load import load, loads
from sockproxy.rehearse import run, verdict_on

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
