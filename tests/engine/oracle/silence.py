"""Takes each field away from sockproxy in turn, and demands that the oracle sees it: ``python -m tests.engine.oracle.silence``.

Two ways to be blind to a field: to ask nothing for it, and to lose it on the way to the engine. Under each, cases about
that field must turn red that are green otherwise. What no inspect shows is listed with the unit test that turns red
instead, and that test is run. Ends with 1 if anything stays green.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

import pytest

from sockproxy.docker.inspectors import containers, host_config
from sockproxy.docker.inspectors import services as service_inspector
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.model import Ask, Inspection
from tests.engine.disposable import Engine, discover
from tests.engine.oracle import services
from tests.engine.oracle.cases import FOCUSES, case
from tests.engine.oracle.scene import in_a_swarm, scene
from tests.engine.oracle.trial import Trial

SEED = 1
MOST = 40
"""Cases about a field before it is called green."""

OPERATIONS = {
    "container": "ContainerCreate",
    "exec": "ContainerExec",
    "volume": "VolumeCreate",
    "network": "NetworkCreate",
    "service": "ServiceCreate",
}


# Two ways of being blind


@contextmanager
def losing(noun: str, path: str) -> Iterator[None]:
    """The field is not forwarded."""
    forward = Findings.forward

    def lossy(self: Findings, *, body: Any = None, **more: Any) -> Inspection:
        if self.call.operation.name == OPERATIONS[noun]:
            _lose(body, path.split("."))
        return forward(self, body=body, **more)

    with patch.object(Findings, "forward", lossy):
        yield


def _lose(body: Any, path: list[str]) -> None:
    if not isinstance(body, dict):
        return
    if path[0] == "EndpointsConfig" and len(path) > 1:
        for endpoint in (body.get("EndpointsConfig") or {}).values():
            _lose(endpoint, path[1:])
    elif len(path) == 1:
        body.pop(path[0], None)
    else:
        _lose(body.get(path[0]), path[1:])


@contextmanager
def silencing(noun: str, path: str) -> Iterator[None]:
    """The field asks nothing."""
    field = path.removeprefix("HostConfig.")
    if path.startswith("HostConfig.") and field in host_config._READERS:
        readers = {**host_config._READERS, field: lambda _found, value, _where: value}
        with patch.object(host_config, "_READERS", MappingProxyType(readers)), _dropping(noun, path, requirements=True):
            yield
    elif path in _UNSEEN:
        with _unseen_limit(field):
            yield
    else:
        with _dropping(noun, ASKED_AT.get(f"{noun}.{path}", path)):
            yield


@contextmanager
def _dropping(noun: str, path: str, *, requirements: bool = False) -> Iterator[None]:
    """Whatever is asked at this place is forgotten. ``requirements``: only what is said to be missing there."""
    ask, note = Findings.ask, Findings.note

    def here(self: Findings, kind: str, where: str) -> bool:
        place = re.sub(r"\[[^\]]*\]", "", where)
        if self.call.operation.name != OPERATIONS[noun] or (requirements and kind != "require"):
            return False
        return place == path or place.startswith((f"{path}.", f"{path} "))

    def deaf_ask(self: Findings, kind: str, value: str, where: str, **more: Any) -> None:
        if not here(self, kind, where):
            ask(self, kind, value, where, **more)

    def deaf_note(self: Findings, said: Ask) -> None:
        if not here(self, said.kind, said.where):
            note(self, said)

    with patch.object(Findings, "ask", deaf_ask), patch.object(Findings, "note", deaf_note):
        yield


_UNSEEN = frozenset({"HostConfig.MemorySwap", "HostConfig.CpuPeriod"})
"""Fields that only change what another amounts to."""


def _unseen_limit(field: str) -> AbstractContextManager[Any]:
    inspect_limits = host_config.inspect_limits
    return patch.object(
        containers,
        "inspect_limits",
        lambda found, host: inspect_limits(found, {key: each for key, each in host.items() if key != field}),
    )


ASKED_AT: Mapping[str, str] = {
    "container.HostConfig.CpuQuota": "HostConfig.NanoCpus",
    "volume.Driver": "DriverOpts",
}
"""Where a field is asked for, if not under its own name."""

ASKING: tuple[str, ...] = (
    *(f"container.HostConfig.{name}" for name in sorted(host_config._READERS)),
    *(
        f"container.HostConfig.{name}"
        for name in (
            *("NetworkMode", "Memory", "MemorySwap", "NanoCpus", "CpuQuota", "CpuPeriod", "PidsLimit", "ShmSize"),
            *("ReadonlyRootfs", "CapDrop"),
        )
    ),
    *(f"container.{name}" for name in ("Image", "Labels", "User", "MacAddress", "Volumes")),
    *(
        f"container.NetworkingConfig.EndpointsConfig.{name}"
        for name in ("NetworkID", "IPAMConfig", "Links", "MacAddress", "DriverOpts")
    ),
    *(f"exec.{name}" for name in ("Cmd", "Privileged", "User")),
    *(f"volume.{name}" for name in ("Name", "DriverOpts", "Driver")),
    *(f"network.{name}" for name in ("Name", "Driver", "Options", "IPAM", "ConfigFrom", "Scope", "Ingress")),
)
"""Every field that asks something."""

_SPEC = "service.TaskTemplate.ContainerSpec"
ASKING_OF_SERVICES: tuple[str, ...] = (
    *(f"{_SPEC}.{name}" for name in sorted(service_inspector.READ_HERE | service_inspector.READ_ELSEWHERE)),
    *(f"service.TaskTemplate.{name}" for name in ("Resources", "RestartPolicy", "Networks", "LogDriver")),
    *(f"service.{name}" for name in ("Name", "Labels", "Networks", "EndpointSpec")),
)

_INSPECTORS = "tests/docker/inspectors"
_HOST_CONFIG = f"{_INSPECTORS}/test_host_config.py::test_what_a_field_asks"
_NETWORKS = f"{_INSPECTORS}/test_networks.py::test_what_making_one_asks"
_FORWARDED = "tests/engine/test_oracle.py::test_what_no_inspect_shows_is_forwarded"

HIDDEN: Mapping[str, Any] = {
    # Kernels of today have no weights, engines drop what is Windows' own, and overlay2 wants XFS for a size.
    "container.HostConfig.BlkioWeight": 300,
    "container.HostConfig.BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 300}],
    "container.HostConfig.StorageOpt": {"size": "10G"},
    "container.HostConfig.CpuPercent": 50,
    "container.HostConfig.DiskQuota": 1 << 20,
    "container.HostConfig.IOMaximumBandwidth": 1 << 20,
    "container.HostConfig.IOMaximumIOps": 100,
    # An exec's inspect shows neither.
    "exec.ConsoleSize": [24, 80],
    "exec.Detach": True,
    "exec.Env": ["A=b"],
    "exec.WorkingDir": "/srv",
    # Another driver needs a plug-in or a kernel module, or a swarm, as these two do; the check is always made.
    "volume.Driver": "other",
    "volume.ClusterVolumeSpec": {"Group": "g"},
    "network.CheckDuplicate": True,
    "network.Driver": "macvlan",
    "network.Ingress": True,
    "network.Scope": "swarm",
    # A container is what there is without a word, and is noted so.
    "service.TaskTemplate.Runtime": "container",
}
"""Fields that are forwarded and that no inspect of an engine here shows, with a value for each."""

NOT_SHOWN: Mapping[tuple[str, str], str] = {
    **{(field, "lost"): f"{_FORWARDED}[{field}]" for field in HIDDEN},
    ("container.HostConfig.BlkioWeightDevice", "asks nothing"): _HOST_CONFIG,
    ("container.HostConfig.StorageOpt", "asks nothing"): _HOST_CONFIG,
    # Every container has the host's with cgroups of version 1, and a Linux engine takes the default isolation alone.
    ("container.HostConfig.CgroupnsMode", "asks nothing"): _HOST_CONFIG,
    ("container.HostConfig.Isolation", "asks nothing"): _HOST_CONFIG,
    ("volume.Driver", "asks nothing"): f"{_INSPECTORS}/test_volumes.py",
    ("network.Driver", "asks nothing"): _NETWORKS,
    ("network.Ingress", "asks nothing"): _NETWORKS,
    ("network.Scope", "asks nothing"): _NETWORKS,
}
"""What no inspect of any engine here shows, with the unit test that turns red instead."""

_OVERWRITTEN = ("DNSNames", "EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen")
NEVER_SENT = frozenset(
    {
        "container.HostConfig.ContainerIDFile",
        *(
            f"container.NetworkingConfig.EndpointsConfig.{name}"
            for name in (*_OVERWRITTEN, "IPAddress", "IPPrefixLen", "IPv6Gateway", "NetworkID")
        ),
    }
)
"""Fields that are kept from the engine on purpose, so that there is nothing to lose."""


# The two sides of the proof


def first_red(trial: Trial, about: str, blind: Callable[[], AbstractContextManager[None]]) -> int | None:
    """The number of cases after which the oracle sees it; None if it never does."""
    for number in range(MOST):
        each = case(SEED, number, trial._scene, about)
        trial.tally.failures.clear()
        with blind():
            trial.one(each)
        if not trial.tally.failures:
            continue
        trial.tally.failures.clear()
        trial.one(each)
        assert not trial.tally.failures, f"red without being blinded: {trial.tally.failures[0]}"
        return number + 1
    return None


def unit_test_fails(test: str, blind: Callable[[], AbstractContextManager[None]]) -> bool:
    """Whether that test fails under the same patch, and passes without it."""

    def run() -> int:
        with contextlib.redirect_stdout(io.StringIO()):
            # What is imported already cannot be rewritten, which needs no telling.
            quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
            return int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--no-header", *quiet, test]))

    passes = run()
    with blind():
        fails = run()
    return passes == pytest.ExitCode.OK and fails == pytest.ExitCode.TESTS_FAILED


WAYS: Mapping[str, Callable[[str, str], AbstractContextManager[None]]] = {"asks nothing": silencing, "lost": losing}


def wanted(focuses: tuple[str, ...], asking: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each field, and each way to be blind to it."""
    for field in sorted({*focuses, *asking}):
        if field in asking:
            yield field, "asks nothing"
        if field not in NEVER_SENT:
            yield field, "lost"


