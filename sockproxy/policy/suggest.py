"""The YAML that would allow what was refused, in a form that can be pasted, or what the client must send instead.

    the rule was inherited     rules: [{id: run, grant: {privileged: any}}]      in a file that extends it
    it is in one's own file    grant: {bind: [/srv/ci/**, /etc]}                 in place of the rule's own line
    no rule allows the row     rules: [{id: …, allow: [POST /commit], …}]        a new rule

The pattern is the ask's own value, and is tried on the ask before it is printed. Only where the language has no word
for just that value (a folder whose name ends in ` ro`, a thing called `any`) does it end in `*`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sockproxy.docker.asks import KINDS, Kind
from sockproxy.docker.inspectors import INSPECTED
from sockproxy.docker.operations import Operation
from sockproxy.docker.references import DEFAULT_REGISTRY
from sockproxy.model import Ask
from sockproxy.policy import presets
from sockproxy.policy.document import Place
from sockproxy.policy.match import matches_any
from sockproxy.policy.patterns import BadPattern, compile_pattern
from sockproxy.policy.rules import Policy, Rule
from sockproxy.policy.writing import flow, listing, selectors, word


@dataclass(frozen=True, slots=True)
class Fix:
    """What to do about a denial. Both are empty where nothing helps."""

    one_line: str
    block: str
    """YAML for a file: what `explain` prints, and what can be pasted as it is."""


def fix(rule: Rule | None, refused: tuple[Ask, ...], operation: Operation, policy: Policy) -> Fix:
    """How the policy, or the request, would have to change for the call to pass.

    ``rule`` is the nearest rule; None where no rule allows the operation. ``refused`` are the asks it does not cover.
    """
    if operation.name not in INSPECTED:
        return Fix("this version cannot inspect it, so no policy can allow it", "")
    if any(not ask.grantable for ask in refused):
        return Fix(_never(next(ask for ask in refused if not ask.grantable)), "")
    if rule is None:
        return _new_rule(refused, operation, policy)
    own = _is_own(rule, policy)
    sections: dict[str, dict[str, list[str]]] = {"grant": {}, "only": {}}
    limits: dict[str, str] = {}
    words: list[str] = []
    for ask in refused:
        _sort(ask, rule, sections, limits, words)
    _imply(sections["grant"], rule)
    if own and words:
        words.append(f"or take out what rule `{rule.id}` demands ({_shown(rule.place)})")
    changes = _whole(sections, limits, rule) if own else _added(sections, limits)
    said = "; ".join(dict.fromkeys(words))
    if not changes:
        return Fix(said, "")
    shown = ", ".join(f"{section}: {value}" for section, value in changes.items())
    # What the client must do comes first, so that the line ends in YAML and can be copied to its end.
    if own:
        where = f"rule `{rule.id}` ({_shown(rule.place)})"
        block = f"# in {where}, in place of what stands there\n" + _lines(changes, indent="")
        return _fix(said, f"to allow it, in {where} write: {shown}", block)
    base = _extended(rule, policy)
    block = f"rules:\n  - id: {word(rule.id)}\n" + _lines(changes, indent="    ")
    line = f"rules: [{{id: {word(rule.id)}, {shown}}}]"
    if _file(policy) is not None:
        return _fix(said, f"to allow it, in {Path(policy.source).name} write: {line}", block)
    block = f"version: 1\nextends: {word(base)}\n{block}"
    return _fix(said, f"to allow it, in a file that extends {base}: {line}", block)


_LONGEST: Final = 4096
"""Characters of YAML in a message: longer values are for `explain`, and would drown the reason in a terminal."""


def _fix(said: str, line: str, block: str) -> Fix:
    if len(line) > _LONGEST:
        line = "the YAML that would allow it is too long for a message: `sockproxy explain` prints it"
    return Fix(f"{said}; {line}" if said else line, block)


def _lines(changes: Mapping[str, str], *, indent: str) -> str:
    return "\n".join(f"{indent}{section}: {value}" for section, value in changes.items())


def _file(policy: Policy) -> str | None:
    """The file that the operator would edit, as rules know it; None where the policy is a shipped one."""
    return None if presets.path(policy.source) is not None else str(Path(policy.source))


def _is_own(rule: Rule, policy: Policy) -> bool:
    """Whether the rule stands in that file, where a second one of its id would be a mistake."""
    return rule.written == _file(policy)


def _extended(rule: Rule, policy: Policy) -> str:
    """What a new file would extend: the policy in use."""
    return policy.source if _file(policy) is None else Path(rule.written).name


def _shown(place: Place) -> str:
    """A place without its folder: a client reads this, and need not know where policies are kept."""
    return f"{Path(place.file).name}:{place.line}"


def _imply(grants: dict[str, list[str]], rule: Rule | None) -> None:
    """`tunnel: grpc` implies the host's network, and is refused by the loader without it."""
    if "grpc" not in grants.get("tunnel", ()):
        return
    host = Ask("namespace", "network=host", "")
    if not matches_any(rule.grant.get("namespace", ()) if rule else (), host):
        given = grants.setdefault("namespace", [])
        if host.value not in given:
            given.append(host.value)


