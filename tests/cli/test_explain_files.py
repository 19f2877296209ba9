"""`sockproxy explain FILE`: requests, compose files and audit logs, told apart by what they hold."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Sockproxy

Write = Callable[..., Path]

POLICY = """\
version: 1
name: ci
rules:
  - id: run
    allow:
      - POST /containers/create
      - GET /images/{name}/json
      - GET /networks
      - GET /networks/{id}
      - POST /networks/create
      - GET /containers/json
      - GET /containers/{id}/json
      - POST /containers/{id}/start
    only: {container: shop-*}
"""

BODY = b'{"Image": "busybox"}'


def request(body: bytes = BODY, *, name: str = "shop-1", length: int | None = None, more: bytes = b"") -> bytes:
    size = len(body) if length is None else length
    head = f"POST /v1.51/containers/create?name={name} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
    return head.encode() + more + f"Content-Length: {size}\r\n\r\n".encode() + body


CHUNKED = (
    b"POST /containers/create?name=shop-1 HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
)


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (request(), 0, "allowed by rule `run`"),
        (CHUNKED, 0, "allowed by rule `run`"),
        (b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n", 0, "allowed by rule `(always)`"),
        (request(name="other"), 1, "container: other"),
        (request(b'{"Image": "b", "image": "c"}'), 1, "refused: 400 malformed"),
        (request().replace(b"\r\n", b"\n"), 1, "no empty line ends the head"),
        (request(more=b"Content-Length: 3\r\n"), 1, "refused: 400 malformed"),
        (request(more=b"Origin: http://x\r\n"), 1, "a browser is no Docker client"),
        (request(length=9999), 1, "the body is cut short"),
        (request(length=3), 1, "bytes come behind the body"),
        (request().replace(b" HTTP/1.1", b" HTTP/1.2"), 1, "not a request line of HTTP/1.1"),
    ],
)
def test_a_request_is_read_as_strictly_as_by_the_proxy(
    sockproxy: Sockproxy, policy: Write, tmp_path: Path, data: bytes, status: int, says: str
) -> None:
    file = tmp_path / "request"
    file.write_bytes(data)
    result = sockproxy("explain", "--policy", str(policy(POLICY)), str(file))
    assert result.exit_code == status, result.output
    assert says in result.stdout
    assert sockproxy("explain", "--policy", str(policy(POLICY)), "-", input=data).stdout == result.stdout


def test_a_request_as_json(sockproxy: Sockproxy, policy: Write, tmp_path: Path) -> None:
    file = tmp_path / "request"
    file.write_bytes(request(name="other"))
    told = json.loads(sockproxy("explain", "--json", "--policy", str(policy(POLICY)), str(file)).stdout)
    assert (told["request"], told["operation"], told["verdict"]) == (
        "POST /v1.51/containers/create?name=other",
        "ContainerCreate",
        "deny",
    )


COMPOSE = """\
services:
  web:
    image: nginx
  agent:
    image: agent
    pid: ${HOW:-}
    profiles: [watch]
    volumes: ["/:/host:ro"]
