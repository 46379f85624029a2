"""Sandbox providers as tests meet them: real processes on free ports, spoken to over real sockets."""

from __future__ import annotations

import hmac
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]
READY_WITHIN = 15.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], what: str, within: float = READY_WITHIN) -> Any:
    """Poll until the condition holds and give back what it returned, or fail with what was awaited."""
    deadline = time.monotonic() + within
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {within} s in vain: {what}"
        threading.Event().wait(0.01)
    return result


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"


@dataclass
class Peer:
    """A provider's process, which may be killed and started again on the same file and port."""

    module: str
    ledger: Path
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Peer:
        command = [sys.executable, "-m", f"sandbox.{self.module}", "--port", str(self.port)]
        command += ["--ledger", str(self.ledger), *self.options]
        environment = {**os.environ, "LOG_LEVEL": "ERROR", **self.environment}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment)
        until(self._is_healthy, f"{self.module} on port {self.port} to be healthy")
        return self

    def _is_healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.module} ended with {self.process.returncode}"
        try:
            return self.get("/health").status == 200
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9: nothing is flushed, nobody is told."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Stop as the process manager does; the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, signum: int) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(signum)
        return process.wait(10)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, received, response.read())
        finally:
            connection.close()

    def get(self, path: str, **query: object) -> Answer:
        return self.request("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, params: Any = None, key: str | None = None) -> Answer:
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.request("POST", path, json.dumps(params or {}).encode(), headers)

    def press(self, path: str, **form: str) -> Answer:
        """Send a form as a browser does."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request("POST", path, urlencode(form).encode(), headers)

    def faults(self, **changes: object) -> Any:
        answer = self.post("/faults", changes)
        assert answer.status == 200, answer.body
        return answer.json

    def entries(self, kind: str = "") -> list[dict[str, Any]]:
        """The whole ledger, page by page, or what is of one kind in it."""
        found: list[dict[str, Any]] = []
        after = 0
        while page := self.get("/ledger", after=after, limit=500).json["entries"]:
            found += page
            after = page[-1]["seq"]
        return [entry for entry in found if kind in ("", entry["kind"])]


class Receiver:
    """A merchant's webhook door: takes down each event whose signature is right."""

    def __init__(self, secret: str, statuses: list[int]) -> None:
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.attempts = 0
        receiver, lock = self, threading.Lock()

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    receiver.attempts += 1
                    status = statuses.pop(0) if statuses else 200
                given = dict(part.split("=", 1) for part in self.headers["Stripe-Signature"].split(","))
                signed = f"{given['t']}.".encode() + body
                expected = hmac.new(secret.encode(), signed, "sha256").hexdigest()
                if not hmac.compare_digest(given["v1"], expected):
                    status = 400
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if status == 200:
                    receiver.events.put(json.loads(body))

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output to itself."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def intent(token: str = "pm_card_visa", order: str = "S-1", **changes: Any) -> dict[str, Any]:  # noqa: S107
    """The parameters of a payment intent."""
    return {
        "amount": 2599,
        "currency": "GBP",
        "payment_method": token,
        "metadata": {"order": order},
        **changes,
    }
