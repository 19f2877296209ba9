"""What a policy gives away: said of every road, and never that there is none where there is one."""

from __future__ import annotations

import pytest

from sockproxy.docker.asks import KINDS
from sockproxy.docker.operations import OPERATIONS
from sockproxy.model import Ask
from sockproxy.policy import presets
from sockproxy.policy.harm import ROWS, Level, powers
from sockproxy.policy.load import load, loads
from sockproxy.policy.patterns import cut_suffixes
from sockproxy.policy.review import review

HEAD = (
    "version: 1\nrules:\n  - id: a\n"
    "    allow: [POST /containers/create, POST /images/load, 'POST /nodes/{id}/update']\n"
    "    only: {container: x, volume: x, network: x}\n"
)
NO_ROAD = "no road to the host"


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        ("bind: /srv/ci/**", "symbolic link"),
        ("bind: [/srv/ci, /srv/ci/x ro]", "symbolic link"),
        ("bind: [/srv/*, '/srv/a/** ro']", "symbolic link"),
        ("bind: /srv/ci/** shared", "symbolic link"),
        ("bind: /**", "granting that is granting all"),
        ("bind: /var/run/docker.sock ro", "granting that is granting all"),
        ("bind: /run/** ro", "granting that is granting all"),
        ("bind: /etc ro", "the host's own files"),
        ("bind: /etc/cron.d", "the host's own files"),
        ("bind: /root/.ssh ro", "the host's own files"),
        ("bind: /home/*/.ssh/** ro", "the host's own files"),
        ("bind: /run/containerd/** ro", "granting that is granting all"),
        ("bind: any", "granting that is granting all"),
        ("privileged: any", "root on the host"),
        ("capability: SYS_ADMIN", "root on the host"),
        ("capability: any", "root on the host"),
        ("namespace: pid=host", "processes"),
        ("namespace: '**'", "processes"),
        ("namespace: ipc=host", "shared memory"),
        ("device: /dev/sda", "disks"),
        ("device: /dev/**", "disks"),
        ("device: /dev/nvme0n1", "disks"),
        ("device: /dev/mapper/**", "disks"),
        ("device: /dev/sda r", "disks"),
        ("device: b 8:* rwm", "disks"),
        ("device: 'c 1:1 r'", "disks"),
        ("device: 'c *:* rwm'", "disks"),
        ("device: 'a *:* rwm'", "disks"),
        ("volume-driver: [local type=overlay, 'local o=lowerdir=*', local device=overlay]", "mount(2)"),
        ("volume-driver: [local type=proc, local device=proc]", "mount(2)"),
        ("volume-driver: any", "mount(2)"),
        ("volume-driver: local-persist*", "plug-in"),
        ("bind: /run/systemd/** ro", "granting that is granting all"),
        ("bind: /run/dbus/system_bus_socket ro", "granting that is granting all"),
        ("bind: /run/crio/crio.sock", "granting that is granting all"),
        ("security-opt: seccomp=unconfined", "barrier"),
        ("security-opt: seccomp=*", "barrier"),
        ("security-opt: seccomp=profile", "barrier"),
        ("security-opt: apparmor=unconfined", "barrier"),
        ("security-opt: label=disable", "barrier"),
        ("security-opt: writable-cgroups", "barrier"),
        ("cgroup-parent: system.slice", "the host's own services"),
        ("field: HostConfig.NewField", "nobody has looked at"),
        ("query: newparam", "nobody has looked at"),
        ("runtime: any", "runtime"),
        ("import: load", "replaced"),
        ("field: Role=manager", "every node"),
    ],
)
def test_a_road_to_the_host_is_named(grant: str, words: str) -> None:
    sheet = review(loads(HEAD + f"    grant: {{{grant}}}\n"))
    assert any(words in road for road in sheet.roads), sheet
    assert not any(NO_ROAD in line for line in sheet.lines)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("POST /swarm/join", "join a cluster"),
        ("GET /swarm", "join tokens"),
        ("GET /swarm/unlockkey", "reads the key"),
    ],
)
def test_a_row_that_is_a_road_by_itself_is_named(row: str, words: str) -> None:
    sheet = review(loads(f"version: 1\nrules:\n  - id: a\n    allow: {row}\n"))
    assert any(words in road for road in sheet.roads), sheet
    assert not any(NO_ROAD in line for line in sheet.lines)


