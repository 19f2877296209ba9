"""Host paths and volumes, by every road."""

from __future__ import annotations

from typing import Any

import pytest

from sockproxy.docker.inspectors.mounts import Use, parse_bind
from sockproxy.errors import Malformed
from sockproxy.model import JsonObject
from tests.docker.inspecting import MISSING, Engine, create, host, inspected


def volume(name: str, options: dict[str, str] | None = None, **more: Any) -> dict[str, JsonObject]:
    return {
        f"/volumes/{name}": {"Name": name, "Driver": "local", "Options": dict(options or {}), "Labels": None, **more}
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("/etc:/h", {"bind: /etc"}),
        ("/etc:/h:ro", {"bind: /etc ro"}),
        ("/etc:/h:rw,z", {"bind: /etc"}),
        ("/etc:/h:ro,Z,rslave", {"bind: /etc ro"}),
        ("/a:/h:shared", {"bind: /a shared"}),
        ("/a:/h:ro,rshared", {"bind: /a ro shared"}),
        ("/:/h", {"bind: /"}),
        ("//etc:/h", {"bind: /etc"}),
        ("/srv/ci/../../etc:/h", {"bind: /etc"}),
        ("/./srv//x/:/h", {"bind: /srv/x"}),
        ("/h", {"volume: (anonymous)"}),
        ("v1:/h", {"volume: v1"}),
        ("v1:/h:ro", {"volume: v1 ro"}),
        ("v1:/h:nocopy", {"volume: v1"}),
        ("shop_data.x-1:/h", {"volume: shop_data.x-1"}),
    ],
)
def test_binds(spec: str, expected: set[str]) -> None:
    assert host({"Binds": [spec]}) == expected


@pytest.mark.parametrize(
    "spec",
    [
        *("/a:/b:ro:x", "/a:b", "/a:ro", ":/h", "/a:/h:", "/a:/h:RO", "/a:/h:ro,rw", "/a:/h:exec", "/a:/h: ro"),
        *("./etc:/h", "../etc:/h", "~/x:/h", "\\etc:/h", " /etc:/h", "etc/x:/h", "-v:/h", ".:/h", "v\n:/h", "a b:/h"),
    ],
)
def test_a_bind_that_is_not_what_it_looks_like_is_refused(spec: str) -> None:
    with pytest.raises(Malformed):
        host({"Binds": [spec]})


def test_a_bind_is_parsed() -> None:
    assert parse_bind("/srv:/w:ro", "") == parse_bind("//srv/.:/w:ro", "")
    assert parse_bind("v:/w", "").use == Use(read_only=False)


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ({"Type": "bind", "Source": "/etc"}, {"bind: /etc"}),
        ({"Type": "bind", "Source": "/etc", "ReadOnly": True}, {"bind: /etc ro"}),
        ({"Type": "bind", "Source": "/a/../etc"}, {"bind: /etc"}),
        ({"Type": "bind", "Source": "/a", "BindOptions": {"Propagation": "rshared"}}, {"bind: /a shared"}),
        (
            {"Type": "bind", "Source": "/a", "BindOptions": {"Propagation": "rprivate", "CreateMountpoint": True}},
            {"bind: /a"},
        ),
        (
            {"Type": "bind", "Source": "/a", "ReadOnly": True, "BindOptions": {"ReadOnlyNonRecursive": True}},
            {"bind: /a ro nonrecursive"},
        ),
        (
            {"Type": "bind", "Source": "/a", "BindOptions": {"Propagation": "leaky"}},
            {"bind: /a", "field: HostConfig.Mounts.BindOptions.Propagation=leaky"},
        ),
        ({"Type": "volume", "Source": "v1"}, {"volume: v1"}),
        ({"Type": "volume", "Source": "v1", "ReadOnly": True}, {"volume: v1 ro"}),
        ({"Type": "volume"}, {"volume: (anonymous)"}),
        ({"Type": "volume", "Source": "v1", "VolumeOptions": {"NoCopy": True, "Subpath": "a"}}, {"volume: v1"}),
        (
            {"Type": "volume", "Source": "v1", "VolumeOptions": {"DriverConfig": {"Name": "rclone"}}},
            {"volume: v1", "volume-driver: rclone"},
        ),
        (
            {
                "Type": "volume",
                "VolumeOptions": {"DriverConfig": {"Options": {"type": "none", "o": "bind", "device": "/etc"}}},
            },
            {"volume: (anonymous)", "bind: /etc"},
        ),
        (
            {"Type": "tmpfs", "VolumeOptions": {"DriverConfig": {"Options": {"o": "bind", "device": "/etc"}}}},
            {"bind: /etc"},
        ),
        ({"Type": "tmpfs", "TmpfsOptions": {"SizeBytes": 1, "Mode": 1023, "Options": [["noexec"], ["exec"]]}}, set()),
        (
            {"Type": "tmpfs", "TmpfsOptions": {"Options": [["uid", "0"]]}},
            {"field: HostConfig.Mounts.TmpfsOptions.Options=uid=0"},
        ),
        (
            {"Type": "image", "Source": "alpine", "ImageOptions": {"Subpath": "a"}},
            {"image: docker.io/library/alpine:latest"},
        ),
        ({"Type": "npipe", "Source": "x"}, {"field: HostConfig.Mounts.Type=npipe"}),
        ({"Type": "Bind", "Source": "/etc"}, {"field: HostConfig.Mounts.Type=Bind"}),
        ({"Source": "/etc"}, {"field: HostConfig.Mounts.Type="}),
        ({"Type": "bind", "Source": "/a", "Colour": "red"}, {"bind: /a", "field: HostConfig.Mounts.Colour"}),
    ],
)
def test_mounts(mount: JsonObject, expected: set[str]) -> None:
    assert host({"Mounts": [{"Target": "/h", **mount}]}) == expected


