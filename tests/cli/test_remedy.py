"""The block that `explain` prints for several calls is a policy that loads, and makes them pass."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from sockproxy.cli.remedy import Judged, Remedy, remedy
from sockproxy.docker.asks import KINDS
from sockproxy.docker.body import serialise
from sockproxy.errors import Refusal
from sockproxy.judge import recognise
from sockproxy.model import Allow, Ask, Context, Deny, Verdict
from sockproxy.policy import presets
from sockproxy.policy.load import Client, Policy, load, loads
from sockproxy.policy.suggest import pattern_for
from sockproxy.rehearse import knows_host, stand_in, verdict_on

Call = tuple[str, object]
"""``POST /containers/create`` and its body, None for none."""


def judged(asked: str, body: object, policy: Policy, client: Client | None = None, engine: object = None) -> Judged:
    method, _, target = asked.partition(" ")
    told = engine if isinstance(engine, dict) else {}

    def again(policy: Policy, client: Client | None) -> Verdict:
        data = None if body is None else serialise(body)  # type: ignore[arg-type]
        context = Context(engine_version=policy.api_max, host_root=knows_host(told))
        return verdict_on(
            method, target, {}, data, policy=policy, context=context, client=client, answer=stand_in(told)
        )

    operation = recognise(method.encode(), target.encode(), [(b"Host", b"docker")])[1]
    return Judged(asked, operation, again(policy, client), again)


def patched(found: Remedy, policy: Policy, name: str) -> Policy:
    return loads(found.block, name) if found.block else policy


@pytest.mark.parametrize("name", presets.names())
def test_all_that_a_presets_tests_ask_passes_or_is_said_not_to(name: str) -> None:
    policy = load(name)
    calls = []
    for test in policy.tests:
        with suppress(Refusal):  # of a request that is no call at all
            if not test.command and not test.client:
                calls.append(judged(test.asked, test.body if test.has_body else None, policy, None, dict(test.engine)))
    found = remedy(calls, policy, None)
    after = patched(found, policy, "pasted.yaml")
    verdicts = [call.again(after, None) for call in calls]
    denials = [verdict for verdict in verdicts if isinstance(verdict, Deny)]
    assert bool(denials) == bool(found.left), found
    for denied in denials:
        assert denied.code == "denied_by_rule" or all(map(ungiven, denied.refused)), denied


def ungiven(ask: Ask) -> bool:
    """Whether no grant gives it: the client must ask otherwise."""
    return not ask.grantable or KINDS[ask.kind].section in {"limit", "require"} or pattern_for(ask) is None


RUN = """\
version: 1
rules:
  - id: run
    allow: [POST /containers/create, "POST /containers/{id}/exec"]
    grant: {bind: /srv/**}
    only: {image: busybox, network: none}
    limit: {memory: 1g}
  - id: never
    deny: POST /containers/{id}/kill
"""


def create(**host: object) -> Call:
    return "POST /containers/create?name=x", {
        "Image": "busybox",
        "HostConfig": {"NetworkMode": "none", "Memory": 1 << 20, **host},
    }


@pytest.mark.parametrize(
    ("calls", "block", "left"),
    [
        ([create()], [], ()),
        ([create(Privileged=True)], ["  - id: run", "    grant: {privileged: any}"], ()),
        (
            [create(Binds=["/a:/a"]), create(Binds=["/b:/b:ro"]), create(Binds=["/a:/a"])],
            ["  - id: run", "    grant: {bind: [/a, /b ro]}"],
            (),
        ),
        (
            [create(Memory=2 << 30), create(Memory=3 << 30), create(Memory=2 << 30)],
            ["  - id: run", "    limit: {memory: 3g}"],
            (),
        ),
        (
            [create(NetworkMode="bridge"), ("GET /info", None), ("POST /images/load", None)],
            [
                "  - id: run",
                "    only: {network: bridge}",
                "  - id: allow-more",
                "    allow:",
                "      - GET /info",
                "      - POST /images/load",
                "    grant: {import: load}",
            ],
            (),
        ),
        (
            [("POST /grpc", None), ("GET /info", None)],
            [
                "  - id: allow-system-info",
                "    allow:",
                "      - GET /info",
                "  - id: allow-buildkit",
                "    allow:",
                "      - POST /grpc",
                "    grant: {tunnel: grpc, namespace: network=host}",
            ],
            (),
        ),
        (
            [(f"POST /containers/x/{word}", None) for word in ("start", "stop")]
            + [("DELETE /containers/x", None), ("GET /networks/x", None), ("GET /images/x/json", None)]
            + [("GET /images/x/history", None), ("GET /networks", None)],
            [
                "  - id: allow-more",
                "    allow:",
                "      - POST /containers/{id}/start|stop",
                "      - DELETE /containers/{id}",
                "      - GET /networks/{id}",
                "      - GET /images/{name}/json|history",
                "      - GET /networks",
            ],
            (),
        ),
        ([create(Memory=0)], [], ("set HostConfig.Memory (docker run --memory), at most 1g",)),
        (
            [create(Memory=0, Privileged=True)],
            ["  - id: run", "    grant: {privileged: any}"],
            ("set HostConfig.Memory (docker run --memory), at most 1g",),
        ),
        ([("POST /containers/x/kill", None)], [], ("rule `never` denies POST /containers/{id}/kill",)),
    ],
    ids=lambda value: (
        "" if not isinstance(value, list) or not value or isinstance(value[0], tuple) else value[-1].strip()
    ),
)
def test_several_calls_are_one_block(calls: list[Call], block: list[str], left: tuple[str, ...]) -> None:
    policy = loads(RUN, "ci.yaml")
    those = [judged(*call, policy) for call in calls]
    found = remedy_beside(those, policy)
    assert found.block.splitlines()[3:] == block
    assert found.left[: len(left)] == left
    assert bool(found.left) == bool(left)


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ci.yaml").write_text(RUN)


def remedy_beside(calls: list[Judged], policy: Policy) -> Remedy:
    found = remedy(calls, policy, None)
    after = patched(found, policy, "pasted.yaml")
    passing = [isinstance(call.again(after, None), Allow) for call in calls]
    assert all(passing) is not bool(found.left)
    return found


def test_a_client_is_given_the_rules_that_are_new() -> None:
    text = RUN + "clients:\n  - {name: ci, from: 10.0.0.0/8, rules: [run]}\n"
    Path("ci.yaml").write_text(text)
    policy = loads(text, "ci.yaml")
    (client,) = policy.clients
    calls = [judged("GET /info", None, policy, client), judged(*create(Privileged=True), policy, client)]
    found = remedy(calls, policy, client)
    assert (found.made, found.left) == (("allow-system-info",), ())
    assert client.rules is not None
    given = replace(client, rules=client.rules | {*found.made})
    after = loads(found.block, "pasted.yaml").with_clients(given)
    assert all(isinstance(call.again(after, given), Allow) for call in calls)
