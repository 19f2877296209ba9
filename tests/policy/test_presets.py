"""The presets as a whole: none gives away more than its `about` and the table below say.

Under every preset every attack of the corpus is judged, and every way out to the host is added to every container that the
preset's own tests may make. What is not refused for its own sake stands in `GIVEN`, with the reason.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import pytest

from sockproxy.docker.asks import KINDS, PLAIN_CAPABILITIES
from sockproxy.docker.operations import Operation
from sockproxy.judge import recognise
from sockproxy.model import Allow, Context, Deny, JsonObject, Verdict
from sockproxy.policy import presets
from sockproxy.policy.load import Policy, PolicyTest, Rule, load, loads
from sockproxy.policy.patterns import cut_suffixes
from sockproxy.policy.review import review
from sockproxy.rehearse import run, stand_in, verdict_on
from tests.corpus import Line, spell, spelled
from tests.recording import attack, judged
from tests.test_corpus import JUDGED, NAMES

GIVEN: Mapping[str, Mapping[str, str]] = {
    "act": {"namespace: network=host": "what act asks for unless it is run with --network"},
    "ansible-deployer": {"publish: 0.0.0.0:80/tcp": "a deployer serves"},
    "buildx-builder": {
        "privileged: *": "BuildKit's container is privileged: root on the host, as its `about` says",
        "POST /grpc": "how buildx and BuildKit talk",
    },
    "compose-deployer": {
        "publish: 0.0.0.0:80/tcp": "a deployer serves",
        "gpu: *": "`gpus: all` in a compose file",
        "namespace: pid=container:*": "`pid: service:web`; whose, says `container`",
        "POST /grpc": "the only way in which compose builds",
    },
    "github-actions-runner": {
        "bind: /var/run/docker.sock": "the runner mounts it by itself: root on the host, as its `about` says",
        "bind: /run/docker.sock": "the same where links are followed",
        "publish: 0.0.0.0:random/tcp": "services publish on a port of the engine's choice",
        "tag: *": "the runner names what it builds by six letters of its own",
        "registry: *": "it logs in where a job's image is",
        "POST /grpc": "how a docker command with buildx builds",
        "POST /networks/prune": "it sweeps by a label of its own",
    },
    "gpu-jobs": {"gpu: *": "what the job is for"},
    "jenkins-agent": {
        "tag: *": "docker.build() and image.tag() take any name; a file that extends it holds them",
        "registry: *": "docker.withRegistry() takes any",
        "network: *": "a build may join any bridge network",
        "GET /containers/{id}/top": "how Docker Pipeline sees that its container lives",
        "GET /plugins/{name}/json": "docker inspect asks for each kind in turn",
    },
    "portainer-manage": {
        "capability: NET_ADMIN": "a VPN's container",
        "sysctl: net.*": "within the container's own network",
        "device: /dev/dri/*": "a media server's GPU",
        "address: *": "fixed addresses are in its forms",
        "publish: *": "ports are in its forms",
        "import: *": "it uploads images",
        "tag: *": "it builds, tags and imports",
        "network: *": "it manages everyone's",
        "registry: *": "it manages registries",
        "GET /distribution/{name}/json": "whether there is a newer image",
        "GET /containers/{id}/*": "it manages everyone's",
        "GET /plugins": "volume drivers in its forms",
        "GET /services": "read",
        "GET /tasks": "read",
        "GET /nodes": "read",
        "POST /*/prune": "its buttons",
    },
    "portainer-view": {
        "GET /containers/{id}/top": "its page of a container",
        "GET /plugins": "its page of a host",
        "GET /services": "read",
        "GET /tasks": "read",
        "GET /nodes": "read",
    },
    "diun": {"GET /services": "its swarm provider"},
    "homepage": {"GET /services*": "a swarm's services on its page", "GET /tasks": "how many of them run"},
    "prometheus": {"GET /services": "dockerswarm_sd_configs", "GET /tasks": "the same", "GET /nodes": "the same"},
    "swarm-viewer": {"GET /services*": "what it is for", "GET /tasks": "the same", "GET /nodes*": "the same"},
    "tecnativa": {
        "GET /images/*": "the classic proxy gives these to whoever sets IMAGES=1",
        "GET /containers/{id}/top": "and this to whoever sets CONTAINERS=1",
    },
    "testcontainers": {"publish: 0.0.0.0:random/tcp": "how tests reach their containers"},
    "watchtower": {
        "bind: /srv": "whatever the watched containers have: root on the host, as its `about` says",
        "bind: /srv/*": "the same",
        "publish: *": "the same",
        "address: mac=*": "inspect gives the MAC address",
        "network: *": "whatever the watched containers have",
        "namespace: cgroup=host": "inspect says so where the host has cgroup v1",
        "GET /distribution/{name}/json": "whether there is a newer image",
    },
}
"""What a preset gives, of all that the attacks and the ways out ask: an ask, or a row for attacks that ask nothing."""

LOOSE: Mapping[str, Mapping[str, str]] = {
    "github-actions-runner": {"container": "named by six letters of the runner's own"},
    "jenkins-agent": {"container": "Docker Pipeline names and labels nothing"},
    "portainer-manage": {
        "container": "it manages everyone's",
        "volume": "it manages everyone's",
        "network": "it manages everyone's",
    },
    "watchtower": {
        "volume": "whatever the watched containers have",
        "network": "whatever the watched containers have",
    },
}
"""What a preset that makes containers leaves free, though a rule could hold it."""

ROAD = re.compile(r"\b(a road to the host|root on the host)\b", re.IGNORECASE)


def given(preset: str, word: str) -> bool:
    """Whether a preset gives an ask, as the table says; who may write somewhere may read there."""
    return any(fnmatchcase(word.removesuffix(" ro"), pattern) for pattern in GIVEN.get(preset, {}))


# What a reader sees --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_says_what_it_is_for_in_a_line(name: str) -> None:
    about = load(name).about
    assert about.endswith(".")
    assert len(about) <= 110
    assert max(map(len, presets.names())) + len("  ") + len(about) <= 160


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_says_that_it_leads_to_the_host_where_it_does(name: str) -> None:
    policy = load(name)
    roads = review(policy).roads
    assert bool(ROAD.search(policy.about)) is bool(roads), roads


@pytest.mark.parametrize(
    "name",
    [
        *("ansible-deployer", "buildx-builder", "compose-deployer", "github-actions-runner", "portainer-manage"),
        "watchtower",
    ],
)
def test_deployers_and_managers_are_said_to_be_root(name: str) -> None:
    assert "Root on the host: " in load(name).about


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_shows_what_passes_and_what_does_not(name: str) -> None:
    policy = load(name)
    for allowed in (True, False):
        shown = {_row(test).name for test in policy.tests if test.allowed is allowed}
        assert shown, f"no test {'passes' if allowed else 'is refused'}"
        assert shown != {"ContainerCreate"}, "not creates alone"


@pytest.mark.parametrize("name", presets.names())
def test_every_grant_and_every_hold_of_a_preset_is_shown_by_one_of_its_tests(name: str) -> None:
    """Take one away, and a test of the preset's own fails."""
    policy = load(name)
    unnoticed = [
        f"{rule.id}: {lost}"
        for rule in policy.rules
        for lost, less in _with_one_less(rule)
        if all(outcome.passed for outcome in run(_with(policy, rule, less)))
    ]
    assert unnoticed == []


