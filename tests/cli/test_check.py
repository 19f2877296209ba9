"""`sockproxy check`, `test` and `presets`: what a policy's author sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sockproxy.policy import presets
from sockproxy.policy.load import load
from tests.cli.conftest import Sockproxy

Write = Callable[[str], Path]

BROKEN = """\
version: 1
name: broken
rules:
  - id: run
    allow: [GET /containers/jason, POST /containers/create]
    grant: {image: busybox, bindd: /srv}
    limit: {memory: lots}
    require: no-new-privilege
"""

FAILING = """\
version: 1
name: failing
rules:
  - id: look
    allow: GET /info
tests:
  - name: the info may be read
    request: GET /info
    expect: allowed
  - name: and so may the containers
    request: GET /containers/json
    expect: allowed
"""


def test_check_prints_every_mistake_with_its_place(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(BROKEN)
    result = sockproxy("check", str(path))
    assert result.exit_code == 2
    assert result.stdout == ""
    places = [line.split(": ")[0] for line in result.stderr.splitlines()]
    assert [place.removeprefix(f"{path}:").split(":")[0] for place in places] == ["5", "6", "6", "7", "8"]
    assert "did you mean" in result.stderr


def test_check_of_a_policy_without_a_road(sockproxy: Sockproxy) -> None:
    result = sockproxy("check", "read-only")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "read-only: ok"
    assert lines[1].startswith(f"  policy `read-only`, digest {load('read-only').digest[:12]}, ")
    assert lines[2] == "  at worst, everyone who can connect reads others' secrets"
    assert lines[3].startswith("    secrets: ")
    assert lines[-1].startswith("  no road to the host")


def test_check_says_of_each_client_what_it_could_do_at_worst(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy("""\
version: 1
rules:
  - {id: look, allow: GET /info}
  - id: work
    allow: POST /containers/create
    grant: {privileged: any}
    only: {container: x, volume: none, network: none}
clients:
  - {name: viewer, unix-user: 1, rules: look}
  - {name: admin, unix-user: 2, rules: all}
""")
    lines = sockproxy("check", str(path)).stdout.splitlines()
    assert lines[2:] == [
        "  at worst, client `viewer` lists and looks at things, and no more",
        f"    looks: {path}:3: rule `look` allows `GET /info`: it reads the engine's settings",
        "  at worst, client `admin` becomes root on the host",
        f"    road to the host: {path}:6: rule `work` grants `privileged: container`: a privileged container is root on the host",
        f"    exhaustion: {path}:5: rule `work` makes containers: as many as it likes, without a limit of memory, cpus or pids",
        f"    looks: {path}:3: rule `look` allows `GET /info`: it reads the engine's settings",
    ]


def test_check_warns_of_what_can_never_matter(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy("version: 1\nrules:\n  - {id: a, allow: GET /info, grant: {bind: /srv/**}}\n")
    result = sockproxy("check", str(path))
    assert result.exit_code == 0
    assert f"  warning: {path}:3: rule `a` says `grant: bind`, which none of its endpoints can ask" in (
        result.stdout.splitlines()
    )


def test_check_names_the_symbolic_link_of_a_writable_bind(sockproxy: Sockproxy) -> None:
    shown = sockproxy("check", "jenkins-agent").stdout
    roads = [line for line in shown.splitlines() if line.startswith("    road to the host: ")]
    assert any("can reach the whole host by a symbolic link" in road for road in roads)
    assert "no road to the host" not in shown


def test_check_is_told_whether_links_are_seen(sockproxy: Sockproxy, policy: Write) -> None:
    path = str(policy("version: 1\nrules: [{id: a, allow: POST /containers/create, grant: {bind: /srv/ci/**}}]\n"))
    for shown in (
        sockproxy("check", "--host-root", "/host", path).stdout,
        sockproxy("check", path, env={"SOCKPROXY_HOST_ROOT": "/host"}).stdout,
    ):
        assert "one plants a link" not in shown
        assert "leaves `restart` free" in shown
    assert "one plants a link" in sockproxy("check", path, env={"SOCKPROXY_HOST_ROOT": ""}).stdout


def test_a_policy_is_not_taken_for_the_host_s_root(sockproxy: Sockproxy) -> None:
    result = sockproxy("check", "--host-root", "jenkins-agent")
    assert result.exit_code == 2
    assert "no absolute path: write where the host's root is mounted" in result.stderr


def test_check_without_a_name_takes_the_variable_or_read_only(sockproxy: Sockproxy) -> None:
    assert sockproxy("check").stdout.startswith("read-only: ok\n")
    assert sockproxy("check", env={"SOCKPROXY_POLICY": "traefik"}).stdout.startswith("traefik: ok\n")


def test_check_goes_on_behind_a_broken_policy(sockproxy: Sockproxy, policy: Write) -> None:
    result = sockproxy("check", str(policy(BROKEN)), "read-only")
    assert result.exit_code == 2
    assert "read-only: ok" in result.stdout


def test_check_runs_the_tests_where_it_is_asked_to(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(FAILING)
    assert sockproxy("check", str(path)).exit_code == 0
    result = sockproxy("check", "--tests", str(path))
    assert result.exit_code == 1
    assert "  FAILED failing: and so may the containers" in result.stdout
    assert result.stdout.endswith("  tests: 1 passed, 1 failed\n")


def test_every_preset_passes_its_own_tests(sockproxy: Sockproxy) -> None:
    result = sockproxy("test")
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()[:-1]] == list(presets.names())
    assert result.stdout.splitlines()[-1].endswith(" passed, 0 failed")


def test_a_failure_says_what_was_expected_what_came_and_where(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(FAILING)
    result = sockproxy("test", str(path))
    assert result.exit_code == 1
    assert result.stdout == (
        "failing .F\n"
        "\n"
        f"FAILED failing: and so may the containers ({path}:10)\n"
        "    GET /containers/json\n"
        "    expected allowed, but sockproxy: no rule of policy `failing` allows GET /containers/json; to allow it, add:"
        " rules: [{id: allow-container-list, allow: [GET /containers/json]}]\n"
        "1 passed, 1 failed\n"
    )


def test_verbose_is_a_line_for_every_test(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(FAILING)
    lines = sockproxy("test", "-v", str(path)).stdout.splitlines()
    assert lines[:2] == [
        f"PASSED failing: the info may be read ({path}:7)",
        f"FAILED failing: and so may the containers ({path}:10)",
    ]


def test_a_policy_that_cannot_be_loaded_is_worse_than_a_failure(sockproxy: Sockproxy, policy: Write) -> None:
    result = sockproxy("test", str(policy(BROKEN)), "read-only")
    assert result.exit_code == 2
    assert "read-only ." in result.stdout


def test_presets_are_a_line_each_the_name_first(sockproxy: Sockproxy) -> None:
    lines = sockproxy("presets").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(presets.names())
    for line, name in zip(lines, presets.names(), strict=True):
        assert line.endswith(load(name).about)


def test_a_preset_is_shown_as_it_is_written(sockproxy: Sockproxy) -> None:
    path = presets.path("read-only")
    assert path is not None
    assert sockproxy("presets", "show", "read-only").stdout == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[2] / "deploy").rglob("jenkins.yaml")), ids=str)
def test_the_policies_in_deploy_pass(sockproxy: Sockproxy, file: Path) -> None:
    assert sockproxy("check", "--tests", str(file)).exit_code == 0
