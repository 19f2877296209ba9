"""What testcontainers makes with its reaper on: python ryuk_py.py NAME, with DOCKER_HOST set.

Prints what a process in the reaper's container is answered by the socket that it was given: what Ryuk asks, and more.
"""

import sys

from testcontainers.core.container import DockerContainer, Reaper

name = sys.argv[1]
ASKED = (
    ("GET", "/_ping"),
    ("GET", "/containers/json?all=1"),
    ("DELETE", f"/containers/{name}?force=1&v=1"),
    ("DELETE", f"/containers/{name}-bank?force=1&v=1"),
    ("POST", f"/containers/{name}-bank/restart"),
    ("GET", "/secrets"),
)

made = DockerContainer("busybox:test").with_name(name).with_kwargs(labels={"sockproxy.test": "1"})
made.with_command("sleep 600").start()
assert Reaper._container is not None
curl = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}")
for method, target in ASKED:
    words = [*curl, "--unix-socket", "/var/run/docker.sock", "--request", method, f"http://docker{target}"]
    status, output = Reaper._container.exec(words)
    print(method, target.replace(name, "NAME"), output.decode(), status)
