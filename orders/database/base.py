"""The backend itself, where Django looks for it: `"ENGINE": "orders.database"`."""

import select
from functools import cached_property
from types import TracebackType
from typing import Any

import psycopg
from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper

from orders.database import patience, vanishing
from orders.database.schema import SchemaEditor


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = SchemaEditor

    def get_connection_params(self) -> dict[str, Any]:
        return vanishing.params(super().get_connection_params())

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        return patience.connect(conn_params)

    def close_if_unusable_or_obsolete(self) -> None:
        """Django calls this around each request: a connection that its server closed serves no other request."""
        if self.connection is not None and not self.in_atomic_block and _hung_up(self.connection):
            self.close()
        super().close_if_unusable_or_obsolete()

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _Errors(self)


class _Errors(DatabaseErrorWrapper):
    """Calls a transaction that the server ended because we were away for too long what it is: an outage."""

    def __init__(self, wrapper: DatabaseWrapper) -> None:
        super().__init__(wrapper)
        self._wrapper = wrapper

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, vanishing.ENDED_BY_SERVER):
            self._wrapper.errors_occurred = True
            raise OperationalError(*exc_value.args) from exc_value
        super().__exit__(exc_type, exc_value, traceback)


def _hung_up(connection: psycopg.Connection[Any]) -> bool:
    """Whether an idle connection has something unread: its end, or a server's last message. Asks nobody."""
    if connection.closed:
        return True
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    return bool(look.poll(0))
