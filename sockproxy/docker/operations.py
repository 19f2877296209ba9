"""THE table of endpoints: every one of the Engine API 1.24 to 1.56, and how a path finds its row.

Law: a request is one row or none. Rows are what policies select, what metrics count and what inspectors are named after;
what is not here cannot be allowed. The matching is dockerd's (gorilla/mux on the decoded path, the first registered route
wins): a container's or an image's name may hold slashes and only the last segment decides, a swarm id may not.

A row is a line:

    name  METHOD /path/{param}  marks  ? query parameters

    json tar stream     what the body is (nothing, where none is named)
    reads changes enters makes   what it does to the container in the path
    echo                clients repeat all their options in query and body: what is unknown there is dropped
    explicit            does more than its method says: taken in only by a policy that names the path
    never               recognised so that it can be refused by name; no policy can allow it
    always              allowed unless denied: clients negotiate with it
    long                may take as long as it likes        hijack=tcp   may become a raw stream
    since= until=       API versions that have it            headers=     of the client's, let through

    key  text    key!  a list: may repeat    key:bool key:int key:json key:filters   typed
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from sockproxy.docker import body as json_body
from sockproxy.errors import Malformed, UnknownOperation
from sockproxy.model import OLDEST_VERSION, Ask, Json, JsonObject, Version

Body: TypeAlias = Literal["none", "json", "tar", "stream"]
Access: TypeAlias = Literal["", "makes", "reads", "changes", "enters"]
QueryType: TypeAlias = Literal["text", "bool", "int", "json", "filters"]


@dataclass(frozen=True, slots=True)
class QueryField:
    """One query parameter."""

    type: QueryType = "text"
    repeats: bool = False
    """True where Docker reads every value; elsewhere a second one is ambiguous."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One row of the table."""

    name: str
    """The ``operationId`` of Docker's API reference, or a name of ours where it has none."""
    method: str
    template: str
    """``/containers/{id}/start``."""
    body: Body = "none"
    query: Mapping[str, QueryField] = field(default_factory=dict)
    upgrade: frozenset[str] = frozenset()
    """The protocols that a client may ask to switch to: ``tcp``, ``h2c``, ``websocket``."""
    hijack: bool = False
    """The engine may turn the connection into a raw stream."""
    echo: bool = False
    explicit: bool = False
    never: bool = False
    always: bool = False
    long_lived: bool = False
    access: Access = ""
    headers: frozenset[str] = frozenset()
    """Lower-case names of the client's headers that are passed on."""
    since: Version = OLDEST_VERSION
    until: Version | None = None
    """The first API version without it."""

    @property
    def params(self) -> tuple[str, ...]:
        """The names of the path's parameters."""
        return tuple(re.findall(r"\{(\w+)\}", self.template))


_AUTH: Final = "headers=x-registry-auth"
_SESSION: Final = (
    "headers=x-docker-expose-session-uuid,x-docker-expose-session-name,"
    "x-docker-expose-session-sharedkey,x-docker-expose-session-grpc-method"
)
_WEBSOCKET: Final = (
    "headers=sec-websocket-key,sec-websocket-version,sec-websocket-protocol,sec-websocket-extensions,origin"
)
_LOGS: Final = "follow:bool stdout:bool stderr:bool since until timestamps:bool tail details:bool format"
_ATTACH: Final = "detachKeys logs:bool stream:bool stdin:bool stdout:bool stderr:bool"
_BUILD: Final = (
    "dockerfile t! extrahosts! remote q:bool nocache:bool cachefrom:json pull rm:bool forcerm:bool memory:int memswap:int"
    " cpushares:int cpusetcpus cpusetmems cpuperiod:int cpuquota:int cgroupparent buildargs:json shmsize:int squash:bool"
    " labels:json networkmode platform target outputs:json version securityopt! ulimits:json isolation session buildid"
)

