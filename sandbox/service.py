"""What every HTTP provider has in common: its routes, its faults, idempotency as Stripe honours it, and its process.

`/health`, `/ledger` and `/faults` are for tests, and always answer; `/v1/…` is the provider, and has the faults. A
provider adds its calls with `Provider.post`: a function that checks the parameters and returns the work, which then
runs in the same transaction that keeps the answer.

Idempotency follows https://docs.stripe.com/api/idempotent_requests: once execution has begun the first answer is kept,
whatever it was, and is sent again byte for byte. What failed validation, met a running request, or was turned away
before execution is not kept and may be tried again.
"""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import uvloop
from aiohttp import web

from sandbox.faults import BadFault, Faults, strikes
from sandbox.ledger import Answer, Ledger, LedgerInUse

log = logging.getLogger("sandbox")

MAX_KEY = 255
MAX_PAGE = 10_000
JSON_TYPE = "application/json"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CannotListen(RuntimeError):
    """A port that this process needs cannot be had."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(
            f"Cannot listen on {host}:{port}: {error.strerror or error}."
            " Stop what uses the port, or choose another."
        )


class ApiError(Exception):
    """A refusal in the shape of Stripe's errors. Work raises it only before its first write."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        error = {"type": type, "code": code, "message": message, "param": param}
        self.body = orjson.dumps({"error": {name: value for name, value in error.items() if value}})

    def response(self) -> web.Response:
        """The refusal as an HTTP response."""
        response = web.Response(status=self.status, body=self.body, content_type=JSON_TYPE)
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        return response


class Reply(NamedTuple):
    """The answer of work that was done; `object` is the id of what the call made or changed."""

    status: int
    body: bytes
    object: str | None = None


@dataclass(slots=True, frozen=True)
class Call:
    """One POST: its parameters, its idempotency key if any, and the id in its path if any."""

    params: dict[str, Any]
    key: str | None
    id: str


@dataclass(slots=True, frozen=True)
class Work:
    """What a call will do. `run` is SQL inside the group's transaction; the waits are in seconds.

    `wait` is before the work, while the key is taken: a repeat is answered with 409. `hold` is after the commit, when
    the key is free: a repeat is answered at once, while the first caller still waits.
    """

    run: Callable[[], Reply]
    wait: float = 0.0
    hold: float = 0.0


class Provider:
    """The HTTP front of one provider over one ledger."""

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        faults: Faults,
        *,
        entries: Callable[[int, int], list[dict[str, Any]]] | None = None,
        faults_changed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self.ledger = ledger
        self.faults = faults
        self._read_entries = entries or ledger.entries
        self._faults_changed = faults_changed
        self._running: set[str] = set()
        self.app = web.Application(client_max_size=4 * 1024 * 1024)
        router = self.app.router
        router.add_get("/health", self._health)
        router.add_get("/ledger", answered(self._entries))
        router.add_get("/faults", self._show_faults)
        router.add_post("/faults", answered(self._set_faults))

    def post(self, path: str, prepare: Callable[[Call], Work]) -> None:
        """Add an idempotent call. `prepare` validates, raising `ApiError`, and returns the work."""
        self.app.router.add_post(path, self._with_faults(answered(partial(self._idempotent, prepare))))

    def get(self, path: str, read: Callable[[web.Request], Any]) -> None:
        """Add a call that only reads; what `read` returns is answered as JSON."""

        async def handle(request: web.Request) -> web.Response:
            return json_response(read(request))

        self.app.router.add_get(path, self._with_faults(answered(handle)))

    def _with_faults(self, handle: Handler) -> Handler:
        faults = self.faults

        async def guarded(request: web.Request) -> web.StreamResponse:
            if not faults.active:
                return await handle(request)
            if delay := faults.delay():
                await asyncio.sleep(delay)
            if faults.down:
                return _cut(request)
            if strikes(faults.throttle_rate):
                return ApiError(
                    429, "Too many requests at once. Try again.", type="rate_limit_error", retry_after=1
                ).response()
            if strikes(faults.error_rate):
                return ApiError(
                    500, f"Something went wrong at {self.name}; nothing was done.", type="api_error"
                ).response()
            response = await handle(request)
            if strikes(faults.late_answer_rate):
                await asyncio.sleep(faults.late_answer_s)
            return _cut(request) if strikes(faults.lose_answer_rate) else response

        return guarded

    async def _idempotent(self, prepare: Callable[[Call], Work], request: web.Request) -> web.Response:
        params, key = await _json_object(request), request.headers.get("Idempotency-Key")
        call = Call(params, key, request.match_info.get("id", ""))
        if key is None:
            work = prepare(call)
            reply = await self._executed(call, work)
        else:
            if not 0 < len(key) <= MAX_KEY:
                raise ApiError(
                    400, f"An Idempotency-Key has 1 to {MAX_KEY} characters, this one has {len(key)}."
                )
            if key in self._running:
                raise ApiError(
                    409,
                    f"There is another request in progress with the Idempotency-Key {key}. Try again later.",
                    type="idempotency_error",
                    code="idempotency_key_in_use",
                )
            # The key is ours alone from here to the commit, so to look it up before the transaction is as good as
            # inside it, and a repeat costs no write.
            self._running.add(key)
            try:
                fingerprint = _fingerprint(request.path, params)
                if answer := self.ledger.answer(key):
                    return _repeated(answer, key, fingerprint)
                work = prepare(call)
                reply = await self._executed(call, work, fingerprint)
            finally:
                self._running.discard(key)
        if work.hold:
            await asyncio.sleep(work.hold)
        return _response(reply.status, reply.body)

    async def _executed(self, call: Call, work: Work, fingerprint: bytes = b"") -> Reply:
        """Do the work, and keep its answer in the same transaction. A refusal during the work is kept too."""
        if work.wait:
            await asyncio.sleep(work.wait)

        def execute() -> Reply:
            try:
                reply = work.run()
            except ApiError as error:
                reply = Reply(error.status, error.body)
            if call.key is not None:
                self.ledger.keep_answer(call.key, fingerprint, reply.status, reply.body, reply.object)
            return reply

        return await self.ledger.transact(execute)

    async def _health(self, _request: web.Request) -> web.Response:
        return json_response({"ok": True})

    async def _entries(self, request: web.Request) -> web.Response:
        after, limit = page_of(request.query)
        entries = self._read_entries(after, limit)
        return json_response({"entries": entries, "next": entries[-1]["seq"] if entries else after})

    async def _show_faults(self, _request: web.Request) -> web.Response:
        return json_response(self.faults.as_dict())

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            self.faults.update(await _json_object(request))
        except BadFault as error:
            raise ApiError(400, str(error)) from error
        if self._faults_changed is not None:
            await self._faults_changed()
        return json_response(self.faults.as_dict())


