"""`./dev up`, `status`, `down` as a person uses them, in a copy of the checkout on other ports."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from shop.management.collecting import STAMP
from tests.acceptance.conftest import Checkout
from tests.servers import Servers

pytestmark = pytest.mark.acceptance

STOP_SECONDS = 5.0
PROVIDERS = ["payments", "sms", "carrier", "mailbox"]
SHOP = [
    "web",
    "live",
    "inventory",
    "payment",
    "messages",
    "documents",
    "media",
    "bulk",
    "beat",
    "flower",
    "nginx",
    "relay",
]


def test_a_busy_port_is_named_with_its_owner_and_the_fix(checkout: Checkout) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # whoever had it a moment ago is gone
        listener.bind(("127.0.0.1", checkout.port + 5))
        listener.listen()
        answer = checkout.dev("up", "--detach")
    assert answer.returncode == 1
    assert f"port {checkout.port + 5} (smtp) is in use" in answer.stderr
    assert f"(pid {os.getpid()})" in answer.stderr
    assert "./dev up --port " in answer.stderr
    assert checkout.running() == []


def test_a_database_that_cannot_be_reached_is_named_without_its_password(checkout: Checkout) -> None:
    answer = checkout.dev("up", "--detach", DATABASE_URL="postgresql://me:secret@127.0.0.1:1/shop")
    assert answer.returncode == 1
    assert "DATABASE_URL (postgresql://me:…@127.0.0.1:1/shop) cannot be used" in answer.stderr
    assert "secret" not in answer.stderr
    assert checkout.running() == []


def test_commands_say_when_nothing_is_up(checkout: Checkout) -> None:
    status = checkout.dev("status")
    assert (status.returncode, "not up" in status.stdout) == (1, True)
    assert checkout.status()["healthy"] is False
    assert "Nothing was running" in checkout.dev("down").stdout
    audit = checkout.dev("audit")
    assert (audit.returncode, "./dev up" in audit.stderr) == (1, True)


def test_up_twice_status_and_down_after_a_crash_of_the_process_manager(checkout: Checkout) -> None:
    first = checkout.dev("up", "--detach")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Stampede is ready" in first.stdout
    assert "\x1b[" not in first.stdout, "colours on what is no terminal"

    status = checkout.status()
    assert list(status) == ["healthy", "urls", "processes"]
    assert status["healthy"] is True
    assert list(status["urls"]) == ["shop", "admin", "api", "flower", "mailbox", "metrics"]
    assert [one["name"] for one in status["processes"]] == [
        "postgres",
        "valkey",
        *PROVIDERS,
        *_in_order(status),
    ]
    assert all(list(one) == ["name", "pid", "healthy"] for one in status["processes"])
    for name in ("shop", "admin", "api", "mailbox", "metrics"):
        with _ask(status["urls"][name]) as page:
            assert page.status in (200, 302), name

    [web] = [psutil.Process(one["pid"]) for one in status["processes"] if one["name"] == "web"]
    static_files_stood = (checkout.layout.static / STAMP).stat().st_mtime
    assert web.create_time() >= static_files_stood, "pages know the static files of before, or some of them"

    second = checkout.dev("up", "--detach")
    assert (second.returncode, "is up already" in second.stdout) == (0, True)
    assert status["urls"]["shop"] in second.stdout
    elsewhere = checkout.dev("up", "--detach", "--port", str(checkout.port + 40))
    assert (elsewhere.returncode, f"up on port {checkout.port} already" in elsewhere.stderr) == (1, True)
    assert checkout.status()["processes"] == status["processes"], "a second up started something anew"

    record = json.loads((checkout.layout.run / "stack.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    left = {one.name() for one in checkout.running()}
    assert {"nginx", "postgres"} <= left, "the crash left nothing behind, so this proves nothing"
    assert checkout.dev("down").stdout == "Stopped.\n"
    assert checkout.running() == []


def test_ctrl_c_stops_all_with_a_live_page_open_on_servers_that_were_given(
    checkout: Checkout, servers: Servers
) -> None:
    given = servers.settings()
    with psycopg.connect(given["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS given WITH (FORCE)")
        connection.execute("CREATE DATABASE given")
    database = given["DATABASE_URL"].rsplit("/", 1)[0] + "/given"
    broker = given["BROKER_URL"].rsplit("/", 1)[0] + "/7"
    process = checkout.start("up", DATABASE_URL=database, BROKER_URL=broker)
    logs = process.stdout
    assert logs
    try:
        told = _read_until(process, "Ctrl-C stops everything")
        status = checkout.status()
        assert status["healthy"] is True, told
        assert not {"postgres", "valkey"} & {one["name"] for one in status["processes"]}

        stream = _open_live_page(status["urls"]["shop"])
        # The logs that follow must be read on, or the pipe fills and holds it up.
        rest = threading.Thread(target=logs.read)
        rest.start()
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert time.monotonic() - begun < STOP_SECONDS
        stream.close()
        rest.join()
        assert checkout.running() == []
    finally:
        process.kill()
        process.wait()
        logs.close()


def _in_order(status: dict[str, Any]) -> list[str]:
    """The shop's programs as the status lists them; it must be all of them, once each."""
    names = [one["name"] for one in status["processes"][2 + len(PROVIDERS) :]]
    assert sorted(names) == sorted(SHOP)
    return names


def _read_until(process: subprocess.Popen[str], words: str) -> str:
    told = ""
    assert process.stdout
    for line in process.stdout:
        told += line
        if words in line:
            return told
    raise AssertionError(f"it ended without saying {words!r}:\n{told}")


def _open_live_page(shop: str) -> http.client.HTTPResponse:
    """Place an order, which needs 3-D Secure and so never ends by itself, and open its stream."""
    with _ask(f"{shop}api/products/") as answer:
        product = json.load(answer)["results"][0]
    order = {
        "email": "kit@example.com",
        "phone": "+447700900123",
        "items": [{"sku": product["sku"], "quantity": 1}],
        "shipping_address": {
            "name": "Kit Marlowe",
            "line1": "1 High Street",
            "line2": "",
            "city": "Canterbury",
            "postcode": "CT1 2AA",
            "country": "GB",
        },
        "payment": {"method": "card", "token": "pm_card_threeDSecure2Required"},
    }
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    with _ask(f"{shop}api/orders/", json.dumps(order), headers) as answer:
        token = json.load(answer)["token"]
    stream = _ask(f"{shop}live/orders/{token}")
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    return stream


def _ask(
    url: str, body: str | None = None, headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    """GET, or POST when there is a body; the connection ends with the answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request(
        "POST" if body else "GET", parts.path, body, {**(headers or {}), "Connection": "close"}
    )
    return connection.getresponse()
