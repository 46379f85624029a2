"""The statuses of orders, read from the database over the one connection of this process."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict

from orders.database import vanishing
from orders.states import END_STATES, OrderStatus

T = TypeVar("T")

TIMEOUT = 5.0  # seconds

# The status of each order, and whether nothing is left to do for it.
_STATUSES = "SELECT token, status, due_at IS NULL FROM orders_order WHERE token = ANY(%s)"


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """`ended` is true when the order has reached an end state and nothing is left to do for it."""

    status: OrderStatus
    ended: bool

    @property
    def ending(self) -> bool:
        """It has reached an end state, and something is still to be done for it."""
        return self.status in END_STATES and not self.ended


class _Connection(psycopg.AsyncConnection[Any]):
    """Times out by itself when the server does not answer. Cancelled from outside, psycopg would first ask the server
    to end the statement, and wait for that too."""

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return await super().wait(gen, interval, timeout or TIMEOUT)
        except psycopg.errors._WaitTimeout:
            raise TimeoutError(f"no answer for {TIMEOUT:.0f} s") from None


class Statuses:
    """Queries one after the other on one connection, which is opened when it is first needed, or was lost.

    There is no pool: a query takes a fraction of a millisecond and asks for any number of orders, so one connection
    serves thousands of streams.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: _Connection | None = None
        self._lock = asyncio.Lock()

    async def of(self, tokens: Collection[str]) -> dict[str, LiveStatus]:
        """The statuses by token, without unknown tokens. Raises psycopg.Error or TimeoutError."""
        async with asyncio.timeout(TIMEOUT):  # when the database hangs, nobody queues for longer
            await self._lock.acquire()
        try:
            reused = self._connection is not None
            try:
                rows = await self._query(tokens)
            except psycopg.OperationalError:
                if not reused:
                    raise
                rows = await self._query(tokens)  # the old connection was dead: this opens a new one
        finally:
            self._lock.release()
        return {
            token: LiveStatus(OrderStatus(status), at_rest and status in END_STATES)
            for token, status, at_rest in rows
        }

    async def _query(self, tokens: Collection[str]) -> list[tuple[str, str, bool]]:
        try:
            if self._connection is None:
                params = {
                    **conninfo_to_dict(self._database_url),
                    "application_name": "stampede-live",
                    "connect_timeout": int(TIMEOUT),
                }
                self._connection = await _Connection.connect(autocommit=True, **vanishing.params(params))
            answer = await self._connection.execute(_STATUSES, [list(tokens)])
            return await answer.fetchall()
        except BaseException:
            # Whatever went wrong, a late answer must not be taken for that of the next query.
            await self.close()
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
