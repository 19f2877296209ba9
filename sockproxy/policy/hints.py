"""Help apart from the problem: what to write instead of what was written. `meant.py` has the words behind it.

Law: whoever does what a hint says has put the mistake right. None of them opens more than was asked for.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from sockproxy.docker.asks import KINDS, LIMITS, REQUIREMENTS, Kind
from sockproxy.docker.operations import METHODS
from sockproxy.policy import meant, presets
from sockproxy.policy.amounts import amount as amount_of
from sockproxy.policy.document import Mapping, Node, Scalar, Sequence
from sockproxy.policy.keys import POLICY_KEYS, RULE_KEYS

_EXAMPLES: Final = {
    "grant": "{bind: /srv/ci/**}",
    "only": "{container: ci-*}",
    "asking": "{label: traefik.*}",
    "limit": "{memory: 8g, pids: 2000}",
}


def network(text: str) -> str:
    """A hint at the address or network that was meant."""
    shorter = text.strip("[]")
    starred = re.fullmatch(r"((?:[0-9]+\.){1,3})\*(?:\.\*)*", text)
    if starred is not None:
        parts = starred[1].rstrip(".").split(".")
        shorter = f"{'.'.join([*parts, '0', '0', '0'][:4])}/{8 * len(parts)}"
    elif re.fullmatch(r"[0-9.]+:[0-9]+", text):
        shorter = text.partition(":")[0]
    try:
        return f"did you mean {ipaddress.ip_network(shorter, strict=False)}?".replace("/32?", "?").replace("/128?", "?")
    except ValueError:
        pass
    if text.lower() in ("any", "all", "*"):
        return "everyone is 0.0.0.0/0 and ::/0"
    several = [each for each in re.split("[, ]+", text) if _is_network(each)]
    if len(several) > 1:
        return f"write a list: [{', '.join(several)}]"
    if re.search("[g-zG-Z]", text):
        return "names are not looked up: write the address, or its network, such as 172.20.0.0/16"
    return "write an address or a network, such as 172.20.0.7 or 172.20.0.0/16"


def _is_network(text: str) -> bool:
    try:
        return bool(ipaddress.ip_network(text))
    except ValueError:
        return False


def rule(word: str, known: list[str]) -> str:
    """A hint at the rules that were meant to be a client's."""
    if word in ("any", "*", "**", "ALL", "everything"):
        return "did you mean all?"
    if presets.path(word) is not None:
        return f"write `extends: {word}` too, to have its rules"
    return close_to(word, known)


