"""The bodies of an exec (moby: ``api/types/container/exec.go``)."""

from __future__ import annotations

from typing import Final

from sockproxy.docker.fields.schema import UINT64, Bool, Ignored, List, Str, Struct

_CONSOLE_SIZE: Final = List(UINT64)

CREATE: Final = Struct(
    {
        "User": Str(),
        "Privileged": Bool(),
        "Tty": Bool(),
        "ConsoleSize": _CONSOLE_SIZE,
        "AttachStdin": Bool(),
        "AttachStderr": Bool(),
        "AttachStdout": Bool(),
        "Detach": Bool(),
        "DetachKeys": Str(),
        "Env": List(Str()),
        "WorkingDir": Str(),
        "Cmd": List(Str()),
        # docker-py, docker-java and Portainer repeat the container's id; the path alone is read.
        **dict.fromkeys(("Container", "containerId", "id"), Ignored()),
    }
)

START: Final = Struct(
    {
        "Detach": Bool(),
        "Tty": Bool(),
        "ConsoleSize": _CONSOLE_SIZE,
        # dockerode's own options, which it sends along.
        **dict.fromkeys(("hijack", "stdin"), Ignored()),
    }
)
