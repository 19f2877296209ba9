"""The corpus: attacks, nonsense and legitimate calls, one line each, and the scene that they play in.

A line is judged purely (``tests/test_corpus.py``), and sent to a bare engine and through sockproxy in front of it
(``tests/engine/test_attacks_on_bare_engines.py``). `$word` in a line is a name: of a thing of ``scene.yaml``, or one of
`WORDS`. The scene is written once, so what the pure judge is told of a container is what the engine's one was made of.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml

from sockproxy.model import STAT

CORPUS = Path(__file__).parent
POLICY = CORPUS / "ci.yaml"
SUITES = {"20.10": "bookworm", "28.5": "forky"}
"""Debian's name for the engine of a version, as lines say it (``on: bookworm``)."""

CLASSES = {
    "A": "a host mount",
    "B": "privilege",
    "C": "namespaces",
    "D": "another container's powers",
    "E": "an exec that somebody else made",
    "F": "images",
    "G": "plug-ins",
    "H": "swarm",
    "I": "checkpoints",
    "J": "log drivers",
    "K": "networks",
    "L": "reading",
    "M": "what changes between a check and its use",
    "N": "starving the host",
    "O": "side doors",
    "peer": "what another proxy got wrong",
}
PEERS = {
    "volume options": "looked at the fields it knew: a volume's driver options inside a mount",
    "top level": "looked at HostConfig only: its fields at the top level, which engines up to 26 apply",
    "start body": "looked at create only: a HostConfig on start below API 1.24, which engines up to 25 apply",
    "form": "looked at the query only: a form in the body, which wins over it",
    "two paths": "matched the cleaned path and forwarded the other",
    "unread body": "did not look at a body that was chunked, of length none or too large",
    "upgrade": "let every `Upgrade: tcp` past",
    "unanchored": "patterns without an end or a beginning",
    "not found": "took a look-up that failed for a yes",
    "raw 200": "forgot the hijack that comes without an upgrade",
    "HTML": "denied with a page, which no client prints",
    "executed first": "executed, then filtered the answer",
}
WORDS = {
    "image": "busybox:test",
    "n": "new",
    "ci": "ci",
    "evil": "evil.example",
    "trusted": "python:1",
    "net": "10.1.1",
}
"""Names that are no things of the scene: an image that is there, one for something new, what the policy's names begin
with, the attacker's server (a registry too), an image that others run, whose repository is `$trusted_repo`, and what the
addresses of `$mine` begin with.
Of a thing `$word_id` is the id, `$word_short` its first digits, and `$word_version` what a swarm counts its changes by."""


@dataclass(frozen=True)
class Bare:
    """What the attack does to an engine that nothing stands in front of."""

    status: int = 0
    """Its status; none where it is no matter, as the engine has asked the attacker's server by then."""
    on: str = ""
    """The only engine that takes it; both do where it is empty."""
    shows: Any = None
    """What the inspect of what was made must contain."""
    at: str = ""
    """The path of that inspect, where the request and its answer do not give it."""
    says: str = ""
    """What the answer must contain."""
    fetches: str = ""
    """What the attacker's server is asked for by the engine."""
    spoils: tuple[str, ...] = ()
    """Things of the scene that are not what they were afterwards."""


@dataclass(frozen=True)
class Line:
    """One request, what it does to a bare engine, and why it is refused."""

    file: str
    name: str
    method: str
    target: str
    body: str | None = None
    tar: Mapping[str, str] | None = None
    """The files of a body that is a tar."""
    chunked: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    """An empty one is left out where it would be sent."""
    kind: str = ""
    """A key of `CLASSES`."""
    peer: str = ""
    """A key of `PEERS`."""
    asks: tuple[str, ...] = ()
    """At least one of these is among the refused asks."""
    code: str = ""
    """The code of the denial, where it is not for an ask."""
    edge: int = 0
    """The status with which it is refused before it is a request that could be judged."""
    own: bool = False
    """It is refused for sockproxy's own container, so by an ask that no rule can grant."""
    needs: tuple[str, ...] = ()
    """Things of the scene that it does not name."""
    missing: tuple[str, ...] = ()
    """Look-ups that are answered with 404."""
    bare: Bare | None = None
    why: str = ""
    """Why it cannot be tried here, where `bare` is None."""

    @property
    def id(self) -> str:
        return f"{self.file}: {self.name}"

    @property
    def things(self) -> tuple[str, ...]:
        """The things of the scene that must be there."""
        used = re.findall(r"\$(\w+)", f"{self.target} {self.body} {self.tar} {self.headers} {self.bare} {self.asks}")
        return (*self.needs, *_things(used))

    def payload(self, names: Mapping[str, str]) -> bytes | None:
        """The body as bytes, before any framing."""
        if self.tar is not None:
            return tar_of({spell(path, names): spell(text, names) for path, text in self.tar.items()})
        return None if self.body is None else spell(self.body, names).encode("utf-8", "surrogatepass")

    def request(self, names: Mapping[str, str]) -> bytes:
        """The line as it is sent."""
        body = self.payload(names)
        headers = {name: spell(value, names) for name, value in self.sent_headers(body).items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {spell(self.target, names)} HTTP/1.1\r\n{head}\r\n".encode() + (
            chunked(body) if body and self.chunked else body or b""
        )

    def sent_headers(self, body: bytes | None) -> dict[str, str]:
        given = {"Host": "docker"}
        if body is not None:
            given["Content-Type"] = "application/x-tar" if self.tar is not None else "application/json"
            given |= {"Transfer-Encoding": "chunked"} if self.chunked else {"Content-Length": str(len(body))}
        return {name: value for name, value in (given | dict(self.headers)).items() if value}


