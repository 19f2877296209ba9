"""The live page: what is in force, what was counted, and the last decisions, newest first.

A pure function of what it shows. It needs no script: the browser loads it again every few seconds unless told not to.
Nothing on it comes from elsewhere. Whatever a client chose, a path above all, is escaped here and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, Final, TypedDict
from urllib.parse import urlencode

from prometheus_client import CollectorRegistry

from sockproxy.audit import Recorded
from sockproxy.printable import printable
from sockproxy.redaction import redact_value

REFRESH_SECONDS: Final = 5

_HERE: Final = files(__package__)
_STYLE: Final = _HERE.joinpath("page.css").read_text(encoding="utf-8")
_PAGE: Final = Template(_HERE.joinpath("page.html").read_text(encoding="utf-8"))

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing runs and nothing is fetched, even where the escaping had a hole: the one style sheet is known by its hash."""


class Status(TypedDict):
    """What the page is told by the server."""

    version: str
    """Of sockproxy."""
    policy: str
    """The name of the policy in force."""
    policy_digest: str
    mode: str
    """``enforce``, ``observe``, or ``enforce and observe`` where clients differ."""
    engine: str
    """Where the engine is: ``unix:///var/run/docker.sock``."""
    engine_up: bool | None
    """Whether it answered when it was last asked; None where it was not asked yet."""
    engine_version: str
    """The newest API version that it speaks; empty where that is not known."""
    listening: Sequence[str]
    """Where clients connect."""
    started: float
    """When the process began to serve, in seconds since 1970."""
    decisions: Sequence[Recorded]
    """The last decisions, oldest first: ``AuditLog.recent()``."""


@dataclass(frozen=True, slots=True)
class View:
    """What the reader asked to see."""

    refused_only: bool = False
    paused: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> View:
        """From ``?show=refused&refresh=off``; anything else means the usual view."""
        return cls(refused_only=query.get("show") == "refused", paused=query.get("refresh") == "off")

    def link(self) -> str:
        """The address of this view."""
        query = {"show": "refused"} if self.refused_only else {}
        return "/?" + urlencode({**query, **({"refresh": "off"} if self.paused else {})})


Totals = Mapping[tuple[str, str], int]
"""How many decisions there were by verdict and code; the code is empty where nothing was refused."""


def totals(registry: CollectorRegistry) -> Totals:
    """The totals since the start, from the metrics."""
    found: Counter[tuple[str, str]] = Counter()
    for family in registry.restricted_registry(["sockproxy_requests_total"]).collect():
        for sample in family.samples:
            found[sample.labels["verdict"], sample.labels["code"]] += int(sample.value)
    return found


def render(status: Status, counted: Totals, view: View, now: float) -> str:
    """The page as HTML. ``now`` is in seconds since 1970."""
    decisions = [(json.loads(line), message) for line, message in reversed(status["decisions"])]
    if view.refused_only:
        decisions = [(line, message) for line, message in decisions if line["verdict"] in _REFUSED]
    return _PAGE.substitute(
        style=_STYLE,
        refresh="" if view.paused else f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">',
        version=_text(status["version"]),
        policy=_text(status["policy"]),
        digest=_text(status["policy_digest"]),
        short_digest=_text(status["policy_digest"][:12]),
        mode=_text(status["mode"]),
        mode_class="good" if status["mode"] == "enforce" else "warn",
        engine=_text(status["engine"]),
        engine_state=_engine_state(status["engine_up"]),
        engine_version=f"API {_text(status['engine_version'])}" if status["engine_version"] else "",
        listening="<br>".join(map(_text, status["listening"])),
        uptime=_duration(now - status["started"]),
        totals=_totals(counted),
        links=_links(view),
        rows="".join(_row(line, message) for line, message in decisions) or _NO_ROWS,
    )


_REFUSED: Final = frozenset({"deny", "would_deny"})
_VERDICTS: Final = {
    "allow": ("good", "allowed"),
    "deny": ("bad", "refused"),
    "absent": ("plain", "not there"),
    "would_deny": ("warn", "would refuse"),
}
_NO_ROWS: Final = '<tr><td colspan="5" class="none">Nothing yet.</td></tr>'


