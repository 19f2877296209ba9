"""What can never matter is said, and nothing is said of what may."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockproxy.policy import presets
from sockproxy.policy.idle import idle
from sockproxy.policy.load import load, loads

CREATE = "POST /containers/create"


def told(rules: str, more: str = "") -> list[str]:
    text = f"version: 1\nrules:\n{rules}{more}"
    return [line.removeprefix("p.yaml:") for line in idle(loads(text, "p.yaml"))]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("allow: GET /info, grant: {bind: /srv}", "says `grant: bind`, which none of its endpoints can ask"),
        (
            "allow: GET /containers/*/json, only: {volume: x}",
            "says `only: volume`, which none of its endpoints can ask",
        ),
        ("allow: GET /info, limit: {pids: 5}", "says `limit: pids`, which none of its endpoints can ask"),
        ("allow: POST /build, require: read-only", "says `require: read-only`, which none of its endpoints can ask"),
        ("deny: GET /info, asking: {label: x}", "says `asking: label`, which none of its endpoints can ask"),
        (
            f"allow: {CREATE}, grant: {{bind: [/srv/**, /srv/ci/**]}}",
            "`bind: /srv/ci/**` is within `/srv/**` beside it",
        ),
        (f"allow: {CREATE}, grant: {{bind: [/a ro, /a]}}", "`bind: /a ro` is within `/a` beside it"),
        (
            f"allow: {CREATE}, only: {{image: [python:3.12, python]}}",
            "`image: python:3.12` is within `python` beside it",
        ),
        (f"allow: {CREATE}, only: {{image: [python, any]}}", "`image: python` is within `any` beside it"),
        (f"allow: {CREATE}, grant: {{publish: [80, 80]}}", "`publish: 80` is within `80` beside it"),
        (
            f"allow: {CREATE}, grant: {{sysctl: net.core.somaxconn}}",
            "no call can ask what `sysctl: net.core.somaxconn`",
        ),
        (f"allow: {CREATE}, grant: {{namespace: network=bridge}}", "no call can ask what `namespace: network=bridge`"),
        (f"allow: {CREATE}, grant: {{log-driver: json-file}}", "no call can ask what `log-driver: json-file`"),
        (f"deny: {CREATE}, asking: {{annotation: x}}", "no call can ask what `annotation: x`"),
    ],
)
def test_a_kind_or_a_pattern_that_can_never_matter(rule: str, line: str) -> None:
    (warning,) = told(f"  - {{id: a, {rule}}}\n")
    assert warning.startswith("3: rule `a`")
    assert line in warning


@pytest.mark.parametrize(
    "rule",
    [
        f"allow: {CREATE}, grant: {{bind: [/srv/** ro, /srv/ci/**]}}",
        f"allow: {CREATE}, grant: {{bind: [none, /srv]}}",
        f"allow: {CREATE}, grant: {{publish: ['127.0.0.1:80', '81']}}",
        f"allow: {CREATE}, grant: {{field: x, query: y}}",
        f"allow: {CREATE}, limit: {{memory: 1g}}, require: read-only",
        "allow: GET /info, grant: {field: x, query: y}",
        "allow: POST /containers/*/start, grant: {bind: /srv/**}",  # what its links lead to, where those are seen
        "deny: ANY /swarm/**",  # insurance
        f"deny: {CREATE}, asking: {{label: x}}",
    ],
)
def test_what_may_matter_is_let_alone(rule: str) -> None:
    assert told(f"  - {{id: a, {rule}}}\n") == []


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("allow: GET /info", "allow: [GET /info, GET /events]"),
        (f"allow: {CREATE}, only: {{image: python:3}}", f"allow: {CREATE}"),
        (f"allow: {CREATE}, only: {{image: python:3}}", f"allow: {CREATE}, only: {{image: python}}"),
        (f"allow: {CREATE}, grant: {{bind: /srv/a}}", f"allow: {CREATE}, grant: {{bind: [/srv/**, /b]}}"),
        (f"allow: {CREATE}, limit: {{pids: 5}}", f"allow: {CREATE}, limit: {{pids: 6}}"),
        (f"allow: {CREATE}, require: [read-only, non-root]", f"allow: {CREATE}, require: non-root"),
    ],
)
def test_a_rule_that_another_gives_all_of(narrow: str, wide: str) -> None:
    for first, second, line in ((narrow, wide, 3), (wide, narrow, 4)):
        ids = ("n", "w") if line == 3 else ("w", "n")
        warnings = told(f"  - {{id: {ids[0]}, {first}}}\n  - {{id: {ids[1]}, {second}}}\n")
        assert f"{line}: rule `n` gives nothing that rule `w` does not give too" in warnings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("allow: [GET /info, GET /version]", "allow: [GET /info, GET /events]"),
        (f"allow: {CREATE}", f"allow: {CREATE}, only: {{image: x}}, grant: {{bind: /a}}"),
        (f"allow: {CREATE}, grant: {{bind: /a}}", f"allow: {CREATE}, grant: {{bind: /b ro}}, only: {{image: x}}"),
        (f"allow: {CREATE}, limit: {{pids: 5}}", f"allow: {CREATE}, limit: {{memory: 5}}"),
        (f"allow: {CREATE}, require: read-only", f"allow: {CREATE}, require: non-root"),
    ],
)
def test_a_rule_that_gives_something_of_its_own(one: str, other: str) -> None:
    assert not [line for line in told(f"  - {{id: a, {one}}}\n  - {{id: b, {other}}}\n") if "gives nothing" in line]


def test_of_two_rules_that_are_alike_the_second_is_told() -> None:
    warnings = told("  - {id: a, allow: GET /info}\n  - {id: b, allow: GET /info}\n")
    assert warnings == ["4: rule `b` gives nothing that rule `a` does not give too"]


def test_a_rule_is_given_by_another_only_to_who_has_both() -> None:
    rules = "  - {id: a, allow: GET /info}\n  - {id: b, allow: ['GET /info', GET /events]}\n"
    apart = "clients:\n  - {name: x, unix-user: 1, rules: a}\n  - {name: y, unix-user: 2, rules: b}\n"
    together = "clients:\n  - {name: x, unix-user: 1, rules: [a, b]}\n  - {name: y, unix-user: 2, rules: b}\n"
    assert told(rules, apart) == []
    assert told(rules, together) == ["3: rule `a` gives nothing that rule `b` does not give too"]


def test_a_rule_that_no_client_names() -> None:
    rules = "  - {id: a, allow: GET /info}\n  - {id: b, allow: GET /events}\n"
    assert told(rules, "clients: [{name: x, unix-user: 1, rules: a}]\n") == [
        "4: rule `b` is for nobody: no client names it"
    ]
    assert told(rules, "clients: [{name: x, unix-user: 1, rules: all}]\n") == []


def test_an_endpoint_that_a_deny_takes_away_again() -> None:
    rules = "  - id: a\n    allow:\n      - GET /info\n      - GET /secrets\n  - {id: d, deny: ANY /secrets/**}\n"
    assert told(rules) == ["6: `GET /secrets` never passes: rule `d` (p.yaml:7) denies it"]
    # All but something is a way to say what is meant.
    assert told("  - {id: a, allow: ANY /containers/**}\n  - {id: d, deny: 'POST /containers/*/exec'}\n") == []
    assert told(f"  - {{id: a, allow: {CREATE}}}\n  - {{id: d, deny: {CREATE}, asking: {{label: x}}}}\n") == []


def test_what_is_said_of_a_preset_by_who_extends_it_was_meant(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        f"version: 1\nrules:\n  - {{id: a, allow: [{CREATE}, GET /info], grant: {{bind: /srv/ci/**}}}}\n"
        "  - {id: spare, allow: GET /events}\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "version: 1\nextends: base\nrules:\n  - {id: a, grant: {bind: /srv/**}}\n  - {id: d, deny: GET /info}\n"
        "  - {id: wide, allow: [GET /events, GET /system/df]}\nclients: [{name: x, unix-user: 1, rules: [a, wide]}]\n"
    )
    assert idle(load(tmp_path / "mine.yaml")) == ()


@pytest.mark.parametrize("name", presets.names())
def test_no_preset_says_what_can_never_matter(name: str) -> None:
    assert idle(load(name)) == ()
