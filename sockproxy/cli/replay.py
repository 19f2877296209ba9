"""`sockproxy replay`: what a policy would have said to the traffic that an audit log recorded."""

from __future__ import annotations

import itertools
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sockproxy.cli.auditfiles import Places, is_compressed, lines_of, read_lines
from sockproxy.cli.options import client_option, policy_option
from sockproxy.cli.screen import shortened, table, width
from sockproxy.errors import ConfigurationError
from sockproxy.printable import printable

if TYPE_CHECKING:
    from sockproxy.policy.load import Policy
    from sockproxy.records import Record
    from sockproxy.replay import Change, Group, Replay, Tally

_LISTED: Final = 20
"""Groups of each change that are printed; `--json` has them all."""

_WAS: Final = (
    ("allow", "was allowed"),
    ("would_deny", "was observed"),
    ("absent", "was not there"),
    ("deny", "was refused"),
)
"""Each verdict of an audit line, as the table has it."""

_TITLES: Final[tuple[tuple[Change, str], ...]] = (
    ("refused", "went on, and would be refused"),
    ("allowed", "no rule allowed it, and one would"),
    ("unknown", "cannot be told from what was recorded"),
)


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE|-]...", type=click.Path())
@policy_option
@client_option("Judge every call as this client's; else the recorded address says whose it was.")
@click.option("--json", "as_json", is_flag=True, envvar="SOCKPROXY_JSON", show_envvar=True, help="Print JSON.")
def replay(files: tuple[str, ...], policy: str, client: str | None, as_json: bool) -> None:
    """Judge the calls of audit files again, under another policy, and sum up what would change.

    Rotated files may be compressed by gzip, whatever their names.

    Nothing is sent anywhere. Exit codes: 0 nothing that went on would be refused, 1 something would, 2 a mistake.
    """
    click.get_current_context().exit(replay_and_show(files or ("-",), policy, client, as_json=as_json))


def replay_and_show(
    files: tuple[str, ...], source: str, client: str | None, *, as_json: bool, read: Sequence[bytes] = ()
) -> int:
    """Judge every line of these files (``-`` is standard input) again, and sum up; the exit status.

    ``read`` are lines of standard input that were read before.

    Raises:
        ConfigurationError: a file cannot be read, or there is no audit line in any.
    """
    from sockproxy.policy.load import load
    from sockproxy.replay import Replay

    policy = load(source)
    if client is not None and client not in {each.name for each in policy.clients}:
        known = ", ".join(each.name for each in policy.clients) or "none"
        raise click.BadParameter(f"the policy's clients are: {known}", param_hint="--client")
    done = Replay(policy, client=client)
    for line in read:
        done.feed(line)
    places = read_lines(files, done.feed, label="judging again")
    if not done.totals.calls and done.totals.bad:
        raise ConfigurationError(f"no audit line of sockproxy's in {', '.join(files)}: {_first_bad(done, places)}")
    if as_json:
        _as_json(done, policy, places)
    else:
        _as_text(done, policy, places)
    return 1 if done.fate("allow", "would_deny", "absent", now="deny") else 0


def only_record(files: tuple[str, ...]) -> tuple[Record | None, tuple[bytes, ...]]:
    """The record of the one call that is in these files, None where there is none or another; and what was read for it.

    Of standard input that is lost otherwise, of a file nothing is.
    """
    from sockproxy.records import BadRecord, is_end, read

    if len(files) != 1:
        return None, ()
    lines: list[bytes] = []
    with suppress(OSError, EOFError, zlib.error), ExitStack() as stack:
        raw = sys.stdin.buffer if files[0] == "-" else stack.enter_context(Path(files[0]).open("rb"))
        if files[0] == "-" and is_compressed(raw):
            return None, ()  # what is unpacked of it could not be given back
        lines += itertools.islice(lines_of(files[0], raw), _FEW)
    again = tuple(lines) if files[0] == "-" else ()
    told = [line for line in lines if line.strip() and not is_end(line)]
    with suppress(BadRecord):
        if len(told) == 1 and len(lines) < _FEW:
            return read(told[0]), again
    return None, again


