"""SELinux: whether it may keep a container from the engine's socket.

A container's processes have the type `container_t`, which may not connect to a socket of the engine's
(`container_var_run_t`). What helps is to run this one container unconfined, `label=disable`. What does not is `:z` on
the socket's mount: that gives the engine's own socket another label, for everybody.
"""

from __future__ import annotations

import re
from typing import Final

from sockproxy.doctor.finding import Finding, ok
from sockproxy.doctor.scene import Scene

FIX: Final = 'security_opt: ["label:disable"] (docker run --security-opt label=disable); `:z` is wrong for a socket'

_LABEL: Final = re.compile(r"\w+_u:\w+_r:(\w+_t)(?::.*)?")


def context(scene: Scene) -> str:
    """The type that this process runs as, such as `container_t`; empty where there is no SELinux."""
    label = scene.text("/proc/self/attr/current").strip("\0\n ")
    found = _LABEL.fullmatch(label)
    return found[1] if found else ""


def confines(scene: Scene) -> bool:
    """Whether this process has a type that may not connect to the engine's socket, and that is enforced.

    A container does not see whether it is (`/sys/fs/selinux` is hidden from it).
    """
    return context(scene).startswith(("container_", "svirt_")) and _mode(scene) != "permissive"


def check(scene: Scene) -> Finding:
    """What SELinux is here; whether it is in the way, the socket's own check says."""
    kind, mode = context(scene), _mode(scene)
    if not kind and not mode:
        return ok("selinux", "not in use here")
    return ok("selinux", f"{mode or 'in use'}, and this process is {kind or 'not labelled'}")


def _mode(scene: Scene) -> str:
    return {"1": "enforcing", "0": "permissive"}.get(scene.text("/sys/fs/selinux/enforce").strip(), "")
