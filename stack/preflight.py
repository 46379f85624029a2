"""Looks at the machine before anything is started, and says all that is wrong at once, each with its fix."""

import platform
import shutil
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from stack.environment import Stack
from stack.health import valkey_ready
from stack.ports import is_free, next_free_base, owner

MINIMUM_DISK = 1024**3  # bytes: the databases of a month of orders, and logs
MINIMUM_MEMORY = 1024**3
MINIMUM_POSTGRES = 15  # MERGE, SKIP LOCKED, unique nulls not distinct
PLATFORMS = {"Linux": ("x86_64", "aarch64"), "Darwin": ("arm64",)}


@dataclass(frozen=True)
class Problem:
    what: str
    fix: str


def problems(stack: Stack) -> list[Problem]:
    """Everything that would keep this stack from starting; nothing when it can go ahead."""
    return [*_platform(), *_room(stack), *_ports(stack), *_database(stack), *_broker(stack)]


def _platform() -> list[Problem]:
    system, machine = platform.system(), platform.machine()
    if machine in PLATFORMS.get(system, ()):
        return []
    return [
        Problem(
            f"there are no wheels of PostgreSQL, Valkey and nginx for {system} on {machine}",
            "use Linux on x86-64 or aarch64, or macOS on Apple silicon; or docker-compose.yml",
        )
    ]


def _room(stack: Stack) -> list[Problem]:
    found = []
    if (free := shutil.disk_usage(stack.layout.base).free) < MINIMUM_DISK:
        found.append(
            Problem(
                f"{free / 1024**2:.0f} MB are free on the disk of {stack.layout.base}; 1 GB is needed",
                "make room, or remove an old stack's data with `./dev reset`",
            )
        )
    if (free := psutil.virtual_memory().available) < MINIMUM_MEMORY:
        found.append(
            Problem(
                f"{free / 1024**2:.0f} MB of memory are free; about 1 GB is needed",
                "close other programs, or stop another stack with `./dev down` in its folder",
            )
        )
    return found


def _ports(stack: Stack) -> list[Problem]:
    given = {"postgres": stack.database_url, "valkey": stack.broker_url}
    busy = [(name, port) for name, port in stack.ports.named() if not given.get(name) and not is_free(port)]
    if not busy:
        return []
    free = next_free_base(stack.ports.shop)
    fix = f"./dev up --port {free or 'N'}" + (f"   (ports {free} to {free + 10} are free)" if free else "")
    said = []
    for name, port in busy:
        by = owner(port)
        said.append(f"port {port} ({name}) is in use{f' by {by}' if by else ''}")
    return [Problem("; ".join(said), fix)]


def _database(stack: Stack) -> list[Problem]:
    if not stack.database_url:
        return []
    # Here and not at the top: it takes a quarter of a second, and few bring their own database.
    import psycopg

    where = _without_password(stack.database_url)
    try:
        with psycopg.connect(stack.database_url, connect_timeout=5) as connection:
            version = connection.info.server_version // 10000
    except psycopg.Error as error:
        return [
            Problem(
                f"DATABASE_URL ({where}) cannot be used: {str(error).strip()}",
                "start that server, or unset DATABASE_URL to use the embedded one",
            )
        ]
    if version < MINIMUM_POSTGRES:
        return [
            Problem(
                f"DATABASE_URL ({where}) is PostgreSQL {version}; {MINIMUM_POSTGRES} or later is needed",
                "upgrade it, or unset DATABASE_URL to use the embedded one",
            )
        ]
    return []


def _broker(stack: Stack) -> list[Problem]:
    if not stack.broker_url or urlsplit(stack.broker_url).scheme != "redis":
        return []  # over TLS or a socket file we leave it to the workers to find out
    problem = valkey_ready(stack.broker_url)(0)
    if problem is None:
        return []
    return [
        Problem(
            f"BROKER_URL ({_without_password(stack.broker_url)}) cannot be used: {problem}",
            "start that server, or unset BROKER_URL to use the embedded one",
        )
    ]


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url
