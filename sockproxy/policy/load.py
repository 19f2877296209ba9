"""From a file to a policy, or every mistake in it at once, each with its place.

    read ─► document ─► the rules of what it extends, joined with its own ─► compiled, indexed

Joining, rule by rule of one id: the `allow` lists and each kind's patterns are joined; `none` empties what was
inherited (it never frees a kind, `any` does); of `limit` the extending number holds; `require` is joined. Clients,
tests, `api` and `mode` are never inherited.
"""

from __future__ import annotations

import codecs
import hashlib
import ipaddress
import os
import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from sockproxy.docker.asks import KINDS, LIMITS, REQUIREMENTS, Kind
from sockproxy.docker.operations import METHODS, Operation
from sockproxy.docker.selecting import BadSelector, select
from sockproxy.errors import PolicyError, Problem
from sockproxy.model import HOST, NEWEST_VERSION, OLDEST_VERSION, STAT, Ask, Json, JsonObject, Version
from sockproxy.policy import hints, meant, presets
from sockproxy.policy.amounts import FORMS as AMOUNT_FORMS
from sockproxy.policy.amounts import amount as amount_of
from sockproxy.policy.document import Mapping, Node, Place, Scalar, Sequence, odd, read
from sockproxy.policy.keys import (
    CLIENT_KEYS,
    COMMA_KINDS,
    POLICY_KEYS,
    RULE_KEYS,
    TEST_FILE_KEYS,
    TEST_KEYS,
    WORD,
)
from sockproxy.policy.patterns import BadPattern, Pattern, compile_denial, compile_pattern
from sockproxy.policy.rules import MODES, Client, DenyRule, Network, Patterns, Policy, PolicyTest, Rule, Selector, Suite
from sockproxy.policy.testing import SUFFIX, BadBody, command_words, json_of, read_body

__all__ = ["Client", "DenyRule", "Policy", "PolicyTest", "Rule", "Suite", "load", "load_tests", "loads"]


def load(source: str | Path) -> Policy:
    """The policy of a preset's name or a file's path.

    Raises:
        PolicyError: with every mistake in it, and in what it extends.
    """
    if str(source).endswith(SUFFIX):
        hint = f"run it: sockproxy test {source}"
        raise PolicyError((Problem(str(source), 0, 0, "a file of tests, and no policy", hint),))
    file = _find(str(source))
    return _load(str(source), str(file), _read_file(file))


def loads(text: str, name: str = "policy.yaml") -> Policy:
    """The policy that a text is; ``name`` stands for a file in messages, and what it extends is looked for beside it.

    Raises:
        PolicyError: with every mistake in it.
    """
    return _load(name, name, text)


def load_tests(source: str | Path) -> Suite:
    """The tests of a file of their own, and the policy that they are about.

    Raises:
        PolicyError: with every mistake in it, and in the policy.
    """
    file = Path(source)
    loader = _Loader()
    found = loader.test_file(str(file), _read_file(file))
    if loader.problems:
        raise PolicyError(_in_order(loader.problems))
    assert found is not None
    return found


def _load(source: str, file: str, text: str) -> Policy:
    loader = _Loader()
    parts = loader.file(file, text, stack=())
    policy = loader.finish(source, parts)
    if loader.problems:
        raise PolicyError(_in_order(loader.problems))
    assert policy is not None
    return policy


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """File by file, each from its top, none told twice."""
    unique = tuple(dict.fromkeys(problems))
    files = {file: at for at, file in enumerate(dict.fromkeys(problem.file for problem in unique))}
    return tuple(sorted(unique, key=lambda problem: (files[problem.file], problem.line, problem.column)))


def _find(source: str) -> Path:
    preset = presets.path(source)
    if preset is not None:
        return preset
    file = Path(source)
    if not os.path.exists(file) and "/" not in source and not source.endswith((".yaml", ".yml")):  # noqa: PTH110
        raise PolicyError((Problem(source, 0, 0, "no such preset, and no such file", presets.nearest(source)),))
    return file