def test_a_type_that_is_not_known_cannot_be_granted() -> None:
    mounts = [{"Type": "cluster", "Source": "x", "Target": "/h"}]
    found = inspected("POST /containers/create", {"Image": "x", "HostConfig": {"Mounts": mounts}}).asks
    assert [ask.grantable for ask in found if ask.kind == "field"] == [False]


@pytest.mark.parametrize("source", ["etc", "\\x/../../etc", "", "./etc", "~"])
def test_a_bind_mount_needs_an_absolute_source(source: str) -> None:
    with pytest.raises(Malformed, match=r"HostConfig.Mounts\[0\].Source"):
        host({"Mounts": [{"Type": "bind", "Source": source, "Target": "/h"}]})


@pytest.mark.parametrize("name", ["../etc", "/etc", "a b", "-a", "a/b", "é"])
def test_a_volume_needs_a_name_that_a_volume_can_have(name: str) -> None:
    with pytest.raises(Malformed):
        host({"Mounts": [{"Type": "volume", "Source": name, "Target": "/h"}]})


def test_anonymous_volumes_of_the_image_are_volumes() -> None:
    assert create({"Volumes": {"/data": {}}}) == {"volume: (anonymous)"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, set()),
        ({"type": "none", "o": "bind", "device": "/etc"}, {"bind: /etc"}),
        ({"type": "", "o": "rbind,rw,nosuid", "device": "//etc/."}, {"bind: /etc"}),
        ({"o": "bind,ro", "device": "/etc"}, {"bind: /etc ro"}),
        ({"o": "rbind,ro", "device": "/etc"}, {"bind: /etc ro nonrecursive"}),
        ({"o": "bind,ro,rw", "device": "/etc"}, {"bind: /etc"}),
        ({"o": "bind,rshared", "device": "/a"}, {"bind: /a shared"}),
        (
            {"o": " BIND ", "device": "/etc"},
            {"bind: /etc", "volume-driver: local o= BIND ", "volume-driver: local device=/etc"},
        ),
        ({"type": "ext4", "o": "bind", "device": "/"}, {"bind: /", "volume-driver: local type=ext4"}),
        ({"o": "bind,remount", "device": "/a"}, {"bind: /a", "volume-driver: local o=bind,remount"}),
        ({"o": "bind", "device": "/a", "size": "1g"}, {"bind: /a", "volume-driver: local size=1g"}),
        ({"o": "bind", "device": "a"}, {"bind: a"}),
        ({"o": "bind"}, {"bind: "}),
        (
            {"type": "ext4", "device": "/dev/sda1"},
            {"bind: /dev/sda1", "volume-driver: local type=ext4", "volume-driver: local device=/dev/sda1"},
        ),
        (
            {"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/x"},
            {
                "volume-driver: local type=nfs",
                "volume-driver: local o=addr=10.0.0.1,rw",
                "volume-driver: local device=:/x",
            },
        ),
        (
            {"type": "overlay", "o": "lowerdir=/", "device": "overlay"},
            {
                "volume-driver: local type=overlay",
                "volume-driver: local o=lowerdir=/",
                "volume-driver: local device=overlay",
            },
        ),
        (
            {"type": "tmpfs", "device": "tmpfs"},
            {"volume-driver: local type=tmpfs", "volume-driver: local device=tmpfs"},
        ),
        ({"Type": "none"}, {"volume-driver: local Type=none"}),
    ],
)
def test_the_options_of_a_local_volume_that_is_found(options: dict[str, str], expected: set[str]) -> None:
    assert host({"Binds": ["v1:/h"]}, volume("v1", options)) == {"volume: v1"} | expected
    mount = {"Type": "volume", "Target": "/h", "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": options}}}
    assert host({"Mounts": [mount]}) == {"volume: (anonymous)"} | expected


