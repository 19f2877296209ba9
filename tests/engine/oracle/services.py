"""Swarm's services as one more noun: their requests, their powers, and how two of them are compared.

No task of theirs is ever started: each is bound to a node that there is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from sockproxy.model import Ask
from tests.engine.disposable import IMAGE
from tests.engine.oracle import values
from tests.engine.oracle.powers import (
    DEFAULT_LOGS,
    PLAIN_LOG_OPTIONS,
    Fact,
    Power,
    Sent,
    as_bind,
    by,
    exactly,
    image_power,
    is_root,
    limit,
    volume_options,
)
from tests.engine.oracle.scene import LABELS, MADE, NAME, Scene

Body = dict[str, Any]
_one, _some, _parts, _pairs = values.one, values.some, values.parts, values.pairs

PLACEMENT = {"Constraints": ["node.labels.sockproxy == nowhere"]}


def _file(rng: Random) -> dict[str, Any]:
    return {"Name": rng.choice(["x", "/etc/x"]), "UID": "0", "GID": rng.choice(["0", "1000"]), "Mode": 0o444}


def _given(noun: str) -> values.Maker:
    """A secret or a config: by its id and its name, or by the name of another."""

    def make(rng: Random, scene: Scene) -> list[dict[str, Any]]:
        mine, other = scene.swarm[noun], scene.swarm[f"{noun}-other"]
        names = [f"{NAME}-{noun}", f"{NAME}-{noun}", f"{NAME}-{noun}-other", ""]
        word = noun.capitalize()
        return [{"File": _file(rng), f"{word}ID": rng.choice([mine, mine, other]), f"{word}Name": rng.choice(names)}]

    return make


def _mount(rng: Random, scene: Scene) -> dict[str, Any]:
    while (made := values.mount(rng, scene))["Type"] not in ("bind", "volume", "tmpfs"):
        pass
    return made


_PRIVILEGES = _parts(
    {
        "SELinuxContext": _one({"Disable": True}, {"User": "u", "Type": "spc_t"}, {"Level": "s0"}, {"Disable": False}),
        "Seccomp": _one({"Mode": "unconfined"}, {"Mode": "default"}, {"Mode": "custom", "Profile": "e30="}),
        "AppArmor": _one({"Mode": "disabled"}, {"Mode": "default"}),
        "NoNewPrivileges": _one(True, False),
    }
)

CONTAINER: Mapping[str, values.Maker] = {
    "Image": lambda rng, scene: rng.choice([IMAGE, f"docker.io/library/{IMAGE}", f"library/{IMAGE}"]),
    "Labels": values.HOST_CONFIG["Annotations"],
    "Command": _one(["sleep", "9"], [], ["sh", "-c"]),
    "Args": _one(["9"], []),
    "Hostname": _one("web", ""),
    "Env": _one(["A=b"], []),
    "Dir": _one("/", ""),
    "User": values.CONFIG["User"],
    "Groups": _one(["0"], ["video", "999"]),
    "Privileges": _PRIVILEGES,
    "Init": _one(True, False),
    "StopSignal": _one("SIGTERM", ""),
    "TTY": _one(True, False),
    "OpenStdin": _one(True, False),
    "ReadOnly": _one(True, True, False),
    "Mounts": _some(_mount, 2),
    "StopGracePeriod": _one(10**9, 0),
    "Healthcheck": values.CONFIG["Healthcheck"],
    "Hosts": _one(["10.0.0.1 web db"], ["::1 a"]),
    "DNSConfig": _one({"Nameservers": ["10.0.0.53"], "Search": ["a.example"]}, {"Options": ["ndots:1"]}),
    "Secrets": _given("secret"),
    "Configs": _given("config"),
    "Isolation": _one("default", "", "hyperv", "process"),
    "Sysctls": values.HOST_CONFIG["Sysctls"],
    "CapabilityAdd": values.HOST_CONFIG["CapAdd"],
    "CapabilityDrop": values.HOST_CONFIG["CapDrop"],
    "Ulimits": values.HOST_CONFIG["Ulimits"],
    "OomScoreAdj": values.HOST_CONFIG["OomScoreAdj"],
}


def _attachments(rng: Random, scene: Scene) -> list[dict[str, Any]]:
    identity = scene.networks[f"{NAME}-swarm"]
    return [
        {
            "Target": rng.choice([f"{NAME}-swarm", identity, identity, identity[:12], f"{NAME}-swarm"]),
            **({"Aliases": ["a"]} if rng.random() < 0.5 else {}),
            **({"DriverOpts": {"a": "b"}} if rng.random() < 0.3 else {}),
        }
    ]


TASK: Mapping[str, values.Maker] = {
    "Resources": _one(
        {"Limits": {"MemoryBytes": 64 << 20}},
        {"Limits": {"NanoCPUs": 5 * 10**8, "MemoryBytes": 1 << 30}},
        {"Limits": {"NanoCPUs": 10**9}, "Reservations": {"MemoryBytes": 8 << 20}},
        {"Limits": {"Pids": 100}},
    ),
    "RestartPolicy": _one(
        {"Condition": "any"}, {"Condition": "none"}, {"Condition": "on-failure", "MaxAttempts": 3}, {}
    ),
    "Networks": _attachments,
    "LogDriver": _one(
        {"Name": "json-file", "Options": {"max-size": "1m"}},
        {"Name": "gelf", "Options": {"gelf-address": "udp://10.0.0.1:1"}},
        {"Name": "none"},
        {"Name": "", "Options": {"syslog-address": "unix:///srv/x"}},
    ),
    "ForceUpdate": _one(0, 1),
    "Runtime": _one("container", ""),
}

SERVICE: Mapping[str, values.Maker] = {
    "Name": lambda rng, scene: f"{MADE}-{rng.randint(0, 9)}",
    "Labels": values.VOLUME["Labels"],
    "Mode": _one({"Replicated": {"Replicas": 0}}, {"Replicated": {"Replicas": 1}}, {"Global": {}}, {}),
    "UpdateConfig": _one({"Parallelism": 1, "MaxFailureRatio": 0.5}, {"Order": "start-first"}),
    "RollbackConfig": _one({"Parallelism": 2, "Delay": 10**9}, {"FailureAction": "pause"}),
    "Networks": _attachments,
    "EndpointSpec": lambda rng, scene: rng.choice(
        [
            {"Ports": [{"TargetPort": 80, "PublishedPort": rng.randint(20000, 29999), "Protocol": "tcp"}]},
            {"Ports": [{"TargetPort": 53, "Protocol": "udp", "PublishMode": "host"}]},
            {"Mode": "dnsrr"},
            {"Mode": "vip", "Ports": []},
        ]
    ),
}


def target(rng: Random, scene: Scene) -> str:
    return "/services/create"


def body(rng: Random, scene: Scene, focus: str | None) -> Body:
    spec: Body = {"Image": IMAGE, **_picked(CONTAINER, rng, scene, 4, _under(focus, "TaskTemplate.ContainerSpec."))}
    task: Body = {"ContainerSpec": spec, "Placement": PLACEMENT}
    task |= _picked(TASK, rng, scene, 2, _under(focus, "TaskTemplate."))
    made: Body = {"Name": f"{MADE}-{rng.randint(0, 9)}", "Labels": {**LABELS}, "TaskTemplate": task}
    made |= _picked(SERVICE, rng, scene, 2, focus)
    made["Labels"] = {**LABELS, **made["Labels"]}
    if made.get("EndpointSpec", {}).get("Mode") == "dnsrr":
        made["EndpointSpec"].pop("Ports", None)
    # The two places exclude each other.
    if focus == "Networks":
        task.pop("Networks", None)
    elif "Networks" in task:
        made.pop("Networks", None)
    return made


def _under(focus: str | None, prefix: str) -> str | None:
    rest = focus.removeprefix(prefix) if focus and focus.startswith(prefix) else None
    return None if rest is None or "." in rest else rest


def _picked(makers: Mapping[str, values.Maker], rng: Random, scene: Scene, most: int, focus: str | None) -> Body:
    names = rng.sample(sorted(makers), rng.randint(0, most))
    if focus in makers:
        names = [focus, *(name for name in names if name != focus)]  # type: ignore[list-item]
    return {name: makers[name](rng, scene) for name in names}


FOCUSES = (
    *(f"service.TaskTemplate.ContainerSpec.{name}" for name in sorted(CONTAINER)),
    *(f"service.TaskTemplate.{name}" for name in sorted(TASK)),
    *(f"service.{name}" for name in sorted(SERVICE)),
)


# Powers


def powers(fact: Fact, scene: Scene, sent: Sent) -> list[Power]:
    """The powers of a service, by the spec that the engine keeps of it."""
    spec = fact["Spec"]
    task = spec["TaskTemplate"]
    return [
        *_made(spec),
        *_container(task["ContainerSpec"], scene),
        *_task(task),
        *_networks([*(task.get("Networks") or ()), *(spec.get("Networks") or ())], scene),
        *_ports(spec.get("EndpointSpec") or {}),
    ]


def _made(spec: Fact) -> Iterator[Power]:
    labels = set((spec["Labels"] or {}).items())
    name = spec["Name"]
    yield by("service.Name", "service", name, lambda ask: ask.value == name and set(ask.labels) == labels)
    for key, value in labels:
        yield exactly("service.Labels", "label", f"{key}={value}")


_SPEC = "service.TaskTemplate.ContainerSpec"


def _container(spec: Fact, scene: Scene) -> Iterator[Power]:
    yield image_power(f"{_SPEC}.Image", scene, scene.image_id(spec["Image"].partition("@")[0]) or "")
    for key, value in (spec.get("Labels") or {}).items():
        yield exactly(f"{_SPEC}.Labels", "label", f"{key}={value}")
    for name, read in _READERS.items():
        if value := spec.get(name):
            yield from read(value, scene)
    if not spec.get("ReadOnly"):
        yield exactly(f"{_SPEC}.ReadOnly", "require", "read-only")
    if not (spec.get("Privileges") or {}).get("NoNewPrivileges"):
        yield exactly(f"{_SPEC}.Privileges", "require", "no-new-privileges")
    # Here the engine shows them as it reads them.
    if not {"ALL", "CAP_ALL"} & {str(each).upper() for each in spec.get("CapabilityDrop") or ()}:
        yield exactly(f"{_SPEC}.CapabilityDrop", "require", "cap-drop-all")
    if is_root(spec.get("User") or ""):
        yield exactly(f"{_SPEC}.User", "require", "non-root")


def _mounts(value: list[Fact], scene: Scene) -> Iterator[Power]:
    field = f"{_SPEC}.Mounts"
    for mount in value:
        writable = not mount.get("ReadOnly")
        if mount["Type"] == "bind":
            options = mount.get("BindOptions") or {}
            shared = options.get("Propagation") in ("shared", "rshared")
            below = bool(options.get("ReadOnlyNonRecursive")) and not options.get("NonRecursive")
            yield as_bind(field, mount.get("Source", ""), writable=writable, shared=shared, below=below)
        elif mount["Type"] == "volume":
            yield from _volume(field, mount, scene, writable=writable)


def _volume(field: str, mount: Fact, scene: Scene, *, writable: bool) -> Iterator[Power]:
    name = mount.get("Source") or "(anonymous)"
    yield by(field, "volume", name, lambda ask: ask.value == name and not (writable and ask.read_only))
    config = (mount.get("VolumeOptions") or {}).get("DriverConfig") or {}
    there = scene.volume(name) if mount.get("Source") else None
    # On another node none may be there, and is made of these.
    yield from volume_options(
        field, {"Driver": config.get("Name") or "local", "Options": config.get("Options")}, writable=writable
    )
    if there is not None:
        yield from volume_options(field, there, writable=writable)


def _privileges(value: Fact, scene: Scene) -> Iterator[Power]:
    field = f"{_SPEC}.Privileges"
    selinux = value.get("SELinuxContext") or {}
    if selinux.get("Disable"):
        yield exactly(field, "security-opt", "label=disable")
    for key in ("User", "Role", "Type", "Level"):
        if selinux.get(key):
            yield exactly(field, "security-opt", f"label={key.lower()}:{selinux[key]}")
    seccomp = value.get("Seccomp") or {}
    if seccomp.get("Mode") == "unconfined":
        yield exactly(field, "security-opt", "seccomp=unconfined")
    if seccomp.get("Mode") == "custom" or seccomp.get("Profile"):
        yield exactly(field, "security-opt", "seccomp=profile")
    if (value.get("AppArmor") or {}).get("Mode") == "disabled":
        yield exactly(field, "security-opt", "apparmor=unconfined")


def _hosts(value: list[str], scene: Scene) -> Iterator[Power]:
    for line in value:
        address, *names = line.split()
        for name in names:
            yield exactly(f"{_SPEC}.Hosts", "extra-host", f"{name}:{address}")


def _handed(noun: str) -> Callable[[list[Fact], Scene], Iterator[Power]]:
    """By the id alone: that is what the task gets."""

    def read(value: list[Fact], scene: Scene) -> Iterator[Power]:
        for each in value:
            for name in (noun, f"{noun}-other"):
                if each[f"{noun.capitalize()}ID"] == scene.swarm[name]:
                    yield exactly(f"{_SPEC}.{noun.capitalize()}s", noun, f"{NAME}-{name}")

    return read


def _capabilities(value: list[str], scene: Scene) -> Iterator[Power]:
    for each in value:
        yield exactly(f"{_SPEC}.CapabilityAdd", "capability", each.upper().removeprefix("CAP_"))


_READERS: Mapping[str, Callable[[Any, Scene], Iterator[Power]]] = {
    "Mounts": _mounts,
    "Privileges": _privileges,
    "Hosts": _hosts,
    "Secrets": _handed("secret"),
    "Configs": _handed("config"),
    "CapabilityAdd": _capabilities,
    "Groups": lambda value, _: iter([exactly(f"{_SPEC}.Groups", "group", each) for each in value]),
    "Sysctls": lambda value, _: iter([exactly(f"{_SPEC}.Sysctls", "sysctl", f"{k}={v}") for k, v in value.items()]),
    "DNSConfig": lambda value, _: iter(
        [exactly(f"{_SPEC}.DNSConfig", "dns", each) for each in value.get("Nameservers") or ()]
    ),
    "Isolation": lambda value, _: iter(
        []
        if value == "default"
        else [exactly(f"{_SPEC}.Isolation", "field", f"{_SPEC.partition('.')[2]}.Isolation={value}")]
    ),
    "OomScoreAdj": lambda value, _: iter(
        [exactly(f"{_SPEC}.OomScoreAdj", "resource", f"oom-score={value}")] if value < 0 else []
    ),
}


def _task(task: Fact) -> Iterator[Power]:
    limits = (task.get("Resources") or {}).get("Limits") or {}
    for key, word in (("MemoryBytes", "memory"), ("NanoCPUs", "cpus"), ("Pids", "pids")):
        yield limit("service.TaskTemplate.Resources", word, limits.get(key) or None)
    log = task.get("LogDriver") or {}
    driver = log.get("Name") or ""
    if driver not in DEFAULT_LOGS:
        yield exactly("service.TaskTemplate.LogDriver", "log-driver", driver)
    for key, value in (log.get("Options") or {}).items():
        if key not in PLAIN_LOG_OPTIONS:
            yield exactly("service.TaskTemplate.LogDriver", "log-driver", f"{driver or 'default'} {key}={value}")
    condition = (task.get("RestartPolicy") or {}).get("Condition") or "any"
    if condition != "none":
        yield exactly("service.TaskTemplate.RestartPolicy", "restart", condition)


def _networks(attachments: list[Fact], scene: Scene) -> Iterator[Power]:
    for each in attachments:
        fact = scene.network(each["Target"])
        name = fact["Name"] if fact else each["Target"]

        def test(ask: Ask, name: str = name, identity: str = fact["Id"] if fact else "") -> bool:
            # Where no rule holds networks it may be told as it was named.
            meant = scene.network(ask.value)
            return ask.value == name or (meant is not None and meant["Id"] == identity)

        yield by("service.TaskTemplate.Networks", "network", name, test)
        for key, value in (each.get("DriverOpts") or {}).items():
            yield exactly("service.TaskTemplate.Networks", "address", f"option {key}={value}")


def _ports(endpoint: Fact) -> Iterator[Power]:
    for port in endpoint.get("Ports") or ():
        shown = f"0.0.0.0:{port.get('PublishedPort') or 'random'}/{port.get('Protocol') or 'tcp'}"
        yield exactly("service.EndpointSpec", "publish", shown)


FIELDS = frozenset(
    {
        *(f"{_SPEC}.{name}" for name in (*_READERS, "Image", "Labels", "ReadOnly", "CapabilityDrop", "User")),
        *(f"service.TaskTemplate.{name}" for name in ("Resources", "LogDriver", "RestartPolicy", "Networks")),
        *("service.Name", "service.Labels", "service.EndpointSpec"),
    }
)


def unreachable(api: tuple[int, int]) -> frozenset[str]:
    """Those of `FIELDS` that an engine of that age does not have."""
    return frozenset({f"{_SPEC}.OomScoreAdj"} if api < (1, 46) else set())


# Comparing


def view(fact: Any, scene: Scene) -> Any:
    """The spec, with networks and images by their ids."""
    spec = fact["Spec"]
    task = spec["TaskTemplate"]
    container = task["ContainerSpec"]
    container["Image"] = scene.image_id(container["Image"].partition("@")[0]) or container["Image"]
    for holder in (task, spec):
        for each in holder.get("Networks") or ():
            found = scene.network(each["Target"])
            each["Target"] = found["Id"] if found else each["Target"]
    return spec