_TABLE: Final = f"""
SystemPing               GET    /_ping                            always
SystemPingHead           HEAD   /_ping                            always
SystemVersion            GET    /version                          always
SystemInfo               GET    /info
SystemEvents             GET    /events                           long         ? since until filters:filters stream:bool
SystemDataUsage          GET    /system/df                        since=1.25   ? type! verbose:bool
SystemAuth               POST   /auth                             json

ContainerList            GET    /containers/json                               ? all:bool limit:int size:bool filters:filters since before trunc_cmd:bool
ContainerCreate          POST   /containers/create                json echo makes ? name platform
ContainerPrune           POST   /containers/prune                 since=1.25   ? filters:filters
ContainerInspect         GET    /containers/{{id}}/json           reads        ? size:bool
ContainerTop             GET    /containers/{{id}}/top            reads        ? ps_args
ContainerLogs            GET    /containers/{{id}}/logs           reads long   ? {_LOGS}
ContainerChanges         GET    /containers/{{id}}/changes        reads
ContainerExport          GET    /containers/{{id}}/export         reads explicit
ContainerStats           GET    /containers/{{id}}/stats          reads long   ? stream:bool one-shot:bool
ContainerResize          POST   /containers/{{id}}/resize         changes echo ? h:int w:int
ContainerStart           POST   /containers/{{id}}/start          changes      ? detachKeys checkpoint checkpoint-dir
ContainerStop            POST   /containers/{{id}}/stop           changes echo ? t:int signal
ContainerRestart         POST   /containers/{{id}}/restart        changes echo ? t:int signal
ContainerKill            POST   /containers/{{id}}/kill           changes echo ? signal
ContainerUpdate          POST   /containers/{{id}}/update         json changes
ContainerRename          POST   /containers/{{id}}/rename         changes echo ? name
ContainerPause           POST   /containers/{{id}}/pause          changes
ContainerUnpause         POST   /containers/{{id}}/unpause        changes
ContainerAttach          POST   /containers/{{id}}/attach         stream enters echo long hijack=tcp ? {_ATTACH}
ContainerAttachWebsocket GET    /containers/{{id}}/attach/ws      stream enters explicit long hijack=websocket {_WEBSOCKET} ? {_ATTACH}
ContainerWait            POST   /containers/{{id}}/wait           reads long   ? condition
ContainerArchiveInfo     HEAD   /containers/{{id}}/archive        reads explicit ? path
ContainerArchive         GET    /containers/{{id}}/archive        reads explicit ? path
PutContainerArchive      PUT    /containers/{{id}}/archive        tar enters explicit ? path noOverwriteDirNonDir:bool copyUIDGID:bool
ContainerCopy            POST   /containers/{{id}}/copy           json reads never until=1.24
ContainerExec            POST   /containers/{{id}}/exec           json enters
CheckpointList           GET    /containers/{{id}}/checkpoints    reads explicit since=1.25 ? dir
CheckpointCreate         POST   /containers/{{id}}/checkpoints    json changes explicit since=1.25
CheckpointDelete         DELETE /containers/{{id!}}/checkpoints/{{checkpoint!}} changes explicit since=1.25 ? dir
ContainerDelete          DELETE /containers/{{id}}                changes      ? v:bool force:bool link:bool

ExecStart                POST   /exec/{{id}}/start                json echo enters long hijack=tcp
ExecResize               POST   /exec/{{id}}/resize               echo         ? h:int w:int
ExecInspect              GET    /exec/{{id}}/json

ImageList                GET    /images/json                                   ? all:bool filters:filters filter digests:bool shared-size:bool manifests:bool identity:bool only_ids:bool
ImageSearch              GET    /images/search                    explicit {_AUTH} ? term limit:int filters:filters
ImageGetAll              GET    /images/get                       explicit long ? names! platform!:json
ImageLoad                POST   /images/load                      tar long     ? quiet:bool platform!:json
ImageCreate              POST   /images/create                    tar long {_AUTH} ? fromImage fromSrc repo tag message changes! platform registry
ImagePrune               POST   /images/prune                     since=1.25   ? filters:filters
ImageGet                 GET    /images/{{name}}/get              explicit long ? platform!:json
ImageHistory             GET    /images/{{name}}/history                       ? platform:json
ImageInspect             GET    /images/{{name}}/json                          ? manifests:bool platform:json
ImageAttestations        GET    /images/{{name}}/attestations     since=1.55   ? platform:json type! statement:bool
ImagePush                POST   /images/{{name}}/push             echo long {_AUTH} ? tag platform:json
ImageTag                 POST   /images/{{name}}/tag              echo         ? repo tag force:bool
ImageDelete              DELETE /images/{{name}}                               ? force:bool noprune:bool platforms!:json
ImageCommit              POST   /commit                           json echo    ? container repo tag comment m author pause:bool changes!
DistributionInspect      GET    /distribution/{{name}}/json       explicit since=1.30 {_AUTH}

ImageBuild               POST   /build                            tar long headers=x-registry-config ? {_BUILD}
BuildPrune               POST   /build/prune                      since=1.31   ? all:bool filters:filters keep-storage:int reserved-space:int max-used-space:int min-free-space:int
BuildCancel              POST   /build/cancel                     since=1.39   ? id
Session                  POST   /session                          stream explicit long hijack=h2c since=1.31 {_SESSION}
Grpc                     POST   /grpc                             stream explicit long hijack=h2c since=1.40

NetworkList              GET    /networks                                      ? filters:filters
NetworkInspect           GET    /networks/{{id}}                               ? verbose:bool scope
NetworkCreate            POST   /networks/create                  json echo
NetworkPrune             POST   /networks/prune                   since=1.25   ? filters:filters
NetworkConnect           POST   /networks/{{id}}/connect          json
NetworkDisconnect        POST   /networks/{{id}}/disconnect       json
NetworkDelete            DELETE /networks/{{id}}

VolumeList               GET    /volumes                                       ? filters:filters
VolumeInspect            GET    /volumes/{{name}}
VolumeCreate             POST   /volumes/create                   json echo
VolumePrune              POST   /volumes/prune                    since=1.25   ? filters:filters
VolumeUpdate             PUT    /volumes/{{name}}                 json since=1.42 ? version:int
VolumeDelete             DELETE /volumes/{{name}}                              ? force:bool

PluginList               GET    /plugins                                       ? filters:filters
GetPluginPrivileges      GET    /plugins/privileges               explicit since=1.25 {_AUTH} ? remote name
PluginInspect            GET    /plugins/{{name}}/json            since=1.25
PluginDelete             DELETE /plugins/{{name}}                              ? force:bool
PluginEnable             POST   /plugins/{{name}}/enable                       ? timeout:int
PluginDisable            POST   /plugins/{{name}}/disable                      ? force:bool
PluginPull               POST   /plugins/pull                     json long {_AUTH} ? remote name
PluginPush               POST   /plugins/{{name}}/push            long {_AUTH}
PluginUpgrade            POST   /plugins/{{name}}/upgrade         json long since=1.26 {_AUTH} ? remote
PluginSet                POST   /plugins/{{name}}/set             json
PluginCreate             POST   /plugins/create                   tar since=1.25 ? name

SwarmInspect             GET    /swarm                            explicit
SwarmInit                POST   /swarm/init                       json
SwarmJoin                POST   /swarm/join                       json
SwarmLeave               POST   /swarm/leave                                   ? force:bool
SwarmUpdate              POST   /swarm/update                     json         ? version:int rotateWorkerToken:bool rotateManagerToken:bool rotateManagerUnlockKey:bool
SwarmUnlockkey           GET    /swarm/unlockkey                  explicit since=1.25
SwarmUnlock              POST   /swarm/unlock                     json since=1.25
ServiceList              GET    /services                                      ? filters:filters status:bool
ServiceCreate            POST   /services/create                  json {_AUTH}
ServiceInspect           GET    /services/{{id!}}                              ? insertDefaults:bool
ServiceDelete            DELETE /services/{{id!}}
ServiceUpdate            POST   /services/{{id!}}/update          json {_AUTH} ? version:int registryAuthFrom rollback
ServiceLogs              GET    /services/{{id!}}/logs            long since=1.25 ? {_LOGS}
NodeList                 GET    /nodes                                         ? filters:filters
NodeInspect              GET    /nodes/{{id!}}
NodeDelete               DELETE /nodes/{{id!}}                                 ? force:bool
NodeUpdate               POST   /nodes/{{id!}}/update             json         ? version:int
TaskList                 GET    /tasks                                         ? filters:filters
TaskInspect              GET    /tasks/{{id!}}
TaskLogs                 GET    /tasks/{{id!}}/logs               long since=1.29 ? {_LOGS}
SecretList               GET    /secrets                          explicit since=1.25 ? filters:filters
SecretCreate             POST   /secrets/create                   json explicit since=1.25
SecretInspect            GET    /secrets/{{id!}}                  explicit since=1.25
SecretDelete             DELETE /secrets/{{id!}}                  explicit since=1.25
SecretUpdate             POST   /secrets/{{id!}}/update           json explicit since=1.25 ? version:int
ConfigList               GET    /configs                          explicit since=1.30 ? filters:filters
ConfigCreate             POST   /configs/create                   json explicit since=1.30
ConfigInspect            GET    /configs/{{id!}}                  explicit since=1.30
ConfigDelete             DELETE /configs/{{id!}}                  explicit since=1.30
ConfigUpdate             POST   /configs/{{id!}}/update           json explicit since=1.30 ? version:int

DebugVars                GET    /debug/vars                       explicit
DebugPprof               GET    /debug/pprof/                     explicit
DebugCmdline             GET    /debug/pprof/cmdline              explicit
DebugProfile             GET    /debug/pprof/profile              explicit long ? seconds:int debug:int
DebugSymbol              GET    /debug/pprof/symbol               explicit
DebugTrace               GET    /debug/pprof/trace                explicit long ? seconds debug:int
DebugPprofNamed          GET    /debug/pprof/{{name!}}            explicit     ? debug:int gc:int seconds:int
"""

