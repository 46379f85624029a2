"""The backend itself, where Django looks for it: `"ENGINE": "orders.database"`."""

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from orders.database import patience


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        return patience.connect(conn_params)

    def close_if_unusable_or_obsolete(self) -> None:
        """Django calls this around each request: a connection that its server closed serves no other request."""
        if self.connection is not None and not self.in_atomic_block and _hung_up(self.connection):
            self.close()
        super().close_if_unusable_or_obsolete()


def _hung_up(connection: psycopg.Connection[Any]) -> bool:
    """Whether an idle connection has something unread: its end, or a server's last message. Asks nobody."""
    if connection.closed:
        return True
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    return bool(look.poll(0))
