"""The pretend engine's endpoints: a table, and a short function for each row."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

from sockproxy.model import Json, JsonObject
from sockproxy.standin import archives, swarm
from sockproxy.standin.wire import Answer, EngineError, Hijack, Reply, Request, Stream, logs, progress
from sockproxy.standin.world import Container, Route, World, digest, normal, now, part

_VERSION: Final = "28.5.2-standin"

NOT_FOUND: Final = "page not found"
"""What is said where no endpoint fits."""

_CAN: Final = (
    "MemoryLimit",
    "SwapLimit",
    "CpuCfsPeriod",
    "CpuCfsQuota",
    "CPUShares",
    "CPUSet",
    "PidsLimit",
    "IPv4Forwarding",
    "BridgeNfIptables",
    "BridgeNfIp6tables",
)
"""What clients warn of where an engine's `info` lacks it."""


async def answer(world: World, request: Request) -> Reply:
    """The reply to one request.

    :raises EngineError: what Docker would answer with an error.
    """
    for method, path, route in _COMPILED:
        if method == request.method and (match := path.fullmatch(request.path)):
            try:
                return await route(world, request, match[1] if path.groups else "")
            except ValueError as error:
                raise EngineError(400, f"bad parameter: {error}") from None
    raise EngineError(404, NOT_FOUND)


# The engine


async def _ping(_world: World, _request: Request, _name: str) -> Reply:
    headers = {"Cache-Control": "no-cache, no-store, must-revalidate", "Docker-Experimental": "false"}
    return Answer(body=b"OK", content_type="text/plain; charset=utf-8", headers=headers)


async def _version(world: World, _request: Request, _name: str) -> Reply:
    facts: JsonObject = {
        "Version": _VERSION,
        "ApiVersion": world.spoken.newest,
        "MinAPIVersion": world.spoken.oldest,
        "GitCommit": "standin",
        "GoVersion": "none",
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": "none",
        "BuildTime": "2024-01-01T00:00:00.000000000+00:00",
    }
    engine: JsonObject = {"Name": "Engine", "Version": _VERSION, "Details": facts}
    return Answer(body={"Platform": {"Name": "sockproxy's stand-in"}, "Components": [engine], **facts})


async def _info(world: World, _request: Request, _name: str) -> Reply:
    statuses = [each.status for each in world.containers.values()]
    plugins: JsonObject = {"Volume": ["local"], "Network": ["bridge", "host", "null"], "Log": ["json-file", "local"]}
    facts: JsonObject = {
        "ID": "00000000-0000-0000-0000-000000000000",
        "Name": "standin",
        "Containers": len(statuses),
        "ContainersRunning": statuses.count("running"),
        "ContainersPaused": 0,
        "ContainersStopped": len(statuses) - statuses.count("running"),
        "Images": len(set(world.images.values())),
        "Driver": "overlay2",
        "DriverStatus": [["Stand-in", "true"]],
        "Plugins": plugins,
        "OperatingSystem": "sockproxy's stand-in (nothing is really run)",
        "OSType": "linux",
        "Architecture": "x86_64",
        "NCPU": 2,
        "MemTotal": 4 << 30,
        **dict.fromkeys(_CAN, True),
        "DockerRootDir": "/var/lib/docker",
        "ServerVersion": _VERSION,
        "DefaultRuntime": "runc",
        "Runtimes": {"runc": {"path": "runc"}},
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2",
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {"IndexConfigs": {}, "InsecureRegistryCIDRs": [], "Mirrors": None},
        "Swarm": swarm.state(world),
        "SecurityOptions": ["name=seccomp,profile=builtin"],
        "SystemTime": now(),
        "Labels": [],
        "Warnings": None,
    }
    return Answer(body=facts)


