"""The pytest plug-in, in a pytest of its own: what it collects, how a failure reads, and what it costs the others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sockproxy import pytest_plugin
from sockproxy.policy.testing import SUFFIX

pytest_plugins = ["pytester"]

POLICY = "version: 1\nname: look\nrules: [{id: look, allow: GET /info}]\n"
TESTS = """\
version: 1
policy: look
tests:
  - {name: the info, request: GET /info, expect: allowed}
  - {name: twice, request: GET /info, expect: allowed}
  - {name: twice, request: GET /info, expect: refused}
  - {name: the host, run: no-such-command run -v /:/h alpine, expect: refused}
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.path / "look.yaml").write_text(POLICY)
    (pytester.path / f"look{SUFFIX}").write_text(TESTS)
    return pytester


def test_each_test_of_a_file_is_an_item(run: pytest.Pytester) -> None:
    result = run.runpytest_subprocess("-v", "-W", "error", "-p", "no:asyncio")
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            f"look{SUFFIX}::the info PASSED*",
            f"look{SUFFIX}::twice (line 5) PASSED*",
            f"look{SUFFIX}::twice (line 6) FAILED*",
            f"look{SUFFIX}::the host SKIPPED*",
        ]
    )


def test_one_of_them_can_be_picked(run: pytest.Pytester) -> None:
    run.runpytest_subprocess("-k", "info").assert_outcomes(passed=1, deselected=3)
    run.runpytest_subprocess(f"look{SUFFIX}::the info").assert_outcomes(passed=1)


def test_a_failure_is_told_in_our_words_and_without_a_traceback(run: pytest.Pytester) -> None:
    shown = run.runpytest_subprocess("-rs").stdout
    shown.fnmatch_lines(
        [
            f"{run.path}/look{SUFFIX}:6: expected refused, but rule `look` allows it",
            "    GET /info",
        ],
        consecutive=True,
    )
    shown.no_fnmatch_line("*Traceback*")
    shown.fnmatch_lines([f"SKIPPED * {run.path}/look{SUFFIX}:7: *"])


def test_a_file_with_mistakes_is_an_error_that_names_each(run: pytest.Pytester) -> None:
    (run.path / f"bad{SUFFIX}").write_text("version: 1\npolicy: lok\ntests: [{request: GET /info}]\n")
    result = run.runpytest_subprocess(f"bad{SUFFIX}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            f"{run.path}/bad{SUFFIX}:2:9: `lok` is no preset, and no file beside this one*",
            f"{run.path}/bad{SUFFIX}:3:9: a test needs an `expect`*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_other_yaml_is_let_alone(run: pytest.Pytester) -> None:
    (run.path / f"look{SUFFIX}").unlink()
    (run.path / "policy-test.yaml").write_text("a: b")
    assert run.runpytest_subprocess().ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_it_imports_nothing_before_there_is_such_a_file() -> None:
    code = "import pytest, sys; before = set(sys.modules); import sockproxy.pytest_plugin; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['sockproxy', 'sockproxy.pytest_plugin']"


def test_the_names_of_files_are_those_of_the_command() -> None:
    assert pytest_plugin.SUFFIX == SUFFIX
