"""What must never be written down, and how the rest is shown.

Secrets travel in a few known places, and this file is the list of them:

    headers             X-Registry-Auth, X-Registry-Config: no header is ever recorded
    query               authconfig; env and build arguments (names stay); the ENV and ARG of `changes`
    JSON in a query     the same at any depth, since dockerode repeats every option there (docker-modem, `dial`)
    volume options      `o=addr=…,password=…`: from the secret on, as a password may hold a comma
    log driver options  `splunk-token=…`, `logentries-token=…`
    URLs                `https://user:password@host`, anywhere, a command line too

A command line of an exec is recorded as it came, its URLs' credentials aside: it is what an audit is for.
Where the shape is not understood more is hidden rather than less. Every function here is linear in its input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from sockproxy.model import Ask, Json
from sockproxy.printable import VALUE_LIMIT, printable

HIDDEN: Final = "***"
"""What stands where a secret was."""

_SECRET_PARTS: Final = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "sharedkey",
    "privatekey",
    "signature",
    "authconfig",
    "authorization",
    "registryauth",
    "registryconfig",
)
_SECRET_WORDS: Final = frozenset({"auth", "cred", "creds", "key", "pass", "pw", "pwd", "sig", "xregistryauth"})
_NAMED_VALUES: Final = frozenset({"env", "environment", "buildargs", "buildarg"})
"""Keys (letters and digits, lower case) under which names may be read and values may not."""

_NOT_A_LETTER: Final = re.compile(r"[^a-z0-9]+")
# Bounded repetitions: a request must not choose how long its own redaction takes.
_ASSIGNMENT: Final = re.compile(
    r"(?:(?:pass(?:word|wd|phrase)|secret|token|credential|api[_-]?key|access[_-]?key|shared[_-]?key|private[_-]?key|signature"
    r"|authconfig|authorization|registry[_-]?auth)[\w.-]{0,32}|(?<![a-z0-9])(?:auth|creds?|key|pass|pw|pwd|sig))"
    r"(?:[\\\"']{0,4}\s{0,4}=|[\\\"']{1,4}\s{0,4}:)",
    re.IGNORECASE,
)
_CIFS_USER: Final = re.compile(r"((?<![a-z0-9])user(?:name)?=[^,%]{0,256}%)", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"[\w.-]{1,128}")
_WORD: Final = re.compile(r"\S+")

_EVIDENT_KINDS: Final = frozenset(
    {"archive", "bind", "container", "exec", "image", "network", "registry", "restart", "service", "tag", "volume"}
)
"""Kinds whose values are names, paths and command lines: only credentials in URLs are hidden in them."""

_SHOWN_INSTRUCTIONS: Final = frozenset(
    {"CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
_HIDDEN_INSTRUCTIONS: Final = frozenset({"ARG", "ENV", "LABEL", "ONBUILD"})


def redact(query: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Decoded query pairs as they may be recorded: without secrets, on one line each, cut at 1 KB."""
    for name, value in query:
        yield shown(_free_text(name)), shown(_query_value(name, value))


def redact_value(text: str) -> str:
    """Free text as it may be recorded: without URL credentials and what follows ``password=``, cut at 1 KB."""
    return shown(_free_text(text))


def redact_ask(ask: Ask) -> str:
    """The value of an ask as it may be recorded."""
    if ask.kind in _EVIDENT_KINDS:
        return shown(_without_userinfo(ask.value))
    name, equals, value = ask.value.partition("=")
    if equals and ask.kind in {"field", "query"}:
        field = name.rpartition(".")[2].rstrip("[]0123456789")
        return shown(f"{_free_text(name)}={_query_value(field, value)}")
    return shown(_free_text(ask.value))


def redact_label(name: str, value: str) -> str:
    """The value of a label as it may be recorded: as the ask that puts it on would be."""
    _, _, told = _free_text(f"{name}={value}").partition("=")
    return told


def redact_path(path: str) -> str:
    """A path as it may be recorded; of a malformed target, still raw, what comes before its query."""
    if "?" not in path and "@" not in path and "%" not in path:
        return shown(path)
    raw = _without_userinfo(path)
    decoded = unquote(raw)
    safe = _without_userinfo(decoded)
    bare, mark, _ = (raw if safe == decoded else safe).partition("?")
    return shown(bare + (f"?{HIDDEN}" if mark else ""))


