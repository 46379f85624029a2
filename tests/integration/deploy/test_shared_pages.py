"""Pages that are the same for everybody, as nginx keeps them: made once for all, and kept while web is full or away."""

import http.client
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stack.ports import Ports
from tests.integration.deploy.test_proxy_hosts import FIRST, Proxy, proxy
from tests.waiting import wait_for

PAGES = ("/", "/c/kitchen/", "/products/KI-1010/", "/search/?q=pan")
OTHERS = (
    "/cart/",
    "/checkout/",
    "/orders/x/",
    "/products/KI-1010/captions/en.vtt",
    "/api/products/",
    "/admin/",
)


@dataclass
class Web:
    """A stand-in for web: numbers its answers, and says how long each may be kept."""

    keep: str = "60"
    status: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, cookies
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        web = self
        self.may_answer.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.asked.append((self.path, self.headers.get("Cookie", "")))
                body = f"page {len(web.asked)}".encode()
                web.may_answer.wait(10)
                self.send_response(web.status)
                self.send_header("Content-Length", str(len(body)))
                if web.status == 200:
                    self.send_header("X-Accel-Expires", web.keep)
                    self.send_header("Cache-Control", "no-cache")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer((FIRST, Ports.free().web), Handler)
        self.server.daemon_threads = True
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    one = Web()
    yield one
    one.stop()


@pytest.fixture
def shop(tmp_path: Path, web: Web) -> Iterator[Proxy]:
    address = f"{FIRST}:{web.server.server_address[1]}"
    with proxy(tmp_path, address, address) as running:
        yield running


def ask(shop: Proxy, path: str, **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    with closing(http.client.HTTPConnection(FIRST, shop.port, timeout=20)) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=named)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_made_once_for_all_who_have_no_session(shop: Proxy, web: Web, path: str) -> None:
    asked = [ask(shop, path, Cookie=cookie) for cookie in ("", "cart=1", "visitor=2; csrftoken=3")]
    assert {body for _, body, _ in asked} == {"page 1"}
    assert len(web.asked) == 1
    assert all("X-Accel-Expires" not in headers for *_, headers in asked)
    assert {headers["Cache-Control"] for *_, headers in asked} == {"no-cache"}


@pytest.mark.parametrize("path", OTHERS)
def test_nothing_else_is_kept_whatever_it_says(shop: Proxy, web: Web, path: str) -> None:
    for _ in range(2):
        ask(shop, path)
    assert len(web.asked) == 2


@pytest.mark.parametrize("cookie", ["sessionid=abc", "messages=abc"])
def test_who_has_a_session_or_is_to_be_told_something_gets_a_page_of_their_own(
    shop: Proxy, web: Web, cookie: str
) -> None:
    assert ask(shop, "/")[1] == "page 1"
    assert ask(shop, "/", Cookie=cookie)[1] == "page 2"
    assert ask(shop, "/")[1] == "page 1", "it was kept for all"


def test_pages_for_other_hosts_schemes_and_parts_are_others(shop: Proxy, web: Web) -> None:
    asked: list[dict[str, str]] = [
        {},
        {"Host": "other.example"},
        {"X_Forwarded_Proto": "https"},
        {"HX_Request": "true"},
        {"HX_Request": "true", "HX_History_Restore_Request": "true"},
    ]
    assert len({ask(shop, "/search/?q=pan", **headers)[1] for headers in asked}) == len(asked)
    assert ask(shop, "/search/?q=pot")[1] == "page 6"


def test_a_crowd_that_comes_at_once_has_the_page_made_once(shop: Proxy, web: Web) -> None:
    web.may_answer.clear()
    with ThreadPoolExecutor(40) as crowd:
        answers = [crowd.submit(ask, shop, "/") for _ in range(40)]
        wait_for(lambda: web.asked or None, "web to be asked")
        web.may_answer.set()
        assert {answer.result()[1] for answer in answers} == {"page 1"}
    assert len(web.asked) == 1


def test_an_old_page_is_renewed_while_the_others_go_on_with_it(shop: Proxy, web: Web) -> None:
    web.keep = "1"
    assert ask(shop, "/")[1] == "page 1"
    wait_for(lambda: ask(shop, "/")[1] == "page 2" or None, "the page to be made anew")


@pytest.mark.parametrize("status", [500, 503])
def test_while_web_is_full_or_broken_the_last_page_stays(shop: Proxy, web: Web, status: int) -> None:
    web.keep = "1"
    ask(shop, "/")
    web.status = status
    assert ask(shop, "/c/kitchen/")[0] == status

    def asked_again() -> bool | None:
        assert ask(shop, "/")[:2] == (200, "page 1")
        return [path for path, _ in web.asked].count("/") > 1 or None

    wait_for(asked_again, "web to be asked for a newer one")
    assert ask(shop, "/")[:2] == (200, "page 1")


def test_and_while_it_is_away(shop: Proxy, web: Web) -> None:
    web.keep = "1"
    ask(shop, "/")
    web.stop()
    wait_for(lambda: ask(shop, "/c/kitchen/")[0] == 503 or None, "web to be away")
    assert ask(shop, "/")[:2] == (200, "page 1")


def test_a_page_that_is_not_there_is_not_kept(shop: Proxy, web: Web) -> None:
    web.status = 404
    assert ask(shop, "/c/new/")[0] == 404
    web.status = 200
    assert ask(shop, "/c/new/")[0] == 200


def test_each_visitor_gets_a_name_of_their_own_with_a_page_that_is_everybodys(shop: Proxy) -> None:
    drawn = [ask(shop, "/")[2]["Set-Cookie"] for _ in range(3)]
    assert len(set(drawn)) == 3
    assert all(
        re.fullmatch(r"visitor=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000", one)
        for one in drawn
    )
    assert ask(shop, "/", Cookie="visitor=abc")[2]["Set-Cookie"] is None
    assert ask(shop, "/", X_Forwarded_Proto="https")[2]["Set-Cookie"].endswith("; Secure")