async def _disk_usage(world: World, _request: Request, _name: str) -> Reply:
    containers: list[Json] = [{**each.summary(), "SizeRw": 0} for each in world.containers.values()]
    volumes: list[Json] = [{**each, "UsageData": {"RefCount": 0, "Size": 0}} for each in world.volumes.values()]
    usage: JsonObject = {"Images": _images(world), "Containers": containers, "Volumes": volumes}
    return Answer(body={"LayersSize": 0, "BuildCache": [], **usage})


async def _auth(_world: World, request: Request, _name: str) -> Reply:
    await request.read_json()
    return Answer(body={"Status": "Login Succeeded", "IdentityToken": ""})


async def _events(world: World, request: Request, _name: str) -> Reply:
    until = request.query.get("until")
    left = None if until is None else max(0.0, float(until) - time.time())
    return Stream(_event_lines(world, left))


async def _event_lines(world: World, seconds: float | None) -> AsyncIterator[bytes]:
    """Events as lines of JSON, for so many seconds or without an end."""
    try:
        async with asyncio.timeout(seconds), aclosing(world.events()) as events:
            async for event in events:
                yield json.dumps(event).encode() + b"\n"
    except TimeoutError:
        return


# Containers


async def _list_containers(world: World, request: Request, _name: str) -> Reply:
    everything = request.flag("all")
    chosen = filters(request)
    found: list[Json] = [
        each.summary()
        for each in world.containers.values()
        if (everything or each.process.running) and _matches(each, chosen)
    ]
    return Answer(body=found)


def _matches(container: Container, chosen: dict[str, set[str]]) -> bool:
    """The filters ``label``, ``name``, ``id`` and ``status``."""
    labels = container.labels
    held = {*labels, *(f"{key}={value}" for key, value in labels.items())}
    tests: dict[str, Callable[[set[str]], bool]] = {
        "label": lambda wanted: wanted <= held,
        "name": lambda wanted: any(each in container.name for each in wanted),
        "id": lambda wanted: any(container.id.startswith(each) for each in wanted),
        "status": lambda wanted: container.status in wanted,
    }
    return all(tests[name](wanted) for name, wanted in chosen.items() if wanted and name in tests)


async def _create(world: World, request: Request, _name: str) -> Reply:
    made = world.make_container(request.query.get("name", ""), await request.read_json())
    return Answer(201, {"Id": made.id, "Warnings": []})


async def _inspect(world: World, _request: Request, name: str) -> Reply:
    return Answer(body=world.container(name).inspected())


async def _start(world: World, _request: Request, name: str) -> Reply:
    return Answer(204 if world.start(world.container(name)) else 304)


async def _stop(world: World, _request: Request, name: str) -> Reply:
    return await _end(world.container(name), 143)


async def _kill(world: World, _request: Request, name: str) -> Reply:
    container = world.container(name)
    if not container.process.running:
        raise EngineError(409, f"cannot kill container: {name}: container {container.id} is not running")
    return await _end(container, 137)


async def _end(container: Container, exit_code: int) -> Reply:
    if not container.process.running:
        return Answer(304)
    container.process.stop(exit_code)
    await container.process.finished.wait()
    return Answer(204)


async def _restart(world: World, _request: Request, name: str) -> Reply:
    container = world.container(name)
    await _end(container, 143)
    world.start(container)
    return Answer(204)


async def _wait(world: World, request: Request, name: str) -> Reply:
    container = world.container(name)
    return Stream(_exit_status(container, request.query.get("condition", "not-running")))


async def _exit_status(container: Container, condition: str) -> AsyncIterator[bytes]:
    """One line of JSON when the container has come to what was waited for; the head goes out before it."""
    process = container.process
    if condition == "removed":
        await container.removed.wait()
    elif condition == "next-exit" or process.running:
        await process.finished.wait()
    yield json.dumps({"StatusCode": process.exit_code or 0}).encode() + b"\n"


