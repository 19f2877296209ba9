"""Loading: what joins, what is refused, and that every mistake is told at once with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.errors import PolicyError
from sockproxy.model import Ask, Peer
from sockproxy.policy import presets
from sockproxy.policy.load import Policy, Rule, load, loads
from sockproxy.policy.match import covers


def problems(text: str, name: str = "p.yaml") -> list[str]:
    with pytest.raises(PolicyError) as caught:
        loads(text, name)
    return [str(problem) for problem in caught.value.problems]


def rule(policy: Policy, identity: str) -> Rule:
    return next(each for each in policy.rules if each.id == identity)


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_loads(name: str) -> None:
    policy = load(name)
    assert policy.name == name
    assert policy.about
    assert len(policy.tests) >= 3


def test_five_mistakes_are_five_places() -> None:
    found = problems(
        """version: 1
name: bad
rulez: []
rules:
  - id: a
    allow: [GET /contaners/json]
    grant:
      bnid: /srv/**
      container: ci-*
    only:
      bind: /srv
"""
    )
    assert [line.split(": ")[0] for line in found] == [
        "p.yaml:3:1",
        "p.yaml:6:13",
        "p.yaml:8:7",
        "p.yaml:9:7",
        "p.yaml:11:7",
    ]
    assert "did you mean rules?" in found[0]
    assert "did you mean GET /containers/json?" in found[1]
    assert "did you mean bind?" in found[2]
    assert "it belongs under `only`" in found[3]
    assert "it belongs under `grant`" in found[4]


HEAD = "version: 1\nrules:\n  - id: a\n    allow: [GET /info]\n"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "p.yaml:1:1", "empty"),
        ("- a", "p.yaml:1:1", "mapping"),
        ("version: 2\nrules: []", "p.yaml:1:10", "must be 1"),
        ("version: 1", "p.yaml:1:1", "no `rules`"),
        ("version: 1\nrules: x", "p.yaml:2:8", "list"),
        ("version: 1\nversion: 1\nrules: []", "p.yaml:2:1", "stands twice"),
        ("version: 1\nrules: &a []", "p.yaml:2:8", "anchor"),
        ("version: !!int 1\nrules: []", "p.yaml:1:10", "tag"),
        ("version: 1\nrules:\n\t- id: a", "p.yaml:3:1", "tab"),
        ("version: 1\nrules:\n  - id: a\n    allow: [GET /containers/{id}/json]", "p.yaml:4:29", "write * for {id}"),
        ("version: 1\nrules:\n  - id: a\n    allow: @x", "p.yaml:4:12", "cannot begin"),
        ("version: 1\nrules:\n  - allow: GET /info", "p.yaml:3:5", "without an `id`"),
        (HEAD + "  - id:\n    deny: GET /info", "p.yaml:5:5", "without an `id`"),
        (HEAD + '  - id: ""\n    deny: GET /info', "p.yaml:5:5", "without an `id`"),
        ("version: 1\nrules:\n  - id: a b\n    allow: GET /info", "p.yaml:3:9", "no `id`"),
        ("version: 1\nrules:\n  - id: a", "p.yaml:3:5", "allows nothing"),
        ("version: 1\nrules:\n  - id: a\n    allow: []", "p.yaml:4:12", "empty"),
        (HEAD + "  - id: a\n    allow: GET /info", "p.yaml:5:5", "second rule"),
        (HEAD + "    because: x", "p.yaml:5:14", "without `deny`"),
        (HEAD + "    deny: GET /info", "p.yaml:4:12", "beside `deny`"),
        (HEAD + "    grants: {}", "p.yaml:5:5", "did you mean grant?"),
        (HEAD + "    bind: /a", "p.yaml:5:5", "belongs under `grant`"),
        (HEAD + "    grant: /a", "p.yaml:5:12", "mapping of kinds"),
        (HEAD + "    grant: {memory: 8g}", "p.yaml:5:13", "under `limit`"),
        (HEAD + "    grant: {read-only: any}", "p.yaml:5:13", "require: read-only"),
        (HEAD + "    grant: {bind: srv}", "p.yaml:5:19", "absolute"),
        (HEAD + "    grant: {bind: }", "p.yaml:5:18", "empty"),
        (HEAD + "    limit: {memory: lots}", "p.yaml:5:21", "a size"),
        (HEAD + "    limit: {memory: 0}", "p.yaml:5:21", "a size"),
        (HEAD + "    limit: {cpus: 1.x}", "p.yaml:5:19", "CPUs"),
        (HEAD + "    limit: {pid: 5}", "p.yaml:5:13", "did you mean pids?"),
        (HEAD + "    require: readonly", "p.yaml:5:14", "did you mean read-only?"),
        (HEAD + "    grant: {tunnel: grpc}", "p.yaml:5:13", "namespace: network=host"),
        (HEAD + "extends: raed-only", "p.yaml:5:10", "did you mean read-only?"),
        (HEAD + 'extends: ""', "p.yaml:5:10", "no preset"),
        (HEAD + "extends: /", "p.yaml:5:10", "no preset"),
        (HEAD + f"extends: {'a' * 300}", "p.yaml:5:10", "no preset"),
        ('version: 1\nname: "\\U00110000"', "p.yaml", "an escape"),
        (f"%YAML 1.{'1' * 5000}\n---\nversion: 1", "p.yaml", "an escape"),
        (HEAD + 'about: "a\\ud800"', "p.yaml:5:8", "half a surrogate pair"),
        (HEAD + "mode: observed", "p.yaml:5:7", "`mode` must be enforce or observe (did you mean observe?)"),
        (HEAD + 'api: {min: "1.50", max: "1.40"}', "p.yaml:5:6", "above"),
        (HEAD + "api: {min: 41}", "p.yaml:5:12", "API version"),
        ("version: 1\nrules:\n  - id: a\n    allow: POST /containers/{id}/copy", "p.yaml:4:12", "never be allowed"),
        (
            "version: 1\nrules:\n  - id: a\n    allow: GET /swarm/**",
            "p.yaml:4:12",
            "name it",
        ),
        (HEAD + "tests:\n  - expect: allowed", "p.yaml:6:5", "needs a `request`"),
        (HEAD + "tests:\n  - request: GET /info", "p.yaml:6:5", "needs an `expect`"),
        (
            HEAD + "tests:\n  - request: GET /info\n    expect: {refused: {bnid: /}}",
            "p.yaml:7:24",
            "did you mean bind?",
        ),
        (HEAD + "clients:\n  - name: x", "p.yaml:6:5", "who is `x`?"),
        (HEAD + "clients:\n  - name: x\n    from: 10.0.0.1/8\n    rules: all", "p.yaml:7:11", "no address"),
        (HEAD + "clients:\n  - {name: x, from: [], rules: all}", "p.yaml:6:21", "`from` is empty"),
        (HEAD + "clients:\n  - name: x\n    from: 10.0.0.0/8", "p.yaml:6:5", "which rules"),
        (
            HEAD
            + "clients:\n  - {name: x, from: 10.0.0.0/8, rules: all}\n  - {name: y, from: 10.1.0.0/16, rules: all}",
            "p.yaml:7:5",
            "too",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: str, words: str) -> None:
    found = problems(text)
    assert any(line.startswith(f"{place}: ") and words in line for line in found), found


def test_a_file_extends_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "version: 1\nextends: jenkins-agent\nrules:\n  - {id: run, grant: {bind: /data/**}, limit: {pids: 10}}\n"
    )
    policy = load(file)
    run = rule(policy, "run")
    assert covers(run, Ask("bind", "/data/x", ""))
    assert covers(run, Ask("bind", "/var/lib/jenkins/workspace/a", ""))
    assert not covers(run, Ask("limit", "pids", "", amount=11))
    assert policy.tests == ()
    assert policy.digest != load("jenkins-agent").digest


def test_none_empties_what_was_inherited_and_frees_nothing(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "version: 1\nrules:\n  - id: a\n    allow: POST /containers/create\n    grant: {bind: /a}\n    only: {image: x}\n"
    )
    (tmp_path / "more.yaml").write_text(
        "version: 1\nextends: base\nrules:\n  - {id: a, grant: {bind: none}, only: {image: none, network: bridge}}\n"
    )
    run = rule(load(tmp_path / "more.yaml"), "a")
    assert not covers(run, Ask("bind", "/a", ""))
    assert not covers(run, Ask("image", "docker.io/library/x:latest", ""))
    assert not covers(run, Ask("network", "other", ""))
    (tmp_path / "free.yaml").write_text("version: 1\nextends: base\nrules:\n  - {id: a, only: {image: any}}\n")
    assert covers(rule(load(tmp_path / "free.yaml"), "a"), Ask("image", "docker.io/library/y:latest", ""))


def test_a_cycle_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\nextends: b\n")
    (tmp_path / "b.yaml").write_text("version: 1\nextends: a\n")
    with pytest.raises(PolicyError, match="extends itself"):
        load(tmp_path / "a.yaml")


def test_a_file_that_is_not_there_names_the_presets() -> None:
    with pytest.raises(PolicyError, match="did you mean read-only"):
        load("readonly")
    with pytest.raises(PolicyError, match="cannot be read"):
        load("/nowhere/policy.yaml")


def test_the_semantics_of_a_rule() -> None:
    policy = loads(
        HEAD.replace("GET /info", "POST /containers/create")
        + "    grant: {capability: NET_ADMIN}\n    only: {image: python}\n    limit: {memory: 1g, cpus: 1.5}\n    require: cap-drop-all\n"
    )
    run = rule(policy, "a")
    assert covers(run, Ask("capability", "NET_ADMIN", ""))
    assert not covers(run, Ask("capability", "CHOWN", "", plain=True))
    assert not covers(run, Ask("bind", "/a", ""))
    assert covers(run, Ask("volume", "anything", ""))
    labelled = rule(loads(HEAD.replace("GET /info", "POST /containers/create") + "    only: {label: app}\n"), "a")
    assert not covers(labelled, Ask("label", "order=go", ""))
    assert covers(labelled, Ask("label", "order=go", "", plain=True))  # the image's own
    assert covers(run, Ask("limit", "memory", "", amount=2**30))
    assert not covers(run, Ask("limit", "memory", "", amount=2**30 + 1))
    assert not covers(run, Ask("limit", "memory", ""))
    assert covers(run, Ask("limit", "cpus", "", amount=1_500_000_000))
    assert covers(run, Ask("limit", "pids", ""))
    assert not covers(run, Ask("require", "cap-drop-all", ""))
    assert covers(run, Ask("require", "read-only", ""))
    assert not covers(run, Ask("capability", "NET_ADMIN", "", grantable=False))


def test_clients_are_told_apart() -> None:
    policy = loads(
        HEAD
        + "  - id: b\n    allow: GET /version\nclients:\n"
        + "  - {name: ci, from: [10.0.0.0/8, '::1'], rules: a}\n  - {name: root, unix-user: 0, rules: all}\n"
    )
    ci = policy.client_of(Peer("10.1.2.3:5", ip="10.1.2.3"))
    assert ci is not None
    assert ci.name == "ci"
    assert policy.client_of(Peer("x", ip="::ffff:10.1.2.3")) is ci
    assert policy.client_of(Peer("x", ip="11.0.0.1")) is None
    root = policy.client_of(Peer("unix:1", uid=0))
    assert root is not None
    assert root.name == "root"
    assert policy.client_of(Peer("unix:1", uid=1000)) is None
    assert policy.rules_for("SystemInfo", ci)
    assert not policy.rules_for("SystemVersion", ci)
    assert policy.rules_for("SystemVersion", root)


@given(st.text())
def test_any_text_is_a_policy_or_its_mistakes(text: str) -> None:
    try:
        loads(text)
    except PolicyError as error:
        assert error.problems
        assert all("\n" not in str(problem) for problem in error.problems)


fragments = st.lists(
    st.sampled_from(
        [
            "version: 1",
            "rules:",
            "  - id: a",
            "    allow:",
            " [GET /info]",
            "    grant:",
            " {bind: /a}",
            "extends: read-only",
            "  - ",
            "{",
            "]",
            "\n",
            "tests:",
        ]
    ),
    max_size=12,
)


@given(fragments)
def test_any_pieces_of_a_policy_are_a_policy_or_its_mistakes(pieces: list[str]) -> None:
    try:
        loads("\n".join(pieces))
    except PolicyError as error:
        assert error.problems
