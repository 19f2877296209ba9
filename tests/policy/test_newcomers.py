"""What people get wrong in their first policy: each mistake is one line, at the place where it was made, with what to do.

A mistake that hides another one, or is told twice, would be told wrong: so each case is told whole, and is all that is told.
"""

from __future__ import annotations

import pytest

from sockproxy.errors import PolicyError
from sockproxy.policy.load import loads

LOOK = "version: 1\nrules: [{id: run, allow: GET /info}]\n"
RUN = "version: 1\nrules:\n  - id: run\n    allow: POST /containers/create\n"

INDENT = [
    (
        "a section inside another",
        RUN + "    grant:\n      bind: /srv/**\n      only: {image: python}\n",
        "7:7: `only` stands inside `grant` (begin it in the column of `grant`)",
    ),
    (
        "a limit inside a section",
        RUN + "    only:\n      image: python\n      limit: {memory: 8g}\n",
        "7:7: `limit` stands inside `only` (begin it in the column of `only`)",
    ),
    (
        "a kind beside its section",
        RUN + "    grant:\n    bind: /srv/**\n",
        "6:5: `bind` is no key of a rule (it belongs under `grant`: indent it)",
    ),
    (
        "a number beside `limit`",
        RUN + "    limit:\n    memory: 8g\n",
        "6:5: `memory` is no key of a rule (it belongs under `limit`: indent it)",
    ),
    (
        "a key of a rule at the margin",
        "version: 1\nrules:\n  - id: run\nallow: GET /info\n",
        "4:1: `allow` is no key of a policy (it is a key of a rule: begin it in the column of its `id`)",
    ),
    (
        "a key of the policy in a rule",
        "version: 1\nrules:\n  - id: run\n    allow: GET /info\n    tests: []\n",
        "5:5: `tests` is no key of a rule (it is a key of the policy: begin its line at the margin)",
    ),
    (
        "a key under the dash",
        "version: 1\nrules:\n  - id: run\n  allow: GET /info\n",
        "4:3: the indentation does not fit (items of one list, and keys of one mapping, begin in one column)",
    ),
    (
        "a key too deep",
        "version: 1\nrules:\n  - id: run\n      allow: GET /info\n",
        "4:7: the indentation does not fit (begin it in column 5, where the key above it begins)",
    ),
    (
        "a rule that is no item of the list",
        "version: 1\nrules:\n  id: run\n  allow: GET /info\n",
        "3:3: `rules` is a list (each rule begins with `- id: …`)",
    ),
    (
        "a tab",
        "version: 1\nrules:\n  - id: run\n\tallow: GET /info\n",
        "4:1: a tab in the indentation (indent with spaces)",
    ),
    (
        "what a test expects inside its body",
        LOOK + "tests:\n  - request: POST /containers/create\n    body:\n      Image: x\n      expect: refused\n",
        "7:7: `expect` stands inside `body` (begin it in the column of `body`)",
    ),
    (
        "what is refused beside `expect`",
        LOOK + "tests:\n  - request: GET /info\n    expect:\n    refused: {bind: /etc}\n",
        "6:5: `refused` is no key of a test (it belongs behind `expect:`)",
    ),
    (
        "the rules of a client at the margin",
        LOOK + "clients:\n  - name: ci\n    unix-user: 1\nrules: [run]\n",
        "6:1: `rules` stands twice (it stands in line 2 already: join the two, or indent this one)",
    ),
]

KEYS = [
    ("of a policy", "version: 1\nrule:\n  - {id: a, allow: GET /info}\n", "2:1: `rule` is no key of a policy (did you mean rules?)"),
    ("for `about`", LOOK + "description: x\n", "3:1: `description` is no key of a policy (did you mean about?)"),
    ("of a rule", "version: 1\nrules: [{id: a, allowed: GET /info}]\n", "2:17: `allowed` is no key of a rule (did you mean allow?)"),
    ("for `allow`", "version: 1\nrules: [{id: a, permit: GET /info}]\n", "2:17: `permit` is no key of a rule (did you mean allow?)"),
    ("for `id`", "version: 1\nrules: [{name: a, allow: GET /info}]\n", "2:10: `name` is no key of a rule (did you mean id?)"),
    ("of a client", LOOK + "clients: [{name: ci, form: 10.0.0.0/8, rules: all}]\n", "3:22: `form` is no key of a client (did you mean from?)"),
    ("for `from`", LOOK + "clients: [{name: ci, ip: 10.0.0.0/8, rules: all}]\n", "3:22: `ip` is no key of a client (did you mean from?)"),
    ("for `unix-user`", LOOK + "clients: [{name: ci, uid: 1000, rules: all}]\n", "3:22: `uid` is no key of a client (did you mean unix-user?)"),
    ("of a client's rules", LOOK + "clients: [{name: ci, unix-user: 1, rule: all}]\n", "3:36: `rule` is no key of a client (did you mean rules?)"),
    ("of a test", LOOK + "tests: [{request: GET /info, expects: allowed}]\n", "3:30: `expects` is no key of a test (did you mean expect?)"),
    ("for `request`", LOOK + "tests: [{url: GET /info, expect: allowed}]\n", "3:10: `url` is no key of a test (did you mean request?)"),
    ("of the versions", LOOK + "api: {minimum: '1.40'}\n", "3:7: `minimum` is no key of `api` (did you mean min?)"),
]  # fmt: skip


