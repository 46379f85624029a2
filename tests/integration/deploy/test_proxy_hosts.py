"""nginx before several hosts, before thousands of clients, and while it is told to begin anew: nobody is refused who
could have been served."""

import http.client
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from stack.nginx import AWAY, TEMPLATE, binary, render
from stack.ports import Ports
from tests.waiting import wait_for

FIRST, SECOND = "127.0.0.1", "127.0.0.2"
ORDERS, CART = "/api/orders/", "/cart/KI-1010/"


@dataclass
class Host:
    """A stand-in for web on an address: what it was asked, and over which connection (the other side's port)."""

    address: str
    port: int
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    dies_with: str = ""  # a path: whoever asks for it gets the connection closed instead of an answer
    connections: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                host.asked.append((self.command, self.path, self.client_address[1]))
                if self.path == host.dies_with:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def process_request(self, request: Any, client_address: Any) -> None:
                host.connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, *_: Any) -> None:
                if not isinstance(sys.exception(), ConnectionError):  # nginx hangs up when the test is over
                    super().handle_error(*_)

        self._server = Server((self.address, self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """As when its process is killed: open connections are closed too."""
        self._server.shutdown()
        for one in self.connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()


@contextmanager
def name_server(addresses: list[str]) -> Iterator[int]:
    """Answers every question for an address with these; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((FIRST, 0))

        def answer() -> None:
            while True:
                asked, who = one.recvfrom(512)
                if not asked:
                    return
                end = asked.index(0, 12) + 5
                head = asked[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, len(addresses), 0, 0)
                found = b"".join(
                    b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(address)
                    for address in addresses
                )
                one.sendto(head + asked[12:end] + found, who)

        thread = threading.Thread(target=answer)
        thread.start()
        yield one.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", one.getsockname())
        thread.join()


@dataclass
class Proxy:
    port: int
    process: subprocess.Popen[bytes]

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, http.client.HTTPMessage]:
        with closing(http.client.HTTPConnection(FIRST, self.port, timeout=20)) as connection:
            connection.request(method, path, body, {"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers

    def workers(self) -> set[int]:
        return {child.pid for child in psutil.Process(self.process.pid).children()}


@contextmanager
def proxy(folder: Path, web: str, live: str, change: Callable[[str], str] = str) -> Iterator[Proxy]:
    """An nginx with the template's configuration, before these."""
    port = Ports.free().shop
    values = {
        "NGINX_USER": "user root root;" if folder.owner() == "root" else "",
        "NGINX_LISTEN": f"{FIRST}:{port}",
        "NGINX_WEB": web,
        "NGINX_LIVE": live,
        "NGINX_TEMP": str(folder),
        "NGINX_AWAY": str(AWAY),
        "NGINX_MEDIA": str(folder / "media"),
        "NGINX_FILES": str(folder / "files"),
    }
    (folder / "nginx.conf").write_text(change(render(TEMPLATE.read_text(), values)))
    process = subprocess.Popen([binary(), "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"])

    def listens() -> bool | None:
        with socket.socket() as one:
            return one.connect_ex((FIRST, port)) == 0 or None

    try:
        wait_for(listens, "nginx to listen")
        yield Proxy(port, process)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def before(folder: Path, addresses: list[str], port: int) -> Iterator[Proxy]:
    """As on servers: one name, which the name server has several addresses for."""
    with name_server(addresses) as names:
        (folder / "http.d").mkdir()
        (folder / "http.d/resolver.conf").write_text(f"resolver {FIRST}:{names} valid=1s ipv6=off;")
        name = f"web.example:{port} resolve"
        with proxy(folder, name, name) as running:
            wait_for(lambda: running.ask("GET", "/")[0] == 200 or None, "nginx to know the name")
            yield running


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    port = Ports.free().web
    two = [Host(FIRST, port), Host(SECOND, port)]
    yield two
    for host in two:
        with suppress(OSError):
            host.stop()


class TestOneOfTwo:
    @pytest.fixture
    def running(self, tmp_path: Path, hosts: list[Host]) -> Iterator[Proxy]:
        with before(tmp_path, [FIRST, SECOND], hosts[0].port) as running:
            for host in hosts:
                _until_asked(running, host)
            for host in hosts:
                host.asked.clear()
            yield running

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "/"), ("GET", "/live/orders/x"), ("POST", ORDERS), ("POST", CART)]
    )
    def test_a_dead_one_costs_nothing(
        self, running: Proxy, hosts: list[Host], method: str, path: str
    ) -> None:
        hosts[0].stop()
        body = b"{}" if method == "POST" else None
        assert {running.ask(method, path, body)[0] for _ in range(40)} == {200}
        assert [path for _, path, _ in hosts[1].asked].count(path) == 40

    @pytest.mark.parametrize("path", [ORDERS, "/webhooks/payments/", "/checkout/"])
    def test_what_has_a_key_of_its_own_is_sent_to_the_other_when_one_dies_with_it(
        self, running: Proxy, hosts: list[Host], path: str
    ) -> None:
        hosts[0].dies_with = path
        assert {running.ask("POST", path, b"{}")[0] for _ in range(10)} == {200}
        assert hosts[0].asked, "nobody asked the one that dies"

    def test_what_has_none_is_sent_once_and_the_client_is_told(
        self, running: Proxy, hosts: list[Host]
    ) -> None:
        for host in hosts:
            host.dies_with = CART
        status, headers = running.ask("POST", CART, b"quantity=1")
        assert (status, headers["Retry-After"]) == (503, "5")
        assert len(hosts[0].asked + hosts[1].asked) == 1

    def test_pages_share_connections_and_what_changes_something_has_its_own(
        self, running: Proxy, hosts: list[Host]
    ) -> None:
        for _ in range(20):
            running.ask("GET", "/")
            running.ask("POST", CART, b"quantity=1")
        asked = hosts[0].asked + hosts[1].asked
        ports = {method: [port for one, _, port in asked if one == method] for method in ("GET", "POST")}
        assert len(set(ports["POST"])) == 20
        assert not set(ports["POST"]) & set(ports["GET"])
        assert len(set(ports["GET"])) < 20

    def test_who_comes_back_is_asked_again(self, running: Proxy, hosts: list[Host]) -> None:
        hosts[0].stop()
        for _ in range(20):
            assert running.ask("GET", "/")[0] == 200
        again = Host(hosts[0].address, hosts[0].port)
        hosts[0] = again
        wait_for(
            lambda: (running.ask("GET", "/")[0] == 200 and again.asked) or None,
            "the one that was dead to be asked",
        )


