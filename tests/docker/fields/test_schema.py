"""Reading a body as Go would, and no more loosely."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.docker.fields import normalise
from sockproxy.docker.fields.schema import (
    Bool,
    Ignored,
    Int,
    List,
    Map,
    Misplaced,
    Pointer,
    Str,
    Struct,
    Words,
    is_zero,
)
from sockproxy.errors import Malformed
from sockproxy.model import Ask

INNER = Struct({"Name": Str(), "Count": Int()})
TABLE = Struct(
    {
        "Image": Str(),
        "Tty": Bool(),
        "Memory": Int(),
        "Weight": Int(0, 65535),
        "Env": List(Str()),
        "Cmd": Words(),
        "Labels": Map(Str()),
        "Ports": Map(List(INNER)),
        "HostConfig": INNER,
        "Mounts": List(INNER),
        "Limits": List(Pointer({"Name": Str()})),
        "Masks": List(Str()),
        "Echo": Ignored(),
        "Privileged": Misplaced(),
    }
)


def read(value: Any) -> Any:
    return normalise(value, TABLE).value


@pytest.mark.parametrize(
    ("body", "normal"),
    [
        (None, {}),
        ({}, {}),
        ({"Image": "x", "Tty": False, "Memory": 0}, {"Image": "x", "Tty": False, "Memory": 0}),
        ({"image": "x", "TTY": True}, {"Image": "x", "Tty": True}),
        ({"ma\u017fk\u017f": ["a"]}, {"Masks": ["a"]}),
        ({"ho\u017ftconfig": {"name": "a"}}, {"HostConfig": {"Name": "a"}}),
        ({"Image": None, "Tty": None, "HostConfig": None, "Env": None, "Labels": None, "Echo": None}, {}),
        ({"Masks": []}, {"Masks": []}),
        ({"Env": [None, "a"]}, {"Env": ["", "a"]}),
        ({"Mounts": [None]}, {"Mounts": [{}]}),
        ({"Labels": {"a": None, "A": "b"}}, {"Labels": {"a": "", "A": "b"}}),
        ({"Ports": {"80/tcp": None}}, {"Ports": {"80/tcp": []}}),
        ({"Ports": {"80/tcp": [{"name": "a"}]}}, {"Ports": {"80/tcp": [{"Name": "a"}]}}),
        ({"Cmd": "a b"}, {"Cmd": ["a b"]}),
        ({"Cmd": ""}, {"Cmd": [""]}),
        ({"Cmd": ["a", "b"]}, {"Cmd": ["a", "b"]}),
        ({"Echo": {"any": ["thing"]}}, {}),
        ({"echo": 5}, {}),
        ({"Memory": 2**63 - 1, "Weight": 65535}, {"Memory": 2**63 - 1, "Weight": 65535}),
        ({"Unknown": None, "Another": 0, "Third": [], "Fourth": "", "Fifth": {}, "Sixth": False, "Seventh": 0.0}, {}),
    ],
)
def test_a_body_has_one_normal_form(body: Any, normal: Any) -> None:
    assert read(body) == normal
    assert read(normal) == normal


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], "the body"),
        ("text", "the body"),
        ({"Image": 1}, "Image"),
        ({"Image": ["x"]}, "Image"),
        ({"Tty": 1}, "Tty"),
        ({"Tty": "true"}, "Tty"),
        ({"tty": 0}, "Tty"),
        ({"Memory": 1.0}, "Memory"),
        ({"Memory": True}, "Memory"),
        ({"Memory": "1"}, "Memory"),
        ({"Memory": 2**63}, "Memory"),
        ({"Memory": -(2**63) - 1}, "Memory"),
        ({"Weight": -1}, "Weight"),
        ({"Weight": 65536}, "Weight"),
        ({"Env": "A=1"}, "Env"),
        ({"Env": ["A=1", 2]}, "Env[1]"),
        ({"Cmd": ["a", 1]}, "Cmd[1]"),
        ({"Cmd": 1}, "Cmd"),
        ({"Labels": []}, "Labels"),
        ({"Labels": {"a": 1}}, "Labels[a]"),
        ({"HostConfig": []}, "HostConfig"),
        ({"HostConfig": {"Name": 1}}, "HostConfig.Name"),
        ({"Mounts": [{}, {"Count": "1"}]}, "Mounts[1].Count"),
        ({"Ports": {"80/tcp": [{"Name": False}]}}, "Ports[80/tcp][0].Name"),
        ({"Limits": [None]}, "Limits[0]"),
    ],
)
def test_a_wrong_type_is_refused_with_its_place(body: Any, place: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(body)
    assert refused.value.message.startswith(f"{place} ")


@pytest.mark.parametrize(
    "body",
    [
        {"Image": "a", "image": "b"},
        {"image": "a", "IMAGE": "b"},
        {"HostConfig": {}, "hostconfig": {}},
        {"HostConfig": {"Name": "a"}, "hostconfig": None},
        {"HostConfig": {}, "Ho\u017ftConfig": {}},
        {"HostConfig": {"Name": "a", "name": "b"}},
        {"Mounts": [{"Name": "a", "NAME": "b"}]},
        {"Unknown": 1, "unknown": 0},
        {"Unknown": 0, "unKnown": 0},
        {"Echo": 1, "echo": 1},
    ],
)
def test_two_spellings_of_one_key_are_refused(body: Any) -> None:
    with pytest.raises(Malformed, match="twice"):
        read(body)


def test_an_unknown_value_is_an_ask_and_is_forwarded_as_it_came() -> None:
    normal = normalise({"BrandNew": {"A": 1}, "Mounts": [{"New": True}], "Ports": {"a": [{"Odd": 1}]}}, TABLE)
    assert normal.value == {"BrandNew": {"A": 1}, "Mounts": [{"New": True}], "Ports": {"a": [{"Odd": 1}]}}
    assert normal.unknown == (
        Ask("field", "Mounts.New", "Mounts[0].New"),
        Ask("field", "Ports.Odd", "Ports[a][0].Odd"),
        Ask("field", "BrandNew", "BrandNew"),
    )


def test_a_name_cannot_be_made_up_by_the_key_of_a_map() -> None:
    normal = normalise({"Ports": {"x].Granted[": [{"Odd": 1}]}}, TABLE)
    assert [ask.value for ask in normal.unknown] == ["Ports.Odd"]


def test_a_misplaced_field_cannot_be_granted_and_is_not_forwarded() -> None:
    normal = normalise({"Image": "x", "privileged": True}, TABLE)
    assert normal.value == {"Image": "x"}
    assert normal.unknown == (Ask("field", "Privileged", "Privileged", grantable=False),)
    assert normalise({"Privileged": False}, TABLE).unknown == ()


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", [], {}])
def test_zero_values(value: Any) -> None:
    assert is_zero(value)


@pytest.mark.parametrize("value", [True, 1, -1, 0.5, " ", "0", [0], [None], {"a": None}])
def test_what_is_not_zero(value: Any) -> None:
    assert not is_zero(value)
