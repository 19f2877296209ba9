"""The table of what rows can ask, held to the code of the inspectors and to every call that the tests know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

import pytest

from sockproxy.docker import inspectors
from sockproxy.docker.asks import KINDS
from sockproxy.docker.fields.containers import UPDATE
from sockproxy.docker.inspectors.asked import MAY_ASK
from sockproxy.docker.inspectors.host_config import _READERS
from sockproxy.docker.operations import BY_NAME
from sockproxy.errors import Refusal
from sockproxy.judge import call, recognise
from sockproxy.model import Ask, Context
from sockproxy.policy.load import loads
from sockproxy.rehearse import stand_in
from tests.corpus import attacks, identity, legitimate, nonsense, pure_facts, pure_names, spell
from tests.test_every_row import SAMPLES

POLICY = loads("version: 1\nrules: [{id: a, allow: GET /info}]\n")
FACTS = pure_facts()


# What is asked by the calls that the tests know ---------------------------------------------------------------------------


Sent = tuple[str, str, dict[str, str], "bytes | None"]
"""Method, target, headers and body."""


def inspected(sent: Sent) -> tuple[str, tuple[Ask, ...]] | None:
    """The row of a call and what it asks, where everything is held; None where it is none."""
    method, target, headers, body = sent
    context = Context(engine_version=(1, 51), own_container=identity("own"), host_root=True)
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    try:
        request, operation, params = recognise(method.encode(), target.encode(), fields)
        read = None if request.header("content-type") == "application/x-tar" else body
        the_call = call(request, operation, params, read, POLICY, context)
        if operation.name not in inspectors.INSPECTED:
            return None
        for _ in range(6):
            inspection = inspectors.inspect(the_call, context, frozenset(KINDS))
            if not inspection.needs:
                break
            told = {path: FACTS.get(path) or stand_in({})(path) for path in inspection.needs}
            context = replace(context, facts={**context.facts, **told})
    except Refusal:
        return None
    return operation.name, inspection.asks


def asks_of(calls: Iterable[Sent]) -> Iterator[Ask]:
    for sent in calls:
        if (found := inspected(sent)) is not None:
            yield from found[1]


def known_calls(*, only_taken: bool = False) -> Iterator[Sent]:
    """Every call of the tests that can be judged; ``only_taken``: of which an engine was seen to make something."""
    names = pure_names()
    for line in (*attacks(), *nonsense()):
        taken = line.bare is not None and 200 <= line.bare.status < 300
        if not line.edge and (taken or not only_taken):
            body = line.payload(names)
            headers = {name: spell(value, names) for name, value in line.sent_headers(body).items()}
            yield line.method, spell(line.target, names), headers, body
    for sent in legitimate():
        yield sent.method, spell(sent.target, names), dict(sent.headers), sent.body
    for name, sample in SAMPLES.items() if not only_taken else ():
        body = None if sample.body is None else json.dumps(sample.body).encode()
        headers = {"Host": "docker", **dict(sample.headers)}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        yield BY_NAME[name].method, sample.target, headers, body


def test_no_call_that_is_known_asks_more() -> None:
    seen: dict[str, set[str]] = {}
    for sent in known_calls():
        if (found := inspected(sent)) is not None:
            seen.setdefault(found[0], set()).update(ask.kind for ask in found[1])
    assert len(seen) > 90
    assert sum(map(len, seen.values())) > 150
    assert {name: kinds - MAY_ASK[name] for name, kinds in seen.items() if not kinds <= MAY_ASK[name]} == {}


# What could be asked, by the code -----------------------------------------------------------------------------------------
# Every word in a function that an inspector can reach is taken for a kind that it asks: too much, but never too little.

SHARED = {
    **dict.fromkeys(
        [
            *("ContainerInspect", "ContainerTop", "ContainerLogs", "ContainerChanges", "ContainerStats"),
            *("ContainerWait", "ContainerExport", "ContainerResize", "ContainerStop", "ContainerKill"),
            *("ContainerPause", "ContainerUnpause"),
        ],
        "one function is the inspector of these and of attach; what a container was given is for `Purpose.ENTER` alone",
    ),
    "ContainerUpdate": "it reads the fields of `UPDATE` alone: the resources and the restart policy",
}
"""Rows of which the table has less than the code could ask, and why."""


def texts(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from (each for each in constant if isinstance(each, str))
        elif isinstance(constant, CodeType):
            yield from texts(constant)


def names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names(constant)


def reach(value: Any, done: set[FunctionType], words: set[str]) -> None:
    """Every function of the inspectors that this one, or what is in a table, can come to; and the words in them."""
    if isinstance(value, dict | MappingProxyType):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for each in value:
            reach(each, done, words)
    if isinstance(value, str):
        words.add(value)
    if not isinstance(value, FunctionType) or value in done or not value.__module__.startswith(inspectors.__name__):
        return
    done.add(value)
    words.update(texts(value.__code__))
    used = [value.__globals__[name] for name in names(value.__code__) if name in value.__globals__]
    for module in [each for each in used if isinstance(each, ModuleType)]:
        used += [getattr(module, name) for name in names(value.__code__) if hasattr(module, name)]
    used += [cell.cell_contents for cell in value.__closure__ or ()]
    reach([each for each in used if not isinstance(each, str)], done, words)
    words.update(each for each in used if isinstance(each, str))


@pytest.mark.parametrize("name", sorted(inspectors.INSPECTED))
def test_the_table_has_whatever_the_code_could_ask(name: str) -> None:
    words: set[str] = set()
    reach(inspectors._INSPECTORS[name], set(), words)
    missing = words & set(KINDS) - MAY_ASK[name]
    assert bool(missing) is (name in SHARED), f"{name} could ask {sorted(missing)}"


def test_what_an_update_reads_asks_no_more_than_its_row() -> None:
    words: set[str] = set()
    reach([reader for field, reader in _READERS.items() if field in UPDATE.fields], set(), words)
    assert words & set(KINDS) <= MAY_ASK["ContainerUpdate"]
