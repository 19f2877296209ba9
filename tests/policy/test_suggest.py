"""The YAML that a denial prints: pasted, it makes the same call pass, whatever the values are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sockproxy.decide import decide
from sockproxy.docker.asks import KINDS
from sockproxy.docker.operations import BY_NAME
from sockproxy.model import Allow, Ask, Deny, Forward
from sockproxy.policy import presets
from sockproxy.policy.load import Policy, load, loads
from sockproxy.policy.suggest import fix

CREATE = BY_NAME["ContainerCreate"]
FORWARD = Forward("POST", "/v1.41/containers/create")
VALUES = {
    "path": "/etc/x",
    "image": "docker.io/library/evil:1",
    "device": "/dev/kmsg rwm",
    "publish": "0.0.0.0:80/tcp",
    "gpu": "all",
    "word": "SYS_ADMIN",
    "any": "container",
}


def refused(policy: Policy, *asks: Ask) -> Deny:
    verdict = decide(CREATE, asks, FORWARD, policy, None)
    assert isinstance(verdict, Deny)
    return verdict


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS.values() if kind.section == "grant"], ids=lambda kind: kind.name
)
def test_what_a_denial_of_a_preset_prints_makes_the_call_pass(kind: object, tmp_path: Path) -> None:
    name, form = kind.name, kind.form  # type: ignore[attr-defined]
    ask = Ask(name, VALUES.get(form, f"{name}-value=1"), "HostConfig.X")
    if name in ("link", "volumes-from"):
        assert isinstance(decide(CREATE, (ask,), FORWARD, load("jenkins-agent"), None), Allow)
        return
    denied = refused(load("jenkins-agent"), ask)
    file = tmp_path / "mine.yaml"
    file.write_text(denied.fix)
    if name == "tunnel":
        return
    assert isinstance(decide(CREATE, (ask,), FORWARD, load(file), None), Allow), denied.fix
    # The one line of the message says the same, under `extends`.
    line = re.search(r"rules: \[.*\]", denied.message)
    assert line is not None
    file.write_text(f"version: 1\nextends: jenkins-agent\n{line[0]}\n")
    assert isinstance(decide(CREATE, (ask,), FORWARD, load(file), None), Allow), line[0]


OWN = "version: 1\nname: p\nrules:\n  - id: run\n    allow: POST /containers/create\n    grant: {bind: [/srv/ci/**]}\n    only: {image: python}\n    limit: {memory: 1g, pids: 5}\n"


def test_in_ones_own_file_the_whole_section_is_printed() -> None:
    asks = (
        Ask("bind", "/etc", "b"),
        Ask("image", "docker.io/library/evil:1", "i"),
        Ask("limit", "memory", "m", amount=2**31),
    )
    denied = refused(loads(OWN), *asks)
    assert "rule `run` (policy.yaml:4)" in denied.message
    changed = yaml.safe_load(denied.fix)
    assert changed == {
        "grant": {"bind": ["/srv/ci/**", "/etc"]},
        "only": {"image": ["python", "evil:1"]},
        "limit": {"memory": "2g", "pids": 5},
    }
    text = OWN.split("    grant")[0] + "".join(f"    {line}\n" for line in denied.fix.splitlines())
    assert isinstance(decide(CREATE, asks, FORWARD, loads(text), None), Allow)


def test_a_row_that_no_rule_allows_gets_a_rule() -> None:
    policy = loads("version: 1\nrules:\n  - id: a\n    allow: GET /info\n")
    ask = Ask("privileged", "container", "HostConfig.Privileged")
    denied = refused(policy, ask)
    assert isinstance(decide(CREATE, (ask,), FORWARD, loads(f"version: 1\n{denied.fix}"), None), Allow)


def test_what_no_yaml_allows_is_said_in_words() -> None:
    policy = loads(OWN + "    require: [read-only, non-root]\n")
    unset = refused(policy, Ask("limit", "memory", "HostConfig.Memory"))
    assert "set HostConfig.Memory (docker run --memory), at most 1g" in unset.message
    endless = Ask("limit", "shm", "HostConfig.Tmpfs[/dev/shm]", amount=-1)
    endless_said = refused(loads(OWN.replace("pids: 5", "shm: 64m")), endless).message
    assert "(docker run --shm-size), at most 64m" in endless_said
    required = refused(policy, Ask("require", "read-only", "x"))
    assert "--read-only" in required.message
    assert required.fix == ""


nasty = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.sampled_from(
    [
        "a, b",
        "[x]",
        "{a: b}",
        "a: b",
        "a #b",
        "*x",
        "&x",
        "!x",
        "'",
        '"',
        "\\",
        "|",
        ">",
        "%",
        "@x",
        "- a",
        "no",
        "~",
        "1",
        "a:",
        "\n",
        "\t",
        "a  b",
        " a",
        "a ",
    ]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["sysctl", "annotation", "namespace", "security-opt", "volume-driver"]), value=nasty)
def test_any_value_survives_being_written(kind: str, value: str, tmp_path: Path) -> None:
    ask = Ask(kind, value, "x")
    advice = fix(load("jenkins-agent").rules_for("ContainerCreate")[0], (ask,), CREATE, load("jenkins-agent"))
    file = tmp_path / "mine.yaml"
    file.write_text(advice.block)
    if value in ("any", "none"):
        return
    assert isinstance(decide(CREATE, (ask,), FORWARD, load(file), None), Allow), advice.block
    assert yaml.safe_load(advice.block)["rules"][0]["grant"][kind] is not None


@pytest.mark.parametrize("path", ["/srv/a", "/srv/a ro", "/srv/a nonrecursive", "/srv/a ro nonrecursive"])
@pytest.mark.parametrize("nonrecursive", [False, True])
def test_a_bind_is_proposed_as_read_only_as_it_is(path: str, nonrecursive: bool, tmp_path: Path) -> None:
    ask = Ask("bind", path, "x", read_only=True, nonrecursive=nonrecursive)
    denied = refused(load("jenkins-agent"), ask)
    file = tmp_path / "mine.yaml"
    file.write_text(denied.fix)
    policy = load(file)
    assert isinstance(decide(CREATE, (ask,), FORWARD, policy, None), Allow), denied.fix
    assert isinstance(decide(CREATE, (Ask("bind", path, "x"),), FORWARD, policy, None), Deny), denied.fix
    wider = Ask("bind", path, "x", read_only=True, nonrecursive=True)
    assert isinstance(decide(CREATE, (wider,), FORWARD, policy, None), Allow) is nonrecursive


def test_presets_are_named_and_not_their_paths() -> None:
    denied = refused(load("jenkins-agent"), Ask("bind", "/etc", "x"))
    assert "in a file that extends jenkins-agent:" in denied.message
    assert str(presets.folder()) not in denied.message