async def _logs(world: World, request: Request, name: str) -> Reply:
    process = world.container(name).process
    kind = "raw" if process.tty else "multiplexed"
    return Stream(logs(process, follow=request.flag("follow")), f"application/vnd.docker.{kind}-stream")


async def _attach(world: World, request: Request, name: str) -> Reply:
    process = world.container(name).process
    return Hijack(process, stdin=request.flag("stdin"), logs=request.flag("logs"))


async def _top(world: World, _request: Request, name: str) -> Reply:
    command = " ".join(world.container(name).process.argv)
    return Answer(body={"Titles": ["PID", "USER", "COMMAND"], "Processes": [["4242", "root", command]]})


async def _changes(world: World, _request: Request, name: str) -> Reply:
    world.container(name)
    return Answer(body=[])


async def _stats(world: World, _request: Request, name: str) -> Reply:
    """One sample, and the stream ends with it."""
    container = world.container(name)
    used: JsonObject = {"total_usage": 0, "percpu_usage": [0]}
    cpu: JsonObject = {"cpu_usage": used, "system_cpu_usage": 0, "online_cpus": 2}
    sample: JsonObject = {"read": now(), "preread": now(), "id": container.id, "name": f"/{container.name}"}
    more: JsonObject = {"memory_stats": {"usage": 0, "limit": 4 << 30}, "networks": {}, "pids_stats": {"current": 1}}
    return Stream(progress({**sample, "cpu_stats": cpu, "precpu_stats": cpu, "blkio_stats": {}, **more}))


async def _update(world: World, request: Request, name: str) -> Reply:
    container = world.container(name)
    container.config = {
        **container.config,
        "HostConfig": {**part(container.config, "HostConfig"), **await request.read_json()},
    }
    return Answer(body={"Warnings": None})


async def _prune_containers(world: World, _request: Request, _name: str) -> Reply:
    ended = [each for each in world.containers.values() if not each.process.running]
    for each in ended:
        await world.remove(each)
    return Answer(body={"ContainersDeleted": [each.id for each in ended], "SpaceReclaimed": 0})


async def _nothing(world: World, _request: Request, name: str) -> Reply:
    world.container(name)
    return Answer(204)


async def _resize(world: World, _request: Request, name: str) -> Reply:
    world.container(name)
    return Answer(200, b"", "text/plain")


async def _rename(world: World, request: Request, name: str) -> Reply:
    world.container(name).name = request.query.get("name", name).removeprefix("/")
    return Answer(204)


async def _remove(world: World, request: Request, name: str) -> Reply:
    container = world.container(name)
    if container.process.running and not request.flag("force"):
        words = f"cannot remove container {name!r}: container is running"
        raise EngineError(409, f"{words}: stop the container before removing or force remove")
    await world.remove(container)
    return Answer(204)


# Execs


async def _exec_create(world: World, request: Request, name: str) -> Reply:
    return Answer(201, {"Id": world.make_exec(world.container(name), await request.read_json()).id})


async def _exec_start(world: World, request: Request, name: str) -> Reply:
    exec_ = world.exec(name)
    body = await request.read_json()
    if exec_.process.running or exec_.process.exit_code is not None:
        raise EngineError(409, f"exec {name} has already run")
    if body.get("Detach") is True:
        exec_.process.start()
        return Answer(200, b"", "text/plain")
    return Hijack(exec_.process, stdin=exec_.process.open_stdin, logs=True, starts=True)


async def _exec_inspect(world: World, _request: Request, name: str) -> Reply:
    return Answer(body=world.exec(name).inspected())


async def _exec_resize(world: World, _request: Request, name: str) -> Reply:
    world.exec(name)
    return Answer(200, b"", "text/plain")


# Images


def _images(world: World) -> list[Json]:
    by_id: dict[str, list[Json]] = {}
    for name, identity in world.images.items():
        by_id.setdefault(identity, []).append(name)
    shared: JsonObject = {"ParentId": "", "Created": int(time.time()), "Size": 0, "SharedSize": -1, "Containers": -1}
    return [{**shared, "Id": key, "RepoTags": names, "RepoDigests": [], "Labels": None} for key, names in by_id.items()]