@pytest.mark.parametrize("row", ["POST /services/create", "POST /services/{id}/update"])
def test_services_that_are_left_free_are_named(row: str) -> None:
    rule = f"version: 1\nrules:\n  - id: a\n    allow: {row}\n"
    free = "makes services and leaves `service` and `volume` and `network` free"
    assert any(free in line for line in review(loads(rule)).warnings)
    held = review(loads(f"{rule}    only: {{service: x, volume: x, network: x}}\n"))
    assert not any("free" in line for line in held.warnings)


@pytest.mark.parametrize(
    "grant",
    [
        "bind: /srv/ci/** ro",
        "bind: /srv/ci/** ro nonrecursive",
        "bind: /srv/ci/** ro shared",
        "bind: none",
        "publish: any",
        "capability: NET_BIND_SERVICE",
        "capability: SYS_NICE",
        "group: video",
        "device: /dev/dri/**",
        "device: c 10:229 rwm",
        "volume-driver: [local type=nfs, 'local o=addr=*', 'local device=:/**']",
        "volume-driver: [local type=tmpfs, local device=tmpfs]",
        "security-opt: apparmor=ci-*",
        "runtime: nvidia",
        "cgroup-parent: ci.slice",
        "log-driver: loki*",
    ],
)
def test_what_leads_nowhere_is_said_to(grant: str) -> None:
    sheet = review(loads(HEAD + f"    grant: {{{grant}}}\n"))
    assert not sheet.roads
    assert any(NO_ROAD in line for line in sheet.lines)


@pytest.mark.parametrize("path", ["/srv/ci", "/srv/*", "/run/sockproxy/x.sock"])
def test_a_single_path_that_may_be_written_is_no_road_and_nobody_says_that_there_is_none(path: str) -> None:
    # What stands below it cannot be bound, and itself it is a mount, which nobody in the container can replace.
    sheet = review(loads(HEAD + f"    grant: {{bind: {path}}}\n"))
    assert sheet.roads == ()
    assert not any(NO_ROAD in line for line in sheet.lines)
    assert sheet.sheets[0].worst is Level.WRITES


def test_a_link_that_one_rule_lets_be_planted_is_followed_by_another() -> None:
    text = (
        "version: 1\nrules:\n  - {id: a, allow: POST /containers/create, grant: {bind: /srv/ci}}\n"
        "  - {id: b, allow: POST /containers/create, grant: {bind: /srv/** ro}}\n"
    )
    assert any("symbolic link" in road for road in review(loads(text)).roads)
    apart = "clients:\n  - {name: x, unix-user: 1, rules: a}\n  - {name: y, unix-user: 2, rules: b}\n"
    assert review(loads(text + apart)).roads == ()


def test_a_power_that_no_row_can_ask_for_is_no_road() -> None:
    assert review(loads("version: 1\nrules: [{id: a, allow: GET /info, grant: {privileged: any}}]\n")).roads == ()


def test_a_row_that_is_denied_to_everybody_gives_nothing() -> None:
    text = HEAD + "    grant: {privileged: any}\n  - {id: d, deny: POST /containers/create}\n"
    assert review(loads(text)).roads == ()
    asking = text.replace("deny: POST /containers/create", "deny: POST /containers/create, asking: {label: x}")
    assert review(loads(asking)).roads


def test_a_create_that_leaves_things_free_is_named() -> None:
    sheet = review(loads("version: 1\nrules:\n  - id: a\n    allow: POST /containers/create\n    only: {volume: x}\n"))
    assert any("`container` and `network` free" in warning for warning in sheet.warnings)


def test_two_rules_for_one_endpoint_are_named() -> None:
    sheet = review(loads(HEAD + "  - {id: b, allow: POST /containers/create}\n"))
    assert any("the laxer one wins" in warning for warning in sheet.warnings)


