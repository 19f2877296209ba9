"""pytest collects `*.policy-test.yaml`: each test in such a file is an item of its own.

It comes with the package, by the entry point ``pytest11``, so it is imported whenever pytest starts beside sockproxy:
it imports nothing of sockproxy before there is such a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from sockproxy.policy.rules import PolicyTest, Suite
    from sockproxy.rehearse import Outcome

SUFFIX: Final = ".policy-test.yaml"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A file of tests is collected by its name; whatever else pytest collects is none of ours."""
    return PolicyTestFile.from_parent(parent, path=file_path) if file_path.name.endswith(SUFFIX) else None


class PolicyTestFile(pytest.File):
    """One file of tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its tests; two of one name are told apart by their lines.

        Raises:
            CollectError: with every mistake in it, and in the policy.
        """
        from sockproxy.errors import PolicyError
        from sockproxy.policy.load import load_tests

        try:
            suite = load_tests(self.path)
        except PolicyError as error:
            raise self.CollectError(str(error)) from None
        names = [test.name for test in suite.tests]
        for test in suite.tests:
            name = test.name if names.count(test.name) == 1 else f"{test.name} (line {test.place.line})"
            yield PolicyTestItem.from_parent(self, name=name, suite=suite, test=test)


class PolicyTestItem(pytest.Item):
    """One test of a policy."""

    def __init__(self, *, suite: Suite, test: PolicyTest, **more: Any) -> None:
        super().__init__(**more)
        self._suite = suite
        self._test = test

    def runtest(self) -> None:
        """Judge the request, or run the command line; skipped where that cannot be done here."""
        from sockproxy.cli.test import run_command
        from sockproxy.rehearse import run_test

        outcome = run_test(self._test, self._suite.policy, run_command)
        if outcome.skipped:
            # pytest names the line that skips, which is this one.
            pytest.skip(f"{self._test.place}: {outcome.skipped}")
        if outcome.problem:
            raise Failed(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A failed test as `sockproxy test` tells it; a fault of ours with its traceback."""
        if not isinstance(excinfo.value, Failed):
            return super().repr_failure(excinfo, style)
        outcome = excinfo.value.outcome
        return f"{outcome.test.place}: {outcome.problem}\n    {outcome.test.asked}"

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands: the file, the line counted from 0, and its name."""
        return self.path, self._test.place.line - 1, self.name


class Failed(Exception):
    """A test that failed; carried from `runtest` to `repr_failure`."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.problem)
        self.outcome = outcome
