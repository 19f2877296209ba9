"""Tests of policies with a command line run the real docker commands, of both ages, and need no engine for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.engine.proxies import COMMAND

TESTS = """\
version: 1
policy: compose-deployer
tests:
  - {name: its own, run: docker run --rm --label com.docker.compose.project=shop -v /srv/shop/a:/a alpine id, expect: allowed}
  - {name: the host's files, run: docker run -v /:/h alpine, expect: {refused: {bind: /}}}
  - {name: privileged, run: docker run --privileged --label com.docker.compose.project=shop alpine, expect: {refused: {privileged: container}}}
  - {name: several, run: docker run --pid host --cap-add SYS_ADMIN alpine, expect: {refused: {namespace: pid=host, capability: SYS_ADMIN}}}
  - name: another's container
    run: docker stop db
    engine: {/containers/db/json: {Name: /db, Config: {Labels: {team: bank}}}}
    expect: {refused: {container: db}}
"""
WRONG = """\
version: 1
policy: compose-deployer
tests:
  - {name: a hope, run: docker run -v /:/h alpine, expect: allowed}
  - {name: a flag that is none, run: docker run --bogus alpine, expect: refused}
"""


@pytest.fixture
def environment(cli: Path) -> dict[str, str]:
    """Where `docker` is the command of one engine's age."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOCKPROXY_", "DOCKER_"))}
    return kept | {"PATH": f"{cli.parent}:{os.environ['PATH']}"}


def test_commands_are_run_and_judged(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "shop.policy-test.yaml"
    file.write_text(TESTS)
    done = subprocess.run(
        [COMMAND, "test", file], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.splitlines()[-1] == "5 passed, 0 failed", done.stdout + done.stderr
    assert done.returncode == 0


def test_what_is_wrong_has_failed(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "wrong.policy-test.yaml"
    file.write_text(WRONG)
    done = subprocess.run(
        [COMMAND, "test", file], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "expected allowed, but sockproxy: " in done.stdout
    assert "unknown flag: --bogus" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 2 failed"
