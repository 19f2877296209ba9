"""Which rows an expression takes in, for which names, and what is said where nobody can tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.classic.regexes import BadExpressionError, Taken, taken
from sockproxy.docker.operations import OPERATIONS

V = r"/v1\..{1,2}"
READING = frozenset(row.name for row in OPERATIONS if row.method == "GET")


@pytest.mark.parametrize(
    ("method", "expression", "rows"),
    [
        ("GET", ".*", READING),
        ("GET", "/version|/info", {"SystemVersion", "SystemInfo"}),
        ("GET", f"{V}/info", {"SystemInfo"}),
        ("GET", "/v1.43/info", {"SystemInfo"}),
        ("GET", "/v1.99/info", set()),
        ("GET", r"(/v[\d\.]+)?/containers/json", {"ContainerList"}),
        ("GET", "/containers/[a-zA-Z0-9_.-]+/json", {"ContainerInspect"}),
        ("GET", "/containers/[a-f0-9]{64}/json", {"ContainerInspect"}),
        ("GET", "/containers/[[:alnum:]]+/json", {"ContainerInspect"}),
        ("GET", "/(?i:CONTAINERS)/json", {"ContainerList"}),
        ("GET", "/images/[^/]+/json", {"ImageInspect"}),
        ("POST", "/images/.+/push", {"ImagePush"}),
        ("POST", "/images/[^/]+/push", set()),
        ("POST", "/exec/[a-f0-9]+/start", {"ExecStart"}),
        ("DELETE", "/volumes/.+", {"VolumeDelete"}),
        ("POST", ".*", {row.name for row in OPERATIONS if row.method == "POST"}),
    ],
)
def test_rows_are_taken_in_whole(method: str, expression: str, rows: set[str]) -> None:
    assert taken(method, expression).whole == rows


@pytest.mark.parametrize(
    ("method", "expression", "named"),
    [
        ("POST", f"{V}/containers/(web|db-.*)/(restart|stop)", {"ContainerRestart": ("web", "db-*")}),
        ("POST", "/containers/web/restart", {"ContainerRestart": ("web",)}),
        ("POST", r"/containers/my\.app_1/restart", {"ContainerRestart": ("my.app_1",)}),
        ("POST", "/containers/((?:web|db))/restart", {"ContainerRestart": ("web", "db")}),
        ("POST", "(/containers/web/restart|/containers/db/restart)", {"ContainerRestart": ("web", "db")}),
        ("GET", "/containers/web.*", {"ContainerInspect": ("web*",), "ContainerLogs": ("web*",)}),
        ("GET", "/containers/[^/]*-web/json", {"ContainerInspect": ("*-web",)}),
        ("DELETE", "/volumes/(data|cache_.*)", {"VolumeDelete": ("data", "cache_*")}),
    ],
)
def test_names_that_are_plain_alternatives_are_told(method: str, expression: str, named: dict[str, object]) -> None:
    found = taken(method, expression)
    assert found.whole == frozenset()
    assert found.unclear == {}
    assert found.idle == ()
    assert named.items() <= found.named.items()


@pytest.mark.parametrize(
    ("expression", "unclear"),
    [
        ("/containers/[wd]eb/restart", {"ContainerRestart": "[wd]eb"}),
        ("/containers/(web|db[0-9])/restart", {"ContainerRestart": "(web|db[0-9])"}),
        ("/containers/web-(a|b)/restart", {"ContainerRestart": "web-(a|b)"}),
        ("/containers/web[0-9]?/restart", {"ContainerRestart": "web[0-9]?"}),
        ("/containers/[a-z]+/restart", {"ContainerRestart": "[a-z]+"}),
        ("/containers/web-.+/restart", {"ContainerRestart": "web-.+"}),
        ("/containers/(web|db)+/restart", {"ContainerRestart": "(web|db)+"}),
        ("/containers/(web|db)(-old)?/restart", {"ContainerRestart": "(web|db)(-old)?"}),
    ],
)
def test_names_that_no_pattern_means_are_told(expression: str, unclear: dict[str, str]) -> None:
    assert taken("POST", expression) == Taken(unclear=unclear)


@pytest.mark.parametrize(
    ("expression", "idle"),
    [
        ("/libpod/pods", ("/libpod/pods",)),
        ("/info|/libpod/info", ("/libpod/info",)),
        ("/(info|nonsense|events)", ("nonsense",)),
        ("/con.*web/json", ("/con.*web/json",)),
        (r"/v1\.(40|41)/info", ()),
        ("/(containers/json|images/json|nonsense)", ("nonsense",)),
        ("/containers/start", ()),
    ],
)
def test_branches_that_come_to_nothing_are_told(expression: str, idle: tuple[str, ...]) -> None:
    found = taken("GET", expression)
    assert found.idle == idle
    assert found.named == found.unclear == {}


@pytest.mark.parametrize(
    "expression", ["(", "[", "*", "(?P<a", "a{9999999999999}", r"\p{L}", "(?!a)", "(?<=a)b", r"(a)\1"]
)
def test_what_is_no_expression_is_an_error(expression: str) -> None:
    with pytest.raises(BadExpressionError):
        taken("GET", expression)


WORDS = st.lists(
    st.tuples(st.from_regex(r"[a-z][a-z0-9_.-]{0,5}", fullmatch=True), st.booleans()),
    min_size=1,
    max_size=4,
    unique=True,
)
LAYOUTS = (
    lambda words: f"/containers/({'|'.join(words)})/stop",
    lambda words: f"{V}/containers/(?:({'|'.join(words)}))/(stop|kill)",
    lambda words: "|".join(f"/containers/{word}/stop" for word in words),
    lambda words: f"(?:/v1.41)?/(containers/({'|'.join(words)})/stop|info)",
)


@given(WORDS, st.sampled_from(LAYOUTS))
def test_any_words_come_back_as_names(words: list[tuple[str, bool]], layout: Callable[[list[str]], str]) -> None:
    globs = [word + ("*" if wild else "") for word, wild in words]
    found = taken("POST", layout([glob.replace(".", r"\.").replace("*", ".*") for glob in globs]))
    assert set(found.named["ContainerStop"]) == set(globs)
    assert (found.whole, found.unclear) == (frozenset(), {})