"""


@pytest.fixture
def compose(tmp_path: Path) -> Path:
    file = tmp_path / "compose.yaml"
    file.write_text(COMPOSE)
    return file


def test_a_compose_file_is_judged_service_by_service(sockproxy: Sockproxy, policy: Write, compose: Path) -> None:
    words = ("explain", "--policy", str(policy(POLICY)), "-p", "shop")
    fine = sockproxy(*words, str(compose))
    assert fine.exit_code == 0, fine.output
    assert f"web ({compose}:2): allowed, its" in fine.stdout
    assert "agent" not in fine.stdout
    watched = sockproxy(*words, "--profile", "watch", str(compose))
    assert watched.exit_code == 1
    assert f"web ({compose}:2): allowed" in watched.stdout
    assert f"agent ({compose}:4): refused, 1 of its" in watched.stdout
    assert "NO       bind: / ro" in watched.stdout
    assert "grant: {bind: / ro}" in watched.stdout


def test_the_block_for_a_compose_file_makes_it_pass(
    sockproxy: Sockproxy, policy: Write, compose: Path, tmp_path: Path
) -> None:
    variables = tmp_path / "variables"
    variables.write_text("HOW=host\n")
    words = ("--json", "-p", "shop", "--profile", "watch", "--env-file", str(variables), str(compose))
    told = json.loads(sockproxy("explain", "--policy", str(policy(POLICY)), *words).stdout)
    assert told["services"] == {"(project)": "allow", "web": "allow", "agent": "deny"}
    assert told["left"] == []
    pasted = tmp_path / "pasted.yaml"
    pasted.write_text(told["fix"] + "\n")
    assert "namespace: pid=host" in told["fix"]
    assert json.loads(sockproxy("explain", "--policy", str(pasted), *words).stdout)["verdict"] == "allow"


def test_files_of_compose_are_put_over_each_other(
    sockproxy: Sockproxy, policy: Write, compose: Path, tmp_path: Path
) -> None:
    over = tmp_path / "over.yaml"
    over.write_text("services:\n  web:\n    privileged: true\n")
    result = sockproxy("explain", "--policy", str(policy(POLICY)), "-p", "shop", str(compose), str(over))
    assert result.exit_code == 1
    assert "NO       privileged: container" in result.stdout


def test_a_mistake_in_a_compose_file_has_its_place(sockproxy: Sockproxy, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services:\n  web:\n    imgae: nginx\n")
    result = sockproxy("explain", str(file))
    assert result.exit_code == 2
    assert f"{file}:3:5" in result.stderr
    assert "Traceback" not in result.output


@pytest.fixture
def audit(sockproxy: Sockproxy, tmp_path: Path) -> Path:
    """An audit log with a call that the default policy refuses, written by the audit log itself."""
    from sockproxy.audit import AuditLog, fragment
    from sockproxy.model import Ask

    file = tmp_path / "audit.jsonl"
    log = AuditLog((str(file),))
    asks = (Ask("privileged", "container", "HostConfig.Privileged"),)
    line = fragment(
        client="anyone",
        operation="ContainerCreate",
        method="POST",
        path="/containers/create",
        query=(),
        verdict="allow",
        code=None,
        rule="all",
        asks=asks,
        refused=(),
        policy="0" * 64,
        engine_version=(1, 51),
    )
    log.write(line, id=log.new_id(), event="request", peer="unix")
    log.close()
    return file


def test_a_line_of_an_audit_log_is_explained_as_a_request_is(sockproxy: Sockproxy, audit: Path) -> None:
    line = audit.read_bytes()
    ended = line.replace(b'"event":"request"', b'"event":"end"')
    for content in (line, line + ended, line + b"\n"):
        audit.write_bytes(content)
        for told in (sockproxy("explain", str(audit)), sockproxy("explain", "-", input=content)):
            assert told.exit_code == 1, told.output
            lines = told.stdout.splitlines()
            assert lines[0] == "POST /containers/create  (ContainerCreate, policy `read-only`)"
            assert lines[1] == "refused: 403 no_rule"
            assert "  NO       privileged: container  HostConfig.Privileged  no rule allows this endpoint" in lines
            assert "to allow it:" in lines
    told = sockproxy("explain", "--policy", "portainer-manage", "--json", str(audit))
    assert json.loads(told.stdout)["code"] == "ask_refused"


def test_what_a_recorded_call_hangs_on_may_not_be_known(sockproxy: Sockproxy, audit: Path) -> None:
    told = json.loads(audit.read_bytes())
    told.update(operation="ContainerStop", path="/containers/cccccccccccc/stop")
    told["asks"] = [{"kind": "container", "value": "cccccccccccc", "where": "path"}]
    audit.write_text(json.dumps(told, separators=(",", ":")))
    said = sockproxy("explain", "--policy", "compose-deployer", str(audit))
    assert said.exit_code == 1
    assert "this cannot be told for sure: whose the container is was not looked up" in said.stderr


def test_an_audit_log_is_judged_again(sockproxy: Sockproxy, audit: Path) -> None:
    audit.write_bytes(audit.read_bytes() * 2)
    assert sockproxy("explain", "-", input=audit.read_bytes()).stdout == sockproxy("replay", str(audit)).stdout
    result = sockproxy("explain", str(audit))
    assert result.exit_code == 1, result.output
    assert result.stdout == sockproxy("replay", str(audit)).stdout
    packed = audit.with_suffix(".gz")
    packed.write_bytes(gzip.compress(audit.read_bytes()))
    assert sockproxy("explain", str(packed)).stdout == result.stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is nothing that can be explained: an audit log begins with a line of JSON that has a `verdict`"),
        (b"hello\n", "a request with a line such as `GET /info HTTP/1.1`, and a compose file has `services:`"),
        (BODY, "of a body alone, say --request and --body"),
        (b"\x1f\x8bnot gzip", "is nothing that can be explained"),
    ],
)
def test_what_is_none_of_them_is_said_to_be_none(
    sockproxy: Sockproxy, tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    result = sockproxy("explain", str(file))
    assert result.exit_code == 2
    assert says in result.stderr


def test_files_of_several_kinds_are_a_mistake(sockproxy: Sockproxy, compose: Path, tmp_path: Path) -> None:
    file = tmp_path / "request"
    file.write_bytes(request())
    result = sockproxy("explain", str(compose), str(file))
    assert result.exit_code == 2
    assert "explain these one after the other: they are compose and request files" in result.stderr
    assert sockproxy("explain", str(tmp_path / "absent")).exit_code == 2
