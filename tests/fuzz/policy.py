"""A policy, from a text to rules, or to mistakes with places in it.

What must hold:

* A policy, or `PolicyError` with one problem at least; the same each time.
* A problem of the text stands at a line and column of it (0 for the whole file), and can be printed.
* Whatever loads can be used: reviewed, warned of, held against values, and its own tests run.

The time of one input is bounded by the fuzzer's own clock (``-timeout``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from sockproxy import rehearse
from sockproxy.docker.asks import KINDS, LIMITS, REQUIREMENTS
from sockproxy.docker.operations import OPERATIONS
from sockproxy.errors import PolicyError, Problem
from sockproxy.model import Ask
from sockproxy.policy.idle import idle
from sockproxy.policy.load import Policy, loads
from sockproxy.policy.review import review

LONGEST = 16384
MODULES = (
    "sockproxy/policy/document.py",
    "sockproxy/policy/load.py",
    "sockproxy/policy/patterns.py",
    "sockproxy/policy/globs.py",
    "sockproxy/policy/review.py",
    "sockproxy/policy/harm/rows.py",
    "sockproxy/policy/harm/powers.py",
    "sockproxy/policy/harm/making.py",
    "sockproxy/policy/harm/binds.py",
    "sockproxy/policy/idle.py",
    "sockproxy/policy/overlap.py",
    "sockproxy/policy/testing.py",
    "sockproxy/rehearse.py",
)

_FILE = "fuzzed.yaml"
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What ends a line to YAML."""


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    first = _load(text)
    if len(data) % 4 == 0:  # it takes as long again
        assert _shown(first) == _shown(_load(text))
    if not isinstance(first, Policy):
        lines = _BREAK.split(text)
        assert first
        for problem in first:
            _check_place(problem, lines)
        return
    review(first)
    idle(first)
    _check_patterns(first)
    for outcome in rehearse.run(first):
        assert outcome.passed or outcome.problem or outcome.skipped


def _check_patterns(policy: Policy) -> None:
    """Every pattern can be held against every value that its kind may have."""
    held = [patterns for rule in policy.rules for patterns in (*rule.grant.items(), *rule.only.items())]
    held += [patterns for denial in policy.deny_rules for patterns in denial.asking.items()]
    for kind, patterns in held:
        for pattern in patterns[:20]:
            for value in (KINDS[kind].example, *_VALUES):
                ask = Ask(kind, value, "", labels=(("a", "b"),), aliases=(value,), amount=5)
                assert pattern.matches(ask) in (True, False)
                assert pattern.matches(ask) == pattern.matches(replace(ask, where="x"))


_VALUES = (
    *("", "all", "3", "٣", "device=0", "/", "/etc/x", "/dev/fuse rwm", "c 10:229 rwm", "a *:* rwm", "web", "(prune)"),
    *("127.0.0.1:80/tcp", "0.0.0.0:random/udp", "[::1]:8000/tcp", "docker.io/library/python:3.12", "key=value", "a\nb"),
    f"docker.io/library/x@sha256:{'0' * 64}",
    f"sha256:{'0' * 64}",
    "a/" * 40,
)


def _load(text: str) -> Policy | tuple[Problem, ...]:
    try:
        return loads(text, _FILE)
    except PolicyError as error:
        str(error).encode("utf-8")
        return error.problems


def _shown(result: Policy | tuple[Problem, ...]) -> object:
    if not isinstance(result, Policy):
        return result
    rules = [(rule.id, rule.place, sorted(rule.operations)) for rule in result.rules]
    rules += [(rule.id, rule.place, sorted(rule.operations)) for rule in result.deny_rules]
    return result.name, result.digest, rules, result.clients, result.tests, result.warnings


def _check_place(problem: Problem, lines: list[str]) -> None:
    assert problem.message
    if problem.file != _FILE:
        return  # of what it extends
    if problem.line == 0:
        assert problem.column == 0
        return
    assert 1 <= problem.line <= len(lines), problem
    # An end is told of where it stands: behind the last character.
    assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem


# What inputs are made of


