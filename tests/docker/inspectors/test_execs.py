"""Execs: judged when they are made and again when they are started."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.model import Ask, JsonObject, Missing
from tests.docker.inspecting import MISSING, OWN, Engine, asks, inspected, sent

ID = "ab" * 32
EXEC = "c8" * 32


def engine(host: JsonObject | None = None, user: str = "", **process: Any) -> dict[str, Any]:
    container = {"Id": ID, "Name": "/web", "Config": {"User": user, "Labels": {"a": "b"}}, "HostConfig": host or {}}
    # As 20.10 and 28.5 answer: no `user` where none was asked for.
    given = {"tty": False, "entrypoint": "sh", "arguments": ["-c", "exit 0"], "privileged": False, **process}
    return {
        "/containers/web/json": container,
        f"/containers/{ID}/json": container,
        f"/exec/{EXEC}/json": {"ID": EXEC, "ContainerID": ID, "Running": False, "ProcessConfig": given},
        "/exec/dead/json": Missing(404, "No such exec instance: dead"),
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"Cmd": ["sh", "-c", "exit 0"]}, {"exec: sh -c 'exit 0'", "require: non-root"}),
        ({"Cmd": ["ls"], "User": "1000:5"}, {"exec: ls"}),
        ({"Cmd": ["ls"], "User": "00"}, {"exec: ls", "require: non-root"}),
        ({"Cmd": ["ls"], "User": "app"}, {"exec: ls", "require: non-root"}),
        ({"Cmd": ["ls"], "User": "1", "Privileged": True}, {"exec: ls", "privileged: exec"}),
        ({"Cmd": None, "User": "1"}, {"exec: "}),
        ({"Cmd": ["ls"], "User": "1", "Env": ["A=1"], "WorkingDir": "/", "DetachKeys": "a", "Tty": True}, {"exec: ls"}),
        ({"Cmd": ["ls"], "User": "1", "Container": "web", "containerId": "web", "id": "web"}, {"exec: ls"}),
        ({"Cmd": ["ls"], "User": "1", "BrandNew": 1}, {"exec: ls", "field: BrandNew"}),
    ],
)
def test_what_an_exec_asks(body: JsonObject, expected: set[str]) -> None:
    assert asks("POST /containers/web/exec", body, engine()) == {"container: web"} | expected


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        ({}, {"exec: sh -c 'exit 0'", "require: non-root"}),
        ({"user": "1000:5"}, {"exec: sh -c 'exit 0'"}),
        ({"user": "0"}, {"exec: sh -c 'exit 0'", "require: non-root"}),
        ({"user": "1", "privileged": True}, {"exec: sh -c 'exit 0'", "privileged: exec"}),
        ({"user": "1", "entrypoint": "buildctl", "arguments": ["dial-stdio"]}, {"exec: buildctl dial-stdio"}),
        ({"user": "1", "entrypoint": "ls", "arguments": []}, {"exec: ls"}),
    ],
)
def test_starting_an_exec_asks_what_making_it_asked(process: JsonObject, expected: set[str]) -> None:
    assert asks(f"POST /exec/{EXEC}/start", {"Detach": False}, engine(**process)) == {"container: web"} | expected


def test_without_a_user_the_containers_own_counts() -> None:
    for user, unmet in (("1000:1000", False), ("", True), ("app", True)):
        found = asks("POST /containers/web/exec", {"Cmd": ["ls"], "User": ""}, engine(user=user))
        assert ("require: non-root" in found) is unmet
        assert ("require: non-root" in asks(f"POST /exec/{EXEC}/start", {}, engine(user=user))) is unmet


def test_an_exec_asks_for_what_its_container_was_given() -> None:
    given = engine({"Binds": ["/etc:/h"], "Privileged": True})
    for request, body in (("POST /containers/web/exec", {"Cmd": ["ls"]}), (f"POST /exec/{EXEC}/start", {})):
        assert asks(request, body, given) >= {"bind: /etc", "privileged: container"}


def test_it_is_always_looked_up() -> None:
    looked = Engine(engine())
    inspected(f"POST /exec/{EXEC}/start", {"Detach": True}, looked, held=())
    assert looked.asked == [f"/exec/{EXEC}/json", f"/containers/{ID}/json"]


def test_an_exec_in_the_own_container_is_not_started() -> None:
    facts = engine()
    facts[f"/containers/{ID}/json"] = {"Id": OWN, "Name": "/own"}
    for request, body in ((f"POST /exec/{EXEC}/start", {}), (f"POST /exec/{EXEC}/resize?h=1&w=1", None)):
        found = inspected(request, body, facts, held=(), own=OWN).asks
        assert [str(ask) for ask in found if not ask.grantable] == ["container: own"]


def test_one_that_is_not_there_is_answered_as_the_engine_does() -> None:
    assert inspected("POST /exec/dead/start", {}, engine()).absent == Missing(404, "No such exec instance: dead")
    assert inspected("POST /exec/not-hex/start", {}, engine()).absent == Missing(404, "No such exec instance: not-hex")
    gone = engine() | {f"/containers/{ID}/json": MISSING}
    assert inspected(f"POST /exec/{EXEC}/start", {}, gone).absent == MISSING


def test_one_whose_container_is_not_told_cannot_be_granted() -> None:
    found = inspected(f"POST /exec/{EXEC}/start", {}, {f"/exec/{EXEC}/json": {"ID": EXEC}}).asks
    assert [ask.grantable for ask in found] == [False]


def test_what_is_forwarded() -> None:
    made = inspected("POST /containers/web/exec", {"Cmd": ["ls"], "detachKeys": "", "Container": "web"}, engine())
    assert made.forward.target == f"/v1.51/containers/{ID}/exec"
    assert sent(made) == {"Cmd": ["ls"], "DetachKeys": ""}
    body = {"Detach": False, "Tty": True, "hijack": True, "stdin": True, "ConsoleSize": [1, 2]}
    started = inspected(f"POST /exec/{EXEC}/start", body, engine(), headers={"Upgrade": "tcp", "Connection": "Upgrade"})
    assert started.forward.upgrade == "tcp"
    assert started.forward.hijacks
    assert sent(started) == {"Detach": False, "Tty": True, "ConsoleSize": [1, 2]}
    assert sent(inspected(f"POST /exec/{EXEC}/start", None, engine())) == {}


def test_looking_and_resizing_ask_only_where_a_rule_holds_containers() -> None:
    for request in (f"GET /exec/{EXEC}/json", f"POST /exec/{EXEC}/resize?h=1&w=1"):
        assert inspected(request, None, engine()).asks == (Ask("container", "web", "path", labels=(("a", "b"),)),)
        looked = Engine(engine())
        assert inspected(request, None, looked, held=()).asks == ()
        assert looked.asked == []
