"""The sheet of `check` is true: what it says each preset's client could do at worst is done, through a running proxy, on a
real engine; and whatever would be worse is refused.

Nothing here knows a preset by its name. A container is made as the rule that the sheet names lets it be made, and what it
then does is chosen by what the sheet says of that rule; a sheet that says what nobody here knows how to try fails.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sockproxy.policy import presets
from sockproxy.policy.document import Place
from sockproxy.policy.harm import Finding, Level
from sockproxy.policy.load import Policy, Rule, load
from sockproxy.policy.patterns import image_parts
from sockproxy.policy.review import review
from tests.engine.disposable import IMAGE, PREFIX, Engine
from tests.engine.proxies import Proxy, running
from tests.engine.swarming import swarming

LABELS = {"sockproxy.test.run": PREFIX}
SECRET = f"secret-of-{PREFIX}"
NAME = f"{PREFIX}-review"
FOLDER = f"{PREFIX}-folder"


# How a container is made under a rule -----------------------------------------------------------------------------------


@dataclass
class Way:
    """What a rule wants of the containers that are made by it."""

    name: str
    image: str
    body: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


def way_of(rule: Rule, name: str) -> Way:
    """A container as plain as the rule allows one."""
    way = Way(name, IMAGE, labels=dict(LABELS))
    for pattern in rule.only.get("container", ())[:1]:
        key, equals, value = pattern.text.removeprefix("label=").partition("=")
        if pattern.text.startswith("label="):
            way.labels[key] = value if equals else "1"
        else:
            way.name = pattern.text.replace("*", name)
    for pattern in rule.only.get("image", ())[-1:]:
        repository, tag, digest = image_parts(pattern.text)
        assert digest is None, f"no image has the digest of {pattern.text}: extend the preset by one that is there"
        way.image = f"{repository.replace('**', PREFIX).replace('*', PREFIX)}:{(tag or '*').replace('*', PREFIX)}"
    networks = [pattern.text for pattern in rule.only.get("network", ())]
    if networks and "bridge" not in networks:
        way.host["NetworkMode"] = "host" if rule.grant.get("namespace") else "none"
    amounts = {"memory": ("Memory", 64 << 20), "cpus": ("NanoCpus", 10**8), "pids": ("PidsLimit", 50)}
    way.host |= {key: amount for limit, (key, amount) in amounts.items() if limit in rule.limit}
    hardened: Mapping[str, tuple[dict[str, Any], str, Any]] = {
        "read-only": (way.host, "ReadonlyRootfs", True),
        "no-new-privileges": (way.host, "SecurityOpt", ["no-new-privileges"]),
        "cap-drop-all": (way.host, "CapDrop", ["ALL"]),
        "non-root": (way.body, "User", "1000:1000"),
    }
    for word in rule.require:
        part, key, value = hardened[word]
        part[key] = value
    return way


ANY = Rule(id="", place=Place("", 0, 0), operations=frozenset())
"""What a policy that only observes asks of containers: nothing."""


@dataclass
class Stage:
    """One preset in front of one engine, and somebody else's container beside it."""

    engine: Engine
    proxy: Proxy
    policy: Policy
    finding: Finding
    """The worst of the sheet."""
    victim: str = f"{NAME}-victim"

    @property
    def rule(self) -> Rule:
        return next((rule for rule in self.policy.rules if rule.id == self.finding.rule), ANY)

    @property
    def maker(self) -> Rule | None:
        """The rule by which containers are made."""
        return next((rule for rule in self.policy.rules if "ContainerCreate" in rule.operations), None)

    def ask(self, method: str, target: str, body: Any = None) -> httpx.Response:
        """One request through sockproxy."""
        transport = httpx.HTTPTransport(uds=str(self.proxy.socket))
        with httpx.Client(transport=transport, base_url="http://proxy", timeout=60) as client:
            return client.request(method, target, json=body)

    def path(self, path: str) -> Path:
        """A path of the engine's host, as the engine sees it: parts of its root are mounts of its own."""
        return Path(f"/proc/{self.engine.pid}/root") / path.removeprefix("/")

    def created(self, suffix: str, command: str, *, by: Rule | None = None, **host: Any) -> httpx.Response:
        """The answer to the create of a container that is as the rule wants it, but for what is said here."""
        rule = by or self.rule
        way = way_of(rule, f"{NAME}-{suffix}")
        if way.image != IMAGE:
            repository, _, tag = way.image.rpartition(":")
            with self.engine.client() as bare:
                bare.post(f"/images/{IMAGE}/tag", params={"repo": repository, "tag": tag}).raise_for_status()
        body = {
            "Image": way.image,
            "Entrypoint": ["sh", "-c"],
            "Cmd": [command],
            "Labels": way.labels,
            **way.body,
            "HostConfig": {**way.host, **host},
        }
        return self.ask("POST", f"/containers/create?name={way.name}", body)

    def run(self, suffix: str, command: str, **host: Any) -> str:
        """What a container prints, made and started through sockproxy."""
        made = self.created(suffix, command, **host)
        assert made.status_code == 201, made.text
        identity = made.json()["Id"]
        with self.engine.client() as bare:
            try:
                started = self.ask("POST", f"/containers/{identity}/start")
                assert started.status_code == 204, started.text
                bare.post(f"/containers/{identity}/wait").raise_for_status()
                return bare.get(f"/containers/{identity}/logs", params={"stdout": "1", "stderr": "1"}).text
            finally:
                bare.delete(f"/containers/{identity}", params={"force": "1", "v": "1"})


