"""From what was seen to the smallest policy that allows it: read it, then use it.

    audit lines, or requests as they are judged ─► evidence ─► rules ─► YAML ─► proof

    evidence.py   what was seen: an operation with its asks, how often, from whom
    values.py     which words cover the values of one kind: the values themselves, or a pattern where the evidence holds
    draft.py      which operations stand in one rule, and what that rule grants, holds, limits and requires
    writing.py    the rules as YAML that a person can read, with how often each line was needed
    proof.py      every call that was seen is allowed, and without any one word of the policy some call is not

Exact where power is given, general where a name is only a name. A grant is what was asked, never wider, but for folders
of one parent and neighbouring ports; names, images and paths become patterns where several of them show one, or where
one is plainly random. What leads to the host is marked for review.
"""

from __future__ import annotations

from sockproxy.learn.evidence import Collected, Seen
from sockproxy.learn.proof import Proof
from sockproxy.learn.result import Learned, learn

__all__ = ["Collected", "Learned", "Proof", "Seen", "learn"]
