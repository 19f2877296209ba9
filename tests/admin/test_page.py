"""The live page in a browser: what a reader sees, and that nothing a client sent ever runs."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import uvicorn

from tests.admin.pages import House

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the admin pages are served, in a thread."""
    house = House()
    house.decide_a_few()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(house.app(), lifespan="off", log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


def browse(profile: Path, *arguments: str) -> str:
    """Chromium's output, with a profile of its own and no traffic but the page's."""
    assert CHROMIUM is not None
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
        " --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars"
    )
    done = subprocess.run(
        [CHROMIUM, *flags.split(), f"--user-data-dir={profile}", *arguments],
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=120,
    )
    return done.stdout


class Seen(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_reader_sees_the_decisions_and_no_script_runs(address: str, tmp_path: Path) -> None:
    seen = Seen(browse(tmp_path, "--dump-dom", f"{address}/?refresh=off"))
    assert seen.elements.count("tr") == 8
    assert "script" not in seen.elements
    assert "<script>document.title='stolen'</script>" in seen.text  # told, not run
    assert "sockproxy: jenkins-agent" in seen.text
    assert "bind: /etc ro" in seen.text


@pytest.mark.parametrize(("scheme", "ground"), [("light", "f6f7f9"), ("dark", "14181e")])
def test_the_page_is_drawn_in_the_reader_s_colours(address: str, tmp_path: Path, scheme: str, ground: str) -> None:
    """And so the style sheet passes the page's own Content-Security-Policy."""
    picture = tmp_path / "page.png"
    dark = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    browse(tmp_path / "profile", *dark, "--window-size=1280,900", f"--screenshot={picture}", f"{address}/?refresh=off")
    assert first_pixel(picture.read_bytes()) == bytes.fromhex(ground)


def first_pixel(png: bytes) -> bytes:
    """Red, green and blue of the corner, which no PNG filter changes (RFC 2083, 6.2: what is outside counts as 0)."""
    data, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += size + 12
    return zlib.decompress(data)[1:4]
