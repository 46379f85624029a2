"""Checks the machine before anything is started, and names all problems at once, each with its fix."""

import platform
import shutil
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from stack.environment import Stack
from stack.health import valkey_ready
from stack.ports import is_free, next_free_base, owner

MINIMUM_DISK = 1024**3  # bytes: the databases of a month of orders, and logs
MINIMUM_MEMORY = 1024**3
MINIMUM_POSTGRES = 15  # MERGE, SKIP LOCKED, unique nulls not distinct
PLATFORMS = {"Linux": ("x86_64", "aarch64"), "Darwin": ("arm64",)}


class Problem(NamedTuple):
    what: str
    fix: str


def problems(stack: Stack) -> list[Problem]:
    """Everything that would keep this stack from starting; nothing when it can go ahead."""
    checks = (_platform, _room, _ports, _database, _broker)
    return [Problem(*found) for check in checks for found in check(stack)]


def _platform(_stack: Stack) -> Iterator[tuple[str, str]]:
    system, machine = platform.system(), platform.machine()
    if machine not in PLATFORMS.get(system, ()):
        yield (
            f"there are no wheels of PostgreSQL, Valkey and nginx for {system} on {machine}",
            "use Linux on x86-64 or aarch64, or macOS on Apple silicon; or docker-compose.yml",
        )


def _room(stack: Stack) -> Iterator[tuple[str, str]]:
    if (free := shutil.disk_usage(stack.layout.base).free) < MINIMUM_DISK:
        yield (
            f"{free / 1024**2:.0f} MB are free on the disk of {stack.layout.base}; 1 GB is needed",
            "make room, or remove an old stack's data with `./dev reset`",
        )
    if (free := psutil.virtual_memory().available) < MINIMUM_MEMORY:
        yield (
            f"{free / 1024**2:.0f} MB of memory are free; about 1 GB is needed",
            "close other programs, or stop another stack with `./dev down` in its folder",
        )


def _ports(stack: Stack) -> Iterator[tuple[str, str]]:
    given = {"postgres": stack.database_url, "valkey": stack.broker_url}
    said = []
    for name, port in stack.ports.named():
        if not given.get(name) and not is_free(port):
            by = owner(port)
            said.append(f"port {port} ({name}) is in use{f' by {by}' if by else ''}")
    if said:
        free = next_free_base(stack.ports.shop)
        block = f"   (ports {free} to {free + 11} are free)" if free else ""
        yield "; ".join(said), f"./dev up --port {free or 'N'}{block}"


def _database(stack: Stack) -> Iterator[tuple[str, str]]:
    if not stack.database_url:
        return
    # Not at the top: the import takes a quarter of a second, and few people give a database of their own.
    import psycopg

    where = _without_password(stack.database_url)
    try:
        with psycopg.connect(stack.database_url, connect_timeout=5) as connection:
            version = connection.info.server_version // 10000
    except psycopg.Error as error:
        yield (
            f"DATABASE_URL ({where}) cannot be used: {str(error).strip()}",
            "start that server, or unset DATABASE_URL to use the embedded one",
        )
        return
    if version < MINIMUM_POSTGRES:
        yield (
            f"DATABASE_URL ({where}) is PostgreSQL {version}; {MINIMUM_POSTGRES} or later is needed",
            "upgrade it, or unset DATABASE_URL to use the embedded one",
        )


def _broker(stack: Stack) -> Iterator[tuple[str, str]]:
    # Other schemes (TLS, a socket file) are not checked here; the workers will find out.
    if urlsplit(stack.broker_url).scheme == "redis" and (problem := valkey_ready(stack.broker_url)(0)):
        yield (
            f"BROKER_URL ({_without_password(stack.broker_url)}) cannot be used: {problem}",
            "start that server, or unset BROKER_URL to use the embedded one",
        )


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url