_FEW: Final = 4
"""More lines than one call has: its first, its second, and an empty one."""


def _first_bad(done: Replay, places: Places) -> str:
    """``line 17: no JSON``."""
    return f"{places.of(done.totals.first_bad)}: {done.totals.why_bad}"


def _as_text(done: Replay, policy: Policy, places: Places) -> None:
    totals = done.totals
    click.secho(
        f"{totals.lines:,} lines, {totals.calls:,} calls, judged again by policy `{policy.name}`"
        f" ({policy.digest[:12]})\n",
        bold=True,
    )
    if not totals.calls:
        click.echo("  there is no call to judge")
        return
    for line in table(_fates(done), indent="  "):
        click.echo(line)
    for change, title in _TITLES:
        for line in _groups(done, change, title, places):
            click.echo(line)
    if done.others:
        click.echo(f"\n{done.others:,} more calls that would fare otherwise, of too many kinds to tell apart")
    if totals.bad:
        said = "line is no audit line and was" if totals.bad == 1 else "lines are no audit lines and were"
        click.echo(f"\n{totals.bad:,} {said} left out; the first: {_first_bad(done, places)}")


def _fates(done: Replay) -> Iterator[tuple[str, ...]]:
    """The table of what was said then against what would be said now; verdicts that never came are left out."""
    yield "", "would be allowed", "refused", "cannot be told"
    for verdict, words in _WAS:
        counts = [done.fates[verdict, "allow"], done.fates[verdict, "deny"], done.fates[verdict, "unknown"]]
        if any(counts):
            yield words, *(f"{count:,}".rjust(len(head)) for count, head in zip(counts, _HEADS, strict=True))


_HEADS: Final = ("would be allowed", "refused", "cannot be told")


def _groups(done: Replay, change: Change, title: str, places: Places) -> Iterator[str]:
    found = done.changes(change)
    if not found:
        return
    yield f"\n{title}: {sum(tally.calls for _, tally in found):,} calls, most often first"
    rows = [("calls", "client", "operation", "rule", "first", "what")]
    rows += [
        (
            f"{tally.calls:,}",
            group.client,
            group.operation,
            group.rule or "-",
            places.of(tally.first_line),
            _values(tally),
        )
        for group, tally in found[:_LISTED]
    ]
    for line in table(rows, indent="  "):
        yield shortened(line, width())
    if len(found) > _LISTED:
        yield f"  … and {len(found) - _LISTED:,} more kinds: --json lists them"


def _values(tally: Tally) -> str:
    """The value that came most often, and how many other calls had others."""
    ((value, count),) = tally.values.most_common(1)
    left = tally.calls - count
    return printable(value) + (f" ({count:,} calls; {left:,} with other values)" if left else "")


def _as_json(done: Replay, policy: Policy, places: Places) -> None:
    told = {
        "policy": {"name": policy.name, "digest": policy.digest},
        "lines": done.totals.lines,
        "calls": done.totals.calls,
        "bad_lines": done.totals.bad,
        "fates": [{"was": verdict, "now": now, "calls": count} for (verdict, now), count in sorted(done.fates.items())],
        "changes": [_group(group, tally, places) for change, _ in _TITLES for group, tally in done.changes(change)],
        "other_changes": done.others,
    }
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _group(group: Group, tally: Tally, places: Places) -> dict[str, object]:
    return {
        "change": group.change,
        "calls": tally.calls,
        "client": group.client,
        "operation": group.operation,
        "rule": group.rule or None,
        "kinds": group.kinds,
        "values": dict(tally.values.most_common()),
        "first_line": tally.first_line,
        "first": places.of(tally.first_line),
    }
