"""A policy in memory: what it knows before a call comes."""

from __future__ import annotations

import pytest

from sockproxy.policy.load import loads

TEXT = """
version: 1
rules:
  - {{id: make, allow: POST /containers/create, grant: {{bind: {bind}}}}}
  - {{id: start, allow: "POST /containers/{{id}}/start"}}
clients:
  - {{name: maker, unix-user: 1, rules: [make, start]}}
  - {{name: starter, unix-user: 2, rules: [start]}}
"""


@pytest.mark.parametrize(("bind", "binds"), [("/srv/ci/**", True), ("/srv/ci/** ro", True), ("none", False)])
def test_whoever_may_bind_by_one_rule_is_looked_at_by_every_other(bind: str, binds: bool) -> None:
    policy = loads(TEXT.format(bind=bind))
    maker, starter = policy.clients
    assert ("bind" in policy.held("ContainerStart", maker)) is binds
    assert "bind" not in policy.held("ContainerStart", starter)