def _with_one_less(rule: Rule) -> Iterator[tuple[str, Rule]]:
    for section in ("grant", "only", "limit"):
        lines: Mapping[str, Any] = getattr(rule, section)
        for kind in lines:
            yield kind, replace(rule, **{section: {other: lines[other] for other in lines if other != kind}})
    for word in rule.require:
        yield word, replace(rule, require=rule.require - {word})


def _with(policy: Policy, rule: Rule, instead: Rule) -> Policy:
    return Policy(
        name=policy.name,
        about=policy.about,
        source=policy.source,
        digest=policy.digest,
        rules=tuple(instead if each is rule else each for each in policy.rules),
        deny_rules=policy.deny_rules,
        clients=policy.clients,
        api_min=policy.api_min,
        api_max=policy.api_max,
        tests=policy.tests,
        warnings=policy.warnings,
    )


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_is_extended_by_its_name(name: str) -> None:
    policy, mine = load(name), loads(f"version: 1\nname: mine\nextends: {name}\n")
    assert [(rule.id, rule.operations, rule.grant.keys()) for rule in mine.rules] == [
        (rule.id, rule.operations, rule.grant.keys()) for rule in policy.rules
    ]
    for test in policy.tests:
        if not test.client:
            assert type(_judged(test, mine, test.body)) is type(_judged(test, policy, test.body))


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_that_makes_containers_holds_whose_things_they_may_use(name: str) -> None:
    free = {
        kind
        for rule in load(name).rules
        if "ContainerCreate" in rule.operations
        for kind in ("container", "volume", "network")
        if kind not in rule.only
    }
    assert free == LOOSE.get(name, {}).keys()