def chunked(body: bytes, size: int = 7) -> bytes:
    """The body in chunks of that many bytes."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def _things(words: list[str]) -> tuple[str, ...]:
    """The things of the scene that names belong to."""
    bases = (re.sub(r"_(id|short|version|repo)$", "", word) for word in words if word != "swarm_version")
    return tuple(dict.fromkeys(base for base in bases if base not in WORDS))


def tar_of(files: Mapping[str, str]) -> bytes:
    """A path that ends in a slash is a folder; `-> x` as its contents makes it a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path.rstrip("/"))
            entry.mode = 0o755
            if path.endswith("/"):
                entry.type = tarfile.DIRTYPE
            elif text.startswith("-> "):
                entry.type, entry.linkname = tarfile.SYMTYPE, text.removeprefix("-> ")
            content = text.encode() if entry.type == tarfile.REGTYPE else b""
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def spell(text: str, names: Mapping[str, str]) -> str:
    """The text with its names in place; an unknown one is a mistake in the corpus."""
    return Template(text).substitute(names)


def spelled(value: Any, names: Mapping[str, str]) -> Any:
    """A JSON value with its names in place, keys included."""
    match value:
        case str():
            return spell(value, names)
        case list():
            return [spelled(each, names) for each in value]
        case dict():
            return {spell(str(key), names): spelled(each, names) for key, each in value.items()}
        case _:
            return value


def _line(file: str, given: dict[str, Any]) -> Line:
    rest = dict(given)
    method, _, target = rest.pop("request").partition(" ")
    bare = rest.pop("bare", None)
    if isinstance(bare, dict):
        bare = Bare(**{key: tuple(value) if key == "spoils" else value for key, value in bare.items()})
    elif bare == "cannot":
        bare = None
    elif bare is not None:
        bare = Bare(status=bare)
    for key in ("asks", "needs", "missing"):
        rest[key] = tuple(rest.get(key, ()))
    return Line(file=file, method=method, target=target, kind=rest.pop("class", ""), bare=bare, **rest)


@cache
def attacks() -> tuple[Line, ...]:
    return tuple(_read(sorted((CORPUS / "attacks").glob("*.yaml"))))


@cache
def nonsense() -> tuple[Line, ...]:
    """Requests that engines refuse too: they are refused all the same, before an engine sees them."""
    return tuple(_read([CORPUS / "nonsense.yaml"]))


@cache
def narrow() -> tuple[Line, ...]:
    """Things of others, under a policy that says which are the client's own."""
    return tuple(_read([CORPUS / "narrow.yaml"]))


def _read(paths: list[Path]) -> Iterator[Line]:
    for path in paths:
        for given in yaml.safe_load(path.read_text(encoding="utf-8")):
            yield _line(path.stem, given)


# The scene


@dataclass(frozen=True)
class Thing:
    """Something that stands on the engine before an attack."""

    word: str
    noun: str
    """``containers``, ``volumes``, ``networks``, ``execs``, ``images`` or ``swarm``."""
    body: Mapping[str, Any]
    """What it is made of, with names to be spelled."""
    name: str = ""
    """What it is called, where that is not its word."""
    stopped: bool = False
    container: str = ""
    """The container of an exec."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What an inspect tells besides what it was made of."""
    started: bool = False
    """Whether an exec runs."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Symbolic links in a container: an absolute path to where it leads."""

    @property
    def uses(self) -> tuple[str, ...]:
        return _things(re.findall(r"\$(\w+)", f"{self.name} {self.container} {dict(self.body)}"))