# What is tried, by what the sheet says ------------------------------------------------------------------------------------


def root_by_a_link(stage: Stage) -> None:
    """One container plants a link to the root, the next has it bound: a file that only root reads is read, and one
    appears where only root writes."""
    base = stage.finding.what.partition("`bind: ")[2].partition("/**`")[0]
    assert base.startswith("/"), stage.finding
    folder = f"{base}/{FOLDER}"
    secret, written = stage.path(f"/root/{NAME}-secret"), stage.path(f"/root/{NAME}-written")
    secret.parent.mkdir(mode=0o700, exist_ok=True)
    secret.write_text(SECRET)
    secret.chmod(0o600)
    try:
        stage.run("plants", "ln -s / /w/x", Binds=[f"{folder}:/w"])
        shown = stage.run(
            "follows", f"cat /h/root/{secret.name} && echo x >/h/root/{written.name}", Binds=[f"{folder}/x:/h"]
        )
        assert SECRET in shown
        assert written.exists()
    finally:
        secret.unlink()
        written.unlink(missing_ok=True)
        shutil.rmtree(stage.path(folder), ignore_errors=True)


def root_by_privilege(stage: Stage) -> None:
    """The kernel runs as root, on the host, what `core_pattern` names: it can be written (and is left as it was)."""
    pattern = "/proc/sys/kernel/core_pattern"
    writes = f'p=$(cat {pattern}); echo "$p" >{pattern} && echo written'
    assert "written" not in stage.run("plain", writes)
    if not starts_privileged(stage.engine):
        pytest.skip("this machine lets an engine of that age start no privileged container, past sockproxy neither")
    assert "written" in stage.run("privileged", writes, Privileged=True)


def starts_privileged(engine: Engine) -> bool:
    """Whether the bare engine can: an old one asks for every capability, which a machine may not have."""
    body = {"Image": IMAGE, "Cmd": ["true"], "Labels": LABELS, "HostConfig": {"Privileged": True}}
    with engine.client() as bare:
        made = bare.post("/containers/create", params={"name": f"{NAME}-bare"}, json=body).raise_for_status().json()
        started = bare.post(f"/containers/{made['Id']}/start")
        bare.delete(f"/containers/{made['Id']}", params={"force": "1"})
    return started.status_code == 204


def host_by_its_network(stage: Stage) -> None:
    """A container is in the network of the engine itself."""
    shown = stage.run("network", "readlink /proc/self/ns/net", NetworkMode="host")
    assert str(Path(f"/proc/{stage.engine.pid}/ns/net").readlink()) in shown


