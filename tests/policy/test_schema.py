"""The JSON Schema of policies, held to the loader: what that accepts it accepts, and what it can refuse it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from sockproxy.cli.schema import schema_text
from sockproxy.docker.asks import KINDS, LIMITS, REQUIREMENTS
from sockproxy.docker.inspectors import INSPECTED
from sockproxy.docker.operations import OPERATIONS
from sockproxy.docker.selecting import BadSelector, select
from sockproxy.errors import PolicyError
from sockproxy.policy import presets
from sockproxy.policy import schema as made
from sockproxy.policy.amounts import amount
from sockproxy.policy.load import loads
from sockproxy.policy.patterns import BadPattern, compile_pattern
from tests.policy.test_language import test_a_mistake_is_told_in_the_languages_own_words as mistakes_of_language
from tests.policy.test_load import test_a_mistake_is_told_with_its_place as mistakes_of_loading

ROOT = Path(__file__).resolve().parent.parent.parent
POLICY = Draft7Validator(made.policy_schema())
TESTS = Draft7Validator(made.tests_schema())
HEAD = "version: 1\nrules:\n  - id: a\n    allow: [GET /info]\n"


class Editor(yaml.SafeLoader):
    """YAML as an editor reads it, by the core schema of YAML 1.2: `no` is text, `8080` a number."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


for tag, form, first in (
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", "true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", "[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    Editor.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{form})$"), first)
# PyYAML reads `1:2` and `017` in YAML 1.1's way where it makes the number.
Editor.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node)))
Editor.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(loader.construct_scalar(node)))


def read(text: str) -> Any:
    return yaml.load(text, Editor)


def refusals(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message[:300]}" for error in POLICY.iter_errors(read(text))]


def accepted_by_the_loader(text: str) -> bool:
    try:
        loads(text, "p.yaml")
    except PolicyError:
        return False
    return True


# The schema ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", [made.policy_schema(), made.tests_schema()], ids=["policy", "tests"])
def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    Draft7Validator.check_schema(schema)
    text = json.dumps(schema)
    targets = set(re.findall(r'"\$ref": "#/definitions/([^"]+)"', text))
    assert targets == set(schema["definitions"]), "a definition is missing, or nobody uses it"


def patterns(node: object) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in patterns(item)]
    if not isinstance(node, dict):
        return []
    keyed = list(node.get("patternProperties", {}))
    own = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
    return [*own, *keyed, *(found for value in node.values() for found in patterns(value))]


def test_its_patterns_are_javascripts_too() -> None:
    # An editor compiles them with the flag `u`: no named group of Python's, and no escape of what needs none.
    for pattern in patterns([made.policy_schema(), made.tests_schema()]):
        assert "(?P" not in pattern
        assert set(re.findall(r"\\(.)", pattern)) <= set(r"*.|{}()[]/ws")


@pytest.mark.parametrize("section", ["grant", "only"])
def test_every_kind_is_in_its_section_with_its_words_and_an_example(section: str) -> None:
    schema = made.policy_schema()
    kinds = schema["definitions"]["rule"]["properties"][section]["properties"]  # type: ignore[index, call-overload]
    assert set(kinds) == {kind.name for kind in KINDS.values() if kind.section == section}
    for name in kinds:
        definition = schema["definitions"][f"kind-{name}"]  # type: ignore[index, call-overload]
        assert KINDS[name].asks in definition["description"]
        assert definition["examples"] == [KINDS[name].example]


def test_editors_offer_every_row_that_can_be_allowed() -> None:
    offered = made.policy_schema()["definitions"]["endpoint"]["anyOf"][0]["enum"]  # type: ignore[index, call-overload]
    assert offered == [f"{row.method} {row.template}" for row in OPERATIONS if row.name in INSPECTED and not row.never]


@pytest.mark.parametrize(
    ("name", "text"),
    [("schema.json", schema_text()), ("tests-schema.json", schema_text(tests=True))],
    ids=["policies", "tests"],
)
def test_the_file_in_the_tree_is_what_the_tables_say(name: str, text: str) -> None:
    assert (ROOT / "policies" / name).read_text(encoding="utf-8") == text, "run `make docs`"


# What is accepted ----------------------------------------------------------------------------------------------------