def test_a_client_known_by_its_address_where_containers_may_go_is_named() -> None:
    text = "version: 1\nrules:\n  - {id: a, allow: POST /containers/create}\nclients:\n  - {name: c, from: 10.0.0.0/8, rules: all}\n"
    assert any("no identity" in warning for warning in review(loads(text)).warnings)


def test_an_unquoted_comma_is_named() -> None:
    text = "version: 1\nrules:\n  - id: a\n    allow: POST /containers/*/exec\n    only: {exec: [sh -c a, b]}\n"
    assert any("comma" in warning for warning in review(loads(text)).warnings)


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_with_a_writable_bind_is_never_said_to_be_safe(name: str) -> None:
    policy = load(name)
    patterns = [pattern for rule in policy.rules for pattern in rule.grant.get("bind", ())]
    writable = any(pattern.matches(Ask("bind", cut_suffixes(pattern.text)[0], "")) for pattern in patterns)
    sheet = review(policy)
    assert any(NO_ROAD in line for line in sheet.lines) is not (writable or bool(sheet.roads))


def test_where_links_are_seen_a_writable_bind_is_no_road_by_one() -> None:
    text = HEAD.replace("network: x", 'network: x, restart: "none"') + "    grant: {bind: /srv/ci/**}\n"
    blind, seeing = review(loads(text)), review(loads(text), host_root=True)
    assert any("one plants a link" in road for road in blind.roads)
    assert not seeing.roads
    # Whoever is quick enough has one all the same, so that nobody says there is none.
    assert any("between sockproxy's look and the engine's mount" in warning for warning in seeing.warnings)
    assert not any(NO_ROAD in line for line in seeing.lines)


@pytest.mark.parametrize(
    ("grant", "road"),
    [("bind: /srv/ci/**", True), ("bind: /srv/ci/** ro", False), ("bind: none", False), ("publish: any", False)],
)
def test_nor_where_the_engine_may_mount_again_by_itself(grant: str, road: bool) -> None:
    sheet = review(loads(HEAD + f"    grant: {{{grant}}}\n"), host_root=True)
    assert any("leaves `restart` free" in line for line in sheet.roads) is road
    assert any(NO_ROAD in line for line in sheet.lines) is not road


def test_a_socket_is_a_road_whoever_sees_links() -> None:
    sheet = review(loads(HEAD + "    grant: {bind: /var/run/docker.sock ro}\n"), host_root=True)
    assert any("granting that is granting all" in road for road in sheet.roads)


def test_read_only_leads_nowhere() -> None:
    assert review(load("read-only")).roads == ()


# The sheet ---------------------------------------------------------------------------------------------------------------


def test_of_every_kind_of_grant_it_is_known_what_it_comes_to() -> None:
    """A kind that grants something is told by name, whatever its pattern, or it is said why it comes to nothing."""
    told = {rest.kind for rest in powers._REST}
    grants = {kind.name for kind in KINDS.values() if kind.section == "grant"}
    assert told | powers.HARMLESS.keys() == grants
    assert not told & powers.HARMLESS.keys()
    assert all(KINDS[power.kind].section == "grant" for power in powers._POWERS)


def test_of_every_row_it_is_known_what_it_does() -> None:
    assert list(ROWS) == [operation.name for operation in OPERATIONS]
    assert all(row.does for row in ROWS.values())


CREATE = "POST /containers/create"
HELD = (
    "only: {container: ci-*, volume: none, network: none, image: x, tag: ci-*}, limit: {memory: 1g, cpus: 1, pids: 9}"
)


