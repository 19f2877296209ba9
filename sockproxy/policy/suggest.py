"""The YAML that would allow what was refused, in a form that can be pasted, or what the client must send instead.

    the rule was inherited     rules: [{id: run, grant: {privileged: any}}]      in a file that extends it
    it is in one's own file    grant: {bind: [/srv/ci/**, /etc]}                 in place of the rule's own line
    no rule allows the row     rules: [{id: …, allow: [POST /commit], …}]        a new rule

The pattern is the ask's own value, and is tried on the ask before it is printed. Only where the language has no word for
just that value (a folder whose name ends in ` ro`, a thing called `any`) does it end in `*`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sockproxy.docker.asks import KINDS
from sockproxy.docker.inspectors import INSPECTED
from sockproxy.docker.operations import Operation
from sockproxy.docker.references import DEFAULT_REGISTRY
from sockproxy.model import Ask
from sockproxy.policy import presets
from sockproxy.policy.rules import Policy, Rule


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
    if own:
        words = [f"{word}{_or_take_out(word_ask, rule)}" for word, word_ask in zip(words, _worded(refused), strict=False)]
    _imply(sections["grant"], rule)
    changes = _whole(sections, limits, rule) if own else _added(sections, limits)
    if not changes:
        return Fix("; ".join(dict.fromkeys(words)), "")
    shown = ", ".join(f"{section}: {value}" for section, value in changes.items())
    if own:
        line = f"to allow it, in rule `{rule.id}` ({rule.place}) write: {shown}"
        block = f"# in rule {rule.id} ({rule.place}), in place of what stands there\n" + "\n".join(
            f"{section}: {value}" for section, value in changes.items()
        )
    else:
        rules = f"rules: [{{id: {_word(rule.id)}, {shown}}}]"
        line = f"to allow it, in a file that extends {_extended(rule, policy)}: {rules}"
        block = (
            f"version: 1\nextends: {_word(_extended(rule, policy))}\nrules:\n  - id: {_word(rule.id)}\n"
            + "\n".join(f"    {section}: {value}" for section, value in changes.items())
        )
    return Fix("; ".join([line, *dict.fromkeys(words)]), block)


def _is_preset(rule: Rule) -> bool:
    """Whether the rule stands in a file that the operator does not edit: a preset, named or extended."""
    return rule.written.startswith(str(presets.folder()))


def _extended(rule: Rule, policy: Policy) -> str:
    if rule.written.startswith(str(presets.folder())):
        return rule.written.rpartition("/")[2].removesuffix(".yaml")
    return policy.source


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
            if ask.amount is None:
                words.append(
                    f"set {ask.where}{_FLAGS.get(ask.value, '')}, at most {size(ask.value, rule.limit[ask.value])}"
                )
            else:
                limits[ask.value] = size(ask.value, ask.amount)
        case "require":
            words.append(f"rule `{rule.id}` requires {ask.value}: send {_REMEDIES[ask.value]}")
        case section:
            patterns = sections[section].setdefault(ask.kind, [])
            pattern = pattern_for(ask)
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


def _never(ask: Ask) -> str:
    if ask.kind == "container":
        return "no policy can allow it: it is sockproxy's own container, or one that does not exist"
    return "no policy can allow it"


def _new_rule(refused: tuple[Ask, ...], operation: Operation) -> Fix:
    sections: dict[str, dict[str, list[str]]] = {"grant": {}}
    for ask in refused:
        if KINDS[ask.kind].section == "grant" and not ask.plain:
            sections["grant"].setdefault(ask.kind, []).append(pattern_for(ask))
    allow = f"{operation.method} {operation.template}"
    changes = {"allow": f"[{_word(allow)}]", **_added(sections, {})}
    identity = "allow-" + re.sub(r"(?<!^)(?=[A-Z])", "-", operation.name).lower()
    shown = ", ".join(f"{section}: {value}" for section, value in changes.items())
    block = f"rules:\n  - id: {identity}\n" + "\n".join(f"    {key}: {value}" for key, value in changes.items())
    return Fix(f"to allow it, add: rules: [{{id: {identity}, {shown}}}]", block)


def _added(sections: Mapping[str, Mapping[str, list[str]]], limits: Mapping[str, str]) -> dict[str, str]:
    """What an extending rule adds: patterns are joined."""
    changes = {
        section: _flow({kind: _list(patterns) for kind, patterns in kinds.items()})
        for section, kinds in sections.items()
        if kinds
    }
    if limits:
        changes["limit"] = _flow(limits)
    return changes


def _whole(sections: Mapping[str, Mapping[str, list[str]]], limits: Mapping[str, str], rule: Rule) -> dict[str, str]:
    """The complete new value of each section of a rule that one can edit."""
    changes: dict[str, str] = {}
    for section, kinds in sections.items():
        if kinds:
            present = rule.grant if section == "grant" else rule.only
            lists = {kind: [pattern.text for pattern in patterns] for kind, patterns in present.items()}
            for kind, patterns in kinds.items():
                lists[kind] = [text for text in lists.get(kind, []) if text != "none"] + patterns
            changes[section] = _flow({kind: _list(patterns) for kind, patterns in lists.items()})
    if limits:
        whole = {name: size(name, amount) for name, amount in rule.limit.items()}
        changes["limit"] = _flow({**whole, **limits})
    return changes


def pattern_for(ask: Ask) -> str:
    """The narrowest pattern of a policy that covers an ask."""
    kind = KINDS[ask.kind]
    value = ask.value
    match kind.form:
        case "any":
            return "any"
        case "image":
            value = (ask.aliases[0] if ask.aliases else value).removeprefix(f"{DEFAULT_REGISTRY}/library/")
            return value.removesuffix(":*") if "@" not in value else value
        case "path" | "volume":
            return value + (" ro" if ask.read_only else "") + (" shared" if ask.shared else "")
        case _:
            return value


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


# Writing YAML --------------------------------------------------------------------------------------------------------

_PLAIN: Final = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_.*=+@:-]*(?: [A-Za-z0-9/_.*=+@-]+)*")


def _word(text: str) -> str:
    """A word as it may stand inside `[…]`: quoted where YAML, or a reader, could take it for something else."""
    if _PLAIN.fullmatch(text) and ": " not in text and not text.endswith(":"):
        return text
    escaped = "".join(_escape(char) for char in text)
    return f'"{escaped}"'


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _list(words: Iterable[str]) -> str:
    texts = [_word(word) for word in dict.fromkeys(words)]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _flow(mapping: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in mapping.items()) + "}"
