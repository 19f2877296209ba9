"""`sockproxy test`: what it collects, what it prints, and what it writes for a CI server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.cli.junit import Ran, Report, document
from sockproxy.policy.document import Place
from sockproxy.policy.rules import PolicyTest
from sockproxy.rehearse import Outcome
from tests.cli.conftest import Sockproxy

Write = Callable[..., Path]

LOOK = "version: 1\nname: look\nrules: [{id: look, allow: GET /info}]\n"
ONE = """\
version: 1
policy: look
tests:
  - {name: the info, request: GET /info, expect: allowed}
  - {name: the containers, request: GET /containers/json, expect: refused}
"""
TWO = """\
version: 1
policy: read-only
tests:
  - {name: stopping, request: POST /containers/web/stop, expect: allowed}
"""
COMMAND = """\
version: 1
policy: look
tests:
  - {name: the host, run: no-such-command run -v /:/h alpine, expect: {refused: {bind: /}}}
"""


@pytest.fixture
def folder(policy: Write, tmp_path: Path) -> Path:
    policy(LOOK, "look.yaml")
    policy(ONE, "one.policy-test.yaml")
    (tmp_path / "below").mkdir()
    policy(TWO, "below/two.policy-test.yaml")
    return tmp_path


def test_a_folder_is_every_file_of_tests_in_and_below_it(sockproxy: Sockproxy, folder: Path) -> None:
    result = sockproxy("test", str(folder))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        f"{folder}/below/two.policy-test.yaml F",
        f"{folder}/one.policy-test.yaml ..",
    ]
    assert f"FAILED {folder}/below/two.policy-test.yaml: stopping ({folder}/below/two.policy-test.yaml:4)\n" in (
        result.stdout
    )
    assert result.stdout.endswith("\n2 passed, 1 failed\n")


def test_a_file_a_policy_and_a_preset_go_together(sockproxy: Sockproxy, folder: Path) -> None:
    result = sockproxy("test", str(folder / "one.policy-test.yaml"), str(folder / "look.yaml"), "read-only")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"{folder}/one.policy-test.yaml ..", "look (no tests)"]
    assert lines[2].startswith("read-only ..")


def test_a_folder_without_tests_is_a_mistake(sockproxy: Sockproxy, tmp_path: Path) -> None:
    result = sockproxy("test", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr == (f"{tmp_path}: no file of tests in this folder: their names end in .policy-test.yaml\n")


@pytest.mark.parametrize(
    ("word", "passed"),
    [("info", 1), ("INFO", 1), ("the", 2), ("one.policy", 2)],
)
def test_k_picks_by_a_part_of_a_name(word: str, passed: int, sockproxy: Sockproxy, folder: Path) -> None:
    result = sockproxy("test", "-k", word, str(folder))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{folder}/one.policy-test.yaml {'.' * passed}",
        f"{passed} passed, 0 failed",
    ]


def test_a_word_that_picks_nothing_is_a_mistake(sockproxy: Sockproxy, folder: Path) -> None:
    result = sockproxy("test", "-k", "nothing of the kind", str(folder))
    assert result.exit_code == 2
    assert "no test has `nothing of the kind` in its name" in result.stderr


def test_a_command_that_cannot_be_run_is_skipped_by_name_and_never_passed(
    sockproxy: Sockproxy, folder: Path, policy: Write
) -> None:
    file = policy(COMMAND, "command.policy-test.yaml")
    result = sockproxy("test", str(file))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"{file} s"
    assert lines[2].startswith(f"SKIPPED {file}: the host ({file}:4): ")
    assert lines[-1] == "0 passed, 0 failed, 1 skipped"
    assert f"SKIPPED {file}: the host" in sockproxy("test", "-v", str(file)).stdout


def test_check_says_so_too(sockproxy: Sockproxy, policy: Write) -> None:
    file = policy(LOOK + COMMAND.partition("policy: look\n")[2], "look.yaml")
    result = sockproxy("check", "--tests", str(file))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[-2].startswith(f"  SKIPPED look: the host ({file}:5): ")
    assert lines[-1] == "  tests: 0 passed, 0 failed, 1 skipped"


# What `docker run -v X image` asks of an engine, so that no docker is needed here; tests/engine has the real one.
DOCKER = """\
#!{python}
import json, os, socket, sys

def ask(method, path, body=b""):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
        head = f"{{method}} {{path}} HTTP/1.1\\r\\nHost: docker\\r\\nConnection: close\\r\\n"
        head += f"Content-Type: application/json\\r\\nContent-Length: {{len(body)}}\\r\\n\\r\\n"
        connection.sendall(head.encode() + body)
        while connection.recv(65536):
            pass