@pytest.mark.parametrize(
    ("rule", "worst"),
    [
        (f"allow: {CREATE}, {HELD}, grant: {{privileged: any}}", Level.ROOT),
        (f"allow: {CREATE}, {HELD}, grant: {{bind: /srv/**}}", Level.ROOT),
        (f"allow: {CREATE}, {HELD}, grant: {{namespace: network=host}}", Level.HOST),
        (f"allow: {CREATE}, {HELD}, grant: {{device: /dev/ttyUSB0}}", Level.HOST),
        (f"allow: {CREATE}, {HELD}, grant: {{bind: /srv/x}}", Level.WRITES),
        (f"allow: {CREATE}, {HELD}, grant: {{bind: /srv/** ro}}", Level.READS),
        ("allow: [POST /containers/*/exec, POST /exec/*/start]", Level.ENTERS),
        ("allow: [POST /containers/*/exec, POST /exec/*/start], only: {container: db}", Level.ENTERS),
        ("allow: PUT /containers/*/archive", Level.ENTERS),
        (
            f"allow: {CREATE}, grant: {{namespace: 'pid=container:*'}}, only: {{network: none, volume: none}}",
            Level.ENTERS,
        ),
        ("allow: DELETE /containers/*", Level.CHANGES),
        ("allow: POST /containers/*/restart, only: {container: label=x}", Level.CHANGES),
        (f"allow: {CREATE}, only: {{network: none}}", Level.CHANGES),
        ("allow: DELETE /volumes/*", Level.CHANGES),
        (f"allow: {CREATE}, only: {{network: none, volume: '** ro'}}", Level.SECRETS),
        ("allow: GET /containers/*/json", Level.SECRETS),
        ("allow: GET /tasks", Level.SECRETS),
        (f"allow: {CREATE}, only: {{volume: x}}", Level.NETWORK),
        (f"allow: {CREATE}, only: {{volume: x, network: bridge}}", Level.NETWORK),
        (f"allow: {CREATE}, {HELD}, grant: {{publish: 80}}", Level.NETWORK),
        ("allow: POST /images/create", Level.NETWORK),
        ("allow: POST /images/*/tag", Level.IMAGES),
        ("allow: POST /images/*/push", Level.IMAGES),
        ("allow: POST /build, only: {tag: ci-*}", Level.NETWORK),
        ("allow: POST /build, only: {tag: ci-*, network: bridge}", Level.NETWORK),
        ("allow: POST /build, only: {tag: ci-*, network: none}", Level.EXHAUSTS),
        (
            "allow: POST /build, only: {tag: ci-*, network: none}, grant: {namespace: 'network=container:*'}",
            Level.ENTERS,
        ),
        (f"allow: {CREATE}, {HELD}, grant: {{device: /dev/vda}}", Level.ROOT),
        (f"allow: {CREATE}, {HELD}, grant: {{capability: [SYS_NICE, AUDIT_CONTROL]}}", Level.HOST),
        (f"allow: {CREATE}, {HELD}, grant: {{capability: NET_ADMIN}}", Level.NETWORK),
        (f"allow: {CREATE}, {HELD}, grant: {{capability: cap_sys_nice}}", Level.EXHAUSTS),
        (f"allow: {CREATE}, {HELD}, grant: {{runtime: crun}}", Level.HOST),
        (f"allow: {CREATE}, {HELD}, grant: {{runtime: 'runsc*'}}", Level.EXHAUSTS),
        (f"allow: {CREATE}, {HELD}, grant: {{annotation: 'org.systemd.**'}}", Level.HOST),
        (f"allow: {CREATE}, {HELD}, grant: {{annotation: com.example.*}}", Level.EXHAUSTS),
        (f"allow: {CREATE}, {HELD}, grant: {{log-driver: loki*}}", Level.NETWORK),
        (f"allow: {CREATE}, {HELD}, grant: {{log-driver: json-file x=*}}", Level.EXHAUSTS),
        (f"allow: {CREATE}, {HELD}, grant: {{address: 'ip=10.1.*'}}", Level.NETWORK),
        (f"allow: {CREATE}, {HELD}, grant: {{volume-driver: local type=cifs}}", Level.NETWORK),
        (f"allow: {CREATE}, {HELD}, grant: {{gpu: device=0}}", Level.EXHAUSTS),
        ("allow: POST /networks/create, grant: {network-driver: macvlan*}", Level.NETWORK),
        ("allow: POST /networks/create, grant: {network-driver: 'bridge **'}", Level.HOST),
        (
            "allow: POST /networks/create, grant: {network-driver: bridge com.docker.network.bridge.host_binding_ipv4=*}",
            Level.NETWORK,
        ),
        (
            "allow: POST /networks/create, grant: {network-driver: bridge com.docker.network.driver.mtu=*}",
            Level.EXHAUSTS,
        ),
        (
            "allow: POST /images/create, only: {image: none}, grant: {import: 'https://files.example.com/**'}",
            Level.NETWORK,
        ),
        (
            "allow: POST /build, only: {network: none, tag: ci-*}, grant: {build: 'remote=https://git.example.com/**'}",
            Level.NETWORK,
        ),
        (
            "allow: POST /services/create, grant: {secret: web-*}, only: {service: web, volume: none, network: none}",
            Level.SECRETS,
        ),
        ("allow: GET /volumes", Level.SECRETS),
        ("allow: GET /plugins", Level.SECRETS),
        # A container's files, its environment and its namespaces, by roads that are no look at it.
        ("allow: POST /commit, only: {tag: ci-*}", Level.SECRETS),
        (f"allow: [{CREATE}, POST /commit], {HELD}", Level.EXHAUSTS),
        (f"allow: {CREATE}, grant: {{link: any}}, only: {{network: none, volume: none}}", Level.SECRETS),
        (f"allow: {CREATE}, {HELD}, grant: {{link: any}}", Level.EXHAUSTS),
        ("allow: POST /services/create, grant: {link: any}, only: {volume: none, network: none}", Level.EXHAUSTS),
        (
            f"allow: {CREATE}, grant: {{namespace: 'ipc=container:*'}}, only: {{network: none, volume: none}}",
            Level.ENTERS,
        ),
        (
            f"allow: {CREATE}, grant: {{namespace: 'ipc=*'}}, only: {{network: none, volume: none}}",
            Level.HOST,
        ),
        (
            "allow: [POST /networks/create, POST /networks/*/connect], only: {network: ci-*}",
            Level.NETWORK,
        ),
        (
            "allow: [POST /networks/create, POST /networks/*/connect], only: {network: ci-*, container: none}",
            Level.EXHAUSTS,
        ),
        (f"allow: {CREATE}, {HELD}", Level.EXHAUSTS),
        ("allow: [GET /containers/json, GET /info]", Level.LOOKS),
        ("allow: GET /version", Level.NOTHING),
        # What one may make oneself is nobody else's.
        (
            f"allow: [{CREATE}, POST /containers/*/exec, POST /exec/*/start, DELETE /containers/*], {HELD}",
            Level.EXHAUSTS,
        ),
        (
            "allow: [POST /containers/*/stop, POST /containers/create], only: {volume: none, network: none}",
            Level.CHANGES,
        ),
        # A command that cannot be prepared is none that could be run, and the other way round.
        ("allow: POST /containers/*/exec", Level.NOTHING),
        ("allow: POST /exec/*/start", Level.NOTHING),
        ("allow: DELETE /containers/*, only: {container: none}", Level.NOTHING),
    ],
)
def test_the_worst_that_a_rule_lets_somebody_do(rule: str, worst: Level) -> None:
    (sheet,) = review(loads(f"version: 1\nrules:\n  - {{id: a, {rule}}}\n", "p.yaml")).sheets
    assert sheet.worst is worst, sheet.lines
    assert sheet.headline == f"at worst, everyone who can connect {worst.words}"
    for finding in sheet.findings:
        assert finding.place == "p.yaml:3"
        assert finding.rule == "a"


