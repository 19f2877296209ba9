"""Every parameter of a build."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from sockproxy.errors import Malformed
from sockproxy.model import Missing
from tests.docker.inspecting import asks, inspected

ID = "ab" * 32
ENGINE: dict[str, Any] = {
    "/containers/db/json": {"Id": ID, "Name": "/db", "Config": {}, "HostConfig": {"Binds": ["/etc:/h"]}},
    "/networks/fabb": {"Name": "host", "Id": "fabb" + "0" * 60, "Driver": "host"},
    "/networks/f00d": {"Name": "front", "Id": "f00d" + "0" * 60, "Driver": "bridge"},
    "/images/4dc9/json": Missing(404, "no such image"),
}

FREE = (
    'buildargs={"A":null,"B":"c"}&labels={"a":"b"}&q=1&nocache=1&pull=1&rm=1&forcerm=1&memory=1&memswap=1&cpushares=1'
    "&cpusetcpus=0&cpusetmems=0&cpuperiod=1&cpuquota=1&shmsize=1&squash=1&platform=a&target=b&isolation=&ulimits=[]"
    "&dockerfile=D"
)


def outputs(*each: dict[str, Any]) -> str:
    return "outputs=" + quote(json.dumps(list(each)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"network: bridge"}),
        (
            "t=ci-a&t=r.example.com/x:1",
            {"network: bridge", "tag: docker.io/library/ci-a:latest", "tag: r.example.com/x:1"},
        ),
        ("networkmode=default", {"network: bridge"}),
        ("networkmode=bridge", {"network: bridge"}),
        ("networkmode=none", set()),
        ("networkmode=host", {"namespace: network=host"}),
        ("networkmode=fabb", {"namespace: network=host"}),
        ("networkmode=front", {"network: front"}),
        ("networkmode=container:db", {"namespace: network=container:db", "container: db", "bind: /etc"}),
        ("networkmode=none&remote=client-session&session=x&version=2&buildid=b", set()),
        ("networkmode=none&remote=upload-request&buildid=upload-request:b", set()),
        ("networkmode=none&remote=https://git.example.com/x.git", {"build: remote=https://git.example.com/x.git"}),
        ("networkmode=none&remote=-", {"build: remote=-"}),
        ("networkmode=none&version=3", {"query: version=3"}),
        ("networkmode=none&version=1", set()),
        ("networkmode=none&cgroupparent=/x", {"cgroup-parent: /x"}),
        (
            "networkmode=none&securityopt=seccomp%3Dunconfined&securityopt=label:disable",
            {"security-opt: seccomp=unconfined", "security-opt: label=disable"},
        ),
        (
            "networkmode=none&extrahosts=a:1.2.3.4&extrahosts=b:host-gateway",
            {"extra-host: a:1.2.3.4", "extra-host: b:host-gateway"},
        ),
        (
            'networkmode=none&cachefrom=["a","r.example.com/b:1"]',
            {"image: docker.io/library/a:latest", "image: r.example.com/b:1"},
        ),
        ('networkmode=none&cachefrom=["4dc9"]', {"image: docker.io/library/4dc9:latest"}),
        ("networkmode=none&cachefrom=null", set()),
        ("networkmode=none&cachefrom=[]", set()),
        ("networkmode=none&outputs=null", set()),
        ("networkmode=none&outputs=[]", set()),
        (
            f"networkmode=none&{FREE}",
            set(),
        ),
        ("networkmode=none&brandnew=1", {"query: brandnew"}),
    ],
)
def test_what_a_parameter_asks(query: str, expected: set[str]) -> None:
    assert asks(f"POST /build?{query}", None, ENGINE) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"Type": "local", "Attrs": {"dest": "out"}}, set()),
        ({"Type": "tar"}, set()),
        ({"Type": ""}, set()),
        ({"Type": "cacheonly"}, set()),
        ({"Type": "image"}, set()),
        (
            {"type": "moby", "attrs": {"name": "ci-a,r.example.com/b:1"}},
            {"tag: docker.io/library/ci-a:latest", "tag: r.example.com/b:1"},
        ),
        ({"Type": "image", "Attrs": {"name": "a", "push": "true"}}, {"build: output=image name=a push=true"}),
        ({"Type": "registry"}, {"build: output=registry"}),
        ({"Type": "oci"}, {"build: output=oci"}),
        ({"Type": "local", "BrandNew": 1}, {"field: ?outputs.BrandNew"}),
    ],
)
def test_outputs(output: dict[str, Any], expected: set[str]) -> None:
    assert asks(f"POST /build?networkmode=none&{outputs(output)}") == expected


@pytest.mark.parametrize(
    "query", ["t=UPPER", "cachefrom={}", "outputs={}", 'cachefrom=["UPPER"]', "outputs=[1]", "cachefrom=["]
)
def test_what_is_wrong_is_refused(query: str) -> None:
    with pytest.raises(Malformed):
        inspected(f"POST /build?{query}")


def test_what_is_forwarded() -> None:
    forward = inspected("POST /build?networkmode=container:db&t=a", None, ENGINE).forward
    assert forward.target == f"/v1.51/build?networkmode=container%3A{ID}&t=a"
    assert forward.streams_body
    full = "f00d" + "0" * 60
    assert inspected("POST /build?networkmode=f00d", None, ENGINE).forward.target == f"/v1.51/build?networkmode={full}"


def test_the_cache_is_nobodys() -> None:
    assert asks("POST /build/prune?all=1") == set()
    assert asks("POST /build/cancel?id=x") == set()
