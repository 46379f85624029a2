"""Whether the process in this container works, asked from inside it; docker-compose.yml calls it as health check.

    python deploy/health.py http URL           the server answers 2xx
    python deploy/health.py node NAME          the Celery node NAME@this-host answers a ping over the broker
    python deploy/health.py relay              the relay has looked into the database lately
    python deploy/health.py file PATH SECONDS  the file was touched within so many seconds

Exits 0, or 1 with a line that says what is wrong (`docker inspect` shows it). It imports nothing of the shop: a check
that loads Django every half minute in each of a dozen containers would be a load of its own.
"""

import argparse
import os
import socket
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SECONDS = 5
# The relay and its outbox each ask the database many times a second, also while the broker is away.
RELAY_SESSIONS = 2
RELAY_SECONDS = 20
# How many of its sessions have asked lately.
_RELAY_LOOKED = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'relay' AND client_addr IS NOT DISTINCT FROM inet_client_addr()
  AND query_start > clock_timestamp() - make_interval(secs => %s)
"""


class Unhealthy(Exception):
    """What is wrong, in a sentence."""


def http(url: str) -> None:
    """With the shop's own name as host, because Django answers to no other."""
    parts, shop = urlsplit(url), urlsplit(os.environ.get("SHOP_URL", "")).netloc
    connection = HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        connection.request("GET", parts.path or "/", headers={"Host": shop or parts.netloc})
        answer = connection.getresponse()
        said = answer.read(300).decode(errors="replace")
    except (OSError, HTTPException, ValueError) as error:
        raise Unhealthy(f"{url} does not answer as it should: {error}") from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise Unhealthy(f"{url} does not answer as it should: {answer.status} {answer.reason} {said}".strip())


def node(name: str) -> None:
    """Its main process takes messages from the broker and answers them."""
    from celery import Celery
    from kombu.exceptions import KombuError

    app = Celery(broker=os.environ["BROKER_URL"], set_as_current=False)
    app.conf.broker_connection_retry = False
    app.conf.broker_transport_options = {"socket_connect_timeout": SECONDS, "socket_timeout": SECONDS}
    full_name = f"{name}@{socket.gethostname()}"
    unreachable: Any = (OSError, KombuError, *app.connection_for_write().connection_errors)
    try:
        answers = app.control.ping(destination=[full_name], timeout=SECONDS)
    except unreachable as error:
        raise Unhealthy(f"the broker cannot be reached: {error}") from error
    if not answers:
        raise Unhealthy(f"{full_name} does not answer a ping within {SECONDS} s")


def relay() -> None:
    """PostgreSQL knows when each of its sessions last asked something."""
    import psycopg

    try:
        with psycopg.connect(
            os.environ["DATABASE_URL"], connect_timeout=SECONDS, application_name="health"
        ) as connection:
            row = connection.execute(_RELAY_LOOKED, [RELAY_SECONDS]).fetchone()
    except psycopg.Error as error:
        raise Unhealthy(f"the database cannot be asked: {error}") from error
    if not row or row[0] < RELAY_SESSIONS:
        found = row[0] if row else 0
        raise Unhealthy(
            f"{found} of the relay's {RELAY_SESSIONS} threads asked the database within {RELAY_SECONDS} s"
        )


def file(path: str, seconds: float) -> None:
    try:
        age = time.time() - Path(path).stat().st_mtime
    except FileNotFoundError as error:
        raise Unhealthy(f"{path} is not there yet") from error
    if age > seconds:
        raise Unhealthy(f"{path} was last touched {age:.0f} s ago; {seconds:.0f} s are allowed")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="health.py", description="Whether the process in this container works."
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("http").add_argument("url")
    kinds.add_parser("node").add_argument("name")
    kinds.add_parser("relay")
    touched = kinds.add_parser("file")
    touched.add_argument("path")
    touched.add_argument("seconds", type=float)
    return parser


def main() -> None:
    arguments = vars(parser().parse_args())
    checks: dict[str, Callable[..., None]] = {"http": http, "node": node, "relay": relay, "file": file}
    try:
        checks[arguments.pop("kind")](**arguments)
    except Unhealthy as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
