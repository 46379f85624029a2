"""Whoever connects asks for the limits by which vanished hosts are noticed, and who is slow for a reason says so."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from orders import scheduling
from orders.database import vanishing
from orders.database.snapshot import snapshot
from orders.models import Order
from orders.workflow import Step
from shop.live.statuses import Statuses
from tests.making import place_order
from tests.waiting import wait_until
from workers.metrics import collecting
from workers.models import DeadLetter
from workers.steps import perform
from workers.tasks import STEP_TASKS

pytestmark = pytest.mark.django_db(transaction=True)

WANTED = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "client_connection_check_interval": "5s",
    "lock_timeout": "5s",
}
IDLE = "idle_in_transaction_session_timeout"
SHOW = "SELECT name, current_setting(name) FROM unnest(%(names)s::text[]) AS name"
NAMES = {"names": [*WANTED, IDLE]}


def by_django() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(SHOW, NAMES)
        return dict(cursor.fetchall())


def for_a_printout() -> dict[str, str]:
    with snapshot() as read:
        return dict(tuple(row) for row in read(SHOW, NAMES))


def for_figures() -> dict[str, str]:
    with collecting.connect() as own:
        return dict(own.execute(SHOW, NAMES).fetchall())


def of_live_pages() -> dict[str, str]:
    address = urlsplit(settings.DATABASE_URL)._replace(path=f"/{connection.settings_dict['NAME']}")

    async def ask() -> dict[str, str]:
        live = Statuses(urlunsplit(address))
        await live.of(["none"])
        assert live._connection
        found = await (await live._connection.execute(SHOW, NAMES)).fetchall()
        await live.close()
        return dict(found)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("connected", "idle"),
    [(by_django, "10s"), (for_a_printout, "10min"), (for_figures, "10s"), (of_live_pages, "10s")],
)
def test_every_connection_has_the_limits(connected: Callable[[], dict[str, str]], idle: str) -> None:
    assert connected() == {**WANTED, IDLE: idle}


def test_this_side_notices_a_vanished_server() -> None:
    told = connection.get_connection_params()
    after = told["keepalives_idle"] + told["keepalives_interval"] * told["keepalives_count"]
    assert max(after, told["tcp_user_timeout"] / 1000) <= 15


def test_what_the_url_asks_for_goes_first() -> None:
    given = vanishing.params({"options": "-c lock_timeout=1234 -c search_path=public", "keepalives_idle": 60})
    assert given["keepalives_idle"] == 60
    with psycopg.connect(**{**connection.get_connection_params(), **given}) as own:
        assert own.execute("SHOW lock_timeout").fetchone() == ("1234ms",)
        assert own.execute(f"SHOW {IDLE}").fetchone() == ("10s",)


def test_who_reads_a_file_in_between_may_take_longer_and_the_next_transaction_may_not() -> None:
    with transaction.atomic():
        vanishing.allow_pauses(timedelta(minutes=3))
        assert by_django()[IDLE] == "3min"
    assert by_django()[IDLE] == "10s"


def slept() -> None:
    """This transaction is over when the process looks again, as when it was stopped for longer than the limit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
        cursor.execute(f"SET LOCAL {IDLE} = '50ms'")
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: (other.execute(gone, [pid]).fetchone() or [False])[0], "the session to be ended")


def test_a_process_that_slept_in_a_transaction_starts_over_and_nothing_is_called_a_bug() -> None:
    order = place_order()
    scheduling.claim(10)

    def work(ids: Any) -> list[int]:
        with transaction.atomic():
            slept()
            Order.objects.get(pk=order.pk)
        return list(ids)

    with pytest.raises(OperationalError):
        perform(STEP_TASKS[Step.RESERVE], Step.RESERVE, work, [order.pk])
    order.refresh_from_db()
    assert (order.attempts, order.alone) == (0, False)
    assert not DeadLetter.objects.exists()


def test_so_does_one_that_slept_at_its_own_statements() -> None:
    """psycopg calls it a mistake of the program (InternalError), Django's cursor and ours call it an outage."""

    @transaction.atomic
    def look() -> None:
        slept()
        scheduling.any_due()

    with pytest.raises(OperationalError):
        look()
    with connection.cursor() as cursor:  # and the connection is one that works
        cursor.execute("SELECT 1")