def _sort(
    ask: Ask,
    rule: Rule,
    sections: dict[str, dict[str, list[str]]],
    limits: dict[str, str],
    words: list[str],
) -> None:
    """Put one refused ask where it belongs: a pattern, a higher limit, or words to the client."""
    match KINDS[ask.kind].section:
        case "limit":
            if ask.amount is None or ask.amount < 0:
                words.append(
                    f"set {ask.where}{_FLAGS.get(ask.value, '')}, at most {size(ask.value, rule.limit[ask.value])}"
                )
            else:
                limits[ask.value] = size(ask.value, ask.amount)
        case "require":
            words.append(f"rule `{rule.id}` requires {ask.value}: send {_REMEDIES[ask.value]}")
        case section:
            pattern = pattern_for(ask)
            if pattern is None:
                words.append(f"no pattern means just {ask.where}: name the {ask.kind} otherwise")
                return
            patterns = sections[section].setdefault(ask.kind, [])
            if pattern not in patterns:
                patterns.append(pattern)


_FLAGS: Final = {
    "memory": " (docker run --memory)",
    "cpus": " (docker run --cpus)",
    "pids": " (docker run --pids-limit)",
    "shm": " (docker run --shm-size)",
}
_REMEDIES: Final = {
    "read-only": "HostConfig.ReadonlyRootfs (docker run --read-only)",
    "no-new-privileges": "HostConfig.SecurityOpt no-new-privileges (docker run --security-opt no-new-privileges)",
    "cap-drop-all": "HostConfig.CapDrop ALL (docker run --cap-drop ALL)",
    "non-root": "a numeric User other than 0 (--user 1000:1000)",
}


@dataclass(frozen=True, slots=True)
class Lack:
    """A call that is refused, and what its nearest rule lacks."""

    operation: Operation
    rule: Rule | None
    """None where no rule allows the row."""
    refused: tuple[Ask, ...]


@dataclass(frozen=True, slots=True)
class Joint:
    """What several calls need together."""

    block: str
    """A whole file that extends the policy; empty where nothing can be granted."""
    left: tuple[str, ...]
    """What no grant gives: what the client must send, or leave out."""
    made: tuple[str, ...]
    """The ids of rules that are new in it."""


