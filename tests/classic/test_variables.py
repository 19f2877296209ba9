"""What the classic proxies' variables mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest

from sockproxy.classic.migration import policy
from sockproxy.classic.variables import DIALECTS, Dialect, are_set, migrate, switches
from sockproxy.cli import options
from sockproxy.errors import ConfigurationError


def test_the_command_line_knows_the_dialects() -> None:
    assert options.DIALECTS == DIALECTS


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"PATH": "/bin", "VERSION": "1.2.3", "BUILD": "yes"}, False),
        ({"CONTAINERS": "1"}, True),
        ({"POST": "0"}, True),
        ({"ALLOW_START": "1"}, True),
        ({"SOCKET_PATH": "/run/docker.sock", "LOG_LEVEL": "info"}, False),
    ],
    ids=str,
)
def test_variables_are_a_classic_proxy_s_where_a_switch_is_0_or_1(environment: dict[str, str], expected: bool) -> None:
    assert are_set(environment) is expected


def test_in_a_file_for_the_proxy_a_switch_may_be_anything() -> None:
    assert are_set({"CONTAINERS": "yes"}, all_are_meant=True)
    assert not are_set({"SP_ALLOW_GET": "1"}, all_are_meant=True)


@pytest.mark.parametrize(
    ("environment", "dialect"),
    [
        ({"CONTAINERS": "1", "ALLOW_START": "1"}, "tecnativa"),
        ({"CONTAINERS": "1", "DELETE": "0"}, "tecnativa-edge"),
        ({"CONTAINERS": "1", "ALLOW_LOGS": "1"}, "tecnativa-edge"),
        ({"CONTAINERS": "1", "PUT": "somewhere"}, "tecnativa"),
        ({"CONTAINERS": "1", "LIBPOD_PING": "0"}, "linuxserver"),
    ],
    ids=str,
)
def test_variables_tell_their_dialect(environment: dict[str, str], dialect: str) -> None:
    assert switches(environment).dialect == dialect


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ALLOW_STRAT": "1"}, "`ALLOW_STRAT` is no variable of a classic proxy (did you mean ALLOW_START?)"),
        ({"ALLOW_RESUME": "1"}, "`ALLOW_RESUME` is no variable of a classic proxy (did you mean ALLOW_UNPAUSE?)"),
        ({"ALLOW_DELETE": "1"}, "`ALLOW_DELETE` is no variable of a classic proxy (did you mean DELETE?)"),
        ({"ALLOW_XYZZY": "1"}, "`ALLOW_XYZZY` is no variable of a classic proxy (there are ALLOW_ARCHIVE, ALLOW_ATT"),
        ({"ALLOW_A": "1", "ALLOW_B": "1"}, "`ALLOW_B`"),
        ({"LOG_LEVEL": "loud"}, "`LOG_LEVEL=loud` is no level: debug, info, notice, warning, err, crit, alert, emerg"),
        ({"SOCKET_PATH": "docker.sock"}, "`SOCKET_PATH=docker.sock` is no address: write the path of the engine's"),
    ],
    ids=str,
)
def test_a_mistake_is_an_error(environment: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        migrate({"CONTAINERS": "1", **environment})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "dialect", "says"),
    [
        ({"POST": "true"}, None, "`POST=true` counts as 0, as it does for HAProxy: write 1 or 0"),
        (
            {"ALLOW_START": "1"},
            None,
            "`ALLOW_START` gives nothing while POST is 0; linuxserver's gives it all the same",
        ),
        ({"ALLOW_RESUME": "0"}, None, "`ALLOW_RESUME` is not understood: did you mean ALLOW_UNPAUSE?"),
        ({"ALLOW_XYZZY": "0"}, None, "`ALLOW_XYZZY` is not understood, and nothing was made of it"),
        ({"CONTAINER": "1"}, None, "`CONTAINER` is not understood: did you mean CONTAINERS?"),
        ({"AUTH": "1"}, None, "`AUTH` gives nothing while POST is 0: there is nothing to read there"),
        ({"BIND_CONFIG": ":2375"}, None, "`BIND_CONFIG` is not followed"),
        (
            {"ALLOW_LOGS": "1"},
            None,
            "what is done to containers stays shut without its own variable, as there: ALLOW_ARCHIVE, ALLOW_ATTACH, A",
        ),
        ({"PATH": "/bin", "DISABLE_IPV6": "1", "SOCKPROXY_AUDIT": "-"}, None, ""),
        ({"ALLOW_START": "1"}, "linuxserver", ""),
    ],
    ids=str,
)
def test_what_comes_to_nothing_is_told(environment: dict[str, str], dialect: Dialect | None, says: str) -> None:
    notes = migrate({"CONTAINERS": "1", **environment}, dialect).notes
    assert len(notes) == bool(says)
    assert all(note.startswith(says) for note in notes)


def test_in_a_file_every_name_that_is_not_known_is_told() -> None:
    notes = migrate({"CONTAINERS": "1", "TZ": "Etc/UTC", "DISABLE_IPV6": "1"}, all_are_meant=True).notes
    assert notes == ("`TZ` is not understood, and nothing was made of it",)


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, {}),
        ({"SOCKET_PATH": "/run/user/1000/docker.sock"}, {"--engine": "unix:///run/user/1000/docker.sock"}),
        ({"SOCKET_PATH": "unix@/run/docker.sock"}, {"--engine": "unix:///run/docker.sock"}),
        ({"SOCKET_PATH": "192.0.2.1:2375"}, {"--engine": "tcp://192.0.2.1:2375"}),
        ({"LOG_LEVEL": "info"}, {"--log-level": "info"}),
        ({"LOG_LEVEL": "err"}, {"--log-level": "error"}),
    ],
    ids=str,
)
def test_settings_become_options(environment: dict[str, str], options: dict[str, str]) -> None:
    assert migrate({"CONTAINERS": "1", **environment}).options == options


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"POST": "0"}, False),
        ({"POST": "1"}, True),
        ({"POST": "1", "DELETE": "0"}, False),
        ({"POST": "1", "ALLOW_ATTACH": "1"}, True),
        ({"POST": "0", "ALLOW_ATTACH": "1"}, True),
    ],
    ids=str,
)
def test_typing_into_containers_by_get_is_given_to_who_may_type_anyway(
    environment: dict[str, str], expected: bool
) -> None:
    migration = migrate({"CONTAINERS": "1", **environment})
    assert ("ContainerAttachWebsocket" in migration.operations) is expected


def test_buildkit_s_tunnel_is_proposed_with_all_that_it_takes() -> None:
    text = policy(migrate({"GRPC": "1", "POST": "1"}))
    assert "    #   tunnel: grpc\n    #   namespace: network=host\n" in text


def test_a_policy_says_which_variable_gave_which_line() -> None:
    text = policy(migrate({"CONTAINERS": "1", "IMAGES": "1", "POST": "1", "ALLOW_START": "1", "PING": "0"}))
    head = text.partition("# Stricter than before:")[0]
    assert head == (
        "# Made by `sockproxy migrate` of ALLOW_START=1 CONTAINERS=1 IMAGES=1 PING=0 POST=1,\n"
        "# with the meaning that these have for Tecnativa's docker-socket-proxy up to v0.5.\n"
        "version: 1\n"
        "name: migrated\n"
        "about: What the proxy before this one gave, and no power over the host beyond it.\n"
        "rules:\n"
        "  # CONTAINERS=1, POST=1\n"
        "  - id: containers\n"
        "    allow:\n"
        "      - ANY /containers/**\n"
        "      - GET /containers/{id}/export\n"
        "      - GET /containers/{id}/attach/ws\n"
        "      - GET|PUT /containers/{id}/archive\n"
        "      - GET|POST /containers/{id}/checkpoints\n"
        "      - DELETE /containers/{id}/checkpoints/{checkpoint}\n"
        "    # grant:                    # refused until granted; the examples are yours to narrow\n"
        "    #   bind: /srv/ci/**\n"
        '    #   publish: "127.0.0.1:8000-8999"\n'
        "    #   privileged: any\n"
        "    # and so on: namespace, capability, device, gpu, security-opt, volume-driver, volumes-from, link, log-driver,\n"
        "    #   sysctl, runtime, cgroup-parent, group, annotation, storage-opt, resource, address\n"
        "  # EVENTS=1 by default\n"
        "  - id: events\n"
        "    allow:\n"
        "      - GET /events\n"
        "  # IMAGES=1, POST=1\n"
        "  - id: images\n"
        "    allow:\n"
        "      - ANY /images/**\n"
        "      - GET /images/search|get\n"
        "      - GET /images/{name}/get\n"
        "    # grant:                    # refused until granted; the examples are yours to narrow\n"
        "    #   import: load\n"
        "  - id: no-ping\n"
        "    deny:\n"
        "      - GET /_ping\n"
        "    because: PING is 0.\n"
    )