def answered(handle: Handler) -> Handler:
    """The same handler, which answers with the refusal when there is one."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handle(request)
        except ApiError as error:
            return error.response()

    return answer


def page_of(query: Mapping[str, str]) -> tuple[int, int]:
    """`after` and `limit` of a query string."""
    try:
        after, limit = int(query.get("after", 0)), int(query.get("limit", 1000))
    except ValueError:
        raise ApiError(400, "after and limit are whole numbers.") from None
    if after < 0 or not 0 < limit <= MAX_PAGE:
        raise ApiError(400, f"after is 0 or more, and limit is from 1 to {MAX_PAGE}.")
    return after, limit


def moment_of(query: Mapping[str, str]) -> float | None:
    """`before` of a query string, in Unix seconds; None where it is not given."""
    text = query.get("before", "")
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ApiError(400, f"before is a time in Unix seconds, not {text!r}.", param="before") from None


def json_response(value: Any) -> web.Response:
    """A JSON answer with status 200."""
    return web.Response(body=orjson.dumps(value), content_type=JSON_TYPE)


def text_of(params: Mapping[str, Any], name: str, *, required: bool = True, longest: int = 5000) -> str:
    """A text parameter, or the refusal that names it."""
    value = params.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()):
        raise ApiError(400, f"{name} must be a text that is not empty.", param=name)
    if len(value) > longest:
        raise ApiError(400, f"{name} has {len(value)} characters; {longest} is the most.", param=name)
    return value


def whole_number(params: Mapping[str, Any], name: str, *, least: int = 1) -> int:
    """A whole-number parameter from `least` upwards, or the refusal that names it."""
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 10**12:
        raise ApiError(400, f"{name} must be a whole number from {least} upwards, not {value!r}.", param=name)
    return value


async def _json_object(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    try:
        found = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The body is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ApiError(400, "The body must be a JSON object.")
    return found


def _fingerprint(path: str, params: dict[str, Any]) -> bytes:
    """Equal for requests that ask for the same, whatever the order of their fields."""
    canonical = orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
    return blake2b(path.encode() + b"\0" + canonical, digest_size=16).digest()


def _repeated(answer: Answer, key: str, fingerprint: bytes) -> web.Response:
    """What was answered under this key before, or the refusal where something else was asked then."""
    if answer.fingerprint != fingerprint:
        raise ApiError(
            400,
            f"The Idempotency-Key {key} was used before with other parameters."
            " Use a new key for a new request, or the same parameters to repeat the old one.",
            type="idempotency_error",
        )
    response = _response(answer.status, answer.body)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _response(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type=JSON_TYPE)


def _cut(request: web.Request) -> web.Response:
    """Cut the connection without an answer, as a crash or a lost packet would."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def arguments(name: str, default_port: int, *, has_pages: bool = False) -> argparse.ArgumentParser:
    """The command line that all providers share; `has_pages` adds the address under which people open them."""
    parser = argparse.ArgumentParser(
        prog=f"python -m sandbox.{name}", description=f"The sandbox {name} service."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=default_port, help="port (default: %(default)s)")
    parser.add_argument("--ledger", type=Path, required=True, help="file that holds the provider's memory")
    if has_pages:
        parser.add_argument(
            "--public-url",
            default=os.environ.get("SANDBOX_PUBLIC_URL", ""),
            help="how a browser reaches this provider (default: http://127.0.0.1:PORT)",
        )
    return parser


Build = Callable[[Ledger, Faults, argparse.Namespace], web.Application]


def run(name: str, options: argparse.Namespace, schema: str, build: Build) -> None:
    """Run a provider's process, and end with a sentence, not a traceback, where the sentence says enough."""
    if "public_url" in options:
        options.public_url = options.public_url.rstrip("/") or f"http://127.0.0.1:{options.port}"
    level = os.environ.get("LOG_LEVEL", "INFO").upper()
    logging.basicConfig(level=level, format=f"%(asctime)s {name} %(levelname)s %(message)s")
    # Under load the collector would look after every few requests, and find nothing.
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    try:
        uvloop.run(_serve(options, schema, build))
    except (LedgerInUse, BadFault, CannotListen) as error:
        sys.exit(f"{name}: {error}")


async def _serve(options: argparse.Namespace, schema: str, build: Build) -> None:
    """Serve until SIGTERM or SIGINT. Running requests get one second to end."""
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    with closing(Ledger(options.ledger, schema)) as ledger:
        app = build(ledger, Faults.from_environment(), options)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, options.host, options.port, backlog=1024).start()
            log.info("listening on http://%s:%d", options.host, options.port)
            await stopped.wait()
        except OSError as error:
            raise CannotListen(options.host, options.port, error) from error
        finally:
            await runner.cleanup()