_BODIES: Final = frozenset({"json", "tar", "stream"})
_ACCESSES: Final = frozenset({"makes", "reads", "changes", "enters"})
_FLAGS: Final = {"echo": "echo", "explicit": "explicit", "never": "never", "always": "always", "long": "long_lived"}


def _version(text: str) -> Version:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def _query(words: str) -> Mapping[str, QueryField]:
    fields: dict[str, QueryField] = {}
    for word in words.split():
        key, _, kind = word.partition(":")
        assert kind in ("", "bool", "int", "json", "filters")
        fields[key.rstrip("!")] = QueryField(kind or "text", key.endswith("!"))  # type: ignore[arg-type]
    return MappingProxyType(fields)


def _row(line: str) -> tuple[Operation, re.Pattern[str]]:
    left, _, query = line.partition("?")
    name, method, path, *marks = left.split()
    values: dict[str, object] = {}
    for mark in marks:
        key, _, value = mark.partition("=")
        if mark in _BODIES:
            values["body"] = mark
        elif mark in _ACCESSES:
            values["access"] = mark
        elif mark in _FLAGS:
            values[_FLAGS[mark]] = True
        elif key == "hijack":
            values |= {"hijack": True, "upgrade": frozenset({value})}
        elif key == "headers":
            values["headers"] = frozenset(value.split(","))
        else:
            assert key in ("since", "until"), mark
            values[key] = _version(value)
    operation = Operation(name, method, path.replace("!", ""), query=_query(query), **values)  # type: ignore[arg-type]
    # `{id!}` is one segment; `{id}` may hold slashes, and takes as much as it can, as gorilla's `.*` does.
    pattern = re.sub(r"\\\{(\w+)!\\\}", r"(?P<\1>[^/]+)", re.escape(path).replace(r"\!", "!"))
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", pattern)
    return operation, re.compile(pattern)