WRITTEN = {
    **{f"preset {name}": (presets.folder() / f"{name}.yaml").read_text(encoding="utf-8") for name in presets.names()},
    **{
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in sorted(ROOT.glob("tests/engine/**/*.yaml"))
        if re.search("^version: 1$", path.read_text(encoding="utf-8"), re.MULTILINE)
    },
    **{
        f"README {at}": block
        for at, block in enumerate(
            re.findall(r"```yaml\n(version: 1\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        )
    },
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN.keys())
def test_what_is_written_is_accepted(text: str) -> None:
    schema = TESTS if "\npolicy:" in text else POLICY
    assert not [error.message[:300] for error in schema.iter_errors(read(text))]


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nextends: read-only\n",
        "version: '1'\nextends: [read-only, mine.yaml]\nrules: [{id: run, grant: {publish: [8080, 53/udp]}}]",
        HEAD + "    limit: {memory: 8g, cpus: 0.5, pids: 2000, shm: 1073741824}",
        HEAD + "    limit: {memory: 1.5GiB, cpus: '2', pids: '9', shm: 64KB}",
        HEAD + "    require: []",
        HEAD + "    grant: {capability: [cap_net_admin, 'SYS_*', Chown], gpu: 2, tunnel: session, privileged: '**'}",
        HEAD + "    grant: {device: [/dev/fuse, /dev/dri/**, /dev/sda r, 'c 10:229 rwm'], namespace: [pid=host, '*']}",
        HEAD + "    only: {image: 3.1, restart: [no, on-failure], container: [label=ci, 42, true], volume: x ro}",
        HEAD + "  - id: d\n    deny: [ANY /swarm/**, ANY /**]\n    asking: {label: x, bind: any}\n    because: reasons",
        HEAD + "  - {id: 5, allow: [GET|HEAD /_ping|version, GET /images|volumes/**, '  POST  /containers/*/kill ']}",
        HEAD + "api: {min: 1.24, max: '1.40'}\nmode: observe\nname:\nabout: true",
        HEAD + "clients:\n  - {name: a, from: [10.0.0.0/8, '::1'], rules: all, mode: enforce}",
        HEAD + "clients:\n  - {name: a, unix-user: 0, rules: []}",
        HEAD + "tests:\n  - {request: GET /info, body: {a: [1]}, expect: {refused: {bind: [/a, ''], limit: pids}}}\n",
        HEAD + "tests:\n  - {run: docker ps, engine: {/info: {}, 'host:/x': {Path: /y}}, expect: allowed}",
    ],
    ids=range(15),
)
def test_what_the_loader_accepts_is_accepted(text: str) -> None:
    assert accepted_by_the_loader(text) or "mine.yaml" in text
    assert not refusals(text)


# What is refused -----------------------------------------------------------------------------------------------------

BEYOND = {
    "stands twice": "an editor says so by itself",
    "anchor": "YAML has them, the language has not",
    "tag": "the same",
    "second rule": "that an id is unique",
    "namespace: network=host": "what goes with what",
    "no preset": "which files there are",
    "did you mean read-only?": "the same",
    "half a surrogate pair": "YAML's own",
    "above": "the order of two values",
    "selects no endpoint": "which words go together in a path, and what is marked explicit",
    "no address": "that the bits behind a network's prefix are zero",
    "did you mean 10.0.0.0/8?": "the same",
    "IPv4": "which addresses are IPv4's in another form",
    "too": "that two clients overlap",
    "a size": "nothing by another spelling, such as 0.5 bytes",
    "name it": "what is marked explicit",
    "never be allowed": "what can be denied and not allowed",
}
"""Mistakes that a schema cannot say, by a word of the loader's, and why."""

