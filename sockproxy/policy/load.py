"""From a file to a policy, or every mistake in it at once, each with its place.

    read ─► document ─► the rules of what it extends, joined with its own ─► compiled, indexed

Joining, rule by rule of one id: the `allow` lists and each kind's patterns are joined; `none` empties what was
inherited (it never frees a kind, `any` does); of `limit` the extending number holds; `require` is joined. Clients,
tests, `api` and `mode` are never inherited.
"""

from __future__ import annotations

import difflib
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
from sockproxy.docker.operations import METHODS, BadSelector, Operation, select
from sockproxy.errors import PolicyError, Problem
from sockproxy.model import HOST, NEWEST_VERSION, OLDEST_VERSION, STAT, Ask, Json, JsonObject, Version
from sockproxy.policy import meant, presets
from sockproxy.policy.amounts import FORMS as AMOUNT_FORMS
from sockproxy.policy.amounts import amount as amount_of
from sockproxy.policy.document import Mapping, Node, Place, Scalar, Sequence, read
from sockproxy.policy.patterns import BadPattern, Pattern, compile_denial, compile_pattern
from sockproxy.policy.rules import MODES, Client, DenyRule, Network, Patterns, Policy, PolicyTest, Rule, Selector, Suite
from sockproxy.policy.testing import SUFFIX, BadBody, command_words, json_of, read_body

__all__ = ["Client", "DenyRule", "Policy", "PolicyTest", "Rule", "Suite", "load", "load_tests", "loads"]

POLICY_KEYS: Final = ("version", "name", "about", "extends", "rules", "clients", "tests", "api", "mode")
RULE_KEYS: Final = ("id", "allow", "deny", "grant", "only", "limit", "require", "asking", "because")
CLIENT_KEYS: Final = ("name", "from", "unix-user", "certificate", "rules", "mode")
TEST_KEYS: Final = ("name", "request", "run", "body", "body-file", "engine", "client", "expect")
TEST_FILE_KEYS: Final = ("version", "policy", "tests")
WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
COMMA_KINDS: Final = frozenset({"exec", "label", "security-opt", "volume-driver"})
"""Kinds whose values may hold a comma, which inside `[…]` ends a word."""


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
        raise PolicyError((Problem(str(file), 0, 0, f"cannot be read: {error.strerror}", hint),)) from None
    except UnicodeDecodeError as error:
        raise PolicyError((Problem(str(file), 0, 0, f"is not UTF-8 (byte {error.start})"),)) from None


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
        self._known(document, TEST_FILE_KEYS, "a file of tests")
        self._version(document, "a file of tests")
        policy = self._policy_of(document, file)
        if document.get("tests") is None:
            self._wrong(document, "no `tests`", "write `tests:`, and below it `- request: …`")
        tests = tuple(self._tests(document, file, None if policy is None else policy.clients))
        return None if policy is None or self.problems else Suite(file, policy, tests)

    def _policy_of(self, document: Mapping, file: str) -> Policy | None:
        """The policy that a file of tests is about; None where it is not named, or has mistakes of its own."""
        node = document.get("policy")
        if not isinstance(node, Scalar) or not node.text:
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
        self._wrong(word, f"`{word.text}` is no preset, and no file beside this one", presets.nearest(word.text))
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
        for item in node.items:
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

    def _rule(self, item: Mapping, parts: _Parts, file: str) -> Rule | DenyRule | None:
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
            self._wrong(
                node, f"`{section}` is a mapping of kinds to patterns", f"for example `{section}: {_EXAMPLES[section]}`"
            )
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
        return empty and any(_section_of(key.text) == section for key, _ in item.entries)

    def _kind(self, key: Scalar, section: str) -> Kind | None:
        kind = KINDS.get(key.text)
        wanted = ("grant", "only") if section == "asking" else (section,)
        if key.text in RULE_KEYS:
            self._wrong(key, f"`{key.text}` stands inside `{section}`", f"begin it in the column of `{section}`")
            return None
        if kind is None:
            if key.text in LIMITS:
                self._wrong(key, f"`{key.text}` is no kind of `{section}`", "it belongs under `limit`")
            elif key.text in REQUIREMENTS:
                self._wrong(key, f"`{key.text}` is no kind of `{section}`", f"write `require: {key.text}`")
            else:
                own = [name for name, each in KINDS.items() if each.section in wanted]
                every = [name for name, each in KINDS.items() if each.section in ("grant", "only")]
                close = meant.kind(key.text, own) or meant.kind(key.text, every)
                hint = meant.hint(close, own)
                if close is not None and close not in own:
                    hint = f"did you mean {close}? it belongs under `{KINDS[close].section}`"
                self._wrong(key, f"`{key.text}` is no kind of ask", hint)
            return None
        if kind.section not in wanted:
            self._wrong(key, f"`{key.text}` is no kind of `{section}`", f"it belongs under `{kind.section}`")
            return None
        return kind

    def _pattern(self, kind: Kind, word: Scalar, form: Callable[[Kind, str, str], Pattern]) -> Pattern | None:
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
            self._wrong(node, "`limit` is a mapping", f"for example `limit: {_EXAMPLES['limit']}`")
            return {}
        limits: dict[str, int] = {}
        for key, value in node.entries:
            if key.text in RULE_KEYS and key.text not in LIMITS:
                self._wrong(key, f"`{key.text}` stands inside `limit`", "begin it in the column of `limit`")
                continue
            if key.text not in LIMITS:
                section = _section_of(key.text)
                hint = f"it belongs under `{section}`" if section else ""
                self._wrong(key, f"`{key.text}` is no limit", hint or meant.hint(meant.limit(key.text, LIMITS), LIMITS))
                continue
            amount = amount_of(key.text, value.text) if isinstance(value, Scalar) else None
            if amount is None:
                self._wrong(value, f"`{key.text}` takes {AMOUNT_FORMS[key.text].words}")
                continue
            places[key.text] = key.place
            limits[key.text] = amount
        return limits

    def _requirements(self, item: Mapping, places: dict[str, Place]) -> frozenset[str]:
        required: set[str] = set()
        for word in self._words(item.get("require"), "require"):
            if word.text not in REQUIREMENTS:
                self._wrong(word, f"`{word.text}` is nothing that can be required", _close(word.text, REQUIREMENTS))
                continue
            places[word.text] = word.place
            required.add(word.text)
        return frozenset(required)

    # The rest ------------------------------------------------------------------------------------------------------

    def _version(self, document: Mapping, what: str = "a policy") -> None:
        node = document.get("version")
        if node is None:
            self._wrong(document, "no `version`", f"{what} begins with `version: 1`")
        elif not isinstance(node, Scalar) or node.text != "1":
            self._wrong(node, "`version` must be 1", "it is the version of the language, not of your file")

    def _observe(self, item: Mapping) -> bool | None:
        """Whether a policy or a client is only observed; None where nothing is said."""
        node = item.get("mode")
        if node is None:
            return None
        if not isinstance(node, Scalar) or node.text not in MODES:
            close = _close(node.text, MODES) if isinstance(node, Scalar) else ""
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
            self._wrong(node, "`clients` is a list")
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
        except ValueError as error:
            self._wrong(word, f"`{word.text}` is no address or network", _whole_network(word.text) or str(error))
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
        ids: set[str] = set()
        for word in self._words(node, "rules"):
            if word.text == "all":
                return None
            if word.text in parts.groups:
                ids |= parts.groups[word.text]
            elif word.text in parts.rules:
                ids.add(word.text)
            else:
                self._wrong(word, f"`{word.text}` is no rule", _close(word.text, [*parts.rules, *parts.groups]))
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
            hint = _close(client, clients) if clients else "this policy has none"
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
            self._wrong(request, f"`{method}` is no method", _close(method.upper(), sorted(METHODS)))
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
            self._wrong(node or item, "a test needs an `expect`", hint)
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
        strays: set[str] = set()
        given = [key.text for key, _ in node.entries]
        for key, _ in node.entries:
            if key.text in keys:
                continue
            moved = _misplaced(key.text, what)
            close = None if moved else meant.key(key.text, keys, given)
            strays.update(_STANDS_FOR.get(key.text, (key.text,)) if close is None else (close,))
            self._wrong(key, f"`{key.text}` is no key of {what}", moved or meant.hint(close, keys))
        return frozenset(strays)

    def _words(self, node: Node | None, key: str) -> list[Scalar]:
        """A list of words; a list of one may be the word alone."""
        if node is None:
            return []
        if isinstance(node, Scalar):
            if node.text == "" and not node.quoted:
                self._wrong(node, f"`{key}` is empty", "write `none` for nothing")
                return []
            return [node]
        if isinstance(node, Mapping):
            said = node.entries[0][0].text if node.entries else "…"
            self._wrong(node, f"`{key}` takes words", f"such as `{key}: {said}`, or a list of them: [a, b]")
            return []
        words: list[Scalar] = []
        for item in node.items:
            if isinstance(item, Scalar):
                words.append(item)
            else:
                self._wrong(item, f"`{key}` takes words", "inside `[…]` write * for {id}, or quote the word")
        return words

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
            self._wrong(value, f"`{key}` is a number")
            return None
        return int(value.text)