def words() -> Iterator[str]:
    """The words of the language, and of YAML."""
    keys = (
        "version name about extends rules clients tests api mode id allow deny grant only limit require asking because"
    )
    yield from (f"{key}: " for key in keys.split())
    yield from (
        f"{key}: "
        for key in ("from", "unix-user", "certificate", "request", "body", "engine", "client", "expect", "min", "max")
    )
    yield from (f"{kind}: " for kind in KINDS)
    yield from (f"{name}: " for name in LIMITS)
    yield from REQUIREMENTS
    yield from (
        "version: 1\n",
        "\n  - id: a\n    allow: ",
        "\n    grant: {",
        "\n    only:\n      ",
        "any",
        "none",
        "all",
        "allowed",
        "refused",
    )
    yield from (
        "read-only",
        "extends: [read-only, testcontainers]\n",
        "GET ",
        "POST ",
        "ANY ",
        "GET|POST ",
        "/**",
        "/{id}",
        "|",
        "*",
        "label=",
    )
    yield from sorted({row.template for row in OPERATIONS})
    yield from (
        "/srv/** ro",
        "/** shared",
        "8g",
        "0.5",
        "512m",
        "127.0.0.1:8000-8999/tcp",
        "10.0.0.0/8",
        "::1/128",
        "docker.io/library/**",
    )
    yield from (
        "&a ",
        "*a",
        "!!str ",
        "<<: *a",
        "|\n  ",
        ">-\n  ",
        "- ",
        "? ",
        ": ",
        "# ",
        "---\n",
        "...\n",
        "%YAML 1.1\n---\n",
        "%TAG ! x\n",
    )
    yield from (
        '"\\0"',
        '"\\U00110000"',
        '"\\ud800"',
        '"\\x41"',
        "''",
        '""',
        "[[[[[[[[",
        "{a: {b: {",
        "\t",
        "\x85",
        "\u2028",
        "\ufeff",
        "\r",
        "ü",
        "😀",
    )


def mutate(data: bytes, longest: int, rng: Random) -> bytes | None:
    """Lines put elsewhere, indented otherwise, with another word behind the colon; half of the time the engine's own."""
    if rng.random() < 0.5:
        return None
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        key, colon, _ = lines[at].partition(": ")
        match rng.randrange(6):
            case 0:
                lines.insert(rng.randint(0, len(lines)), lines[at])
            case 1 if len(lines) > 1:
                del lines[at]
            case 2:
                lines[at] = " " * rng.choice((0, 2, 4, 6, 8)) + lines[at].lstrip(" ")
            case 3 if colon:
                lines[at] = f"{key}: {rng.choice(_ALL_WORDS).strip()}"
            case 4:
                lines[at] = f"{lines[at]} {rng.choice(_ALL_WORDS)}"
            case _:
                lines.insert(at, " " * rng.choice((0, 2, 4, 6)) + "".join(rng.sample(_ALL_WORDS, 2)))
    made = "\n".join(lines).encode("utf-8", "replace")
    return made if len(made) <= longest else None


_ALL_WORDS = list(words())


def seeds() -> Iterator[tuple[str, bytes]]:
    """The shipped policies, and a small one for each thing of the language."""
    from tests.fuzz import materials

    for path in sorted(materials.POLICIES.glob("*.yaml")):
        yield f"preset {path.stem}", path.read_bytes()
    yield "ci", (materials.CORPUS / "ci.yaml").read_bytes()
    for name, text in _SMALL.items():
        yield name, text.encode()


