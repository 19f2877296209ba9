"""Where sockproxy can see the host's root: a path is asked for, and forwarded, as where it leads, by every road."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pytest

from sockproxy.docker.call import Call
from sockproxy.docker.inspectors import inspect
from sockproxy.docker.operations import identify
from sockproxy.docker.request import canonical
from sockproxy.model import Context, JsonObject
from tests.docker.inspecting import MISSING, Engine, asks, create, host, inspected, sent, shown

Links: TypeAlias = Mapping[str, "str | None"]

ID = "ab" * 32
LINKS: Links = {"/srv/ci/x": "/", "/srv/ci/x/etc": "/etc", "/srv/ci/here": "/srv/ci/a", "/srv/ci/loop": None}
CREATE = "POST /containers/create"


def volume(name: str, **options: str) -> dict[str, JsonObject]:
    told: JsonObject = {"Name": name, "Driver": "local", "Options": dict(options), "Labels": None}
    return {f"/volumes/{name}": told}


def local(device: str) -> JsonObject:
    return {"type": "none", "o": "bind", "device": device}


Road: TypeAlias = Callable[[str], tuple[str, Any, dict[str, Any]]]

SENT: dict[str, Road] = {
    "binds": lambda path: (CREATE, {"Image": "x", "HostConfig": {"Binds": [f"{path}:/h:z"]}}, {}),
    "mounts": lambda path: (
        CREATE,
        {"Image": "x", "HostConfig": {"Mounts": [{"Type": "bind", "Source": path, "Target": "/h"}]}},
        {},
    ),
    "mounts-volume": lambda path: (
        CREATE,
        {
            "Image": "x",
            "HostConfig": {
                "Mounts": [
                    {
                        "Type": "volume",
                        "Source": "v1",
                        "Target": "/h",
                        "VolumeOptions": {"NoCopy": True, "DriverConfig": {"Name": "local", "Options": local(path)}},
                    }
                ]
            },
        },
        {"/volumes/v1": MISSING},
    ),
    "volumes": lambda path: ("POST /volumes/create", {"Name": "v1", "Driver": "local", "DriverOpts": local(path)}, {}),
}
"""A path that is sent, by the road that it takes."""


def web(host_config: JsonObject, **more: Any) -> dict[str, Any]:
    return {"/containers/web/json": {"Id": ID, "Name": "/web", "Config": {}, "HostConfig": host_config, **more}}


def given_by(how: str, path: str) -> dict[str, Any]:
    """A container `web` that has a path already."""
    match how:
        case "binds":
            return web({"Binds": [f"{path}:/h"]})
        case "mounts":
            return web({"Mounts": [{"Type": "bind", "Source": path, "Target": "/h"}]})
        case "taken":
            return web({}, Mounts=[{"Type": "bind", "Source": path, "Destination": "/h", "RW": True}])
        case _:
            return {**web({"Binds": ["v1:/h"]}), **volume("v1", **local(path))}


ENTERING: dict[str, tuple[str, Any]] = {
    "attach": ("POST /containers/web/attach", None),
    "exec": ("POST /containers/web/exec", {"Cmd": ["ls"]}),
    "copy-in": ("PUT /containers/web/archive?path=/w", None),
    "namespace": (CREATE, {"Image": "x", "HostConfig": {"PidMode": "container:web"}}),
    "volumes-from": (CREATE, {"Image": "x", "HostConfig": {"VolumesFrom": ["web"]}}),
}


def binds(found: set[str]) -> set[str]:
    return {ask for ask in found if ask.startswith("bind: ")}


@pytest.mark.parametrize("road", SENT)
@pytest.mark.parametrize(
    ("path", "leads"),
    [("/srv/ci/x", "/"), ("/srv/ci/x/etc", "/etc"), ("/srv/ci/here", "/srv/ci/a"), ("/srv/ci/new", "/srv/ci/new")],
)
def test_what_is_judged_is_where_it_leads_and_that_is_forwarded(road: str, path: str, leads: str) -> None:
    request, body, engine = SENT[road](path)
    found = inspected(request, body, engine, links=LINKS)
    assert binds(shown(found.asks)) == {f"bind: {leads}"}
    assert sent(found) == sent(inspected(*SENT[road](leads)))


@pytest.mark.parametrize("road", SENT)
def test_where_the_host_is_not_seen_a_path_is_what_it_says(road: str) -> None:
    request, body, engine = SENT[road]("/srv/ci/x")
    found = inspected(request, body, engine)
    assert binds(shown(found.asks)) == {"bind: /srv/ci/x"}


@pytest.mark.parametrize("road", SENT)
def test_what_nobody_can_follow_cannot_be_granted(road: str) -> None:
    request, body, engine = SENT[road]("/srv/ci/loop")
    (ask,) = [ask for ask in inspected(request, body, engine, links=LINKS).asks if ask.kind == "bind"]
    assert (ask.value, ask.grantable) == ("/srv/ci/loop", False)
    assert ask.where.endswith(" (nobody knows)")


@pytest.mark.parametrize("road", SENT)
def test_an_ask_says_which_link_led_there(road: str) -> None:
    request, body, engine = SENT[road]("/srv/ci/x")
    (ask,) = [ask for ask in inspected(request, body, engine, links=LINKS).asks if ask.kind == "bind"]
    assert ask.where.endswith(" (/srv/ci/x leads there)")


def test_a_path_is_said_before_it_is_followed_too() -> None:
    """The denial of a row that no rule allows looks nothing up."""
    request = canonical(b"POST", b"/containers/create", [(b"Host", b"docker")])
    operation, params = identify(request.method, request.path)
    call = Call(request, operation, params, (1, 51), SENT["binds"]("/srv/ci/x")[1])
    found = inspect(call, Context(host_root=True), frozenset())
    assert found.needs == ("host:/srv/ci/x",)
    assert "bind: /srv/ci/x" in shown(found.asks)


@pytest.mark.parametrize("how", ["binds", "mounts", "taken", "volume"])
@pytest.mark.parametrize("way", ENTERING)
def test_to_enter_a_container_is_to_have_what_it_was_given_and_where_that_leads(way: str, how: str) -> None:
    request, body = ENTERING[way]
    assert binds(asks(request, body, given_by(how, "/srv/ci/x"), links=LINKS)) == {"bind: /srv/ci/x", "bind: /"}
    assert binds(asks(request, body, given_by(how, "/srv/ci/a"), links=LINKS)) == {"bind: /srv/ci/a"}
    found = inspected(request, body, given_by(how, "/srv/ci/loop"), links=LINKS).asks
    assert [ask.grantable for ask in found if ask.kind == "bind"] == [False]


@pytest.mark.parametrize("how", ["binds", "mounts", "taken", "volume"])
def test_and_so_is_copying_out_of_it(how: str) -> None:
    found = asks("GET /containers/web/archive?path=/h/x", None, given_by(how, "/srv/ci/x"), links=LINKS)
    assert binds(found) == {"bind: /srv/ci/x ro", "bind: / ro"}


@pytest.mark.parametrize("spec", ["v1:/h", "v1:/h:ro"])
def test_a_volume_that_is_there_is_where_its_device_leads(spec: str) -> None:
    read_only = " ro" if spec.endswith("ro") else ""
    assert host({"Binds": [spec]}, volume("v1", **local("/srv/ci/x")), links=LINKS) == {
        f"volume: v1{read_only}",
        f"bind: /srv/ci/x{read_only}",
        f"bind: /{read_only}",
    }


@pytest.mark.parametrize("row", ["start", "restart"])
@pytest.mark.parametrize("how", ["binds", "mounts", "taken", "volume"])
class TestWhatIsStartedAgain:
    """A folder that was judged may have been swapped for a link before the engine mounts it."""

    held = ("bind",)

    def asked(self, row: str, engine: dict[str, Any], **options: Any) -> set[str]:
        return asks(f"POST /containers/web/{row}", None, engine, **{"held": self.held, "links": LINKS, **options})

    def test_asks_for_where_it_leads_by_now(self, row: str, how: str) -> None:
        assert self.asked(row, given_by(how, "/srv/ci/x")) == {"container: web", "bind: /"}

    def test_and_for_nothing_where_that_is_where_it_says(self, row: str, how: str) -> None:
        assert self.asked(row, given_by(how, "/etc")) == {"container: web"}

    def test_what_nobody_can_follow_is_not_started(self, row: str, how: str) -> None:
        engine = given_by(how, "/srv/ci/loop")
        found = inspected(f"POST /containers/web/{row}", None, engine, held=self.held, links=LINKS).asks
        assert [ask.grantable for ask in found if ask.kind == "bind"] == [False]

    def test_whoever_may_bind_nothing_cannot_have_swapped_it(self, row: str, how: str) -> None:
        assert self.asked(row, given_by(how, "/srv/ci/x"), held=()) == {"container: web"}
        assert self.asked(row, given_by(how, "/srv/ci/x"), links=None) == {"container: web"}
        engine = Engine(given_by(how, "/srv/ci/x"))
        inspected(f"POST /containers/web/{row}", None, engine, held=self.held)
        assert engine.asked == []

    def test_it_is_the_container_that_was_looked_at(self, row: str, how: str) -> None:
        engine = given_by(how, "/etc")
        found = inspected(f"POST /containers/web/{row}", None, engine, held=self.held, links=LINKS)
        assert found.forward.target == f"/v1.51/containers/{ID}/{row}"
        gone = inspected(
            f"POST /containers/web/{row}", None, {"/containers/web/json": MISSING}, held=self.held, links=LINKS
        )
        assert gone.absent == MISSING


def test_the_folder_of_a_checkpoint_is_a_path_too() -> None:
    request = "POST /containers/web/start?checkpoint=cp&checkpoint-dir=/srv/ci/x/etc"
    found = inspected(request, None, links=LINKS, held=())
    assert binds(shown(found.asks)) == {"bind: /etc"}
    assert found.forward.target == "/v1.51/containers/web/start?checkpoint=cp&checkpoint-dir=%2Fetc"
    (ask,) = [
        ask
        for ask in inspected("POST /containers/web/start?checkpoint-dir=/srv/ci/loop", None, links=LINKS, held=()).asks
        if ask.kind == "bind"
    ]
    assert not ask.grantable


def test_a_colon_at_the_end_of_a_link_is_not_sent_in_a_bind() -> None:
    links = {"/srv/ci/x": "/srv/ci/a:/etc"}
    (ask, *_) = [ask for ask in inspected(*SENT["binds"]("/srv/ci/x")[:2], links=links).asks if not ask.grantable]
    assert (ask.kind, ask.value) == ("bind", "/srv/ci/a:/etc")
    found = inspected(*SENT["mounts"]("/srv/ci/x")[:2], links=links)
    assert sent(found)["HostConfig"]["Mounts"][0]["Source"] == "/srv/ci/a:/etc"
    assert all(ask.grantable for ask in found.asks)


def test_a_device_is_followed_as_it_is_and_a_bind_as_the_engine_cleans_it() -> None:
    """The engine cleans what it mounts by itself, and gives a volume's device to mount(2) unread."""
    links = {"/srv/ci/x/../y": "/etc/y", "/srv/ci/y": "/srv/ci/y"}
    assert binds(create({"HostConfig": {"Binds": ["/srv/ci/x/../y:/h"]}}, links=links)) == {"bind: /srv/ci/y"}
    assert binds(asks(*SENT["volumes"]("/srv/ci/x/../y")[:2], links=links)) == {"bind: /etc/y"}
    found = inspected(*SENT["volumes"]("/srv/ci/x/../y")[:2])
    assert binds(shown(found.asks)) == {"bind: /srv/ci/y"}
    assert sent(found)["DriverOpts"]["device"] == "/srv/ci/y"


def test_a_device_that_is_no_path_of_the_host_is_not_followed() -> None:
    options = {"type": "nfs", "o": "addr=10.0.0.1", "device": ":/x"}
    found = inspected("POST /volumes/create", {"Name": "v", "DriverOpts": options}, links=LINKS)
    assert sent(found)["DriverOpts"] == options
    assert not binds(shown(found.asks))


def test_a_disk_is_where_its_name_leads() -> None:
    links = {"/dev/disk/by-label/data": "/dev/sda1"}
    options = {"type": "ext4", "device": "/dev/disk/by-label/data"}
    found = inspected("POST /volumes/create", {"Name": "v", "DriverOpts": options}, links=links)
    assert shown(found.asks) == {
        "volume: v",
        "bind: /dev/sda1",
        "volume-driver: local type=ext4",
        "volume-driver: local device=/dev/sda1",
    }
    assert sent(found)["DriverOpts"]["device"] == "/dev/sda1"


def test_the_host_is_asked_once_for_each_path_and_never_the_engine() -> None:
    engine = Engine()
    inspected(CREATE, {"Image": "x", "HostConfig": {"Binds": ["/a:/1", "/a:/2", "/b:/3"]}}, engine, links=LINKS)
    assert engine.asked == []