def joint(lacks: Iterable[Lack], policy: Policy) -> Joint:
    """How a file that extends the policy would have to look for all of these calls to pass."""
    left: list[str] = []
    lacking: dict[str, tuple[Rule, list[Ask]]] = {}
    rows: dict[bool, list[Lack]] = {}
    for lack in lacks:
        if lack.operation.name not in INSPECTED:
            left.append(f"this version cannot inspect {lack.operation.name}, so no policy can allow it")
        elif any(not ask.grantable for ask in lack.refused):
            left += [f"{_never(ask)}: {ask} ({ask.where})" for ask in lack.refused if not ask.grantable]
        elif lack.rule is None:
            rows.setdefault(lack.operation.name in _ALWAYS_ASKED and lack.operation.hijack, []).append(lack)
        else:
            lacking.setdefault(lack.rule.id, (lack.rule, []))[1].extend(lack.refused)
    rules = [_extending(rule, asks, left) for rule, asks in lacking.values()]
    made: list[str] = []
    for tunnels, those in sorted(rows.items()):
        identity = _free_id("allow-buildkit" if tunnels else _new_id(those), policy)
        made.append(identity)
        rules.append(_allowing(identity, those, left))
    written = "\n".join(rule for rule in rules if rule)
    base = policy.source if _file(policy) is None else Path(policy.source).name
    block = f"version: 1\nextends: {word(base)}\nrules:\n{written}" if written else ""
    return Joint(block, tuple(dict.fromkeys(left)), tuple(made))


def _new_id(lacks: list[Lack]) -> str:
    names = {lack.operation.name for lack in lacks}
    return _row_id(names.pop()) if len(names) == 1 else "allow-more"


def _extending(rule: Rule, asks: list[Ask], left: list[str]) -> str:
    """What a rule of this id must add; empty where it can add nothing."""
    sections: dict[str, dict[str, list[str]]] = {"grant": {}, "only": {}}
    limits: dict[str, str] = {}
    # Of a limit the highest amount last, so that it stands.
    for ask in sorted(dict.fromkeys(asks), key=lambda ask: ask.amount or 0):
        _sort(ask, rule, sections, limits, left)
    _imply(sections["grant"], rule)
    changes = _added(sections, limits)
    return f"  - id: {word(rule.id)}\n{_lines(changes, indent='    ')}" if changes else ""


def _allowing(identity: str, lacks: list[Lack], left: list[str]) -> str:
    """A new rule for rows that none allows."""
    grants: dict[str, list[str]] = {}
    for lack in lacks:
        for ask in (*lack.refused, *_always_asked(lack.operation)):
            if KINDS[ask.kind].section != "grant" or ask.plain:
                continue
            if (pattern := pattern_for(ask)) is None:
                left.append(f"no pattern means just {ask.where}: name the {ask.kind} otherwise")
            elif pattern not in grants.setdefault(ask.kind, []):
                grants[ask.kind].append(pattern)
    _imply(grants, None)
    rows = "".join(f"\n      - {row}" for row in selectors(lack.operation for lack in lacks))
    changes = _lines(_added({"grant": grants}, {}), indent="    ")
    return f"  - id: {identity}\n    allow:{rows}" + (f"\n{changes}" if changes else "")


def _never(ask: Ask) -> str:
    if ask.kind == "container":
        return "no policy can allow it: it is sockproxy's own container, or one that does not exist"
    return "no policy can allow it"


_ALWAYS_ASKED: Final = {
    "Session": Ask("tunnel", "session", "path"),
    "Grpc": Ask("tunnel", "grpc", "path"),
    "ImageLoad": Ask("import", "load", "path"),
}
"""What every call of a row asks: known also where the call is refused before it is looked into."""


def _always_asked(operation: Operation) -> tuple[Ask, ...]:
    always = _ALWAYS_ASKED.get(operation.name)
    return (always,) if always is not None else ()


def _row_id(operation: str) -> str:
    """``allow-container-create``."""
    return "allow-" + re.sub(r"(?<!^)(?=[A-Z])", "-", operation).lower()