# The corpus ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", presets.names())
def test_every_attack_is_refused_for_its_own_sake_but_what_is_given(name: str) -> None:
    assert [
        (line, words) for line, words in _what_passed(name).items() if not any(given(name, word) for word in words)
    ] == []


@cache
def _what_passed(name: str) -> dict[str, tuple[str, ...]]:
    """The attacks that a preset does not refuse for their own sake: the line's id, and the words that `GIVEN` has for it."""
    policy = load(name)
    return {line.id: words for line in JUDGED if (words := _words_of_what_passed(line, policy))}


def _words_of_what_passed(line: Line, policy: Policy) -> tuple[str, ...]:
    """The asks of an attack that a preset lets through, or its row; nothing where it is refused for its own sake.

    A refusal because the attack's container has another name is none: whoever has the preset picks the right name.
    """
    result = judged(attack(line), policy).verdict
    asks = tuple(spelled(list(line.asks), NAMES))
    if isinstance(result, Deny):
        refused = {str(ask) for ask in result.refused}
        powers = any(KINDS[ask.kind].section == "grant" for ask in result.refused)
        if not refused or not asks or powers or refused & set(asks) or result.code == "no_rule":
            return ()
    if asks:
        return asks
    operation = recognise(line.method.encode(), spell(line.target, NAMES).encode(), [(b"host", b"docker")])[1]
    return (f"{operation.method} {operation.template}",)


# Ways out, from what is allowed -----------------------------------------------------------------------------------------

HOST_PATHS = (
    *("/", "/etc", "/etc/shadow", "/root", "/home", "/var", "/var/lib/docker", "/var/run", "/run", "/usr/bin", "/boot"),
    *("/proc", "/proc/sys/kernel/core_pattern", "/sys", "/sys/fs/cgroup", "/dev", "/srv", "/tmp"),
    *("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"),
)
CAPABILITIES = (
    *(
        "ALL",
        "AUDIT_CONTROL",
        "AUDIT_READ",
        "BLOCK_SUSPEND",
        "BPF",
        "CHECKPOINT_RESTORE",
        "DAC_READ_SEARCH",
        "IPC_LOCK",
    ),
    *("IPC_OWNER", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "PERFMON"),
    *("SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM"),
)
STRONG = "strong"
FACTS: dict[str, JsonObject] = {
    f"/containers/{STRONG}/json": {"Name": f"/{STRONG}", "HostConfig": {"Privileged": True, "Binds": ["/etc:/h"]}}
}


@dataclass(frozen=True)
class WayOut:
    """Something that is added to the body of a create, and the ask that it must be refused for."""

    ask: str
    added: JsonObject

    @property
    def id(self) -> str:
        return f"{self.ask} by {json.dumps(self.added)[:60]}"


def _host(ask: str, **config: Any) -> WayOut:
    return WayOut(ask, {"HostConfig": config})


