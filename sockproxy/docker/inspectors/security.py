"""Security options: `SecurityOpt`, and the paths of /proc and /sys that every container has masked or read-only."""

from __future__ import annotations

from typing import Final

from sockproxy.docker.inspectors.findings import Findings
from sockproxy.errors import Malformed
from sockproxy.model import Json

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DEFAULTS: Final = frozenset(
    {("seccomp", ""), ("seccomp", "builtin"), ("apparmor", ""), ("apparmor", "docker-default")}
)
"""Profiles that every container has."""
_SWITCHES: Final = frozenset({"no-new-privileges", "writable-cgroups"})


def read_security_opts(found: Findings, value: Json, where: str) -> Json:
    """The asks of `SecurityOpt`."""
    assert isinstance(value, list)
    for index, option in enumerate(value):
        if (ask := security_ask(str(option), f"{where}[{index}]")) is not None:
            found.ask("security-opt", ask, f"{where}[{index}]")
    return value


def security_ask(option: str, where: str) -> str | None:
    """What one option asks for; None for a hardening, and for what every container has.

    ``key=value``, or the legacy ``key:value`` (moby, daemon/daemon_unix.go, ``parseSecurityOpt``).

    Raises:
        Malformed: a switch that is neither true nor false.
    """
    key, value = _split(option)
    match key:
        case "no-new-privileges":
            return None if _switch(value, where) else "no-new-privileges=false"
        case "writable-cgroups":
            return "writable-cgroups" if _switch(value, where) else None
        case "disable":
            return "label=disable"
        case "seccomp" if value not in ("", "builtin", "unconfined"):
            return "seccomp=profile"
        case _:
            return None if (key, value) in _DEFAULTS else f"{key}={value}"


def no_new_privileges(options: Json) -> bool:
    """Whether `SecurityOpt` sets it; a later entry overrides an earlier one."""
    answer = False
    for option in options if isinstance(options, list) else ():
        key, value = _split(str(option))
        if key == "no-new-privileges":
            answer = value in _TRUE
    return answer


def _split(option: str) -> tuple[str, str]:
    if option in _SWITCHES:
        return option, "true"
    key, _, value = option.partition("=" if "=" in option else ":")
    return key, value


def _switch(value: str, where: str) -> bool:
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise Malformed(f"{where}: `{value}` is neither true nor false")


MASKED_PATHS: Final = frozenset(
    {
        *("/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
        *("/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
    }
)
"""What every engine since 20.10 masks. Newer ones mask more; a list without theirs may be the echo of an older one."""

READONLY_PATHS: Final = frozenset({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"})
"""What every engine makes read-only."""


def read_paths(found: Findings, value: Json, where: str) -> Json:
    """`MaskedPaths` or `ReadonlyPaths`: emptied by `systempaths=unconfined`, echoed whole by who copies an inspect."""
    assert isinstance(value, list)
    every = MASKED_PATHS if where.endswith("MaskedPaths") else READONLY_PATHS
    if not every.issubset(str(path) for path in value):
        found.ask("security-opt", "systempaths=unconfined", where)
    return value


def capability(name: str) -> str:
    """``cap_net_admin`` → ``NET_ADMIN``. Go's upper case takes in the long s, as Python's does."""
    return name.upper().removeprefix("CAP_")
