"""GET /live/orders/<token> tells every change at once until the end, even while Valkey is down."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import redis
from django.db import connection

from orders import scheduling
from orders.models import Order
from orders.states import OrderStatus
from shop.live.hub import SWEEP_ENDING
from shop.live.statuses import TIMEOUT
from tests.freezing import frozen
from tests.integration.live.conftest import Live, Stream
from tests.making import place_order
from tests.servers import Servers
from tests.waiting import wait_until

Tell = Callable[..., None]
CROWD = 2_000


@pytest.fixture
def order(transactional_db: None) -> Order:
    return place_order(card=None)


def reserve(order: Order) -> None:
    scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.RESERVED)


def test_a_stream_begins_with_the_status_of_the_order(live: Live, order: Order) -> None:
    reserve(order)
    with live.watch(order.token) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-cache"
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.event() == ("changed", "order.reserved")


def test_head_says_what_get_would_and_opens_no_stream(live: Live, order: Order) -> None:
    with live.watch(order.token) as stream, Stream(live.port, f"/live/orders/{order.token}", "HEAD") as asked:
        assert asked.status == 200
        told = ("content-type", "cache-control", "x-accel-buffering", "x-content-type-options")
        assert all(asked.headers[name] == stream.headers[name] for name in told)
    wait_until(lambda: live.health()["streams"] == 0, "the streams to be let go")
    with Stream(live.port, "/healthz", "HEAD") as asked:
        assert (asked.status, asked.headers["content-type"]) == (200, "application/json")


def test_changes_are_told_as_they_happen_and_then_the_end(live: Live, order: Order, tell: Tell) -> None:
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.placed")
        reserve(order)
        tell((order.token, "order.reserved"), ("another-token", "order.cancelled"))
        assert stream.event() == ("changed", "order.reserved")
        tell((order.token, "order.shipped"))
        assert stream.event() == ("changed", "order.shipped")
        scheduling.advance([order.pk], [OrderStatus.RESERVED], OrderStatus.COMPLETED, then="end")
        tell((order.token, "order.completed"))
        assert stream.event() == ("changed", "order.completed")
        assert stream.event() == ("ended", "completed")
        assert stream.event() is None
    wait_until(lambda: live.health()["streams"] == 0, "the stream to be let go")


def test_an_event_alone_does_not_end_a_stream(live: Live, order: Order, tell: Tell) -> None:
    """While something is left to do, such as a refund or an e-mail, the stream stays open."""
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.placed")
        scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.CANCELLED, then="now")
        tell((order.token, "order.cancelled"))
        assert stream.event() == ("changed", "order.cancelled")
        tell((order.token, "order.replayed"))
        assert stream.event() == ("changed", "order.replayed")
        scheduling.close([order.pk])
        assert stream.event() == ("ended", "cancelled")


@pytest.mark.parametrize(
    "last", [OrderStatus.CANCELLED, OrderStatus.OUT_OF_STOCK, OrderStatus.PAYMENT_DECLINED]
)
def test_an_end_that_is_written_after_its_event_is_told_at_once(
    live: Live, order: Order, tell: Tell, last: OrderStatus
) -> None:
    """The stock goes back and the customer is told between the two, and no event says when that is done."""
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.placed")
        reserve(order)
        scheduling.advance([order.pk], tuple(OrderStatus), last, then="now")
        tell((order.token, f"order.{last}"))
        assert stream.event() == ("changed", f"order.{last}")
        with live.watch(order.token) as late:  # opened when the event is out already
            assert late.event() == ("changed", f"order.{last}")
            # Looked at in between, and not at its end yet.
            assert late.silent_for(2 * SWEEP_ENDING)
            scheduling.close([order.pk])
            written = time.monotonic()
            assert stream.event() == late.event() == ("ended", last)
    assert time.monotonic() - written < 5  # the sweep over all comes every 15 s


def test_a_refund_that_takes_its_time_is_waited_for(live: Live, order: Order) -> None:
    """Nobody tells anything here: the stream is opened after the last event."""
    reserve(order)
    scheduling.advance([order.pk], [OrderStatus.RESERVED], OrderStatus.COMPLETED, then="end")
    scheduling.advance([order.pk], [OrderStatus.COMPLETED], OrderStatus.REFUNDED, then="now")
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.refunded")
        scheduling.close([order.pk])
        written = time.monotonic()
        assert stream.event() == ("ended", "refunded")
    assert time.monotonic() - written < 5


def test_an_ended_order_is_told_at_once(live: Live, order: Order) -> None:
    scheduling.advance([order.pk], [OrderStatus.PLACED], OrderStatus.OUT_OF_STOCK, then="end")
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.out_of_stock")
        assert stream.event() == ("ended", "out_of_stock")
        assert stream.event() is None


def test_every_page_of_an_order_is_told(live: Live, order: Order, tell: Tell) -> None:
    with live.watch(order.token) as phone, live.watch(order.token) as laptop:
        assert phone.event() == laptop.event() == ("changed", "order.placed")
        phone.close()
        wait_until(lambda: live.health()["streams"] == 1, "the phone's stream to be let go")
        tell((order.token, "order.reserved"))
        assert laptop.event() == ("changed", "order.reserved")


def test_a_heartbeat_keeps_a_silent_stream_open(live: Live, order: Order) -> None:
    with live.watch(order.token) as stream:
        assert stream.comment() == ": still here"


def test_there_is_nothing_else(live: Live) -> None:
    for method, path, status in (
        ("GET", "/live/orders/unknown", 404),
        ("GET", "/live/orders/" + "x" * 33, 404),
        ("GET", "/live/orders/%00", 404),
        ("GET", "/live/orders/", 404),
        ("GET", "/", 404),
        ("GET", "/api/products/", 404),
        ("POST", "/live/orders/unknown", 405),
        ("HEAD", "/live/orders/unknown", 404),
        ("TRACE", "/healthz", 405),
    ):
        with Stream(live.port, path, method) as refused:
            assert (method, path, refused.status) == (method, path, status)
            assert refused.headers["content-type"] == "application/problem+json"
            if method != "HEAD":
                assert refused.body()["status"] == status
    assert live.health()["streams"] == 0


def test_a_dead_valkey_costs_seconds_and_no_change(
    live: Live, order: Order, valkey: Servers, tell: Tell
) -> None:
    wait_until(lambda: live.health()["subscribed"], "the live process to listen")
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.placed")
        valkey.kill("valkey")
        wait_until(lambda: not live.health()["subscribed"], "the loss to be noticed")
        reserve(order)
        assert stream.event() == ("changed", "order.reserved")  # seen in the database
        with live.watch(order.token) as late:
            assert late.event() == ("changed", "order.reserved")
        valkey.start("valkey")
        tell((order.token, "order.shipped"))
        assert stream.event() == ("changed", "order.shipped")


def test_a_valkey_that_hangs_is_given_up(live: Live, valkey: Servers) -> None:
    wait_until(lambda: live.health()["subscribed"], "the live process to listen")
    with frozen(valkey.pid("valkey")):
        wait_until(lambda: not live.health()["subscribed"], "the hang to be noticed")
    wait_until(lambda: live.health()["subscribed"], "the live process to listen again")


def test_changes_during_a_lost_connection_are_told_after_it(
    live: Live, order: Order, valkey: Servers
) -> None:
    url = valkey.settings()["BROKER_URL"]
    with live.watch(order.token) as stream, redis.Redis.from_url(url) as client:
        assert stream.event() == ("changed", "order.placed")
        wait_until(lambda: live.health()["subscribed"], "the live process to listen")
        reserve(order)
        client.client_kill_filter(_type="pubsub")
        assert stream.event() == ("changed", "order.reserved")


def test_malformed_messages_are_ignored(live: Live, order: Order, valkey: Servers, tell: Tell) -> None:
    with live.watch(order.token) as stream, redis.Redis.from_url(valkey.settings()["BROKER_URL"]) as client:
        assert stream.event() == ("changed", "order.placed")
        wait_until(lambda: live.health()["subscribed"], "the live process to listen")
        for message in (b"", b"{", b"[1]", b'[["a"]]', b"null", b'{"a": 1}', b"\xff"):
            client.publish("stampede:events", message)
        tell((order.token, "order.reserved"))
        assert stream.event() == ("changed", "order.reserved")


def test_a_restart_of_the_database_is_survived(live: Live, order: Order) -> None:
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.placed")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'stampede-live' AND datname = current_database()"
            )
            assert cursor.rowcount == 1
        with live.watch(order.token) as late:
            assert late.event() == ("changed", "order.placed")


def test_without_a_database_the_client_is_asked_to_retry(live: Live, order: Order) -> None:
    database = connection.settings_dict["NAME"]
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
        try:
            with live.watch(order.token) as refused:
                assert refused.status == 503
                assert int(refused.headers["retry-after"]) > 0
        finally:
            cursor.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.placed")


def test_while_the_database_hangs_nobody_waits_longer_than_one_query(
    live: Live, order: Order, servers: Servers
) -> None:
    def open_stream(_: int) -> tuple[int, float]:
        began = time.monotonic()
        with live.watch(order.token) as stream:
            return stream.status, time.monotonic() - began

    with live.watch(order.token) as kept:
        assert kept.event() == ("changed", "order.placed")
        with frozen(servers.pid("postgres")), ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(open_stream, range(6)))
    assert {status for status, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < 3 * TIMEOUT
    assert open_stream(0)[0] == 200


def test_open_streams_do_not_delay_a_stop(live: Live, order: Order) -> None:
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.placed")
        assert live.stop() < 4


@pytest.mark.usefixtures("many_files")
def test_two_thousand_streams_in_one_process(live: Live, tell: Tell) -> None:
    tokens = [f"crowd-{number}" for number in range(CROWD)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_order (token, idempotency_key, fingerprint, email, phone, name, line1, line2, city,"
            " postcode, country, payment_method, currency, total_minor, tax_minor)"
            " SELECT t, t, 'f', 'e', 'p', 'n', 'l', '', 'c', 'p', 'GB', 'cod', 'GBP', 1, 0"
            " FROM unnest(%s::text[]) AS t",
            [tokens],
        )
    process = psutil.Process(live.process.pid)
    before = process.memory_info().rss

    streams = [live.watch(token) for token in tokens]
    try:
        assert {stream.event() for stream in streams} == {("changed", "order.placed")}
        assert live.health()["streams"] == CROWD
        assert process.num_threads() < 20
        assert (process.memory_info().rss - before) / CROWD < 64 * 1024
        spent = live.cpu_seconds()
        tell(*((token, "order.reserved") for token in tokens))
        assert {stream.event() for stream in streams} == {("changed", "order.reserved")}
        assert live.cpu_seconds() - spent < 2
    finally:
        for stream in streams:
            stream.close()
    wait_until(lambda: live.health()["streams"] == 0, "all to be let go")
