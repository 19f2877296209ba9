"""The audit log: one line a decision, whole, in the kernel's hands, or an error that refuses the call."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.audit import REMEMBERED, AuditError, AuditLog, fragment
from sockproxy.errors import ConfigurationError
from sockproxy.model import Ask

FIELDS = {
    *("time", "id", "event", "client", "peer", "operation", "method", "path", "query", "verdict", "code", "rule"),
    *("asks", "refused", "status", "bytes_in", "bytes_out", "seconds", "policy", "engine_version"),
}

BIND = Ask("bind", "/etc", "HostConfig.Binds[0]", read_only=True, nonrecursive=True)


def a_fragment(**changes: Any) -> bytes:
    return fragment(
        **{
            "client": "jenkins",
            "operation": "ContainerCreate",
            "method": "POST",
            "path": "/containers/create",
            "query": (("name", "ci-1"),),
            "verdict": "deny",
            "code": "ask_refused",
            "rule": "run",
            "asks": (BIND,),
            "refused": (BIND,),
            "policy": "9f2c",
            "engine_version": (1, 51),
            **changes,
        }
    )


def record(log: AuditLog, part: bytes | None = None, **changes: Any) -> None:
    values = {"id": "5f0c2a9e00000001", "event": "request", "peer": "172.20.0.4:51234", **changes}
    log.write(a_fragment() if part is None else part, **values)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.fixture
def log(file: Path) -> Iterator[AuditLog]:
    log = AuditLog([str(file)])
    yield log
    log.close()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def test_a_denial_is_one_line_with_every_field(log: AuditLog, file: Path) -> None:
    record(log, status=403, bytes_in=3000, seconds=0.00004, message="no")
    (line,) = lines(file)
    assert set(line) == FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "id": "5f0c2a9e00000001",
        "event": "request",
        "client": "jenkins",
        "peer": "172.20.0.4:51234",
        "operation": "ContainerCreate",
        "method": "POST",
        "path": "/containers/create",
        "query": {"name": "ci-1"},
        "verdict": "deny",
        "code": "ask_refused",
        "rule": "run",
        "asks": [
            {"kind": "bind", "value": "/etc", "where": "HostConfig.Binds[0]", "read_only": True, "nonrecursive": True}
        ],
        "refused": [
            {"kind": "bind", "value": "/etc", "where": "HostConfig.Binds[0]", "read_only": True, "nonrecursive": True}
        ],
        "status": 403,
        "bytes_in": 3000,
        "bytes_out": None,
        "seconds": 0.00004,
        "policy": "9f2c",
        "engine_version": "1.51",
    }


def test_a_forwarded_call_is_two_lines_with_the_same_fields(log: AuditLog, file: Path) -> None:
    part = a_fragment(verdict="allow", code=None, rule="reads", refused=())
    record(log, part)
    record(log, part, event="end", status=200, bytes_in=0, bytes_out=12, seconds=1.5)
    begin, end = lines(file)
    assert list(begin) == list(end)
    assert (begin["event"], begin["status"], begin["seconds"], begin["code"]) == ("request", None, None, None)
    assert (end["event"], end["status"], end["bytes_out"], end["seconds"]) == ("end", 200, 12, 1.5)


def test_the_values_of_a_repeated_key_are_a_list(log: AuditLog, file: Path) -> None:
    record(log, a_fragment(query=(("names", "a"), ("names", "b"), ("x", ""))))
    assert lines(file)[0]["query"] == {"names": ["a", "b"], "x": ""}


def test_an_ask_tells_what_makes_it_more(log: AuditLog, file: Path) -> None:
    record(
        log,
        a_fragment(
            asks=(Ask("limit", "memory: 8g", "HostConfig.Memory", amount=8 << 30), Ask("bind", "/a", "", shared=True))
        ),
    )
    assert lines(file)[0]["asks"] == [
        {"kind": "limit", "value": "memory: 8g", "where": "HostConfig.Memory", "amount": 8 << 30},
        {"kind": "bind", "value": "/a", "where": "", "shared": True},
    ]


def test_a_long_list_is_cut_and_says_by_how_many(log: AuditLog, file: Path) -> None:
    asks = tuple(Ask("bind", "/x" * 600, f"HostConfig.Binds[{number}]") for number in range(100_000))
    record(log, a_fragment(asks=asks, refused=asks, query=[(f"k{number}", "v" * 2000) for number in range(100)]))
    (line,) = lines(file)
    assert len(file.read_bytes()) < 40_000
    assert len(line["asks"]) == len(line["refused"]) < 10
    assert line["left_out"] == 100_000 - len(line["asks"]) + 100 - len(line["query"])


text = st.text(max_size=300)


@given(text, text, text, st.lists(st.tuples(text, text), max_size=5), text, text, text)
def test_every_line_is_one_line_of_json(
    client: str, method: str, path: str, query: list[tuple[str, str]], value: str, where: str, peer: str
) -> None:
    asks = (Ask("exec", value, where), Ask("field", value, where))
    part = a_fragment(client=client, method=method, path=path, query=query, rule=value, asks=asks, refused=asks)
    reader, writer = os.pipe()
    log = AuditLog([f"/proc/self/fd/{writer}"])
    try:
        record(log, part, peer=peer)
        raw = os.read(reader, 1 << 20)
    finally:
        log.close()
        os.close(reader)
        os.close(writer)
    assert raw.isascii()
    assert len(raw.decode().splitlines()) == 1
    assert raw.endswith(b"}\n")
    line = json.loads(raw)
    assert set(line) == FIELDS
    assert all(shown.isprintable() for shown in _strings(line))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


@given(st.text("abc019-._~!*'()", max_size=20).map(lambda salt: "hunter2-Zq9" + salt))
def test_a_planted_secret_never_appears(secret: str) -> None:
    part = a_fragment(
        path=f"http://u:{secret}@h/x?token={secret}",
        query=(
            ("fromSrc", f"https://u:{secret}@h/x.tar"),
            ("authconfig", secret),
            ("buildargs", json.dumps({"A": secret})),
            ("changes", f"ENV A={secret}"),
            ("Env", json.dumps([f"A={secret}"])),
        ),
        asks=(
            Ask("volume-driver", f"local o=addr=h,password={secret}", "HostConfig.Mounts[0]"),
            Ask("log-driver", f"splunk splunk-token={secret}", "HostConfig.LogConfig"),
            Ask("import", f"https://{secret}@h/x", "?fromSrc"),
        ),
    )
    assert b"hunter2" not in part


def test_times_never_go_back_and_carry_milliseconds(log: AuditLog, file: Path) -> None:
    for _ in range(2000):
        record(log)
    times = [line["time"] for line in lines(file)]
    assert times == sorted(times)


def test_ids_are_short_and_unlike(log: AuditLog) -> None:
    ids = [log.new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in ids)
    assert AuditLog([]).new_id()[:8] != ids[0][:8]


# Sinks


def test_a_file_is_made_for_its_owner_and_group_alone(file: Path) -> None:
    before = os.umask(0)
    try:
        AuditLog([str(file)]).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_file_is_appended_to(log: AuditLog, file: Path) -> None:
    record(log)
    other = AuditLog([str(file)])
    record(other, id="other")
    other.close()
    record(log, id="third")
    assert [line["id"] for line in lines(file)] == ["5f0c2a9e00000001", "other", "third"]


def test_a_line_goes_to_each_sink(file: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    told: list[str] = []
    log = AuditLog(["-", str(file)], written=told.append)
    record(log)
    log.close()
    assert log.kinds == ("stdout", "file")
    assert told == ["stdout", "file"]
    assert capfdbinary.readouterr().out == file.read_bytes()


def test_a_file_that_cannot_be_opened_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no/audit\.log` cannot be opened: No such file"):
        AuditLog([str(tmp_path / "no" / "audit.log")])


def test_a_full_disk_refuses_the_call() -> None:
    log = AuditLog(["/dev/full"])
    with pytest.raises(AuditError, match="No space left on device") as caught:
        record(log)
    log.close()
    assert (caught.value.code, caught.value.status) == ("internal", 503)
    assert log.recent() == ()


def test_a_failing_sink_does_not_silence_the_others(file: Path) -> None:
    told: list[str] = []
    log = AuditLog(["/dev/full", str(file)], written=told.append)
    with pytest.raises(AuditError):
        record(log)
    log.close()
    assert len(lines(file)) == 1
    assert told == ["file"]


def fill(log: AuditLog, part: bytes) -> None:
    for _ in range(10_000):
        record(log, part)


def test_a_pipe_that_nobody_reads_refuses_and_does_not_wait() -> None:
    reader, writer = os.pipe()
    log = AuditLog([f"/proc/self/fd/{writer}"])
    try:
        with pytest.raises(AuditError, match="temporarily unavailable"):
            fill(log, a_fragment())
    finally:
        log.close()
        os.close(reader)
        os.close(writer)


def test_a_line_after_a_full_pipe_stands_alone() -> None:
    """A pipe with less room than a line may take a part of it; what comes once somebody has read is whole."""
    reader, writer = os.pipe()
    part = a_fragment(query=[(f"k{number}", "v" * 900) for number in range(9)])
    log = AuditLog([f"/proc/self/fd/{writer}"])
    got = b""
    try:
        with pytest.raises(AuditError):
            fill(log, part)
        got += os.read(reader, 1 << 20)
        record(log, part, id="after")
        got += os.read(reader, 1 << 20)
    finally:
        log.close()
        os.close(reader)
        os.close(writer)
    last = got.rstrip(b"\n").split(b"\n")[-1]
    assert json.loads(last)["id"] == "after"


def test_a_line_written_in_part_is_completed() -> None:
    """A signal interrupts a write that waits for room in standard output's pipe, when part of the line is gone."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    room = os.write(writer, b"x" * (1 << 20)) - len(os.read(reader, 8192))
    os.set_blocking(writer, True)
    part = a_fragment(query=[(f"k{number}", "v" * 1000) for number in range(16)], asks=[BIND] * 100)
    got: list[bytes] = []
    handler = signal.signal(signal.SIGALRM, lambda *_: got.append(os.read(reader, 1 << 20)))
    stdout = os.dup(1)
    os.dup2(writer, 1)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        record(AuditLog(["-"]), part)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.dup2(stdout, 1)
        signal.signal(signal.SIGALRM, handler)
        os.close(stdout)
        os.close(writer)
    got.append(os.read(reader, 1 << 20))
    os.close(reader)
    assert len(got[0]) > room
    assert json.loads(b"".join(got)[room:])["id"] == "5f0c2a9e00000001"


