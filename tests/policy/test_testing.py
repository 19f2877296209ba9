"""Tests in files of their own, bodies from files, and command lines: what is read, and every mistake with its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sockproxy.errors import PolicyError
from sockproxy.model import Json
from sockproxy.policy.load import load, load_tests
from sockproxy.rehearse import run_test

Write = Callable[..., Path]

POLICY = """\
version: 1
name: ci
rules:
  - {id: run, allow: POST /containers/create, grant: {bind: /srv/**}}
clients:
  - {name: jenkins, unix-user: 1000, rules: all}
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(**{"a.json": "{}"})``: these files in a folder beside `ci.yaml`; the last one is given back."""
    (tmp_path / "ci.yaml").write_text(POLICY)

    def files(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        return tmp_path / list(texts)[-1]

    return files


def problems(file: Path) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load_tests(file)
    return [str(problem).removeprefix(f"{file.parent}/") for problem in caught.value.problems]


@pytest.mark.parametrize("policy", ["ci", "ci.yaml", "./ci.yaml"])
def test_a_file_of_tests_names_a_file_beside_it(policy: str, write: Write) -> None:
    file = write(
        **{
            "a.policy-test.yaml": f"version: 1\npolicy: {policy}\ntests:\n"
            "  - {request: POST /containers/create, body: {Image: x}, client: jenkins, expect: allowed}\n"
        }
    )
    suite = load_tests(file)
    assert suite.name == str(file)
    assert suite.policy.name == "ci"
    assert [run_test(test, suite.policy).passed for test in suite.tests] == [True]


def test_or_a_preset_by_its_name(write: Write) -> None:
    file = write(
        **{"a.policy-test.yaml": "version: 1\npolicy: read-only\ntests: [{request: GET /info, expect: allowed}]\n"}
    )
    assert load_tests(file).policy.digest == load("read-only").digest


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "1:1", "the file is empty"),
        ("[]", "1:1", "a file of tests is a mapping"),
        ("policy: ci\ntests: []", "1:1", "a file of tests begins with `version: 1`"),
        ("version: 1\ntests: []", "1:1", "which policy?"),
        ("version: 1\npolicy:\ntests: []", "2:8", "which policy?"),
        ("version: 1\npolicy: [a]\ntests: []", "2:9", "which policy?"),
        ("version: 1\npolicy: raed-only\ntests: []", "2:9", "did you mean read-only?"),
        ("version: 1\npolicy: ci", "1:1", "no `tests`"),
        ("version: 1\npolicy: ci\ntests: x", "3:8", "`tests` is a list"),
        ("version: 1\npolicy: ci\ntests: [x]", "3:9", "a test is a mapping"),
        ("version: 1\npolicy: ci\ntests: []\nrules: []", "4:1", "`rules` is no key of a file of tests"),
        (
            "version: 1\npolicy: ci\ntests: [{request: GET /info, client: jenkin, expect: refused}]",
            "3:38",
            "did you mean jenkins?",
        ),
        (
            "version: 1\npolicy: read-only\ntests: [{request: GET /info, client: x, expect: refused}]",
            "3:38",
            "this policy has none",
        ),
    ],
)
def test_a_mistake_in_one_is_told_with_its_place(text: str, place: str, words: str, write: Write) -> None:
    found = problems(write(**{"a.policy-test.yaml": text}))
    assert any(line.startswith(f"a.policy-test.yaml:{place}: ") and words in line for line in found), found


def test_the_mistakes_of_the_policy_are_told_too(write: Write) -> None:
    write(**{"bad.yaml": "version: 1\nrules: [{id: a, allow: GET /inof}]\n"})
    found = problems(write(**{"a.policy-test.yaml": "version: 1\npolicy: bad\ntests: [{expect: allowed, clint: x}]\n"}))
    assert [line.split(": ")[0] for line in found] == [
        "bad.yaml:2:24",
        "a.policy-test.yaml:3:9",
        "a.policy-test.yaml:3:27",
    ]


def test_a_file_of_tests_is_no_policy(write: Write) -> None:
    file = write(**{"a.policy-test.yaml": "version: 1\npolicy: ci\ntests: []\n"})
    with pytest.raises(
        PolicyError, match=r"a file of tests, and no policy \(run it: sockproxy test .*a.policy-test.yaml\)"
    ):
        load(file)


# Bodies ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ('{"Image": "x", "HostConfig": {"Binds": ["/etc:/h"]}}', {"Image": "x", "HostConfig": {"Binds": ["/etc:/h"]}}),
        ("[]", []),
        ("null", None),
        (' {"a": 1.5}\n', {"a": 1.5}),
    ],
)
def test_a_body_may_stand_in_a_file(text: str, body: Json, write: Write) -> None:
    write(**{"body.json": text})
    file = write(
        **{
            "a.policy-test.yaml": "version: 1\npolicy: ci\n"
            "tests: [{request: POST /containers/create, body-file: body.json, expect: allowed}]\n"
        }
    )
    (test,) = load_tests(file).tests
    assert test.has_body
    assert test.body == body


def test_it_is_looked_for_beside_the_policy_that_its_test_stands_in(write: Write) -> None:
    write(**{"body.json": '{"Image": "x", "HostConfig": {"Binds": ["/etc:/h"]}}'})
    file = write(
        **{
            "with.yaml": POLICY
            + "tests:\n  - request: POST /containers/create\n    body-file: body.json\n    expect: {refused: {bind: /etc}}\n"
        }
    )
    policy = load(file)
    assert run_test(policy.tests[0], policy).passed


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("nothing.json", "`nothing.json` is not there"),
        ("folder", "`folder` is no file"),
        ("pipe", "`pipe` is no file"),
        ("text", "`text` is no body: not JSON"),
        ("twice.json", "`twice.json` is no body: "),
        ("large.json", "`large.json` has more than 8388608 bytes"),
        ('"a\\0b"', "is not there"),
        ('""', "`body-file` is empty"),
        ("[a, b]", "`body-file` is text"),
    ],
)
def test_a_file_that_is_no_body_is_a_mistake(file: str, words: str, write: Write, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large.json").open("wb") as large:
        large.truncate(8 * 1024 * 1024 + 1)
    write(**{"text": "Image: x", "twice.json": '{"Image": "x", "Image": "y"}'})
    text = f"version: 1\npolicy: ci\ntests:\n  - request: POST /containers/create\n    body-file: {file}\n    expect: allowed\n"
    found = problems(write(**{"a.policy-test.yaml": text}))
    assert len([line for line in found if words in line and line.startswith("a.policy-test.yaml:5:16: ")]) == 1, found


def test_a_request_has_one_body(write: Write) -> None:
    write(**{"body.json": "{}"})
    text = "version: 1\npolicy: ci\ntests:\n  - {request: GET /info, body: {}, body-file: body.json, expect: allowed}\n"
    assert ["`body-file` beside `body`" in line for line in problems(write(**{"a.policy-test.yaml": text}))] == [True]


# Commands --------------------------------------------------------------------------------------------------------------


def test_a_command_is_split_as_a_shell_would(write: Write) -> None:
    file = write(
        **{
            "a.policy-test.yaml": "version: 1\npolicy: ci\ntests:\n"
            "  - {run: docker run -v '/a b:/h' alpine sh -c \"echo hi\", client: jenkins, expect: refused}\n"
        }
    )
    (test,) = load_tests(file).tests
    assert test.command == ("docker", "run", "-v", "/a b:/h", "alpine", "sh", "-c", "echo hi")
    assert test.name == test.asked == "docker run -v '/a b:/h' alpine sh -c 'echo hi'"


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ('{run: "docker \'run", expect: refused}', "`run` takes a command line"),
        ("{run: , expect: refused}", "`run` takes a command line"),
        ("{run: [docker, ps], expect: refused}", "`run` takes a command line"),
        ("{run: docker ps, request: GET /info, expect: refused}", "`request` beside `run`"),
        ("{run: docker ps, body: {}, expect: refused}", "`body` beside `run`"),
        ("{run: docker ps, body-file: x, expect: refused}", "`body-file` beside `run`"),
        ("{run: docker ps, client: jenkins}", "a test needs an `expect`"),
        ("{run: docker ps, expect: refused}", "which client runs it? (write `client:` and one of jenkins)"),
        ("{expect: refused}", "a test needs a `request`"),
    ],
)
def test_a_command_that_is_none_is_a_mistake(test: str, words: str, write: Write) -> None:
    found = problems(write(**{"a.policy-test.yaml": f"version: 1\npolicy: ci\ntests:\n  - {test}\n"}))
    assert any(words in line for line in found), found