def writes_what_is_bound(stage: Stage) -> None:
    path = stage.finding.what.partition("`bind: ")[2].partition("`")[0]
    was_there = stage.path(path).exists()
    try:
        stage.run("writes", f"echo {SECRET} >/w/{NAME}", Binds=[f"{path}:/w"])
        assert (stage.path(path) / NAME).read_text().strip() == SECRET
    finally:
        (stage.path(path) / NAME).unlink(missing_ok=True)
        if not was_there:
            shutil.rmtree(stage.path(path), ignore_errors=True)


def changes_a_container(stage: Stage) -> None:
    """The first thing that the sheet says it does to others' containers is done to one."""
    word = stage.finding.what.partition("`POST /containers/{id}/")[2].partition("`")[0]
    before = state(stage)
    if word == "start":
        with stage.engine.client() as bare:
            bare.post(f"/containers/{stage.victim}/kill").raise_for_status()
    answer = stage.ask("POST", f"/containers/{stage.victim}/{word}")
    assert answer.status_code == 204, answer.text
    assert state(stage) != before


def state(stage: Stage) -> object:
    told = stage.engine.get(f"/containers/{stage.victim}/json")["State"]
    return told["Running"], told["StartedAt"], told["FinishedAt"]


def secret_of_a_container(stage: Stage) -> None:
    answer = stage.ask("GET", f"/containers/{stage.victim}/json")
    assert answer.status_code == 200, answer.text
    assert f"SECRET={SECRET}" in answer.json()["Config"]["Env"]


def secret_of_a_service(stage: Stage) -> None:
    with swarming(stage.engine), stage.engine.client() as bare:
        spec = {"Image": IMAGE, "Command": ["sleep", "600"], "Env": [f"SECRET={SECRET}"]}
        body = {
            "Name": NAME,
            "Labels": LABELS,
            "TaskTemplate": {"ContainerSpec": spec},
            "Mode": {"Replicated": {"Replicas": 0}},
        }
        bare.post("/services/create", json=body).raise_for_status()
        try:
            answer = stage.ask("GET", "/services")
            assert answer.status_code == 200, answer.text
            assert SECRET in answer.text
        finally:
            bare.delete(f"/services/{NAME}")


