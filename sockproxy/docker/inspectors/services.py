"""Swarm's services and tasks: what a service gives its containers, on whichever node they run.

The same powers as a container's, under other names: mounts, capabilities, networks, profiles, ports. What only the
engine knows is asked of it: whose a network or a secret is that is named by id, and the spec that a rollback goes back
to. Volumes are looked up on this node; one of that name on another node is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker.fields import normalise
from sockproxy.docker.fields import services as fields
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.host_config import (
    Reader,
    capabilities,
    drops_all,
    isolation,
    item_asks,
    log_driver,
    memory_amount,
    oom_score,
    pair_asks,
    require_non_root,
)
from sockproxy.docker.inspectors.inspector import Inspector, nothing
from sockproxy.docker.inspectors.mounts import inspect_mount
from sockproxy.docker.inspectors.plugins import inspect_privileges
from sockproxy.docker.inspectors.whose import (
    UNNAMED,
    image,
    labels_of,
    normal_name,
    number,
    objects,
    part,
    service_in_path,
    swarm_fact,
    swarm_network,
    task_in_path,
    text,
)
from sockproxy.errors import Malformed
from sockproxy.model import Inspection, Json, JsonObject, Missing

_TASK: Final = "TaskTemplate"
_CONTAINER: Final = "TaskTemplate.ContainerSpec"


def _create(found: Findings) -> Inspection:
    body = found.body(fields.SPEC)
    _inspect_spec(found, body, "")
    return found.forward(body=body)


def _update(found: Findings) -> Inspection:
    """An update replaces the whole spec, so it is held as a create is; a rollback puts the one before back in force."""
    body = found.body(fields.SPEC)
    goes_back = found.query.get("rollback", "")
    if goes_back not in ("", "previous"):
        raise Malformed("?rollback must be `previous`")
    service = service_in_path(found, always=bool(goes_back))
    _inspect_spec(found, body, "")
    if service is None:
        return found.forward(body=body)
    if goes_back:
        previous = normalise(part(service.fact, "PreviousSpec"), fields.SPEC)
        found.asks.extend(previous.unknown)
        _inspect_spec(found, previous.value, f"service {service.name}: PreviousSpec.")
    return found.forward(path=found.path_of(service.forward), body=body)


def _inspect_spec(found: Findings, spec: JsonObject, prefix: str) -> None:
    """The asks of a spec. References to networks and images in it are replaced by what was judged."""
    labels = labels_of(spec.get("Labels"))
    found.ask("service", text(spec, "Name") or UNNAMED, f"{prefix}Name", labels=labels)
    for key, value in labels:
        found.ask("label", f"{key}={value}", f"{prefix}Labels[{key}]")
    task = part(spec, "TaskTemplate")
    _inspect_runtime(found, task, prefix)
    _inspect_container(found, part(task, "ContainerSpec"), f"{prefix}{_CONTAINER}")
    _inspect_task(found, task, f"{prefix}{_TASK}")
    _inspect_networks(found, spec, task, prefix)
    _inspect_ports(found, part(spec, "EndpointSpec").get("Ports"), f"{prefix}EndpointSpec.Ports")


def _inspect_runtime(found: Findings, task: JsonObject, prefix: str) -> None:
    """What a task runs: a container, or a plug-in of the engine; an attachment is the engine's own."""
    plugin = part(task, "PluginSpec")
    runtime = text(task, "Runtime")
    if runtime == "plugin" or plugin:
        where = f"{prefix}{_TASK}.PluginSpec"
        found.ask("privileged", "plugin", where)
        if remote := text(plugin, "remote"):
            found.ask("image", normal_name(remote, f"{where}.remote"), f"{where}.remote")
        inspect_privileges(found, plugin.get("privileges"), f"{where}.privileges")
    elif runtime not in ("", "container"):
        found.ask("field", f"{_TASK}.Runtime={runtime}", f"{prefix}{_TASK}.Runtime", grantable=False)
    if task.get("NetworkAttachmentSpec"):
        where = f"{_TASK}.NetworkAttachmentSpec"
        found.ask("field", where, f"{prefix}{where}", grantable=False)


# What a task's container is given


def _inspect_container(found: Findings, spec: JsonObject, where: str) -> None:
    if not spec:
        return
    _inspect_image(found, spec, f"{where}.Image")
    for label, text_ in labels_of(spec.get("Labels")):
        found.ask("label", f"{label}={text_}", f"{where}.Labels[{label}]")
    for key, read in _READERS.items():
        if value := spec.get(key):
            spec[key] = read(found, value, f"{where}.{key}")
    _inspect_requirements(found, spec, where)


