"""`sockproxy replay`, as a person sees it: what would change, what cannot be told, and what is no audit file."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sockproxy.judge import observe
from sockproxy.policy.load import loads
from tests.cli.conftest import Sockproxy
from tests.recording import Sent, judged

JSON = {"Host": "d", "Content-Type": "application/json"}
OBSERVED = loads("version: 1\nmode: observe\n")


def create(bind: str) -> bytes:
    body = json.dumps({"Image": "x", "HostConfig": {"Binds": [f"{bind}:/b"]}}).encode()
    return judged(Sent("c", "POST", "/containers/create?name=ci-1", JSON, body, {}), OBSERVED, observe).line


LIST = judged(Sent("l", "GET", "/containers/json", {"Host": "d"}, None, {}), OBSERVED, observe).line
LINES = [LIST, *[create("/srv/ci/a")] * 3, *[create("/etc")] * 2, LIST.replace(b'"event":"request"', b'"event":"end"')]
POLICY = """
version: 1
name: ci
rules:
  - {id: run, allow: [GET /containers/json, POST /containers/create], grant: {bind: /srv/ci/**}}
"""


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(LINES))
    return path


def test_it_says_what_would_change(sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path) -> None:
    told = sockproxy("replay", "--policy", str(policy(POLICY)), str(audit))
    assert told.exit_code == 1
    lines = told.stdout.splitlines()
    assert lines[0].startswith("7 lines, 6 calls, judged again by policy `ci` (")
    assert lines[2].split() == ["would", "be", "allowed", "refused", "cannot", "be", "told"]
    assert lines[3].split() == ["was", "observed", "4", "2", "0"]
    at = lines.index("went on, and would be refused: 2 calls, most often first")
    assert lines[at + 2].split() == ["2", "anyone", "ContainerCreate", "run", "line", "5", "bind:", "/etc"]


def test_nothing_that_went_on_would_be_refused(
    sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path
) -> None:
    told = sockproxy("replay", "--policy", str(policy(POLICY.replace("/srv/ci/**", '"/**"'))), str(audit))
    assert told.exit_code == 0
    assert "would be refused" not in told.stdout


def test_a_rotated_file_and_standard_input_are_read_too(
    sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path, tmp_path: Path
) -> None:
    rotated = tmp_path / "audit.jsonl.1.gz"
    rotated.write_bytes(gzip.compress(audit.read_bytes()))
    for words, stdin in (((str(audit), str(rotated)), None), ((str(rotated), "-"), audit.read_bytes())):
        told = sockproxy("replay", "--policy", str(policy(POLICY)), "--json", *words, input=stdin)
        assert json.loads(told.stdout)["lines"] == 14


def test_a_file_is_known_by_what_is_in_it_and_not_by_its_name(
    sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path, tmp_path: Path
) -> None:
    whole, packed = audit.read_bytes(), gzip.compress(audit.read_bytes())
    for name, content, words, stdin in (
        ("audit.jsonl.1", packed, "audit.jsonl.1", None),
        ("audit.gz", whole, "audit.gz", None),
        ("x", b"", "-", packed),
    ):
        (tmp_path / name).write_bytes(content)
        file = words if words == "-" else str(tmp_path / words)
        told = sockproxy("replay", "--policy", str(policy(POLICY)), "--json", file, input=stdin)
        assert json.loads(told.stdout)["lines"] == 7


def test_what_is_left_of_a_damaged_file_is_judged_and_its_end_is_said(
    sockproxy: Sockproxy, policy: Callable[[str], Path], tmp_path: Path
) -> None:
    packed = gzip.compress(b"".join(LINES) * 500)
    damaged = bytearray(packed)
    damaged[len(packed) // 2 :] = b"x" * (len(packed) // 2)
    for content in (packed[: len(packed) // 2], bytes(damaged), packed + b"junk"):
        (tmp_path / "a.gz").write_bytes(content)
        told = sockproxy("replay", "--policy", str(policy(POLICY)), "--json", str(tmp_path / "a.gz"))
        assert json.loads(told.stdout)["calls"] > 100
        assert f"{tmp_path}/a.gz is cut short or damaged: read to its line " in told.stderr


def test_what_others_compressed_is_said_with_what_reads_it(sockproxy: Sockproxy, tmp_path: Path) -> None:
    (tmp_path / "a.xz").write_bytes(b"\xfd7zXZ\x00\x00")
    told = sockproxy("replay", str(tmp_path / "a.xz"))
    assert told.exit_code == 2
    assert f"and not by gzip: read it by `xzcat {tmp_path}/a.xz | sockproxy … -`" in told.stderr


def test_of_several_files_a_line_is_named_with_its_own(
    sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    first.write_bytes(LIST * 3 + b"rubbish\n")
    told = sockproxy("replay", "--policy", str(policy(POLICY)), str(first), str(audit))
    assert f"the first: {first}:4: no JSON" in told.stdout
    told = sockproxy("replay", "--policy", str(policy(POLICY)), "--json", str(first), str(audit))
    refused = next(change for change in json.loads(told.stdout)["changes"] if change["change"] == "refused")
    assert (refused["first_line"], refused["first"]) == (9, f"{audit}:5")


def test_a_row_that_no_rule_allows_is_named(sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path) -> None:
    without = POLICY.replace("GET /containers/json, ", "")
    told = sockproxy("replay", "--policy", str(policy(without)), "--json", str(audit))
    changes = json.loads(told.stdout)["changes"]
    assert {"no rule allows GET /containers/json": 1} in [change["values"] for change in changes]


def test_an_empty_file_is_no_mistake(sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path) -> None:
    audit.write_bytes(b"")
    told = sockproxy("replay", "--policy", str(policy(POLICY)), str(audit))
    assert told.exit_code == 0
    assert told.stdout.splitlines()[-1] == "  there is no call to judge"


def test_json_has_it_all(sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path) -> None:
    told = json.loads(sockproxy("replay", "--policy", str(policy(POLICY)), "--json", str(audit)).stdout)
    assert told["policy"]["name"] == "ci"
    assert (told["lines"], told["calls"], told["bad_lines"]) == (7, 6, 0)
    assert told["fates"] == [
        {"was": "would_deny", "now": "allow", "calls": 4},
        {"was": "would_deny", "now": "deny", "calls": 2},
    ]
    refused = [change for change in told["changes"] if change["change"] == "refused"]
    assert refused == [
        {
            "change": "refused", "calls": 2, "client": "anyone", "operation": "ContainerCreate", "rule": "run",
            "kinds": ["bind"], "values": {"bind: /etc": 2}, "first_line": 5, "first": "line 5",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"rubbish\n", "no audit line of sockproxy's in"),
        (b'{"a": 1}\n', "line 1: no audit line of sockproxy's: it has no"),
    ],
)
def test_a_file_of_something_else_is_said_to_be(sockproxy: Sockproxy, tmp_path: Path, text: bytes, words: str) -> None:
    (tmp_path / "x").write_bytes(text)
    told = sockproxy("replay", str(tmp_path / "x"))
    assert told.exit_code == 2
    assert words in told.stderr


def test_lines_of_something_else_among_others_are_counted(
    sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path
) -> None:
    audit.write_bytes(audit.read_bytes() + b"rubbish\n")
    told = sockproxy("replay", "--policy", str(policy(POLICY)), str(audit))
    assert "1 line is no audit line and was left out; the first: line 8: no JSON" in told.stdout


def test_what_cannot_be_read_is_said(sockproxy: Sockproxy, tmp_path: Path) -> None:
    told = sockproxy("replay", str(tmp_path / "none.jsonl"))
    assert told.exit_code == 2
    assert "none.jsonl: No such file or directory" in told.stderr
    (tmp_path / "x.gz").write_bytes(b"no gzip")
    assert sockproxy("replay", str(tmp_path / "x.gz")).exit_code == 2


def test_a_client_that_is_none_is_told_with_those_that_are(
    sockproxy: Sockproxy, policy: Callable[[str], Path], audit: Path
) -> None:
    told = sockproxy("replay", "--policy", str(policy(POLICY)), "--client", "x", str(audit))
    assert told.exit_code == 2
    assert "the policy's clients are: none" in told.stderr


def test_a_terminal_sees_a_bar_that_moves(policy: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"".join(LINES) * 20_000)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sockproxy", "replay", "--policy", str(policy(POLICY)), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
        assert process.stdout is not None
        assert b"140,000 lines" in process.stdout.read()
    os.close(ours)
    assert process.returncode == 1
    assert b"judging again" in shown
    assert b"100%" in shown
    assert shown.count(b"%") > 5
