"""How orders stand, asked of the database over the one connection of this process."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from orders.states import END_STATES, OrderStatus

T = TypeVar("T")

TIMEOUT = 5.0  # seconds

_STANDINGS = "SELECT token, status, due_at IS NULL FROM orders_order WHERE token = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Standing:
    """`ended` is true when the order has reached an end and nothing is left to do for it."""

    status: OrderStatus
    ended: bool


class _Connection(psycopg.AsyncConnection[Any]):
    """Gives up by itself on a server that says nothing; cancelled from outside, it would first ask the server to end
    the statement, and wait for that too."""

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return await super().wait(gen, interval, timeout or TIMEOUT)
        except psycopg.errors._WaitTimeout:
            raise TimeoutError(f"no answer for {TIMEOUT:.0f} s") from None


class Standings:
    """Look-ups one after the other on one connection, which is made at the first and again whenever it was
    lost.

    No pool: a look-up takes a fraction of a millisecond and names any number of orders, so one connection
    serves thousands of streams, and PostgreSQL is spared the others.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: _Connection | None = None
        self._turn = asyncio.Lock()

    async def of(self, tokens: Collection[str]) -> dict[str, Standing]:
        """How the orders with these tokens stand; unknown ones are absent. Raises psycopg.Error or
        TimeoutError."""
        async with asyncio.timeout(TIMEOUT):  # behind a database that hangs nobody queues for longer
            await self._turn.acquire()
        try:
            kept = self._connection is not None
            try:
                rows = await self._ask(tokens)
            except psycopg.OperationalError:
                if not kept:
                    raise
                rows = await self._ask(tokens)  # the kept connection was dead: on a new one
        finally:
            self._turn.release()
        return {
            token: Standing(OrderStatus(status), at_rest and status in END_STATES)
            for token, status, at_rest in rows
        }

    async def _ask(self, tokens: Collection[str]) -> list[tuple[str, str, bool]]:
        try:
            if self._connection is None:
                self._connection = await _Connection.connect(
                    self._database_url,
                    autocommit=True,
                    application_name="stampede-live",
                    connect_timeout=int(TIMEOUT),
                )
            answer = await self._connection.execute(_STANDINGS, [list(tokens)])
            return await answer.fetchall()
        except BaseException:
            # Whatever went wrong, its answer must not be read as that of the next question.
            await self.close()
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
