"""What stands in for the engine: HAProxy for small answers, since no Python could feed the race, and a stream server.

HAProxy answers a fixed body to every request, over a Unix socket (as an engine) and over TCP (so that wrk, which knows
no Unix sockets, can measure it alone). The stream server sends and takes 1 GiB, and holds followers open.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

VERSION = '{"Version":"28.5.2","ApiVersion":"1.51","MinAPIVersion":"1.24","Os":"linux","Arch":"amd64"}'
CONTAINERS = (
    "["
    + ",".join(f'{{"Id":"{n:064x}","Names":["/c{n}"],"Image":"busybox:test","State":"running"}}' for n in range(4))
    + "]"
)
CREATED = f'{{"Id":"{7:064x}","Warnings":[]}}'


def haproxy_upstream(folder: Path, port: int) -> str:
    """The configuration of the fixed answers: on ``folder/engine.sock`` and on the TCP port."""
    for name, text in (("version", VERSION), ("containers", CONTAINERS), ("created", CREATED)):
        (folder / name).write_text(text)
    headers = "hdr Api-Version 1.51 hdr Ostype linux hdr Server Docker/28.5.2"
    json = f"content-type application/json {headers}"
    return f"""
global
    maxconn 4000
    nbthread 1
defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout connect 5s
    timeout http-keep-alive 1h
frontend engine
    bind unix@{folder}/engine.sock mode 600
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain {headers} string OK if {{ path_end /_ping }}
    http-request return status 200 {json} file {folder}/version if {{ path_end /version }}
    http-request return status 201 {json} file {folder}/created if {{ method POST }}
    http-request return status 200 {json} file {folder}/containers
"""


def haproxy_relay(engine: Path, port: int) -> str:
    """The configuration of a bare HAProxy in front of an engine: the fastest peer, which looks at no body."""
    return f"""
global
    maxconn 4000
    nbthread 1
defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout connect 5s
frontend clients
    bind 127.0.0.1:{port}
    default_backend engine
backend engine
    http-reuse always
    server engine unix@{engine}
"""


GIBIBYTE = 1 << 30


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, zeros: int) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            await _answer(head, reader, writer, zeros)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _answer(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, zeros: int) -> None:
    path = head.split()[1]
    if path.endswith("/get"):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-tar\r\ncontent-length: %d\r\n\r\n" % GIBIBYTE)
        with os.fdopen(os.dup(zeros), "rb") as file:
            await asyncio.get_running_loop().sendfile(writer.transport, file, 0, GIBIBYTE)
        return
    if path.endswith("/load"):
        await _discard(head, reader)
    if "/logs" in path:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.docker.raw-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        await reader.read(1)  # until the follower leaves
        raise ConnectionError
    body = (VERSION if path.endswith("/version") else "{}").encode()
    writer.write(b"HTTP/1.1 200 OK\r\napi-version: 1.51\r\ncontent-type: application/json\r\n")
    writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()


async def _discard(head: str, reader: asyncio.StreamReader) -> None:
    if "chunked" not in head:
        left = int(head.partition("content-length:")[2].split()[0])
        while left and (data := await reader.read(min(left, 1 << 18))):
            left -= len(data)
        return
    while size := int(await reader.readline(), 16):
        while size and (data := await reader.read(min(size, 1 << 18))):
            size -= len(data)
        await reader.readline()
    await reader.readline()


async def main(path: str) -> None:
    zeros = os.memfd_create("zeros")
    os.ftruncate(zeros, GIBIBYTE)
    server = await asyncio.start_unix_server(lambda r, w: _serve(r, w, zeros), path, limit=1 << 20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