def _inspect_image(found: Findings, spec: JsonObject, where: str) -> None:
    reference = text(spec, "Image")
    if reference and (known := image(found, reference, where)) is not None:
        spec["Image"] = known.forward


def _mounts(found: Findings, value: Json, where: str) -> Json:
    forward: list[Json] = []
    for index, mount in objects(value):
        here = f"{where}[{index}]"
        if text(mount, "Type") == "cluster":
            # A volume of the whole swarm, or a group of them, mounted by a CSI plug-in.
            found.ask("volume", text(mount, "Source"), here, read_only=mount.get("ReadOnly") is True)
            found.ask("field", f"{where.partition('[')[0]}.Type=cluster", f"{here}.Type")
            forward.append(mount)
        else:
            forward.append(inspect_mount(found, mount, here))
    return forward


def _privileges(found: Findings, value: Json, where: str) -> Json:
    if part(value, "CredentialSpec"):
        found.ask("field", f"{_CONTAINER}.Privileges.CredentialSpec", f"{where}.CredentialSpec")
    selinux = part(value, "SELinuxContext")
    if selinux.get("Disable") is True:
        found.ask("security-opt", "label=disable", f"{where}.SELinuxContext.Disable")
    for key in ("User", "Role", "Type", "Level"):
        if label := text(selinux, key):
            found.ask("security-opt", f"label={key.lower()}:{label}", f"{where}.SELinuxContext.{key}")
    seccomp, app_armor = part(value, "Seccomp"), text(part(value, "AppArmor"), "Mode")
    mode = text(seccomp, "Mode")
    if text(seccomp, "Profile") or mode == "custom":
        found.ask("security-opt", "seccomp=profile", f"{where}.Seccomp")
    if mode not in ("", "default", "custom"):
        found.ask("security-opt", f"seccomp={mode}", f"{where}.Seccomp.Mode")
    if app_armor not in ("", "default"):
        profile = "unconfined" if app_armor == "disabled" else app_armor
        found.ask("security-opt", f"apparmor={profile}", f"{where}.AppArmor.Mode")
    return value


def _hosts(found: Findings, value: Json, where: str) -> Json:
    """Lines of /etc/hosts, ``address name alias``: an ask for each name, written as a container's are."""
    for index, line in enumerate(value if isinstance(value, list) else ()):
        address, *names = str(line).split() or [""]
        for name in names or [""]:
            found.ask("extra-host", f"{name}:{address}", f"{where}[{index}]")
    return value


def _dns(found: Findings, value: Json, where: str) -> Json:
    if servers := part(value).get("Nameservers"):
        _NAMESERVERS(found, servers, f"{where}.Nameservers")
    return value


_NAMESERVERS: Final = item_asks("dns")


def _given(kind: str) -> Reader:
    """Secrets or configs, each by its id and its name: both must be one thing's, as they must to the engine."""

    def read(found: Findings, value: Json, where: str) -> Json:
        word = kind.capitalize()
        for index, each in objects(value):
            identity, name = text(each, f"{word}ID"), text(each, f"{word}Name")
            here = f"{where}[{index}]"
            reference = name or identity
            fact = swarm_fact(found, f"{kind}s", reference)
            if fact is None:
                continue
            if isinstance(fact, Missing):
                found.ask(kind, reference, here, grantable=False)
                continue
            its_own = text(fact, "ID")
            known = text(part(fact, "Spec"), "Name") or reference
            found.ask(kind, known, here, grantable=not its_own or its_own == identity)
        return value

    return read


_READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "Mounts": _mounts,
        "Privileges": _privileges,
        "Groups": item_asks("group"),
        "Sysctls": pair_asks("sysctl"),
        "CapabilityAdd": capabilities,
        "OomScoreAdj": oom_score,
        "Isolation": isolation,
        "Hosts": _hosts,
        "DNSConfig": _dns,
        "Secrets": _given("secret"),
        "Configs": _given("config"),
    }
)

READ_HERE: Final = frozenset(_READERS)
READ_ELSEWHERE: Final = frozenset({"Image", "Labels", "User", "ReadOnly", "CapabilityDrop"})
"""Fields of a ContainerSpec that the image, labels and requirements are made of."""
ASKS_NOTHING: Final = frozenset(
    {
        *("Command", "Args", "Hostname", "Env", "Dir", "TTY", "OpenStdin", "Init", "StopSignal", "StopGracePeriod"),
        *("Healthcheck", "Ulimits"),
    }
)
"""Fields of a ContainerSpec whose every value is harmless."""


