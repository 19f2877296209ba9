"""A service's keys, and what a create makes of them: each stands in `_CONFIG`, in `_HOST`, or has a method of its own.

    key of the service ── reader ──► field of the body        the zeros are those that compose sends along

Everything that does not depend on the container's number, the engine's version or other services' containers is settled
here (compose, ``create.go``, ``getCreateConfigs``; recorded of 2.40).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from collections.abc import Mapping as Map
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from sockproxy.compose import dotenv
from sockproxy.compose.document import Mapping, Node, Scalar, Sequence, is_nothing
from sockproxy.compose.load import open_file
from sockproxy.compose.mounts import Mounted, MountReader, read_tmpfs
from sockproxy.compose.notes import nearest
from sockproxy.compose.ports import read_ports
from sockproxy.compose.project import Network, Service
from sockproxy.compose.relations import depends_on, links, networking, volumes_from
from sockproxy.compose.resources import read_resources
from sockproxy.compose.values import Values
from sockproxy.model import Json, JsonObject
from sockproxy.policy.document import Place

Reader: TypeAlias = "Callable[[Values, Node | None], Json]"

_CONTAINER_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_ATTEMPTS: Final = re.compile(r"[0-9]{1,9}")
_PULLS: Final = ("missing", "if_not_present", "always", "never", "build", "refresh", "daily", "weekly")
_SOCKET: Final = "/var/run/docker.sock"


def _words(values: Values, node: Node | None) -> Json:
    found: list[Json] = list(values.words(node))
    return found or None


def _some_words(values: Values, node: Node | None) -> Json:
    found: list[Json] = list(values.some_words(node))
    return found or None


def _command(values: Values, node: Node | None) -> Json:
    """A list as it is, a text cut into words as a shell would; null where there is none."""
    if node is None or is_nothing(node):
        return None
    if not isinstance(node, Scalar):
        return [values.text(item) for item in values.items(node)]
    try:
        return list(shlex.split(values.text(node)))
    except ValueError:
        values.notes.wrong(node, f"`{node.text}`: a quotation mark that is never closed")
        return None


def _capabilities(values: Values, node: Node | None) -> Json:
    """As Docker's client sends them: in capitals, with their prefix, sorted, each once."""
    names = {name.upper() for name in values.words(node)}
    found: list[Json] = [*sorted(name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}" for name in names)]
    return found or None


def _texts(values: Values, node: Node | None) -> Json:
    found: JsonObject = dict(values.texts(node))
    return found


def _extra_hosts(values: Values, node: Node | None) -> Json:
    """`name:address`, of `name=address`, `name:address` or a mapping; brackets around an address go."""
    found: list[Json] = []
    if isinstance(node, Mapping):
        for key, value in node.entries:
            found += [f"{key.text}:{_bare(values.text(item))}" for item in values.some(value)]
        return found
    for item in values.items(node):
        word = values.text(item)
        name, sign, address = word.partition("=") if "=" in word else word.partition(":")
        if not sign or not name or not address:
            values.notes.wrong(item, f"`{word}` names no host", "write name=address")
            continue
        found.append(f"{name}:{_bare(address)}")
    return found


def _bare(address: str) -> str:
    return address[1:-1] if address.startswith("[") and address.endswith("]") else address


def _log_config(values: Values, node: Node | None) -> Json:
    logging = values.mapping(node)
    if logging is None:
        return {"Type": "", "Config": None}
    options = logging.get("options")
    config: JsonObject | None = None if options is None else dict(values.texts(options))
    return {"Type": values.text(logging.get("driver")), "Config": config}


_CONFIG: Final[Map[str, tuple[str, Reader]]] = MappingProxyType(
    {
        "hostname": ("Hostname", Values.text),
        "domainname": ("Domainname", Values.text),
        "user": ("User", Values.text),
        "tty": ("Tty", Values.flag),
        "stdin_open": ("OpenStdin", Values.flag),
        "command": ("Cmd", _command),
        "working_dir": ("WorkingDir", Values.text),
        "entrypoint": ("Entrypoint", _command),
    }
)

_HOST: Final[Map[str, tuple[str, Reader]]] = MappingProxyType(
    {
        "cap_add": ("CapAdd", _capabilities),
        "cap_drop": ("CapDrop", _capabilities),
        "cgroup": ("CgroupnsMode", Values.text),
        "dns": ("Dns", _some_words),
        "dns_opt": ("DnsOptions", _words),
        "dns_search": ("DnsSearch", _some_words),
        "extra_hosts": ("ExtraHosts", _extra_hosts),
        "group_add": ("GroupAdd", _words),
        "ipc": ("IpcMode", Values.text),
        "isolation": ("Isolation", Values.text),
        "logging": ("LogConfig", _log_config),
        "oom_score_adj": ("OomScoreAdj", Values.integer),
        "pid": ("PidMode", Values.text),
        "privileged": ("Privileged", Values.flag),
        "read_only": ("ReadonlyRootfs", Values.flag),
        "shm_size": ("ShmSize", Values.size),
        "userns_mode": ("UsernsMode", Values.text),
        "uts": ("UTSMode", Values.text),
    }
)

_HOST_WHERE_SET: Final[Map[str, tuple[str, Reader]]] = MappingProxyType(
    {
        "annotations": ("Annotations", _texts),
        "runtime": ("Runtime", Values.text),
        "storage_opt": ("StorageOpt", _texts),
        "sysctls": ("Sysctls", _texts),
    }
)
"""Fields that are left out where they are empty."""

_ZERO_HOST: Final[JsonObject] = {
    "AutoRemove": False,
    "Cgroup": "",
    "ConsoleSize": [0, 0],
    "ContainerIDFile": "",
    "CpusetMems": "",
    "IOMaximumBandwidth": 0,
    "IOMaximumIOps": 0,
    "MaskedPaths": None,
    "PublishAllPorts": False,
    "ReadonlyPaths": None,
    "VolumeDriver": "",
}
"""What no key sets, and what the client sends all the same."""

_ZERO_CONFIG: Final[JsonObject] = {
    "AttachStderr": True,
    "AttachStdin": False,
    "AttachStdout": True,
    "OnBuild": None,
    "StdinOnce": False,
    "Volumes": None,
}
"""As above; ``up --detach`` attaches to nothing, and asks for the output all the same."""


class ServiceReader:
    """Reads services of one project."""

    def __init__(
        self,
        values: Values,
        mounts: MountReader,
        *,
        project: str,
        folder: Path,
        folder_of: Callable[[Place], Path],
        networks: Map[str, Network],
        environment: Map[str, str],
    ) -> None:
        self._values = values
        self._notes = values.notes
        self._mounts = mounts
        self._project = project
        self._folder = folder
        self._folder_of = folder_of
        self._networks = networks
        self._environment = environment

    def read(self, name: Scalar, service: Mapping) -> tuple[Service, list[str]]:
        """One service, and the keys of the volumes that it uses."""
        values, given = self._values, service.get
        self._say_what_is_not_shown(service)
        mounted = self._mounts.read(service)
        host = self._host(service, mounted)
        mode, endpoints = networking(service, self._networks, values)
        read = Service(
            name=name.text,
            place=name.place,
            image=values.text(given("image")) or f"{self._project}-{name.text}",
            image_named=bool(values.text(given("image"))),
            builds=not is_nothing(given("build")),
            pull_policy=self._pull_policy(given("pull_policy")),
            platform=values.text(given("platform")),
            container_name=self._container_name(service),
            scale=self._scale(service),
            depends_on=depends_on(service, values),
            network_mode=mode,
            endpoints=endpoints,
            mac_address=values.text(given("mac_address")),
            links=links(service, values),
            volumes_from=volumes_from(given("volumes_from"), values),
            copied=tuple(mounted.copied),
            hooks=self._hooks(given("post_start")),
            provided=not is_nothing(given("provider")),
            config=self._config(service),
            host=host,
        )
        if not read.image_named and not read.builds and not read.provided:
            self._notes.wrong(name, f"`{name.text}` has neither an `image` nor a `build`")
        return read, mounted.volumes

    def check_env_files(self, service: Mapping) -> None:
        """Say of a file of variables that is not there, or none. Its variables ask nothing, and are not taken in."""
        values = self._values
        for item in values.some(service.get("env_file")):
            said = item if isinstance(item, Mapping) else None
            path = said.get("path") if said is not None else item
            if not isinstance(path, Scalar) or not path.text:
                self._notes.wrong(item, "a file of variables without a path", "write path: FILE")
                continue
            form = values.text(said.get("format")) if said is not None else ""
            if form not in ("", "raw"):
                self._notes.wrong(item, f"`{form}` is no format of a file of variables", "leave it out, or write raw")
            needed = said is None or is_nothing(said.get("required")) or values.flag(said.get("required"))
            place = self._folder_of(path.place) / path.text
            if not needed and not place.exists():
                continue
            source = open_file(place, self._notes, path)
            if source is not None and not form:
                dotenv.parse(source.text, path.text, self._environment, self._notes.problems)

    # The body

    def _config(self, service: Mapping) -> JsonObject:
        values, given = self._values, service.get
        config: JsonObject = dict(_ZERO_CONFIG)
        for key, (field, reader) in _CONFIG.items():
            config[field] = reader(values, given(key))
        environment: list[Json] = list(self._environment_of(given("environment")))
        if values.flag(given("use_api_socket")):
            environment.append("DOCKER_CONFIG=/run/secrets/docker")
        config["Env"] = environment or None
        labels: JsonObject = dict(self._labels(service))
        config["Labels"] = labels
        optional: JsonObject = {
            "ExposedPorts": read_ports(given("ports"), given("expose"), values)[0],
            "Healthcheck": self._health_check(values.mapping(given("healthcheck"))),
            "StopSignal": values.text(given("stop_signal")),
            "NetworkDisabled": values.text(given("network_mode")) == "disabled",
        }
        config |= {key: value for key, value in optional.items() if value}
        if not is_nothing(given("stop_grace_period")):
            config["StopTimeout"] = values.duration(given("stop_grace_period")) // 1_000_000_000
        return config

    def _host(self, service: Mapping, mounted: Mounted) -> JsonObject:
        values, given = self._values, service.get
        host: JsonObject = dict(_ZERO_HOST)
        host |= {field: reader(values, given(key)) for key, (field, reader) in _HOST.items()}
        for key, (field, reader) in _HOST_WHERE_SET.items():
            if value := reader(values, given(key)):
                host[field] = value
        host |= read_resources(service, values)
        host["PortBindings"] = read_ports(given("ports"), None, values)[1]
        host["RestartPolicy"] = self._restart(service)
        host["ExtraHosts"] = host["ExtraHosts"] or []
        if not is_nothing(given("init")):
            host["Init"] = values.flag(given("init"))
        if tmpfs := read_tmpfs(given("tmpfs"), values):
            host["Tmpfs"] = tmpfs
        if values.flag(given("use_api_socket")):
            mounted.binds.append(f"{_SOCKET}:{_SOCKET}:rw")
            mounted.copied.append(False)
        host["Binds"] = mounted.binds or None
        if mounted.mounts:
            host["Mounts"] = mounted.mounts
        self._security(given("security_opt"), host)
        return host

    def _environment_of(self, node: Node | None) -> list[str]:
        found: dict[str, str] = {}
        for _, key, value in self._values.pairs(node):
            said = self._environment.get(key) if value is None else value
            found[key] = key if said is None else f"{key}={said}"
        return list(found.values())

    def _labels(self, service: Mapping) -> dict[str, str]:
        found: dict[str, str] = {}
        for item in self._values.some(service.get("label_file")):
            if not isinstance(item, Scalar):
                self._notes.wrong(item, "this is to be a word")
                continue
            if (source := open_file(self._folder_of(item.place) / item.text, self._notes, item)) is not None:
                found |= dotenv.parse(source.text, item.text, self._environment, self._notes.problems)
        return found | self._values.texts(service.get("labels"))

    def _health_check(self, check: Mapping | None) -> JsonObject:
        if check is None:
            return {}
        values, test = self._values, check.get("test")
        if values.flag(check.get("disable")):
            return {"Test": ["NONE"]}
        words: list[Json] = [values.text(item) for item in values.some(test)]
        if isinstance(test, Sequence) and words and words[0] not in ("NONE", "CMD", "CMD-SHELL"):
            values.notes.wrong(
                test, f"a `test` does not begin with `{words[0]}`", "write CMD, CMD-SHELL or NONE before it"
            )
        if isinstance(test, Scalar) and not test.nothing:
            words = ["CMD-SHELL", values.text(test)]
        found: JsonObject = {
            "Test": words,
            "Interval": values.duration(check.get("interval")),
            "Timeout": values.duration(check.get("timeout")),
            "StartPeriod": values.duration(check.get("start_period")),
            "StartInterval": values.duration(check.get("start_interval")),
            "Retries": values.integer(check.get("retries")),
        }
        return {key: value for key, value in found.items() if value}

    def _restart(self, service: Mapping) -> JsonObject:
        values = self._values
        name, _, count = values.text(service.get("restart")).partition(":")
        attempts = int(count) if _ATTEMPTS.fullmatch(count) else 0
        deploy = values.mapping(service.get("deploy"))
        policy = values.mapping(deploy.get("restart_policy")) if deploy is not None else None
        if policy is not None:
            name, attempts = values.text(policy.get("condition")), values.integer(policy.get("max_attempts"))
        return {"Name": {"none": "no", "any": "always"}.get(name, name), "MaximumRetryCount": attempts}

    def _security(self, node: Node | None, host: JsonObject) -> None:
        found: list[Json] = []
        for item in self._values.items(node):
            option = self._values.text(item)
            if option == "systempaths=unconfined":
                host["MaskedPaths"] = host["ReadonlyPaths"] = []
                continue
            name, sign, value = option.partition("=") if "=" in option else option.partition(":")
            if not sign and option != "no-new-privileges":
                self._notes.wrong(item, f"`{option}` is no security option", "write name=value")
            elif name == "seccomp" and value not in ("unconfined", "builtin"):
                found.append(f"seccomp={self._profile(item, value)}")
            else:
                found.append(option)
        host["SecurityOpt"] = found or None

    def _profile(self, at: Node, name: str) -> str:
        """A profile for seccomp, which is sent along."""
        try:
            profile = json.loads((self._folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
            self._notes.wrong(at, f"the seccomp profile `{name}` cannot be read: {reason}")
            return "{}"
        return json.dumps(profile, separators=(",", ":"), ensure_ascii=False)

    # What is around the body

    def _pull_policy(self, node: Node | None) -> str:
        policy = self._values.text(node)
        if policy in ("", "if_not_present"):
            return "missing"
        if policy not in _PULLS and not policy.startswith("every_"):
            self._notes.wrong(
                node or Scalar(Place("", 0, 0), ""), f"`{policy}` is no pull policy", nearest(policy, _PULLS)
            )
        elif policy not in ("missing", "always", "never", "build") and node is not None:
            self._notes.say(node, f"`{policy}`: once the image is old enough it is pulled too, which is not shown")
            return "missing"
        return policy

    def _container_name(self, service: Mapping) -> str:
        said = service.get("container_name")
        name = self._values.text(said)
        if said is not None and name and not _CONTAINER_NAME.fullmatch(name):
            self._notes.wrong(said, f"`{name}` cannot be a container's name")
        return name

    def _scale(self, service: Mapping) -> int:
        values, scale = self._values, service.get("scale")
        deploy = values.mapping(service.get("deploy"))
        replicas = deploy.get("replicas") if deploy is not None else None
        own, deployed = (None if is_nothing(node) else values.integer(node) for node in (scale, replicas))
        if own is not None and deployed is not None and own != deployed:
            self._notes.wrong(scale or service, "`scale` and `deploy.replicas` differ", "write one of them")
        count = next((each for each in (own, deployed) if each is not None), 1)
        if count > 1 and (named := service.get("container_name")) is not None and not is_nothing(named):
            self._notes.wrong(named, f"{count} containers cannot have one name", "leave `container_name` out")
        if count < 0:
            self._notes.wrong(replicas or scale or service, f"{count} containers cannot be", "write 0 or more")
        return max(count, 0)

    def _hooks(self, node: Node | None) -> tuple[JsonObject, ...]:
        found: list[JsonObject] = []
        for item in self._values.items(node):
            if (hook := self._values.mapping(item)) is None:
                continue
            environment: list[Json] = list(self._environment_of(hook.get("environment")))
            body: JsonObject = {
                "User": self._values.text(hook.get("user")),
                "Privileged": self._values.flag(hook.get("privileged")),
                **dict.fromkeys(("Tty", "AttachStdin", "AttachStderr", "AttachStdout"), False),
                "DetachKeys": "",
                "Env": environment or None,
                "WorkingDir": self._values.text(hook.get("working_dir")),
                "Cmd": _command(self._values, hook.get("command")),
                "Detach": False,
            }
            found.append(body)
        return tuple(found)

    def _say_what_is_not_shown(self, service: Mapping) -> None:
        for key, does in (
            ("provider", "compose runs a program for it, whose calls are not shown"),
            ("models", "compose runs a program that serves models, whose calls are not shown"),
            ("credential_spec", "compose passes over it"),
            ("build", "what BuildKit does goes through /grpc and /session, and is not seen"),
        ):
            said = service.get(key)
            if said is not None and not is_nothing(said):
                self._notes.say(said, f"`{key}`: {does}")
