"""The calls in their order, and what the engine is taken to know before each."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from sockproxy.compose import ComposeCall, calls
from sockproxy.model import Absent, Allow, Context, Deny, JsonObject, Missing, Verdict
from sockproxy.policy import presets
from sockproxy.policy.load import Policy, load, loads
from sockproxy.rehearse import stand_in, verdict_on
from tests.compose.projects import made, project

TEXT = """
services:
  web: {image: app, depends_on: [db], volumes: ["data:/d"], networks: [front], post_start: [{command: [id, -u], user: root}]}
  db: {image: db, networks: [front, ext], configs: [c]}
networks: {front: , ext: {external: true}}
volumes: {data: }
configs: {c: {content: x}}
"""


def lines(found: tuple[ComposeCall, ...]) -> list[str]:
    return [
        f"{call.method} {unquote(call.target.removeprefix('/v1.51').partition('?')[0])} {call.service}".rstrip()
        for call in found
    ]


def test_the_order_of_the_calls() -> None:
    (hook,) = [
        call.target.split("/")[3] for call in made(TEXT) if call.target.endswith("/start") and "/exec/" in call.target
    ]
    assert lines(made(TEXT)) == [
        *("HEAD /_ping", "GET /images/db/json db", "GET /images/app/json web"),
        *("GET /networks", "GET /networks/shop_front", "GET /networks", "POST /networks/create"),
        *("GET /volumes/shop_data", "POST /volumes/create"),
        *("GET /containers/json", "GET /version"),
        *("POST /containers/create db", "GET /containers/shop-db-1/json db"),
        *("POST /containers/create web", "GET /containers/shop-web-1/json web"),
        "GET /containers/json",
        *("PUT /containers/shop-db-1/archive db", "POST /containers/shop-db-1/start db"),
        *("POST /containers/shop-web-1/start web", "POST /containers/shop-web-1/exec web"),
        *(f"POST /exec/{hook}/start web", f"GET /exec/{hook}/json web"),
    ]


def test_a_call_says_where_it_comes_from() -> None:
    where = {
        call.target.rpartition("/")[2].partition("?")[0]: str(call.where)
        for call in made(TEXT)
        if call.method == "POST"
    }
    assert where["exec"] == "compose.yaml:3"
    assert {call.where.line for call in made(TEXT) if "/networks/create" in call.target} == {5}
    assert {call.where.line for call in made(TEXT) if "/volumes/create" in call.target} == {6}


def test_nothing_of_the_project_is_there_until_it_is_made() -> None:
    for path, after in [
        ("/networks/shop_front", "/networks/create"),
        ("/volumes/shop_data", "/volumes/create"),
    ]:
        seen = [(call.target.partition("?")[0].endswith(after), call.engine.get(path)) for call in made(TEXT)]
        at = next(index for index, (is_it, _) in enumerate(seen) if is_it)
        assert all(isinstance(known, Missing) for _, known in seen[: at + 1])
        assert all(isinstance(known, dict) for _, known in seen[at + 1 :])
    last = made(TEXT)[-1]
    assert "/networks/ext" not in last.engine
    known = last.engine["/containers/shop-web-1/json"]
    assert isinstance(known, dict)
    assert known["Name"] == "/shop-web-1"
    assert known["NetworkSettings"] == {"Networks": {"shop_front": {}}}


def test_an_answer_is_the_projects_own_or_another_ones() -> None:
    answer = made(TEXT)[-1].answer(lambda path: {"Name": f"other {path}"})
    assert answer("/networks/ext") == {"Name": "other /networks/ext"}
    told = answer("/volumes/shop_data")
    assert isinstance(told, dict)
    assert told["Name"] == "shop_data"


@pytest.mark.parametrize(
    ("keys", "missing", "pulled"),
    [
        ("image: 'a:1'", False, []),
        ("image: 'a:1'", True, ["fromImage=docker.io/library/a&tag=1"]),
        ("image: 'r.example.com/a', pull_policy: always", False, ["fromImage=r.example.com/a&tag=latest"]),
        ("image: a, pull_policy: never", True, []),
        (
            "image: a, pull_policy: always, platform: linux/arm64",
            False,
            ["fromImage=docker.io/library/a&platform=linux/arm64&tag=latest"],
        ),
        ("image: 'a@sha256:" + "0" * 64 + "'", True, ["fromImage=docker.io/library/a&tag=sha256:" + "0" * 64]),
        ("build: .", False, []),
        ("build: ., image: own", False, ["fromImage=docker.io/library/own&tag=latest"]),
        ("build: ., image: own, pull_policy: build", True, []),
    ],
)
def test_what_is_pulled(keys: str, missing: bool, pulled: list[str]) -> None:
    found = calls(project(f"services: {{web: {{{keys}}}}}"), images_missing=missing)
    assert [unquote(call.target.partition("?")[2]) for call in found if "/images/create" in call.target] == pulled


def test_a_build_goes_through_the_tunnels() -> None:
    found = made("services: {web: {build: .}}")
    assert [call.target for call in found if dict(call.headers).get("Upgrade") == "h2c"] == ["/grpc", "/session"]
    assert any("POST /containers/create" in line for line in lines(found))
    (create,) = [call for call in found if "/containers/create" in call.target]
    assert create.body is not None
    assert create.body["Image"] == "shop-web"


def test_an_engine_newer_than_compose_is_talked_to_as_compose_can() -> None:
    assert {call.target.split("/")[1] for call in made(TEXT, api_version=(1, 56))[1:]} == {"v1.51"}
    assert {call.target.split("/")[1] for call in made(TEXT, api_version=(1, 41))[1:]} == {"v1.41"}


# Judged


def verdicts(text: str, policy: Policy, engine: dict[str, JsonObject] | None = None) -> list[tuple[str, Verdict]]:
    """The verdict on every call, with what the project does not make itself taken from ``engine``."""
    return [
        (
            f"{call.method} {call.target}",
            verdict_on(
                *(call.method, call.target, dict(call.headers), call.encoded),
                policy=policy,
                context=Context(),
                answer=call.answer(stand_in(engine or {})),
            ),
        )
        for call in made(text)
    ]


def refused(text: str, policy: Policy) -> list[str]:
    asks = [ask for _, verdict in verdicts(text, policy) if isinstance(verdict, Deny) for ask in verdict.refused]
    return sorted(set(map(str, asks)))


DEPLOYED: list[tuple[str, list[str]]] = [
    ("services: {web: {image: a, volumes: ['./x:/x']}}", []),
    ("services: {web: {image: a, volumes: ['../x:/x:ro']}}", ["bind: /srv/x ro"]),
    ("services: {web: {image: a, volumes: ['data:/x']}}\nvolumes: {data: }", []),
    ("services: {web: {image: a, volumes: ['data:/x']}}\nvolumes: {data: {name: bank_data}}", ["volume: bank_data"]),
    ("services: {web: {image: a, privileged: true}}", ["privileged: container"]),
    ("services: {web: {image: a, network_mode: host}}", ["namespace: network=host"]),
    ("services: {web: {image: a}, side: {image: b, network_mode: 'service:web'}}", []),
    ("services: {web: {image: a}, side: {image: b, volumes_from: [web]}}", ["volumes-from: shop-web-1"]),
    ("services: {web: {image: a, network_mode: 'container:bank'}}", ["container: bank"]),
    ("services: {web: {image: a, ports: ['80:80', '127.0.0.1:8000:81', '127.0.0.1::82']}}", []),
    ("services: {web: {image: a, ports: ['81:80']}}", ["publish: 0.0.0.0:81/tcp"]),
    ("services: {web: {image: a, secrets: [s]}}\nsecrets: {s: {file: ./s}}", []),
    ("services: {web: {image: a, secrets: [s]}}\nsecrets: {s: {file: /etc/shadow}}", ["bind: /etc/shadow ro"]),
    ("services: {web: {image: a, configs: [c], volumes: ['./x:/x']}}\nconfigs: {c: {content: x}}", []),
    ("services: {web: {image: a, gpus: all}}", []),
    ("services: {web: {image: a, use_api_socket: true}}", ["bind: /var/run/docker.sock"]),
    ("services: {web: {image: a, networks: [n]}}\nnetworks: {n: {driver: macvlan}}", ["network-driver: macvlan"]),
    ("services: {web: {image: a, networks: [n]}}\nnetworks: {n: {external: true, name: bank}}", ["network: bank"]),
    ("services: {web: {image: a, post_start: [{command: id, privileged: true}]}}", ["privileged: exec"]),
]


@pytest.mark.parametrize(("text", "asks"), DEPLOYED)
def test_under_the_shipped_policy_of_a_deployer(text: str, asks: list[str]) -> None:
    assert refused(text, load("compose-deployer")) == asks


def test_a_volume_that_is_taken_over_has_the_name_that_the_engine_chose() -> None:
    text = "services: {db: {image: a, volumes: [/data]}, web: {image: b, volumes_from: [db]}}"
    rule = {
        "id": "run",
        "allow": ["POST /containers/create"],
        "grant": {"volumes-from": "any"},
        "only": {"volume": "(anonymous)"},
    }
    policy = loads(json.dumps({"version": 1, "rules": [rule]}))
    creates = [verdict for line, verdict in verdicts(text, policy) if "/containers/create" in line]
    assert isinstance(creates[0], Allow)
    assert isinstance(creates[1], Deny)
    assert [(ask.kind, len(ask.value), dict(ask.labels)) for ask in creates[1].refused] == [
        ("volume", 64, {"com.docker.volume.anonymous": ""})
    ]


def test_the_looks_before_something_is_made_find_nothing() -> None:
    found = verdicts(TEXT, load("compose-deployer"))
    assert [line for line, verdict in found if isinstance(verdict, Absent)] == [
        "GET /v1.51/networks/shop_front",
        "GET /v1.51/volumes/shop_data",
    ]


def test_every_call_is_one_that_is_known() -> None:
    policy = loads(json.dumps({"version": 1, "rules": [{"id": "all", "allow": "ANY /**"}]}))
    text = "services: {web: {image: a, pull_policy: always, environment: [A=1]}}"
    assert all(isinstance(verdict, Allow) for _, verdict in verdicts(text, policy))
    assert "compose-deployer" in presets.names()