def _text(value: object) -> str:
    return escape(printable(str(value)))


def _engine_state(up: bool | None) -> str:  # noqa: FBT001 - three states, not a choice of behaviour
    if up is None:
        return '<b class="pill plain">not asked yet</b>'
    return '<b class="pill good">up</b>' if up else '<b class="pill bad">down</b>'


def _duration(seconds: float) -> str:
    """``3 d 4 h``, ``4 h 5 min``, ``5 min 6 s``: the two largest units."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, left = divmod(left, size)
        if amount or parts or unit == "s":
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2])


def _totals(counted: Totals) -> str:
    by_verdict: Counter[str] = Counter()
    for (verdict, _), count in counted.items():
        by_verdict[verdict] += count
    shown = [verdict for verdict in _VERDICTS if verdict in {"allow", "deny"} or by_verdict[verdict]]
    return "".join(_total(verdict, by_verdict[verdict], counted) for verdict in shown)


def _total(verdict: str, count: int, counted: Totals) -> str:
    tone, word = _VERDICTS[verdict]
    codes = sorted(((number, code) for (of, code), number in counted.items() if of == verdict and code), reverse=True)
    listed = "".join(f"<li><code>{_text(code)}</code> {number:,}</li>" for number, code in codes)
    return (
        f'<div class="total {tone}"><strong>{count:,}</strong> {word}'
        + (f"<ul>{listed}</ul>" if listed else "")
        + "</div>"
    )


def _links(view: View) -> str:
    return " · ".join(
        (
            _link("all", View(refused_only=False, paused=view.paused), view),
            _link("refused", View(refused_only=True, paused=view.paused), view),
            _link(f"refresh every {REFRESH_SECONDS} s", View(refused_only=view.refused_only, paused=False), view),
            _link("hold still", View(refused_only=view.refused_only, paused=True), view),
        )
    )


def _link(word: str, to: View, current: View) -> str:
    return f'<b aria-current="true">{word}</b>' if to == current else f'<a href="{escape(to.link())}">{word}</a>'


def _row(line: Mapping[str, Any], message: str) -> str:
    tone, word = _VERDICTS.get(line["verdict"], ("plain", line["verdict"]))
    date, _, clock = line["time"].rstrip("Z").partition("T")
    code = f"<br><code>{_text(line['code'])}</code>" if line["code"] else ""
    time = f'<time datetime="{_text(line["time"])}" title="{_text(date)} UTC">{_text(clock)}</time>'
    return (
        f'<tr class="{tone}"><td>{time}</td>'
        f"<td>{_text(line['client'])}<br><small>{_text(line['peer'])}</small></td>"
        f"<td>{_text(line['operation'])}<br><code>{_text(line['method'])} {_target(line)}</code></td>"
        f'<td><b class="pill {tone}">{_text(word)}</b>{code}</td>'
        f"<td>{_why(line, message)}</td></tr>\n"
    )


def _target(line: Mapping[str, Any]) -> str:
    pairs = (f"{name}={value if isinstance(value, str) else ','.join(value)}" for name, value in line["query"].items())
    return _text(line["path"] + ("?" if line["query"] else "") + "&".join(pairs))


def _why(line: Mapping[str, Any], message: str) -> str:
    if line["verdict"] not in _REFUSED:
        return f"rule <code>{_text(line['rule'])}</code>" if line["rule"] else ""
    asks = "".join(map(_ask, _first(line["refused"])))
    told = f"<p>{_text(redact_value(message))}</p>" if message else ""
    return (f"<ul>{asks}</ul>" if asks else "") + told


def _first(asks: Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return asks[:8]


def _ask(ask: Mapping[str, Any]) -> str:
    suffix = (" ro" if ask.get("read_only") else "") + (" shared" if ask.get("shared") else "")
    return f"<li><code>{_text(ask['kind'])}: {_text(ask['value'])}{suffix}</code> at {_text(ask['where'])}</li>"
