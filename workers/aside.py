"""A step whose provider takes its time goes on beside the tasks that follow, so that it holds up no other order.

A process does one task at a time, and a card that times out would keep it for as long as a call may take. So steps that
call a provider are done in threads of the process. When one of few orders has not ended after a moment, its task ends
without it and the process takes the next. The thread goes on under the lease of its orders, and makes those due that
go on. If the process dies meanwhile, their lease runs out.

Of a large batch more than half would have to be slow (orders.providers.http.each): that is a provider in trouble, for
which there is the breaker.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, TypeVar

from django.db import close_old_connections

T = TypeVar("T")

FEW = 10  # orders
PATIENCE = 0.5  # seconds that a task waits for them: most providers take less
PLACES = 7  # steps of a process that may be aside at a time; each holds a connection to the database

_threads: ThreadPoolExecutor | None = None
_aside: set[Future[Any]] = set()


def begin() -> ThreadPoolExecutor:
    """Let this process have threads for its steps. Elsewhere, as in a command, a step is done where it is called."""
    global _threads
    _threads = ThreadPoolExecutor(PLACES + 1, thread_name_prefix="aside")
    return _threads


def run(work: Callable[[], T], orders: int, late: Callable[[Future[T]], object]) -> T | None:
    """What `work` for so many orders returns or raises; None when it takes too long: `late` is called when it ends."""
    if _threads is None:
        return work()
    future = _threads.submit(copy_context().run, _with_live_connection, work)
    if orders <= FEW and len(_aside) < PLACES and not wait([future], PATIENCE).done:
        _aside.add(future)
        future.add_done_callback(_aside.discard)
        future.add_done_callback(late)
        return None
    return future.result()


def finish(seconds: float) -> None:
    """Before this process ends: wait so long for what is aside. The rest waits for its lease."""
    wait(_aside.copy(), seconds)


def _with_live_connection(work: Callable[[], T]) -> T:
    """This thread's connection may have died with its server since it was used last. The check sends nothing."""
    close_old_connections()
    return work()
