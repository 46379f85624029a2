"""The live process as it runs in production: uvicorn, a database and a Valkey of its own, and clients on sockets."""

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import psutil
import pytest
import redis
from django.db import connection

from stack.ports import Ports
from tests.servers import Servers
from tests.waiting import wait_until

PATIENCE = 20.0  # seconds that a test waits for what has to come


class Live:
    """A live process; `client` opens streams of it."""

    def __init__(self, environment: dict[str, str], log: Path, processes: int = 1) -> None:
        self.port = Ports.free().live
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn", "shop.asgi:application"),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                    *("--timeout-graceful-shutdown", "2", "--no-access-log", "--workers", str(processes)),
                ],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._up, "the live process to answer")

    def _up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return bool(self.health()["ok"])
        except OSError:
            return False

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=PATIENCE) as answer:
            found: dict[str, Any] = orjson.loads(answer.read())
            return found

    def watch(self, token: str) -> "Stream":
        return Stream(self.port, f"/live/orders/{token}")

    def cpu_seconds(self) -> float:
        spent = psutil.Process(self.process.pid).cpu_times()
        return float(spent.user + spent.system)

    def stop(self) -> float:
        """Stop it as the process manager does; returns how many seconds that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        return time.monotonic() - began


class Stream:
    """A client of one stream, on a plain socket."""

    def __init__(self, port: int, path: str, method: str = "GET") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n".encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def body(self) -> Any:
        return orjson.loads(self._file.read(int(self.headers["content-length"])))

    def event(self) -> tuple[str, str] | None:
        """The next event as (name, data); None at the end of the stream. Comments are skipped."""
        name = ""
        while line := self._file.readline():
            field, _, value = line.decode().rstrip("\r\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                return name, value
            elif field == "0":  # the last chunk of the body
                return None
        return None

    def rest(self) -> bytes:
        """All that still comes, as it comes, until the other side hangs up."""
        return self._file.read()

    def silent_for(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        return not select.select([self._socket], [], [], seconds)[0]

    def comment(self) -> str:
        while line := self._file.readline():
            if line.startswith(b":"):
                return line.decode().strip()
        pytest.fail("The stream ended without a comment.")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Servers]:
    """A Valkey of this test's own, to be stopped at will."""
    with Servers(tmp_path / "servers") as servers:
        servers.start("valkey")
        yield servers


@pytest.fixture
def environment(transactional_db: None, valkey: Servers) -> dict[str, str]:
    found = connection.get_connection_params()
    database = "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**{"password": "", **found})
    return {**os.environ, "DATABASE_URL": database, "BROKER_URL": valkey.settings()["BROKER_URL"]}


@pytest.fixture
def live(environment: dict[str, str], tmp_path: Path) -> Iterator[Live]:
    process = Live(environment, tmp_path / "live.log")
    yield process
    if process.process.poll() is None:
        process.process.kill()
        process.process.wait()


@pytest.fixture
def tell(valkey: Servers, live: Live) -> Iterator[Callable[..., None]]:
    """`tell((token, kind), …)` publishes a batch as the relay does, to a process that listens."""
    with redis.Redis.from_url(valkey.settings()["BROKER_URL"]) as client:

        def _tell(*batch: tuple[str, str]) -> None:
            wait_until(lambda: live.health()["subscribed"], "the live process to listen")
            client.publish("stampede:events", orjson.dumps(batch))

        yield _tell


@pytest.fixture
def many_files() -> Iterator[None]:
    """Allow as many open sockets as the system grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
