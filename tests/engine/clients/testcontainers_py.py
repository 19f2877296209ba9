"""What testcontainers makes of an engine: python testcontainers_py.py NAME, with DOCKER_HOST set; prints what it saw.

Ryuk, its reaper, is off: its image is in no registry here, and it wants a Docker socket of its own.
"""

import sys

from testcontainers.core.config import testcontainers_config

testcontainers_config.ryuk_disabled = True

from testcontainers.core.container import DockerContainer  # noqa: E402
from testcontainers.core.network import Network  # noqa: E402
from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: E402

name = sys.argv[1]
with Network(docker_network_kw={"labels": {"sockproxy.test": "1"}}) as network:
    server = (
        DockerContainer("busybox:test")
        .with_name(name)
        .with_kwargs(labels={"sockproxy.test": "1"})
        .with_command(["sh", "-c", "mkdir /www; echo served > /www/page; echo ready; httpd -f -p 80 -h /www"])
        .with_exposed_ports(80)
        .with_env("A", "1")
        .with_network(network)
        .with_network_aliases("srv")
        .waiting_for(LogMessageWaitStrategy("ready"))
    )
    with server:
        print("port", int(server.get_exposed_port(80)) > 0)
        print("logs", server.get_logs())
        print("exec", tuple(server.exec(["sh", "-c", "echo $A; wget -qO- http://srv/page; exit 2"])))
print("gone")
