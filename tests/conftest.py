"""What every test may use, and what pytest says of the engine tests at its end."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.engine.conversation", "tests.engine.docker_cli")

from tests.engine.disposable import discover  # noqa: E402 - after what it must not come before


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``engine`` is each disposable engine in turn, ``cli`` each one's docker command; a skip without any."""
    found = discover()
    for name in ("engine", "cli"):
        if name not in metafunc.fixturenames:
            continue
        params = [
            pytest.param(
                engine if name == "engine" else engine.cli, id=f"{name}-{engine.version}", marks=pytest.mark.engine
            )
            for engine in found.engines
        ]
        metafunc.parametrize(name, params or [_skipped(found.reason)], scope="session" if name == "engine" else None)


def _skipped(reason: str) -> object:
    return pytest.param(
        None, id="no-engine", marks=[pytest.mark.engine, pytest.mark.skip(reason=f"no engine: {reason}")]
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that says how many engine tests ran, or why none did."""
    found = discover()
    ran = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and "engine" in report.keywords
    ]
    if ran and found.engines:  # a few of tests/engine need none
        versions = ", ".join(engine.version for engine in found.engines)
        left_out = f" (not on: {'; '.join(found.unusable)})" if found.unusable else ""
        terminalreporter.write_line(f"engine tests: {len(ran)} ran on Docker {versions}{left_out}")
        return
    reason = "no test that was chosen uses an engine" if found.engines else found.reason
    terminalreporter.write_line(f"engine tests: none ran, because {reason}")
