"""`sockproxy migrate`: where it reads from, what it prints where, and its exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sockproxy.policy.load import load
from tests.classic.table import SETTINGS, name
from tests.cli.conftest import Sockproxy

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    """No switch of a classic proxy comes from outside."""
    for _, variables in SETTINGS:
        for variable in variables:
            monkeypatch.delenv(variable, raising=False)


def operations(policy: Path) -> set[str]:
    return {operation for rule in load(policy).rules for operation in rule.operations}


@pytest.mark.parametrize("setting", SETTINGS, ids=name)
def test_what_is_printed_loads_and_passes_check(
    sockproxy: Sockproxy, policy: Write, setting: tuple[str, dict[str, str]]
) -> None:
    dialect, variables = setting
    result = sockproxy("migrate", "--dialect", dialect, env=variables)
    assert result.exit_code == 0, result.stderr
    checked = sockproxy("check", str(policy(result.stdout)))
    assert checked.exit_code == 0, checked.stderr
    assert "no road to the host" in checked.stdout


def test_a_file_of_variables(sockproxy: Sockproxy, policy: Write) -> None:
    file = policy("CONTAINERS=1\nPOST=0\nSOCKET_PATH=/run/docker.sock\nTZ=UTC\n", "proxy.env")
    result = sockproxy("migrate", "--env-file", str(file))
    assert result.exit_code == 0
    assert "ContainerList" in operations(policy(result.stdout))
    command = "sockproxy run --policy policy.yaml --engine unix:///run/docker.sock"
    assert result.stderr.splitlines() == [
        "sockproxy: `TZ` is not understood, and nothing was made of it",
        "sockproxy: 6 things are stricter than before: they stand at the policy's end",
        f"sockproxy: save the policy as policy.yaml and run it: {command}",
    ]


def test_a_compose_file_says_whose_image_it_is(sockproxy: Sockproxy, policy: Write) -> None:
    text = "services: {{proxy: {{image: {}, environment: {{POST: 0, ALLOW_START: 1}}}}}}\n"
    for image, given in (("tecnativa/docker-socket-proxy", set()), ("linuxserver/socket-proxy", {"ContainerStart"})):
        result = sockproxy("migrate", "--compose", str(policy(text.format(image), "compose.yaml")))
        assert result.exit_code == 0, result.stderr
        assert operations(policy(result.stdout)) == {"SystemEvents"} | given


def test_a_compose_file_with_flags(sockproxy: Sockproxy, policy: Write) -> None:
    file = policy(
        "services: {proxy: {image: wollomatic/socket-proxy, command: ['-allowGET=/info', '-listenip=0.0.0.0']}}\n",
        "compose.yaml",
    )
    result = sockproxy("migrate", "--compose", str(file))
    assert result.exit_code == 0, result.stderr
    assert operations(policy(result.stdout)) == {"SystemInfo"}
    assert "--listen tcp://0.0.0.0:2375" in result.stderr


def test_flags_stand_behind_two_dashes(sockproxy: Sockproxy, policy: Write) -> None:
    result = sockproxy("migrate", "--", "-allowGET=/info", "-allowHEAD", "/_ping")
    assert result.exit_code == 0
    assert operations(policy(result.stdout)) == {"SystemInfo"}


def test_variables_of_the_go_proxy(sockproxy: Sockproxy, policy: Write) -> None:
    result = sockproxy("migrate", env={"SP_ALLOW_GET": "/info"})
    assert result.exit_code == 0
    assert operations(policy(result.stdout)) == {"SystemInfo"}


def test_rules_of_cetusguard(sockproxy: Sockproxy, policy: Write) -> None:
    file = policy("GET %API_PREFIX_EVENTS%\n", "rules.list")
    result = sockproxy("migrate", "--cetusguard", str(file))
    assert result.exit_code == 0
    assert operations(policy(result.stdout)) == {"SystemInfo", "SystemEvents"}


def test_what_cannot_be_converted_is_exit_code_1_and_the_rest_is_printed(sockproxy: Sockproxy, policy: Write) -> None:
    result = sockproxy("migrate", "--", "-allowGET=/info", "-allowPOST=/containers/[a-z]+/stop")
    assert result.exit_code == 1
    assert operations(policy(result.stdout)) == {"SystemInfo"}
    first = result.stderr.splitlines()[0]
    assert first.startswith("sockproxy: not converted: `-allowPOST=/containers/[a-z]+/stop`: `[a-z]+` stands for some")
    assert "# NOT CONVERTED: `-allowPOST=/containers/[a-z]+/stop`" in result.stdout


@pytest.mark.parametrize(
    ("words", "variables", "says"),
    [
        ((), {}, "there is nothing to migrate: no variable of a proxy that is known here is set"),
        ((), {"CONTAINERS": "1", "ALLOW_STRAT": "1"}, "`ALLOW_STRAT` is no variable of a classic proxy (did you mean"),
        (("--env-file", "/no/such"), {}, "/no/such cannot be read: No such file or directory"),
        (("--env-file", "a", "--compose", "b"), {}, "give one of --env-file, --compose, --cetusguard and flags"),
        (("--compose", "b", "--", "-allowGET=.*"), {}, "give one of --env-file, --compose, --cetusguard and flags"),
        (("--dialect", "klingon"), {}, "'klingon' is not one of 'tecnativa', 'tecnativa-edge', 'linuxserver'"),
        (("--", "-allowgET=x"), {}, "`-allowgET=x` is no flag of wollomatic's socket-proxy (did you mean -allowGET?)"),
    ],
    ids=str,
)
def test_a_mistake_is_exit_code_2_and_no_policy(
    sockproxy: Sockproxy, words: tuple[str, ...], variables: dict[str, str], says: str
) -> None:
    result = sockproxy("migrate", *words, env=variables)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
