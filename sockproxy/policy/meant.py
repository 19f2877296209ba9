"""What a word that is none was most likely meant to be: the hints of the loader.

A word that is spelled nearly like one is that one; beyond spelling, people bring words along from docker's own options,
from compose files and from other policies.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(["permit", "endpoints", "endpoint", "paths", "path", "routes", "methods", "method"], "allow"),
        **dict.fromkeys(["block", "forbid", "refuse", "disallow", "denies", "denied"], "deny"),
        **dict.fromkeys(["powers", "capabilities"], "grant"),
        **dict.fromkeys(["restrict", "held", "constraints"], "only"),
        **dict.fromkeys(["reason", "comment", "message", "why"], "because"),
        **dict.fromkeys(["description", "title", "summary"], "about"),
        **dict.fromkeys(["inherit", "include", "base", "parent", "preset", "presets"], "extends"),
        **dict.fromkeys(["policies", "permissions"], "rules"),
        **dict.fromkeys(["users", "peers"], "clients"),
        **dict.fromkeys(["minimum", "oldest"], "min"),
        **dict.fromkeys(["maximum", "newest"], "max"),
        **dict.fromkeys(["ip", "address", "addresses", "network", "networks", "cidr", "source", "host"], "from"),
        **dict.fromkeys(["uid", "user", "unix_user", "unixuser"], "unix-user"),
        **dict.fromkeys(["data", "json", "payload"], "body"),
        **dict.fromkeys(["command", "cmd"], "run"),
        **dict.fromkeys(["call", "url", "target"], "request"),
        "status": "expect",
        **dict.fromkeys(["expected", "result", "verdict"], "expect"),
        "name": "id",
        "id": "name",
    }
)
"""Keys that other languages have for what is meant; only a word that is a key where it stands is ever proposed."""

_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(["mount", "mounts", "path", "paths", "host-path", "hostpath", "docker.sock", "socket"], "bind"),
        **dict.fromkeys(["port", "ports", "expose", "port-bindings"], "publish"),
        **dict.fromkeys(["cap", "caps", "cap-add"], "capability"),
        **dict.fromkeys(["pid", "ipc", "uts", "userns", "cgroupns"], "namespace"),
        **dict.fromkeys(
            [f"{each}-mode" for each in ("network", "pid", "ipc", "uts", "userns", "cgroupns")], "namespace"
        ),
        **dict.fromkeys(["device-request", "device-requests", "nvidia"], "gpu"),
        **dict.fromkeys(["seccomp", "apparmor", "selinux"], "security-opt"),
        **dict.fromkeys(["user-group", "group-add"], "group"),
        **dict.fromkeys(["logging", "log-opt", "log-config"], "log-driver"),
        **dict.fromkeys(["ip", "mac", "subnet", "mac-address"], "address"),
        **dict.fromkeys(["name", "names"], "container"),
        **dict.fromkeys(["img", "repo", "repos", "repository", "repositories"], "image"),
        **dict.fromkeys(["net", "nets"], "network"),
        **dict.fromkeys(["vol", "vols"], "volume"),
        "svc": "service",
        **dict.fromkeys(["command", "commands", "cmd"], "exec"),
        "restart-policy": "restart",
        **dict.fromkeys(["extra-hosts", "add-host", "hosts"], "extra-host"),
        "volumes": "bind",
    }
)
_LIMITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(["ram", "mem", "mem-limit", "memory-swap", "memswap-limit"], "memory"),
        **dict.fromkeys(["cpu", "nano-cpus", "cores"], "cpus"),
        **dict.fromkeys(["processes", "pids-limit", "nproc"], "pids"),
        "shm-size": "shm",
    }
)
_REQUIREMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(["readonly", "readonly-rootfs", "ro"], "read-only"),
        **dict.fromkeys(["cap-drop", "drop-caps"], "cap-drop-all"),
        **dict.fromkeys(["user", "nonroot", "rootless", "runasnonroot", "run-as-non-root"], "non-root"),
    }
)
_FREE: Final = frozenset(
    [
        *("cmd", "command", "entrypoint", "env", "environment", "env-file", "expose", "exposed-ports", "health-check"),
        *("healthcheck", "host-name", "hostname", "domainname", "aliases", "init", "stdin-open", "stop-signal", "tty"),
        *("tmpfs", "ulimit", "ulimits", "cpu-shares", "cpuset", "cpuset-cpus", "working-dir", "workdir", "dns-search"),
        *("mem-reservation", "memory-reservation"),
    ]
)
"""What asks nothing, whatever a client writes in it."""

_NEAR: Final = 0.7
"""How alike two words must be; below it `ports` would be `import`."""


def key(word: str, keys: Iterable[str], given: Iterable[str] = ()) -> str | None:
    """The key that was meant; None where that cannot be told. No foreign word stands for one that is ``given``."""
    known = {other: meant for other, meant in _KEYS.items() if meant not in given}
    return _one_of(word, tuple(keys), known)


def kind(word: str, kinds: Iterable[str]) -> str | None:
    """The kind of ask that was meant; None where that cannot be told."""
    return _one_of(word, tuple(kinds), _KINDS)


def limit(word: str, limits: Iterable[str]) -> str | None:
    """The limit that was meant; None where that cannot be told."""
    return _one_of(word, tuple(limits), _LIMITS)


def requirement(word: str, requirements: Iterable[str]) -> str | None:
    """What was meant to be required; None where that cannot be told."""
    return _one_of(word, tuple(requirements), _REQUIREMENTS)


def is_free(word: str) -> bool:
    """Whether a word names what asks nothing, so that nobody need allow it."""
    return _spelled(word) in _FREE


def _one_of(word: str, words: tuple[str, ...], known: Mapping[str, str]) -> str | None:
    spelled = _spelled(word)
    for meant in (known.get(word.lower()), known.get(spelled)):
        if meant in words:
            return meant
    close = difflib.get_close_matches(spelled, words, n=1, cutoff=_NEAR)
    return close[0] if close else None


def _spelled(word: str) -> str:
    """A word of the Engine API, `HostConfig.CapAdd`, or of a compose file, `cap_add`, as it would be here."""
    last = word if word.lower().endswith(".sock") else word.rpartition(".")[2]
    return re.sub("(?<=[a-z])(?=[A-Z])", "-", last).lower().replace("_", "-")


def hint(meant: str | None, words: Iterable[str]) -> str:
    """``did you mean bind?``, or all that there are."""
    return f"did you mean {meant}?" if meant is not None else f"one of {', '.join(words)}"
