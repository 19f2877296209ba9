"""Which words cover what was seen: exact where power is given, a pattern only where the evidence shows one."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.docker.asks import KINDS
from sockproxy.learn.coverage import Coverage
from sockproxy.learn.values import MOST_WORDS, counted_images, engine_named, words_for
from sockproxy.model import Ask
from sockproxy.policy.patterns import BadPattern, compile_pattern

PROJECT = (("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web"))
ID = "c" * 60 + "12ab"


def asks(kind: str, *values: str, where: str = "path", labels: tuple[tuple[str, str], ...] = ()) -> list[Ask]:
    found = []
    for value in values:
        path, read_only = (value.removesuffix(" ro"), value.endswith(" ro"))
        found.append(Ask(kind, path, where, read_only=read_only, labels=labels, known=True))
    return found


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        # Powers are what was asked, whatever the number.
        ("privileged", ["container"], ["any"]),
        ("bind", ["/etc"], ["/etc"]),
        ("bind", ["/etc/a", "/etc/b", "/etc/c", "/etc/d"], ["/etc/a", "/etc/b", "/etc/c", "/etc/d"]),
        ("bind", ["/a", "/b", "/c", "/d"], ["/a", "/b", "/c", "/d"]),
        ("bind", ["/", "/var/run/docker.sock"], ["/", "/var/run/docker.sock"]),
        ("bind", ["/var/run/a/x", "/var/run/a/y", "/var/run/a/z"], ["/var/run/a/x", "/var/run/a/y", "/var/run/a/z"]),
        ("bind", ["/srv/a", "/srv/b", "/srv/c"], ["/srv/a", "/srv/b", "/srv/c"]),
        ("capability", ["NET_ADMIN", "SYS_TIME", "SYS_NICE"], ["NET_ADMIN", "SYS_TIME", "SYS_NICE"]),
        ("device", ["/dev/fuse rwm", "/dev/kvm rwm"], ["/dev/fuse rwm", "/dev/kvm rwm"]),
        ("sysctl", ["net.core.somaxconn=1", "net.core.somaxconn=2"], ["net.core.somaxconn=1", "net.core.somaxconn=2"]),
        ("namespace", ["pid=host", "network=container:a", "network=container:b"], ["pid=host", "network=container:*"]),
        # Folders of one parent that is deep enough, and what mkdtemp made.
        ("bind", ["/srv/ci/a", "/srv/ci/b"], ["/srv/ci/a", "/srv/ci/b"]),
        ("bind", ["/srv/ci/a", "/srv/ci/b", "/srv/ci/c"], ["/srv/ci/*"]),
        ("bind", ["/srv/ci/a ro", "/srv/ci/b ro", "/srv/ci/c ro", "/srv/ci/d"], ["/srv/ci/* ro", "/srv/ci/d"]),
        ("bind", ["/home/ci/tmpab12cd34/x"], ["/home/ci/tmp*/x"]),
        ("bind", ["/tmp/tmp.aBcDeFgHiJ"], ["/tmp/tmp.*"]),
        ("bind", ["/home/ci/temperature"], ["/home/ci/temperature"]),
        ("bind", ["/srv/4f3c9d4b7e0c/w"], ["/srv/4f3c9d4b7e0c/w"]),
        ("bind", ["/job-4f3c9d4b7e0c"], ["/job-4f3c9d4b7e0c"]),
        ("bind", ["/srv/ci/job-4f3c9d4b7e0c/w"], ["/srv/ci/job-*/w"]),
        ("bind", ["/srv/ci/job-4f3c9d4b7e0c"], ["/srv/ci/job-*"]),
        # Ports next to one another.
        ("publish", ["0.0.0.0:80/tcp", "0.0.0.0:81/tcp"], ["0.0.0.0:80/tcp", "0.0.0.0:81/tcp"]),
        ("publish", ["127.0.0.1:8000/tcp", "127.0.0.1:8001/tcp", "127.0.0.1:8002/tcp"], ["127.0.0.1:8000-8002/tcp"]),
        ("publish", ["0.0.0.0:53/udp", "0.0.0.0:random/tcp"], ["0.0.0.0:random/tcp", "0.0.0.0:53/udp"]),
        # Names.
        ("container", ["web"], ["web"]),
        ("container", ["web", "db"], ["web", "db"]),
        ("container", ["ci-1", "ci-2", "ci-3"], ["ci-*"]),
        ("container", ["ci-1", "ci-2"], ["ci-1", "ci-2"]),
        ("container", ["a", "b", "c", "d"], ["a", "b", "c", "d"]),
        ("container", ["runner-5f3a9c-project-7"], ["runner-*-project-7"]),
        ("container", ["w14641"], ["w*"]),
        ("container", ["c14641"], ["c*"]),
        ("container", ["test-a1b2c3-f12345", "x-123456"], ["test-*", "x-*"]),
        ("container", ["4f3c9d4b7e0c"], ["4f3c9d4b7e0c"]),
        ("container", ["web1234"], ["web*"]),
        ("container", ["release2024"], ["release2024"]),
        ("container", ["web123"], ["web123"]),
        ("container", ["job-k8s9x2m1"], ["job-*"]),
        ("container", ["job-Ab3dE9"], ["job-*"]),
        ("container", ["job-Release2024", "job-Build12"], ["job-Release2024", "job-Build12"]),
        ("container", ["testcontainers-ryuk-0b1f8a52-9c1e-4b55-8f0e-1a2b3c4d5e6f"], ["testcontainers-ryuk-*"]),
        ("container", ["shop-web-1", "shop-db-1", "shop-cache-1", "bank"], ["shop-*-1", "bank"]),
        ("network", ["bridge", "github_network_5144e4a0b1c2d3e4f5"], ["bridge", "github_network_*"]),
        ("volume", ["data ro", "cache"], ["data ro", "cache"]),
        ("volume", ["(anonymous)"], ["(anonymous)"]),
        ("container", ["(prune)"], ["(prune)"]),
        # Images, as Docker writes them.
        ("image", ["docker.io/library/python:3.12"], ["python:3.12"]),
        ("image", ["docker.io/library/python:3.11", "docker.io/library/python:3.12", "docker.io/library/python:3.13"], ["python"]),
        ("image", ["registry.example.com/ci/app:build-5f3a9c12"], ["registry.example.com/ci/app:build-*"]),
        ("image", ["docker.io/library/a:1", "docker.io/library/b:1"], ["a:1", "b:1"]),
        ("tag", ["docker.io/library/app:1742"], ["app:*"]),
        ("image", ["docker.io/library/app:2022"], ["app:2022"]),
        ("image", ["registry.example.com:5000/app:16"], ["registry.example.com:5000/app:16"]),
        ("tag", ["docker.io/ci/app:1", "docker.io/ci/app:2"], ["docker.io/ci/app:1", "docker.io/ci/app:2"]),
        # What a build, a day or a commit gives its name to.
        ("container", ["ci-417"], ["ci-*"]),
        ("container", ["proxy-2024-web-41"], ["proxy-2024-web-41"]),
        ("container", ["nightly-2026-11-25", "job_20261125_020304_web"], ["nightly-*", "job_*_web"]),
        ("container", ["ci-node1", "ci-node2", "ci-node12"], ["ci-node*"]),
        ("network", ["0b1f8a52-9c1e-4b55-8f0e-1a2b3c4d5e6f"], ["*-*-*-*-*"]),
        ("tag", ["docker.io/ci/app:v1.4-87-g29b91d3"], ["docker.io/ci/app:v1.4-*"]),
        ("tag", ["docker.io/ci/app:2026-11-25"], ["docker.io/ci/app:*"]),
        ("tag", ["docker.io/ci/app:1.0.417-rc1"], ["docker.io/ci/app:1.0.*-rc1"]),
        ("image", ["docker.io/library/3f786850e387550fdab836ed7e6dc881de23001b:latest"], ["3f786850e387550fdab836ed7e6dc881de23001b:latest"]),
        ("image", ["docker.io/library/c14641:latest"], ["c14641:latest"]),
        ("image", [f"docker.io/ci/{name}:1" for name in ("a", "b", "c", "d", "e", "f")], [f"docker.io/ci/{name}:1" for name in ("a", "b", "c", "d", "e", "f")]),
        ("image", ["(prune)", "docker.io/library/app:1"], ["(prune)", "app:1"]),
        ("bind", ["/srv/ci/build-417/src"], ["/srv/ci/build-*/src"]),
        ("bind", ["/srv/ci/417/src", "/data/disk-417"], ["/srv/ci/417/src", "/data/disk-417"]),
        ("bind", ["/srv/ci/2026-11-25"], ["/srv/ci/*"]),
        ("bind", ["/srv/ci/a/src", "/srv/ci/b/src", "/srv/ci/c/src"], ["/srv/ci/*/src"]),
        ("bind", [f"/srv/ci/{a}/{b}" for a in "abc" for b in "xyz"], ["/srv/ci/a/*", "/srv/ci/b/*", "/srv/ci/c/*"]),
        ("bind", ["/srv/ci/ws", "/srv/ci/ws@2", "/srv/ci/ws@tmp"], ["/srv/ci/ws*"]),
        ("bind", ["/srv/ci/job", "/srv/ci/job@2", "/srv/ci/job@tmp"], ["/srv/ci/job*"]),
        ("bind", ["/srv/ci/py3.11", "/srv/ci/py3.12", "/srv/ci/py3.13"], ["/srv/ci/py3.*"]),
        ("bind", ["/home/ci/a", "/home/ci/b", "/home/ci/c"], ["/home/ci/a", "/home/ci/b", "/home/ci/c"]),
        ("secret", ["db-adb09ec7", "web"], ["db-*", "web"]),
        ("archive", ["/tmp/3f830611"], ["/tmp/*"]),
        ("exec", ["sh -c 'echo 5f3a9c1; sleep 86400'", "sh /w/_temp/0b1f8a52-9c1e-4b55-8f0e-1a2b3c4d5e6f.sh"], ["sh -c 'echo *; sleep 86400'", "sh /w/_temp/*.sh"]),
        ("label", ["build=417", "run=0b1f8a52-9c1e-4b55-8f0e-1a2b3c4d5e6f", "on=1"], ["build", "run", "on=1"]),
        ("label", ["2bffa4=", "app=x"], ["*=", "app=x"]),
        # Commands and labels.
        ("exec", ["ls -l", "sh -c 'exit 0'"], ["ls -l", "sh -c 'exit 0'"]),
        ("exec", [f"cat /{n}" for n in range(12)] + ["id"], ["cat **", "id"]),
        ("exec", [f"git rev-parse {n}" for n in range(12)] + ["git"], ["git", "git **"]),
        ("label", ["a=1", "b=2"], ["a=1", "b=2"]),
        ("label", ["a=1", "a=2"], ["a"]),
        ("label", ["build=5f3a9c1287de"], ["build"]),
        ("label", ["com.docker.compose.project=x", "com.docker.compose.service=y", "com.docker.compose.oneoff=z"], ["com.docker.compose.*"]),
        ("label", ["traefik.http.routers.a=x", "traefik.enable=true"], ["traefik.http.routers.a=x", "traefik.enable=true"]),
        ("archive", ["/data/a", "/etc/passwd"], ["/data/a", "/etc/passwd"]),
        ("restart", ["always"], ["ALWAYS"]),
        ("registry", ["registry.example.com"], ["registry.example.com"]),
    ],
)  # fmt: skip
def test_what_was_seen_becomes(kind: str, values: list[str], words: list[str]) -> None:
    found = words_for(kind, asks(kind, *values))
    assert [word.lower() for word in found or ()] == [word.lower() for word in words]


def test_a_project_says_more_than_names() -> None:
    seen = asks("container", "shop-web-1", "0a1b_shop-db-1", labels=PROJECT)
    assert words_for("container", seen) == ("label=com.docker.compose.project=shop",)
    assert words_for("container", [*seen, *asks("container", "other")]) == (
        "label=com.docker.compose.project=shop",
        "other",
    )


@pytest.mark.parametrize(("project", "word"), [("shop2024", "shop2024"), ("shop12345", "shop*"), ("k8s9x2m1", "*")])
def test_a_project_that_was_made_up_is_known_by_what_was_not(project: str, word: str) -> None:
    seen = asks("network", f"{project}_default", labels=(("com.docker.compose.project", project),))
    assert words_for("network", seen) == (f"label=com.docker.compose.project={word}",)


def test_a_session_is_known_by_its_label_whatever_its_id() -> None:
    labels = (
        ("com.docker.volume.anonymous", ""),
        ("org.testcontainers.sessionId", "0b1f8a52-9c1e-4b55-8f0e-1a2b3c4d5e6f"),
    )
    assert words_for("volume", asks("volume", ID, labels=labels)) == ("label=org.testcontainers.sessionId=*",)


def test_images_that_a_client_numbers_itself_are_known_by_that() -> None:
    made = asks("tag", "docker.io/ci/app:7", "docker.io/ci/app:8", "docker.io/ci/db:15")
    counted = counted_images([*made, *asks("image", "docker.io/library/postgres:15", "docker.io/library/postgres:16")])
    assert counted == {"ci/app"}
    assert words_for("tag", made, counted=counted) == ("docker.io/ci/app:*", "docker.io/ci/db:15")
    assert words_for("image", asks("image", "docker.io/ci/app:8"), counted=counted) == ("docker.io/ci/app:*",)


def test_many_projects_are_any_project() -> None:
    seen = [
        Ask("container", f"c{name}", "path", labels=(("com.docker.compose.project", name),), known=True)
        for name in ("shop", "bank", "forum")
    ]
    assert words_for("container", seen) == ("label=com.docker.compose.project",)


def test_a_project_s_volume_that_is_only_read_stays_so() -> None:
    seen = asks("volume", "shop_data ro", labels=PROJECT)
    assert words_for("volume", seen) == ("label=com.docker.compose.project=shop ro",)


def test_a_container_whose_name_the_engine_chose_is_known_by_that() -> None:
    seen = [*asks("container", "(unnamed)", where="?name"), *asks("container", "focused_curie", "quirky_hopper2")]
    names = engine_named(seen)
    assert names == {"focused_curie", "quirky_hopper2"}
    assert words_for("container", seen, engine_named=names) == ("(unnamed)", "*_*")
    # Another rule, by which it is only committed, knows it by the same.
    assert words_for("container", asks("container", "focused_curie"), engine_named=names) == ("*_*",)
    # What was named so by its creator is no such name.
    named = [*asks("container", "my_db", "(unnamed)", where="?name"), *asks("container", "my_db")]
    assert engine_named(named) == frozenset()
    assert engine_named(asks("container", "focused_curie")) == frozenset()


def test_a_label_of_all_of_them_says_more_than_that_they_have_no_name() -> None:
    labels = (("ci", "jenkins"), ("build", "17"))
    seen = [
        *asks("container", "(unnamed)", where="?name", labels=labels),
        *asks("container", "focused_curie", labels=labels),
    ]
    assert words_for("container", seen, engine_named=engine_named(seen)) == ("label=ci=jenkins",)


@pytest.mark.parametrize("kind", ["container", "volume", "network"])
def test_an_id_that_nobody_looked_up_is_no_name(kind: str) -> None:
    assert words_for(kind, asks(kind, ID, "web")) is None


def test_an_image_without_a_name_has_no_word() -> None:
    assert words_for("image", [Ask("image", f"sha256:{ID}", "Image")]) is None


def test_a_list_that_nobody_would_read_is_none() -> None:
    assert words_for("container", asks("container", *(f"{chr(97 + n)}x" for n in range(MOST_WORDS + 1)))) is None


KIND_VALUES = {
    "container": st.text(alphabet="abc019-_.", min_size=1, max_size=12),
    "volume": st.text(alphabet="abc019-_.", min_size=1, max_size=12),
    "image": st.builds(
        "docker.io/{}/{}:{}".format,
        st.sampled_from(["library", "ci"]),
        st.text(alphabet="ab1", min_size=1, max_size=4),
        st.text(alphabet="ab19.-", min_size=1, max_size=9),
    ),
    "bind": st.lists(st.sampled_from(["srv", "ci", "etc", "home", "job-4f3c9d4b7e0c", "tmpab12cd34", "x ro"]), max_size=4).map(
        lambda parts: "/" + "/".join(parts)
    ),
    "publish": st.builds("{}:{}/tcp".format, st.sampled_from(["0.0.0.0", "127.0.0.1"]), st.integers(1, 40)),
    "exec": st.text(alphabet="ab *'/", min_size=1, max_size=9),
    "label": st.builds("{}={}".format, st.text(alphabet="a.b", min_size=1, max_size=9), st.text(alphabet="a1*", max_size=4)),
    "archive": st.lists(st.sampled_from(["data", "a", "b", "c"]), max_size=3).map(lambda parts: "/" + "/".join(parts)),
}  # fmt: skip


@given(st.sampled_from(sorted(KIND_VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), st.lists(KIND_VALUES[kind], min_size=1, max_size=14))))  # fmt: skip
def test_whatever_was_seen_is_covered(drawn: tuple[str, list[str]]) -> None:
    kind, values = drawn
    seen = [Ask(kind, value, "path") for value in values]
    words = words_for(kind, seen)
    if words is None:
        assert KINDS[kind].section == "only" or kind == "bind"
        return
    for ask in seen:
        assert Coverage.of(kind, words).covers(ask), (words, ask)


@given(st.lists(KIND_VALUES["bind"], min_size=1, max_size=14))
def test_a_bind_never_becomes_what_leads_to_the_host(values: list[str]) -> None:
    seen = [Ask("bind", value, "path") for value in values]
    for word in words_for("bind", seen) or ():
        for path in ("/", "/etc", "/etc/shadow", "/srv", "/var/run/docker.sock", "/run", "/home/ci/.ssh"):
            assert path in values or not Coverage.of("bind", [word]).covers(Ask("bind", path, "path")), word


WORDS = {
    "image": ["python", "python:3.*", "docker.io/ci/**", "**/x", "*:1", "(prune)", "(untagged)", "any"],
    "bind": ["/srv/ci/**", "/srv/*/x ro", "/**", "**", "/srv/ci", "/srv/ci ro nonrecursive", "/srv/ci/job* shared"],
    "publish": ["80", "127.0.0.1:80/tcp", "1-30", "0.0.0.0:random", "0.0.0.0:7/tcp", "*:9/udp"],
    "label": ["a", "a.*", "a=1", "*=", "**=a", "b="],
    "container": ["label=x", "ab*", "**", "a-*-c", "(unnamed)"],
    "volume": ["any ro", "label=x=y ro", "ab* ro", "a"],
    "archive": ["/data/**", "/data", "/data/*/a"],
    "exec": ["a **", "any", "none", "a*b"],
    "gpu": ["all", "2"],
}


@given(st.sampled_from(sorted(WORDS)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.lists(st.sampled_from(WORDS[kind]) | KIND_VALUES.get(kind, st.sampled_from(["all", "1"])), min_size=1, max_size=6),
        KIND_VALUES.get(kind, st.sampled_from(["all", "1", "3"])),
        st.booleans(),
    )
))  # fmt: skip
def test_the_words_that_cover_an_ask_are_found_as_if_each_were_tried(drawn: tuple[str, list[str], str, bool]) -> None:
    kind, words, value, read_only = drawn
    ask = Ask(
        kind, value, "path", read_only=read_only, labels=(("x", "y"),), aliases=("ab-alias",) if read_only else ()
    )
    tried = set()
    for word in words:
        with suppress(BadPattern):
            if compile_pattern(KINDS[kind], word).matches(ask):
                tried.add(word)
    coverage = Coverage.of(kind, words)
    assert {pattern.text for pattern in coverage.matching(ask)} == tried
    assert coverage.covers(ask) == bool(tried)
