"""The model that the table relies on, held against HAProxy itself where there is one."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.classic import haproxy
from tests.classic.haproxy import Bar, Gate, Opening
from tests.classic.table import CALLS, SETTINGS, name

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed")


def configuration(dialect: str, listen: Path) -> str:
    """The rules as HAProxy's own, in front of a backend that answers 200 to everything."""
    lines = ["defaults", "mode http", *(f"timeout {each} 10s" for each in ("client", "connect", "server"))]
    lines += ["backend engine", "http-request return status 200"]
    lines += ["frontend proxy", f"bind unix@{listen}", "default_backend engine"]
    for rule in haproxy.rules(dialect):
        match rule:
            case Gate(methods):
                for method, variable in methods.items():
                    which = "" if method == "*" else f"{{ method {method} }} "
                    lines.append(f"http-request deny if !METH_GET {which}!{{ env({variable}) -m bool }}")
                if "*" not in methods:
                    lines.append(f"http-request deny if !METH_GET !{{ method {' '.join(methods)} }}")
            case Bar(variable, path):
                lines.append(f"http-request deny if {_path(path)} !{{ env({variable}) -m bool }}")
            case Opening(variable, path):
                lines.append(f"http-request allow if {_path(path)} {{ env({variable}) -m bool }}")
    return "\n".join([*lines, "http-request deny", ""])


def _path(pattern: str) -> str:
    return f"{{ path,url_dec -m reg -i {pattern} }}"


@contextmanager
def running(dialect: str, variables: dict[str, str], folder: Path) -> Iterator[Path]:
    listen, file = folder / "h.sock", folder / "haproxy.cfg"
    file.write_text(configuration(dialect, listen), encoding="utf-8")
    environment = {**haproxy.DEFAULTS, **variables, "PATH": os.environ["PATH"]}
    process = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(file)], env=environment, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not answers(listen) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.poll() is None, process.communicate()[1].decode()
        yield listen
    finally:
        process.terminate()
        process.communicate(timeout=10)


def answers(listen: Path) -> bool:
    """Whether somebody listens there: its file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as tried:
        return tried.connect_ex(str(listen)) == 0


def asked(listen: Path, method: str, target: str) -> bool:
    """Whether a request goes through. A connection each: a refused one may be closed."""
    connection = http.client.HTTPConnection("docker", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(listen))
        connection.putrequest(method, target)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 403), answer.status
        return answer.status == 200
    finally:
        connection.close()


@pytest.mark.parametrize("setting", SETTINGS, ids=name)
def test_the_model_is_haproxys(setting: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    dialect, variables = setting
    with running(dialect, variables, tmp_path) as listen:
        wrong = [
            str(call)
            for call in CALLS
            if asked(listen, call.method, call.target) is not haproxy.allows(*setting, call.method, call.target)
        ]
    assert not wrong