@cache
def scene() -> Mapping[str, Thing]:
    read = yaml.safe_load((CORPUS / "scene.yaml").read_text(encoding="utf-8"))
    return {
        word: Thing(word, noun, **{"body": {}} | given)
        for noun, things in read.items()
        for word, given in things.items()
    }


def identity(word: str) -> str:
    """The id of a thing in the pure scene."""
    return hashlib.sha256(word.encode()).hexdigest()


def pure_names() -> dict[str, str]:
    names = WORDS | {"trusted_repo": WORDS["trusted"].partition(":")[0]}
    for word, thing in scene().items():
        full = identity(word)
        names[word] = full if thing.noun in ("execs", "swarm") else word
        names |= {f"{word}_id": full, f"{word}_short": full[:12], f"{word}_version": "1"}
    names["swarm_version"] = "1"
    for word, thing in scene().items():
        if thing.name:
            names[word] = spell(thing.name, names)
    return names


def pure_facts() -> dict[str, Any]:
    """What the scene's engine answers to look-ups, by path."""
    names = pure_names()
    facts: dict[str, Any] = {}
    for word, thing in scene().items():
        body = spelled(dict(thing.body), names)
        name, full = names[word], identity(word)
        match thing.noun:
            case "containers":
                config = {key: value for key, value in body.items() if key != "HostConfig"}
                fact = {"Id": full, "Name": f"/{name}", "Config": config, "HostConfig": body.get("HostConfig", {})}
                fact |= thing.facts
                facts |= {f"{STAT}{full}:{path}": {"linkTarget": led} for path, led in thing.links.items()}
                facts |= {f"/containers/{each}/json": fact for each in (full, full[:12])}
                facts[f"/containers/{name}/json"] = fact
                for link in fact["HostConfig"].get("Links", ()):
                    target, _, alias = link.partition(":")
                    facts[f"/containers/{name}/{alias}/json"] = facts[f"/containers/{target}/json"]
            case "networks":
                fact = {"Id": full, "Name": name, "Driver": "bridge", **body}
                facts |= {f"/networks/{each}": fact for each in (full, full[:12], name)}
            case "volumes":
                fact = {"Name": name, "Driver": body.get("Driver", "local"), "Options": body.get("DriverOpts")}
                facts[f"/volumes/{name}"] = fact
            case "execs":
                command = body.get("Cmd", ["sh"])
                process = {"entrypoint": command[0], "arguments": command[1:], "user": body.get("User", "")}
                process["privileged"] = body.get("Privileged", False)
                container = identity(spelled(thing.container, {key: key for key in names}))
                facts[f"/exec/{full}/json"] = {"ID": full, "ContainerID": container, "ProcessConfig": process}
    return facts


# Legitimate calls


@dataclass(frozen=True)
class Call:
    """A call of a real client, as it sends it."""

    client: str
    name: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def id(self) -> str:
        return f"{self.client}: {self.name}"


@cache
def legitimate() -> tuple[Call, ...]:
    """Every call of ``legitimate.yaml``; a body is written out, or one of ``clients/*.json`` with some keys changed."""
    return tuple(
        _call(client, dict(given))
        for client, calls in yaml.safe_load((CORPUS / "legitimate.yaml").read_text(encoding="utf-8")).items()
        for given in calls
    )


def _call(client: str, given: dict[str, Any]) -> Call:
    method, _, target = given["request"].partition(" ")
    body: bytes | None = None
    if "body" in given:
        body = given["body"].encode()
    elif "recorded" in given:
        text = (CORPUS / "clients" / f"{client}.json").read_text(encoding="utf-8")
        for word, other in given.get("instead", {}).items():
            text = text.replace(f'"{word}"', f'"{other}"')
        recorded = json.loads(text)
        body = json.dumps(changed(recorded[given["recorded"]], given.get("with", {}))).encode()
    headers = {"Host": "docker"}
    if body is not None:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return Call(client, given["name"], method, target, headers | given.get("headers", {}), body)


def changed(value: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = dict(value)
    for key, change in changes.items():
        old = result.get(key)
        result[key] = changed(old, change) if isinstance(old, dict) and isinstance(change, dict) and change else change
    return result