_ROWS: Final = tuple(_row(line) for line in _TABLE.splitlines() if line)

OPERATIONS: Final[tuple[Operation, ...]] = tuple(operation for operation, _ in _ROWS)
"""Every row, in the order in which dockerd tries them within a noun."""

BY_NAME: Final[Mapping[str, Operation]] = MappingProxyType({operation.name: operation for operation in OPERATIONS})
"""Every operation by its name. Names are a closed set: they are labels of metrics."""

METHODS: Final = frozenset(operation.method for operation in OPERATIONS)


def _index() -> tuple[dict[tuple[str, str], Operation], dict[tuple[str, str], list[tuple[Operation, re.Pattern[str]]]]]:
    exact: dict[tuple[str, str], Operation] = {}
    by_noun: dict[tuple[str, str], list[tuple[Operation, re.Pattern[str]]]] = {}
    for operation, pattern in _ROWS:
        if operation.params:
            by_noun.setdefault((operation.method, operation.template.split("/")[1]), []).append((operation, pattern))
        else:
            exact[operation.method, operation.template] = operation
    # The one path that dockerd also serves with a slash at its end (moby, router/network/network.go).
    exact["GET", "/networks/"] = exact["GET", "/networks"]
    return exact, by_noun


_EXACT, _BY_NOUN = _index()