def kind(section: str, text: str) -> str:
    return RUN + f"    {section}: {{{text}}}\n"


KINDS = [
    ("granted", kind("grant", "binds: /srv/**"), "5:13: `binds` is no kind of ask (did you mean bind?)"),
    ("granted, in the plural", kind("grant", "capabilities: NET_ADMIN"), "5:13: `capabilities` is no kind of ask (did you mean capability?)"),
    ("granted, as docker's option has it", kind("grant", "ports: 80"), "5:13: `ports` is no kind of ask (did you mean publish?)"),
    ("granted, as compose has it", kind("grant", "network_mode: host"), "5:13: `network_mode` is no kind of ask (did you mean namespace?)"),
    ("held", kind("only", "images: python"), "5:12: `images` is no kind of ask (did you mean image?)"),
    ("held, in docker's shorthand", kind("only", "net: bridge"), "5:12: `net` is no kind of ask (did you mean network?)"),
    ("held, and a power", kind("only", "mount: /srv"), "5:12: `mount` is no kind of ask (did you mean bind? it belongs under `grant`)"),
    ("held where it is granted", kind("only", "bind: /srv/**"), "5:12: `bind` is no kind of `only` (it belongs under `grant`)"),
    ("granted where it is held", kind("grant", "image: python"), "5:13: `image` is no kind of `grant` (it belongs under `only`)"),
    ("granted where it is limited", kind("grant", "memory: 8g"), "5:13: `memory` is no kind of `grant` (it belongs under `limit`)"),
    ("granted where it is required", kind("grant", "read-only: true"), "5:13: `read-only` is no kind of `grant` (write `require: read-only`)"),
    ("limited", kind("limit", "ram: 8g"), "5:13: `ram` is no limit (did you mean memory?)"),
    ("limited where it is granted", kind("limit", "gpu: 2"), "5:13: `gpu` is no limit (it belongs under `grant`)"),
    ("required", RUN + "    require: no_new_privileges\n", "5:14: `no_new_privileges` is nothing that can be required (did you mean no-new-privileges?)"),
    ("required, with a value", kind("require", "read-only: true"), "5:14: `require` takes words (such as `require: read-only`, or a list of them: [a, b])"),
    ("denied", LOOK.replace("}]", "}, {id: d, deny: GET /info, asking: {labels: x}}]"), "2:72: `labels` is no kind of ask (did you mean label?)"),
    ("in a test", LOOK + "tests: [{request: GET /info, expect: {refused: {binds: /etc}}}]\n", "3:49: `binds` is no kind of ask (did you mean bind?)"),
]  # fmt: skip


def path(text: str, key: str = "allow") -> str:
    return f"version: 1\nrules:\n  - id: run\n    {key}: {text}\n"


PATHS = [
    ("misspelt", path("GET /container/json"), "4:12: `GET /container/json` selects no endpoint of the Engine API (did you mean GET /containers/json?)"),
    ("of another method", path("GET /containers/create"), "4:12: `GET /containers/create` selects no endpoint of the Engine API (did you mean POST /containers/create?)"),
    ("without an id", path("POST /containers/start"), "4:12: `POST /containers/start` selects no endpoint of the Engine API (did you mean POST /containers/{id}/start?)"),
    ("with a name", path("GET /containers/web/json"), "4:12: `GET /containers/web/json` selects no endpoint of the Engine API (did you mean GET /containers/{id}/json?)"),
    ("with a pattern of names", path("GET /containers/web-*/json"), "4:12: `GET /containers/web-*/json` has a name in its path (write {id}, and hold names by `only: container:` (or volume, network, image))"),
    ("without a method", path("/containers/json"), "4:12: `/containers/json` has no method (did you mean GET /containers/json?)"),
    ("with a method in lower case", path("get /containers/json"), "4:12: `get` is no method (did you mean GET?)"),
    ("with a version", path("GET /v1.41/containers/json"), "4:12: `GET /v1.41/containers/json` has a version in its path (write GET /containers/json: it is for all of them)"),
    ("with a query", path("GET /containers/json?all=1"), "4:12: `GET /containers/json?all=1` has a query (write GET /containers/json: `only` and `grant` hold what it asks)"),
    ("with one star for all below", path("GET /containers/*"), "4:12: `GET /containers/*` selects no endpoint of the Engine API (did you mean GET /containers/**?)"),
    ("as a regular expression", path("GET /containers/.*"), "4:12: `GET /containers/.*` is no path (there are no regular expressions: * is one parameter, /** all that is below)"),
    ("of a folder, denied", path("POST /exec", "deny"), "4:11: `POST /exec` selects no endpoint of the Engine API (did you mean POST /exec/**?)"),
    ("with {id} inside a list", path("[GET /containers/{id}/json]"), "4:29: inside `[…]` or `{…}` a comma, `[`, `{`, `]` or `}` ends a word (write * for {id} there, or quote the word)"),
    ("of a test", LOOK + "tests: [{request: GET info, expect: allowed}]\n", "3:19: a test needs a `request` (for example `request: POST /containers/web/stop?t=5`)"),
]  # fmt: skip

