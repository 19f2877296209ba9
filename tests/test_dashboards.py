"""Every query of the alert rules and of the dashboard asks for what is there: metrics, labels and values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prometheus_client.samples import Sample

from sockproxy.docker.asks import KINDS
from sockproxy.errors import Code
from sockproxy.metrics import Metrics
from tests.test_metrics import drive

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
ALERTS: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "sockproxy.json").read_text(encoding="utf-8"))

PROMETHEUS_LABELS = {"instance", "job"}
"""What a scrape adds to every series."""

FUNCTIONS = {
    *("absent", "count", "histogram_quantile", "increase", "label_values", "min", "rate", "sort_desc", "sum"),
    *("by", "on", "unless"),
}
"""The functions and key words of PromQL that the queries use."""

_SELECTOR = re.compile(r"\b([a-z_]\w*)\s*(\{[^}]*\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_BY = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Selector:
    metric: str
    matchers: tuple[tuple[str, str, str], ...]

    def takes(self, sample: Sample) -> bool:
        return sample.name == self.metric and all(
            _matches(operator, wanted, sample.labels.get(label, ""))
            for label, operator, wanted in self.matchers
            if label not in PROMETHEUS_LABELS
        )


def _matches(operator: str, wanted: str, found: str) -> bool:
    equal = re.fullmatch(wanted, found) is not None if "~" in operator else wanted == found
    return equal is not operator.startswith("!")


def selectors(query: str) -> list[Selector]:
    bare = re.sub(r"\[[^\]]*\]", "", _BY.sub(" ", query))
    return [
        Selector(name, tuple(_MATCHER.findall(braces)))
        for name, braces in _SELECTOR.findall(bare)
        if name.startswith(("sockproxy_", "process_"))
    ]


def words(query: str) -> set[str]:
    return set(re.findall(r"[a-z_]\w*", re.sub(r'"[^"]*"|\[[^\]]*\]|\{[^}]*\}', "", query)))


def grouped_by(query: str) -> set[str]:
    return {label.strip() for listed in _BY.findall(query) for label in listed.split(",")}


def dashboard_queries() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def other_queries() -> Iterator[tuple[str, str]]:
    for rule in (rule for group in ALERTS["groups"] for rule in group["rules"]):
        yield rule["alert"], rule["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]


QUERIES = [*dashboard_queries(), *other_queries()]


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    metrics = Metrics()
    drive(metrics)
    return [sample for family in metrics.registry.collect() for sample in family.samples]


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_a_query_names_what_exists(title: str, query: str, samples: list[Sample]) -> None:
    labels: dict[str, set[str]] = {}
    for sample in samples:
        labels.setdefault(sample.name, set(PROMETHEUS_LABELS)).update(sample.labels)
    found = selectors(query)
    assert found, f"{title} asks for nothing of sockproxy's"
    assert not [one for one in found if one.metric not in labels]
    for one in found:
        assert {label for label, _, _ in one.matchers} <= labels[one.metric], title
    assert grouped_by(query) <= set.union(*(labels[one.metric] for one in found)), title
    assert words(query) <= FUNCTIONS | PROMETHEUS_LABELS | {one.metric for one in found} | grouped_by(query), title


@pytest.mark.parametrize(("title", "query"), list(dashboard_queries()))
def test_each_selector_of_the_dashboard_returns_data_after_a_little_traffic(
    title: str, query: str, samples: list[Sample]
) -> None:
    for selector in selectors(query):
        assert any(map(selector.takes, samples)), f"{title}: {selector}"


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_a_query_is_balanced(title: str, query: str) -> None:
    bare = re.sub(r'"[^"]*"', "", query)
    assert all(bare.count(left) == bare.count(right) for left, right in ("()", "[]", "{}"))


def test_values_in_queries_are_words_of_the_closed_sets() -> None:
    known = {
        "code": {"", *get_args(Code)},
        "kind": set(KINDS),
        "verdict": {"allow", "deny", "absent", "would_deny"},
        "result": {"ok", "failed"},
    }
    for _, query in QUERIES:
        for one in selectors(query):
            for label, _, wanted in one.matchers:
                if label in known:
                    assert set(wanted.split("|")) <= known[label], query


def test_every_metric_of_sockproxy_s_is_on_the_dashboard(samples: list[Sample]) -> None:
    shown = {one.metric.removesuffix("_bucket") for _, query in dashboard_queries() for one in selectors(query)}
    there = {
        re.sub("_(bucket|count|sum)$", "", sample.name) for sample in samples if sample.name.startswith("sockproxy_")
    }
    assert there <= shown


def test_the_dashboard_s_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_alert_says_how_bad_it_is_and_what_it_means() -> None:
    for rule in (rule for group in ALERTS["groups"] for rule in group["rules"]):
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
