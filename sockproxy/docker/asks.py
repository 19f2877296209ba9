"""The vocabulary of asks: every kind of thing that a call can ask for. The truth behind ``policies/README.md``.

An ask is a fact about a request ("it binds /etc"); a policy covers it or does not. Four sections of a rule cover
four sorts of kinds, and a kind belongs to exactly one:

    grant    a power, refused unless given
    only     free, unless the rule holds it to something
    limit    a number that must be set, and at most that
    require  a hardening that must be there; the ask says that it is *not* there

An ask is what goes beyond a plain ``docker run IMAGE``. What the engine gives to every container anyway, or what a
client merely echoes from an inspect, asks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

Section: TypeAlias = Literal["grant", "only", "limit", "require"]

PatternForm: TypeAlias = Literal[
    "any",  # only `any` or `none` make sense
    "glob",  # `*` is any run but `/`, `**` any run
    "path",  # a glob of cleaned absolute paths; `/dir/**` is the folder and all below it; ` ro`, ` shared`
    "name",  # a name glob, or `label=key`, `label=key=value`
    "volume",  # as name, with ` ro` for read-only alone
    "image",  # repo, repo:tag, repo@digest; globs in each; normalised
    "label",  # `key` or `key=value`
    "word",  # a word without case, such as a capability or a restart policy
    "device",  # a path glob with optional ` rwm`, or a cgroup rule
    "gpu",  # `all`, a number, or a glob
    "publish",  # [ip:]port[-port][/proto], [ip:]random
]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of ask."""

    name: str
    section: Section
    form: PatternForm
    asks: str
    """What one ask of this kind is, in a line for the reference."""
    example: str
    """A pattern as it may stand in a policy."""