def test_a_torn_line_does_not_take_the_next_with_it(tmp_path: Path) -> None:
    """A disk that fills up in the middle of a line, made with a limit on the file's size."""
    file = tmp_path / "audit.log"
    log = AuditLog([str(file)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        record(log)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 100, before[1]))
        with pytest.raises(AuditError, match="File too large"):
            record(log, id="torn")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    record(log, id="whole")
    log.close()
    first, torn, whole = file.read_bytes().splitlines()
    assert json.loads(first)["id"] == "5f0c2a9e00000001"
    assert len(torn) == 100
    assert json.loads(whole)["id"] == "whole"


def test_reopening_follows_a_rotated_file(log: AuditLog, file: Path) -> None:
    record(log, id="old")
    old = file.rename(file.with_suffix(".1"))
    record(log, id="still old")
    log.reopen()
    record(log, id="new")
    assert [line["id"] for line in lines(old)] == ["old", "still old"]
    assert [line["id"] for line in lines(file)] == ["new"]


def test_what_cannot_be_reopened_is_written_to_as_before(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    log = AuditLog([str(folder / "a"), "-"])
    moved = folder.rename(tmp_path / "gone")
    with pytest.raises(ConfigurationError):
        log.reopen()
    record(log)
    log.close()
    assert len(lines(moved / "a")) == 1


# What the live page reads


def test_the_last_decisions_are_remembered_with_what_the_client_was_told(log: AuditLog) -> None:
    for number in range(REMEMBERED + 5):
        record(log, id=str(number), status=403, message=f"told {number}")
        record(log, id=str(number), event="end", status=200)
    recent = log.recent()
    assert len(recent) == REMEMBERED
    assert json.loads(recent[0].line)["id"] == "5"
    assert recent[-1].message == f"told {REMEMBERED + 4}"
    assert all(json.loads(one.line)["event"] != "end" for one in recent)
