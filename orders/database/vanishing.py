"""What a connection does when the host at its other end vanishes: a cable, a hypervisor, a zone, without a farewell.

A process that dies closes its connections, and the server rolls back at once. A host that vanishes closes nothing. Its
transaction would keep its locks for as long as the server believes in it, which is two hours by default, and whoever
needs the same stock would wait. So each connection asks for limits when it is opened, whosever the server is:

    a client whose host says nothing is given up by the server          after 14 s (keepalives; 10 s with unread data)
    a transaction in which nothing is asked is rolled back              after 10 s, also behind a proxy that keeps its
                                                                        own connection to the server alive
    who waits for a lock gives up, and its orders are released          after 5 s
    a server whose host says nothing is given up by this side           after 14 s (10 s with unsent data)

A lock of a session, which no transaction ends, needs a limit of its own while it is held (`SESSION_LOCK`).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
from django.db import connection

# libpq's, for this side of the connection.
_OURS = {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 10_000}
# PostgreSQL's, for the other. A statement, too, ends when its client has gone, and not only when it is done.
_SERVERS = {
    "tcp_keepalives_idle": "5s",
    "tcp_keepalives_interval": "3s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10s",
    "client_connection_check_interval": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "5s",
}
# Said in the statement that takes a session's lock: the server ends the session, and with it the lock, when nothing is
# asked for so long. Keepalives would not do behind a proxy, which answers for a host that has vanished.
SESSION_LOCK: LiteralString = "set_config('idle_session_timeout', '15s', false)"
# Said in the statement that gives it back.
SESSION_UNLOCK: LiteralString = "set_config('idle_session_timeout', '0', false)"

# The server ended the transaction because nothing was asked in it for too long. For psycopg that is a mistake of the
# program, but the process may have been stopped, and nothing was done.
ENDED_BY_SERVER = (psycopg.errors.IdleInTransactionSessionTimeout, psycopg.errors.TransactionTimeout)

# In this transaction nothing may be asked for so long.
_PAUSES: LiteralString = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"


def params(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a connection with these limits; what is `given`, such as in DATABASE_URL, goes before them."""
    options = " ".join(f"-c {name}={value}" for name, value in _SERVERS.items())
    return {**_OURS, **given, "options": f"{options} {given.get('options') or ''}".strip()}


def allow_pauses(longest: timedelta) -> None:
    """In this transaction nothing may be asked for so long: it reads a file or asks somebody in between, and holds no
    lock that an order needs."""
    with connection.cursor() as cursor:
        cursor.execute(_PAUSES, [f"{int(longest.total_seconds())}s"])
