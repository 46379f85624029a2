"""Uploads through nginx, as a stranger sends them: with curl, over slow lines, in pieces that are too large."""

import json
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stack.layout import ROOT
from tests.conftest import RunningStack, get
from tests.integration.videos.conftest import film
from tests.waiting import wait_for

SKU = "KI-1030"
SIZE = 20 * 1024 * 1024
PIECE = 16 * 1024 * 1024
AT_ONCE = 6  # as deploy/nginx.conf.template has it


@pytest.fixture
def running(stack: RunningStack) -> Iterator[RunningStack]:
    """Nobody takes up what arrives, and nothing is left of it."""
    with stack.without("relay"):
        yield stack
        stack.sql("DELETE FROM videos_video")
        stack.sql("DELETE FROM videos_upload")


@pytest.fixture
def token(running: RunningStack) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "drf_create_token", "admin", "--reset"],
        cwd=ROOT,
        env=running.stack.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[2]


def curl(
    running: RunningStack, token: str, method: str, path: str, *more: str
) -> tuple[int, dict[str, str], str]:
    """Status, headers in small letters, body."""
    done = subprocess.run(
        ["curl", "-sS", "-i", "-X", method, f"{running.shop_url}{path}", "-H", f"Authorization: Token {token}",
         "-H", "Tus-Resumable: 1.0.0", "-H", "Expect:", *more],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    head, _, body = done.stdout.partition("\n\n")
    first, *lines = head.splitlines()
    return (
        int(first.split()[1]),
        {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)},
        body,
    )


def announce(running: RunningStack, token: str) -> str:
    sku, name = (b64encode(text.encode()).decode() for text in (SKU, "kettle.mp4"))
    status, headers, body = curl(
        running, token, "POST", "/api/uploads/", "-H", f"Upload-Length: {SIZE}",
        "-H", f"Upload-Metadata: sku {sku},filename {name}",
    )  # fmt: skip
    assert status == 201, body
    return headers["location"]


def piece(offset: int, file: Path) -> tuple[str, ...]:
    kind = "application/offset+octet-stream"
    return ("-H", f"Upload-Offset: {offset}", "-H", f"Content-Type: {kind}", "--data-binary", f"@{file}")


def test_by_curl(running: RunningStack, token: str, tmp_path: Path) -> None:
    whole = film(SIZE)
    first, rest = tmp_path / "first", tmp_path / "rest"
    first.write_bytes(whole[:PIECE])
    rest.write_bytes(whole[PIECE:])
    location = announce(running, token)
    status, headers, _ = curl(running, token, "PATCH", location, *piece(0, first))
    assert (status, headers["upload-offset"]) == (204, str(PIECE))
    status, headers, _ = curl(running, token, "HEAD", location, "--head")
    assert (status, headers["upload-offset"], headers["upload-length"]) == (200, str(PIECE), str(SIZE))
    assert curl(running, token, "PATCH", location, *piece(PIECE, rest))[0] == 204
    told = json.loads(curl(running, token, "GET", location)[2])
    video = json.loads(curl(running, token, "GET", urlsplit(told["video"]).path)[2])
    assert (video["sku"], video["size"], video["state"]) == (SKU, SIZE, "waiting")
    [(source,)] = running.sql("SELECT source FROM videos_video")
    assert (running.stack.layout.media / source).read_bytes() == whole


def test_a_piece_that_is_too_large(running: RunningStack, token: str, tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(film(PIECE + 1))
    location = announce(running, token)
    status, headers, body = curl(running, token, "PATCH", location, *piece(0, tmp_path / "whole"))
    assert (status, headers["content-type"]) == (413, "application/problem+json")
    assert "send the file in smaller pieces" in json.loads(body)["detail"]
    assert curl(running, token, "HEAD", location, "--head")[1]["upload-offset"] == "0"


def test_slow_lines_hold_no_thread_of_the_shop(running: RunningStack, token: str, tmp_path: Path) -> None:
    """More of them than web has threads for uploads; the shop sells on, and one too many is told to come again."""
    location = announce(running, token)
    address = urlsplit(running.shop_url)
    (tmp_path / "piece").write_bytes(film(PIECE))
    with ExitStack() as lines:
        for _ in range(AT_ONCE):
            line = lines.enter_context(socket.create_connection((address.hostname, address.port)))
            line.sendall(
                f"PATCH {location} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {PIECE}\r\n\r\n".encode()
                + film(100_000)
            )

        def refused() -> dict[str, str] | None:
            status, headers, _body = curl(running, token, "HEAD", location, "--head")
            return headers if status == 503 else None

        headers = wait_for(refused, "all places at nginx to be taken")
        assert headers["retry-after"] == "5"
        status, _, body = curl(running, token, "PATCH", location, *piece(0, tmp_path / "piece"))
        assert (status, json.loads(body)["type"]) == (503, "/api/problems/uploads-busy/")
        for _ in range(20):
            assert get(f"{running.shop_url}/api/products/")["count"]
        assert running.place()["status_code"] == 201

    def taken() -> bool | None:
        return curl(running, token, "PATCH", location, *piece(0, tmp_path / "piece"))[0] == 204 or None

    wait_for(taken, "a place to be free again")
