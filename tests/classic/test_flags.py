"""wollomatic/socket-proxy's flags and variables: what they come to, and what is said of the rest."""

from __future__ import annotations

import re

import pytest

from sockproxy.classic.flags import migrate
from sockproxy.classic.migration import Migration, policy
from sockproxy.docker.operations import OPERATIONS
from sockproxy.errors import ConfigurationError
from sockproxy.model import Peer
from sockproxy.policy.load import Policy, loads
from sockproxy.rehearse import Context, verdict_on

TRAEFIK = r"-allowGET=/v1\..{1,2}/(version|containers/.*|events.*)"


def made(*flags: str, **environment: str) -> tuple[Migration, Policy]:
    migration = migrate(flags, environment)
    return migration, loads(policy(migration))


def allowed(judged: Policy, request: str, body: bytes | None = None) -> bool:
    method, _, target = request.partition(" ")
    verdict = verdict_on(method, target, {}, body, policy=judged, context=Context(engine_version=judged.api_max))
    return type(verdict).__name__ == "Allow"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("GET /v1.41/containers/json", True),
        ("GET /containers/json", True),
        ("GET /v1.41/containers/web/archive?path=/etc", True),
        ("GET /v1.41/events", True),
        ("GET /v1.41/version", True),
        ("GET /_ping", False),
        ("HEAD /_ping", False),
        ("GET /v1.41/images/json", False),
        ("GET /v1.41/containers/web/attach/ws", False),
        ("POST /v1.41/containers/web/stop", False),
    ],
)
def test_an_expression_for_a_method(request_: str, expected: bool) -> None:
    _, judged = made(TRAEFIK)
    assert allowed(judged, request_) is expected


@pytest.mark.parametrize(
    ("flags", "denied"),
    [
        ((), ["GET /_ping", "GET /version"]),
        (("-allowGET=/_ping",), ["HEAD /_ping", "GET /version"]),
        (("-allowHEAD=/_ping",), ["GET /version"]),
        (("-allowGET=.*", "-allowHEAD=.*"), []),
    ],
)
def test_what_is_open_unless_denied_is_denied(flags: tuple[str, ...], denied: list[str]) -> None:
    migration, _ = made(*flags)
    assert [line for rule in migration.withheld for line in rule.selectors] == denied


def test_everything_for_every_method_gives_every_row_but_those_held_back() -> None:
    flags = [f"-allow{method}=.*" for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")]
    migration, _ = made(*flags)
    listed = {name for entry in migration.stricter if entry.sort == "row" for name in entry.operations}
    always = {row.name for row in OPERATIONS if row.always}
    assert migration.operations | listed | always == {row.name for row in OPERATIONS}
    assert not migration.operations & listed
    assert migration.lost == ()


def test_names_hold_a_rule_to_containers() -> None:
    _, judged = made(r"-allowPOST=/v1\..{1,2}/containers/(web|db-.*)/(restart|stop)")
    assert allowed(judged, "POST /containers/web/restart")
    assert allowed(judged, "POST /containers/db-1/stop")
    assert not allowed(judged, "POST /containers/other/stop")
    assert not allowed(judged, "POST /containers/web/kill")


def test_names_of_more_than_one_expression_all_count() -> None:
    stop = "-allowPOST=/containers/{}/stop"
    _, judged = made(stop.format("web"), stop.format("db"))
    assert [allowed(judged, f"POST /containers/{name}/stop") for name in ("web", "db", "other")] == [True, True, False]
    _, judged = made(stop.format("web"), "-allowPOST=/containers/.*")
    assert allowed(judged, "POST /containers/other/stop")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["-allowGET=/containers/.*"], False),
        (["-allowGET=/containers/.*", "-allowPOST=/containers/.*"], True),
        (["-allowGET=/containers/[^/]+/attach/ws"], True),
        (["-allowGET=/containers/web.*"], False),
    ],
)
def test_typing_into_containers_by_get_is_given_to_who_may_type_anyway(flags: list[str], expected: bool) -> None:
    migration, _ = made(*flags)
    assert ("ContainerAttachWebsocket" in migration.operations) is expected


