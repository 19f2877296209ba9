"""Addresses, and the sockets bound to them; each mistake says what to do."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from sockproxy.errors import ConfigurationError
from sockproxy.proxy import listen
from sockproxy.proxy.listen import TcpListener, UnixListener


@pytest.mark.parametrize(
    ("text", "listener"),
    [
        ("tcp://127.0.0.1:2375", TcpListener("127.0.0.1", 2375)),
        ("tcp://[::1]:2375", TcpListener("::1", 2375)),
        ("tcp://0.0.0.0:0", TcpListener("0.0.0.0", 0)),
        ("unix:///run/s.sock", UnixListener("/run/s.sock", 0o660, None)),
        ("unix:///run/s.sock?mode=0600&group=docker", UnixListener("/run/s.sock", 0o600, "docker")),
        ("unix:///run/s.sock?mode=666", UnixListener("/run/s.sock", 0o666, None)),
    ],
)
def test_addresses_are_read(text: str, listener: listen.Listener) -> None:
    assert listen.parse(text) == listener


@pytest.mark.parametrize(
    "text",
    ["", "2375", "127.0.0.1:2375", "tcp://127.0.0.1", "tcp://:2375", "tcp://h:70000", "tcp://h:1/x", "http://h:1",
     "unix://run/s.sock", "unix:///s?mode=999", "unix:///s?mode=07777", "unix:///s?owner=root", "unix:///s?group=",
     "unix:///s?mode"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(ConfigurationError, match="write tcp://HOST:PORT or unix:///PATH"):
        listen.parse(text)


@pytest.mark.parametrize(
    ("text", "exposed"),
    [
        ("tcp://127.0.0.1:1", False), ("tcp://[::1]:1", False), ("tcp://localhost:1", False), ("unix:///s", False),
        ("tcp://0.0.0.0:1", True), ("tcp://[::]:1", True), ("tcp://10.0.0.1:1", True), ("tcp://sockproxy:1", True),
    ],
)  # fmt: skip
def test_who_can_reach_it(text: str, exposed: bool) -> None:
    assert listen.parse(text).exposed is exposed


def test_a_unix_socket_has_its_mode_and_group_and_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listen.bound(UnixListener(str(path), 0o640, str(os.getgid()))):
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o640, os.getgid())
        assert stat.S_ISSOCK(found.st_mode)
    assert not path.exists()


def test_who_connects_before_it_is_served_is_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listen.bound(UnixListener(str(path))), socket.socket(socket.AF_UNIX) as early:
        early.connect(str(path))
    with listen.bound(TcpListener("127.0.0.1", 0)) as made, socket.create_connection(made.getsockname()):
        pass


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    with listen.bound(UnixListener(str(path))):
        assert path.exists()


def test_a_socket_that_somebody_listens_on_is_left_to_them(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with (
            pytest.raises(ConfigurationError, match="somebody listens there already"),
            listen.bound(UnixListener(str(path))),
        ):
            pass
    assert path.exists()


def test_another_s_socket_is_not_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listen.bound(UnixListener(str(path))):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.exists()


def test_what_is_no_socket_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="is no socket"), listen.bound(UnixListener(str(path))):
        pass
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        (UnixListener("/nonexistent/s"), "no folder /nonexistent"),
        (UnixListener("/tmp/s", group="nosuchgroup"), "no group `nosuchgroup`"),
        (TcpListener("192.0.2.1", 0), "no interface here has that address"),
        (TcpListener("host.invalid", 0), "not known here"),
    ],
)
def test_a_mistake_says_what_it_is(listener: listen.Listener, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words), listen.bound(listener):
        pass


def test_a_port_in_use_says_how_to_find_who_uses_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        listener = TcpListener("127.0.0.1", port)
        with (
            pytest.raises(ConfigurationError, match=f"port {port} is in use.*ss -ltnp.*--listen"),
            listen.bound(listener),
        ):
            pass


def test_accepted_connections_notice_a_peer_that_has_vanished() -> None:
    with listen.bound(TcpListener("127.0.0.1", 0)) as made:
        made.listen()
        made.setblocking(True)
        client = socket.create_connection(made.getsockname())
        accepted, _ = made.accept()
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, count = (
            accepted.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + interval * count <= 120
        client.close()
        accepted.close()
