"""nginx by itself: what it says when nobody behind it answers, and when a body is too large; videos it hands out."""

import http.client
import http.server
import json
import re
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from stack.nginx import AWAY, TEMPLATE, binary, render
from stack.ports import Ports
from tests.waiting import wait_for

Ask = Callable[..., tuple[http.client.HTTPResponse, str]]


@pytest.fixture
def ask(tmp_path: Path, behind: int) -> Iterator[Ask]:
    """`ask("GET", "/")`: a request to an nginx that runs, and whose web and live processes are at `behind`."""
    port = Ports.free().shop
    values = {
        "NGINX_USER": "user root root;" if tmp_path.owner() == "root" else "",
        "NGINX_LISTEN": f"127.0.0.1:{port}",
        "NGINX_WEB": f"127.0.0.1:{behind}",
        "NGINX_LIVE": f"127.0.0.1:{behind}",
        "NGINX_TEMP": str(tmp_path),
        "NGINX_AWAY": str(AWAY),
        "NGINX_MEDIA": str(tmp_path / "media" / "public"),
        "NGINX_FILES": str(tmp_path / "files"),
    }
    impatient = re.sub(
        r"proxy_read_timeout \w+;", "proxy_read_timeout 1s;", render(TEMPLATE.read_text(), values)
    )
    (tmp_path / "nginx.conf").write_text(impatient)
    process = subprocess.Popen([binary(), "-e", "stderr", "-p", tmp_path, "-c", tmp_path / "nginx.conf"])

    def _ask(
        method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request(method, path, body, {"Connection": "close", **headers})
            answer = connection.getresponse()
            return answer, answer.read().decode()

    def listens() -> bool | None:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0 or None

    wait_for(listens, "nginx to listen")
    yield _ask
    process.terminate()
    process.wait()


@pytest.fixture(params=["refuses", "hangs"])
def behind(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a web process that is not there, or that takes connections and never answers."""
    if request.param == "refuses":
        yield Ports.free().web
        return
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/products/"),
        ("POST", "/api/orders/"),
        ("POST", "/webhooks/payments/"),
        ("GET", "/live/orders/x"),
    ],
)
def test_programs_get_a_problem(ask: Ask, method: str, path: str) -> None:
    answer, body = ask(method, path)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    found = json.loads(body)
    assert found["status"] == 503
    assert found["type"] == "/api/problems/temporarily-unavailable/"


def test_a_page_goes_on_by_itself_and_a_form_never(ask: Ask) -> None:
    for method, again in (("GET", True), ("POST", False)):
        answer, body = ask(method, "/checkout/", b"ticket=x" if method == "POST" else None)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert answer.headers["Content-Type"] == "text/html"
        assert "Set-Cookie" not in answer.headers
        assert "Your cart is safe" in body
        script = re.search(r"<script>(.*)</script>", body, re.DOTALL)
        assert (script is not None) is again
        if script:
            digest = b64encode(sha256(script[1].encode()).digest()).decode()
            assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
        assert ("one checkout makes one order" in body) is not again


def test_a_body_that_is_too_large_is_a_problem_for_programs(ask: Ask) -> None:
    answer, body = ask("POST", "/api/orders/", **{"Content-Length": str(25 * 1024 * 1024 + 1)})
    assert answer.status == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Retry-After" not in answer.headers
    assert json.loads(body)["status"] == 413


def test_what_nginx_says_has_no_address_of_its_own(ask: Ask) -> None:
    assert ask("GET", "/nginx-says/page.html")[0].status == 404


class TestPublished:
    """What lies under /media/, and nothing beside it."""

    CONTENT = b"0123456789" * 200

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        folder = tmp_path / "media/public/videos/a"
        folder.mkdir(parents=True)
        for name in ("master.m3u8", "1.m4s", "fallback.mp4", "poster.jpg", "thumbnails.vtt", "page.html"):
            (folder / name).write_bytes(self.CONTENT)
        (tmp_path / "media/uploads").mkdir()
        (tmp_path / "media/uploads/secret.mp4").write_bytes(b"secret")
        (tmp_path / "media/publicly.mp4").write_bytes(b"secret")

    @pytest.fixture
    def behind(self) -> int:
        """Nobody: files need no process behind nginx."""
        return Ports.free().web

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("master.m3u8", "application/vnd.apple.mpegurl"),
            ("1.m4s", "video/mp4"),
            ("fallback.mp4", "video/mp4"),
            ("poster.jpg", "image/jpeg"),
            ("thumbnails.vtt", "text/vtt; charset=utf-8"),
            ("page.html", "application/octet-stream"),
        ],
    )
    def test_files_have_their_types_and_may_be_kept(self, ask: Ask, name: str, kind: str) -> None:
        answer, body = ask("GET", f"/media/videos/a/{name}")
        assert (answer.status, body) == (200, self.CONTENT.decode())
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["Cache-Control"] == "public, max-age=86400, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]

    def test_a_part_is_sent_when_a_part_is_asked_for(self, ask: Ask) -> None:
        answer, body = ask("GET", "/media/videos/a/fallback.mp4", Range="bytes=3-7")
        assert (answer.status, body) == (206, "34567")
        assert answer.headers["Content-Range"] == f"bytes 3-7/{len(self.CONTENT)}"
        answer, body = ask("GET", "/media/videos/a/fallback.mp4")
        again, _ = ask("GET", "/media/videos/a/fallback.mp4", **{"If-None-Match": answer.headers["ETag"]})
        assert again.status == 304

    def test_playlists_are_sent_small(self, ask: Ask) -> None:
        for name, small in (("master.m3u8", True), ("1.m4s", False)):
            answer, _ = ask("HEAD", f"/media/videos/a/{name}", **{"Accept-Encoding": "gzip"})
            assert (answer.headers["Content-Encoding"] == "gzip") is small

    @pytest.mark.parametrize(
        "path",
        [
            "/media/",
            "/media/videos/",
            "/media/videos/a/",
            "/media/videos/b/master.m3u8",
            "/media/../uploads/secret.mp4",
            "/media/%2e%2e/uploads/secret.mp4",
            "/media/..%2fuploads/secret.mp4",
            "/media../uploads/secret.mp4",
            "/media/videos/a/../../../uploads/secret.mp4",
            "/medially.mp4",
        ],
    )
    def test_no_listing_and_nothing_beside_it(self, ask: Ask, path: str) -> None:
        answer, body = ask("GET", path)
        assert answer.status in (400, 403, 404, 503)
        assert "secret" not in body
        assert "fallback" not in body
        assert "immutable" not in (answer.headers["Cache-Control"] or "")

    def test_nothing_can_be_written(self, ask: Ask) -> None:
        for method in ("POST", "PUT", "DELETE"):
            assert ask(method, "/media/videos/a/poster.jpg", b"x")[0].status == 405


class TestRefused:
    """What nginx refuses before anybody behind it hears of it."""

    @pytest.fixture
    def behind(self) -> int:
        return Ports.free().web

    @pytest.mark.parametrize(
        ("method", "path", "headers", "status"),
        [
            ("TRACE", "/api/orders/", {}, 405),
            ("TRACE", "/live/orders/token", {}, 405),
            ("GET", "/api/%00", {}, 400),
            ("POST", "/webhooks/payments/%00", {}, 400),
            ("GET", "/api/../../../etc/passwd", {}, 400),
            ("GET", "/api/orders/", {"Host": "a b"}, 400),
            ("GET", "/api/orders/", {"X-Long": "x" * 40_000}, 400),
            ("GET", "/api/orders/?" + "x" * 40_000, {}, 414),
        ],
    )
    def test_programs_get_a_problem(
        self, ask: Ask, method: str, path: str, headers: dict[str, str], status: int
    ) -> None:
        answer, body = ask(method, path, **headers)
        assert answer.status == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        found = json.loads(body)
        assert (found["status"], found["type"]) == (status, "about:blank")
        assert found["title"] in ("Bad Request", "Method Not Allowed", "URI Too Long")
        assert ("POST" in answer.headers.get("Allow", "")) is (status == 405)

    def test_people_get_a_sentence(self, ask: Ask) -> None:
        answer, body = ask("GET", "/products/%00/")
        assert answer.status == 400
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert body == "400 Bad Request: the request could not be read. Nothing was done.\n"

    def test_passwords_one_after_the_other_do_not_reach_the_shop(self, ask: Ask) -> None:
        def tries(count: int, address: str, method: str = "POST") -> list[int]:
            return [
                ask(method, "/admin/login/", b"", **{"X-Forwarded-For": address})[0].status
                for _ in range(count)
            ]

        flood = tries(40, "198.51.100.7")
        assert flood[:20] == [503] * 20  # they went on to the shop, which is away here
        assert flood[-10:] == [429] * 10
        assert tries(1, "203.0.113.9") == [503]
        # What a visitor says of itself stands before what our own proxies say.
        assert tries(1, "203.0.113.9, 198.51.100.7, 10.0.0.7") == [429]
        assert tries(30, "198.51.100.7", "GET") == [503] * 30
        answer, body = ask("POST", "/admin/login/", b"", **{"X-Forwarded-For": "198.51.100.7"})
        assert answer.headers["Retry-After"] == "10"
        assert "Wait ten seconds" in body


class TestCompressed:
    @pytest.fixture
    def behind(self) -> Iterator[int]:
        """A web process that answers everything with two kilobytes."""

        class Answering(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("ETag", '"two-kilobytes"')
                self.send_header("Content-Length", "2000")
                self.end_headers()
                self.wfile.write(b"[" + b" " * 1998 + b"]")

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield server.server_address[1]
            server.shutdown()
            thread.join()

    def test_caches_keep_the_small_form_apart(self, ask: Ask) -> None:
        for path in ("/", "/api/products/"):
            answer, _ = ask("GET", path, **{"Accept-Encoding": "identity"})
            assert (answer.headers["Vary"], answer.headers["ETag"]) == ("Accept-Encoding", '"two-kilobytes"')
