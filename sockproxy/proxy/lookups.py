"""sockproxy's own questions to the engine, by httpx: its version, what a call needs to know, which container we are.

Off the hot path, so the well-kept library wins. Targets go out as `encode_target` wrote them (httpcore's ``target``
extension), since ``httpx.URL`` would tidy ``/a/../b`` into another question.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import httpx

from sockproxy.docker.request import encode_target
from sockproxy.errors import EngineDown
from sockproxy.model import HOST, STAT, SWARM_SCOPE, Context, Json, JsonObject, Missing, Version
from sockproxy.proxy.address import Address
from sockproxy.proxy.engine import Notice
from sockproxy.proxy.host_root import HostRoot
from sockproxy.proxy.limits import Limits

_log = logging.getLogger("sockproxy")

_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""The longest answer that is read; an inspect has some tens of KB."""
_OWN_MOUNT: Final = re.compile(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf) /etc/")
"""How the engine mounts a container's own files into it (``/proc/self/mountinfo``)."""
_SHORT_ID: Final = re.compile(r"[0-9a-f]{12}")
_VERSION: Final = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})")


class Lookups:
    """Asks the engine, and remembers what holds until the engine goes away."""

    def __init__(
        self,
        address: Address,
        limits: Limits,
        *,
        notice: Callable[[Notice], None] = lambda _: None,
        own_container: str | None = None,
        host_root: HostRoot | None = None,
        mountinfo: Path = Path("/proc/self/mountinfo"),
        hostname: Callable[[], str] = socket.gethostname,
    ) -> None:
        """``own_container`` names the container that sockproxy runs in, where it cannot find that out itself.

        ``host_root`` answers for paths of the host, where its root can be seen.
        """
        self._address = address
        transport = httpx.AsyncHTTPTransport(uds=address.path)
        host = "engine" if address.path is not None else str(address).removeprefix("tcp://")
        self._url = f"http://{host}/"
        self._http = httpx.AsyncClient(transport=transport, timeout=limits.lookup_seconds, trust_env=False)
        self._notice = notice
        self._own_container = own_container
        self._host_root = host_root
        self._mountinfo = mountinfo
        self._hostname = hostname
        self._lock = asyncio.Lock()
        self.known: Context | None = None
        """What judging must know of the engine; None until it is asked, and after it went away."""

    async def context(self) -> Context:
        """The engine's versions and our own container.

        Raises:
            EngineDown: it cannot be asked.
        """
        if self.known is not None:
            return self.known
        async with self._lock:
            if self.known is None:
                told = await self._get("/version")
                if isinstance(told, Missing):
                    raise EngineDown(f"the engine at {self._address} does not tell its version: {told.message}")
                newest = _version(told.get("ApiVersion"))
                if newest is None:
                    raise EngineDown(f"the engine at {self._address} does not tell its API version")
                # Engines before 17.06 tell no minimum; their own was 1.12.
                oldest = _version(told.get("MinAPIVersion")) or (1, 12)
                own = await self._own()
                self.known = Context(
                    engine_version=newest,
                    engine_minimum=oldest,
                    own_container=own,
                    host_root=self._host_root is not None,
                )
            return self.known

    def forget(self) -> None:
        """The engine went away: it may come back as another version."""
        self.known = None

    async def facts(self, keys: Iterable[str]) -> dict[str, JsonObject | Missing]:
        """What is answered to each key of `Facts`.

        To a path (unversioned, decoded; see `SWARM_SCOPE`) and to ``stat:<id>:/tmp`` by the engine,
        to ``host:/srv`` by the host's root.

        Raises:
            EngineDown: it cannot be asked, or fails.
        """
        wanted = tuple(keys)
        asked = [key for key in wanted if not key.startswith(HOST)]
        host = await self._led(tuple(key for key in wanted if key.startswith(HOST)))
        answers = (self._stat(key) if key.startswith(STAT) else self._get(key) for key in asked)
        return {**host, **dict(zip(asked, await asyncio.gather(*answers), strict=True))}

    async def _led(self, keys: tuple[str, ...]) -> dict[str, JsonObject | Missing]:
        if self._host_root is None:
            return dict.fromkeys(keys, Missing(409, "the host's root cannot be seen"))
        return await self._host_root.facts(keys)

    async def listed(self, path: str, query: Iterable[tuple[str, str]]) -> Json:
        """What the engine lists at a path, such as ``/containers/json``; None where it would not.

        Raises:
            EngineDown: it cannot be asked.
        """
        status, told = await self._told(path, tuple(query))
        return told if status == 200 else None

    async def ping(self) -> None:
        """Ask the engine whether it is there.

        Raises:
            EngineDown: it is not.
        """
        answer = await self._get("/version")
        if isinstance(answer, Missing):
            raise EngineDown(f"the engine at {self._address} does not tell its version: {answer.message}")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _stat(self, key: str) -> JsonObject | Missing:
        """What the engine says of a path in a container: the header of a HEAD (moby, container/copy.go)."""
        container, _, path = key.removeprefix(STAT).partition(":")
        target = encode_target(None, f"/containers/{container}/archive", (("path", path),)).encode("ascii")
        request = self._http.build_request("HEAD", self._url, extensions={"target": target})
        try:
            answer = await self._http.send(request, follow_redirects=False)
        except httpx.HTTPError as error:
            raise self._lost(error) from error
        self._notice("reached")
        if 400 <= answer.status_code < 500:
            return Missing(answer.status_code, f"no such path in the container: {path}")
        try:
            told = json.loads(base64.b64decode(answer.headers.get("X-Docker-Container-Path-Stat", ""), validate=True))
        except ValueError as error:
            raise EngineDown(f"the engine does not tell what {path} in a container is") from error
        if answer.status_code != 200 or not isinstance(told, dict):
            raise EngineDown(f"the engine answered HEAD of {path} in a container with status {answer.status_code}")
        return told

    def _lost(self, error: httpx.HTTPError) -> EngineDown:
        away = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        self._notice("unreachable" if away else "lost")
        why = str(error) or type(error).__name__
        return EngineDown(f"cannot ask the engine at {self._address}: {why}", status=503 if away else 502)

    async def _get(self, path: str) -> JsonObject | Missing:
        scope = (("scope", "swarm"),) if path.endswith(SWARM_SCOPE) else ()
        status, told = await self._told(path.removesuffix(SWARM_SCOPE), scope)
        # 503 is how an engine says that it is in no swarm, or in a locked one.
        if 400 <= status < 500 or status == 503:
            message = told.get("message") if isinstance(told, dict) else None
            return Missing(status, message if isinstance(message, str) else f"no such thing: {path}")
        if status != 200 or not isinstance(told, dict):
            raise EngineDown(f"the engine answered GET {path} with status {status}")
        return told

    async def _told(self, path: str, query: tuple[tuple[str, str], ...]) -> tuple[int, Json]:
        """What the engine answers to a GET: its status, and the body.

        Raises:
            EngineDown: it cannot be asked, or answers what is no JSON.
        """
        try:
            answer = await self._ask(path, query)
        except httpx.HTTPError as error:
            raise self._lost(error) from error
        except ValueError as error:
            raise EngineDown(f"the engine's answer to GET {path} is no JSON") from error
        self._notice("reached")
        return answer

    async def _ask(self, path: str, query: tuple[tuple[str, str], ...]) -> tuple[int, Json]:
        target = encode_target(None, path, query).encode("ascii")
        request = self._http.build_request("GET", self._url, extensions={"target": target})
        answer = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _ANSWER_BYTES:
                    raise EngineDown(f"the engine's answer to GET {path} has more than {_ANSWER_BYTES} bytes")
        finally:
            await answer.aclose()
        told: Json = httpx.Response(200, content=bytes(body)).json() if body else None
        return answer.status_code, told

    async def _own(self) -> str | None:
        """The 64-hex id of our own container: named by the operator, seen in our mounts, or by our host name."""
        if self._own_container is not None:
            found = await self._id_of(self._own_container)
            if found is None:
                _log.warning("the own container `%s` is not known to the engine (yet)", self._own_container)
            return found
        try:
            mounts = self._mountinfo.read_text(encoding="utf-8", errors="replace")
        except OSError:
            mounts = ""
        if (match := _OWN_MOUNT.search(mounts)) is not None:
            return match[1]
        name = self._hostname()
        return await self._id_of(name) if _SHORT_ID.fullmatch(name) else None

    async def _id_of(self, reference: str) -> str | None:
        told = await self._get(f"/containers/{reference}/json")
        found = None if isinstance(told, Missing) else told.get("Id")
        return found if isinstance(found, str) else None


def _version(text: Json) -> Version | None:
    match = _VERSION.fullmatch(text) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else None
