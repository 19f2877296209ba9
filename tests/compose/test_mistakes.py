"""Every mistake is said with its place, all of them at once, and with a hint where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockproxy.compose import ComposeError, read
from tests.compose.projects import problems, project

MISTAKES: list[tuple[str, list[str]]] = [
    # keys
    ("services: {web: {image: x, privilged: true}}", ["1:28: `privilged` is no key of services.web (did you mean privileged?)"]),
    ("services: {web: {image: x, deploy: {resource: {}}}}", ["1:37: `resource` is no key of services.web.deploy (did you mean resources?)"]),
    ("services: {web: {image: x, ports: [{target: 1, publish: 2}]}}", ["1:48: `publish` is no key of services.web.ports (did you mean published?)"]),
    ("services: {web: {image: x, networks: {default: {alias: [a]}}}}", ["1:49: `alias` is no key of a service's network (did you mean aliases?)"]),
    ("service: {web: {image: x}}", ["1:1: `service` is no key of a compose file (did you mean services?)"]),
    ("services: {web: {image: x}}\nnetworks: {n: {diver: x}}", ["2:16: `diver` is no key of networks.n (did you mean driver?)"]),
    ("services: {web: {image: x, image: y}}", ["1:28: `image` stands twice (it stands in line 1 already)"]),
    ("services: {web: {image: x, sysctls: {1: 2}}}", ["1:38: a key that is no text (quote it)"]),
    # all at once
    (
        "services:\n  a: {imag: x, privileged: maybe}\n  b: {image: x, memlimit: 1}",
        ["2:7: `imag` is no key of services.a (did you mean image?)", "3:17: `memlimit` is no key of services.b (did you mean mem_limit?)"],
    ),
    (
        "services:\n  a: {image: x, privileged: maybe}\n  b: {image: x, mem_limit: lots}",
        ["2:29: `maybe` is neither `true` nor `false`", "3:28: `lots` is no size (write 64m, or 1.5g)"],
    ),
    # YAML
    ("", ["1:1: the file is empty (a compose file begins with `services:`)"]),
    ("[a]", ["1:1: a compose file is a mapping (it begins with `services:`)"]),
    ("services:\n\tweb: {}", ["2:1: a tab in the indentation (indent with spaces)"]),
    ("services: {web: [", ["1:18: not YAML: expected the node content, but found '<stream end>'"]),
    ("x-a: &a 5\nservices: {web: {<<: *a, image: x}}", ["1:6: a merge key (`<<`) takes a mapping, or a list of them"]),
    ("x-a: &a {user: x}\nservices: {web: {<<: *a, <<: *a, image: x}}", ["2:26: `<<` stands twice (give one a list: <<: [*a, *b])"]),
    ("services: {web: {image: x}}\nvolumes: {'a b': }", ["2:11: `a b` cannot be a name (letters, digits, dots, dashes and _)"]),
    ("x-a: &a [*a]\nservices: {web: {image: x}}", ["1:6: an alias within what it stands for"]),
    ('services: {web: {image: "a\\0b"}}', ["1:25: a NUL, or half a surrogate pair"]),
    ('services: {web: {image: "\\ud800"}}', ["1:25: a NUL, or half a surrogate pair"]),
    ("services: {web: {image: x, labels: {a: 2001-12-14}}}", ["1:40: `2001-12-14` is a time to YAML (quote it)"]),
    # a text is no number
    ("services: {web: {image: x, user: 1000}}", ["1:34: `user: 1000` is to be a text (quote it)"]),
    ("services: {web: {image: x, command: [sleep, 5]}}", ["1:45: `command: 5` is to be a text (quote it)"]),
    ("services: {web: {image: x, environment: [1], hostname: true}}", ["1:42: `environment: 1` is to be a text (quote it)", "1:56: `hostname: true` is to be a text (quote it)"]),
    ("services: {web: {image: x, networks: {default: {ipv4_address: 5}}}}", ["1:63: `ipv4_address: 5` is to be a text (quote it)"]),
    ("name: 5\nservices: {web: {image: x}}\nvolumes: {v: {driver: 5}}", ["1:7: `name: 5` is to be a text (quote it)", "3:23: `driver: 5` is to be a text (quote it)"]),
    # values
    ("services: {web: {image: x, scale: -1}}", ["1:35: -1 containers cannot be (write 0 or more)"]),
    ("services: {web: {image: ''}}", ["1:12: `web` has neither an `image` nor a `build`"]),
    ("services: {web: {image: x, healthcheck: {test: [ls]}}}", ["1:48: a `test` does not begin with `ls` (write CMD, CMD-SHELL or NONE before it)"]),
    ("services: {web: {image: x, ports: ['80:80/foo']}}", ["1:36: `80:80/foo`: `foo` is no protocol of a port (write tcp, udp or sctp)"]),
    ("services: {web: {image: x, env_file: [none, {path: no, required: false}]}}", ["1:39: `none` cannot be read: No such file or directory"]),
    ("services: {web: {image: x, env_file: {path: x}}}", ["1:38: this is to be a list"]),
    ("services: {web: {image: x, env_file: [{path: /dev/null, format: foo}, {}]}}", ["1:39: `foo` is no format of a file of variables (leave it out, or write raw)", "1:71: a file of variables without a path (write path: FILE)"]),
    ("services: {web: {image: x}, off: {image: x, profiles: [some], env_file: none}}", []),
    ("services: {web: {image: x, networks: [n]}}\nnetworks: {n: {external: true, driver: d}}", []),
    ("services: {web: {image: x, cap_add: ALL}}", ["1:37: this is to be a list"]),
    ("services: {web: {image: x, labels: 5}}", ["1:36: this is to be a list"]),
    ("services: {web: {image: x, environment: {A: [b]}}}", ["1:45: this is to be a word"]),
    ("services: {web: {image: x, pids_limit: some}}", ["1:40: `some` is no whole number"]),
    ("services: {web: {image: x, cpus: '0,5'}}", ["1:34: `0,5` is no number"]),
    ("services: {web: {image: x, stop_grace_period: 5}}", ["1:47: `5` is no time (write 10s, or 1m30s)"]),
    ("services: {web: {image: x, ports: ['x:80']}}", ["1:36: `x:80` is no port (write [IP:][HOST:]CONTAINER[/PROTOCOL])"]),
    ("services: {web: {image: x, ports: ['8000-8002:80-81']}}", ["1:36: `8000-8002:80-81`: the ranges differ in length"]),
    ("services: {web: {image: x, ports: [{published: 1}]}}", ["1:36: a port without a `target`, the port in the container"]),
    ("services: {web: {image: x, volumes: [{type: bnd, target: /b}]}}", ["1:45: `bnd` is no type of a mount (did you mean bind?)"]),
    ("services: {web: {image: x, volumes: [{type: bind, target: /b}]}}", ["1:38: a bind without a `source`"]),
    ("services: {web: {image: x, volumes: ['/a:/b:ro:x']}}", ["1:38: `/a:/b:ro:x` is no volume (write [SOURCE:]TARGET[:OPTIONS])"]),
    ("services: {web: {image: x, devices: ['a:b:c:d']}}", ["1:38: `a:b:c:d` is no device (write PATH[:PATH][:PERMISSIONS])"]),
    ("services: {web: {image: x, gpus: some}}", ["1:34: `some` are no GPUs (write `all`, or a list of devices)"]),
    ("services: {web: {image: x, gpus: [{count: 1, device_ids: [a]}]}}", ["1:35: `count` and `device_ids` exclude each other"]),
    ("services: {web: {image: x, security_opt: [foo]}}", ["1:43: `foo` is no security option (write name=value)"]),
    ("services: {web: {image: x, security_opt: ['seccomp:no.json']}}", ["1:43: the seccomp profile `no.json` cannot be read: No such file or directory"]),
    ("services: {web: {image: x, extra_hosts: [foo]}}", ["1:42: `foo` names no host (write name=address)"]),
    ("services: {web: {image: x, pull_policy: alway}}", ["1:41: `alway` is no pull policy (did you mean always?)"]),
    ("services: {web: {image: x, container_name: -x}}", ["1:44: `-x` cannot be a container's name"]),
    ("services: {'a b': {image: x}}", ["1:12: `a b` cannot be a name (letters, digits, dots, dashes and _)"]),
    ("services: {web: {image: x, command: \"echo 'x\"}}", ["1:37: `echo 'x`: a quotation mark that is never closed"]),
    ("services: {web: {image: x, label_file: none}}", ["1:40: `none` cannot be read: No such file or directory"]),
    # what does not fit together
    ("services: {web: {command: x}}", ["1:12: `web` has neither an `image` nor a `build`"]),
    ("services: {web: }", ["1:12: `web` has neither an `image` nor a `build`"]),
    ("name: x", ["1:1: no services (a compose file lists them under `services:`)"]),
    ("services: {web: {image: x, profiles: [p]}}", ["1:1: no service is started (each has a profile, and none is chosen)"]),
    ("services: {web: {image: x, network_mode: host, networks: [default]}}", ["1:58: `networks` beside `network_mode` (write one of them)"]),
    ("services: {web: {image: x, scale: 2, deploy: {replicas: 3}}}", ["1:35: `scale` and `deploy.replicas` differ (write one of them)"]),
    ("services: {web: {image: x, scale: 2, container_name: foo}}", ["1:54: 2 containers cannot have one name (leave `container_name` out)"]),
    (
        "services: {web: {image: x, mem_limit: 2m, deploy: {resources: {limits: {memory: 3m}}}}}",
        ["1:39: `mem_limit` and the `memory` under `deploy.resources` differ (write one of them)"],
    ),
    ("services: {a: {image: x, container_name: n1}, b: {image: x, container_name: n1}}", ["1:47: `n1` is the container of `a` already"]),
    ("services: {a: {image: x, depends_on: [b]}, b: {image: x, links: [a]}}", ["1:12: `a`, `b` depend on each other"]),
    ("services: {web: {image: x, depends_on: [dbb]}, db: {image: y}}", ["1:12: `web` needs `dbb`, which is no service here (did you mean db?)"]),
    (
        "services: {web: {image: x, links: [db], depends_on: {db: {condition: service_started, required: false}}}, db: {image: y, profiles: [p]}}",
        ["1:12: `web` needs `db`, which no chosen profile starts (choose its profile too)"],
    ),
    (
        "services: {web: {image: x, pid: 'service:db'}, db: {image: y, profiles: [p]}}",
        ["1:12: `web` needs `db`, which no chosen profile starts (choose its profile too)"],
    ),
    (
        "services: {web: {image: x, depends_on: {db: {condition: healthy}}}, db: {image: y}}",
        ["1:41: `healthy` is no condition to depend on (did you mean service_healthy?)"],
    ),
    ("services: {web: {image: x, volumes: ['data:/d']}}", ["1:38: the volume `data` is not in this file (list it under `volumes:` at the top level)"]),
    ("services: {web: {image: x, networks: [fron]}}\nnetworks: {front: }", ["1:39: the network `fron` is not in this file (did you mean front?)"]),
    ("services: {web: {image: x, secrets: [s]}}", ["1:38: the secret `s` is not in this file"]),
    ("services: {web: {image: x, secrets: [s]}}\nsecrets: {s: {external: true}}", ["1:38: the secret `s` is external: only a swarm has those (give it a `file:`)"]),
    ("services: {web: {image: x, configs: [c]}}\nconfigs: {c: {file: a, content: b}}", ["2:14: the config `c` says `file:` and `content:` (write one of them)"]),
    ("services: {web: {image: x, configs: [c]}}\nconfigs: {c: {template_driver: a}}", ["2:32: compose knows no `template_driver` of a config"]),
    (
        "services: {web: {image: x, read_only: true, secrets: [s]}}\nsecrets: {s: {environment: HOME}}",
        ["1:55: the secret `s` cannot be copied into a service that is `read_only` (give it a `file:`)"],
    ),
    ("services: {web: {image: x}}\nvolumes: {v: {external: true, driver: d}}", ["2:31: `v` is external: `driver` is not for this file to say"]),
    # variables
    ("services: {web: {image: '${A:?say which}'}}", ["1:25: the variable `A` is required and not set: say which"]),
    ("services: {web: {image: '${A'}}", ["1:25: `${A`: a `${` that is never closed"]),
    ("services: {web: {image: 'x:${1}'}}", ["1:25: `x:${1}`: `${1}` is no variable; write `$$` for a dollar"]),
    # other services and files
    ("services: {web: {image: x, extends: wbe}}", ["1:37: `wbe` is extended, and no service there (did you mean web?)"]),
    ("services: {a: {extends: a, image: x}}", ["1:25: `a` extends itself"]),
    ("services: {web: {image: x, extends: {file: no.yaml, service: a}}}", ["1:44: `no.yaml` cannot be read: No such file or directory"]),
    ("services: {web: {image: x}}\ninclude: [no.yaml]", ["2:11: `no.yaml` cannot be read: No such file or directory"]),
    ("services: {web: {image: x}}\ninclude: ['https://example.com/x.git']", ["2:11: `https://example.com/x.git` is not on this machine (fetch it first, and name the file)"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake(text: str, said: list[str]) -> None:
    assert problems(text) == said


def test_aliases_that_come_to_billions_are_refused() -> None:
    lines = ["x-0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    said = problems("\n".join([*lines, "services: {web: {image: x, command: *a11}}"]))
    assert said
    assert all("aliases that come to more than 100000 values" in each for each in said)


def test_a_document_that_is_too_deep_or_too_long() -> None:
    assert problems("a: " + "[" * 1000) == [" lists in lists without end"]
    assert problems("#" * (1024 * 1024 + 1)) == [" a compose file of more than 1048576 characters"]


@pytest.mark.parametrize("name", ["Shop", "-x", "a b"])
def test_a_name_that_no_project_can_have(name: str) -> None:
    said = problems("services: {web: {image: x}}", project_name=name)
    assert len(said) == 1
    assert f"`{name}` cannot be a project's name" in said[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ComposeError) as caught:
        read(tmp_path / "compose.yaml")
    assert str(caught.value) == f"{tmp_path}/compose.yaml: cannot be read: No such file or directory"


NOTES: list[tuple[str, str]] = [
    ("image: app$TAG", "1:25: the variable `TAG` is not set: blank is taken for it"),
    ("image: x, volumes: ['/a:/b:rx']", "1:38: `rx` is no option of a volume, and compose passes over it"),
    ("image: x, volumes_from: ['container:a:ro']", "1:42: `container:a:ro`: compose 2 does not pass `:ro` on, so that the volumes are writable"),
    ("image: x, pull_policy: daily", "1:41: `daily`: once the image is old enough it is pulled too, which is not shown"),
    ("image: x, credential_spec: {file: a}", "1:45: `credential_spec`: compose passes over it"),
    ("provider: {type: a}", "1:28: `provider`: compose runs a program for it, whose calls are not shown"),
    ("build: .", "1:25: `build`: what BuildKit does goes through /grpc and /session, and is not seen"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "said"), NOTES)
def test_what_the_calls_do_not_show_is_noted(keys: str, said: str) -> None:
    notes = project(f"services: {{web: {{{keys}}}}}").notes
    assert [str(note).removeprefix("compose.yaml:") for note in notes] == [said]
