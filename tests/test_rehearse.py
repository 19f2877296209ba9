"""Policies' own tests, the shipped ones' among them; and every policy that the README shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sockproxy.docker.body import serialise
from sockproxy.errors import ConfigurationError
from sockproxy.model import Allow, Context, Deny, JsonObject, Verdict
from sockproxy.policy import presets
from sockproxy.policy.load import Client, Policy, PolicyTest, load, load_tests, loads
from sockproxy.rehearse import Unable, knows_host, run, run_test, stand_in, verdict_on

README = Path(__file__).resolve().parent.parent / "README.md"


@pytest.mark.parametrize("name", presets.names())
def test_a_presets_own_tests_pass(name: str) -> None:
    for outcome in run(load(name)):
        assert outcome.passed, f"{outcome.test.place}: {outcome.test.name}: {outcome.problem}"


BLOCKS = [block for block in re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL) if "version: 1" in block]


def test_every_policy_in_the_readme_loads_and_its_tests_pass() -> None:
    policies = [block for block in BLOCKS if "\npolicy:" not in block]
    assert policies
    for block in policies:
        policy = loads(block, "README.yaml")
        assert policy.tests
        for outcome in run(policy):
            assert outcome.passed, outcome.problem


def test_the_readme_s_file_of_tests_passes_beside_its_policy(tmp_path: Path) -> None:
    (policy,) = [block for block in BLOCKS if "name: shop-ci" in block]
    (tests,) = [block for block in BLOCKS if "\npolicy:" in block]
    host = {"Memory": 1 << 30, "PidsLimit": 100, "SecurityOpt": ["no-new-privileges"]}
    (tmp_path / "shop.yaml").write_text(policy)
    (tmp_path / "create.json").write_text(json.dumps({"Image": "python:3.12", "HostConfig": host}))
    (tmp_path / "shop.policy-test.yaml").write_text(tests)
    suite = load_tests(tmp_path / "shop.policy-test.yaml")
    outcomes = [run_test(test, suite.policy) for test in suite.tests]
    # The other is a command line, which `sockproxy test` runs.
    assert [(outcome.passed, bool(outcome.test.command)) for outcome in outcomes] == [(False, True), (True, False)]


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


COMMANDS = """version: 1
rules:
  - {id: a, allow: POST /containers/create, grant: {bind: /srv/**}}
tests:
  - {run: docker run -v /srv:/h alpine, expect: allowed}
  - {run: docker run -v /:/h alpine, expect: {refused: {bind: /}}}
  - {run: docker run -v /:/h alpine, expect: allowed}
  - {run: docker run -v /srv:/h alpine, expect: refused}
  - {run: docker run -v /:/h alpine, expect: {refused: {privileged: container}}}
"""


def play(test: PolicyTest, policy: Policy, client: Client | None) -> list[Verdict]:
    """What `docker run` does, without docker: it asks for the version, and makes a container."""
    context = Context(engine_version=policy.api_max)
    body = serialise({"Image": "alpine", "HostConfig": {"Binds": [test.command[3]]}})
    calls = [("HEAD", "/_ping", None), ("POST", "/containers/create", body)]
    return [verdict_on(method, path, {}, sent, policy=policy, context=context) for method, path, sent in calls]


def test_a_command_passes_by_the_verdicts_on_all_its_calls() -> None:
    outcomes = run(loads(COMMANDS), play)
    assert [outcome.passed for outcome in outcomes] == [True, True, False, False, False]
    assert outcomes[2].problem.startswith("expected allowed, but sockproxy: HostConfig.Binds[0] asks `bind: /`")
    assert outcomes[3].problem == "expected refused, but rule `(always)` and rule `a` allow it"
    assert outcomes[4].problem == "expected privileged: container among what is refused, which is: bind: /"


def test_a_command_that_nobody_runs_is_skipped_and_has_not_passed() -> None:
    def unable(*_: object) -> list[Verdict]:
        raise Unable("no docker here")

    for outcomes in (run(loads(COMMANDS)), run(loads(COMMANDS), unable)):
        assert all(outcome.skipped and not outcome.passed and not outcome.problem for outcome in outcomes)


def test_a_command_that_calls_nothing_or_cannot_be_right_has_failed() -> None:
    def mistaken(*_: object) -> list[Verdict]:
        raise ConfigurationError("unknown flag: --bogus")

    silent = run(loads(COMMANDS), lambda *_: [])
    assert {outcome.problem for outcome in silent} == {"the command called no engine: does it honour DOCKER_HOST?"}
    assert {outcome.problem for outcome in run(loads(COMMANDS), mistaken)} == {"unknown flag: --bogus"}


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
