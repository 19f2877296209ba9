"""`sockproxy doctor` as a user meets it: aligned lines, JSON, exit codes, and no trace of it behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Sockproxy
from tests.doctor.conftest import Engine, daemon, folder  # noqa: F401 - fixtures


@pytest.fixture
def words(daemon: Engine, folder: Path) -> list[str]:  # noqa: F811
    """The options of a set-up that is well."""
    return [
        *("--engine", daemon.address, "--listen", f"unix://{folder}/proxy.sock", "--admin", "none"),
        *("--audit", f"{folder}/audit.jsonl", "--audit", "-"),
    ]


def test_a_set_up_that_is_well(sockproxy: Sockproxy, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    done = sockproxy("doctor", *words)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("no problems, ")
    checks = [line.split()[1] for line in lines if line[0] in "✓!✗"]
    assert list(dict.fromkeys(checks)) == [
        *(
            "sockproxy",
            "policy",
            "socket",
            "selinux",
            "engine",
            "api",
            "ping",
            "own-container",
            "listen",
            "admin",
            "audit",
        )
    ]


def test_what_is_said_stands_in_one_column(sockproxy: Sockproxy, words: list[str], tmp_path: Path) -> None:
    done = sockproxy("doctor", *words, "--audit", f"{tmp_path}/none/a.jsonl")
    lines = [line for line in done.stdout.splitlines()[:-1] if line]
    column = lines[0].index("0.")
    fixes = [line for line in lines if line.lstrip().startswith("fix: ")]
    assert fixes
    for line in lines:
        assert line[column - 1] == " "
        assert line[column] != " "
    assert f"{'fix: ':>{column}}mkdir -p {tmp_path}/none" in fixes


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((), 0),
        (("--listen", "tcp://0.0.0.0:0"), 0),
        (("--policy", "nope"), 1),
        (("--audit", "/no/such/folder/audit.jsonl"), 1),
        (("--engine", "unix:///no/such.sock"), 1),
        (("--engine", "http://x"), 2),
        (("--listen", "x"), 2),
        (("--admin", "unix:///x.sock"), 2),
        (("--host-root", "relative"), 2),
        (("--client", "nowhere"), 2),
        (("--client", "unix:///no/such.sock"), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_exit_code_says_how_it_is(
    change: tuple[str, ...], code: int, sockproxy: Sockproxy, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    done = sockproxy("doctor", *words, *change)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output


def test_json_has_every_finding(sockproxy: Sockproxy, words: list[str], tmp_path: Path) -> None:
    done = sockproxy("doctor", *words, "--json", "--audit", f"{tmp_path}/none/a.jsonl")
    told = json.loads(done.stdout)
    assert told["problems"] == 1
    assert [each for each in told["findings"] if each["level"] == "problem"] == [
        {
            "level": "problem",
            "check": "audit",
            "what": f"there is no folder {tmp_path}/none",
            "fix": f"mkdir -p {tmp_path}/none",
        }
    ]
    assert told["warnings"] == sum(each["level"] == "warning" for each in told["findings"])


def test_its_options_have_the_variables_of_run(sockproxy: Sockproxy, daemon: Engine, folder: Path) -> None:  # noqa: F811
    variables = {
        "SOCKPROXY_ENGINE": daemon.address,
        "SOCKPROXY_LISTEN": f"unix://{folder}/a.sock unix://{folder}/b.sock",
        "SOCKPROXY_POLICY": "gpu-jobs",
        "SOCKPROXY_ADMIN": "none",
        "SOCKPROXY_JSON": "1",
    }
    told = json.loads(sockproxy("doctor", env=variables).stdout)
    said = " ".join(each["what"] for each in told["findings"])
    for word in (daemon.address, "a.sock", "b.sock", "`gpu-jobs`", "there is no admin listener"):
        assert word in said


def test_nothing_is_written(sockproxy: Sockproxy, words: list[str], folder: Path) -> None:  # noqa: F811
    def state() -> list[tuple[str, int, int]]:
        return sorted((str(path), path.lstat().st_mtime_ns, path.lstat().st_mode) for path in folder.rglob("*"))

    before = state()
    sockproxy("doctor", *words, "--host-root", "/", "--listen", "tcp://127.0.0.1:0")
    assert state() == before


def test_what_run_would_log_is_a_finding_alone(sockproxy: Sockproxy, words: list[str]) -> None:
    done = sockproxy("doctor", *words, "--own-container", "nope")
    assert done.exit_code == 1
    assert "the engine knows no container `nope`" in done.stdout
    assert done.stderr == ""


def test_in_the_place_of_a_classic_proxy_it_looks_at_what_run_would_do(
    sockproxy: Sockproxy,
    daemon: Engine,  # noqa: F811
) -> None:
    variables = {"CONTAINERS": "1", "POST": "0", "SOCKET_PATH": str(daemon.path)}
    told = json.loads(sockproxy("doctor", "--json", env=variables).stdout)
    said = {each["check"]: each["what"] for each in told["findings"]}
    assert daemon.address in said["socket"]
    assert "`read-only`" not in said["policy"]


def test_a_policy_that_is_only_observed_is_a_warning(sockproxy: Sockproxy, words: list[str]) -> None:
    assert "! mode " in sockproxy("doctor", *words, "--observe").stdout
