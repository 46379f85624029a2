"""The live process as an ASGI application: GET (and HEAD) of /live/orders/<token> and /healthz.

It is plain ASGI, without Django's handler: a stream needs no middleware, session or URL table, and Django's handler
gives each request a thread for its synchronous parts, which a stream would hold as long as it lasts. So two thousand
streams are two thousand small tasks, and the process starts in half a second.
"""

import asyncio
import logging
import multiprocessing
import re
import resource
import signal
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from types import FrameType
from typing import Any

import orjson
import psycopg

from shop.live.hub import Hub, Watch

HEARTBEAT = 15.0  # seconds; proxies close a connection that is silent for a minute
RECONNECT = 2000  # milliseconds before a browser reopens a lost stream
RETRY_SECONDS = 2
_OTHER_FILES = 64  # descriptors kept for the database, Valkey, logs and the health check

_ORDER = re.compile(r"/live/orders/([A-Za-z0-9_-]{1,32})/?")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

_BEGINNING: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
        (b"x-content-type-options", b"nosniff"),
    ],
}

logger = logging.getLogger(__name__)


class LiveApplication:
    def __init__(self, database_url: str, broker_url: str) -> None:
        self._urls = database_url, broker_url
        self._most = 0  # streams

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._run_hub(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _run_hub(self, receive: Receive, send: Send) -> None:
        """Run the hub from the start of the process to its end."""
        await receive()
        self._most = _raise_file_limit() - _OTHER_FILES
        self._hub = Hub(*self._urls)
        self._hub.start()
        _when_told_to_end(self._hub.end_all)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._hub.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        order = _ORDER.fullmatch(path)
        if not order and path != "/healthz":
            await _problem(send, path, HTTPStatus.NOT_FOUND, f"There is nothing at {path}.")
        elif scope["method"] not in ("GET", "HEAD"):
            detail = f"{path} takes only GET."
            await _problem(send, path, HTTPStatus.METHOD_NOT_ALLOWED, detail, (b"allow", b"GET, HEAD"))
        elif order:
            await self._stream(scope, order[1], receive, send)
        else:
            # It also answers while Valkey or the database is down.
            health = {"ok": True, "streams": self._hub.streams, "subscribed": self._hub.subscribed}
            await _send(send, HTTPStatus.OK, orjson.dumps(health), b"application/json")

    async def _stream(self, scope: Message, token: str, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        again = (b"retry-after", str(RETRY_SECONDS).encode())
        busy = HTTPStatus.SERVICE_UNAVAILABLE
        if self._hub.streams >= self._most:
            await _problem(send, path, busy, "There are too many streams; ask for the order instead.", again)
            return
        try:
            watch = await self._hub.open(token)
        except (psycopg.Error, TimeoutError) as error:
            logger.warning("GET /live/orders/…: the database did not answer: %s", error)
            await _problem(send, path, busy, "The shop's database does not answer.", again)
            return
        if watch is None:
            await _problem(send, path, HTTPStatus.NOT_FOUND, "There is no order with this token.")
            return
        if scope["method"] == "HEAD":
            self._hub.close(watch)
            await send(_BEGINNING)
            await send({"type": "http.response.body"})
            return
        leaving = asyncio.create_task(_wait_for_leave(receive, watch))
        try:
            await _tell(watch, send)
        finally:
            leaving.cancel()
            self._hub.close(watch)


async def _tell(watch: Watch, send: Send) -> None:
    """Write the stream until the order has ended, the client has left, or the process ends."""
    await send(_BEGINNING)
    text = f"retry: {RECONNECT}\n\n"
    while not watch.gone:
        untold, watch.untold = watch.untold, []
        text += "".join(f"event: changed\ndata: {kind}\n\n" for kind in untold)
        if watch.ended:
            text += f"event: ended\ndata: {watch.status}\n\n"
        await send({"type": "http.response.body", "body": text.encode(), "more_body": not watch.ended})
        if watch.ended:
            return
        text = ""
        try:
            async with asyncio.timeout(HEARTBEAT):
                await watch.change()
        except TimeoutError:
            text = ": still here\n\n"
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _when_told_to_end(end: Callable[[], None]) -> None:
    """Call `end` on SIGTERM, before uvicorn, which would wait for open streams and then break them off.

    uvicorn's main process tells its children to end; when it dies itself, they must end too, for they hold its port.
    """
    loop, uvicorns = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(end)
        if callable(uvicorns):
            uvicorns(number, frame)

    signal.signal(signal.SIGTERM, told)
    if parent := multiprocessing.parent_process():

        def orphaned(sentinel: int) -> None:
            loop.remove_reader(sentinel)
            signal.raise_signal(signal.SIGTERM)

        loop.add_reader(parent.sentinel, orphaned, parent.sentinel)


async def _wait_for_leave(receive: Receive, watch: Watch) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    watch.leave()


async def _problem(send: Send, path: str, status: HTTPStatus, detail: str, *headers: Header) -> None:
    said = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": path,
    }
    await _send(send, status, orjson.dumps(said), b"application/problem+json", *headers)


async def _send(send: Send, status: HTTPStatus, body: bytes, content_type: bytes, *headers: Header) -> None:
    described = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status.value, "headers": described})
    await send({"type": "http.response.body", "body": body})


def _raise_file_limit() -> int:
    """Returns how many files may be open. A stream is an open file, and many systems allow only 1,024 by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return 65_536 if soft == resource.RLIM_INFINITY else soft
