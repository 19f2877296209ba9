"""cetusguard's rules: what a line comes to, and what is said of one that is none."""

from __future__ import annotations

import pytest

from sockproxy.classic.migration import Migration, policy
from sockproxy.classic.rules_file import migrate
from sockproxy.errors import ConfigurationError, PolicyError
from sockproxy.policy.load import loads

OWN = {"SystemInfo"}
"""What its own rules give; /_ping and /version are open anyway."""


def made(*lines: str) -> Migration:
    migration = migrate("\n".join(lines), "rules.list")
    loads(policy(migration))
    return migration


@pytest.mark.parametrize(
    ("line", "operations"),
    [
        ("", set()),
        ("! GET %API_PREFIX_EVENTS%", set()),
        ("GET %API_PREFIX_EVENTS%", {"SystemEvents"}),
        ("  GET,HEAD\t%API_PREFIX_CONTAINERS%/json  ", {"ContainerList"}),
        ("GET %API_PREFIX_CONTAINERS%/%CONTAINER_ID_OR_NAME%/(json|logs)", {"ContainerInspect", "ContainerLogs"}),
        ("GET %API_PREFIX_IMAGES%/%IMAGE_ID_OR_NAME%/json", {"ImageInspect"}),
        ("GET,DELETE %API_PREFIX_NETWORKS%/%NETWORK_ID_OR_NAME%", {"NetworkInspect", "NetworkDelete"}),
        # a name's expression takes in whatever else stands there, and did
        ("POST %API_PREFIX_NETWORKS%/%NETWORK_ID_OR_NAME%", {"NetworkCreate", "NetworkPrune"}),
        ("DELETE %API_PREFIX_VOLUMES%/%VOLUME_ID_OR_NAME%", {"VolumeDelete"}),
        ("PUT,HEAD %API_PREFIX%/containers/[^/]+/archive", {"PutContainerArchive", "ContainerArchiveInfo"}),
    ],
)
def test_a_line_gives_rows(line: str, operations: set[str]) -> None:
    migration = made(line)
    assert migration.operations == operations | OWN
    assert (migration.lost, migration.withheld) == ((), ())


def test_each_line_is_a_rule_that_says_where_it_stood() -> None:
    migration = made("! mine", "GET /events", "GET /networks")
    assert [(rule.id, rule.why) for rule in migration.rules[-2:]] == [
        ("line-2", "rules.list:2: GET /events"),
        ("line-3", "rules.list:3: GET /networks"),
    ]


def test_what_an_earlier_line_gave_is_not_given_twice() -> None:
    migration = made("GET /containers/.*", "GET,POST /containers/.*")
    assert not migration.rules[-1].operations & migration.rules[-2].operations


def test_names_hold_a_line_to_containers() -> None:
    migration = made("POST %API_PREFIX_CONTAINERS%/(web|db)/restart")
    assert migration.rules[-1].only == {"container": ("web", "db")}


def test_a_line_that_gives_nothing_is_told() -> None:
    lost = made("GET,HEAD /v1.41/libpod/info").lost
    shown = "`rules.list:1: GET,HEAD /v1.41/libpod/info`: `/v1.41/libpod/info`"
    assert lost == (f"{shown} takes in no endpoint of the Engine API, and gives nothing",)


def test_every_mistake_is_told_with_its_line() -> None:
    with pytest.raises(PolicyError) as caught:
        migrate("get /info\nGET %API_PREFIX_CONTAINER%/json\nGET /ok\nGET\n", "rules.list")
    problems = [(problem.line, problem.message, problem.hint) for problem in caught.value.problems]
    assert problems == [
        (1, "`get /info` is no rule", "write `GET,HEAD /path`"),
        (2, "`%API_PREFIX_CONTAINER%` stands for nothing that is known here", "did you mean %API_PREFIX_CONTAINERS%?"),
        (4, "`GET` is no rule", "write `GET,HEAD /path`"),
    ]


def test_an_expression_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"`rules\.list:1: GET \(` is no expression"):
        migrate("GET (", "rules.list")