_CAPABILITIES_AND_PIDS: Final = (1, 41)
_NO_NEW_PRIVILEGES: Final = (1, 44)
"""Before these versions an engine drops such fields of a service (moby, swarm/helpers.go; tried on 20.10 and 28.5)."""


def _inspect_requirements(found: Findings, spec: JsonObject, where: str) -> None:
    version = found.call.version
    if spec.get("ReadOnly") is not True:
        found.ask("require", "read-only", f"{where}.ReadOnly")
    if version < _NO_NEW_PRIVILEGES or part(spec, "Privileges").get("NoNewPrivileges") is not True:
        found.ask("require", "no-new-privileges", f"{where}.Privileges.NoNewPrivileges")
    if version < _CAPABILITIES_AND_PIDS or not drops_all(spec.get("CapabilityDrop")):
        found.ask("require", "cap-drop-all", f"{where}.CapabilityDrop")
    require_non_root(found, text(spec, "User"), f"{where}.User")


# What a task is given


def _inspect_task(found: Findings, task: JsonObject, where: str) -> None:
    _inspect_limits(found, part(task, "Resources"), f"{where}.Resources")
    log = part(task, "LogDriver")
    here = f"{where}.LogDriver"
    log_driver(found, text(log, "Name"), part(log, "Options"), f"{here}.Name", f"{here}.Options")
    condition = text(part(task, "RestartPolicy"), "Condition") or "any"
    if condition != "none":
        found.ask("restart", condition, f"{where}.RestartPolicy.Condition")


def _inspect_limits(found: Findings, resources: JsonObject, where: str) -> None:
    limits = part(resources, "Limits")
    memory, swap = number(limits, "MemoryBytes"), number(resources, "SwapBytes")
    # A container's `MemorySwap` is memory and swap together; none given is as much swap as memory.
    both = swap if swap < 0 else memory + swap if swap else 0
    amount = memory_amount({"Memory": memory, "MemorySwap": both})
    found.ask("limit", "memory", f"{where}.Limits.MemoryBytes", amount=amount)
    found.ask("limit", "cpus", f"{where}.Limits.NanoCPUs", amount=_positive(limits, "NanoCPUs"))
    pids = _positive(limits, "Pids") if found.call.version >= _CAPABILITIES_AND_PIDS else None
    found.ask("limit", "pids", f"{where}.Limits.Pids", amount=pids)


def _positive(values: JsonObject, key: str) -> int | None:
    value = number(values, key)
    return value if value > 0 else None


def _inspect_networks(found: Findings, spec: JsonObject, task: JsonObject, prefix: str) -> None:
    """Both places are judged: which of them an engine reads depends on its version and on the call's."""
    attachments = [
        (f"{prefix}{where}[{index}]", each)
        for where, holder in ((f"{_TASK}.Networks", task), ("Networks", spec))
        for index, each in objects(holder.get("Networks"))
    ]
    for where, each in attachments:
        each["Target"] = swarm_network(found, text(each, "Target"), f"{where}.Target")
        for key, value in part(each, "DriverOpts").items():
            found.ask("address", f"option {key}={value}", f"{where}.DriverOpts[{key}]")
    if not attachments and task.get("ContainerSpec"):
        found.ask("network", "bridge", f"{prefix}{_TASK}.Networks")


def _inspect_ports(found: Findings, ports: Json, where: str) -> None:
    """A service's ports are opened on every address, of this node or of all of them."""
    for index, port in objects(ports):
        published = number(port, "PublishedPort") or "random"
        protocol = (text(port, "Protocol") or "tcp").lower()
        found.ask("publish", f"0.0.0.0:{published}/{protocol}", f"{where}[{index}]")


# Looking, and tasks


def _in_path(found: Findings) -> Inspection:
    service = service_in_path(found)
    return found.forward(path=found.path_of(service.forward) if service is not None else None)


def _task(found: Findings) -> Inspection:
    task_in_path(found)
    return found.forward()


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        "ServiceList": nothing,
        "ServiceCreate": _create,
        "ServiceInspect": _in_path,
        "ServiceDelete": _in_path,
        "ServiceUpdate": _update,
        "ServiceLogs": _in_path,
        "TaskList": nothing,
        "TaskInspect": _task,
        "TaskLogs": _task,
    }
)