def _new_rule(refused: tuple[Ask, ...], operation: Operation, policy: Policy) -> Fix:
    sections: dict[str, dict[str, list[str]]] = {"grant": {}}
    for ask in (*refused, *_always_asked(operation)):
        if KINDS[ask.kind].section == "grant" and not ask.plain and (pattern := pattern_for(ask)) is not None:
            sections["grant"].setdefault(ask.kind, []).append(pattern)
    _imply(sections["grant"], None)
    allow = f"{operation.method} {operation.template}"
    changes = {"allow": f"[{word(allow)}]", **_added(sections, {})}
    identity = _free_id(_row_id(operation.name), policy)
    shown = ", ".join(f"{section}: {value}" for section, value in changes.items())
    block = f"rules:\n  - id: {identity}\n" + _lines(changes, indent="    ")
    said = ""
    if any(client.rules is not None for client in policy.clients):
        said = f"name `{identity}` among the client's `rules` too"
    where = f"to allow it, in a file that extends {policy.source} add" if _file(policy) is None else "to allow it, add"
    return _fix(said, f"{where}: rules: [{{id: {identity}, {shown}}}]", block)


def _free_id(wanted: str, policy: Policy) -> str:
    """The id, or the first with a number after it that no rule has."""
    taken = {rule.id for rule in policy.rules} | {rule.id for rule in policy.deny_rules}
    if wanted not in taken:
        return wanted
    return next(each for number in itertools.count(2) if (each := f"{wanted}-{number}") not in taken)


def _added(sections: Mapping[str, Mapping[str, list[str]]], limits: Mapping[str, str]) -> dict[str, str]:
    """What an extending rule adds: patterns are joined."""
    changes = {
        section: flow({kind: listing(patterns) for kind, patterns in kinds.items()})
        for section, kinds in sections.items()
        if kinds
    }
    if limits:
        changes["limit"] = flow(limits)
    return changes


def _whole(sections: Mapping[str, Mapping[str, list[str]]], limits: Mapping[str, str], rule: Rule) -> dict[str, str]:
    """The complete new value of each section of a rule that one can edit."""
    changes: dict[str, str] = {}
    for section, kinds in sections.items():
        if kinds:
            present = rule.grant if section == "grant" else rule.only
            lists = {kind: [pattern.text for pattern in patterns] for kind, patterns in present.items()}
            for kind, patterns in kinds.items():
                # In a rule that extends, `none` keeps out what is inherited, and must stay.
                kept = [text for text in lists.get(kind, []) if text != "none" or rule.origin != rule.written]
                lists[kind] = kept + patterns
            changes[section] = flow({kind: listing(patterns) for kind, patterns in lists.items()})
    if limits:
        whole = {name: size(name, amount) for name, amount in rule.limit.items()}
        changes["limit"] = flow({**whole, **limits})
    return changes


def pattern_for(ask: Ask) -> str | None:
    """The narrowest pattern of a policy that covers an ask; None where none is narrow enough to be proposed."""
    kind = KINDS[ask.kind]
    if kind.form == "any":
        return "any"
    return next((text for text in _candidates(ask, kind) if text != "any" and _covered_by(text, ask, kind)), None)


def _candidates(ask: Ask, kind: Kind) -> Iterator[str]:
    """The value itself, and with a `*` at its end where the value alone would mean something else."""
    value = ask.value
    suffixes = ""
    if kind.form == "image":
        value = (ask.aliases[0] if ask.aliases else value).removeprefix(f"{DEFAULT_REGISTRY}/library/")
        value = value.removesuffix(":*") if "@" not in value else value
    elif kind.form in ("path", "volume"):
        suffixes = ask.suffixes
    yield value + suffixes
    if value:
        yield f"{value}*{suffixes}"


def _covered_by(text: str, ask: Ask, kind: Kind) -> bool:
    try:
        return compile_pattern(kind, text).matches(ask)
    except BadPattern:
        return False


def size(name: str, amount: int) -> str:
    """A limit's number as a policy writes it: ``8g``, ``1.5``, ``2000``."""
    match name:
        case "pids":
            return str(amount)
        case "cpus":
            return f"{amount / 10**9:.9f}".rstrip("0").rstrip(".")
        case _:
            for unit, factor in (("g", 2**30), ("m", 2**20), ("k", 2**10)):
                if amount % factor == 0:
                    return f"{amount // factor}{unit}"
            return str(amount)
