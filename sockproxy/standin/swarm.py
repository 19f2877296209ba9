"""What the pretend engine answers as a manager of a swarm of its own: services, secrets and configs are kept, and run
nowhere. Where it is in no swarm, it says so in Docker's words.
"""

from __future__ import annotations

import secrets
from typing import Final

from sockproxy.model import Json, JsonObject
from sockproxy.standin.wire import Answer, EngineError, Reply, Request
from sockproxy.standin.world import MOST, Route, World, now, part, text_map

_VERSION: Final[JsonObject] = {"Index": 1}


def state(world: World) -> JsonObject:
    """What `info` says of the swarm."""
    if not world.swarm.active:
        return {"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": False}
    cluster: JsonObject = {"ID": "standin0000000000000swarm", "Version": _VERSION, "CreatedAt": now()}
    node: JsonObject = {"NodeID": world.swarm.node, "NodeAddr": "127.0.0.1", "LocalNodeState": "active"}
    return {**node, "ControlAvailable": True, "Nodes": 1, "Managers": 1, "Cluster": cluster}


def _check_manager(world: World) -> None:
    if not world.swarm.active:
        words = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join"'
        raise EngineError(503, f"{words} to connect this node to swarm and try again.")


async def _init(world: World, request: Request, _name: str) -> Reply:
    await request.read_json()
    if world.swarm.active:
        raise EngineError(503, 'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm.')
    world.swarm.active = True
    return Answer(body=world.swarm.node)


async def _join(world: World, request: Request, _name: str) -> Reply:
    await request.read_json()
    world.swarm.active = True
    return Answer(200, b"", "text/plain")


async def _leave(world: World, _request: Request, _name: str) -> Reply:
    _check_manager(world)
    world.swarm.active = False
    return Answer(200, b"", "text/plain")


async def _inspect_swarm(world: World, _request: Request, _name: str) -> Reply:
    _check_manager(world)
    tokens: JsonObject = {"Worker": "SWMTKN-standin-worker", "Manager": "SWMTKN-standin-manager"}
    return Answer(body={**part(state(world), "Cluster"), "JoinTokens": tokens, "Spec": {"Name": "default"}})


async def _update_swarm(world: World, request: Request, _name: str) -> Reply:
    _check_manager(world)
    await request.read_json()
    return Answer(200, b"", "text/plain")


async def _list_nodes(world: World, _request: Request, _name: str) -> Reply:
    _check_manager(world)
    return Answer(body=[_node(world)])


async def _inspect_node(world: World, _request: Request, name: str) -> Reply:
    _check_manager(world)
    if name not in {world.swarm.node, "standin", "self"}:
        raise EngineError(404, f"node {name} not found")
    return Answer(body=_node(world))


def _node(world: World) -> JsonObject:
    return {
        "ID": world.swarm.node,
        "Version": _VERSION,
        "Spec": {"Role": "manager", "Availability": "active", "Labels": {}},
        "Description": {"Hostname": "standin", "Platform": {"Architecture": "x86_64", "OS": "linux"}},
        "Status": {"State": "ready", "Addr": "127.0.0.1"},
        "ManagerStatus": {"Leader": True, "Reachability": "reachable", "Addr": "127.0.0.1:2377"},
    }


async def _list_tasks(world: World, _request: Request, _name: str) -> Reply:
    """One task for each service, that has come to where it should be."""
    _check_manager(world)
    tasks: list[Json] = [
        {
            "ID": f"{identity[:-4]}task",
            "ServiceID": identity,
            "NodeID": world.swarm.node,
            "Slot": 1,
            "DesiredState": "running",
            "Spec": part(part(service, "Spec"), "TaskTemplate"),
            "Status": {"State": "running", "Timestamp": now(), "ContainerStatus": {"ContainerID": "", "PID": 0}},
        }
        for identity, service in world.swarm.kept.get("service", {}).items()
    ]
    return Answer(body=tasks)


def _routes(noun: str, plural: str) -> tuple[tuple[str, str, Route], ...]:
    """What services, secrets and configs have in common."""

    def kept(world: World) -> dict[str, JsonObject]:
        _check_manager(world)
        return world.swarm.kept.setdefault(noun, {})

    def found(world: World, reference: str) -> JsonObject:
        for identity, each in kept(world).items():
            if reference in {identity, part(each, "Spec").get("Name")}:
                return each
        raise EngineError(404, f"{noun} {reference} not found")

    async def list_(world: World, _request: Request, _name: str) -> Reply:
        return Answer(body=list(kept(world).values()))

    async def create(world: World, request: Request, _name: str) -> Reply:
        spec = await request.read_json()
        there = kept(world)
        if len(there) >= MOST:
            raise EngineError(507, f"the stand-in keeps at most {MOST} {plural}")
        if any(part(each, "Spec").get("Name") == spec.get("Name") for each in there.values()):
            raise EngineError(409, f"rpc error: code = AlreadyExists desc = {noun} {spec.get('Name')} already exists")
        identity = secrets.token_hex(13)[:25]
        shown: JsonObject = {**spec, "Labels": dict(text_map(spec.get("Labels")))}
        shown.pop("Data", None)  # a secret's is never told again
        there[identity] = {"ID": identity, "Version": _VERSION, "CreatedAt": now(), "UpdatedAt": now(), "Spec": shown}
        return Answer(201, {"ID": identity})

    async def inspect(world: World, _request: Request, name: str) -> Reply:
        return Answer(body=found(world, name))

    async def update(world: World, request: Request, name: str) -> Reply:
        found(world, name)["Spec"] = await request.read_json()
        return Answer(body={"Warnings": None}) if noun == "service" else Answer(200, b"", "text/plain")

    async def remove(world: World, _request: Request, name: str) -> Reply:
        del kept(world)[str(found(world, name)["ID"])]
        return Answer(200 if noun == "service" else 204, b"", "text/plain")

    return (
        ("GET", f"/{plural}", list_),
        ("POST", f"/{plural}/create", create),
        ("POST", f"/{plural}/{{}}/update", update),
        ("GET", f"/{plural}/{{}}", inspect),
        ("DELETE", f"/{plural}/{{}}", remove),
    )


ROUTES: Final[tuple[tuple[str, str, Route], ...]] = (
    ("GET", "/swarm", _inspect_swarm),
    ("POST", "/swarm/init", _init),
    ("POST", "/swarm/join", _join),
    ("POST", "/swarm/leave", _leave),
    ("POST", "/swarm/update", _update_swarm),
    ("GET", "/nodes", _list_nodes),
    ("GET", "/nodes/{}", _inspect_node),
    ("GET", "/tasks", _list_tasks),
    *_routes("service", "services"),
    *_routes("secret", "secrets"),
    *_routes("config", "configs"),
)
"""As `routes.ROUTES`."""
