"""docker compose brings two services, a network and a volume up and takes them down again, as with the bare engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.engine.conversation import held_twice
from tests.engine.disposable import IMAGE, LABEL, Engine
from tests.engine.docker_cli import Docker
from tests.engine.proxies import Proxy
from tests.engine.test_builds import cli_of

KEY, VALUE = LABEL.split("=")
PROJECT = {
    "services": {
        "web": {
            "image": IMAGE,
            "command": ["sh", "-c", "mkdir -p /www && cp /data/page /www/ && httpd -f -p 80 -h /www"],
            "volumes": ["data:/data:ro"],
            "networks": {"front": {"aliases": ["www"]}},
            "depends_on": {"store": {"condition": "service_completed_successfully"}},
            "healthcheck": {"test": ["CMD", "test", "-e", "/www/page"], "interval": "1s", "start_period": "5s"},
            "labels": {KEY: VALUE},
        },
        "store": {
            "image": IMAGE,
            "command": ["sh", "-c", "echo kept > /data/page"],
            "volumes": ["data:/data"],
            "networks": ["front"],
            "cap_drop": ["ALL"],
            "labels": {KEY: VALUE},
        },
    },
    "networks": {"front": {"labels": {KEY: VALUE}}},
    "volumes": {"data": {"labels": {KEY: VALUE}}},
}


def test_up_and_down(
    engine: Engine, docker: Callable[..., Docker], proxy_for: Callable[[Engine, str], Proxy], tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").write_text(json.dumps(PROJECT))  # JSON is YAML

    def up_and_down(docker: Docker) -> None:
        def compose(line: str, *, status: int = 0) -> None:
            docker(f"compose --ansi never --project-name {{n}} {line}", cwd=tmp_path, unordered=True, status=status)

        compose("up --detach --wait-timeout 30 --wait web")
        compose("ps --all --format '{{.Service}} {{.State}}'")
        compose("exec -T web wget -qO- http://www/page")
        compose("logs --no-color")
        compose("run --rm --no-deps -T store cat /data/page")
        compose("restart --timeout 0 web")
        compose("stop --timeout 0")
        compose("down --volumes --timeout 0")
        docker("volume ls --quiet --filter name={n}")
        docker("network ls --quiet --filter name={n}")

    cli = cli_of("28")
    held_twice(up_and_down, lambda address: docker(cli, address), engine, proxy_for(engine, "compose"))
