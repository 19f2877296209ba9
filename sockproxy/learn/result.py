"""A learned policy: its text, the policy that this is, and the proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sockproxy.learn.draft import Draft, drafts
from sockproxy.learn.evidence import Collected
from sockproxy.learn.proof import Proof, prove, pruned
from sockproxy.learn.writing import written
from sockproxy.policy.harm import Level
from sockproxy.policy.load import Policy, loads
from sockproxy.policy.review import review

FILE: Final = "learned.yaml"
"""Stands for the file in the places of a policy that is not written yet."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned."""

    text: str
    policy: Policy
    proof: Proof


def learn(collected: Collected, *, name: str = "learned") -> Learned:
    """The smallest policy that allows what was seen.

    Raises:
        ValueError: no call was seen that needs a rule.
    """
    if collected.nothing:
        raise ValueError(collected.nothing)
    parted = _learned(drafts(collected.calls), collected, name)
    # Where the one rule of two allows what the other does, so that a word can be spared, they are better one.
    return _learned(drafts(collected.calls, apart=False), collected, name) if parted.proof.spare else parted


def _learned(made: Sequence[Draft], collected: Collected, name: str) -> Learned:
    for draft in made:
        pruned(draft)
    plain = written(made, collected, name=name, marks={})
    text = written(made, collected, name=name, marks=_marks(loads(plain, FILE)))
    policy = loads(text, FILE)
    return Learned(text, policy, prove(policy, collected))


def _marks(policy: Policy) -> dict[int, str]:
    """What leads to the host, by the line that grants it."""
    marks: dict[int, str] = {}
    for finding in (each for sheet in review(policy).sheets for each in sheet.findings):
        if finding.road or finding.level <= Level.READS:
            number = int(finding.place.rpartition(":")[2])
            # The first is the worst; a long list of patterns stands in more lines than one.
            marks.setdefault(number, finding.why)
    return marks