OLD, NEW = (1, 41), (1, 51)


@pytest.mark.parametrize(
    ("fields", "version", "expected"),
    [
        ({"Binds": ["/a:/h:ro"]}, (1, 43), "bind: /a ro nonrecursive"),
        ({"Binds": ["/a:/h:ro"]}, (1, 44), "bind: /a ro"),
        ({"Binds": ["/a:/h"]}, OLD, "bind: /a"),
        ({"Mounts": [{"ReadOnly": True}]}, OLD, "bind: /a ro nonrecursive"),
        ({"Mounts": [{"ReadOnly": True}]}, NEW, "bind: /a ro"),
        ({"Mounts": [{}]}, OLD, "bind: /a"),
        ({"Mounts": [{"BindOptions": {"ReadOnlyNonRecursive": True}}]}, NEW, "bind: /a"),
        (
            {"Mounts": [{"ReadOnly": True, "BindOptions": {"ReadOnlyNonRecursive": True}}]},
            NEW,
            "bind: /a ro nonrecursive",
        ),
        ({"Mounts": [{"ReadOnly": True, "BindOptions": {"NonRecursive": True}}]}, OLD, "bind: /a ro"),
        ({"Mounts": [{"ReadOnly": True, "BindOptions": {"NonRecursive": True}}]}, (1, 39), "bind: /a ro nonrecursive"),
    ],
)
def test_read_only_below_1_44_is_the_upper_mount_alone(
    fields: JsonObject, version: tuple[int, int], expected: str
) -> None:
    for mount in fields.get("Mounts", ()):  # type: ignore[union-attr]
        mount.update(Type="bind", Source="/a", Target="/h")  # type: ignore[union-attr]
    assert host(fields, version=version) == {expected}
    # To an engine that knows no other kind it is what read-only always was.
    assert host(fields, version=version, speaks=(1, 43)) == {expected.removesuffix(" nonrecursive")}


def bound(name: str) -> tuple[str, JsonObject]:
    return "POST /containers/create", {"Image": "x", "HostConfig": {"Binds": [f"{name}:/h"]}}


def test_a_volume_used_read_only_is_so_with_all_below_whatever_the_version() -> None:
    engine = volume("v1", {"o": "rbind", "device": "/etc"})
    assert host({"Binds": ["v1:/h:ro"]}, engine, version=OLD) == {"volume: v1 ro", "bind: /etc ro"}
    engine = volume("v1", {"o": "rbind,ro", "device": "/etc"})
    assert host({"Binds": ["v1:/h"]}, engine, version=NEW) == {"volume: v1", "bind: /etc ro nonrecursive"}
    (ask,) = [
        ask for ask in inspected(*bound("v1"), volume("v1", {"o": "rbind", "device": "/a"})).asks if ask.kind == "bind"
    ]
    assert not ask.nonrecursive
    assert host({"Binds": ["v1:/h"]}, engine, speaks=(1, 43)) == {"volume: v1", "bind: /etc ro"}


def test_a_volume_of_another_driver_asks_for_it_and_its_options() -> None:
    engine = volume("v1", {"remote": "s3:"}, Driver="rclone")
    assert host({"Binds": ["v1:/h"]}, engine) == {
        "volume: v1",
        "volume-driver: rclone",
        "volume-driver: rclone remote=s3:",
    }


def test_a_bind_in_disguise_is_read_only_where_it_is_used_so() -> None:
    engine = volume("v1", {"o": "bind", "device": "/etc"})
    assert host({"Binds": ["v1:/h:ro"]}, engine) == {"volume: v1 ro", "bind: /etc ro"}


def test_a_named_volume_is_always_looked_up() -> None:
    engine = Engine()
    host({"Binds": ["v1:/h", "v2:/i", "/etc:/j"]}, engine, held=())
    assert engine.asked == ["/volumes/v1", "/volumes/v2"]


