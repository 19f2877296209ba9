"""What `sockproxy test` found as JUnit XML, in the form that Jenkins and GitLab read.

testsuites ─► testsuite (a policy or a file of tests) ─► testcase ─► failure, skipped, or error: it does not load
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET  # only written, never parsed

from sockproxy.rehearse import Outcome

# What XML 1.0 has no way to write, not even as a reference (production 2, `Char`).
_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Ran:
    """One test that was run, or skipped."""

    outcome: Outcome
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one policy or one file of tests."""

    name: str
    ran: tuple[Ran, ...] = ()
    broken: str = ""
    """Every mistake, a line each, where it could not be loaded."""


def document(reports: Sequence[Report]) -> bytes:
    """The whole file, well-formed whatever stands in a policy."""
    root = ET.Element("testsuites", {"name": "sockproxy", **_counts(reports)})
    for report in reports:
        suite = ET.SubElement(root, "testsuite", {"name": _text(report.name), **_counts([report])})
        if report.broken:
            case = ET.SubElement(suite, "testcase", classname=_text(report.name), name="loads", time="0.000")
            _element(case, "error", report.broken.partition("\n")[0], report.broken)
        for ran in report.ran:
            _case(suite, report.name, ran)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(reports: Iterable[Report]) -> dict[str, str]:
    reports = list(reports)
    ran = [each for report in reports for each in report.ran]
    errors = sum(bool(report.broken) for report in reports)
    return {
        "tests": str(len(ran) + errors),
        "failures": str(sum(bool(each.outcome.problem) for each in ran)),
        "errors": str(errors),
        "skipped": str(sum(bool(each.outcome.skipped) for each in ran)),
        "time": f"{sum(each.seconds for each in ran):.3f}",
    }


def _case(suite: ET.Element, name: str, ran: Ran) -> None:
    test = ran.outcome.test
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_text(name),
        name=_text(test.name),
        file=_text(test.place.file),
        line=str(test.place.line),
        time=f"{ran.seconds:.3f}",
    )
    if ran.outcome.problem:
        _element(case, "failure", ran.outcome.problem, f"{test.place}\n{test.asked}\n{ran.outcome.problem}")
    elif ran.outcome.skipped:
        _element(case, "skipped", ran.outcome.skipped, "")


def _element(case: ET.Element, tag: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, message=_text(message)).text = _text(text) or None


def _text(text: str) -> str:
    """Text with what XML cannot hold written as an escape: a control character, half a surrogate pair."""
    return _UNWRITABLE.sub(lambda match: ascii(match[0])[1:-1], text)
