"""What a policy gives away: said of every road, and never that there is none where there is one."""

from __future__ import annotations

import pytest

from sockproxy.model import Ask
from sockproxy.policy import presets
from sockproxy.policy.load import load, loads
from sockproxy.policy.patterns import cut_suffixes
from sockproxy.policy.review import review

HEAD = "version: 1\nrules:\n  - id: a\n    allow: POST /containers/create\n    only: {container: x, volume: x, network: x}\n"
NO_ROAD = "no road to the host"


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        ("bind: /srv/ci/**", "symbolic link"),
        ("bind: /srv/ci", "symbolic link"),
        ("bind: /srv/ci/** shared", "symbolic link"),
        ("bind: /**", "granting that is granting all"),
        ("bind: /var/run/docker.sock ro", "granting that is granting all"),
        ("bind: /run/** ro", "granting that is granting all"),
        ("bind: /etc ro", "the host's own files"),
        ("bind: any", "granting that is granting all"),
        ("privileged: any", "root on the host"),
        ("capability: SYS_ADMIN", "root on the host"),
        ("capability: any", "root on the host"),
        ("namespace: pid=host", "processes"),
        ("namespace: '**'", "processes"),
        ("device: /dev/sda", "disks"),
        ("device: /dev/**", "disks"),
        ("security-opt: seccomp=unconfined", "barrier"),
        ("runtime: any", "runtime"),
        ("import: load", "replaced"),
        ("field: Role=manager", "every node"),
    ],
)
def test_a_road_to_the_host_is_named(grant: str, words: str) -> None:
    sheet = review(loads(HEAD + f"    grant: {{{grant}}}\n"))
    assert any(words in road for road in sheet.roads), sheet
    assert not any(NO_ROAD in line for line in sheet.lines)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("POST /swarm/join", "joins a cluster"),
        ("GET /swarm", "join tokens"),
        ("GET /swarm/unlockkey", "tells the key"),
    ],
)
def test_a_row_that_is_a_road_by_itself_is_named(row: str, words: str) -> None:
    sheet = review(loads(f"version: 1\nrules:\n  - id: a\n    allow: {row}\n"))
    assert any(words in road for road in sheet.roads), sheet
    assert not any(NO_ROAD in line for line in sheet.lines)


@pytest.mark.parametrize("row", ["POST /services/create", "POST /services/{id}/update"])
def test_services_that_are_left_free_are_named(row: str) -> None:
    rule = f"version: 1\nrules:\n  - id: a\n    allow: {row}\n"
    free = "makes services and leaves `service` and `volume` and `network` free"
    assert any(free in line for line in review(loads(rule)).warnings)
    held = review(loads(f"{rule}    only: {{service: x, volume: x, network: x}}\n"))
    assert not any("free" in line for line in held.warnings)


@pytest.mark.parametrize(
    "grant",
    [
        "bind: /srv/ci/** ro",
        "bind: /srv/ci/** ro nonrecursive",
        "bind: /srv/ci/** ro shared",
        "bind: none",
        "publish: any",
        "capability: NET_BIND_SERVICE",
        "group: video",
    ],
)
def test_what_leads_nowhere_is_said_to(grant: str) -> None:
    sheet = review(loads(HEAD + f"    grant: {{{grant}}}\n"))
    assert not sheet.roads
    assert any(NO_ROAD in line for line in sheet.lines)


def test_a_create_that_leaves_things_free_is_named() -> None:
    sheet = review(loads("version: 1\nrules:\n  - id: a\n    allow: POST /containers/create\n    only: {volume: x}\n"))
    assert any("`container` and `network` free" in warning for warning in sheet.warnings)


def test_two_rules_for_one_endpoint_are_named() -> None:
    sheet = review(loads(HEAD + "  - {id: b, allow: POST /containers/create}\n"))
    assert any("the laxer one wins" in warning for warning in sheet.warnings)


def test_a_client_known_by_its_address_where_containers_may_go_is_named() -> None:
    text = "version: 1\nrules:\n  - {id: a, allow: POST /containers/create}\nclients:\n  - {name: c, from: 10.0.0.0/8, rules: all}\n"
    assert any("no identity" in warning for warning in review(loads(text)).warnings)


def test_an_unquoted_comma_is_named() -> None:
    text = "version: 1\nrules:\n  - id: a\n    allow: POST /containers/*/exec\n    only: {exec: [sh -c a, b]}\n"
    assert any("comma" in warning for warning in review(loads(text)).warnings)


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_with_a_writable_bind_is_never_said_to_be_safe(name: str) -> None:
    policy = load(name)
    patterns = [pattern for rule in policy.rules for pattern in rule.grant.get("bind", ())]
    writable = any(pattern.matches(Ask("bind", cut_suffixes(pattern.text)[0], "")) for pattern in patterns)
    sheet = review(policy)
    if writable:
        assert any("symbolic link" in road for road in sheet.roads)
    assert any(NO_ROAD in line for line in sheet.lines) is not bool(sheet.roads)


def test_where_links_are_seen_a_writable_bind_is_no_road_by_one() -> None:
    text = HEAD.replace("network: x", 'network: x, restart: "none"') + "    grant: {bind: /srv/ci/**}\n"
    blind, seeing = review(loads(text)), review(loads(text), host_root=True)
    assert any("one plants a link" in road for road in blind.roads)
    assert not seeing.roads
    # Whoever is quick enough has one all the same, so that nobody says there is none.
    assert any("between sockproxy's look and the engine's mount" in warning for warning in seeing.warnings)
    assert not any(NO_ROAD in line for line in seeing.lines)


@pytest.mark.parametrize(
    ("grant", "road"),
    [("bind: /srv/ci/**", True), ("bind: /srv/ci/** ro", False), ("bind: none", False), ("publish: any", False)],
)
def test_nor_where_the_engine_may_mount_again_by_itself(grant: str, road: bool) -> None:
    sheet = review(loads(HEAD + f"    grant: {{{grant}}}\n"), host_root=True)
    assert any("leaves `restart` free" in line for line in sheet.roads) is road
    assert any(NO_ROAD in line for line in sheet.lines) is not road


def test_a_socket_is_a_road_whoever_sees_links() -> None:
    sheet = review(loads(HEAD + "    grant: {bind: /var/run/docker.sock ro}\n"), host_root=True)
    assert any("granting that is granting all" in road for road in sheet.roads)


def test_read_only_leads_nowhere() -> None:
    assert review(load("read-only")).roads == ()
