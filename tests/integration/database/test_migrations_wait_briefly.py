"""A migration that does not get its lock gives up before the shop queues behind it; `prepare` tries it again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg
import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, connection

from shop.management.commands.prepare import until_locked
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

# It takes the whole table, so it waits for whoever reads it.
ALTER = "ALTER TABLE orders_invoicecounter ADD COLUMN more int; ALTER TABLE orders_invoicecounter DROP COLUMN more"
# It is built beside the traffic, and waits for all transactions that are older.
BESIDE = "CREATE INDEX CONCURRENTLY beside ON orders_invoicecounter (last)"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()"


@contextmanager
def somebody_reads() -> Iterator[psycopg.Connection[Any]]:
    """A report that reads the table, and takes its time."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        other.execute("SELECT count(*) FROM orders_invoicecounter")
        yield other
        other.rollback()


def alter() -> None:
    with connection.schema_editor() as editor:
        editor.execute(ALTER)


def lock_timeout() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return str(cursor.fetchone()[0])


def test_it_gives_up_before_anybody_waits_behind_it_for_long() -> None:
    with somebody_reads():
        began = monotonic()
        with pytest.raises(OperationalError, match="lock timeout"):
            alter()
        assert monotonic() - began < 4
    assert lock_timeout() == "5s"


def test_it_is_tried_again_when_the_reader_has_ended() -> None:
    tried: list[float] = []
    with somebody_reads() as reader:

        def migrate() -> None:
            if tried:
                reader.rollback()
            tried.append(monotonic())
            alter()

        until_locked(migrate)
    assert len(tried) == 2


def test_when_nobody_ever_lets_go_it_says_what_to_do() -> None:
    with somebody_reads(), pytest.raises(CommandError, match="pg_stat_activity"):
        until_locked(alter, tries=1)


def test_what_is_no_matter_of_locks_is_not_tried_again() -> None:
    tried: list[int] = []

    def broken() -> None:
        tried.append(1)
        raise OperationalError("the disk is full")

    with pytest.raises(OperationalError, match="the disk"):
        until_locked(broken)
    assert len(tried) == 1


def test_an_index_that_is_built_beside_the_traffic_waits_for_as_long_as_it_takes() -> None:
    """Given up, it would leave half an index."""
    with (
        somebody_reads() as reader,
        psycopg.connect(**connection.get_connection_params(), autocommit=True) as looking,
    ):

        def end_it_when_it_is_waited_for() -> None:
            wait_until(lambda: looking.execute(WAITS).fetchone() != (0,), "the index to wait")
            reader.rollback()

        reading = threading.Thread(target=end_it_when_it_is_waited_for)
        with connection.schema_editor(atomic=False) as editor:
            assert lock_timeout() == "0"
            reading.start()
            editor.execute(BESIDE)
        reading.join()
        editor.execute("DROP INDEX beside")
    assert lock_timeout() == "5s"
