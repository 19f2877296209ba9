"""Checkpoints: whose container, and the host's directory that they are kept in."""

from __future__ import annotations

import pytest

from sockproxy.errors import Malformed
from sockproxy.model import Missing
from tests.docker.inspecting import OWN, asks, inspected, sent

WEB = {"/containers/web/json": {"Id": "ab" * 32, "Name": "/web"}}


def test_a_checkpoint_among_the_engines_own_files_asks_for_its_container() -> None:
    assert asks("POST /containers/web/checkpoints", {"CheckpointID": "cp1", "Exit": True}, WEB) == {"container: web"}
    assert asks("GET /containers/web/checkpoints", None, WEB) == {"container: web"}
    assert asks("DELETE /containers/web/checkpoints/cp1", None, WEB) == {"container: web"}


def test_a_directory_of_the_host_is_a_bind() -> None:
    body = {"checkpointid": "cp1", "CheckpointDir": "/srv/../etc"}
    inspection = inspected("POST /containers/web/checkpoints", body, WEB)
    assert {str(ask) for ask in inspection.asks} == {"container: web", "bind: /etc"}
    assert sent(inspection) == {"CheckpointID": "cp1", "CheckpointDir": "/etc"}
    assert inspection.forward.target.endswith(f"/containers/{'ab' * 32}/checkpoints")
    listed = inspected("GET /containers/web/checkpoints?dir=/etc/", None, WEB)
    assert {str(ask) for ask in listed.asks} == {"container: web", "bind: /etc ro"}
    assert listed.forward.target.endswith(f"/containers/{'ab' * 32}/checkpoints?dir=%2Fetc")
    unknown = inspected("GET /containers/web/checkpoints?dir=/etc&new=1", None, WEB)
    assert unknown.forward.target.endswith("?dir=%2Fetc&new=1")
    removed = inspected("DELETE /containers/web/checkpoints/cp1?dir=/", None, WEB)
    assert {str(ask) for ask in removed.asks} == {"container: web", "bind: /"}
    assert removed.forward.target.endswith(f"/containers/{'ab' * 32}/checkpoints/cp1?dir=%2F")


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("POST /containers/web/checkpoints", {"CheckpointID": "../x"}),
        ("POST /containers/web/checkpoints", {"CheckpointID": ""}),
        ("POST /containers/web/checkpoints", {"CheckpointID": "cp1", "CheckpointDir": "etc"}),
        ("GET /containers/web/checkpoints?dir=etc", None),
        ("DELETE /containers/web/checkpoints/-x", None),
        ("DELETE /containers/web/checkpoints/cp1?dir=.", None),
        ("POST /containers/web/start?checkpoint=../../x", None),
        ("POST /containers/web/start?checkpoint=cp1&checkpoint-dir=etc", None),
    ],
)
def test_what_might_lead_elsewhere_is_refused(line: str, body: object) -> None:
    with pytest.raises(Malformed):
        inspected(line, body, WEB)


def test_to_start_from_one_is_asked_for() -> None:
    line = "POST /containers/web/start?checkpoint=cp1&checkpoint-dir=/srv/x/../cp"
    inspection = inspected(line, None, WEB)
    assert {str(ask) for ask in inspection.asks} == {"container: web", "query: checkpoint=cp1", "bind: /srv/cp"}
    assert inspection.forward.target.endswith("/start?checkpoint=cp1&checkpoint-dir=%2Fsrv%2Fcp")


def test_a_container_that_is_not_there_and_our_own() -> None:
    gone = Missing(404, "No such container: web")
    assert inspected("GET /containers/web/checkpoints", None, {"/containers/web/json": gone}).absent == gone
    own = {"/containers/web/json": {"Id": OWN, "Name": "/web"}}
    inspection = inspected("POST /containers/web/checkpoints", {"CheckpointID": "cp1"}, own, own=OWN)
    assert [ask.grantable for ask in inspection.asks] == [False]
