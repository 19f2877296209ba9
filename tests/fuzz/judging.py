"""A call, judged as the gateway judges it, under several policies and with its look-ups answered.

An input is a JSON object, so that it can be read, and is changed field by field (``shapes.py``):

    {"request": "POST /v1.41/containers/create?name=x", "headers": {…}, "body": {…} or "raw": "text",
     "facts": {"/containers/web/json": {…} or null}, "own": true, "host": true, "engine": [1, 51]}

What must hold, under a policy that grants nothing, one that grants all, one that grants all but what a `deny` takes in, one
that holds every kind to something, and one that is shipped:

* Only refusals are raised; look-ups come to an end, none is made twice, and none leaves its noun.
* Nothing allows nothing but the rows that are always open; everything refuses only what nobody can grant.
* What is allowed is allowed by one rule that covers every ask, and no `deny` takes it in; what is refused early is
  refused in the end.
* What is forwarded is canonical, has the row's method, headers and upgrade alone, and is again what is forwarded when
  it is judged itself, with no new ask; a container goes by its id, and nothing in a body is read twice. Exceptions, all of them for the better:

    - an image, volume or container that was named is forwarded by its id, and so asked for by it, its names beside it
    - what is judged and then left out (`NetworkID`, a top-level `Runtime`) is not asked for any more
    - a fact that contradicts itself (an id whose look-up shows another thing) can be judged in another way by the id

* Every verdict can be recorded and told: one line of JSON, a printable message, YAML that can be read; and what is
  printed as a remedy, pasted, is one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Any

import yaml

from sockproxy import judge
from sockproxy.audit import fragment
from sockproxy.docker import body as json_body
from sockproxy.docker.asks import KINDS
from sockproxy.docker.fields.containers import CONFIG_FIELDS, HOST_CONFIG_FIELDS
from sockproxy.docker.fields.schema import Str
from sockproxy.docker.inspectors import INSPECTED
from sockproxy.docker.operations import BY_NAME, OPERATIONS, Operation, identify
from sockproxy.docker.request import canonical, encode_target
from sockproxy.errors import Refusal
from sockproxy.model import STAT, Absent, Allow, Ask, Context, Deny, Forward, Needs, Request
from sockproxy.policy import presets
from sockproxy.policy.load import Policy, Rule, load, loads
from tests.fuzz import facts, materials, shapes, strict

LONGEST = 8192
MODULES = (
    "sockproxy/docker/**",
    "sockproxy/decide.py",
    "sockproxy/judge.py",
    "sockproxy/policy/match.py",
    "sockproxy/policy/suggest.py",
)

_HOST = "host:"
_LOOK_UP = re.compile(
    r"/(?:containers|networks|volumes|images|exec|services|tasks|secrets|configs|plugins|nodes)(?:/[^/?#]+)+(?:\?[a-z]+=[a-z0-9]+)?"
)


def one(data: bytes) -> None:
    try:
        scene = Scene.read(json.loads(data))
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return
    for name in ("nothing", "everything", "denied", *_some(data)):
        policy = policies()[name]
        for client in (None, *policy.clients):
            verdict = _judged(scene, policy, client)
            _check_told(verdict, scene, policy)
            _check_policy(name, verdict, scene, policy, client)
            if isinstance(verdict.result, Allow):
                _check_allowed(verdict, verdict.result, scene, policy, client)
    if hashlib.sha256(data).digest()[2] % 8 == 0:  # it takes longer than all the rest
        _check_fixes(scene)


# The input -----------------------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """What an input says."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes | None
    engine: facts.Engine
    context: Context

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Scene:
        method, _, target = given["request"].partition(" ")
        body = None
        if "raw" in given:
            body = str(given["raw"]).encode("utf-8", "surrogatepass")
        elif "body" in given:
            body = json.dumps(given["body"]).encode()
        headers = {"Host": "docker", **({"Content-Type": "application/json"} if body is not None else {})}
        headers |= {str(name): str(value) for name, value in given.get("headers", {}).items()}
        newest = tuple(given.get("engine", (1, 51)))
        if newest not in {(1, minor) for minor in range(24, 60)}:
            raise ValueError("no engine has that version")
        told = given.get("facts", {})
        if not all(fact is None or isinstance(fact, dict) for fact in told.values()):
            raise ValueError("a fact is an object, or nothing")
        return cls(
            method,
            target,
            [(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in headers.items()],
            body,
            facts.Engine(told),
            Context(
                engine_version=newest,
                own_container=shapes.OWN if given.get("own") else None,
                host_root=bool(given.get("host")),
            ),
        )


# The policies --------------------------------------------------------------------------------------------------------


@cache
def policies() -> dict[str, Policy]:
    """Those that every input is judged under, and the shipped ones."""
    rows = [f"{BY_NAME[name].method} {BY_NAME[name].template}" for name in sorted(INSPECTED)]
    allow = "".join(f"\n      - {row}" for row in rows)
    grants = {kind.name: "any" for kind in KINDS.values() if kind.section == "grant"}
    grants["bind"] = _every_bind()
    grant = "".join(f"\n      {kind}: {pattern}" for kind, pattern in grants.items())
    only = "".join(f'\n      {kind.name}: ["{kind.example}"]' for kind in KINDS.values() if kind.section == "only")
    everything = f"version: 1\nname: everything\nrules:\n  - id: all\n    allow:{allow}\n    grant:{grant}\n"
    example = {kind.name: kind.example for kind in KINDS.values() if kind.section == "only"}
    only = "".join(f'\n      {kind}: ["{_ONLY.get(kind, pattern)}", "{pattern}"]' for kind, pattern in example.items())
    some = f"  - id: some\n    allow:{allow}\n    grant: {{bind: [/srv/ci/**, /srv/reference/** ro]}}\n"
    ends = {
        "limited": "    limit: {memory: 8g, cpus: 2, pids: 1000, shm: 1g}\n" + some,
        "required": "    require: [read-only, no-new-privileges, cap-drop-all, non-root]\n" + some,
        "held": f"    only:{only}\n{some}    only: {{network: front, volume: data}}\n"
        "clients:\n  - {name: a, from: 10.0.0.1, rules: [some]}\n",
        "denied": "  - id: never\n    deny: [ANY /containers/**, POST /volumes/create, POST /build, 'POST /exec/{id}/start']\n"
        "    asking: {bind: [/etc/**, /proc], capability: SYS_ADMIN, image: evil.example:5000/**, container: db, tag: ci-1}\n",
    }
    made = {name: loads(everything.replace("everything", name) + end) for name, end in ends.items()}
    made |= {
        "nothing": loads("version: 1\nname: nothing\nrules: []\n"),
        "everything": loads(everything),
        "ci": load(materials.CORPUS / "ci.yaml"),
    }
    return made | {name: load(name) for name in presets.names()}


def _every_bind() -> str:
    return "[/**, /** shared, /** ro nonrecursive]" if "nonrecursive" in Ask.__slots__ else "[/**, /** shared]"


_ONLY = {"container": "ci-*", "volume": "d*", "network": "*", "image": "**", "tag": "**", "exec": "**", "label": "a"}


def _some(data: bytes) -> Iterator[str]:
    """Two more for each input: one that holds something, and one that is used."""
    one, other = hashlib.sha256(data).digest()[:2]
    yield ("limited", "required", "held")[one % 3]
    yield ("ci", *presets.names())[other % (len(presets.names()) + 1)]


# Judging -------------------------------------------------------------------------------------------------------------


@dataclass
class Judged:
    """How it ended, and how far it came."""

    result: Allow | Deny | Absent | Refusal
    request: Request | None = None
    operation: Operation | None = None
    context: Context = field(default_factory=Context)


def _judged(scene: Scene, policy: Policy, client: Any) -> Judged:
    judged = Judged(Refusal("never raised"))
    try:
        _judge(judged, scene, policy, client)
    except Refusal as error:
        assert type(error) is not Refusal
        judged.result = error
    return judged


def _judge(judged: Judged, scene: Scene, policy: Policy, client: Any) -> None:
    request, operation, params = judge.recognise(
        scene.method.encode("utf-8", "replace"), scene.target.encode("utf-8", "replace"), scene.headers
    )
    judged.request, judged.operation = request, operation
    early = judge.early(request, operation, policy, scene.context, client)
    body = None if operation.body == "tar" else scene.body
    call = judge.call(request, operation, params, body, policy, scene.context)
    judged.context = scene.context
    for _ in range(judge.ROUNDS):
        result = judge.judge(call, policy, judged.context, client)
        if not isinstance(result, Needs):
            break
        assert result.paths
        for path in result.paths:
            assert path not in judged.context.facts, path
            _check_look_up(path)
        told = {path: scene.engine.answer(path) for path in result.paths}
        judged.context = replace(judged.context, facts={**judged.context.facts, **told})
    else:
        raise AssertionError("look-ups without end")
    if early is not None:
        assert isinstance(result, Deny), "refused early, and not in the end"
        result = early
    judged.result = result


def _check_look_up(path: str) -> None:
    if path.startswith((_HOST, STAT)):
        return
    assert _LOOK_UP.fullmatch(path), path
    plain, _, query = path.partition("?")
    assert not {"", ".", ".."} & set(plain.split("/")[1:]), path
    target = encode_target(None, plain)
    assert canonical("GET", target.encode("ascii"), ()).path == plain
    assert query.isascii()


# What must hold ------------------------------------------------------------------------------------------------------


def _check_told(judged: Judged, scene: Scene, policy: Policy) -> None:
    result = judge.refusal(judged.result) if isinstance(judged.result, Refusal) else judged.result
    if isinstance(result, Deny):
        assert 400 <= result.status < 500
        assert result.message.isprintable(), result.message
        assert not hasattr(result, "forward")
        if result.fix and len(result.fix) % 8 == 0:  # it takes longer than all the rest
            yaml.safe_load(result.fix)
    line = fragment(
        client="anyone",
        operation=judged.operation.name if judged.operation else "(unknown)",
        method=judged.request.method if judged.request else scene.method,
        path=judged.request.path if judged.request else scene.target,
        query=judged.request.query if judged.request else (),
        verdict="allow" if isinstance(result, Allow) else "deny" if isinstance(result, Deny) else "absent",
        code=result.code if isinstance(result, Deny) else None,
        rule=None if isinstance(result, Absent) else result.rule,
        asks=result.asks,
        refused=result.refused if isinstance(result, Deny) else (),
        policy=policy.digest,
        engine_version=scene.context.engine_version,
    )
    assert b"\n" not in line
    json.loads(b"{" + line + b"}")


_FIXES = 5
"""Look-ups are made for a rule's sake alone, so that what is pasted may ask for more to be pasted."""


def _check_fixes(scene: Scene) -> None:
    """Pasting what each denial prints, from no rule at all, ends in an allowed call, or where nothing can be pasted."""
    pasted: dict[str, Any] = {"version": 1, "name": "pasted", "rules": []}
    message = ""
    for _ in range(_FIXES):
        policy = loads(yaml.safe_dump(pasted, allow_unicode=True, width=10_000), "pasted.yaml")
        result = _judged(scene, policy, None).result
        if not isinstance(result, Deny) or not result.fix:
            return
        fix, message = yaml.safe_load(result.fix), result.message
        if "rules" in fix:
            pasted["rules"] += fix["rules"]
        else:
            [rule] = [rule for rule in pasted["rules"] if rule["id"] == result.rule]
            rule.update(fix)
    raise AssertionError(f"pasted {_FIXES} times, and still refused: {message}\n{pasted}")


def _check_policy(name: str, judged: Judged, scene: Scene, policy: Policy, client: Any) -> None:
    result, operation = judged.result, judged.operation
    if name == "nothing":
        assert not isinstance(result, Absent)
        if isinstance(result, Allow):
            assert operation is not None
            assert operation.always
            assert not result.asks
    if name == "everything" and isinstance(result, Deny):
        assert operation is not None
        if operation.name in INSPECTED:
            assert result.refused
            # A volume's relative `device` is a path that no pattern means.
            relative = [ask for ask in result.refused if ask.kind == "bind" and not ask.value.startswith("/")]
            assert relative or not any(ask.grantable for ask in result.refused), result.message
        else:
            assert result.code == "no_rule"


def _check_allowed(judged: Judged, allowed: Allow, scene: Scene, policy: Policy, client: Any) -> None:
    operation, request = judged.operation, judged.request
    assert operation is not None
    assert request is not None
    assert not operation.never
    _check_covered(operation, allowed, policy, client)
    _check_body(operation, allowed.forward)
    _check_by_id(operation, request, allowed.forward, judged.context)
    _check_forward(operation, request, allowed.forward, scene)
    again = Scene(
        allowed.forward.method,
        allowed.forward.target,
        [
            (b"host", b"docker"),
            *((key.encode("latin-1"), value.encode("latin-1")) for key, value in _sent(allowed.forward)),
        ],
        allowed.forward.body,
        scene.engine,
        scene.context,
    )
    if scene.engine.consistent(judged.context.facts):
        _check_again(allowed, _judged(again, policy, client), operation)


def _check_covered(operation: Operation, allowed: Allow, policy: Policy, client: Any) -> None:
    for denial in policy.deny_rules:
        if operation.name in denial.operations:
            assert denial.asking
            for ask in allowed.asks:
                assert not any(pattern.matches(ask) for pattern in denial.asking.get(ask.kind, ()))
    if allowed.rule == "(always)":
        assert operation.always
        assert not allowed.asks
        return
    [rule] = [rule for rule in policy.rules if rule.id == allowed.rule]
    assert client is None or client.rules is None or rule.id in client.rules
    assert operation.name in rule.operations
    for ask in allowed.asks:
        assert _covers(rule, ask), f"{rule.id} does not cover {ask}"


def _covers(rule: Rule, ask: Ask) -> bool:
    """``policy/match.py`` once more, from what ``docker/asks.py`` says."""
    section = KINDS[ask.kind].section
    if not ask.grantable:
        return False
    if section == "limit":
        if ask.value not in rule.limit:
            return True
        return ask.value == "shm" if ask.amount is None else 1 <= ask.amount <= rule.limit[ask.value]
    if section == "require":
        return ask.value not in rule.require
    if section == "only" and ask.kind not in rule.only:
        return True
    if section == "grant" and ask.plain and "cap-drop-all" not in rule.require:
        return True
    patterns = rule.only[ask.kind] if section == "only" else rule.grant.get(ask.kind, ())
    return any(pattern.matches(ask) for pattern in patterns)


def _sent(forward: Forward) -> list[tuple[str, str]]:
    fields = list(forward.headers)
    if forward.upgrade is not None:
        fields.append(("upgrade", forward.upgrade))
    if forward.content_type is not None:
        fields.append(("content-type", forward.content_type))
    return fields


def _check_forward(operation: Operation, request: Request, forward: Forward, scene: Scene) -> None:
    assert forward.method == operation.method == request.method
    assert {name for name, _ in forward.headers} <= operation.headers
    assert all((name, value) in request.headers for name, value in forward.headers)
    assert forward.upgrade is None or forward.upgrade in operation.upgrade
    assert forward.hijacks == operation.hijack
    assert forward.streams_body == (operation.body == "tar")
    assert forward.body is None or operation.body == "json"
    assert (forward.body is None) == (forward.content_type is None)
    assert canonical(forward.method, forward.target.encode("ascii"), ()).path.startswith(
        "/" + operation.template.split("/")[1]
    )


def _check_body(operation: Operation, forward: Forward) -> None:
    """What an engine would read otherwise than it was judged is not there."""
    if forward.body is None:
        return
    body = json_body.parse(forward.body)
    if operation.name == "ContainerCreate":
        assert isinstance(body, dict)
        assert isinstance(body.get("HostConfig"), dict)  # without one, engines up to 26 read its fields at the top
        assert not {json_body.fold(key) for key in body} & _MISPLACED, body
    for endpoint in _endpoints(body):
        assert "networkid" not in map(json_body.fold, endpoint), body  # it would win over the name


_MISPLACED = {json_body.fold(key) for key in HOST_CONFIG_FIELDS} - {json_body.fold(key) for key in CONFIG_FIELDS}


def _endpoints(body: Any) -> Iterator[dict[str, Any]]:
    config = body.get("NetworkingConfig") if isinstance(body, dict) else None
    endpoints = config.get("EndpointsConfig") if isinstance(config, dict) else None
    yield from (each for each in (endpoints or {}).values() if isinstance(each, dict))
    if isinstance(body, dict) and isinstance(body.get("EndpointConfig"), dict):
        yield body["EndpointConfig"]


def _check_by_id(operation: Operation, request: Request, forward: Forward, context: Context) -> None:
    """A container that was looked up is forwarded by its id: its name may be another's by then. A link has but a name."""
    if not operation.access or not operation.template.startswith("/containers/{id}") or "link=1" in forward.target:
        return
    name = identify(request.method, request.path)[1]["id"].removeprefix("/")
    fact = context.facts.get(f"/containers/{name}/json")
    identity = fact.get("Id") if isinstance(fact, dict) else None
    if identity is not None:
        path = canonical(forward.method, forward.target.encode("ascii"), ()).path
        assert identify(forward.method, path)[1]["id"] == identity, forward


def _check_again(allowed: Allow, judged: Judged, operation: Operation) -> None:
    again = judged.result
    assert judged.operation is operation
    assert isinstance(again, Allow), f"what is forwarded is refused: {getattr(again, 'message', again)}"
    one, other = allowed.forward, again.forward
    assert one.target.partition("?")[0] == other.target.partition("?")[0]
    assert (one.method, one.headers, one.content_type, one.upgrade, one.hijacks) == (
        other.method,
        other.headers,
        other.content_type,
        other.upgrade,
        other.hijacks,
    )
    assert one.target == other.target, (one.target, other.target)
    if one.body is None or other.body is None:
        assert one.body == other.body
    else:
        assert strict.same(json.loads(one.body), json.loads(other.body), ordered=False), (one.body, other.body)
    before = {_key(ask) for ask in allowed.asks}
    for ask in again.asks:
        assert _key(ask) in before or _by_another_name(ask, allowed.asks), f"a new ask: {ask} ({ask.where})"


def _key(ask: Ask) -> tuple[Any, ...]:
    return ask.kind, ask.shown, ask.labels, ask.amount, ask.plain, ask.grantable


def _by_another_name(ask: Ask, before: tuple[Ask, ...]) -> bool:
    """An image that was named, and is now asked for by its id."""
    return ask.kind == "image" and any(each.kind == "image" and each.value in ask.aliases for each in before)


# What inputs are made of


def words() -> Iterator[str]:
    """Fields, and what stands in them. Most inputs are made by `mutate`."""
    yield from (f'"{name}":' for name in shapes.names())
    for pool in (shapes.REFERENCES, shapes.PATHS, shapes.IMAGES, shapes.BINDS):
        yield from (text for text in pool if text)
    yield from sorted({row.template for row in OPERATIONS})


def mutate(data: bytes, longest: int, rng: Random) -> bytes | None:
    """Another request of the same row, or the same request another way."""
    try:
        given = json.loads(data)
        scene = dict(given) if isinstance(given["request"], str) else {}
    except (ValueError, RecursionError, TypeError, KeyError):
        scene = {}
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        _change(scene, rng)
    made = json.dumps(scene, ensure_ascii=False).encode("utf-8", "replace")
    return made if len(made) <= longest else data


def _change(scene: dict[str, Any], rng: Random) -> None:
    if "request" not in scene or rng.random() < 0.04:
        scene.clear()
        _begin(scene, rng)
        return
    choice = rng.random()
    if choice < 0.15:
        scene["request"] = _changed_request(scene["request"], rng)
    elif choice < 0.30:
        _change_facts(scene, rng)
    elif choice < 0.36:
        _change_rest(scene, rng)
    elif "raw" in scene and rng.random() < 0.5:
        try:
            scene["body"] = json.loads(scene.pop("raw"))
        except (ValueError, RecursionError):
            return
    else:
        operation = _operation(scene["request"])
        schema = shapes.schema_of(operation.name) if operation is not None else None
        if "body" in scene or schema is not None:
            scene["body"] = shapes.changed(rng, scene.get("body", {}), schema)
            scene.pop("raw", None)
        else:
            scene["request"] = _changed_request(scene["request"], rng)


def _begin(scene: dict[str, Any], rng: Random) -> None:
    operation = rng.choice(_ROWS)
    path = re.sub(
        r"\{\w+\}",
        lambda _: _escaped(rng.choice(shapes.IMAGES if "/images/" in operation.template else shapes.REFERENCES)),
        operation.template,
    )
    scene["request"] = f"{operation.method} {rng.choice(('', '/v1.41', '/v1.24', '/v1.51', '/v1.43'))}{path}"
    if (schema := shapes.schema_of(operation.name)) is not None:
        scene["body"] = shapes.value(rng, schema)


_ROWS = [BY_NAME[name] for name in sorted(INSPECTED)]


def _operation(request: str) -> Operation | None:
    method, _, target = request.partition(" ")
    try:
        return judge.recognise(method.encode("utf-8", "replace"), target.encode("utf-8", "replace"), ())[1]
    except Refusal:
        return None


def _changed_request(request: str, rng: Random) -> str:
    operation = _operation(request)
    path, _, query = request.partition("?")
    pairs = [pair for pair in query.split("&") if pair]
    if rng.random() < 0.15 or operation is None:
        segments = path.split("/")
        at = rng.randrange(len(segments))
        segments[at] = _escaped(rng.choice(shapes.REFERENCES)) if at else segments[at]
        path = "/".join(segments)
    elif pairs and rng.random() < 0.3:
        del pairs[rng.randrange(len(pairs))]
    else:
        key = (
            rng.choice(sorted(operation.query))
            if operation.query and rng.random() < 0.95
            else rng.choice(("x", "name", "t"))
        )
        pairs.append(f"{key}={_escaped(str(shapes.value(rng, Str(), key)))}")
    return path + ("?" + "&".join(pairs) if pairs else "")


def _escaped(text: str) -> str:
    return encode_target(None, text).replace("%25", "%").replace("?", "%3F").replace("&", "%26")


_HOST_CONFIG = (
    "NetworkMode",
    "PidMode",
    "Privileged",
    "Binds",
    "Mounts",
    "CapAdd",
    "Devices",
    "SecurityOpt",
    "MaskedPaths",
    "Links",
)


def _change_facts(scene: dict[str, Any], rng: Random) -> None:
    """Answer a look-up that is made, or change an answer."""
    given = scene["facts"] = dict(scene.get("facts", {}))
    wanted = _wanted(scene) if rng.random() < 0.6 else []
    path = rng.choice(wanted or sorted(given) or [f"/containers/{rng.choice(('web', 'db', shapes.ID))}/json"])
    given[path] = facts.changed(rng, path, given.get(path))


def _wanted(scene: Mapping[str, Any]) -> list[str]:
    """What is looked up for a scene where every kind is held to something."""
    try:
        return sorted(_judged(Scene.read(scene), policies()["held"], None).context.facts)
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError):
        return []