def test_folders_that_may_be_bound_are_granted_where_containers_are_made() -> None:
    migration, judged = made("-allowGET=/info", "-allowPOST=/containers/.*", "-allowbindmountfrom=/srv/ci/,/var/log")
    create = "POST /containers/create?name=x"
    assert allowed(judged, create, b'{"Image": "x", "HostConfig": {"Binds": ["/srv/ci/job:/w"]}}')
    assert not allowed(judged, create, b'{"Image": "x", "HostConfig": {"Binds": ["/etc:/w"]}}')
    assert [(rule.id, rule.grant) for rule in migration.rules] == [
        ("get", {}),
        ("post", {"bind": ("/srv/ci/**", "/var/log/**")}),
    ]
    assert any("symbolic link" in note for note in migration.notes)


@pytest.mark.parametrize(
    ("flags", "networks"),
    [
        ((), ["127.0.0.1/32"]),
        (("-allowfrom=0.0.0.0/0",), []),
        (("-allowfrom=172.20.0.0/16,10.0.0.7",), ["172.20.0.0/16", "10.0.0.7/32"]),
        (("-allowfrom=traefik",), ["127.0.0.1/32"]),
        (("-allowfrom=traefik,172.20.0.0/16",), ["172.20.0.0/16"]),
        (("-allowfrom=172.20.0.0/16", "-proxysocketendpoint=/run/x.sock"), []),
    ],
)
def test_who_may_connect_becomes_clients(flags: tuple[str, ...], networks: list[str]) -> None:
    migration, judged = made(TRAEFIK, *flags)
    assert [str(network) for client in judged.clients for network in client.networks] == networks
    assert bool(migration.lost) is ("traefik" in str(flags))
    if networks:
        assert judged.client_of(Peer("tcp", ip=networks[0].partition("/")[0])) is not None
        assert judged.client_of(Peer("tcp", ip="192.0.2.9")) is None


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        (("-listenip=0.0.0.0",), {"--listen": "tcp://0.0.0.0:2375"}),
        (("--listenip", "::1", "-proxyport", "2376"), {"--listen": "tcp://[::1]:2376"}),
        (("-proxysocketendpoint=/run/x.sock",), {"--listen": "unix:///run/x.sock?mode=0600"}),
        (
            ("-proxysocketendpoint=/run/x.sock", "-proxysocketendpointfilemode=0o660"),
            {"--listen": "unix:///run/x.sock?mode=0660"},
        ),
        (("-socketpath=/run/docker.sock",), {"--engine": "unix:///run/docker.sock"}),
        (("-loglevel=WARN",), {"--log-level": "warning"}),
        (("-shutdowngracetime=5",), {"--grace-seconds": "5"}),
        (("-allowhealthcheck", "-logjson=true", "-watchdoginterval=60", "-stoponwatchdog"), {}),
    ],
)
def test_the_rest_is_how_it_is_run(flags: tuple[str, ...], options: dict[str, str]) -> None:
    migration, _ = made(TRAEFIK, *flags)
    assert migration.options == options
    assert len(migration.notes) == (4 if not options else 0)


@pytest.mark.parametrize(
    ("flags", "lost"),
    [
        (("-allowfrom=traefik",), "`-allowfrom=traefik`: clients are known by address, not by name; write its network"),
        (("-allowPOST=/containers/[a-z]+/stop",), r"`-allowPOST=/containers/[a-z]+/stop`: `[a-z]+` stands for some"),
        (("-allowGET=/libpod/.*",), "`-allowGET=/libpod/.*`: `/libpod/.*` takes in no endpoint of the Engine API"),
        (("-allowbindmountfrom=/",), "`-allowbindmountfrom=/` is the whole host"),
        (("-allowbindmountfrom=/srv/*",), "`-allowbindmountfrom=/srv/*`: no pattern means just this folder"),
        (
            ("-proxycontainername=proxy",),
            "`-proxycontainername`: the labels `socket-proxy.allow.…` of other containers",
        ),
    ],
)
def test_what_cannot_be_converted_is_told(flags: tuple[str, ...], lost: str) -> None:
    migration, _ = made(*flags)
    assert [line.startswith(lost) for line in migration.lost] == [True]
    assert lost in re.sub(r"\n# {3}", " ", policy(migration))