def _device(path: str) -> dict[str, str]:
    return {"PathOnHost": path, "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}


def _volume(driver: str, **options: str) -> dict[str, Any]:
    return {
        "Type": "volume",
        "Target": "/v",
        "VolumeOptions": {"DriverConfig": {"Name": driver, "Options": options}},
    }


def _binds(path: str) -> Iterator[WayOut]:
    yield _host(f"bind: {path}", Binds=[f"{path}:/h"])
    yield _host(f"bind: {path}", Binds=[f"{path}/x/..:/h:rw"])
    yield _host(f"bind: {path} ro", Binds=[f"{path}:/h:ro"])
    yield _host(f"bind: {path}", Mounts=[{"Type": "bind", "Source": path, "Target": "/h"}])
    yield _host(f"bind: {path} shared", Binds=[f"{path}:/h:shared"])
    yield _host(f"bind: {path}", Mounts=[_volume("local", type="none", o="bind", device=path)])


WAYS_OUT = (
    *(way for path in HOST_PATHS for way in _binds(path)),
    *(_host(f"capability: {name}", CapAdd=[name]) for name in CAPABILITIES),
    _host("capability: SYS_ADMIN", CapAdd=["cap_sys_admin"]),
    *(
        _host(f"namespace: {kind}=host", **{field: "host"})
        for kind, field in {
            "pid": "PidMode",
            "ipc": "IpcMode",
            "network": "NetworkMode",
            "uts": "UTSMode",
            "userns": "UsernsMode",
            "cgroup": "CgroupnsMode",
        }.items()
    ),
    _host("privileged: container", Privileged=True),
    WayOut("field: Privileged", {"Privileged": True}),  # engines up to 26 read it there, too
    *(
        _host("privileged: container", **{field: f"container:{STRONG}"})
        for field in ("PidMode", "IpcMode", "NetworkMode")
    ),
    _host("privileged: container", VolumesFrom=[STRONG]),
    *(
        _host(f"device: {path} rwm", Devices=[_device(path)])
        for path in ("/dev/sda", "/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/dri/card0")
    ),
    *(_host(f"device: {rule}", DeviceCgroupRules=[rule]) for rule in ("a *:* rwm", "b *:* rwm", "c 1:1 rwm")),
    _host("gpu: all", DeviceRequests=[{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]),
    *(
        _host(f"security-opt: {option}", SecurityOpt=[option])
        for option in ("seccomp=unconfined", "apparmor=unconfined", "label=disable", "no-new-privileges=false")
    ),
    _host("security-opt: systempaths=unconfined", MaskedPaths=[], ReadonlyPaths=[]),
    _host("security-opt: systempaths=unconfined", MaskedPaths=["/proc/kcore"]),
    _host("sysctl: kernel.core_pattern=|/x", Sysctls={"kernel.core_pattern": "|/x"}),
    _host("sysctl: net.ipv4.ip_forward=1", Sysctls={"net.ipv4.ip_forward": "1"}),
    _host("runtime: io.example.v1", Runtime="io.example.v1"),
    _host("cgroup-parent: /system.slice", CgroupParent="/system.slice"),
    *(_host(f"group: {group}", GroupAdd=[group]) for group in ("0", "disk", "docker")),
    _host("annotation: a=b", Annotations={"a": "b"}),
    _host("storage-opt: size=1T", StorageOpt={"size": "1T"}),
    _host("log-driver: syslog", LogConfig={"Type": "syslog", "Config": {}}),
    _host("resource: oom-score=-1000", OomScoreAdj=-1000),
    _host("resource: oom-kill-disable", OomKillDisable=True),
    _host("volume-driver: rclone", Mounts=[_volume("rclone")]),
    _host("volume-driver: rclone", VolumeDriver="rclone"),
    _host("volume-driver: local type=ext4", Mounts=[_volume("local", type="ext4", device="/dev/sda")]),
    _host("field: HostConfig.Surprise", Surprise=True),
)
"""What no container needs that is not the host's own."""


def _from_grants(policy: Policy) -> Iterator[WayOut]:
    """The folders above, and beside, the ones that a preset lets be bound; and writing where only reading is."""
    for rule in policy.rules:
        for pattern in rule.grant.get("bind", ()):
            text, suffixes = cut_suffixes(pattern.text)
            path = text.removesuffix("/**")
            for parent in PurePosixPath(path).parents:
                yield from _binds(str(parent))
            yield from _binds(f"{path}-evil")
            if suffixes.read_only:
                yield _host(f"bind: {path}", Binds=[f"{path}:/h"])


def _creates(policy: Policy) -> Iterator[PolicyTest]:
    for test in policy.tests:
        if test.allowed and _row(test).name == "ContainerCreate":
            yield test


def _attempts(policy: Policy) -> Iterator[tuple[PolicyTest, WayOut]]:
    """Each create that passes, with each way out."""
    return itertools.product(_creates(policy), (*WAYS_OUT, *_from_grants(policy)))


def _attempted(test: PolicyTest, policy: Policy, way: WayOut) -> Verdict:
    return _judged(test, policy, merged(test.body, way.added))


def _row(test: PolicyTest) -> Operation:
    return recognise(test.method.encode(), test.target.encode(), [(b"host", b"docker")])[1]


MAKERS = [name for name in presets.names() if any("ContainerCreate" in rule.operations for rule in load(name).rules)]


@pytest.mark.parametrize("name", MAKERS)
def test_no_container_that_may_be_made_may_be_made_with_a_way_out(name: str) -> None:
    policy = load(name)
    assert any(_creates(policy)), "the preset shows no container that may be made"
    missed = {
        way.id
        for test, way in _attempts(policy)
        if not given(name, way.ask) and not _refused_for(way, _attempted(test, policy, way))
    }
    assert missed == set()


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_given_is_really_given(name: str) -> None:
    """The table has no word that the preset would refuse."""
    policy = load(name)
    words = [word for words in _what_passed(name).values() for word in words]
    words += [way.ask for test, way in _attempts(policy) if not _refused_for(way, _attempted(test, policy, way))]
    assert _unused(name, words) == []


@pytest.mark.parametrize("name", sorted(set(presets.names()) - set(MAKERS)))
def test_what_is_given_to_readers_is_really_given(name: str) -> None:
    assert _unused(name, [word for words in _what_passed(name).values() for word in words]) == []


def test_the_tables_name_presets() -> None:
    assert set(presets.names()) >= GIVEN.keys() | LOOSE.keys()
    assert not PLAIN_CAPABILITIES & set(CAPABILITIES)


def _unused(name: str, words: Iterable[str]) -> list[str]:
    seen = set(words)
    return [pattern for pattern in GIVEN.get(name, {}) if not any(fnmatchcase(word, pattern) for word in seen)]


def _refused_for(way: WayOut, result: Verdict) -> bool:
    if not isinstance(result, Deny):
        return False
    # A client before API 1.44 asks for ` ro nonrecursive` where another asks for ` ro`.
    return way.ask in {str(ask).removesuffix(" nonrecursive") for ask in result.refused}


def _judged(test: PolicyTest, policy: Policy, body: Any) -> Verdict:
    """One request of a preset's test, perhaps with another body."""
    return verdict_on(
        test.method,
        test.target,
        {},
        json.dumps(body).encode() if test.has_body else None,
        policy=policy,
        context=Context(engine_version=policy.api_max),
        answer=stand_in({**FACTS, **test.engine}),
    )


WHOLE = ("MaskedPaths", "ReadonlyPaths")
"""Fields that say all there is: what is missing in them is the ask."""


def merged(body: Any, added: Any) -> Any:
    """A body with something added to it: objects are joined, lists are continued, anything else is replaced."""
    match body, added:
        case dict(), dict():
            return {
                **body,
                **{key: value if key in WHOLE else merged(body.get(key), value) for key, value in added.items()},
            }
        case list(), list():
            return [*body, *added]
        case _:
            return added


def test_an_allowed_create_stays_allowed_where_nothing_is_added() -> None:
    """What the ways out are added to passes by itself, so that it is they that are refused."""
    for name in MAKERS:
        policy = load(name)
        for test in _creates(policy):
            assert isinstance(_judged(test, policy, merged(test.body, {})), Allow), test.name
