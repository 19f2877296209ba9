"""The steps around the decision: what a body may be where the engine reads none."""

from __future__ import annotations

import pytest

from sockproxy.model import Allow, Context, Deny
from sockproxy.policy.load import load
from sockproxy.rehearse import verdict_on

POLICY = load("portainer-manage")
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("version", ["/v1.24", "/v1.41", ""])
@pytest.mark.parametrize(
    ("row", "headers", "body", "passes"),
    [
        ("start", JSON, b"{}", True),  # Ansible's community.docker
        ("start", JSON, b" { } ", True),
        ("start", JSON, b"", True),
        ("start", JSON, b'{"Binds": ["/:/h"]}', False),
        ("start", JSON, b'{"Binds": null}', False),
        ("start", JSON, b"[]", False),
        ("start", JSON, b"null", False),
        ("start", JSON, b"{} {}", False),
        ("start", {"Content-Type": "text/plain"}, b"{}", False),
        ("pause", JSON, b"{}", True),
        ("pause", JSON, b'{"signal": "KILL"}', False),
        # dockerode repeats every option there, and the engine reads none.
        ("stop", JSON, b'{"t": 5}', True),
        ("stop", JSON, b"5 6", False),
    ],
)
def test_a_body_where_none_is_read(row: str, headers: dict[str, str], body: bytes, passes: bool, version: str) -> None:
    target = f"{version}/containers/web/{row}"
    verdict = verdict_on("POST", target, headers, body, policy=POLICY, context=Context())
    if not passes:
        assert isinstance(verdict, Deny)
        assert verdict.code == "malformed"
        return
    assert isinstance(verdict, Allow), verdict
    assert verdict.forward.body is None