def _read_file(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        hint = presets.nearest(file.stem) if isinstance(error, FileNotFoundError) else ""
        if isinstance(error, IsADirectoryError):
            hint = f"name a policy in it; `sockproxy test {file}` runs the files of tests below it"
        raise PolicyError((Problem(str(file), 0, 0, f"cannot be read: {error.strerror}", hint),)) from None
    except UnicodeDecodeError as error:
        raise PolicyError((_not_utf8(str(file), error),)) from None


def _not_utf8(file: str, error: UnicodeDecodeError) -> Problem:
    read = error.object[: error.start]
    if error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Problem(file, 1, 1, "UTF-16, and not UTF-8", "save it as UTF-8")
    line, column = read.count(b"\n") + 1, len(read.rpartition(b"\n")[2].decode()) + 1
    return Problem(
        file, line, column, f"the byte 0x{error.object[error.start]:02X}, which is not UTF-8", "save it as UTF-8"
    )


@dataclass(slots=True)
class _Parts:
    """What one file, with all that it extends, comes to."""

    name: str
    about: str = ""
    rules: dict[str, Rule | DenyRule] = field(default_factory=dict)
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    """The rule ids that a preset's or file's name stands for."""
    clients: list[Client] = field(default_factory=list)
    tests: list[PolicyTest] = field(default_factory=list)
    api: tuple[Version, Version] = (OLDEST_VERSION, NEWEST_VERSION)
    ids: frozenset[str] = frozenset()
    observe: Place | None = None


class _Loader:
    """Reads files, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self._strays: frozenset[str] = frozenset()
        """What the keys of a policy that are none were meant to be: nobody is told that those are missing."""
        self._digest = hashlib.sha256()

    # Files ---------------------------------------------------------------------------------------------------------

    def file(self, file: str, text: str, stack: tuple[str, ...]) -> _Parts:
        """One file and all that it extends."""
        parts = _Parts(name=Path(file).stem)
        self._digest.update(f"{len(text)}:".encode() + text.encode())
        document = read(text, file, self.problems)
        if document is None:
            return parts
        if not isinstance(document, Mapping):
            self._wrong(document, "a policy is a mapping", "it begins with `version: 1`")
            return parts
        if document.get("services") is not None and document.get("rules") is None:
            place = document.place_of("services")
            hint = f"`sockproxy explain {Path(file).name}` judges what it asks; a policy has `rules`"
            self.problems.append(place.problem("a compose file, and no policy", hint))
            return parts
        self._strays = self._known(document, POLICY_KEYS, "a policy")
        self._version(document)
        parts.name = self._word_of(document, "name") or parts.name
        parts.about = self._text_of(document, "about")
        parts.observe = document.place_of("mode") if self._observe(document) else None
        self._extend(document, parts, file, stack)
        self._rules(document, parts, file)
        parts.api = self._api(document)
        if not stack:
            parts.clients = list(self._clients(document, parts))
            parts.tests = list(self._tests(document, file, parts.clients))
        return parts

    def test_file(self, file: str, text: str) -> Suite | None:
        """A file of tests; None where there are problems."""
        document = read(text, file, self.problems)
        if document is None:
            return None
        if not isinstance(document, Mapping):
            self._wrong(document, "a file of tests is a mapping", "it begins with `version: 1`")
            return None
        self._strays = self._known(document, TEST_FILE_KEYS, "a file of tests")
        self._version(document, "a file of tests")
        policy = self._policy_of(document, file)
        if document.get("tests") is None and "tests" not in self._strays:
            self._wrong(document, "no `tests`", "write `tests:`, and below it `- request: …`")
        tests = tuple(self._tests(document, file, None if policy is None else policy.clients))
        return None if policy is None or self.problems else Suite(file, policy, tests)

    def _policy_of(self, document: Mapping, file: str) -> Policy | None:
        """The policy that a file of tests is about; None where it is not named, or has mistakes of its own."""
        node = document.get("policy")
        if not isinstance(node, Scalar) or not node.text:
            if "policy" not in self._strays:
                hint = "write `policy:` and a preset's name, or a file beside this one"
                self._wrong(node or document, "which policy?", hint)
            return None
        path = self._extended(node, file)
        if path is None:
            return None
        try:
            return load(path if presets.path(node.text) is None else node.text)
        except PolicyError as error:
            self.problems += error.problems
            return None

    def finish(self, source: str, parts: _Parts) -> Policy | None:
        """The policy that the parts make; None where there are problems."""
        rules = tuple(rule for rule in parts.rules.values() if isinstance(rule, Rule))
        for rule in rules:
            self._check_tunnel(rule)
        if self.problems:
            return None
        return Policy(
            name=parts.name,
            about=parts.about,
            source=source,
            digest=self._digest.hexdigest(),
            rules=rules,
            deny_rules=tuple(rule for rule in parts.rules.values() if isinstance(rule, DenyRule)),
            clients=tuple(parts.clients),
            api_min=parts.api[0],
            api_max=parts.api[1],
            tests=tuple(parts.tests),
            warnings=tuple(self.warnings),
            observe=parts.observe,
        )

    def _extend(self, document: Mapping, parts: _Parts, file: str, stack: tuple[str, ...]) -> None:
        for word in self._words(document.get("extends"), "extends"):
            path = self._extended(word, file)
            if path is None:
                continue
            if path.resolve() in [Path(each).resolve() for each in (*stack, file)]:
                self._wrong(word, f"`{word.text}` extends itself, by {' and '.join((*stack, file))}")
                continue
            try:
                text = _read_file(path)
            except PolicyError as error:
                self.problems += error.problems
                continue
            inherited = self.file(str(path), text, (*stack, file))
            for rule in inherited.rules.values():
                self._add(parts, rule, inherited=True)
            parts.groups |= inherited.groups
            parts.groups[word.text] = inherited.ids
            parts.groups[inherited.name] = inherited.ids
            parts.ids |= inherited.ids

    def _extended(self, word: Scalar, file: str) -> Path | None:
        preset = presets.path(word.text)
        if preset is not None and preset.resolve() != Path(file).resolve():
            return preset
        beside = Path(file).parent / word.text
        for path in (beside, Path(f"{beside}.yaml")):
            # Not `path.is_file()`: a word may be no name of a file at all, and then it is an OSError there.
            if os.path.isfile(path):  # noqa: PTH113
                return path
        several = [each for each in re.split("[, ]+", word.text) if presets.path(each) is not None]
        hint = f"write a list: [{', '.join(several)}]" if len(several) > 1 else presets.nearest(word.text)
        self._wrong(word, f"`{word.text}` is no preset, and no file beside this one", hint)
        return None

    # Rules ---------------------------------------------------------------------------------------------------------

    def _rules(self, document: Mapping, parts: _Parts, file: str) -> None:
        node = document.get("rules")
        if node is None:
            meant_so = not self._strays.isdisjoint({"rules", "extends"})
            if document.get("extends") is None and not parts.observe and not meant_so:
                self._wrong(document, "no `rules`: nothing would be allowed", "write `rules:`, or `extends: read-only`")
            return
        if not isinstance(node, Sequence):
            self._wrong(node, "`rules` is a list", "each rule begins with `- id: …`")
            return
        own: dict[str, Place] = {}
        for item in self._whole_items(node.items):
            if not isinstance(item, Mapping):
                self._wrong(item, "a rule is a mapping", "it begins with `- id: …`")
                continue
            rule = self._rule(item, parts, file)
            if rule is None:
                continue
            if rule.id in own:
                self._wrong(
                    item, f"a second rule `{rule.id}`", f"the first stands in line {own[rule.id].line}: join them"
                )
                continue
            own[rule.id] = item.place
            self._add(parts, rule, inherited=False)
        parts.ids |= frozenset(own)

    def _whole_items(self, items: Iterable[Node]) -> list[Node]:
        """The rules of a list; one whose keys each have a `- ` of their own is put together, and that is told."""
        whole: list[Node] = []
        for item in items:
            above = whole[-1] if whole else None
            if isinstance(item, Mapping) and isinstance(above, Mapping) and _goes_on(above, item):
                name = item.entries[0][0].text
                self._wrong(
                    item, f"a `- ` before `{name}` begins another rule", f"take the `-` away, begin `{name}` below `id`"
                )
                whole[-1] = replace(above, entries=(*above.entries, *item.entries))
            else:
                whole.append(item)
        return whole

    def _rule(self, item: Mapping, parts: _Parts, file: str) -> Rule | DenyRule | None:
        if (name := _names_its_keys(item)) is not None:
            hint = f"write `- id: {name.text}`, and its keys below it, in the column of `id`"
            self._wrong(name, f"`{name.text}` is no key of a rule", hint)
            return None
        strays = self._strays | self._known(item, RULE_KEYS, "a rule")
        identity = self._word_of(item, "id")
        if not identity:
            node = item.get("id")
            if "id" in strays:
                return None
            if node is None or (isinstance(node, Scalar) and node.text == ""):  # else a `deny` is lost in silence
                self._wrong(item, "a rule without an `id`", "denials and the audit log name rules by it")
            return None
        if item.get("deny") is not None:
            return self._deny_rule(item, identity)
        for key in ("asking", "because"):
            if (node := item.get(key)) is not None:
                self._wrong(node, f"`{key}` without `deny`", "`asking` narrows a `deny`, and `because` explains it")
        selectors = self._selectors(item, "allow", for_deny=False)
        if item.get("allow") is None and identity not in parts.rules and strays.isdisjoint({"allow", "deny"}):
            self._wrong(
                item, f"rule `{identity}` allows nothing", "write `allow:`, or the id of a rule that is extended"
            )
        return self._allow_rule(item, identity, selectors, file)

    def _allow_rule(self, item: Mapping, identity: str, selectors: tuple[Selector, ...], file: str) -> Rule:
        places: dict[str, Place] = {}
        return Rule(
            id=identity,
            place=item.place,
            operations=_taken_in(selectors),
            grant=self._patterns(item, "grant", places),
            only=self._patterns(item, "only", places),
            limit=self._limits(item, places),
            require=self._requirements(item, places),
            origin=file,
            written=file,
            places=places,
            selectors=selectors,
        )

    def _deny_rule(self, item: Mapping, identity: str) -> DenyRule:
        for key in ("allow", "grant", "only", "limit", "require"):
            if (node := item.get(key)) is not None:
                self._wrong(node, f"`{key}` beside `deny`", "a rule allows or denies: write two")
        selectors = self._selectors(item, "deny", for_deny=True)
        return DenyRule(
            id=identity,
            place=item.place,
            operations=_taken_in(selectors),
            asking=self._patterns(item, "asking", {}),
            because=self._text_of(item, "because"),
            selectors=selectors,
        )

    def _add(self, parts: _Parts, rule: Rule | DenyRule, *, inherited: bool) -> None:
        """Join a rule with the one of its id, if there is one."""
        base = parts.rules.get(rule.id)
        if base is None:
            parts.rules[rule.id] = rule
        elif isinstance(base, Rule) and isinstance(rule, Rule):
            parts.rules[rule.id] = self._beside(base, rule) if inherited else _joined(base, rule)
        elif isinstance(base, DenyRule) and isinstance(rule, DenyRule):
            parts.rules[rule.id] = replace(
                base,
                operations=base.operations | rule.operations,
                asking=_joined_patterns(base.asking, rule.asking) if base.asking and rule.asking else {},
                because=rule.because or base.because,
                selectors=(*base.selectors, *rule.selectors),
            )
        else:
            self.problems.append(rule.place.problem(f"rule `{rule.id}` allows here and denies in what is extended"))

    def _beside(self, base: Rule, rule: Rule) -> Rule:
        """Join two rules of one id that came from two extended files, of which neither extends the other's."""
        if base == rule or (base.origin == rule.origin and rule.written == rule.origin):
            return base  # the same, or what it grew from: joined again, a `none` in it would be undone
        if base.origin == rule.origin and base.written == base.origin:
            return rule
        if base.origin != rule.origin:
            self.warnings.append(
                f"{rule.place}: rule `{rule.id}` stands at {base.place} too: both are extended, so they are joined into"
                " one, which covers what neither does alone"
            )
        lower = {name: min(amount, base.limit.get(name, amount)) for name, amount in rule.limit.items()}
        return replace(_joined(base, rule), limit={**base.limit, **lower})

    def _selectors(self, item: Mapping, key: str, *, for_deny: bool) -> tuple[Selector, ...]:
        chosen: list[Selector] = []
        words = self._words(item.get(key), key)
        for word in words:
            try:
                rows = select(word.text, for_deny=for_deny)
            except BadSelector as error:
                self._wrong(word, str(error), error.hint)
                continue
            chosen.append(Selector(word.text, word.place, frozenset(row.name for row in rows)))
            if not for_deny:
                self._check_never(word, rows)
        node = item.get(key)
        if isinstance(node, Sequence) and not node.items:
            self._wrong(node, f"`{key}` is empty")
        return tuple(chosen)

    def _check_never(self, word: Scalar, rows: Iterable[Operation]) -> None:
        for row in rows:
            if row.never:
                self._wrong(word, f"`{word.text}` takes in {row.name}, which can never be allowed")

    def _check_tunnel(self, rule: Rule) -> None:
        granted = rule.grant.get("tunnel", ())
        if not any(_takes(pattern, "grpc") for pattern in granted):
            return
        if not any(_takes(pattern, "network=host") for pattern in rule.grant.get("namespace", ())):
            place = rule.places.get("tunnel", rule.place)
            self.problems.append(
                place.problem(
                    f"rule `{rule.id}` grants `tunnel: grpc` without `namespace: network=host`, which it implies",
                    "grant both, in a rule of its own: what it makes could use the host's network",
                )
            )

    # Sections ------------------------------------------------------------------------------------------------------

    def _patterns(self, item: Mapping, section: str, places: dict[str, Place]) -> dict[str, Patterns]:
        node = item.get(section)
        if node is None or self._stands_empty(item, section, node):
            return {}
        if not isinstance(node, Mapping):
            self._wrong(node, f"`{section}` is a mapping of kinds to patterns", hints.as_mapping(section, node))
            return {}
        found: dict[str, Patterns] = {}
        for key, value in node.entries:
            kind = self._kind(key, section)
            if kind is None:
                continue
            places[kind.name] = key.place
            form = compile_denial if section == "asking" else compile_pattern
            patterns = [self._pattern(kind, word, form) for word in self._words(value, key.text)]
            if isinstance(value, Sequence) and not value.items:
                self._wrong(value, f"`{key.text}` is empty", "write `none` for nothing")
            self._check_commas(kind, value)
            found[kind.name] = tuple(pattern for pattern in patterns if pattern is not None)
        return found

    def _stands_empty(self, item: Mapping, section: str, node: Node) -> bool:
        """Whether a section is empty because its kinds stand beside it, one step too far to the left: that was told."""
        empty = isinstance(node, Scalar) and node.text == "" and not node.quoted
        return empty and any(hints.section_of(key.text) == section for key, _ in item.entries)

    def _kind(self, key: Scalar, section: str) -> Kind | None:
        kind = KINDS.get(key.text)
        wanted = ("grant", "only") if section == "asking" else (section,)
        if key.text in RULE_KEYS:
            self._wrong(key, f"`{key.text}` stands inside `{section}`", f"begin it in the column of `{section}`")
            return None
        if kind is None:
            if key.text in LIMITS:
                where = (
                    "it can be held, in a rule that allows: `limit`"
                    if section == "asking"
                    else "it belongs under `limit`"
                )
                self._wrong(key, f"`{key.text}` is no kind of `{section}`", where)
            elif key.text in REQUIREMENTS:
                self._wrong(key, f"`{key.text}` is no kind of `{section}`", f"write `require: {key.text}`")
            else:
                self._wrong(key, f"`{key.text}` is no kind of ask", hints.kind(key.text, section, wanted))
            return None
        if kind.section not in wanted:
            self._wrong(key, f"`{key.text}` is no kind of `{section}`", f"it belongs under `{kind.section}`")
            return None
        return kind

    def _pattern(self, kind: Kind, word: Scalar, form: Callable[[Kind, str, str], Pattern]) -> Pattern | None:
        if not word.quoted and (told := hints.surprise(kind, word.text)):
            self.warnings.append(f"{word.place}: {told}")
        try:
            return form(kind, word.text, str(word.place))
        except BadPattern as error:
            self._wrong(word, str(error), error.hint)
            return None

    def _check_commas(self, kind: Kind, node: Node) -> None:
        """Inside `[…]` a comma ends a word: `[sh -c a,b]` is two patterns, of which the second was hardly meant."""
        if kind.name in COMMA_KINDS and isinstance(node, Sequence) and node.flow:
            plain = [item for item in node.items if isinstance(item, Scalar) and not item.quoted]
            if len(plain) > 1:
                self.warnings.append(
                    f"{node.place}: `{kind.name}` has {len(plain)} patterns without quotes: "
                    "if a comma belongs to one of them, quote it"
                )

    def _limits(self, item: Mapping, places: dict[str, Place]) -> dict[str, int]:
        node = item.get("limit")
        if node is None or self._stands_empty(item, "limit", node):
            return {}
        if not isinstance(node, Mapping):
            self._wrong(node, "`limit` is a mapping", hints.as_mapping("limit", node))
            return {}
        limits: dict[str, int] = {}
        for key, value in node.entries:
            if key.text in RULE_KEYS and key.text not in LIMITS:
                self._wrong(key, f"`{key.text}` stands inside `limit`", "begin it in the column of `limit`")
                continue
            if key.text not in LIMITS:
                self._wrong(key, f"`{key.text}` is no limit", hints.limit(key.text))
                continue
            amount = amount_of(key.text, value.text) if isinstance(value, Scalar) else None
            if amount is None:
                self._wrong(value, f"`{key.text}` takes {AMOUNT_FORMS[key.text].words}", hints.amount(key.text, value))
                continue
            if key.text == "memory" and amount < _LEAST_MEMORY:
                self.warnings.append(
                    f"{value.place}: `memory: {_said(value)}` is {amount} bytes, less than any container can be given:"
                    " write its unit, such as 512m or 8g"
                )
            places[key.text] = key.place
            limits[key.text] = amount
        return limits

    def _requirements(self, item: Mapping, places: dict[str, Place]) -> frozenset[str]:
        required: set[str] = set()
        for word in self._words(item.get("require"), "require"):
            if word.text not in REQUIREMENTS:
                hint = meant.hint(meant.requirement(word.text, REQUIREMENTS), REQUIREMENTS)
                self._wrong(word, f"`{word.text}` is nothing that can be required", hint)
                continue
            places[word.text] = word.place
            required.add(word.text)
        return frozenset(required)

    # The rest ------------------------------------------------------------------------------------------------------

    def _version(self, document: Mapping, what: str = "a policy") -> None:
        node = document.get("version")
        if node is None:
            if "version" not in self._strays:
                self._wrong(document, "no `version`", f"{what} begins with `version: 1`")
        elif not isinstance(node, Scalar) or node.text != "1":
            self._wrong(node, "`version` must be 1", "it is the version of the language, not of your file")

    def _observe(self, item: Mapping) -> bool | None:
        """Whether a policy or a client is only observed; None where nothing is said."""
        node = item.get("mode")
        if node is None:
            return None
        if not isinstance(node, Scalar) or node.text not in MODES:
            close = hints.close_to(node.text, MODES) if isinstance(node, Scalar) else ""
            self._wrong(node, f"`mode` must be {' or '.join(MODES)}", close)
            return None
        return node.text == "observe"

    def _api(self, document: Mapping) -> tuple[Version, Version]:
        node = document.get("api")
        bounds = {"min": OLDEST_VERSION, "max": NEWEST_VERSION}
        if node is None:
            return OLDEST_VERSION, NEWEST_VERSION
        if not isinstance(node, Mapping):
            self._wrong(node, "`api` is a mapping", 'for example `api: {min: "1.24", max: "1.51"}`')
            return OLDEST_VERSION, NEWEST_VERSION
        self._known(node, ("min", "max"), "`api`")
        for key, value in node.entries:
            if key.text in bounds:
                match = re.fullmatch(r"1\.([0-9]{1,2})", value.text) if isinstance(value, Scalar) else None
                if match is None:
                    self._wrong(value, f"`{key.text}` takes an API version", 'for example "1.41"')
                else:
                    bounds[key.text] = (1, int(match[1]))
        if bounds["min"] > bounds["max"]:
            self._wrong(node, "`min` is above `max`")
        return bounds["min"], bounds["max"]

    def _clients(self, document: Mapping, parts: _Parts) -> Iterable[Client]:
        node = document.get("clients")
        if node is None:
            return
        if not isinstance(node, Sequence):
            self._wrong(node, "`clients` is a list", "each client begins with `- name: …`")
            return
        if not node.items:
            # Read as "no clients" it would open the policy to everyone, which is the opposite of what it looks like.
            self._wrong(node, "`clients` is empty", "without it the rules are for everyone: take it out, or name one")
        seen: list[Client] = []
        for item in node.items:
            client = self._client(item, parts)
            if client is None:
                continue
            for other in seen:
                if other.name == client.name:
                    self._wrong(item, f"a second client `{client.name}`")
                elif _overlap(client, other):
                    self._wrong(
                        item, f"`{client.name}` could be `{other.name}` too", "a peer must be one client, or none"
                    )
            seen.append(client)
            yield client

    def _client(self, item: Node, parts: _Parts) -> Client | None:
        if not isinstance(item, Mapping):
            self._wrong(item, "a client is a mapping", "it begins with `- name: …`")
            return None
        strays = self._known(item, CLIENT_KEYS, "a client")
        name = self._word_of(item, "name")
        if not name or name == "anyone":
            given = item.get("name")
            if "name" not in strays and (given is None or name or _is_empty(given)):
                self._wrong(item, "a client needs a `name` other than anyone")
            return None
        addresses = item.get("from")
        networks = [self._network(word) for word in self._words(addresses, "from")]
        user = self._number_of(item, "unix-user")
        if (certificate := item.get("certificate")) is not None:
            self._wrong(certificate, "no client can be known by a `certificate` yet", "sockproxy does not speak TLS")
        elif networks and item.get("unix-user") is not None:
            self._wrong(item, f"`{name}` matches nobody", "a Unix socket's peer has no address: make it two clients")
        elif isinstance(addresses, Sequence) and not addresses.items:
            self._wrong(addresses, "`from` is empty", "write a network, such as 172.20.0.0/16")
        elif addresses is None and item.get("unix-user") is None and strays.isdisjoint({"from", "unix-user"}):
            self._wrong(item, f"who is `{name}`?", "write `from: 172.20.0.0/16` or `unix-user: 1000`")
        return Client(
            name=name,
            place=item.place,
            networks=tuple(network for network in networks if network is not None),
            unix_user=user,
            rules=self._rules_of(item, name, parts, strays),
            observe=self._observe(item),
        )

    def _stands_twice(self, key: str, item: Mapping) -> bool:
        """Whether a key of an item was told to stand twice further to the left, where it was not indented enough."""
        return any(
            problem.message == f"`{key}` stands twice" and problem.line > item.place.line for problem in self.problems
        )

    def _network(self, word: Scalar) -> Network | None:
        try:
            network = ipaddress.ip_network(word.text)
        except ValueError:
            self._wrong(word, f"`{word.text}` is no address or network", hints.network(word.text))
            return None
        if isinstance(network, ipaddress.IPv6Network) and network.overlaps(_MAPPED):
            self._wrong(word, f"`{word.text}` takes in IPv4 addresses", "write those as IPv4, 10.0.0.0/8")
        return network

    def _rules_of(self, item: Mapping, name: str, parts: _Parts, strays: frozenset[str]) -> frozenset[str] | None:
        node = item.get("rules")
        if node is None and ("rules" in strays or self._stands_twice("rules", item)):
            return frozenset()
        if node is None:
            self._wrong(item, f"which rules has `{name}`?", "write their ids, or `rules: all`")
            return frozenset()
        if isinstance(node, Sequence) and not node.items:
            self.warnings.append(f"{node.place}: client `{name}` has no rules: whatever it asks is refused")
        ids: set[str] = set()
        for word in self._words(node, "rules"):
            if word.text == "all":
                return None
            if word.text in parts.groups:
                ids |= parts.groups[word.text]
            elif word.text in parts.rules:
                ids.add(word.text)
            else:
                self._wrong(word, f"`{word.text}` is no rule", hints.rule(word.text, [*parts.rules, *parts.groups]))
        return frozenset(ids)

    def _tests(self, document: Mapping, file: str, clients: Iterable[Client] | None) -> Iterable[PolicyTest]:
        """The tests of a file; ``clients`` is None where it is not known which there are."""
        node = document.get("tests")
        if node is None:
            return
        if not isinstance(node, Sequence):
            self._wrong(node, "`tests` is a list", "each test begins with `- request: …`")
            return
        names = None if clients is None else [client.name for client in clients]
        for item in node.items:
            if not isinstance(item, Mapping):
                self._wrong(item, "a test is a mapping", "it begins with `- request: …`")
                continue
            test = self._test(item, file, names)
            if test is not None:
                yield test

    def _test(self, item: Mapping, file: str, clients: list[str] | None) -> PolicyTest | None:
        strays = self._known(item, TEST_KEYS, "a test")
        asked = self._command(item) if item.get("run") is not None else self._asked(item, strays)
        allowed, refused = (False, ()) if self._lies_deeper(item, strays) else self._expectation(item)
        client = self._text_of(item, "client") or None
        if client is not None and clients is not None and client not in clients:
            hint = hints.close_to(client, clients) if clients else "this policy has none"
            self._wrong(item.get("client") or item, f"`{client}` is no client", hint)
        if client is None and clients and asked is not None and asked.command:
            # A request without one is judged by all the rules; a command connects, and is somebody.
            self._wrong(item, "which client runs it?", f"write `client:` and one of {', '.join(clients)}")
        has_body, body = self._body(item, file)
        if asked is None:
            return None
        return replace(
            asked,
            name=self._text_of(item, "name") or asked.asked,
            body=body,
            has_body=has_body,
            engine=self._engine(item.get("engine")),
            client=client,
            allowed=allowed,
            refused=refused,
        )

    def _lies_deeper(self, item: Mapping, strays: frozenset[str]) -> bool:
        """Whether the `expect` of a test was told to stand where it does not belong, so that it is not missing."""
        if item.get("expect") is None:
            for section in ("body", "engine"):
                inner = item.get(section)
                for key, _ in inner.entries if isinstance(inner, Mapping) else ():
                    if key.text == "expect":
                        self._wrong(
                            key, f"`expect` stands inside `{section}`", f"begin it in the column of `{section}`"
                        )
                        return True
        return "expect" in strays

    def _asked(self, item: Mapping, strays: frozenset[str]) -> PolicyTest | None:
        """A test with its request, and nothing else yet."""
        request = item.get("request")
        if request is None and not strays.isdisjoint({"request", "run"}):
            return None
        if not isinstance(request, Scalar) or not request.text.partition(" ")[2].startswith("/"):
            self._wrong(
                request or item, "a test needs a `request`", "for example `request: POST /containers/web/stop?t=5`"
            )
            return None
        method, _, target = request.text.partition(" ")
        if method not in METHODS:
            self._wrong(request, f"`{method}` is no method", hints.close_to(method.upper(), sorted(METHODS)))
        return PolicyTest(name="", place=item.place, method=method, target=target)

    def _command(self, item: Mapping) -> PolicyTest | None:
        """A test with its command line, and nothing else yet."""
        for key in ("request", "body", "body-file"):
            if (node := item.get(key)) is not None:
                self._wrong(node, f"`{key}` beside `run`", "a test sends a request, or runs a command: write two")
        run = item.get("run")
        words = command_words(run.text) if isinstance(run, Scalar) else ()
        if not words:
            hint = "for example `run: docker run -v /:/h alpine`"
            self._wrong(run or item, "`run` takes a command line, quoted as a shell would", hint)
            return None
        return PolicyTest(name="", place=item.place, command=words)

    def _body(self, item: Mapping, file: str) -> tuple[bool, Json]:
        """Whether a test sends a body, and which."""
        body, named = item.get("body"), item.get("body-file")
        if named is None:
            return body is not None, json_of(body) if body is not None else None
        if body is not None:
            self._wrong(named, "`body-file` beside `body`", "a request has one body")
            return False, None
        name = self._text_of(item, "body-file")
        if not name:
            self._wrong(named, "`body-file` is empty", "write the name of a file beside this one")
            return False, None
        try:
            return True, read_body(Path(file).parent / name)
        except BadBody as error:
            self._wrong(named, f"`{name}` {error}", "a file beside this one, that holds JSON")
            return False, None

    def _expectation(self, item: Mapping) -> tuple[bool, tuple[tuple[str, str], ...]]:
        node = item.get("expect")
        if isinstance(node, Scalar) and node.text in ("allowed", "refused"):
            return node.text == "allowed", ()
        if not isinstance(node, Mapping) or [key.text for key, _ in node.entries] != ["refused"]:
            hint = "write `expect: allowed`, `expect: refused`, or `expect: {refused: {bind: /etc}}`"
            said = _said(node)
            self._wrong(
                node or item,
                f"`{said}` is nothing to expect" if said else "a test needs an `expect`",
                f"did you mean {hints.EXPECTED[said.lower()]}?" if said.lower() in hints.EXPECTED else hint,
            )
            return True, ()
        asks = node.entries[0][1]
        if not isinstance(asks, Mapping):
            self._wrong(asks, "`refused` takes kinds and values", "for example `{refused: {bind: /etc}}`")
            return False, ()
        expected: list[tuple[str, str]] = []
        for key, value in asks.entries:
            if key.text not in KINDS:
                self._wrong(key, f"`{key.text}` is no kind of ask", meant.hint(meant.kind(key.text, KINDS), KINDS))
            expected += [(key.text, word.text) for word in self._words(value, key.text)]
        return False, tuple(expected)

    def _engine(self, node: Node | None) -> dict[str, JsonObject]:
        if node is None:
            return {}
        if not isinstance(node, Mapping):
            self._wrong(node, "`engine` is a mapping of paths to what the engine answers")
            return {}
        answers: dict[str, JsonObject] = {}
        for key, value in node.entries:
            answer = json_of(value)
            if not key.text.startswith(("/", HOST, STAT)) or not isinstance(answer, dict):
                self._wrong(key, f"`{key.text}` is no look-up", "for example `/containers/db/json: {Name: /db}`")
                continue
            answers[key.text] = answer
        return answers

    # Words ---------------------------------------------------------------------------------------------------------

    def _wrong(self, at: Node, message: str, hint: str = "") -> None:
        self.problems.append(at.place.problem(message, hint))

    def _known(self, node: Mapping, keys: tuple[str, ...], what: str) -> frozenset[str]:
        """Tell the keys that are none; gives back what they were meant to be."""
        strays: set[str] = set(keys) if node.cut else set()
        given = [key.text for key, _ in node.entries]
        told: set[str] = set()
        for key, _ in node.entries:
            if key.text in keys:
                continue
            if (problem := odd(key)) is not None:
                strays.add(_plain(key.text))
                self.problems.append(problem)
                continue
            moved = hints.misplaced(key.text, what, given)
            close = None if moved else hints.glued(key.text, keys) or meant.key(key.text, keys, given)
            strays.update((key.text, *hints.STANDS_FOR.get(key.text, ())) if close is None else (close,))
            if close is None and not moved and what in ("a client", "a test"):
                strays.update(keys)  # whichever of them it was meant to be, that one is not missing too
            hint = moved or meant.hint(close, keys)
            if close is not None and key.text.startswith(f"{close}:"):
                hint = f"write `{close}: {key.text.removeprefix(f'{close}:').strip()}`"
            if hint not in told or not moved:
                self._wrong(key, f"`{key.text}` is no key of {what}", hint)
            told.add(hint)
        return frozenset(strays)

    def _words(self, node: Node | None, key: str) -> list[Scalar]:
        """A list of words; a list of one may be the word alone."""
        if node is None:
            return []
        if isinstance(node, Scalar):
            if node.text == "" and not node.quoted:
                hint = "write `none` for nothing" if key in KINDS else "write what belongs there, or take it out"
                self._wrong(node, f"`{key}` is empty", hint)
                return []
            return self._plain_words([node])
        if isinstance(node, Mapping):
            self._wrong(
                node, f"`{key}` takes words", f"such as `{key}: {hints.example(key, node)}`, or a list of them: [a, b]"
            )
            return []
        words: list[Scalar] = []
        for item in node.items:
            if isinstance(item, Scalar):
                words.append(item)
            elif isinstance(item, Mapping) and not node.flow:
                self._wrong(item, f"`{key}` takes words", f"such as `- {hints.example(key, item)}`, without a `: `")
            else:
                self._wrong(item, f"`{key}` takes words", "inside `[…]` write * for {id}, or quote the word")
        return self._plain_words(words)

    def _plain_words(self, words: list[Scalar]) -> list[Scalar]:
        """The words without those that hold what only looks like a space or a quote, or that end in a quote."""
        plain: list[Scalar] = []
        for word in words:
            problem = odd(word)
            last = word.text[-1:]
            if problem is None and not word.quoted and last in ("'", '"') and word.text.count(last) == 1:
                problem = word.place.problem(
                    f"a `{last}` that was never opened", f"take it out, or quote the word: '{word.text}'"
                )
            if problem is None:
                plain.append(word)
            else:
                self.problems.append(problem)
        return plain

    def _text_of(self, node: Mapping, key: str) -> str:
        value = node.get(key)
        if value is None:
            return ""
        if not isinstance(value, Scalar):
            self._wrong(value, f"`{key}` is text")
            return ""
        return value.text

    def _word_of(self, node: Mapping, key: str) -> str:
        text = self._text_of(node, key)
        if text and WORD.fullmatch(text) is None:
            value = node.get(key)
            assert value is not None
            self._wrong(value, f"`{text}` is no `{key}`", "letters, digits, `-`, `_` and `.`")
            return ""
        return text

    def _number_of(self, node: Mapping, key: str) -> int | None:
        value = node.get(key)
        if value is None:
            return None
        if not isinstance(value, Scalar) or re.fullmatch("[0-9]{1,10}", value.text) is None:
            hint = "one for each client" if isinstance(value, Sequence) else "such as 1000: `id -u NAME` tells it"
            self._wrong(value, f"`{key}` is a number", hint)
            return None
        return int(value.text)


def _joined(base: Rule, rule: Rule) -> Rule:
    return replace(
        base,
        place=rule.place,
        operations=base.operations | rule.operations,
        grant=_joined_patterns(base.grant, rule.grant),
        only=_joined_patterns(base.only, rule.only),
        limit={**base.limit, **rule.limit},
        require=base.require | rule.require,
        written=rule.written,
        places={**base.places, **rule.places},
        selectors=(*base.selectors, *rule.selectors),
    )


def _taken_in(selectors: Iterable[Selector]) -> frozenset[str]:
    return frozenset(name for selector in selectors for name in selector.operations)


def _joined_patterns(base: MappingABC[str, Patterns], more: MappingABC[str, Patterns]) -> dict[str, Patterns]:
    joined = dict(base)
    for kind, patterns in more.items():
        inherited = () if any(pattern.text == "none" for pattern in patterns) else base.get(kind, ())
        joined[kind] = (*inherited, *patterns)
    return joined


def _takes(pattern: Pattern, value: str) -> bool:
    return pattern.matches(Ask("tunnel", value, ""))


_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def _overlap(one: Client, other: Client) -> bool:
    """Whether some peer could be both."""
    if one.unix_user is not None and other.unix_user is not None and one.unix_user != other.unix_user:
        return False
    if not one.networks and not other.networks:
        return True
    if not one.networks or not other.networks:
        # A Unix socket's peer has no address, a network's has no user.
        return False
    return any(a.version == b.version and a.overlaps(b) for a in one.networks for b in other.networks)


def _goes_on(above: Mapping, item: Mapping) -> bool:
    """Whether an item of the rules has what the one above it lacks, and no `id` of its own."""
    mine, its = {key.text for key, _ in item.entries}, {key.text for key, _ in above.entries}
    return bool(mine) and "id" in its and mine <= set(RULE_KEYS) - its - {"id"} and not {"allow", "deny"} <= mine | its


def _names_its_keys(item: Mapping) -> Scalar | None:
    """The key of a rule that is written as `run: {allow: …}`."""
    if len(item.entries) != 1:
        return None
    name, keys = item.entries[0]
    is_rule = isinstance(keys, Mapping) and any(key.text in RULE_KEYS for key, _ in keys.entries)
    return name if is_rule and name.text not in RULE_KEYS else None


def _plain(word: str) -> str:
    return "".join(char for char in word if char.isascii()).strip()


_LEAST_MEMORY: Final = 6 * 2**20
"""What every engine refuses to go below (moby, ``daemon/daemon_unix.go``, ``linuxMinMemory``)."""


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text == ""


def _said(node: Node | None) -> str:
    """What was written where something else is wanted, in a word."""
    return node.text if isinstance(node, Scalar) else ""