def reaches_a_container(stage: Stage) -> None:
    """A container connects to one that somebody else made, on the network that both are in."""
    address = stage.engine.get(f"/containers/{stage.victim}/json")["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    shown = stage.run("reaches", f"for i in 1 2 3 4 5; do nc -w 2 {address} 8080 && break; sleep 1; done")
    assert SECRET in shown


def as_many_as_it_likes(stage: Stage) -> None:
    identities = []
    try:
        for number in range(4):
            made = stage.created(f"many{number}", "sleep 600")
            assert made.status_code == 201, made.text
            identities.append(made.json()["Id"])
            started = stage.ask("POST", f"/containers/{identities[-1]}/start")
            assert started.status_code == 204, started.text
        assert all(stage.engine.get(f"/containers/{each}/json")["State"]["Running"] for each in identities)
    finally:
        with stage.engine.client() as bare:
            for identity in identities:
                bare.delete(f"/containers/{identity}", params={"force": "1"})


Attempt = Callable[[Stage], None]

ATTEMPTS: tuple[tuple[Level, str, Attempt], ...] = (
    (Level.ROOT, "grants `privileged: container`", root_by_privilege),
    (Level.ROOT, "`mode: observe`", root_by_privilege),
    (Level.ROOT, "/**`, writable", root_by_a_link),
    (Level.HOST, "grants `namespace: network=host`", host_by_its_network),
    (Level.WRITES, "`, writable", writes_what_is_bound),
    (Level.CHANGES, "allows `POST /containers/{id}/", changes_a_container),
    (Level.SECRETS, "allows `GET /containers/{id}/json`", secret_of_a_container),
    (Level.SECRETS, "allows `GET /services`", secret_of_a_service),
    (Level.NETWORK, "makes containers", reaches_a_container),
    (Level.EXHAUSTS, "makes containers", as_many_as_it_likes),
)
"""The level, a part of what the sheet says of the rule, and how it is tried."""


def attempt_on(finding: Finding) -> Attempt | None:
    return next((how for level, what, how in ATTEMPTS if level is finding.level and what in finding.what), None)


# What is refused ------------------------------------------------------------------------------------------------------------

WORSE: Mapping[Level, tuple[dict[str, Any], ...]] = {
    Level.ROOT: (
        {"Privileged": True},
        {"CapAdd": ["SYS_ADMIN"]},
        {"Binds": ["/:/h"]},
        {"Binds": ["/var/run/docker.sock:/s"]},
        {"Devices": [{"PathOnHost": "/dev/mem", "PathInContainer": "/dev/mem", "CgroupPermissions": "rwm"}]},
    ),
    Level.HOST: (
        {"PidMode": "host"},
        {"NetworkMode": "host"},
        {"IpcMode": "host"},
        {"SecurityOpt": ["seccomp=unconfined"]},
    ),
    Level.WRITES: ({"Binds": [f"/srv/{FOLDER}:/h"]},),
    Level.READS: ({"Binds": [f"/srv/{FOLDER}:/h:ro"]},),
    Level.ENTERS: ({"VolumesFrom": [f"{NAME}-victim"]}, {"PidMode": f"container:{NAME}-victim"}),
    Level.CHANGES: ({"Binds": [f"{NAME}-victim:/v"]},),
    Level.SECRETS: ({"Binds": [f"{NAME}-victim:/v:ro"]},),
    Level.NETWORK: ({"NetworkMode": f"{NAME}-victim"},),
    Level.IMAGES: (),
    Level.EXHAUSTS: ({},),
}
"""What a container asks for that would do worse, by level."""

VICTIM = f"/containers/{NAME}-victim"
CALLS: Mapping[Level, tuple[tuple[str, str, Any], ...]] = {
    Level.ENTERS: (
        ("POST", f"{VICTIM}/exec", {"Cmd": ["id"]}),
        ("POST", f"{VICTIM}/attach?stream=1&stdin=1", None),
    ),
    Level.CHANGES: (
        ("POST", f"{VICTIM}/stop", None),
        ("POST", f"{VICTIM}/restart", None),
        ("DELETE", f"{VICTIM}?force=1", None),
        ("DELETE", f"/volumes/{NAME}-victim", None),
        ("POST", "/volumes/prune", None),
    ),
    Level.SECRETS: (
        ("GET", f"{VICTIM}/json", None),
        ("GET", f"{VICTIM}/logs?stdout=1", None),
        ("GET", f"{VICTIM}/archive?path=/etc", None),
        ("GET", "/services", None),
    ),
    Level.NETWORK: (
        ("POST", f"/networks/{NAME}-victim/connect", {"Container": f"{NAME}-victim"}),
        ("POST", "/images/create?fromImage=registry.example.com/x&tag=1", None),
    ),
    Level.IMAGES: (("POST", f"/images/{IMAGE}/tag?repo=python&tag={PREFIX}", None),),
}
"""Calls that would do worse, by level."""


# The tests ------------------------------------------------------------------------------------------------------------------


def worst(policy: Policy) -> Finding:
    (sheet,) = review(policy).sheets
    return next(finding for finding in sheet.findings if finding.level is sheet.worst)


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_can_be_tried(name: str) -> None:
    finding = worst(load(name))
    assert attempt_on(finding) is not None, f"say in ATTEMPTS how to try what the sheet of {name} says: {finding}"


def _extended(name: str, folder: Path) -> str:
    """The preset; where it holds an image by a digest, which none here has, a file that extends it by one that is there."""
    policy = load(name)
    pinned = [rule.id for rule in policy.rules if any("@sha256:" in each.text for each in rule.only.get("image", ()))]
    if not pinned:
        return name
    rules = ", ".join(f"{{id: {rule}, only: {{image: '{IMAGE}'}}}}" for rule in pinned)
    path = folder / "extended.yaml"
    path.write_text(f"version: 1\nextends: {name}\nrules: [{rules}]\n")
    return str(path)


@pytest.fixture(scope="module")
def others(engine: Engine) -> Iterator[Engine]:
    """An engine with a network and a volume of somebody else's."""
    with engine.client() as bare:
        bare.post("/networks/create", json={"Name": f"{NAME}-victim", "Labels": LABELS}).raise_for_status()
        bare.post("/volumes/create", json={"Name": f"{NAME}-victim", "Labels": LABELS}).raise_for_status()
    yield engine
    engine.sweep()


@pytest.fixture(params=presets.names())
def stage(request: pytest.FixtureRequest, others: Engine, tmp_path: Path) -> Iterator[Stage]:
    source = _extended(request.param, tmp_path)
    policy = load(source)
    with running(others.address, source) as proxy, others.client() as bare:
        staged = Stage(others, proxy, policy, worst(policy))
        _make_victim(staged, bare)
        yield staged
        bare.delete(f"/containers/{staged.victim}", params={"force": "1"}).raise_for_status()


def _make_victim(stage: Stage, bare: httpx.Client) -> None:
    """Somebody else's container: with a secret, a listener, and, where the sheet speaks of such, the label that it names."""
    label = stage.finding.why.partition("`label=")[2].partition("`")[0].partition("=")
    labels = LABELS | ({label[0]: label[2] or "true"} if label[0] and stage.finding.level is Level.CHANGES else {})
    body = {
        "Image": IMAGE,
        "Cmd": ["sh", "-c", f"while true; do echo {SECRET} | nc -l -p 8080; done"],
        "Env": [f"SECRET={SECRET}"],
        "Labels": labels,
        "StopSignal": "SIGKILL",  # a shell that is the first process heeds no other
        "HostConfig": {"Binds": [f"{NAME}-victim:/v"]},
    }
    bare.post("/containers/create", params={"name": stage.victim}, json=body).raise_for_status()
    bare.post(f"/containers/{stage.victim}/start").raise_for_status()
    deadline = time.monotonic() + 20
    while not bare.get(f"/containers/{stage.victim}/json").json()["State"]["Running"] and time.monotonic() < deadline:
        time.sleep(0.05)


def test_what_the_sheet_says_is_done_and_what_is_worse_is_refused(stage: Stage) -> None:
    before = stage.engine.belongings()
    for level in [level for level in Level if level < stage.finding.level]:
        for number, host in enumerate(WORSE.get(level, ())):
            maker = stage.maker
            answer = (
                stage.ask("POST", f"/containers/create?name={NAME}-none", {"Image": IMAGE, "HostConfig": host})
                if maker is None
                else stage.created(f"worse{number}", "true", by=maker, **host)
            )
            assert_refused(answer, f"{level.name}: a container with {host}")
        for method, target, body in CALLS.get(level, ()):
            assert_refused(stage.ask(method, target, body), f"{level.name}: {method} {target}")
    made = {each for each in stage.engine.belongings() - before if each[0] != "images"}  # one was named for the rule
    assert not made
    attempt = attempt_on(stage.finding)
    assert attempt is not None
    attempt(stage)


def assert_refused(answer: httpx.Response, what: str) -> None:
    assert answer.status_code == 403, f"{what}: {answer.status_code} {answer.text}"
    assert "sockproxy: " in answer.json()["message"], what


# What no preset gives ------------------------------------------------------------------------------------------------------

HELD = "only: {container: mine-*, network: bridge, volume: mine-*, tag: mine-*}"
RUN = "[POST /containers/create, 'POST /containers/*/start']"


def root_by_a_file_system(stage: Stage) -> None:
    """The engine mounts the processes of its own host, and what the kernel runs as root there can be written."""
    name = f"mine-{NAME}"
    options = {"DriverConfig": {"Name": "local", "Options": {"type": "proc", "device": "proc"}}}
    mount = {"Type": "volume", "Source": name, "Target": "/h", "VolumeOptions": options}
    try:
        assert "writable" in stage.run("proc", "test -w /h/sys/kernel/core_pattern && echo writable", Mounts=[mount])
    finally:
        with stage.engine.client() as bare:
            bare.delete(f"/volumes/{name}")


def secret_by_a_link(stage: Stage) -> None:
    assert f"SECRET={SECRET}" in stage.run("linked", "env", Links=[f"{stage.victim}:victim"])


def files_by_a_commit(stage: Stage) -> None:
    """What somebody else's container has written comes along in an image, and is read there."""
    image = f"mine-{NAME}:1"
    with stage.engine.client() as bare:
        body = {"Cmd": ["sh", "-c", f"echo {SECRET} >/written"]}
        wrote = bare.post(f"/containers/{stage.victim}/exec", json=body).raise_for_status().json()["Id"]
        bare.post(f"/exec/{wrote}/start", json={"Detach": False}).raise_for_status()
        try:
            made = stage.ask("POST", f"/commit?container={stage.victim}&repo=mine-{NAME}&tag=1")
            assert made.status_code == 201, made.text
            told = {"Image": image, "Cmd": ["cat", "/written"], "Labels": LABELS}
            made = stage.ask("POST", f"/containers/create?name=mine-{NAME}-reads", told)
            assert made.status_code == 201, made.text
            bare.post(f"/containers/{made.json()['Id']}/start").raise_for_status()
            bare.post(f"/containers/{made.json()['Id']}/wait").raise_for_status()
            assert SECRET in bare.get(f"/containers/{made.json()['Id']}/logs", params={"stdout": "1"}).text
        finally:
            bare.delete(f"/containers/mine-{NAME}-reads", params={"force": "1"})
            bare.delete(f"/images/{image}", params={"force": "1"})


def password_of_a_share(stage: Stage) -> None:
    with stage.engine.client() as bare:
        share = {"type": "cifs", "o": f"username=u,password={SECRET}", "device": "//127.0.0.1/x"}
        bare.post("/volumes/create", json={"Name": f"{NAME}-share", "DriverOpts": share, "Labels": LABELS})
        try:
            assert SECRET in stage.ask("GET", "/volumes").text
        finally:
            bare.delete(f"/volumes/{NAME}-share")


GIVEN: Mapping[str, tuple[str, Level, str, Attempt]] = {
    "a file system": (
        f"allow: {RUN}, {HELD}, grant: {{volume-driver: [local type=proc, local device=proc]}}",
        Level.ROOT,
        "grants `volume-driver: local type=proc`",
        root_by_a_file_system,
    ),
    "a link": (
        f"allow: {RUN}, only: {{network: bridge, volume: mine-*}}, grant: {{link: any}}",
        Level.SECRETS,
        "makes containers",
        secret_by_a_link,
    ),
    "a commit": (
        "allow: [POST /commit, POST /containers/create], only: {network: bridge, volume: mine-*, tag: mine-*}",
        Level.SECRETS,
        "allows `POST /commit`",
        files_by_a_commit,
    ),
    "a list of volumes": ("allow: GET /volumes", Level.SECRETS, "allows `GET /volumes`", password_of_a_share),
}
"""A rule, what its sheet says of it, and how that is tried."""


@pytest.mark.parametrize("name", GIVEN)
def test_what_the_sheet_says_of_a_grant_is_done(name: str, others: Engine, tmp_path: Path) -> None:
    rule, level, what, attempt = GIVEN[name]
    path = tmp_path / "given.yaml"
    path.write_text(f"version: 1\nname: given\nrules: [{{id: r, {rule}}}]\n")
    policy = load(path)
    (sheet,) = review(policy).sheets
    finding = next(each for each in sheet.findings if each.level is level and what in each.what)
    with running(others.address, path) as proxy, others.client() as bare:
        staged = Stage(others, proxy, policy, finding)
        _make_victim(staged, bare)
        attempt(staged)
        bare.delete(f"/containers/{staged.victim}", params={"force": "1"}).raise_for_status()
