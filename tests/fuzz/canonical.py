r"""A request's head, from bytes to its row and its query.

    input = METHOD SP target *( CRLF name ":" value )

What must hold:

* Only `Malformed` and `UnknownOperation` are raised, and `TooLarge` of JSON in the query.
* What is canonical stays as it is: written again and read again it is the same request, of the same row.
* A written target is one line of printable ASCII, without spaces, empty or dot segments, and bare of ``;`` and ``#``.
* dockerd would read the same path and the same pairs, both of what came and of what is forwarded, and its router would
  choose the same row (``golang.py``).
* The parameters that are forwarded are read again as themselves, with the same asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sockproxy.docker import request as requests
from sockproxy.docker.operations import OPERATIONS, Operation, identify, read_query
from sockproxy.errors import Malformed, TooLarge, UnknownOperation
from sockproxy.model import Request, Version
from tests.fuzz import golang

LONGEST = 8192
MODULES = ("sockproxy/docker/request.py", "sockproxy/docker/operations.py", "sockproxy/docker/body.py")

_WRITTEN = re.compile(r"/[!$%&'()*+,\-./0-9:=@A-Z_a-z~]*(?:\?[%&*+\-./0-9=A-Z_a-z~]*)?")
_ROWS = [(row.method, row.template) for row in OPERATIONS]
_ONCE = {"host", "content-length", "content-type", "transfer-encoding", "expect", "upgrade", "origin"}
_VERSION: Version = (1, 41)


def one(data: bytes) -> None:
    line, *fields = data.split(b"\r\n")
    method, _, target = line.partition(b" ")
    headers = [(name, value) for name, _, value in (field.partition(b":") for field in fields)]
    try:
        request = requests.canonical(method, target, headers)
    except Malformed:
        return
    _check_headers(request)
    assert request.path.isprintable()
    assert not {"%", "\\"} & set(request.path)
    written = requests.target(request)
    _check_written(written)
    assert requests.canonical(request.method, written.encode("ascii"), headers) == request
    _check_as_go_reads(target, written, request)
    try:
        operation, params = identify(request.method, request.path)
    except UnknownOperation as error:
        # A name may be empty to gorilla, or end in a slash; to the engine it is then no name.
        assert request.path.endswith("/") or not _routed(request), f"dockerd knows {request.path}, we do not"
        assert error.message
        return
    assert identify(request.method, request.path) == (operation, params)
    _check_row(request, operation, params)
    _check_query(request, operation)


def _check_headers(request: Request) -> None:
    names = [name for name, _ in request.headers]
    for name, value in request.headers:
        assert name == name.lower()
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)
        assert name not in _ONCE or names.count(name) == 1
    assert not {"content-length", "transfer-encoding"} <= set(names)
    browser = [name for name in names if name == "origin" or name.startswith("sec-fetch-")]
    assert not browser or (request.method == "GET" and request.path.endswith("/attach/ws"))


def _check_written(target: str) -> None:
    assert _WRITTEN.fullmatch(target), target
    path = target.partition("?")[0]
    assert "//" not in path
    decoded = golang.unescape(path.encode(), query=False)
    assert golang.clean(decoded) == decoded, path


def _check_as_go_reads(raw: bytes, written: str, request: Request) -> None:
    """Of what came, and of what is forwarded."""
    prefix = "/v{}.{}".format(*request.version) if request.version else ""
    wanted = (prefix + request.path).encode(), [(key.encode(), value.encode()) for key, value in request.query]
    assert golang.path_and_query(written.encode()) == wanted
    try:
        assert golang.path_and_query(raw) == wanted
    except golang.Refused:
        assert not raw.startswith(b"/")  # for what stands between `http://` and the path, which goes no further


def _routed(request: Request) -> list[tuple[str, str]]:
    return golang.routed(request.method, request.path, _ROWS)


def _check_row(request: Request, operation: Operation, params: dict[str, str]) -> None:
    assert set(params) == set(operation.params)
    assert all(params.values())
    assert not any(value.endswith("/") for value in params.values())
    if request.path == "/networks/":
        assert operation.name == "NetworkList"
        return
    path = operation.template
    for name, value in params.items():
        path = path.replace(f"{{{name}}}", value, 1)
    assert path == request.path
    routes = _routed(request)
    literal = [row for row in routes if "{" not in row[1]]
    assert (literal or routes)[0] == (operation.method, operation.template), routes


def _check_query(request: Request, operation: Operation) -> None:
    try:
        known, asks = read_query(operation, request.query)
    except (Malformed, TooLarge):
        return
    forwarded = requests.encode_target(_VERSION, request.path, known)
    _check_written(forwarded)
    path, pairs = golang.path_and_query(forwarded.encode())
    assert path.decode() == f"/v1.41{request.path}"
    assert [(key.decode(), value.decode()) for key, value in pairs] == list(known)
    again = requests.canonical(request.method, forwarded.encode(), ())
    assert (again.path, again.query) == (request.path, known)
    assert read_query(operation, again.query) == (known, asks)
    for key, value in known:
        field = operation.query.get(key)
        assert field is None or field.type != "bool" or value in ("", "0", "1")
        assert field is None or field.type != "int" or re.fullmatch("-?[0-9]{1,19}", value)
        assert field is not None or key in [ask.value for ask in asks]
        assert (field is not None and field.repeats) or [name for name, _ in known].count(key) == 1


# What inputs are made of


def words() -> Iterator[str]:
    """Segments, parameters, escapes, versions and header fields."""
    yield from sorted({row.method for row in OPERATIONS} | {f"{row.method} " for row in OPERATIONS})
    yield from sorted(
        {segment for row in OPERATIONS for segment in row.template.split("/") if segment and "{" not in segment}
    )
    yield from sorted({f"{key}=" for row in OPERATIONS for key in row.query})
    yield from (
        "/v1.41",
        "/v1.24/",
        "/v1.41.0",
        "/v1.041",
        "/v99.9999",
        "/V1.41",
        "http://docker",
        "HTTPS://x",
        "/..",
        "/.",
    )
    yield from (
        "%2f",
        "%2e%2e",
        "%25",
        "%00",
        "%0a",
        "%c3%bc",
        "%ff",
        "%zz",
        "%u0041",
        "%7b",
        "%22",
        "+",
        ";",
        "&&",
        "?",
    )
    yield from (
        "true",
        "false",
        "-1",
        "9223372036854775807",
        '{"label":["a=b"]}',
        '{"label":{"a":true}}',
        "[]",
        "null",
        "\\u0000",
    )
    yield from ("\r\nHost: d", "\r\nContent-Type: application/json", "\r\nOrigin: http://x", "\r\nSec-Fetch-Mode: cors")
    yield from ("\r\nUpgrade: tcp", "\r\nTransfer-Encoding: chunked", "\r\nContent-Length: 2", "\r\nTrailer: x")
    yield from (
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "; charset=utf-8",
        "/attach/ws",
        "\r\nX-Registry-Auth: e30",
    )


def seeds() -> Iterator[tuple[str, bytes]]:
    """The corpus's requests, one of each row, and spellings of one path."""
    from tests.fuzz import materials

    for case in materials.cases():
        head = "".join(f"\r\n{name}: {value}" for name, value in case.headers.items())
        yield case.name, f"{case.method} {case.target}\r\nHost: docker{head}".encode("utf-8", "surrogatepass")
    for row in OPERATIONS:
        path = re.sub(r"\{\w+\}", "web", row.template)
        pairs = "&".join(f"{key}={_VALUES[field.type]}" for key, field in row.query.items())
        yield f"row {row.name}", f"{row.method} /v1.41{path}{'?' if pairs else ''}{pairs}\r\nHost: d".encode()
    for name, method, path in (
        ("always a websocket that is posted", "POST", "/containers/web/attach/ws\r\nOrigin: http://x"),
        ("always a container of a name with a slash", "DELETE", "/containers/web/"),
        ("always a node of two segments", "POST", "/nodes/a/b/update"),
        ("always a checkpoint of two segments", "DELETE", "/containers/a/b/checkpoints/c"),
        ("a method of small letters", "get", "/info"),
    ):
        yield name, f"{method} {path}\r\nHost: d".encode()
    many = b"&".join([b"a%d" % number for number in range(1001)])
    yield "many parameters", b"GET /info?%b\r\nHost: d" % many
    for name, target in _SPELLINGS.items():
        yield name, (b"POST " if target.startswith(b"/build") else b"GET ") + target + b"\r\nHost: d"