async def _list_images(world: World, request: Request, _name: str) -> Reply:
    wanted = {normal(each) for each in filters(request).get("reference", ())}

    def fits(image: Json) -> bool:
        tags = image.get("RepoTags") if isinstance(image, dict) else None
        return not wanted or bool(wanted & set(map(str, tags if isinstance(tags, list) else ())))

    return Answer(body=[each for each in _images(world) if fits(each)])


async def _inspect_image(world: World, _request: Request, name: str) -> Reply:
    identity = world.image(name)
    names: list[Json] = [each for each, key in world.images.items() if key == identity]
    facts: JsonObject = {
        "Id": identity,
        "RepoTags": names,
        "RepoDigests": [],
        "Created": "2024-01-01T00:00:00Z",
        "Config": {"Env": ["PATH=/bin"], "Cmd": None, "Labels": None},
        "Architecture": "amd64",
        "Os": "linux",
        "Size": 0,
        "RootFS": {"Type": "layers", "Layers": []},
    }
    return Answer(body=facts)


async def _image_history(world: World, _request: Request, name: str) -> Reply:
    entry: JsonObject = {"Id": world.image(name), "Created": 0, "CreatedBy": "", "Tags": None, "Size": 0, "Comment": ""}
    return Answer(body=[entry])


async def _pull(world: World, request: Request, _name: str) -> Reply:
    await request.drain()
    source, tag = request.query.get("fromImage", ""), request.query.get("tag", "")
    if not source:
        return archives.imported(world, request)
    reference = source if not tag else f"{source}@{tag}" if tag.startswith("sha256:") else f"{source}:{tag}"
    identity = world.add_image(reference)
    return Stream(
        progress(
            {"status": f"Pulling from {source}", "id": tag or "latest"},
            {"status": f"Digest: {identity}"},
            {"status": f"Status: Downloaded newer image for {normal(reference)}"},
        )
    )


async def _push(world: World, request: Request, name: str) -> Reply:
    await request.drain()
    tag = request.query.get("tag") or "latest"
    identity = world.image(name if ":" in name.rpartition("/")[2] else f"{name}:{tag}")
    return Stream(
        progress(
            {"status": f"The push refers to repository [{name}]"},
            {"status": f"{tag}: digest: {identity} size: 0"},
            {"aux": {"Tag": tag, "Digest": identity, "Size": 0}},
        )
    )


async def _build(world: World, request: Request, _name: str) -> Reply:
    size = await request.drain()
    identity = world.add_image(request.query.get("t") or f"build-{digest(now())[:12]}")
    return Stream(
        progress(
            {"stream": f"stand-in: took {size} bytes of context, built nothing\n"},
            {"aux": {"ID": identity}},
            {"stream": f"Successfully built {identity.removeprefix('sha256:')[:12]}\n"},
        )
    )


async def _tag(world: World, request: Request, name: str) -> Reply:
    repository, tag = request.query.get("repo", ""), request.query.get("tag") or "latest"
    world.add_image(f"{repository}:{tag}", world.image(name))
    return Answer(201, b"", "text/plain")


async def _remove_image(world: World, _request: Request, name: str) -> Reply:
    identity = world.image(name)
    gone = (
        [normal(name)]
        if normal(name) in world.images
        else [each for each in world.images if world.images[each] == identity]
    )
    for each in gone:
        del world.images[each]
    untagged: list[Json] = [{"Untagged": each} for each in gone]
    return Answer(body=untagged if identity in world.images.values() else [*untagged, {"Deleted": identity}])


async def _search(_world: World, _request: Request, _name: str) -> Reply:
    return Answer(body=[])


