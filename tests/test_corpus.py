"""Every attack of the corpus, judged under a typical CI policy: refused, for the reason that its line gives.

A line has a request, perhaps a body, headers and what the engine would answer to look-ups; then the code of the denial, or the asks
that must be among the refused ones. `own: true` says that every container asked about is sockproxy's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sockproxy.errors import Refusal
from sockproxy.judge import call, early, judge, recognise, refusal
from sockproxy.model import Allow, Context, Deny, JsonObject, Missing, Needs
from sockproxy.policy.load import Policy, load

CORPUS = Path(__file__).parent / "corpus"
OWN = "0123456789abcdef" * 4


def attacks() -> Iterator[Any]:
    for path in sorted((CORPUS / "attacks").glob("*.yaml")):
        for line in yaml.safe_load(path.read_text(encoding="utf-8")):
            yield pytest.param(line, id=f"{path.stem}: {line['name']}")


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(CORPUS / "ci.yaml")


def answer(line: dict[str, Any], path: str) -> JsonObject | Missing:
    if path in line.get("missing", ()):
        return Missing(404, "no such thing")
    name = path.split("/")[2]
    given: JsonObject = line.get("engine", {}).get(path, {})
    if line.get("own") and path.startswith("/containers/"):
        return {"Id": OWN, "Name": "/sockproxy"}
    if path.startswith("/networks/"):
        return {"Name": name, **given}
    if path.startswith("/volumes/"):
        return {"Driver": "local", **given, "Name": name}
    return {"Name": f"/{name}", **given}


def verdict(line: dict[str, Any], policy: Policy) -> Deny | Allow | object:
    method, _, target = line["request"].partition(" ")
    body = line.get("body", "").encode("utf-8", "surrogatepass") if "body" in line else None
    headers = {"Host": "docker", **({"Content-Type": "application/json"} if body else {}), **line.get("headers", {})}
    if body is not None:
        headers["Content-Length"] = str(len(body))
    context = Context(engine_version=(1, 51), own_container=OWN if line.get("own") else None)
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    try:
        request, operation, params = recognise(method.encode(), target.encode("utf-8"), raw)
        if (denied := early(request, operation, policy, context, None)) is not None:
            return denied
        the_call = call(request, operation, params, body, policy, context)
        for _ in range(6):
            result = judge(the_call, policy, context, None)
            if not isinstance(result, Needs):
                return result
            context = replace(context, facts={**context.facts, **{path: answer(line, path) for path in result.paths}})
    except Refusal as error:
        return refusal(error)
    raise AssertionError("look-ups without end")


@pytest.mark.parametrize("line", list(attacks()))
def test_every_attack_is_refused(line: dict[str, Any], policy: Policy) -> None:
    result = verdict(line, policy)
    assert isinstance(result, Deny), result
    assert result.message.isprintable()
    if "code" in line:
        assert result.code == line["code"], result.message
    if "asks" in line:
        refused = {str(ask) for ask in result.refused}
        assert refused & set(line["asks"]), (refused, result.message)
        assert result.status == 403
    if line.get("own"):
        assert any(not ask.grantable for ask in result.refused), result.message


def test_a_line_says_why_it_is_refused() -> None:
    lines = [param.values[0] for param in attacks()]
    assert len(lines) >= 200
    names = [param.id for param in attacks()]
    assert len(names) == len(set(names))
