"""Patterns held against each other: what is said of two of them is so, whatever the values."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sockproxy.docker.asks import KINDS
from sockproxy.model import Ask
from sockproxy.policy.globs import glob, path_glob
from sockproxy.policy.overlap import FREE, SHAPES, can_match, meet, paths_meet, takes_in
from sockproxy.policy.patterns import BadPattern, compile_pattern
from tests.corpus import attacks, legitimate
from tests.docker.inspectors.test_asked import asks_of, known_calls


@pytest.mark.parametrize(
    ("kind", "wide", "narrow"),
    [
        ("bind", "/srv/**", "/srv/ci/**"),
        ("bind", "/srv/**", "/srv"),
        ("bind", "/srv/**", "/srv/ci/** ro"),
        ("bind", "/srv/** shared", "/srv/**"),
        ("bind", "/srv/** ro nonrecursive", "/srv/** ro"),
        ("bind", "any", "/srv/** ro shared"),
        ("bind", "/**", "/srv"),
        ("bind", "/a/**/b", "/a/x/b"),
        ("bind", "/a/**/b", "/a/b"),
        ("container", "ci-*", "ci-a-*"),
        ("container", "label=ci", "label=ci=jenkins"),
        ("container", "label=c*", "label=ci"),
        ("container", "*", "label=ci"),
        ("volume", "shop_*", "shop_db ro"),
        ("volume", "any ro", "x ro"),
        ("image", "python", "python:3.*"),
        ("image", "python:3.*", "docker.io/library/python:3.12"),
        ("image", "python", "python@sha256:*"),
        ("image", "registry.example.com/**", "registry.example.com/ci/*:latest"),
        ("image", "**", "python"),
        ("label", "traefik.**", "traefik.enable=true"),
        ("capability", "any", "NET_ADMIN"),
        ("capability", "ALL", "NET_ADMIN"),
        ("capability", "NET_*", "cap_net_admin"),
        ("device", "/dev/**", "/dev/fuse"),
        ("device", "/dev/fuse", "/dev/fuse r"),
        ("device", "c 10:* rwm", "c 10:229 r"),
        ("gpu", "all", "2"),
        ("gpu", "4", "2"),
        ("publish", "8000-8999", "127.0.0.1:8080/tcp"),
        ("publish", "80", "0.0.0.0:80"),
        ("publish", "random", "127.0.0.1:random"),
        ("sysctl", "net.**", "net.core.*"),
        ("restart", "*", "always"),
    ],
)
def test_the_wide_takes_in_the_narrow_and_not_the_other_way_round(kind: str, wide: str, narrow: str) -> None:
    one, other = (compile_pattern(KINDS[kind], text) for text in (wide, narrow))
    assert takes_in(one, other, KINDS[kind])
    if (kind, wide, narrow) != ("capability", "any", "NET_ADMIN"):
        assert not takes_in(other, one, KINDS[kind])


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("bind", "/srv/ci/**", "/srv/ci-evil/**"),
        ("bind", "/srv/** ro", "/srv/ci/**"),
        ("bind", "/srv/*", "/srv/a/b"),
        ("bind", "/srv/*", "/srv/**"),
        ("bind", "none", "/srv"),
        ("container", "label=a", "a"),
        ("volume", "x ro", "x"),
        ("image", "python:3", "python"),
        ("publish", "127.0.0.1:80", "80"),
        ("publish", "8000-8999", "8000-9000"),
        ("publish", "80/tcp", "80"),
        ("publish", "80", "random"),
        ("device", "/dev/fuse r", "/dev/fuse"),
        ("device", "/dev/**", "c 10:229 r"),
        ("gpu", "all", "amd*"),
        ("sysctl", "net.*", "net.*/x"),
    ],
)
def test_what_is_not_taken_in_is_not_said_to_be(kind: str, one: str, other: str) -> None:
    assert not takes_in(compile_pattern(KINDS[kind], one), compile_pattern(KINDS[kind], other), KINDS[kind])


pieces = st.lists(st.sampled_from(["a", "b", "/", "*", "**", "/**/", "/**", "=", ":", "-"]), min_size=1, max_size=5)
values = st.text(st.sampled_from("ab/=:-"), max_size=7)


@settings(max_examples=400)
@given(
    kind=st.sampled_from(["sysctl", "bind", "container", "volume", "image", "label", "exec", "device", "registry"]),
    wide=pieces.map("".join),
    narrow=pieces.map("".join),
    suffixes=st.tuples(st.sampled_from(["", " ro", " shared"]), st.sampled_from(["", " ro", " shared"])),
    values=st.lists(values, min_size=20, max_size=20),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_nothing_is_left_of_what_is_taken_in(
    kind: str, wide: str, narrow: str, suffixes: tuple[str, str], values: list[str], flags: tuple[bool, bool, bool]
) -> None:
    slash = "/" if kind in ("bind", "device") else ""
    ends = suffixes if kind == "bind" else ("", "")
    try:
        one = compile_pattern(KINDS[kind], slash + wide.lstrip(slash or "\0") + ends[0])
        other = compile_pattern(KINDS[kind], slash + narrow.lstrip(slash or "\0") + ends[1])
    except BadPattern:
        assume(False)
    if not takes_in(one, other, KINDS[kind]):
        return
    read_only, nonrecursive, shared = flags
    for value in values:
        for spelled in (value, f"/{value}", f"docker.io/library/{value}:a", f"/{value} r"):
            ask = Ask(
                kind,
                spelled,
                "",
                read_only=read_only,
                nonrecursive=read_only and nonrecursive,
                shared=shared,
                labels=((value, "a"),),
            )
            assert not other.matches(ask) or one.matches(ask), f"{one.text} {other.text} {ask}"


# Values in common --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a*", "*b", True),
        ("a*", "b*", False),
        ("*", "a/b", False),
        ("**", "a/b", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/xb", False),
        ("*a*", "b*b", True),
        ("**=**", "net.core.somaxconn", False),
        ("**=**", "net.*", True),
        ("", "**", True),
        ("", "a", False),
        ("*/*", "**", True),
    ],
)
def test_two_globs_have_a_value_in_common(one: str, other: str, expected: bool) -> None:
    assert meet(one, other) is expected
    assert meet(other, one) is expected


def test_a_folder_and_all_below_it_meet_the_folder() -> None:
    assert paths_meet("/srv/**", "/srv")
    assert paths_meet("/srv", "/srv/**")
    assert not paths_meet("/srv/**", "/srv-evil")
    assert not meet("/srv/**", "/srv")


def test_globs_without_end_are_taken_to_meet() -> None:
    assert meet("*a" * 1000, "*b" * 1000 + "c")


@given(pieces.map("".join), pieces.map("".join), values)
def test_globs_that_match_one_value_meet(one: str, other: str, value: str) -> None:
    if glob(one)(value) and glob(other)(value):
        assert meet(one, other)
    if path_glob(one)(value) and path_glob(other)(value):
        assert paths_meet(one, other)


# What can be asked -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("sysctl", "net.core.somaxconn"),
        ("namespace", "network=bridge"),
        ("namespace", "pid=hosts"),
        ("security-opt", "unconfined"),
        ("annotation", "run.oci.x"),
        ("address", "10.1.*"),
        ("resource", "oom_score=-5"),
        ("build", "https://git.example.com/**"),
        ("log-driver", "json-file"),
        ("runtime", "runc"),
        ("network-driver", "bridge"),
        ("volume-driver", "local"),
        ("capability", "NET-*"),
        ("capability", "*_ADMINS"),
        ("restart", "alway*s*x"),
        ("tunnel", "rpc*"),
    ],
)
def test_a_pattern_that_no_call_can_ask(kind: str, text: str) -> None:
    compile_pattern(KINDS[kind], text)
    assert not can_match(KINDS[kind], text)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_an_example_of_a_kind_can_be_asked(kind: object) -> None:
    assert can_match(kind, kind.example)  # type: ignore[arg-type, attr-defined]
    assert can_match(kind, "any")  # type: ignore[arg-type]
    assert can_match(kind, "none")  # type: ignore[arg-type]


def test_whatever_an_engine_was_seen_to_take_can_be_asked() -> None:
    taken = {line.target for line in attacks() if line.bare is not None and 200 <= line.bare.status < 300}
    assert len(taken) > 50
    seen = 0
    for ask in asks_of(known_calls(only_taken=True)):
        if ask.kind in {*SHAPES, *FREE}:
            seen += 1
            assert can_match(KINDS[ask.kind], ask.value), ask
    assert seen > 80
    assert legitimate()
