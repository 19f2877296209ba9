"""Fuzzing, guided by coverage: five targets, each a plain function of bytes that asserts what must hold.

canonical   a head to a request, its row and its query, and what dockerd would read of what is forwarded
body        JSON, read strictly
judging     a call, judged under several policies with look-ups answered
policy      a text to a policy, or to mistakes with places in it
edge        a connection's bytes, with a small engine behind it

``python -m tests.fuzz TARGET`` looks for inputs that break what a target asserts (it needs the extra `fuzz`). What it
found, and the inputs it starts from, are files under ``corpus/TARGET/``: ``test_corpus.py`` runs each without atheris.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TypeAlias

CORPUS = Path(__file__).parent / "corpus"

One: TypeAlias = Callable[[bytes], None]
Mutator: TypeAlias = Callable[[bytes, int, Random], "bytes | None"]
"""Another input made of one, at most so many bytes long; None where the engine's own mutations are to be used."""


@dataclass(frozen=True)
class Target:
    """One of the targets."""

    name: str
    one: One
    words: Callable[[], Iterator[str | bytes]]
    """What inputs are made of: a dictionary for the engine."""
    seeds: Callable[[], Iterator[tuple[str, bytes]]]
    """Names and inputs that a corpus may be chosen from."""
    mutate: Mutator | None
    longest: int
    """Bytes of an input."""
    modules: tuple[str, ...]
    """What it is to reach: the modules whose coverage is reported."""


TARGETS = ("canonical", "body", "judging", "policy", "edge")


def target(name: str) -> Target:
    """The target of a name; imported late, since what is to be instrumented must not be imported before."""
    module = import_module(f"tests.fuzz.{name}")
    return Target(
        name=name,
        one=module.one,
        words=module.words,
        seeds=module.seeds,
        mutate=getattr(module, "mutate", None),
        longest=module.LONGEST,
        modules=module.MODULES,
    )
