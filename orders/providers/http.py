"""JSON over HTTP to the providers: one event loop and one session a thread, kept between tasks.

A session for each task costs two to three times the CPU. The loop runs only while a step waits for its calls, so a
connection that the provider closed meanwhile is noticed at its next use. Such a call is sent once more, under its key.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, TypeVar, cast

import aiohttp
import orjson
import uvloop

from orders.providers.failures import NotNow, ProviderError, Refused, Transient

# About this one call: its key is in use, for instance. 429 and 5xx are about the provider.
_NOT_NOW = (409, 425)
# Seconds. Shorter than the lease of the orders that wait for the answer (orders.scheduling.LEASE).
CALL_TIMEOUT = 8.0
_MAX_CONNECTIONS = 128

T = TypeVar("T")
Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Client:
    """The HTTP client of one thread: a worker process has one."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._session: aiohttp.ClientSession | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        if self._session is not None:
            self.loop.run_until_complete(self._session.close())
        self.loop.close()

    async def call(
        self, method: str, url: str, *, key: str | None = None, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Send JSON and return (status, decoded JSON) of any answer below 500 but 409, 425 and 429.

        Raises Transient when there is no answer, or one that asks to try later.
        """
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        status, _, raw = await self.send(method, url, headers, None if body is None else orjson.dumps(body))
        try:
            return status, orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Transient(f"{method} {url}: {status}, not JSON: {_excerpt(raw)}") from error

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], data: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send bytes and return (status, headers, body), under the same rules as `call`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, keepalive_timeout=60),
                timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT),
                auto_decompress=False,
            )
        for last in (False, True):
            body = None if data is None else aiohttp.BytesPayload(data)
            try:
                async with self._session.request(method, url, headers=headers, data=body) as response:
                    raw = await response.read()
                break
            except (aiohttp.ServerDisconnectedError, ConnectionResetError, aiohttp.ClientOSError) as error:
                if last or isinstance(error, aiohttp.ClientConnectorError):
                    raise Transient(f"{method} {url}: no connection ({error})") from error
            except TimeoutError as error:
                raise Transient(f"{method} {url}: no answer within {CALL_TIMEOUT:g} s") from error
            except aiohttp.ClientError as error:
                raise Transient(f"{method} {url}: {error}") from error
        status = response.status
        if status >= 500 or status in (*_NOT_NOW, 429):
            failure = NotNow if status in _NOT_NOW else Transient
            retry_after = _seconds(response.headers.get("Retry-After"))
            raise failure(f"{method} {url}: {status} {_excerpt(raw)}", retry_after)
        return status, response.headers, raw


class _Held(threading.local):
    client: Client | None = None
    pid: int = 0


_held = _Held()


def client() -> Client:
    """This thread's client; a forked child makes its own and does not touch its parent's."""
    if _held.client is None or _held.pid != os.getpid():
        _held.client, _held.pid = Client(), os.getpid()
    return _held.client


def close_client() -> None:
    """Close this thread's connections, for a thread or a process that ends while others go on."""
    if _held.client is not None and _held.pid == os.getpid():
        _held.client.close()
    _held.client = None


atexit.register(close_client)


def ask_all(
    items: Mapping[Key, Item], call: Callable[[Item], Awaitable[Result]]
) -> tuple[dict[Key, Result], dict[Key, ProviderError]]:
    """Call the provider for every item at once, and wait; returns the answers and the errors, by the items' keys."""
    return client().run(each(items, call)) if items else ({}, {})


async def each(
    items: Mapping[Key, Item], call: Callable[[Item], Awaitable[Result]]
) -> tuple[dict[Key, Result], dict[Key, ProviderError]]:
    """What `ask_all` does, for one batch.

    The session's connection limit bounds how many are in flight. One slow answer does not hold up a batch: when half of
    it is answered, the rest get four times as long as that took, and at least a second. A call still unanswered then is
    cancelled and fails, so that its order leaves the batch and is asked about alone: as NotNow when any other call had
    an answer, as Transient when none had.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    half = asyncio.Semaphore(0)
    tasks = {key: asyncio.ensure_future(_caught(call(item))) for key, item in items.items()}
    for task in tasks.values():
        task.add_done_callback(lambda _: half.release())
    for _ in range(len(tasks) // 2):
        await half.acquire()
    patience = max(1.0, 4 * (loop.time() - began)) if len(tasks) > 1 else None
    _, waiting = await asyncio.wait(tasks.values(), timeout=patience)
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)
    found = {key: task.result() for key, task in tasks.items() if not task.cancelled()}
    is_well = any(type(answer) is not Transient for answer in found.values())
    late = (NotNow if is_well else Transient)("no answer yet while the rest of the batch had theirs")
    errors = {key: answer for key, answer in found.items() if isinstance(answer, ProviderError)}
    answers = {key: answer for key, answer in found.items() if not isinstance(answer, ProviderError)}
    return answers, errors | dict.fromkeys(tasks.keys() - found.keys(), late)


async def _caught(work: Awaitable[Result]) -> Result | ProviderError:
    try:
        return await work
    except ProviderError as error:
        return error


def expect(status: int, answer: Any, what: str) -> dict[str, Any]:
    """The answer, if its status is 2xx; otherwise raises Refused with the provider's message."""
    if 200 <= status < 300:
        return cast(dict[str, Any], answer)
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    message = error.get("message", error) if isinstance(error, dict) else error
    raise Refused(f"{what}: {status} {str(message)[:200]}")


def _excerpt(raw: bytes) -> str:
    return raw[:200].decode(errors="replace")


def _seconds(header: str | None) -> float | None:
    """What Retry-After says, in seconds from now: a number or an HTTP date (RFC 9110, 10.2.3); None if neither."""
    if not header:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        named = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (named if named.tzinfo else named.replace(tzinfo=UTC)).timestamp() - time())