_EXAMPLES: Final = {
    "grant": "{bind: /srv/ci/**}",
    "only": "{container: ci-*}",
    "asking": "{label: traefik.*}",
    "limit": "{memory: 8g, pids: 2000}",
}


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


def _whole_network(text: str) -> str:
    """The network that an address with a prefix lies in, as a hint."""
    try:
        return f"did you mean {ipaddress.ip_network(text, strict=False)}?"
    except ValueError:
        return ""


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


def _close(word: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"did you mean {close[0]}?" if close else f"one of {', '.join(list(words)[:12])}"


def _section_of(word: str) -> str:
    """The section of a rule that a word belongs under; empty where it is no word of any."""
    if word in KINDS and word not in RULE_KEYS:
        return KINDS[word].section
    return "limit" if word in LIMITS else ""


def _misplaced(word: str, what: str) -> str:
    """Where a word belongs that is a key, but not of what it stands in; empty where it is none."""
    if what == "a rule":
        if section := _section_of(word):
            return f"it belongs under `{section}`: indent it"
        if word in REQUIREMENTS:
            return f"write `require: {word}`"
        if word in POLICY_KEYS and word != "name":  # by which its `id` is meant, where it has none
            return "it is a key of the policy: begin its line at the margin"
    elif what == "a policy":
        if word in RULE_KEYS:
            return "it is a key of a rule: begin it in the column of its `id`"
        if section := _section_of(word):
            return f"it belongs under `{section}` of a rule"
    elif what == "a test" and word in ("refused", "allowed"):
        return "it belongs behind `expect:`"
    return ""


_STANDS_FOR: Final = {"refused": ("expect",), "allowed": ("expect",)}
"""Keys of a test that stand for another one."""
