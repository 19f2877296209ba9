"""The JSON Schema of policy files, for editors: made from the loader's own tables, so that the two cannot drift apart.

Law: what the loader accepts the schema accepts. It refuses less, since much cannot be said in it: that a path selects
a row of the table, that a client's rules exist, that two clients overlap. `sockproxy check` says the rest.

The loader reads every scalar as text; an editor reads `8080` as a number and `true` as a bool. So a word may be any of
the three. `null` is not a word here, although the loader takes an unquoted `null` for one: to an editor a key without a
value is the same thing, and that is the more likely mistake.

Draft 7, since every editor's YAML support knows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from sockproxy.docker.asks import KINDS, LIMITS, REQUIREMENTS, SECTIONS, Kind
from sockproxy.docker.inspectors import INSPECTED
from sockproxy.docker.operations import METHODS, OPERATIONS
from sockproxy.model import HOST, STAT, Json, JsonObject
from sockproxy.policy import presets
from sockproxy.policy.amounts import FORMS as AMOUNT_FORMS
from sockproxy.policy.keys import CLIENT_KEYS, POLICY_KEYS, RULE_KEYS, TEST_FILE_KEYS, TEST_KEYS, WORD
from sockproxy.policy.patterns import DEVICE_RULE, FORM_WORDS, PUBLISH, WORDS
from sockproxy.policy.rules import MODES
from sockproxy.policy.slips import NAMESPACES

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_SCALAR: Final[list[Json]] = ["string", "number", "boolean"]
_TEXT: Final[list[Json]] = [*_SCALAR, "null"]
"""Text that may be empty."""


def policy_schema() -> JsonObject:
    """The schema of a policy."""
    return {
        "$schema": _DRAFT,
        "title": "sockproxy policy",
        "description": "What the clients of a Docker socket may do. Nothing is allowed until a rule allows it.",
        "definitions": _definitions(),
        **_object(
            POLICY_KEYS,
            {
                "version": _version(),
                "name": _word("What the policy is called, in denials and in the log. Without it, the file's name."),
                "about": {"description": "What the policy is for, in a line.", "type": _TEXT},
                "extends": _words(
                    "Presets by name, or files beside this one. Their rules are taken over, never their clients, mode, "
                    "api or tests. A rule with the id of an extended one is joined with it.",
                    {"anyOf": [{"enum": list(presets.names())}, {"$ref": "#/definitions/word"}]},
                    least=0,
                ),
                "rules": {
                    "description": "Each allows endpoints and says what their calls may ask, or denies. One rule alone "
                    "must cover a whole call; a deny beats every allow; their order means nothing.",
                    "type": "array",
                    "items": {"$ref": "#/definitions/rule"},
                },
                "clients": {
                    "description": "Who may use which rules. Without it the rules are for everyone who can connect.",
                    "type": "array",
                    "minItems": 1,
                    "items": {"$ref": "#/definitions/client"},
                },
                "tests": _tests(),
                "api": _api(),
                "mode": _mode(),
            },
        ),
        "required": ["version"],
        "anyOf": [
            {"required": ["rules"]},
            {"required": ["extends"]},
            {"required": ["mode"], "properties": {"mode": {"const": "observe"}}},
        ],
        # A rule that allows nothing adds to one that is extended.
        "if": {"required": ["extends"]},
        "else": {
            "properties": {"rules": {"items": {"anyOf": [{"required": ["allow"]}, {"required": ["deny"]}]}}},
        },
    }


def tests_schema() -> JsonObject:
    """The schema of a file of tests."""
    return {
        "$schema": _DRAFT,
        "title": "sockproxy policy tests",
        "description": "Requests, and what a policy must say to them.",
        "definitions": {"word": _a_word(), "values": _values(), "test": _test()},
        **_object(
            TEST_FILE_KEYS,
            {
                "version": _version(),
                "policy": {
                    "description": "A preset's name, or a file beside this one.",
                    "anyOf": [{"enum": list(presets.names())}, {"$ref": "#/definitions/word"}],
                },
                "tests": _tests(),
            },
        ),
        "required": list(TEST_FILE_KEYS),
    }


# Objects -------------------------------------------------------------------------------------------------------------


def _object(keys: Sequence[str], shapes: JsonObject) -> JsonObject:
    """An object of the loader's keys, and no others.

    Raises:
        KeyError: the loader knows a key that has no shape here yet.
    """
    return {"type": "object", "additionalProperties": False, "properties": {key: shapes[key] for key in keys}}


def _definitions() -> JsonObject:
    kinds = [kind for kind in KINDS.values() if kind.section in ("grant", "only")]
    return {
        "word": _a_word(),
        "values": _values(),
        "endpoint": _endpoint(),
        "rule": _rule(),
        "client": _client(),
        "test": _test(),
        **{f"pattern-{_form_of(kind)}": _pattern(kind) for kind in kinds},
        **{f"kind-{kind.name}": _kind(kind) for kind in kinds},
    }


def _rule() -> JsonObject:
    allows = [key for key in RULE_KEYS if key in ("allow", "grant", "only", "limit", "require")]
    denies = [key for key in RULE_KEYS if key in ("asking", "because")]
    endpoint: JsonObject = {"$ref": "#/definitions/endpoint"}
    return {
        **_object(
            RULE_KEYS,
            {
                "id": _word("The rule's name: denials, the audit log and clients name rules by it.", empty=False),
                "allow": _words("Endpoints that the rule lets through, as `METHOD /path`.", endpoint),
                "deny": _words("Endpoints that are refused to everyone, whatever other rules allow.", endpoint),
                "grant": _section("grant", SECTIONS["grant"]),
                "only": _section("only", SECTIONS["only"]),
                "limit": _limit(),
                "require": _words(
                    f"`require`: {SECTIONS['require']}.", {"type": "string", "enum": list(REQUIREMENTS)}, least=0
                ),
                "asking": _section("asking", "the deny refuses only calls that ask one of these", "grant", "only"),
                "because": {"description": "Why, for whoever reads the denial.", "type": _TEXT},
            },
        ),
        "description": "A rule allows endpoints, or denies them.",
        "required": ["id"],
        "if": {"required": ["deny"]},
        "then": {"properties": dict.fromkeys(allows, False)},
        "else": {"properties": dict.fromkeys(denies, False)},
    }


def _section(name: str, words: str, *sections: str) -> JsonObject:
    kinds = [kind.name for kind in KINDS.values() if kind.section in (sections or (name,))]
    return {
        "description": f"`{name}`: {words}.",
        **_object(kinds, {kind: {"$ref": f"#/definitions/kind-{kind}"} for kind in kinds}),
    }


def _limit() -> JsonObject:
    shapes: JsonObject = {
        name: {
            "description": f"At most this: {form.words}. " + ("A call must set it." if name != "shm" else "").strip(),
            "examples": [form.example],
            "anyOf": [
                {"type": "string", "pattern": _whole(form.form)},
                {"type": "integer", "minimum": 1} if name == "pids" else {"type": "number", "exclusiveMinimum": 0},
            ],
        }
        for name, form in AMOUNT_FORMS.items()
    }
    return {"description": f"`limit`: {SECTIONS['limit']}.", **_object(LIMITS, shapes)}


def _client() -> JsonObject:
    return {
        **_object(
            CLIENT_KEYS,
            {
                "name": {
                    **_word("What the client is called in the audit log and in metrics.", empty=False),
                    "not": {"const": "anyone"},
                },
                "from": _words(
                    "Networks that its connections come from.",
                    {
                        "type": "string",
                        "pattern": r"^[0-9a-fA-F.:]+(?:%[^/]+)?(?:/[0-9.]+)?$",
                        "examples": ["172.20.0.0/16"],
                    },
                ),
                "unix-user": {
                    "description": "The user id of whoever connects to a Unix socket.",
                    "anyOf": [
                        {"type": "integer", "minimum": 0, "maximum": 9_999_999_999},
                        {"type": "string", "pattern": "^[0-9]{1,10}$"},
                    ],
                },
                "certificate": False,  # kept for the day when sockproxy speaks TLS
                "rules": _words(
                    "Ids of rules, a preset's name for all of its rules, or `all`.",
                    {"anyOf": [{"const": "all"}, {"$ref": "#/definitions/word"}]},
                    least=0,
                ),
                "mode": _mode(),
            },
        ),
        "description": "Who a rule is for. A peer that is none of the clients is refused.",
        "required": ["name", "rules"],
        "anyOf": [{"required": ["from"]}, {"required": ["unix-user"]}],
        "if": {"required": ["from"]},
        "then": {"properties": {"unix-user": False}},
    }


def _api() -> JsonObject:
    def bound(words: str) -> JsonObject:
        # `1.40` without quotes is a number to an editor, and the text that was meant to the loader.
        return {
            "description": words,
            "anyOf": [
                {"type": "string", "pattern": r"^1\.[0-9]{1,2}$"},
                {"type": "number", "minimum": 1, "exclusiveMaximum": 2},
            ],
        }

    return {
        "description": "The API versions that clients may speak, narrowed further by what the engine speaks.",
        **_object(
            ("min", "max"),
            {"min": bound('The oldest, such as "1.24".'), "max": bound('The newest, such as "1.51".')},
        ),
    }


def _mode() -> JsonObject:
    return {
        "description": "enforce: what no rule covers is refused. observe: what a rule would refuse is recorded, and "
        "goes through.",
        "enum": list(MODES),
    }


def _version() -> JsonObject:
    return {"description": "The version of the language, not of your file: 1.", "enum": [1, "1"]}


# Tests ---------------------------------------------------------------------------------------------------------------


def _tests() -> JsonObject:
    return {
        "description": "Run by `sockproxy test`.",
        "type": "array",
        "items": {"$ref": "#/definitions/test"},
    }


def _test() -> JsonObject:
    return {
        **_object(
            TEST_KEYS,
            {
                "name": {"description": "What the test shows, as a fact.", "type": _TEXT},
                "request": {
                    "description": "A method and a target as a client sends it, query and version prefix included.",
                    "examples": ["POST /containers/create?name=ci-1"],
                    "type": "string",
                    "pattern": f"^(?:{'|'.join(sorted(METHODS))}) /",
                },
                "run": {
                    "description": "A command line instead of a request: each call that it makes is judged.",
                    "examples": ["docker run -v /:/h alpine"],
                    "anyOf": [{"$ref": "#/definitions/word"}],
                },
                "body": {"description": "The JSON body, written as YAML. Quote an id that is digits alone."},
                "body-file": {
                    "description": "A file of JSON beside this one, that holds the body.",
                    "anyOf": [{"$ref": "#/definitions/word"}],
                },
                "engine": {
                    "description": "What look-ups are answered, path to body. What is not named here is there, under "
                    "that very name, with nothing special.",
                    "type": "object",
                    "additionalProperties": False,
                    "patternProperties": {f"^(?:/|{HOST}|{STAT})": {"type": "object"}},
                },
                "client": {"description": "Which of the policy's clients asks.", "type": _TEXT},
                "expect": _expectation(),
            },
        ),
        "description": "A request, and what the policy must say to it.",
        "required": ["expect"],
        "not": {"required": ["body", "body-file"]},
        "if": {"required": ["run"]},
        "then": {"properties": {"request": False, "body": False, "body-file": False}},
        "else": {"required": ["request"]},
    }


def _expectation() -> JsonObject:
    asks: JsonObject = {kind: {"$ref": "#/definitions/values"} for kind in KINDS}
    return {
        "description": "allowed, refused, or asks that must be among those not covered: {refused: {bind: /etc}}.",
        "anyOf": [
            {"enum": ["allowed", "refused"]},
            {**_object(("refused",), {"refused": _object(tuple(KINDS), asks)}), "required": ["refused"]},
        ],
    }


# Words ---------------------------------------------------------------------------------------------------------------


def _a_word() -> JsonObject:
    # Not `type: [string, number, boolean]`, for which editors would offer `true` and `false` everywhere.
    return {"not": {"type": ["array", "object", "null"]}, "minLength": 1}


def _values() -> JsonObject:
    return _words("Values of asks, as `sockproxy explain` prints them.", {"type": _SCALAR}, least=0)


def _word(words: str, *, empty: bool = True) -> JsonObject:
    """A name of letters, digits, `-`, `_` and `.`; ``empty`` ones are left out where they need not be."""
    form = f"^(?:{WORD.pattern})?$" if empty else _whole(WORD)
    return {"description": words, "type": _TEXT if empty else _SCALAR, "pattern": form}


def _words(words: str, item: JsonObject, *, least: int = 1) -> JsonObject:
    """A list of words; a list of one may be the word alone."""
    several: JsonObject = {"type": "array", "items": item}
    if least:
        several["minItems"] = least
    return {"description": words, "anyOf": [item, several]}


def _kind(kind: Kind) -> JsonObject:
    """What a kind's patterns may be, and what they are for."""
    words = f"One ask is {kind.asks}. A pattern is {FORM_WORDS[kind.form]}."
    return {**_words(words, {"$ref": f"#/definitions/pattern-{_form_of(kind)}"}), "examples": [kind.example]}


