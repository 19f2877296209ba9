"""The admin application over a few real decisions, for the tests of its routes and of its looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette

from sockproxy.admin import Readiness, Status, app
from sockproxy.audit import AuditLog, VerdictWord, fragment
from sockproxy.errors import Code
from sockproxy.metrics import UNKNOWN, Metrics
from sockproxy.model import Ask

STARTED = 1_769_860_800.0
SCRIPT = "<script>document.title='stolen'</script>"

_BIND = Ask("bind", "/etc", "HostConfig.Binds[0]", read_only=True)
_PRIVILEGED = Ask("privileged", "container", "HostConfig.Privileged")


class House:
    """What a server would hold: the audit log, the metrics, and what it says of itself."""

    def __init__(self, *, ready: Readiness = Readiness(ready=True)) -> None:  # noqa: B008 - frozen
        self.audit = AuditLog([])
        self.metrics = Metrics()
        self.metrics.engine_up(ready.ready)
        self.metrics.policy_loaded("jenkins-agent", "9f2c" * 16)
        self.ready = ready

    def app(
        self, readiness: Callable[[], Awaitable[Readiness]] | None = None, hosts: tuple[str, ...] = ()
    ) -> Starlette:
        async def answer() -> Readiness:
            return self.ready

        return app(self.metrics.registry, readiness or answer, self.status, hosts=hosts)

    def status(self) -> Status:
        return {
            "version": "0.1.0",
            "policy": "jenkins-agent",
            "policy_digest": "9f2c" * 16,
            "mode": "enforce",
            "engine": "unix:///var/run/docker.sock",
            "engine_up": self.ready.ready,
            "engine_version": "1.51",
            "listening": ["tcp://127.0.0.1:2375", "unix:///run/sockproxy/docker.sock"],
            "started": STARTED,
            "decisions": self.audit.recent(),
        }

    def decide(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        verdict: VerdictWord = "allow",
        code: Code | None = None,
        refused: tuple[Ask, ...] = (),
        query: tuple[tuple[str, str], ...] = (),
        message: str = "",
        status: int | None = None,
    ) -> None:
        """Record and count one decision, as the gateway does."""
        part = fragment(
            client="jenkins",
            operation=operation,
            method=method,
            path=path,
            query=query,
            verdict=verdict,
            code=code,
            rule="run" if code in {None, "ask_refused"} else None,
            asks=refused,
            refused=refused,
            policy="9f2c" * 16,
            engine_version=(1, 51),
        )
        identity, peer = self.audit.new_id(), "172.20.0.4:51234"
        self.audit.write(part, id=identity, event="request", peer=peer, status=status, message=message)
        self.metrics.decided("jenkins", operation, verdict, code, [ask.kind for ask in refused], 0.00004)

    def decide_a_few(self) -> None:
        """Some of everything."""
        self.decide("SystemVersion", "GET", "/version")
        self.decide(
            "ContainerList", "GET", "/containers/json", query=(("all", "1"), ("filters", '{"label":["ci=jenkins"]}'))
        )
        self.decide("ContainerInspect", "GET", "/containers/ci-7/json", verdict="absent", status=404)
        self.decide("ContainerCreate", "POST", "/containers/create", query=(("name", "ci-7"),))
        self.decide(
            "ContainerCreate",
            "POST",
            "/containers/create",
            verdict="deny",
            code="ask_refused",
            refused=(_BIND, _PRIVILEGED),
            status=403,
            message=(
                "sockproxy: HostConfig.Binds[0] asks `bind: /etc ro`; "
                "HostConfig.Privileged asks `privileged: container`"
                ", which rule `run` does not cover; add to it: grant: {bind: /etc ro, privileged: any}"
            ),
        )
        self.decide(
            UNKNOWN,
            "GET",
            f"/containers/{SCRIPT}/json",
            verdict="deny",
            code="malformed",
            status=400,
            message=f"sockproxy: the path holds `{SCRIPT}`",
        )
        self.decide(
            "SwarmInspect",
            "GET",
            "/swarm",
            verdict="deny",
            code="no_rule",
            status=403,
            message="sockproxy: no rule of policy `jenkins-agent` allows GET /swarm",
        )
