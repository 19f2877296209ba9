"""Values for every field of the tables: an input of ``judging`` is made, and changed, field by field.

A value is mostly of the field's type and mostly something that an engine takes; now and then it is neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from random import Random
from typing import Any

from sockproxy.docker import fields
from sockproxy.docker.fields.schema import Bool, Int, List, Map, Schema, Str, Struct, Words


def tables() -> dict[str, Struct | List]:
    """Every table of fields by its module and name: ``containers.CREATE``."""
    found: dict[str, Struct | List] = {}
    for module in iter_modules(fields.__path__):
        for name, value in vars(import_module(f"{fields.__name__}.{module.name}")).items():
            if name.isupper() and not name.startswith("_") and isinstance(value, Struct | List):
                found[f"{module.name}.{name}"] = value
    return found


_BODIES: Mapping[str, str] = {
    "ContainerCreate": "containers.CREATE",
    "ContainerUpdate": "containers.UPDATE",
    "ContainerExec": "execs.CREATE",
    "ExecStart": "execs.START",
    "ImageCommit": "containers.COMMIT",
    "CheckpointCreate": "containers.CHECKPOINT",
    "NetworkCreate": "networks.CREATE",
    "NetworkConnect": "networks.CONNECT",
    "NetworkDisconnect": "networks.DISCONNECT",
    "VolumeCreate": "volumes.CREATE",
    "VolumeUpdate": "volumes.UPDATE",
    "SystemAuth": "system.AUTH",
    "ServiceCreate": "services.SPEC",
    "ServiceUpdate": "services.SPEC",
    "SwarmInit": "swarm.INIT",
    "SwarmJoin": "swarm.JOIN",
    "SwarmUpdate": "swarm.UPDATE",
    "SwarmUnlock": "swarm.UNLOCK",
    "NodeUpdate": "swarm.NODE",
    "SecretCreate": "swarm.SECRET",
    "SecretUpdate": "swarm.SECRET",
    "ConfigCreate": "swarm.CONFIG",
    "ConfigUpdate": "swarm.CONFIG",
    "PluginPull": "plugins.PRIVILEGES",
    "PluginUpgrade": "plugins.PRIVILEGES",
    "PluginSet": "plugins.SETTINGS",
}


@cache
def schema_of(operation: str) -> Schema | None:
    """The table that a row's body is read by, as far as it is known here."""
    return tables().get(_BODIES.get(operation, ""))


ID = "0123456789abcdef" * 4
"""The id of the container `web`."""
OWN = "0e" * 32
"""The id of sockproxy's own container."""

REFERENCES = (
    "web",
    "/web",
    "db",
    ID,
    ID[:12],
    OWN,
    OWN[:7],
    "web/db",
    "ci-1",
    "front",
    "data",
    "host",
    "none",
    "bridge",
    "a",
    "",
    "..",
    "x/y",
    "ü",
)
PATHS = (
    "/",
    "/etc",
    "/srv/ci/x",
    "/srv/ci/../etc",
    "//srv//ci/",
    "/srv/ci/.",
    "/var/run/docker.sock",
    "/srv/ci ro",
    "/srv/ci/a:b",
    "relative",
    "~",
    "\\x",
    "/proc",
    "/dev",
    "/srv/reference/x",
    "/srv/*",
)
IMAGES = (
    "busybox",
    "python:3.12",
    "evil.example:5000/x",
    f"busybox@sha256:{ID}",
    f"sha256:{ID}",
    ID,
    "abcdef",
    "library/x:",
    "localhost/x",
    "UPPER",
    "a//b",
    "x:tag",
    "ci-1",
)
BINDS = (
    "/etc:/h",
    "/srv/ci/a:/a:ro",
    "/srv/ci/a:/a:ro,z",
    "/srv/ci/a:/a:shared",
    "data:/d",
    "data:/d:nocopy",
    "/anonymous",
    "/:/h:rslave,ro",
    "x:y:z:w",
    ":",
    "/srv/ci/../..:/h",
    "./x:/h",
    "data:/d:ro",
)
WORDS = (
    *(
        "host",
        "private",
        "shareable",
        "none",
        "default",
        "bridge",
        "container:web",
        f"container:{ID}",
        "container:",
        "container:/web",
        "ns:/proc/1/ns/net",
    ),
    *("ALL", "SYS_ADMIN", "CAP_NET_ADMIN", "cap_chown", "NET_BIND_SERVICE", "CHOWN", "all", ""),
    *(
        "seccomp=unconfined",
        "seccomp={}",
        "apparmor=unconfined",
        "label=disable",
        "label:type:x",
        "no-new-privileges",
        "no-new-privileges:false",
        "systempaths=unconfined",
        "credentialspec=file://x",
        "writable-cgroups=true",
    ),
    *(
        "bind",
        "volume",
        "tmpfs",
        "image",
        "npipe",
        "cluster",
        "rshared",
        "rslave",
        "unless-stopped",
        "on-failure",
        "always",
        "no",
    ),
    *(
        "json-file",
        "gelf",
        "local",
        "syslog",
        "overlay",
        "macvlan",
        "nfs",
        "runc",
        "runsc",
        "nvidia",
        "hyperv",
        "Default",
    ),
    *("80/tcp", "53/udp", "0", "8000-8010", "127.0.0.1", "0.0.0.0", "::", "10.0.0.5", "02:42:ac:11:00:02", "65536"),
    *(
        "/dev/fuse:/dev/fuse:rwm",
        "c 10:229 rwm",
        "a *:* rwm",
        "rwm",
        "m",
        "gpu",
        "device=0",
        "nvidia.com/gpu=0",
        "capabilities",
    ),
    *("type=none,o=bind,device=/etc", "o", "type", "device", "size=10m", "exec", "noexec", "ro,noexec,size=1g", "bind"),
    *(
        "root",
        "0",
        "1000",
        "1000:1000",
        "0:0",
        "nobody",
        "ingress",
        "swarm",
        "local",
        "label",
        "key=value",
        "k",
        "size",
        "max-size",
    ),
    *("true", "false", "1", "yes", "maybe", "-1", "1.5", "9223372036854775807", "9223372036854775808", "1500"),
    *(
        '{"label":["a=b"]}',
        '{"label":{"a=b":true}}',
        '{"all":["true"]}',
        '["a"]',
        '[{"Type":"image","Attrs":{"name":"ci-1,x","push":"true"}}]',
        '[{"Type":"local"}]',
        "{}",
        "null",
        "[]",
        '{"a":1}',
    ),
    *(
        "https://git.example.com/x",
        "client-session",
        "-",
        "http",
        "/checkpoints",
        "SIGKILL",
        "9",
        "x" * 300,
        "a\nb",
        "\u202e",
        "\x7f",
        "ſ",
        "K",
        "😀",
    ),
)
NUMBERS = (
    0,
    1,
    -1,
    2,
    100,
    512,
    2**20,
    2**30,
    8 * 2**30,
    10**9,
    50000,
    2**31,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
    -1000,
    1000,
    4096,
)
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    1.0,
    0.5,
    "",
    "x",
    [],
    {},
    [None],
    [[]],
    {"": None},
    {"a": {}},
    -0.0,
    1e300,
)

