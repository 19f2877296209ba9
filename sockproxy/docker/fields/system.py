"""The body of ``/auth`` (moby: ``api/types/registry/authconfig.go``)."""

from __future__ import annotations

from typing import Final

from sockproxy.docker.fields.schema import Str, Struct

AUTH: Final = Struct(
    dict.fromkeys(
        ("username", "password", "auth", "email", "serveraddress", "identitytoken", "registrytoken"),
        Str(),
    )
)
