"""`policies/README.md`, made from the tables: the presets, every kind of ask, and what a pattern of it may be.

python -m sockproxy.cli.reference > policies/README.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from sockproxy.docker.asks import KINDS, LIMITS, REQUIREMENTS, SECTIONS, Kind, Section
from sockproxy.docker.inspectors import ASKS_NOTHING, INSPECTED
from sockproxy.docker.operations import OPERATIONS, Operation
from sockproxy.policy import presets
from sockproxy.policy.load import load
from sockproxy.policy.patterns import FORM_WORDS
from sockproxy.policy.review import review

_HEAD: Final = """\
<!-- Made by `python -m sockproxy.cli.reference`; a test holds it to the tables in the code. -->
# Policies

The presets, and every kind of ask that a policy can speak of. A request passes when one rule alone allows its endpoint
and covers all that it asks; a `deny` beats every `allow`; what nobody allowed is refused.
"""

_PATTERNS: Final = """\
A pattern is `any`, `none`, or a word with globs: `*` is any run of characters but `/`, `**` any run, and nothing else
is special. Inside `[…]` a comma, `[` or `{` ends a word: quote it.

Where `sockproxy run` can see the host's root (`--host-root`), a `bind` is judged as where it leads when its symbolic
links are followed: grant `/run/docker.sock`, not `/var/run/docker.sock`.

What is mounted below a read-only bind is read-only too since API 1.44 (and Linux 5.12). A client that speaks an older
API to an engine that speaks 1.44, or asks for it, gets the older kind, which leaves that writable: it asks
` ro nonrecursive`, and ` ro` does not cover it. Where nothing is mounted below, or its being writable does no harm,
grant ` ro nonrecursive`.
"""


_ENDPOINTS: Final = """\
Rows of the Engine API that a rule can allow, as `METHOD /path`. Those marked *explicit* are taken in by a path that
names them, never by a `**` in `allow`. Those that *ask nothing* are granted as they are: to allow the row is to allow
all that it does. An endpoint that is not here is refused, whatever a rule says.
"""


def reference() -> str:
    """The whole text of ``policies/README.md``."""
    parts = [_HEAD, *_presets(), f"\n## Kinds of asks\n\n{_PATTERNS}".rstrip()]
    for section, words in SECTIONS.items():
        parts.append(f"\n### `{section}`: {words}\n")
        parts += _kinds(section)
    return "\n".join([*parts, *_endpoints()]) + "\n"


def _presets() -> Iterator[str]:
    yield "## Presets\n"
    yield "| preset | for | a road to the host |"
    yield "|---|---|---|"
    for name in presets.names():
        policy = load(name)
        roads = "yes: `sockproxy check " + name + "` says which" if review(policy).roads else "none"
        yield f"| [`{name}`]({name}.yaml) | {_cell(policy.about)} | {roads} |"


def _kinds(section: Section) -> Iterator[str]:
    if section in {"limit", "require"}:
        words = LIMITS if section == "limit" else REQUIREMENTS
        kind = KINDS[section]
        yield (
            f"{_sentence(kind)}, as in `{section}: {{{kind.example}}}`."
            if section == "limit"
            else (f"{_sentence(kind)}, as in `{section}: {kind.example}`.")
        )
        yield f"\nWords: {', '.join(f'`{word}`' for word in words)}."
        return
    yield "| kind | one ask is | a pattern is | such as |"
    yield "|---|---|---|---|"
    for kind in KINDS.values():
        if kind.section == section:
            yield f"| `{kind.name}` | {_cell(kind.asks)} | {_cell(FORM_WORDS[kind.form])} | `{_cell(kind.example)}` |"


def _sentence(kind: Kind) -> str:
    return kind.asks[:1].upper() + kind.asks[1:]


def _endpoints() -> Iterator[str]:
    yield "\n## Endpoints\n"
    yield _ENDPOINTS
    yield "| endpoint | operation | |"
    yield "|---|---|---|"
    for operation in OPERATIONS:
        if operation.name in INSPECTED:
            yield f"| `{operation.method} {operation.template}` | {operation.name} | {_marks(operation)} |"


def _marks(operation: Operation) -> str:
    marks = {
        "explicit": operation.explicit,
        "always open": operation.always,
        "a raw stream": operation.hijack,
        "asks nothing": operation.name in ASKS_NOTHING,
    }
    return ", ".join(mark for mark, holds in marks.items() if holds)


def _cell(text: str) -> str:
    """Text for a cell of a table: a bar would end it."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    click.echo(reference(), nl=False)
