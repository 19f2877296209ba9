"""A client of the Docker API that is quick to start: each argument is a call, ``POST /containers/create {"Image": …}``.

It honours DOCKER_HOST, and prints each answer's status and body on a line. ``{Id}`` is the one that was answered last.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import sys


class Connection(http.client.HTTPConnection):
    """To the Unix socket that DOCKER_HOST names."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def main() -> None:
    made = ""
    for call in sys.argv[1:]:
        method, target, *body = call.replace("{Id}", made).split(" ", 2)
        connection = Connection("docker")
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, target, body[0] if body else None, headers)
        reply = connection.getresponse()
        version = reply.headers.get("Api-Version", "-")
        text = " ".join(reply.read().decode().split("\r\n")).strip()
        made = found[1] if (found := re.search('"Id": ?"([^"]+)"', text)) is not None else made
        print(reply.status, version, text, flush=True)
        connection.close()


if __name__ == "__main__":
    main()
