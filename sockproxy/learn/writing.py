"""Rules as YAML that a person can read: what stands where, how often it was needed, and what wants a second look."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sockproxy.learn.draft import Calls, Draft
from sockproxy.learn.evidence import Collected
from sockproxy.policy.keys import COMMA_KINDS
from sockproxy.policy.suggest import size
from sockproxy.policy.writing import flow, listing, quoted, selectors, word
from sockproxy.redaction import HIDDEN, redact_ask

COLUMNS: Final = 120
"""The longest line that is written in one."""
_COMMENT_AT: Final = 64
"""Where comments begin, if the line is short enough."""


def written(drafts: Sequence[Draft], collected: Collected, *, name: str, marks: Mapping[int, str]) -> str:
    """The policy's text. ``marks`` are comments for lines, by their number, that say what to review."""
    lines = [*_head(collected, name), "rules:"]
    for draft in drafts:
        lines += _rule(draft)
    for number, mark in _told_once(lines, marks):
        lines[number - 1] = _marked(lines[number - 1], mark)
    return "\n".join(lines) + "\n"


_MARKED: Final = 24
"""Lines of one list that are marked each; of more that have one mark the first says it for all."""


def _told_once(lines: Sequence[str], marks: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """The marks of lines, those of a long list put together: thousands would make a policy longer than it may be."""
    run: list[int] = []
    for number in [*sorted(marks), 0]:
        listed = number > 0 and lines[number - 1].startswith(_LISTED)
        if run and not (listed and number == run[-1] + 1 and marks[number] == marks[run[0]]):
            mark = marks[run[0]]
            if len(run) > _MARKED:
                yield run[0], f"{mark}; and so with the {len(run) - 1:,} below"
            else:
                yield from ((each, mark) for each in run)
            run = []
        if listed:
            run.append(number)
        elif number:
            yield number, marks[number]


_LISTED: Final = "        - "
"""What a line of a list of patterns begins with."""


def _head(collected: Collected, name: str) -> Iterator[str]:
    clients = collected.clients
    yield f"# Learned from {_times(collected.seen)}: {_whose(clients)}."
    if collected.first:
        yield f"# The first was made at {_minute(collected.first)}, the last at {_minute(collected.last)} (UTC)."
    yield from _left_out(collected)
    yield "# Read it before you use it, what says REVIEW above all. `sockproxy check` tells what it gives away."
    yield "version: 1"
    yield f"name: {word(name)}"
    yield f"about: {word(f'What {_clients(clients)} did while sockproxy looked on, and no more.')}"


def _left_out(collected: Collected) -> Iterator[str]:
    if collected.refused:
        yield f"# Not learned from: {_times(collected.refused)} refused when they were recorded."
    if collected.partial:
        yield f"# Not learned from: {_times(collected.partial)} not all of whose asks are in the audit line."
    if collected.beyond:
        yield f"# Not learned from: {_times(collected.beyond)}, as there were too many different ones before."


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def _times(count: int) -> str:
    return f"{count:,} call" + ("" if count == 1 else "s")


def _whose(clients: Counter[str]) -> str:
    """``jenkins 30, anyone 4``: the most busy first."""
    return ", ".join(f"{name} {count:,}" for name, count in clients.most_common(6)) or "none"


def _clients(clients: Counter[str]) -> str:
    names = [name for name, _ in clients.most_common(4)]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names) or "nobody"


def _rule(draft: Draft) -> Iterator[str]:
    clients = draft.clients
    yield _commented(f"  - id: {draft.id}", f"{_times(clients.total())}: {_whose(clients)}")
    yield "    allow:"
    for endpoint, rows in selectors(draft.operations).items():
        yield _commented(f"      - {endpoint}", _times(sum(draft.operations[row].total() for row in rows)))
    asked = _asked(draft.calls)
    for section, kinds in (("grant", draft.grant), ("only", draft.only)):
        if not kinds:
            continue
        yield f"    {section}:"
        nothing = [kind for kind, words in kinds.items() if words == ("none",)]
        for kind, words in kinds.items():
            if kind not in nothing:
                yield from _kind(kind, words, asked)
        yield from _nothing(nothing)
    for kind, ask in draft.free.items():
        yield f"    # REVIEW: `{kind}` stays free: no pattern means just what was seen, such as `{ask.shown}`"
    for name in draft.only.get("tag", ()):
        if _NUMBERED.fullmatch(name):
            every = f"{name.rpartition(':')[0]}:*"
            yield f"    # REVIEW: if `{name}` has the number of a build, write `{every}` here and where it is run"
    if draft.limit:
        yield f"    limit: {flow({name: size(name, amount) for name, amount in draft.limit.items()})}"
    if draft.require:
        yield f"    require: {listing(draft.require)}"
    for ask in draft.impossible:
        yield f"    # REVIEW: no pattern allows just this, so it is not allowed: {ask}"


@dataclass(slots=True)
class _Asked:
    """What calls asked of one kind."""

    calls: int = 0
    secret: bool = False
    """Whether a value holds what an audit line would hide."""


Asked: TypeAlias = Mapping[str, _Asked]


def _asked(calls: Calls) -> Asked:
    found: dict[str, _Asked] = {}
    for seen, clients in calls.items():
        for kind in {ask.kind for ask in seen.asks}:
            found.setdefault(kind, _Asked()).calls += clients.total()
        for ask in seen.asks:
            found[ask.kind].secret |= HIDDEN in redact_ask(ask)
    return found


_NUMBERED: Final = re.compile(r".+:[0-9]{1,2}")
"""An image that a client named by a number: it may be a version, and it may count."""


def _kind(kind: str, words: Sequence[str], asked: Asked) -> Iterator[str]:
    count = _times(asked[kind].calls) if kind in asked else "implied"
    if kind in asked and asked[kind].secret:
        count += "; REVIEW: a secret stands here"
    # A comma in one of these would end the word: `check` warns where they stand without quotes.
    said = f"[{', '.join(map(quoted, words))}]" if kind in COMMA_KINDS and len(words) > 1 else listing(words)
    line = f"      {kind}: {said}"
    if len(line) <= COLUMNS:
        yield _commented(line, count)
        return
    yield _commented(f"      {kind}:", count)
    for each in words:
        yield f"{_LISTED}{word(each)}"


def _nothing(kinds: Iterable[str]) -> Iterator[str]:
    """Kinds that nothing was seen of, each held to nothing."""
    for at, kind in enumerate(kinds):
        yield f"      {kind}: none" if at else _commented(f"      {kind}: none", "nothing was seen of it")


def _commented(line: str, comment: str) -> str:
    if len(line) + len(comment) + 4 > COLUMNS:
        return line
    return f"{line.ljust(_COMMENT_AT - 2)}  # {comment}"


def _marked(line: str, mark: str) -> str:
    """A line with a mark for its reader, before the comment that it may have."""
    code, hash_, comment = line.partition("  # ")
    told = f"{comment}; REVIEW: {mark}" if hash_ else f"REVIEW: {mark}"
    return f"{code.rstrip().ljust(_COMMENT_AT - 2)}  # {told}"
