"""The numbers of `limit`: what each text comes to, and what is none."""

from __future__ import annotations

import pytest

from sockproxy.docker.asks import LIMITS
from sockproxy.policy.amounts import FORMS, amount


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("memory", "1", 1),
        ("memory", "512m", 512 * 2**20),
        ("memory", "1.5g", 3 * 2**29),
        ("memory", "1.5GiB", 3 * 2**29),
        ("memory", "2TB", 2 * 2**40),
        ("shm", "64Kb", 64 * 2**10),
        ("cpus", "2", 2 * 10**9),
        ("cpus", "0.5", 5 * 10**8),
        ("cpus", "0.000000001", 1),
        ("pids", "2000", 2000),
    ],
)
def test_an_amount(name: str, text: str, expected: int) -> None:
    assert amount(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("memory", "0"),
        ("memory", "0.5"),
        ("memory", "-1"),
        ("memory", "1 g"),
        ("memory", "1gg"),
        ("memory", "1kibi"),
        ("memory", "\N{KELVIN SIGN}"),
        ("memory", "1\N{KELVIN SIGN}"),
        ("memory", "1" * 16),
        ("shm", "lots"),
        ("cpus", "0"),
        ("cpus", "1."),
        ("cpus", "1.0000000001"),
        ("cpus", "1e3"),
        ("pids", "0"),
        ("pids", "01"),
        ("pids", "1k"),
        ("pids", "\N{ARABIC-INDIC DIGIT ONE}"),
    ],
)
def test_what_is_no_amount(name: str, text: str) -> None:
    assert amount(name, text) is None


def test_every_limit_has_a_form_and_its_example_is_one() -> None:
    assert tuple(FORMS) == LIMITS
    for name, form in FORMS.items():
        assert amount(name, form.example)