MISTAKES = [
    (text, words)
    for mark in (mistakes_of_loading.pytestmark[0], mistakes_of_language.pytestmark[0])
    for text, _, words in mark.args[1]
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_is_refused_where_a_schema_can_say_it(text: str, words: str) -> None:
    try:
        read(text)
    except (yaml.YAMLError, ValueError):
        return  # no YAML at all: the editor underlines that
    assert refusals(text) or words in BEYOND


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "rulez: []",
        HEAD + "    grants: {}",
        HEAD + "    grant: {bnid: /a}",
        HEAD + "    grant: {container: ci-*}",
        HEAD + "    only: {bind: /a}",
        HEAD + "    grant: {capability: NET_ADMN}",
        HEAD + "    grant: {namespace: host}",
        HEAD + "    grant: {publish: http}",
        HEAD + "    grant: {publish: 65536}",
        HEAD + "    grant: {device: fuse}",
        HEAD + "    grant: {privileged: yes}",
        HEAD + "    grant: {bind:}",
        HEAD + "    limit: {pids: 0}",
        HEAD + "    limit: {cpus: 1.x}",
        HEAD + "    because: x",
        HEAD + "  - {id: d, deny: GET /info, grant: {bind: /a}}",
        HEAD + "  - {id: d, deny: []}",
        HEAD.replace("/info", "/inof"),
        HEAD.replace("GET", "GTE"),
        HEAD.replace("GET /info", "GET /containers/ci-*/json"),
        HEAD.replace("GET /info", "GET /info/json"),
        HEAD + "mode: obsreve",
        HEAD + "api: {min: 41}",
        HEAD + "clients:\n  - {name: anyone, from: 10.0.0.0/8, rules: all}",
        HEAD + "clients:\n  - {name: x, from: 10.0.0.0/8, unix-user: 1, rules: all}",
        HEAD + "tests:\n  - {request: GET /info, run: docker ps, expect: allowed}",
        HEAD + "tests:\n  - {request: GET /info, body: {}, body-file: x.json, expect: allowed}",
        HEAD + "tests:\n  - {request: GET /info, expect: alowed}",
        HEAD + "tests:\n  - {request: GET /info, engine: {containers/db/json: {}}, expect: allowed}",
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    assert not accepted_by_the_loader(text)
    assert refusals(text)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("version: 1\npolicy: read-only\ntests:\n  - {request: GET /info, expect: allowed}", True),
        ("version: 1\npolicy: read-only\ntests: []", True),
        ("version: 1\ntests: []", False),
        ("version: 1\npolicy: read-only", False),
        ("version: 1\npolicy: read-only\ntests: []\nrules: []", False),
        ("version: 1\npolicy: read-only\ntests:\n  - {request: GET /info}", False),
    ],
)
def test_a_file_of_tests_is_told_from_what_is_none(text: str, accepted: bool) -> None:
    assert TESTS.is_valid(read(text)) is accepted


# Whatever the loader accepts -----------------------------------------------------------------------------------------

methods = st.lists(st.sampled_from(["GET", "POST", "DELETE", "HEAD", "PUT"]), min_size=1, max_size=2).map("|".join)
segments = st.sampled_from(
    sorted(
        {word for row in OPERATIONS for word in row.template.split("/")} | {"*", "{x}", "**", "start|stop", "get|json"}
    )
)
endpoints = st.one_of(
    st.sampled_from([f"{row.method} {row.template}" for row in OPERATIONS]),
    st.builds(
        lambda method, path: f"{method} /{'/'.join(path)}",
        st.one_of(methods, st.just("ANY")),
        st.lists(segments, min_size=1, max_size=4),
    ),
)


def selects(endpoint: str, *, for_deny: bool = True) -> bool:
    try:
        return not any(row.never for row in select(endpoint, for_deny=for_deny)) or for_deny
    except BadSelector:
        return False


@settings(max_examples=400)
@given(endpoints)
def test_an_endpoint_that_selects_rows_is_accepted(endpoint: str) -> None:
    if selects(endpoint):
        assert not refusals(f"version: 1\nrules:\n  - id: a\n    deny: {json.dumps(endpoint)}\n")


words = st.one_of(
    st.sampled_from(["any", "none", "**", "*", "/srv/**", "/a ro", "** shared", "label=a=b", "pid=host", "NET_ADMIN"]),
    st.sampled_from(
        ["c 1:3 r", "/dev/x rw", "8080", "8000-8001/tcp", "127.0.0.1:random", "[::1]:1", "session", "always"]
    ),
    st.sampled_from(["8g", "0.5", "1", "0", "1.5Mib", "3", "all", "true", "read-only", "non-root", "2.0", "cap_kill"]),
    st.text("abC*/:=@. -0159", min_size=1, max_size=8).filter(lambda text: text == text.strip()),
)


def is_pattern(kind: str, word: str) -> bool:
    try:
        compile_pattern(KINDS[kind], word)
    except BadPattern:
        return False
    return True


