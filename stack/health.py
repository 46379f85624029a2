"""Checks whether a server works, from outside: None, or what is wrong.

Each check is the cheapest that proves the server answers, and loads no client library, because the command line
runs all of them many times while the machine is busy starting the rest.
"""

import http.client
import socket
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil

from stack.ports import HOST
from stack.program import Check

SECONDS = 2.0  # to answer


def http_ok(url: str) -> Check:
    """Healthy when GET answers 2xx."""
    parts = urlsplit(url)

    def check(_pid: int) -> str | None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=SECONDS)
        try:
            connection.request("GET", parts.path or "/", headers={"Connection": "close"})
            answer = connection.getresponse()
            body = answer.read(300)
        except (OSError, http.client.HTTPException) as error:
            return f"{url} does not answer: {error}"
        finally:
            connection.close()
        if 200 <= answer.status < 300:
            return None
        return f"{url} answers {answer.status}: {body.decode(errors='replace').strip()}"

    return check


def postgres_ready(pg_isready: Path, port: int) -> Check:
    """Healthy when PostgreSQL's own `pg_isready` says that the server takes connections."""
    command = (pg_isready, "--host", HOST, "--port", str(port), "--timeout", f"{SECONDS:.0f}")

    def check(_pid: int) -> str | None:
        done = subprocess.run(command, capture_output=True, text=True)
        return f"PostgreSQL is not ready: {done.stdout.strip()}" if done.returncode else None

    return check


def valkey_ready(url: str) -> Check:
    """Healthy when PING is answered; a server that still loads its file answers -LOADING."""
    parts = urlsplit(url)
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    login = f"AUTH {name} {password}".replace("  ", " ") if password else ""

    def check(_pid: int) -> str | None:
        try:
            with socket.create_connection((parts.hostname, parts.port or 6379), SECONDS) as connection:
                connection.sendall(f"{login}\r\nPING\r\nQUIT\r\n".lstrip().encode())
                answer = connection.makefile("rb").read()
        except OSError as error:
            return f"Valkey does not answer: {error}"
        return (
            None
            if b"+PONG" in answer
            else f"Valkey is not ready: {answer.decode(errors='replace').strip() or 'it hung up'}"
        )

    return check


def connected_to(url: str, what: str, default_port: int) -> Check:
    """Healthy when the process holds a connection to that server: for one that listens nowhere itself."""
    port = urlsplit(url).port or default_port

    def check(pid: int) -> str | None:
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error as error:
            return str(error)
        remote = {
            one.raddr.port for one in connections if one.raddr and one.status == psutil.CONN_ESTABLISHED
        }
        return None if port in remote else f"has no connection to {what} on port {port}"

    return check