def _form_of(kind: Kind) -> str:
    """Kinds whose patterns are written alike have one name here."""
    return kind.name if kind.form == "word" or kind.name == "namespace" else kind.form


def _pattern(kind: Kind) -> JsonObject:
    return {"anyOf": [{"enum": ["any", "none"]}, *_forms(kind)]}


def _forms(kind: Kind) -> list[Json]:
    """What a pattern of a kind may be beside `any` and `none`."""
    match kind.form:
        case "any":
            return [{"const": "**"}]
        case "path":
            return [{"type": "string", "pattern": r"^(?:/|\*\*)"}]
        case "device":
            return [{"type": "string", "pattern": f"^(?:/[^ ]*(?: [rwm]*)?|{DEVICE_RULE.pattern}|\\*\\*)$"}]
        case "publish":
            return [
                {"const": "**"},
                {"type": "string", "pattern": _whole(PUBLISH)},
                {"type": "integer", "minimum": 1, "maximum": 65535},
            ]
        case "word":
            known = sorted(WORDS[kind.name])
            shown: list[Json] = [word if kind.name == "capability" else word.lower() for word in known]
            prefix = "(?:[Cc][Aa][Pp]_)?" if kind.name == "capability" else ""
            spelt = "|".join(map(_any_case, known))
            return [{"enum": shown}, {"type": "string", "pattern": rf"\*|^{prefix}(?:{spelt})$"}]
        case _ if kind.name == "namespace":
            return [{"type": "string", "pattern": rf"\*|^(?:{'|'.join(NAMESPACES)})(?:=|$)"}]
        case _:
            return [{"$ref": "#/definitions/word"}]


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.lower()}]" if letter.isalpha() else letter for letter in word)


