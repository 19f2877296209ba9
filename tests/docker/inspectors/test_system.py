"""The engine itself, logins, tunnels, and what can only be looked at."""

from __future__ import annotations

import pytest

from sockproxy.errors import Malformed
from sockproxy.model import Ask, JsonObject, Missing
from tests.docker.inspecting import Engine, asks, inspected, sent


@pytest.mark.parametrize(
    "request_line",
    [
        *("GET /_ping", "HEAD /_ping", "GET /version", "GET /info", "GET /events?since=1", "GET /system/df?type=image"),
        *("GET /services?status=true", "GET /tasks", "GET /plugins"),
    ],
)
def test_looking_asks_nothing(request_line: str) -> None:
    engine = Engine()
    inspection = inspected(request_line, None, engine)
    assert inspection.asks == ()
    assert engine.asked == []
    assert inspection.forward.body is None
    assert not inspection.forward.streams_body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"username": "ci", "password": "s", "serveraddress": "127.0.0.1:5000"}, {"registry: 127.0.0.1:5000"}),
        ({"ServerAddress": "https://index.docker.io/v1/"}, {"registry: docker.io"}),
        ({}, {"registry: docker.io"}),
        ({"serveraddress": "r.example.com", "brandnew": 1}, {"registry: r.example.com", "field: brandnew"}),
    ],
)
def test_a_login_asks_for_its_registry(body: JsonObject, expected: set[str]) -> None:
    assert asks("POST /auth", body) == expected


def test_a_login_is_forwarded_whole() -> None:
    body = {"username": "ci", "password": "s", "auth": "", "email": "", "serveraddress": "r", "identitytoken": "t"}
    assert sent(inspected("POST /auth", body)) == body
    with pytest.raises(Malformed):
        inspected("POST /auth", {"serveraddress": "https://good@evil.example"})


def test_tunnels() -> None:
    upgrade = {"Upgrade": "h2c", "Connection": "Upgrade"}
    session = inspected("POST /session", None, headers={**upgrade, "X-Docker-Expose-Session-Uuid": "u", "X-Other": "1"})
    assert session.asks == (Ask("tunnel", "session", "path"),)
    assert session.forward.headers == (("x-docker-expose-session-uuid", "u"),)
    assert (session.forward.upgrade, session.forward.hijacks) == ("h2c", True)
    grpc = inspected("POST /grpc", None, headers=upgrade)
    assert grpc.asks == (Ask("tunnel", "grpc", "path"), Ask("namespace", "network=host", "path"))


def test_an_upgrade_that_the_row_does_not_have_is_dropped() -> None:
    for request_line in ("GET /info", "POST /session", "POST /containers/web/start"):
        forward = inspected(request_line, None, headers={"Upgrade": "tcp", "Connection": "Upgrade"}).forward
        assert forward.upgrade is None


@pytest.mark.parametrize("request_line", ["GET /services/abc", "GET /services/abc/logs?follow=1"])
def test_a_service_is_judged_by_its_name_where_a_rule_holds_services(request_line: str) -> None:
    engine: dict[str, JsonObject | Missing] = {
        "/services/abc": {"ID": "abc", "Spec": {"Name": "web", "Labels": {"a": "b"}}}
    }
    assert inspected(request_line, None, engine).asks == (Ask("service", "web", "path", labels=(("a", "b"),)),)
    assert inspected(request_line, None, engine, held=()).asks == (Ask("service", "abc", "path"),)
    missing = Missing(404, "service abc not found")
    assert inspected(request_line, None, {"/services/abc": missing}).absent == missing


def test_an_unknown_parameter_is_an_ask() -> None:
    assert inspected("GET /info?brand-new=1").asks == (Ask("query", "brand-new", "?brand-new"),)
    assert inspected("GET /info?brand-new=").asks == ()
