"""What every test may use, how two runs share them, and what pytest says of the engine tests at its end."""

from __future__ import annotations

import os
import zlib

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


SHARE = "SOCKPROXY_TEST_SHARE"
"""``1/2`` and ``2/2``: two runs at once, each with its own half of the tests. What is done on one engine stays together."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the share that the variable names."""
    if not (share := os.environ.get(SHARE)):
        return
    mine, _, of = share.partition("/")
    kept = [item for item in items if _lane(item) % int(of) == int(mine) - 1]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _lane(item: pytest.Item) -> int:
    engines = discover().engines
    used = getattr(item, "callspec", None) and item.callspec.params.get("engine")  # type: ignore[attr-defined]
    return engines.index(used) if used in engines else zlib.crc32(str(item.path.name).encode())


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
