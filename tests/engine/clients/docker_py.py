"""What docker-py makes of an engine: python docker_py.py NAME, with DOCKER_HOST set; prints what it saw."""

import io
import sys
import tarfile

import docker

name = sys.argv[1]
labels = {"sockproxy.test": "1"}
client = docker.from_env(timeout=30)
print("ping", client.ping(), client.version()["ApiVersion"] == client.api.api_version)
print("run", client.containers.run("busybox:test", ["echo", "hello"], name=name, labels=labels, remove=True))
try:
    client.containers.run("busybox:test", ["sh", "-c", "echo wrong >&2; exit 4"], name=name, labels=labels, remove=True)
except docker.errors.ContainerError as error:
    print("failed", error.exit_status, error.stderr)

network = client.networks.create(name, labels=labels)
volume = client.volumes.create(name, labels=labels)
container = client.containers.run(
    "busybox:test",
    ["sh", "-c", "echo one; sleep 0.3; echo two >&2; sleep 300"],
    name=name,
    labels=labels,
    detach=True,
    network=name,
    volumes={name: {"bind": "/data", "mode": "rw"}},
    ports={"80/tcp": ("127.0.0.1", None)},
    mem_limit="64m",
    cap_drop=["ALL"],
    security_opt=["no-new-privileges"],
    tmpfs={"/t": "size=1m"},
    environment={"A": "1"},
)
for line in container.logs(stream=True, follow=True):
    print("log", line)
    if b"two" in line or b"one\ntwo" in line:
        break
print("exec", container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 3"], demux=True, environment={"B": "2"}))
status, socket = container.exec_run("cat", stdin=True, socket=True)
socket._sock.sendall(b"typed\n")
socket._sock.shutdown(1)
print("exec -i", socket._sock.makefile("rb").read()[8:])
socket.close()
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as tar:
    entry = tarfile.TarInfo("put")
    entry.size = 4
    tar.addfile(entry, io.BytesIO(b"kept"))
print("put", container.put_archive("/data", archive.getvalue()))
stream, stat = container.get_archive("/data/put")
with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
    print("get", stat["name"], tar.extractfile("put").read())
print("top", [process[-1] for process in container.top()["Processes"]])
print("stats", container.stats(stream=False)["name"])
container.update(mem_limit="80m", memswap_limit="160m")
container.reload()
print("updated", container.attrs["HostConfig"]["Memory"], container.status)
container.stop(timeout=0)
print("wait", container.wait()["StatusCode"])
container.remove()
volume.remove()
network.remove()
image, log = client.images.build(
    fileobj=io.BytesIO(f"FROM busybox:test\nENV N={name}\nCMD echo built\n".encode()),
    tag=f"{name}:built",
    labels=labels,
    rm=True,
)
print("built", [line["stream"].split(" : ")[0] for line in log if "Step" in line.get("stream", "")])
print("run", client.containers.run(f"{name}:built", name=name, remove=True))
print("tagged", image.tag(name, "again"))
client.images.remove(f"{name}:again")
client.images.remove(f"{name}:built")
try:
    client.containers.get(f"{name}-never")
except docker.errors.NotFound as error:
    print("not found", error.status_code, error.explanation)
client.close()