def close_to(word: str, words: Iterable[str]) -> str:
    """The word that is spelled most like it, or all that there are."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"did you mean {close[0]}?" if close else f"one of {', '.join(list(words)[:12])}"


def glued(word: str, keys: Iterable[str]) -> str | None:
    """The key of `id:run`, which has no space behind its colon."""
    before, colon, _ = word.partition(":")
    return before if colon and before in keys else None


def example(key: str, node: Mapping) -> str:
    """What may stand where a mapping was written."""
    said = node.entries[0][0].text if node.entries else ""
    if key in ("allow", "deny"):
        value = node.entries[0][1] if node.entries else None
        if said in METHODS and isinstance(value, Scalar):
            return f"{said} {value.text}"
        return "GET /containers/json"
    if key == "require":
        return said if said in REQUIREMENTS else "read-only"
    if key in KINDS:
        return KINDS[key].example
    return said or "…"


def as_mapping(section: str, node: Node) -> str:
    """A hint at how a section is written."""
    if isinstance(node, Sequence) and any(isinstance(item, Mapping) for item in node.items):
        return f"take each `- ` away: `{section}: {_EXAMPLES[section]}`"
    word = node if isinstance(node, Scalar) else node.items[0] if isinstance(node, Sequence) and node.items else None
    if not isinstance(word, Scalar):
        return f"for example `{section}: {_EXAMPLES[section]}`"
    key, colon, value = word.text.partition(":")
    if colon and (key in KINDS or key in LIMITS):
        return f"write a space behind the colon: `{key}: {value.strip()}`"
    if key in KINDS and KINDS[key].section == section:
        return f"for example `{section}: {{{key}: {KINDS[key].example}}}`"
    return f"for example `{section}: {_EXAMPLES[section]}`"


def kind(word: str, section: str, wanted: tuple[str, ...]) -> str:
    """A hint at the kind that was meant, and where it belongs."""
    if word in POLICY_KEYS and meant.kind(word, KINDS) is None:
        return "it is a key of the policy: begin its line at the margin"
    own = [name for name, each in KINDS.items() if each.section in wanted]
    if (with_colon := glued(word, own)) is not None:
        return f"write `{with_colon}: {word.partition(':')[2]}`"
    if (close := meant.kind(word, own)) is not None:
        return f"did you mean {close}?" + (_VOLUMES if word.lower() == "volumes" and close == "bind" else "")
    every = [name for name, each in KINDS.items() if each.section in ("grant", "only")]
    if (close := meant.kind(word, every)) is not None:
        return f"did you mean {close}? it belongs under `{KINDS[close].section}`"
    if section != "asking" and (close := meant.limit(word, LIMITS)) is not None:
        return f"did you mean {close}? it belongs under `limit`"
    if section != "asking" and (close := meant.requirement(word, REQUIREMENTS)) is not None:
        return f"did you mean `require: {close}`?"
    return _FREE if meant.is_free(word) else meant.hint(None, own)


_VOLUMES: Final = " named volumes are free: hold them by `only: volume`"


_FREE: Final = "take it out: it asks nothing, and is free"


def limit(word: str) -> str:
    """A hint at the limit that was meant, or at where the word belongs."""
    if section := section_of(word):
        return f"it belongs under `{section}`"
    if word[:1].isdigit():
        return "inside `{…}` a comma ends a word: write 8.5g, with a point"
    if (close := meant.limit(word, LIMITS)) is not None:
        return f"did you mean {close}?"
    return _FREE if meant.is_free(word) else meant.hint(None, LIMITS)


_NO_LIMIT: Final = frozenset({"none", "any", "unlimited", "infinity", "inf", "-1", "0", "max", "all"})


def amount(name: str, value: Node) -> str:
    """A hint at how an amount is written; empty where that can only be guessed."""
    if isinstance(value, Scalar):
        text = value.text
        if text.lower() in _NO_LIMIT:
            return "take it out where there shall be no limit"
        if name == "cpus" and (thousandths := re.fullmatch("([0-9]{1,6})m", text)) is not None:
            return f"did you mean {int(thousandths[1]) / 1000:g}?"
        squeezed = re.sub("[ _]|(?<=[0-9]) ?(?:cores?|cpus?)$", "", text)
        for spelled in (squeezed, f"0{squeezed}", squeezed.rstrip("."), squeezed.replace(",", ".")):
            if amount_of(name, spelled) is not None:
                return f"did you mean {spelled}?"
    return ""


EXPECTED: Final = {
    **dict.fromkeys(["allow", "allowed", "true", "yes", "pass", "passed", "ok", "200", "permitted"], "allowed"),
    **dict.fromkeys(["deny", "denied", "refuse", "refused", "false", "no", "403", "forbidden", "blocked"], "refused"),
}
"""What other languages say for what is expected."""


def section_of(word: str) -> str:
    """The section of a rule that a word belongs under; empty where it is no word of any."""
    if word in KINDS and word not in RULE_KEYS:
        return KINDS[word].section
    return "limit" if word in LIMITS else ""


def misplaced(word: str, what: str, given: Iterable[str]) -> str:
    """Where a word belongs that is a key, but not of what it stands in; empty where it is none."""
    match what:
        case "a rule":
            return _not_of_a_rule(word, given)
        case "a policy":
            return _not_of_a_policy(word)
        case "a client" if word in ("allow", "deny", "grant", "only", "limit", "require"):
            return "it is a key of a rule: write one, and name it here in `rules`"
        case "a client" if word in _OBSERVING:
            return "write `mode: observe`"
        case "a client" if word in ("policy", "policies", "extends"):
            return "write its name in `rules`, and `extends:` at the margin"
        case "a test" if word in ("refused", "allowed"):
            return "it belongs behind `expect:`"
        case "a test" if word in ("method", "path"):
            return "write both in one: `request: GET /info`"
    return ""


def _not_of_a_rule(word: str, given: Iterable[str]) -> str:
    if "deny" not in given and (word in _WORDS_FOR_READERS or meant.key(word, ("because",)) is not None):
        return "write it as a comment, behind `#`"
    if section := section_of(word):
        return f"it belongs under `{section}`: indent it"
    if word in REQUIREMENTS:
        return f"write `require: {word}`"
    if word in POLICY_KEYS and word != "name":  # by which its `id` is meant, where it has none
        return "it is a key of the policy: begin its line at the margin"
    return ""


def _not_of_a_policy(word: str) -> str:
    if word in RULE_KEYS:
        return "it is a key of a rule: begin it in the column of its `id`"
    if section := section_of(word):
        return f"it belongs under `{section}` of a rule"
    if word in _OBSERVING:
        return "write `mode: observe`"
    if word in _OPTIONS:
        return f"it is an option: `sockproxy run --{word} …`"
    if meant.key(word, POLICY_KEYS) is None and (close := meant.key(word, RULE_KEYS)) is not None:
        return f"did you mean {close}? it is a key of a rule: begin it in the column of its `id`"
    return ""


STANDS_FOR: Final = {
    **dict.fromkeys(["refused", "allowed"], ("expect",)),
    **dict.fromkeys(["method", "path"], ("request",)),
    **dict.fromkeys(
        ["allow", "deny", "grant", "only", "limit", "require", "policy", "policies", "extends"], ("rules",)
    ),
}
"""Keys that stand for another one of a test or a client."""


_OBSERVING: Final = frozenset({"observe", "dry-run", "dryrun"})
_WORDS_FOR_READERS: Final = frozenset({"description", "note", "notes", "title", "summary"})


_OPTIONS: Final = frozenset(
    {"listen", "engine", "admin", "audit", "host-root", "own-container", "log-level", "dialect"}
)
"""Options of `sockproxy run` that are sought in a policy."""


_SURPRISES: Final = re.compile(r"\.\*|\[[^]]*\]|\{[^}]*\}|\([^)]*\)|[|?]|[, ]+(?:->)? ?(?=/)")
"""What is special in a shell, in a regular expression or in a list."""


def surprise(kind: Kind, word: str) -> str:
    """A warning of what stands for itself in a pattern, where something else was most likely meant; empty for none."""
    found = _SURPRISES.search(word) if kind.form in ("path", "name", "device") else None
    if found is None or word.startswith("label=") or word in ("(anonymous)", "(prune)"):
        return ""
    if found[0].strip(" ->") in ("", ","):
        return f"`{kind.name}: {word}` is one path: write a list for several, [a, b], and quote what is meant so"
    return f"`{kind.name}: {word}`: `{found[0]}` stands for itself, as only `*` is special: quote what is meant so"
