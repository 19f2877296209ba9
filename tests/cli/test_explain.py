"""`sockproxy explain`: the verdict, every ask, what covers it and where, and what is missing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import Sockproxy

Write = Callable[[str], Path]

POLICY = """\
version: 1
name: ci
rules:
  - id: run
    allow: [POST /containers/create, "POST /containers/{id}/stop"]
    grant:
      bind: /srv/ci/**
    only:
      container: ci-*
    limit: {memory: 1g}
  - id: never
    deny: POST /swarm/leave
    because: never.
"""

BODY = (
    '{"Image": "busybox", "HostConfig": {"Memory": 1048576, "Binds": ["/srv/ci/a:/a", "/etc:/e"], "Privileged": true}}'
)
CREATE = "POST /containers/create?name=ci-1"


def cells(line: str) -> list[str]:
    return [cell for cell in line.split("  ") if cell.strip()]


def test_a_refusal_says_what_is_missing_and_the_yaml_that_would_allow_it(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(POLICY)
    result = sockproxy("explain", "--policy", str(path), "--request", CREATE, "--body", "-", input=BODY)
    assert result.exit_code == 1
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == f"{CREATE}  (ContainerCreate, policy `ci`)"
    assert lines[1] == f"refused: 403 ask_refused; the nearest is rule `run` ({path}:4)"
    rows = [[cell.strip() for cell in cells(line)] for line in lines if line.startswith(("  yes", "  NO"))]
    assert rows[:2] == [
        ["NO", "bind: /etc", "HostConfig.Binds[1]", f"granted is only /srv/ci/** ({path}:7)"],
        ["NO", "privileged: container", "HostConfig.Privileged", "no `privileged` is granted"],
    ]
    assert ["yes", "container: ci-1", "?name", f"container: ci-* ({path}:9)"] in rows
    assert ["yes", "bind: /srv/ci/a", "HostConfig.Binds[0]", f"bind: /srv/ci/** ({path}:7)"] in rows
    assert ["yes", "limit: memory", "HostConfig.Memory", f"limit: memory 1g ({path}:10)"] in rows
    assert "to allow it:" in lines
    assert "grant: {bind: [/srv/ci/**, /etc], privileged: any}" in result.stdout


def test_an_allowed_request_says_by_which_rule(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(POLICY)
    body = '{"Image": "busybox", "HostConfig": {"Memory": 1048576}}'
    result = sockproxy("explain", "--policy", str(path), "--request", CREATE, "--body", "-", input=body)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == f"allowed by rule `run` ({path}:4)"
    assert "  NO " not in result.stdout


def test_a_body_may_come_from_a_file(sockproxy: Sockproxy, policy: Write, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text(BODY)
    result = sockproxy("explain", "--policy", str(policy(POLICY)), "--request", CREATE, "--body", str(file))
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("body", "by"),
    [
        ('{"Image": "b", "HostConfig": {"Memory": 2147483648}}', "limit: memory 1g"),
        ('{"Image": "b"}', "limit: memory 1g, and none is set"),
    ],
)
def test_a_limit_says_its_number(sockproxy: Sockproxy, policy: Write, body: str, by: str) -> None:
    path = policy(POLICY)
    shown = sockproxy("explain", "--policy", str(path), "--request", CREATE, "--body", "-", input=body).stdout
    refused = [line for line in shown.splitlines() if line.startswith("  NO")]
    assert [cells(line)[-1].strip() for line in refused] == [f"{by} ({path}:10)"]


def test_a_deny_is_named(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(POLICY)
    result = sockproxy("explain", "--policy", str(path), "--request", "POST /swarm/leave")
    assert result.exit_code == 1
    assert f"refused: 403 denied_by_rule; denied by rule `never` ({path}:11)" in result.stdout


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ("GET /no/such", 403, "unknown_operation"),
        ("GET /containers/../info", 400, "malformed"),
        ("GET /v1.12/info", 400, "malformed"),
        ("GET /images/json", 403, "no_rule"),
        ("GET /containers/\x1b[31m/json", 400, "malformed"),
    ],
)
def test_what_no_rule_speaks_of_has_its_code(
    sockproxy: Sockproxy, policy: Write, request_: str, status: int, code: str
) -> None:
    result = sockproxy("explain", "--policy", str(policy(POLICY)), "--request", request_)
    assert result.exit_code == 1
    assert f"refused: {status} {code}" in result.stdout
    assert "\x1b" not in result.stdout


def test_headers_are_judged_too(sockproxy: Sockproxy) -> None:
    result = sockproxy("explain", "--request", "GET /info", "--header", "origin: http://x")
    assert result.exit_code == 1
    assert "a browser is no Docker client" in result.stdout
    assert (
        sockproxy("explain", "--request", "GET /info", env={"SOCKPROXY_HEADER": "Origin: x\nUser-Agent: y"}).exit_code
        == 1
    )


def test_facts_stand_for_the_engine(sockproxy: Sockproxy, policy: Write, tmp_path: Path) -> None:
    path, facts = policy(POLICY), tmp_path / "facts.json"
    facts.write_text('{"/containers/4f1d/json": {"Name": "/ci-7"}}')
    words = ("explain", "--policy", str(path), "--request", "POST /containers/4f1d/stop")
    assert sockproxy(*words).exit_code == 1
    assert sockproxy(*words, "--engine-facts", str(facts)).exit_code == 0
    facts.write_text("[]")
    assert sockproxy(*words, "--engine-facts", str(facts)).exit_code == 2


def test_facts_and_the_host_say_where_a_path_leads(sockproxy: Sockproxy, policy: Write, tmp_path: Path) -> None:
    body = '{"Image": "busybox", "HostConfig": {"Memory": 1048576, "Binds": ["/srv/ci/x:/a"]}}'
    words = ("explain", "--policy", str(policy(POLICY)), "--request", CREATE, "--body", "-")
    assert sockproxy(*words, input=body).exit_code == 0
    facts = tmp_path / "facts.json"
    facts.write_text('{"host:/srv/ci/x": {"Path": "/etc"}}')
    told = sockproxy(*words, "--engine-facts", str(facts), input=body)
    assert "bind: /etc" in told.stdout
    (tmp_path / "host/srv/ci").mkdir(parents=True)
    (tmp_path / "host/srv/ci/x").symlink_to("/root")
    seen = sockproxy(*words, "--host-root", str(tmp_path / "host"), input=body)
    assert seen.exit_code == 1
    assert "bind: /root" in seen.stdout
    assert sockproxy(*words, "--host-root", "/no/such", input=body).exit_code == 2


def test_json_has_the_same_for_programs(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(POLICY)
    result = sockproxy("explain", "--json", "--policy", str(path), "--request", CREATE, "--body", "-", input=BODY)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["verdict"], told["code"], told["status"], told["rule"]) == ("deny", "ask_refused", 403, "run")
    assert told["operation"] == "ContainerCreate"
    assert {"kind": "bind", "value": "/etc", "where": "HostConfig.Binds[1]", "covered": False} in [
        {key: each[key] for key in ("kind", "value", "where", "covered")} for each in told["asks"]
    ]
    allowed = json.loads(sockproxy("explain", "--json", "--request", "GET /info").stdout)
    assert allowed.keys() == told.keys()
    assert (allowed["verdict"], allowed["rule"], allowed["fix"]) == ("allow", "read", None)


def test_the_yaml_that_is_printed_makes_the_request_pass(sockproxy: Sockproxy, policy: Write, tmp_path: Path) -> None:
    body = '{"Image": "busybox", "HostConfig": {"Privileged": true, "Binds": ["/etc:/e"]}}'
    words = ("--request", "POST /containers/create", "--body", "-")
    told = json.loads(sockproxy("explain", "--json", "--policy", "jenkins-agent", *words, input=body).stdout)
    pasted = tmp_path / "pasted.yaml"
    pasted.write_text(told["fix"] + "\n")
    assert sockproxy("explain", "--policy", str(pasted), *words, input=body).exit_code == 0


def test_a_policy_with_clients_is_asked_for_one_of_them(sockproxy: Sockproxy, policy: Write) -> None:
    path = policy(POLICY + "clients:\n  - name: jenkins\n    from: 10.0.0.0/8\n    rules: all\n")
    words = ("explain", "--policy", str(path), "--request", "POST /containers/ci-1/stop")
    asked = sockproxy(*words)
    assert asked.exit_code == 2
    assert "say which of the policy's clients asks: jenkins" in asked.stderr
    assert sockproxy(*words, "--client", "jenkins").exit_code == 0


class Daemon(BaseHTTPRequestHandler):
    """An engine that knows its version and one container."""

    def do_GET(self) -> None:
        known = {
            "/version": {"ApiVersion": "1.41", "MinAPIVersion": "1.24"},
            "/containers/web/json": {"Id": "a" * 64, "Name": "/ci-web"},
        }
        told = known.get(self.path)
        body = json.dumps({"message": "No such container"} if told is None else told).encode()
        self.send_response(200 if told is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def daemon() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Daemon)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"tcp://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_live_engine_is_really_asked(sockproxy: Sockproxy, policy: Write, daemon: str) -> None:
    words = ("explain", "--policy", str(policy(POLICY)), "--engine", daemon, "--request")
    known = sockproxy(*words, "POST /containers/web/stop")
    assert known.exit_code == 0, known.output
    assert "container: ci-web" in known.stdout
    gone = sockproxy(*words, "POST /containers/gone/stop")
    assert gone.exit_code == 1
    assert "not there: the engine answers 404\nNo such container" in gone.stdout
    newer = sockproxy(*words, "POST /v1.44/containers/web/stop")
    assert "client version 1.44 is too new. Maximum supported API version is 1.41" in newer.stdout


def test_an_engine_that_is_away_is_a_mistake(sockproxy: Sockproxy) -> None:
    result = sockproxy("explain", "--engine", "unix:///no/such.sock", "--request", "GET /info")
    assert result.exit_code == 2
    assert result.stderr.startswith("sockproxy: cannot ask the engine at unix:///no/such.sock")


def test_colour_is_for_terminals_alone(sockproxy: Sockproxy) -> None:
    assert "\x1b" not in sockproxy("explain", "--request", "GET /swarm").stdout
