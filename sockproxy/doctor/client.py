"""From the client's side: who answers at this address, and can a client begin?"""

from __future__ import annotations

import os
from collections.abc import Iterator

from sockproxy.doctor import engine_socket
from sockproxy.doctor.asking import Answer, ask, dig, reach
from sockproxy.doctor.finding import Finding, ok, problem, warning
from sockproxy.doctor.scene import Scene
from sockproxy.proxy.address import Address


def check(address: Address, scene: Scene) -> Iterator[Finding]:
    """Try what every client does first: connect, `/_ping`, `/version`."""
    connected = engine_socket.check(address, scene, "connect")
    yield connected
    if connected.level == "problem":
        return
    try:
        ping = ask(address, "/_ping")
        yield _answered(address, ping)
        if ping.who == "sockproxy" and ping.status == 200:
            yield _version(ask(address, "/version"))
    except OSError as error:
        yield problem(
            "ping", f"{address}: {error}", "sockproxy's own log says why; is this its --listen, not its --admin?"
        )


def _answered(address: Address, ping: Answer) -> Finding:
    if ping.who == "engine":
        return problem(
            "ping",
            f"the engine itself answers at {address}, not sockproxy: whoever can connect is root on its host",
            "DOCKER_HOST=tcp://HOST:PORT, of sockproxy's --listen; and close this one",
        )
    if ping.who == "stranger":
        what = f"{address} is answered by neither sockproxy nor an engine (status {ping.status})"
        return problem("ping", what, "DOCKER_HOST=tcp://HOST:PORT, of sockproxy's --listen")
    if ping.status == 200:
        return ok("ping", f"sockproxy answers, with API {ping.api}")
    return _refused(address, ping)


def _refused(address: Address, ping: Answer) -> Finding:
    match dig(ping.told, "code"):
        case "unknown_client":
            ours = reach(address)
            who = f"from: {ours}" if ours else f"unix-user: {os.geteuid()}"
            fix = f"in sockproxy's policy: clients: [{{name: NAME, {who}, rules: all}}]"
            return problem("ping", f"sockproxy knows no such client: {ping.message}", fix)
        case "denied_by_rule":
            return problem("ping", ping.message, "take /_ping out of that rule's `deny`")
        case "engine_down":
            return problem("ping", ping.message, "sockproxy doctor, where sockproxy runs, says why")
        case _:
            return problem("ping", ping.message, "sockproxy's audit log has the line of this call")


def _version(answer: Answer) -> Finding:
    if answer.status != 200:
        return warning("version", answer.message, "take /version out of that rule's `deny`")
    newest, oldest = answer.told.get("ApiVersion"), answer.told.get("MinAPIVersion")
    return ok("version", f"a client can speak API {oldest} to {newest}, to Docker {answer.told.get('Version')}")
