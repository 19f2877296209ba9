"""A command is run for real, sees a world where what it names is there, and every call of it is judged."""

from __future__ import annotations

import base64
import json
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import pytest

from sockproxy.dryrun import CommandMissing, denial, dry_run, rehearse
from sockproxy.errors import ConfigurationError
from sockproxy.model import Allow, Deny
from sockproxy.policy.load import loads
from sockproxy.rehearse import Unable
from tests.dryrun.conftest import CLIENT, NARROW, Calls, answers, refused

CREATE = 'POST /containers/create?name=ci-1 {"Image": "busybox"}'
BIND = 'POST /containers/create?name=ci-2 {"Image": "busybox", "HostConfig": {"Binds": ["/etc:/e"]}}'


def python(script: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script, *words)


# What it sees


def test_a_life_from_create_to_removal(calls: Calls) -> None:
    run = calls(
        *(CREATE, "POST /containers/ci-1/start", "GET /containers/ci-1/json", "POST /containers/ci-1/wait"),
        *("GET /containers/ci-1/json", "DELETE /containers/ci-1", "GET /containers/ci-1/json"),
    )
    (made, _), _, (_, before), (_, waited), (_, after), (removed, _), (gone, _) = answers(run)
    assert (made, removed, gone) == (201, 204, 404)
    assert (json.loads(before)["State"]["Status"], json.loads(after)["State"]["Status"]) == ("running", "exited")
    assert json.loads(waited) == {"StatusCode": 0}
    assert not run.refused
    assert (run.ended.status, run.cut) == (0, "")


def test_what_is_refused_goes_on_so_that_all_is_seen(calls: Calls) -> None:
    run = calls(CREATE, BIND, "POST /containers/ci-2/start", "POST /containers/other/stop")
    assert refused(run) == [[], ["bind: /etc"], [], ["container: other"]]
    assert [status for status, _ in answers(run)] == [201, 201, 204, 204]
    assert run.refused


def test_what_no_mode_lets_pass_is_answered_with_its_denial(calls: Calls) -> None:
    run = calls("POST /swarm/init {}", "GET /no/such", "GET /containers/../info")
    codes = [found.code for call in run.calls if (found := denial(call.verdict)) is not None]
    assert codes == ["denied_by_rule", "unknown_operation", "malformed"]
    assert [status for status, _ in answers(run)] == [403, 403, 400]


@pytest.mark.parametrize(
    "call",
    [
        "GET /containers/web/json",
        "POST /containers/web/stop",
        "GET /images/registry.example.com/any:1/json",
        "DELETE /networks/net",
        "DELETE /volumes/data",
        'POST /networks/net/connect {"Container": "web"}',
        'POST /containers/web/exec {"Cmd": ["ls"]}',
        "PUT /containers/web/archive?path=/",
    ],
)
def test_whatever_is_named_is_there(calls: Calls, call: str) -> None:
    ((status, _),) = answers(calls(call))
    assert 200 <= status < 300


LABELS = "com.docker.compose.project=shop", "com.docker.compose.service=web"


@pytest.mark.parametrize(("labels", "found"), [(LABELS, ["/shop-web-1"]), (LABELS[:1], [])], ids=["service", "project"])
def test_a_services_container_is_there_for_compose(calls: Calls, labels: tuple[str, ...], found: list[str]) -> None:
    asked = f"GET /containers/json?filters={quote(json.dumps({'label': labels}))}"
    policy = NARROW.replace("label=team=a", f"label={LABELS[1]}")
    enter = [f'POST /containers/{name[1:]}/exec {{"Cmd": ["ls"]}}' for name in found]
    run = calls(asked, *enter, policy=policy)
    (_, listed), *_ = answers(run)
    assert [name for each in json.loads(listed) for name in each["Names"]] == found
    assert [denial(call.verdict) for call in run.calls[1:]] == [None] * len(found)


