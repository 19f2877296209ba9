"""Files that the settings of an old proxy are kept in."""

from __future__ import annotations

from textwrap import dedent

import pytest

from sockproxy.classic.sources import Source, compose, variables
from sockproxy.errors import ConfigurationError


def test_a_file_of_variables_is_read_as_docker_reads_it() -> None:
    text = '# mine\n\nCONTAINERS=1\n  IMAGES=0\nLOG_LEVEL="info" # no quotes, no comments\nPOST\nGONE\n'
    assert variables(text, "proxy.env", {"POST": "1", "PATH": "/bin"}) == {
        "CONTAINERS": "1",
        "IMAGES": "0",
        "LOG_LEVEL": '"info" # no quotes, no comments',
        "POST": "1",
    }


@pytest.mark.parametrize("line", ["export POST=1", "=1", "MY NAME=1"])
def test_a_line_that_is_no_variable_is_an_error(line: str) -> None:
    with pytest.raises(ConfigurationError, match=r"proxy\.env:2: `.*` is no variable: write NAME=VALUE"):
        variables(f"POST=1\n{line}\n", "proxy.env", {})


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (
            "image: tecnativa/docker-socket-proxy\nenvironment: {CONTAINERS: 1, POST: 0}",
            Source("classic", {"CONTAINERS": "1", "POST": "0"}),
        ),
        (
            "image: ghcr.io/tecnativa/docker-socket-proxy:v0.4.2@sha256:0\nenvironment: [CONTAINERS=1, MINE, GONE]",
            Source("classic", {"CONTAINERS": "1", "MINE": "x"}),
        ),
        (
            "image: registry.example.com:5000/linuxserver/socket-proxy:latest\nenvironment:\n  POST: '0'\n  MINE:\n",
            Source("classic", {"POST": "0", "MINE": "x"}, dialect="linuxserver"),
        ),
        (
            "image: wollomatic/socket-proxy:1\ncommand:\n  - '-allowGET=/x$$'\n  - -loglevel=info",
            Source("wollomatic", {}, ("-allowGET=/x$", "-loglevel=info")),
        ),
        (
            "image: wollomatic/socket-proxy\ncommand: -allowGET='/a b' -logjson",
            Source("wollomatic", {}, ("-allowGET=/a b", "-logjson")),
        ),
    ],
)
def test_the_service_that_runs_a_proxy_is_found(service: str, expected: Source) -> None:
    indented = "\n".join(f"    {line}" for line in service.splitlines())
    text = f"services:\n  web: {{image: nginx}}\n  proxy:\n{indented}\n"
    assert compose(text, "compose.yaml", {"MINE": "x"}) == expected


def test_labels_for_the_go_proxy_are_found_on_other_services() -> None:
    text = """
    services:
      proxy: {image: wollomatic/socket-proxy, command: [-proxycontainername=proxy]}
      web: {image: nginx, labels: {socket-proxy.allow.get: "/x$$", other: y}}
      job: {labels: ["socket-proxy.allow.head.1=/_ping"]}
    """
    assert compose(dedent(text), "compose.yaml", {}).labels == {
        "web": {"socket-proxy.allow.get": "/x$"},
        "job": {"socket-proxy.allow.head.1": "/_ping"},
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("services: {web: {image: nginx}}", "needs one service that runs tecnativa/docker-socket-proxy, linuxserver/s"),
        ("services: [", "compose.yaml is no YAML"),
        ("- services", "there is none"),
        (
            "services: {a: {image: wollomatic/socket-proxy}, b: {image: x, extends: {service: a}}}",
            "service `b` has `extends`, which is not followed",
        ),
        (
            "services: {a: {image: tecnativa/docker-socket-proxy, env_file: proxy.env}}",
            "service `a` has `env_file`, which is not followed: give what `docker compose config` prints",
        ),
        (
            """
            x-common: &common {environment: {POST: 1}}
            services:
              a: {image: tecnativa/docker-socket-proxy, <<: *common}
            """,
            "service `a` has `<<`, which is not followed",
        ),
        (
            """
            x-common: &common {POST: 1}
            services:
              a: {image: tecnativa/docker-socket-proxy, environment: {<<: *common}}
            """,
            "service `a` has `<<`, which is not followed",
        ),
        (
            """
            services:
              a: {image: tecnativa/docker-socket-proxy}
              b: {image: wollomatic/socket-proxy}
            """,
            "there is a, b",
        ),
        (
            """
            services:
              a:
                image: tecnativa/docker-socket-proxy
                environment: {POST: "${POST:-0}"}
            """,
            "service `a` says `${POST:-0}`, which compose fills in: give what `docker compose config` prints",
        ),
    ],
)
def test_a_file_that_does_not_say_is_an_error(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compose(dedent(text), "compose.yaml", {})
    assert says in str(caught.value)
