"""sockproxy's own questions to the engine."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sockproxy.errors import EngineDown
from sockproxy.model import Missing
from sockproxy.proxy.address import Address
from sockproxy.proxy.engine import Notice
from sockproxy.proxy.host_root import HostRoot
from sockproxy.proxy.limits import Limits
from sockproxy.proxy.lookups import Lookups
from tests.proxy.fake_engine import Asked, FakeEngine

ID = "0123456789abcdef" * 4


class Asking(Lookups):
    def __init__(self, daemon: FakeEngine, **more: Any) -> None:
        self.noticed: list[Notice] = []
        chosen = {"mountinfo": Path("/nonexistent"), "hostname": lambda: "host", **more}
        super().__init__(Address(str(daemon.path)), Limits(lookup_seconds=2), notice=self.noticed.append, **chosen)


@pytest.fixture
async def lookups(daemon: FakeEngine) -> AsyncIterator[Asking]:
    made = Asking(daemon)
    yield made
    await made.close()


async def test_the_engine_s_versions_are_asked_once(daemon: FakeEngine, lookups: Asking) -> None:
    for _ in range(3):
        context = await lookups.context()
    assert (context.engine_version, context.engine_minimum, context.own_container) == ((1, 51), (1, 24), None)
    assert len(daemon.asked) == 1


async def test_and_again_once_the_engine_went_away(daemon: FakeEngine, lookups: Asking) -> None:
    await lookups.context()
    lookups.forget()
    daemon.says("/version", {"ApiVersion": "1.41", "MinAPIVersion": "1.12"})
    assert (await lookups.context()).engine_version == (1, 41)


async def test_an_old_engine_tells_no_minimum(daemon: FakeEngine, lookups: Asking) -> None:
    daemon.says("/version", {"ApiVersion": "1.24"})
    assert (await lookups.context()).engine_minimum == (1, 12)


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"{}", b'{"ApiVersion":"new"}', b'{"ApiVersion":151}', b""])
async def test_an_engine_that_tells_no_version_is_down(daemon: FakeEngine, lookups: Asking, body: bytes) -> None:
    daemon.says("/version", body)
    with pytest.raises(EngineDown):
        await lookups.context()
    assert lookups.known is None


async def test_facts_are_what_the_engine_answers(daemon: FakeEngine, lookups: Asking) -> None:
    daemon.says("/containers/web/json", {"Id": ID})
    daemon.says("/images/library/nginx:1/json", {"Id": "sha256:1"})
    facts = await lookups.facts(("/containers/web/json", "/images/library/nginx:1/json", "/volumes/none"))
    assert facts == {
        "/containers/web/json": {"Id": ID},
        "/images/library/nginx:1/json": {"Id": "sha256:1"},
        "/volumes/none": Missing(404, "no such thing: /volumes/none"),
    }


async def test_the_host_is_asked_for_its_paths_and_never_the_engine(daemon: FakeEngine, tmp_path: Path) -> None:
    daemon.says("/volumes/v", {"Name": "v"})
    (tmp_path / "x").symlink_to("/etc")
    root = HostRoot(str(tmp_path), seconds=5)
    lookups = Asking(daemon, host_root=root)
    assert (await lookups.context()).host_root
    assert await lookups.facts(("host:/x", "/volumes/v", "host:/x?a=b/json")) == {
        "host:/x": {"Path": "/etc"},
        "/volumes/v": {"Name": "v"},
        "host:/x?a=b/json": {"Path": "/x?a=b/json"},
    }
    assert [asked.target for asked in daemon.asked] == ["/version", "/volumes/v"]
    await lookups.close()
    root.close()


async def test_where_it_cannot_be_seen_nobody_says_where_a_path_leads(daemon: FakeEngine, lookups: Asking) -> None:
    assert not (await lookups.context()).host_root
    assert await lookups.facts(("host:/x",)) == {"host:/x": Missing(409, "the host's root cannot be seen")}


async def test_a_network_of_the_swarm_is_asked_for_among_the_swarm_s(daemon: FakeEngine, lookups: Asking) -> None:
    daemon.says("/networks/front", {"Name": "front"})
    assert await lookups.facts(("/networks/front?scope=swarm",)) == {"/networks/front?scope=swarm": {"Name": "front"}}
    assert daemon.targets() == ["GET /networks/front?scope=swarm"]


def told(link: str) -> str:
    return base64.b64encode(json.dumps({"name": "x", "linkTarget": link}).encode()).decode()


async def test_a_path_in_a_container_is_asked_for_by_its_header(daemon: FakeEngine, lookups: Asking) -> None:
    path = f"/containers/{ID}/archive"
    daemon.says(path, b"", 200, **{"X-Docker-Container-Path-Stat": told("/data")})
    key = f"stat:{ID}:/tmp/a b&c"
    facts = await lookups.facts((key,))
    assert facts == {key: {"name": "x", "linkTarget": "/data"}}
    (asked,) = daemon.asked
    assert (asked.method, asked.target) == ("HEAD", f"{path}?path=%2Ftmp%2Fa+b%26c")
    daemon.says(path, b"", 404)
    assert await lookups.facts((key,)) == {key: Missing(404, "no such path in the container: /tmp/a b&c")}


@pytest.mark.parametrize("header", ["", "nonsense", "W10="])
async def test_a_path_that_the_engine_tells_nothing_of_is_a_fault(
    daemon: FakeEngine, lookups: Asking, header: str
) -> None:
    daemon.says(f"/containers/{ID}/archive", b"", 200, **{"X-Docker-Container-Path-Stat": header})
    with pytest.raises(EngineDown):
        await lookups.facts((f"stat:{ID}:/tmp",))
    daemon.says(f"/containers/{ID}/archive", b"", 500, **{"X-Docker-Container-Path-Stat": told("")})
    with pytest.raises(EngineDown):
        await lookups.facts((f"stat:{ID}:/tmp",))
    await daemon.stop()
    with pytest.raises(EngineDown):
        await lookups.facts((f"stat:{ID}:/tmp",))


@pytest.mark.parametrize("name", ["a b", "ä", "x?y=z", "x#y", "a\r\nX: y", "%2e%2e", "../../version", "a/../b"])
async def test_a_name_is_asked_for_as_it_is_and_changes_nothing_else(
    daemon: FakeEngine, lookups: Asking, name: str
) -> None:
    try:
        facts = await lookups.facts((f"/containers/{name}/json",))
    except ValueError:
        return
    assert all(isinstance(fact, Missing) for fact in facts.values())
    (asked,) = daemon.asked
    assert asked.target.startswith("/containers/")
    assert asked.target.endswith("/json")
    assert [key.lower() for key, _ in asked.headers].count("x") == 0


@pytest.mark.parametrize("status", [301, 500, 204])
async def test_an_answer_that_is_neither_there_nor_missing_is_a_fault(
    daemon: FakeEngine, lookups: Asking, status: int
) -> None:
    daemon.says("/containers/web/json", {"message": "x"}, status, Location="/swarm")
    with pytest.raises(EngineDown):
        await lookups.facts(("/containers/web/json",))
    assert len(daemon.asked) == 1


async def test_an_engine_that_is_away_is_told_and_noticed(daemon: FakeEngine, lookups: Asking) -> None:
    await lookups.context()
    await daemon.stop()
    lookups.forget()
    with pytest.raises(EngineDown) as caught:
        await lookups.context()
    assert caught.value.status == 503
    assert lookups.noticed[-1] == "unreachable"
    await daemon.start()
    assert (await lookups.context()).engine_version == (1, 51)
    assert lookups.noticed[-1] == "reached"


async def test_an_engine_that_does_not_answer_is_not_waited_for(daemon: FakeEngine) -> None:
    @daemon.script("/version")
    async def silent(asked: Asked) -> None:
        await asked.reader.read()

    lookups = Lookups(Address(str(daemon.path)), Limits(lookup_seconds=0.1))
    with pytest.raises(EngineDown):
        await lookups.context()
    await lookups.close()


async def test_our_own_container_is_seen_in_our_mounts(daemon: FakeEngine, tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(
        "1 2 0:1 / / rw - overlay overlay rw\n"
        f"3 1 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"
    )
    lookups = Asking(daemon, mountinfo=mountinfo)
    assert (await lookups.context()).own_container == ID
    await lookups.close()


async def test_or_by_our_host_name_where_the_engine_knows_it(daemon: FakeEngine) -> None:
    daemon.says(f"/containers/{ID[:12]}/json", {"Id": ID})
    lookups = Asking(daemon, hostname=lambda: ID[:12])
    assert (await lookups.context()).own_container == ID
    await lookups.close()


async def test_a_host_name_that_is_no_short_id_is_not_asked_for(daemon: FakeEngine) -> None:
    daemon.says("/containers/web/json", {"Id": ID})
    lookups = Asking(daemon, hostname=lambda: "web")
    assert (await lookups.context()).own_container is None
    await lookups.close()


async def test_or_named_by_the_operator(daemon: FakeEngine) -> None:
    daemon.says("/containers/sockproxy/json", {"Id": ID})
    lookups = Asking(daemon, own_container="sockproxy")
    assert (await lookups.context()).own_container == ID
    await lookups.close()
