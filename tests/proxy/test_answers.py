"""What of the engine's head a client is told."""

from __future__ import annotations

import json

import pytest

from sockproxy.errors import EngineDown
from sockproxy.proxy import answers


def test_fields_of_the_engine_s_connection_are_dropped_and_the_rest_kept() -> None:
    received = [
        (b"Api-Version", b"1.51"),
        (b"Docker-Experimental", b"false"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"Upgrade, X-Secret"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Upgrade", b"tcp"),
        (b"Trailer", b"X-Y"),
        (b"x-secret", b"1"),
        (b"Server", b"Docker/28"),
    ]
    assert answers.passed_on(received, b"id1") == [
        (b"X-Sockproxy-Id", b"id1"),
        (b"Api-Version", b"1.51"),
        (b"Docker-Experimental", b"false"),
        (b"Server", b"Docker/28"),
    ]


@pytest.mark.parametrize(
    ("spoken", "told"), [(b"1.51", b"1.48"), (b"1.41", b"1.41"), (b"1.9", b"1.9"), (b"nonsense", b"1.48")]
)
def test_the_version_of_a_ping_is_never_above_the_clamp(spoken: bytes, told: bytes) -> None:
    assert answers.clamped_ping([(b"Api-Version", spoken), (b"X", b"y")], (1, 48)) == [
        (b"Api-Version", told),
        (b"X", b"y"),
    ]


def test_the_range_of_versions_is_narrowed_wherever_it_is_told() -> None:
    body = {
        "Version": "28.0",
        "ApiVersion": "1.51",
        "MinAPIVersion": "1.24",
        "Components": [
            {"Name": "Engine", "Details": {"ApiVersion": "1.51", "MinAPIVersion": "1.24"}},
            {"Name": "x"},
            1,
        ],
    }
    told = json.loads(answers.clamped_version(json.dumps(body).encode(), (1, 40), (1, 45)))
    assert told == {
        "Version": "28.0",
        "ApiVersion": "1.45",
        "MinAPIVersion": "1.40",
        "Components": [
            {"Name": "Engine", "Details": {"ApiVersion": "1.45", "MinAPIVersion": "1.40"}},
            {"Name": "x"},
            1,
        ],
    }


def test_an_old_engine_s_range_stays_what_it_is() -> None:
    told = json.loads(answers.clamped_version(b'{"ApiVersion":"1.41","MinAPIVersion":"1.12"}', (1, 24), (1, 56)))
    assert told == {"ApiVersion": "1.41", "MinAPIVersion": "1.24"}


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff"])
def test_a_version_that_is_none_is_an_engine_that_is_down(body: bytes) -> None:
    with pytest.raises(EngineDown):
        answers.clamped_version(body, (1, 24), (1, 56))
