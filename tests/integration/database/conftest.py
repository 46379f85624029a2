"""Other hosts, which reach the database through a network that can fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from bench.chaos.proxy import NetworkFault, Proxy
from orders.database.base import DatabaseWrapper
from stack.ports import Ports


class OtherHost:
    """A session of the shop on a host whose link can be cut: half open, so that nobody is told."""

    def __init__(self, network: Proxy) -> None:
        self._network = network
        self.session: Any = DatabaseWrapper(
            {**connection.settings_dict, "HOST": "127.0.0.1", "PORT": network.port}, alias="default"
        )
        self.session.inc_thread_sharing()

    def says(self, *statements: str) -> list[Any]:
        """In a transaction that stays open; returns what each answered first."""
        self.session.set_autocommit(False)
        return [self._say(statement) for statement in statements]

    def says_outside(self, statement: str) -> Any:
        """Outside of any transaction."""
        return self._say(statement)

    def vanish(self) -> None:
        self._network.set(NetworkFault.HALF_OPEN)

    def _say(self, statement: str) -> Any:
        with self.session.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()


@contextmanager
def _host() -> Iterator[OtherHost]:
    with Proxy(Ports.free().metrics, int(connection.settings_dict["PORT"])) as network:
        host = OtherHost(network)
        yield host
        network.set(NetworkFault.CUT)
        host.session.close()


@pytest.fixture
def other_host() -> Iterator[OtherHost]:
    with _host() as host:
        yield host


@pytest.fixture
def third_host() -> Iterator[OtherHost]:
    with _host() as host:
        yield host
