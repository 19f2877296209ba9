"""Security options."""

from __future__ import annotations

import pytest

from sockproxy.docker.inspectors.security import MASKED_PATHS, READONLY_PATHS, security_ask
from sockproxy.model import JsonObject
from tests.docker.inspecting import host


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("seccomp=unconfined", "seccomp=unconfined"),
        ("seccomp:unconfined", "seccomp=unconfined"),
        ('seccomp={"defaultAction":"SCMP_ACT_ALLOW"}', "seccomp=profile"),
        ("seccomp=builtin", None),
        ("seccomp=", None),
        ("apparmor=unconfined", "apparmor=unconfined"),
        ("apparmor:ci", "apparmor=ci"),
        ("apparmor=docker-default", None),
        ("label=disable", "label=disable"),
        ("label:type:svirt_t", "label=type:svirt_t"),
        ("disable", "label=disable"),
        ("no-new-privileges", None),
        ("no-new-privileges=true", None),
        ("no-new-privileges:1", None),
        ("no-new-privileges=false", "no-new-privileges=false"),
        ("writable-cgroups", "writable-cgroups"),
        ("writable-cgroups=true", "writable-cgroups"),
        ("writable-cgroups=0", None),
        ("systempaths=unconfined", "systempaths=unconfined"),
        ("SECCOMP=builtin", "SECCOMP=builtin"),
        ("brand-new", "brand-new="),
    ],
)
def test_an_option(option: str, expected: str | None) -> None:
    assert security_ask(option, "") == expected
    assert host({"SecurityOpt": [option]}) - {"require: no-new-privileges"} == (
        {f"security-opt: {expected}"} if expected else set()
    )


NEWER = ["/proc/interrupts", "/sys/devices/virtual/powercap"]


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"MaskedPaths": sorted(MASKED_PATHS), "ReadonlyPaths": sorted(READONLY_PATHS)}, False),
        ({"MaskedPaths": sorted(MASKED_PATHS) + NEWER}, False),
        ({"MaskedPaths": None, "ReadonlyPaths": None}, False),
        ({"MaskedPaths": []}, True),
        ({"ReadonlyPaths": []}, True),
        ({"MaskedPaths": ["/proc/kcore"]}, True),
        ({"MaskedPaths": sorted(MASKED_PATHS)[1:]}, True),
        ({"ReadonlyPaths": sorted(READONLY_PATHS)[:-1]}, True),
    ],
)
def test_masks(fields: JsonObject, asked: bool) -> None:
    assert host(fields) == ({"security-opt: systempaths=unconfined"} if asked else set())
