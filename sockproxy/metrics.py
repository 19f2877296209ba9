"""What Prometheus sees. The metrics, their labels and their buckets are all in this file.

    sockproxy_requests_total{client,operation,verdict,code}   every decision; `code` is empty where nothing was refused
    sockproxy_refused_asks_total{client,operation,kind}       what denials were for
    sockproxy_decision_seconds                                from the request's head to the verdict, look-ups included
    sockproxy_request_seconds{operation}                      a forwarded call, from its head to its end
    sockproxy_bytes_total{direction}                          bodies and streams: `in` from clients, `out` to them
    sockproxy_open_streams{operation}                         calls that stay open now: logs -f, events, attach, build
    sockproxy_engine_up                                       1 if the engine answered when it was last asked
    sockproxy_policy_info{name,digest}                        1 for the policy in force
    sockproxy_policy_reloads_total{result}                    `ok`, `failed`
    sockproxy_mode{mode}                                      1 where somebody is judged so: `enforce`, `observe`
    sockproxy_audit_records_total{sink}                       lines written: `stdout`, `file`
    sockproxy_build_info{version}                             1

Labels are closed sets: operations of the table or `(unknown)`, codes, kinds, clients of the policy. Never an id, a path
or an image: a client must not be able to make series.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from sockproxy import __version__
from sockproxy.audit import SinkKind, VerdictWord
from sockproxy.docker.asks import KINDS
from sockproxy.docker.operations import BY_NAME
from sockproxy.errors import Code
from sockproxy.policy.rules import MODES, Mode

ReloadResult: TypeAlias = Literal["ok", "failed"]

UNKNOWN: Final = "(unknown)"
"""The operation of a request that matched no row of the table."""

DECISION_BUCKETS: Final = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0,
)  # fmt: skip
"""Seconds. Judging alone takes some ten microseconds, a look-up at the engine some milliseconds."""

REQUEST_BUCKETS: Final = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    3600.0,
)
"""Seconds. From a list of containers to a build, and a stream that was followed for an hour."""

# The time at which a series began: one more series for each, which nothing here reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

Increment: TypeAlias = Callable[[], None]
Observe: TypeAlias = Callable[[float], None]


class Metrics:
    """Counts. Each call costs a microsecond or two, since the series it moves is looked up by its labels only once."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register every metric, and the process's own, in ``registry`` (a new one where None is given)."""
        self.registry: Final = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        own = self.registry
        self._requests = Counter(
            "sockproxy_requests", "Requests by verdict.", ("client", "operation", "verdict", "code"), registry=own
        )
        self._refused = Counter(
            "sockproxy_refused_asks", "Refused asks by kind.", ("client", "operation", "kind"), registry=own
        )
        self._decision = Histogram(
            "sockproxy_decision_seconds",
            "Seconds from a request's head to its verdict.",
            buckets=DECISION_BUCKETS,
            registry=own,
        )
        self._request = Histogram(
            "sockproxy_request_seconds",
            "Seconds of a forwarded call.",
            ("operation",),
            buckets=REQUEST_BUCKETS,
            registry=own,
        )
        self._bytes = Counter("sockproxy_bytes", "Bytes of bodies and streams.", ("direction",), registry=own)
        self._streams = Gauge("sockproxy_open_streams", "Calls that stay open.", ("operation",), registry=own)
        self._engine = Gauge("sockproxy_engine_up", "1 if the engine answered when it was last asked.", registry=own)
        self._policy = Gauge("sockproxy_policy_info", "The policy in force.", ("name", "digest"), registry=own)
        self._mode = Gauge(
            "sockproxy_mode", "1 where some client is judged in this mode, 0 where none is.", ("mode",), registry=own
        )
        self._reloads = Counter("sockproxy_policy_reloads", "Reloads of the policy.", ("result",), registry=own)
        self._audit = Counter("sockproxy_audit_records", "Audit lines written.", ("sink",), registry=own)
        build = Gauge("sockproxy_build_info", "The version that runs.", ("version",), registry=own)
        build.labels(__version__).set(1)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """A series that begins with its first event hides that event from `rate` and `increase`."""
        self._in = self._bytes.labels("in")
        self._out = self._bytes.labels("out")
        for result in ("ok", "failed"):
            self._reloads.labels(result)
        for operation in BY_NAME.values():
            if operation.long_lived or operation.hijack:
                self._streams.labels(operation.name)
        self._counted: dict[tuple[str, str, str, str | None], Increment] = {}
        self._refusing: dict[tuple[str, str, str], Increment] = {}
        self._timed: dict[str, Observe] = {}
        self._written: dict[str, Increment] = {}

    def decided(
        self,
        client: str,
        operation: str,
        verdict: VerdictWord,
        code: Code | None,
        refused_kinds: Iterable[str],
        seconds: float,
    ) -> None:
        """Count a decision. ``seconds`` is what it took, ``refused_kinds`` one word for each refused ask."""
        key = (client, operation, verdict, code)
        counted = self._counted.get(key) or self._new_counted(key)
        counted()
        for kind in refused_kinds:
            refusing = self._refusing.get((client, operation, kind)) or self._new_refusing((client, operation, kind))
            refusing()
        self._decision.observe(seconds)

    def finished(self, operation: str, seconds: float, bytes_in: int, bytes_out: int) -> None:
        """Count the end of a forwarded call."""
        timed = self._timed.get(operation) or self._new_timed(operation)
        timed(seconds)
        if bytes_in:
            self._in.inc(bytes_in)
        if bytes_out:
            self._out.inc(bytes_out)

    def stream_opened(self, operation: str) -> None:
        """Count a call that stays open."""
        self._streams.labels(_row(operation)).inc()

    def stream_closed(self, operation: str) -> None:
        """The end of one that ``stream_opened`` was told of."""
        self._streams.labels(_row(operation)).dec()

    def engine_up(self, up: bool) -> None:  # noqa: FBT001 - a state, not a choice of behaviour
        """Whether the engine answered when it was last asked or used."""
        self._engine.set(1 if up else 0)

    def policy_loaded(self, name: str, digest: str, modes: Collection[Mode] = MODES[:1]) -> None:
        """Show this policy as the one in force, and no other, and the modes that somebody is judged in."""
        self._policy.clear()
        self._policy.labels(name, digest).set(1)
        for mode in MODES:
            self._mode.labels(mode).set(1 if mode in modes else 0)

    def policy_reload(self, result: ReloadResult) -> None:
        """Count a reload: ``ok`` or ``failed``, in which case the old policy stays."""
        self._reloads.labels(result).inc()

    def audit_written(self, sink: SinkKind) -> None:
        """Count an audit line that a sink took."""
        written = self._written.get(sink)
        if written is None:
            written = self._written[sink] = self._audit.labels(sink).inc
        written()

    def _new_counted(self, key: tuple[str, str, str, str | None]) -> Increment:
        client, operation, verdict, code = key
        counted: Increment = self._requests.labels(client, _row(operation), verdict, code or "").inc
        if operation in _ROWS:
            self._counted[key] = counted
        return counted

    def _new_refusing(self, key: tuple[str, str, str]) -> Increment:
        client, operation, kind = key
        refusing: Increment = self._refused.labels(client, _row(operation), kind if kind in KINDS else UNKNOWN).inc
        if operation in _ROWS and kind in KINDS:
            self._refusing[key] = refusing
        return refusing

    def _new_timed(self, operation: str) -> Observe:
        timed: Observe = self._request.labels(_row(operation)).observe
        if operation in _ROWS:
            self._timed[operation] = timed
        return timed


_ROWS: Final = frozenset({*BY_NAME, UNKNOWN})


def _row(operation: str) -> str:
    """The label of an operation. INVARIANT: what is no row of the table makes no series of its own."""
    return operation if operation in _ROWS else UNKNOWN