def test_the_only_one_is_asked_as_soon_as_it_is_back(tmp_path: Path) -> None:
    port = Ports.free().web
    only = Host(FIRST, port)
    with ExitStack() as opened:
        running = opened.enter_context(before(tmp_path, [FIRST], port))
        only.stop()
        for _ in range(10):
            assert running.ask("GET", "/")[0] == 503
        only = Host(FIRST, port)
        opened.callback(only.stop)
        assert running.ask("GET", "/")[0] == 200


class TestCrowd:
    """Thousands of clients that hold a connection each."""

    STREAMS, SLOW = 5_000, 3_000

    @pytest.fixture
    def behind(self) -> Iterator[Host]:
        host = Host(FIRST, Ports.free().web)
        yield host
        host.stop()

    @pytest.fixture
    def streams(self) -> Iterator[int]:
        """Takes every connection, answers with the beginning of a stream, and leaves it open; its port."""
        taken: list[socket.socket] = []
        with socket.create_server((FIRST, 0), backlog=4096) as server:

            def take() -> None:
                while True:
                    one, _ = server.accept()
                    taken.append(one)
                    one.settimeout(5)
                    if not one.recv(4096):
                        return
                    one.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 2000\n\n")

            thread = threading.Thread(target=take, daemon=True)
            thread.start()
            yield server.getsockname()[1]
            socket.create_connection(server.getsockname()).close()
            thread.join(10)
        for one in taken:
            one.close()

    @pytest.mark.linux
    def test_live_pages_and_slow_bodies_leave_room_for_pages(
        self, tmp_path: Path, behind: Host, streams: int
    ) -> None:
        web, live = f"{FIRST}:{behind.port}", f"{FIRST}:{streams}"
        with proxy(tmp_path, web, live) as running, ExitStack() as opened:
            for number in range(self.STREAMS):
                one = opened.enter_context(socket.create_connection((FIRST, running.port), 20))
                one.sendall(b"GET /live/orders/x HTTP/1.1\r\nHost: shop.example\r\n\r\n")
                assert one.recv(12) == b"HTTP/1.1 200", f"stream {number}"
            for _ in range(self.SLOW):
                _slow(opened, running, CART)
            assert running.ask("GET", "/")[0] == 200
            assert running.ask("POST", ORDERS, b"{}")[0] == 200

    def test_more_bodies_than_a_number_are_told_to_come_later_and_pages_are_served(
        self, tmp_path: Path, behind: Host
    ) -> None:
        def fewer(configuration: str) -> str:
            return re.sub(r"limit_conn bodies \d+;", "limit_conn bodies 50;", configuration)

        web = f"{FIRST}:{behind.port}"
        with proxy(tmp_path, web, web, fewer) as running, ExitStack() as opened:
            for _ in range(50):
                _slow(opened, running, ORDERS)
            wait_for(lambda: running.ask("POST", ORDERS, b"{}")[0] == 503 or None, "the limit to be reached")
            status, headers = running.ask("POST", ORDERS, b"{}")
            assert (status, headers["Retry-After"]) == (503, "5")
            assert headers["Content-Type"] == "application/problem+json"
            assert running.ask("GET", "/")[0] == 200


