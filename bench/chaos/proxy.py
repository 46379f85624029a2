"""A network that fails on demand: TCP proxies between the shop and a server, in a thread with a loop of their own.

What a network does to a connection, and a killed process cannot show:

    delay        every piece arrives later
    cut          connections are reset, and new ones too, until the fault is lifted
    half open    nothing arrives any more and nobody is told; what was open then stays dead after the fault, as when a
                 machine vanished behind a firewall: only time-outs and keep-alives find out
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar

from stack.ports import HOST

T = TypeVar("T")

CHUNK = 64 * 1024
_AT_ONCE = struct.pack("ii", 1, 0)  # linger for no time: closing sends a reset


class NetworkFault(StrEnum):
    NONE = "none"
    DELAY = "delay"
    CUT = "cut"
    HALF_OPEN = "half open"


@dataclass(eq=False)
class _Connection:
    """One client's connection; `dead` for ever once it was half open."""

    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    dead: bool = False

    def reset(self) -> None:
        """As when a machine between the two is restarted: no orderly end."""
        for writer in self.writers:
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()


class Proxy:
    """Listens on `port` of `host` and passes everything on to `target`, subject to the fault of the moment."""

    def __init__(self, port: int, target: int, *, host: str = HOST) -> None:
        self.host, self.port, self.target = host, port, target
        self._fault, self._delay = NetworkFault.NONE, 0.0
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, self.host, self.port))
        return self

    def __exit__(self, *_: object) -> None:
        async def close() -> None:
            self._server.close()
            for connection in list(self._connections):
                connection.reset()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._call(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set(self, fault: NetworkFault, delay: float = 0.0) -> None:
        """From now on; `delay` in seconds a piece."""

        async def change() -> None:
            self._fault, self._delay = fault, delay
            for connection in list(self._connections):
                if fault is NetworkFault.CUT:
                    connection.reset()
                elif fault is NetworkFault.HALF_OPEN:
                    connection.dead = True

        self._call(change())

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection([writer], dead=self._fault is NetworkFault.HALF_OPEN)
        self._connections.add(connection)
        try:
            if self._fault is NetworkFault.CUT:
                return
            there, back = await asyncio.open_connection(HOST, self.target)
            connection.writers.append(back)
            await asyncio.gather(self._pump(connection, reader, back), self._pump(connection, there, writer))
        except OSError:
            pass  # the server is away: so is the connection to it
        finally:
            connection.reset()
            self._connections.discard(connection)

    async def _pump(
        self, connection: _Connection, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(CHUNK):
            if connection.dead:
                continue  # swallowed without a word
            if self._fault is NetworkFault.DELAY:
                await asyncio.sleep(self._delay)
            sink.write(data)
            await sink.drain()
        with suppress(OSError, RuntimeError):
            if not connection.dead:
                sink.write_eof()
