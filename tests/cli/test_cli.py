"""The command as a whole: its verbs, its help, its variables, and what it says of mistakes."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sockproxy import __version__
from sockproxy.cli import VERBS, main, options, verb
from sockproxy.cli.run import LIMITS
from sockproxy.proxy.limits import Limits
from sockproxy.proxy.server import DEFAULT_ENGINE, DEFAULT_LISTEN
from tests.cli.conftest import Sockproxy

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_verbs_are_the_ones_that_scripts_rely_on(sockproxy: Sockproxy) -> None:
    assert list(VERBS) == [
        "run",
        "check",
        "explain",
        "test",
        "learn",
        "replay",
        "presets",
        "migrate",
        "doctor",
        "health",
        "schema",
        "completion",
        "demo",
    ]
    shown = sockproxy("--help").output
    assert [line.split()[0] for line in shown.partition("Commands:\n")[2].splitlines()] == list(main.commands)


def test_the_version_is_told(sockproxy: Sockproxy) -> None:
    assert sockproxy("--version").output == f"sockproxy {__version__}\n"


@pytest.mark.parametrize("name", VERBS)
def test_every_option_has_a_variable_and_its_help_says_which(sockproxy: Sockproxy, name: str) -> None:
    shown = " ".join(sockproxy(name, "--help").output.split())
    for param in verb(name).params:
        if isinstance(param, click.Option):
            assert isinstance(param.envvar, str), param.name
            assert param.envvar.startswith("SOCKPROXY_")
            assert f"env var: {param.envvar}" in shown
            assert param.help


def test_one_variable_means_one_thing() -> None:
    helps: dict[str, set[str]] = {}
    for name in ("run", "explain", "health", "check", "test", "doctor"):
        for param in verb(name).params:
            if isinstance(param, click.Option):
                helps.setdefault(str(param.envvar), set()).add(str(param.help))
    assert not [name for name, said in helps.items() if len(said) > 1]


def test_each_limit_of_the_server_has_an_option() -> None:
    assert [name for name, _ in LIMITS] == [field.name for field in dataclasses.fields(Limits)]


def test_the_defaults_are_the_servers() -> None:
    assert (options.DEFAULT_ENGINE, options.DEFAULT_LISTEN) == (DEFAULT_ENGINE, DEFAULT_LISTEN)


def test_what_is_listed_of_a_verb_is_the_first_sentence_of_its_help() -> None:
    for name in VERBS:
        for columns in range(20, 140):
            assert main.commands[name].get_short_help_str(columns) == verb(name).get_short_help_str(columns)


@pytest.mark.parametrize("words", ["['--help']", "['health', '--help']", "['chek']"])
def test_a_verb_is_imported_only_to_be_run(words: str) -> None:
    code = f"import sys; from sockproxy.cli import VERBS, main; main({words}, standalone_mode=False)"
    told = "print([name for name in VERBS if f'sockproxy.cli.{name}' in sys.modules])"
    script = f"try:\n    {code.replace('; ', chr(10) + '    ')}\nexcept BaseException:\n    pass\n{told}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ("['health']" if "health" in words else "[]")


def test_help_and_health_load_nothing_heavy() -> None:
    heavy = "{'uvicorn', 'uvloop', 'httpx', 'starlette', 'yaml', 'prometheus_client', 'asyncio'}"
    code = f"import sys, sockproxy.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # click itself may bring asyncio; what is ours must not bring the rest
    assert done.stdout.strip() in {"[]", "['asyncio']"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "--engine", "x"), "sockproxy: the engine `x` is no address: write unix:///var/run/docker.sock or tcp"),
        (
            ("run", "--engine", "unix:///no/such.sock"),
            "sockproxy: cannot reach the engine at unix:///no/such.sock: no such",
        ),
        (("run", "--policy", "nope"), "nope: no such preset, and no such file"),
        (("run", "--policy", "raed-only"), "did you mean read-only?"),
        (("run", "--listen", "http://x"), "write tcp://HOST:PORT or unix:///PATH"),
        (("run", "--body-seconds", "nan"), "'nan' is no number of seconds"),
        (("run", "--connections", "0"), "0 is not in the range x>=1"),
        (("check", "nope.yaml"), "nope.yaml: cannot be read: No such file or directory"),
        (("presets", "show", "nope"), "nope: no such preset"),
        (("health", "--admin", "none"), "sockproxy: there is no admin listener to ask"),
        (("health", "--admin", "tcp://x:y"), "sockproxy: the admin listener `tcp://x:y` is no address"),
        (("explain",), "say what is to be explained: --request, a command behind `--`, or files"),
        (("explain", "--request", "nonsense"), "write a method and a path"),
        (("explain", "--request", "GET /info", "--header", "x"), "'x' is no 'NAME: VALUE'"),
        (("explain", "--request", "GET /info", "--client", "x"), "say which of the policy's clients asks: none"),
        (("explain", "--request", "GET /info", "--body", "/no/such"), "No such file or directory"),
        (("demo", "--engine", "x"), "sockproxy: the engine `x` is no address"),
        (("migrate",), "sockproxy: there is nothing to migrate: no variable of a proxy that is known here is set"),
        (("frobnicate",), "No such command 'frobnicate'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_said_in_words_with_exit_code_2(
    sockproxy: Sockproxy, words: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    result = sockproxy(*words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_the_reference_of_the_policies_is_what_the_tables_say() -> None:
    from sockproxy.cli.reference import reference

    committed = (ROOT / "policies" / "README.md").read_text(encoding="utf-8")
    assert committed == reference(), "run `make docs`"


def options_by_verb() -> dict[str, list[click.Option]]:
    return {name: [param for param in verb(name).params if isinstance(param, click.Option)] for name in VERBS}


WRITTEN = [ROOT / "README.md", *(path for path in (ROOT / "deploy").rglob("*") if path.is_file())]


@pytest.mark.parametrize("file", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_variables_and_options_in_what_is_written_exist(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    variables = {str(option.envvar) for found in options_by_verb().values() for option in found}
    assert set(re.findall(r"\bSOCKPROXY_[A-Z_]+[A-Z]", text)) <= variables | {"SOCKPROXY_TEST_ENGINES"}
    for word, rest in re.findall(r"sockproxy (run|check|explain|test|health|demo|doctor|schema)((?: [^`\n#]*)?)", text):
        known = {opt for option in options_by_verb()[word] for opt in option.opts} | {"--help"}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known


def test_python_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "sockproxy", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"sockproxy {__version__}\n"
