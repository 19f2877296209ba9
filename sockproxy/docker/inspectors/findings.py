"""What has been found in one call so far: its asks, the look-ups that are still missing, and what is to be forwarded.

An inspector is a function from `Findings` to an `Inspection`. It may run several times for one call, each time with
more facts, until it needs no look-up. It never fetches anything itself.
"""

from __future__ import annotations

import re
from typing import Final

from sockproxy.docker import body as json_body
from sockproxy.docker.call import Call
from sockproxy.docker.fields import normalise, normalise_list
from sockproxy.docker.fields.schema import List, Struct
from sockproxy.docker.operations import read_query
from sockproxy.docker.paths import clean
from sockproxy.docker.request import encode_target
from sockproxy.errors import Internal
from sockproxy.model import HOST, Ask, Context, Forward, Inspection, Json, JsonObject, Missing
from sockproxy.printable import printable

_ODD_PATH: Final = re.compile(r"//|/\.{1,2}(?:/|$)|[%\\\x00-\x1f\x7f]")
"""What `canonical` refuses in a path."""


class Findings:
    """The asks of one call, as they are found."""

    __slots__ = ("_needs", "absent", "asks", "call", "context", "held", "query", "query_lists")

    def __init__(self, call: Call, context: Context, held: frozenset[str]) -> None:
        self.call: Final = call
        self.context: Final = context
        self.held: Final = held
        self.absent: Missing | None = None
        known, unknown = read_query(call.operation, call.request.query)
        self.asks: list[Ask] = list(unknown)
        self.query_lists: Final = known
        """The query parameters to be forwarded, in the order they came."""
        self.query: Final[dict[str, str]] = {}
        """The first value of each: what the engine reads of a parameter that is no list."""
        for key, value in known:
            self.query.setdefault(key, value)
        # A dict for its order: look-ups are asked for once, in the order in which they were missed.
        self._needs: dict[str, None] = {}

    def ask(
        self,
        kind: str,
        value: str,
        where: str,
        *,
        read_only: bool = False,
        shared: bool = False,
        labels: tuple[tuple[str, str], ...] | None = None,
        aliases: tuple[str, ...] = (),
        amount: int | None = None,
        plain: bool = False,
        grantable: bool = True,
        nonrecursive: bool = False,
    ) -> None:
        """Note one ask; what the arguments mean is said at `Ask`. ``labels`` is None where nobody knows them."""
        self.asks.append(
            Ask(
                kind,
                value,
                where,
                read_only,
                shared,
                labels or (),
                aliases,
                amount,
                plain,
                grantable,
                nonrecursive,
                labels is not None,
            )
        )

    def note(self, ask: Ask) -> None:
        """Note an ask that was made before."""
        self.asks.append(ask)

    def values(self, key: str) -> list[str]:
        """Every value of a query parameter that is a list."""
        return [value for name, value in self.query_lists if name == key]

    def body(self, schema: Struct) -> JsonObject:
        """The body in its normal form; its unknown fields are asked for.

        Raises:
            Malformed: a wrong type, or two spellings of one key.
        """
        normal = normalise(self.call.body, schema)
        self.asks.extend(normal.unknown)
        return normal.value

    def body_list(self, schema: List) -> list[Json]:
        """The body of a row that reads a list; what is unknown in it is asked for.

        Raises:
            Malformed: a wrong type, or two spellings of one key.
        """
        value, unknown = normalise_list(self.call.body, schema)
        self.asks.extend(unknown)
        return value

    def path_of(self, reference: str) -> str:
        """The path of the row with this in place of what it is about, its first parameter."""
        first, *others = self.call.operation.params
        path = self.call.operation.template.replace(f"{{{first}}}", reference)
        for name in others:
            path = path.replace(f"{{{name}}}", self.call.params[name])
        return path

    def query_with(self, key: str, value: str) -> tuple[tuple[str, str], ...]:
        """The query parameters to be forwarded, with another value for one that came."""
        return tuple((name, value if name == key else given) for name, given in self.query_lists)

    def look_up(self, path: str) -> JsonObject | Missing | None:
        """What is answered to this key of `Facts`; None, and a need is noted, where it was not asked yet."""
        fact = self.context.facts.get(path)
        if fact is None:
            self._needs[path] = None
        return fact

    def resolve(self, path: str) -> str | Missing | None:
        """Where a path of the host leads: clean, and without a symbolic link in it.

        Without the host's root it is taken for what it says. Otherwise `Missing` says why nobody knows, and None, with
        a need noted, that the host was not asked yet.
        """
        if not self.context.host_root:
            return clean(path) if path.startswith("/") else path
        fact = self.look_up(HOST + path)
        if fact is None or isinstance(fact, Missing):
            return fact
        led = fact.get("Path")
        return led if isinstance(led, str) else Missing(409, "the host did not tell where it leads")

    def forward(
        self,
        *,
        path: str | None = None,
        query: tuple[tuple[str, str], ...] | None = None,
        body: Json = None,
        versioned: bool = True,
    ) -> Inspection:
        """End an inspection. Without a path the one that came is forwarded, without a query the known parameters.

        ``versioned``: the API version that was judged is put before the path.
        """
        call = self.call
        operation, request = call.operation, call.request
        # INVARIANT: an id that the engine told stands in the path as one word, as the client's own had to.
        if path is not None and _ODD_PATH.search(path) is not None:
            raise Internal(f"`{printable(path)}` is no path to forward")
        headers: list[tuple[str, str]] = []
        upgrade = None
        for name, value in request.headers:
            if name in operation.headers:
                headers.append((name, value))
            elif name == "upgrade" and value.lower() in operation.upgrade:
                upgrade = value.lower()
        forward = Forward(
            method=request.method,
            target=encode_target(
                call.version if versioned else None,
                path or request.path,
                self.query_lists if query is None else query,
            ),
            headers=tuple(headers),
            body=None if body is None else json_body.serialise(body),
            content_type=None if body is None else "application/json",
            streams_body=operation.body == "tar",
            upgrade=upgrade,
            hijacks=operation.hijack,
        )
        return Inspection(tuple(self.asks), forward, tuple(self._needs), self.absent)