@pytest.mark.parametrize(
    ("row", "grant", "level", "road"),
    [
        (CREATE, "field: HostConfig.*", Level.ROOT, True),
        (CREATE, "field: HostConfig.Other", Level.HOST, True),
        (CREATE, "namespace: network=host", Level.HOST, True),
        (CREATE, "namespace: userns=host", Level.HOST, True),
        (CREATE, "namespace: cgroup=host", Level.LOOKS, False),
        (CREATE, "namespace: uts=host", Level.LOOKS, False),
        (CREATE, "capability: SYS_TIME", Level.HOST, False),
        (CREATE, "annotation: run.oci.**", Level.HOST, False),
        (CREATE, "resource: oom-kill-disable", Level.EXHAUSTS, False),
        (CREATE, "gpu: device=0", Level.EXHAUSTS, False),
        (CREATE, "address: any", Level.NETWORK, False),
        ("POST /grpc", "tunnel: g*, namespace: network=host", Level.HOST, True),
        ("POST /images/create", "import: '-'", Level.IMAGES, False),
        ("POST /images/create", "import: https://**", Level.NETWORK, False),
        ("POST /build", "build: remote=**", Level.NETWORK, False),
        ("POST /build", "build: output=registry*", Level.IMAGES, False),
        ("POST /networks/create", "network-driver: bridge **", Level.HOST, False),
        ("POST /networks/create", "network-driver: ipvlan*", Level.NETWORK, False),
        ("POST /services/create", "secret: web-*", Level.SECRETS, False),
        ("POST /services/create", "config: web-*", Level.SECRETS, False),
    ],
)
def test_a_grant_is_told_with_what_it_comes_to(row: str, grant: str, level: Level, road: bool) -> None:
    (sheet,) = review(loads(f"version: 1\nrules: [{{id: a, allow: {row}, grant: {{{grant}}}}}]\n")).sheets
    kind = grant.partition(":")[0]
    told = {(each.level, each.road) for each in sheet.findings if each.what.startswith(f"grants `{kind}: ")}
    assert (level, road) in told, sheet.lines