PATTERNS = [
    ("a relative path", kind("grant", "bind: srv/ci"), "5:19: `srv/ci` is no absolute path (a path begins with `/`)"),
    ("a path with a slash at its end", kind("grant", "bind: /srv/ci/"), "5:19: `/srv/ci/` is not a clean path (did you mean /srv/ci?)"),
    ("a mount with the container's path", kind("grant", "bind: '/srv/ci:/work'"), "5:19: `/srv/ci:/work` is a mount of `docker run -v` (write the host's path alone: /srv/ci)"),
    ("a mount with its mode", kind("grant", "bind: '/srv/ci:/work:ro'"), "5:19: `/srv/ci:/work:ro` is a mount of `docker run -v` (write the host's path alone: /srv/ci ro)"),
    ("` rw`", kind("grant", "bind: /srv/ci/** rw"), "5:19: `/srv/ci/** rw`: a bind may be written unless it says ` ro` (did you mean /srv/ci/**?)"),
    ("a capability that is none", kind("grant", "capability: NET_ADMN"), "5:25: `NET_ADMN` is no capability (did you mean NET_ADMIN?)"),
    ("a published port with the container's", kind("grant", "publish: '8080:80'"), "5:22: `8080:80` is what `docker run -p` takes (write the host's port alone: 8080)"),
    ("true for a power", kind("grant", "privileged: true"), "5:25: `true`: `privileged` takes `any` or `none` (write `privileged: any`, or leave it out)"),
    ("half a namespace", kind("grant", "namespace: host"), "5:24: `host` is no namespace (for example pid=host, network=host or network=container:*)"),
    ("a device without its path", kind("grant", "device: fuse"), "5:21: `fuse` is no device (write /dev/fuse, /dev/dri/**, /dev/sda r, or c 10:229 rwm)"),
    ("a name with a slash before it", kind("only", "container: /web"), "5:23: `/web`: a name is matched without its slash (did you mean web?)"),
    ("a label with a colon", kind("only", "container: 'label:ci=x'"), "5:23: `label:ci=x` is no label (did you mean label=ci=x?)"),
    ("a regular expression", kind("only", "container: '^ci-.*$'"), "5:23: `^ci-.*$` is no container's name: none has a `^` (write a glob: * is any run but `/`, ** any run, and nothing else is special)"),
    ("an image in upper case", kind("only", "image: Python:3"), "5:19: `Python:3`: an image's name is in lower case (did you mean python:3?)"),
    ("an image's web page", kind("only", "image: 'https://r.example.com/x'"), "5:19: `https://r.example.com/x`: an image's name has no `https://` (did you mean r.example.com/x?)"),
    ("a restart policy that is none", kind("only", "restart: allways"), "5:21: `allways` is no restart (did you mean always?)"),
    ("a size with a space", kind("limit", "memory: 8 GB"), "5:21: `memory` takes a size, such as 512m or 8g (did you mean 8GB?)"),
    ("a star without quotes", kind("only", "container: *"), "5:23: a word cannot begin with `*` (quote it)"),
    ("an address for a network", LOOK + "clients: [{name: ci, from: 10.0.0.1/8, rules: all}]\n", "3:28: `10.0.0.1/8` is no address or network (did you mean 10.0.0.0/8?)"),
    ("a rule that there is not", LOOK + "clients: [{name: ci, unix-user: 1, rules: rum}]\n", "3:43: `rum` is no rule (did you mean run?)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(text, said, id=f"{what}: {name}")
        for what, cases in (("indent", INDENT), ("key", KEYS), ("kind", KINDS), ("path", PATHS), ("pattern", PATTERNS))
        for name, text, said in cases
    ],
)
def test_a_mistake_is_told_once_where_it_was_made_with_what_to_do(text: str, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        loads(text, "p.yaml")
    assert [str(problem) for problem in caught.value.problems] == [f"p.yaml:{said}"]
