"""Choose the seeds anew: ``python -m tests.fuzz.seeds [TARGET …]``.

Of all that a target's `seeds` offers those are kept which together reach what all of them reach, the greediest first;
a step that is taken often is another than one that is taken once, as it is to the fuzzer. A name that begins with
`always ` is kept whatever it reaches: what is refused on a road of many is told apart by nothing but its outcome.
Files whose name begins with `found-` broke a target once; they stay.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz import CORPUS, TARGETS, target

MOST = 60
_PACKAGE = str(CORPUS.parent.parent.parent / "sockproxy")

Arc = tuple[str, int, int, int]
"""A file, two lines of it that were run one after the other, and how often, as a power of two."""


def reached(one: Any, data: bytes) -> frozenset[Arc]:
    """The steps from line to line of sockproxy that an input takes."""
    arcs: Counter[tuple[str, int, int]] = Counter()

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(_PACKAGE):
            return None
        before = 0

        def step(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal before
            arcs[file, before, frame.f_lineno] += 1
            before = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        one(data)
    finally:
        sys.settrace(None)
    return frozenset((*arc, times.bit_length()) for arc, times in arcs.items())


def chosen(name: str) -> list[tuple[str, bytes]]:
    """The seeds of a target: each adds something, none is longer than an input may be."""
    the_target = target(name)
    offered: dict[bytes, str] = {}
    for title, data in the_target.seeds():
        if len(data) <= the_target.longest:
            the_target.one(data)  # once before it counts, for what is remembered
            offered.setdefault(data, title)
    left = {data: reached(the_target.one, data) for data in offered}
    plain = {data: frozenset(arc[:3] for arc in arcs) for data, arcs in left.items()}
    have: set[tuple[object, ...]] = set()
    kept = [(title, data) for data, title in offered.items() if title.startswith("always ")]
    for _, data in kept:
        have |= plain[data] | left.pop(data)
    for steps in (plain, left):
        while left and len(kept) < MOST:
            best = max(left, key=lambda data: (len(steps[data] - have), -len(data), data))
            if not steps[best] - have:
                break
            have |= plain[best] | left.pop(best)
            kept.append((offered[best], best))
    return kept


def write(name: str) -> int:
    """Put them where the old ones were; how many there are."""
    from tests.fuzz.materials import slug

    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if not path.name.startswith("found-"):
            path.unlink()
    taken: set[Path] = set()
    for title, data in chosen(name):
        path = folder / slug(title)
        while path in taken:
            path = path.with_name(f"{path.name}-again")
        taken.add(path)
        path.write_bytes(data)
    return len(taken)


if __name__ == "__main__":
    for each in sys.argv[1:] or TARGETS:
        print(f"{each}: {write(each)} seeds")