if sys.argv[1] == "--bogus":
    sys.exit("unknown flag: --bogus")
ask("GET", "/_ping")
ask("POST", "/containers/create", json.dumps({{"Image": "x", "HostConfig": {{"Binds": [sys.argv[3]]}}}}).encode())
"""

COMMANDS = """\
version: 1
name: commands
rules:
  - {id: run, allow: POST /containers/create, grant: {bind: /srv/**}}
tests:
  - {name: its own, run: docker run -v /srv/a:/h alpine, expect: allowed}
  - {name: the host, run: docker run -v /:/h alpine, expect: {refused: {bind: /}}}
  - {name: a hope, run: docker run -v /:/h alpine, expect: allowed}
  - {name: a mistake, run: docker --bogus, expect: refused}
"""


def test_a_command_is_run_and_every_call_of_it_is_judged(
    sockproxy: Sockproxy, policy: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = policy(DOCKER.format(python=sys.executable), "docker")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    file = policy(COMMANDS)
    result = sockproxy("test", str(file))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "commands ..FF"
    assert lines[2:4] == [
        f"FAILED commands: a hope ({file}:8)",
        "    docker run -v /:/h alpine",
    ]
    assert lines[4].startswith("    expected allowed, but sockproxy: HostConfig.Binds[0] asks `bind: /`")
    assert lines[5] == f"FAILED commands: a mistake ({file}:9)"
    assert lines[7] == "    the command called no engine: does it honour DOCKER_HOST?"
    assert lines[-1] == "2 passed, 2 failed"


# JUnit -------------------------------------------------------------------------------------------------------------------


def test_what_was_found_is_written_as_junit_xml(sockproxy: Sockproxy, folder: Path, policy: Write) -> None:
    policy(COMMAND, "command.policy-test.yaml")
    policy("version: 1\npolicy: look\ntests: [{request: GET /info}]\n", "broken.policy-test.yaml")
    written = folder / "junit.xml"
    assert sockproxy("test", "--junit-xml", str(written), str(folder)).exit_code == 2
    root = ET.fromstring(written.read_bytes())
    assert root.tag == "testsuites"
    counts = {name: root.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "1"}
    assert [(suite.tag, Path(suite.attrib["name"]).name) for suite in root] == [
        ("testsuite", "two.policy-test.yaml"),
        ("testsuite", "broken.policy-test.yaml"),
        ("testsuite", "command.policy-test.yaml"),
        ("testsuite", "one.policy-test.yaml"),
    ]
    failed, broken, skipped, passed, _ = root.iter("testcase")
    assert failed.attrib | {"time": ""} == {
        "classname": f"{folder}/below/two.policy-test.yaml",
        "name": "stopping",
        "file": f"{folder}/below/two.policy-test.yaml",
        "line": "4",
        "time": "",
    }
    assert float(failed.attrib["time"]) >= 0
    assert [child.tag for child in failed] == ["failure"]
    assert failed[0].attrib["message"].startswith("expected allowed, but sockproxy: ")
    assert "POST /containers/web/stop" in (failed[0].text or "")
    assert [child.tag for child in broken] == ["error"]
    assert "a test needs an `expect`" in broken[0].attrib["message"]
    assert [child.tag for child in skipped] == ["skipped"]
    assert skipped[0].attrib["message"]
    assert list(passed) == []


def test_a_file_that_cannot_be_written_is_a_mistake(sockproxy: Sockproxy, tmp_path: Path) -> None:
    result = sockproxy("test", "--junit-xml", str(tmp_path / "no" / "such" / "x.xml"), "read-only")
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr
    assert "passed" in result.stdout


@given(st.text(), st.text(), st.text(), st.booleans())
def test_whatever_a_policy_holds_it_is_well_formed(name: str, asked: str, said: str, skipped: bool) -> None:
    test = PolicyTest(name, Place(name, 1, 1), command=(asked,))
    outcome = Outcome(test, skipped=said) if skipped else Outcome(test, said)
    root = ET.fromstring(document([Report(name, (Ran(outcome, 0.1),)), Report(name, broken=said or "x")]))
    assert [case.tag for case in root.iter("testcase")] == ["testcase", "testcase"]


def test_what_xml_cannot_hold_is_written_as_an_escape() -> None:
    test = PolicyTest("bell \x07 \ud800 ü", Place("p.yaml", 1, 1), "GET", "/info")
    (case,) = ET.fromstring(document([Report("p", (Ran(Outcome(test), 0.0),))])).iter("testcase")
    assert case.attrib["name"] == r"bell \x07 \ud800 ü"