def _whole(form: re.Pattern[str]) -> str:
    """A whole text of this form, as JavaScript writes it: it has no `(?P<name>…)`."""
    return f"^(?:{re.sub(r'[(][?]P<[a-z]+>', '(?:', form.pattern)})$"


# Endpoints -----------------------------------------------------------------------------------------------------------


def _endpoint() -> JsonObject:
    """`METHOD /path`: each row by itself to complete, and a pattern for all that the rows can be written as."""
    rows: list[Json] = [f"{row.method} {row.template}" for row in OPERATIONS if row.name in INSPECTED and not row.never]
    return {
        "description": "`METHOD /path` of the Engine API without its version. `|` gives alternatives in the method and "
        "in one segment, ANY is every method, {id} or * a whole parameter, /** at the end the row and all below it.",
        "examples": ["GET /containers/json", "POST /containers/{id}/start|stop|wait", "ANY /secrets/**"],
        "anyOf": [{"enum": rows}, {"type": "string", "pattern": _endpoint_pattern()}],
    }


def _endpoint_pattern() -> str:
    """What selects rows, by the words that there are at each depth below a noun; not by which goes with which."""
    depths: dict[str, list[set[str]]] = {}
    for row in OPERATIONS:
        noun, *below = row.template.split("/")[1:]
        levels = depths.setdefault(noun, [])
        for depth, segment in enumerate(below):
            if depth == len(levels):
                levels.append(set())
            levels[depth].add("{}" if segment.startswith("{") else segment)
    method = f"(?:{'|'.join(sorted(METHODS))})"
    nouns = _either(depths)
    paths = [f"{re.escape(noun)}{_below(levels)}" for noun, levels in depths.items()]
    several = rf"{nouns}(?:\|{nouns})+(?:/[^/]+)*"
    return rf"^\s*(?:ANY|{method}(?:\|{method})*) \s*(?:/(?:{'|'.join([*paths, several])}))?(?:/\*\*)?\s*$"


def _below(levels: Sequence[set[str]]) -> str:
    """What may follow a noun: each segment, or alternatives for one, as deep as rows go."""
    if not levels:
        return ""
    word = _either(levels[0])
    return rf"(?:/{word}(?:\|{word})*{_below(levels[1:])})?"


def _either(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(_segment(word) for word in sorted(words))})"


def _segment(word: str) -> str:
    return r"\{\w+\}|\*" if word == "{}" else re.escape(word).replace(r"\-", "-")
