"""`sockproxy explain -- COMMAND`: every call of a command, and one block of YAML that would make all of them pass."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.conftest import Sockproxy
from tests.dryrun.conftest import CLIENT, NARROW

Write = Callable[[str], Path]

CREATE = 'POST /containers/create?name=ci-1 {"Image": "busybox", "HostConfig": {"Binds": ["/srv/a:/a"]}}'
BINDS = 'POST /containers/create?name=db {"Image": "busybox", "HostConfig": {"Binds": ["/etc:/e", "/:/h"]}}'
PRIVILEGED = 'POST /containers/create?name=ci-2 {"Image": "busybox", "HostConfig": {"Privileged": true}}'


def explain(sockproxy: Sockproxy, policy: Path | str, *calls: str, options: tuple[str, ...] = ()) -> Result:
    return sockproxy("explain", "--policy", str(policy), *options, "--", *CLIENT, *calls)


def test_what_is_allowed_says_which_lines_cover_it(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(NARROW)
    result = explain(sockproxy, path, "GET /_ping", CREATE, "POST /containers/ci-1/start")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].endswith("(policy `narrow`, API 1.51; nothing is made)")
    assert lines[1] == "allowed: its 3 calls"
    assert "POST /containers/create?name=ci-1  (ContainerCreate)" in lines
    assert f"allowed by rule `run` ({path}:4)" in lines
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines if line.startswith("  yes")]
    assert ["yes", "bind: /srv/a", "HostConfig.Binds[0]", f"bind: /srv/** ({path}:11)"] in cells
    assert ["yes", "container: ci-1", "?name", f"container: ci-* ({path}:12)"] in cells
    assert "… and 1 more call that asks nothing: SystemPing" in lines
    assert "to allow" not in result.stdout


def test_what_is_refused_is_listed_and_one_block_allows_all_of_it(
    sockproxy: Sockproxy, policy: Write, tmp_path: Path
) -> None:
    path = policy(NARROW)
    calls = (BINDS, PRIVILEGED, "POST /containers/ci-2/kill", "GET /info")
    result = explain(sockproxy, path, *calls)
    assert result.exit_code == 1
    assert "refused: 4 of its 4 calls" in result.stdout
    assert "  NO       bind: /etc" in result.stdout
    heading = "to allow all of it, in a file that stands beside policy.yaml:"
    block = result.stdout.partition(f"{heading}\n\n")[2].partition("\n\n")[0]
    assert block.splitlines() == [
        "version: 1",
        "extends: policy.yaml",
        "rules:",
        "  - id: run",
        "    grant: {bind: [/etc, /], privileged: any}",
        "    only: {container: db}",
        "  - id: allow-more",
        "    allow:",
        "      - POST /containers/{id}/kill",
        "      - GET /info",
    ]
    pasted = tmp_path / "pasted.yaml"
    pasted.write_text(block + "\n")
    assert explain(sockproxy, pasted, *calls).exit_code == 0


def test_what_no_policy_gives_is_said(sockproxy: Sockproxy, policy: Write) -> None:
    strict = NARROW.replace("    grant:", "    limit: {memory: 1g}\n    require: read-only\n    grant:")
    calls = (BINDS, "POST /swarm/init {}", "GET /no/such")
    told = json.loads(explain(sockproxy, policy(strict), *calls, options=("--json",)).stdout)
    assert told["fix"].splitlines()[3:] == ["  - id: run", "    grant: {bind: [/etc, /]}", "    only: {container: db}"]
    beginnings = (
        "set HostConfig.Memory (docker run --memory), at most 1g",
        "rule `run` requires read-only: send HostConfig.ReadonlyRootfs",
        "rule `never` denies POST /swarm/init",
        "GET /no/such is no endpoint",
    )
    assert [words.startswith(start) for words, start in zip(told["left"], beginnings, strict=True)] == [True] * 4


def test_what_no_policy_allows_is_said_to_be_that(sockproxy: Sockproxy, policy: Write) -> None:
    shown = explain(sockproxy, policy(NARROW), "POST /swarm/init {}").stdout
    assert "\nno policy that extends this one allows it:\n  - rule `never` denies POST /swarm/init" in shown
    assert "to allow" not in shown
    limited = NARROW.replace("    grant:", "    limit: {memory: 1g}\n    grant:")
    shown = explain(sockproxy, policy(limited), PRIVILEGED).stdout
    assert "\nto allow what a policy can allow of it, in a file that stands beside policy.yaml:\n" in shown
    assert "\nwhat no policy that extends this one gives:\n  - set HostConfig.Memory (docker run --memory)" in shown


GRPC = """\
version: 1
rules:
  - {id: grpc, allow: [POST /grpc, GET /info], grant: {tunnel: grpc, namespace: network=host}}