LABELS = {
    "traefik": {"socket-proxy.allow.get": "/containers/json", "socket-proxy.allow.get.1": "/events"},
    "runner": {"socket-proxy.allow.post": "/containers/.*", "socket-proxy.allow.bindmountfrom": "/srv/ci"},
}


def test_labels_give_a_service_rules_of_its_own() -> None:
    migration = migrate(["-proxycontainername=proxy", "-allowGET=/info"], {}, LABELS)
    judged = loads(policy(migration))
    assert {client.name: client.rules for client in judged.clients} == {
        "allowed": {"get"},
        "runner": {"runner-post"},
        "traefik": {"traefik-get", "traefik-get-2"},
    }
    grants = {rule.id: rule.grant for rule in migration.rules if rule.grant}
    assert grants == {"runner-post": {"bind": ("/srv/ci/**",)}}
    # nobody has their rules until somebody writes where they are
    assert [line.partition(":")[0] for line in migration.lost] == ["the labels of `runner`", "the labels of `traefik`"]


@pytest.mark.parametrize(
    ("flags", "clients"),
    [
        (["-allowGET=/info"], {"allowed"}),
        (["-proxycontainername=proxy"], {"runner", "traefik"}),
        (["-proxycontainername=proxy", "-allowGET=/info", "-allowfrom=0.0.0.0/0"], {"runner", "traefik"}),
        (["-proxycontainername=proxy", "-proxysocketendpoint=/run/x.sock"], set()),
    ],
    ids=str,
)
def test_who_has_labels_is_a_client_where_labels_count(flags: list[str], clients: set[str]) -> None:
    migration = migrate(flags, {}, LABELS)
    assert {client.name for client in loads(policy(migration)).clients} == clients
    labelled = {rule.id for rule in migration.rules} & {"runner-post", "traefik-get"}
    assert bool(labelled) is ("runner" in clients)


def test_a_label_that_is_not_known_is_told() -> None:
    labels = {"web": {"socket-proxy.allow.gte": "/info"}}
    lost = migrate(["-proxycontainername=proxy"], {}, labels).lost
    assert lost == ("`web: socket-proxy.allow.gte=/info` is no label of wollomatic's socket-proxy",)


def test_an_alternation_is_read_there_as_if_it_had_open_ends() -> None:
    open_ends = [str(entry) for entry in made("-allowGET=/info|/version")[0].stricter]
    assert any(entry.startswith("`-allowGET=/info|/version`: there it is read as") for entry in open_ends)
    closed = [str(entry) for entry in made("-allowGET=/(info|version)")[0].stricter]
    assert not any("-allowGET" in entry for entry in closed)


def test_variables_stand_for_flags_and_flags_come_first() -> None:
    variables = {"SP_ALLOW_GET": "/info", "SP_ALLOW_GET_2": "/version", "SP_ALLOW_HEAD": "/_ping", "PATH": "/bin"}
    assert made(**variables)[0].operations == {"SystemInfo"}
    assert made("-allowGET=/events", **variables)[0].operations == {"SystemEvents"}


@pytest.mark.parametrize(
    ("flags", "environment", "says"),
    [
        (
            ("-allowGTE=/info",),
            {},
            "`-allowGTE=/info` is no flag of wollomatic's socket-proxy (did you mean -allowGET?)",
        ),
        (("nonsense",), {}, "`nonsense` is no flag of wollomatic's socket-proxy"),
        (("-allowGET",), {}, "`-allowGET` lacks its value"),
        (("-allowGET=(",), {}, "`-allowGET=(` is no expression that can be read"),
        (("-allowbindmountfrom=srv",), {}, "`srv` is no whole path"),
        (("-loglevel=loud",), {}, "`-loglevel=loud` is no level"),
        (("-proxysocketendpoint=/x", "-proxysocketendpointfilemode=rw"), {}, "`-proxysocketendpointfilemode=rw` is no"),
        (
            (),
            {"SP_ALOWFROM": "x"},
            "`SP_ALOWFROM` is no variable of wollomatic's socket-proxy (did you mean SP_ALLOWFR",
        ),
    ],
)
def test_a_mistake_is_an_error(flags: tuple[str, ...], environment: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        migrate(flags, environment)
    assert says in str(caught.value)
