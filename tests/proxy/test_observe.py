"""Observing: what a rule could allow goes on and is recorded as `would_deny`; what no rule could stays refused."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sockproxy.errors import PolicyError
from sockproxy.model import Allow, Deny, Peer, WouldDeny
from sockproxy.policy.load import loads
from sockproxy.proxy.gateway import Witnessed
from sockproxy.proxy.server import Settings, running
from tests.proxy.conftest import ID, Connect, House, eventually, sockproxy
from tests.proxy.fake_engine import Asked, FakeEngine

OWN = "b" * 64

POLICY = """
version: 1
name: watched
mode: observe
rules:
  - id: list
    allow: GET /containers/json
  - id: never-swarm
    deny: [ANY /swarm/**]
    because: no business with the swarm.
  - id: never-etc
    deny: [POST /containers/create]
    asking: {bind: /etc/**}
"""

JSON = "Content-Type: application/json"
CREATE = "POST /v1.41/containers/create?name=x"


def containers(daemon: FakeEngine) -> None:
    for name, identity, labels in (("web", ID, {"team": "shop"}), ("proxy", OWN, {})):
        told = {"Id": identity, "Name": f"/{name}", "Config": {"Labels": labels}, "HostConfig": {}, "Mounts": []}
        daemon.says(f"/containers/{name}/json", told)
        daemon.scripts[f"/containers/{identity}/json"] = daemon.scripts[f"/containers/{name}/json"]


@pytest.fixture
async def watched(daemon: FakeEngine, connect: Connect, tmp_path: Path) -> AsyncIterator[House]:
    containers(daemon)
    (tmp_path / "policy.yaml").write_text(POLICY)
    async with sockproxy(daemon, connect, tmp_path, own_container=OWN) as made:
        yield made


async def test_what_no_rule_allows_goes_on_and_is_recorded(watched: House) -> None:
    watched.daemon.says("/containers/create", {"Id": ID}, status=201)
    body = json.dumps({"Image": "x", "HostConfig": {"Privileged": True, "Binds": ["/srv:/srv"], "Nonsense": 0}})
    status, _, _ = await watched.ask(CREATE, JSON, body=body)
    assert status == 201
    asked = watched.daemon.asked[-1]
    assert asked.target == "/v1.41/containers/create?name=x"
    # Canonical: built from what was judged, what is unknown and zero dropped.
    assert json.loads(asked.body)["HostConfig"] == {"Privileged": True, "Binds": ["/srv:/srv"]}
    begun, ended = watched.lines()
    assert (begun["event"], begun["verdict"], begun["code"], begun["rule"]) == (
        "request",
        "would_deny",
        "no_rule",
        None,
    )
    assert [f"{ask['kind']}: {ask['value']}" for ask in begun["refused"]] == ["privileged: container", "bind: /srv"]
    assert (ended["event"], ended["verdict"], ended["status"]) == ("end", "would_deny", 201)
    counted = {"client": "anyone", "operation": "ContainerCreate", "verdict": "would_deny", "code": "no_rule"}
    assert watched.metric("sockproxy_requests_total", **counted) == 1
    assert (
        watched.metric("sockproxy_refused_asks_total", client="anyone", operation="ContainerCreate", kind="bind") == 1
    )


async def test_whose_a_thing_is_is_looked_up_though_no_rule_holds_it(watched: House) -> None:
    # Of a container that is only read nobody would ask, but for a rule that may come to hold it.
    watched.daemon.says(f"/containers/{ID}/logs", b"")
    assert (await watched.ask("GET /containers/web/logs?stdout=1"))[0] == 200
    (ask,) = watched.lines()[0]["asks"]
    assert (ask["kind"], ask["value"], ask["labels"]) == ("container", "web", {"team": "shop"})


async def test_what_a_rule_allows_is_allowed_as_ever(watched: House) -> None:
    watched.daemon.says("/containers/json", [])
    assert (await watched.ask("GET /containers/json"))[0] == 200
    assert [line["verdict"] for line in watched.lines()] == ["allow", "allow"]


@pytest.mark.parametrize(
    ("line", "body", "status", "code"),
    [
        ("GET /swarm", "", 403, "denied_by_rule"),
        (CREATE, '{"Image": "x", "HostConfig": {"Binds": ["/etc/ssl:/s"]}}', 403, "denied_by_rule"),
        ("GET /no-such-endpoint", "", 403, "unknown_operation"),
        ("GET /images/%2e%2e/info", "", 400, "malformed"),
        (CREATE, '{"Image": "x", "image": "y"}', 400, "malformed"),
        ("GET /v9.99/info", "", 400, "malformed"),
        ("POST /containers/web/copy", '{"Resource": "/etc"}', 403, "no_rule"),
        ("POST /containers/proxy/stop", "", 403, "no_rule"),
        (CREATE, '{"Image": "x", "HostConfig": {"VolumesFrom": ["proxy"]}}', 403, "no_rule"),
        (CREATE, '{"Image": "x", "HostConfig": {"VolumesFrom": ["nobody"]}}', 403, "no_rule"),
    ],
    ids=[
        "deny",
        "deny asking",
        "unknown",
        "dots",
        "a key twice",
        "version",
        "never",
        "own",
        "own's volumes",
        "missing",
    ],
)
async def test_what_no_grant_could_allow_stays_refused(
    watched: House, line: str, body: str, status: int, code: str
) -> None:
    answered, _, told = await watched.ask(line, *([JSON] if body else []), body=body)
    assert (answered, json.loads(told)["code"]) == (status, code)
    assert [each["verdict"] for each in watched.lines()] == ["deny"]
    assert not [asked for asked in watched.daemon.asked if asked.method == "POST"]


async def test_what_is_not_there_is_answered_as_the_engine_does(watched: House) -> None:
    watched.daemon.says("/containers/none/json", {"message": "No such container: none"}, status=404)
    status, _, told = await watched.ask("POST /containers/none/stop")
    assert (status, json.loads(told)["message"]) == (404, "No such container: none")


async def test_a_call_that_fails_on_its_way_is_recorded_with_the_code(watched: House) -> None:
    @watched.daemon.script("/info")
    async def die(asked: Asked) -> None:
        asked.writer.transport.abort()

    assert (await watched.ask("GET /info"))[0] in (502, 503)
    assert [(line["verdict"], line["code"]) for line in watched.lines()] == [
        ("would_deny", "no_rule"),
        ("would_deny", "engine_down"),
    ]


async def test_it_is_shouted_at_the_start_and_shown(
    daemon: FakeEngine, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    with caplog.at_level(logging.WARNING, "sockproxy"):
        async with sockproxy(daemon, connect, tmp_path) as watched:
            assert watched.metric("sockproxy_mode", mode="observe") == 1
            assert watched.metric("sockproxy_mode", mode="enforce") == 0
            assert "OBSERVING, NOT ENFORCING, everybody: " in caplog.text
            assert "no road to the host" not in caplog.text
            # SIGHUP with a policy that enforces ends it.
            (tmp_path / "policy.yaml").write_text(POLICY.replace("mode: observe", "mode: enforce"))
            assert watched.server.reload()
            assert watched.metric("sockproxy_mode", mode="observe") == 0
            assert watched.metric("sockproxy_mode", mode="enforce") == 1
            assert (await watched.ask("GET /info"))[0] == 403


async def test_an_option_observes_whatever_the_policy_says(
    daemon: FakeEngine, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("mode: observe\n", ""))
    daemon.says("/info", {})
    async with sockproxy(daemon, connect, tmp_path) as enforcing:
        assert (await enforcing.ask("GET /info"))[0] == 403
    async with sockproxy(daemon, connect, tmp_path, observe=True) as watched:
        assert (await watched.ask("GET /info"))[0] == 200
        assert (await watched.ask("GET /swarm"))[0] == 403
        assert watched.metric("sockproxy_mode", mode="observe") == 1


async def test_one_client_is_observed_and_another_is_not(
    daemon: FakeEngine, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clients = (
        "clients:\n  - {name: new, from: 127.0.0.1, rules: all, mode: observe}\n"
        "  - {name: old, unix-user: 0, rules: all}\n"
    )
    (tmp_path / "policy.yaml").write_text(POLICY.replace("mode: observe\n", "") + clients)
    daemon.says("/info", {})
    with caplog.at_level(logging.WARNING, "sockproxy"):
        async with sockproxy(daemon, connect, tmp_path) as house:
            assert (await house.ask("GET /info"))[0] == 200
            talk = await house.connect(1)
            await talk.say("GET /info HTTP/1.1\r\nHost: d\r\n\r\n")
            assert (await talk.answer())[0] == 403
            assert (house.metric("sockproxy_mode", mode="observe"), house.metric("sockproxy_mode", mode="enforce")) == (
                1,
                1,
            )
            assert "OBSERVING, NOT ENFORCING, `new`: " in caplog.text


async def test_who_looks_on_is_told_of_every_request(daemon: FakeEngine, connect: Connect, tmp_path: Path) -> None:
    seen: list[Witnessed] = []
    (tmp_path / "policy.yaml").write_text(POLICY)
    daemon.says("/containers/json", [])
    daemon.says("/containers/create", {"Id": ID}, status=201)
    settings = Settings(
        policy=str(tmp_path / "policy.yaml"),
        engine=f"unix://{daemon.path}",
        listen=("tcp://127.0.0.1:0",),
        audit=(),
    )
    async with running(settings, witness=seen.append) as server:
        house = House(server, daemon, connect, tmp_path / "none", tmp_path / "policy.yaml")
        for _ in range(2):
            assert (await house.ask("GET /containers/json"))[0] == 200
        assert (await house.ask(CREATE, JSON, body='{"Image": "x"}'))[0] == 201
        assert (await house.ask("GET /nowhere"))[0] == 403
        await eventually(lambda: len(seen) == 4)
    assert [type(each.verdict) for each in seen] == [Allow, Allow, WouldDeny, Deny]
    assert seen[2].body == b'{"Image": "x"}'
    assert seen[2].operation is not None
    assert seen[2].operation.name == "ContainerCreate"
    assert seen[2].engine_version == (1, 51)
    assert seen[3].operation is None


@pytest.mark.parametrize(
    ("text", "clients", "observed"),
    [("", "", {None: False}), ("mode: observe", "", {None: True}), ("mode: enforce", "", {None: False}),
     ("mode: observe", "mode: enforce", {"a": False, "b": True}), ("", "mode: observe", {"a": True, "b": False})],
)  # fmt: skip
def test_a_client_says_otherwise_than_the_policy(text: str, clients: str, observed: dict[str | None, bool]) -> None:
    policy = f"version: 1\n{text}\nrules:\n  - {{id: r, allow: GET /info}}\n"
    if None not in observed:
        policy += f"clients:\n  - {{name: a, unix-user: 1, rules: all, {clients}}}\n  - {{name: b, unix-user: 2, rules: all}}\n"
    loaded = loads(policy)
    for name, expected in observed.items():
        client = next((each for each in loaded.clients if each.name == name), None)
        assert loaded.observes(client) is expected
    assert loaded.modes == {"observe" if each else "enforce" for each in observed.values()}


def test_a_mode_is_not_inherited(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("version: 1\nmode: observe\nrules:\n  - {id: r, allow: GET /info}\n")
    policy = loads("version: 1\nextends: base\n", str(tmp_path / "own.yaml"))
    assert policy.observe is None
    assert policy.client_of(Peer("unix", uid=0)) is None


def test_a_policy_that_observes_needs_no_rule() -> None:
    assert loads("version: 1\nmode: observe\n").rules == ()
    with pytest.raises(PolicyError, match="no `rules`"):
        loads("version: 1\nmode: enforce\n")