"""


def test_what_a_build_asks_behind_the_tunnel_is_in_the_block(
    sockproxy: Sockproxy, policy: Write, tmp_path: Path
) -> None:
    for text, status in ((NARROW, 1), (GRPC, 0)):
        result = explain(sockproxy, policy(text), "POST /grpc")
        assert result.exit_code == status
        assert "a build asks `POST /session`" in result.stdout
        block = result.stdout.partition("policy.yaml:\n\n")[2].partition("\n\n")[0]
        assert "      - POST /session" in block.splitlines()
        pasted = tmp_path / "pasted.yaml"
        pasted.write_text(block + "\n")
        told = json.loads(explain(sockproxy, pasted, "POST /grpc", options=("--json",)).stdout)
        assert {call["verdict"] for call in (*told["calls"], *told["behind_tunnel"])} == {"allow"}
        assert told["fix"] is None


def test_that_buildx_goes_on_without_a_gpu_is_said(sockproxy: Sockproxy, policy: Write) -> None:
    gpu = '{"Image": "moby/buildkit", "Entrypoint": ["/bin/true"], "HostConfig": {"DeviceRequests": [{"Count": -1}]}}'
    look, make = f"POST /containers/create {gpu}", 'POST /containers/create?name=buildx_buildkit_x {"Image": "x"}'
    text, said = (
        NARROW.replace("ci-*", "buildx_*"),
        "only to see whether there is a GPU, and goes on where it is refused",
    )
    result = explain(sockproxy, policy(text), look, make)
    assert said in result.stdout
    assert "refused: 1 of its 2 calls" in result.stdout
    assert "500 1.51" in result.stdout
    assert said not in explain(sockproxy, policy(text), look).stdout


def test_the_same_call_is_shown_once(sockproxy: Sockproxy, policy: Write) -> None:
    result = explain(sockproxy, policy(NARROW), *["POST /containers/db/stop"] * 3)
    assert result.stdout.count("(ContainerStop") == 1
    assert "(ContainerStop, 3 times)" in result.stdout


def test_json_has_it_all_for_programs(sockproxy: Sockproxy, policy: Write) -> None:
    result = explain(sockproxy, policy(NARROW), CREATE, PRIVILEGED, options=("--json",))
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["command"] == [*CLIENT, CREATE, PRIVILEGED]
    assert (told["verdict"], told["ended"], told["api_version"]) == ("deny", {"status": 0, "by": None}, "1.51")
    assert [(call["operation"], call["verdict"]) for call in told["calls"]] == [
        ("ContainerCreate", "allow"),
        ("ContainerCreate", "deny"),
    ]
    assert told["calls"][1]["asks"][0]["kind"] == "container"
    assert "privileged: any" in told["fix"]
    assert told["left"] == []


def test_what_it_said_itself_is_shown_unless_it_is_to_be_quiet(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(NARROW)
    shown = explain(sockproxy, path, "GET /containers/ci-1/json").stdout
    assert "what the command said:\n\n    200 1.51 {" in shown
    assert "what the command said" not in explain(sockproxy, path, "GET /containers/ci-1/json", options=("-q",)).stdout


def test_what_it_said_moves_no_terminal(sockproxy: Sockproxy, policy: Write) -> None:
    words = (sys.executable, "-c", "print('\\x1b[2J' + chr(155) + 'x')")
    result = sockproxy("explain", "--policy", str(policy(NARROW)), "--", *words)
    assert "\x1b" not in result.stdout
    assert "\x9b" not in result.stdout


def test_secrets_of_a_query_are_not_shown(sockproxy: Sockproxy, policy: Write) -> None:
    result = explain(sockproxy, policy(NARROW), "POST /build?buildargs=%7B%22TOKEN%22%3A%22hunter2%22%7D")
    assert "hunter2" not in result.stdout.partition("what the command said")[0].partition("\n")[2]


def test_a_command_that_calls_no_engine_is_nothing_to_judge(sockproxy: Sockproxy) -> None:
    result = sockproxy("explain", "--", sys.executable, "-c", "raise SystemExit(3)")
    assert result.exit_code == 2
    assert "nothing to judge: it called no engine" in result.stdout
    assert "the command itself ended with 3" in result.stdout


def test_a_command_that_fails_without_a_refusal_is_said_to_have_failed(sockproxy: Sockproxy) -> None:
    script = f"import subprocess, sys; subprocess.run([*{CLIENT!r}, 'GET /info']); sys.exit(4)"
    result = sockproxy("explain", "--", sys.executable, "-c", script)
    assert result.exit_code == 0
    assert "the command itself ended with 4, so it may not have asked all that it would" in result.stdout


def test_a_refusal_that_docker_goes_on_after_is_said_to_be_one(sockproxy: Sockproxy, policy: Write) -> None:
    pulling = policy("version: 1\nrules:\n  - {id: pull, allow: [POST /images/create]}\n")
    pull = "POST /images/create?fromImage=alpine"
    said = "docker before 23 asks `GET /info` for the default registry alone, and goes on where it is refused"
    assert said in explain(sockproxy, pulling, "GET /info", pull).stdout
    for calls in ((pull, "GET /info"), ("GET /info",), ("GET /info", pull, "GET /images/json"), (pull,)):
        assert said not in explain(sockproxy, pulling, *calls).stdout


def test_a_command_that_does_not_end_is_ended(sockproxy: Sockproxy) -> None:
    words = (
        sys.executable,
        "-c",
        f"import subprocess, time; subprocess.run([*{CLIENT!r}, 'GET /info']); time.sleep(60)",
    )
    result = sockproxy("explain", "--timeout", "1.5", "--", *words)
    assert "it was ended after 1.5 s (--timeout)" in result.stdout


def test_the_version_and_the_clients_of_the_policy_can_be_chosen(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(NARROW + "clients:\n  - {name: ci, from: 10.0.0.0/8, rules: [run]}\n")
    result = explain(sockproxy, path, "GET /info", options=("--client", "ci", "--engine-version", "1.41"))
    assert "(policy `narrow`, client `ci`, API 1.41; nothing is made)" in result.stdout
    assert "# and the client `ci`, which is not inherited, with `allow-system-info` among its rules" in result.stdout
    assert explain(sockproxy, path, "GET /info").exit_code == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--",), "nothing stands behind `--`"),
        (("--", "docker-of-nowhere", "ps"), "sockproxy: the command `docker-of-nowhere` is not installed here"),
        (("--", "docker", "-H", "unix:///x", "ps"), "sockproxy: `-H` names an engine, and would go past the dry run"),
        (("--", "sudo", "docker", "ps"), "sockproxy: `sudo` does not hand DOCKER_HOST on"),
        (("--request", "GET /info", "--", "true"), "say what is to be explained"),
        (("--engine-version", "2", "--", "true"), "write a version of the API, 1.24 to 1.56"),
        (("--engine-version", "1.99", "--", "true"), "write a version of the API, 1.24 to 1.56"),
        (
            ("--engine", "unix:///no/such.sock", "--", "true"),
            "sockproxy: cannot ask the engine at unix:///no/such.sock",
        ),
        (("--host-root", "/no/such", "--", "true"), "the host's root `/no/such` cannot be used"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_said_in_words(sockproxy: Sockproxy, words: tuple[str, ...], says: str) -> None:
    result = sockproxy("explain", *words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output


DOCKER = shutil.which("docker")


@pytest.mark.skipif(DOCKER is None, reason="needs the docker command, though no engine")
@pytest.mark.parametrize(
    ("line", "status", "asked"),
    [
        ("docker run -v /:/h --privileged alpine", 1, ["bind: /", "privileged: container"]),
        ("docker run -it --rm alpine sh", 0, []),
        ("docker run -d -p 127.0.0.1:8080:80 nginx", 0, []),
        ("docker exec -it web sh", 0, []),
        ("docker inspect anything", 0, []),
        ("docker network create net", 1, []),
    ],
)
def test_the_real_docker_command(
    sockproxy: Sockproxy, tmp_path: Path, line: str, status: int, asked: list[str]
) -> None:
    variables = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
    result = sockproxy("explain", "--policy", "jenkins-agent", "--", *line.split(), env=variables)
    assert result.exit_code == status, result.output
    for ask in asked:
        assert f"NO       {ask}" in result.stdout
    assert list(tmp_path.iterdir()) == []