async def _distribution(_world: World, _request: Request, name: str) -> Reply:
    kind = "application/vnd.oci.image.index.v1+json"
    descriptor: JsonObject = {"mediaType": kind, "digest": f"sha256:{digest(normal(name))}", "size": 0}
    return Answer(body={"Descriptor": descriptor, "Platforms": [{"architecture": "amd64", "os": "linux"}]})


async def _prune_images(_world: World, _request: Request, _name: str) -> Reply:
    return Answer(body={"ImagesDeleted": None, "SpaceReclaimed": 0})


async def _prune_builds(_world: World, _request: Request, _name: str) -> Reply:
    return Answer(body={"CachesDeleted": None, "SpaceReclaimed": 0})


async def _tunnel(_world: World, _request: Request, _name: str) -> Reply:
    raise EngineError(501, "the stand-in cannot act out BuildKit, which works inside a tunnel")


# Networks and volumes


def filters(request: Request) -> dict[str, set[str]]:
    """The query's filters, in both of the forms that Docker reads."""
    told = json.loads(request.query.get("filters") or "{}")
    return {name: set(map(str, wanted or ())) for name, wanted in told.items()}


def _fits(thing: JsonObject, chosen: dict[str, set[str]]) -> bool:
    """The filters ``label``, ``name``, ``id`` and ``driver`` of networks and volumes."""
    labels = part(thing, "Labels")
    held = {*labels, *(f"{key}={value}" for key, value in labels.items())}
    name, identity = str(thing["Name"]), str(thing.get("Id") or "")
    tests: dict[str, Callable[[set[str]], bool]] = {
        "label": lambda wanted: wanted <= held,
        "name": lambda wanted: any(each in name for each in wanted),
        "id": lambda wanted: any(identity.startswith(each) for each in wanted),
        "driver": lambda wanted: thing.get("Driver") in wanted,
    }
    return all(tests[name](wanted) for name, wanted in chosen.items() if wanted and name in tests)


async def _list_networks(world: World, request: Request, _name: str) -> Reply:
    chosen = filters(request)
    return Answer(body=[each for each in world.networks.values() if _fits(each, chosen)])


async def _create_network(world: World, request: Request, _name: str) -> Reply:
    return Answer(201, {"Id": world.make_network(await request.read_json())["Id"], "Warning": ""})


async def _inspect_network(world: World, _request: Request, name: str) -> Reply:
    return Answer(body=world.network(name))


async def _connect(world: World, request: Request, name: str) -> Reply:
    network = world.network(name)
    container = world.container(str((await request.read_json()).get("Container") or ""))
    network["Containers"] = {**part(network, "Containers"), container.id: {"Name": container.name}}
    return Answer(200, b"", "text/plain")


async def _disconnect(world: World, request: Request, name: str) -> Reply:
    network = world.network(name)
    container = world.container(str((await request.read_json()).get("Container") or ""))
    network["Containers"] = {key: each for key, each in part(network, "Containers").items() if key != container.id}
    return Answer(200, b"", "text/plain")


async def _remove_network(world: World, _request: Request, name: str) -> Reply:
    network = world.network(name)
    if network["Name"] in {"bridge", "host", "none"}:
        raise EngineError(403, f"{network['Name']} is a pre-defined network and cannot be removed")
    del world.networks[str(network["Id"])]
    return Answer(204)


async def _prune_networks(_world: World, _request: Request, _name: str) -> Reply:
    return Answer(body={"NetworksDeleted": None})


async def _list_volumes(world: World, request: Request, _name: str) -> Reply:
    chosen = filters(request)
    found: list[Json] = [each for each in world.volumes.values() if _fits(each, chosen)]
    return Answer(body={"Volumes": found, "Warnings": None})


async def _create_volume(world: World, request: Request, _name: str) -> Reply:
    return Answer(201, world.make_volume(await request.read_json()))


async def _inspect_volume(world: World, _request: Request, name: str) -> Reply:
    return Answer(body=world.volume(name))


