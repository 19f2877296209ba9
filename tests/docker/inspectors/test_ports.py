"""Published ports."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.errors import Malformed
from tests.docker.inspecting import host


@pytest.mark.parametrize(
    ("port", "binding", "expected"),
    [
        ("80/tcp", {"HostPort": "8080"}, "0.0.0.0:8080/tcp"),
        ("80/tcp", {"HostIp": "127.0.0.1", "HostPort": "8080"}, "127.0.0.1:8080/tcp"),
        ("80", {"HostPort": "8080"}, "0.0.0.0:8080/tcp"),
        ("80/", {"HostPort": "8080"}, "0.0.0.0:8080/tcp"),
        ("53/UDP", {"HostPort": "53"}, "0.0.0.0:53/udp"),
        ("80/tcp", {"HostPort": ""}, "0.0.0.0:random/tcp"),
        ("80/tcp", {"HostPort": "0"}, "0.0.0.0:random/tcp"),
        ("80/tcp", {}, "0.0.0.0:random/tcp"),
        ("80/tcp", {"HostIp": "127.0.0.1"}, "127.0.0.1:random/tcp"),
        ("80/tcp", {"HostPort": "8000-8010"}, "0.0.0.0:8000-8010/tcp"),
        ("80/tcp", {"HostPort": "8000-8000"}, "0.0.0.0:8000/tcp"),
        ("80/tcp", {"HostPort": "0080"}, "0.0.0.0:80/tcp"),
        ("80-85/tcp", {"HostPort": "80-85"}, "0.0.0.0:80-85/tcp"),
        ("80/tcp", {"HostIp": "::1", "HostPort": "1"}, "[::1]:1/tcp"),
        ("80/tcp", {"HostIp": "::", "HostPort": "1"}, "[::]:1/tcp"),
        ("80/tcp", {"HostIp": "0:0:0::1", "HostPort": "1"}, "[::1]:1/tcp"),
        ("80/tcp", {"HostIp": "::ffff:127.0.0.1", "HostPort": "1"}, "127.0.0.1:1/tcp"),
    ],
)
def test_a_binding(port: str, binding: dict[str, str], expected: str) -> None:
    assert host({"PortBindings": {port: [binding]}}) == {f"publish: {expected}"}


@pytest.mark.parametrize("bindings", [None, [], [{}]])
def test_a_port_without_bindings_is_published_at_random(bindings: Any) -> None:
    assert host({"PortBindings": {"80/udp": bindings}}) == {"publish: 0.0.0.0:random/udp"}


def test_every_binding_is_asked_for() -> None:
    bindings = {"80/tcp": [{"HostPort": "1"}, {"HostPort": "2"}], "81/tcp": [{"HostPort": "3"}]}
    assert host({"PortBindings": bindings}) == {f"publish: 0.0.0.0:{port}/tcp" for port in "123"}


@pytest.mark.parametrize(
    ("port", "binding"),
    [
        *(
            ("", {}),
            ("tcp", {}),
            ("80/tcp/udp", {}),
            ("80/icmp", {}),
            ("80 /tcp", {}),
            ("80/tcp\n", {}),
            ("\u0668/tcp", {}),
        ),
        *(("80/tcp", {"HostPort": value}) for value in ("x", "80-", "-80", " 80", "80/tcp", "1-2-3", "123456", "+80")),
        # Engines take what Go cannot read as an address for every address (tried on 20.10 and 28.5).
        *(
            ("80/tcp", {"HostIp": value})
            for value in ("127.0.0.001", "localhost", "127.1", " 127.0.0.1", "fe80::1%eth0")
        ),
    ],
)
def test_what_is_no_port_or_no_address_is_refused(port: str, binding: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        host({"PortBindings": {port: [binding]}})