def _slow(opened: ExitStack, running: Proxy, path: str) -> None:
    """Announces a body, sends its beginning, and waits."""
    one = opened.enter_context(socket.create_connection((FIRST, running.port), 20))
    one.sendall(f"POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1000\r\n\r\n{{".encode())


def test_beginning_anew_fails_no_request_of_a_client_that_keeps_its_connection(tmp_path: Path) -> None:
    """SIGHUP: new processes with what the configuration says now; the old ones end what they have begun."""
    host = Host(FIRST, Ports.free().web)
    web = f"{FIRST}:{host.port}"
    with proxy(tmp_path, web, web) as running, closing(host_connection(running)) as kept:
        for _ in range(2):
            kept.request("GET", "/")
            kept.getresponse().read()
            old = running.workers()
            running.process.send_signal(signal.SIGHUP)
            _until_replaced(running, old)
            kept.request("POST", CART, b"quantity=1")
            answer = kept.getresponse()
            answer.read()
            assert answer.status == 200
            assert answer.headers["Connection"] == "close"  # and the next is served by a new process
    assert [path for _, path, _ in host.asked].count(CART) == 2
    host.stop()


def host_connection(running: Proxy) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(FIRST, running.port, timeout=20)


def _until_asked(running: Proxy, host: Host) -> None:
    def asked() -> bool | None:
        return (running.ask("GET", "/")[0] == 200 and bool(host.asked)) or None

    wait_for(asked, f"{host.address} to be asked")


def _until_replaced(running: Proxy, old: set[int]) -> None:
    wait_for(lambda: running.workers() - old or None, "new processes of nginx")
    wait_for(lambda: _shutting_down(old) or None, "the old ones to know")


def _shutting_down(pids: set[int]) -> bool:
    """nginx says so in its processes' titles. One that is gone has closed all its connections."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if "shutting down" not in " ".join(psutil.Process(pid).cmdline()):
                return False
    return True