def test_who_may_make_any_container_has_not_made_all_of_them() -> None:
    text = (
        f"version: 1\nrules:\n  - {{id: a, allow: {CREATE}, only: {{volume: none, network: none}}}}\n"
        "  - {id: b, allow: POST /containers/*/stop, only: {container: db}}\n"
    )
    (sheet,) = review(loads(text)).sheets
    assert "it stops containers `db`" in str(sheet.findings[0])


def test_each_client_has_a_sheet_of_its_own() -> None:
    text = """version: 1
rules:
  - {id: look, allow: GET /info}
  - {id: root, allow: POST /containers/create, grant: {privileged: any}}
clients:
  - {name: viewer, unix-user: 1, rules: look}
  - {name: admin, unix-user: 2, rules: all}
"""
    viewer, admin = review(loads(text)).sheets
    assert viewer.lines[0] == "at worst, client `viewer` lists and looks at things, and no more"
    assert admin.lines[0] == "at worst, client `admin` becomes root on the host"
    levels = [finding.level for finding in admin.findings if not finding.road]
    assert levels == sorted(levels)


def test_who_is_only_observed_does_whatever_it_asks() -> None:
    look = "version: 1\nrules: [{id: look, allow: GET /info}]\n"
    (sheet,) = review(loads(look + "mode: observe\n", "p.yaml")).sheets
    assert sheet.lines[:2] == (
        "at worst, everyone who can connect becomes root on the host",
        "  road to the host: p.yaml:3: `mode: observe`: what no rule allows goes on too, and is only recorded",
    )
    clients = (
        "clients:\n  - {name: a, unix-user: 1, rules: all, mode: observe}\n  - {name: b, unix-user: 2, rules: all}\n"
    )
    observed, enforced = review(loads(look + clients, "p.yaml")).sheets
    assert str(observed.findings[0]).startswith("p.yaml:4: `mode: observe`")
    assert enforced.worst is Level.LOOKS


def test_a_container_that_another_rule_lets_be_restarted_is_one_too() -> None:
    text = HEAD.replace("network: x", "network: x, restart: none") + "    grant: {bind: /srv/ci/**}\n"
    assert review(loads(text), host_root=True).roads == ()
    other = review(loads(f"{text}  - {{id: b, allow: POST /containers/*/update}}\n"), host_root=True)
    assert any("and rule `b` leaves `restart` free" in road for road in other.roads)


@pytest.mark.parametrize("name", presets.names())
def test_a_finding_of_a_preset_stands_where_it_says(name: str) -> None:
    for sheet in review(load(name)).sheets:
        assert sheet.findings
        for finding in sheet.findings:
            file, _, line = finding.place.rpartition(":")
            with open(file, encoding="utf-8") as text:  # noqa: PTH123
                assert 0 < int(line) <= len(text.readlines())