_OPTIONS = (
    *(
        {"type": "none", "o": "bind", "device": "/etc"},
        {"type": "none", "o": "ro,rbind,rshared", "device": "/srv/ci/x"},
    ),
    *({"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, {"type": "nfs", "o": "addr=10.0.0.1", "device": ":/x"}),
    *(
        {"o": "bind,remount", "device": "/srv/../etc"},
        {"type": "ext4", "device": "/dev/sda"},
        {"size": "1g"},
        {"max-size": "1m"},
    ),
)
"""What drivers are given, whole: a volume's options mean something together."""

_BY_NAME: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Binds",), BINDS),
    "outputs": (
        '[{"Type":"local"}]',
        '[{"Type":"image","Attrs":{"name":"ci-1,x","push":"true"}}]',
        '[{"Type":"moby","Attrs":{"name":"ci-1"}}]',
        "null",
        "[{}]",
    ),
    "cachefrom": ('["busybox"]', '["evil.example:5000/x",""]', "[]", "null", "{}"),
    "filters": ('{"label":["a=b"]}', '{"label":{"a=b":true},"all":{"true":true}}', '{"until":["1h"]}', "null"),
    "networkmode": ("host", "none", "front", "container:web", "bridge", "default", ID[:12]),
    "securityopt": ("seccomp=unconfined", "label=disable", "no-new-privileges"),
    "version": ("1", "2", "3"),
    "Role": ("manager", "worker"),
    "Type": ("bind", "volume", "tmpfs", "image", "npipe", "none"),
    "Propagation": ("rshared", "rslave", "private", "shared", "odd"),
    "Value": ("/etc", "/dev/fuse", "CAP_SYS_ADMIN", "host", "bridge"),
    **dict.fromkeys(("Image", "fromImage", "repo", "t", "names", "remote"), IMAGES),
    **dict.fromkeys(
        (
            "Source",
            "PathOnHost",
            "Device",
            "device",
            "path",
            "checkpoint-dir",
            "dir",
            "CheckpointDir",
            "MaskedPaths",
            "ReadonlyPaths",
            "Target",
        ),
        PATHS,
    ),
    **dict.fromkeys(("Container", "container", "Links", "VolumesFrom", "NetworkID", "name"), REFERENCES),
    "Name": (
        *REFERENCES[:5],
        "network",
        "mount",
        "device",
        "capabilities",
        "host pid namespace",
        "allow-all-devices",
        "local",
        "no",
    ),
}


def _text(rng: Random, name: str) -> str:
    pool = _BY_NAME.get(name)
    if pool is not None and rng.random() < 0.7:
        return rng.choice(pool)
    return rng.choice(rng.choice((REFERENCES, PATHS, IMAGES, BINDS, WORDS, WORDS, WORDS)))


def value(rng: Random, schema: Schema | None, name: str = "", depth: int = 0) -> Any:
    """A value for a field."""
    if rng.random() < 0.04 or schema is None:
        return rng.choice(ODD) if rng.random() < 0.5 else _text(rng, name)
    match schema:
        case Str():
            return _text(rng, name)
        case Bool():
            return rng.random() < 0.7
        case Int():
            return rng.choice(NUMBERS)
        case Words():
            return [_text(rng, name) for _ in range(rng.randint(0, 3))] if rng.random() < 0.7 else _text(rng, name)
        case List():
            return [value(rng, schema._item, name, depth + 1) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
        case Map():
            if name in ("Options", "DriverOpts") and rng.random() < 0.6:
                return dict(rng.choice(_OPTIONS))
            return {_text(rng, ""): value(rng, schema._value, name, depth + 1) for _ in range(rng.choice((0, 1, 1, 2)))}
        case Struct():
            if not schema.fields:
                return {}
            few = rng.sample(
                sorted(schema.fields), min(len(schema.fields), rng.choice((1, 1, 2, 3, 5 if depth < 3 else 1)))
            )
            if {"Type", "Source"} <= schema.fields.keys() or "PathOnHost" in schema.fields:  # these say it together
                few = [key for key in schema.fields if key in few or key in ("Type", "Source", "Target", "PathOnHost")]
            return {spelled(rng, key): value(rng, schema.fields[key], key, depth + 1) for key in few}
    return rng.choice(ODD)


def spelled(rng: Random, key: str) -> str:
    """A key, now and then in another spelling that Go takes for the same, or nearly."""
    if rng.random() < 0.93:
        return key
    return rng.choice(
        (key.lower(), key.upper(), key.replace("s", "ſ"), key.replace("k", "K"), key + "x", key[:1].lower() + key[1:])
    )


def changed(rng: Random, old: Any, schema: Schema | None, name: str = "") -> Any:
    """A value, changed in one place."""
    if rng.random() < 0.12:
        return value(rng, schema, name)
    if isinstance(old, dict) and old and rng.random() < 0.75:
        key = rng.choice(sorted(old))
        result = dict(old)
        if rng.random() < 0.15:
            del result[key]
        elif rng.random() < 0.05:
            result[spelled(rng, key)] = result.pop(key)
        else:
            result[key] = changed(rng, old[key], _below(schema, key), key)
        return result
    if isinstance(old, dict) and isinstance(schema, Struct) and schema.fields:
        key = rng.choice(sorted(schema.fields))
        return {**old, spelled(rng, key): value(rng, schema.fields[key], key, 2)}
    if isinstance(old, dict):
        return {**old, _text(rng, ""): value(rng, _below(schema, ""), name, 2)}
    if isinstance(old, list):
        return _changed_list(rng, old, _below(schema, ""), name)
    if isinstance(old, str) and rng.random() < 0.4:
        return _changed_text(rng, old)
    return value(rng, schema, name, 2)


def _changed_list(rng: Random, old: list[Any], item: Schema | None, name: str) -> list[Any]:
    result = list(old)
    at = rng.randint(0, len(result))
    if result and rng.random() < 0.5:
        at = min(at, len(result) - 1)
        result[at] = changed(rng, result[at], item, name)
    elif result and rng.random() < 0.3:
        del result[min(at, len(result) - 1)]
    else:
        result.insert(at, rng.choice(result) if result and rng.random() < 0.2 else value(rng, item, name, 2))
    return result


def _changed_text(rng: Random, old: str) -> str:
    at = rng.randint(0, len(old))
    match rng.randrange(4):
        case 0:
            return (
                old[:at]
                + rng.choice((":", "/", ",", "=", "*", ".", "..", " ", "%", "@", "-", "0", "\\", "\x00", "ü", " ro"))
                + old[at:]
            )
        case 1:
            return old[:at] + old[at + 1 :]
        case 2:
            return rng.choice((str.lower, str.upper, str.title))(old)
        case _:
            return old[:at] + rng.choice(WORDS) + old[at:]


def _below(schema: Schema | None, key: str) -> Schema | None:
    match schema:
        case Struct():
            return schema.fields.get(key)
        case List():
            return schema._item
        case Map():
            return schema._value
    return None


def names() -> Iterator[str]:
    """Every field of every table, the inner ones too."""
    seen: set[str] = set()
    left: list[Schema] = list(tables().values())
    while left:
        schema = left.pop()
        if isinstance(schema, Struct):
            yield from (key for key in schema.fields if key not in seen)
            seen.update(schema.fields)
            left.extend(schema.fields.values())
        elif isinstance(schema, List | Map):
            inner = _below(schema, "")
            left.extend([inner] if inner is not None else ())
