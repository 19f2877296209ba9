"""`sockproxy demo`: each row of its table is a real exchange, recorded."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from sockproxy.cli.demo import IMAGE, POLICY, Row, Step, _row, steps
from sockproxy.cli.exchange import Reply, exchange, request_bytes
from sockproxy.policy.load import loads
from tests.cli.conftest import Sockproxy, Spawn
from tests.engine.disposable import Engine

NO_ENGINE = "unix:///no/such.sock"


def rows(output: str) -> list[list[str]]:
    """The table's cells."""
    lines = output.partition("request ")[2].splitlines()[1:]
    table = lines[: lines.index("")]
    return [re.split(r"\s{2,}", line, maxsplit=5) for line in table]


def records(folder: Path) -> dict[str, dict[str, object]]:
    decided: dict[str, dict[str, object]] = {}
    for line in (folder / "audit.jsonl").read_text().splitlines():
        record = json.loads(line)
        decided.setdefault(record["id"], record)
    return decided


def test_in_front_of_the_stand_in_it_shows_the_main_job(sockproxy: Sockproxy, tmp_path: Path) -> None:
    result = sockproxy("demo", "--engine", NO_ENGINE, "--dir", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert f"no Docker Engine answers at {NO_ENGINE}: this is a stand-in that comes with sockproxy." in result.stdout
    table = rows(result.stdout)
    recorded = records(tmp_path)
    for request, verdict, status, code, audit_id, reason in table:
        record = recorded[audit_id]
        assert verdict == {"allow": "approved", "deny": "refused"}[str(record["verdict"])], request
        assert code == (record["code"] or "-")
        assert status.isdecimal()
        assert reason
    approved = [row for row in table if row[1] == "approved"]
    assert {"GET /_ping", "GET /version", "GET /v1.41/info"} <= {row[0] for row in approved}
    kinds = {ask["kind"] for record in recorded.values() for ask in record["refused"]}  # type: ignore[attr-defined, union-attr]
    assert {"privileged", "bind", "namespace", "capability", "container", "limit"} <= kinds
    codes = {row[3] for row in table if row[1] == "refused"}
    assert codes == {"ask_refused", "not_owner", "no_rule", "denied_by_rule", "unknown_operation", "malformed"}
    assert f"audit log  {tmp_path}/audit.jsonl" in result.stdout
    assert 'sockproxy_refused_asks_total{client="anyone",kind="privileged"' in (tmp_path / "metrics.txt").read_text()


def test_nothing_follows_a_smuggled_upgrade(sockproxy: Sockproxy, tmp_path: Path) -> None:
    result = sockproxy("demo", "--engine", NO_ENGINE, "--dir", str(tmp_path))
    assert result.exit_code == 0, result.output
    last = list(records(tmp_path).values())[-1]
    assert (last["operation"], last["verdict"]) == ("SystemPing", "allow")


def test_its_policy_has_no_road_to_the_host(sockproxy: Sockproxy, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    assert "no road to the host" in sockproxy("check", str(path)).stdout


def test_in_front_of_a_real_engine_nothing_is_asked_that_could_make_anything() -> None:
    policy = loads(POLICY)
    for step in steps("somebody", pretended=False):
        method = step.sent.partition(b" ")[0]
        if step.approved:
            assert method == b"GET", step.shown
        if b"/containers/create" in step.sent:
            assert IMAGE.encode() in step.sent
        assert not re.search(rb"/(start|restart|init|join|leave)\b", step.sent.partition(b"\r\n")[0])
        assert method in {b"GET", b"POST"}
    assert policy.name == "demo"


def test_in_front_of_a_real_engine_it_only_reads(sockproxy: Sockproxy, engine: Engine, tmp_path: Path) -> None:
    address = f"unix://{engine.socket}"
    result = sockproxy("demo", "--engine", address, "--dir", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert f"in front of the Docker Engine at {address}" in result.stdout
    assert {row[1] for row in rows(result.stdout)} == {"approved", "refused"}
    assert {record["method"] for record in records(tmp_path).values() if record["verdict"] != "deny"} == {"GET"}
    made = exchange(
        address, request_bytes("GET", "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22ci%3Ddemo%22%5D%7D")
    )
    assert json.loads(made.body) == []


STEP = Step("GET /info", b"", approved=True)
ALLOWED = {"id": "1", "verdict": "allow", "rule": "read"}


@pytest.mark.parametrize(
    ("reply", "recorded", "problem"),
    [
        (Reply(200, {"x-sockproxy-id": "1"}, b""), {"1": ALLOWED}, ""),
        (Reply(200, {"x-sockproxy-id": "2"}, b""), {"1": ALLOWED}, "its id stands not in the audit log"),
        (Reply(200, {}, b""), {"1": ALLOWED}, "its id stands not in the audit log"),
        (Reply(403, {"x-sockproxy-id": "1"}, b""), {"1": {**ALLOWED, "verdict": "deny"}}, "should have been approved"),
        (Reply(500, {"x-sockproxy-id": "1"}, b'{"message": "x"}'), {"1": ALLOWED}, "the engine answered 500: x"),
        (
            Reply(200, {"x-sockproxy-id": "1"}, b"", more=True),
            {"1": ALLOWED},
            "a second request was answered behind it",
        ),
    ],
)
def test_a_row_that_is_not_as_it_should_be_is_found(
    reply: Reply, recorded: dict[str, dict[str, str]], problem: str
) -> None:
    row: Row = _row(STEP, reply, recorded)
    assert row.problem == problem


def test_served_it_stays_up_and_can_be_used(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn("demo", "--serve", "--engine", NO_ENGINE, "--dir", str(tmp_path))
    assert process.stdout is not None
    address = ""
    for line in process.stdout:
        if match := re.search(r"export DOCKER_HOST=(\S+)", line):
            address = match[1]
        if "in a browser" in line:
            break
    assert exchange(address, request_bytes("GET", "/v1.41/containers/json")).status == 200
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Traceback" not in err


def test_a_folder_that_cannot_be_written_to_is_said(sockproxy: Sockproxy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = sockproxy("demo", "--dir", str(tmp_path / "file" / "below"))
    assert result.exit_code == 2
    assert "cannot write to" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