# A table: a row is a line.
# fmt: off
_KINDS: Final = (
    Kind("privileged", "grant", "any", "`--privileged`, of a `container`, an `exec`, a `service` or a `plugin`", "any"),
    Kind("bind", "grant", "path", "a host path given to a container, by any road; ` ro` if read-only, ` ro nonrecursive` if what is mounted below stays writable, ` shared` if it propagates to the host", "/srv/ci/**"),
    Kind("volume-driver", "grant", "glob", "a volume driver other than `local`, and each option of any: `local type=nfs`", "local type=tmpfs"),
    Kind("network-driver", "grant", "glob", "a network driver other than `bridge`, each driver option, `ipam=…`, `config-from=…`", "overlay"),
    Kind("address", "grant", "glob", "a fixed address: `ip=…`, `mac=…`, `subnet=…`; `option k=v` on an endpoint", "ip=10.1.*"),
    Kind("link", "grant", "any", "another container linked (whose, says `container`)", "any"),
    Kind("volumes-from", "grant", "any", "another container's mounts taken over (whose, says `container`)", "any"),
    Kind("namespace", "grant", "glob", "a namespace not the container's own: `pid=host`, `network=container:x`, `userns=host`", "network=container:*"),
    Kind("capability", "grant", "word", "a capability added that a plain container lacks; any one added, under `require: cap-drop-all`", "NET_ADMIN"),
    Kind("device", "grant", "device", "a host device, `/dev/fuse rwm`, or a cgroup rule, `c 10:229 rwm`", "/dev/dri/**"),
    Kind("gpu", "grant", "gpu", "GPUs: `all`, a count, `device=0`, a CDI name; the driver before it where it is not nvidia's", "all"),
    Kind("security-opt", "grant", "glob", "`seccomp=unconfined`, `apparmor=…`, `label=…`, `systempaths=unconfined`, `no-new-privileges=false`", "apparmor=ci-*"),
    Kind("sysctl", "grant", "glob", "a kernel parameter: `net.core.somaxconn=1024`", "net.ipv4.*"),
    Kind("runtime", "grant", "glob", "an OCI runtime other than runc", "runsc"),
    Kind("cgroup-parent", "grant", "glob", "a parent cgroup, of a container or a build", "ci.slice"),
    Kind("group", "grant", "glob", "a supplementary group", "video"),
    Kind("annotation", "grant", "glob", "an annotation handed to the OCI runtime: `key=value`", "com.example.*"),
    Kind("storage-opt", "grant", "glob", "a storage option: `size=10G`", "size=*"),
    Kind("log-driver", "grant", "glob", "a log driver other than json-file, local, journald, none; each option but rotation, tag, labels, env", "gelf*"),
    Kind("resource", "grant", "glob", "a claim before the host's own processes: `oom-score=-500`, `oom-kill-disable`, `cpu-realtime`, `blkio=/dev/sda`", "oom-score=*"),
    Kind("publish", "grant", "publish", "a host port: `0.0.0.0:8080/tcp`; `0.0.0.0:random/tcp` where the engine chooses", "127.0.0.1:8000-8999"),
    Kind("import", "grant", "glob", "an image from a tar or a URL: `load`, `-`, `https://…`", "load"),
    Kind("build", "grant", "glob", "`remote=…` (the engine fetches) and `output=…` other than local, tar and this engine", "remote=https://git.example.com/**"),
    Kind("secret", "grant", "glob", "a swarm secret given to a service", "web-*"),
    Kind("config", "grant", "glob", "a swarm config given to a service", "web-*"),
    Kind("tunnel", "grant", "word", "`session`, `grpc`: BuildKit's connection, whose contents are not seen", "session"),
    Kind("field", "grant", "glob", "a body field, or a value in one, that sockproxy does not know", "HostConfig.NewField"),
    Kind("query", "grant", "glob", "a query parameter, or a value in one, that sockproxy does not know", "newparam"),
    Kind("container", "only", "name", "a container made, read, changed, entered, joined, linked, or taken volumes from", "ci-*"),
    Kind("volume", "only", "volume", "a volume used, made, read or removed; ` ro` if used read-only; `(anonymous)` without a name", "shop_*"),
    Kind("network", "only", "name", "a network joined, made, read, changed or removed; the default one is `bridge`", "shop_*"),
    Kind("service", "only", "name", "a swarm service made, read, changed or removed", "shop_*"),
    Kind("image", "only", "image", "an image run, pulled, pushed, saved, removed, tagged or used as cache; a plugin counts as one", "python:3.*"),
    Kind("tag", "only", "image", "a name given to an image: by tag, build, commit or import", "registry.example.com/ci/**"),
    Kind("registry", "only", "glob", "the registry of a login, a search, or a look at what it has (`distribution`, a plugin's privileges)", "registry.example.com"),
    Kind("label", "only", "label", "a label put on a container or a service: `traefik.enable=true`; one that a container's image brings is met by a `deny` alone", "app"),
    Kind("exec", "only", "glob", "the command of an exec, quoted as a shell would: `sh -c 'exit 0'`", "buildctl dial-stdio"),
    Kind("archive", "only", "path", "a path in a container that is copied from or into", "/data/**"),
    Kind("restart", "only", "word", "a restart policy other than no", "unless-stopped"),
    Kind("extra-host", "only", "glob", "a line for /etc/hosts: `name:address`", "*:10.*"),
    Kind("dns", "only", "glob", "a resolver", "10.0.0.53"),
    Kind("limit", "limit", "any", "`memory`, `cpus`, `pids`, `shm`: what was set, or that nothing was", "memory: 8g"),
    Kind("require", "require", "any", "`read-only`, `no-new-privileges`, `cap-drop-all`, `non-root`: that it is not there", "no-new-privileges"),
)
# fmt: on

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""Every kind by its name, in the order of the reference."""

SECTIONS: Final[Mapping[Section, str]] = {
    "grant": "powers: refused unless a rule gives them",
    "only": "free, unless a rule holds them to something",
    "limit": "numbers that must be set, and at most what the rule says",
    "require": "hardening that must be in the request",
}
"""What each section is for."""

LIMITS: Final = ("memory", "cpus", "pids", "shm")
"""What ``limit`` can hold. Each but ``shm`` must be set to be covered; ``shm`` has a small default."""

REQUIREMENTS: Final = ("read-only", "no-new-privileges", "cap-drop-all", "non-root")
"""What ``require`` can demand."""

OWNERSHIP_KINDS: Final = frozenset({"container", "volume", "network", "service"})
"""Kinds that say whose a thing is: a denial for these alone has the code ``not_owner``."""

PLAIN_CAPABILITIES: Final = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
"""What every container has without asking (moby, ``oci/caps/defaults.go``)."""
