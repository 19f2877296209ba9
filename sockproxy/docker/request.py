"""The canonical request: one pure function from what the parser delivered, or `Malformed`. Never a guess.

Law: what dockerd, a parser and we could read differently is refused; the rest has one form, and that form is a fixed
point: ``canonical(canonical(r)) == canonical(r)``.

    target = [ "http://" authority ] path [ "?" query ]
    path   = [ "/v" 1*DIGIT "." 1*DIGIT ] 1*( "/" segment )      decoded once, strict UTF-8
    query  = pair *( "&" pair )

dockerd matches the *decoded* path and answers 301 to an unclean one (gorilla/mux, ``regexp.go``, ``mux.go``), reads a
form body before the query (Go, ``request.go``), and takes ``/v1.041/`` and ``/v1.41.0/`` for versions too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

from sockproxy.errors import Malformed, VersionRefused
from sockproxy.model import Context, Request, Version

_METHOD: Final = re.compile(r"[A-Z]{1,20}")
# The authority is not read, but must be one that Go takes for one.
_ABSOLUTE: Final = re.compile(
    rb"https?://(?:[A-Za-z0-9._-]*|\[[0-9a-fA-F:.]+\])(?::[0-9]{0,5})?(?=[/?#]|$)",
    re.IGNORECASE,
)
_VERSIONED: Final = re.compile(r"/v([0-9]{1,4})\.([0-9]{1,4})(?=/)")
_LIKE_A_VERSION: Final = re.compile(r"/[vV][0-9.]+(?:/|$)")
_ESCAPE: Final = re.compile(rb"%([0-9a-fA-F]{2})?")
_PLAIN_TARGET: Final = re.compile(rb"[A-Za-z0-9/._:=&?\-]+")
_MEDIA_TYPE: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+/[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")

_ONCE: Final = frozenset(
    {
        *("host", "content-length", "content-type", "transfer-encoding", "expect", "upgrade", "origin"),
        *("x-registry-auth", "x-registry-config"),
    }
)
"""Headers of which a second one would be read differently by different readers."""

_FORMS: Final = frozenset({"application/x-www-form-urlencoded"})
_PATH_SAFE: Final = "/-._~!$&'()*+,:@="
_MAX_PAIRS: Final = 1000
_UNSENDABLE: Final = re.compile(rb"[\x00-\x20\x7f#]")
_WEBSOCKET: Final = re.compile(r"/containers/.+/attach/ws")


def canonical(method: bytes | str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Request:
    """The request in canonical form.

    Raises:
        Malformed: it is ambiguous, or not what a Docker client sends.
    """
    verb = method if isinstance(method, str) else method.decode("ascii", "replace")
    if _METHOD.fullmatch(verb) is None:
        raise Malformed("the method is not a word in capitals")
    version, path, query = _target(target)
    fields = _headers(headers)
    request = Request(verb, path, version, query, fields)
    _refuse_browsers_and_forms(request)
    return request


def target(request: Request) -> str:
    """The target that means this request, percent-encoded."""
    return _encode(request.version, request.path, request.query)


def encode_target(version: Version | None, path: str, query: Iterable[tuple[str, str]] = ()) -> str:
    """``/v1.41/containers/web/json?size=1``: what is forwarded, or asked of the engine."""
    return _encode(version, path, query)


def _encode(version: Version | None, path: str, query: Iterable[tuple[str, str]]) -> str:
    prefix = f"/v{version[0]}.{version[1]}" if version else ""
    text = "&".join([f"{quote_plus(key)}={quote_plus(value)}" for key, value in query])
    return prefix + quote(path, safe=_PATH_SAFE) + (f"?{text}" if text else "")


# The target ----------------------------------------------------------------------------------------------------------


def _target(raw: bytes) -> tuple[Version | None, str, tuple[tuple[str, str], ...]]:
    if not raw.startswith(b"/"):
        absolute = _ABSOLUTE.match(raw)
        if absolute is None:
            raise Malformed("the target is no path")
        raw = raw[absolute.end() :]
    if (unsendable := _UNSENDABLE.search(raw)) is not None:
        raise Malformed(
            "`#` in the target" if unsendable[0] == b"#" else "a control character or a space in the target"
        )
    raw_path, _, raw_query = raw.partition(b"?")
    path = _decode_path(raw_path)
    version, path = _cut_version(path)
    return version, path, _pairs(raw_query) if raw_query else ()


def _decode_path(raw: bytes) -> str:
    path = raw.decode("ascii") if _PLAIN_TARGET.fullmatch(raw) is not None else _decode(raw, "the path")
    if not path.startswith("/"):
        raise Malformed("the target is no path")
    if "%" in path:
        raise Malformed("a `%` is left in the path after decoding it once")
    if "\\" in path:
        raise Malformed("a backslash in the path")
    if not path.isprintable():
        raise Malformed("an unprintable character in the path")
    if "//" in path:
        raise Malformed("`//` in the path")
    if "/." in path and any(segment in (".", "..") for segment in path.split("/")):
        raise Malformed("a dot segment in the path")
    return path


def _cut_version(path: str) -> tuple[Version | None, str]:
    match = _VERSIONED.match(path)
    if match is None:
        if _LIKE_A_VERSION.match(path):
            raise Malformed("a version prefix other than `/v1.NN`")
        return None, path
    major, minor = match[1], match[2]
    if (len(major) > 1 and major[0] == "0") or (len(minor) > 1 and minor[0] == "0"):
        raise Malformed("a version prefix other than `/v1.NN`")
    rest = path[match.end() :]
    if _LIKE_A_VERSION.match(rest):
        raise Malformed("a second version prefix")
    return (int(major), int(minor)), rest


def _pairs(raw: bytes) -> tuple[tuple[str, str], ...]:
    if b";" in raw:
        raise Malformed("`;` in the query")
    pairs = []
    for pair in raw.split(b"&"):
        if not pair:
            continue
        key, _, value = pair.partition(b"=")
        pairs.append((_decode_query(key), _decode_query(value)))
    if len(pairs) > _MAX_PAIRS:
        raise Malformed(f"more than {_MAX_PAIRS} query parameters")
    return tuple(pairs)


def _decode_query(raw: bytes) -> str:
    if _PLAIN_TARGET.fullmatch(raw) is not None:
        return raw.decode("ascii")
    return _decode(raw.replace(b"+", b" "), "the query")


def _decode(raw: bytes, what: str) -> str:
    def byte(match: re.Match[bytes]) -> bytes:
        if match[1] is None:
            raise Malformed(f"a bad escape in {what}")
        return bytes((int(match[1], 16),))

    decoded = _ESCAPE.sub(byte, raw) if b"%" in raw else raw
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"{what} is not UTF-8") from None
    if "\0" in text:
        raise Malformed(f"a NUL in {what}")
    return text


# The headers ---------------------------------------------------------------------------------------------------------


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    fields: list[tuple[str, str]] = []
    seen: set[str] = set()
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        if _VALUE.fullmatch(raw_value) is None:
            raise Malformed(f"a control character in `{name}`")
        if name in _ONCE:
            if name in seen:
                raise Malformed(f"more than one `{name}` header")
            seen.add(name)
        elif name == "trailer":
            raise Malformed("trailers are not taken: they would come after judging")
        fields.append((name, raw_value.decode("latin-1").strip(" \t")))
    if "content-length" in seen and "transfer-encoding" in seen:
        raise Malformed("`Content-Length` beside `Transfer-Encoding`")
    return tuple(fields)


def _refuse_browsers_and_forms(request: Request) -> None:
    for name, value in request.headers:
        if (name == "origin" or name.startswith("sec-fetch-")) and not _is_websocket(request):
            # A page in a browser must not reach an engine on loopback, by forgery or by rebinding a name.
            raise Malformed(f"`{name}`: a browser is no Docker client")
        if name == "content-type" and value:
            _refuse_forms(value)


def _is_websocket(request: Request) -> bool:
    """By method and whole path: an image or a network may well be called ``x/attach/ws``."""
    return request.method == "GET" and _WEBSOCKET.fullmatch(request.path) is not None


def _refuse_forms(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if _MEDIA_TYPE.fullmatch(media_type) is None:
        raise Malformed("a `Content-Type` that is no media type")
    if media_type in _FORMS or media_type.startswith("multipart/"):
        raise Malformed(f"a form ({media_type}): its fields would override the query")


# The version ---------------------------------------------------------------------------------------------------------


def negotiate(asked: Version | None, oldest: Version, newest: Version, context: Context) -> Version:
    """The API version that a call is judged and forwarded at: the client's, or the engine's under the policy's clamp.

    Raises:
        VersionRefused: out of range, in Docker's words (moby, ``middleware/version.go``): clients negotiate by them.
    """
    low, high = max(oldest, context.engine_minimum), min(newest, context.engine_version)
    if asked is None:
        return high
    if asked < low:
        raise VersionRefused(
            f"client version {_shown(asked)} is too old. Minimum supported API version is {_shown(low)}, "
            "please upgrade your client to a newer version"
        )
    if asked > high:
        raise VersionRefused(
            f"client version {_shown(asked)} is too new. Maximum supported API version is {_shown(high)}"
        )
    return asked


def _shown(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
