"""However a key is spelled, the engine reads the same, so the same is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.docker.inspectors import INSPECTED, inspect
from sockproxy.docker.operations import BY_NAME
from sockproxy.errors import Refusal
from tests.docker.inspecting import Engine, asks, inspected, sent

BODY: dict[str, Any] = {
    "Image": "python:3.12",
    "User": "0",
    "MacAddress": "02:00:00:00:00:01",
    "HostConfig": {
        "Privileged": True,
        "Binds": ["/etc:/h:ro"],
        "Mounts": [{"Type": "bind", "Source": "/srv", "Target": "/s", "BindOptions": {"Propagation": "shared"}}],
        "NetworkMode": "host",
        "CapAdd": ["SYS_ADMIN"],
        "MaskedPaths": [],
        "SecurityOpt": ["seccomp=unconfined"],
        "Memory": 1000,
        "LogConfig": {"Type": "gelf"},
        "RestartPolicy": {"Name": "always"},
    },
    "NetworkingConfig": {"EndpointsConfig": {"front": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}},
}
MAPS = {"EndpointsConfig"}
OTHER = {"s": "s\u017f", "k": "k\u212a", "S": "S\u017f", "K": "K\u212a"}


@st.composite
def spelled(draw: st.DrawFn, key: str) -> str:
    """A key in any case, any fold, and with any of its characters escaped, as JSON text."""
    text = ""
    for char in key:
        choice = draw(st.sampled_from([char.lower(), char.upper(), *OTHER.get(char, char)]))
        text += f"\\u{ord(choice):04x}" if draw(st.booleans()) else choice
    return text


@st.composite
def respelled(draw: st.DrawFn, value: Any, is_map: bool = False) -> str:
    """JSON text with every key of a struct spelled otherwise; a map's keys stay."""
    if isinstance(value, dict):
        pairs = []
        for key, each in value.items():
            name = key if is_map else draw(spelled(key))
            pairs.append(f'"{name}":{draw(respelled(each, key in MAPS))}')
        return "{" + ",".join(draw(st.permutations(pairs))) + "}"
    if isinstance(value, list):
        return "[" + ",".join(draw(respelled(each)) for each in value) + "]"
    return json.dumps(value)


@given(respelled(BODY))
def test_any_spelling_of_the_keys_asks_the_same(text: str) -> None:
    assert asks("POST /containers/create", text.encode()) == asks("POST /containers/create", BODY)


@given(respelled(BODY))
def test_the_tables_spelling_is_forwarded(text: str) -> None:
    assert sent(inspected("POST /containers/create", text.encode())) == sent(inspected("POST /containers/create", BODY))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)
FIELDS = sorted(
    {
        *("Privileged", "Binds", "Mounts", "CapAdd", "Devices", "DeviceRequests", "PortBindings", "LogConfig", "Tmpfs"),
        *(
            "NetworkMode",
            "PidMode",
            "VolumesFrom",
            "Links",
            "SecurityOpt",
            "MaskedPaths",
            "Memory",
            "CpuQuota",
            "Isolation",
        ),
        *("Image", "User", "Labels", "Volumes", "HostConfig", "NetworkingConfig", "EndpointsConfig", "MacAddress"),
    }
)


@pytest.mark.parametrize("place", ["top", "host"])
@given(data=st.data())
def test_any_value_in_any_field_is_judged_or_refused(place: str, data: st.DataObject) -> None:
    fields = data.draw(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3))
    body = fields if place == "top" else {"Image": "x", "HostConfig": fields}
    try:
        inspected("POST /containers/create", body)
    except Refusal:
        return


STRUCTURED = st.fixed_dictionaries(
    {},
    optional={
        "Binds": st.lists(st.text("/.:abro,z-~\\ ", max_size=12), max_size=2),
        "NetworkMode": st.text("abcontainer:/hos0f", max_size=14),
        "PidMode": st.sampled_from(["host", "container:", "container:x", "container:/", "container:a/b", "x"]),
        "VolumesFrom": st.lists(st.text("ab:ro/", max_size=6), max_size=2),
        "Links": st.lists(st.text("ab:/", max_size=6), max_size=2),
        "PortBindings": st.dictionaries(st.text("0129/tcpud-", max_size=8), st.none() | st.just([]), max_size=2),
        "SecurityOpt": st.lists(st.text("secomp=:{}labno-wprivg", max_size=20), max_size=2),
        "Mounts": st.lists(
            st.fixed_dictionaries(
                {"Type": st.sampled_from(["bind", "volume", "tmpfs", "image", ""])},
                optional={"Source": st.text("/ab.\\", max_size=6), "ReadOnly": st.booleans()},
            ),
            max_size=2,
        ),
    },
)


@given(STRUCTURED)
def test_a_host_path_is_asked_for_absolute_and_clean_or_the_body_is_refused(fields: dict[str, Any]) -> None:
    try:
        found = inspected("POST /containers/create", {"Image": "x", "HostConfig": fields}).asks
    except Refusal:
        return
    for ask in found:
        if ask.kind == "bind":
            assert ask.value.startswith("/")
            assert "//" not in ask.value
            assert not {".", ".."} & set(ask.value.split("/"))


@given(STRUCTURED)
def test_a_look_up_stays_within_its_noun(fields: dict[str, Any]) -> None:
    engine = Engine()
    try:
        inspected("POST /containers/create", {"Image": "x", "HostConfig": fields}, engine)
    except Refusal:
        return
    for path in engine.asked:
        assert not {"", ".", ".."} & set(path.split("/")[1:]), path
        assert path.split("/")[1] in ("containers", "networks", "volumes", "images")


def test_what_is_inspected_are_rows_of_the_table() -> None:
    assert set(BY_NAME) >= INSPECTED
    assert not [name for name in INSPECTED if BY_NAME[name].never]
    assert inspect.__doc__
