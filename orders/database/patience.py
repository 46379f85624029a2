"""How long a process waits for a database that does not answer.

A server that was killed closes its connections, so the next query fails at once. One that is frozen (a stopped process,
a disk that hangs) does not: its sockets stay open, its own statement timeout never comes, and a query waits for ever.
Workers and the relay may wait. A web process, whose threads people wait for, sets a limit: what is slower is `Silent`.

From then on the process knows that the server is silent: one thread at a time tries to reach it; others fail at once.
"""

import threading
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")

# Seconds on top of the server's own timeout, for its answer to arrive.
_GRACE = 0.5
_limit = 0.0

_silent = threading.Event()
_trying = threading.Lock()


class Silent(psycopg.OperationalError):
    """The server keeps its connections open and does not answer."""


def limit(seconds: float) -> None:
    """From now on no statement on a new connection of this process takes longer; 0 takes the limit away."""
    global _limit
    _limit = seconds
    _silent.clear()


class PatientConnection(psycopg.Connection[Any]):
    """Gives up on a server that does not answer, and closes itself then, so that a late answer is read by nobody."""

    patience: float | None = None  # seconds

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.errors._WaitTimeout as error:
            _silent.set()
            self.close()
            raise Silent(f"the server has not answered for {self.patience:g} s") from error


def connect(params: dict[str, Any]) -> psycopg.Connection[Any]:
    """A new connection, with the limit of this process. Raises Silent at once while another thread is trying."""
    if not _limit:
        return psycopg.connect(**params)
    if not _silent.is_set():
        return _reach(params)
    if not _trying.acquire(blocking=False):
        raise Silent("the server does not answer, and another request is trying to reach it")
    try:
        return _reach(params)
    finally:
        _trying.release()


def patient(params: dict[str, Any], seconds: float, options: str = "") -> PatientConnection:
    """A new connection on which no statement takes longer, whatever the limit of this process; `options` are libpq's.

    The server ends slow statements itself; only when not even that comes, this side gives the connection up.
    """
    all_options = f"{params.get('options', '')} {options} -c statement_timeout={int(seconds * 1000)}"
    opened = PatientConnection.connect(**{**params, "options": all_options.strip()})
    opened.patience = seconds + _GRACE
    return opened


def _reach(params: dict[str, Any]) -> PatientConnection:
    try:
        connection = patient(params, _limit)
    except psycopg.errors.ConnectionTimeout:
        _silent.set()
        raise
    _silent.clear()
    return connection
