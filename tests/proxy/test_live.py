"""The policy in force: swapped whole, or not at all."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sockproxy.errors import PolicyError
from sockproxy.proxy.live import Live

GOOD = "version: 1\nname: {name}\nabout: x\nrules:\n  - {{id: a, allow: GET /info}}\n"


def test_a_bad_first_policy_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 2\n")
    with pytest.raises(PolicyError):
        Live(str(tmp_path / "p.yaml"))


def test_a_good_new_policy_is_put_in_force_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD.format(name="one"))
    live = Live(str(path))
    told: list[str] = []
    live.when_swapped(lambda: told.append(live.policy.name))
    path.write_text(GOOD.format(name="two"))
    assert live.reload()
    assert told == ["two"]


@pytest.mark.parametrize("text", ["version: 2\n", "nonsense", "", "version: 1\nname: [\n"])
def test_a_bad_new_policy_leaves_the_old_one_and_says_so(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD.format(name="one"))
    live = Live(str(path))
    before = live.policy
    path.write_text(text)
    with caplog.at_level(logging.ERROR, logger="sockproxy"):
        assert not live.reload()
    assert live.policy is before
    assert "`one` stays" in caplog.text


def test_a_policy_that_is_gone_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD.format(name="one"))
    live = Live(str(path))
    path.unlink()
    assert not live.reload()
    assert live.policy.name == "one"
