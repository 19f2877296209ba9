"""Audit lines read back hold all that a policy is matched against, or say that they do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sockproxy.audit import AuditLog, fragment
from sockproxy.docker.operations import BY_NAME
from sockproxy.model import Ask
from sockproxy.records import BadRecord, is_end, read

FULL = Ask(
    "container", "web", "path", labels=(("team", "shop"),), aliases=("w",), grantable=False, known=True,
)  # fmt: skip
ASKS = (
    FULL,
    Ask("bind", "/srv/a", "HostConfig.Binds[0]", read_only=True, shared=True, nonrecursive=True),
    Ask("limit", "memory", "HostConfig.Memory", amount=2**30),
    Ask("capability", "CHOWN", "HostConfig.CapAdd[0]", plain=True),
    Ask("volume", "data", "path", known=True),
    Ask("network", "net", "path"),
)


def line(tmp_path: Any, asks: tuple[Ask, ...] = ASKS, **changes: Any) -> bytes:
    log = AuditLog([str(tmp_path / "audit.jsonl")])
    told = {
        "client": "jenkins",
        "operation": "ContainerCreate",
        "method": "POST",
        "path": "/containers/create",
        "query": (("name", "x"),),
        "verdict": "deny",
        "code": "ask_refused",
        "rule": "run",
        "refused": asks[:1],
        "policy": "9f",
        "engine_version": (1, 51),
        **changes,
    }
    log.write(fragment(asks=asks, **told), id="1", event="request", peer="10.0.0.1:2", status=403)
    log.close()
    return (tmp_path / "audit.jsonl").read_bytes()


def test_every_ask_is_read_back_as_it_was(tmp_path: Any) -> None:
    record = read(line(tmp_path))
    assert record.asks == ASKS
    assert [ask.known for ask in record.asks] == [ask.known for ask in ASKS]
    assert record.operation is BY_NAME["ContainerCreate"]
    assert (record.client, record.peer, record.verdict, record.code, record.rule) == (
        "jenkins", "10.0.0.1:2", "deny", "ask_refused", "run",
    )  # fmt: skip
    assert record.engine_version == (1, 51)
    assert record.whole


@pytest.mark.parametrize(
    "asks",
    [
        (Ask("exec", "x" * 2000, "Cmd"),),
        (Ask("volume-driver", "local o=addr=10.0.0.1,password=hunter2", "DriverOpts"),),
        (Ask("container", "x", "?name", labels=tuple((f"key-{n}", "v" * 500) for n in range(100)), known=True),),
        (Ask("image", "sha256:" + "a" * 64, "Image", aliases=tuple(f"docker.io/library/{'n' * 200}{n}:1" for n in range(100))),),
        tuple(Ask("bind", f"/srv/{n}/{'x' * 200}", "Binds") for n in range(100)),
    ],
    ids=["cut", "hidden", "labels left out", "aliases left out", "asks left out"],
)  # fmt: skip
def test_a_record_says_that_it_is_not_whole(tmp_path: Any, asks: tuple[Ask, ...]) -> None:
    assert not read(line(tmp_path, asks)).whole


def test_an_operation_that_is_none_is_none(tmp_path: Any) -> None:
    assert read(line(tmp_path, (), operation="(unknown)", code="unknown_operation")).operation is None


def test_the_second_line_of_a_call_is_told_without_parsing(tmp_path: Any) -> None:
    log = AuditLog([str(tmp_path / "a")])
    for event in ("request", "start", "end"):
        log.write(b'"client":"x"', id="1", event=event, peer="10.0.0.1:2")  # type: ignore[arg-type]
    assert [is_end(each) for each in (tmp_path / "a").read_bytes().splitlines()] == [False, False, True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "it has no 'verdict'"),
        (b'{"verdict": "perhaps", "code": null}', "`perhaps` with `None` is no verdict"),
        (b'{"verdict": "deny", "code": "because"}', "`because`"),
        (b'{"verdict": "deny", "code": "no_rule", "asks": [{"kind": "wish"}]}', "`wish` is no kind of ask"),
        (b'{"verdict": "deny", "code": "no_rule", "asks": [1]}', "no audit line"),
        (b'{"verdict": "deny", "code": "no_rule", "asks": 1}', "no audit line"),
    ],
)
def test_what_is_no_audit_line_is_refused_with_a_reason(text: bytes, words: str) -> None:
    with pytest.raises(BadRecord, match=words.replace("[", r"\[")):
        read(text)


def test_numbers_where_words_belong_are_no_audit_line(tmp_path: Any) -> None:
    told = json.loads(line(tmp_path))
    for key, value in (("engine_version", "x.y"), ("engine_version", 5), ("asks", [{"kind": "bind", "value": 1, "where": 2}])):  # fmt: skip
        changed = json.dumps({**told, key: value}).encode()
        try:
            record = read(changed)
        except BadRecord:
            continue
        assert key == "asks", record
        assert record.asks[0].value == "1"