def _change_rest(scene: dict[str, Any], rng: Random) -> None:
    match rng.randrange(4):
        case 0:
            scene["own"] = not scene.get("own")
        case 1:
            scene["host"] = not scene.get("host")
        case 2:
            scene["engine"] = [1, rng.choice((24, 40, 41, 42, 44, 48, 51, 56))]
        case _:
            name = rng.choice(
                (
                    "X-Registry-Auth",
                    "X-Registry-Config",
                    "Upgrade",
                    "Content-Type",
                    "Origin",
                    "X-Docker-Expose-Session-Uuid",
                    "Sec-WebSocket-Key",
                )
            )
            scene["headers"] = {
                **scene.get("headers", {}),
                name: rng.choice(("e30", "tcp", "h2c", "websocket", "application/json", "text/plain", "x" * 200, "")),
            }


def seeds() -> Iterator[tuple[str, bytes]]:
    """The corpus's attacks and the calls of real clients, and one of each row."""
    for case in materials.cases():
        scene: dict[str, Any] = {"request": f"{case.method} {case.target}"}
        if case.body is not None:
            try:
                scene["body"] = json.loads(case.body)
            except ValueError:
                scene["raw"] = case.body
        scene |= {"headers": dict(case.headers)} if case.headers else {}
        scene |= {"facts": dict(case.facts)} if case.facts else {}
        if case.own:
            scene |= {"own": True}
        yield case.name, json.dumps(scene, ensure_ascii=False, indent=1).encode("utf-8", "replace")
    for number, operation in enumerate(_ROWS * 6):
        rng = Random(number)
        scene = {}
        while "request" not in scene or _operation(scene["request"]) is not operation:
            path = re.sub(r"\{\w+\}", "web", operation.template)
            scene["request"] = f"{operation.method} /v1.41{path}"
        for _ in range(4):
            scene["request"] = _changed_request(scene["request"], rng)
        if (schema := shapes.schema_of(operation.name)) is not None:
            scene["body"] = shapes.value(rng, schema)
            for _ in range(number // len(_ROWS) * 4):
                scene["body"] = shapes.changed(rng, scene["body"], schema)
        _change_facts(scene, rng)
        _change_facts(scene, rng)
        _change_rest(scene, rng)
        yield f"row {operation.name}", json.dumps(scene, ensure_ascii=False, indent=1).encode("utf-8", "replace")
