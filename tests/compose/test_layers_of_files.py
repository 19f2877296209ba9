"""Files over files, `include`, `extends`, anchors: what they come to. The scene `layers` holds most of it to compose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sockproxy.compose import ComposeError, Project, read
from tests.compose.projects import project

OVER: list[tuple[str, str, str, Any]] = [
    ("hostname: a", "hostname: b", "Hostname", "b"),
    ("hostname: a", "hostname: ", "Hostname", "a"),
    ("hostname: a", "hostname: !reset null", "Hostname", ""),
    ("command: [a, b]", "command: c d", "Cmd", ["c", "d"]),
    ("labels: {a: 1, b: 2}", "labels: ['b=3', c]", "Labels", {"a": "1", "b": "3", "c": ""}),
    ("labels: {a: 1}", "labels: !override {b: 2}", "Labels", {"b": "2"}),
    ("environment: [A=1, B]", "environment: {B: 2}", "Env", ["A=1", "B=2"]),
    ("dns: 1.1.1.1", "dns: [2.2.2.2, 1.1.1.1]", "Dns", ["1.1.1.1", "2.2.2.2"]),
    ("cap_add: [A]", "cap_add: [B]", "CapAdd", ["CAP_A", "CAP_B"]),
    ("cap_add: [A]", "cap_add: !reset []", "CapAdd", None),
    ("cap_add: [A]", "cap_add: !override [B]", "CapAdd", ["CAP_B"]),
    ("volumes: ['/a:/x', '/b:/y']", "volumes: ['/c:/x:ro']", "Binds", ["/c:/x:ro", "/b:/y:rw"]),
    ("volumes: ['/a:/x']", "volumes: [{type: bind, source: /c, target: /x}]", "Binds", ["/c:/x:rw"]),
    ("ports: ['1:1']", "ports: ['2:1', '1:1']", "PortBindings", {"1/tcp": [{"HostIp": "", "HostPort": "1"}, {"HostIp": "", "HostPort": "2"}]}),
    ("logging: {driver: a, options: {x: 1}}", "logging: {options: {y: 2}}", "LogConfig", {"Type": "a", "Config": {"x": "1", "y": "2"}}),
    ("logging: {driver: a, options: {x: 1}}", "logging: {driver: b}", "LogConfig", {"Type": "b", "Config": None}),
    ("ulimits: {a: 1, b: 2}", "ulimits: {a: {soft: 3, hard: 4}}", "Ulimits", [{"Name": "a", "Hard": 4, "Soft": 3}, {"Name": "b", "Hard": 2, "Soft": 2}]),
    ("privileged: true", "read_only: true", "Privileged", True),
]  # fmt: skip


def field(read_: Project, name: str) -> Any:
    service = read_.service("web")
    return service.config[name] if name in service.config else service.host[name]


@pytest.mark.parametrize(("base", "over", "name", "value"), OVER)
def test_one_file_over_another(base: str, over: str, name: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(f"services: {{web: {{image: x, {base}}}}}")
    (tmp_path / "over.yaml").write_text(f"services: {{web: {{{over}}}}}")
    assert field(read(tmp_path / "compose.yaml", files=[tmp_path / "over.yaml"]), name) == value


@pytest.mark.parametrize(("base", "over", "name", "value"), OVER)
def test_a_service_over_the_one_that_it_extends(base: str, over: str, name: str, value: Any) -> None:
    text = f"services: {{base: {{image: x, {base}}}, web: {{extends: {{service: base}}, {over}}}}}"
    assert field(project(text), name) == value


def test_what_was_reset_can_be_said_anew(tmp_path: Path) -> None:
    for name, keys in {
        "compose.yaml": "image: x, cap_add: [A]",
        "b.yaml": "cap_add: !reset []",
        "c.yaml": "cap_add: [B]",
    }.items():
        (tmp_path / name).write_text(f"services: {{web: {{{keys}}}}}")
    found = read(tmp_path / "compose.yaml", files=[tmp_path / "b.yaml", tmp_path / "c.yaml"])
    assert field(found, "CapAdd") == ["CAP_B"]


def test_a_list_cannot_be_put_over_a_word(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: x, hostname: a}}")
    (tmp_path / "over.yaml").write_text("services: {web: {hostname: [b]}}")
    with pytest.raises(ComposeError, match=r"over.yaml:1:28: this cannot be put over what stands in .*compose.yaml:1 "):
        read(tmp_path / "compose.yaml", files=[tmp_path / "over.yaml"])


def test_the_override_beside_a_default_name_is_taken_and_said(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: x}}")
    (tmp_path / "other.yaml").write_text("services: {web: {image: x}}")
    (tmp_path / "compose.override.yaml").write_text("services: {web: {privileged: true}}")
    taken = read(tmp_path / "compose.yaml")
    assert field(taken, "Privileged") is True
    assert [str(note) for note in taken.notes] == [
        f"{tmp_path}/compose.override.yaml: is put over compose.yaml, as compose does"
    ]
    assert taken.files == (f"{tmp_path}/compose.yaml", f"{tmp_path}/compose.override.yaml")
    assert field(read(tmp_path / "compose.yaml", files=()), "Privileged") is False
    assert field(read(tmp_path / "other.yaml"), "Privileged") is False


def test_a_path_is_meant_from_the_folder_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "more").mkdir()
    (tmp_path / "base/compose.yaml").write_text("services: {base: {image: x, volumes: ['./a:/a', '../b:/b']}}")
    (tmp_path / "more/compose.yaml").write_text("services: {more: {image: $IMAGE, volumes: ['./c:/c']}}")
    (tmp_path / "more/.env").write_text("IMAGE=from-there")
    (tmp_path / "compose.yaml").write_text(
        "include: [more/compose.yaml]\n"
        "services: {web: {extends: {file: base/compose.yaml, service: base}, volumes: ['./d:/d']}}"
    )
    found = read(tmp_path / "compose.yaml")
    assert found.service("web").host["Binds"] == [
        f"{tmp_path}/base/a:/a:rw",
        f"{tmp_path}/b:/b:rw",
        f"{tmp_path}/d:/d:rw",
    ]
    assert found.service("more").host["Binds"] == [f"{tmp_path}/more/c:/c:rw"]
    assert found.service("more").image == "from-there"


def test_what_is_included_may_not_be_there_already_but_for_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("services: {a: {image: x}}")
    (tmp_path / "b.yaml").write_text("include: [a.yaml]\nservices: {a: {image: x}}")
    assert [service.name for service in read(tmp_path / "b.yaml").services] == ["a"]
    (tmp_path / "b.yaml").write_text("include: [a.yaml]\nservices: {a: {image: y}}")
    with pytest.raises(ComposeError, match=r"a.yaml:1:12: `a` is included, and stands in .*b.yaml:2 too"):
        read(tmp_path / "b.yaml")


def test_files_that_include_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("include: [b.yaml]\nservices: {a: {image: x}}")
    (tmp_path / "b.yaml").write_text("include: [a.yaml]\nservices: {b: {image: x}}")
    with pytest.raises(ComposeError, match=r"`b.yaml` includes itself"):
        read(tmp_path / "a.yaml")


def test_anchors_and_merge_keys() -> None:
    text = """
x-a: &a {cap_drop: [ALL], hostname: a, user: a}
x-b: &b {<<: *a, hostname: b}
services:
  web: {<<: [*b, {user: c, working_dir: /w}], image: x, user: own}
"""
    web = project(text).service("web")
    assert (web.config["Hostname"], web.config["User"], web.config["WorkingDir"]) == ("b", "own", "/w")
    assert web.host["CapDrop"] == ["ALL"]


def test_several_documents_are_several_files() -> None:
    assert field(project("services: {web: {image: x}}\n---\nservices: {web: {privileged: true}}"), "Privileged") is True
