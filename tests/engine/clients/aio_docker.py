"""What aiodocker makes of an engine: python aio_docker.py NAME, with DOCKER_HOST set; prints what it saw."""

import asyncio
import io
import sys
import tarfile

import aiodocker

name = sys.argv[1]
labels = {"sockproxy.test": "1"}


async def main() -> None:
    async with aiodocker.Docker() as docker:
        print("version", sorted(await docker.version())[:3])
        settings = {
            "Image": "busybox:test",
            "Cmd": ["sh", "-c", "read x; echo got $x; sleep 300"],
            "Labels": labels,
            "OpenStdin": True,
            "HostConfig": {"Memory": 64 << 20, "CapDrop": ["ALL"]},
        }
        events = docker.events.subscribe()
        container = await docker.containers.create(settings, name=name)
        async with container.attach(stdin=True, stdout=True, stderr=True) as stream:
            await container.start()
            await stream.write_in(b"typed\n")
            print("attach", (await stream.read_out()).data)
        async with asyncio.timeout(30):
            while True:
                event = await events.get()
                if event["Actor"]["Attributes"].get("name") == name and event["Action"] == "start":
                    print("event", event["Type"], event["Action"])
                    break
        execution = await container.exec(["sh", "-c", "cat; exit 5"], stdin=True)
        async with execution.start(detach=False) as stream:
            await stream.write_in(b"through exec\n")
            print("exec", (await stream.read_out()).data)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo("put")
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"kept"))
        print("put", await container.put_archive("/tmp", archive.getvalue()))
        print("get", (await container.get_archive("/tmp/put")).extractfile("put").read())
        print("log", await container.log(stdout=True))
        await container.kill()
        print("wait", (await container.wait())["StatusCode"])
        await container.delete()
        try:
            await docker.containers.get(f"{name}-never")
        except aiodocker.DockerError as error:
            print("not found", error.status, error.message)


asyncio.run(main())