def test_a_volume_has_the_labels_that_it_has_or_is_made_with() -> None:
    def labels(engine: dict[str, Any]) -> list[tuple[tuple[str, str], ...]]:
        mount = {"Type": "volume", "Source": "v1", "Target": "/h", "VolumeOptions": {"Labels": {"new": "1"}}}
        found = inspected("POST /containers/create", {"Image": "x", "HostConfig": {"Mounts": [mount]}}, engine).asks
        return [ask.labels for ask in found if ask.kind == "volume"]

    assert labels(volume("v1", Labels={"old": "1"})) == [(("old", "1"),)]
    assert labels({"/volumes/v1": MISSING}) == [(("new", "1"),)]


@pytest.mark.parametrize("options", ["shared", "rshared", "bind", "rbind", "remount", "move", "x=y"])
def test_a_tmpfs_that_is_more_than_one_is_asked_for(options: str) -> None:
    word = options.partition("=")[0]
    assert host({"Tmpfs": {"/t": f"size=1m,{options}"}}) == {f"field: HostConfig.Tmpfs={word}"}


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({"Tmpfs": {"/dev/shm": "rw,size=16g"}}, 16 << 30),
        ({"Tmpfs": {"//dev/x/../shm/": "size=1m,size=64K"}}, 64 << 10),
        ({"Tmpfs": {"/dev/shm": "size=4096"}}, 4096),
        ({"Tmpfs": {"/dev/shm": ""}}, -1),
        ({"Tmpfs": {"/dev/shm": "size=90%"}}, -1),
        ({"Tmpfs": {"/dev/shm": "size=0"}}, -1),
        ({"Mounts": [{"Type": "tmpfs", "Target": "/dev/shm", "TmpfsOptions": {"SizeBytes": 1024}}]}, 1024),
        ({"Mounts": [{"Type": "tmpfs", "Target": "/dev/shm/"}]}, -1),
        ({"Tmpfs": {"/dev/shm": "size=64m,nr_blocks=1000000"}}, -1),
        ({"Tmpfs": {"/dev/shm": "nr_blocks=1000000,size=64m"}}, 64 << 20),
        ({"Tmpfs": {"/dev/": "dev,size=9g"}}, 9 << 30),
        ({"Mounts": [{"Type": "tmpfs", "Target": "/dev"}]}, -1),
        ({"Tmpfs": {"/dev/shm/x": "size=1g", "/tmp": ""}}, None),
        ({"Mounts": [{"Type": "volume", "Source": "v", "Target": "/dev/shm"}]}, None),
    ],
)
def test_a_tmpfs_in_the_place_of_shared_memory_is_that(fields: dict[str, Any], amount: int | None) -> None:
    found = inspected("POST /containers/create", {"Image": "x", "HostConfig": fields})
    assert [ask.amount for ask in found.asks if str(ask) == "limit: shm"] == ([] if amount is None else [amount])


@pytest.mark.parametrize(
    ("options", "amount"),
    [
        ({"type": "tmpfs", "device": "tmpfs", "o": "size=5g,uid=1000"}, 5 << 30),
        ({"type": "tmpfs", "device": "x"}, -1),
        ({"type": "ramfs", "device": "x", "o": "size=1m"}, -1),
        ({"type": "nfs", "device": ":/x", "o": "addr=10.0.0.1"}, None),
        ({"type": "none", "device": "/srv/x", "o": "bind"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize(
    "fields",
    [
        {"Binds": ["v:/dev/shm"]},
        {"Binds": ["v:/dev:ro"]},
        {"Mounts": [{"Type": "volume", "Source": "v", "Target": "/dev/./shm"}]},
        {"VolumesFrom": ["web"]},
    ],
)
def test_a_volume_made_of_memory_in_the_place_of_shared_memory_is_that(
    fields: dict[str, Any], options: dict[str, str], amount: int | None
) -> None:
    engine: dict[str, Any] = {
        "/volumes/v": {"Name": "v", "Driver": "local", "Options": options},
        "/containers/web/json": {"Name": "/web", "HostConfig": {"Binds": ["v:/dev/shm"]}},
    }
    found = inspected("POST /containers/create", {"Image": "x", "HostConfig": fields}, engine)
    assert [ask.amount for ask in found.asks if str(ask) == "limit: shm"] == ([] if amount is None else [amount])
    assert "limit: shm" not in host({"Binds": ["v:/tmp"]}, engine)


def test_a_mount_may_bring_the_options_that_make_memory_of_it() -> None:
    config = {"Options": {"type": "tmpfs", "device": "tmpfs"}}
    mount = {"Type": "volume", "Source": "new", "Target": "/dev/shm", "VolumeOptions": {"DriverConfig": config}}
    assert "limit: shm" in host({"Mounts": [mount]}, {"/volumes/new": MISSING})
