"""A step whose provider takes its time goes on beside the tasks that follow, so that it holds up no other order.

A process does one task at a time, and a card that times out would keep it for as long as a call may take. So steps that
call a provider are done in threads of the process. When one of few orders has not ended after a moment, its task ends
without it and the process takes the next. The thread goes on under the lease of its orders, and sees to what follows
for them. If the process dies meanwhile, their lease runs out.

Of a large batch more than half would have to be slow (orders.providers.http.each): that is a provider in trouble, for
which there is the breaker.
"""

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from threading import Timer
from typing import TypeVar

from django.db import close_old_connections

T = TypeVar("T")

FEW = 10  # orders
PATIENCE = 0.5  # seconds that a task waits for them: most providers take less
ENDING = 8.0  # seconds that a process which ends waits for them, as long as a call may take
PLACES = 7  # steps of a process that may be aside at a time; each holds a connection to the database

_threads: ThreadPoolExecutor | None = None
_aside: set[Future[None]] = set()  # each is done when all is seen to


def begin() -> ThreadPoolExecutor:
    """Let this process have threads for its steps. Elsewhere, as in a command, a step is done where it is called."""
    global _threads
    _threads = ThreadPoolExecutor(PLACES + 1, thread_name_prefix="aside")
    return _threads


def run(
    work: Callable[[], T],
    orders: int,
    slow: Callable[[], object],
    late: Callable[[Future[T]], object],
    *,
    limit: float,
) -> T | None:
    """What `work` for so many orders returns or raises. `slow` is called when it has not ended after a moment; then
    this returns None for few orders, and `late` is called when it ends. What has not ended `limit` seconds after that
    is killed with this process, as a task that hangs would be.
    """
    if _threads is None:
        return work()
    future = _threads.submit(copy_context().run, _with_live_connection, work)
    if wait([future], PATIENCE).done:
        return future.result()
    slow()
    if orders > FEW or len(_aside) >= PLACES:
        return future.result()
    _leave(future, late, limit)
    return None


def finish(seconds: float = ENDING) -> None:
    """Before this process ends: wait so long for what is aside. The rest waits for its lease."""
    wait(_aside.copy(), seconds)


def _leave(future: Future[T], late: Callable[[Future[T]], object], limit: float) -> None:
    seen_to: Future[None] = Future()
    _aside.add(seen_to)
    killer = Timer(limit, os.kill, (os.getpid(), signal.SIGKILL))
    killer.daemon = True
    killer.start()

    def end(ended: Future[T]) -> None:
        try:
            late(ended)
        finally:
            killer.cancel()
            _aside.discard(seen_to)
            seen_to.set_result(None)

    future.add_done_callback(end)


def _with_live_connection(work: Callable[[], T]) -> T:
    """This thread's connection may have died with its server since it was used last. The check sends nothing."""
    close_old_connections()
    return work()
