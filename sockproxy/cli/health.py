"""`sockproxy health`: for a container's HEALTHCHECK, without curl."""

from __future__ import annotations

import http.client
import json
from typing import Final
from urllib.parse import urlsplit

import click

from sockproxy.cli.options import Seconds, admin_option
from sockproxy.errors import ConfigurationError

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
"""A listener on every address is asked on loopback."""


@click.command()
@admin_option
@click.option(
    "--live",
    is_flag=True,
    envvar="SOCKPROXY_HEALTH_LIVE",
    show_envvar=True,
    help="Ask only whether sockproxy is up, not whether the engine is.",
)
@click.option(
    "--timeout",
    type=Seconds(),
    default=8.0,
    envvar="SOCKPROXY_HEALTH_TIMEOUT",
    show_default=True,
    show_envvar=True,
    help="How long to wait for the answer.",
)
def health(admin: str, live: bool, timeout: float) -> None:
    """Ask a running sockproxy whether it is well: one line, and exit code 0 or 1."""
    host, port = _address(admin)
    well, words = _ask(host, port, "/healthz" if live else "/readyz", timeout)
    click.echo(words, err=not well)
    click.get_current_context().exit(0 if well else 1)


def _address(admin: str) -> tuple[str, int]:
    """Host and port of ``tcp://HOST:PORT``.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        url = urlsplit(admin)
        if url.scheme == "tcp" and url.hostname and url.port:
            return _ANYWHERE.get(url.hostname, url.hostname), url.port
    except ValueError:
        pass
    if admin == "none":
        raise ConfigurationError("there is no admin listener to ask (--admin none)")
    raise ConfigurationError(f"the admin listener `{admin}` is no address: write tcp://HOST:PORT")


def _ask(host: str, port: int, path: str, timeout: float) -> tuple[bool, str]:
    """Whether it is well, and what to say."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(64 * 1024)
    except OSError as error:
        return False, f"not healthy: no answer from {host}:{port} ({error or type(error).__name__})"
    except http.client.HTTPException:
        return False, f"not healthy: no answer from {host}:{port} (it speaks no HTTP)"
    finally:
        connection.close()
    if answer.status == http.HTTPStatus.OK:
        return True, "healthy"
    return False, f"not healthy: {_reason(body) or f'{path} answered {answer.status}'}"


def _reason(body: bytes) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    return " ".join(str(told.get("reason") or told.get("message") or "").split())
