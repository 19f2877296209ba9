"""Variables: in values, in `.env`, and with every sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockproxy.compose import dotenv, read
from sockproxy.compose.interpolation import substitute
from sockproxy.errors import Problem
from tests.compose.projects import project

SET = {"A": "a", "EMPTY": "", "B": "b"}

TEMPLATES: list[tuple[str, str, tuple[str, ...]]] = [
    ("x", "x", ()),
    ("$A", "a", ()),
    ("${A}", "a", ()),
    ("$A$B-${A}x", "ab-ax", ()),
    ("$NO", "", ("NO",)),
    ("${NO}${NO}", "", ("NO",)),
    ("$$A $${A}", "$A ${A}", ()),
    ("cost $ 5 $5 a$", "cost $ 5 $5 a$", ()),
    ("${NO-d} ${NO:-d} ${EMPTY-d} ${EMPTY:-d} ${A-d} ${A:-d}", "d d  d a a", ()),
    ("${NO+i} ${NO:+i} ${EMPTY+i} ${EMPTY:+i} ${A+i} ${A:+i}", "  i  i i", ()),
    ("${A?} ${A:?x} ${EMPTY?x}", "a a ", ()),
    ("${NO:-${A}} ${NO:-x${NO2:-y}z} ${NO:-$B}", "a xyz b", ()),
    ("${NO:-a:-b} ${NO-a?b} ${NO:-}", "a:-b a?b ", ()),
    ("${NO:-$NO2}", "", ("NO2",)),
    ("${A:-$NO2}", "a", ()),
]


@pytest.mark.parametrize(("template", "value", "unset"), TEMPLATES)
def test_a_template(template: str, value: str, unset: tuple[str, ...]) -> None:
    assert substitute(template, SET) == (value, unset)


FILES: list[tuple[str, dict[str, str]]] = [
    ("A=1\nexport B = 2 # c\n\n# C=3\nD: 4", {"A": "1", "B": "2", "D": "4"}),
    ("A='$x #'\nB=\"a\\n$A\"  # c\nC=#x", {"A": "$x #", "B": "a\n$x #", "C": "#x"}),
    ("A=1\nB=${A}2\nC=$HOST", {"A": "1", "B": "12", "C": "h"}),
    ("HOST=file\nA=$HOST", {"HOST": "file", "A": "h"}),
    ("HOST\nNONE\nA=\n", {"HOST": "h", "A": ""}),
    ('A="two\nlines"\r\nB=x\r\n', {"A": "two\nlines", "B": "x"}),
]


@pytest.mark.parametrize(("text", "found"), FILES)
def test_a_file_of_variables(text: str, found: dict[str, str]) -> None:
    wrong: list[Problem] = []
    assert dotenv.parse(text, ".env", {"HOST": "h"}, wrong) == found
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\n=2", ".env:2:1: `=2` sets no variable (write NAME=value)"),
        ("A B", ".env:1:1: `A B` sets no variable (write NAME=value)"),
        ("A='x'y", ".env:1:1: something stands behind the closing '"),
        ("A='x", ".env:1:1: a ' that is never closed"),
        ("\nA=${B:?no}", ".env:2:1: the variable `B` is required and not set: no"),
    ],
)
def test_a_mistake_in_a_file_of_variables(text: str, said: str) -> None:
    wrong: list[Problem] = []
    dotenv.parse(text, ".env", {}, wrong)
    assert list(map(str, wrong)) == [said]


def test_the_environment_wins_over_the_file_beside(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB=file\nCOMPOSE_PROJECT_NAME=named\n")
    read = project(
        "services: {web: {image: '$A-$B', environment: [B, C]}}", folder=tmp_path, environment={"A": "shell"}
    )
    assert read.service("web").image == "shell-file"
    assert read.service("web").config["Env"] == ["B=file", "C"]
    assert read.name == "named"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        *[("1.50", "1.5"), ("010", "8"), ("08", "8"), ("0x10", "16"), ("0o17", "15"), ("0b11", "3"), ("1_000", "1000")],
        *[("1e3", "1000"), ("1e25", "1e+25"), ("0.00001", "1e-05"), ("+5", "5"), ("-0x1F", "-31"), ("22:22", "22:22")],
        *[("True", "true"), ("yes", "yes"), ("off", "off"), ("~", ""), ("", ""), ("'010'", "010"), ("1.2.3", "1.2.3")],
        ("12345678901234567890123", "1.2345678901234568e+22"),
    ],
)
def test_a_scalar_is_sent_as_compose_prints_it(written: str, sent: str) -> None:
    read = project(f"services: {{web: {{image: x, labels: {{a: {written}}}}}}}")
    assert read.service("web").config["Labels"] == {"a": sent}


def test_named_files_of_variables_stand_in_place_of_dot_env(tmp_path: Path) -> None:
    for name, text in ((".env", "A=dot\nB=dot"), ("one", "B=one\nC=one"), ("two", "C=two-${B}")):
        (tmp_path / name).write_text(text)
    (tmp_path / "compose.yaml").write_text("services: {web: {image: app, hostname: '${A:-}.${B:-}.${C:-}'}}")

    def host(environment: dict[str, str], *names: str) -> object:
        files = [tmp_path / name for name in names]
        found = read(tmp_path / "compose.yaml", environment=environment, env_files=files)
        return found.services[0].config["Hostname"]

    assert host({}) == "dot.dot."
    assert host({}, "one") == ".one.one"
    assert host({"B": "mine"}, "one", "two") == ".mine.two-mine"
    assert host({"COMPOSE_ENV_FILES": f"{tmp_path}/one,{tmp_path}/two"}) == ".one.two-one"
    assert host({"COMPOSE_ENV_FILES": f"{tmp_path}/one"}, "two") == "..two-"
    assert host({"COMPOSE_DISABLE_ENV_FILE": "true"}) == ".."
