"""The ports: one block of twelve from a base, so that one number moves the whole stack."""

import socket
from contextlib import ExitStack
from dataclasses import astuple, dataclass, fields

import psutil

DEFAULT_BASE = 8000
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Every port the stack listens on, in the order of their place in the block."""

    shop: int
    web: int
    live: int
    flower: int
    mailbox: int
    smtp: int
    payments: int
    sms: int
    carrier: int
    postgres: int
    valkey: int
    metrics: int

    @classmethod
    def block(cls, base: int) -> "Ports":
        """The block that begins at `base`, the shop's own port."""
        if not 1024 <= base <= 65535 - len(fields(cls)):
            raise ValueError(f"port {base} cannot be the first of the stack: choose one from 1024 to 65500")
        return cls(*range(base, base + len(fields(cls))))

    @classmethod
    def free(cls) -> "Ports":
        """Any ports that are free now: for tests, which run beside a stack."""
        with ExitStack() as opened:
            sockets = [opened.enter_context(socket.socket()) for _ in fields(cls)]
            for one in sockets:
                one.bind((HOST, 0))
            return cls(*(one.getsockname()[1] for one in sockets))

    def named(self) -> list[tuple[str, int]]:
        return [(field.name, port) for field, port in zip(fields(self), astuple(self), strict=True)]


def is_free(port: int) -> bool:
    """Whether a server could listen here. Binding finds most listeners, connecting those on all addresses."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex((HOST, port)) != 0


def owner(port: int) -> str:
    """Who listens on the port, as far as this user may know: "nginx (pid 4711)", or ""."""
    try:
        for one in psutil.net_connections("tcp"):
            # Empty for a socket without an address, which no listener is.
            address = tuple(one.laddr) if one.status == psutil.CONN_LISTEN else ()
            if address[1:] == (port,) and one.pid:
                return f"{psutil.Process(one.pid).name()} (pid {one.pid})"
    except psutil.Error:
        pass  # macOS shows other people's sockets to root only
    return ""


def next_free_base(base: int) -> int | None:
    """The first block above `base` of which every port is free, in steps that are easy to remember."""
    for candidate in range(base + 20, min(base + 2000, 65500), 20):
        if all(is_free(port) for _, port in Ports.block(candidate).named()):
            return candidate
    return None
