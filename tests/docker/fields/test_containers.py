"""The table of HostConfig is whole: every field asks something, or is listed as asking nothing."""

from __future__ import annotations

import pytest

from sockproxy.docker.fields import containers
from sockproxy.docker.fields.schema import Ignored, Misplaced
from sockproxy.docker.inspectors.host_config import ASKS_NOTHING, READ_ELSEWHERE, READ_HERE


def test_every_field_of_host_config_is_read_or_harmless() -> None:
    assert set(containers.HOST_CONFIG_FIELDS) == READ_HERE | READ_ELSEWHERE | ASKS_NOTHING


def test_no_field_is_listed_twice() -> None:
    assert not READ_HERE & READ_ELSEWHERE
    assert not READ_HERE & ASKS_NOTHING
    assert not READ_ELSEWHERE & ASKS_NOTHING


@pytest.mark.parametrize("name", sorted(set(containers.HOST_CONFIG_FIELDS) - {"Runtime"}))
def test_no_field_of_host_config_may_stand_at_the_top_level(name: str) -> None:
    assert isinstance(containers.CREATE.fields[name], Misplaced)


@pytest.mark.parametrize("name", ["HostConfig", "NetworkingConfig", *containers.CONFIG_FIELDS])
def test_config_stands_at_the_top_level(name: str) -> None:
    assert not isinstance(containers.CREATE.fields[name], Ignored)
