"""More of what people get wrong: words from docker, compose, the Engine API and other languages, one line for each.

As in `test_newcomers.py`, each is told whole, and is all that is told.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sockproxy.errors import PolicyError
from sockproxy.policy.load import load, load_tests, loads
from tests.policy.test_newcomers import LOOK, RUN, kind, path

WRITTEN = [
    ("tab value sep", "version:\t1\nrules:\n  - id: run\n    allow: GET /info\n", "1:9: a tab between words (write a space)"),
    ("quote then text", RUN + '    grant:\n      bind: "/srv/ci" ro\n', "6:23: text behind the quote that closes a word (put the quotes around all of it)"),
    ("quote then text flow", RUN + '    grant: {bind: ["/srv/ci" ro]}\n', "5:30: text behind the quote that closes a word (put the quotes around all of it)"),
    ("unclosed [", RUN + "    grant:\n      bind: [/srv/a, /srv/b\n    only: {image: python}\n", "6:13: a `[` that is never closed"),
    ("unclosed {", RUN + "    grant: {bind: /srv\n    only: {image: python}\n", "5:12: a `{` that is never closed"),
    ("extra ]", RUN + "    grant:\n      bind: [/srv/a]]\n", "6:21: a `]` that closes nothing (take it out, or quote the word)"),
    ("missing comma", RUN + "    grant: {bind: /srv publish: 80}\n", "5:31: a `:` where `,` or the closing bracket is expected (put a comma before a new key, `{…}` around a mapping, quotes around a word with `: `)"),
    ("missing space after colon", RUN + "    grant:\n      bind:/srv/**\n", "6:7: `grant` is a mapping of kinds to patterns (write a space behind the colon: `bind: /srv/**`)"),
    ("missing space after colon top", "version:1\nrules:\n  - id: run\n    allow: GET /info\n", "1:1: a key without its `: ` (write `version: 1`)"),
    ("missing space id", "version: 1\nrules:\n  - id:run\n    allow: GET /info\n", "3:5: a key without its `: ` (write `id: run`)"),
    ("missing colon", "version: 1\nrules\n  - id: run\n    allow: GET /info\n", "2:1: neither a key nor an item of a list (a key ends with `:`, an item begins with `- `)"),
    ("missing colon grant", RUN + "    grant\n      bind: /srv\n", "5:5: neither a key nor an item of a list (a key ends with `:`, an item begins with `- `)"),
    ("equals", "version = 1\nrules:\n  - id: run\n    allow: GET /info\n", "1:1: a key without its `: ` (write `version: 1`)"),
    ("stray quote end", RUN + '    grant:\n      bind: /srv/ci"\n', '6:13: a `"` that was never opened (take it out, or quote the word: \'/srv/ci"\')'),
    ("excl", RUN + "    only:\n      container: !ci\n", "6:18: a tag (`!name`) (quote a word that begins with `!`)"),
    ("ampersand", RUN + "    only:\n      container: &ci\n", "6:18: an anchor (`&name`) (quote a word that begins with `&`)"),
    ("question", RUN + "    only:\n      container: ? x\n", "6:18: a word cannot begin with `? ` (quote it)"),
    ("dash only", RUN + "    only:\n      container: - ci\n", "6:18: a list begins in a line of its own (or write it as [a, b])"),
    ("nbsp indent", "version: 1\nrules:\n  - id: run\n\xa0\xa0\xa0 allow: GET /info\n", "4:1: an unseen character (U+00A0), which is no space here (write a plain space, or take it out)"),
    ("nbsp after colon", "version: 1\nrules:\n  - id: run\n    allow:\xa0GET /info\n", "4:11: an unseen character (U+00A0), which is no space here (write a plain space, or take it out)"),
    ("nbsp inside", "version: 1\nrules:\n  - id: run\n    allow: GET\xa0/info\n", "4:12: an unseen character (U+00A0), which is no space here (write a plain space, or take it out)"),
    ("smart quotes", RUN + "    only:\n      image: “python:3”\n", '6:14: a `“` (U+201C), which is no quote here (write " or \')'),
    ("en dash", "version: 1\nrules:\n  – id: run\n    allow: GET /info\n", "3:3: a `–` (U+2013), which begins no item here (write `-`)"),
    ("zero width", RUN + "    only:\n      image: \u200bpython\n", "6:14: an unseen character (U+200B), which is no space here (write a plain space, or take it out)"),
    ("only ---", "---\n", "1:1: the file is empty (a policy begins with `version: 1`)"),
    ("toml", "[policy]\nversion = 1\n", "2:1: what belongs to nothing above it (a policy is keys at the margin, as in `version: 1`)"),
    ("jinja", "version: 1\nrules:\n  - id: {{ name }}\n    allow: GET /info\n", "3:9: a template (`{{…}}`), which nobody fills in here (fill it in before)"),
    ("compose file", "services:\n  web:\n    image: x\n", "1:1: a compose file, and no policy (`sockproxy explain p.yaml` judges what it asks; a policy has `rules`)"),
    ("second rule as key of first", RUN + "    id: b\n    allow: GET /info\n", "5:5: `id` stands twice (it stands in line 3 already: put `- ` before it where the next item of the list begins)"),
    ("allow item no dash", "version: 1\nrules:\n  - id: run\n    allow:\n      - GET /info\n      GET /version\n", "6:7: neither a key nor an item of a list (a key ends with `:`, an item begins with `- `)"),
    ("rule id dash", "version: 1\nrules:\n  - run:\n      allow: GET /info\n", "3:5: `run` is no key of a rule (write `- id: run`, and its keys below it, in the column of `id`)"),
    ("dash each key", "version: 1\nrules:\n  - id: run\n  - allow: GET /info\n", "4:5: a `- ` before `allow` begins another rule (take the `-` away, begin `allow` below `id`)"),
    ("grant list of maps", RUN + "    grant:\n      - bind: /srv\n      - publish: 80\n", "6:7: `grant` is a mapping of kinds to patterns (take each `- ` away: `grant: {bind: /srv/ci/**}`)"),
    ("grant word", RUN + "    grant: privileged\n", "5:12: `grant` is a mapping of kinds to patterns (for example `grant: {privileged: any}`)"),
    ("require list of maps", RUN + "    require:\n      - read-only: true\n", "6:9: `require` takes words (such as `- read-only`, without a `: `)"),
    ("allow mapping", "version: 1\nrules:\n  - id: run\n    allow:\n      GET: /info\n", "5:7: `allow` takes words (such as `allow: GET /info`, or a list of them: [a, b])"),
    ("allow list of maps", "version: 1\nrules:\n  - id: run\n    allow:\n      - GET: /info\n", "5:9: `allow` takes words (such as `- GET /info`, without a `: `)"),
    ("allow block literal", "version: 1\nrules:\n  - id: run\n    allow: |\n      GET /info\n      GET /version\n", "4:12: `GET /info GET /version` is more than one endpoint (write a list: [GET /info, GET /version])"),
    ("apiVersion", "apiVersion: 1\nrules: [{id: a, allow: GET /info}]\n", "1:1: `apiVersion` is no key of a policy (did you mean version?)"),
    ("flow brace kind no space", RUN + "    grant: {bind:/srv}\n", "5:13: `bind:/srv` is no kind of ask (write `bind: /srv`)"),
    ("allow empty", "version: 1\nrules:\n  - id: run\n    allow:\n", "4:11: `allow` is empty (write what belongs there, or take it out)"),
    ("tests in last rule", RUN + "    grant:\n      bind: /a\n      tests:\n        - {request: GET /info, expect: allowed}\n", "7:7: `tests` is no kind of ask (it is a key of the policy: begin its line at the margin)"),
]  # fmt: skip

KEYS = [
    ("top grants", LOOK + "grants: x\n", "3:1: `grants` is no key of a policy (did you mean grant? it is a key of a rule: begin it in the column of its `id`)"),
    ("top listen", LOOK + "listen: x\n", "3:1: `listen` is no key of a policy (it is an option: `sockproxy run --listen …`)"),
    ("top dry-run", LOOK + "dry-run: x\n", "3:1: `dry-run` is no key of a policy (write `mode: observe`)"),
    ("top users", LOOK + "users: x\n", "3:1: `users` is no key of a policy (did you mean clients?)"),
    ("rule description", RUN + "    description: x\n", "5:5: `description` is no key of a rule (write it as a comment, behind `#`)"),
    ("rule denies", RUN + "    denies: x\n", "5:5: `denies` is no key of a rule (did you mean deny?)"),
    ("clients [{id: ci, from: 10.0.0.0/8, rules: all}]", RUN + "clients: [{id: ci, from: 10.0.0.0/8, rules: all}]\n", "5:12: `id` is no key of a client (did you mean name?)"),
    ("clients [{name: my ci, from: 10.0.0.0/8, rules: all}]", RUN + "clients: [{name: my ci, from: 10.0.0.0/8, rules: all}]\n", "5:18: `my ci` is no `name` (letters, digits, `-`, `_` and `.`)"),
    ("clients [{name: ci, token: x, rules: all}]", RUN + "clients: [{name: ci, token: x, rules: all}]\n", "5:22: `token` is no key of a client (one of name, from, unix-user, certificate, rules, mode)"),
    ("clients [{name: ci, from: 10.0.0.0/8, allow: GET /info}]", RUN + "clients: [{name: ci, from: 10.0.0.0/8, allow: GET /info}]\n", "5:40: `allow` is no key of a client (it is a key of a rule: write one, and name it here in `rules`)"),
    ("clients [{name: ci, from: 10.0.0.0/8, policy: read-only}]", RUN + "clients: [{name: ci, from: 10.0.0.0/8, policy: read-only}]\n", "5:40: `policy` is no key of a client (write its name in `rules`, and `extends:` at the margin)"),
    ("clients ci", RUN + "clients: ci\n", "5:10: `clients` is a list (each client begins with `- name: …`)"),
    ("clients [{name: ci, unix-user: [1, 2], rules: all}]", RUN + "clients: [{name: ci, unix-user: [1, 2], rules: all}]\n", "5:33: `unix-user` is a number (one for each client)"),
    ("unix-user name", LOOK + "clients: [{name: ci, unix-user: jenkins, rules: all}]\n", "3:33: `unix-user` is a number (such as 1000: `id -u NAME` tells it)"),
    ("tests [{method: GET, path: /info, expect: allowed}]", RUN + "tests: [{method: GET, path: /info, expect: allowed}]\n", "5:10: `method` is no key of a test (write both in one: `request: GET /info`)"),
    ("tests [{request: GET /info, expect: denied}]", RUN + "tests: [{request: GET /info, expect: denied}]\n", "5:38: `denied` is nothing to expect (did you mean refused?)"),
    ("tests [{request: POST /containers/create, body: {a: 1}, body-file: nix.json, expect: allowed}]", RUN + "tests: [{request: POST /containers/create, body: {a: 1}, body-file: nix.json, expect: allowed}]\n", "5:69: `body-file` beside `body` (a request has one body)"),
    ("extends 'read-only, traefik'", RUN + "extends: 'read-only, traefik'\n", "5:10: `read-only, traefik` is no preset, and no file beside this one (write a list: [read-only, traefik])"),
]  # fmt: skip

KINDS = [
    ("grant", "HostConfig.Binds", "`HostConfig.Binds` is no kind of ask (did you mean bind?)"),
    ("grant", "CapAdd", "`CapAdd` is no kind of ask (did you mean capability?)"),
    ("grant", "PortBindings", "`PortBindings` is no kind of ask (did you mean publish?)"),
    ("grant", "NetworkMode", "`NetworkMode` is no kind of ask (did you mean namespace?)"),
    ("grant", "pid_mode", "`pid_mode` is no kind of ask (did you mean namespace?)"),
    ("grant", "volumes", "`volumes` is no kind of ask (did you mean bind? named volumes are free: hold them by `only: volume`)"),
    ("grant", "cap_drop", "`cap_drop` is no kind of ask (did you mean `require: cap-drop-all`?)"),
    ("grant", "LogConfig", "`LogConfig` is no kind of ask (did you mean log-driver?)"),
    ("grant", "ShmSize", "`ShmSize` is no kind of ask (did you mean shm? it belongs under `limit`)"),
    ("grant", "HostConfig.Memory", "`HostConfig.Memory` is no kind of ask (did you mean memory? it belongs under `limit`)"),
    ("grant", "tmpfs", "`tmpfs` is no kind of ask (take it out: it asks nothing, and is free)"),
    ("grant", "docker.sock", "`docker.sock` is no kind of ask (did you mean bind?)"),
    ("only", "repository", "`repository` is no kind of ask (did you mean image?)"),
    ("only", "environment", "`environment` is no kind of ask (take it out: it asks nothing, and is free)"),
    ("only", "user", "`user` is no kind of ask (did you mean `require: non-root`?)"),
    ("limit", "memswap_limit", "`memswap_limit` is no limit (did you mean memory?)"),
    ("limit", "cpu-shares", "`cpu-shares` is no limit (take it out: it asks nothing, and is free)"),
]  # fmt: skip

AMOUNTS = [
    ("memory", "8 g", "`memory` takes a size, such as 512m or 8g (did you mean 8g?)"),
    ("memory", "unlimited", "`memory` takes a size, such as 512m or 8g (take it out where there shall be no limit)"),
    ("cpus", "500m", "`cpus` takes a number of CPUs, such as 2 or 0.5 (did you mean 0.5?)"),
    ("cpus", ".5", "`cpus` takes a number of CPUs, such as 2 or 0.5 (did you mean 0.5?)"),
    ("pids", "1_000", "`pids` takes a whole number (did you mean 1000?)"),
    ("pids", "-1", "`pids` takes a whole number (take it out where there shall be no limit)"),
]  # fmt: skip

PATHS = [
    ("GET /containers", "`GET /containers` selects no endpoint of the Engine API (did you mean GET /containers/json? all that is below is GET /containers/**)"),
    ("POST /networks", "`POST /networks` selects no endpoint of the Engine API (did you mean POST /networks/create? all that is below is POST /networks/**)"),
    ("DELETE /containers", "`DELETE /containers` selects no endpoint of the Engine API (did you mean DELETE /containers/{id}?)"),
    ("GET /containers/json/", "`GET /containers/json/` selects no endpoint of the Engine API (did you mean GET /containers/json?)"),
    ("GET /containers/{id}", "`GET /containers/{id}` selects no endpoint of the Engine API (did you mean GET /containers/{id}/json?)"),
    ("GET /CONTAINERS/JSON", "`GET /CONTAINERS/JSON` selects no endpoint of the Engine API (did you mean GET /containers/json?)"),
    ("POST /containers/run", "`POST /containers/run` selects no endpoint of the Engine API (did you mean POST /containers/create?)"),
    ("POST /images/pull", "`POST /images/pull` selects no endpoint of the Engine API (did you mean POST /images/create?)"),
    ("POST /containers/{id}/rm", "`POST /containers/{id}/rm` selects no endpoint of the Engine API (did you mean DELETE /containers/{id}?)"),
    ("POST /containers/{id}/exec/start", "`POST /containers/{id}/exec/start` selects no endpoint of the Engine API (did you mean POST /exec/{id}/start?)"),
    ("POST /containers/{id}/{action}", "`POST /containers/{id}/{action}` selects no endpoint of the Engine API (did you mean POST /containers/{id}/**?)"),
    ("POST /containers/**/start", "`POST /containers/**/start` has `**` elsewhere than as `/**` at its end (did you mean POST /containers/*/start?)"),
    ("GET /containers**", "`GET /containers**` has `**` elsewhere than as `/**` at its end (did you mean GET /containers/**?)"),
    ("GET /**/json", "`GET /**/json` has `**` elsewhere than as `/**` at its end (* is one parameter, and /** at the end all that is below)"),
    ("POST /containers/{id}/start,stop", "`POST /containers/{id}/start,stop` has a comma (did you mean POST /containers/{id}/start|stop?)"),
    ("POST /containers/{id}/(start|stop)", "`POST /containers/{id}/(start|stop)` is no path (did you mean POST /containers/{id}/start|stop?)"),
    ("POST /containers/{id}/start|", "`POST /containers/{id}/start|` has an alternative that is empty (take out a `|`)"),
    ("GET /swarm/**", "`GET /swarm/**`: a `**` takes in none of what is explicit (name it: GET /swarm, GET /swarm/unlockkey)"),
    ("ANY /v1.41/**", "`ANY /v1.41/**` has a version in its path (write ANY /**: it is for all of them)"),
    ("GET /v1.41/containers/**", "`GET /v1.41/containers/**` has a version in its path (write GET /containers/**: it is for all of them)"),
    ("GET,POST /info", "`GET,POST` is no method (did you mean GET|POST /info?)"),
    ("GET /info, GET /version", "`GET /info, GET /version` is more than one endpoint (write a list: [GET /info, GET /version])"),
    ("GET | POST /info", "`GET | POST /info` is not `METHOD /path` (did you mean GET|POST /info?)"),
    ("any", "`any` is not `METHOD /path` (did you mean ANY /**?)"),
    ("* /info", "`*` is no method (did you mean ANY?)"),
    ("GET **", "`GET **` is not `METHOD /path` (did you mean GET /**?)"),
    ("GET/info", "`GET/info` is not `METHOD /path` (did you mean GET /info?)"),
    ("containers/json", "`containers/json` is not `METHOD /path` (did you mean GET /containers/json?)"),
    ("containers", "`containers` is not `METHOD /path` (did you mean GET /containers/json? all that is below is GET /containers/**)"),
    ("ContainerCreate", "`ContainerCreate` is not `METHOD /path` (did you mean POST /containers/create?)"),
    ("docker run", "`docker run` is not `METHOD /path` (`sockproxy explain -- docker run` says which endpoints it calls)"),
    ("!GET /info", "`!GET /info`: nothing is taken out of a rule by its own line (write a rule with `deny: GET /info`)"),
    ("GET unix:///info", "`GET unix:///info` is not `METHOD /path` (write the path alone: GET /info)"),
    ("GET /metrics", "`GET /metrics` selects no endpoint of the Engine API (did you mean GET /services?)"),
    ("PATCH /info", "`PATCH` is no method (one of DELETE, GET, HEAD, POST, PUT, or ANY)"),
]  # fmt: skip

PATTERNS = [
    ("grant", "bind", "~/ci", "`~/ci` is no absolute path (write it out: nothing is filled in here)"),
    ("grant", "bind", "$HOME/ci", "`$HOME/ci` is no absolute path (write it out: nothing is filled in here)"),
    ("grant", "bind", "shop_data:/data", "`shop_data:/data` is no absolute path (a path begins with `/`; a volume is free, or held by `only: {volume: shop_data}`)"),
    ("grant", "bind", "type=bind,source=/srv,target=/w", "`type=bind,source=/srv,target=/w` is no absolute path (write the host's path alone: /srv)"),
    ("grant", "bind", "^/srv/.*$", "`^/srv/.*$` is no absolute path (write a glob: * is any run but `/`, ** any run, and nothing else is special)"),
    ("grant", "bind", "all", "`all` is no absolute path (did you mean any?)"),
    ("grant", "bind", "any ro", "`any ro` is no absolute path (did you mean /** ro?)"),
    ("grant", "bind", "/srv/ci,ro", "`/srv/ci,ro`: `ro` is nothing behind a path (did you mean /srv/ci ro?)"),
    ("grant", "bind", "/srv/ci RO", "`/srv/ci RO`: `RO` is nothing behind a path (did you mean /srv/ci ro?)"),
    ("grant", "bind", "/srv/ci read-only", "`/srv/ci read-only`: `read-only` is nothing behind a path (did you mean /srv/ci ro?)"),
    ("grant", "bind", "/srv/ci  ro", "`/srv/ci  ro` has a space too many (did you mean /srv/ci ro?)"),
    ("grant", "bind", "/srv/ci rshared", "`/srv/ci rshared`: `rshared` is nothing behind a path (did you mean /srv/ci shared?)"),
    ("grant", "bind", "/srv/ci z", "`/srv/ci z`: `z` is nothing behind a path (did you mean /srv/ci?)"),
    ("grant", "bind", " /srv", "` /srv` is no absolute path (did you mean /srv?)"),
    ("grant", "bind", "!/etc", "`!/etc`: nothing is taken out of a list by a word in it (write a rule with `deny:` and `asking: {bind: /etc}`)"),
    ("grant", "capability", "NET_ADMIN,SYS_PTRACE", "`NET_ADMIN,SYS_PTRACE` is more than one capability (write a list: [NET_ADMIN, SYS_PTRACE])"),
    ("grant", "publish", "127.0.0.1:8080:80", "`127.0.0.1:8080:80` is what `docker run -p` takes (write the host's part alone: 127.0.0.1:8080)"),
    ("grant", "publish", "8000-9000:80", "`8000-9000:80` is what `docker run -p` takes (write the host's part alone: 8000-9000)"),
    ("grant", "publish", "localhost:80", "`localhost:80` is no port of the host (did you mean 127.0.0.1:80?)"),
    ("grant", "publish", "::1:80", "`::1:80` is no port of the host (did you mean [::1]:80?)"),
    ("grant", "publish", "80/TCP", "`80/TCP` is no port of the host (did you mean 80/tcp?)"),
    ("grant", "publish", "127.0.0.1:*", "`127.0.0.1:*` is no port of the host (did you mean 127.0.0.1:1-65535?)"),
    ("grant", "publish", "*", "`*` is no port of the host (did you mean any?)"),
    ("grant", "publish", "80,443", "`80,443` is more than one port (write a list: [80, 443])"),
    ("grant", "publish", "127.0.0.1", "`127.0.0.1` is no port of the host (did you mean 127.0.0.1:1-65535?)"),
    ("grant", "publish", ":80", "`:80` is no port of the host (did you mean 80?)"),
    ("grant", "publish", "80-79", "`80-79` is no range of ports (write the lower one first)"),
    ("grant", "publish", "65536", "`65536` is no port (the highest is 65535)"),
    ("grant", "namespace", "pid:host", "`pid:host` is no namespace (did you mean pid=host?)"),
    ("grant", "namespace", "net=host", "`net=host` is no namespace (did you mean network=host?)"),
    ("grant", "namespace", "PID=host", "`PID=host` is no namespace (did you mean pid=host?)"),
    ("grant", "namespace", "pid", "`pid` is no namespace (did you mean pid=host?)"),
    ("grant", "namespace", "pid-mode=host", "`pid-mode=host` is no namespace (did you mean pid=host?)"),
    ("grant", "namespace", "cgroupns=host", "`cgroupns=host` is no namespace (did you mean cgroup=host?)"),
    ("grant", "device", "/dev/fuse:/dev/fuse", "`/dev/fuse:/dev/fuse` is what `docker run --device` takes (write the host's alone: /dev/fuse)"),
    ("grant", "device", "/dev/fuse:rwm", "`/dev/fuse:rwm` is what `docker run --device` takes (write the host's alone: /dev/fuse rwm)"),
    ("grant", "gpu", "All", "`All` is no GPU (did you mean all?)"),
    ("grant", "security-opt", "seccomp:unconfined", "`seccomp:unconfined` is no security option (did you mean seccomp=unconfined?)"),
    ("grant", "security-opt", "no-new-privileges", "`no-new-privileges` needs no grant (it can be demanded: `require: no-new-privileges`)"),
    ("only", "archive", "web:/data", "`web:/data` is no absolute path (write the path alone: /data)"),
    ("only", "container", "ci, web", "`ci, web` is more than one name (write a list: [ci, web])"),
    ("only", "container", "name=ci", "`name=ci`: a name stands alone (did you mean ci?)"),
    ("only", "container", "labels=ci=1", "`labels=ci=1` is no label (did you mean label=ci=1?)"),
    ("only", "container", "label ci=x", "`label ci=x` is no label (did you mean label=ci=x?)"),
    ("only", "container", "!db", "`!db`: nothing is taken out of a list by a word in it (write a rule with `deny:` and `asking: {container: db}`)"),
    ("only", "image", "python:[0-9]", "`python:[0-9]` is no image's name: none has a `[` (write a glob: * is any run but `/`, ** any run, and nothing else is special)"),
    ("only", "image", "python:3,node:20", "`python:3,node:20` is more than one image (write a list: [python:3, node:20])"),
    ("only", "image", "python:", "`python:` is no image's name (did you mean python?)"),
    ("only", "image", "registry.example.com/", "`registry.example.com/` is no image's name (did you mean registry.example.com/**?)"),
    ("only", "image", "/python", "`/python` is no image's name (did you mean python?)"),
    ("only", "image", "$REGISTRY/x", "`$REGISTRY/x` is no image's name: none has a `$` (write a glob: * is any run but `/`, ** any run, and nothing else is special)"),
    ("only", "image", "python:latest ", "`python:latest ` has a space too many (did you mean python:latest?)"),
    ("only", "volume", "/srv", "`/srv` is a path, and no volume (paths of the host are granted: `grant: {bind: …}`)"),
    ("only", "volume", "shop_data:/data", "`shop_data:/data` is a mount of `docker run -v` (write the volume's name alone: shop_data)"),
    ("only", "volume", "shop_data:ro", "`shop_data:ro` is a mount of `docker run -v` (write the volume's name alone: shop_data ro)"),
    ("only", "volume", "^x$", "`^x$` is no volume's name: none has a `^` (write a glob: * is any run but `/`, ** any run, and nothing else is special)"),
    ("only", "network", "^shop$", "`^shop$` is a regular expression (write a glob: * is any run but `/`, ** any run, and nothing else is special)"),
    ("only", "registry", "https://r.example.com/v2/", "`https://r.example.com/v2/`: a registry is its name alone (did you mean r.example.com?)"),
    ("only", "label", "traefik.enable: true", "`traefik.enable: true` is no label (did you mean traefik.enable=true?)"),
]  # fmt: skip

CLIENTS = [
    ("from", "10.0.0.*", "`10.0.0.*` is no address or network (did you mean 10.0.0.0/24?)"),
    ("from", "10.0.0.1:80", "`10.0.0.1:80` is no address or network (did you mean 10.0.0.1?)"),
    ("from", "localhost", "`localhost` is no address or network (names are not looked up: write the address, or its network, such as 172.20.0.0/16)"),
    ("from", "any", "`any` is no address or network (everyone is 0.0.0.0/0 and ::/0)"),
    ("from", "10.0.0.0/8, 172.16.0.0/12", "`10.0.0.0/8, 172.16.0.0/12` is no address or network (write a list: [10.0.0.0/8, 172.16.0.0/12])"),
    ("from", "[::1]", "`[::1]` is no address or network (did you mean ::1?)"),
    ("rules", "any", "`any` is no rule (did you mean all?)"),
    ("rules", "read-only", "`read-only` is no rule (write `extends: read-only` too, to have its rules)"),
]  # fmt: skip


def told(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        loads(text, "p.yaml")
    return [str(problem).removeprefix("p.yaml:") for problem in caught.value.problems]


@pytest.mark.parametrize(("text", "said"), [pytest.param(*rest, id=name) for name, *rest in (*WRITTEN, *KEYS)])
def test_what_is_written_wrong_is_told_once_at_its_place(text: str, said: str) -> None:
    assert told(text) == [said]


@pytest.mark.parametrize(("section", "word", "said"), KINDS)
def test_a_word_from_elsewhere_is_told_its_kind(section: str, word: str, said: str) -> None:
    assert told(kind(section, f"{word}: x")) == [f"5:{len(section) + 8}: {said}"]


@pytest.mark.parametrize(("name", "word", "said"), AMOUNTS)
def test_an_amount_is_told_its_form(name: str, word: str, said: str) -> None:
    assert told(kind("limit", f"{name}: {word}")) == [f"5:{len(name) + 15}: {said}"]


@pytest.mark.parametrize(("selector", "said"), PATHS)
def test_an_endpoint_that_is_none_is_told_which_was_meant(selector: str, said: str) -> None:
    assert told(path(f'"{selector}"')) == [f"4:12: {said}"]


@pytest.mark.parametrize(("section", "name", "word", "said"), PATTERNS)
def test_a_pattern_that_is_none_is_told_what_was_meant(section: str, name: str, word: str, said: str) -> None:
    assert told(kind(section, f'{name}: "{word}"')) == [f"5:{len(section) + len(name) + 10}: {said}"]


@pytest.mark.parametrize(("key", "word", "said"), CLIENTS)
def test_a_clients_word_is_told_what_was_meant(key: str, word: str, said: str) -> None:
    keys = {"from": "10.0.0.1", "rules": "all", key: word}
    text = LOOK + f"clients: [{{name: ci, from: '{keys['from']}', rules: '{keys['rules']}'}}]\n"
    column = text.splitlines()[2].index(f"'{word}'") + 1
    assert told(text) == [f"3:{column}: {said}"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("version: 1\nabout: f\xfcr\n".encode("latin-1"), ":2:9: the byte 0xFC, which is not UTF-8 (save it as UTF-8)"),
        (LOOK.encode("utf-16"), ":1:1: UTF-16, and not UTF-8 (save it as UTF-8)"),
    ],
    ids=["latin-1", "utf-16"],
)
def test_a_file_that_is_not_utf_8_is_told_where(raw: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(raw)
    with pytest.raises(PolicyError) as caught:
        load(file)
    assert [str(problem) for problem in caught.value.problems] == [f"{file}{said}"]


def test_a_key_of_a_file_of_tests_that_is_misspelt_is_not_missing_too(tmp_path: Path) -> None:
    file = tmp_path / "a.policy-test.yaml"
    file.write_text("version: 1\npolicies: read-only\ntest:\n  - {request: GET /info, expect: allowed}\n")
    with pytest.raises(PolicyError) as caught:
        load_tests(file)
    assert [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems] == [
        "2:1: `policies` is no key of a file of tests (did you mean policy?)",
        "3:1: `test` is no key of a file of tests (did you mean tests?)",
    ]


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=f"name a policy in it; `sockproxy test {tmp_path}` runs"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (RUN + "    limit: {memory: 512}\n", "p.yaml:5: `memory: 512` is 512 bytes"),
        (RUN + "    grant: {bind: /srv/.*}\n", "p.yaml:5: `bind: /srv/.*`: `.*` stands for itself"),
        (RUN + "    only:\n      container: ci-.*\n", "p.yaml:6: `container: ci-.*`: `.*` stands for itself"),
        (RUN + "    grant:\n      bind: /srv/a, /srv/b\n", "p.yaml:6: `bind: /srv/a, /srv/b` is one path"),
        (LOOK + "clients: [{name: ci, unix-user: 1, rules: []}]\n", "p.yaml:3: client `ci` has no rules"),
    ],
)
def test_what_loads_and_was_hardly_meant_is_warned_of(text: str, warning: str) -> None:
    assert [each[: len(warning)] for each in loads(text, "p.yaml").warnings] == [warning]