def shown(text: str) -> str:
    """On one line and at most 1 KB, escapes counted."""
    if len(text) <= VALUE_LIMIT and text.isprintable():
        return text
    return printable(printable(text))


def _query_value(name: str, value: str) -> str:
    key = _bare(name)
    if _is_secret(key):
        return HIDDEN if value else ""
    if key == "changes":
        return _instruction(value)
    if value.lstrip()[:1] in {"{", "["}:
        return _json_text(key, value)
    return _assignment(value) if key in _NAMED_VALUES else _free_text(value)


def _json_text(key: str, value: str) -> str:
    """JSON in a query, its secrets hidden; hidden whole where it is no JSON."""
    try:
        return json.dumps(_json(key, json.loads(value)), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return HIDDEN


def _json(key: str, value: Json) -> Json:
    if _is_secret(key):
        return HIDDEN if value else value
    match value:
        case dict() if key in _NAMED_VALUES:
            return {_free_text(name): HIDDEN for name in value}
        case dict():
            return {_free_text(name): _json(_bare(name), inner) for name, inner in value.items()}
        case list():
            return [_json(key, inner) for inner in value]
        case str():
            return _query_value(key, value)
        case _:
            return HIDDEN if key in _NAMED_VALUES else value


def _assignment(text: str) -> str:
    """``A=secret`` as ``A=***``; hidden whole where it is no such thing."""
    name, equals, _ = text.partition("=")
    return f"{name}={HIDDEN}" if equals and _VARIABLE.fullmatch(name) else HIDDEN


def _instruction(text: str) -> str:
    """A Dockerfile instruction of `changes`. What may set a variable, or go on from the line before, is hidden."""
    word = text.split(None, 1)[0].upper() if text.strip() else ""
    if word in _SHOWN_INSTRUCTIONS and text.isprintable() and not text.rstrip().endswith(("\\", "`")):
        return _free_text(text)
    if word in _SHOWN_INSTRUCTIONS | _HIDDEN_INSTRUCTIONS:
        return f"{word} {HIDDEN}"
    return HIDDEN if text else ""


def _free_text(text: str) -> str:
    text = _without_userinfo(text)
    if "=" not in text and ":" not in text:
        return text
    ends = [found.end() for found in (_ASSIGNMENT.search(text), _CIFS_USER.search(text)) if found]
    if not ends or min(ends) == len(text):
        return text
    return text[: min(ends)] + HIDDEN


def _without_userinfo(text: str) -> str:
    return _WORD.sub(_hide_userinfo, text) if "@" in text and "//" in text else text


def _hide_userinfo(word: re.Match[str]) -> str:
    """``https://user:pw@host/x`` becomes ``https://***@host/x``.

    The user part ends at the last `@` before the first slash (net/url, ``parseAuthority``). Where what comes before
    that slash is no host and port, the slash may be part of a password: all up to the word's last `@` is hidden.
    """
    pieces = word[0].split("//")
    last = max((index for index, piece in enumerate(pieces) if "@" in piece), default=0)
    for index, piece in enumerate(pieces[1:], 1):
        authority, slash, rest = piece.partition("/")
        if "@" in authority:
            pieces[index] = f"{HIDDEN}@{authority.rpartition('@')[2]}{slash}{rest}"
        elif not _is_host(authority, slash) and ("@" in rest or index < last):
            tail = pieces[last].rpartition("@")[2]
            return "//".join([*pieces[:index], f"{HIDDEN}@{tail}", *pieces[last + 1 :]])
    return "//".join(pieces)


def _is_host(authority: str, slash: str) -> bool:
    """Whether it is a host, with a decimal port or none; or the scheme of the URL that comes next, as in a list."""
    name, colon, port = authority.rpartition(":")
    if not colon or authority.startswith("["):
        return True
    return ":" not in name and (port.isdecimal() or not (port or slash))


def _bare(name: str) -> str:
    return _NOT_A_LETTER.sub("", name.lower())


def _is_secret(bare: str) -> bool:
    return bare in _SECRET_WORDS or any(part in bare for part in _SECRET_PARTS)