@pytest.mark.parametrize("path", ["/networks/net", "/volumes/data"])
def test_who_looks_for_a_network_or_a_volume_goes_on_to_make_it(calls: Calls, path: str) -> None:
    noun, name = path.split("/")[1:]
    made = f'POST /{noun}/create {{"Name": "{name}"}}'
    run = calls(f"GET {path}", made, f"GET {path}", f"DELETE {path}", f"GET {path}")
    assert [status for status, _ in answers(run)] == [404, 201, 200, 204, 404]


def test_a_builder_is_not_there_before_it_is_made(calls: Calls) -> None:
    look, make = (
        "GET /containers/buildx_buildkit_x0/json",
        'POST /containers/create?name=buildx_buildkit_x0 {"Image": "x"}',
    )
    policy = NARROW.replace("ci-*", "buildx_*")
    assert [status for status, _ in answers(calls(look, make, look, policy=policy))] == [404, 201, 200]
    assert [status for status, _ in answers(calls("DELETE /containers/buildx_buildkit_x0?force=1", policy=policy))] == [
        204
    ]


def test_a_look_at_what_is_not_there_yet_is_no_refusal(calls: Calls) -> None:
    labelled = """\
version: 1
rules:
  - id: run
    allow: ["GET /networks/{id}", POST /networks/create, "DELETE /networks/{id}"]
    only: {network: label=team=a}
"""
    make = 'POST /networks/create {"Name": "net", "Labels": {"team": "a"}}'
    assert refused(calls("GET /v1.41/networks/net", make, "GET /networks/net", policy=labelled)) == [[], [], []]
    assert refused(calls("DELETE /networks/net", policy=labelled)) == [["network: net"]]


def test_what_is_told_is_seen_by_the_client_and_by_the_judge(calls: Calls) -> None:
    told = {
        "/containers/web/json": {"Name": "/web", "Config": {"Labels": {"team": "a"}}},
        "/volumes/data": {"Name": "data", "Driver": "rclone"},
        "/info": {"Name": "told"},
    }
    run = calls("GET /containers/json", "GET /containers/web/json", "GET /volumes/data", "GET /info", told=told)
    listed, web, data, info = (json.loads(body) for _, body in answers(run))
    assert [each["Names"] for each in listed] == [["/web"]]
    assert (web["Config"]["Labels"], web["State"]["Running"]) == ({"team": "a"}, True)
    assert (data["Driver"], info["Name"]) == ("rclone", "told")
    assert not denial(run.calls[1].verdict)
    assert refused(calls("POST /containers/web/stop")) == [["container: web"]]
    assert refused(calls("POST /containers/web/stop", told=told)) == [[]]


def test_what_is_told_beyond_inspects_makes_nothing(calls: Calls) -> None:
    told = {"/containers/web/top": {"Titles": []}, "host:/srv/x": {"Path": "/srv/y"}, "/networks/n?scope=swarm": {}}
    listed, networks = (
        json.loads(body) for _, body in answers(calls("GET /containers/json", "GET /networks", told=told))
    )
    assert (listed, {each["Name"] for each in networks}) == ([], {"bridge", "host", "none"})


def test_who_enters_what_was_made_here_asks_what_that_was_given(calls: Calls) -> None:
    run = calls(BIND, "POST /containers/ci-2/start", 'POST /containers/ci-2/exec {"Cmd": ["ls"]}')
    assert refused(run)[2] == ["bind: /etc"]


def test_who_starts_an_exec_asks_what_was_prepared(calls: Calls) -> None:
    policy = NARROW.replace("label=team=a]}", "label=team=a], exec: sh -c **}")
    for command, asked in (('["sh", "-c", "ls /"]', []), ('["ls", "/"]', ["exec: ls /"])):
        prepare = f'POST /containers/ci-1/exec {{"Cmd": {command}, "Privileged": true}}'
        run = calls(prepare, "POST /exec/{Id}/start {}", policy=policy)
        assert refused(run) == [[*asked, "privileged: exec"]] * 2


