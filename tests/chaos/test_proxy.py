"""The network that fails on demand: what a client sees of a delay, a cut and a connection that is half open."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from bench.chaos.proxy import NetworkFault, Proxy
from stack.ports import HOST

SHORT = 0.3  # seconds that a client waits for what must not come


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Server((HOST, 0), Echo) as server, socket.socket() as free:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        free.bind((HOST, 0))
        port = free.getsockname()[1]
        free.close()
        with Proxy(port, server.server_address[1]) as proxy:
            yield proxy
        server.shutdown()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=10)


def says(connection: socket.socket, what: bytes = b"hello") -> bytes:
    connection.sendall(what)
    return connection.recv(1024)


def test_it_passes_on_what_it_gets(proxy: Proxy) -> None:
    with closing(connect(proxy)) as client:
        assert says(client) == b"hello"


def test_a_delay_holds_back_every_piece(proxy: Proxy) -> None:
    with closing(connect(proxy)) as client:
        assert says(client) == b"hello"
        proxy.set(NetworkFault.DELAY, delay=0.2)
        began = time.monotonic()
        assert says(client) == b"hello"
        assert time.monotonic() - began >= 0.4  # there and back


def test_a_cut_resets_what_is_open_and_turns_away_what_comes(proxy: Proxy) -> None:
    with closing(connect(proxy)) as client:
        assert says(client) == b"hello"
        proxy.set(NetworkFault.CUT)
        with pytest.raises(ConnectionError):
            says(client)
    with pytest.raises(ConnectionError), closing(connect(proxy)) as client:
        says(client)
    proxy.set(NetworkFault.NONE)
    with closing(connect(proxy)) as client:
        assert says(client) == b"hello"


def test_what_was_half_open_stays_dead_and_what_comes_after_it_lives(proxy: Proxy) -> None:
    with closing(connect(proxy)) as old:
        assert says(old) == b"hello"
        proxy.set(NetworkFault.HALF_OPEN)
        proxy.set(NetworkFault.NONE)
        old.settimeout(SHORT)
        with pytest.raises(TimeoutError):
            says(old)
        with closing(connect(proxy)) as new:
            assert says(new) == b"hello"