def tried(trials: list[Trial], field: str, way: str) -> tuple[bool, str]:
    """Whether being blind to a field in that way turns a case red, and which."""
    noun, _, path = field.partition(".")
    for trial in trials:
        if (count := first_red(trial, field, lambda: WAYS[way](noun, path))) is not None:
            return True, f"Docker {trial._scene.engine.version}, case {count}"
    return False, "no case"


def main() -> int:
    engines: tuple[Engine, ...] = discover().engines
    if not engines:
        print(discover().reason)
        return 1
    told: list[bool] = []

    def tell(field: str, way: str, what: str, *, red: bool) -> None:
        told.append(red)
        print(f"{'red  ' if red else 'GREEN'}  {way:12}  {field:66}  {what}", flush=True)

    # Before there is anything on the engines: the session of a test under tests/engine sweeps them at its end.
    for (field, way), test in NOT_SHOWN.items():
        noun, _, path = field.partition(".")
        tell(field, way, test, red=unit_test_fails(test, lambda noun=noun, path=path, way=way: WAYS[way](noun, path)))  # type: ignore[misc]
    with contextlib.ExitStack() as stack:
        # The newest shows most; what it dropped an older one still has.
        stages = [stack.enter_context(scene(each)) for each in reversed(engines)]
        swarm = stack.enter_context(in_a_swarm(stages[0]))
        for there, fields in (
            (stages, wanted(FOCUSES, ASKING)),
            ([swarm], wanted(services.FOCUSES, ASKING_OF_SERVICES)),
        ):
            trials = [Trial(each, SEED) for each in there]
            for field, way in fields:
                if (field, way) not in NOT_SHOWN:
                    red, what = tried(trials, field, way)
                    tell(field, way, what, red=red)
    print(f"{told.count(False)} of {len(told)} stayed green")
    return 0 if all(told) else 1


if __name__ == "__main__":
    sys.exit(main())