def test_facts_of_the_host_say_where_a_path_leads(calls: Calls) -> None:
    bind = 'POST /containers/create?name=ci-2 {"Image": "busybox", "HostConfig": {"Binds": ["/srv/x:/e"]}}'
    assert refused(calls(bind)) == [[]]
    assert refused(calls(bind, told={"host:/srv/x": {"Path": "/etc"}})) == [["bind: /etc"]]


def test_links_are_followed_where_the_hosts_root_is_seen(calls: Calls, tmp_path: Path) -> None:
    bind = 'POST /containers/create?name=ci-2 {"Image": "busybox", "HostConfig": {"Binds": ["/srv/x:/e"]}}'
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/x").symlink_to("/etc")
    assert refused(calls(bind, host_root=str(tmp_path))) == [["bind: /etc"]]


def test_an_image_by_its_id_goes_by_the_names_that_are_told(calls: Calls) -> None:
    held = "version: 1\nrules:\n  - {id: run, allow: [POST /containers/create], only: {image: busybox}}\n"
    create = 'POST /containers/create {"Image": "4dc916"}'
    assert refused(calls(create, policy=held)) != [[]]
    told = {"/images/4dc916/json": {"Id": f"sha256:4dc916{'0' * 58}", "RepoTags": ["busybox:1"]}}
    assert refused(calls(create, policy=held, told=told)) == [[]]


def test_what_was_built_or_tagged_here_has_its_names(calls: Calls) -> None:
    run = calls("POST /build?t=made:1", "POST /images/made:1/tag?repo=other&tag=2", "GET /images/other:2/json")
    assert json.loads(answers(run)[2][1])["RepoTags"] == ["made:1", "other:2"]


def test_a_swarm_that_is_told_of_can_be_worked_with(calls: Calls) -> None:
    services = (
        "POST /swarm/init {}",
        'POST /services/create {"Name": "web"}',
        "GET /services/web",
        "DELETE /services/web",
    )
    policy = "version: 1\nrules:\n  - {id: swarm, allow: [POST /swarm/init, ANY /services/**], only: {service: web}}\n"
    for asked in (services, services[1:]):  # who asks for a service has a swarm
        run = calls(*asked, policy=policy)
        assert [status for status, _ in answers(run)][-3:] == [201, 200, 200]
    told = {"/info": {"Swarm": {"LocalNodeState": "active", "ControlAvailable": True}}}
    assert json.loads(answers(calls("GET /info", told=told))[0][1])["Swarm"]["ControlAvailable"] is True


def test_events_end_once_nothing_happens(calls: Calls) -> None:
    ((status, body),) = answers(calls("GET /events", seconds=20))
    assert (status, body) == (200, "")


def test_nobody_is_logged_in(calls: Calls) -> None:
    ((status, body),) = answers(calls('POST /auth {"username": "u", "password": "secret"}'))
    assert status == 501
    assert "a dry run logs in nowhere" in body


def test_what_cannot_be_acted_out_says_so(calls: Calls) -> None:
    ((status, body),) = answers(calls("GET /containers/web/checkpoints"))
    assert status == 501
    assert "the dry run does not act out GET /containers/" in body


def test_buildkits_tunnel_ends_it_and_what_it_asked_beside_is_seen() -> None:
    script = (
        "import subprocess, sys, time; [subprocess.Popen([*sys.argv[1:3], c]) for c in sys.argv[3:]]; time.sleep(60)"
    )
    began = time.monotonic()
    run = dry_run(python(script, *CLIENT, "POST /grpc", "GET /info"), policy=loads(NARROW), client=None)
    assert run.cut == "tunnel"
    assert run.ended.status is None
    assert {call.operation.name for call in run.calls if call.operation} == {"Grpc", "SystemInfo"}
    assert time.monotonic() - began < 30


# The versions