_RULE = "version: 1\nrules:\n  - id: a\n    allow: [POST /containers/create, GET /info]\n"
_SMALL = {
    "grants": _RULE
    + "    grant:\n"
    + "".join(f'      {kind.name}: "{kind.example}"\n' for kind in KINDS.values() if kind.section == "grant"),
    "onlys": _RULE
    + "    only:\n"
    + "".join(f'      {kind.name}: ["{kind.example}", none]\n' for kind in KINDS.values() if kind.section == "only"),
    "limits": _RULE
    + "    limit: {memory: 8g, cpus: 0.5, pids: 100, shm: 1.5mib}\n    require: [non-root, read-only]\n",
    "denies": "version: 1\nrules:\n  - id: d\n    deny: [POST /build, ANY /swarm/**]\n    asking: {bind: /etc/**, container: label=a=b}\n    because: x\n",
    "extends": "version: 1\nextends: [read-only, watchtower]\nrules:\n  - id: run\n    allow: POST /containers/{id}/start|stop\n",
    "clients": _RULE
    + "clients:\n  - {name: a, from: [10.0.0.0/8, '::1'], rules: all}\n  - {name: b, unix-user: 1000, rules: [a]}\n",
    "tests": _RULE
    + "tests:\n  - request: POST /containers/create?name=x\n    body: {Image: x, HostConfig: {Privileged: true, Memory: 5}}\n"
    + "    expect: {refused: {privileged: container}}\n  - request: GET /containers/web/json\n    engine:\n"
    + "      /containers/web/json: {Name: /web, Config: {Labels: {a: b}}}\n    expect: refused\n",
    "two of one id": "version: 1\nextends: [jenkins-agent, testcontainers, backup, gitlab-runner, act, gpu-jobs]\n"
    "rules:\n  - {id: job, limit: {memory: 1g}, grant: {bind: none}, only: {image: a}}\n",
    "joined": "version: 1\nextends: portainer-manage\nrules:\n  - {id: look, only: {container: [none, a]}}\n  - {id: view, deny: POST /build}\n",
    "denies twice": "version: 1\nextends: [traefik, tecnativa]\nrules:\n  - {id: d, deny: POST /build}\n  - {id: d, deny: POST /commit}\n",
    "amounts": _RULE
    + "    limit: {memory: 1.5GiB, cpus: 0.000000001, pids: 1, shm: 64kb}\n  - id: b\n    allow: GET /info\n    limit: {cpus: 99999.5, memory: 0}\n",
    "devices": _RULE
    + "    grant: {device: [/dev/dri/**, /dev/fuse rw, 'a *:* r', 'c 10:229 rwm'], gpu: [all, 2, 'device=0', nvidia.com/*], publish: ['8000-8999/udp', '[::1]:80', 'random', '*:80/sctp']}\n",
    "denials": "version: 1\nrules:\n  - id: d\n    deny: POST /containers/create\n    asking: {device: [/dev/sda, 'c *:* r'], gpu: [device=1, 2], image: ['x', 'sha256:*', 'a:b'], publish: '0.0.0.0:80', "
    "volume: [a ro, label=x], network: [label=a=b], capability: [ALL, net_admin], exec: '**', bind: [/etc shared, /x ro]}\n",
    "api": 'version: 1\nname: x\nabout: y\napi: {min: "1.30", max: "1.48"}\nmode: enforce\nrules: []\n',
    "mistakes": "version: 2\nruels: 1\nrules:\n  - id: a\n    alow: x\n    grant: {bnid: /x, memory: 1, read-only: x, container: y}\n"
    "    limit: {memory: lots, bind: /x, cpu: 1}\n    require: [nothing]\n    only: [x]\n    asking: {}\n  - id: a\n    allow: GET /nothing\n  - x\n",
    "bad clients": _RULE
    + "clients:\n  - {name: a, from: 10.0.0.1/8}\n  - {name: a, from: '::ffff:1.2.3.4'}\n  - {name: anyone}\n  - {name: c, certificate: x}\n  - x\n",
    "bad tests": _RULE
    + "tests:\n  - {request: GIT /x, client: y, expect: {refused: {bnid: x}}}\n  - {request: x}\n  - {request: GET /x, engine: {x: y}}\n  - 1\n",
    "bad extends": "version: 1\nextends: [nothing, fuzzed.yaml, [x], {a: b}]\nrules: {}\n",
    "bad api": "version: 1\napi: {min: '1.50', max: 1.2, x: y}\nrules:\n",
    "patterns": _RULE
    + "    only:\n      container: [ci-*, label=a, 'label=a=b*', '**']\n      image: [python:3.*, 'x@sha256:*', ghcr.io/**]\n      volume: [a ro, '*']\n"
    "      archive: [/data/**]\n      label: [a, a=b]\n      exec: sh -c 'exit 0'\n",
    "an alias": "version: 1\nname: &a x\nabout: *a\nrules: !!seq []\n<<: {a: b}\n",
    "a bomb": "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n",
    "a tab": "version: 1\nrules:\n\t- id: a\n",
    "unclosed": "version: 1\nname: 'x\nrules: [a, {b: c\n",
    "a second document": "version: 1\n---\nversion: 1\n",
    "a block text": "version: 1\nabout: |\n  a\n  b\nname: >-\n  x\nrules: []\n",
    "escapes": 'version: 1\nname: "\\x41\\u00fc\\U0001F600"\nabout: "a\\\n  b"\nrules: []\n',
    "line ends": "version: 1\r\nname: a\rabout: b\x85mode: c\u2028rules: d\r\n",
    "deep": "[" * 200,
    "not a mapping": "- a\n- b\n",
    "empty": "",
    "duplicate": "version: 1\nversion: 1\n? [a]\n: b\nrules: []\n",
    "control": "version: 1\nname: a\x07\n",
}
