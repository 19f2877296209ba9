"""Devices and GPUs."""

from __future__ import annotations

import pytest

from sockproxy.errors import Malformed
from sockproxy.model import JsonObject
from tests.docker.inspecting import host, inspected


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ({"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}, "/dev/fuse rwm"),
        ({"PathOnHost": "/dev/snd", "CgroupPermissions": "r"}, "/dev/snd r"),
        ({"PathOnHost": "/dev/../dev//kmsg"}, "/dev/kmsg rwm"),
        ({"PathOnHost": "/dev"}, "/dev rwm"),
    ],
)
def test_a_device(device: JsonObject, expected: str) -> None:
    assert host({"Devices": [device]}) == {f"device: {expected}"}


@pytest.mark.parametrize("path", ["", "dev/kmsg", "vendor.com/class=x", "\\dev"])
def test_a_device_needs_an_absolute_path(path: str) -> None:
    with pytest.raises(Malformed):
        host({"Devices": [{"PathOnHost": path}]})


def test_rules_of_the_cgroup() -> None:
    assert host({"DeviceCgroupRules": ["c 10:229 rwm", "b *:* r"]}) == {"device: c 10:229 rwm", "device: b *:* r"}


GPU = [["gpu"]]


@pytest.mark.parametrize(
    ("request_", "expected", "amount"),
    [
        ({"Count": -1, "Capabilities": GPU}, ["all"], -1),
        ({"Driver": "nvidia", "Count": -1}, ["all"], -1),
        ({"Count": 2, "Capabilities": [["compute", "gpu"]]}, ["2"], 2),
        ({"Driver": "", "Count": 0, "DeviceIDs": ["0"], "Capabilities": GPU, "Options": {}}, ["device=0"], None),
        ({"DeviceIDs": ["0", "GPU-3a"], "Capabilities": GPU}, ["device=0", "device=GPU-3a"], None),
        ({"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]}, ["nvidia.com/gpu=0"], None),
        ({"DeviceIDs": ["vendor.com/class=x"], "Capabilities": [["cdi"]]}, ["vendor.com/class=x"], None),
        ({"DeviceIDs": ["vendor.com/class=x"], "Capabilities": GPU}, ["vendor.com/class=x"], None),
        ({"Driver": "amd", "Count": -1}, ["amd all"], None),
        ({"Driver": "amd", "Count": 1}, ["amd 1"], None),
        ({"Driver": "amd", "DeviceIDs": ["0"]}, ["amd device=0"], None),
        ({"Count": -1, "Capabilities": [["tpm"]]}, ["tpm all"], None),
        ({"Capabilities": GPU}, ["0"], 0),
        ({}, ["0"], 0),
        ({"Count": -1, "DeviceIDs": ["0"], "Capabilities": GPU}, ["device=0", "all"], -1),
    ],
)
def test_a_gpu(request_: JsonObject, expected: list[str], amount: int | None) -> None:
    found = inspected("POST /containers/create", {"Image": "x", "HostConfig": {"DeviceRequests": [request_]}}).asks
    gpus = [ask for ask in found if ask.kind == "gpu"]
    assert [ask.value for ask in gpus] == expected
    assert gpus[-1].amount == amount


def test_options_of_a_device_request_are_not_known() -> None:
    request = {"Count": -1, "Capabilities": GPU, "Options": {"a": "b"}}
    assert host({"DeviceRequests": [request]}) == {"gpu: all", "field: HostConfig.DeviceRequests.Options.a"}