def identify(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """The row that a decoded path without version prefix selects, and its path parameters.

    Raises:
        UnknownOperation: no row takes it in; the message names the nearest.
    """
    operation = _EXACT.get((method, path))
    if operation is not None:
        return operation, {}
    noun = path[1:].partition("/")[0]
    # `DELETE /containers/web/` is a route to dockerd, but of a container called `web/`, which there cannot be.
    rows = () if path.endswith("/") else _BY_NOUN.get((method, noun), ())
    for operation, pattern in rows:
        match = pattern.fullmatch(path)
        if match is not None:
            return operation, match.groupdict()
    raise UnknownOperation(f"{method} {path} is no endpoint of the Engine API 1.24-1.56{nearest(method, path)}")


def nearest(method: str, path: str) -> str:
    """A hint at the row that may have been meant: ``; the nearest is GET /containers/json``, or nothing."""
    shape = _shape(path)
    best = _closest(f"{method} {shape}")
    # A method and a slash that are the same are not what makes two endpoints alike.
    alike = difflib.SequenceMatcher(None, shape, best.partition(" ")[2]).ratio()
    return f"; the nearest is {best}" if alike >= _NEAR else ""


_NEAR: Final = 0.65
"""How alike two paths must be: below it `/metrics` would be `/services`."""


@lru_cache(maxsize=256)
def _closest(asked: str) -> str:
    """The row most like it, or nothing. Kept, since a comparison with every row takes a millisecond."""
    rows = [f"{row.method} {row.template}" for row in OPERATIONS if not row.never]
    return next(iter(difflib.get_close_matches(asked, rows, n=1, cutoff=0.6)), "")


def _shape(path: str) -> str:
    """A path with the parameter's name where a row of that noun has one."""
    parts = path.split("/")
    if len(parts) > 3:
        parts[2] = "{name}" if parts[1] in ("images", "volumes", "plugins", "distribution") else "{id}"
    return "/".join(parts)[:100]


# Reading the query ---------------------------------------------------------------------------------------------------

Pairs: TypeAlias = "tuple[tuple[str, str], ...]"

_TRUE: Final = frozenset({"1", "true", "True", "TRUE", "t", "T", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "False", "FALSE", "f", "F", "no", "none"})
_INT: Final = re.compile(r"-?[0-9]{1,19}")
_INT64_MAX: Final = 2**63 - 1


def read_query(operation: Operation, pairs: Iterable[tuple[str, str]]) -> tuple[Pairs, tuple[Ask, ...]]:
    """The parameters to forward, in the order they came, and an ask of kind ``query`` for each unknown one that is set.

    Typed values get one spelling; an empty parameter is dropped where Docker reads it as none. On rows marked ``echo``
    unknown ones are dropped: dockerode repeats every option of the body there (docker-modem, ``lib/modem.js``).

    Raises:
        Malformed: a parameter that Docker reads once came twice, or a value is not of its type.
    """
    known: list[tuple[str, str]] = []
    asks: list[Ask] = []
    seen: set[str] = set()
    for key, value in pairs:
        known_field = operation.query.get(key)
        if known_field is None and operation.echo:
            continue  # an array of the body comes as `Cmd=a&Cmd=b`
        if key in seen and (known_field is None or not known_field.repeats):
            raise Malformed(f"?{key} came twice")
        seen.add(key)
        if known_field is None:
            if value:
                asks.append(Ask("query", key, f"?{key}"))
                known.append((key, value))
        elif value:
            known.append((key, value if known_field.type == "text" else _typed(key, value, known_field.type)))
        elif known_field.type == "bool":
            known.append((key, ""))  # false, also where leaving it away means true: `stats?stream=` answers once
    return tuple(known), tuple(asks)


def _typed(key: str, value: str, kind: QueryType) -> str:
    match kind:
        case "bool":
            # Docker takes anything but a few words for true (moby, httputils/form.go): a typing error must not.
            if value in _TRUE:
                return "1"
            if value in _FALSE:
                return "0"
            raise Malformed(f"?{key} must be true or false (1 or 0)")
        case "int":
            # Where Docker cannot read a number it takes 0 (moby, httputils/form.go): no limit at all.
            if _INT.fullmatch(value) is None or abs(int(value)) > _INT64_MAX:
                raise Malformed(f"?{key} must be a whole number")
            return value
        case "filters":
            return _filters(key, value)
        case _:
            return json_body.serialise(_json(key, value)).decode()


def _json(key: str, value: str) -> Json:
    try:
        return json_body.parse(value.encode())
    except Malformed as error:
        raise Malformed(f"?{key}: {error.message}") from None


def _filters(key: str, value: str) -> str:
    """Filters in one shape, ``{"label":{"a=b":true}}``; clients also send ``{"label":["a=b"]}`` (moby, filters/parse.go)."""
    filters = _json(key, value)
    if filters is None:
        return "{}"
    if not isinstance(filters, dict):
        raise Malformed(f"?{key} must be an object")
    result: JsonObject = {}
    for name, values in filters.items():
        match values:
            case list() if all(isinstance(each, str) for each in values):
                result[name] = {str(each): True for each in values}
            case dict() if all(each is True for each in values.values()):
                result[name] = values
            case _:
                raise Malformed(f"?{key}: `{name}` must be a list of text")
    return json_body.serialise(result).decode()