def test_the_version_is_the_scenes_under_the_policys_clamp(calls: Calls) -> None:
    def spoken(policy: str, version: str) -> str:
        return calls("GET /_ping", policy=policy, version=version).ended.output.split()[1]

    assert spoken(NARROW, "1.41") == "1.41"
    assert spoken(NARROW, "1.51") == "1.51"
    assert spoken(NARROW + 'api: {max: "1.40"}\n', "1.41") == "1.40"
    ((status, body),) = answers(calls("GET /v1.44/info", version="1.41"))
    assert (status, "Maximum supported API version is 1.41" in body) == (400, True)


# A real engine that is asked


class Daemon(BaseHTTPRequestHandler):
    """An engine with one container and one image, that writes down what it was asked."""

    asked: ClassVar[list[str]]
    knows: ClassVar[dict[str, object]] = {
        "/version": {"ApiVersion": "1.45", "MinAPIVersion": "1.24"},
        "/containers/web/json": {"Id": "a" * 64, "Name": "/ci-web", "Config": {"Image": "busybox"}},
        "/images/busybox/json": {"Id": f"sha256:{'b' * 64}", "RepoTags": ["busybox:latest"]},
        "/containers/json?all=1": [{"Id": "a" * 64, "Names": ["/ci-web"]}, {"Id": "c" * 64, "Names": ["/db"]}],
        "/networks/front": {"Name": "front", "Id": "front1"},
        "/networks/front1?scope=swarm": {"Name": "front", "Id": "front1"},
        "/volumes": {"Volumes": [{"Name": "data"}, {"Name": "old"}], "Warnings": None},
    }

    fails = False
    """Whether it knows no answer to anything but its version."""

    def do_GET(self) -> None:
        if self.fails and not self.path.startswith(("/version", "/networks")):
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.asked.append(f"{self.command} {self.path}")
        told = {} if self.path.endswith("/archive?path=%2Fdata%2Fx") else self.knows.get(self.path)
        body = json.dumps({"message": "no such thing"} if told is None else told).encode()
        self.send_response(200 if told is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        if self.command == "HEAD":
            self.send_header("X-Docker-Container-Path-Stat", base64.b64encode(b'{"name": "x"}').decode())
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def daemon() -> Iterator[str]:
    Daemon.asked = []
    server = HTTPServer(("127.0.0.1", 0), Daemon)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"tcp://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_real_engine_says_what_there_is_and_is_only_read(calls: Calls, daemon: str) -> None:
    run = calls(
        *("GET /_ping", "POST /containers/web/stop", "DELETE /containers/web", "GET /containers/web/json"),
        *("POST /containers/gone/stop", CREATE, 'POST /containers/create {"Image": "absent"}'),
        "POST /images/create?fromImage=absent",
        engine=daemon,
    )
    assert [status for status, _ in answers(run)] == [200, 204, 204, 404, 404, 201, 404, 200]
    assert run.version == "1.45"
    assert refused(run)[1] == []
    assert all(asked.startswith("GET ") for asked in Daemon.asked)
    assert "GET /containers/web/json" in Daemon.asked


def test_what_a_real_engine_has_is_listed_beside_what_was_made(calls: Calls, daemon: str) -> None:
    run = calls(
        *(CREATE, "GET /containers/json?all=1", "DELETE /containers/web?force=1", "GET /containers/json?all=1"),
        *("DELETE /volumes/old", 'POST /volumes/create {"Name": "new"}', "GET /volumes", "GET /networks"),
        engine=daemon,
    )
    said = [json.loads(body or "{}") for _, body in answers(run)]
    names = [[name for each in said[at] for name in each["Names"]] for at in (1, 3)]
    assert names == [["/ci-web", "/db", "/ci-1"], ["/db", "/ci-1"]]
    assert [each["Name"] for each in said[6]["Volumes"]] == ["data", "new"]
    assert {each["Name"] for each in said[7]} >= {"bridge"}, "an engine that lists nothing leaves what is pretended"


def test_a_real_engine_says_what_a_path_in_its_container_is(calls: Calls, daemon: str) -> None:
    policy = 'version: 1\nrules: [{id: copy, allow: ["HEAD /containers/{id}/archive"], only: {archive: /data/**}}]'
    run = calls(
        "HEAD /containers/web/archive?path=/data/x",
        "HEAD /containers/web/archive?path=/no",
        policy=policy,
        engine=daemon,
    )
    assert [status for status, _ in answers(run)] == [200, 404]
    assert "HEAD /containers/" + "a" * 64 + "/archive?path=%2Fdata%2Fx" in Daemon.asked


def test_a_network_is_looked_for_in_the_real_engines_swarm(calls: Calls, daemon: str) -> None:
    run = calls("GET /networks/bridge?scope=swarm", "GET /networks/front?scope=swarm", engine=daemon)
    assert [status for status, _ in answers(run)] == [404, 200]


def test_what_is_not_there_is_refused_all_the_same_where_no_rule_allows_the_call(calls: Calls, daemon: str) -> None:
    run = calls("POST /containers/gone/stop", "POST /containers/gone/pause", "POST /plugins/gone/enable", engine=daemon)
    codes = [found.code if (found := denial(call.verdict)) is not None else "" for call in run.calls]
    assert codes == ["", "no_rule", "no_rule"]


def test_a_real_engine_that_goes_away_is_an_answer(calls: Calls, daemon: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Daemon, "fails", True)
    run = calls("GET /containers/db/json", 'POST /containers/create?name=ci-1 {"Image": "x"}', engine=daemon)
    assert [status for status, _ in answers(run)] == [502, 502]


def test_a_real_engine_that_is_away_is_a_mistake(calls: Calls) -> None:
    with pytest.raises(ConfigurationError, match="cannot ask the engine at unix:///no/such"):
        calls("GET /info", engine="unix:///no/such.sock")


# Whose it is

CLIENTS = """\
  - {id: look, allow: [GET /info]}
clients:
  - {name: jenkins, from: 10.0.0.0/8, rules: [run]}
  - {name: viewer, from: 192.168.0.0/16, rules: [look]}
"""


@pytest.mark.parametrize(("name", "passes"), [("jenkins", True), ("viewer", False)])
def test_it_is_taken_for_the_client_that_is_named(name: str, passes: bool) -> None:
    policy = loads(NARROW + CLIENTS)
    client = next(each for each in policy.clients if each.name == name)
    run = dry_run((*CLIENT, CREATE), policy=policy, client=client)
    assert [call.client for call in run.calls] == [name]
    assert run.refused is not passes


# As policies' tests run one


def test_a_rehearsal_gives_a_verdict_for_each_call() -> None:
    words = (*CLIENT, CREATE, BIND)
    allowed, denied = rehearse(words, policy=loads(NARROW))
    assert isinstance(allowed, Allow)
    assert isinstance(denied, Deny)
    assert [str(ask) for ask in denied.refused] == ["bind: /etc"]
    assert len(rehearse(shlex.join(words), policy=loads(NARROW))) == 2


def test_a_rehearsal_is_told_what_the_engine_says() -> None:
    (denied,) = rehearse((*CLIENT, "POST /containers/web/stop"), policy=loads(NARROW))
    told = {"/containers/web/json": {"Name": "/ci-9"}}
    (allowed,) = rehearse((*CLIENT, "POST /containers/web/stop"), policy=loads(NARROW), engine=told)
    assert (type(denied), type(allowed)) == (Deny, Allow)


def test_a_command_that_fails_before_it_asks_is_no_rehearsal() -> None:
    script = f"import subprocess, sys; subprocess.run([*{CLIENT!r}, 'GET /_ping']); sys.exit('no such flag')"
    with pytest.raises(Unable, match="it ended with 1 before it asked anything"):
        rehearse(python(script), policy=loads(NARROW))


def test_a_command_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(CommandMissing, match="the command `docker-of-nowhere` is not installed here; a dry run needs"):
        rehearse("docker-of-nowhere run alpine", policy=loads(NARROW))
