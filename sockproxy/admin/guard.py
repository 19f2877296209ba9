"""Who is answered on the admin listener, and what a browser may do with the answer.

Only reads, and only by those who call the listener by one of its own names: a page on the web can point its domain at
127.0.0.1 and have the visitor's browser read from there (DNS rebinding), but the browser then says that domain in Host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sockproxy.printable import printable

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Guard:
    """Middleware: checks the Host and the method, and sets the headers that bind a browser."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], policy: str) -> None:
        """``hosts`` are names without a port, beside loopback's and the connection's own address.

        ``policy`` is the Content-Security-Policy of every answer.
        """
        self._app = app
        self._hosts = LOOPBACK_NAMES | {host.lower() for host in hosts}
        self._headers = (
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return

        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers:
                    headers[name] = value
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, send_bound)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        name = without_port(hosts[0]) if len(hosts) == 1 else ""
        if name not in self._hosts and name != _own_address(scope):
            told = f"the admin listener does not answer to `{printable(name)}`; start it with that name as --admin-host"
            return JSONResponse({"message": told}, 421)
        if scope["method"] not in {"GET", "HEAD"}:
            return JSONResponse({"message": "only GET and HEAD are answered here"}, 405, {"Allow": "GET, HEAD"})
        return None


def without_port(host: str) -> str:
    """``LocalHost:9090`` as ``localhost``; an IPv6 address stays in its brackets."""
    name, colon, port = host.rpartition(":")
    bare = name if colon and port.isdecimal() and (":" not in name or name.endswith("]")) else host
    return bare.lower()


def _own_address(scope: Scope) -> str | None:
    """The address at which this connection came in, as a Host says it: of a listener on all addresses, the one used."""
    server = scope.get("server")
    if not server or not server[0]:
        return None
    address = str(server[0]).lower()
    return f"[{address}]" if ":" in address else address