async def _remove_volume(world: World, _request: Request, name: str) -> Reply:
    del world.volumes[str(world.volume(name)["Name"])]
    return Answer(204)


async def _prune_volumes(_world: World, _request: Request, _name: str) -> Reply:
    return Answer(body={"VolumesDeleted": None, "SpaceReclaimed": 0})


async def _list_plugins(_world: World, _request: Request, _name: str) -> Reply:
    return Answer(body=[])


ROUTES: Final[tuple[tuple[str, str, Route], ...]] = (
    ("GET", "/_ping", _ping),
    ("HEAD", "/_ping", _ping),
    ("GET", "/version", _version),
    ("GET", "/info", _info),
    ("GET", "/system/df", _disk_usage),
    ("GET", "/events", _events),
    ("POST", "/auth", _auth),
    ("GET", "/containers/json", _list_containers),
    ("POST", "/containers/create", _create),
    ("POST", "/containers/prune", _prune_containers),
    ("GET", "/containers/{}/json", _inspect),
    ("GET", "/containers/{}/logs", _logs),
    ("GET", "/containers/{}/top", _top),
    ("GET", "/containers/{}/changes", _changes),
    ("GET", "/containers/{}/stats", _stats),
    ("POST", "/containers/{}/start", _start),
    ("POST", "/containers/{}/stop", _stop),
    ("POST", "/containers/{}/kill", _kill),
    ("POST", "/containers/{}/restart", _restart),
    ("POST", "/containers/{}/update", _update),
    ("POST", "/containers/{}/pause", _nothing),
    ("POST", "/containers/{}/unpause", _nothing),
    ("POST", "/containers/{}/wait", _wait),
    ("POST", "/containers/{}/attach", _attach),
    ("POST", "/containers/{}/resize", _resize),
    ("POST", "/containers/{}/rename", _rename),
    ("POST", "/containers/{}/exec", _exec_create),
    ("DELETE", "/containers/{}", _remove),
    ("POST", "/exec/{}/start", _exec_start),
    ("POST", "/exec/{}/resize", _exec_resize),
    ("GET", "/exec/{}/json", _exec_inspect),
    *archives.ROUTES,
    ("GET", "/images/json", _list_images),
    ("GET", "/images/search", _search),
    ("POST", "/images/prune", _prune_images),
    ("GET", "/distribution/{}/json", _distribution),
    ("GET", "/images/{}/json", _inspect_image),
    ("GET", "/images/{}/history", _image_history),
    ("POST", "/images/create", _pull),
    ("POST", "/images/{}/push", _push),
    ("POST", "/images/{}/tag", _tag),
    ("DELETE", "/images/{}", _remove_image),
    ("POST", "/build", _build),
    ("POST", "/build/prune", _prune_builds),
    ("POST", "/session", _tunnel),
    ("POST", "/grpc", _tunnel),
    ("GET", "/networks", _list_networks),
    ("POST", "/networks/create", _create_network),
    ("POST", "/networks/prune", _prune_networks),
    ("POST", "/networks/{}/connect", _connect),
    ("POST", "/networks/{}/disconnect", _disconnect),
    ("GET", "/networks/{}", _inspect_network),
    ("DELETE", "/networks/{}", _remove_network),
    ("GET", "/volumes", _list_volumes),
    ("POST", "/volumes/create", _create_volume),
    ("POST", "/volumes/prune", _prune_volumes),
    ("GET", "/volumes/{}", _inspect_volume),
    ("DELETE", "/volumes/{}", _remove_volume),
    ("GET", "/plugins", _list_plugins),
    *swarm.ROUTES,
)
"""Method, path (``{}`` is a name, which may hold slashes) and what answers it; the first that fits is taken."""

_COMPILED: Final = tuple((method, re.compile(path.replace("{}", "(.+)")), route) for method, path, route in ROUTES)
