"""The routes of the admin listener.

/healthz   200 as long as the process serves
/readyz    200 if the engine answers, 503 with the reason if it does not
/metrics   for Prometheus
/          the live page
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sockproxy.admin.guard import Guard
from sockproxy.admin.page import CONTENT_SECURITY_POLICY, Status, View, render, totals

READINESS_SECONDS: Final = 5.0
"""How long the engine may take to answer before `/readyz` says that it does not."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can be forwarded."""

    ready: bool
    reason: str = ""
    """Why not, and what to do about it; empty where it is ready."""


def app(
    metrics_registry: CollectorRegistry,
    readiness: Callable[[], Awaitable[Readiness]],
    status: Callable[[], Status],
    *,
    hosts: Iterable[str] = (),
) -> Starlette:
    """The admin pages as an ASGI application.

    ``readiness`` asks the engine and must not raise; ``status`` says what the page shows; ``hosts`` are names that the
    listener answers to (in Host, without a port) beside loopback's and the address of the connection.
    """

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> Response:
        try:
            async with asyncio.timeout(READINESS_SECONDS):
                found = await readiness()
        except TimeoutError:
            found = Readiness(ready=False, reason=f"the engine did not answer within {READINESS_SECONDS:g} s")
        return JSONResponse({"ready": found.ready, "reason": found.reason}, 200 if found.ready else 503)

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics_registry), headers={"Content-Type": content_type})

    async def live(request: Request) -> Response:
        view = View.of(request.query_params)
        return HTMLResponse(render(status(), totals(metrics_registry), view, time.time()))

    return Starlette(
        routes=[
            Route("/", live),
            Route("/healthz", health),
            Route("/readyz", ready),
            Route("/metrics", metrics),
        ],
        middleware=[Middleware(Guard, hosts=tuple(hosts), policy=CONTENT_SECURITY_POLICY)],
    )
