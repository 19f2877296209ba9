"""The metrics: names and labels as documented, closed sets, and no series that a client can make."""

from __future__ import annotations

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import sockproxy.metrics
from sockproxy import __version__
from sockproxy.metrics import DECISION_BUCKETS, REQUEST_BUCKETS, UNKNOWN, Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def series(metrics: Metrics, name: str) -> list[dict[str, str]]:
    return [
        sample.labels
        for family in metrics.registry.restricted_registry([name]).collect()
        for sample in family.samples
        if sample.name == name
    ]


def test_the_file_s_opening_names_every_metric_and_label() -> None:
    documented = {
        name: set(filter(None, labels.split(",")))
        for name, labels in re.findall(
            r"^    (sockproxy_\w+)(?:\{([\w,]+)\})? ", sockproxy.metrics.__doc__ or "", re.MULTILINE
        )
    }
    metrics = Metrics()
    drive(metrics)
    found: dict[str, set[str]] = {}
    for family in metrics.registry.collect():
        if family.name.startswith("sockproxy_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    assert found == documented


def drive(metrics: Metrics) -> None:
    """A little of everything, as a server would tell it."""
    metrics.engine_up(True)
    metrics.policy_loaded("ci", "9f2c")
    metrics.policy_reload("ok")
    metrics.decided("jenkins", "ContainerList", "allow", None, (), 0.00004)
    metrics.audit_written("stdout")
    metrics.audit_written("file")
    metrics.finished("ContainerList", 0.002, 0, 1234)
    metrics.decided("jenkins", "ContainerCreate", "deny", "ask_refused", ("bind", "bind", "privileged"), 0.0001)
    metrics.decided("jenkins", "ContainerInspect", "absent", None, (), 0.003)
    metrics.decided("jenkins", UNKNOWN, "deny", "malformed", (), 0.00001)
    metrics.decided("jenkins", "ContainerLogs", "allow", None, (), 0.00004)
    metrics.stream_opened("ContainerLogs")


def test_a_decision_is_counted_once_and_each_refused_ask_by_kind(metrics: Metrics) -> None:
    drive(metrics)
    denied = {"client": "jenkins", "operation": "ContainerCreate"}
    assert value(metrics, "sockproxy_requests_total", **denied, verdict="deny", code="ask_refused") == 1
    assert (
        value(
            metrics, "sockproxy_requests_total", client="jenkins", operation="ContainerList", verdict="allow", code=""
        )
        == 1
    )
    assert value(metrics, "sockproxy_refused_asks_total", **denied, kind="bind") == 2
    assert value(metrics, "sockproxy_refused_asks_total", **denied, kind="privileged") == 1
    assert value(metrics, "sockproxy_decision_seconds_count") == 5


def test_counting_goes_on_from_where_it_was(metrics: Metrics) -> None:
    drive(metrics)
    drive(metrics)
    assert (
        value(
            metrics, "sockproxy_requests_total", client="jenkins", operation="ContainerList", verdict="allow", code=""
        )
        == 2
    )
    assert value(metrics, "sockproxy_audit_records_total", sink="file") == 2
    assert value(metrics, "sockproxy_request_seconds_count", operation="ContainerList") == 2
    assert value(metrics, "sockproxy_bytes_total", direction="out") == 2468
    assert value(metrics, "sockproxy_bytes_total", direction="in") == 0


def test_a_stream_is_open_until_it_is_closed(metrics: Metrics) -> None:
    for _ in range(3):
        metrics.stream_opened("ContainerLogs")
    metrics.stream_closed("ContainerLogs")
    assert value(metrics, "sockproxy_open_streams", operation="ContainerLogs") == 2


def test_one_policy_is_in_force(metrics: Metrics) -> None:
    metrics.policy_loaded("a", "1")
    metrics.policy_loaded("b", "2")
    assert series(metrics, "sockproxy_policy_info") == [{"name": "b", "digest": "2"}]
    assert value(metrics, "sockproxy_policy_info", name="b", digest="2") == 1


def test_the_engine_is_up_or_down(metrics: Metrics) -> None:
    assert value(metrics, "sockproxy_engine_up") == 0
    metrics.engine_up(True)
    assert value(metrics, "sockproxy_engine_up") == 1
    metrics.engine_up(False)
    assert value(metrics, "sockproxy_engine_up") == 0


def test_what_is_rare_is_there_before_it_happens(metrics: Metrics) -> None:
    assert value(metrics, "sockproxy_policy_reloads_total", result="failed") == 0
    assert value(metrics, "sockproxy_open_streams", operation="SystemEvents") == 0
    assert value(metrics, "sockproxy_build_info", version=__version__) == 1


def test_a_word_outside_the_closed_sets_makes_no_series(metrics: Metrics) -> None:
    for number in range(100):
        odd = f"/containers/{number}/json"
        metrics.decided("anyone", odd, "deny", "unknown_operation", (odd,), 0.1)
        metrics.finished(odd, 0.1, 0, 0)
        metrics.stream_opened(odd)
        metrics.stream_closed(odd)
    assert len(series(metrics, "sockproxy_requests_total")) == 1
    assert series(metrics, "sockproxy_refused_asks_total") == [
        {"client": "anyone", "operation": UNKNOWN, "kind": UNKNOWN}
    ]
    assert series(metrics, "sockproxy_request_seconds_count") == [{"operation": UNKNOWN}]
    assert value(metrics, "sockproxy_open_streams", operation=UNKNOWN) == 0
    assert (
        value(
            metrics,
            "sockproxy_requests_total",
            client="anyone",
            operation=UNKNOWN,
            verdict="deny",
            code="unknown_operation",
        )
        == 100
    )


def test_buckets_reach_from_microseconds_to_an_hour() -> None:
    assert DECISION_BUCKETS[0] == 0.00001
    assert REQUEST_BUCKETS[-1] == 3600
    assert 60 in REQUEST_BUCKETS
    assert list(DECISION_BUCKETS) == sorted(DECISION_BUCKETS)
    assert list(REQUEST_BUCKETS) == sorted(REQUEST_BUCKETS)


def test_two_servers_in_one_process_count_apart() -> None:
    one, other = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    drive(one)
    assert value(other, "sockproxy_decision_seconds_count") == 0


def test_the_process_s_own_figures_are_there_and_no_creation_times(metrics: Metrics) -> None:
    drive(metrics)
    text = generate_latest(metrics.registry).decode()
    assert "process_resident_memory_bytes " in text
    assert "_created" not in text
