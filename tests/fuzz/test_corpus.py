"""What is kept of fuzzing, run once each without the fuzzer: the seeds, and whatever broke a target once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fuzz import CORPUS, TARGETS, target
from tests.fuzz.run import quoted


def inputs() -> Iterator[Any]:
    for name in TARGETS:
        for path in sorted((CORPUS / name).iterdir()):
            yield pytest.param(name, path, id=f"{name}-{path.name}")


@pytest.mark.parametrize(("name", "path"), list(inputs()))
def test_an_input_breaks_nothing(name: str, path: Any) -> None:
    target(name).one(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_has_seeds_and_words(name: str) -> None:
    seeds = [path for path in (CORPUS / name).iterdir() if not path.name.startswith("found-")]
    assert 20 <= len(seeds) <= 60
    assert all(path.stat().st_size <= target(name).longest for path in seeds)
    words = list(target(name).words())
    assert len(words) > 50
    assert all(words)


def test_a_word_is_quoted_as_the_fuzzer_reads_it() -> None:
    assert quoted('a"\\\n') == '"a\\x22\\x5c\\x0a"'
    assert quoted(b"\xff") == '"\\xff"'
