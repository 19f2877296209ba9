"""The policy language held to its promises: denials have no way round, mistakes hide no others, printed YAML works."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sockproxy.decide import decide
from sockproxy.docker.asks import KINDS
from sockproxy.docker.operations import BY_NAME
from sockproxy.errors import PolicyError
from sockproxy.model import Allow, Ask, Deny, Forward
from sockproxy.policy.load import Policy, load, loads
from sockproxy.policy.match import covers
from sockproxy.policy.patterns import BadPattern, compile_denial, compile_pattern
from sockproxy.policy.review import review

CREATE = BY_NAME["ContainerCreate"]
FORWARD = Forward("POST", "/v1.41/containers/create")
HEAD = "version: 1\nrules:\n  - id: a\n    allow: [GET /info]\n"
MAKES = HEAD.replace("GET /info", "POST /containers/create")
DIGEST = "sha256:" + "a" * 64


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        loads(text, "p.yaml")
    return [str(problem) for problem in caught.value.problems]


def verdict(policy: Policy, *asks: Ask, operation: str = "ContainerCreate") -> Allow | Deny:
    return decide(BY_NAME[operation], asks, FORWARD, policy, None)


# What denies is met by whatever has a part in common with it ------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "pattern", "ask"),
    [
        ("bind", "/etc/**", Ask("bind", "/etc", "", shared=True)),
        ("bind", "/etc/** ro", Ask("bind", "/etc/x", "", read_only=True, shared=True)),
        ("device", "/dev/sda r", Ask("device", "/dev/sda rwm", "")),
        ("device", "c 1:1 r", Ask("device", "c *:* rwm", "")),
        ("device", "c 1:1 r", Ask("device", "a *:* rwm", "")),
        ("capability", "SYS_ADMIN", Ask("capability", "ALL", "")),
        ("publish", "80", Ask("publish", "0.0.0.0:79-81/tcp", "")),
        ("publish", "127.0.0.1:80", Ask("publish", "0.0.0.0:80/tcp", "")),
        ("publish", "127.0.0.1:80", Ask("publish", "[::]:80/tcp", "")),
        ("image", "python:2", Ask("image", "docker.io/library/python:*", "")),
        ("image", f"python@{DIGEST}", Ask("image", "docker.io/library/python:*", "")),
        ("gpu", "device=0", Ask("gpu", "all", "", amount=-1)),
        ("gpu", "device=0", Ask("gpu", "1", "", amount=1)),
    ],
)
def test_a_denial_is_met_by_an_ask_that_takes_it_in(kind: str, pattern: str, ask: Ask) -> None:
    assert compile_denial(KINDS[kind], pattern).matches(ask)
    policy = loads(
        f"{HEAD.replace('GET /info', 'POST /containers/create')}    grant: {{{kind}: any}}\n"
        if KINDS[kind].section == "grant"
        else HEAD.replace("GET /info", "POST /containers/create")
    )
    assert isinstance(verdict(policy, ask), Allow)
    denied = loads(
        "version: 1\nrules:\n  - id: a\n    allow: POST /containers/create\n"
        + (f"    grant: {{{kind}: any}}\n" if KINDS[kind].section == "grant" else "")
        + f"  - id: d\n    deny: ANY /containers/**\n    asking: {{{kind}: '{pattern}'}}\n"
    )
    answer = verdict(denied, ask)
    assert isinstance(answer, Deny)
    assert (answer.code, answer.rule) == ("denied_by_rule", "d")


@pytest.mark.parametrize(
    ("kind", "pattern", "ask"),
    [
        ("bind", "/etc/** ro", Ask("bind", "/etc/x", "")),
        ("bind", "/etc/**", Ask("bind", "/etc-x", "")),
        ("device", "/dev/sda r", Ask("device", "/dev/sda w", "")),
        ("device", "c 1:1 r", Ask("device", "b *:* rwm", "")),
        ("device", "/dev/**", Ask("device", "c 1:1 r", "")),
        ("capability", "ALL", Ask("capability", "NET_ADMIN", "")),
        ("publish", "80", Ask("publish", "0.0.0.0:81-90/tcp", "")),
        ("publish", "127.0.0.1:80", Ask("publish", "10.0.0.1:80/tcp", "")),
        ("publish", "80", Ask("publish", "0.0.0.0:random/tcp", "")),
        ("image", "python:2", Ask("image", "docker.io/library/python:3", "")),
        ("image", "python:2", Ask("image", "docker.io/library/pythons:*", "")),
    ],
)
def test_a_denial_leaves_alone_what_has_nothing_in_common_with_it(kind: str, pattern: str, ask: Ask) -> None:
    assert not compile_denial(KINDS[kind], pattern).matches(ask)


# Patterns --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "pattern", "ask", "expected"),
    [
        ("bind", "**", Ask("bind", "/x", "", shared=True), False),
        ("bind", "** shared", Ask("bind", "/x", "", shared=True), True),
        ("bind", "any", Ask("bind", "/x", "", shared=True), True),
        ("bind", "/x ro", Ask("bind", "/x", ""), False),
        ("bind", "/x ro shared", Ask("bind", "/x", "", read_only=True, shared=True), True),
        ("device", "c 10:* rwm", Ask("device", "c 10:229 r", ""), True),
        ("device", "c 10:229 r", Ask("device", "c 10:* r", ""), False),
        ("device", "c 10:229 r", Ask("device", "a 10:229 r", ""), False),
        ("device", "a *:* rwm", Ask("device", "b 8:0 rw", ""), True),
        ("capability", "ALL", Ask("capability", "NET_ADMIN", ""), True),
        ("image", "bitnami*/redis", Ask("image", "docker.io/bitnami/redis:1", ""), True),
        ("image", "*/redis", Ask("image", "registry.example.com/redis:1", ""), False),
        ("image", "*.example.com/x", Ask("image", "r.example.com/x:1", ""), True),
        ("image", "**/redis", Ask("image", "registry.example.com/a/redis:1", ""), True),
        ("image", "**:latest", Ask("image", "registry.example.com/a:latest", ""), True),
        ("image", "index.docker.io/python", Ask("image", "docker.io/library/python:3", ""), True),
        ("image", DIGEST, Ask("image", DIGEST, ""), True),
        ("image", DIGEST, Ask("image", "sha256:" + "b" * 64, ""), False),
        ("publish", "[0:0:0:0:0:0:0:1]:80", Ask("publish", "[::1]:80/tcp", ""), True),
    ],
)
def test_a_pattern_matches_what_it_says(kind: str, pattern: str, ask: Ask, expected: bool) -> None:
    assert compile_pattern(KINDS[kind], pattern).matches(ask) is expected


@pytest.mark.parametrize(
    ("kind", "pattern", "hint"),
    [
        ("capability", "NET_ADMN", "NET_ADMIN"),
        ("tunnel", "sesion", "session"),
        ("restart", "unless-stoped", "unless-stopped"),
        ("namespace", "host", "pid=host"),
        ("publish", "8080:80", ""),
        ("publish", "0", "random"),
        ("publish", "9-8", ""),
        ("publish", "999.1.1.1:80", ""),
        ("bind", "/srv/*/../x", "/srv/x"),
        ("bind", "/srv/ci/", "/srv/ci"),
        ("bind", "/srv//ci/**", "/srv/ci/**"),
        ("device", "/dev/../etc", "/etc"),
    ],
)
def test_a_pattern_that_could_never_match_is_a_mistake(kind: str, pattern: str, hint: str) -> None:
    for compiled in (compile_pattern, compile_denial):
        with pytest.raises(BadPattern) as caught:
            compiled(KINDS[kind], pattern)
        assert hint in caught.value.hint


sections = st.sampled_from([kind for kind in KINDS.values() if kind.section == "grant"])


@given(kind=sections, value=st.text(max_size=10), more=st.sampled_from(["any", "none", "**", "/**", "x*"]))
def test_another_pattern_never_uncovers_a_power(kind: object, value: str, more: str) -> None:
    name, example_pattern = kind.name, kind.example  # type: ignore[attr-defined]
    ask = Ask(name, value, "")
    try:
        one, two = compile_pattern(KINDS[name], example_pattern), compile_pattern(KINDS[name], more)
    except BadPattern:
        return
    base = loads(HEAD).rules[0]
    granted = {name: (one,)}
    if covers(replace(base, grant=granted), ask):
        assert covers(replace(base, grant={name: (one, two)}), ask)
    assert covers(replace(base, grant={name: (compile_pattern(KINDS[name], "any"),)}), ask)
    assert not covers(replace(base, grant={name: (compile_pattern(KINDS[name], "none"),)}), ask)


@pytest.mark.parametrize(("amount", "covered"), [(None, False), (-1, False), (0, False), (1, True), (2**30 + 1, False)])
def test_no_limit_is_never_within_one(amount: int | None, covered: bool) -> None:
    rule = loads(HEAD + "    limit: {memory: 1g, shm: 1.5g}\n").rules[0]
    assert covers(rule, Ask("limit", "memory", "", amount=amount)) is covered
    assert covers(rule, Ask("limit", "shm", ""))
    assert not covers(rule, Ask("limit", "shm", "", amount=3 * 2**29 + 1))


# Mistakes --------------------------------------------------------------------------------------------------------------


def test_what_yaml_has_and_the_language_has_not_hides_no_other_mistake() -> None:
    found = problems(
        "version: 1\nname: &n x\nname: y\nabuot: z\nrules:\n  - id: a\n    allow: []\n    only: {container: *ci}\n"
        "    grant: {bind: !!str srv}\ntests:\n  - {request: GET /info, body: {<<: {a: 1}}, expect: allowed}\n"
    )
    assert [line.split(": ")[0] for line in found] == [
        "p.yaml:2:7",
        "p.yaml:3:1",
        "p.yaml:4:1",
        "p.yaml:7:12",
        "p.yaml:8:23",
        "p.yaml:9:19",
        "p.yaml:9:19",
        "p.yaml:11:33",
    ]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (HEAD + "    only: {container: **}", "p.yaml:5:23", "cannot begin with `*`"),
        (HEAD + "    only: {container: *}", "p.yaml:5:23", "cannot begin with `*`"),
        (HEAD + "    because: >x", "p.yaml:5:14", "cannot begin with `>`"),
        (HEAD + "    because: 'x", "p.yaml:5:14", "never closed"),
        (HEAD + "    grant: {bind: [/a", "p.yaml:5:19", "`[` that is never closed"),
        (HEAD + "---\na: b", "p.yaml:5:1", "second document"),
        (HEAD + "about: a\x07b", "p.yaml:5:9", "U+0007"),
        (HEAD + "    grant: {bind: []}", "p.yaml:5:19", "empty"),
        (HEAD + "clients: []", "p.yaml:5:10", "`clients` is empty"),
        (HEAD + "clients:\n  - {name: x, from: 10.0.0.1/8, rules: all}", "p.yaml:6:21", "did you mean 10.0.0.0/8?"),
        (HEAD + 'clients:\n  - {name: x, from: "::ffff:10.0.0.0/104", rules: all}', "p.yaml:6:21", "IPv4"),
        (HEAD + "clients:\n  - {name: x, from: 10.0.0.0/8, unix-user: 1, rules: all}", "p.yaml:6:5", "nobody"),
        (HEAD + "clients:\n  - {name: x, certificate: a.b, rules: all}", "p.yaml:6:28", "TLS"),
        (HEAD + f"clients:\n  - {{name: x, unix-user: {'9' * 5000}, rules: all}}", "p.yaml:6:26", "a number"),
    ],
)
def test_a_mistake_is_told_in_the_languages_own_words(text: str, place: str, words: str) -> None:
    found = problems(text)
    assert any(line.startswith(f"{place}: ") and words in line for line in found), found


def test_an_endless_number_is_text() -> None:
    digits = "9" * 5000
    policy = loads(HEAD + f"tests:\n  - {{request: GET /info, body: {digits}, expect: refused}}\n")
    assert policy.tests[0].body == digits


def test_a_file_that_extends_itself_by_another_spelling_is_a_cycle(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    file = tmp_path / "d" / "a.yaml"
    file.write_text("version: 1\nextends: ../d/a.yaml\n")
    with pytest.raises(PolicyError, match="extends itself"):
        load(file)


# Joining ---------------------------------------------------------------------------------------------------------------


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(f"version: 1\n{text}\n")


def test_two_extended_rules_of_one_id_are_joined_loudly_and_by_the_lower_limit(tmp_path: Path) -> None:
    rule = "rules: [{{id: r, allow: POST /containers/create, grant: {{bind: {}}}, limit: {{pids: {}}}}}]"
    write(tmp_path, b=rule.format("/a", 10), c=rule.format("/b", 99), m="extends: [b.yaml, c.yaml]")
    write(tmp_path, n="extends: [c.yaml, b.yaml]")
    for name in ("m.yaml", "n.yaml"):
        policy = load(tmp_path / name)
        assert policy.rules[0].limit == {"pids": 10}
        assert any("rule `r` stands at" in warning for warning in policy.warnings)


def test_what_none_emptied_is_not_filled_again_by_the_rule_it_extends(tmp_path: Path) -> None:
    write(
        tmp_path,
        base="rules: [{id: r, allow: POST /containers/create, grant: {bind: /a}}]",
        less="extends: base.yaml\nrules: [{id: r, grant: {bind: none}}]",
        m="extends: [less.yaml, base.yaml]",
        n="extends: [base.yaml, less.yaml]",
    )
    for name in ("m.yaml", "n.yaml"):
        policy = load(tmp_path / name)
        assert not covers(policy.rules[0], Ask("bind", "/a", ""))
        assert policy.warnings == ()


# What a denial prints ----------------------------------------------------------------------------------------------------


def yaml_of(denied: Deny) -> str:
    line = re.search(r"rules: \[.*\]$", denied.message)
    assert line is not None, denied.message
    return line[0]


def test_the_line_ends_in_yaml_also_where_the_client_must_change_something_too() -> None:
    policy = loads("version: 1\nextends: ai-agent\n", "mine.yaml")
    denied = verdict(policy, Ask("require", "read-only", "x"), Ask("privileged", "container", "y"))
    assert isinstance(denied, Deny)
    assert yaml_of(denied) == "rules: [{id: sandbox, grant: {privileged: any}}]"
    assert "--read-only" in denied.message


@pytest.mark.parametrize("operation", ["Session", "Grpc", "ImageLoad"])
def test_a_row_that_always_asks_something_is_given_it(operation: str, tmp_path: Path) -> None:
    ask = {"Session": Ask("tunnel", "session", ""), "ImageLoad": Ask("import", "load", "")}.get(operation)
    asks = (ask,) if ask else (Ask("tunnel", "grpc", ""), Ask("namespace", "network=host", ""))
    denied = verdict(load("read-only"), operation=operation)
    assert isinstance(denied, Deny)
    write(tmp_path, mine=f"extends: read-only\n{yaml_of(denied)}")
    assert isinstance(verdict(load(tmp_path / "mine.yaml"), *asks, operation=operation), Allow)


def test_grpc_is_granted_with_what_it_implies(tmp_path: Path) -> None:
    write(tmp_path, base="rules: [{id: r, allow: POST /grpc}]", mine="extends: base.yaml")
    ask = Ask("tunnel", "grpc", "path")
    denied = verdict(load(tmp_path / "mine.yaml"), ask, operation="Grpc")
    assert isinstance(denied, Deny)
    write(tmp_path, mine=f"extends: base.yaml\n{yaml_of(denied)}")
    assert isinstance(verdict(load(tmp_path / "mine.yaml"), ask, operation="Grpc"), Allow)


def test_a_rule_of_ones_own_that_extends_keeps_its_none(tmp_path: Path) -> None:
    write(
        tmp_path,
        base="rules: [{id: r, allow: POST /containers/create, grant: {bind: /a}}]",
        mine="extends: base.yaml\nrules:\n  - id: r\n    grant: {bind: [none, /b]}",
    )
    denied = verdict(load(tmp_path / "mine.yaml"), Ask("bind", "/etc", "x"))
    assert isinstance(denied, Deny)
    assert "in rule `r` (mine.yaml:4) write: grant: {bind: [none, /b, /etc]}" in denied.message
    section = denied.message.partition("write: ")[2]
    write(tmp_path, mine=f"extends: base.yaml\nrules:\n  - id: r\n    {section}")
    policy = load(tmp_path / "mine.yaml")
    assert isinstance(verdict(policy, Ask("bind", "/etc", "x")), Allow)
    assert isinstance(verdict(policy, Ask("bind", "/a", "x")), Deny)


def test_a_new_rule_has_an_id_of_its_own_and_is_named_to_clients() -> None:
    policy = loads(
        HEAD.replace("id: a", "id: allow-container-create")
        + "clients: [{name: c, unix-user: 1, rules: allow-container-create}]\n"
    )
    denied = verdict(policy)
    assert isinstance(denied, Deny)
    assert "id: allow-container-create-2" in denied.message
    assert "name `allow-container-create-2` among the client's `rules` too" in denied.message


def test_a_value_too_long_for_a_message_stands_in_the_block_alone() -> None:
    denied = verdict(load("jenkins-agent"), Ask("sysctl", "x" * 100_000, "HostConfig.Sysctls"))
    assert isinstance(denied, Deny)
    assert len(denied.message) < 2000
    assert "sockproxy explain" in denied.message
    assert "x" * 100_000 in denied.fix


def test_what_is_nameless_is_not_freed() -> None:
    policy = loads("version: 1\nrules:\n  - {id: r, allow: POST /containers/create, only: {container: ci-*}}\n")
    denied = verdict(policy, Ask("container", "", "?name"))
    assert isinstance(denied, Deny)
    assert denied.fix == ""
    assert "any" not in denied.message.split()


nasty = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=16)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(kind=st.sampled_from(["sysctl", "annotation", "bind", "image", "label", "exec", "container"]), value=nasty)
@example(kind="bind", value="/srv/x ro")
@example(kind="bind", value="/srv/a shared")
@example(kind="sysctl", value="any")
@example(kind="sysctl", value="none")
@example(kind="sysctl", value="a*b")
@example(kind="exec", value="sh -c 'a, b' # c: {d}")
@example(kind="container", value="none")
@example(kind="label", value="a=b, c: d")
@example(kind="bind", value="/a/**/b")
def test_whatever_is_refused_the_printed_yaml_lets_it_pass(kind: str, value: str, tmp_path: Path) -> None:
    base = "rules:\n  - id: r\n    allow: POST /containers/create\n    only: {image: none, label: none, exec: none, container: none}"
    write(tmp_path, base=base, mine="extends: base.yaml")
    if kind == "bind":
        value = "/" + value.strip("/")
    if kind == "image":
        value = "docker.io/library/" + re.sub("[^a-z]", "x", value) + ":1"
    ask = Ask(kind, value, "x")
    denied = verdict(load(tmp_path / "mine.yaml"), ask)
    assert isinstance(denied, Deny)
    if not denied.fix:
        assert "no pattern means just" in denied.message
        return
    for text in (denied.fix, yaml_of(denied)):
        write(tmp_path, mine=f"extends: base.yaml\n{text}")
        assert isinstance(verdict(load(tmp_path / "mine.yaml"), ask), Allow), text


# The review --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["/run", "/var/run", "/var", "/", "/var/run ro"])
def test_a_folder_that_the_engines_socket_is_in_is_as_good_as_the_socket(folder: str) -> None:
    sheet = review(loads(MAKES + f"    grant: {{bind: {folder}}}\n"))
    assert any("granting that is granting all" in road for road in sheet.roads)


def test_fields_that_nobody_knows_are_a_road() -> None:
    assert review(loads(MAKES + "    grant: {field: any}\n")).roads