_VALUES = {
    "text": "a%20b",
    "bool": "true",
    "int": "10",
    "json": "%7B%22a%22%3A%5B1%5D%7D",
    "filters": "%7B%22label%22%3A%5B%22a%22%5D%7D",
}
_SPELLINGS = {
    "escaped path": b"/%63ontainers%2fjson?%61ll=%31",
    "escaped version": b"/v%31.41/info",
    "absolute form": b"http://docker:2375/v1.41/images/a%2Fb%40sha256%3A0/json",
    "utf-8": "/containers/json?name=ü&filters=%7B%22ü%22:[]%7D".encode(),
    "repeated": b"/images/get?names=a&names=b&&names=",
    "long names": b"/containers/a/b/c/json",
    "like a row": b"/containers/containers/json/json",
    "a slash at the end": b"/networks/",
    "no path": b"containers/json",
    "an authority": b"docker:2375",
    "an empty absolute form": b"http://docker?all=1",
    "a hash": b"/info#x",
    "a space": b"/info HTTP/1.1",
    "a percent left": b"/containers/%2565",
    "a bad escape": b"/containers/%zz",
    "a NUL": b"/containers/%00",
    "not utf-8": b"/containers/%ff",
    "a backslash": b"/containers/%5c",
    "unprintable": b"/containers/%e2%80%ae/json",
    "two slashes": b"/containers%2f%2fjson",
    "a dot segment": b"/containers/%2e%2e/json",
    "two versions": b"/v1.41/v1.40/info",
    "a zero in the version": b"/v1.041/info",
    "a semicolon": b"/containers/json?a=1;b=2",
    "filters of two shapes": b"/containers/json?filters=%7B%22a%22%3A%5B%22b%22%5D%2C%22c%22%3A%7B%22d%22%3Atrue%7D%7D",
    "filters that are null": b"/containers/json?filters=null",
    "filters that are none": b"/containers/json?filters=%7B%22a%22%3A1%7D",
    "filters that are a list": b"/containers/json?filters=%5B%5D",
    "a bool that is none": b"/containers/json?all=maybe",
    "a number that is none": b"/containers/json?limit=1.5",
    "deep json": b"/build?buildargs=" + b"%5B" * 65 + b"%5D" * 65,
    "a half pair": b"/build?buildargs=%7B%22a%22%3A%22%5Cud800%22%7D",
    "a question mark": b"/containers/a%3Fb%23c/json?%26=%3D%3B%2B%25&a+b=c%20d",
    "a service of two segments": b"/services/a/b",
    "a slash after a name": b"/containers/web/json/",
    "no name": b"/containers//json",
    "a name of slashes": b"/images/a/b/c/json",
    "a trailer": b"/info\r\nTrailer: x",
    "two hosts": b"/info\r\nHost: e",
    "a body twice": b"/info\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
    "a form": b"/info\r\nContent-Type: Multipart/form-data; boundary=x",
    "no media type": b"/info\r\nContent-Type: json",
    "a browser": b"/info\r\nSec-Fetch-Mode: cors",
    "a line feed in a field": b"/info\r\nX: a\nb",
    "websocket": b"/containers/web/attach/ws\r\nOrigin: http://docker\r\nUpgrade: websocket",
}
