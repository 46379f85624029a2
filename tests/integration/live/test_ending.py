"""The live process ends or is replaced: its streams end in order, and its port is never held by an orphan."""

import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from orders.models import Order
from tests.integration.live.conftest import Live
from tests.making import place_order
from tests.waiting import wait_until


@pytest.fixture
def order(transactional_db: None) -> Order:
    return place_order(card=None)


def workers(live: Live) -> set[int]:
    """Its processes that serve; Python's own helper is none of them."""
    found = set()
    for one in psutil.Process(live.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            if "resource_tracker" not in " ".join(one.cmdline()):
                found.add(one.pid)
    return found


def test_streams_end_in_order_when_it_is_told_to_end(live: Live, order: Order) -> None:
    """The last chunk is sent: a browser takes a stream that breaks off for an error of the network."""
    with live.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.placed")
        assert live.stop() < 2
        rest = stream.rest()
    assert rest.endswith(b"0\r\n\r\n")


@pytest.fixture
def pair(environment: dict[str, str], tmp_path: Path) -> Iterator[Live]:
    process = Live(environment, tmp_path / "live.log", processes=2)
    yield process
    if process.process.poll() is None:
        process.stop()


def test_it_is_replaced_while_it_serves(pair: Live, order: Order) -> None:
    wait_until(lambda: len(workers(pair)) == 2, "both processes to run")
    old = workers(pair)
    with pair.watch(order.token) as stream:
        assert stream.event() == ("changed", "order.placed")
        pair.process.send_signal(signal.SIGHUP)
        assert stream.rest().endswith(b"0\r\n\r\n")
        while old & workers(pair):
            with pair.watch(order.token) as another:
                assert another.status == 200


def test_when_its_main_process_is_killed_the_port_is_free_again(pair: Live) -> None:
    wait_until(lambda: len(workers(pair)) == 2, "both processes to run")
    pair.process.kill()
    pair.process.wait()

    def free() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", pair.port)) != 0

    wait_until(free, "the port to be free")
