"""What a word that is none was most likely meant to be: the hints of the loader.

A word that is spelled nearly like one is that one; beyond spelling, people bring words along from docker's own options,
from compose files and from other policies.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(["permit", "endpoints", "paths", "path", "routes", "methods"], "allow"),
        **dict.fromkeys(["block", "forbid", "refuse", "disallow"], "deny"),
        **dict.fromkeys(["permissions", "powers", "capabilities"], "grant"),
        **dict.fromkeys(["restrict", "held", "constraints"], "only"),
        **dict.fromkeys(["reason", "comment", "message", "why"], "because"),
        **dict.fromkeys(["description", "title", "summary"], "about"),
        **dict.fromkeys(["inherit", "include", "base", "parent"], "extends"),
        **dict.fromkeys(["ip", "address", "addresses", "network", "networks", "cidr", "source"], "from"),
        **dict.fromkeys(["uid", "user", "unix_user", "unixuser"], "unix-user"),
        **dict.fromkeys(["data", "json", "payload"], "body"),
        **dict.fromkeys(["command", "cmd"], "run"),
        **dict.fromkeys(["call", "url", "target"], "request"),
        **dict.fromkeys(["expected", "result", "verdict"], "expect"),
        "name": "id",
    }
)
"""Keys that other languages have for what is meant; only a word that is a key where it stands is ever proposed."""

_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(["mount", "mounts", "path", "paths", "host-path", "hostpath"], "bind"),
        **dict.fromkeys(["port", "ports", "expose"], "publish"),
        **dict.fromkeys(["cap", "caps", "cap-add", "cap_add"], "capability"),
        **dict.fromkeys(["pid", "ipc", "uts", "userns", "network_mode", "network-mode"], "namespace"),
        **dict.fromkeys(["device-request", "nvidia"], "gpu"),
        **dict.fromkeys(["seccomp", "apparmor", "selinux"], "security-opt"),
        **dict.fromkeys(["user-group", "group-add", "group_add"], "group"),
        **dict.fromkeys(["logging", "log-opt", "log_driver"], "log-driver"),
        **dict.fromkeys(["ip", "mac", "subnet"], "address"),
        **dict.fromkeys(["name", "names"], "container"),
        **dict.fromkeys(["command", "commands", "cmd"], "exec"),
        **dict.fromkeys(["restart-policy", "restart_policy"], "restart"),
        **dict.fromkeys(["extra_hosts", "add-host", "hosts"], "extra-host"),
    }
)
_LIMITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(["ram", "mem", "mem_limit", "mem-limit"], "memory"),
        **dict.fromkeys(["nano-cpus", "cores"], "cpus"),
        **dict.fromkeys(["processes", "pids-limit", "pids_limit", "nproc"], "pids"),
        **dict.fromkeys(["shm-size", "shm_size"], "shm"),
    }
)

_NEAR: Final = 0.7
"""How alike two words must be; below it `ports` would be `import`."""
_NEAR_OF_FEW: Final = 0.6
"""The same among a few words."""


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


def _one_of(word: str, words: tuple[str, ...], known: Mapping[str, str]) -> str | None:
    meant = known.get(word.lower())
    if meant in words:
        return meant
    near = _NEAR if len(words) > 12 else _NEAR_OF_FEW
    close = difflib.get_close_matches(word.lower().replace("_", "-"), words, n=1, cutoff=near)
    return close[0] if close else None


def hint(meant: str | None, words: Iterable[str]) -> str:
    """``did you mean bind?``, or all that there are."""
    return f"did you mean {meant}?" if meant is not None else f"one of {', '.join(words)}"
