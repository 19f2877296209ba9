"""What the engine says of itself, held against the policy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sockproxy.doctor import Scene, examine
from sockproxy.proxy.server import Settings
from tests.doctor.conftest import VERSION, Engine, said

Machine = Callable[..., Scene]
ID = "a" * 64
OWN_MOUNT = f"1 1 0:1 /containers/{ID}/hostname /etc/hostname ro - ext4 x ro\n"


@pytest.fixture
def settings(daemon: Engine) -> Settings:
    return Settings(engine=daemon.address, admin=None)


def with_policy(settings: Settings, folder: Path, text: str) -> Settings:
    (folder / "p.yaml").write_text(f"version: 1\nextends: read-only\n{text}", encoding="utf-8")
    return Settings(engine=settings.engine, admin=None, policy=str(folder / "p.yaml"))


def test_the_engine_is_only_asked(daemon: Engine, settings: Settings, machine: Machine) -> None:
    examine(settings, machine())
    assert set(daemon.asked) == {"GET /_ping", "GET /version", "GET /info"}


@pytest.mark.parametrize(
    ("version", "info", "expected"),
    [
        ({}, {}, "ok: Docker 28.5.2, linux/amd64 -> "),
        (
            {},
            {"SecurityOptions": ["name=seccomp", "name=rootless"]},
            "ok: Docker 28.5.2, linux/amd64, rootless: its root",
        ),
        (
            {"Version": "5.4.0", "Components": [{"Name": "Podman Engine"}]},
            {},
            "warning: Podman 5.4.0: it speaks Docker's",
        ),
        ({"Components": None}, {}, "ok: Docker 28.5.2"),
    ],
)
def test_what_the_engine_is(
    version: dict[str, object],
    info: dict[str, object],
    expected: str,
    daemon: Engine,
    settings: Settings,
    machine: Machine,
) -> None:
    daemon.answers |= {"/version": {**VERSION, **version}, "/info": info}
    assert said("engine", settings, machine()).startswith(expected)


def test_an_engine_that_says_nothing_of_itself(daemon: Engine, settings: Settings, machine: Machine) -> None:
    daemon.answers["/version"] = ["no object"]
    told = said("engine", settings, machine())
    assert told.startswith("problem: ")
    assert "no engine answers" in told
    assert said("api", settings, machine()) == ""


def test_a_sockproxy_in_front_of_the_engine(daemon: Engine, settings: Settings, machine: Machine) -> None:
    daemon.headers = {"X-Sockproxy-Id": "1", "Api-Version": "1.51"}
    assert "is another sockproxy: a call must pass both policies" in said("engine", settings, machine())


@pytest.mark.parametrize(
    ("spoken", "clamp", "expected"),
    [
        (("1.24", "1.51"), "", "ok: clients are told 1.24 to 1.51 (the engine speaks 1.24 to 1.51) -> "),
        (("1.12", "1.41"), "", "ok: clients are told 1.24 to 1.41"),
        (("1.44", "1.70"), "", "ok: clients are told 1.44 to 1.56"),
        (("1.24", "1.51"), 'api: {max: "1.40"}', "ok: clients are told 1.24 to 1.40"),
        (
            ("1.44", "1.51"),
            'api: {max: "1.40"}',
            "problem: the engine speaks 1.44 to 1.51, and the policy lets 1.24 to 1.40 pass: no version is left -> in",
        ),
        (("1.10", "1.22"), "", "problem: the engine speaks 1.10 to 1.22, and sockproxy knows 1.24 to 1.56"),
        (("1.60", "1.70"), "", "problem: the engine speaks 1.60 to 1.70, and sockproxy knows 1.24 to 1.56 -> a newer"),
    ],
)
def test_the_versions_that_are_left(
    spoken: tuple[str, str],
    clamp: str,
    expected: str,
    daemon: Engine,
    settings: Settings,
    folder: Path,
    machine: Machine,
) -> None:
    daemon.answers["/version"] = {**VERSION, "MinAPIVersion": spoken[0], "ApiVersion": spoken[1]}
    assert said("api", with_policy(settings, folder, clamp), machine()).startswith(expected)


def test_the_clamp_that_would_leave_some_is_written_out(
    daemon: Engine, settings: Settings, folder: Path, machine: Machine
) -> None:
    daemon.answers["/version"] = {**VERSION, "MinAPIVersion": "1.44"}
    policy = with_policy(settings, folder, 'api: {max: "1.40"}')
    assert said("api", policy, machine()).endswith('in the policy: api: {min: "1.44", max: "1.51"}')


@pytest.mark.parametrize("row", ["GET /_ping", "HEAD /_ping", "GET /version"])
def test_a_policy_that_denies_how_clients_begin(row: str, settings: Settings, folder: Path, machine: Machine) -> None:
    policy = with_policy(settings, folder, f"rules:\n  - id: quiet\n    deny: {row}\n")
    told = said("ping", policy, machine())
    assert told.startswith(f"problem: the engine answers, and rule `quiet` denies {row}")
    assert told.endswith(f"{folder}/p.yaml:4: take {row.partition(' ')[2]} out of `deny`")


def test_a_deny_of_what_is_asked_leaves_the_ping(settings: Settings, folder: Path, machine: Machine) -> None:
    policy = with_policy(settings, folder, "rules:\n  - {id: d, deny: ANY /**, asking: {query: x}}\n")
    assert said("ping", policy, machine()).startswith("ok: ")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, ""), (30, ""), (3600, "s ahead of ours"), (-3600, "s behind ours")],
)
def test_the_engines_clock(seconds: int, expected: str, daemon: Engine, settings: Settings, machine: Machine) -> None:
    time = datetime.now(UTC) + timedelta(seconds=seconds)
    daemon.answers["/info"] = {"SystemTime": time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")}
    told = said("clock", settings, machine())
    assert (expected in told) if expected else not told


# The own container ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "named", "known", "expected"),
    [
        ({}, None, {}, "ok: sockproxy runs in no container here"),
        ({"/.dockerenv": ""}, None, {}, "warning: this is a container, and it cannot tell which"),
        ({"/run/.containerenv": ""}, None, {}, "warning: this is a container, and it cannot tell which"),
        ({}, "proxy", {}, "problem: the engine knows no container `proxy`"),
        ({}, "proxy", {"proxy": "/p", ID: "/p"}, f"ok: `p` ({ID[:12]}): nobody may touch it"),
        ({"/proc/self/mountinfo": OWN_MOUNT}, None, {ID: "/web"}, f"ok: `web` ({ID[:12]}): nobody may touch it"),
        (
            {"/proc/self/mountinfo": OWN_MOUNT},
            None,
            {},
            f"warning: this is container {ID[:12]}, which the engine does not",
        ),
    ],
)
def test_the_own_container(
    files: dict[str, str],
    named: str | None,
    known: dict[str, str],
    expected: str,
    daemon: Engine,
    machine: Machine,
) -> None:
    for reference, name in known.items():
        daemon.answers[f"/containers/{reference}/json"] = {"Id": ID, "Name": name}
    settings = Settings(engine=daemon.address, admin=None, own_container=named)
    assert said("own-container", settings, machine(files)).startswith(expected)
