"""The admin listener's routes: what they answer, and whom."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from sockproxy.admin import Readiness
from sockproxy.admin.guard import without_port
from sockproxy.admin.page import View, render, totals
from tests.admin.pages import SCRIPT, STARTED, House


async def get(application: Starlette, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9090") as client:
        return await client.request(method, path, headers=headers)


@pytest.fixture
def house() -> House:
    house = House()
    house.decide_a_few()
    return house


async def test_health_is_that_the_process_serves() -> None:
    answer = await get(House(ready=Readiness(ready=False, reason="away")).app(), "/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_ready_is_that_the_engine_answers(house: House) -> None:
    answer = await get(house.app(), "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reason": ""})


async def test_not_ready_says_why() -> None:
    reason = "cannot reach the engine at unix:///var/run/docker.sock: no such socket"
    answer = await get(House(ready=Readiness(ready=False, reason=reason)).app(), "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reason": reason})


async def test_an_engine_that_gives_no_answer_is_not_ready(house: House) -> None:
    async def no_answer() -> Readiness:
        raise TimeoutError

    answer = await get(house.app(no_answer), "/readyz")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "the engine did not answer within 5 s"


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text;version=1.0.0", "text/plain"])
async def test_metrics_are_given_as_the_scraper_asks(house: House, accept: str) -> None:
    answer = await get(house.app(), "/metrics", Accept=accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(accept.partition(";")[0] or "text/plain")
    assert re.search(r'sockproxy_refused_asks_total\{.*kind="privileged".*\} 1\.0', answer.text)


# Whom it answers


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:9090", "localhost:1", "LocalHost", "[::1]:9090", "sockproxy:9090"]
)
async def test_its_own_names_are_answered(house: House, host: str) -> None:
    answer = await get(house.app(hosts=("sockproxy",)), "/healthz", Host=host)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/nothing"])
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:9090", "", "127.0.0.1:x", "[::2]"]
)
async def test_another_name_is_refused(house: House, host: str, path: str) -> None:
    answer = await get(house.app(), path, Host=host)
    assert answer.status_code == 421
    assert "--admin-host" in answer.json()["message"]


async def test_the_address_of_the_connection_is_one_of_its_names(house: House) -> None:
    """As the kubelet calls a pod, whose address no one knows when it is configured."""
    for server, host, status in (
        (("10.1.2.3", 9090), b"10.1.2.3:9090", 200),
        (("fd00::7", 9090), b"[fd00::7]:9090", 200),
        (("10.1.2.3", 9090), b"10.1.2.4", 421),
        (None, b"10.1.2.3", 421),
    ):
        assert await status_of(house.app(), server, [(b"host", host)]) == status


async def test_two_hosts_or_none_are_refused(house: House) -> None:
    twice = [(b"host", b"127.0.0.1"), (b"host", b"127.0.0.1")]
    assert await status_of(house.app(), ("127.0.0.1", 1), twice) == 421
    assert await status_of(house.app(), ("127.0.0.1", 1), []) == 421


async def status_of(application: Starlette, server: tuple[str, int] | None, headers: list[tuple[bytes, bytes]]) -> int:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/healthz",
        "query_string": b"",
        "headers": headers,
        "server": server,
    }
    await application(scope, receive, send)
    status = sent[0]["status"]
    assert isinstance(status, int)
    return status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/nothing"])
async def test_only_reads_are_answered(house: House, method: str, path: str) -> None:
    answer = await get(house.app(), path, method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics"])
async def test_head_is_answered_as_get_is(house: House, path: str) -> None:
    assert (await get(house.app(), path, "HEAD")).status_code == 200


@pytest.mark.parametrize(
    ("path", "host"), [("/", "127.0.0.1"), ("/metrics", "127.0.0.1"), ("/nothing", "127.0.0.1"), ("/", "evil")]
)
async def test_every_answer_binds_the_browser(house: House, path: str, host: str) -> None:
    headers = (await get(house.app(), path, Host=host)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a:1", "a"),
        ("A", "a"),
        ("[::1]:1", "[::1]"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("a:", "a:"),
        ("a:b", "a:b"),
        ("", ""),
    ],
)
def test_the_port_is_no_part_of_a_name(host: str, name: str) -> None:
    assert without_port(host) == name


# The live page


async def test_the_page_shows_what_is_in_force(house: House) -> None:
    page = (await get(house.app(), "/")).text
    for text in (
        "jenkins-agent",
        "9f2c9f2c9f2c",
        "API 1.51",
        "unix:///var/run/docker.sock",
        "tcp://127.0.0.1:2375",
        "enforce",
    ):
        assert text in page
    assert '<b class="pill good">up</b>' in page


async def test_the_page_counts_by_verdict_and_code(house: House) -> None:
    page = (await get(house.app(), "/")).text
    assert "<strong>3</strong> allowed" in page
    assert "<strong>3</strong> refused" in page
    assert "<strong>1</strong> not there" in page
    assert "<li><code>ask_refused</code> 1</li>" in page


async def test_the_newest_decision_stands_first_and_says_why(house: House) -> None:
    rows = re.findall(r"<tr class.*?</tr>", (await get(house.app(), "/")).text, re.DOTALL)
    assert len(rows) == 7
    assert "GET /swarm" in rows[0]
    assert "GET /version" in rows[-1]
    assert "<code>bind: /etc ro</code> at HostConfig.Binds[0]" in rows[2]
    assert "which rule `run` does not cover" in rows[2]
    assert "rule <code>run</code>" in rows[3]


async def test_refused_ones_alone_can_be_seen(house: House) -> None:
    page = (await get(house.app(), "/?show=refused")).text
    assert page.count("<tr class") == 3
    assert "GET /version" not in page


async def test_the_page_refreshes_unless_told_to_hold_still(house: House) -> None:
    assert '<meta http-equiv="refresh" content="5">' in (await get(house.app(), "/")).text
    assert "http-equiv" not in (await get(house.app(), "/?refresh=off")).text


async def test_what_a_client_sent_is_escaped(house: House) -> None:
    house.decide("ContainerList", "GET", f"/{SCRIPT}", query=((f'"{SCRIPT}', f"'{SCRIPT}"),), message=SCRIPT)
    house.decide("ContainerList", SCRIPT, "/\u202e\x1b[2J", verdict="deny", code="malformed", message="\u2028\x1b[2J")
    page = (await get(house.app(), "/")).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not {"\u202e", "\u2028", "\x1b"} & set(page)


async def test_a_query_of_the_page_is_never_echoed(house: House) -> None:
    assert SCRIPT not in (await get(house.app(), f"/?show={SCRIPT}&x={SCRIPT}")).text


async def test_a_secret_in_a_message_is_not_shown(house: House) -> None:
    house.decide(
        "VolumeCreate",
        "POST",
        "/volumes/create",
        verdict="deny",
        code="ask_refused",
        message="`local o=addr=nas,password=hunter2`",
    )
    page = (await get(house.app(), "/")).text
    assert "hunter2" not in page
    assert "password=***" in page


async def test_a_page_without_decisions_says_so() -> None:
    page = (await get(House().app(), "/")).text
    assert "Nothing yet." in page
    assert "<strong>0</strong> allowed" in page


async def test_nothing_on_the_page_comes_from_elsewhere(house: House) -> None:
    page = (await get(house.app(), "/")).text
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    assert "<link" not in page
    assert "url(" not in page


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (59, "59 s"), (66, "1 min 6 s"), (3600, "1 h 0 min"), (90_061, "1 d 1 h"), (-5, "0 s")],
)
def test_the_uptime_is_told_in_two_units(house: House, seconds: int, told: str) -> None:
    page = render(house.status(), totals(house.metrics.registry), View(), STARTED + seconds)
    assert f"<dt>Up for</dt><dd>{told}</dd>" in page


@pytest.mark.parametrize(("up", "told"), [(None, "not asked yet"), (False, "down"), (True, "up")])
def test_the_engine_has_three_states(house: House, up: bool | None, told: str) -> None:
    page = render({**house.status(), "engine_up": up}, {}, View(), STARTED)
    assert re.search(rf'<dt>Engine</dt><dd><b class="pill \w+">{told}</b>', page)