def one_or_more(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(items, st.lists(items, min_size=1, max_size=3))


def section(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Kinds of these sections, each with patterns that it takes."""

    def patterns_of(kind: str) -> st.SearchStrategy[tuple[str, Any]]:
        example = st.sampled_from([KINDS[kind].example, "any", "none"])
        fitting = st.one_of(example, words.filter(lambda word: is_pattern(kind, word)))
        return st.tuples(st.just(kind), one_or_more(fitting))

    kinds = [kind.name for kind in KINDS.values() if kind.section in names]
    return st.lists(st.sampled_from(kinds).flatmap(patterns_of), max_size=3).map(dict)


limits = st.sampled_from(LIMITS).flatmap(
    lambda name: st.tuples(st.just(name), words.filter(lambda word: amount(name, word) is not None))
)
allows = st.fixed_dictionaries(
    {"allow": one_or_more(endpoints.filter(lambda each: selects(each, for_deny=False)))},
    optional={
        "grant": section("grant"),
        "only": section("only"),
        "limit": st.lists(limits, max_size=2).map(dict),
        "require": st.lists(st.sampled_from(REQUIREMENTS), max_size=2),
    },
)
denies = st.fixed_dictionaries(
    {"deny": one_or_more(endpoints.filter(selects))},
    optional={"asking": section("grant", "only"), "because": words},
)
names = st.text("aZ09_.-", min_size=1, max_size=4).filter(lambda name: name[0] not in "_.-")
rules = st.builds(lambda identity, rule: {"id": identity, **rule}, names, allows | denies)
clients = st.builds(
    lambda client, who: {**client, **who},
    st.fixed_dictionaries(
        {"name": names, "rules": st.sampled_from(["all", []])},
        optional={"mode": st.sampled_from(["enforce", "observe"])},
    ),
    st.one_of(
        st.sampled_from(["0", "1000"]).map(lambda user: {"unix-user": user}),
        one_or_more(st.sampled_from(["10.0.0.0/8", "::1", "fe80::/10", "11.0.0.1", "12.0.0.0/255.0.0.0"])).map(
            lambda networks: {"from": networks}
        ),
    ),
)
bodies = st.recursive(words, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2))
objects = st.dictionaries(words, bodies, max_size=2)
asks = st.dictionaries(st.sampled_from(tuple(KINDS)), one_or_more(words), max_size=2)
sent = st.one_of(
    st.fixed_dictionaries(
        {"request": st.sampled_from(["GET /info", "POST /x?y=1", "DELETE /a b"])}, optional={"body": bodies}
    ),
    st.just({"run": "docker ps"}),
)
cases = st.builds(
    lambda case, request: {**case, **request},
    st.fixed_dictionaries(
        {"expect": st.one_of(st.sampled_from(["allowed", "refused"]), asks.map(lambda each: {"refused": each}))},
        optional={
            "name": words,
            "engine": st.dictionaries(st.sampled_from(["/a", "host:/b", "stat:c:/d"]), objects, max_size=2),
        },
    ),
    sent,
)
policies = st.fixed_dictionaries(
    {"version": st.just("1"), "rules": st.lists(rules, max_size=2)},
    optional={
        "name": names,
        "about": words,
        "extends": one_or_more(st.sampled_from(["read-only", "traefik"])),
        "clients": st.lists(clients, min_size=1, max_size=2),
        "tests": st.lists(cases, max_size=2),
        "api": st.fixed_dictionaries({}, optional={"min": st.sampled_from(["1.24", "1.30"]), "max": st.just("1.40")}),
        "mode": st.sampled_from(["enforce", "observe"]),
    },
)


def written(node: Any) -> str:
    """A document as YAML: words stand unquoted where YAML lets them, so that an editor reads numbers and bools."""
    if isinstance(node, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {written(value)}" for key, value in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(map(written, node)) + "]"
    return node if re.fullmatch(r"[A-Za-z0-9.+-]+", node) and node.lower() != "null" else json.dumps(node)


@settings(max_examples=500, deadline=None)
@given(policies)
def test_whatever_the_loader_accepts_is_accepted(policy: dict[str, Any]) -> None:
    text = written(policy)
    if accepted_by_the_loader(text):
        assert not refusals(text), text
