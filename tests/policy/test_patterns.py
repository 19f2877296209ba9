"""What a word in a policy matches, kind by kind."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.docker.asks import KINDS
from sockproxy.model import Ask
from sockproxy.policy.patterns import BadPattern, compile_denial, compile_pattern, glob, path_glob


def matches(kind: str, pattern: str, value: str, **more: object) -> bool:
    return compile_pattern(KINDS[kind], pattern).matches(Ask(kind, value, "", **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "pattern", "value", "expected"),
    [
        ("bind", "/srv/ci/**", "/srv/ci", True),
        ("bind", "/srv/ci/**", "/srv/ci/a/b", True),
        ("bind", "/srv/ci/**", "/srv/ci-evil", False),
        ("bind", "/srv/ci/**", "/srv/cievil", False),
        ("bind", "/srv/ci/**", "/srv", False),
        ("bind", "/srv/ci/*", "/srv/ci/a", True),
        ("bind", "/srv/ci/*", "/srv/ci/a/b", False),
        ("bind", "/srv/ci/*", "/srv/ci", False),
        ("bind", "/srv/**/out", "/srv/out", True),
        ("bind", "/srv/**/out", "/srv/a/b/out", True),
        ("bind", "/srv/**/out", "/srv/aout", False),
        ("bind", "/srv/*/out/**", "/srv/a/out/b", True),
        ("bind", "/srv/*/out/**", "/srv/a/out", True),
        ("bind", "/**", "/", True),
        ("bind", "/**", "/etc", True),
        ("bind", "/srv/a", "/srv/a/b", False),
        ("namespace", "network=container:*", "network=container:web", True),
        ("namespace", "network=container:*", "network=host", False),
        ("namespace", "pid=host", "pid=hosts", False),
        ("capability", "net_admin", "NET_ADMIN", True),
        ("capability", "CAP_NET_ADMIN", "NET_ADMIN", True),
        ("capability", "NET_ADMIN", "SYS_ADMIN", False),
        ("device", "/dev/fuse", "/dev/fuse rwm", True),
        ("device", "/dev/fuse r", "/dev/fuse rwm", False),
        ("device", "/dev/fuse rwm", "/dev/fuse rw", True),
        ("device", "/dev/dri/**", "/dev/dri/card0 rwm", True),
        ("device", "/dev/dri/**", "/dev/driver rwm", False),
        ("device", "c 10:229 rwm", "c 10:229 rwm", True),
        ("device", "/dev/**", "b *:* rwm", False),
        ("gpu", "all", "all", True),
        ("gpu", "all", "2", True),
        ("gpu", "all", "device=0", True),
        ("gpu", "all", "amd all", False),
        ("gpu", "all", "nvidia.com/gpu=0", False),
        ("gpu", "2", "2", True),
        ("gpu", "2", "3", False),
        ("gpu", "2", "all", False),
        ("gpu", "9" * 5000, "3", False),
        ("gpu", "2", "9" * 5000, False),
        ("gpu", "2", "\u0661", False),
        ("gpu", "nvidia.com/gpu=*", "nvidia.com/gpu=0", True),
        ("publish", "80", "0.0.0.0:80/tcp", True),
        ("publish", "80", "127.0.0.1:80/udp", True),
        ("publish", "80/tcp", "127.0.0.1:80/udp", False),
        ("publish", "127.0.0.1:8000-8999", "127.0.0.1:8500/tcp", True),
        ("publish", "127.0.0.1:8000-8999", "127.0.0.1:8000-8010/tcp", True),
        ("publish", "127.0.0.1:8000-8999", "127.0.0.1:8990-9000/tcp", False),
        ("publish", "127.0.0.1:8000-8999", "0.0.0.0:8500/tcp", False),
        ("publish", "127.0.0.1:random", "127.0.0.1:random/tcp", True),
        ("publish", "127.0.0.1:random", "0.0.0.0:random/tcp", False),
        ("publish", "random", "0.0.0.0:random/tcp", True),
        ("publish", "random", "0.0.0.0:80/tcp", False),
        ("publish", "1-65535", "0.0.0.0:random/tcp", False),
        ("image", "python", "docker.io/library/python:3.12", True),
        ("image", "python", "docker.io/library/python@sha256:" + "a" * 64, True),
        ("image", "python:3.*", "docker.io/library/python:3.12", True),
        ("image", "python:3.*", "docker.io/library/python:2.7", False),
        ("image", "python:3.*", "docker.io/library/python@sha256:" + "a" * 64, False),
        ("image", "python:3.12", "docker.io/library/python:3.12-evil", False),
        ("image", "python", "evil.example/python:1", False),
        ("image", "python", "docker.io/evil/python:1", False),
        ("image", "registry.example.com/ci/**", "registry.example.com/ci/a/b:1", True),
        ("image", "registry.example.com/ci/**", "registry.example.com/cia:1", False),
        ("image", "registry.example.com:5000/x", "registry.example.com:5000/x:1", True),
        ("image", "jenkins-*", "docker.io/library/jenkins-a:latest", True),
        ("image", "moby/buildkit", "docker.io/moby/buildkit:buildx-stable-1", True),
        ("image", "python@sha256:" + "a" * 64, "docker.io/library/python@sha256:" + "a" * 64, True),
        ("image", "python@sha256:" + "a" * 64, "docker.io/library/python:3.12", False),
        ("image", "python", "sha256:" + "a" * 64, False),
        ("image", "any", "sha256:" + "a" * 64, True),
        ("label", "traefik.*", "traefik.enable=true", True),
        ("label", "app", "app=web", True),
        ("label", "app=web", "app=db", False),
        ("label", "app", "application=x", False),
        ("exec", "buildctl dial-stdio", "buildctl dial-stdio", True),
        ("exec", "sh", "sh -c id", False),
        ("restart", "Unless-Stopped", "unless-stopped", True),
        ("container", "ci-*", "ci-1", True),
        ("container", "ci-*", "xci-1", False),
        ("network", "none", "bridge", False),
        ("volume", "(anonymous)", "(anonymous)", True),
    ],
)
def test_a_pattern_matches(kind: str, pattern: str, value: str, expected: bool) -> None:
    assert matches(kind, pattern, value) is expected


@pytest.mark.parametrize(
    ("pattern", "asked", "expected"),
    [
        ("/a", "", True),
        ("/a", "ro", True),
        ("/a", "ro nonrecursive", True),
        ("/a", "shared", False),
        ("/a ro", "ro", True),
        ("/a ro", "ro nonrecursive", False),
        ("/a ro", "", False),
        ("/a ro nonrecursive", "ro", True),
        ("/a ro nonrecursive", "ro nonrecursive", True),
        ("/a ro nonrecursive", "", False),
        ("/a ro nonrecursive", "ro shared", False),
        ("/a shared", "shared", True),
        ("/a shared", "", True),
        ("/a ro shared", "ro shared", True),
        ("/a ro shared", "shared", False),
        ("/a ro shared", "ro nonrecursive shared", False),
        ("/a ro nonrecursive shared", "ro nonrecursive shared", True),
        ("/a shared ro nonrecursive", "ro nonrecursive shared", True),
    ],
)
def test_the_suffixes_of_a_bind(pattern: str, asked: str, expected: bool) -> None:
    words = asked.split()
    suffixes = {"read_only": "ro" in words, "nonrecursive": "nonrecursive" in words, "shared": "shared" in words}
    assert matches("bind", pattern, "/a", **suffixes) is expected
    assert not matches("bind", pattern, "/b", **suffixes)


@pytest.mark.parametrize(
    ("pattern", "asked"),
    [
        ("/a", ""),
        ("/a", "ro nonrecursive"),
        ("/a ro", "ro"),
        ("/a ro", "ro nonrecursive"),
        ("/a ro nonrecursive", "ro nonrecursive"),
        ("/a ro", "ro shared"),
    ],
)
def test_who_denies_a_bind_denies_what_asks_more_of_it(pattern: str, asked: str) -> None:
    words = asked.split()
    denies = compile_denial(KINDS["bind"], pattern).matches
    ask = Ask("bind", "/a", "", read_only="ro" in words, nonrecursive="nonrecursive" in words, shared="shared" in words)
    assert denies(ask)
    assert denies(Ask("bind", "/a", "")) is not pattern.startswith("/a ro")


def test_a_suffix_that_says_nothing_alone_says_what_was_meant() -> None:
    with pytest.raises(BadPattern) as caught:
        compile_pattern(KINDS["bind"], "/a nonrecursive")
    assert caught.value.hint == "did you mean /a ro nonrecursive?"


def test_labels_and_aliases_are_names_too() -> None:
    labels = (("ci", "jenkins"), ("team", "a"))
    assert matches("container", "label=ci", "x", labels=labels)
    assert matches("container", "label=ci=jenkins", "x", labels=labels)
    assert not matches("container", "label=ci=gitlab", "x", labels=labels)
    assert not matches("container", "label=jenkins", "x", labels=labels)
    assert not matches("container", "ci", "x", labels=labels)
    assert matches("image", "python", "sha256:aa", aliases=("docker.io/library/python:3",))


@pytest.mark.parametrize(
    ("pattern", "alias", "taken"),
    [
        ("(untagged)", "(untagged)", True),
        ("(untagged)", "docker.io/library/python:3", False),
        ("(untagged)", "docker.io/library/(untagged):latest", False),
        ("*", "(untagged)", False),
        ("**/x", "(untagged)", False),
        ("python", "(untagged)", False),
        ("any", "(untagged)", True),
    ],
)
def test_an_image_without_a_name_has_a_word(pattern: str, alias: str, taken: bool) -> None:
    assert matches("image", pattern, "sha256:" + "a" * 64, aliases=(alias,)) is taken


def test_a_volume_read_only() -> None:
    assert matches("volume", "** ro", "v", read_only=True)
    assert not matches("volume", "** ro", "v")
    assert matches("volume", "label=a ro", "v", read_only=True, labels=(("a", ""),))


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("privileged", "yes"),
        ("bind", "srv/ci"),
        ("bind", "/srv/../etc"),
        ("bind", "/srv//ci/**"),
        ("bind", "/srv/"),
        ("archive", "/data ro"),
        ("volume", "x shared"),
        ("volume", "x ro nonrecursive"),
        ("archive", "/data nonrecursive"),
        ("capability", "net admin"),
        ("device", "fuse"),
        ("device", "/dev/fuse x"),
        ("publish", "http"),
        ("publish", "9000-8000"),
        ("publish", "70000"),
        ("container", "a/b"),
        ("container", "label="),
        ("bind", ""),
    ],
)
def test_what_is_no_pattern_is_refused(kind: str, pattern: str) -> None:
    with pytest.raises(BadPattern):
        compile_pattern(KINDS[kind], pattern)


kinds = st.sampled_from([name for name, kind in KINDS.items() if kind.section in ("grant", "only")])
words = st.text("ab/*-.=: ", max_size=12)


@given(kinds, st.text(max_size=20))
def test_any_takes_in_everything_and_none_nothing(kind: str, value: str) -> None:
    assert matches(kind, "any", value)
    assert not matches(kind, "none", value)


def reference(pattern: str, value: str) -> bool:
    """The definition of a glob, word for word: slow, and plainly right. More than two stars are two."""
    pattern = re.sub(r"\*{3,}", "**", pattern)
    if pattern == "":
        return value == ""
    if pattern.startswith("/**/"):
        # The slash that ends the folders may begin further ones: `/**/**/a` takes in `/a`.
        return value.startswith("/") and any(
            value[at] == "/" and reference(pattern[3:], value[at:]) for at in range(len(value))
        )
    if pattern.startswith("**"):
        return any(reference(pattern[2:], value[at:]) for at in range(len(value) + 1))
    if pattern.startswith("*"):
        run = value.partition("/")[0]
        return any(reference(pattern[1:], value[at:]) for at in range(len(run) + 1))
    return value.startswith(pattern[0]) and reference(pattern[1:], value[1:])


@given(st.text("a/*", max_size=9), st.text("a/", max_size=9))
def test_a_glob_is_what_its_definition_says(pattern: str, value: str) -> None:
    assert glob(pattern)(value) == reference(pattern, value)


@given(st.from_regex(r"(/[a-z.]{1,4}){1,3}", fullmatch=True), st.from_regex(r"(/[a-z.]{1,4}){1,4}", fullmatch=True))
def test_a_folder_is_itself_and_what_is_below_it(folder: str, value: str) -> None:
    assert path_glob(folder + "/**")(value) == (value == folder or value.startswith(folder + "/"))


def test_no_pattern_takes_for_ever_over_a_value_made_for_it() -> None:
    """A backtracking matcher would not come back from these in anyone's lifetime."""
    assert not glob("*a*a*a*a*a*a*a*a*a*b")("a" * 1000)
    assert not glob("**a**a**a**a**a**b")("a" * 1000)
    assert not glob("/**/a/**/a/**/a/**/b")("/a" * 500)
